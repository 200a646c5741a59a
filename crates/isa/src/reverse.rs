//! The pixels of a row in the opposite order.

#![allow(unsafe_code)]

use crate::Isa;

/// Writes the pixels of three bytes in the opposite order.
///
/// # Panics
/// Where the two are not of one length, or not of whole pixels.
pub fn reverse_pixels(from: &[u8], to: &mut [u8]) {
    reverse_with(Isa::detected(), from, to);
}

fn reverse_with(isa: Isa, from: &[u8], to: &mut [u8]) {
    assert!(from.len() == to.len() && from.len().is_multiple_of(3), "two rows of whole pixels");
    let done = match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `isa` is one that this machine has, and the rows are of one length.
        Isa::Avx512 => unsafe { x86::avx512(from, to) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { x86::avx2(from, to) },
        _ => 0,
    };
    // What is written from the front comes from the back.
    let from = from[..from.len() - done].as_chunks::<3>().0.iter().rev();
    to[done..].as_chunks_mut::<3>().0.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// 21 pixels at a time; returns how many bytes it wrote.
    ///
    /// # Safety
    /// `from` and `to` are of one length.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub(super) unsafe fn avx512(from: &[u8], to: &mut [u8]) -> usize {
        const STEP: usize = 63;
        let order: [u8; 64] =
            std::array::from_fn(|i| if i < STEP { ((20 - i / 3) * 3 + i % 3) as u8 } else { 0 });
        let kept = (1u64 << STEP) - 1;
        // SAFETY: an array of 64 bytes; the load needs no alignment.
        let order = unsafe { _mm512_loadu_si512(order.as_ptr().cast()) };
        let mut done = 0;
        while done + STEP <= from.len() {
            // SAFETY: the 63 bytes before `len - done` are in `from`, and the 63 from `done` on in `to`, which is as long;
            // the mask keeps both from touching the 64th.
            unsafe {
                let start = from.as_ptr().add(from.len() - done - STEP);
                let pixels = _mm512_maskz_loadu_epi8(kept, start.cast());
                let reversed = _mm512_permutexvar_epi8(order, pixels);
                _mm512_mask_storeu_epi8(to.as_mut_ptr().add(done).cast(), kept, reversed);
            }
            done += STEP;
        }
        done
    }

    /// 5 pixels at a time; returns how many bytes it wrote.
    ///
    /// # Safety
    /// `from` and `to` are of one length.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn avx2(from: &[u8], to: &mut [u8]) -> usize {
        const STEP: usize = 15;
        let order: [u8; 16] =
            std::array::from_fn(|i| if i < STEP { (1 + (4 - i / 3) * 3 + i % 3) as u8 } else { 0 });
        // SAFETY: an array of 16 bytes; the load needs no alignment.
        let order = unsafe { _mm_loadu_si128(order.as_ptr().cast()) };
        let mut done = 0;
        while done + STEP < from.len() {
            // SAFETY: `done + 16 <= len`, so the 16 bytes before `len - done` are in `from`, and the 16 from `done` on in
            // `to`, which is as long. The 16th that is written is written again by the next step or by the caller.
            unsafe {
                let pixels = _mm_loadu_si128(from.as_ptr().add(from.len() - done - STEP - 1).cast());
                _mm_storeu_si128(to.as_mut_ptr().add(done).cast(), _mm_shuffle_epi8(pixels, order));
            }
            done += STEP;
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::available;

    #[test]
    fn every_set_reverses_rows_of_any_length() {
        for pixels in 0..90 {
            let from: Vec<u8> = (0..pixels * 3).map(|i| (i * 31) as u8).collect();
            let wanted: Vec<u8> = from.as_chunks::<3>().0.iter().rev().flatten().copied().collect();
            for isa in available() {
                let mut to = vec![0; from.len()];
                reverse_with(isa, &from, &mut to);
                assert_eq!(to, wanted, "{isa:?}, {pixels} pixels");
            }
        }
    }
}
