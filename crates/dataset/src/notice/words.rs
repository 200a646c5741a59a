//! Parts of the words of notices.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::Split;
use crate::similar::{code_points, quoted, seen};
use crate::suggest::{folders_line, in_a_shell};

/// What begins a setting; a trained model takes no other reading than its own.
pub(super) fn set_words(by_recipe: bool) -> &'static str {
    if by_recipe { "--set" } else { "a model that was trained with --set" }
}

/// A name as a word of a shell.
pub(super) fn quoted_key(name: &str) -> String {
    match name.contains(|c: char| !c.is_alphanumeric() && c != '_') {
        true => format!("'{}'", name.replace('\'', "'\\''")),
        false => name.to_owned(),
    }
}

pub(super) fn similar_classes(
    f: &mut fmt::Formatter<'_>,
    groups: &[Vec<(String, usize)>],
    rename: &BTreeMap<String, String>,
) -> fmt::Result {
    let images = |n: usize| if n == 1 { "1 image".to_owned() } else { format!("{n} images") };
    let mut renamed = 0;
    for (place, group) in groups.iter().enumerate() {
        let Some(((keep, n), others)) = group.split_first() else { continue };
        let start = if place == 0 { "the classes" } else { "), and" };
        write!(f, "{start} {} ({}", quoted(keep), images(*n))?;
        for (at, (other, n)) in others.iter().enumerate() {
            let and = if at + 1 == others.len() { " and" } else { "," };
            write!(f, "){and} {} ({}", quoted(other), images(*n))?;
            if seen(other) == seen(keep) {
                write!(f, "; {} where the first has {}", code_points(other, keep), code_points(keep, other))?;
            }
        }
        renamed += others.len();
    }
    let them = match (groups.len(), renamed) {
        (1, 1) => "them one",
        (1, _) => "all of them one",
        _ => "each of these one",
    };
    write!(f, ") are probably one: {} makes {them}", rename_line(rename))
}

/// The line that renames classes.
pub(super) fn rename_line(rename: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> =
        rename.iter().map(|(old, new)| format!("{} = {}", in_a_shell(old), in_a_shell(new))).collect();
    format!("--set 'data.rename={{ {} }}'", pairs.join(", "))
}

/// Class folders that may be those of splits, with what to type then.
pub(super) fn like_splits(f: &mut fmt::Formatter<'_>, folders: &[(String, usize, Split)]) -> fmt::Result {
    let images = |n: usize| if n == 1 { "1 image".to_owned() } else { format!("{n} images") };
    let list: Vec<String> =
        folders.iter().map(|(class, n, _)| format!("{} ({})", quoted(class), images(*n))).collect();
    match folders {
        [(_, _, split)] => write!(
            f,
            "the folder {} is taken for a class as the others are; if it is the {split} set:",
            list.join("")
        )?,
        _ => write!(
            f,
            "the folders {} are taken for classes as the others are; if they are sets:",
            list.join(", ")
        )?,
    }
    for split in Split::ALL {
        let names: Vec<&str> =
            folders.iter().filter(|(_, _, of)| *of == split).map(|(class, _, _)| class.as_str()).collect();
        if !names.is_empty() {
            write!(f, " {}", folders_line(split, &names))?;
        }
    }
    Ok(())
}

/// What `data.group` does.
pub(super) fn group_does(split_given: bool) -> &'static str {
    match split_given {
        true => {
            "judges by groups, and keeps each on one side of what is split off here; splits that the data brings \
             stay as they are"
        }
        false => "keeps the images of each on one side of the split",
    }
}

/// Files that look like lists of splits and are not read.
pub(super) fn lists_not_read(
    f: &mut fmt::Formatter<'_>,
    files: &[PathBuf],
    line: Option<&str>,
) -> fmt::Result {
    let shown: Vec<String> = files.iter().take(3).map(|file| file.display().to_string()).collect();
    let more = match files.len().saturating_sub(3) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let (look, are) = match files.len() {
        1 => ("looks like the list of a split, and is", "is"),
        _ => ("look like lists of a split, and are", "are"),
    };
    write!(
        f,
        "{}{more} {look} not read: images that {are} to be kept apart by that may be trained on; what is read is a text test.txt with the path of an \
         image on each line, or a table with a column split",
        shown.join(", ")
    )?;
    if let Some(line) = line {
        write!(f, "; {line}")?;
    }
    write!(f, "; --set data.split_column=none says that there are no splits")
}

/// Folders that were taken for the classes and hold folders of the same names, with what to type for each meaning.
pub(super) fn shared_folders(
    f: &mut fmt::Formatter<'_>,
    (folders, sets): (&[String], &[String]),
    shared: &[String],
) -> fmt::Result {
    let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
    write!(
        f,
        "{} were taken for the classes, and all hold the folders {1}; if {1} are the classes of one set: {2}; if {0} are splits, say \
         which is which: --set data.train=FOLDER --set data.val=FOLDER; if {1} are patients or the like: --set data.group=folder \
         keeps each on one side",
        folders.join(", "),
        shared.join(", "),
        folders_line(Split::Train, &sets)
    )
}

/// The same of folders in those of the splits, with the line that reads the inner ones.
pub(super) fn shared_in_splits(
    f: &mut fmt::Formatter<'_>,
    folders: &[String],
    shared: &[String],
    lines: &str,
) -> fmt::Result {
    let (folders, shared) = (folders.join(", "), shared.join(", "));
    write!(
        f,
        "{folders} were taken for the classes, and all hold the folders {shared}; if {shared} are the classes: {lines}"
    )
}

/// A folder of a split in a class folder, all of whose images are of the class.
pub(super) fn split_below(
    f: &mut fmt::Formatter<'_>,
    folder: &Path,
    split: Split,
    images: usize,
) -> fmt::Result {
    let (s, is) = if images == 1 { ("", "is") } else { ("s", "are") };
    write!(
        f,
        "{} is called after the {split} set and lies in a class folder: its image{s} and those of others like it ({images} in all) {is} taken as all \
         others of the class are; if they are the {split} set, move them to a folder {split} beside the class folders, each in a folder of its class",
        folder.display()
    )
}

/// A table beside class folders whose classes are not read, with what to type to read them.
pub(super) fn table_beside(f: &mut fmt::Formatter<'_>, path: &Path, column: Option<&str>) -> fmt::Result {
    let path = path.display();
    match column {
        None => write!(
            f,
            "{path} beside the class folders names their images and is not used: give it instead of the folder to train on its \
             labels"
        ),
        Some(column) => write!(
            f,
            "{path} beside the class folders names their images, and the classes are the folders: --set data.label_column={} takes those \
             of its column {column}",
            quoted_key(column)
        ),
    }
}
