//! Cohen's kappa: agreement of true and predicted classes beyond what their frequencies give by chance.
//!
//! Reference: `sklearn.metrics.cohen_kappa_score`; Cohen, "A coefficient of agreement for nominal scales"
//! (1960).

use crate::ConfusionMatrix;
use crate::metric::{Compute, Direction, Metric};

pub(crate) const METRIC: Metric = Metric {
    name: "cohen_kappa",
    description: "agreement of true and predicted classes beyond chance; NaN where chance already agrees",
    unit: "",
    range: (-1.0, 1.0),
    direction: Direction::Higher,
    compute: Compute::Counts(cohen_kappa),
    smooth: None,
};

fn cohen_kappa(confusion: &ConfusionMatrix) -> f64 {
    let total = confusion.total() as f64;
    let (true_counts, predicted_counts) = (confusion.true_counts(), confusion.predicted_counts());
    let by_chance: f64 =
        true_counts.iter().zip(&predicted_counts).map(|(&t, &p)| t as f64 * p as f64).sum::<f64>() / total;
    let disagreement = total - confusion.correct() as f64;
    let expected_disagreement = total - by_chance;
    if expected_disagreement == 0.0 {
        return f64::NAN;
    }
    1.0 - disagreement / expected_disagreement
}
