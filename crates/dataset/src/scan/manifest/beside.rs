//! Tables that lie in the folder of a data set, and whether they, or its folders, say what the classes are.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::columns::{Columns, Wrong};
use super::files::{Finder, Row};
use super::groups::Groups;
use super::label_lists::{is_text, texts_of};
use super::lists::parting_column;
use super::lists::texts;
use super::splits::is_fold_name;
use super::table::Table;
use super::{Lists, Wanted, column_names, is_table, list_all};
use crate::files;
use crate::scan::Listed;
use crate::scan::folders::{self, Folder};
use crate::scan::masks::names_masks;
use crate::scan::names::{counted, is_generic, is_piece, split_of, splits_of, splits_of_files, words};
use crate::{Layout, LayoutError, Notice, ScanError, Split};

/// What tables say of a folder.
pub(in crate::scan) enum Found {
    /// What the classes are: its folders are no classes.
    Tables(Tables),
    /// Its folders are classes by themselves.
    Folders(Beside),
}

/// What tables and lists say beside folders that are the classes.
#[derive(Default)]
pub(in crate::scan) struct Beside {
    /// Those of one split.
    pub(in crate::scan) lists: Lists,
    /// A table with a column that says of which split each image is.
    pub(in crate::scan) parting: Option<PathBuf>,
    /// That a table says something else of the classes, which is not read.
    pub(in crate::scan) notice: Option<Notice>,
    /// Files that are called as lists of splits are, and are none of them.
    pub(in crate::scan) unread: Vec<PathBuf>,
    /// What says which images belong together.
    pub(in crate::scan) groups: Groups,
}

/// Tables that are read together.
pub(in crate::scan) struct Tables {
    /// Each with the split that its name says. Beside such as have one, the one that has none is for what the others leave of it.
    pub(in crate::scan) labelled: Vec<(Option<Split>, PathBuf)>,
    pub(in crate::scan) lists: Lists,
    /// As of [`Beside::unread`].
    pub(in crate::scan) unread: Vec<PathBuf>,
}

/// Looks for tables in the folder `root`.
pub(in crate::scan) fn look(root: &Path, wanted: &Wanted<'_>) -> Result<Found, ScanError> {
    let top = Folder::read(root, root, wanted.patterns)?;
    let groups = || {
        let mut tables: Vec<PathBuf> =
            folders_of_tables(root, &top).iter().flat_map(|folder| tables_of(folder)).collect();
        tables.retain(|path| {
            wanted.layout.reads(path) && !matches!(names_images(root, path, wanted.layout), Glance::Other)
        });
        Groups::of(&tables, wanted)
    };
    let (inner, above) = (folders_of_tables(root, &top), folders_above(root));
    if wanted.layout.names_splits() {
        let mut found = Beside { groups: groups(), ..Beside::default() };
        // Lists say which of the images to train on are for testing, where the recipe does not.
        if wanted.layout.val.is_empty() && wanted.layout.test.is_empty() && !wanted.layout.reads_no_split() {
            let folders = [&inner[..], &above[..]].concat();
            found.lists = texts(root, &folders, wanted);
            found.lists.extend(tables_above(root, &folders, wanted));
            let read: Vec<PathBuf> = found.lists.iter().map(|(_, path)| path.clone()).collect();
            found.unread = unread_lists(root, (inner, above), &read);
        }
        return Ok(Found::Folders(found));
    }
    let found = tables_and_lists(root, &top, (&inner, &above), wanted)?;
    Ok(match found {
        Found::Folders(mut found) => {
            if !wanted.layout.reads_no_split() {
                let told = match &found.notice {
                    Some(Notice::TableBeside { path, .. }) => Some(path),
                    _ => None,
                };
                let lists = found.lists.iter().map(|(_, list)| list);
                let read: Vec<PathBuf> = lists.chain(&found.parting).chain(told).cloned().collect();
                found.unread = unread_lists(root, (inner, above), &read);
            }
            found.groups = groups();
            // A column of patients is no column of classes.
            let is_group = |notice: &Notice| matches!(notice, Notice::TableBeside { path, column: Some(column) } if found.groups.is(path, column));
            found.notice = found.notice.take().filter(|notice| !is_group(notice));
            Found::Folders(found)
        }
        Found::Tables(mut found) => {
            if !wanted.layout.reads_no_split() {
                let read = found.labelled.iter().map(|(_, path)| path.clone());
                let read: Vec<PathBuf> =
                    read.chain(found.lists.iter().map(|(_, path)| path.clone())).collect();
                found.unread = unread_lists(root, (inner, above), &read);
            }
            Found::Tables(found)
        }
    })
}

/// Whether a file is called as a list of splits is.
pub(in crate::scan) fn is_called_list(path: &Path) -> bool {
    const ENDINGS: [&str; 17] = [
        "txt", "lst", "csv", "tsv", "tab", "json", "jsonl", "yaml", "yml", "mat", "npy", "npz", "pkl",
        "pickle", "xlsx", "gz", "",
    ];
    const WORDS: [&str; 6] = ["split", "splits", "trainval", "partition", "eval", "evaluation"];
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let is_split = |word: &String| split_of(word).is_some() || WORDS.contains(&word.as_str());
    !stem.starts_with('.') && ENDINGS.contains(&ending.as_str()) && words(&stem).iter().any(is_split)
}

/// Files in the folder, above it or in folders without images there that are called as lists of splits are, and are not among those that are `read`.
fn unread_lists(root: &Path, (inner, above): (Vec<PathBuf>, Vec<PathBuf>), read: &[PathBuf]) -> Vec<PathBuf> {
    // What a recipe leaves out of the images says their splits all the same.
    let excluded = Folder::read(root, root, &crate::pattern::Patterns::new(&[])).unwrap_or_default();
    let inner: Vec<PathBuf> = inner.into_iter().chain(folders_of_tables(root, &excluded)).collect();
    // Lists lie as deep as `ImageSets/Main/test.txt`.
    let mut folders = [inner, above].concat();
    let without_images = |folder: &PathBuf| folders::folders_only(folder).unwrap_or_default();
    let deeper: Vec<PathBuf> =
        folders.iter().filter(|folder| *folder != root).flat_map(without_images).collect();
    folders.extend(deeper.into_iter().filter(|folder| folders::folders_only(folder).is_some()));
    let entries = folders.iter().flat_map(|folder| files::entries(folder).into_iter().flatten().flatten());
    let mut unread: Vec<PathBuf> = entries
        .filter(|entry| !entry.is_folder)
        .map(|entry| entry.path)
        .filter(|path| is_called_list(path) && !read.contains(path))
        .collect();
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
        return Ok(Found::Folders(Beside { lists, ..Beside::default() }));
    }
    let are_classes = !holds_no_classes(top);
    let no_classes = wanted.layout.names_columns() || !are_classes;
    if no_classes {
        tables.extend(labelled);
    }
    let splits = table_splits(&tables);
    let (mut naming, mut failed, mut parting) = (Vec::new(), Vec::new(), None);
    let mut several: Vec<String> = Vec::new();
    for (path, split) in tables.iter().zip(splits) {
        match names_images(root, path, wanted.layout) {
            Glance::Labelled => naming.push((split, path.clone())),
            // A column that says the split of each row says more than the table's name.
            Glance::Unlabelled(_) if are_classes && !wanted.layout.asks_classes() && parts(path, wanted) => {
                several.push(path.strip_prefix(root).unwrap_or(path).display().to_string());
                parting.get_or_insert_with(|| path.clone());
            }
            Glance::Unlabelled(wrong) => {
                lists.extend(split.map(|split| (split, path.clone())));
                failed.push((path.clone(), wrong));
            }
            Glance::Other => {}
        }
    }
    if several.len() > 1 {
        let source = LayoutError::SeveralSplits { tables: several };
        return Err(ScanError::Layout { path: root.to_owned(), source: Box::new(source) });
    }
    if no_classes && naming.len() + failed.len() > 1 {
        // What says the splits in numbers says no classes, beside a table that may.
        naming.retain(|(_, path)| !says_splits_alone(path, wanted));
    }
    match (&naming[..], &failed[..]) {
        ([], [(path, wrong), others @ ..])
            if no_classes && parting.is_none() && (others.is_empty() || is_text(path)) =>
        {
            let lines = vec![crate::BadLine { line: wrong.line, reason: wrong.reason.clone() }];
            Err(ScanError::Manifest { path: path.clone(), lines })
        }
        ([], _) => Ok(Found::Folders(Beside { lists, parting, ..Beside::default() })),
        _ if no_classes => {
            Ok(Found::Tables(Tables { labelled: choose(root, naming)?, lists, unread: Vec::new() }))
        }
        _ => {
            let says: Vec<Says> =
                naming.iter().map(|(_, path)| beside_classes(root, top, path, wanted)).collect();
            if says.iter().any(|says| matches!(says, Says::Classes)) {
                return Ok(Found::Tables(Tables {
                    labelled: choose(root, naming)?,
                    lists,
                    unread: Vec::new(),
                }));
            }
            if parting.is_none() {
                let others = naming.iter().zip(&says).filter(|(_, says)| matches!(says, Says::Other(_)));
                parting = others.map(|((_, path), _)| path).find(|path| parts(path, wanted)).cloned();
            }
            let is_parting = |path: &PathBuf| parting.as_ref() == Some(path);
            // The classes are the folders, and what is called after a split says which of their images are of it.
            let named = naming.iter().filter(|(_, path)| !is_parting(path));
            lists.extend(named.filter_map(|(split, path)| Some(((*split)?, path.clone()))));
            let other = naming.iter().zip(says).find_map(|((split, path), says)| match says {
                Says::Other(column) if split.is_none() || is_parting(path) => Some((path.clone(), column)),
                _ => None,
            });
            let notice = other.map(|(path, column)| match column {
                Some(column) if is_fold_name(&column) => Notice::Folds { column },
                column => Notice::TableBeside { path, column },
            });
            Ok(Found::Folders(Beside { lists, parting, notice, ..Beside::default() }))
        }
    }
}

/// Whether the only column of a table besides the files is called after splits, and would be the class.
fn says_splits_alone(path: &Path, wanted: &Wanted<'_>) -> bool {
    let table = Table::glance(path);
    let label =
        table.as_ref().and_then(|table| Columns::find(table, wanted.layout, None).ok()?.label_name(table));
    !wanted.layout.asks_classes() && label.is_some_and(|name| column_names::is_split_name(&name))
}

/// Whether a column of a table says the splits.
fn parts(path: &Path, wanted: &Wanted<'_>) -> bool {
    // All of it: the first rows may be of one split.
    Table::read(path).is_ok_and(|table| parting_column(&table, wanted.layout).is_some())
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
    let paths = entries.filter(|entry| !entry.is_folder).map(|entry| entry.path);
    let paths = paths.filter(|path| (is_table(path) || is_bare_table(path)) && files::is_file(path));
    let visible =
        |path: &PathBuf| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."));
    let mut tables: Vec<PathBuf> = paths.filter(visible).collect();
    tables.sort_unstable();
    tables
}

/// Whether a file without an extension is a table by its content, as `HAM10000_metadata` is: its header has a name for files and another column.
fn is_bare_table(path: &Path) -> bool {
    path.extension().is_none()
        && Table::glance(path).is_some_and(|table| {
            table.header.len() > 1 && table.header.iter().any(|name| column_names::is_path_name(name))
        })
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

/// The tables in folders, or above, that are called after splits and name images of this folder.
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
    if table.rows.is_empty() || column_names::is_pixel_table(&table.header) {
        return Glance::Other;
    }
    let folder = path.parent().unwrap_or(root);
    let Ok(finder) = Finder::new(root, folder, layout) else { return Glance::Labelled };
    finder.find_path(&mut table, layout);
    // What the whole table says of its columns decides later.
    let columns = Columns::find(&table, layout, None);
    table.rows.truncate(Finder::FEW);
    let column = match &columns {
        Ok(columns) => Some(columns.path),
        Err(_) => super::columns::path_only(&table, layout),
    };
    let Some(column) = column else { return Glance::Other };
    let rows: Vec<Row<'_>> = table.values(column).map(|name| Row { name, split: None }).collect();
    if finder.resolve(&rows, None).found * 2 < rows.len() {
        return Glance::Other;
    }
    match columns {
        Ok(_) => Glance::Labelled,
        Err(wrong) => Glance::Unlabelled(wrong),
    }
}

/// Whether folders that are called after splits hold tables beside their images, as `train/metadata.csv`.
pub(in crate::scan) fn has_tables_of_splits(root: &Path) -> bool {
    let entries = files::entries(root).into_iter().flatten().flatten();
    let mut sets =
        entries.filter(|entry| entry.is_folder && split_of(&entry.name.to_string_lossy()).is_some());
    sets.any(|set| !tables_of(&set.path).is_empty())
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

/// What a table says that lies beside class folders.
enum Says {
    /// Nothing that the folders do not say.
    Nothing,
    /// What the classes are, or which image is of which split or group.
    Classes,
    /// Something else than the folders, in this column, if it is one.
    Other(Option<String>),
}

/// Nothing where its classes are the folders; that it is the one that knows the classes where each of them is in several folders and a column
/// is called after them; else something else.
fn beside_classes(root: &Path, top: &Folder, path: &Path, wanted: &Wanted<'_>) -> Says {
    let Ok(listing) = list_all(root, &[(None, path.to_owned())], wanted) else { return Says::Nothing };
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
        return if listing.files.iter().any(says_more) { Says::Classes } else { Says::Nothing };
    }
    let label = Table::glance(path).and_then(|mut table| {
        let finder = Finder::new(root, path.parent().unwrap_or(root), wanted.layout).ok()?;
        finder.find_path(&mut table, wanted.layout);
        let columns = Columns::find(&table, wanted.layout, wanted.group).ok()?;
        columns.label_name(&table)
    });
    // Any column may be the only one that is left, as `camera` and `sex`. Patients are no classes, whatever the column.
    let are_groups = || {
        top.folders
            .iter()
            .filter_map(|path| path.file_name()?.to_str())
            .all(column_names::names_one_of_groups)
    };
    let is_class = match &label {
        Some(name) => column_names::is_label_name(name) || are_groups(),
        None => true,
    };
    // A class of two images may be in one folder by chance.
    const ENOUGH: usize = 4;
    let large: Vec<_> =
        folders_of.iter().filter(|(class, _)| images_of.get(**class).is_some_and(|&n| n >= ENOUGH)).collect();
    if is_class && !large.is_empty() && large.iter().all(|(_, folders)| folders.len() > 1) {
        return Says::Classes;
    }
    Says::Other(label)
}

/// What there is of tables in a folder that none was read of, or above it, in words; `None` where there is nothing.
pub(in crate::scan) fn unread_tables(root: &Path, layout: &Layout) -> Option<String> {
    const OTHERS: [&str; 7] = ["txt", "lst", "xlsx", "xls", "ods", "json", "parquet"];
    let is_other = |path: &PathBuf| {
        path.extension().is_some_and(|of| OTHERS.iter().any(|other| of.eq_ignore_ascii_case(other)))
    };
    let names = |paths: &[PathBuf]| {
        let names: Vec<String> =
            paths.iter().take(3).map(|path| crate::shown_path(path).to_string()).collect();
        names.join(", ")
    };
    let top = Folder::read(root, root, &crate::pattern::Patterns::new(&[])).ok()?;
    let folders = folders_of_tables(root, &top);
    let here: Vec<PathBuf> = folders.iter().flat_map(|folder| tables_of(folder)).collect();
    let entries = folders.iter().flat_map(|folder| files::entries(folder).into_iter().flatten().flatten());
    let mut others: Vec<PathBuf> =
        entries.filter(|entry| !entry.is_folder).map(|entry| entry.path).filter(is_other).collect();
    // Those that are asked for are meant.
    let asked: Vec<PathBuf> =
        others.iter().filter(|path| !layout.lists.is_empty() && layout.reads(path)).cloned().collect();
    if !asked.is_empty() {
        others = asked;
    }
    others.sort_unstable();
    let above = root.parent().map(tables_of).unwrap_or_default();
    match (&here[..], &others[..], &above[..]) {
        ([_, ..], _, _) if here.iter().any(|path| layout.reads(path)) => Some(format!(
            "{} is there, and no column of it names images that are there: --set data.path_column=NAME says which column does",
            names(&here)
        )),
        (_, [_, ..], _) => Some(format!(
            "{} is there, and is no table that is read here: write it as a CSV with a header such as path,label",
            names(&others)
        )),
        (_, _, [_, ..]) => {
            Some(format!("{} is in the folder above: give it instead of this folder", names(&above)))
        }
        _ => None,
    }
}
