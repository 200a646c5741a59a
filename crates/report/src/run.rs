//! The page of a training run or an evaluation.

use crate::distribution::Distribution;
use crate::html::{Section, page};
use crate::picture::{Picture, sprite};
use crate::{MAX_BYTES, sections, verdict};
use pupila_image::Image;
use pupila_metrics::{Predictions, summary};
use pupila_run::{Environment, Intervals, Leaks, RunEnd, Summary};

/// What is known of a run or an evaluation. What is not known has no section.
#[derive(Debug)]
pub struct Report<'a> {
    /// The name of the run.
    pub title: String,
    /// One line below it.
    pub subtitle: String,
    /// Names of the classes, in the order of the logits.
    pub classes: &'a [String],
    /// The judgement; none where no epoch ended.
    pub judged: Option<Judged<'a>>,
    /// The course of the training; none for an evaluation.
    pub training: Option<Training<'a>>,
    /// The pictures of [`select`](crate::select), as far as there are any.
    pub pictures: Vec<Picture>,
    /// How the maps over the pictures came about, in words.
    pub explained_by: Option<String>,
    /// Weights at two times.
    pub weights: Vec<Distribution>,
    /// Outputs of layers at the same times.
    pub activations: Vec<Distribution>,
    /// Names of the two times, such as "epoch 1".
    pub times: (String, String),
    /// The first filters and the name of their tensor.
    pub filters: Option<(String, Image)>,
    /// The whole recipe, as TOML.
    pub recipe: &'a str,
    /// `summary.json`.
    pub summary: &'a Summary,
    /// `environment.json`.
    pub environment: &'a Environment,
    /// Parts of the time, in words, and their seconds.
    pub phases: Vec<(String, f64)>,
}

/// Predictions for labelled images.
#[derive(Debug)]
pub struct Judged<'a> {
    /// The predictions.
    pub predictions: &'a Predictions,
    /// The images' paths, in the same order.
    pub paths: &'a [String],
    /// What the images are, such as "validation image".
    pub what: String,
    /// 95 % intervals.
    pub intervals: &'a Intervals,
    /// What images with a copy in the training set do to the scores; none where there are none.
    pub leaks: Option<&'a Leaks>,
    /// Which images have one; none where nobody knows. `[N]`
    pub leaked: &'a [bool],
}

/// The course of a training.
#[derive(Debug)]
pub struct Training<'a> {
    /// Every epoch that ended.
    pub epochs: &'a [EpochPoint],
    /// The epoch whose values are kept, from 1.
    pub best: Option<u32>,
    /// Epochs that were asked for.
    pub planned: u32,
    /// How it ended.
    pub end: RunEnd,
    /// What the best epoch is chosen by, such as `val/loss`.
    pub monitor: &'a str,
    /// Epochs without improvement after which it stops.
    pub patience: Option<u32>,
    /// Changes of the monitor up to this count as none for early stopping.
    pub min_delta: f64,
    /// Of a run to its last epoch: a patience with which it would have kept the same model, and the epoch after which it would have
    /// ended, as the rule says of this very curve.
    pub would_stop: Option<(u32, u32)>,
}

/// An epoch's numbers; NaN where there are none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochPoint {
    /// From 1.
    pub epoch: u32,
    /// Learning rate of its last update.
    pub lr: f64,
    /// Mean loss over the training images.
    pub train_loss: f64,
    /// Accuracy over the same.
    pub train_accuracy: f64,
    /// Mean loss over the validation images.
    pub val_loss: f64,
    /// Accuracy over the same.
    pub val_accuracy: f64,
    /// Balanced accuracy over the same.
    pub val_balanced_accuracy: f64,
}

impl Default for EpochPoint {
    fn default() -> Self {
        EpochPoint {
            epoch: 0,
            lr: f64::NAN,
            train_loss: f64::NAN,
            train_accuracy: f64::NAN,
            val_loss: f64::NAN,
            val_accuracy: f64::NAN,
            val_balanced_accuracy: f64::NAN,
        }
    }
}

impl Judged<'_> {
    /// The interval of a metric.
    pub(crate) fn interval(&self, metric: &str) -> Option<(f64, f64)> {
        self.intervals.limits(metric)
    }

    /// "60 validation images".
    pub(crate) fn what_counted(&self) -> String {
        crate::html::counted(self.predictions.len() as u64, &self.what)
    }
}

impl Training<'_> {
    /// The epoch whose values are kept.
    pub(crate) fn best_epoch(&self) -> Option<&EpochPoint> {
        self.epochs.iter().find(|epoch| Some(epoch.epoch) == self.best)
    }
}

impl Report<'_> {
    /// The page. Where it would be too large, it has fewer pictures.
    pub fn render(&self) -> String {
        let mut pictures = self.pictures.len();
        loop {
            let html = self.render_with(&self.pictures[..pictures]);
            if html.len() < MAX_BYTES || pictures == 0 {
                return html;
            }
            pictures /= 2;
        }
    }

    fn render_with(&self, pictures: &[Picture]) -> String {
        let encoded: Vec<(&Picture, String)> =
            pictures.iter().filter_map(|picture| Some((picture, sprite(picture)?))).collect();
        let pictures: Vec<&Picture> = encoded.iter().map(|(picture, _)| *picture).collect();
        let sprites: String = encoded.iter().map(|(_, sprite)| sprite.as_str()).collect();
        let mut parts: Vec<Section> = Vec::new();
        let mut add = |id, title, body: String| {
            if !body.is_empty() {
                parts.push(Section { id, title, body });
            }
        };
        match &self.judged {
            Some(judged) => {
                let summary = summary(judged.predictions);
                let words = verdict::verdict(
                    judged,
                    &summary,
                    self.classes,
                    self.training.as_ref(),
                    self.summary.diagnosis(),
                );
                add("verdict", "Verdict", sections::negative_controls(self.summary) + &words);
            }
            None => add("verdict", "Verdict", sections::nothing_judged(self.training.as_ref())),
        }
        add("diagnosis", "Diagnosis", sections::diagnosis(self.summary));
        if let Some(training) = &self.training {
            add("curves", "Curves", sections::curves(training));
        }
        if let Some(judged) = &self.judged {
            let selection = crate::select(judged.predictions, judged.leaked);
            let shown = sections::Shown { judged, classes: self.classes, pictures: &pictures };
            add("looks", "Looks at this test set", sections::looks(self.summary));
            add("confusion", "Confusion matrix", sections::confusion(&shown, &selection));
            add("classes", "Classes", sections::per_class(judged, self.classes));
            add("ranking", "ROC and precision-recall", sections::ranking(judged, self.classes));
            add("calibration", "Calibration", sections::calibration(judged));
            let by = self.explained_by.as_deref();
            add("losses", "Highest losses", sections::highest_losses(&shown, &selection, by));
            add("gallery", "Right and wrong", sections::gallery(&shown, &selection, by));
        }
        add("weights", "Weights and activations", sections::weights(self));
        add("recipe", "Recipe", sections::recipe(self.recipe));
        add("environment", "Environment and data", sections::environment(self.environment, self.summary));
        add("time", "Time", sections::time(&self.phases, self.summary));
        page(&self.title, &self.subtitle, &parts, &sprites)
    }
}
