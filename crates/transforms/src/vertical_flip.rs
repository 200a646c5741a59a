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
        frame.rearrange(|pixels, shape| {
            let row = shape.row().max(1);
            let (top, bottom) = pixels.split_at_mut(shape.height / 2 * row);
            let pairs = top.chunks_exact_mut(row).zip(bottom.chunks_exact_mut(row).rev());
            dispatch(
                #[inline(always)]
                || {
                    for (upper, lower) in pairs {
                        swap(upper, lower);
                    }
                },
            );
        });
    }
}

/// Exchanges two rows, a few vectors at a time: `swap_with_slice` is compiled for the least of all processors.
#[inline(always)]
fn swap(a: &mut [u8], b: &mut [u8]) {
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks_mut::<128>(), b.as_chunks_mut::<128>());
    for (a, b) in a.iter_mut().zip(b) {
        (*a, *b) = (*b, *a);
    }
    rest_a.swap_with_slice(rest_b);
}
