//! Resizing as Pillow's `Image.resize` does it, to the bit; hence as torchvision and timm, which resize pictures by it.
//!
//! A filter that is stretched by the factor of shrinking weighs the samples that a sample of the result covers, so that nothing
//! is passed over. Weights are whole numbers of 22 fractional bits, and what one axis gives is rounded to 8 bits before the other is
//! summed: both are a part of what is to be equal, as is the axis that comes first. Reference: Pillow 13's `Resample.c`; Pillow 12 and before
//! always begin with the rows, which differs by 1 at most where a picture loses more than twice as many rows as columns.

use super::{Interpolation, Rows};
use pupila_isa::dispatch;

/// Fractional bits of a weight.
const BITS: u32 = 22;
/// One half.
const HALF: i32 = 1 << (BITS - 1);

/// The weights along one axis: for each sample of the result its first source sample, and the weights from there on.
struct Weights {
    /// (first source sample, where its weights begin), and one more to end the last.
    spans: Vec<(usize, usize)>,
    weights: Vec<i32>,
}

impl Weights {
    fn new(source: u32, target: u32, interpolation: Interpolation) -> Self {
        let (filter, support): (fn(f64) -> f64, f64) = match interpolation {
            Interpolation::Cubic => (cubic, 2.0),
            Interpolation::Lanczos => (lanczos, 3.0),
            _ => (triangle, 1.0),
        };
        let scale = f64::from(source) / f64::from(target);
        let stretch = scale.max(1.0);
        let support = support * stretch;
        let mut table = Weights { spans: Vec::with_capacity(target as usize + 1), weights: Vec::new() };
        let mut exact = Vec::new();
        for position in 0..target {
            let centre = (f64::from(position) + 0.5) * scale;
            // Casts cut towards zero, and below zero it is the border.
            let first = (centre - support + 0.5).max(0.0) as u32;
            let end = ((centre + support + 0.5) as u32).min(source);
            exact.clear();
            exact.extend((first..end).map(|at| filter((f64::from(at) - centre + 0.5) * (1.0 / stretch))));
            let sum: f64 = exact.iter().sum();
            table.spans.push((first as usize, table.weights.len()));
            table.weights.extend(exact.iter().map(|&weight| {
                let weight = if sum == 0.0 { weight } else { weight / sum };
                (weight * f64::from(1u32 << BITS) + 0.5f64.copysign(weight)) as i32
            }));
        }
        table.spans.push((0, table.weights.len()));
        table
    }

    #[inline(always)]
    fn at(&self, i: usize) -> (usize, &[i32]) {
        let (first, start) = self.spans[i];
        (first, &self.weights[start..self.spans[i + 1].1])
    }
}

fn triangle(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

/// Cubic convolution, Keys 1981, with a = -0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn lanczos(x: f64) -> f64 {
    let sinc = |x: f64| {
        let x = x * std::f64::consts::PI;
        if x == 0.0 { 1.0 } else { x.sin() / x }
    };
    if (-3.0..3.0).contains(&x) { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

/// `rows`: `[from[0], from[1], C]`, `data`: `[to[0], to[1], C]`; `interpolation` is linear, cubic or Lanczos.
pub(super) fn resize(
    rows: Rows<'_>,
    from: [u32; 2],
    data: &mut [u8],
    to: [u32; 2],
    channels: u8,
    interpolation: Interpolation,
) {
    let down = (from[0] != to[0]).then(|| Weights::new(from[0], to[0], interpolation));
    let across = (from[1] != to[1]).then(|| Weights::new(from[1], to[1], interpolation));
    let row_len = to[1] as usize * usize::from(channels);
    let narrow = |row: &[u8], out: &mut [u8]| match &across {
        None => out.copy_from_slice(row),
        Some(across) => dispatch(
            #[inline(always)]
            || match channels {
                1 => sum_columns::<1>(row, across, out),
                _ => sum_columns::<3>(row, across, out),
            },
        ),
    };
    let Some(down) = down else {
        data.chunks_exact_mut(row_len).enumerate().for_each(|(y, out)| narrow(rows.at(y), out));
        return;
    };
    let lost = |axis: usize| i64::from(from[axis]) - i64::from(to[axis]);
    if lost(0) > 0 && lost(0) > 2 * lost(1) {
        let (mut sums, mut row) = (vec![0i32; rows.len], vec![0u8; rows.len]);
        for (y, out) in data.chunks_exact_mut(row_len).enumerate() {
            let (first, weights) = down.at(y);
            sum_rows(&mut sums, &mut row, weights, |i| rows.at(first + i));
            narrow(&row, out);
        }
        return;
    }
    // A row is needed once the first sum needs it, and not again after the last: they are made in turn, in a ring.
    let most = (0..to[0] as usize).map(|y| down.at(y).1.len()).max().unwrap_or(1);
    let mut ring = vec![0u8; most * row_len];
    let (mut made, mut sums) = (0, vec![0i32; row_len]);
    for (y, out) in data.chunks_exact_mut(row_len).enumerate() {
        let (first, weights) = down.at(y);
        made = made.max(first);
        while made < first + weights.len() {
            narrow(rows.at(made), &mut ring[made % most * row_len..][..row_len]);
            made += 1;
        }
        sum_rows(&mut sums, out, weights, |i| &ring[(first + i) % most * row_len..][..row_len]);
    }
}

/// `out[j] = sum over i of weights[i] * row(i)[j]`, rounded.
fn sum_rows<'a>(sums: &mut [i32], out: &mut [u8], weights: &[i32], row: impl Fn(usize) -> &'a [u8]) {
    dispatch(
        #[inline(always)]
        || {
            sums.fill(HALF);
            for (i, &weight) in weights.iter().enumerate() {
                sums.iter_mut().zip(row(i)).for_each(|(sum, &v)| *sum += i32::from(v) * weight);
            }
            out.iter_mut().zip(sums.iter()).for_each(|(out, &sum)| *out = (sum >> BITS).clamp(0, 255) as u8);
        },
    );
}

#[inline(always)]
fn sum_columns<const C: usize>(row: &[u8], across: &Weights, out: &mut [u8]) {
    for (x, pixel) in out.as_chunks_mut::<C>().0.iter_mut().enumerate() {
        let (first, weights) = across.at(x);
        let mut sums = [HALF; C];
        for (samples, &weight) in row[first * C..].as_chunks::<C>().0.iter().zip(weights) {
            for c in 0..C {
                sums[c] += i32::from(samples[c]) * weight;
            }
        }
        *pixel = sums.map(|sum| (sum >> BITS).clamp(0, 255) as u8);
    }
}
