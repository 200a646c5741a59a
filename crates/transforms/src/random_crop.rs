//! A part of the image. Reference: `albumentations.RandomCrop`.

use crate::crop::{CropBox, PadAndCrop, Padding, crop, pad, too_large};
use crate::{BorderMode, Fill, Frame, PadPosition, Problems, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Cuts out a part of the image, anywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomCrop {
    /// Height in pixels; left out, that of the image.
    pub height: Option<u32>,
    /// Width in pixels; left out, that of the image.
    pub width: Option<u32>,
    /// Whether a smaller image is padded; else the side that is too small stays whole.
    pub pad_if_needed: bool,
    /// Where the image stands when it is padded.
    pub pad_position: PadPosition,
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

impl Default for RandomCrop {
    fn default() -> Self {
        RandomCrop {
            height: None,
            width: None,
            pad_if_needed: false,
            pad_position: PadPosition::Center,
            border_mode: BorderMode::Constant,
            fill: Fill::default(),
            fill_mask: Fill::default(),
            p: 1.0,
        }
    }
}

impl Transform for RandomCrop {
    const NAME: &'static str = "random_crop";
    const DESCRIPTION: &'static str = "cuts out a part of a given size";

    type Drawn = PadAndCrop;

    fn p(&self) -> f64 {
        self.p
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        let (height, width) = self.sides(input?);
        let side = |wanted: usize, own: usize| if self.pad_if_needed { wanted } else { wanted.min(own) };
        Some(Shape { height: side(height, input?.height), width: side(width, input?.width), ..input? })
    }

    fn misfit(&self, input: Shape) -> Option<String> {
        let (height, width) = self.sides(input);
        (!self.pad_if_needed).then(|| too_large(height, width, input)).flatten()
    }

    fn check(&self, problems: &mut Problems) {
        for (name, side) in [("height", self.height), ("width", self.width)] {
            if let Some(side) = side {
                problems.number_within(name, f64::from(side), 1.0, 65535.0);
            }
        }
    }

    fn draw(&self, input: Shape, stream: &mut Stream) -> PadAndCrop {
        let (height, width) = self.sides(input);
        let missing =
            |wanted: usize, own: usize| if self.pad_if_needed { wanted.saturating_sub(own) } else { 0 };
        let (rows, columns) = (missing(height, input.height), missing(width, input.width));
        let padding = Padding::placed(rows, columns, self.pad_position, stream);
        let padded = Shape { height: input.height + rows, width: input.width + columns, ..input };
        let (down, across) = (stream.unit(), stream.unit());
        let crop = CropBox::at(padded, height, width, down, across);
        PadAndCrop { padding, crop }
    }

    fn window(&self, drawn: &PadAndCrop) -> Option<CropBox> {
        (drawn.padding == Padding::default()).then_some(drawn.crop)
    }

    fn apply(&self, drawn: &PadAndCrop, frame: &mut Frame) {
        pad(frame, drawn.padding, self.border_mode, &self.fill);
        crop(frame, drawn.crop);
    }

    fn apply_to_mask(&self, drawn: &PadAndCrop, mask: &mut Frame) {
        pad(mask, drawn.padding, self.border_mode, &self.fill_mask);
        crop(mask, drawn.crop);
    }
}

impl RandomCrop {
    fn sides(&self, input: Shape) -> (usize, usize) {
        let side = |given: Option<u32>, own: usize| given.map_or(own, |side| side as usize);
        (side(self.height, input.height), side(self.width, input.width))
    }
}
