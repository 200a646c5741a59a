//! Convolutions over an image with the border mirrored at its outermost pixels, as `cv2.sepFilter2D`, `cv2.filter2D` and
//! `cv2.GaussianBlur` have it for 8-bit images.

use crate::frame::Scratch;
use crate::{BorderMode, Shape};

/// Where tap `i` along a side of `n` pixels is taken from.
fn mirrored(i: i64, n: usize) -> usize {
    BorderMode::Reflect101.position(i, n).unwrap_or(0)
}

/// Rounds into a byte, halves to even; `x` is at most a few thousand.
#[inline]
fn byte(x: f32) -> u8 {
    // Through a biased integer: a cast alone would not be vectorised for the instructions of any x86-64.
    let x = if x > 0.0 { x } else { 0.0 };
    let x = if x < 255.0 { x } else { 255.0 };
    (x + 8_388_608.0).to_bits() as u8
}

/// The same with halves up.
#[inline]
fn byte_halves_up(x: f32) -> u8 {
    let down = (x + 8_388_608.0) - 8_388_608.0;
    byte(if x - down == 0.5 { down + 1.0 } else { down })
}

/// Copies row `y` of the image with `radius` mirrored pixels at each end. `to: [(W + 2 radius) C]`
fn padded_row(row: &[u8], shape: Shape, radius: usize, to: &mut [f32]) {
    let Shape { width, channels, .. } = shape;
    let inside = &mut to[radius * channels..][..row.len()];
    inside.iter_mut().zip(row).for_each(|(to, &value)| *to = f32::from(value));
    for i in 0..radius {
        for (at, x) in [(i, i as i64 - radius as i64), (width + radius + i, (width + i) as i64)] {
            let column = mirrored(x, width);
            for channel in 0..channels {
                to[at * channels + channel] = f32::from(row[column * channels + channel]);
            }
        }
    }
}

/// Convolves rows and then columns with one symmetric kernel of odd length, in f32, and rounds once.
pub(crate) fn symmetric(from: &[u8], shape: Shape, to: &mut [u8], kernel: &[f32], scratch: &mut Scratch) {
    symmetric_to(from, shape, to, kernel, scratch, byte);
}

fn symmetric_to(
    from: &[u8],
    shape: Shape,
    to: &mut [u8],
    kernel: &[f32],
    scratch: &mut Scratch,
    round: impl Fn(f32) -> u8,
) {
    let radius = kernel.len() / 2;
    let half = &kernel[radius..];
    let row_len = shape.row();
    let pad = radius * shape.channels;
    let mut padded = vec![0f32; row_len + 2 * pad];
    let blurred = &mut scratch.floats;
    blurred.resize(shape.values(), 0.0);
    for (row, out) in from.chunks_exact(row_len).zip(blurred.chunks_exact_mut(row_len)) {
        padded_row(row, shape, radius, &mut padded);
        weigh_pairs(out, half, |offset| {
            let step = offset * shape.channels;
            (&padded[pad - step..][..row_len], &padded[pad + step..][..row_len])
        });
    }
    let mut sums = vec![0f32; row_len];
    for (y, out) in to.chunks_exact_mut(row_len).enumerate() {
        weigh_pairs(&mut sums, half, |offset| {
            let row = |y: i64| &blurred[mirrored(y, shape.height) * row_len..][..row_len];
            (row(y as i64 - offset as i64), row(y as i64 + offset as i64))
        });
        out.iter_mut().zip(&sums).for_each(|(out, &sum)| *out = round(sum));
    }
}

/// `sums = half[0] a(0) + half[1] (a(1) + b(1)) + ...`, where `pair(i)` gives `a(i)` and `b(i)`: two pairs at a time.
fn weigh_pairs<'a>(sums: &mut [f32], half: &[f32], pair: impl Fn(usize) -> (&'a [f32], &'a [f32])) {
    let centre = pair(0).0;
    sums.iter_mut().zip(centre).for_each(|(sum, &value)| *sum = value * half[0]);
    let mut offset = 1;
    while offset + 1 < half.len() {
        let ((a, b), (c, d)) = (pair(offset), pair(offset + 1));
        let (near, far) = (half[offset], half[offset + 1]);
        for ((((sum, &a), &b), &c), &d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *sum += (a + b) * near + (c + d) * far;
        }
        offset += 2;
    }
    if offset < half.len() {
        let (a, b) = pair(offset);
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a + b) * half[offset];
        }
    }
}

/// Correlates with a square kernel of odd side, in f32. `kernel: [K, K]`
pub(crate) fn square(from: &[u8], shape: Shape, to: &mut [u8], kernel: &[f32], scratch: &mut Scratch) {
    let side = kernel.len().isqrt();
    let radius = side / 2;
    let row_len = shape.row();
    let wide = row_len + 2 * radius * shape.channels;
    // Rows of the image as f32, padded once, since each is used for as many rows of the result as the kernel has.
    let padded = &mut scratch.floats;
    padded.resize(wide * shape.height, 0.0);
    for (row, padded) in from.chunks_exact(row_len).zip(padded.chunks_exact_mut(wide)) {
        padded_row(row, shape, radius, padded);
    }
    let taps: Vec<(usize, usize, f32)> = (0..side * side)
        .filter(|&i| kernel[i] != 0.0)
        .map(|i| (i / side, (i % side) * shape.channels, kernel[i]))
        .collect();
    let mut sums = vec![0f32; row_len];
    for (y, out) in to.chunks_exact_mut(row_len).enumerate() {
        let tap = |&(j, shift, _): &(usize, usize, f32)| {
            let row = mirrored(y as i64 + j as i64 - radius as i64, shape.height);
            &padded[row * wide + shift..][..row_len]
        };
        sums.fill(0.0);
        let mut fours = taps.chunks_exact(4);
        for four in &mut fours {
            let (a, b, c, d) = (tap(&four[0]), tap(&four[1]), tap(&four[2]), tap(&four[3]));
            let w = [four[0].2, four[1].2, four[2].2, four[3].2];
            for ((((sum, &a), &b), &c), &d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *sum += (a * w[0] + b * w[1]) + (c * w[2] + d * w[3]);
            }
        }
        for one in fours.remainder() {
            sums.iter_mut().zip(tap(one)).for_each(|(sum, &value)| *sum += value * one.2);
        }
        out.iter_mut().zip(&sums).for_each(|(out, &sum)| *out = byte(sum));
    }
}

/// The weights of `exp(-x^2 / (2 sigma^2))` at the `size` (odd) nearest pixels, which sum to 1.
pub(crate) fn gaussian_kernel(size: usize, sigma: f64) -> Vec<f64> {
    let radius = (size / 2) as f64;
    let weights: Vec<f64> = (0..size).map(|i| (-0.5 * ((i as f64 - radius) / sigma).powi(2)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// `cv2.GaussianBlur` of 8-bit images to the bit: weights in 1/256 whose rounding is carried from each to the next, sums in
/// fixed point.
pub(crate) fn gaussian_blur(
    from: &[u8],
    shape: Shape,
    to: &mut [u8],
    size: usize,
    sigma: f64,
    scratch: &mut Scratch,
) {
    let exact = gaussian_kernel(size, sigma);
    let radius = size / 2;
    // From the centre outwards, as the sums below take them.
    let mut half = vec![0u32; radius + 1];
    let (mut carried, mut total) = (0.0, 0u32);
    for (i, weight) in exact.iter().take(radius).enumerate() {
        let wanted = weight * 256.0 + carried;
        let rounded = wanted.round_ties_even();
        carried = wanted - rounded;
        half[radius - i] = rounded as u32;
        total += 2 * rounded as u32;
    }
    half[0] = 256 - total;
    let half: Vec<f32> = half.into_iter().map(|weight| weight as f32 / 256.0).collect();
    // f32 holds 8 bits of value and 16 of fraction without error, so these sums are those of fixed point.
    let kernel: Vec<f32> = half.iter().skip(1).rev().chain(&half).copied().collect();
    symmetric_to(from, shape, to, &kernel, scratch, byte_halves_up);
}
