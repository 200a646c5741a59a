//! What is known of a search in a folder of runs. In: its `search.json`, which is written at its end, and its folders. Out: a [`SearchEntry`].
//!
//! No lock is asked and no storage opened: a database may be far away, and who works on a search shall not wait for who looks at it.

use super::contents::{is_file, runs_of};
use pupila_metrics::{Metric, metric};
use serde_json::Value;
use std::path::Path;

/// What is known of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchEntry {
    /// The trials that have a run folder.
    pub trials: usize,
    /// How many trials ended, as the last process that ended here found them.
    pub ended: Option<EndedTrials>,
    /// The best value, found then.
    pub best: Option<f64>,
    /// The bare name of the metric that it is a value of, on the validation images.
    pub metric: Option<String>,
    /// How far it is.
    pub status: SearchStatus,
}

/// How many trials have ended, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedTrials {
    /// With a value.
    pub complete: u64,
    /// Early.
    pub pruned: u64,
    /// Without a value.
    pub failed: u64,
}

/// How far a search is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchStatus {
    /// The last process that worked on it came to its end.
    Completed,
    /// It was stopped.
    Interrupted,
    /// No process has ended yet: one runs, or all were killed.
    NoResult,
    /// Its `search.json` is damaged: what is wrong.
    Unreadable(String),
}

impl SearchEntry {
    /// The metric, where this version has it.
    pub fn known_metric(&self) -> Option<&'static Metric> {
        metric(self.metric.as_deref()?).ok()
    }

    /// Of a search's folder.
    pub(super) fn read(folder: &Path) -> SearchEntry {
        let trials = runs_of(folder).count();
        let empty = |status| SearchEntry { trials, ended: None, best: None, metric: None, status };
        let path = folder.join(crate::search::FILE);
        if !is_file(&path) {
            return empty(SearchStatus::NoResult);
        }
        let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
        let read = read.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
        let object: Value = match read {
            Ok(object) => object,
            Err(why) => {
                return empty(SearchStatus::Unreadable(format!(
                    "{} cannot be read: {why}; the next `pupila search` of it writes it anew",
                    path.display()
                )));
            }
        };
        let Some(counts) = object["trials"].as_object() else { return empty(SearchStatus::NoResult) };
        let count = |key: &str| counts.get(key).and_then(Value::as_u64).unwrap_or(0);
        let named = object["metric"].as_str().map(|name| name.trim_start_matches("val/"));
        SearchEntry {
            trials,
            ended: Some(EndedTrials {
                complete: count("complete"),
                pruned: count("pruned"),
                failed: count("failed"),
            }),
            best: object["best"]["value"].as_f64(),
            metric: named.map(str::to_owned),
            status: match object["stopped"] == true {
                true => SearchStatus::Interrupted,
                false => SearchStatus::Completed,
            },
        }
    }
}
