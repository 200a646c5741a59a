//! A way to stop work from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks work to end at the next good place: a handle that may be cloned and set from any thread, such as by a handler of Ctrl-C.
/// It belongs to whoever hands it in; several sessions may share one or have one each.
#[derive(Debug, Clone, Default)]
pub struct StopSignal(Arc<AtomicBool>);

impl StopSignal {
    /// A signal that is not set.
    pub fn new() -> Self {
        StopSignal::default()
    }

    /// Asks for the end. Whether that was asked for before.
    pub fn set(&self) -> bool {
        self.0.swap(true, Ordering::Relaxed)
    }

    /// Whether the end was asked for.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
