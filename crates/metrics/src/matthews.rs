//! The Matthews correlation coefficient of several classes.
//!
//! Reference: `sklearn.metrics.matthews_corrcoef`; Gorodkin, "Comparing two K-category assignments by a
//! K-category correlation coefficient" (2004).

use crate::ConfusionMatrix;
use crate::metric::{Compute, Direction, Metric};

pub(crate) const METRIC: Metric = Metric {
    name: "matthews",
    description: "Matthews correlation of true and predicted classes; 0 where either is constant",
    unit: "",
    range: (-1.0, 1.0),
    direction: Direction::Higher,
    compute: Compute::Counts(matthews),
    smooth: None,
};

fn matthews(confusion: &ConfusionMatrix) -> f64 {
    let (total, correct) = (confusion.total() as f64, confusion.correct() as f64);
    let (true_counts, predicted_counts) = (confusion.true_counts(), confusion.predicted_counts());
    let dot = |a: &[u64], b: &[u64]| a.iter().zip(b).map(|(&x, &y)| x as f64 * y as f64).sum::<f64>();
    let covariance = correct * total - dot(&true_counts, &predicted_counts);
    let true_variance = total * total - dot(&true_counts, &true_counts);
    let predicted_variance = total * total - dot(&predicted_counts, &predicted_counts);
    if true_variance * predicted_variance == 0.0 {
        return 0.0;
    }
    covariance / (true_variance * predicted_variance).sqrt()
}
