//! Accuracy: the fraction of samples predicted correctly. Reference: `sklearn.metrics.accuracy_score`.

use crate::metric::{Compute, Direction, Metric, Smooth};

pub(crate) const METRIC: Metric = Metric {
    name: "accuracy",
    description: "fraction of samples predicted correctly",
    unit: "frac",
    range: (0.0, 1.0),
    direction: Direction::Higher,
    compute: Compute::Counts(|confusion| confusion.correct() as f64 / confusion.total() as f64),
    smooth: Some(Smooth { gradient, bias: None }),
};

/// Every cell of the diagonal counts alike.
fn gradient(cells: &[f64], classes: usize, gradient: &mut [f64]) -> f64 {
    gradient.fill(0.0);
    let diagonal = (0..classes).map(|class| class * (classes + 1));
    diagonal.clone().for_each(|place| gradient[place] = 1.0);
    diagonal.map(|place| cells[place]).sum()
}
