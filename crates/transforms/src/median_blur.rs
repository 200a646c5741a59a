//! Median. Reference: `albumentations.MedianBlur`.

use crate::median::median;
use crate::{Frame, FromThree, Problems, Shape, Transform, WholeRange};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// Of the square in pixels, odd.
    pub size: usize,
}

/// Takes the median of a square around each pixel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MedianBlur {
    /// Side of the square in pixels, odd.
    pub blur_limit: WholeRange<FromThree>,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for MedianBlur {
    fn default() -> Self {
        MedianBlur { blur_limit: WholeRange::new(3, 7), p: 0.5 }
    }
}

impl Transform for MedianBlur {
    const NAME: &'static str = "median_blur";
    const DESCRIPTION: &'static str = "takes medians";

    type Drawn = Side;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.whole_range_within("blur_limit", &self.blur_limit, 3, 255);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> Side {
        Side { size: self.blur_limit.draw_odd(stream) as usize }
    }

    fn apply(&self, drawn: &Side, frame: &mut Frame) {
        let shape = frame.shape();
        if shape.values() > 0 {
            frame.redraw_with(shape, |from, to, scratch| median(from, shape, to, drawn.size, scratch));
        }
    }
}
