//! Precision, recall and F1 of each class, and their averages.
//!
//! Reference: `sklearn.metrics.precision_recall_fscore_support(labels=range(K), zero_division=0)`.

use crate::metric::{Compute, Direction, Metric, Smooth};
use crate::{ConfusionMatrix, Undefined};

const fn average(
    name: &'static str,
    description: &'static str,
    compute: fn(&ConfusionMatrix) -> f64,
    smooth: Option<Smooth>,
) -> Metric {
    let compute = Compute::Counts(compute);
    Metric {
        name,
        description,
        unit: "frac",
        range: (0.0, 1.0),
        direction: Direction::Higher,
        compute,
        smooth,
    }
}

/// F1 of a class is 2 d / (row + column), d being its diagonal cell: d/d(cell) = (2 [diagonal] - F1 ([in the row] + [in the
/// column])) / (row + column).
fn macro_f1_gradient(cells: &[f64], classes: usize, gradient: &mut [f64]) -> f64 {
    let mut both = vec![0.0; classes];
    for (place, share) in cells.iter().enumerate() {
        both[place / classes] += share;
        both[place % classes] += share;
    }
    let ratio = |over: f64, under: f64| if under > 0.0 { over / under } else { 0.0 };
    let f1: Vec<f64> =
        (0..classes).map(|class| ratio(2.0 * cells[class * (classes + 1)], both[class])).collect();
    for (place, slope) in gradient.iter_mut().enumerate() {
        let (row, column) = (place / classes, place % classes);
        *slope = -ratio(f1[row], both[row]) - ratio(f1[column], both[column]);
        if row == column {
            *slope += ratio(2.0, both[row]);
        }
        *slope /= classes as f64;
    }
    f1.iter().sum::<f64>() / classes as f64
}

/// F1 is a ratio 2 d / D, of which numerator and denominator scatter together: its mean is off by 2 (d var(D) / D - cov(d, D)) / D^2,
/// the delta method's second order. A class's images are drawn by themselves, so that var(D) is the sum of the column's variances
/// and cov(d, D) that of its diagonal cell. With ten images of a class that is about a point.
fn macro_f1_bias(counts: &[f64], classes: usize) -> f64 {
    let rows: Vec<f64> = counts.chunks_exact(classes).map(|row| row.iter().sum()).collect();
    let variance = |row: usize, column: usize| {
        let (n, cell) = (rows[row], counts[row * classes + column]);
        if n > 1.0 { cell * (n - cell) / (n - 1.0) } else { 0.0 }
    };
    let of_class = |class: usize| {
        let column: f64 = (0..classes).map(|row| counts[row * classes + class]).sum();
        let (diagonal, denominator) = (counts[class * (classes + 1)], rows[class] + column);
        if denominator == 0.0 {
            return 0.0;
        }
        let scatter: f64 = (0..classes).map(|row| variance(row, class)).sum();
        2.0 * (diagonal * scatter / denominator - variance(class, class)) / (denominator * denominator)
    };
    (0..classes).map(of_class).sum::<f64>() / classes as f64
}

pub(crate) const MACRO_F1: Metric = average(
    "macro_f1",
    "mean F1 of all classes",
    |confusion| PrecisionRecallF1::new(confusion).macro_average().f1,
    Some(Smooth { gradient: macro_f1_gradient, bias: Some(macro_f1_bias) }),
);
pub(crate) const WEIGHTED_F1: Metric = average(
    "weighted_f1",
    "mean F1 of all classes, weighted by their samples",
    |confusion| PrecisionRecallF1::new(confusion).weighted_average().f1,
    None,
);
pub(crate) const MACRO_PRECISION: Metric = average(
    "macro_precision",
    "mean precision of all classes",
    |confusion| PrecisionRecallF1::new(confusion).macro_average().precision,
    None,
);
pub(crate) const MACRO_RECALL: Metric = average(
    "macro_recall",
    "mean recall of all classes",
    |confusion| PrecisionRecallF1::new(confusion).macro_average().recall,
    None,
);

/// Precision, recall and F1 of a class, or an average of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScores {
    /// Of the samples predicted as the class, the fraction that are; 0 where none was predicted.
    pub precision: f64,
    /// Of the samples of the class, the fraction predicted as such; 0 where there are none.
    pub recall: f64,
    /// The harmonic mean of the two; 0 where the class neither occurs nor is predicted.
    pub f1: f64,
    /// Samples of the class.
    pub support: u64,
}

/// The scores of all classes.
#[derive(Debug, Clone, PartialEq)]
pub struct PrecisionRecallF1 {
    /// By class. `[K]`
    pub per_class: Vec<ClassScores>,
    /// The values that are 0 for want of samples or predictions.
    pub undefined: Vec<Undefined>,
    correct: u64,
}

impl PrecisionRecallF1 {
    /// The scores of the classes of a confusion matrix.
    pub fn new(confusion: &ConfusionMatrix) -> Self {
        let mut undefined = Vec::new();
        let predicted = confusion.predicted_counts();
        let per_class = confusion
            .rows()
            .zip(predicted)
            .enumerate()
            .map(|(class, (row, predicted))| {
                let (correct, support) = (row[class], row.iter().sum::<u64>());
                let mut ratio = |metric, part: u64, whole: u64| {
                    if whole == 0 {
                        undefined.push(Undefined { metric, class: Some(class as u32) });
                        return 0.0;
                    }
                    part as f64 / whole as f64
                };
                ClassScores {
                    precision: ratio("precision", correct, predicted),
                    recall: ratio("recall", correct, support),
                    f1: ratio("f1", 2 * correct, support + predicted),
                    support,
                }
            })
            .collect();
        PrecisionRecallF1 { per_class, undefined, correct: confusion.correct() }
    }

    /// The number of samples.
    pub fn total(&self) -> u64 {
        self.per_class.iter().map(|scores| scores.support).sum()
    }

    /// The mean over the classes, also over those without samples.
    pub fn macro_average(&self) -> ClassScores {
        self.mean(|_| 1.0)
    }

    /// The mean over the classes, weighted by their samples.
    pub fn weighted_average(&self) -> ClassScores {
        self.mean(|scores| scores.support as f64)
    }

    /// Over all samples at once: with one label a sample, all three are the accuracy.
    pub fn micro_average(&self) -> ClassScores {
        let support = self.total();
        let accuracy = if support == 0 { 0.0 } else { self.correct as f64 / support as f64 };
        ClassScores { precision: accuracy, recall: accuracy, f1: accuracy, support }
    }

    fn mean(&self, weight: impl Fn(&ClassScores) -> f64) -> ClassScores {
        let (mut precision, mut recall, mut f1, mut weights) = (0.0, 0.0, 0.0, 0.0);
        for scores in &self.per_class {
            let weight = weight(scores);
            precision += weight * scores.precision;
            recall += weight * scores.recall;
            f1 += weight * scores.f1;
            weights += weight;
        }
        // No samples at all: scikit-learn gives its zero_division.
        let weights = if weights == 0.0 { 1.0 } else { weights };
        ClassScores {
            precision: precision / weights,
            recall: recall / weights,
            f1: f1 / weights,
            support: self.total(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_neither_occurs_nor_is_answered_has_an_f1_of_0() {
        let mut slopes = [0.0; 4];
        assert_eq!(macro_f1_gradient(&[1.0, 0.0, 0.0, 0.0], 2, &mut slopes), 0.5);
        assert!(slopes.iter().all(|slope| slope.is_finite()), "{slopes:?}");
        assert_eq!(macro_f1_bias(&[9.0, 0.0, 0.0, 0.0], 2), 0.0);
    }

    #[test]
    fn one_image_of_a_class_says_nothing_of_how_it_scatters() {
        // Of the second row the variance is 2 * 8 / 9; F1 are 2 / 4 and 16 / 18.
        let variance = 16.0 / 9.0;
        let first = 2.0 * (1.0 * variance / 4.0) / 16.0;
        let second = 2.0 * (8.0 * variance / 18.0 - variance) / 324.0;
        let found = macro_f1_bias(&[1.0, 0.0, 2.0, 8.0], 2);
        assert!((found - (first + second) / 2.0).abs() < 1e-15, "{found}");
    }
}
