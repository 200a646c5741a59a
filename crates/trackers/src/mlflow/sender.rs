//! The sender: a thread that follows a run and sends it, as long as the run lasts and a little longer.

use super::delivery::{Delivery, DeliveryError};
use super::target::Target;
use pupila_run::RunFolder;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender as Channel, channel};
use std::time::{Duration, Instant};

/// How often new lines are looked for.
const POLL: Duration = Duration::from_secs(1);
/// The wait behind a first failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(30);

const NO_LOGGED_MODELS: &str = "this MLflow server has no logged models (MLflow 3 has): the model is in the run's artifacts, under model/";

/// What became of a run that was sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delivered {
    /// Whether the server has acknowledged everything.
    pub complete: bool,
    /// Metrics acknowledged.
    pub metrics: u64,
    /// Files acknowledged.
    pub files: u64,
    /// The run on the server.
    pub run_id: Option<String>,
    /// The logged model on the server, where it has these.
    pub model_id: Option<String>,
    /// What a person should know of how this server has it, though nothing is missing.
    pub note: Option<String>,
    /// Files that cannot be sent to this server, and why.
    pub skipped: Vec<String>,
    /// Why it is not complete.
    pub reason: Option<String>,
}

/// Sends a run while it goes on.
#[derive(Debug)]
pub struct Sender {
    stop: Channel<Instant>,
    ended: Receiver<Delivered>,
}

impl Sender {
    /// Begins to follow a run folder.
    ///
    /// # Errors
    /// The folder's ledger cannot be read, or the operating system gives no thread.
    pub fn start(folder: &Path, target: Target) -> Result<Self, DeliveryError> {
        let mut delivery = Delivery::open(folder, target)?;
        let (stop, stopped) = channel();
        let (end, ended) = channel();
        let thread = std::thread::Builder::new().name("mlflow".into());
        let spawned = thread.spawn(move || {
            let delivered = follow(&mut delivery, &stopped);
            // Nobody waits any more: the process is about to end.
            let _ = end.send(delivered);
        });
        spawned.map_err(|source| DeliveryError::Folder { path: folder.to_owned(), source })?;
        Ok(Sender { stop, ended })
    }

    /// Says that nothing more will come and waits, at most so long, until all is sent.
    pub fn finish(self, patience: Duration) -> Delivered {
        let _ = self.stop.send(Instant::now() + patience);
        // A request may hang for longer than there is patience; what it was about is marked in the ledger.
        self.ended.recv_timeout(patience + Duration::from_millis(200)).unwrap_or_else(|_| Delivered {
            reason: Some(format!("the server took longer than {patience:?}")),
            ..Delivered::default()
        })
    }
}

/// Sends all that a run folder holds and the server has not acknowledged, with a few retries.
///
/// # Errors
/// The folder's ledger cannot be read.
pub fn sync(folder: &Path, target: Target, patience: Duration) -> Result<Delivered, DeliveryError> {
    let mut delivery = Delivery::open(folder, target)?;
    let (stop, stopped) = channel();
    let _ = stop.send(Instant::now() + patience);
    let mut delivered = follow(&mut delivery, &stopped);
    // A version in the registry may be asked for long after the model was sent. A run that was killed has none.
    let has_model = std::fs::exists(folder.join(RunFolder::MODEL)).unwrap_or(false);
    if delivered.complete
        && has_model
        && let Err(error) = super::model::register_sent(&delivery)
    {
        delivered = Delivered { complete: false, reason: Some(error.to_string()), ..delivered };
    }
    Ok(delivered)
}

/// Sends until told to stop and all is sent, the deadline that came with it has passed, or the server refuses for good.
fn follow(delivery: &mut Delivery, stopped: &Receiver<Instant>) -> Delivered {
    let mut deadline: Option<Instant> = None;
    let mut failures = 0;
    loop {
        let wait = match delivery.advance() {
            Ok(true) => {
                failures = 0;
                Duration::ZERO
            }
            Ok(false) if deadline.is_some() => return delivered(delivery, None),
            Ok(false) => POLL,
            Err(error) if !error.is_passing() => return delivered(delivery, Some(error.to_string())),
            Err(error) => {
                tracing::debug!("not sent yet: {error}");
                if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return delivered(delivery, Some(error.to_string()));
                }
                let wait = (FIRST_RETRY * 2u32.pow(failures)).min(LAST_RETRY);
                failures = (failures + 1).min(8);
                wait
            }
        };
        // At the end every attempt counts, so waits are short then.
        let wait = if deadline.is_some() { wait.min(Duration::from_secs(1)) } else { wait };
        match stopped.recv_timeout(wait) {
            Ok(until) => deadline = Some(until),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if deadline.is_none() => {
                return delivered(delivery, Some("the run was abandoned".into()));
            }
            // Nothing more to hear: the wait has to be spent otherwise.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(wait),
        }
    }
}

fn delivered(delivery: &Delivery, reason: Option<String>) -> Delivered {
    Delivered {
        complete: delivery.pending() == 0 && reason.is_none(),
        metrics: delivery.metrics,
        files: delivery.files,
        run_id: delivery.ledger.run_id.clone(),
        model_id: delivery.ledger.model_id.clone(),
        note: (delivery.ledger.without_logged_models && delivery.ledger.skipped.is_empty())
            .then(|| NO_LOGGED_MODELS.to_owned()),
        skipped: delivery.ledger.skipped.clone(),
        reason,
    }
}
