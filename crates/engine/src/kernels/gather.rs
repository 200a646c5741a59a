//! Where the pixels of every window of an image lie: the table by which a convolution reads its input in place, so that
//! padding of either kind, any stride and the gradient of the input are all only entries of a table.
//! (Dukhan 2019, "The Indirect Convolution Algorithm", does the same for inference.)
#![allow(unsafe_code)]

use crate::float::Float;
use crate::kernels::pointwise::Epilogue;
use crate::kernels::tile::{COLUMNS, Finish, MAX_ROWS};
use crate::parallel::{Shared, for_each};
use pupila_network::{Convolution, PaddingMode, Shape};
use std::ops::Range;

/// The place of a pixel that counts as zeros: beyond the edge.
pub(crate) const NOWHERE: u32 = u32::MAX;
/// Windows that one job works on, at most: with 64 channels of input and a panel of weights they fill the second-level cache.
const WINDOW_BLOCK: usize = MAX_ROWS * 64;
/// Results of a job that an epilogue works on again.
const EPILOGUE_BLOCK: usize = 64 << 10;
/// Jobs that a pass is cut into where it has enough windows or panels, so that no thread waits long for another.
const JOBS: usize = 16;

/// A linear map of windows: for every window the sum over its taps of a pixel of `depth` elements times a part of the weight.
#[derive(Debug, Clone)]
pub(crate) struct Gather {
    /// Windows of an image.
    pub(crate) windows: usize,
    /// Pixels of a window.
    pub(crate) taps: usize,
    /// Elements of a pixel.
    pub(crate) depth: usize,
    /// Elements of an input image.
    image: usize,
    /// Where each pixel begins in its image: `[windows, taps]`.
    offsets: Vec<u32>,
    /// Where each window's result begins in its output image; at its own number times the outputs where empty.
    places: Vec<u32>,
    /// Elements of an output image.
    out_image: usize,
    outputs: usize,
}

/// What a pass does with its results.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Results<'a, T> {
    /// They are written.
    Set,
    /// They are added to what is there.
    Add,
    /// They are written with a bias of `[outputs]`.
    Bias(&'a [T]),
}

impl Gather {
    /// The table for `windows` windows of `taps` pixels of `depth` elements in an image of `image` elements:
    /// `pixel(window, tap)` is where one begins, counted in `step` elements.
    pub(crate) fn new(
        windows: usize,
        taps: usize,
        (depth, step): (usize, usize),
        image: usize,
        outputs: usize,
        pixel: impl Fn(usize, usize) -> Option<usize>,
    ) -> Self {
        assert!(
            image < NOWHERE as usize && windows * outputs < NOWHERE as usize,
            "an image of 2^32 elements"
        );
        let mut offsets = vec![NOWHERE; windows * taps];
        for (window, offsets) in offsets.chunks_exact_mut(taps.max(1)).enumerate() {
            for (tap, offset) in offsets.iter_mut().enumerate() {
                if let Some(at) = pixel(window, tap) {
                    assert!(at * step + depth <= image, "every pixel is whole");
                    *offset = (at * step) as u32;
                }
            }
        }
        let out_image = windows * outputs;
        Gather { windows, taps, depth, image, offsets, places: Vec::new(), out_image, outputs }
    }

    /// Results go to these pixels of an output image of `pixels` pixels.
    pub(crate) fn to(mut self, pixels: usize, places: impl Iterator<Item = usize>) -> Self {
        self.places = places.map(|pixel| (pixel * self.outputs) as u32).collect();
        self.out_image = pixels * self.outputs;
        let last = self.places.iter().max().map_or(0, |&at| at as usize + self.outputs);
        assert!(self.places.len() == self.windows && last <= self.out_image);
        self
    }

    /// Where a tap of a window begins in its image; none beyond the edge.
    pub(crate) fn offset(&self, window: usize, tap: usize) -> Option<u32> {
        Some(self.offsets[window * self.taps + tap]).filter(|&offset| offset != NOWHERE)
    }

    /// Elements of an input image.
    pub(crate) fn image(&self) -> usize {
        self.image
    }

    /// `y` of every window of every image, from `x: [batch, image]` and the weight's panels of 32 outputs, each
    /// `[taps * depth, 32]`. `zeros` holds at least `depth` of them.
    ///
    /// No two windows of an image have the same place, except where `by_image` keeps each image to one job. An `epilogue` is for tables whose
    /// results stand in the order of the windows.
    pub(crate) fn run<T: Float>(
        &self,
        batch: usize,
        x: &[T],
        weight: &[T],
        zeros: &[T],
        results: Results<'_, T>,
        by_image: bool,
        epilogue: Option<Epilogue<'_, T>>,
        y: &mut [T],
    ) {
        if self.windows == 0 {
            return;
        }
        assert!(x.len() >= batch * self.image && zeros.len() >= self.depth);
        let total = batch * self.windows;
        let panels = self.outputs.div_ceil(COLUMNS);
        let block = if by_image { self.windows } else { WINDOW_BLOCK.min(total.div_ceil(JOBS)) };
        // What it works on next shall be in the second-level cache.
        let block = if epilogue.is_some() { block.min(EPILOGUE_BLOCK.div_ceil(self.outputs)) } else { block };
        // Whole tiles of any height.
        let block = if by_image { block } else { block.next_multiple_of(MAX_ROWS) };
        let blocks = total.div_ceil(block);
        let shares = if by_image { 1 } else { JOBS.div_ceil(blocks).min(panels) };
        assert!(epilogue.is_none() || self.places.is_empty() && !by_image);
        // A job that has all panels has whole rows.
        let (at_once, afterwards) = if shares == 1 { (epilogue, None) } else { (None, epilogue) };
        let all = &mut y[..batch * self.out_image];
        let y = Shared::new(&mut *all);
        for_each(blocks * shares, |job| {
            let (first, share) = (job / shares * block, job % shares);
            let panels = share * panels / shares..(share + 1) * panels / shares;
            let windows = first..total.min(first + block);
            self.block(windows.clone(), panels, x, weight, zeros, results, &y);
            if let Some(epilogue) = at_once {
                let range = windows.start * self.outputs..windows.end * self.outputs;
                // SAFETY: each job has its own windows, whose results stand in their order.
                let y = unsafe { y.part(range.clone()) };
                epilogue.apply(range, y);
            }
        });
        if let Some(epilogue) = afterwards {
            epilogue.apply_to_all(all);
        }
    }

    fn block<T: Float>(
        &self,
        windows: Range<usize>,
        panels: Range<usize>,
        x: &[T],
        weight: &[T],
        zeros: &[T],
        results: Results<'_, T>,
        y: &Shared<'_, T>,
    ) {
        let tile = T::tile();
        let panel_len = self.taps * self.depth * COLUMNS;
        let mut pixels = [std::ptr::null::<T>(); MAX_ROWS * MAX_TAPS];
        for panel in panels {
            let weight = &weight[panel * panel_len..][..panel_len];
            let columns = COLUMNS.min(self.outputs - panel * COLUMNS);
            let mut bias = [T::ZERO; COLUMNS];
            if let Results::Bias(values) = results {
                bias[..columns].copy_from_slice(&values[panel * COLUMNS..][..columns]);
            }
            // The image and the window in it, counted along: a division for each row costs as much as a small tile.
            let (mut image, mut window) = (windows.start / self.windows, windows.start % self.windows);
            for first in windows.clone().step_by(tile.rows) {
                let rows = tile.rows.min(windows.end - first);
                let mut c = [std::ptr::null_mut(); MAX_ROWS];
                let mut row_of = [(0, 0); MAX_ROWS];
                for (c, row_of) in c.iter_mut().zip(&mut row_of).take(rows) {
                    let place = if self.places.is_empty() {
                        window * self.outputs
                    } else {
                        self.places[window] as usize
                    };
                    let at = image * self.out_image + place + panel * COLUMNS;
                    *c = y.pointer(at..at + columns);
                    *row_of = (image * self.image, window * self.taps);
                    window += 1;
                    if window == self.windows {
                        (image, window) = (image + 1, 0);
                    }
                }
                // Without a tap, as a pixel that a stride leaves out, the sums are zero.
                let starts = (0..self.taps.max(1)).step_by(MAX_TAPS);
                for taps in starts.map(|tap| tap..self.taps.min(tap + MAX_TAPS)) {
                    for (pixels, tap) in pixels.chunks_exact_mut(rows).zip(taps.clone()) {
                        for (pixel, (image, window)) in pixels.iter_mut().zip(row_of) {
                            let offset = self.offsets[window + tap];
                            *pixel = if offset == NOWHERE {
                                zeros.as_ptr()
                            } else {
                                // SAFETY: `new` has found `depth` elements there within an image, and `run` that `x` has so
                                // many images.
                                unsafe { x.as_ptr().add(image + offset as usize) }
                            };
                        }
                    }
                    let finish = match results {
                        _ if taps.start > 0 => Finish::Add,
                        Results::Set => Finish::Set,
                        Results::Add => Finish::Add,
                        Results::Bias(_) => Finish::Bias(bias.as_ptr()),
                    };
                    let weight = &weight[taps.start * self.depth * COLUMNS..];
                    let pixels = &pixels[..taps.len() * rows];
                    // SAFETY: each pixel is good for `depth` elements, each of `c` for `columns`; jobs have their own windows
                    // or panels, and so their own part of `y`.
                    unsafe { tile.gathered(rows, self.depth, pixels, weight, columns, finish, &c[..rows]) };
                }
            }
        }
    }
}

/// Taps that a tile is run over at once.
const MAX_TAPS: usize = 49;

/// Where an index beyond the edge is found along one direction, if anywhere.
pub(crate) fn place(at: usize, padding: usize, len: usize, mode: PaddingMode) -> Option<usize> {
    let (at, len) = (at as isize - padding as isize, len as isize);
    let inside = match mode {
        PaddingMode::Reflect if at < 0 => -at,
        PaddingMode::Reflect if at >= len => 2 * (len - 1) - at,
        _ => at,
    };
    (0..len).contains(&inside).then_some(inside as usize)
}

/// The number of the pixel that each window of a convolution sees at each tap, window by window.
pub(crate) fn taps_of(
    convolution: Convolution,
    input: Shape,
    output: Shape,
) -> impl Iterator<Item = Option<usize>> {
    let Convolution { window, padding_mode: mode, .. } = convolution;
    let ((height, width), (out_height, out_width)) = (sides(input), sides(output));
    let ((above, _), (left, _)) = (window.around(height), window.around(width));
    (0..out_height * out_width).flat_map(move |index| {
        (0..window.kernel * window.kernel).map(move |tap| {
            let at = |start: usize, tap: usize| start * window.stride + tap;
            let row = place(at(index / out_width, tap / window.kernel), above, height, mode)?;
            let column = place(at(index % out_width, tap % window.kernel), left, width, mode)?;
            Some(row * width + column)
        })
    })
}

/// Height and width.
pub(crate) fn sides(shape: Shape) -> (usize, usize) {
    match shape {
        Shape::Map { height, width, .. } => (height, width),
        Shape::Vector(_) => (1, 1),
    }
}
