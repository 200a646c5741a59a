//! Work on all threads with a result that no number of threads can change: the jobs are cut by the problem alone, each
//! writes its own part, and whatever is summed is summed in the order of the jobs.

use crate::arena::Arena;
use crate::float::Float;
use crate::kernels::prefetch::LINE_BYTES;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;

/// Runs `job(0..jobs)` on the threads of the current pool.
pub(crate) fn for_each(jobs: usize, job: impl Fn(usize) + Sync + Send) {
    if jobs <= 1 || rayon::current_num_threads() == 1 {
        (0..jobs).for_each(job);
    } else {
        (0..jobs).into_par_iter().with_max_len(1).for_each(job);
    }
}

/// Values that one job copies.
const COPIED: usize = 1 << 18;

/// Copies values, on all threads and into memory that is used again where there are as many.
pub(crate) fn copy_into<T: Float>(from: &[T], into: &mut Vec<T>) {
    if into.len() == from.len() {
        let pieces = into.par_chunks_mut(COPIED).zip(from.par_chunks(COPIED));
        pieces.for_each(|(into, from)| into.copy_from_slice(from));
    } else {
        into.clear();
        into.extend_from_slice(from);
    }
}

/// Memory for what a job needs while it runs, one piece for each thread, each from the beginning of a cache line.
#[derive(Debug)]
pub(crate) struct Workspaces<T> {
    memory: Arena<T>,
    /// Elements of a piece.
    len: usize,
}

impl<T: Float> Workspaces<T> {
    /// No memory yet.
    pub(crate) fn new() -> Self {
        Workspaces { memory: Arena::zeroed(0), len: 0 }
    }

    /// Elements of all pieces.
    pub(crate) fn memory_len(&self) -> usize {
        self.memory.len()
    }

    /// Makes room for jobs that need up to `len` elements, on the threads of the current pool. Allocates only where there
    /// was less.
    pub(crate) fn reserve(&mut self, len: usize) {
        self.len = self.len.max(len.next_multiple_of(LINE_BYTES / size_of::<T>()));
        let all = self.len * rayon::current_num_threads();
        if self.memory.len() < all {
            self.memory = Arena::zeroed(all);
        }
    }

    /// Runs `job(0..jobs, workspace)` on the threads of the current pool with `len` elements of any content each.
    pub(crate) fn for_each(&mut self, jobs: usize, len: usize, job: impl Fn(usize, &mut [T]) + Sync + Send) {
        self.reserve(len);
        let (each, memory) = (self.len, Shared::new(&mut self.memory));
        for_each(jobs, |index| {
            // Outside of a pool jobs run one after the other.
            let thread = rayon::current_thread_index().unwrap_or(0);
            // SAFETY: each thread of the pool has its own piece, and a job that is under way on it does not begin another.
            #[allow(unsafe_code)]
            let workspace = unsafe { memory.part(thread * each..thread * each + len) };
            job(index, workspace);
        });
    }
}

/// A slice that several jobs write to at once, each its own part.
pub(crate) struct Shared<'a, T> {
    start: *mut T,
    len: usize,
    of: PhantomData<&'a mut [T]>,
}

// SAFETY: it is a `&mut [T]` handed to several threads; `part` makes its caller promise that the parts are disjoint.
#[allow(unsafe_code)]
unsafe impl<T: Send> Sync for Shared<'_, T> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl<T: Send> Send for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Shared { start: slice.as_mut_ptr(), len: slice.len(), of: PhantomData }
    }

    /// Where the part at `range` begins, which is checked against the length: for kernels that take pointers, of which two
    /// may be the same.
    #[allow(unsafe_code)]
    pub(crate) fn pointer(&self, range: Range<usize>) -> *mut T {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: in bounds by the assertion.
        unsafe { self.start.add(range.start) }
    }

    /// The part at `range`, which is checked against the length.
    ///
    /// # Safety
    /// No two parts that are alive at the same time overlap.
    #[allow(unsafe_code, clippy::mut_from_ref)]
    pub(crate) unsafe fn part(&self, range: Range<usize>) -> &mut [T] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: in bounds by the assertion, alone by the caller's promise, alive as long as the borrow in `of`.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}

/// A pool of exactly `threads` threads, in which the engine's work is to run; see [`rayon::ThreadPool::install`].
///
/// # Errors
/// The system refuses to start a thread.
pub fn thread_pool(threads: usize) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("engine-{i}")).build()
}
