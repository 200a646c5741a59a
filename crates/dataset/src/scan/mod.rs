//! A path to a [`Dataset`](crate::Dataset).
//!
//! Each form of data lists its files with a class and a split ([`folders`], whose splits [`arrange`] finds by [`names`],
//! [`manifest`]; [`shards`]; [`arrays`] bring their pixels), and
//! every file is read once ([`examine`]). What is made of them depends on what they are for: to train on ([`training`]),
//! to judge a model on ([`labelled`]), or to be labelled by one ([`images`]).

mod arrange;
mod arrays;
mod below;
mod examine;
mod folders;
mod images;
mod labelled;
mod labels;
mod manifest;
mod masks;
mod names;
mod shards;
mod tops;
mod training;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::files::{self, Entry, There};
use crate::pattern::Patterns;
use crate::similar;
use crate::suggest::nearest;
use crate::taken::add_pictures;
use crate::{Cache, Dataset, Form, Layout, Notice, OtherPictures, ScanError, Split, Taken};

use arrays::Arrays;
use shards::Shards;

pub use images::{leave_out, list_images, scan_images};
pub use labelled::{Labelled, scan_labelled};
pub use training::scan;

pub(crate) use folders::is_image;
pub(crate) use names::{split_of, splits_of_files};

/// A file with what its place or its row says of it.
struct Listed {
    path: PathBuf,
    class: String,
    /// `None` where the data has no splits.
    split: Option<Split>,
    group: Option<Arc<str>>,
}

/// What one form of data found, before any file was opened.
struct Listing {
    form: Form,
    taken: Taken,
    /// The folder that the files are in.
    base: PathBuf,
    files: Vec<Listed>,
    /// Whether there are files of other splits, which were not listed.
    partial: bool,
    beside: Beside,
}

/// What was found beside the images.
#[derive(Default)]
struct Beside {
    ignored_files: usize,
    other_pictures: Vec<OtherPictures>,
    system_folders: Vec<String>,
    excluded: usize,
    excluded_folders: usize,
    /// Files in class folders that are called as lists of splits are.
    lists: Vec<PathBuf>,
    notices: Vec<Notice>,
}

impl Beside {
    /// Adds what a folder has besides its images.
    fn add(&mut self, folder: &folders::Folder, class: Option<&str>) {
        self.ignored_files += folder.other_files;
        self.excluded += folder.excluded;
        self.excluded_folders += folder.excluded_folders;
        add_pictures(&mut self.other_pictures, &folder.other_pictures, class);
        self.lists.extend(folder.lists.iter().filter(|_| class.is_some()).cloned());
        self.note_system_folders(&folder.system_folders);
    }

    /// Each name once, however many folders have it.
    fn note_system_folders(&mut self, names: &[String]) {
        for name in names {
            if !self.system_folders.contains(name) {
                self.system_folders.push(name.clone());
            }
        }
    }

    fn add_to(self, dataset: &mut Dataset) {
        dataset.ignored_files += self.ignored_files;
        dataset.excluded += self.excluded;
        dataset.excluded_folders += self.excluded_folders;
        dataset.other_pictures.extend(self.other_pictures);
        dataset.system_folders.extend(self.system_folders);
        dataset.notices.extend(self.notices);
    }
}

/// What there is at a path, as far as it can be told from the outside.
enum Data {
    /// A table, or the tables of a folder.
    Tables(manifest::Tables),
    Arrays(Arrays),
    Shards(Shards),
    /// A folder whose folders are the classes, and what tables and lists in it say.
    Folder(manifest::BesideClasses),
}

impl Data {
    fn at(path: &Path, wanted: &manifest::Wanted<'_>) -> Result<Data, ScanError> {
        if is_folder(path)? {
            if let Some(shards) = Shards::at(path)? {
                return Ok(Data::Shards(shards));
            }
            if let Some(arrays) = Arrays::in_folder(path, wanted)? {
                return Ok(Data::Arrays(arrays));
            }
            return Ok(match manifest::look(path, wanted)? {
                manifest::Found::Tables(tables) => Data::Tables(tables),
                manifest::Found::Folders(beside) => Data::Folder(beside),
            });
        }
        if let Some(arrays) = Arrays::in_file(path, wanted)? {
            return Ok(Data::Arrays(arrays));
        }
        if manifest::is_table(path) {
            let (labelled, lists) = (vec![(None, path.to_owned())], Vec::new());
            return Ok(Data::Tables(manifest::Tables { labelled, lists, unread: Vec::new() }));
        }
        Err(ScanError::NotData { path: path.to_owned() })
    }
}

/// Fails where a recipe says something of tables, folders or classes that this data has none of: it would be passed over.
fn check_layout(path: &Path, data: &Data, layout: &Layout) -> Result<(), ScanError> {
    let wrong = match data {
        Data::Tables(_) => {
            layout.key_of_folders().map(|key| (key, "left out: the data is a table, and has no folders"))
        }
        Data::Folder(beside)
            if beside.parting.is_some() || matches!(beside.groups, manifest::Groups::Table { .. }) =>
        {
            None
        }
        Data::Folder(_) if manifest::has_tables_of_splits(path) => None,
        Data::Folder(_) => {
            let asked = layout.key_of_tables();
            if let Some((key, got)) = &asked
                && let Some(found) = manifest::unread_tables(path, layout)
            {
                return Err(ScanError::NoTable { key, got: got.clone(), found });
            }
            asked.map(|key| (key, "left out: there is no table in the folder"))
        }
        Data::Arrays(arrays) => arrays.wrong_key(layout),
        Data::Shards(_) => layout
            .key_of_folders()
            .or_else(|| layout.key_of_tables())
            .map(|key| (key, "left out: the data are shards, which say themselves what is what")),
    };
    match wrong {
        Some(((key, got), expected)) => Err(ScanError::Option { key, got, expected }),
        None => Ok(()),
    }
}

/// The rows of the tables of the data set at `path`, which is one of them or their folder.
fn list_tables(
    path: &Path,
    tables: &manifest::Tables,
    wanted: &manifest::Wanted<'_>,
) -> Result<Listing, ScanError> {
    if !is_folder(path)? {
        return manifest::list(path, wanted);
    }
    let mut listing = manifest::list_all(path, &tables.labelled, wanted)?;
    listing.part(path, &tables.lists, wanted)?;
    Ok(listing)
}

/// Gives classes the names that a recipe has for them.
fn rename(listing: &mut Listing, layout: &Layout) {
    let mut unmatched: BTreeSet<&str> = layout.rename.keys().map(String::as_str).collect();
    let classes: BTreeSet<String> = listing.files.iter().map(|file| file.class.clone()).collect();
    for file in &mut listing.files {
        if let Some((old, new)) = layout.rename.get_key_value(&file.class) {
            unmatched.remove(old.as_str());
            file.class.clone_from(new);
        }
    }
    for class in unmatched {
        let similar = nearest(class, classes.iter().map(String::as_str)).map(str::to_owned);
        listing.beside.notices.push(Notice::UnmatchedRename { class: class.to_owned(), similar });
    }
}

/// Names of classes that are probably meant to be one.
fn similar_classes(listing: &Listing) -> Vec<Vec<(String, usize)>> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in &listing.files {
        *counts.entry(&file.class).or_default() += 1;
    }
    let groups = similar::groups(counts.keys().copied());
    let counted = |names: Vec<&str>| {
        let mut classes: Vec<(String, usize)> =
            names.into_iter().map(|name| (name.to_owned(), counts[name])).collect();
        // Stable: of equally many the first by name.
        classes.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        classes
    };
    groups.into_iter().map(counted).collect()
}

fn missing(path: &Path) -> ScanError {
    ScanError::Missing { path: path.to_owned(), suggestion: nearest_sibling(path) }
}

/// Whether a path is a folder, or an archive, which stands for the folder that it holds.
fn is_folder(path: &Path) -> Result<bool, ScanError> {
    let there = files::there(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => missing(path),
        _ => ScanError::Read { path: path.to_owned(), source },
    })?;
    Ok(match there {
        There::Folder => true,
        There::File(_) => !arrays::is_array_file(path) && files::archive_kind(path).is_some(),
        There::Other => false,
    })
}

/// Whether a path is data of several images, by what it is: a folder, an archive, a table, a file of arrays.
pub fn is_data(path: &Path) -> bool {
    arrays::is_array_file(path) || manifest::is_table(path) || is_folder(path).unwrap_or(false)
}

/// Where the data set begins at a path that a person named: there, or inside of the one folder that an archive holds.
fn root_of(path: &Path) -> Result<PathBuf, ScanError> {
    let failed = |source| ScanError::Read { path: path.to_owned(), source };
    let kind = files::archive_kind(path).filter(|_| !arrays::is_array_file(path));
    let Some(kind) = kind else { return Ok(path.to_owned()) };
    if let files::Kind::Unread(what, command) = kind {
        return Err(ScanError::UnreadArchive { path: path.to_owned(), what, command });
    }
    let mut root = path.to_owned();
    loop {
        let mut entries: Vec<Entry> = files::entries(&root).and_then(Iterator::collect).map_err(failed)?;
        entries.retain(|entry| {
            let name = entry.name.to_string_lossy();
            !name.starts_with('.') && !names::is_system_folder(&name)
        });
        let [Entry { path: only, name, is_folder: true }] = &entries[..] else { return Ok(root) };
        // A split or a class by itself is told as it is in a folder.
        let holds_images = folders::folders_only(only).is_none() && manifest::tables_of(only).is_empty();
        if holds_images || split_of(&name.to_string_lossy()).is_some() {
            return Ok(root);
        }
        root = only.clone();
    }
}

fn unmatched(patterns: &Patterns<'_>) -> impl Iterator<Item = Notice> {
    let of_list = patterns.unlisted().map(|(list, lines, first)| {
        let (list, first) = (list.to_owned(), first.to_owned());
        Notice::UnmatchedList { list, lines, first }
    });
    patterns
        .unmatched()
        .map(|pattern| Notice::UnmatchedExclude { pattern: pattern.to_owned() })
        .chain(of_list)
}

fn warnings(cache: Option<&Cache>) -> impl Iterator<Item = Notice> {
    cache.into_iter().flat_map(Cache::take_warnings).map(|message| Notice::Cache { message })
}

fn nearest_sibling(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let names: Vec<String> = files::entries(parent.unwrap_or(Path::new(".")))
        .ok()?
        .filter_map(|entry| entry.ok()?.name.into_string().ok())
        .collect();
    let similar = nearest(&name, names.iter().map(String::as_str))?;
    Some(path.with_file_name(similar).display().to_string())
}
