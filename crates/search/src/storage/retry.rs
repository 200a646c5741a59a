//! What takes the place of a trial whose worker is gone, or that was interrupted. Reference: `optuna.storages.RetryFailedTrialCallback` 4.9.

use crate::trial::Trial;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The system attribute with the numbers of the trials that a trial stands in for, the first one first; Optuna's.
const HISTORY: &str = "retry_history";
/// The system attribute with the first of them; Optuna's.
const FIRST: &str = "failed_trial";

/// The system attributes of the waiting trial that stands in for `lost`: its values, and which trials were tried before it. None where there were
/// `retries` of these already: such a trial may be what ends its workers, by the memory that it takes.
pub(super) fn attributes_of_retry(lost: &Trial, retries: usize) -> Option<BTreeMap<String, Value>> {
    let history = lost.system_attributes.get(HISTORY).and_then(Value::as_array).cloned();
    let mut history = history.unwrap_or_default();
    if history.len() >= retries {
        return None;
    }
    history.push(lost.number.into());
    let first = lost.system_attributes.get(FIRST).cloned().unwrap_or_else(|| lost.number.into());
    let values: BTreeMap<&str, Value> =
        lost.params.iter().map(|(key, param)| (&key[..], param.external().to_json())).collect();
    // One that was lost before it had chosen has only what it was given.
    let given = lost.system_attributes.get("fixed_params").and_then(Value::as_object);
    let mut fixed: BTreeMap<&str, Value> =
        given.into_iter().flatten().map(|(key, value)| (&key[..], value.clone())).collect();
    fixed.extend(values);
    Some(BTreeMap::from([
        ("fixed_params".to_owned(), json!(fixed)),
        (FIRST.to_owned(), first),
        (HISTORY.to_owned(), json!(history)),
    ]))
}
