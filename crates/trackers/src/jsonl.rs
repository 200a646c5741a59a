//! `metrics.jsonl`: one JSON object a line, written the moment it happens. `docs/metrics.md` describes it.
//!
//! It is the record of the run from which the MLflow sender works too. Pictures, texts, histograms and curves are not in
//! it.

use crate::{Event, Tracker};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

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

    fn record(&mut self, time: f64, event: &Event) -> io::Result<()> {
        let Some(object) = to_json(event, time) else { return Ok(()) };
        let mut line = object.to_string();
        line.push('\n');
        // One write for the whole line, so that a run that is killed leaves whole lines.
        self.file.write_all(line.as_bytes())
    }
}

fn to_json(event: &Event, time: f64) -> Option<Value> {
    Some(match event {
        Event::Start(run) => json!({
            "event": "start", "time": time, "run": run.run, "classes": run.classes, "parameters": run.parameters,
            "train_images": run.train_images, "val_images": run.val_images,
            "recipe": run.recipe,
            "tags": run.tags.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect::<Map<_, _>>(),
            "data": { "name": run.data.name, "path": run.data.path, "form": run.data.form,
                      "fingerprint": run.data.fingerprint },
        }),
        Event::Scalars { epoch, step, values } => {
            json!({ "event": "scalars", "time": time, "epoch": epoch, "step": step, "values": numbers(values) })
        }
        Event::Steps { epoch, step, values } => {
            json!({ "event": "steps", "time": time, "epoch": epoch, "step": step, "values": numbers(values) })
        }
        Event::Result { epoch, step, values } => {
            json!({ "event": "result", "time": time, "epoch": epoch, "step": step, "values": numbers(values) })
        }
        Event::Finding { kind, epoch, step, message, suggestion } => json!({
            "event": "finding", "time": time, "epoch": epoch, "step": step, "kind": kind, "message": message,
            "suggestion": suggestion,
        }),
        Event::System { sample, values } => {
            json!({ "event": "system", "time": time, "sample": sample, "values": numbers(values) })
        }
        Event::Artifact { path } => json!({ "event": "artifact", "time": time, "path": path }),
        Event::Model { path, step } => json!({ "event": "model", "time": time, "path": path, "step": step }),
        Event::End { end, best_epoch } => {
            json!({ "event": "end", "time": time, "status": end.name(), "best_epoch": best_epoch })
        }
        Event::Image { .. }
        | Event::Text { .. }
        | Event::Histogram { .. }
        | Event::PrCurve { .. }
        | Event::Graph(_)
        | Event::Layout(_) => return None,
    })
}

fn numbers(values: &[(String, f64)]) -> Value {
    values.iter().map(|(tag, value)| (tag.clone(), number(*value))).collect::<Map<_, _>>().into()
}

/// JSON has no number for NaN and the infinities.
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
    use crate::{RunEnd, RunInfo};

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
    }
}
