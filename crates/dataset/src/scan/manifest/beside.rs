//! Tables that lie in the folder of a data set, and whether they, or its folders, say what the classes are.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::columns::{Columns, Wrong};
use super::files::{Finder, Row};
use super::label_lists::{is_text, texts_of};
use super::lists::texts;
use super::table::Table;
use super::{Lists, Wanted, is_table, list_all};
use crate::files;
use crate::scan::Listed;
use crate::scan::folders::{self, Folder};
use crate::scan::masks::names_masks;
use crate::scan::names::{counted, is_generic, is_piece, split_of, splits_of, splits_of_files, words};
use crate::{Layout, ScanError, Split};

/// What tables say of a folder.
pub(in crate::scan) enum Found {
    /// What the classes are: its folders are no classes.
    Tables(Tables),
    /// Its folders are classes by themselves. Tables may say of which split their images are; one of them may say something else of the
    /// classes, which is not read; so are files that look like lists of a split.
    Folders { lists: Lists, beside: Option<PathBuf>, unread: Vec<PathBuf> },
}

/// Tables that are read together.
pub(in crate::scan) struct Tables {
    /// Each with the split that its name says. Beside such as have one, the one that has none is for what the others leave of it.
    pub(in crate::scan) labelled: Vec<(Option<Split>, PathBuf)>,
    pub(in crate::scan) lists: Lists,
}

/// Looks for tables in the folder `root`.
pub(in crate::scan) fn look(root: &Path, wanted: &Wanted<'_>) -> Result<Found, ScanError> {
    if wanted.layout.names_splits() {
        return Ok(Found::Folders { lists: Vec::new(), beside: None, unread: Vec::new() });
    }
    let top = Folder::read(root, root, wanted.patterns)?;
    let (inner, above) = (folders_of_tables(root, &top), folders_above(root));
    let found = tables_and_lists(root, &top, (&inner, &above), wanted)?;
    Ok(match found {
        Found::Folders { lists, beside, .. } if !wanted.layout.reads_no_split() => {
            let unread = unread_lists(root, (inner, above), &lists, beside.as_deref());
            Found::Folders { lists, beside, unread }
        }
        found => found,
    })
}

/// Files in the folder, above it or in folders without images there that are called as lists of splits are, and are not read as such.
fn unread_lists(
    root: &Path,
    (inner, above): (Vec<PathBuf>, Vec<PathBuf>),
    lists: &Lists,
    beside: Option<&Path>,
) -> Vec<PathBuf> {
    const ENDINGS: [&str; 14] =
        ["txt", "lst", "csv", "tsv", "tab", "json", "mat", "npy", "npz", "pkl", "pickle", "xlsx", "gz", ""];
    // Lists lie as deep as `ImageSets/Main/test.txt`.
    let mut folders = [inner, above].concat();
    let without_images = |folder: &PathBuf| folders::folders_only(folder).unwrap_or_default();
    let deeper: Vec<PathBuf> =
        folders.iter().filter(|folder| *folder != root).flat_map(without_images).collect();
    folders.extend(deeper.into_iter().filter(|folder| folders::folders_only(folder).is_some()));
    let is_split = |word: &String| {
        split_of(word).is_some() || matches!(word.as_str(), "split" | "splits" | "trainval" | "partition")
    };
    let is_list = |path: &PathBuf| {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let is_read = lists.iter().any(|(_, list)| list == path) || beside == Some(path);
        !stem.starts_with('.')
            && ENDINGS.contains(&ending.as_str())
            && words(&stem).iter().any(is_split)
            && !is_read
    };
    let entries = folders.iter().flat_map(|folder| files::entries(folder).into_iter().flatten().flatten());
    let mut unread: Vec<PathBuf> =
        entries.filter(|entry| !entry.is_folder).map(|entry| entry.path).filter(is_list).collect();
    unread.sort_unstable();
    unread.dedup();
    unread
}

/// What tables and lists say that lie in `inner` or `above`.
fn tables_and_lists(
    root: &Path,
    top: &Folder,
    (inner, above): (&[PathBuf], &[PathBuf]),
    wanted: &Wanted<'_>,
) -> Result<Found, ScanError> {
    let mut tables: Vec<PathBuf> = inner.iter().flat_map(|folder| tables_of(folder)).collect();
    tables.retain(|path| wanted.layout.reads(path));
    // Lists of files with their classes are tables, where the folders are no classes.
    let mut labelled: Vec<PathBuf> = inner.iter().flat_map(|folder| texts_of(folder)).collect();
    labelled.retain(|path| wanted.layout.reads(path) && Table::glance(path).is_some());
    let mut lists = texts(root, &[inner, above].concat(), wanted);
    lists.extend(tables_above(root, above, wanted));
    if tables.is_empty() && labelled.is_empty() {
        return Ok(Found::Folders { lists, beside: None, unread: Vec::new() });
    }
    let no_classes = wanted.layout.names_columns() || holds_no_classes(top);
    if no_classes {
        tables.extend(labelled);
    }
    let splits = table_splits(&tables);
    let (mut naming, mut failed) = (Vec::new(), Vec::new());
    for (path, split) in tables.iter().zip(splits) {
        match names_images(root, path, wanted.layout) {
            Glance::Labelled => naming.push((split, path.clone())),
            Glance::Unlabelled(wrong) => {
                lists.extend(split.map(|split| (split, path.clone())));
                failed.push((path.clone(), wrong));
            }
            Glance::Other => {}
        }
    }
    match (&naming[..], &failed[..]) {
        ([], [(path, wrong), others @ ..]) if no_classes && (others.is_empty() || is_text(path)) => {
            let lines = vec![crate::BadLine { line: wrong.line, reason: wrong.reason.clone() }];
            Err(ScanError::Manifest { path: path.clone(), lines })
        }
        ([], _) => Ok(Found::Folders { lists, beside: None, unread: Vec::new() }),
        _ if no_classes => Ok(Found::Tables(Tables { labelled: choose(root, naming)?, lists })),
        _ => {
            let found: Vec<Found> =
                naming.iter().map(|(_, path)| beside_classes(root, path, wanted)).collect();
            if found.iter().any(|found| matches!(found, Found::Tables(_))) {
                return Ok(Found::Tables(Tables { labelled: choose(root, naming)?, lists }));
            }
            // The classes are the folders, and what is called after a split says which of their images are of it.
            let named = naming.iter().filter_map(|(split, path)| Some(((*split)?, path.clone())));
            lists.extend(named);
            let beside = naming.iter().zip(found).find_map(|((split, _), found)| match found {
                Found::Folders { beside, .. } if split.is_none() => beside,
                _ => None,
            });
            Ok(Found::Folders { lists, beside, unread: Vec::new() })
        }
    }
}

/// The splits that tables are called after.
pub(super) fn table_splits(tables: &[PathBuf]) -> Vec<Option<Split>> {
    let stem = |path: &PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let stems: Vec<String> = tables.iter().map(stem).collect();
    splits_of_files(&stems.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The tables directly in a folder.
pub(in crate::scan) fn tables_of(folder: &Path) -> Vec<PathBuf> {
    let entries = files::entries(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path).filter(|path| is_table(path) && files::is_file(path));
    let visible =
        |path: &PathBuf| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."));
    let mut tables: Vec<PathBuf> = paths.filter(visible).collect();
    tables.sort_unstable();
    tables
}

/// A folder, and its folders that have no images of their own. Class folders hold images, and reading them all would take as long as the scan.
fn folders_of_tables(root: &Path, top: &Folder) -> Vec<PathBuf> {
    let inner = top.folders.iter().filter(|folder| folders::folders_only(folder).is_some());
    std::iter::once(root.to_owned()).chain(inner.cloned()).collect()
}

/// Where the splits of a folder that says no more than that it holds images may stand, as those of `images/` do in `../meta/train.txt`: the folder
/// above it, and the others in that one that hold neither images nor folders.
fn folders_above(root: &Path) -> Vec<PathBuf> {
    // Where there are more, this is no data set of which one folder holds the images.
    const MOST: usize = 16;
    if !root.file_name().is_some_and(|name| is_generic(&name.to_string_lossy())) {
        return Vec::new();
    }
    let above = match root.parent() {
        Some(above) if above.as_os_str().is_empty() => Path::new("."),
        Some(above) => above,
        None => return Vec::new(),
    };
    let entries = files::entries(above).into_iter().flatten().flatten();
    let mut others: Vec<PathBuf> = entries
        .filter(|entry| entry.is_folder && Some(entry.name.as_os_str()) != root.file_name())
        .map(|entry| entry.path)
        .collect();
    if others.len() > MOST {
        return Vec::new();
    }
    // Another data set beside this one has names of its own.
    others.retain(|folder| folders::folders_only(folder).is_some_and(|inner| inner.is_empty()));
    others.sort_unstable();
    std::iter::once(above.to_owned()).chain(others).collect()
}

/// The tables above that are called after splits and name images of this folder.
fn tables_above(root: &Path, above: &[PathBuf], wanted: &Wanted<'_>) -> Lists {
    let mut tables: Vec<PathBuf> = above.iter().flat_map(|folder| tables_of(folder)).collect();
    tables.retain(|path| wanted.layout.reads(path));
    let splits = table_splits(&tables);
    let named = splits.into_iter().zip(tables).filter_map(|(split, path)| Some((split?, path)));
    named.filter(|(_, path)| !matches!(names_images(root, path, wanted.layout), Glance::Other)).collect()
}

enum Glance {
    /// Its first rows name images that are here, and their classes.
    Labelled,
    /// They name images, and which column is the class cannot be told.
    Unlabelled(Wrong),
    Other,
}

fn names_images(root: &Path, path: &Path, layout: &Layout) -> Glance {
    // What a competition wants to be handed in: its labels are made up.
    let is_answer = |word: &String| matches!(word.as_str(), "submission" | "samplesubmission" | "submit");
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    if words(&stem).iter().any(is_answer) {
        return Glance::Other;
    }
    let Some(mut table) = Table::glance(path) else { return Glance::Other };
    if table.rows.is_empty() || super::column_names::is_pixel_table(&table.header) {
        return Glance::Other;
    }
    // What the whole table says of its columns decides later.
    let columns = Columns::find(&table, layout, None);
    table.rows.truncate(Finder::FEW);
    let column = match &columns {
        Ok(columns) => Some(columns.path),
        Err(_) => super::columns::path_only(&table, layout),
    };
    let Some(column) = column else { return Glance::Other };
    let folder = path.parent().unwrap_or(root);
    let Ok(finder) = Finder::new(root, folder, layout) else { return Glance::Labelled };
    let rows: Vec<Row<'_>> = table.values(column).map(|name| Row { name, split: None }).collect();
    if finder.resolve(&rows, None).found * 2 < rows.len() {
        return Glance::Other;
    }
    match columns {
        Ok(_) => Glance::Labelled,
        Err(wrong) => Glance::Unlabelled(wrong),
    }
}

/// The images of a split's folder that holds no class folders, where a table or a list says their classes: one in that folder, or beside it and
/// called after the split. And what was taken for what.
pub(in crate::scan) fn of_split_folder(
    root: &Path,
    folder: &Path,
    split: Split,
    wanted: &Wanted<'_>,
) -> Result<Option<(Vec<Listed>, String)>, ScanError> {
    let in_folder = [tables_of(folder), texts_of(folder)].concat();
    let beside = [tables_of(root), texts_of(root)].concat();
    let splits = table_splits(&beside);
    let beside = beside.into_iter().zip(splits).filter(|(_, of)| *of == Some(split)).map(|(path, _)| path);
    for path in in_folder.into_iter().chain(beside).filter(|path| wanted.layout.reads(path)) {
        match names_images(folder, &path, wanted.layout) {
            Glance::Labelled => {
                let listing = list_all(folder, &[(Some(split), path.clone())], wanted)?;
                if listing.files.iter().all(|file| file.path.starts_with(folder)) {
                    return Ok(Some((listing.files, listing.taken.what.join("; "))));
                }
            }
            Glance::Unlabelled(wrong) => {
                let lines = vec![crate::BadLine { line: wrong.line, reason: wrong.reason }];
                return Err(ScanError::Manifest { path, lines });
            }
            Glance::Other => {}
        }
    }
    Ok(None)
}

/// Of several tables those that are called after the splits, of which each is one table's. Where none of these is the training set, the only other
/// table is what they leave of it.
fn choose(
    root: &Path,
    tables: Vec<(Option<Split>, PathBuf)>,
) -> Result<Vec<(Option<Split>, PathBuf)>, ScanError> {
    if let [(_, path)] = &tables[..] {
        return Ok(vec![(None, path.clone())]);
    }
    let (named, others): (Vec<_>, Vec<_>) = tables.iter().cloned().partition(|(split, _)| split.is_some());
    let different: HashSet<Split> = named.iter().filter_map(|(split, _)| *split).collect();
    let trains = different.contains(&Split::Train);
    if different.len() < named.len() || !(trains || others.len() == 1) {
        let name = |(_, path): &(_, PathBuf)| path.strip_prefix(root).unwrap_or(path).display().to_string();
        let tables = tables.iter().map(name).collect();
        return Err(ScanError::SeveralTables { path: root.to_owned(), tables });
    }
    match (&named[..], trains) {
        ([(_, only)], true) => Ok(vec![(None, only.clone())]),
        (_, true) => Ok(named),
        (_, false) => Ok(named.into_iter().chain(others).collect()),
    }
}

/// Whether the folders that hold images can be no classes, by what they are called.
fn holds_no_classes(top: &Folder) -> bool {
    let holding: Vec<&PathBuf> =
        top.folders.iter().filter(|folder| !folders::files_below(folder).is_empty()).collect();
    if holding.is_empty() {
        return !top.images.is_empty();
    }
    let names: Vec<&str> = holding.iter().filter_map(|folder| folder.file_name()?.to_str()).collect();
    holding.iter().all(|folder| is_flat(folder, 0)) && (holding.len() == 1 || mean_nothing(&names))
}

/// Whether names are those of splits, of pieces, or of folders of images.
fn mean_nothing(names: &[&str]) -> bool {
    let splits = splits_of(names);
    let is_split = |(name, split): (&&str, Option<Split>)| {
        split.is_some() || split_of(name).is_some() || is_generic(name) || is_piece(name) || names_masks(name)
    };
    counted(names).is_some() || names.iter().zip(splits).all(is_split)
}

/// Whether a folder holds images and no classes: directly, or in one folder, or in such as mean nothing.
fn is_flat(folder: &Path, depth: usize) -> bool {
    const DEEPEST: usize = 4;
    match folders::folders_only(folder) {
        None => true,
        Some(inner) if depth < DEEPEST => {
            let names: Vec<&str> = inner.iter().filter_map(|path| path.file_name()?.to_str()).collect();
            (inner.len() == 1 || mean_nothing(&names)) && inner.iter().all(|path| is_flat(path, depth + 1))
        }
        Some(_) => false,
    }
}

/// What a table says that lies beside class folders: nothing where its classes are the folders; that it is the one that
/// knows the classes where each of them is in several folders; else something else.
fn beside_classes(root: &Path, path: &Path, wanted: &Wanted<'_>) -> Found {
    const NOTHING: Found = Found::Folders { lists: Vec::new(), beside: None, unread: Vec::new() };
    let Ok(listing) = list_all(root, &[(None, path.to_owned())], wanted) else { return NOTHING };
    let mut folders_of: HashMap<&str, HashSet<&Path>> = HashMap::new();
    let mut images_of: HashMap<&str, usize> = HashMap::new();
    let mut agree = 0;
    for file in &listing.files {
        let folder = file.path.parent().unwrap_or(root);
        agree += usize::from(folder.file_name().is_some_and(|name| name.to_string_lossy() == file.class));
        folders_of.entry(&file.class).or_default().insert(folder);
        *images_of.entry(&file.class).or_default() += 1;
    }
    if agree * 2 > listing.files.len() {
        // It says the same of the classes, and more: which image is of which split, or belongs to which group.
        let says_more =
            |file: &Listed| file.split.is_some_and(|split| split != Split::Train) || file.group.is_some();
        return match listing.files.iter().any(says_more) {
            true => Found::Tables(Tables { labelled: vec![(None, path.to_owned())], lists: Vec::new() }),
            false => NOTHING,
        };
    }
    // A class of two images may be in one folder by chance.
    const ENOUGH: usize = 4;
    let large: Vec<_> =
        folders_of.iter().filter(|(class, _)| images_of.get(**class).is_some_and(|&n| n >= ENOUGH)).collect();
    if !large.is_empty() && large.iter().all(|(_, folders)| folders.len() > 1) {
        return Found::Tables(Tables { labelled: vec![(None, path.to_owned())], lists: Vec::new() });
    }
    Found::Folders { lists: Vec::new(), beside: Some(path.to_owned()), unread: Vec::new() }
}
