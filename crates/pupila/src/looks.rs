//! The looks at a test set: each evaluation is noted, and told with those before it.
//!
//! Training and validation images are not counted, the run's own validation images neither if they are given as a folder. An evaluation is the one place
//! where a test set is judged: by `pupila eval`, and by a search of its best trial. Training, studies and comparisons judge none; `inspect --label-errors`
//! asks models of test images for their labels, and tells no score of them.

use crate::classifier::Classifier;
use crate::evaluation::EvaluationOptions;
use pupila_dataset::Split;
use pupila_metrics::{Predictions, group_numbers};
use pupila_run::{
    Look, Looks, LooksSummary, RunFolder, StateFolder, note_contents, note_look, read_looks, shared_looks,
};
use pupila_train::{Images, fingerprint_of};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Notes an evaluation; none where the images are no test set. What goes wrong with the record is told and ends nothing.
pub(crate) fn note(
    model: &Classifier,
    options: &EvaluationOptions,
    split: Option<Split>,
    images: &Images,
    predictions: &Predictions,
    groups: Option<&[String]>,
) -> Option<LooksSummary> {
    if matches!(split, Some(Split::Train | Split::Val)) || images.is_empty() {
        return None;
    }
    let all: Vec<u32> = (0..images.len() as u32).collect();
    let samples = images.samples(&all);
    let test_set = fingerprint_of(&images.dataset, &samples);
    if of_validation(model).is_some_and(|validation| validation == test_set) {
        return None;
    }
    // In the order of contents, which is the same in every folder.
    let mut order: Vec<usize> = (0..samples.len()).collect();
    let key = |&at: &usize| {
        let sample = &images.dataset.samples[samples[at]];
        (sample.content, sample.label)
    };
    order.sort_by_key(key);
    let answers = predictions.predicted().zip(predictions.targets());
    let rows: Vec<bool> = answers.map(|(answer, &target)| answer == target).collect();
    let right: Vec<bool> = order.iter().map(|&at| rows[at]).collect();
    let opened = model.opened();
    let look = Look {
        test_set,
        at_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()),
        model: model.fingerprint(),
        tta: options.judging.views.name().map(str::to_owned),
        run: opened.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        images: right.len(),
        right: Look::digits(&right),
    };
    let mut troubles = Vec::new();
    // What the run itself knows, for where the state folder is gone, or another user's.
    let of_run = model.folder().map(|folder| folder.file(RunFolder::LOOKS));
    let mut before = of_run.map_or_else(Looks::default, |path| noted(&path, &look, &mut troubles));
    // The run may have looked at other sets too.
    before.looks.retain(|before| before.test_set == look.test_set);
    let mut shared = Vec::new();
    let record = match options.state.clone().or_else(StateFolder::of_user) {
        None => "no record of earlier looks: there is no place for one; set PUPILA_STATE_DIR".to_owned(),
        Some(state) => {
            let path = state.file(&look.test_set);
            let contents: Vec<u64> =
                samples.iter().map(|&at| images.dataset.samples[at].content as u64).collect();
            shared = shared_looks(&state, &look.test_set, &contents);
            let tried = troubles.len();
            let known = noted(&path, &look, &mut troubles);
            let is_empty = known.looks.is_empty() && known.damaged.is_empty();
            before.damaged.clone_from(&known.damaged);
            if troubles.len() == tried
                && let Err(error) = note_contents(&state, &look.test_set, &contents)
            {
                troubles.push(format!(
                    "which images this test set has is not noted: {error}; looks at a part of it will not be known"
                ));
            }
            // Both have a look that was noted here.
            before.looks.retain(|look| !known.looks.contains(look));
            before.looks.splice(0..0, known.looks);
            match (troubles.len() > tried, is_empty) {
                (true, _) => {
                    format!("no record of earlier looks can be kept: {} is not to be written", path.display())
                }
                (false, true) if !before.looks.is_empty() => {
                    format!(
                        "no record of earlier looks in {}: those of this run alone are known",
                        path.display()
                    )
                }
                (false, true) => format!("no record of earlier looks: none is noted in {}", path.display()),
                (false, false) => String::new(),
            }
        }
    };
    let numbers = groups.and_then(group_numbers);
    let numbers: Option<Vec<u32>> = numbers.map(|numbers| order.iter().map(|&at| numbers[at]).collect());
    let summary = LooksSummary::of(&look, &before, numbers.as_deref());
    let trouble = (!troubles.is_empty()).then(|| troubles.join("; "));
    Some(LooksSummary { record, trouble, shared, ..summary })
}

/// Notes a look in a file: what was there before. Where it cannot be written it may still be read.
fn noted(path: &Path, look: &Look, troubles: &mut Vec<String>) -> Looks {
    match note_look(path, look) {
        Ok(before) => before,
        Err(error) => {
            troubles.push(format!(
                "this look at the test set is not noted: {}: {error}; PUPILA_STATE_DIR names another folder",
                path.display()
            ));
            read_looks(path).unwrap_or_default()
        }
    }
}

/// The fingerprint of the validation images that chose the model.
fn of_validation(model: &Classifier) -> Option<String> {
    model.folder()?.environment().ok()??.data.val_fingerprint
}
