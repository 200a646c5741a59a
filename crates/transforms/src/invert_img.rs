//! The negative. Reference: `albumentations.InvertImg`.

use crate::{Frame, Nothing, Shape, Transform};
use pupila_isa::dispatch;
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Inverts every value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InvertImg {
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for InvertImg {
    fn default() -> Self {
        InvertImg { p: 0.5 }
    }
}

impl Transform for InvertImg {
    const NAME: &'static str = "invert_img";
    const DESCRIPTION: &'static str = "makes the negative";

    type Drawn = Nothing;

    fn p(&self) -> f64 {
        self.p
    }

    fn draw(&self, _: Shape, _: &mut Stream) -> Nothing {
        Nothing {}
    }

    fn apply(&self, _: &Nothing, frame: &mut Frame) {
        let shape = frame.shape();
        frame.redraw(shape, |from, to| {
            dispatch(
                #[inline(always)]
                || to.iter_mut().zip(from).for_each(|(to, value)| *to = !*value),
            );
        });
    }
}
