//! The linear map y = x W + b: forward, gradient of the input, gradient of the weight.
//!
//! The weight is kept in panels of 32 outputs (see [`crate::layout::Layout::Panels`]), which a tile reads in order. The
//! left operand is packed once for all panels. The gradient of the weight comes out of the tile in the weight's own memory
//! order, a few kilobytes at a time, and is handed to a sink while it is still in the first-level cache: so the optimizer
//! can use it up without the gradient ever being written at full size.

use crate::float::Float;
use crate::kernels::tile::{COLUMNS, MAX_TILE, Tile};
use crate::parallel::{Shared, for_each};

/// Rows of the batch that one job of the forward pass works on.
const BATCH_BLOCK: usize = 256;
/// Inputs that are summed in one go: a panel's part of 512 x 32 f32 fills 64 KiB of the second-level cache.
const DEPTH_BLOCK: usize = 512;
/// Panels of the left operand that one job packs.
const PACK_BLOCK: usize = 16;
/// Jobs that the forward pass is cut into, at least, where there are enough panels.
const JOBS: usize = 8;
/// Elements of the left operand that one job of the weight gradient works on: half the second-level cache in f32.
const GRADIENT_BLOCK: usize = 128 << 10;
/// Most rows of the weight gradient that are handed to the sink at once: 64 x 32 f32 are 8 KiB.
const SINK_ROWS: usize = 64;
/// Outputs that are summed in one go for the gradient of the input.
const OUTPUT_BLOCK: usize = 256;

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
        pack_rows(&tile, x, batch, inputs, scratch);
        let packed = &*scratch;
        let y = Shared::new(&mut y[..batch * outputs]);
        let (panels, blocks) = (outputs.div_ceil(COLUMNS), batch.div_ceil(block_rows(&tile)));
        let groups = JOBS.div_ceil(blocks).min(panels);
        for_each(groups * blocks, |job| {
            let (group, block) = (job / blocks, job % blocks);
            let rows = block * block_rows(&tile)..batch.min((block + 1) * block_rows(&tile));
            // The rows' part of one depth stays in the second-level cache for all panels.
            for start in (0..inputs).step_by(DEPTH_BLOCK) {
                for panel in group * panels / groups..(group + 1) * panels / groups {
                    let width = COLUMNS.min(outputs - panel * COLUMNS);
                    let weight = &weight[panel * inputs * COLUMNS..][..inputs * COLUMNS];
                    let bias = &bias[panel * COLUMNS..][..width];
                    let depth = DEPTH_BLOCK.min(inputs - start);
                    for row in rows.clone().step_by(tile.rows) {
                        let count = tile.rows.min(rows.end - row);
                        let a = &packed[row * inputs + start * tile.rows..];
                        let b = &weight[start * COLUMNS..];
                        let mut sums = [T::ZERO; MAX_TILE];
                        tile.packed(count, depth, a, b, &mut sums, COLUMNS);
                        for r in 0..count {
                            let at = (row + r) * outputs + panel * COLUMNS;
                            // SAFETY: each job has its own rows and columns of `y`, and this is the only part alive in it.
                            #[allow(unsafe_code)]
                            let y = unsafe { y.part(at..at + width) };
                            let sums = &sums[r * COLUMNS..];
                            for j in 0..width {
                                y[j] = sums[j] + if start == 0 { bias[j] } else { y[j] };
                            }
                        }
                    }
                }
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
                    let a = &packed[row * outputs + start * tile.rows..];
                    tile.packed(count, depth, a, &turned, &mut sums, COLUMNS);
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
    /// piece in the weight. Pieces are disjoint, cover the whole weight, and arrive on any thread.
    pub(crate) fn backward_weight<T: Float>(
        self,
        x: &[T],
        dy: &[T],
        scratch: &mut [T],
        sink: impl Fn(usize, &[T]) + Sync + Send,
    ) {
        let Linear { batch, inputs, outputs } = self;
        let tile = T::tile();
        let (left, right) = scratch.split_at_mut(inputs.next_multiple_of(tile.rows) * batch);
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
                for row in (0..rows).step_by(tile.rows) {
                    let count = tile.rows.min(rows - row);
                    let a = &left[(first + row) * batch..];
                    tile.packed(count, batch, a, dy, &mut piece[row * COLUMNS..], COLUMNS);
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

fn block_rows<T>(tile: &Tile<T>) -> usize {
    BATCH_BLOCK / tile.rows * tile.rows
}

/// Packs `[batch, inputs]` into panels of `tile.rows` rows of the batch: element (r, k) of a panel at `k * rows + r`.
fn pack_rows<T: Float>(tile: &Tile<T>, x: &[T], batch: usize, inputs: usize, packed: &mut [T]) {
    let rows = tile.rows;
    let packed = Shared::new(packed);
    let blocks = inputs.div_ceil(DEPTH_BLOCK);
    for_each(batch.div_ceil(rows) * blocks, |job| {
        let (panel, block) = (job / blocks, job % blocks);
        let (first, start) = (panel * rows, block * DEPTH_BLOCK);
        let end = inputs.min(start + DEPTH_BLOCK);
        let at = panel * rows * inputs;
        // SAFETY: each job has its own panel and its own depths of it.
        #[allow(unsafe_code)]
        let panel = unsafe { packed.part(at + start * rows..at + end * rows) };
        let count = rows.min(batch - first);
        if count < rows {
            panel.fill(T::ZERO);
        }
        for r in 0..count {
            let row = &x[(first + r) * inputs..][start..end];
            for (group, &value) in panel.chunks_exact_mut(rows).zip(row) {
                group[r] = value;
            }
        }
    });
}

/// Packs the transpose of `[batch, inputs]` into panels of `tile.rows` inputs: element (r, k) of a panel at `k * rows + r`,
/// where k counts the batch.
fn pack_columns<T: Float>(tile: &Tile<T>, x: &[T], batch: usize, inputs: usize, packed: &mut [T]) {
    let rows = tile.rows;
    let panels = inputs.div_ceil(rows);
    let packed = Shared::new(packed);
    for_each(panels.div_ceil(PACK_BLOCK), |job| {
        let group = job * PACK_BLOCK..panels.min((job + 1) * PACK_BLOCK);
        let at = |panel: usize| panel * rows * batch;
        // SAFETY: each job has its own panels.
        #[allow(unsafe_code)]
        let packed = unsafe { packed.part(at(group.start)..at(group.end)) };
        let start = group.start * rows;
        for k in 0..batch {
            let row = &x[k * inputs..][start..inputs.min(group.end * rows)];
            for (panel, values) in row.chunks(rows).enumerate() {
                let to = &mut packed[at(panel) + k * rows..][..rows];
                to[..values.len()].copy_from_slice(values);
                to[values.len()..].fill(T::ZERO);
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
