//! What a study leaves besides its runs: `study.json`, `results.csv` and the page.

use super::page::{self, page};
use super::{Analysis, Place, RunOutcome, Study};
use crate::error::{Error, Tried};
use crate::session::{FirstStep, Session};
use pupila_report::ExtraTable;
use pupila_run::{RunFolder, StudyFile, write_whole};
use pupila_study::{Controls, Facts};
use serde_json::{Map, Value};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Writes all of it.
pub(super) fn write(
    study: &Study,
    facts: &Facts<'_>,
    analysis: &Analysis,
    (answer, controls): (&[String], Option<&Controls>),
    json: &Value,
) -> Result<(), Error> {
    let mut file = study.file.clone();
    file.result = Some(json.clone());
    file.failures = failures(study, facts);
    let path = StudyFile::path(&study.folder);
    file.write(&study.folder).map_err(Error::io(Tried::Write, path))?;
    let path = study.folder.join(StudyFile::RESULTS);
    write_whole(&path, csv(study, facts)?.as_bytes()).map_err(Error::io(Tried::Write, &path))?;
    let path = study.folder.join(StudyFile::PAGE);
    let page = page(study, facts, analysis, (answer, controls), first_steps(study).into_iter().collect());
    write_whole(&path, page.render().as_bytes()).map_err(Error::io(Tried::Write, &path))?;
    Ok(())
}

/// Updates after which the layers are looked at.
const UPDATES: [u64; 4] = [0, 1, 5, 20];

/// How activations and gradients spread over the first steps, where the study asks for it.
fn first_steps(study: &Study) -> Option<ExtraTable> {
    if !study.plan.first_steps || study.stop.is_set() {
        return None;
    }
    let mut found = Vec::new();
    for (variant, of) in study.plan.variants.iter().enumerate() {
        let look = AssertUnwindSafe(|| -> Result<Vec<FirstStep>, Error> {
            let recipe = study.plan.recipe(Place { variant, split: 0, seed: 0 })?;
            let builder = Session::builder(recipe, &study.data).runs(&study.folder).threads(study.threads);
            builder.shared(&study.shared).stop_signal(&study.stop).open()?.first_steps(&UPDATES)
        });
        // What cannot be looked at takes nothing from what the runs have given.
        let steps = catch_unwind(look).ok().and_then(Result::ok).unwrap_or_default();
        found.push((of.name.clone(), steps));
    }
    page::first_steps(&found)
}

fn failures(study: &Study, facts: &Facts<'_>) -> Map<String, Value> {
    let failed = |place: Place| match &facts.get(place).outcome {
        RunOutcome::Failed(reason) => Some((study.plan.run_name(place), Value::from(reason.clone()))),
        _ => None,
    };
    study.places.iter().copied().filter_map(failed).collect()
}

/// What a row begins with, and the numbers of its epoch by tag.
type Row = (Vec<String>, Vec<(String, f64)>);

/// A row for each run and epoch: which run, what it sets, and every number of the epoch.
fn csv(study: &Study, facts: &Facts<'_>) -> Result<String, Error> {
    let plan = &study.plan;
    let varied = plan.varied();
    let flat: Vec<_> = (0..plan.variants.len()).map(|variant| plan.effective(variant)).collect();
    let mut tags: Vec<String> = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    for &place in &study.places {
        let run = facts.get(place);
        let status = match &run.outcome {
            RunOutcome::Missing => continue,
            RunOutcome::Ended(end) => end.clone(),
            RunOutcome::Failed(_) => "failed".to_owned(),
        };
        let variant = &plan.variants[place.variant];
        let mut head = vec![variant.name.clone()];
        let value = |key: &String| match flat[place.variant].get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        head.extend(varied.iter().map(value));
        head.extend([
            plan.seeds[place.seed].to_string(),
            plan.splits[place.split].to_string(),
            plan.run_name(place),
            status,
        ]);
        let folder = study.folder.join(plan.run_name(place));
        let epochs = RunFolder::open(&folder).and_then(|folder| folder.epochs()).unwrap_or_default();
        if epochs.is_empty() {
            rows.push(([head.clone(), vec![String::new(), String::new()]].concat(), Vec::new()));
        }
        for (epoch, values) in epochs {
            for (tag, _) in &values {
                if !tags.contains(tag) {
                    tags.push(tag.clone());
                }
            }
            let best = if run.best_epoch == Some(epoch) { "1" } else { "0" };
            rows.push(([head.clone(), vec![epoch.to_string(), best.to_owned()]].concat(), values));
        }
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut head = vec!["variant".to_owned()];
    head.extend(varied);
    head.extend(["seed", "split_seed", "run", "status", "epoch", "best"].map(str::to_owned));
    head.extend(tags.iter().cloned());
    let written =
        |error: csv::Error| Error::io(Tried::Write, study.folder.join(StudyFile::RESULTS))(error.into());
    writer.write_record(&head).map_err(written)?;
    for (head, values) in rows {
        let value = |tag: &String| {
            values
                .iter()
                .find(|(name, _)| name == tag)
                .map_or_else(String::new, |(_, value)| value.to_string())
        };
        writer.write_record(head.into_iter().chain(tags.iter().map(value))).map_err(written)?;
    }
    let bytes = writer.into_inner().map_err(|error| written(error.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
