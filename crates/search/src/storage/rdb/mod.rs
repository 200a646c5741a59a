//! Trials in the tables of Optuna's `RDBStorage`.
//!
//! In: a connection to a database. Out: a [`Storage`] that Optuna 4.9 and 5 and optuna-dashboard share. Whatever must happen once happens in one
//! transaction: the number of a trial is the count of those before it, taken while the study's row is this transaction's alone. Reference:
//! `optuna.storages._rdb` 4.9 and 5.0.

pub(super) mod database;
mod heartbeat;
mod rows;
mod schema;

use super::clock::Clock;
use super::retry::attributes_of_retry;
use super::watch::Watch;
use super::{Storage, StorageError, ending, objectives, time};
use crate::distribution::Distribution;
use crate::trial::{Direction, Param, State, Trial};
use database::{Cell, Database, Dialect, Rows};
use rows::{Trials, state_name, stored};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A study in a database.
#[derive(Debug)]
pub(super) struct Rdb {
    /// As it may be shown.
    address: String,
    study: i64,
    study_name: String,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

/// The connection, and what was read so far.
#[derive(Debug)]
struct Known {
    database: Box<dyn Database>,
    trials: Trials,
    /// The range of each parameter that the study has; Optuna compares with the first.
    kinds: HashMap<String, Arc<Distribution>>,
    watch: Watch,
}

/// What fails within a transaction.
enum Failure {
    /// The database, or a row in it.
    Database(String),
    /// Anything else.
    Storage(StorageError),
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure::Database(message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Failure {
        Failure::Database(message.to_owned())
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Failure {
        Failure::Storage(error)
    }
}

impl Rdb {
    /// Opens a study; tables and study are made where they are not there.
    pub(super) fn open(
        database: Box<dyn Database>,
        address: String,
        study: &str,
        direction: Direction,
        clock: Arc<dyn Clock>,
    ) -> Result<Rdb, StorageError> {
        let known =
            Known { database, trials: Trials::default(), kinds: HashMap::new(), watch: Watch::default() };
        let mut rdb =
            Rdb { address, study: 0, study_name: study.to_owned(), clock, known: Mutex::new(known) };
        rdb.study = rdb.join(direction)?;
        Ok(rdb)
    }

    /// Makes the tables where there are none; otherwise looks whether they are the ones that are known.
    fn check_tables(&self, database: &mut dyn Database) -> Result<(), Failure> {
        let foreign = |message: String| StorageError::Foreign { place: self.address.clone(), message };
        let dialect = database.dialect();
        if dialect == Dialect::Postgres {
            // Many workers may begin at once. The number means nothing to anybody else.
            database.run("SELECT CAST(pg_advisory_xact_lock(70757069) AS VARCHAR)", &[])?;
        }
        let tables: Vec<String> =
            database.run(dialect.tables(), &[])?.iter().map(|row| row[0].text().to_owned()).collect();
        let ours = tables.iter().filter(|table| schema::is_ours(table)).count();
        if ours == 0 && (tables.is_empty() || dialect == Dialect::Postgres) {
            for statement in schema::statements(dialect) {
                database.run(&statement, &[])?;
            }
            return Ok(());
        }
        let has = |table: &str| tables.iter().any(|has| has == table);
        if !has("version_info") || !has("alembic_version") || !has("studies") {
            let message = "holds the tables of another program: name another database";
            return Err(foreign(message.to_owned()).into());
        }
        let version = database.run("SELECT schema_version, library_version FROM version_info", &[])?;
        let revision = database.run("SELECT version_num FROM alembic_version", &[])?;
        let (version, library) =
            version.first().map_or((None, ""), |row| (row[0].int(), row.get(1).map_or("", Cell::text)));
        let revision = revision.first().map_or("", |row| row[0].text());
        if version != Some(schema::VERSION) || revision != schema::REVISION || ours < schema::COUNT {
            return Err(foreign(format!(
                "has Optuna's tables in the version `{revision}` (made by {library}), and this program knows `{}`: type \
                 optuna storage upgrade --storage {}, or name another database",
                schema::REVISION,
                self.address
            ))
            .into());
        }
        Ok(())
    }

    /// The id of the study, which is made where it is not there.
    fn join(&self, direction: Direction) -> Result<i64, StorageError> {
        let mut known = self.known();
        let name = Cell::Text(self.study_name.clone());
        self.write(&mut known, |Known { database, .. }| {
            self.check_tables(&mut **database)?;
            let made = database.run(
                "INSERT INTO studies (study_name) VALUES ($1) ON CONFLICT (study_name) DO NOTHING RETURNING study_id",
                std::slice::from_ref(&name),
            )?;
            if let Some(id) = made.first().and_then(|row| row[0].int()) {
                let sql = format!(
                    "INSERT INTO study_directions (direction, study_id, objective) VALUES ('{}', $1, 0)",
                    direction.name().to_uppercase()
                );
                database.run(&sql, &[Cell::Int(id)])?;
                return Ok(id);
            }
            let found = database.run(
                "SELECT s.study_id, CAST(d.direction AS VARCHAR(8)) FROM studies s \
                 JOIN study_directions d ON d.study_id = s.study_id WHERE s.study_name = $1 ORDER BY d.objective",
                &[name],
            )?;
            let directions: Vec<Direction> = found
                .iter()
                .map(|row| if row[1].text() == "MAXIMIZE" { Direction::Maximize } else { Direction::Minimize })
                .collect();
            objectives(&self.study_name, &self.address, &directions, direction)?;
            Ok(found[0][0].int().ok_or("a study has no id")?)
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, message: String) -> StorageError {
        StorageError::Database { place: self.address.clone(), message }
    }

    fn deleted(&self) -> StorageError {
        StorageError::Foreign {
            place: self.address.clone(),
            message: format!(
                "has no study `{}` any more, it was deleted: choose another --study",
                self.study_name
            ),
        }
    }

    /// Does something within a transaction, and undoes all of it where some of it fails.
    fn transaction<T>(
        &self,
        known: &mut Known,
        begin: &str,
        work: impl FnOnce(&mut Known) -> Result<T, Failure>,
    ) -> Result<T, StorageError> {
        known.database.connect().and_then(|()| known.database.run(begin, &[])).map_err(|m| self.failed(m))?;
        let done = work(known).and_then(|done| {
            known.database.run("COMMIT", &[])?;
            Ok(done)
        });
        done.map_err(|failure| {
            let _ = known.database.run("ROLLBACK", &[]);
            match failure {
                Failure::Database(message) => self.failed(message),
                Failure::Storage(error) => error,
            }
        })
    }

    fn write<T>(
        &self,
        known: &mut Known,
        work: impl FnOnce(&mut Known) -> Result<T, Failure>,
    ) -> Result<T, StorageError> {
        let begin = known.database.dialect().begin_write();
        self.transaction(known, begin, work)
    }

    fn read_all(&self, known: &mut Known) -> Result<Vec<Trial>, StorageError> {
        let begin = known.database.dialect().begin_read();
        self.transaction(known, begin, |Known { database, trials, .. }| {
            let id = Cell::Int(self.study);
            if database.run("SELECT study_id FROM studies WHERE study_id = $1", &[id])?.is_empty() {
                return Err(self.deleted().into());
            }
            Ok(trials.read(&mut **database, self.study)?)
        })
    }

    /// Writes to a trial that has not ended, by its id.
    fn change(
        &self,
        number: u64,
        work: impl FnOnce(&mut Known, i64) -> Result<(), Failure>,
    ) -> Result<(), StorageError> {
        self.write(&mut self.known(), |known| {
            let sql = format!(
                "SELECT trial_id, CAST(state AS VARCHAR(8)) FROM trials WHERE study_id = $1 AND number = $2{}",
                known.database.dialect().for_update()
            );
            let wanted = [Cell::Int(self.study), Cell::Int(i64::try_from(number).unwrap_or(i64::MAX))];
            let rows = known.database.run(&sql, &wanted)?;
            let row = rows.first().ok_or(StorageError::Trial { number, message: "is not there" })?;
            if rows::state(row[1].text())?.is_finished() {
                return Err(StorageError::Trial { number, message: "has ended already" }.into());
            }
            work(known, row[0].int().ok_or("a trial has no id")?)
        })
    }

    /// Adds a trial.
    fn add(&self, state: State, attributes: &BTreeMap<String, Value>) -> Result<u64, StorageError> {
        self.write(&mut self.known(), |Known { database, .. }| {
            self.lock_study(&mut **database)?;
            self.insert(&mut **database, state, attributes)
        })
    }

    /// Nobody else adds a trial until this transaction ends.
    fn lock_study(&self, database: &mut dyn Database) -> Result<(), Failure> {
        let sql =
            format!("SELECT study_id FROM studies WHERE study_id = $1{}", database.dialect().for_update());
        match database.run(&sql, &[Cell::Int(self.study)])?.is_empty() {
            true => Err(self.deleted().into()),
            false => Ok(()),
        }
    }

    /// Adds a trial while the study is locked.
    fn insert(
        &self,
        database: &mut dyn Database,
        state: State,
        attributes: &BTreeMap<String, Value>,
    ) -> Result<u64, Failure> {
        let study = Cell::Int(self.study);
        let is_running = state == State::Running;
        let started = if is_running { self.now() } else { "NULL".to_owned() };
        let sql = format!(
            "INSERT INTO trials (study_id, state, datetime_start) VALUES ($1, '{}', {started}) RETURNING trial_id",
            state_name(state)
        );
        let rows = database.run(&sql, std::slice::from_ref(&study))?;
        let id = first_int(&rows)?;
        let rows = database.run(
            "UPDATE trials SET number = (SELECT COUNT(*) FROM trials WHERE study_id = $1 AND trial_id < $2) \
             WHERE trial_id = $2 RETURNING number",
            &[study, Cell::Int(id)],
        )?;
        let number = first_int(&rows)?;
        for (key, value) in attributes {
            set_attribute(database, Owner::TrialSystem, id, key, value)?;
        }
        if is_running {
            self.set_heartbeat(database, id)?;
        }
        Ok(u64::try_from(number).map_err(|_| "a trial has a negative number")?)
    }

    /// Whether so many trials have not failed.
    fn is_full(&self, database: &mut dyn Database, most: u64) -> Result<bool, String> {
        let sql = "SELECT COUNT(*) FROM trials WHERE study_id = $1 AND state <> 'FAIL'";
        let count = first_int(&database.run(sql, &[Cell::Int(self.study)])?)?;
        Ok(u64::try_from(count).unwrap_or(0) >= most)
    }

    /// Fails a trial within a transaction, and lets another one wait for its values.
    fn fail_and_retry(&self, known: &mut Known, id: i64, number: u64, retries: usize) -> Result<(), Failure> {
        let Known { database, trials, .. } = known;
        let all = trials.read(&mut **database, self.study)?;
        let lost = all.iter().find(|trial| trial.number == number);
        self.end(&mut **database, id, State::Fail, None)?;
        if let Some(attributes) = lost.and_then(|lost| attributes_of_retry(lost, retries)) {
            self.lock_study(&mut **database)?;
            self.insert(&mut **database, State::Waiting, &attributes)?;
        }
        Ok(())
    }

    /// The time, as SQL.
    fn now(&self) -> String {
        format!("'{}'", time::write(self.clock.now_us(), ' '))
    }

    fn end(
        &self,
        database: &mut dyn Database,
        id: i64,
        state: State,
        value: Option<f64>,
    ) -> Result<(), String> {
        if let Some(value) = value {
            let (value, kind) = stored(value);
            let sql = format!(
                "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES ($1, 0, $2, '{kind}') \
                 ON CONFLICT (trial_id, objective) DO UPDATE SET value = excluded.value, value_type = excluded.value_type"
            );
            database.run(&sql, &[Cell::Int(id), value])?;
        }
        let sql = format!(
            "UPDATE trials SET state = '{}', datetime_complete = {} WHERE trial_id = $1",
            state_name(state),
            self.now()
        );
        database.run(&sql, &[Cell::Int(id)]).map(drop)
    }
}

/// Whose attributes.
#[derive(Clone, Copy)]
enum Owner {
    Study,
    TrialUser,
    TrialSystem,
}

fn set_attribute(
    database: &mut dyn Database,
    owner: Owner,
    id: i64,
    key: &str,
    value: &Value,
) -> Result<(), String> {
    let (table, column) = match owner {
        Owner::Study => ("study_user_attributes", "study_id"),
        Owner::TrialUser => ("trial_user_attributes", "trial_id"),
        Owner::TrialSystem => ("trial_system_attributes", "trial_id"),
    };
    let sql = format!(
        "INSERT INTO {table} ({column}, key, value_json) VALUES ($1, $2, $3) \
         ON CONFLICT ({column}, key) DO UPDATE SET value_json = excluded.value_json"
    );
    database.run(&sql, &[Cell::Int(id), Cell::Text(key.to_owned()), Cell::Text(value.to_string())]).map(drop)
}

fn set_user_attributes(
    database: &mut dyn Database,
    id: i64,
    attributes: &[(&str, Value)],
) -> Result<(), String> {
    attributes.iter().try_for_each(|(key, value)| set_attribute(database, Owner::TrialUser, id, key, value))
}

fn first_int(rows: &Rows) -> Result<i64, String> {
    let first = rows.first().and_then(|row| row[0].int());
    first.ok_or_else(|| "the database gave no number back".to_owned())
}

impl Storage for Rdb {
    fn trials(&self) -> Result<Vec<Trial>, StorageError> {
        self.read_all(&mut self.known())
    }

    fn create(&self) -> Result<u64, StorageError> {
        self.add(State::Running, &BTreeMap::new())
    }

    fn create_within(&self, most: u64) -> Result<Option<u64>, StorageError> {
        let mut known = self.known();
        // Where there are enough nobody has to be kept from writing.
        let full = known.database.connect().and_then(|()| self.is_full(&mut *known.database, most));
        if full.map_err(|message| self.failed(message))? {
            return Ok(None);
        }
        self.write(&mut known, |Known { database, .. }| {
            self.lock_study(&mut **database)?;
            match self.is_full(&mut **database, most)? {
                true => Ok(None),
                false => self.insert(&mut **database, State::Running, &BTreeMap::new()).map(Some),
            }
        })
    }

    fn retry(&self, number: u64, retries: usize, attributes: &[(&str, Value)]) -> Result<(), StorageError> {
        self.change(number, |known, id| {
            set_user_attributes(&mut *known.database, id, attributes)?;
            self.fail_and_retry(known, id, number, retries)
        })
    }

    fn put_back(&self, number: u64, attributes: &[(&str, Value)]) -> Result<(), StorageError> {
        self.change(number, |Known { database, .. }, id| {
            set_user_attributes(&mut **database, id, attributes)?;
            // Whoever takes it beats anew, or never.
            database.run("DELETE FROM trial_heartbeats WHERE trial_id = $1", &[Cell::Int(id)])?;
            let sql = "UPDATE trials SET state = 'WAITING' WHERE trial_id = $1";
            Ok(database.run(sql, &[Cell::Int(id)]).map(drop)?)
        })
    }

    fn claim(&self) -> Result<Option<u64>, StorageError> {
        let mut known = self.known();
        let waiting = "SELECT trial_id, number FROM trials WHERE study_id = $1 AND state = 'WAITING' \
                       ORDER BY trial_id LIMIT 1";
        let study = [Cell::Int(self.study)];
        // Nearly always none waits, and then nobody has to be kept from writing.
        let connected = known.database.connect().and_then(|()| known.database.run(waiting, &study));
        if connected.map_err(|message| self.failed(message))?.is_empty() {
            return Ok(None);
        }
        self.write(&mut known, |Known { database, .. }| {
            let sql = format!("{waiting}{}", database.dialect().for_update_of_free());
            let rows = database.run(&sql, &study)?;
            let Some(row) = rows.first() else { return Ok(None) };
            let (id, number) = (first_int(&rows)?, row[1].int());
            let sql = format!(
                "UPDATE trials SET state = 'RUNNING', datetime_start = {} WHERE trial_id = $1",
                self.now()
            );
            database.run(&sql, &[Cell::Int(id)])?;
            self.set_heartbeat(&mut **database, id)?;
            Ok(Some(number.and_then(|number| u64::try_from(number).ok()).ok_or("a trial has no number")?))
        })
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
        self.change(number, |Known { database, trials, kinds, .. }, id| {
            let mut clashes = Vec::new();
            for (name, param) in params {
                if !kinds.contains_key(name) {
                    let rows = database.run(
                        "SELECT p.param_value, p.distribution_json FROM trial_params p JOIN trials t ON t.trial_id = p.trial_id \
                         WHERE t.study_id = $1 AND p.param_name = $2 ORDER BY p.param_id LIMIT 1",
                        &[Cell::Int(self.study), Cell::Text(name.clone())],
                    )?;
                    if let Some(row) = rows.first() {
                        let internal = Value::from(row[0].real().ok_or("a parameter has no value")?);
                        let first = trials.ranges.param(row[1].text(), &internal)?;
                        kinds.insert(name.clone(), first.distribution);
                    }
                }
                if let Some(has) = kinds.get(name).filter(|has| !has.is_compatible(&param.distribution)) {
                    clashes.push((name.clone(), has.to_json()));
                }
            }
            StorageError::refuse_clashes(&self.study_name, &self.address, clashes)?;
            for (name, param) in params {
                database.run(
                    "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (trial_id, param_name) DO UPDATE SET param_value = excluded.param_value, \
                     distribution_json = excluded.distribution_json",
                    &[
                        Cell::Int(id),
                        Cell::Text(name.clone()),
                        Cell::Real(param.value.internal()),
                        Cell::Text(param.distribution.to_json().to_string()),
                    ],
                )?;
            }
            Ok(set_user_attributes(&mut **database, id, attributes)?)
        })
    }

    fn report(&self, number: u64, step: i64, value: f64) -> Result<(), StorageError> {
        self.change(number, |Known { database, .. }, id| {
            let (value, kind) = stored(value);
            let sql = format!(
                "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type) \
                 VALUES ($1, $2, $3, '{kind}') ON CONFLICT (trial_id, step) DO UPDATE SET \
                 intermediate_value = excluded.intermediate_value, \
                 intermediate_value_type = excluded.intermediate_value_type"
            );
            database.run(&sql, &[Cell::Int(id), Cell::Int(step), value])?;
            Ok(())
        })
    }

    fn set_attribute(
        &self,
        number: u64,
        is_system: bool,
        key: &str,
        value: &Value,
    ) -> Result<(), StorageError> {
        let owner = if is_system { Owner::TrialSystem } else { Owner::TrialUser };
        self.change(number, |Known { database, .. }, id| {
            Ok(set_attribute(&mut **database, owner, id, key, value)?)
        })
    }

    fn finish(
        &self,
        number: u64,
        state: State,
        value: Option<f64>,
        attributes: &[(&str, Value)],
    ) -> Result<(), StorageError> {
        let (state, value) = ending(number, state, value)?;
        self.change(number, |Known { database, .. }, id| {
            set_user_attributes(&mut **database, id, attributes)?;
            Ok(self.end(&mut **database, id, state, value)?)
        })
    }

    fn study_attributes(&self) -> Result<BTreeMap<String, Value>, StorageError> {
        let known = &mut *self.known();
        let sql = "SELECT key, value_json FROM study_user_attributes WHERE study_id = $1";
        let rows = known.database.connect().and_then(|()| known.database.run(sql, &[Cell::Int(self.study)]));
        let rows = rows.map_err(|message| self.failed(message))?;
        let read = |row: &Vec<Cell>| Ok((row[0].text().to_owned(), rows::json(&row[1])?));
        rows.iter().map(read).collect::<Result<_, String>>().map_err(|message| self.failed(message))
    }

    fn set_study_attribute(&self, key: &str, value: &Value) -> Result<(), StorageError> {
        self.write(&mut self.known(), |Known { database, .. }| {
            Ok(set_attribute(&mut **database, Owner::Study, self.study, key, value)?)
        })
    }

    fn beat(&self, number: u64) -> Result<(), StorageError> {
        self.change(number, |Known { database, .. }, id| Ok(self.set_heartbeat(&mut **database, id)?))
    }

    fn fail_stale(&self, retries: usize) -> Result<Vec<Trial>, StorageError> {
        let known = &mut *self.known();
        let running = known.database.connect().and_then(|()| self.heartbeats(&mut *known.database));
        let running = running.map_err(|message| self.failed(message))?;
        let mut gone = running.clone();
        gone.retain(|beat| known.watch.is_gone(beat.trial, beat.sign, beat.age_us, &*self.clock));
        known.watch.keep(|id| running.iter().any(|beat| beat.trial == id));
        let mut failed = Vec::new();
        for seen in gone {
            if self.fail(known, seen, retries)? {
                failed.push(seen.number);
            }
        }
        if failed.is_empty() {
            return Ok(Vec::new());
        }
        let mut trials = self.read_all(known)?;
        trials.retain(|trial| failed.contains(&trial.number));
        Ok(trials)
    }

    fn address(&self) -> String {
        self.address.clone()
    }
}
