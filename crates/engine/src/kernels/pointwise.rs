//! What stands between two linear maps, in one pass over memory: BatchNorm, the residual sum, the activation and max-pooling,
//! each of them or not. Nothing in between is ever written.
//!
//! With z = x multiply + add + residual the result is f(z), or the largest f(z) of each window. The backward pass works z out
//! again from x instead of having kept it: reading x twice costs less than writing and reading z.

use crate::float::Float;
use crate::isa::per_isa;
use crate::kernels::activation::{Elementwise, with_activation};
use crate::kernels::gather::sides;
use crate::parallel::{Shared, for_each};
use pupila_network::{Activation, Shape, Window};
use std::ops::Range;

/// Channels that are worked on side by side.
const BLOCK: usize = 32;
/// Rows whose sums are taken in single precision before they go on in double.
const SUM_ROWS: usize = 64;
/// Elements that one job works on, about.
const JOB: usize = 16 << 10;

/// The sizes of a pointwise stage.
#[derive(Debug, Clone)]
pub(crate) struct Pointwise {
    pub(crate) features: usize,
    height: usize,
    width: usize,
    pub(crate) activation: Option<Activation>,
    pool: Option<Pool>,
}

#[derive(Debug, Clone, Copy)]
struct Pool {
    window: Window,
    height: usize,
    width: usize,
}

/// What BatchNorm makes of x: x multiply + add, `[features]` each; nothing where both are empty.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Affine<'a, T> {
    pub(crate) multiply: &'a [T],
    pub(crate) add: &'a [T],
}

/// Where the residual's gradient goes.
pub(crate) struct ResidualGradient<'a, T> {
    pub(crate) values: &'a mut [T],
    /// On top of what is there.
    pub(crate) add: bool,
}

/// The means and inverse deviations that BatchNorm has used, `[features]` each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments<'a, T> {
    pub(crate) mean: &'a [T],
    pub(crate) inv_std: &'a [T],
}

impl Pointwise {
    /// For maps or vectors of a shape, with the pooling's window and the shape behind it.
    pub(crate) fn new(input: Shape, activation: Option<Activation>, pool: Option<(Window, Shape)>) -> Self {
        let (height, width) = sides(input);
        let pool = pool.map(|(window, output)| {
            let (height, width) = sides(output);
            Pool { window, height, width }
        });
        Pointwise { features: input.features(), height, width, activation, pool }
    }

    /// Elements of an input sample.
    fn image(&self) -> usize {
        self.height * self.width * self.features
    }

    /// Rows of the output that one job works on, for each image; or rows of features of the whole batch.
    fn job_rows(&self) -> usize {
        match self.pool {
            // Windows that overlap keep an image to one job.
            Some(pool) if pool.overlaps() => pool.height,
            Some(pool) => (JOB / (pool.window.stride * self.width * self.features)).clamp(1, pool.height),
            None => (JOB / self.features).max(1).next_multiple_of(SUM_ROWS),
        }
    }

    fn jobs(&self, batch: usize) -> usize {
        match self.pool {
            Some(pool) => batch * pool.height.div_ceil(self.job_rows()),
            None => (batch * self.height * self.width).div_ceil(self.job_rows()),
        }
    }

    /// Number of f64 partial sums that the backward pass needs.
    pub(crate) fn partial_len(&self, batch: usize) -> usize {
        self.jobs(batch) * 2 * self.features
    }

    /// `x`, `residual`: `[batch, H, W, features]`, the residual perhaps empty; `y`: `[batch, H', W', features]`.
    pub(crate) fn forward<T: Float>(
        &self,
        batch: usize,
        x: &[T],
        residual: &[T],
        affine: Affine<'_, T>,
        y: &mut [T],
    ) {
        let Some(pool) = self.pool else {
            let (rows, total) = (self.job_rows(), batch * self.height * self.width);
            let y = Shared::new(&mut y[..total * self.features]);
            for_each(self.jobs(batch), |job| {
                let range = job * rows * self.features..total.min((job + 1) * rows) * self.features;
                // SAFETY: each job has its own rows.
                #[allow(unsafe_code)]
                let y = unsafe { y.part(range.clone()) };
                let residual = residual.get(range.clone()).unwrap_or_default();
                rows_forward(self, &x[range], residual, affine, y);
            });
            return;
        };
        let out = pool.height * pool.width * self.features;
        let (rows, per_image) = (self.job_rows(), pool.height.div_ceil(self.job_rows()));
        let y = Shared::new(&mut y[..batch * out]);
        for_each(self.jobs(batch), |job| {
            let (image, group) = (job / per_image, job % per_image);
            let group = group * rows..pool.height.min((group + 1) * rows);
            let at = |row: usize| image * out + row * pool.width * self.features;
            // SAFETY: each job has its own rows.
            #[allow(unsafe_code)]
            let y = unsafe { y.part(at(group.start)..at(group.end)) };
            let range = image * self.image()..(image + 1) * self.image();
            let residual = residual.get(range.clone()).unwrap_or_default();
            windows_forward(self, pool, group, &x[range], residual, affine, y);
        });
    }

    /// The gradient of z into `dz: [batch, H, W, features]` and the residual's; with `moments` also the sums of dz and of
    /// dz xhat over all rows into `sums: [2, features]`.
    pub(crate) fn backward<T: Float>(
        &self,
        batch: usize,
        x: &[T],
        residual: &[T],
        affine: Affine<'_, T>,
        moments: Option<Moments<'_, T>>,
        dy: &[T],
        dz: &mut [T],
        residual_gradient: Option<ResidualGradient<'_, T>>,
        partial: &mut [f64],
        sums: &mut [f64],
    ) {
        let jobs = self.jobs(batch);
        let features = self.features;
        let partial = &mut partial[..jobs * 2 * features];
        {
            let partial = Shared::new(&mut *partial);
            let dz = Shared::new(&mut dz[..batch * self.image()]);
            let add = residual_gradient.as_ref().is_some_and(|gradient| gradient.add);
            let residual_gradient = residual_gradient.map(|gradient| Shared::new(gradient.values));
            for_each(jobs, |job| {
                // SAFETY: each job has its own sums.
                #[allow(unsafe_code)]
                let sums = unsafe { partial.part(job * 2 * features..(job + 1) * 2 * features) };
                sums.fill(0.0);
                let range = self.input_of(batch, job);
                // SAFETY: each job has its own rows of the input.
                #[allow(unsafe_code)]
                let dz = unsafe { dz.part(range.clone()) };
                match self.pool {
                    None => {
                        let (x, dy) = (&x[range.clone()], &dy[range.clone()]);
                        let residual = residual.get(range.clone()).unwrap_or_default();
                        rows_backward(self, x, residual, affine, moments, dy, dz, sums);
                    }
                    Some(pool) => {
                        let (rows, per_image) = (self.job_rows(), pool.height.div_ceil(self.job_rows()));
                        let (image, group) = (job / per_image, job % per_image);
                        let group = group * rows..pool.height.min((group + 1) * rows);
                        let out = pool.height * pool.width * features;
                        let dy = &dy[image * out..][..out];
                        let whole = image * self.image()..(image + 1) * self.image();
                        let residual = residual.get(whole.clone()).unwrap_or_default();
                        let start = range.start - whole.start;
                        windows_backward(
                            self, pool, group, start, &x[whole], residual, affine, moments, dy, dz, sums,
                        );
                    }
                }
                if let Some(gradient) = &residual_gradient {
                    // SAFETY: each job has its own rows of the input.
                    #[allow(unsafe_code)]
                    let gradient = unsafe { gradient.part(range) };
                    if add {
                        gradient.iter_mut().zip(&*dz).for_each(|(sum, &x)| *sum += x);
                    } else {
                        gradient.copy_from_slice(dz);
                    }
                }
            });
        }
        let sums = &mut sums[..2 * features];
        sums.fill(0.0);
        for partial in partial.chunks_exact(2 * features) {
            sums.iter_mut().zip(partial).for_each(|(sum, part)| *sum += part);
        }
    }

    /// The part of the input that a job of the backward pass is alone to write.
    fn input_of(&self, batch: usize, job: usize) -> Range<usize> {
        let rows = self.job_rows();
        let Some(pool) = self.pool else {
            let total = batch * self.height * self.width;
            return job * rows * self.features..total.min((job + 1) * rows) * self.features;
        };
        let per_image = pool.height.div_ceil(rows);
        let (image, group) = (job / per_image, job % per_image);
        let row = self.width * self.features;
        // The last group takes the rows behind the last window too.
        let end = if group + 1 == per_image { self.height } else { (group + 1) * rows * pool.window.stride };
        image * self.image() + group * rows * pool.window.stride * row..image * self.image() + end * row
    }
}

impl Pool {
    fn overlaps(self) -> bool {
        self.window.stride < self.window.kernel || self.window.padding > 0
    }

    /// The rows or columns of the input that a window covers.
    #[inline(always)]
    fn cover(self, index: usize, side: usize) -> Range<usize> {
        let first = index * self.window.stride;
        first.saturating_sub(self.window.padding)
            ..side.min((first + self.window.kernel).saturating_sub(self.window.padding))
    }
}

/// z for some channels of a pixel: `multiply` and `add` are of those channels, ones and zeros without BatchNorm.
#[inline(always)]
fn pre_activation<T: Float>(x: T, multiply: T, add: T, residual: T) -> T {
    x * multiply + add + residual
}

/// The channels `first..` of `values`, or `filling` where there are none.
#[inline(always)]
fn channels<T: Float>(values: &[T], first: usize, count: usize, filling: T) -> [T; BLOCK] {
    let mut block = [filling; BLOCK];
    if !values.is_empty() {
        block[..count].copy_from_slice(&values[first..first + count]);
    }
    block
}

per_isa! {
    fn rows_forward<T: Float>(this: &Pointwise, x: &[T], residual: &[T], affine: Affine<'_, T>, y: &mut [T]) {
        with_activation!(this.activation, rows_forward_with::<T>(this, x, residual, affine, y));
    }
}

#[inline(always)]
fn rows_forward_with<T: Float, A: Elementwise>(
    this: &Pointwise,
    x: &[T],
    residual: &[T],
    affine: Affine<'_, T>,
    y: &mut [T],
) {
    let features = this.features;
    if affine.multiply.is_empty() {
        if residual.is_empty() {
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = A::value(x));
        } else {
            y.iter_mut().zip(x.iter().zip(residual)).for_each(|(y, (&x, &r))| *y = A::value(x + r));
        }
        return;
    }
    for (index, (x, y)) in x.chunks_exact(features).zip(y.chunks_exact_mut(features)).enumerate() {
        let parameters = affine.multiply[..features].iter().zip(&affine.add[..features]);
        if residual.is_empty() {
            for ((y, &x), (&m, &a)) in y.iter_mut().zip(x).zip(parameters) {
                *y = A::value(pre_activation(x, m, a, T::ZERO));
            }
        } else {
            let residual = &residual[index * features..][..features];
            for (((y, &x), (&m, &a)), &r) in y.iter_mut().zip(x).zip(parameters).zip(residual) {
                *y = A::value(pre_activation(x, m, a, r));
            }
        }
    }
}

per_isa! {
    fn windows_forward<T: Float>(
        this: &Pointwise,
        pool: Pool,
        rows: Range<usize>,
        x: &[T],
        residual: &[T],
        affine: Affine<'_, T>,
        y: &mut [T],
    ) {
        with_activation!(this.activation, windows_forward_with::<T>(this, pool, rows, x, residual, affine, y));
    }
}

#[inline(always)]
fn windows_forward_with<T: Float, A: Elementwise>(
    this: &Pointwise,
    pool: Pool,
    rows: Range<usize>,
    x: &[T],
    residual: &[T],
    affine: Affine<'_, T>,
    y: &mut [T],
) {
    let features = this.features;
    for first in (0..features).step_by(BLOCK) {
        let count = BLOCK.min(features - first);
        let multiply = channels(affine.multiply, first, count, T::ONE);
        let add = channels(affine.add, first, count, T::ZERO);
        for row in rows.clone() {
            for column in 0..pool.width {
                let mut best = [T::ZERO; BLOCK];
                let mut begun = false;
                for y_in in pool.cover(row, this.height) {
                    for x_in in pool.cover(column, this.width) {
                        let at = (y_in * this.width + x_in) * features + first;
                        // Whole blocks have a length that the compiler knows.
                        if count == BLOCK {
                            let r = channels(residual, at, BLOCK, T::ZERO);
                            larger::<T, A>(&x[at..][..BLOCK], &multiply, &add, &r, &mut best, begun);
                        } else {
                            let r = channels(residual, at, count, T::ZERO);
                            larger::<T, A>(&x[at..][..count], &multiply, &add, &r, &mut best, begun);
                        }
                        begun = true;
                    }
                }
                let at = ((row - rows.start) * pool.width + column) * features + first;
                y[at..][..count].copy_from_slice(&best[..count]);
            }
        }
    }
}

#[inline(always)]
fn larger<T: Float, A: Elementwise>(
    x: &[T],
    multiply: &[T; BLOCK],
    add: &[T; BLOCK],
    residual: &[T; BLOCK],
    best: &mut [T; BLOCK],
    begun: bool,
) {
    for (j, &x) in x.iter().enumerate() {
        let value = A::value(pre_activation(x, multiply[j], add[j], residual[j]));
        // A NaN is passed on, as in PyTorch.
        best[j] = if !begun || value > best[j] || value.is_nan() { value } else { best[j] };
    }
}

per_isa! {
    fn rows_backward<T: Float>(
        this: &Pointwise,
        x: &[T],
        residual: &[T],
        affine: Affine<'_, T>,
        moments: Option<Moments<'_, T>>,
        dy: &[T],
        dz: &mut [T],
        sums: &mut [f64],
    ) {
        with_activation!(this.activation, rows_backward_with::<T>(this, x, residual, affine, moments, dy, dz, sums));
    }
}

#[inline(always)]
fn rows_backward_with<T: Float, A: Elementwise>(
    this: &Pointwise,
    x: &[T],
    residual: &[T],
    affine: Affine<'_, T>,
    moments: Option<Moments<'_, T>>,
    dy: &[T],
    dz: &mut [T],
    sums: &mut [f64],
) {
    let features = this.features;
    let Some(moments) = moments else {
        for (index, (dz, (&x, &dy))) in dz.iter_mut().zip(x.iter().zip(dy)).enumerate() {
            let z = if residual.is_empty() { x } else { x + residual[index] };
            *dz = dy * A::slope(z, A::value(z));
        }
        return;
    };
    let rows = x.len() / features;
    for start in (0..rows).step_by(SUM_ROWS) {
        for first in (0..features).step_by(BLOCK) {
            let count = BLOCK.min(features - first);
            let multiply = channels(affine.multiply, first, count, T::ONE);
            let add = channels(affine.add, first, count, T::ZERO);
            let mean = channels(moments.mean, first, count, T::ZERO);
            let inv_std = channels(moments.inv_std, first, count, T::ZERO);
            let (mut sum, mut sum_xhat) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK]);
            for row in start..rows.min(start + SUM_ROWS) {
                let at = row * features + first;
                let r = channels(residual, at, count, T::ZERO);
                let x = channels(x, at, count, T::ZERO);
                let dy = channels(dy, at, count, T::ZERO);
                let mut d = [T::ZERO; BLOCK];
                for j in 0..BLOCK {
                    let z = pre_activation(x[j], multiply[j], add[j], r[j]);
                    d[j] = dy[j] * A::slope(z, A::value(z));
                    sum[j] += d[j];
                    sum_xhat[j] += d[j] * ((x[j] - mean[j]) * inv_std[j]);
                }
                dz[at..at + count].copy_from_slice(&d[..count]);
            }
            for j in 0..count {
                sums[first + j] += sum[j].to_f64();
                sums[features + first + j] += sum_xhat[j].to_f64();
            }
        }
    }
}

per_isa! {
    fn windows_backward<T: Float>(
        this: &Pointwise,
        pool: Pool,
        rows: Range<usize>,
        start: usize,
        x: &[T],
        residual: &[T],
        affine: Affine<'_, T>,
        moments: Option<Moments<'_, T>>,
        dy: &[T],
        dz: &mut [T],
        sums: &mut [f64],
    ) {
        with_activation!(
            this.activation,
            windows_backward_with::<T>(this, pool, rows, start, x, residual, affine, moments, dy, dz, sums)
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
    x: &[T],
    residual: &[T],
    affine: Affine<'_, T>,
    moments: Option<Moments<'_, T>>,
    dy: &[T],
    dz: &mut [T],
    sums: &mut [f64],
) {
    let features = this.features;
    let overlaps = pool.overlaps();
    // Pixels that no window covers get none; of windows that don't overlap every other pixel is written below.
    if overlaps
        || !this.width.is_multiple_of(pool.window.stride)
        || !this.height.is_multiple_of(pool.window.stride)
    {
        dz.fill(T::ZERO);
    }
    for first in (0..features).step_by(BLOCK) {
        let count = BLOCK.min(features - first);
        let multiply = channels(affine.multiply, first, count, T::ONE);
        let add = channels(affine.add, first, count, T::ZERO);
        let (mean, inv_std) = match moments {
            Some(Moments { mean, inv_std }) => {
                (channels(mean, first, count, T::ZERO), channels(inv_std, first, count, T::ZERO))
            }
            None => ([T::ZERO; BLOCK], [T::ZERO; BLOCK]),
        };
        for row in rows.clone() {
            let (mut sum, mut sum_xhat) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK]);
            for column in 0..pool.width {
                // The first of the largest values: its value, its x and z, and its number in the window.
                let mut best = [T::ZERO; BLOCK];
                let (mut best_x, mut best_z) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK]);
                let mut place = [0u32; BLOCK];
                let mut number = 0;
                for y_in in pool.cover(row, this.height) {
                    for x_in in pool.cover(column, this.width) {
                        let at = (y_in * this.width + x_in) * features + first;
                        let r = channels(residual, at, count, T::ZERO);
                        let x = channels(x, at, count, T::ZERO);
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
                let dy = channels(dy, (row * pool.width + column) * features + first, count, T::ZERO);
                let mut d = [T::ZERO; BLOCK];
                for j in 0..BLOCK {
                    d[j] = dy[j] * A::slope(best_z[j], best[j]);
                    sum[j] += d[j];
                    sum_xhat[j] += d[j] * ((best_x[j] - mean[j]) * inv_std[j]);
                }
                number = 0;
                for y_in in pool.cover(row, this.height) {
                    for x_in in pool.cover(column, this.width) {
                        let at = (y_in * this.width + x_in) * features + first - start;
                        let dz = &mut dz[at..][..count];
                        let mut given = [T::ZERO; BLOCK];
                        for j in 0..BLOCK {
                            given[j] = if place[j] == number { d[j] } else { T::ZERO };
                        }
                        if overlaps {
                            dz.iter_mut().zip(given).for_each(|(dz, given)| *dz += given);
                        } else {
                            dz.copy_from_slice(&given[..count]);
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
}
