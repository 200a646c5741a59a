//! The image seen from another side. Reference: `albumentations.Perspective`.

use crate::warp::{Matrix, Sampling, by_matrix, product};
use crate::{BorderMode, Fill, Frame, FromZero, Interpolation, Problems, Range, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corners {
    /// (x, y) in pixels of what becomes the upper left, upper right, lower right and lower left corner.
    pub corners: [[f64; 2]; 4],
}

/// Moves the corners inwards at random and stretches what they enclose over the image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Perspective {
    /// Standard deviation of how far the corners move, as a fraction of the sides.
    pub scale: Range<FromZero>,
    /// Whether the result has the size of the image; else that of the enclosed part.
    pub keep_size: bool,
    /// Whether the result shows the whole image.
    pub fit_output: bool,
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

impl Default for Perspective {
    fn default() -> Self {
        Perspective {
            scale: Range::new(0.05, 0.1),
            keep_size: true,
            fit_output: false,
            interpolation: Interpolation::Linear,
            mask_interpolation: Interpolation::Nearest,
            border_mode: BorderMode::Constant,
            fill: Fill::default(),
            fill_mask: Fill::default(),
            p: 0.5,
        }
    }
}

impl Transform for Perspective {
    const NAME: &'static str = "perspective";
    const DESCRIPTION: &'static str = "changes the perspective";

    type Drawn = Corners;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.range_within("scale", &self.scale, 0.0, f64::INFINITY);
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        input.filter(|_| self.keep_size)
    }

    fn draw(&self, input: Shape, stream: &mut Stream) -> Corners {
        let scale = self.scale.draw(stream);
        let (width, height) = (input.width as f64, input.height as f64);
        let mut inward = || {
            let (x, y) = stream.normal_pair();
            [x, y].map(|shift| (shift * scale).abs() % 0.32)
        };
        let [a, b, c, d] = [inward(), inward(), inward(), inward()];
        let corners = [a, [1.0 - b[0], b[1]], [1.0 - c[0], 1.0 - c[1]], [d[0], 1.0 - d[1]]];
        Corners { corners: corners.map(|[x, y]| [x * width, y * height]) }
    }

    fn apply(&self, drawn: &Corners, frame: &mut Frame) {
        let sampling = Sampling {
            interpolation: self.interpolation,
            border: self.border_mode,
            fill: self.fill.scalar(),
        };
        self.stretch(drawn, frame, sampling);
    }

    fn apply_to_mask(&self, drawn: &Corners, mask: &mut Frame) {
        let sampling = Sampling {
            interpolation: self.mask_interpolation,
            border: self.border_mode,
            fill: self.fill_mask.scalar(),
        };
        self.stretch(drawn, mask, sampling);
    }
}

type Point = [f32; 2];

impl Perspective {
    fn stretch(&self, drawn: &Corners, frame: &mut Frame, sampling: Sampling) {
        let shape = frame.shape();
        let mut corners = ordered(drawn.corners.map(|point| point.map(|x| x as f32)));
        let (mut width, mut height) = enclosed(&mut corners);
        let (own_width, own_height) = (shape.width as f64, shape.height as f64);
        let frame_corners = [[0.0, 0.0], [own_width, 0.0], [own_width, own_height], [0.0, own_height]];
        let mut matrix = between(&corners.map(|point| point.map(f64::from)), &frame_corners);
        if self.fit_output {
            let placed = frame_corners.map(|point| moved(&matrix, point));
            let least = |axis: usize| placed.iter().map(|p| p[axis]).fold(f32::INFINITY, f32::min);
            let (left, top) = (least(0), least(1));
            let placed = placed.map(|[x, y]| [x - left, y - top].map(|x| f64::from(x.round_ties_even())));
            matrix = between(&frame_corners, &placed);
            width = placed.iter().map(|p| p[0]).fold(0.0, f64::max) as usize;
            height = placed.iter().map(|p| p[1]).fold(0.0, f64::max) as usize;
        }
        let (width, height) = (width.clamp(1, MAX_SIDE), height.clamp(1, MAX_SIDE));
        let (mut out, mut matrix) = (Shape { height, width, ..shape }, matrix);
        if self.keep_size {
            let (x, y) = (own_width / width as f64, own_height / height as f64);
            matrix = product(&[[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 1.0]], &matrix);
            out = shape;
        }
        frame.redraw_with(out, |from, to, scratch| {
            by_matrix(from, shape, to, out.width, &matrix, sampling, scratch);
        });
    }
}

/// A vanishing line near the image would make the fitted result as large as memory.
const MAX_SIDE: usize = 1 << 14;

fn moved(matrix: &Matrix, [x, y]: [f64; 2]) -> Point {
    let [a, b, w] = matrix.map(|row| row[0] * x + row[1] * y + row[2]);
    [(a / w) as f32, (b / w) as f32]
}

/// Upper left, upper right, lower right, lower left.
fn ordered(mut points: [Point; 4]) -> [Point; 4] {
    points.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let [a, b, c, d] = points;
    let (upper_left, lower_left) = if a[1] < b[1] { (a, b) } else { (b, a) };
    let (upper_right, lower_right) = if c[1] < d[1] { (c, d) } else { (d, c) };
    [upper_left, upper_right, lower_right, lower_left]
}

/// Width and height of what the corners enclose. Corners nearer than 2 pixels are moved apart.
fn enclosed(corners: &mut [Point; 4]) -> (usize, usize) {
    let mut apart = |i: usize, j: usize| {
        let (mut a, mut b) = (corners[i], corners[j]);
        let length = ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt();
        if length >= 2.0 {
            return length;
        }
        let step = (2.0 - length) / 2.0;
        // One comparison after the other, on what the one before has changed, as the reference does.
        for axis in 0..2 {
            a[axis] += if a[axis] > b[axis] { step } else { 0.0 };
            b[axis] -= if a[axis] > b[axis] { step } else { 0.0 };
            a[axis] -= if a[axis] <= b[axis] { step } else { 0.0 };
            b[axis] += if a[axis] <= b[axis] { step } else { 0.0 };
        }
        (corners[i], corners[j]) = (a, b);
        2.0
    };
    let width = apart(1, 0).max(apart(2, 3));
    let height = apart(2, 1).max(apart(3, 0));
    (width as usize, height as usize)
}

/// The perspective that takes four points to four others; `cv2.getPerspectiveTransform`. Points of which three are on a line
/// have none, and give the identity.
fn between(from: &[[f64; 2]; 4], to: &[[f64; 2]; 4]) -> Matrix {
    let mut system = [[0.0; 9]; 8];
    for (i, (&[x, y], &[u, v])) in from.iter().zip(to).enumerate() {
        system[i] = [x, y, 1.0, 0.0, 0.0, 0.0, -x * u, -y * u, u];
        system[i + 4] = [0.0, 0.0, 0.0, x, y, 1.0, -x * v, -y * v, v];
    }
    for column in 0..8 {
        let by_size = |&i: &usize, &j: &usize| system[i][column].abs().total_cmp(&system[j][column].abs());
        let pivot = (column..8).max_by(by_size).unwrap_or(column);
        system.swap(column, pivot);
        let lead = system[column];
        if lead[column].abs() < 1e-12 {
            return [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        }
        for (i, row) in system.iter_mut().enumerate().filter(|(i, _)| *i != column) {
            let factor = row[column] / lead[column];
            if factor != 0.0 && i < 8 {
                row.iter_mut().zip(lead).for_each(|(x, lead)| *x -= factor * lead);
            }
        }
    }
    let x: [f64; 8] = std::array::from_fn(|i| system[i][8] / system[i][i]);
    [[x[0], x[1], x[2]], [x[3], x[4], x[5]], [x[6], x[7], 1.0]]
}
