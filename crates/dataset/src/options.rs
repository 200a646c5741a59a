//! What a scan may be told: the keys of a recipe's `[data]` section, and the choice of a split.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::{ScanError, Split};

/// What to do where an image cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnBadImage {
    /// Go on without it, and list it.
    #[default]
    Skip,
    /// Look at all images, then fail with a list of all bad ones.
    Fail,
}

impl fmt::Display for OnBadImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OnBadImage::Skip => "skip",
            OnBadImage::Fail => "fail",
        })
    }
}

/// A word that is no [`OnBadImage`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown policy \"{0}\": use skip or fail")]
pub struct UnknownPolicy(String);

impl FromStr for OnBadImage {
    type Err = UnknownPolicy;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "skip" => Ok(OnBadImage::Skip),
            "fail" => Ok(OnBadImage::Fail),
            _ => Err(UnknownPolicy(word.to_owned())),
        }
    }
}

/// What a recipe gives a value of the splits' column whose rows are left out, and in place of a column that is not to be read.
const LEFT_OUT: &str = "none";

/// What of the data is what, where its names do not say it, or say something else. Everything is optional.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    /// Folders that hold the class folders of the training set, below the root; `.` is the root itself. Where they are given,
    /// nothing is guessed from the names of folders.
    pub train: Vec<String>,
    /// The same for the validation set.
    pub val: Vec<String>,
    /// The same for the test set.
    pub test: Vec<String>,
    /// Folders that the paths of a table start from or, where they are not there, that are searched for its files; relative
    /// to the table's own folder. Without one, that folder. Of NumPy's arrays, the one that holds the images, without the
    /// word for its split.
    pub images: Vec<String>,
    /// The column of a table that names the files.
    pub path_column: Option<String>,
    /// The column of a table that names the classes; of NumPy's arrays, the one that holds them, without the word for its split.
    pub label_column: Option<String>,
    /// The column of a table that names the splits; of NumPy's arrays, the one that has the split of each image. With `none` nothing is read
    /// as one.
    pub split_column: Option<String>,
    /// What the values of that column mean that name no split by themselves: `train`, `val`, `test`, or `none`, which leaves their rows out.
    pub split_values: BTreeMap<String, String>,
    /// The columns of a table that are one for each class, of which one is 1 in every row.
    pub one_hot: Vec<String>,
    /// The class of rows in which no such column is 1.
    pub one_hot_rest: Option<String>,
    /// Which lists and tables of a folder are read, as patterns of their names, such as `test1.txt` or `images_variant_*`; without one all of
    /// them.
    pub lists: Vec<String>,
    /// The extension that all files of a table have, whatever the table says.
    pub extension: Option<String>,
    /// Classes that are to be called otherwise; two that get one name become one class.
    pub rename: BTreeMap<String, String>,
}

impl Layout {
    /// The folders of a split.
    pub(crate) fn of(&self, split: Split) -> &[String] {
        match split {
            Split::Train => &self.train,
            Split::Val => &self.val,
            Split::Test => &self.test,
        }
    }

    /// Whether a list or table of a folder may be read.
    pub(crate) fn reads(&self, path: &std::path::Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.lists.is_empty() || self.lists.iter().any(|pattern| crate::pattern::matches(pattern, &name))
    }

    /// Whether it says where the classes stand in a table.
    pub(crate) fn asks_classes(&self) -> bool {
        self.label_column.is_some() || !self.one_hot.is_empty()
    }

    /// Whether it says which folders are the splits.
    pub(crate) fn names_splits(&self) -> bool {
        Split::ALL.into_iter().any(|split| !self.of(split).is_empty())
    }

    /// Whether no column, array or table is to say the splits.
    pub(crate) fn reads_no_split(&self) -> bool {
        self.split_column.as_deref() == Some(LEFT_OUT)
    }

    /// Whether it says how a table is read.
    pub(crate) fn names_columns(&self) -> bool {
        !self.keys_of_tables().is_empty()
    }

    /// The first key that says how a table is read, and its value.
    pub(crate) fn key_of_tables(&self) -> Option<(&'static str, String)> {
        self.keys_of_tables().into_iter().next()
    }

    /// All keys that say how a table is read, with their values; without `split_column = "none"`.
    pub(crate) fn keys_of_tables(&self) -> Vec<(&'static str, String)> {
        let names = [
            ("path_column", &self.path_column),
            ("label_column", &self.label_column),
            ("split_column", &self.split_column),
            ("one_hot_rest", &self.one_hot_rest),
            ("extension", &self.extension),
        ];
        // That nothing says the splits is asked of any data.
        let is_asked = |(key, _): &(&str, _)| *key != "split_column" || !self.reads_no_split();
        let names = names.into_iter().filter(is_asked).filter_map(|(key, name)| Some((key, name.clone()?)));
        let lists = [("images", &self.images), ("one_hot", &self.one_hot)];
        let lists =
            lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(key, list)| (key, list.join(", ")));
        let values: Vec<&str> = self.split_values.keys().map(String::as_str).collect();
        let values = (!values.is_empty()).then(|| ("split_values", values.join(", ")));
        names.chain(lists).chain(values).collect()
    }

    /// What a value of the column of the splits means, by a recipe: a split, or that its row is left out.
    pub(crate) fn split_value(&self, value: &str) -> Option<Option<Split>> {
        let meant = self.split_values.get(value)?;
        if meant == LEFT_OUT { Some(None) } else { meant.parse().ok().map(Some) }
    }

    /// Whether all that the recipe says of those values is a split, or that they are left out.
    pub(crate) fn check_split_values(&self) -> Result<(), ScanError> {
        let is_known = |meant: &str| meant == LEFT_OUT || meant.parse::<Split>().is_ok();
        match self.split_values.iter().find(|(_, meant)| !is_known(meant)) {
            None => Ok(()),
            Some((value, meant)) => Err(ScanError::Option {
                key: "split_values",
                got: format!("{{ \"{value}\" = \"{meant}\" }}"),
                expected: "train, val, test, or none for rows that are left out",
            }),
        }
    }

    /// The first key that says which folder is what, and its value.
    pub(crate) fn key_of_folders(&self) -> Option<(&'static str, String)> {
        let named = Split::ALL.into_iter().find(|split| !self.of(*split).is_empty());
        named.map(|split| (split.name(), self.of(split).join(", ")))
    }
}

/// How a path is turned into samples.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanOptions {
    /// The part of each class that becomes the validation set where the data brings none, in (0, 1).
    pub val_frac: f64,
    /// Which images those are, and which ones `fraction` and `max_per_class` keep.
    pub seed: u64,
    /// Which ones `fraction` and `max_per_class` keep, where that is to follow from a number of its own.
    pub subset_seed: Option<u64>,
    /// What to do where a file cannot be read or is no image.
    pub on_bad_image: OnBadImage,
    /// Patterns of files and folders to leave out, matched against the path below the root with `/` between its parts.
    /// `*` and `?` stand for text within one part, `**` for any text. A pattern without `/` matches a part at any depth
    /// (a class name, a file name); one with `/` starts at the root. A folder that matches is left out with its content.
    pub exclude: Vec<String>,
    /// A file with paths below the root, one in each line, that are left out too.
    pub exclude_list: Option<PathBuf>,
    /// Leave out training samples of which validation or test have exact copies, before `fraction`.
    pub drop_leaks: bool,
    /// The part of each class's training samples to keep, in (0, 1]. A smaller fraction keeps a subset of what a larger
    /// one keeps. Validation and test samples all stay.
    pub fraction: f64,
    /// The most training samples to keep of a class; applied after `fraction`.
    pub max_per_class: Option<usize>,
    /// Cut all samples but the test set's into so many parts, alike in their classes, of which one is the validation set
    /// and the others are the training set.
    pub folds: Option<usize>,
    /// Which part the validation set is, from 1.
    pub fold: usize,
    /// The column of a manifest whose values name groups that stay on one side of every split; without it `group`, if
    /// there is such a column.
    pub group: Option<String>,
    /// What of the data is what.
    pub layout: Layout,
}

impl Default for ScanOptions {
    fn default() -> Self {
        ScanOptions {
            val_frac: 0.2,
            seed: 0,
            subset_seed: None,
            drop_leaks: false,
            on_bad_image: OnBadImage::default(),
            exclude: Vec::new(),
            exclude_list: None,
            fraction: 1.0,
            max_per_class: None,
            folds: None,
            fold: 1,
            group: None,
            layout: Layout::default(),
        }
    }
}

impl ScanOptions {
    pub(crate) fn check(&self) -> Result<(), ScanError> {
        let wrong = |key: &'static str, got: String, expected: &'static str| {
            Err(ScanError::Option { key, got, expected })
        };
        if !(self.val_frac > 0.0 && self.val_frac < 1.0) {
            return wrong("val_frac", self.val_frac.to_string(), "a number between 0 and 1, such as 0.2");
        }
        if !(self.fraction > 0.0 && self.fraction <= 1.0) {
            return wrong("fraction", self.fraction.to_string(), "a number above 0 and at most 1");
        }
        if self.max_per_class == Some(0) {
            return wrong("max_per_class", "0".to_owned(), "at least 1");
        }
        if let Some(folds) = self.folds {
            if folds < 2 {
                return wrong("folds", folds.to_string(), "at least 2");
            }
            if !(1..=folds).contains(&self.fold) {
                return wrong("fold", self.fold.to_string(), "from 1 to data.folds");
            }
        }
        self.layout.check_split_values()?;
        check_exclude(&self.exclude)
    }
}

/// How data is found on which a trained model is judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelledOptions {
    /// Which split, where the data has splits; without a choice `val`, else `test`.
    pub split: Option<Split>,
    /// What to do where a file cannot be read or is no image.
    pub on_bad_image: OnBadImage,
    /// Patterns of files and folders to leave out, as [`ScanOptions::exclude`].
    pub exclude: Vec<String>,
    /// What of the data is what.
    pub layout: Layout,
    /// The column of a table whose values name groups, as [`ScanOptions::group`].
    pub group: Option<String>,
}

pub(crate) fn check_exclude(exclude: &[String]) -> Result<(), ScanError> {
    if exclude.iter().any(|pattern| pattern.trim_matches('/').is_empty()) {
        let (got, expected) = ("an empty pattern".to_owned(), "patterns such as \"blurred_*\"");
        return Err(ScanError::Option { key: "exclude", got, expected });
    }
    Ok(())
}
