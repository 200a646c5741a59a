//! BatchNorm, the residual sum and the activation behind a convolution, on its results while they are still in the cache: what a pass in
//! evaluation mode does, which keeps nothing for a way back. The values are equal to the bit to those of [`Pointwise::forward`].

use super::{Affine, Pointwise, pre_activation};
use crate::float::Float;
use crate::isa::per_isa;
use crate::kernels::activation::{Elementwise, with_activation};
use crate::parallel::{Shared, for_each};
use std::ops::Range;

/// What is made of a convolution's results where they lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epilogue<'a, T> {
    pub(crate) pointwise: &'a Pointwise,
    /// As the results, or empty.
    pub(crate) residual: &'a [T],
    pub(crate) affine: Affine<'a, T>,
}

impl<T: Float> Epilogue<'_, T> {
    /// Of the results in `range`, whole rows of features, which are `y`.
    #[inline]
    pub(crate) fn apply(&self, range: Range<usize>, y: &mut [T]) {
        let residual = self.residual.get(range).unwrap_or_default();
        rows_in_place(self.pointwise, residual, self.affine, y);
    }

    /// Of all results.
    pub(crate) fn apply_to_all(&self, y: &mut [T]) {
        let rows = self.pointwise.job_rows() * self.pointwise.features;
        let (len, y) = (y.len(), Shared::new(y));
        for_each(len.div_ceil(rows), |job| {
            let range = job * rows..len.min((job + 1) * rows);
            // SAFETY: each job has its own rows.
            #[allow(unsafe_code)]
            let y = unsafe { y.part(range.clone()) };
            self.apply(range, y);
        });
    }
}

per_isa! {
    fn rows_in_place<T: Float>(this: &Pointwise, residual: &[T], affine: Affine<'_, T>, y: &mut [T]) {
        with_activation!(this.activation, rows_in_place_with::<T>(this.features, residual, affine, y));
    }
}

#[inline(always)]
fn rows_in_place_with<T: Float, A: Elementwise>(
    features: usize,
    residual: &[T],
    affine: Affine<'_, T>,
    y: &mut [T],
) {
    let (multiply, add) = (&affine.multiply[..features], &affine.add[..features]);
    for (index, y) in y.chunks_exact_mut(features).enumerate() {
        let parameters = multiply.iter().zip(add);
        if residual.is_empty() {
            for (y, (&m, &a)) in y.iter_mut().zip(parameters) {
                *y = A::value(pre_activation(*y, m, a, T::ZERO));
            }
        } else {
            let residual = &residual[index * features..][..features];
            for ((y, (&m, &a)), &r) in y.iter_mut().zip(parameters).zip(residual) {
                *y = A::value(pre_activation(*y, m, a, r));
            }
        }
    }
}
