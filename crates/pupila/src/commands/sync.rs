//! `pupila sync`: a run folder, or a study's with all its runs, to an MLflow server, or what of it the server has not
//! acknowledged.

use crate::cli;
use crate::failure::Failure;
use crate::output::Output;
use anyhow::bail;
use pupila::RunFolder;
use pupila::trackers::mlflow::{Delivered, Target, TrackingUri, sync};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) fn run(arguments: &cli::Sync) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let folder = RunFolder::open(&arguments.run).map_err(Failure::request)?;
    let is_study = folder.is_study();
    if !is_study {
        check(&folder).map_err(Failure::request)?;
    }
    let target = target(arguments)?;
    let wait = Duration::from_secs(arguments.wait);
    if is_study {
        if arguments.register.is_some() {
            return Err(Failure::wrong(format_args!(
                "--register takes the model of one run, and {} is a study: name a run folder in it, such as {}",
                folder.path().display(),
                folder.path().join("VARIANT-seed0").display()
            )));
        }
        return send_study(&folder, &target, wait, output);
    }
    let uri = target.uri.clone();
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
    if let Some(note) = sent.note {
        output.say(format_args!("{note}"));
    }
    Ok(())
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
fn send_study(study: &RunFolder, target: &Target, mut wait: Duration, output: Output) -> Result<(), Failure> {
    let runs = study.runs().map_err(Failure::work)?;
    let own = check(study);
    if let Err(error) = &own {
        output.warn(format_args!("{error:#}; the runs of the study are sent without a parent"));
    }
    let (mut all, mut notes) = (Vec::new(), Vec::new());
    for folder in own.is_ok().then_some(study).into_iter().chain(&runs) {
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
        } else {
            output.warn(format_args!("{name}: not all of it was sent: {}", reason(&sent)));
        }
        notes.extend(sent.note.clone());
        all.push((name, sent));
    }
    notes.dedup();
    let metrics: u64 = all.iter().map(|(_, sent)| sent.metrics).sum();
    let files: u64 = all.iter().map(|(_, sent)| sent.files).sum();
    let missing = all.iter().filter(|(_, sent)| !sent.complete).count();
    let of_run = |(name, sent): &(String, Delivered)| {
        let mut run = json!({ "name": name });
        if let (Value::Object(run), Value::Object(object)) = (&mut run, object(sent)) {
            run.extend(object);
        }
        run["reason"] = if sent.complete { Value::Null } else { reason(sent).into() };
        run
    };
    let (of_study, of_runs) = all.split_at(usize::from(own.is_ok()));
    let run_id = of_study.first().and_then(|(_, sent)| sent.run_id.clone());
    let skipped =
        all.iter().flat_map(|(name, sent)| sent.skipped.iter().map(move |of| format!("{name}: {of}")));
    output.object(&json!({
        "complete": missing == 0, "metrics": metrics, "files": files, "run_id": run_id, "model_id": null,
        "skipped": skipped.collect::<Vec<_>>(), "runs": of_runs.iter().map(of_run).collect::<Vec<_>>(),
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
        "model_id": sent.model_id, "skipped": sent.skipped,
    })
}

/// Why not all is sent.
fn reason(sent: &Delivered) -> &str {
    sent.reason.as_deref().unwrap_or("something was added meanwhile")
}
