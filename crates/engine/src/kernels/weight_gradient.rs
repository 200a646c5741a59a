//! The gradient of a convolution's weight: for every tap the outer products of an input pixel and the gradient of the window
//! that sees it there, summed over all windows of all images.
#![allow(unsafe_code)]

use crate::float::Float;
use crate::kernels::gather::Gather;
use crate::kernels::tile::COLUMNS;
use crate::parallel::{Shared, for_each};
use std::ops::Range;

/// Windows that are walked over for all taps before the next ones: with 32 columns of dy they fill half the first-level cache.
const WINDOW_BLOCK: usize = 128;
/// Jobs that the gradient is cut into, at least.
const JOBS: usize = 12;

/// The table of one convolution.
#[derive(Debug, Clone)]
pub(crate) struct WeightGradient {
    outputs: usize,
    windows: usize,
    taps: usize,
    depth: usize,
    /// Elements of an input image.
    image: usize,
    /// Images whose pairs stand in the table together, so that small images make long walks too.
    images: usize,
    /// Pairs of offsets into the input and into dy: block by block, tap by tap, in the order of the windows.
    pairs: Vec<[u32; 2]>,
    /// Where the pairs of `[block, tap]` begin, and the end.
    starts: Vec<usize>,
}

/// Rows of the weight that belong to one tap and fit in a tile.
#[derive(Debug, Clone, Copy)]
struct Piece {
    tap: usize,
    first: usize,
    rows: usize,
}

impl WeightGradient {
    /// For the windows of a forward pass of batches of up to `batch` images.
    pub(crate) fn new(forward: &Gather, outputs: usize, batch: usize) -> Self {
        let &Gather { windows, taps, depth, .. } = forward;
        let images = WINDOW_BLOCK.div_ceil(windows).min(batch);
        assert!(images * forward.image().max(windows * outputs) < u32::MAX as usize, "2^32 elements");
        let total = images * windows;
        let (mut pairs, mut starts) = (Vec::new(), vec![0]);
        for block in 0..total.div_ceil(WINDOW_BLOCK) {
            for tap in 0..taps {
                for window in block * WINDOW_BLOCK..total.min((block + 1) * WINDOW_BLOCK) {
                    let image = (window / windows * forward.image()) as u32;
                    if let Some(offset) = forward.offset(window % windows, tap) {
                        pairs.push([image + offset, (window * outputs) as u32]);
                    }
                }
                starts.push(pairs.len());
            }
        }
        WeightGradient { outputs, windows, taps, depth, image: forward.image(), images, pairs, starts }
    }

    /// Elements of scratch that [`WeightGradient::run`] needs.
    pub(crate) fn scratch_len(&self, rows: usize) -> usize {
        let jobs = self.outputs.div_ceil(COLUMNS) * self.taps * self.depth.div_ceil(rows);
        if jobs < JOBS { JOBS.div_ceil(jobs) * self.len() } else { 0 }
    }

    /// Elements of the weight.
    fn len(&self) -> usize {
        self.outputs.div_ceil(COLUMNS) * self.taps * self.depth * COLUMNS
    }

    /// `x`: `[batch, image]`, `dy`: `[batch, windows, outputs]`, `dw`: panels of 32 outputs, overwritten.
    pub(crate) fn run<T: Float>(&self, batch: usize, x: &[T], dy: &[T], dw: &mut [T], scratch: &mut [T]) {
        assert!(x.len() >= batch * self.image && dy.len() >= batch * self.windows * self.outputs);
        let tile = T::tile();
        let panels = self.outputs.div_ceil(COLUMNS);
        // Pieces of nearly one height, of which a tap has the fewest.
        let parts = self.depth.div_ceil(tile.rows);
        let cut = parts * self.taps;
        let piece = |index: usize| {
            let (tap, part) = (index / parts, index % parts);
            let (first, end) = (part * self.depth / parts, (part + 1) * self.depth / parts);
            Piece { tap, first, rows: end - first }
        };
        let row = |index: usize| {
            let Piece { tap, first, .. } = piece(index);
            if index == cut { self.taps * self.depth } else { tap * self.depth + first }
        };
        // A small weight has too few pieces for all threads: then the batch is cut, and the parts are summed in order.
        let groups = batch.div_ceil(self.images);
        let runs = if cut * panels < JOBS { JOBS.div_ceil(cut * panels).min(groups) } else { 1 };
        let shares = if runs > 1 { 1 } else { JOBS.div_ceil(panels).min(cut) };
        let dw = &mut dw[..self.len()];
        let sums = Shared::new(if runs > 1 { &mut scratch[..runs * dw.len()] } else { &mut *dw });
        for_each(panels * shares * runs, |job| {
            let (job, run) = (job % (panels * shares), job / (panels * shares));
            let images = |run: usize| batch.min(run * groups / runs * self.images);
            let (panel, share) = (job / shares, job % shares);
            let pieces = share * cut / shares..(share + 1) * cut / shares;
            let at = |row: usize| run * self.len() + (panel * self.taps * self.depth + row) * COLUMNS;
            // SAFETY: each job has its own rows of its own panel in its own run.
            let sums = unsafe { sums.part(at(row(pieces.start))..at(row(pieces.end))) };
            sums.fill(T::ZERO);
            let images = images(run)..images(run + 1);
            self.share(batch, images, x, dy, panel, pieces.clone().map(piece), sums);
        });
        if runs > 1 {
            dw.fill(T::ZERO);
            for part in scratch.chunks_exact(dw.len()).take(runs) {
                dw.iter_mut().zip(part).for_each(|(sum, part)| *sum += *part);
            }
        }
    }

    /// The gradient of some rows of a panel by some images of the batch.
    fn share<T: Float>(
        &self,
        batch: usize,
        images: Range<usize>,
        x: &[T],
        dy: &[T],
        panel: usize,
        pieces: impl Iterator<Item = Piece> + Clone,
        dw: &mut [T],
    ) {
        let tile = T::tile();
        let columns = COLUMNS.min(self.outputs - panel * COLUMNS);
        // Where the columns don't fill whole registers they are packed, with zeros behind them.
        let pack = !columns.is_multiple_of(tile.lanes);
        let mut packed = [T::ZERO; WINDOW_BLOCK * COLUMNS];
        let mut packed_pairs = [[0; 2]; WINDOW_BLOCK];
        for group in images.step_by(self.images) {
            let present = (batch - group).min(self.images) * self.windows;
            let x = &x[group * self.image..];
            let dy = &dy[group * self.windows * self.outputs..];
            for (block, starts) in self.starts.windows(self.taps + 1).step_by(self.taps).enumerate() {
                let windows = block * WINDOW_BLOCK..present.min((block + 1) * WINDOW_BLOCK);
                if windows.start >= present {
                    break;
                }
                if pack {
                    for (to, window) in packed.chunks_exact_mut(COLUMNS).zip(windows.clone()) {
                        let from = &dy[window * self.outputs + panel * COLUMNS..];
                        to[..columns].copy_from_slice(&from[..columns]);
                    }
                }
                let mut to = &mut *dw;
                for Piece { tap, first, rows } in pieces.clone() {
                    let pairs = &self.pairs[starts[tap]..starts[tap + 1]];
                    let pairs = self.of_present(pairs, present);
                    let (now, later) = to.split_at_mut(rows * COLUMNS);
                    to = later;
                    let x = &x[first..];
                    if pack {
                        let pairs = self.repoint(pairs, &windows, &mut packed_pairs);
                        // SAFETY: `Gather` has found the whole depth at each first offset, `packed` has a row for each window.
                        unsafe { tile.outer(rows, pairs, x, &packed, COLUMNS, now) };
                    } else {
                        let dy = &dy[panel * COLUMNS..];
                        // SAFETY: as above, and each second offset is where a window of a present image begins in `dy`.
                        unsafe { tile.outer(rows, pairs, x, dy, columns, now) };
                    }
                }
            }
        }
    }

    /// The pairs of the images that a batch has.
    fn of_present<'a>(&self, pairs: &'a [[u32; 2]], present: usize) -> &'a [[u32; 2]] {
        let end = (present * self.outputs) as u32;
        &pairs[..pairs.partition_point(|pair| pair[1] < end)]
    }

    /// The pairs with their second offset into rows of 32 that begin at the first window.
    fn repoint<'a>(
        &self,
        pairs: &[[u32; 2]],
        windows: &Range<usize>,
        to: &'a mut [[u32; 2]; WINDOW_BLOCK],
    ) -> &'a [[u32; 2]] {
        for (to, from) in to.iter_mut().zip(pairs) {
            let window = from[1] as usize / self.outputs - windows.start;
            *to = [from[0], (window * COLUMNS) as u32];
        }
        &to[..pairs.len()]
    }
}
