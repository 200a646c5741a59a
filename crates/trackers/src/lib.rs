//! Sinks of training events.
//!
//! In: [`Event`]s, in the order in which they happen. Out: files that other programs read, and an MLflow server. A tracker
//! never sees the trainer, training reads nothing back from one, and one that fails or is slow never fails or delays a
//! run.

mod background;
mod event;
mod histogram;
mod host;
mod jsonl;
pub mod mlflow;
mod pr_curve;
mod redact;
mod system;
mod tensorboard;

pub use background::Background;
pub use event::{Chart, Event, GraphNode, RunInfo};
pub use histogram::{Counts, Histogram};
pub use host::host;
pub use jsonl::Jsonl;
pub use pr_curve::PrCurve;
pub use pupila_run::{DataRecord, Group, RunEnd};
pub use redact::redact;
pub use system::SystemMetrics;
pub use tensorboard::{BoardEvent, BoardPosition, TensorBoard, read_board};

/// A sink of events.
pub trait Tracker {
    /// The name for messages, such as `metrics.jsonl`.
    fn name(&self) -> &'static str;

    /// Takes an event that happened at a time, in seconds since 1970, UTC.
    ///
    /// # Errors
    /// It could not be written; the caller warns once and goes on.
    fn record(&mut self, time: f64, event: &Event) -> std::io::Result<()>;

    /// Where it stands, if it can go on from there later.
    fn position(&self) -> Option<BoardPosition> {
        None
    }
}

/// The time now, in seconds since 1970, UTC.
pub fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64())
}
