//! Brighter or darker, and with more or less contrast. Reference: `albumentations.RandomBrightnessContrast`.

use crate::{Frame, Problems, Shape, SymmetricRange, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const WHITE: f64 = 255.0;

/// Multiplies every value by `1 + contrast` and adds a brightness, both drawn uniformly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomBrightnessContrast {
    /// What is added, as a fraction of white, or of the image's mean.
    pub brightness_limit: SymmetricRange,
    /// The change of the factor: -1 leaves no contrast, 0 leaves it as it is, 1 doubles it.
    pub contrast_limit: SymmetricRange,
    /// Whether brightness is a fraction of white; else of the image's mean.
    pub brightness_by_max: bool,
    /// Whether to weaken a draw so far that no value is cut off at black or white.
    pub ensure_safe_range: bool,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for RandomBrightnessContrast {
    fn default() -> Self {
        RandomBrightnessContrast {
            brightness_limit: SymmetricRange::around_zero(0.2),
            contrast_limit: SymmetricRange::around_zero(0.2),
            brightness_by_max: true,
            ensure_safe_range: false,
            p: 0.5,
        }
    }
}

/// What one draw decides.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrightnessContrast {
    /// The change of the factor.
    pub contrast: f64,
    /// What is added, as a fraction of white or of the mean.
    pub brightness: f64,
}

impl Transform for RandomBrightnessContrast {
    const NAME: &'static str = "random_brightness_contrast";
    const DESCRIPTION: &'static str = "changes brightness and contrast";

    type Drawn = BrightnessContrast;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.range("brightness_limit", &self.brightness_limit);
        problems.range("contrast_limit", &self.contrast_limit);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> BrightnessContrast {
        let contrast = self.contrast_limit.draw(stream);
        BrightnessContrast { contrast, brightness: self.brightness_limit.draw(stream) }
    }

    fn apply(&self, drawn: &BrightnessContrast, frame: &mut Frame) {
        let mut factor = 1.0 + drawn.contrast;
        let mut added = drawn.brightness * if self.brightness_by_max { WHITE } else { mean(frame.pixels()) };
        if self.ensure_safe_range {
            (factor, added) = safe(factor, added);
        }
        // In f32, and cut off rather than rounded, as the reference computes its table.
        let (factor, added) = (factor as f32, added as f32);
        frame.map(&std::array::from_fn(|value| (value as f32 * factor + added).clamp(0.0, 255.0) as u8));
    }
}

fn mean(pixels: &[u8]) -> f64 {
    let sum: u64 = pixels.iter().map(|&value| u64::from(value)).sum();
    sum as f64 / pixels.len().max(1) as f64
}

/// The nearest factor and addition that keep 0 and 255 within `0..=255`.
fn safe(factor: f64, added: f64) -> (f64, f64) {
    if factor > 0.0 {
        let added = added.clamp(0.0, WHITE);
        (factor.min((WHITE - added) / WHITE), added)
    } else {
        let added = added.min(WHITE);
        (factor.max(-added / WHITE), added)
    }
}
