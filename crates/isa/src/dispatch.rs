//! Which instruction set there is, and how a loop is compiled for it.

#![allow(unsafe_code)]

use std::sync::OnceLock;

/// The instruction sets that loops are compiled for. One binary holds them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// AVX-512 F, VL, BW, DQ and VBMI: Ice Lake, Zen 4 and later.
    Avx512,
    /// AVX2.
    Avx2,
    /// What every processor of the target has (SSE2 on x86-64, NEON on 64-bit ARM).
    Baseline,
}

impl Isa {
    /// The best one that this machine has. The environment variable `PUPILA_ISA` (`avx2` or `baseline`) asks for a
    /// lesser one, for tests and measurements; what the machine lacks cannot be asked for.
    pub fn detected() -> Isa {
        static ISA: OnceLock<Isa> = OnceLock::new();
        *ISA.get_or_init(|| {
            let available = available();
            let least = match std::env::var("PUPILA_ISA").as_deref() {
                Ok("baseline") => Isa::Baseline,
                Ok("avx2") => Isa::Avx2,
                _ => Isa::Avx512,
            };
            // From the best to the least; the last is always there.
            available.into_iter().find(|&isa| isa as u8 >= least as u8).unwrap_or(Isa::Baseline)
        })
    }
}

/// All that this machine has, the best first.
#[cfg(target_arch = "x86_64")]
pub(crate) fn available() -> Vec<Isa> {
    let mut available = vec![Isa::Baseline];
    if is_x86_feature_detected!("avx2") {
        available.insert(0, Isa::Avx2);
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vbmi");
        if avx512 {
            available.insert(0, Isa::Avx512);
        }
    }
    available
}

/// All that this machine has, the best first.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn available() -> Vec<Isa> {
    vec![Isa::Baseline]
}

/// Runs `work` as compiled for the instruction set that the machine has.
///
/// The closure and what it calls must be inlined to be compiled anew for each set: write
/// `dispatch(#[inline(always)] || ...)`, and mark the functions that it calls `#[inline(always)]`. The rest is plain code
/// that the compiler vectorises.
#[inline(always)]
pub fn dispatch<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx512vbmi,avx2")]
        fn avx512<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        #[target_feature(enable = "avx2")]
        fn avx2<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        match Isa::detected() {
            // SAFETY: `detected` names an instruction set only where the processor has all of these features.
            Isa::Avx512 => return unsafe { avx512(work) },
            // SAFETY: as above.
            Isa::Avx2 => return unsafe { avx2(work) },
            Isa::Baseline => {}
        }
    }
    work()
}
