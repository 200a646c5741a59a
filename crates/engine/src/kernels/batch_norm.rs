//! Batch normalisation over rows of features: `[rows, features]`, where a feature map counts every position as a row.
//!
//! While training, the batch's mean and biased variance normalise, and the running statistics take the mean and the
//! unbiased variance with PyTorch's momentum. In evaluation the running statistics normalise.

use crate::float::Float;
use crate::parallel::{Shared, for_each};

/// Rows that one partial sum covers. Fixed, so that the sums don't depend on the number of threads.
const BLOCK_ROWS: usize = 256;

/// The tensors of one BatchNorm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Affine<'a, T> {
    pub(crate) scale: &'a [T],
    pub(crate) shift: &'a [T],
}

/// Number of f64 partial sums that the passes need for `rows` rows.
pub(crate) fn scratch_len(rows: usize, features: usize) -> usize {
    2 * features * rows.div_ceil(BLOCK_ROWS)
}

/// Mean and biased variance of every feature of `x: [rows, features]`, into `mean` and `var`.
///
/// Two passes in f64: the textbook's one-pass formula cancels where the mean is large against the deviation.
pub(crate) fn statistics<T: Float>(
    x: &[T],
    features: usize,
    mean: &mut [f64],
    var: &mut [f64],
    partial: &mut [f64],
) {
    let rows = (x.len() / features) as f64;
    sums(x.len(), features, partial, mean, |range, sums| {
        for row in x[range].chunks_exact(features) {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x.to_f64());
        }
    });
    mean.iter_mut().for_each(|m| *m /= rows);
    let centre = &*mean;
    sums(x.len(), features, partial, var, |range, sums| {
        for row in x[range].chunks_exact(features) {
            for ((sum, x), m) in sums.iter_mut().zip(row).zip(centre) {
                let d = x.to_f64() - m;
                *sum += d * d;
            }
        }
    });
    var.iter_mut().for_each(|v| *v /= rows);
}

/// y = (x - mean) * inv_std * scale + shift.
pub(crate) fn normalise<T: Float>(x: &[T], affine: Affine<'_, T>, mean: &[T], inv_std: &[T], y: &mut [T]) {
    let features = mean.len();
    let block = BLOCK_ROWS * features;
    let shared = Shared::new(&mut *y);
    for_each(x.len().div_ceil(block), |job| {
        let range = job * block..x.len().min((job + 1) * block);
        // SAFETY: each job has its own rows.
        #[allow(unsafe_code)]
        let y = unsafe { shared.part(range.clone()) };
        for (x, y) in x[range].chunks_exact(features).zip(y.chunks_exact_mut(features)) {
            for f in 0..features {
                y[f] = (x[f] - mean[f]) * inv_std[f] * affine.scale[f] + affine.shift[f];
            }
        }
    });
}

/// Gradients of a training pass. `dscale` and `dshift` are overwritten; `dx` may be left out.
///
/// dshift = sum dy; dscale = sum dy xhat; dx = scale inv_std (dy - mean(dy) - xhat mean(dy xhat))
pub(crate) fn backward<T: Float>(
    x: &[T],
    dy: &[T],
    scale: &[T],
    mean: &[T],
    inv_std: &[T],
    dscale: &mut [T],
    dshift: &mut [T],
    dx: Option<&mut [T]>,
    partial: &mut [f64],
    totals: &mut [f64],
) {
    let features = mean.len();
    let rows = (x.len() / features) as f64;
    let (total_dy, total_dy_xhat) = totals[..2 * features].split_at_mut(features);
    sums(x.len(), features, partial, total_dy, |range, sums| {
        for row in dy[range].chunks_exact(features) {
            sums.iter_mut().zip(row).for_each(|(sum, d)| *sum += d.to_f64());
        }
    });
    sums(x.len(), features, partial, total_dy_xhat, |range, sums| {
        for (x, dy) in x[range.clone()].chunks_exact(features).zip(dy[range].chunks_exact(features)) {
            for f in 0..features {
                sums[f] += (dy[f] * ((x[f] - mean[f]) * inv_std[f])).to_f64();
            }
        }
    });
    for f in 0..features {
        dshift[f] = T::of(total_dy[f]);
        dscale[f] = T::of(total_dy_xhat[f]);
    }
    let Some(dx) = dx else { return };
    let (total_dy, total_dy_xhat) = (&*total_dy, &*total_dy_xhat);
    let block = BLOCK_ROWS * features;
    let shared = Shared::new(dx);
    for_each(x.len().div_ceil(block), |job| {
        let range = job * block..x.len().min((job + 1) * block);
        // SAFETY: each job has its own rows.
        #[allow(unsafe_code)]
        let dx = unsafe { shared.part(range.clone()) };
        let rows_of = x[range.clone()].chunks_exact(features).zip(dy[range].chunks_exact(features));
        for ((x, dy), dx) in rows_of.zip(dx.chunks_exact_mut(features)) {
            for f in 0..features {
                let xhat = (x[f] - mean[f]) * inv_std[f];
                let centred = dy[f] - T::of(total_dy[f] / rows) - xhat * T::of(total_dy_xhat[f] / rows);
                dx[f] = scale[f] * inv_std[f] * centred;
            }
        }
    });
}

/// Sums per feature over all rows: each block of rows into its own place of `partial`, then the blocks in order.
fn sums(
    len: usize,
    features: usize,
    partial: &mut [f64],
    totals: &mut [f64],
    add: impl Fn(std::ops::Range<usize>, &mut [f64]) + Sync + Send,
) {
    let block = BLOCK_ROWS * features;
    let blocks = len.div_ceil(block);
    let partial = &mut partial[..blocks * features];
    let shared = Shared::new(&mut *partial);
    for_each(blocks, |job| {
        // SAFETY: each job has its own sums.
        #[allow(unsafe_code)]
        let sums = unsafe { shared.part(job * features..(job + 1) * features) };
        sums.fill(0.0);
        add(job * block..len.min((job + 1) * block), sums);
    });
    totals[..features].fill(0.0);
    for sums in partial.chunks_exact(features) {
        totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
}
