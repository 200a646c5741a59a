//! A register of floats: what the tiles are written in, once for all instruction sets.
#![allow(unsafe_code)]

use crate::float::Float;

/// Some floats that one instruction works on.
///
/// # Safety
/// Every function may be called only where the processor has the instruction set that the type stands for, and within a
/// function that is compiled for it; pointers must be good for [`Lanes::COUNT`] elements.
pub(crate) unsafe trait Lanes<T>: Copy {
    /// How many there are.
    const COUNT: usize;
    /// Zeros.
    unsafe fn zero() -> Self;
    /// One value in every place.
    unsafe fn splat(x: T) -> Self;
    /// From memory, of any alignment.
    unsafe fn load(from: *const T) -> Self;
    /// To memory, of any alignment.
    unsafe fn store(self, to: *mut T);
    /// self + other
    unsafe fn add(self, other: Self) -> Self;
    /// self - other
    unsafe fn sub(self, other: Self) -> Self;
    /// self times other
    unsafe fn mul(self, other: Self) -> Self;
    /// self + a b, rounded once where the instruction set has such an instruction.
    unsafe fn add_product(self, a: Self, b: Self) -> Self;
}

/// For every processor: eight floats that the compiler puts into whatever registers there are.
#[derive(Clone, Copy)]
pub(crate) struct Portable<T>([T; 8]);

// SAFETY: plain code; the pointers are as the trait demands.
unsafe impl<T: Float> Lanes<T> for Portable<T> {
    const COUNT: usize = 8;
    #[inline(always)]
    unsafe fn zero() -> Self {
        Portable([T::ZERO; 8])
    }
    #[inline(always)]
    unsafe fn splat(x: T) -> Self {
        Portable([x; 8])
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: good for eight elements by the caller's promise.
        unsafe { Portable(from.cast::<[T; 8]>().read_unaligned()) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: as above.
        unsafe { to.cast::<[T; 8]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn add(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(x, y)| *x += y);
        self
    }
    #[inline(always)]
    unsafe fn sub(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(x, y)| *x -= y);
        self
    }
    #[inline(always)]
    unsafe fn mul(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(x, y)| *x *= y);
        self
    }
    #[inline(always)]
    unsafe fn add_product(mut self, a: Self, b: Self) -> Self {
        // Not fused: without such an instruction that would be a call for every element.
        self.0.iter_mut().zip(a.0.into_iter().zip(b.0)).for_each(|(x, (a, b))| *x += a * b);
        self
    }
}

/// Implements [`Lanes`] for a register type by the names of its intrinsics.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! lanes {
    ($register:ty, $count:literal, $zero:expr, $splat:path, $load:path, $store:path, $add:path, $sub:path, $mul:path, $fma:expr) => {
        // SAFETY: the intrinsics need only what the trait demands of its caller.
        unsafe impl Lanes<f32> for $register {
            const COUNT: usize = $count;
            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: as the trait demands.
                unsafe { $zero }
            }
            #[inline(always)]
            unsafe fn splat(x: f32) -> Self {
                // SAFETY: as the trait demands.
                unsafe { $splat(x) }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: as the trait demands.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: as the trait demands.
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as the trait demands.
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                // SAFETY: as the trait demands.
                unsafe { $sub(self, other) }
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                // SAFETY: as the trait demands.
                unsafe { $mul(self, other) }
            }
            #[inline(always)]
            unsafe fn add_product(self, a: Self, b: Self) -> Self {
                // SAFETY: as the trait demands.
                unsafe { $fma(self, a, b) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    lanes!(
        __m512,
        16,
        _mm512_setzero_ps(),
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        |sum, a, b| _mm512_fmadd_ps(a, b, sum)
    );
    lanes!(
        __m256,
        8,
        _mm256_setzero_ps(),
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        |sum, a, b| _mm256_fmadd_ps(a, b, sum)
    );
}

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::Lanes;
    use std::arch::aarch64::*;

    lanes!(
        float32x4_t,
        4,
        vdupq_n_f32(0.0),
        vdupq_n_f32,
        vld1q_f32,
        vst1q_f32,
        vaddq_f32,
        vsubq_f32,
        vmulq_f32,
        |sum, a, b| vfmaq_f32(sum, a, b)
    );
}
