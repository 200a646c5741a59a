//! Fewer levels. Reference: `albumentations.Posterize`.

use crate::{Fixed, Frame, Problems, Shape, Transform, WholeRange};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many bits to keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a number of bits, [low, high], or such a range for each of three channels"
)]
pub enum NumBits {
    /// In every channel.
    All(WholeRange<Fixed>),
    /// In each of three channels.
    Channels([WholeRange<Fixed>; 3]),
}

impl NumBits {
    fn ranges(&self) -> &[WholeRange<Fixed>] {
        match self {
            NumBits::All(range) => std::slice::from_ref(range),
            NumBits::Channels(ranges) => ranges,
        }
    }
}

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bits {
    /// For all channels, or for each.
    pub num_bits: Vec<u8>,
}

/// Keeps only the leading bits of every value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Posterize {
    /// How many bits: a number, [low, high], or such a range for each of three channels.
    pub num_bits: NumBits,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for Posterize {
    fn default() -> Self {
        Posterize { num_bits: NumBits::All(WholeRange::new(4, 4)), p: 0.5 }
    }
}

impl Transform for Posterize {
    const NAME: &'static str = "posterize";
    const DESCRIPTION: &'static str = "keeps the leading bits";

    type Drawn = Bits;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        self.num_bits.ranges().iter().for_each(|range| problems.whole_range_within("num_bits", range, 1, 7));
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> Bits {
        Bits { num_bits: self.num_bits.ranges().iter().map(|range| range.draw(stream) as u8).collect() }
    }

    fn apply(&self, drawn: &Bits, frame: &mut Frame) {
        let mask = |bits: &u8| 255u8 << (8 - bits.min(&8));
        let channels = frame.shape().channels;
        match (&drawn.num_bits[..], channels) {
            ([r, g, b], 3) => {
                let masks = [r, g, b].map(mask);
                for pixel in frame.pixels_mut().as_chunks_mut::<3>().0 {
                    pixel.iter_mut().zip(masks).for_each(|(value, mask)| *value &= mask);
                }
            }
            ([bits, ..], _) => {
                let mask = mask(bits);
                frame.pixels_mut().iter_mut().for_each(|value| *value &= mask);
            }
            ([], _) => {}
        }
    }
}
