//! Tables that name images and no classes, and are called after a split: they say which images of a folder, or of another table, are of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Wanted;
use super::columns::path_only;
use super::files::{Finder, Row};
use super::table::Table;
use crate::scan::{Listed, Listing};
use crate::{ScanError, Split};

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
        if !self.files.iter().any(moves) {
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
            let n = self.files.iter().filter(|file| said.get(&file.path).is_some_and(|(_, of)| of == path));
            let name = path.strip_prefix(root).unwrap_or(path).display();
            self.taken.what.push(format!("the {} images that {name} lists -> {split}", n.count()));
        }
        Ok(())
    }
}

/// The images that a table names and that are there.
fn listed(root: &Path, path: &Path, wanted: &Wanted<'_>) -> Result<Vec<PathBuf>, ScanError> {
    let table = Table::read(path)?;
    let Some(column) = path_only(&table, wanted.layout) else { return Ok(Vec::new()) };
    let finder = Finder::new(root, path.parent().unwrap_or(root), wanted.layout)?;
    let rows: Vec<Row<'_>> = table.values(column).map(|name| Row { name, split: None }).collect();
    Ok(finder.resolve(&rows, None).paths.into_iter().flatten().collect())
}
