//! The convolution in groups, of which the depthwise one (as many groups as channels) is the case that matters: there is
//! nothing to multiply as matrices, so it walks over the taps with the channels side by side in registers.
//!
//! The weight stands as `[taps, inputs of a group, outputs]`.

use crate::float::Float;
use crate::isa::per_isa;
use crate::kernels::gather::taps_of;
use crate::parallel::{Shared, for_each};
use pupila_network::{Convolution, Shape};
use std::ops::Range;

/// Windows that one job of the forward pass works on.
const WINDOW_BLOCK: usize = 128;
/// Channels that are summed side by side.
const CHANNEL_BLOCK: usize = 32;
/// Windows whose products are summed in single precision, before the sum goes on in double.
const SUM_BLOCK: usize = 64;

/// A grouped convolution with its table.
#[derive(Debug, Clone)]
pub(crate) struct Grouped {
    convolution: Convolution,
    image: usize,
    windows: usize,
    taps: usize,
    /// Where the pixel of each tap begins: `[windows, taps]`; none beyond the edge.
    offsets: Vec<Option<u32>>,
}

impl Grouped {
    pub(crate) fn new(convolution: Convolution, input: Shape, output: Shape) -> Self {
        let taps = convolution.window.kernel * convolution.window.kernel;
        let offsets = taps_of(convolution, input, output)
            .map(|pixel| pixel.map(|pixel| (pixel * convolution.inputs) as u32))
            .collect();
        let windows = output.len() / output.features();
        Grouped { convolution, image: input.len(), windows, taps, offsets }
    }

    /// Every channel by itself.
    fn depthwise(&self) -> bool {
        self.convolution.group_inputs() == 1 && self.convolution.outputs == self.convolution.inputs
    }

    /// The first input channel that an output sees.
    fn first_input(&self, output: usize) -> usize {
        let Convolution { outputs, groups, .. } = self.convolution;
        output / (outputs / groups) * self.convolution.group_inputs()
    }

    /// The taps of a window that lie within the image: number and place.
    fn taps(&self, window: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let offsets = &self.offsets[window * self.taps..][..self.taps];
        offsets.iter().enumerate().filter_map(|(tap, offset)| Some((tap, (*offset)? as usize)))
    }

    /// `x`: `[batch, H, W, inputs]`, `bias`: `[outputs]` or empty, `y`: `[batch, H', W', outputs]`.
    pub(crate) fn forward<T: Float>(&self, batch: usize, x: &[T], weight: &[T], bias: &[T], y: &mut [T]) {
        let outputs = self.convolution.outputs;
        let blocks = self.windows.div_ceil(WINDOW_BLOCK);
        let y = Shared::new(&mut y[..batch * self.windows * outputs]);
        for_each(batch * blocks, |job| {
            let (image, block) = (job / blocks, job % blocks);
            let windows = block * WINDOW_BLOCK..self.windows.min((block + 1) * WINDOW_BLOCK);
            let at = |window: usize| (image * self.windows + window) * outputs;
            // SAFETY: each job has its own windows.
            #[allow(unsafe_code)]
            let y = unsafe { y.part(at(windows.start)..at(windows.end)) };
            forward_windows(self, windows, &x[image * self.image..][..self.image], weight, bias, y);
        });
    }

    /// dx = dy W^T, each window's share added where its pixels lie; on top of `dx` if `add`.
    pub(crate) fn backward_input<T: Float>(
        &self,
        batch: usize,
        dy: &[T],
        weight: &[T],
        add: bool,
        dx: &mut [T],
    ) {
        let len = self.windows * self.convolution.outputs;
        let dx = Shared::new(&mut dx[..batch * self.image]);
        for_each(batch, |image| {
            // SAFETY: each job has its own image.
            #[allow(unsafe_code)]
            let dx = unsafe { dx.part(image * self.image..(image + 1) * self.image) };
            if !add {
                dx.fill(T::ZERO);
            }
            scatter_image(self, &dy[image * len..][..len], weight, dx);
        });
    }

    /// dW = the sum over all windows of x dy, overwritten.
    pub(crate) fn backward_weight<T: Float>(&self, batch: usize, x: &[T], dy: &[T], dw: &mut [T]) {
        let (outputs, rows) = (self.convolution.outputs, self.taps * self.convolution.group_inputs());
        let dw = Shared::new(&mut dw[..rows * outputs]);
        for_each(outputs.div_ceil(CHANNEL_BLOCK), |block| {
            let columns = block * CHANNEL_BLOCK..outputs.min((block + 1) * CHANNEL_BLOCK);
            weight_columns(self, batch, columns, x, dy, &dw);
        });
    }
}

per_isa! {
    fn forward_windows<T: Float>(this: &Grouped, windows: Range<usize>, x: &[T], weight: &[T], bias: &[T], y: &mut [T]) {
        let outputs = this.convolution.outputs;
        let inputs = this.convolution.group_inputs();
        let depthwise = this.depthwise();
        for (window, y) in windows.zip(y.chunks_exact_mut(outputs)) {
            for (block, y) in y.chunks_mut(CHANNEL_BLOCK).enumerate() {
                let first = block * CHANNEL_BLOCK;
                let mut sums = [T::ZERO; CHANNEL_BLOCK];
                let sums = &mut sums[..y.len()];
                if !bias.is_empty() {
                    sums.copy_from_slice(&bias[first..][..y.len()]);
                }
                for (tap, at) in this.taps(window) {
                    if depthwise {
                        let weight = &weight[tap * outputs + first..][..y.len()];
                        let x = &x[at + first..][..y.len()];
                        for ((sum, &w), &x) in sums.iter_mut().zip(weight).zip(x) {
                            *sum += w * x;
                        }
                    } else {
                        for input in 0..inputs {
                            let weight = &weight[(tap * inputs + input) * outputs + first..];
                            for (o, sum) in sums.iter_mut().enumerate() {
                                *sum += weight[o] * x[at + this.first_input(first + o) + input];
                            }
                        }
                    }
                }
                y.copy_from_slice(sums);
            }
        }
    }
}

per_isa! {
    fn scatter_image<T: Float>(this: &Grouped, dy: &[T], weight: &[T], dx: &mut [T]) {
        let outputs = this.convolution.outputs;
        let inputs = this.convolution.group_inputs();
        let depthwise = this.depthwise();
        for (window, dy) in dy.chunks_exact(outputs).enumerate() {
            for (tap, at) in this.taps(window) {
                if depthwise {
                    let weight = &weight[tap * outputs..][..outputs];
                    for ((dx, &w), &d) in dx[at..][..outputs].iter_mut().zip(weight).zip(dy) {
                        *dx += w * d;
                    }
                } else {
                    for input in 0..inputs {
                        let weight = &weight[(tap * inputs + input) * outputs..][..outputs];
                        for (o, (&w, &d)) in weight.iter().zip(dy).enumerate() {
                            dx[at + this.first_input(o) + input] += w * d;
                        }
                    }
                }
            }
        }
    }
}

per_isa! {
    fn weight_columns<T: Float>(this: &Grouped, batch: usize, columns: Range<usize>, x: &[T], dy: &[T], dw: &Shared<'_, T>) {
        let outputs = this.convolution.outputs;
        let inputs = this.convolution.group_inputs();
        let depthwise = this.depthwise();
        let len = this.windows * outputs;
        for tap in 0..this.taps {
            for input in 0..inputs {
                let mut total = [0.0; CHANNEL_BLOCK];
                for image in 0..batch {
                    let (x, dy) = (&x[image * this.image..][..this.image], &dy[image * len..][..len]);
                    for start in (0..this.windows).step_by(SUM_BLOCK) {
                        let mut sums = [T::ZERO; CHANNEL_BLOCK];
                        for window in start..this.windows.min(start + SUM_BLOCK) {
                            let Some(at) = this.offsets[window * this.taps + tap] else { continue };
                            let at = at as usize;
                            let dy = &dy[window * outputs..][columns.clone()];
                            if depthwise {
                                let x = &x[at..][columns.clone()];
                                for ((sum, &d), &x) in sums.iter_mut().zip(dy).zip(x) {
                                    *sum += d * x;
                                }
                            } else {
                                for ((sum, &d), o) in sums.iter_mut().zip(dy).zip(columns.clone()) {
                                    *sum += d * x[at + this.first_input(o) + input];
                                }
                            }
                        }
                        total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum.to_f64());
                    }
                }
                let at = (tap * inputs + input) * outputs;
                // SAFETY: each job has its own columns.
                let dw = unsafe { dw.part(at + columns.start..at + columns.end) };
                dw.iter_mut().zip(total).for_each(|(dw, total)| *dw = T::of(total));
            }
        }
    }
}
