//! Tables of JSON, an object on each line, as the `metadata.jsonl` of an image folder: its keys are the columns.

use std::path::Path;

use csv::StringRecord;
use serde_json::{Map, Value};

use super::table::{Table, text_of};
use crate::BadLine;

/// Whether a file is such a table by its name.
pub(super) fn is_json_lines(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jsonl"))
}

/// The table. What is neither a text nor a number nor true or false is no column: lists, and objects such as the boxes of detection.
///
/// # Errors
/// The text is in no encoding that is known.
pub(super) fn table(path: &Path, bytes: &[u8]) -> Result<Table, String> {
    let (text, _) = text_of(bytes)?;
    let text = String::from_utf8_lossy(&text);
    let mut objects: Vec<(u64, Map<String, Value>)> = Vec::new();
    let mut bad = Vec::new();
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    for (line, text) in lines {
        match serde_json::from_str(text) {
            Ok(Value::Object(object)) => objects.push((line, object)),
            Ok(_) => bad.push(BadLine {
                line,
                reason: "it is no JSON object, such as {\"file_name\": \"1.png\", \"label\": \"cat\"}"
                    .to_owned(),
            }),
            Err(error) => bad.push(BadLine { line, reason: format!("it is no JSON: {error}") }),
        }
    }
    let mut header: Vec<String> = Vec::new();
    for (name, value) in objects.iter().flat_map(|(_, object)| object) {
        if !matches!(value, Value::Array(_) | Value::Object(_) | Value::Null) && !header.contains(name) {
            header.push(name.clone());
        }
    }
    let cell = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
        _ => String::new(),
    };
    let rows = objects.iter().map(|(line, object)| {
        (*line, StringRecord::from_iter(header.iter().map(|name| cell(object.get(name)))))
    });
    let rows = rows.collect();
    Ok(Table { bad, ..Table::of(path, header, rows) })
}
