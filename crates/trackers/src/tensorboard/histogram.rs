//! Histograms: a tensor `[buckets, 3]` of left edge, right edge and count.

use super::plugin;
use super::proto::{Tensor, Value};
use crate::Histogram;

pub(super) fn value(tag: &str, histogram: &Histogram) -> Value {
    let rows = histogram.buckets.iter().flat_map(|&(left, right, count)| [left, right, count as f64]);
    plugin(tag, "histograms", Vec::new(), Tensor::doubles(&[histogram.buckets.len() as i64, 3], rows))
}
