//! Pixels around a small image. Reference: `albumentations.PadIfNeeded`.

use crate::crop::{Padding, pad};
use crate::{BorderMode, Fill, Frame, PadPosition, Problems, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Adds pixels around an image that is too small, or whose sides cannot be divided by a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PadIfNeeded {
    /// Least height in pixels.
    pub min_height: Option<u32>,
    /// Least width in pixels.
    pub min_width: Option<u32>,
    /// Instead of a least height: a number that the height is to be a multiple of.
    pub pad_height_divisor: Option<u32>,
    /// Instead of a least width: a number that the width is to be a multiple of.
    pub pad_width_divisor: Option<u32>,
    /// Where the image stands in the larger one.
    pub position: PadPosition,
    /// What is beyond the border.
    pub border_mode: BorderMode,
    /// The value of the border mode `constant`.
    pub fill: Fill,
    /// The same for a mask.
    pub fill_mask: Fill,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for PadIfNeeded {
    fn default() -> Self {
        PadIfNeeded {
            min_height: Some(1024),
            min_width: Some(1024),
            pad_height_divisor: None,
            pad_width_divisor: None,
            position: PadPosition::Center,
            border_mode: BorderMode::Constant,
            fill: Fill::default(),
            fill_mask: Fill::default(),
            p: 1.0,
        }
    }
}

impl Transform for PadIfNeeded {
    const NAME: &'static str = "pad_if_needed";
    const DESCRIPTION: &'static str = "pads small images";

    type Drawn = Padding;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        for (name, side) in
            [("min_height", self.min_height), ("min_width", self.min_width)].into_iter().chain([
                ("pad_height_divisor", self.pad_height_divisor),
                ("pad_width_divisor", self.pad_width_divisor),
            ])
        {
            if let Some(side) = side {
                problems.number_within(name, f64::from(side), 1.0, 65535.0);
            }
        }
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        let (rows, columns) = self.missing(input?);
        Some(Shape { height: input?.height + rows, width: input?.width + columns, ..input? })
    }

    fn draw(&self, input: Shape, stream: &mut Stream) -> Padding {
        let (rows, columns) = self.missing(input);
        Padding::placed(rows, columns, self.position, stream)
    }

    fn apply(&self, drawn: &Padding, frame: &mut Frame) {
        pad(frame, *drawn, self.border_mode, &self.fill);
    }

    fn apply_to_mask(&self, drawn: &Padding, mask: &mut Frame) {
        pad(mask, *drawn, self.border_mode, &self.fill_mask);
    }
}

impl PadIfNeeded {
    /// Rows and columns to add. A divisor counts before a least side, which a recipe cannot take away.
    fn missing(&self, input: Shape) -> (usize, usize) {
        let side = |own: usize, least: Option<u32>, divisor: Option<u32>| match (divisor, least) {
            (Some(divisor), _) => own.next_multiple_of(divisor.max(1) as usize) - own,
            (None, Some(least)) => (least as usize).saturating_sub(own),
            (None, None) => 0,
        };
        (
            side(input.height, self.min_height, self.pad_height_divisor),
            side(input.width, self.min_width, self.pad_width_divisor),
        )
    }
}
