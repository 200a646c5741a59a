//! The instruction set, found once at run time, and the macro that compiles an elementwise kernel once for each.

use std::sync::OnceLock;

/// The instruction sets that kernels are compiled for. One binary holds them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// AVX-512 F, VL, BW and DQ, with FMA.
    Avx512,
    /// AVX2 with FMA.
    Avx2,
    /// What every processor of the target has (SSE2 on x86-64, NEON on 64-bit ARM).
    Baseline,
}

impl std::fmt::Display for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Isa {
    /// The best one that this machine has. The environment variable `PUPILA_ISA` (`avx2` or `baseline`) asks for a
    /// lesser one, for tests and measurements; what the machine lacks cannot be asked for.
    pub fn detected() -> Isa {
        static ISA: OnceLock<Isa> = OnceLock::new();
        *ISA.get_or_init(|| {
            let asked = std::env::var("PUPILA_ISA").unwrap_or_default();
            let (avx512, avx2) = best();
            match asked.as_str() {
                "baseline" => Isa::Baseline,
                "avx2" if avx2 => Isa::Avx2,
                _ if avx512 => Isa::Avx512,
                _ if avx2 => Isa::Avx2,
                _ => Isa::Baseline,
            }
        })
    }

    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Avx512 => "AVX-512",
            Isa::Avx2 => "AVX2",
            Isa::Baseline => "baseline",
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn best() -> (bool, bool) {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq");
    (avx2 && avx512, avx2)
}

#[cfg(not(target_arch = "x86_64"))]
fn best() -> (bool, bool) {
    (false, false)
}

/// Bytes of a core's first-level data cache, or 32 KiB, which every processor has, where it cannot be asked for.
pub(crate) fn first_level_cache() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| cache_of_level_1().unwrap_or(32 << 10))
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
fn cache_of_level_1() -> Option<usize> {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    // "Deterministic cache parameters" of Intel and the same of AMD: one answer for each cache, none of type 0.
    let leaves = [(0, 0x4), (0x8000_0000, 0x8000_001d)];
    let known = leaves.into_iter().filter(|&(base, leaf)| __cpuid(base).eax >= leaf);
    let caches = known.flat_map(|(_, leaf)| (0..8).map(move |index| __cpuid_count(leaf, index)));
    let data = caches.filter(|cache| matches!(cache.eax & 0x1f, 1 | 3));
    let mut first = data.filter(|cache| cache.eax >> 5 & 0x7 == 1);
    let field = |register: u32, shift: u32, bits: u32| (register >> shift & ((1 << bits) - 1)) as usize + 1;
    first.next().map(|cache| {
        let (ways, partitions, line) =
            (field(cache.ebx, 22, 10), field(cache.ebx, 12, 10), field(cache.ebx, 0, 12));
        ways * partitions * line * (cache.ecx as usize + 1)
    })
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
fn cache_of_level_1() -> Option<usize> {
    None
}

/// Defines a function whose body is compiled once per instruction set, and which calls the one that the machine has.
///
/// The body must be plain elementwise code that the compiler vectorises; it is inlined into each variant.
macro_rules! per_isa {
    ($(#[$attribute:meta])* $visible:vis fn $name:ident<$t:ident: Float>($($argument:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$attribute])*
        #[allow(unsafe_code)]
        $visible fn $name<$t: $crate::float::Float>($($argument: $type),*) {
            #[inline(always)]
            fn body<$t: $crate::float::Float>($($argument: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
                fn avx512<$t: $crate::float::Float>($($argument: $type),*) {
                    body::<$t>($($argument),*);
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2<$t: $crate::float::Float>($($argument: $type),*) {
                    body::<$t>($($argument),*);
                }
                match $crate::isa::Isa::detected() {
                    // SAFETY: `detected` names an instruction set only where the processor has all of these features.
                    $crate::isa::Isa::Avx512 => return unsafe { avx512::<$t>($($argument),*) },
                    // SAFETY: as above.
                    $crate::isa::Isa::Avx2 => return unsafe { avx2::<$t>($($argument),*) },
                    $crate::isa::Isa::Baseline => {}
                }
            }
            body::<$t>($($argument),*);
        }
    };
}
pub(crate) use per_isa;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_has_a_size_that_there_is() {
        let bytes = first_level_cache();
        assert!((8 << 10..=256 << 10).contains(&bytes) && bytes.is_multiple_of(1 << 10), "{bytes}");
    }
}
