//! Classification metrics, streaming, as scikit-learn defines them.
//!
//! In: scores of a batch (logits or probabilities, `[N, K]` f32) and its targets. Out: named numbers, a
//! classification report, a confusion matrix, confidence intervals. Nothing here sees a network.
//!
//! [`Predictions`] is the state that streams: push batches, merge parts, then ask. A metric is a pure
//! function of it, or of its [`ConfusionMatrix`] alone where counts suffice; it lives in a file of its own
//! and is registered by one line in [`METRICS`].
//!
//! Reference: scikit-learn 1.9 called with `labels=range(K)`, to 1e-12: all classes of the model take part,
//! also those that an evaluation happens not to contain. `parity/metrics/generate.py` writes the golden
//! values.

mod accuracy;
mod average_precision;
mod balanced_accuracy;
mod brier_score;
mod calibration_error;
mod clopper_pearson;
mod cohen_kappa;
mod confusion;
mod confusion_text;
#[cfg(test)]
#[rustfmt::skip]
mod golden;
mod incomplete_beta;
pub mod interval;
mod log_loss;
mod matthews;
mod mcnemar;
mod metric;
mod optimism;
mod precision_recall_curve;
mod precision_recall_f1;
mod predictions;
mod reliability;
mod report;
mod roc_auc;
mod roc_curve;
mod softmax;
pub mod student_t;
mod summary;
mod top_k_accuracy;

pub use average_precision::AveragePrecision;
pub use clopper_pearson::clopper_pearson;
pub use confusion::{ConfusionMatrix, argmax};
pub use interval::{
    CONFIDENCE, Difference, Interval, NoInterval, PairedError, group_numbers, interval, paired_interval,
    proportion,
};
pub use log_loss::log_loss;
pub use mcnemar::{McNemar, mcnemar};
pub use metric::{Direction, METRICS, Metric, UnknownMetric, metric};
pub use optimism::{expected_maximum, optimism_of_best, optimism_of_independent};
pub use precision_recall_curve::PrecisionRecallCurve;
pub use precision_recall_f1::{ClassScores, PrecisionRecallF1};
pub use predictions::{Predictions, PredictionsError};
pub use reliability::{ReliabilityBin, reliability_bins};
pub use report::ClassificationReport;
pub use roc_auc::RocAuc;
pub use roc_curve::RocCurve;
pub use softmax::{log_sum_exp, softmax};
pub use summary::{Summary, summary};
pub use top_k_accuracy::top_k_accuracy;

/// A value that the data leave undefined: scikit-learn would warn here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Undefined {
    /// Which metric, as in [`METRICS`] or a column of the report.
    pub metric: &'static str,
    /// For which class; `None` for a metric of all classes.
    pub class: Option<u32>,
}
