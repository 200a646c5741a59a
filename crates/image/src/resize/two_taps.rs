//! Resizing where each sample is made of at most 2x2 others (linear, nearest): all of it in registers, for AVX-512.
//!
//! Sixteen samples of the result need bytes that lie within 128 of a row, unless the image shrinks a lot, and one shuffle
//! brings the left and the right ones of all sixteen together. Sums are taken in the order of the general routine, which
//! gives the same bits.

#![allow(unsafe_code)]

use super::Rows;
use super::weights::Weights;

/// Samples that are made at a time.
const LANES: usize = 16;
/// Bytes of a row that a shuffle chooses from.
const REACH: usize = 128;

/// Where the samples of one piece of a row come from.
struct Piece {
    /// The first of the bytes to choose from.
    base: usize,
    /// The left byte of each sample from there, then the right ones; the rest isn't used.
    order: [u8; 64],
    left: [f32; LANES],
    right: [f32; LANES],
}

/// Resizes if this is how it can be done here; returns whether it was. `data: [H', W', C]`.
pub(super) fn resize(
    rows: Rows<'_>,
    data: &mut [u8],
    down: &Weights,
    columns: &Weights,
    channels: usize,
) -> bool {
    let row_len = rows.len;
    let few = down.at_most_two() && columns.at_most_two();
    if pupila_isa::Isa::detected() != pupila_isa::Isa::Avx512 || row_len < REACH || !few {
        return false;
    }
    let Some(pieces) = pieces(row_len, columns, channels) else { return false };
    for (y, out) in data.chunks_exact_mut(columns.len() * channels).enumerate() {
        let (first, weights) = down.at(y);
        let (upper, above) = (rows.at(first), weights[0]);
        // Where there is one row only, itself by nothing.
        let (lower, below) = weights.get(1).map_or((upper, 0.0), |&below| (rows.at(first + 1), below));
        // SAFETY: the machine has AVX-512 with VBMI, and `pieces` lie within `row_len` bytes.
        unsafe {
            x86::row(upper, lower, [above, below], &pieces, out);
        }
    }
    true
}

/// The pieces of a row, if each reaches no further than a shuffle.
fn pieces(row_len: usize, columns: &Weights, channels: usize) -> Option<Vec<Piece>> {
    let samples: Vec<_> = (0..columns.len() * channels)
        .map(|i| {
            let (first, weights) = columns.at(i / channels);
            let left = first * channels + i % channels;
            // Where there is no right one, its weight is 0.
            let right = if weights.len() > 1 { left + channels } else { left };
            (left, right, weights[0], weights.get(1).copied().unwrap_or(0.0))
        })
        .collect();
    let piece = |samples: &[(usize, usize, f32, f32)]| {
        let lowest = samples.iter().map(|sample| sample.0).min()?;
        let base = lowest.min(row_len - REACH);
        let mut piece = Piece { base, order: [0; 64], left: [0.0; LANES], right: [0.0; LANES] };
        for (i, &(left, right, by_left, by_right)) in samples.iter().enumerate() {
            if right - base >= REACH {
                return None;
            }
            (piece.order[i], piece.order[LANES + i]) = ((left - base) as u8, (right - base) as u8);
            (piece.left[i], piece.right[i]) = (by_left, by_right);
        }
        Some(piece)
    };
    samples.chunks(LANES).map(piece).collect()
}

mod x86 {
    use super::{LANES, Piece, REACH};
    use std::arch::x86_64::*;

    /// One row of the result from two of the source.
    ///
    /// # Safety
    /// Every piece has `base + REACH` bytes in both rows.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi")]
    pub(super) unsafe fn row(
        upper: &[u8],
        lower: &[u8],
        weights: [f32; 2],
        pieces: &[Piece],
        out: &mut [u8],
    ) {
        debug_assert!(pieces.iter().all(|p| p.base + REACH <= upper.len().min(lower.len())));
        let [above, below] = weights.map(|weight| _mm512_set1_ps(weight));
        for (piece, out) in pieces.iter().zip(out.chunks_mut(LANES)) {
            // SAFETY: arrays of 64 bytes; the loads need no alignment.
            let (order, left, right) = unsafe {
                (
                    _mm512_loadu_si512(piece.order.as_ptr().cast()),
                    _mm512_loadu_ps(piece.left.as_ptr()),
                    _mm512_loadu_ps(piece.right.as_ptr()),
                )
            };
            let taps = |row: &[u8]| {
                // SAFETY: the caller's: `base + 128` bytes are in the row.
                let (first, second) = unsafe {
                    let start = row.as_ptr().add(piece.base);
                    (_mm512_loadu_si512(start.cast()), _mm512_loadu_si512(start.add(64).cast()))
                };
                let both = _mm512_castsi512_si256(_mm512_permutex2var_epi8(first, order, second));
                let float = |bytes: __m128i| _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
                [float(_mm256_castsi256_si128(both)), float(_mm256_extracti128_si256::<1>(both))]
            };
            let (upper, lower) = (taps(upper), taps(lower));
            let column =
                |i: usize| _mm512_add_ps(_mm512_mul_ps(upper[i], above), _mm512_mul_ps(lower[i], below));
            let sum = _mm512_add_ps(_mm512_mul_ps(column(0), left), _mm512_mul_ps(column(1), right));
            let whole = _mm512_cvttps_epi32(_mm512_add_ps(sum, _mm512_set1_ps(0.5)));
            let bytes = _mm512_cvtusepi32_epi8(whole);
            let kept = (0xffff_u32 >> (LANES - out.len())) as u16;
            // SAFETY: the mask keeps the store within `out`.
            unsafe { _mm_mask_storeu_epi8(out.as_mut_ptr().cast(), kept, bytes) };
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
        for (from, to) in
            [((256, 256), (64, 64)), ((256, 256), (160, 160)), ((97, 131), (224, 224)), ((50, 48), (31, 200))]
        {
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
        assert!(tried >= if wide { 12 } else { 0 }, "{tried}");
    }
}
