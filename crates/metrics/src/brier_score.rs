//! The Brier score: the squared distance of the probabilities from the one-hot target.
//!
//! Reference: `sklearn.metrics.brier_score_loss(labels=range(K))`, which halves it for two classes and only
//! then; Brier, "Verification of forecasts expressed in terms of probability" (1950).

use crate::Predictions;
use crate::metric::{Compute, Direction, Metric};

pub(crate) const METRIC: Metric = Metric {
    name: "brier_score",
    description: "mean squared distance of the probabilities from the truth; half of it for two classes",
    unit: "",
    range: (0.0, 2.0),
    direction: Direction::Lower,
    compute: Compute::Scores(brier_score),
    smooth: None,
};

fn brier_score(predictions: &Predictions) -> f64 {
    let binary = predictions.classes() == 2;
    let targets = predictions.targets().iter();
    let sum: f64 = predictions
        .rows()
        .zip(targets)
        .flat_map(|(row, &target)| {
            // Of two classes, the second alone is judged: half of the whole, and free of the rounding of the
            // first.
            row.iter().enumerate().skip(usize::from(binary)).map(move |(class, &p)| {
                let truth = if class == target as usize { 1.0 } else { 0.0 };
                (f64::from(p) - truth).powi(2)
            })
        })
        .sum();
    sum / predictions.len() as f64
}
