//! `summary.json` of a run, from its outcome.

use crate::observer::EpochRecord;
use crate::recipe::CheckedRecipe;
use crate::trainer::Outcome;
use pupila_dataset::{OtherPictures, Skipped, Taken};
use pupila_network::Network;
use pupila_run::{
    FORMAT, ImagesRead, Intervals, Leaks, LearntFrom, OtherPicture, RunEnd, RunSummary, SkippedImage, Timing,
    TrainScores, finite,
};
use std::time::Duration;

/// What a summary holds that the outcome of the loop doesn't know.
#[derive(Debug)]
pub struct SummaryContext<'a> {
    /// The recipe.
    pub recipe: &'a CheckedRecipe,
    /// The network.
    pub network: &'a Network,
    /// The classes, in the order of the logits.
    pub classes: &'a [String],
    /// The intervals of the validation images; none where none were judged.
    pub intervals: Option<&'a Intervals>,
    /// What validation images with a copy in the training set do to the scores; none where there are none.
    pub leaks: Option<Leaks>,
    /// What of the data was taken for what.
    pub taken: &'a Taken,
    /// Where the images came from.
    pub images: ImagesRead,
    /// Images that were left out.
    pub skipped: &'a [Skipped],
    /// Pictures of kinds that are not read.
    pub other_pictures: &'a [OtherPictures],
    /// From the start to the first step.
    pub startup: Duration,
    /// Scanning the data.
    pub scan: Duration,
    /// Decoding, or reading the cache.
    pub decode: Duration,
    /// From the start to now.
    pub total: Duration,
    /// The weights that the run began from.
    pub learnt_from: Option<&'a LearntFrom>,
    /// Threads of the run.
    pub threads: usize,
    /// What the engine took of memory while training, in bytes.
    pub engine_bytes: Option<u64>,
    /// The most memory that the process had in use, where somebody knows it.
    pub peak_memory_bytes: Option<u64>,
}

/// The summary of a run. The `train` and `val` blocks are the best epoch's; epoch times are medians.
pub fn run_summary(outcome: &Outcome, context: &SummaryContext<'_>) -> RunSummary {
    let SummaryContext { recipe, network, classes, skipped, other_pictures, .. } = context;
    let best = outcome.best_epoch.and_then(|best| outcome.epochs.iter().find(|record| record.epoch == best));
    let seconds = |duration: Duration| duration.as_secs_f64();
    let median_of = |f: &dyn Fn(&EpochRecord) -> f64| median(outcome.epochs.iter().map(f).collect());
    let intervals = context.intervals;
    RunSummary {
        model: network.architecture.to_owned(),
        parameters: network.parameter_count(),
        classes: classes.to_vec(),
        best_epoch: outcome.best_epoch,
        epochs_run: outcome.epochs.len(),
        stopped_early: outcome.end == RunEnd::StoppedEarly,
        status: outcome.end,
        ended_because: outcome.ended_because.clone(),
        train: best.map(|r| TrainScores { loss: finite(r.train_loss), accuracy: finite(r.train_accuracy) }),
        val: best.map(|r| r.val.iter().map(|&(name, value)| (name.to_owned(), finite(value))).collect()),
        val_intervals: intervals.map(|intervals| intervals.of_metrics.clone()),
        val_intervals_over: intervals.map(|intervals| intervals.over.clone()),
        val_leaks: context.leaks.clone(),
        val_per_class: intervals.map(|intervals| intervals.per_class.clone()).unwrap_or_default(),
        images: context.images,
        timing: Timing {
            startup_s: seconds(context.startup),
            scan_s: seconds(context.scan),
            decode_s: seconds(context.decode),
            epoch_train_s: median_of(&|r| seconds(r.train_time)),
            epoch_eval_s: median_of(&|r| seconds(r.eval_time)),
            total_s: seconds(context.total),
            images_per_s: median_of(&|r| r.images_per_s),
            data_wait_frac: DataWait::of(&outcome.epochs).and_then(|wait| finite(wait.frac)),
        },
        diagnosis: outcome.findings.clone(),
        engine_bytes: context.engine_bytes,
        peak_rss_bytes: context.peak_memory_bytes,
        taken: context.taken.to_string(),
        skipped_images: skipped_images(skipped),
        other_pictures: other_pictures_of(other_pictures),
        negative_controls: recipe.controls(),
        own_transforms: recipe.own_transforms(),
        learnt_from: context.learnt_from.cloned(),
        head: outcome.head.clone(),
        seed: recipe.train.seed,
        threads: context.threads,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        format: FORMAT,
    }
}

/// Images that were left out, as the files have them.
pub fn skipped_images(skipped: &[Skipped]) -> Vec<SkippedImage> {
    let image = |skipped: &Skipped| SkippedImage {
        path: skipped.path.to_string_lossy().into_owned(),
        reason: skipped.reason.clone(),
    };
    skipped.iter().map(image).collect()
}

/// Pictures of kinds that are not read, as the files have them.
pub fn other_pictures_of(pictures: &[OtherPictures]) -> Vec<OtherPicture> {
    let picture = |OtherPictures { extension, class, count }: &OtherPictures| OtherPicture {
        extension: extension.clone(),
        class: class.clone(),
        count: *count,
    };
    pictures.iter().map(picture).collect()
}

/// How long training waited for its images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DataWait {
    /// The share of the training time, after the first epoch, which warms up; of that one where there is no other.
    pub frac: f64,
    /// The time of the same epochs.
    pub time: Duration,
}

impl DataWait {
    /// Less of the training time is not worth a change.
    const NOTICEABLE_FRAC: f64 = 0.2;
    /// Less waiting in all is not worth one either.
    const NOTICEABLE: Duration = Duration::from_secs(1);

    /// The waiting of a run. None without an epoch.
    pub fn of(epochs: &[EpochRecord]) -> Option<Self> {
        let epochs = if epochs.len() > 1 { &epochs[1..] } else { epochs };
        let trained: Duration = epochs.iter().map(|record| record.train_time).sum();
        let time: Duration = epochs.iter().map(|record| record.waited).sum();
        (!trained.is_zero()).then(|| DataWait { frac: time.as_secs_f64() / trained.as_secs_f64(), time })
    }

    /// Whether it holds the training up. It is a matter of the machine and its load, so that it is told at the end of a run and
    /// is no finding of the diagnosis, which are the same for equal runs.
    pub fn is_noticeable(&self) -> bool {
        self.frac >= Self::NOTICEABLE_FRAC && self.time >= Self::NOTICEABLE
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (n > 0).then(|| (values[(n - 1) / 2] + values[n / 2]) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_epoch_does_not_count_as_waiting_where_there_are_others() {
        let record = |epoch, waited_ms, ms| EpochRecord {
            epoch,
            step: 1,
            lr: 0.1,
            train_loss: 1.0,
            train_accuracy: 0.5,
            val: [].into(),
            improved: false,
            train_time: Duration::from_millis(ms),
            eval_time: Duration::ZERO,
            waited: Duration::from_millis(waited_ms),
            images_per_s: 1.0,
        };
        let epochs = [record(1, 90, 100), record(2, 2, 100), record(3, 10, 300)];
        let is = |epochs: &[EpochRecord], expected: f64| {
            let frac = DataWait::of(epochs).unwrap().frac;
            assert!((frac - expected).abs() < 1e-12, "{frac}");
        };
        is(&epochs, 0.03);
        is(&epochs[..1], 0.9);
        assert_eq!(DataWait::of(&[]), None);
    }

    #[test]
    fn waiting_is_noticeable_from_a_fifth_of_the_time_and_a_second_on() {
        let wait = |frac, ms| DataWait { frac, time: Duration::from_millis(ms) }.is_noticeable();
        assert!(wait(0.2, 1000) && !wait(0.19, 5000) && !wait(0.9, 999));
    }
}
