//! `pupila train`: from a path to a judged classifier.

use super::recipe::{flag, resolve, suits, switch};
use super::{report, tell, tell_data};
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::{interrupted, listen};
use crate::output::{Output, images};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pupila_dataset::{Cache, Dataset, ResizeRule, Split};
use pupila_engine::{Engine, LossSum, thread_pool};
use pupila_network::{Network, architectures};
use pupila_trackers::{DataInfo, Event, RunEnd, RunInfo};
use pupila_train::{
    EpochRecord, Images, Look, ModelCard, ModelFile, Observer, Outcome, Plan, Resolved, RunFolder, Timing,
    Tracking, environment, fingerprint, fingerprint_of, flat_recipe, predictions_csv, run_summary, scan_for,
};
use pupila_transforms::{Normalization, Pipeline};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// The kind of the finding that ends a run.
const DIVERGENCE: &str = "divergence";
/// How often, at most, a better model is written to disk while training goes on. At the end it always is.
const SAVE_INTERVAL: Duration = Duration::from_secs(10);

pub(crate) fn run(arguments: &cli::Train, started: Instant) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let flags = [
        flag("epochs", "train.epochs", &arguments.epochs),
        flag("lr", "optimizer.lr", &arguments.lr),
        flag("seed", "train.seed", &arguments.seed),
        flag("mlflow", "tracking.mlflow", &arguments.mlflow),
        flag("experiment", "tracking.experiment", &arguments.experiment),
        switch("no-tensorboard", "tracking.tensorboard=false", arguments.no_tensorboard),
    ];
    let resolved = resolve(&arguments.choice, flags)?;
    listen();
    let threads = arguments.threads.count();
    let pool = thread_pool(threads).context("cannot start the threads").map_err(Failure::Work)?;
    pool.install(|| train(arguments, &resolved, threads, started, output))
}

fn train(
    arguments: &cli::Train,
    resolved: &Resolved,
    threads: usize,
    started: Instant,
    output: Output,
) -> Result<(), Failure> {
    let recipe = &resolved.recipe;
    if let Some(name) = &arguments.name {
        RunFolder::check_name(&arguments.runs, name).map_err(Failure::request)?;
    }
    let cache = if recipe.data.cache { super::model::cache() } else { None };
    let (dataset, scan_time) = scan_for(recipe, &arguments.data, cache.as_ref())?;
    suits(recipe, &dataset.classes)?;
    tell_data::dataset(output, &dataset, &arguments.data, recipe);

    // Before the long work: a place that cannot be written to is better known now.
    std::fs::create_dir_all(&arguments.runs)
        .with_context(|| format!("cannot make the folder {}", arguments.runs.display()))
        .map_err(Failure::Request)?;
    let rule = recipe.input.rule();
    let images = decode(dataset, &rule, cache.as_ref(), recipe)?;
    tell::decoding(output, &images, &rule);
    tell::warnings(output, &images.dataset);

    let (normalization, measured) =
        images.normalization(&recipe.data.normalize, &rule, cache.as_ref()).map_err(Failure::request)?;
    tell_data::in_memory(output, &images, recipe, measured.as_ref(), &normalization);
    let classes = images.dataset.classes.clone();
    let model = architectures::resolve(&recipe.model).map_err(Failure::request)?;
    let card = ModelCard::new(classes.clone(), recipe.input.clone(), &normalization, model);
    let network = architectures::build(&recipe.model, card.input_shape(), classes.len())
        .map_err(|error| Failure::wrong(format_args!("model.{}: {error}", error.key())))?;
    let pipeline = Pipeline::from_config(&recipe.augment.transforms).map_err(Failure::request)?;
    let (batch, seed) = (recipe.train.batch, recipe.train.seed);
    let val_positions = images.positions(Split::Val);
    let train_positions = images.positions(Split::Train);
    let train_images = train_positions.len();
    let order = recipe.data.sampler.order(&classes);
    let class_images = order.expected(&images.class_counts(Split::Train));
    let train_loader = images
        .training_loader(train_positions, pipeline, normalization.clone(), order, batch, seed)
        .map_err(Failure::work)?
        .with_mixing(recipe.mixing());
    let val_loader = images
        .evaluation_loader(val_positions.clone(), normalization.clone(), batch)
        .map_err(Failure::work)?;

    let stem = stem(&arguments.data, &recipe.model.name);
    let folder =
        RunFolder::create(&arguments.runs, arguments.name.as_deref(), &stem).map_err(Failure::request)?;
    let data = json!({
        "path": std::fs::canonicalize(&arguments.data).unwrap_or_else(|_| arguments.data.clone()).to_string_lossy(),
        "form": images.dataset.form.to_string(),
        "val_split_off": images.dataset.val_from_train,
        "fingerprint": fingerprint(&images.dataset),
        "val_fingerprint": fingerprint_of(&images.dataset, &images.samples(&val_positions)),
        "train_images": train_images,
        "epoch_images": train_loader.samples(),
        "val_images": val_loader.samples(),
        "sampling": tell_data::sampling_json(&images, recipe),
    });
    let environment = environment(&data, threads, &super::typed());
    folder.write_start(resolved, &environment).map_err(Failure::work)?;

    tell::model(output, &network);
    // No larger than the data asks for: a batch size beyond it costs no memory.
    let largest = batch.min(train_loader.samples().max(val_loader.samples()));
    let mut engine = Engine::<f32>::new(&network, largest, true);
    tell::memory(output, &engine, &recipe.optimizer);
    tell::plan(output, resolved, train_loader.batches(), threads);
    let run = RunInfo {
        run: folder.name(),
        classes: classes.clone(),
        parameters: network.parameter_count(),
        train_images,
        val_images: val_loader.samples(),
        recipe: flat_recipe(resolved),
        tags: super::source::tags(&arguments.data),
        data: data_info(&data),
    };
    let tracking = Tracking::start(&folder, resolved, &network, &normalization, run)
        .with_context(|| format!("cannot write {}", folder.file(RunFolder::METRICS).display()))
        .map_err(Failure::Work)?;
    let mut watch =
        Watch::new(output, recipe, &folder, card, tracking, normalization.clone(), train_loader.batches());
    let class_weights = recipe.loss.class_weights.of(&classes, &class_images);
    let plan = Plan {
        recipe,
        network: &network,
        train: &train_loader,
        val: &val_loader,
        class_weights: &class_weights,
        classes: &classes,
    };
    let outcome = pupila_train::train(&plan, &mut engine, &mut watch, &interrupted).map_err(Failure::work)?;
    watch.progress.finish_and_clear();

    let model_saved = outcome.best_epoch.map_or(Ok(()), |epoch| watch.save(&engine, epoch));
    let startup = outcome.first_step.map_or(started.elapsed(), |first| first - started);
    let timing = Timing { startup, scan: scan_time, decode: images.decode_time, total: started.elapsed() };
    let summary = run_summary(&network, &classes, &outcome, images.skipped(), &timing, seed, threads);
    tell::outcome(output, &outcome, recipe, &images.dataset, &summary);
    // Only now, so that a full disk takes the files but not the result from the user.
    model_saved.map_err(Failure::work)?;
    if let Some(predictions) = &outcome.predictions {
        let csv = predictions_csv(&classes, &images.paths(&val_positions), true, predictions);
        folder.write(RunFolder::PREDICTIONS, &csv).map_err(Failure::work)?;
    }
    folder.write(RunFolder::SUMMARY, &format!("{summary:#}\n")).map_err(Failure::work)?;
    if recipe.tracking.report {
        let paths = images.paths(&val_positions);
        let judgement = outcome.predictions.as_ref().map(|predictions| report::Judgement {
            predictions,
            paths: &paths,
            what: "validation image",
            intervals: &summary["val_intervals"],
        });
        let context = report::Context {
            title: folder.name(),
            subtitle: report::subtitle(&network, &classes, &arguments.data),
            classes: &classes,
            recipe: &resolved.to_toml(),
            summary: &summary,
            environment: &environment,
        };
        let source =
            report::Source { engine: &mut engine, loader: &val_loader, normalization: &normalization };
        let times = [timing.scan, timing.decode, timing.total];
        let collected = std::mem::take(&mut watch.collected);
        let page = report::of_run(&context, recipe, &outcome, judgement.as_ref(), collected, source, times);
        // What the page shows is in the other files too.
        if let Err(error) = folder.write(RunFolder::PAGE, &page) {
            output.warn(error);
        }
    }
    watch.record_outcome(&outcome, &val_loader);
    let mut object = summary;
    object["run"] = folder.path().to_string_lossy().into();
    output.object(&object);
    ending(output, &outcome, &folder, &images.dataset, recipe, &network)
}

/// How it ended, as an exit code, and where everything is.
fn ending(
    output: Output,
    outcome: &Outcome,
    folder: &RunFolder,
    dataset: &Dataset,
    recipe: &pupila_train::Recipe,
    network: &Network,
) -> Result<(), Failure> {
    if outcome.best_epoch.is_some() {
        tell::where_it_is(output, folder, dataset, recipe);
    }
    match (outcome.end, outcome.diverged) {
        (RunEnd::Completed | RunEnd::StoppedEarly, _) => Ok(()),
        (RunEnd::Interrupted, _) => Err(Failure::Interrupted(match outcome.best_epoch {
            Some(epoch) => {
                format!("interrupted; the model of epoch {epoch} is kept in {}", folder.path().display())
            }
            None => "interrupted before the first epoch ended, so there is no model to keep".into(),
        })),
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
            Err(Failure::work(anyhow::anyhow!(
                "the loss is no longer a number in epoch {epoch}, step {step}: training has diverged{first}; {kept}\n\
                 {remedy}{}",
                if network.parameters().iter().any(|p| p.name.ends_with("running_mean")) {
                    ""
                } else {
                    ", or --set model.batch_norm=true"
                },
            )))
        }
    }
}

/// Decodes the training and validation images with a bar.
fn decode(
    dataset: Dataset,
    rule: &ResizeRule,
    cache: Option<&Cache>,
    recipe: &pupila_train::Recipe,
) -> Result<Images, Failure> {
    // Training images first: their places are the coordinates of their augmentation.
    let mut which = dataset.indices(Split::Train);
    which.extend(dataset.indices(Split::Val));
    let bar = tell::bar(which.len() as u64, "reading images {bar:40} {pos}/{len} {eta}");
    let policy = recipe.data.on_bad_image;
    let progress = |n: usize| bar.inc(n as u64);
    let decoded = Images::decode(dataset, &which, rule, cache, policy, &progress, &interrupted);
    bar.finish_and_clear();
    let decoded = decoded?;
    if decoded.is_empty() {
        return Err(Failure::wrong(format_args!("{} left to train on", images(0))));
    }
    Ok(decoded)
}

/// The name of a run: of its data and its model.
fn stem(data: &Path, model: &str) -> String {
    let path = std::fs::canonicalize(data).unwrap_or_else(|_| data.to_owned());
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String =
        name.chars().map(|c| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '_' }).collect();
    format!("{}-{model}", name.trim_start_matches('.'))
}

/// What trackers are told of the data.
fn data_info(data: &serde_json::Value) -> DataInfo {
    let text = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    let path = text("path");
    let name =
        Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    DataInfo { name, path, form: text("form"), fingerprint: text("fingerprint") }
}

/// Follows the run: the bar, a line an epoch, the trackers, and the best model on disk.
struct Watch<'a> {
    output: Output,
    recipe: &'a pupila_train::Recipe,
    folder: &'a RunFolder,
    card: ModelCard,
    tracking: Tracking,
    progress: ProgressBar,
    saved: Option<Instant>,
    collected: report::Collected,
    normalization: Normalization,
}

impl<'a> Watch<'a> {
    fn new(
        output: Output,
        recipe: &'a pupila_train::Recipe,
        folder: &'a RunFolder,
        card: ModelCard,
        tracking: Tracking,
        normalization: Normalization,
        steps: usize,
    ) -> Self {
        let progress =
            ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stderr_with_hz(10));
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} steps  {msg}") {
            progress.set_style(style);
        }
        tell::epoch_header(output, &recipe.train.monitor);
        let collected = report::Collected::default();
        Watch { output, recipe, folder, card, tracking, progress, saved: None, collected, normalization }
    }

    fn save(&mut self, engine: &Engine<f32>, epoch: u32) -> Result<(), pupila_train::ModelFileError> {
        self.card.epoch = epoch;
        self.saved = Some(Instant::now());
        ModelFile::write(&self.card, &engine.state(), &self.folder.file(RunFolder::MODEL))
    }

    /// Records the result and waits, within bounds, for what trackers still have to do.
    fn record_outcome(&mut self, outcome: &Outcome, val: &pupila_loader::Loader) {
        let best = outcome.epochs.iter().find(|record| Some(record.epoch) == outcome.best_epoch);
        if let (Some(best), Some(predictions)) = (best, &outcome.predictions) {
            self.tracking.outcome(best, predictions, val);
        }
        for told in self.tracking.finish() {
            self.output.say(told);
        }
        self.warn();
    }

    fn warn(&mut self) {
        for warning in self.tracking.warnings() {
            let output = self.output;
            self.progress.suspend(|| output.warn(warning));
        }
    }
}

impl Observer for Watch<'_> {
    fn step(&mut self, epoch: u32, done: usize, updates: u64, so_far: &LossSum) {
        self.tracking.step(epoch, updates, so_far);
        if self.progress.is_hidden() {
            return;
        }
        self.progress.set_prefix(format!("epoch {epoch}/{}", self.recipe.train.epochs));
        self.progress.set_message(format!("loss {:.4}", so_far.mean()));
        self.progress.set_position(done as u64);
    }

    fn epoch(&mut self, record: &EpochRecord, engine: &Engine<f32>) {
        let (output, recipe) = (self.output, self.recipe);
        self.progress.suspend(|| tell::epoch(output, record, recipe));
        // A run that is killed keeps a model that is at most this old; a failure is told at the end, when it is final.
        if record.improved && self.saved.is_none_or(|saved| saved.elapsed() > SAVE_INTERVAL) {
            if record.epoch == 1 {
                // The first epochs come quickly; what is to be kept of them is written later.
                self.saved = Some(Instant::now());
            } else if let Err(error) = self.save(engine, record.epoch) {
                self.output.warn(format_args!("the model so far could not be written: {error}"));
            }
        }
    }

    fn event(&mut self, event: Event) {
        if let Event::Finding { kind, message, suggestion, .. } = &event
            // Which is how the run ends, and told there.
            && kind != DIVERGENCE
        {
            let output = self.output;
            self.progress.suspend(|| tell::finding(output, message, suggestion));
        }
        self.tracking.event(event);
        self.warn();
    }

    fn look(&mut self, mut look: Look<'_>) {
        if self.recipe.tracking.report {
            self.collected.look(&mut look, &self.normalization);
        }
        self.tracking.look(look);
        self.warn();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_after_its_data_and_model() {
        assert_eq!(stem(Path::new("some/skin photos"), "mlp"), "skin_photos-mlp");
        assert_eq!(stem(Path::new("labels.csv"), "mlp"), "labels-mlp");
    }
}
