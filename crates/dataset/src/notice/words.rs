//! Parts of the words of notices.

use std::collections::BTreeMap;
use std::fmt;

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
