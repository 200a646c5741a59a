//! What is recorded of a run, where, and how often: the bridge from the training loop to the trackers.
//!
//! Whatever goes wrong here is a warning, never the end of a run; and nothing here changes what a run computes.

mod config;
mod describe;
mod distributions;
pub(crate) mod pictures;

pub use config::TrackingConfig;
pub use describe::flat_recipe;

use crate::budget::Budget;
use crate::layers::Resolved;
use crate::model_file::write_whole;
use crate::run_folder::RunFolder;
use crate::trainer::{EpochRecord, Look};
use pupila_engine::{Engine, LossSum, StepContext};
use pupila_loader::{Batch, Loader};
use pupila_metrics::{ClassificationReport, Predictions};
use pupila_network::Network;
use pupila_trackers::mlflow::{Sender, Target};
use pupila_trackers::{
    Background, Event, Histogram, Jsonl, PrCurve, RunInfo, SystemMetrics, TensorBoard, Tracker, now,
};
use pupila_transforms::Normalization;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Classes that get a precision-recall curve, at most.
const CURVES: usize = 20;

/// Epoch, step and the validation's metrics.
type EpochMetrics = (u32, u64, Vec<(String, f64)>);

/// Records a run.
#[derive(Debug)]
pub struct Tracking {
    folder: RunFolder,
    config: TrackingConfig,
    classes: Vec<String>,
    normalization: Normalization,
    jsonl: Option<Jsonl>,
    tensorboard: Option<Background>,
    mlflow: Option<(Sender, String)>,
    system: (SystemMetrics, Instant),
    steps: StepMeans,
    budget: Budget,
    /// Epoch, step and the validation's metrics of every epoch so far.
    epochs: Vec<EpochMetrics>,
    warnings: Vec<String>,
}

/// Means over the batches since they were last recorded.
#[derive(Debug, Default)]
struct StepMeans {
    epoch: u32,
    /// Updates at the last batch: several batches may make one.
    updates: u64,
    recorded: LossSum,
}

impl StepMeans {
    /// The means, where an update has just been made that is a multiple of `every`; they begin anew with each epoch.
    fn due(&mut self, epoch: u32, updates: u64, so_far: &LossSum, every: u32) -> Option<Vec<(String, f64)>> {
        if self.epoch != epoch {
            *self = StepMeans { epoch, updates: self.updates, recorded: LossSum::default() };
        }
        let updated = std::mem::replace(&mut self.updates, updates) != updates;
        if !updated || every == 0 || !updates.is_multiple_of(u64::from(every)) {
            return None;
        }
        let since = *so_far - std::mem::replace(&mut self.recorded, *so_far);
        let accuracy = since.correct as f64 / since.samples as f64;
        Some(vec![("step/loss".to_owned(), since.mean()), ("step/accuracy".to_owned(), accuracy)])
    }
}

/// The MLflow server that a recipe and the environment ask for.
///
/// # Errors
/// The environment names something that is no server; the message holds no credentials.
pub fn mlflow_target(config: &TrackingConfig) -> Result<Option<Target>, String> {
    let variable = |name: &str| std::env::var(name).ok();
    let target = Target::resolve(config.mlflow.as_ref(), config.experiment.as_deref(), variable)?;
    Ok(target.map(|target| Target {
        run_name: config.run_name.clone(),
        register: config.register.clone(),
        alias: config.alias.clone(),
        ..target
    }))
}

impl Tracking {
    /// Opens the trackers that the recipe asks for, in the run's folder, and records what is known at the start.
    ///
    /// # Errors
    /// `metrics.jsonl` cannot be made. Where another tracker cannot, that is a warning.
    pub fn start(
        folder: &RunFolder,
        resolved: &Resolved,
        network: &Network,
        normalization: &Normalization,
        run: RunInfo,
    ) -> std::io::Result<Self> {
        let config = resolved.recipe.tracking.clone();
        let mut tracking = Tracking {
            folder: folder.clone(),
            classes: run.classes.clone(),
            normalization: normalization.clone(),
            jsonl: Some(Jsonl::create(&folder.file(RunFolder::METRICS))?),
            tensorboard: None,
            mlflow: None,
            system: (SystemMetrics::start(), Instant::now()),
            steps: StepMeans::default(),
            budget: Budget::new(config.budget_frac),
            epochs: Vec::new(),
            warnings: Vec::new(),
            config,
        };
        if tracking.config.tensorboard {
            let board = TensorBoard::create(folder.path(), describe::results());
            match board.and_then(Background::start) {
                Ok(board) => tracking.tensorboard = Some(board),
                Err(error) => {
                    tracking.warnings.push(format!("there will be no TensorBoard event file: {error}"))
                }
            }
        }
        tracking.event(Event::Start(Box::new(run)));
        tracking.start_mlflow();
        tracking.event(Event::Graph(describe::graph(network)));
        tracking.event(Event::Layout(describe::charts()));
        tracking.text("recipe", 0, describe::verbatim(&resolved.to_toml()));
        if let Some(notes) = tracking.config.notes.clone() {
            tracking.text("notes", 0, notes);
        }
        Ok(tracking)
    }

    fn start_mlflow(&mut self) {
        let target = match mlflow_target(&self.config) {
            Ok(Some(target)) => target,
            Ok(None) => return,
            Err(message) => {
                self.warnings.push(format!("nothing is sent: {message}"));
                return;
            }
        };
        let uri = target.uri.clone();
        match Sender::start(self.folder.path(), target) {
            Ok(sender) => self.mlflow = Some((sender, uri)),
            Err(error) => self.warnings.push(format!("nothing is sent to {uri}: {error}")),
        }
    }

    /// What went wrong since it was last asked.
    pub fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    /// Records an event with every tracker.
    pub fn event(&mut self, event: Event) {
        let time = now();
        match &event {
            Event::Scalars { epoch, step, values } => {
                let val = |(tag, value): &(String, f64)| Some((tag.strip_prefix("val/")?.to_owned(), *value));
                self.epochs.push((*epoch, *step, values.iter().filter_map(val).collect()));
            }
            Event::End { best_epoch: Some(best), .. } => self.result(*best),
            _ => {}
        }
        if let Some(jsonl) = &mut self.jsonl
            && let Err(error) = jsonl.record(time, &event)
        {
            self.warnings.push(format!("{} cannot be written any more: {error}", jsonl.name()));
            self.jsonl = None;
        }
        if let Some(board) = &self.tensorboard {
            board.record(time, Arc::new(event));
            if let Some(error) = board.failure() {
                self.warnings.push(format!("{} cannot be written any more: {error}", board.name()));
                self.tensorboard = None;
            }
        }
    }

    /// The metrics of the best epoch, under tags of their own: by these, runs are compared.
    fn result(&mut self, best: u32) {
        let Some((epoch, step, val)) = self.epochs.iter().find(|(epoch, ..)| *epoch == best).cloned() else {
            return;
        };
        let mut values = vec![("best/epoch".to_owned(), f64::from(epoch))];
        values.extend(val.into_iter().map(|(name, value)| (format!("best/{name}"), value)));
        self.event(Event::Result { epoch, step, values });
    }

    /// A batch has been learnt from: the optimizer has made `updates` so far, and these are the sums of this epoch so far.
    pub fn step(&mut self, epoch: u32, updates: u64, so_far: &LossSum) {
        self.budget.begin();
        if let Some(values) = self.steps.due(epoch, updates, so_far, self.config.steps_every) {
            self.event(Event::Steps { epoch, step: updates, values });
        }
        self.sample_system();
    }

    fn sample_system(&mut self) {
        let every = self.config.system_every_s;
        if every > 0.0
            && self.system.1.elapsed().as_secs_f64() >= every
            && let Some((sample, values)) = self.system.0.sample()
        {
            self.system.1 = Instant::now();
            self.event(Event::System { sample, values });
        }
    }

    /// Looks into the engine at the end of an epoch, where histograms or images are due and the budget allows.
    pub fn look(&mut self, look: Look<'_>) {
        // The last epoch's are what the first one's are to be compared with, however short the run.
        let due = |every: u32| every > 0 && (look.last || (look.record.epoch - 1).is_multiple_of(every));
        let (histograms, images) = (due(self.config.histograms_every), due(self.config.images_every));
        let Some(_) = self.tensorboard.as_ref().filter(|_| histograms || images) else { return };
        let busy = Duration::ZERO;
        let within_budget = self.budget.allows(busy);
        if !look.last && !within_budget {
            return;
        }
        let start = Instant::now();
        let batch =
            look.plan.train.epoch(look.record.epoch).ok().and_then(|mut batches| batches.next()?.ok());
        if let Some(batch) = &batch {
            if histograms {
                self.histograms(look.engine, batch, look.record, look.plan.recipe);
            }
            if images
                && within_budget
                && let Some(image) = pictures::training_batch(batch, &self.normalization, &self.classes)
            {
                self.image("train/augmented_batch", look.record.step, image);
            }
        }
        // The best epoch's come anyway.
        if images && within_budget {
            self.judgement("val", look.record.step, look.predictions, look.plan.val);
        }
        if images {
            let (val, predictions) = (look.plan.val, look.predictions);
            let explained =
                pictures::explained(look.engine, val, predictions, &self.normalization, &self.classes);
            if let Some((tag, image)) = explained {
                self.image(&format!("val/{tag}"), look.record.step, image);
            }
            if let Some((name, image)) = pictures::first_filters(look.engine) {
                self.image(&format!("filters/{name}"), look.record.step, image);
            }
        }
        let took = start.elapsed();
        tracing::debug!(
            "looked at epoch {} for {took:?}; the event file took {busy:?} so far",
            look.record.epoch
        );
        self.budget.spend(took);
    }

    fn histograms(
        &mut self,
        engine: &mut Engine<f32>,
        batch: &Batch,
        record: &EpochRecord,
        recipe: &crate::recipe::Recipe,
    ) {
        let context = StepContext {
            seed: recipe.train.seed,
            step: record.step,
            label_smoothing: recipe.loss.label_smoothing,
        };
        distributions::take_gradient(engine, batch, &context);
        let (gradients, norm) = distributions::of_gradient(engine);
        let values = vec![("gradient/norm".to_owned(), norm)];
        self.event(Event::Steps { epoch: record.epoch, step: record.step, values });
        let mut record_all = |group: &str, histograms: Vec<(String, Histogram)>| {
            for (name, histogram) in histograms {
                let tag = format!("{group}/{name}");
                self.event(Event::Histogram { tag, step: record.step, histogram });
            }
        };
        record_all("gradients", gradients);
        record_all("parameters", distributions::of_parameters(engine));
    }

    /// Right and wrong images, the confusion matrix and precision-recall curves.
    fn judgement(&mut self, group: &str, step: u64, predictions: &Predictions, val: &Loader) {
        let named = [
            ("right", pictures::judged(val, predictions, &self.classes, true)),
            ("wrong", pictures::judged(val, predictions, &self.classes, false)),
            ("confusion_matrix", pictures::matrix(predictions, &self.classes)),
        ];
        for (name, image) in named {
            if let Some(image) = image {
                self.image(&format!("{group}/{name}"), step, image);
            }
        }
        for (id, class) in self.classes.clone().iter().enumerate().take(CURVES) {
            let samples = predictions.rows().zip(predictions.targets());
            let curve = PrCurve::new(samples.map(|(row, &target)| (row[id], target as usize == id)));
            self.event(Event::PrCurve { tag: format!("{group}/pr_curve/{class}"), step, curve });
        }
    }

    /// The result of the run: the judgement of the best epoch and the files that belong to it.
    pub fn outcome(&mut self, epoch: &EpochRecord, predictions: &Predictions, val: &Loader) {
        let report = ClassificationReport::new(predictions.confusion()).render(&self.classes);
        let matrix = pictures::matrix(predictions, &self.classes);
        if self.tensorboard.is_some() {
            self.judgement("best", epoch.step, predictions, val);
            self.text("best/classification_report", epoch.step, describe::verbatim(&report));
        }
        self.write(RunFolder::REPORT, report.as_bytes());
        if let Some(png) = matrix.and_then(|image| pupila_image::encode_png(&image).ok()) {
            self.write(RunFolder::CONFUSION, &png);
        }
        for path in RunFolder::RESULTS {
            if self.folder.file(path).exists() {
                self.event(Event::Artifact { path: (*path).to_owned() });
            }
        }
        self.event(Event::Model { path: RunFolder::MODEL.to_owned(), step: epoch.step });
    }

    /// Waits for what is still to be written or sent, at most as long as the recipe says. What a person should know of it.
    pub fn finish(&mut self) -> Vec<String> {
        let start = Instant::now();
        let patience = Duration::from_secs_f64(self.config.wait_s);
        let mut told = Vec::new();
        if let Some((sender, uri)) = self.mlflow.take() {
            let delivered = sender.finish(patience);
            for skipped in &delivered.skipped {
                self.warnings.push(format!("not sent to {uri}: {skipped}"));
            }
            if delivered.complete {
                let run = delivered.run_id.unwrap_or_default();
                told.push(format!("MLflow: {uri} has the whole run, as {run}"));
                told.extend(delivered.note);
            } else {
                self.warnings.push(format!(
                    "not all of the run was sent to {uri}: {}\nwhat is missing is sent by: pupila sync {} --mlflow {uri}{}",
                    delivered.reason.unwrap_or_else(|| "the server was too slow".into()),
                    self.folder.path().display(),
                    self.config.experiment.as_ref().map_or(String::new(), |name| format!(" --experiment '{name}'")),
                ));
            }
        }
        if let Some(mut board) = self.tensorboard.take() {
            if !board.finish(patience.saturating_sub(start.elapsed()).max(Duration::from_secs(1))) {
                self.warnings.push(format!("{} was not finished in {patience:?}", board.name()));
            } else if let Some(error) = board.failure() {
                self.warnings.push(format!("{} is not complete: {error}", board.name()));
            }
        }
        told
    }

    fn write(&mut self, name: &str, content: &[u8]) {
        let path = self.folder.file(name);
        if let Err(error) = write_whole(&path, content) {
            self.warnings.push(format!("cannot write {}: {error}", path.display()));
        }
    }

    fn image(&mut self, tag: &str, step: u64, image: pupila_image::Image) {
        self.event(Event::Image { tag: tag.to_owned(), step, image });
    }

    fn text(&mut self, tag: &str, step: u64, markdown: String) {
        self.event(Event::Text { tag: tag.to_owned(), step, markdown });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_by_updates_and_by_the_weights_of_the_classes() {
        let mut means = StepMeans::default();
        let mut so_far = LossSum::default();
        let mut seen = Vec::new();
        // Two batches to an update, recorded every second update; the sums begin anew with the epoch.
        for batch in 0..16u64 {
            if batch % 8 == 0 {
                so_far = LossSum::default();
            }
            so_far += LossSum { loss: 6.0 + batch as f64, weight: 3.0, correct: 1, samples: 4 };
            let epoch = 1 + (batch / 8) as u32;
            seen.extend(means.due(epoch, batch.div_ceil(2), &so_far, 2).map(|v| (batch, v[0].1, v[1].1)));
        }
        // An update that its second batch makes is seen there: batches 3, 7, 11, 15 with the four before them.
        assert_eq!(seen, [(3, 2.5, 0.25), (7, 23.0 / 6.0, 0.25), (11, 31.0 / 6.0, 0.25), (15, 6.5, 0.25)]);
        assert!(means.due(2, 9, &so_far, 0).is_none());
    }
}
