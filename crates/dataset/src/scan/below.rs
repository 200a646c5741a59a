//! What lies below class folders besides images: splits and copies of other classes, which would be trained on as the class, and folders of patients
//! and the like. And classes that are such folders themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Listed;
use super::arrange::Arrangement;
use super::folders::name_of;
use super::manifest::{Groups, names_one_of_groups};
use super::names::{is_generic, split_of, words};
use crate::{LayoutError, Notice, ScanError, Split};

/// A class folder, and which files of a listing are below it.
pub(super) struct ClassFolder {
    pub(super) path: PathBuf,
    pub(super) files: Range<usize>,
}

/// The class folders of a listing.
pub(super) struct Below<'a> {
    pub(super) root: &'a Path,
    pub(super) arrangement: &'a Arrangement,
    pub(super) folders: &'a [ClassFolder],
}

/// A folder at one level below class folders.
struct Folder {
    /// Its class folder.
    class: usize,
    path: PathBuf,
    name: String,
    files: Vec<usize>,
}

impl Below<'_> {
    /// Fails where the class folders can be none. What a recipe names is meant.
    pub(super) fn check(&self, files: &[Listed]) -> Result<Option<Notice>, ScanError> {
        // A single class folder is refused, with the folder in it that is to be named.
        if self.arrangement.given || self.folders.len() < 2 {
            return Ok(None);
        }
        let failed = |source| ScanError::Layout { path: self.root.to_owned(), source: Box::new(source) };
        self.check_other_classes(files).map_err(failed)?;
        self.check_patients(files).map_err(failed)?;
        self.splits(files).map_err(failed)
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.root).unwrap_or(path).display().to_string()
    }

    fn as_read(&self) -> String {
        self.arrangement.typed(self.root)
    }

    /// The folders between a class folder and each of its files.
    fn dirs<'f>(&self, files: &'f [Listed]) -> impl Iterator<Item = (usize, usize, Vec<&'f str>)> {
        self.folders.iter().enumerate().flat_map(move |(class, folder)| {
            folder.files.clone().map(move |at| {
                let below = files[at].path.strip_prefix(&folder.path).ok().and_then(Path::parent);
                let dirs = below.into_iter().flat_map(Path::iter).filter_map(|part| part.to_str());
                (class, at, dirs.collect())
            })
        })
    }

    /// Fails where a class folder holds folders called as the classes beside it: a copy of the whole folder, or more of its images.
    fn check_other_classes(&self, files: &[Listed]) -> Result<(), LayoutError> {
        let mut inner: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for (class, _, dirs) in self.dirs(files) {
            inner.entry(class).or_default().extend(dirs.first());
        }
        let (mut folders, mut classes) = (Vec::new(), BTreeSet::new());
        for (class, inner) in inner {
            let folder = &self.folders[class].path;
            let beside = self.folders.iter().map(|other| other.path.as_path());
            let beside = beside.filter(|other| *other != folder && other.parent() == folder.parent());
            let others: BTreeSet<&str> = beside.filter_map(name_of).collect();
            let held: Vec<&str> = inner.intersection(&others).copied().collect();
            if held.len() >= 2 && held.len() * 2 >= others.len() {
                folders.push(self.shown(folder));
                classes.extend(held.into_iter().map(str::to_owned));
            }
        }
        if folders.is_empty() {
            return Ok(());
        }
        let has_splits = !self.arrangement.sets.is_empty();
        let classes = classes.into_iter().collect();
        Err(LayoutError::ClassesWithin { folders, classes, has_splits, as_read: self.as_read() })
    }

    /// Fails where the classes are patients or the like by their names, or are so many for so few images.
    fn check_patients(&self, files: &[Listed]) -> Result<(), LayoutError> {
        /// Of fewer, each may be someone to be told from the others.
        const LEAST_NAMED: usize = 4;
        const LEAST: usize = 100;
        const FEW: usize = 2;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for file in files.iter().filter(|file| matches!(file.split, None | Some(Split::Train))) {
            *counts.entry(&file.class).or_default() += 1;
        }
        let mut sizes: Vec<usize> = counts.values().copied().collect();
        sizes.sort_unstable();
        // Two groups of things may be what is told apart.
        let is_patient = |name: &&&str| {
            names_one_of_groups(name) && !words(name).iter().any(|word| word.starts_with("group"))
        };
        let by_name = counts.len() >= LEAST_NAMED && counts.keys().filter(is_patient).count() == counts.len();
        let by_count = counts.len() >= LEAST && sizes[sizes.len() / 2] <= FEW;
        match counts.keys().next() {
            Some(example) if by_name || by_count => Err(LayoutError::GroupsAsClasses {
                folders: counts.len(),
                images: sizes.iter().sum(),
                example: (*example).to_owned(),
                by_name,
                as_read: self.as_read(),
            }),
            _ => Ok(()),
        }
    }

    /// Fails where folders below class folders are called after the training set and after another; tells of another by itself.
    fn splits(&self, files: &[Listed]) -> Result<Option<Notice>, LayoutError> {
        let mut found: BTreeMap<Split, (PathBuf, usize)> = BTreeMap::new();
        for (class, _, dirs) in self.dirs(files) {
            let place = dirs.iter().position(|name| split_of(name).is_some());
            let Some((split, place)) = place.and_then(|place| Some((split_of(dirs[place])?, place))) else {
                continue;
            };
            let folder = || self.folders[class].path.join(dirs[..=place].iter().collect::<PathBuf>());
            found.entry(split).or_insert_with(|| (folder(), 0)).1 += 1;
        }
        let train = found.remove(&Split::Train);
        match (train, found.into_iter().next()) {
            (_, None) => Ok(None),
            (Some((train, _)), Some((split, (other, _)))) => {
                let (train, other) = (self.shown(&train), self.shown(&other));
                Err(LayoutError::SplitsBelow { train, other, split, as_read: self.as_read() })
            }
            (None, Some((split, (folder, images)))) => {
                let folder = folder.strip_prefix(self.root).unwrap_or(&folder).to_owned();
                Ok(Some(Notice::SplitBelow { folder, split, images }))
            }
        }
    }

    /// Gives images the group that their folder says, where that is asked for or is all that the data's folders are; else tells of folders that look
    /// like groups. What was taken, in words.
    pub(super) fn group(
        &self,
        files: &mut [Listed],
        groups: &Groups,
    ) -> Result<(Option<String>, Option<Notice>), ScanError> {
        if self.arrangement.groups {
            for folder in self.folders {
                // The class folder is in that of its group.
                let group = folder.path.parent().and_then(name_of).map(Arc::<str>::from);
                files[folder.files.clone()].iter_mut().for_each(|file| file.group.clone_from(&group));
            }
            return Ok((None, None));
        }
        let level = self.level_of_groups(files);
        match groups {
            Groups::Folders => {
                let Some(level) = level.or_else(|| self.level(files, 0).filter(|level| !level.is_empty()))
                else {
                    let (got, expected) =
                        ("folder".to_owned(), "left out: the class folders hold no folders");
                    return Err(ScanError::Option { key: "group", got, expected });
                };
                for folder in &level {
                    let group: Arc<str> = Arc::from(folder.name.as_str());
                    folder.files.iter().for_each(|&at| files[at].group = Some(Arc::clone(&group)));
                }
                let example = level.first().map_or_else(String::new, |folder| self.shown(&folder.path));
                Ok((Some(format!("the folders in the class folders, such as {example}, the groups")), None))
            }
            Groups::Unsaid => {
                let told = level.map(|level| {
                    let names: BTreeSet<&str> = level.iter().map(|folder| folder.name.as_str()).collect();
                    let first = level.first().map_or(Path::new(""), |folder| &folder.path);
                    Notice::FoldersLikeGroups {
                        folder: first.strip_prefix(self.root).unwrap_or(first).to_owned(),
                        groups: names.len(),
                        images: level.iter().map(|folder| folder.files.len()).sum(),
                        split_given: files.iter().any(|file| file.split.is_some()),
                    }
                });
                Ok((None, told))
            }
            Groups::Table { .. } => Ok((None, None)),
        }
    }

    /// The folders so many levels below the class folders; none where there are no such.
    fn level(&self, files: &[Listed], depth: usize) -> Option<Vec<Folder>> {
        let mut all: BTreeMap<PathBuf, Folder> = BTreeMap::new();
        for (class, at, dirs) in self.dirs(files) {
            let Some(name) = dirs.get(depth) else { continue };
            let path = self.folders[class].path.join(dirs[..=depth].iter().collect::<PathBuf>());
            let new = || Folder { class, path: path.clone(), name: (*name).to_owned(), files: Vec::new() };
            all.entry(path.clone()).or_insert_with(new).files.push(at);
        }
        (!all.is_empty()).then(|| all.into_values().collect())
    }

    /// The first level whose folders look like patients or the like.
    fn level_of_groups(&self, files: &[Listed]) -> Option<Vec<Folder>> {
        let mut depth = 0;
        while let Some(level) = self.level(files, depth) {
            if self.look_like_groups(&level, files.len()) {
                return Some(level);
            }
            depth += 1;
        }
        None
    }

    /// Whether folders are those of groups: many with several images each, whose names have a number or a word for a patient. What a few names in
    /// all class folders say, such as `40X` and `100X`, is something else.
    fn look_like_groups(&self, level: &[Folder], images: usize) -> bool {
        /// So few names may be those of settings.
        const SETTINGS: usize = 5;
        /// Names in words are those of persons where there are so many, with so few images each.
        const MANY: usize = 5;
        const FEW: usize = 30;
        let classes: BTreeSet<usize> = level.iter().map(|folder| folder.class).collect();
        let held: usize = level.iter().map(|folder| folder.files.len()).sum();
        let are_many = level.len() >= 4 && level.len() >= 2 * classes.len();
        if !are_many || held * 5 < images * 4 || held * 2 < level.len() * 3 {
            return false;
        }
        let names: BTreeSet<&str> = level.iter().map(|folder| folder.name.as_str()).collect();
        let most =
            |is: &dyn Fn(&str) -> bool| names.iter().filter(|name| is(name)).count() * 5 >= names.len() * 4;
        if most(&names_one_of_groups) {
            return true;
        }
        let says_nothing = |name: &str| is_generic(name) || split_of(name).is_some();
        let are_settings = names.len() <= SETTINGS && names.len() * 2 <= level.len();
        if are_settings || most(&says_nothing) {
            return false;
        }
        let has_number = |name: &str| words(name).iter().any(|word| word.chars().all(char::is_numeric));
        let are_persons =
            level.len() >= MANY * classes.len() && names.len() >= 2 * MANY && held <= FEW * level.len();
        most(&has_number) || are_persons
    }
}
