//! The metrics against scikit-learn's, on the evaluations that `parity/metrics/generate.py` wrote.
//!
//! Tolerance: 1e-12 relative to values of at least 1. The two sum in another order, and nothing else differs.

use pupila_metrics::{
    AveragePrecision, ClassScores, ClassificationReport, ConfusionMatrix, PrecisionRecallF1, Predictions,
    RocAuc, summary, top_k_accuracy,
};
use serde::Deserialize;

const CASES: &str = include_str!("../../../parity/metrics/cases.json");
const REPORTS: &str = include_str!("../../../parity/metrics/reports.json");

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    probabilities: Vec<Vec<u32>>, // ten-thousandths
    targets: Vec<u32>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    summary: serde_json::Map<String, serde_json::Value>,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    auc: Vec<Option<f64>>,
    average_precision: Vec<f64>,
    top_k: Vec<Option<f64>>,
    confusion: Vec<Vec<u64>>,
}

#[derive(Deserialize)]
struct Report {
    classes: Vec<String>,
    targets: Vec<u32>,
    predicted: Vec<u32>,
    text: String,
}

/// Equal to 1e-12; `None` stands for NaN.
fn assert_close(got: f64, expected: Option<f64>, what: &str) {
    match expected {
        None => assert!(got.is_nan(), "{what}: expected NaN, got {got}"),
        Some(expected) => {
            let tolerance = 1e-12 * expected.abs().max(1.0);
            assert!((got - expected).abs() <= tolerance, "{what}: expected {expected}, got {got}");
        }
    }
}

#[test]
fn all_metrics_equal_scikit_learn() {
    let cases: Vec<Case> = serde_json::from_str(CASES).unwrap();
    let mut compared = 0;
    for case in &cases {
        let probabilities: Vec<f32> =
            case.probabilities.iter().flatten().map(|&units| (f64::from(units) / 10_000.0) as f32).collect();
        // In two parts, so that every case also streams and merges.
        let cut = case.targets.len() / 3;
        let mut predictions = Predictions::new(case.classes);
        let mut rest = Predictions::new(case.classes);
        predictions.push_probabilities(&probabilities[..cut * case.classes], &case.targets[..cut]).unwrap();
        rest.push_probabilities(&probabilities[cut * case.classes..], &case.targets[cut..]).unwrap();
        predictions.merge(&rest).unwrap();

        let Expected { summary: expected, precision, recall, f1, auc, average_precision, top_k, confusion } =
            &case.expected;
        let summary = summary(&predictions);
        assert_eq!(summary.values.len(), expected.len());
        for &(name, value) in &summary.values {
            assert_close(value, expected[name].as_f64(), &format!("{}: {name}", case.name));
        }

        let scores = PrecisionRecallF1::new(predictions.confusion());
        let areas = RocAuc::new(&predictions);
        let curves = AveragePrecision::new(&predictions);
        for class in 0..case.classes {
            let what = |metric| format!("{}: {metric} of class {class}", case.name);
            let of_class: &ClassScores = &scores.per_class[class];
            assert_close(of_class.precision, Some(precision[class]), &what("precision"));
            assert_close(of_class.recall, Some(recall[class]), &what("recall"));
            assert_close(of_class.f1, Some(f1[class]), &what("f1"));
            assert_close(areas.per_class[class], auc[class], &what("auc"));
            assert_close(curves.per_class[class], Some(average_precision[class]), &what("average precision"));
            if let Some(expected) = top_k[class] {
                let got = top_k_accuracy(&predictions, class + 1);
                assert_close(got, Some(expected), &what("top-k accuracy, k one above that"));
            }
        }
        assert_eq!(&predictions.confusion().rows().map(<[u64]>::to_vec).collect::<Vec<_>>(), confusion);
        let nan_areas = auc.iter().filter(|area| area.is_none()).count();
        assert_eq!(areas.undefined.len(), nan_areas, "{}", case.name);
        compared += 1;
    }
    assert_eq!(compared, 53);
}

#[test]
fn reports_read_as_scikit_learn_prints_them() {
    let reports: Vec<Report> = serde_json::from_str(REPORTS).unwrap();
    for report in &reports {
        let classes = report.classes.len();
        let mut confusion = ConfusionMatrix::new(classes);
        for (&target, &predicted) in report.targets.iter().zip(&report.predicted) {
            let scores: Vec<f32> = (0..classes).map(|class| f32::from(class == predicted as usize)).collect();
            confusion.update(&scores, &[target]).unwrap();
        }
        assert_eq!(ClassificationReport::new(&confusion).render(&report.classes), report.text);
    }
    assert_eq!(reports.len(), 20);
}

#[test]
fn wide_names_are_aligned_by_columns() {
    let mut confusion = ConfusionMatrix::new(2);
    confusion.update(&[1.0, 0.0, 0.0, 1.0], &[0, 1]).unwrap();
    let text = ClassificationReport::new(&confusion).render(&["日光".to_owned(), "cat".to_owned()]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[2], "        日光       1.00      1.00      1.00         1");
    assert_eq!(lines[3], "         cat       1.00      1.00      1.00         1");
}
