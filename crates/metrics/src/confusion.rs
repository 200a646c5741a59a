//! The confusion matrix: how often each true class was predicted as each class.
//!
//! Reference: `sklearn.metrics.confusion_matrix(y_true, y_pred, labels=range(K))`; rows true, columns
//! predicted.

use crate::PredictionsError;

/// The first index of the largest score, as `numpy.argmax`; 0 for none. `scores: [K]`
pub fn argmax(scores: &[f32]) -> u32 {
    let (mut best, mut best_score) = (0, f32::NEG_INFINITY);
    for (class, &score) in scores.iter().enumerate() {
        if score > best_score {
            (best, best_score) = (class as u32, score);
        }
    }
    best
}

/// Counts of (true class, predicted class), which stream: [`update`](Self::update), [`merge`](Self::merge).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// No samples yet, of `classes` classes.
    pub fn new(classes: usize) -> Self {
        ConfusionMatrix { classes, counts: vec![0; classes * classes] }
    }

    /// Adds a batch of scores, of which only the largest of each row matters, so that logits and
    /// probabilities both do.
    /// `scores: [N, K]`, `targets: [N]`
    ///
    /// # Errors
    /// As [`Predictions::push_probabilities`](crate::Predictions::push_probabilities), but for the range of
    /// the scores. Nothing is added then.
    pub fn update(&mut self, scores: &[f32], targets: &[u32]) -> Result<(), PredictionsError> {
        crate::predictions::check_batch(self.classes, scores, targets)?;
        for (row, &target) in scores.chunks_exact(self.classes.max(1)).zip(targets) {
            self.add(target, argmax(row));
        }
        Ok(())
    }

    /// Adds one sample. Classes outside the matrix are the caller's mistake, which `check_batch` rules out.
    pub(crate) fn add(&mut self, target: u32, predicted: u32) {
        self.counts[target as usize * self.classes + predicted as usize] += 1;
    }

    /// Adds the counts of another part of the evaluation.
    ///
    /// # Errors
    /// [`PredictionsError::Classes`] where the two differ in their number of classes.
    pub fn merge(&mut self, other: &ConfusionMatrix) -> Result<(), PredictionsError> {
        if other.classes != self.classes {
            return Err(PredictionsError::Classes { expected: self.classes, got: other.classes });
        }
        for (count, other) in self.counts.iter_mut().zip(&other.counts) {
            *count += other;
        }
        Ok(())
    }

    /// Forgets all samples and keeps the memory.
    pub fn clear(&mut self) {
        self.counts.fill(0);
    }

    /// The number of classes, K.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many samples of class `target` were predicted as `predicted`; 0 outside the matrix.
    pub fn count(&self, target: usize, predicted: usize) -> u64 {
        if predicted >= self.classes {
            return 0;
        }
        self.counts.get(target * self.classes + predicted).copied().unwrap_or(0)
    }

    /// The rows: for each true class the counts of the predicted ones. `[K]` each
    pub fn rows(&self) -> impl Iterator<Item = &[u64]> {
        self.counts.chunks_exact(self.classes.max(1))
    }

    /// The number of samples.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Correctly predicted samples, all classes together.
    pub fn correct(&self) -> u64 {
        (0..self.classes).map(|class| self.count(class, class)).sum()
    }

    /// Samples of each true class. `[K]`
    pub fn true_counts(&self) -> Vec<u64> {
        self.rows().map(|row| row.iter().sum()).collect()
    }

    /// Samples predicted as each class. `[K]`
    pub fn predicted_counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.classes];
        for row in self.rows() {
            for (count, cell) in counts.iter_mut().zip(row) {
                *count += cell;
            }
        }
        counts
    }

    /// The largest off-diagonal cells as (true class, predicted class, count), most frequent first and then
    /// in the order of the classes; at most `limit`.
    pub fn most_confused(&self, limit: usize) -> Vec<(usize, usize, u64)> {
        let mut pairs: Vec<_> = (0..self.classes)
            .flat_map(|target| (0..self.classes).map(move |predicted| (target, predicted)))
            .filter(|(target, predicted)| target != predicted)
            .map(|(target, predicted)| (target, predicted, self.count(target, predicted)))
            .filter(|&(_, _, count)| count > 0)
            .collect();
        pairs.sort_by_key(|&(target, predicted, count)| (std::cmp::Reverse(count), target, predicted));
        pairs.truncate(limit);
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_first_class_as_in_numpy() {
        assert_eq!(argmax(&[0.2, 0.4, 0.4]), 1);
        assert_eq!(argmax(&[f32::NEG_INFINITY; 2]), 0);
        assert_eq!(argmax(&[]), 0);
    }

    #[test]
    fn parts_merge_to_the_whole() {
        let scores = [0.9, 0.1, 0.2, 0.8, 0.6, 0.4];
        let mut whole = ConfusionMatrix::new(2);
        whole.update(&scores, &[0, 0, 1]).unwrap();
        let mut merged = ConfusionMatrix::new(2);
        merged.update(&scores[..2], &[0]).unwrap();
        let mut rest = ConfusionMatrix::new(2);
        rest.update(&scores[2..], &[0, 1]).unwrap();
        merged.merge(&rest).unwrap();
        assert_eq!(whole, merged);
        assert_eq!(whole.rows().map(<[u64]>::to_vec).collect::<Vec<_>>(), [[1, 1], [1, 0]]);
        assert_eq!(whole.most_confused(9), [(0, 1, 1), (1, 0, 1)]);
        assert_eq!((whole.true_counts(), whole.predicted_counts()), (vec![2, 1], vec![2, 1]));
        assert!(merged.merge(&ConfusionMatrix::new(3)).is_err());
    }
}
