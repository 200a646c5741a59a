//! What the random numbers of a transform are keyed by.

use pupila_random::{Purpose, Stream, philox4x32};

/// What the random numbers of one image are keyed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleKey {
    /// The seed of the run.
    pub seed: u64,
    /// The epoch.
    pub epoch: u32,
    /// The position of the sample in its source, not in the epoch's order.
    pub sample: u32,
}

/// A sample and a place in the pipeline, down to the children of compositions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrawKey {
    sample: SampleKey,
    place: u16,
}

impl DrawKey {
    /// The transform at `place` of the pipeline itself.
    pub fn new(sample: SampleKey, place: u16) -> Self {
        DrawKey { sample, place }
    }

    /// The child at `index` of the transform of this key.
    ///
    /// Its streams are those of another seed, a block of the generator that takes the parent's seed as key and the place as
    /// counter; so paths of any depth have their own streams, which nothing beside them can shift.
    pub fn child(self, index: u32) -> Self {
        let SampleKey { seed, .. } = self.sample;
        // No stream begins with this counter: none has the purpose 0.
        let block = philox4x32([index, 0, u32::from(self.place), 1], [seed as u32, (seed >> 32) as u32]);
        let seed = u64::from(block[0]) | u64::from(block[1]) << 32;
        DrawKey { sample: SampleKey { seed, ..self.sample }, place: self.place }
    }

    /// The random numbers of this key.
    pub fn stream(self) -> Stream {
        let SampleKey { seed, epoch, sample } = self.sample;
        Stream::new(seed, Purpose::Augment(self.place), epoch, sample)
    }
}
