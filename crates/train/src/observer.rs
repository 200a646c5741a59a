//! Whoever watches a run, and what it is told.

use crate::best::BestState;
use crate::state::LoopState;
use crate::trainer::{Outcome, Plan};
use pupila_backend::{Backend, LossSum};
use pupila_metrics::Predictions;
use pupila_run::{RunFolder, RunSummary};
use pupila_trackers::Event;
use std::sync::Arc;
use std::time::Duration;

/// An epoch that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochRecord {
    /// From 1.
    pub epoch: u32,
    /// Optimizer updates so far.
    pub step: u64,
    /// Learning rate of the epoch's last update.
    pub lr: f64,
    /// Mean loss over the training images as they were when trained on, augmented and weighted by class.
    pub train_loss: f64,
    /// Accuracy over the same; of a mixed image, by the class with the larger share.
    pub train_accuracy: f64,
    /// Every metric of the validation set by its name; NaN where undefined. Shared: a checkpoint copies every epoch's record.
    pub val: Arc<[(&'static str, f64)]>,
    /// Whether the monitored metric improved, so that these values are now the best.
    pub improved: bool,
    /// Time of the training part.
    pub train_time: Duration,
    /// Time of the validation part.
    pub eval_time: Duration,
    /// Time in which training waited for batches.
    pub waited: Duration,
    /// Training images a second.
    pub images_per_s: f64,
}

impl EpochRecord {
    /// A metric of the validation set by its bare name; NaN where there is none.
    pub fn val(&self, name: &str) -> f64 {
        self.val.iter().find(|(metric, _)| *metric == name).map_or(f64::NAN, |&(_, value)| value)
    }
}

/// A batch that has been learnt from.
#[derive(Debug, Clone, Copy)]
pub struct StepRecord {
    /// The epoch, from 1.
    pub epoch: u32,
    /// Batches of the epoch so far.
    pub batches: usize,
    /// Optimizer updates of the run so far.
    pub updates: u64,
    /// Loss and accuracy of the epoch so far.
    pub so_far: LossSum,
}

/// Why a run is to end before its last epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A person wants it, by Ctrl-C.
    Interrupted,
    /// The observer wants it, for this reason: a pruned trial, a budget that is spent.
    Ended(String),
}

/// Whoever watches a run: the terminal, the trackers, the keeper of the best model, a search. All it can change is how long the
/// run lasts.
///
/// Every method has a default that does nothing. The loop itself calls the first six; the others are told by whoever starts it.
pub trait Observer: Send {
    /// Asked before every batch, in training and in validation: why the run is to end now, if it is. It then ends with the best
    /// values so far, or goes on later from its state.
    fn stop(&mut self) -> Option<Stop> {
        None
    }

    /// The run begins: before the first update. A run that goes on from a state has begun already.
    fn begin(&mut self, begin: Begin<'_>) {
        let _ = begin;
    }

    /// A batch has been learnt from.
    fn step(&mut self, step: &StepRecord) {
        let _ = step;
    }

    /// Asked behind every batch and every epoch: where the loop's state is to be copied to, if it is wanted now; memory that held one before
    /// is used again.
    fn wants_state(&mut self) -> Option<LoopState> {
        None
    }

    /// The loop's state, where it was wanted.
    fn state(&mut self, state: LoopState) {
        let _ = state;
    }

    /// An epoch has ended. `engine` has its values.
    fn epoch(&mut self, record: &EpochRecord, engine: &dyn Backend) {
        let _ = (record, engine);
    }

    /// Something that trackers record.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }

    /// An epoch has ended, to be looked at more closely: afterwards the engine must have the values that it had.
    fn look(&mut self, look: Look<'_>) {
        let _ = look;
    }

    /// All is laid out, and the run folder is made; training is about to begin.
    fn ready(&mut self, ready: &Ready<'_>) {
        let _ = ready;
    }

    /// The run has ended and is judged. Its files are written behind this, so that a full disk takes them but not the result.
    fn result(&mut self, outcome: &Outcome, summary: &RunSummary) {
        let _ = (outcome, summary);
    }

    /// Something went wrong that does not end the run, such as a tracker that cannot be written.
    fn warning(&mut self, message: &str) {
        let _ = message;
    }

    /// Something worth knowing, such as that a server has the whole run.
    fn note(&mut self, message: &str) {
        let _ = message;
    }

    /// The most memory that the process has had in use, in bytes, where the observer knows it: for the summary. It belongs to the
    /// process and not to the run.
    fn peak_memory_bytes(&mut self) -> Option<u64> {
        None
    }
}

/// What is known when all is laid out.
#[derive(Debug)]
pub struct Ready<'a> {
    /// The run folder.
    pub folder: &'a RunFolder,
    /// The run's plan.
    pub plan: &'a Plan<'a>,
    /// The engine, before it has an optimizer.
    pub engine: &'a dyn Backend,
    /// Threads of the run.
    pub threads: usize,
}

/// Nobody watches.
impl Observer for () {}

/// What there is to see before the first update.
#[derive(Debug)]
pub struct Begin<'a> {
    /// The engine with the first values.
    pub engine: &'a dyn Backend,
    /// The run's plan.
    pub plan: &'a Plan<'a>,
}

/// What there is to see at the end of an epoch.
#[derive(Debug)]
pub struct Look<'a> {
    /// The epoch.
    pub record: &'a EpochRecord,
    /// The validation set's predictions.
    pub predictions: &'a Predictions,
    /// The engine with the epoch's values.
    pub engine: &'a mut dyn Backend,
    /// The run's plan.
    pub plan: &'a Plan<'a>,
    /// The best epoch so far, with its values.
    pub best: &'a BestState,
    /// Whether no epoch follows.
    pub last: bool,
}
