//! Dropout of elements or of whole samples: the mask is drawn from streams keyed by (seed, layer, block, step), so it depends on nothing else.

use crate::float::Float;
use crate::isa::per_isa;
use crate::parallel::{Shared, for_each};
use pupila_random::{Purpose, Stream};

/// Elements that share a stream.
const BLOCK: usize = 16 << 10;

/// What a mask is drawn from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) seed: u64,
    pub(crate) layer: usize,
    pub(crate) step: u64,
}

/// Fills `mask` with 0 (probability `p`) or 1 / (1 - p), and y with x mask.
pub(crate) fn forward<T: Float>(x: &[T], p: f64, key: Key, mask: &mut [T], y: &mut [T]) {
    let (threshold, kept) = ((p * f64::from(u32::MAX)) as u32, T::of(1.0 / (1.0 - p)));
    let len = x.len();
    let (mask, y) = (Shared::new(mask), Shared::new(y));
    for_each(len.div_ceil(BLOCK), |block| {
        let range = block * BLOCK..len.min((block + 1) * BLOCK);
        // SAFETY: each job has its own block.
        #[allow(unsafe_code)]
        let (mask, y) = unsafe { (mask.part(range.clone()), y.part(range.clone())) };
        let layer = (key.layer as u32) << 16 | block as u32;
        let stream = Stream::new(key.seed, Purpose::Dropout, layer, key.step as u32);
        drop_some(&x[range], stream, threshold, kept, mask, y);
    });
}

per_isa! {
    /// One block of [`forward`]: what draws a word below the threshold is dropped.
    fn drop_some<T: Float>(x: &[T], stream: Stream, threshold: u32, kept: T, mask: &mut [T], y: &mut [T]) {
        let mut stream = stream;
        let mut words = [0; 256];
        for ((x, mask), y) in
            x.chunks(words.len()).zip(mask.chunks_mut(words.len())).zip(y.chunks_mut(words.len()))
        {
            let words = &mut words[..x.len()];
            stream.fill(words);
            for (((&x, m), y), &word) in x.iter().zip(mask).zip(y).zip(&*words) {
                *m = if word < threshold { T::ZERO } else { kept };
                *y = x * *m;
            }
        }
    }
}

/// The same with one draw for all of a sample. `x: [batch, ..]`
pub(crate) fn forward_samples<T: Float>(
    x: &[T],
    batch: usize,
    p: f64,
    key: Key,
    mask: &mut [T],
    y: &mut [T],
) {
    let (threshold, kept) = ((p * f64::from(u32::MAX)) as u32, T::of(1.0 / (1.0 - p)));
    let (ones, mut of_sample, mut unread) = (vec![T::ONE; batch], vec![T::ZERO; batch], vec![T::ZERO; batch]);
    let stream = Stream::new(key.seed, Purpose::Dropout, (key.layer as u32) << 16, key.step as u32);
    // One draw each, in the order of the samples.
    drop_some(&ones, stream, threshold, kept, &mut of_sample, &mut unread);
    let len = x.len() / batch.max(1);
    let (mask, y) = (Shared::new(mask), Shared::new(y));
    for_each(batch, |sample| {
        let range = sample * len..(sample + 1) * len;
        // SAFETY: each job has its own sample.
        #[allow(unsafe_code)]
        let (mask, y) = unsafe { (mask.part(range.clone()), y.part(range.clone())) };
        let factor = of_sample[sample];
        mask.fill(factor);
        y.iter_mut().zip(&x[range]).for_each(|(y, &x)| *y = x * factor);
    });
}

/// dx = dy mask
pub(crate) fn backward<T: Float>(dy: &[T], mask: &[T], dx: &mut [T]) {
    let len = dy.len();
    let dx = Shared::new(dx);
    for_each(len.div_ceil(BLOCK), |block| {
        let range = block * BLOCK..len.min((block + 1) * BLOCK);
        // SAFETY: each job has its own block.
        #[allow(unsafe_code)]
        let dx = unsafe { dx.part(range.clone()) };
        for ((dx, &d), &m) in dx.iter_mut().zip(&dy[range.clone()]).zip(&mask[range]) {
            *dx = d * m;
        }
    });
}
