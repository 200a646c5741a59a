//! The linear map y = x W + b: forward, gradient of the input, gradient of the weight.
//!
//! The weight is kept in panels of 32 outputs (see [`crate::layout::Layout::Panels`]), which a tile reads in order. The
//! left operand is packed by the job that needs it. The gradient of the weight comes out of the tile in the weight's own memory
//! order, a few kilobytes at a time, and is handed to a sink while it is still in the first-level cache: so the optimizer
//! can use it up without the gradient ever being written at full size.

use crate::float::Float;
use crate::isa::per_isa;
use crate::kernels::prefetch::{Ask, prefetch};
use crate::kernels::tile::{COLUMNS, MAX_ROWS, MAX_TILE, Tile};
use crate::parallel::{Shared, Workspaces, for_each};
use std::ops::Range;

/// Most rows of the batch that one job of the forward pass works on: whole tiles of any height.
const BATCH_BLOCK: usize = 22 * MAX_ROWS;
/// Rows that are worth a job of their own, which reads the weight once more.
const LEAST_ROWS: usize = 3 * MAX_ROWS;
/// Inputs that are summed in one go: a panel's part of 512 x 32 f32 fills 64 KiB of the second-level cache.
const DEPTH_BLOCK: usize = 512;
/// Inputs that are walked over for all rows before the next ones: a panel's part of 128 x 32 f32 fills half of the smallest
/// first-level cache. It changes the order of the work, not that of a sum.
const CACHED_DEPTH: usize = 128;
/// Jobs that the forward pass is cut into, at least, where it is large enough.
const JOBS: usize = 8;
/// Jobs that the gradient of a weight is cut into, at least, where it has as many pieces.
const GRADIENT_JOBS: usize = 64;
/// Most elements of the left operand that one job of the weight gradient packs: a quarter of the second-level cache in f32.
const GRADIENT_BLOCK: usize = 128 << 10;
/// Most rows of the weight gradient that are handed to the sink at once: 48 x 32 f32 are 6 KiB, and what the sink updates with
/// them, the weight and two moments, stays in the first-level cache.
const SINK_ROWS: usize = 48;
/// Outputs that are summed in one go for the gradient of the input.
const OUTPUT_BLOCK: usize = CACHED_DEPTH;
/// Elements of a result that one job adds up of its parts.
const SUM_BLOCK: usize = 4 << 10;

/// The sizes of a linear map over a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linear {
    pub(crate) batch: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

impl Linear {
    /// Elements of scratch that any of the passes needs.
    pub(crate) fn scratch_len<T: Float>(self) -> usize {
        let outputs = self.outputs.next_multiple_of(COLUMNS);
        let parts = self.inputs.div_ceil(self.part_inputs()) * self.batch * self.outputs;
        parts.max(self.batch.next_multiple_of(T::tile().rows) * outputs)
    }

    /// Elements that a job of any of the passes needs for itself, for batches of up to this one.
    pub(crate) fn workspace_len(self) -> usize {
        let forward = self.batch.next_multiple_of(MAX_ROWS).min(BATCH_BLOCK) * (DEPTH_BLOCK + COLUMNS);
        let block = GRADIENT_BLOCK.max(SINK_ROWS * self.batch);
        forward.max(block.min(self.inputs.next_multiple_of(MAX_ROWS) * self.batch))
    }

    /// Inputs of a part of the forward pass's sums, which are added up when all parts are there.
    fn part_inputs(self) -> usize {
        self.inputs.div_ceil(DEPTH_BLOCK).div_ceil(JOBS) * DEPTH_BLOCK
    }

    /// y = x W + b. `x`: `[batch, inputs]`, `weight`: panels, `bias`: `[outputs]`, `y`: `[batch, outputs]`.
    ///
    /// A job takes a part of the inputs for some rows and all outputs: it packs its part of `x`, which then stays in the
    /// second-level cache while the weight, the larger of the two, is read once and in order.
    pub(crate) fn forward<T: Float>(
        self,
        x: &[T],
        weight: &[T],
        bias: &[T],
        y: &mut [T],
        scratch: &mut [T],
        workspaces: &mut Workspaces<T>,
    ) {
        let Linear { batch, inputs, outputs } = self;
        let tile = T::tile();
        if batch <= tile.rows {
            return self.forward_one_tile(&tile, x, weight, bias, y);
        }
        let part_inputs = self.part_inputs();
        let parts = inputs.div_ceil(part_inputs);
        // Blocks of nearly one size.
        let blocks = JOBS.div_ceil(parts).min(batch.div_ceil(LEAST_ROWS)).max(batch.div_ceil(BATCH_BLOCK));
        let block_rows = batch.div_ceil(blocks).next_multiple_of(MAX_ROWS);
        let (blocks, panels) = (batch.div_ceil(block_rows), outputs.div_ceil(COLUMNS));
        let (len, y) = (batch * outputs, &mut y[..batch * outputs]);
        let sums = Shared::new(if parts > 1 { &mut scratch[..parts * len] } else { &mut *y });
        workspaces.for_each(parts * blocks, block_rows * (DEPTH_BLOCK + COLUMNS), |job, workspace| {
            let (packed, panel_sums) = workspace.split_at_mut(block_rows * DEPTH_BLOCK);
            let (part, block) = (job / blocks, job % blocks);
            let rows = block * block_rows..batch.min((block + 1) * block_rows);
            let tiles = rows.len().div_ceil(tile.rows);
            let at = part * len + rows.start * outputs;
            // SAFETY: each job has its own rows of its own part.
            #[allow(unsafe_code)]
            let to = unsafe { sums.part(at..at + rows.len() * outputs) };
            let (first, end) = (part * part_inputs, inputs.min((part + 1) * part_inputs));
            for start in (first..end).step_by(DEPTH_BLOCK) {
                let depth = DEPTH_BLOCK.min(end - start);
                let x = &x[rows.start * inputs + start..];
                pack_rows(&tile, x, inputs, rows.len(), depth, packed);
                let padded = tiles * tile.rows;
                for panel in 0..panels {
                    let column = panel * COLUMNS;
                    let weight = &weight[column * inputs..][..inputs * COLUMNS];
                    // What comes next is asked for meanwhile: the same inputs of the next panel.
                    let next = weight.as_ptr().wrapping_add((inputs + start) * COLUMNS);
                    let ask = Ask::for_one(next, depth * COLUMNS);
                    let (asks, mut asked) = (tiles * depth.div_ceil(CACHED_DEPTH), 0);
                    for from in (0..depth).step_by(CACHED_DEPTH) {
                        let depth = CACHED_DEPTH.min(depth - from);
                        let b = &weight[(start + from) * COLUMNS..];
                        for row in (0..rows.len()).step_by(tile.rows) {
                            let count = tile.rows.min(rows.len() - row);
                            let a = &packed[packed_at(padded, row, from, depth)..];
                            let sums = &mut panel_sums[row * COLUMNS..];
                            let ask = ask.part(asked, asks);
                            tile.packed_asking(count, depth, a, b, sums, COLUMNS, from > 0, ask);
                            asked += 1;
                        }
                    }
                    let bias = if part == 0 { &bias[column..outputs.min(column + COLUMNS)] } else { &[] };
                    add_panel(panel_sums, bias, start == first, outputs, column, to);
                }
            }
        });
        if parts > 1 {
            let (y, parts) = (Shared::new(y), &*scratch);
            for_each(len.div_ceil(SUM_BLOCK), |job| {
                let range = job * SUM_BLOCK..len.min((job + 1) * SUM_BLOCK);
                // SAFETY: each job has its own part of `y`.
                #[allow(unsafe_code)]
                let y = unsafe { y.part(range.clone()) };
                y.copy_from_slice(&parts[range.clone()]);
                for part in parts.chunks_exact(len).skip(1).take(inputs.div_ceil(part_inputs) - 1) {
                    add(y, &part[range.clone()]);
                }
            });
        }
    }

    /// The forward pass of a batch of one tile, which is as fast as the weight can be read: each job reads its panel from end to
    /// end, and the few rows of `x` need no packing. The sums are those of a larger batch, to the bit.
    fn forward_one_tile<T: Float>(self, tile: &Tile<T>, x: &[T], weight: &[T], bias: &[T], y: &mut [T]) {
        let Linear { batch, inputs, outputs } = self;
        let x = &x[..batch * inputs];
        let y = Shared::new(&mut y[..batch * outputs]);
        for_each(outputs.div_ceil(COLUMNS), |panel| {
            let width = COLUMNS.min(outputs - panel * COLUMNS);
            let weight = &weight[panel * inputs * COLUMNS..][..inputs * COLUMNS];
            let mut totals = [T::ZERO; MAX_TILE];
            for first in (0..inputs).step_by(self.part_inputs()) {
                let end = inputs.min(first + self.part_inputs());
                let mut part = [T::ZERO; MAX_TILE];
                if first == 0 {
                    for part in part.chunks_exact_mut(COLUMNS) {
                        part[..width].copy_from_slice(&bias[panel * COLUMNS..][..width]);
                    }
                }
                for start in (first..end).step_by(DEPTH_BLOCK) {
                    let depth = DEPTH_BLOCK.min(end - start);
                    let mut sums = [T::ZERO; MAX_TILE];
                    tile.unpacked(batch, depth, &x[start..], inputs, &weight[start * COLUMNS..], &mut sums);
                    add(&mut part, &sums);
                }
                if first == 0 {
                    totals = part;
                } else {
                    add(&mut totals, &part);
                }
            }
            for (row, total) in totals.chunks_exact(COLUMNS).take(batch).enumerate() {
                let at = row * outputs + panel * COLUMNS;
                // SAFETY: each job has its own columns of `y`, and this is the only part alive in it.
                #[allow(unsafe_code)]
                let y = unsafe { y.part(at..at + width) };
                y.copy_from_slice(&total[..width]);
            }
        });
    }

    /// dx = dy W^T. `dy`: `[batch, outputs]`, `dx`: `[batch, inputs]`, overwritten.
    pub(crate) fn backward_input<T: Float>(self, dy: &[T], weight: &[T], dx: &mut [T], scratch: &mut [T]) {
        let Linear { batch, inputs, outputs } = self;
        let tile = T::tile();
        let padded = batch.next_multiple_of(tile.rows);
        pack_rows(&tile, dy, outputs, batch, outputs, scratch);
        let packed = &*scratch;
        let dx = Shared::new(&mut dx[..batch * inputs]);
        for_each(inputs.div_ceil(COLUMNS), |job| {
            let first = job * COLUMNS;
            let width = COLUMNS.min(inputs - first);
            let mut turned = [T::ZERO; OUTPUT_BLOCK * COLUMNS];
            for start in (0..outputs).step_by(OUTPUT_BLOCK) {
                let depth = OUTPUT_BLOCK.min(outputs - start);
                let squares = turned.as_chunks_mut().0.iter_mut();
                for (to, panel) in squares.zip(start / COLUMNS..(start + depth).div_ceil(COLUMNS)) {
                    let panel = &weight[(panel * inputs + first) * COLUMNS..];
                    match panel.first_chunk() {
                        Some(square) if width == COLUMNS => tile.turn(square, to),
                        _ => {
                            let mut square = [T::ZERO; COLUMNS * COLUMNS];
                            square[..width * COLUMNS].copy_from_slice(&panel[..width * COLUMNS]);
                            tile.turn(&square, to);
                        }
                    }
                }
                for row in (0..batch).step_by(tile.rows) {
                    let count = tile.rows.min(batch - row);
                    let mut sums = [T::ZERO; MAX_TILE];
                    let a = &packed[packed_at(padded, row, start, depth)..];
                    tile.packed(count, depth, a, &turned, &mut sums, COLUMNS, false);
                    for r in 0..count {
                        let at = (row + r) * inputs + first;
                        // SAFETY: each job has its own columns of `dx`, and this is the only part alive in it.
                        #[allow(unsafe_code)]
                        let dx = unsafe { dx.part(at..at + width) };
                        let sums = &sums[r * COLUMNS..][..COLUMNS];
                        // Of a length that is known, it is vectors and no loop.
                        match (dx.first_chunk_mut::<COLUMNS>(), start) {
                            (Some(dx), 0) => dx.copy_from_slice(sums),
                            (Some(dx), _) => *dx = std::array::from_fn(|j| sums[j] + dx[j]),
                            (None, 0) => dx.copy_from_slice(&sums[..width]),
                            (None, _) => dx.iter_mut().zip(sums).for_each(|(dx, &sum)| *dx += sum),
                        }
                    }
                }
            }
        });
    }

    /// dW = x^T dy, in the weight's memory order, piece by piece into `sink(first, piece)`: `first` is the place of the
    /// piece in the weight. Pieces are disjoint, cover the whole weight, and arrive on any thread. `ask(first, len)` is what the
    /// sink wants to be asked for while a part of a piece is worked out.
    ///
    /// A job takes some inputs for all outputs: it packs its part of `x`, which then stays in the second-level cache.
    pub(crate) fn backward_weight<T: Float>(
        self,
        x: &[T],
        dy: &[T],
        scratch: &mut [T],
        workspaces: &mut Workspaces<T>,
        ask: impl Fn(usize, usize) -> Ask + Sync + Send,
        sink: impl Fn(usize, &[T]) + Sync + Send,
    ) {
        let Linear { batch, inputs, outputs } = self;
        let tile = T::tile();
        pack_panels(dy, batch, outputs, scratch);
        let right = &*scratch;
        // A piece holds whole tiles.
        let piece_rows = SINK_ROWS / tile.rows * tile.rows;
        let block_inputs = inputs.div_ceil(GRADIENT_JOBS).min(GRADIENT_BLOCK / batch) / piece_rows * piece_rows;
        let block_inputs = block_inputs.clamp(piece_rows.min(inputs), inputs);
        let depths = batch.div_ceil(CACHED_DEPTH);
        let padded = block_inputs.next_multiple_of(tile.rows);
        workspaces.for_each(inputs.div_ceil(block_inputs), padded * batch, |block, left| {
            let inputs_here = block * block_inputs..inputs.min((block + 1) * block_inputs);
            let padded = inputs_here.len().next_multiple_of(tile.rows);
            pack_columns(&tile, x, batch, inputs, inputs_here.clone(), left);
            for panel in 0..outputs.div_ceil(COLUMNS) {
                let dy = &right[panel * batch * COLUMNS..][..batch * COLUMNS];
                let mut piece = [T::ZERO; SINK_ROWS * COLUMNS];
                for first in inputs_here.clone().step_by(piece_rows) {
                    let rows = piece_rows.min(inputs_here.end - first);
                    let at = (panel * inputs + first) * COLUMNS;
                    for (index, from) in (0..batch).step_by(CACHED_DEPTH).enumerate() {
                        let depth = CACHED_DEPTH.min(batch - from);
                        for row in (0..rows).step_by(tile.rows) {
                            let count = tile.rows.min(rows - row);
                            let ask = ask(at + row * COLUMNS, count * COLUMNS).part(index, depths);
                            let a = &left[packed_at(padded, first - inputs_here.start + row, from, depth)..];
                            let (b, piece) = (&dy[from * COLUMNS..], &mut piece[row * COLUMNS..]);
                            tile.packed_asking(count, depth, a, b, piece, COLUMNS, from > 0, ask);
                        }
                    }
                    sink(at, &piece[..rows * COLUMNS]);
                }
            }
        });
    }

    /// db = the sum of `dy` over the batch. `db`: `[outputs]`, overwritten.
    pub(crate) fn backward_bias<T: Float>(self, dy: &[T], db: &mut [T]) {
        db.fill(T::ZERO);
        for row in dy[..self.batch * self.outputs].chunks_exact(self.outputs) {
            for (sum, &x) in db.iter_mut().zip(row) {
                *sum += x;
            }
        }
    }
}

/// Packs `rows` rows of `depth` elements, which are `stride` apart, for each [`CACHED_DEPTH`] of the elements into panels of
/// `tile.rows` rows: element (r, k) of a panel at `k * tile.rows + r`. The panels of a block stand together, so that a walk over
/// them is one run of memory.
fn pack_rows<T: Float>(
    tile: &Tile<T>,
    x: &[T],
    stride: usize,
    rows: usize,
    depth: usize,
    packed: &mut [T],
) {
    let padded = rows.next_multiple_of(tile.rows);
    for first in (0..rows).step_by(tile.rows) {
        for start in (0..depth).step_by(CACHED_DEPTH) {
            let depth = CACHED_DEPTH.min(depth - start);
            let panel = &mut packed[packed_at(padded, first, start, depth)..][..tile.rows * depth];
            let x = &x[first * stride + start..];
            let count = tile.rows.min(rows - first);
            let done = if count == tile.rows { tile.interleave(x, stride, panel) } else { 0 };
            pack_panel(&x[done..], stride, count, tile.rows, &mut panel[done * tile.rows..]);
        }
    }
}

/// Where the panel of row `first` of `padded` stands in the block of `depth` that begins at `start`.
fn packed_at(padded: usize, first: usize, start: usize, depth: usize) -> usize {
    start * padded + first * depth
}

per_isa! {
    /// Packs `count` rows that are `stride` apart into a panel of `rows`, filled up with zeros.
    fn pack_panel<T: Float>(x: &[T], stride: usize, count: usize, rows: usize, panel: &mut [T]) {
        // Of a known height, so that the inner loops are unrolled. These are the heights of all tiles.
        match rows {
            12 => interleave::<T, 12>(x, stride, count, panel),
            6 => interleave::<T, 6>(x, stride, count, panel),
            _ => {
                assert_eq!(rows, 4, "a tile of another height");
                interleave::<T, 4>(x, stride, count, panel);
            }
        }
    }
}

/// Elements of a row that are packed at a time: a cache line in f32.
const LINE: usize = 16;

/// Element (r, k) of the rows to `k * R + r`.
#[inline(always)]
fn interleave<T: Float, const R: usize>(x: &[T], stride: usize, count: usize, panel: &mut [T]) {
    let (steps, _) = panel.as_chunks_mut::<R>();
    for (steps, start) in steps.chunks_mut(LINE).zip((0..).step_by(LINE)) {
        let mut lines = [[T::ZERO; LINE]; R];
        for (r, line) in lines.iter_mut().enumerate().take(count) {
            let x = &x[r * stride + start..];
            prefetch(x.as_ptr().wrapping_add(R * stride));
            match x.first_chunk() {
                Some(whole) if steps.len() == LINE => *line = *whole,
                _ => line[..steps.len()].copy_from_slice(&x[..steps.len()]),
            }
        }
        for (k, step) in steps.iter_mut().enumerate() {
            *step = std::array::from_fn(|r| lines[r][k]);
        }
    }
}

/// Packs the transpose of some inputs of `[batch, inputs]` for each [`CACHED_DEPTH`] of the batch into panels of `tile.rows`
/// inputs: element (r, k) of a panel at `k * rows + r`, where k counts the batch; panels as in [`pack_rows`].
fn pack_columns<T: Float>(
    tile: &Tile<T>,
    x: &[T],
    batch: usize,
    inputs: usize,
    range: Range<usize>,
    packed: &mut [T],
) {
    let padded = range.len().next_multiple_of(tile.rows);
    for start in (0..batch).step_by(CACHED_DEPTH) {
        let depth = CACHED_DEPTH.min(batch - start);
        let x = &x[start * inputs + range.start..];
        cut_rows(x, inputs, range.len(), depth, tile.rows, &mut packed[padded * start..][..padded * depth]);
    }
}

per_isa! {
    /// Cuts `depth` rows of `len`, which are `stride` apart, into runs of `rows`: the r-th of the k-th row to
    /// `(r * depth + k) * rows`, the last run filled up with zeros.
    fn cut_rows<T: Float>(x: &[T], stride: usize, len: usize, depth: usize, rows: usize, packed: &mut [T]) {
        // Of a known height, so that a run is a load and no loop. These are the heights of all tiles.
        match rows {
            12 => cut::<T, 12>(x, stride, len, depth, packed),
            6 => cut::<T, 6>(x, stride, len, depth, packed),
            _ => {
                assert_eq!(rows, 4, "a tile of another height");
                cut::<T, 4>(x, stride, len, depth, packed);
            }
        }
    }
}

/// Rows that are asked for before they are cut.
const ROWS_AHEAD: usize = 8;

#[inline(always)]
fn cut<T: Float, const R: usize>(x: &[T], stride: usize, len: usize, depth: usize, packed: &mut [T]) {
    let (packed, _) = packed.as_chunks_mut::<R>();
    for k in 0..depth {
        let row = &x[k * stride..][..len];
        for line in (0..len).step_by(LINE) {
            prefetch(row.as_ptr().wrapping_add(ROWS_AHEAD * stride + line));
        }
        let (runs, rest) = row.as_chunks::<R>();
        let mut panels = packed.chunks_exact_mut(depth);
        for (run, panel) in runs.iter().zip(&mut panels) {
            panel[k] = *run;
        }
        if let Some(panel) = panels.next().filter(|_| !rest.is_empty()) {
            panel[k] = [T::ZERO; R];
            panel[k][..rest.len()].copy_from_slice(rest);
        }
    }
}

per_isa! {
    /// Adds the sums of a panel, `[.., 32]`, to its columns of `to: [rows, outputs]`; what is there counts as `bias`, or as zeros
    /// without one, where they are the `first`.
    fn add_panel<T: Float>(sums: &[T], bias: &[T], first: bool, outputs: usize, column: usize, to: &mut [T]) {
        let width = COLUMNS.min(outputs - column);
        let mut start = [T::ZERO; COLUMNS];
        start[..bias.len()].copy_from_slice(bias);
        for (to, sums) in to.chunks_exact_mut(outputs).zip(sums.as_chunks::<COLUMNS>().0) {
            let to = &mut to[column..][..width];
            // Of a length that is known, it is vectors and no loop.
            if let Some(to) = to.first_chunk_mut::<COLUMNS>() {
                let before = if first { start } else { *to };
                *to = std::array::from_fn(|j| sums[j] + before[j]);
            } else {
                for (j, to) in to.iter_mut().enumerate() {
                    *to = sums[j] + if first { start[j] } else { *to };
                }
            }
        }
    }
}

per_isa! {
    /// to = to + from
    fn add<T: Float>(to: &mut [T], from: &[T]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to += *from;
        }
    }
}

/// Packs `[batch, outputs]` into panels of 32 outputs, each `[batch, 32]`, filled up with zeros.
fn pack_panels<T: Float>(dy: &[T], batch: usize, outputs: usize, packed: &mut [T]) {
    let len = batch * COLUMNS;
    let packed = Shared::new(packed);
    for_each(outputs.div_ceil(COLUMNS), |panel| {
        // SAFETY: each job has its own panel.
        #[allow(unsafe_code)]
        let packed = unsafe { packed.part(panel * len..(panel + 1) * len) };
        let start = panel * COLUMNS;
        let width = COLUMNS.min(outputs - start);
        for (k, to) in packed.as_chunks_mut::<COLUMNS>().0.iter_mut().enumerate() {
            let from = &dy[k * outputs + start..][..width];
            match from.first_chunk() {
                Some(whole) => *to = *whole,
                None => {
                    to[..width].copy_from_slice(from);
                    to[width..].fill(T::ZERO);
                }
            }
        }
    });
}
