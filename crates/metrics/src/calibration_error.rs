//! The expected calibration error: how far confidence is from accuracy.
//!
//! Reference: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks" (ICML 2017),
//! equation 3: the confidence of a sample is its largest probability, in 15 bins of equal width, each closed
//! on the right.

use crate::metric::{Compute, Direction, Metric};
use crate::{Predictions, argmax};

/// Bins of confidence, of equal width.
pub(crate) const BINS: usize = 15;

pub(crate) const METRIC: Metric = Metric {
    name: "calibration_error",
    description: "expected calibration error: mean gap of confidence and accuracy over 15 bins of confidence",
    unit: "frac",
    range: (0.0, 1.0),
    direction: Direction::Lower,
    compute: Compute::Scores(calibration_error),
    smooth: None,
};

fn calibration_error(predictions: &Predictions) -> f64 {
    let mut gaps = [0.0; BINS];
    for (row, &target) in predictions.rows().zip(predictions.targets()) {
        let predicted = argmax(row);
        let confidence = f64::from(row[predicted as usize]);
        gaps[bin_of(confidence)] += if predicted == target { 1.0 } else { 0.0 } - confidence;
    }
    gaps.iter().map(|gap: &f64| gap.abs()).sum::<f64>() / predictions.len() as f64
}

/// The bin of a confidence.
pub(crate) fn bin_of(confidence: f64) -> usize {
    ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1
}
