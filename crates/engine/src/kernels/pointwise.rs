//! What stands between two linear maps, in one pass over memory: BatchNorm, the residual sum, the activation and max-pooling,
//! each of them or not. Nothing in between is written.
//!
//! With z = x multiply + add + residual the result is f(z), or the largest f(z) of each window. The backward pass works z out
//! again from x instead of having kept it: reading x twice costs less than writing and reading z.

mod epilogue;
mod windows;

pub(crate) use self::epilogue::Epilogue;

use self::windows::{Pool, windows_backward, windows_forward};
use crate::float::Float;
use crate::isa::per_isa;
use crate::kernels::activation::{Elementwise, with_activation};
use crate::kernels::gather::sides;
use crate::parallel::{Shared, for_each};
use pupila_network::{Activation, Shape, Window};
use std::ops::Range;

/// Channels that are worked on side by side.
const BLOCK: usize = 16;
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
    activation: Option<Activation>,
    pool: Option<Pool>,
}

/// What BatchNorm makes of x: x multiply + add, `[features]` each; nothing where both are empty.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Affine<'a, T> {
    pub(crate) multiply: &'a [T],
    pub(crate) add: &'a [T],
}

/// What z is worked out from: z = x multiply + add + residual.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operands<'a, T> {
    /// `[batch, H, W, features]`
    pub(crate) x: &'a [T],
    /// As `x`, or empty.
    pub(crate) residual: &'a [T],
    pub(crate) affine: Affine<'a, T>,
}

impl<T> Operands<'_, T> {
    /// Some of the elements.
    #[inline(always)]
    fn part(&self, range: Range<usize>) -> Operands<'_, T>
    where
        T: Copy,
    {
        let Operands { x, residual, affine } = *self;
        Operands { x: &x[range.clone()], residual: residual.get(range).unwrap_or_default(), affine }
    }
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

    /// Whether it may be an [`Epilogue`]: without a pooling each result stands where its input does.
    pub(crate) fn works_in_place(&self) -> bool {
        self.pool.is_none()
    }

    /// Elements of an input sample.
    fn image(&self) -> usize {
        self.height * self.width * self.features
    }

    /// Rows that one job works on: of an image's output where there is a pooling, else of features over the whole batch.
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

    /// `y`: `[batch, H', W', features]`.
    pub(crate) fn forward<T: Float>(&self, batch: usize, operands: Operands<'_, T>, y: &mut [T]) {
        let Some(pool) = self.pool else {
            let (rows, total) = (self.job_rows(), batch * self.height * self.width);
            let y = Shared::new(&mut y[..total * self.features]);
            for_each(self.jobs(batch), |job| {
                let range = job * rows * self.features..total.min((job + 1) * rows) * self.features;
                // SAFETY: each job has its own rows.
                #[allow(unsafe_code)]
                let y = unsafe { y.part(range.clone()) };
                rows_forward(self, operands.part(range), y);
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
            windows_forward(self, pool, group, operands.part(range), y);
        });
    }

    /// The gradient of z into `dz: [batch, H, W, features]` and the residual's; with `moments` also the sums of dz and of
    /// dz xhat over all rows into `sums: [2, features]`.
    pub(crate) fn backward<T: Float>(
        &self,
        batch: usize,
        operands: Operands<'_, T>,
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
                        let dy = &dy[range.clone()];
                        rows_backward(self, operands.part(range.clone()), moments, dy, dz, sums);
                    }
                    Some(pool) => {
                        let (rows, per_image) = (self.job_rows(), pool.height.div_ceil(self.job_rows()));
                        let (image, group) = (job / per_image, job % per_image);
                        let group = group * rows..pool.height.min((group + 1) * rows);
                        let out = pool.height * pool.width * features;
                        let dy = &dy[image * out..][..out];
                        let whole = image * self.image()..(image + 1) * self.image();
                        let start = range.start - whole.start;
                        let operands = operands.part(whole);
                        windows_backward(self, pool, group, start, operands, moments, dy, dz, sums);
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

/// z for some channels of a pixel: `multiply` and `add` are of those channels, ones and zeros without BatchNorm.
#[inline(always)]
fn pre_activation<T: Float>(x: T, multiply: T, add: T, residual: T) -> T {
    x * multiply + add + residual
}

/// The channels `first..` of `values`, or `filling` where there are none. `WHOLE` says that there are as many as a block has,
/// which makes them one load instead of a copy of a length unknown.
#[inline(always)]
fn channels<T: Float, const WHOLE: bool>(values: &[T], first: usize, count: usize, filling: T) -> [T; BLOCK] {
    let mut block = [filling; BLOCK];
    if values.is_empty() {
        return block;
    }
    if WHOLE {
        block.copy_from_slice(&values[first..first + BLOCK]);
    } else {
        block[..count].copy_from_slice(&values[first..first + count]);
    }
    block
}

/// The block of BatchNorm's multipliers and of its summands, which leave x as it is where there is no BatchNorm.
#[inline(always)]
fn affine_block<T: Float, const WHOLE: bool>(
    affine: Affine<'_, T>,
    first: usize,
    count: usize,
) -> ([T; BLOCK], [T; BLOCK]) {
    let multiply = channels::<T, WHOLE>(affine.multiply, first, count, T::ONE);
    (multiply, channels::<T, WHOLE>(affine.add, first, count, T::ZERO))
}

/// Writes a block's channels.
#[inline(always)]
fn put<T: Float, const WHOLE: bool>(block: &[T; BLOCK], to: &mut [T], count: usize) {
    if WHOLE {
        to[..BLOCK].copy_from_slice(block);
    } else {
        to[..count].copy_from_slice(&block[..count]);
    }
}

per_isa! {
    fn rows_forward<T: Float>(this: &Pointwise, operands: Operands<'_, T>, y: &mut [T]) {
        with_activation!(this.activation, rows_forward_with::<T>(this, operands, y));
    }
}

#[inline(always)]
fn rows_forward_with<T: Float, A: Elementwise>(this: &Pointwise, operands: Operands<'_, T>, y: &mut [T]) {
    let (Operands { x, residual, affine }, features) = (operands, this.features);
    if affine.multiply.is_empty() {
        if residual.is_empty() {
            // Loops, since what `for_each` calls may be compiled for the smallest instruction set.
            for (y, &x) in y.iter_mut().zip(x) {
                *y = A::value(x);
            }
        } else {
            for ((y, &x), &r) in y.iter_mut().zip(x).zip(residual) {
                *y = A::value(x + r);
            }
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
    fn rows_backward<T: Float>(
        this: &Pointwise,
        operands: Operands<'_, T>,
        moments: Option<Moments<'_, T>>,
        dy: &[T],
        dz: &mut [T],
        sums: &mut [f64],
    ) {
        with_activation!(this.activation, rows_backward_with::<T>(this, operands, moments, dy, dz, sums));
    }
}

#[inline(always)]
fn rows_backward_with<T: Float, A: Elementwise>(
    this: &Pointwise,
    operands: Operands<'_, T>,
    moments: Option<Moments<'_, T>>,
    dy: &[T],
    dz: &mut [T],
    sums: &mut [f64],
) {
    let (Operands { x, residual, .. }, features) = (operands, this.features);
    let Some(moments) = moments else {
        if residual.is_empty() {
            for ((dz, &x), &dy) in dz.iter_mut().zip(x).zip(dy) {
                *dz = dy * A::slope(x, A::value(x));
            }
        } else {
            for (((dz, &x), &r), &dy) in dz.iter_mut().zip(x).zip(residual).zip(dy) {
                *dz = dy * A::slope(x + r, A::value(x + r));
            }
        }
        return;
    };
    let rows = x.len() / features;
    for start in (0..rows).step_by(SUM_ROWS) {
        let rows = start..rows.min(start + SUM_ROWS);
        for first in (0..features).step_by(BLOCK) {
            let count = BLOCK.min(features - first);
            if count == BLOCK {
                slopes::<T, A, true>(features, rows.clone(), operands, moments, dy, dz, sums, first, count);
            } else {
                slopes::<T, A, false>(features, rows.clone(), operands, moments, dy, dz, sums, first, count);
            }
        }
    }
}

/// dz of some rows for a block of channels, and its sums.
#[inline(always)]
fn slopes<T: Float, A: Elementwise, const WHOLE: bool>(
    features: usize,
    rows: Range<usize>,
    operands: Operands<'_, T>,
    moments: Moments<'_, T>,
    dy: &[T],
    dz: &mut [T],
    sums: &mut [f64],
    first: usize,
    count: usize,
) {
    let Operands { x, residual, affine } = operands;
    let (multiply, add) = affine_block::<T, WHOLE>(affine, first, count);
    let mean = channels::<T, WHOLE>(moments.mean, first, count, T::ZERO);
    let inv_std = channels::<T, WHOLE>(moments.inv_std, first, count, T::ZERO);
    let (mut sum, mut sum_xhat) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK]);
    for row in rows {
        let at = row * features + first;
        let r = channels::<T, WHOLE>(residual, at, count, T::ZERO);
        let x = channels::<T, WHOLE>(x, at, count, T::ZERO);
        let dy = channels::<T, WHOLE>(dy, at, count, T::ZERO);
        let mut d = [T::ZERO; BLOCK];
        for j in 0..BLOCK {
            let z = pre_activation(x[j], multiply[j], add[j], r[j]);
            d[j] = dy[j] * A::slope(z, A::value(z));
            sum[j] += d[j];
            sum_xhat[j] += d[j] * ((x[j] - mean[j]) * inv_std[j]);
        }
        put::<T, WHOLE>(&d, &mut dz[at..], count);
    }
    for j in 0..count {
        sums[first + j] += sum[j].to_f64();
        sums[features + first + j] += sum_xhat[j].to_f64();
    }
}
