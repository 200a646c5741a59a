//! Balanced accuracy: the mean recall of the classes that occur. Reference:
//! `sklearn.metrics.balanced_accuracy_score`.

use crate::ConfusionMatrix;
use crate::metric::{Compute, Direction, Metric, Smooth};

pub(crate) const METRIC: Metric = Metric {
    name: "balanced_accuracy",
    description: "mean recall of the classes that occur: every class counts the same, however rare",
    unit: "frac",
    range: (0.0, 1.0),
    direction: Direction::Higher,
    compute: Compute::Counts(balanced_accuracy),
    smooth: Some(Smooth { gradient, bias: None }),
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

/// A class's recall is its diagonal cell over its row: d/d(cell) = ([diagonal] - recall) / row.
fn gradient(cells: &[f64], classes: usize, gradient: &mut [f64]) -> f64 {
    let (mut sum, mut occurring) = (0.0, 0u32);
    gradient.fill(0.0);
    for class in 0..classes {
        let row = class * classes..(class + 1) * classes;
        let share: f64 = cells[row.clone()].iter().sum();
        if share > 0.0 {
            let recall = cells[row.start + class] / share;
            gradient[row.clone()].fill(-recall / share);
            gradient[row.start + class] += 1.0 / share;
            sum += recall;
            occurring += 1;
        }
    }
    gradient.iter_mut().for_each(|slope| *slope /= f64::from(occurring));
    sum / f64::from(occurring)
}
