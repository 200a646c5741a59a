//! Memory for all values of one kind (parameters, gradients, a moment): one zeroed block on transparent huge pages.
//!
//! A pass over tens of megabytes of 4 KiB pages spends a noticeable share of its time on address translation; with
//! 2 MiB pages it doesn't. Where the system has no such advice, the block is ordinary memory.

use crate::float::Float;
use crate::kernels::prefetch::LINE_BYTES;
use memmap2::MmapMut;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// A fixed number of floats, zero at first, from the beginning of a cache line.
#[derive(Debug)]
pub struct Arena<T> {
    memory: Memory,
    len: usize,
    of: PhantomData<T>,
}

#[derive(Debug)]
enum Memory {
    Mapped(MmapMut),
    /// Where it is small, or a mapping is refused.
    Heap(Vec<Line>),
}

/// A cache line. A vector that lies across two takes twice as long to load.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f64; 8]);

const _: () = assert!(size_of::<Line>() == LINE_BYTES);

// SAFETY: floats alone, without padding, for which all zeros and any other bits are values.
#[allow(unsafe_code)]
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl bytemuck::Pod for Line {}

impl<T: Float> Arena<T> {
    /// The length of a block and none of its memory, to count what would be taken; it cannot be looked into.
    pub(crate) fn counted(len: usize) -> Self {
        Arena { memory: Memory::Heap(Vec::new()), len, of: PhantomData }
    }

    /// How many values there are, or would be.
    pub(crate) fn length(&self) -> usize {
        self.len
    }

    /// A block of `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let bytes = len * size_of::<T>();
        let mapped = if bytes >= HUGE_PAGE { MmapMut::map_anon(bytes).ok() } else { None };
        let memory = match mapped {
            Some(map) => {
                #[cfg(target_os = "linux")]
                if let Err(refused) = map.advise(memmap2::Advice::HugePage) {
                    // The kernel may be built without them; everything works on small pages, only slower.
                    let _ = refused;
                }
                Memory::Mapped(map)
            }
            None => Memory::Heap(vec![Line([0.0; 8]); bytes.div_ceil(size_of::<Line>())]),
        };
        Arena { memory, len, of: PhantomData }
    }
}

const HUGE_PAGE: usize = 2 << 20;

impl<T: Float> Deref for Arena<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        let bytes: &[u8] = match &self.memory {
            Memory::Mapped(map) => map,
            Memory::Heap(heap) => bytemuck::cast_slice(heap),
        };
        &bytemuck::cast_slice(&bytes[..self.len * size_of::<T>()])[..self.len]
    }
}

impl<T: Float> DerefMut for Arena<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        let bytes: &mut [u8] = match &mut self.memory {
            Memory::Mapped(map) => map,
            Memory::Heap(heap) => bytemuck::cast_slice_mut(heap),
        };
        &mut bytemuck::cast_slice_mut(&mut bytes[..self.len * size_of::<T>()])[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_blocks_are_zero_and_writable() {
        for len in [0, 1, 1000, 3 << 20] {
            let mut arena = Arena::<f32>::zeroed(len);
            assert_eq!(arena.len(), len);
            assert!(arena.as_ptr().addr().is_multiple_of(LINE_BYTES));
            assert!(arena.iter().all(|&x| x == 0.0));
            arena.fill(2.0);
            assert!(arena.iter().all(|&x| x == 2.0));
        }
    }
}
