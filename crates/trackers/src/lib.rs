//! Write-only sinks of training events.
//!
//! In: [`Event`]s, in the order in which they happen. Out: files that other programs read. A tracker never sees the
//! trainer, nothing reads a tracker back, and one that fails never fails a run.

mod event;
mod jsonl;

pub use event::{Event, RunEnd};
pub use jsonl::Jsonl;

/// A sink of events.
pub trait Tracker {
    /// The name for messages, such as `metrics.jsonl`.
    fn name(&self) -> &'static str;

    /// Takes an event.
    ///
    /// # Errors
    /// It could not be written; the caller warns once and goes on.
    fn record(&mut self, event: &Event) -> std::io::Result<()>;
}
