//! A shift of each channel. Reference: `albumentations.RGBShift`.

use crate::{Frame, Problems, Shape, SymmetricRange, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shifts {
    /// What is added to red, green and blue, in levels.
    pub shift: [f64; 3],
}

/// Adds a value to each channel; to a gray image that of red.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RgbShift {
    /// What is added to red, in levels; as a fraction of white where both ends are within [-1, 1].
    pub r_shift_limit: SymmetricRange,
    /// What is added to green, in levels; as a fraction of white where both ends are within [-1, 1].
    pub g_shift_limit: SymmetricRange,
    /// What is added to blue, in levels; as a fraction of white where both ends are within [-1, 1].
    pub b_shift_limit: SymmetricRange,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for RgbShift {
    fn default() -> Self {
        RgbShift {
            r_shift_limit: SymmetricRange::around_zero(20.0),
            g_shift_limit: SymmetricRange::around_zero(20.0),
            b_shift_limit: SymmetricRange::around_zero(20.0),
            p: 0.5,
        }
    }
}

impl Transform for RgbShift {
    const NAME: &'static str = "rgb_shift";
    const DESCRIPTION: &'static str = "shifts the channels";

    type Drawn = Shifts;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        for (name, range) in [
            ("r_shift_limit", &self.r_shift_limit),
            ("g_shift_limit", &self.g_shift_limit),
            ("b_shift_limit", &self.b_shift_limit),
        ] {
            problems.range(name, range);
        }
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> Shifts {
        // To the bit as the reference, which cuts the product off: 10 / 255 * 255 may be 9.
        let shift = [self.r_shift_limit, self.g_shift_limit, self.b_shift_limit].map(|limit| {
            let levels = limit.low.abs() > 1.0 || limit.high.abs() > 1.0;
            let unit = if levels { 255.0 } else { 1.0 };
            stream.uniform(limit.low / unit, limit.high / unit) * 255.0
        });
        Shifts { shift }
    }

    fn apply(&self, drawn: &Shifts, frame: &mut Frame) {
        let shift = drawn.shift.map(|shift| shift.clamp(-255.0, 255.0) as i16);
        let up = shift.map(|shift| shift.max(0) as u8);
        let down = shift.map(|shift| (-shift).max(0) as u8);
        if frame.shape().channels == 1 {
            let (up, down) = (up[0], down[0]);
            let pixels = frame.pixels_mut().iter_mut();
            pixels.for_each(|value| *value = value.saturating_add(up).saturating_sub(down));
            return;
        }
        // 48 bytes are whole pixels and whole vectors.
        let up: [u8; 48] = std::array::from_fn(|i| up[i % 3]);
        let down: [u8; 48] = std::array::from_fn(|i| down[i % 3]);
        let (blocks, rest) = frame.pixels_mut().as_chunks_mut::<48>();
        for block in blocks {
            for i in 0..48 {
                block[i] = block[i].saturating_add(up[i]).saturating_sub(down[i]);
            }
        }
        for ((value, up), down) in rest.iter_mut().zip(up).zip(down) {
            *value = value.saturating_add(up).saturating_sub(down);
        }
    }
}
