//! Rows become columns. Reference: `albumentations.Transpose`.

use crate::quarter_turn::{Steps, turn};
use crate::{Frame, Nothing, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Exchanges rows and columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Transpose {
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for Transpose {
    fn default() -> Self {
        Transpose { p: 0.5 }
    }
}

impl Transform for Transpose {
    const NAME: &'static str = "transpose";
    const DESCRIPTION: &'static str = "exchanges rows and columns";

    type Drawn = Nothing;

    fn p(&self) -> f64 {
        self.p
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        input.map(|Shape { height, width, channels }| Shape { height: width, width: height, channels })
    }

    fn draw(&self, _: Shape, _: &mut Stream) -> Nothing {
        Nothing {}
    }

    fn apply(&self, _: &Nothing, frame: &mut Frame) {
        turn(frame, |shape| Steps { start: 0, right: shape.width as isize, down: 1 });
    }

    fn apply_to_mask(&self, drawn: &Nothing, mask: &mut Frame) {
        self.apply(drawn, mask);
    }
}
