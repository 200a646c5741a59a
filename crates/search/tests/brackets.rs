//! Which trials a sampler learns from beside Hyperband, against Optuna's, as `parity/search/brackets.py` wrote them.
#![allow(clippy::unwrap_used)]

use pupila_search::pruner::{Hyperband, Percentile};
use pupila_search::{Pruner, State, Trial};
use serde_json::Value;

fn numbers(trials: &[Trial]) -> Vec<u64> {
    trials.iter().map(|trial| trial.number).collect()
}

#[test]
fn samplers_see_the_trials_that_optuna_shows_them() {
    let golden: Value = serde_json::from_str(include_str!("../../../parity/search/brackets.json")).unwrap();
    let trials: Vec<Trial> =
        (0..golden["trials"].as_u64().unwrap()).map(|number| Trial::new(number, State::Complete)).collect();
    for case in golden["cases"].as_array().unwrap() {
        let int = |key: &str| case["arguments"][key].as_u64();
        let pruner = Hyperband {
            min_resource: int("min_resource").unwrap_or(1),
            max_resource: int("max_resource"),
            reduction_factor: int("reduction_factor").unwrap_or(3),
            bootstrap_count: 0,
        };
        let study = case["study"].as_str().unwrap();
        for (number, peers) in case["peers"].as_array().unwrap().iter().enumerate() {
            let expected: Vec<u64> = peers.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
            assert_eq!(numbers(&pruner.peers(study, number as u64, &trials)), expected, "{study} {number}");
        }
    }
}

#[test]
fn without_brackets_all_trials_are_learnt_from() {
    let trials: Vec<Trial> = (0..20).map(|number| Trial::new(number, State::Running)).collect();
    let unknown = Hyperband { max_resource: None, ..Hyperband::default() };
    assert_eq!(unknown.peers("s", 3, &trials).len(), 20);
    assert_eq!(Percentile::median().peers("s", 3, &trials).len(), 20);
}
