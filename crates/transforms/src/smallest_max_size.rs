//! A given shorter side. Reference: `albumentations.SmallestMaxSize`.

use crate::crop::resize;
use crate::max_size::{MaxSize, Scale};
use crate::{AreaForDownscale, Frame, Interpolation, Problems, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Resizes the image so that its shorter side has a given length; its proportions stay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SmallestMaxSize {
    /// Length of the shorter side in pixels, or a list of lengths to draw from.
    pub max_size: Option<MaxSize>,
    /// Instead: [height, width] that bound the sides; 0 is no bound.
    pub max_size_hw: Option<[u32; 2]>,
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

impl Default for SmallestMaxSize {
    fn default() -> Self {
        SmallestMaxSize {
            max_size: None,
            max_size_hw: None,
            interpolation: Interpolation::Linear,
            mask_interpolation: Interpolation::Nearest,
            area_for_downscale: None,
            p: 1.0,
        }
    }
}

impl Transform for SmallestMaxSize {
    const NAME: &'static str = "smallest_max_size";
    const DESCRIPTION: &'static str = "resizes until the shorter side has a length";

    type Drawn = Scale;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        if let (Some(_), Some([height, width])) = (&self.max_size, self.max_size_hw) {
            problems.refuse(
                "max_size_hw",
                "max_size or max_size_hw, not both",
                &format!("[{height}, {width}]"),
            );
        }
        if let Some(size) = &self.max_size {
            size.check(problems);
        }
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        let only_one = self.max_size.as_ref().is_none_or(|size| size.lengths().len() == 1);
        let scale = self.scale(input?, |lengths| lengths[0]);
        only_one.then_some(scale.of(input?))
    }

    fn draw(&self, input: Shape, stream: &mut Stream) -> Scale {
        self.scale(input, |lengths| lengths[stream.below(lengths.len() as u32) as usize])
    }

    fn apply(&self, drawn: &Scale, frame: &mut Frame) {
        let area = self.area_for_downscale.is_some() && drawn.scale < 1.0;
        let Shape { height, width, .. } = drawn.of(frame.shape());
        resize(frame, height, width, if area { Interpolation::Area } else { self.interpolation });
    }

    fn apply_to_mask(&self, drawn: &Scale, mask: &mut Frame) {
        let area = self.area_for_downscale == Some(AreaForDownscale::ImageMask) && drawn.scale < 1.0;
        let Shape { height, width, .. } = drawn.of(mask.shape());
        resize(mask, height, width, if area { Interpolation::Area } else { self.mask_interpolation });
    }
}

impl SmallestMaxSize {
    fn scale(&self, input: Shape, choose: impl FnOnce(&[u32]) -> u32) -> Scale {
        let (height, width) = (input.height as f64, input.width as f64);
        let scale = match (&self.max_size, self.max_size_hw) {
            (Some(size), _) => f64::from(choose(size.lengths())) / (input.height.min(input.width) as f64),
            (None, Some([0, 0]) | None) => 1.0,
            (None, Some([h, 0])) => f64::from(h) / height,
            (None, Some([0, w])) => f64::from(w) / width,
            (None, Some([h, w])) => {
                let (h, w) = (f64::from(h), f64::from(w));
                (h / height).max(w / width)
            }
        };
        Scale { scale }
    }
}
