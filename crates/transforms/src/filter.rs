//! Convolutions over an image with the border mirrored at its outermost pixels, as `cv2.sepFilter2D`, `cv2.filter2D` and
//! `cv2.GaussianBlur` have it for 8-bit images.

use crate::frame::Scratch;
use crate::{BorderMode, Shape};
use pupila_isa::dispatch;

/// Where tap `i` along a side of `n` pixels is taken from.
fn mirrored(i: i64, n: usize) -> usize {
    BorderMode::Reflect101.position(i, n).unwrap_or(0)
}

/// Rounds into a byte, halves to even; `x` is at most a few thousand.
#[inline(always)]
fn byte(x: f32) -> u8 {
    // Through a biased integer: a cast alone would not be vectorised for the instructions of any x86-64.
    let x = if x > 0.0 { x } else { 0.0 };
    let x = if x < 255.0 { x } else { 255.0 };
    (x + 8_388_608.0).to_bits() as u8
}

/// The same with halves up.
#[inline(always)]
fn byte_halves_up(x: f32) -> u8 {
    let down = (x + 8_388_608.0) - 8_388_608.0;
    byte(if x - down == 0.5 { down + 1.0 } else { down })
}

/// Copies row `y` of the image with `radius` mirrored pixels at each end. `to: [(W + 2 radius) C]`
#[inline(always)]
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

/// Convolves rows and then columns with one symmetric kernel of odd length whose weights sum to 1, and rounds once: in fixed
/// point where the kernel is short, else in f32.
pub(crate) fn symmetric(from: &[u8], shape: Shape, to: &mut [u8], kernel: &[f64], scratch: &mut Scratch) {
    dispatch(
        #[inline(always)]
        || {
            if kernel.len() <= FIXED_TAPS {
                symmetric_fixed(from, shape, to, kernel, scratch);
            } else {
                let kernel: Vec<f32> = kernel.iter().map(|&weight| weight as f32).collect();
                symmetric_to(from, shape, to, &kernel, scratch, byte);
            }
        },
    );
}

/// Taps of a kernel up to which it is convolved in fixed point. Every product is cut off below 1/128, which moves a sum of 16 by
/// less than 1/16 of a value; and the sums stay within 16 bits.
const FIXED_TAPS: usize = 31;
/// Bits of a value behind the point.
const FRACTION: u32 = 7;

/// Values that are summed at a time in fixed point.
const WIDE: usize = 128;

/// [`symmetric_to`] with values and weights of 16 bits, of which a register holds twice as many.
#[inline(always)]
fn symmetric_fixed(from: &[u8], shape: Shape, to: &mut [u8], kernel: &[f64], scratch: &mut Scratch) {
    let radius = kernel.len() / 2;
    let mut half: Vec<u16> =
        kernel[radius..].iter().map(|weight| (weight * 65536.0).round() as u16).collect();
    // A plain image stays as it is.
    let others: u32 = half[1..].iter().map(|&weight| 2 * u32::from(weight)).sum();
    half[0] = 65536u32.saturating_sub(others).min(65535) as u16;
    // As vectors, since the compiler finds the instruction for the upper half of a product only between two of them.
    let half: Vec<[u16; WIDE]> = half.into_iter().map(|weight| [weight; WIDE]).collect();
    let Shape { width, channels, .. } = shape;
    let row_len = shape.row();
    let stride = row_len.next_multiple_of(WIDE);
    let pad = radius * channels;
    let words = &mut scratch.words;
    words.resize(shape.height * stride + stride + 2 * pad + WIDE, 0);
    // Loads of a vector that lies in two lines of the cache take twice the time.
    let aligned = words.as_ptr().align_offset(64).min(WIDE);
    let (blurred, padded) = words[aligned..].split_at_mut(shape.height * stride);
    let mut starts: Vec<_> = (0..half.len()).map(|i| [pad - i * channels, pad + i * channels]).collect();
    for (row, out) in from.chunks_exact(row_len).zip(blurred.chunks_exact_mut(stride)) {
        let inside = &mut padded[pad..][..row_len];
        inside.iter_mut().zip(row).for_each(|(to, &value)| *to = u16::from(value) << FRACTION);
        for i in 0..radius {
            for (at, x) in [(i, i as i64 - radius as i64), (width + radius + i, (width + i) as i64)] {
                let column = radius + mirrored(x, width);
                padded.copy_within(column * channels..(column + 1) * channels, at * channels);
            }
        }
        for (block, out) in out.as_chunks_mut::<WIDE>().0.iter_mut().enumerate() {
            *out = weigh_fixed(padded, block * WIDE, &half, &starts);
        }
    }
    for (y, out) in to.chunks_exact_mut(row_len).enumerate() {
        for (offset, pair) in starts.iter_mut().enumerate() {
            let (y, offset) = (y as i64, offset as i64);
            *pair = [y - offset, y + offset].map(|y| mirrored(y, shape.height) * stride);
        }
        for (block, out) in out.chunks_mut(WIDE).enumerate() {
            let sums = weigh_fixed(blurred, block * WIDE, &half, &starts);
            let mut bytes = [0; WIDE];
            for i in 0..WIDE {
                bytes[i] = ((sums[i] + (1 << (FRACTION - 1))) >> FRACTION).min(255) as u8;
            }
            out.copy_from_slice(&bytes[..out.len()]);
        }
    }
}

/// [`weigh_pairs`] in fixed point.
#[inline(always)]
fn weigh_fixed(values: &[u16], at: usize, half: &[[u16; WIDE]], starts: &[[usize; 2]]) -> [u16; WIDE] {
    let block = |start: usize| &values[start + at..][..WIDE];
    let upper = |value: u16, weight: u16| ((u32::from(value) * u32::from(weight)) >> 16) as u16;
    let centre = block(starts[0][0]);
    // What is cut off each product is half a unit on average.
    let mut sums = [half.len() as u16 / 2; WIDE];
    for i in 0..WIDE {
        sums[i] += upper(centre[i], half[0][i]);
    }
    for (weight, &[a, b]) in half[1..].iter().zip(&starts[1..]) {
        let (a, b) = (block(a), block(b));
        for i in 0..WIDE {
            sums[i] += upper(a[i] + b[i], weight[i]);
        }
    }
    sums
}

#[inline(always)]
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
    // Whole blocks, so that none needs a loop for its rest.
    let stride = row_len.next_multiple_of(BLOCK);
    let pad = radius * shape.channels;
    let mut padded = vec![0f32; stride + 2 * pad];
    let blurred = &mut scratch.floats;
    blurred.resize(shape.height * stride + BLOCK, 0.0);
    // Loads of a vector that lies in two lines of the cache take twice the time.
    let aligned = blurred.as_ptr().align_offset(64).min(BLOCK);
    let blurred = &mut blurred[aligned..][..shape.height * stride];
    let mut starts: Vec<_> =
        (0..half.len()).map(|i| [pad - i * shape.channels, pad + i * shape.channels]).collect();
    for (row, out) in from.chunks_exact(row_len).zip(blurred.chunks_exact_mut(stride)) {
        padded_row(row, shape, radius, &mut padded);
        for (block, out) in out.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
            *out = weigh_pairs(&padded, block * BLOCK, half, &starts);
        }
    }
    for (y, out) in to.chunks_exact_mut(row_len).enumerate() {
        for (offset, pair) in starts.iter_mut().enumerate() {
            let (y, offset) = (y as i64, offset as i64);
            *pair = [y - offset, y + offset].map(|y| mirrored(y, shape.height) * stride);
        }
        for (block, out) in out.chunks_mut(BLOCK).enumerate() {
            let sums = weigh_pairs(blurred, block * BLOCK, half, &starts);
            let mut bytes = [0; BLOCK];
            for i in 0..BLOCK {
                bytes[i] = round(sums[i]);
            }
            out.copy_from_slice(&bytes[..out.len()]);
        }
    }
}

/// Values that are summed at a time, in registers.
const BLOCK: usize = 64;

/// `half[0] a(0) + half[1] (a(1) + b(1)) + ...` of a block of values, where a pair of `starts` says where `a` and `b` begin:
/// two pairs at a time.
#[inline(always)]
fn weigh_pairs(values: &[f32], at: usize, half: &[f32], starts: &[[usize; 2]]) -> [f32; BLOCK] {
    let block = |start: usize| &values[start + at..][..BLOCK];
    let centre = block(starts[0][0]);
    let mut sums = [0.0; BLOCK];
    for i in 0..BLOCK {
        sums[i] = centre[i] * half[0];
    }
    let (twos, rest) = half[1..].as_chunks::<2>();
    let (starts, last) = starts[1..].as_chunks::<2>();
    for (&[near, far], [[a, b], [c, d]]) in twos.iter().zip(starts) {
        let (a, b, c, d) = (block(*a), block(*b), block(*c), block(*d));
        for i in 0..BLOCK {
            sums[i] += (a[i] + b[i]) * near + (c[i] + d[i]) * far;
        }
    }
    if let ([weight], [[a, b]]) = (rest, last) {
        let (a, b) = (block(*a), block(*b));
        for i in 0..BLOCK {
            sums[i] += (a[i] + b[i]) * weight;
        }
    }
    sums
}

/// Correlates with a square kernel of odd side, in f32. `kernel: [K, K]`
pub(crate) fn square(from: &[u8], shape: Shape, to: &mut [u8], kernel: &[f32], scratch: &mut Scratch) {
    dispatch(
        #[inline(always)]
        || square_to(from, shape, to, kernel, scratch),
    );
}

#[inline(always)]
fn square_to(from: &[u8], shape: Shape, to: &mut [u8], kernel: &[f32], scratch: &mut Scratch) {
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
    dispatch(
        #[inline(always)]
        || symmetric_to(from, shape, to, &kernel, scratch, byte_halves_up),
    );
}
