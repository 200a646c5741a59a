//! The reliability diagram: how often predictions of some confidence are right.
//!
//! Reference: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks" (ICML 2017), figure 1, with the
//! bins of [`calibration_error`](crate::METRICS); equal to `sklearn.calibration.calibration_curve(predicted == targets,
//! probabilities.max(axis=1), n_bins=15)` in the bins that hold samples.

use crate::calibration_error::{BINS, bin_of};
use crate::{Predictions, argmax};

/// The samples of one range of confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityBin {
    /// The range is above `low`, ...
    pub low: f64,
    /// ... and at most `high`.
    pub high: f64,
    /// Samples in it.
    pub samples: u64,
    /// Their mean confidence, the largest probability of each; NaN for none.
    pub confidence: f64,
    /// The fraction of them that is predicted correctly; NaN for none.
    pub accuracy: f64,
}

/// The bins from the lowest confidence to the highest, also those without samples.
pub fn reliability_bins(predictions: &Predictions) -> Vec<ReliabilityBin> {
    let mut sums = [(0u64, 0.0, 0u64); BINS];
    for (row, &target) in predictions.rows().zip(predictions.targets()) {
        let predicted = argmax(row);
        let confidence = f64::from(row[predicted as usize]);
        let (samples, total, correct) = &mut sums[bin_of(confidence)];
        *samples += 1;
        *total += confidence;
        *correct += u64::from(predicted == target);
    }
    let edge = |bin: usize| bin as f64 / BINS as f64;
    let bin = |(place, (samples, total, correct)): (usize, (u64, f64, u64))| ReliabilityBin {
        low: edge(place),
        high: edge(place + 1),
        samples,
        confidence: total / samples as f64,
        accuracy: correct as f64 / samples as f64,
    };
    sums.into_iter().enumerate().map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric;

    #[test]
    fn the_gaps_of_the_bins_are_the_calibration_error() {
        let mut predictions = Predictions::new(2);
        let rows = [0.9, 0.1, 0.7, 0.3, 0.55, 0.45, 0.2, 0.8, 1.0, 0.0];
        predictions.push_probabilities(&rows, &[0, 1, 0, 1, 0]).unwrap();
        let bins = reliability_bins(&predictions);
        assert_eq!((bins.len(), bins.iter().map(|bin| bin.samples).sum::<u64>()), (15, 5));
        assert_eq!((bins[14].samples, bins[14].accuracy), (1, 1.0));
        for (place, bin) in bins.iter().enumerate() {
            assert_eq!((bin.low, bin.high), (place as f64 / 15.0, (place as f64 + 1.0) / 15.0));
        }
        let gap = |bin: &&ReliabilityBin| bin.samples > 0;
        let gaps = bins.iter().filter(gap).map(|b| (b.accuracy - b.confidence).abs() * b.samples as f64);
        let error = metric("calibration_error").unwrap().compute(&predictions);
        assert!((gaps.sum::<f64>() / 5.0 - error).abs() < 1e-12);
    }
}
