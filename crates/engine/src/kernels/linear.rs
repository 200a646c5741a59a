//! The linear map y = x W + b: forward, gradient of the input, gradient of the weight.
//!
//! The weight is kept in panels of 32 outputs (see [`crate::layout::Layout::Panels`]), which a tile reads in order. The
//! left operand is packed once for all panels. The gradient of the weight comes out of the tile in the weight's own memory
//! order, a few kilobytes at a time, and is handed to a sink while it is still in the first-level cache: so the optimizer
//! can use it up without the gradient ever being written at full size.

use crate::float::Float;
use crate::isa::per_isa;
use crate::kernels::prefetch::{Near, prefetch};
use crate::kernels::tile::{COLUMNS, MAX_ROWS, MAX_TILE, Tile};
use crate::parallel::{Shared, for_each};

/// Most rows of the batch that one job of the forward pass works on: whole tiles of any height.
const BATCH_BLOCK: usize = 22 * MAX_ROWS;
/// Inputs that are summed in one go: a panel's part of 512 x 32 f32 fills 64 KiB of the second-level cache.
const DEPTH_BLOCK: usize = 512;
/// Inputs that are walked over for all rows before the next ones: a panel's part of 128 x 32 f32 fills half of the smallest
/// first-level cache. It changes the order of the work, not that of a sum.
const CACHED_DEPTH: usize = 128;
/// Most elements of the sums of a block of rows.
const BLOCK_SUMS: usize = BATCH_BLOCK * COLUMNS;
/// Panels of the left operand that one job packs.
const PACK_BLOCK: usize = 16;
/// Jobs that the forward pass is cut into, at least, where there are enough panels.
const JOBS: usize = 8;
/// Elements of the left operand that one job of the weight gradient works on: half the second-level cache in f32.
const GRADIENT_BLOCK: usize = 128 << 10;
/// Most rows of the weight gradient that are handed to the sink at once: 48 x 32 f32 are 6 KiB, and what the sink updates with
/// them, the weight and two moments, stays in the first-level cache.
const SINK_ROWS: usize = 48;
/// Outputs that are summed in one go for the gradient of the input.
const OUTPUT_BLOCK: usize = CACHED_DEPTH;

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
        let rows = T::tile().rows;
        let outputs = self.outputs.next_multiple_of(COLUMNS);
        let by_batch = self.batch.next_multiple_of(rows) * self.inputs.max(outputs);
        let by_inputs = self.inputs.next_multiple_of(rows) * self.batch + self.batch * outputs;
        by_batch.max(by_inputs)
    }

    /// y = x W + b. `x`: `[batch, inputs]`, `weight`: panels, `bias`: `[outputs]`, `y`: `[batch, outputs]`.
    pub(crate) fn forward<T: Float>(self, x: &[T], weight: &[T], bias: &[T], y: &mut [T], scratch: &mut [T]) {
        let Linear { batch, inputs, outputs } = self;
        let tile = T::tile();
        if batch <= tile.rows {
            return self.forward_one_tile(&tile, x, weight, bias, y);
        }
        pack_rows(&tile, x, batch, inputs, scratch);
        let packed = &*scratch;
        let y = Shared::new(&mut y[..batch * outputs]);
        let (panels, blocks) = (outputs.div_ceil(COLUMNS), batch.div_ceil(BATCH_BLOCK));
        // Blocks of nearly one size.
        let block_rows = batch.div_ceil(blocks).next_multiple_of(MAX_ROWS);
        let padded_batch = batch.next_multiple_of(tile.rows);
        let groups = JOBS.div_ceil(blocks).min(panels);
        for_each(groups * blocks, |job| {
            let (group, block) = (job / blocks, job % blocks);
            let rows = block * block_rows..batch.min((block + 1) * block_rows);
            let mut sums = [T::ZERO; BLOCK_SUMS];
            // The rows' part of one depth stays in the second-level cache for all panels.
            for start in (0..inputs).step_by(DEPTH_BLOCK) {
                for panel in group * panels / groups..(group + 1) * panels / groups {
                    let width = COLUMNS.min(outputs - panel * COLUMNS);
                    let weight = &weight[panel * inputs * COLUMNS..][..inputs * COLUMNS];
                    let bias = &bias[panel * COLUMNS..][..width];
                    let depth = DEPTH_BLOCK.min(inputs - start);
                    let tiles = rows.len().div_ceil(tile.rows);
                    // What comes next is asked for bit by bit: the same inputs of the next panel.
                    let next = weight.as_ptr().wrapping_add((inputs + start) * COLUMNS);
                    let asks = tiles * depth.div_ceil(CACHED_DEPTH);
                    let (share, mut asked) = ((depth * COLUMNS).div_ceil(asks), 0);
                    for from in (start..start + depth).step_by(CACHED_DEPTH) {
                        let depth = CACHED_DEPTH.min(start + depth - from);
                        let b = &weight[from * COLUMNS..];
                        for (row, sums) in
                            rows.clone().step_by(tile.rows).zip(sums.chunks_mut(tile.rows * COLUMNS))
                        {
                            let count = tile.rows.min(rows.end - row);
                            prefetch(Near::First, next.wrapping_add(asked), share);
                            asked += share;
                            let a = &packed[packed_at(padded_batch, row, from, depth)..];
                            tile.packed(count, depth, a, b, sums, COLUMNS, from > start);
                        }
                    }
                    for (row, sums) in rows.clone().zip(sums.chunks_exact(COLUMNS)) {
                        let at = row * outputs + panel * COLUMNS;
                        // SAFETY: each job has its own rows and columns of `y`, and this is the only part alive in it.
                        #[allow(unsafe_code)]
                        let y = unsafe { y.part(at..at + width) };
                        let before = if start == 0 { bias } else { &*y };
                        // Of a length that is known, it is vectors and no loop.
                        if let (Some(before), Some(sums)) =
                            (before.first_chunk::<COLUMNS>(), sums.first_chunk::<COLUMNS>())
                        {
                            let total: [T; COLUMNS] = std::array::from_fn(|j| sums[j] + before[j]);
                            if let Some(y) = y.first_chunk_mut() {
                                *y = total;
                            }
                        } else {
                            for j in 0..width {
                                y[j] = sums[j] + if start == 0 { bias[j] } else { y[j] };
                            }
                        }
                    }
                }
            }
        });
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
            for total in totals.chunks_exact_mut(COLUMNS) {
                total[..width].copy_from_slice(&bias[panel * COLUMNS..][..width]);
            }
            for start in (0..inputs).step_by(DEPTH_BLOCK) {
                let depth = DEPTH_BLOCK.min(inputs - start);
                let mut sums = [T::ZERO; MAX_TILE];
                tile.unpacked(batch, depth, &x[start..], inputs, &weight[start * COLUMNS..], &mut sums);
                totals.iter_mut().zip(&sums).for_each(|(total, sum)| *total = *sum + *total);
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
        pack_rows(&tile, dy, batch, outputs, scratch);
        let packed = &*scratch;
        let dx = Shared::new(&mut dx[..batch * inputs]);
        for_each(inputs.div_ceil(COLUMNS), |job| {
            let first = job * COLUMNS;
            let width = COLUMNS.min(inputs - first);
            let mut turned = [T::ZERO; OUTPUT_BLOCK * COLUMNS];
            for start in (0..outputs).step_by(OUTPUT_BLOCK) {
                let depth = OUTPUT_BLOCK.min(outputs - start);
                for o in 0..depth {
                    let (panel, column) = ((start + o) / COLUMNS, (start + o) % COLUMNS);
                    let column = &weight[(panel * inputs + first) * COLUMNS + column..];
                    for j in 0..width {
                        turned[o * COLUMNS + j] = column[j * COLUMNS];
                    }
                }
                for row in (0..batch).step_by(tile.rows) {
                    let count = tile.rows.min(batch - row);
                    let mut sums = [T::ZERO; MAX_TILE];
                    let a = &packed[packed_at(batch.next_multiple_of(tile.rows), row, start, depth)..];
                    tile.packed(count, depth, a, &turned, &mut sums, COLUMNS, false);
                    for r in 0..count {
                        let at = (row + r) * inputs + first;
                        // SAFETY: each job has its own columns of `dx`, and this is the only part alive in it.
                        #[allow(unsafe_code)]
                        let dx = unsafe { dx.part(at..at + width) };
                        for j in 0..width {
                            dx[j] = sums[r * COLUMNS + j] + if start == 0 { T::ZERO } else { dx[j] };
                        }
                    }
                }
            }
        });
    }

    /// dW = x^T dy, in the weight's memory order, piece by piece into `sink(first, piece)`: `first` is the place of the
    /// piece in the weight. Pieces are disjoint, cover the whole weight, and arrive on any thread. `prepare(first, len)` is told
    /// before a part of a piece is worked out.
    pub(crate) fn backward_weight<T: Float>(
        self,
        x: &[T],
        dy: &[T],
        scratch: &mut [T],
        prepare: impl Fn(usize, usize) + Sync + Send,
        sink: impl Fn(usize, &[T]) + Sync + Send,
    ) {
        let Linear { batch, inputs, outputs } = self;
        let tile = T::tile();
        let padded_inputs = inputs.next_multiple_of(tile.rows);
        let (left, right) = scratch.split_at_mut(padded_inputs * batch);
        pack_columns(&tile, x, batch, inputs, left);
        pack_panels(dy, batch, outputs, right);
        let (left, right) = (&*left, &*right);
        // A piece holds whole tiles.
        let piece_rows = SINK_ROWS / tile.rows * tile.rows;
        // Of whole tiles.
        let block_inputs =
            (GRADIENT_BLOCK / batch).clamp(piece_rows, inputs.max(piece_rows)) / piece_rows * piece_rows;
        let (blocks, panels) = (inputs.div_ceil(block_inputs), outputs.div_ceil(COLUMNS));
        // Panel after panel over one block of inputs, which stays in the cache meanwhile.
        for_each(blocks * panels, |job| {
            let (block, panel) = (job / panels, job % panels);
            let dy = &right[panel * batch * COLUMNS..][..batch * COLUMNS];
            let mut first = block * block_inputs;
            let end = inputs.min(first + block_inputs);
            let mut piece = [T::ZERO; SINK_ROWS * COLUMNS];
            while first < end {
                let rows = piece_rows.min(end - first);
                for from in (0..batch).step_by(CACHED_DEPTH) {
                    let depth = CACHED_DEPTH.min(batch - from);
                    for row in (0..rows).step_by(tile.rows) {
                        let count = tile.rows.min(rows - row);
                        if from == 0 {
                            prepare((panel * inputs + first + row) * COLUMNS, count * COLUMNS);
                        }
                        let a = &left[packed_at(padded_inputs, first + row, from, depth)..];
                        let b = &dy[from * COLUMNS..];
                        tile.packed(count, depth, a, b, &mut piece[row * COLUMNS..], COLUMNS, from > 0);
                    }
                }
                sink((panel * inputs + first) * COLUMNS, &piece[..rows * COLUMNS]);
                first += rows;
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

/// Packs `[batch, inputs]` for each [`CACHED_DEPTH`] of inputs into panels of `tile.rows` rows of the batch: element (r, k) of
/// a panel at `k * rows + r`. The panels of a block stand together, so that a walk over them is one run of memory.
fn pack_rows<T: Float>(tile: &Tile<T>, x: &[T], batch: usize, inputs: usize, packed: &mut [T]) {
    let rows = tile.rows;
    let packed = Shared::new(packed);
    let groups = inputs.div_ceil(DEPTH_BLOCK);
    for_each(batch.div_ceil(rows) * groups, |job| {
        let (first, group) = (job / groups * rows, job % groups);
        let end = inputs.min((group + 1) * DEPTH_BLOCK);
        for start in (group * DEPTH_BLOCK..end).step_by(CACHED_DEPTH) {
            let depth = CACHED_DEPTH.min(end - start);
            let at = packed_at(batch.next_multiple_of(rows), first, start, depth);
            // SAFETY: each job has its own panels of its own blocks.
            #[allow(unsafe_code)]
            let panel = unsafe { packed.part(at..at + rows * depth) };
            pack_panel(&x[first * inputs + start..], inputs, rows.min(batch - first), rows, panel);
        }
    });
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

/// Packs the transpose of `[batch, inputs]` for each [`CACHED_DEPTH`] of the batch into panels of `tile.rows` inputs: element
/// (r, k) of a panel at `k * rows + r`, where k counts the batch; panels as in [`pack_rows`].
fn pack_columns<T: Float>(tile: &Tile<T>, x: &[T], batch: usize, inputs: usize, packed: &mut [T]) {
    let rows = tile.rows;
    let padded = inputs.next_multiple_of(rows);
    let groups = padded.div_ceil(PACK_BLOCK * rows);
    let packed = Shared::new(packed);
    for_each(groups * batch.div_ceil(CACHED_DEPTH), |job| {
        let (group, start) = (job % groups, job / groups * CACHED_DEPTH);
        let depth = CACHED_DEPTH.min(batch - start);
        let (first, end) = (group * PACK_BLOCK * rows, padded.min((group + 1) * PACK_BLOCK * rows));
        let at = packed_at(padded, first, start, depth);
        // SAFETY: each job has its own panels of its own block.
        #[allow(unsafe_code)]
        let packed = unsafe { packed.part(at..at + (end - first) * depth) };
        for k in 0..depth {
            let row = &x[(start + k) * inputs..][first..inputs.min(end)];
            for (panel, values) in row.chunks(rows).enumerate() {
                let to = &mut packed[panel * rows * depth + k * rows..][..rows];
                // Of a length that is known, it is a load and no call.
                if let (Some(to), Some(values)) = (to.first_chunk_mut::<MAX_ROWS>(), values.first_chunk()) {
                    *to = *values;
                } else {
                    to[..values.len()].copy_from_slice(values);
                    to[values.len()..].fill(T::ZERO);
                }
            }
        }
    });
}

/// Packs `[batch, outputs]` into panels of 32 outputs, each `[batch, 32]`, filled up with zeros.
fn pack_panels<T: Float>(dy: &[T], batch: usize, outputs: usize, packed: &mut [T]) {
    for (panel, packed) in
        packed.chunks_exact_mut(batch * COLUMNS).enumerate().take(outputs.div_ceil(COLUMNS))
    {
        let start = panel * COLUMNS;
        let width = COLUMNS.min(outputs - start);
        for (k, to) in packed.chunks_exact_mut(COLUMNS).enumerate() {
            to[..width].copy_from_slice(&dy[k * outputs + start..][..width]);
            to[width..].fill(T::ZERO);
        }
    }
}
