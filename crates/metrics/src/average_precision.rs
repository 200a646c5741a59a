//! Average precision: the area under the precision-recall curve as a step function, one class against the
//! rest.
//!
//! Reference: `sklearn.metrics.average_precision_score` on the one-hot targets, a column for each class. (Of a single column it
//! would be the value of the second of two classes, which depends on their order.)

use crate::metric::{Compute, Direction, Metric};
use crate::roc_auc::rank_by_score;
use crate::{Predictions, Undefined};

pub(crate) const MACRO_AVERAGE_PRECISION: Metric = Metric {
    name: "macro_average_precision",
    description: "mean area under the precision-recall curve, each class against the rest",
    unit: "",
    range: (0.0, 1.0),
    direction: Direction::Higher,
    compute: Compute::Scores(|predictions| AveragePrecision::new(predictions).macro_average),
    smooth: None,
};

/// The average precision of all classes.
#[derive(Debug, Clone, PartialEq)]
pub struct AveragePrecision {
    /// By class; 0 where the class has no sample. `[K]`
    pub per_class: Vec<f64>,
    /// Their mean, of two classes too: it does not depend on their order.
    pub macro_average: f64,
    /// The classes without a sample.
    pub undefined: Vec<Undefined>,
}

impl AveragePrecision {
    /// The average precision of the classes of an evaluation. Takes O(K N log N).
    pub fn new(predictions: &Predictions) -> Self {
        let classes = predictions.classes();
        let mut ranked = Vec::with_capacity(predictions.len());
        let per_class: Vec<f64> = (0..classes)
            .map(|class| {
                rank_by_score(predictions, class, &mut ranked);
                average_precision(&ranked)
            })
            .collect();
        let macro_average = per_class.iter().sum::<f64>() / classes as f64;
        let supports = predictions.confusion().true_counts();
        let undefined = supports
            .iter()
            .enumerate()
            .filter(|&(_, &support)| support == 0)
            .map(|(class, _)| Undefined { metric: "average_precision", class: Some(class as u32) })
            .collect();
        AveragePrecision { per_class, macro_average, undefined }
    }
}

/// `Σ (recall_n - recall_n-1) precision_n` over the distinct scores, from the highest.
fn average_precision(ranked: &[(f32, bool)]) -> f64 {
    let total = ranked.iter().filter(|(_, positive)| *positive).count();
    if total == 0 {
        return 0.0;
    }
    let (mut positives, mut above, mut sum) = (0usize, 0usize, 0.0);
    for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
        let tied_positives = tied.iter().filter(|(_, positive)| *positive).count();
        positives += tied_positives;
        above += tied.len();
        sum += tied_positives as f64 * (positives as f64 / above as f64);
    }
    sum / total as f64
}
