//! `metrics.jsonl`: one JSON object a line, written the moment it happens. `docs/metrics.md` describes it.
//!
//! It is the record of the run from which the MLflow sender works too. Pictures, texts, histograms and curves are not in
//! it.

use crate::{Event, RunInfo, Tracker};
use pupila_run::{FORMAT, Named, Number, Record, StartRecord, fault};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

/// Writes events to a file of JSON lines.
#[derive(Debug)]
pub struct Jsonl {
    file: File,
    bytes: u64,
}

impl Jsonl {
    /// Goes on at the end of a file that is there, behind its last whole line.
    ///
    /// # Errors
    /// The file is not there, or cannot be written.
    pub fn append(path: &Path) -> io::Result<Self> {
        let text = std::fs::read(path)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let mut file = File::options().write(true).open(path)?;
        // What a killed run has left of a line would make the next one unreadable.
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Jsonl { file, bytes: whole as u64 })
    }

    /// Goes on behind the first `bytes` of a file that is there; the rest is cut off.
    ///
    /// # Errors
    /// The file is not there, is shorter, or cannot be written.
    pub fn cut(path: &Path, bytes: u64) -> io::Result<Self> {
        let mut file = File::options().write(true).open(path)?;
        let there = file.metadata()?.len();
        if there < bytes {
            return Err(io::Error::other(format!("it has {there} bytes, and had {bytes}")));
        }
        fault("truncate")?;
        file.set_len(bytes)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Jsonl { file, bytes })
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A new file; one that is there already is an error.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Jsonl { file: File::options().write(true).create_new(true).open(path)?, bytes: 0 })
    }
}

impl Tracker for Jsonl {
    fn name(&self) -> &'static str {
        "metrics.jsonl"
    }

    fn record(&mut self, time: f64, event: &Event) -> io::Result<()> {
        let Some(record) = to_record(event, time) else { return Ok(()) };
        let mut line = serde_json::to_string(&record)?;
        line.push('\n');
        // One write for the whole line, so that a run that is killed leaves whole lines.
        fault("append")?;
        self.file.write_all(line.as_bytes())?;
        self.bytes += line.len() as u64;
        Ok(())
    }
}

/// The line of an event; none for what is not in the file.
fn to_record(event: &Event, time: f64) -> Option<Record> {
    Some(match event.clone() {
        Event::Start(run) => {
            let RunInfo {
                run, classes, parameters, train_images, val_images, recipe, tags, data, group, ..
            } = *run;
            Record::Start(Box::new(StartRecord {
                time,
                run,
                classes,
                parameters,
                train_images,
                val_images,
                recipe,
                tags: Named(tags),
                data,
                group,
                format: FORMAT,
            }))
        }
        Event::Scalars { epoch, step, values } => {
            Record::Scalars { time, epoch, step, values: numbers(values) }
        }
        Event::Steps { epoch, step, values } => Record::Steps { time, epoch, step, values: numbers(values) },
        Event::Result { epoch, step, values } => {
            Record::Result { time, epoch, step, values: numbers(values) }
        }
        Event::Finding { kind, epoch, step, message, suggestion } => {
            Record::Finding { time, epoch, step, kind, message, suggestion }
        }
        Event::System { sample, values } => Record::System { time, sample, values: numbers(values) },
        Event::Artifact { path } => Record::Artifact { time, path },
        Event::Model { path, step } => Record::Model { time, path, step },
        Event::End { end, best_epoch } => Record::End { time, status: end, best_epoch },
        Event::Image { .. }
        | Event::Text { .. }
        | Event::Histogram { .. }
        | Event::PrCurve { .. }
        | Event::Graph(_)
        | Event::Layout(_) => return None,
    })
}

fn numbers(values: Vec<(String, f64)>) -> Named<Number> {
    values.into_iter().map(|(tag, value)| (tag, Number(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunEnd;
    use serde_json::{Value, json};

    #[test]
    fn every_event_is_one_line_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut jsonl = Jsonl::create(&path).unwrap();
        let values = vec![
            ("train/loss".into(), f64::NAN),
            ("lr".into(), f64::INFINITY),
            ("x".into(), f64::NEG_INFINITY),
            ("val/loss".into(), 0.1),
        ];
        let classes = vec!["a\n\"b\"".to_owned()];
        let tags = vec![("git".to_owned(), "abc".to_owned())];
        for event in [
            Event::Start(Box::new(RunInfo { run: "r".into(), classes, tags, ..RunInfo::default() })),
            Event::Scalars { epoch: 1, step: 8, values },
            Event::Layout(Vec::new()),
            Event::System { sample: 0, values: vec![("system/x".into(), 2.0)] },
            Event::End { end: RunEnd::Completed, best_epoch: Some(1) },
        ] {
            jsonl.record(7.5, &event).unwrap();
        }
        assert!(Jsonl::create(&path).is_err(), "an older file is never written over");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 4);
        assert_eq!((&lines[0]["classes"][0], &lines[0]["tags"]["git"]), (&json!("a\n\"b\""), &json!("abc")));
        let expected = json!({"train/loss": "NaN", "lr": "Infinity", "x": "-Infinity", "val/loss": 0.1});
        assert_eq!((&lines[1]["values"], &lines[1]["time"]), (&expected, &json!(7.5)));
        assert_eq!(lines[3]["status"], "completed");
        // A line that was torn by a kill goes, and the next one is whole.
        std::fs::write(&path, format!("{text}{{\"event\":\"sca")).unwrap();
        let event = Event::Artifact { path: "x".into() };
        Jsonl::append(&path).unwrap().record(8.0, &event).unwrap();
        let more = std::fs::read_to_string(&path).unwrap();
        assert_eq!(more.strip_prefix(&text), Some("{\"event\":\"artifact\",\"time\":8.0,\"path\":\"x\"}\n"));
    }
}
