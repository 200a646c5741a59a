//! A convolution of 3x3 with stride 1 by Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray 2016, "Fast Algorithms for
//! Convolutional Neural Networks"): a tile of 4x4 pixels gives 2x2 results with 16 multiplications where the sum over the
//! window takes 36.
//!
//! Each block of tiles is transformed, multiplied at each of the 16 places of the square by the weight of that place, and
//! transformed back, all in buffers of the thread that fit its cache. The gradient of the input is the same map with the weight
//! turned; the gradient of the weight sums products of transformed input and gradient over all tiles. A row of a matrix tile is
//! one chain of multiply-adds over the channels, so that a result depends on its own tile alone. The larger F(4x4, 3x3) would
//! multiply less still, but loses two digits.
#![allow(unsafe_code)]

mod transforms;

pub use transforms::{Transforms, f32_transforms, f64_transforms};

use self::transforms::{PLACES, SIDE};
use crate::float::Float;
use crate::kernels::gather::{NOWHERE, Results, place, sides};
use crate::kernels::tile::{COLUMNS, Finish, MAX_ROWS};
use crate::parallel::{Shared, Workspaces, for_each};
use pupila_network::{Convolution, PaddingMode, Shape};
use std::ops::Range;

/// Channels come in whole registers of every instruction set.
const CHANNELS: usize = 16;
/// Rows and columns below which a map has too few tiles for the weight's transform to pay.
const LEAST_SIDE: usize = 4;
/// Tiles that are worked on together, at most: as many as keep a panel of weights busy while it is in the first-level cache.
const BLOCK: usize = 8 * MAX_ROWS;
/// Channels, in and out, times tiles of a block, at most: what a thread's buffers hold of each place.
const BLOCK_CHANNELS: usize = 24 << 10;
/// Blocks that a pass is cut into, at least, where there are enough tiles.
const JOBS: usize = 4;
/// Tiles that one part of the weight's gradient sums, at least, and the most parts that are summed side by side.
const RUN: usize = 2 * BLOCK;
const RUNS: usize = 4;
/// Elements between the places of a buffer beyond what they hold: without, all of them fall on the same lines of the cache.
const GAP: usize = 16;

/// The tiles of one map, by which a convolution reads and writes in place.
#[derive(Debug, Clone)]
pub(crate) struct Winograd {
    inputs: usize,
    outputs: usize,
    /// Elements of an input image, and of an output image.
    image: usize,
    out_image: usize,
    /// Where the 4x4 pixels of each tile begin in an input image.
    pixels: Vec<[u32; PLACES]>,
    /// Where its 2x2 results begin in an output image.
    results: Vec<[u32; 4]>,
}

impl Winograd {
    /// Whether a convolution over a map may be done this way. It does not depend on the batch, so that an image's results
    /// don't.
    pub(crate) fn suits(convolution: &Convolution, input: Shape) -> bool {
        let Convolution { inputs, outputs, window, groups, .. } = *convolution;
        let (height, width) = sides(input);
        (window.kernel, window.stride, groups) == (3, 1, 1)
            && [height, width].iter().all(|&side| window.around(side) == (1, 1))
            && inputs.is_multiple_of(CHANNELS)
            && outputs.is_multiple_of(CHANNELS)
            && height.min(width) >= LEAST_SIDE
    }

    /// The tiles of a map of `height` and `width` that is padded by one.
    pub(crate) fn new(
        (inputs, outputs): (usize, usize),
        (height, width): (usize, usize),
        mode: PaddingMode,
    ) -> Self {
        assert!(height * width * inputs.max(outputs) < NOWHERE as usize, "an image of 2^32 elements");
        let (mut pixels, mut results) = (Vec::new(), Vec::new());
        for top in (0..height).step_by(2) {
            for left in (0..width).step_by(2) {
                pixels.push(std::array::from_fn(|i| {
                    let row = place(top + i / SIDE, 1, height, mode);
                    let column = place(left + i % SIDE, 1, width, mode);
                    match (row, column) {
                        (Some(row), Some(column)) => ((row * width + column) * inputs) as u32,
                        _ => NOWHERE,
                    }
                }));
                results.push(std::array::from_fn(|i| {
                    let (row, column) = (top + i / 2, left + i % 2);
                    let inside = row < height && column < width;
                    if inside { ((row * width + column) * outputs) as u32 } else { NOWHERE }
                }));
            }
        }
        let (image, out_image) = (height * width * inputs, height * width * outputs);
        Winograd { inputs, outputs, image, out_image, pixels, results }
    }

    fn panels(&self) -> usize {
        self.outputs.div_ceil(COLUMNS)
    }

    /// Elements of a place of the transformed weight.
    fn place_len(&self) -> usize {
        self.panels() * self.inputs * COLUMNS
    }

    /// Elements of the transformed weight: `[16, panels, inputs, 32]`.
    pub(crate) fn weight_len(&self) -> usize {
        PLACES * self.place_len()
    }

    /// Elements of scratch that [`Winograd::weight_gradient`] needs for batches of up to `batch`.
    pub(crate) fn gradient_len(&self, batch: usize) -> usize {
        self.runs(batch * self.pixels.len()) * self.weight_len()
    }

    fn runs(&self, tiles: usize) -> usize {
        (tiles / RUN).clamp(1, RUNS)
    }

    /// Tiles that are worked on together, at most: whole matrix tiles of any height.
    fn block(&self) -> usize {
        let most = (BLOCK_CHANNELS / (self.inputs + self.outputs)).clamp(MAX_ROWS, BLOCK);
        most / MAX_ROWS * MAX_ROWS
    }

    /// Elements of a thread's workspace that [`Winograd::run`] and [`Winograd::weight_gradient`] need.
    pub(crate) fn workspace_len(&self) -> usize {
        let len = |tiles: usize, places: usize| places * (tiles * (self.inputs + self.outputs) + 2 * GAP);
        len(self.block(), PLACES).max(len(BLOCK, SIDE))
    }

    /// The transformed weight from its panels of 32 outputs, `[9, inputs, 32]` each.
    pub(crate) fn transform_weight<T: Float>(&self, weight: &[T], to: &mut [T]) {
        let (panel_len, step) = (self.inputs * COLUMNS, self.place_len());
        assert!(weight.len() >= 9 * step && to.len() >= PLACES * step);
        let to = Shared::new(to);
        let kernel = T::transforms().weight;
        for_each(self.panels(), |panel| {
            let from = &weight[9 * panel * panel_len..][..9 * panel_len];
            let to = to.pointer(panel * panel_len..15 * step + (panel + 1) * panel_len);
            // SAFETY: nine taps of `panel_len` stand in `from`; each job has its own panel of every place of `to`.
            unsafe { kernel(from.as_ptr(), panel_len, panel_len, to, step) };
        });
    }

    /// The convolution of every tile of every image. `x`: `[batch, image]`, `weight`: transformed; `zeros` are as many as
    /// there are channels.
    pub(crate) fn run<T: Float>(
        &self,
        batch: usize,
        x: &[T],
        weight: &[T],
        zeros: &[T],
        results: Results<'_, T>,
        y: &mut [T],
        workspaces: &mut Workspaces<T>,
    ) {
        assert!(x.len() >= batch * self.image && zeros.len() >= self.inputs);
        assert!(weight.len() >= self.weight_len());
        let total = batch * self.pixels.len();
        let block = self.block().min(total.div_ceil(JOBS));
        let y = Shared::new(&mut y[..batch * self.out_image]);
        let (step, out_step) = (block * self.inputs + GAP, block * self.outputs + GAP);
        workspaces.for_each(total.div_ceil(block), PLACES * (step + out_step), |job, workspace| {
            let tiles = job * block..total.min((job + 1) * block);
            let (transformed, products) = workspace.split_at_mut(PLACES * step);
            self.transform(tiles.clone(), x, zeros, transformed, step);
            self.multiply(tiles.len(), transformed, step, weight, products, out_step);
            self.finish(tiles, products, out_step, results, &y);
        });
    }

    /// The pixels of a tile, counted over all images.
    fn pixels_of<T: Float>(&self, tile: usize, x: &[T], zeros: &[T]) -> [*const T; PLACES] {
        let (image, tile) = (tile / self.pixels.len(), tile % self.pixels.len());
        let x = &x[image * self.image..][..self.image];
        self.pixels[tile].map(|offset| if offset == NOWHERE { zeros } else { &x[offset as usize..] }.as_ptr())
    }

    fn transform<T: Float>(&self, tiles: Range<usize>, x: &[T], zeros: &[T], to: &mut [T], step: usize) {
        let kernel = T::transforms().input;
        for (index, tile) in tiles.enumerate() {
            let pixels = self.pixels_of(tile, x, zeros);
            let to = to[index * self.inputs..15 * step + (index + 1) * self.inputs].as_mut_ptr();
            // SAFETY: `new` has found whole pixels within an image, `run` that the images and zeros are there.
            unsafe { kernel(&pixels, self.inputs, to, step) };
        }
    }

    /// The matrix product of each place: `[tiles, inputs]` by `[inputs, outputs]`.
    fn multiply<T: Float>(
        &self,
        tiles: usize,
        from: &[T],
        step: usize,
        weight: &[T],
        to: &mut [T],
        out_step: usize,
    ) {
        let tile = T::tile();
        let (inputs, outputs) = (self.inputs, self.outputs);
        // Matrix tiles of nearly one height.
        let parts = tiles.div_ceil(tile.rows);
        for place in 0..PLACES {
            let from = &from[place * step..][..tiles * inputs];
            let to = &mut to[place * out_step..][..tiles * outputs];
            let weight = &weight[place * self.place_len()..][..self.place_len()];
            for (panel, weight) in weight.chunks_exact(inputs * COLUMNS).enumerate() {
                let columns = COLUMNS.min(outputs - panel * COLUMNS);
                for part in 0..parts {
                    let first = part * tiles / parts;
                    let rows = (part + 1) * tiles / parts - first;
                    let row = |r: usize| first + r.min(rows - 1);
                    let left: [_; MAX_ROWS] = std::array::from_fn(|r| from[row(r) * inputs..].as_ptr());
                    let c = to.as_mut_ptr();
                    // SAFETY: each row is within `to`.
                    let c: [_; MAX_ROWS] =
                        std::array::from_fn(|r| unsafe { c.add(row(r) * outputs + panel * COLUMNS) });
                    // SAFETY: each row of `from` has `inputs` elements, each of `to` `columns` from there on.
                    unsafe {
                        tile.gathered(rows, inputs, &left[..rows], weight, columns, Finish::Set, &c[..rows]);
                    }
                }
            }
        }
    }

    fn finish<T: Float>(
        &self,
        tiles: Range<usize>,
        from: &[T],
        step: usize,
        results: Results<'_, T>,
        y: &Shared<'_, T>,
    ) {
        let kernel = T::transforms().output;
        let (bias, add) = match results {
            Results::Bias(bias) => (bias[..self.outputs].as_ptr(), false),
            Results::Set => (std::ptr::null(), false),
            Results::Add => (std::ptr::null(), true),
        };
        for (index, tile) in tiles.enumerate() {
            let (image, tile) = (tile / self.pixels.len(), tile % self.pixels.len());
            let to = self.results[tile].map(|offset| match offset {
                NOWHERE => std::ptr::null_mut(),
                _ => {
                    let at = image * self.out_image + offset as usize;
                    y.pointer(at..at + self.outputs)
                }
            });
            let from = from[index * self.outputs..15 * step + (index + 1) * self.outputs].as_ptr();
            // SAFETY: results of tiles don't overlap, and each job has its own tiles.
            unsafe { kernel(from, step, self.outputs, bias, add, &to) };
        }
    }

    /// dW from all tiles of all images, into `dw` in the weight's memory order, overwritten. `dy`: `[batch, out_image]`.
    pub(crate) fn weight_gradient<T: Float>(
        &self,
        batch: usize,
        x: &[T],
        dy: &[T],
        zeros: &[T],
        dw: &mut [T],
        scratch: &mut [T],
        workspaces: &mut Workspaces<T>,
    ) {
        assert!(x.len() >= batch * self.image && dy.len() >= batch * self.out_image);
        assert!(zeros.len() >= self.inputs.max(self.outputs));
        let total = batch * self.pixels.len();
        let (runs, len) = (self.runs(total), SIDE * self.place_len());
        let sums = Shared::new(&mut scratch[..runs * SIDE * len]);
        let (step, dy_step) = (BLOCK * self.inputs + GAP, BLOCK * self.outputs + GAP);
        // A job has a row of the square for a part of the tiles.
        workspaces.for_each(runs * SIDE, SIDE * (step + dy_step), |job, workspace| {
            let (run, row) = (job / SIDE, job % SIDE);
            let tiles = run * total / runs..(run + 1) * total / runs;
            // SAFETY: each job has its own sums.
            let sums = unsafe { sums.part(job * len..(job + 1) * len) };
            sums.fill(T::ZERO);
            let (left, right) = workspace.split_at_mut(SIDE * step);
            for start in tiles.clone().step_by(BLOCK) {
                let block = start..tiles.end.min(start + BLOCK);
                self.transform_row(
                    row,
                    block.clone(),
                    (x, dy),
                    zeros,
                    (&mut *left, step),
                    (&mut *right, dy_step),
                );
                self.sum_products(block.len(), (&*left, step), (&*right, dy_step), sums);
            }
        });
        let (panel_len, step) = (self.inputs * COLUMNS, self.place_len());
        let dw = Shared::new(&mut dw[..9 * step]);
        let (kernel, scratch) = (T::transforms().weight_gradient, &*scratch);
        for_each(self.panels(), |panel| {
            let from = scratch[panel * panel_len..].as_ptr();
            let dw = dw.pointer(9 * panel * panel_len..9 * (panel + 1) * panel_len);
            // SAFETY: the sums of all runs have this panel at each of their 16 places; each job has its own panel of `dw`.
            unsafe { kernel(from, step, runs, SIDE * len, panel_len, dw, panel_len) };
        });
    }

    /// A row of the square of each tile's input and gradient.
    fn transform_row<T: Float>(
        &self,
        row: usize,
        tiles: Range<usize>,
        (x, dy): (&[T], &[T]),
        zeros: &[T],
        (left, step): (&mut [T], usize),
        (right, dy_step): (&mut [T], usize),
    ) {
        let kernels = T::transforms();
        for (index, tile) in tiles.enumerate() {
            let pixels = self.pixels_of(tile, x, zeros);
            let to = left[index * self.inputs..3 * step + (index + 1) * self.inputs].as_mut_ptr();
            // SAFETY: as in `transform`.
            unsafe { (kernels.input_row)(row, &pixels, self.inputs, to, step) };
            let (image, tile) = (tile / self.pixels.len(), tile % self.pixels.len());
            let dy = &dy[image * self.out_image..][..self.out_image];
            let pixels = self.results[tile]
                .map(|offset| if offset == NOWHERE { zeros } else { &dy[offset as usize..] }.as_ptr());
            let to = right[index * self.outputs..3 * dy_step + (index + 1) * self.outputs].as_mut_ptr();
            // SAFETY: likewise.
            unsafe { (kernels.gradient_row)(row, &pixels, self.outputs, to, dy_step) };
        }
    }

    /// Adds the outer products of every tile to `sums: [4, panels, inputs, 32]`.
    fn sum_products<T: Float>(
        &self,
        tiles: usize,
        (left, step): (&[T], usize),
        (right, dy_step): (&[T], usize),
        sums: &mut [T],
    ) {
        let tile = T::tile();
        let (inputs, outputs) = (self.inputs, self.outputs);
        let pairs: [[u32; 2]; BLOCK] = std::array::from_fn(|t| [(t * inputs) as u32, (t * outputs) as u32]);
        // Pieces of nearly one height.
        let parts = inputs.div_ceil(tile.rows);
        for (index, sums) in sums.chunks_exact_mut(inputs * COLUMNS).enumerate() {
            let (place, panel) = (index / self.panels(), index % self.panels());
            let columns = COLUMNS.min(outputs - panel * COLUMNS);
            let right = &right[place * dy_step + panel * COLUMNS..][..tiles * outputs - panel * COLUMNS];
            for part in 0..parts {
                let (first, end) = (part * inputs / parts, (part + 1) * inputs / parts);
                let left = &left[place * step + first..][..tiles * inputs - first];
                let sums = &mut sums[first * COLUMNS..end * COLUMNS];
                // SAFETY: each of the first `tiles` pairs begins a row of `left` and of `right` that is whole from there on.
                unsafe { tile.outer(end - first, &pairs[..tiles], left, right, columns, sums) };
            }
        }
    }
}
