//! A study's own `metrics.jsonl`: what trackers are told of the study itself, the parent of its runs.

use super::{Analysis, Study, StudyObserver};
use crate::error::{Error, Tried};
use crate::session::canonical;
use crate::source;
use pupila_run::{DataRecord, RunEnd, RunFolder, StudyFile};
use pupila_trackers::mlflow::{Target, delete_replaced, sync};
use pupila_trackers::{Event, Jsonl, RunInfo, Tracker, now};
use pupila_train::mlflow_target;
use serde_json::Map;
use std::io::ErrorKind;
use std::time::Duration;

/// How long the end waits for a server.
const PATIENCE: Duration = Duration::from_secs(30);

/// Says that the study begins, once in its life. Whether its runs are to be sent to a server: one that does not answer now would be waited
/// for by every run.
pub(super) fn begin(study: &Study, observer: &dyn StudyObserver) -> Result<bool, Error> {
    write_start(study)?;
    let Some(target) = target(study, observer) else { return Ok(false) };
    let uri = target.uri.clone();
    let reason = match sync(&study.folder, target, patience(study)) {
        Ok(sent) if sent.complete => return Ok(true),
        Ok(sent) => sent.reason.unwrap_or_default(),
        Err(error) => error.to_string(),
    };
    observer.warning(&format!(
        "{uri} is told nothing of this study: {reason}; `pupila sync {}` sends all of it later",
        study.folder.display()
    ));
    Ok(false)
}

/// Whether runs are to be sent to a server, where another process has said that the study begins.
pub(super) fn is_sent(study: &Study, observer: &dyn StudyObserver) -> bool {
    target(study, observer).is_some()
}

/// How long a server is waited for.
fn patience(study: &Study) -> Duration {
    let wait = study.plan.variants[study.plan.baseline].recipe.tracking.wait_s;
    Duration::try_from_secs_f64(wait).unwrap_or(PATIENCE)
}

/// The server that the study's recipes or the environment name, if any.
fn target(study: &Study, observer: &dyn StudyObserver) -> Option<Target> {
    match mlflow_target(&study.plan.variants[study.plan.baseline].recipe.tracking) {
        Ok(target) => target,
        Err(message) => {
            observer.warning(&format!("nothing is sent: {message}"));
            None
        }
    }
}

fn write_start(study: &Study) -> Result<(), Error> {
    let path = study.folder.join(RunFolder::METRICS);
    if RunFolder::open(&study.folder)?.start()?.is_some() {
        return Ok(());
    }
    // Of a start that was not written whole, as on a full disk, nothing can be sent and nothing is known.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(Error::io(Tried::Write, path)(error));
        }
        _ => {}
    }
    let mut own = Jsonl::create(&path).map_err(Error::io(Tried::Write, &path))?;
    let plan = &study.plan;
    let mut tags = source::tags(&study.data);
    tags.push(("pupila.question".to_owned(), plan.question.clone()));
    let mut recipe = Map::new();
    recipe.insert("study.metric".to_owned(), format!("val/{}", plan.metric.name).into());
    recipe.insert("study.baseline".to_owned(), plan.variants[plan.baseline].name.clone().into());
    recipe.insert("study.variants".to_owned(), plan.variants.len().into());
    recipe.insert("study.varied".to_owned(), plan.varied().join(", ").into());
    let data = canonical(&study.data);
    let name = data.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let start = RunInfo {
        run: plan.name.clone(),
        classes: study.classes.iter().map(|(name, _)| name.clone()).collect(),
        tags,
        recipe,
        data: DataRecord {
            name,
            path: data.to_string_lossy().into_owned(),
            form: String::new(),
            fingerprint: study.file.fingerprint.clone(),
        },
        ..RunInfo::default()
    };
    own.record(now(), &Event::Start(Box::new(start))).map_err(Error::io(Tried::Write, path))
}

/// Says what came out.
pub(super) fn end(study: &Study, analysis: &Analysis, stopped: bool) -> Result<(), Error> {
    let path = study.folder.join(RunFolder::METRICS);
    let mut own = Jsonl::append(&path).map_err(Error::io(Tried::Write, &path))?;
    let metric = study.plan.metric.name;
    let mut values = Vec::new();
    for (variant, found) in study.plan.variants.iter().zip(&analysis.variants) {
        // MLflow takes letters, digits and a few signs in the names of metrics; folders' names are made of these.
        let name = &variant.slug;
        values.push((format!("{name}/{metric}_mean"), found.mean));
        values.push((format!("{name}/{metric}_sd"), found.sd));
        if let Some(compared) = &found.compared {
            values.push((format!("{name}/{metric}_difference"), compared.difference.mean));
            values.push((format!("{name}/p_value"), compared.difference.p_value));
        }
    }
    values.retain(|(_, value)| value.is_finite());
    let end = if stopped { RunEnd::Interrupted } else { RunEnd::Completed };
    let mut events = vec![Event::Result { epoch: 0, step: 0, values }, Event::End { end, best_epoch: None }];
    let files = [StudyFile::PAGE, StudyFile::RESULTS, StudyFile::NAME];
    events.extend(files.map(|file| Event::Artifact { path: file.to_owned() }));
    for event in &events {
        own.record(now(), event).map_err(Error::io(Tried::Write, &path))?;
    }
    Ok(())
}

/// Takes runs off the server that are made anew. What cannot be done now is done when the study is sent.
pub(super) fn delete_interrupted(study: &Study, observer: &dyn StudyObserver) {
    if let Some(target) = target(study, observer)
        && let Err(error) = delete_replaced(&study.folder, &target)
    {
        observer.warning(&format!("an interrupted run is still on {}: {error}", target.uri));
    }
}

/// Sends what came out, and those runs that were made when no server was named or none answered.
pub(super) fn send(study: &Study, observer: &dyn StudyObserver) -> Result<(), Error> {
    let Some(target) = target(study, observer) else { return Ok(()) };
    delete_interrupted(study, observer);
    let own = RunFolder::open(&study.folder)?;
    let runs = own.runs()?;
    let (mut missing, mut reason, mut wait) = (0, String::new(), PATIENCE);
    for folder in std::iter::once(&own).chain(&runs) {
        let why = match sync(folder.path(), target.clone(), wait) {
            Ok(sent) if sent.complete => continue,
            Ok(sent) => sent.reason.unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        // Where the server fails one folder it may fail all: each is still tried, without patience.
        wait = Duration::ZERO;
        if missing == 0 {
            reason = format!("{}: {why}", folder.name());
        }
        missing += 1;
    }
    match missing {
        0 => observer.note(&format!("{} has the study, its runs below it", target.uri)),
        n => observer.warning(&format!(
            "not all of the study was sent, something of {n} of {} folders is missing: {reason}; `pupila sync {}` sends it later",
            runs.len() + 1,
            study.folder.display()
        )),
    }
    Ok(())
}
