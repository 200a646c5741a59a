//! The runs of a study, side by side, each begun only if it has not ended before.

use super::claims::{Claim, Claims, HEARTBEAT};
use super::collect::{ImageGroups, collect};
use super::{Keep, Place, RunFacts, RunOutcome, Study, StudyObserver, StudyPlan, Unfinished};
use crate::error::{Error, ErrorKind, Tried};
use crate::resume::{clear_up, is_uncleared};
use crate::runs::{has_unfinished, remove_unfinished};
use crate::session::{GoingOn, OnProgress, Session};
use pupila_backend::Backend;
use pupila_dataset::{Dataset, Show, Split};
use pupila_engine::thread_pool;
use pupila_run::{Ending, RunEnd, RunFileError, RunFolder};
use pupila_search::storage::{STALE_S, SystemClock};
use pupila_study::Facts;
use pupila_trackers::mlflow::set_aside;
use pupila_train::{CheckedRecipe, EpochRecord, Observer};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Whether the run of a folder has ended and has left all that it leaves: the last line of its record is written last. What was interrupted
/// has not, and what is torn has not.
///
/// # Errors
/// The folder cannot be read, or a newer program wrote it: it is not known then.
pub(crate) fn has_ended(folder: &Path) -> Result<bool, Error> {
    match RunFolder::open(folder).and_then(|folder| folder.ending()) {
        Ok(ending) => Ok(ending == Ending::Whole),
        Err(RunFileError::Missing(_) | RunFileError::Damaged { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Between two looks at what other processes do.
pub(super) const POLL: Duration = Duration::from_millis(500);

/// What is to be done about a run.
enum Next<'a> {
    /// It is this process's to make.
    Make(Claim<'a>),
    /// Another process has made it meanwhile.
    Made,
    /// Another process makes it.
    Elsewhere,
}

/// What the threads of the runs share.
struct Shared<'a> {
    study: &'a Study,
    claims: Claims,
    /// Whether it was said that others are waited for.
    waits: AtomicBool,
    sends: bool,
    observer: &'a dyn StudyObserver,
    queue: Mutex<VecDeque<Place>>,
    facts: Mutex<Facts<'a>>,
    groups: ImageGroups,
    deadline: Option<Instant>,
    unfinished: Mutex<Option<Unfinished>>,
    /// An error of the work itself, such as a full disk: no other run is begun.
    error: Mutex<Option<Error>>,
}

/// Runs what is left of a study, and collects all of it. `sends`: whether runs are sent to a server, where the recipe names one.
pub(super) fn run<'a>(
    study: &'a Study,
    sends: bool,
    observer: &'a dyn StudyObserver,
) -> Result<(Facts<'a>, Option<Unfinished>), Error> {
    let plan = &study.plan;
    let groups = image_groups(study)?;
    let mut facts = Facts::new(plan);
    let (mut queue, mut ended) = (VecDeque::new(), Vec::new());
    for (&place, done) in study.places.iter().zip(&study.done) {
        let folder = study.folder.join(plan.run_name(place));
        // What has ended since this was opened is not run again either.
        if !done && !has_ended(&folder)? {
            queue.push_back(place);
            continue;
        }
        facts.set(place, collected(study, place, &groups));
        ended.push(place);
    }
    if !study.can_run() {
        return Ok((facts, None));
    }
    // More than a clock can hold is no limit.
    let minutes = plan.minutes.and_then(|minutes| Duration::try_from_secs_f64(60.0 * minutes).ok());
    let shared = Shared {
        study,
        claims: Claims::new(&study.folder, Arc::new(SystemClock::default())),
        waits: AtomicBool::new(false),
        sends,
        observer,
        queue: Mutex::new(queue),
        facts: Mutex::new(facts),
        groups,
        deadline: minutes.and_then(|minutes| Instant::now().checked_add(minutes)),
        unfinished: Mutex::new(None),
        error: Mutex::new(None),
    };
    (0..plan.variants.len()).for_each(|variant| shared.remove_models(variant));
    for place in ended {
        shared.clear_ended(place)?;
    }
    shared.read_images()?;
    let (done, ends) = channel::<()>();
    std::thread::scope(|scope| {
        let claims = &shared.claims;
        scope.spawn(move || {
            while ends.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                claims.beat();
            }
        });
        let workers: Vec<_> = (0..study.jobs).map(|_| scope.spawn(|| shared.work())).collect();
        let panicked = workers.into_iter().filter_map(|worker| worker.join().err()).next();
        drop(done);
        if let Some(panic) = panicked {
            resume_unwind(panic);
        }
    });
    if let Some(error) = lock(&shared.error).take() {
        return Err(error);
    }
    (0..plan.variants.len()).for_each(|variant| shared.tell_other_models(variant));
    let unfinished = *lock(&shared.unfinished);
    let facts = shared.facts.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((facts, unfinished))
}

/// The groups that the validation images belong to, such as patients.
pub(super) fn image_groups(study: &Study) -> Result<ImageGroups, Error> {
    let recipe = study.plan.recipe(Place { variant: 0, split: 0, seed: 0 }).map_err(Error::from)?;
    let (dataset, _) = study.shared.scan(&recipe)?;
    let val = dataset.indices(Split::Val);
    let units = dataset.units_of(&val).unwrap_or_else(|| vec![String::new(); val.len()]);
    Ok(units.into_iter().map(|unit| Some(unit).filter(|unit| !unit.is_empty())).collect())
}

fn collected(study: &Study, place: Place, groups: &ImageGroups) -> RunFacts {
    let folder = study.folder.join(study.plan.run_name(place));
    collect(&folder, study.plan.metric, groups).unwrap_or_else(|error| failed(error.to_string()))
}

fn failed(reason: String) -> RunFacts {
    RunFacts { outcome: RunOutcome::Failed(reason), value: f64::NAN, gap: f64::NAN, ..RunFacts::default() }
}

impl Shared<'_> {
    /// Reads the images of all runs that are left, on all threads: of each size the largest part, from which others are copied.
    fn read_images(&self) -> Result<(), Error> {
        let study = self.study;
        // Whole: what is hidden of them is hidden in copies.
        let whole = |recipe: &CheckedRecipe| recipe.input.rule().whole();
        let mut largest: Vec<(CheckedRecipe, Arc<Dataset>)> = Vec::new();
        for &place in lock(&self.queue).iter() {
            let recipe = study.plan.recipe(place)?;
            let (dataset, _) = study.shared.scan(&recipe)?;
            match largest.iter_mut().find(|(other, _)| whole(other) == whole(&recipe)) {
                Some((_, other)) if other.samples.len() >= dataset.samples.len() => {}
                Some(held) => *held = (recipe, dataset),
                None => largest.push((recipe, dataset)),
            }
        }
        let progress: OnProgress = Arc::clone(&study.progress);
        let pool = thread_pool(study.threads).map_err(|error| Error::Threads(error.to_string()))?;
        for (recipe, dataset) in &largest {
            let mut recipe = recipe.recipe().clone();
            recipe.input.show = Show::All;
            pool.install(|| study.shared.images(&recipe, dataset, Some(&progress), &study.stop))?;
        }
        Ok(())
    }

    /// Takes one run after the other, until there is none or the study is to end.
    fn work(&self) {
        // Runs that others make, one after the other, since the last that could be made here.
        let mut elsewhere = 0;
        loop {
            if self.study.stop.is_set() {
                lock(&self.unfinished).get_or_insert(Unfinished::Stopped);
                return;
            }
            if lock(&self.error).is_some() {
                return;
            }
            let next = lock(&self.queue).pop_front();
            let Some(place) = next else { return };
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                lock(&self.queue).clear();
                lock(&self.unfinished).get_or_insert(Unfinished::Minutes);
                return;
            }
            let name = self.study.plan.run_name(place);
            let _claim = match self.claim(&name) {
                Ok(Next::Make(claim)) => claim,
                Ok(Next::Made) => {
                    self.clear(place);
                    self.came_out(place, &name, collected(self.study, place, &self.groups));
                    continue;
                }
                Ok(Next::Elsewhere) => {
                    let mut queue = lock(&self.queue);
                    queue.push_back(place);
                    elsewhere += 1;
                    let left = queue.len();
                    drop(queue);
                    if elsewhere >= left {
                        self.wait(left);
                        elsewhere = 0;
                    }
                    continue;
                }
                Err(error) => {
                    lock(&self.error).get_or_insert(error);
                    return;
                }
            };
            elsewhere = 0;
            let threads = (self.study.threads / self.study.jobs).max(1);
            let session = AssertUnwindSafe(|| self.session(place, &name, threads));
            let facts = match catch_unwind(session) {
                Ok(Ok(RunEnd::Interrupted)) => {
                    lock(&self.unfinished).get_or_insert(Unfinished::Stopped);
                    return;
                }
                Ok(Ok(_)) => collected(self.study, place, &self.groups),
                Ok(Err(error)) if error.kind() == ErrorKind::Stopped => {
                    lock(&self.unfinished).get_or_insert(Unfinished::Stopped);
                    return;
                }
                // A disk that is full, or a folder that is gone, is no result of a variant.
                Ok(Err(error)) if error.is_of_the_file_system() => {
                    lock(&self.error).get_or_insert(error);
                    return;
                }
                Ok(Err(error)) => failed(error.to_string()),
                Err(panic) => failed(format!("a fault of the program: {}", message(panic.as_ref()))),
            };
            self.came_out(place, &name, facts);
        }
    }

    fn came_out(&self, place: Place, name: &str, facts: RunFacts) {
        self.observer.ended(place, name, &facts);
        lock(&self.facts).set(place, facts);
        self.remove_models(place.variant);
    }

    /// Claims a run, and looks whether it has ended: whoever has made it may still be sending it, and has its claim until then.
    fn claim(&self, name: &str) -> Result<Next<'_>, Error> {
        self.study.take_over();
        let Some(claim) = self.claims.take(name)? else { return Ok(Next::Elsewhere) };
        Ok(if has_ended(&self.study.folder.join(name))? { Next::Made } else { Next::Make(claim) })
    }

    /// Removes what a process has left of a run that it had made, where it was killed before it had cleared up. A run that another process has is
    /// left to it: it may still be sending it.
    fn clear_ended(&self, place: Place) -> Result<(), Error> {
        let name = self.study.plan.run_name(place);
        let folder = self.study.folder.join(&name);
        if !is_uncleared(&folder) && !self.claims.is_claimed(&name) {
            return Ok(());
        }
        // Given back at the end, and with it the claim of whoever is gone.
        if let Some(_claim) = self.claims.take(&name)? {
            self.clear(place);
        }
        Ok(())
    }

    /// The same of a run whose claim this process has.
    fn clear(&self, place: Place) {
        let folder = self.study.folder.join(self.study.plan.run_name(place));
        let cleared =
            self.study.plan.recipe(place).map_err(Error::from).and_then(|recipe| clear_up(&folder, &recipe));
        // Nothing of a result depends on it.
        if let Err(error) = cleared {
            self.observer.warning(&error.to_string());
        }
    }

    /// All runs that are left are made by others: they are waited for, since they may be gone, and their runs be left to make.
    fn wait(&self, left: usize) {
        if !self.waits.swap(true, Ordering::Relaxed) {
            self.observer.note(&format!(
                "{left} runs are made by other processes: waiting for their end; one that is not heard of for {STALE_S} s is made here"
            ));
        }
        std::thread::sleep(POLL);
    }

    fn session(&self, place: Place, name: &str, threads: usize) -> Result<RunEnd, Error> {
        let study = self.study;
        let folder = study.folder.join(name);
        // A study has one child for each run on a server: what was sent of one that was interrupted is taken off it.
        let recipe = study.plan.recipe(place)?;
        let going_on = GoingOn::of(&folder, &recipe).filter(|_| !has_ended(&folder).unwrap_or(true));
        if going_on.is_none() && has_unfinished(&folder)? {
            if let Ok(Ending::Damaged(what)) = RunFolder::open(&folder).and_then(|folder| folder.ending()) {
                self.observer
                    .note(&format!("{name} has ended, and cannot be used: {what}; it is made again"));
            }
            set_aside(&folder, &study.folder).map_err(Error::io(Tried::Write, &study.folder))?;
            remove_unfinished(&folder)?;
        }
        if self.sends {
            super::record::delete_interrupted(study, self.observer);
        }
        self.observer.started(place, name);
        let mut builder = Session::builder(recipe, &study.data)
            .runs(&study.folder)
            .name(name)
            .threads(threads)
            // A run that is killed goes on from its checkpoint, or is begun anew.
            .save_while_running(false)
            .durable(true)
            .send(self.sends)
            .shared(&study.shared)
            .group(study.group(place))
            .stop_signal(&study.stop)
            .arguments(study.arguments.clone());
        if let Some(going_on) = going_on {
            builder = builder.going_on(going_on);
        }
        let mut session = builder.open()?;
        let mut watcher = Watcher { observer: self.observer, place, epochs: session.recipe().train.epochs };
        let run = session.run(&mut watcher)?;
        Ok(run.outcome().end)
    }

    /// The runs of a variant that have ended, with their values.
    fn ended(&self, variant: usize) -> Vec<(Place, f64)> {
        let facts = lock(&self.facts);
        let runs = self.study.places.iter().copied().filter(|place| place.variant == variant);
        runs.filter(|&place| matches!(facts.get(place).outcome, RunOutcome::Ended(_)))
            .map(|place| (place, facts.get(place).value))
            .collect()
    }

    /// The place of a run's model.
    fn model(&self, place: Place) -> PathBuf {
        self.study.folder.join(self.study.plan.run_name(place)).join(RunFolder::MODEL)
    }

    /// Says where the model that is kept is not that of the best run, since another metric was asked for when it was kept.
    fn tell_other_models(&self, variant: usize) {
        let plan = &self.study.plan;
        let ended = self.ended(variant);
        let left: Vec<(Place, f64)> =
            ended.iter().copied().filter(|&(place, _)| self.model(place).exists()).collect();
        if let (Keep::Best, Some(first), Some(kept)) =
            (self.study.keep, best(plan, &ended), best(plan, &left))
            && first != kept
        {
            self.observer.warning(&format!(
                "by val/{} the best run of `{}` is {}, whose model was removed before; that of {} stays",
                plan.metric.name,
                plan.variants[variant].name,
                plan.run_name(first),
                plan.run_name(kept),
            ));
        }
    }

    /// Removes the models of a variant that are not kept.
    fn remove_models(&self, variant: usize) {
        if self.study.keep == Keep::All {
            return;
        }
        // By another metric the best run may be one whose model was removed: the best of those that are left stays.
        let left: Vec<(Place, f64)> =
            self.ended(variant).into_iter().filter(|&(place, _)| self.model(place).exists()).collect();
        let best = best(&self.study.plan, &left);
        for (place, _) in &left {
            if self.study.keep == Keep::Best && best == Some(*place) {
                continue;
            }
            let model = self.model(*place);
            if let Err(error) = std::fs::remove_file(&model)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                self.observer.warning(&format!("cannot remove {}: {error}", model.display()));
            }
        }
    }
}

/// The best of some runs.
fn best(plan: &StudyPlan, runs: &[(Place, f64)]) -> Option<Place> {
    let better =
        |best: (Place, f64), other: (Place, f64)| match plan.metric.direction.improves(other.1, best.1) {
            true => other,
            false => best,
        };
    runs.iter().copied().reduce(better).map(|(place, _)| place)
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it stopped".to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Follows a run for the study's observer.
struct Watcher<'a> {
    observer: &'a dyn StudyObserver,
    place: Place,
    epochs: u32,
}

impl Observer for Watcher<'_> {
    fn epoch(&mut self, record: &EpochRecord, _engine: &dyn Backend) {
        self.observer.epoch(self.place, record.epoch, self.epochs);
    }

    fn warning(&mut self, message: &str) {
        self.observer.warning(message);
    }
}
