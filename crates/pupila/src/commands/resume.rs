//! `pupila resume`: a run that was stopped or killed goes on.

use super::recipe::{flag, twice};
use super::tell;
use super::train::go;
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::listen_saying;
use crate::output::Output;
use pupila::recipe::{RecipeErrors, Setting};
use pupila::run_files::Summary;
use pupila::{Resumption, ResumptionOptions, RunFolder};
use std::time::Instant;

pub(crate) fn run(arguments: &cli::Resume, started: Instant) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let setting = |text: &String| Setting { assignment: text.clone(), option: format!("--set {text}") };
    let settings: Vec<Setting> = arguments.settings.iter().map(setting).collect();
    let epochs = flag("epochs", "train.epochs", &arguments.epochs.map(|epochs| epochs.to_string()));
    let twice = twice(&settings.iter().cloned().chain(epochs).collect::<Vec<_>>());
    if !twice.is_empty() {
        return Err(Failure::request(RecipeErrors(twice)));
    }
    let options = ResumptionOptions { epochs: arguments.epochs, settings, data: arguments.data.clone() };
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
        let shown = arguments.run.display();
        let more = match pupila::can_be_trained_on(&arguments.run)? {
            true => "; --epochs N trains it on",
            false => "",
        };
        let status = summary.status.name();
        output.say(format_args!("{shown} has ended ({status}), so there is nothing to go on with{more}"));
        for lost in pupila::lost_files(&arguments.run)? {
            output.warn(format_args!(
                "{lost}; the same command of `pupila train` with another --name makes it again, to the same bytes"
            ));
        }
        let mut object = summary.to_json();
        object["run"] = folder.path().to_string_lossy().into();
        output.object(&object);
    }
    Ok(())
}
