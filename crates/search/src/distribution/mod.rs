//! The range of a parameter, and a value of it, as Optuna stores them.
//!
//! In: a range from a space file, or Optuna's JSON. Out: the same in the other form, and values for uniform draws. Reference:
//! `optuna.distributions` 4.9 (`FloatDistribution`, `IntDistribution`, `CategoricalDistribution`).

mod choice;

pub use choice::Choice;

use serde_json::{Value, json};
use std::fmt;

/// A value of a parameter; what it means depends on its [`Distribution`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParamValue {
    /// Of a float range.
    Float(f64),
    /// Of an integer range.
    Int(i64),
    /// The place of a categorical parameter's choice, from 0.
    Choice(usize),
}

impl ParamValue {
    /// The number that Optuna stores (its "internal representation"): the value itself, or the place of the choice.
    pub fn internal(self) -> f64 {
        match self {
            ParamValue::Float(x) => x,
            ParamValue::Int(n) => n as f64,
            ParamValue::Choice(place) => place as f64,
        }
    }
}

/// What values a parameter may have.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// Numbers in `[low, high]`.
    Float {
        /// The lowest.
        low: f64,
        /// The highest; a whole number of steps above `low`.
        high: f64,
        /// Whether equal factors are equally likely; then `low` is above 0 and there is no step.
        log: bool,
        /// The distance of the values; any number in the range without one.
        step: Option<f64>,
    },
    /// Whole numbers in `[low, high]`.
    Int {
        /// The lowest.
        low: i64,
        /// The highest; a whole number of steps above `low`.
        high: i64,
        /// Whether equal factors are equally likely; then `low` is above 0 and the step is 1.
        log: bool,
        /// The distance of the values.
        step: i64,
    },
    /// One of several choices without an order.
    Categorical {
        /// The choices, at least one.
        choices: Vec<Choice>,
    },
}

/// Where a value lies in the unit interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitCell {
    /// The lowest draw that gives it.
    pub low: f64,
    /// Its own place.
    pub at: f64,
    /// The end of the draws that give it.
    pub high: f64,
}

/// JSON that is no distribution of Optuna.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistributionError(pub String);

impl fmt::Display for DistributionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not a distribution of Optuna: {}; expected {{\"name\": \"FloatDistribution\", \"attributes\": {{...}}}}, IntDistribution or CategoricalDistribution",
            self.0
        )
    }
}

impl std::error::Error for DistributionError {}

impl Distribution {
    /// Optuna's JSON of it (`distribution_to_json`).
    pub fn to_json(&self) -> Value {
        match self {
            Distribution::Float { low, high, log, step } => json!({
                "name": "FloatDistribution",
                "attributes": {"step": step, "low": low, "high": high, "log": log},
            }),
            Distribution::Int { low, high, log, step } => json!({
                "name": "IntDistribution",
                "attributes": {"log": log, "step": step, "low": low, "high": high},
            }),
            Distribution::Categorical { choices } => json!({
                "name": "CategoricalDistribution",
                "attributes": {"choices": choices.iter().map(Choice::to_json).collect::<Vec<_>>()},
            }),
        }
    }

    /// Reads Optuna's JSON (`json_to_distribution`).
    ///
    /// # Errors
    /// Another name, a missing attribute, or a range that Optuna would refuse.
    pub fn from_json(text: &str) -> Result<Distribution, DistributionError> {
        let wrong = |what: String| DistributionError(format!("{what} in {text}"));
        let value: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let name = value["name"].as_str().unwrap_or_default();
        let attributes = &value["attributes"];
        let float = |key: &str| {
            let number = attributes[key].as_f64().filter(|x| x.is_finite());
            number.ok_or_else(|| wrong(format!("no number `{key}`")))
        };
        let int = |key: &str| {
            // Python may have written a whole number as a float.
            let number = &attributes[key];
            let whole = number.as_f64().filter(|x| x.fract() == 0.0 && x.abs() < 9e15).map(|x| x as i64);
            number.as_i64().or(whole).ok_or_else(|| wrong(format!("no whole number `{key}`")))
        };
        let log = attributes["log"].as_bool().unwrap_or(false);
        let read = match name {
            "FloatDistribution" => {
                let step = if attributes["step"].is_null() { None } else { Some(float("step")?) };
                Distribution::Float { low: float("low")?, high: float("high")?, log, step }
            }
            "IntDistribution" => {
                let step = if attributes["step"].is_null() { 1 } else { int("step")? };
                Distribution::Int { low: int("low")?, high: int("high")?, log, step }
            }
            "CategoricalDistribution" => {
                let choices = attributes["choices"].as_array().filter(|choices| !choices.is_empty());
                let choices = choices.ok_or_else(|| wrong("no `choices`".to_owned()))?;
                Distribution::Categorical { choices: choices.iter().map(Choice::from_json).collect() }
            }
            _ => return Err(wrong(format!("the name `{name}`"))),
        };
        let is_right = match read {
            Distribution::Float { low, high, log, step } => {
                low <= high && (!log || low > 0.0 && step.is_none()) && step.is_none_or(|step| step > 0.0)
            }
            Distribution::Int { low, high, log, step } => {
                low <= high && step > 0 && (!log || low > 0 && step == 1)
            }
            Distribution::Categorical { .. } => true,
        };
        if is_right { Ok(read) } else { Err(wrong("an impossible range".to_owned())) }
    }

    /// How many values there are; none for a float range without a step that has more than one.
    pub fn count(&self) -> Option<u64> {
        match self {
            Distribution::Float { low, high, step: None, .. } => (low == high).then_some(1),
            // The small share is for 0.1 * 3, which is a little more than 0.3.
            Distribution::Float { low, high, step: Some(step), .. } => {
                Some(((high - low) / step + 1e-8).floor() as u64 + 1)
            }
            Distribution::Int { low, high, step, .. } => {
                Some((high.saturating_sub(*low) / step).unsigned_abs() + 1)
            }
            Distribution::Categorical { choices } => Some(choices.len() as u64),
        }
    }

    /// Whether there is only one value.
    pub fn is_single(&self) -> bool {
        self.count() == Some(1)
    }

    /// The value at a place of those that [`Distribution::count`] counts; the last beyond them.
    pub fn nth(&self, place: u64) -> ParamValue {
        match self {
            Distribution::Float { low, high, step, .. } => {
                ParamValue::Float((low + place as f64 * step.unwrap_or(0.0)).min(*high))
            }
            Distribution::Int { low, high, step, .. } => {
                let above = i64::try_from(place).ok().and_then(|place| place.checked_mul(*step));
                ParamValue::Int(above.and_then(|above| low.checked_add(above)).unwrap_or(*high).min(*high))
            }
            Distribution::Categorical { choices } => {
                ParamValue::Choice(usize::try_from(place).unwrap_or(usize::MAX).min(choices.len() - 1))
            }
        }
    }

    /// The place of a value, from which [`Distribution::nth`] gives it; none where values are dense, or it is none of these.
    pub fn place(&self, value: ParamValue) -> Option<u64> {
        if !self.contains(value) {
            return None;
        }
        match (self, value) {
            (Distribution::Float { low, step, .. }, ParamValue::Float(x)) => {
                step.map(|step| ((x - low) / step).round() as u64)
            }
            (Distribution::Int { low, step, .. }, ParamValue::Int(n)) => Some(((n - low) / step) as u64),
            (_, ParamValue::Choice(place)) => Some(place as u64),
            _ => None,
        }
    }

    /// The value for a uniform draw in `[0, 1)`: all values equally likely, or all factors where the range is logarithmic.
    pub fn quantile(&self, unit: f64) -> ParamValue {
        match self {
            Distribution::Float { low, high, log: true, .. } => {
                ParamValue::Float((low.ln() + unit * (high.ln() - low.ln())).exp().clamp(*low, *high))
            }
            Distribution::Float { low, high, step: None, .. } => {
                ParamValue::Float((low + unit * (high - low)).clamp(*low, *high))
            }
            Distribution::Int { low, high, log: true, .. } => {
                // As Optuna: each whole number has the share between its halves.
                let (from, to) = ((*low as f64 - 0.5).ln(), (*high as f64 + 0.5).ln());
                ParamValue::Int(((from + unit * (to - from)).exp().round() as i64).clamp(*low, *high))
            }
            _ => {
                let count = self.count().unwrap_or(1);
                self.nth(((unit * count as f64) as u64).min(count - 1))
            }
        }
    }

    /// Where a value of a range lies in the unit interval that [`Distribution::quantile`] maps to values: its place, and the ends of the
    /// draws that give it, which are the place itself where values are dense. None for choices, and for what is outside.
    pub fn unit_cell(&self, value: ParamValue) -> Option<UnitCell> {
        if !self.contains(value) {
            return None;
        }
        match (self, value) {
            (Distribution::Float { low, high, log, step: None }, ParamValue::Float(x)) => {
                let scaled = |x: f64| if *log { x.ln() } else { x };
                let length = scaled(*high) - scaled(*low);
                let at = if length > 0.0 { (scaled(x) - scaled(*low)) / length } else { 0.5 };
                Some(UnitCell { low: at, at, high: at })
            }
            (Distribution::Int { low, high, log: true, .. }, ParamValue::Int(n)) => {
                let (from, to) = ((*low as f64 - 0.5).ln(), (*high as f64 + 0.5).ln());
                let unit = |x: f64| (x.ln() - from) / (to - from);
                let n = n as f64;
                Some(UnitCell { low: unit(n - 0.5), at: unit(n), high: unit(n + 0.5) })
            }
            (Distribution::Categorical { .. }, _) => None,
            _ => {
                let (place, count) = (self.place(value)? as f64, self.count()? as f64);
                Some(UnitCell { low: place / count, at: (place + 0.5) / count, high: (place + 1.0) / count })
            }
        }
    }

    /// Whether the value is one of these.
    pub fn contains(&self, value: ParamValue) -> bool {
        match (self, value) {
            (Distribution::Float { low, high, step, .. }, ParamValue::Float(x)) => {
                let places = step.map_or(0.0, |step| (x - low) / step);
                x >= *low && x <= *high && (places - places.round()).abs() < 1e-8
            }
            (Distribution::Int { low, high, step, .. }, ParamValue::Int(n)) => {
                n >= *low && n <= *high && (n - low) % step == 0
            }
            (Distribution::Categorical { choices }, ParamValue::Choice(place)) => place < choices.len(),
            _ => false,
        }
    }

    /// The value of the number that Optuna stores; none if it is none of these.
    pub fn from_internal(&self, internal: f64) -> Option<ParamValue> {
        let value = match self {
            Distribution::Float { .. } => ParamValue::Float(internal),
            Distribution::Int { .. } if internal.fract() == 0.0 => ParamValue::Int(internal as i64),
            Distribution::Categorical { .. } if internal.fract() == 0.0 && internal >= 0.0 => {
                ParamValue::Choice(internal as usize)
            }
            _ => return None,
        };
        self.contains(value).then_some(value)
    }

    /// The value as the trial sees it, which Optuna calls its external representation. A choice that is not there is [`Choice::Null`].
    pub fn external(&self, value: ParamValue) -> Choice {
        match (self, value) {
            (Distribution::Categorical { choices }, ParamValue::Choice(place)) => {
                choices.get(place).cloned().unwrap_or(Choice::Null)
            }
            (_, ParamValue::Float(x)) => Choice::Float(x),
            (_, ParamValue::Int(n)) => Choice::Int(n),
            (_, ParamValue::Choice(place)) => Choice::Int(place as i64),
        }
    }

    /// The value that a trial sees as `external`; none if it is none of these.
    pub fn from_external(&self, external: &Choice) -> Option<ParamValue> {
        let value = match self {
            Distribution::Categorical { choices } => {
                ParamValue::Choice(choices.iter().position(|choice| choice.is_same_in_python(external))?)
            }
            Distribution::Float { .. } => ParamValue::Float(external.number()?),
            Distribution::Int { .. } => {
                ParamValue::Int(external.number().filter(|x| x.fract() == 0.0).map(|x| x as i64)?)
            }
        };
        self.contains(value).then_some(value)
    }

    /// Whether Optuna takes both as the distribution of one parameter in one study: the same kind, `log` and choices; ranges and
    /// steps may differ (`check_distribution_compatibility`).
    pub fn is_compatible(&self, other: &Distribution) -> bool {
        match (self, other) {
            (Distribution::Float { log: a, .. }, Distribution::Float { log: b, .. })
            | (Distribution::Int { log: a, .. }, Distribution::Int { log: b, .. }) => a == b,
            (Distribution::Categorical { choices: a }, Distribution::Categorical { choices: b }) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same_in_python(b))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
