//! What is known of a study's runs: plain numbers, from wherever they come.

/// How a run of a study came out.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Outcome {
    /// It has not been run.
    #[default]
    Missing,
    /// It ended, in this way, such as `completed` or `diverged`.
    Ended(String),
    /// It could not be run, for this reason.
    Failed(String),
}

/// A run of a study.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunFacts {
    /// How it came out.
    pub outcome: Outcome,
    /// The metric of the best epoch; NaN where there is none.
    pub value: f64,
    /// The metric, one pseudo-value for each group of images; none where it is undefined.
    pub pseudo_values: Option<Vec<f64>>,
    /// Recall of each class; NaN where there is none.
    pub recall: Vec<f64>,
    /// Training minus validation accuracy at the best epoch; NaN where unknown.
    pub gap: f64,
    /// The epoch whose values are kept, from 1.
    pub best_epoch: Option<u32>,
    /// Epochs that ended.
    pub epochs: Vec<EpochFacts>,
    /// Core seconds of an epoch, its validation with it: time by threads.
    pub epoch_core_s: f64,
    /// Core seconds of the whole run.
    pub core_s: f64,
    /// Memory of the engine: values, gradients, moments, activations. In bytes.
    pub memory_bytes: Option<u64>,
    /// The kinds of what was found wrong with the training.
    pub findings: Vec<String>,
}

/// An epoch of a run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct EpochFacts {
    /// From 1.
    pub epoch: u32,
    /// Mean loss of the training images.
    pub train_loss: f64,
    /// Mean loss of the validation images.
    pub val_loss: f64,
    /// The study's metric.
    pub value: f64,
}

impl RunFacts {
    /// The lowest validation loss; NaN without an epoch.
    pub fn lowest_loss(&self) -> f64 {
        self.epochs.iter().map(|epoch| epoch.val_loss).fold(f64::NAN, f64::min)
    }

    /// The first epoch at which the validation loss was at most `loss`.
    pub fn epochs_to(&self, loss: f64) -> Option<u32> {
        self.epochs.iter().find(|epoch| epoch.val_loss <= loss).map(|epoch| epoch.epoch)
    }

    /// Whether the loss stopped being a number.
    pub fn diverged(&self) -> bool {
        matches!(&self.outcome, Outcome::Ended(end) if end == "diverged")
    }
}
