//! What a training loop asks of whatever computes a network.
//!
//! In: a [`pupila_network::Network`], batches `[N, H, W, C]`, an [`OptimizerConfig`]. Out: logits, losses, trained values, and
//! looks into them. [`Backend`] is the boundary, an object-safe trait at the level of whole passes and steps; the other types
//! are the plain values that cross it. [`suite`] holds the tests that any backend must pass.

mod backend;
mod learning;
mod look;
mod loss;
pub mod optimizer;
mod state;
pub mod suite;

pub use backend::Backend;
pub use learning::{Learning, NodeLearning};
pub use look::{Activations, Explanation, MemoryBytes, Method, NotFinite, Spread, TensorMemory};
pub use loss::{LossSum, StepContext, Targets};
pub use optimizer::{OptimizerConfig, OptimizerError};
pub use state::{OptimizerState, RestoreError, Snapshot, TrainingState, Waiting};
