//! McNemar's test: whether two classifiers, judged on the same samples, are right equally often.
//!
//! Reference: McNemar, "Note on the sampling error of the difference between correlated proportions or percentages"
//! (Psychometrika 1947), in its exact form, the two-sided binomial test of the samples that only one of the two has right
//! (`statsmodels.stats.contingency_tables.mcnemar(exact=True)`, `scipy.stats.binomtest`); the mid-p variant of Fagerland,
//! Lydersen and Laake (BMC Medical Research Methodology 2013), which is less conservative.

use crate::Predictions;
use crate::interval::{PairedError, check_pair};

/// The samples on which two classifiers differ, and what that says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct McNemar {
    /// Samples that only the first classifier has right.
    pub only_first: u64,
    /// Samples that only the second has right.
    pub only_second: u64,
    /// The probability of a split at least as uneven, were both right equally often.
    pub p_value: f64,
    /// The same with half the weight on the split itself.
    pub mid_p_value: f64,
}

/// McNemar's exact test of two evaluations of the same samples, in the same order.
///
/// # Errors
/// Where the samples are not the same.
pub fn mcnemar(first: &Predictions, second: &Predictions) -> Result<McNemar, PairedError> {
    check_pair(first, second)?;
    let (mut only_first, mut only_second) = (0, 0);
    let both = first.predicted().zip(second.predicted()).zip(first.targets());
    for ((first, second), &target) in both {
        only_first += u64::from(first == target && second != target);
        only_second += u64::from(first != target && second == target);
    }
    Ok(McNemar::of_counts(only_first, only_second))
}

impl McNemar {
    /// The test of the two counts.
    pub fn of_counts(only_first: u64, only_second: u64) -> Self {
        let n = only_first + only_second;
        let fewer = only_first.min(only_second);
        // Relative to the largest term, in the middle, so that nothing overflows.
        let middle = n / 2;
        let (mut tail, mut at_fewer, mut half) = (0.0, 0.0, 0.0);
        let mut term = 1.0;
        for k in (0..=middle).rev() {
            if k <= fewer {
                tail += term;
            }
            if k == fewer {
                at_fewer = term;
            }
            // The terms above the middle mirror those below it.
            half += if 2 * k == n { term } else { 2.0 * term };
            term *= k as f64 / (n - k + 1) as f64;
        }
        let p_value = (2.0 * tail / half).min(1.0);
        let mid_p_value =
            if only_first == only_second { 1.0 - at_fewer / half / 2.0 } else { p_value - at_fewer / half };
        // Without a difference there is nothing to test.
        let mid_p_value = if n == 0 { 1.0 } else { mid_p_value };
        McNemar { only_first, only_second, p_value, mid_p_value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_only_one_has_right_are_counted() {
        let judged = |answers: [u32; 10], targets: [u32; 10]| {
            let mut predictions = Predictions::new(3);
            for (answer, target) in answers.into_iter().zip(targets) {
                let mut row = [0.0; 3];
                row[answer as usize] = 1.0;
                predictions.push_probabilities(&row, &[target]).unwrap();
            }
            predictions
        };
        // Both right thrice, only the first twice, only the second once, none four times, of these once with the same mistake.
        let targets = [0, 1, 2, 0, 1, 2, 0, 0, 1, 2];
        let first = judged([0, 1, 2, 0, 1, 0, 1, 1, 0, 0], targets);
        let second = judged([0, 1, 2, 1, 2, 2, 1, 2, 2, 1], targets);
        let found = mcnemar(&first, &second).unwrap();
        assert_eq!(found, McNemar::of_counts(2, 1));
        assert_eq!((found.only_first, found.only_second), (2, 1));
        assert_eq!(mcnemar(&first, &Predictions::new(3)), Err(PairedError::Samples));
    }
}
