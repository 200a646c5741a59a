//! Tables whose columns are pixels: `label,pixel0,pixel1,...`, as MNIST is passed on in CSV files; or with all pixels of an
//! image in one column, separated by spaces.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::super::labels::Label;
use super::{Arrays, Contents, Part};
use crate::files;
use crate::scan::manifest::{
    Lines, is_label_name, is_path_name, is_pixel_name, is_split_name, table_reason, table_text, tables_of,
};
use crate::scan::names::{split_of, words};
use crate::{ArrayImages, BadLine, Form, Layout, Notice, ScanError, Split, Taken};

/// So much of a table is read to see what it is, and more where its lines are longer.
const GLANCE_BYTES: u64 = 1 << 18;
const MOST_GLANCED: u64 = 1 << 26;
/// Fewer columns of numbers are no picture.
const LEAST_PIXELS: usize = 16;
/// The column of all pixels of an image.
const PIXELS: &str = "pixels";

/// How the columns of a table are pixels.
#[derive(Debug, PartialEq, Eq)]
struct Columns {
    header: bool,
    /// The columns of pixels; one that holds them all where `packed`.
    pixels: Vec<usize>,
    packed: bool,
    label: Option<usize>,
    split: Option<usize>,
    names: Vec<String>,
    /// Whether pixels are fractions of white.
    unit: bool,
}

/// The images of a table; `None` where its columns are no pixels.
pub(super) fn in_table(path: &Path, layout: &Layout) -> Result<Option<Arrays>, ScanError> {
    let Some(shape) = glance(path, layout)? else { return Ok(None) };
    if shape.label.is_none() {
        return Err(without_class(path));
    }
    let mut found = Arrays::of_pixels();
    found.read_table(path, &shape, None)?;
    Ok(Some(found))
}

/// The images of a table, whatever it says of their classes; `None` where its columns are no pixels.
pub(super) fn images(path: &Path) -> Result<Option<Arrays>, ScanError> {
    let Some(shape) = glance(path, &Layout::default())? else { return Ok(None) };
    let mut found = Arrays::of_pixels();
    found.read_table(path, &Columns { label: None, split: None, ..shape }, None)?;
    Ok(Some(found))
}

/// The images of the tables in a folder that has no images; `None` where no table has pixels.
pub(super) fn in_folder(root: &Path, layout: &Layout) -> Result<Option<Arrays>, ScanError> {
    let mut tables = Vec::new();
    for path in tables_of(root) {
        match glance(&path, layout) {
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
    let (labelled, others): (Vec<_>, Vec<_>) =
        tables.into_iter().partition(|(_, shape)| shape.label.is_some());
    let name = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    match &labelled[..] {
        [] => return Err(without_class(&others[0].0)),
        [(path, shape)] => found.read_table(path, shape, None)?,
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
                found.read_table(path, shape, split)?;
            }
        }
    }
    found.notices.extend(others.iter().map(|(path, _)| Notice::UnlabelledArray { name: name(path) }));
    Ok(Some(found))
}

fn without_class(path: &Path) -> ScanError {
    let reason =
        "its columns are pixels, and none is the class; say which, such as --set data.label_column=label";
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

/// The header and the first row of a table, whole; `None` where a line is longer than any picture's.
fn first_lines(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = GLANCE_BYTES;
    while bytes <= MOST_GLANCED {
        let mut start = files::read_start(path, bytes)?;
        let whole = (start.len() as u64) < bytes;
        let ends: Vec<usize> = (0..start.len()).filter(|&at| start[at] == b'\n').take(2).collect();
        match ends[..] {
            [_, second] => {
                start.truncate(second + 1);
                return Ok(Some(start));
            }
            _ if whole => return Ok(Some(start)),
            _ => bytes *= 16,
        }
    }
    Ok(None)
}

/// What a table's first lines say of its columns; `None` where they are no pixels.
fn glance(path: &Path, layout: &Layout) -> Result<Option<Columns>, ScanError> {
    let read = |source| ScanError::Read { path: path.to_owned(), source };
    let Some(start) = first_lines(path).map_err(read)? else { return Ok(None) };
    let Ok((text, separator)) = table_text(&start) else { return Ok(None) };
    let mut records = reader(&text, separator).into_records();
    let (Some(Ok(first)), second) = (records.next(), records.next()) else { return Ok(None) };
    // Fractions in a row: pixels of 0 to 1.
    let unit =
        second.as_ref().unwrap_or(&Ok(first.clone())).as_ref().is_ok_and(|row| row.iter().any(is_fraction));
    let names: Vec<String> = first.iter().map(str::to_owned).collect();
    // A row of numbers is data.
    let all_numbers = |record: &csv::StringRecord| record.iter().all(|value| value.parse::<f64>().is_ok());
    let named = names.iter().filter(|name| is_pixel_name(name)).count();
    let header =
        !(all_numbers(&first) && second.is_none_or(|second| second.is_ok_and(|second| all_numbers(&second))));
    let column = |key: &str, name: &Option<String>| -> Result<Option<usize>, ScanError> {
        let Some(name) = name else { return Ok(None) };
        let found = names.iter().position(|column| column.eq_ignore_ascii_case(name));
        let missing =
            || bad_header(path, format!("data.{key} asks for the column `{name}`, which is not there"));
        found.map(Some).ok_or_else(missing)
    };
    let packed = names.iter().position(|name| name.eq_ignore_ascii_case(PIXELS)).filter(|_| header);
    let is_pixels = if header {
        packed.is_some() || (named >= LEAST_PIXELS && named + 4 >= names.len())
    } else {
        names.len() > LEAST_PIXELS && sides(names.len() - 1).is_some()
    };
    if !is_pixels {
        return Ok(None);
    }
    if !header {
        let pixels = (1..names.len()).collect();
        return Ok(Some(Columns {
            header,
            pixels,
            packed: false,
            label: Some(0),
            split: None,
            names: Vec::new(),
            unit,
        }));
    }
    let pixels: Vec<usize> = match packed {
        Some(packed) => vec![packed],
        None => in_order(&names, (0..names.len()).filter(|&column| is_pixel_name(&names[column])).collect()),
    };
    let others: Vec<usize> = (0..names.len()).filter(|column| !pixels.contains(column)).collect();
    let split = match column("split_column", &layout.split_column)? {
        Some(split) => Some(split),
        None => others.iter().copied().find(|&column| is_split_name(&names[column])),
    };
    let label = match column("label_column", &layout.label_column)? {
        Some(label) => Some(label),
        None => {
            let known = others.iter().copied().find(|&column| is_label_name(&names[column]));
            let rest: Vec<usize> = others.iter().copied().filter(|column| Some(*column) != split).collect();
            known.or(match rest[..] {
                // An `id` is no class.
                [only] if !is_path_name(&names[only]) => Some(only),
                _ => None,
            })
        }
    };
    Ok(Some(Columns { header, pixels, packed: packed.is_some(), label, split, names, unit }))
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

/// Height or width, which are one, and channels, of so many values: gray if that makes a square, else RGB.
fn sides(values: usize) -> Option<(u32, u8)> {
    let square = |n: usize| Some(n.isqrt()).filter(|side| side * side == n && *side > 0);
    let gray = square(values).map(|side| (side, 1));
    let color = || square(values / 3).filter(|_| values.is_multiple_of(3)).map(|side| (side, 3));
    gray.or_else(color).and_then(|(side, channels)| Some((u32::try_from(side).ok()?, channels)))
}

/// Whether a text is a number that is not whole.
fn is_fraction(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(|value| value.fract() != 0.0)
}

/// The rows of one split.
#[derive(Default)]
struct Rows {
    pixels: Vec<u8>,
    labels: Vec<Label>,
}

impl Arrays {
    fn of_pixels() -> Arrays {
        let (taken, parts) = (Taken { what: Vec::new(), keys: vec!["data.label_column"] }, Vec::new());
        Arrays { form: Form::PixelTable, taken, parts, is_table: true, notices: Vec::new() }
    }

    /// Adds the images of a table, whose name says of which split they are, if it says it.
    fn read_table(&mut self, path: &Path, shape: &Columns, of_table: Option<Split>) -> Result<(), ScanError> {
        let bytes = files::read_up_to(path, super::MAX_BYTES)
            .map_err(|source| ScanError::Read { path: path.to_owned(), source })?;
        let (text, separator) = table_text(&bytes).map_err(|reason| bad_header(path, reason))?;
        let mut splits: BTreeMap<Option<Split>, Rows> = BTreeMap::new();
        let (mut bad, mut values) = (Vec::new(), None);
        // What the column of the splits says, and what that was taken for.
        let mut named: BTreeMap<String, Split> = BTreeMap::new();
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
            match shape.row(&record, columns, &mut values) {
                Ok((split, label, pixels)) => {
                    if let (Some(split), Some(column)) = (split, shape.split) {
                        named.insert(record.get(column).unwrap_or_default().to_owned(), split);
                    }
                    let rows = splits.entry(split.or(of_table)).or_default();
                    rows.pixels.extend_from_slice(&pixels);
                    rows.labels.push(label);
                }
                Err(reason) => bad.push(BadLine { line, reason }),
            }
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
            (true, None) => "no column is the class".to_owned(),
            (false, _) => "no header, the first column is the class".to_owned(),
        };
        let color = if channels == 3 { "RGB, pixel by pixel" } else { "gray" };
        let unit = if shape.unit { ", values from 0 to 1 taken as black to white" } else { "" };
        let mut said = format!("table {name}: {side}x{side} {color}{unit}, {label}");
        if let Some(split) = of_table {
            said += &format!(" -> {split}");
        }
        if let Some(split) = shape.split {
            let values: Vec<String> =
                named.iter().map(|(value, split)| format!("{value} -> {split}")).collect();
            said += &format!(", {} the splits ({})", shape.names[split], values.join(", "));
        }
        self.taken.what.push(said);
        for (split, Rows { pixels, labels }) in splits {
            let images = ArrayImages { width: side, height: side, channels, pixels };
            // As the rows of one table have one name, those of a split are told apart by it.
            let name = match split.filter(|_| shape.split.is_some()) {
                Some(split) => format!("{name}:{split}"),
                None => name.clone(),
            };
            self.parts.push(Part::Read(Contents::new(split, name, images, labels.into_iter())));
        }
        Ok(())
    }
}

impl Columns {
    /// The split, the label and the pixels of a row; `values` is how many pixels the rows before it had.
    fn row(
        &self,
        record: &csv::StringRecord,
        columns: Option<usize>,
        values: &mut Option<usize>,
    ) -> Result<(Option<Split>, Label, Vec<u8>), String> {
        if Some(record.len()) != columns {
            return Err(format!(
                "it has {} fields, and the first line has {}",
                record.len(),
                columns.unwrap_or(0)
            ));
        }
        let field = |column: usize| record.get(column).unwrap_or_default();
        let pixel = |text: &str| {
            if self.unit {
                let value: f64 = text.parse().map_err(|_| format!("{text:?} is no pixel"))?;
                return match (0.0..=1.001).contains(&value) {
                    true => Ok((value * 255.0).round().min(255.0) as u8),
                    false => {
                        Err(format!("{text} is no pixel: the first row has fractions, so they are 0 to 1"))
                    }
                };
            }
            let value: f64 = text.parse().map_err(|_| format!("{text:?} is no pixel"))?;
            let whole = value.fract() == 0.0 && (0.0..=255.0).contains(&value);
            if whole { Ok(value as u8) } else { Err(format!("{text} is no pixel: they are 0 to 255")) }
        };
        let fast = |text: &str| match text.parse::<u8>() {
            Ok(value) if !self.unit => Ok(value),
            _ => pixel(text),
        };
        let pixels: Vec<u8> = match self.packed {
            true => field(self.pixels[0]).split_ascii_whitespace().map(fast).collect::<Result<_, _>>()?,
            false => self.pixels.iter().map(|&column| fast(field(column))).collect::<Result<_, _>>()?,
        };
        if *values.get_or_insert(pixels.len()) != pixels.len() {
            return Err(format!(
                "it has {} pixels, and the rows before have {}",
                pixels.len(),
                values.unwrap_or(0)
            ));
        }
        let label = match self.label.map(field) {
            None => Label::Number(0),
            Some("") => return Err("the class is empty".to_owned()),
            Some(text) => match text.parse::<f64>() {
                Ok(value) if value.fract() == 0.0 && value.abs() < 1e15 => Label::Number(value as i64),
                _ => Label::Name(text.to_owned()),
            },
        };
        let split = match self.split.map(field) {
            None => None,
            Some(text) => Some(
                split_in(text).ok_or_else(|| format!("unknown split \"{text}\": use train, val or test"))?,
            ),
        };
        Ok((split, label, pixels))
    }
}

/// The split of a value. Competitions call the set that they show results on while they run `PublicTest`, and the one that
/// decides `PrivateTest`.
fn split_in(text: &str) -> Option<Split> {
    match text.to_lowercase().as_str() {
        "publictest" | "public" => Some(Split::Val),
        "privatetest" | "private" => Some(Split::Test),
        _ => split_of(text),
    }
}
