//! What a session does while its run goes on: it records, keeps the best model on disk, and collects what the page shows.

use crate::checkpoints::{Checkpoints, StateSize};
use crate::page::Collected;
use crate::stop_signal::StopSignal;
use pupila_backend::{Backend, Snapshot};
use pupila_loader::Loader;
use pupila_run::{Leaks, RunFolder, fault};
use pupila_trackers::Event;
use pupila_train::{
    Begin, EpochRecord, Head, Look, LoopState, ModelCard, ModelFile, ModelFileError, Observer, Outcome, Plan,
    StepRecord, Stop, Tracking,
};
use pupila_transforms::Normalization;
use std::time::{Duration, Instant};

/// The best model so far is written so seldom that it takes at most one in so many parts of the time, but at least once in
/// [`LONGEST`]. At the end it always is, so that nothing of what a finished run leaves depends on it.
const SHARE: u32 = 50;
/// A run that is killed has lost at most this much of what it had found.
const LONGEST: Duration = Duration::from_secs(10);
/// What a disk takes in a second, before the first model was written.
const BYTES_PER_S: f64 = 5e8;

/// Stands between the loop and whoever observes the session.
pub(crate) struct Recorder<'a> {
    folder: &'a RunFolder,
    report: bool,
    /// Whether the best model is written while the run goes on.
    saves: bool,
    card: ModelCard,
    tracking: Tracking,
    normalization: &'a Normalization,
    stop: &'a StopSignal,
    observer: &'a mut dyn Observer,
    /// When a model was last written, or the run began, and what that took.
    saved: (Instant, Duration),
    /// Whether the best model is better than the one on disk.
    unsaved: bool,
    checkpoints: Checkpoints,
    /// Whether the run keeps an average of its values.
    has_average: bool,
    /// When the copy of a state began.
    copying: Option<Instant>,
    /// What the engine takes of memory while training.
    pub(crate) engine_bytes: Option<u64>,
    /// What the page shows of the epochs.
    pub(crate) collected: Collected,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(
        plan: &Plan<'_>,
        saves: bool,
        folder: &'a RunFolder,
        card: ModelCard,
        tracking: Tracking,
        checkpoints: Checkpoints,
        collected: Collected,
        normalization: &'a Normalization,
        stop: &'a StopSignal,
        observer: &'a mut dyn Observer,
    ) -> Self {
        let report = plan.recipe.tracking.report;
        let bytes = 4.0 * plan.network.parameter_count() as f64;
        let saved = (Instant::now(), Duration::from_secs_f64(bytes / BYTES_PER_S));
        Recorder {
            folder,
            report,
            saves,
            card,
            tracking,
            normalization,
            stop,
            observer,
            saved,
            unsaved: false,
            checkpoints,
            has_average: plan.recipe.train.ema_decay.is_some(),
            copying: None,
            engine_bytes: None,
            collected,
        }
    }

    /// Whoever observes the session.
    pub(crate) fn observer(&mut self) -> &mut dyn Observer {
        self.observer
    }

    /// Writes the model that the engine has.
    pub(crate) fn save(&mut self, engine: &dyn Backend, epoch: u32) -> Result<(), ModelFileError> {
        self.card.epoch = epoch;
        let start = Instant::now();
        let written = ModelFile::write(&self.card, &engine.state(), &self.folder.file(RunFolder::MODEL));
        self.saved = (Instant::now(), start.elapsed());
        self.unsaved = false;
        written
    }

    /// The same at the end, where the model is worth more than the checkpoints before the last.
    pub(crate) fn save_last(&mut self, engine: &dyn Backend, epoch: u32) -> Result<(), ModelFileError> {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        let full = match self.save(engine, epoch) {
            Err(ModelFileError::Io { path, source })
                if matches!(source.kind(), StorageFull | QuotaExceeded) =>
            {
                ModelFileError::Io { path, source }
            }
            saved => return saved,
        };
        if !self.checkpoints.make_room() {
            return Err(full);
        }
        self.observer.note(&format!("{full}: the checkpoints before the last were removed for it"));
        self.save(engine, epoch)
    }

    /// Writes the best model so far, if there is a better one than on disk and it is time. A failure is told at the end, when it
    /// is final.
    fn save_best(&mut self, look: &mut Look<'_>) {
        let (last, took) = self.saved;
        self.unsaved |= look.record.improved;
        // The last epoch's is written right after.
        let votes = look.plan.recipe.transfer.head == Head::Knn;
        if votes || !self.saves || !self.unsaved || look.last || last.elapsed() < (took * SHARE).min(LONGEST)
        {
            return;
        }
        let Some((epoch, _)) = look.best.best else { return };
        let mut now = Snapshot::default();
        look.engine.save_to(&mut now);
        look.engine.restore(&look.best.values);
        let saved = self.save(look.engine, epoch);
        look.engine.restore(&now);
        if let Err(error) = saved {
            self.observer.warning(&format!("the model so far could not be written: {error}"));
        }
    }

    /// Records the result and waits, within bounds, for what trackers still have to do.
    pub(crate) fn record_outcome(&mut self, outcome: &Outcome, leaks: Option<&Leaks>, val: &Loader) {
        let best = outcome.epochs.iter().find(|record| Some(record.epoch) == outcome.best_epoch);
        if let (Some(best), Some(predictions)) = (best, &outcome.predictions) {
            if let Some(leaks) = leaks {
                self.tracking.leaks(best, leaks);
            }
            self.tracking.outcome(best, predictions, val);
        }
        if let Some(awaited) = self.tracking.waits_for() {
            self.observer.note(&awaited);
        }
        for note in self.tracking.finish() {
            self.observer.note(&note);
        }
        self.warn();
    }

    /// Says what went wrong since the last time.
    pub(crate) fn tell(&mut self) {
        self.warn();
    }

    fn warn(&mut self) {
        for warning in self.tracking.warnings().into_iter().chain(self.checkpoints.failures()) {
            self.observer.warning(&warning);
        }
    }

    /// The run goes on from a state: the best model on the disk may be another than its best.
    pub(crate) fn goes_on(&mut self, engine: &dyn Backend) {
        self.unsaved = true;
        self.count_memory(engine);
    }

    fn count_memory(&mut self, engine: &dyn Backend) {
        let memory = engine.memory_bytes();
        let bytes = memory.values + memory.gradients + memory.moments + memory.step;
        self.engine_bytes = Some(bytes as u64);
        self.checkpoints.expect(StateSize {
            values: memory.values / size_of::<f32>(),
            moments: memory.moments.checked_div(memory.values).unwrap_or(0),
            has_average: self.has_average,
        });
    }

    /// Keeps a state, and waits until it is on the disk. `alone`: the older ones go.
    pub(crate) fn keep_now(&mut self, state: LoopState, alone: bool) {
        self.checkpoints.wait();
        self.keep(state, alone);
        self.checkpoints.wait();
        self.warn();
    }

    fn keep(&mut self, state: LoopState, alone: bool) {
        let (tracking, positions) = (self.tracking.state().clone(), self.tracking.positions());
        self.checkpoints.keep(alone, state, tracking, positions, self.collected.looks());
    }

    /// The run's checkpoints.
    pub(crate) fn checkpoints(&mut self) -> &mut Checkpoints {
        &mut self.checkpoints
    }
}

impl Observer for Recorder<'_> {
    fn stop(&mut self) -> Option<Stop> {
        if self.stop.is_set() { Some(Stop::Interrupted) } else { self.observer.stop() }
    }

    fn begin(&mut self, begin: Begin<'_>) {
        self.count_memory(begin.engine);
        self.tracking.begin(&begin);
        self.observer.begin(begin);
    }

    fn step(&mut self, step: &StepRecord) {
        self.tracking.step(step);
        self.observer.step(step);
        self.checkpoints.step();
        // Where tests end the process; nothing can fail here.
        let _ = fault("step");
    }

    fn wants_state(&mut self) -> Option<LoopState> {
        let state = self.checkpoints.due();
        self.copying = state.is_some().then(Instant::now);
        state
    }

    fn state(&mut self, state: LoopState) {
        self.keep(state, false);
        if let Some(start) = self.copying.take() {
            tracing::debug!("training waited {:.1} ms for a checkpoint", 1e3 * start.elapsed().as_secs_f64());
        }
    }

    fn epoch(&mut self, record: &EpochRecord, engine: &dyn Backend) {
        self.warn();
        self.observer.epoch(record, engine);
    }

    fn event(&mut self, event: &Event) {
        self.observer.event(event);
        self.tracking.event(event.clone());
        self.warn();
    }

    fn note(&mut self, message: &str) {
        self.observer.note(message);
    }

    fn warning(&mut self, message: &str) {
        self.observer.warning(message);
    }

    fn look(&mut self, mut look: Look<'_>) {
        self.save_best(&mut look);
        if self.report {
            self.collected.look(&mut look, self.normalization);
        }
        self.observer.look(Look {
            record: look.record,
            predictions: look.predictions,
            engine: look.engine,
            plan: look.plan,
            best: look.best,
            last: look.last,
        });
        self.tracking.look(look);
        self.warn();
    }
}
