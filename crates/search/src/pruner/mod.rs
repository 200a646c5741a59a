//! Pruners: whether a trial that runs should end early.

use crate::trial::{Direction, Trial};
use serde_json::Value;
use std::fmt;

/// What a pruner says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// Whether the trial should end.
    pub is_pruned: bool,
    /// System attributes to store with the trial, which the pruner needs to see in all trials.
    pub attributes: Vec<(String, Value)>,
}

/// Ends trials early.
pub trait Pruner: fmt::Debug + Send + Sync {
    /// The name by which it is asked for.
    fn name(&self) -> &'static str;

    /// Whether `trial`, which has just reported, should end. `trials` are all of the study, `study` is its name.
    fn judge(&self, study: &str, direction: Direction, trial: &Trial, trials: &[Trial]) -> Verdict;
}
