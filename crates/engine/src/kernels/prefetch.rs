//! Asking for memory before it is needed, so that it travels while the tiles compute. It changes no result.
#![allow(unsafe_code)]

/// Bytes of a cache line.
const LINE_BYTES: usize = 64;

/// How near memory is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Near {
    /// Into the first-level cache: for what is used next, and little of it.
    First,
    /// Into the second-level cache.
    Second,
}

/// Asks for `len` elements at `from`, which need not be there: nothing is read. Does nothing where there is no such instruction
/// in stable Rust.
#[inline(always)]
pub(crate) fn prefetch<T>(near: Near, from: *const T, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for offset in (0..len * size_of::<T>()).step_by(LINE_BYTES) {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        let line = from.cast::<i8>().wrapping_add(offset);
        // SAFETY: a prefetch faults on no address.
        unsafe {
            match near {
                Near::First => _mm_prefetch::<_MM_HINT_T0>(line),
                Near::Second => _mm_prefetch::<_MM_HINT_T1>(line),
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (near, from, len, LINE_BYTES);
}
