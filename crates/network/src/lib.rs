//! What a model is, as data: ops, shapes, parameters, initialisers, architectures.
//!
//! In: a [`ModelConfig`] (the `[model]` section of a recipe), the shape of the input and the number of classes. Out: a
//! [`Network`], a static-shape list of ops. Everything else is a function of it: parameter and FLOP counts,
//! initialisation, the summary table, the state dict with PyTorch's names and layouts, and the engine that runs it.

pub mod architectures;
mod config;
mod init;
pub mod names;
mod network;
mod op;
mod parameter;
mod part;
mod summary;

pub use config::{ConfigError, ModelConfig};
pub use init::{Init, InitEntry};
pub use network::{Builder, Network, Node, NodeId, ShapeError};
pub use op::{Activation, Convolution, Op, Padding, PaddingMode, Shape, Window};
pub use parameter::{FlattenedMap, ParameterSpec, Role, StateDict, StateError, Tensor};
pub use part::Part;
pub use summary::Summary;
