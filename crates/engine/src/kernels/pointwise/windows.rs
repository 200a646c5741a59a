//! The pointwise passes with max-pooling: the largest f(z) of each window, and its gradient for the pixel that had it.

use super::{BLOCK, Moments, Operands, Pointwise, affine_block, channels, pre_activation, put};
use crate::float::Float;
use crate::isa::per_isa;
use crate::kernels::activation::{Elementwise, with_activation};
use pupila_network::{Padding, Window};
use std::ops::Range;

/// A max-pooling: its window and the map behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool {
    pub(super) window: Window,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Pool {
    pub(super) fn overlaps(self) -> bool {
        self.window.stride < self.window.kernel || self.window.padding != Padding::Each(0)
    }

    /// Whether windows of 2 x 2 lie side by side: the usual case, which is worth loops of a known length.
    fn halves(self) -> bool {
        matches!(self.window, Window { kernel: 2, stride: 2, padding: Padding::Each(0) })
    }

    /// The rows or columns of the input that a window covers. `HALVES` is [`Pool::halves`], or false for any pooling.
    #[inline(always)]
    fn cover<const HALVES: bool>(self, index: usize, side: usize) -> Range<usize> {
        if HALVES {
            return 2 * index..2 * index + 2;
        }
        let (first, (padding, _)) = (index * self.window.stride, self.window.around(side));
        first.saturating_sub(padding)..side.min((first + self.window.kernel).saturating_sub(padding))
    }
}

per_isa! {
    pub(super) fn windows_forward<T: Float>(
        this: &Pointwise,
        pool: Pool,
        rows: Range<usize>,
        operands: Operands<'_, T>,
        y: &mut [T],
    ) {
        with_activation!(this.activation, windows_forward_with::<T>(this, pool, rows, operands, y));
    }
}

#[inline(always)]
fn windows_forward_with<T: Float, A: Elementwise>(
    this: &Pointwise,
    pool: Pool,
    rows: Range<usize>,
    operands: Operands<'_, T>,
    y: &mut [T],
) {
    for first in (0..this.features).step_by(BLOCK) {
        let count = BLOCK.min(this.features - first);
        let rows = rows.clone();
        match (count == BLOCK, pool.halves()) {
            (true, true) => largest::<T, A, true, true>(this, pool, rows, operands, y, first, count),
            (true, false) => largest::<T, A, true, false>(this, pool, rows, operands, y, first, count),
            (false, _) => largest::<T, A, false, false>(this, pool, rows, operands, y, first, count),
        }
    }
}

/// The largest values of all windows of some rows for a block of channels.
#[inline(always)]
fn largest<T: Float, A: Elementwise, const WHOLE: bool, const HALVES: bool>(
    this: &Pointwise,
    pool: Pool,
    rows: Range<usize>,
    operands: Operands<'_, T>,
    y: &mut [T],
    first: usize,
    count: usize,
) {
    let (Operands { x, residual, affine }, features) = (operands, this.features);
    let (multiply, add) = affine_block::<T, WHOLE>(affine, first, count);
    for row in rows.clone() {
        for column in 0..pool.width {
            let mut best = [T::ZERO; BLOCK];
            let mut begun = false;
            for y_in in pool.cover::<HALVES>(row, this.height) {
                for x_in in pool.cover::<HALVES>(column, this.width) {
                    let at = (y_in * this.width + x_in) * features + first;
                    let r = channels::<T, WHOLE>(residual, at, count, T::ZERO);
                    let x = channels::<T, WHOLE>(x, at, count, T::ZERO);
                    for j in 0..BLOCK {
                        let value = A::value(pre_activation(x[j], multiply[j], add[j], r[j]));
                        // A NaN is passed on, as in PyTorch.
                        best[j] = if !begun || value > best[j] || value.is_nan() { value } else { best[j] };
                    }
                    begun = true;
                }
            }
            let at = ((row - rows.start) * pool.width + column) * features + first;
            put::<T, WHOLE>(&best, &mut y[at..], count);
        }
    }
}

per_isa! {
    pub(super) fn windows_backward<T: Float>(
        this: &Pointwise,
        pool: Pool,
        rows: Range<usize>,
        start: usize,
        operands: Operands<'_, T>,
        moments: Option<Moments<'_, T>>,
        dy: &[T],
        dz: &mut [T],
        sums: &mut [f64],
    ) {
        with_activation!(
            this.activation,
            windows_backward_with::<T>(this, pool, rows, start, operands, moments, dy, dz, sums)
        );
    }
}

/// `dz` begins at `start` of the image.
#[inline(always)]
fn windows_backward_with<T: Float, A: Elementwise>(
    this: &Pointwise,
    pool: Pool,
    rows: Range<usize>,
    start: usize,
    operands: Operands<'_, T>,
    moments: Option<Moments<'_, T>>,
    dy: &[T],
    dz: &mut [T],
    sums: &mut [f64],
) {
    let (features, overlaps) = (this.features, pool.overlaps());
    // Pixels that no window covers get none. Windows that lie side by side over the whole map write every pixel below.
    let Window { kernel, stride, .. } = pool.window;
    if overlaps
        || stride > kernel
        || !this.width.is_multiple_of(stride)
        || !this.height.is_multiple_of(stride)
    {
        dz.fill(T::ZERO);
    }
    for first in (0..features).step_by(BLOCK) {
        let count = BLOCK.min(features - first);
        let (rows, at) = (rows.clone(), (start, first, count));
        match (count == BLOCK, pool.halves()) {
            (true, true) => {
                window_slopes::<T, A, true, true>(this, pool, rows, at, operands, moments, dy, dz, sums);
            }
            (true, false) => {
                window_slopes::<T, A, true, false>(this, pool, rows, at, operands, moments, dy, dz, sums);
            }
            (false, _) => {
                window_slopes::<T, A, false, false>(this, pool, rows, at, operands, moments, dy, dz, sums);
            }
        }
    }
}

/// dz under all windows of some rows for a block of channels, and its sums.
#[inline(always)]
fn window_slopes<T: Float, A: Elementwise, const WHOLE: bool, const HALVES: bool>(
    this: &Pointwise,
    pool: Pool,
    rows: Range<usize>,
    (start, first, count): (usize, usize, usize),
    operands: Operands<'_, T>,
    moments: Option<Moments<'_, T>>,
    dy: &[T],
    dz: &mut [T],
    sums: &mut [f64],
) {
    let (Operands { x, residual, affine }, features) = (operands, this.features);
    let overlaps = pool.overlaps();
    let (multiply, add) = affine_block::<T, WHOLE>(affine, first, count);
    let (mean, inv_std) = match moments {
        Some(Moments { mean, inv_std }) => (
            channels::<T, WHOLE>(mean, first, count, T::ZERO),
            channels::<T, WHOLE>(inv_std, first, count, T::ZERO),
        ),
        None => ([T::ZERO; BLOCK], [T::ZERO; BLOCK]),
    };
    for row in rows {
        let (mut sum, mut sum_xhat) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK]);
        for column in 0..pool.width {
            // The first of the largest values: its value, its x and z, and its number in the window.
            let mut best = [T::ZERO; BLOCK];
            let (mut best_x, mut best_z) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK]);
            let mut place = [0u32; BLOCK];
            let mut number = 0;
            for y_in in pool.cover::<HALVES>(row, this.height) {
                for x_in in pool.cover::<HALVES>(column, this.width) {
                    let at = (y_in * this.width + x_in) * features + first;
                    let r = channels::<T, WHOLE>(residual, at, count, T::ZERO);
                    let x = channels::<T, WHOLE>(x, at, count, T::ZERO);
                    for j in 0..BLOCK {
                        let z = pre_activation(x[j], multiply[j], add[j], r[j]);
                        let value = A::value(z);
                        let wins = number == 0 || value > best[j] || value.is_nan();
                        best[j] = if wins { value } else { best[j] };
                        best_x[j] = if wins { x[j] } else { best_x[j] };
                        best_z[j] = if wins { z } else { best_z[j] };
                        place[j] = if wins { number } else { place[j] };
                    }
                    number += 1;
                }
            }
            let dy = channels::<T, WHOLE>(dy, (row * pool.width + column) * features + first, count, T::ZERO);
            let mut d = [T::ZERO; BLOCK];
            for j in 0..BLOCK {
                d[j] = dy[j] * A::slope(best_z[j], best[j]);
                sum[j] += d[j];
                sum_xhat[j] += d[j] * ((best_x[j] - mean[j]) * inv_std[j]);
            }
            number = 0;
            for y_in in pool.cover::<HALVES>(row, this.height) {
                for x_in in pool.cover::<HALVES>(column, this.width) {
                    let at = (y_in * this.width + x_in) * features + first - start;
                    let dz = &mut dz[at..];
                    let mut given = [T::ZERO; BLOCK];
                    for j in 0..BLOCK {
                        given[j] = if place[j] == number { d[j] } else { T::ZERO };
                    }
                    if overlaps {
                        dz[..count].iter_mut().zip(given).for_each(|(dz, given)| *dz += given);
                    } else {
                        put::<T, WHOLE>(&given, dz, count);
                    }
                    number += 1;
                }
            }
        }
        if moments.is_some() {
            for j in 0..count {
                sums[first + j] += sum[j].to_f64();
                sums[features + first + j] += sum_xhat[j].to_f64();
            }
        }
    }
}
