//! The commands, one file each.

pub(crate) mod augment;
pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod eval;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod predict;
mod recipe;
pub(crate) mod resume;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod search;
pub(crate) mod study;
mod study_table;
pub(crate) mod sync;
mod tell;
mod tell_data;
mod tell_inspection;
mod tell_judgement;
mod tell_runs;
mod tell_study;
pub(crate) mod train;
pub(crate) mod verify;

use crate::failure::Failure;
use pupila::trackers::redact;

/// What was typed behind the program's name, without credentials; bytes that are no text are replaced.
fn typed() -> Vec<String> {
    std::env::args_os().skip(1).map(|argument| redact(&argument.to_string_lossy())).collect()
}

/// Does something on a pool of so many threads.
fn in_pool<T: Send>(threads: usize, work: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T, Failure> {
    let pool = pupila::engine::thread_pool(threads)
        .map_err(|error| Failure::Work(anyhow::Error::new(error).context("cannot start the threads")))?;
    pool.install(work)
}
