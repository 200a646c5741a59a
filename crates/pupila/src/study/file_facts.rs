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
use pupila_inspect::tree::{Sorted, Tree};
use pupila_inspect::{LookError, file_facts as facts_of_files, look};
use pupila_metrics::{Predictions, group_numbers, interval};
use pupila_study::FileFacts;
use pupila_study::statistics::jackknife::{groups, pseudo_values};

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
    let looked = match look(&dataset, &reading, study.shared.cache(), &|_| {}, &stop) {
        Err(LookError::Interrupted) => return Ok(None),
        looked => looked.map_err(Error::Look)?,
    };
    let facts = facts_of_files(&looked.measurements);
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

/// The validation images as a tree of the training images tells them.
fn judged(dataset: &Dataset, facts: &[(&'static str, Vec<f32>)], classes: usize) -> Predictions {
    let features: Vec<Vec<f32>> = facts.iter().map(|(_, values)| values.clone()).collect();
    let labels: Vec<u32> = dataset.samples.iter().map(|sample| sample.label).collect();
    let trained = |at: usize| dataset.samples[at].split == Split::Train;
    let tree = Tree::fit(&Sorted::new(&features), &labels, &vec![1.0; classes], trained);
    let mut predictions = Predictions::new(classes);
    for at in dataset.indices(Split::Val) {
        // Labels are below the number of classes, and shares sum to 1.
        let pushed = predictions.push_probabilities(&tree.shares(&features, at), &[labels[at]]);
        debug_assert!(pushed.is_ok());
    }
    predictions
}
