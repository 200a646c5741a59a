//! The convolution: forward, gradient of the input, gradient of the weight.
//!
//! It is the linear map of every window, with the windows read where they lie: a table says where each pixel of each window
//! begins ([`Gather`]), so that the forward pass copies nothing, and padding of either kind is only another entry of the
//! table. (Dukhan 2019, "The Indirect Convolution Algorithm", does the same for inference.)

use crate::float::Float;
use crate::kernels::gather::Gather;
use crate::kernels::tile::COLUMNS;
use crate::parallel::{Shared, for_each};
use pupila_network::{PaddingMode, Shape, Window};

/// Windows that one job of the forward pass works on; a multiple of every tile's rows.
const WINDOW_BLOCK: usize = 24 * 32;
/// Jobs that the gradient of the weight is cut into for each panel of outputs, at most.
const GRADIENT_JOBS: usize = 8;
/// Elements of the largest tile of any instruction set.
const MAX_TILE: usize = 8 * COLUMNS;

/// A convolution with its table.
#[derive(Debug, Clone)]
pub(crate) struct Conv2d {
    inputs: usize,
    outputs: usize,
    /// Elements of an input image.
    image: usize,
    gather: Gather,
}

impl Conv2d {
    pub(crate) fn new<T: Float>(input: Shape, output: Shape, window: Window, mode: PaddingMode) -> Self {
        let (height, width) = sides(input);
        let (_, out_width) = sides(output);
        let side = window.kernel;
        let place = |at: usize, len: usize| -> Option<usize> {
            let at = at as isize - window.padding as isize;
            let len = len as isize;
            let mirrored = match mode {
                PaddingMode::Zeros => at,
                PaddingMode::Reflect if at < 0 => -at,
                PaddingMode::Reflect if at >= len => 2 * (len - 1) - at,
                PaddingMode::Reflect => at,
            };
            (0..len).contains(&mirrored).then_some(mirrored as usize)
        };
        let windows = output.len() / output.features();
        let gather = Gather::new::<T>(windows, side * side, input.features(), |index, tap| {
            let row = place(index / out_width * window.stride + tap / side, height)?;
            let column = place(index % out_width * window.stride + tap % side, width)?;
            Some(row * width + column)
        });
        Conv2d { inputs: input.features(), outputs: output.features(), image: input.len(), gather }
    }

    fn depth(&self) -> usize {
        self.gather.taps * self.inputs
    }

    /// Elements of scratch that any of the passes needs.
    pub(crate) fn scratch_len(&self, batch: usize) -> usize {
        // The weight turned, and for each image its gradient packed.
        let turned = self.depth().next_multiple_of(COLUMNS) * self.outputs;
        turned + batch * self.gather.windows * self.outputs.next_multiple_of(COLUMNS)
    }

    /// y = the linear map of every window. `x`: `[batch, H, W, inputs]`, `weight`: panels, `bias`: `[outputs]`,
    /// `y`: `[batch, H', W', outputs]`.
    pub(crate) fn forward<T: Float>(&self, batch: usize, x: &[T], weight: &[T], bias: &[T], y: &mut [T]) {
        let (outputs, windows) = (self.outputs, self.gather.windows);
        let tile = T::tile();
        let blocks = windows.div_ceil(WINDOW_BLOCK);
        let y = Shared::new(&mut y[..batch * windows * outputs]);
        for_each(batch * blocks, |job| {
            let (image, block) = (job / blocks, job % blocks);
            let x = &x[image * self.image..][..self.image];
            let range = block * WINDOW_BLOCK..windows.min((block + 1) * WINDOW_BLOCK);
            let at = |window: usize| (image * windows + window) * outputs;
            // SAFETY: each job has its own windows.
            #[allow(unsafe_code)]
            let y = unsafe { y.part(at(range.start)..at(range.end)) };
            for (panel, bias) in bias.chunks(COLUMNS).enumerate() {
                let weight = &weight[panel * self.depth() * COLUMNS..][..self.depth() * COLUMNS];
                for window in range.clone().step_by(tile.rows) {
                    let mut sums = [T::ZERO; MAX_TILE];
                    tile.gather(&self.gather, window, x, weight, &mut sums);
                    let rows = tile.rows.min(range.end - window);
                    for (r, sums) in sums.chunks_exact(COLUMNS).enumerate().take(rows) {
                        let y =
                            &mut y[(window - range.start + r) * outputs + panel * COLUMNS..][..bias.len()];
                        for ((y, &sum), &bias) in y.iter_mut().zip(sums).zip(bias) {
                            *y = sum + bias;
                        }
                    }
                }
            }
        });
    }

    /// dx = each window's dy W^T, added where the window's pixels lie. `dx` is overwritten.
    pub(crate) fn backward_input<T: Float>(
        &self,
        batch: usize,
        dy: &[T],
        weight: &[T],
        dx: &mut [T],
        scratch: &mut [T],
    ) {
        let (outputs, windows, depth) = (self.outputs, self.gather.windows, self.depth());
        let tile = T::tile();
        let chunks = depth.div_ceil(COLUMNS);
        let (turned, _) = scratch.split_at_mut(chunks * COLUMNS * outputs);
        turn(weight, depth, outputs, turned);
        let turned = &*turned;
        let dx = Shared::new(&mut dx[..batch * self.image]);
        for_each(batch, |image| {
            // SAFETY: each job has its own image.
            #[allow(unsafe_code)]
            let dx = unsafe { dx.part(image * self.image..(image + 1) * self.image) };
            dx.fill(T::ZERO);
            let dy = &dy[image * windows * outputs..][..windows * outputs];
            let mut packed = [T::ZERO; 8 * PACK_DEPTH];
            for window in (0..windows).step_by(tile.rows) {
                let rows = tile.rows.min(windows - window);
                for chunk in 0..chunks {
                    let mut sums = [T::ZERO; MAX_TILE];
                    for start in (0..outputs).step_by(PACK_DEPTH) {
                        let part = PACK_DEPTH.min(outputs - start);
                        // Packed once for all chunks where the outputs fit in one go, as they mostly do.
                        if chunk == 0 || outputs > PACK_DEPTH {
                            for r in 0..rows {
                                for (k, &d) in dy[(window + r) * outputs + start..][..part].iter().enumerate()
                                {
                                    packed[k * tile.rows + r] = d;
                                }
                            }
                        }
                        let b = &turned[(chunk * outputs + start) * COLUMNS..];
                        tile.run(rows, part, &packed, b, &mut sums, COLUMNS, start > 0);
                    }
                    self.scatter(window, rows, chunk * COLUMNS, &sums, dx);
                }
            }
        });
    }

    /// Adds 32 elements of each of some windows to the pixels that they are of.
    fn scatter<T: Float>(&self, window: usize, rows: usize, first: usize, sums: &[T], dx: &mut [T]) {
        let end = self.depth().min(first + COLUMNS);
        for r in 0..rows {
            let mut element = first;
            while element < end {
                let (tap, channel) = (element / self.inputs, element % self.inputs);
                let run = (self.inputs - channel).min(end - element);
                if let Some(offset) = self.gather.offset(window + r, tap) {
                    let sums = &sums[r * COLUMNS + element - first..][..run];
                    let dx = &mut dx[offset + channel..][..run];
                    dx.iter_mut().zip(sums).for_each(|(dx, &sum)| *dx += sum);
                }
                element += run;
            }
        }
    }

    /// dW = the sum over all windows of x^T dy, into `dw` in the weight's memory order, overwritten.
    pub(crate) fn backward_weight<T: Float>(
        &self,
        batch: usize,
        x: &[T],
        dy: &[T],
        dw: &mut [T],
        scratch: &mut [T],
    ) {
        let (outputs, windows, depth) = (self.outputs, self.gather.windows, self.depth());
        let tile = T::tile();
        let panels = outputs.div_ceil(COLUMNS);
        let dy_packed = &mut scratch[..batch * panels * windows * COLUMNS];
        pack_gradient(dy, batch, windows, outputs, dy_packed);
        let dy_packed = &*dy_packed;
        let groups = depth.div_ceil(tile.rows);
        let jobs = groups.min(GRADIENT_JOBS);
        let dw = Shared::new(dw);
        for_each(panels * jobs, |job| {
            let (panel, share) = (job / jobs, job % jobs);
            let groups = share * groups / jobs..(share + 1) * groups / jobs;
            let at = |group: usize| (panel * depth + depth.min(group * tile.rows)) * COLUMNS;
            // SAFETY: each job has its own rows of its own panel.
            #[allow(unsafe_code)]
            let dw = unsafe { dw.part(at(groups.start)..at(groups.end)) };
            let start = at(groups.start);
            let mut packed = [T::ZERO; 8 * PACK_WINDOWS];
            for image in 0..batch {
                let x = &x[image * self.image..][..self.image];
                let dy = &dy_packed[(image * panels + panel) * windows * COLUMNS..][..windows * COLUMNS];
                for first in (0..windows).step_by(PACK_WINDOWS) {
                    let count = PACK_WINDOWS.min(windows - first);
                    for group in groups.clone() {
                        let rows = tile.rows.min(depth - group * tile.rows);
                        self.pack_columns(
                            x,
                            first..first + count,
                            group * tile.rows,
                            rows,
                            tile.rows,
                            &mut packed,
                        );
                        let dw = &mut dw[at(group) - start..][..rows * COLUMNS];
                        tile.run(
                            rows,
                            count,
                            &packed,
                            &dy[first * COLUMNS..],
                            dw,
                            COLUMNS,
                            image > 0 || first > 0,
                        );
                    }
                }
            }
        });
    }

    /// Elements `first..first + rows` of each of some windows: window k's at `k * stride`.
    fn pack_columns<T: Float>(
        &self,
        x: &[T],
        windows: std::ops::Range<usize>,
        first: usize,
        rows: usize,
        stride: usize,
        packed: &mut [T],
    ) {
        let mut element = first;
        while element < first + rows {
            let (tap, channel) = (element / self.inputs, element % self.inputs);
            let run = (self.inputs - channel).min(first + rows - element);
            for (window, packed) in windows.clone().zip(packed.chunks_exact_mut(stride)) {
                let to = &mut packed[element - first..][..run];
                match self.gather.offset(window, tap) {
                    Some(offset) => to.copy_from_slice(&x[offset + channel..][..run]),
                    None => to.fill(T::ZERO),
                }
            }
            element += run;
        }
    }

    /// db = the sum of `dy` over all windows of all images, overwritten.
    pub(crate) fn backward_bias<T: Float>(&self, batch: usize, dy: &[T], db: &mut [T]) {
        // In double precision: a sum of a hundred thousand terms loses digits in single.
        let mut sums = [0.0; COLUMNS];
        for (panel, db) in db.chunks_mut(COLUMNS).enumerate() {
            sums.fill(0.0);
            for row in dy[..batch * self.gather.windows * self.outputs].chunks_exact(self.outputs) {
                let row = &row[panel * COLUMNS..][..db.len()];
                sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x.to_f64());
            }
            db.iter_mut().zip(&sums).for_each(|(db, &sum)| *db = T::of(sum));
        }
    }
}

/// Outputs that are packed at once for the gradient of the input.
const PACK_DEPTH: usize = 256;
/// Windows that are packed at once for the gradient of the weight: with 32 columns of dy they stay in the second-level cache.
const PACK_WINDOWS: usize = 512;

fn sides(shape: Shape) -> (usize, usize) {
    match shape {
        Shape::Map { height, width, .. } => (height, width),
        Shape::Vector(n) => (1, n),
    }
}

/// The weight's panels `[depth, 32]` turned into panels of 32 elements of depth, `[outputs, 32]`, filled up with zeros.
fn turn<T: Float>(weight: &[T], depth: usize, outputs: usize, turned: &mut [T]) {
    let chunk_len = outputs * COLUMNS;
    let turned = Shared::new(turned);
    for_each(depth.div_ceil(COLUMNS), |chunk| {
        // SAFETY: each job has its own panel.
        #[allow(unsafe_code)]
        let turned = unsafe { turned.part(chunk * chunk_len..(chunk + 1) * chunk_len) };
        let width = COLUMNS.min(depth - chunk * COLUMNS);
        for (o, row) in turned.chunks_exact_mut(COLUMNS).enumerate() {
            let (panel, column) = (o / COLUMNS, o % COLUMNS);
            let weight = &weight[(panel * depth + chunk * COLUMNS) * COLUMNS + column..];
            for (j, value) in row.iter_mut().enumerate() {
                *value = if j < width { weight[j * COLUMNS] } else { T::ZERO };
            }
        }
    });
}

/// `[batch, windows, outputs]` as panels of 32 outputs, `[batch, panels, windows, 32]`, filled up with zeros.
fn pack_gradient<T: Float>(dy: &[T], batch: usize, windows: usize, outputs: usize, packed: &mut [T]) {
    let panels = outputs.div_ceil(COLUMNS);
    let len = windows * COLUMNS;
    let packed = Shared::new(packed);
    for_each(batch * panels, |job| {
        let (image, panel) = (job / panels, job % panels);
        // SAFETY: each job has its own panel.
        #[allow(unsafe_code)]
        let packed = unsafe { packed.part(job * len..(job + 1) * len) };
        let width = COLUMNS.min(outputs - panel * COLUMNS);
        let rows = dy[image * windows * outputs..][..windows * outputs].chunks_exact(outputs);
        for (to, row) in packed.chunks_exact_mut(COLUMNS).zip(rows) {
            to[..width].copy_from_slice(&row[panel * COLUMNS..][..width]);
            to[width..].fill(T::ZERO);
        }
    });
}
