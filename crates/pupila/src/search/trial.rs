//! Trials, each an ordinary run that may be ended early.

use super::{Search, SearchObserver, failed, with};
use crate::error::{Error, ErrorKind};
use crate::session::Session;
use pupila_backend::Backend;
use pupila_run::{Group, RunEnd};
use pupila_search::pruner::Situation;
use pupila_search::storage::{HEARTBEAT_S, STALE_S, Storage, StorageError};
use pupila_search::{Assignment, Request, State, Trial};
use pupila_train::{EpochRecord, Observer, Stop};
use serde_json::json;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The attribute of a trial that says why it failed.
pub(super) const WHY: &str = "pupila:why";
/// The attribute that names a trial's run folder.
pub(super) const RUN: &str = "pupila:run";
/// The attribute that says in which epoch the value was reached.
pub(super) const EPOCH: &str = "pupila:epoch";

/// What [`WHY`] says of a trial that was interrupted, or whose process is gone.
pub(super) const INTERRUPTED: &str = "interrupted";

/// Failed trials, beside as many as are wanted, after which no more are begun.
const FAILURES: u64 = 10;

/// How often a trial that did not come to its end is tried again: it may be what ends its workers, by the memory that it takes.
const RETRIES: usize = 3;

/// What the threads share.
struct Shared<'a> {
    search: &'a Search,
    observer: &'a dyn SearchObserver,
    deadline: Option<Instant>,
    /// Trials that run here.
    running: Mutex<BTreeSet<u64>>,
    error: Mutex<Option<Error>>,
    stopped: AtomicBool,
    /// Held by the thread that chooses what comes next, and makes it known as this process's.
    turn: Mutex<()>,
    /// Whether it has been said that others are waited for.
    waits: AtomicBool,
}

/// What a thread does next.
enum Next {
    Trial(u64),
    /// There are enough.
    Enough,
    /// There are enough, if those that others run come to an end; what these have said so far.
    Others(String),
}

/// Without a word for so long, trials that run elsewhere are not waited for: those of Python have no heartbeat by which they could be taken for dead.
const SILENCE: Duration = Duration::from_secs(2 * STALE_S);

/// Between two looks at what others do.
pub(super) const POLL: Duration = Duration::from_millis(500);

/// Runs trials until enough have ended. Whether it was stopped before.
pub(super) fn run_all(search: &Search, observer: &dyn SearchObserver) -> Result<bool, Error> {
    let jobs = search.options.jobs.unwrap_or(1).max(1);
    let shared = Shared {
        search,
        observer,
        deadline: search.deadline(),
        running: Mutex::default(),
        error: Mutex::default(),
        stopped: AtomicBool::new(false),
        turn: Mutex::default(),
        waits: AtomicBool::new(false),
    };
    let (done, waits) = channel::<()>();
    std::thread::scope(|scope| {
        // Whoever looks at the storage sees by these that the trials are alive.
        let beats = &shared;
        scope.spawn(move || {
            while waits.recv_timeout(Duration::from_secs(HEARTBEAT_S)) == Err(RecvTimeoutError::Timeout) {
                beats.beat();
            }
        });
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(|| shared.work())).collect();
        let panicked = workers.into_iter().filter_map(|worker| worker.join().err()).next();
        drop(done);
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    });
    if let Some(error) = lock(&shared.error).take() {
        return Err(error);
    }
    Ok(shared.stopped.into_inner())
}

/// Ends a trial as failed.
fn fail(storage: &dyn Storage, number: u64, why: &str) -> Result<(), Error> {
    Ok(storage.finish(number, State::Fail, None, &[(WHY, json!(why))])?)
}

/// Ends a trial as failed, and lets it wait to be tried once more.
fn retry(storage: &dyn Storage, number: u64, why: &str) -> Result<(), Error> {
    Ok(storage.retry(number, RETRIES, &[(WHY, json!(why))])?)
}

/// Takes up every running trial, where it is known that nobody runs one.
pub(super) fn take_up_all(storage: &dyn Storage) -> Result<(), Error> {
    for lost in storage.trials()?.iter().filter(|trial| trial.state == State::Running) {
        retry(storage, lost.number, INTERRUPTED)?;
    }
    Ok(())
}

/// What the names of trials' runs begin with.
const RUN_PREFIX: &str = "trial-";

/// The folder of a trial's run.
fn run_name(number: u64) -> String {
    format!("{RUN_PREFIX}{number:04}")
}

/// Whether a folder of this name is a trial's run.
pub(crate) fn is_run_name(name: &str) -> bool {
    name.strip_prefix(RUN_PREFIX).is_some_and(|number| number.parse::<u64>().is_ok())
}

/// How a trial ended.
struct Ended {
    state: State,
    value: Option<f64>,
    epoch: Option<u32>,
    why: Option<String>,
}

impl Ended {
    fn failed(why: String) -> Ended {
        Ended { state: State::Fail, value: None, epoch: None, why: Some(why) }
    }
}

impl Shared<'_> {
    fn beat(&self) {
        let running = lock(&self.running).clone();
        for number in running {
            if let Err(error) = self.search.storage.beat(number) {
                self.observer.warning(&error.to_string());
            }
        }
    }

    fn work(&self) {
        // When the trials that run elsewhere last said something, and what.
        let mut heard: Option<(Instant, String)> = None;
        loop {
            if self.search.options.stop.is_set() {
                self.stopped.store(true, Ordering::Relaxed);
                return;
            }
            let is_over = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if is_over || lock(&self.error).is_some() {
                return;
            }
            match self.next() {
                Ok(Next::Trial(number)) => {
                    let done = self.one(number);
                    lock(&self.running).remove(&number);
                    match done {
                        Ok(true) => {}
                        Ok(false) => return,
                        // Another worker has taken this one for dead, after a long sleep of the machine perhaps, and has put it into the queue.
                        Err(Error::Storage(lost @ StorageError::Trial { .. })) => {
                            self.observer.warning(&format!("{lost}; the search goes on with the next"));
                        }
                        Err(error) => {
                            lock(&self.error).get_or_insert(error);
                            return;
                        }
                    }
                }
                Ok(Next::Enough) => return,
                // Their workers may be gone: then their trials are taken up here.
                Ok(Next::Others(sign)) => {
                    let (since, seen) = heard.get_or_insert_with(|| (Instant::now(), sign.clone()));
                    if *seen != sign {
                        heard = None;
                    } else if since.elapsed() > SILENCE {
                        self.observer
                            .warning("the trials that run elsewhere say nothing: they are not waited for");
                        return;
                    }
                    if !self.waits.swap(true, Ordering::Relaxed) {
                        self.observer.warning(&format!(
                            "trials run elsewhere: waiting for their end; one that is not heard of for {STALE_S} s is taken up here"
                        ));
                    }
                    std::thread::sleep(POLL);
                }
                Err(error) => {
                    lock(&self.error).get_or_insert(error);
                    return;
                }
            }
        }
    }

    /// The next trial: one that waits, or a new one. It is among those that run here from now on.
    fn next(&self) -> Result<Next, Error> {
        let _turn = lock(&self.turn);
        let next = self.chosen()?;
        if let Next::Trial(number) = next {
            lock(&self.running).insert(number);
        }
        Ok(next)
    }

    fn chosen(&self) -> Result<Next, Error> {
        let storage = &self.search.storage;
        storage.fail_stale(RETRIES)?;
        if let Some(number) = storage.claim()? {
            return Ok(Next::Trial(number));
        }
        // Where every trial fails there is no end by their number: what fails will fail again.
        let failed = failed(&storage.trials()?).count() as u64;
        if failed >= FAILURES + self.search.wanted().unwrap_or(0) {
            self.observer.warning(&format!("{failed} trials have failed: no more are begun"));
            return Ok(Next::Enough);
        }
        // A grid has an end, which is seen before a trial is made for nothing.
        let search = self.search;
        if search.sampler.is_finite() {
            let trials = storage.trials()?;
            let next = trials.iter().map(|trial| trial.number + 1).max().unwrap_or(0);
            let space = &search.options.space;
            let request = Request::new(space, search.direction, search.options.seed, next, &trials);
            if search.sampler.suggest(&request).map_err(Error::request)?.is_none() {
                self.observer.warning("every combination of the grid has been tried");
                return Ok(Next::Enough);
            }
        }
        let Some(wanted) = search.wanted() else { return Ok(Next::Trial(storage.create()?)) };
        if let Some(number) = storage.create_within(wanted)? {
            return Ok(Next::Trial(number));
        }
        let trials = storage.trials()?;
        let own = lock(&self.running).clone();
        let elsewhere = |trial: &&Trial| match trial.state {
            // Given back by another worker meanwhile.
            State::Waiting => true,
            State::Running => !own.contains(&trial.number),
            _ => false,
        };
        let sign = |trial: &Trial| {
            format!("{} {} {:?};", trial.number, trial.intermediate.len(), trial.system_attributes)
        };
        let signs: String = trials.iter().filter(elsewhere).map(sign).collect();
        Ok(if signs.is_empty() { Next::Enough } else { Next::Others(signs) })
    }

    /// Chooses, trains, and says how it ended. `false` where there is nothing left to try, or the search was stopped.
    fn one(&self, number: u64) -> Result<bool, Error> {
        let search = self.search;
        let storage = &search.storage;
        let trials = storage.trials()?;
        let fixed = match self.fixed(&trials, number) {
            Ok(fixed) => fixed,
            Err(why) => {
                fail(storage.as_ref(), number, &why)?;
                self.observer.warning(&format!("trial {number} was not run: {why}"));
                return Ok(true);
            }
        };
        // A grid looks for what is left to try, and not for what was good.
        let peers = match search.sampler.is_finite() {
            true => Cow::Borrowed(&trials[..]),
            false => search.pruner.peers(&search.study, number, &trials),
        };
        let request = Request {
            space: &search.options.space,
            direction: search.direction,
            seed: search.options.seed,
            number,
            trials: &peers,
            fixed,
        };
        let chosen = match search.sampler.suggest(&request) {
            Ok(Some(chosen)) => chosen,
            Ok(None) => {
                fail(storage.as_ref(), number, "everything has been tried")?;
                return Ok(false);
            }
            Err(fault) => {
                fail(storage.as_ref(), number, &fault.to_string())?;
                return Err(Error::request(fault));
            }
        };
        let params = search.options.space.params(&chosen);
        storage.set_params(number, &params, &[(RUN, json!(run_name(number)))])?;
        // With what the storage has of it, such as how often it was tried.
        let known = trials.iter().find(|trial| trial.number == number).cloned();
        let mut trial = known.unwrap_or_else(|| Trial::new(number, State::Running));
        trial.params = params;
        let begun = Instant::now();
        self.observer.started(&trial);
        let ended = match catch_unwind(AssertUnwindSafe(|| self.train(&trial))) {
            Ok(Ok(Some(ended))) => ended,
            // Interrupted: whoever goes on takes it up again.
            Ok(Ok(None)) => {
                retry(storage.as_ref(), number, INTERRUPTED)?;
                self.stopped.store(true, Ordering::Relaxed);
                return Ok(false);
            }
            Ok(Err(error @ Error::Storage(StorageError::Trial { .. }))) => return Err(error),
            Ok(Err(error)) if error.is_of_the_file_system() => {
                retry(storage.as_ref(), number, &error.to_string())?;
                return Err(error);
            }
            Ok(Err(error)) => Ended::failed(error.to_string()),
            Err(_) => Ended::failed("a fault of the program".to_owned()),
        };
        let why = ended.why.as_ref().map(|why| (WHY, json!(why)));
        let attributes: Vec<_> =
            why.into_iter().chain(ended.epoch.map(|epoch| (EPOCH, json!(epoch)))).collect();
        storage.finish(number, ended.state, ended.value, &attributes)?;
        trial.state = ended.state;
        trial.values = ended.value.into_iter().collect();
        self.observer.ended(&trial, ended.why.as_deref(), begun.elapsed());
        Ok(true)
    }

    /// The values that an enqueued trial was given; what is wrong with them.
    fn fixed(&self, trials: &[Trial], number: u64) -> Result<Assignment, String> {
        let given = trials
            .iter()
            .find(|trial| trial.number == number)
            .and_then(|trial| trial.system_attributes.get("fixed_params")?.as_object().cloned())
            .unwrap_or_default();
        let mut fixed = Assignment::new();
        for (key, value) in given {
            let known = self.search.options.space.parameters().iter().find(|parameter| parameter.key == key);
            let Some(parameter) = known else {
                return Err(format!("it was given {key} = {value}, which the space does not have"));
            };
            match parameter.distribution.from_external(&pupila_search::Choice::from_json(&value)) {
                Some(value) => fixed.insert(key, value),
                None => return Err(format!("it was given {key} = {value}, which is outside of the space")),
            };
        }
        Ok(fixed)
    }

    /// Trains a trial; `None` where it was interrupted.
    fn train(&self, trial: &Trial) -> Result<Option<Ended>, Error> {
        let search = self.search;
        let settings = search.settings(trial);
        let recipe = with(&search.options.layers, &settings).resolve()?;
        let name = run_name(trial.number);
        crate::runs::remove_unfinished(&search.folder.join(&name))?;
        let jobs = search.options.jobs.unwrap_or(1).max(1);
        let threads = search.options.threads.unwrap_or_else(crate::session::available_threads);
        let group = Group {
            folder: "..".to_owned(),
            name: search.name.clone(),
            member: name.clone(),
            varied: settings.iter().map(|(key, _)| key.clone()).collect(),
        };
        let told = Arc::clone(&search.options.progress);
        let mut session = Session::builder(recipe, &search.options.data)
            .runs(&search.folder)
            .name(&name)
            .threads((threads / jobs).max(1))
            .save_while_running(false)
            .shared(&search.shared)
            .group(group)
            .on_progress(move |progress| told(progress))
            .stop_signal(&search.options.stop)
            .arguments(search.options.arguments.clone())
            .open()?;
        let mut watcher = Watcher {
            shared: self,
            trial: trial.clone(),
            epochs: session.recipe().train.epochs,
            pruned: None,
            error: None,
        };
        let run = match session.run(&mut watcher) {
            Err(error) if error.kind() == ErrorKind::Stopped => return Ok(None),
            run => run?,
        };
        if let Some(error) = watcher.error {
            return Err(error);
        }
        let value = run.val(search.monitor.name).filter(|value| !value.is_nan());
        let epoch = run.outcome().best_epoch;
        Ok(match (run.outcome().end, watcher.pruned) {
            (RunEnd::Interrupted, _) => None,
            (_, Some(why)) => {
                let last =
                    watcher.trial.last_report().map(|(_, value)| value).filter(|value| !value.is_nan());
                Some(Ended { state: State::Pruned, value: last, epoch: None, why: Some(why) })
            }
            (_, None) if value.is_some() => Some(Ended { state: State::Complete, value, epoch, why: None }),
            // That is what its values do, and they would do it again: it has been tried, and is the worst there is.
            (RunEnd::Diverged, None) => Some(Ended {
                state: State::Pruned,
                value: None,
                epoch: None,
                why: Some("the loss was no longer a number".to_owned()),
            }),
            (_, None) => {
                Some(Ended::failed(format!("val/{} is undefined on these images", search.monitor.name)))
            }
        })
    }
}

/// Follows a trial: tells the storage of every epoch, and asks the pruner.
struct Watcher<'a> {
    shared: &'a Shared<'a>,
    trial: Trial,
    epochs: u32,
    pruned: Option<String>,
    error: Option<Error>,
}

impl Watcher<'_> {
    fn judged(&mut self, record: &EpochRecord) -> Result<(), Error> {
        let Shared { search, observer, .. } = self.shared;
        let (number, step) = (self.trial.number, i64::from(record.epoch));
        let value = record.val(search.monitor.name);
        observer.epoch(number, record.epoch, self.epochs, value);
        search.storage.report(number, step, value)?;
        self.trial.intermediate.insert(step, value);
        // After the last epoch nothing is saved.
        if search.pruner.is_idle() || record.epoch >= self.epochs {
            return Ok(());
        }
        let trials = search.storage.trials()?;
        if let Some(known) = trials.iter().find(|trial| trial.number == number) {
            self.trial.system_attributes.clone_from(&known.system_attributes);
        }
        let verdict = search.pruner.judge(&Situation {
            study: &search.study,
            direction: search.direction,
            trial: &self.trial,
            trials: &trials,
        });
        for (key, value) in &verdict.attributes {
            search.storage.set_attribute(number, true, key, value)?;
        }
        if verdict.is_pruned {
            self.pruned = Some(format!(
                "ended by {} after epoch {} of {}",
                search.pruner.name(),
                record.epoch,
                self.epochs
            ));
        }
        Ok(())
    }
}

impl Observer for Watcher<'_> {
    fn stop(&mut self) -> Option<Stop> {
        let reason = self.pruned.clone().or_else(|| self.error.as_ref().map(ToString::to_string));
        reason.map(Stop::Ended)
    }

    fn epoch(&mut self, record: &EpochRecord, _engine: &dyn Backend) {
        if let Err(error) = self.judged(record) {
            self.error.get_or_insert(error);
        }
    }

    fn warning(&mut self, message: &str) {
        self.shared.observer.warning(message);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
