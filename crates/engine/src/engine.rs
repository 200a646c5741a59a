//! A network with its values: forward, backward and the step, over buffers that are laid out once.

mod explain;
mod features;
mod gradient;
mod layout;
mod passes;
mod probe;
mod profile;

pub use profile::StageTime;

use crate::arena::Arena;
use crate::float::Float;
use crate::kernels::loss::cross_entropy;
use crate::kernels::sparse::Nonzeros;
use crate::kernels::tile::COLUMNS;
use crate::layout::Layout;
use crate::optimizer::{Optimizer, Updates};
use crate::parallel::{Workspaces, copy_into};
use crate::stage::{Kind, Stage, Trained, stages};
use pupila_backend::{Learning, LossSum, RestoreError, Snapshot, StepContext, Targets, TensorMemory};
use pupila_network::{Network, Op, ParameterSpec, StateDict, StateError, Tensor};
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
    /// Whether values have changed since what is prepared was made of them.
    stale: bool,
    /// Outputs, their gradients and what else lives for a part of a step, placed by the memory plan.
    memory: Arena<T>,
    scratch: Arena<T>,
    workspaces: Workspaces<T>,
    nonzeros: Nonzeros<T>,
    zeros: Vec<T>,
    partial: Vec<f64>,
    /// One for each class, or none.
    class_weights: Vec<f64>,
    /// How each node learns.
    learning: Learning,
    /// The first stage that learns: the backward pass ends there.
    first: usize,
    /// The first stage that a backward pass is laid out for.
    floor: usize,
    /// Whether passes take features in place of images.
    reads_features: bool,
    /// Whether the gradients of what is frozen may hold those of a look.
    looked: bool,
    /// Gradients that wait for [`Engine::apply`], once there have been any.
    accumulated: Option<gradient::Accumulated<T>>,
    /// Looks into passes while something is asked for.
    probe: probe::Probe,
    /// Empty unless a profile is made.
    profile: Vec<StageTime>,
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
    /// What a convolution works out of its weight alone, where the engine does not train.
    prepared: Vec<T>,
}

/// What becomes of the gradients.
enum Sink<'a, 'b, T> {
    Keep,
    Update(&'a mut Updates<'b, T>),
    /// They are looked at, those of what is frozen too.
    Look,
    /// Nobody wants them: only the gradients of maps and inputs count, behind a forward pass in evaluation mode. There
    /// BatchNorm is an affine map and dropout does nothing.
    Explain,
}

/// Values of one tensor begin at a cache line.
const ALIGNMENT: usize = 16;

impl<T: Float> Engine<T> {
    /// A network for batches of up to `capacity` samples, all its values zero. `training` lays out the backward pass too.
    pub fn new(network: &Network, capacity: usize, training: bool) -> Self {
        let all = Learning::default();
        Self::with(network, capacity, training.then_some(&all), Arena::zeroed)
    }

    /// The same for training in which no more than `learning` says ever learns: for what is frozen no backward pass is laid out.
    pub fn for_learning(network: &Network, capacity: usize, learning: &Learning) -> Self {
        Self::with(network, capacity, Some(learning), Arena::zeroed)
    }

    /// What [`Engine::memory_bytes`] would say of an engine [`Engine::for_learning`], and how many values it would train. Of it only the small
    /// workspaces are made, of as many threads as the current pool has.
    pub fn memory_needed(network: &Network, capacity: usize, learning: &Learning) -> ([usize; 3], usize) {
        let engine = Self::with(network, capacity, Some(learning), Arena::counted);
        (engine.memory_bytes(), engine.values.length())
    }

    fn with(
        network: &Network,
        capacity: usize,
        learning: Option<&Learning>,
        arena: fn(usize) -> Arena<T>,
    ) -> Self {
        let training = learning.is_some();
        let mut ends = [0, 0];
        let mut slots = Vec::new();
        for spec in network.parameters() {
            let layout = Layout::of(&spec);
            let end = &mut ends[usize::from(!spec.role.trained())];
            let range = *end..*end + layout.len();
            *end = range.end.next_multiple_of(ALIGNMENT);
            slots.push(Slot { spec, layout, range });
        }
        let (stages, floor) = stages(network, learning.map(|learning| Trained { capacity, learning }));
        let mut engine = Engine {
            network: network.clone(),
            capacity,
            values: arena(ends[0]),
            gradients: arena(if training { ends[0] } else { 0 }),
            tracked: vec![T::ZERO; ends[1]],
            stages,
            buffers: Vec::new(),
            stale: true,
            memory: Arena::zeroed(0),
            slots,
            scratch: Arena::zeroed(0),
            workspaces: Workspaces::new(),
            nonzeros: Nonzeros::new(),
            zeros: Vec::new(),
            partial: Vec::new(),
            class_weights: Vec::new(),
            learning: Learning::default(),
            first: floor,
            floor,
            reads_features: false,
            looked: false,
            accumulated: None,
            probe: probe::Probe::default(),
            profile: Vec::new(),
        };
        engine.plan(arena);
        engine
    }

    /// Weighs each class in the loss; none weighs all alike.
    ///
    /// # Panics
    /// With another number of weights than classes.
    pub fn set_class_weights(&mut self, weights: &[f64]) {
        assert!(weights.is_empty() || weights.len() == self.network.classes(), "one weight for each class");
        self.class_weights = weights.to_vec();
    }

    /// Which nodes learn from now on, and how fast.
    ///
    /// # Panics
    /// With another number of nodes than the network's, unless there are none; where something is to learn that the engine was not made for.
    pub fn set_learning(&mut self, learning: &Learning) {
        let nodes = self.network.nodes().len();
        assert!(learning.nodes.is_empty() || learning.nodes.len() == nodes, "one for each node");
        self.learning = learning.clone();
        self.reads_features = false;
        let nodes = self.network.nodes();
        for stage in &mut self.stages {
            // A norm takes a bias off again by the batch's mean alone, not by a running one.
            let behind = nodes.iter().position(|node| node.inputs.contains(&stage.node));
            let norm = behind.filter(|&behind| matches!(nodes[behind].op, Op::BatchNorm { .. }));
            if matches!(stage.kind, Kind::Linear { .. } | Kind::Conv2d(_) | Kind::Grouped(_)) {
                stage.bias_cancels = norm.is_some_and(|norm| !learning.of(norm).evaluates);
            }
        }
        let cancelled = self.stages.iter().zip(&self.buffers).filter(|(stage, _)| stage.bias_cancels);
        for (_, buffers) in cancelled {
            // Nobody works it out, and a look may have while the norm was frozen.
            if let Some(gradient) = self.gradients.get_mut(buffers.trained[1].clone()) {
                gradient.fill(T::ZERO);
            }
        }
        let learns = |stage: &Stage| {
            let has_tensors = self.slots.iter().any(|slot| slot.spec.node == stage.tensors);
            has_tensors && learning.of(stage.tensors).rate > 0.0
        };
        self.first = self.stages.iter().position(learns).unwrap_or(self.stages.len());
        let laid_out = self.first >= self.floor || self.gradients.is_empty();
        assert!(laid_out, "the engine was made for less to learn");
        self.looked = true;
    }

    /// Lets the gradients of what is frozen be zero.
    fn clear_frozen(&mut self) {
        if !std::mem::take(&mut self.looked) || self.gradients.is_empty() {
            return;
        }
        for Slot { spec, range, .. } in self.slots.iter().filter(|slot| slot.spec.role.trained()) {
            if self.learning.of(spec.node).rate == 0.0 {
                self.gradients[range.clone()].fill(T::ZERO);
            }
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
        self.stale = true;
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
        self.stale = true;
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
        copy_into(&self.values, &mut snapshot.trained);
        copy_into(&self.tracked, &mut snapshot.tracked);
    }

    /// Moves the snapshot's trained values to `decay` of what they are and the rest of what they are here, the exponential
    /// moving average of `torch.optim.swa_utils`; what is tracked is copied. An empty snapshot takes everything as it is.
    pub fn average_into(&self, snapshot: &mut Snapshot<T>, decay: f64) {
        if snapshot.trained.is_empty() {
            return self.save_to(snapshot);
        }
        let (keep, take) = (T::of(decay), T::of(1.0 - decay));
        gradient::combine(&mut snapshot.trained, &self.values, |average, value| {
            // What does not change stays as it is, without rounding.
            if *average != value {
                *average = keep * *average + take * value;
            }
        });
        snapshot.tracked.copy_from_slice(&self.tracked);
    }

    /// Bytes that the network takes: values, gradients, and what lives for a part of a step.
    pub fn memory_bytes(&self) -> [usize; 3] {
        let trained = self.values.length() + self.tracked.len();
        let step =
            self.memory.length() + self.scratch.length() + self.workspaces.memory_len() + self.zeros.len();
        let [trained, gradients, step] =
            [trained, self.gradients.length(), step].map(|len| len * size_of::<T>());
        [trained, gradients, step + self.nonzeros.memory_bytes()]
    }

    /// Takes back the values of a snapshot of this network.
    ///
    /// # Panics
    /// With a snapshot of another network.
    pub fn restore(&mut self, snapshot: &Snapshot<T>) {
        self.stale = true;
        self.values.copy_from_slice(&snapshot.trained);
        self.tracked.copy_from_slice(&snapshot.tracked);
    }

    pub(crate) fn check_snapshot(&self, snapshot: &Snapshot<T>) -> Result<(), RestoreError> {
        RestoreError::check_length("the trained values", self.values.len(), snapshot.trained.len())?;
        RestoreError::check_length("the tracked values", self.tracked.len(), snapshot.tracked.len())
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
    pub fn gradients<'a>(
        &mut self,
        images: &[T],
        targets: impl Into<Targets<'a>>,
        context: &StepContext,
    ) -> LossSum {
        let targets = targets.into();
        let batch = targets.classes.len();
        self.run(images, batch, Some(context));
        let loss = self.loss(targets, context);
        self.clear_frozen();
        self.backward(images, batch, Sink::Keep);
        loss
    }

    /// One training step: forward, loss, backward, update. With a loss that is not finite nothing is updated.
    ///
    /// `images`: `[batch, input]`, `targets`: `[batch]`.
    pub fn step<'a>(
        &mut self,
        images: &[T],
        targets: impl Into<Targets<'a>>,
        context: &StepContext,
        optimizer: &mut Optimizer<T>,
        lr: f64,
    ) -> LossSum {
        let targets = targets.into();
        let batch = targets.classes.len();
        self.run(images, batch, Some(context));
        let loss = self.loss(targets, context);
        if loss.loss.is_finite() {
            self.backward(images, batch, Sink::Update(&mut optimizer.begin(lr)));
        }
        loss
    }

    fn logits(&self, batch: usize) -> &[T] {
        let len = batch * self.network.classes();
        self.buffers.last().map_or(&[], |last| &self.memory[last.output.clone()][..len])
    }

    fn loss(&mut self, targets: Targets<'_>, context: &StepContext) -> LossSum {
        let classes = self.network.classes();
        let Some(last) = self.buffers.last() else { return LossSum::default() };
        let [logits, delta] = parts(&mut self.memory, [&last.output, &last.delta]);
        let len = targets.classes.len() * classes;
        let smoothing = context.label_smoothing;
        cross_entropy(
            &logits[..len],
            classes,
            targets,
            smoothing,
            &self.class_weights,
            Some(&mut delta[..len]),
        )
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
