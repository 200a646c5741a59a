//! What a person should know about the data although the work goes on.

use std::fmt;
use std::path::PathBuf;

use crate::Split;

/// One thing worth saying.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Classes of the training set that a given split lacks, so that it cannot judge them.
    ClassesMissing {
        /// The split; `None` where the data has no splits.
        split: Option<Split>,
        /// The classes.
        classes: Vec<String>,
    },
    /// Classes of which no image could be set aside for validation: one image, or only copies of one.
    NotValidated {
        /// The classes.
        classes: Vec<String>,
    },
    /// Given training and validation sets that are cut anew into folds.
    Pooled {
        /// Images of the given validation set.
        val: usize,
    },
    /// Images beside the class folders, which belong to no class.
    LooseImages {
        /// The folder.
        path: PathBuf,
        /// How many.
        images: usize,
    },
    /// A folder beside `train` that is no split.
    IgnoredFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A test folder without class folders, so that its images have no labels.
    Unlabelled {
        /// The folder.
        path: PathBuf,
    },
    /// A link to a folder that was already visited.
    LinkedTwice {
        /// The link.
        path: PathBuf,
    },
    /// A pattern of `exclude` that matched nothing.
    UnmatchedExclude {
        /// The pattern.
        pattern: String,
    },
    /// Training images that were left out, since validation or test have copies of them.
    LeaksDropped {
        /// How many.
        images: usize,
    },
    /// The cache could not be used; the results are the same, but the next run starts as slowly as this one.
    Cache {
        /// What went wrong, and where.
        message: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::ClassesMissing { split: Some(split), classes } => {
                write!(f, "the {split} set has no images of {}", classes.join(", "))
            }
            Notice::ClassesMissing { split: None, classes } => {
                write!(f, "the data has no images of {}", classes.join(", "))
            }
            Notice::NotValidated { classes } => {
                write!(f, "too few different images to validate {}", classes.join(", "))
            }
            Notice::Pooled { val } => {
                let s = if *val == 1 { "" } else { "s" };
                write!(
                    f,
                    "the data's own validation set ({val} image{s}) is pooled with its training set and cut into folds"
                )
            }
            Notice::LooseImages { path, images } => {
                write!(
                    f,
                    "{images} images directly in {} belong to no class and are not used",
                    path.display()
                )
            }
            Notice::IgnoredFolder { path } => {
                write!(f, "{} is neither train, val nor test and is not used", path.display())
            }
            Notice::Unlabelled { path } => {
                write!(f, "{} has no class folders; without labels its images are not used", path.display())
            }
            Notice::LinkedTwice { path } => {
                write!(f, "{} links to a folder that was already read", path.display())
            }
            Notice::UnmatchedExclude { pattern } => {
                write!(f, "the data.exclude pattern \"{pattern}\" matches nothing")
            }
            Notice::LeaksDropped { images } => {
                let s = if *images == 1 { "" } else { "s" };
                write!(
                    f,
                    "{images} training image{s} with a copy in validation or test left out by data.leaks"
                )
            }
            Notice::Cache { message } => f.write_str(message),
        }
    }
}
