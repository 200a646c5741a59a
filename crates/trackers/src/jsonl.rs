//! `metrics.jsonl`: one JSON object a line, written the moment it happens.
//!
//! Every object has `event` and `time` (seconds since 1970, UTC). `start` has `run`, `classes`, `parameters`,
//! `train_images`, `val_images`; `scalars` has `epoch` (from 1), `step` (optimizer updates so far) and `values`, an object
//! of tag and number; `end` has `status` and `best_epoch`. JSON has no number for NaN and the infinities: they are the
//! strings `"NaN"`, `"Infinity"` and `"-Infinity"`.

use crate::{Event, Tracker};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes events to a file of JSON lines.
#[derive(Debug)]
pub struct Jsonl {
    file: File,
}

impl Jsonl {
    /// A new file; one that is there already is an error.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Jsonl { file: File::options().write(true).create_new(true).open(path)? })
    }
}

impl Tracker for Jsonl {
    fn name(&self) -> &'static str {
        "metrics.jsonl"
    }

    fn record(&mut self, event: &Event) -> io::Result<()> {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64());
        let mut line = to_json(event, time).to_string();
        line.push('\n');
        // One write for the whole line, so that a run that is killed leaves whole lines.
        self.file.write_all(line.as_bytes())
    }
}

fn to_json(event: &Event, time: f64) -> Value {
    match event {
        Event::Start { run, classes, parameters, train_images, val_images } => json!({
            "event": "start", "time": time, "run": run, "classes": classes, "parameters": parameters,
            "train_images": train_images, "val_images": val_images,
        }),
        Event::Scalars { epoch, step, values } => {
            let values: Map<_, _> = values.iter().map(|(tag, value)| (tag.clone(), number(*value))).collect();
            json!({ "event": "scalars", "time": time, "epoch": epoch, "step": step, "values": values })
        }
        Event::End { end, best_epoch } => {
            json!({ "event": "end", "time": time, "status": end.name(), "best_epoch": best_epoch })
        }
    }
}

fn number(value: f64) -> Value {
    match value {
        v if v.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        v => v.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunEnd;

    #[test]
    fn every_event_is_one_line_and_nothing_is_lost() {
        let path = std::env::temp_dir().join(format!("pupila-jsonl-{}", std::process::id()));
        let mut jsonl = Jsonl::create(&path).unwrap();
        let values =
            vec![("train/loss".into(), f64::NAN), ("lr".into(), f64::INFINITY), ("val/loss".into(), 0.1)];
        let classes = vec!["a\n\"b\"".to_owned()];
        for event in [
            Event::Start { run: "r".into(), classes, parameters: 1, train_images: 2, val_images: 3 },
            Event::Scalars { epoch: 1, step: 8, values },
            Event::End { end: RunEnd::Completed, best_epoch: Some(1) },
        ] {
            jsonl.record(&event).unwrap();
        }
        assert!(Jsonl::create(&path).is_err(), "an older file is never written over");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0]["classes"][0], "a\n\"b\"");
        assert_eq!(lines[1]["values"], json!({"train/loss": "NaN", "lr": "Infinity", "val/loss": 0.1}));
        assert_eq!(lines[2]["status"], "completed");
    }
}
