//! Which images a page shows: a bounded number, whatever the data.

use pupila_metrics::Predictions;
use std::collections::BTreeSet;

/// Images with the highest loss.
const HIGHEST_LOSS: usize = 18;
/// Images of each of right and wrong.
const GALLERY: usize = 12;
/// Cells of the confusion matrix, and images of each.
const CELLS: (usize, usize) = (6, 6);

/// The images that a page shows, by their places among the predictions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// Those with the highest loss, the highest first.
    pub highest_loss: Vec<usize>,
    /// Some that are right, from the surest to the least sure.
    pub right: Vec<usize>,
    /// Some of the others that are wrong, from the surest to the least sure: none that is among those with the highest loss.
    pub wrong: Vec<usize>,
    /// The largest cells of the confusion matrix off its diagonal: true class, predicted class, and their surest images.
    pub cells: Vec<(usize, usize, Vec<usize>)>,
}

impl Selection {
    /// Every image, once, in order.
    pub fn all(&self) -> Vec<usize> {
        let cells = self.cells.iter().flat_map(|(_, _, samples)| samples);
        let all: BTreeSet<usize> = self.explained().into_iter().chain(cells.copied()).collect();
        all.into_iter().collect()
    }

    /// Those that are shown with an explanation, once, in order: at most 42.
    pub fn explained(&self) -> Vec<usize> {
        let all: BTreeSet<usize> =
            [&self.highest_loss, &self.right, &self.wrong].into_iter().flatten().copied().collect();
        all.into_iter().collect()
    }
}

/// Chooses the images of a page. The same predictions give the same choice. Images that were trained on too (`leaked`, which may be
/// empty) are not shown as right: they show nothing but memory.
pub fn select(predictions: &Predictions, leaked: &[bool]) -> Selection {
    let predicted: Vec<u32> = predictions.predicted().collect();
    let targets = predictions.targets();
    let losses = predictions.losses();
    let confidence: Vec<f32> =
        predictions.rows().zip(&predicted).map(|(row, &class)| row[class as usize]).collect();
    let by_confidence = |mut samples: Vec<usize>| {
        samples.sort_by(|&a, &b| confidence[b].total_cmp(&confidence[a]).then(a.cmp(&b)));
        samples
    };
    let of = |right: bool| {
        by_confidence((0..predicted.len()).filter(|&i| (predicted[i] == targets[i]) == right).collect())
    };
    let (mut right, wrong) = (of(true), of(false));
    right.retain(|&sample| !leaked.get(sample).copied().unwrap_or(false));
    let mut highest_loss: Vec<usize> = wrong.clone();
    highest_loss.sort_by(|&a, &b| losses[b].total_cmp(&losses[a]).then(a.cmp(&b)));
    highest_loss.truncate(HIGHEST_LOSS);
    let shown: BTreeSet<usize> = highest_loss.iter().copied().collect();
    let others: Vec<usize> = wrong.iter().copied().filter(|sample| !shown.contains(sample)).collect();
    let cell = |(target, predicted_as, _): (usize, usize, u64)| {
        let mut samples: Vec<usize> = wrong
            .iter()
            .copied()
            .filter(|&i| targets[i] as usize == target && predicted[i] as usize == predicted_as)
            .collect();
        samples.truncate(CELLS.1);
        (target, predicted_as, samples)
    };
    Selection {
        highest_loss,
        right: spread(&right),
        wrong: spread(&others),
        cells: predictions.confusion().most_confused(CELLS.0).into_iter().map(cell).collect(),
    }
}

/// Evenly many from everywhere in the list.
fn spread(samples: &[usize]) -> Vec<usize> {
    if samples.len() <= GALLERY {
        return samples.to_vec();
    }
    (0..GALLERY).map(|i| samples[i * (samples.len() - 1) / (GALLERY - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_bounded_and_fits_its_names() {
        let mut predictions = Predictions::new(3);
        for i in 0..900u32 {
            let sure = 0.4 + 0.6 * (i % 97) as f32 / 97.0;
            let mut row = [(1.0 - sure) / 2.0; 3];
            row[(i % 5 % 3) as usize] = sure;
            predictions.push_probabilities(&row, &[i % 3]).unwrap();
        }
        let selection = select(&predictions, &[]);
        let predicted: Vec<u32> = predictions.predicted().collect();
        let right = |&i: &usize| predicted[i] == predictions.targets()[i];
        assert!(selection.right.iter().all(right) && !selection.wrong.iter().any(right));
        assert_eq!(
            (selection.right.len(), selection.wrong.len(), selection.highest_loss.len()),
            (12, 12, 18)
        );
        assert!(selection.wrong.iter().all(|sample| !selection.highest_loss.contains(sample)), "shown once");
        let most = predictions.losses().iter().fold(0.0, |most: f64, &loss| most.max(loss));
        assert_eq!(predictions.losses()[selection.highest_loss[0]], most);
        assert!(selection.explained().len() <= 42 && selection.all().len() <= 78);
        for (target, predicted_as, samples) in &selection.cells {
            assert!(!samples.is_empty() && samples.len() <= 6);
            let cell = |&i: &usize| (predictions.targets()[i] as usize, predicted[i] as usize);
            assert!(samples.iter().map(cell).all(|cell| cell == (*target, *predicted_as)));
        }
        assert_eq!(select(&Predictions::new(2), &[]), Selection::default());
    }
}
