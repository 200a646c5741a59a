//! Ctrl-C: the first asks the work to end at the next good place, the second ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Listens to Ctrl-C (and to a request to terminate) from now on.
pub(crate) fn listen() {
    let listening = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\ninterrupted: ending with the best model so far; once more to stop at once");
    });
    if let Err(error) = listening {
        tracing::warn!("Ctrl-C will end the process at once: {error}");
    }
}

/// Whether Ctrl-C was pressed.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
