//! Pruners against Optuna's, on histories that `parity/search/pruners.py` wrote. Answers are yes or no, so they must be the same.
#![allow(clippy::unwrap_used)]

use pupila_search::pruner::{Hyperband, Percentile, Situation, SuccessiveHalving};
use pupila_search::{Direction, Pruner, State, Trial};
use serde_json::Value;

fn pruner(name: &str, arguments: &Value) -> Box<dyn Pruner> {
    let int = |key: &str| arguments[key].as_u64();
    match name {
        "MedianPruner" | "PercentilePruner" => {
            let median = Percentile::median();
            Box::new(Percentile {
                percentile: arguments["percentile"].as_f64().unwrap_or(50.0),
                startup_trials: int("n_startup_trials").map_or(median.startup_trials, |n| n as usize),
                warmup_steps: int("n_warmup_steps").map_or(median.warmup_steps, |n| n as i64),
                interval_steps: int("interval_steps").map_or(median.interval_steps, |n| n as i64),
                min_trials: int("n_min_trials").map_or(median.min_trials, |n| n as usize),
            })
        }
        "SuccessiveHalvingPruner" => Box::new(SuccessiveHalving {
            min_resource: int("min_resource"),
            reduction_factor: int("reduction_factor").unwrap_or(4),
            min_early_stopping_rate: int("min_early_stopping_rate").unwrap_or(0) as u32,
            bootstrap_count: int("bootstrap_count").unwrap_or(0) as usize,
        }),
        "HyperbandPruner" => Box::new(Hyperband {
            min_resource: int("min_resource").unwrap_or(1),
            max_resource: int("max_resource"),
            reduction_factor: int("reduction_factor").unwrap_or(3),
            bootstrap_count: int("bootstrap_count").unwrap_or(0) as usize,
        }),
        _ => panic!("{name}"),
    }
}

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some(text) => text.parse().unwrap(),
        None => value.as_f64().unwrap(),
    }
}

#[test]
fn every_pruner_answers_as_optuna() {
    let golden: Value = serde_json::from_str(include_str!("../../../parity/search/pruners.json")).unwrap();
    let (mut ended, mut judged) = (0, 0);
    for case in golden["cases"].as_array().unwrap() {
        let name = case["pruner"].as_str().unwrap();
        let pruner = pruner(name, &case["arguments"]);
        let direction = match case["direction"].as_str().unwrap() {
            "minimize" => Direction::Minimize,
            _ => Direction::Maximize,
        };
        let mut trials: Vec<Trial> = Vec::new();
        for (place, event) in case["events"].as_array().unwrap().iter().enumerate() {
            let at = event[0].as_u64().unwrap() as usize;
            while trials.len() <= at {
                trials.push(Trial::new(trials.len() as u64, State::Running));
            }
            trials[at].intermediate.insert(event[1].as_i64().unwrap(), number(&event[2]));
            let verdict = pruner.judge(&Situation {
                study: case["study"].as_str().unwrap(),
                direction,
                trial: &trials[at],
                trials: &trials,
            });
            trials[at].system_attributes.extend(verdict.attributes);
            let expected = event[3].as_bool().unwrap();
            assert_eq!(verdict.is_pruned, expected, "{name} {} event {place} {event}", case["study"]);
            trials[at].state = match event[4].as_str().unwrap() {
                "running" => State::Running,
                "pruned" => State::Pruned,
                "fail" => State::Fail,
                _ => State::Complete,
            };
            judged += 1;
            ended += usize::from(expected);
        }
    }
    // The histories have enough of both in them.
    assert!(judged > 5000 && ended > 1000 && ended < judged / 2, "{ended} of {judged}");
}
