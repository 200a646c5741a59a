//! Another size. Reference: `albumentations.Resize`.

use crate::crop::resize;
use crate::{AreaForDownscale, Frame, Interpolation, Nothing, Problems, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Resizes the image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Resize {
    /// Height in pixels; left out, that of the image.
    pub height: Option<u32>,
    /// Width in pixels; left out, that of the image.
    pub width: Option<u32>,
    /// How values between pixels are made.
    pub interpolation: Interpolation,
    /// The same for a mask.
    pub mask_interpolation: Interpolation,
    /// Whether images, or images and masks, take `area` when they shrink.
    pub area_for_downscale: Option<AreaForDownscale>,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for Resize {
    fn default() -> Self {
        Resize {
            height: None,
            width: None,
            interpolation: Interpolation::Linear,
            mask_interpolation: Interpolation::Nearest,
            area_for_downscale: None,
            p: 1.0,
        }
    }
}

impl Transform for Resize {
    const NAME: &'static str = "resize";
    const DESCRIPTION: &'static str = "resizes to a height and a width";

    type Drawn = Nothing;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        for (name, side) in [("height", self.height), ("width", self.width)] {
            if let Some(side) = side {
                problems.number_within(name, f64::from(side), 1.0, 65535.0);
            }
        }
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        let (height, width) = self.sides(input?);
        Some(Shape { height, width, ..input? })
    }

    fn draw(&self, _: Shape, _: &mut Stream) -> Nothing {
        Nothing {}
    }

    fn apply(&self, _: &Nothing, frame: &mut Frame) {
        let (height, width) = self.sides(frame.shape());
        let shrinks = height < frame.shape().height || width < frame.shape().width;
        let area = self.area_for_downscale.is_some() && shrinks;
        resize(frame, height, width, if area { Interpolation::Area } else { self.interpolation });
    }

    fn apply_to_mask(&self, _: &Nothing, mask: &mut Frame) {
        let (height, width) = self.sides(mask.shape());
        let shrinks = height < mask.shape().height || width < mask.shape().width;
        let area = self.area_for_downscale == Some(AreaForDownscale::ImageMask) && shrinks;
        resize(mask, height, width, if area { Interpolation::Area } else { self.mask_interpolation });
    }
}

impl Resize {
    fn sides(&self, input: Shape) -> (usize, usize) {
        let side = |given: Option<u32>, own: usize| given.map_or(own, |side| side as usize);
        (side(self.height, input.height), side(self.width, input.width))
    }
}
