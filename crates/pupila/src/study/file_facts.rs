//! The negative control that has no runs: what the facts of the files alone say of the class.
//!
//! A tree ([`pupila_inspect::tree`]) learns the classes of the training images from what is known of their files (size, aspect ratio, bytes,
//! format, JPEG quality, color or gray, camera), and is judged on the validation images by the study's metric, as the runs are. Names and
//! times are left out: no network can see them, and a name often is the label.

use super::collect::ImageGroups;
use super::{Place, Study};
use crate::error::Error;
use pupila_dataset::{Dataset, Source, Split};
use pupila_image::Reading;
use pupila_inspect::tree::Tree;
use pupila_inspect::{Measurement, look};
use pupila_metrics::{Predictions, group_numbers, interval};
use pupila_study::FileFacts;
use pupila_study::statistics::jackknife::{groups, pseudo_values};
use std::collections::HashMap;

/// What the facts of the files reach; none where the study does not ask, where images are no files, or where the work is to stop.
pub(super) fn file_facts(study: &Study, image_groups: &ImageGroups) -> Result<Option<FileFacts>, Error> {
    let plan = &study.plan;
    // Splits judge other images each; of one alone nothing is said of the others.
    if !plan.file_facts || plan.splits.len() > 1 || study.stop.is_set() {
        return Ok(None);
    }
    let recipe = plan.recipe(Place { variant: plan.baseline, split: 0, seed: 0 })?;
    let (dataset, _) = study.shared.scan(&recipe)?;
    if !dataset.samples.iter().all(|sample| matches!(sample.source, Source::File)) {
        return Ok(None);
    }
    let reading = Reading { fill_damaged: false, ..recipe.input.rule().reading };
    let stop = || study.stop.is_set();
    let Ok(looked) = look(&dataset, &reading, study.shared.cache(), &|_| {}, &stop) else { return Ok(None) };
    let facts = features(&looked.measurements);
    let classes = dataset.classes.len();
    let predictions = judged(&dataset, &facts, classes);
    let value = plan.metric.compute(&predictions);
    let belongs = groups(image_groups);
    let same = image_groups.len() == predictions.len();
    let names: Vec<&str> = image_groups.iter().map(|group| group.as_deref().unwrap_or_default()).collect();
    let numbers = if same { group_numbers(&names) } else { None };
    let grouped = numbers.as_deref();
    let known = interval(&predictions, plan.metric, grouped)
        .or_else(|_| interval(&predictions, plan.metric, None))
        .ok();
    Ok(Some(FileFacts {
        value,
        interval: known.map(|of| (of.low, of.high)),
        pseudo_values: if same { pseudo_values(&predictions, plan.metric, &belongs) } else { None },
        facts: facts.into_iter().map(|(name, _)| name).collect(),
    }))
}

/// What is missing is below all.
const MISSING: f32 = f32::MIN;

/// Numbers of every sample, by name: those that are the same for all are left out.
fn features(measurements: &[Option<Measurement>]) -> Vec<(&'static str, Vec<f32>)> {
    let numbers = |of: &dyn Fn(&Measurement) -> f32| -> Vec<f32> {
        measurements.iter().map(|measurement| measurement.as_ref().map_or(MISSING, of)).collect()
    };
    let texts = |of: &dyn Fn(&Measurement) -> String| -> Vec<f32> {
        codes(
            measurements
                .iter()
                .map(|measurement| measurement.as_ref().map_or_else(String::new, of))
                .collect(),
        )
    };
    let all = [
        ("width", numbers(&|m| m.size.0 as f32)),
        ("height", numbers(&|m| m.size.1 as f32)),
        ("aspect ratio", numbers(&|m| m.size.0 as f32 / m.size.1 as f32)),
        ("bytes", numbers(&|m| m.bytes as f32)),
        ("format", texts(&|m| m.format.map_or(String::new(), |format| format.name().to_owned()))),
        ("JPEG quality", numbers(&|m| m.jpeg_quality.map_or(MISSING, f32::from))),
        ("color or gray", numbers(&|m| f32::from(u8::from(m.color)))),
        ("camera", texts(&|m| m.taken.camera.clone().unwrap_or_default())),
    ];
    all.into_iter().filter(|(_, values)| values.iter().any(|value| *value != values[0])).collect()
}

/// Texts as numbers, the most frequent 0: a tree parts them in few steps.
fn codes(texts: Vec<String>) -> Vec<f32> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    texts.iter().for_each(|text| *counts.entry(text).or_default() += 1);
    let mut order: Vec<(&str, usize)> = counts.into_iter().collect();
    order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let code: HashMap<&str, f32> =
        order.iter().enumerate().map(|(at, &(text, _))| (text, at as f32)).collect();
    texts.iter().map(|text| code[text.as_str()]).collect()
}

/// The validation images as a tree of the training images tells them.
fn judged(dataset: &Dataset, facts: &[(&'static str, Vec<f32>)], classes: usize) -> Predictions {
    let features: Vec<Vec<f32>> = facts.iter().map(|(_, values)| values.clone()).collect();
    let labels: Vec<u32> = dataset.samples.iter().map(|sample| sample.label).collect();
    let mut train = dataset.indices(Split::Train);
    let tree = Tree::fit(&features, &labels, &vec![1.0; classes], &mut train);
    let mut predictions = Predictions::new(classes);
    for at in dataset.indices(Split::Val) {
        // Labels are below the number of classes, and shares sum to 1.
        let pushed = predictions.push_probabilities(&tree.shares(&features, at), &[labels[at]]);
        debug_assert!(pushed.is_ok());
    }
    predictions
}
