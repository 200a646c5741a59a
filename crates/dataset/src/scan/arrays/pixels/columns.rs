//! Which columns of a table are pixels, and which of the others is the class, the split, the group.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use crate::files;
use crate::scan::labels::Label;
use crate::scan::manifest::{
    GROUP, Lines, Table, Wanted, Wrong, find_one_hot, find_split, is_label_name, is_path_name, is_pixel_name,
    is_pixel_table, meaning, names_groups, odd_split, one_hot_class, split_asked, table_text, wrong_length,
};
use crate::scan::names::words;
use crate::{BadLine, Layout, Notice, ScanError, Split};

pub(super) use crate::scan::manifest::SplitColumn;

/// So much of a table is read to see what it is, and more where its lines are longer.
const GLANCE_BYTES: u64 = 1 << 18;
const MOST_GLANCED: u64 = 1 << 26;
/// Fewer columns of numbers are no picture.
const LEAST_PIXELS: usize = 16;
/// The column of all pixels of an image.
const PIXELS: &str = "pixels";

/// How the columns of a table are pixels.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) header: bool,
    /// The columns of pixels; one that holds them all where `packed`.
    pub(super) pixels: Vec<usize>,
    pub(super) packed: bool,
    pub(super) label: Option<usize>,
    /// Columns of which one is 1 in each row, which is its class; none where a column has its name.
    pub(super) one_hot: Vec<usize>,
    pub(super) split: Option<SplitColumn>,
    pub(super) group: Option<usize>,
    /// Columns that say by their names which images belong together, where none was asked for.
    pub(super) like_groups: Vec<usize>,
    pub(super) names: Vec<String>,
    /// Whether pixels are fractions of white.
    pub(super) unit: bool,
    /// Columns that look like the split, and are not read.
    pub(super) notices: Vec<Notice>,
}

/// A number, also with a comma for its point, as spreadsheets of half the world write it.
pub(super) fn number(text: &str) -> Option<f64> {
    let with_point = || text.replacen(',', ".", 1).parse().ok();
    text.parse().ok().or_else(with_point)
}

/// Why a row cannot be used.
pub(super) enum WrongRow {
    /// Its class is empty: told once for all rows.
    NoClass,
    Other(String),
}

impl From<String> for WrongRow {
    fn from(reason: String) -> WrongRow {
        WrongRow::Other(reason)
    }
}

/// What a row says.
pub(super) struct Row {
    pub(super) split: Option<Split>,
    pub(super) label: Label,
    pub(super) group: Option<Arc<str>>,
    pub(super) pixels: Vec<u8>,
}

impl Columns {
    /// Whether they say the classes.
    pub(super) fn has_class(&self) -> bool {
        self.label.is_some() || !self.one_hot.is_empty()
    }

    fn none() -> Columns {
        Columns {
            header: false,
            pixels: Vec::new(),
            packed: false,
            label: None,
            one_hot: Vec::new(),
            split: None,
            group: None,
            like_groups: Vec::new(),
            names: Vec::new(),
            unit: false,
            notices: Vec::new(),
        }
    }

    /// The split, the label and the pixels of a row, none where it is left out; `values` is how many pixels the rows before it had.
    pub(super) fn row(
        &self,
        record: &csv::StringRecord,
        columns: Option<usize>,
        values: &mut Option<usize>,
        layout: &Layout,
    ) -> Result<Option<Row>, WrongRow> {
        if Some(record.len()) != columns {
            return Err(wrong_length(record, columns.unwrap_or(0)).into());
        }
        let field = |column: usize| record.get(column).unwrap_or_default();
        let split = match &self.split {
            None => None,
            Some(SplitColumn::Named(column)) => match meaning(field(*column), layout) {
                Some(None) => return Ok(None),
                Some(said) => said,
                // Told before, for all rows.
                None => return Ok(None),
            },
            Some(flags) => flags.split(&self.names, field, |_| Ok(None))?,
        };
        let pixel = |text: &str| -> Result<u8, String> {
            let value = number(text).ok_or_else(|| format!("{text:?} is no pixel"))?;
            if self.unit {
                return match (0.0..=1.001).contains(&value) {
                    true => Ok((value * 255.0).round().min(255.0) as u8),
                    false => {
                        Err(format!("{text} is no pixel: the first row has fractions, so they are 0 to 1"))
                    }
                };
            }
            let whole = value.fract() == 0.0 && (0.0..=255.0).contains(&value);
            if whole { Ok(value as u8) } else { Err(format!("{text} is no pixel: they are 0 to 255")) }
        };
        let fast = |text: &str| match text.parse::<u8>() {
            Ok(value) if !self.unit => Ok(value),
            _ => pixel(text),
        };
        let pixels: Vec<u8> = match self.packed {
            true => {
                field(self.pixels[0]).split_ascii_whitespace().map(fast).collect::<Result<_, String>>()?
            }
            false => self.pixels.iter().map(|&column| fast(field(column))).collect::<Result<_, String>>()?,
        };
        if *values.get_or_insert(pixels.len()) != pixels.len() {
            return Err(format!(
                "it has {} pixels, and the rows before have {}",
                pixels.len(),
                values.unwrap_or(0)
            )
            .into());
        }
        let label = match self.label.map(field) {
            None if !self.one_hot.is_empty() => {
                let rest = layout.one_hot_rest.as_deref();
                Label::Name(one_hot_class(&self.names, record, &self.one_hot, rest)?.to_owned())
            }
            None => Label::Number(0),
            Some("") if !layout.rename.contains_key("") => return Err(WrongRow::NoClass),
            Some(text) => match number(text) {
                Some(value) if value.fract() == 0.0 && value.abs() < 1e15 => Label::Number(value as i64),
                _ => Label::Name(text.to_owned()),
            },
        };
        // A row without a group is a group of its own.
        let group = self.group.map(field).filter(|name| !name.is_empty()).map(Arc::from);
        Ok(Some(Row { split, label, group, pixels }))
    }
}

/// The header and the first row of a table, whole; `None` where a line is longer than any picture's.
fn first_lines(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = GLANCE_BYTES;
    while bytes <= MOST_GLANCED {
        let mut start = files::read_start(path, bytes)?;
        let whole = (start.len() as u64) < bytes;
        let ends: Vec<usize> = (0..start.len()).filter(|&at| start[at] == b'\n').take(3).collect();
        match ends[..] {
            // Three, since the first may be Excel's `sep=;`.
            [_, _, third] => {
                start.truncate(third + 1);
                return Ok(Some(start));
            }
            _ if whole => return Ok(Some(start)),
            _ => bytes *= 16,
        }
    }
    Ok(None)
}

/// What a table's first lines say of its columns; `None` where they are no pixels.
pub(super) fn find(path: &Path, wanted: &Wanted<'_>) -> Result<Option<Columns>, ScanError> {
    let layout = wanted.layout;
    let read = |source| ScanError::Read { path: path.to_owned(), source };
    let Some(start) = first_lines(path).map_err(read)? else { return Ok(None) };
    let Ok((text, separator)) = table_text(&start) else { return Ok(None) };
    let mut records = super::reader(&text, separator).into_records();
    let (Some(Ok(first)), second) = (records.next(), records.next()) else { return Ok(None) };
    // Fractions in a row: pixels of 0 to 1.
    let unit =
        second.as_ref().unwrap_or(&Ok(first.clone())).as_ref().is_ok_and(|row| row.iter().any(is_fraction));
    let names: Vec<String> = first.iter().map(str::to_owned).collect();
    // A row of numbers is data.
    let all_numbers = |record: &csv::StringRecord| record.iter().all(|value| number(value).is_some());
    let header =
        !(all_numbers(&first) && second.as_ref().is_none_or(|second| second.as_ref().is_ok_and(all_numbers)));
    let column = |key: &str, name: &Option<String>| -> Result<Option<usize>, ScanError> {
        let Some(name) = name else { return Ok(None) };
        let found = names.iter().position(|column| column.eq_ignore_ascii_case(name));
        let missing = || {
            let others: Vec<&str> =
                names.iter().filter(|name| !is_pixel_name(name)).map(String::as_str).collect();
            let others = match others.is_empty() || !header {
                true => String::new(),
                false => format!("; beside its pixels the table has {}", others.join(", ")),
            };
            super::bad_header(
                path,
                format!("data.{key} asks for the column `{name}`, which is not there{others}"),
            )
        };
        found.filter(|_| header).map(Some).ok_or_else(missing)
    };
    let packed = names.iter().position(|name| name.eq_ignore_ascii_case(PIXELS)).filter(|_| header);
    let is_pixels = if header {
        packed.is_some() || is_pixel_table(&names)
    } else {
        names.len() > LEAST_PIXELS && super::sides(names.len() - 1).is_some()
    };
    if !is_pixels {
        return Ok(None);
    }
    if !header {
        if let Some(name) = wanted.group {
            column("group", &Some(name.to_owned()))?;
        }
        let plain =
            Columns { header, pixels: (1..names.len()).collect(), label: Some(0), unit, ..Columns::none() };
        return Ok(Some(plain));
    }
    let pixels: Vec<usize> = match packed {
        Some(packed) => vec![packed],
        None => in_order(&names, (0..names.len()).filter(|&column| is_pixel_name(&names[column])).collect()),
    };
    let of_pixels: HashSet<usize> = pixels.iter().copied().collect();
    let mut others: Vec<usize> = (0..names.len()).filter(|column| !of_pixels.contains(column)).collect();
    let asked = column("label_column", &layout.label_column)?;
    let known = asked.or_else(|| others.iter().copied().find(|&column| is_label_name(&names[column])));
    // A column by itself is the class, whatever else it might be.
    let known = known.or(match others[..] {
        // An `id` is no class.
        [only] if !is_path_name(&names[only]) => Some(only),
        _ => None,
    });
    others.retain(|column| Some(*column) != known);
    let group = match wanted.group {
        Some(name) => column("group", &Some(name.to_owned()))?,
        None => others.iter().copied().find(|&column| names[column].eq_ignore_ascii_case(GROUP)),
    };
    others.retain(|column| Some(*column) != group);
    // What is left is read whole: it says what it is by all of its values.
    let is_left = others.iter().any(|&column| !is_path_name(&names[column]));
    let rest = if is_left || asked_any(layout) { beside_pixels(path, &names, &others)? } else { None };
    let failed = |Wrong { line, reason }| ScanError::Manifest {
        path: path.to_owned(),
        lines: vec![BadLine { line, reason }],
    };
    let place = |column: usize| others[column];
    let mut notices = Vec::new();
    let split = match (&rest, &layout.split_column) {
        (None, _) => None,
        (Some(rest), Some(_)) if !layout.reads_no_split() => {
            column("split_column", &layout.split_column)?;
            split_asked(rest, layout)
        }
        (Some(rest), _) => {
            let (split, unread) = find_split(rest, layout);
            notices = unread;
            split
        }
    };
    if let (Some(rest), Some(SplitColumn::Named(column))) = (&rest, &split)
        && let Some(line) = odd_split(rest, *column, layout)
    {
        return Err(ScanError::Manifest { path: path.to_owned(), lines: vec![line] });
    }
    let of_splits = split.as_ref().map_or(Vec::new(), SplitColumn::columns);
    let one_hot = match &rest {
        Some(rest) if known.is_none() => find_one_hot(rest, &of_splits, layout).map_err(failed)?,
        _ => Vec::new(),
    };
    let one_hot: Vec<usize> = one_hot.into_iter().map(place).collect();
    let split = split.map(|split| split.at(&others));
    let of_splits = split.as_ref().map_or(Vec::new(), SplitColumn::columns);
    others.retain(|column| !of_splits.contains(column) && !one_hot.contains(column));
    let like_groups: Vec<usize> = match group {
        Some(_) => Vec::new(),
        None => others.iter().copied().filter(|&column| names_groups(&names[column])).collect(),
    };
    let label = known.or(match others[..] {
        [only] if !is_path_name(&names[only]) && like_groups.is_empty() && one_hot.is_empty() => Some(only),
        _ => None,
    });
    let like_groups = like_groups.into_iter().filter(|column| Some(*column) != label).collect();
    Ok(Some(Columns {
        header,
        pixels,
        packed: packed.is_some(),
        label,
        one_hot,
        split,
        group,
        like_groups,
        names,
        unit,
        notices,
    }))
}

/// Columns in the order of the numbers in their names, such as `pixel10` after `pixel9`; as they are where those tell nothing.
fn in_order(names: &[String], columns: Vec<usize>) -> Vec<usize> {
    let numbers = |column: &usize| -> Vec<u64> {
        words(&names[*column]).iter().filter_map(|word| word.parse().ok()).collect()
    };
    let keys: Vec<Vec<u64>> = columns.iter().map(numbers).collect();
    let distinct: HashSet<&Vec<u64>> = keys.iter().collect();
    let alike = keys.iter().all(|key| key.len() == keys[0].len());
    if distinct.len() < keys.len() || !alike {
        return columns;
    }
    let mut sorted: Vec<(Vec<u64>, usize)> = keys.into_iter().zip(columns).collect();
    sorted.sort();
    sorted.into_iter().map(|(_, column)| column).collect()
}

/// Whether a recipe names columns beside the pixels.
fn asked_any(layout: &Layout) -> bool {
    layout.split_column.is_some() || !layout.one_hot.is_empty()
}

/// The columns of a table with a header that are no pixels; none where it cannot be read as one, which is told when its pixels are.
fn beside_pixels(path: &Path, names: &[String], columns: &[usize]) -> Result<Option<Table>, ScanError> {
    let bytes = files::read_up_to(path, super::super::MAX_BYTES)
        .map_err(|source| ScanError::Read { path: path.to_owned(), source })?;
    let Ok((text, separator)) = table_text(&bytes) else { return Ok(None) };
    let mut lines = Lines::new(&text);
    let (mut rows, mut record) = (Vec::new(), csv::StringRecord::new());
    let mut reader = super::reader(&text, separator);
    while let Ok(true) = reader.read_record(&mut record) {
        let line = lines.of(record.position());
        if record.len() == names.len() {
            let fields = columns.iter().map(|&column| record.get(column).unwrap_or_default());
            rows.push((line, fields.collect()));
        }
    }
    if rows.is_empty() {
        return Ok(None);
    }
    rows.remove(0);
    let header = columns.iter().map(|&column| names[column].clone()).collect();
    Ok(Some(Table::of(path, header, rows)))
}

/// Whether a text is a number that is not whole.
fn is_fraction(text: &str) -> bool {
    number(text).is_some_and(|value| value.fract() != 0.0)
}
