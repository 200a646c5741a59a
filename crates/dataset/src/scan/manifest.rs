//! A CSV manifest: `path,label[,split][,group]`, with a header, in any order of columns; others are ignored.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Listed, Listing};
use crate::pattern::Patterns;
use crate::suggest::nearest;
use crate::{BadLine, Form, ScanError, Split};

/// The column that names groups where none is asked for.
const GROUP: &str = "group";

/// The rows of a manifest. `group` is the column that says which samples belong together; without it `group`, if there is
/// such a column.
pub(super) fn list(
    manifest: &Path,
    patterns: &Patterns<'_>,
    group: Option<&str>,
) -> Result<Listing, ScanError> {
    let bytes =
        std::fs::read(manifest).map_err(|source| ScanError::Read { path: manifest.to_owned(), source })?;
    let failed = |lines| ScanError::Manifest { path: manifest.to_owned(), lines };
    // Spreadsheets put a byte order mark before the first column's name.
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text);
    let columns =
        Columns::find(&mut reader, group).map_err(|reason| failed(vec![BadLine { line: 1, reason }]))?;
    let folder = manifest.parent().unwrap_or(Path::new(""));

    let mut rows = Rows { folder, patterns, columns, files: Vec::new(), lines: HashMap::new(), excluded: 0 };
    let mut bad = Vec::new();
    for record in reader.into_records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                if let Err(reason) = rows.add(line, &record) {
                    bad.push(BadLine { line, reason });
                }
            }
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                bad.push(BadLine { line, reason: reason_of(&error) });
            }
        }
    }
    if !bad.is_empty() {
        return Err(failed(bad));
    }
    let Rows { files, excluded, .. } = rows;
    if files.is_empty() {
        let found = if excluded > 0 { "data.exclude leaves out every row" } else { "it has no rows" };
        return Err(ScanError::NoImages { path: manifest.to_owned(), found: found.to_owned() });
    }
    if files.iter().all(|file| !file.path.exists()) {
        // Not a few lost files, but a wrong folder.
        let found = format!(
            "none of its {} files exist (the first is {}); paths are relative to the manifest's own folder",
            files.len(),
            files[0].path.display()
        );
        return Err(ScanError::NoImages { path: manifest.to_owned(), found });
    }
    let form = Form::Manifest;
    Ok(Listing { form, files, partial: false, ignored_files: 0, excluded, notices: Vec::new() })
}

/// Where the columns are.
struct Columns {
    path: usize,
    label: usize,
    split: Option<usize>,
    group: Option<usize>,
}

impl Columns {
    fn find(reader: &mut csv::Reader<&[u8]>, group: Option<&str>) -> Result<Columns, String> {
        let header = reader.headers().map_err(|error| reason_of(&error))?;
        let column = |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name));
        let groups = column(group.unwrap_or(GROUP));
        if let (Some(name), None) = (group, groups) {
            let hint =
                nearest(name, header.iter()).map_or(String::new(), |n| format!("; did you mean `{n}`?"));
            let columns = header.iter().collect::<Vec<_>>().join(", ");
            return Err(format!(
                "data.group asks for the column `{name}`, but the columns are {columns}{hint}"
            ));
        }
        match (column("path"), column("label")) {
            (Some(path), Some(label)) => Ok(Columns { path, label, split: column("split"), group: groups }),
            _ => Err(format!(
                "the header must name the columns path and label, and may name split and group; it is \"{}\"",
                header.iter().collect::<Vec<_>>().join(",")
            )),
        }
    }
}

struct Rows<'a> {
    folder: &'a Path,
    patterns: &'a Patterns<'a>,
    columns: Columns,
    files: Vec<Listed>,
    /// On which line a path was.
    lines: HashMap<PathBuf, u64>,
    excluded: usize,
}

impl Rows<'_> {
    fn add(&mut self, line: u64, record: &csv::StringRecord) -> Result<(), String> {
        let field = |column: usize, name: &str| match record.get(column) {
            None => Err(format!("it has {} fields, so no {name}", record.len())),
            Some("") => Err(format!("the {name} is empty")),
            Some(value) => Ok(value),
        };
        let path = field(self.columns.path, "path")?;
        let label = field(self.columns.label, "label")?;
        let split = match self.columns.split {
            Some(column) => {
                Some(field(column, "split")?.parse::<Split>().map_err(|error| error.to_string())?)
            }
            None => None,
        };
        // A row without a group is a group of its own.
        let group = self.columns.group.and_then(|column| record.get(column)).filter(|name| !name.is_empty());
        if self.patterns.exclude(Path::new(path)) {
            self.excluded += 1;
            return Ok(());
        }
        let path = self.folder.join(path);
        if let Some(first) = self.lines.insert(path.clone(), line) {
            return Err(format!("{} is already on line {first}", path.display()));
        }
        self.files.push(Listed { path, class: label.to_owned(), split, group: group.map(Arc::from) });
        Ok(())
    }
}

fn reason_of(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "it is not valid UTF-8; save the file as UTF-8".to_owned(),
        _ => error.to_string(),
    }
}
