//! A network with its values: forward, backward and the step, over buffers that are laid out once.

use crate::arena::Arena;
use crate::float::Float;
use crate::kernels::batch_norm;
use crate::kernels::column_sums;
use crate::kernels::dropout;
use crate::kernels::linear::Linear;
use crate::kernels::loss::{LossSum, cross_entropy};
use crate::kernels::pointwise::{Affine, Moments, ResidualGradient};
use crate::kernels::tile::COLUMNS;
use crate::layout::Layout;
use crate::optimizer::{Optimizer, Updates};
use crate::parallel::Shared;
use crate::plan::{BufferId, Planner};
use crate::stage::{Kind, Source, Stage, stages};
use pupila_network::{Network, ParameterSpec, Role, StateDict, StateError, Tensor};
use std::ops::Range;

/// A network ready to run on the threads of the current rayon pool.
///
/// Results don't depend on the number of threads, to the bit.
#[derive(Debug)]
pub struct Engine<T> {
    network: Network,
    capacity: usize,
    slots: Vec<Slot>,
    values: Arena<T>,
    gradients: Arena<T>,
    tracked: Vec<T>,
    stages: Vec<Stage>,
    buffers: Vec<Buffers<T>>,
    /// Outputs, their gradients and what else lives for a part of a step, placed by the memory plan.
    memory: Arena<T>,
    scratch: Vec<T>,
    zeros: Vec<T>,
    partial: Vec<f64>,
}

/// A copy of a network's values in the engine's own order.
#[derive(Debug, Clone, Default)]
pub struct Snapshot<T> {
    trained: Vec<T>,
    tracked: Vec<T>,
}

/// A trained tensor as it lies in memory: its elements in the engine's own order, for whoever only counts or sums them.
#[derive(Debug, Clone, Copy)]
pub struct TensorMemory<'a, T> {
    /// Its name and shape.
    pub spec: &'a ParameterSpec,
    /// Its values, and zeros where memory is filled up.
    pub values: &'a [T],
    /// The gradient of the last [`Engine::gradients`], filled up likewise; empty where the engine doesn't train.
    pub gradient: &'a [T],
    /// How many elements only fill up memory.
    pub filling: usize,
}

/// Where a tensor stands: in `values` where it is trained, else in `tracked`.
#[derive(Debug)]
struct Slot {
    spec: ParameterSpec,
    layout: Layout,
    range: Range<usize>,
}

/// The buffers of one stage.
#[derive(Debug)]
struct Buffers<T> {
    /// Weight or scale, then bias or shift, in `values`.
    trained: [Range<usize>; 2],
    /// Running mean and variance, in `tracked`.
    tracked: [Range<usize>; 2],
    /// `[batch, shape]`, in `memory`.
    output: Range<usize>,
    /// Gradient of the loss by the output, in `memory`.
    delta: Range<usize>,
    /// What else the backward pass needs, in `memory`: a convolution's copy of its input with padding, dropout's mask.
    saved: Range<usize>,
    /// The input's gradient where it is to be added to what another stage has given already, in `memory`.
    temporary: Range<usize>,
    /// Whether another stage has already given a gradient to the input, and to the residual.
    adds: [bool; 2],
    /// BatchNorm's mean, inverse deviation, multiplier and summand, and coefficients of its gradient: `[7, features]`.
    norm: Vec<T>,
}

/// What one training step depends on besides the batch and the values.
#[derive(Debug, Clone, Copy)]
pub struct StepContext {
    /// The run's seed.
    pub seed: u64,
    /// Counts the steps of the run; keys the draws of dropout.
    pub step: u64,
    /// Share of the target distribution that is spread over all classes.
    pub label_smoothing: f64,
}

/// What becomes of the gradients.
enum Sink<'a, 'b, T> {
    Keep,
    Update(&'a mut Updates<'b, T>),
}

/// Values of one tensor begin at a cache line.
const ALIGNMENT: usize = 16;

impl<T: Float> Engine<T> {
    /// A network for batches of up to `capacity` samples, all its values zero. `training` lays out the backward pass too.
    pub fn new(network: &Network, capacity: usize, training: bool) -> Self {
        let mut ends = [0, 0];
        let mut slots = Vec::new();
        for spec in network.parameters() {
            let layout = Layout::of(&spec);
            let end = &mut ends[usize::from(!spec.role.trained())];
            let range = *end..*end + layout.len();
            *end = range.end.next_multiple_of(ALIGNMENT);
            slots.push(Slot { spec, layout, range });
        }
        let mut engine = Engine {
            network: network.clone(),
            capacity,
            values: Arena::zeroed(ends[0]),
            gradients: Arena::zeroed(if training { ends[0] } else { 0 }),
            tracked: vec![T::ZERO; ends[1]],
            stages: stages(network, training.then_some(capacity)),
            buffers: Vec::new(),
            memory: Arena::zeroed(0),
            slots,
            scratch: Vec::new(),
            zeros: Vec::new(),
            partial: Vec::new(),
        };
        engine.plan(training);
        engine
    }

    /// Lays out what lives for a part of a step. The forward pass of stage i is at time i, its backward pass at time
    /// 2 stages - i, the loss between them.
    fn plan(&mut self, training: bool) {
        let (count, capacity) = (self.stages.len(), self.capacity);
        let backward = |stage: usize| 2 * count - stage;
        let mut planner = Planner::default();
        let mut ids = Vec::new();
        for (index, stage) in self.stages.iter().enumerate() {
            let len = stage.shape.len() * capacity;
            let saved = match &stage.kind {
                Kind::Conv2d(convolution) => convolution.padded_len() * capacity,
                Kind::Dropout { .. } if training => len,
                _ => 0,
            };
            let end = if training { backward(index) } else { index };
            let output = planner.request(len, index, index);
            let saved = planner.request(saved, index, end);
            let delta = planner.request(if training { len } else { 0 }, backward(index), backward(index));
            ids.push((output, delta, saved));
        }
        let mut given = vec![false; count];
        // The logits' gradient comes from the loss.
        if let Some(last) = given.last_mut() {
            *last = true;
            planner.extend(ids[count - 1].0, count);
            planner.extend(ids[count - 1].1, count);
        }
        let mut adds = vec![[false; 2]; count];
        let mut temporary = Vec::new();
        for (index, stage) in self.stages.iter().enumerate().rev() {
            let mut len = 0;
            for (slot, source) in [Some(stage.input), stage.residual].into_iter().enumerate() {
                let Some(Source::Stage(from)) = source else { continue };
                planner.extend(ids[from].0, index);
                if !training {
                    continue;
                }
                if stage.reads_inputs_again() {
                    planner.extend(ids[from].0, backward(index));
                }
                planner.extend(ids[from].1, backward(index));
                adds[index][slot] = std::mem::replace(&mut given[from], true);
                let by_itself = matches!(stage.kind, Kind::Conv2d(_) | Kind::Grouped(_));
                if slot == 0 && adds[index][0] && !by_itself {
                    len = stage.input_shape.len() * capacity;
                }
            }
            temporary.push(planner.request(len, backward(index), backward(index)));
        }
        temporary.reverse();
        let (places, total) = planner.place();
        self.memory = Arena::zeroed(total);
        for (index, stage) in self.stages.iter().enumerate() {
            let range = |roles: &[Role]| {
                let of = |slot: &&Slot| slot.spec.node == stage.tensors && roles.contains(&slot.spec.role);
                self.slots.iter().find(of).map_or(0..0, |slot| slot.range.clone())
            };
            let place = |id: BufferId| places[id.index()].clone();
            let features = stage.input_shape.features();
            let (mut scratch, mut zeros, mut partial, mut norm_len) = (0, 0, 0, 0);
            match &stage.kind {
                &Kind::Linear { inputs, outputs } => {
                    scratch = Linear { batch: capacity, inputs, outputs }.scratch_len::<T>();
                }
                Kind::Conv2d(convolution) => {
                    scratch = if training { convolution.scratch_len() } else { 0 };
                    zeros = convolution.zeros_len();
                    partial = if training {
                        column_sums::partial_len(capacity * stage.shape.len(), stage.shape)
                    } else {
                        0
                    };
                }
                Kind::Grouped(_) => {
                    partial = if training {
                        column_sums::partial_len(capacity * stage.shape.len(), stage.shape)
                    } else {
                        0
                    };
                }
                Kind::Pointwise { pointwise, norm } if training => {
                    partial = pointwise.partial_len(capacity);
                    if norm.is_some() {
                        let rows = capacity * stage.input_shape.len() / features;
                        partial = partial.max(batch_norm::partial_len(rows, features));
                    }
                    partial += 2 * features;
                    norm_len = 7 * features;
                }
                Kind::Pointwise { .. } => norm_len = 7 * features,
                Kind::AvgPool(_) | Kind::Dropout { .. } => {}
            }
            let buffers = Buffers {
                trained: [range(&[Role::Weight, Role::Scale]), range(&[Role::Bias, Role::Shift])],
                tracked: [range(&[Role::RunningMean]), range(&[Role::RunningVar])],
                output: place(ids[index].0),
                delta: place(ids[index].1),
                saved: place(ids[index].2),
                temporary: place(temporary[index]),
                adds: adds[index],
                norm: vec![T::ZERO; norm_len],
            };
            self.buffers.push(buffers);
            grow(&mut self.scratch, scratch);
            grow(&mut self.zeros, zeros);
            grow(&mut self.partial, partial);
        }
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The largest batch.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// All trained values in the engine's own order, with zeros between and within tensors where memory is filled up.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The same values, to be changed.
    pub fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }

    /// The gradient of the last [`Engine::gradients`] in the order of [`Engine::values`].
    pub fn gradient(&self) -> &[T] {
        &self.gradients
    }

    /// Takes over the values of a state dict with PyTorch's names and layouts.
    ///
    /// # Errors
    /// A tensor is missing, has another shape, or is not of this network. Nothing has changed then.
    pub fn load(&mut self, state: &StateDict) -> Result<(), StateError> {
        for Slot { spec, .. } in &self.slots {
            let tensor = state.get(&spec.name).ok_or_else(|| StateError::Missing(spec.name.clone()))?;
            if tensor.shape != spec.shape || tensor.data.len() != spec.len() {
                let (name, expected, found) = (spec.name.clone(), spec.shape.clone(), tensor.shape.clone());
                return Err(StateError::Shape { name, expected, found });
            }
        }
        let known = |name: &String| self.slots.iter().any(|slot| slot.spec.name == *name);
        if let Some(name) = state.keys().find(|name| !known(name) && !name.ends_with("num_batches_tracked")) {
            return Err(StateError::Unexpected(name.clone()));
        }
        for Slot { spec, layout, range } in &self.slots {
            let memory = if spec.role.trained() { &mut self.values[..] } else { &mut self.tracked[..] };
            layout.read(&state[&spec.name].data, &mut memory[range.clone()], |x: f32| T::of(f64::from(x)));
        }
        Ok(())
    }

    /// The values as a state dict with PyTorch's names and layouts.
    pub fn state(&self) -> StateDict {
        self.export(&self.values)
    }

    /// The gradient of the last [`Engine::gradients`], by the names and in the layouts of a state dict. Tracked tensors
    /// have none and are left out.
    pub fn gradient_state(&self) -> StateDict {
        let mut state = self.export(&self.gradients);
        self.slots.iter().filter(|slot| !slot.spec.role.trained()).for_each(|slot| {
            state.remove(&slot.spec.name);
        });
        state
    }

    /// Every trained tensor as it lies in memory, in the order of [`Network::parameters`].
    pub fn tensors(&self) -> impl Iterator<Item = TensorMemory<'_, T>> {
        self.slots.iter().filter(|slot| slot.spec.role.trained()).map(|Slot { spec, layout, range }| {
            TensorMemory {
                spec,
                values: &self.values[range.clone()],
                gradient: self.gradients.get(range.clone()).unwrap_or_default(),
                filling: layout.len() - spec.len(),
            }
        })
    }

    /// The first `rows` of a weight, `[rows, ...]` in PyTorch's layout, or all where there are fewer; none where the
    /// network has no weight of that name.
    pub fn leading_rows(&self, name: &str, rows: usize) -> Option<Tensor> {
        let Slot { spec, layout, range } = self.slots.iter().find(|slot| slot.spec.name == name)?;
        let Layout::Panels { outputs, map, width } = *layout else { return None };
        let rows = rows.min(outputs);
        let mut shape = spec.shape.clone();
        shape[0] = rows;
        let mut data = vec![0.0; shape.iter().product()];
        // A panel holds its rows whether all of them are wanted or not; the panel of a grouped convolution is all of it.
        if width == COLUMNS {
            let leading = Layout::Panels { outputs: rows, map, width };
            leading.write(&self.values[range.clone()], &mut data, |x: T| x.to_f64() as f32);
        } else {
            let mut all = vec![0.0; spec.len()];
            layout.write(&self.values[range.clone()], &mut all, |x: T| x.to_f64() as f32);
            all.truncate(data.len());
            data = all;
        }
        Some(Tensor { shape, data })
    }

    fn export(&self, trained: &[T]) -> StateDict {
        let tensor = |Slot { spec, layout, range }: &Slot| {
            let memory = if spec.role.trained() { trained } else { &self.tracked };
            let mut data = vec![0.0; spec.len()];
            layout.write(&memory[range.clone()], &mut data, |x: T| x.to_f64() as f32);
            (spec.name.clone(), Tensor { shape: spec.shape.clone(), data })
        };
        self.slots.iter().map(tensor).collect()
    }

    /// Copies all values, tracked ones included, into `snapshot`.
    pub fn save_to(&self, snapshot: &mut Snapshot<T>) {
        snapshot.trained.clear();
        snapshot.trained.extend_from_slice(&self.values);
        snapshot.tracked.clone_from(&self.tracked);
    }

    /// Takes back the values of a snapshot of this network.
    pub fn restore(&mut self, snapshot: &Snapshot<T>) {
        self.values.copy_from_slice(&snapshot.trained);
        self.tracked.copy_from_slice(&snapshot.tracked);
    }

    /// The logits of `images: [batch, input]` in evaluation mode: `[batch, classes]`.
    pub fn forward(&mut self, images: &[T], batch: usize) -> &[T] {
        self.run(images, batch, None);
        self.logits(batch)
    }

    /// The logits of `images: [batch, input]` in training mode: dropout drops, BatchNorm uses the batch's statistics and
    /// moves the running ones.
    pub fn forward_training(&mut self, images: &[T], batch: usize, context: &StepContext) -> &[T] {
        self.run(images, batch, Some(context));
        self.logits(batch)
    }

    /// The loss of a batch in training mode and its gradient, kept for [`Engine::gradient`].
    pub fn gradients(&mut self, images: &[T], targets: &[u32], context: &StepContext) -> LossSum {
        self.run(images, targets.len(), Some(context));
        let loss = self.loss(targets, context);
        self.backward(images, targets.len(), Sink::Keep);
        loss
    }

    /// One training step: forward, loss, backward, update. With a loss that is not finite nothing is updated.
    ///
    /// `images`: `[batch, input]`, `targets`: `[batch]`.
    pub fn step(
        &mut self,
        images: &[T],
        targets: &[u32],
        context: &StepContext,
        optimizer: &mut Optimizer<T>,
        lr: f64,
    ) -> LossSum {
        self.run(images, targets.len(), Some(context));
        let loss = self.loss(targets, context);
        if loss.loss.is_finite() {
            self.backward(images, targets.len(), Sink::Update(&mut optimizer.begin(lr)));
        }
        loss
    }

    fn logits(&self, batch: usize) -> &[T] {
        let len = batch * self.network.classes();
        self.buffers.last().map_or(&[], |last| &self.memory[last.output.clone()][..len])
    }

    fn loss(&mut self, targets: &[u32], context: &StepContext) -> LossSum {
        let classes = self.network.classes();
        let Some(last) = self.buffers.last() else { return LossSum::default() };
        let [logits, delta] = parts(&mut self.memory, [&last.output, &last.delta]);
        let len = targets.len() * classes;
        cross_entropy(&logits[..len], classes, targets, context.label_smoothing, Some(&mut delta[..len]))
    }

    fn run(&mut self, images: &[T], batch: usize, training: Option<&StepContext>) {
        assert!(
            0 < batch && batch <= self.capacity,
            "a batch of {batch}, laid out for up to {}",
            self.capacity
        );
        assert_eq!(images.len(), batch * self.network.input().len(), "images are [batch, input]");
        let Engine { stages, buffers, memory, values, tracked, scratch, zeros, partial, .. } = self;
        for index in 0..stages.len() {
            let stage = &stages[index];
            let place = |source| match source {
                Some(Source::Stage(from)) => buffers[from].output.clone(),
                _ => 0..0,
            };
            let (input, residual) = (place(Some(stage.input)), place(stage.residual));
            let Buffers { trained, tracked: running, output, saved, norm, .. } = &mut buffers[index];
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
                Some(Source::Stage(_)) => &r[..x.len()],
            };
            let y = &mut y[..batch * stage.shape.len()];
            let (first, second) = (&values[trained[0].clone()], &values[trained[1].clone()]);
            match &stage.kind {
                &Kind::Linear { inputs, outputs } => {
                    Linear { batch, inputs, outputs }.forward(x, first, second, y, scratch);
                }
                Kind::Conv2d(convolution) => convolution.forward(batch, x, first, second, zeros, saved, y),
                Kind::Grouped(convolution) => convolution.forward(batch, x, first, second, y),
                Kind::AvgPool(pool) => pool.forward(batch, x, y),
                &Kind::Dropout { p } => match training {
                    Some(context) => {
                        let key = dropout::Key { seed: context.seed, layer: stage.node, step: context.step };
                        dropout::forward(x, p, key, &mut saved[..y.len()], y);
                    }
                    None => y.copy_from_slice(x),
                },
                Kind::Pointwise { pointwise, norm: None } => {
                    pointwise.forward(batch, x, r, Affine { multiply: &[], add: &[] }, y);
                }
                Kind::Pointwise { pointwise, norm: Some(constants) } => {
                    let features = pointwise.features;
                    if training.is_some() {
                        let (moments, partial) = partial.split_at_mut(2 * features);
                        let (mean, var) = moments.split_at_mut(features);
                        batch_norm::statistics(x, features, mean, var, partial);
                        let [running_mean, running_var] = running;
                        let rows = x.len() / features;
                        track(&mut tracked[running_mean.clone()], mean, constants.momentum, 1.0);
                        let unbiased = rows as f64 / (rows as f64 - 1.0).max(1.0);
                        track(&mut tracked[running_var.clone()], var, constants.momentum, unbiased);
                        let moments = mean.iter().copied().zip(var.iter().copied());
                        prepare(moments, constants.eps, first, second, norm);
                    } else {
                        let mean = tracked[running[0].clone()].iter().map(|x| x.to_f64());
                        let var = tracked[running[1].clone()].iter().map(|x| x.to_f64());
                        prepare(mean.zip(var), constants.eps, first, second, norm);
                    }
                    let (multiply, add) = norm[2 * features..4 * features].split_at(features);
                    pointwise.forward(batch, x, r, Affine { multiply, add }, y);
                }
            }
        }
    }

    fn backward(&mut self, images: &[T], batch: usize, mut sink: Sink<'_, '_, T>) {
        let Engine { stages, buffers, memory, values, gradients, scratch, zeros, partial, .. } = self;
        for index in (0..stages.len()).rev() {
            let stage = &stages[index];
            let of = |source| match source {
                Some(Source::Stage(from)) => (buffers[from].output.clone(), buffers[from].delta.clone()),
                _ => (0..0, 0..0),
            };
            let ((input, input_delta), (residual, residual_delta)) =
                (of(Some(stage.input)), of(stage.residual));
            let Buffers { trained, delta, saved, temporary, adds, norm, .. } = &mut buffers[index];
            let [first, second] = trained;
            // The images need no gradient.
            let wanted = stage.input != Source::Images;
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
            match &stage.kind {
                &Kind::Linear { inputs, outputs } => {
                    let linear = Linear { batch, inputs, outputs };
                    if wanted {
                        // Before the weight changes under the update.
                        linear.backward_input(dy, &values[first.clone()], dx, scratch);
                    }
                    linear.backward_bias(dy, &mut gradients[second.clone()]);
                    linear_weight(linear, x, dy, first.clone(), values, gradients, scratch, &sink);
                    sink.update(values, gradients, [0..0, second.clone()]);
                }
                Kind::Conv2d(convolution) => {
                    if wanted {
                        let weight = &values[first.clone()];
                        convolution.backward_input(batch, dy, weight, zeros, adds[0], dx, scratch);
                    }
                    column_sums::of(dy, &mut gradients[second.clone()], partial);
                    convolution.backward_weight(batch, x, saved, dy, &mut gradients[first.clone()]);
                    sink.update(values, gradients, [first.clone(), second.clone()]);
                }
                Kind::Grouped(convolution) => {
                    if wanted {
                        convolution.backward_input(batch, dy, &values[first.clone()], adds[0], dx);
                    }
                    column_sums::of(dy, &mut gradients[second.clone()], partial);
                    convolution.backward_weight(batch, x, dy, &mut gradients[first.clone()]);
                    sink.update(values, gradients, [first.clone(), second.clone()]);
                }
                Kind::AvgPool(pool) if wanted => pool.backward(batch, dy, dx),
                Kind::Dropout { .. } if wanted => dropout::backward(dy, &saved[..dy.len()], dx),
                Kind::AvgPool(_) | Kind::Dropout { .. } => {}
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
                    let (sums, partial) = partial.split_at_mut(2 * features);
                    if wanted {
                        pointwise.backward(
                            batch,
                            x,
                            r,
                            affine,
                            moments,
                            dy,
                            dx,
                            residual_gradient,
                            partial,
                            sums,
                        );
                        if let Some(moments) = moments {
                            let scale = &values[first.clone()];
                            batch_norm::backward(x, scale, moments, sums, dx, coefficients);
                        }
                        if same {
                            // Both inputs of the sum are one: twice the gradient. A norm never stands before such a sum.
                            dx.iter_mut().for_each(|d| *d += *d);
                        }
                    } else if moments.is_some() {
                        // Nothing stands before it, but its own tensors want their gradient.
                        let dz = &mut scratch[..len];
                        pointwise.backward(
                            batch,
                            x,
                            r,
                            affine,
                            moments,
                            dy,
                            dz,
                            residual_gradient,
                            partial,
                            sums,
                        );
                    }
                    if constants.is_some() {
                        let sums = sums.split_at(features);
                        let shift = gradients[second.clone()].iter_mut().zip(sums.0);
                        shift.for_each(|(to, &sum)| *to = T::of(sum));
                        let scale = gradients[first.clone()].iter_mut().zip(sums.1);
                        scale.for_each(|(to, &sum)| *to = T::of(sum));
                        sink.update(values, gradients, [first.clone(), second.clone()]);
                    }
                }
            }
            given.iter_mut().zip(&*dx).for_each(|(sum, &d)| *sum += d);
        }
    }
}

impl<T: Float> Sink<'_, '_, T> {
    /// Updates some tensors with their gradients, if that is what becomes of them.
    fn update(&mut self, values: &mut [T], gradients: &[T], ranges: [Range<usize>; 2]) {
        if let Sink::Update(updates) = self {
            for range in ranges {
                updates.apply_all(range.start, &mut values[range.clone()], &gradients[range]);
            }
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
    scratch: &mut [T],
    sink: &Sink<'_, '_, T>,
) {
    let start = weight.start;
    let at = |first: usize, piece: &[T]| start + first..start + first + piece.len();
    match sink {
        Sink::Keep => {
            let gradients = Shared::new(gradients);
            linear.backward_weight(x, dy, scratch, |first, piece| {
                // SAFETY: the pieces are disjoint.
                #[allow(unsafe_code)]
                let gradients = unsafe { gradients.part(at(first, piece)) };
                gradients.copy_from_slice(piece);
            });
        }
        Sink::Update(updates) => {
            let values = Shared::new(values);
            linear.backward_weight(x, dy, scratch, |first, piece| {
                let range = at(first, piece);
                // SAFETY: the pieces are disjoint, and so are their values and moments.
                #[allow(unsafe_code)]
                unsafe {
                    updates.apply(range.clone(), values.part(range), piece);
                }
            });
        }
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

/// Moves running statistics towards those of a batch.
fn track<T: Float>(running: &mut [T], batch: &[f64], momentum: f64, factor: f64) {
    for (running, new) in running.iter_mut().zip(batch) {
        *running = T::of((1.0 - momentum) * running.to_f64() + momentum * new * factor);
    }
}

/// Buffers of the memory plan that are alive at one time, and so stand apart.
fn parts<'a, T, const N: usize>(memory: &'a mut [T], ranges: [&Range<usize>; N]) -> [&'a mut [T]; N] {
    // An empty range within another one would count as an overlap.
    let ranges = ranges.map(|range| if range.is_empty() { 0..0 } else { range.clone() });
    match memory.get_disjoint_mut(ranges) {
        Ok(parts) => parts,
        Err(overlap) => unreachable!("the memory plan keeps buffers apart that live together: {overlap}"),
    }
}

fn grow<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
}
