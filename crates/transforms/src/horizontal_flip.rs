//! Left becomes right. Reference: `albumentations.HorizontalFlip`.

use crate::{Frame, Nothing, Shape, Transform};
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
        if shape.channels != 3 {
            frame.rearrange(|pixels, shape| {
                pixels.chunks_exact_mut(shape.row().max(1)).for_each(<[u8]>::reverse);
            });
            return;
        }
        frame.rearrange_into(shape, |from, to| {
            let row = shape.row().max(1);
            for (from, to) in from.chunks_exact(row).zip(to.chunks_exact_mut(row)) {
                flip_row(from, to);
            }
        });
    }
}

/// Writes the pixels in the opposite order. Four bytes at a time, of which the last is overwritten by the next pixel's
/// first: a copy of three bytes is two.
fn flip_row(from: &[u8], to: &mut [u8]) {
    let n = from.len() / 3;
    if n < 2 {
        to.copy_from_slice(from);
        return;
    }
    to[..3].copy_from_slice(&from[3 * n - 3..]);
    for i in 1..n - 1 {
        let source = (n - 1 - i) * 3;
        to[i * 3..i * 3 + 4].copy_from_slice(&from[source..source + 4]);
    }
    to[3 * n - 3..].copy_from_slice(&from[..3]);
}
