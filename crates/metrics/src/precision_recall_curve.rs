//! The precision-recall curve of a class against the rest.
//!
//! Reference: `sklearn.metrics.precision_recall_curve(targets == class, probabilities[:, class])`.

use crate::Predictions;
use crate::roc_auc::rank_by_score;

/// A precision-recall curve, from the most lenient threshold to the strictest, and then the point of recall 0.
#[derive(Debug, Clone, PartialEq)]
pub struct PrecisionRecallCurve {
    /// Of the samples that pass, the fraction that is of the class; 1 in the last point. `[T + 1]`
    pub precision: Vec<f64>,
    /// Of the samples of the class, the fraction that passes; 0 in the last point. 1 throughout where there are none, as
    /// scikit-learn has it. `[T + 1]`
    pub recall: Vec<f64>,
    /// A sample passes where its probability is at least this, ascending. `[T]`
    pub thresholds: Vec<f64>,
}

impl PrecisionRecallCurve {
    /// The curve of a class, a point for each distinct probability. Takes O(N log N).
    pub fn new(predictions: &Predictions, class: usize) -> Self {
        let mut ranked = Vec::with_capacity(predictions.len());
        rank_by_score(predictions, class, &mut ranked);
        let positives = ranked.iter().filter(|(_, positive)| *positive).count();
        let (mut found, mut passed) = (0usize, 0usize);
        let (mut precision, mut recall, mut thresholds) = (vec![1.0], vec![0.0], Vec::new());
        for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
            found += tied.iter().filter(|(_, positive)| *positive).count();
            passed += tied.len();
            precision.push(found as f64 / passed as f64);
            recall.push(if positives == 0 { 1.0 } else { found as f64 / positives as f64 });
            thresholds.push(f64::from(tied[0].0));
        }
        precision.reverse();
        recall.reverse();
        thresholds.reverse();
        PrecisionRecallCurve { precision, recall, thresholds }
    }
}
