//! Hue, saturation and value. Reference: `albumentations.HueSaturationValue`.

use crate::color::map_hsv;
use crate::{Frame, Problems, Shape, SymmetricRange, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HsvShift {
    /// Of 180.
    pub hue: f64,
    /// Of 255.
    pub saturation: f64,
    /// Of 255.
    pub value: f64,
}

/// Shifts hue, saturation and value; of a gray image only the value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HueSaturationValue {
    /// Shift of the hue, where 180 is the whole circle.
    pub hue_shift_limit: SymmetricRange,
    /// Shift of the saturation, of 255.
    pub sat_shift_limit: SymmetricRange,
    /// Shift of the value, of 255.
    pub val_shift_limit: SymmetricRange,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for HueSaturationValue {
    fn default() -> Self {
        HueSaturationValue {
            hue_shift_limit: SymmetricRange::around_zero(20.0),
            sat_shift_limit: SymmetricRange::around_zero(30.0),
            val_shift_limit: SymmetricRange::around_zero(20.0),
            p: 0.5,
        }
    }
}

impl Transform for HueSaturationValue {
    const NAME: &'static str = "hue_saturation_value";
    const DESCRIPTION: &'static str = "shifts hue, saturation and value";

    type Drawn = HsvShift;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.range("hue_shift_limit", &self.hue_shift_limit);
        problems.range("sat_shift_limit", &self.sat_shift_limit);
        problems.range("val_shift_limit", &self.val_shift_limit);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> HsvShift {
        HsvShift {
            hue: self.hue_shift_limit.draw(stream),
            saturation: self.sat_shift_limit.draw(stream),
            value: self.val_shift_limit.draw(stream),
        }
    }

    fn apply(&self, drawn: &HsvShift, frame: &mut Frame) {
        let shifted = |shift: f64| -> [u8; 256] {
            let shift = shift.clamp(-255.0, 255.0) as i16;
            std::array::from_fn(|i| (i as i16 + shift).clamp(0, 255) as u8)
        };
        let value = shifted(drawn.value);
        if frame.shape().channels == 1 {
            frame.map(&value);
        } else if drawn.hue != 0.0 || drawn.saturation != 0.0 || drawn.value != 0.0 {
            let hue = std::array::from_fn(|i| (i as f64 + drawn.hue).rem_euclid(180.0) as u8);
            let width = frame.shape().width;
            map_hsv(frame.pixels_mut(), width, &hue, &shifted(drawn.saturation), &value, true);
        }
    }
}
