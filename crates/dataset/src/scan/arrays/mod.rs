//! Images that lie in arrays, many in one file: IDX ([`idx`]), NumPy ([`npy`], paired by name in [`named`]), and CSV files
//! whose columns are pixels ([`pixels`]).

mod idx;
mod named;
mod npy;
mod pixels;
mod roles;
mod splits;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use twox_hash::XxHash3_128;

pub(super) use named::is_array_file;

use super::labelled::{UNSPLIT, all_known, choose, nothing_is_split};
use super::labels::{Label, Names, label_in};
use super::manifest::Wanted;
use super::training::classes_of;
use crate::pattern::Patterns;
use crate::{
    ArrayImages, Dataset, Form, Labelled, Layout, Notice, Purpose, Sample, ScanError, Source, Split, Taken,
};

/// The largest array that is read, unpacked; EMNIST by class has 0.55 GB, PathMNIST at 64 pixels 1.1 GB.
const MAX_BYTES: u64 = 8 << 30;

/// Arrays of one data set, before they are read, if they are large.
pub(super) struct Arrays {
    form: Form,
    taken: Taken,
    parts: Vec<Part>,
    notices: Vec<Notice>,
}

enum Part {
    Idx(idx::Pair),
    Named(named::Pair),
    Read(Contents),
}

impl Part {
    fn split(&self) -> Option<Split> {
        match self {
            Part::Idx(pair) => Some(pair.split),
            Part::Named(pair) => pair.split,
            Part::Read(contents) => contents.split,
        }
    }

    fn read(self, layout: &Layout) -> Result<Contents, ScanError> {
        match self {
            Part::Idx(pair) => pair.read(),
            Part::Named(pair) => pair.read(layout),
            Part::Read(contents) => Ok(contents),
        }
    }
}

/// The images of one split.
struct Contents {
    split: Option<Split>,
    /// What the array is called, to be shown.
    name: String,
    images: Arc<ArrayImages>,
    /// The label of each image, as its place in `values`.
    labels: Vec<u32>,
    values: Vec<Label>,
    /// The place in `images` of each image that has a label; none where that is all of them, in their order.
    places: Option<Vec<usize>>,
    /// The group of each image; empty where the data knows none.
    groups: Vec<Option<Arc<str>>>,
    /// How the values were made pixels, where that is not plain.
    said: Option<String>,
    notices: Vec<Notice>,
}

impl Contents {
    /// `labels` has one for each image.
    fn new(
        split: Option<Split>,
        name: String,
        images: impl Into<Arc<ArrayImages>>,
        labels: impl Iterator<Item = Label>,
    ) -> Contents {
        let mut places: BTreeMap<Label, u32> = BTreeMap::new();
        let labels: Vec<Label> = labels.collect();
        for label in &labels {
            if !places.contains_key(label) {
                places.insert(label.clone(), 0);
            }
        }
        for (place, at) in places.values_mut().zip(0..) {
            *place = at;
        }
        let labels = labels.iter().map(|label| places[label]).collect();
        let values = places.into_keys().collect();
        Contents {
            split,
            name,
            images: images.into(),
            labels,
            values,
            places: None,
            groups: Vec::new(),
            said: None,
            notices: Vec::new(),
        }
    }

    /// The images of each split, by the split of each image; those without one are left out.
    fn part(self, splits: &[Option<Split>]) -> Vec<Contents> {
        let of = |split: Split| {
            let places: Vec<usize> = (0..splits.len()).filter(|&at| splits[at] == Some(split)).collect();
            let labels = places.iter().map(|&at| self.values[self.labels[at] as usize].clone());
            let part = Contents::new(Some(split), self.name.clone(), Arc::clone(&self.images), labels);
            let groups = match self.groups.is_empty() {
                true => Vec::new(),
                false => places.iter().map(|&at| self.groups[at].clone()).collect(),
            };
            let (said, notices) = (self.said.clone(), self.notices.clone());
            Contents { groups, said, notices, places: Some(places), ..part }
        };
        let parts = Split::ALL.into_iter().map(of);
        parts.filter(|part| !part.labels.is_empty()).collect()
    }

    /// Adds the samples to a data set; `label_of` is the label of each of the values.
    fn add_to(&self, dataset: &mut Dataset, label_of: &[u32], split: Split, patterns: &Patterns<'_>) {
        let images = &self.images;
        let place = |at: usize| self.places.as_ref().map_or(at, |places| places[at]);
        let contents: Vec<u128> = (0..self.labels.len())
            .into_par_iter()
            .map(|i| XxHash3_128::oneshot(images.image(place(i))))
            .collect();
        for (at, (&value, content)) in self.labels.iter().zip(contents).enumerate() {
            let index = place(at);
            let path = PathBuf::from(format!("{}[{index}]", self.name));
            if patterns.exclude(&path) {
                dataset.excluded += 1;
                continue;
            }
            dataset.samples.push(Sample {
                path,
                label: label_of[value as usize],
                split,
                source: Source::Array { images: Arc::clone(images), index },
                content,
                width: images.width,
                height: images.height,
                channels: images.channels,
                group: self.groups.get(at).cloned().flatten(),
            });
        }
    }
}

impl Arrays {
    /// The arrays in a folder; `None` where there are none, or where there is also something else to train on.
    pub(super) fn in_folder(root: &Path, wanted: &Wanted<'_>) -> Result<Option<Arrays>, ScanError> {
        Arrays::in_folder_for(root, wanted, Purpose::Training)
    }

    /// What says the splits is read to train on alone: a model labels all images.
    fn in_folder_for(
        root: &Path,
        wanted: &Wanted<'_>,
        purpose: Purpose,
    ) -> Result<Option<Arrays>, ScanError> {
        if let Some(pairs) = idx::find(root)? {
            let taken = idx::taken(&pairs);
            let parts = pairs.into_iter().map(Part::Idx).collect();
            return Ok(Some(Arrays { form: Form::Idx, taken, parts, notices: Vec::new() }));
        }
        if let Some(mut found) = named::in_folder(root, wanted)? {
            if purpose == Purpose::Prediction {
                found.pairs.iter_mut().for_each(|pair| pair.like_splits.clear());
            }
            return Ok(Some(found.arrays(wanted.layout)?));
        }
        pixels::in_folder(root, wanted)
    }

    /// Those of a file; `None` where it holds none.
    pub(super) fn in_file(path: &Path, wanted: &Wanted<'_>) -> Result<Option<Arrays>, ScanError> {
        if is_array_file(path) {
            return Ok(Some(named::in_file(path, wanted)?.arrays(wanted.layout)?));
        }
        if super::manifest::is_table(path) { pixels::in_table(path, wanted) } else { Ok(None) }
    }

    /// The images of a file, for a model to label; `None` where it holds no arrays.
    pub(super) fn images(path: &Path) -> Result<Option<Vec<Sample>>, ScanError> {
        let contents: Vec<Contents> = if super::is_folder(path)? {
            let (patterns, layout) = (Patterns::new(&[]), Layout::default());
            let wanted = Wanted::without_group(&patterns, &layout);
            let Some(found) = Arrays::in_folder_for(path, &wanted, Purpose::Prediction)? else {
                return Ok(None);
            };
            found.parts.into_par_iter().map(|part| part.read(&layout)).collect::<Result<_, _>>()?
        } else if is_array_file(path) {
            named::images(path)?
        } else if super::manifest::is_table(path) {
            let Some(found) = pixels::images(path)? else { return Ok(None) };
            found.parts.into_iter().map(|part| part.read(&Layout::default())).collect::<Result<_, _>>()?
        } else {
            return Ok(None);
        };
        let mut dataset = Dataset::new(path, Form::Images, Purpose::Prediction, Vec::new());
        for one in contents {
            let labels = vec![0; one.values.len()];
            one.add_to(&mut dataset, &labels, UNSPLIT, &Patterns::new(&[]));
        }
        Ok(Some(dataset.samples))
    }

    /// Whether the data can say which images belong together.
    pub(super) fn knows_groups(&self) -> bool {
        self.form != Form::Idx
    }

    /// Why a key of a recipe makes no sense here.
    pub(super) fn wrong_key(&self, layout: &Layout) -> Option<((&'static str, String), &'static str)> {
        if let Some(key) = layout.key_of_folders() {
            return Some((key, "left out: the data are arrays, and have no folders"));
        }
        let (known, expected): (&[&str], _) = match self.form {
            Form::PixelTable => (
                &["label_column", "split_column", "split_values", "one_hot", "one_hot_rest"],
                "left out: the columns of the table are pixels, and not names of files",
            ),
            Form::Arrays => (
                &["images", "label_column", "split_column", "split_values"],
                "left out: the data are arrays, and no table",
            ),
            _ => (&[], "left out: the data are arrays, and no table"),
        };
        let key = layout.keys_of_tables().into_iter().find(|(key, _)| !known.contains(key))?;
        Some((key, expected))
    }

    /// All of them, to train on.
    pub(super) fn train(
        self,
        root: &Path,
        layout: &Layout,
        patterns: &Patterns<'_>,
    ) -> Result<Dataset, ScanError> {
        let Arrays { form, taken, parts, notices, .. } = self;
        let read: Vec<Contents> =
            parts.into_par_iter().map(|part| part.read(layout)).collect::<Result<_, _>>()?;
        let split = |contents: &Contents| contents.split.unwrap_or(Split::Train);
        let trained = read.iter().filter(|contents| split(contents) == Split::Train);
        let names = Names::of(trained.flat_map(|contents| &contents.values), layout);
        let all: Vec<(String, Split)> = read
            .iter()
            .flat_map(|contents| contents.values.iter().map(|v| (names.name(v), split(contents))))
            .collect();
        let classes = classes_of(root, all.iter().map(|(name, split)| (name.as_str(), *split)))?;
        let label_of: HashMap<String, u32> = classes.iter().cloned().zip(0..).collect();
        let mut dataset = Dataset::new(root, form, Purpose::Training, classes);
        dataset.taken = taken;
        dataset.notices = notices;
        dataset.notices.extend(names.unmatched(&all));
        // Values of 0 to 1 in one array and of 0 to 255 in another are not of one scale.
        if let (Some(one), Some(other)) =
            (read.iter().find(|of| of.said.is_some()), read.iter().find(|of| of.said.is_none()))
        {
            let reason = format!(
                "the values of {} go from 0 to 1, and those of {} do not: save both alike, from 0 to 255",
                one.name, other.name
            );
            return Err(ScanError::Array { path: root.to_owned(), reason });
        }
        let mut said: Vec<String> = Vec::new();
        for contents in &read {
            let labels: Vec<u32> = contents.values.iter().map(|value| label_of[&names.name(value)]).collect();
            contents.add_to(&mut dataset, &labels, split(contents), patterns);
            said.extend(contents.said.clone().filter(|words| !said.contains(words)));
            // What one split's array was said to look like, another's does too.
            if !dataset.notices.iter().any(|told| matches!(told, Notice::LooksLikeGroup { .. })) {
                dataset.notices.extend(contents.notices.iter().cloned());
            }
        }
        dataset.taken.what.extend(said);
        if dataset.indices(Split::Train).is_empty() {
            let found = "data.exclude leaves out every training image".to_owned();
            return Err(ScanError::NoImages { path: root.to_owned(), found });
        }
        Ok(dataset)
    }

    /// One split of them, to judge a model on that knows `classes`; and whether there are others.
    pub(super) fn judge(
        self,
        root: &Path,
        classes: &[String],
        wanted: Option<Split>,
        layout: &Layout,
        patterns: &Patterns<'_>,
    ) -> Result<(Labelled, bool), ScanError> {
        let mut there: Vec<Split> = self.parts.iter().filter_map(Part::split).collect();
        there.sort_unstable();
        there.dedup();
        let split = choose(root, wanted, &there)?;
        let mut dataset = Dataset::new(root, self.form, Purpose::Evaluation, classes.to_vec());
        dataset.taken = self.taken;
        dataset.notices = self.notices;
        let names = Names::of(std::iter::empty(), layout);
        for part in self.parts.into_iter().filter(|part| part.split() == split) {
            let contents = part.read(layout)?;
            let labels: Vec<Option<u32>> =
                contents.values.iter().map(|value| label_in(&names.name(value), classes)).collect();
            let unknown = contents.labels.iter().filter(|&&value| labels[value as usize].is_none());
            let unknown: Vec<String> =
                unknown.map(|&value| names.name(&contents.values[value as usize])).collect();
            all_known(root, classes, unknown.iter().map(String::as_str))?;
            let labels: Vec<u32> = labels.into_iter().flatten().collect();
            contents.add_to(&mut dataset, &labels, split.unwrap_or(UNSPLIT), patterns);
            dataset.taken.what.extend(contents.said);
            dataset.notices.extend(contents.notices);
        }
        nothing_is_split(&mut dataset.notices);
        if dataset.samples.is_empty() {
            let found = "data.exclude leaves out every image".to_owned();
            return Err(ScanError::NoImages { path: root.to_owned(), found });
        }
        Ok((Labelled { dataset, split }, there.len() > 1))
    }
}
