//! The engine as a backend.

use crate::optimizer::OptimizerEntry;
use crate::{Engine, Optimizer};
use pupila_backend::{
    Activations, Backend, Explanation, Learning, LossSum, MemoryBytes, NotFinite, OptimizerConfig,
    OptimizerError, RestoreError, Snapshot, Spread, StepContext, Targets, TensorMemory, TrainingState,
};
use pupila_network::{Network, StateDict, StateError, Tensor};
use rayon::prelude::*;

/// Values whose squares one job sums up; fixed, so that the sum doesn't depend on the number of threads.
const PIECE: usize = 1 << 18;

/// An engine with its optimizer, on the threads of the rayon pool that it is called from.
#[derive(Debug)]
pub struct CpuBackend {
    engine: Engine<f32>,
    optimizer: Option<Optimizer<f32>>,
}

impl CpuBackend {
    /// A network for batches of up to `capacity` samples, all its values zero, and no optimizer. `training` lays out the
    /// backward pass too.
    pub fn new(network: &Network, capacity: usize, training: bool) -> Self {
        CpuBackend { engine: Engine::new(network, capacity, training), optimizer: None }
    }

    /// The same for training in which no more than `learning` says ever learns: for what is frozen no backward pass is laid out.
    pub fn for_learning(network: &Network, capacity: usize, learning: &Learning) -> Self {
        CpuBackend { engine: Engine::for_learning(network, capacity, learning), optimizer: None }
    }

    /// What [`Backend::memory_bytes`] would say of one [`for_learning`](CpuBackend::for_learning) with this optimizer;
    /// of it only small workspaces are made, of as many threads as the current pool has.
    pub fn memory_needed(
        network: &Network,
        capacity: usize,
        learning: &Learning,
        optimizer: &OptimizerConfig,
    ) -> MemoryBytes {
        let ([values, gradients, step], trained) = Engine::<f32>::memory_needed(network, capacity, learning);
        let moments = OptimizerEntry::find(&optimizer.name).map_or(0, |entry| entry.moments);
        MemoryBytes { values, gradients, moments: moments * trained * size_of::<f32>(), step }
    }

    /// The engine, for what is no backend's: the profile of a step.
    pub fn engine(&self) -> &Engine<f32> {
        &self.engine
    }

    /// The same, to be changed.
    pub fn engine_mut(&mut self) -> &mut Engine<f32> {
        &mut self.engine
    }
}

/// What every update needs.
///
/// # Panics
/// Where there is none, as [`Backend`] says.
fn set(optimizer: &mut Option<Optimizer<f32>>) -> &mut Optimizer<f32> {
    let Some(optimizer) = optimizer else { panic!("an update needs an optimizer: call set_optimizer first") };
    optimizer
}

impl Backend for CpuBackend {
    fn network(&self) -> &Network {
        self.engine.network()
    }

    fn capacity(&self) -> usize {
        self.engine.capacity()
    }

    fn memory_bytes(&self) -> MemoryBytes {
        let [values, gradients, step] = self.engine.memory_bytes();
        let moments = self.optimizer.as_ref().map_or(0, Optimizer::memory_bytes);
        MemoryBytes { values, gradients, moments, step }
    }

    fn load(&mut self, state: &StateDict) -> Result<(), StateError> {
        self.engine.load(state)
    }

    fn state(&self) -> StateDict {
        self.engine.state()
    }

    fn forward(&mut self, images: &[f32], batch: usize) -> &[f32] {
        self.engine.forward(images, batch)
    }

    fn set_class_weights(&mut self, weights: &[f64]) {
        self.engine.set_class_weights(weights);
    }

    fn set_learning(&mut self, learning: &Learning) {
        self.engine.set_learning(learning);
    }

    fn feature_len(&self) -> Option<usize> {
        self.engine.feature_len()
    }

    fn features(&mut self, images: &[f32], batch: usize) -> &[f32] {
        self.engine.features(images, batch)
    }

    fn read_features(&mut self, reads: bool) {
        self.engine.read_features(reads);
    }

    fn reads_features(&self) -> bool {
        self.engine.reads_features()
    }

    fn set_optimizer(&mut self, config: &OptimizerConfig) -> Result<(), OptimizerError> {
        self.optimizer = Some(Optimizer::new(config, self.engine.values().len())?);
        self.engine.drop_waiting();
        Ok(())
    }

    fn end_training(&mut self) {
        self.optimizer = None;
        self.engine.drop_waiting();
    }

    fn updates(&self) -> u64 {
        self.optimizer.as_ref().map_or(0, Optimizer::steps)
    }

    fn step(&mut self, images: &[f32], targets: Targets<'_>, context: &StepContext, lr: f64) -> LossSum {
        self.engine.step(images, targets, context, set(&mut self.optimizer), lr)
    }

    fn accumulate(&mut self, images: &[f32], targets: Targets<'_>, context: &StepContext) -> LossSum {
        self.engine.accumulate(images, targets, context)
    }

    fn apply(&mut self, lr: f64, max_norm: Option<f64>) -> f64 {
        self.engine.apply(set(&mut self.optimizer), lr, max_norm)
    }

    fn training_state(&self) -> TrainingState {
        let mut values = Snapshot::default();
        self.engine.save_to(&mut values);
        let optimizer = self.optimizer.as_ref().map(Optimizer::state);
        TrainingState { values, optimizer, waiting: self.engine.waiting() }
    }

    fn training_state_into(&self, state: &mut TrainingState) {
        self.engine.save_to(&mut state.values);
        match (&self.optimizer, &mut state.optimizer) {
            (Some(optimizer), Some(state)) => optimizer.state_into(state),
            (optimizer, state) => *state = optimizer.as_ref().map(Optimizer::state),
        }
        state.waiting = self.engine.waiting();
    }

    fn restore_training(&mut self, state: &TrainingState) -> Result<(), RestoreError> {
        self.engine.check_snapshot(&state.values)?;
        if let Some(waiting) = &state.waiting {
            self.engine.check_waiting(waiting)?;
        }
        match (&mut self.optimizer, &state.optimizer) {
            (None, None) => {}
            (Some(optimizer), Some(state)) => optimizer.restore(state)?,
            (own, other) => {
                let expected = own.as_ref().map(|own| own.name().to_owned());
                let found = other.as_ref().map(|other| other.name.clone());
                return Err(RestoreError::Optimizer { expected, found });
            }
        }
        self.engine.restore(&state.values);
        self.engine.set_waiting(state.waiting.as_ref())
    }

    fn save_to(&self, snapshot: &mut Snapshot<f32>) {
        self.engine.save_to(snapshot);
    }

    fn restore(&mut self, snapshot: &Snapshot<f32>) {
        self.engine.restore(snapshot);
    }

    fn average_into(&self, snapshot: &mut Snapshot<f32>, decay: f64) {
        self.engine.average_into(snapshot, decay);
    }

    fn gradients(&mut self, images: &[f32], targets: Targets<'_>, context: &StepContext) -> LossSum {
        self.engine.gradients(images, targets, context)
    }

    fn gradient_state(&self) -> StateDict {
        self.engine.gradient_state()
    }

    fn gradient_norm(&self) -> f64 {
        let square = |piece: &[f32]| piece.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>();
        let squares: Vec<f64> = self.engine.gradient().par_chunks(PIECE).map(square).collect();
        squares.iter().sum::<f64>().sqrt()
    }

    fn tensors(&self) -> Vec<TensorMemory<'_, f32>> {
        self.engine.tensors().collect()
    }

    fn leading_rows(&self, name: &str, rows: usize) -> Option<Tensor> {
        self.engine.leading_rows(name, rows)
    }

    fn spreads(&mut self, images: &[f32], targets: &[u32], context: &StepContext) -> Vec<Spread> {
        self.engine.spreads(images, targets, context)
    }

    fn explain(&mut self, images: &[f32], classes: &[u32]) -> Option<Explanation> {
        self.engine.explain(images, classes)
    }

    fn activations(&mut self, images: &[f32], batch: usize) -> Vec<Activations> {
        self.engine.activations(images, batch)
    }

    fn activation_count(&self) -> usize {
        self.engine.activation_count()
    }

    fn find_not_finite(&mut self, images: &[f32], batch: usize, context: &StepContext) -> Option<NotFinite> {
        self.engine.find_not_finite(images, batch, context)
    }
}
