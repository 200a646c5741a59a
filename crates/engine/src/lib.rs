//! How a network runs on a CPU: memory plan, kernels, forward, backward, optimizers.
//!
//! In: a [`pupila_network::Network`] and batches `[N, H, W, C]`. Out: logits, losses, and trained values. The engine works
//! on the threads of the rayon pool that it is called from ([`thread_pool`]); how work is cut never depends on how many
//! there are, and every sum has a fixed order, so results are the same to the bit for any number of threads.

mod arena;
mod elementary;
mod engine;
mod float;
pub mod floor;
mod isa;
pub mod kernels;
mod layout;
pub mod optimizer;
mod parallel;
mod plan;
mod stage;
mod state;

pub use engine::{
    Activations, Engine, Explanation, Method, NotFinite, Spread, StageTime, StepContext, TensorMemory,
};
pub use float::Float;
pub use isa::Isa;
pub use kernels::loss::{LossSum, Targets, cross_entropy, softmax};
pub use optimizer::{Optimizer, OptimizerConfig, OptimizerError};
pub use parallel::thread_pool;
pub use state::{OptimizerState, RestoreError, Snapshot, Waiting};
