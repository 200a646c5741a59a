//! Operands in the order in which a tile reads them.

use crate::float::Float;
use crate::isa::per_isa;
use crate::kernels::prefetch::prefetch;
use crate::kernels::tile::{COLUMNS, Tile};
use crate::parallel::{Shared, for_each};
use std::ops::Range;

/// Steps of the depth that are walked over for all rows before the next ones: a panel's part of 128 x 32 f32 fills half of the
/// smallest first-level cache. It changes the order of the work, not that of a sum.
pub(super) const CACHED_DEPTH: usize = 128;

/// Packs `rows` rows of `depth` elements, which are `stride` apart, for each [`CACHED_DEPTH`] of the elements into panels of
/// `tile.rows` rows: element (r, k) of a panel at `k * tile.rows + r`. The panels of a block stand together, so that a walk over
/// them is one run of memory.
pub(super) fn pack_rows<T: Float>(
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
pub(super) fn packed_at(padded: usize, first: usize, start: usize, depth: usize) -> usize {
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
pub(super) fn pack_columns<T: Float>(
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
    /// The first `width` of rows that are `stride` apart to rows of `span`, filled up with zeros.
    pub(super) fn copy_columns<T: Float>(x: &[T], stride: usize, width: usize, span: usize, to: &mut [T]) {
        for (row, to) in to.chunks_exact_mut(span).enumerate() {
            let from = &x[row * stride..][..width];
            for line in (0..width).step_by(LINE) {
                prefetch(from.as_ptr().wrapping_add(ROWS_AHEAD * stride + line));
            }
            to[..width].copy_from_slice(from);
            to[width..].fill(T::ZERO);
        }
    }
}

/// Packs `[batch, outputs]` into panels of 32 outputs, each `[batch, 32]`, filled up with zeros.
pub(super) fn pack_panels<T: Float>(dy: &[T], batch: usize, outputs: usize, packed: &mut [T]) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(len: usize) -> Vec<f32> {
        (0..len).map(|i| i as f32).collect()
    }

    /// Element (row, k) of packed rows, which ends where the depth does.
    fn of<T: Float>(tile: &Tile<T>, packed: &[T], rows: usize, depth: usize, row: usize, k: usize) -> T {
        let (start, padded) = (k / CACHED_DEPTH * CACHED_DEPTH, rows.next_multiple_of(tile.rows));
        let here = CACHED_DEPTH.min(depth - start);
        let panel = packed_at(padded, row / tile.rows * tile.rows, start, here);
        packed[panel + (k - start) * tile.rows + row % tile.rows]
    }

    #[test]
    fn rows_and_columns_are_packed_element_by_element() {
        let tile = f32::tile();
        for (rows, depth) in [(1, 1), (3, 16), (12, 16), (13, 37), (24, 128), (37, 300)] {
            let stride = depth + 5;
            let x = counted(rows * stride);
            let mut packed = vec![f32::NAN; rows.next_multiple_of(tile.rows) * depth];
            pack_rows(&tile, &x, stride, rows, depth, &mut packed);
            for (row, k) in (0..rows).flat_map(|row| (0..depth).map(move |k| (row, k))) {
                assert_eq!(of(&tile, &packed, rows, depth, row, k), x[row * stride + k], "{rows} x {depth}");
            }
            assert!(packed.iter().all(|x| x.is_finite()), "zeros fill up");

            // The columns 2.. of a batch of `depth`: each is a row.
            let inputs = rows + 3;
            let x = counted(depth * inputs);
            packed.fill(f32::NAN);
            pack_columns(&tile, &x, depth, inputs, 2..2 + rows, &mut packed);
            for (row, k) in (0..rows).flat_map(|row| (0..depth).map(move |k| (row, k))) {
                assert_eq!(
                    of(&tile, &packed, rows, depth, row, k),
                    x[k * inputs + 2 + row],
                    "{rows} x {depth}"
                );
            }
            assert!(packed.iter().all(|x| x.is_finite()), "zeros fill up");
        }
    }

    #[test]
    fn columns_are_copied_and_filled_up() {
        let x = counted(5 * 40);
        let mut copied = vec![f32::NAN; 5 * 32];
        copy_columns(&x[3..], 40, 21, 32, &mut copied);
        for (i, &copied) in copied.iter().enumerate() {
            let (row, column) = (i / 32, i % 32);
            assert_eq!(copied, if column < 21 { x[row * 40 + 3 + column] } else { 0.0 });
        }
    }

    #[test]
    fn squares_are_turned() {
        let square: [f32; COLUMNS * COLUMNS] = std::array::from_fn(|i| i as f32);
        let mut turned = [0.0; COLUMNS * COLUMNS];
        f32::tile().turn(&square, COLUMNS, &mut turned);
        for (i, &x) in turned.iter().enumerate() {
            assert_eq!(x, square[i % COLUMNS * COLUMNS + i / COLUMNS]);
        }
        // Rows that are further apart.
        let rows = counted(COLUMNS * 70);
        f32::tile().turn(&rows, 70, &mut turned);
        for (i, &x) in turned.iter().enumerate() {
            assert_eq!(x, rows[i % COLUMNS * 70 + i / COLUMNS]);
        }
    }

    #[test]
    fn panels_are_packed_column_by_column() {
        for (batch, outputs) in [(1, 1), (5, 32), (7, 70)] {
            let dy = counted(batch * outputs);
            let mut packed = vec![f32::NAN; batch * outputs.next_multiple_of(COLUMNS)];
            pack_panels(&dy, batch, outputs, &mut packed);
            for (i, &x) in packed.iter().enumerate() {
                let (panel, k, j) = (i / (batch * COLUMNS), i / COLUMNS % batch, i % COLUMNS);
                let output = panel * COLUMNS + j;
                assert_eq!(x, if output < outputs { dy[k * outputs + output] } else { 0.0 });
            }
        }
    }
}
