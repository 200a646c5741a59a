//! The whole state of a training loop, as a value.

use crate::best::BestState;
use crate::diagnosis::DiagnosisState;
use crate::observer::EpochRecord;
use crate::schedule::ScheduleState;
use pupila_backend::{LossSum, Snapshot, TrainingState};
use pupila_network::StateDict;
use std::time::Duration;

/// All that a training loop carries from one step to the next. With it, the recipe and the data a run goes on to the bit as if
/// it had never stopped; what observers carry is theirs ([`crate::Tracking::state`]).
#[derive(Debug, Clone, Default)]
pub struct LoopState {
    /// Whether the observer was told that the run begins.
    pub begun: bool,
    /// The epoch that is going on, from 1; one more than the last where all have ended.
    pub epoch: u32,
    /// Batches of it that have been learnt from. Where these are all, the epoch is still to be judged.
    pub batches: usize,
    /// Batches learnt from in all epochs: keys the draws of dropout.
    pub batches_in_all: u64,
    /// Learning rate of the last update.
    pub lr: f64,
    /// Loss and accuracy of the epoch so far.
    pub sums: LossSum,
    /// The network's values, running statistics included; the optimizer's moments and number of updates; gradients that wait for
    /// the rest of their update's batches.
    pub training: TrainingState,
    /// The moving average of the values; empty where none is kept.
    pub average: Snapshot<f32>,
    /// What the schedule remembers.
    pub schedule: ScheduleState,
    /// The best epoch, its values, and how long no better one has come.
    pub best: BestState,
    /// What the diagnosis remembers.
    pub diagnosis: DiagnosisState,
    /// Every epoch that has ended.
    pub epochs: Vec<EpochRecord>,
    /// Time of the epoch's training so far.
    pub train_time: Duration,
    /// Time of it in which training waited for batches.
    pub waited: Duration,
}

/// What a training loop begins from.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// These values, at the first epoch: those of the initialisation, or learnt ones.
    Values(&'a StateDict),
    /// Where another loop of the same plan was.
    State(&'a LoopState),
}
