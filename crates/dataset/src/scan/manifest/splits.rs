//! Which column of a table says of which split a row is, or which several do, such as `is_valid` and `is_test`.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use super::column_names::{is_label_name, is_split_name};
use super::table::Table;
use crate::scan::names::plain;
use crate::scan::split_of;
use crate::suggest::{nearest, toml_string};
use crate::{BadLine, Layout, Notice, Split};

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

/// The split of the rows in which a column such as `is_valid` or `val_mask` says yes, by its name.
pub(in crate::scan) fn flagged_split(name: &str) -> Option<Split> {
    let name = plain(name);
    let name = name.strip_suffix("mask").unwrap_or(&name);
    let bare = name.strip_prefix("is").or_else(|| name.strip_prefix("es"));
    bare.and_then(split_of).or_else(|| split_of(name))
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

/// What a value means: a split, or that its row is left out; none where it says nothing of splits.
pub(in crate::scan) fn meaning(value: &str, layout: &Layout) -> Option<Option<Split>> {
    // What is said of `val` holds for `dev` too, unless that is said by itself.
    layout.split_value(value).or_else(|| {
        let split = by_name(value)?;
        Some(layout.split_value(split.name()).unwrap_or(Some(split)))
    })
}

/// The split of a value by itself. Competitions call the set that they show results on while they run `PublicTest`, and the one that
/// decides `PrivateTest`.
pub(in crate::scan) fn by_name(value: &str) -> Option<Split> {
    match value.to_lowercase().as_str() {
        "publictest" | "public" => Some(Split::Val),
        "privatetest" | "private" => Some(Split::Test),
        _ => value.parse().ok(),
    }
}

/// Whether values name splits, whatever their column is called: all of them do, and one of several is the training set.
pub(in crate::scan) fn say_splits<'a>(values: impl Iterator<Item = &'a str>) -> bool {
    let mut found = BTreeSet::new();
    for value in values {
        let Some(split) = by_name(value) else { return false };
        found.insert(split);
    }
    found.len() > 1 && found.contains(&Split::Train)
}

/// The rows of a column of splits whose values say none, told once, with what to type; empty values are told with their rows.
pub(super) fn odd(table: &Table, column: usize, layout: &Layout) -> Option<BadLine> {
    let said = |value: &str| value.is_empty() || meaning(value, layout).is_some();
    let odd = || table.rows.iter().filter(|(_, row)| !row.get(column).is_some_and(said));
    let (line, first) = odd().next()?;
    let first = first.get(column).unwrap_or_default();
    let values: BTreeSet<&str> = odd().filter_map(|(_, row)| row.get(column)).collect();
    let rows = odd().count();
    Some(BadLine { line: *line, reason: says_no_split(&table.header[column], first, &values, rows) })
}

/// Values that are shown with what they may mean.
const SHOWN: usize = 6;

/// What to type where values of a column, in so many rows, say no split.
pub(in crate::scan) fn says_no_split(
    column: &str,
    first: &str,
    values: &BTreeSet<&str>,
    rows: usize,
) -> String {
    let others = match rows - 1 {
        0 => String::new(),
        1 => " (nor does that of 1 other row)".to_owned(),
        n => format!(" (nor do those of {n} other rows)"),
    };
    if values.len() > SHOWN {
        return format!(
            "the column {column} says the split, and its value \"{first}\" is none{others}; it has {} such values: if another \
             column says it, --set data.split_column=NAME, else write train, val or test",
            values.len()
        );
    }
    let pairs = meanings(values);
    format!(
        "the column {column} says the split, and its value \"{first}\" is none{others}; say what is meant: --set \
         'data.split_values={{ {} }}' (train, val, test, or none for rows that are left out)",
        pairs
    )
}

/// What values may mean that are no names of splits, as TOML has it: `0 = "train", 1 = "val"`.
fn meanings(values: &BTreeSet<&str>) -> String {
    // Numbers count the splits in their order; of two the second is what a model is judged on.
    let number = |value: &&str| {
        let digits = value.trim_start_matches(|c: char| !c.is_ascii_digit());
        let is_fold = value.len() == digits.len() || is_fold_name(&value[..value.len() - digits.len()]);
        is_fold && digits.parse::<u64>().is_ok()
    };
    let numbers: Vec<&str> = values.iter().copied().filter(number).collect();
    let meant = |value: &str| match numbers.iter().position(|number| *number == value) {
        None => nearest(value, Split::ALL.map(Split::name)).unwrap_or("none"),
        // More are the numbers of folds, of which one is validated on.
        Some(at) if numbers.len() > 3 => {
            if at + 1 == numbers.len() {
                "val"
            } else {
                "train"
            }
        }
        Some(at) => Split::ALL[at].name(),
    };
    let pairs: Vec<String> = values
        .iter()
        .take(SHOWN)
        .map(|value| format!("{} = \"{}\"", toml_string(value), meant(value)))
        .collect();
    pairs.join(", ")
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
    let table = Table { path: PathBuf::new(), header, rows, bad: Vec::new() };
    let column = match layout.split_column.as_deref().and_then(|name| table.column(name)) {
        Some(column) => Some(asked(&table, column)),
        None => find(&table, None, layout),
    };
    if let Some(SplitColumn::Named(column)) = &column
        && let Some(BadLine { reason, .. }) = odd(&table, *column, layout)
    {
        return Err(reason);
    }
    let mut notices = unread(&table, column.as_ref(), &[]);
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
pub(super) fn find(table: &Table, path: Option<usize>, layout: &Layout) -> Option<SplitColumn> {
    if let Some(split) = table.column("split") {
        return Some(SplitColumn::Named(split));
    }
    let mut named = candidates(table, path, is_split_name);
    let named = named.find(|&column| {
        let mut values = table.values(column).peekable();
        values.peek().is_some() && values.all(|value| meaning(value, layout).is_some())
    });
    // One that says nothing but yes, or nothing but no, parts nothing.
    let flag = |column: usize| {
        let values: HashSet<Option<bool>> = table.values(column).map(truth).collect();
        let is_flag = values.len() == 2 && !values.contains(&None);
        flagged_split(&table.header[column]).filter(|_| is_flag).map(|split| (column, split))
    };
    let flags = || first_of_each(candidates(table, path, |_| true).filter_map(flag));
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
pub(super) fn unread(table: &Table, read: Option<&SplitColumn>, taken: &[usize]) -> Vec<Notice> {
    let used = read.map_or(Vec::new(), SplitColumn::columns);
    let one = |column: usize| {
        let name = &table.header[column];
        let (is_named, is_flag) = (is_split_name(name), flagged_split(name).is_some());
        let named = |value: &str| by_name(value).is_some();
        let said = |value: &str| (is_named && named(value)) || (is_flag && truth(value).is_some());
        // A column called so that counts: 0, 1 and perhaps 2, or from 1.
        let counts = || {
            let values: BTreeSet<&str> = table.values(column).collect();
            is_named
                && [&["0", "1"][..], &["0", "1", "2"], &["1", "2"], &["1", "2", "3"]]
                    .iter()
                    .any(|few| few.iter().copied().eq(values.iter().copied()))
        };
        if !table.values(column).any(said) && !counts() {
            return None;
        }
        let odd = table.values(column).find(|value| !said(value)).map(str::to_owned);
        // A flag that is the same for all rows says nothing.
        let distinct: HashSet<&str> = table.values(column).collect();
        if odd.is_none() && distinct.len() == 1 {
            return None;
        }
        let read = read.map(|read| read.names(&table.header));
        let meanings = meanings(&table.values(column).filter(|value| !named(value)).collect());
        Some(Notice::SplitNotRead { column: name.clone(), odd, meanings, read })
    };
    let others = (0..table.header.len()).filter(|column| !used.contains(column) && !taken.contains(column));
    others.filter_map(one).collect()
}
