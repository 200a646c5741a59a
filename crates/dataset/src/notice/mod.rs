//! What a person should know about the data although the work goes on.

mod levels;
mod why_flat;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::error::exclude_line;
use crate::shown::shown;
use crate::similar::quoted;
use crate::{Skipped, Split};

pub use levels::Levels;
pub use why_flat::WhyFlat;
use words::{
    group_does, like_splits, lists_not_read, quoted_key, rename_line, set_words, shared_folders,
    shared_in_splits, similar_classes, split_below, table_beside,
};

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
    /// The same within the folders of splits, as hospitals that each have all classes.
    SharedInSplits {
        /// The folders in that of the training set, which were taken for classes.
        folders: Vec<String>,
        /// The names inside of most of them.
        shared: Vec<String>,
        /// The line that takes those for the classes.
        lines: String,
    },
    /// Folders with the same folders inside of them, which were taken for classes and may be parts of the data.
    SharedFolders {
        /// The folders that were taken for classes.
        folders: Vec<String>,
        /// The folders within that hold those of the same names; each is one of `folders`, or `images` in it and the like.
        sets: Vec<String>,
        /// The names inside of most of them.
        shared: Vec<String>,
    },
    /// Folders within class folders that are called after validation or test, and are trained on.
    SplitBelow {
        /// One of them, below the data's folder.
        folder: PathBuf,
        /// Its split.
        split: Split,
        /// How many images all such folders hold.
        images: usize,
    },
    /// Folders within class folders that seem to say which images belong together, such as those of patients, and are not used so.
    FoldersLikeGroups {
        /// One of them, below the data's folder.
        folder: PathBuf,
        /// How many there are, folders of one name counted once.
        groups: usize,
        /// How many images they hold.
        images: usize,
        /// Whether the data brings its splits, which no group changes.
        split_given: bool,
    },
    /// Class folders that hold nothing but a folder of another name, beside others that hold their images.
    OneLevelDown {
        /// Each class, with the folder in it.
        classes: Vec<(String, String)>,
        /// All that is to be renamed then.
        rename: BTreeMap<String, String>,
    },
    /// Masks beside the pictures of a class.
    MasksBeside {
        /// How many.
        masks: usize,
        /// One of them.
        mask: String,
        /// Its picture's name, without the extension.
        picture: String,
        /// Patterns that match them.
        exclude: Vec<String>,
    },
    /// A table beside class folders that names the same images; its labels are not used.
    TableBeside {
        /// The table.
        path: PathBuf,
        /// Its column that may be the class, if it is one column.
        column: Option<String>,
    },
    /// Class names that are probably meant to be one.
    SimilarClasses {
        /// The names of each, with the numbers of their images; the first is the one with the most.
        groups: Vec<Vec<(String, usize)>>,
        /// All that is to be renamed to make them one.
        rename: BTreeMap<String, String>,
    },
    /// Classes that are called as splits are, beside others that are not.
    ClassesLikeSplits {
        /// Each class, the number of its images, and the split.
        folders: Vec<(String, usize, Split)>,
    },
    /// Rows of a table that say again what a row before them says, and are counted once.
    RepeatedRows {
        /// The table.
        table: PathBuf,
        /// How many.
        rows: usize,
        /// The line of the first of them.
        line: u64,
    },
    /// Rows of a table that name several classes, of which each combination is a class since the recipe names the column.
    SeveralClasses {
        /// How many.
        rows: usize,
        /// One of them.
        example: String,
        /// The option that leaves them out.
        exclude: String,
    },
    /// Classes of a table that are called as programs write missing values.
    MissingLabels {
        /// Their names, each with the number of its images.
        classes: Vec<(String, usize)>,
    },
    /// Files with several pictures, of which only the first is used.
    Pages {
        /// How many files.
        images: usize,
        /// One of them.
        first: PathBuf,
    },
    /// Damaged images that were read as far as they go, since the recipe says so.
    Filled {
        /// All of them, with what is wrong.
        images: Vec<Skipped>,
    },
    /// Images that neither memory nor the cache holds, so that their files are decoded whenever they are asked for.
    DecodedAnew {
        /// How many.
        images: usize,
        /// Of so many.
        of: usize,
    },
    /// Images that have hardly any contrast once they are read.
    Flat {
        /// How many.
        images: usize,
        /// Of how many.
        of: usize,
        /// One of them.
        first: PathBuf,
        /// Why, of those that were looked at.
        why: WhyFlat,
        /// Whether they are to be trained on, so that the recipe can change it; a model that is trained reads as it was trained.
        by_recipe: bool,
    },
    /// Files of more than 8 bits whose values are not from what is read as black to what is read as white.
    Levels {
        /// What they hold, and what would take it.
        levels: Levels,
        /// One of them.
        first: PathBuf,
        /// As of [`Notice::Flat`].
        by_recipe: bool,
    },
    /// A name in `rename` that no class has.
    UnmatchedRename {
        /// The name.
        class: String,
        /// A class with a similar name.
        similar: Option<String>,
    },
    /// A column of a table that seems to say which images belong together and is not used.
    LooksLikeGroup {
        /// The column.
        column: String,
        /// How many different values it has.
        groups: usize,
        /// How many images they are of.
        images: usize,
        /// Whether the data brings its splits, which no group changes.
        split_given: bool,
    },
    /// A column of a table that says something of splits, and is not read.
    SplitNotRead {
        /// The column.
        column: String,
        /// A value that says nothing of them, if there is one.
        odd: Option<String>,
        /// What its values may mean, as TOML.
        meanings: String,
        /// What is read instead.
        read: Option<String>,
    },
    /// An array that says something of splits, and is not read.
    ArrayNotRead {
        /// The array.
        array: String,
        /// Why it is not, such as `it has 3 values for 12 images`.
        why: String,
    },
    /// A column of the numbers of folds, which is not read.
    Folds {
        /// The column.
        column: String,
    },
    /// Images of a table without splits, of which some are in folders that are called after splits.
    FoldersLikeSplits {
        /// The folders, as `test -> test`.
        folders: String,
        /// How many images are in such of validation and test.
        images: usize,
        /// Whether one is called after the training set.
        trains: bool,
    },
    /// The only table of a folder is called after a split that is not the training set, and is trained on.
    TableLikeSplit {
        /// The table.
        table: PathBuf,
        /// The split.
        split: Split,
    },
    /// Images that a table beside the one that was named has for validation or test, and that are trained on.
    RowsOfOther {
        /// That table.
        table: PathBuf,
        /// How many.
        images: usize,
        /// The folder of both.
        folder: PathBuf,
    },
    /// Files that are called as lists of a split are, and are not read.
    ListsNotRead {
        /// They, as they are called.
        files: Vec<PathBuf>,
        /// The command that makes a list that is read of one of them, with what it does.
        line: Option<String>,
    },
    /// A table beside the folders of the splits says other splits, and is not read.
    TableAgainstFolders {
        /// The table.
        table: PathBuf,
        /// How many images it has in another split than their folder.
        images: usize,
        /// Of them, how many it has for validation or test and are trained on.
        trained: usize,
    },
    /// A folder beside `train` that is no split.
    IgnoredFolder {
        /// The folder.
        path: PathBuf,
        /// Whether a recipe names the folders that are used.
        given: bool,
    },
    /// A test folder without class folders, so that its images have no labels.
    Unlabelled {
        /// The folder.
        path: PathBuf,
    },
    /// A table of pixels or an array of images without labels, beside others that have them.
    UnlabelledArray {
        /// What it is called.
        name: String,
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
    /// Lines of a list of images to leave out that name none.
    UnmatchedList {
        /// The list.
        list: PathBuf,
        /// How many.
        lines: usize,
        /// One of them.
        first: String,
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
        // One line, whatever the names in it hold.
        f.write_str(&shown(&Words(self).to_string()))
    }
}

/// The words of a notice, with names as they are.
struct Words<'a>(&'a Notice);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
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
            Notice::SeveralClasses { rows, example, exclude } => {
                let s = if *rows == 1 { " has" } else { "s have" };
                write!(
                    f,
                    "{rows} row{s} several classes, such as {example}, and each combination is a class of its own: {exclude} leaves them out"
                )
            }
            Notice::LooseImages { path, images } => {
                let (s, verbs) = if *images == 1 {
                    ("", "belongs to no class and is")
                } else {
                    ("s", "belong to no class and are")
                };
                write!(f, "{images} image{s} directly in {} {verbs} not used", path.display())
            }
            Notice::SharedFolders { folders, sets, shared } => shared_folders(f, (folders, sets), shared),
            Notice::SharedInSplits { folders, shared, lines } => shared_in_splits(f, folders, shared, lines),
            Notice::SplitBelow { folder, split, images } => split_below(f, folder, *split, *images),
            Notice::FoldersLikeGroups { folder, groups, images, split_given } => write!(
                f,
                "the class folders hold folders that look like groups, such as patients ({groups} for {images} images, such as {}): --set \
                 data.group=folder {}",
                folder.display(),
                group_does(*split_given)
            ),
            Notice::OneLevelDown { classes, rename } => {
                for (class, inner) in classes {
                    write!(
                        f,
                        "the images of the class {} are one folder down, in {}; ",
                        quoted(class),
                        quoted(inner)
                    )?;
                }
                let s = if classes.len() == 1 { "that is the class" } else { "those are the classes" };
                write!(f, "if {s}: {}", rename_line(rename))
            }
            Notice::MasksBeside { masks, mask, picture, exclude } => {
                let (s, is) = if *masks == 1 { ("", "is a mask") } else { ("s", "are masks") };
                write!(
                    f,
                    "{masks} file{s} {is} of the picture beside by the name, such as {} of {}, and taken as pictures: {}",
                    quoted(mask),
                    quoted(picture),
                    exclude_line(exclude)
                )
            }
            Notice::TableBeside { path, column } => table_beside(f, path, column.as_deref()),
            Notice::SimilarClasses { groups, rename } => similar_classes(f, groups, rename),
            Notice::ClassesLikeSplits { folders } => like_splits(f, folders),
            Notice::RepeatedRows { table, rows, line } => {
                let (s, say) = if *rows == 1 { ("", "says") } else { ("s", "say") };
                write!(
                    f,
                    "{rows} row{s} of {} {say} again what a row before says, and the image is taken once (the first is line {line})",
                    table.display()
                )
            }
            Notice::MissingLabels { classes } => {
                let images = |n: usize| if n == 1 { "1 image".to_owned() } else { format!("{n} images") };
                let list: Vec<String> =
                    classes.iter().map(|(class, n)| format!("{} ({})", quoted(class), images(*n))).collect();
                let (s, is) = if list.len() == 1 {
                    ("", "looks like a missing label, and is a class")
                } else {
                    ("es", "look like missing labels, and are classes")
                };
                write!(f, "the class{s} {} {is} here: leave out the rows that have no label", list.join(", "))
            }
            Notice::Pages { images, first } => {
                let (s, has) = if *images == 1 { ("", "has") } else { ("s", "have") };
                write!(
                    f,
                    "{images} file{s} {has} several pages, of which the first is used that is no thumbnail; the others can be parted by `magick FILE \
                     PAGE-%d.png` (the first is {})",
                    first.display()
                )
            }
            Notice::DecodedAnew { images, of } => write!(
                f,
                "{images} of {of} images are decoded anew whenever they are needed, since the cache does not hold them: PUPILA_CACHE_GB says how \
                 large it may be (4 where it is not set), data.cache whether there is one, and data.hold=memory needs none"
            ),
            Notice::Filled { images } => {
                let (s, are, them) = if images.len() == 1 { ("", "is", "it") } else { ("s", "are", "them") };
                write!(
                    f,
                    "{} damaged image{s} {are} used, and what is lost of {them} is gray",
                    images.len()
                )?;
                match &images[..] {
                    [] => Ok(()),
                    [only] => write!(f, " ({only})"),
                    [first, ..] => write!(f, " (the first is {first})"),
                }
            }
            Notice::Flat { images, of, first, why, by_recipe } => {
                let (what, them) = match (images, of) {
                    (1, 1) => ("the image is".to_owned(), "it"),
                    (images, of) if images == of => (format!("all {of} images are"), "them"),
                    _ => (format!("{images} of {of} images are"), "these"),
                };
                write!(f, "{what} of one color, or nearly, once read; {}", why.words(them, *by_recipe))?;
                write!(f, " (the first is {})", first.display())
            }
            Notice::Levels { levels, first, by_recipe } => {
                write!(f, "files hold {} (such as {})", levels.words(set_words(*by_recipe)), first.display())
            }
            Notice::UnmatchedRename { class, similar } => {
                write!(f, "data.rename has {}, which is no class", quoted(class))?;
                match similar {
                    Some(similar) => write!(f, "; did you mean {}?", quoted(similar)),
                    None => Ok(()),
                }
            }
            Notice::LooksLikeGroup { column, groups, images, split_given } => {
                let quoted = quoted_key(column);
                let what = group_does(*split_given);
                write!(
                    f,
                    "the column {column} looks like a group ({groups} values for {images} images): --set data.group={quoted} \
                     {what}"
                )
            }
            Notice::SplitNotRead { column, odd, meanings, read } => {
                write!(f, "the column {column} looks like the split, and is not read, since ")?;
                match (read, odd) {
                    (Some(read), _) => write!(f, "{read} is: --set data.split_column=NAME reads another"),
                    (None, Some(odd)) => write!(
                        f,
                        "its value {} says no split: all of them must be train, val or test, or, in a column such as is_valid, \
                         true or false; --set data.split_column={} --set 'data.split_values={{ {meanings} }}' says what they mean",
                        quoted(odd),
                        quoted_key(column)
                    ),
                    (None, None) => {
                        write!(
                            f,
                            "all of its values say one: --set data.split_column={} reads it",
                            quoted_key(column)
                        )
                    }
                }
            }
            Notice::ArrayNotRead { array, why } => {
                write!(f, "the array {array} looks like the split, and is not read, since {why}")
            }
            Notice::Folds { column } => write!(
                f,
                "the column {column} numbers folds, and is not read: data.folds and data.fold cut folds by class and group"
            ),
            Notice::FoldersLikeSplits { folders, images, trains } => {
                let (s, are) = if *images == 1 { ("", "is") } else { ("s", "are") };
                let why = match trains {
                    true => "not all files are in such a folder",
                    false => "no folder is called after the training set",
                };
                write!(
                    f,
                    "files of the table are in folders called after splits ({folders}), and {images} image{s} of validation or test {are} taken as all others \
                     are, since {why}: write a column split with train, val or test in each row"
                )
            }
            Notice::TableLikeSplit { table, split } => write!(
                f,
                "{} is called after the {split} set, and is trained on, since no other table of the folder names images: put the table to train on \
                 beside it as train.csv",
                table.display()
            ),
            Notice::RowsOfOther { table, images, folder } => {
                write!(
                    f,
                    "{} beside it names {images} of the images that are trained on: give the folder {} instead of the table to keep them apart",
                    table.display(),
                    folder.display()
                )
            }
            Notice::ListsNotRead { files, line } => lists_not_read(f, files, line.as_deref()),
            Notice::TableAgainstFolders { table, images, trained } => {
                let (s, are) = if *images == 1 { ("", "is") } else { ("s", "are") };
                write!(
                    f,
                    "{images} image{s} {are} of another split by a column of {} than by {}, and the folders are taken ({trained} of these are trained on and \
                     are for validation or test by the table): move the images, or write a table with the columns path,label,split and give it \
                     instead of the folder",
                    table.display(),
                    if *images == 1 { "its folder" } else { "their folders" }
                )
            }
            Notice::IgnoredFolder { path, given: true } => {
                write!(
                    f,
                    "{} is not used, since data.train, data.val and data.test name the folders that are",
                    path.display()
                )?;
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                match crate::scan::split_of(name) {
                    Some(split) => write!(f, ": --set data.{split}={} uses it too", quoted_key(name)),
                    None => Ok(()),
                }
            }
            Notice::IgnoredFolder { path, given: false } => {
                write!(
                    f,
                    "{} is neither train, val nor test and is not used (data.train, data.val and data.test name folders)",
                    path.display()
                )
            }
            Notice::Unlabelled { path } => {
                write!(f, "{} has no class folders; without labels its images are not used", path.display())
            }
            Notice::UnlabelledArray { name } => {
                write!(f, "{name} says no classes; without labels its images are not used")
            }
            Notice::LinkedTwice { path } => {
                write!(f, "{} links to a folder that was already read", path.display())
            }
            Notice::UnmatchedExclude { pattern } => {
                write!(f, "the data.exclude pattern \"{pattern}\" matches nothing")
            }
            Notice::UnmatchedList { list, lines, first } => {
                let (s, verb) = if *lines == 1 { ("", "names") } else { ("s", "name") };
                write!(
                    f,
                    "{lines} line{s} of data.exclude_list ({}) {verb} no image below the data's folder, such as {}",
                    list.display(),
                    quoted(first)
                )
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
