//! `summary.json`: what came out of a run or an evaluation.

use crate::error::{RunFileError, damaged};
use crate::finding::Finding;
use crate::head::FittedHead;
use crate::leaks::Leaks;
use crate::learnt::LearntFrom;
use crate::looks_summary::LooksSummary;
use crate::named::Named;
use crate::run_end::RunEnd;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// A 95 % interval, `[low, high]`; null where undefined.
pub type Interval = [Option<f64>; 2];

/// What the intervals of a judgement are over, and which there are not.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IntervalsOver {
    /// What was drawn: `image`, or `group` where images belong together.
    pub unit: String,
    /// How many there are.
    pub count: usize,
    /// Why there is no interval of a metric, by its name.
    pub none: Named<String>,
}

/// A class's recall and precision with their 95 % intervals; null where undefined.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClassIntervals {
    /// The class.
    pub class: String,
    /// Its images.
    pub images: u64,
    /// Of its images, the share that was found.
    pub recall: Option<f64>,
    /// The interval of it.
    pub recall_interval: Interval,
    /// Of the images that were taken for it, the share that is.
    pub precision: Option<f64>,
    /// The interval of it.
    pub precision_interval: Interval,
}

/// What came out of a run. The `train` and `val` blocks are the best epoch's; epoch times are medians.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunSummary {
    /// The architecture.
    pub model: String,
    /// Trained values of the network.
    pub parameters: usize,
    /// The classes, in the order of the logits.
    pub classes: Vec<String>,
    /// The epoch whose values are kept, from 1; none where no epoch ended.
    pub best_epoch: Option<u32>,
    /// Epochs that ended.
    pub epochs_run: usize,
    /// Whether early stopping ended it.
    pub stopped_early: bool,
    /// How it ended.
    pub status: RunEnd,
    /// Why whoever observed it ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_because: Option<String>,
    /// The training images' scores.
    pub train: Option<TrainScores>,
    /// Every metric of the validation set by its name; null where undefined.
    pub val: Option<Named<Option<f64>>>,
    /// 95 % intervals over the validation images, by metric.
    pub val_intervals: Option<Named<Interval>>,
    /// What they are over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_intervals_over: Option<IntervalsOver>,
    /// The classes' recall and precision.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub val_per_class: Vec<ClassIntervals>,
    /// What validation images with a copy in the training set do to the scores; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_leaks: Option<Leaks>,
    /// Where the time went.
    pub timing: Timing,
    /// Where the images came from and where they were held.
    #[serde(default)]
    pub images: ImagesRead,
    /// What was found wrong with the training.
    pub diagnosis: Vec<Finding>,
    /// What the engine took of memory while training: values, gradients, moments, activations. In bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_bytes: Option<u64>,
    /// The most memory that the process had in use, in bytes.
    pub peak_rss_bytes: Option<u64>,
    /// What of the data was taken for what, in one line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub taken: String,
    /// Images that were left out.
    pub skipped_images: Vec<SkippedImage>,
    /// Pictures of kinds that are not read.
    pub other_pictures: Vec<OtherPicture>,
    /// The negative controls that the recipe asks for, a sentence each: no model for use comes of such a run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub negative_controls: Vec<String>,
    /// Transforms of the caller's own, which a recipe cannot name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub own_transforms: Vec<String>,
    /// The weights that it began from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learnt_from: Option<LearntFrom>,
    /// What was fitted to the features of a frozen backbone, where no loop has trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<FittedHead>,
    /// `train.seed`.
    pub seed: u64,
    /// Threads of the run.
    pub threads: usize,
    /// The version of Pupila.
    pub version: String,
    /// The folder's format.
    #[serde(default = "crate::first_format")]
    pub format: u32,
}

/// The training images' scores at the best epoch, as they were when trained on.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainScores {
    /// Mean loss.
    pub loss: Option<f64>,
    /// Accuracy.
    pub accuracy: Option<f64>,
}

/// Where images came from and where they were held, each a number of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ImagesRead {
    /// Read from the cache.
    pub from_cache: usize,
    /// Decoded from their files.
    pub decoded: usize,
    /// Left in the cache and read as they were needed, rather than in memory.
    pub left_in_cache: usize,
    /// Held nowhere: decoded whenever they were needed.
    pub decoded_anew: usize,
}

/// Times of a run, in seconds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Timing {
    /// From the start to the first step.
    pub startup_s: f64,
    /// Scanning the data.
    pub scan_s: f64,
    /// Decoding, or reading the cache.
    pub decode_s: f64,
    /// Training of an epoch.
    pub epoch_train_s: Option<f64>,
    /// Validation of an epoch.
    pub epoch_eval_s: Option<f64>,
    /// From the start to the end.
    pub total_s: f64,
    /// Training images a second.
    pub images_per_s: Option<f64>,
    /// Share of the training time that was spent waiting for images, without the first epoch unless it is the only one.
    pub data_wait_frac: Option<f64>,
}

/// An image that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedImage {
    /// The file.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// Pictures of a kind that is not read, by their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherPicture {
    /// Their extension, without the dot.
    pub extension: String,
    /// The class folder that they are in, if they are in one.
    pub class: Option<String>,
    /// How many.
    pub count: usize,
}

/// What came out of an evaluation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EvaluationSummary {
    /// The architecture.
    pub model: String,
    /// Trained values of the network.
    pub parameters: usize,
    /// The classes, in the order of the logits.
    pub classes: Vec<String>,
    /// The epoch that the model is of, from 1.
    pub best_epoch: u32,
    /// The run folder or model file.
    pub run: String,
    /// The images.
    pub data: String,
    /// The split that was judged; none where the data have no splits.
    pub split: Option<String>,
    /// Images that were judged.
    pub images: usize,
    /// The views of each image that were averaged; none for the image as it is.
    pub tta: Option<String>,
    /// Every metric by its name; null where undefined.
    pub metrics: Named<Option<f64>>,
    /// 95 % intervals over the images, by metric.
    pub intervals: Named<Interval>,
    /// What they are over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intervals_over: Option<IntervalsOver>,
    /// The classes' recall and precision.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub per_class: Vec<ClassIntervals>,
    /// What images with a copy in the run's training set do to the scores; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaks: Option<Leaks>,
    /// How often this test set was looked at, and what that does to the best of the looks; absent for training and validation images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looks: Option<LooksSummary>,
    /// The negative controls that the run's recipe asks for, a sentence each: it is no model for use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub negative_controls: Vec<String>,
    /// Images by true class (rows) and predicted class (columns).
    pub confusion_matrix: Vec<Vec<u64>>,
    /// Where the time went.
    pub timing: EvaluationTiming,
    /// What of the data was taken for what, in one line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub taken: String,
    /// Images that were left out.
    pub skipped_images: Vec<SkippedImage>,
    /// Pictures of kinds that are not read.
    pub other_pictures: Vec<OtherPicture>,
    /// The run's seed.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
    /// The version of Pupila.
    pub version: String,
    /// The folder's format.
    #[serde(default = "crate::first_format")]
    pub format: u32,
}

/// Times of an evaluation, in seconds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EvaluationTiming {
    /// Decoding, or reading the cache.
    pub decode_s: f64,
    /// From the start to the end.
    pub total_s: f64,
}

/// Either kind of `summary.json`.
#[derive(Debug, Clone, PartialEq)]
pub enum Summary {
    /// Of a run.
    Run(Box<RunSummary>),
    /// Of an evaluation.
    Evaluation(Box<EvaluationSummary>),
}

/// How far training accuracy must be above validation accuracy for the gap to be spoken of.
pub const NOTICEABLE_GAP: f64 = 0.15;

impl RunSummary {
    /// How far the training accuracy is above the validation accuracy at the best epoch, if that is noticeable.
    pub fn accuracy_gap(&self) -> Option<f64> {
        let train = self.train?.accuracy?;
        let val = self.val.as_ref()?.get("accuracy").copied().flatten()?;
        Some(train - val).filter(|gap| *gap > NOTICEABLE_GAP)
    }

    /// The file's content.
    pub fn to_json(&self) -> Value {
        // Numbers, texts and lists always have a JSON form.
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl EvaluationSummary {
    /// The file's content. The metrics stand a second time under the name of the split, as a run's do.
    pub fn to_json(&self) -> Value {
        let mut all = serde_json::to_value(self).unwrap_or_default();
        if let Some(split) = &self.split {
            all[split] = all["metrics"].clone();
            all[format!("{split}_intervals")] = all["intervals"].clone();
        }
        all
    }
}

impl Summary {
    /// Reads a `summary.json`.
    pub(crate) fn read(path: &Path, text: &str) -> Result<Summary, RunFileError> {
        let value: Value = crate::error::object(path, text)?;
        if !value.is_object() {
            return Err(damaged(path, None, "must be a JSON object"));
        }
        let wrong = |error: serde_json::Error| damaged(path, None, error);
        Ok(match value.get("metrics") {
            Some(_) => Summary::Evaluation(Box::new(serde_json::from_value(value).map_err(wrong)?)),
            None => Summary::Run(Box::new(serde_json::from_value(value).map_err(wrong)?)),
        })
    }

    /// What judged images with a copy in the training set do to the scores; none where there are none, or nobody knows.
    pub fn leaks(&self) -> Option<&Leaks> {
        match self {
            Summary::Run(run) => run.val_leaks.as_ref(),
            Summary::Evaluation(evaluation) => evaluation.leaks.as_ref(),
        }
    }

    /// The negative controls that the model was trained with, a sentence each; most have none.
    pub fn negative_controls(&self) -> &[String] {
        match self {
            Summary::Run(run) => &run.negative_controls,
            Summary::Evaluation(evaluation) => &evaluation.negative_controls,
        }
    }

    /// A metric of the judged images; none where it is undefined or unknown.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let values = match self {
            Summary::Run(run) => run.val.as_ref()?,
            Summary::Evaluation(evaluation) => &evaluation.metrics,
        };
        values.get(name).copied().flatten()
    }

    /// The folder's format.
    pub fn format(&self) -> u32 {
        match self {
            Summary::Run(run) => run.format,
            Summary::Evaluation(evaluation) => evaluation.format,
        }
    }

    /// The version of Pupila that wrote it.
    pub fn version(&self) -> &str {
        match self {
            Summary::Run(run) => &run.version,
            Summary::Evaluation(evaluation) => &evaluation.version,
        }
    }

    /// The architecture.
    pub fn model(&self) -> &str {
        match self {
            Summary::Run(run) => &run.model,
            Summary::Evaluation(evaluation) => &evaluation.model,
        }
    }

    /// Trained values of the network.
    pub fn parameters(&self) -> usize {
        match self {
            Summary::Run(run) => run.parameters,
            Summary::Evaluation(evaluation) => evaluation.parameters,
        }
    }

    /// Whether it is of a run that ended without an epoch to keep, such as one that diverged in its first: nothing was judged.
    pub fn has_no_model(&self) -> bool {
        matches!(self, Summary::Run(run) if run.best_epoch.is_none() && !run.classes.is_empty())
    }

    /// The classes, in the order of the logits.
    pub fn classes(&self) -> &[String] {
        match self {
            Summary::Run(run) => &run.classes,
            Summary::Evaluation(evaluation) => &evaluation.classes,
        }
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        match self {
            Summary::Run(run) => run.seed,
            Summary::Evaluation(evaluation) => evaluation.seed,
        }
    }

    /// Images that were left out.
    pub fn skipped_images(&self) -> &[SkippedImage] {
        match self {
            Summary::Run(run) => &run.skipped_images,
            Summary::Evaluation(evaluation) => &evaluation.skipped_images,
        }
    }

    /// What of the data was taken for what; empty where that was not written.
    pub fn taken(&self) -> &str {
        match self {
            Summary::Run(run) => &run.taken,
            Summary::Evaluation(evaluation) => &evaluation.taken,
        }
    }

    /// Pictures of kinds that are not read.
    pub fn other_pictures(&self) -> &[OtherPicture] {
        match self {
            Summary::Run(run) => &run.other_pictures,
            Summary::Evaluation(evaluation) => &evaluation.other_pictures,
        }
    }

    /// What was found wrong with the training; nothing for an evaluation.
    pub fn diagnosis(&self) -> &[Finding] {
        match self {
            Summary::Run(run) => &run.diagnosis,
            Summary::Evaluation(_) => &[],
        }
    }
}
