//! The commands, one file each.

pub(crate) mod augment;
pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod eval;
mod evaluation;
pub(crate) mod list;
mod model;
pub(crate) mod predict;
mod recipe;
mod report;
pub(crate) mod schema;
mod source;
pub(crate) mod sync;
mod tell;
mod tell_data;
pub(crate) mod train;
