//! Class folders, with or without folders for the splits above them.
//!
//! As torchvision's `ImageFolder`: every image anywhere below a class folder belongs to the class, in sorted order, and
//! links are followed. Names that start with a dot are skipped, and so are folders that systems make for themselves, such as
//! the `__MACOSX` that macOS adds to archives.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use pupila_image::{Format, UnreadKind};
use rayon::prelude::*;

use super::arrange::Arrangement;
use super::below::{Below, ClassFolder};
use super::labelled::choose;
use super::labels::label_in;
use super::manifest::{Groups, Wanted, is_called_list, of_split_folder};
use super::names::{is_generic, is_system_folder, splits_of};
use super::{Beside, Listed, Listing};
use crate::files::{self, Entry};
use crate::pattern::Patterns;
use crate::taken::{Tally, add_pictures};
use crate::{Form, Layout, Notice, OtherPictures, ScanError, Split};

/// All splits, or all class folders, to train on. What holds `lists` of images and no image is no class.
pub(super) fn list(
    root: &Path,
    patterns: &Patterns<'_>,
    layout: &Layout,
    lists: &[(Split, PathBuf)],
    groups: &Groups,
) -> Result<Listing, ScanError> {
    let top = Folder::read(root, root, patterns)?;
    let arrangement = Arrangement::of(root, &top, layout, None)?;
    let mut walk = Walk::new(root, patterns, &arrangement, layout.names_splits());
    let form = if arrangement.sets.is_empty() {
        walk.class_folders(root, &top, None)?;
        Form::ClassFolders
    } else {
        walk.beside_sets(&top);
        for (split, path) in &arrangement.sets {
            if arrangement.within_classes {
                walk.set_of_class(path, *split)?;
                continue;
            }
            let folder = Folder::read(root, path, patterns)?;
            if walk.labelled_set(path, &folder, *split, layout)? {
                continue;
            }
            if *split == Some(Split::Test) && folder.has_no_classes() {
                walk.beside.notices.push(Notice::Unlabelled { path: path.clone() });
                continue;
            }
            let before = walk.files.len();
            walk.set_folder(path, &folder, *split)?;
            if let (Some(Split::Val), true) = (split, walk.files.len() == before) {
                return Err(ScanError::EmptySplit { split: Split::Val, path: path.clone() });
            }
        }
        form_of(&arrangement)
    };
    let Walk { mut files, mut beside, mut empty_classes, mut said, classes, .. } = walk;
    if !said.is_empty() {
        as_trained(&mut files);
    }
    if files.is_empty() {
        return Err(no_images(root, &top, &beside));
    }
    // Of a set in several folders one need not have all classes.
    let has_images = |class: Option<&str>| {
        let trained = |file: &&Listed| matches!(file.split, None | Some(Split::Train));
        files.iter().filter(trained).any(|file| Some(file.class.as_str()) == class)
    };
    let has_list = |path: &Path| lists.iter().any(|(_, list)| list.starts_with(path));
    empty_classes.retain(|path| !has_images(name_of(path)) && !has_list(path));
    if !empty_classes.is_empty() {
        return Err(no_images_of(root, empty_classes, &beside));
    }
    let below = Below { root, arrangement: &arrangement, folders: &classes };
    beside.notices.extend(below.check(&files)?);
    let (grouped, told) = below.group(&mut files, groups)?;
    said.extend(grouped);
    beside.notices.extend(told);
    beside.notices.extend(arrangement.notices.iter().cloned());
    let mut taken = arrangement.taken(root);
    taken.what.extend(said);
    Ok(Listing { form, taken, base: root.to_owned(), files, partial: false, beside })
}

/// Calls the classes of lists as the folders that are trained on.
fn as_trained(files: &mut [Listed]) {
    let trained = files.iter().filter(|file| file.split == Some(Split::Train)).map(|file| file.class.clone());
    let trained: BTreeSet<String> = trained.collect();
    call_as(files, &trained.into_iter().collect::<Vec<_>>());
}

/// Calls classes that are numbers as those that are known: `0` as `00000`.
fn call_as(files: &mut [Listed], known: &[String]) {
    let mut names: HashMap<String, String> = HashMap::new();
    for file in files {
        let named = names.entry(file.class.clone()).or_insert_with(|| {
            let place = label_in(&file.class, known).and_then(|at| known.get(at as usize));
            place.unwrap_or(&file.class).clone()
        });
        file.class.clone_from(named);
    }
}

fn form_of(arrangement: &Arrangement) -> Form {
    if arrangement.splits().is_empty() { Form::ClassFolders } else { Form::SplitFolders }
}

/// The one split that is `wanted` (see [`choose`]), or all class folders, for a model that knows `classes`.
pub(super) fn list_one(
    root: &Path,
    patterns: &Patterns<'_>,
    layout: &Layout,
    classes: &[String],
    wanted: Option<Split>,
    groups: &Groups,
) -> Result<Listing, ScanError> {
    let top = Folder::read(root, root, patterns)?;
    let arrangement = Arrangement::of(root, &top, layout, Some(classes))?;
    let there = arrangement.splits();
    let chosen = choose(root, wanted, &there)?;
    let mut walk = Walk::new(root, patterns, &arrangement, layout.names_splits());
    let form = if arrangement.sets.is_empty() {
        walk.class_folders(root, &top, None)?;
        Form::ClassFolders
    } else {
        walk.beside_sets(&top);
        for (split, path) in arrangement.sets.iter().filter(|(split, _)| *split == chosen) {
            match arrangement.within_classes {
                true => walk.set_of_class(path, *split)?,
                false => {
                    let folder = Folder::read(root, path, patterns)?;
                    if !walk.labelled_set(path, &folder, *split, layout)? {
                        walk.set_folder(path, &folder, *split)?;
                    }
                }
            }
        }
        form_of(&arrangement)
    };
    let Walk { mut files, mut beside, mut said, classes: folders, .. } = walk;
    if !said.is_empty() {
        call_as(&mut files, classes);
    }
    if files.is_empty() {
        // The folder that should hold class folders.
        let path = arrangement.sets.iter().find(|(split, _)| *split == chosen).map_or(root, |(_, path)| path);
        return Err(no_images(path, &Folder::read(root, path, patterns)?, &beside));
    }
    let below = Below { root, arrangement: &arrangement, folders: &folders };
    let (grouped, told) = below.group(&mut files, groups)?;
    said.extend(grouped);
    beside.notices.extend(told);
    beside.notices.extend(arrangement.notices.iter().cloned());
    let mut taken = arrangement.taken(root);
    taken.what.extend(said);
    Ok(Listing { form, taken, base: root.to_owned(), files, partial: there.len() > 1, beside })
}

/// All images below a folder of which nothing is known, and what else should be known of it.
pub(super) fn images_below(root: &Path) -> Result<(Vec<PathBuf>, Beside), ScanError> {
    let patterns = Patterns::new(&[]);
    let (mut all, mut notices) = (Folder::default(), Vec::new());
    descend(root, root, &patterns, &mut all, &mut HashSet::new(), &mut notices)?;
    let mut beside = Beside { notices, ..Beside::default() };
    beside.add(&all, None);
    if all.images.is_empty() {
        let top = Folder::read(root, root, &patterns)?;
        return Err(no_images(root, &top, &beside));
    }
    Ok((all.images, beside))
}

/// All images below a folder, as far as it can be read.
pub(super) fn files_below(root: &Path) -> Vec<PathBuf> {
    let (mut all, mut notices) = (Folder::default(), Vec::new());
    // What cannot be read here is told where it is needed.
    let _ = descend(root, root, &Patterns::new(&[]), &mut all, &mut HashSet::new(), &mut notices);
    all.images
}

/// The folders in a folder that has no images of its own; `None` where it has some, or cannot be read. It stops at the first
/// image, so that asking of a class folder costs nothing.
pub(super) fn folders_only(path: &Path) -> Option<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in files::entries(path).ok()? {
        let Entry { path, name, is_folder } = entry.ok()?;
        if name.as_encoded_bytes().starts_with(b".") || is_system_folder(&name.to_string_lossy()) {
            continue;
        }
        if is_image(&path) {
            return None;
        }
        if is_folder {
            folders.push(path);
        }
    }
    folders.sort_unstable();
    Some(folders)
}

/// The folder below `path` that looks like the root of a data set, where a person gave one that is too high: the first one,
/// down a row of folders that hold the images in another one alone, with a training set or with two folders that hold images.
pub(super) fn inner_root(path: &Path) -> Option<PathBuf> {
    const DEEPEST: usize = 4;
    let mut path = path.to_owned();
    for _ in 0..DEEPEST {
        let mut folders = folders_only(&path)?;
        folders.retain(|folder| !files_below(folder).is_empty());
        let names: Vec<&str> = folders.iter().filter_map(|path| name_of(path)).collect();
        let trains = splits_of(&names).contains(&Some(Split::Train));
        let of_images = folders.iter().filter(|path| folders_only(path).is_none()).count();
        if trains || of_images > 1 {
            return Some(path);
        }
        match &folders[..] {
            [] => return None,
            [only] => path = only.clone(),
            _ => return Some(path),
        }
    }
    None
}

fn no_images(path: &Path, folder: &Folder, beside: &Beside) -> ScanError {
    if folder.folders.is_empty() && !folder.images.is_empty() {
        return ScanError::NoClassFolders { path: path.to_owned() };
    }
    if !beside.other_pictures.is_empty() {
        return ScanError::OnlyOtherPictures {
            path: path.to_owned(),
            pictures: beside.other_pictures.clone(),
        };
    }
    let files = beside.excluded - beside.excluded_folders;
    let kinds = [
        (folder.folders.len(), "folders"),
        (beside.ignored_files, "files of other kinds"),
        (files, "images left out by data.exclude or data.exclude_list"),
        (beside.excluded_folders, "folders left out by data.exclude or data.exclude_list"),
        (folder.images.len(), "images that are in no class folder"),
    ];
    let kinds = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!("{n} {kind}"));
    let kinds = kinds.collect::<Vec<_>>().join(", ");
    let archives = archives_in(path, 0);
    if !archives.is_empty() {
        return ScanError::ArchivesInside { path: path.to_owned(), archives };
    }
    let found = if kinds.is_empty() { "the folder is empty".to_owned() } else { kinds };
    ScanError::NoImages { path: path.to_owned(), found }
}

/// The archives of the first folder, from one down, that has any.
fn archives_in(path: &Path, depth: usize) -> Vec<PathBuf> {
    const DEEPEST: usize = 3;
    let entries: Vec<Entry> = files::entries(path).into_iter().flatten().flatten().collect();
    let (folders, others): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| entry.is_folder);
    let mut archives: Vec<PathBuf> =
        others.into_iter().map(|entry| entry.path).filter(|path| files::is_archive(path)).collect();
    archives.sort_unstable();
    if !archives.is_empty() || depth >= DEEPEST {
        return archives;
    }
    let mut folders: Vec<PathBuf> = folders.into_iter().map(|entry| entry.path).collect();
    folders.sort_unstable();
    folders
        .iter()
        .map(|folder| archives_in(folder, depth + 1))
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// Classes without images, of which some have pictures that are not read here.
fn no_images_of(root: &Path, empty: Vec<PathBuf>, beside: &Beside) -> ScanError {
    let is_empty = |picture: &&OtherPictures| {
        let class = picture.class.as_deref();
        class.is_some() && empty.iter().any(|path| name_of(path) == class)
    };
    let pictures: Vec<OtherPictures> = beside.other_pictures.iter().filter(is_empty).cloned().collect();
    if pictures.is_empty() {
        return ScanError::EmptyClasses { paths: empty };
    }
    ScanError::OnlyOtherPictures { path: root.to_owned(), pictures }
}

pub(super) fn name_of(path: &Path) -> Option<&str> {
    path.file_name().and_then(OsStr::to_str)
}

pub(crate) fn is_image(path: &Path) -> bool {
    let Some(extension) = path.extension().and_then(OsStr::to_str) else { return false };
    Format::ALL
        .iter()
        .flat_map(|format| format.extensions())
        .any(|known| known.eq_ignore_ascii_case(extension))
}

/// The extension of a picture of a kind that is not read here, in lower case.
pub(super) fn unread_extension(path: &Path) -> Option<String> {
    let extension = path.extension().and_then(OsStr::to_str)?;
    UnreadKind::of_extension(extension).map(|_| extension.to_ascii_lowercase())
}

/// What is directly in a folder, each kind sorted by name.
#[derive(Default)]
pub(super) struct Folder {
    pub(super) folders: Vec<PathBuf>,
    pub(super) images: Vec<PathBuf>,
    pub(super) other_files: usize,
    /// Of them those that are called as lists of splits are.
    pub(super) lists: Vec<PathBuf>,
    pub(super) other_pictures: Tally,
    pub(super) system_folders: Vec<String>,
    pub(super) excluded: usize,
    pub(super) excluded_folders: usize,
}

impl Folder {
    pub(super) fn read(root: &Path, path: &Path, patterns: &Patterns<'_>) -> Result<Folder, ScanError> {
        let unreadable = |source| ScanError::Read { path: path.to_owned(), source };
        let mut folder = Folder::default();
        for entry in files::entries(path).map_err(unreadable)? {
            let Entry { path, name, is_folder } = entry.map_err(unreadable)?;
            if is_folder && is_system_folder(&name.to_string_lossy()) {
                folder.system_folders.push(name.to_string_lossy().into_owned());
                continue;
            }
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let other = if is_folder || is_image(&path) { None } else { Some(unread_extension(&path)) };
            if let Some(None) = other {
                folder.other_files += 1;
                folder.lists.extend(is_called_list(&path).then_some(path));
            } else if patterns.exclude(path.strip_prefix(root).unwrap_or(&path)) {
                folder.excluded += 1;
                folder.excluded_folders += usize::from(is_folder);
            } else if let Some(Some(extension)) = other {
                *folder.other_pictures.entry(extension).or_default() += 1;
            } else if is_folder {
                folder.folders.push(path);
            } else {
                folder.images.push(path);
            }
        }
        folder.folders.sort_unstable();
        folder.images.sort_unstable();
        Ok(folder)
    }
}

impl Folder {
    /// Whether it holds images without class folders: directly, or in one folder such as `images`.
    fn has_no_classes(&self) -> bool {
        match &self.folders[..] {
            [] => !self.images.is_empty(),
            [only] => {
                self.images.is_empty()
                    && name_of(only).is_some_and(is_generic)
                    && folders_only(only).is_none()
            }
            _ => false,
        }
    }
}

struct Walk<'a> {
    root: &'a Path,
    patterns: &'a Patterns<'a>,
    arrangement: &'a Arrangement,
    /// Whether a recipe names the folders.
    given: bool,
    files: Vec<Listed>,
    beside: Beside,
    empty_classes: Vec<PathBuf>,
    /// What was read of lists and tables.
    said: Vec<String>,
    classes: Vec<ClassFolder>,
}

impl<'a> Walk<'a> {
    fn new(root: &'a Path, patterns: &'a Patterns<'a>, arrangement: &'a Arrangement, given: bool) -> Self {
        let (files, beside, empty_classes) = (Vec::new(), Beside::default(), Vec::new());
        let (said, classes) = (Vec::new(), Vec::new());
        Walk { root, patterns, arrangement, given, files, beside, empty_classes, said, classes }
    }

    /// Notes what is beside the folders of the splits.
    fn beside_sets(&mut self, top: &Folder) {
        let sets = &self.arrangement.sets;
        if sets.iter().any(|(_, path)| path == self.root) {
            return;
        }
        self.beside.excluded += top.excluded;
        self.beside.excluded_folders += top.excluded_folders;
        self.beside.note_system_folders(&top.system_folders);
        add_pictures(&mut self.beside.other_pictures, &top.other_pictures, None);
        let others = top.folders.iter().filter(|folder| sets.iter().all(|(_, set)| !set.starts_with(folder)));
        // Beside the one folder that holds the classes are those of lists.
        let others = others.filter(|_| !matches!(sets[..], [(None, _)]));
        let given = self.given;
        self.beside.notices.extend(others.map(|path| Notice::IgnoredFolder { path: path.clone(), given }));
    }

    /// Lists a folder of a split that has no class folders, where a table or a list says its classes; whether one does.
    fn labelled_set(
        &mut self,
        path: &Path,
        folder: &Folder,
        split: Option<Split>,
        layout: &Layout,
    ) -> Result<bool, ScanError> {
        let Some(split) = split.filter(|_| folder.has_no_classes()) else {
            return Ok(false);
        };
        let wanted = Wanted::without_group(self.patterns, layout);
        let Some((files, said)) = of_split_folder(self.root, path, split, &wanted)? else { return Ok(false) };
        self.files.extend(files);
        self.said.push(said);
        Ok(true)
    }

    /// Lists a folder that holds class folders, which was read before.
    fn set_folder(&mut self, path: &Path, folder: &Folder, split: Option<Split>) -> Result<(), ScanError> {
        if folder.folders.is_empty() && !folder.images.is_empty() {
            return Err(ScanError::NoClassFolders { path: path.to_owned() });
        }
        self.class_folders(path, folder, split)
    }

    /// Lists each class folder in `folder` with all that is below it.
    fn class_folders(&mut self, path: &Path, folder: &Folder, split: Option<Split>) -> Result<(), ScanError> {
        self.beside.add(folder, None);
        if !folder.images.is_empty() {
            self.beside
                .notices
                .push(Notice::LooseImages { path: path.to_owned(), images: folder.images.len() });
        }
        // Where the root is a set by itself, the other sets are in it.
        let is_set = |folder: &&PathBuf| self.arrangement.sets.iter().any(|(_, set)| set.starts_with(folder));
        let classes: Vec<&PathBuf> = folder.folders.iter().filter(|folder| !is_set(folder)).collect();
        let listed: Vec<(Folder, Vec<Notice>)> =
            classes.par_iter().map(|path| self.below(path)).collect::<Result<_, ScanError>>()?;
        for (path, listed) in classes.into_iter().zip(listed) {
            self.add_class(path, path, listed, split)?;
        }
        Ok(())
    }

    /// Lists the images of one class and one split, below a folder in the class folder.
    fn set_of_class(&mut self, path: &Path, split: Option<Split>) -> Result<(), ScanError> {
        let listed = self.below(path)?;
        self.add_class(path, path.parent().unwrap_or(path), listed, split)
    }

    fn below(&self, path: &Path) -> Result<(Folder, Vec<Notice>), ScanError> {
        let (mut all, mut notices) = (Folder::default(), Vec::new());
        descend(self.root, path, self.patterns, &mut all, &mut HashSet::new(), &mut notices)?;
        Ok((all, notices))
    }

    /// Adds the images below `folder` to the class that the folder `path` is called after.
    fn add_class(
        &mut self,
        folder: &Path,
        path: &Path,
        (all, notices): (Folder, Vec<Notice>),
        split: Option<Split>,
    ) -> Result<(), ScanError> {
        let class = name_of(path).ok_or_else(|| ScanError::ClassName { path: path.to_owned() })?;
        if all.images.is_empty() && all.excluded == 0 && matches!(split, None | Some(Split::Train)) {
            self.empty_classes.push(path.to_owned());
        }
        self.beside.add(&all, Some(class));
        self.beside.notices.extend(notices);
        let files =
            all.images.into_iter().map(|path| Listed { path, class: class.to_owned(), split, group: None });
        let start = self.files.len();
        self.files.extend(files);
        self.classes.push(ClassFolder { path: folder.to_owned(), files: start..self.files.len() });
        Ok(())
    }
}

/// Adds what is below `path` to `all`: its own images first, then those of its folders. `seen` holds the real paths of the
/// folders so far, so that links can neither go round in circles nor bring the same image twice.
fn descend(
    root: &Path,
    path: &Path,
    patterns: &Patterns<'_>,
    all: &mut Folder,
    seen: &mut HashSet<PathBuf>,
    notices: &mut Vec<Notice>,
) -> Result<(), ScanError> {
    let real = files::real(path).map_err(|source| ScanError::Read { path: path.to_owned(), source })?;
    if !seen.insert(real) {
        notices.push(Notice::LinkedTwice { path: path.to_owned() });
        return Ok(());
    }
    let folder = Folder::read(root, path, patterns)?;
    all.images.extend(folder.images);
    all.other_files += folder.other_files;
    all.lists.extend(folder.lists);
    folder
        .other_pictures
        .into_iter()
        .for_each(|(extension, n)| *all.other_pictures.entry(extension).or_default() += n);
    all.system_folders.extend(folder.system_folders);
    all.excluded += folder.excluded;
    all.excluded_folders += folder.excluded_folders;
    for inner in &folder.folders {
        descend(root, inner, patterns, all, seen, notices)?;
    }
    Ok(())
}
