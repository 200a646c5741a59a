//! What can be wrong with a file of weights.

use std::io;
use std::path::PathBuf;

/// A file of weights that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub struct WeightsError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a file of weights.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is of another kind.
    #[error("{0}")]
    Foreign(String),
    /// It ends early, or says what cannot be.
    #[error("damaged: {0}")]
    Damaged(String),
    /// Its pickle names something that is no part of a state dict.
    #[error(
        "it refers to `{0}`, which is no part of a state dict, so it is not read (nothing of it was run): in Python write the tensors alone, \
         torch.save(model.state_dict(), \"weights.pt\")"
    )]
    Refused(String),
    /// A tensor that cannot be had.
    #[error("tensor `{name}` {problem}")]
    Tensor {
        /// Its name in the file.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It holds no tensors.
    #[error("{0}")]
    NoTensors(String),
}

impl Fault {
    pub(crate) fn damaged(what: impl Into<String>) -> Fault {
        Fault::Damaged(what.into())
    }

    pub(crate) fn tensor(name: impl Into<String>, problem: impl Into<String>) -> Fault {
        Fault::Tensor { name: name.into(), problem: problem.into() }
    }
}
