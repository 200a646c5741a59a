//! Any affine map. Reference: `albumentations.Affine`.

use crate::warp::{Matrix, Sampling, by_matrix, product};
use crate::{
    BorderMode, Fill, Fixed, Frame, Interpolation, Pair, PerAxis, Problems, Range, Shape, Transform,
    WholeRange,
};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawnAffine {
    /// Shift across and down, in pixels.
    pub translate: [f64; 2],
    /// Shear along x and y, in degrees.
    pub shear: [f64; 2],
    /// Factors across and down.
    pub scale: [f64; 2],
    /// Angle in degrees, counterclockwise.
    pub rotate: f64,
}

impl Default for DrawnAffine {
    fn default() -> Self {
        DrawnAffine { translate: [0.0; 2], shear: [0.0; 2], scale: [1.0; 2], rotate: 0.0 }
    }
}

/// Scales, rotates, shears and shifts the image around its centre. Where ranges are given for x and y, one range for both is still drawn for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Affine {
    /// Factor of the size.
    pub scale: PerAxis,
    /// Shift as a fraction of the side.
    pub translate_percent: Option<PerAxis>,
    /// Shift in whole pixels.
    pub translate_px: Option<PerAxis>,
    /// Angle in degrees, counterclockwise.
    pub rotate: Range<Fixed>,
    /// Shear in degrees.
    pub shear: PerAxis,
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
    /// Whether the result is as large as the whole image needs.
    pub fit_output: bool,
    /// Whether x and y have the same scale.
    pub keep_ratio: bool,
    /// Whether it is as likely to shrink as to grow.
    pub balanced_scale: bool,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for Affine {
    fn default() -> Self {
        Affine {
            scale: PerAxis::both(1.0, 1.0),
            translate_percent: None,
            translate_px: None,
            rotate: Range::new(0.0, 0.0),
            shear: PerAxis::both(0.0, 0.0),
            interpolation: Interpolation::Linear,
            mask_interpolation: Interpolation::Nearest,
            border_mode: BorderMode::Constant,
            fill: Fill::default(),
            fill_mask: Fill::default(),
            fit_output: false,
            keep_ratio: false,
            balanced_scale: false,
            p: 0.5,
        }
    }
}

impl Transform for Affine {
    const NAME: &'static str = "affine";
    const DESCRIPTION: &'static str = "scales, rotates, shears and shifts";

    type Drawn = DrawnAffine;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        self.scale.check("scale", problems);
        self.shear.check("shear", problems);
        problems.range("rotate", &self.rotate);
        if let (Some(_), Some(translate)) = (&self.translate_percent, &self.translate_px) {
            problems.refuse("translate_px", "translate_percent or translate_px, not both", translate);
        }
        for (name, translate) in
            [("translate_percent", &self.translate_percent), ("translate_px", &self.translate_px)]
        {
            if let Some(translate) = translate {
                translate.check(name, problems);
            }
        }
        let [x, y] = self.scale.ranges(1.0);
        if self.keep_ratio && x != y {
            problems.refuse("scale", "the same range for x and y where keep_ratio is true", &self.scale);
        }
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        input.filter(|_| !self.fit_output)
    }

    fn draw(&self, input: Shape, stream: &mut Stream) -> DrawnAffine {
        let translate = if let Some(px) = &self.translate_px {
            px.ranges(0.0)
                .map(|range| WholeRange::<Pair>::new(range.low as i64, range.high as i64).draw(stream) as f64)
        } else if let Some(percent) = &self.translate_percent {
            let [x, y] = percent.ranges(0.0).map(|range| range.draw(stream));
            [(x * input.width as f64).trunc(), (y * input.height as f64).trunc()]
        } else {
            [0.0; 2]
        };
        // An axis that is left out is sheared by 1 degree, as in the reference.
        let shear = self.shear.ranges(1.0).map(|range| -range.draw(stream));
        let mut scale = self.scale.ranges(1.0).map(|range| {
            if !self.balanced_scale {
                return range.draw(stream);
            }
            let (shrink, grow) = ((range.low, 1.0), (1.0, range.high));
            let (low, high) = match (range.low < 1.0, range.high > 1.0) {
                (true, true) if stream.chance(0.5) => shrink,
                (_, true) => grow,
                (true, false) => shrink,
                (false, false) => (1.0, 1.0),
            };
            stream.uniform(low, high)
        });
        if self.keep_ratio {
            scale[1] = scale[0];
        }
        DrawnAffine { translate, shear, scale, rotate: self.rotate.draw(stream) }
    }

    fn apply(&self, drawn: &DrawnAffine, frame: &mut Frame) {
        let sampling =
            Sampling { interpolation: self.interpolation, border: self.border_mode, fill: self.fill.pixel() };
        self.place(drawn, frame, sampling);
    }

    fn apply_to_mask(&self, drawn: &DrawnAffine, mask: &mut Frame) {
        let sampling = Sampling {
            interpolation: self.mask_interpolation,
            border: self.border_mode,
            fill: self.fill_mask.pixel(),
        };
        self.place(drawn, mask, sampling);
    }
}

impl Affine {
    fn place(&self, drawn: &DrawnAffine, frame: &mut Frame, sampling: Sampling) {
        if !self.fit_output {
            warp_in_place(drawn, frame, sampling);
            return;
        }
        let shape = frame.shape();
        let matrix = drawn.matrix(shape);
        let (height, width) = (shape.height as f64, shape.width as f64);
        let corners = [[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]];
        let along =
            |axis: usize| corners.map(|[x, y]| matrix[axis][0] * x + matrix[axis][1] * y + matrix[axis][2]);
        let [(left, columns), (top, rows)] = [along(0), along(1)].map(|at| {
            let least = at.iter().copied().fold(f64::INFINITY, f64::min).floor();
            let most = at.iter().copied().fold(f64::NEG_INFINITY, f64::max).ceil();
            (least, (most - least + 1.0).max(1.0) as usize)
        });
        let moved = [[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]];
        warp(frame, &product(&moved, &matrix), rows, columns, sampling);
    }
}

impl DrawnAffine {
    /// What takes a pixel of the image to where it is to be: around the centre of the image scale, rotate, shear, and then
    /// shift.
    pub(crate) fn matrix(&self, shape: Shape) -> Matrix {
        let (sin, cos) = self.rotate.rem_euclid(360.0).to_radians().sin_cos();
        let shear = self.shear.map(|degrees| degrees.to_radians().tan());
        let (x, y) = (shape.width as f64 / 2.0 - 0.5, shape.height as f64 / 2.0 - 0.5);
        let steps: [Matrix; 5] = [
            [[1.0, 0.0, x + self.translate[0]], [0.0, 1.0, y + self.translate[1]], [0.0, 0.0, 1.0]],
            [[1.0, shear[0], 0.0], [shear[1], 1.0, 0.0], [0.0, 0.0, 1.0]],
            [[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]],
            [[self.scale[0], 0.0, 0.0], [0.0, self.scale[1], 0.0], [0.0, 0.0, 1.0]],
            [[1.0, 0.0, -x], [0.0, 1.0, -y], [0.0, 0.0, 1.0]],
        ];
        steps[1..].iter().fold(steps[0], |matrix, step| product(&matrix, step))
    }
}

/// Warps the image into one of its own size.
pub(crate) fn warp_in_place(drawn: &DrawnAffine, frame: &mut Frame, sampling: Sampling) {
    let shape = frame.shape();
    warp(frame, &drawn.matrix(shape), shape.height, shape.width, sampling);
}

/// Warps the image into one of `height` x `width` pixels. Nothing is done where the matrix is all but the identity, whatever
/// the size: so the reference.
pub(crate) fn warp(frame: &mut Frame, matrix: &Matrix, height: usize, width: usize, sampling: Sampling) {
    let close = |i: usize, j: usize| {
        let expected = if i == j { 1.0 } else { 0.0 };
        (matrix[i][j] - expected).abs() <= 1e-8 + 1e-5 * expected
    };
    if (0..3).all(|i| (0..3).all(|j| close(i, j))) {
        return;
    }
    let shape = frame.shape();
    frame.redraw_with(Shape { height, width, ..shape }, |from, to, scratch| {
        by_matrix(from, shape, to, width, matrix, sampling, scratch);
    });
}
