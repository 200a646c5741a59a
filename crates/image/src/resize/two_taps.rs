//! Resizing where each sample is made of at most 2x2 others (linear, nearest): all of it in registers, for AVX-512.
//!
//! Sixteen samples of the result need bytes that lie within 64 or 128 of a row, unless the image shrinks a lot, and one shuffle
//! each brings the left and the right ones of all sixteen into their lanes. They are worked out for some rows of the result one
//! below the other, so that a row of the source that several of them need is shuffled once. Sums are taken in the order of the
//! general routine, which gives the same bits.

#![allow(unsafe_code)]

use super::Rows;
use super::weights::Weights;

/// Samples that are made at a time.
const LANES: usize = 16;
/// Bytes of a row that a shuffle chooses from, at most.
const REACH: usize = 128;
/// The same of the shuffle that is twice as fast.
const SHORT_REACH: usize = 64;
/// Bytes of the source that the rows under work may have: half of a first-level cache, and some are skipped.
const CACHED_BYTES: usize = 24 << 10;
/// Rows of the result that are worked out together, at most.
const MAX_ROWS: usize = 32;

/// Where the samples of one piece of a row come from.
struct Piece {
    /// The first of the bytes to choose from.
    base: usize,
    /// Whether they are no more than [`SHORT_REACH`].
    short: bool,
    /// The left byte of each sample from there.
    left: [u32; LANES],
    right: [u32; LANES],
    by_left: [f32; LANES],
    by_right: [f32; LANES],
}

/// The two rows of the source that a row of the result is made of, and their weights.
#[derive(Clone, Copy, Default)]
struct Pair {
    upper: usize,
    lower: usize,
    above: f32,
    below: f32,
}

/// Resizes if this is how it can be done here; returns whether it was. `data: [H', W', C]`.
pub(super) fn resize(
    rows: Rows<'_>,
    data: &mut [u8],
    down: &Weights,
    columns: &Weights,
    channels: usize,
) -> bool {
    let few = down.at_most_two() && columns.at_most_two();
    if pupila_isa::Isa::detected() != pupila_isa::Isa::Avx512 || rows.len < REACH || !few {
        return false;
    }
    let Some(pieces) = pieces(rows.len, columns, channels) else { return false };
    let out_len = columns.len() * channels;
    let together = (CACHED_BYTES / (2 * rows.len)).clamp(1, MAX_ROWS);
    for (block, out) in data.chunks_mut(together * out_len).enumerate() {
        let mut pairs = [Pair::default(); MAX_ROWS];
        let pairs = &mut pairs[..out.len() / out_len];
        for (y, pair) in (block * together..).zip(&mut *pairs) {
            let (upper, weights) = down.at(y);
            // Where there is one row only, itself by nothing.
            let (lower, below) = weights.get(1).map_or((upper, 0.0), |&below| (upper + 1, below));
            *pair = Pair { upper, lower, above: weights[0], below };
        }
        for (piece, at) in pieces.iter().zip((0..).step_by(LANES)) {
            // SAFETY: the machine has AVX-512 with VBMI, and pieces lie within `rows.len` bytes.
            unsafe {
                if piece.short {
                    x86::column::<true>(rows, pairs, piece, out, out_len, at);
                } else {
                    x86::column::<false>(rows, pairs, piece, out, out_len, at);
                }
            }
        }
    }
    true
}

/// The pieces of a row, if each reaches no further than a shuffle.
fn pieces(row_len: usize, columns: &Weights, channels: usize) -> Option<Vec<Piece>> {
    let samples = columns.len() * channels;
    let piece = |start: usize| {
        let (lowest, _) = columns.at(start / channels);
        // A later sample of the piece may be an earlier channel of the same pixel.
        let lowest = lowest * channels;
        let reaches = |reach: usize| {
            let base = lowest.min(row_len - reach);
            let mut piece = Piece {
                base,
                short: reach == SHORT_REACH,
                left: [0; LANES],
                right: [0; LANES],
                by_left: [0.0; LANES],
                by_right: [0.0; LANES],
            };
            for (lane, i) in (start..samples.min(start + LANES)).enumerate() {
                let (first, weights) = columns.at(i / channels);
                let left = first * channels + i % channels - base;
                // Where there is no right one, its weight is 0.
                let (right, by_right) = weights.get(1).map_or((left, 0.0), |&by| (left + channels, by));
                if right >= reach {
                    return None;
                }
                (piece.left[lane], piece.right[lane]) = (left as u32, right as u32);
                (piece.by_left[lane], piece.by_right[lane]) = (weights[0], by_right);
            }
            Some(piece)
        };
        reaches(SHORT_REACH).or_else(|| reaches(REACH))
    };
    (0..samples).step_by(LANES).map(piece).collect()
}

mod x86 {
    use super::{LANES, Pair, Piece, REACH, Rows, SHORT_REACH};
    use std::arch::x86_64::*;

    /// The samples of a piece in rows of the result, `out: [pairs, out_len]`, from place `at` of each. `SHORT` is the piece's.
    ///
    /// # Safety
    /// The processor has the features, and the piece has `base` and its reach bytes in every row.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
    pub(super) unsafe fn column<const SHORT: bool>(
        rows: Rows<'_>,
        pairs: &[Pair],
        piece: &Piece,
        out: &mut [u8],
        out_len: usize,
        at: usize,
    ) {
        // SAFETY: arrays of 64 bytes; the loads need no alignment.
        let (left, right, by_left, by_right) = unsafe {
            (
                _mm512_loadu_si512(piece.left.as_ptr().cast()),
                _mm512_loadu_si512(piece.right.as_ptr().cast()),
                _mm512_loadu_ps(piece.by_left.as_ptr()),
                _mm512_loadu_ps(piece.by_right.as_ptr()),
            )
        };
        // The lowest byte of each lane.
        const LOWEST: __mmask64 = 0x1111_1111_1111_1111;
        let taps = |y: usize| {
            let row = rows.at(y);
            debug_assert!(piece.base + if SHORT { SHORT_REACH } else { REACH } <= row.len());
            let chosen = |from: __m512i, next: __m512i, order: __m512i| {
                _mm512_cvtepi32_ps(if SHORT {
                    _mm512_maskz_permutexvar_epi8(LOWEST, order, from)
                } else {
                    _mm512_maskz_permutex2var_epi8(LOWEST, from, order, next)
                })
            };
            // SAFETY: by the caller's promise the reach is within the row.
            unsafe {
                let start = row.as_ptr().add(piece.base);
                let from = _mm512_loadu_si512(start.cast());
                let next = if SHORT { from } else { _mm512_loadu_si512(start.add(64).cast()) };
                [chosen(from, next, left), chosen(from, next, right)]
            }
        };
        let width = LANES.min(out_len - at);
        let kept = (0xffff_u32 >> (LANES - width)) as u16;
        // The rows whose taps are held, and the taps.
        let (mut above, mut below) = (usize::MAX, usize::MAX);
        let (mut upper, mut lower) = ([_mm512_setzero_ps(); 2], [_mm512_setzero_ps(); 2]);
        for (pair, out) in pairs.iter().zip(out.chunks_exact_mut(out_len)) {
            if pair.upper != above {
                upper = if pair.upper == below { lower } else { taps(pair.upper) };
                above = pair.upper;
            }
            if pair.lower != below {
                lower = taps(pair.lower);
                below = pair.lower;
            }
            let (by_upper, by_lower) = (_mm512_set1_ps(pair.above), _mm512_set1_ps(pair.below));
            let side = |i: usize| {
                _mm512_add_ps(_mm512_mul_ps(upper[i], by_upper), _mm512_mul_ps(lower[i], by_lower))
            };
            let sum = _mm512_add_ps(_mm512_mul_ps(side(0), by_left), _mm512_mul_ps(side(1), by_right));
            let whole = _mm512_cvttps_epi32(_mm512_add_ps(sum, _mm512_set1_ps(0.5)));
            let bytes = _mm512_cvtusepi32_epi8(whole);
            // SAFETY: the mask keeps the store within the row's `width` bytes from `at`.
            unsafe { _mm_mask_storeu_epi8(out[at..at + width].as_mut_ptr().cast(), kept, bytes) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Interpolation, apply};
    use super::*;

    #[test]
    fn the_bits_are_those_of_the_general_routine() {
        let mut tried = 0;
        let sizes = [
            ((256, 256), (64, 64)),
            ((256, 256), (160, 160)),
            ((97, 131), (224, 224)),
            ((50, 48), (31, 200)),
            ((3, 2000), (70, 1999)),
        ];
        for (from, to) in sizes {
            for channels in [1usize, 3] {
                let source: Vec<u8> = (0..from.0 * from.1 * channels as u32)
                    .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
                    .collect();
                for interpolation in [Interpolation::Linear, Interpolation::Nearest] {
                    let rows = Weights::new(from.0, to.0, interpolation, false);
                    let columns = Weights::new(from.1, to.1, interpolation, false);
                    let mut fast = vec![0; (to.0 * to.1) as usize * channels];
                    let mut plain = fast.clone();
                    let len = from.1 as usize * channels;
                    let source = Rows { source: &source, stride: len, len };
                    if resize(source, &mut fast, &rows, &columns, channels) {
                        match channels {
                            1 => apply::<1>(source, &mut plain, &rows, &columns),
                            _ => apply::<3>(source, &mut plain, &rows, &columns),
                        }
                        assert!(fast == plain, "{from:?} to {to:?}, {channels} channels, {interpolation}");
                        tried += 1;
                    }
                }
            }
        }
        let wide = pupila_isa::Isa::detected() == pupila_isa::Isa::Avx512;
        assert!(tried >= if wide { 15 } else { 0 }, "{tried}");
    }
}
