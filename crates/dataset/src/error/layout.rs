//! Folders that cannot be meant as they would be read, with what to type for each meaning.

use super::words::list;
use crate::Split;
use crate::shown::shown;
use crate::suggest::{folders_line, in_a_shell};

/// What is wrong with the levels of a data set's folders.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Folders that each hold a training set and other sets of the same images, such as folds.
    #[error("{list} each hold a training set and others, and are divisions of the same images{why}: train on one of them by naming it, {first}",
        list = list(folders), why = same.as_ref().map_or(String::new(), |(one, other)| format!(" ({} is {})", shown(one), shown(other))),
        first = shown(first))]
    Divisions {
        /// The folders.
        folders: Vec<String>,
        /// One of them, as it is named to train on it.
        first: String,
        /// An image that one trains on and another judges by, where that was found.
        same: Option<(String, String)>,
    },
    /// Folders that hold folders of the same names, so that those are the classes.
    #[error("{}", of_classes(folders, sets, shared, views.as_deref()))]
    FoldersOfClasses {
        /// The folders.
        folders: Vec<String>,
        /// The folders within that hold those of the same names; each is one of `folders`, or `images` in it and the like.
        sets: Vec<String>,
        /// The names inside.
        shared: Vec<String>,
        /// The name of a picture that each has in a form of its own, where they are such.
        views: Option<String>,
    },
    /// Class folders hold folders that are called as the other classes.
    #[error("{}", of_other_classes(folders, classes, *has_splits, as_read))]
    ClassesWithin {
        /// The class folders, below the data's folder.
        folders: Vec<String>,
        /// What they hold.
        classes: Vec<String>,
        /// Whether the data has splits.
        has_splits: bool,
        /// The line that reads the folders as they are.
        as_read: String,
    },
    /// Folders of splits are within class folders, and not all of them can be read so.
    #[error("class folders hold folders that are called after splits, such as {train} and {other}, and all of their images would be trained on: \
        put the splits above the classes, as train/CLASS and {split}/CLASS, or write a table with the columns path,label,split; if they are no splits: \
        {as_read}", train = shown(train), other = shown(other))]
    SplitsBelow {
        /// A folder of training images, below the data's folder.
        train: String,
        /// One of another split.
        other: String,
        /// That split.
        split: Split,
        /// The line that reads the folders as they are.
        as_read: String,
    },
    /// A folder that a recipe names for a split holds the folders of splits, and no classes.
    #[error("data.{split} is {folder}, which holds {list}: those are splits by their names, and no classes. Name them instead: {lines}",
        folder = shown(folder), list = list(folders))]
    SplitsGiven {
        /// What it is given for.
        split: Split,
        /// The folder, as the recipe names it.
        folder: String,
        /// What it holds.
        folders: Vec<String>,
        /// The lines that name what it holds.
        lines: String,
    },
    /// Several tables beside class folders say the splits.
    #[error("{list} each have a column of the splits of the images in the class folders, and one is read: say which, {lines}", list = list(tables),
        lines = one_of(tables))]
    SeveralSplits {
        /// The tables, below the data's folder.
        tables: Vec<String>,
    },
    /// Folders that would be classes, and are patients or the like.
    #[error("{}", patients(*folders, *images, example, *by_name, as_read))]
    GroupsAsClasses {
        /// How many folders.
        folders: usize,
        /// How many images they hold.
        images: usize,
        /// One of the folders.
        example: String,
        /// Whether that is told by their names; else by how few images each holds.
        by_name: bool,
        /// The line that takes the folders for the classes.
        as_read: String,
    },
}

/// The lines that read one of several tables.
fn one_of(tables: &[String]) -> String {
    let name = |table: &String| in_a_shell(table.rsplit(['/', '\\']).next().unwrap_or_default());
    let lines: Vec<String> =
        tables.iter().map(|table| format!("--set 'data.lists=[{}]'", name(table))).collect();
    lines.join(" or ")
}

fn of_classes(folders: &[String], sets: &[String], shared: &[String], views: Option<&str>) -> String {
    let all = list(folders);
    let names: Vec<&str> = sets.iter().map(String::as_str).collect();
    let one = |split| folders_line(split, &names[..names.len().min(1)]);
    let classes = list(shared);
    let start = format!(
        "{all} hold folders of the same names ({classes}), so that these are the classes, and {all} are "
    );
    let as_read = "--set data.train=.";
    match views {
        Some(picture) => format!(
            "{start}forms of the same pictures, such as {}: trained on together, a picture would be judged that was trained on in another form. To \
             train on one of them: {}; if they are the classes after all: {as_read}",
            shown(picture),
            one(Split::Train)
        ),
        None => format!(
            "{start}where they come from. To train on all of them: {}; to train on one and test on another: {} {}; if {all} are the classes after \
             all: {as_read}",
            folders_line(Split::Train, &names),
            one(Split::Train),
            folders_line(Split::Test, names.get(1..2).unwrap_or_default())
        ),
    }
}

fn of_other_classes(folders: &[String], classes: &[String], has_splits: bool, as_read: &str) -> String {
    let names: Vec<&str> = folders.iter().map(String::as_str).collect();
    let quoted: Vec<String> = names.iter().map(|name| in_a_shell(name)).collect();
    let (all, classes) = (list(folders), list(classes));
    let (s, holds, is) = if folders.len() == 1 { ("", "holds", "it is") } else { ("s", "hold", "they are") };
    let class = if folders.len() == 1 { "a class" } else { "classes" };
    let more = || {
        let more: Vec<&str> = std::iter::once(".").chain(names.iter().copied()).collect();
        let of = |name: &str| {
            crate::scan::split_of(name).filter(|split| *split != Split::Train).unwrap_or(Split::Test)
        };
        let sets = [Split::Val, Split::Test].into_iter().map(|split| {
            let of_split: Vec<&str> = names.iter().copied().filter(|name| of(name) == split).collect();
            folders_line(split, &of_split)
        });
        let sets: Vec<String> = sets.filter(|line| !line.is_empty()).collect();
        format!(
            "; if {is} more images of the classes: {}; if {is} for validation or test: {}",
            folders_line(Split::Train, &more),
            sets.join(" ")
        )
    };
    format!(
        "the class folder{s} {all} {holds} folders that are called as other classes ({classes}): if these are copies, --set 'data.exclude=[{}]' leaves \
         them out{}; if {is} {class} after all: {as_read}",
        quoted.join(", "),
        if has_splits { String::new() } else { more() }
    )
}

fn patients(folders: usize, images: usize, example: &str, by_name: bool, as_read: &str) -> String {
    let why = match by_name {
        true => format!(
            "its {folders} folders, such as {}, are called after patients or the like, and are no classes",
            shown(example)
        ),
        false => format!(
            "its {folders} folders would be as many classes for {images} images, and most of them hold one or two, such as {}: no class can be learnt \
             from that",
            shown(example)
        ),
    };
    format!(
        "{why}. A table with the columns path,label,patient that names the images is read where it lies in the folder, and --set data.group=patient keeps \
         each patient on one side; if the folders are the classes after all: {as_read}"
    )
}
