//! Hyperparameter search: what is tried, by whom, when it ends early, and what mattered.
//!
//! In: a space file and the trials known so far. Out: values for the next trial, whether one that runs should end, and the importance of
//! each parameter. Nothing here trains; a sampler is a function of (space, seed, number of the trial, known trials). Types mirror Optuna's,
//! so that its storages can hold them; [`storage`] alone waits and reads a clock, which can be handed in.
//!
//! ```
//! use pupila_search::{Direction, Request, Sampler, Space, Trial, State, sampler::Tpe};
//! use std::path::Path;
//!
//! let space = Space::parse(Path::new("space.toml"), "[space]\n\"optimizer.lr\" = { float = [1e-4, 1e-2], log = true }\n").unwrap();
//! let mut trials: Vec<Trial> = Vec::new();
//! for number in 0..20 {
//!     let request = Request::new(&space, Direction::Minimize, 0, number, &trials);
//!     let chosen = Tpe::default().suggest(&request).unwrap().unwrap();
//!     let mut trial = Trial::new(number, State::Complete);
//!     trial.params = space.params(&chosen);
//!     trial.values = vec![(trial.params["optimizer.lr"].value.internal() - 3e-3).abs()];
//!     trials.push(trial);
//! }
//! ```

mod distribution;
mod error;
pub mod importance;
mod normal;
pub mod pruner;
pub mod sampler;
mod space;
pub mod storage;
mod trial;

pub use distribution::{Choice, Distribution, DistributionError, ParamValue, UnitCell};
pub use error::{SearchErrors, SearchFault};
pub use pruner::{Pruner, Verdict};
pub use sampler::{Request, Sampler};
pub use space::{Assignment, Condition, Group, Parameter, Space};
pub use storage::{Storage, StorageError};
pub use trial::{Direction, Param, State, Trial};
