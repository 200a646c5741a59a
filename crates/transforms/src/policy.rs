//! The operations of RandAugment and TrivialAugment, as `torchvision.transforms` applies them to Pillow images: nearest
//! pixels and black beyond the border for geometry, `ImageEnhance` and `ImageOps` for the others.
//!
//! Their spaces of magnitudes are those of torchvision 0.21, `RandAugment` and `TrivialAugmentWide`.

use crate::affine::warp;
use crate::equalize::histogram_equalize_pillow;
use crate::warp::{Matrix, Sampling};
use crate::{BorderMode, Frame, Interpolation};
use pupila_random::Stream;
use serde::{Deserialize, Serialize};

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyOp {
    /// Nothing.
    Identity,
    /// Shear along x, in pixels of shift for each pixel down.
    ShearX,
    /// Shear along y, the same.
    ShearY,
    /// Shift across in pixels.
    TranslateX,
    /// Shift down in pixels.
    TranslateY,
    /// Rotation in degrees, counterclockwise.
    Rotate,
    /// `ImageEnhance.Brightness` of 1 + magnitude.
    Brightness,
    /// `ImageEnhance.Color` of 1 + magnitude.
    Color,
    /// `ImageEnhance.Contrast` of 1 + magnitude.
    Contrast,
    /// `ImageEnhance.Sharpness` of 1 + magnitude.
    Sharpness,
    /// `ImageOps.posterize` to as many bits as the magnitude says.
    Posterize,
    /// `ImageOps.solarize` from the magnitude on.
    Solarize,
    /// `ImageOps.autocontrast`.
    AutoContrast,
    /// `ImageOps.equalize`.
    Equalize,
}

/// An operation with its magnitude.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyStep {
    /// What to do.
    pub op: PolicyOp,
    /// How much, in the unit of the operation.
    pub magnitude: f64,
}

/// What one draw of a policy decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDraw {
    /// What to do, in order.
    pub steps: Vec<PolicyStep>,
}

/// The largest magnitudes of a policy.
pub(crate) struct Space {
    pub shear: f64,
    /// Of a shift, in pixels across and down.
    pub translate: [f64; 2],
    pub rotate: f64,
    pub enhance: f64,
    /// Bits that posterising takes away at most.
    pub posterize: f64,
}

impl PolicyOp {
    /// All operations.
    pub(crate) const ALL: [PolicyOp; 14] = [
        PolicyOp::Identity,
        PolicyOp::ShearX,
        PolicyOp::ShearY,
        PolicyOp::TranslateX,
        PolicyOp::TranslateY,
        PolicyOp::Rotate,
        PolicyOp::Brightness,
        PolicyOp::Color,
        PolicyOp::Contrast,
        PolicyOp::Sharpness,
        PolicyOp::Posterize,
        PolicyOp::Solarize,
        PolicyOp::AutoContrast,
        PolicyOp::Equalize,
    ];

    /// The step at `strength` (0 to 1) of the space; whether a magnitude is negative is drawn where it can be.
    pub(crate) fn at(self, strength: f64, space: &Space, stream: &mut Stream) -> PolicyStep {
        let (magnitude, signed) = match self {
            PolicyOp::Identity | PolicyOp::AutoContrast | PolicyOp::Equalize => (0.0, false),
            PolicyOp::ShearX | PolicyOp::ShearY => (strength * space.shear, true),
            PolicyOp::TranslateX => ((strength * space.translate[0]).trunc(), true),
            PolicyOp::TranslateY => ((strength * space.translate[1]).trunc(), true),
            PolicyOp::Rotate => (strength * space.rotate, true),
            PolicyOp::Brightness | PolicyOp::Color | PolicyOp::Contrast | PolicyOp::Sharpness => {
                (strength * space.enhance, true)
            }
            PolicyOp::Posterize => (8.0 - (strength * space.posterize).round_ties_even(), false),
            PolicyOp::Solarize => (255.0 * (1.0 - strength), false),
        };
        let negative = signed && stream.chance(0.5);
        PolicyStep { op: self, magnitude: if negative { -magnitude } else { magnitude } }
    }
}

impl PolicyDraw {
    /// Changes an image.
    pub(crate) fn apply(&self, frame: &mut Frame) {
        if frame.shape().values() > 0 {
            self.steps.iter().for_each(|step| step.apply(frame));
        }
    }

    /// Moves a mask as the image.
    pub(crate) fn apply_to_mask(&self, mask: &mut Frame) {
        self.steps.iter().for_each(|step| step.warp(mask));
    }
}

impl PolicyStep {
    fn apply(&self, frame: &mut Frame) {
        let factor = 1.0 + self.magnitude;
        match self.op {
            PolicyOp::Identity => {}
            PolicyOp::ShearX
            | PolicyOp::ShearY
            | PolicyOp::TranslateX
            | PolicyOp::TranslateY
            | PolicyOp::Rotate => self.warp(frame),
            PolicyOp::Brightness => frame.map(&std::array::from_fn(|value| blend(0, value as u8, factor))),
            PolicyOp::Color if frame.shape().channels != 3 => {}
            PolicyOp::Color => {
                for pixel in frame.pixels_mut().as_chunks_mut::<3>().0 {
                    let gray = luma(*pixel);
                    *pixel = pixel.map(|value| blend(gray, value, factor));
                }
            }
            PolicyOp::Contrast => {
                let mean = mean_luma(frame);
                frame.map(&std::array::from_fn(|value| blend(mean, value as u8, factor)));
            }
            PolicyOp::Sharpness => sharpen(frame, factor),
            PolicyOp::Posterize => {
                let mask = !((255u16 >> self.magnitude.clamp(0.0, 8.0) as u16) as u8);
                frame.pixels_mut().iter_mut().for_each(|value| *value &= mask);
            }
            PolicyOp::Solarize => {
                let threshold = self.magnitude;
                frame.map(&std::array::from_fn(
                    |i| if i as f64 >= threshold { 255 - i as u8 } else { i as u8 },
                ));
            }
            PolicyOp::AutoContrast => by_channel(frame, stretch_table),
            PolicyOp::Equalize => by_channel(frame, histogram_equalize_pillow),
        }
    }

    fn warp(&self, frame: &mut Frame) {
        let shape = frame.shape();
        let m = self.magnitude;
        // From the corner of the image; pixels are where their centres are, half a pixel from it.
        let moved: Matrix = match self.op {
            PolicyOp::ShearX => [[1.0, m, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            PolicyOp::ShearY => [[1.0, 0.0, 0.0], [m, 1.0, 0.0], [0.0, 0.0, 1.0]],
            PolicyOp::TranslateX => [[1.0, 0.0, m], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            PolicyOp::TranslateY => [[1.0, 0.0, 0.0], [0.0, 1.0, m], [0.0, 0.0, 1.0]],
            PolicyOp::Rotate => {
                let (sin, cos) = m.to_radians().sin_cos();
                let (x, y) = (shape.width as f64 / 2.0, shape.height as f64 / 2.0);
                [[cos, sin, x - cos * x - sin * y], [-sin, cos, y + sin * x - cos * y], [0.0, 0.0, 1.0]]
            }
            _ => return,
        };
        let shifted = |row: [f64; 3], own: f64| [row[0], row[1], row[2] + 0.5 * (row[0] + row[1]) - own];
        let matrix = [shifted(moved[0], 0.5), shifted(moved[1], 0.5), moved[2]];
        let sampling =
            Sampling { interpolation: Interpolation::Nearest, border: BorderMode::Constant, fill: [0; 3] };
        warp(frame, &matrix, shape.height, shape.width, sampling);
    }
}

/// `Image.blend`: cut off, not rounded.
fn blend(from: u8, to: u8, share: f64) -> u8 {
    let (from, to) = (f32::from(from), f32::from(to));
    (from + share as f32 * (to - from)).clamp(0.0, 255.0) as u8
}

/// Pillow's `convert("L")`.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b) + 0x8000) >> 16) as u8
}

fn mean_luma(frame: &mut Frame) -> u8 {
    let shape = frame.shape();
    let pixels = frame.pixels();
    let sum: u64 = match shape.channels {
        3 => pixels.as_chunks::<3>().0.iter().map(|&rgb| u64::from(luma(rgb))).sum(),
        _ => pixels.iter().map(|&value| u64::from(value)).sum(),
    };
    (sum as f64 / (shape.height * shape.width).max(1) as f64 + 0.5) as u8
}

/// `ImageEnhance.Sharpness`: from `ImageFilter.SMOOTH`, which leaves the border as it is.
fn sharpen(frame: &mut Frame, factor: f64) {
    let shape = frame.shape();
    let (row, channels) = (shape.row(), shape.channels);
    frame.redraw(shape, |from, to| {
        to.copy_from_slice(from);
        for y in 1..shape.height.saturating_sub(1) {
            for x in channels..row.saturating_sub(channels) {
                let at = y * row + x;
                let three = |at: usize| {
                    u32::from(from[at - channels]) + u32::from(from[at]) + u32::from(from[at + channels])
                };
                let sum = three(at - row) + three(at) + three(at + row) + 4 * u32::from(from[at]);
                let smooth = (sum as f32 / 13.0 + 0.5) as u8;
                to[at] = blend(smooth, from[at], factor);
            }
        }
    });
}

/// Maps each channel by a table of its histogram.
fn by_channel(frame: &mut Frame, table: impl Fn(&[u32; 256]) -> [u8; 256]) {
    let channels = frame.shape().channels.max(1);
    let pixels = frame.pixels_mut();
    for channel in 0..channels {
        let mut histogram = [0; 256];
        pixels.iter().skip(channel).step_by(channels).for_each(|&value| histogram[usize::from(value)] += 1);
        let table = table(&histogram);
        let values = pixels.iter_mut().skip(channel).step_by(channels);
        values.for_each(|value| *value = table[usize::from(*value)]);
    }
}

/// `ImageOps.autocontrast`: the least value becomes black and the largest white.
fn stretch_table(histogram: &[u32; 256]) -> [u8; 256] {
    let low = histogram.iter().position(|&count| count > 0).unwrap_or(0);
    let high = histogram.iter().rposition(|&count| count > 0).unwrap_or(0);
    if high <= low {
        return std::array::from_fn(|value| value as u8);
    }
    let scale = 255.0 / (high - low) as f64;
    std::array::from_fn(|value| (value as f64 * scale - low as f64 * scale).clamp(0.0, 255.0) as u8)
}
