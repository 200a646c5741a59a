//! Top becomes bottom. Reference: `albumentations.VerticalFlip`.

use crate::{Frame, Nothing, Shape, Transform};
use pupila_isa::dispatch;
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Flips the image around its horizontal axis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VerticalFlip {
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for VerticalFlip {
    fn default() -> Self {
        VerticalFlip { p: 0.5 }
    }
}

impl Transform for VerticalFlip {
    const NAME: &'static str = "vertical_flip";
    const DESCRIPTION: &'static str = "flips top and bottom";

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
            // A zero that the compiler does not know of keeps this a loop: a call for each row of some hundred bytes, which it would
            // make of a copy, takes a sixth longer.
            let nothing = std::hint::black_box(0);
            dispatch(
                #[inline(always)]
                || {
                    for (from, to) in from.chunks_exact(row).rev().zip(to.chunks_exact_mut(row)) {
                        for (to, &value) in to.iter_mut().zip(from) {
                            *to = value ^ nothing;
                        }
                    }
                },
            );
        });
    }
}
