//! The space of a search: which keys of the recipe are tried, over which values, and when.
//!
//! ```toml
//! [space]
//! "optimizer.lr" = { float = [1e-4, 1e-2], log = true }
//! "train.batch" = { categorical = [16, 32] }
//! "model.name" = { categorical = ["mlp", "small_cnn"] }
//! "model.layers" = { int = [1, 5], when = { "model.name" = "mlp" } }
//! "model.dropout" = { float = [0, 0.5], step = 0.1, when = { "model.name" = ["mlp", "small_cnn"] } }
//! ```
//!
//! In: the file's text. Out: a [`Space`], or all its faults. Whether a recipe has these keys and takes these values is for the caller to
//! check: [`Space::check`] hands out what to try.

mod conditions;
mod read;

use crate::distribution::{Choice, Distribution, ParamValue};
use crate::error::{SearchErrors, SearchFault};
use crate::trial::{Param, Trial};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use toml::Value;

/// Values of the active parameters, by name.
pub type Assignment = BTreeMap<String, ParamValue>;

/// A parameter is active only where another has one of these values.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The place of the other parameter in [`Space::parameters`].
    pub parent: usize,
    /// Its values, at least one, all within its distribution.
    pub values: Vec<ParamValue>,
}

/// A parameter: a key of the recipe, and what is tried for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The key of the recipe, which is also the parameter's name in Optuna.
    pub key: String,
    /// What is tried.
    pub distribution: Arc<Distribution>,
    /// Of a categorical parameter the choices as the recipe has them; of others empty.
    pub choices: Vec<Value>,
    /// Its own conditions, all of which must hold.
    pub conditions: Vec<Condition>,
}

impl Parameter {
    /// The value as the recipe has it.
    pub fn setting(&self, value: ParamValue) -> Value {
        match value {
            ParamValue::Float(x) => Value::Float(x),
            ParamValue::Int(n) => Value::Integer(n),
            // A place that is not there cannot come from this distribution.
            ParamValue::Choice(place) => {
                self.choices.get(place).cloned().unwrap_or_else(|| Value::String(String::new()))
            }
        }
    }

    /// The value of what a recipe has; none if it is not in the distribution.
    pub fn value_of(&self, setting: &Value) -> Option<ParamValue> {
        self.distribution.from_external(&choice(setting).ok()?)
    }

    /// The values at the edges of the range, or all choices.
    fn probes(&self) -> Vec<ParamValue> {
        match &*self.distribution {
            Distribution::Float { low, high, .. } => vec![ParamValue::Float(*low), ParamValue::Float(*high)],
            Distribution::Int { low, high, .. } => vec![ParamValue::Int(*low), ParamValue::Int(*high)],
            Distribution::Categorical { choices } => (0..choices.len()).map(ParamValue::Choice).collect(),
        }
    }
}

/// Parameters that are always active together, because they depend on the same values of the same others.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Their places in [`Space::parameters`].
    pub parameters: Vec<usize>,
    /// What must hold, with what that needs in turn; empty where they are always active.
    pub requirements: Vec<Condition>,
}

/// A checked space: no circles, every condition can hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    parameters: Vec<Parameter>,
    groups: Vec<Group>,
}

impl Space {
    /// Reads a space file; `path` is only for messages.
    ///
    /// # Errors
    /// All that is wrong with it, each with its key.
    pub fn parse(path: &Path, text: &str) -> Result<Space, SearchErrors> {
        let place = path.display().to_string();
        let (drafts, mut faults) = read::read(&place, text);
        let parameters = conditions::resolve(&place, drafts, &mut faults);
        if !faults.is_empty() {
            return Err(SearchErrors(faults));
        }
        let groups = conditions::groups(&parameters);
        Ok(Space { parameters, groups })
    }

    /// The parameters, in the file's order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The groups, those that others depend on first.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The parameter of a name.
    pub fn parameter(&self, key: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.key == key)
    }

    /// Whether a group is active, by the values chosen so far.
    pub fn is_active(&self, group: &Group, chosen: &Assignment) -> bool {
        group.requirements.iter().all(|condition| {
            chosen
                .get(&self.parameters[condition.parent].key)
                .is_some_and(|value| condition.values.contains(value))
        })
    }

    /// The settings of the recipe that an assignment means, in the file's order; names that are not in the space are left out.
    pub fn settings(&self, assignment: &Assignment) -> Vec<(String, Value)> {
        let known = self.parameters.iter();
        known
            .filter_map(|parameter| {
                let value = assignment.get(&parameter.key)?;
                Some((parameter.key.clone(), parameter.setting(*value)))
            })
            .collect()
    }

    /// An assignment as parameters of a trial; names that are not in the space are left out.
    pub fn params(&self, assignment: &Assignment) -> BTreeMap<String, Param> {
        let known = self.parameters.iter();
        known
            .filter_map(|parameter| {
                let value = *assignment.get(&parameter.key)?;
                let distribution = Arc::clone(&parameter.distribution);
                Some((parameter.key.clone(), Param { distribution, value }))
            })
            .collect()
    }

    /// Lets the caller check every parameter against the recipe: `takes` is given settings to apply together (values of the parameters
    /// that it depends on, then the key itself) and says what is wrong. The edges of ranges and all choices are tried; of each parameter
    /// the first fault is kept.
    ///
    /// # Errors
    /// What `takes` found wrong, with its key.
    pub fn check(
        &self,
        path: &Path,
        mut takes: impl FnMut(&[(String, Value)]) -> Result<(), String>,
    ) -> Result<(), SearchErrors> {
        let mut faults = Vec::new();
        for group in &self.groups {
            let mut settings: Vec<(String, Value)> = Vec::new();
            for condition in &group.requirements {
                let parent = &self.parameters[condition.parent];
                settings.push((parent.key.clone(), parent.setting(condition.values[0])));
            }
            for parameter in group.parameters.iter().map(|&place| &self.parameters[place]) {
                let fault = parameter.probes().into_iter().find_map(|value| {
                    let mut settings = settings.clone();
                    settings.push((parameter.key.clone(), parameter.setting(value)));
                    takes(&settings).err()
                });
                let place = key_place(&path.display().to_string(), &parameter.key);
                faults.extend(fault.map(|message| SearchFault { place, message }));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(SearchErrors(faults)) }
    }

    /// Checks that a study's trials can go on with this space: what they have in common has the same kind, `log` and choices, which Optuna
    /// demands of all trials of a study.
    ///
    /// # Errors
    /// Each parameter that a trial has otherwise.
    pub fn check_trials(&self, path: &Path, trials: &[Trial]) -> Result<(), SearchErrors> {
        let mut faults = Vec::new();
        for parameter in &self.parameters {
            let other = trials.iter().find_map(|trial| {
                let param = trial.params.get(&parameter.key)?;
                (!param.distribution.is_compatible(&parameter.distribution)).then_some((trial.number, param))
            });
            if let Some((number, param)) = other {
                let (had, has) = (param.distribution.to_json(), parameter.distribution.to_json());
                faults.push(SearchFault {
                    place: key_place(&path.display().to_string(), &parameter.key),
                    message: format!(
                        "trial {number} of the study has another kind of range: {had} instead of {has}; name another study, or write the range as it was"
                    ),
                });
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(SearchErrors(faults)) }
    }
}

/// `space.toml, space."optimizer.lr"`.
fn key_place(file: &str, key: &str) -> String {
    format!("{file}, space.\"{key}\"")
}

/// A recipe's value as Optuna stores it: lists and tables become their JSON text.
fn choice(value: &Value) -> Result<Choice, String> {
    fn json(value: &Value) -> Result<serde_json::Value, String> {
        Ok(match value {
            Value::String(text) => serde_json::Value::from(text.as_str()),
            Value::Integer(n) => serde_json::Value::from(*n),
            Value::Boolean(yes) => serde_json::Value::from(*yes),
            Value::Float(x) if x.is_finite() => serde_json::Value::from(*x),
            Value::Float(x) => return Err(format!("{x} cannot be tried; write a finite number")),
            Value::Datetime(time) => return Err(format!("{time} is a time; write it as a text, in quotes")),
            Value::Array(values) => values.iter().map(json).collect::<Result<_, _>>()?,
            Value::Table(table) => {
                let pairs = table.iter().map(|(key, value)| Ok((key.clone(), json(value)?)));
                serde_json::Value::Object(pairs.collect::<Result<_, String>>()?)
            }
        })
    }
    Ok(Choice::from_json(&json(value)?))
}

#[cfg(test)]
mod tests;
