//! Sums over all rows of `[rows, features]`: the gradient of a convolution's bias.

use crate::float::Float;
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
        for row in x[job * block..x.len().min((job + 1) * block)].chunks_exact(features) {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x.to_f64());
        }
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
