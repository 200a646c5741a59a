//! Inverts what is bright. Reference: `albumentations.Solarize`.

use crate::{Frame, Pair, Problems, Range, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// As a fraction of white.
    pub threshold: f64,
}

/// Inverts the values at or above a threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Solarize {
    /// The threshold, as a fraction of white.
    pub threshold_range: Range<Pair>,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for Solarize {
    fn default() -> Self {
        Solarize { threshold_range: Range::new(0.5, 0.5), p: 0.5 }
    }
}

impl Transform for Solarize {
    const NAME: &'static str = "solarize";
    const DESCRIPTION: &'static str = "inverts bright values";

    type Drawn = Threshold;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.range_within("threshold_range", &self.threshold_range, 0.0, 1.0);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> Threshold {
        Threshold { threshold: self.threshold_range.draw(stream) }
    }

    fn apply(&self, drawn: &Threshold, frame: &mut Frame) {
        let first = (drawn.threshold * 255.0).ceil();
        if first > 255.0 {
            return;
        }
        let first = first as u8;
        frame
            .pixels_mut()
            .iter_mut()
            .for_each(|value| *value = if *value >= first { !*value } else { *value });
    }
}
