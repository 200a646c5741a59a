//! The matrix tile: the innermost loop of every linear map and convolution, one for each float type and instruction set.
//!
//! A tile multiplies up to `rows` rows of a packed left operand with [`COLUMNS`] columns of a right operand and keeps the
//! whole result in registers meanwhile (Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication").
//! Every element is one chain of fused multiply-adds over the depth, in order, so that its value depends on nothing but
//! its row, its column and the instruction set.
#![allow(unsafe_code)]

use crate::float::Float;
use crate::isa::{Isa, per_isa};
use crate::kernels::gather::{Gather, NOWHERE};

/// Width of a tile, and of the panels that weights are kept in: two AVX-512 registers of f32.
pub const COLUMNS: usize = 32;

/// A tile kernel.
#[derive(Debug, Clone, Copy)]
pub struct Tile<T> {
    /// Rows of a panel of the left operand: element (r, k) of a panel stands at `k * rows + r`, missing rows are zero.
    pub rows: usize,
    run:
        unsafe fn(rows: usize, depth: usize, a: *const T, b: *const T, c: *mut T, c_stride: usize, add: bool),
    gather: unsafe fn(
        rows: usize,
        taps: usize,
        depth: usize,
        offsets: *const u32,
        x: *const T,
        b: *const T,
        c: *mut T,
    ),
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

    /// `c[r][0..32] = sum over taps and elements of x[window r] * b` for the windows of the group that begins at `window`.
    ///
    /// `x`: an image, `b`: `[taps * depth, 32]`, `c`: `[rows, 32]`.
    #[inline]
    pub fn gather(&self, gather: &Gather, window: usize, x: &[T], b: &[T], c: &mut [T]) {
        let &Gather { windows, taps, depth, rows, .. } = gather;
        assert!(rows == self.rows && window.is_multiple_of(rows) && window < windows);
        let count = rows.min(windows - window);
        assert!(x.len() >= gather.end() && b.len() >= taps * depth * COLUMNS && c.len() >= count * COLUMNS);
        let offsets = gather.group(window);
        // SAFETY: `new` has bounded every offset by `end`, which is within `x`; `b` and `c` are long enough by the assertion;
        // the instruction set was detected.
        unsafe { (self.gather)(count, taps, depth, offsets.as_ptr(), x.as_ptr(), b.as_ptr(), c.as_mut_ptr()) }
    }
}

/// The f32 tile of this machine.
pub fn f32_tile() -> Tile<f32> {
    match Isa::detected() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => Tile { rows: x86::ROWS_AVX512, run: x86::avx512, gather: x86::avx512_gather },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => Tile { rows: x86::ROWS_AVX2, run: x86::avx2, gather: x86::avx2_gather },
        _ => Tile { rows: ROWS, run: portable::<f32>, gather: portable_gather::<f32, ROWS> },
    }
}

/// The f64 tile: the portable one everywhere, since only gradient checks run in f64.
pub fn f64_tile() -> Tile<f64> {
    Tile { rows: ROWS, run: portable::<f64>, gather: portable_gather::<f64, ROWS> }
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

/// The windows' pixels packed into a panel, tap by tap, and multiplied as one: for the instruction sets without a gathering
/// tile of their own.
///
/// # Safety
/// As [`Tile::gather`] says it: the caller has bounded the offsets and the pointers.
unsafe fn portable_gather<T: Float, const R: usize>(
    rows: usize,
    taps: usize,
    depth: usize,
    offsets: *const u32,
    x: *const T,
    b: *const T,
    c: *mut T,
) {
    const PACKED: usize = 512;
    let tile = T::tile();
    let mut packed = [T::ZERO; PACKED];
    let step = PACKED / R;
    let mut first = true;
    for tap in 0..taps {
        for start in (0..depth).step_by(step) {
            let depth_part = step.min(depth - start);
            for r in 0..R {
                // SAFETY: the table has `taps` rows of R offsets, and one that is somewhere leaves `depth` elements of `x`.
                let pixel = unsafe {
                    let offset = *offsets.add(tap * R + r);
                    (offset != NOWHERE)
                        .then(|| std::slice::from_raw_parts(x.add(offset as usize + start), depth_part))
                };
                for (k, group) in packed.chunks_exact_mut(R).enumerate().take(depth_part) {
                    group[r] = pixel.map_or(T::ZERO, |pixel| pixel[k]);
                }
            }
            // SAFETY: `packed` has depth_part rows of R, `b` has taps * depth rows, `c` has `rows` rows of COLUMNS.
            unsafe {
                let b = b.add((tap * depth + start) * COLUMNS);
                (tile.run)(rows, depth_part, packed.as_ptr(), b, c, COLUMNS, !first);
            }
            first = false;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{COLUMNS, NOWHERE};
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
    /// The processor has AVX-512 F, and offsets and pointers are bounded as [`super::Tile::gather`] says.
    pub(super) unsafe fn avx512_gather(
        rows: usize,
        taps: usize,
        depth: usize,
        offsets: *const u32,
        x: *const f32,
        b: *const f32,
        c: *mut f32,
    ) {
        // SAFETY: passed on from the caller.
        unsafe {
            match rows {
                1 => avx512_gather_rows::<1>(taps, depth, offsets, x, b, c),
                2 => avx512_gather_rows::<2>(taps, depth, offsets, x, b, c),
                3 => avx512_gather_rows::<3>(taps, depth, offsets, x, b, c),
                4 => avx512_gather_rows::<4>(taps, depth, offsets, x, b, c),
                5 => avx512_gather_rows::<5>(taps, depth, offsets, x, b, c),
                6 => avx512_gather_rows::<6>(taps, depth, offsets, x, b, c),
                7 => avx512_gather_rows::<7>(taps, depth, offsets, x, b, c),
                _ => avx512_gather_rows::<8>(taps, depth, offsets, x, b, c),
            }
        }
    }

    /// # Safety
    /// As [`avx512_gather`], with exactly `R` rows.
    #[target_feature(enable = "avx512f")]
    unsafe fn avx512_gather_rows<const R: usize>(
        taps: usize,
        depth: usize,
        offsets: *const u32,
        x: *const f32,
        mut b: *const f32,
        c: *mut f32,
    ) {
        let mut sums = [[_mm512_setzero_ps(); 2]; R];
        // SAFETY: an offset that is somewhere leaves `depth` elements of `x`; `b` advances one row for each of them.
        unsafe {
            for tap in 0..taps {
                let mut pixels = [x; R];
                let mut inside = [true; R];
                for r in 0..R {
                    let offset = *offsets.add(tap * ROWS_AVX512 + r);
                    if offset == NOWHERE {
                        inside[r] = false;
                    } else {
                        pixels[r] = x.add(offset as usize);
                    }
                }
                if inside == [true; R] {
                    for k in 0..depth {
                        let (b0, b1) = (_mm512_loadu_ps(b), _mm512_loadu_ps(b.add(16)));
                        for r in 0..R {
                            let value = _mm512_set1_ps(*pixels[r].add(k));
                            sums[r][0] = _mm512_fmadd_ps(value, b0, sums[r][0]);
                            sums[r][1] = _mm512_fmadd_ps(value, b1, sums[r][1]);
                        }
                        b = b.add(COLUMNS);
                    }
                } else {
                    for k in 0..depth {
                        let (b0, b1) = (_mm512_loadu_ps(b), _mm512_loadu_ps(b.add(16)));
                        for r in 0..R {
                            let value = if inside[r] { *pixels[r].add(k) } else { 0.0 };
                            let value = _mm512_set1_ps(value);
                            sums[r][0] = _mm512_fmadd_ps(value, b0, sums[r][0]);
                            sums[r][1] = _mm512_fmadd_ps(value, b1, sums[r][1]);
                        }
                        b = b.add(COLUMNS);
                    }
                }
            }
            for r in 0..R {
                _mm512_storeu_ps(c.add(r * COLUMNS), sums[r][0]);
                _mm512_storeu_ps(c.add(r * COLUMNS + 16), sums[r][1]);
            }
        }
    }

    /// # Safety
    /// The processor has AVX2 and FMA, and offsets and pointers are bounded as [`super::Tile::gather`] says.
    pub(super) unsafe fn avx2_gather(
        rows: usize,
        taps: usize,
        depth: usize,
        offsets: *const u32,
        x: *const f32,
        b: *const f32,
        c: *mut f32,
    ) {
        // SAFETY: passed on from the caller; the tile of this machine is the AVX2 one.
        unsafe { super::portable_gather::<f32, ROWS_AVX2>(rows, taps, depth, offsets, x, b, c) }
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
        assert_eq!(
            check(Tile::<f32> { rows: ROWS, run: portable::<f32>, gather: portable_gather::<f32, ROWS> }),
            ROWS * 10
        );
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                assert_eq!(
                    check(Tile { rows: x86::ROWS_AVX2, run: x86::avx2, gather: x86::avx2_gather }),
                    60
                );
            }
            if is_x86_feature_detected!("avx512f") {
                assert_eq!(
                    check(Tile { rows: x86::ROWS_AVX512, run: x86::avx512, gather: x86::avx512_gather }),
                    80
                );
            }
        }
    }
}
