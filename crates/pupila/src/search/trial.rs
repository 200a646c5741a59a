//! Trials, each an ordinary run that may be ended early.

use super::interrupted::{PRUNED, Place, WORKER, behind, place, pruned, put_back};
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
pub(super) const RETRIES: usize = 3;

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
pub(super) fn fail(storage: &dyn Storage, number: u64, why: &str) -> Result<(), Error> {
    Ok(storage.finish(number, State::Fail, None, &[(WHY, json!(why))])?)
}

/// What the names of trials' runs begin with.
pub(super) const RUN_PREFIX: &str = "trial-";

/// The folder of a trial's run.
pub(super) fn run_name(number: u64) -> String {
    format!("{RUN_PREFIX}{number:04}")
}

/// Whether a folder of this name is a trial's run.
pub(crate) fn is_run_name(name: &str) -> bool {
    name.strip_prefix(RUN_PREFIX).is_some_and(|number| number.parse::<u64>().is_ok())
}

/// How a trial ended.
pub(super) struct Ended {
    state: State,
    value: Option<f64>,
    epoch: Option<u32>,
    why: Option<String>,
}

/// How a trial ended whose run ended as `end`. `pruned`: the words of the pruner that ended it. `value`: of the best epoch; `last`: of the last.
pub(super) fn outcome(
    search: &Search,
    end: RunEnd,
    pruned: Option<String>,
    value: Option<f64>,
    epoch: Option<u32>,
    last: Option<f64>,
) -> Ended {
    let value = value.filter(|value| !value.is_nan());
    match (end, pruned) {
        (_, Some(why)) => {
            let value = last.filter(|value| !value.is_nan());
            Ended { state: State::Pruned, value, epoch: None, why: Some(why) }
        }
        (_, None) if value.is_some() => Ended { state: State::Complete, value, epoch, why: None },
        // That is what its values do, and they would do it again: it has been tried, and is the worst there is.
        (RunEnd::Diverged, None) => Ended {
            state: State::Pruned,
            value: None,
            epoch: None,
            why: Some("the loss was no longer a number".to_owned()),
        },
        (_, None) => Ended::failed(format!("val/{} is undefined on these images", search.monitor.name)),
    }
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
        let known = trials.iter().find(|trial| trial.number == number).cloned();
        let mut trial = known.unwrap_or_else(|| Trial::new(number, State::Running));
        // One that was begun has its values: they were written with the name of its run.
        let chosen = trial.user_attributes.contains_key(RUN).then(|| fixed.clone());
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
        let chosen = match chosen.map_or_else(|| search.sampler.suggest(&request), |chosen| Ok(Some(chosen)))
        {
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
        trial.params = params;
        let begun = Instant::now();
        self.observer.started(&trial);
        let ended = match catch_unwind(AssertUnwindSafe(|| self.train(&trial))) {
            Ok(Ok(Some(ended))) => ended,
            // Interrupted: whoever goes on takes it up again.
            Ok(Ok(None)) => {
                self.put_back(number)?;
                self.stopped.store(true, Ordering::Relaxed);
                return Ok(false);
            }
            Ok(Err(error @ Error::Storage(_))) => return Err(error),
            Ok(Err(error)) if error.is_of_the_file_system() => {
                self.put_back(number)?;
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

    /// Lets a trial wait. It is none of those that run here any more, before another thread can take it.
    fn put_back(&self, number: u64) -> Result<(), Error> {
        lock(&self.running).remove(&number);
        put_back(self.search.storage.as_ref(), number)
    }

    /// The values that an enqueued trial was given; what is wrong with them.
    fn fixed(&self, trials: &[Trial], number: u64) -> Result<Assignment, String> {
        let trial = trials.iter().find(|trial| trial.number == number);
        let given = trial.and_then(|trial| trial.system_attributes.get("fixed_params")?.as_object().cloned());
        let given = given.unwrap_or_default();
        let mut fixed = Assignment::new();
        let begun = trial.filter(|trial| trial.user_attributes.contains_key(RUN));
        let known = begun.into_iter().flat_map(|trial| &trial.params);
        let given =
            given.into_iter().chain(known.map(|(key, param)| (key.clone(), param.external().to_json())));
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

    /// Trains a trial, from where it was interrupted if it was; `None` where it is interrupted now.
    fn train(&self, trial: &Trial) -> Result<Option<Ended>, Error> {
        let search = self.search;
        let settings = search.settings(trial);
        let placed = || {
            let recipe = with(&search.options.layers, &settings).resolve()?;
            let (name, place) = place(search, trial, &recipe)?;
            Ok::<_, Error>((recipe, name, place))
        };
        let (recipe, name, place) = match placed() {
            Ok(placed) => placed,
            Err(error) => {
                // What cannot be trained has its values too.
                search.storage.set_params(trial.number, &trial.params, &[])?;
                return Err(error);
            }
        };
        let mut attributes = vec![(RUN, json!(name))];
        attributes.extend(search.worker.as_ref().map(|worker| (WORKER, json!(worker))));
        search.storage.set_params(trial.number, &trial.params, &attributes)?;
        let mut watcher = Watcher {
            shared: self,
            trial: trial.clone(),
            epochs: recipe.train.epochs,
            judged: trial.last_report().map_or(0, |(step, _)| step),
            pruned: None,
            error: None,
        };
        watcher.catch_up(&behind(&place))?;
        let going_on = match place {
            Place::Ended(ended) => {
                self.observer.note(&format!("trial {} had ended: its run is whole", trial.number));
                return Ok(Some(ended));
            }
            Place::Checkpoint(going_on) => {
                self.observer.note(&format!("trial {} goes on from {}", trial.number, going_on.place()));
                Some(*going_on)
            }
            Place::Beginning(why) => {
                if let Some(why) = why {
                    self.observer.note(&format!("trial {} begins anew: {why}", trial.number));
                }
                None
            }
        };
        let jobs = search.options.jobs.unwrap_or(1).max(1);
        let threads = search.options.threads.unwrap_or_else(crate::session::available_threads);
        let group = Group {
            folder: "..".to_owned(),
            name: search.name.clone(),
            member: name.clone(),
            varied: settings.iter().map(|(key, _)| key.clone()).collect(),
        };
        let told = Arc::clone(&search.options.progress);
        let mut builder = Session::builder(recipe, &search.options.data)
            .runs(&search.folder)
            .name(&name)
            .threads((threads / jobs).max(1))
            .save_while_running(false)
            .shared(&search.shared)
            .group(group)
            .on_progress(move |progress| told(progress))
            .stop_signal(&search.options.stop)
            .arguments(search.options.arguments.clone());
        if let Some(going_on) = going_on {
            builder = builder.going_on(going_on);
        }
        let run = match builder.open()?.run(&mut watcher) {
            Err(error) if error.kind() == ErrorKind::Stopped => return Ok(None),
            run => run?,
        };
        if let Some(error) = watcher.error {
            return Err(error);
        }
        let (end, epoch) = (run.outcome().end, run.outcome().best_epoch);
        if end == RunEnd::Interrupted {
            return Ok(None);
        }
        let last = watcher.trial.last_report().map(|(_, value)| value);
        let value = run.val(search.monitor.name);
        Ok(Some(outcome(search, end, watcher.pruned, value, epoch, last)))
    }
}

/// Follows a trial: tells the storage of every epoch, and asks the pruner.
struct Watcher<'a> {
    shared: &'a Shared<'a>,
    trial: Trial,
    epochs: u32,
    /// The last epoch that had been reported when the trial was begun or gone on with: a pruner has seen all before it.
    judged: i64,
    pruned: Option<String>,
    error: Option<Error>,
}

impl Watcher<'_> {
    /// Tells what a run has behind it that goes on, as far as it is not known.
    fn catch_up(&mut self, behind: &[EpochRecord]) -> Result<(), Error> {
        for record in behind {
            if self.pruned.is_none() {
                self.told(record, true)?;
            }
        }
        Ok(())
    }

    /// An epoch has ended. `behind`: the run was trained on after it.
    fn told(&mut self, record: &EpochRecord, behind: bool) -> Result<(), Error> {
        let Shared { search, .. } = self.shared;
        let (number, step) = (self.trial.number, i64::from(record.epoch));
        let value = record.val(search.monitor.name);
        let known = self.trial.intermediate.insert(step, value);
        if known.is_none_or(|known| known.to_bits() != value.to_bits()) {
            search.storage.report(number, step, value)?;
        }
        if let Some((_, why)) = pruned(&self.trial).filter(|&(epoch, _)| epoch == record.epoch) {
            self.pruned = Some(why);
        }
        // After the last epoch nothing is saved. What the storage has of the last one that was reported may have been judged, or not.
        let is_judged = step < self.judged || (step == self.judged && behind);
        if is_judged || search.pruner.is_idle() || record.epoch >= self.epochs {
            return Ok(());
        }
        self.judge(record)
    }

    fn judge(&mut self, record: &EpochRecord) -> Result<(), Error> {
        let Shared { search, .. } = self.shared;
        let number = self.trial.number;
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
        if verdict.is_pruned {
            let why =
                format!("ended by {} after epoch {} of {}", search.pruner.name(), record.epoch, self.epochs);
            search.storage.set_attribute(number, false, PRUNED, &json!([record.epoch, why]))?;
            self.pruned = Some(why);
        }
        for (key, value) in &verdict.attributes {
            search.storage.set_attribute(number, true, key, value)?;
        }
        Ok(())
    }
}

impl Observer for Watcher<'_> {
    fn stop(&mut self) -> Option<Stop> {
        // Where the storage fails, the state is kept: the trial goes on when that is mended.
        let interrupted = self.error.as_ref().map(|_| Stop::Interrupted);
        interrupted.or_else(|| self.pruned.clone().map(Stop::Ended))
    }

    fn epoch(&mut self, record: &EpochRecord, _engine: &dyn Backend) {
        let Shared { search, observer, .. } = self.shared;
        observer.epoch(self.trial.number, record.epoch, self.epochs, record.val(search.monitor.name));
        if self.error.is_none()
            && let Err(error) = self.told(record, false)
        {
            self.error = Some(error);
        }
    }

    fn warning(&mut self, message: &str) {
        self.shared.observer.warning(message);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
