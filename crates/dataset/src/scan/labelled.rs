//! Data to judge a model on: the classes are the model's, and any of them may be missing.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::examine::{Candidate, Examined, Memory, samples, several_pages};
use super::shards::or_why_none;
use super::training::or_other_format;
use super::{Data, Listing, check_layout, folders, list_tables, manifest, masks, rename, root_of};
use crate::files;
use crate::options::check_exclude;
use crate::pattern::Patterns;
use crate::suggest::nearest;
use crate::{
    Cache, Dataset, LabelledOptions, Notice, OnBadImage, Purpose, Sample, ScanError, Skipped, Split,
    UnknownClass,
};

/// What [`scan_labelled`] gives.
#[derive(Debug, Clone)]
pub struct Labelled {
    /// The samples of one split, as they were found; [`Split::Test`] where the data has no splits. Their labels are
    /// places in the model's classes. There is at least one.
    pub dataset: Dataset,
    /// The split that was taken; `None` where the data has no splits, and all of it was.
    pub split: Option<Split>,
}

/// Finds the samples at `path` on which a model that knows `classes`, in that order, is judged. The forms of data are
/// those of [`scan`](crate::scan()), and bad images, links, hidden files and `exclude` are treated as there; but one class
/// is enough, and no training set is needed.
///
/// Of data with splits one is taken, and the others are not looked at: the one in `options`, else `val`, else `test`; of
/// IDX files, which have no `val`, `test`; of arrays and tables of pixels likewise. The training set is taken only where it is asked for. A folder that is called
/// after a split and after a class of the model (a *train* is also a thing to classify) is a class where it holds images
/// and no folders. IDX labels belong to the class with the number as its name, zero-padded or not.
///
/// A pattern of `exclude` that matches nothing is reported only where all of the data was looked at.
///
/// # Errors
/// Where `path` is no data set, has a class that the model does not know, lacks the split, or has no readable image.
pub fn scan_labelled(
    path: &Path,
    classes: &[String],
    options: &LabelledOptions,
    cache: Option<&Cache>,
) -> Result<Labelled, ScanError> {
    labelled(path, classes, options, cache).map_err(|error| or_other_format(path, or_why_none(path, error)))
}

fn labelled(
    path: &Path,
    classes: &[String],
    options: &LabelledOptions,
    cache: Option<&Cache>,
) -> Result<Labelled, ScanError> {
    check_exclude(&options.exclude)?;
    options.layout.check_split_values()?;
    let patterns = Patterns::new(&options.exclude);
    let (wanted, layout) = (options.split, &options.layout);
    let of_files = |mut listing: Listing| -> Result<(Labelled, bool), ScanError> {
        rename(&mut listing, layout);
        let partial = listing.partial;
        Ok((from_files(path, listing, classes, options.on_bad_image, cache)?, partial))
    };
    let of_table = manifest::Wanted { patterns: &patterns, layout, group: options.group.as_deref() };
    let root = root_of(path)?;
    let path = root.as_path();
    let data = Data::at(path, &of_table)?;
    check_layout(path, &data, layout)?;
    let (Labelled { mut dataset, split }, partial) = match data {
        Data::Arrays(arrays) => arrays.judge(path, classes, wanted, layout, &patterns)?,
        Data::Shards(shards) => of_files(shards.list_one(path, &patterns, layout, classes, wanted)?)?,
        Data::Tables(tables) => {
            let mut listing = list_tables(path, &tables, &of_table)?;
            nothing_is_split(&mut listing.beside.notices);
            of_files(one_split_of(path, listing, wanted)?)?
        }
        Data::Folder(manifest::BesideClasses { lists, parting, notice, groups, .. }) => {
            groups.check(options.group.as_deref())?;
            let list = |wanted| folders::list_one(path, &patterns, layout, classes, wanted, &groups);
            let mut listing = match lists.is_empty() && parting.is_none() {
                true => list(wanted)?,
                // As in training, lists may part what is in the folder of the training set, or in none.
                false => {
                    let mut all: Option<Listing> = None;
                    for other in Split::ALL.into_iter().filter_map(|split| list(Some(split)).ok()) {
                        match &mut all {
                            None => all = Some(other),
                            Some(all) => all.files.extend(other.files),
                        }
                    }
                    let mut listing = match (all, list(wanted)) {
                        (Some(all), _) => all,
                        // The folders say none, and the tables may.
                        (None, Err(ScanError::NoSplits { .. })) => list(None)?,
                        (None, listing) => listing?,
                    };
                    listing.part(path, &lists, &of_table)?;
                    listing.part_by_column(path, parting.as_deref(), &of_table)?;
                    one_split_of(path, listing, wanted)?
                }
            };
            masks::check_beside(path, &mut listing, layout)?;
            listing.group_by_table(path, &groups, &of_table)?;
            nothing_is_split(&mut listing.beside.notices);
            listing.beside.notices.extend(notice);
            of_files(listing)?
        }
    };
    if !partial {
        dataset.notices.extend(super::unmatched(&patterns));
    }
    let missing = dataset.classes_missing(split.unwrap_or(UNSPLIT));
    if !missing.is_empty() {
        dataset.notices.push(Notice::ClassesMissing { split, classes: missing });
    }
    dataset.notices.extend(super::warnings(cache));
    Ok(Labelled { dataset, split })
}

/// Nothing is split here: groups say what the intervals are over.
pub(super) fn nothing_is_split(notices: &mut [Notice]) {
    for notice in notices {
        if let Notice::LooksLikeGroup { split_given, .. } | Notice::FoldersLikeGroups { split_given, .. } =
            notice
        {
            *split_given = true;
        }
    }
}

/// What samples of data without splits are for.
pub(super) const UNSPLIT: Split = Split::Test;

/// Which of the splits that are `there` a model is judged on; `None` where there are none.
pub(super) fn choose(
    path: &Path,
    wanted: Option<Split>,
    there: &[Split],
) -> Result<Option<Split>, ScanError> {
    let chosen = match (wanted, there) {
        (None, []) => return Ok(None),
        (Some(wanted), []) => return Err(ScanError::NoSplits { path: path.to_owned(), wanted }),
        (Some(wanted), _) => Some(wanted).filter(|split| there.contains(split)),
        (None, _) => [Split::Val, Split::Test].into_iter().find(|split| there.contains(split)),
    };
    match chosen {
        Some(_) => Ok(chosen),
        None => Err(ScanError::NoSuchSplit { path: path.to_owned(), wanted, there: there.to_vec() }),
    }
}

fn one_split_of(path: &Path, mut listing: Listing, wanted: Option<Split>) -> Result<Listing, ScanError> {
    let mut there: Vec<Split> = listing.files.iter().filter_map(|file| file.split).collect();
    there.sort_unstable();
    there.dedup();
    let chosen = choose(path, wanted, &there)?;
    listing.files.retain(|file| file.split == chosen);
    listing.partial = there.len() > 1;
    Ok(listing)
}

fn from_files(
    root: &Path,
    listing: Listing,
    classes: &[String],
    on_bad_image: OnBadImage,
    cache: Option<&Cache>,
) -> Result<Labelled, ScanError> {
    let label_of: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let unknown = listing.files.iter().map(|file| file.class.as_str());
    all_known(root, classes, unknown.filter(|class| !label_of.contains_key(class)))?;
    let memory = Memory { cache, root: &listing.base, partial: listing.partial };
    let Listing { form, taken, files, beside, .. } = listing;
    // All files have the same split, or none.
    let split = files.first().and_then(|file| file.split);
    let candidates = files.into_iter().map(|file| Candidate {
        label: label_of[file.class.as_str()],
        split: split.unwrap_or(UNSPLIT),
        path: file.path,
        group: file.group,
    });
    let Examined { samples, skipped, pages, .. } = samples(candidates.collect(), &memory)?;
    check_bad(&samples, &skipped, on_bad_image)?;
    let dataset = Dataset::new(root, form, Purpose::Evaluation, classes.to_vec());
    let mut dataset = Dataset { samples, skipped, taken, ..dataset };
    beside.add_to(&mut dataset);
    dataset.notices.extend(pages.map(several_pages));
    Ok(Labelled { dataset, split })
}

/// Fails where there are `unknown` classes, which come once for each image.
pub(super) fn all_known<'a>(
    root: &Path,
    model: &[String],
    unknown: impl Iterator<Item = &'a str>,
) -> Result<(), ScanError> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for class in unknown {
        *counts.entry(class).or_default() += 1;
    }
    if counts.is_empty() {
        return Ok(());
    }
    // One folder that holds the data set, rather than a class.
    let inner = counts.keys().next().filter(|_| counts.len() == 1).map(|class| root.join(class));
    let is_root = |path: &Path| {
        let holds_class = model.iter().any(|class| files::is_dir(&path.join(class)));
        if holds_class { Some(path.to_owned()) } else { folders::inner_root(path) }
    };
    let classes = counts.into_iter().map(|(class, images)| UnknownClass {
        class: class.to_owned(),
        images,
        similar: nearest(class, model.iter().map(String::as_str)).map(str::to_owned),
    });
    Err(ScanError::UnknownToModel {
        path: root.to_owned(),
        classes: classes.collect(),
        model: model.to_vec(),
        suggestion: inner.and_then(|path| is_root(&path)).map(|path| path.display().to_string()),
    })
}

/// Fails where the policy says so, or where nothing is left.
pub(super) fn check_bad(
    samples: &[Sample],
    skipped: &[Skipped],
    on_bad_image: OnBadImage,
) -> Result<(), ScanError> {
    match (samples, skipped) {
        (_, []) => Ok(()),
        ([], _) => Err(ScanError::NoneUsable { bad: skipped.to_vec() }),
        _ if on_bad_image == OnBadImage::Fail => Err(ScanError::BadImages { bad: skipped.to_vec() }),
        _ => Ok(()),
    }
}
