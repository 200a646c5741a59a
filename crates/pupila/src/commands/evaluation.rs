//! The folder that `eval` makes: the files that training makes of its validation set, of any labelled images.

use super::model::Trained;
use super::report;
use crate::failure::Failure;
use pupila_dataset::Split;
use pupila_metrics::{ClassificationReport, Predictions, summary};
use pupila_train::{
    Images, RunFolder, Views, confusion_png, environment, fingerprint, fingerprint_of, predictions_csv,
    write_whole,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where the folder will be.
pub(crate) enum Place {
    /// Asked for.
    Given(PathBuf),
    /// Below the run's folder, under a name that begins so.
    Numbered(PathBuf, String),
}

impl Place {
    /// The place that was asked for, which must be free; else one in the run's folder, named after the data or the split.
    pub(crate) fn of(
        out: Option<&Path>,
        run: &Path,
        data: Option<&Path>,
        split: Option<Split>,
    ) -> Result<Place, Failure> {
        if let Some(out) = out {
            if out.exists() {
                return Err(Failure::wrong(format_args!(
                    "{} is there already, and results are never written over: choose another --out, or remove it",
                    out.display()
                )));
            }
            return Ok(Place::Given(out.to_owned()));
        }
        let folder = if run.is_dir() { run } else { run.parent().unwrap_or(Path::new("")) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let of_data = data.map(|data| {
            let path = std::fs::canonicalize(data).unwrap_or_else(|_| data.to_owned());
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.chars().map(|c| if c.is_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect()
        });
        let split = split.map(|split| split.name().to_owned());
        let what: Vec<String> = of_data.into_iter().chain(split).collect();
        let what = if what.is_empty() { Split::Val.name().to_owned() } else { what.join("-") };
        Ok(Place::Numbered(folder.to_owned(), format!("eval-{what}")))
    }

    fn make(&self) -> Result<RunFolder, Failure> {
        match self {
            Place::Given(path) => {
                std::fs::create_dir_all(path).map_err(|error| {
                    Failure::work(anyhow::anyhow!("cannot make the folder {}: {error}", path.display()))
                })?;
                Ok(RunFolder::open(path))
            }
            Place::Numbered(folder, stem) => RunFolder::create(folder, None, stem).map_err(Failure::work),
        }
    }
}

/// The seed by which a run's intervals were drawn: with it, the same images give the same intervals.
pub(crate) fn seed(model: &Trained) -> u64 {
    let file = model.folder.as_ref().map(|folder| folder.file(RunFolder::SUMMARY));
    let text = file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    serde_json::from_str::<Value>(&text).ok().and_then(|summary| summary["seed"].as_u64()).unwrap_or(0)
}

/// What was judged, and how.
pub(crate) struct Evaluation<'a> {
    pub(crate) run: &'a Path,
    pub(crate) split: Option<Split>,
    pub(crate) images: &'a Images,
    pub(crate) predictions: &'a Predictions,
    pub(crate) intervals: &'a Value,
    pub(crate) views: Views,
    pub(crate) skipped: Vec<Value>,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    pub(crate) started: Instant,
}

impl Evaluation<'_> {
    /// What came of it: `summary.json`, and what is printed for programs.
    pub(crate) fn summary(&self, model: &Trained) -> Value {
        let metrics = json!(summary(self.predictions));
        let mut all = json!({
            "model": model.network().architecture,
            "parameters": model.network().parameter_count(),
            "classes": model.card.classes,
            "best_epoch": model.card.epoch,
            "run": self.run.to_string_lossy(),
            "data": self.images.dataset.root.to_string_lossy(),
            "split": self.split.map(Split::name),
            "images": self.predictions.len(),
            "tta": self.views.name(),
            "metrics": metrics,
            "intervals": self.intervals,
            "confusion_matrix": self.predictions.confusion().rows().collect::<Vec<_>>(),
            "timing": {
                "decode_s": self.images.decode_time.as_secs_f64(),
                "total_s": self.started.elapsed().as_secs_f64(),
            },
            "skipped_images": self.skipped,
            "seed": self.seed,
            "threads": self.threads,
            "version": env!("CARGO_PKG_VERSION"),
        });
        if let Some(split) = self.split {
            all[split.name()] = metrics;
            all[format!("{split}_intervals")] = self.intervals.clone();
        }
        all
    }

    /// Writes everything into a new folder.
    pub(crate) fn write(
        &self,
        place: &Place,
        model: &Trained,
        summary: &Value,
    ) -> Result<RunFolder, Failure> {
        let folder = place.make()?;
        let classes = model.card.classes.clone();
        let dataset = &self.images.dataset;
        let all: Vec<u32> = (0..self.images.len() as u32).collect();
        let root = std::fs::canonicalize(&dataset.root).unwrap_or_else(|_| dataset.root.clone());
        let data = json!({
            "path": root.to_string_lossy(),
            "form": dataset.form.to_string(),
            "split": self.split.map(Split::name),
            "fingerprint": fingerprint(dataset),
            "val_fingerprint": fingerprint_of(dataset, &self.images.samples(&all)),
            "images": self.images.len(),
        });
        let environment = environment(&data, self.threads, &super::typed());
        let paths = self.images.paths(&all);
        let write = |name: &str, text: &str| folder.write(name, text).map_err(Failure::work);
        write(RunFolder::SUMMARY, &format!("{summary:#}\n"))?;
        write(RunFolder::ENVIRONMENT, &format!("{environment:#}\n"))?;
        write(RunFolder::PREDICTIONS, &predictions_csv(&classes, &paths, true, self.predictions))?;
        let report = ClassificationReport::new(self.predictions.confusion()).render(&classes);
        write(RunFolder::REPORT, &report)?;
        if let Some(png) = confusion_png(self.predictions, &classes) {
            write_whole(&folder.file(RunFolder::CONFUSION), &png).map_err(Failure::work)?;
        }
        let recipe = model.folder.as_ref().map(|run| run.file(RunFolder::RECIPE));
        let recipe = recipe.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        if !recipe.is_empty() {
            write(RunFolder::RECIPE, &recipe)?;
        }
        let what = self.split.map_or("image".into(), |split| match split {
            Split::Train => "training image".to_owned(),
            Split::Val => "validation image".to_owned(),
            Split::Test => "test image".to_owned(),
        });
        let judgement = report::Judgement {
            predictions: self.predictions,
            paths: &paths,
            what: &what,
            intervals: self.intervals,
        };
        let run = self.run.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let context = report::Context {
            title: format!("{run}: {}", folder.name()),
            subtitle: format!(
                "{} of epoch {}, judged on {}{}",
                model.network().architecture,
                model.card.epoch,
                dataset.root.display(),
                self.views.name().map_or(String::new(), |name| format!(
                    "; probabilities are the mean over {} views of each image ({name})",
                    self.views.count()
                ))
            ),
            classes: &classes,
            recipe: &recipe,
            summary,
            environment: &environment,
        };
        let loader = model.loader(self.images)?;
        let mut engine = model.explainer()?;
        let source =
            report::Source { engine: &mut engine, loader: &loader, normalization: model.normalization() };
        let seconds = |key: &str| summary["timing"][key].as_f64().unwrap_or(f64::NAN);
        let (decode, total) = (seconds("decode_s"), seconds("total_s"));
        let phases =
            [("reading and resizing the images", decode), ("finding and judging them", total - decode)];
        let phases = phases.map(|(name, s)| (name.to_owned(), s)).into();
        write(RunFolder::PAGE, &report::of_evaluation(&context, &judgement, source, phases))?;
        Ok(folder)
    }
}
