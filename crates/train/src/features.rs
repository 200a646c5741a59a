//! What a frozen part makes of each image, worked out once and kept: where images are not varied, or only in so many ways, it comes again in
//! later epochs.

use pupila_backend::{Backend, Learning};
use pupila_loader::{Batch, Loader};

/// Features may take so many bytes.
const MAX_BYTES: usize = 1 << 30;

/// Features of images, by their positions in the loaders' source.
#[derive(Debug)]
pub(crate) struct Features {
    /// What was frozen when they were made.
    learning: Learning,
    /// Values of an image.
    len: usize,
    /// Images of the source.
    positions: usize,
    /// `[versions, positions, len]`
    rows: Vec<f32>,
    known: Vec<bool>,
    /// Those of the last batch. `[N, len]`
    batch: Vec<f32>,
}

impl Features {
    /// Room for the features of all images of a loader's source, where a frozen part has some, each image has few versions, and they are no more than
    /// the memory should hold.
    pub(crate) fn new(engine: &dyn Backend, train: &Loader, learning: &Learning) -> Option<Features> {
        let (versions, len) = (train.versions()? as usize, engine.feature_len()?);
        let positions = train.source_len();
        let known = positions.checked_mul(versions)?;
        let values = known.checked_mul(len).filter(|values| values * size_of::<f32>() <= MAX_BYTES)?;
        Some(Features {
            learning: learning.clone(),
            len,
            positions,
            rows: vec![0.0; values],
            known: vec![false; known],
            batch: Vec::new(),
        })
    }

    /// Whether they are those of this frozen part.
    pub(crate) fn are_of(&self, learning: &Learning) -> bool {
        self.learning == *learning
    }

    /// Whether those of all images of a loader are known in a version, so that nobody needs the images.
    pub(crate) fn know(&self, loader: &Loader, version: u32) -> bool {
        let first = version as usize * self.positions;
        let known = |&sample: &u32| self.known.get(first + sample as usize).is_some_and(|known| *known);
        loader.given().iter().all(known)
    }

    /// The features of a batch, `[N, len]`, worked out where they are not known.
    pub(crate) fn of(&mut self, engine: &mut dyn Backend, batch: &Batch, version: u32) -> &[f32] {
        let (len, first) = (self.len, version as usize * self.positions);
        let place = |sample: u32| (first + sample as usize) * len..(first + sample as usize + 1) * len;
        if batch.samples.iter().any(|&sample| !self.known[first + sample as usize]) {
            let made = engine.features(&batch.images, batch.len());
            for (&sample, row) in batch.samples.iter().zip(made.chunks_exact(self.len)) {
                self.rows[place(sample)].copy_from_slice(row);
                self.known[first + sample as usize] = true;
            }
        }
        self.batch.clear();
        batch.samples.iter().for_each(|&sample| self.batch.extend_from_slice(&self.rows[place(sample)]));
        &self.batch
    }
}
