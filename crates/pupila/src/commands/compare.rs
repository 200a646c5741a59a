//! `pupila compare`: what differs in the recipes of runs, what it did to the metrics, and whether that is more than noise.

mod flips;
mod pairing;
mod told;

use crate::cli;
use crate::failure::Failure;
use crate::output::Output;
use anyhow::Context;
use pairing::in_order_of;
use pupila_metrics::{METRICS, Predictions, holm, mcnemar, metric, paired_interval};
use pupila_report::{ComparedRun, Comparison, EpochPoint, MetricRow, PairTest};
use pupila_train::{FinishedRun, write_whole};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Metrics whose difference has an interval.
const WITH_INTERVAL: [&str; 3] = ["accuracy", "balanced_accuracy", "macro_f1"];
/// Resamples of an interval.
const RESAMPLES: u32 = 2000;
/// Keys that change no result.
const WITHOUT_EFFECT: [&str; 2] = ["tracking.", "data.cache"];
/// By which a page of ours is known.
const MARK: &str = "<footer>Written by Pupila ";

pub(crate) fn run(arguments: &cli::Compare) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let page = page_path(arguments.out.as_deref())?;
    let mut runs = Vec::new();
    let mut places: Vec<PathBuf> = Vec::new();
    for path in &arguments.runs {
        runs.push(FinishedRun::read(path).map_err(Failure::request)?);
        let place = std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        if places.contains(&place) {
            return Err(Failure::wrong(format_args!("{} is given twice", path.display())));
        }
        places.push(place);
    }
    let names = names(&places);
    let mut paired = Vec::new();
    for other in 1..runs.len() {
        match in_order_of(&runs[0], &runs[other]) {
            Ok(predictions) => paired.push((other, predictions)),
            Err(_) if arguments.different_data => {}
            Err(why) => {
                return Err(Failure::wrong(format_args!(
                    "{} and {} were not judged on the same images: {why}\n\
                     judge both on the same images by `pupila eval RUN DATA --out FOLDER` and compare the folders, or \
                     compare the numbers alone, without tests, by --different-data",
                    names[0], names[other]
                )));
            }
        }
    }
    let mut tests = Vec::new();
    for (other, predictions) in &paired {
        tests.push(test(&runs[0], *other, predictions)?);
    }
    let adjusted = holm(&tests.iter().map(|test| test.p_value).collect::<Vec<_>>());
    tests.iter_mut().zip(&adjusted).for_each(|(test, &p)| test.adjusted = p);
    let mut without_pictures = None;
    for (test, (_, predictions)) in tests.iter_mut().zip(&paired) {
        test.flips = flips::choose(&runs[0], predictions);
        without_pictures = flips::add_pictures(&mut test.flips, &runs[0]).or(without_pictures);
    }
    let findings = told::findings(&names, &runs, &tests);
    let comparison = Comparison {
        runs: runs.iter().zip(&names).map(|(run, name)| compared(run, name)).collect(),
        differences: differences(&runs),
        metrics: metric_rows(&runs),
        tests,
        findings,
        without_pictures,
    };
    told::tell(output, &comparison);
    let written = write_whole(&page, comparison.render().as_bytes())
        .with_context(|| format!("cannot write {}", page.display()))
        .map_err(Failure::Work);
    if written.is_ok() {
        output.say(format_args!("\ncurves, tests and the images that flipped: {}", page.display()));
    }
    output.object(&object(&comparison, &page));
    written
}

/// Where the page goes: what was asked for, or the first `comparison.html` that is free or ours. What is not ours is never
/// written over.
fn page_path(out: Option<&Path>) -> Result<PathBuf, Failure> {
    let ours = |path: &Path| match std::fs::read_to_string(path) {
        Ok(text) => text.contains(MARK),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if let Some(path) = out {
        if !ours(path) {
            return Err(Failure::wrong(format_args!(
                "{} is there already and is no page of pupila: choose another --out, or remove it",
                path.display()
            )));
        }
        return Ok(path.to_owned());
    }
    let numbered = |n: u32| if n == 1 { "comparison.html".into() } else { format!("comparison-{n}.html") };
    let free = (1..10_000).map(|n| PathBuf::from(numbered(n))).find(|path| ours(path));
    free.ok_or_else(|| Failure::wrong("there is no free comparison.html here: choose one by --out FILE.html"))
}

/// The names of the folders, with as many of their parents as tell them apart.
fn names(places: &[PathBuf]) -> Vec<String> {
    let named = |place: &Path, parts: usize| {
        let all: Vec<_> = place.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        all[all.len().saturating_sub(parts)..].join("/")
    };
    for parts in 1..8 {
        let names: Vec<String> = places.iter().map(|place| named(place, parts)).collect();
        if names.iter().enumerate().all(|(i, name)| !names[..i].contains(name)) {
            return names;
        }
    }
    places.iter().map(|place| place.display().to_string()).collect()
}

/// The first run against another, of which the predictions are in the order of the first one's.
fn test(first: &FinishedRun, other: usize, b: &Predictions) -> Result<PairTest, Failure> {
    let a = &first.predictions;
    let mcnemar = mcnemar(a, b).map_err(Failure::work)?;
    let mut intervals = Vec::new();
    for name in WITH_INTERVAL {
        let metric = metric(name).map_err(Failure::work)?;
        let interval = paired_interval(a, b, metric, RESAMPLES, 0).map_err(Failure::work)?;
        intervals.push((name.to_owned(), interval.value, interval.low, interval.high));
    }
    Ok(PairTest {
        run: other,
        discordant: (mcnemar.only_first, mcnemar.only_second),
        p_value: mcnemar.p_value,
        adjusted: mcnemar.p_value,
        intervals,
        flips: Vec::new(),
    })
}

fn compared(run: &FinishedRun, name: &str) -> ComparedRun {
    let point = |(epoch, values): &(u32, serde_json::Map<String, Value>)| {
        let value = |tag: &str| values.get(tag).and_then(Value::as_f64).unwrap_or(f64::NAN);
        EpochPoint {
            epoch: *epoch,
            lr: value("lr"),
            train_loss: value("train/loss"),
            train_accuracy: value("train/accuracy"),
            val_loss: value("val/loss"),
            val_accuracy: value("val/accuracy"),
            val_balanced_accuracy: value("val/balanced_accuracy"),
        }
    };
    ComparedRun {
        name: name.to_owned(),
        judged: crate::output::images(run.predictions.len()),
        epochs: run.epochs.iter().map(point).collect(),
    }
}

/// Keys of the recipes with their values where these are not all the same, and the data where it is not.
fn differences(runs: &[FinishedRun]) -> Vec<(String, Vec<Option<String>>)> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut keys: Vec<&String> = Vec::new();
    for key in runs.iter().flat_map(|run| run.recipe.keys()) {
        if !keys.contains(&key) && !WITHOUT_EFFECT.iter().any(|prefix| key.starts_with(prefix)) {
            keys.push(key);
        }
    }
    let mut rows: Vec<(String, Vec<Option<String>>)> = keys
        .into_iter()
        .map(|key| (key.clone(), runs.iter().map(|run| run.recipe.get(key).map(plain)).collect()))
        .collect();
    for (name, of) in [
        ("data (path)", (|run| &run.environment["data"]["path"]) as fn(&FinishedRun) -> &Value),
        ("data (fingerprint)", |run| &run.environment["data"]["fingerprint"]),
        ("version", |run| &run.summary["version"]),
    ] {
        rows.push((name.into(), runs.iter().map(|run| of(run).as_str().map(str::to_owned)).collect()));
    }
    rows.retain(|(_, values)| values.iter().any(|value| *value != values[0]));
    rows
}

fn metric_rows(runs: &[FinishedRun]) -> Vec<MetricRow> {
    let row = |metric: &pupila_metrics::Metric| MetricRow {
        name: metric.name.to_owned(),
        higher_is_better: metric.higher_is_better(),
        share: metric.unit == "frac",
        values: runs.iter().map(|run| value(run, metric)).collect(),
    };
    METRICS.iter().map(row).collect()
}

/// A metric as the run's summary has it, else of its predictions.
fn value(run: &FinishedRun, metric: &pupila_metrics::Metric) -> f64 {
    let known = ["val", "metrics"].into_iter().find_map(|block| run.summary[block][metric.name].as_f64());
    known.unwrap_or_else(|| metric.compute(&run.predictions))
}

/// The same for programs.
fn object(comparison: &Comparison, page: &Path) -> Value {
    let names: Vec<&str> = comparison.runs.iter().map(|run| run.name.as_str()).collect();
    let number = |x: f64| if x.is_finite() { Value::from(x) } else { Value::Null };
    let by_run = |values: &[Option<String>]| -> serde_json::Map<String, Value> {
        names.iter().zip(values).map(|(name, value)| ((*name).to_owned(), json!(value))).collect()
    };
    let recipes: serde_json::Map<String, Value> =
        comparison.differences.iter().map(|(key, values)| (key.clone(), by_run(values).into())).collect();
    let metrics: serde_json::Map<String, Value> = comparison
        .metrics
        .iter()
        .map(|row| {
            let values = names.iter().zip(&row.values).map(|(name, &v)| ((*name).to_owned(), number(v)));
            (row.name.clone(), Value::Object(values.collect()))
        })
        .collect();
    let tests: Vec<Value> = comparison
        .tests
        .iter()
        .map(|test| {
            let interval = |(metric, value, low, high): &(String, f64, f64, f64)| {
                (
                    metric.clone(),
                    json!({ "difference": number(*value), "low": number(*low), "high": number(*high) }),
                )
            };
            json!({
                "run": names[test.run],
                "against": names[0],
                "only_first_right": test.discordant.0,
                "only_second_right": test.discordant.1,
                "mcnemar_p": test.p_value,
                "mcnemar_p_holm": test.adjusted,
                "intervals": test.intervals.iter().map(interval).collect::<serde_json::Map<_, _>>(),
                "beyond_noise": told::beyond_noise(test),
            })
        })
        .collect();
    json!({
        "runs": names,
        "recipe_differences": recipes,
        "metrics": metrics,
        "tests": tests,
        "findings": comparison.findings,
        "page": page.to_string_lossy(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_as_many_parents_as_they_need() {
        let of = |paths: &[&str]| names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(of(&["/a/runs/x", "/a/runs/y"]), ["x", "y"]);
        assert_eq!(of(&["/a/x/eval-1", "/a/y/eval-1"]), ["x/eval-1", "y/eval-1"]);
    }
}
