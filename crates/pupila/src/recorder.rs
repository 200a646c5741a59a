//! What a session does while its run goes on: it records, keeps the best model on disk, and collects what the page shows.

use crate::page::Collected;
use crate::stop_signal::StopSignal;
use pupila_backend::Backend;
use pupila_loader::Loader;
use pupila_run::RunFolder;
use pupila_trackers::Event;
use pupila_train::{
    Begin, EpochRecord, Look, ModelCard, ModelFile, ModelFileError, Observer, Outcome, Plan, StepRecord,
    Stop, Tracking,
};
use pupila_transforms::Normalization;
use std::time::{Duration, Instant};

/// How often, at most, a better model is written to disk while training goes on. At the end it always is, so that nothing of
/// what a run leaves depends on it.
const SAVE_INTERVAL: Duration = Duration::from_secs(10);

/// Stands between the loop and whoever observes the session.
pub(crate) struct Recorder<'a> {
    folder: &'a RunFolder,
    report: bool,
    card: ModelCard,
    tracking: Tracking,
    normalization: &'a Normalization,
    stop: &'a StopSignal,
    observer: &'a mut dyn Observer,
    saved: Option<Instant>,
    /// What the page shows of the epochs.
    pub(crate) collected: Collected,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(
        plan: &Plan<'_>,
        folder: &'a RunFolder,
        card: ModelCard,
        tracking: Tracking,
        normalization: &'a Normalization,
        stop: &'a StopSignal,
        observer: &'a mut dyn Observer,
    ) -> Self {
        let report = plan.recipe.tracking.report;
        let collected = Collected::default();
        Recorder { folder, report, card, tracking, normalization, stop, observer, saved: None, collected }
    }

    /// Whoever observes the session.
    pub(crate) fn observer(&mut self) -> &mut dyn Observer {
        self.observer
    }

    /// Writes the model that the engine has.
    pub(crate) fn save(&mut self, engine: &dyn Backend, epoch: u32) -> Result<(), ModelFileError> {
        self.card.epoch = epoch;
        self.saved = Some(Instant::now());
        ModelFile::write(&self.card, &engine.state(), &self.folder.file(RunFolder::MODEL))
    }

    /// Records the result and waits, within bounds, for what trackers still have to do.
    pub(crate) fn record_outcome(&mut self, outcome: &Outcome, val: &Loader) {
        let best = outcome.epochs.iter().find(|record| Some(record.epoch) == outcome.best_epoch);
        if let (Some(best), Some(predictions)) = (best, &outcome.predictions) {
            self.tracking.outcome(best, predictions, val);
        }
        for note in self.tracking.finish() {
            self.observer.note(&note);
        }
        self.warn();
    }

    fn warn(&mut self) {
        for warning in self.tracking.warnings() {
            self.observer.warning(&warning);
        }
    }
}

impl Observer for Recorder<'_> {
    fn stop(&mut self) -> Option<Stop> {
        if self.stop.is_set() { Some(Stop::Interrupted) } else { self.observer.stop() }
    }

    fn begin(&mut self, begin: Begin<'_>) {
        self.tracking.begin(&begin);
        self.observer.begin(begin);
    }

    fn step(&mut self, step: &StepRecord) {
        self.tracking.step(step);
        self.observer.step(step);
    }

    fn epoch(&mut self, record: &EpochRecord, engine: &dyn Backend) {
        self.observer.epoch(record, engine);
        // A run that is killed keeps a model that is at most this old; a failure is told at the end, when it is final.
        if record.improved && self.saved.is_none_or(|saved| saved.elapsed() > SAVE_INTERVAL) {
            if record.epoch == 1 {
                // The first epochs come quickly; what is to be kept of them is written later.
                self.saved = Some(Instant::now());
            } else if let Err(error) = self.save(engine, record.epoch) {
                self.observer.warning(&format!("the model so far could not be written: {error}"));
            }
        }
    }

    fn event(&mut self, event: &Event) {
        self.observer.event(event);
        self.tracking.event(event.clone());
        self.warn();
    }

    fn look(&mut self, mut look: Look<'_>) {
        if self.report {
            self.collected.look(&mut look, self.normalization);
        }
        self.observer.look(Look {
            record: look.record,
            predictions: look.predictions,
            engine: look.engine,
            plan: look.plan,
            last: look.last,
        });
        self.tracking.look(look);
        self.warn();
    }
}
