//! Parts of the words of notices.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::Split;
use crate::similar::{code_points, quoted, seen};
use crate::suggest::in_a_shell;

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
        match names[..] {
            [] => {}
            [name] if name.contains(|c: char| !c.is_alphanumeric() && c != '_') => {
                write!(f, " --set 'data.{split}={}'", in_a_shell(name))?;
            }
            [name] => write!(f, " --set data.{split}={name}")?,
            _ => {
                let names: Vec<String> = names.into_iter().map(in_a_shell).collect();
                write!(f, " --set 'data.{split}=[{}]'", names.join(", "))?;
            }
        }
    }
    Ok(())
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
