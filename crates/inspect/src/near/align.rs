//! Laying one picture on the other, and how alike their details are then.
//!
//! Scale and shift of both axes by Gauss-Newton, from coarse to fine: inverse compositional, Baker and Matthews 2004, "Lucas-Kanade 20
//! Years On". What is compared is the detail: the picture less its surroundings, over the local contrast. So brightness and contrast are
//! free, and a strong edge that all pictures of a kind share (the rim of a lens) counts no more than the texture inside.

use crate::SIDE;

/// Contrast, in gray levels, below which detail counts little: what JPEG and rounding leave.
const FLOOR: f32 = 2.0;

/// Tiles of each axis, in which details are also compared by themselves.
const TILES: usize = 4;

/// The details of a picture at one size, and what the alignment needs of them.
#[derive(Debug, Clone)]
pub(super) struct Level {
    side: usize,
    /// `[side, side]`
    detail: Vec<f32>,
}

/// Scale and shift of an axis, in units of half the side, from the middle: `x' = scale x + shift`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fit {
    pub scale: [f32; 2],
    pub shift: [f32; 2],
}

impl Fit {
    pub const NONE: Fit = Fit { scale: [1.0; 2], shift: [0.0; 2] };

    /// Whether it is what a slight crop may ask for.
    pub fn plausible(&self) -> bool {
        self.scale.iter().all(|s| (0.86..1.16).contains(s)) && self.shift.iter().all(|s| s.abs() < 0.14)
    }
}

/// How alike two pictures are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// The normalised correlation of the details where the pictures overlap.
    pub all: f32,
    /// The same of the tile of which it is the smallest but one, among those with detail.
    pub worst: f32,
    /// The share of tiles with detail.
    pub tiles: f32,
}

impl Level {
    /// The details of a thumbnail shrunk by a whole number. `gray: [SIDE, SIDE]`
    pub fn of(gray: &[u8], side: usize) -> Level {
        let step = SIDE / side;
        let mut picture = vec![0.0f32; side * side];
        for (y, row) in gray.chunks_exact(SIDE).enumerate() {
            for (x, &value) in row.iter().enumerate() {
                picture[y / step * side + x / step] += f32::from(value);
            }
        }
        let area = (step * step) as f32;
        picture.iter_mut().for_each(|value| *value /= area);
        // The smaller ones are smooth enough, as they are means.
        let picture = if step == 1 { blurred(&picture, side, 1, true) } else { picture };
        let radius = if side >= 64 { 4 } else if side >= 32 { 3 } else { 2 };
        let around = blurred(&picture, side, radius, true);
        let mut detail: Vec<f32> = picture.iter().zip(&around).map(|(a, b)| a - b).collect();
        let squares: Vec<f32> = detail.iter().map(|d| d * d).collect();
        let energy = blurred(&squares, side, radius, false);
        for (detail, energy) in detail.iter_mut().zip(&energy) {
            *detail /= (energy.max(0.0) + FLOOR * FLOOR).sqrt();
        }
        Level { side, detail }
    }

    /// The root of the mean square of the details, 0 to about 1.
    pub fn amount(&self) -> f32 {
        (self.detail.iter().map(|d| d * d).sum::<f32>() / self.detail.len() as f32).sqrt()
    }

    pub fn turned(&self, turn: super::Turn) -> Level {
        Level { side: self.side, detail: turn.of_square(&self.detail, self.side) }
    }
}

/// The mean of a square of `2 radius + 1` pixels around each pixel. Beyond the rim the picture goes on as its mirror image; `odd`: turned by 180
/// degrees about the rim, so that the mean of a gradient is the gradient.
fn blurred(picture: &[f32], side: usize, radius: usize, odd: bool) -> Vec<f32> {
    let mut across = vec![0.0; side * side];
    let mut line = vec![0.0; side + 2 * radius];
    let mut result = vec![0.0; side * side];
    let blur = |line: &[f32], out: &mut dyn FnMut(usize, f32)| {
        let width = (2 * radius + 1) as f32;
        for i in 0..side {
            out(i, line[i..i + 2 * radius + 1].iter().sum::<f32>() / width);
        }
    };
    let rim = |line: &mut [f32]| {
        for i in 0..radius {
            let (first, last) = (line[radius], line[radius + side - 1]);
            let (low, high) = (line[radius + 1 + i], line[radius + side - 2 - i]);
            line[radius - 1 - i] = if odd { 2.0 * first - low } else { low };
            line[radius + side + i] = if odd { 2.0 * last - high } else { high };
        }
    };
    for y in 0..side {
        line[radius..radius + side].copy_from_slice(&picture[y * side..][..side]);
        rim(&mut line);
        blur(&line, &mut |x, value| across[y * side + x] = value);
    }
    for x in 0..side {
        for y in 0..side {
            line[radius + y] = across[y * side + x];
        }
        rim(&mut line);
        blur(&line, &mut |y, value| result[y * side + x] = value);
    }
    result
}

/// A picture that others are laid on.
pub(super) struct Template {
    level: Level,
    /// By how much each pixel changes with scale and shift of x, then of y: `[side * side]` of 4.
    slopes: Vec<[f32; 4]>,
    /// The inverse of the sums of products of the slopes.
    inverse: Option<[[f32; 4]; 4]>,
}

impl Template {
    pub fn new(level: Level) -> Template {
        let side = level.side;
        let half = side as f32 / 2.0;
        let mut slopes = vec![[0.0; 4]; side * side];
        let mut products = [[0.0f32; 4]; 4];
        for y in 0..side {
            let (above, below) = (y.saturating_sub(1), (y + 1).min(side - 1));
            for x in 0..side {
                let (left, right) = (x.saturating_sub(1), (x + 1).min(side - 1));
                let at = |y: usize, x: usize| level.detail[y * side + x];
                let dx = (at(y, right) - at(y, left)) / (right - left) as f32 * half;
                let dy = (at(below, x) - at(above, x)) / (below - above) as f32 * half;
                let (px, py) = (place(x, side), place(y, side));
                let slope = [dx * px, dx, dy * py, dy];
                for i in 0..4 {
                    for j in 0..4 {
                        products[i][j] += slope[i] * slope[j];
                    }
                }
                slopes[y * side + x] = slope;
            }
        }
        // A picture of stripes says nothing of one of the axes: it stays where it is.
        let ridge = 1e-3 * (0..4).map(|i| products[i][i]).sum::<f32>() / 4.0;
        (0..4).for_each(|i| products[i][i] += ridge);
        Template { level, slopes, inverse: inverse(products) }
    }

    /// The fit of another picture, begun at `fit`.
    pub fn fit(&self, other: &Level, mut fit: Fit, steps: usize) -> Fit {
        let Some(inverse) = &self.inverse else { return fit };
        let side = self.level.side;
        let mut row = vec![0.0; side];
        for _ in 0..steps {
            let (xs, ys) = (Axis::new(side, fit.scale[0], fit.shift[0]), Axis::new(side, fit.scale[1], fit.shift[1]));
            let (mut by_own, mut by_other) = ([0.0f32; 4], [0.0f32; 4]);
            let (mut own, mut others) = (1e-9f32, 1e-9f32);
            for y in ys.inside.clone() {
                xs.sample(other, &ys, y, &mut row);
                let at = y * side;
                for x in xs.inside.clone() {
                    let (a, b) = (self.level.detail[at + x], row[x]);
                    own += a * a;
                    others += b * b;
                    for i in 0..4 {
                        by_own[i] += self.slopes[at + x][i] * a;
                        by_other[i] += self.slopes[at + x][i] * b;
                    }
                }
            }
            let gain = (own / others).sqrt();
            let error: [f32; 4] = std::array::from_fn(|i| gain * by_other[i] - by_own[i]);
            let step: [f32; 4] = std::array::from_fn(|i| (0..4).map(|j| inverse[i][j] * error[j]).sum());
            for axis in 0..2 {
                let (scale, shift) = (1.0 + step[2 * axis].clamp(-0.1, 0.1), step[2 * axis + 1].clamp(-0.1, 0.1));
                fit.shift[axis] -= fit.scale[axis] * shift / scale;
                fit.scale[axis] /= scale;
            }
            if !fit.plausible() || step.iter().all(|s| s.abs() < 2e-4) {
                break;
            }
        }
        fit
    }

    /// How alike another picture is under a fit.
    pub fn likeness(&self, other: &Level, fit: Fit) -> Likeness {
        let side = self.level.side;
        let (xs, ys) = (Axis::new(side, fit.scale[0], fit.shift[0]), Axis::new(side, fit.scale[1], fit.shift[1]));
        let mut row = vec![0.0; side];
        let mut tiles = [[0.0f32; 3]; TILES * TILES];
        for y in ys.inside.clone() {
            xs.sample(other, &ys, y, &mut row);
            for x in xs.inside.clone() {
                let (a, b) = (self.level.detail[y * side + x], row[x]);
                let tile = &mut tiles[y * TILES / side * TILES + x * TILES / side];
                tile[0] += a * a;
                tile[1] += b * b;
                tile[2] += a * b;
            }
        }
        let correlation = |[a, b, ab]: [f32; 3]| ab / (a * b).sqrt().max(1e-9);
        let sum = |i: usize| tiles.iter().map(|tile| tile[i]).sum::<f32>();
        // A tile has detail where that of one of the two is a twentieth of what a full one has.
        let full = (side * side / TILES / TILES) as f32;
        let mut each: Vec<f32> =
            tiles.iter().filter(|t| t[0].max(t[1]) > 0.05 * full).map(|&tile| correlation(tile)).collect();
        each.sort_by(f32::total_cmp);
        Likeness {
            all: correlation([sum(0), sum(1), sum(2)]),
            worst: each.get(1).or(each.first()).copied().unwrap_or(0.0),
            tiles: each.len() as f32 / tiles.len() as f32,
        }
    }
}

/// The middle of a pixel, -1 to 1.
fn place(i: usize, side: usize) -> f32 {
    (2 * i + 1) as f32 / side as f32 - 1.0
}

/// Where the pixels of an axis are taken from: the first of two, and the share of the second.
struct Axis {
    from: Vec<(usize, f32)>,
    inside: std::ops::Range<usize>,
}

impl Axis {
    fn new(side: usize, scale: f32, shift: f32) -> Axis {
        let from: Vec<Option<(usize, f32)>> = (0..side)
            .map(|i| {
                let at = ((scale * place(i, side) + shift + 1.0) * side as f32 - 1.0) / 2.0;
                // A hair outside is inside, or the picture itself would lack its last row.
                let at = if at > -0.01 && at < side as f32 - 0.99 { at.clamp(0.0, (side - 1) as f32) } else { return None };
                let first = (at as usize).min(side - 2);
                Some((first, at - first as f32))
            })
            .collect();
        let start = from.iter().position(Option::is_some).unwrap_or(0);
        let end = from.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        Axis { from: from.into_iter().map(Option::unwrap_or_default).collect(), inside: start..end }
    }

    /// Row `y` of the other picture, bilinear.
    fn sample(&self, other: &Level, ys: &Axis, y: usize, row: &mut [f32]) {
        let side = other.side;
        let (first, share) = ys.from[y];
        let (above, below) = (&other.detail[first * side..][..side], &other.detail[(first + 1) * side..][..side]);
        for x in self.inside.clone() {
            let (i, right) = self.from[x];
            let upper = above[i] + right * (above[i + 1] - above[i]);
            let lower = below[i] + right * (below[i + 1] - below[i]);
            row[x] = upper + share * (lower - upper);
        }
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
