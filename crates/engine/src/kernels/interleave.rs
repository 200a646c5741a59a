//! Rows side by side into columns one after the other: how the left operand of a tile is packed.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m512, _mm_storeu_ps, _mm512_castpd_ps, _mm512_castps_pd, _mm512_extractf32x4_ps, _mm512_loadu_ps,
    _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
};

use crate::kernels::prefetch::prefetch;
use crate::kernels::tile::TURN_STEP as STEP;

/// Element (r, k) of `ROWS` rows of `steps` * 16, which are `stride` apart, to `k * ROWS + r`. Asks for the rows behind them.
/// `ROWS` is a multiple of four.
///
/// # Safety
/// On a processor with AVX-512F; `x` is good for the rows, `to` for as many elements.
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn rows<const ROWS: usize>(x: *const f32, stride: usize, steps: usize, to: *mut f32) {
    const { assert!(ROWS.is_multiple_of(4)) };
    for step in 0..steps {
        for group in (0..ROWS).step_by(4) {
            // SAFETY: 16 elements of each row and 16 * ROWS of `to` for each step, by the caller's promise.
            unsafe {
                let first = x.add(group * stride + step * STEP);
                for r in 0..4 {
                    prefetch(first.wrapping_add((ROWS + r) * stride));
                }
                let rows = [
                    _mm512_loadu_ps(first),
                    _mm512_loadu_ps(first.add(stride)),
                    _mm512_loadu_ps(first.add(2 * stride)),
                    _mm512_loadu_ps(first.add(3 * stride)),
                ];
                store_turned::<ROWS>(rows, to.add(step * STEP * ROWS + group));
            }
        }
    }
}

/// The k-th elements of four rows, side by side, to `k * ROWS`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store_turned<const ROWS: usize>(rows: [__m512; 4], to: *mut f32) {
    let [a, b, c, d] = rows;
    // Without closures, which `map` would call as functions of another instruction set.
    let (ab, cd) = (_mm512_castps_pd(_mm512_unpacklo_ps(a, b)), _mm512_castps_pd(_mm512_unpacklo_ps(c, d)));
    let (ab_high, cd_high) =
        (_mm512_castps_pd(_mm512_unpackhi_ps(a, b)), _mm512_castps_pd(_mm512_unpackhi_ps(c, d)));
    // Each holds the columns k, k + 4, k + 8 and k + 12.
    let columns = [
        _mm512_unpacklo_pd(ab, cd),
        _mm512_unpackhi_pd(ab, cd),
        _mm512_unpacklo_pd(ab_high, cd_high),
        _mm512_unpackhi_pd(ab_high, cd_high),
    ];
    for (k, columns) in columns.into_iter().enumerate() {
        let columns = _mm512_castpd_ps(columns);
        // SAFETY: by the caller's promise.
        unsafe {
            _mm_storeu_ps(to.add(k * ROWS), _mm512_extractf32x4_ps::<0>(columns));
            _mm_storeu_ps(to.add((k + 4) * ROWS), _mm512_extractf32x4_ps::<1>(columns));
            _mm_storeu_ps(to.add((k + 8) * ROWS), _mm512_extractf32x4_ps::<2>(columns));
            _mm_storeu_ps(to.add((k + 12) * ROWS), _mm512_extractf32x4_ps::<3>(columns));
        }
    }
}
