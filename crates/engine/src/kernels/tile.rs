//! The matrix tile: the innermost loop of every linear map and convolution, one for each float type and instruction set.
//!
//! A tile multiplies up to `rows` rows of a packed left operand with [`COLUMNS`] columns of a right operand and keeps the
//! whole result in registers meanwhile (Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication").
//! Every element is one chain of fused multiply-adds over the depth, in order, so that its value depends on nothing but
//! its row, its column and the instruction set.
#![allow(unsafe_code)]

use crate::float::Float;
use crate::isa::{Isa, per_isa};

/// Width of a tile, and of the panels that weights are kept in: two AVX-512 registers of f32.
pub const COLUMNS: usize = 32;

/// A tile kernel.
#[derive(Debug, Clone, Copy)]
pub struct Tile<T> {
    /// Rows of a panel of the left operand: element (r, k) of a panel stands at `k * rows + r`, missing rows are zero.
    pub rows: usize,
    run:
        unsafe fn(rows: usize, depth: usize, a: *const T, b: *const T, c: *mut T, c_stride: usize, add: bool),
}

impl<T: Float> Tile<T> {
    /// `c[r][0..32] (+)= sum over k of a[k][r] * b[k][0..32]` for the first `rows` rows of the panel `a`.
    ///
    /// `a`: `[depth, self.rows]`, `b`: `[depth, 32]`, `c`: rows of 32 that are `c_stride` apart. `add` keeps what `c` holds.
    #[inline]
    pub fn run(&self, rows: usize, depth: usize, a: &[T], b: &[T], c: &mut [T], c_stride: usize, add: bool) {
        assert!(0 < rows && rows <= self.rows);
        assert!(a.len() >= depth * self.rows && b.len() >= depth * COLUMNS);
        assert!(c.len() >= (rows - 1) * c_stride + COLUMNS);
        // SAFETY: the kernel reads depth * self.rows of `a` and depth * COLUMNS of `b` and touches rows of COLUMNS of `c`
        // that are c_stride apart, which the assertions have just bounded; its instruction set was detected.
        unsafe { (self.run)(rows, depth, a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), c_stride, add) }
    }
}

/// The f32 tile of this machine.
pub fn f32_tile() -> Tile<f32> {
    match Isa::detected() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => Tile { rows: x86::ROWS_AVX512, run: x86::avx512 },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => Tile { rows: x86::ROWS_AVX2, run: x86::avx2 },
        _ => Tile { rows: ROWS, run: portable::<f32> },
    }
}

/// The f64 tile: the portable one everywhere, since only gradient checks run in f64.
pub fn f64_tile() -> Tile<f64> {
    Tile { rows: ROWS, run: portable::<f64> }
}

/// Rows of the portable tile.
const ROWS: usize = 4;
/// Columns that the portable tile works on at once: with 4 rows they fill the 16 registers of SSE2 in part, not over.
const GROUP: usize = 8;

/// # Safety
/// As [`Tile::run`] says it: the caller has bounded the pointers.
unsafe fn portable<T: Float>(
    rows: usize,
    depth: usize,
    a: *const T,
    b: *const T,
    c: *mut T,
    stride: usize,
    add: bool,
) {
    // SAFETY: the lengths are what the caller vouches for.
    let (a, b, c) = unsafe {
        (
            std::slice::from_raw_parts(a, depth * ROWS),
            std::slice::from_raw_parts(b, depth * COLUMNS),
            std::slice::from_raw_parts_mut(c, (rows - 1) * stride + COLUMNS),
        )
    };
    portable_tile(rows, a, b, c, stride, add);
}

per_isa! {
    fn portable_tile<T: Float>(rows: usize, a: &[T], b: &[T], c: &mut [T], stride: usize, add: bool) {
        for group in (0..COLUMNS).step_by(GROUP) {
            let mut sums = [[T::ZERO; GROUP]; ROWS];
            for (a, b) in a.chunks_exact(ROWS).zip(b.chunks_exact(COLUMNS)) {
                for (sums, &x) in sums.iter_mut().zip(a) {
                    for (sum, &y) in sums.iter_mut().zip(&b[group..group + GROUP]) {
                        // Not fused: without an FMA instruction that would be a call for every element.
                        *sum += x * y;
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate().take(rows) {
                let c = &mut c[r * stride + group..][..GROUP];
                for (c, &sum) in c.iter_mut().zip(sums) {
                    *c = if add { *c + sum } else { sum };
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::COLUMNS;
    use std::arch::x86_64::*;

    /// 8 rows by two registers: 16 sums, which hide the latency of the multiply-add and leave room for the operands.
    pub(super) const ROWS_AVX512: usize = 8;
    /// 6 rows by two registers: 12 sums of the 16 registers; a tile's 32 columns are done in two halves.
    pub(super) const ROWS_AVX2: usize = 6;

    /// # Safety
    /// The processor has AVX-512 F, and the pointers are bounded as [`super::Tile::run`] says.
    pub(super) unsafe fn avx512(
        rows: usize,
        depth: usize,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
        stride: usize,
        add: bool,
    ) {
        // SAFETY: passed on from the caller.
        unsafe {
            match rows {
                1 => avx512_rows::<1>(depth, a, b, c, stride, add),
                2 => avx512_rows::<2>(depth, a, b, c, stride, add),
                3 => avx512_rows::<3>(depth, a, b, c, stride, add),
                4 => avx512_rows::<4>(depth, a, b, c, stride, add),
                5 => avx512_rows::<5>(depth, a, b, c, stride, add),
                6 => avx512_rows::<6>(depth, a, b, c, stride, add),
                7 => avx512_rows::<7>(depth, a, b, c, stride, add),
                _ => avx512_rows::<8>(depth, a, b, c, stride, add),
            }
        }
    }

    /// # Safety
    /// As [`avx512`], with exactly `R` rows.
    #[target_feature(enable = "avx512f")]
    unsafe fn avx512_rows<const R: usize>(
        depth: usize,
        mut a: *const f32,
        mut b: *const f32,
        c: *mut f32,
        stride: usize,
        add: bool,
    ) {
        let mut sums = [[_mm512_setzero_ps(); 2]; R];
        // SAFETY: `a` and `b` advance by one depth step each turn, `depth` times; `c` has R rows of 32.
        unsafe {
            for _ in 0..depth {
                let (b0, b1) = (_mm512_loadu_ps(b), _mm512_loadu_ps(b.add(16)));
                for r in 0..R {
                    let x = _mm512_set1_ps(*a.add(r));
                    sums[r][0] = _mm512_fmadd_ps(x, b0, sums[r][0]);
                    sums[r][1] = _mm512_fmadd_ps(x, b1, sums[r][1]);
                }
                a = a.add(ROWS_AVX512);
                b = b.add(COLUMNS);
            }
            for r in 0..R {
                for half in 0..2 {
                    let c = c.add(r * stride + half * 16);
                    let sum = sums[r][half];
                    _mm512_storeu_ps(c, if add { _mm512_add_ps(_mm512_loadu_ps(c), sum) } else { sum });
                }
            }
        }
    }

    /// # Safety
    /// The processor has AVX2 and FMA, and the pointers are bounded as [`super::Tile::run`] says.
    pub(super) unsafe fn avx2(
        rows: usize,
        depth: usize,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
        stride: usize,
        add: bool,
    ) {
        // SAFETY: passed on from the caller.
        unsafe {
            match rows {
                1 => avx2_rows::<1>(depth, a, b, c, stride, add),
                2 => avx2_rows::<2>(depth, a, b, c, stride, add),
                3 => avx2_rows::<3>(depth, a, b, c, stride, add),
                4 => avx2_rows::<4>(depth, a, b, c, stride, add),
                5 => avx2_rows::<5>(depth, a, b, c, stride, add),
                _ => avx2_rows::<6>(depth, a, b, c, stride, add),
            }
        }
    }

    /// # Safety
    /// As [`avx2`], with exactly `R` rows.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2_rows<const R: usize>(
        depth: usize,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
        stride: usize,
        add: bool,
    ) {
        for half in 0..2 {
            let mut sums = [[_mm256_setzero_ps(); 2]; R];
            // SAFETY: `a` and `b` advance by one depth step each turn, `depth` times; `c` has R rows of 32.
            unsafe {
                let (mut a, mut b) = (a, b.add(half * 16));
                for _ in 0..depth {
                    let (b0, b1) = (_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8)));
                    for r in 0..R {
                        let x = _mm256_set1_ps(*a.add(r));
                        sums[r][0] = _mm256_fmadd_ps(x, b0, sums[r][0]);
                        sums[r][1] = _mm256_fmadd_ps(x, b1, sums[r][1]);
                    }
                    a = a.add(ROWS_AVX2);
                    b = b.add(COLUMNS);
                }
                for r in 0..R {
                    for quarter in 0..2 {
                        let c = c.add(r * stride + half * 16 + quarter * 8);
                        let sum = sums[r][quarter];
                        _mm256_storeu_ps(c, if add { _mm256_add_ps(_mm256_loadu_ps(c), sum) } else { sum });
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small whole numbers: every sum is exact in any order, so the result must be equal, not close.
    fn check<T: Float>(tile: Tile<T>) -> usize {
        let mut cases = 0;
        for rows in 1..=tile.rows {
            for depth in [0, 1, 2, 7, 64] {
                for add in [false, true] {
                    let value = |i: usize| T::of((i * 7 % 11) as f64 - 5.0);
                    let a: Vec<T> = (0..depth * tile.rows).map(value).collect();
                    let b: Vec<T> = (0..depth * COLUMNS).map(|i| value(i + 3)).collect();
                    let stride = COLUMNS + 5;
                    let mut c = vec![T::of(100.0); (rows - 1) * stride + COLUMNS];
                    tile.run(rows, depth, &a, &b, &mut c, stride, add);
                    for (i, &found) in c.iter().enumerate() {
                        let (r, j) = (i / stride, i % stride);
                        let sum: f64 = (0..depth)
                            .map(|k| (a[k * tile.rows + r] * b[k * COLUMNS + j.min(31)]).to_f64())
                            .sum();
                        let expected = match (j < COLUMNS, add) {
                            (false, _) => 100.0,
                            (true, true) => 100.0 + sum,
                            (true, false) => sum,
                        };
                        assert_eq!(
                            found.to_f64(),
                            expected,
                            "rows {rows} depth {depth} add {add} at {r},{j}"
                        );
                    }
                    cases += 1;
                }
            }
        }
        cases
    }

    #[test]
    fn every_tile_that_this_machine_has_multiplies() {
        assert_eq!(check(f64_tile()), ROWS * 10);
        assert_eq!(check(Tile::<f32> { rows: ROWS, run: portable::<f32> }), ROWS * 10);
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                assert_eq!(check(Tile { rows: x86::ROWS_AVX2, run: x86::avx2 }), 60);
            }
            if is_x86_feature_detected!("avx512f") {
                assert_eq!(check(Tile { rows: x86::ROWS_AVX512, run: x86::avx512 }), 80);
            }
        }
    }
}
