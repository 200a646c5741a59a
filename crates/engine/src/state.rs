//! What a training loop takes out of an engine and an optimizer, and puts into another pair of them to go on to the bit.
//!
//! All of it is plain values in the engine's own order, in which memory is filled up with zeros between and within tensors.
//! So it fits an engine of the same network alone.

/// A copy of a network's values in the engine's own order. An empty one is of no network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot<T> {
    /// What training updates.
    pub trained: Vec<T>,
    /// What follows the batches instead: BatchNorm's running statistics.
    pub tracked: Vec<T>,
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

/// A state that does not fit where it is put. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// The state of another rule.
    #[error("the state is of the optimizer `{found}`, this one is `{expected}`")]
    Optimizer {
        /// The optimizer's rule.
        expected: String,
        /// The state's.
        found: String,
    },
    /// Another number of elements, as of another network.
    #[error("{what} should be {expected} long and are {found}")]
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

impl RestoreError {
    /// An error where there are not as many elements as there is room for.
    pub(crate) fn unless_as_long(what: &'static str, expected: usize, found: usize) -> Result<(), Self> {
        if expected == found { Ok(()) } else { Err(RestoreError::Length { what, expected, found }) }
    }
}
