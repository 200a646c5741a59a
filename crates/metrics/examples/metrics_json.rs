//! Reads evaluations as JSON lines `{"classes": K, "probabilities": [[..]..], "targets": [..]}` from standard
//! input and prints the metrics of each as a JSON line. `parity/metrics/check_random.py` compares them with
//! scikit-learn's.

use pupila_metrics::{
    AveragePrecision, PrecisionRecallCurve, PrecisionRecallF1, Predictions, ReliabilityBin, RocAuc, RocCurve,
    reliability_bins, summary, top_k_accuracy,
};
use serde_json::{Value, json};
use std::error::Error;
use std::io::BufRead;

#[derive(serde::Deserialize)]
struct Evaluation {
    classes: usize,
    probabilities: Vec<Vec<f32>>,
    targets: Vec<u32>,
}

fn main() -> Result<(), Box<dyn Error>> {
    for line in std::io::stdin().lock().lines() {
        let evaluation: Evaluation = serde_json::from_str(&line?)?;
        println!("{}", metrics(&evaluation)?);
    }
    Ok(())
}

fn metrics(evaluation: &Evaluation) -> Result<Value, Box<dyn Error>> {
    let mut predictions = Predictions::new(evaluation.classes);
    predictions.push_probabilities(&evaluation.probabilities.concat(), &evaluation.targets)?;
    let scores = PrecisionRecallF1::new(predictions.confusion());
    let areas = RocAuc::new(&predictions);
    let column = |of: fn(&pupila_metrics::ClassScores) -> f64| -> Vec<f64> {
        scores.per_class.iter().map(of).collect()
    };
    let curve = |class: usize| {
        let (roc, recall) =
            (RocCurve::new(&predictions, class), PrecisionRecallCurve::new(&predictions, class));
        json!([roc.false_positive_rate, roc.true_positive_rate, recall.precision, recall.recall])
    };
    let bins: Vec<_> = reliability_bins(&predictions).into_iter().filter(|bin| bin.samples > 0).collect();
    let of_bins = |of: fn(&ReliabilityBin) -> f64| -> Vec<f64> { bins.iter().map(of).collect() };
    Ok(json!({
        "curves": (0..evaluation.classes).map(curve).collect::<Vec<_>>(),
        "reliability": [of_bins(|bin| bin.accuracy), of_bins(|bin| bin.confidence)],
        "summary": summary(&predictions),
        "precision": column(|class| class.precision),
        "recall": column(|class| class.recall),
        "f1": column(|class| class.f1),
        "auc": areas.per_class,
        "average_precision": AveragePrecision::new(&predictions).per_class,
        "top_k": (1..=evaluation.classes).map(|k| top_k_accuracy(&predictions, k)).collect::<Vec<_>>(),
        "confusion": predictions.confusion().rows().collect::<Vec<_>>(),
    }))
}
