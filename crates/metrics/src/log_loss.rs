//! The cross-entropy of the targets, from the logits and from the probabilities.

use crate::Predictions;
use crate::metric::{Compute, Direction, Metric};

/// The loss of training, without label smoothing and class weights: the mean of [`Predictions::losses`].
pub(crate) const CROSS_ENTROPY: Metric = Metric {
    name: "loss",
    description: "mean cross-entropy of the samples, from the logits",
    unit: "nats",
    range: (0.0, f64::INFINITY),
    direction: Direction::Lower,
    compute: Compute::Scores(|predictions| {
        predictions.losses().iter().sum::<f64>() / predictions.len() as f64
    }),
    smooth: None,
};

pub(crate) const LOG_LOSS: Metric = Metric {
    name: "log_loss",
    description: "mean cross-entropy of the samples, from their rounded probabilities as scikit-learn would",
    unit: "nats",
    range: (0.0, 36.05),
    direction: Direction::Lower,
    compute: Compute::Scores(log_loss),
    smooth: None,
};

/// `sklearn.metrics.log_loss` of the probabilities as f64: each is first clipped to `[ε, 1 - ε]`, ε =
/// 2.2e-16. NaN for no samples.
///
/// The metric `loss` differs by the rounding of the probabilities to f32 (about 1e-7), and where they
/// underflow.
pub fn log_loss(predictions: &Predictions) -> f64 {
    let targets = predictions.targets().iter();
    let sum: f64 =
        predictions.rows().zip(targets).map(|(row, &target)| sample_log_loss(row[target as usize])).sum();
    sum / predictions.len() as f64
}

pub(crate) fn sample_log_loss(probability: f32) -> f64 {
    -f64::from(probability).clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_clipped_to_what_f64_tells_from_0_and_1() {
        // sklearn.metrics.log_loss([1], [p], labels=[0, 1]) of p = 1, 0.25 and 0.
        let expected = [2.220446049250313e-16, 1.3862943611198906, 36.04365338911715];
        for (probability, expected) in [1.0, 0.25, 0.0].into_iter().zip(expected) {
            assert!((sample_log_loss(probability) / expected - 1.0).abs() < 1e-15, "{probability}");
        }
    }
}
