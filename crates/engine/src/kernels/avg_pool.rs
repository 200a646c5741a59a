//! Average-pooling over `[H, W, C]` maps, as `torch.nn.AvgPool2d`, where what is beyond the edge counts as zeros; and over the
//! whole map, as `torch.nn.AdaptiveAvgPool2d(1)`.

use crate::float::Float;
use crate::isa::per_isa;
use crate::kernels::gather::sides;
use crate::parallel::{Shared, for_each};
use pupila_network::{Shape, Window};
use std::ops::Range;

/// Channels that are summed side by side.
const BLOCK: usize = 16;
/// Pixels whose sum is taken in single precision, before it goes on in double.
const SUM_ROWS: usize = 64;

/// The sizes of a pooling.
#[derive(Debug, Clone)]
pub(crate) struct AvgPool {
    width: usize,
    channels: usize,
    rows: Vec<Range<usize>>,
    columns: Vec<Range<usize>>,
    /// Elements of an input image.
    image: usize,
    /// Pixels that a mean is over.
    pixels: usize,
}

impl AvgPool {
    /// Windows, or the whole map without one.
    pub(crate) fn new(input: Shape, output: Shape, window: Option<Window>) -> Self {
        let ((height, width), (out_height, out_width)) = (sides(input), sides(output));
        let cover = |count: usize, side: usize| -> Vec<Range<usize>> {
            let Some(window) = window else {
                return std::iter::once(0..side).collect();
            };
            let (Window { kernel, stride, .. }, (padding, _)) = (window, window.around(side));
            let cover = |index: usize| {
                let first = index * stride;
                first.saturating_sub(padding)..side.min((first + kernel).saturating_sub(padding))
            };
            (0..count).map(cover).collect()
        };
        AvgPool {
            width,
            channels: input.features(),
            rows: cover(out_height, height),
            columns: cover(out_width, width),
            image: input.len(),
            pixels: window.map_or(height * width, |window| window.kernel * window.kernel),
        }
    }

    fn output(&self) -> usize {
        self.rows.len() * self.columns.len() * self.channels
    }

    /// Whether the one mean is over the whole map.
    fn whole(&self) -> bool {
        let seen = |sides: &[Range<usize>]| sides.iter().map(ExactSizeIterator::len).sum::<usize>();
        let one = self.rows.len() == 1 && self.columns.len() == 1;
        one && seen(&self.rows) * seen(&self.columns) * self.channels == self.image
    }

    /// Calls with the place of each window's result and of each of its pixels.
    fn pairs(&self, mut pair: impl FnMut(usize, usize)) {
        for (row, rows) in self.rows.iter().enumerate() {
            for (column, columns) in self.columns.iter().enumerate() {
                let to = (row * self.columns.len() + column) * self.channels;
                for y in rows.clone() {
                    columns.clone().for_each(|x| pair(to, (y * self.width + x) * self.channels));
                }
            }
        }
    }

    /// `x`: `[batch, H, W, C]`, `y`: `[batch, H', W', C]`.
    pub(crate) fn forward<T: Float>(&self, batch: usize, x: &[T], y: &mut [T]) {
        let (len, share) = (self.output(), T::of(1.0 / self.pixels as f64));
        let y = Shared::new(&mut y[..batch * len]);
        for_each(batch, |image| {
            // SAFETY: each job has its own image.
            #[allow(unsafe_code)]
            let y = unsafe { y.part(image * len..(image + 1) * len) };
            let x = &x[image * self.image..][..self.image];
            if self.whole() {
                return means(x, share, y);
            }
            y.fill(T::ZERO);
            self.pairs(|to, from| {
                let pixel = &x[from..][..self.channels];
                y[to..][..self.channels].iter_mut().zip(pixel).for_each(|(sum, &x)| *sum += x);
            });
            y.iter_mut().for_each(|sum| *sum *= share);
        });
    }

    /// Each gradient is shared out to the pixels of its window, on top of `dx` if `add`.
    pub(crate) fn backward<T: Float>(&self, batch: usize, dy: &[T], add: bool, dx: &mut [T]) {
        let (len, share) = (self.output(), T::of(1.0 / self.pixels as f64));
        let dx = Shared::new(&mut dx[..batch * self.image]);
        for_each(batch, |image| {
            // SAFETY: each job has its own image.
            #[allow(unsafe_code)]
            let dx = unsafe { dx.part(image * self.image..(image + 1) * self.image) };
            let dy = &dy[image * len..][..len];
            if self.whole() {
                return share_out(dy, share, add, dx);
            }
            if !add {
                dx.fill(T::ZERO);
            }
            self.pairs(|from, to| {
                let gradient = &dy[from..][..self.channels];
                dx[to..][..self.channels].iter_mut().zip(gradient).for_each(|(dx, &d)| *dx += d * share);
            });
        });
    }
}

per_isa! {
    /// The mean of each channel over all pixels of an image.
    fn means<T: Float>(x: &[T], share: T, y: &mut [T]) {
        let channels = y.len();
        let pixels = x.len() / channels;
        for (block, y) in y.chunks_mut(BLOCK).enumerate() {
            let (first, count) = (block * BLOCK, y.len());
            let mut total = [0.0; BLOCK];
            for start in (0..pixels).step_by(SUM_ROWS) {
                let mut sums = [T::ZERO; BLOCK];
                for pixel in start..pixels.min(start + SUM_ROWS) {
                    let at = pixel * channels + first;
                    // Of a length that is known, the sums stay in registers.
                    if count == BLOCK {
                        let x = &x[at..at + BLOCK];
                        for j in 0..BLOCK {
                            sums[j] += x[j];
                        }
                    } else {
                        for (sum, &x) in sums.iter_mut().zip(&x[at..at + count]) {
                            *sum += x;
                        }
                    }
                }
                total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum.to_f64());
            }
            for (y, total) in y.iter_mut().zip(total) {
                *y = T::of(total) * share;
            }
        }
    }
}

per_isa! {
    /// The gradient of every pixel of an image, from that of the means.
    fn share_out<T: Float>(dy: &[T], share: T, add: bool, dx: &mut [T]) {
        for pixel in dx.chunks_exact_mut(dy.len()) {
            if add {
                for (dx, &d) in pixel.iter_mut().zip(dy) {
                    *dx += d * share;
                }
            } else {
                for (dx, &d) in pixel.iter_mut().zip(dy) {
                    *dx = d * share;
                }
            }
        }
    }
}
