//! The matrix tile: the innermost loop of every linear map and convolution.
//!
//! A tile keeps `rows` x 32 sums in registers while it walks over the depth (Goto and van de Geijn 2008, "Anatomy of
//! High-Performance Matrix Multiplication"). There are three ways to walk, which differ in where the left operand lies:
//! packed (`Tile::packed`), gathered pixel by pixel (`Tile::gathered`), or along a list of pixel pairs (`Tile::outer`). A fourth
//! keeps one row of sums and walks along the list of what is not zero (`Tile::listed`).
//! Each is written once over `Lanes` and compiled for every instruction set. Every sum is one chain of multiply-adds over
//! the depth, in order, so that its value depends on nothing but its row, its column and the instruction set.
#![allow(unsafe_code)]

use crate::float::Float;
use crate::isa::Isa;
#[cfg(target_arch = "x86_64")]
use crate::kernels::interleave;
use crate::kernels::lanes::{Lanes, Portable};
use crate::kernels::prefetch::{Ask, RUNS};
use crate::kernels::sparse::{Lists, listed_rows};

/// Width of a tile, and of the panels that weights are kept in: two AVX-512 registers of f32.
pub const COLUMNS: usize = 32;
/// Rows of the tallest tile of any instruction set.
pub(crate) const MAX_ROWS: usize = 12;
/// Elements of the largest tile of any instruction set.
pub(crate) const MAX_TILE: usize = MAX_ROWS * COLUMNS;

/// Steps in which a tile asks for one line of each run: a line for every 32 multiply-adds of a register in the widest tile, which
/// leaves a core's memory time for what the tile itself reads.
const ASK_STEPS: usize = RUNS + 1;

/// What becomes of the sums of a tile.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Finish<T> {
    /// They are written.
    Set,
    /// They are added to what is there.
    Add,
    /// They are written with a bias of 32 added.
    Bias(*const T),
    /// They begin with what is there, and are written: one chain that is walked in pieces. For `Tile::packed` alone.
    Carry,
}

/// The left operand of [`Tile::packed`]: element (r, k) at `k * rows + r`; the right one: `[depth, 32]`.
type Packed<T> = unsafe fn(
    rows: usize,
    depth: usize,
    a: *const T,
    b: *const T,
    columns: usize,
    finish: Finish<T>,
    c: &[*mut T],
    ask: Ask,
);
/// The left operand of [`Tile::gathered`]: `depth` elements at each of `pixels[taps][rows]`.
type Gathered<T> = unsafe fn(
    rows: usize,
    depth: usize,
    pixels: &[*const T],
    b: *const T,
    columns: usize,
    finish: Finish<T>,
    c: &[*mut T],
);
/// The operands of [`Tile::outer`]: for each pair of offsets `rows` elements of `x` and `columns` elements of `dy`.
type Outer<T> =
    unsafe fn(rows: usize, pairs: &[[u32; 2]], x: *const T, dy: *const T, columns: usize, c: *mut T);

/// The operands of [`Tile::listed`]: the lists, the rows that their entries multiply, and the sums.
type Listed<T> = unsafe fn(lists: Lists<'_, T>, x: *const T, c: *mut T, carry: bool, ask: Ask);

/// Elements of a row that are turned at once: one AVX-512 register of f32.
pub(crate) const TURN_STEP: usize = 16;

/// Puts rows of a multiple of 16 elements side by side, as columns: where they begin, how far they are apart, how many times
/// 16, and where to.
type Interleave<T> = unsafe fn(x: *const T, stride: usize, steps: usize, to: *mut T);

/// The tile kernels of an instruction set.
#[derive(Debug, Clone, Copy)]
pub struct Tile<T> {
    /// Rows of a whole tile.
    pub rows: usize,
    /// Floats of a register: `columns` is a multiple of it.
    pub(crate) lanes: usize,
    packed: Packed<T>,
    gathered: Gathered<T>,
    outer: Outer<T>,
    /// Elements of a row of [`Tile::listed`], whose sums fill eight registers (AVX-512), or as many as there are for them: a multiple
    /// of 32.
    pub(crate) span: usize,
    listed: Listed<T>,
    /// For the rows of a whole tile.
    interleave: Option<Interleave<T>>,
    /// For 32 rows.
    turn: Option<Interleave<T>>,
}

impl<T: Float> Tile<T> {
    /// `c[r][0..32] = sum over k of a[k][r] * b[k][0..32]` for the first `rows` rows of the panel `a`; with `carry` the sum
    /// begins with what is in `c`, so that a chain can be walked in pieces without changing its value. Meanwhile it asks for
    /// memory that is needed later.
    ///
    /// `a`: `[depth, self.rows]`, `b`: `[depth, 32]`, `c`: `[rows, 32]`.
    #[inline]
    pub(crate) fn packed(
        &self,
        rows: usize,
        depth: usize,
        a: &[T],
        b: &[T],
        c: &mut [T],
        carry: bool,
        ask: Ask,
    ) {
        assert!(0 < rows && rows <= self.rows);
        assert!(a.len() >= depth * self.rows && b.len() >= depth * COLUMNS);
        assert!(c.len() >= rows * COLUMNS);
        let start = c.as_mut_ptr();
        // SAFETY: each row begins within `c` by the assertion.
        let c: [*mut T; MAX_ROWS] = std::array::from_fn(|r| unsafe { start.add(r.min(rows - 1) * COLUMNS) });
        // SAFETY: the kernel reads depth * self.rows of `a` and depth * COLUMNS of `b` and writes rows of COLUMNS of `c`,
        // which the assertions have bounded; its instruction set was detected.
        unsafe {
            let finish = if carry { Finish::Carry } else { Finish::Set };
            (self.packed)(rows, depth, a.as_ptr(), b.as_ptr(), COLUMNS, finish, &c[..rows], ask);
        }
    }

    /// Packs all `rows` of a tile, which are `stride` apart, as far as there is a kernel for it: element (r, k) to `k * rows + r`
    /// of `packed: [depth, rows]`. Returns the depth up to which it is done.
    pub(crate) fn interleave(&self, x: &[T], stride: usize, packed: &mut [T]) -> usize {
        let Some(interleave) = self.interleave else { return 0 };
        let steps = packed.len() / self.rows / TURN_STEP;
        let depth = steps * TURN_STEP;
        assert!(steps == 0 || x.len() >= (self.rows - 1) * stride + depth);
        // SAFETY: by the assertion, and `packed` has `depth` times `rows`; the instruction set was detected.
        unsafe { interleave(x.as_ptr(), stride, steps, packed.as_mut_ptr()) };
        depth
    }

    /// The transpose of `square`: 32 rows of 32 that are `stride` apart.
    pub(crate) fn turn(&self, square: &[T], stride: usize, to: &mut [T; COLUMNS * COLUMNS]) {
        assert!(stride >= COLUMNS && square.len() >= (COLUMNS - 1) * stride + COLUMNS);
        match self.turn {
            // SAFETY: 32 rows of twice 16, there and here; the instruction set was detected.
            Some(turn) => unsafe {
                turn(square.as_ptr(), stride, COLUMNS / TURN_STEP, to.as_mut_ptr());
            },
            None => {
                for (column, to) in to.as_chunks_mut::<COLUMNS>().0.iter_mut().enumerate() {
                    *to = std::array::from_fn(|row| square[row * stride + column]);
                }
            }
        }
    }

    /// `c[j][0..span] = sum over the j-th list of value * x[row][0..span]` for the 32 lists of a panel; with `carry` the sum begins
    /// with what is in `c`. Meanwhile it asks for memory that is needed later.
    ///
    /// `x`: `[rows of a block, span]`, `c`: `[32, span]`.
    pub(crate) fn listed(&self, lists: Lists<'_, T>, x: &[T], c: &mut [T], carry: bool, ask: Ask) {
        assert!(c.len() >= COLUMNS * self.span && lists.fits(x.len(), self.span));
        // SAFETY: by the assertions; the instruction set was detected.
        unsafe { (self.listed)(lists, x.as_ptr(), c.as_mut_ptr(), carry, ask) }
    }

    /// `c[r][0..32] = sum over k of a[r][k] * b[k][0..32]`, added in the order of [`Tile::packed`]. `a`: rows that are `stride`
    /// apart, as many as a tile has at most, `b`: `[depth, 32]`, `c`: `[rows, 32]`.
    #[inline]
    pub(crate) fn unpacked(&self, rows: usize, depth: usize, a: &[T], stride: usize, b: &[T], c: &mut [T]) {
        assert!(0 < rows && rows <= self.rows && depth <= stride);
        assert!(a.len() >= (rows - 1) * stride + depth && c.len() >= rows * COLUMNS);
        let (from, to) = (a.as_ptr(), c.as_mut_ptr());
        // SAFETY: each row begins within `a` and `c` by the assertions.
        let (a, c): ([*const T; MAX_ROWS], [*mut T; MAX_ROWS]) = unsafe {
            let row = |r: usize| r.min(rows - 1);
            (
                std::array::from_fn(|r| from.add(row(r) * stride)),
                std::array::from_fn(|r| to.add(row(r) * COLUMNS)),
            )
        };
        // SAFETY: rows of `a` have `depth` elements and rows of `c` 32; `gathered` has a look at `b` itself.
        unsafe { self.gathered(rows, depth, &a[..rows], b, COLUMNS, Finish::Set, &c[..rows]) };
    }

    /// `c[r][0..columns] = sum over taps and elements of pixels[tap][r][k] * b[tap, k][0..columns]`.
    ///
    /// # Safety
    /// Each of `pixels: [taps, rows]` is good for `depth` elements, `b` for `taps * depth` rows of 32, each of `c` for
    /// `columns` elements, which no one else uses meanwhile, and a bias for 32.
    #[inline]
    pub(crate) unsafe fn gathered(
        &self,
        rows: usize,
        depth: usize,
        pixels: &[*const T],
        b: &[T],
        columns: usize,
        finish: Finish<T>,
        c: &[*mut T],
    ) {
        assert!(0 < rows && rows <= self.rows && c.len() == rows && pixels.len().is_multiple_of(rows));
        assert!(columns <= COLUMNS && b.len() >= pixels.len() / rows * depth * COLUMNS);
        if columns.is_multiple_of(self.lanes) {
            // SAFETY: by the caller's promise; the instruction set was detected.
            unsafe { (self.gathered)(rows, depth, pixels, b.as_ptr(), columns, finish, c) };
            return;
        }
        let mut sums = [T::ZERO; MAX_TILE];
        let start = sums.as_mut_ptr();
        // SAFETY: MAX_ROWS rows of COLUMNS.
        let to: [*mut T; MAX_ROWS] = std::array::from_fn(|r| unsafe { start.add(r * COLUMNS) });
        // SAFETY: as above, and a tile of sums has room for whole registers.
        unsafe {
            (self.gathered)(rows, depth, pixels, b.as_ptr(), COLUMNS, Finish::Set, &to[..rows]);
        }
        for (&c, sums) in c.iter().zip(sums.chunks_exact(COLUMNS)) {
            for (j, &sum) in sums.iter().enumerate().take(columns) {
                // SAFETY: `c` is good for `columns` elements, a bias for 32.
                unsafe {
                    *c.add(j) = match finish {
                        Finish::Set => sum,
                        Finish::Add | Finish::Carry => *c.add(j) + sum,
                        Finish::Bias(bias) => sum + *bias.add(j),
                    };
                }
            }
        }
    }

    /// `c[r][0..columns] += sum over pairs (p, q) of x[p + r] * dy[q..q + columns]`, where rows of `c` are 32 apart.
    ///
    /// # Safety
    /// `p + rows` and `q + columns` of every pair are within `x` and `dy`.
    #[inline]
    pub(crate) unsafe fn outer(
        &self,
        rows: usize,
        pairs: &[[u32; 2]],
        x: &[T],
        dy: &[T],
        columns: usize,
        c: &mut [T],
    ) {
        assert!(0 < rows && rows <= self.rows && columns.is_multiple_of(self.lanes));
        assert!(columns <= COLUMNS && c.len() >= rows * COLUMNS);
        // SAFETY: by the caller's promise and the assertions; the instruction set was detected.
        unsafe { (self.outer)(rows, pairs, x.as_ptr(), dy.as_ptr(), columns, c.as_mut_ptr()) }
    }
}

/// The f32 tile of this machine.
pub fn f32_tile() -> Tile<f32> {
    match Isa::detected() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => Tile {
            interleave: Some(interleave::rows::<{ avx512::TILE.rows }>),
            turn: Some(interleave::rows::<COLUMNS>),
            ..avx512::TILE
        },
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::TILE,
        // Every 64-bit ARM has NEON.
        #[cfg(target_arch = "aarch64")]
        _ => neon::TILE,
        #[cfg(not(target_arch = "aarch64"))]
        _ => portable_f32::TILE,
    }
}

/// The f64 tile: the portable one everywhere, since only gradient checks run in f64.
pub fn f64_tile() -> Tile<f64> {
    portable_f64::TILE
}

#[inline(always)]
unsafe fn finish<T: Float, V: Lanes<T>, const R: usize, const N: usize>(
    sums: [[V; N]; R],
    finish: Finish<T>,
    c: &[*mut T; R],
    column: usize,
) {
    // One walk for each way: a walk with the choice in it is not unrolled, and the sums go over the stack. No closures, which
    // would be compiled for another instruction set. One row after the other, since two rows of a gathered tile may be the same.
    macro_rules! each {
        (|$sum:ident, $c:ident, $at:ident| $result:expr) => {
            for (row, &c) in sums.iter().zip(c) {
                for (n, &$sum) in row.iter().enumerate() {
                    let $at = column + n * V::COUNT;
                    // SAFETY: the callers of the kernels have bounded rows and columns, and a bias is 32 long.
                    unsafe {
                        let $c = c.add($at);
                        $result.store($c);
                    }
                }
            }
        };
    }
    match finish {
        Finish::Set | Finish::Carry => each!(|sum, c, at| sum),
        Finish::Add => each!(|sum, c, at| V::load(c).add(sum)),
        Finish::Bias(bias) => each!(|sum, c, at| sum.add(V::load(bias.add(at)))),
    }
}

#[inline(always)]
unsafe fn packed_rows<T: Float, V: Lanes<T>, const R: usize, const N: usize>(
    height: usize,
    depth: usize,
    mut a: *const T,
    b: *const T,
    column: usize,
    finish_with: Finish<T>,
    c: &[*mut T],
    ask: Ask,
) {
    // Of a known length, so that the sums stay in registers.
    let Ok(c) = <&[*mut T; R]>::try_from(c) else { return };
    // SAFETY: `a` and `b` advance by one depth step each turn, `depth` times, as the caller has bounded them.
    unsafe {
        let mut b = b.add(column);
        let mut sums = [[V::zero(); N]; R];
        if let Finish::Carry = finish_with {
            for (row, &c) in sums.iter_mut().zip(c) {
                for (n, sum) in row.iter_mut().enumerate() {
                    *sum = V::load(c.add(column + n * V::COUNT));
                }
            }
        }
        // No closure, which would be compiled for another instruction set.
        macro_rules! step {
            () => {
                let right: [V; N] = std::array::from_fn(|n| V::load(b.add(n * V::COUNT)));
                for (r, row) in sums.iter_mut().enumerate() {
                    let left = V::splat(*a.add(r));
                    for (sum, right) in row.iter_mut().zip(right) {
                        *sum = sum.add_product(left, right);
                    }
                }
                a = a.add(height);
                b = b.add(COLUMNS);
            };
        }
        // Of what is asked for, a line of each run in every so many steps.
        let asked = ask.lines().min(depth / ASK_STEPS);
        for line in 0..asked {
            for run in 0..RUNS {
                step!();
                ask.line(run, line);
            }
            step!();
        }
        for _ in asked * ASK_STEPS..depth {
            step!();
        }
        finish(sums, finish_with, c, column);
    }
}

#[inline(always)]
unsafe fn gathered_rows<T: Float, V: Lanes<T>, const R: usize, const N: usize>(
    depth: usize,
    pixels: &[*const T],
    b: *const T,
    column: usize,
    finish_with: Finish<T>,
    c: &[*mut T],
) {
    // Of a known length, so that the sums stay in registers.
    let Ok(c) = <&[*mut T; R]>::try_from(c) else { return };
    // SAFETY: every pixel has `depth` elements, and `b` advances one row for each of them.
    unsafe {
        let mut b = b.add(column);
        let mut sums = [[V::zero(); N]; R];
        for pixels in pixels.chunks_exact(R) {
            let pixels: [*const T; R] = std::array::from_fn(|r| pixels[r]);
            for k in 0..depth {
                let right: [V; N] = std::array::from_fn(|n| V::load(b.add(n * V::COUNT)));
                for (row, pixel) in sums.iter_mut().zip(pixels) {
                    let left = V::splat(*pixel.add(k));
                    for (sum, right) in row.iter_mut().zip(right) {
                        *sum = sum.add_product(left, right);
                    }
                }
                b = b.add(COLUMNS);
            }
        }
        finish(sums, finish_with, c, column);
    }
}

#[inline(always)]
unsafe fn outer_rows<T: Float, V: Lanes<T>, const R: usize, const N: usize>(
    pairs: &[[u32; 2]],
    x: *const T,
    dy: *const T,
    column: usize,
    c: *mut T,
) {
    // SAFETY: the caller has bounded every pair, and `c` has R rows of 32.
    unsafe {
        let dy = dy.add(column);
        let mut sums = [[V::zero(); N]; R];
        for &[p, q] in pairs {
            let (x, dy) = (x.add(p as usize), dy.add(q as usize));
            let right: [V; N] = std::array::from_fn(|n| V::load(dy.add(n * V::COUNT)));
            for (r, row) in sums.iter_mut().enumerate() {
                let left = V::splat(*x.add(r));
                for (sum, right) in row.iter_mut().zip(right) {
                    *sum = sum.add_product(left, right);
                }
            }
        }
        let rows: [*mut T; R] = std::array::from_fn(|r| c.add(r * COLUMNS));
        finish(sums, Finish::Add, &rows, column);
    }
}

/// The four kernels for a register type: tiles of up to `$height` rows and `$per_turn` registers at a time, and lists over rows of
/// `$span` elements.
macro_rules! tile {
    ($name:ident, $type:ty, $lanes:ty, $height:literal, [$($rows:literal)*], $per_turn:literal, $span:literal $(, $feature:literal)?) => {
        mod $name {
            use super::*;

            const LANES: usize = <$lanes as Lanes<$type>>::COUNT;
            const ROWS: usize = $height;

            pub(super) const TILE: Tile<$type> = Tile { rows: ROWS, lanes: LANES, packed, gathered, outer, span: $span, listed, interleave: None, turn: None };

            /// # Safety
            /// As [`Tile::packed`] has bounded it, on a processor with the features.
            $(#[target_feature(enable = $feature)])?
            unsafe fn packed(
                rows: usize,
                depth: usize,
                a: *const $type,
                b: *const $type,
                columns: usize,
                finish: Finish<$type>,
                c: &[*mut $type],
                ask: Ask,
            ) {
                let mut column = 0;
                while column < columns {
                    let whole = columns - column >= $per_turn * LANES;
                    // SAFETY: passed on from the caller.
                    unsafe {
                        match (rows, whole) {
                            $(
                                ($rows, true) => packed_rows::<$type, $lanes, $rows, $per_turn>(ROWS, depth, a, b, column, finish, c, if column == 0 { ask } else { Ask::NOTHING }),
                                ($rows, false) => packed_rows::<$type, $lanes, $rows, 1>(ROWS, depth, a, b, column, finish, c, Ask::NOTHING),
                            )*
                            _ => {}
                        }
                    }
                    column += if whole { $per_turn * LANES } else { LANES };
                }
            }

            /// # Safety
            /// As [`Tile::listed`] has bounded it, on a processor with the features.
            $(#[target_feature(enable = $feature)])?
            unsafe fn listed(lists: Lists<'_, $type>, x: *const $type, c: *mut $type, carry: bool, ask: Ask) {
                // SAFETY: passed on from the caller.
                unsafe { listed_rows::<$type, $lanes, { $span / LANES }>(lists, x, c, carry, ask) }
            }

            /// # Safety
            /// As [`Tile::gathered`], on a processor with the features.
            $(#[target_feature(enable = $feature)])?
            unsafe fn gathered(
                rows: usize,
                depth: usize,
                pixels: &[*const $type],
                b: *const $type,
                columns: usize,
                finish: Finish<$type>,
                c: &[*mut $type],
            ) {
                let mut column = 0;
                while column < columns {
                    let whole = columns - column >= $per_turn * LANES;
                    // SAFETY: passed on from the caller.
                    unsafe {
                        match (rows, whole) {
                            $(
                                ($rows, true) => gathered_rows::<$type, $lanes, $rows, $per_turn>(depth, pixels, b, column, finish, c),
                                ($rows, false) => gathered_rows::<$type, $lanes, $rows, 1>(depth, pixels, b, column, finish, c),
                            )*
                            _ => {}
                        }
                    }
                    column += if whole { $per_turn * LANES } else { LANES };
                }
            }

            /// # Safety
            /// As [`Tile::outer`], on a processor with the features.
            $(#[target_feature(enable = $feature)])?
            unsafe fn outer(
                rows: usize,
                pairs: &[[u32; 2]],
                x: *const $type,
                dy: *const $type,
                columns: usize,
                c: *mut $type,
            ) {
                let mut column = 0;
                while column < columns {
                    let whole = columns - column >= $per_turn * LANES;
                    // SAFETY: passed on from the caller.
                    unsafe {
                        match (rows, whole) {
                            $(
                                ($rows, true) => outer_rows::<$type, $lanes, $rows, $per_turn>(pairs, x, dy, column, c),
                                ($rows, false) => outer_rows::<$type, $lanes, $rows, 1>(pairs, x, dy, column, c),
                            )*
                            _ => {}
                        }
                    }
                    column += if whole { $per_turn * LANES } else { LANES };
                }
            }
        }
    };
}

// 24 sums, two operands and the broadcast value: 27 of 32 registers.
#[cfg(target_arch = "x86_64")]
tile!(
    avx512,
    f32,
    std::arch::x86_64::__m512,
    12,
    [1 2 3 4 5 6 7 8 9 10 11 12],
    2,
    128,
    "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma"
);
// 12 sums of 16 registers.
#[cfg(target_arch = "x86_64")]
tile!(avx2, f32, std::arch::x86_64::__m256, 6, [1 2 3 4 5 6], 2, 96, "avx2,fma");
// 24 sums of 32 registers.
#[cfg(target_arch = "aarch64")]
tile!(neon, f32, std::arch::aarch64::float32x4_t, 6, [1 2 3 4 5 6], 4, 96, "neon");
#[cfg(not(target_arch = "aarch64"))]
tile!(portable_f32, f32, Portable<f32>, 4, [1 2 3 4], 1, 32);
tile!(portable_f64, f64, Portable<f64>, 4, [1 2 3 4], 1, 32);
