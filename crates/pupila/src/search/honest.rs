//! The best trial once more: the best of many is flattered by the choice, so it is trained again with fresh seeds, beside the runner-up.

use super::{Search, SearchObserver, ranked};
use crate::classifier::Classifier;
use crate::error::Error;
use crate::evaluation::{Evaluation, EvaluationOptions};
use crate::study::{Keep, Place, RunFacts, StudyObserver};
use crate::{Judging, Study};
use pupila_dataset::Split;
use pupila_run::RunFolder;
use pupila_search::Trial;
use pupila_study::{Definition, Named, Request, Seeds, mean_of_judged};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// The name of the study in the search's folder.
pub(crate) const FOLDER: &str = "again";

/// The first of the fresh seeds: far from those that anybody gives a recipe.
const FIRST_SEED: u64 = 1_000_001;

/// Why there is no honest score where it was stopped.
const STOPPED: &str = "it was stopped; the same command goes on with it";

/// The best two trials, trained again.
#[derive(Debug, Clone)]
pub struct Honest {
    /// The metric, such as `val/accuracy`.
    pub metric: String,
    /// How many trials were complete, of which the winner was the best.
    pub complete: usize,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The best trial.
    pub winner: Side,
    /// The next best with other values; `None` where there is none.
    pub runner_up: Option<Side>,
    /// The runner-up's mean less the winner's, with its 95 % interval and what may be said of it; `None` without a runner-up.
    pub difference: Option<Against>,
    /// What all of it says, in sentences.
    pub answer: Vec<String>,
    /// The study of these runs.
    pub folder: PathBuf,
}

/// The runner-up beside the winner.
#[derive(Debug, Clone, PartialEq)]
pub struct Against {
    /// The runner-up's mean less the winner's.
    pub mean: f64,
    /// Its 95 % interval, over seeds.
    pub interval: (f64, f64),
    /// `better`, `worse`, ..., `open`, as in a study.
    pub verdict: &'static str,
}

/// A mean and its 95 % interval.
type WithInterval = (f64, (f64, f64));

/// A trial that was trained again.
#[derive(Debug, Clone)]
pub struct Side {
    /// The trial.
    pub number: u64,
    /// What it reached in the search.
    pub searched: f64,
    /// The mean over the fresh seeds, on the validation images.
    pub mean: f64,
    /// Its 95 % interval, over seeds.
    pub interval: (f64, f64),
    /// The same on the test split, over seeds and images; of the winner, where the data have one.
    pub test: Option<WithInterval>,
}

/// Trains the best two again; why not, where that cannot be.
pub(super) fn again(
    search: &Search,
    trials: &[Trial],
    observer: &dyn SearchObserver,
) -> Result<Result<Honest, String>, Error> {
    let seeds = search.options.seeds;
    if seeds == 0 {
        return Ok(Err("it was asked for no seeds (--seeds 0)".to_owned()));
    }
    if seeds == 1 {
        return Ok(Err("one seed says nothing of how seeds scatter: --seeds 5".to_owned()));
    }
    let ranked = ranked(trials, search.direction);
    let Some(&winner) = ranked.first() else { return Ok(Err("no trial is complete".to_owned())) };
    let values = |trial: &Trial| search.settings(trial);
    let runner_up = ranked.iter().copied().find(|trial| values(trial) != values(winner));
    let sides: Vec<&Trial> = std::iter::once(winner).chain(runner_up).collect();
    let names = ["winner", "runner-up"];
    let named = sides.iter().zip(names).map(|(trial, name)| Named {
        name: format!("{name} (trial {})", trial.number),
        recipe: None,
        values: values(trial),
    });
    let fresh: Vec<u64> = (0..seeds as u64).map(|at| FIRST_SEED + at).collect();
    // Of its own for each pair: another winner is another study.
    let numbers: Vec<String> = sides.iter().map(|trial| trial.number.to_string()).collect();
    let name = format!("{FOLDER}-{}", numbers.join("-"));
    let definition = Definition {
        name: name.clone(),
        question: Some(
            "Are the best two trials of the search as good with other seeds, and is the first really better?"
                .to_owned(),
        ),
        metric: Some(search.metric()),
        seeds: Some(Seeds::These(fresh.clone())),
        variants: named.collect(),
        ..Definition::default()
    };
    // Where one trial alone is complete, it is trained again by itself.
    let request = Request { layers: search.options.layers.clone(), single: true, ..Request::default() };
    let plan = crate::study::StudyPlan::new(&definition, &request)?;
    let judges_test = search.has_test;
    let threads = search.options.threads.unwrap_or_else(crate::session::available_threads);
    let mut builder = Study::builder(plan, &search.options.data)
        .runs(&search.folder)
        .name(name)
        .threads(threads)
        .shared(&search.shared)
        .keep(if judges_test { Keep::All } else { Keep::Best })
        .stop_signal(&search.options.stop)
        .arguments(search.options.arguments.clone());
    if let Some(jobs) = search.options.jobs {
        builder = builder.jobs(jobs);
    }
    // Whoever comes second finds all of it done.
    let Some(_turn) = super::record::turn(search)? else { return Ok(Err(STOPPED.to_owned())) };
    let mut study = builder.open()?;
    observer.honest(seeds);
    let result = study.run(&Follows(observer))?;
    if result.because.is_some() {
        return Ok(Err(STOPPED.to_owned()));
    }
    let analysis = &result.analysis;
    let side = |at: usize, test| {
        let variant = &analysis.variants[at];
        Side {
            number: sides[at].number,
            searched: sides[at].value().unwrap_or(f64::NAN),
            mean: variant.mean,
            interval: variant.interval,
            test,
        }
    };
    let test = match judges_test {
        true => on_test(search, &study)?,
        false => None,
    };
    let (winner, runner_up) = (side(0, test), (sides.len() > 1).then(|| side(1, None)));
    let compared = analysis.variants.get(1).and_then(|variant| variant.compared.as_ref());
    let difference = compared.map(|compared| Against {
        mean: compared.difference.mean,
        interval: compared.difference.interval,
        verdict: compared.verdict.name(),
    });
    let mut honest = Honest {
        metric: search.metric(),
        complete: ranked.len(),
        seeds: fresh,
        winner,
        runner_up,
        difference,
        answer: Vec::new(),
        folder: study.folder().to_owned(),
    };
    honest.answer = honest.words(search);
    Ok(Ok(honest))
}

/// The winner's runs on the test split: the mean over seeds, and an interval over seeds and images.
fn on_test(search: &Search, study: &Study) -> Result<Option<WithInterval>, Error> {
    let name = search.monitor.name;
    let (mut values, mut half_widths) = (Vec::new(), Vec::new());
    for place in study.places().iter().filter(|place| place.variant == 0) {
        let run = study.folder().join(study.plan().run_name(*place));
        if !run.join(RunFolder::MODEL).is_file() {
            continue;
        }
        let (value, half) = judged(&run, name, search)?;
        values.push(value);
        half_widths.extend(half);
    }
    values.retain(|value| value.is_finite());
    let (least, most) = pupila_metrics::metric(name).map_or((f64::MIN, f64::MAX), |metric| metric.range);
    let within = |(mean, (low, high)): WithInterval| (mean, (low.max(least), high.min(most)));
    Ok(mean_of_judged(&values, &half_widths).map(within))
}

/// A run's metric on the test split, and half the width of its interval over images, where it has one.
fn judged(run: &Path, metric: &str, search: &Search) -> Result<(f64, Option<f64>), Error> {
    let before = std::fs::read_dir(run).into_iter().flatten().flatten().map(|entry| entry.path());
    let there = before
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("eval-test")))
        .min();
    let of = |summary: &pupila_run::EvaluationSummary| {
        let value = summary.metrics.get(metric).copied().flatten().unwrap_or(f64::NAN);
        let interval = summary.intervals.get(metric).and_then(|&[low, high]| Some((low?, high?)));
        (value, interval.map(|(low, high)| (high - low) / 2.0))
    };
    // A search that goes on looks at the test set no second time.
    if let Some(folder) = there
        && let Ok(Some(pupila_run::Summary::Evaluation(summary))) = RunFolder::open(&folder)?.summary()
    {
        return Ok(of(&summary));
    }
    let mut model = Classifier::open(run)?;
    let mut judging = Judging::new().stop_signal(&search.options.stop);
    judging.cache = search.options.cache.clone();
    let options = EvaluationOptions {
        data: None,
        split: Some(Split::Test),
        exclude: Vec::new(),
        layout: pupila_dataset::Layout::default(),
        group: None,
        out: None,
        judging,
        arguments: search.options.arguments.clone(),
        state: None,
    };
    let judged = Evaluation::open(&mut model, options)?.judge()?;
    let summary = judged.summary();
    judged.write(&summary)?;
    Ok(of(&summary))
}

impl Honest {
    fn words(&self, search: &Search) -> Vec<String> {
        let share = search.is_share();
        let shown = |value: f64| search.shown(value);
        let range = |(low, high): (f64, f64)| match share {
            true => format!("[{:.1}, {:.1}]", 100.0 * low, 100.0 * high),
            false => format!("[{low:.4}, {high:.4}]"),
        };
        let winner = &self.winner;
        let mut words = vec![format!(
            "Trial {} reached a {} of {} in the search, {}; trained again with {} fresh seeds it reaches {} {} on the same validation images.",
            winner.number,
            self.metric,
            shown(winner.searched),
            match self.complete {
                1 => "the only complete trial".to_owned(),
                complete => format!("the best of {complete} complete trials"),
            },
            self.seeds.len(),
            shown(winner.mean),
            range(winner.interval)
        )];
        let flattered = search.direction.loss(winner.mean) > search.direction.loss(winner.searched);
        if flattered {
            words.push("The best of many trials is flattered by the choice: the second number is the one to believe.".to_owned());
        }
        match winner.test {
            Some((mean, interval)) => words.push(format!(
                "On the test split, which the search has not seen, it is {} {} (over seeds and images; each of the {} models is a look that is counted).",
                shown(mean),
                range(interval),
                self.seeds.len()
            )),
            None if search.has_test => {
                words.push("On the test split nothing can be told: no model is left, or the metric is undefined there.".to_owned());
            }
            None => words.push(
                "The data have no test split: the validation images chose the trial and the epoch, so even the second number is a little too good for new \
                 images."
                    .to_owned(),
            ),
        }
        if let (Some(other), Some(against)) = (&self.runner_up, &self.difference) {
            let difference = match share {
                true => format!(
                    "{:+.1} points [{:+.1}, {:+.1}]",
                    100.0 * against.mean,
                    100.0 * against.interval.0,
                    100.0 * against.interval.1
                ),
                false => {
                    format!("{:+.4} [{:+.4}, {:+.4}]", against.mean, against.interval.0, against.interval.1)
                }
            };
            let verdict = match against.verdict {
                "open" => "that may be chance: take the simpler or the cheaper of the two",
                "worse" => "it is really worse",
                "worse_on_these_images" => "it is worse on these images; others might say otherwise",
                "better" => "it is really better: take the runner-up",
                _ => "it is better on these images; others might say otherwise",
            };
            words.push(format!(
                "The runner-up, trial {}, reaches {} {}, {difference} against the winner: {verdict}.",
                other.number,
                shown(other.mean),
                range(other.interval)
            ));
        }
        words
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        let side = |side: &Side| {
            let mut object = Map::new();
            object.insert("number".into(), side.number.into());
            object.insert("searched".into(), json!(side.searched));
            object.insert("mean".into(), json!(side.mean));
            object.insert("interval".into(), json!([side.interval.0, side.interval.1]));
            if let Some((mean, (low, high))) = side.test {
                object.insert("test".into(), json!({"mean": mean, "interval": [low, high]}));
            }
            Value::Object(object)
        };
        let mut object = side(&self.winner);
        object["seeds"] = json!(self.seeds);
        object["metric"] = json!(self.metric);
        object["runner_up"] = self.runner_up.as_ref().map_or(Value::Null, side);
        object["difference"] = self.difference.as_ref().map_or(
            Value::Null,
            |of| json!({"mean": of.mean, "interval": [of.interval.0, of.interval.1], "verdict": of.verdict}),
        );
        object["answer"] = json!(self.answer);
        object["folder"] = json!(self.folder.to_string_lossy());
        object
    }
}

/// Passes on what the study says.
struct Follows<'a>(&'a dyn SearchObserver);

impl StudyObserver for Follows<'_> {
    fn ended(&self, _place: Place, name: &str, facts: &RunFacts) {
        if let crate::study::RunOutcome::Failed(why) = &facts.outcome {
            self.0.warning(&format!("{name}: {why}"));
        }
    }

    fn warning(&self, message: &str) {
        self.0.warning(message);
    }
}
