//! Rectangles that are filled, for the transforms that drop parts of an image.

use crate::{Fill, Frame, Noise};
use pupila_random::{Purpose, Stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a hole is filled with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a number, one for each channel, \"random\" or \"random_uniform\"")]
pub enum HoleFill {
    /// Random values.
    Random(RandomFill),
    /// A value.
    Value(Fill),
}

/// Random values in a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RandomFill {
    /// Every pixel another.
    Random,
    /// One color for the hole.
    RandomUniform,
}

impl Default for HoleFill {
    fn default() -> Self {
        HoleFill::Value(Fill::default())
    }
}

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holes {
    /// `[x_min, y_min, x_max, y_max]` of each; the maxima are outside.
    pub holes: Vec<[usize; 4]>,
    /// The seed of random values.
    #[serde(default = "no_noise")]
    pub noise: Noise,
}

fn no_noise() -> Noise {
    Noise::Seed(0)
}

impl Holes {
    /// Fills the holes.
    pub(crate) fn fill(&self, frame: &mut Frame, fill: &HoleFill) {
        let shape = frame.shape();
        let channels = shape.channels;
        let seed = if let Noise::Seed(seed) = self.noise { seed } else { 0 };
        let mut stream = Stream::new(seed, Purpose::Augment(u16::MAX), u32::MAX, u32::MAX);
        let pixels = frame.pixels_mut();
        for &[x_min, y_min, x_max, y_max] in &self.holes {
            let (x_max, y_max) = (x_max.min(shape.width), y_max.min(shape.height));
            if x_min >= x_max || y_min >= y_max {
                continue;
            }
            let uniform = stream.next_u32().to_le_bytes();
            let color: &[u8] = match fill {
                HoleFill::Value(fill) => &fill.pixel(),
                HoleFill::Random(_) => &uniform,
            };
            for y in y_min..y_max {
                let row = &mut pixels[y * shape.row()..][x_min * channels..x_max * channels];
                if *fill == HoleFill::Random(RandomFill::Random) {
                    row.iter_mut().for_each(|value| *value = stream.next_u32() as u8);
                } else if color[..channels].iter().all(|&value| value == color[0]) {
                    row.fill(color[0]);
                } else {
                    row.chunks_exact_mut(channels)
                        .for_each(|pixel| pixel.copy_from_slice(&color[..channels]));
                }
            }
        }
    }
}
