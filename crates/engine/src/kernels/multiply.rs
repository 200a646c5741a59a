//! A map times one factor for each channel: what squeeze-and-excitation does with its gates.

use crate::float::Float;
use crate::isa::per_isa;
use crate::parallel::{Shared, for_each};
use pupila_network::Shape;

/// Channels that are worked on side by side.
const BLOCK: usize = 16;
/// Pixels whose products are summed in single precision, before the sum goes on in double.
const SUM_ROWS: usize = 64;

/// The sizes of a product.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Multiply {
    pixels: usize,
    channels: usize,
}

/// Where the factors' gradient goes.
pub(crate) struct FactorGradient<'a, T> {
    /// `[batch, channels]`
    pub(crate) values: &'a mut [T],
    /// On top of what is there.
    pub(crate) add: bool,
}

impl Multiply {
    /// For maps of a shape.
    pub(crate) fn new(shape: Shape) -> Self {
        Multiply { pixels: shape.len() / shape.features(), channels: shape.features() }
    }

    fn image(&self) -> usize {
        self.pixels * self.channels
    }

    /// `x`, `y`: `[batch, pixels, channels]`, `factors`: `[batch, channels]`
    pub(crate) fn forward<T: Float>(&self, batch: usize, x: &[T], factors: &[T], y: &mut [T]) {
        let image = self.image();
        let y = Shared::new(&mut y[..batch * image]);
        for_each(batch, |index| {
            let range = index * image..(index + 1) * image;
            // SAFETY: each job has its own image.
            #[allow(unsafe_code)]
            let y = unsafe { y.part(range.clone()) };
            products(&x[range], &factors[index * self.channels..][..self.channels], y);
        });
    }

    /// The gradients: by the map, `dx = dy factors`, overwritten, nothing where `dx` is empty; by the factors, the sum over the
    /// pixels of x dy.
    pub(crate) fn backward<T: Float>(
        &self,
        batch: usize,
        x: &[T],
        factors: &[T],
        dy: &[T],
        dx: &mut [T],
        factor_gradient: Option<FactorGradient<'_, T>>,
    ) {
        let (image, channels) = (self.image(), self.channels);
        let wanted = !dx.is_empty();
        let dx = Shared::new(dx);
        let add = factor_gradient.as_ref().is_some_and(|gradient| gradient.add);
        let factor_gradient = factor_gradient.map(|gradient| Shared::new(gradient.values));
        for_each(batch, |index| {
            let range = index * image..(index + 1) * image;
            let dy = &dy[range.clone()];
            if let Some(gradient) = &factor_gradient {
                // SAFETY: each job has its own image.
                #[allow(unsafe_code)]
                let gradient = unsafe { gradient.part(index * channels..(index + 1) * channels) };
                sums(&x[range.clone()], dy, add, gradient);
            }
            if wanted {
                // SAFETY: each job has its own image.
                #[allow(unsafe_code)]
                let dx = unsafe { dx.part(range) };
                products(dy, &factors[index * channels..][..channels], dx);
            }
        });
    }
}

per_isa! {
    fn products<T: Float>(x: &[T], factors: &[T], y: &mut [T]) {
        let channels = factors.len();
        for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            for ((y, &x), &factor) in y.iter_mut().zip(x).zip(factors) {
                *y = x * factor;
            }
        }
    }
}

per_isa! {
    /// The sum over the pixels of x dy for each channel.
    fn sums<T: Float>(x: &[T], dy: &[T], add: bool, gradient: &mut [T]) {
        let channels = gradient.len();
        let pixels = x.len() / channels;
        for (block, gradient) in gradient.chunks_mut(BLOCK).enumerate() {
            let (first, count) = (block * BLOCK, gradient.len());
            let mut total = [0.0; BLOCK];
            for start in (0..pixels).step_by(SUM_ROWS) {
                let mut sums = [T::ZERO; BLOCK];
                for pixel in start..pixels.min(start + SUM_ROWS) {
                    let at = pixel * channels + first;
                    // Of a length that is known, the sums stay in registers.
                    if count == BLOCK {
                        let (x, dy) = (&x[at..at + BLOCK], &dy[at..at + BLOCK]);
                        for j in 0..BLOCK {
                            sums[j] += x[j] * dy[j];
                        }
                    } else {
                        for ((sum, &x), &d) in sums.iter_mut().zip(&x[at..at + count]).zip(&dy[at..at + count]) {
                            *sum += x * d;
                        }
                    }
                }
                total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum.to_f64());
            }
            for (gradient, total) in gradient.iter_mut().zip(total) {
                *gradient = if add { *gradient + T::of(total) } else { T::of(total) };
            }
        }
    }
}
