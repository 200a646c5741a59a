//! What a frozen part makes of each image, worked out once and kept: where images are not varied, or only in so many ways, it comes again in
//! later epochs, and with a cache in later runs.

use crate::kept_features::KeptFeatures;
use pupila_backend::{Backend, Learning};
use pupila_loader::{Batch, Loader};
use std::collections::BTreeMap;

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
    /// Whether versions of the images to train on are views of them, rather than the images as they are.
    views: bool,
    /// Which images are to train on.
    trained: Vec<bool>,
    /// `[versions, positions, len]`
    rows: Vec<f32>,
    known: Vec<bool>,
    /// Those that the cache does not have yet, as places in `known`.
    fresh: Vec<usize>,
    /// What they are kept by, where they are.
    frozen_part: String,
    /// Those of the last batch. `[N, len]`
    batch: Vec<f32>,
    /// What there is to say of the cache.
    pub(crate) said: Said,
}

/// What there is to say of the cache.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// What went well.
    pub(crate) notes: Vec<String>,
    /// What went wrong.
    pub(crate) warnings: Vec<String>,
}

impl Features {
    /// Room for the features of all images of a loader's source, where a frozen part has some, each image has few versions, and they are no more than
    /// the memory should hold; with those that are kept of earlier runs.
    pub(crate) fn new(
        engine: &dyn Backend,
        train: &Loader,
        val: &Loader,
        learning: &Learning,
        kept: Option<&KeptFeatures<'_>>,
    ) -> Option<Features> {
        let (versions, len) = (train.versions()? as usize, engine.feature_len()?);
        let positions = train.source_len();
        let known = positions.checked_mul(versions)?;
        let values = known.checked_mul(len).filter(|values| values * size_of::<f32>() <= MAX_BYTES)?;
        let mut trained = vec![false; positions];
        train.given().iter().for_each(|&position| trained[position as usize] = true);
        let mut features = Features {
            learning: learning.clone(),
            len,
            positions,
            views: train.varies(),
            trained,
            rows: vec![0.0; values],
            known: vec![false; known],
            fresh: Vec::new(),
            frozen_part: kept.map_or_else(String::new, |_| KeptFeatures::frozen_part(engine, learning, len)),
            batch: Vec::new(),
            said: Said::default(),
        };
        if let Some(kept) = kept {
            features.fetch(kept, train.given(), val.given(), versions as u32);
        }
        Some(features)
    }

    /// Takes what earlier runs have kept.
    fn fetch(&mut self, kept: &KeptFeatures<'_>, train: &[u32], val: &[u32], versions: u32) {
        let mut damaged = 0;
        for version in 0..versions {
            let first = version as usize * self.positions;
            for (view, places) in [(self.views.then_some(version), train), (None, val)] {
                let Some(kind) =
                    kept.kind(&self.frozen_part, view).filter(|_| view.is_some() || version == 0)
                else {
                    continue;
                };
                let (rows, known, len) = (&mut self.rows, &mut self.known, self.len);
                let mut found = Vec::new();
                let here = kept.read(&kind, len, places, |place, row| {
                    let at = first + place as usize;
                    rows[at * len..(at + 1) * len].copy_from_slice(row);
                    known[at] = true;
                    found.push(at);
                });
                // The file that a damaged one stood in is gone, with what was whole in it.
                self.fresh.extend(found.into_iter().filter(|_| here > 0));
                damaged += here;
            }
        }
        let asked = train.len() * versions as usize + val.len();
        let found = self.known.iter().filter(|known| **known).count();
        if found > 0 {
            self.said
                .notes
                .push(format!("the frozen part's features of {found} of {asked} images are in the cache"));
        }
        if damaged > 0 {
            let files = if damaged == 1 { "a file" } else { "files" };
            self.said
                .warnings
                .push(format!("{files} of features in the cache were damaged, and are worked out anew"));
        }
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
                if !std::mem::replace(&mut self.known[first + sample as usize], true) {
                    self.fresh.push(first + sample as usize);
                }
            }
        }
        self.batch.clear();
        batch.samples.iter().for_each(|&sample| self.batch.extend_from_slice(&self.rows[place(sample)]));
        &self.batch
    }

    /// Values of an image.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Those of an image in a version, which must be known.
    pub(crate) fn row(&self, sample: u32, version: u32) -> &[f32] {
        let at = version as usize * self.positions + sample as usize;
        &self.rows[at * self.len..(at + 1) * self.len]
    }

    /// Leaves what was worked out since the last time in the cache, for later runs.
    pub(crate) fn keep(&mut self, kept: &KeptFeatures<'_>) {
        let mut kinds: BTreeMap<Option<u32>, Vec<usize>> = BTreeMap::new();
        for at in std::mem::take(&mut self.fresh) {
            let (version, place) = (at / self.positions, at % self.positions);
            let view = (self.views && self.trained[place]).then_some(version as u32);
            kinds.entry(view).or_default().push(at);
        }
        for (view, places) in kinds {
            let Some(kind) = kept.kind(&self.frozen_part, view) else { continue };
            let rows: Vec<&[f32]> =
                places.iter().map(|&at| &self.rows[at * self.len..(at + 1) * self.len]).collect();
            let places: Vec<u32> = places.iter().map(|&at| (at % self.positions) as u32).collect();
            self.said.warnings.extend(kept.write(&kind, self.len, &places, &rows));
        }
    }
}
