//! Dropout: the mask is drawn from a stream keyed by (seed, layer, step), so it depends on nothing else.

use crate::float::Float;
use pupila_random::{Purpose, Stream};

/// Fills `mask` with 0 (probability `p`) or 1 / (1 - p).
pub(crate) fn draw<T: Float>(mask: &mut [T], p: f64, seed: u64, layer: usize, step: u64) {
    let mut stream = Stream::new(seed, Purpose::Dropout, layer as u32, step as u32);
    let (threshold, kept) = ((p * f64::from(u32::MAX)) as u32, T::of(1.0 / (1.0 - p)));
    for m in mask {
        *m = if stream.next_u32() < threshold { T::ZERO } else { kept };
    }
}

/// y = x mask; the gradient is the same product.
pub(crate) fn apply<T: Float>(x: &[T], mask: &[T], y: &mut [T]) {
    for ((y, &x), &m) in y.iter_mut().zip(x).zip(mask) {
        *y = x * m;
    }
}
