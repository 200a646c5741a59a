//! A trial as Optuna knows it: what was tried, how it went. Times are handed in.
//!
//! Reference: `optuna.trial.FrozenTrial` 4.9.

use crate::distribution::{Choice, Distribution, ParamValue};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether low or high values are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Low ones.
    Minimize,
    /// High ones.
    Maximize,
}

impl Direction {
    /// The value as a loss: lower is better. NaN stays NaN.
    pub fn loss(self, value: f64) -> f64 {
        match self {
            Direction::Minimize => value,
            Direction::Maximize => -value,
        }
    }
}

/// How far a trial is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It is under way, or whoever ran it is gone.
    Running,
    /// It ended with a value.
    Complete,
    /// A pruner ended it.
    Pruned,
    /// It ended without a value.
    Fail,
    /// It was enqueued, and nobody runs it yet.
    Waiting,
}

impl State {
    /// Whether it has ended, in whatever way.
    pub fn is_finished(self) -> bool {
        matches!(self, State::Complete | State::Pruned | State::Fail)
    }
}

/// A parameter of a trial: its value, and the range that it was drawn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// The range, shared among trials.
    pub distribution: Arc<Distribution>,
    /// The value.
    pub value: ParamValue,
}

impl Param {
    /// The value as the trial sees it.
    pub fn external(&self) -> Choice {
        self.distribution.external(self.value)
    }
}

/// A trial. Fields that a sampler or pruner reads may come from anybody who writes to the storage.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its number within the study, from 0.
    pub number: u64,
    /// How far it is.
    pub state: State,
    /// The parameters by name.
    pub params: BTreeMap<String, Param>,
    /// What was reported, by step; may be NaN or infinite.
    pub intermediate: BTreeMap<i64, f64>,
    /// The objective's values: one where the trial is complete, perhaps one where it was pruned, otherwise none.
    pub values: Vec<f64>,
    /// Attributes that users set.
    pub user_attributes: BTreeMap<String, Value>,
    /// Attributes that samplers, pruners and storages set.
    pub system_attributes: BTreeMap<String, Value>,
    /// When it began, in microseconds since 1970 (UTC).
    pub started_us: Option<i64>,
    /// When it ended, in microseconds since 1970 (UTC).
    pub completed_us: Option<i64>,
}

impl Trial {
    /// A trial of which only number and state are known.
    pub fn new(number: u64, state: State) -> Trial {
        Trial {
            number,
            state,
            params: BTreeMap::new(),
            intermediate: BTreeMap::new(),
            values: Vec::new(),
            user_attributes: BTreeMap::new(),
            system_attributes: BTreeMap::new(),
            started_us: None,
            completed_us: None,
        }
    }

    /// The value of a study with one objective.
    pub fn value(&self) -> Option<f64> {
        match self.values[..] {
            [value] => Some(value),
            _ => None,
        }
    }

    /// The last step that was reported, with its value.
    pub fn last_report(&self) -> Option<(i64, f64)> {
        self.intermediate.last_key_value().map(|(&step, &value)| (step, value))
    }
}
