//! The nearest neighbours: each of the k training images whose features are most alike votes for its class.
//!
//! Likeness is the cosine of the angle between two rows of features. Of equally near ones the first counts. Reference: scikit-learn's
//! `KNeighborsClassifier(metric="cosine")`; as a judge of features, Wu et al. 2018 (arXiv 1805.01978).

use super::Rows;
use super::product::{Panels, product};
use pupila_backend::LossSum;
use rayon::prelude::*;

/// Counts of neighbours that are tried.
const COUNTS: [usize; 10] = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50];
/// Rows that are compared at once, so that the likenesses take little memory.
const BLOCK: usize = 1024;

/// Training images that vote.
#[derive(Debug)]
pub(crate) struct Neighbours {
    rows: Rows,
    classes: usize,
    /// `[features, N]`
    transposed: Panels,
    norms: Vec<f64>,
    /// How many vote.
    pub(crate) k: usize,
    /// The share of the training images that the others' votes got right, the mean over the classes.
    pub(crate) left_out_accuracy: f64,
}

fn norm(row: &[f32]) -> f64 {
    row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt()
}

impl Neighbours {
    /// With the count that answers best for each training image by all the others: leave-one-out, by the mean accuracy of the classes. Of equally good
    /// counts the largest, whose votes are the steadiest. `classes` of them there are.
    pub(crate) fn new(rows: Rows, classes: usize) -> Self {
        let transposed =
            Panels::of(rows.features, rows.len(), |feature, row| f64::from(rows.row(row)[feature]));
        let norms = (0..rows.len()).map(|row| norm(rows.row(row))).collect();
        let mut neighbours = Neighbours { rows, classes, transposed, norms, k: 1, left_out_accuracy: 0.0 };
        let most = COUNTS[COUNTS.len() - 1];
        let others =
            neighbours.nearest(&neighbours.rows.values, most, |row| Some(neighbours.rows.units[row]));
        // Not more than there are others.
        let fewest = others.iter().map(Vec::len).min().unwrap_or(0).max(1);
        let mut best = (1, f64::NEG_INFINITY);
        for k in COUNTS.into_iter().filter(|&k| k <= fewest) {
            let mut right = vec![[0usize; 2]; classes];
            for (near, &label) in others.iter().zip(&neighbours.rows.labels) {
                let votes = neighbours.votes(near, k);
                let of_class = &mut right[label as usize];
                of_class[0] += usize::from(winner(&votes) == label as usize);
                of_class[1] += 1;
            }
            let there: Vec<f64> =
                right.iter().filter(|of| of[1] > 0).map(|of| of[0] as f64 / of[1] as f64).collect();
            let accuracy = there.iter().sum::<f64>() / there.len().max(1) as f64;
            if accuracy >= best.1 {
                best = (k, accuracy);
            }
        }
        (neighbours.k, neighbours.left_out_accuracy) = best;
        neighbours
    }

    /// The loss and accuracy of the training images, each answered by all the others.
    pub(crate) fn training_scores(&self) -> LossSum {
        let nearest = self.nearest(&self.rows.values, self.k, |row| Some(self.rows.units[row]));
        let mut scores = LossSum::default();
        for (near, &label) in nearest.iter().zip(&self.rows.labels) {
            let probabilities = self.shares(near);
            let loss = -probabilities[label as usize].ln();
            let right = winner(&self.votes(near, self.k)) == label as usize;
            scores += LossSum { loss, weight: 1.0, correct: usize::from(right), samples: 1 };
        }
        scores
    }

    /// For each of some rows of features the places of the nearest training images, the nearest first; without those of the row's own unit.
    fn nearest(
        &self,
        values: &[f32],
        count: usize,
        unit: impl Fn(usize) -> Option<u128> + Sync,
    ) -> Vec<Vec<usize>> {
        let features = self.rows.features.max(1);
        let mut nearest = Vec::with_capacity(values.len() / features);
        for (block, values) in values.chunks(BLOCK * features).enumerate() {
            let products = product(values, &self.transposed);
            let of_row = |row: usize| {
                let unit = unit(block * BLOCK + row);
                let own = norm(&values[row * features..(row + 1) * features]);
                let likeness = |other: usize| {
                    let norms = own * self.norms[other];
                    if norms > 0.0 { products.at(row, other) / norms } else { 0.0 }
                };
                let others = (0..self.rows.len()).filter(|&other| unit != Some(self.rows.units[other]));
                let mut all: Vec<(f64, usize)> = others.map(|other| (likeness(other), other)).collect();
                let order = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
                if all.len() > count {
                    all.select_nth_unstable_by(count - 1, order);
                    all.truncate(count);
                }
                all.sort_unstable_by(order);
                all.into_iter().map(|(_, other)| other).collect::<Vec<_>>()
            };
            nearest.par_extend((0..products.rows).into_par_iter().map(of_row));
        }
        nearest
    }

    fn votes(&self, nearest: &[usize], k: usize) -> Vec<usize> {
        let mut votes = vec![0; self.classes];
        nearest.iter().take(k).for_each(|&other| votes[self.rows.labels[other] as usize] += 1);
        votes
    }

    /// The share of the votes for each class, of rows of features `[N, features]`: `[N, classes]`.
    ///
    /// One vote more is spread evenly over all classes, so that none is impossible.
    pub(crate) fn probabilities(&self, values: &[f32]) -> Vec<f32> {
        let nearest = self.nearest(values, self.k, |_| None);
        nearest.iter().flat_map(|near| self.shares(near)).map(|share| share as f32).collect()
    }

    fn shares(&self, near: &[usize]) -> Vec<f64> {
        let votes = self.votes(near, self.k);
        let (each, all) = (1.0 / self.classes as f64, votes.iter().sum::<usize>() as f64 + 1.0);
        votes.into_iter().map(|votes| (votes as f64 + each) / all).collect()
    }
}

/// The first of the classes with the most votes.
fn winner(votes: &[usize]) -> usize {
    let most = votes.iter().max();
    votes.iter().position(|votes| Some(votes) == most).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{golden, numbers, rows};
    use super::*;

    /// Votes are whole numbers, so they are equal.
    #[test]
    fn the_votes_are_scikit_learns() {
        let golden = golden();
        let all = rows(&golden);
        let (first, rest) = (all.part(|row| row < 60), all.part(|row| row >= 60));
        let mut neighbours = Neighbours::new(first, 3);
        for case in golden["neighbours"].as_array().unwrap() {
            neighbours.k = case["k"].as_u64().unwrap() as usize;
            let nearest = neighbours.nearest(&rest.values, neighbours.k, |_| None);
            let votes: Vec<f64> = nearest
                .iter()
                .flat_map(|near| neighbours.votes(near, neighbours.k))
                .map(|votes| votes as f64)
                .collect();
            assert_eq!(votes, numbers(&case["votes"]), "k {}", neighbours.k);
        }
    }

    #[test]
    fn an_image_and_its_copies_do_not_answer_for_it() {
        // Each point twice, as two views of one unit; the classes alternate.
        let at = |i: usize| [(i as f32 * 0.3).cos(), (i as f32 * 0.3).sin()];
        let rows = Rows {
            values: (0..12).flat_map(|i| at(i / 2)).collect(),
            features: 2,
            labels: (0..12).map(|i| (i as u32 / 2) % 2).collect(),
            units: (0..12).map(|i| i as u128 / 2).collect(),
        };
        let neighbours = Neighbours::new(rows.clone(), 2);
        let one = Neighbours { k: 1, ..Neighbours::new(rows.clone(), 2) };
        assert_eq!(one.training_scores().correct, 0, "the nearest other one is always of the other class");
        assert!(neighbours.k > 1);
        let sums: Vec<f32> = one.probabilities(&rows.values).chunks(2).map(|row| row[0] + row[1]).collect();
        assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-6));
        assert_eq!(one.probabilities(&rows.values)[..2], [0.75, 0.25], "of itself it has the vote");
    }
}
