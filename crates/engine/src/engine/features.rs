//! What the learning part of a network reads of the frozen one: for an image always the same, so that it need be worked out only once.

use super::Engine;
use crate::float::Float;
use crate::stage::Source;
use std::ops::Range;

impl<T: Float> Engine<T> {
    /// Stages before this one are frozen and work as in evaluation: what they give depends on the image alone.
    pub(super) fn begin(&self) -> usize {
        let rests = |node| {
            let learning = self.learning.of(node);
            learning.rate == 0.0 && learning.evaluates
        };
        self.stages.iter().position(|stage| !rests(stage.tensors)).unwrap_or(self.stages.len())
    }

    /// The one stage of those whose output the others read.
    pub(super) fn feature_stage(&self) -> Option<usize> {
        let begin = self.begin();
        let mut read = None;
        for stage in &self.stages[begin..] {
            for source in [Some(stage.input), stage.residual].into_iter().flatten() {
                match source {
                    Source::Images => return None,
                    Source::Stage(from) if from < begin => {
                        if read.replace(from).is_some_and(|other| other != from) {
                            return None;
                        }
                    }
                    Source::Stage(_) => {}
                }
            }
        }
        read
    }

    /// Values of an image's features: what the part that learns reads of the frozen one. None where nothing is frozen, or where it reads more than one
    /// output of it.
    pub fn feature_len(&self) -> Option<usize> {
        self.feature_stage().map(|stage| self.stages[stage].shape.len())
    }

    /// The features of `images: [batch, input]`: `[batch, feature_len]`.
    ///
    /// # Panics
    /// Where there are none.
    pub fn features(&mut self, images: &[T], batch: usize) -> &[T] {
        let Some(stage) = self.feature_stage() else {
            panic!("a network of which nothing is frozen has no features")
        };
        self.run_stages(images, batch, None, 0..stage + 1);
        &self.memory[self.buffers[stage].output.clone()][..batch * self.stages[stage].shape.len()]
    }

    /// Whether all passes take features in place of images from now on.
    ///
    /// # Panics
    /// Where there are none.
    pub fn read_features(&mut self, reads: bool) {
        assert!(
            !reads || self.feature_stage().is_some(),
            "a network of which nothing is frozen has no features"
        );
        self.reads_features = reads;
    }

    /// Whether passes take features now.
    pub fn reads_features(&self) -> bool {
        self.reads_features
    }

    /// The stages of a whole pass.
    pub(super) fn pass(&self) -> Range<usize> {
        if self.reads_features { self.begin()..self.stages.len() } else { 0..self.stages.len() }
    }
}
