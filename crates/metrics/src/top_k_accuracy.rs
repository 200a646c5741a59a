//! Top-k accuracy: how often the true class is among the k most probable.
//!
//! Reference: `sklearn.metrics.top_k_accuracy_score(labels=range(K))`. Equal scores are ranked there with the
//! later class first, so that for ties top-1 accuracy is not accuracy; this follows it.

use crate::Predictions;
use crate::metric::{Compute, Direction, Metric};

pub(crate) const TOP5: Metric = Metric {
    name: "top5_accuracy",
    description: "fraction of samples whose class is among the five most probable",
    unit: "frac",
    range: (0.0, 1.0),
    direction: Direction::Higher,
    compute: Compute::Scores(|predictions| top_k_accuracy(predictions, 5)),
    smooth: None,
};

/// The fraction of samples whose class is among the `k` most probable; 1 for `k >= K`, NaN for no samples.
pub fn top_k_accuracy(predictions: &Predictions, k: usize) -> f64 {
    let targets = predictions.targets().iter();
    let hits =
        predictions.rows().zip(targets).filter(|&(row, &target)| rank(row, target as usize) < k).count();
    hits as f64 / predictions.len() as f64
}

/// How many classes come before `target`.
fn rank(scores: &[f32], target: usize) -> usize {
    let score = scores[target];
    scores
        .iter()
        .enumerate()
        .filter(|&(class, &other)| other > score || (other == score && class > target))
        .count()
}
