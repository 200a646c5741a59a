//! Which folders of a data set hold the class folders: those of the splits, those of the parts of one set, or the root itself. Or the class
//! folders hold those of the splits.

use std::path::{Path, PathBuf};

use super::folders::{Folder, files_below, folders_only, name_of};
use super::names::{Counted, class_in_splits, counted, is_generic, splits_of};
use super::tops::{self, Tops};
use crate::files;
use crate::pattern::Patterns;
use crate::suggest::folders_line;
use crate::{Layout, LayoutError, Notice, ScanError, Split, Taken};

/// The keys that say which folder is what.
const KEYS: [&str; 3] = ["data.train", "data.val", "data.test"];

/// The folders that hold class folders, or that class folders hold.
pub(super) struct Arrangement {
    /// Each with its split, if it is one's; none where the root holds the class folders.
    pub(super) sets: Vec<(Option<Split>, PathBuf)>,
    /// Whether the sets are within class folders, as `cats/train`: each holds the images of one class.
    pub(super) within_classes: bool,
    /// Whether each set is that of a patient or the like.
    pub(super) groups: bool,
    /// Whether a recipe names the sets.
    pub(super) given: bool,
    pub(super) notices: Vec<Notice>,
}

impl Arrangement {
    /// `known` are the classes of a model that is to be judged; where there are none yet, there must be something to train on.
    pub(super) fn of(
        root: &Path,
        top: &Folder,
        layout: &Layout,
        known: Option<&[String]>,
    ) -> Result<Arrangement, ScanError> {
        if layout.names_splits() {
            return given(root, top, layout, known);
        }
        let splits = splits_in(root, top, known)?;
        let sets = splits.into_iter().map(|(split, path)| (Some(split), inner_set(path, split)));
        let mut found = Arrangement::new(sets.collect());
        let is_known = |path: &PathBuf| is_class(path, known);
        if !found.sets.is_empty() || top.folders.len() < 2 {
            found.notices.extend(found.shared_in_splits(root));
            return Ok(found);
        }
        if let Some(sets) = within_classes(top) {
            return Ok(Arrangement { within_classes: true, ..Arrangement::new(sets) });
        }
        if top.folders.iter().any(is_known) {
            return Ok(found);
        }
        if let Some(set) = only_set(top) {
            found.sets.push((None, set));
            return Ok(found);
        }
        let names: Vec<&str> = top.folders.iter().filter_map(|path| name_of(path)).collect();
        if let Some((train, other, class, split)) = class_in_splits(&names) {
            let name = |at: usize| names[at].to_owned();
            let (path, train, other) = (root.to_owned(), name(train), name(other));
            return Err(ScanError::ClassInSplits { path, train, other, class, split });
        }
        match tops::look(root, &top.folders)? {
            None => {}
            Some(Tops::Splits(sets)) => {
                let sets = sets.into_iter().map(|(split, path)| match split {
                    Some(of) => (split, inner_set(path, of)),
                    None => (split, path),
                });
                return Ok(Arrangement::new(sets.collect()));
            }
            Some(Tops::Classes(sets)) => {
                return Ok(Arrangement { within_classes: true, ..Arrangement::new(sets) });
            }
            Some(Tops::Groups(sets)) => {
                let sets = sets.into_iter().map(|path| (None, path)).collect();
                return Ok(Arrangement { groups: true, ..Arrangement::new(sets) });
            }
            Some(Tops::Told(notice)) => found.notices.push(notice),
        }
        let inner: Option<Vec<Vec<PathBuf>>> = top.folders.iter().map(|path| folders_only(path)).collect();
        let inner = inner.filter(|inner| inner.iter().all(|folders| !folders.is_empty()));
        match (counted(&names), inner) {
            (Some(Counted::Parts), Some(_)) => {
                found.sets = top.folders.iter().map(|path| (None, path.clone())).collect();
            }
            (None, _) => {}
            (Some(kind), inner) => {
                let folders = names.iter().map(|name| (*name).to_owned()).collect();
                let (folds, with_classes) = (kind == Counted::Folds, inner.is_some());
                return Err(ScanError::NoClasses { path: root.to_owned(), folders, folds, with_classes });
            }
        }
        Ok(found)
    }

    fn new(sets: Vec<(Option<Split>, PathBuf)>) -> Arrangement {
        Arrangement { sets, within_classes: false, groups: false, given: false, notices: Vec::new() }
    }

    /// The lines that name the same sets, so that they are taken as they are.
    pub(super) fn typed(&self, root: &Path) -> String {
        let lines = Split::ALL.into_iter().map(|split| {
            let of_split = |of: Option<Split>| of == Some(split) || (of.is_none() && split == Split::Train);
            let sets = self.sets.iter().filter(|(of, _)| of_split(*of));
            let names: Vec<String> = sets.map(|(_, path)| below(root, path)).collect();
            folders_line(split, &names.iter().map(String::as_str).collect::<Vec<_>>())
        });
        let lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
        if lines.is_empty() { folders_line(Split::Train, &["."]) } else { lines.join(" ") }
    }

    /// What is to be told where the folders in those of the splits hold folders of the same names, as hospitals that each have all classes.
    fn shared_in_splits(&self, root: &Path) -> Option<Notice> {
        let (_, train) = self.sets.iter().find(|(split, _)| *split == Some(Split::Train))?;
        let (folders, shared) = tops::shared_folders(train, &folders_only(train)?)?;
        let inner = |(split, set): &(Option<Split>, PathBuf)| {
            let within = folders_only(set).unwrap_or_default();
            within.into_iter().map(|path| (*split, path)).collect::<Vec<_>>()
        };
        let lines = Arrangement::new(self.sets.iter().flat_map(inner).collect()).typed(root);
        Some(Notice::SharedInSplits { folders, shared, lines })
    }

    /// The splits that there are.
    pub(super) fn splits(&self) -> Vec<Split> {
        let mut splits: Vec<Split> = self.sets.iter().filter_map(|(split, _)| *split).collect();
        splits.sort_unstable();
        splits.dedup();
        splits
    }

    /// What was taken for what.
    pub(super) fn taken(&self, root: &Path) -> Taken {
        if self.within_classes {
            // One name for each split, though one may be called otherwise in some class.
            let names = Split::ALL.into_iter().filter_map(|split| {
                let mut of_split = self.sets.iter().filter(|(of, _)| *of == Some(split));
                let first = of_split.find_map(|(_, path)| name_of(path))?;
                Some(format!("{first} -> {split}"))
            });
            let names: Vec<String> = names.collect();
            return Taken::new(format!("splits within each class folder {}", names.join(", ")), &KEYS[..0]);
        }
        let of = |wanted: Option<Split>| -> Vec<String> {
            self.sets
                .iter()
                .filter(|(split, _)| *split == wanted)
                .map(|(_, path)| below(root, path))
                .collect()
        };
        let splits = Split::ALL.into_iter().map(|split| (split, of(Some(split))));
        let splits: Vec<String> = splits
            .filter(|(_, names)| !names.is_empty())
            .map(|(split, names)| format!("{} -> {split}", names.join(" + ")))
            .collect();
        let what = match (&splits[..], &of(None)[..]) {
            ([], []) => "class folders".to_owned(),
            ([], [only]) => format!("class folders in {only}"),
            ([], [first, ..]) if self.groups => {
                format!("class folders in {} folders such as {first}, each a group", self.sets.len())
            }
            ([], parts) => format!("parts of one set {}", parts.join(" + ")),
            (splits, _) => format!("splits {}", splits.join(", ")),
        };
        Taken::new(what, &KEYS)
    }
}

/// The folder that holds the class folders of a split: the one in it, where there is but one, it says nothing by its name or the same, and holds
/// several folders, as `seg_train/seg_train`.
fn inner_set(path: PathBuf, split: Split) -> PathBuf {
    let Some(only) = folders_only(&path).and_then(|folders| <[PathBuf; 1]>::try_from(folders).ok()) else {
        return path;
    };
    let [only] = only;
    let says_nothing =
        |name: &str| name_of(&path) == Some(name) || is_generic(name) || super::split_of(name) == Some(split);
    let holds_classes = || folders_only(&only).is_some_and(|inner| inner.len() > 1);
    match name_of(&only).is_some_and(says_nothing) && holds_classes() {
        true => only,
        false => path,
    }
}

/// The one folder with images where it holds class folders and is called such as `images`, beside folders of lists: `images/banded` beside
/// `labels/train1.txt`.
fn only_set(top: &Folder) -> Option<PathBuf> {
    let holds_classes = |path: &&PathBuf| {
        name_of(path).is_some_and(is_generic) && folders_only(path).is_some_and(|inner| inner.len() > 1)
    };
    let mut sets = top.folders.iter().filter(holds_classes);
    let only = sets.next().filter(|_| sets.next().is_none() && top.images.is_empty())?;
    let others = top.folders.iter().filter(|path| *path != only);
    let are_empty = others.into_iter().all(|path| files_below(path).is_empty());
    are_empty.then(|| only.clone())
}

/// The folders of the splits where every class has its own, as `cats/train` beside `dogs/train`: each class folder holds nothing but folders of
/// images that are called after splits, and one of them has a training set.
fn within_classes(top: &Folder) -> Option<Vec<(Option<Split>, PathBuf)>> {
    let mut sets = Vec::new();
    for class in &top.folders {
        let folders = folders_only(class).filter(|folders| !folders.is_empty())?;
        let names: Vec<&str> = folders.iter().filter_map(|path| name_of(path)).collect();
        let splits: Vec<Split> = splits_of(&names).into_iter().collect::<Option<_>>()?;
        let are_distinct = splits.iter().enumerate().all(|(at, split)| !splits[..at].contains(split));
        let hold_images = folders.iter().all(|path| folders_only(path).is_none_or(|inner| inner.is_empty()));
        if splits.len() < folders.len() || !are_distinct || !hold_images {
            return None;
        }
        sets.extend(splits.into_iter().map(Some).zip(folders));
    }
    sets.iter().any(|(split, _)| *split == Some(Split::Train)).then_some(sets)
}

fn is_class(path: &Path, known: Option<&[String]>) -> bool {
    name_of(path).is_some_and(|name| known.is_some_and(|known| known.iter().any(|class| class == name)))
}

/// The folders that a recipe names.
fn given(
    root: &Path,
    top: &Folder,
    layout: &Layout,
    known: Option<&[String]>,
) -> Result<Arrangement, ScanError> {
    let mut sets: Vec<(Option<Split>, PathBuf)> = Vec::new();
    for split in Split::ALL {
        for name in layout.of(split) {
            let name = name.trim_end_matches(['/', '\\']);
            let path = if matches!(name, "" | ".") { root.to_owned() } else { root.join(name) };
            if !files::is_dir(&path) {
                return Err(super::missing(&path));
            }
            if let Some((other, _)) = sets.iter().find(|(_, known)| *known == path) {
                let (first, second) = (other.map_or("", Split::name).to_owned(), split.name().to_owned());
                return Err(ScanError::FolderTwice { path, first, second });
            }
            sets.push((Some(split), path));
        }
    }
    if layout.train.is_empty() && known.is_none() {
        // Where only the others are named, the training set is called so, or it is the rest.
        let names: Vec<&str> = top.folders.iter().filter_map(|path| name_of(path)).collect();
        let is_train = splits_of(&names).into_iter().map(|split| split == Some(Split::Train));
        let mut train: Vec<PathBuf> = top
            .folders
            .iter()
            .zip(is_train)
            .filter(|(_, is_train)| *is_train)
            .map(|(path, _)| path.clone())
            .collect();
        train.retain(|path| sets.iter().all(|(_, other)| other != path));
        if train.is_empty() {
            train.push(root.to_owned());
        }
        sets.splice(0..0, train.into_iter().map(|path| (Some(Split::Train), path)));
    }
    for (split, path) in &sets {
        holds_no_splits(root, path, split.unwrap_or(Split::Train))?;
    }
    Ok(Arrangement { given: true, ..Arrangement::new(sets) })
}

/// A folder below the root as a recipe names it.
fn below(root: &Path, path: &Path) -> String {
    match path.strip_prefix(root) {
        Ok(below) if below.as_os_str().is_empty() => ".".to_owned(),
        Ok(below) => below.display().to_string(),
        Err(_) => path.display().to_string(),
    }
}

/// Fails where a folder that a recipe names holds nothing but the folders of splits: those would be the classes. The root itself is named to
/// say so.
fn holds_no_splits(root: &Path, path: &Path, split: Split) -> Result<(), ScanError> {
    let folders = folders_only(path).filter(|_| path != root).unwrap_or_default();
    let names: Vec<&str> = folders.iter().filter_map(|path| name_of(path)).collect();
    let splits: Option<Vec<Split>> = splits_of(&names).into_iter().collect();
    let Some(splits) = splits.filter(|splits| splits.len() > 1 && splits.contains(&Split::Train)) else {
        return Ok(());
    };
    let lines = Split::ALL.into_iter().map(|of| {
        let of_split = splits.iter().zip(&folders).filter(|(split, _)| **split == of);
        let names: Vec<String> = of_split.map(|(_, path)| below(root, path)).collect();
        folders_line(of, &names.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    let folders = names.iter().map(|name| (*name).to_owned()).collect();
    let source =
        LayoutError::SplitsGiven { split, folder: below(root, path), folders, lines: lines.join(" ") };
    Err(ScanError::Layout { path: root.to_owned(), source: Box::new(source) })
}

/// The folders of the splits, in their order; none where `top` holds the classes themselves.
fn splits_in(
    root: &Path,
    top: &Folder,
    known: Option<&[String]>,
) -> Result<Vec<(Split, PathBuf)>, ScanError> {
    let mut splits = exactly_named(root, top)?;
    let more = loosely_named(top, &splits, known);
    if more.is_empty()
        && let (None, Some(all)) = (known, all_splits(top))
    {
        return if all.iter().any(|(split, _)| *split == Split::Train) {
            Ok(all)
        } else {
            Err(no_train(root, &all))
        };
    }
    if more.is_empty() {
        return named_as_splits(root, top, splits, known);
    }
    for (at, (split, path)) in more.iter().enumerate() {
        if let Some((_, first)) = more[..at].iter().find(|(other, _)| other == split) {
            return Err(ambiguous(root, *split, first, path));
        }
    }
    splits.extend(more);
    splits.sort();
    let trains = splits.iter().any(|(split, _)| *split == Split::Train);
    match known {
        None if !trains && splits.len() == top.folders.len() => Err(no_train(root, &splits)),
        None if !trains => Ok(Vec::new()),
        _ if top
            .folders
            .iter()
            .any(|path| is_class(path, known) && splits.iter().all(|(_, split)| split != path)) =>
        {
            Ok(Vec::new())
        }
        _ => Ok(splits),
    }
}

/// The folders where all of them are called after different splits, in any words: `dev` and `test` are no classes, whatever they hold.
fn all_splits(top: &Folder) -> Option<Vec<(Split, PathBuf)>> {
    let names: Vec<&str> = top.folders.iter().filter_map(|path| name_of(path)).collect();
    let splits: Vec<Split> = splits_of(&names).into_iter().collect::<Option<_>>()?;
    let distinct = splits.iter().enumerate().all(|(at, split)| !splits[..at].contains(split));
    let all = splits.len() > 1 && splits.len() == top.folders.len() && distinct;
    let mut all: Vec<(Split, PathBuf)> =
        all.then(|| splits.into_iter().zip(top.folders.iter().cloned()).collect())?;
    all.sort();
    Some(all)
}

fn ambiguous(root: &Path, split: Split, first: &Path, second: &Path) -> ScanError {
    let name = |path: &Path| name_of(path).unwrap_or_default().to_owned();
    ScanError::AmbiguousSplit { path: root.to_owned(), split, first: name(first), second: name(second) }
}

fn no_train(root: &Path, splits: &[(Split, PathBuf)]) -> ScanError {
    let others = splits.iter().filter_map(|(_, path)| Some(name_of(path)?.to_owned())).collect();
    ScanError::NoTrain { path: root.to_owned(), others, folders: true }
}

/// Folders that are called as [`Split::aliases`] has it.
fn exactly_named(root: &Path, top: &Folder) -> Result<Vec<(Split, PathBuf)>, ScanError> {
    let mut splits: Vec<(Split, PathBuf)> = Vec::new();
    for path in &top.folders {
        let Some(split) = name_of(path).and_then(Split::of_alias) else { continue };
        if let Some((_, first)) = splits.iter().find(|(other, _)| *other == split) {
            return Err(ambiguous(root, split, first, path));
        }
        splits.push((split, path.clone()));
    }
    splits.sort();
    Ok(splits)
}

/// Folders that are called after a split that has no folder yet, in other words, and that hold folders and no images: a
/// `train 1` that holds images may be a train. Beside such a training set a folder of images is a test set without labels.
fn loosely_named(
    top: &Folder,
    exact: &[(Split, PathBuf)],
    known: Option<&[String]>,
) -> Vec<(Split, PathBuf)> {
    let names: Vec<&str> = top.folders.iter().map(|path| name_of(path).unwrap_or_default()).collect();
    let named =
        splits_of(&names).into_iter().zip(&top.folders).filter_map(|(split, path)| Some((split?, path)));
    let named: Vec<(Split, &PathBuf)> = named
        .filter(|(split, path)| exact.iter().all(|(other, exact)| other != split && exact != *path))
        .filter(|(_, path)| !is_class(path, known))
        .collect();
    let holds_folders = |path: &Path| folders_only(path).is_some_and(|folders| !folders.is_empty());
    let is_train = |(split, path): (Split, &Path)| split == Split::Train && holds_folders(path);
    let all = exact.iter().map(|(split, path)| (*split, path.as_path()));
    let mut all = all.chain(named.iter().map(|(split, path)| (*split, path.as_path())));
    let trains = all.any(is_train);
    let taken =
        named.into_iter().filter(|(split, path)| holds_folders(path) || (trains && *split != Split::Train));
    taken.map(|(split, path)| (split, path.clone())).collect()
}

/// Whether folders that are called exactly after splits are splits, or things to classify.
fn named_as_splits(
    root: &Path,
    top: &Folder,
    splits: Vec<(Split, PathBuf)>,
    known: Option<&[String]>,
) -> Result<Vec<(Split, PathBuf)>, ScanError> {
    let has_folders = |path: &Path| -> Result<bool, ScanError> {
        Ok(!Folder::read(root, path, &Patterns::new(&[]))?.folders.is_empty())
    };
    match (splits.first(), known) {
        (None, _) => Ok(splits),
        (Some((Split::Train, train)), _) => {
            // A train is also a thing to classify: a folder of images among others that are no splits.
            let may_be_class = splits.len() == 1 && (top.folders.len() > 1 || is_class(train, known));
            Ok(if may_be_class && !has_folders(train)? { Vec::new() } else { splits })
        }
        (Some(_), None) if splits.len() == top.folders.len() => Err(no_train(root, &splits)),
        (Some(_), None) => Ok(Vec::new()),
        (Some(_), Some(_)) => {
            for path in top.folders.iter().filter(|path| is_class(path, known)) {
                let named_as_split = splits.iter().any(|(_, split)| split == path);
                if !named_as_split || !has_folders(path)? {
                    return Ok(Vec::new());
                }
            }
            Ok(splits)
        }
    }
}
