//! Lines of a journal: JSON as Python writes it, with bare `NaN`, `Infinity` and `-Infinity`.

use serde_json::Value;
use std::borrow::Cow;

/// Codes of the operations (`optuna.storages.journal.JournalOperation`). There is a tenth, on which Optuna 4.9 crashes.
pub(super) mod operation {
    pub const CREATE_STUDY: u64 = 0;
    pub const DELETE_STUDY: u64 = 1;
    pub const STUDY_USER_ATTRIBUTE: u64 = 2;
    pub const STUDY_SYSTEM_ATTRIBUTE: u64 = 3;
    pub const CREATE_TRIAL: u64 = 4;
    pub const TRIAL_PARAM: u64 = 5;
    pub const TRIAL_STATE: u64 = 6;
    pub const TRIAL_INTERMEDIATE: u64 = 7;
    pub const TRIAL_USER_ATTRIBUTE: u64 = 8;
    pub const TRIAL_SYSTEM_ATTRIBUTE: u64 = 9;
}

/// A line that is being written, without its end.
#[derive(Debug)]
pub(super) struct Record(String);

impl Record {
    /// An operation of a worker.
    pub(super) fn new(operation: u64, worker: &str) -> Record {
        Record(format!("{{\"op_code\":{operation},\"worker_id\":{}", Value::from(worker)))
    }

    /// With a field.
    pub(super) fn with(self, key: &str, value: &Value) -> Record {
        self.written(key, &value.to_string())
    }

    /// With a number, which may be NaN or infinite.
    pub(super) fn number(self, key: &str, value: f64) -> Record {
        self.written(key, &number(value))
    }

    /// With a list of numbers, or null where there are none.
    pub(super) fn numbers(self, key: &str, values: &[f64]) -> Record {
        if values.is_empty() {
            return self.written(key, "null");
        }
        let numbers: Vec<String> = values.iter().map(|&value| number(value)).collect();
        self.written(key, &format!("[{}]", numbers.join(",")))
    }

    fn written(mut self, key: &str, json: &str) -> Record {
        self.0.push_str(&format!(",{}:{json}", Value::from(key)));
        self
    }

    /// The line.
    pub(super) fn line(self) -> String {
        self.0 + "}\n"
    }
}

fn number(value: f64) -> String {
    match value {
        _ if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ => Value::from(value).to_string(),
    }
}

/// Reads JSON as Python writes it. Numbers that JSON does not have become texts, such as `"NaN"`.
///
/// # Errors
/// What is wrong with it.
pub(in crate::storage) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| match quoted(text) {
        Cow::Borrowed(_) => Err(error),
        Cow::Owned(text) => serde_json::from_str(&text),
    })
}

/// A number of such JSON, which may be NaN or infinite.
pub(in crate::storage) fn read_number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        other => other.as_f64(),
    }
}

/// The text with quotes around each bare `NaN`, `Infinity` and `-Infinity`.
fn quoted(text: &str) -> Cow<'_, str> {
    let mut quoted = String::new();
    let (mut is_text, mut is_escaped) = (false, false);
    let (mut done, mut place) = (0, 0);
    while place < text.len() {
        let rest = &text.as_bytes()[place..];
        let name =
            ["NaN", "Infinity", "-Infinity"].into_iter().find(|name| rest.starts_with(name.as_bytes()));
        match (is_text, name, rest[0]) {
            (true, _, _) if is_escaped => is_escaped = false,
            (true, _, b'\\') => is_escaped = true,
            (_, _, b'"') => is_text = !is_text,
            (false, Some(name), _) => {
                quoted.push_str(&text[done..place]);
                quoted.push_str(&format!("\"{name}\""));
                place += name.len();
                done = place;
                continue;
            }
            _ => {}
        }
        place += 1;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    quoted.push_str(&text[done..]);
    Cow::Owned(quoted)
}

#[cfg(test)]
mod tests {
    use super::{Record, parse, read_number};
    use serde_json::json;

    #[test]
    fn numbers_that_json_does_not_have_come_back() {
        let line = Record::new(6, "a\"b")
            .numbers("values", &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1])
            .numbers("none", &[])
            .with("text", &json!("NaN, \\ and \" of é [Infinity"))
            .line();
        assert!(line.contains("[NaN,Infinity,-Infinity,0.1]") && line.ends_with("}\n"), "{line}");
        let value = parse(&line).unwrap();
        let numbers: Vec<_> = value["values"].as_array().unwrap().iter().map(read_number).collect();
        assert!(numbers[0].unwrap().is_nan());
        assert_eq!(numbers[1..], [Some(f64::INFINITY), Some(f64::NEG_INFINITY), Some(0.1)]);
        assert_eq!(value["none"], json!(null));
        assert_eq!(value["text"], json!("NaN, \\ and \" of é [Infinity"));
        assert_eq!(value["worker_id"], json!("a\"b"));
    }

    #[test]
    fn what_is_no_json_is_told() {
        for text in ["", "{", "{\"a\":NaN", "NaN]", "{\"a\":nan}"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
