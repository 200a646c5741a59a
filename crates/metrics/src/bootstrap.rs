//! Confidence intervals of a metric by the bootstrap over samples.
//!
//! Reference: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13, the percentile
//! interval.

use crate::metric::Compute;
use crate::{ConfusionMatrix, Metric, Predictions};
use pupila_random::{Purpose, Stream};

/// Where the value of a metric would lie, had other samples of the same kind been drawn.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Interval {
    /// The metric of the samples themselves.
    pub value: f64,
    /// The 2.5th percentile of the resamples.
    pub low: f64,
    /// The 97.5th percentile.
    pub high: f64,
    /// How many resamples.
    pub resamples: u32,
}

/// Why there is no interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntervalError {
    /// The metric is of scores, not of counts.
    #[error("`{0}` is not computed from counts of classes, so it cannot be resampled here")]
    NotOfCounts(&'static str),
    /// No samples, or no resamples were asked for.
    #[error("an interval needs samples and resamples, got {samples} and {resamples}")]
    Empty {
        /// Samples of the evaluation.
        samples: usize,
        /// Resamples asked for.
        resamples: u32,
    },
}

/// The 95 % percentile interval of a metric of counts, such as accuracy, balanced accuracy or macro F1.
///
/// A resample is N draws with replacement; resample `r` draws from the stream `(seed, Bootstrap, r, 0)`, so
/// the interval is a function of its arguments. Percentiles interpolate as `numpy.percentile` does. Undefined
/// resamples (NaN) are left out.
///
/// # Errors
/// Where the metric needs scores, or there is nothing to resample.
pub fn bootstrap_interval(
    predictions: &Predictions,
    metric: &Metric,
    resamples: u32,
    seed: u64,
) -> Result<Interval, IntervalError> {
    let Compute::Counts(of_counts) = metric.compute else {
        return Err(IntervalError::NotOfCounts(metric.name));
    };
    if predictions.is_empty() || resamples == 0 {
        return Err(IntervalError::Empty { samples: predictions.len(), resamples });
    }
    let pairs: Vec<(u32, u32)> = predictions.targets().iter().copied().zip(predictions.predicted()).collect();
    let samples = u32::try_from(pairs.len()).unwrap_or(u32::MAX);
    let mut resampled = ConfusionMatrix::new(predictions.classes());
    let mut values = Vec::with_capacity(resamples as usize);
    for resample in 0..resamples {
        let mut draw = Stream::new(seed, Purpose::Bootstrap, resample, 0);
        resampled.clear();
        for _ in 0..samples {
            let (target, predicted) = pairs[draw.below(samples) as usize];
            resampled.add(target, predicted);
        }
        let value = of_counts(&resampled);
        if !value.is_nan() {
            values.push(value);
        }
    }
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (percentile(&values, 0.025), percentile(&values, 0.975));
    Ok(Interval { value: metric.compute(predictions), low, high, resamples })
}

/// The `fraction` quantile of ascending values, interpolated linearly; NaN for none.
pub(crate) fn percentile(sorted: &[f64], fraction: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = fraction * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric;

    fn evaluation(samples: usize, classes: usize, accuracy: f64) -> Predictions {
        let mut predictions = Predictions::new(classes);
        let mut draw = Stream::new(1, Purpose::Subset, 0, 0);
        for _ in 0..samples {
            let target = draw.below(classes as u32);
            let predicted = if draw.chance(accuracy) { target } else { draw.below(classes as u32) };
            let mut row = vec![0.0; classes];
            row[predicted as usize] = 1.0;
            predictions.push_probabilities(&row, &[target]).unwrap();
        }
        predictions
    }

    #[test]
    fn the_interval_of_accuracy_is_that_of_the_binomial() {
        let predictions = evaluation(2000, 2, 0.6); // accuracy near 0.8
        let interval = bootstrap_interval(&predictions, metric("accuracy").unwrap(), 1000, 3).unwrap();
        let half_width = 1.96 * (interval.value * (1.0 - interval.value) / 2000.0).sqrt();
        assert!((interval.low - (interval.value - half_width)).abs() < 0.003, "{interval:?}");
        assert!((interval.high - (interval.value + half_width)).abs() < 0.003, "{interval:?}");
        assert_eq!(interval, bootstrap_interval(&predictions, metric("accuracy").unwrap(), 1000, 3).unwrap());
        assert_ne!(interval, bootstrap_interval(&predictions, metric("accuracy").unwrap(), 1000, 4).unwrap());
    }

    #[test]
    fn what_has_no_interval_is_refused() {
        let predictions = evaluation(10, 2, 0.5);
        for name in ["balanced_accuracy", "macro_f1"] {
            let interval = bootstrap_interval(&predictions, metric(name).unwrap(), 50, 0).unwrap();
            assert!(
                interval.low <= interval.value && interval.value <= interval.high,
                "{name}: {interval:?}"
            );
        }
        let of_scores = bootstrap_interval(&predictions, metric("macro_auc").unwrap(), 50, 0);
        assert_eq!(of_scores, Err(IntervalError::NotOfCounts("macro_auc")));
        let none = bootstrap_interval(&Predictions::new(2), metric("accuracy").unwrap(), 50, 0);
        assert_eq!(none, Err(IntervalError::Empty { samples: 0, resamples: 50 }));
    }

    #[test]
    fn percentiles_interpolate_as_numpy() {
        // numpy.percentile([1, 2, 4, 8], [2.5, 50, 97.5]) = [1.075, 3.0, 7.7]
        let values = [1.0, 2.0, 4.0, 8.0];
        for (fraction, expected) in [(0.025, 1.075), (0.5, 3.0), (0.975, 7.7)] {
            assert!((percentile(&values, fraction) - expected).abs() < 1e-12);
        }
        assert!(percentile(&[], 0.5).is_nan());
    }
}
