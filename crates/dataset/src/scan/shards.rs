//! Shards as WebDataset writes them: tar files in which the files of one sample lie side by side under one name, `0001.jpg`
//! beside `0001.cls`. They are read where they lie.
//!
//! A sample's key is its path up to the first dot of the file's name, as in WebDataset's `base_plus_ext`. `cls` holds the
//! number of the class, or its name; the names of numbers stand in a file beside the shards, one on each line, where there is
//! one (`classnames.txt`, as CLIP benchmark's data sets have it). A shard's split is that of its folder, or of its name:
//! `train/0000.tar`, `imagenet-val-000012.tar`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::folders::{is_image, name_of, unread_extension};
use super::labelled::choose;
use super::labels::{Label, Names, label_in};
use super::names::{split_of, splits_of};
use super::{Beside, Listed, Listing};
use crate::files;
use crate::pattern::Patterns;
use crate::taken::{Tally, add_pictures};
use crate::{Form, Layout, ScanError, Split, Taken};

/// The member that holds a sample's class.
const LABEL: &str = "cls";
/// More than the name of a class.
const LONGEST_LABEL: u64 = 1 << 12;
/// Files beside the shards that name the classes, in the order of their numbers.
const NAMES: [&str; 3] = ["classnames.txt", "classes.txt", "labels.txt"];
const MOST_NAMES: u64 = 1 << 24;

/// The shards of a data set.
pub(super) struct Shards {
    shards: Vec<(Option<Split>, PathBuf)>,
}

/// What lies under one key.
#[derive(Default)]
struct Parts {
    label: Option<String>,
    images: Vec<String>,
    /// The extension of a picture of a kind that is not read here.
    unread: Option<String>,
    others: usize,
}

/// A shard's samples, in the order of their keys.
struct Read {
    files: Vec<(PathBuf, Label)>,
    unread: Tally,
    others: usize,
    excluded: usize,
}

impl Shards {
    /// The shards at a path, which is one, or the folder of some; `None` where there are none.
    ///
    /// # Errors
    /// Where some shards name their split and others do not.
    pub(super) fn at(root: &Path) -> Result<Option<Shards>, ScanError> {
        let shards = if is_tar(root) { vec![root.to_owned()] } else { below(root) };
        // One that has samples makes a folder one of shards: what is wrong with the others is told where they are read.
        let holds_samples = |names: Vec<String>| {
            samples(&names).values().any(|parts| parts.label.is_some() && !parts.images.is_empty())
        };
        if !shards.iter().any(|shard| files::names_in(shard).is_ok_and(holds_samples)) {
            return Ok(None);
        }
        let stems: Vec<&str> = shards.iter().map(|path| stem_of(path)).collect();
        let by_name = splits_of(&stems);
        let split = |(path, by_name): (&PathBuf, Option<Split>)| {
            let folder = path.parent().filter(|above| *above != root && *path != root);
            folder.and_then(name_of).map_or(by_name, split_of)
        };
        let splits: Vec<Option<Split>> = shards.iter().zip(by_name).map(split).collect();
        if let (Some(named), Some(unnamed)) =
            (splits.iter().position(Option::is_some), splits.iter().position(Option::is_none))
        {
            let reason = format!(
                "{} belongs to a split by its name, and {} does not: name all of them after their splits, such as train-0000.tar",
                shards[named].display(),
                shards[unnamed].display()
            );
            return Err(ScanError::Shard { path: root.to_owned(), reason });
        }
        let mut shards: Vec<_> = splits.into_iter().zip(shards).collect();
        shards.sort();
        Ok(Some(Shards { shards }))
    }

    /// The images of all shards, for a model to label.
    pub(super) fn images(&self) -> Result<Vec<PathBuf>, ScanError> {
        let of = |(_, shard): &(Option<Split>, PathBuf)| {
            let names = names_in(shard)?;
            let mut images: Vec<PathBuf> =
                names.iter().filter(|name| is_image(Path::new(name))).map(|name| shard.join(name)).collect();
            images.sort_unstable();
            Ok(images)
        };
        let all: Vec<Vec<PathBuf>> = self.shards.par_iter().map(of).collect::<Result<_, ScanError>>()?;
        Ok(all.concat())
    }

    /// The samples of all of them, to train on.
    pub(super) fn list(
        &self,
        root: &Path,
        patterns: &Patterns<'_>,
        layout: &Layout,
    ) -> Result<Listing, ScanError> {
        listing(root, &self.shards, patterns, layout, None)
    }

    /// Those of the one split that is `wanted` (see [`choose`]), or all, for a model that knows `classes`.
    pub(super) fn list_one(
        &self,
        root: &Path,
        patterns: &Patterns<'_>,
        layout: &Layout,
        classes: &[String],
        wanted: Option<Split>,
    ) -> Result<Listing, ScanError> {
        let there: BTreeSet<Split> = self.shards.iter().filter_map(|(split, _)| *split).collect();
        let there: Vec<Split> = there.into_iter().collect();
        let chosen = choose(root, wanted, &there)?;
        let of_split = self.shards.iter().filter(|(split, _)| *split == chosen);
        let of_split: Vec<(Option<Split>, PathBuf)> = of_split.cloned().collect();
        let listing = listing(root, &of_split, patterns, layout, Some(classes))?;
        Ok(Listing { partial: there.len() > 1, ..listing })
    }
}

/// The samples of shards; their classes are called as a model knows them, where there is one.
fn listing(
    root: &Path,
    shards: &[(Option<Split>, PathBuf)],
    patterns: &Patterns<'_>,
    layout: &Layout,
    model: Option<&[String]>,
) -> Result<Listing, ScanError> {
    let read: Vec<Read> = shards
        .par_iter()
        .map(|(_, shard)| Read::of(root, shard, patterns))
        .collect::<Result<_, ScanError>>()?;
    let mut beside = Beside {
        ignored_files: read.iter().map(|read| read.others).sum(),
        excluded: read.iter().map(|read| read.excluded).sum(),
        ..Beside::default()
    };
    for one in &read {
        add_pictures(&mut beside.other_pictures, &one.unread, None);
    }
    let all = || read.iter().flat_map(|read| &read.files);
    let (number, name) = (
        all().find(|(_, label)| matches!(label, Label::Number(_))),
        all().find(|(_, label)| matches!(label, Label::Name(_))),
    );
    if let (Some((number, _)), Some((name, Label::Name(text)))) = (number, name) {
        let reason = format!(
            "the class of {} is a number, and that of {} the name \"{text}\": write all of them alike",
            number.display(),
            name.display()
        );
        return Err(ScanError::Shard { path: root.to_owned(), reason });
    }
    let named = class_names(root)?;
    let labels = read.iter().flat_map(|read| &read.files).map(|(_, label)| label);
    let names = Names::of(labels, layout);
    let mut files = Vec::new();
    for ((split, shard), read) in shards.iter().zip(read) {
        for (path, label) in read.files {
            let class = match (&label, &named) {
                (Label::Number(number), Some((file, named))) => {
                    let name = usize::try_from(*number).ok().and_then(|number| named.get(number));
                    name.cloned().ok_or_else(|| ScanError::Shard {
                        path: shard.clone(),
                        reason: format!(
                            "{} is of class {number}, and {} names {} classes, from 0",
                            path.display(),
                            file.display(),
                            named.len()
                        ),
                    })?
                }
                _ => names.name(&label),
            };
            let known = model.and_then(|model| Some(model[label_in(&class, model)? as usize].clone()));
            files.push(Listed { path, class: known.unwrap_or(class), split: *split, group: None });
        }
    }
    if files.is_empty() {
        let found = match beside.excluded {
            0 => "the shards have no labelled images".to_owned(),
            _ => "data.exclude leaves out every image of the shards".to_owned(),
        };
        return Err(ScanError::NoImages { path: root.to_owned(), found });
    }
    let counts = [None, Some(Split::Train), Some(Split::Val), Some(Split::Test)].map(|split| {
        let count = shards.iter().filter(|(of, _)| *of == split).count();
        let s = if count == 1 { "" } else { "s" };
        (count > 0).then(|| match split {
            Some(split) => format!("{split} {count} shard{s}"),
            None => format!("{count} shard{s}"),
        })
    });
    let mut said = counts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if let Some((file, _)) = &named {
        said += &format!("; classes named by {}", name_of(file).unwrap_or_default());
    }
    let taken = Taken::new(said, &["data.rename"]);
    Ok(Listing { form: Form::Shards, taken, base: root.to_owned(), files, partial: false, beside })
}

impl Read {
    fn of(root: &Path, shard: &Path, patterns: &Patterns<'_>) -> Result<Read, ScanError> {
        let failed = |reason: String| ScanError::Shard { path: shard.to_owned(), reason };
        let names = names_in(shard)?;
        let repeated =
            files::repeated_in(shard).map_err(|source| ScanError::Read { path: shard.to_owned(), source })?;
        if let Some(name) = repeated {
            return Err(failed(format!("it has {name} more than once: give each sample a key of its own")));
        }
        let mut read = Read { files: Vec::new(), unread: Tally::new(), others: 0, excluded: 0 };
        let mut unlabelled: Vec<String> = Vec::new();
        for (key, parts) in samples(&names) {
            read.others += parts.others;
            let image = match (&parts.images[..], parts.unread) {
                ([image], _) => image,
                ([], Some(extension)) => {
                    *read.unread.entry(extension).or_default() += 1;
                    continue;
                }
                ([], None) => {
                    read.others += usize::from(parts.label.is_some());
                    continue;
                }
                (several, _) => {
                    return Err(failed(format!(
                        "sample {key} has several images, {}: one of them can be its picture",
                        several.join(", ")
                    )));
                }
            };
            let path = shard.join(image);
            if patterns.exclude(path.strip_prefix(root).unwrap_or(&path)) {
                read.excluded += 1;
                continue;
            }
            let Some(label) = parts.label else {
                unlabelled.push(image.clone());
                continue;
            };
            let text = files::read_up_to(&shard.join(&label), LONGEST_LABEL)
                .map_err(|error| failed(format!("{label}: {error}")))?;
            let text = String::from_utf8(text).map_err(|_| failed(format!("{label} is no text")))?;
            let label = match text.trim() {
                "" => return Err(failed(format!("{label} is empty: it should hold the number of a class"))),
                text => text.parse().map_or_else(|_| Label::Name(text.to_owned()), Label::Number),
            };
            if let Label::Number(number @ ..0) = label {
                return Err(failed(format!(
                    "{image} is of class {number}: classes count from 0, so leave out what has none (data.exclude)"
                )));
            }
            read.files.push((path, label));
        }
        if let Some(first) = unlabelled.first() {
            return Err(failed(format!(
                "{} of its images have no .{LABEL} beside them, the first is {first}",
                unlabelled.len()
            )));
        }
        Ok(read)
    }
}

/// The files of each key.
fn samples(names: &[String]) -> BTreeMap<&str, Parts> {
    let mut samples: BTreeMap<&str, Parts> = BTreeMap::new();
    for name in names {
        let file = name.rsplit('/').next().unwrap_or(name);
        let Some((stem, extension)) = file.split_once('.') else { continue };
        // Among them what macOS adds, `._0001.jpg`.
        if stem.is_empty() {
            continue;
        }
        let key = &name[..name.len() - file.len() + stem.len()];
        let parts = samples.entry(key).or_default();
        if extension.eq_ignore_ascii_case(LABEL) {
            parts.label = Some(name.clone());
        } else if !extension.contains('.') && is_image(Path::new(file)) {
            parts.images.push(name.clone());
        } else if let (false, Some(unread)) = (extension.contains('.'), unread_extension(Path::new(file))) {
            parts.unread = Some(unread);
        } else {
            parts.others += 1;
        }
    }
    samples.values_mut().for_each(|parts| parts.images.sort_unstable());
    samples
}

/// The error of a folder without class folders, or, where it holds shards that are not read as such, why they are not.
pub(super) fn or_why_none(root: &Path, error: ScanError) -> ScanError {
    let is_of_folders = matches!(
        error,
        ScanError::NoImages { .. }
            | ScanError::ArchivesInside { .. }
            | ScanError::NoClassFolders { .. }
            | ScanError::OneClass { .. }
    );
    let reason = if is_of_folders { why_none(root) } else { None };
    reason.map_or(error, |reason| ScanError::Shard { path: root.to_owned(), reason })
}

fn why_none(root: &Path) -> Option<String> {
    let (mut shards, mut other) = (Vec::new(), None);
    if is_tar(root) {
        shards.push(root.to_owned());
    } else {
        for entry in files::entries(root).ok()?.flatten() {
            let name = entry.name.to_string_lossy().into_owned();
            if name.starts_with('.') || super::names::is_system_folder(&name) {
                continue;
            }
            if !entry.is_folder && is_shard_name(&name) {
                shards.push(entry.path);
            } else if is_image(&entry.path) || (entry.is_folder && split_of(&name).is_none()) {
                other.get_or_insert(name);
            }
        }
    }
    shards.sort_unstable();
    let first = shards.first()?;
    let names = files::names_in(first).ok()?;
    // Of class folders in an archive there is no more to say.
    if names.iter().any(|name| name.contains('/')) {
        return None;
    }
    let samples = samples(&names);
    let (_, parts) = samples.iter().find(|(_, parts)| !parts.images.is_empty())?;
    let image = parts.images.first()?;
    let shard = name_of(first).unwrap_or_default();
    if parts.label.is_some() {
        return other.map(|other| {
            format!("it holds shards, such as {shard}, and {other} beside them: move that elsewhere, or name one shard")
        });
    }
    let stem = image.split('.').next().unwrap_or_default();
    let beside = names.iter().find(|name| *name != image && name.split('.').next() == Some(stem));
    let beside = beside.map_or(String::new(), |name| format!(" ({name} is not read)"));
    Some(format!(
        "by its names {shard} is a shard of WebDataset, and there is no {stem}.{LABEL} beside {image}{beside}: a file .{LABEL} holds the number of the \
         class, or its name"
    ))
}

fn names_in(shard: &Path) -> Result<Vec<String>, ScanError> {
    files::names_in(shard).map_err(|source| ScanError::Read { path: shard.to_owned(), source })
}

fn is_tar(path: &Path) -> bool {
    matches!(files::archive_kind(path), Some(files::Kind::Tar | files::Kind::TarGz))
}

/// The tar files in a folder and in its folders that are named after splits, by their names; none where the folder has others.
fn below(root: &Path) -> Vec<PathBuf> {
    let mut shards = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = files::entries(&folder) else { return Vec::new() };
        for entry in entries {
            let Ok(entry) = entry else { return Vec::new() };
            let name = entry.name.to_string_lossy();
            if name.starts_with('.') || super::names::is_system_folder(&name) {
                continue;
            }
            if !entry.is_folder {
                // It stops at the first image: this is no folder of shards.
                if is_image(&entry.path) {
                    return Vec::new();
                }
                shards.extend(is_shard_name(&name).then_some(entry.path));
            } else if folder == root && split_of(&name).is_some() {
                folders.push(entry.path);
            } else {
                return Vec::new();
            }
        }
    }
    shards.sort_unstable();
    shards
}

fn is_shard_name(name: &str) -> bool {
    let name = name.to_lowercase();
    [".tar", ".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end))
}

fn stem_of(path: &Path) -> &str {
    name_of(path).and_then(|name| name.split('.').next()).unwrap_or_default()
}

/// The names of classes in the order of their numbers, and the file that they stand in.
fn class_names(root: &Path) -> Result<Option<(PathBuf, Vec<String>)>, ScanError> {
    let folder = if is_tar(root) { root.parent().unwrap_or(Path::new("")) } else { root };
    let found = NAMES.iter().map(|name| folder.join(name)).find(|path| files::is_file(path));
    let Some(path) = found else { return Ok(None) };
    let bytes = files::read_up_to(&path, MOST_NAMES)
        .map_err(|source| ScanError::Read { path: path.clone(), source })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| ScanError::Shard { path: path.clone(), reason: "it is no UTF-8 text".to_owned() })?;
    let names: Vec<String> =
        text.trim_start_matches('\u{feff}').lines().map(|line| line.trim().to_owned()).collect();
    if let Some(line) = names.iter().position(String::is_empty) {
        let reason = format!("line {} is empty, and each line names a class", line + 1);
        return Err(ScanError::Shard { path, reason });
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
        let reason = format!("two lines name the class \"{twice}\"; data.rename makes one class of two");
        return Err(ScanError::Shard { path, reason });
    }
    Ok(Some((path, names)))
}
