//! Which column of a table says of which split a row is, or which several do, such as `is_valid` and `is_test`.

use std::collections::HashSet;
use std::path::Path;

use super::column_names::{is_label_name, is_split_name, names_folds};
use super::split_values::{
    Values, are_few, by_name, meaning, mixes_empty, said, say_splits, taken_for, truth,
};
use super::table::Table;
use crate::scan::names::{flagged_split, plain};
use crate::{BadLine, Layout, Notice, Split};

/// What to type where a column that was taken for the splits is something else.
pub(in crate::scan) const HOW_NONE: &str = " (data.split_column=none: no column does)";

/// What says of which split a row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scan) enum SplitColumn {
    /// A column of their names.
    Named(usize),
    /// Columns that say whether a row is of one of them, as `is_valid` does, one for each split at the most. Rows that are of none of these are of
    /// the first that is left.
    Flags(Vec<Flag>),
}

/// A column that says yes and no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scan) struct Flag {
    pub(in crate::scan) column: usize,
    /// What yes means.
    pub(in crate::scan) split: Split,
}

impl SplitColumn {
    pub(in crate::scan) fn columns(&self) -> Vec<usize> {
        match self {
            SplitColumn::Named(column) => vec![*column],
            SplitColumn::Flags(flags) => flags.iter().map(|flag| flag.column).collect(),
        }
    }

    /// The same of a table that has these columns at other places.
    pub(in crate::scan) fn at(self, places: &[usize]) -> SplitColumn {
        match self {
            SplitColumn::Named(column) => SplitColumn::Named(places[column]),
            SplitColumn::Flags(flags) => {
                let moved = |flag: Flag| Flag { column: places[flag.column], ..flag };
                SplitColumn::Flags(flags.into_iter().map(moved).collect())
            }
        }
    }

    /// What the columns are called.
    pub(in crate::scan) fn names(&self, header: &[String]) -> String {
        let names: Vec<&str> = self.columns().into_iter().map(|column| header[column].as_str()).collect();
        names.join(", ")
    }

    /// What was taken for what, in words that follow others.
    pub(super) fn said(&self, table: &Table, layout: &Layout) -> String {
        let name = |column: usize| table.header[column].as_str();
        let mut text = match self {
            SplitColumn::Named(column) => {
                format!(", {} the splits{}", name(*column), taken_for(table.values(*column), layout))
            }
            SplitColumn::Flags(flags) => {
                let one = |flag: &Flag| format!(", {} whether a row is {}", name(flag.column), flag.split);
                flags.iter().map(one).collect()
            }
        };
        // What nobody calls so was guessed, and may be something else.
        if !self.columns().into_iter().all(|column| is_split_name(name(column))) {
            text += HOW_NONE;
        }
        text
    }

    /// The split of a row; `field` gives its value in a column, `named` the split of a name, or none where the row is left out.
    pub(in crate::scan) fn split<'a>(
        &self,
        header: &[String],
        field: impl Fn(usize) -> &'a str,
        named: impl Fn(&str) -> Result<Option<Split>, String>,
    ) -> Result<Option<Split>, String> {
        let flags = match self {
            SplitColumn::Named(column) => return named(field(*column)),
            SplitColumn::Flags(flags) => flags,
        };
        let mut yes: Option<(usize, Split)> = None;
        for &Flag { column, split } in flags {
            match said(field(column)) {
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
        let is_free = |split: &Split| flags.iter().all(|flag| flag.split != *split);
        let rest = Split::ALL.into_iter().find(is_free);
        let none = || {
            format!(
                "none of {} says yes; what belongs to no split is left out by one column that says it, with --set \
                 'data.split_values={{ none = \"none\" }}'",
                self.names(header)
            )
        };
        yes.map(|(_, split)| split).or(rest).map(Some).ok_or_else(none)
    }
}

/// Flags of which each is the first of its split.
fn first_of_each(flags: impl Iterator<Item = Flag>) -> Option<SplitColumn> {
    let mut kept: Vec<Flag> = Vec::new();
    for flag in flags {
        if kept.iter().all(|other| other.split != flag.split) {
            kept.push(flag);
        }
    }
    (!kept.is_empty()).then_some(SplitColumn::Flags(kept))
}

/// A column that says yes and no of the split that it is called after, and says both.
fn flag(table: &Table, column: usize) -> Option<Flag> {
    let split = flagged_split(&table.header[column])?;
    let said: HashSet<Option<bool>> = table.values(column).map(said).collect();
    let some_say = table.values(column).any(|value| truth(value).is_some());
    (some_say && said.len() == 2 && !said.contains(&None) && !mixes_empty(table.values(column)))
        .then_some(Flag { column, split })
}

/// The column that a recipe asks for: by its values yes and no where its name is of one split and the recipe says nothing else of them,
/// else names.
pub(super) fn asked(table: &Table, column: usize, layout: &Layout) -> SplitColumn {
    let is_said = table.values(column).any(|value| layout.split_value(value).is_some());
    match flag(table, column).filter(|_| !is_said) {
        Some(flag) => SplitColumn::Flags(vec![flag]),
        None => SplitColumn::Named(column),
    }
}

/// The column that a recipe asks for, if it is there.
pub(in crate::scan) fn split_asked(table: &Table, layout: &Layout) -> Option<SplitColumn> {
    let column = table.column(layout.split_column.as_deref()?)?;
    Some(asked(table, column, layout))
}

/// The columns that say the splits where no recipe says which, and what is not read.
pub(in crate::scan) fn find_split(table: &Table, layout: &Layout) -> (Option<SplitColumn>, Vec<Notice>) {
    let split = find(table, None, layout);
    let labels = |column: &usize| is_label_name(&table.header[*column]);
    let taken: Vec<usize> = (0..table.header.len()).filter(labels).collect();
    let notices = unread(table, split.as_ref(), &taken, layout);
    (split, notices)
}

/// The rows of a column of splits whose values say none, told once, with what to type.
pub(in crate::scan) fn odd(table: &Table, column: usize, layout: &Layout) -> Option<BadLine> {
    let values = Values::of(table.values(column), layout);
    let is_odd = |row: &csv::StringRecord| values.odd.contains_key(row.get(column).unwrap_or_default());
    let (line, first) = table.rows.iter().find(|(_, row)| is_odd(row))?;
    let first = first.get(column).unwrap_or_default();
    Some(BadLine { line: *line, reason: values.refusal(&table.header[column], first) })
}

/// What columns of one value for each image say of splits.
pub(in crate::scan) struct ColumnSplits {
    /// The split of each image, none where it is left out; and the columns that say it.
    pub(in crate::scan) read: Option<(Vec<Option<Split>>, String)>,
    /// What is not read.
    pub(in crate::scan) notices: Vec<Notice>,
}

/// The same of columns that stand by themselves, such as NumPy's arrays, as of those of a table.
///
/// # Errors
/// The column that a recipe asks for, or that is called `split`, has values that say none.
pub(in crate::scan) fn of_columns(
    columns: Vec<(String, Vec<String>)>,
    layout: &Layout,
) -> Result<ColumnSplits, String> {
    let rows = columns.first().map_or(0, |(_, values)| values.len());
    let row = |at: usize| columns.iter().map(|(_, values)| values[at].as_str()).collect();
    let rows = (0..rows).map(|at| (at as u64, row(at))).collect();
    let header: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
    let table = Table::of(Path::new(""), header, rows);
    let column = match layout.split_column.as_deref().and_then(|name| table.column(name)) {
        Some(column) => Some(asked(&table, column, layout)),
        None => find(&table, None, layout),
    };
    if let Some(SplitColumn::Named(column)) = &column
        && let Some(BadLine { reason, .. }) = odd(&table, *column, layout)
    {
        return Err(reason);
    }
    let mut notices = unread(&table, column.as_ref(), &[], layout);
    let used = column.as_ref().map_or(Vec::new(), SplitColumn::columns);
    let folds = folds(&table).filter(|column| !used.contains(column));
    notices.extend(folds.map(|column| Notice::Folds { column: table.header[column].clone() }));
    let read: Option<Result<_, String>> = column.map(|column| {
        let splits = (0..table.rows.len()).map(|at| {
            let field = |column: usize| table.rows[at].1.get(column).unwrap_or_default();
            let named = |value: &str| {
                meaning(value, layout).ok_or_else(|| format!("the split of image {at} is empty"))
            };
            column.split(&table.header, field, named).map_err(|reason| format!("image {at}: {reason}"))
        });
        let splits = splits.collect::<Result<Vec<_>, String>>()?;
        Ok((splits, column.names(&table.header)))
    });
    Ok(ColumnSplits { read: read.transpose()?, notices })
}

/// Whether a name says that there are the numbers of folds.
pub(in crate::scan) fn is_fold_name(name: &str) -> bool {
    matches!(plain(name).as_str(), "fold" | "folds" | "kfold" | "cvfold" | "foldid")
}

/// The column of the numbers of folds.
pub(super) fn folds(table: &Table) -> Option<usize> {
    let column = table.header.iter().position(|name| is_fold_name(name))?;
    // -1, or the name of a split, for what is in no fold.
    let is_fold = |value: &str| value.parse::<i32>().is_ok() || by_name(value).is_some();
    table.values(column).all(is_fold).then_some(column)
}

/// The columns that say it by their names and by all of their values.
pub(in crate::scan) fn find(table: &Table, path: Option<usize>, layout: &Layout) -> Option<SplitColumn> {
    if layout.reads_no_split() {
        return None;
    }
    if let Some(split) = table.column("split") {
        return Some(SplitColumn::Named(split));
    }
    let mut named = candidates(table, path, is_split_name);
    let named = named.find(|&column| {
        table.values(column).next().is_some() && Values::of(table.values(column), layout).odd.is_empty()
    });
    // One that says nothing but yes, or nothing but no, parts nothing.
    let flags = || first_of_each(candidates(table, path, |_| true).filter_map(|column| flag(table, column)));
    // Nothing else can be meant, whatever it is called.
    let by_values = || {
        let asked = |column: &usize| {
            let name = Some(table.header[*column].as_str());
            name == layout.label_column.as_deref() || is_label_name(&table.header[*column])
        };
        candidates(table, path, |_| true)
            .filter(|column| !asked(column))
            .find(|&column| say_splits(table.values(column)))
    };
    named.or_else(by_values).map(SplitColumn::Named).or_else(flags)
}

fn candidates(table: &Table, path: Option<usize>, wanted: fn(&str) -> bool) -> impl Iterator<Item = usize> {
    (0..table.header.len()).filter(move |&column| Some(column) != path && wanted(&table.header[column]))
}

/// Columns that say something of splits, but are not read: another one is, or not all of their values say it.
pub(super) fn unread(
    table: &Table,
    read: Option<&SplitColumn>,
    taken: &[usize],
    layout: &Layout,
) -> Vec<Notice> {
    if layout.reads_no_split() {
        return Vec::new();
    }
    let used = read.map_or(Vec::new(), SplitColumn::columns);
    let one = |column: usize| {
        let name = &table.header[column];
        let (is_named, flagged) = (is_split_name(name), flagged_split(name));
        if !is_named && flagged.is_none() && !are_few(table.values(column)) {
            return None;
        }
        let values = Values::of(table.values(column), layout);
        // Some of its values are those of a split's column, whatever it is called.
        const FEW: usize = 8;
        let is_like = values.odd.len() <= FEW && values.said.len() > 1;
        let named = |value: &str| !values.odd.contains_key(value);
        let said = |value: &str| {
            ((is_named || is_like) && named(value)) || (flagged.is_some() && truth(value).is_some())
        };
        // A column called so that counts: 0, 1 and perhaps 2, or from 1.
        let counts = || {
            is_named
                && [&["0", "1"][..], &["0", "1", "2"], &["1", "2"], &["1", "2", "3"]]
                    .iter()
                    .any(|few| few.iter().copied().eq(values.odd.keys().copied()))
        };
        // So has one that is called so, and whose few values nobody else knows.
        let is_of_splits =
            || values.odd.keys().any(|value| value.parse::<f64>().is_err()) || names_folds(name);
        let is_told =
            || is_named && values.said.is_empty() && (2..=FEW).contains(&values.odd.len()) && is_of_splits();
        if !table.values(column).any(said) && !counts() && !is_told() {
            return None;
        }
        let odd = table.values(column).find(|value| !said(value)).map(str::to_owned);
        // A flag that is the same for all rows says nothing.
        let distinct: HashSet<&str> = table.values(column).collect();
        if odd.is_none() && distinct.len() == 1 {
            return None;
        }
        let read = read.map(|read| read.names(&table.header));
        let meanings = values.meanings(flagged);
        Some(Notice::SplitNotRead { column: name.clone(), odd, meanings, read })
    };
    let others = (0..table.header.len()).filter(|column| !used.contains(column) && !taken.contains(column));
    others.filter_map(one).collect()
}
