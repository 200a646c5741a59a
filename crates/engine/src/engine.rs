//! A network with its values: forward, backward and the step, over buffers that are laid out once.

use crate::arena::Arena;
use crate::float::Float;
use crate::kernels::conv2d::Conv2d;
use crate::kernels::linear::Linear;
use crate::kernels::loss::{LossSum, cross_entropy};
use crate::kernels::max_pool::MaxPool;
use crate::kernels::{activation, batch_norm, dropout};
use crate::layout::Layout;
use crate::optimizer::{Optimizer, Updates};
use crate::parallel::Shared;
use pupila_network::{Network, Node, NodeId, Op, ParameterSpec, Role, StateDict, StateError, Tensor};
use std::mem::take;
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
    nodes: Vec<NodeBuffers<T>>,
    scratch: Vec<T>,
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

/// The buffers of one node.
#[derive(Debug)]
struct NodeBuffers<T> {
    /// The node whose output this one reads, past those that only rename memory.
    source: NodeId,
    /// What the op works out once.
    prepared: Prepared,
    /// Weight or scale, then bias or shift, in `values`.
    trained: [Range<usize>; 2],
    /// Running mean and variance, in `tracked`.
    tracked: [Range<usize>; 2],
    /// `[batch, shape]`
    output: Vec<T>,
    /// Gradient of the loss by the output.
    delta: Vec<T>,
    /// What the backward pass needs besides input and output: BatchNorm's mean and inverse deviation, dropout's mask.
    saved: Vec<T>,
}

/// What an op works out from the shapes alone.
#[derive(Debug)]
enum Prepared {
    Nothing,
    Conv2d(Conv2d),
    MaxPool(MaxPool),
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
            nodes: Vec::new(),
            slots,
            scratch: Vec::new(),
            partial: Vec::new(),
        };
        for (id, node) in network.nodes().iter().enumerate() {
            let buffers = engine.lay_out(id, node, training);
            engine.nodes.push(buffers);
        }
        engine
    }

    fn lay_out(&mut self, id: NodeId, node: &Node, training: bool) -> NodeBuffers<T> {
        let source = node.inputs.first().map_or(0, |&input| self.resolve(input));
        let range = |roles: &[Role]| {
            let slot = self.slots.iter().find(|slot| slot.spec.node == id && roles.contains(&slot.spec.role));
            slot.map_or(0..0, |slot| slot.range.clone())
        };
        let len = match node.op {
            Op::Input | Op::Flatten => 0,
            _ => node.shape.len() * self.capacity,
        };
        let (mut saved, mut scratch, mut partial) = (0, 0, 0);
        let mut prepared = Prepared::Nothing;
        let input = self.network.nodes()[source].shape;
        match node.op {
            Op::Linear { inputs, outputs } => {
                scratch = Linear { batch: self.capacity, inputs, outputs }.scratch_len::<T>();
            }
            Op::Conv2d { window, padding_mode, .. } => {
                let convolution = Conv2d::new::<T>(input, node.shape, window, padding_mode);
                scratch = if training { convolution.scratch_len(self.capacity) } else { 0 };
                prepared = Prepared::Conv2d(convolution);
            }
            Op::MaxPool(window) => prepared = Prepared::MaxPool(MaxPool::new(input, node.shape, window)),
            Op::BatchNorm { features, .. } => {
                saved = 2 * features;
                partial = batch_norm::scratch_len(len / features, features) + 2 * features;
            }
            Op::Dropout { .. } if training => saved = len,
            Op::Dropout { .. } | Op::Input | Op::Flatten | Op::Activation(_) => {}
        }
        let buffers = NodeBuffers {
            source,
            prepared,
            trained: [range(&[Role::Weight, Role::Scale]), range(&[Role::Bias, Role::Shift])],
            tracked: [range(&[Role::RunningMean]), range(&[Role::RunningVar])],
            output: vec![T::ZERO; len],
            delta: vec![T::ZERO; if training { len } else { 0 }],
            saved: vec![T::ZERO; saved],
        };
        grow(&mut self.scratch, scratch);
        grow(&mut self.partial, partial);
        buffers
    }

    /// The node that a node's output stands in.
    fn resolve(&self, id: NodeId) -> NodeId {
        match self.network.nodes()[id].op {
            Op::Flatten => self.nodes[id].source,
            _ => id,
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
        let Layout::Panels { outputs, map } = *layout else { return None };
        let rows = rows.min(outputs);
        let mut shape = spec.shape.clone();
        shape[0] = rows;
        let mut data = vec![0.0; shape.iter().product()];
        // A panel holds 32 rows whether all of them are wanted or not.
        let leading = Layout::Panels { outputs: rows, map };
        leading.write(&self.values[range.clone()], &mut data, |x: T| x.to_f64() as f32);
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
        &self.nodes[self.resolve(self.nodes.len() - 1)].output[..batch * self.network.classes()]
    }

    fn loss(&mut self, targets: &[u32], context: &StepContext) -> LossSum {
        let classes = self.network.classes();
        let last = self.resolve(self.nodes.len() - 1);
        let NodeBuffers { output, delta, .. } = &mut self.nodes[last];
        let len = targets.len() * classes;
        cross_entropy(&output[..len], classes, targets, context.label_smoothing, Some(&mut delta[..len]))
    }

    fn run(&mut self, images: &[T], batch: usize, training: Option<&StepContext>) {
        assert!(
            0 < batch && batch <= self.capacity,
            "a batch of {batch}, laid out for up to {}",
            self.capacity
        );
        assert_eq!(images.len(), batch * self.network.input().len(), "images are [batch, input]");
        let Engine { network, nodes, values, tracked, scratch, partial, .. } = self;
        for (id, node) in network.nodes().iter().enumerate() {
            if matches!(node.op, Op::Input | Op::Flatten) {
                continue;
            }
            let (before, after) = nodes.split_at_mut(id);
            let NodeBuffers { source, prepared, trained, tracked: running, output, saved, .. } =
                &mut after[0];
            let x = if *source == 0 { images } else { &before[*source].output };
            let (first, second) = (&values[trained[0].clone()], &values[trained[1].clone()]);
            let len = batch * node.shape.len();
            let y = &mut output[..len];
            match node.op {
                Op::Input | Op::Flatten => {}
                Op::Linear { inputs, outputs } => {
                    Linear { batch, inputs, outputs }.forward(x, first, second, y, scratch);
                }
                Op::Conv2d { .. } => {
                    if let Prepared::Conv2d(convolution) = prepared {
                        convolution.forward(batch, x, first, second, y);
                    }
                }
                Op::MaxPool(_) => {
                    if let Prepared::MaxPool(pool) = prepared {
                        pool.forward(batch, x, y);
                    }
                }
                Op::BatchNorm { features, eps, momentum } => {
                    let affine = batch_norm::Affine { scale: first, shift: second };
                    let (mean, inv_std) = saved.split_at_mut(features);
                    let x = &x[..len];
                    let (running_mean, running_var) = (running[0].clone(), running[1].clone());
                    if training.is_some() {
                        let (totals, partial) = partial.split_at_mut(2 * features);
                        let (batch_mean, batch_var) = totals.split_at_mut(features);
                        batch_norm::statistics(x, features, batch_mean, batch_var, partial);
                        let rows = (len / features) as f64;
                        let unbiased = rows / (rows - 1.0).max(1.0);
                        for f in 0..features {
                            (mean[f], inv_std[f]) =
                                (T::of(batch_mean[f]), T::of(1.0 / (batch_var[f] + eps).sqrt()));
                            let mut track = |at: usize, new: f64| {
                                tracked[at] = T::of((1.0 - momentum) * tracked[at].to_f64() + momentum * new);
                            };
                            track(running_mean.start + f, batch_mean[f]);
                            track(running_var.start + f, batch_var[f] * unbiased);
                        }
                    } else {
                        mean.copy_from_slice(&tracked[running_mean]);
                        for (inv_std, var) in inv_std.iter_mut().zip(&tracked[running_var]) {
                            *inv_std = T::of(1.0 / (var.to_f64() + eps).sqrt());
                        }
                    }
                    batch_norm::normalise(x, affine, mean, inv_std, y);
                }
                Op::Activation(kind) => activation::forward(kind, &x[..len], y),
                Op::Dropout { p } => match training {
                    Some(context) => {
                        dropout::draw(&mut saved[..len], p, context.seed, id, context.step);
                        dropout::apply(x, &saved[..len], y);
                    }
                    None => y.copy_from_slice(&x[..len]),
                },
            }
        }
    }

    fn backward(&mut self, images: &[T], batch: usize, mut sink: Sink<'_, '_, T>) {
        let Engine { network, nodes, values, gradients, scratch, partial, .. } = self;
        for (id, node) in network.nodes().iter().enumerate().rev() {
            if matches!(node.op, Op::Input | Op::Flatten) {
                continue;
            }
            let (before, after) = nodes.split_at_mut(id);
            let NodeBuffers { source, prepared, trained, output, delta, saved, .. } = &mut after[0];
            let [first, second] = trained;
            let len = batch * node.shape.len();
            let dy = &delta[..len];
            // The images need no gradient.
            let wanted = *source != 0;
            let mut dx_buffer = if wanted { take(&mut before[*source].delta) } else { Vec::new() };
            let x = if *source == 0 { images } else { &before[*source].output };
            let dx = &mut dx_buffer[..];
            match node.op {
                Op::Input | Op::Flatten => {}
                Op::Linear { inputs, outputs } => {
                    let linear = Linear { batch, inputs, outputs };
                    if wanted {
                        // Before the weight changes under the update.
                        linear.backward_input(dy, &values[first.clone()], dx, scratch);
                    }
                    linear.backward_bias(dy, &mut gradients[second.clone()]);
                    let at = |piece_first: usize, piece: &[T]| piece_first..piece_first + piece.len();
                    match &sink {
                        Sink::Keep => {
                            let weight = Shared::new(&mut gradients[first.clone()]);
                            linear.backward_weight(x, dy, scratch, |piece_first, piece| {
                                // SAFETY: the pieces are disjoint.
                                #[allow(unsafe_code)]
                                let weight = unsafe { weight.part(at(piece_first, piece)) };
                                weight.copy_from_slice(piece);
                            });
                        }
                        Sink::Update(updates) => {
                            let shared = Shared::new(&mut values[..]);
                            linear.backward_weight(x, dy, scratch, |piece_first, piece| {
                                let range = at(first.start + piece_first, piece);
                                // SAFETY: the pieces are disjoint, and so are their values and moments.
                                #[allow(unsafe_code)]
                                unsafe {
                                    updates.apply(range.clone(), shared.part(range), piece);
                                }
                            });
                        }
                    }
                    if let Sink::Update(updates) = &mut sink {
                        updates.apply_all(
                            second.start,
                            &mut values[second.clone()],
                            &gradients[second.clone()],
                        );
                    }
                }
                Op::Conv2d { .. } => {
                    if let Prepared::Conv2d(convolution) = prepared {
                        if wanted {
                            convolution.backward_input(batch, dy, &values[first.clone()], dx, scratch);
                        }
                        convolution.backward_bias(batch, dy, &mut gradients[second.clone()]);
                        convolution.backward_weight(batch, x, dy, &mut gradients[first.clone()], scratch);
                    }
                    if let Sink::Update(updates) = &mut sink {
                        for range in [first, second] {
                            updates.apply_all(
                                range.start,
                                &mut values[range.clone()],
                                &gradients[range.clone()],
                            );
                        }
                    }
                }
                Op::MaxPool(_) => {
                    if let (Prepared::MaxPool(pool), true) = (&*prepared, wanted) {
                        pool.backward(batch, x, &output[..len], dy, dx);
                    }
                }
                Op::BatchNorm { features, .. } => {
                    let (mean, inv_std) = saved.split_at(features);
                    let (dscale, dshift) =
                        gradients[first.start..second.end].split_at_mut(second.start - first.start);
                    let (totals, partial) = partial.split_at_mut(2 * features);
                    let dx = wanted.then_some(&mut dx[..len]);
                    let scale = &values[first.clone()];
                    batch_norm::backward(
                        &x[..len],
                        dy,
                        scale,
                        mean,
                        inv_std,
                        dscale,
                        dshift,
                        dx,
                        partial,
                        totals,
                    );
                    if let Sink::Update(updates) = &mut sink {
                        for range in [first, second] {
                            updates.apply_all(
                                range.start,
                                &mut values[range.clone()],
                                &gradients[range.clone()],
                            );
                        }
                    }
                }
                Op::Activation(kind) if wanted => {
                    activation::backward(kind, &x[..len], &output[..len], dy, &mut dx[..len]);
                }
                Op::Dropout { .. } if wanted => dropout::apply(dy, &saved[..len], &mut dx[..len]),
                Op::Activation(_) | Op::Dropout { .. } => {}
            }
            if wanted {
                before[*source].delta = dx_buffer;
            }
        }
    }
}

fn grow<T: Copy + Default>(buffer: &mut Vec<T>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, T::default());
    }
}
