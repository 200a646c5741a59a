//! Studies: several recipes (variants) trained with several seeds on the same data, and what their results say.
//!
//! In: a definition ([`Definition`], from TOML or built in), then numbers of runs. Out: a [`Plan`] of runs, each a checked recipe; an
//! [`Analysis`] with intervals, tests and sentences. Nothing here trains, reads images or writes files.

mod analysis;
mod blocks;
pub mod built_in;
pub mod controls;
mod definition;
mod error;
mod facts;
pub mod names;
mod plan;
mod planner;
pub mod results;
pub mod statistics;
mod stored;
pub mod words;

pub use analysis::{Analysis, Compared, Facts, VariantAnalysis, Verdict, analyse, median, overlap};
pub use built_in::definition;
pub use controls::{Controls, FileFacts, controls};
pub use definition::{Definition, Named, Seeds};
pub use error::{StudyErrors, StudyFault};
pub use facts::{EpochFacts, Outcome, RunFacts};
pub use plan::{METRIC, Place, Plan, Request, SEEDS, Variant};
pub use statistics::mean_of_judged;
