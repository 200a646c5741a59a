//! Laying one picture on the other, and how alike their details are then.
//!
//! Scale and shift of both axes by Gauss-Newton, from coarse to fine: inverse compositional, Baker and Matthews 2004, "Lucas-Kanade 20
//! Years On". What is compared is the detail: the picture less its surroundings, over the local contrast. So brightness and contrast are
//! free, and a strong edge that all pictures of a kind share (the rim of a lens) counts no more than the texture inside.

use std::ops::Range;

use super::Turn;
use super::detail::Level;

/// The share of the side at each rim that is not compared: what is around a pixel is not known there, and after a crop it is another.
const RIM: usize = 16;

/// The most steps at one size. Most fits end after three.
const STEPS: usize = 6;

/// Scale and shift of the axes x and y, in units of half the side, from the middle: `x' = scale x + shift`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fit {
    pub scale: [f32; 2],
    pub shift: [f32; 2],
}

impl Fit {
    /// As they are.
    pub const NONE: Fit = Fit { scale: [1.0; 2], shift: [0.0; 2] };

    /// Whether it is what a slight crop of either picture may ask for: 5 % is a scale of 1.053 and a shift of at most 0.053.
    pub fn plausible(&self) -> bool {
        self.scale.iter().all(|s| (0.86..1.16).contains(s)) && self.shift.iter().all(|s| s.abs() < 0.14)
    }
}

/// A picture that others are laid on.
pub(super) struct Template<const N: usize> {
    level: Box<Level<N>>,
    /// By how much each pixel changes along x and along y, in units of half the side.
    dx: Box<[[f32; N]; N]>,
    dy: Box<[[f32; N]; N]>,
    /// The inverse of the sums of products of the changes by scale and shift of x, then of y.
    inverse: Option<[[f32; 4]; 4]>,
}

impl<const N: usize> Template<N> {
    pub fn new(level: &Level<N>, turn: Turn) -> Self {
        let level = level.turned(turn);
        let half = N as f32 / 2.0;
        let (mut dx, mut dy) = (Box::new([[0.0; N]; N]), Box::new([[0.0; N]; N]));
        let mut products = [[0.0f32; 4]; 4];
        for y in 0..N {
            let (above, below) = (y.saturating_sub(1), (y + 1).min(N - 1));
            for x in 0..N {
                let (left, right) = (x.saturating_sub(1), (x + 1).min(N - 1));
                dx[y][x] = (level.0[y][right] - level.0[y][left]) / (right - left) as f32 * half;
                dy[y][x] = (level.0[below][x] - level.0[above][x]) / (below - above) as f32 * half;
                let slope = [dx[y][x] * place(x, N), dx[y][x], dy[y][x] * place(y, N), dy[y][x]];
                for i in 0..4 {
                    for j in 0..4 {
                        products[i][j] += slope[i] * slope[j];
                    }
                }
            }
        }
        // A picture of stripes says nothing of one of the axes: it stays where it is.
        let ridge = 1e-3 * (0..4).map(|i| products[i][i]).sum::<f32>() / 4.0;
        (0..4).for_each(|i| products[i][i] += ridge);
        Template { level, dx, dy, inverse: inverse(products) }
    }

    /// The fit of another picture, begun at `fit`.
    pub fn fit(&self, other: &Level<N>, mut fit: Fit) -> Fit {
        let Some(inverse) = &self.inverse else { return fit };
        for _ in 0..STEPS {
            let error = pupila_isa::dispatch(
                #[inline(always)]
                || self.error(other, fit),
            );
            let step: [f32; 4] = std::array::from_fn(|i| (0..4).map(|j| inverse[i][j] * error[j]).sum());
            for axis in 0..2 {
                let scale = 1.0 + step[2 * axis].clamp(-0.1, 0.1);
                let shift = step[2 * axis + 1].clamp(-0.1, 0.1);
                fit.shift[axis] -= fit.scale[axis] * shift / scale;
                fit.scale[axis] /= scale;
            }
            // A hundredth of a pixel is near enough.
            if !fit.plausible() || step.iter().all(|s| s.abs() < 0.02 / N as f32) {
                break;
            }
        }
        fit
    }

    /// The sums of products of the changes and of the difference of the pictures, the other at the contrast of this one.
    #[inline(always)]
    fn error(&self, other: &Level<N>, fit: Fit) -> [f32; 4] {
        let (xs, ys) =
            (Axis::<N>::new(fit.scale[0], fit.shift[0]), Axis::<N>::new(fit.scale[1], fit.shift[1]));
        // By column, so that the compiler makes vectors of sums whose order is fixed.
        let mut squares = [[0.0f32; N]; 2];
        let mut sums = [[[0.0f32; N]; 3]; 2];
        for y in ys.inside.clone() {
            let row = xs.sample(other, &ys, y);
            let py = place(y, N);
            let (own, dx, dy) = (&self.level.0[y], &self.dx[y], &self.dy[y]);
            for x in 0..N {
                let (a, b) = (own[x] * xs.mask[x], row[x]);
                squares[0][x] += a * a;
                squares[1][x] += b * b;
                let (ax, bx, ay, by) = (dx[x] * a, dx[x] * b, dy[x] * a, dy[x] * b);
                sums[0][0][x] += ax;
                sums[1][0][x] += bx;
                sums[0][1][x] += ay;
                sums[1][1][x] += by;
                sums[0][2][x] += ay * py;
                sums[1][2][x] += by * py;
            }
        }
        let [own, others] = squares.map(|lanes| lanes.iter().sum::<f32>() + 1e-9);
        let gain = (own / others).sqrt();
        let mut error = [0.0; 4];
        for x in 0..N {
            let [ex, ey, eyy] = std::array::from_fn(|i| gain * sums[1][i][x] - sums[0][i][x]);
            error[0] += ex * place(x, N);
            error[1] += ex;
            error[2] += eyy;
            error[3] += ey;
        }
        error
    }

    /// The normalised correlation of the details under a fit, where the pictures overlap: 1 where they are the same.
    pub fn likeness(&self, other: &Level<N>, fit: Fit) -> f32 {
        pupila_isa::dispatch(
            #[inline(always)]
            || self.correlation(other, fit),
        )
    }

    #[inline(always)]
    fn correlation(&self, other: &Level<N>, fit: Fit) -> f32 {
        let (xs, ys) =
            (Axis::<N>::new(fit.scale[0], fit.shift[0]), Axis::<N>::new(fit.scale[1], fit.shift[1]));
        let mut sums = [[0.0f32; N]; 3];
        for y in ys.inside.clone() {
            let row = xs.sample(other, &ys, y);
            for x in 0..N {
                let (a, b) = (self.level.0[y][x] * xs.mask[x], row[x]);
                sums[0][x] += a * a;
                sums[1][x] += b * b;
                sums[2][x] += a * b;
            }
        }
        let [own, others, both] = sums.map(|lanes| lanes.iter().sum::<f32>());
        both / (own * others).sqrt().max(1e-9)
    }
}

/// The middle of a pixel, -1 to 1.
#[inline(always)]
fn place(i: usize, side: usize) -> f32 {
    (2 * i + 1) as f32 / side as f32 - 1.0
}

/// Where the pixels of an axis are taken from: between which two, and the share of the second.
struct Axis<const N: usize> {
    first: [u8; N],
    share: [f32; N],
    /// 1 where both pictures are compared, 0 elsewhere.
    mask: [f32; N],
    inside: Range<usize>,
}

impl<const N: usize> Axis<N> {
    #[inline(always)]
    fn new(scale: f32, shift: f32) -> Self {
        let mut axis = Axis { first: [0; N], share: [0.0; N], mask: [0.0; N], inside: 0..0 };
        let rim = N / RIM;
        let (low, high) = (rim as f32, (N - 1 - rim) as f32);
        for i in rim..N - rim {
            let at = ((scale * place(i, N) + shift + 1.0) * N as f32 - 1.0) / 2.0;
            // A hair outside is inside, or a picture laid on itself would lack its last row.
            if at < low - 0.01 || at > high + 0.01 {
                continue;
            }
            if axis.inside.is_empty() {
                axis.inside = i..i;
            }
            axis.inside.end = i + 1;
            let first = at as usize;
            (axis.first[i], axis.share[i], axis.mask[i]) = (first as u8, at - first as f32, 1.0);
        }
        axis
    }

    /// Row `y` of the other picture, bilinear, 0 where nothing is compared.
    #[inline(always)]
    fn sample(&self, other: &Level<N>, ys: &Axis<N>, y: usize) -> [f32; N] {
        let (above, share) = (usize::from(ys.first[y]), ys.share[y]);
        let (above, below) = (&other.0[above], &other.0[(above + 1).min(N - 1)]);
        let mut between = [0.0; N];
        for x in 0..N {
            between[x] = above[x] + share * (below[x] - above[x]);
        }
        let mut row = [0.0; N];
        for x in 0..N {
            let first = usize::from(self.first[x]) % N;
            let (left, right) = (between[first], between[(first + 1) % N]);
            row[x] = (left + self.share[x] * (right - left)) * self.mask[x];
        }
        row
    }
}

/// The inverse of a symmetric matrix by Gauss-Jordan; `None` where it has none.
fn inverse(mut matrix: [[f32; 4]; 4]) -> Option<[[f32; 4]; 4]> {
    let mut result = [[0.0; 4]; 4];
    (0..4).for_each(|i| result[i][i] = 1.0);
    for column in 0..4 {
        // Positive definite: the diagonal needs no exchange of rows.
        let pivot = matrix[column][column];
        if pivot.is_nan() || pivot <= 1e-12 {
            return None;
        }
        for j in 0..4 {
            matrix[column][j] /= pivot;
            result[column][j] /= pivot;
        }
        for row in (0..4).filter(|&row| row != column) {
            let factor = matrix[row][column];
            for j in 0..4 {
                matrix[row][j] -= factor * matrix[column][j];
                result[row][j] -= factor * result[column][j];
            }
        }
    }
    Some(result)
}
