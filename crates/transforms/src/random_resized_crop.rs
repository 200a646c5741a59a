//! A part of the image at another size. Reference: `albumentations.RandomResizedCrop`.

use crate::crop::{CropBox, crop_and_resize};
use crate::{AreaForDownscale, Frame, Interpolation, Pair, Problems, Range, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cropped {
    /// The part.
    pub crop: CropBox,
    /// [height, width] that it is resized to.
    pub size: [usize; 2],
}

/// Cuts out a part of a drawn area and aspect ratio and resizes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RandomResizedCrop {
    /// [height, width] of the result in pixels; left out, those of the image.
    pub size: Option<[u32; 2]>,
    /// Area of the part, as a fraction of the image.
    pub scale: Range<Pair>,
    /// Width by height of the part.
    pub ratio: Range<Pair>,
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

impl Default for RandomResizedCrop {
    fn default() -> Self {
        RandomResizedCrop {
            size: None,
            scale: Range::new(0.08, 1.0),
            ratio: Range::new(0.75, 4.0 / 3.0),
            interpolation: Interpolation::Linear,
            mask_interpolation: Interpolation::Nearest,
            area_for_downscale: None,
            p: 1.0,
        }
    }
}

impl Transform for RandomResizedCrop {
    const NAME: &'static str = "random_resized_crop";
    const DESCRIPTION: &'static str = "cuts out a part and resizes it";

    type Drawn = Cropped;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        if let Some([height, width]) = self.size.filter(|size| size.contains(&0)) {
            problems.refuse("size", "[height, width] of at least 1 pixel", &format!("[{height}, {width}]"));
        }
        problems.range_within("scale", &self.scale, 0.0, 1.0);
        problems.range_within("ratio", &self.ratio, 1e-6, f64::INFINITY);
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        let [height, width] = self.sides(input?);
        Some(Shape { height, width, ..input? })
    }

    fn draw(&self, input: Shape, stream: &mut Stream) -> Cropped {
        let area = (input.height * input.width) as f64;
        let log_ratio = Range::<Pair>::new(self.ratio.low.ln(), self.ratio.high.ln());
        for _ in 0..10 {
            let wanted = self.scale.draw(stream) * area;
            let ratio = log_ratio.draw(stream).exp();
            let width = (wanted * ratio).sqrt().round_ties_even() as usize;
            let height = (wanted / ratio).sqrt().round_ties_even() as usize;
            if (1..=input.width).contains(&width) && (1..=input.height).contains(&height) {
                let (down, across) = (stream.unit(), stream.unit());
                return Cropped {
                    crop: CropBox::at(input, height, width, down, across),
                    size: self.sides(input),
                };
            }
        }
        // No draw fits into the image: the largest part in the middle whose ratio is allowed.
        let own = input.width as f64 / input.height as f64;
        let (mut height, mut width) = (input.height, input.width);
        if own < self.ratio.low {
            height = (width as f64 / self.ratio.low).round_ties_even() as usize;
        } else if own > self.ratio.high {
            width = (height as f64 * self.ratio.high).round_ties_even() as usize;
        }
        Cropped { crop: CropBox::centered(input, height.max(1), width.max(1)), size: self.sides(input) }
    }

    fn window(&self, drawn: &Cropped) -> Option<CropBox> {
        Some(drawn.crop)
    }

    fn apply(&self, drawn: &Cropped, frame: &mut Frame) {
        let area = self.area_for_downscale.is_some() && drawn.shrinks();
        drawn.take(frame, if area { Interpolation::Area } else { self.interpolation });
    }

    fn apply_to_mask(&self, drawn: &Cropped, mask: &mut Frame) {
        // Here the reference asks for no shrinking.
        let area = self.area_for_downscale == Some(AreaForDownscale::ImageMask);
        drawn.take(mask, if area { Interpolation::Area } else { self.mask_interpolation });
    }
}

impl RandomResizedCrop {
    fn sides(&self, input: Shape) -> [usize; 2] {
        self.size.map_or([input.height, input.width], |size| size.map(|side| side as usize))
    }
}

impl Cropped {
    fn shrinks(&self) -> bool {
        let CropBox { x_min, y_min, x_max, y_max } = self.crop;
        y_max - y_min > self.size[0] || x_max - x_min > self.size[1]
    }

    fn take(&self, frame: &mut Frame, interpolation: Interpolation) {
        crop_and_resize(frame, self.crop, self.size[0], self.size[1], interpolation);
    }
}
