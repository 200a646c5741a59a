//! Normal noise. Reference: `albumentations.GaussNoise`.

use crate::{Frame, Noise, Pair, Problems, Range, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianNoise {
    /// As a fraction of white.
    pub std: f64,
    /// As a fraction of white.
    pub mean: f64,
    /// Standard normal values, `[H, W, C]`.
    pub noise: Noise,
}

/// Adds normal noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GaussNoise {
    /// Standard deviation, as a fraction of white.
    pub std_range: Range<Pair>,
    /// Mean, as a fraction of white.
    pub mean_range: Range<Pair>,
    /// Whether each channel has noise of its own.
    pub per_channel: bool,
    /// Size of the noise that is stretched over the image; 1 is a value for each pixel.
    pub noise_scale_factor: f64,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for GaussNoise {
    fn default() -> Self {
        GaussNoise {
            std_range: Range::new(0.2, 0.44),
            mean_range: Range::new(0.0, 0.0),
            per_channel: true,
            noise_scale_factor: 1.0,
            p: 0.5,
        }
    }
}

impl Transform for GaussNoise {
    const NAME: &'static str = "gauss_noise";
    const DESCRIPTION: &'static str = "adds normal noise";

    type Drawn = GaussianNoise;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.range_within("std_range", &self.std_range, 0.0, 1.0);
        problems.range_within("mean_range", &self.mean_range, -1.0, 1.0);
        problems.number_within("noise_scale_factor", self.noise_scale_factor, f64::MIN_POSITIVE, 1.0);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> GaussianNoise {
        GaussianNoise {
            std: self.std_range.draw(stream),
            mean: self.mean_range.draw(stream),
            noise: Noise::draw(stream),
        }
    }

    fn apply(&self, drawn: &GaussianNoise, frame: &mut Frame) {
        let shape = frame.shape();
        if shape.values() == 0 {
            return;
        }
        let scaled = |side: usize| ((side as f64 * self.noise_scale_factor) as usize).max(1);
        let (height, width) = (scaled(shape.height), scaled(shape.width));
        let channels = if self.per_channel { shape.channels } else { 1 };
        let (std, mean) = ((drawn.std * 255.0) as f32, (drawn.mean * 255.0) as f32);
        frame.change_with(|pixels, scratch| {
            let noise = &mut scratch.floats;
            noise.resize(height * width * channels, 0.0);
            drawn.noise.normal(noise);
            if (height, width) != (shape.height, shape.width) {
                let small = std::mem::take(noise);
                stretch(&small, [height, width], noise, [shape.height, shape.width], channels);
            }
            let add = |value: u8, noise: f32| -> u8 {
                // Cut off at both ends and not rounded, as the reference does it.
                let sum = f32::from(value) + (noise * std + mean);
                let sum = if sum > 0.0 { sum } else { 0.0 };
                (if sum < 255.0 { sum } else { 255.0 }) as i32 as u8
            };
            if channels == shape.channels {
                pixels.iter_mut().zip(noise.iter()).for_each(|(value, &noise)| *value = add(*value, noise));
            } else {
                for (pixel, &noise) in pixels.chunks_exact_mut(shape.channels).zip(noise.iter()) {
                    pixel.iter_mut().for_each(|value| *value = add(*value, noise));
                }
            }
        });
    }
}

/// Linear interpolation of f32, with the centres of pixels at half. `from: [from_h, from_w, C]`
fn stretch(
    from: &[f32],
    [from_h, from_w]: [usize; 2],
    to: &mut Vec<f32>,
    [height, width]: [usize; 2],
    channels: usize,
) {
    let place = |i: usize, n: usize, of: usize| {
        let at = ((i as f32 + 0.5) * (n as f32 / of as f32) - 0.5).clamp(0.0, (n - 1) as f32);
        let first = at as usize;
        (first, (first + 1).min(n - 1), at - first as f32)
    };
    to.clear();
    for y in 0..height {
        let (above, below, down) = place(y, from_h, height);
        for x in 0..width {
            let (left, right, across) = place(x, from_w, width);
            for channel in 0..channels {
                let at = |row: usize, column: usize| from[(row * from_w + column) * channels + channel];
                let mix = |row: usize| at(row, left) * (1.0 - across) + at(row, right) * across;
                to.push(mix(above) * (1.0 - down) + mix(below) * down);
            }
        }
    }
}
