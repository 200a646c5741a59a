//! The sender: a thread that follows a run and sends it, as long as the run lasts and a little longer.

use super::delivery::{Delivery, DeliveryError};
use super::target::Target;
use pupila_run::RunFolder;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender as Channel, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often new lines are looked for.
const POLL: Duration = Duration::from_secs(1);
/// The wait behind a first failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// The longest wait at the end, when every attempt counts.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// How long beyond its patience the end of a run waits for the word that the sender has given up.
const GRACE: Duration = Duration::from_millis(200);

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
    /// The run's page on the server.
    pub page: Option<String>,
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
    /// What became of the run, where that is known before its end.
    early: Option<Delivered>,
    trouble: Trouble,
}

/// Why the last attempt failed, where it may succeed later.
type Trouble = Arc<Mutex<Option<String>>>;

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
        let trouble = Trouble::default();
        let told = Arc::clone(&trouble);
        let spawned = thread.spawn(move || {
            let delivered = deliver(&mut delivery, stopped, &told);
            // Nobody waits any more: the process is about to end.
            let _ = end.send(delivered);
        });
        spawned.map_err(|source| DeliveryError::Folder { path: folder.to_owned(), source })?;
        Ok(Sender { stop, ended, early: None, trouble })
    }

    /// Why the last attempt to send failed, where another may succeed, such as a server that does not answer.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why nothing is sent any more while the run still goes on, such as an experiment that is deleted; told once.
    pub fn gave_up(&mut self) -> Option<String> {
        if self.early.is_some() {
            return None;
        }
        self.early = self.ended.try_recv().ok();
        self.early.as_ref()?.reason.clone()
    }

    /// Says that nothing more will come and waits, at most so long, until all is sent.
    pub fn finish(self, patience: Duration) -> Delivered {
        if let Some(early) = self.early {
            return early;
        }
        let _ = self.stop.send(Instant::now() + patience);
        // A request may hang for longer than there is patience; what it was about is marked in the ledger.
        self.ended.recv_timeout(patience + GRACE).unwrap_or_else(|_| Delivered {
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
    let mut delivered = deliver(&mut delivery, stopped, &Trouble::default());
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

fn deliver(delivery: &mut Delivery, stopped: Receiver<Instant>, trouble: &Trouble) -> Delivered {
    let advance = || {
        let advanced = delivery.advance();
        let failed = advanced.as_ref().err().filter(|error| error.is_passing()).map(ToString::to_string);
        *trouble.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        advanced
    };
    let reason = follow(advance, &mut Line { stopped, deadline: None });
    delivered(delivery, reason)
}

/// What the sender is told and how it waits. The clock is behind it alone, so that tests need none.
trait Orders {
    /// Waits so long, or until told to stop; false where nobody is there any more to tell it.
    fn wait(&mut self, time: Duration) -> bool;

    /// Whether the word to stop has come.
    fn stopped(&self) -> bool;

    /// Whether the patience that came with it is over.
    fn late(&self) -> bool;
}

/// The line to whoever has started the sender, by the system's clock.
struct Line {
    stopped: Receiver<Instant>,
    /// Came over it.
    deadline: Option<Instant>,
}

impl Orders for Line {
    fn wait(&mut self, time: Duration) -> bool {
        match self.stopped.recv_timeout(time) {
            Ok(deadline) => self.deadline = Some(deadline),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if self.deadline.is_none() => return false,
            // Nothing more to hear: the wait has to be spent otherwise.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(time),
        }
        true
    }

    fn stopped(&self) -> bool {
        self.deadline.is_some()
    }

    fn late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Sends until told to stop and all is sent, the patience that came with the word is over, or the server refuses for good.
/// `advance` sends what is next and says whether there was something. Why not all is sent, if so.
fn follow(
    mut advance: impl FnMut() -> Result<bool, DeliveryError>,
    orders: &mut impl Orders,
) -> Option<String> {
    let mut failures = 0;
    loop {
        let wait = match advance() {
            Ok(true) => {
                failures = 0;
                Duration::ZERO
            }
            Ok(false) if orders.stopped() => return None,
            Ok(false) => POLL,
            Err(error) if !error.is_passing() => return Some(error.to_string()),
            Err(error) => {
                tracing::debug!("not sent yet: {error}");
                if orders.late() {
                    return Some(error.to_string());
                }
                let wait = (FIRST_RETRY * 2u32.pow(failures)).min(LAST_RETRY);
                failures = (failures + 1).min(8);
                wait
            }
        };
        let wait = if orders.stopped() { wait.min(LAST_WAIT) } else { wait };
        if !orders.wait(wait) {
            return Some("the run was abandoned".into());
        }
    }
}

/// Where a person sees the run.
fn page(delivery: &Delivery) -> Option<String> {
    let (experiment, run) = (delivery.ledger.experiment_id.as_ref()?, delivery.ledger.run_id.as_ref()?);
    let server = delivery.client.target().uri.to_string();
    Some(format!("{}/#/experiments/{experiment}/runs/{run}", server.trim_end_matches('/')))
}

fn delivered(delivery: &Delivery, reason: Option<String>) -> Delivered {
    Delivered {
        complete: delivery.pending() == 0 && reason.is_none(),
        metrics: delivery.metrics,
        files: delivery.files,
        run_id: delivery.ledger.run_id.clone(),
        page: page(delivery),
        model_id: delivery.ledger.model_id.clone(),
        note: (delivery.ledger.without_logged_models && delivery.ledger.skipped.is_empty())
            .then(|| NO_LOGGED_MODELS.to_owned()),
        skipped: delivery.ledger.skipped.clone(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::ClientError;
    use super::*;

    /// Orders by a clock that goes on by waiting alone.
    #[derive(Default)]
    struct Script {
        /// In which wait the word to stop comes, from 1, and with how much patience; none where the run is abandoned then.
        stop: Option<(usize, Option<Duration>)>,
        now: Duration,
        deadline: Option<Duration>,
        /// How long was waited each time.
        waits: Vec<Duration>,
    }

    impl Script {
        fn stop_in_wait(number: usize, patience: Duration) -> Self {
            Script { stop: Some((number, Some(patience))), ..Script::default() }
        }

        fn waits_s(&self) -> Vec<f64> {
            self.waits.iter().map(Duration::as_secs_f64).collect()
        }
    }

    impl Orders for Script {
        fn wait(&mut self, time: Duration) -> bool {
            self.waits.push(time);
            match self.stop {
                Some((number, patience)) if number == self.waits.len() => {
                    // It cuts the wait short.
                    self.deadline = patience.map(|patience| self.now + patience);
                    patience.is_some()
                }
                _ => {
                    self.now += time;
                    true
                }
            }
        }

        fn stopped(&self) -> bool {
            self.deadline.is_some()
        }

        fn late(&self) -> bool {
            self.deadline.is_some_and(|deadline| self.now >= deadline)
        }
    }

    const PATIENCE: Duration = Duration::from_secs(3);

    fn down() -> Result<bool, DeliveryError> {
        Err(ClientError::Unreachable { uri: "http://h".into(), reason: "refused".into() }.into())
    }

    fn refused() -> Result<bool, DeliveryError> {
        let (code, message) = (String::new(), "who are you?".into());
        Err(ClientError::Refused { uri: "http://h".into(), status: 401, code, message }.into())
    }

    /// Follows a server that gives these answers and then the last one for ever.
    fn by(answers: &[fn() -> Result<bool, DeliveryError>], orders: &mut Script) -> (Option<String>, usize) {
        let mut asked = 0;
        let reason = follow(
            || {
                asked += 1;
                answers[(asked - 1).min(answers.len() - 1)]()
            },
            orders,
        );
        (reason, asked)
    }

    #[test]
    fn a_server_that_is_down_is_asked_less_and_less_and_given_up_when_patience_is_over() {
        let mut orders = Script::stop_in_wait(8, PATIENCE);
        let (reason, asked) = by(&[down], &mut orders);
        // In the eighth wait the run ends: three seconds in which waits are short, and a last attempt behind them.
        assert_eq!(orders.waits_s(), [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 1.0, 1.0, 1.0]);
        assert_eq!((reason.as_deref(), asked), (Some("http://h does not answer: refused"), 12));
        // One answer, and the waits begin anew.
        let mut orders = Script::stop_in_wait(5, PATIENCE);
        by(&[down, down, || Ok(true), down], &mut orders);
        assert_eq!(orders.waits_s()[..5], [0.5, 1.0, 0.0, 0.5, 1.0]);
    }

    #[test]
    fn without_patience_there_is_one_more_attempt() {
        let mut orders = Script::stop_in_wait(1, Duration::ZERO);
        let (reason, asked) = by(&[down], &mut orders);
        assert_eq!((reason.is_some(), asked), (true, 2));
        let mut orders = Script::stop_in_wait(1, Duration::ZERO);
        let (reason, asked) = by(&[down, || Ok(true), || Ok(true), || Ok(false)], &mut orders);
        assert_eq!((reason, asked), (None, 4));
    }

    #[test]
    fn what_is_there_is_sent_at_once_and_more_is_looked_for_until_the_end() {
        let mut orders = Script::stop_in_wait(4, Duration::ZERO);
        let (reason, asked) = by(&[|| Ok(true), || Ok(false), || Ok(true), || Ok(false)], &mut orders);
        assert_eq!(orders.waits_s(), [0.0, 1.0, 0.0, 1.0]);
        assert_eq!((reason, asked), (None, 5));
    }

    #[test]
    fn the_end_of_a_run_waits_for_no_request_that_hangs() {
        let ((stop, _stopped), (_end, ended)) = (channel(), channel());
        let delivered =
            Sender { stop, ended, early: None, trouble: Trouble::default() }.finish(Duration::ZERO);
        let reason = Some("the server took longer than 0ns".to_owned());
        assert_eq!(delivered, Delivered { reason, ..Delivered::default() });
    }

    #[test]
    fn a_refusal_and_a_run_that_is_abandoned_end_it() {
        let (reason, asked) = by(&[refused], &mut Script::default());
        assert_eq!((reason.as_deref(), asked), (Some("http://h answers 401: who are you?"), 1));
        let mut orders = Script { stop: Some((2, None)), ..Script::default() };
        let (reason, asked) = by(&[|| Ok(true)], &mut orders);
        assert_eq!((reason.as_deref(), asked), (Some("the run was abandoned"), 2));
    }
}
