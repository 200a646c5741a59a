//! The convolution in groups, of which the depthwise one (as many groups as channels) is the case that matters: there is
//! nothing to multiply as matrices, so it walks over the taps with the channels side by side in registers.
//!
//! The weight stands as `[taps, inputs of a group, outputs]`.

use crate::float::Float;
use crate::isa::per_isa;
use crate::kernels::gather::taps_of;
use crate::kernels::pointwise::Epilogue;
use crate::parallel::{Shared, for_each};
use pupila_network::{Convolution, Shape};
use std::ops::Range;

/// Pixels of the result that one job works on.
const PIXEL_BLOCK: usize = 128;
/// Channels whose gradients of the weight one job sums.
const CHANNEL_BLOCK: usize = 32;
/// Channels that are summed side by side: of more, the compiler leaves the sums in memory.
const REGISTERED: usize = 16;
/// Windows whose products are summed in single precision, before the sum goes on in double.
const SUM_BLOCK: usize = 64;
/// Parts of a batch whose gradients of the weight are summed apart, so that few channels are work for several threads too.
const PARTS: usize = 8;
/// Taps whose sums are kept at once.
const MAX_TAPS: usize = 49;

/// A grouped convolution with its tables.
#[derive(Debug, Clone)]
pub(crate) struct Grouped {
    convolution: Convolution,
    image: usize,
    windows: usize,
    taps: usize,
    /// Where the pixel of each tap begins: `[windows, taps]`; none beyond the edge.
    offsets: Vec<Option<u32>>,
    /// Of a depthwise convolution: what each window sums, and what each pixel of the input's gradient sums.
    forward: Terms,
    backward: Terms,
}

/// For each pixel of a result, the products it is the sum of.
#[derive(Debug, Clone, Default)]
struct Terms {
    /// Where each pixel's terms begin, and where the last one's end.
    starts: Vec<u32>,
    /// Where the weight of a tap begins, and where the pixel that it multiplies does.
    terms: Vec<(u32, u32)>,
}

impl Terms {
    /// `pairs`: of a pixel of the result, the tap and the pixel that it multiplies; in any order.
    fn new(pixels: usize, channels: usize, mut pairs: Vec<(u32, u32, u32)>) -> Self {
        pairs.sort_unstable();
        let mut starts = vec![0; pixels + 1];
        for &(pixel, ..) in &pairs {
            starts[pixel as usize + 1] += 1;
        }
        for pixel in 0..pixels {
            starts[pixel + 1] += starts[pixel];
        }
        let channels = channels as u32;
        Terms {
            starts,
            terms: pairs.iter().map(|&(_, tap, from)| (tap * channels, from * channels)).collect(),
        }
    }

    fn of(&self, pixel: usize) -> &[(u32, u32)] {
        &self.terms[self.starts[pixel] as usize..self.starts[pixel + 1] as usize]
    }

    fn pixels(&self) -> usize {
        self.starts.len() - 1
    }
}

/// What the sums of a depthwise pass begin with.
#[derive(Debug, Clone, Copy)]
enum Begin<'a, T> {
    Zeros,
    Bias(&'a [T]),
    /// What is there.
    Values,
}

impl Grouped {
    /// `wanted` lays out the gradient of the input.
    pub(crate) fn new(convolution: Convolution, input: Shape, output: Shape, wanted: bool) -> Self {
        let taps = convolution.window.kernel * convolution.window.kernel;
        let pixels: Vec<Option<usize>> = taps_of(convolution, input, output).collect();
        let offsets =
            pixels.iter().map(|pixel| pixel.map(|pixel| (pixel * convolution.inputs) as u32)).collect();
        let windows = output.len() / output.features();
        let mut this = Grouped {
            convolution,
            image: input.len(),
            windows,
            taps,
            offsets,
            forward: Terms::default(),
            backward: Terms::default(),
        };
        if this.depthwise() {
            let channels = convolution.outputs;
            let seen = pixels.iter().enumerate().filter_map(|(index, pixel)| {
                Some(((index / taps) as u32, (index % taps) as u32, (*pixel)? as u32))
            });
            let pairs: Vec<_> = seen.collect();
            if wanted {
                let turned = pairs.iter().map(|&(window, tap, pixel)| (pixel, tap, window)).collect();
                this.backward = Terms::new(input.len() / input.features(), channels, turned);
            }
            this.forward = Terms::new(windows, channels, pairs);
        }
        this
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

    fn parts(batch: usize) -> usize {
        PARTS.min(batch)
    }

    /// Number of f64 partial sums that the gradient of the weight needs.
    pub(crate) fn partial_len(&self, batch: usize) -> usize {
        Self::parts(batch) * self.taps * self.convolution.group_inputs() * self.convolution.outputs
    }

    /// `x`: `[batch, H, W, inputs]`, `bias`: `[outputs]` or empty, `y`: `[batch, H', W', outputs]`; an `epilogue` works on the results.
    pub(crate) fn forward<T: Float>(
        &self,
        batch: usize,
        x: &[T],
        weight: &[T],
        bias: &[T],
        epilogue: Option<Epilogue<'_, T>>,
        y: &mut [T],
    ) {
        if self.depthwise() {
            let begin = if bias.is_empty() { Begin::Zeros } else { Begin::Bias(bias) };
            return self.run(&self.forward, batch, self.image, x, weight, begin, epilogue, y);
        }
        let outputs = self.convolution.outputs;
        let blocks = self.windows.div_ceil(PIXEL_BLOCK);
        let y = Shared::new(&mut y[..batch * self.windows * outputs]);
        for_each(batch * blocks, |job| {
            let (image, block) = (job / blocks, job % blocks);
            let windows = block * PIXEL_BLOCK..self.windows.min((block + 1) * PIXEL_BLOCK);
            let at = |window: usize| (image * self.windows + window) * outputs;
            // SAFETY: each job has its own windows.
            #[allow(unsafe_code)]
            let y = unsafe { y.part(at(windows.start)..at(windows.end)) };
            let range = at(windows.start)..at(windows.end);
            forward_windows(self, windows, &x[image * self.image..][..self.image], weight, bias, y);
            if let Some(epilogue) = epilogue {
                epilogue.apply(range, y);
            }
        });
    }

    /// A depthwise pass: `y`: `[batch, pixels, channels]` from `x`: `[batch, image]`.
    fn run<T: Float>(
        &self,
        terms: &Terms,
        batch: usize,
        image: usize,
        x: &[T],
        weight: &[T],
        begin: Begin<'_, T>,
        epilogue: Option<Epilogue<'_, T>>,
        y: &mut [T],
    ) {
        let (channels, pixels) = (self.convolution.outputs, terms.pixels());
        let blocks = pixels.div_ceil(PIXEL_BLOCK);
        let y = Shared::new(&mut y[..batch * pixels * channels]);
        for_each(batch * blocks, |job| {
            let (index, block) = (job / blocks, job % blocks);
            let range = block * PIXEL_BLOCK..pixels.min((block + 1) * PIXEL_BLOCK);
            let at = |pixel: usize| (index * pixels + pixel) * channels;
            // SAFETY: each job has its own pixels.
            #[allow(unsafe_code)]
            let y = unsafe { y.part(at(range.start)..at(range.end)) };
            let results = at(range.start)..at(range.end);
            sum_terms(terms, range, &x[index * image..][..image], weight, begin, y);
            if let Some(epilogue) = epilogue {
                epilogue.apply(results, y);
            }
        });
    }

    /// dx = dy W^T, for each pixel of the input the shares of the windows that see it; on top of `dx` if `add`.
    pub(crate) fn backward_input<T: Float>(
        &self,
        batch: usize,
        dy: &[T],
        weight: &[T],
        add: bool,
        dx: &mut [T],
    ) {
        let len = self.windows * self.convolution.outputs;
        if self.depthwise() {
            let begin = if add { Begin::Values } else { Begin::Zeros };
            return self.run(&self.backward, batch, len, dy, weight, begin, None, dx);
        }
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
    pub(crate) fn backward_weight<T: Float>(
        &self,
        batch: usize,
        x: &[T],
        dy: &[T],
        dw: &mut [T],
        partial: &mut [f64],
    ) {
        let (outputs, rows) = (self.convolution.outputs, self.taps * self.convolution.group_inputs());
        let (parts, blocks) = (Self::parts(batch), outputs.div_ceil(CHANNEL_BLOCK));
        let partial = &mut partial[..parts * rows * outputs];
        {
            let partial = Shared::new(&mut *partial);
            for_each(parts * blocks, |job| {
                let (part, block) = (job / blocks, job % blocks);
                let columns = block * CHANNEL_BLOCK..outputs.min((block + 1) * CHANNEL_BLOCK);
                let images = part * batch / parts..(part + 1) * batch / parts;
                weight_columns(self, images, columns, x, dy, part * rows, &partial);
            });
        }
        let partial = &*partial;
        let dw = Shared::new(&mut dw[..rows * outputs]);
        for_each(rows, |row| {
            // SAFETY: each job has its own row.
            #[allow(unsafe_code)]
            let dw = unsafe { dw.part(row * outputs..(row + 1) * outputs) };
            for (column, dw) in dw.iter_mut().enumerate() {
                let sums = (0..parts).map(|part| partial[(part * rows + row) * outputs + column]);
                *dw = T::of(sums.sum());
            }
        });
    }
}

per_isa! {
    /// Some pixels of a depthwise pass over an image.
    fn sum_terms<T: Float>(
        terms: &Terms,
        pixels: Range<usize>,
        x: &[T],
        weight: &[T],
        begin: Begin<'_, T>,
        y: &mut [T],
    ) {
        let channels = y.len() / pixels.len();
        for (pixel, y) in pixels.zip(y.chunks_exact_mut(channels)) {
            let terms = terms.of(pixel);
            let mut first = 0;
            // Blocks of a length that is known, whose sums stay in registers, and what is left.
            while channels - first >= REGISTERED {
                sum_channels::<T, REGISTERED>(terms, x, weight, begin, first, y);
                first += REGISTERED;
            }
            while channels - first >= 8 {
                sum_channels::<T, 8>(terms, x, weight, begin, first, y);
                first += 8;
            }
            while first < channels {
                sum_channels::<T, 1>(terms, x, weight, begin, first, y);
                first += 1;
            }
        }
    }
}

/// The channels `first..first + N` of a pixel.
#[inline(always)]
fn sum_channels<T: Float, const N: usize>(
    terms: &[(u32, u32)],
    x: &[T],
    weight: &[T],
    begin: Begin<'_, T>,
    first: usize,
    y: &mut [T],
) {
    let y = &mut y[first..first + N];
    let mut sums = [T::ZERO; N];
    match begin {
        Begin::Zeros => {}
        Begin::Bias(bias) => sums.copy_from_slice(&bias[first..first + N]),
        Begin::Values => sums.copy_from_slice(y),
    }
    for &(tap, at) in terms {
        let weight = &weight[tap as usize + first..][..N];
        let x = &x[at as usize + first..][..N];
        for j in 0..N {
            sums[j] += weight[j] * x[j];
        }
    }
    y.copy_from_slice(&sums);
}

per_isa! {
    fn forward_windows<T: Float>(this: &Grouped, windows: Range<usize>, x: &[T], weight: &[T], bias: &[T], y: &mut [T]) {
        let outputs = this.convolution.outputs;
        let inputs = this.convolution.group_inputs();
        for (window, y) in windows.zip(y.chunks_exact_mut(outputs)) {
            for (block, y) in y.chunks_mut(CHANNEL_BLOCK).enumerate() {
                let first = block * CHANNEL_BLOCK;
                let mut sums = [T::ZERO; CHANNEL_BLOCK];
                let sums = &mut sums[..y.len()];
                if !bias.is_empty() {
                    sums.copy_from_slice(&bias[first..][..y.len()]);
                }
                for (tap, at) in this.taps(window) {
                    for input in 0..inputs {
                        let weight = &weight[(tap * inputs + input) * outputs + first..];
                        for (o, sum) in sums.iter_mut().enumerate() {
                            *sum += weight[o] * x[at + this.first_input(first + o) + input];
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
        for (window, dy) in dy.chunks_exact(outputs).enumerate() {
            for (tap, at) in this.taps(window) {
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

per_isa! {
    /// The gradient of some columns of the weight over some images, into the rows of `sums` from `row` on.
    fn weight_columns<T: Float>(
        this: &Grouped,
        images: Range<usize>,
        columns: Range<usize>,
        x: &[T],
        dy: &[T],
        row: usize,
        sums: &Shared<'_, f64>,
    ) {
        let outputs = this.convolution.outputs;
        let inputs = this.convolution.group_inputs();
        let depthwise = this.depthwise();
        let len = this.windows * outputs;
        for input in 0..inputs {
            for first in (0..this.taps).step_by(MAX_TAPS) {
                let taps = first..this.taps.min(first + MAX_TAPS);
                let mut totals = [[0.0; CHANNEL_BLOCK]; MAX_TAPS];
                for image in images.clone() {
                    let (x, dy) = (&x[image * this.image..][..this.image], &dy[image * len..][..len]);
                    // All taps of a few windows, whose pixels stay in the cache meanwhile.
                    for start in (0..this.windows).step_by(SUM_BLOCK) {
                        let windows = start..this.windows.min(start + SUM_BLOCK);
                        for (tap, total) in taps.clone().zip(&mut totals) {
                            let sums = if !depthwise {
                                group_products(this, windows.clone(), tap, input, columns.clone(), x, dy)
                            } else if columns.len() == CHANNEL_BLOCK {
                                products::<T, true>(this, windows.clone(), tap, columns.clone(), x, dy)
                            } else {
                                products::<T, false>(this, windows.clone(), tap, columns.clone(), x, dy)
                            };
                            total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum.to_f64());
                        }
                    }
                }
                for (tap, total) in taps.zip(&totals) {
                    let at = (row + tap * inputs + input) * outputs;
                    // SAFETY: each job has its own columns of its own rows.
                    let sums = unsafe { sums.part(at + columns.start..at + columns.end) };
                    sums.iter_mut().zip(total).for_each(|(sum, &total)| *sum = total);
                }
            }
        }
    }
}

/// The sums over some windows of dy and of the pixels at a tap, channel by channel. `WHOLE` says that a block is full.
#[inline(always)]
fn products<T: Float, const WHOLE: bool>(
    this: &Grouped,
    windows: Range<usize>,
    tap: usize,
    columns: Range<usize>,
    x: &[T],
    dy: &[T],
) -> [T; CHANNEL_BLOCK] {
    let outputs = this.convolution.outputs;
    let mut sums = [T::ZERO; CHANNEL_BLOCK];
    let (mut low, mut high) = ([T::ZERO; REGISTERED], [T::ZERO; REGISTERED]);
    for window in windows {
        let Some(at) = this.offsets[window * this.taps + tap] else { continue };
        let (x, dy) = (&x[at as usize..][columns.clone()], &dy[window * outputs..][columns.clone()]);
        if WHOLE {
            let (x, dy) = (&x[..CHANNEL_BLOCK], &dy[..CHANNEL_BLOCK]);
            for j in 0..REGISTERED {
                low[j] += dy[j] * x[j];
            }
            for j in 0..REGISTERED {
                high[j] += dy[REGISTERED + j] * x[REGISTERED + j];
            }
        } else {
            for ((sum, &d), &x) in sums.iter_mut().zip(dy).zip(x) {
                *sum += d * x;
            }
        }
    }
    if WHOLE {
        sums[..REGISTERED].copy_from_slice(&low);
        sums[REGISTERED..].copy_from_slice(&high);
    }
    sums
}

/// As [`products`], for an input of each group.
#[inline(always)]
fn group_products<T: Float>(
    this: &Grouped,
    windows: Range<usize>,
    tap: usize,
    input: usize,
    columns: Range<usize>,
    x: &[T],
    dy: &[T],
) -> [T; CHANNEL_BLOCK] {
    let outputs = this.convolution.outputs;
    let mut sums = [T::ZERO; CHANNEL_BLOCK];
    for window in windows {
        let Some(at) = this.offsets[window * this.taps + tap] else { continue };
        let dy = &dy[window * outputs..][columns.clone()];
        for ((sum, &d), o) in sums.iter_mut().zip(dy).zip(columns.clone()) {
            *sum += d * x[at as usize + this.first_input(o) + input];
        }
    }
    sums
}
