//! `pupila sync`: a run folder to an MLflow server, or what of it the server has not acknowledged.

use crate::cli;
use crate::failure::Failure;
use crate::output::Output;
use pupila::RunFolder;
use pupila::trackers::mlflow::{Target, TrackingUri, sync};
use serde_json::json;
use std::time::Duration;

pub(crate) fn run(arguments: &cli::Sync) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let folder = RunFolder::open(&arguments.run).map_err(Failure::request)?;
    if !folder.file(RunFolder::METRICS).exists() {
        return Err(Failure::wrong(format_args!(
            "{} has no {}: RUN is a run folder, such as runs/skin-mlp-1",
            arguments.run.display(),
            RunFolder::METRICS
        )));
    }
    if folder.start().map_err(Failure::request)?.is_none() {
        return Err(Failure::wrong(format_args!(
            "{} does not begin with a line of the event `start`: it is empty or damaged, and nothing of it can be sent",
            folder.file(RunFolder::METRICS).display()
        )));
    }
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
    let target = Target { register: arguments.register.clone(), alias: arguments.alias.clone(), ..target };
    let uri = target.uri.clone();
    let sent = sync(folder.path(), target, Duration::from_secs(arguments.wait)).map_err(Failure::work)?;
    for skipped in &sent.skipped {
        output.warn(format_args!("not sent: {skipped}"));
    }
    output.object(&json!({
        "complete": sent.complete, "metrics": sent.metrics, "files": sent.files, "run_id": sent.run_id,
        "model_id": sent.model_id, "skipped": sent.skipped,
    }));
    if !sent.complete {
        let reason = sent.reason.unwrap_or_else(|| "something was added meanwhile".into());
        return Err(Failure::work(anyhow::anyhow!("not all of the run was sent: {reason}")));
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
