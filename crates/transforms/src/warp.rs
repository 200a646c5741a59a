//! Images whose every pixel is taken from somewhere else, as `cv2.warpAffine`, `cv2.warpPerspective` and `cv2.remap` do it.
//!
//! In: for each row of the result, the positions in the source. Linear and cubic interpolation are computed at the position
//! itself (OpenCV 5; older ones rounded it to 1/32 of a pixel), Lanczos at 1/32, as in OpenCV. Sums are in fixed point with 13
//! bits of fraction for linear, hence within 1 of OpenCV's f32.

use crate::frame::Scratch;
use crate::{BorderMode, Interpolation, Shape};

/// How a warp takes pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampling {
    /// How values between pixels are made.
    pub interpolation: Interpolation,
    /// What is beyond the border.
    pub border: BorderMode,
    /// The value of [`BorderMode::Constant`].
    pub fill: [u8; 3],
}

/// A 3x3 matrix of homogeneous coordinates.
pub(crate) type Matrix = [[f64; 3]; 3];

/// `a b`.
pub(crate) fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// The inverse, by cofactors; a singular matrix has the inverse 0, as in OpenCV.
pub(crate) fn inverse(m: &Matrix) -> Matrix {
    let minor = |i: usize, j: usize| {
        let (r, c) = ([(i + 1) % 3, (i + 2) % 3], [(j + 1) % 3, (j + 2) % 3]);
        m[r[0]][c[0]] * m[r[1]][c[1]] - m[r[0]][c[1]] * m[r[1]][c[0]]
    };
    let determinant: f64 = (0..3).map(|j| m[0][j] * minor(0, j)).sum();
    let scale = if determinant == 0.0 { 0.0 } else { 1.0 / determinant };
    std::array::from_fn(|i| std::array::from_fn(|j| minor(j, i) * scale))
}

/// The inverse of an affine matrix with the operations of OpenCV in its order: where a position is half way between two
/// pixels, the last bit decides.
fn affine_inverse(m: &Matrix) -> Matrix {
    let determinant = m[0][0] * m[1][1] - m[0][1] * m[1][0];
    let scale = if determinant == 0.0 { 0.0 } else { 1.0 / determinant };
    let [a, b] = [m[1][1] * scale, m[0][1] * -scale];
    let [d, e] = [m[1][0] * -scale, m[0][0] * scale];
    [[a, b, -a * m[0][2] - b * m[1][2]], [d, e, -d * m[0][2] - e * m[1][2]], [0.0, 0.0, 1.0]]
}

/// Warps by a matrix that takes source positions to target positions. `from: [H, W, C]`, `to: [H', W', C]`
pub(crate) fn by_matrix(
    from: &[u8],
    shape: Shape,
    to: &mut [u8],
    width: usize,
    matrix: &Matrix,
    sampling: Sampling,
    scratch: &mut Scratch,
) {
    let is_affine = matrix[2][..2] == [0.0, 0.0];
    let back = if is_affine { affine_inverse(matrix) } else { inverse(matrix) };
    let [[a, b, c], [d, e, f], [g, h, i]] = back.map(|row| row.map(|x| x as f32));
    // The target's columns, once: a counter that is converted keeps the loops below from being vectorised.
    let columns: Vec<f32> = (0..width).map(|x| x as f32).collect();
    if is_affine && sampling.interpolation == Interpolation::Lanczos {
        // OpenCV steps in 1/1024 of a pixel here and keeps 1/32.
        let steps = |x: f64| (x * 1024.0).round_ties_even();
        let position = |sum: f64| ((sum + 16.0) / 32.0).floor() as f32 / 32.0;
        by_position(from, shape, to, width, sampling, scratch, |y, xs, ys| {
            let y = y as f64;
            let start = |axis: usize| steps(back[axis][1] * y + back[axis][2]);
            let (start_x, start_y) = (start(0), start(1));
            for ((sx, sy), &x) in xs.iter_mut().zip(ys.iter_mut()).zip(&columns) {
                let x = f64::from(x);
                *sx = position(start_x + steps(back[0][0] * x));
                *sy = position(start_y + steps(back[1][0] * x));
            }
        });
    } else if is_affine {
        by_position(from, shape, to, width, sampling, scratch, |y, xs, ys| {
            let y = y as f32;
            let (c, f) = (b * y + c, e * y + f);
            for ((sx, sy), &x) in xs.iter_mut().zip(ys.iter_mut()).zip(&columns) {
                *sx = a * x + c;
                *sy = d * x + f;
            }
        });
    } else {
        by_position(from, shape, to, width, sampling, scratch, |y, xs, ys| {
            let y = y as f32;
            let (c, f, i) = (b * y + c, e * y + f, h * y + i);
            for ((sx, sy), &x) in xs.iter_mut().zip(ys.iter_mut()).zip(&columns) {
                let w = g * x + i;
                let w = if w == 0.0 { 0.0 } else { 1.0 / w };
                *sx = (a * x + c) * w;
                *sy = (d * x + f) * w;
            }
        });
    }
}

/// Warps by positions: `positions(y, xs, ys)` writes where in the source the pixels of row `y` of the target are.
pub(crate) fn by_position(
    from: &[u8],
    shape: Shape,
    to: &mut [u8],
    width: usize,
    sampling: Sampling,
    scratch: &mut Scratch,
    mut positions: impl FnMut(usize, &mut [f32], &mut [f32]),
) {
    let row = width * shape.channels;
    if row == 0 || shape.values() == 0 {
        return;
    }
    let (mut xs, mut ys) = (vec![0f32; width], vec![0f32; width]);
    let linear = matches!(sampling.interpolation, Interpolation::Linear | Interpolation::Area);
    if linear {
        spread(from, shape, sampling, &mut scratch.wide);
    }
    let mut taps = Taps::new(if linear { width } else { 0 });
    for (y, out) in to.chunks_exact_mut(row).enumerate() {
        positions(y, &mut xs, &mut ys);
        match sampling.interpolation {
            Interpolation::Linear | Interpolation::Area => {
                taps.place(&mut xs, &mut ys, shape, sampling.border);
                match shape.channels {
                    3 => taps.blend::<3>(&scratch.wide, shape.width + 3, out),
                    _ => taps.blend::<1>(&scratch.wide, shape.width + 3, out),
                }
            }
            Interpolation::Nearest => nearest(from, shape, out, &xs, &ys, sampling),
            Interpolation::Cubic => wide_kernel(from, shape, out, &xs, &ys, sampling, -1, |x| x, cubic),
            Interpolation::Lanczos => {
                // OpenCV's table of this kernel has 32 positions within a pixel.
                let step = |x: f32| (x * 32.0).round_ties_even() / 32.0;
                wide_kernel(from, shape, out, &xs, &ys, sampling, -3, step, lanczos);
            }
        }
    }
}

/// Bits of a channel's sum: 8 of the value and 13 of the weights.
const LANE: u32 = 21;
const FRACTION: u32 = 13;
const ONE: f32 = (1u32 << FRACTION) as f32;
/// A half in each of three lanes, so that cutting off rounds.
const HALVES: u64 = (1 << (FRACTION - 1)) * (1 | 1 << LANE | 1 << (2 * LANE));

/// Each pixel's channels in 21 bits each of a word, so that one multiplication weighs them all, in a frame of one pixel on
/// the left and above and two on the other sides. `out: [H + 3, W + 3]`
fn spread(from: &[u8], shape: Shape, sampling: Sampling, out: &mut Vec<u64>) {
    let Shape { height, width, channels } = shape;
    let wide = width + 3;
    out.resize((height + 3) * wide, 0);
    let word = |pixel: &[u8]| match *pixel {
        [r, g, b] => u64::from(r) | u64::from(g) << LANE | u64::from(b) << (2 * LANE),
        _ => u64::from(pixel[0]),
    };
    let fill = word(&sampling.fill[..channels]);
    for (y, to) in out.chunks_exact_mut(wide).enumerate() {
        let Some(row) = sampling.border.position(y as i64 - 1, height) else {
            to.fill(fill);
            continue;
        };
        let row = &from[row * shape.row()..][..shape.row()];
        let inside = &mut to[1..=width];
        match channels {
            3 => inside.iter_mut().zip(row.as_chunks::<3>().0).for_each(|(to, pixel)| *to = word(pixel)),
            _ => inside.iter_mut().zip(row).for_each(|(to, &value)| *to = u64::from(value)),
        }
        for x in [-1, width as i64, width as i64 + 1] {
            let column = sampling.border.position(x, width);
            to[(x + 1) as usize] = column.map_or(fill, |column| word(&row[column * channels..][..channels]));
        }
    }
}

/// The four pixels of each position of a row, and their weights.
struct Taps {
    columns: Vec<u32>,
    rows: Vec<u32>,
    /// Of the pixels right of, below, and right of and below the first.
    weights: [Vec<u32>; 3],
}

/// Added to a float below 2^22, it leaves the rounded number in the low bits.
const ROUND: f32 = 8_388_608.0;

impl Taps {
    fn new(width: usize) -> Self {
        let zeros = || vec![0u32; width];
        Taps { columns: zeros(), rows: zeros(), weights: [zeros(), zeros(), zeros()] }
    }

    fn place(&mut self, xs: &mut [f32], ys: &mut [f32], shape: Shape, border: BorderMode) {
        fold(xs, shape.width, border);
        fold(ys, shape.height, border);
        let n = xs.len();
        let [right, below, both] = &mut self.weights;
        let (xs, ys) = (&xs[..n], &ys[..n]);
        let (columns, rows) = (&mut self.columns[..n], &mut self.rows[..n]);
        let (right, below, both) = (&mut right[..n], &mut below[..n], &mut both[..n]);
        let floor = |x: f32| {
            let rounded = (x + ROUND) - ROUND;
            if rounded > x { rounded - 1.0 } else { rounded }
        };
        let whole = |x: f32| (x + ROUND).to_bits() & 0x007f_ffff;
        for i in 0..n {
            let (x, y) = (floor(xs[i]), floor(ys[i]));
            let (across, down) = ((xs[i] - x) * ONE, ys[i] - y);
            columns[i] = whole(x);
            rows[i] = whole(y);
            let corner = whole(across * down);
            both[i] = corner;
            right[i] = whole(across) - corner;
            below[i] = whole(down * ONE) - corner;
        }
    }

    fn blend<const C: usize>(&self, words: &[u64], wide: usize, out: &mut [u8]) {
        let [right, below, both] = &self.weights;
        let weights = right.iter().zip(below).zip(both);
        let places = self.columns.iter().zip(&self.rows);
        for ((pixel, (&column, &row)), ((&right, &below), &both)) in
            out.as_chunks_mut::<C>().0.iter_mut().zip(places).zip(weights)
        {
            let at = row as usize * wide + column as usize;
            let (upper, lower) = (&words[at..at + 2], &words[at + wide..at + wide + 2]);
            // Rounding may bring the three others to one more than the whole.
            let first = u64::from((1u32 << FRACTION).saturating_sub(right + below + both));
            let sum = upper[0] * first
                + upper[1] * u64::from(right)
                + lower[0] * u64::from(below)
                + lower[1] * u64::from(both)
                + HALVES;
            for (channel, value) in pixel.iter_mut().enumerate() {
                *value = (sum >> (FRACTION + LANE * channel as u32)) as u8;
            }
        }
    }
}

/// Brings positions into the frame of [`spread`], where they mean the same, and counts from its first pixel.
fn fold(positions: &mut [f32], n: usize, border: BorderMode) {
    let last = n as f32;
    if !matches!(border, BorderMode::Constant | BorderMode::Replicate) {
        for position in positions.iter_mut().filter(|p| !(0.0..=last - 1.0).contains(*p)) {
            *position = folded(*position, n, border);
        }
    }
    for position in positions {
        // Written so that a NaN becomes a number.
        let inside = if *position > -1.0 { *position } else { -1.0 };
        *position = (if inside < last { inside } else { last }) + 1.0;
    }
}

fn folded(position: f32, n: usize, border: BorderMode) -> f32 {
    let (position, n) = (f64::from(position), n as f64);
    let position = if position.is_finite() { position } else { 0.0 };
    let mirrored = |period: f64, x: f64| {
        let x = x.rem_euclid(period);
        if x > period / 2.0 { period - x } else { x }
    };
    let inside = match border {
        BorderMode::Wrap => position.rem_euclid(n),
        BorderMode::Reflect => mirrored(2.0 * n, position + 0.5) - 0.5,
        BorderMode::Reflect101 if n > 1.0 => mirrored(2.0 * n - 2.0, position),
        _ => 0.0,
    };
    inside as f32
}

fn nearest(from: &[u8], shape: Shape, out: &mut [u8], xs: &[f32], ys: &[f32], sampling: Sampling) {
    let channels = shape.channels;
    for (pixel, (&x, &y)) in out.chunks_exact_mut(channels).zip(xs.iter().zip(ys)) {
        let column = sampling.border.position(x.round_ties_even() as i64, shape.width);
        let row = sampling.border.position(y.round_ties_even() as i64, shape.height);
        match (row, column) {
            (Some(row), Some(column)) => {
                pixel.copy_from_slice(&from[(row * shape.width + column) * channels..][..channels]);
            }
            _ => pixel.copy_from_slice(&sampling.fill[..channels]),
        }
    }
}

/// A kernel of `N` by `N` pixels whose first is `first` from the position's own.
fn wide_kernel<const N: usize>(
    from: &[u8],
    shape: Shape,
    out: &mut [u8],
    xs: &[f32],
    ys: &[f32],
    sampling: Sampling,
    first: i64,
    step: impl Fn(f32) -> f32,
    kernel: impl Fn(f32) -> [f32; N],
) {
    let channels = shape.channels;
    let fill = &sampling.fill[..channels];
    for (pixel, (&x, &y)) in out.chunks_exact_mut(channels).zip(xs.iter().zip(ys)) {
        let (x, y) = (step(x), step(y));
        let (left, top) = (x.floor(), y.floor());
        let (across, down) = (kernel(x - left), kernel(y - top));
        let place =
            |start: f32, i: usize, n: usize| sampling.border.position(start as i64 + first + i as i64, n);
        let columns: [Option<usize>; N] = std::array::from_fn(|i| place(left, i, shape.width));
        let mut sums = [0f32; 3];
        for (j, &weight) in down.iter().enumerate() {
            let row = place(top, j, shape.height);
            for (column, &across) in columns.iter().zip(&across) {
                let source = match (row, column) {
                    (Some(row), Some(column)) => &from[(row * shape.width + column) * channels..][..channels],
                    _ => fill,
                };
                for (sum, &value) in sums.iter_mut().zip(source) {
                    *sum += f32::from(value) * (weight * across);
                }
            }
        }
        for (value, sum) in pixel.iter_mut().zip(sums) {
            *value = sum.round_ties_even() as u8;
        }
    }
}

/// Cubic convolution, Keys 1981, with OpenCV's a = -0.75.
fn cubic(x: f32) -> [f32; 4] {
    const A: f32 = -0.75;
    let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let first = ((A * (x + 1.0) - 5.0 * A) * (x + 1.0) + 8.0 * A) * (x + 1.0) - 4.0 * A;
    let (second, third) = (near(x), near(1.0 - x));
    [first, second, third, 1.0 - first - second - third]
}

/// sinc(t) sinc(t / 4) at the eight nearest samples, made to sum to 1.
fn lanczos(x: f32) -> [f32; 8] {
    use std::f64::consts::PI;
    let x = f64::from(x);
    let weights: [f64; 8] = std::array::from_fn(|i| {
        let t = x - (i as f64 - 3.0);
        if t.abs() < 1e-6 { 1.0 } else { 4.0 * (PI * t).sin() * (PI * t / 4.0).sin() / (PI * t).powi(2) }
    });
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| (weight / sum) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_undoes() {
        let m = [[1.1, 0.2, -3.0], [-0.3, 0.9, 7.0], [0.001, -0.002, 1.0]];
        let identity = product(&m, &inverse(&m));
        for (i, row) in identity.iter().enumerate() {
            for (j, &x) in row.iter().enumerate() {
                assert!((x - f64::from(i == j)).abs() < 1e-12, "{identity:?}");
            }
        }
        assert_eq!(inverse(&[[0.0; 3]; 3]), [[0.0; 3]; 3]);
    }
}
