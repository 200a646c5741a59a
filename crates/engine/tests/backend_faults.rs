//! The tests that every backend must pass can fail: each fault that is put into a backend here is found.
//!
//! This file has one test, since it silences what panics say.
#![allow(clippy::unwrap_used)]

use pupila_backend::suite::{self, Make};
use pupila_backend::{
    Activations, Backend, Explanation, Learning, LossSum, MemoryBytes, NotFinite, OptimizerConfig,
    OptimizerError, RestoreError, Snapshot, Spread, StepContext, Targets, TensorMemory, TrainingState,
};
use pupila_engine::CpuBackend;
use pupila_network::{Network, StateDict, StateError, Tensor};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    LoadsWhatIsSurplus,
    ForgetsATensorWhenLoading,
    LogitsKnowTheBatch,
    LessOfTheImages,
    StepsUphill,
    AnotherLearningRate,
    AnotherNorm,
    ClipsNothing,
    UpdatesOnWhatIsNoNumber,
    NoMoments,
    NoSteps,
    NoTracked,
    NoWaiting,
    RestoresBeforeItChecks,
    RestoresNothingTracked,
    AveragesAnotherShare,
    ExplainsInTraining,
    SpreadsMoveStatistics,
    ExplainsOneClass,
    KeepsWhatWaits,
    KeepsTheOptimizer,
    DropsTheSameAlways,
    IgnoresClassWeights,
    IgnoresPartners,
    OtherRows,
    FindsNothing,
    NoGradientInMemory,
}

/// The faults and who finds each.
const FAULTS: &[(Fault, &str)] = &[
    (Fault::LoadsWhatIsSurplus, "tensors_that_do_not_fit_are_refused"),
    (Fault::ForgetsATensorWhenLoading, "what_is_loaded_is_given_back"),
    (Fault::LogitsKnowTheBatch, "logits_depend_on_their_image_alone"),
    (Fault::LessOfTheImages, "logits_and_gradients_are_pytorchs"),
    (Fault::StepsUphill, "a_step_lowers_the_loss"),
    (Fault::StepsUphill, "losses_of_five_steps_are_pytorchs"),
    (Fault::AnotherLearningRate, "batches_together_are_one"),
    (Fault::AnotherLearningRate, "a_clipped_update_has_the_norm_asked_for"),
    (Fault::AnotherNorm, "a_clipped_update_has_the_norm_asked_for"),
    (Fault::ClipsNothing, "a_clipped_update_has_the_norm_asked_for"),
    (Fault::UpdatesOnWhatIsNoNumber, "a_loss_that_is_not_finite_updates_nothing"),
    (Fault::NoMoments, "training_goes_on_from_its_state"),
    (Fault::NoSteps, "training_goes_on_from_its_state"),
    (Fault::NoTracked, "training_goes_on_from_its_state"),
    (Fault::NoWaiting, "training_goes_on_from_its_state"),
    (Fault::RestoresBeforeItChecks, "a_state_that_does_not_fit_is_refused"),
    (Fault::RestoresNothingTracked, "snapshots_come_back"),
    (Fault::AveragesAnotherShare, "averages_follow_the_formula"),
    (Fault::ExplainsInTraining, "looking_changes_nothing"),
    (Fault::SpreadsMoveStatistics, "looking_changes_nothing"),
    (Fault::ExplainsOneClass, "maps_explain_the_logits"),
    (Fault::KeepsWhatWaits, "a_new_optimizer_begins_anew"),
    (Fault::KeepsTheOptimizer, "a_new_optimizer_begins_anew"),
    (Fault::DropsTheSameAlways, "dropout_draws_by_seed_and_step"),
    (Fault::IgnoresClassWeights, "classes_count_by_their_weights"),
    (Fault::IgnoresPartners, "mixed_targets_are_the_mixture_of_their_losses"),
    (Fault::OtherRows, "tensors_are_those_of_the_state"),
    (Fault::FindsNothing, "a_loss_that_is_not_finite_updates_nothing"),
    (Fault::NoGradientInMemory, "tensors_are_those_of_the_state"),
];

#[test]
fn every_fault_is_found() {
    std::panic::set_hook(Box::new(|_| ()));
    let passes = |fault: Fault, name: &str| {
        let (_, test) = suite::ALL.iter().find(|(known, _)| *known == name).unwrap();
        let make: Make<'_> = &|network, capacity, training| {
            let inner = CpuBackend::new(network, capacity, training);
            Box::new(Faulty { inner, fault, logits: Vec::new() })
        };
        catch_unwind(AssertUnwindSafe(|| test(make))).is_ok()
    };
    let mut wrong = Vec::new();
    for &(fault, name) in FAULTS {
        if !passes(Fault::None, name) {
            wrong.push(format!("{name} finds a fault where there is none"));
        }
        if passes(fault, name) {
            wrong.push(format!("{name} does not find {fault:?}"));
        }
    }
    let _ = std::panic::take_hook();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The engine with a fault.
#[derive(Debug)]
struct Faulty {
    inner: CpuBackend,
    fault: Fault,
    logits: Vec<f32>,
}

impl Faulty {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn context(&self, context: &StepContext) -> StepContext {
        if self.has(Fault::DropsTheSameAlways) { StepContext { step: 0, ..*context } } else { *context }
    }

    fn images(&self, images: &[f32]) -> Vec<f32> {
        let factor = if self.has(Fault::LessOfTheImages) { 0.9999 } else { 1.0 };
        images.iter().map(|x| x * factor).collect()
    }

    fn targets<'a>(&self, targets: Targets<'a>) -> Targets<'a> {
        if self.has(Fault::IgnoresPartners) { Targets::from(targets.classes) } else { targets }
    }
}

impl Backend for Faulty {
    fn network(&self) -> &Network {
        self.inner.network()
    }

    fn capacity(&self) -> usize {
        self.inner.capacity()
    }

    fn memory_bytes(&self) -> MemoryBytes {
        self.inner.memory_bytes()
    }

    fn load(&mut self, state: &StateDict) -> Result<(), StateError> {
        let mut state = state.clone();
        if self.has(Fault::LoadsWhatIsSurplus) {
            state.retain(|name, _| name != "surplus");
        }
        if self.has(Fault::ForgetsATensorWhenLoading)
            && let Some(tensor) = state.values_mut().next_back()
        {
            tensor.data.fill(0.0);
        }
        self.inner.load(&state)
    }

    fn state(&self) -> StateDict {
        self.inner.state()
    }

    fn forward(&mut self, images: &[f32], batch: usize) -> &[f32] {
        let images = self.images(images);
        self.logits = self.inner.forward(&images, batch).to_vec();
        if self.has(Fault::LogitsKnowTheBatch) {
            self.logits.iter_mut().for_each(|x| *x += 1e-5 * batch as f32);
        }
        &self.logits
    }

    fn set_class_weights(&mut self, weights: &[f64]) {
        self.inner.set_class_weights(if self.has(Fault::IgnoresClassWeights) { &[] } else { weights });
    }

    fn set_learning(&mut self, learning: &Learning) {
        self.inner.set_learning(learning);
    }

    fn feature_len(&self) -> Option<usize> {
        self.inner.feature_len()
    }

    fn features(&mut self, images: &[f32], batch: usize) -> &[f32] {
        self.inner.features(images, batch)
    }

    fn read_features(&mut self, reads: bool) {
        self.inner.read_features(reads);
    }

    fn reads_features(&self) -> bool {
        self.inner.reads_features()
    }

    fn set_optimizer(&mut self, config: &OptimizerConfig) -> Result<(), OptimizerError> {
        let before = self.inner.training_state();
        if self.has(Fault::KeepsTheOptimizer) && before.optimizer.is_some() {
            return Ok(());
        }
        self.inner.set_optimizer(config)?;
        if self.has(Fault::KeepsWhatWaits) {
            let state = TrainingState { waiting: before.waiting, ..self.inner.training_state() };
            self.inner.restore_training(&state).unwrap();
        }
        Ok(())
    }

    fn end_training(&mut self) {
        if !self.has(Fault::KeepsTheOptimizer) {
            self.inner.end_training();
        }
    }

    fn updates(&self) -> u64 {
        self.inner.updates()
    }

    fn step(&mut self, images: &[f32], targets: Targets<'_>, context: &StepContext, lr: f64) -> LossSum {
        let lr = if self.has(Fault::StepsUphill) { -lr } else { lr };
        let (context, targets) = (self.context(context), self.targets(targets));
        let loss = self.inner.step(images, targets, &context, lr);
        if self.has(Fault::UpdatesOnWhatIsNoNumber) && !loss.loss.is_finite() {
            self.inner.engine_mut().values_mut()[0] = f32::NAN;
        }
        loss
    }

    fn accumulate(&mut self, images: &[f32], targets: Targets<'_>, context: &StepContext) -> LossSum {
        self.inner.accumulate(images, self.targets(targets), &self.context(context))
    }

    fn apply(&mut self, lr: f64, max_norm: Option<f64>) -> f64 {
        let lr = if self.has(Fault::AnotherLearningRate) { lr * 1.001 } else { lr };
        self.inner.apply(lr, max_norm.filter(|_| !self.has(Fault::ClipsNothing)))
    }

    fn training_state(&self) -> TrainingState {
        let mut state = self.inner.training_state();
        match (self.fault, &mut state.optimizer) {
            (Fault::NoMoments, Some(optimizer)) => {
                optimizer.moments.iter_mut().for_each(|moment| moment.fill(0.0));
            }
            (Fault::NoSteps, Some(optimizer)) => optimizer.steps = 0,
            (Fault::NoTracked, _) => state.values.tracked.fill(0.0),
            (Fault::NoWaiting, _) => state.waiting = None,
            _ => {}
        }
        state
    }

    fn restore_training(&mut self, state: &TrainingState) -> Result<(), RestoreError> {
        if self.has(Fault::RestoresBeforeItChecks)
            && state.values.trained.len() == self.inner.engine().values().len()
        {
            self.inner.engine_mut().values_mut().copy_from_slice(&state.values.trained);
        }
        self.inner.restore_training(state)
    }

    fn save_to(&self, snapshot: &mut Snapshot<f32>) {
        self.inner.save_to(snapshot);
    }

    fn restore(&mut self, snapshot: &Snapshot<f32>) {
        if self.has(Fault::RestoresNothingTracked) {
            self.inner.engine_mut().values_mut().copy_from_slice(&snapshot.trained);
        } else {
            self.inner.restore(snapshot);
        }
    }

    fn average_into(&self, snapshot: &mut Snapshot<f32>, decay: f64) {
        let decay = if self.has(Fault::AveragesAnotherShare) { decay * 0.999 } else { decay };
        self.inner.average_into(snapshot, decay);
    }

    fn gradients(&mut self, images: &[f32], targets: Targets<'_>, context: &StepContext) -> LossSum {
        let images = self.images(images);
        self.inner.gradients(&images, self.targets(targets), &self.context(context))
    }

    fn gradient_state(&self) -> StateDict {
        self.inner.gradient_state()
    }

    fn gradient_norm(&self) -> f64 {
        self.inner.gradient_norm() * if self.has(Fault::AnotherNorm) { 1.01 } else { 1.0 }
    }

    fn tensors(&self) -> Vec<TensorMemory<'_, f32>> {
        let mut tensors = self.inner.tensors();
        if self.has(Fault::NoGradientInMemory) {
            tensors.iter_mut().for_each(|tensor| tensor.gradient = &[]);
        }
        tensors
    }

    fn leading_rows(&self, name: &str, rows: usize) -> Option<Tensor> {
        let mut tensor = self.inner.leading_rows(name, rows)?;
        if self.has(Fault::OtherRows) {
            tensor.data.reverse();
        }
        Some(tensor)
    }

    fn spreads(&mut self, images: &[f32], targets: &[u32], context: &StepContext) -> Vec<Spread> {
        let spreads = self.inner.spreads(images, targets, context);
        if self.has(Fault::SpreadsMoveStatistics) {
            self.inner.gradients(images, Targets::from(targets), context);
        }
        spreads
    }

    fn explain(&mut self, images: &[f32], classes: &[u32]) -> Option<Explanation> {
        if self.has(Fault::ExplainsInTraining) {
            let context = StepContext { seed: 0, step: 0, label_smoothing: 0.0 };
            self.inner.gradients(images, Targets::from(classes), &context);
        }
        let one = vec![0; classes.len()];
        self.inner.explain(images, if self.has(Fault::ExplainsOneClass) { &one } else { classes })
    }

    fn activations(&mut self, images: &[f32], batch: usize) -> Vec<Activations> {
        self.inner.activations(images, batch)
    }

    fn activation_count(&self) -> usize {
        self.inner.activation_count()
    }

    fn find_not_finite(&mut self, images: &[f32], batch: usize, context: &StepContext) -> Option<NotFinite> {
        let found = self.inner.find_not_finite(images, batch, context);
        found.filter(|_| !self.has(Fault::FindsNothing))
    }
}
