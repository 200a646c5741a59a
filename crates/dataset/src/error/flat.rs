//! A folder of images whose names begin with their classes, as `cat.0.jpg` and `dog.1.jpg`: the line that writes them into a table.

use std::collections::HashMap;
use std::path::Path;

use crate::files;
use crate::scan::{is_image, split_of};
use crate::shown::shown_path;

/// What to type where the names of all images in the folder begin with a class, of which there are at least two; nothing where they do not.
pub(super) fn classes_in_names(folder: &Path) -> String {
    let entries = files::entries(folder).into_iter().flatten().flatten();
    let images = entries.filter(|entry| !entry.is_folder && is_image(&entry.path));
    let names: Vec<String> = images.map(|entry| entry.name.to_string_lossy().into_owned()).collect();
    let separator = ['.', '_', '-', ' '].into_iter().find(|&of| are_classes(&names, of));
    let Some(separator) = separator.filter(|_| !names.is_empty() && folder.is_dir()) else {
        return String::new();
    };
    let (word, number) = match separator {
        ' ' => ("\" \"".to_owned(), "' '".to_owned()),
        other => (other.to_string(), other.to_string()),
    };
    let quoted = format!("'{}'", folder.to_string_lossy().replace('\'', "'\\''"));
    format!(
        "; the names of the files seem to begin with their classes: a table of them is written by\n  (cd {quoted} && {{ echo path,label; for f in \
         *{word}[0-9]*; do echo \"$f,${{f%%{number}[0-9]*}}\"; done; }} > labels.csv)\nand read by naming {}",
        shown_path(&folder.join("labels.csv"))
    )
}

/// Whether each name is a class, the separator and a number, and few classes have several images each. Splits and what cameras write are no classes.
fn are_classes(names: &[String], separator: char) -> bool {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for name in names {
        let cut = name
            .match_indices(separator)
            .find(|(at, sign)| name[at + sign.len()..].starts_with(|c: char| c.is_ascii_digit()));
        let Some(class) = cut.map(|(at, _)| &name[..at]) else { return false };
        let is_class = class.chars().any(char::is_alphabetic) && !class.contains([',', '"', '\\']);
        if !is_class || split_of(class).is_some() {
            return false;
        }
        *counts.entry(class).or_default() += 1;
    }
    counts.len() > 1 && counts.values().all(|&images| images > 1)
}
