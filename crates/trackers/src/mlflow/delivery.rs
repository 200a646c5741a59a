//! One run on its way to one server: what is next, sent and acknowledged, so that each metric arrives once.
//!
//! `metrics.jsonl` is the outbox and the ledger says how far it was acknowledged. A request whose answer was lost may have
//! been carried out or not: it is marked in the ledger before it is sent, and while that mark stands, the histories of its
//! metrics are read back first and only what is missing is sent.

use super::client::{Client, ClientError, escaped};
use super::journal::{self, MAX_METRICS, Next, milliseconds};
use super::ledger::Ledger;
use super::model;
use super::target::Target;
use crate::RunEnd;
use pupila_run::{Record, RunFolder, StartRecord};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// Longest value of a parameter and of a tag, in characters (MLflow 2.22 and 3.17).
const MAX_VALUE: usize = 5000;

/// Why a run cannot be sent now.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The server, or the way to it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The run folder.
    #[error("{}: {source}", path.display())]
    Folder {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process sends the run to the same server: a training that still runs, most likely.
    #[error("{} is being sent by another process", .0.display())]
    Busy(PathBuf),
    /// The server has the experiment in its trash.
    #[error(
        "the experiment `{0}` is deleted on the server: restore it there, or choose another with --experiment"
    )]
    Deleted(String),
}

impl DeliveryError {
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, DeliveryError::Client(error) if error.is_passing())
    }
}

/// A run on its way to a server.
#[derive(Debug)]
pub struct Delivery {
    pub(super) client: Client,
    pub(super) folder: PathBuf,
    pub(super) ledger: Ledger,
    ledger_path: PathBuf,
    /// Held as long as this is: two senders would send everything twice. None where only the run is found or made.
    _lock: Option<File>,
    /// Metrics acknowledged by this process.
    pub(super) metrics: u64,
    /// Files acknowledged by this process.
    pub(super) files: u64,
}

impl Delivery {
    /// Opens the ledger of a run folder for a target. Asks no server yet.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub fn open(folder: &Path, target: Target) -> Result<Self, DeliveryError> {
        let path = Ledger::path(folder, &target.uri, &target.experiment);
        let lock = lock(&path.with_extension("lock"), folder)?;
        Ok(Delivery { _lock: Some(lock), ..Delivery::read(folder, target)? })
    }

    /// Reads the ledger of a run folder without a claim to send its lines.
    pub(super) fn read(folder: &Path, target: Target) -> Result<Self, DeliveryError> {
        let ledger_path = Ledger::path(folder, &target.uri, &target.experiment);
        let ledger = read_ledger(&ledger_path, &target)?;
        Ok(Delivery::of_ledger(folder, target, ledger, ledger_path))
    }

    /// With a ledger that is known.
    pub(super) fn of_ledger(folder: &Path, target: Target, ledger: Ledger, ledger_path: PathBuf) -> Self {
        let (client, folder) = (Client::new(target), folder.to_owned());
        Delivery { client, folder, ledger, ledger_path, _lock: None, metrics: 0, files: 0 }
    }

    /// Sends what is next; false where all is acknowledged.
    ///
    /// # Errors
    /// Nothing is lost then; the same call goes on from there.
    pub fn advance(&mut self) -> Result<bool, DeliveryError> {
        if self.ledger.reopens {
            let update = json!({ "run_id": self.run_id(), "status": "RUNNING" });
            self.client.post("mlflow/runs/update", &update)?;
            self.ledger.reopens = false;
            self.remember()?;
        }
        let path = self.folder.join(RunFolder::METRICS);
        let next = journal::next(&path, self.ledger.acknowledged);
        match next.map_err(|source| DeliveryError::Folder { path, source })? {
            Next::Nothing => Ok(false),
            Next::Line(line, end) => {
                self.line(&line)?;
                self.acknowledge(end)?;
                Ok(true)
            }
            Next::Metrics(metrics, end) => {
                self.send_metrics(metrics, end, self.ledger.replays)?;
                self.acknowledge(end)?;
                Ok(true)
            }
            Next::Result(mut metrics, end) => {
                model::claim(self, &mut metrics)?;
                // All results stand at step 0, the last one counts.
                self.send_metrics(metrics, end, false)?;
                self.acknowledge(end)?;
                Ok(true)
            }
        }
    }

    /// Bytes of `metrics.jsonl` that are not acknowledged.
    pub(super) fn pending(&self) -> u64 {
        let length = std::fs::metadata(self.folder.join(RunFolder::METRICS)).map_or(0, |file| file.len());
        length.saturating_sub(self.ledger.acknowledged)
    }

    fn acknowledge(&mut self, end: u64) -> Result<(), DeliveryError> {
        self.ledger.acknowledged = end;
        self.ledger.in_doubt = None;
        self.remember()
    }

    pub(super) fn remember(&self) -> Result<(), DeliveryError> {
        let failed = |source| DeliveryError::Folder { path: self.ledger_path.clone(), source };
        self.ledger.write(&self.ledger_path).map_err(failed)
    }

    /// What was known at the start.
    pub(super) fn first_line(&self) -> Result<StartRecord, DeliveryError> {
        let path = self.folder.join(RunFolder::METRICS);
        let start = journal::start(&path).map_err(|source| DeliveryError::Folder { path, source })?;
        Ok(start.unwrap_or_default())
    }

    /// Waits until nobody else finds or makes the run of this ledger, a matter of a few requests, and reads what came of it.
    pub(super) fn take_turn(&mut self) -> Result<File, DeliveryError> {
        let file = lock_file(&self.ledger_path.with_extension("start.lock"))?;
        // A file system without locks: two that begin at once may make two runs, and nothing worse.
        let _ = file.lock();
        // It is never behind: what is known here and not there is a mark under which nothing was sent yet.
        self.ledger = read_ledger(&self.ledger_path, self.client.target())?;
        Ok(file)
    }

    pub(super) fn run_id(&self) -> String {
        self.ledger.run_id.clone().unwrap_or_default()
    }

    /// `replays`: whether they may be there with another time.
    fn send_metrics(
        &mut self,
        mut metrics: Vec<Value>,
        end: u64,
        replays: bool,
    ) -> Result<(), DeliveryError> {
        if replays {
            let all = metrics.len();
            metrics = self.missing(metrics, false)?;
            // Lines come in order: behind one of which nothing is there, nothing is.
            self.ledger.replays = metrics.len() < all;
        } else if self.ledger.in_doubt.is_some() {
            metrics = self.missing(metrics, true)?;
        }
        let count = metrics.len() as u64;
        if count > 0 {
            self.ledger.in_doubt = Some(end);
            self.remember()?;
            for metrics in metrics.chunks(MAX_METRICS) {
                self.client
                    .post("mlflow/runs/log-batch", &json!({ "run_id": self.run_id(), "metrics": metrics }))?;
            }
        }
        self.metrics += count;
        Ok(())
    }

    /// Those metrics that the server does not have: at their step, and if `timed` of their time.
    fn missing(&self, metrics: Vec<Value>, timed: bool) -> Result<Vec<Value>, ClientError> {
        let key = |metric: &Value| metric["key"].as_str().unwrap_or_default().to_owned();
        let time = |time: i64| if timed { time } else { 0 };
        let at = |metric: &Value| {
            (metric["step"].as_i64().unwrap_or(0), time(metric["timestamp"].as_i64().unwrap_or(0)))
        };
        let mut there: HashMap<String, HashSet<(i64, i64)>> = HashMap::new();
        for key in metrics.iter().map(key).collect::<HashSet<_>>() {
            let (mut seen, mut token) = (HashSet::new(), String::new());
            loop {
                let page = format!(
                    "mlflow/metrics/get-history?run_id={}&metric_key={}&max_results=25000{}",
                    self.run_id(),
                    escaped(&key),
                    if token.is_empty() { String::new() } else { format!("&page_token={}", escaped(&token)) },
                );
                let answer = self.client.get(&page)?;
                // Protocol buffers leave out what is 0, and some versions write 64-bit numbers as text.
                let integer = |value: &Value| {
                    value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok())).unwrap_or(0)
                };
                let history = answer["metrics"].as_array().into_iter().flatten();
                seen.extend(history.map(|m| (integer(&m["step"]), time(integer(&m["timestamp"])))));
                match answer["next_page_token"].as_str().filter(|next| !next.is_empty()) {
                    Some(next) => token = next.to_owned(),
                    None => break,
                }
            }
            there.insert(key, seen);
        }
        let absent = |metric: &Value| there.get(&key(metric)).is_none_or(|seen| !seen.contains(&at(metric)));
        Ok(metrics.into_iter().filter(absent).collect())
    }

    fn line(&mut self, record: &Record) -> Result<(), DeliveryError> {
        match record {
            Record::Start(start) => self.start(start),
            Record::End { status, .. } => Ok(self.end(*status, milliseconds(record))?),
            Record::Artifact { path, .. } => {
                let root = self.ledger.artifact_uri.clone();
                self.put(&root, path, path)
            }
            Record::Model { path, step, .. } => model::send(self, path, *step, milliseconds(record)),
            _ => Ok(()),
        }
    }

    fn end(&self, end: RunEnd, time_ms: i64) -> Result<(), ClientError> {
        let status = match end {
            RunEnd::Completed | RunEnd::StoppedEarly | RunEnd::Ended => "FINISHED",
            RunEnd::Diverged => "FAILED",
            RunEnd::Interrupted => "KILLED",
        };
        let tag = json!({ "run_id": self.run_id(), "key": "pupila.status", "value": end.name() });
        self.client.post("mlflow/runs/set-tag", &tag)?;
        self.close(status, time_ms)
    }

    /// Sets the status of the run on the server.
    pub(super) fn close(&self, status: &str, end_time: i64) -> Result<(), ClientError> {
        let update = json!({ "run_id": self.run_id(), "status": status, "end_time": end_time });
        self.client.post("mlflow/runs/update", &update).map(|_| ())
    }

    /// Puts a file of the run folder at `name` below an artifact address; where the server does not take artifacts for its
    /// clients, or the file has gone, that is remembered and not tried again.
    pub(super) fn put(&mut self, root: &str, path: &str, name: &str) -> Result<(), DeliveryError> {
        let Some(place) = proxied(root) else {
            self.ledger
                .skipped
                .push(format!("{path}: the server keeps artifacts at {}, not behind itself", scheme(root)));
            return Ok(());
        };
        match self.client.put_file(&format!("{place}/{name}"), &self.folder.join(path)) {
            Ok(()) => self.files += 1,
            Err(error) if !error.is_passing() => self.ledger.skipped.push(format!("{path}: {error}")),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

fn read_ledger(path: &Path, target: &Target) -> Result<Ledger, DeliveryError> {
    let failed = |source| DeliveryError::Folder { path: path.to_owned(), source };
    Ledger::open(path, &target.uri, &target.experiment).map_err(failed)
}

/// A file to lock, made where it isn't there.
fn lock_file(path: &Path) -> Result<File, DeliveryError> {
    let failed = |source| DeliveryError::Folder { path: path.to_owned(), source };
    path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
    File::options().create(true).truncate(false).write(true).open(path).map_err(failed)
}

fn lock(path: &Path, folder: &Path) -> Result<File, DeliveryError> {
    let file = lock_file(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DeliveryError::Busy(folder.to_owned())),
        // A file system without locks: nothing worse than without this.
        Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// The place of an artifact address behind the server's own proxy.
pub(super) fn proxied(uri: &str) -> Option<String> {
    if let Some((_, place)) = uri.split_once("/mlflow-artifacts/artifacts/") {
        return Some(place.to_owned());
    }
    let rest = uri.strip_prefix("mlflow-artifacts:")?;
    let place = match rest.strip_prefix("//") {
        Some(with_host) => with_host.split_once('/')?.1,
        None => rest,
    };
    Some(place.trim_matches('/').to_owned())
}

fn scheme(uri: &str) -> &str {
    uri.split_once(':').map_or("a folder of its own", |(scheme, _)| scheme)
}

/// A value as MLflow shows it, which knows text only.
pub(super) fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().take(MAX_VALUE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_never_send_one_run_to_one_server() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::resolve(Some(&crate::mlflow::TrackingUri::new("http://h")), None, |_| None);
        let target = target.unwrap().unwrap();
        let first = Delivery::open(folder.path(), target.clone()).unwrap();
        assert!(matches!(Delivery::open(folder.path(), target.clone()), Err(DeliveryError::Busy(_))));
        let elsewhere = Target { uri: "http://i".into(), ..target.clone() };
        assert!(Delivery::open(folder.path(), elsewhere).is_ok());
        drop(first);
        assert!(Delivery::open(folder.path(), target).is_ok());
    }

    #[test]
    fn only_artifacts_behind_the_server_are_within_reach() {
        assert_eq!(proxied("mlflow-artifacts:/1/abc/artifacts").as_deref(), Some("1/abc/artifacts"));
        assert_eq!(proxied("mlflow-artifacts://host:5000/1/abc").as_deref(), Some("1/abc"));
        assert_eq!(proxied("http://h/api/2.0/mlflow-artifacts/artifacts/1/a").as_deref(), Some("1/a"));
        assert_eq!(proxied("s3://bucket/1/abc"), None);
        assert_eq!(proxied("/srv/mlruns/1"), None);
    }
}
