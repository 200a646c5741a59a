//! What is said of a study: before, while it runs, and after.

use super::study_table::{NAME, shortened, table, warned, wrapped};
use crate::output::Output;
use indicatif::ProgressBar;
use pupila::Study;
use pupila::count;
use pupila::study::{Keep, Place, RunFacts, RunOutcome, StudyObserver, StudyPlan, StudyResult, Unfinished};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use unicode_width::UnicodeWidthStr;

/// What will be run, and what it will take.
pub(crate) fn before(output: Output, study: &Study, data: &Path) {
    let (plan, forecast) = (study.plan(), study.forecast());
    output.heading(&plan.question);
    let splits = match plan.splits.len() {
        1 => String::new(),
        n => format!(" x {n} splits"),
    };
    let done = match forecast.done {
        0 => String::new(),
        n => format!(", of which {n} have ended before"),
    };
    wrapped(
        output,
        &format!(
            "{}: {} x {}{splits}: {}{done}",
            data.display(),
            counted(plan.variants.len(), "variant"),
            counted(plan.seeds.len(), "seed"),
            counted(forecast.runs, "run"),
        ),
    );
    wrapped(
        output,
        &format!(
            "judged by val/{} of the best epoch (by {}), against `{}`",
            plan.metric.name,
            plan.variants[plan.baseline].recipe.train.monitor,
            plan.variants[plan.baseline].name
        ),
    );
    let models = match study.keep() {
        Keep::All => "all models are kept",
        Keep::Best => "the model of the best run of each variant is kept; --keep all|none",
        Keep::None => "no model is kept",
    };
    // What is little beside the rest is not worth a number.
    let meanwhile = match forecast.running_bytes {
        more if more > forecast.disk_bytes / 5 => format!(", {} more while runs are under way,", bytes(more)),
        _ => String::new(),
    };
    wrapped(
        output,
        &format!(
            "{} at a time, {} each; about {}{meanwhile} in {} ({models})",
            counted(forecast.jobs, "run"),
            counted(forecast.threads_each, "thread"),
            bytes(forecast.disk_bytes),
            study.folder().display(),
        ),
    );
    let [one, two, three] = forecast.power.map(|power| format!("{:.0} %", 100.0 * power));
    if plan.blocks(forecast.runs) > 1 {
        wrapped(
            output,
            &format!(
                "a study of this size finds a difference of 1, 2, 3 residual standard deviations (between {}s, beyond what moves all variants alike) in {one}, {two}, {three} of cases",
                plan.block(),
            ),
        );
    } else {
        output.warn(format_args!(
            "one {0} tells nothing of chance: no difference can be judged; --{0}s 5 is usual",
            plan.block()
        ));
    }
    if let Ok(dataset) = study.dataset() {
        super::tell::warnings(output, &dataset);
    }
    study.notes().iter().for_each(|note| warned(output, note));
}

/// What was found.
pub(crate) fn after(output: Output, study: &Study, result: &StudyResult) {
    for (place, line) in table(&result.rows, output.width()).iter().enumerate() {
        if place == 0 { output.heading(line) } else { output.say(line) }
    }
    output.heading("Answer");
    for sentence in &result.answer {
        wrapped(output, sentence);
    }
    if result.missing > 0 {
        let why = match result.because {
            Some(Unfinished::Minutes) => "the minutes are over",
            _ => "the study was stopped",
        };
        output.warn(format_args!(
            "{} of {} runs are missing, since {why}: the same command goes on",
            result.missing,
            study.forecast().runs
        ));
    }
    output.say("");
    let folder = study.folder();
    output.say(format_args!("page         {}", folder.join("study.html").display()));
    output.say(format_args!(
        "numbers      {} (a row for each run and epoch)",
        folder.join("results.csv").display()
    ));
    output.say(format_args!("runs         pupila runs {}", folder.display()));
    let plan = study.plan();
    match plan.splits.len() {
        _ if study.left_out() > 0 => output.say(format_args!(
            "more runs    the same command with --max-runs {}",
            study.places().len() + study.left_out()
        )),
        1 => output.say(format_args!("more seeds   the same command with --seeds {}", plan.seeds.len() * 2)),
        n => output.say(format_args!("more splits  the same command with --splits {}", n * 2)),
    }
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{} {what}s", count(n)) }
}

/// A size for people.
pub(crate) fn bytes(bytes: u64) -> String {
    match bytes {
        b if b >= 1_000_000_000 => format!("{:.1} GB", b as f64 / 1e9),
        b if b >= 1_000_000 => format!("{:.0} MB", b as f64 / 1e6),
        b => format!("{:.0} KB", (b as f64 / 1e3).max(1.0)),
    }
}

/// Seconds, minutes or hours.
fn duration(time: Duration) -> String {
    match time.as_secs() {
        s if s >= 3600 => format!("{} h {:02} min", s / 3600, s / 60 % 60),
        s if s >= 60 => format!("{} min {:02} s", s / 60, s % 60),
        s => format!("{s} s"),
    }
}

/// The table of a study that is running: on a terminal it is drawn anew, elsewhere each run is a line.
pub(crate) struct Live {
    output: Output,
    plan: StudyPlan,
    bar: Option<ProgressBar>,
    begun: Instant,
    jobs: usize,
    state: Mutex<State>,
}

struct State {
    /// Values of the runs that have ended, by variant.
    values: Vec<Vec<f64>>,
    /// Times of the runs that have ended now, by variant.
    times: Vec<Vec<f64>>,
    /// Runs that are left, by variant.
    left: Vec<usize>,
    /// Runs in all, by variant.
    all: Vec<usize>,
    running: HashMap<Place, (Instant, u32, u32)>,
    troubles: usize,
}

impl Live {
    pub(crate) fn new(output: Output, study: &Study) -> Self {
        let plan = study.plan().clone();
        let by_variant = |places: &[Place]| {
            let mut count = vec![0; plan.variants.len()];
            places.iter().for_each(|place| count[place.variant] += 1);
            count
        };
        let (left, all) = (by_variant(&study.left()), by_variant(study.places()));
        let bar = std::io::stderr().is_terminal().then(|| super::tell::bar(0, "{msg}"));
        let none = vec![Vec::new(); plan.variants.len()];
        let state =
            State { values: none.clone(), times: none, left, all, running: HashMap::new(), troubles: 0 };
        Live {
            output,
            bar,
            begun: Instant::now(),
            jobs: study.forecast().jobs,
            state: Mutex::new(state),
            plan,
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the last run has ended, by what runs of the same variant took, or of any where none has ended.
    fn to_go(&self, state: &State) -> Option<Duration> {
        let mean =
            |times: &[f64]| (!times.is_empty()).then(|| times.iter().sum::<f64>() / times.len() as f64);
        let all: Vec<f64> = state.times.iter().flatten().copied().collect();
        let of_any = mean(&all)?;
        let took = |variant: usize| mean(&state.times[variant]).unwrap_or(of_any);
        let whole: f64 =
            state.left.iter().enumerate().map(|(variant, &left)| left as f64 * took(variant)).sum();
        // Those that are running are among those that are left; what they have done already is not.
        let done = |(place, (since, ..)): (&Place, &(Instant, u32, u32))| {
            since.elapsed().as_secs_f64().min(took(place.variant))
        };
        let done: f64 = state.running.iter().map(done).sum();
        Some(Duration::from_secs_f64(((whole - done) / self.jobs as f64).max(0.0)))
    }

    fn draw(&self, state: &State) {
        let Some(bar) = &self.bar else { return };
        let names: Vec<String> = self.plan.variants.iter().map(|variant| variant.name.clone()).collect();
        let names = shortened(&names, NAME);
        let width = names.iter().map(|name| name.width()).max().unwrap_or(0);
        let rows = console::Term::stderr().size().0;
        // What does not fit is left out, the ends first: a terminal cannot scroll back over what is drawn anew.
        let most = usize::from(rows).saturating_sub(4).max(3);
        let mut lines = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let values = &state.values[place];
            let mean = values.iter().filter(|v| v.is_finite()).sum::<f64>()
                / values.iter().filter(|v| v.is_finite()).count() as f64;
            let now: Vec<String> = state
                .running
                .iter()
                .filter(|(at, _)| at.variant == place)
                .map(|(at, (_, epoch, of))| {
                    format!("seed {}, epoch {epoch} of {of}", self.plan.seeds[at.seed])
                })
                .collect();
            let each = state.all[place];
            let ended = each.saturating_sub(state.left[place]);
            if lines.len() < most || !now.is_empty() {
                let pad = " ".repeat(width - name.width());
                lines.push(format!(
                    "  {name}{pad}  {ended:>3} of {each}  {:>9}  {}",
                    self.value(mean),
                    now.join("; ")
                ));
            }
        }
        let left: usize = state.left.iter().sum();
        let total: usize = state.all.iter().sum();
        lines.push(format!(
            "{} of {total} runs, {} so far{}",
            total - left,
            duration(self.begun.elapsed()),
            self.going(state)
        ));
        bar.set_message(lines.join("\n"));
        bar.tick();
    }

    fn going(&self, state: &State) -> String {
        match self.to_go(state) {
            Some(time) if state.left.iter().sum::<usize>() > 0 => format!(", about {} to go", duration(time)),
            _ => String::new(),
        }
    }

    fn value(&self, value: f64) -> String {
        pupila::study::Words { metric: self.plan.metric }.value(value)
    }
}

impl StudyObserver for Live {
    fn started(&self, place: Place, _name: &str) {
        let mut state = self.state();
        state.running.insert(place, (Instant::now(), 0, 0));
        self.draw(&state);
    }

    fn epoch(&self, place: Place, epoch: u32, of: u32) {
        let mut state = self.state();
        if let Some(running) = state.running.get_mut(&place) {
            (running.1, running.2) = (epoch, of);
        }
        self.draw(&state);
    }

    fn ended(&self, place: Place, name: &str, facts: &RunFacts) {
        let mut state = self.state();
        let took = state.running.remove(&place).map_or(0.0, |(since, ..)| since.elapsed().as_secs_f64());
        state.times[place.variant].push(took);
        state.values[place.variant].push(facts.value);
        state.left[place.variant] = state.left[place.variant].saturating_sub(1);
        let left: usize = state.left.iter().sum();
        let total: usize = state.all.iter().sum();
        let number = format!("{:>3} of {total}  ", total - left);
        let trouble = match &facts.outcome {
            RunOutcome::Failed(reason) => Some(format!("{number}{name} failed: {reason}")),
            RunOutcome::Ended(end) if end == "diverged" => {
                Some(format!("{number}{name}: the loss stopped being a number"))
            }
            _ => None,
        };
        let say = |line: &str| match &self.bar {
            Some(bar) => bar.suspend(|| self.output.say(line)),
            None => self.output.say(line),
        };
        if let Some(trouble) = &trouble {
            state.troubles += 1;
            say(trouble);
        } else if self.bar.is_none() {
            let epoch = facts
                .best_epoch
                .map_or(String::new(), |best| format!(" (epoch {best} of {})", facts.epochs.len()));
            say(&format!(
                "{number}{name}  {}{epoch}, {took:.1} s{}",
                self.value(facts.value),
                self.going(&state)
            ));
        }
        self.draw(&state);
    }

    fn note(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.output.say(message)),
            None => self.output.say(message),
        }
    }

    fn warning(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.output.warn(message)),
            None => self.output.warn(message),
        }
    }
}
