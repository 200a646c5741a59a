//! Curves, bins and tests against scikit-learn's and statsmodels', as `parity/metrics/generate_comparisons.py` wrote them.
//!
//! Tolerance: 1e-12 for curves, whose points are quotients of counts; 1e-10 relative for p-values, which sum up to 20,000
//! terms.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_metrics::{McNemar, PrecisionRecallCurve, Predictions, RocCurve, reliability_bins};
use serde_json::Value;

const FIXTURE: &str = include_str!("../../../parity/metrics/comparisons.json");

fn numbers(value: &Value) -> Vec<f64> {
    // JSON has no infinity and no NaN: the first threshold of a ROC curve, and the rate of no samples.
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
}

fn assert_close(got: &[f64], expected: &Value, what: &str) {
    let expected = numbers(expected);
    assert_eq!(got.len(), expected.len(), "{what}");
    for (place, (got, expected)) in got.iter().zip(&expected).enumerate() {
        let same = if expected.is_nan() { !got.is_finite() } else { (got - expected).abs() < 1e-12 };
        assert!(same, "{what}, point {place}: expected {expected}, got {got}");
    }
}

#[test]
fn curves_and_bins_equal_scikit_learn() {
    let fixture: Value = serde_json::from_str(FIXTURE).unwrap();
    let mut compared = 0;
    for case in fixture["curves"].as_array().unwrap() {
        let classes = case["classes"].as_u64().unwrap() as usize;
        let rows = case["probabilities"].as_array().unwrap().iter().flat_map(numbers);
        let probabilities: Vec<f32> = rows.map(|units| (units / 10_000.0) as f32).collect();
        let targets: Vec<u32> = numbers(&case["targets"]).iter().map(|&t| t as u32).collect();
        let mut predictions = Predictions::new(classes);
        predictions.push_probabilities(&probabilities, &targets).unwrap();
        for class in 0..classes {
            let what = |curve: &str| format!("{} {curve} of class {class}", case["name"]);
            let roc = RocCurve::new(&predictions, class);
            let expected = &case["roc"][class];
            assert_close(&roc.false_positive_rate, &expected["fpr"], &what("fpr"));
            assert_close(&roc.true_positive_rate, &expected["tpr"], &what("tpr"));
            assert_close(&roc.thresholds, &expected["thresholds"], &what("roc thresholds"));
            if roc.is_defined() {
                let grid: Vec<f64> = (0..=20).map(|i| roc.at(f64::from(i) / 20.0)).collect();
                assert_close(&grid, &expected["at"], &what("interpolated tpr"));
            }
            let curve = PrecisionRecallCurve::new(&predictions, class);
            let expected = &case["precision_recall"][class];
            assert_close(&curve.precision, &expected["precision"], &what("precision"));
            assert_close(&curve.recall, &expected["recall"], &what("recall"));
            assert_close(&curve.thresholds, &expected["thresholds"], &what("thresholds"));
        }
        let bins: Vec<_> = reliability_bins(&predictions).into_iter().filter(|b| b.samples > 0).collect();
        let of = |f: fn(&pupila_metrics::ReliabilityBin) -> f64| bins.iter().map(f).collect::<Vec<_>>();
        assert_close(&of(|bin| bin.accuracy), &case["reliability"]["accuracy"], "accuracy of bins");
        assert_close(&of(|bin| bin.confidence), &case["reliability"]["confidence"], "confidence of bins");
        compared += 1;
    }
    assert_eq!(compared, 6);
}

#[test]
fn p_values_equal_statsmodels() {
    let fixture: Value = serde_json::from_str(FIXTURE).unwrap();
    let close = |got: f64, expected: f64| (got - expected).abs() <= 1e-10 * expected.abs();
    let cases = fixture["mcnemar"].as_array().unwrap();
    for case in cases {
        let count = |name: &str| case[name].as_u64().unwrap();
        let test = McNemar::of_counts(count("only_first"), count("only_second"));
        for (got, name) in [(test.p_value, "p"), (test.mid_p_value, "mid_p")] {
            let expected = case[name].as_f64().unwrap();
            assert!(close(got, expected), "{case} {name}: got {got}");
        }
    }
    assert_eq!(cases.len(), 17);
}
