//! Tables whose columns are pixels: `label,pixel0,pixel1,...`, as MNIST is passed on in CSV files; or with all pixels of an
//! image in one column, separated by spaces.

mod columns;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::super::labels::Label;
use super::{Arrays, Contents, Part};
use crate::files;
use crate::pattern::Patterns;
use crate::scan::manifest::{
    HOW_NONE, Lines, Wanted, is_fold_name, shown, table_reason, table_text, tables_of, without_label,
};
use crate::{ArrayImages, BadLine, Form, Layout, Notice, ScanError, Split, Taken};

use columns::{Columns, Row, SplitColumn, WrongRow};

/// The images of a table; `None` where its columns are no pixels.
pub(super) fn in_table(path: &Path, wanted: &Wanted<'_>) -> Result<Option<Arrays>, ScanError> {
    let Some(shape) = columns::find(path, wanted)? else { return Ok(None) };
    if !shape.has_class() {
        return Err(without_class(path));
    }
    let mut found = Arrays::of_pixels();
    found.read_table(path, &shape, None, wanted.layout)?;
    Ok(Some(found))
}

/// The images of a table, whatever it says of their classes; `None` where its columns are no pixels.
pub(super) fn images(path: &Path) -> Result<Option<Arrays>, ScanError> {
    let (patterns, layout) = (Patterns::new(&[]), Layout::default());
    let Some(shape) = columns::find(path, &Wanted::without_group(&patterns, &layout))? else {
        return Ok(None);
    };
    let mut found = Arrays::of_pixels();
    found.read_table(
        path,
        &Columns {
            label: None,
            one_hot: Vec::new(),
            split: None,
            group: None,
            like_groups: Vec::new(),
            notices: Vec::new(),
            ..shape
        },
        None,
        &layout,
    )?;
    Ok(Some(found))
}

/// The images of the tables in a folder that has no images; `None` where no table has pixels.
pub(super) fn in_folder(root: &Path, wanted: &Wanted<'_>) -> Result<Option<Arrays>, ScanError> {
    let mut tables = Vec::new();
    for path in tables_of(root) {
        match columns::find(&path, wanted) {
            Ok(Some(shape)) => tables.push((path, shape)),
            Ok(None) => {}
            // One that cannot be read may be no data at all; a column that a key names is asked for.
            Err(ScanError::Read { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if tables.is_empty() || !crate::scan::folders::files_below(root).is_empty() {
        return Ok(None);
    }
    let mut found = Arrays::of_pixels();
    let (labelled, others): (Vec<_>, Vec<_>) = tables.into_iter().partition(|(_, shape)| shape.has_class());
    let name = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    match &labelled[..] {
        [] => return Err(without_class(&others[0].0)),
        [(path, shape)] => found.read_table(path, shape, None, wanted.layout)?,
        several => {
            let stems: Vec<String> = several
                .iter()
                .map(|(path, _)| path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
                .collect();
            let splits = crate::scan::names::splits_of(&stems.iter().map(String::as_str).collect::<Vec<_>>());
            let distinct: HashSet<Option<Split>> = splits.iter().copied().collect();
            if distinct.len() < several.len() || distinct.contains(&None) {
                let tables = several.iter().map(|(path, _)| name(path)).collect();
                return Err(ScanError::SeveralTables { path: root.to_owned(), tables });
            }
            for ((path, shape), split) in several.iter().zip(splits) {
                found.read_table(path, shape, split, wanted.layout)?;
            }
        }
    }
    found.notices.extend(others.iter().map(|(path, _)| Notice::UnlabelledArray { name: name(path) }));
    Ok(Some(found))
}

fn without_class(path: &Path) -> ScanError {
    let reason = "its columns are pixels, and none is the class; say which, such as --set data.label_column=label, or, where each class has a column, \
         --set 'data.one_hot=[\"ONE\", \"OTHER\"]'";
    bad_header(path, reason.to_owned())
}

fn bad_header(path: &Path, reason: String) -> ScanError {
    ScanError::Manifest { path: path.to_owned(), lines: vec![BadLine { line: 1, reason }] }
}

fn reader(text: &[u8], separator: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .has_headers(false)
        .delimiter(separator)
        .from_reader(text)
}

/// Height or width, which are one, and channels, of so many values: gray if that makes a square, else RGB.
fn sides(values: usize) -> Option<(u32, u8)> {
    let square = |n: usize| Some(n.isqrt()).filter(|side| side * side == n && *side > 0);
    let gray = square(values).map(|side| (side, 1));
    let color = || square(values / 3).filter(|_| values.is_multiple_of(3)).map(|side| (side, 3));
    gray.or_else(color).and_then(|(side, channels)| Some((u32::try_from(side).ok()?, channels)))
}

/// The rows of one split.
#[derive(Default)]
struct Rows {
    pixels: Vec<u8>,
    labels: Vec<Label>,
    groups: Vec<Option<Arc<str>>>,
}

impl Arrays {
    fn of_pixels() -> Arrays {
        let (taken, parts) = (Taken { what: Vec::new(), keys: vec!["data.label_column"] }, Vec::new());
        Arrays { form: Form::PixelTable, taken, parts, notices: Vec::new() }
    }

    /// Adds the images of a table, whose name says of which split they are, if it says it.
    fn read_table(
        &mut self,
        path: &Path,
        shape: &Columns,
        of_table: Option<Split>,
        layout: &Layout,
    ) -> Result<(), ScanError> {
        let bytes = files::read_up_to(path, super::MAX_BYTES)
            .map_err(|source| ScanError::Read { path: path.to_owned(), source })?;
        let (text, separator) = table_text(&bytes).map_err(|reason| bad_header(path, reason))?;
        let mut splits: BTreeMap<Option<Split>, Rows> = BTreeMap::new();
        let (mut bad, mut values) = (Vec::new(), None);
        // What is told once, with what to type, and not for each row.
        let mut unlabelled: Vec<u64> = Vec::new();
        // What the column of the splits says, and what that was taken for.
        let mut named: BTreeMap<String, Split> = BTreeMap::new();
        let mut group_values: Vec<HashSet<String>> = vec![HashSet::new(); shape.like_groups.len()];
        let mut record = csv::StringRecord::new();
        let mut reader = reader(&text, separator);
        let mut columns = None;
        let mut lines = Lines::new(&text);
        loop {
            let read = reader.read_record(&mut record);
            let line = lines.of(record.position());
            match read {
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => {
                    bad.push(BadLine { line: lines.of(error.position()), reason: table_reason(&error) });
                    continue;
                }
            }
            if columns.is_none() {
                columns = Some(record.len());
                if shape.header {
                    continue;
                }
            }
            match shape.row(&record, columns, &mut values, layout) {
                Ok(None) => {}
                Ok(Some(Row { split, label, group, pixels })) => {
                    if let (Some(split), Some(of)) = (split, &shape.split) {
                        let values = of.columns().into_iter().filter_map(|column| record.get(column));
                        named.insert(values.collect::<Vec<_>>().join(" "), split);
                    }
                    for (&column, values) in shape.like_groups.iter().zip(&mut group_values) {
                        values
                            .extend(record.get(column).filter(|value| !value.is_empty()).map(str::to_owned));
                    }
                    let rows = splits.entry(split.or(of_table)).or_default();
                    rows.pixels.extend_from_slice(&pixels);
                    rows.labels.push(label);
                    rows.groups.push(group);
                }
                Err(WrongRow::NoClass) => unlabelled.push(line),
                Err(WrongRow::Other(reason)) => bad.push(BadLine { line, reason }),
            }
        }
        if let Some(&line) = unlabelled.first() {
            let reason = without_label("class", unlabelled.len(), None);
            bad.push(BadLine { line, reason });
        }
        if !bad.is_empty() {
            return Err(ScanError::Manifest { path: path.to_owned(), lines: bad });
        }
        let Some((side, channels)) = values.and_then(sides) else {
            let reason = match values {
                Some(n) => format!("{n} columns of pixels are no square image, gray or RGB"),
                None => "it has no rows".to_owned(),
            };
            return Err(bad_header(path, reason));
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let label = match (shape.header, shape.label) {
            (true, Some(label)) => format!("{} is the class", shape.names[label]),
            (true, None) if !shape.one_hot.is_empty() => {
                let names: Vec<&str> =
                    shape.one_hot.iter().map(|&column| shape.names[column].as_str()).collect();
                format!("the class is which of {} is 1", names.join(", "))
            }
            (true, None) => "no column is the class".to_owned(),
            (false, _) => "no header, the first column is the class".to_owned(),
        };
        if !shape.one_hot.is_empty() {
            self.taken.keys.push("data.one_hot");
        }
        let color = if channels == 3 { "RGB, pixel by pixel" } else { "gray" };
        let unit = if shape.unit { ", values from 0 to 1 taken as black to white" } else { "" };
        let mut said = format!("table {name}: {side}x{side} {color}{unit}, {label}");
        if let Some(split) = of_table {
            said += &format!(" -> {split}");
        }
        if let Some(split) = &shape.split {
            let values: Vec<String> =
                named.iter().map(|(value, split)| format!("{} -> {split}", shown(value))).collect();
            said += &format!(", {} the splits ({}){HOW_NONE}", split.names(&shape.names), values.join(", "));
            self.taken.keys.push("data.split_column");
        }
        if let Some(group) = shape.group {
            said += &format!(", {} the groups", shape.names[group]);
        }
        self.taken.what.push(said);
        let keys = std::mem::take(&mut self.taken.keys);
        keys.into_iter().for_each(|key| {
            if !self.taken.keys.contains(&key) {
                self.taken.keys.push(key)
            }
        });
        let images = splits.values().map(|rows| rows.labels.len()).sum();
        let counts = group_values.iter().map(HashSet::len).zip(&shape.like_groups);
        if let Some((groups, &column)) = counts.filter(|(groups, _)| (2..images).contains(groups)).min() {
            let split_given = of_table.is_some() || shape.split.is_some();
            let column = shape.names[column].clone();
            self.notices.push(Notice::LooksLikeGroup { column, groups, images, split_given });
        }
        let read = shape.split.as_ref().map_or(Vec::new(), SplitColumn::columns);
        let is_free = |column: &usize| {
            !read.contains(column) && Some(*column) != shape.label && Some(*column) != shape.group
        };
        let folds = (0..shape.names.len()).filter(is_free).find(|&column| is_fold_name(&shape.names[column]));
        self.notices.extend(shape.notices.iter().cloned());
        self.notices.extend(folds.map(|column| Notice::Folds { column: shape.names[column].clone() }));
        for (split, Rows { pixels, labels, groups }) in splits {
            let images = ArrayImages { width: side, height: side, channels, pixels };
            // As the rows of one table have one name, those of a split are told apart by it.
            let name = match split.filter(|_| shape.split.is_some()) {
                Some(split) => format!("{name}:{split}"),
                None => name.clone(),
            };
            let contents = Contents::new(split, name, images, labels.into_iter());
            self.parts.push(Part::Read(Contents { groups, ..contents }));
        }
        Ok(())
    }
}
