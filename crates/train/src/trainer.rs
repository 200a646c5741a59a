//! The training loop.

mod frozen;

use crate::best::{Best, BestState};
use crate::diagnosis::{Diagnosis, Finding};
use crate::evaluate::EvaluateError;
use crate::features::Features;
use crate::fitted::Fitted;
use crate::kept_features::KeptFeatures;
use crate::learning::{learning, learns_at_most};
use crate::observer::{Begin, EpochRecord, Look, Observer, StepRecord, Stop};
use crate::recipe::{CheckedRecipe, Recipe};
use crate::schedule::{Schedule, ScheduleError};
use crate::state::{LoopState, Start};
use pupila_backend::{
    Backend, Learning, LossSum, NotFinite, OptimizerError, RestoreError, Snapshot, StepContext, Targets,
};
use pupila_loader::{Batch, Epoch, Loader, LoaderError};
use pupila_metrics::{Predictions, PredictionsError, summary};
use pupila_network::{Network, StateDict, StateError};
use pupila_run::FittedHead;
use pupila_trackers::{Event, RunEnd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What to train on what.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The checked recipe.
    pub recipe: &'a CheckedRecipe,
    /// The network.
    pub network: &'a Network,
    /// Training batches.
    pub train: &'a Loader,
    /// Validation batches.
    pub val: &'a Loader,
    /// What each class weighs in the loss; none where all weigh alike.
    pub class_weights: &'a [f64],
    /// The names of the classes, in the order of the logits.
    pub classes: &'a [String],
    /// The content of each image, by its place: the copies of one image belong together. None where that is not known, and each is by itself.
    pub contents: &'a [u128],
    /// Where the features of a frozen part are kept for later runs, if anywhere.
    pub kept: Option<&'a KeptFeatures<'a>>,
}

impl Plan<'_> {
    /// The values that the recipe's initialiser draws by its seed.
    pub fn initial_values(&self) -> StateDict {
        self.recipe.model.init.state(self.network, self.recipe.train.seed)
    }

    /// Which parts learn in an epoch, from 1, and how fast.
    pub fn learning(&self, epoch: u32) -> Learning {
        learning(self.recipe, self.network, epoch, self.updates_per_epoch())
    }

    /// All that ever learns.
    pub fn learns_at_most(&self) -> Learning {
        learns_at_most(self.recipe, self.network)
    }

    /// Optimizer updates in an epoch.
    fn updates_per_epoch(&self) -> u64 {
        self.train.batches().div_ceil(self.recipe.train.accumulate) as u64
    }
}

/// How a run went.
#[derive(Debug)]
pub struct Outcome {
    /// Every epoch that ended.
    pub epochs: Vec<EpochRecord>,
    /// The epoch whose values the engine has now, from 1; none where no epoch ended.
    pub best_epoch: Option<u32>,
    /// How the run ended.
    pub end: RunEnd,
    /// Why the observer ended it, if it did.
    pub ended_because: Option<String>,
    /// Where the loss stopped being finite: epoch (from 1) and step of the run (from 1).
    pub diverged: Option<(u32, u64)>,
    /// Where the network's values stopped being finite, if it could be found.
    pub not_finite: Option<NotFinite>,
    /// The validation set's predictions with the best values.
    pub predictions: Option<Predictions>,
    /// What was found wrong on the way, in the order in which it was.
    pub findings: Vec<Finding>,
    /// When the first step began.
    pub first_step: Option<Instant>,
    /// What was fitted to the features, where nothing was trained.
    pub head: Option<FittedHead>,
}

/// A run that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A batch could not be prepared.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// The validation set could not be judged.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The optimizer cannot be made.
    #[error(transparent)]
    Optimizer(#[from] OptimizerError),
    /// The schedule cannot be made.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The first values don't fit the network.
    #[error(transparent)]
    Values(#[from] StateError),
    /// What is to be fitted to features has none.
    #[error(
        "transfer.head: the network has no features that are the same in every epoch, or they take more than the memory should hold; take fewer images \
         or transfer.views"
    )]
    NoFeatures,
    /// The state stands where no run of this plan can.
    #[error(
        "this is not the state of such a run: it stands behind {batches} of {of} batches of epoch {epoch}"
    )]
    Position {
        /// The epoch, from 1.
        epoch: u32,
        /// Batches learnt from.
        batches: usize,
        /// Batches of an epoch.
        of: usize,
    },
    /// The state is not one of this plan.
    #[error("this is not the state of such a run: {0}")]
    State(#[from] RestoreError),
}

/// Trains a network from where it begins to its best values, which `engine` has afterwards.
///
/// Runs on the threads of the current rayon pool; the result is the same to the bit for any number of them.
///
/// # Errors
/// See [`TrainError`]. A loss that is not finite is no error but an [`Outcome`].
pub fn train(
    plan: &Plan<'_>,
    engine: &mut dyn Backend,
    start: Start<'_>,
    observer: &mut dyn Observer,
) -> Result<Outcome, TrainError> {
    let mut training = Training::begin(plan, engine, start)?;
    training.run(observer)?;
    training.finish(observer)
}

/// A training that is going on: the loop and all that it remembers.
#[derive(Debug)]
pub struct Training<'a> {
    plan: &'a Plan<'a>,
    engine: &'a mut dyn Backend,
    schedule: Schedule<'a>,
    best: Best,
    diagnosis: Diagnosis<'a>,
    /// What a frozen part makes of the images, where it always makes the same of them.
    features: Option<Features>,
    /// What was fitted to them, where nothing is trained.
    fitted: Option<Fitted>,
    average: Snapshot<f32>,
    /// The values themselves while the engine has their average.
    raw: Snapshot<f32>,
    /// Whether the observer knows that the run has begun.
    begun: bool,
    epoch: u32,
    batches: usize,
    batches_in_all: u64,
    lr: f64,
    sums: LossSum,
    epochs: Vec<EpochRecord>,
    train_time: Duration,
    waited: Duration,
    /// The next epoch's first batches, made while this one is judged, so that training does not wait for them.
    prepared: Option<Epoch>,
    ended: Option<End>,
    first_step: Option<Instant>,
}

/// Why a loop has ended.
#[derive(Debug, Clone)]
enum End {
    Completed,
    StoppedEarly,
    Asked(Stop),
    Diverged { epoch: u32, step: u64, place: Option<NotFinite> },
}

impl<'a> Training<'a> {
    /// A training at its start, on an engine of the plan's network.
    ///
    /// # Errors
    /// Values or a state that are not of this plan.
    pub fn begin(
        plan: &'a Plan<'a>,
        engine: &'a mut dyn Backend,
        start: Start<'_>,
    ) -> Result<Self, TrainError> {
        let Recipe { train: config, early_stopping, optimizer: rule, schedule, .. } = plan.recipe.recipe();
        let monitor = plan.recipe.monitor();
        let updates = plan.updates_per_epoch();
        engine.set_class_weights(plan.class_weights);
        engine.set_optimizer(rule)?;
        let mut training = Training {
            schedule: Schedule::new(schedule, rule.lr, config.epochs, updates, monitor.direction)?,
            best: Best::new(monitor, early_stopping),
            diagnosis: Diagnosis::new(plan, Default::default()),
            features: None,
            fitted: None,
            average: Snapshot::default(),
            raw: Snapshot::default(),
            begun: false,
            epoch: 1,
            batches: 0,
            batches_in_all: 0,
            lr: rule.lr,
            sums: LossSum::default(),
            epochs: Vec::new(),
            train_time: Duration::ZERO,
            waited: Duration::ZERO,
            prepared: None,
            ended: None,
            first_step: None,
            plan,
            engine,
        };
        match start {
            Start::Values(values) => training.engine.load(values)?,
            Start::State(state) => training.restore(state)?,
        }
        Ok(training)
    }

    /// The engine, as it is.
    pub fn engine(&self) -> &dyn Backend {
        self.engine
    }

    /// Everything that the loop remembers between two steps.
    pub fn state(&self) -> LoopState {
        let mut state = LoopState::default();
        self.state_into(&mut state);
        state
    }

    /// The same, into a state whose memory is used again.
    fn state_into(&self, state: &mut LoopState) {
        self.engine.training_state_into(&mut state.training);
        state.average.clone_from(&self.average);
        let BestState { best, reference, waited, values } = self.best.state();
        (state.best.best, state.best.reference, state.best.waited) = (*best, *reference, *waited);
        state.best.values = Arc::clone(values);
        state.diagnosis.clone_from(&self.diagnosis.state);
        state.epochs.clone_from(&self.epochs);
        state.schedule = self.schedule.state();
        (state.begun, state.epoch, state.batches) = (self.begun, self.epoch, self.batches);
        (state.batches_in_all, state.lr, state.sums) = (self.batches_in_all, self.lr, self.sums);
        (state.train_time, state.waited) = (self.train_time, self.waited);
    }

    fn restore(&mut self, state: &LoopState) -> Result<(), TrainError> {
        let (config, values) = (&self.plan.recipe.train, &state.training.values);
        let kept = |what, snapshot: &Snapshot<f32>, wanted: bool| {
            let [trained, tracked] =
                if wanted { [values.trained.len(), values.tracked.len()] } else { [0, 0] };
            RestoreError::check_length(what, trained, snapshot.trained.len())?;
            RestoreError::check_length(what, tracked, snapshot.tracked.len())
        };
        let updates = state.training.optimizer.as_ref().map_or(0, |optimizer| optimizer.steps);
        kept("the average of the values", &state.average, config.ema_decay.is_some() && updates > 0)?;
        kept("the best values", &state.best.values, state.best.best.is_some())?;
        let batches = self.plan.train.batches();
        if state.epoch == 0 || state.batches > batches {
            return Err(TrainError::Position { epoch: state.epoch, batches: state.batches, of: batches });
        }
        self.engine.restore_training(&state.training)?;
        self.schedule.restore(&state.schedule);
        self.best.resume(&state.best);
        self.diagnosis.state = state.diagnosis.clone();
        self.average.clone_from(&state.average);
        self.epochs.clone_from(&state.epochs);
        (self.epoch, self.batches, self.batches_in_all) = (state.epoch, state.batches, state.batches_in_all);
        (self.lr, self.sums, self.begun) = (state.lr, state.sums, state.begun);
        (self.train_time, self.waited) = (state.train_time, state.waited);
        Ok(())
    }

    /// Goes on until the run has ended or the observer wants it to; then [`Training::state`] is where it stopped.
    ///
    /// # Errors
    /// See [`TrainError`].
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<RunEnd, TrainError> {
        if !std::mem::replace(&mut self.begun, true) {
            observer.begin(Begin { engine: self.engine, plan: self.plan });
        }
        let end = loop {
            if self.best.exhausted() {
                break End::StoppedEarly;
            }
            if self.epoch > self.plan.recipe.train.epochs {
                break End::Completed;
            }
            let fits = self.plan.recipe.transfer.fits_head();
            let ended = if fits { self.fit_head(observer)? } else { self.learn(observer)? };
            if let Some(end) = ended {
                break end;
            }
            if let Some(end) = self.judge(observer)? {
                break end;
            }
        };
        Ok(self.ended.insert(end).name())
    }

    /// The batches of an epoch behind the first `done`, without images where their features are known.
    fn epoch_of(&self, epoch: u32, done: usize) -> Result<Epoch, LoaderError> {
        let loader = self.plan.train;
        let known = self.features.as_ref().is_some_and(|features| {
            features.are_of(&self.plan.learning(epoch)) && features.know(loader, loader.version(epoch))
        });
        if known { loader.bare_epoch_from(epoch, done) } else { loader.epoch_from(epoch, done) }
    }

    /// Learns from the rest of the epoch's batches.
    fn learn(&mut self, observer: &mut dyn Observer) -> Result<Option<End>, TrainError> {
        let Recipe { train: config, loss, .. } = self.plan.recipe.recipe();
        let batches_per_epoch = self.plan.train.batches();
        let version = self.plan.train.version(self.epoch);
        // Without either, the update can follow each gradient at once.
        let whole_gradient = config.accumulate > 1 || config.clip_norm.is_some();
        let learning = self.plan.learning(self.epoch);
        self.engine.set_learning(&learning);
        if !self.features.as_ref().is_some_and(|features| features.are_of(&learning)) {
            let (train, val) = (self.plan.train, self.plan.val);
            self.features = Features::new(self.engine, train, val, &learning, self.plan.kept);
            self.tell_of_features(observer);
        }
        let start = Instant::now();
        let (time_before, waited_before) = (self.train_time, self.waited);
        let mut batches = match self.prepared.take() {
            Some(batches) => batches,
            None => self.epoch_of(self.epoch, self.batches)?,
        };
        while self.batches < batches_per_epoch {
            if let Some(stop) = observer.stop() {
                return Ok(Some(End::Asked(stop)));
            }
            let Some(batch) = batches.next() else { break };
            let batch = batch?;
            self.first_step.get_or_insert_with(Instant::now);
            // Counts batches, not updates, so that no two have the same draws of dropout.
            let context = StepContext {
                seed: config.seed,
                step: self.batches_in_all,
                label_smoothing: loss.label_smoothing,
            };
            let updates = self.engine.updates();
            self.lr = self.schedule.lr(self.epoch - 1, updates);
            let targets = targets_of(&batch);
            let images = match &mut self.features {
                Some(features) => {
                    let rows = features.of(self.engine, &batch, version);
                    self.engine.read_features(true);
                    rows
                }
                None => &batch.images,
            };
            self.diagnosis.first_batch(self.engine, (images, &batch.targets), &context, observer);
            let (loss, norm) = if whole_gradient {
                let loss = self.engine.accumulate(images, targets, &context);
                let done = self.batches + 1;
                let due = done.is_multiple_of(config.accumulate) || done == batches_per_epoch;
                let apply = due && loss.loss.is_finite();
                let norm = if apply { self.engine.apply(self.lr, config.clip_norm) } else { 0.0 };
                (loss, norm)
            } else {
                (self.engine.step(images, targets, &context, self.lr), 0.0)
            };
            if !(loss.loss.is_finite() && norm.is_finite()) {
                let place = self.engine.find_not_finite(images, batch.targets.len(), &context);
                let step = self.engine.updates() + 1;
                if self.features.is_some() {
                    self.engine.read_features(false);
                }
                return Ok(Some(End::Diverged { epoch: self.epoch, step, place }));
            }
            if self.features.is_some() {
                self.engine.read_features(false);
            }
            batches.recycle(batch);
            if let Some(decay) = config.ema_decay.filter(|_| self.engine.updates() > updates) {
                self.engine.average_into(&mut self.average, decay);
            }
            self.sums += loss;
            self.batches += 1;
            self.batches_in_all += 1;
            self.train_time = time_before + start.elapsed();
            self.waited = waited_before + batches.waited();
            observer.step(&StepRecord {
                epoch: self.epoch,
                batches: self.batches,
                updates: self.engine.updates(),
                so_far: self.sums,
            });
            self.offer_state(observer);
        }
        self.train_time = time_before + start.elapsed();
        Ok(None)
    }

    /// Judges the epoch's values, keeps them if they are the best, and goes over to the next epoch.
    fn judge(&mut self, observer: &mut dyn Observer) -> Result<Option<End>, TrainError> {
        let Recipe { train: config, .. } = self.plan.recipe.recipe();
        let start = Instant::now();
        if self.epoch < config.epochs {
            self.prepared = Some(self.epoch_of(self.epoch + 1, 0)?);
        }
        let averaged = config.ema_decay.is_some();
        if averaged {
            self.engine.save_to(&mut self.raw);
            self.engine.restore(&self.average);
        }
        let mut stop = None;
        let mut asked = || {
            stop = stop.take().or_else(|| observer.stop());
            stop.is_some()
        };
        let evaluated = self.evaluate(&mut asked);
        let end = match (&evaluated, stop) {
            (Ok(_), Some(stop)) => Some(End::Asked(stop)),
            // Finite losses, but a last update that made the logits overflow.
            (Err(EvaluateError::Predictions(PredictionsError::NotFinite { .. })), _) => {
                Some(End::Diverged { epoch: self.epoch, step: self.engine.updates(), place: None })
            }
            _ => None,
        };
        if let Some(end) = end {
            self.prepared = None;
            if averaged {
                self.engine.restore(&self.raw);
            }
            return Ok(Some(end));
        }
        if averaged && evaluated.is_err() {
            self.engine.restore(&self.raw);
        }
        let predictions = evaluated?;
        self.keep_features(observer);
        let val = summary(&predictions).values;
        let eval_time = start.elapsed();
        self.schedule.epoch_ended(self.plan.recipe.monitor().of(&val));
        let improved = self.best.offer(self.epoch, &val, self.engine);
        let samples = self.sums.samples as f64;
        let record = EpochRecord {
            epoch: self.epoch,
            step: self.engine.updates(),
            lr: self.lr,
            train_loss: self.sums.mean(),
            train_accuracy: self.sums.correct as f64 / samples,
            val: val.into(),
            improved,
            train_time: self.train_time,
            eval_time,
            waited: self.waited,
            images_per_s: samples / self.train_time.as_secs_f64(),
        };
        observer.epoch(&record, self.engine);
        observer.event(&scalars(&record));
        let last = self.epoch == config.epochs || self.best.exhausted();
        let (engine, plan) = (&mut *self.engine, self.plan);
        let best = self.best.state();
        observer.look(Look { record: &record, predictions: &predictions, engine, plan, best, last });
        if averaged {
            self.engine.restore(&self.raw);
        }
        self.epochs.push(record);
        // A look is at what the loop learns from.
        let reads = self.features.is_some();
        if reads {
            self.engine.read_features(true);
        }
        self.diagnosis.epoch(self.engine, &self.epochs, &predictions, observer);
        if reads {
            self.engine.read_features(false);
        }
        if self.plan.learning(self.epoch + 1) != self.plan.learning(self.epoch) {
            self.diagnosis.forget_sample();
        }
        (self.epoch, self.batches, self.sums) = (self.epoch + 1, 0, LossSum::default());
        (self.train_time, self.waited) = (Duration::ZERO, Duration::ZERO);
        self.offer_state(observer);
        Ok(None)
    }

    /// Hands the state to an observer that wants it.
    fn offer_state(&self, observer: &mut dyn Observer) {
        // What was fitted is in no state, and is fitted again in seconds.
        if self.plan.recipe.transfer.fits_head() {
            return;
        }
        if let Some(mut state) = observer.wants_state() {
            self.state_into(&mut state);
            observer.state(state);
        }
    }

    /// Ends the run where it is: puts the best values back and judges them once more.
    ///
    /// # Errors
    /// See [`TrainError`].
    pub fn finish(mut self, observer: &mut dyn Observer) -> Result<Outcome, TrainError> {
        // Whoever did not let it run has stopped it.
        let end = self.ended.take().unwrap_or(End::Asked(Stop::Interrupted));
        let mut outcome = Outcome {
            best_epoch: None,
            end: end.name(),
            ended_because: None,
            diverged: None,
            not_finite: None,
            predictions: None,
            findings: Vec::new(),
            first_step: self.first_step,
            head: self.fitted.as_ref().map(Fitted::record),
            epochs: std::mem::take(&mut self.epochs),
        };
        match end {
            End::Diverged { epoch, step, place } => {
                (outcome.diverged, outcome.not_finite) = (Some((epoch, step)), place);
            }
            End::Asked(Stop::Ended(reason)) => outcome.ended_because = Some(reason),
            End::Completed | End::StoppedEarly | End::Asked(Stop::Interrupted) => {}
        }
        self.diagnosis.ended(&outcome, observer);
        outcome.best_epoch = self.best.restore(self.engine);
        self.engine.end_training();
        if outcome.best_epoch.is_some() {
            outcome.predictions = Some(self.evaluate(&mut || false)?);
        }
        outcome.findings = std::mem::take(&mut self.diagnosis.state.findings);
        observer.event(&Event::End { end: outcome.end, best_epoch: outcome.best_epoch });
        Ok(outcome)
    }
}

impl End {
    fn name(&self) -> RunEnd {
        match self {
            End::Completed => RunEnd::Completed,
            End::StoppedEarly => RunEnd::StoppedEarly,
            End::Asked(Stop::Interrupted) => RunEnd::Interrupted,
            End::Asked(Stop::Ended(_)) => RunEnd::Ended,
            End::Diverged { .. } => RunEnd::Diverged,
        }
    }
}

/// What a batch's images should be, mixed or not.
pub(crate) fn targets_of(batch: &Batch) -> Targets<'_> {
    Targets { classes: &batch.targets, partners: &batch.partners, shares: &batch.shares }
}

fn scalars(record: &EpochRecord) -> Event {
    let mut values = vec![
        ("train/loss".to_owned(), record.train_loss),
        ("train/accuracy".to_owned(), record.train_accuracy),
        ("train/images_per_s".to_owned(), record.images_per_s),
        ("lr".to_owned(), record.lr),
    ];
    values.extend(record.val.iter().map(|&(name, value)| (format!("val/{name}"), value)));
    Event::Scalars { epoch: record.epoch, step: record.step, values }
}
