//! What says of which split the images of a folder or of a table are, besides the columns of that table: tables that are called after a split and name
//! some of them, and the folders that they are in.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::Wanted;
use super::beside::tables_of;
use super::columns::path_only;
use super::files::{Finder, Row};
use super::splits::HOW_NONE;
use super::table::Table;
use crate::files;
use crate::scan::{Listed, Listing, split_of};
use crate::{Notice, ScanError, Split};

/// Such tables, each with its split.
pub(in crate::scan) type Lists = Vec<(Split, PathBuf)>;

impl Listing {
    /// Gives images the split that a list has them in. Where there is a list to train on, what is in none is left out; else it is
    /// trained on. Nothing changes where no list names an image of this listing, or where the images have splits.
    pub(in crate::scan) fn part(
        &mut self,
        root: &Path,
        lists: &[(Split, PathBuf)],
        wanted: &Wanted<'_>,
    ) -> Result<(), ScanError> {
        let is_free = |split: Option<Split>| matches!(split, None | Some(Split::Train));
        if lists.is_empty() || wanted.layout.reads_no_split() {
            return Ok(());
        }
        let mut said: HashMap<PathBuf, (Split, &Path)> = HashMap::new();
        for (split, path) in lists {
            for file in listed(root, path, wanted)? {
                let other = said.insert(file.clone(), (*split, path));
                if let Some((_, other)) = other.filter(|(other, _)| other != split) {
                    let name = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
                    let reason = format!("{} is in {} too", file.display(), name(other));
                    let lines = vec![crate::BadLine { line: 1, reason }];
                    return Err(ScanError::Manifest { path: path.clone(), lines });
                }
            }
        }
        let of = |path: &Path, split| said.get(path).filter(|_| is_free(split)).map(|(split, _)| *split);
        let moves = |file: &Listed| of(&file.path, file.split).is_some_and(|split| Some(split) != file.split);
        // What lists all images to train on says nothing new.
        let trains = |file: &Listed| of(&file.path, file.split).or(file.split) == Some(Split::Train);
        if !self.files.iter().any(moves) || self.files.iter().all(trains) {
            return Ok(());
        }
        let rest = match lists.iter().any(|(split, _)| *split == Split::Train) {
            true => None,
            false => Some(Split::Train),
        };
        let before = self.files.len();
        for file in self.files.iter_mut().filter(|file| is_free(file.split)) {
            file.split = of(&file.path, file.split).or(file.split).or(rest);
        }
        self.files.retain(|file| file.split.is_some());
        self.beside.excluded += before - self.files.len();
        for (split, path) in lists {
            let n = self
                .files
                .iter()
                .filter(|file| said.get(&file.path).is_some_and(|(_, of)| of == path))
                .count();
            if n > 0 {
                let name = path.strip_prefix(root).unwrap_or(path).display();
                self.taken.what.push(format!("the {n} images that {name} lists -> {split}"));
            }
        }
        Ok(())
    }
}

impl Listing {
    /// Gives the images of tables that say no splits those of the folders that they are in, as `train/1.png` and `test/2.png`, where each is in a
    /// folder that is called after one, and some are trained on. Where a few are, it is told.
    pub(super) fn part_by_folders(&mut self, root: &Path, wanted: &Wanted<'_>) {
        if wanted.layout.reads_no_split() || self.files.iter().any(|file| file.split.is_some()) {
            return;
        }
        let mut names: BTreeMap<Split, BTreeSet<String>> = BTreeMap::new();
        let mut of_folder = |file: &Listed| {
            let below = file.path.strip_prefix(root).unwrap_or(&file.path).parent()?;
            // A train is also a thing to classify.
            let mut named = below.iter().filter_map(|part| part.to_str()).filter(|part| *part != file.class);
            let (name, split) = named.find_map(|part| Some((part, split_of(part)?)))?;
            names.entry(split).or_default().insert(name.to_owned());
            Some(split)
        };
        let splits: Vec<Option<Split>> = self.files.iter().map(&mut of_folder).collect();
        let said = |split: &Split, names: &BTreeSet<String>| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("{} -> {split}", names.join(" + "))
        };
        let all: Vec<String> = names.iter().map(|(split, names)| said(split, names)).collect();
        if names.len() < 2 {
            return;
        }
        if splits.contains(&None) || !names.contains_key(&Split::Train) {
            let images =
                splits.iter().filter(|split| matches!(split, Some(Split::Val | Split::Test))).count();
            self.beside.notices.push(Notice::FoldersLikeSplits { folders: all.join(", "), images });
            return;
        }
        self.files.iter_mut().zip(splits).for_each(|(file, split)| file.split = split);
        self.taken.what.push(format!("the folders of the files the splits, {}{HOW_NONE}", all.join(", ")));
    }
}

/// The images that a table or a text names and that are there.
fn listed(root: &Path, path: &Path, wanted: &Wanted<'_>) -> Result<Vec<PathBuf>, ScanError> {
    let (table, lines);
    let rows: Vec<Row<'_>> = if is_text(path) {
        lines = read_lines(path)?;
        lines.iter().map(|name| Row { name, split: None }).collect()
    } else {
        table = Table::read(path)?;
        let Some(column) = path_only(&table, wanted.layout) else { return Ok(Vec::new()) };
        table.values(column).map(|name| Row { name, split: None }).collect()
    };
    let finder = Finder::new(root, path.parent().unwrap_or(root), wanted.layout)?;
    let found = finder.resolve(&rows, None).paths.into_iter().flatten();
    Ok(found.filter(|path| files::exists(path)).collect())
}

/// Whether a file is a text by its name.
fn is_text(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| ["txt", "lst"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// The lines of a text, each without what may stand behind a file's name, such as the number of its class.
fn read_lines(path: &Path) -> Result<Vec<String>, ScanError> {
    let bytes = files::read_file(path).map_err(|source| ScanError::Read { path: path.to_owned(), source })?;
    let text = String::from_utf8_lossy(&bytes);
    let name = |line: &str| {
        let parts: Vec<&str> = line.split([' ', '\t', ',']).collect();
        let ends = (1..=parts.len()).map(|n| parts[..n].iter().map(|part| part.len() + 1).sum::<usize>() - 1);
        let with_extension =
            ends.map(|end| &line[..end]).find(|start| super::files::has_image_extension(start));
        with_extension.unwrap_or(parts[0]).to_owned()
    };
    Ok(text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(name)
        .collect())
}

/// The texts among `texts` that are called after a split and of which most lines name an image of the data set in `root`.
pub(super) fn texts(root: &Path, folders: &[PathBuf], wanted: &Wanted<'_>) -> Lists {
    let entries = folders.iter().flat_map(|folder| files::entries(folder).into_iter().flatten().flatten());
    let mut paths: Vec<PathBuf> =
        entries.filter(|entry| !entry.is_folder && is_text(&entry.path)).map(|entry| entry.path).collect();
    paths.sort_unstable();
    let splits = super::beside::table_splits(&paths);
    let named = splits.into_iter().zip(paths).filter_map(|(split, path)| Some((split?, path)));
    let names_images = |path: &Path| {
        let Ok(mut lines) = read_lines(path) else { return false };
        lines.truncate(Finder::FEW);
        let Ok(finder) = Finder::new(root, path.parent().unwrap_or(root), wanted.layout) else {
            return false;
        };
        let rows: Vec<Row<'_>> = lines.iter().map(|name| Row { name, split: None }).collect();
        !rows.is_empty() && finder.resolve(&rows, None).found * 2 > rows.len()
    };
    named.filter(|(_, path)| names_images(path)).collect()
}

/// What tables beside the one that was named say of its images: those of validation and test are trained on, which is told.
pub(in crate::scan) fn beside_named(path: &Path, listing: &Listing, wanted: &Wanted<'_>) -> Vec<Notice> {
    let folder = super::folder_of(path);
    let tables = tables_of(folder);
    let splits = super::beside::table_splits(&tables);
    let trained: HashSet<&Path> = (listing.files.iter())
        .filter(|file| matches!(file.split, None | Some(Split::Train)))
        .map(|file| file.path.as_path())
        .collect();
    let others = tables.iter().zip(splits).filter(|(other, split)| {
        other.file_name() != path.file_name() && matches!(split, Some(Split::Val | Split::Test))
    });
    let told = others.filter_map(|(other, _)| {
        let named = listed(folder, other, wanted).ok()?;
        let images = named.iter().filter(|file| trained.contains(file.as_path())).count();
        (images > 0).then(|| Notice::RowsOfOther { table: other.clone(), images, folder: folder.to_owned() })
    });
    told.collect()
}
