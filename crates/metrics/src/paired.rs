//! How far two classifiers differ on the same samples, with the interval of the difference.
//!
//! Reference: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13: the percentile interval, with
//! the same resample for both, since their mistakes go together.

use crate::bootstrap::percentile;
use crate::metric::Compute;
use crate::{ConfusionMatrix, Interval, IntervalError, Metric, Predictions};
use pupila_random::{Purpose, Stream};

/// Why two evaluations cannot be paired.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairedError {
    /// They are of different samples, or the samples are in another order.
    #[error("the two evaluations are not of the same samples in the same order")]
    Samples,
    /// They have different classes.
    #[error("the two evaluations have {0} and {1} classes")]
    Classes(usize, usize),
    /// The metric has no interval.
    #[error(transparent)]
    Interval(#[from] IntervalError),
}

pub(crate) fn check_pair(first: &Predictions, second: &Predictions) -> Result<(), PairedError> {
    if first.classes() != second.classes() {
        return Err(PairedError::Classes(first.classes(), second.classes()));
    }
    if first.targets() != second.targets() {
        return Err(PairedError::Samples);
    }
    Ok(())
}

/// The metric of `second` less that of `first`, with the 95 % interval of the difference over resamples of the samples.
///
/// Resample `r` draws from the stream `(seed, Bootstrap, r, 1)`, so the interval is a function of its arguments.
///
/// # Errors
/// Where the samples are not the same, the metric needs scores, or there is nothing to resample.
pub fn paired_interval(
    first: &Predictions,
    second: &Predictions,
    metric: &Metric,
    resamples: u32,
    seed: u64,
) -> Result<Interval, PairedError> {
    check_pair(first, second)?;
    let Compute::Counts(of_counts) = metric.compute else {
        return Err(IntervalError::NotOfCounts(metric.name).into());
    };
    if first.is_empty() || resamples == 0 {
        return Err(IntervalError::Empty { samples: first.len(), resamples }.into());
    }
    let triples: Vec<(u32, u32, u32)> = first
        .targets()
        .iter()
        .zip(first.predicted().zip(second.predicted()))
        .map(|(&target, (a, b))| (target, a, b))
        .collect();
    let samples = u32::try_from(triples.len()).unwrap_or(u32::MAX);
    let mut counts = [ConfusionMatrix::new(first.classes()), ConfusionMatrix::new(first.classes())];
    let mut differences = Vec::with_capacity(resamples as usize);
    for resample in 0..resamples {
        let mut draw = Stream::new(seed, Purpose::Bootstrap, resample, 1);
        counts.iter_mut().for_each(ConfusionMatrix::clear);
        for _ in 0..samples {
            let (target, a, b) = triples[draw.below(samples) as usize];
            counts[0].add(target, a);
            counts[1].add(target, b);
        }
        let difference = of_counts(&counts[1]) - of_counts(&counts[0]);
        if !difference.is_nan() {
            differences.push(difference);
        }
    }
    differences.sort_unstable_by(f64::total_cmp);
    let value = metric.compute(second) - metric.compute(first);
    let (low, high) = (percentile(&differences, 0.025), percentile(&differences, 0.975));
    Ok(Interval { value, low, high, resamples })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric;

    /// Two classifiers of 1000 samples: both right on 700, only the first on 100, only the second on 150.
    fn pair() -> (Predictions, Predictions) {
        let (mut first, mut second) = (Predictions::new(2), Predictions::new(2));
        for sample in 0..1000 {
            let target = (sample % 2) as u32;
            let row = |right: bool| if right == (target == 0) { [0.9, 0.1] } else { [0.2, 0.8] };
            first.push_probabilities(&row(sample < 800), &[target]).unwrap();
            second
                .push_probabilities(&row(!(700..800).contains(&sample) && sample < 950), &[target])
                .unwrap();
        }
        (first, second)
    }

    #[test]
    fn the_interval_of_a_difference_is_that_of_the_discordant_samples() {
        let (first, second) = pair();
        let accuracy = metric("accuracy").unwrap();
        let interval = paired_interval(&first, &second, accuracy, 2000, 1).unwrap();
        assert!((interval.value - 0.05).abs() < 1e-12);
        // The variance of a paired difference of proportions: (b + c - (b - c)^2 / n) / n^2.
        let half_width = 1.96 * (250.0 - 2500.0 / 1000.0_f64).sqrt() / 1000.0;
        assert!((interval.low - (0.05 - half_width)).abs() < 0.003, "{interval:?}");
        assert!((interval.high - (0.05 + half_width)).abs() < 0.003, "{interval:?}");
        let same = paired_interval(&first, &first, accuracy, 100, 1).unwrap();
        assert_eq!((same.low, same.value, same.high), (0.0, 0.0, 0.0));
    }

    #[test]
    fn other_samples_are_refused() {
        let (first, _) = pair();
        let mut other = Predictions::new(2);
        other.push_probabilities(&[0.5, 0.5], &[0]).unwrap();
        let accuracy = metric("accuracy").unwrap();
        assert_eq!(paired_interval(&first, &other, accuracy, 9, 0), Err(PairedError::Samples));
        assert_eq!(crate::mcnemar(&first, &Predictions::new(3)), Err(PairedError::Classes(2, 3)));
        let scores = paired_interval(&first, &first, metric("macro_auc").unwrap(), 9, 0);
        assert!(matches!(scores, Err(PairedError::Interval(_))));
    }
}
