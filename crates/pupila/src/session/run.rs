//! What a session leaves: a run that has ended.

use pupila_run::{RunFolder, RunSummary};
use pupila_train::Outcome;
use std::time::Duration;

/// Times of a session.
pub(super) struct Times {
    pub(super) startup: Duration,
    pub(super) scan: Duration,
    pub(super) decode: Duration,
    pub(super) total: Duration,
}

/// A run that has ended: what [`Session::run`](super::Session::run) leaves.
#[derive(Debug)]
pub struct Run {
    pub(super) folder: RunFolder,
    pub(super) outcome: Outcome,
    pub(super) summary: RunSummary,
    pub(super) classes: Vec<String>,
    pub(super) paths: Vec<String>,
    pub(super) state_bytes: u64,
}

impl Run {
    /// Bytes of the checkpoints that were kept, with which the run can go on; 0 where none were.
    pub fn state_bytes(&self) -> u64 {
        self.state_bytes
    }

    /// Its folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// How it went, epoch by epoch, and the validation set's predictions.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// What `summary.json` holds.
    pub fn summary(&self) -> &RunSummary {
        &self.summary
    }

    /// The classes, in the order of the logits.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The paths of the validation images, in the order of the predictions.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// A metric of the validation set at the best epoch by its bare name, such as `accuracy`; none where it is undefined or no
    /// epoch ended.
    pub fn val(&self, metric: &str) -> Option<f64> {
        self.summary.val.as_ref()?.get(metric).copied().flatten()
    }
}
