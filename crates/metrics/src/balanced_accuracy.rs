//! Balanced accuracy: the mean recall of the classes that occur. Reference:
//! `sklearn.metrics.balanced_accuracy_score`.

use crate::ConfusionMatrix;
use crate::metric::{Compute, Direction, Metric};

pub(crate) const METRIC: Metric = Metric {
    name: "balanced_accuracy",
    description: "mean recall of the classes that occur: every class counts the same, however rare",
    unit: "frac",
    range: (0.0, 1.0),
    direction: Direction::Higher,
    compute: Compute::Counts(balanced_accuracy),
};

/// A class without samples has no recall and is left out, unlike in macro recall, where it counts as 0.
fn balanced_accuracy(confusion: &ConfusionMatrix) -> f64 {
    let (mut sum, mut occurring) = (0.0, 0u32);
    for (class, row) in confusion.rows().enumerate() {
        let support: u64 = row.iter().sum();
        if support > 0 {
            sum += row[class] as f64 / support as f64;
            occurring += 1;
        }
    }
    sum / f64::from(occurring)
}
