//! Rotation. Reference: `albumentations.Rotate`.

use crate::affine::{DrawnAffine, warp};
use crate::crop::{CropBox, crop};
use crate::warp::Sampling;
use crate::{BorderMode, Fill, Frame, Interpolation, Problems, Shape, SymmetricRange, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Angle {
    /// In degrees, counterclockwise.
    pub angle: f64,
}

/// Rotates the image around its centre, counterclockwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rotate {
    /// Angle in degrees.
    pub limit: SymmetricRange,
    /// How values between pixels are made.
    pub interpolation: Interpolation,
    /// The same for a mask.
    pub mask_interpolation: Interpolation,
    /// What is beyond the border.
    pub border_mode: BorderMode,
    /// The value of the border mode `constant`.
    pub fill: Fill,
    /// The same for a mask.
    pub fill_mask: Fill,
    /// Whether only the largest upright rectangle inside of the rotated image is kept.
    pub crop_border: bool,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for Rotate {
    fn default() -> Self {
        Rotate {
            limit: SymmetricRange::around_zero(90.0),
            interpolation: Interpolation::Linear,
            mask_interpolation: Interpolation::Nearest,
            border_mode: BorderMode::Constant,
            fill: Fill::default(),
            fill_mask: Fill::default(),
            crop_border: false,
            p: 0.5,
        }
    }
}

impl Transform for Rotate {
    const NAME: &'static str = "rotate";
    const DESCRIPTION: &'static str = "rotates around the centre";

    type Drawn = Angle;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.range("limit", &self.limit);
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        input.filter(|_| !self.crop_border)
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> Angle {
        Angle { angle: self.limit.draw(stream) }
    }

    fn apply(&self, drawn: &Angle, frame: &mut Frame) {
        let sampling =
            Sampling { interpolation: self.interpolation, border: self.border_mode, fill: self.fill.pixel() };
        self.turn(drawn, frame, sampling);
    }

    fn apply_to_mask(&self, drawn: &Angle, mask: &mut Frame) {
        let sampling = Sampling {
            interpolation: self.mask_interpolation,
            border: self.border_mode,
            fill: self.fill_mask.pixel(),
        };
        self.turn(drawn, mask, sampling);
    }
}

impl Rotate {
    fn turn(&self, drawn: &Angle, frame: &mut Frame, sampling: Sampling) {
        let shape = frame.shape();
        let affine = DrawnAffine { rotate: drawn.angle, ..DrawnAffine::default() };
        warp(frame, &affine.matrix(shape), shape.height, shape.width, sampling);
        if self.crop_border {
            crop(frame, largest_rectangle(shape, drawn.angle));
        }
    }
}

/// The largest upright rectangle inside of the image rotated by `angle` degrees.
fn largest_rectangle(shape: Shape, angle: f64) -> CropBox {
    let (height, width) = (shape.height as f64, shape.width as f64);
    let (sin, cos) = angle.to_radians().sin_cos();
    let (sin, cos) = (sin.abs(), cos.abs());
    let wider = width >= height;
    let (long, short) = if wider { (width, height) } else { (height, width) };
    let (wide, high) = if short <= 2.0 * sin * cos * long || (sin - cos).abs() < 1e-10 {
        // Two corners touch the long side, the other two are on the line in the middle between the long sides.
        let half = 0.5 * short;
        if wider { (half / sin, half / cos) } else { (half / cos, half / sin) }
    } else {
        let double = cos * cos - sin * sin;
        ((width * cos - height * sin) / double, (height * cos - width * sin) / double)
    };
    let from = |side: f64, kept: f64| (side / 2.0 - kept / 2.0) as usize;
    let to = |side: f64, kept: f64| ((side / 2.0 + kept / 2.0) as usize).min(side as usize);
    CropBox {
        x_min: from(width, wide),
        x_max: to(width, wide),
        y_min: from(height, high),
        y_max: to(height, high),
    }
}
