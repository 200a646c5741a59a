//! TPE on named functions, 100 trials, 20 seeds: better than random draws, and no worse than Optuna's TPE, of which
//! `parity/search/best_of_100.py` wrote the results. The seeds are fixed, so a machine gives the same answer every time.
#![allow(clippy::unwrap_used)]

#[path = "../examples/quality/functions.rs"]
mod functions;

use functions::{Values, best, functions, study};
use pupila_search::{Assignment, Choice};
use serde_json::Value;

const SEEDS: u64 = 20;

/// Student's t at 0.975 for 19 degrees of freedom, the fewest that Welch's test may have here: intervals are wide rather than narrow.
const T: f64 = 2.093;

/// Of the range of a function: how much worse than Optuna's the mean may be at the lower end of its 95 % interval. What is asked for is 2 %,
/// and `benches/compare_search.py` measures it. Here it is one more, since on another machine logarithms may differ in their last bit, and
/// then whole studies do.
const MARGIN: f64 = 0.03;

fn mean_and_variance_of_mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, variance / n)
}

#[test]
fn the_functions_are_those_that_optuna_was_given() {
    let golden: Value =
        serde_json::from_str(include_str!("../../../parity/search/best_of_100.json")).unwrap();
    for function in functions() {
        let somewhere = &golden["functions"][&function.name]["somewhere"];
        let params = somewhere["params"].as_object().unwrap();
        let chosen: Assignment = params
            .iter()
            .map(|(name, value)| {
                let distribution = &function.space.parameter(name).unwrap().distribution;
                (name.clone(), distribution.from_external(&Choice::from_json(value)).unwrap())
            })
            .collect();
        let value = (function.value)(&Values { space: &function.space, chosen: &chosen });
        let expected = somewhere["value"].as_f64().unwrap();
        assert!(
            (value - expected).abs() <= 1e-12 * expected.abs().max(1.0),
            "{} {value} {expected}",
            function.name
        );
    }
}

#[test]
fn tpe_beats_random_draws_and_is_no_worse_than_optunas() {
    let golden: Value =
        serde_json::from_str(include_str!("../../../parity/search/best_of_100.json")).unwrap();
    let mut better = 0;
    let functions = functions();
    for function in &functions {
        let run = |sampler: &str| -> Vec<f64> {
            (0..SEEDS).map(|seed| best(&study(function, sampler, seed, 100))).collect()
        };
        let (tpe, random) = (run("tpe"), run("random"));
        let differences: Vec<f64> = random.iter().zip(&tpe).map(|(random, tpe)| random - tpe).collect();
        let (difference, variance) = mean_and_variance_of_mean(&differences);
        better += usize::from(difference - T * variance.sqrt() > 0.0);
        let golden = &golden["functions"][&function.name];
        for sampler in ["default", "multivariate"] {
            let theirs: Vec<f64> =
                golden[sampler].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
            assert_eq!(theirs.len(), SEEDS as usize);
            let (theirs, their_variance) = mean_and_variance_of_mean(&theirs);
            let (ours, our_variance) = mean_and_variance_of_mean(&tpe);
            let lower = theirs - ours - T * (their_variance + our_variance).sqrt();
            let share = lower / golden["range"].as_f64().unwrap();
            assert!(share > -MARGIN, "{} against Optuna's {sampler}: {share} of the range", function.name);
        }
    }
    assert!(better * 3 >= functions.len() * 2, "better than random on {better} of {}", functions.len());
}
