//! Sums over all rows of `[rows, features]`: the gradient of a convolution's bias.

use crate::float::Float;
use crate::isa::per_isa;
use crate::parallel::{Shared, for_each};
use pupila_network::Shape;

/// Rows whose sum is taken by one job, in double precision: a sum of a hundred thousand terms loses digits in single.
const BLOCK_ROWS: usize = 1024;

/// Number of f64 partial sums for `len` elements of outputs of a shape.
pub(crate) fn partial_len(len: usize, shape: Shape) -> usize {
    (len / shape.features()).div_ceil(BLOCK_ROWS) * shape.features()
}

/// The sums of `x: [rows, features]` into `sums: [features]`; nothing where that is empty.
pub(crate) fn of<T: Float>(x: &[T], sums: &mut [T], partial: &mut [f64]) {
    let features = sums.len();
    if features == 0 {
        return;
    }
    let block = BLOCK_ROWS * features;
    let partial = &mut partial[..x.len().div_ceil(block) * features];
    let shared = Shared::new(&mut *partial);
    for_each(x.len().div_ceil(block), |job| {
        // SAFETY: each job has its own sums.
        #[allow(unsafe_code)]
        let sums = unsafe { shared.part(job * features..(job + 1) * features) };
        sums.fill(0.0);
        block_sums(&x[job * block..x.len().min((job + 1) * block)], sums);
    });
    let mut total = [0.0; 64];
    for (first, sums) in (0..features).step_by(64).zip(sums.chunks_mut(64)) {
        let total = &mut total[..sums.len()];
        total.fill(0.0);
        for partial in partial.chunks_exact(features) {
            total.iter_mut().zip(&partial[first..]).for_each(|(total, part)| *total += part);
        }
        sums.iter_mut().zip(total).for_each(|(sum, total)| *sum = T::of(*total));
    }
}

/// Rows whose sums are taken in single precision before they go on in double.
const SUM_ROWS: usize = 32;
/// Features that are summed side by side.
const FEATURE_BLOCK: usize = 16;

per_isa! {
    fn block_sums<T: Float>(x: &[T], sums: &mut [f64]) {
        let features = sums.len();
        for rows in x.chunks(SUM_ROWS * features) {
            for first in (0..features).step_by(FEATURE_BLOCK) {
                let count = FEATURE_BLOCK.min(features - first);
                let mut sum = [T::ZERO; FEATURE_BLOCK];
                for row in rows.chunks_exact(features) {
                    let mut values = [T::ZERO; FEATURE_BLOCK];
                    if count == FEATURE_BLOCK {
                        values.copy_from_slice(&row[first..first + FEATURE_BLOCK]);
                    } else {
                        values[..count].copy_from_slice(&row[first..]);
                    }
                    sum.iter_mut().zip(values).for_each(|(sum, x)| *sum += x);
                }
                sums[first..first + count].iter_mut().zip(sum).for_each(|(to, sum)| *to += sum.to_f64());
            }
        }
    }
}
