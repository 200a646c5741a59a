//! `summary.json`: the keys that other programs rely on.

use crate::run_folder::peak_rss_bytes;
use crate::trainer::{EpochRecord, Outcome};
use pupila_dataset::Skipped;
use pupila_metrics::{Metric, Predictions, bootstrap_interval, metric};
use pupila_network::Network;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Times of a run that the outcome doesn't know.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// From the start of the process to the first step.
    pub startup: Duration,
    /// Scanning the data.
    pub scan: Duration,
    /// Decoding, or reading the cache.
    pub decode: Duration,
    /// From the start of the process to now.
    pub total: Duration,
}

/// Metrics whose confidence interval stands beside them.
const WITH_INTERVAL: [&str; 3] = ["accuracy", "balanced_accuracy", "macro_f1"];
/// Resamples of an interval.
const RESAMPLES: u32 = 1000;

/// The summary of a run. The `train` and `val` blocks are the best epoch's; epoch times are medians.
pub fn run_summary(
    network: &Network,
    classes: &[String],
    outcome: &Outcome,
    skipped: &[Skipped],
    timing: &Timing,
    seed: u64,
    threads: usize,
) -> Value {
    let best = outcome.best_epoch.and_then(|best| outcome.epochs.iter().find(|record| record.epoch == best));
    let seconds = |duration: Duration| duration.as_secs_f64();
    let median_of = |f: &dyn Fn(&EpochRecord) -> f64| median(outcome.epochs.iter().map(f).collect());
    json!({
        "model": network.architecture,
        "parameters": network.parameter_count(),
        "classes": classes,
        "best_epoch": outcome.best_epoch,
        "epochs_run": outcome.epochs.len(),
        "stopped_early": outcome.end == pupila_trackers::RunEnd::StoppedEarly,
        "status": outcome.end.name(),
        "train": best.map(|r| json!({ "loss": number(r.train_loss), "accuracy": number(r.train_accuracy) })),
        "val": best.map(|r| val_block(&r.val)),
        "val_intervals": outcome.predictions.as_ref().map(|p| intervals(p, seed)),
        "timing": {
            "startup_s": seconds(timing.startup),
            "scan_s": seconds(timing.scan),
            "decode_s": seconds(timing.decode),
            "epoch_train_s": median_of(&|r| seconds(r.train_time)),
            "epoch_eval_s": median_of(&|r| seconds(r.eval_time)),
            "total_s": seconds(timing.total),
            "images_per_s": median_of(&|r| r.images_per_s),
            "data_wait_frac": data_wait_frac(&outcome.epochs).map(number),
        },
        "diagnosis": outcome.findings,
        "peak_rss_bytes": peak_rss_bytes(),
        "skipped_images": skipped.iter()
            .map(|s| json!({ "path": s.path.to_string_lossy(), "reason": s.reason }))
            .collect::<Vec<_>>(),
        "seed": seed,
        "threads": threads,
        "version": env!("CARGO_PKG_VERSION"),
    })
}

/// The share of the training time that went by in waiting for batches, after the first epoch, which warms up; of that one
/// where there is no other. None without an epoch.
pub fn data_wait_frac(epochs: &[EpochRecord]) -> Option<f64> {
    let epochs = if epochs.len() > 1 { &epochs[1..] } else { epochs };
    let sum = |of: &dyn Fn(&EpochRecord) -> Duration| epochs.iter().map(of).sum::<Duration>().as_secs_f64();
    let trained = sum(&|record| record.train_time);
    (trained > 0.0).then(|| sum(&|record| record.waited) / trained)
}

/// Every metric by name; null where undefined.
fn val_block(values: &[(&'static str, f64)]) -> Value {
    Value::Object(values.iter().map(|&(name, value)| (name.to_owned(), number(value))).collect())
}

/// 95 % bootstrap intervals over images, `[low, high]` by metric.
pub fn intervals(predictions: &Predictions, seed: u64) -> Value {
    let metrics = WITH_INTERVAL.iter().filter_map(|name| metric(name).ok());
    let interval = |m: &'static Metric| {
        let i = bootstrap_interval(predictions, m, RESAMPLES, seed).ok()?;
        Some((m.name.to_owned(), json!([number(i.low), number(i.high)])))
    };
    Value::Object(metrics.filter_map(interval).collect::<Map<_, _>>())
}

/// JSON has no NaN: null.
fn number(value: f64) -> Value {
    if value.is_finite() { value.into() } else { Value::Null }
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
            val: Vec::new(),
            improved: false,
            train_time: Duration::from_millis(ms),
            eval_time: Duration::ZERO,
            waited: Duration::from_millis(waited_ms),
            images_per_s: 1.0,
        };
        let epochs = [record(1, 90, 100), record(2, 2, 100), record(3, 10, 300)];
        let is = |epochs: &[EpochRecord], expected: f64| {
            let share = data_wait_frac(epochs);
            assert!(share.is_some_and(|share| (share - expected).abs() < 1e-12), "{share:?}");
        };
        is(&epochs, 0.03);
        is(&epochs[..1], 0.9);
        assert_eq!(data_wait_frac(&[]), None);
    }
}
