//! What an evaluation collects: the probabilities and the true class of every sample.

use crate::confusion::{ConfusionMatrix, argmax};
use crate::softmax::{log_sum_exp, softmax};

/// Probabilities and targets of the samples evaluated so far, in the order in which they were pushed.
///
/// Holds 4 K + 12 bytes a sample: metrics of ranks (ROC AUC) need every score. Where counts suffice, as in
/// training, a [`ConfusionMatrix`] streams without that.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    classes: usize,
    probabilities: Vec<f32>, // [N, K]
    targets: Vec<u32>,       // [N]
    losses: Vec<f64>,        // [N]
    confusion: ConfusionMatrix,
}

/// Why a batch or a part was refused. Nothing of it was added.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PredictionsError {
    /// The scores are not one row of K for each target.
    #[error("expected {expected} scores ({samples} samples of {classes} classes), got {got}")]
    Shape {
        /// Targets in the batch.
        samples: usize,
        /// Classes, K.
        classes: usize,
        /// Their product.
        expected: usize,
        /// Scores in the batch.
        got: usize,
    },
    /// A target is not below the number of classes.
    #[error("target {target} of sample {sample} of the batch is outside the {classes} classes")]
    Target {
        /// Place in the batch.
        sample: usize,
        /// The target given.
        target: u32,
        /// Classes, K.
        classes: usize,
    },
    /// A score is NaN or infinite: the model has diverged, or its input was not finite.
    #[error("sample {sample} of the batch has the score {score} for class {class}, which is not finite")]
    NotFinite {
        /// Place in the batch.
        sample: usize,
        /// Class of the score.
        class: usize,
        /// The score.
        score: f32,
    },
    /// A score is outside `0..=1`: probably logits were pushed as probabilities.
    #[error("sample {sample} of the batch has {score} for class {class}, which is not a probability")]
    NotProbability {
        /// Place in the batch.
        sample: usize,
        /// Class of the score.
        class: usize,
        /// The score.
        score: f32,
    },
    /// Two parts do not have the same classes.
    #[error("expected predictions of {expected} classes, got {got}")]
    Classes {
        /// Classes of the part that was to grow.
        expected: usize,
        /// Classes of the other.
        got: usize,
    },
}

pub(crate) fn check_batch(classes: usize, scores: &[f32], targets: &[u32]) -> Result<(), PredictionsError> {
    let samples = targets.len();
    if scores.len() != samples * classes {
        let (expected, got) = (samples * classes, scores.len());
        return Err(PredictionsError::Shape { samples, classes, expected, got });
    }
    if let Some((sample, &target)) = targets.iter().enumerate().find(|&(_, &t)| t as usize >= classes) {
        return Err(PredictionsError::Target { sample, target, classes });
    }
    match scores.iter().position(|score| !score.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let (sample, class, score) = (at / classes, at % classes, scores[at]);
            Err(PredictionsError::NotFinite { sample, class, score })
        }
    }
}

impl Predictions {
    /// The most frequent true class, of equal ones the first, and its share: the accuracy that needs no learning. None without
    /// samples.
    pub fn majority(&self) -> Option<(u32, f64)> {
        let counts = self.confusion().true_counts();
        let most = counts.iter().enumerate().max_by_key(|&(class, &n)| (n, std::cmp::Reverse(class)));
        let (class, &n) = most.filter(|_| !self.is_empty())?;
        Some((class as u32, n as f64 / self.len() as f64))
    }

    /// No samples yet, of `classes` classes.
    pub fn new(classes: usize) -> Self {
        Predictions {
            classes,
            probabilities: Vec::new(),
            targets: Vec::new(),
            losses: Vec::new(),
            confusion: ConfusionMatrix::new(classes),
        }
    }

    /// Adds a batch of logits. `logits: [N, K]`, `targets: [N]`
    ///
    /// The loss of a sample is taken from its logits, so that it stays exact where the probability
    /// underflows.
    ///
    /// # Errors
    /// Where the shapes differ, a target is no class or a logit is not finite.
    pub fn push_logits(&mut self, logits: &[f32], targets: &[u32]) -> Result<(), PredictionsError> {
        check_batch(self.classes, logits, targets)?;
        for (row, &target) in logits.chunks_exact(self.classes.max(1)).zip(targets) {
            let start = self.probabilities.len();
            self.probabilities.resize(start + self.classes, 0.0);
            softmax(row, &mut self.probabilities[start..]);
            // The predicted class follows the stored probabilities, so that whoever reads them back agrees.
            self.confusion.add(target, argmax(&self.probabilities[start..]));
            self.losses.push(log_sum_exp(row) - f64::from(row[target as usize]));
            self.targets.push(target);
        }
        Ok(())
    }

    /// Adds a batch of probabilities. `probabilities: [N, K]`, `targets: [N]`
    ///
    /// # Errors
    /// Where the shapes differ, a target is no class or a score is not finite or outside `0..=1`.
    pub fn push_probabilities(
        &mut self,
        probabilities: &[f32],
        targets: &[u32],
    ) -> Result<(), PredictionsError> {
        check_batch(self.classes, probabilities, targets)?;
        // Rounding may leave a sum of parts an ulp or two above one.
        if let Some(at) = probabilities.iter().position(|p| !(0.0..=1.0 + 1e-6).contains(p)) {
            let (sample, class, score) = (at / self.classes, at % self.classes, probabilities[at]);
            return Err(PredictionsError::NotProbability { sample, class, score });
        }
        for (row, &target) in probabilities.chunks_exact(self.classes.max(1)).zip(targets) {
            self.confusion.add(target, argmax(row));
            self.losses.push(crate::log_loss::sample_log_loss(row[target as usize]));
        }
        self.probabilities.extend_from_slice(probabilities);
        self.targets.extend_from_slice(targets);
        Ok(())
    }

    /// Appends another part of the evaluation.
    ///
    /// # Errors
    /// [`PredictionsError::Classes`] where the two differ in their number of classes.
    pub fn merge(&mut self, other: &Predictions) -> Result<(), PredictionsError> {
        self.confusion.merge(&other.confusion)?;
        self.probabilities.extend_from_slice(&other.probabilities);
        self.targets.extend_from_slice(&other.targets);
        self.losses.extend_from_slice(&other.losses);
        Ok(())
    }

    /// Only some samples, by their places. Places outside are left out.
    pub fn part(&self, places: &[usize]) -> Predictions {
        let mut part = Predictions::new(self.classes);
        for &place in places.iter().filter(|&&place| place < self.len()) {
            let row = &self.probabilities[place * self.classes..(place + 1) * self.classes];
            part.confusion.add(self.targets[place], argmax(row));
            part.probabilities.extend_from_slice(row);
            part.targets.push(self.targets[place]);
            part.losses.push(self.losses[place]);
        }
        part
    }

    /// Forgets all samples and keeps the memory, for the next epoch.
    pub fn clear(&mut self) {
        self.probabilities.clear();
        self.targets.clear();
        self.losses.clear();
        self.confusion.clear();
    }

    /// The number of classes, K.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number of samples, N.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The probabilities. `[N, K]`
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// The probabilities of each sample. `[K]` each
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.probabilities.chunks_exact(self.classes.max(1))
    }

    /// The true classes. `[N]`
    pub fn targets(&self) -> &[u32] {
        &self.targets
    }

    /// The predicted class of each sample: the first of the most probable.
    pub fn predicted(&self) -> impl ExactSizeIterator<Item = u32> {
        self.rows().map(argmax)
    }

    /// The cross-entropy of each sample, in nats. `[N]`
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// The counts of true and predicted classes.
    pub fn confusion(&self) -> &ConfusionMatrix {
        &self.confusion
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_majority_is_the_most_frequent_class_and_of_equal_ones_the_first() {
        let mut predictions = Predictions::new(3);
        assert_eq!(predictions.majority(), None);
        let rows = [[0.2, 0.3, 0.5]; 5].concat();
        predictions.push_probabilities(&rows, &[2, 1, 2, 1, 0]).unwrap();
        assert_eq!(predictions.majority(), Some((1, 0.4)));
    }

    #[test]
    fn batches_and_parts_give_the_same_as_one_push() {
        let logits = [1.0, 2.0, 0.5, -1.0, 3.0, 3.0];
        let targets = [1, 0, 1];
        let mut whole = Predictions::new(2);
        whole.push_logits(&logits, &targets).unwrap();
        let mut parts = Predictions::new(2);
        parts.push_logits(&logits[..2], &targets[..1]).unwrap();
        let mut rest = Predictions::new(2);
        rest.push_logits(&logits[2..], &targets[1..]).unwrap();
        parts.merge(&rest).unwrap();
        assert_eq!(whole, parts);
        assert_eq!(whole.predicted().collect::<Vec<_>>(), [1, 0, 0]);
        parts.clear();
        assert_eq!(parts, Predictions::new(2));
    }

    #[test]
    fn a_part_is_as_if_the_others_were_never_there() {
        let mut whole = Predictions::new(2);
        whole.push_logits(&[1.0, 2.0, 0.5, -1.0, 3.0, 3.5], &[1, 0, 0]).unwrap();
        let mut part = Predictions::new(2);
        part.push_logits(&[1.0, 2.0, 3.0, 3.5], &[1, 0]).unwrap();
        assert_eq!(whole.part(&[0, 2, 3, 9]), part);
        assert_eq!(whole.part(&[]), Predictions::new(2));
    }

    #[test]
    fn bad_batches_are_refused_whole() {
        let mut predictions = Predictions::new(2);
        let refused = [
            (predictions.push_logits(&[0.0; 3], &[0]), "expected 2 scores (1 samples of 2 classes), got 3"),
            (
                predictions.push_logits(&[0.0; 4], &[0, 2]),
                "target 2 of sample 1 of the batch is outside the 2 classes",
            ),
            (
                predictions.push_logits(&[0.0, 0.0, 1.0, f32::NAN], &[0, 1]),
                "sample 1 of the batch has the score NaN for class 1, which is not finite",
            ),
            (
                predictions.push_probabilities(&[0.5, 1.5], &[0]),
                "sample 0 of the batch has 1.5 for class 1, which is not a probability",
            ),
        ];
        for (result, message) in refused {
            assert_eq!(result.unwrap_err().to_string(), message);
        }
        let error =
            Predictions::new(3).push_logits(&[0.0, 0.0, 0.0, 0.0, 0.0, f32::INFINITY], &[0, 1]).unwrap_err();
        assert!(matches!(error, PredictionsError::NotFinite { sample: 1, class: 2, .. }), "{error}");
        let error =
            Predictions::new(3).push_probabilities(&[0.0, 0.0, 0.0, 0.0, 0.0, -0.5], &[0, 1]).unwrap_err();
        assert!(matches!(error, PredictionsError::NotProbability { sample: 1, class: 2, .. }), "{error}");
        assert!(predictions.is_empty());
        assert!(predictions.merge(&Predictions::new(3)).is_err());
    }

    #[test]
    fn the_loss_is_the_logarithm_of_the_share_of_the_exponentials() {
        let mut predictions = Predictions::new(2);
        predictions.push_logits(&[1.0, 2.0], &[1]).unwrap();
        assert!((predictions.losses()[0] - (-1f64).exp().ln_1p()).abs() < 1e-15);
    }

    #[test]
    fn the_loss_of_a_hopeless_sample_is_its_margin() {
        let mut predictions = Predictions::new(2);
        predictions.push_logits(&[0.0, 1000.0], &[0]).unwrap();
        assert_eq!(predictions.losses(), [1000.0]);
        assert_eq!(predictions.probabilities(), [0.0, 1.0]);
    }
}
