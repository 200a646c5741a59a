//! Precision and recall at every threshold, as TensorBoard's PR curves plugin defines them
//! (`tensorboard.plugins.pr_curve.summary`): thresholds are evenly spaced from 0 to 1, and a sample counts as positive
//! where its score is at least the threshold.

/// Thresholds of a curve: TensorBoard's default of 201 takes more room than a curve on a screen has.
const THRESHOLDS: usize = 101;
/// What is divided by where nothing was counted, as TensorBoard does: the ratio is 0 then.
const MINIMUM_COUNT: f32 = 1e-7;

/// Counts and ratios at each threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct PrCurve {
    /// True positives. `[T]`
    pub true_positives: Vec<f32>,
    /// False positives. `[T]`
    pub false_positives: Vec<f32>,
    /// True negatives. `[T]`
    pub true_negatives: Vec<f32>,
    /// False negatives. `[T]`
    pub false_negatives: Vec<f32>,
    /// tp / (tp + fp). `[T]`
    pub precision: Vec<f32>,
    /// tp / (tp + fn). `[T]`
    pub recall: Vec<f32>,
}

impl PrCurve {
    /// The curve of samples: the score of each, from 0 to 1, and whether it is of the class.
    pub fn new(samples: impl IntoIterator<Item = (f32, bool)>) -> Self {
        let mut counts = [[0u64; THRESHOLDS]; 2];
        for (score, positive) in samples {
            let bucket = (score.clamp(0.0, 1.0) * (THRESHOLDS - 1) as f32).floor() as usize;
            counts[usize::from(positive)][bucket] += 1;
        }
        // From the last threshold back: who passes one passes all below.
        let above = |counts: &[u64; THRESHOLDS]| -> Vec<f32> {
            let mut sums = vec![0.0; THRESHOLDS];
            let mut sum = 0;
            for (to, &count) in sums.iter_mut().zip(counts).rev() {
                sum += count;
                *to = sum as f32;
            }
            sums
        };
        let (false_positives, true_positives) = (above(&counts[0]), above(&counts[1]));
        let from_first =
            |passed: &[f32]| -> Vec<f32> { passed.iter().map(|count| passed[0] - count).collect() };
        let ratio = |part: &[f32], other: &[f32]| -> Vec<f32> {
            part.iter().zip(other).map(|(part, other)| part / (part + other).max(MINIMUM_COUNT)).collect()
        };
        let (true_negatives, false_negatives) = (from_first(&false_positives), from_first(&true_positives));
        let precision = ratio(&true_positives, &false_positives);
        let recall = ratio(&true_positives, &false_negatives);
        PrCurve { true_positives, false_positives, true_negatives, false_negatives, precision, recall }
    }

    /// Number of thresholds, T.
    pub fn thresholds(&self) -> usize {
        self.precision.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_follow_the_threshold() {
        let curve = PrCurve::new([(0.9, true), (0.8, false), (0.305, true), (0.0, false), (1.0, true)]);
        let at = |threshold: usize| {
            [&curve.true_positives, &curve.false_positives, &curve.true_negatives, &curve.false_negatives]
                .map(|counts| counts[threshold])
        };
        assert_eq!(at(0), [3.0, 2.0, 0.0, 0.0]);
        assert_eq!(at(31), [2.0, 1.0, 1.0, 1.0]);
        assert_eq!(at(100), [1.0, 0.0, 2.0, 2.0]);
        assert_eq!((curve.precision[31], curve.recall[31]), (2.0 / 3.0, 2.0 / 3.0));
        assert_eq!((curve.thresholds(), curve.recall[0]), (101, 1.0));
    }
}
