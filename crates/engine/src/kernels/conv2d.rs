//! The convolution over all channels: forward, gradient of the input, gradient of the weight.
//!
//! Each pass reads its operands where they lie. The forward pass is the linear map of every window ([`Gather`]). The gradient
//! of the input is the same map the other way: for every pixel of the input the windows that have seen it, with the weight
//! turned; pixels are taken by their phase, since with a stride each phase meets other taps. The gradient of the weight walks
//! for every tap along the pairs of an input pixel and the window that sees it there.
//!
//! A convolution of 3x3 with stride 1 over enough channels takes Winograd's way instead ([`Winograd`]).

use crate::float::Float;
use crate::kernels::gather::{Gather, Results, place, sides, taps_of};
use crate::kernels::pointwise::Epilogue;
use crate::kernels::tile::COLUMNS;
use crate::kernels::weight_gradient::WeightGradient;
use crate::kernels::winograd::Winograd;
use crate::parallel::{Shared, Workspaces, for_each};
use pupila_network::{Convolution, PaddingMode, Shape};

/// Input channels below which the image is copied with its padding: the pixels of a window's row are then one run of memory.
const FEW_CHANNELS: usize = 8;

/// A convolution with its tables.
#[derive(Debug, Clone)]
pub(crate) struct Conv2d {
    convolution: Convolution,
    input: (usize, usize),
    way: Way,
    /// For each tap the pixels that windows have seen there in the mirror.
    edges: Vec<(usize, Gather)>,
}

/// How the passes are done.
#[derive(Debug, Clone)]
enum Way {
    Direct(Direct),
    Winograd {
        forward: Winograd,
        input_gradient: Option<Winograd>,
        /// The largest batch, where the gradient of the weight is wanted.
        training: Option<usize>,
    },
}

/// The tables of a convolution of any kind.
#[derive(Debug, Clone)]
struct Direct {
    forward: Gather,
    /// Set where the input is copied with its padding.
    padded: Option<(usize, usize)>,
    input_gradient: Vec<Phase>,
    weight_gradient: Option<WeightGradient>,
}

/// The pixels of the input that meet the same taps.
#[derive(Debug, Clone)]
struct Phase {
    taps: Vec<usize>,
    gather: Gather,
}

/// The taps of a turned weight of 3x3.
const TURNED: [usize; 9] = [8, 7, 6, 5, 4, 3, 2, 1, 0];

impl Conv2d {
    /// `training`, the largest batch, lays out the gradient of the weight; with it `wanted` that of the input.
    pub(crate) fn new(
        convolution: Convolution,
        input: Shape,
        output: Shape,
        training: Option<usize>,
        wanted: bool,
    ) -> Self {
        let wanted = wanted && training.is_some();
        let way = if Winograd::suits(&convolution, input) {
            let Convolution { inputs, outputs, padding_mode, .. } = convolution;
            let (sides, turned) = (sides(input), (outputs, inputs));
            Way::Winograd {
                forward: Winograd::new((inputs, outputs), sides, padding_mode),
                input_gradient: wanted.then(|| Winograd::new(turned, sides, PaddingMode::Zeros)),
                training,
            }
        } else {
            Way::Direct(Direct::new(convolution, input, output, training, wanted))
        };
        let mut this = Conv2d { convolution, input: sides(input), way, edges: Vec::new() };
        if wanted && convolution.padding_mode != PaddingMode::Zeros {
            this.lay_out_edges(sides(output));
        }
        this
    }

    /// What windows have seen in the mirror, which comes on top of the gradient of the input.
    fn lay_out_edges(&mut self, (out_height, out_width): (usize, usize)) {
        let Convolution { inputs, outputs, window, .. } = self.convolution;
        let (side, stride) = (window.kernel, window.stride);
        let (height, width) = self.input;
        let ((above, _), (left, _)) = (window.around(height), window.around(width));
        let dy_image = out_height * out_width * outputs;
        for tap in 0..side * side {
            let mut pairs = Vec::new();
            for window in 0..out_height * out_width {
                let at = (window / out_width * stride + tap / side, window % out_width * stride + tap % side);
                let find = |mode| Some((place(at.0, above, height, mode)?, place(at.1, left, width, mode)?));
                if let (None, Some((row, column))) = (find(PaddingMode::Zeros), find(PaddingMode::Reflect)) {
                    pairs.push((window, row * width + column));
                }
            }
            if !pairs.is_empty() {
                let gather = Gather::new(pairs.len(), 1, (outputs, outputs), dy_image, inputs, |index, _| {
                    Some(pairs[index].0)
                });
                let places = pairs.iter().map(|pair| pair.1);
                self.edges.push((tap, gather.to(height * width, places)));
            }
        }
    }

    /// Elements of the copy of the input with its padding, for one image; 0 where none is made.
    pub(crate) fn padded_len(&self) -> usize {
        match &self.way {
            Way::Direct(Direct { padded: Some((tall, wide)), .. }) => tall * wide * self.convolution.inputs,
            _ => 0,
        }
    }

    /// Elements of scratch that the forward pass needs, and that all passes need: weights turned and transformed, and parts of
    /// the weight's gradient.
    pub(crate) fn scratch_len<T: Float>(&self) -> [usize; 2] {
        let Convolution { inputs, outputs, window, .. } = self.convolution;
        let turned = inputs.next_multiple_of(COLUMNS) * outputs * window.kernel * window.kernel;
        match &self.way {
            Way::Direct(Direct { weight_gradient, .. }) => {
                let rows = T::tile().rows;
                let parts = weight_gradient.as_ref().map_or(0, |gradient| gradient.scratch_len(rows));
                [0, turned.max(parts)]
            }
            Way::Winograd { forward, input_gradient, training } => {
                let input = input_gradient.as_ref().map_or(0, |input| turned + input.weight_len());
                let weight = training.map_or(0, |batch| forward.gradient_len(batch));
                [0, forward.weight_len().max(input).max(weight)]
            }
        }
    }

    /// Elements of each thread's workspace that any of the passes needs.
    pub(crate) fn workspace_len(&self) -> usize {
        match &self.way {
            Way::Direct(_) => 0,
            Way::Winograd { forward, .. } => forward.workspace_len(),
        }
    }

    /// Elements that a row of zeros must have.
    pub(crate) fn zeros_len(&self) -> usize {
        let Convolution { inputs, outputs, window, .. } = self.convolution;
        // A window's row of the copy with padding counts as one pixel.
        (inputs * window.kernel).max(outputs)
    }

    /// Elements of what [`Conv2d::prepare`] makes; 0 where there is nothing to prepare.
    pub(crate) fn prepared_len(&self) -> usize {
        match &self.way {
            Way::Direct(_) => 0,
            Way::Winograd { forward, .. } => forward.weight_len(),
        }
    }

    /// What the forward pass works out of the weight alone, for a network whose values stay as they are.
    pub(crate) fn prepare<T: Float>(&self, weight: &[T], prepared: &mut [T]) {
        if let Way::Winograd { forward, .. } = &self.way {
            forward.transform_weight(weight, prepared);
        }
    }

    /// y = the linear map of every window. `x`: `[batch, H, W, inputs]`, `weight`: panels, `bias`: `[outputs]` or empty,
    /// `y`: `[batch, H', W', outputs]`; `padded` takes the copy with padding; `prepared` is what [`Conv2d::prepare`] has made of
    /// the weight, or empty; an `epilogue` works on the results.
    pub(crate) fn forward<T: Float>(
        &self,
        batch: usize,
        x: &[T],
        weight: &[T],
        bias: &[T],
        prepared: &[T],
        zeros: &[T],
        padded: &mut [T],
        epilogue: Option<Epilogue<'_, T>>,
        y: &mut [T],
        scratch: &mut [T],
        workspaces: &mut Workspaces<T>,
    ) {
        let results = if bias.is_empty() { Results::Set } else { Results::Bias(bias) };
        match &self.way {
            Way::Direct(direct) => {
                self.pad(batch, x, padded);
                let x = if direct.padded.is_some() { &*padded } else { x };
                direct.forward.run(batch, x, weight, zeros, results, false, epilogue, y);
            }
            Way::Winograd { forward, .. } => {
                let transformed = if prepared.is_empty() {
                    forward.transform_weight(weight, scratch);
                    &*scratch
                } else {
                    prepared
                };
                forward.run(batch, x, transformed, zeros, results, y, workspaces);
                if let Some(epilogue) = epilogue {
                    epilogue.apply_to_all(y);
                }
            }
        }
    }

    /// Copies each image with its padding.
    fn pad<T: Float>(&self, batch: usize, x: &[T], padded: &mut [T]) {
        let Way::Direct(Direct { padded: Some((_, wide)), .. }) = self.way else { return };
        let Convolution { inputs, window, padding_mode, .. } = self.convolution;
        let (height, width) = self.input;
        let (image, len) = (height * width * inputs, self.padded_len());
        let ((above, _), (before, _)) = (window.around(height), window.around(width));
        let padded = Shared::new(&mut padded[..batch * len]);
        for_each(batch, |index| {
            // SAFETY: each job has its own image.
            #[allow(unsafe_code)]
            let padded = unsafe { padded.part(index * len..(index + 1) * len) };
            let x = &x[index * image..][..image];
            for (row, to) in padded.chunks_exact_mut(wide * inputs).enumerate() {
                let Some(y) = place(row, above, height, padding_mode) else {
                    to.fill(T::ZERO);
                    continue;
                };
                let from = &x[y * width * inputs..][..width * inputs];
                let (left, rest) = to.split_at_mut(before * inputs);
                let (middle, right) = rest.split_at_mut(width * inputs);
                middle.copy_from_slice(from);
                let edges = left.chunks_exact_mut(inputs).chain(right.chunks_exact_mut(inputs));
                let columns = (0..before).chain(before + width..wide);
                for (to, column) in edges.zip(columns) {
                    match place(column, before, width, padding_mode) {
                        Some(at) => to.copy_from_slice(&from[at * inputs..][..inputs]),
                        None => to.fill(T::ZERO),
                    }
                }
            }
        });
    }

    /// dx = the sum over the windows that have seen a pixel of dy W^T; added to `dx` if `add`, else written.
    pub(crate) fn backward_input<T: Float>(
        &self,
        batch: usize,
        dy: &[T],
        weight: &[T],
        zeros: &[T],
        add: bool,
        dx: &mut [T],
        scratch: &mut [T],
        workspaces: &mut Workspaces<T>,
    ) {
        let Convolution { inputs, outputs, .. } = self.convolution;
        let panel = inputs.next_multiple_of(COLUMNS) * outputs;
        let results = if add { Results::Add } else { Results::Set };
        match &self.way {
            Way::Direct(direct) => {
                let mut rest = &mut *scratch;
                for Phase { taps, gather } in &direct.input_gradient {
                    let (turned, left) = rest.split_at_mut(panel * taps.len());
                    rest = left;
                    self.turn(weight, taps, turned);
                    gather.run(batch, dy, turned, zeros, results, false, None, dx);
                }
            }
            Way::Winograd { input_gradient: Some(input), .. } => {
                let (turned, transformed) = scratch.split_at_mut(panel * TURNED.len());
                self.turn(weight, &TURNED, turned);
                input.transform_weight(turned, transformed);
                input.run(batch, dy, transformed, zeros, results, dx, workspaces);
            }
            Way::Winograd { .. } => {}
        }
        for (tap, gather) in &self.edges {
            let turned = &mut scratch[..panel];
            self.turn(weight, &[*tap], turned);
            gather.run(batch, dy, turned, zeros, Results::Add, true, None, dx);
        }
    }

    /// The weight's panels of 32 outputs, `[taps, inputs, 32]`, turned into panels of 32 inputs, `[taps, outputs, 32]`, for
    /// some taps, filled up with zeros.
    fn turn<T: Float>(&self, weight: &[T], taps: &[usize], turned: &mut [T]) {
        let Convolution { inputs, outputs, window, .. } = self.convolution;
        let depth = window.kernel * window.kernel * inputs;
        let len = outputs * COLUMNS;
        let turned = Shared::new(turned);
        for_each(inputs.div_ceil(COLUMNS) * taps.len(), |job| {
            let (panel, tap) = (job / taps.len(), taps[job % taps.len()]);
            // SAFETY: each job has its own tap of its own panel.
            #[allow(unsafe_code)]
            let turned = unsafe { turned.part(job * len..(job + 1) * len) };
            let width = COLUMNS.min(inputs - panel * COLUMNS);
            for first in (0..outputs).step_by(COLUMNS) {
                let from = &weight[(first * depth) + (tap * inputs + panel * COLUMNS) * COLUMNS..];
                let to = &mut turned[first * COLUMNS..];
                for o in 0..COLUMNS.min(outputs - first) {
                    let row = &mut to[o * COLUMNS..][..COLUMNS];
                    for (j, value) in row[..width].iter_mut().enumerate() {
                        *value = from[j * COLUMNS + o];
                    }
                    row[width..].fill(T::ZERO);
                }
            }
        });
    }

    /// dW = the sum over all windows of x^T dy, into `dw` in the weight's memory order, overwritten. `padded` is the copy that
    /// the forward pass has made.
    pub(crate) fn backward_weight<T: Float>(
        &self,
        batch: usize,
        x: &[T],
        padded: &[T],
        dy: &[T],
        zeros: &[T],
        dw: &mut [T],
        scratch: &mut [T],
        workspaces: &mut Workspaces<T>,
    ) {
        match &self.way {
            Way::Direct(Direct { weight_gradient: Some(gradient), padded: copy, .. }) => {
                gradient.run(batch, if copy.is_some() { padded } else { x }, dy, dw, scratch);
            }
            Way::Winograd { forward, .. } => {
                forward.weight_gradient(batch, x, dy, zeros, dw, scratch, workspaces);
            }
            Way::Direct(_) => {}
        }
    }
}

impl Direct {
    fn new(
        convolution: Convolution,
        input: Shape,
        output: Shape,
        training: Option<usize>,
        wanted: bool,
    ) -> Self {
        let Convolution { inputs, outputs, window, .. } = convolution;
        let ((height, width), (out_height, out_width)) = (sides(input), sides(output));
        let (side, stride) = (window.kernel, window.stride);
        let windows = out_height * out_width;
        let padded = |side: usize| window.around(side).0 + side + window.around(side).1;
        let padded = (inputs < FEW_CHANNELS).then_some((padded(height), padded(width)));
        let forward = match padded {
            Some((tall, wide)) => {
                let depth = (side * inputs, inputs);
                Gather::new(windows, side, depth, tall * wide * inputs, outputs, |index, row| {
                    let (y, x) = (index / out_width * stride, index % out_width * stride);
                    Some((y + row) * wide + x)
                })
            }
            None => {
                let (taps, pixels) = (side * side, taps_of(convolution, input, output).collect::<Vec<_>>());
                Gather::new(windows, taps, (inputs, inputs), input.len(), outputs, |index, tap| {
                    pixels[index * taps + tap]
                })
            }
        };
        Direct {
            weight_gradient: training.map(|batch| WeightGradient::new(&forward, outputs, batch)),
            forward,
            padded,
            input_gradient: if wanted { input_gradient(convolution, input, output) } else { Vec::new() },
        }
    }
}

/// The phases of the gradient of the input.
fn input_gradient(convolution: Convolution, input: Shape, output: Shape) -> Vec<Phase> {
    let Convolution { inputs, outputs, window, .. } = convolution;
    let (side, stride) = (window.kernel, window.stride);
    let ((height, width), (out_height, out_width)) = (sides(input), sides(output));
    let ((above, _), (left, _)) = (window.around(height), window.around(width));
    let dy_image = out_height * out_width * outputs;
    // The window that sees a pixel at a tap, along one direction.
    let seen = |at: usize, padding: usize, tap: usize, count: usize| {
        let start = (at + padding).checked_sub(tap)?;
        (start % stride == 0 && start / stride < count).then_some(start / stride)
    };
    let phase = |phase: usize| {
        let rows: Vec<_> = (phase / stride..height).step_by(stride).collect();
        let columns: Vec<_> = (phase % stride..width).step_by(stride).collect();
        let meets = |at: usize, tap: usize| at % stride == tap % stride;
        let taps: Vec<_> = (0..side * side)
            .filter(|tap| {
                meets(phase / stride + above, tap / side) && meets(phase % stride + left, tap % side)
            })
            .collect();
        let windows = rows.len() * columns.len();
        let pixel = |index: usize| (rows[index / columns.len()], columns[index % columns.len()]);
        let gather = Gather::new(windows, taps.len(), (outputs, outputs), dy_image, inputs, |index, tap| {
            let (row, column) = pixel(index);
            let y = seen(row, above, taps[tap] / side, out_height)?;
            let x = seen(column, left, taps[tap] % side, out_width)?;
            Some(y * out_width + x)
        });
        let places = (0..windows).map(|index| pixel(index).0 * width + pixel(index).1);
        Phase { gather: gather.to(height * width, places), taps }
    };
    (0..stride * stride).map(phase).collect()
}
