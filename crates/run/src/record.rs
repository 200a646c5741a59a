//! `metrics.jsonl`: what happened in a run, one JSON object a line. `docs/metrics.md` describes it.

use crate::error::{RunFileError, damaged};
use crate::named::{Named, Number};
use crate::run_end::RunEnd;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::Path;

/// A line. `time` is in seconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Record {
    /// The run begins.
    Start(Box<StartRecord>),
    /// Numbers of an epoch that has ended.
    Scalars {
        /// When.
        time: f64,
        /// The epoch, from 1.
        epoch: u32,
        /// Optimizer updates so far.
        step: u64,
        /// Tags such as `val/loss`, and their values.
        values: Named<Number>,
    },
    /// Numbers of the steps since the last such line.
    Steps {
        /// When.
        time: f64,
        /// The epoch that they are in, from 1.
        epoch: u32,
        /// Optimizer updates so far.
        step: u64,
        /// Tags such as `step/loss`, and their values.
        values: Named<Number>,
    },
    /// Numbers of the best epoch, once the run has ended.
    Result {
        /// When.
        time: f64,
        /// The epoch, from 1.
        epoch: u32,
        /// Its optimizer updates.
        step: u64,
        /// Tags such as `best/accuracy`, and their values.
        values: Named<Number>,
    },
    /// Something that is wrong with the training.
    Finding {
        /// When.
        time: f64,
        /// The epoch after which it was seen; 0 before the first one.
        epoch: u32,
        /// Optimizer updates so far.
        step: u64,
        /// What it is, such as `overfitting`.
        kind: String,
        /// What was seen, with numbers.
        message: String,
        /// One thing to try.
        suggestion: String,
    },
    /// How busy the machine is.
    System {
        /// When.
        time: f64,
        /// Counts these lines from 0.
        sample: u64,
        /// Tags such as `system/cpu_utilization_percentage`, and their values.
        values: Named<Number>,
    },
    /// The run ends.
    End {
        /// When.
        time: f64,
        /// How.
        status: RunEnd,
        /// The epoch whose values are kept, from 1.
        best_epoch: Option<u32>,
    },
    /// A file of the run folder that is final.
    Artifact {
        /// When.
        time: f64,
        /// Its path relative to the run folder, `/` between folders.
        path: String,
    },
    /// The run's model file is final.
    Model {
        /// When.
        time: f64,
        /// Its path relative to the run folder.
        path: String,
        /// The step that its values are of.
        step: u64,
    },
    /// A line of a kind that this version does not know.
    #[serde(other)]
    Unknown,
}

impl Record {
    /// When it was written, in seconds since 1970, UTC; 0 where the line is of an unknown kind.
    pub fn time(&self) -> f64 {
        match self {
            Record::Start(start) => start.time,
            Record::Scalars { time, .. }
            | Record::Steps { time, .. }
            | Record::Result { time, .. }
            | Record::Finding { time, .. }
            | Record::System { time, .. }
            | Record::End { time, .. }
            | Record::Artifact { time, .. }
            | Record::Model { time, .. } => *time,
            Record::Unknown => 0.0,
        }
    }

    /// One line of the file; an unknown record where it is none.
    pub fn of_line(line: &[u8]) -> Record {
        serde_json::from_slice(line).unwrap_or(Record::Unknown)
    }
}

/// What is known of a run when it begins.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StartRecord {
    /// When.
    pub time: f64,
    /// The run's name.
    pub run: String,
    /// The classes, in the order of the logits.
    pub classes: Vec<String>,
    /// Trained values of the network.
    pub parameters: usize,
    /// Images to train on.
    pub train_images: usize,
    /// Images to validate on.
    pub val_images: usize,
    /// Every key of the recipe that has a value, such as `optimizer.lr`.
    pub recipe: Map<String, Value>,
    /// What the run was made from and with, such as `mlflow.source.git.commit`.
    pub tags: Named<String>,
    /// The images.
    pub data: DataRecord,
    /// The group of runs that it belongs to; absent where it stands alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// The folder's format.
    #[serde(default = "crate::first_format")]
    pub format: u32,
}

impl StartRecord {
    /// Whether a network was trained, so that a model and its result follow. The record of a group itself has none.
    pub fn has_network(&self) -> bool {
        self.parameters > 0
    }
}

/// Runs that belong together, such as a study's, as one of them knows it. The group has a folder of its own, with a
/// `metrics.jsonl` that says what came out of all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    /// The group's folder, relative to the run folder, such as `..`.
    pub folder: String,
    /// The group's name.
    pub name: String,
    /// Which of the group's variants the run is, such as `dropout`. Runs that differ in their seed alone are of one variant.
    pub member: String,
    /// Keys of the recipe that differ between the group's runs, such as `model.dropout`.
    pub varied: Vec<String>,
}

/// Which images a run uses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DataRecord {
    /// The last part of the path, for people.
    pub name: String,
    /// Where they are.
    pub path: String,
    /// How they are given, such as `class folders`.
    pub form: String,
    /// Changes with the images, their labels or their splits; in hexadecimal.
    pub fingerprint: String,
}

/// The lines of a `metrics.jsonl`. A line that is torn, as of a run that was killed, is the last and is left out.
///
/// # Errors
/// A line that is no record, with its number.
pub fn read_records(path: &Path, text: &str) -> Result<Vec<Record>, RunFileError> {
    let mut records = Vec::new();
    let lines = text.lines().count();
    for (place, line) in text.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(record) => records.push(record),
            Err(_) if place + 1 == lines && !text.ends_with('\n') => break,
            Err(error) => {
                let what = if error.is_data() { "" } else { "no JSON: " };
                return Err(damaged(path, Some(place as u64 + 1), format_args!("{what}{error}")));
            }
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_reads_back_as_itself() {
        let values: Named<Number> = [("a", f64::NAN), ("b", f64::NEG_INFINITY), ("c", 0.1), ("d", 3.0)]
            .map(|(tag, x)| (tag.to_owned(), Number(x)))
            .into_iter()
            .collect();
        let start =
            StartRecord { run: "r".into(), classes: vec!["a\n\"b\"".into()], ..StartRecord::default() };
        let records = [
            Record::Start(Box::new(start)),
            Record::Scalars { time: 1.5, epoch: 1, step: 8, values: values.clone() },
            Record::System { time: 1.5, sample: 0, values },
            Record::End { time: 2.0, status: RunEnd::StoppedEarly, best_epoch: None },
            Record::Model { time: 2.0, path: "best.safetensors".into(), step: 8 },
        ];
        let text: String = records.iter().map(|r| serde_json::to_string(r).unwrap() + "\n").collect();
        assert_eq!(read_records(Path::new("m"), &text).unwrap(), records);
        assert!(text.lines().all(|line| line.starts_with("{\"event\":\"")), "{text}");
    }

    #[test]
    fn a_run_that_stands_alone_has_no_group_and_one_of_a_group_names_it() {
        let alone = StartRecord { run: "r".into(), ..StartRecord::default() };
        let line = serde_json::to_string(&Record::Start(Box::new(alone.clone()))).unwrap();
        // As it was written before there were groups.
        assert!(!line.contains("group"), "{line}");
        assert_eq!(Record::of_line(line.as_bytes()), Record::Start(Box::new(alone.clone())));
        let group = Group {
            folder: "..".into(),
            name: "skin".into(),
            member: "dropout".into(),
            varied: vec!["model.dropout".into()],
        };
        let start = StartRecord { group: Some(group), ..alone };
        let line = serde_json::to_string(&Record::Start(Box::new(start.clone()))).unwrap();
        let written =
            r#""group":{"folder":"..","name":"skin","member":"dropout","varied":["model.dropout"]}"#;
        assert!(line.contains(written), "{line}");
        assert_eq!(Record::of_line(line.as_bytes()), Record::Start(Box::new(start)));
    }

    #[test]
    fn a_torn_last_line_is_left_out_and_any_other_is_named() {
        let line =
            "{\"event\":\"scalars\",\"time\":1,\"epoch\":1,\"step\":2,\"values\":{\"val/loss\":0.5}}\n";
        assert_eq!(read_records(Path::new("m"), &format!("{line}{{\"event\":\"sca")).unwrap().len(), 1);
        let error = read_records(Path::new("m"), &format!("{{\n{line}")).unwrap_err().to_string();
        assert!(error.starts_with("m, line 1: "), "{error}");
        let later = "{\"event\":\"of a later version\",\"x\":[1]}\n";
        assert_eq!(read_records(Path::new("m"), later).unwrap(), [Record::Unknown]);
    }
}
