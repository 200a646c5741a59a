//! PED-ANOVA against Optuna's, on studies that `parity/search/importance.py` wrote. Tolerance: 1e-9 of the value, since both add up to 50
//! terms of f64, and the error function of each is good to 1e-15.
#![allow(clippy::unwrap_used)]

use pupila_search::importance::{ImportanceError, PedAnova, normalised};
use pupila_search::{Direction, Distribution, Param, ParamValue, State, Trial};
use serde_json::Value;
use std::sync::Arc;

fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some(text) => text.parse().unwrap(),
        None => value.as_f64().unwrap(),
    }
}

fn trials(study: &Value) -> Vec<Trial> {
    let ranges: Vec<Arc<Distribution>> = study["distributions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| Arc::new(Distribution::from_json(text.as_str().unwrap()).unwrap()))
        .collect();
    let rows = study["trials"].as_array().unwrap().iter().enumerate();
    rows.map(|(place, row)| {
        let state = match row[0].as_str().unwrap() {
            "complete" => State::Complete,
            "pruned" => State::Pruned,
            _ => State::Fail,
        };
        let mut trial = Trial::new(place as u64, state);
        trial.values.extend((!row[1].is_null()).then(|| number(&row[1])));
        for (name, param) in row[2].as_object().unwrap() {
            let distribution = Arc::clone(&ranges[param[0].as_u64().unwrap() as usize]);
            let value = distribution.from_internal(number(&param[1])).unwrap();
            trial.params.insert(name.clone(), Param { distribution, value });
        }
        trial
    })
    .collect()
}

fn check(found: &[(String, f64)], expected: &Value, what: &str) {
    let expected = expected.as_array().unwrap();
    assert_eq!(found.len(), expected.len(), "{what}: {found:?}");
    for ((name, value), expected) in found.iter().zip(expected) {
        assert_eq!(name, expected[0].as_str().unwrap(), "{what}: {found:?}");
        let expected = expected[1].as_f64().unwrap();
        assert!(
            (value - expected).abs() <= 1e-9 * expected.abs().max(1e-6),
            "{what}, {name}: {value} {expected}"
        );
    }
}

#[test]
fn importances_are_optunas() {
    let golden: Value = serde_json::from_str(include_str!("../../../parity/search/importance.json")).unwrap();
    let studies = golden["studies"].as_array().unwrap();
    assert!(studies.len() >= 15);
    for (place, study) in studies.iter().enumerate() {
        let what = format!("study {place} ({})", study["special"]);
        let direction =
            if study["direction"] == "minimize" { Direction::Minimize } else { Direction::Maximize };
        let settings = &study["settings"];
        let own = PedAnova::default();
        let evaluator = PedAnova {
            target_quantile: settings["target_quantile"].as_f64().unwrap_or(own.target_quantile),
            region_quantile: settings["region_quantile"].as_f64().unwrap_or(own.region_quantile),
            is_local: settings["evaluate_on_local"].as_bool().unwrap_or(own.is_local),
        };
        let asked: Option<Vec<String>> = study["asked"]
            .as_array()
            .map(|names| names.iter().map(|name| name.as_str().unwrap().to_owned()).collect());
        let found = evaluator.evaluate(direction, &trials(study), asked.as_deref()).unwrap();
        check(&found, &study["importances"], &what);
        check(&normalised(&found), &study["normalised"], &what);
    }
}

#[test]
fn what_cannot_be_judged_is_told() {
    let distribution = Arc::new(Distribution::Int { low: 0, high: 3, log: false, step: 1 });
    let other = Arc::new(Distribution::Int { low: 0, high: 4, log: false, step: 1 });
    let mut complete = vec![Trial { values: vec![1.0], ..Trial::new(0, State::Complete) }];
    let evaluate = |trials: &[Trial], names: Option<&[String]>| {
        PedAnova::default().evaluate(Direction::Minimize, trials, names)
    };
    let told = evaluate(&complete, None).unwrap_err().to_string();
    assert!(told.contains("two complete trials or more, and there are 1"), "{told}");
    complete.push(Trial { number: 1, ..complete[0].clone() });
    assert_eq!(evaluate(&complete, None), Ok(Vec::new()));
    let names = ["a".to_owned()];
    let none = evaluate(&complete, Some(&names));
    assert_eq!(none, Err(ImportanceError::NoTrialHas(names.to_vec())));
    for (trial, distribution) in complete.iter_mut().zip([distribution, other]) {
        trial.params.insert("a".into(), Param { distribution, value: ParamValue::Int(1) });
    }
    assert_eq!(evaluate(&complete, Some(&names)), Err(ImportanceError::RangeChanges("a".into())));
}
