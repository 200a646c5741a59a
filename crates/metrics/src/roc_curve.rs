//! The ROC curve of a class against the rest: how many of its samples are found for how many false alarms.
//!
//! Reference: `sklearn.metrics.roc_curve(targets == class, probabilities[:, class], drop_intermediate=False)`.

use crate::Predictions;
use crate::roc_auc::rank_by_score;

/// A ROC curve, from the strictest threshold to the most lenient.
#[derive(Debug, Clone, PartialEq)]
pub struct RocCurve {
    /// Of the samples of other classes, the fraction that passes. NaN where there are none. `[T]`
    pub false_positive_rate: Vec<f64>,
    /// Of the samples of the class, the fraction that passes. NaN where there are none. `[T]`
    pub true_positive_rate: Vec<f64>,
    /// A sample passes where its probability is at least this; infinite for the first point. `[T]`
    pub thresholds: Vec<f64>,
}

impl RocCurve {
    /// The curve of a class, a point for each distinct probability. Takes O(N log N).
    pub fn new(predictions: &Predictions, class: usize) -> Self {
        let mut ranked = Vec::with_capacity(predictions.len());
        rank_by_score(predictions, class, &mut ranked);
        let positives = ranked.iter().filter(|(_, positive)| *positive).count();
        let negatives = ranked.len() - positives;
        let (mut found, mut alarms) = (0usize, 0usize);
        let mut curve = RocCurve {
            false_positive_rate: vec![0.0 / negatives as f64],
            true_positive_rate: vec![0.0 / positives as f64],
            thresholds: vec![f64::INFINITY],
        };
        for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
            let tied_positives = tied.iter().filter(|(_, positive)| *positive).count();
            found += tied_positives;
            alarms += tied.len() - tied_positives;
            curve.false_positive_rate.push(alarms as f64 / negatives as f64);
            curve.true_positive_rate.push(found as f64 / positives as f64);
            curve.thresholds.push(f64::from(tied[0].0));
        }
        curve
    }

    /// Whether the class and the rest both have samples, without which there is no curve.
    pub fn is_defined(&self) -> bool {
        let finite = |rates: &[f64]| rates.first().is_some_and(|rate| rate.is_finite());
        finite(&self.false_positive_rate) && finite(&self.true_positive_rate)
    }

    /// The true positive rate at a false positive rate, interpolated linearly as `numpy.interp` does; on a vertical part
    /// its upper end.
    pub fn at(&self, false_positive_rate: f64) -> f64 {
        let rates = &self.false_positive_rate;
        let above = rates.partition_point(|&rate| rate <= false_positive_rate);
        let Some(below) = above.checked_sub(1) else { return self.true_positive_rate[0] };
        let Some(&right) = rates.get(above) else { return self.true_positive_rate[below] };
        let share = (false_positive_rate - rates[below]) / (right - rates[below]);
        self.true_positive_rate[below]
            + share * (self.true_positive_rate[above] - self.true_positive_rate[below])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_needs_samples_of_the_class_and_of_others() {
        let mut predictions = Predictions::new(3);
        predictions.push_probabilities(&[0.8, 0.2, 0.0, 0.3, 0.7, 0.0], &[0, 1]).unwrap();
        assert!(RocCurve::new(&predictions, 0).is_defined());
        assert!(!RocCurve::new(&predictions, 2).is_defined());
        let alone = predictions.part(&[0]);
        assert!(!RocCurve::new(&alone, 0).is_defined());
    }
}
