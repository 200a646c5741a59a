//! [`Dataset`]: the samples of a scan, and questions about them as a whole.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Notice, OtherPictures, Sample, ScanOptions, Skipped, Split, Taken, split};

/// How the data is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A folder with `train`, perhaps `val` and `test`, of class folders.
    SplitFolders,
    /// A folder of class folders.
    ClassFolders,
    /// A CSV file with a row for each image.
    Manifest,
    /// Tar files with the files of each sample side by side, as WebDataset writes them.
    Shards,
    /// The IDX files of the MNIST family.
    Idx,
    /// NumPy arrays: `.npz` or `.npy` files.
    Arrays,
    /// A CSV file with the pixels of an image in each row.
    PixelTable,
    /// Image files without labels.
    Images,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::SplitFolders => "split folders",
            Form::ClassFolders => "class folders",
            Form::Manifest => "manifest",
            Form::Shards => "shards",
            Form::Idx => "IDX files",
            Form::Arrays => "arrays",
            Form::PixelTable => "table of pixels",
            Form::Images => "images",
        })
    }
}

/// What the samples are there for, which decides what is demanded of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A model learns from them: every class needs a training sample, or [`load`](crate::load()) fails.
    Training,
    /// A model that knows the classes is judged on them; it may be on a few of its classes only.
    Evaluation,
    /// A model labels them. They have no labels, and [`Dataset::classes`] is empty.
    Prediction,
}

/// Samples that are exact copies of one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateGroup {
    /// Indices into [`Dataset::samples`], ascending, at least two.
    pub samples: Vec<usize>,
}

/// What a scan found.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The path that was scanned; empty where it was several.
    pub root: PathBuf,
    /// How the data is laid out.
    pub form: Form,
    /// What of it was taken for what.
    pub taken: Taken,
    /// What the samples are there for.
    pub purpose: Purpose,
    /// Names of the classes; `label` is the place in this list. Ascending by their UTF-8 bytes where they come from a
    /// training set, otherwise in the model's order; none where there are no labels.
    pub classes: Vec<String>,
    /// The usable samples, by split, class and path where the splits are given; by class and path where the validation
    /// set was split off; in the file's order for manifests and IDX files.
    pub samples: Vec<Sample>,
    /// Whether the validation set was split off the training set here, because the data brings none.
    pub val_from_train: bool,
    /// Images that cannot be used.
    pub skipped: Vec<Skipped>,
    /// Files that are no images by their names.
    pub ignored_files: usize,
    /// Pictures, by their names, of kinds that are not read here.
    pub other_pictures: Vec<OtherPictures>,
    /// Names of folders that systems make for themselves, which were left out.
    pub system_folders: Vec<String>,
    /// Images and folders left out by `exclude`; the content of a folder that is left out is not counted, the folder counts as
    /// one.
    pub excluded: usize,
    /// How many of `excluded` are folders.
    pub excluded_folders: usize,
    /// Training samples left out by `fraction` and `max_per_class`.
    pub held_back: usize,
    /// Training samples of each class before some were held back; empty where nothing is trained.
    pub found: Vec<usize>,
    /// What else should be known.
    pub notices: Vec<Notice>,
}

impl Dataset {
    /// No samples yet.
    pub(crate) fn new(root: &Path, form: Form, purpose: Purpose, classes: Vec<String>) -> Dataset {
        Dataset {
            root: root.to_owned(),
            form,
            taken: Taken::default(),
            purpose,
            classes,
            samples: Vec::new(),
            val_from_train: false,
            skipped: Vec::new(),
            ignored_files: 0,
            other_pictures: Vec::new(),
            system_folders: Vec::new(),
            excluded: 0,
            excluded_folders: 0,
            held_back: 0,
            found: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// Leaves of a scan of all training samples those that `fraction` and `max_per_class` of `options` keep: the same as a scan
    /// with these options.
    pub fn keep_part(&mut self, options: &ScanOptions) {
        if options.drop_leaks {
            self.drop_leaks();
        }
        let (fraction, max) = (options.fraction, options.max_per_class);
        let seed = options.subset_seed.unwrap_or(options.seed);
        let keep = split::keep_part(&self.samples, self.classes.len(), fraction, max, seed);
        let before = self.samples.len();
        let mut keep = keep.into_iter();
        self.samples.retain(|_| keep.next().unwrap_or(true));
        self.held_back = before - self.samples.len();
    }

    /// The classes without a sample in a split.
    pub(crate) fn classes_missing(&self, split: Split) -> Vec<String> {
        let counts = self.class_counts(split);
        let missing = self.classes.iter().zip(counts).filter(|(_, n)| *n == 0);
        missing.map(|(class, _)| class.clone()).collect()
    }

    /// The indices of a split's samples, ascending.
    pub fn indices(&self, split: Split) -> Vec<usize> {
        (0..self.samples.len()).filter(|&i| self.samples[i].split == split).collect()
    }

    /// The number of samples of each class in a split, in the order of `classes`; empty where there are no labels.
    pub fn class_counts(&self, split: Split) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for sample in self.samples.iter().filter(|sample| sample.split == split) {
            if let Some(count) = counts.get_mut(sample.label as usize) {
                *count += 1;
            }
        }
        counts
    }

    /// All groups of exact copies, by their first sample.
    pub fn duplicates(&self) -> Vec<DuplicateGroup> {
        let mut groups: HashMap<u128, Vec<usize>> = HashMap::with_capacity(self.samples.len());
        for (i, sample) in self.samples.iter().enumerate() {
            groups.entry(sample.content).or_default().push(i);
        }
        let mut groups: Vec<_> = groups.into_values().filter(|samples| samples.len() > 1).collect();
        groups.sort_unstable();
        groups.into_iter().map(|samples| DuplicateGroup { samples }).collect()
    }

    /// Exact copies in more than one split: the model is judged on what it was trained on.
    pub fn cross_split_duplicates(&self) -> Vec<DuplicateGroup> {
        self.duplicates_that_differ(|sample| sample.split)
    }

    /// Groups with samples in more than one split, by name: the model is judged on what it may know already.
    pub fn cross_split_groups(&self) -> Vec<(Arc<str>, DuplicateGroup)> {
        let mut groups: BTreeMap<&Arc<str>, Vec<usize>> = BTreeMap::new();
        for (i, sample) in self.samples.iter().enumerate() {
            if let Some(group) = &sample.group {
                groups.entry(group).or_default().push(i);
            }
        }
        let split = |i: &usize| self.samples[*i].split;
        let parted =
            groups.into_iter().filter(|(_, samples)| samples.iter().any(|i| split(i) != split(&samples[0])));
        parted.map(|(name, samples)| (Arc::clone(name), DuplicateGroup { samples })).collect()
    }

    /// Exact copies with more than one label: at least one of them is wrong.
    pub fn conflicting_duplicates(&self) -> Vec<DuplicateGroup> {
        self.duplicates_that_differ(|sample| sample.label)
    }

    fn duplicates_that_differ<T: PartialEq>(&self, by: impl Fn(&Sample) -> T) -> Vec<DuplicateGroup> {
        let differ = |group: &DuplicateGroup| {
            group.samples.windows(2).any(|pair| by(&self.samples[pair[0]]) != by(&self.samples[pair[1]]))
        };
        self.duplicates().into_iter().filter(differ).collect()
    }
}
