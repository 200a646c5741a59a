//! What happens in a run.

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The run begins.
    Start {
        /// The run's name.
        run: String,
        /// The classes, in the order of the logits.
        classes: Vec<String>,
        /// Trained values of the network.
        parameters: usize,
        /// Images to train on.
        train_images: usize,
        /// Images to validate on.
        val_images: usize,
    },
    /// Numbers of an epoch that has ended.
    Scalars {
        /// The epoch, from 1.
        epoch: u32,
        /// Optimizer updates so far.
        step: u64,
        /// Tags such as `train/loss`, and their values; NaN and infinities are passed on as they are.
        values: Vec<(String, f64)>,
    },
    /// The run ends.
    End {
        /// How.
        end: RunEnd,
        /// The epoch whose values were kept, from 1; none where no epoch ended.
        best_epoch: Option<u32>,
    },
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// All epochs ran.
    Completed,
    /// The monitored metric no longer improved.
    StoppedEarly,
    /// The user stopped it.
    Interrupted,
    /// The loss was not finite.
    Diverged,
}

impl RunEnd {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            RunEnd::Completed => "completed",
            RunEnd::StoppedEarly => "stopped_early",
            RunEnd::Interrupted => "interrupted",
            RunEnd::Diverged => "diverged",
        }
    }
}
