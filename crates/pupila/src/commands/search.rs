//! `pupila search`: many trials over a space of recipes, and an honest score of the best.

use super::recipe::{begun, chosen, flag, init_from, trackers};
use super::study_table::wrapped;
use super::{tell, typed};
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::listen;
use crate::output::{Output, percent};
use anyhow::Context;
use indicatif::ProgressBar;
use pupila::search::{
    Choice, Distribution, Search, SearchObserver, SearchOptions, SearchResult, Space, State, Trial, short,
};
use pupila::{trials, user_cache};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Complete trials from which on an importance is told without a warning: the best tenth are two then.
const MANY: usize = 20;
/// Parameters of importance that are shown.
const SHOWN: usize = 8;

pub(crate) fn run(arguments: &cli::Search) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let flags = [flag("epochs", "train.epochs", &arguments.epochs), init_from(&arguments.init_from)];
    let flags = flags.into_iter().chain(trackers(&arguments.trackers));
    let layers = begun(chosen(&arguments.choice, flags)?)?;
    let text = std::fs::read_to_string(&arguments.space)
        .with_context(|| format!("cannot read the space {}", arguments.space.display()))
        .map_err(Failure::request)?;
    let space = Space::parse(&arguments.space, &text).map_err(Failure::request)?;
    if arguments.minutes.is_some_and(|minutes| !(minutes.is_finite() && minutes > 0.0)) {
        return Err(Failure::wrong("--minutes must be above 0, such as --minutes 30"));
    }
    let bar = tell::bar(0, tell::READING);
    let shown = bar.clone();
    let options = SearchOptions {
        layers,
        space,
        space_file: arguments.space.clone(),
        data: arguments.data.clone(),
        runs: arguments.runs.clone(),
        name: arguments.name.clone(),
        study: arguments.study.clone(),
        storage: arguments.storage.clone(),
        trials: arguments.trials.map(u64::from),
        minutes: arguments.minutes,
        sampler: arguments.sampler.clone(),
        pruner: arguments.pruner.clone(),
        seed: arguments.seed,
        seeds: arguments.seeds,
        jobs: arguments.jobs.map(|jobs| usize::from(jobs.get())),
        threads: Some(arguments.threads.count()),
        cache: user_cache(),
        stop: listen(),
        progress: Arc::new(move |progress| tell::advance(&shown, progress)),
        arguments: typed(),
    };
    let search = Search::open(options)?;
    before(output, &search, arguments)?;
    let live = Live::new(output, &search);
    let result = search.run(&live);
    live.bar.finish_and_clear();
    bar.finish_and_clear();
    let result = result?;
    after(output, &search, &result, &arguments.data);
    output.object(&result.json);
    match result.stopped {
        true => Err(Failure::Interrupted(format!(
            "interrupted; {} complete and kept: the same command goes on",
            trials(result.trials.iter().filter(|trial| trial.state == State::Complete).count())
        ))),
        false => Ok(()),
    }
}

fn before(output: Output, search: &Search, arguments: &cli::Search) -> Result<(), Failure> {
    output.heading(format_args!("Search {}: {}", search.folder().display(), arguments.data.display()));
    for parameter in search.space().parameters() {
        let range = range(parameter);
        let when = if parameter.conditions.is_empty() { "" } else { " (under a condition)" };
        output.say(format_args!("  {:<28} {range}{when}", parameter.key));
    }
    search.notes().iter().for_each(|note| output.warn(note));
    let known = search.trials()?;
    let ended = known.iter().filter(|trial| matches!(trial.state, State::Complete | State::Pruned)).count();
    let wanted = match (search.wanted(), arguments.minutes) {
        (Some(wanted), None) => trials(wanted as usize),
        (Some(wanted), Some(minutes)) => {
            format!("{}, none begun after {minutes} minutes", trials(wanted as usize))
        }
        (None, minutes) => format!("trials are begun for {} minutes", minutes.unwrap_or_default()),
    };
    wrapped(
        output,
        &format!(
            "{wanted}{}; judged by {} of the best epoch ({}); chosen by {}, ended early by {}",
            if ended > 0 { format!(", of which {ended} have ended before") } else { String::new() },
            search.metric(),
            search.direction().name(),
            arguments.sampler,
            arguments.pruner,
        ),
    );
    wrapped(output, &format!("kept in {} (study {})", search.storage(), search.study()));
    output.heading("Trials");
    Ok(())
}

/// What a parameter may be.
fn range(parameter: &pupila::search::Parameter) -> String {
    let log = |log: bool| if log { ", logarithmic" } else { "" };
    match *parameter.distribution {
        Distribution::Float { low, high, log: is_log, step } => {
            let step = step.map_or(String::new(), |step| format!(", step {}", short(step)));
            format!("{} to {}{}{step}", short(low), short(high), log(is_log))
        }
        Distribution::Int { low, high, log: is_log, step } => {
            let step = if step > 1 { format!(", step {step}") } else { String::new() };
            format!("{low} to {high}{}{step}", log(is_log))
        }
        Distribution::Categorical { .. } => {
            parameter.choices.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ")
        }
    }
}

fn after(output: Output, search: &Search, result: &SearchResult, data: &Path) {
    let count = |state: State| result.trials.iter().filter(|trial| trial.state == state).count();
    output.heading("Result");
    wrapped(
        output,
        &format!(
            "{} complete, {} ended early, {} failed",
            trials(count(State::Complete)),
            count(State::Pruned),
            pupila::search::failed(&result.trials).count()
        ),
    );
    if let Some(best) =
        result.best.and_then(|number| result.trials.iter().find(|trial| trial.number == number))
    {
        let value = search.shown(best.value().unwrap_or(f64::NAN));
        wrapped(
            output,
            &format!("best in the search: trial {} with {value}: {}", best.number, settings(best)),
        );
    }
    match &result.honest {
        Ok(honest) => honest.answer.iter().for_each(|sentence| wrapped(output, sentence)),
        Err(why) => wrapped(
            output,
            &format!(
                "not trained again: {why}; the value above is flattered by the choice of the best of many"
            ),
        ),
    }
    match &result.importance {
        Ok(importance) => {
            let listed: Vec<String> = importance
                .iter()
                .take(SHOWN)
                .map(|(key, share)| format!("{key} {}", percent(*share)))
                .collect();
            let few = match count(State::Complete) < MANY {
                true => "; with so few trials it says little",
                false => "",
            };
            wrapped(output, &format!("importance (PED-ANOVA): {}{few}", listed.join(", ")));
        }
        Err(why) => wrapped(output, &format!("no importance: {why}")),
    }
    if let Some(recipe) = &result.recipe {
        let typed = |path: &Path| pupila::in_a_shell(&path.to_string_lossy());
        output.say(format_args!(
            "\n  train the best:  pupila train {} --recipe {}",
            typed(data),
            typed(recipe)
        ));
    }
    output.say(format_args!("  all of it on one page:  {}", result.page.display()));
}

/// A trial's values in a line.
fn settings(trial: &Trial) -> String {
    let shown = |value: Choice| match value {
        Choice::Float(value) => short(value),
        other => other.to_string(),
    };
    let of = trial.params.iter().map(|(key, param)| format!("{key}={}", shown(param.external())));
    of.collect::<Vec<_>>().join(" ")
}

/// Trials as they end, and a bar.
struct Live<'a> {
    output: Output,
    search: &'a Search,
    bar: ProgressBar,
    best: Mutex<f64>,
}

impl<'a> Live<'a> {
    fn new(output: Output, search: &'a Search) -> Self {
        let bar = match std::io::stderr().is_terminal() {
            true => ProgressBar::new_spinner(),
            false => ProgressBar::hidden(),
        };
        let known = search.trials().unwrap_or_default();
        let values = known.iter().filter(|trial| trial.state == State::Complete).filter_map(Trial::value);
        let best = values.map(|value| search.direction().loss(value)).fold(f64::INFINITY, f64::min);
        Live { output, search, bar, best: Mutex::new(best) }
    }
}

impl SearchObserver for Live<'_> {
    fn epoch(&self, number: u64, epoch: u32, of: u32, value: f64) {
        self.bar.set_message(format!("trial {number}: epoch {epoch}/{of}, {}", self.search.shown(value)));
        self.bar.tick();
    }

    fn ended(&self, trial: &Trial, why: Option<&str>, took: Duration) {
        let value = trial.value().map_or("-".to_owned(), |value| self.search.shown(value));
        let mut mark = "";
        if let (State::Complete, Some(value)) = (trial.state, trial.value()) {
            let loss = self.search.direction().loss(value);
            let mut best = self.best.lock().unwrap_or_else(PoisonError::into_inner);
            if loss < *best {
                *best = loss;
                mark = "*";
            }
        }
        let how = match trial.state {
            State::Complete => String::new(),
            _ => format!("  {}", why.unwrap_or("failed")),
        };
        self.bar.suspend(|| {
            self.output.say(format_args!(
                "  {:>5} {value:>10} {mark:1} {:>7.1} s  {}{how}",
                trial.number,
                took.as_secs_f64(),
                settings(trial)
            ));
        });
    }

    fn honest(&self, seeds: usize) {
        self.bar.suspend(|| {
            self.output.heading(format_args!("The best two again, with {seeds} fresh seeds each"));
        });
    }

    fn note(&self, message: &str) {
        self.bar.suspend(|| self.output.say(format_args!("  {message}")));
    }

    fn warning(&self, message: &str) {
        self.bar.suspend(|| self.output.warn(message));
    }
}
