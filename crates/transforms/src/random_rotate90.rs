//! Quarter turns. Reference: `albumentations.RandomRotate90`.

use crate::quarter_turn::{Steps, half_turn, turn};
use crate::{Frame, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuarterTurns {
    /// How many quarters, 0 to 3.
    pub factor: u8,
}

/// Turns the image by 0, 90, 180 or 270 degrees, counterclockwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomRotate90 {
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for RandomRotate90 {
    fn default() -> Self {
        RandomRotate90 { p: 1.0 }
    }
}

impl Transform for RandomRotate90 {
    const NAME: &'static str = "random_rotate90";
    const DESCRIPTION: &'static str = "turns by a multiple of 90 degrees";

    type Drawn = QuarterTurns;

    fn p(&self) -> f64 {
        self.p
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        input.filter(|shape| shape.height == shape.width)
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> QuarterTurns {
        QuarterTurns { factor: stream.below(4) as u8 }
    }

    fn apply(&self, drawn: &QuarterTurns, frame: &mut Frame) {
        match drawn.factor % 4 {
            1 => turn(frame, |shape| {
                let width = shape.width as isize;
                Steps { start: width - 1, right: width, down: -1 }
            }),
            2 => half_turn(frame),
            3 => turn(frame, |shape| {
                let (height, width) = (shape.height as isize, shape.width as isize);
                Steps { start: (height - 1) * width, right: -width, down: 1 }
            }),
            _ => {}
        }
    }

    fn apply_to_mask(&self, drawn: &QuarterTurns, mask: &mut Frame) {
        self.apply(drawn, mask);
    }
}
