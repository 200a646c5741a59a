//! Max-pooling over `[H, W, C]` maps, as `torch.nn.MaxPool2d`: windows are cut at the edge, the first of equal values wins.

use crate::float::Float;
use crate::isa::per_isa;
use crate::parallel::{Shared, for_each};
use pupila_network::{Shape, Window};
use std::ops::Range;

/// Channels whose gradients are given at once.
const CHANNEL_BLOCK: usize = 64;

/// The sizes of a pooling.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MaxPool {
    height: usize,
    width: usize,
    channels: usize,
    out_height: usize,
    out_width: usize,
    window: Window,
}

/// The places in the input of a window's pixels, row by row.
#[derive(Debug, Clone)]
struct Pixels {
    width: usize,
    channels: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    row: usize,
    column: usize,
}

impl Iterator for Pixels {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.column >= self.columns.end {
            self.column = self.columns.start;
            self.row += 1;
        }
        if self.row >= self.rows.end || self.column >= self.columns.end {
            return None;
        }
        self.column += 1;
        Some((self.row * self.width + self.column - 1) * self.channels)
    }
}

impl MaxPool {
    pub(crate) fn new(input: Shape, output: Shape, window: Window) -> Self {
        let sides = |shape| match shape {
            Shape::Map { height, width, .. } => (height, width),
            Shape::Vector(n) => (1, n),
        };
        let ((height, width), (out_height, out_width)) = (sides(input), sides(output));
        MaxPool { height, width, channels: input.features(), out_height, out_width, window }
    }

    fn input_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    fn output_len(&self) -> usize {
        self.out_height * self.out_width * self.channels
    }

    /// The rows or columns of the input that a window covers.
    fn cover(&self, index: usize, side: usize) -> Range<usize> {
        let first = index * self.window.stride;
        first.saturating_sub(self.window.padding)
            ..side.min((first + self.window.kernel).saturating_sub(self.window.padding))
    }

    /// Calls with each window: its place in the output, and the places of its pixels in the input.
    #[inline(always)]
    fn windows(&self, mut each: impl FnMut(usize, Pixels)) {
        for row in 0..self.out_height {
            let rows = self.cover(row, self.height);
            for column in 0..self.out_width {
                let columns = self.cover(column, self.width);
                let pixels = Pixels {
                    width: self.width,
                    channels: self.channels,
                    row: rows.start,
                    column: columns.start,
                    rows: rows.clone(),
                    columns,
                };
                each((row * self.out_width + column) * self.channels, pixels);
            }
        }
    }

    /// `x`: `[batch, H, W, C]`, `y`: `[batch, H', W', C]`.
    pub(crate) fn forward<T: Float>(&self, batch: usize, x: &[T], y: &mut [T]) {
        let (from, to) = (self.input_len(), self.output_len());
        let y = Shared::new(&mut y[..batch * to]);
        for_each(batch, |image| {
            // SAFETY: each job has its own image.
            #[allow(unsafe_code)]
            let y = unsafe { y.part(image * to..(image + 1) * to) };
            let x = &x[image * from..][..from];
            self.windows(|at, pixels| {
                let y = &mut y[at..][..self.channels];
                let mut first = true;
                for pixel in pixels {
                    take_larger(&x[pixel..][..self.channels], y, first);
                    first = false;
                }
            });
        });
    }

    /// Each gradient goes to the first of the largest values of its window. `dx` is overwritten.
    pub(crate) fn backward<T: Float>(&self, batch: usize, x: &[T], y: &[T], dy: &[T], dx: &mut [T]) {
        let (from, to) = (self.input_len(), self.output_len());
        let dx = Shared::new(&mut dx[..batch * from]);
        for_each(batch, |image| {
            // SAFETY: each job has its own image.
            #[allow(unsafe_code)]
            let dx = unsafe { dx.part(image * from..(image + 1) * from) };
            dx.fill(T::ZERO);
            let x = &x[image * from..][..from];
            let (y, dy) = (&y[image * to..][..to], &dy[image * to..][..to]);
            self.windows(|at, pixels| {
                // What is left of each channel's gradient: nothing, once its place is found.
                let mut left = [T::ZERO; CHANNEL_BLOCK];
                for first in (0..self.channels).step_by(CHANNEL_BLOCK) {
                    let count = CHANNEL_BLOCK.min(self.channels - first);
                    let left = &mut left[..count];
                    left.copy_from_slice(&dy[at + first..][..count]);
                    let y = &y[at + first..][..count];
                    for pixel in pixels.clone() {
                        let range = pixel + first..pixel + first + count;
                        give(&x[range.clone()], y, left, &mut dx[range]);
                    }
                }
            });
        });
    }
}

per_isa! {
    fn take_larger<T: Float>(x: &[T], y: &mut [T], first: bool) {
        for (y, &x) in y.iter_mut().zip(x) {
            // A NaN is passed on, as in PyTorch.
            *y = if first || x > *y || x.to_f64().is_nan() { x } else { *y };
        }
    }
}

per_isa! {
    fn give<T: Float>(x: &[T], y: &[T], left: &mut [T], dx: &mut [T]) {
        for (((dx, left), &x), &y) in dx.iter_mut().zip(left).zip(x).zip(y) {
            if x == y {
                *dx += *left;
                *left = T::ZERO;
            }
        }
    }
}
