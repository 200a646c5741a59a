//! Runs side by side: what differs in their recipes, what it did to the metrics, and whether that is more than noise.

pub(crate) mod differences;
mod flips;
mod pairing;
mod seeds;
mod verdict;

use self::differences::{Row, differing};
use crate::error::{Error, Tried};
use crate::session::canonical;
use crate::stop_signal::StopSignal;
use pairing::in_order_of;
use pupila_dataset::Cache;
use pupila_metrics::{
    METRICS, Metric, NoInterval, PairedError, Predictions, group_numbers, mcnemar, metric, paired_interval,
};
use pupila_report::{ComparedRun, Comparison, EpochPoint, MetricRow, PairTest, Tested};
use pupila_run::{EpochValues, RunFiles, Summary, with_interval, write_whole};
use pupila_study::statistics::comparison::{adjusted, level_of_each};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Keys that change no result.
const WITHOUT_EFFECT: [&str; 2] = ["tracking.", "data.cache"];
/// By which a page of ours is known.
const MARK: &str = "<footer>Written by Pupila ";

/// How runs are compared.
#[derive(Debug, Default)]
pub struct ComparisonOptions {
    /// The page to write; `comparison.html` in the current folder, or the next free number, if left out.
    pub out: Option<PathBuf>,
    /// The metric that is tested; the accuracy if left out.
    pub metric: Option<String>,
    /// Compare the numbers of runs that were judged on different images too; there is no test of those.
    pub different_data: bool,
    /// Where decoded images are kept on disk, if anywhere.
    pub cache: Option<Cache>,
    /// What may stop it.
    pub stop: StopSignal,
}

/// Runs that were compared with the first of them.
#[derive(Debug)]
pub struct Compared {
    /// Recipes of several seeds, where there are such.
    recipes: Option<seeds::Recipes>,
    /// What differs, what it did, and whether that is more than noise.
    pub comparison: Comparison,
    /// Where the page goes.
    pub page: PathBuf,
    /// Files of the runs that are not there, and what is not known without each.
    pub lacks: Vec<String>,
}

impl Compared {
    /// Compares runs, or folders that an evaluation made, with the first of them.
    ///
    /// # Errors
    /// A folder that cannot be read or is given twice; runs that were not judged on the same images.
    pub fn of(folders: &[PathBuf], options: &ComparisonOptions) -> Result<Compared, Error> {
        let page = page_path(options.out.as_deref())?;
        let tested_metric = tested_metric(options.metric.as_deref())?;
        let mut runs = Vec::new();
        let mut places: Vec<PathBuf> = Vec::new();
        for path in folders {
            runs.push(RunFiles::read(path)?);
            let place = canonical(path);
            if places.contains(&place) {
                return Err(Error::request(format_args!("{} is given twice", path.display())));
            }
            places.push(place);
        }
        let names = names(&places);
        let mut paired = Vec::new();
        if runs[0].predictions.is_empty() {
            return Err(Error::request(format_args!(
                "{} left no model ({}), so nothing can be compared with it: name another run first",
                names[0],
                ended(&runs[0])
            )));
        }
        for other in 1..runs.len() {
            if runs[other].predictions.is_empty() {
                continue;
            }
            match in_order_of(&runs[0], &runs[other]) {
                Ok(predictions) => paired.push((other, predictions)),
                Err(_) if options.different_data => {}
                Err(why) => {
                    let remedy = pairing::same_split(&runs[0], &runs[other]).unwrap_or_default();
                    return Err(Error::request(format_args!(
                        "{} and {} were not judged on the same images: {why}\n{remedy}\
                         judge both on the same images by `pupila eval RUN DATA --out FOLDER` and compare the folders, or \
                         compare the numbers alone, without tests, by --different-data",
                        names[0], names[other]
                    )));
                }
            }
        }
        let leaked = pairing::leaked(&runs);
        let kept: Vec<usize> =
            (0..runs[0].predictions.len()).filter(|place| !leaked.contains(place)).collect();
        let groups = runs[0].groups.as_deref().and_then(group_numbers);
        let groups = groups.map(|groups| kept.iter().map(|&place| groups[place]).collect::<Vec<u32>>());
        let honest = runs[0].predictions.part(&kept);
        let family = paired.len();
        let mut tests = Vec::new();
        for (other, predictions) in &paired {
            let predictions = predictions.part(&kept);
            tests.push(test(&honest, *other, &predictions, tested_metric, groups.as_deref(), family)?);
        }
        let mut without_pictures = None;
        for (test, (_, predictions)) in tests.iter_mut().zip(&paired) {
            test.flips = flips::choose(&runs[0], predictions);
            without_pictures = flips::add_pictures(&mut test.flips, &runs[0], options).or(without_pictures);
        }
        let images = kept.len();
        // Recipes are judged on the images that the models are judged on.
        let of_metric = |run: &RunFiles| match leaked.is_empty() {
            true => value(run, tested_metric),
            false => tested_metric.compute(&pairing::without(run, &runs[0], &leaked)),
        };
        let recipes =
            seeds::between_recipes(&runs, tested_metric, images, of_metric).filter(|_| !tests.is_empty());
        let over = match &groups {
            None => crate::describe::images(images),
            Some(groups) => {
                let groups = groups.iter().collect::<std::collections::BTreeSet<_>>().len();
                format!("{groups} groups of images")
            }
        };
        let told = verdict::Told {
            leaked: leaked.len(),
            names: &names,
            runs: &runs,
            metric: tested_metric,
            over: &over,
        };
        let findings = told.findings(&tests, recipes.as_ref());
        let command = told.command(recipes.as_ref()).filter(|_| !tests.is_empty());
        let comparison = Comparison {
            runs: runs.iter().zip(&names).map(|(run, name)| compared(run, name)).collect(),
            differences: differences(&runs),
            metrics: metric_rows(&runs),
            tested_metric: tested_metric.name.to_owned(),
            over,
            tests,
            findings,
            command,
            without_pictures,
        };
        let lacks = runs.iter().flat_map(|run| run.lacks.clone()).collect();
        Ok(Compared { recipes, comparison, page, lacks })
    }

    /// Writes the page.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write(&self) -> Result<(), Error> {
        write_whole(&self.page, self.comparison.render().as_bytes())
            .map_err(Error::io(Tried::Write, &self.page))
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        object(&self.comparison, self.recipes.as_ref(), &self.page)
    }
}

/// Where the page goes: what was asked for, or the first `comparison.html` that is free. Nothing is written over unasked, and what is
/// no page of ours never.
fn page_path(out: Option<&Path>) -> Result<PathBuf, Error> {
    if let Some(path) = out {
        let ours = match std::fs::metadata(path) {
            // A pipe or a device has nothing that could be lost, and would not end if it were read.
            Ok(there) if !there.is_file() && !there.is_dir() => true,
            Ok(_) if pupila_run::is_of_a_run(path) => false,
            Ok(_) => std::fs::read_to_string(path).is_ok_and(|text| text.is_empty() || text.contains(MARK)),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        if !ours {
            return Err(Error::request(format_args!(
                "{} is there already and is a run's own page, or none of pupila: choose another --out, or remove it",
                path.display()
            )));
        }
        return Ok(path.to_owned());
    }
    let numbered = |n: u32| if n == 1 { "comparison.html".into() } else { format!("comparison-{n}.html") };
    // A link that points nowhere is something too.
    let is_free = |path: &PathBuf| std::fs::symlink_metadata(path).is_err();
    let free = (1..10_000).map(|n| PathBuf::from(numbered(n))).find(is_free);
    free.ok_or_else(|| Error::request("there is no free comparison.html here: choose one by --out FILE.html"))
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

/// The metric to test.
fn tested_metric(name: Option<&str>) -> Result<&'static Metric, Error> {
    let name = name.unwrap_or("accuracy");
    let bare = name.strip_prefix("val/").unwrap_or(name);
    with_interval().find(|metric| metric.name == bare).ok_or_else(|| {
        let names: Vec<&str> = with_interval().map(|metric| metric.name).collect();
        let similar = || metric(bare).err().and_then(|unknown| unknown.suggestion);
        let mut meant = pupila_train::metrics_meant(name);
        meant.extend(if meant.is_empty() { similar() } else { None });
        let meant = match &meant[..] {
            [] => String::new(),
            meant => format!("; did you mean `{}`?", meant.join("` or `")),
        };
        let names = names.join(", ");
        Error::request(format_args!("there is no test of `{name}`{meant} (there are those of {names})"))
    })
}

/// How a run ended, and what was found.
fn ended(run: &RunFiles) -> String {
    let Summary::Run(summary) = &run.summary else { return String::new() };
    match summary.diagnosis.first() {
        Some(finding) => format!("{}: {}", summary.status.name(), finding.message),
        None => summary.status.name().to_owned(),
    }
}

/// The first run against another, of which the predictions are in the order of the first one's. `family` runs are compared with it.
fn test(
    a: &Predictions,
    other: usize,
    b: &Predictions,
    metric: &Metric,
    groups: Option<&[u32]>,
    family: usize,
) -> Result<PairTest, Error> {
    let mcnemar = mcnemar(a, b)?;
    let untold = |why: &str| Tested::Untold(why.to_owned());
    let tested = match paired_interval(a, b, metric, groups, 1.0 - level_of_each(family)) {
        Ok(of) => Tested::Known {
            value: of.value,
            low: of.low,
            high: of.high,
            p_value: of.p_value,
            adjusted: adjusted(of.p_value, family),
        },
        Err(PairedError::Interval(NoInterval::Empty)) => {
            untold("no image is left that neither was trained on")
        }
        Err(PairedError::Interval(why)) => untold(&why.to_string()),
        Err(error) => return Err(error.into()),
    };
    Ok(PairTest {
        run: other,
        discordant: (mcnemar.only_first, mcnemar.only_second),
        tested,
        flips: Vec::new(),
    })
}

fn compared(run: &RunFiles, name: &str) -> ComparedRun {
    let point = |(epoch, values): &EpochValues| {
        let value =
            |tag: &str| values.iter().find(|(name, _)| name == tag).map_or(f64::NAN, |&(_, value)| value);
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
        judged: match run.predictions.len() {
            0 => ended(run),
            images => crate::describe::images(images),
        },
        epochs: run.epochs.iter().map(point).collect(),
    }
}

/// Keys of the recipes with their values where these are not all the same, and the data where it is not.
fn differences(runs: &[RunFiles]) -> Vec<(String, Vec<Option<String>>)> {
    let mut keys: Vec<&String> = Vec::new();
    for key in runs.iter().flat_map(|run| run.recipe.keys()) {
        if !keys.contains(&key) && !WITHOUT_EFFECT.iter().any(|prefix| key.starts_with(prefix)) {
            keys.push(key);
        }
    }
    let values = |key: &String| runs.iter().map(|run| run.recipe.get(key)).collect::<Vec<_>>();
    let mut rows: Vec<Row> = keys.into_iter().flat_map(|key| differing(key, &values(key))).collect();
    let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let mut row = |name: &str, of: fn(&RunFiles) -> &str| {
        rows.push((name.to_owned(), runs.iter().map(|run| known(of(run))).collect()));
    };
    row("data (path)", |run| &run.environment.data.path);
    row("data (fingerprint)", |run| &run.environment.data.fingerprint);
    row("version", |run| run.summary.version());
    rows.retain(|(_, values)| values.iter().any(|value| *value != values[0]));
    rows
}

fn metric_rows(runs: &[RunFiles]) -> Vec<MetricRow> {
    let row = |metric: &Metric| MetricRow {
        name: metric.name.to_owned(),
        higher_is_better: metric.higher_is_better(),
        share: metric.unit == "frac",
        values: runs.iter().map(|run| value(run, metric)).collect(),
    };
    METRICS.iter().map(row).collect()
}

/// A metric as the run's summary has it, else of its predictions.
fn value(run: &RunFiles, metric: &Metric) -> f64 {
    run.summary.metric(metric.name).unwrap_or_else(|| metric.compute(&run.predictions))
}

/// The same for programs.
fn object(comparison: &Comparison, by_seeds: Option<&seeds::Recipes>, page: &Path) -> Value {
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
            let mut told = json!({
                "run": names[test.run],
                "against": names[0],
                "metric": comparison.tested_metric,
                "over": comparison.over,
                "only_first_right": test.discordant.0,
                "only_second_right": test.discordant.1,
                "beyond_noise": test.tested.is_beyond_noise(),
            });
            match &test.tested {
                Tested::Known { value, low, high, p_value, adjusted } => {
                    told["p_value"] = number(*p_value);
                    told["p_adjusted"] = number(*adjusted);
                    let limits =
                        json!({ "difference": number(*value), "low": number(*low), "high": number(*high) });
                    told["intervals"] = json!({ &comparison.tested_metric: limits });
                }
                Tested::Untold(why) => told["untested"] = json!(why),
            }
            told
        })
        .collect();
    json!({
        "runs": names,
        "recipe_differences": recipes,
        "metrics": metrics,
        "tests": tests,
        "recipes": by_seeds.map(|recipes| of_recipes(recipes, &names)),
        "findings": comparison.findings,
        "command": comparison.command,
        "page": page.to_string_lossy(),
    })
}

/// Recipes of several seeds, for programs.
fn of_recipes(recipes: &seeds::Recipes, names: &[&str]) -> Value {
    let runs = |place: usize| recipes.runs[place].iter().map(|&run| names[run]).collect::<Vec<_>>();
    let difference = |of: &pupila_study::statistics::comparison::Difference| {
        json!({
            "runs": runs(of.variant),
            "against": runs(0),
            "seeds": of.blocks,
            "difference": of.mean,
            "low": of.interval.0,
            "high": of.interval.1,
            "p_adjusted": of.p_value,
            "beyond_seeds": of.is_found(),
        })
    };
    recipes.differences.iter().map(difference).collect()
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
