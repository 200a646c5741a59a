//! Which column of a table is which: by the recipe, by the usual names, or where nothing else can be meant.

use std::collections::{HashMap, HashSet};

use super::column_names::{GROUP, LABEL_NUMBERS, LABELS, PATHS, is_label_word, names_groups, rank};
use super::one_hot;
use super::split_values::meaning;
use super::splits::{self, SplitColumn};
use super::table::Table;
use crate::scan::names::{plain, words};
use crate::suggest::{nearest, setting, toml_string};
use crate::{BadLine, Layout, Notice};

/// What is wrong with the columns, or with a row that shows it. A bare reason is of the header.
pub(in crate::scan) struct Wrong {
    pub(in crate::scan) line: u64,
    pub(in crate::scan) reason: String,
}

impl From<String> for Wrong {
    fn from(reason: String) -> Wrong {
        Wrong { line: 1, reason }
    }
}

/// Where the columns are.
pub(super) struct Columns {
    pub(super) path: usize,
    pub(super) label: Label,
    pub(super) split: Option<SplitColumn>,
    pub(super) group: Option<usize>,
}

/// Where the class of a row stands.
pub(super) enum Label {
    /// It is the value of a column.
    Column(usize),
    /// It is the name of the column that is 1, or `rest` where none is.
    OneHot { columns: Vec<usize>, rest: Option<String> },
}

impl Columns {
    /// `group` is the column that a recipe asks for.
    pub(super) fn find(table: &Table, layout: &Layout, group: Option<&str>) -> Result<Columns, Wrong> {
        let asked = |key: &str, name: &Option<String>| -> Result<Option<usize>, String> {
            name.as_deref().map(|name| asked_for(table, key, name)).transpose()
        };
        let groups = match group {
            Some(name) => Some(asked_for(table, "group", name)?),
            None => table.column(GROUP),
        };
        let path = match asked("path_column", &layout.path_column)? {
            Some(path) => path,
            None => path_column(table)?,
        };
        let split = match &layout.split_column {
            Some(_) if layout.reads_no_split() => None,
            Some(name) => Some(splits::asked(table, asked_for(table, "split_column", name)?, layout)),
            None => splits::find(table, Some(path), layout),
        };
        let of_splits = split.as_ref().map_or(Vec::new(), SplitColumn::columns);
        let taken: Vec<usize> = [Some(path), groups].into_iter().flatten().chain(of_splits).collect();
        let label = match asked("label_column", &layout.label_column)? {
            Some(label) => Label::Column(label),
            None if !layout.one_hot.is_empty() => {
                let columns = layout.one_hot.iter().map(|name| asked_for(table, "one_hot", name));
                let columns: Vec<usize> = columns.collect::<Result<_, _>>()?;
                Label::OneHot { columns, rest: layout.one_hot_rest.clone() }
            }
            None => label_column(table, &taken, layout)?,
        };
        Ok(Columns { path, label, split, group: groups })
    }

    /// What was taken for what, in words.
    pub(super) fn said(&self, table: &Table, layout: &Layout) -> String {
        let name = |column: usize| table.header[column].as_str();
        let read = match table.western.as_deref() {
            None => String::new(),
            Some("") => " read as Windows-1252".to_owned(),
            Some(word) => format!(" read as Windows-1252 (such as {word})"),
        };
        let mut text = format!("table {}{read}: {} names the files", table.name(), name(self.path));
        match &self.label {
            Label::Column(label) => text += &format!(", {} the classes", name(*label)),
            Label::OneHot { columns, rest } => {
                let names: Vec<&str> = columns.iter().map(|&column| name(column)).collect();
                text += &format!(", the class is which of {} is 1", names.join(", "));
                if let Some(rest) = rest {
                    text += &format!(", else {rest}");
                }
            }
        }
        if let Some(split) = &self.split {
            text += &split.said(table, layout);
        }
        if let Some(column) = self.group {
            text += &format!(", {} the groups", name(column));
        }
        text
    }

    /// The column of the classes, if it is one.
    pub(super) fn label_name(&self, table: &Table) -> Option<String> {
        match self.label {
            Label::Column(label) => Some(table.header[label].clone()),
            Label::OneHot { .. } => None,
        }
    }

    /// A column that seems to say which images belong together, with the number of its values: of several the one with
    /// the fewest, since a patient has several lesions.
    pub(super) fn looks_like_group<'a>(&self, table: &'a Table) -> Option<(&'a str, usize)> {
        let is_label = |column| match &self.label {
            Label::Column(label) => *label == column,
            Label::OneHot { columns, .. } => columns.contains(&column),
        };
        if self.group.is_some() {
            return None;
        }
        let others =
            (0..table.header.len()).filter(|c| *c != self.path && !self.says_splits(*c) && !is_label(*c));
        let named = others.filter(|&c| names_groups(&table.header[c]));
        let counted = named.filter_map(|column| {
            let filled: Vec<&str> = table.values(column).filter(|value| !value.is_empty()).collect();
            let values: HashSet<&str> = filled.iter().copied().collect();
            (values.len() > 1 && values.len() < filled.len()).then_some((values.len(), column))
        });
        counted.min().map(|(groups, column)| (table.header[column].as_str(), groups))
    }

    fn says_splits(&self, column: usize) -> bool {
        self.split.as_ref().is_some_and(|split| split.columns().contains(&column))
    }

    /// Columns that say something of splits and are not read.
    pub(super) fn unread_splits(&self, table: &Table, layout: &Layout) -> Vec<Notice> {
        let labels = match &self.label {
            Label::Column(label) => vec![*label],
            Label::OneHot { columns, .. } => columns.clone(),
        };
        let taken: Vec<usize> = [Some(self.path), self.group].into_iter().flatten().chain(labels).collect();
        splits::unread(table, self.split.as_ref(), &taken, layout)
    }

    /// The rows that have no class, told once, with what to type.
    pub(super) fn unlabelled(&self, table: &Table, layout: &Layout) -> Option<BadLine> {
        let Label::Column(label) = self.label else { return None };
        if layout.rename.contains_key("") {
            return None;
        }
        let split = match self.split {
            Some(SplitColumn::Named(column)) => Some(column),
            _ => None,
        };
        let is_empty = |row: &csv::StringRecord| row.get(label).is_none_or(str::is_empty);
        let left_out = |row: &csv::StringRecord| {
            split.and_then(|split| row.get(split)).is_some_and(|value| meaning(value, layout) == Some(None))
        };
        let rows = || table.rows.iter().filter(|(_, row)| !left_out(row));
        let (line, first) = rows().find(|(_, row)| is_empty(row))?;
        let count = rows().filter(|(_, row)| is_empty(row)).count();
        // A test set whose classes nobody tells, as competitions have it.
        let of_split = split.and_then(|split| first.get(split)).filter(|value| {
            let same = |row: &csv::StringRecord| split.and_then(|split| row.get(split)) == Some(*value);
            rows().all(|(_, row)| is_empty(row) == same(row))
        });
        let reason = without_label(&table.header[label], count, of_split);
        Some(BadLine { line: *line, reason })
    }

    /// A column of the numbers of folds, which is not read.
    pub(super) fn folds<'a>(&self, table: &'a Table) -> Option<&'a str> {
        let column = splits::folds(table)?;
        let taken = matches!(self.label, Label::Column(label) if label == column)
            || self.says_splits(column)
            || self.group == Some(column);
        (!taken).then_some(table.header[column].as_str())
    }
}

/// What to type where the class of so many rows is empty, which are all rows of a split, or some rows.
pub(in crate::scan) fn without_label(column: &str, rows: usize, of_split: Option<&str>) -> String {
    let others = match rows - 1 {
        0 => String::new(),
        1 => " (and of 1 other)".to_owned(),
        n => format!(" (and of {n} others)"),
    };
    let what = match of_split {
        Some(value) => format!(
            "that is all rows of {value}, which --set 'data.split_values={{ {} = \"none\" }}' leaves out",
            toml_string(value)
        ),
        None => "leave them out of the data, or make a class of them: --set 'data.rename={ \"\" = \"unlabeled\" }'"
            .to_owned(),
    };
    format!("the {column} is empty{others}; {what}")
}

/// The column of the files, where the others cannot be told.
pub(super) fn path_only(table: &Table, layout: &Layout) -> Option<usize> {
    match &layout.path_column {
        Some(name) => table.column(name),
        None => path_column(table).ok(),
    }
}

/// The column that a key asks for.
pub(super) fn asked_for(table: &Table, key: &str, name: &str) -> Result<usize, String> {
    table.column(name).ok_or_else(|| {
        let header = table.header.iter().map(String::as_str);
        let hint = nearest(name, header).map_or(String::new(), |n| format!("; did you mean `{n}`?"));
        format!("data.{key} asks for the column `{name}`, but the columns are {}{hint}", names(&table.header))
    })
}

/// The columns, the first of many.
fn names(header: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown = header.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match header.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn path_column(table: &Table) -> Result<usize, String> {
    if let Some(column) = table.path_by_files {
        return Ok(column);
    }
    let known =
        (0..table.header.len()).filter_map(|column| Some((rank(PATHS, &table.header[column])?, column)));
    if let Some((_, column)) = known.min() {
        return Ok(column);
    }
    let is_data = table.header.iter().any(|name| super::files::has_image_extension(name));
    if is_data {
        return Err(format!(
            "it holds data, and should be a header: put a line such as \"path,label\" before it (it is \"{}\")",
            names(&table.header)
        ));
    }
    let looks_like_files = |column: &usize| {
        let mut values = table.values(*column).peekable();
        values.peek().is_some() && values.all(super::files::has_image_extension)
    };
    let files: Vec<usize> = (0..table.header.len()).filter(looks_like_files).collect();
    match files[..] {
        [column] => Ok(column),
        _ => Err(format!(
            "the header must name the columns path and label, and may name split and group; it is \"{}\"; which column \
             names the files is said by --set data.path_column=NAME",
            header_text(&table.header)
        )),
    }
}

/// As the header stands in the file; the first of many columns.
fn header_text(header: &[String]) -> String {
    if header.len() > 12 { names(header) } else { header.join(",") }
}

fn label_column(table: &Table, taken: &[usize], layout: &Layout) -> Result<Label, Wrong> {
    if let Some(label) = table.column("label").filter(|label| !taken.contains(label)) {
        return Ok(Label::Column(label));
    }
    let others: Vec<usize> = (0..table.header.len()).filter(|column| !taken.contains(column)).collect();
    // Beside x it is a place in the picture.
    let is_place = |column: usize| plain(&table.header[column]) == "y" && table.column("x").is_some();
    let known = others.iter().filter(|&&column| !is_place(column));
    let mut known: Vec<(usize, usize)> =
        known.filter_map(|&column| Some((rank(LABELS, &table.header[column])?, column))).collect();
    known.sort_unstable();
    let mut known: Vec<usize> = known.into_iter().map(|(_, column)| column).collect();
    if known.is_empty() {
        known.extend(others.iter().filter(|column| rank(LABEL_NUMBERS, &table.header[**column]).is_some()));
    }
    if known.is_empty() {
        // `Finding Labels`, `true_class`, where one alone is called so.
        let is_label =
            |column: &&usize| words(&table.header[**column]).last().is_some_and(|last| is_label_word(last));
        let named: Vec<usize> = others.iter().filter(is_label).copied().collect();
        known.extend(named.iter().take(1).filter(|_| named.len() == 1));
    }
    match known[..] {
        [] => {}
        [label] => return Ok(Label::Column(label)),
        [first, ..] if known.iter().all(|&column| say_the_same(table, first, column)) => {
            // `class_id` and `class_name`: names say more than numbers.
            let is_text = |&column: &usize| table.values(column).any(|value| value.parse::<f64>().is_err());
            return Ok(Label::Column(known.iter().copied().find(is_text).unwrap_or(first)));
        }
        _ => {
            // `benign_malignant` beside `target` says the same in words, whatever it is called.
            let in_words = |column: &usize| {
                let values: HashSet<&str> = table.values(*column).collect();
                !known.contains(column)
                    && values.len() < table.rows.len()
                    && values.iter().all(|value| value.parse::<f64>().is_err())
                    && known.iter().any(|&of| say_the_same(table, of, *column))
            };
            let words: Vec<usize> = others.iter().copied().filter(in_words).collect();
            let all: Vec<usize> = words.into_iter().chain(known).collect();
            return Err(which_label(table, &all, "several columns may be the class").into());
        }
    }
    if let Some(label) = one_hot::find(table, &others, layout)? {
        return Ok(label);
    }
    match others[..] {
        [label] => Ok(Label::Column(label)),
        [] => Err(format!(
            "the header must name the columns path and label; it is \"{}\"",
            header_text(&table.header)
        )
        .into()),
        _ => match one_hot::shares(table, &others) {
            Some(reason) => Err(reason.into()),
            None => Err(which_label(table, &others, "no column is called label").into()),
        },
    }
}

fn which_label(table: &Table, columns: &[usize], why: &str) -> String {
    let columns: Vec<String> = columns.iter().map(|&column| table.header[column].clone()).collect();
    let first = columns.first().map_or("", String::as_str);
    format!("{why}: {}; say which, such as {}", names(&columns), setting("data.label_column", first))
}

/// Whether each value of one column stands beside one value of the other.
fn say_the_same(table: &Table, a: usize, b: usize) -> bool {
    let (mut there, mut back) = (HashMap::new(), HashMap::new());
    table
        .values(a)
        .zip(table.values(b))
        .all(|(a, b)| *there.entry(a).or_insert(b) == b && *back.entry(b).or_insert(a) == a)
}
