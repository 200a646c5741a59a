//! The noise of a camera sensor. Reference: `albumentations.ISONoise`.

use crate::{Frame, Noise, Pair, Problems, Range, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorNoise {
    /// Standard deviation of the hue in degrees, before the intensity.
    pub color_shift: f64,
    /// Strength.
    pub intensity: f64,
    /// Poisson values, `[H, W]`.
    pub light: Noise,
    /// Standard normal values, `[H, W]`.
    pub hue: Noise,
}

/// Adds Poisson noise to the lightness and normal noise to the hue. The reference refuses gray images; here they have the noise of the lightness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IsoNoise {
    /// Standard deviation of the hue in degrees, before it is multiplied by the intensity.
    pub color_shift: Range<Pair>,
    /// Strength.
    pub intensity: Range<Pair>,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for IsoNoise {
    fn default() -> Self {
        IsoNoise { color_shift: Range::new(0.01, 0.05), intensity: Range::new(0.1, 0.5), p: 0.5 }
    }
}

impl Transform for IsoNoise {
    const NAME: &'static str = "iso_noise";
    const DESCRIPTION: &'static str = "adds the noise of a camera sensor";

    type Drawn = SensorNoise;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.range_within("color_shift", &self.color_shift, 0.0, 1.0);
        problems.range_within("intensity", &self.intensity, 0.0, f64::INFINITY);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> SensorNoise {
        SensorNoise {
            color_shift: self.color_shift.draw(stream),
            intensity: self.intensity.draw(stream),
            light: Noise::draw(stream),
            hue: Noise::draw(stream),
        }
    }

    fn apply(&self, drawn: &SensorNoise, frame: &mut Frame) {
        let shape = frame.shape();
        let count = shape.height * shape.width;
        if count == 0 {
            return;
        }
        let intensity = drawn.intensity as f32;
        let color = (drawn.color_shift * drawn.intensity) as f32;
        frame.change_with(|pixels, scratch| {
            let mean_rate = deviation(pixels, shape.channels) * drawn.intensity;
            let light = &mut scratch.floats;
            light.resize(count, 0.0);
            drawn.light.uniform(light);
            if matches!(drawn.light, Noise::Seed(_)) {
                poisson(light, mean_rate);
            }
            if shape.channels == 1 {
                for (value, &noise) in pixels.iter_mut().zip(light.iter()) {
                    let own = f32::from(*value) * (1.0 / 255.0);
                    *value = byte(own + noise * intensity * (1.0 - own));
                }
                return;
            }
            let hue = &mut scratch.more_floats;
            hue.resize(count, 0.0);
            drawn.hue.normal(hue);
            let noise = light.iter().zip(hue.iter());
            for (pixel, (&light, &hue)) in pixels.as_chunks_mut::<3>().0.iter_mut().zip(noise) {
                let [h, l, s] = to_hls(pixel.map(|value| f32::from(value) * (1.0 / 255.0)));
                let l = l + light * intensity * (1.0 - l);
                *pixel = from_hls([h + hue * color, l, s]).map(byte);
            }
        });
    }
}

/// The standard deviation of the lightness, a number from 0 to 1.
fn deviation(pixels: &[u8], channels: usize) -> f64 {
    // Twice the lightness is a whole number.
    let twice = |pixel: &[u8]| match *pixel {
        [r, g, b] => u64::from(r.max(g).max(b)) + u64::from(r.min(g).min(b)),
        _ => 2 * u64::from(pixel[0]),
    };
    let (mut sum, mut squares) = (0u64, 0u64);
    for pixel in pixels.chunks_exact(channels) {
        let value = twice(pixel);
        sum += value;
        squares += value * value;
    }
    let n = (pixels.len() / channels) as f64;
    let (mean, square) = (sum as f64 / n, squares as f64 / n);
    (square - mean * mean).max(0.0).sqrt() / 510.0
}

/// Turns values uniform in -1..1 into Poisson ones, by the inverse of the distribution function.
fn poisson(values: &mut [f32], rate: f64) {
    let mut below = Vec::new();
    let (mut share, mut sum) = ((-rate).exp(), 0.0);
    // Rates are below 1 for any sensible intensity; beyond 500 even the first share is 0.
    for k in 1..1000 {
        sum += share;
        below.push((2.0 * sum - 1.0) as f32);
        if 1.0 - sum < 1e-6 {
            break;
        }
        share *= rate / f64::from(k);
    }
    values
        .iter_mut()
        .for_each(|value| *value = below.iter().take_while(|&&below| *value >= below).count() as f32);
}

fn byte(x: f32) -> u8 {
    let x = if x > 0.0 { x } else { 0.0 };
    ((if x < 1.0 { x } else { 1.0 }) * 255.0 + 8_388_608.0).to_bits() as u8
}

/// `COLOR_RGB2HLS` of f32, hue in degrees.
fn to_hls([r, g, b]: [f32; 3]) -> [f32; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let (sum, range) = (most + least, most - least);
    let l = sum * 0.5;
    if range <= f32::EPSILON {
        return [0.0, l, 0.0];
    }
    let s = if l < 0.5 { range / sum } else { range / (2.0 - sum) };
    let scale = 60.0 / range;
    let h = if most == r {
        (g - b) * scale
    } else if most == g {
        (b - r) * scale + 120.0
    } else {
        (r - g) * scale + 240.0
    };
    [if h < 0.0 { h + 360.0 } else { h }, l, s]
}

/// `COLOR_HLS2RGB` of f32.
fn from_hls([h, l, s]: [f32; 3]) -> [f32; 3] {
    let high = if l <= 0.5 { l * (1.0 + s) } else { l + s - l * s };
    let low = 2.0 * l - high;
    let h = h * (1.0 / 60.0);
    let h = if h < 0.0 {
        h + 6.0
    } else if h >= 6.0 {
        h - 6.0
    } else {
        h
    };
    let sector = h as i32;
    let rest = h - sector as f32;
    let (rising, falling) = (low + (high - low) * rest, low + (high - low) * (1.0 - rest));
    match sector {
        0 => [high, rising, low],
        1 => [falling, high, low],
        2 => [low, high, rising],
        3 => [low, falling, high],
        4 => [rising, low, high],
        _ => [high, low, falling],
    }
}
