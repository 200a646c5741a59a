//! Ctrl-C: the first asks the work to end at the next good place, the second ends the process at once.

use pupila::StopSignal;
use std::sync::OnceLock;

/// The process's own: what Ctrl-C sets.
fn of_process() -> &'static StopSignal {
    static SIGNAL: OnceLock<StopSignal> = OnceLock::new();
    SIGNAL.get_or_init(StopSignal::new)
}

/// What Ctrl-C sets, to be handed to the work.
pub(crate) fn signal() -> StopSignal {
    of_process().clone()
}

/// Listens to Ctrl-C (and to a request to terminate) from now on, in a command that trains.
pub(crate) fn listen() -> StopSignal {
    listen_saying("ending with the best model so far")
}

/// The same, with what is said of the first.
pub(crate) fn listen_saying(what: &'static str) -> StopSignal {
    let listening = ctrlc::set_handler(move || {
        if of_process().set() {
            std::process::exit(130);
        }
        eprintln!("\ninterrupted: {what}; once more to stop at once");
    });
    if let Err(error) = listening {
        tracing::warn!("Ctrl-C will end the process at once: {error}");
    }
    signal()
}
