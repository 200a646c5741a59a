//! Gaussian blur of a plane of f32 by a large sigma, as `cv2.GaussianBlur` with a replicated border.
//!
//! What is blurred with sigma holds nothing finer than sigma. So it is computed on a grid of sigma / 6 and interpolated by
//! cubics, whose error is 1e-4 of its largest value (the fourth derivative is about 3 / sigma^4, and 3/128 of it times
//! (sigma / 6)^4 is what a cubic misses): a 40th of the work at sigma = 50.

use crate::filter::gaussian_kernel;

/// A blurred plane, of which rows are asked for in order.
pub(crate) struct Smooth {
    step: usize,
    /// Rows at `-step, 0, step, ..`, in full width.
    rows: Vec<f32>,
    width: usize,
}

impl Smooth {
    /// The blur of `plane: [H, width]` with a kernel of `size` (odd) taps, times `scale`.
    pub(crate) fn new(plane: &[f32], width: usize, size: usize, sigma: f64, scale: f32) -> Self {
        let height = plane.len() / width;
        // A kernel that is cut off early has an edge, and what it blurs is not smooth.
        let whole = size as f64 >= 6.0 * sigma;
        let step = if whole { ((sigma / 6.0) as usize).max(1) } else { 1 };
        let kernel: Vec<f32> =
            gaussian_kernel(size, sigma).iter().map(|&w| w as f32 * scale.sqrt()).collect();
        let (high, wide) = (samples(height, step), samples(width, step));
        let mut rows = vec![0f32; high * width];
        let mut line = vec![0f32; width];
        let mut sparse = vec![0f32; wide];
        for (i, row) in rows.chunks_exact_mut(width).enumerate() {
            let centre = (i * step) as i64 - step as i64;
            let (first, weights) = clamped(&kernel, centre, height);
            line.fill(0.0);
            weigh_rows(&mut line, &plane[first * width..], &weights);
            for (j, value) in sparse.iter_mut().enumerate() {
                let (first, weights) = clamped(&kernel, (j * step) as i64 - step as i64, width);
                *value = dot(&line[first..], &weights);
            }
            for (x, value) in row.iter_mut().enumerate() {
                let (at, weights) = (x / step, cubic(x % step, step));
                *value = dot(&sparse[at..], &weights);
            }
        }
        Smooth { step, rows, width }
    }

    /// Row `y` of the blurred plane.
    pub(crate) fn row(&mut self, y: usize, out: &mut [f32]) {
        out.fill(0.0);
        let first = y / self.step * self.width;
        weigh_rows(out, &self.rows[first..], &cubic(y % self.step, self.step));
    }
}

/// From `-step` to at least two steps beyond the last pixel.
fn samples(side: usize, step: usize) -> usize {
    (side - 1) / step + 4
}

/// The kernel around `centre`, with the weights of what is beyond the border added to the border's own.
fn clamped(kernel: &[f32], centre: i64, side: usize) -> (usize, Vec<f32>) {
    let radius = (kernel.len() / 2) as i64;
    let last = side as i64 - 1;
    let (first, end) = ((centre - radius).clamp(0, last), (centre + radius).clamp(0, last));
    let mut weights = vec![0f32; (end - first) as usize + 1];
    for (i, &weight) in (centre - radius..).zip(kernel) {
        weights[(i.clamp(0, last) - first) as usize] += weight;
    }
    (first as usize, weights)
}

/// Weights of four samples for a position `rest / step` after the second.
fn cubic(rest: usize, step: usize) -> [f32; 4] {
    let t = rest as f32 / step as f32;
    [
        -t * (t - 1.0) * (t - 2.0) / 6.0,
        (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0,
        -(t + 1.0) * t * (t - 2.0) / 2.0,
        (t + 1.0) * t * (t - 1.0) / 6.0,
    ]
}

/// Adds `weights[i]` times row `i` to `sums`, four rows at a time.
fn weigh_rows(sums: &mut [f32], rows: &[f32], weights: &[f32]) {
    let width = sums.len();
    for (rows, weights) in rows.chunks(4 * width).zip(weights.chunks(4)) {
        if let ([a, b, c, d], true) = (weights, rows.len() == 4 * width) {
            let (ab, cd) = rows.split_at(2 * width);
            let ((first, second), (third, fourth)) = (ab.split_at(width), cd.split_at(width));
            for ((((sum, w), x), y), z) in sums.iter_mut().zip(first).zip(second).zip(third).zip(fourth) {
                *sum += (w * a + x * b) + (y * c + z * d);
            }
        } else {
            for (row, weight) in rows.chunks_exact(width).zip(weights) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * weight);
            }
        }
    }
}

/// The sum of products, in eight partial sums so that it is vectorised.
fn dot(values: &[f32], weights: &[f32]) -> f32 {
    let (values, rest) = values[..weights.len()].as_chunks::<8>();
    let (weights, rest_weights) = weights.as_chunks::<8>();
    let mut sums = [0f32; 8];
    for (values, weights) in values.iter().zip(weights) {
        for i in 0..8 {
            sums[i] += values[i] * weights[i];
        }
    }
    sums.iter().sum::<f32>()
        + rest.iter().zip(rest_weights).map(|(value, weight)| value * weight).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_as_good_as_every_pixel() {
        let (width, height) = (61, 83);
        let plane: Vec<f32> = (0..width * height).map(|i| ((i * 7919) % 1000) as f32 / 500.0 - 1.0).collect();
        for sigma in [1.0, 7.0, 13.0, 30.0] {
            let size = (sigma * 8.0) as usize | 1;
            let kernel: Vec<f32> = gaussian_kernel(size, sigma).iter().map(|&w| w as f32).collect();
            let mut smooth = Smooth::new(&plane, width, size, sigma, 1.0);
            let mut row = vec![0.0; width];
            let mut largest = 0f32;
            let mut error = 0f32;
            for y in 0..height {
                smooth.row(y, &mut row);
                let (first, weights) = clamped(&kernel, y as i64, height);
                let mut line = vec![0.0; width];
                weigh_rows(&mut line, &plane[first * width..], &weights);
                for x in 0..width {
                    let (first, weights) = clamped(&kernel, x as i64, width);
                    let exact = dot(&line[first..], &weights);
                    largest = largest.max(exact.abs());
                    error = error.max((exact - row[x]).abs());
                }
            }
            assert!(error <= 2e-4 * largest, "sigma {sigma}: {error} of {largest}");
        }
    }
}
