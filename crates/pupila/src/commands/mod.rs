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

use pupila_trackers::redact;

/// What was typed behind the program's name, without credentials; bytes that are no text are replaced.
fn typed() -> Vec<String> {
    std::env::args_os().skip(1).map(|argument| redact(&argument.to_string_lossy())).collect()
}
