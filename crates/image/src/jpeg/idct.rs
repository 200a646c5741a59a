//! Coefficients to samples: the inverse cosine transform in whole numbers, equal to libjpeg's `jpeg_idct_islow` to the bit
//! (Loeffler, Ligtenberg and Moschytz, "Practical fast 1-D DCT algorithms with 11 multiplications", ICASSP 1989).

use std::ops::{Add, Mul, Shl, Shr, Sub};

use super::scans::Block;

/// Bits behind the point of the constants.
const CONST_BITS: u32 = 13;
/// Bits behind the point between the two passes.
const PASS_BITS: u32 = 2;

/// Eight numbers at once. Only damaged files overflow, and then wrap.
#[derive(Clone, Copy)]
struct Lanes([i32; 8]);

impl Lanes {
    #[inline(always)]
    fn each(mut self, of: impl Fn(i32) -> i32) -> Lanes {
        for x in &mut self.0 {
            *x = of(*x);
        }
        self
    }

    #[inline(always)]
    fn with(self, other: Lanes, of: impl Fn(i32, i32) -> i32) -> Lanes {
        let mut lanes = self;
        // No closure of the standard library: it would not be compiled for the instruction set.
        for i in 0..8 {
            lanes.0[i] = of(self.0[i], other.0[i]);
        }
        lanes
    }
}

impl Add for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn add(self, other: Lanes) -> Lanes {
        self.with(other, i32::wrapping_add)
    }
}

impl Sub for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn sub(self, other: Lanes) -> Lanes {
        self.with(other, i32::wrapping_sub)
    }
}

impl Mul<i32> for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn mul(self, factor: i32) -> Lanes {
        self.each(|x| x.wrapping_mul(factor))
    }
}

impl Shl<u32> for Lanes {
    type Output = Lanes;
    #[inline(always)]
    fn shl(self, bits: u32) -> Lanes {
        self.each(|x| x << bits)
    }
}

impl Shr<u32> for Lanes {
    type Output = Lanes;
    /// Rounded.
    #[inline(always)]
    fn shr(self, bits: u32) -> Lanes {
        self.each(|x| x.wrapping_add(1 << (bits - 1)) >> bits)
    }
}

/// A pass over eight rows or columns at once; `bits` are dropped at the end.
#[inline(always)]
fn pass(x: [Lanes; 8], bits: u32) -> [Lanes; 8] {
    // The even part.
    let z = (x[2] + x[6]) * 4433;
    let (even2, even3) = (z - x[6] * 15137, z + x[2] * 6270);
    let (even0, even1) = ((x[0] + x[4]) << CONST_BITS, (x[0] - x[4]) << CONST_BITS);
    let even = [even0 + even3, even1 + even2, even1 - even2, even0 - even3];
    // The odd part.
    let z5 = (x[7] + x[3] + x[5] + x[1]) * 9633;
    let z1 = (x[7] + x[1]) * -7373;
    let z2 = (x[5] + x[3]) * -20995;
    let z3 = (x[7] + x[3]) * -16069 + z5;
    let z4 = (x[5] + x[1]) * -3196 + z5;
    let odd = [x[1] * 12299 + z1 + z4, x[3] * 25172 + z2 + z3, x[5] * 16819 + z2 + z4, x[7] * 2446 + z1 + z3];
    let mut waves = x;
    for i in 0..4 {
        waves[i] = (even[i] + odd[i]) >> bits;
        waves[7 - i] = (even[i] - odd[i]) >> bits;
    }
    waves
}

/// Rows and columns exchanged, in three rounds of shuffles that every instruction set has.
#[inline(always)]
fn transposed(x: [Lanes; 8]) -> [Lanes; 8] {
    let mut pairs = x;
    for i in 0..4 {
        let (a, b) = (x[2 * i].0, x[2 * i + 1].0);
        pairs[2 * i].0 = [a[0], b[0], a[1], b[1], a[4], b[4], a[5], b[5]];
        pairs[2 * i + 1].0 = [a[2], b[2], a[3], b[3], a[6], b[6], a[7], b[7]];
    }
    let mut quads = pairs;
    for half in 0..2 {
        for i in 0..2 {
            let (a, b) = (pairs[4 * half + i].0, pairs[4 * half + 2 + i].0);
            quads[4 * half + 2 * i].0 = [a[0], a[1], b[0], b[1], a[4], a[5], b[4], b[5]];
            quads[4 * half + 2 * i + 1].0 = [a[2], a[3], b[2], b[3], a[6], a[7], b[6], b[7]];
        }
    }
    let mut out = quads;
    for i in 0..4 {
        let (a, b) = (quads[i].0, quads[4 + i].0);
        out[i].0 = [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]];
        out[4 + i].0 = [a[4], a[5], a[6], a[7], b[4], b[5], b[6], b[7]];
    }
    out
}

#[inline(always)]
fn sample(x: i32) -> u8 {
    x.wrapping_add(128).clamp(0, 255) as u8
}

/// The samples of a block into rows of `stride` bytes.
#[inline(always)]
pub(super) fn samples(block: &Block, quantization: &[u16; 64], out: &mut [u8], stride: usize) {
    // Compared as a whole, which is a few instructions.
    if block[1..] == [0; 63] {
        // 16 bits of each at most.
        let constant = i32::from(block[0]).wrapping_mul(quantization[0].into());
        let value = sample(constant.wrapping_mul(1 << PASS_BITS).wrapping_add(16) >> (PASS_BITS + 3));
        for row in out.chunks_mut(stride).take(8) {
            row[..8].fill(value);
        }
        return;
    }
    let mut rows = [Lanes([0; 8]); 8];
    for (row, lanes) in rows.iter_mut().enumerate() {
        for column in 0..8 {
            let at = 8 * row + column;
            lanes.0[column] = i32::from(block[at]).wrapping_mul(quantization[at].into());
        }
    }
    let columns = transposed(pass(rows, CONST_BITS - PASS_BITS));
    let columns = pass(columns, CONST_BITS + PASS_BITS + 3);
    // Columns to rows once they are bytes, which are fewer.
    let mut bytes = [0; 64];
    for (column, lanes) in columns.iter().enumerate() {
        for (row, &x) in lanes.0.iter().enumerate() {
            bytes[8 * column + row] = sample(x);
        }
    }
    let mut rows = [0; 64];
    for i in 0..64 {
        rows[i] = bytes[i % 8 * 8 + i / 8];
    }
    for (row, out) in rows.as_chunks::<8>().0.iter().zip(out.chunks_mut(stride)) {
        out[..8].copy_from_slice(row);
    }
}
