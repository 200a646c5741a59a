//! The training loop.

use crate::best::Best;
use crate::diagnosis::{Diagnosis, Finding};
use crate::evaluate::{EvaluateError, evaluate};
use crate::recipe::{Monitor, Recipe};
use crate::schedule::{Schedule, ScheduleError};
use pupila_engine::{Engine, LossSum, NotFinite, Optimizer, OptimizerError, Snapshot, StepContext, Targets};
use pupila_loader::{Batch, Loader, LoaderError};
use pupila_metrics::{Predictions, PredictionsError, summary};
use pupila_network::{Init, Network};
use pupila_trackers::{Event, RunEnd};
use std::time::{Duration, Instant};

/// What to train on what.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The checked recipe.
    pub recipe: &'a Recipe,
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
}

/// An epoch that has ended.
#[derive(Debug, Clone)]
pub struct EpochRecord {
    /// From 1.
    pub epoch: u32,
    /// Optimizer updates so far.
    pub step: u64,
    /// Learning rate of the epoch's last update.
    pub lr: f64,
    /// Mean loss over the training images as they were when trained on, augmented and weighted by class.
    pub train_loss: f64,
    /// Accuracy over the same; of a mixed image, by the class with the larger share.
    pub train_accuracy: f64,
    /// Every metric of the validation set by its name; NaN where undefined.
    pub val: Vec<(&'static str, f64)>,
    /// Whether the monitored metric improved, so that these values are now the best.
    pub improved: bool,
    /// Time of the training part.
    pub train_time: Duration,
    /// Time of the validation part.
    pub eval_time: Duration,
    /// Time in which training waited for batches.
    pub waited: Duration,
    /// Training images a second.
    pub images_per_s: f64,
}

impl EpochRecord {
    /// A metric of the validation set by its bare name; NaN where there is none.
    pub fn val(&self, name: &str) -> f64 {
        self.val.iter().find(|(metric, _)| *metric == name).map_or(f64::NAN, |&(_, value)| value)
    }
}

/// Whoever watches a run: the terminal, the trackers, the keeper of the best model.
pub trait Observer {
    /// A batch has been learnt from: the `done`th of this epoch, after `updates` of the optimizer in all, with the sums of
    /// the epoch so far.
    fn step(&mut self, epoch: u32, done: usize, updates: u64, so_far: &LossSum);
    /// An epoch has ended. `engine` has its values.
    fn epoch(&mut self, record: &EpochRecord, engine: &Engine<f32>);
    /// Something that trackers record.
    fn event(&mut self, event: Event);
    /// An epoch has ended, to be looked at more closely: afterwards the engine must have the values that it had.
    fn look(&mut self, look: Look<'_>) {
        let _ = look;
    }
}

/// What there is to see at the end of an epoch.
#[derive(Debug)]
pub struct Look<'a> {
    /// The epoch.
    pub record: &'a EpochRecord,
    /// The validation set's predictions.
    pub predictions: &'a Predictions,
    /// The engine with the epoch's values.
    pub engine: &'a mut Engine<f32>,
    /// The run's plan.
    pub plan: &'a Plan<'a>,
    /// Whether no epoch follows.
    pub last: bool,
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
    /// The initial values don't fit the network.
    #[error(transparent)]
    State(#[from] pupila_network::StateError),
    /// The monitored metric does not exist.
    #[error("train.monitor {0}")]
    Monitor(String),
}

/// Trains a network from its first values to its best ones, which `engine` has afterwards.
///
/// Runs on the threads of the current rayon pool; the result is the same to the bit for any number of them.
/// `interrupted` is asked at every step; once it says yes, the run ends with the best values so far.
///
/// # Errors
/// See [`TrainError`]. A loss that is not finite is no error but an [`Outcome`].
pub fn train(
    plan: &Plan<'_>,
    engine: &mut Engine<f32>,
    observer: &mut dyn Observer,
    interrupted: &dyn Fn() -> bool,
) -> Result<Outcome, TrainError> {
    let Recipe { train: config, early_stopping, optimizer: rule, schedule, loss, model, .. } = plan.recipe;
    let init: &Init = &model.init;
    engine.load(&init.state(plan.network, config.seed))?;
    let mut optimizer = Optimizer::new(rule, engine.values().len())?;
    let monitor = Monitor::parse(&config.monitor).map_err(TrainError::Monitor)?;
    let mut best = Best::new(monitor, early_stopping);
    let batches_per_epoch = plan.train.batches();
    let updates_per_epoch = batches_per_epoch.div_ceil(config.accumulate) as u64;
    let mut schedule = Schedule::new(schedule, rule.lr, config.epochs, updates_per_epoch, monitor.direction)?;
    engine.set_class_weights(plan.class_weights);
    // Without either, the update can follow each gradient at once.
    let whole_gradient = config.accumulate > 1 || config.clip_norm.is_some();
    let mut batches_run = 0;
    // The next epoch's first batches, made while this one is judged, so that training does not wait for them.
    let mut prepared = None;
    let mut diagnosis = Diagnosis::new(plan);
    let (mut average, mut raw) = (Snapshot::default(), Snapshot::default());
    let mut outcome = Outcome {
        epochs: Vec::new(),
        best_epoch: None,
        end: RunEnd::Completed,
        diverged: None,
        not_finite: None,
        predictions: None,
        findings: Vec::new(),
        first_step: None,
    };

    'epochs: for epoch in 1..=config.epochs {
        let start = Instant::now();
        let mut sums = LossSum::default();
        let mut batches = match prepared.take() {
            Some(batches) => batches,
            None => plan.train.epoch(epoch)?,
        };
        let mut done = 0;
        let mut lr = rule.lr;
        while let Some(batch) = batches.next() {
            let batch = batch?;
            if interrupted() {
                outcome.end = RunEnd::Interrupted;
                break 'epochs;
            }
            outcome.first_step.get_or_insert_with(Instant::now);
            // Counts batches, not updates, so that no two have the same draws of dropout.
            let context =
                StepContext { seed: config.seed, step: batches_run, label_smoothing: loss.label_smoothing };
            batches_run += 1;
            diagnosis.first_batch(engine, &batch, &context, observer);
            let updates = optimizer.steps();
            lr = schedule.lr(epoch - 1, updates);
            let targets = targets_of(&batch);
            let (loss, norm) = if whole_gradient {
                let loss = engine.accumulate(&batch.images, targets, &context);
                let due = (done + 1) % config.accumulate == 0 || done + 1 == batches_per_epoch;
                let apply = due && loss.loss.is_finite();
                (loss, if apply { engine.apply(&mut optimizer, lr, config.clip_norm) } else { 0.0 })
            } else {
                (engine.step(&batch.images, targets, &context, &mut optimizer, lr), 0.0)
            };
            if !(loss.loss.is_finite() && norm.is_finite()) {
                outcome.diverged = Some((epoch, optimizer.steps() + 1));
                outcome.not_finite = engine.find_not_finite(&batch.images, batch.targets.len(), &context);
                outcome.end = RunEnd::Diverged;
                break 'epochs;
            }
            batches.recycle(batch);
            if let Some(decay) = config.ema_decay.filter(|_| optimizer.steps() > updates) {
                engine.average_into(&mut average, decay);
            }
            sums += loss;
            done += 1;
            observer.step(epoch, done, optimizer.steps(), &sums);
        }
        let (train_time, waited) = (start.elapsed(), batches.waited());
        drop(batches);
        if epoch < config.epochs {
            prepared = Some(plan.train.epoch(epoch + 1)?);
        }

        if config.ema_decay.is_some() {
            engine.save_to(&mut raw);
            engine.restore(&average);
        }
        let predictions = match evaluate(engine, plan.val, interrupted) {
            Ok(_) if interrupted() => {
                outcome.end = RunEnd::Interrupted;
                break;
            }
            Ok(predictions) => predictions,
            // Finite losses, but a last update that made the logits overflow.
            Err(EvaluateError::Predictions(PredictionsError::NotFinite { .. })) => {
                outcome.diverged = Some((epoch, optimizer.steps()));
                outcome.end = RunEnd::Diverged;
                break;
            }
            Err(error) => return Err(error.into()),
        };
        let val = summary(&predictions).values;
        let eval_time = start.elapsed() - train_time;
        schedule.epoch_ended(monitor.of(&val));
        let improved = best.offer(epoch, &val, engine);
        let samples = sums.samples as f64;
        let record = EpochRecord {
            epoch,
            step: optimizer.steps(),
            lr,
            train_loss: sums.mean(),
            train_accuracy: sums.correct as f64 / samples,
            val,
            improved,
            train_time,
            eval_time,
            waited,
            images_per_s: samples / train_time.as_secs_f64(),
        };
        observer.epoch(&record, engine);
        observer.event(scalars(&record));
        let last = epoch == config.epochs || best.exhausted();
        observer.look(Look { record: &record, predictions: &predictions, engine, plan, last });
        if config.ema_decay.is_some() {
            engine.restore(&raw);
        }
        outcome.epochs.push(record);
        diagnosis.epoch(engine, &outcome.epochs, &predictions, observer);
        if best.exhausted() {
            outcome.end = RunEnd::StoppedEarly;
            break;
        }
    }

    diagnosis.ended(&outcome, observer);
    outcome.best_epoch = best.restore(engine);
    if outcome.best_epoch.is_some() {
        outcome.predictions = Some(evaluate(engine, plan.val, &|| false)?);
    }
    outcome.findings = diagnosis.findings;
    observer.event(Event::End { end: outcome.end, best_epoch: outcome.best_epoch });
    Ok(outcome)
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
