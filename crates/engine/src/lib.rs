//! How a network runs on a CPU: memory plan, kernels, forward, backward, optimizers.
//!
//! In: a [`pupila_network::Network`] and batches `[N, H, W, C]`. Out: logits, losses, and trained values. The engine works
//! on the threads of the rayon pool that it is called from ([`thread_pool`]); how work is cut never depends on how many
//! there are, and every sum has a fixed order, so results are the same to the bit for any number of threads.

mod arena;
mod cpu_backend;
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

pub use cpu_backend::CpuBackend;
pub use engine::{Engine, StageTime};
pub use float::Float;
pub use isa::Isa;
pub use kernels::loss::{cross_entropy, softmax};
pub use optimizer::Optimizer;
pub use parallel::thread_pool;
pub use pupila_backend::{
    Activations, Backend, Explanation, LossSum, MemoryBytes, Method, NotFinite, OptimizerConfig,
    OptimizerError, OptimizerState, RestoreError, Snapshot, Spread, StepContext, Targets, TensorMemory,
    TrainingState, Waiting,
};
