//! What a training loop takes out of a backend, and puts into another one to go on to the bit.
//!
//! All of it is plain values in the backend's own order, in which memory may be filled up with zeros between and within
//! tensors. So it fits a backend of the same kind and the same network alone; what outlives a program is the state dict.

/// A copy of a network's values in the backend's own order. An empty one is of no network.
#[derive(Debug, PartialEq, Default)]
pub struct Snapshot<T> {
    /// What training updates.
    pub trained: Vec<T>,
    /// What follows the batches instead: BatchNorm's running statistics.
    pub tracked: Vec<T>,
}

impl<T: Clone> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Snapshot { trained: self.trained.clone(), tracked: self.tracked.clone() }
    }

    /// Uses the memory again.
    fn clone_from(&mut self, other: &Self) {
        self.trained.clone_from(&other.trained);
        self.tracked.clone_from(&other.tracked);
    }
}

/// What an optimizer remembers from one step to the next.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OptimizerState<T> {
    /// The rule that it is of: a name of the registry.
    pub name: String,
    /// Steps taken so far.
    pub steps: u64,
    /// The rule's moments, each in the order of the values.
    pub moments: Vec<Vec<T>>,
}

/// Gradients that wait for an update: those of the batches since the last one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Waiting<T> {
    /// The batches' gradients, each times its weight, in the order of the values.
    pub sum: Vec<T>,
    /// Sum of the batches' weights, above 0.
    pub weight: f64,
}

/// All that one training step hands to the next. The batches to come, the schedule and the counter of steps are the
/// loop's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrainingState {
    /// The values, tracked ones included.
    pub values: Snapshot<f32>,
    /// What the optimizer remembers; none where there is none.
    pub optimizer: Option<OptimizerState<f32>>,
    /// Gradients that wait for an update; none where none do.
    pub waiting: Option<Waiting<f32>>,
}

/// A state that does not fit where it is put. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// The state of another rule.
    #[error("the state is of {}, and here is {}", named(found), named(expected))]
    Optimizer {
        /// The optimizer's rule; none where there is no optimizer.
        expected: Option<String>,
        /// The state's.
        found: Option<String>,
    },
    /// Another number of elements, as of another network.
    #[error("{what} should have {expected} elements, and the state has {found}")]
    Length {
        /// What is too long or too short.
        what: &'static str,
        /// Elements that there is room for.
        expected: usize,
        /// Elements of the state.
        found: usize,
    },
    /// Gradients whose weight is none.
    #[error("the weight of the gradients that wait must be a number above 0, got {0}")]
    Weight(f64),
}

fn named(optimizer: &Option<String>) -> String {
    optimizer.as_ref().map_or_else(|| "no optimizer".into(), |name| format!("the optimizer `{name}`"))
}

impl RestoreError {
    /// Compares numbers of elements.
    ///
    /// # Errors
    /// There are not as many as there is room for.
    pub fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), Self> {
        if expected == found { Ok(()) } else { Err(RestoreError::Length { what, expected, found }) }
    }
}
