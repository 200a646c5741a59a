//! What is known of a run, read from its folder: the same for one that has just ended and for one of last week.

use pupila_metrics::{Metric, PrecisionRecallF1};
use pupila_run::{RunFileError, RunFiles, RunSummary, Summary};
use pupila_study::statistics::jackknife::{groups, pseudo_values};
use pupila_study::{EpochFacts, Outcome, RunFacts};
use std::path::Path;

/// The group of each validation image of the first split, such as its patient, in the order of a run's predictions.
pub(super) type ImageGroups = Vec<Option<String>>;

/// The facts of a run that has ended.
pub(super) fn collect(
    folder: &Path,
    metric: &Metric,
    image_groups: &[Option<String>],
) -> Result<RunFacts, RunFileError> {
    let files = pupila_run::RunFolder::open(folder)?;
    let summary = match files.summary()? {
        Some(Summary::Run(summary)) => *summary,
        _ => RunSummary::default(),
    };
    let mut facts = RunFacts {
        outcome: Outcome::Ended(summary.status.name().to_owned()),
        value: summary
            .val
            .as_ref()
            .and_then(|val| val.get(metric.name).copied().flatten())
            .unwrap_or(f64::NAN),
        gap: gap(&summary).unwrap_or(f64::NAN),
        best_epoch: summary.best_epoch,
        epochs: files.epochs()?.iter().map(|epoch| of_epoch(epoch, metric)).collect(),
        epoch_core_s: summary.threads as f64
            * (summary.timing.epoch_train_s.unwrap_or(f64::NAN)
                + summary.timing.epoch_eval_s.unwrap_or(f64::NAN)),
        core_s: summary.threads as f64 * summary.timing.total_s,
        memory_bytes: summary.engine_bytes,
        findings: kinds(&summary),
        ..RunFacts::default()
    };
    // A run without an ended epoch has no predictions.
    if summary.best_epoch.is_some() {
        let files = RunFiles::read(folder)?;
        // Paths are as they were typed; the order is that of the data. Where an image was left out, groups are not known, and without
        // them nothing is said of other images.
        let judged = files.predictions.len();
        let single = image_groups.iter().all(Option::is_none);
        facts.pseudo_values = match (image_groups.len() == judged, single) {
            (true, _) => pseudo_values(&files.predictions, metric, &groups(image_groups)),
            (false, true) => pseudo_values(&files.predictions, metric, &groups(&vec![None; judged])),
            (false, false) => None,
        };
        let report = PrecisionRecallF1::new(files.predictions.confusion());
        // A class without images has no recall; the report counts it as 0.
        let images = files.predictions.confusion().true_counts();
        let recall = report.per_class.iter().zip(images);
        facts.recall = recall.map(|(class, n)| if n > 0 { class.recall } else { f64::NAN }).collect();
    }
    Ok(facts)
}

fn gap(summary: &RunSummary) -> Option<f64> {
    let val = summary.val.as_ref()?.get("accuracy").copied().flatten()?;
    Some(summary.train?.accuracy? - val)
}

fn kinds(summary: &RunSummary) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for finding in &summary.diagnosis {
        if !kinds.contains(&finding.kind) {
            kinds.push(finding.kind.clone());
        }
    }
    kinds
}

fn of_epoch((epoch, values): &pupila_run::EpochValues, metric: &Metric) -> EpochFacts {
    let value = |tag: &str| values.iter().find(|(name, _)| name == tag).map_or(f64::NAN, |&(_, value)| value);
    EpochFacts {
        epoch: *epoch,
        train_loss: value("train/loss"),
        val_loss: value("val/loss"),
        value: value(&format!("val/{}", metric.name)),
    }
}
