//! Score limits against those of `parity/metrics/intervals.py`, which follows the same definition by other means: complex steps for
//! slopes, a numeric Hessian for the bias, scipy's roots and quantiles.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_metrics::{Predictions, interval, metric, paired_interval};
use serde::Deserialize;

const CASES: &str = include_str!("../../../parity/metrics/intervals.json");

#[derive(Deserialize)]
struct Case {
    classes: usize,
    /// So many images after one another are a group.
    of_group: usize,
    /// Three digits an image: its true class and the answers of the two.
    images: String,
    limits: Vec<Limits>,
}

#[derive(Deserialize)]
struct Limits {
    metric: String,
    grouped: bool,
    /// Value, lower and upper limit of the first classifier, at 95 %.
    single: [f64; 3],
    /// Of the difference.
    paired: [f64; 3],
    p: f64,
}

fn judged(case: &Case, answer: usize) -> Predictions {
    let mut predictions = Predictions::new(case.classes);
    for image in case.images.as_bytes().chunks_exact(3) {
        let mut row = vec![0.0; case.classes];
        row[usize::from(image[answer] - b'0')] = 1.0;
        predictions.push_probabilities(&row, &[u32::from(image[0] - b'0')]).unwrap();
    }
    predictions
}

#[test]
fn score_limits_are_those_of_their_definition() {
    let cases: Vec<Case> = serde_json::from_str(CASES).unwrap();
    for case in &cases {
        let (first, second) = (judged(case, 1), judged(case, 2));
        let numbers: Vec<u32> = (0..first.len()).map(|image| (image / case.of_group) as u32).collect();
        for Limits { metric: name, grouped, single, paired, p } in &case.limits {
            let (of, groups) = (metric(name).unwrap(), grouped.then_some(numbers.as_slice()));
            // 1e-9: the tilt of a limit is found to 1e-10 of it, and the Hessian's differences to 1e-8 of the bias.
            let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
            let found = interval(&first, of, groups).unwrap();
            let same =
                near(found.value, single[0]) && near(found.low, single[1]) && near(found.high, single[2]);
            assert!(same, "{name}, {grouped}: {found:?} for {single:?}");
            let found = paired_interval(&first, &second, of, groups, 0.95).unwrap();
            let same =
                near(found.value, paired[0]) && near(found.low, paired[1]) && near(found.high, paired[2]);
            assert!(same && near(found.p_value, *p), "{name}, {grouped}: {found:?} for {paired:?}, {p}");
            assert_eq!(found.groups, grouped.then_some(first.len().div_ceil(case.of_group)));
        }
    }
    assert_eq!(cases.iter().map(|case| case.limits.len()).sum::<usize>(), 22);
}
