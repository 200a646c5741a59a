//! Which column of a table says of which split a row is, or which several do, such as `is_valid` and `is_test`.

use std::collections::HashSet;

use super::columns::is_split_name;
use super::table::Table;
use crate::scan::names::plain;
use crate::scan::split_of;
use crate::{Notice, Split};

/// What says of which split a row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scan) enum SplitColumn {
    /// A column of their names.
    Named(usize),
    /// Columns that say whether a row is of one of them, as `is_valid` does, one for each split at the most. Rows that are of none of these are of
    /// the first that is left.
    Flags(Vec<(usize, Split)>),
}

impl SplitColumn {
    pub(in crate::scan) fn columns(&self) -> Vec<usize> {
        match self {
            SplitColumn::Named(column) => vec![*column],
            SplitColumn::Flags(flags) => flags.iter().map(|(column, _)| *column).collect(),
        }
    }

    /// What the columns are called.
    pub(in crate::scan) fn names(&self, header: &[String]) -> String {
        let names: Vec<&str> = self.columns().into_iter().map(|column| header[column].as_str()).collect();
        names.join(", ")
    }

    /// The split of a row; `field` gives its value in a column, `named` the split of a name.
    pub(in crate::scan) fn split<'a>(
        &self,
        header: &[String],
        field: impl Fn(usize) -> &'a str,
        named: impl Fn(&str) -> Result<Split, String>,
    ) -> Result<Split, String> {
        let flags = match self {
            SplitColumn::Named(column) => return named(field(*column)),
            SplitColumn::Flags(flags) => flags,
        };
        let mut yes: Option<(usize, Split)> = None;
        for &(column, split) in flags {
            match truth(field(column)) {
                Some(true) => {
                    if let Some((other, _)) = yes.replace((column, split)) {
                        return Err(format!("both {} and {} say yes", header[other], header[column]));
                    }
                }
                Some(false) => {}
                None => {
                    return Err(format!(
                        "\"{}\" is neither true nor false, and {} says the split",
                        field(column),
                        header[column]
                    ));
                }
            }
        }
        let is_free = |split: &Split| flags.iter().all(|(_, of)| of != split);
        let rest = Split::ALL.into_iter().find(is_free);
        let none = || format!("none of {} says yes", self.names(header));
        yes.map(|(_, split)| split).or(rest).ok_or_else(none)
    }
}

/// What a value says that can say yes and no alone.
pub(in crate::scan) fn truth(value: &str) -> Option<bool> {
    match value.to_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "t" | "1.0" | "verdadero" | "sí" | "si" | "verdadeiro" | "sim"
        | "vrai" | "oui" | "wahr" | "ja" => Some(true),
        "false" | "0" | "no" | "n" | "f" | "0.0" | "falso" | "não" | "nao" | "faux" | "non" | "falsch"
        | "nein" => Some(false),
        _ => None,
    }
}

/// The split of the rows in which a column such as `is_valid` says yes, by its name.
pub(in crate::scan) fn flagged_split(name: &str) -> Option<Split> {
    let name = plain(name);
    let bare = name.strip_prefix("is").or_else(|| name.strip_prefix("es"));
    bare.and_then(split_of).or_else(|| split_of(&name))
}

/// Flags of which each is the first of its split.
pub(in crate::scan) fn first_of_each(flags: impl Iterator<Item = (usize, Split)>) -> Option<SplitColumn> {
    let mut kept: Vec<(usize, Split)> = Vec::new();
    for (column, split) in flags {
        if kept.iter().all(|(_, of)| *of != split) {
            kept.push((column, split));
        }
    }
    (!kept.is_empty()).then_some(SplitColumn::Flags(kept))
}

/// The column that a recipe asks for: by its values yes and no where its name is of one split, else names.
pub(super) fn asked(table: &Table, column: usize) -> SplitColumn {
    let says = || table.values(column).any(|value| truth(value).is_some());
    match flagged_split(&table.header[column]).filter(|_| says()) {
        Some(split) => SplitColumn::Flags(vec![(column, split)]),
        None => SplitColumn::Named(column),
    }
}

/// The columns that say it by their names and by all of their values.
pub(super) fn find(table: &Table, path: usize) -> Option<SplitColumn> {
    if let Some(split) = table.column("split") {
        return Some(SplitColumn::Named(split));
    }
    let mut named = candidates(table, path, is_split_name);
    let named = named.find(|&column| {
        let mut values = table.values(column).peekable();
        values.peek().is_some() && values.all(|value| value.parse::<Split>().is_ok())
    });
    // One that says nothing but yes, or nothing but no, parts nothing.
    let flag = |column: usize| {
        let values: HashSet<Option<bool>> = table.values(column).map(truth).collect();
        let is_flag = values.len() == 2 && !values.contains(&None);
        flagged_split(&table.header[column]).filter(|_| is_flag).map(|split| (column, split))
    };
    let flags = || first_of_each(candidates(table, path, |_| true).filter_map(flag));
    named.map(SplitColumn::Named).or_else(flags)
}

fn candidates(table: &Table, path: usize, wanted: fn(&str) -> bool) -> impl Iterator<Item = usize> {
    (0..table.header.len()).filter(move |&column| column != path && wanted(&table.header[column]))
}

/// Columns that say something of splits, but are not read: another one is, or not all of their values say it.
pub(super) fn unread(table: &Table, read: Option<&SplitColumn>, taken: &[usize]) -> Vec<Notice> {
    let used = read.map_or(Vec::new(), SplitColumn::columns);
    let one = |column: usize| {
        let name = &table.header[column];
        let (is_named, is_flag) = (is_split_name(name), flagged_split(name).is_some());
        let named = |value: &str| value.parse::<Split>().is_ok();
        let said = |value: &str| (is_named && named(value)) || (is_flag && truth(value).is_some());
        if !table.values(column).any(said) {
            return None;
        }
        let odd = table.values(column).find(|value| !said(value)).map(str::to_owned);
        // A flag that is the same for all rows says nothing.
        let distinct: HashSet<&str> = table.values(column).collect();
        if odd.is_none() && distinct.len() == 1 {
            return None;
        }
        let read = read.map(|read| read.names(&table.header));
        Some(Notice::SplitNotRead { column: name.clone(), odd, read })
    };
    let others = (0..table.header.len()).filter(|column| !used.contains(column) && !taken.contains(column));
    others.filter_map(one).collect()
}
