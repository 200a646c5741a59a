//! `pupila resume`: a run that was stopped or killed goes on.

use super::tell;
use super::train::go;
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::listen_saying;
use crate::output::Output;
use pupila::recipe::Setting;
use pupila::run_files::Summary;
use pupila::{Resumption, ResumptionOptions, RunFolder};
use std::time::Instant;

pub(crate) fn run(arguments: &cli::Resume, started: Instant) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let setting = |text: &String| Setting { assignment: text.clone(), option: format!("--set {text}") };
    let options = ResumptionOptions {
        epochs: arguments.epochs,
        settings: arguments.settings.iter().map(setting).collect(),
        data: arguments.data.clone(),
    };
    let Some(resumption) = Resumption::open(&arguments.run, &options)? else {
        return nothing_to_do(arguments, output);
    };
    for note in resumption.notes() {
        output.warn(note);
    }
    output.say(format_args!("goes on from {}", resumption.place()));
    let (recipe, data) = (resumption.recipe().clone(), resumption.data().to_owned());
    let bar = tell::bar(0, tell::READING);
    let shown = bar.clone();
    let builder = resumption
        .into_builder()
        .threads(arguments.threads.count())
        .memory(pupila::available_memory())
        .stop_signal(&listen_saying("keeping where it is"))
        .on_progress(move |progress| tell::advance(&shown, progress))
        .started(started);
    go(output, builder, &recipe, &data, &bar, false)
}

/// The run has ended, and nothing more is asked for: whoever gives the command until a run has ended has done so.
fn nothing_to_do(arguments: &cli::Resume, output: Output) -> Result<(), Failure> {
    let folder = RunFolder::open(&arguments.run).map_err(Failure::request)?;
    if let Some(Summary::Run(summary)) = folder.summary().map_err(Failure::request)? {
        output.say(format_args!(
            "{} has ended ({}), so there is nothing to go on with; --epochs N trains it on where its end was kept (checkpoint.keep_final)",
            arguments.run.display(),
            summary.status.name()
        ));
        let mut object = summary.to_json();
        object["run"] = folder.path().to_string_lossy().into();
        output.object(&object);
    }
    Ok(())
}
