//! The linear map y = x W + b: forward, gradient of the input, gradient of the weight.
//!
//! The weight is kept in panels of 32 outputs (see [`crate::layout::Layout::Panels`]), which a tile reads in order. The
//! left operand is packed by the job that needs it. The gradient of the weight comes out of the tile in the weight's own memory
//! order, a few kilobytes at a time, and is handed to a sink while it is still in the first-level cache: so the optimizer
//! can use it up without the gradient ever being written at full size.

use crate::float::Float;
use crate::isa::per_isa;
use crate::kernels::packing::{CACHED_DEPTH, pack_columns, pack_panels, pack_rows, packed_at};
use crate::kernels::prefetch::Ask;
use crate::kernels::sparse::Nonzeros;
use crate::kernels::tile::{COLUMNS, MAX_ROWS, MAX_TILE, Tile};
use crate::parallel::{Shared, Workspaces, for_each};

/// Most rows of the batch that one job of the forward pass works on: whole tiles of any height.
const BATCH_BLOCK: usize = 22 * MAX_ROWS;
/// Rows that are worth a job of their own, which reads the weight once more.
const LEAST_ROWS: usize = 3 * MAX_ROWS;
/// Inputs that are summed in one go: a panel's part of 512 x 32 f32 fills 64 KiB of the second-level cache. Twice as many are 2 %
/// faster in large batches, and round three times as far from PyTorch's.
const DEPTH_BLOCK: usize = 512;
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

/// Memory that the passes of a linear map work in.
pub(crate) struct Memory<'a, T> {
    pub(crate) scratch: &'a mut [T],
    pub(crate) workspaces: &'a mut Workspaces<T>,
    pub(crate) nonzeros: &'a mut Nonzeros<T>,
}

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
    pub(crate) fn workspace_len<T: Float>(self) -> usize {
        let forward = self.batch.next_multiple_of(MAX_ROWS).min(BATCH_BLOCK) * (DEPTH_BLOCK + COLUMNS);
        let block = GRADIENT_BLOCK.min(self.inputs.div_ceil(GRADIENT_JOBS) * self.batch);
        forward.max(block).max(SINK_ROWS * self.batch).max(self.sparse_workspace_len::<T>())
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
                    // What comes next is asked for meanwhile: the same inputs of the next panel, or the next inputs of the first.
                    let next = if panel + 1 < panels {
                        (column + COLUMNS) * inputs + start * COLUMNS
                    } else {
                        (start + DEPTH_BLOCK) * COLUMNS
                    };
                    let next = weight.as_ptr().wrapping_add(next);
                    let weight = &weight[column * inputs..][..inputs * COLUMNS];
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
                            tile.packed(count, depth, a, b, sums, from > 0, ask);
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
                    if width == COLUMNS {
                        tile.turn(panel, COLUMNS, to);
                    } else {
                        let mut square = [T::ZERO; COLUMNS * COLUMNS];
                        square[..width * COLUMNS].copy_from_slice(&panel[..width * COLUMNS]);
                        tile.turn(&square, COLUMNS, to);
                    }
                }
                for row in (0..batch).step_by(tile.rows) {
                    let count = tile.rows.min(batch - row);
                    let mut sums = [T::ZERO; MAX_TILE];
                    let a = &packed[packed_at(padded, row, start, depth)..];
                    tile.packed(count, depth, a, &turned, &mut sums, false, Ask::NOTHING);
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
    pub(crate) fn backward_weight<T: Float>(
        self,
        x: &[T],
        dy: &[T],
        memory: Memory<'_, T>,
        ask: impl Fn(usize, usize) -> Ask + Sync + Send,
        sink: impl Fn(usize, &[T]) + Sync + Send,
    ) {
        let Memory { scratch, workspaces, nonzeros } = memory;
        if self.is_sparse(dy) {
            self.sparse_backward_weight(x, dy, nonzeros, workspaces, ask, sink);
        } else {
            self.dense_backward_weight(x, dy, scratch, workspaces, ask, sink);
        }
    }

    /// [`Linear::backward_weight`] with every product.
    ///
    /// A job takes some inputs for all outputs: it packs its part of `x`, which then stays in the second-level cache.
    fn dense_backward_weight<T: Float>(
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
        let block_inputs =
            inputs.div_ceil(GRADIENT_JOBS).min(GRADIENT_BLOCK / batch) / piece_rows * piece_rows;
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
                            tile.packed(count, depth, a, b, piece, from > 0, ask);
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

per_isa! {
    /// Adds the sums of a panel, `[.., 32]`, to its columns of `to: [rows, outputs]`. The `first` sums are added to the bias
    /// instead, or to zeros without one.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::sparse::{SPARSE_PANELS, block_rows};

    /// Numbers between -1 and 1 that repeat late.
    fn numbers(len: usize, factor: usize) -> Vec<f32> {
        (0..len).map(|i| (i * factor % 2003) as f32 / 1001.0 - 1.0).collect()
    }

    /// Sizes that cut the work into several blocks of every kind, and leave a rest of each.
    const SIZES: [Linear; 4] = [
        Linear { batch: 301, inputs: 1100, outputs: 70 },
        Linear { batch: 13, inputs: 5000, outputs: 33 },
        Linear { batch: 130, inputs: 31, outputs: 5 },
        Linear { batch: 40, inputs: 700, outputs: 96 },
    ];

    fn close(found: f32, exact: f64, terms: usize, what: &str) {
        // As many roundings as terms, each of 2^-24 of a sum that is rarely above 5.
        let tolerance = 5.0 * terms as f64 * 2f64.powi(-24);
        assert!((f64::from(found) - exact).abs() <= tolerance, "{what}: {found} and {exact}");
    }

    #[test]
    fn leaving_out_zeros_changes_no_bit() {
        let tile = f32::tile();
        // Two and a half blocks of the batch, more panels than a group, and a rest of everything.
        let linear = Linear {
            batch: 5 * block_rows(&tile) / 2,
            inputs: 4 * tile.span + 41,
            outputs: (SPARSE_PANELS + 1) * COLUMNS + 7,
        };
        let Linear { batch, inputs, outputs } = linear;
        let x = numbers(batch * inputs, 7);
        let mut dy = numbers(batch * outputs, 11);
        // Half of them are zero; one output and one sample have nothing but zeros, one output has none.
        for (i, dy) in dy.iter_mut().enumerate() {
            let (row, column) = (i / outputs, i % outputs);
            if column != 9 && (i.is_multiple_of(3) || i % 4 == 1 || column == 5) || row == 2 {
                *dy = if i.is_multiple_of(2) { 0.0 } else { -0.0 };
            }
        }
        let len = inputs * outputs.next_multiple_of(COLUMNS);
        let written = |threads: usize, sparse: bool| {
            let mut dw = vec![f32::NAN; len];
            let to = Shared::new(&mut dw);
            let sink = |first: usize, piece: &[f32]| {
                // SAFETY: pieces are disjoint.
                #[allow(unsafe_code)]
                let to = unsafe { to.part(first..first + piece.len()) };
                assert!(to.iter().all(|x| x.is_nan()), "each part once");
                to.copy_from_slice(piece);
            };
            let mut workspaces = Workspaces::new();
            let ask = |_, _| Ask::NOTHING;
            crate::thread_pool(threads).unwrap().install(|| {
                if sparse {
                    linear.sparse_backward_weight(&x, &dy, &mut Nonzeros::new(), &mut workspaces, ask, sink);
                } else {
                    let mut scratch = vec![f32::NAN; linear.scratch_len::<f32>()];
                    linear.dense_backward_weight(&x, &dy, &mut scratch, &mut workspaces, ask, sink);
                }
            });
            assert!(workspaces.memory_len() <= threads * linear.workspace_len::<f32>().next_multiple_of(16));
            dw
        };
        assert!(linear.is_sparse(&dy));
        let dense = written(1, false);
        assert!(dense.iter().all(|x| x.is_finite()));
        let bits = |dw: &[f32]| dw.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        for threads in [1, 3] {
            assert!(bits(&dense) == bits(&written(threads, true)), "{threads} threads");
        }
    }

    #[test]
    fn all_passes_are_the_sums_in_f64() {
        for linear in SIZES {
            let Linear { batch, inputs, outputs } = linear;
            let (x, dy) = (numbers(batch * inputs, 7), numbers(batch * outputs, 11));
            let (weight, bias) =
                (numbers(outputs.next_multiple_of(COLUMNS) * inputs, 13), numbers(outputs, 17));
            let w = |i: usize, o: usize| weight[(o / COLUMNS * inputs + i) * COLUMNS + o % COLUMNS];
            let mut scratch = vec![f32::NAN; linear.scratch_len::<f32>()];
            let (mut workspaces, mut nonzeros) = (Workspaces::new(), Nonzeros::new());

            let mut y = vec![f32::NAN; batch * outputs];
            linear.forward(&x, &weight, &bias, &mut y, &mut scratch, &mut workspaces);
            // A batch of a single sample takes another way to the same bits.
            let mut alone = vec![f32::NAN; outputs];
            let one = Linear { batch: 1, ..linear };
            one.forward(&x[inputs..], &weight, &bias, &mut alone, &mut scratch, &mut workspaces);
            assert_eq!(alone, y[outputs..2 * outputs]);

            let mut dx = vec![f32::NAN; batch * inputs];
            linear.backward_input(&dy, &weight, &mut dx, &mut scratch);
            let mut dw = vec![f32::NAN; weight.len()];
            let written = Shared::new(&mut dw);
            linear.backward_weight(
                &x,
                &dy,
                Memory { scratch: &mut scratch, workspaces: &mut workspaces, nonzeros: &mut nonzeros },
                |_, _| Ask::NOTHING,
                |first, piece| {
                    // SAFETY: pieces are disjoint.
                    #[allow(unsafe_code)]
                    let to = unsafe { written.part(first..first + piece.len()) };
                    assert!(to.iter().all(|x| x.is_nan()), "each part once");
                    to.copy_from_slice(piece);
                },
            );

            for i in (0..batch * outputs).step_by(29) {
                let (b, o) = (i / outputs, i % outputs);
                let sum = |i: usize| f64::from(x[b * inputs + i]) * f64::from(w(i, o));
                close(y[i], f64::from(bias[o]) + (0..inputs).map(sum).sum::<f64>(), inputs, "y");
            }
            for i in (0..batch * inputs).step_by(997) {
                let (b, i) = (i / inputs, i % inputs);
                let sum = |o: usize| f64::from(dy[b * outputs + o]) * f64::from(w(i, o));
                close(dx[b * inputs + i], (0..outputs).map(sum).sum(), outputs, "dx");
            }
            for (at, &found) in dw.iter().enumerate().step_by(97) {
                let (i, o) = (at / COLUMNS % inputs, at / COLUMNS / inputs * COLUMNS + at % COLUMNS);
                let dy = |b: usize| if o < outputs { f64::from(dy[b * outputs + o]) } else { 0.0 };
                let sum = |b: usize| f64::from(x[b * inputs + i]) * dy(b);
                close(found, (0..batch).map(sum).sum(), batch, "dw");
            }
            assert!(dw.iter().all(|x| x.is_finite()), "every part");
        }
    }
}
