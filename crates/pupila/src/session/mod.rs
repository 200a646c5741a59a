//! A recipe with its data, checked, that can be run.

mod beginning;
mod builder;
mod decoding;
mod environment;
mod first_steps;
mod naming;
mod run;
mod test_copies;

pub(crate) use beginning::trained_before_by;
pub use beginning::{Beginning, SeenBefore};
pub use builder::SessionBuilder;
pub use decoding::{cache_bound, user_cache};
pub(crate) use decoding::{decode_for_training, decode_images, training_samples};
pub(crate) use environment::environment;
pub use first_steps::FirstStep;
pub(crate) use naming::{canonical, plain_name};
pub use run::Run;

use environment::checkpoint_of;
use naming::stem;
use run::Times;

use crate::checkpoints::Checkpoints;
use crate::error::{Error, Tried};
use crate::memory_need::{available_bytes, held_bytes};
use crate::page::{self, Collected};
use crate::recorder::Recorder;
use crate::resume::in_use;
use crate::shared_data::SharedData;
use crate::stop_signal::StopSignal;
use crate::{describe, source};
use pupila_dataset::{Cache, Dataset, PixelStatistics, Split};
use pupila_engine::{CpuBackend, Isa};
use pupila_loader::{Loader, Order};
use pupila_network::Network;
use pupila_run::{
    Data, Environment, Group, Intervals, Leaks, RunEnd, RunFolder, RunFolderError, RunLock, RunSummary,
    Summary, TrainedOn, TrainingCopy, leaks_csv, predictions_csv,
};
use pupila_trackers::{DataRecord, RunInfo};
use pupila_train::{
    CheckedRecipe, Checkpoint, Head, Images, KeptFeatures, ModelCard, Observer, Outcome, Plan, Ready, Recipe,
    RecipeErrors, Start, SummaryContext, Tracking, Training, changed_keys, fingerprint, fingerprint_of,
    flat_recipe, run_summary,
};
use pupila_transforms::Normalization;
use rayon::ThreadPool;
use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What can be had as a checked recipe: one, or a [`Recipe`] that is checked now.
pub trait IntoChecked {
    /// The checked recipe.
    ///
    /// # Errors
    /// All faults of the recipe.
    fn into_checked(self) -> Result<CheckedRecipe, RecipeErrors>;
}

impl IntoChecked for Recipe {
    fn into_checked(self) -> Result<CheckedRecipe, RecipeErrors> {
        self.checked()
    }
}

impl IntoChecked for CheckedRecipe {
    fn into_checked(self) -> Result<CheckedRecipe, RecipeErrors> {
        Ok(self)
    }
}

/// How far the reading of the images is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Images that were read.
    pub done: usize,
    /// Images to read.
    pub total: usize,
}

/// Told, from any thread, how far the reading of images is.
pub(crate) type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Threads where nobody says how many: one for each core.
pub(crate) fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A recipe with its data, checked. What `pupila train` runs.
///
/// Nothing of it lives in the process: sessions in several threads give what each gives alone.
pub struct Session {
    recipe: CheckedRecipe,
    data: PathBuf,
    runs: PathBuf,
    name: Option<String>,
    threads: usize,
    pool: ThreadPool,
    cache: Option<Cache>,
    shared: Option<Arc<SharedData>>,
    group: Option<Group>,
    saves: bool,
    durable: bool,
    sends: bool,
    stop: StopSignal,
    progress: Option<OnProgress>,
    arguments: Vec<String>,
    started: Instant,
    scan_time: Duration,
    network: Network,
    learnt: Option<Beginning>,
    images: Stage,
    going_on: Option<GoingOn>,
    /// What the run was asked for at first, where that was another recipe.
    begun_as: Option<CheckedRecipe>,
    /// Whether it has run before: the times of the next run are its own.
    ran: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("data", &self.data)
            .field("recipe", &self.recipe)
            .finish_non_exhaustive()
    }
}

/// A run that goes on in its folder.
#[derive(Debug)]
pub(crate) struct GoingOn {
    pub(crate) folder: RunFolder,
    pub(crate) lock: RunLock,
    /// Where it goes on; at the beginning without one.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// What its folder says it was made on and of.
    pub(crate) environment: Environment,
}

/// How far the data are.
enum Stage {
    Scanned(Arc<Dataset>),
    Decoded(Box<Prepared>),
}

/// The images in memory, and how their pixels become numbers.
#[derive(Debug)]
pub struct Prepared {
    /// The images: training images first, since their places are the coordinates of their augmentation.
    pub images: Arc<Images>,
    /// How pixels become numbers.
    pub normalization: Normalization,
    /// The mean and deviation of the training images, where the normalisation is by these.
    pub measured: Option<PixelStatistics>,
}

impl Session {
    /// A session with the defaults of [`SessionBuilder`].
    ///
    /// # Errors
    /// See [`SessionBuilder::open`].
    pub fn open(recipe: impl IntoChecked, data: impl Into<PathBuf>) -> Result<Session, Error> {
        Session::builder(recipe, data).open()
    }

    /// A session whose folder, name, threads and more are to be said.
    pub fn builder(recipe: impl IntoChecked, data: impl Into<PathBuf>) -> SessionBuilder {
        SessionBuilder {
            recipe: recipe.into_checked(),
            data: data.into(),
            runs: "runs".into(),
            name: None,
            threads: None,
            cache: user_cache(),
            shared: None,
            group: None,
            saves: true,
            durable: false,
            sends: true,
            memory: None,
            stop: StopSignal::new(),
            progress: None,
            arguments: Vec::new(),
            started: Instant::now(),
            going_on: None,
            begun_as: None,
            weights: None,
        }
    }

    /// The recipe.
    pub fn recipe(&self) -> &CheckedRecipe {
        &self.recipe
    }

    /// The data as they were scanned; once the images are decoded, with what was left out then.
    pub fn dataset(&self) -> &Dataset {
        match &self.images {
            Stage::Scanned(dataset) => dataset,
            Stage::Decoded(prepared) => &prepared.images.dataset,
        }
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The learnt weights that it begins from, if any.
    pub fn learnt(&self) -> Option<&Beginning> {
        self.learnt.as_ref()
    }

    /// Decodes the training and validation images, or reads them from the cache, unless that was done before.
    ///
    /// # Errors
    /// Bad images where the recipe says so, no image left, a full memory, or the stop signal.
    pub fn decode(&mut self) -> Result<&Prepared, Error> {
        if let Stage::Scanned(dataset) = &self.images {
            self.images = Stage::Decoded(Box::new(self.decoded(dataset)?));
        }
        self.prepared()
    }

    fn prepared(&self) -> Result<&Prepared, Error> {
        match &self.images {
            Stage::Decoded(prepared) => Ok(prepared),
            Stage::Scanned(_) => Err(Error::NoImages),
        }
    }

    fn decoded(&self, dataset: &Arc<Dataset>) -> Result<Prepared, Error> {
        let rule = self.recipe.input.rule();
        let images = self.pool.install(|| match &self.shared {
            Some(shared) => shared.images(&self.recipe, dataset, self.progress.as_ref(), &self.stop),
            None => {
                let (cache, policy) = (self.cache.as_ref(), self.recipe.data.on_bad_image);
                // A copy, so that a session whose decoding failed is as it was.
                let dataset = dataset.as_ref().clone();
                let hold = self
                    .recipe
                    .data
                    .hold
                    .resolved(held_bytes(&rule, &dataset, &training_samples(&dataset)), available_bytes());
                decode_for_training(dataset, &rule, cache, policy, hold, self.progress.as_ref(), &self.stop)
                    .map(Arc::new)
            }
        })?;
        if images.is_empty() {
            return Err(Error::NoImages);
        }
        let (normalization, measured) = self
            .pool
            .install(|| images.normalization(&self.recipe.data.normalize, &rule, self.cache.as_ref()))?;
        Ok(Prepared { images, normalization, measured })
    }

    /// Trains, judges and writes the run folder: what `pupila train` does. `observer` follows it and may end it; `&mut ()`
    /// follows nothing.
    ///
    /// # Errors
    /// Whatever keeps the run from its end, or a file of it from being written. A loss that is no longer a number, or an end that was
    /// asked for, is no error: it is how the run ended.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<Run, Error> {
        if std::mem::replace(&mut self.ran, true) {
            self.started = Instant::now();
        }
        self.decode()?;
        let going_on = self.going_on.take();
        let prepared = self.prepared()?;
        self.pool.install(|| self.train(prepared, going_on, observer))
    }

    /// Batches of the training images, unmixed.
    fn training_loader(&self, prepared: &Prepared) -> Result<Loader, Error> {
        let Prepared { images, normalization, .. } = prepared;
        let recipe = &self.recipe;
        // What is fitted sees each image once, as it is or in its views.
        let fits = recipe.transfer.fits_head();
        let order = if fits { Order::Shuffled } else { recipe.data.sampler.order(&images.dataset.classes) };
        let varied = !fits || recipe.transfer.views.is_some();
        let pipeline = if varied { Arc::clone(recipe.pipeline()) } else { Arc::default() };
        let normalization = normalization.clone();
        let (positions, batch, seed) =
            (images.positions(Split::Train), recipe.train.batch, recipe.train.seed);
        let labels = images.training_labels(recipe.data.labels, seed);
        let loader =
            images.training_loader(positions, labels, pipeline, normalization, order, batch, seed)?;
        // By content, so that a view of an image is the same in every run, whatever is beside it.
        let keys: Vec<u32> = images.contents().iter().map(|&content| content as u32).collect();
        let loader = loader.with_views(recipe.transfer.views, &keys);
        // One value has no variance.
        Ok(if self.network.normalizes_over_batch_alone() && !fits { loader.without_single() } else { loader })
    }

    fn train(
        &self,
        prepared: &Prepared,
        going_on: Option<GoingOn>,
        observer: &mut dyn Observer,
    ) -> Result<Run, Error> {
        let Prepared { images, normalization, .. } = prepared;
        let (recipe, network) = (&self.recipe, &self.network);
        let classes = images.dataset.classes.clone();
        let batch = recipe.train.batch;
        let val_positions = images.positions(Split::Val);
        let order = recipe.data.sampler.order(&classes);
        let class_images = order.expected(&images.class_counts(Split::Train));
        let mixing = recipe.mixing().filter(|_| !recipe.transfer.fits_head());
        let train_loader = self.training_loader(prepared)?.with_mixing(mixing);
        let val_loader = images.evaluation_loader(val_positions.clone(), normalization.clone(), batch)?;

        let data = Data {
            path: canonical(&self.data).to_string_lossy().into_owned(),
            given: self.data.to_string_lossy().into_owned(),
            form: images.dataset.form.to_string(),
            val_split_off: Some(images.dataset.val_from_train),
            fingerprint: fingerprint(&images.dataset),
            val_fingerprint: Some(fingerprint_of(&images.dataset, &images.samples(&val_positions))),
            train_images: Some(images.positions(Split::Train).len()),
            epoch_images: Some(train_loader.samples()),
            val_images: Some(val_loader.samples()),
            sampling: Some(describe::sampling(images, recipe)),
            ..Data::default()
        };
        let environment = environment(data, self.threads, self.arguments.clone());
        let (folder, lock, environment, checkpoint) = match going_on {
            Some(there) => there.ready(&environment)?,
            None => {
                let (folder, lock) = self.make_folder()?;
                (folder, lock, environment, None)
            }
        };
        if checkpoint.is_none() {
            folder.write(RunFolder::RECIPE, recipe.to_toml())?;
            folder.write_environment(&environment)?;
            let trained = images.samples(&images.positions(Split::Train));
            let contents = trained.iter().map(|&sample| images.dataset.samples[sample].content);
            let trained = self.with_before(TrainedOn::of(contents));
            folder.write(RunFolder::TRAINED, trained.to_text())?;
        }

        let contents = images.contents();
        let class_weights = recipe.loss.class_weights.of(&classes, &class_images);
        let numerics = Isa::detected().name();
        let kept = self.cache.as_ref().filter(|_| recipe.transfer.source().is_some());
        let kept = kept.map(|cache| KeptFeatures::new(cache, images, recipe, normalization, numerics));
        let plan = Plan {
            recipe,
            network,
            train: &train_loader,
            val: &val_loader,
            class_weights: &class_weights,
            classes: &classes,
            contents: &contents,
            kept: kept.as_ref(),
        };
        // No larger than the data asks for: a batch size beyond it costs no memory.
        let largest = batch.min(train_loader.samples().max(val_loader.samples()));
        let mut engine = CpuBackend::for_learning(network, largest, &plan.learns_at_most());
        observer.ready(&Ready { folder: &folder, plan: &plan, engine: &engine, threads: self.threads });
        let run = self.run_info(&folder, images, &environment);
        let tracking = match &checkpoint {
            Some(checkpoint) => Tracking::go_on(&folder, &plan, normalization, checkpoint),
            None => {
                let recipe = self.begun_as.as_ref().unwrap_or(recipe);
                Tracking::start(&folder, &plan, &recipe.to_toml(), normalization, run)
            }
        };
        let mut tracking = tracking.map_err(Error::io(Tried::Write, folder.file(RunFolder::METRICS)))?;
        if checkpoint.is_some() {
            // Behind the cut of the record, so that a run that is trained on is never taken for one that has ended.
            folder.write(RunFolder::RECIPE, recipe.to_toml())?;
        }
        if self.sends {
            tracking.send();
        }
        let record = self.learnt.as_ref().map(|learnt| learnt.record.clone());
        let card = ModelCard {
            learnt_from: record,
            ..ModelCard::new(classes.clone(), recipe.input.clone(), normalization, recipe.model.clone())
        };
        let before = checkpoint.as_ref().map_or(Duration::ZERO, |checkpoint| checkpoint.elapsed);
        let started = self.started;
        let checkpoints = Checkpoints::new(
            &recipe.checkpoint,
            &folder,
            checkpoint_of(recipe, &environment),
            Box::new(move || before + started.elapsed()),
        );
        let looks = checkpoint.as_ref().map(|checkpoint| checkpoint.looks.clone());
        let collected = Collected::behind(looks.unwrap_or_default());
        let mut recorder = Recorder::new(
            &plan,
            self.saves,
            &folder,
            card,
            tracking,
            checkpoints,
            collected,
            normalization,
            &self.stop,
            observer,
        );
        let mut training = match checkpoint {
            Some(checkpoint) => Training::begin(&plan, &mut engine, Start::State(&checkpoint.state))?,
            None => {
                let initial = match &self.learnt {
                    Some(learnt) => Cow::Borrowed(&learnt.values),
                    None => Cow::Owned(plan.initial_values()),
                };
                Training::begin(&plan, &mut engine, Start::Values(&initial))?
            }
        };
        if before > Duration::ZERO {
            recorder.goes_on(training.engine());
        }
        let end = training.run(&mut recorder)?;
        let is_finished = end == RunEnd::Completed && recipe.checkpoint.keep_final;
        // What is fitted in place of training is fitted again.
        if (end == RunEnd::Interrupted || is_finished) && !recipe.transfer.fits_head() {
            recorder.keep_now(training.state(), is_finished);
        }
        let outcome = training.finish(&mut recorder)?;

        // Votes are in no network.
        let votes = recipe.transfer.head == Head::Knn;
        let model_saved = match outcome.best_epoch.filter(|_| !votes) {
            Some(epoch) => recorder.save_last(&engine, epoch),
            None => Ok(()),
        };
        let times = Times {
            startup: outcome.first_step.map_or(self.started.elapsed(), |first| first - self.started),
            scan: self.scan_time,
            // Of shared images somebody else has waited for.
            decode: if self.shared.is_some() { Duration::ZERO } else { images.decode_time },
            total: before + self.started.elapsed(),
        };
        let memory = (recorder.engine_bytes, recorder.observer().peak_memory_bytes());
        let paths = images.paths(&val_positions);
        let groups = images.groups(&val_positions);
        let intervals = outcome.predictions.as_ref().map(|of| Intervals::of(of, &classes, groups.as_deref()));
        let near = images.near_copies_in_training(&val_positions).unwrap_or_default();
        let copies = TrainingCopy::of_each(self.exact_copies(images, &val_positions), near);
        let leaks =
            outcome.predictions.as_ref().and_then(|of| Leaks::of(of, &classes, groups.as_deref(), &copies));
        let summary = self.summary(images, &outcome, (intervals.as_ref(), leaks), &times, memory);
        recorder.observer().result(&outcome, &summary);
        model_saved.map_err(Error::ModelNotWritten)?;
        if let Some(predictions) = &outcome.predictions {
            let csv = predictions_csv(&classes, &paths, groups.as_deref(), true, predictions);
            folder.write(RunFolder::PREDICTIONS, csv)?;
        }
        if summary.val_leaks.is_some() {
            folder.write(RunFolder::LEAKS, leaks_csv(&paths, &copies))?;
        }
        let intervals = intervals.unwrap_or_default();
        let written = Summary::Run(Box::new(summary.clone()));
        folder.write_summary(&written)?;
        if recipe.tracking.report {
            let leaked: Vec<bool> = copies.iter().map(Option::is_some).collect();
            let judgement = outcome.predictions.as_ref().map(|predictions| page::Judgement {
                predictions,
                paths: &paths,
                what: "validation image",
                intervals: &intervals,
                leaks: summary.val_leaks.as_ref(),
                leaked: &leaked,
            });
            let context = page::Context {
                title: folder.name(),
                subtitle: page::subtitle(network, classes.len(), &self.data),
                classes: &classes,
                recipe: &recipe.to_toml(),
                summary: &written,
                environment: &environment,
            };
            let collected = std::mem::take(&mut recorder.collected);
            let source =
                page::Source { engine: &mut engine, loader: &val_loader, normalization, answers: !votes };
            let phases = [times.scan, times.decode, times.total];
            let page =
                page::of_run(&context, recipe, &outcome, judgement.as_ref(), collected, source, phases);
            // What the page shows is in the other files too.
            if let Err(error) = folder.write(RunFolder::PAGE, &page) {
                recorder.observer().warning(&error.to_string());
            }
        }
        if self.durable {
            folder.sync();
        }
        recorder.record_outcome(&outcome, summary.val_leaks.as_ref(), &val_loader);
        let checkpoints = recorder.checkpoints();
        if self.durable || checkpoints.is_there() {
            folder.sync();
        }
        // That it is gone says that all is written; only now is there nothing left to go on with.
        drop(lock);
        let kept = outcome.end == RunEnd::Interrupted || is_finished;
        if !kept {
            checkpoints.remove();
        }
        let state_bytes = if kept { checkpoints.bytes() } else { 0 };
        recorder.tell();
        Ok(Run { folder, outcome, summary, classes, paths, state_bytes })
    }

    /// Makes the run's folder, and has it.
    fn make_folder(&self) -> Result<(RunFolder, RunLock), Error> {
        let folder = RunFolder::create(&self.runs, self.name.as_deref(), &self.stem());
        let folder = folder.map_err(|error| match error {
            // A place for runs that cannot be written to is a matter of the request.
            RunFolderError::Io { path, source } => Error::Io { tried: Tried::MakeFolder, path, source },
            error => error.into(),
        })?;
        let lock = RunLock::take(folder.path()).map_err(Error::io(Tried::Write, folder.path()))?;
        let lock = lock.ok_or_else(|| in_use(folder.path()))?;
        Ok((folder, lock))
    }

    fn summary(
        &self,
        images: &Images,
        outcome: &Outcome,
        (intervals, leaks): (Option<&Intervals>, Option<Leaks>),
        times: &Times,
        (engine_bytes, peak_memory_bytes): (Option<u64>, Option<u64>),
    ) -> RunSummary {
        let &Times { startup, scan, decode, total } = times;
        run_summary(
            outcome,
            &SummaryContext {
                recipe: &self.recipe,
                network: &self.network,
                classes: &images.dataset.classes,
                intervals,
                leaks,
                taken: &images.dataset.taken,
                skipped: images.skipped(),
                images: images.read(),
                other_pictures: &images.dataset.other_pictures,
                startup,
                scan,
                decode,
                total,
                learnt_from: self.learnt.as_ref().map(|learnt| &learnt.record),
                threads: self.threads,
                engine_bytes,
                peak_memory_bytes,
            },
        )
    }

    /// What trackers are told of the run.
    fn run_info(&self, folder: &RunFolder, images: &Images, environment: &Environment) -> RunInfo {
        let data = &environment.data;
        let name = Path::new(&data.path).file_name();
        let recipe = self.begun_as.as_ref().unwrap_or(&self.recipe);
        RunInfo {
            run: folder.name(),
            classes: images.dataset.classes.clone(),
            parameters: self.network.parameter_count(),
            train_images: data.train_images.unwrap_or(0),
            val_images: data.val_images.unwrap_or(0),
            recipe: flat_recipe(recipe),
            changed: changed_keys(recipe),
            tags: source::tags(&self.data),
            data: DataRecord {
                name: name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
                path: data.path.clone(),
                form: data.form.clone(),
                fingerprint: data.fingerprint.clone(),
            },
            group: self.group.clone(),
        }
    }

    /// The name of a run: of its data and its model.
    fn stem(&self) -> String {
        stem(&self.data, &self.recipe.model.name)
    }
}
