//! Where the trials of a study are kept: Optuna's own storages, which this program, Optuna and optuna-dashboard share.
//!
//! Trials are known by their number within the study. What one worker writes, others see the next time they ask.

mod memory;

pub use memory::Memory;

use crate::trial::{Direction, Param, State, Trial};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Trials of one study, shared by whoever works on it.
pub trait Storage: fmt::Debug + Send + Sync {
    /// All trials, by their numbers.
    ///
    /// # Errors
    /// The storage cannot be read.
    fn trials(&self) -> Result<Vec<Trial>, StorageError>;

    /// A new trial that runs; its number.
    ///
    /// # Errors
    /// The storage cannot be written.
    fn create(&self) -> Result<u64, StorageError>;

    /// Takes the first waiting trial, so that it runs and nobody else takes it; its number, and none where no trial waits. Its parameters may be
    /// given (`fixed_params` among the system attributes).
    ///
    /// # Errors
    /// The storage cannot be read or written.
    fn claim(&self) -> Result<Option<u64>, StorageError>;

    /// Puts a trial into the queue that somebody takes with [`Storage::claim`]: values to try, as JSON by name (Optuna's `fixed_params`), and
    /// system attributes; its number.
    ///
    /// # Errors
    /// The storage cannot be written.
    fn enqueue(
        &self,
        fixed: &BTreeMap<String, Value>,
        attributes: &[(String, Value)],
    ) -> Result<u64, StorageError>;

    /// What a running trial tries.
    ///
    /// # Errors
    /// The storage cannot be written, or the trial has ended.
    fn set_params(&self, number: u64, params: &BTreeMap<String, Param>) -> Result<(), StorageError>;

    /// A value that a running trial has reached at a step; a later report of the same step stands in for it.
    ///
    /// # Errors
    /// The storage cannot be written, or the trial has ended.
    fn report(&self, number: u64, step: i64, value: f64) -> Result<(), StorageError>;

    /// Attributes of a running trial that users set, or samplers, pruners and storages (`is_system`).
    ///
    /// # Errors
    /// The storage cannot be written, or the trial has ended.
    fn set_attribute(
        &self,
        number: u64,
        is_system: bool,
        key: &str,
        value: &Value,
    ) -> Result<(), StorageError>;

    /// Ends a running trial: complete or pruned with a value, failed without.
    ///
    /// # Errors
    /// The storage cannot be written, or the trial has ended already.
    fn finish(&self, number: u64, state: State, value: Option<f64>) -> Result<(), StorageError>;

    /// Attributes of the study that users set.
    ///
    /// # Errors
    /// The storage cannot be read.
    fn study_attributes(&self) -> Result<BTreeMap<String, Value>, StorageError>;

    /// Sets one.
    ///
    /// # Errors
    /// The storage cannot be written.
    fn set_study_attribute(&self, key: &str, value: &Value) -> Result<(), StorageError>;

    /// Says that the worker of a running trial is alive. To be called once in [`HEARTBEAT_S`].
    ///
    /// # Errors
    /// The storage cannot be written.
    fn beat(&self, number: u64) -> Result<(), StorageError>;

    /// Running trials whose worker has said nothing for [`STALE_S`]: each is ended as failed, once, by whoever finds it, and given back.
    ///
    /// # Errors
    /// The storage cannot be read or written.
    fn fail_stale(&self) -> Result<Vec<Trial>, StorageError>;

    /// Where it is, as an address that Optuna takes, without a password.
    fn address(&self) -> String;
}

/// Seconds between two heartbeats.
pub const HEARTBEAT_S: u64 = 20;

/// Seconds without a heartbeat after which a trial's worker is taken for gone.
pub const STALE_S: u64 = 120;

/// What is wrong with a storage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A file cannot be read or written.
    #[error("{place}: {source}")]
    Io {
        /// The file, or the server without its password.
        place: String,
        /// Why.
        source: std::io::Error,
    },
    /// The study is there with another direction.
    #[error(
        "the study `{study}` in {place} is to {has}, and this search is to {wanted}: choose another --study"
    )]
    Direction {
        /// The study.
        study: String,
        /// The storage.
        place: String,
        /// `minimize` or `maximize`.
        has: &'static str,
        /// What this search wants.
        wanted: &'static str,
    },
    /// The study has several objectives.
    #[error(
        "the study `{study}` in {place} has {objectives} objectives, and a search here has one: choose another --study"
    )]
    Objectives {
        /// The study.
        study: String,
        /// The storage.
        place: String,
        /// How many.
        objectives: usize,
    },
    /// There is something else, or a version that is not known.
    #[error("{place}: {message}")]
    Foreign {
        /// The storage.
        place: String,
        /// What there is, and what to do.
        message: String,
    },
    /// A trial that has ended, or is not there.
    #[error("trial {number} {message}")]
    Trial {
        /// The trial.
        number: u64,
        /// What is wrong with it.
        message: &'static str,
    },
}

impl Direction {
    /// As Optuna names it.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Minimize => "minimize",
            Direction::Maximize => "maximize",
        }
    }
}
