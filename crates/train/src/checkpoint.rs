//! All that a run goes on with, as a file: the loop's state, what is recorded so far, and what run it is of.
//!
//! In: a [`LoopState`] and a [`TrackingState`]. Out: the header and the arrays of a `pupila_run::CheckpointFile`, and the same values again, to
//! the bit. What can be worked out of the rest is not in it.

use crate::best::BestState;
use crate::diagnosis::DiagnosisState;
use crate::insight::{Distributions, ValueSpread};
use crate::observer::EpochRecord;
use crate::schedule::ScheduleState;
use crate::state::LoopState;
use crate::tracking::TrackingState;
use pupila_backend::{LossSum, OptimizerState, Snapshot, StepContext, TrainingState, Waiting};
use pupila_metrics::METRICS;
use pupila_run::{CheckpointFile, Finding, Number};
use pupila_trackers::{BoardPosition, Histogram};
use serde::{Deserialize, Serialize, Serializer};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

/// Which run a checkpoint is of, and what made it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CheckpointOf {
    /// The version of Pupila.
    pub version: String,
    /// The instruction set of the engine.
    pub instruction_set: String,
    /// The fingerprint of the data.
    pub data: String,
    /// The recipe, as TOML.
    pub recipe: String,
}

/// What the report shows of weights and activations.
#[derive(Debug, Clone, Default)]
pub struct Looks {
    /// Of the first epoch.
    pub first: Option<Arc<Distributions>>,
    /// The last epoch, and those of it.
    pub last: Option<(u32, Arc<Distributions>)>,
}

/// All that a run goes on with.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Which run it is of.
    pub of: CheckpointOf,
    /// Where the loop is.
    pub state: LoopState,
    /// What tracking remembers.
    pub tracking: TrackingState,
    /// Bytes of `metrics.jsonl` so far.
    pub metrics_bytes: u64,
    /// How far TensorBoard's event file is; none where there is none.
    pub board: Option<BoardPosition>,
    /// Weights and activations of the first epoch and, where it has ended, of the last one, for the report.
    pub looks: Looks,
    /// Time of the run so far.
    pub elapsed: Duration,
}

/// What stands in the header. `E` is every epoch: read into values, and written from the loop's own, one at a time.
#[derive(Serialize, Deserialize)]
struct Header<E> {
    of: CheckpointOf,
    metrics_bytes: u64,
    board: Option<BoardPosition>,
    elapsed: Duration,
    begun: bool,
    epoch: u32,
    batches: usize,
    batches_in_all: u64,
    lr: Number,
    sums: Sums,
    /// Name, steps and number of moments.
    optimizer: Option<(String, u64, usize)>,
    /// The weight of the gradients that wait.
    waiting: Option<Number>,
    schedule: Plateau,
    best: Option<(u32, Number)>,
    reference: Number,
    waited: u32,
    /// Targets and context of the diagnosis' batch.
    sample: Option<(Vec<u32>, [u64; 2], Number)>,
    predicted: Vec<Vec<u64>>,
    actual: Vec<u64>,
    grades: Vec<u32>,
    findings: Vec<Finding>,
    /// Names of the metrics of every epoch.
    metrics: Vec<String>,
    epochs: E,
    train_time: Duration,
    wait_time: Duration,
    steps: (u32, u64, Sums),
    system: u64,
    first: Option<[Vec<Spread>; 2]>,
    last: Option<(u32, [Vec<Spread>; 2])>,
}

#[derive(Serialize, Deserialize)]
struct Sums(Number, Number, usize, usize);

/// Best value, epochs since, drops.
#[derive(Serialize, Deserialize)]
struct Plateau(Option<Number>, u32, u32);

#[derive(Serialize, Deserialize)]
struct Epoch {
    epoch: u32,
    step: u64,
    lr: Number,
    loss: Number,
    accuracy: Number,
    val: Vec<Number>,
    improved: bool,
    /// Training, validation, waiting.
    times: [Duration; 3],
    images_per_s: Number,
}

/// Name, buckets, values that are not finite, zeros, standard deviation.
#[derive(Serialize, Deserialize)]
struct Spread(String, Vec<(f64, f64, u64)>, u64, u64, Number);

/// Written as a list of [`Epoch`].
struct Epochs<'a>(&'a [EpochRecord]);

impl Serialize for Epochs<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(Epoch::of))
    }
}

/// The header and the arrays of a checkpoint's file.
pub struct CheckpointParts<'a> {
    header: Header<Epochs<'a>>,
    /// The arrays.
    pub arrays: Vec<&'a [f32]>,
}

impl CheckpointParts<'_> {
    /// Writes the header, as JSON.
    ///
    /// # Errors
    /// What is written to refuses.
    pub fn write_header(&self, to: &mut dyn Write) -> io::Result<()> {
        Ok(serde_json::to_writer(to, &self.header)?)
    }
}

impl Sums {
    fn of(sums: &LossSum) -> Self {
        Sums(Number(sums.loss), Number(sums.weight), sums.correct, sums.samples)
    }

    fn value(&self) -> LossSum {
        LossSum { loss: self.0.0, weight: self.1.0, correct: self.2, samples: self.3 }
    }
}

impl Epoch {
    fn of(record: &EpochRecord) -> Self {
        Epoch {
            epoch: record.epoch,
            step: record.step,
            lr: Number(record.lr),
            loss: Number(record.train_loss),
            accuracy: Number(record.train_accuracy),
            val: record.val.iter().map(|&(_, value)| Number(value)).collect(),
            improved: record.improved,
            times: [record.train_time, record.eval_time, record.waited],
            images_per_s: Number(record.images_per_s),
        }
    }

    fn value(self, names: &[&'static str]) -> EpochRecord {
        let [train_time, eval_time, waited] = self.times;
        EpochRecord {
            epoch: self.epoch,
            step: self.step,
            lr: self.lr.0,
            train_loss: self.loss.0,
            train_accuracy: self.accuracy.0,
            val: names.iter().copied().zip(self.val.iter().map(|value| value.0)).collect(),
            improved: self.improved,
            train_time,
            eval_time,
            waited,
            images_per_s: self.images_per_s.0,
        }
    }
}

impl Spread {
    fn of(spread: &ValueSpread) -> Self {
        let ValueSpread { name, histogram, zeros, std } = spread;
        Spread(name.clone(), histogram.buckets.clone(), histogram.not_finite, *zeros, Number(*std))
    }

    fn value(self) -> ValueSpread {
        let Spread(name, buckets, not_finite, zeros, std) = self;
        ValueSpread { name, histogram: Histogram { buckets, not_finite }, zeros, std: std.0 }
    }
}

fn spreads(of: &Distributions) -> [Vec<Spread>; 2] {
    [&of.weights, &of.activations].map(|part| part.iter().map(Spread::of).collect())
}

fn distributions_of([weights, activations]: [Vec<Spread>; 2]) -> Arc<Distributions> {
    let values = |part: Vec<Spread>| part.into_iter().map(Spread::value).collect();
    Arc::new(Distributions { weights: values(weights), activations: values(activations) })
}

impl Checkpoint {
    /// The header and the arrays of its file.
    pub fn parts(&self) -> CheckpointParts<'_> {
        let Checkpoint { of, state, tracking, metrics_bytes, board, looks, elapsed } = self;
        let (training, diagnosis) = (&state.training, &state.diagnosis);
        let sample = diagnosis.sample();
        let header = Header {
            of: of.clone(),
            metrics_bytes: *metrics_bytes,
            board: board.clone(),
            elapsed: *elapsed,
            begun: state.begun,
            epoch: state.epoch,
            batches: state.batches,
            batches_in_all: state.batches_in_all,
            lr: Number(state.lr),
            sums: Sums::of(&state.sums),
            optimizer: training.optimizer.as_ref().map(|o| (o.name.clone(), o.steps, o.moments.len())),
            waiting: training.waiting.as_ref().map(|waiting| Number(waiting.weight)),
            schedule: Plateau(state.schedule.best.map(Number), state.schedule.without, state.schedule.drops),
            best: state.best.best.map(|(epoch, value)| (epoch, Number(value))),
            reference: Number(state.best.reference),
            waited: state.best.waited,
            sample: sample.map(|(_, targets, context)| {
                (targets.to_vec(), [context.seed, context.step], Number(context.label_smoothing))
            }),
            predicted: diagnosis.predicted.clone(),
            actual: diagnosis.actual.clone(),
            grades: diagnosis.grades.to_vec(),
            findings: diagnosis.findings.clone(),
            metrics: state
                .epochs
                .first()
                .map_or(Vec::new(), |record| record.val.iter().map(|(name, _)| (*name).to_owned()).collect()),
            epochs: Epochs(&state.epochs),
            train_time: state.train_time,
            wait_time: state.waited,
            steps: {
                let (epoch, updates, sums) = tracking.steps();
                (epoch, updates, Sums::of(sums))
            },
            system: tracking.system(),
            first: looks.first.as_deref().map(spreads),
            last: looks.last.as_ref().map(|(epoch, last)| (*epoch, spreads(last))),
        };
        let mut arrays: Vec<&[f32]> = vec![&training.values.trained, &training.values.tracked];
        arrays.extend([&state.average.trained[..], &state.average.tracked]);
        arrays.extend([&state.best.values.trained[..], &state.best.values.tracked]);
        arrays.push(sample.map_or(&[], |(images, ..)| images));
        arrays.push(training.waiting.as_ref().map_or(&[], |waiting| &waiting.sum));
        arrays.extend(training.optimizer.iter().flat_map(|o| o.moments.iter().map(Vec::as_slice)));
        CheckpointParts { header, arrays }
    }

    /// What stands in a file.
    ///
    /// # Errors
    /// Why it is no checkpoint that this version can go on with.
    pub fn of_file(file: CheckpointFile) -> Result<Checkpoint, String> {
        let header: Header<Vec<Epoch>> =
            serde_json::from_slice(&file.header).map_err(|error| format!("its header: {error}"))?;
        let moments = header.optimizer.as_ref().map_or(0, |(.., moments)| *moments);
        let expected = 8usize.saturating_add(moments);
        if file.arrays.len() != expected {
            return Err(format!("it should have {expected} arrays, and has {}", file.arrays.len()));
        }
        let names: Vec<&'static str> = (header.metrics.iter())
            .map(|name| {
                let known = METRICS.iter().find(|metric| metric.name == name);
                known.map(|metric| metric.name).ok_or_else(|| format!("it knows a metric `{name}`"))
            })
            .collect::<Result<_, _>>()?;
        if header.epochs.iter().any(|epoch| epoch.val.len() != names.len()) {
            return Err("its epochs differ in their metrics".into());
        }
        let grades = header.grades.try_into().map_err(|_| "its diagnosis has other checks".to_owned())?;
        let mut arrays = file.arrays.into_iter();
        let mut next = || arrays.next().unwrap_or_default();
        let mut snapshot = || Snapshot { trained: next(), tracked: next() };
        let (values, average, best_values) = (snapshot(), snapshot(), snapshot());
        let (images, waiting) = (next(), next());
        let optimizer = header.optimizer.map(|(name, steps, _)| OptimizerState {
            name,
            steps,
            moments: (0..moments).map(|_| next()).collect(),
        });
        let waiting = header.waiting.map(|weight| Waiting { sum: waiting, weight: weight.0 });
        let sample = header.sample.map(|(targets, [seed, step], smoothing)| {
            (images, targets, StepContext { seed, step, label_smoothing: smoothing.0 })
        });
        let epochs: Vec<EpochRecord> = header.epochs.into_iter().map(|epoch| epoch.value(&names)).collect();
        let Plateau(best, without, drops) = header.schedule;
        let (epoch, updates, recorded) = header.steps;
        let tracking = TrackingState::new((epoch, updates, recorded.value()), header.system, &epochs);
        let state = LoopState {
            begun: header.begun,
            epoch: header.epoch,
            batches: header.batches,
            batches_in_all: header.batches_in_all,
            lr: header.lr.0,
            sums: header.sums.value(),
            training: TrainingState { values, optimizer, waiting },
            average,
            schedule: ScheduleState { best: best.map(|best| best.0), without, drops },
            best: BestState {
                best: header.best.map(|(epoch, value)| (epoch, value.0)),
                reference: header.reference.0,
                waited: header.waited,
                values: Arc::new(best_values),
            },
            diagnosis: DiagnosisState::new(sample, header.predicted, header.actual, grades, header.findings),
            epochs,
            train_time: header.train_time,
            waited: header.wait_time,
        };
        let looks = Looks {
            first: header.first.map(distributions_of),
            last: header.last.map(|(epoch, last)| (epoch, distributions_of(last))),
        };
        Ok(Checkpoint {
            of: header.of,
            state,
            tracking,
            metrics_bytes: header.metrics_bytes,
            board: header.board,
            looks,
            elapsed: header.elapsed,
        })
    }
}
