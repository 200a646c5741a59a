//! Where the trials of a study are kept: Optuna's own storages, which this program, Optuna and optuna-dashboard share.
//!
//! Trials are known by their number within the study. What one worker writes, others see the next time they ask.

mod clock;
mod journal;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
mod ranges;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod rdb;
mod retry;
#[cfg(feature = "sqlite")]
mod sqlite;
mod time;
mod watch;

pub use clock::{Clock, SystemClock};
pub use journal::{HEARTBEAT, Journal};
pub use memory::Memory;
pub use watch::SKEW_S;

use crate::trial::{Direction, Param, State, Trial};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

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

    /// A new trial that runs, if with it there are at most `most` that wait, run, or ended complete or pruned; its number, and none where there
    /// are as many already. Counted and made in one step, so that any number of workers make no trial too many. Failed ones do not count: one
    /// whose worker is gone makes room once [`Storage::fail_stale`] has found it.
    ///
    /// # Errors
    /// The storage cannot be read or written.
    fn create_within(&self, most: u64) -> Result<Option<u64>, StorageError>;

    /// Ends a running trial as failed and puts its values into the queue once more, as Optuna's `RetryFailedTrialCallback` does, unless it has
    /// been tried `retries` times beside the first. In one step, with user attributes of the trial that is ended: others see all or nothing.
    ///
    /// # Errors
    /// The storage cannot be written, or the trial has ended already.
    fn retry(&self, number: u64, retries: usize, attributes: &[(&str, Value)]) -> Result<(), StorageError>;

    /// Lets a running trial wait again, under its number and with all that is known of it, and sets user attributes of it in the same step. Optuna
    /// has no word for it, and reads it: a waiting trial that has parameters is run with them.
    ///
    /// # Errors
    /// The storage cannot be written, or the trial has ended already.
    fn put_back(&self, number: u64, attributes: &[(&str, Value)]) -> Result<(), StorageError>;

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

    /// What a running trial tries, and user attributes of it, in one write; added to what is known of it already.
    ///
    /// # Errors
    /// The storage cannot be written, the trial has ended, or the study has a parameter of that name with another kind of range.
    fn set_params(
        &self,
        number: u64,
        params: &BTreeMap<String, Param>,
        attributes: &[(&str, Value)],
    ) -> Result<(), StorageError>;

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

    /// Ends a running trial: complete with a value, pruned with one or without, failed without. As in Optuna a value that is NaN is none, and
    /// makes of a complete trial a failed one. User attributes of it are written in the same step.
    ///
    /// # Errors
    /// The storage cannot be written, the trial has ended already (perhaps as a stale one), or the state is none in which a trial ends.
    fn finish(
        &self,
        number: u64,
        state: State,
        value: Option<f64>,
        attributes: &[(&str, Value)],
    ) -> Result<(), StorageError>;

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

    /// Says that the worker of a running trial is alive. To be called once in [`HEARTBEAT_S`]; [`Storage::create`] and [`Storage::claim`] give
    /// the first sign.
    ///
    /// # Errors
    /// The storage cannot be written, or the trial has ended: somebody took this worker for gone.
    fn beat(&self, number: u64) -> Result<(), StorageError>;

    /// Running trials whose worker has said nothing for [`STALE_S`]: each is ended as failed, once, by whoever finds it, and its values are put
    /// into the queue as by [`Storage::retry`]; gives them back. Trials that never had a heartbeat, such as those that Optuna runs without, are left alone. To be called again and again: clocks differ, so
    /// silence is judged by what this handle has seen, and at the first look only by a heartbeat that is older than [`SKEW_S`] more.
    ///
    /// # Errors
    /// The storage cannot be read or written.
    fn fail_stale(&self, retries: usize) -> Result<Vec<Trial>, StorageError>;

    /// Where it is, as an address that [`open()`] takes, without a password: the path of a journal, or a URL, as Optuna's own programs take
    /// them.
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
    #[error("{place} cannot be used: {source}; mend that, or give another --storage")]
    Io {
        /// The file, or the server without its password.
        place: String,
        /// Why.
        source: std::io::Error,
    },
    /// A database refuses, or cannot be reached.
    #[error("{place} failed: {message}; mend that, or give another --storage")]
    Database {
        /// The database, without a password.
        place: String,
        /// What it says.
        message: String,
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
    #[error("{place} {message}")]
    Foreign {
        /// The storage.
        place: String,
        /// What there is, and what to do.
        message: String,
    },
    /// Parameters that the study has with other kinds of ranges, which Optuna does not take in one study.
    #[error(
        "the study `{study}` in {place} has another space: {params}; choose another --study, or the same kinds, scales and choices"
    )]
    Space {
        /// The study.
        study: String,
        /// The storage.
        place: String,
        /// The parameters, each with the range that it has there.
        params: String,
    },
    /// The address names no storage, or one that this program was built without.
    #[error("--storage {address}: {message}")]
    Address {
        /// What was given, without a password.
        address: String,
        /// What is wrong with it, and what to type.
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

impl StorageError {
    /// Fails where there are parameters with ranges (Optuna's JSON) that do not go with those of a trial.
    fn refuse_clashes(study: &str, place: &str, clashes: Vec<(String, Value)>) -> Result<(), StorageError> {
        if clashes.is_empty() {
            return Ok(());
        }
        let params: Vec<String> =
            clashes.iter().map(|(name, range)| format!("`{name}` is {range}")).collect();
        Err(StorageError::Space {
            study: study.to_owned(),
            place: place.to_owned(),
            params: params.join(", "),
        })
    }
}

/// Opens the storage of an address for a study, which is made where it is not there: `journal:PATH`, or a path that ends in `.log` or
/// `.journal`; `sqlite:///PATH`; `postgresql://USER:PASSWORD@HOST/DATABASE`.
///
/// # Errors
/// What [`Journal::open`] and its like say; and an address of another form, or of a storage that this program was built without.
pub fn open(address: &str, study: &str, direction: Direction) -> Result<Box<dyn Storage>, StorageError> {
    open_with(address, study, direction, std::sync::Arc::new(SystemClock::default()))
}

/// Opens the storage of an address with a clock of one's own.
///
/// # Errors
/// As [`open()`].
pub fn open_with(
    address: &str,
    study: &str,
    direction: Direction,
    clock: std::sync::Arc<dyn Clock>,
) -> Result<Box<dyn Storage>, StorageError> {
    let wrong = |message: &str| {
        Err(StorageError::Address { address: without_password(address), message: message.to_owned() })
    };
    let path = address.strip_prefix("journal:").or_else(|| is_journal_name(address).then_some(address));
    if let Some(path) = path.filter(|path| !path.is_empty() && !path.contains("://")) {
        return Ok(Box::new(Journal::open_with(Path::new(path), study, direction, clock)?));
    }
    if let Some(path) = address.strip_prefix("sqlite:///").filter(|path| !path.is_empty()) {
        #[cfg(feature = "sqlite")]
        return sqlite::open(Path::new(path), study, direction, clock);
        #[cfg(not(feature = "sqlite"))]
        {
            let _ = path;
            return wrong(
                "this program was built without SQLite: build it with --features sqlite, or use journal:PATH",
            );
        }
    }
    if address.starts_with("postgresql://") {
        #[cfg(feature = "postgres")]
        return postgres::open(address, without_password(address), study, direction, clock);
        #[cfg(not(feature = "postgres"))]
        return wrong(
            "this program was built without PostgreSQL: build it with --features postgres, or use journal:PATH",
        );
    }
    wrong(
        "is no storage: type journal:PATH or a path that ends in .log or .journal, sqlite:///PATH, or postgresql://USER:PASSWORD@HOST/DATABASE",
    )
}

/// Whether a path is taken for a journal without `journal:` before it.
fn is_journal_name(path: &str) -> bool {
    let ending = Path::new(path).extension().and_then(|ending| ending.to_str());
    matches!(ending, Some("log" | "journal"))
}

/// An address as it may be shown: a password may stand before the host, or among the settings after a question mark.
fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (rest, _settings) = rest.split_once('?').unwrap_or((rest, ""));
    let Some((login, host)) = rest.rsplit_once('@') else { return format!("{scheme}://{rest}") };
    let user = login.split_once(':').map_or(login, |(user, _)| user);
    format!("{scheme}://{user}@{host}")
}

/// Checks that a study that is there can be this search's.
fn objectives(study: &str, place: &str, has: &[Direction], wanted: Direction) -> Result<(), StorageError> {
    let (study, place) = (study.to_owned(), place.to_owned());
    match *has {
        [has] if has == wanted => Ok(()),
        [has] => Err(StorageError::Direction { study, place, has: has.name(), wanted: wanted.name() }),
        _ => Err(StorageError::Objectives { study, place, objectives: has.len() }),
    }
}

/// The state and value with which a trial ends, as `optuna.Study.tell` has it.
fn ending(number: u64, state: State, value: Option<f64>) -> Result<(State, Option<f64>), StorageError> {
    let value = value.filter(|value| !value.is_nan() && state != State::Fail);
    match state {
        State::Complete if value.is_none() => Ok((State::Fail, None)),
        State::Complete | State::Pruned | State::Fail => Ok((state, value)),
        State::Running | State::Waiting => {
            Err(StorageError::Trial { number, message: "can end as complete, pruned or failed" })
        }
    }
}

/// A name that nobody else has. It is the only thing here that is different each time, and no result depends on it.
pub fn unique_name() -> String {
    let random = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", random(), random())
}
