//! The gradient of a weight where most gradients of the outputs are zeros, as ReLU and dropout leave them.
//!
//! Where a unit was off, the gradient of its output is zero, and so is what that sample adds to the gradient of its weights. The
//! others are listed output by output, and only they are multiplied. A chain of multiply-adds without the products that are
//! zero has the value of the whole chain, so which way is taken is a matter of speed alone. (Where an input is infinite, the
//! loss has stopped the training before.)
#![allow(unsafe_code)]

use crate::float::Float;
use crate::isa::{first_level_cache, per_isa};
use crate::kernels::lanes::Lanes;
use crate::kernels::linear::Linear;
use crate::kernels::packing::copy_columns;
use crate::kernels::prefetch::{Ask, LINE_BYTES, RUNS, prefetch_first_level};
use crate::kernels::tile::{COLUMNS, Tile};
use crate::parallel::{Shared, Workspaces, for_each};

/// Panels of outputs whose sums are kept in the second-level cache. With the images, the lists and what the optimizer is going to
/// read they take 0.8 MB in f32 at batch 512.
pub(super) const SPARSE_PANELS: usize = 4;
/// Of a hundred gradients of outputs, how many may not be zero for the sparse way to be the faster one.
const MOST_NONZEROS: usize = 65;
/// With a smaller batch the sums travel more often than they are worth.
const LEAST_BATCH: usize = 64;
/// Jobs that elements are counted in.
const COUNT_JOBS: usize = 64;

/// Rows that are multiplied while they stay in the first-level cache, of which they fill about two thirds.
pub(crate) fn block_rows<T: Float>(tile: &Tile<T>) -> usize {
    let bytes = if first_level_cache() >= 48 << 10 { 32 << 10 } else { 24 << 10 };
    bytes / (tile.span * size_of::<T>())
}

/// An element of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<T> {
    value: T,
    /// Where the row begins that it multiplies.
    offset: u32,
}

/// What is not zero of a matrix, column by column for each block of its rows.
#[derive(Debug)]
pub(crate) struct Nonzeros<T> {
    /// `[blocks, panels, 32 * block_rows]`: the lists of a panel's columns, one behind the other.
    entries: Vec<Entry<T>>,
    /// How long the lists are: `[blocks, panels]`.
    counts: Vec<[u32; COLUMNS]>,
    /// As they are listed now.
    panels: usize,
    block_rows: usize,
    span: usize,
}

/// The lists of the 32 columns of a panel for one block of rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lists<'a, T> {
    counts: &'a [u32; COLUMNS],
    entries: &'a [Entry<T>],
    block_rows: usize,
    span: usize,
}

impl<T: Float> Nonzeros<T> {
    /// No memory yet.
    pub(crate) fn new() -> Self {
        Nonzeros { entries: Vec::new(), counts: Vec::new(), panels: 0, block_rows: 0, span: 0 }
    }

    /// Bytes of all lists.
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.entries) + size_of_val(&*self.counts)
    }

    /// Makes room for the lists of a matrix of up to this size. Allocates only where there was less.
    pub(crate) fn reserve(&mut self, tile: &Tile<T>, rows: usize, columns: usize) {
        let block_rows = block_rows(tile);
        let panels = rows.div_ceil(block_rows) * columns.div_ceil(COLUMNS);
        if self.counts.len() < panels {
            self.counts.resize(panels, [0; COLUMNS]);
        }
        let len = panels * COLUMNS * block_rows;
        if self.entries.len() < len {
            self.entries.resize(len, Entry { value: T::ZERO, offset: 0 });
        }
    }

    /// Lists what is not zero of `matrix: [rows, columns]`, for [`Tile::listed`].
    pub(crate) fn list(&mut self, tile: &Tile<T>, matrix: &[T], columns: usize) {
        let rows = matrix.len() / columns;
        self.reserve(tile, rows, columns);
        (self.panels, self.block_rows, self.span) = (columns.div_ceil(COLUMNS), block_rows(tile), tile.span);
        let Nonzeros { panels, block_rows, span, .. } = *self;
        let len = COLUMNS * block_rows;
        let (entries, counts) = (Shared::new(&mut self.entries), Shared::new(&mut self.counts));
        for_each(rows.div_ceil(block_rows) * panels, |job| {
            let (block, panel) = (job / panels, job % panels);
            // SAFETY: each job has its own lists.
            let (entries, counts) =
                unsafe { (entries.part(job * len..(job + 1) * len), counts.part(job..job + 1)) };
            let rows = &matrix[block * block_rows * columns..rows.min((block + 1) * block_rows) * columns];
            list_panel(rows, columns, panel * COLUMNS, span, entries, &mut counts[0]);
        });
    }

    /// The lists of a panel for a block of rows.
    pub(crate) fn lists(&self, block: usize, panel: usize) -> Lists<'_, T> {
        let (index, len) = (block * self.panels + panel, COLUMNS * self.block_rows);
        let entries = &self.entries[index * len..(index + 1) * len];
        Lists { counts: &self.counts[index], entries, block_rows: self.block_rows, span: self.span }
    }
}

impl<T> Lists<'_, T> {
    /// Whether every entry multiplies a row of `span` that lies within `len` elements.
    pub(crate) fn fits(&self, len: usize, span: usize) -> bool {
        let entries: usize = self.counts.iter().map(|&count| count as usize).sum();
        entries <= self.entries.len() && self.span == span && self.block_rows * span <= len
    }
}

/// The lists of the up to 32 columns from `first` on.
fn list_panel<T: Float>(
    rows: &[T],
    columns: usize,
    first: usize,
    span: usize,
    entries: &mut [Entry<T>],
    counts: &mut [u32; COLUMNS],
) {
    *counts = [0; COLUMNS];
    let mut len = 0;
    for (column, count) in (first..columns).zip(counts) {
        let before = len;
        for (row, &value) in rows[column..].iter().step_by(columns).enumerate() {
            // Written in any case, and kept by counting it: a branch would be guessed wrong every other time.
            entries[len] = Entry { value, offset: (row * span) as u32 };
            len += usize::from(value != T::ZERO);
        }
        *count = (len - before) as u32;
    }
}

impl Linear {
    /// Whether zeros of `dy` may be worth leaving out.
    fn may_be_sparse<T: Float>(self) -> bool {
        self.batch >= LEAST_BATCH && self.inputs >= 4 * T::tile().span && self.outputs >= COLUMNS
    }

    /// Whether the zeros of `dy: [batch, outputs]` are worth leaving out.
    pub(super) fn is_sparse<T: Float>(self, dy: &[T]) -> bool {
        self.may_be_sparse::<T>() && count(dy) * 100 <= MOST_NONZEROS * dy.len()
    }

    /// Makes room for the lists of a sparse gradient, for batches of up to this one.
    pub(crate) fn reserve<T: Float>(self, nonzeros: &mut Nonzeros<T>) {
        if self.may_be_sparse::<T>() {
            nonzeros.reserve(&T::tile(), self.batch, self.outputs);
        }
    }

    /// Elements that a job of [`Linear::sparse_backward_weight`] needs for itself, for batches of up to this one.
    pub(super) fn sparse_workspace_len<T: Float>(self) -> usize {
        if !self.may_be_sparse::<T>() {
            return 0;
        }
        let (tile, panels) = (T::tile(), self.outputs.div_ceil(COLUMNS).min(SPARSE_PANELS));
        (self.batch.next_multiple_of(block_rows(&tile)) + panels * COLUMNS) * tile.span
    }

    /// Of the same bits as [`Linear::dense_backward_weight`], and faster where many of `dy` are zero.
    ///
    /// A job takes some inputs for all outputs, whose sums stay in the second-level cache, some panels of outputs at a time, while
    /// the batch is walked over in blocks that stay in the first.
    pub(super) fn sparse_backward_weight<T: Float>(
        self,
        x: &[T],
        dy: &[T],
        nonzeros: &mut Nonzeros<T>,
        workspaces: &mut Workspaces<T>,
        ask: impl Fn(usize, usize) -> Ask + Sync + Send,
        sink: impl Fn(usize, &[T]) + Sync + Send,
    ) {
        let Linear { batch, inputs, outputs } = self;
        let tile = T::tile();
        nonzeros.list(&tile, dy, outputs);
        let nonzeros = &*nonzeros;
        let (span, block_rows) = (tile.span, block_rows(&tile));
        let (blocks, panels) = (batch.div_ceil(block_rows), outputs.div_ceil(COLUMNS));
        workspaces.for_each(inputs.div_ceil(span), self.sparse_workspace_len::<T>(), |job, workspace| {
            let (rows, sums) = workspace.split_at_mut(blocks * block_rows * span);
            let first = job * span;
            let width = span.min(inputs - first);
            copy_columns(&x[first..], inputs, width, span, &mut rows[..batch * span]);
            for group in (0..panels).step_by(SPARSE_PANELS) {
                let group = group..panels.min(group + SPARSE_PANELS);
                let at = |panel: usize| (panel * inputs + first) * COLUMNS;
                for (block, rows) in rows.chunks_exact(block_rows * span).enumerate() {
                    for (panel, sums) in group.clone().zip(sums.chunks_exact_mut(COLUMNS * span)) {
                        let ask = ask(at(panel), width * COLUMNS).part(block, blocks);
                        tile.listed(nonzeros.lists(block, panel), rows, sums, block > 0, ask);
                    }
                }
                for (panel, sums) in group.zip(sums.chunks_exact(COLUMNS * span)) {
                    for start in (0..width).step_by(COLUMNS) {
                        let mut piece = [T::ZERO; COLUMNS * COLUMNS];
                        tile.turn(&sums[start..], span, &mut piece);
                        let count = COLUMNS.min(width - start);
                        sink(at(panel) + start * COLUMNS, &piece[..count * COLUMNS]);
                    }
                }
            }
        });
    }
}

/// How many elements are not zero.
fn count<T: Float>(matrix: &[T]) -> usize {
    let mut counts = [0u32; COUNT_JOBS];
    let len = matrix.len().div_ceil(COUNT_JOBS).max(1 << 12);
    let shared = Shared::new(&mut counts);
    for_each(matrix.len().div_ceil(len), |job| {
        // SAFETY: each job has its own count.
        let count = unsafe { shared.part(job..job + 1) };
        count_block(&matrix[job * len..matrix.len().min((job + 1) * len)], &mut count[0]);
    });
    counts.iter().map(|&count| count as usize).sum()
}

per_isa! {
    fn count_block<T: Float>(block: &[T], count: &mut u32) {
        *count = block.iter().map(|&x| u32::from(x != T::ZERO)).sum();
    }
}

/// Lines of the lists behind it that each list asks for: what one of the usual length fills.
const AHEAD_LINES: usize = 4;
/// How many lines ahead they are.
const AHEAD: usize = 6;

/// Entries after which a line of each run is asked for, if it is time.
const ASK_ENTRIES: usize = 4;

/// [`Tile::listed`] for rows of `N` registers.
///
/// # Safety
/// `x` is good for N registers at each entry's offset, `c` for 32 rows of them, and the entries are as many as the lists' lengths
/// together; the instruction set is that of `V`.
#[inline(always)]
pub(crate) unsafe fn listed_rows<T: Float, V: Lanes<T>, const N: usize>(
    lists: Lists<'_, T>,
    x: *const T,
    c: *mut T,
    carry: bool,
    ask: Ask,
) {
    let mut list = lists.entries.as_ptr();
    for (j, &count) in lists.counts.iter().enumerate() {
        for line in AHEAD..AHEAD + AHEAD_LINES {
            prefetch_first_level(list.cast::<i8>().wrapping_add(line * LINE_BYTES));
        }
        let (mut line, end) = (j * ask.lines() / COLUMNS, (j + 1) * ask.lines() / COLUMNS);
        // SAFETY: by the caller's promise.
        unsafe {
            let c = c.add(j * N * V::COUNT);
            let mut sums = [V::zero(); N];
            if carry {
                for (n, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(c.add(n * V::COUNT));
                }
            }
            // No closure, which would be compiled for another instruction set.
            macro_rules! step {
                () => {
                    let Entry { value, offset } = *list;
                    let (value, x) = (V::splat(value), x.add(offset as usize));
                    for (n, sum) in sums.iter_mut().enumerate() {
                        *sum = sum.add_product(value, V::load(x.add(n * V::COUNT)));
                    }
                    list = list.add(1);
                };
            }
            for _ in 0..count as usize / ASK_ENTRIES {
                for _ in 0..ASK_ENTRIES {
                    step!();
                }
                if line < end {
                    for run in 0..RUNS {
                        ask.line(run, line);
                    }
                    line += 1;
                }
            }
            for _ in 0..count as usize % ASK_ENTRIES {
                step!();
            }
            for (n, sum) in sums.iter().enumerate() {
                sum.store(c.add(n * V::COUNT));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_hold_what_is_not_zero() {
        let tile = f32::tile();
        let (rows, columns) = (2 * block_rows(&tile) + 5, 70);
        let kept = |i: usize| i.is_multiple_of(3) || i / columns % 40 == 7;
        let mut matrix: Vec<f32> =
            (0..rows * columns).map(|i| if kept(i) { 1.0 + i as f32 } else { 0.0 }).collect();
        matrix[columns] = f32::NAN;
        let mut nonzeros = Nonzeros::new();
        // Of another matrix before.
        nonzeros.list(&tile, &vec![1.0; 64 * rows], 64);
        nonzeros.list(&tile, &matrix, columns);
        let mut found = vec![0.0; rows * columns];
        for (block, panel) in (0..3).flat_map(|block| (0..3).map(move |panel| (block, panel))) {
            let lists = nonzeros.lists(block, panel);
            assert!(lists.fits(block_rows(&tile) * tile.span, tile.span));
            assert!(!lists.fits(block_rows(&tile) * tile.span - 1, tile.span));
            let mut entries = lists.entries.iter();
            for (j, &count) in lists.counts.iter().enumerate() {
                for &Entry { value, offset } in entries.by_ref().take(count as usize) {
                    assert!((offset as usize).is_multiple_of(tile.span) && value != 0.0);
                    let row = block * block_rows(&tile) + offset as usize / tile.span;
                    found[row * columns + panel * COLUMNS + j] = value;
                }
            }
        }
        assert!(found[columns].is_nan(), "what is not a number is not left out");
        (found[columns], matrix[columns]) = (1.0, 1.0);
        assert_eq!(found, matrix);
        assert_eq!(count(&matrix), matrix.iter().filter(|&&x| x != 0.0).count());
        assert_eq!(count::<f32>(&[]), 0);
    }
}
