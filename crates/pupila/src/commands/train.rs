//! `pupila train`: from a path to a judged classifier.

use super::recipe::{flag, init_from, resolve, trackers};
use super::{tell, tell_data, typed};
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::listen_saying;
use crate::memory::peak_rss_bytes;
use crate::output::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pupila::backend::Backend;
use pupila::dataset::Dataset;
use pupila::recipe::CheckedRecipe;
use pupila::run_files::{RunSummary, StudyFile};
use pupila::trackers::Event;
use pupila::{
    EpochRecord, Observer, Outcome, Ready, Run, RunEnd, RunFolder, Session, SessionBuilder, StepRecord,
};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The kind of the finding that ends a run.
const DIVERGENCE: &str = "divergence";

pub(crate) fn run(arguments: &cli::Train, started: Instant) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let flags = [
        flag("epochs", "train.epochs", &arguments.epochs),
        flag("lr", "optimizer.lr", &arguments.lr),
        flag("seed", "train.seed", &arguments.seed),
    ];
    let flags =
        flags.into_iter().chain([init_from(&arguments.init_from)]).chain(trackers(&arguments.trackers));
    let recipe = resolve(&arguments.choice, flags)?;
    if RunFolder::open(&arguments.data).is_ok_and(|folder| folder.is_study()) {
        return Err(Failure::wrong(format_args!(
            "{} is the folder of a study, and holds no images: give the folder of the data; the command that goes on with the study stands at the end of {}",
            arguments.data.display(),
            arguments.data.join(StudyFile::PAGE).display()
        )));
    }
    tell::taken(output, &recipe);
    let bar = tell::bar(0, tell::READING);
    let shown = bar.clone();
    let mut builder = Session::builder(recipe.clone(), &arguments.data)
        .runs(&arguments.runs)
        .threads(arguments.threads.count())
        .memory(pupila::available_memory())
        .stop_signal(&listen_saying("keeping where it is, and the best model so far"))
        .on_progress(move |progress| tell::advance(&shown, progress))
        .arguments(typed())
        .started(started);
    if let Some(name) = &arguments.name {
        builder = builder.name(name);
    }
    go(output, builder, &recipe, &arguments.data, &bar, arguments.layers)
}

/// Opens a session, tells what it is of, and runs it; `layers` lists all of them, however many.
pub(super) fn go(
    output: Output,
    builder: SessionBuilder,
    recipe: &CheckedRecipe,
    data: &Path,
    bar: &ProgressBar,
    layers: bool,
) -> Result<(), Failure> {
    let mut session = builder.open()?;
    if let Some(learnt) = session.learnt() {
        tell::learnt(output, learnt);
    }
    tell_data::dataset(output, session.dataset(), data, recipe);
    tell_data::seen_before(output, &session);
    recipe.without_effect(session.dataset()).iter().for_each(|said| output.warn(said));
    let decoded = session.decode();
    bar.finish_and_clear();
    let prepared = decoded?;
    tell::decoding(output, &prepared.images, &recipe.input.rule());
    tell::warnings(output, &prepared.images.dataset);
    tell_data::in_memory(output, prepared, recipe);
    tell_data::near_copies(output, &prepared.images, recipe.data.leaks);
    tell_data::shortcuts(output, &prepared.images, data);
    let dataset = prepared.images.dataset.clone();
    let near = session.near_copies_in_test();
    bar.finish_and_clear();
    if let Some(near) = near? {
        tell_data::near_copies_in_test(output, &near, &dataset, data);
    }
    let mut terminal =
        Terminal { output, recipe, dataset: &dataset, progress: ProgressBar::hidden(), folder: None, layers };
    let run = match session.run(&mut terminal) {
        Ok(run) => run,
        Err(error) => return Err(unwritten(error, terminal.folder.take())),
    };
    let mut object = run.summary().to_json();
    object["run"] = run.folder().path().to_string_lossy().into();
    output.object(&object);
    ending(output, &run, &session)
}

/// Why a run ended with an error; the model that it leaves all the same; where there is no space for what it writes, what to do.
fn unwritten(error: pupila::Error, folder: Option<PathBuf>) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let (mut is_full, mut is_limited) = (false, false);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        is_full |= matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded));
        is_limited |= matches!(kind, Some(ErrorKind::FileTooLarge));
        cause = error.source();
    }
    let Some(folder) = folder.filter(|_| error.kind() == pupila::ErrorKind::Work) else {
        return error.into();
    };
    let mut said = error.to_string();
    let model = folder.join(RunFolder::MODEL);
    if model.is_file() {
        said += &format!("\nthe best model so far is {}", model.display());
    }
    if is_full || is_limited {
        let folder = pupila::in_a_shell(&folder.display().to_string());
        let first = if is_full { "free space" } else { "allow larger files (ulimit -f unlimited)" };
        said += &format!("\n{first}, then {} resume {folder}", tell::program());
    } else if !model.is_file() {
        return error.into();
    }
    Failure::work(anyhow::anyhow!(said))
}

/// How it ended, as an exit code, and where everything is.
fn ending(output: Output, run: &Run, session: &Session) -> Result<(), Failure> {
    let (outcome, folder) = (run.outcome(), run.folder());
    let resume =
        format!("{} resume {}", tell::program(), pupila::in_a_shell(&folder.path().display().to_string()));
    if outcome.best_epoch.is_some() {
        tell::where_it_is(output, folder, session.dataset(), session.recipe());
    }
    match (outcome.end, outcome.diverged) {
        (RunEnd::Completed, _) if run.state_bytes() > 0 => {
            output.say(format_args!(
                "  train on from its end:       {resume} --epochs {}  (its state takes {:.1} MB)",
                session.recipe().train.epochs * 2,
                run.state_bytes() as f64 / 1e6
            ));
            Ok(())
        }
        (RunEnd::Completed | RunEnd::StoppedEarly | RunEnd::Ended, _) => Ok(()),
        (RunEnd::Interrupted, _) => {
            let what = match outcome.best_epoch {
                Some(epoch) => {
                    format!("interrupted; the model of epoch {epoch} is kept in {}", folder.path().display())
                }
                None => "interrupted before the first epoch ended, so there is no model to keep".into(),
            };
            let from = if run.state_bytes() > 0 { "go on with it" } else { "begin it anew" };
            Err(Failure::Interrupted(format!("{what}\n{from}: {resume}")))
        }
        (RunEnd::Diverged, place) => {
            let (epoch, step) = place.unwrap_or_default();
            let kept = match outcome.best_epoch {
                Some(best) => format!("the model of epoch {best} is kept"),
                None => "no epoch ended, so there is no model to keep".into(),
            };
            let finding = outcome.findings.iter().find(|finding| finding.kind == DIVERGENCE);
            let remedy = finding.map_or("", |finding| &finding.suggestion);
            let first = outcome.not_finite.as_ref();
            let first = first.map(|place| format!(", first in {place}")).unwrap_or_default();
            let normalised = session.network().parameters().iter().any(|p| p.name.ends_with("running_mean"));
            let more = if normalised { "" } else { ", or --set model.batch_norm=true" };
            Err(Failure::work(anyhow::anyhow!(
                "the loss is no longer a number in epoch {epoch}, step {step}: training has diverged{first}; {kept}\n\
                 {remedy}{more}"
            )))
        }
    }
}

/// Follows the run on the terminal: a bar, a line an epoch, findings, the result.
struct Terminal<'a> {
    output: Output,
    recipe: &'a CheckedRecipe,
    dataset: &'a Dataset,
    progress: ProgressBar,
    /// Where the run is, once it has begun.
    folder: Option<PathBuf>,
    /// Whether every layer is told.
    layers: bool,
}

impl Terminal<'_> {
    /// Says something above the bar.
    fn say(&self, say: impl FnOnce(Output)) {
        self.progress.suspend(|| say(self.output));
    }
}

impl Observer for Terminal<'_> {
    fn ready(&mut self, ready: &Ready<'_>) {
        let (output, steps) = (self.output, ready.plan.train.batches());
        self.folder = Some(ready.folder.path().to_owned());
        tell::model(output, ready.plan.network, self.layers);
        tell::memory(output, ready.engine, &self.recipe.optimizer.name);
        tell::plan(output, self.recipe, (steps, ready.plan.train.left_out()), ready.threads);
        tell::learning(output, ready.plan);
        let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stderr_with_hz(10));
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} steps  {msg}") {
            bar.set_style(style);
        }
        self.progress = bar;
        tell::epoch_header(output, &self.recipe.train.monitor);
    }

    fn step(&mut self, step: &StepRecord) {
        if self.progress.is_hidden() {
            return;
        }
        self.progress.set_prefix(format!("epoch {}/{}", step.epoch, self.recipe.train.epochs));
        self.progress.set_message(format!("loss {:.4}", step.so_far.mean()));
        self.progress.set_position(step.batches as u64);
    }

    fn epoch(&mut self, record: &EpochRecord, _: &dyn Backend) {
        self.say(|output| tell::epoch(output, record, self.recipe));
    }

    fn event(&mut self, event: &Event) {
        if let Event::Finding { kind, message, suggestion, .. } = event
            // Which is how the run ends, and told there.
            && kind != DIVERGENCE
        {
            self.say(|output| tell::finding(output, message, suggestion));
        }
    }

    fn result(&mut self, outcome: &Outcome, summary: &RunSummary) {
        self.progress.finish_and_clear();
        tell::outcome(self.output, outcome, self.recipe, self.dataset, summary);
    }

    fn warning(&mut self, message: &str) {
        self.say(|output| output.warn(message));
    }

    fn note(&mut self, message: &str) {
        self.say(|output| output.say(message));
    }

    fn peak_memory_bytes(&mut self) -> Option<u64> {
        peak_rss_bytes()
    }
}
