//! The splits that the data bring. A validation set that was split off is part of the training set here.

use pupila_dataset::{Dataset, Split};

use crate::Looked;

/// The split of a sample by the data.
pub fn given(dataset: &Dataset, place: usize) -> Split {
    match dataset.samples[place].split {
        Split::Val if dataset.val_from_train => Split::Train,
        split => split,
    }
}

/// Whether the data say what is for training and what is not.
pub fn are_given(dataset: &Dataset) -> bool {
    !dataset.classes.is_empty()
        && (0..dataset.samples.len()).any(|place| given(dataset, place) != Split::Train)
}

/// Readable images of each class in training, validation and test, by the data.
pub(crate) fn counts(dataset: &Dataset, looked: &Looked) -> [Vec<usize>; 3] {
    let mut counts = [0, 1, 2].map(|_| vec![0; dataset.classes.len()]);
    for (place, sample) in dataset.samples.iter().enumerate() {
        if let (Some(Some(_)), false) = (looked.measurements.get(place), dataset.classes.is_empty()) {
            counts[given(dataset, place) as usize][sample.label as usize] += 1;
        }
    }
    counts
}
