//! Which images of class folders belong together, by a table beside them or by the folders in them.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Wanted;
use super::column_names::{GROUP, names_groups};
use super::columns::path_only;
use super::files::{Finder, Row};
use super::table::Table;
use crate::scan::Listing;
use crate::{Notice, ScanError};

/// What `data.group` says for the folders in class folders, where no table has a column of that name.
const FOLDER: &str = "folder";

/// What says which images of class folders belong together.
#[derive(Default)]
pub(in crate::scan) enum Groups {
    #[default]
    Unsaid,
    /// The folders in the class folders, since a recipe asks for them.
    Folders,
    /// A column of a table beside.
    Table { path: PathBuf, column: String, asked: bool },
}

impl Groups {
    /// Of tables that name images of the folder the first with a column that is asked for, or else that says groups by its name.
    pub(super) fn of(tables: &[PathBuf], wanted: &Wanted<'_>) -> Groups {
        let mut looks = Groups::Unsaid;
        for path in tables {
            let Some(table) = Table::glance(path).filter(|table| path_only(table, wanted.layout).is_some())
            else {
                continue;
            };
            let asked = wanted.group.map_or_else(|| table.column(GROUP), |name| table.column(name));
            let named = || (0..table.header.len()).find(|&column| names_groups(&table.header[column]));
            let column = match (asked, wanted.group, &looks) {
                (None, None, Groups::Unsaid) => named(),
                _ => asked,
            };
            let Some(column) = column else { continue };
            let found = Groups::Table {
                path: path.clone(),
                column: table.header[column].clone(),
                asked: asked.is_some(),
            };
            match asked {
                Some(_) => return found,
                None => looks = found,
            }
        }
        match wanted.group {
            Some(FOLDER) => Groups::Folders,
            _ => looks,
        }
    }

    /// Fails where a recipe asks for what is not there.
    pub(in crate::scan) fn check(&self, wanted: Option<&str>) -> Result<(), ScanError> {
        match (self, wanted) {
            (Groups::Unsaid, Some(got)) => Err(ScanError::Option {
                key: "group",
                got: got.to_owned(),
                expected: "a column of a table in the folder that names its images, or folder, where the class folders hold a folder for each group",
            }),
            _ => Ok(()),
        }
    }

    /// Whether it is this column of this table.
    pub(super) fn is(&self, of: &Path, name: &str) -> bool {
        matches!(self, Groups::Table { path, column, .. } if path == of && column == name)
    }
}

impl Listing {
    /// Gives the images of class folders the groups that a table says; where none is asked for, tells of its column if its values come again.
    pub(in crate::scan) fn group_by_table(
        &mut self,
        root: &Path,
        groups: &Groups,
        wanted: &Wanted<'_>,
    ) -> Result<(), ScanError> {
        let Groups::Table { path, column: name, asked } = groups else { return Ok(()) };
        let table = Table::read(path)?;
        let (Some(names), Some(column)) = (path_only(&table, wanted.layout), table.column(name)) else {
            return Ok(());
        };
        let finder = Finder::new(root, path.parent().unwrap_or(root), wanted.layout)?;
        let rows: Vec<Row<'_>> = table.values(names).map(|name| Row { name, split: None }).collect();
        let mut said: HashMap<PathBuf, &str> = HashMap::new();
        for ((at, found), group) in
            finder.resolve(&rows, None).paths.into_iter().enumerate().zip(table.values(column))
        {
            // A name that may be several files says nothing of any.
            let Ok(file) = found else { continue };
            if let Some(other) = said.insert(file, group).filter(|other| *other != group && *asked) {
                let line = table.rows.get(at).map_or(1, |(line, _)| *line);
                let reason =
                    format!("the image is of the {name} {group} here, and of {other} on a line before");
                let lines = vec![crate::BadLine { line, reason }];
                return Err(ScanError::Manifest { path: path.clone(), lines });
            }
        }
        let of = |file: &PathBuf| said.get(file).copied().filter(|group| !group.is_empty());
        let here: Vec<&str> = self.files.iter().filter_map(|file| of(&file.path)).collect();
        let values: HashSet<&str> = here.iter().copied().collect();
        let (groups, images) = (values.len(), here.len());
        if *asked {
            self.files.iter_mut().for_each(|file| file.group = of(&file.path).map(Arc::from));
            let unnamed = self.files.iter().filter(|file| file.group.is_none()).count();
            let rest = if unnamed == 0 { String::new() } else { format!(" ({unnamed} images have none)") };
            self.taken.what.push(format!("table {}: {name} the groups{rest}", table.name()));
        } else if (2..images).contains(&groups) {
            let split_given = self.files.iter().any(|file| file.split.is_some());
            self.beside.notices.push(Notice::LooksLikeGroup {
                column: name.clone(),
                groups,
                images,
                split_given,
            });
        }
        Ok(())
    }
}
