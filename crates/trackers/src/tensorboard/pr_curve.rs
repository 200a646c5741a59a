//! PR curves: a tensor `[6, thresholds]` of true positives, false positives, true negatives, false negatives, precision
//! and recall.

use super::plugin;
use super::proto::{PrCurvePluginData, Tensor, Value};
use crate::PrCurve;
use prost::Message;

pub(super) fn value(tag: &str, curve: &PrCurve) -> Value {
    let thresholds = curve.thresholds();
    let rows = [
        &curve.true_positives,
        &curve.false_positives,
        &curve.true_negatives,
        &curve.false_negatives,
        &curve.precision,
        &curve.recall,
    ];
    let content = PrCurvePluginData { version: 0, num_thresholds: thresholds as u32 }.encode_to_vec();
    let tensor = Tensor::floats(&[6, thresholds as i64], rows.into_iter().flatten().copied());
    plugin(tag, "pr_curves", content, tensor)
}
