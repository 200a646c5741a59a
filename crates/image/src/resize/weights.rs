//! The weights of each interpolation along one axis, after OpenCV's `resize.cpp`.

use super::Interpolation;

/// For each sample of the result, the first source sample it is made of and the weights of that one and the next ones.
/// Positions beyond the border are the border's (`BORDER_REPLICATE`), so their weights are added to its own.
pub(super) struct Weights {
    /// (first source sample, where its weights start), and one more to end the last.
    spans: Vec<(usize, usize)>,
    weights: Vec<f32>,
}

impl Weights {
    /// The weights that turn `source` samples into `target` ones. `grows` is whether any axis of the image gets longer,
    /// which changes what [`Interpolation::Area`] is on both.
    #[inline(always)]
    pub(super) fn new(source: u32, target: u32, interpolation: Interpolation, grows: bool) -> Self {
        let mut table = Weights { spans: Vec::with_capacity(target as usize + 1), weights: Vec::new() };
        // The reciprocal of the other ratio, as OpenCV has it: at whole positions rounding decides.
        let inverse = f64::from(target) / f64::from(source);
        let scale = 1.0 / inverse;
        let last = i64::from(source) - 1;
        for position in 0..target {
            let position = f64::from(position);
            // The centre of a pixel is at half, so that is where the others are taken from.
            let centre = (position + 0.5) * scale - 0.5;
            let left = centre.floor();
            let offset = centre - left;
            let left = left as i64;
            match interpolation {
                Interpolation::Nearest => table.push(last, (position * scale).floor() as i64, &[1.0]),
                Interpolation::Linear => table.push(last, left, &[1.0 - offset, offset]),
                Interpolation::Cubic => table.push(last, left - 1, &cubic(offset)),
                Interpolation::Lanczos => table.push(last, left - 3, &lanczos4(offset)),
                Interpolation::Area if grows => {
                    let left = (position * scale).floor();
                    let offset = f64::from(((position + 1.0) - (left + 1.0) * inverse) as f32);
                    let offset = if offset <= 0.0 { 0.0 } else { offset.fract() };
                    table.push(last, left as i64, &[1.0 - offset, offset]);
                }
                Interpolation::Area => table.push_area(last, position * scale, scale),
            }
        }
        table.spans.push((0, table.weights.len()));
        table
    }

    /// The number of samples of the result.
    pub(super) fn len(&self) -> usize {
        self.spans.len() - 1
    }

    /// Whether every sample is made of one or two.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn at_most_two(&self) -> bool {
        self.spans.windows(2).all(|span| matches!(span[1].1 - span[0].1, 1 | 2))
    }

    /// The first source sample of sample `i`, and the weights from there on.
    pub(super) fn at(&self, i: usize) -> (usize, &[f32]) {
        let (first, start) = self.spans[i];
        (first, &self.weights[start..self.spans[i + 1].1])
    }

    #[inline(always)]
    fn push(&mut self, last: i64, first: i64, weights: &[f64]) {
        let start = self.weights.len();
        let inside = first.clamp(0, last);
        self.spans.push((inside as usize, start));
        for (i, &weight) in (first..).zip(weights) {
            let slot = start + (i.clamp(0, last) - inside) as usize;
            if slot == self.weights.len() {
                self.weights.push(0.0);
            }
            self.weights[slot] += weight as f32;
        }
    }

    /// The mean over `from .. from + scale`; `computeResizeAreaTab`, with its tolerance for what is no overlap.
    fn push_area(&mut self, last: i64, from: f64, scale: f64) {
        const NO_OVERLAP: f64 = 1e-3;
        let to = from + scale;
        let length = scale.min((last + 1) as f64 - from);
        let whole_to = (to.floor() as i64).min(last);
        let whole_from = (from.ceil() as i64).min(whole_to);
        let mut first = whole_from;
        let mut weights = Vec::with_capacity((whole_to - whole_from) as usize + 2);
        let before = whole_from as f64 - from;
        if before > NO_OVERLAP {
            first -= 1;
            weights.push(before / length);
        }
        weights.extend((whole_from..whole_to).map(|_| 1.0 / length));
        let after = to - whole_to as f64;
        if after > NO_OVERLAP {
            weights.push(after.min(1.0).min(length) / length);
        }
        self.push(last, first, &weights);
    }
}

/// Cubic convolution, Keys 1981, with OpenCV's a = -0.75.
fn cubic(x: f64) -> [f64; 4] {
    const A: f64 = -0.75;
    let near = |x: f64| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f64| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    [far(x + 1.0), near(x), near(1.0 - x), far(2.0 - x)]
}

/// sinc(t) sinc(t / 4) at the eight nearest samples, made to sum to 1.
fn lanczos4(x: f64) -> [f64; 8] {
    use std::f64::consts::PI;
    let mut weights = [0.0; 8];
    for (weight, at) in weights.iter_mut().zip(-3i32..) {
        let t = x - f64::from(at);
        *weight =
            if t.abs() < 1e-6 { 1.0 } else { 4.0 * (PI * t).sin() * (PI * t / 4.0).sin() / (PI * t).powi(2) };
    }
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}
