//! Area under the ROC curve, one class against the rest.
//!
//! Reference: `sklearn.metrics.roc_auc_score(multi_class="ovr", labels=range(K))`. It equals the probability
//! that a sample of the class scores higher than one of another (Hanley and McNeil 1982), ties counting half,
//! which is how it is computed here: in integers, from the sorted scores.

use crate::metric::{Compute, Direction, Metric};
use crate::{Predictions, Undefined};

pub(crate) const MACRO_AUC: Metric = Metric {
    name: "macro_auc",
    description: "mean area under the ROC curve, each class against the rest",
    unit: "",
    range: (0.0, 1.0),
    direction: Direction::Higher,
    compute: Compute::Scores(|predictions| RocAuc::new(predictions).macro_average),
    smooth: None,
};

pub(crate) const WEIGHTED_AUC: Metric = Metric {
    name: "weighted_auc",
    description: "mean area under the ROC curve, each class against the rest, weighted by its samples",
    unit: "",
    range: (0.0, 1.0),
    direction: Direction::Higher,
    compute: Compute::Scores(|predictions| RocAuc::new(predictions).weighted_average),
    smooth: None,
};

/// The areas of all classes.
#[derive(Debug, Clone, PartialEq)]
pub struct RocAuc {
    /// By class, from the probability of that class; NaN where the class or all others have no sample. `[K]`
    pub per_class: Vec<f64>,
    /// Their mean, NaN where one is; of two classes, the area of the second, as scikit-learn has it.
    pub macro_average: f64,
    /// Their mean weighted by samples, in which classes without samples take no part; of two classes, the
    /// area of the second.
    pub weighted_average: f64,
    /// The areas that are NaN.
    pub undefined: Vec<Undefined>,
}

impl RocAuc {
    /// The areas of an evaluation. Takes O(K N log N).
    pub fn new(predictions: &Predictions) -> Self {
        let classes = predictions.classes();
        let mut ranked = Vec::with_capacity(predictions.len());
        let per_class: Vec<f64> = (0..classes)
            .map(|class| {
                rank_by_score(predictions, class, &mut ranked);
                area(&ranked)
            })
            .collect();
        let supports = predictions.confusion().true_counts();
        let weighted_sum: f64 = per_class
            .iter()
            .zip(&supports)
            .filter(|&(_, &support)| support > 0)
            .map(|(area, &support)| area * support as f64)
            .sum();
        let (macro_average, weighted_average) = match *per_class.as_slice() {
            [_, second] => (second, second),
            _ => (per_class.iter().sum::<f64>() / classes as f64, weighted_sum / predictions.len() as f64),
        };
        let undefined = per_class
            .iter()
            .enumerate()
            .filter(|(_, area)| area.is_nan())
            .map(|(class, _)| Undefined { metric: "auc", class: Some(class as u32) })
            .collect();
        RocAuc { per_class, macro_average, weighted_average, undefined }
    }
}

/// Fills `ranked` with the probability of `class` and whether the sample is of it, in descending order of the
/// first.
pub(crate) fn rank_by_score(predictions: &Predictions, class: usize, ranked: &mut Vec<(f32, bool)>) {
    ranked.clear();
    let targets = predictions.targets().iter();
    ranked
        .extend(predictions.rows().zip(targets).map(|(row, &target)| (row[class], target as usize == class)));
    ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
}

/// Twice the area in units of one pair is an integer, hence exact; it is divided once.
fn area(ranked: &[(f32, bool)]) -> f64 {
    let (mut positives, mut negatives, mut twice_area) = (0u64, 0u64, 0u128);
    for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
        let tied_positives = tied.iter().filter(|(_, positive)| *positive).count() as u64;
        let tied_negatives = tied.len() as u64 - tied_positives;
        twice_area += u128::from(tied_negatives) * u128::from(2 * positives + tied_positives);
        positives += tied_positives;
        negatives += tied_negatives;
    }
    // Without samples of either kind 0 / 0.
    twice_area as f64 / (2.0 * positives as f64 * negatives as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_area_without_samples_of_both_kinds() {
        assert!(area(&[(0.9, true), (0.2, true)]).is_nan() && area(&[(0.9, false)]).is_nan());
        assert_eq!(area(&[(0.9, true), (0.2, false)]), 1.0);
    }
}
