//! Trials in a file of Optuna's `JournalStorage`: records are only ever added, and whoever replays them knows every trial.
//!
//! In: the path of a journal, made where it is not there. Out: a [`Storage`] that Optuna 4.9 and 5 and optuna-dashboard share. Reference:
//! `optuna.storages.journal` 4.9 and 5.0.

mod lock;
mod record;
mod replay;

pub(super) use record::parse;

use super::clock::{Clock, SystemClock};
use super::retry::attributes_of_retry;
use super::watch::Watch;
use super::{Storage, StorageError, ending, objectives, time, unique_name};
use crate::trial::{Direction, Param, State, Trial};
use lock::Lock;
use record::{Record, operation};
use replay::{Entry, Outcome, Replay, code_of};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The system attribute in which a worker says when it was last alive. Optuna's journal has no heartbeat, and leaves this one alone.
pub const HEARTBEAT: &str = "pupila:heartbeat";

/// A study in a journal.
#[derive(Debug)]
pub struct Journal {
    /// Absolute, as the lock points to it.
    path: PathBuf,
    place: String,
    study: u64,
    study_name: String,
    /// By this records are known as this handle's own.
    worker: String,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

/// What was read so far.
#[derive(Debug, Default)]
struct Known {
    replay: Replay,
    /// Bytes of whole lines that were read.
    offset: u64,
    lines: u64,
    watch: Watch,
}

impl Journal {
    /// Opens a journal for a study; file, folder and study are made where they are not there.
    ///
    /// # Errors
    /// The file cannot be written or is no journal, or the study has another direction or several objectives.
    pub fn open(path: &Path, study: &str, direction: Direction) -> Result<Journal, StorageError> {
        Journal::open_with(path, study, direction, Arc::new(SystemClock::default()))
    }

    /// Opens a journal with a clock of one's own.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_with(
        path: &Path,
        study: &str,
        direction: Direction,
        clock: Arc<dyn Clock>,
    ) -> Result<Journal, StorageError> {
        let place = path.display().to_string();
        let failed = |source| StorageError::Io { place: place.clone(), source };
        let path = std::path::absolute(path).map_err(failed)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut journal = Journal {
            path,
            place,
            study: 0,
            study_name: study.to_owned(),
            worker: unique_name(),
            clock,
            known: Mutex::default(),
        };
        journal.study = journal.join(direction)?;
        Ok(journal)
    }

    /// The id of the study, which is made where it is not there.
    fn join(&self, direction: Direction) -> Result<u64, StorageError> {
        let mut known = self.known();
        let code = if direction == Direction::Minimize { 1 } else { 2 };
        self.write(&mut known, |known| {
            let is_there = known.replay.studies.values().any(|study| study.name == self.study_name);
            let new = || {
                let record = Record::new(operation::CREATE_STUDY, &self.worker);
                record.with("study_name", &json!(self.study_name)).with("directions", &json!([code]))
            };
            Ok((!is_there).then(new).into_iter().collect())
        })?;
        let mut studies = known.replay.studies.iter();
        let (&id, study) =
            studies.find(|(_, study)| study.name == self.study_name).ok_or_else(|| self.deleted())?;
        objectives(&self.study_name, &self.place, &study.directions, direction)?;
        Ok(id)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, source: io::Error) -> StorageError {
        StorageError::Io { place: self.place.clone(), source }
    }

    fn deleted(&self) -> StorageError {
        self.foreign(format!("the study `{}` was deleted meanwhile: choose another --study", self.study_name))
    }

    fn foreign(&self, message: String) -> StorageError {
        StorageError::Foreign { place: self.place.clone(), message }
    }

    /// Reads what is new, up to the last whole line; gives back what became of this handle's own records.
    fn read(&self, known: &mut Known, file: &mut File) -> Result<Vec<Outcome>, StorageError> {
        let mut bytes = Vec::new();
        let length = file.metadata().map_err(|source| self.failed(source))?.len();
        if length < known.offset {
            return Err(
                self.foreign("was cut or replaced while it was read: begin the search again".to_owned())
            );
        }
        file.seek(SeekFrom::Start(known.offset)).map_err(|source| self.failed(source))?;
        file.take(length - known.offset).read_to_end(&mut bytes).map_err(|source| self.failed(source))?;
        let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        // A torn line is cut off by whoever writes next, so what is no journal must be told before.
        let start = b"{\"op_code\"";
        let is_torn = end == 0 && (start.starts_with(&bytes) || bytes.starts_with(start));
        if known.offset == 0 && !bytes.is_empty() && !(is_torn || end > 0 && bytes[0] == b'{') {
            let is_sqlite = bytes.starts_with(b"SQLite format 3\0");
            let hint = if is_sqlite {
                format!("type sqlite:///{}", self.place)
            } else {
                "name another file".to_owned()
            };
            return Err(self.foreign(format!("is no journal of Optuna: {hint}")));
        }
        let mut own = Vec::new();
        for line in bytes[..end].split_inclusive(|&byte| byte == b'\n') {
            let wrong = |what: String| {
                let line = known.lines + 1;
                self.foreign(format!(
                    "line {line} is no record of Optuna's journal ({what}): end all workers and remove that line, or name another file"
                ))
            };
            let text = std::str::from_utf8(line).map_err(|error| wrong(error.to_string()))?;
            let record = parse(text).map_err(|error| wrong(error.to_string()))?;
            let outcome = known.replay.apply(&record).map_err(wrong)?;
            if record["worker_id"].as_str() == Some(&self.worker) {
                own.push(outcome);
            }
            known.offset += line.len() as u64;
            known.lines += 1;
        }
        Ok(own)
    }

    /// Reads what is new without the lock.
    fn refresh(&self, known: &mut Known) -> Result<(), StorageError> {
        // Opened anew each time: network file systems show what others wrote to whoever opens a file.
        let mut file = File::open(&self.path).map_err(|source| self.failed(source))?;
        self.read(known, &mut file).map(drop)
    }

    /// Under the lock: reads what is new, asks what to write, writes it durably, and says what became of it.
    fn write(
        &self,
        known: &mut Known,
        records: impl FnOnce(&Known) -> Result<Vec<Record>, StorageError>,
    ) -> Result<Vec<Outcome>, StorageError> {
        let failed = |source| self.failed(source);
        let _lock = Lock::take(&self.path, &unique_name(), &*self.clock).map_err(failed)?;
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).open(&self.path).map_err(failed)?;
        self.read(known, &mut file)?;
        // Somebody was killed while writing. What is added to half a line could never be read again. Where this process stood still and lost its
        // lock, whole lines may have come meanwhile: these are read before, and never cut.
        while file.metadata().map_err(failed)?.len() > known.offset {
            let before = known.offset;
            self.read(known, &mut file)?;
            if known.offset == before {
                file.set_len(known.offset).map_err(failed)?;
            }
        }
        let records = records(known)?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let lines: String = records.into_iter().map(Record::line).collect();
        if let Err(source) = file.write_all(lines.as_bytes()) {
            // A full disk: what fitted is taken back.
            let _ = file.set_len(known.offset);
            return Err(failed(source));
        }
        file.sync_all().map_err(failed)?;
        // Where the lock was broken, since this process stood still, others may have been first. What is in the file decides.
        self.read(known, &mut file)
    }

    /// The id of a trial, and what is known of it.
    fn entry<'a>(&self, known: &'a Known, number: u64) -> Result<(usize, &'a Entry), StorageError> {
        let study = known.replay.studies.get(&self.study).ok_or_else(|| self.deleted())?;
        let place = usize::try_from(number).ok().and_then(|number| study.trials.get(number));
        let &place = place.ok_or(StorageError::Trial { number, message: "is not there" })?;
        Ok((place, &known.replay.trials[place]))
    }

    /// Writes records for a trial that has not ended.
    fn change(
        &self,
        number: u64,
        records: impl FnOnce(&Known, usize) -> Result<Vec<Record>, StorageError>,
    ) -> Result<(), StorageError> {
        let mut known = self.known();
        let ended = StorageError::Trial { number, message: "has ended already" };
        let outcomes = self.write(&mut known, |known| match self.entry(known, number)? {
            (_, entry) if entry.trial.state.is_finished() => {
                Err(StorageError::Trial { number, message: "has ended already" })
            }
            (place, _) => records(known, place),
        })?;
        if outcomes.contains(&Outcome::Ignored) { Err(ended) } else { Ok(()) }
    }

    /// Adds a trial.
    fn add(&self, state: State, attributes: &BTreeMap<String, Value>) -> Result<u64, StorageError> {
        self.add_within(u64::MAX, state, attributes)?.ok_or_else(|| self.deleted())
    }

    /// Adds a trial, if with it there are at most `most` that have not failed.
    fn add_within(
        &self,
        most: u64,
        state: State,
        attributes: &BTreeMap<String, Value>,
    ) -> Result<Option<u64>, StorageError> {
        let mut known = self.known();
        let outcomes = self.write(&mut known, |known| match self.is_full(known, most)? {
            true => Ok(Vec::new()),
            false => Ok(vec![self.new_trial(state, attributes)]),
        })?;
        match outcomes[..] {
            [] => Ok(None),
            [Outcome::Applied(place)] => Ok(Some(known.replay.trials[place as usize].trial.number)),
            _ => Err(self.deleted()),
        }
    }

    /// Whether so many trials have not failed.
    fn is_full(&self, known: &Known, most: u64) -> Result<bool, StorageError> {
        let counts = self.entries(known)?.filter(|(_, entry)| entry.trial.state != State::Fail);
        Ok(counts.count() as u64 >= most)
    }

    fn new_trial(&self, state: State, attributes: &BTreeMap<String, Value>) -> Record {
        let started = if state == State::Running { json!(self.now()) } else { Value::Null };
        let record = Record::new(operation::CREATE_TRIAL, &self.worker);
        let record = record.with("study_id", &json!(self.study)).with("datetime_start", &started);
        // All fields of a trial that is copied, as Optuna writes them: by these alone can it begin with attributes.
        let record = record.with("state", &json!(code_of(state))).with("value", &Value::Null);
        let record = record.with("values", &Value::Null).with("distributions", &json!({}));
        let record = record.with("params", &json!({})).with("user_attrs", &json!({}));
        record.with("system_attrs", &json!(attributes)).with("intermediate_values", &json!({}))
    }

    /// The records by which a trial is failed, and another one waits for its values.
    fn retried(&self, place: usize, trial: &Trial, retries: usize) -> Vec<Record> {
        let again = attributes_of_retry(trial, retries);
        let again = again.map(|attributes| self.new_trial(State::Waiting, &attributes));
        std::iter::once(self.end(place, State::Fail, None)).chain(again).collect()
    }

    fn now(&self) -> String {
        time::write(self.clock.now_us(), 'T') + "+00:00"
    }

    fn of_trial(&self, code: u64, place: usize) -> Record {
        Record::new(code, &self.worker).with("trial_id", &json!(place))
    }

    fn attribute(&self, place: usize, is_system: bool, key: &str, value: &Value) -> Record {
        let (code, field) = match is_system {
            true => (operation::TRIAL_SYSTEM_ATTRIBUTE, "system_attr"),
            false => (operation::TRIAL_USER_ATTRIBUTE, "user_attr"),
        };
        self.of_trial(code, place).with(field, &json!({ key: value }))
    }

    fn user_attributes(&self, place: usize, attributes: &[(&str, Value)]) -> impl Iterator<Item = Record> {
        attributes.iter().map(move |(key, value)| self.attribute(place, false, key, value))
    }

    fn end(&self, place: usize, state: State, value: Option<f64>) -> Record {
        let record = self.of_trial(operation::TRIAL_STATE, place).with("state", &json!(code_of(state)));
        record.numbers("values", value.as_slice()).with("datetime_complete", &json!(self.now()))
    }

    /// The trials of the study, with their ids.
    fn entries<'a>(
        &self,
        known: &'a Known,
    ) -> Result<impl Iterator<Item = (usize, &'a Entry)>, StorageError> {
        let study = known.replay.studies.get(&self.study).ok_or_else(|| self.deleted())?;
        Ok(study.trials.iter().map(|&place| (place, &known.replay.trials[place])))
    }
}

impl Storage for Journal {
    fn trials(&self) -> Result<Vec<Trial>, StorageError> {
        let mut known = self.known();
        self.refresh(&mut known)?;
        Ok(self.entries(&known)?.map(|(_, entry)| entry.trial.clone()).collect())
    }

    fn create(&self) -> Result<u64, StorageError> {
        self.add(State::Running, &BTreeMap::from([(HEARTBEAT.to_owned(), json!(self.now()))]))
    }

    fn create_within(&self, most: u64) -> Result<Option<u64>, StorageError> {
        {
            // Where there are enough nobody has to be kept from writing.
            let mut known = self.known();
            self.refresh(&mut known)?;
            if self.is_full(&known, most)? {
                return Ok(None);
            }
        }
        let beat = BTreeMap::from([(HEARTBEAT.to_owned(), json!(self.now()))]);
        self.add_within(most, State::Running, &beat)
    }

    fn retry(&self, number: u64, retries: usize, attributes: &[(&str, Value)]) -> Result<(), StorageError> {
        self.change(number, |known, place| {
            let own = self.user_attributes(place, attributes);
            Ok(own.chain(self.retried(place, &known.replay.trials[place].trial, retries)).collect())
        })
    }

    fn put_back(&self, number: u64, attributes: &[(&str, Value)]) -> Result<(), StorageError> {
        self.change(number, |_, place| {
            let state = self.of_trial(operation::TRIAL_STATE, place);
            let state = state.with("state", &json!(code_of(State::Waiting))).with("values", &Value::Null);
            // Whoever takes it beats anew, or never.
            let beat = self.attribute(place, true, HEARTBEAT, &Value::Null);
            Ok(self.user_attributes(place, attributes).chain([beat, state]).collect())
        })
    }

    fn claim(&self) -> Result<Option<u64>, StorageError> {
        let mut known = self.known();
        self.refresh(&mut known)?;
        loop {
            let first = |known: &Known| {
                let waiting = |(_, entry): &(usize, &Entry)| entry.trial.state == State::Waiting;
                Ok(self.entries(known)?.find(waiting).map(|(place, _)| place))
            };
            if first(&known)?.is_none() {
                return Ok(None);
            }
            let outcomes = self.write(&mut known, |known| {
                let Some(place) = first(known)? else { return Ok(Vec::new()) };
                // The heartbeat comes first: a trial that runs without one is nobody's to judge.
                let beat = self.attribute(place, true, HEARTBEAT, &json!(self.now()));
                let record = self.of_trial(operation::TRIAL_STATE, place);
                let record = record.with("state", &json!(0)).with("values", &Value::Null);
                Ok(vec![beat, record.with("datetime_start", &json!(self.now()))])
            })?;
            if let [_, Outcome::Applied(place)] = outcomes[..] {
                return Ok(Some(known.replay.trials[place as usize].trial.number));
            }
        }
    }

    fn enqueue(
        &self,
        fixed: &BTreeMap<String, Value>,
        attributes: &[(String, Value)],
    ) -> Result<u64, StorageError> {
        let mut attributes: BTreeMap<String, Value> = attributes.iter().cloned().collect();
        attributes.insert("fixed_params".to_owned(), json!(fixed));
        self.add(State::Waiting, &attributes)
    }

    fn set_params(
        &self,
        number: u64,
        params: &BTreeMap<String, Param>,
        attributes: &[(&str, Value)],
    ) -> Result<(), StorageError> {
        self.change(number, |known, place| {
            let clashes = params.iter().filter_map(|(name, param)| {
                let has = known.replay.clash(place, name, &param.distribution)?;
                Some((name.clone(), has.to_json()))
            });
            StorageError::refuse_clashes(&self.study_name, &self.place, clashes.collect())?;
            let records = params.iter().map(|(name, param)| {
                let record = self.of_trial(operation::TRIAL_PARAM, place).with("param_name", &json!(name));
                let record = record.number("param_value_internal", param.value.internal());
                record.with("distribution", &json!(param.distribution.to_json().to_string()))
            });
            Ok(records.chain(self.user_attributes(place, attributes)).collect())
        })
    }

    fn report(&self, number: u64, step: i64, value: f64) -> Result<(), StorageError> {
        self.change(number, |_, place| {
            let record = self.of_trial(operation::TRIAL_INTERMEDIATE, place).with("step", &json!(step));
            Ok(vec![record.number("intermediate_value", value)])
        })
    }

    fn set_attribute(
        &self,
        number: u64,
        is_system: bool,
        key: &str,
        value: &Value,
    ) -> Result<(), StorageError> {
        self.change(number, |_, place| Ok(vec![self.attribute(place, is_system, key, value)]))
    }

    fn finish(
        &self,
        number: u64,
        state: State,
        value: Option<f64>,
        attributes: &[(&str, Value)],
    ) -> Result<(), StorageError> {
        let (state, value) = ending(number, state, value)?;
        self.change(number, |_, place| {
            Ok(self.user_attributes(place, attributes).chain([self.end(place, state, value)]).collect())
        })
    }

    fn study_attributes(&self) -> Result<BTreeMap<String, Value>, StorageError> {
        let mut known = self.known();
        self.refresh(&mut known)?;
        let study = known.replay.studies.get(&self.study).ok_or_else(|| self.deleted())?;
        Ok(study.user_attributes.clone())
    }

    fn set_study_attribute(&self, key: &str, value: &Value) -> Result<(), StorageError> {
        let mut known = self.known();
        let outcomes = self.write(&mut known, |_| {
            let record = Record::new(operation::STUDY_USER_ATTRIBUTE, &self.worker);
            Ok(vec![record.with("study_id", &json!(self.study)).with("user_attr", &json!({ key: value }))])
        })?;
        if outcomes.contains(&Outcome::Ignored) { Err(self.deleted()) } else { Ok(()) }
    }

    fn beat(&self, number: u64) -> Result<(), StorageError> {
        self.set_attribute(number, true, HEARTBEAT, &json!(self.now()))
    }

    fn fail_stale(&self, retries: usize) -> Result<Vec<Trial>, StorageError> {
        let mut known = self.known();
        self.refresh(&mut known)?;
        let mut watch = std::mem::take(&mut known.watch);
        let now = self.clock.now_us();
        let mut is_gone = |place: usize, entry: &Entry| {
            let beat =
                entry.trial.system_attributes.get(HEARTBEAT).and_then(Value::as_str).and_then(time::read);
            let sign = [entry.touched as i64, 0];
            beat.is_some_and(|beat| watch.is_gone(place as i64, sign, now.saturating_sub(beat), &*self.clock))
        };
        let gone: Vec<(usize, u64)> = self
            .entries(&known)?
            .filter(|(place, entry)| entry.trial.state == State::Running && is_gone(*place, entry))
            .map(|(place, entry)| (place, entry.touched))
            .collect();
        watch.keep(|place| known.replay.trials[place as usize].trial.state == State::Running);
        known.watch = watch;
        if gone.is_empty() {
            return Ok(Vec::new());
        }
        let outcomes = self.write(&mut known, |known| {
            // Others may have ended it meanwhile, or its worker may live after all.
            let still = |&&(place, touched): &&(usize, u64)| {
                let entry = &known.replay.trials[place];
                entry.trial.state == State::Running && entry.touched == touched
            };
            let retried =
                |&(place, _): &(usize, u64)| self.retried(place, &known.replay.trials[place].trial, retries);
            Ok(gone.iter().filter(still).flat_map(retried).collect())
        })?;
        let failed = outcomes.into_iter().filter_map(|outcome| match outcome {
            Outcome::Applied(place) => Some(&known.replay.trials[place as usize].trial),
            Outcome::Ignored => None,
        });
        // The others are those that stand in for them.
        Ok(failed.filter(|trial| trial.state == State::Fail).cloned().collect())
    }

    fn address(&self) -> String {
        if super::is_journal_name(&self.place) {
            self.place.clone()
        } else {
            format!("journal:{}", self.place)
        }
    }
}
