//! Trials that are kept in memory alone: for tests, and for a search whose trials nobody wants afterwards.

use super::retry::attributes_of_retry;
use super::{Storage, StorageError, ending};
use crate::trial::{Param, State, Trial};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Trials in memory; a clone is another handle of the same.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    trials: Arc<Mutex<Vec<Trial>>>,
    attributes: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Vec<Trial>> {
        self.trials.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(trials: &mut Vec<Trial>, state: State, system_attributes: BTreeMap<String, Value>) -> u64 {
        let number = trials.len() as u64;
        trials.push(Trial { system_attributes, ..Trial::new(number, state) });
        number
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Trial)) -> Result<(), StorageError> {
        change(Memory::open_trial(&mut self.lock(), number)?);
        Ok(())
    }

    /// A trial that has not ended.
    fn open_trial(trials: &mut [Trial], number: u64) -> Result<&mut Trial, StorageError> {
        match trials.iter_mut().find(|trial| trial.number == number) {
            None => Err(StorageError::Trial { number, message: "is not there" }),
            Some(trial) if trial.state.is_finished() => {
                Err(StorageError::Trial { number, message: "has ended already" })
            }
            Some(trial) => Ok(trial),
        }
    }
}

impl Storage for Memory {
    fn trials(&self) -> Result<Vec<Trial>, StorageError> {
        Ok(self.lock().clone())
    }

    fn create(&self) -> Result<u64, StorageError> {
        Ok(Memory::add(&mut self.lock(), State::Running, BTreeMap::new()))
    }

    fn create_within(&self, most: u64) -> Result<Option<u64>, StorageError> {
        let mut trials = self.lock();
        let is_full = trials.iter().filter(|trial| trial.state != State::Fail).count() as u64 >= most;
        Ok((!is_full).then(|| Memory::add(&mut trials, State::Running, BTreeMap::new())))
    }

    fn retry(&self, number: u64, retries: usize, attributes: &[(&str, Value)]) -> Result<(), StorageError> {
        let mut trials = self.lock();
        let trial = Memory::open_trial(&mut trials, number)?;
        trial.state = State::Fail;
        set_all(trial, attributes);
        if let Some(attributes) = attributes_of_retry(trial, retries) {
            Memory::add(&mut trials, State::Waiting, attributes);
        }
        Ok(())
    }

    fn put_back(&self, number: u64, attributes: &[(&str, Value)]) -> Result<(), StorageError> {
        self.change(number, |trial| {
            trial.state = State::Waiting;
            set_all(trial, attributes);
        })
    }

    fn claim(&self) -> Result<Option<u64>, StorageError> {
        let mut trials = self.lock();
        let waiting = trials.iter_mut().find(|trial| trial.state == State::Waiting);
        Ok(waiting.map(|trial| {
            trial.state = State::Running;
            trial.number
        }))
    }

    fn enqueue(
        &self,
        fixed: &BTreeMap<String, Value>,
        attributes: &[(String, Value)],
    ) -> Result<u64, StorageError> {
        let mut attributes: BTreeMap<String, Value> = attributes.iter().cloned().collect();
        attributes.insert("fixed_params".to_owned(), json!(fixed));
        Ok(Memory::add(&mut self.lock(), State::Waiting, attributes))
    }

    fn set_params(
        &self,
        number: u64,
        params: &BTreeMap<String, Param>,
        attributes: &[(&str, Value)],
    ) -> Result<(), StorageError> {
        let clashes = params.iter().filter_map(|(name, param)| {
            let first = self.lock().iter().find_map(|trial| trial.params.get(name).cloned())?;
            let is_other = !first.distribution.is_compatible(&param.distribution);
            is_other.then(|| (name.clone(), first.distribution.to_json()))
        });
        StorageError::refuse_clashes("memory", "memory", clashes.collect())?;
        self.change(number, |trial| {
            trial.params.extend(params.clone());
            set_all(trial, attributes);
        })
    }

    fn report(&self, number: u64, step: i64, value: f64) -> Result<(), StorageError> {
        self.change(number, |trial| {
            trial.intermediate.insert(step, value);
        })
    }

    fn set_attribute(
        &self,
        number: u64,
        is_system: bool,
        key: &str,
        value: &Value,
    ) -> Result<(), StorageError> {
        self.change(number, |trial| {
            let attributes =
                if is_system { &mut trial.system_attributes } else { &mut trial.user_attributes };
            attributes.insert(key.to_owned(), value.clone());
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
        self.change(number, |trial| {
            trial.state = state;
            trial.values = value.into_iter().collect();
            set_all(trial, attributes);
        })
    }

    fn study_attributes(&self) -> Result<BTreeMap<String, Value>, StorageError> {
        Ok(self.attributes.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn set_study_attribute(&self, key: &str, value: &Value) -> Result<(), StorageError> {
        self.attributes.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), value.clone());
        Ok(())
    }

    fn beat(&self, _number: u64) -> Result<(), StorageError> {
        Ok(())
    }

    fn fail_stale(&self, _retries: usize) -> Result<Vec<Trial>, StorageError> {
        Ok(Vec::new())
    }

    fn address(&self) -> String {
        "memory".to_owned()
    }
}

/// Sets user attributes.
fn set_all(trial: &mut Trial, attributes: &[(&str, Value)]) {
    let owned = attributes.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    trial.user_attributes.extend(owned);
}
