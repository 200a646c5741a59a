//! Accuracy: the fraction of samples predicted correctly. Reference: `sklearn.metrics.accuracy_score`.

use crate::metric::{Compute, Direction, Metric};

pub(crate) const METRIC: Metric = Metric {
    name: "accuracy",
    description: "fraction of samples predicted correctly",
    unit: "frac",
    range: (0.0, 1.0),
    direction: Direction::Higher,
    compute: Compute::Counts(|confusion| confusion.correct() as f64 / confusion.total() as f64),
};
