//! Trials from the rows of their tables.

use super::database::{Cell, Database};
use crate::storage::journal::parse;
use crate::storage::ranges::Ranges;
use crate::storage::time;
use crate::trial::{State, Trial};
use serde_json::Value;
use std::collections::BTreeMap;

/// Ids in one query.
const AT_ONCE: usize = 500;

/// The trials of a study, read so far. One that has ended does not change any more, and is not read again.
#[derive(Debug, Default)]
pub(super) struct Trials {
    ended: BTreeMap<i64, Trial>,
    /// All trials up to this id have ended and were read. None comes among them later: ids are given while the study's row is locked.
    settled: i64,
    pub ranges: Ranges,
}

impl Trials {
    /// Reads the trials of a study within a transaction, by their numbers.
    ///
    /// # Errors
    /// What the database says, or a row that Optuna would not write.
    pub(super) fn read(&mut self, database: &mut dyn Database, study: i64) -> Result<Vec<Trial>, String> {
        let rows = database.run(
            "SELECT trial_id, number, CAST(state AS VARCHAR(8)), CAST(datetime_start AS VARCHAR(40)), \
             CAST(datetime_complete AS VARCHAR(40)) FROM trials WHERE study_id = $1 AND trial_id > $2 ORDER BY trial_id",
            &[Cell::Int(study), Cell::Int(self.settled)],
        )?;
        let mut open = BTreeMap::new();
        let mut last = self.settled;
        for row in &rows {
            let id = row[0].int().ok_or("a trial has no id")?;
            last = last.max(id);
            if !self.ended.contains_key(&id) {
                let number = row[1].int().and_then(|number| u64::try_from(number).ok());
                let mut trial = Trial::new(number.ok_or("a trial has no number")?, state(row[2].text())?);
                trial.started_us = time::read(row[3].text());
                trial.completed_us = time::read(row[4].text());
                open.insert(id, trial);
            }
        }
        let wanted: Vec<i64> = open.keys().copied().collect();
        for some in wanted.chunks(AT_ONCE) {
            self.read_parts(database, some, &mut open)?;
        }
        let (ended, open): (BTreeMap<_, _>, BTreeMap<_, _>) =
            open.into_iter().partition(|(_, trial)| trial.state.is_finished());
        self.ended.extend(ended);
        self.settled = open.first_key_value().map_or(last, |(first, _)| first - 1);
        let mut trials: Vec<Trial> = self.ended.values().chain(open.values()).cloned().collect();
        trials.sort_by_key(|trial| trial.number);
        Ok(trials)
    }

    /// Reads all that belongs to some trials.
    fn read_parts(
        &mut self,
        database: &mut dyn Database,
        ids: &[i64],
        trials: &mut BTreeMap<i64, Trial>,
    ) -> Result<(), String> {
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        let ids = ids.join(", ");
        let mut each = |columns: &str, table: &str, order: &str, add: &mut Add<'_>| -> Result<(), String> {
            let sql =
                format!("SELECT trial_id, {columns} FROM {table} WHERE trial_id IN ({ids}) ORDER BY {order}");
            for row in database.run(&sql, &[])? {
                let trial = row[0].int().and_then(|id| trials.get_mut(&id)).ok_or("a row has no trial")?;
                add(trial, &row[1..])?;
            }
            Ok(())
        };
        each("param_name, param_value, distribution_json", "trial_params", "param_id", &mut |trial, row| {
            let internal = Value::from(row[1].real().ok_or("a parameter has no value")?);
            let param = self.ranges.param(row[2].text(), &internal)?;
            trial.params.insert(row[0].text().to_owned(), param);
            Ok(())
        })?;
        each("value, CAST(value_type AS VARCHAR(7))", "trial_values", "objective", &mut |trial, row| {
            trial.values.push(number(&row[0], row[1].text())?);
            Ok(())
        })?;
        each(
            "step, intermediate_value, CAST(intermediate_value_type AS VARCHAR(7))",
            "trial_intermediate_values",
            "step",
            &mut |trial, row| {
                let step = row[0].int().ok_or("a report has no step")?;
                trial.intermediate.insert(step, number(&row[1], row[2].text())?);
                Ok(())
            },
        )?;
        each("key, value_json", "trial_user_attributes", "key", &mut |trial, row| {
            trial.user_attributes.insert(row[0].text().to_owned(), json(&row[1])?);
            Ok(())
        })?;
        each("key, value_json", "trial_system_attributes", "key", &mut |trial, row| {
            trial.system_attributes.insert(row[0].text().to_owned(), json(&row[1])?);
            Ok(())
        })
    }
}

/// Adds a row, without the trial's id, to a trial.
type Add<'a> = dyn FnMut(&mut Trial, &[Cell]) -> Result<(), String> + 'a;

/// Reads an attribute.
pub(super) fn json(cell: &Cell) -> Result<Value, String> {
    parse(cell.text()).map_err(|error| format!("an attribute is no JSON ({error})"))
}

fn number(value: &Cell, kind: &str) -> Result<f64, String> {
    match kind {
        "INF_POS" => Ok(f64::INFINITY),
        "INF_NEG" => Ok(f64::NEG_INFINITY),
        "NAN" => Ok(f64::NAN),
        _ => value.real().ok_or_else(|| "a value is no number".to_owned()),
    }
}

/// A number as it is stored: infinite ones and NaN by their names alone.
pub(super) fn stored(value: f64) -> (Cell, &'static str) {
    match value {
        f64::INFINITY => (Cell::Null, "INF_POS"),
        f64::NEG_INFINITY => (Cell::Null, "INF_NEG"),
        _ if value.is_nan() => (Cell::Null, "NAN"),
        _ => (Cell::Real(value), "FINITE"),
    }
}

/// Reads a state by its name.
pub(super) fn state(name: &str) -> Result<State, String> {
    match name {
        "RUNNING" => Ok(State::Running),
        "COMPLETE" => Ok(State::Complete),
        "PRUNED" => Ok(State::Pruned),
        "FAIL" => Ok(State::Fail),
        "WAITING" => Ok(State::Waiting),
        _ => Err(format!("the state {name} is none of Optuna's")),
    }
}

/// Its name.
pub(super) fn state_name(state: State) -> &'static str {
    match state {
        State::Running => "RUNNING",
        State::Complete => "COMPLETE",
        State::Pruned => "PRUNED",
        State::Fail => "FAIL",
        State::Waiting => "WAITING",
    }
}
