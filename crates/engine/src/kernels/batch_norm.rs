//! Batch normalisation over rows of features: `[rows, features]`, where a feature map counts every position as a row.
//!
//! While training, the batch's mean and biased variance normalise, and the running statistics take the mean and the
//! unbiased variance with PyTorch's momentum. In evaluation the running statistics normalise. The normalisation itself is
//! part of [`crate::kernels::pointwise`]; here are the statistics and what the gradient needs over all rows.

use crate::float::Float;
use crate::isa::per_isa;
use crate::kernels::pointwise::Moments;
use crate::parallel::{Shared, for_each};

/// Features that are summed side by side.
const FEATURE_BLOCK: usize = 32;
/// Rows whose sums are taken in single precision before they go on in double.
const SUM_ROWS: usize = 32;
/// Elements that one partial result covers, about; it stays in the second-level cache between its two passes. Fixed, so that
/// the results don't depend on the number of threads.
const BLOCK: usize = 32 << 10;

fn block_rows(features: usize) -> usize {
    (BLOCK / features).max(1)
}

/// Number of f64 partial results that the statistics need for `rows` rows.
pub(crate) fn partial_len(rows: usize, features: usize) -> usize {
    2 * features * rows.div_ceil(block_rows(features))
}

/// Mean and biased variance of every feature of `x: [rows, features]`, into `mean` and `var`.
///
/// Each block of rows gives its mean and its sum of squares around that mean, and the blocks are merged in order (Chan, Golub
/// and LeVeque 1983): one pass over memory without the cancellation of the textbook's one-pass formula.
pub(crate) fn statistics<T: Float>(
    x: &[T],
    features: usize,
    mean: &mut [f64],
    var: &mut [f64],
    partial: &mut [f64],
) {
    let (rows, block) = (x.len() / features, block_rows(features));
    let blocks = rows.div_ceil(block);
    let partial = &mut partial[..blocks * 2 * features];
    let shared = Shared::new(&mut *partial);
    for_each(blocks, |job| {
        // SAFETY: each job has its own results.
        #[allow(unsafe_code)]
        let result = unsafe { shared.part(job * 2 * features..(job + 1) * 2 * features) };
        let (mean, squares) = result.split_at_mut(features);
        block_moments(&x[job * block * features..rows.min((job + 1) * block) * features], mean, squares);
    });
    mean.fill(0.0);
    var.fill(0.0);
    let mut seen = 0.0;
    for (job, result) in partial.chunks_exact(2 * features).enumerate() {
        let count = (rows.min((job + 1) * block) - job * block) as f64;
        let total = seen + count;
        for f in 0..features {
            let difference = result[f] - mean[f];
            mean[f] += difference * count / total;
            var[f] += result[features + f] + difference * difference * seen * count / total;
        }
        seen = total;
    }
    var.iter_mut().for_each(|v| *v /= rows as f64);
}

per_isa! {
    /// Mean and sum of squares around it of a block of rows.
    fn block_moments<T: Float>(x: &[T], mean: &mut [f64], squares: &mut [f64]) {
        let features = mean.len();
        let rows = x.len() / features;
        mean.fill(0.0);
        squares.fill(0.0);
        for first in (0..features).step_by(FEATURE_BLOCK) {
            let count = FEATURE_BLOCK.min(features - first);
            let mean = &mut mean[first..first + count];
            let squares = &mut squares[first..first + count];
            let sums = |centre: &[T; FEATURE_BLOCK], square: bool, totals: &mut [f64]| {
                for start in (0..rows).step_by(SUM_ROWS) {
                    let mut sums = [T::ZERO; FEATURE_BLOCK];
                    for row in start..rows.min(start + SUM_ROWS) {
                        let x = &x[row * features + first..];
                        let mut values = [T::ZERO; FEATURE_BLOCK];
                        // Of a length that is known, it is a load and no call.
                        if count == FEATURE_BLOCK {
                            values.copy_from_slice(&x[..FEATURE_BLOCK]);
                        } else {
                            values[..count].copy_from_slice(&x[..count]);
                        }
                        for j in 0..FEATURE_BLOCK {
                            let d = values[j] - centre[j];
                            sums[j] += if square { d * d } else { d };
                        }
                    }
                    totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum.to_f64());
                }
            };
            sums(&[T::ZERO; FEATURE_BLOCK], false, mean);
            mean.iter_mut().for_each(|m| *m /= rows as f64);
            let mut centre = [T::ZERO; FEATURE_BLOCK];
            centre.iter_mut().zip(&*mean).for_each(|(c, &m)| *c = T::of(m));
            sums(&centre, true, squares);
            // The centre is the mean rounded to T: what that adds to the squares is taken off again.
            for ((s, c), m) in squares.iter_mut().zip(centre).zip(&*mean) {
                let off = c.to_f64() - m;
                *s = (*s - rows as f64 * off * off).max(0.0);
            }
        }
    }
}

/// dx from dz in place, with the sums of dz and of dz xhat over all rows:
/// dx = scale inv_std (dz - mean(dz) - xhat mean(dz xhat)).
///
/// `x`, `dz`: `[rows, features]`, `sums`: `[2, features]`, `coefficients`: scratch of `[3, features]`.
pub(crate) fn backward<T: Float>(
    x: &[T],
    scale: &[T],
    moments: Moments<'_, T>,
    sums: &[f64],
    dz: &mut [T],
    coefficients: &mut [T],
) {
    let features = moments.mean.len();
    let rows = (x.len() / features) as f64;
    // The same as dz a + x b + c.
    let (a, rest) = coefficients[..3 * features].split_at_mut(features);
    let (b, c) = rest.split_at_mut(features);
    for f in 0..features {
        let (mean, inv_std) = (moments.mean[f].to_f64(), moments.inv_std[f].to_f64());
        let gain = scale[f].to_f64() * inv_std;
        let slope = gain * inv_std * sums[features + f] / rows;
        a[f] = T::of(gain);
        b[f] = T::of(-slope);
        c[f] = T::of(mean * slope - gain * sums[f] / rows);
    }
    let (a, b, c) = (&*a, &*b, &*c);
    let block = block_rows(features) * features;
    let shared = Shared::new(&mut *dz);
    for_each(x.len().div_ceil(block), |job| {
        let range = job * block..x.len().min((job + 1) * block);
        // SAFETY: each job has its own rows.
        #[allow(unsafe_code)]
        let dz = unsafe { shared.part(range.clone()) };
        combine(&x[range], a, b, c, dz);
    });
}

per_isa! {
    fn combine<T: Float>(x: &[T], a: &[T], b: &[T], c: &[T], dz: &mut [T]) {
        let features = a.len();
        for (dz, x) in dz.chunks_exact_mut(features).zip(x.chunks_exact(features)) {
            for ((dz, &x), ((&a, &b), &c)) in dz.iter_mut().zip(x).zip(a.iter().zip(b).zip(c)) {
                *dz = *dz * a + (x * b + c);
            }
        }
    }
}
