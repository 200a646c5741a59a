//! `pupila sync`: a run folder, or a study's with all its runs, to an MLflow server, or what of it the server has not
//! acknowledged.

use crate::cli;
use crate::failure::Failure;
use crate::output::Output;
use anyhow::bail;
use pupila::RunFolder;
use pupila::trackers::mlflow::{Delivered, Target, TrackingUri, delete_replaced, sync};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) fn run(arguments: &cli::Sync) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let mut folders = Vec::new();
    for run in &arguments.runs {
        let folder = RunFolder::open(run).map_err(Failure::request)?;
        if !folder.is_study() {
            check(&folder).map_err(Failure::request)?;
        }
        folders.push(folder);
    }
    let target = target(arguments)?;
    let wait = Duration::from_secs(arguments.wait);
    if let Some(study) = folders.iter().find(|folder| folder.is_study()) {
        let path = study.path().display();
        if arguments.register.is_some() {
            return Err(Failure::wrong(format_args!(
                "--register takes the model of one run, and {path} is a study: name a run folder in it, such as {}",
                study.path().join("VARIANT-seed0").display()
            )));
        }
        if folders.len() > 1 {
            return Err(Failure::wrong(format_args!(
                "{path} is a study with runs of its own: send it by itself"
            )));
        }
        return send_study(study, &target, wait, output);
    }
    match &folders[..] {
        [folder] => send_run(folder, target, wait, output),
        _ if arguments.register.is_some() => {
            Err(Failure::wrong("--register takes the model of one run: name one run folder"))
        }
        folders => send_runs(folders, &target, wait, output),
    }
}

fn send_run(folder: &RunFolder, target: Target, wait: Duration, output: Output) -> Result<(), Failure> {
    let uri = target.uri.clone();
    tell_damage(folder, output);
    let sent = sync(folder.path(), target, wait).map_err(Failure::work)?;
    for skipped in &sent.skipped {
        output.warn(format_args!("not sent: {skipped}"));
    }
    output.object(&object(&sent));
    if !sent.complete {
        return Err(Failure::work(anyhow::anyhow!("not all of the run was sent: {}", reason(&sent))));
    }
    output.say(format_args!(
        "{uri} has the whole run, as {}: {} metrics and {} files were sent now",
        sent.run_id.unwrap_or_default(),
        sent.metrics,
        sent.files
    ));
    if let Some(page) = sent.page {
        output.say(format_args!("  {page}"));
    }
    if let Some(note) = sent.note {
        output.say(format_args!("{note}"));
    }
    Ok(())
}

/// Sends several runs, one after the other; one that cannot be sent keeps no other from it.
fn send_runs(folders: &[RunFolder], target: &Target, wait: Duration, output: Output) -> Result<(), Failure> {
    let (all, notes) = send_each(folders, target, wait, output);
    let missing = all.iter().filter(|(_, sent)| !sent.complete).count();
    output.object(&json!({ "complete": missing == 0, "runs": all.iter().map(named).collect::<Vec<_>>() }));
    if missing > 0 {
        return Err(Failure::work(anyhow::anyhow!(
            "something of {missing} of {} runs is missing, and the same command sends it later",
            all.len()
        )));
    }
    output.say(format_args!("{} has all {} runs", target.uri, all.len()));
    notes.iter().for_each(|note| output.say(note));
    Ok(())
}

/// Sends folders and says what became of each.
fn send_each<'a>(
    folders: impl IntoIterator<Item = &'a RunFolder>,
    target: &Target,
    mut wait: Duration,
    output: Output,
) -> (Vec<(String, Delivered)>, Vec<String>) {
    let (mut all, mut notes) = (Vec::new(), Vec::new());
    for folder in folders {
        tell_damage(folder, output);
        let sent = send(folder, target, wait);
        // Where the server fails one folder it may fail all: each is still tried, without patience.
        wait = if sent.complete { wait } else { Duration::ZERO };
        let name = folder.name();
        for skipped in &sent.skipped {
            output.warn(format_args!("{name}: not sent: {skipped}"));
        }
        if sent.complete {
            let Delivered { metrics, files, .. } = sent;
            let run_id = sent.run_id.as_deref().unwrap_or_default();
            output
                .say(format_args!("{name}: {metrics} metrics and {files} files were sent now, as {run_id}"));
            if let Some(page) = &sent.page {
                output.say(format_args!("  {page}"));
            }
        } else {
            output.warn(format_args!("{name}: not all of it was sent: {}", reason(&sent)));
        }
        notes.extend(sent.note.clone());
        all.push((name, sent));
    }
    notes.dedup();
    (all, notes)
}

/// What became of a folder, with its name.
fn named((name, sent): &(String, Delivered)) -> Value {
    let mut run = json!({ "name": name });
    if let (Value::Object(run), Value::Object(object)) = (&mut run, object(sent)) {
        run.extend(object);
    }
    run["reason"] = if sent.complete { Value::Null } else { reason(sent).into() };
    run
}

/// Says what is wrong with the files of a folder that can be sent all the same.
fn tell_damage(folder: &RunFolder, output: Output) {
    if let Err(error) = folder.records() {
        output.warn(format_args!(
            "{error}\nthe numbers of that line, and of any other that is damaged, are not sent"
        ));
    }
    let is_empty = |file: &&&str| std::fs::metadata(folder.file(file)).is_ok_and(|file| file.len() == 0);
    for file in RunFolder::RESULTS.iter().filter(is_empty) {
        output.warn(format_args!(
            "{} is empty, and is sent as it is: put it back from a copy before, or train the run again by its command with another --name",
            folder.file(file).display(),
        ));
    }
}

/// Whether there is anything of a folder that can be sent.
fn check(folder: &RunFolder) -> anyhow::Result<()> {
    let file = folder.file(RunFolder::METRICS);
    if !file.exists() {
        let name = RunFolder::METRICS;
        bail!("{} has no {name}: RUN is a run folder, such as runs/skin-mlp-1", folder.path().display());
    }
    if folder.start()?.is_none() {
        bail!(
            "{} does not begin with a line of the event `start`: it is empty or damaged, and nothing of it can be sent",
            file.display()
        );
    }
    Ok(())
}

fn target(arguments: &cli::Sync) -> Result<Target, Failure> {
    let uri = arguments.mlflow.clone().map(TrackingUri::new);
    if let Some(message) = uri.as_ref().and_then(TrackingUri::check) {
        return Err(Failure::wrong(format_args!("--mlflow {message}")));
    }
    let variable = |name: &str| std::env::var(name).ok();
    let target =
        Target::resolve(uri.as_ref(), arguments.experiment.as_deref(), variable).map_err(Failure::wrong)?;
    let Some(target) = target else {
        return Err(Failure::wrong("to which server? Give --mlflow URI, or set MLFLOW_TRACKING_URI"));
    };
    Ok(Target { register: arguments.register.clone(), alias: arguments.alias.clone(), ..target })
}

/// Sends a study's own folder and then those of its runs; one that cannot be sent keeps no other from it.
fn send_study(study: &RunFolder, target: &Target, wait: Duration, output: Output) -> Result<(), Failure> {
    let runs = study.runs().map_err(Failure::work)?;
    // What was sent of runs that were interrupted, and made anew since.
    if let Err(error) = delete_replaced(study.path(), target) {
        output.warn(format_args!("an interrupted run is still on {}: {error}", target.uri));
    }
    let own = check(study);
    if let Err(error) = &own {
        output.warn(format_args!("{error:#}; the runs of the study are sent without a parent"));
    }
    let folders = own.is_ok().then_some(study).into_iter().chain(&runs);
    let (all, notes) = send_each(folders, target, wait, output);
    let metrics: u64 = all.iter().map(|(_, sent)| sent.metrics).sum();
    let files: u64 = all.iter().map(|(_, sent)| sent.files).sum();
    let missing = all.iter().filter(|(_, sent)| !sent.complete).count();
    let (of_study, of_runs) = all.split_at(usize::from(own.is_ok()));
    let run_id = of_study.first().and_then(|(_, sent)| sent.run_id.clone());
    let skipped =
        all.iter().flat_map(|(name, sent)| sent.skipped.iter().map(move |of| format!("{name}: {of}")));
    output.object(&json!({
        "complete": missing == 0, "metrics": metrics, "files": files, "run_id": run_id, "model_id": null,
        "skipped": skipped.collect::<Vec<_>>(), "runs": of_runs.iter().map(named).collect::<Vec<_>>(),
    }));
    if missing > 0 {
        return Err(Failure::work(anyhow::anyhow!(
            "not all of the study was sent: something of {missing} of {} folders is missing, and the same command sends it later",
            all.len()
        )));
    }
    let named = run_id.map_or(String::new(), |id| format!(", as {id}"));
    output.say(format_args!(
        "{} has the whole study{named}: {metrics} metrics and {files} files of {} runs and the study were sent now",
        target.uri,
        runs.len()
    ));
    notes.iter().for_each(|note| output.say(note));
    Ok(())
}

/// One folder of a study; whatever goes wrong is a reason.
fn send(folder: &RunFolder, target: &Target, wait: Duration) -> Delivered {
    let sent = RunFolder::open(folder.path()).map_err(anyhow::Error::from).and_then(|folder| {
        check(&folder)?;
        Ok(sync(folder.path(), target.clone(), wait)?)
    });
    sent.unwrap_or_else(|error| Delivered { reason: Some(format!("{error:#}")), ..Delivered::default() })
}

fn object(sent: &Delivered) -> Value {
    json!({
        "complete": sent.complete, "metrics": sent.metrics, "files": sent.files, "run_id": sent.run_id,
        "model_id": sent.model_id, "page": sent.page, "skipped": sent.skipped,
    })
}

/// Why not all is sent.
fn reason(sent: &Delivered) -> &str {
    sent.reason.as_deref().unwrap_or("something was added meanwhile")
}
