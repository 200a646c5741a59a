//! Groups that stand in another table beside that of the labels, as the lesions of ISIC 2019's metadata: both call their images by a column of one name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::beside::tables_of;
use super::table::Table;
use super::{column_names, folder_of};
use crate::Notice;

/// The groups that another table says.
pub(super) struct GroupsBeside {
    /// What says them, in words.
    pub(super) said: String,
    groups: HashMap<String, Arc<str>>,
}

impl GroupsBeside {
    /// Those of the column `name` of a table beside `table`, which has none of that name; `path` is the column that names the images.
    pub(super) fn of(table: &Table, path: usize, name: &str) -> Option<GroupsBeside> {
        let is_there = |other: &Table| other.column(name);
        let (other, key, column) = others(table, path).find_map(|(other, key)| {
            let column = is_there(&other)?;
            Some((other, key, column))
        })?;
        let pairs = other.values(key).zip(other.values(column));
        let groups = pairs.filter(|(_, group)| !group.is_empty());
        let groups = groups.map(|(image, group)| (image.to_owned(), Arc::from(group))).collect();
        Some(GroupsBeside {
            said: format!(", {} of {} the groups", other.header[column], other.name()),
            groups,
        })
    }

    /// The group of an image; one that the table does not know is a group of its own.
    pub(super) fn group(&self, image: &str) -> Option<Arc<str>> {
        self.groups.get(image).cloned()
    }
}

/// Tells of a column of a table beside that looks as one of groups.
pub(super) fn notice(table: &Table, path: usize, split_given: bool) -> Option<Notice> {
    let images: HashSet<&str> = table.values(path).collect();
    others(table, path).find_map(|(other, key)| {
        // What names the images groups none of them, even where a table has several rows of an image.
        let columns = (0..other.header.len())
            .filter(|&column| column != key && column_names::names_groups(&other.header[column]));
        let counted = columns.filter_map(|column| {
            let pairs = other.values(key).zip(other.values(column));
            let filled: Vec<&str> = pairs
                .filter(|(image, group)| images.contains(image) && !group.is_empty())
                .map(|(_, group)| group)
                .collect();
            let distinct = filled.iter().collect::<HashSet<_>>().len();
            (distinct > 1 && distinct < filled.len()).then_some((distinct, column))
        });
        let (groups, column) = counted.min()?;
        let column = other.header[column].clone();
        Some(Notice::LooksLikeGroup { column, groups, images: table.rows.len(), split_given })
    })
}

/// The other tables of the folder that have a column called as that of the images is, and that column.
fn others(table: &Table, path: usize) -> impl Iterator<Item = (Table, usize)> {
    let name = table.header[path].clone();
    let own = table.path.clone();
    let tables = tables_of(folder_of(&table.path)).into_iter().filter(move |other| *other != own);
    tables.filter_map(move |other| {
        // What has no such column is not read to its end.
        Table::glance(&other)?.column(&name)?;
        let other = Table::read(&other).ok()?;
        let key = other.column(&name)?;
        Some((other, key))
    })
}
