//! A table of 256 bytes looked up for every byte of an image.

#![allow(unsafe_code)]

use crate::Isa;

/// Replaces every byte `v` by `table[v]`.
pub fn look_up(table: &[u8; 256], bytes: &mut [u8]) {
    look_up_with(Isa::detected(), table, bytes);
}

fn look_up_with(isa: Isa, table: &[u8; 256], bytes: &mut [u8]) {
    let rest = match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => {
            let (blocks, rest) = bytes.as_chunks_mut();
            // SAFETY: `isa` is one that this machine has.
            unsafe { x86::avx512(table, blocks) };
            rest
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => {
            let (blocks, rest) = bytes.as_chunks_mut();
            // SAFETY: as above.
            unsafe { x86::avx2(table, blocks) };
            rest
        }
        _ => bytes,
    };
    for byte in rest {
        *byte = table[usize::from(*byte)];
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// Two shuffles out of 128 bytes each, of which the highest bit chooses.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub(super) fn avx512(table: &[u8; 256], blocks: &mut [[u8; 64]]) {
        let (quarters, _) = table.as_chunks::<64>();
        // SAFETY: a quarter is an array of 64 bytes; the load needs no alignment.
        let load = |quarter: &[u8; 64]| unsafe { _mm512_loadu_si512(quarter.as_ptr().cast()) };
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| load(&quarters[i]));
        for block in blocks {
            let at = load(block);
            let low = _mm512_permutex2var_epi8(a, at, b);
            let high = _mm512_permutex2var_epi8(c, at, d);
            let found = _mm512_mask_blend_epi8(_mm512_movepi8_mask(at), low, high);
            // SAFETY: a block is an array of 64 bytes, borrowed mutably; the store needs no alignment.
            unsafe { _mm512_storeu_si512(block.as_mut_ptr().cast(), found) };
        }
    }

    /// Sixteen shuffles out of 16 bytes each: of each byte only the one that its upper half names is not 0.
    #[target_feature(enable = "avx2")]
    pub(super) fn avx2(table: &[u8; 256], blocks: &mut [[u8; 32]]) {
        let (parts, _) = table.as_chunks::<16>();
        let parts: [__m256i; 16] = std::array::from_fn(|i| {
            // SAFETY: a part is an array of 16 bytes; the load needs no alignment.
            _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(parts[i].as_ptr().cast()) })
        });
        let beyond = _mm256_set1_epi8(0x70);
        for block in blocks {
            // SAFETY: a block is an array of 32 bytes; the load needs no alignment.
            let at = unsafe { _mm256_loadu_si256(block.as_ptr().cast()) };
            let mut found = _mm256_setzero_si256();
            for (i, part) in parts.iter().enumerate() {
                // 0..16 where the upper half is i, and then the sum is below 128; else a shuffle gives 0.
                let within = _mm256_xor_si256(at, _mm256_set1_epi8((i << 4) as i8));
                let picked = _mm256_shuffle_epi8(*part, _mm256_adds_epu8(within, beyond));
                found = _mm256_or_si256(found, picked);
            }
            // SAFETY: a block is an array of 32 bytes, borrowed mutably; the store needs no alignment.
            unsafe { _mm256_storeu_si256(block.as_mut_ptr().cast(), found) };
        }
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
                look_up_with(isa, &table, &mut got);
                assert_eq!(got, wanted, "{isa:?}, {length} bytes");
            }
        }
    }
}
