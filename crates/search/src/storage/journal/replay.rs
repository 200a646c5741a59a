//! What the records of a journal add up to, by the rules of Optuna's `JournalStorageReplayResult`: records that come too late, for a trial that
//! has ended or a study that is there already, count for nothing.

use super::record::{operation, read_number};
use crate::distribution::Distribution;
use crate::storage::ranges::Ranges;
use crate::storage::time;
use crate::trial::{Direction, State, Trial};
use serde_json::Value;
use std::collections::BTreeMap;

/// A study of the journal.
#[derive(Debug)]
pub(super) struct Study {
    pub name: String,
    pub directions: Vec<Direction>,
    pub user_attributes: BTreeMap<String, Value>,
    /// The ids of its trials, by their numbers.
    pub trials: Vec<usize>,
}

/// A trial, and how many records have touched it.
#[derive(Debug)]
pub(super) struct Entry {
    pub study: u64,
    pub trial: Trial,
    pub touched: u64,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It counts. A new trial's or study's id, otherwise that of the trial or study it belongs to.
    Applied(u64),
    /// It counts for nothing.
    Ignored,
}

/// All studies and trials.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub studies: BTreeMap<u64, Study>,
    /// The trials of all studies, also of those that were deleted, by their ids.
    pub trials: Vec<Entry>,
    next_study: u64,
    ranges: Ranges,
}

impl Replay {
    /// Adds a record.
    ///
    /// # Errors
    /// What is wrong with it; Optuna cannot have written it.
    pub(super) fn apply(&mut self, record: &Value) -> Result<Outcome, String> {
        let code = record["op_code"].as_u64().ok_or("there is no `op_code`")?;
        match code {
            operation::CREATE_STUDY => self.create_study(record),
            operation::DELETE_STUDY => {
                let id = whole(record, "study_id")?;
                Ok(self.studies.remove(&id).map_or(Outcome::Ignored, |_| Outcome::Applied(id)))
            }
            operation::STUDY_USER_ATTRIBUTE | operation::STUDY_SYSTEM_ATTRIBUTE => {
                let id = whole(record, "study_id")?;
                let Some(study) = self.studies.get_mut(&id) else { return Ok(Outcome::Ignored) };
                if code == operation::STUDY_USER_ATTRIBUTE {
                    study.user_attributes.extend(object(record, "user_attr")?);
                }
                Ok(Outcome::Applied(id))
            }
            operation::CREATE_TRIAL => self.create_trial(record),
            operation::TRIAL_PARAM
            | operation::TRIAL_STATE
            | operation::TRIAL_INTERMEDIATE
            | operation::TRIAL_USER_ATTRIBUTE
            | operation::TRIAL_SYSTEM_ATTRIBUTE => {
                let id = whole(record, "trial_id")?;
                let place = usize::try_from(id).unwrap_or(usize::MAX);
                match self.trials.get(place) {
                    Some(entry) if !entry.trial.state.is_finished() => self.change_trial(code, place, record),
                    _ => Ok(Outcome::Ignored),
                }
            }
            // Optuna's port to Rust discards trials from its memory; they stay in the file.
            10 => Ok(Outcome::Ignored),
            _ => Err(format!("the operation {code} is of a later version of Optuna")),
        }
    }

    fn create_study(&mut self, record: &Value) -> Result<Outcome, String> {
        let name = text(record, "study_name")?;
        if self.studies.values().any(|study| study.name == name) {
            return Ok(Outcome::Ignored);
        }
        let directions = record["directions"].as_array().ok_or("there are no `directions`")?;
        let directions = directions.iter().map(|direction| match direction.as_u64() {
            Some(1) => Ok(Direction::Minimize),
            Some(2) => Ok(Direction::Maximize),
            _ => Err(format!("the direction {direction} is none of Optuna's")),
        });
        let study = Study {
            name: name.to_owned(),
            directions: directions.collect::<Result<_, _>>()?,
            user_attributes: BTreeMap::new(),
            trials: Vec::new(),
        };
        let id = self.next_study;
        self.next_study += 1;
        self.studies.insert(id, study);
        Ok(Outcome::Applied(id))
    }

    fn create_trial(&mut self, record: &Value) -> Result<Outcome, String> {
        let id = whole(record, "study_id")?;
        let Some(study) = self.studies.get_mut(&id) else { return Ok(Outcome::Ignored) };
        let state = record.get("state").map_or(Ok(State::Running), state)?;
        let mut trial = Trial::new(study.trials.len() as u64, state);
        trial.started_us = time_of(record, "datetime_start");
        trial.completed_us = time_of(record, "datetime_complete");
        for (name, value) in object(record, "params")? {
            let range = record["distributions"][&name].as_str().ok_or("a parameter has no distribution")?;
            trial.params.insert(name, self.ranges.param(range, &value)?);
        }
        for (step, value) in object(record, "intermediate_values")? {
            let step = step.parse().map_err(|_| format!("the step {step} is no whole number"))?;
            let value = read_number(&value).ok_or("an intermediate value is no number")?;
            trial.intermediate.insert(step, value);
        }
        trial.user_attributes = object(record, "user_attrs")?;
        trial.system_attributes = object(record, "system_attrs")?;
        trial.values = numbers(&record["values"])?;
        if trial.values.is_empty() {
            trial.values.extend(read_number(&record["value"]));
        }
        let place = self.trials.len();
        study.trials.push(place);
        self.trials.push(Entry { study: id, trial, touched: 0 });
        Ok(Outcome::Applied(place as u64))
    }

    fn change_trial(&mut self, code: u64, place: usize, record: &Value) -> Result<Outcome, String> {
        if code == operation::TRIAL_PARAM {
            let name = text(record, "param_name")?;
            let param = self.ranges.param(text(record, "distribution")?, &record["param_value_internal"])?;
            if self.clash(place, name, &param.distribution).is_some() {
                return Ok(Outcome::Ignored);
            }
            self.trials[place].trial.params.insert(name.to_owned(), param);
        }
        let Entry { trial, touched, .. } = &mut self.trials[place];
        match code {
            operation::TRIAL_STATE => {
                let state = state(&record["state"])?;
                if state == State::Running && trial.state == State::Running {
                    return Ok(Outcome::Ignored); // somebody else was first
                }
                trial.state = state;
                if state == State::Running {
                    trial.started_us = time_of(record, "datetime_start");
                } else {
                    trial.completed_us = time_of(record, "datetime_complete");
                }
                if !record["values"].is_null() {
                    trial.values = numbers(&record["values"])?;
                }
            }
            operation::TRIAL_INTERMEDIATE => {
                let step = record["step"].as_i64().ok_or("`step` is no whole number")?;
                let value = read_number(&record["intermediate_value"]);
                trial.intermediate.insert(step, value.ok_or("`intermediate_value` is no number")?);
            }
            operation::TRIAL_USER_ATTRIBUTE => trial.user_attributes.extend(object(record, "user_attr")?),
            operation::TRIAL_SYSTEM_ATTRIBUTE => {
                trial.system_attributes.extend(object(record, "system_attr")?);
            }
            _ => {}
        }
        *touched += 1;
        Ok(Outcome::Applied(place as u64))
    }

    /// The range that the study has for a parameter, where Optuna would not take `distribution` beside it. It compares with the first trial that
    /// has the parameter.
    pub(super) fn clash(
        &self,
        place: usize,
        name: &str,
        distribution: &Distribution,
    ) -> Option<&Distribution> {
        let study = self.studies.get(&self.trials[place].study)?;
        let first = study.trials.iter().find_map(|&place| self.trials[place].trial.params.get(name))?;
        (!first.distribution.is_compatible(distribution)).then_some(&*first.distribution)
    }
}

/// Reads a state by its number.
fn state(value: &Value) -> Result<State, String> {
    match value.as_u64() {
        Some(0) => Ok(State::Running),
        Some(1) => Ok(State::Complete),
        Some(2) => Ok(State::Pruned),
        Some(3) => Ok(State::Fail),
        Some(4) => Ok(State::Waiting),
        _ => Err(format!("the state {value} is none of Optuna's")),
    }
}

/// Its number.
pub(super) fn code_of(state: State) -> u64 {
    match state {
        State::Running => 0,
        State::Complete => 1,
        State::Pruned => 2,
        State::Fail => 3,
        State::Waiting => 4,
    }
}

fn whole(record: &Value, key: &str) -> Result<u64, String> {
    record[key].as_u64().ok_or_else(|| format!("`{key}` is no whole number"))
}

fn text<'a>(record: &'a Value, key: &str) -> Result<&'a str, String> {
    record[key].as_str().ok_or_else(|| format!("`{key}` is no text"))
}

/// The entries of an object; none where it is not there.
fn object(record: &Value, key: &str) -> Result<BTreeMap<String, Value>, String> {
    match &record[key] {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(entries) => Ok(entries.clone().into_iter().collect()),
        _ => Err(format!("`{key}` is no object")),
    }
}

fn numbers(value: &Value) -> Result<Vec<f64>, String> {
    let values = value.as_array().map_or(&[][..], Vec::as_slice);
    values
        .iter()
        .map(|value| read_number(value).ok_or_else(|| format!("the value {value} is no number")))
        .collect()
}

fn time_of(record: &Value, key: &str) -> Option<i64> {
    record[key].as_str().and_then(time::read)
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Replay};
    use crate::storage::journal::record::parse;

    fn replay(lines: &[&str]) -> (Replay, Vec<Outcome>) {
        let mut replay = Replay::default();
        let outcomes = lines.iter().map(|line| replay.apply(&parse(line).unwrap()).unwrap()).collect();
        (replay, outcomes)
    }

    #[test]
    fn trials_of_other_studies_count_in_ids_and_not_in_numbers() {
        let (replay, outcomes) = replay(&[
            r#"{"op_code":0,"worker_id":"w","study_name":"a","directions":[1]}"#,
            r#"{"op_code":0,"worker_id":"w","study_name":"b","directions":[2]}"#,
            r#"{"op_code":0,"worker_id":"w","study_name":"a","directions":[2]}"#,
            r#"{"op_code":4,"worker_id":"w","study_id":0,"datetime_start":"2026-11-29T15:13:29.834370"}"#,
            r#"{"op_code":4,"worker_id":"w","study_id":1,"datetime_start":null,"state":4}"#,
            r#"{"op_code":4,"worker_id":"w","study_id":1,"datetime_start":null,"state":4}"#,
            r#"{"op_code":1,"worker_id":"w","study_id":0}"#,
            r#"{"op_code":4,"worker_id":"w","study_id":0,"datetime_start":null}"#,
            r#"{"op_code":0,"worker_id":"w","study_name":"a","directions":[2]}"#,
            r#"{"op_code":10,"worker_id":"w","trial_ids":[0]}"#,
        ]);
        let applied = Outcome::Applied;
        let expected = [
            applied(0),
            applied(1),
            Outcome::Ignored,
            applied(0),
            applied(1),
            applied(2),
            applied(0),
            Outcome::Ignored,
            applied(2),
            Outcome::Ignored,
        ];
        assert_eq!(outcomes, expected);
        assert_eq!(replay.studies[&1].trials, [1, 2]);
        assert_eq!(replay.trials[2].trial.number, 1);
    }

    #[test]
    fn what_comes_too_late_counts_for_nothing() {
        let running = r#"{"op_code":6,"worker_id":"w","trial_id":0,"state":0,"values":null,"datetime_start":"2026-11-29T15:13:29.8"}"#;
        let end = r#"{"op_code":6,"worker_id":"w","trial_id":0,"state":1,"values":[NaN],"datetime_complete":"2026-11-29T15:13:30.8"}"#;
        let (replay, outcomes) = replay(&[
            r#"{"op_code":0,"worker_id":"w","study_name":"a","directions":[1]}"#,
            r#"{"op_code":4,"worker_id":"w","study_id":0,"datetime_start":null,"state":4}"#,
            running,
            running,
            end,
            end,
            r#"{"op_code":7,"worker_id":"w","trial_id":0,"step":3,"intermediate_value":1.0}"#,
            r#"{"op_code":7,"worker_id":"w","trial_id":1,"step":3,"intermediate_value":1.0}"#,
        ]);
        let (applied, ignored) = (Outcome::Applied(0), Outcome::Ignored);
        assert_eq!(outcomes, [applied, applied, applied, ignored, applied, ignored, ignored, ignored]);
        let trial = &replay.trials[0].trial;
        assert!(trial.values[0].is_nan() && trial.intermediate.is_empty());
        assert_eq!(trial.completed_us.unwrap() - trial.started_us.unwrap(), 1_000_000);
    }

    #[test]
    fn records_that_are_none_are_told() {
        for line in ["[]", "{}", r#"{"op_code":11}"#, r#"{"op_code":0,"study_name":3}"#] {
            assert!(Replay::default().apply(&parse(line).unwrap()).is_err(), "{line}");
        }
    }
}
