//! Parts of the errors' words.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use super::Skipped;
use crate::Split;
use crate::shown::{shown, shown_path};
use crate::suggest::{in_a_shell, setting, toml_string};
use crate::taken::OtherPictures;

pub(super) fn of_classes(pictures: &[OtherPictures]) -> String {
    let mut classes: Vec<&str> = pictures.iter().filter_map(|picture| picture.class.as_deref()).collect();
    classes.dedup();
    if classes.is_empty() { String::new() } else { format!(" of {}", list(classes)) }
}

/// What to type for a file that is data once it is unpacked.
pub(super) fn packed(path: &Path) -> String {
    let command = match path.extension().map(|extension| extension.to_ascii_lowercase()) {
        Some(extension) if extension == "gz" => "gunzip -k",
        Some(extension) if extension == "bz2" => "bunzip2 -k",
        Some(extension) if extension == "xz" => "unxz -k",
        Some(extension) if extension == "zst" => "unzstd",
        _ => return String::new(),
    };
    format!("; unpack it: {command} '{}'", shown_path(path))
}

pub(super) fn archives_inside(path: &Path, archives: &[PathBuf]) -> String {
    let names: Vec<String> = archives
        .iter()
        .filter_map(|archive| Some(archive.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let shown = names.iter().take(4).map(String::as_str).collect::<Vec<_>>().join(", ");
    if let Some(outer) = path.ancestors().find(|path| path.is_file()) {
        let what = match names.len() {
            1 => "another archive".to_owned(),
            n => format!("{n} archives"),
        };
        let folder = outer.with_extension("");
        // Where the archives lie then, which is what holds the data.
        let inner = archives.first().and_then(|archive| archive.parent()?.strip_prefix(outer).ok());
        let inner = inner.map_or_else(|| folder.clone(), |below| folder.join(below));
        // Arrays are read as they come out.
        let are_arrays = archives
            .iter()
            .all(|archive| archive.extension().is_some_and(|of| of.eq_ignore_ascii_case("npz")));
        let then = if are_arrays {
            String::new()
        } else {
            format!("then what is in {}, and ", shown_path(&inner).trim_end_matches('/'))
        };
        return format!(
            "no images in {}, but {what} in it ({shown}), which is not looked into: unpack it, such as by\n  {}\nand {then}name the folder {inner}",
            shown_path(path),
            unpacking(outer, &folder),
            inner = shown_path(&inner).trim_end_matches('/')
        );
    }
    match archives {
        [only] => format!("no images in {}, but an archive: name it, {}", shown_path(path), shown_path(only)),
        _ => format!(
            "no images in {}, but {} archives, and one is read at a time: unpack them into folders of their names ({shown}), such as by\n  {}",
            shown_path(path),
            archives.len(),
            archives.first().map_or_else(String::new, |first| unpacking(first, &first.with_extension("")))
        ),
    }
}

/// The command that unpacks an archive into a folder.
fn unpacking(archive: &Path, folder: &Path) -> String {
    let extension = archive.extension().unwrap_or_default();
    let (archive, folder) = (shown_path(archive), shown_path(folder));
    match extension.eq_ignore_ascii_case("zip") {
        true => format!("unzip '{archive}' -d '{folder}'"),
        false => format!("mkdir -p '{folder}' && tar -xf '{archive}' -C '{folder}'"),
    }
}

pub(super) fn no_classes(path: &Path, folders: &[String], folds: bool, with_classes: bool) -> String {
    let (what, all) = (if folds { "folds" } else { "pieces of one set" }, list(folders));
    let mut text = format!("{}: {all} are {what} by their names, and no classes", shown_path(path));
    let quoted = |folders: &[String]| {
        let quoted: Vec<String> = folders.iter().map(|folder| format!("\"{folder}\"")).collect();
        quoted.join(", ")
    };
    match folders.split_first() {
        Some((first, others)) if with_classes => {
            let val = if first.contains(' ') {
                format!("'data.val=\"{first}\"'")
            } else {
                format!("data.val={first}")
            };
            text += &format!(
                "; name the one to validate on and those to train on: --set {val} --set 'data.train=[{}]'",
                quoted(others)
            );
        }
        _ => {
            text +=
                ", and they hold no class folders; a table that names their images and classes would be read"
        }
    }
    text + "; if they are the classes after all: --set data.train=."
}

/// What to type where nothing is to be trained on; `others` are the folders of other splits, or the splits themselves.
pub(super) fn train_advice(folders: bool, others: &[String]) -> String {
    let first = others.first().map_or("FOLDER", String::as_str);
    match folders {
        true => {
            // What is named by a key alone is used: the others are named too.
            let rest = others.iter().skip(1).filter_map(|other| {
                let split: Split = other.parse().ok().filter(|split| *split != Split::Train)?;
                Some(format!(" {}", setting(&format!("data.{split}"), other)))
            });
            format!(
                "call what is trained on \"train\"; if {first} is to be trained on: {}{}; if they are the classes: --set data.train=.",
                setting("data.train", first),
                rest.collect::<String>()
            )
        }
        false => format!(
            "call what is to be trained on after it (an array x_train, a table train.csv, a value train), or, where a column or an array has the split of \
             each image, say which value means it, such as by --set 'data.split_values={{ {} = \"train\" }}'",
            toml_string(first)
        ),
    }
}

/// What is meant by a path that is not there.
pub(super) fn missing(path: &Path, suggestion: Option<&str>) -> String {
    let name = path.to_string_lossy();
    let folder = path.parent().filter(|folder| folder.is_dir());
    match (name.contains('{') && name.contains(".."), folder) {
        (true, Some(folder)) => {
            format!(": shards are named by their folder, {}, of which all are read", shown_path(folder))
        }
        _ => did_you_mean(suggestion),
    }
}

/// What to type where several tables name the images of a folder. One of them by itself may be trained on with the images of a test set.
pub(super) fn several_tables(path: &Path, tables: &[String]) -> String {
    let stem = |table: &String| {
        Path::new(table).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned()
    };
    let stems: Vec<String> = tables.iter().map(stem).collect();
    let stems: Vec<&str> = stems.iter().map(String::as_str).collect();
    let splits = crate::scan::splits_of_files(&stems);
    let text = format!("{} has several tables that name its images: {}", shown_path(path), list(tables));
    if splits.iter().all(Option::is_none) {
        return format!(
            "{text}; give one of them instead of the folder, such as {}/{}",
            shown_path(path),
            tables.first().map_or("", String::as_str)
        );
    }
    let twice =
        Split::ALL.into_iter().find(|split| splits.iter().filter(|of| **of == Some(*split)).count() > 1);
    let how = match twice {
        Some(split) => format!(
            "say which are read by patterns of their names, such as by --set 'data.lists=[{}]', or write the rows of those called after {split} into one, \
             and leave out the others",
            of_one_kind(tables, &splits).join(", ")
        ),
        None => {
            let others = tables.iter().zip(&splits).filter(|(_, of)| of.is_none());
            let others: Vec<&str> = others.map(|(name, _)| name.as_str()).collect();
            match others[..] {
                [only] => format!(
                    "if {only} is to be trained on, call it train.csv; by itself it would be trained on with what the others keep apart"
                ),
                _ => format!(
                    "which of {} is to be trained on is said by its name: call it train.csv, and move the others out of the folder; by \
                     itself it would be trained on with what the others keep apart",
                    others.join(" and ")
                ),
            }
        }
    };
    format!("{text}; {how}")
}

/// The first table of each split, in the words of the first of them: `images_variant_test` goes with `images_variant_train`.
fn of_one_kind(tables: &[String], splits: &[Option<Split>]) -> Vec<String> {
    let name =
        |table: &String| Path::new(table).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let like = |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let all: Vec<(String, Split)> =
        tables.iter().zip(splits).filter_map(|(table, split)| Some((name(table), (*split)?))).collect();
    let Some((first, _)) = all.iter().find(|(_, split)| *split == Split::Train) else { return Vec::new() };
    let of = |wanted: Split| {
        let of_split = all.iter().filter(|(_, split)| *split == wanted);
        // Of those that begin alike the shorter name: `train` and not `trainval`.
        of_split
            .max_by_key(|(table, _)| (like(table, first), std::cmp::Reverse(table.len())))
            .map(|(table, _)| in_a_shell(table))
    };
    Split::ALL.into_iter().filter_map(of).collect()
}

/// What to type to leave masks out, or to take them.
pub(super) fn without_masks(exclude: &[String], has_splits: bool) -> String {
    let take = if has_splits { "" } else { "; if they are to be classified: --set data.train=." };
    format!("{}{take}", exclude_line(exclude))
}

/// The line that leaves files out.
pub(crate) fn exclude_line(exclude: &[String]) -> String {
    if exclude.is_empty() {
        return "leave them out by data.exclude_list, a file of their paths".to_owned();
    }
    let quoted: Vec<String> = exclude.iter().map(|pattern| in_a_shell(pattern)).collect();
    format!("--set 'data.exclude=[{}]' leaves them out", quoted.join(", "))
}

/// The line that leaves classes out.
pub(super) fn without_classes(classes: &[super::UnknownClass]) -> String {
    let quoted: Vec<String> = classes.iter().map(|unknown| in_a_shell(&unknown.class)).collect();
    format!("--set 'data.exclude=[{}]'", quoted.join(", "))
}

/// Where the other class of a data set of one may be.
pub(super) fn another_class(path: &Path, suggestion: Option<&str>) -> String {
    match suggestion {
        Some(line) if line.starts_with("--set") => format!("; if the classes are the folders in it: {line}"),
        Some(inner) => format!(", did you mean {inner}?"),
        None if crate::files::is_dir(path) => format!(
            "; each class is a folder of its own, such as {path}/ONE/1.jpg and {path}/OTHER/1.jpg",
            path = shown_path(path)
        ),
        None => "; if something else says the class: --set data.label_column=NAME".to_owned(),
    }
}

pub(super) fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|s| format!(", did you mean {s}?")).unwrap_or_default()
}

/// As many items as can be taken in at a glance; the error's fields hold all of them.
const SHOWN: usize = 20;

pub(super) fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut items = items.into_iter();
    let mut text =
        items.by_ref().take(SHOWN).map(|item| shown(&item.to_string())).collect::<Vec<_>>().join(", ");
    let more = items.count();
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    text
}

pub(super) fn first_lines<T: fmt::Display>(items: &[T]) -> String {
    let mut text = String::new();
    for item in items.iter().take(SHOWN) {
        let _ = write!(text, "\n  {item}");
    }
    if items.len() > SHOWN {
        let _ = write!(text, "\n  and {} more", items.len() - SHOWN);
    }
    text
}

pub(super) fn bad_images(bad: &[Skipped]) -> String {
    let (n, s) = (bad.len(), if bad.len() == 1 { "" } else { "s" });
    let advice = "repair or remove them, or set data.on_bad_image to \"skip\"";
    format!("{n} image{s} cannot be used ({advice}):{}", first_lines(bad))
}

pub(super) fn none_usable(bad: &[Skipped]) -> String {
    match bad {
        [only] => format!("the only image cannot be used: {only}"),
        _ => format!("none of the {} images can be used:{}", bad.len(), first_lines(bad)),
    }
}

pub(super) fn split_advice(there: &[Split]) -> String {
    let choices: Vec<String> = there.iter().map(|split| format!("--split {split}")).collect();
    format!("choose {}", choices.join(" or "))
}
