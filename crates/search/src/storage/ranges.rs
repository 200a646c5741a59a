//! Parameters as they are stored: Optuna's JSON of a range, and a number. Trials that have the same range share it.

use crate::distribution::{Distribution, ParamValue};
use crate::trial::Param;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// The ranges read so far, by their JSON.
#[derive(Debug, Default)]
pub(super) struct Ranges(HashMap<String, Arc<Distribution>>);

impl Ranges {
    /// Reads a parameter. A value may lie outside of its range: Optuna stores what was enqueued.
    ///
    /// # Errors
    /// A range that Optuna does not have, or a number that is no value of it.
    pub(super) fn param(&mut self, range: &str, internal: &Value) -> Result<Param, String> {
        let distribution = match self.0.get(range) {
            Some(known) => Arc::clone(known),
            None => {
                let read = Arc::new(Distribution::from_json(range).map_err(|error| error.to_string())?);
                self.0.insert(range.to_owned(), Arc::clone(&read));
                read
            }
        };
        let whole = internal.as_f64().filter(|x| x.fract() == 0.0);
        let value = match &*distribution {
            Distribution::Float { .. } => internal.as_f64().map(ParamValue::Float),
            Distribution::Int { .. } => internal.as_i64().or(whole.map(|x| x as i64)).map(ParamValue::Int),
            Distribution::Categorical { choices } => whole
                .filter(|&x| x >= 0.0 && x < choices.len() as f64)
                .map(|x| ParamValue::Choice(x as usize)),
        };
        let value = value.ok_or_else(|| format!("{internal} is no value of {range}"))?;
        Ok(Param { distribution, value })
    }
}
