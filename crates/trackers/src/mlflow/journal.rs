//! `metrics.jsonl`, read from where the last reading was acknowledged, in batches that a server takes.

use pupila_run::{Record, StartRecord};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

/// Metrics that MLflow takes in one request.
pub(super) const MAX_METRICS: usize = 1000;
/// Bytes of lines that go into one request: MLflow takes 1 MB, and a number takes less than thrice its line's room.
const MAX_BYTES: u64 = 200_000;

/// What comes next.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Metrics as the API takes them, and where they end in the file: those of one line, however many, or of several lines
    /// as one request takes them.
    Metrics(Vec<Value>, u64),
    /// The metrics of the result, which are the model's as well, and where they end.
    Result(Vec<Value>, u64),
    /// One line of another kind, and where it ends.
    Line(Record, u64),
    /// Nothing yet: only what is whole counts.
    Nothing,
}

/// Reads on from `offset`.
pub(super) fn next(path: &Path, offset: u64) -> io::Result<Next> {
    let mut file = BufReader::new(File::open(path)?);
    file.seek(SeekFrom::Start(offset))?;
    let (mut metrics, mut end, mut line) = (Vec::new(), offset, Vec::new());
    loop {
        line.clear();
        file.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            break;
        }
        // A line that is no JSON has been tampered with; what follows may still be good.
        let record = Record::of_line(&line);
        let own = numbers(&record);
        let behind = end + line.len() as u64;
        if metrics.is_empty() && own.is_empty() {
            return Ok(Next::Line(record, behind));
        }
        let is_result = matches!(record, Record::Result { .. });
        if metrics.is_empty() && is_result {
            return Ok(Next::Result(own, behind));
        }
        let full = metrics.len() + own.len() > MAX_METRICS || behind - offset > MAX_BYTES;
        if own.is_empty() || is_result || full && !metrics.is_empty() {
            break;
        }
        metrics.extend(own);
        end = behind;
    }
    Ok(if metrics.is_empty() { Next::Nothing } else { Next::Metrics(metrics, end) })
}

/// The metrics of a line.
fn numbers(record: &Record) -> Vec<Value> {
    let (step, values) = match record {
        Record::Scalars { step, values, .. } | Record::Steps { step, values, .. } => (*step, values),
        Record::System { sample, values, .. } => (*sample, values),
        // MLflow's pages draw what is at step 0 alone as bars that compare runs, and anything else as a line, here of one
        // point. The epoch is a value of its own.
        Record::Result { values, .. } => (0, values),
        _ => return Vec::new(),
    };
    let timestamp = milliseconds(record);
    // NaN and the infinities are strings, as the API wants them: a bare NaN would be stored as 0.
    values
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": value, "timestamp": timestamp, "step": step }))
        .collect()
}

/// What was known when the run began; none where that line is not there or not whole.
pub(super) fn start(path: &Path) -> io::Result<Option<StartRecord>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?).read_until(b'\n', &mut line)?;
    Ok(match Record::of_line(&line) {
        Record::Start(start) => Some(*start),
        _ => None,
    })
}

/// When a line was written, in milliseconds since 1970.
pub(super) fn milliseconds(record: &Record) -> i64 {
    (record.time() * 1000.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_in_batches_and_a_torn_one_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let scalars = |step: u64| {
            let values: serde_json::Map<_, _> = (0..400).map(|i| (format!("m{i}"), i.into())).collect();
            json!({"event": "scalars", "time": 1.5, "epoch": 1, "step": step, "values": values}).to_string()
        };
        let result =
            json!({"event": "result", "time": 2.0, "epoch": 1, "step": 3, "values": {"best/loss": 0.5}})
                .to_string();
        let text = format!(
            "{{\"event\":\"start\"}}\n{}\n{}\n{}\n{result}\n{{\"event\":\"e",
            scalars(1),
            scalars(2),
            scalars(3)
        );
        std::fs::write(&path, &text).unwrap();
        let (mut offset, mut seen) = (0, Vec::new());
        loop {
            match next(&path, offset).unwrap() {
                Next::Line(line, end) => {
                    assert!(matches!(line, Record::Start(_)));
                    seen.push("start".to_owned());
                    offset = end;
                }
                Next::Metrics(metrics, end) => {
                    assert_eq!((&metrics[0]["timestamp"], &metrics[0]["key"]), (&json!(1500), &json!("m0")));
                    seen.push(metrics.len().to_string());
                    offset = end;
                }
                Next::Result(metrics, end) => {
                    assert_eq!((metrics.len(), &metrics[0]["step"]), (1, &json!(0)));
                    seen.push("result".into());
                    offset = end;
                }
                Next::Nothing => break,
            }
        }
        assert_eq!(start(&path).unwrap().unwrap().format, 1);
        assert_eq!(seen, ["start", "800", "400", "result"]);
        assert!(text[offset as usize..].starts_with("{\"event\":\"e"));
    }

    #[test]
    fn a_line_of_more_than_a_request_takes_is_still_one_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let values: serde_json::Map<_, _> =
            (0..9000).map(|i| (format!("val/class {i:030}"), i.into())).collect();
        let line =
            json!({"event": "scalars", "time": 1.0, "epoch": 1, "step": 1, "values": values}).to_string();
        std::fs::write(&path, format!("{line}\n{line}\n")).unwrap();
        let Next::Metrics(metrics, end) = next(&path, 0).unwrap() else { panic!("no metrics") };
        assert!(line.len() as u64 > MAX_BYTES);
        assert_eq!((metrics.len(), end), (9000, line.len() as u64 + 1));
    }
}
