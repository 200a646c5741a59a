//! A run that is taken apart after every step and put together again, in new engines, loaders and trackers, is the run that was
//! never stopped: to the bit in its values, and to the line in what it records.
#![allow(clippy::unwrap_used)]

use pupila_backend::Backend;
use pupila_engine::CpuBackend;
use pupila_loader::{Loader, Order, Source};
use pupila_network::{Network, StateDict};
use pupila_run::RunFolder;
use pupila_trackers::{Event, RunInfo};
use pupila_train::{
    Begin, CheckedRecipe, EpochRecord, Layers, Look, LoopState, ModelCard, Observer, Outcome, Plan, Setting,
    Start, StepRecord, Stop, Tracking, TrackingState, Training,
};
use pupila_transforms::{Normalization, Shape};
use std::path::Path;

const TRAIN: usize = 22;
const VAL: usize = 9;
const CLASSES: usize = 3;

fn recipe(settings: &[&str]) -> CheckedRecipe {
    let common =
        ["input.size=8", "train.batch=4", "train.epochs=4", "tracking.steps_every=2", "train.seed=3"];
    let setting = |s: &&str| Setting { assignment: (*s).to_owned(), option: format!("--set {s}") };
    let settings = common.iter().chain(settings).map(setting).collect();
    Layers { file: None, settings, learnt: None }.resolve().unwrap()
}

/// Images that can be learnt a little: noise, brighter in one channel for each class.
fn source(len: usize, seed: u32, side: u32) -> Source {
    let shape = Shape { height: side as usize, width: side as usize, channels: 3 };
    let mut word = seed;
    let mut noise = || {
        word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (word >> 24) as u8
    };
    let labels: Vec<u32> = (0..len).map(|i| (i % CLASSES) as u32).collect();
    let pixels = labels.iter().flat_map(|&label| {
        (0..shape.values()).map(|i| if i % 3 == label as usize { 60 } else { 0 }).collect::<Vec<u8>>()
    });
    let pixels = pixels.map(|bright| bright + noise() / 2).collect();
    Source::from_vec(pixels, labels, shape).unwrap()
}

/// All that a plan borrows, made anew.
struct Parts {
    recipe: CheckedRecipe,
    network: Network,
    train: Loader,
    val: Loader,
    classes: Vec<String>,
}

impl Parts {
    fn new(recipe: &CheckedRecipe) -> Self {
        let classes: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        let normalization = Normalization::imagenet(3);
        let card =
            ModelCard::new(classes.clone(), recipe.input.clone(), &normalization, recipe.model.clone());
        let loader = |source, pipeline, order| {
            Loader::new(source, pipeline, normalization.clone(), order, recipe.train.batch, recipe.train.seed)
        };
        let order = recipe.data.sampler.order(&classes);
        let train =
            loader(source(TRAIN, 1, recipe.input.size.longer()), recipe.pipeline().clone(), order).unwrap();
        Parts {
            network: card.network().unwrap(),
            train: train.with_mixing(recipe.mixing()),
            val: loader(source(VAL, 2, recipe.input.size.longer()), Default::default(), Order::AsGiven)
                .unwrap(),
            recipe: recipe.clone(),
            classes,
        }
    }

    fn plan(&self) -> Plan<'_> {
        Plan {
            recipe: &self.recipe,
            network: &self.network,
            train: &self.train,
            val: &self.val,
            class_weights: &[],
            classes: &self.classes,
            contents: &[],
            kept: None,
        }
    }

    fn engine(&self) -> CpuBackend {
        CpuBackend::new(&self.network, self.recipe.train.batch, true)
    }
}

/// Records a run, and ends it after so many steps.
struct Watcher {
    tracking: Tracking,
    steps: Option<usize>,
}

impl Observer for Watcher {
    fn stop(&mut self) -> Option<Stop> {
        (self.steps == Some(0)).then(|| Stop::Ended("taken apart".into()))
    }

    fn begin(&mut self, begin: Begin<'_>) {
        self.tracking.begin(&begin);
    }

    fn step(&mut self, step: &StepRecord) {
        self.tracking.step(step);
        self.steps = self.steps.map(|steps| steps - 1);
    }

    fn event(&mut self, event: &Event) {
        self.tracking.event(event.clone());
    }

    fn look(&mut self, look: Look<'_>) {
        self.tracking.look(look);
    }
}

/// How a run came out, without its times.
#[derive(Debug, PartialEq)]
struct Result {
    values: StateDict,
    epochs: Vec<EpochRecord>,
    best: Option<u32>,
    end: String,
    findings: Vec<String>,
    probabilities: Vec<f32>,
    records: Vec<serde_json::Value>,
    tensorboard: Vec<String>,
}

fn without_times(mut record: EpochRecord) -> EpochRecord {
    (record.train_time, record.eval_time, record.waited) = Default::default();
    record.images_per_s = 0.0;
    record
}

fn result(outcome: Outcome, engine: &dyn Backend, watcher: Watcher, folder: &Path) -> Result {
    let Watcher { mut tracking, .. } = watcher;
    tracking.finish();
    let text = std::fs::read_to_string(folder.join(RunFolder::METRICS)).unwrap();
    let record = |line: &str| {
        let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
        record.as_object_mut().unwrap().remove("time");
        if let Some(values) = record.get_mut("values").and_then(|values| values.as_object_mut()) {
            values.remove("train/images_per_s");
        }
        record
    };
    Result {
        values: engine.state(),
        epochs: outcome.epochs.into_iter().map(without_times).collect(),
        best: outcome.best_epoch,
        end: outcome.end.name().to_owned(),
        findings: outcome.findings.iter().map(|finding| format!("{finding:?}")).collect(),
        probabilities: outcome.predictions.unwrap().probabilities().to_vec(),
        records: text.lines().map(record).collect(),
        tensorboard: tags_of_event_files(folder),
    }
}

/// The tags of the summaries in all event files of a folder, in the order in which they were written.
fn tags_of_event_files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.to_string_lossy().contains("tfevents")).collect();
    // By the second in which they began, then by their number in it.
    files.sort_by_key(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let part = |part: &str| part.parse::<u64>().unwrap();
        (part(name.split('.').nth(3).unwrap()), part(name.rsplit('.').next().unwrap()))
    });
    let mut tags = Vec::new();
    for file in files {
        let bytes = std::fs::read(file).unwrap();
        // What is told of each tag is its name in the file; the rest of the bytes has times in it.
        for part in bytes.split(|byte| !byte.is_ascii_graphic()) {
            let text = String::from_utf8_lossy(part);
            for group in ["parameters/", "gradients/", "val/right", "val/wrong", "filters/"] {
                if let Some(at) = text.find(group) {
                    tags.push(text[at..].to_owned());
                }
            }
        }
    }
    tags
}

fn whole(recipe: &CheckedRecipe) -> Result {
    let folder = tempfile::tempdir().unwrap();
    let parts = Parts::new(recipe);
    let plan = parts.plan();
    let tracking = started(&plan, folder.path());
    let mut watcher = Watcher { tracking, steps: None };
    let mut engine = parts.engine();
    let outcome =
        pupila_train::train(&plan, &mut engine, Start::Values(&plan.initial_values()), &mut watcher).unwrap();
    result(outcome, &engine, watcher, folder.path())
}

fn started(plan: &Plan<'_>, folder: &Path) -> Tracking {
    let folder = RunFolder::open(folder).unwrap();
    Tracking::start(&folder, plan, &plan.recipe.to_toml(), &Normalization::imagenet(3), RunInfo::default())
        .unwrap()
}

/// The same run, stopped after every step; everything but its state is thrown away each time.
fn in_pieces(recipe: &CheckedRecipe) -> Result {
    let folder = tempfile::tempdir().unwrap();
    let mut state: Option<(LoopState, TrackingState)> = None;
    loop {
        let parts = Parts::new(recipe);
        let plan = parts.plan();
        let mut engine = parts.engine();
        let tracking = match &state {
            None => started(&plan, folder.path()),
            Some((_, tracking)) => {
                let folder = RunFolder::open(folder.path()).unwrap();
                Tracking::resume(&folder, &plan, &Normalization::imagenet(3), tracking).unwrap()
            }
        };
        let mut watcher = Watcher { tracking, steps: Some(1) };
        let initial = plan.initial_values();
        let start = state.as_ref().map_or(Start::Values(&initial), |(state, _)| Start::State(state));
        let mut training = Training::begin(&plan, &mut engine, start).unwrap();
        let end = training.run(&mut watcher).unwrap();
        if end.name() != "ended" {
            let outcome = training.finish(&mut watcher).unwrap();
            return result(outcome, &engine, watcher, folder.path());
        }
        state = Some((training.state(), watcher.tracking.state().clone()));
        watcher.tracking.finish();
    }
}

fn same_in_pieces(settings: &[&str]) -> Result {
    let recipe = recipe(settings);
    let (whole, pieces) = (whole(&recipe), in_pieces(&recipe));
    assert_eq!(whole.epochs, pieces.epochs, "{settings:?}");
    assert_eq!(whole.records, pieces.records, "{settings:?}");
    assert_eq!(whole.tensorboard, pieces.tensorboard, "{settings:?}");
    assert!(!whole.tensorboard.is_empty());
    assert!(whole == pieces, "{settings:?}");
    whole
}

#[test]
fn an_mlp_with_everything_that_remembers() {
    let result = same_in_pieces(&[
        "model.hidden=[16, 8]",
        "model.dropout=0.3",
        "model.batch_norm=true",
        "train.accumulate=4",
        "train.ema_decay=0.9",
        "augment.mixup=0.4",
        "augment.cutmix=1.0",
        "schedule.name=plateau",
        "schedule.patience=0",
        "schedule.threshold=0.5",
        "schedule.warmup_steps=3",
        "loss.label_smoothing=0.1",
        "data.sampler=balanced",
    ]);
    // Six batches an epoch of four to an update: the last two of an epoch make one of their own.
    assert_eq!(result.epochs.last().unwrap().step, 8);
    assert!(result.epochs.windows(2).any(|pair| pair[1].lr < pair[0].lr), "the plateau lowers the rate");
}

#[test]
fn a_convolutional_network_under_every_optimizer() {
    for optimizer in ["adam", "adamw", "sgd", "rmsprop"] {
        let name = format!("optimizer.name={optimizer}");
        let momentum =
            if matches!(optimizer, "sgd" | "rmsprop") { "optimizer.momentum=0.9" } else { "train.seed=4" };
        let result = same_in_pieces(&[
            &name,
            momentum,
            "model.name=cnn",
            "model.filters=[8, 16]",
            "model.batch_norm=true",
            "train.clip_norm=0.5",
            "schedule.name=one_cycle",
            "train.epochs=2",
        ]);
        assert_eq!(result.end, "completed");
    }
}

#[test]
fn early_stopping_waits_as_long_as_it_would_have() {
    let result = same_in_pieces(&[
        "model.hidden=[4]",
        "optimizer.lr=1e-9",
        "train.epochs=9",
        "early_stopping.patience=2",
        "early_stopping.min_delta=0.5",
    ]);
    assert_eq!((result.end.as_str(), result.epochs.len()), ("stopped_early", 3));
}

#[test]
fn findings_are_told_once() {
    let result = same_in_pieces(&[
        "model.hidden=[8]",
        "model.init={ constant = { value = 0.1 } }",
        "optimizer.lr=0.5",
    ]);
    assert!(
        result.findings.iter().any(|finding| finding.contains("symmetric_weights")),
        "{:?}",
        result.findings
    );
    let said = result.records.iter().filter(|record| record["event"] == "finding").count();
    assert_eq!(said, result.findings.len());
}

/// An observer that wants the run to end, and says why.
struct Impatient(u32);

impl Observer for Impatient {
    fn stop(&mut self) -> Option<Stop> {
        (self.0 == 0).then(|| Stop::Ended("enough".into()))
    }

    fn epoch(&mut self, _: &EpochRecord, _: &dyn Backend) {
        self.0 -= 1;
    }
}

#[test]
fn an_observer_ends_a_run_with_its_best_values() {
    let parts = Parts::new(&recipe(&["model.hidden=[8]"]));
    let (plan, mut engine) = (parts.plan(), parts.engine());
    let outcome =
        pupila_train::train(&plan, &mut engine, Start::Values(&plan.initial_values()), &mut Impatient(2))
            .unwrap();
    assert_eq!((outcome.end.name(), outcome.epochs.len()), ("ended", 2));
    assert_eq!(outcome.ended_because.as_deref(), Some("enough"));
    assert!(outcome.best_epoch.is_some() && outcome.predictions.is_some());
}

#[test]
fn learnt_values_are_another_way_to_begin() {
    let parts = Parts::new(&recipe(&["model.hidden=[8]", "train.epochs=3"]));
    let plan = parts.plan();
    let mut engine = parts.engine();
    let first =
        pupila_train::train(&plan, &mut engine, Start::Values(&plan.initial_values()), &mut ()).unwrap();
    let learnt = engine.state();
    let mut engine = parts.engine();
    let mut training = Training::begin(&plan, &mut engine, Start::Values(&learnt)).unwrap();
    training.run(&mut ()).unwrap();
    let second = training.finish(&mut ()).unwrap();
    assert!(second.epochs[0].train_loss < first.epochs[0].train_loss);
    let foreign = StateDict::new();
    let mut engine = parts.engine();
    assert!(Training::begin(&plan, &mut engine, Start::Values(&foreign)).is_err());
}

/// Every architecture at length, which takes minutes: `.ci/long` asks for it.
#[test]
#[ignore = "takes minutes"]
fn every_architecture_at_length() {
    let remembers = [
        "train.ema_decay=0.9",
        "augment.mixup=0.4",
        "train.accumulate=2",
        "schedule.name=plateau",
        "schedule.patience=1",
        "train.epochs=8",
        "input.size=32",
    ];
    for (model, own) in [
        ("mlp", &["model.batch_norm=true", "model.dropout=0.2"][..]),
        ("cnn", &["model.batch_norm=true", "model.dropout=0.2"]),
        ("resnet18", &[]),
        ("resnet34", &[]),
        ("mobilenet_v2", &["model.dropout=0.2"]),
    ] {
        println!("{model}");
        let name = format!("model.name={model}");
        same_in_pieces(&[&remembers[..], &[name.as_str()], own].concat());
    }
}
