//! What folders are that hold folders of the same names: domains, magnifications or forms of the same pictures, each with all classes; patients;
//! folds with splits of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::folders::{files_below, folders_only, name_of};
use super::manifest::names_one_of_groups;
use super::masks::names_masks;
use super::names::{Counted, counted, is_generic, numbered, splits_of, words};
use crate::files;
use crate::{LayoutError, Notice, ScanError, Split};

/// A folder of the data's folder.
struct Top {
    name: String,
    /// The folder that holds the others, below the data's folder: itself, or `images` in it and the like.
    set: String,
    path: PathBuf,
    folders: Vec<PathBuf>,
}

impl Top {
    /// None where it holds images of its own.
    fn of(path: &Path) -> Option<Top> {
        let name = name_of(path)?.to_owned();
        let (mut set, mut path, mut folders) = (name.clone(), path.to_owned(), folders_only(path)?);
        while let [only] = &folders[..] {
            let Some(inner) = name_of(only).filter(|name| is_generic(name)) else { break };
            let Some(below) = folders_only(only) else { break };
            set = format!("{set}/{inner}");
            (path, folders) = (only.clone(), below);
        }
        Some(Top { name, set, path, folders })
    }

    fn names(&self) -> Vec<&str> {
        self.folders.iter().filter_map(|path| name_of(path)).collect()
    }

    /// The split of each of its folders, where all are called after different ones.
    fn splits(&self) -> Option<Vec<Split>> {
        let splits: Vec<Split> = splits_of(&self.names()).into_iter().collect::<Option<_>>()?;
        let are_distinct = splits.iter().enumerate().all(|(at, split)| !splits[..at].contains(split));
        (!splits.is_empty() && splits.len() == self.folders.len() && are_distinct).then_some(splits)
    }
}

/// What the folders of the data's folder are, where they are no classes, or hold more than images.
pub(super) enum Tops {
    /// Each holds splits, which hold the classes.
    Splits(Vec<(Option<Split>, PathBuf)>),
    /// Each is a class and holds splits.
    Classes(Vec<(Option<Split>, PathBuf)>),
    /// Each is a patient or the like and holds the classes.
    Groups(Vec<PathBuf>),
    /// They are read as classes, which is told.
    Told(Notice),
}

/// Looks at the folders of `root`.
pub(super) fn look(root: &Path, top: &[PathBuf]) -> Result<Option<Tops>, ScanError> {
    let holds_nothing = |path: &PathBuf| folders_only(path).is_some_and(|inner| inner.is_empty());
    let tops: Vec<&PathBuf> = top.iter().filter(|path| !holds_nothing(path)).collect();
    let holding: Vec<Top> = tops.iter().filter_map(|path| Top::of(path)).collect();
    // Most of them: a few folders of images may lie beside.
    if holding.len() < 2 || holding.len() * 5 < tops.len() * 4 {
        return Ok(None);
    }
    let failed = |source| ScanError::Layout { path: root.to_owned(), source: Box::new(source) };
    let all_hold = holding.len() == tops.len();
    if let Some(splits) = holding.iter().map(Top::splits).collect::<Option<Vec<_>>>() {
        let trains = splits.iter().flatten().any(|split| *split == Split::Train);
        return if trains && all_hold {
            of_splits(root, &holding, &splits).map_err(failed)
        } else {
            Ok(None)
        };
    }
    of_classes(&holding, all_hold).map_err(failed)
}

/// The folders in the folder of a split that hold folders of the same names, and these names.
pub(super) fn shared_folders(set: &Path, inner: &[PathBuf]) -> Option<(Vec<String>, Vec<String>)> {
    match look(set, inner) {
        Ok(Some(Tops::Told(Notice::SharedFolders { folders, shared, .. }))) => Some((folders, shared)),
        Err(ScanError::Layout { source, .. }) => match *source {
            LayoutError::FoldersOfClasses { folders, shared, .. } => Some((folders, shared)),
            _ => None,
        },
        _ => None,
    }
}

/// Folders that hold nothing but splits.
fn of_splits(root: &Path, tops: &[Top], splits: &[Vec<Split>]) -> Result<Option<Tops>, LayoutError> {
    let sets = tops.iter().zip(splits).flat_map(|(top, splits)| splits.iter().copied().zip(&top.folders));
    let sets: Vec<(Option<Split>, PathBuf)> = sets.map(|(split, path)| (Some(split), path.clone())).collect();
    // The names below the splits of each folder: those of the classes come in most of them.
    let below = |top: &Top| -> BTreeSet<String> {
        let inner = top.folders.iter().filter_map(|path| Top::of(path));
        inner.flat_map(|of| of.names().into_iter().map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let below: Vec<BTreeSet<String>> = tops.iter().map(below).collect();
    let shared =
        shared(&below.iter().map(|names| names.iter().map(String::as_str).collect()).collect::<Vec<_>>());
    if !are_classes(&shared) {
        return Ok(Some(Tops::Classes(sets)));
    }
    let names: Vec<&str> = tops.iter().map(|top| top.name.as_str()).collect();
    let same = same_image(root, tops, splits);
    if counted(&names) == Some(Counted::Folds) || same.is_some() {
        let folders: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let first = tops.first().map_or_else(String::new, |top| top.path.display().to_string());
        return Err(LayoutError::Divisions { folders, first, same });
    }
    Ok(Some(Tops::Splits(sets)))
}

/// An image that one folder judges by and another trains on, under the same name below its split.
fn same_image(root: &Path, tops: &[Top], splits: &[Vec<Split>]) -> Option<(String, String)> {
    /// So many are compared: of a division of the same images nearly all are there.
    const FEW: usize = 16;
    let of = |at: usize, is: fn(Split) -> bool| {
        splits[at].iter().zip(&tops[at].folders).filter(move |(split, _)| is(**split)).map(|(_, path)| path)
    };
    let train: Vec<&PathBuf> = (1..tops.len()).flat_map(|at| of(at, |split| split == Split::Train)).collect();
    let mut compared = 0;
    for folder in of(0, |split| split != Split::Train) {
        for file in files_below(folder) {
            let Ok(below) = file.strip_prefix(folder) else { continue };
            for other in train.iter().map(|train| train.join(below)).filter(|path| files::is_file(path)) {
                compared += 1;
                let same = files::read_file(&file)
                    .ok()
                    .zip(files::read_file(&other).ok())
                    .is_some_and(|(a, b)| a == b);
                if same {
                    let shown = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
                    return Some((shown(&file), shown(&other)));
                }
            }
            if compared >= FEW {
                return None;
            }
        }
    }
    None
}

/// Names that come in most of several lists of names, where they are most of what these hold; none where they are fewer than two.
fn shared(all: &[Vec<&str>]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in all.iter().flatten() {
        *counts.entry(name).or_default() += 1;
    }
    let most = all.iter().map(Vec::len).max().unwrap_or(0);
    let is_shared = |n: usize| n > 1 && n * 5 >= all.len() * 3;
    let shared: Vec<String> =
        counts.into_iter().filter(|(_, n)| is_shared(*n)).map(|(name, _)| name.to_owned()).collect();
    if shared.len() >= 2 && shared.len() * 2 >= most { shared } else { Vec::new() }
}

/// Whether names that come in several folders may be those of classes: not of views, of patients, of masks and their pictures.
fn are_classes(shared: &[String]) -> bool {
    let names: Vec<&str> = shared.iter().map(String::as_str).collect();
    let are_views = numbered(&names) || names.iter().all(|name| names_one_of_groups(name));
    let are_pictures =
        names.iter().any(|name| names_masks(name)) || names.iter().all(|name| is_generic(name));
    !(names.is_empty() || are_views || are_pictures)
}

/// Folders that hold folders of the same names.
fn of_classes(tops: &[Top], all_hold: bool) -> Result<Option<Tops>, LayoutError> {
    let inner: Vec<Vec<&str>> = tops.iter().map(Top::names).collect();
    let shared = shared(&inner);
    let refs: Vec<&str> = shared.iter().map(String::as_str).collect();
    let names: Vec<&str> = tops.iter().map(|top| top.name.as_str()).collect();
    // Folds and pieces of one set have rules of their own.
    if !are_classes(&shared) || counted(&names).is_some() {
        return Ok(None);
    }
    // Many numbers, each with the same few folders: a patient each.
    const MANY: usize = 10;
    let is_numbered = |name: &&str| words(name).iter().any(|word| word.chars().all(char::is_numeric));
    let hold_no_other = inner.iter().flatten().all(|name| refs.contains(name));
    let are_ids = names.len() >= MANY && shared.len() * 2 <= names.len() && names.iter().all(is_numbered);
    if are_ids && hold_no_other && all_hold {
        return Ok(Some(Tops::Groups(tops.iter().map(|top| top.path.clone()).collect())));
    }
    let folders: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let sets: Vec<String> = tops.iter().map(|top| top.set.clone()).collect();
    let views = same_picture(tops, &shared);
    if views.is_some()
        || shared.len() > tops.len()
        || numbered(&names)
        || names.iter().all(|name| names_one_of_groups(name))
    {
        return Err(LayoutError::FoldersOfClasses { folders, sets, shared, views });
    }
    Ok(Some(Tops::Told(Notice::SharedFolders { folders, sets, shared })))
}

/// The name of a picture that two of the folders have, by most of the names in a folder that both hold. Names that count, as `image_0001`, come
/// anywhere.
fn same_picture(tops: &[Top], shared: &[String]) -> Option<String> {
    const LEAST_WORDS: usize = 3;
    let stems = |top: &Top, name: &str| -> BTreeSet<String> {
        let files = files_below(&top.path.join(name));
        let stems = files.iter().filter_map(|file| file.file_stem()?.to_str());
        stems.filter(|stem| words(stem).len() >= LEAST_WORDS).map(str::to_owned).collect()
    };
    let [first, second, ..] = tops else { return None };
    let holds = |top: &Top, name: &String| top.names().contains(&name.as_str());
    let name = shared.iter().find(|name| holds(first, name) && holds(second, name))?;
    let (here, there) = (stems(first, name), stems(second, name));
    let both: Vec<&String> = here.intersection(&there).collect();
    if both.len() * 2 > here.len().min(there.len()) { both.first().map(|stem| (*stem).clone()) } else { None }
}
