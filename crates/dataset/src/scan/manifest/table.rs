//! A table as text: its separator, its header, its rows, each as long as the header.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::json_lines::{self, is_json_lines};
use super::{label_lists, western};

use crate::files::{read_file, read_start};
use crate::{BadLine, ScanError};

/// As much of a table as is read to see what it is.
const GLANCE_BYTES: u64 = 1 << 18;

/// Separators in the order in which they are preferred where a header has as many of one as of another.
const SEPARATORS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// A table, read.
pub(in crate::scan) struct Table {
    pub(super) path: PathBuf,
    pub(super) header: Vec<String>,
    /// Each row with its line, from 1 for the header.
    pub(super) rows: Vec<(u64, StringRecord)>,
    /// Rows that cannot be used.
    pub(super) bad: Vec<BadLine>,
    /// The first word that shows it, where its text was read as Windows-1252.
    pub(super) western: Option<String>,
    /// The column that names files that are there, where no column that is called so does.
    pub(super) path_by_files: Option<usize>,
}

impl Table {
    /// One of columns that were read otherwise.
    pub(in crate::scan) fn of(path: &Path, header: Vec<String>, rows: Vec<(u64, StringRecord)>) -> Table {
        Table { path: path.to_owned(), header, rows, bad: Vec::new(), western: None, path_by_files: None }
    }

    /// All of it.
    pub(super) fn read(path: &Path) -> Result<Table, ScanError> {
        let bytes = read_file(path).map_err(|source| ScanError::Read { path: path.to_owned(), source })?;
        if label_lists::is_text(path) {
            let reason = "it is no list of a file and its class on each line".to_owned();
            let lines = vec![BadLine { line: 1, reason }];
            let failed = || ScanError::Manifest { path: path.to_owned(), lines };
            return label_lists::table(path, &bytes).ok_or_else(failed);
        }
        if is_json_lines(path) {
            return json_lines::table(path, &bytes).map_err(|reason| ScanError::Manifest {
                path: path.to_owned(),
                lines: vec![BadLine { line: 1, reason }],
            });
        }
        Table::parse(path, &bytes)
    }

    /// Its header and first rows; `None` where it is no table at all.
    pub(super) fn glance(path: &Path) -> Option<Table> {
        let mut bytes = read_start(path, GLANCE_BYTES).ok()?;
        if bytes.len() as u64 == GLANCE_BYTES {
            // Not a row that was cut in two.
            bytes.truncate(bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1));
        }
        match label_lists::is_text(path) {
            true => label_lists::table(path, &bytes),
            false if is_json_lines(path) => json_lines::table(path, &bytes).ok(),
            false => Table::parse(path, &bytes).ok(),
        }
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Table, ScanError> {
        let failed = |line, reason| ScanError::Manifest {
            path: path.to_owned(),
            lines: vec![BadLine { line, reason }],
        };
        let (text, separator) = text_of(bytes).map_err(|reason| failed(1, reason))?;
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .flexible(true)
            .delimiter(separator)
            .from_reader(&*text);
        let header = reader.headers().map_err(|error| failed(1, reason_of(&error)))?;
        let header: Vec<String> = header.iter().map(str::to_owned).collect();
        let (mut rows, mut bad) = (Vec::new(), Vec::new());
        let mut lines = Lines::new(&text);
        let mut not_utf8 = Vec::new();
        for record in reader.into_records() {
            match record {
                Ok(record) => {
                    let line = lines.of(record.position());
                    if record.len() == header.len() {
                        rows.push((line, record));
                    } else {
                        bad.push(BadLine { line, reason: wrong_length(&record, header.len()) });
                    }
                }
                Err(error) => {
                    let line = lines.of(error.position());
                    match error.kind() {
                        csv::ErrorKind::Utf8 { .. } => not_utf8.push(line),
                        _ => bad.push(BadLine { line, reason: reason_of(&error) }),
                    }
                }
            }
        }
        // An encoding is the whole file's: it is told once.
        if let [line, more @ ..] = &not_utf8[..] {
            let line = *line;
            let others = match more.len() {
                0 => String::new(),
                1 => " (nor is 1 line below it)".to_owned(),
                n => format!(" (nor are {n} lines below it)"),
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let reason = format!(
                "it is not UTF-8{others}; save the file as \"CSV UTF-8\", or, where it comes from a spreadsheet on Windows, type \
                 iconv -f WINDOWS-1250 -t UTF-8 '{name}' > 'utf8-{name}' (WINDOWS-1250 of central Europe, WINDOWS-1251 of Cyrillic, GB18030 of China, \
                 SHIFT_JIS of Japan; WINDOWS-1252 is read as it is)"
            );
            bad.push(BadLine { line, reason });
        }
        let shown = |text: String| {
            let mut words = text.split(|c: char| !c.is_alphanumeric());
            words.find(|word| !word.is_ascii()).map(str::to_owned).or(Some(String::new()))
        };
        let is_utf16 = matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]);
        let western = (!is_utf16).then(|| western::decoded(bytes)).flatten().and_then(shown);
        Ok(Table { path: path.to_owned(), header, rows, bad, western, path_by_files: None })
    }

    /// The column of this name, in any case.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        let exact = self.header.iter().position(|column| column == name);
        exact.or_else(|| self.header.iter().position(|column| column.to_lowercase() == name.to_lowercase()))
    }

    /// The values of a column.
    pub(super) fn values(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().map(move |(_, row)| row.get(column).unwrap_or_default())
    }

    /// Its name, to be shown.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The text of a table's bytes, in UTF-8, and what separates its columns.
pub(in crate::scan) fn text_of(bytes: &[u8]) -> Result<(Cow<'_, [u8]>, u8), String> {
    let utf16 = match bytes {
        [0xFF, 0xFE, rest @ ..] => Some(from_utf16(rest, u16::from_le_bytes)),
        [0xFE, 0xFF, rest @ ..] => Some(from_utf16(rest, u16::from_be_bytes)),
        _ => None,
    };
    let text = match utf16 {
        Some(Some(text)) => Cow::Owned(text.into_bytes()),
        Some(None) => return Err("it is not valid UTF-16; save the file as UTF-8".to_owned()),
        // Spreadsheets put a byte order mark before the first column's name.
        None => match western::decoded(bytes) {
            Some(text) => Cow::Owned(text.into_bytes()),
            None => Cow::Borrowed(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)),
        },
    };
    // Excel's own line, `sep=;`: left empty, so that lines keep their numbers.
    let end = text.iter().position(|&byte| byte == b'\n' || byte == b'\r').unwrap_or(text.len());
    if let [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', said] = text[..end] {
        let rest = text[end..].to_vec();
        return Ok((Cow::Owned(rest), said));
    }
    let separator = separator(&text);
    Ok((text, separator))
}

pub(in crate::scan) fn wrong_length(record: &StringRecord, expected: usize) -> String {
    let got = record.len();
    let s = if got == 1 { "" } else { "s" };
    // `1,0,0,5` are two numbers with commas for points.
    let is_digits = |field: &str| !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit());
    let digits = record.iter().filter(|field| is_digits(field)).count();
    let remedy = if got > expected && digits >= 2 * (got - expected) {
        "if its numbers have commas for points, save it with semicolons between the columns; else quote a value that holds the separator"
    } else if got > expected {
        "quote a value that holds the separator, such as \"melanoma, in situ\""
    } else {
        "leave a value empty rather than out, and quote one that holds a line break"
    };
    format!("it has {got} field{s}, and the header has {expected}; {remedy}")
}

/// The separator that the header has most of, outside of quotes.
fn separator(text: &[u8]) -> u8 {
    let header = text.split(|&byte| byte == b'\n' || byte == b'\r').find(|line| !line.is_empty());
    let mut counts = [0usize; SEPARATORS.len()];
    let mut quoted = false;
    for &byte in header.unwrap_or_default() {
        quoted ^= byte == b'"';
        if let Some(at) = SEPARATORS.iter().position(|&separator| separator == byte).filter(|_| !quoted) {
            counts[at] += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    let first = counts.iter().position(|&n| n == most).unwrap_or(0);
    SEPARATORS[first]
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16(&units).ok()
}

/// Counts lines. The reader counts a record that begins after a carriage return to the line before.
pub(in crate::scan) struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    pub(in crate::scan) fn new(text: &'a [u8]) -> Lines<'a> {
        Lines { text, at: 0, line: 1 }
    }

    /// The line of a record, from 1; records come in their order.
    pub(in crate::scan) fn of(&mut self, position: Option<&csv::Position>) -> u64 {
        let Some(position) = position else { return self.line };
        let mut end = usize::try_from(position.byte()).unwrap_or(usize::MAX).min(self.text.len());
        // What is left of the end of the line before, and empty lines.
        while self.text.get(end).is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            end += 1;
        }
        if end > self.at {
            let ends = self.text[self.at..end].iter().filter(|&&byte| byte == b'\n').count();
            (self.at, self.line) = (end, self.line + ends as u64);
        }
        self.line
    }
}

pub(in crate::scan) fn reason_of(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "it is not UTF-8; save the file as UTF-8".to_owned(),
        _ => error.to_string(),
    }
}
