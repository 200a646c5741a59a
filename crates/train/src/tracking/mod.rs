//! What is recorded of a run, where, and how often: the bridge from the training loop to the trackers.
//!
//! Whatever goes wrong here is a warning, never the end of a run; and nothing here changes what a run computes.

mod config;
mod describe;
mod distributions;
pub(crate) mod pictures;
mod state;

pub use config::TrackingConfig;
pub use describe::{changed_keys, flat_recipe};
pub(crate) use distributions::COUNTED;
pub use state::TrackingState;

use crate::cadence::{Cadence, Costs};
use crate::checkpoint::Checkpoint;
use crate::observer::{Begin, EpochRecord, Look, StepRecord};
use crate::recipe::{Head, Recipe};
use crate::trainer::Plan;
use pupila_backend::{Backend, StepContext};
use pupila_loader::{Batch, Loader};
use pupila_metrics::{ClassificationReport, Predictions};
use pupila_run::{Leaks, RunFolder};
use pupila_trackers::mlflow::{Sender, Target};
use pupila_trackers::{
    Background, BoardPosition, Event, Histogram, Jsonl, PrCurve, RunInfo, SystemMetrics, TensorBoard,
    Tracker, now,
};
use pupila_transforms::Normalization;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// Classes that get a precision-recall curve, at most.
const CURVES: usize = 20;
/// What pictures and curves of a look cost, in estimated seconds.
const PICTURES_S: f64 = 0.015;
/// Images whose explanation is among them.
const EXPLAINED: usize = 16;
/// The shares of `tracking.budget_frac` that histograms of parameters, those of gradients, and pictures may take.
const SHARES: [f64; 3] = [0.2, 0.4, 0.4];

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
    /// Whether it was told that the server does not answer.
    told_trouble: bool,
    system: SystemMetrics,
    cadences: Cadences,
    state: TrackingState,
    warnings: Vec<String>,
}

/// Where the files that tracking appends to stand.
#[derive(Debug)]
pub struct RecordPositions {
    /// Bytes of `metrics.jsonl`; none where it cannot be written any more.
    pub metrics_bytes: Option<u64>,
    /// Told where TensorBoard's event file stands, once all events so far are in it.
    pub board: Option<Receiver<BoardPosition>>,
    /// The files.
    pub metrics: PathBuf,
}

/// When what is looked at.
#[derive(Debug, Clone, Copy)]
struct Cadences {
    parameters: Option<Cadence>,
    gradients: Option<Cadence>,
    pictures: Option<Cadence>,
    /// Updates between two samples of the system; none for never.
    system_updates: Option<u64>,
}

impl Cadences {
    fn of(config: &TrackingConfig, costs: &Costs, batch: usize) -> Self {
        let [parameters, gradients, pictures] =
            SHARES.map(|share| if config.budget_frac >= 1.0 { 1.0 } else { share * config.budget_frac });
        let cadence = |every: u32, look_s: f64, frac: f64| {
            (every > 0).then(|| costs.cadence(look_s, frac).at_most_every(every))
        };
        let (counting_s, pass_s) = (costs.histograms_s(), costs.pass_s(batch));
        Cadences {
            parameters: cadence(config.histograms_every, counting_s, parameters),
            gradients: cadence(config.histograms_every, counting_s + pass_s, gradients),
            pictures: cadence(config.images_every, PICTURES_S + costs.pass_s(EXPLAINED), pictures),
            system_updates: (config.system_every_s > 0.0).then(|| costs.updates_in(config.system_every_s)),
        }
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
    /// Opens the trackers that the recipe asks for, in the run's folder, and records what is known at the start; `recipe` is its text. A server is told only
    /// once [`Tracking::send`] says so.
    ///
    /// # Errors
    /// `metrics.jsonl` cannot be made. Where another tracker cannot, that is a warning.
    pub fn start(
        folder: &RunFolder,
        plan: &Plan<'_>,
        recipe: &str,
        normalization: &Normalization,
        run: RunInfo,
    ) -> std::io::Result<Self> {
        let jsonl = Jsonl::create(&folder.file(RunFolder::METRICS))?;
        let mut tracking = Tracking::open(folder, plan, normalization, jsonl, None, TrackingState::default());
        tracking.event(Event::Start(Box::new(run)));
        tracking.event(Event::Graph(describe::graph(plan.network)));
        tracking.event(Event::Layout(describe::charts()));
        tracking.text("recipe", 0, describe::verbatim(recipe));
        if let Some(notes) = tracking.config.notes.clone() {
            tracking.text("notes", 0, notes);
        }
        Ok(tracking)
    }

    /// Goes on recording a run whose loop goes on from a state: `metrics.jsonl` behind its last line, TensorBoard in another
    /// event file of the same folder.
    ///
    /// # Errors
    /// `metrics.jsonl` is not there or cannot be written.
    pub fn resume(
        folder: &RunFolder,
        plan: &Plan<'_>,
        normalization: &Normalization,
        state: &TrackingState,
    ) -> std::io::Result<Self> {
        let jsonl = Jsonl::append(&folder.file(RunFolder::METRICS))?;
        Ok(Tracking::open(folder, plan, normalization, jsonl, None, state.clone()))
    }

    /// Goes on recording a run from a checkpoint: what was recorded behind it is cut off, and recorded again.
    ///
    /// # Errors
    /// `metrics.jsonl` is shorter than it was, or cannot be written. Where TensorBoard's file is, another one is begun.
    pub fn go_on(
        folder: &RunFolder,
        plan: &Plan<'_>,
        normalization: &Normalization,
        checkpoint: &Checkpoint,
    ) -> std::io::Result<Self> {
        let jsonl = Jsonl::cut(&folder.file(RunFolder::METRICS), checkpoint.metrics_bytes)?;
        let (board, state) = (checkpoint.board.as_ref(), checkpoint.tracking.clone());
        Ok(Tracking::open(folder, plan, normalization, jsonl, board, state))
    }

    /// Where the files stand that it appends to.
    pub fn positions(&self) -> RecordPositions {
        RecordPositions {
            metrics_bytes: self.jsonl.as_ref().map(Jsonl::bytes),
            board: self.tensorboard.as_ref().and_then(Background::position),
            metrics: self.folder.file(RunFolder::METRICS),
        }
    }

    /// What it remembers besides what is in the files.
    pub fn state(&self) -> &TrackingState {
        &self.state
    }

    fn open(
        folder: &RunFolder,
        plan: &Plan<'_>,
        normalization: &Normalization,
        jsonl: Jsonl,
        board: Option<&BoardPosition>,
        state: TrackingState,
    ) -> Self {
        let config = plan.recipe.tracking.clone();
        let mut tracking = Tracking {
            folder: folder.clone(),
            classes: plan.classes.to_vec(),
            normalization: normalization.clone(),
            jsonl: Some(jsonl),
            tensorboard: None,
            mlflow: None,
            told_trouble: false,
            system: SystemMetrics::start(),
            cadences: Cadences::of(&config, &Costs::of_run(plan), plan.recipe.train.batch),
            state,
            warnings: Vec::new(),
            config,
        };
        if tracking.config.tensorboard {
            let opened = board.map(|at| TensorBoard::go_on(folder.path(), describe::results(), at));
            let opened = match opened {
                Some(Err(error)) => {
                    let warning =
                        "TensorBoard's event file is not as it was, so the rest of the run goes into another";
                    tracking.warnings.push(format!("{warning}: {error}"));
                    None
                }
                opened => opened.and_then(Result::ok),
            };
            let board = opened.map_or_else(|| TensorBoard::create(folder.path(), describe::results()), Ok);
            match board.and_then(Background::start) {
                Ok(board) => tracking.tensorboard = Some(board),
                Err(error) => {
                    tracking.warnings.push(format!("there will be no TensorBoard event file: {error}"))
                }
            }
        }
        tracking
    }

    /// Begins to send the run to the MLflow server that the recipe or the environment names, if one is.
    pub fn send(&mut self) {
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
        let gave_up = self.mlflow.as_mut().and_then(|(sender, uri)| Some((sender.gave_up()?, uri.clone())));
        if let Some((reason, uri)) = gave_up {
            self.warnings.push(format!("nothing is sent to {uri}: {reason}"));
        }
        if !self.told_trouble
            && let Some((reason, uri)) = self.trouble()
        {
            self.told_trouble = true;
            let wait = self.config.wait_s;
            self.warnings.push(format!(
                "nothing can be sent to {uri} at the moment: {reason}; the run goes on, and it is tried again until {wait} s after its end (tracking.wait_s)"
            ));
        }
        let time = now();
        match &event {
            Event::Scalars { epoch, step, values } => {
                let val = values.iter().filter_map(|(tag, value)| Some((tag.strip_prefix("val/")?, *value)));
                self.state.remember(*epoch, *step, val);
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
        let Some(found) = self.state.epochs.iter().find(|metrics| metrics.epoch == best) else { return };
        let (epoch, step) = (found.epoch, found.step);
        let mut values = vec![("best/epoch".to_owned(), f64::from(epoch))];
        let val = found.names.iter().zip(&*found.values);
        values.extend(val.map(|(name, &value)| (format!("best/{name}"), value)));
        self.event(Event::Result { epoch, step, values });
    }

    /// The run begins: the first values are what all later ones are to be compared with.
    pub fn begin(&mut self, begin: &Begin<'_>) {
        if self.tensorboard.is_some() && self.cadences.parameters.is_some() {
            self.parameters(begin.engine, 0);
        }
    }

    /// A batch has been learnt from.
    pub fn step(&mut self, step: &StepRecord) {
        let updated = step.updates != self.state.steps.updates;
        let every = self.config.steps_every;
        if let Some(values) = self.state.steps.due(step.epoch, step.updates, &step.so_far, every) {
            self.event(Event::Steps { epoch: step.epoch, step: step.updates, values });
        }
        let due = self.cadences.system_updates.is_some_and(|every| step.updates.is_multiple_of(every));
        if updated
            && due
            && let Some((_, values)) = self.system.sample()
        {
            self.event(Event::System { sample: self.state.system, values });
            self.state.system += 1;
        }
    }

    /// Looks into the engine at the end of an epoch, where histograms or images are due.
    pub fn look(&mut self, look: Look<'_>) {
        if self.tensorboard.is_none() {
            return;
        }
        let epoch = look.record.epoch;
        let due = |cadence: Option<Cadence>| cadence.is_some_and(|cadence| cadence.due(epoch));
        // The last epoch's are what the first one's are to be compared with, however short the run.
        let last = |cadence: Option<Cadence>| look.last && cadence.is_some();
        let Cadences { parameters, gradients, pictures, .. } = self.cadences;
        if due(parameters) || last(parameters) {
            self.parameters(look.engine, look.record.step);
        }
        let (gradients, images) = (due(gradients) || last(gradients), due(pictures));
        let batch = (gradients || images)
            .then(|| look.plan.train.epoch(epoch).ok().and_then(|mut batches| batches.next()?.ok()))
            .flatten();
        if let Some(batch) = &batch {
            if gradients {
                self.gradients(look.engine, batch, look.record, look.plan.recipe);
            }
            if images && let Some(image) = pictures::training_batch(batch, &self.normalization, &self.classes)
            {
                self.image("train/augmented_batch", look.record.step, image);
            }
        }
        // The best epoch's come anyway.
        if images {
            self.judgement("val", look.record.step, look.predictions, look.plan.val);
        }
        if images || last(pictures) {
            let (val, predictions) = (look.plan.val, look.predictions);
            // Votes are not the network's answers.
            let answers = look.plan.recipe.transfer.head != Head::Knn;
            let explained = answers.then(|| {
                pictures::explained(look.engine, val, predictions, &self.normalization, &self.classes)
            });
            if let Some((tag, image)) = explained.flatten() {
                self.image(&format!("val/{tag}"), look.record.step, image);
            }
            if let Some((name, image)) = pictures::first_filters(look.engine) {
                self.image(&format!("filters/{name}"), look.record.step, image);
            }
        }
    }

    fn parameters(&mut self, engine: &dyn Backend, step: u64) {
        self.histograms("parameters", step, distributions::of_parameters(engine));
    }

    fn gradients(&mut self, engine: &mut dyn Backend, batch: &Batch, record: &EpochRecord, recipe: &Recipe) {
        let context = StepContext {
            seed: recipe.train.seed,
            step: record.step,
            label_smoothing: recipe.loss.label_smoothing,
        };
        distributions::take_gradient(engine, batch, &context);
        let gradients = distributions::of_gradient(engine);
        let values = vec![("gradient/norm".to_owned(), engine.gradient_norm())];
        self.event(Event::Steps { epoch: record.epoch, step: record.step, values });
        self.histograms("gradients", record.step, gradients);
    }

    fn histograms(&mut self, group: &str, step: u64, histograms: Vec<(String, Histogram)>) {
        for (name, histogram) in histograms {
            self.event(Event::Histogram { tag: format!("{group}/{name}"), step, histogram });
        }
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

    /// The scores of the best epoch without the images that were trained on too, and on them, such as `best_without_leaks/accuracy`.
    pub fn leaks(&mut self, epoch: &EpochRecord, leaks: &Leaks) {
        let mut values = vec![("best_leaks/images".to_owned(), leaks.images as f64)];
        for (part, scores) in [("best_without_leaks", &leaks.without), ("best_on_leaks", &leaks.on)] {
            let defined = scores.metrics.iter().filter_map(|(name, value)| Some((name, (*value)?)));
            values.extend(defined.map(|(name, value)| (format!("{part}/{name}"), value)));
        }
        self.event(Event::Result { epoch: epoch.epoch, step: epoch.step, values });
    }

    /// Why the last attempt to send the run failed, and to where, if it did.
    fn trouble(&self) -> Option<(String, String)> {
        self.mlflow.as_ref().and_then(|(sender, uri)| Some((sender.trouble()?, uri.clone())))
    }

    /// What [`finish`](Tracking::finish) is going to wait for although it does not answer, to be told before.
    pub fn waits_for(&self) -> Option<String> {
        let (_, uri) = self.trouble()?;
        Some(format!(
            "waiting for {uri}, which does not answer, for {} s at most (tracking.wait_s)",
            self.config.wait_s
        ))
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
        if let Err(error) = self.folder.write(name, content) {
            self.warnings.push(error.to_string());
        }
    }

    fn image(&mut self, tag: &str, step: u64, image: pupila_image::Image) {
        self.event(Event::Image { tag: tag.to_owned(), step, image });
    }

    fn text(&mut self, tag: &str, step: u64, markdown: String) {
        self.event(Event::Text { tag: tag.to_owned(), step, markdown });
    }
}
