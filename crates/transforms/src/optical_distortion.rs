//! A lens. Reference: `albumentations.OpticalDistortion`.

use crate::warp::{Sampling, by_position};
use crate::{BorderMode, Fill, Frame, Interpolation, Problems, Shape, SymmetricRange, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The model of a lens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LensMode {
    /// OpenCV's camera with the radial coefficients k1 = k2 = k.
    Camera,
    /// Radii grow by k times their square, relative to the largest.
    Fisheye,
}

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distortion {
    /// Strength.
    pub k: f64,
}

/// Distorts the image as a lens does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OpticalDistortion {
    /// Strength; positive values draw the border inwards.
    pub distort_limit: SymmetricRange,
    /// The model of the lens.
    pub mode: LensMode,
    /// How values between pixels are made.
    pub interpolation: Interpolation,
    /// The same for a mask.
    pub mask_interpolation: Interpolation,
    /// What is beyond the border.
    pub border_mode: BorderMode,
    /// The value of the border mode `constant`. One number is for the first channel, the others are 0: so the reference.
    pub fill: Fill,
    /// The same for a mask.
    pub fill_mask: Fill,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for OpticalDistortion {
    fn default() -> Self {
        OpticalDistortion {
            distort_limit: SymmetricRange::around_zero(0.05),
            mode: LensMode::Camera,
            interpolation: Interpolation::Linear,
            mask_interpolation: Interpolation::Nearest,
            border_mode: BorderMode::Constant,
            fill: Fill::default(),
            fill_mask: Fill::default(),
            p: 0.5,
        }
    }
}

impl Transform for OpticalDistortion {
    const NAME: &'static str = "optical_distortion";
    const DESCRIPTION: &'static str = "distorts as a lens";

    type Drawn = Distortion;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.range("distort_limit", &self.distort_limit);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> Distortion {
        Distortion { k: self.distort_limit.draw(stream) }
    }

    fn apply(&self, drawn: &Distortion, frame: &mut Frame) {
        let sampling = Sampling {
            interpolation: self.interpolation,
            border: self.border_mode,
            fill: self.fill.scalar(),
        };
        self.distort(drawn, frame, sampling);
    }

    fn apply_to_mask(&self, drawn: &Distortion, mask: &mut Frame) {
        let sampling = Sampling {
            interpolation: self.mask_interpolation,
            border: self.border_mode,
            fill: self.fill_mask.scalar(),
        };
        self.distort(drawn, mask, sampling);
    }
}

impl OpticalDistortion {
    fn distort(&self, drawn: &Distortion, frame: &mut Frame, sampling: Sampling) {
        let shape = frame.shape();
        let k = drawn.k as f32;
        let (width, height) = (shape.width as f32, shape.height as f32);
        let (centre_x, centre_y) = (width / 2.0, height / 2.0);
        // What squares of distances are relative to, across and down, and their two coefficients.
        let (unit_x, unit_y, first, second) = match self.mode {
            LensMode::Camera => (width, height, k, k),
            LensMode::Fisheye => {
                let radius = centre_x.hypot(centre_y);
                (radius, radius, k, 0.0)
            }
        };
        // OpenCV puts the centre of the result half a pixel before that of the source.
        let shift = if self.mode == LensMode::Camera { 0.5 } else { 0.0 };
        let columns: Vec<f32> = (0..shape.width).map(|x| x as f32 - (centre_x - shift)).collect();
        let squares: Vec<f32> = columns.iter().map(|x| (x / unit_x).powi(2)).collect();
        frame.redraw_with(shape, |from, to, scratch| {
            by_position(from, shape, to, shape.width, sampling, scratch, |y, xs, ys| {
                let y = y as f32 - (centre_y - shift);
                let square_y = (y / unit_y).powi(2);
                for (((to_x, to_y), &x), &square) in xs.iter_mut().zip(ys).zip(&columns).zip(&squares) {
                    let r2 = square + square_y;
                    let factor = 1.0 + (second * r2 + first) * r2;
                    *to_x = x * factor + centre_x;
                    *to_y = y * factor + centre_y;
                }
            });
        });
    }
}
