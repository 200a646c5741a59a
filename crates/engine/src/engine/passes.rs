//! The two passes over the stages of a network.

use super::profile::Watch;
use super::{Buffers, Engine, Sink, parts};
use crate::float::Float;
use crate::kernels::linear::{Linear, Memory};
use crate::kernels::multiply::FactorGradient;
use crate::kernels::pointwise::{Affine, Epilogue, Moments, Operands, ResidualGradient};
use crate::kernels::prefetch::Ask;
use crate::kernels::{batch_norm, column_sums, dropout, layer_norm};
use crate::parallel::Shared;
use crate::stage::{Dropped, Kind, Norm, Source};
use pupila_backend::StepContext;
use std::ops::Range;

impl<T: Float> Engine<T> {
    /// The forward pass of `images: [batch, input]`, in training mode with a context.
    pub(super) fn run(&mut self, images: &[T], batch: usize, training: Option<&StepContext>) {
        let pass = self.pass();
        if pass.start > 0
            && let Some(stage) = self.feature_stage()
        {
            let len = batch * self.stages[stage].shape.len();
            assert_eq!(images.len(), len, "features are [batch, feature_len]");
            self.memory[self.buffers[stage].output.clone()][..len].copy_from_slice(images);
        } else {
            assert_eq!(images.len(), batch * self.network.input().len(), "images are [batch, input]");
        }
        self.run_stages(images, batch, training, pass);
    }

    /// The forward pass of some stages, whose other inputs are there.
    pub(super) fn run_stages(
        &mut self,
        images: &[T],
        batch: usize,
        training: Option<&StepContext>,
        pass: Range<usize>,
    ) {
        assert!(
            0 < batch && batch <= self.capacity,
            "a batch of {batch}, laid out for up to {}",
            self.capacity
        );
        self.workspaces.reserve(0);
        self.prepare();
        // What nobody looks at need not be written.
        let may_join = training.is_none() && !self.probe.looks() && self.profile.is_empty();
        let mut index = pass.start;
        while index < pass.end {
            if may_join && index + 1 < pass.end && self.stages[index].has_epilogue {
                self.run_joined(index, images, batch);
                index += 2;
            } else {
                self.run_stage(index, images, batch, training);
                index += 1;
            }
        }
    }

    /// A convolution in evaluation mode with the norm behind it, which works on the results while they are in the cache.
    fn run_joined(&mut self, index: usize, images: &[T], batch: usize) {
        let Engine { stages, buffers, memory, values, tracked, scratch, workspaces, zeros, .. } = self;
        let [stage, next] = [&stages[index], &stages[index + 1]];
        let place = |source| match source {
            Some(Source::Stage(from)) => buffers[from].output.clone(),
            _ => 0..0,
        };
        let (input, residual) = (place(Some(stage.input)), place(next.residual));
        let (before, behind) = buffers.split_at_mut(index + 1);
        let Buffers { trained, saved, prepared, .. } = &mut before[index];
        let Buffers { trained: of_norm, tracked: running, norm, output, .. } = &mut behind[0];
        let (Kind::Pointwise { pointwise, norm: Some(kind) }, features) = (&next.kind, next.shape.features())
        else {
            unreachable!("`has_epilogue` says that a norm is behind it");
        };
        let (scale, shift) = (&values[of_norm[0].clone()], &values[of_norm[1].clone()]);
        prepare_evaluation(*kind, running, tracked, scale, shift, norm);
        let [x, r, y, saved] = parts(memory, [&input, &residual, output, saved]);
        let x = if stage.input == Source::Images { images } else { &*x };
        let x = &x[..batch * stage.input_shape.len()];
        let y = &mut y[..batch * next.shape.len()];
        let (multiply, add) = norm[2 * features..4 * features].split_at(features);
        let residual = &r[..batch * next.residual_len];
        let epilogue = Some(Epilogue { pointwise, residual, affine: Affine { multiply, add } });
        let (weight, bias) = (&values[trained[0].clone()], &values[trained[1].clone()]);
        match &stage.kind {
            Kind::Conv2d(convolution) => convolution
                .forward(batch, x, weight, bias, prepared, zeros, saved, epilogue, y, scratch, workspaces),
            Kind::Grouped(convolution) => convolution.forward(batch, x, weight, bias, epilogue, y),
            _ => unreachable!("`has_epilogue` says that it is a convolution"),
        }
    }

    fn run_stage(&mut self, index: usize, images: &[T], batch: usize, training: Option<&StepContext>) {
        let Engine {
            stages,
            buffers,
            memory,
            values,
            tracked,
            scratch,
            workspaces,
            zeros,
            partial,
            profile,
            probe,
            learning,
            ..
        } = self;
        let watch = Watch::start(profile);
        let stage = &stages[index];
        let training = training.filter(|_| !learning.of(stage.tensors).evaluates);
        let place = |source| match source {
            Some(Source::Stage(from)) => buffers[from].output.clone(),
            _ => 0..0,
        };
        let (input, residual) = (place(Some(stage.input)), place(stage.residual));
        let Buffers { trained, tracked: running, output, saved, norm, prepared, .. } = &mut buffers[index];
        // One stage may be both inputs, which a residual sum of a map with itself is.
        let same = stage.residual == Some(stage.input);
        let residual = if same { 0..0 } else { residual };
        let [x, r, y, saved] = parts(memory, [&input, &residual, output, saved]);
        let x = if stage.input == Source::Images { images } else { &*x };
        let x = &x[..batch * stage.input_shape.len()];
        let r = match stage.residual {
            None => &[],
            Some(_) if same => x,
            Some(Source::Images) => images,
            Some(Source::Stage(_)) => &r[..batch * stage.residual_len],
        };
        let y = &mut y[..batch * stage.shape.len()];
        let (first, second) = (&values[trained[0].clone()], &values[trained[1].clone()]);
        match &stage.kind {
            &Kind::Linear { inputs, outputs } => {
                Linear { batch, inputs, outputs }.forward(x, first, second, y, scratch, workspaces);
            }
            Kind::Conv2d(convolution) => {
                convolution
                    .forward(batch, x, first, second, prepared, zeros, saved, None, y, scratch, workspaces);
            }
            Kind::Grouped(convolution) => convolution.forward(batch, x, first, second, None, y),
            Kind::AvgPool(pool) => pool.forward(batch, x, y),
            Kind::Multiply(multiply) => multiply.forward(batch, x, r, y),
            Kind::LayerNorm(norm) => {
                norm.forward(batch, x, layer_norm::Affine { scale: first, shift: second }, y);
            }
            &Kind::Dropout { p, of } => match training {
                Some(context) => {
                    let key = dropout::Key { seed: context.seed, layer: stage.node, step: context.step };
                    let mask = &mut saved[..y.len()];
                    match of {
                        Dropped::Elements => dropout::forward(x, p, key, mask, y),
                        Dropped::Samples => dropout::forward_samples(x, batch, p, key, mask, y),
                    }
                }
                None => y.copy_from_slice(x),
            },
            Kind::Pointwise { pointwise, norm: None } => {
                let affine = Affine { multiply: &[], add: &[] };
                pointwise.forward(batch, Operands { x, residual: r, affine }, y);
            }
            Kind::Pointwise { pointwise, norm: Some(kind) } => {
                let features = pointwise.features;
                if let Norm::Batch { eps, momentum } = *kind
                    && training.is_some()
                {
                    let (moments, partial) = partial.split_at_mut(2 * features);
                    let (mean, var) = moments.split_at_mut(features);
                    batch_norm::statistics(x, features, mean, var, partial);
                    let [running_mean, running_var] = running;
                    let rows = x.len() / features;
                    track(&mut tracked[running_mean.clone()], mean, momentum, 1.0);
                    let unbiased = rows as f64 / (rows as f64 - 1.0).max(1.0);
                    track(&mut tracked[running_var.clone()], var, momentum, unbiased);
                    let moments = mean.iter().copied().zip(var.iter().copied());
                    prepare(moments, eps, first, second, norm);
                } else {
                    prepare_evaluation(*kind, running, tracked, first, second, norm);
                }
                let (multiply, add) = norm[2 * features..4 * features].split_at(features);
                let affine = Affine { multiply, add };
                pointwise.forward(batch, Operands { x, residual: r, affine }, y);
            }
        }
        probe.forward(index, stage.node, y);
        watch.stop(profile.get_mut(index).map(|stage| &mut stage.forward));
    }

    /// Works out what convolutions make of their weights alone, if the values have changed. A network that trains does it in
    /// every pass, as its values change in every step.
    fn prepare(&mut self) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        for (stage, Buffers { trained, prepared, .. }) in self.stages.iter().zip(&mut self.buffers) {
            if let Kind::Conv2d(convolution) = &stage.kind
                && !prepared.is_empty()
            {
                convolution.prepare(&self.values[trained[0].clone()], prepared);
            }
        }
    }

    /// The first stage of a backward pass that goes as far as it can.
    pub(super) fn looked_from(&self) -> usize {
        self.floor.max(self.pass().start)
    }

    /// The backward pass, from the logits' gradient.
    pub(super) fn backward(&mut self, images: &[T], batch: usize, mut sink: Sink<'_, '_, T>) {
        let first_learning = match sink {
            Sink::Explain | Sink::Look => self.looked_from(),
            Sink::Keep | Sink::Update(_) => self.first,
        };
        let Engine {
            stages,
            buffers,
            memory,
            values,
            gradients,
            scratch,
            workspaces,
            nonzeros,
            zeros,
            partial,
            profile,
            probe,
            learning,
            ..
        } = self;
        let explain = matches!(sink, Sink::Explain);
        let looks = matches!(sink, Sink::Look);
        for index in (first_learning..stages.len()).rev() {
            let watch = Watch::start(profile);
            let stage = &stages[index];
            let learns = learning.of(stage.tensors);
            // An explanation is behind a forward pass in evaluation mode, whatever learns.
            let evaluated = explain || learns.evaluates;
            let learn = !explain && (looks || learns.rate > 0.0);
            if learn {
                sink.follow(learns);
            }
            let of = |source| match source {
                Some(Source::Stage(from)) => (buffers[from].output.clone(), buffers[from].delta.clone()),
                _ => (0..0, 0..0),
            };
            let ((input, input_delta), (residual, residual_delta)) =
                (of(Some(stage.input)), of(stage.residual));
            let Buffers { trained, delta, saved, temporary, adds, norm, .. } = &mut buffers[index];
            let [first, second] = trained;
            // The images need no gradient, nor does what no learning stage is behind. The other kinds give it all the same, where nobody
            // reads it.
            let spared = matches!(stage.kind, Kind::Linear { .. } | Kind::Conv2d(_) | Kind::Grouped(_));
            let wanted = match stage.input {
                Source::Images => false,
                Source::Stage(from) => from >= first_learning || !spared,
            };
            let same = stage.residual == Some(stage.input);
            let separate = temporary.start < temporary.end;
            let again = stage.reads_inputs_again();
            let (residual, residual_delta) = if same { (0..0, 0..0) } else { (residual, residual_delta) };
            let unread = 0..0;
            let [x, r, dy, saved, given, other, to_add] = parts(
                memory,
                [
                    if again { &input } else { &unread },
                    if again { &residual } else { &unread },
                    delta,
                    saved,
                    &input_delta,
                    &residual_delta,
                    temporary,
                ],
            );
            let len = batch * stage.input_shape.len();
            let (dx, given) = match (wanted, separate) {
                (false, _) => (&mut [][..], &mut [][..]),
                (true, false) => (&mut given[..len], &mut [][..]),
                (true, true) => (&mut to_add[..len], &mut given[..len]),
            };
            let x = if stage.input == Source::Images { images } else { &*x };
            let x = if again { &x[..len] } else { &[] };
            let dy = &dy[..batch * stage.shape.len()];
            probe.backward(index, dy);
            if probe.has_enough(index) {
                return;
            }
            match &stage.kind {
                &Kind::Linear { inputs, outputs } => {
                    let linear = Linear { batch, inputs, outputs };
                    if wanted {
                        // Before the weight changes under the update.
                        linear.backward_input(dy, &values[first.clone()], dx, scratch);
                    }
                    if !stage.bias_cancels && learn {
                        linear.backward_bias(dy, &mut gradients[second.clone()]);
                    }
                    if learn {
                        let memory = Memory { scratch, workspaces, nonzeros };
                        linear_weight(linear, x, dy, first.clone(), values, gradients, memory, &sink);
                        sink.update(values, gradients, [0..0, second.clone()], true);
                    }
                }
                Kind::Conv2d(convolution) => {
                    if wanted {
                        let weight = &values[first.clone()];
                        convolution
                            .backward_input(batch, dy, weight, zeros, adds[0], dx, scratch, workspaces);
                    }
                    if !stage.bias_cancels && learn {
                        column_sums::of(dy, &mut gradients[second.clone()], partial);
                    }
                    if learn {
                        let dw = &mut gradients[first.clone()];
                        convolution.backward_weight(batch, x, saved, dy, zeros, dw, scratch, workspaces);
                    }
                    if learn {
                        sink.update(values, gradients, [first.clone(), second.clone()], true);
                    }
                }
                Kind::Grouped(convolution) => {
                    if wanted {
                        convolution.backward_input(batch, dy, &values[first.clone()], adds[0], dx);
                    }
                    if !stage.bias_cancels && learn {
                        column_sums::of(dy, &mut gradients[second.clone()], partial);
                    }
                    if learn {
                        let dw = &mut gradients[first.clone()];
                        convolution.backward_weight(batch, x, dy, dw, partial);
                    }
                    if learn {
                        sink.update(values, gradients, [first.clone(), second.clone()], true);
                    }
                }
                Kind::AvgPool(pool) if wanted => pool.backward(batch, dy, adds[0], dx),
                Kind::Dropout { .. } if wanted && evaluated => dx.copy_from_slice(dy),
                Kind::Dropout { .. } if wanted => dropout::backward(dy, &saved[..dy.len()], dx),
                Kind::AvgPool(_) | Kind::Dropout { .. } => {}
                Kind::Multiply(multiply) => {
                    let factors = match stage.residual {
                        _ if same => x,
                        Some(Source::Stage(_)) => &r[..batch * stage.residual_len],
                        _ => images,
                    };
                    let towards_factors = matches!(stage.residual, Some(Source::Stage(_))) && !same;
                    let factor_gradient = towards_factors.then(|| FactorGradient {
                        values: &mut other[..batch * stage.residual_len],
                        add: adds[1],
                    });
                    multiply.backward(batch, x, factors, dy, dx, factor_gradient);
                    if same {
                        // A square: twice the gradient.
                        dx.iter_mut().for_each(|d| *d += *d);
                    }
                }
                Kind::LayerNorm(norm) => {
                    let features = norm.features;
                    let (sums, partial) = partial.split_at_mut(2 * features);
                    norm.backward(batch, x, &values[first.clone()], dy, dx, partial, sums);
                    if learn {
                        give(sums, gradients, [first, second]);
                        sink.update(values, gradients, [first.clone(), second.clone()], false);
                    }
                }
                Kind::Pointwise { pointwise, norm: constants } => {
                    let features = pointwise.features;
                    let r = match stage.residual {
                        None => &[],
                        Some(_) if same => x,
                        Some(Source::Images) => images,
                        Some(Source::Stage(_)) => &r[..len],
                    };
                    let (moments, coefficients) = norm.split_at_mut(4 * features);
                    let (moments, affine) = moments.split_at(2 * features);
                    let affine = affine.split_at(features);
                    let (mean, inv_std) = moments.split_at(features);
                    let moments = constants.is_some().then_some(Moments { mean, inv_std });
                    let affine = match constants {
                        Some(_) => Affine { multiply: affine.0, add: affine.1 },
                        None => Affine { multiply: &[], add: &[] },
                    };
                    let towards_residual = matches!(stage.residual, Some(Source::Stage(_))) && !same;
                    let residual_gradient = towards_residual
                        .then(|| ResidualGradient { values: &mut other[..len], add: adds[1] });
                    if !wanted && moments.is_none() && residual_gradient.is_none() {
                        continue;
                    }
                    // The images want no gradient, but the norm or the residual behind them does.
                    let dz = if wanted { &mut *dx } else { &mut scratch[..len] };
                    let (sums, partial) = partial.split_at_mut(2 * features);
                    let operands = Operands { x, residual: r, affine };
                    pointwise.backward(batch, operands, moments, dy, dz, residual_gradient, partial, sums);
                    if constants.is_some() && learn {
                        give(sums, gradients, [first, second]);
                    }
                    if evaluated || matches!(constants, Some(Norm::LayerScale)) {
                        // Neither running statistics nor a layer scale follow the input: without these sums, what is left is
                        // the affine map.
                        sums.fill(0.0);
                    }
                    if let Some(moments) = moments.filter(|_| wanted) {
                        let scale = &values[first.clone()];
                        batch_norm::backward(x, scale, moments, sums, dz, coefficients);
                    }
                    if same {
                        // Both inputs of the sum are one: twice the gradient. A norm never stands before such a sum.
                        dz.iter_mut().for_each(|d| *d += *d);
                    }
                    if constants.is_some() && learn {
                        sink.update(values, gradients, [first.clone(), second.clone()], false);
                    }
                }
            }
            given.iter_mut().zip(&*dx).for_each(|(sum, &d)| *sum += d);
            watch.stop(profile.get_mut(index).map(|stage| &mut stage.backward));
        }
    }
}

/// The gradient of a linear weight, piece by piece into the gradients or straight into the update.
fn linear_weight<T: Float>(
    linear: Linear,
    x: &[T],
    dy: &[T],
    weight: Range<usize>,
    values: &mut [T],
    gradients: &mut [T],
    memory: Memory<'_, T>,
    sink: &Sink<'_, '_, T>,
) {
    let start = weight.start;
    let at = |first: usize, piece: &[T]| start + first..start + first + piece.len();
    match sink {
        Sink::Explain => {}
        Sink::Keep | Sink::Look => {
            let gradients = Shared::new(gradients);
            linear.backward_weight(
                x,
                dy,
                memory,
                |_, _| Ask::NOTHING,
                |first, piece| {
                    // SAFETY: the pieces are disjoint.
                    #[allow(unsafe_code)]
                    let gradients = unsafe { gradients.part(at(first, piece)) };
                    gradients.copy_from_slice(piece);
                },
            );
        }
        Sink::Update(updates) => {
            let values = Shared::new(values);
            let ask = |first: usize, len: usize| {
                let range = start + first..start + first + len;
                updates.ask(values.pointer(range.clone()), range)
            };
            linear.backward_weight(x, dy, memory, ask, |first, piece| {
                let range = at(first, piece);
                // SAFETY: the pieces are disjoint, and so are their values and moments.
                #[allow(unsafe_code)]
                unsafe {
                    updates.apply(range.clone(), values.part(range), piece, true);
                }
            });
        }
    }
}

/// Sums over all rows into the gradients of scale and shift: `sums: [2, features]`, the shift's first.
fn give<T: Float>(sums: &[f64], gradients: &mut [T], [scale, shift]: [&Range<usize>; 2]) {
    let (shift_sums, scale_sums) = sums.split_at(sums.len() / 2);
    for (range, sums) in [(scale, scale_sums), (shift, shift_sums)] {
        gradients[range.clone()].iter_mut().zip(sums).for_each(|(to, &sum)| *to = T::of(sum));
    }
}

/// What a BatchNorm does with given moments, into `norm: [4.., features]`: mean, inverse deviation, multiplier, summand.
fn prepare<T: Float>(
    moments: impl Iterator<Item = (f64, f64)>,
    eps: f64,
    scale: &[T],
    shift: &[T],
    norm: &mut [T],
) {
    let features = scale.len();
    for (f, (mean, var)) in moments.enumerate() {
        let inv_std = 1.0 / (var + eps).sqrt();
        let multiply = inv_std * scale[f].to_f64();
        let values = [mean, inv_std, multiply, shift[f].to_f64() - mean * multiply];
        values.into_iter().enumerate().for_each(|(row, value)| norm[row * features + f] = T::of(value));
    }
}

/// As [`prepare`], for a layer scale: mean 0, deviation 1, shift 0.
fn prepare_scale<T: Float>(scale: &[T], norm: &mut [T]) {
    let features = scale.len();
    let (moments, affine) = norm[..4 * features].split_at_mut(2 * features);
    let ((mean, inv_std), (multiply, add)) = (moments.split_at_mut(features), affine.split_at_mut(features));
    mean.fill(T::ZERO);
    inv_std.fill(T::ONE);
    multiply.copy_from_slice(scale);
    add.fill(T::ZERO);
}

/// The factors and summands of a norm in evaluation mode.
fn prepare_evaluation<T: Float>(
    kind: Norm,
    running: &[Range<usize>; 2],
    tracked: &[T],
    scale: &[T],
    shift: &[T],
    norm: &mut [T],
) {
    match kind {
        Norm::Batch { eps, .. } => {
            let [mean, var] =
                running.each_ref().map(|range| tracked[range.clone()].iter().map(|x| x.to_f64()));
            prepare(mean.zip(var), eps, scale, shift, norm);
        }
        Norm::LayerScale => prepare_scale(scale, norm),
    }
}

/// Moves running statistics towards those of a batch.
fn track<T: Float>(running: &mut [T], batch: &[f64], momentum: f64, factor: f64) {
    for (running, new) in running.iter_mut().zip(batch) {
        *running = T::of((1.0 - momentum) * running.to_f64() + momentum * new * factor);
    }
}
