//! Whether a metric can tell anything on a validation set, asked before anything is trained.

use pupila_dataset::{Dataset, Split};
use pupila_metrics::{METRICS, Metric, Predictions};
use pupila_train::{CheckedRecipe, Fault};

/// What is wrong with `train.monitor` on these data, if anything: it would be NaN, or the same, in every epoch, and the first epoch
/// would be kept.
pub(crate) fn check(recipe: &CheckedRecipe, dataset: &Dataset) -> Option<Fault> {
    let labels: Vec<u32> =
        dataset.indices(Split::Val).into_iter().map(|sample| dataset.samples[sample].label).collect();
    let metric = METRICS.iter().find(|metric| metric.name == recipe.monitor().name)?;
    let why = undefined(metric, &labels, &dataset.classes).filter(|_| !labels.is_empty())?;
    let message = format!("{why}; set train.monitor=val/loss");
    Some(Fault { key: "train.monitor".into(), message, origin: Some(recipe.origin("train.monitor")) })
}

/// Why a metric says nothing on images of these classes, if it does.
pub(crate) fn undefined(metric: &Metric, labels: &[u32], classes: &[String]) -> Option<String> {
    if metric.name == "top5_accuracy" && classes.len() <= 5 {
        return Some(format!("val/top5_accuracy is always 100 % where there are {} classes", classes.len()));
    }
    let mut perfect = Predictions::new(classes.len());
    for &label in labels {
        let mut row = vec![0.0; classes.len()];
        row[label as usize] = 1.0;
        perfect.push_probabilities(&row, &[label]).ok()?;
    }
    if metric.compute(&perfect).is_finite() {
        return None;
    }
    let missing: Vec<&str> = classes
        .iter()
        .enumerate()
        .filter(|&(class, _)| !labels.contains(&(class as u32)))
        .map(|(_, name)| name.as_str())
        .collect();
    let why = match missing.is_empty() {
        true => "all validation images are of one class".to_owned(),
        false => format!("no validation image is of the class {}", missing.join(", ")),
    };
    let bare = metric.name;
    Some(format!("val/{bare} is undefined on these data: {why}"))
}
