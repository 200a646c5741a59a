//! Tables with a row for each image: which file, which class, perhaps which split and group.
//!
//! A table has a header. Its separator is found ([`table`]), then its columns ([`columns`]; [`one_hot`] where the class is
//! which column is 1), then its files ([`files`]). A folder may have its tables in it ([`beside`]).

mod beside;
mod column_names;
mod columns;
mod files;
mod groups;
mod groups_beside;
mod json_lines;
mod label_lists;
mod lists;
mod one_hot;
mod several;
mod split_values;
mod splits;
mod table;
mod western;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use columns::{Columns, Label};
use csv::StringRecord;
use files::{Finder, Row};
use groups_beside::GroupsBeside;

use super::{Beside, Listed, Listing};
use crate::pattern::Patterns;
use crate::{BadLine, Form, Layout, Notice, ScanError, Split, Taken};

pub(super) use beside::{
    Beside as BesideClasses, Found, Tables, has_tables_of_splits, is_called_list, look, of_split_folder,
    tables_of, unread_tables,
};
pub(super) use column_names::{
    GROUP, is_label_name, is_path_name, is_pixel_name, is_pixel_table, is_split_name, names_groups,
    names_one_of_groups,
};
pub(super) use columns::{Wrong, without_label};
pub(super) use groups::Groups;
pub(super) use lists::{Lists, beside_named, parting_line};
pub(super) use one_hot::{class as one_hot_class, find_one_hot};
pub(super) use split_values::{meaning, say_splits, shown};
pub(super) use splits::{
    ColumnSplits, HOW_NONE, SplitColumn, find_split, is_fold_name, odd as odd_split, of_columns, split_asked,
};
pub(super) use table::{Lines, Table, reason_of as table_reason, text_of as table_text, wrong_length};

/// Whether a file is a table by its name.
pub(super) fn is_table(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    ["csv", "tsv", "tab", "jsonl"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// What is asked of a table.
pub(super) struct Wanted<'a> {
    pub(super) patterns: &'a Patterns<'a>,
    pub(super) layout: &'a Layout,
    /// The column that says which samples belong together; without it `group`, if there is such a column.
    pub(super) group: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// Where no group is asked for.
    pub(super) fn without_group(patterns: &'a Patterns<'a>, layout: &'a Layout) -> Wanted<'a> {
        Wanted { patterns, layout, group: None }
    }
}

/// The rows of the table at `path`.
pub(super) fn list(path: &Path, wanted: &Wanted<'_>) -> Result<Listing, ScanError> {
    let folder = folder_of(path);
    list_all(folder, &[(None, path.to_owned())], wanted)
}

/// The rows of tables of the data set in `root`, each with the split that its name says, if it says one.
pub(super) fn list_all(
    root: &Path,
    tables: &[(Option<Split>, PathBuf)],
    wanted: &Wanted<'_>,
) -> Result<Listing, ScanError> {
    let mut files = Vec::new();
    let mut beside = Beside::default();
    let keys = vec!["data.path_column", "data.label_column", "data.split_column", "data.images"];
    let mut taken = Taken { what: Vec::new(), keys };
    let mut seen: HashMap<PathBuf, Seen> = HashMap::new();
    let (named, whole): (Vec<_>, Vec<_>) = tables.iter().partition(|(split, _)| split.is_some());
    let of_rest = !named.is_empty();
    for (split, path) in named.into_iter().chain(whole) {
        let mut table = Table::read(path)?;
        let finder = Finder::new(root, folder_of(path), wanted.layout)?;
        finder.find_path(&mut table, wanted.layout);
        let rows = rows((root, &finder), &table, *split, wanted, &mut beside, &mut seen, of_rest)?;
        let unsaid = split.is_none() && of_rest;
        files.extend(rows.files.into_iter().map(|file| match file.split {
            None if unsaid => Listed { split: Some(Split::Train), ..file },
            _ => file,
        }));
        taken.what.push(match split {
            Some(split) => format!("{split}: {}", rows.said),
            None if of_rest => format!(
                "{}: {}, without the {} rows of the other tables",
                Split::Train,
                rows.said,
                rows.elsewhere
            ),
            None => rows.said,
        });
    }
    let mut listing =
        Listing { form: Form::Manifest, taken, base: root.to_owned(), files, partial: false, beside };
    listing.part_by_folders(root, wanted);
    if listing.files.is_empty() {
        let found =
            if listing.beside.excluded > 0 { "data.exclude leaves out every row" } else { "it has no rows" };
        let path = tables.first().map_or(root, |(_, path)| path);
        return Err(ScanError::NoImages { path: path.to_owned(), found: found.to_owned() });
    }
    Ok(listing)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where a file was named, and which class it has there.
struct Seen {
    table: String,
    line: u64,
    class: String,
    split: Option<Split>,
    group: Option<Arc<str>>,
}

/// The files of a table, what was taken for what, and how many rows another table has.
struct Rows {
    files: Vec<Listed>,
    said: String,
    elsewhere: usize,
}

fn rows(
    (root, finder): (&Path, &Finder<'_>),
    table: &Table,
    of_table: Option<Split>,
    wanted: &Wanted<'_>,
    beside: &mut Beside,
    seen: &mut HashMap<PathBuf, Seen>,
    of_rest: bool,
) -> Result<Rows, ScanError> {
    let failed = |lines| ScanError::Manifest { path: table.path.clone(), lines };
    let other = wanted.group.filter(|name| table.column(name).is_none()).and_then(|name| {
        let columns = Columns::find(table, wanted.layout, None).ok()?;
        GroupsBeside::of(table, columns.path, name)
    });
    let group = wanted.group.filter(|_| other.is_none());
    let columns = Columns::find(table, wanted.layout, group).map_err(|Wrong { line, reason }| {
        // What the rows that are left seem to say of the columns says little where others cannot be used.
        let mut lines = table.bad.clone();
        if lines.is_empty() || !table.rows.is_empty() {
            lines.insert(0, BadLine { line, reason });
        }
        failed(lines)
    })?;
    let (mut read, mut bad) = (Vec::new(), table.bad.clone());
    if let Some(SplitColumn::Named(column)) = &columns.split {
        bad.extend(splits::odd(table, *column, wanted.layout));
    }
    bad.extend(columns.unlabelled(table, wanted.layout));
    for (line, record) in &table.rows {
        match read_row(table, record, &columns, wanted.layout) {
            Ok(Some(mut row)) => {
                if let Some(other) = &other {
                    row.group = other.group(&row.name);
                }
                read.push((*line, row));
            }
            // Left out by its split, or told with all of its kind.
            Ok(None) => beside.excluded += 1,
            Err(reason) => bad.push(BadLine { line: *line, reason }),
        }
    }
    // As a manifest's paths always were: what is left out need not be there.
    read.retain(|(_, row)| {
        // By its file, and, as a class folder would be, by its class.
        let excluded =
            wanted.patterns.exclude(Path::new(&row.name)) | wanted.patterns.exclude(Path::new(&row.class));
        beside.excluded += usize::from(excluded);
        !excluded
    });
    bad.extend(several_classes(&read, &columns, table, wanted, beside));
    let asked: Vec<Row<'_>> = read.iter().map(|(_, row)| Row { name: &row.name, split: row.split }).collect();
    let hint = of_table.or_else(|| super::names::split_of(&table.path.file_stem()?.to_string_lossy()));
    let resolved = finder.resolve(&asked, hint);
    if resolved.found == 0
        && bad.is_empty()
        && let Some(Ok(first)) = resolved.paths.first()
    {
        // Not a few lost files, but a wrong folder.
        let hint = read.first().and_then(|(_, row)| finder.sibling(&row.name));
        let hint = hint.unwrap_or_else(|| {
            "paths are relative to the table's own folder, or to those of data.images, and no file below them has the \
             name"
                .to_owned()
        });
        let (n, first) = (read.len(), first.strip_prefix(".").unwrap_or(first).display());
        let found = format!("none of its {n} files exist (the first is {first}); {hint}");
        return Err(ScanError::NoImages { path: table.path.clone(), found });
    }
    let (mut files, mut elsewhere) = (Vec::with_capacity(read.len()), 0);
    let (mut repeated, mut first_repeated) = (0, 0);
    for ((line, row), path) in read.into_iter().zip(resolved.paths) {
        let ReadRow { name: _, class, split, group } = row;
        match path {
            // The names of files that were searched are below the data set, as those of folders are.
            Ok(path)
                if (resolved.searched
                    && wanted.patterns.exclude(path.strip_prefix(root).unwrap_or(&path)))
                    || wanted.patterns.lists(path.strip_prefix(root).unwrap_or(&path)) =>
            {
                beside.excluded += 1;
            }
            Ok(path) => {
                if let Some(first) = seen.get(&path) {
                    let here = first.table == table.name();
                    if here && first.class == class && first.split == split && first.group == group {
                        first_repeated = if repeated == 0 { line } else { first_repeated };
                        repeated += 1;
                        continue;
                    }
                    let of = if here { String::new() } else { format!(" of {}", first.table) };
                    let path = path.display();
                    // What another table has is not this one's, where this one is for the rest.
                    let reason = if here || of_table.is_some() || !of_rest {
                        format!("{path} is already on line {}{of}", first.line)
                    } else if first.class == class {
                        elsewhere += 1;
                        continue;
                    } else {
                        format!("{path} is {class} here, and {} on line {}{of}", first.class, first.line)
                    };
                    bad.push(BadLine { line, reason });
                    continue;
                }
                let (name, group_of) = (table.name(), group.clone());
                let first = Seen { table: name, line, class: class.clone(), split, group: group_of };
                seen.insert(path.clone(), first);
                files.push(Listed { path, class, split: of_table.or(split), group });
            }
            Err(reason) => bad.push(BadLine { line, reason }),
        }
    }
    if !bad.is_empty() {
        bad.sort_by_key(|bad| bad.line);
        return Err(failed(bad));
    }
    if repeated > 0 {
        let (table, line) = (table.path.clone(), first_repeated);
        beside.notices.push(Notice::RepeatedRows { table, rows: repeated, line });
    }
    let split_given = of_table.is_some() || columns.split.is_some();
    if let Some((column, groups)) = columns.looks_like_group(table) {
        let (column, images) = (column.to_owned(), table.rows.len());
        beside.notices.push(Notice::LooksLikeGroup { column, groups, images, split_given });
    } else if columns.group.is_none() && other.is_none() {
        beside.notices.extend(groups_beside::notice(table, columns.path, split_given));
    }
    beside.notices.extend(columns.unread_splits(table, wanted.layout));
    if let Some(column) = columns.folds(table) {
        beside.notices.push(Notice::Folds { column: column.to_owned() });
    }
    let mut said = columns.said(table, wanted.layout);
    said += other.as_ref().map_or("", |other| &other.said);
    if resolved.searched {
        let among = match &wanted.layout.images[..] {
            [] => root.display().to_string(),
            folders => folders.join(", "),
        };
        said += &format!("; files found by their names below {among}");
    }
    if let Some((name, file)) = &resolved.renamed {
        said += &format!("; {name} is {file}, and the others likewise");
    }
    if resolved.copies > 0 {
        said += &format!(
            "; of {} names several files are there, which are the same, and the first is taken",
            resolved.copies
        );
    }
    Ok(Rows { files, said, elsewhere })
}

/// Tells once of rows that are of several classes: why they are not read, or, where the recipe names the column, that each combination is a class.
fn several_classes(
    read: &[(u64, ReadRow)],
    columns: &Columns,
    table: &Table,
    wanted: &Wanted<'_>,
    beside: &mut Beside,
) -> Option<BadLine> {
    let classes = || read.iter().map(|(_, row)| &*row.class);
    let separator = match &columns.label {
        Label::OneHot { .. } => several::JOINED,
        Label::Column(label) => several::separator(&table.header[*label], classes())?,
    };
    let is_several = |class: &str| match &columns.label {
        // A column may have the sign in its name.
        Label::OneHot { columns, rest } => {
            rest.as_deref() != Some(class) && columns.iter().all(|&column| table.header[column] != class)
        }
        Label::Column(_) => class.split(separator).filter(|part| !part.trim().is_empty()).count() > 1,
    };
    let (line, first) = read.iter().find(|(_, row)| is_several(&row.class))?;
    let rows = classes().filter(|class| is_several(class)).count();
    if wanted.layout.label_column.is_some() {
        let (example, exclude) = (first.class.clone(), several::left_out(separator, &[]));
        beside.notices.push(Notice::SeveralClasses { rows, example, exclude });
        return None;
    }
    let example = &*first.class;
    let reason = match &columns.label {
        Label::OneHot { columns, rest } => one_hot::several(table, columns, rest.as_deref(), (rows, example)),
        Label::Column(label) => several::refusal(&table.header[*label], rows, example, separator),
    };
    Some(BadLine { line: *line, reason })
}

/// A row, before its file is looked for.
struct ReadRow {
    name: String,
    class: String,
    split: Option<Split>,
    group: Option<Arc<str>>,
}

/// A row; none where its split says that it is left out, or where what it lacks is told once for all such rows.
fn read_row(
    table: &Table,
    record: &StringRecord,
    columns: &Columns,
    layout: &Layout,
) -> Result<Option<ReadRow>, String> {
    let field = |column: usize| match record.get(column) {
        None | Some("") => Err(format!("the {} is empty", table.header[column])),
        Some(value) => Ok(value),
    };
    let name = field(columns.path)?.to_owned();
    let split = match &columns.split {
        Some(SplitColumn::Named(column)) => {
            let value = record.get(*column).unwrap_or_default();
            let said = meaning(value, layout);
            match said {
                Some(Some(split)) => Some(split),
                Some(None) => return Ok(None),
                None => return Ok(None),
            }
        }
        Some(flags) => {
            let value = |column: usize| record.get(column).unwrap_or_default();
            flags.split(&table.header, value, |_| Err(String::new()))?
        }
        None => None,
    };
    let joined;
    let class = match &columns.label {
        Label::Column(label) => match record.get(*label).unwrap_or_default() {
            "" if !layout.rename.contains_key("") => return Ok(None),
            class => class,
        },
        Label::OneHot { columns, rest } => {
            joined = one_hot::classes(&table.header, record, columns, rest.as_deref())?;
            &joined
        }
    };
    // A row without a group is a group of its own.
    let group = columns.group.and_then(|column| record.get(column)).filter(|name| !name.is_empty());
    Ok(Some(ReadRow { name, class: class.to_owned(), split, group: group.map(Arc::from) }))
}
