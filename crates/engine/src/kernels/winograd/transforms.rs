//! The transforms of F(2x2, 3x3) on registers, written once over [`Lanes`] and compiled for every instruction set.
//!
//! With the matrices of Lavin and Gray 2016, for an input tile d (4x4), a weight g (3x3) and a tile of the gradient e (2x2):
//! the input B^T d B, the weight G g G^T, the result A^T m A, the gradient A e A^T, the weight's gradient G^T u G. Values of
//! one tile that stand at the same place of the 4x4 square are `step` elements apart in memory.
#![allow(unsafe_code)]

use crate::float::Float;
use crate::isa::Isa;
use crate::kernels::lanes::{Lanes, Portable};

/// Places of the transformed square.
pub(super) const PLACES: usize = 16;
/// Places of a row of it.
pub(super) const SIDE: usize = 4;
/// Taps of the weight.
const TAPS: usize = 9;

/// The kernels of an instruction set. Every count of elements is a multiple of 16, which all registers divide.
#[derive(Debug, Clone, Copy)]
pub struct Transforms<T> {
    /// B^T d B from the 16 pixels of a tile, each good for `channels`.
    pub(super) input: unsafe fn(pixels: &[*const T; PLACES], channels: usize, to: *mut T, step: usize),
    /// One row of B^T d B.
    pub(super) input_row:
        unsafe fn(row: usize, pixels: &[*const T; PLACES], channels: usize, to: *mut T, step: usize),
    /// A^T m A, with a bias of `channels` unless that is null, to the four pixels that are not null; on top of what is there if
    /// `add`.
    pub(super) output: unsafe fn(
        from: *const T,
        step: usize,
        channels: usize,
        bias: *const T,
        add: bool,
        pixels: &[*mut T; 4],
    ),
    /// One row of A e A^T from the four pixels of a tile of the gradient.
    pub(super) gradient_row:
        unsafe fn(row: usize, pixels: &[*const T; 4], channels: usize, to: *mut T, step: usize),
    /// G g G^T of `len` weights side by side, whose taps are `tap_step` apart.
    pub(super) weight: unsafe fn(from: *const T, tap_step: usize, len: usize, to: *mut T, step: usize),
    /// G^T u G, where u is the sum of `runs` parts that are `run_step` apart.
    pub(super) weight_gradient: unsafe fn(
        from: *const T,
        step: usize,
        runs: usize,
        run_step: usize,
        len: usize,
        to: *mut T,
        tap_step: usize,
    ),
}

/// Registers from pointers that are each good for one at `at`. A loop and no closure: closures are not compiled for the
/// instruction set of the function that they stand in, and stay calls.
#[inline(always)]
unsafe fn load<T: Float, V: Lanes<T>, const N: usize>(pointers: [*const T; N], at: usize) -> [V; N] {
    // SAFETY: passed on from the caller.
    unsafe {
        let mut registers = [V::zero(); N];
        for (register, pointer) in registers.iter_mut().zip(pointers) {
            *register = V::load(pointer.add(at));
        }
        registers
    }
}

/// A row or column of B^T d B.
#[inline(always)]
unsafe fn input_side<T: Float, V: Lanes<T>>(d: [V; 4]) -> [V; 4] {
    // SAFETY: arithmetic of registers, within a function compiled for them.
    unsafe { [d[0].sub(d[2]), d[1].add(d[2]), d[2].sub(d[1]), d[1].sub(d[3])] }
}

/// A row or column of A e A^T.
#[inline(always)]
unsafe fn gradient_side<T: Float, V: Lanes<T>>(e: [V; 2]) -> [V; 4] {
    // SAFETY: as above.
    unsafe { [e[0], e[0].add(e[1]), e[0].sub(e[1]), V::zero().sub(e[1])] }
}

/// A row or column of G g G^T.
#[inline(always)]
unsafe fn weight_side<T: Float, V: Lanes<T>>(g: [V; 3]) -> [V; 4] {
    // SAFETY: as above.
    unsafe {
        let (half, outer) = (V::splat(T::of(0.5)), g[0].add(g[2]));
        [g[0], outer.add(g[1]).mul(half), outer.sub(g[1]).mul(half), g[2]]
    }
}

/// A row or column of G^T u G.
#[inline(always)]
unsafe fn weight_gradient_side<T: Float, V: Lanes<T>>(u: [V; 4]) -> [V; 3] {
    // SAFETY: as above.
    unsafe {
        let half = V::splat(T::of(0.5));
        let (sum, difference) = (u[1].add(u[2]).mul(half), u[1].sub(u[2]).mul(half));
        [u[0].add(sum), difference, sum.add(u[3])]
    }
}

#[inline(always)]
unsafe fn input<T: Float, V: Lanes<T>>(
    pixels: &[*const T; PLACES],
    channels: usize,
    to: *mut T,
    step: usize,
) {
    // SAFETY: each pixel is good for `channels` elements, and `to` for as many at each of the 16 steps.
    unsafe {
        for c in (0..channels).step_by(V::COUNT) {
            let d: [V; PLACES] = load(*pixels, c);
            let mut columns = [[V::zero(); 4]; 4];
            for (j, column) in columns.iter_mut().enumerate() {
                *column = input_side([d[j], d[4 + j], d[8 + j], d[12 + j]]);
            }
            for i in 0..SIDE {
                let row = input_side([columns[0][i], columns[1][i], columns[2][i], columns[3][i]]);
                for (j, value) in row.into_iter().enumerate() {
                    value.store(to.add((i * SIDE + j) * step + c));
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn input_row<T: Float, V: Lanes<T>>(
    row: usize,
    pixels: &[*const T; PLACES],
    channels: usize,
    to: *mut T,
    step: usize,
) {
    // The two rows of the tile that this row of B^T d is the sum or difference of.
    let (one, other) = [(0, 2), (1, 2), (2, 1), (1, 3)][row];
    let line = |i: usize| [pixels[i * 4], pixels[i * 4 + 1], pixels[i * 4 + 2], pixels[i * 4 + 3]];
    let (one, other) = (line(one), line(other));
    // SAFETY: as in `input`, for four steps.
    unsafe {
        for c in (0..channels).step_by(V::COUNT) {
            let mut d: [V; 4] = load(one, c);
            let other: [V; 4] = load(other, c);
            for (d, other) in d.iter_mut().zip(other) {
                *d = if row == 1 { d.add(other) } else { d.sub(other) };
            }
            for (j, value) in input_side(d).into_iter().enumerate() {
                value.store(to.add(j * step + c));
            }
        }
    }
}

#[inline(always)]
unsafe fn output<T: Float, V: Lanes<T>>(
    from: *const T,
    step: usize,
    channels: usize,
    bias: *const T,
    add: bool,
    pixels: &[*mut T; 4],
) {
    // SAFETY: `from` is good for `channels` elements at each of the 16 steps, and so is each pixel that is not null.
    unsafe {
        for c in (0..channels).step_by(V::COUNT) {
            // Both rows of A^T m, column by column.
            let mut rows = [[V::zero(); 4]; 2];
            for j in 0..SIDE {
                let mut m = [V::zero(); 4];
                for (i, m) in m.iter_mut().enumerate() {
                    *m = V::load(from.add((i * SIDE + j) * step + c));
                }
                rows[0][j] = m[0].add(m[1]).add(m[2]);
                rows[1][j] = m[1].sub(m[2]).sub(m[3]);
            }
            let bias = if bias.is_null() { V::zero() } else { V::load(bias.add(c)) };
            for (i, s) in rows.into_iter().enumerate() {
                let pair = [s[0].add(s[1]).add(s[2]).add(bias), s[1].sub(s[2]).sub(s[3]).add(bias)];
                for (j, value) in pair.into_iter().enumerate() {
                    let pixel = pixels[i * 2 + j];
                    if !pixel.is_null() {
                        let pixel = pixel.add(c);
                        if add { V::load(pixel).add(value) } else { value }.store(pixel);
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn gradient_row<T: Float, V: Lanes<T>>(
    row: usize,
    pixels: &[*const T; 4],
    channels: usize,
    to: *mut T,
    step: usize,
) {
    // SAFETY: as in `input`, for four steps.
    unsafe {
        for c in (0..channels).step_by(V::COUNT) {
            let [a, b, lower_a, lower_b]: [V; 4] = load(*pixels, c);
            let e = match row {
                0 => [a, b],
                1 => [a.add(lower_a), b.add(lower_b)],
                2 => [a.sub(lower_a), b.sub(lower_b)],
                _ => [V::zero().sub(lower_a), V::zero().sub(lower_b)],
            };
            for (j, value) in gradient_side(e).into_iter().enumerate() {
                value.store(to.add(j * step + c));
            }
        }
    }
}

#[inline(always)]
unsafe fn weight<T: Float, V: Lanes<T>>(
    from: *const T,
    tap_step: usize,
    len: usize,
    to: *mut T,
    step: usize,
) {
    // SAFETY: `from` is good for `len` elements at each of the nine taps, `to` at each of the 16 steps.
    unsafe {
        for k in (0..len).step_by(V::COUNT) {
            let mut g = [V::zero(); TAPS];
            for (tap, g) in g.iter_mut().enumerate() {
                *g = V::load(from.add(tap * tap_step + k));
            }
            let mut columns = [[V::zero(); 4]; 3];
            for (j, column) in columns.iter_mut().enumerate() {
                *column = weight_side([g[j], g[3 + j], g[6 + j]]);
            }
            for i in 0..SIDE {
                let row = weight_side([columns[0][i], columns[1][i], columns[2][i]]);
                for (j, value) in row.into_iter().enumerate() {
                    value.store(to.add((i * SIDE + j) * step + k));
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn weight_gradient<T: Float, V: Lanes<T>>(
    from: *const T,
    step: usize,
    runs: usize,
    run_step: usize,
    len: usize,
    to: *mut T,
    tap_step: usize,
) {
    // SAFETY: as in `weight`, the other way round, for each of the runs.
    unsafe {
        for k in (0..len).step_by(V::COUNT) {
            let mut u = [V::zero(); PLACES];
            for (place, u) in u.iter_mut().enumerate() {
                let from = from.add(place * step + k);
                *u = V::load(from);
                for run in 1..runs {
                    *u = u.add(V::load(from.add(run * run_step)));
                }
            }
            let mut columns = [[V::zero(); 3]; 4];
            for (j, column) in columns.iter_mut().enumerate() {
                *column = weight_gradient_side([u[j], u[4 + j], u[8 + j], u[12 + j]]);
            }
            for i in 0..3 {
                let row = weight_gradient_side([columns[0][i], columns[1][i], columns[2][i], columns[3][i]]);
                for (j, value) in row.into_iter().enumerate() {
                    value.store(to.add((i * 3 + j) * tap_step + k));
                }
            }
        }
    }
}

/// The kernels for a register type.
macro_rules! transforms {
    ($name:ident, $type:ty, $lanes:ty $(, $feature:literal)?) => {
        mod $name {
            use super::*;

            pub(super) const TRANSFORMS: Transforms<$type> =
                Transforms { input, input_row, output, gradient_row, weight, weight_gradient };

            transforms!(@kernel $type, $lanes, [$($feature)?], input(
                pixels: &[*const $type; PLACES], channels: usize, to: *mut $type, step: usize));
            transforms!(@kernel $type, $lanes, [$($feature)?], input_row(
                row: usize, pixels: &[*const $type; PLACES], channels: usize, to: *mut $type, step: usize));
            transforms!(@kernel $type, $lanes, [$($feature)?], output(
                from: *const $type, step: usize, channels: usize, bias: *const $type, add: bool,
                pixels: &[*mut $type; 4]));
            transforms!(@kernel $type, $lanes, [$($feature)?], gradient_row(
                row: usize, pixels: &[*const $type; 4], channels: usize, to: *mut $type, step: usize));
            transforms!(@kernel $type, $lanes, [$($feature)?], weight(
                from: *const $type, tap_step: usize, len: usize, to: *mut $type, step: usize));
            transforms!(@kernel $type, $lanes, [$($feature)?], weight_gradient(
                from: *const $type, step: usize, runs: usize, run_step: usize, len: usize,
                to: *mut $type, tap_step: usize));
        }
    };
    (@kernel $type:ty, $lanes:ty, [$($feature:literal)?], $name:ident($($argument:ident: $argument_type:ty),*)) => {
        /// # Safety
        /// As the field of [`Transforms`] says, on a processor with the features.
        $(#[target_feature(enable = $feature)])?
        unsafe fn $name($($argument: $argument_type),*) {
            // SAFETY: passed on from the caller.
            unsafe { super::$name::<$type, $lanes>($($argument),*) }
        }
    };
}

#[cfg(target_arch = "x86_64")]
transforms!(avx512, f32, std::arch::x86_64::__m512, "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma");
#[cfg(target_arch = "x86_64")]
transforms!(avx2, f32, std::arch::x86_64::__m256, "avx2,fma");
#[cfg(target_arch = "aarch64")]
transforms!(neon, f32, std::arch::aarch64::float32x4_t, "neon");
#[cfg(not(target_arch = "aarch64"))]
transforms!(portable_f32, f32, Portable<f32>);
transforms!(portable_f64, f64, Portable<f64>);

/// The f32 kernels of this machine.
pub fn f32_transforms() -> Transforms<f32> {
    match Isa::detected() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::TRANSFORMS,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::TRANSFORMS,
        #[cfg(target_arch = "aarch64")]
        _ => neon::TRANSFORMS,
        #[cfg(not(target_arch = "aarch64"))]
        _ => portable_f32::TRANSFORMS,
    }
}

/// The f64 kernels: the portable ones everywhere, since only gradient checks run in f64.
pub fn f64_transforms() -> Transforms<f64> {
    portable_f64::TRANSFORMS
}
