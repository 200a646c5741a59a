//! A study whose `study.json` is gone: its run folders are the truth, and are taken up where they are those of the plan.

use super::{Place, StudyPlan, runner};
use crate::error::Error;
use crate::shared_data::SharedData;
use pupila_run::RunFolder;
use pupila_train::{Layers, fingerprint};
use std::collections::HashMap;
use std::path::Path;

/// Whether a folder is none of a run, and has run folders in it.
pub(super) fn has_runs(folder: &Path) -> bool {
    !folder.join(RunFolder::RECIPE).is_file() && !runs(folder).is_empty()
}

/// The run folders of a folder: those that have a recipe and a record.
fn runs(folder: &Path) -> Vec<RunFolder> {
    let runs = RunFolder::open(folder).and_then(|folder| folder.runs()).unwrap_or_default();
    runs.into_iter().filter(|run| run.file(RunFolder::RECIPE).is_file()).collect()
}

fn places(plan: &StudyPlan) -> HashMap<String, Place> {
    plan.places().into_iter().map(|place| (plan.run_name(place), place)).collect()
}

/// How many runs of a plan the folder has; 0 where it has no run at all.
///
/// # Errors
/// It has runs that are none of the plan, or that have another recipe: all of them by name.
pub(super) fn runs_of(folder: &Path, plan: &StudyPlan) -> Result<usize, Error> {
    let (places, runs) = (places(plan), runs(folder));
    let (mut foreign, mut otherwise) = (Vec::new(), Vec::new());
    for run in &runs {
        let Some(&place) = places.get(&run.name()) else {
            foreign.push(run.name());
            continue;
        };
        let text = run.recipe()?.unwrap_or_default();
        let stored =
            Layers { file: Some((run.file(RunFolder::RECIPE), text)), settings: Vec::new(), learnt: None };
        let changed = plan.changed_keys_of(place, &stored.resolve_what_is_known().0)?;
        if !changed.is_empty() {
            otherwise.push(format!("{} ({})", run.name(), changed.join(", ")));
        }
    }
    if foreign.is_empty() && otherwise.is_empty() {
        return Ok(runs.len());
    }
    let mut told =
        vec![format!("{} has runs, and no study.json that says which study they are of", folder.display())];
    if !foreign.is_empty() {
        told.push(format!(
            "this study has no such runs: {}; with the variants, --seeds and --splits that they were made with they are taken up",
            foreign.join(", ")
        ));
    }
    if !otherwise.is_empty() {
        told.push(format!("these have another recipe: {}", otherwise.join(", ")));
    }
    told.push(format!("choose another --name, or move them; `pupila runs {}` lists them", folder.display()));
    Err(Error::request(told.join(".\n")))
}

/// Refuses runs that have ended and were made of other data.
pub(super) fn check_data(folder: &Path, plan: &StudyPlan, shared: &SharedData) -> Result<(), Error> {
    let places = places(plan);
    for run in runs(folder) {
        let Some(&place) = places.get(&run.name()) else { continue };
        if !runner::has_ended(run.path())? {
            continue;
        }
        let made_of = run.environment()?.unwrap_or_default().data.fingerprint;
        let recipe = plan.recipe(place)?;
        let (dataset, _) = shared.scan(&recipe)?;
        if made_of != fingerprint(&dataset) {
            return Err(Error::request(format_args!(
                "{} has no study.json, and {} was made of other data, or the data have changed since: choose another --name",
                folder.display(),
                run.name()
            )));
        }
    }
    Ok(())
}
