//! Left becomes right. Reference: `albumentations.HorizontalFlip`.

use crate::{Frame, Nothing, Shape, Transform};
use pupila_isa::reverse_pixels;
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Flips the image around its vertical axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HorizontalFlip {
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for HorizontalFlip {
    fn default() -> Self {
        HorizontalFlip { p: 0.5 }
    }
}

impl Transform for HorizontalFlip {
    const NAME: &'static str = "horizontal_flip";
    const DESCRIPTION: &'static str = "flips left and right";

    type Drawn = Nothing;

    fn p(&self) -> f64 {
        self.p
    }

    fn draw(&self, _: Shape, _: &mut Stream) -> Nothing {
        Nothing {}
    }

    fn apply_to_mask(&self, drawn: &Nothing, mask: &mut Frame) {
        self.apply(drawn, mask);
    }

    fn apply(&self, _: &Nothing, frame: &mut Frame) {
        let shape = frame.shape();
        frame.rearrange(shape, |from, to| {
            let row = shape.row().max(1);
            for (from, to) in from.chunks_exact(row).zip(to.chunks_exact_mut(row)) {
                if shape.channels == 3 {
                    reverse_pixels(from, to);
                } else {
                    to.iter_mut().zip(from.iter().rev()).for_each(|(to, &value)| *to = value);
                }
            }
        });
    }
}
