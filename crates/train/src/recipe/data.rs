//! `[data]`: which images are used, and how they are found.

use super::{Names, Sampler, by_name};
use pupila_dataset::{Hold, Layout, OnBadImage, ScanOptions};
use pupila_random::{Purpose, Stream};
use pupila_transforms::Normalize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Which images are used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// What an image that cannot be read does: `skip` leaves it out, lists and counts it; `fail` ends the run.
    #[serde(with = "by_name")]
    #[schemars(with = "BadImageName")]
    pub on_bad_image: OnBadImage,
    /// What happens to training images of which validation or test have exact copies: `keep` trains on them, and the scores are told
    /// with and without the copies; `drop` leaves them out of training, so that what is judged stays the same.
    pub leaks: LeakPolicy,
    /// Folder, or folders, below the data's that hold the class folders of the training set, such as `training_set`; `.` is the
    /// data's folder itself. Left out, folders are known by their names.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub train: Names,
    /// The same for the validation set.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub val: Names,
    /// The same for the test set.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub test: Names,
    /// Folder, or folders, that the paths of a table start from, or that are searched for its files. Left out, the folder
    /// that the table is in. Of NumPy's arrays the one that holds the images: `x` for `x_train` and `x_test`.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub images: Names,
    /// Column of a table that names the files. Left out, the one that is called so, such as `path`, `file_name` or `image_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_column: Option<String>,
    /// Column of a table that names the classes, or of NumPy's arrays the one that holds them. Left out, the one that is called
    /// so, such as `label`, `class` or `dx`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_column: Option<String>,
    /// Column of a table that names the splits, or of NumPy's arrays the one that has the split of each image. Left out, the one
    /// that is called so, such as `split`. `none`: nothing is read as the split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_column: Option<String>,
    /// What the values of that column mean where they name no split by themselves: `{ 0 = "train", 1 = "val", 2 = "test" }`;
    /// `none` leaves their rows out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub split_values: BTreeMap<String, String>,
    /// Columns of a table that are the classes: in each row one of them is 1, and the others 0. Left out, they are found.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub one_hot: Names,
    /// The class of rows in which no such column is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_hot_rest: Option<String>,
    /// Which of a folder's lists and tables are read, as patterns of their names: `"images_variant_*"`, or `["train1.txt", "test1.txt"]` where there
    /// are those of several divisions. Left out, all of them.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub lists: Names,
    /// Extension that all files of a table have, such as `jpg`, whatever the table says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Classes that are called otherwise, `{ melanoma = "Melanoma" }`; two that get one name become one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// Patterns (`*`, `**` and `?`) of paths, relative to the data's folder, that are left out.
    pub exclude: Vec<String>,
    /// File with paths, relative to the data's folder, one in each line, that are left out too; `pupila inspect --exclude-list` writes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_list: Option<PathBuf>,
    /// Where decoded images are held; the results are the same. `auto`, and left out: in memory where half of it is enough for them, otherwise in the cache.
    /// `cache`: in packs of the cache, read as they are needed (see `PUPILA_CACHE_GB`). `files`: nowhere, files are
    /// decoded whenever they are needed.
    #[serde(skip_serializing_if = "HoldName::is_auto")]
    pub hold: HoldName,
    /// Share of each class's training images that is used.
    pub fraction: f64,
    /// Most training images that are used of a class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_per_class: Option<usize>,
    /// Share of each class that is set aside for validation where the data brings no validation set.
    pub val_frac: f64,
    /// Cut training and validation images together into so many folds, alike in their classes, for cross-validation: one
    /// is the validation set, the others are trained on. The test set stays out of it. Left out, the splits are as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
    /// Which of the folds is the validation set, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold: Option<usize>,
    /// Column of a table, or of NumPy's arrays one, such as `patient`: images with the same value are never on two sides of a
    /// split. `folder`: the folders in the class folders, where no table has such a
    /// column. Left out, the column or array `group`, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The number that the split follows from: which images are set aside for validation, into which fold an image comes, which
    /// ones `fraction` and `max_per_class` leave. Left out, `train.seed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
    /// The number that `fraction` and `max_per_class` choose their images by. Left out, that of the split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subset_seed: Option<u64>,
    /// The labels that are trained with: `given`; or `shuffled`, a negative control, where the training images exchange their labels by
    /// chance, which follows from `train.seed`. Validation and test images keep theirs.
    #[serde(skip_serializing_if = "Labels::is_given")]
    pub labels: Labels,
    /// Which training images an epoch shows: `shuffle` each once; `balanced` as many as there are, each class equally
    /// likely; `oversample` each class as often as the largest; `undersample` as often as the smallest;
    /// `{ weighted = { CLASS = WEIGHT } }` as many as there are, each image by the weight of its class.
    pub sampler: Sampler,
    /// How pixels become numbers: by the mean and deviation of `imagenet` (gray: 0.5 and 0.5), of the training images
    /// (`data`) or given ones, `{ mean = [...], std = [...] }`; by none (`none`), which leaves pixels / 255; or each image by
    /// its own (`image`, `image_per_channel`, `min_max`, `min_max_per_channel`).
    pub normalize: Normalize,
    /// Keep decoded images on disk, so that the next run over them starts at once.
    pub cache: bool,
}

/// What happens to training images of which validation or test have exact copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeakPolicy {
    /// They are trained on, and the scores are told with and without the copies.
    #[default]
    Keep,
    /// They are left out of training.
    Drop,
}

/// The labels that are trained with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// Those of the data.
    #[default]
    Given,
    /// Those of the data, exchanged among the training images by chance: what is learnt from them is chance (Zhang et al. 2017,
    /// arXiv 1611.03530, fit such labels).
    Shuffled,
}

impl Labels {
    fn is_given(&self) -> bool {
        *self == Labels::Given
    }

    /// Exchanges the labels of the training images, in the order in which they are held, where that is asked for.
    pub fn exchange(self, labels: &mut [u32], seed: u64) {
        if self == Labels::Shuffled {
            Stream::new(seed, Purpose::Labels, 0, 0).shuffle(labels);
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        let scan = ScanOptions::default();
        Data {
            on_bad_image: scan.on_bad_image,
            leaks: LeakPolicy::default(),
            train: Names::default(),
            val: Names::default(),
            test: Names::default(),
            images: Names::default(),
            path_column: None,
            label_column: None,
            split_column: None,
            split_values: BTreeMap::new(),
            one_hot: Names::default(),
            one_hot_rest: None,
            lists: Names::default(),
            extension: None,
            rename: BTreeMap::new(),
            exclude: scan.exclude,
            exclude_list: None,
            hold: HoldName::Auto,
            fraction: scan.fraction,
            max_per_class: scan.max_per_class,
            val_frac: scan.val_frac,
            folds: None,
            fold: None,
            group: None,
            split_seed: None,
            subset_seed: None,
            labels: Labels::default(),
            sampler: Sampler::default(),
            normalize: Normalize::default(),
            cache: true,
        }
    }
}

impl Data {
    /// What of the data is what.
    pub fn layout(&self) -> Layout {
        Layout {
            train: self.train.0.clone(),
            val: self.val.0.clone(),
            test: self.test.0.clone(),
            images: self.images.0.clone(),
            path_column: self.path_column.clone(),
            label_column: self.label_column.clone(),
            split_column: self.split_column.clone(),
            split_values: self.split_values.clone(),
            one_hot: self.one_hot.0.clone(),
            one_hot_rest: self.one_hot_rest.clone(),
            lists: self.lists.0.clone(),
            extension: self.extension.clone(),
            rename: self.rename.clone(),
        }
    }

    /// Names that are empty, by their keys.
    pub(super) fn empty_names(&self) -> Vec<&'static str> {
        let is_empty = |name: &str| name.trim().is_empty();
        let lists = [
            ("train", &self.train),
            ("val", &self.val),
            ("test", &self.test),
            ("images", &self.images),
            ("one_hot", &self.one_hot),
            ("lists", &self.lists),
        ];
        let names = [
            ("path_column", &self.path_column),
            ("label_column", &self.label_column),
            ("split_column", &self.split_column),
            ("one_hot_rest", &self.one_hot_rest),
            ("extension", &self.extension),
            ("group", &self.group),
        ];
        let lists = lists.into_iter().filter(|(_, names)| names.0.iter().any(|name| is_empty(name)));
        let names = names.into_iter().filter(|(_, name)| name.as_deref().is_some_and(is_empty));
        lists.map(|(key, _)| key).chain(names.map(|(key, _)| key)).collect()
    }
}

/// Names for the schema of `on_bad_image`.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum BadImageName {
    Skip,
    Fail,
}

/// Where decoded images are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HoldName {
    /// By the memory that there is.
    #[default]
    Auto,
    /// In memory.
    Memory,
    /// In packs of the cache, read as they are needed.
    Cache,
    /// Nowhere.
    Files,
}

impl HoldName {
    fn is_auto(&self) -> bool {
        *self == HoldName::Auto
    }

    /// Where images are held that take so many bytes, of so many that are there, if anybody knows.
    pub fn resolved(self, bytes: u64, available: Option<u64>) -> Hold {
        match self {
            HoldName::Auto if available.is_some_and(|available| bytes > available / 2) => Hold::Cache,
            HoldName::Auto | HoldName::Memory => Hold::Memory,
            HoldName::Cache => Hold::Cache,
            HoldName::Files => Hold::Files,
        }
    }
}
