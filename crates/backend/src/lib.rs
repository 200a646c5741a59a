//! What a training loop asks of whatever computes a network.

mod backend;
mod look;
mod loss;
pub mod optimizer;
mod state;
pub mod suite;

pub use backend::Backend;
pub use look::{Activations, Explanation, MemoryBytes, Method, NotFinite, Spread, TensorMemory};
pub use loss::{LossSum, StepContext, Targets};
pub use optimizer::{OptimizerConfig, OptimizerError};
pub use state::{OptimizerState, RestoreError, Snapshot, TrainingState, Waiting};
