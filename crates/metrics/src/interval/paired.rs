//! How far two classifiers differ on the same images: the difference, its limits and its p-value, which never disagree.
//!
//! References: McNemar, "Note on the sampling error of the difference between correlated proportions or percentages" (Psychometrika
//! 1947), in its exact form; Clopper and Pearson (1934), whose limits are the inversion of that test.

use super::{NoInterval, check, family, images, is_accuracy};
use crate::student_t::{two_sided_p, two_sided_quantile};
use crate::{Metric, Predictions, clopper_pearson, mcnemar};

/// Why two evaluations cannot be paired.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PairedError {
    /// They are of different samples, or the samples are in another order.
    #[error("the two evaluations are not of the same samples in the same order")]
    Samples,
    /// They have different classes.
    #[error("the two evaluations have {0} and {1} classes")]
    Classes(usize, usize),
    /// There is too little for an interval.
    #[error(transparent)]
    Interval(#[from] NoInterval),
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

/// How much higher a metric of the second classifier is than of the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The metric of the second less that of the first.
    pub value: f64,
    /// The lower limit, at the level asked for.
    pub low: f64,
    /// The upper limit.
    pub high: f64,
    /// The two-sided probability of a difference at least as large, were there none. Below 1 less the confidence if and only if the
    /// limits leave 0 out.
    pub p_value: f64,
    /// How many groups of images it is over; none where each image stands for itself.
    pub groups: Option<usize>,
}

/// The difference of a metric with its limits at a confidence, such as 0.95, or more where several are looked at. `groups`: as of
/// [`interval`](crate::interval()). `[N]`
///
/// # Errors
/// Where the samples are not the same, or there is too little for an interval.
pub fn paired_interval(
    first: &Predictions,
    second: &Predictions,
    metric: &Metric,
    groups: Option<&[u32]>,
    confidence: f64,
) -> Result<Difference, PairedError> {
    check_pair(first, second)?;
    let smooth = metric.smooth.ok_or(NoInterval::Metric(metric.name))?;
    check(first, metric, groups)?;
    let value = metric.compute(second) - metric.compute(first);
    if let (None, true) = (groups, is_accuracy(metric)) {
        return exact(first, second, value, confidence);
    }
    let images = images(first, first.predicted().zip(second.predicted()));
    let (family, design) = family(&images, first.classes(), smooth, true, groups).ok_or(NoInterval::Empty)?;
    let critical = two_sided_quantile(1.0 - confidence, design.df);
    let (low, high) = family.limits(critical);
    let p_value = two_sided_p(family.distance(), design.df);
    let (low, high) = agreeing(low, high, p_value, confidence);
    Ok(Difference { value, low, high, p_value, groups: design.groups })
}

/// Limits and p are found by two bisections, of which the last digits may say otherwise where 0 is the very limit.
fn agreeing(low: f64, high: f64, p_value: f64, confidence: f64) -> (f64, f64) {
    if p_value < 1.0 - confidence { (low, high) } else { (low.min(0.0), high.max(0.0)) }
}

/// Of the images on which only one of the two is right, which share goes to the second (McNemar's test, and its inversion by Clopper
/// and Pearson), and how many there are of all.
fn exact(
    first: &Predictions,
    second: &Predictions,
    value: f64,
    confidence: f64,
) -> Result<Difference, PairedError> {
    let test = mcnemar(first, second)?;
    let discordant = test.only_first + test.only_second;
    let share = clopper_pearson(test.only_second, discordant, confidence);
    let all = clopper_pearson(discordant, first.len() as u64, confidence);
    // The difference is all (2 share - 1): how many there are moves it away from 0 or towards it, and never over it.
    let limit = |share: f64, far: f64, near: f64| {
        let lean = 2.0 * share - 1.0;
        lean * if lean < 0.0 { far } else { near }
    };
    let low = limit(share.0, all.1, all.0);
    let high = -limit(1.0 - share.1, all.1, all.0);
    Ok(Difference { value, low: low.min(value), high: high.max(value), p_value: test.p_value, groups: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_within_the_limits_unless_p_is_below_the_level() {
        for (low, high, p_value, expected) in [
            (0.1, 0.2, 0.04, (0.1, 0.2)),
            (0.1, 0.2, 0.06, (0.0, 0.2)),
            (-0.2, -0.1, 0.06, (-0.2, 0.0)),
            (-0.1, 0.2, 0.06, (-0.1, 0.2)),
            (0.1, 0.2, 1.0 - 0.95, (0.0, 0.2)),
        ] {
            assert_eq!(agreeing(low, high, p_value, 0.95), expected);
        }
    }
}
