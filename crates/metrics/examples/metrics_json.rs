//! Reads evaluations as JSON lines `{"classes": K, "probabilities": [[..]..], "targets": [..]}` from standard
//! input and prints the metrics of each as a JSON line. `parity/metrics/check_random.py` compares them with
//! scikit-learn's.

use pupila_metrics::{AveragePrecision, PrecisionRecallF1, Predictions, RocAuc, summary, top_k_accuracy};
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
    Ok(json!({
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
