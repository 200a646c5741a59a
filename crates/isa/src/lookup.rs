//! A table of 256 bytes looked up for every byte of an image.

#![allow(unsafe_code)]

use crate::Isa;

/// Replaces every byte `v` by `table[v]`.
pub fn look_up(table: &[u8; 256], bytes: &mut [u8]) {
    let at = bytes.as_mut_ptr();
    // SAFETY: both are the same bytes, of which each is read before it is written.
    unsafe { look_up_with(Isa::detected(), table, at, at, bytes.len()) };
}

/// Writes `table[v]` for every byte `v` of `from`.
///
/// # Panics
/// Where `to` has not as many bytes.
pub fn look_up_into(table: &[u8; 256], from: &[u8], to: &mut [u8]) {
    assert_eq!(from.len(), to.len());
    // SAFETY: as many bytes of each, which do not overlap.
    unsafe { look_up_with(Isa::detected(), table, from.as_ptr(), to.as_mut_ptr(), from.len()) };
}

/// # Safety
/// `isa` is one that this machine has; `from` can be read and `to` be written for `len` bytes, and they are the same or apart.
unsafe fn look_up_with(isa: Isa, table: &[u8; 256], from: *const u8, to: *mut u8, len: usize) {
    let done = match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: passed on from the caller.
        Isa::Avx512 => unsafe { x86::avx512(table, from, to, len) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { x86::avx2(table, from, to, len) },
        _ => 0,
    };
    for i in done..len {
        // SAFETY: within `len`.
        unsafe { *to.add(i) = table[usize::from(*from.add(i))] };
    }
}

/// Of each the bytes of whole blocks, whose number they give back.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// Two shuffles out of 128 bytes each, of which the highest bit chooses.
    ///
    /// # Safety
    /// As [`super::look_up_with`].
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub(super) unsafe fn avx512(table: &[u8; 256], from: *const u8, to: *mut u8, len: usize) -> usize {
        const BLOCK: usize = 64;
        let (quarters, _) = table.as_chunks::<BLOCK>();
        // SAFETY: a quarter is an array of 64 bytes; the load needs no alignment.
        let load = |quarter: &[u8; BLOCK]| unsafe { _mm512_loadu_si512(quarter.as_ptr().cast()) };
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| load(&quarters[i]));
        for block in 0..len / BLOCK {
            // SAFETY: a whole block is within `len`.
            let at = unsafe { _mm512_loadu_si512(from.add(block * BLOCK).cast()) };
            let low = _mm512_permutex2var_epi8(a, at, b);
            let high = _mm512_permutex2var_epi8(c, at, d);
            let found = _mm512_mask_blend_epi8(_mm512_movepi8_mask(at), low, high);
            // SAFETY: as above.
            unsafe { _mm512_storeu_si512(to.add(block * BLOCK).cast(), found) };
        }
        len / BLOCK * BLOCK
    }

    /// Sixteen shuffles out of 16 bytes each: of each byte only the one that its upper half names is not 0.
    ///
    /// # Safety
    /// As [`super::look_up_with`].
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn avx2(table: &[u8; 256], from: *const u8, to: *mut u8, len: usize) -> usize {
        const BLOCK: usize = 32;
        let (parts, _) = table.as_chunks::<16>();
        let parts: [__m256i; 16] = std::array::from_fn(|i| {
            // SAFETY: a part is an array of 16 bytes; the load needs no alignment.
            _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(parts[i].as_ptr().cast()) })
        });
        let beyond = _mm256_set1_epi8(0x70);
        for block in 0..len / BLOCK {
            // SAFETY: a whole block is within `len`.
            let at = unsafe { _mm256_loadu_si256(from.add(block * BLOCK).cast()) };
            let mut found = _mm256_setzero_si256();
            for (i, part) in parts.iter().enumerate() {
                // 0..16 where the upper half is i, and then the sum is below 128; else a shuffle gives 0.
                let within = _mm256_xor_si256(at, _mm256_set1_epi8((i << 4) as i8));
                let picked = _mm256_shuffle_epi8(*part, _mm256_adds_epu8(within, beyond));
                found = _mm256_or_si256(found, picked);
            }
            // SAFETY: as above.
            unsafe { _mm256_storeu_si256(to.add(block * BLOCK).cast(), found) };
        }
        len / BLOCK * BLOCK
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::available;

    #[test]
    fn every_set_finds_what_the_table_says() {
        let table: [u8; 256] = std::array::from_fn(|i| (i * 167 + 13) as u8);
        for length in [0, 1, 31, 63, 64, 256, 777] {
            let bytes: Vec<u8> = (0..length).map(|i| (i * 7 + i / 256) as u8).collect();
            let wanted: Vec<u8> = bytes.iter().map(|&byte| table[usize::from(byte)]).collect();
            for isa in available() {
                let mut got = bytes.clone();
                let at = got.as_mut_ptr();
                // SAFETY: as many bytes as there are, in place.
                unsafe { look_up_with(isa, &table, at, at, length) };
                assert_eq!(got, wanted, "{isa:?}, {length} bytes in place");
                let mut got = vec![0; length];
                // SAFETY: as many bytes as there are, of two vectors.
                unsafe { look_up_with(isa, &table, bytes.as_ptr(), got.as_mut_ptr(), length) };
                assert_eq!(got, wanted, "{isa:?}, {length} bytes");
            }
        }
    }
}
