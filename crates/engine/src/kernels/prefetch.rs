//! Asking for memory before it is needed, so that it travels while the tiles compute. It changes no result.
#![allow(unsafe_code)]

/// Bytes of a cache line.
pub(crate) const LINE_BYTES: usize = 64;
/// Runs of memory that are asked for side by side.
pub(crate) const RUNS: usize = 3;

/// Runs of memory that a tile asks for bit by bit while it computes. All at once would fill the few places that a core has for
/// lines on their way, and the tile's own operands would wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    runs: [*const i8; RUNS],
    /// Lines of each run.
    lines: usize,
}

impl Ask {
    /// For nothing.
    pub(crate) const NOTHING: Ask = Ask { runs: [std::ptr::null(); RUNS], lines: 0 };

    /// For `len` elements at each of `runs`. They need not be there: nothing is read.
    pub(crate) fn for_all<T>(runs: [*const T; RUNS], len: usize) -> Ask {
        Ask { runs: runs.map(<*const T>::cast), lines: (len * size_of::<T>()).div_ceil(LINE_BYTES) }
    }

    /// For `len` elements at `from`, which need not be there either.
    pub(crate) fn for_one<T>(from: *const T, len: usize) -> Ask {
        let lines = (len * size_of::<T>()).div_ceil(LINE_BYTES * RUNS);
        let run = |index: usize| from.cast::<i8>().wrapping_add(index * lines * LINE_BYTES);
        Ask { runs: std::array::from_fn(run), lines }
    }

    /// The `part`-th of `parts` of each run.
    pub(crate) fn part(self, part: usize, parts: usize) -> Ask {
        let (first, end) = (part * self.lines / parts, (part + 1) * self.lines / parts);
        Ask { runs: self.runs.map(|run| run.wrapping_add(first * LINE_BYTES)), lines: end - first }
    }

    /// Lines of each run.
    #[inline(always)]
    pub(crate) fn lines(&self) -> usize {
        self.lines
    }

    /// Asks for one line of a run.
    #[inline(always)]
    pub(crate) fn line(&self, run: usize, line: usize) {
        prefetch(self.runs[run].wrapping_add(line * LINE_BYTES));
    }
}

/// The hints of x86's prefetch instruction (`_MM_HINT_T0` and `_MM_HINT_T1`), named here for all processors.
const FIRST_LEVEL: i32 = 3;
const SECOND_LEVEL: i32 = 2;

/// Asks for the cache line at `at` into the second-level cache. Nothing need be there: nothing is read. Does nothing where there
/// is no such instruction in stable Rust.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    prefetch_into::<SECOND_LEVEL>(at.cast());
}

/// Asks for the cache line at `at` into the first-level cache; see [`prefetch`].
#[inline(always)]
pub(crate) fn prefetch_first_level<T>(at: *const T) {
    prefetch_into::<FIRST_LEVEL>(at.cast());
}

#[inline(always)]
fn prefetch_into<const HINT: i32>(at: *const i8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch faults on no address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<HINT>(at);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
