//! LayerNorm over the innermost dimension: each row, a pixel's channels or a vector, by itself (Ba, Kiros and Hinton 2016; as
//! `torch.nn.LayerNorm`, whose variance is that of the population).
//!
//! The backward pass works the moments out again from x instead of having kept them.

use crate::float::Float;
use crate::isa::per_isa;
use crate::parallel::{Shared, for_each};
use pupila_network::Shape;

/// Elements that are summed side by side, whatever the instruction set, so that all of them sum in one order.
const LANES: usize = 16;
/// Elements that one job works on, about.
const JOB: usize = 16 << 10;

/// The sizes of a norm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerNorm {
    pub(crate) features: usize,
    /// Rows of a sample.
    rows: usize,
    eps: f64,
}

/// Scale and shift of the features, `[features]` each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Affine<'a, T> {
    pub(crate) scale: &'a [T],
    pub(crate) shift: &'a [T],
}

impl LayerNorm {
    /// For maps or vectors of a shape.
    pub(crate) fn new(shape: Shape, eps: f64) -> Self {
        LayerNorm { features: shape.features(), rows: shape.len() / shape.features(), eps }
    }

    /// Rows that one job works on.
    fn job_rows(&self) -> usize {
        (JOB / self.features).max(1)
    }

    fn jobs(&self, batch: usize) -> usize {
        (batch * self.rows).div_ceil(self.job_rows())
    }

    /// Number of f64 partial sums that the backward pass needs.
    pub(crate) fn partial_len(&self, batch: usize) -> usize {
        self.jobs(batch) * 2 * self.features
    }

    /// `x`, `y`: `[batch, rows, features]`
    pub(crate) fn forward<T: Float>(&self, batch: usize, x: &[T], affine: Affine<'_, T>, y: &mut [T]) {
        let (block, len) = (self.job_rows() * self.features, batch * self.rows * self.features);
        let y = Shared::new(&mut y[..len]);
        for_each(self.jobs(batch), |job| {
            let range = job * block..len.min((job + 1) * block);
            // SAFETY: each job has its own rows.
            #[allow(unsafe_code)]
            let y = unsafe { y.part(range.clone()) };
            rows_forward(&x[range], self.eps, affine, y);
        });
    }

    /// The gradient of x into `dx`, nothing where it is empty, and the sums over all rows of dy and of dy xhat into
    /// `sums: [2, features]`, which are the gradients of shift and scale.
    pub(crate) fn backward<T: Float>(
        &self,
        batch: usize,
        x: &[T],
        scale: &[T],
        dy: &[T],
        dx: &mut [T],
        partial: &mut [f64],
        sums: &mut [f64],
    ) {
        let features = self.features;
        let (block, len) = (self.job_rows() * features, batch * self.rows * features);
        let wanted = !dx.is_empty();
        let partial = &mut partial[..self.partial_len(batch)];
        {
            let (partial, dx) = (Shared::new(&mut *partial), Shared::new(dx));
            for_each(self.jobs(batch), |job| {
                let range = job * block..len.min((job + 1) * block);
                // SAFETY: each job has its own sums and its own rows.
                #[allow(unsafe_code)]
                let (sums, dx) = unsafe {
                    let sums = partial.part(job * 2 * features..(job + 1) * 2 * features);
                    (sums, dx.part(if wanted { range.clone() } else { 0..0 }))
                };
                rows_backward(&x[range.clone()], self.eps, scale, &dy[range], dx, sums);
            });
        }
        let sums = &mut sums[..2 * features];
        sums.fill(0.0);
        for partial in partial.chunks_exact(2 * features) {
            sums.iter_mut().zip(partial).for_each(|(sum, part)| *sum += part);
        }
    }
}

/// The sum of f over all elements, in double at the end.
#[inline(always)]
fn sum<T: Float>(len: usize, f: impl Fn(usize) -> T) -> f64 {
    let mut sums = [T::ZERO; LANES];
    let whole = len / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        for lane in 0..LANES {
            sums[lane] += f(start + lane);
        }
    }
    for at in whole..len {
        sums[at - whole] += f(at);
    }
    sums.iter().map(|sum| sum.to_f64()).sum()
}

/// Mean and inverse deviation of a row.
#[inline(always)]
fn moments<T: Float>(x: &[T], eps: f64) -> (T, T) {
    let len = x.len() as f64;
    let mean = sum(x.len(), |i| x[i]) / len;
    let centre = T::of(mean);
    let squares = sum(x.len(), |i| (x[i] - centre) * (x[i] - centre));
    // The centre is the mean rounded to T: what that adds to the squares is taken off again.
    let off = centre.to_f64() - mean;
    let var = (squares / len - off * off).max(0.0);
    (centre, T::of(1.0 / (var + eps).sqrt()))
}

per_isa! {
    fn rows_forward<T: Float>(x: &[T], eps: f64, affine: Affine<'_, T>, y: &mut [T]) {
        let features = affine.scale.len();
        let Affine { scale, shift } = affine;
        for (x, y) in x.chunks_exact(features).zip(y.chunks_exact_mut(features)) {
            let (mean, inv_std) = moments(x, eps);
            for ((y, &x), (&scale, &shift)) in y.iter_mut().zip(x).zip(scale.iter().zip(shift)) {
                *y = (x - mean) * inv_std * scale + shift;
            }
        }
    }
}

per_isa! {
    fn rows_backward<T: Float>(x: &[T], eps: f64, scale: &[T], dy: &[T], dx: &mut [T], sums: &mut [f64]) {
        let features = scale.len();
        sums.fill(0.0);
        let (shift_sums, scale_sums) = sums.split_at_mut(features);
        for (row, (x, dy)) in x.chunks_exact(features).zip(dy.chunks_exact(features)).enumerate() {
            let (mean, inv_std) = moments(x, eps);
            let sums = shift_sums.iter_mut().zip(scale_sums.iter_mut());
            for ((shift_sum, scale_sum), (&x, &dy)) in sums.zip(x.iter().zip(dy)) {
                *shift_sum += dy.to_f64();
                *scale_sum += (dy * ((x - mean) * inv_std)).to_f64();
            }
            if dx.is_empty() {
                continue;
            }
            let len = features as f64;
            let slope = T::of(sum(features, |i| dy[i] * scale[i]) / len);
            let turn = T::of(sum(features, |i| dy[i] * scale[i] * ((x[i] - mean) * inv_std)) / len);
            let dx = &mut dx[row * features..][..features];
            for (((dx, &x), &dy), &scale) in dx.iter_mut().zip(x).zip(dy).zip(scale) {
                *dx = (dy * scale - slope - (x - mean) * inv_std * turn) * inv_std;
            }
        }
    }
}
