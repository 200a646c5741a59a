//! What the machine itself can do: the floor under the time of a step.

use crate::arena::Arena;
use crate::kernels::prefetch::Ask;
use crate::kernels::tile::{COLUMNS, MAX_ROWS, MAX_TILE, f32_tile};
use crate::parallel::{Shared, for_each};
use std::time::Instant;

/// Depth of the matrices that the peak is measured with: with a panel of weights they stay in the first-level cache.
const DEPTH: usize = 128;
/// Elements of each array that the bandwidth is measured with: three of 32 MiB are beyond any desktop's last-level cache.
const ELEMENTS: usize = 8 << 20;
/// Tiles that one job works out.
const TILES: usize = 4000;
/// Elements that one job moves.
const BLOCK: usize = 64 << 10;

/// The speed of the threads of the current rayon pool.
#[derive(Debug, Clone, Copy)]
pub struct Floor {
    /// Single-precision operations a second of the engine's own matrix tile over cached operands.
    pub flops_per_s: f64,
    /// Bytes a second that a pass over memory reads and writes: y = a x + y.
    pub bytes_per_s: f64,
}

impl Floor {
    /// Measures for about `rounds` times 20 ms; the best round counts, since whatever else runs only slows it down.
    pub fn measure(rounds: usize) -> Self {
        let threads = rayon::current_num_threads();
        let (x, mut y) = (Arena::<f32>::zeroed(ELEMENTS), Arena::<f32>::zeroed(ELEMENTS));
        let (mut flops_per_s, mut bytes_per_s) = (0.0_f64, 0.0_f64);
        for _ in 0..rounds.max(1) {
            let tile = f32_tile();
            let started = Instant::now();
            for_each(threads * 4, |_| {
                let (a, b) = ([1.0; DEPTH * MAX_ROWS], [0.5; DEPTH * COLUMNS]);
                let mut c = [0.0; MAX_TILE];
                for _ in 0..TILES {
                    tile.packed(tile.rows, DEPTH, &a, &b, &mut c, false, Ask::NOTHING);
                    std::hint::black_box(&mut c);
                }
            });
            let flops = (threads * 4 * TILES * 2 * tile.rows * COLUMNS * DEPTH) as f64;
            flops_per_s = flops_per_s.max(flops / started.elapsed().as_secs_f64());

            let started = Instant::now();
            let shared = Shared::new(&mut y);
            for_each(ELEMENTS / BLOCK, |job| {
                let range = job * BLOCK..(job + 1) * BLOCK;
                // SAFETY: each job has its own block.
                #[allow(unsafe_code)]
                let y = unsafe { shared.part(range.clone()) };
                y.iter_mut().zip(&x[range]).for_each(|(y, &x)| *y += 0.5 * x);
            });
            let bytes = (3 * ELEMENTS * size_of::<f32>()) as f64;
            bytes_per_s = bytes_per_s.max(bytes / started.elapsed().as_secs_f64());
        }
        Floor { flops_per_s, bytes_per_s }
    }
}
