//! Shift, scale and rotation at once. Reference: `albumentations.ShiftScaleRotate`.

use crate::affine::{DrawnAffine, warp_in_place};
use crate::warp::Sampling;
use crate::{BorderMode, Fill, Frame, Interpolation, Problems, Shape, SymmetricRange, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shifts, scales and rotates the image around its centre.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ShiftScaleRotate {
    /// Shift across and down, as a fraction of the side.
    pub shift_limit: SymmetricRange,
    /// What is added to the factor 1, across and down by themselves.
    pub scale_limit: SymmetricRange,
    /// Angle in degrees, counterclockwise.
    pub rotate_limit: SymmetricRange,
    /// Shift across, instead of `shift_limit`.
    pub shift_limit_x: Option<SymmetricRange>,
    /// Shift down, instead of `shift_limit`.
    pub shift_limit_y: Option<SymmetricRange>,
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
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for ShiftScaleRotate {
    fn default() -> Self {
        ShiftScaleRotate {
            shift_limit: SymmetricRange::around_zero(0.0625),
            scale_limit: SymmetricRange::around_zero(0.1),
            rotate_limit: SymmetricRange::around_zero(45.0),
            shift_limit_x: None,
            shift_limit_y: None,
            interpolation: Interpolation::Linear,
            mask_interpolation: Interpolation::Nearest,
            border_mode: BorderMode::Constant,
            fill: Fill::default(),
            fill_mask: Fill::default(),
            p: 0.5,
        }
    }
}

impl Transform for ShiftScaleRotate {
    const NAME: &'static str = "shift_scale_rotate";
    const DESCRIPTION: &'static str = "shifts, scales and rotates";

    type Drawn = DrawnAffine;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.range_within("shift_limit", &self.shift_limit, -1.0, 1.0);
        problems.range_within("scale_limit", &self.scale_limit, -1.0, f64::INFINITY);
        problems.range("rotate_limit", &self.rotate_limit);
        for (name, range) in [("shift_limit_x", &self.shift_limit_x), ("shift_limit_y", &self.shift_limit_y)]
        {
            if let Some(range) = range {
                problems.range_within(name, range, -1.0, 1.0);
            }
        }
    }

    fn draw(&self, input: Shape, stream: &mut Stream) -> DrawnAffine {
        let across = self.shift_limit_x.unwrap_or(self.shift_limit).draw(stream);
        let down = self.shift_limit_y.unwrap_or(self.shift_limit).draw(stream);
        DrawnAffine {
            translate: [(across * input.width as f64).trunc(), (down * input.height as f64).trunc()],
            shear: [0.0; 2],
            scale: [1.0 + self.scale_limit.draw(stream), 1.0 + self.scale_limit.draw(stream)],
            rotate: self.rotate_limit.draw(stream),
        }
    }

    fn apply(&self, drawn: &DrawnAffine, frame: &mut Frame) {
        let sampling =
            Sampling { interpolation: self.interpolation, border: self.border_mode, fill: self.fill.pixel() };
        warp_in_place(drawn, frame, sampling);
    }

    fn apply_to_mask(&self, drawn: &DrawnAffine, mask: &mut Frame) {
        let sampling = Sampling {
            interpolation: self.mask_interpolation,
            border: self.border_mode,
            fill: self.fill_mask.pixel(),
        };
        warp_in_place(drawn, mask, sampling);
    }
}
