//! The library as a program of somebody else's sees it.
#![allow(clippy::unwrap_used)]

use pupila::random::Stream;
use pupila::recipe::{Augment, CheckedRecipe, Input, Model, Optimizer, Train};
use pupila::run_files::{Environment, Record};
use pupila::trackers::Event;
use pupila::transforms::{Frame, HorizontalFlip, Nothing, Shape, Transform};
use pupila::{
    Classifier, EpochRecord, Error, ErrorKind, Evaluation, EvaluationOptions, Judging, Observer, Outcome,
    Ready, Recipe, Run, RunEnd, RunFiles, RunFolder, Session, StepRecord, Stop, StopSignal,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/skin").canonicalize().unwrap()
}

fn recipe() -> Recipe {
    Recipe {
        input: Input { size: 8.into(), ..Input::default() },
        model: Model { hidden: Some(vec![8]), dropout: Some(0.2), ..Model::default() },
        train: Train { epochs: 3, ..Train::default() },
        ..Recipe::default()
    }
}

fn run_in(folder: &Path, name: &str, recipe: Recipe, observer: &mut dyn Observer) -> Run {
    let builder = Session::builder(recipe, samples()).runs(folder).name(name).cache(None).threads(2);
    builder.open().unwrap().run(observer).unwrap()
}

/// The files of a folder without what is of the clock, the place and the machine: named fields, and nothing else.
fn content(folder: &RunFolder) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let text = match name.as_str() {
            RunFolder::SUMMARY => {
                let mut summary: Value = serde_json::from_slice(&bytes).unwrap();
                let object = summary.as_object_mut().unwrap();
                for key in ["timing", "peak_rss_bytes", "engine_bytes", "threads"] {
                    object.remove(key).unwrap();
                }
                summary.to_string()
            }
            RunFolder::METRICS => {
                let clean = |line: &str| {
                    let mut record: Value = serde_json::from_str(line).unwrap();
                    record.as_object_mut().unwrap().remove("time").unwrap();
                    record.as_object_mut().unwrap().remove("run");
                    if let Some(values) = record.get_mut("values").and_then(Value::as_object_mut) {
                        values.remove("train/images_per_s");
                    }
                    // How busy the machine is.
                    if record["event"] == "system" {
                        record["values"] = Value::Null;
                    }
                    record.to_string()
                };
                String::from_utf8(bytes).unwrap().lines().map(clean).collect::<Vec<_>>().join("\n")
            }
            // Its times are charts; what else it shows is in the other files.
            RunFolder::PAGE => continue,
            _ if name.contains("tfevents") => tags_in(&bytes).join("\n"),
            RunFolder::ENVIRONMENT => {
                let mut environment: Environment = serde_json::from_slice(&bytes).unwrap();
                environment.threads = 0;
                format!("{environment:?}")
            }
            _ => format!("{bytes:?}"),
        };
        let name = if name.contains("tfevents") { "tfevents".to_owned() } else { name };
        assert!(files.insert(name, text).is_none());
    }
    files
}

/// The tags of an event file, in order.
fn tags_in(bytes: &[u8]) -> Vec<String> {
    let groups = ["parameters/", "gradients/", "train/", "val/", "best/", "filters/", "gradient/", "step/"];
    let parts =
        bytes.split(|byte| !byte.is_ascii_graphic()).map(|part| String::from_utf8_lossy(part).into_owned());
    parts.filter(|part| groups.iter().any(|group| part.contains(group))).collect()
}

#[test]
fn what_a_session_leaves_answers_and_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_in(folder.path(), "one", recipe(), &mut ());
    assert_eq!((run.outcome().end, run.outcome().epochs.len()), (RunEnd::Completed, 3));
    let files = RunFiles::read(run.folder().path()).unwrap();
    assert_eq!(
        files.predictions.probabilities(),
        run.outcome().predictions.as_ref().unwrap().probabilities()
    );
    assert_eq!(files.summary.metric("accuracy"), run.val("accuracy"));
    assert_eq!(files.paths, run.paths());
    // One image by its bytes, all of them as files, and what training said: the same to the bit.
    let mut classifier = Classifier::open(run.folder().path()).unwrap();
    let paths: Vec<PathBuf> = run.paths().iter().map(PathBuf::from).collect();
    let answers = classifier.predict_files(&paths[..5], &Judging::new()).unwrap();
    for (path, answer) in answers.iter() {
        let place = run.paths().iter().position(|other| other == path).unwrap();
        let said = files.predictions.rows().nth(place).unwrap();
        assert_eq!(answer.probabilities, said);
        assert_eq!(classifier.predict(&std::fs::read(path).unwrap()).unwrap(), answer);
        assert_eq!(answer.top(1)[0].0, answer.class());
    }
    let wrong = classifier.predict(b"no image").unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Work);
    let options = EvaluationOptions::default();
    let evaluation = Evaluation::open(&mut classifier, options).unwrap();
    let judged = evaluation.judge().unwrap();
    assert_eq!(judged.summary().metrics.get("accuracy").copied().flatten(), run.val("accuracy"));
}

#[test]
fn all_faults_come_at_once_and_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let wrong = Recipe {
        train: Train { epochs: 0, monitor: "val/f1".into(), ..Train::default() },
        optimizer: Optimizer { lr: -1.0, ..Optimizer::default() },
        augment: Augment::of([HorizontalFlip { p: 7.0 }.into()]),
        ..Recipe::default()
    };
    let error = Session::builder(wrong, "nowhere").runs(&runs).open().unwrap_err();
    let Error::Recipe(faults) = &error else { panic!("{error}") };
    assert_eq!((faults.0.len(), error.kind()), (4, ErrorKind::Request), "{error}");
    let nowhere = Session::builder(recipe(), "nowhere").runs(&runs).open().unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::Request);
    // A network that cannot be built for the input is known before an image is read, too.
    let small = Recipe { model: Model { name: "cnn".into(), ..Model::default() }, ..recipe() };
    let small = Recipe { input: Input { size: 2.into(), ..Input::default() }, ..small };
    assert_eq!(Session::builder(small, samples()).runs(&runs).open().unwrap_err().kind(), ErrorKind::Request);
    assert!(!runs.exists() || std::fs::read_dir(&runs).unwrap().next().is_none());
    let run = run_in(&runs, "taken", recipe(), &mut ());
    let again = Session::builder(recipe(), samples()).runs(&runs).name("taken").open().unwrap_err();
    assert!(again.to_string().contains("never written over"), "{again}");
    drop(run);
}

/// Counts what it is told, and ends the run after so many epochs.
#[derive(Default)]
struct Counting {
    steps: usize,
    epochs: usize,
    events: usize,
    ready: usize,
    results: usize,
    stop_after: Option<usize>,
}

impl Observer for Counting {
    fn stop(&mut self) -> Option<Stop> {
        (self.stop_after? <= self.epochs).then(|| Stop::Ended("two are enough".into()))
    }

    fn step(&mut self, _: &StepRecord) {
        self.steps += 1;
    }

    fn epoch(&mut self, _: &EpochRecord, _: &dyn pupila::backend::Backend) {
        self.epochs += 1;
    }

    fn event(&mut self, _: &Event) {
        self.events += 1;
    }

    fn ready(&mut self, ready: &Ready<'_>) {
        assert!(ready.folder.path().is_dir() && ready.threads == 2);
        self.ready += 1;
    }

    fn result(&mut self, outcome: &Outcome, summary: &pupila::run_files::RunSummary) {
        assert_eq!(outcome.best_epoch, summary.best_epoch);
        self.results += 1;
    }

    fn peak_memory_bytes(&mut self) -> Option<u64> {
        Some(12_345)
    }
}

#[test]
fn an_observer_is_told_everything_and_may_end_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Counting::default();
    let run = run_in(folder.path(), "all", recipe(), &mut all);
    assert_eq!((all.steps, all.epochs, all.ready, all.results), (24, 3, 1, 1));
    assert!(all.events > all.epochs);
    assert_eq!(run.summary().peak_rss_bytes, Some(12_345), "memory is what was handed in");
    let mut short = Counting { stop_after: Some(2), ..Counting::default() };
    let run = run_in(folder.path(), "short", recipe(), &mut short);
    assert_eq!((run.outcome().end, run.outcome().epochs.len()), (RunEnd::Ended, 2));
    let summary = run.summary();
    assert_eq!((summary.status, summary.ended_because.as_deref()), (RunEnd::Ended, Some("two are enough")));
    assert!(run.folder().file(RunFolder::MODEL).exists());
    assert!(run.folder().file(RunFolder::PAGE).exists());
}

/// Meets the other session after every step, so that the two are really side by side.
struct InStep {
    other: Option<(SyncSender<()>, Receiver<()>)>,
    signal: Option<(usize, StopSignal)>,
    steps: usize,
}

impl Observer for InStep {
    fn step(&mut self, _: &StepRecord) {
        self.steps += 1;
        if let Some((here, there)) = &self.other {
            // Where the other has ended there is nobody to meet.
            let _ = here.send(()).map(|()| there.recv());
        }
        if let Some((after, signal)) = &self.signal
            && self.steps == *after
        {
            signal.set();
        }
    }
}

#[test]
fn two_sessions_in_two_threads_give_what_each_gives_alone() {
    let folder = tempfile::tempdir().unwrap();
    let other = Recipe { train: Train { seed: 7, epochs: 3, ..Train::default() }, ..recipe() };
    let alone = [("a", recipe()), ("b", other)].map(|(name, recipe)| {
        content(run_in(&folder.path().join("alone"), name, recipe.clone(), &mut ()).folder())
    });
    let ((to_a, at_a), (to_b, at_b)) = (sync_channel(1), sync_channel(1));
    let other = Recipe { train: Train { seed: 7, epochs: 3, ..Train::default() }, ..recipe() };
    let together = [("a", recipe(), (to_b, at_a)), ("b", other, (to_a, at_b))]
        .map(|(name, recipe, other)| {
            let runs = folder.path().join("together");
            std::thread::spawn(move || {
                let mut observer = InStep { other: Some(other), signal: None, steps: 0 };
                content(run_in(&runs, name, recipe, &mut observer).folder())
            })
        })
        .map(|thread| thread.join().unwrap());
    assert_eq!(alone[0], together[0]);
    assert_eq!(alone[1], together[1]);
    assert_ne!(alone[0], alone[1]);
}

#[test]
fn one_session_is_stopped_while_the_other_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let signal = StopSignal::new();
    let runs = folder.path().to_owned();
    let start = |name: &'static str, stop: StopSignal, after: Option<usize>| {
        let runs = runs.clone();
        std::thread::spawn(move || {
            let builder = Session::builder(recipe(), samples()).runs(runs).name(name).cache(None);
            let mut session = builder.stop_signal(&stop).open().unwrap();
            let signal = after.map(|after| (after, stop));
            session.run(&mut InStep { other: None, signal, steps: 0 }).unwrap()
        })
    };
    let (stopped, goes_on) = (start("stopped", signal, Some(12)), start("goes-on", StopSignal::new(), None));
    let (stopped, goes_on) = (stopped.join().unwrap(), goes_on.join().unwrap());
    assert_eq!((stopped.outcome().end, stopped.outcome().epochs.len()), (RunEnd::Interrupted, 1));
    assert_eq!(goes_on.outcome().end, RunEnd::Completed);
}

#[test]
fn a_stopped_decoding_makes_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let signal = StopSignal::new();
    let builder = Session::builder(recipe(), samples()).runs(folder.path()).cache(None).stop_signal(&signal);
    let mut session = builder.open().unwrap();
    signal.set();
    assert_eq!(session.run(&mut ()).unwrap_err().kind(), ErrorKind::Stopped);
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn equal_runs_leave_equal_files_whatever_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, threads: usize| {
        let recipe = Recipe { train: Train { epochs: 12, ..Train::default() }, ..recipe() };
        let builder = Session::builder(recipe, samples()).runs(folder.path()).name(name).cache(None);
        content(builder.threads(threads).open().unwrap().run(&mut ()).unwrap().folder())
    };
    let (one, two, three) = (run("one", 1), run("two", 2), run("three", 3));
    assert!(
        one["tfevents"].matches("parameters/1.weight").count() == 13,
        "every epoch of a small run, and step 0"
    );
    assert_eq!(one, two);
    assert_eq!(one, three);
}

/// A transform of this program's own: it takes something off every value.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
struct Darken {
    by: u8,
}

impl Transform for Darken {
    const NAME: &'static str = "darken";
    const DESCRIPTION: &'static str = "takes something off every value";
    type Drawn = Nothing;

    fn p(&self) -> f64 {
        1.0
    }

    fn draw(&self, _: Shape, _: &mut Stream) -> Nothing {
        Nothing {}
    }

    fn apply(&self, _: &Nothing, frame: &mut Frame) {
        frame.map(&std::array::from_fn(|value| (value as u8).saturating_sub(self.by)));
    }
}

#[test]
fn a_transform_of_ones_own_trains_and_is_told_and_nobody_needs_it_later() {
    let folder = tempfile::tempdir().unwrap();
    let with = |by| Recipe { augment: Augment::of([Darken { by }.into()]), ..recipe() };
    let (none, some) =
        (run_in(folder.path(), "none", with(0), &mut ()), run_in(folder.path(), "some", with(90), &mut ()));
    assert_ne!(none.outcome().epochs[0].train_loss, some.outcome().epochs[0].train_loss, "it is applied");
    assert_eq!(some.summary().own_transforms, ["darken"]);
    let recipe = some.folder().recipe().unwrap().unwrap();
    assert!(recipe.contains("the caller's own") && recipe.contains("darken"), "{recipe}");
    let mut classifier = Classifier::open(some.folder().path()).unwrap();
    let options = EvaluationOptions::default();
    let evaluation = Evaluation::open(&mut classifier, options).unwrap();
    assert!(
        evaluation.warnings.iter().any(|warning| warning.contains("darken")),
        "{:?}",
        evaluation.warnings
    );
    assert_eq!(evaluation.judge().unwrap().predictions.len(), 60);
}

#[test]
fn the_split_has_a_seed_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    // Class folders without a validation set.
    let data = folder.path().join("data");
    for class in ["melanoma", "nevus"] {
        std::fs::create_dir_all(data.join(class)).unwrap();
        for entry in std::fs::read_dir(samples().join("train").join(class)).unwrap().take(20) {
            let path = entry.unwrap().path();
            std::fs::copy(&path, data.join(class).join(path.file_name().unwrap())).unwrap();
        }
    }
    let run = |seed, split_seed| {
        let mut recipe = Recipe { train: Train { epochs: 1, seed, ..Train::default() }, ..recipe() };
        recipe.data.split_seed = split_seed;
        let builder = Session::builder(recipe, &data).runs(folder.path().join("runs")).cache(None);
        let run = builder.open().unwrap().run(&mut ()).unwrap();
        (run.paths().to_vec(), std::fs::read(run.folder().file(RunFolder::MODEL)).unwrap())
    };
    let (split_0, model_0) = run(0, None);
    assert_eq!(run(0, Some(0)), (split_0.clone(), model_0.clone()), "left out it is the run's seed");
    let (split, model) = run(5, Some(0));
    assert!(split == split_0 && model != model_0, "the same images, other values");
    let (split, _) = run(0, Some(5));
    assert_ne!(split, split_0);
    assert_eq!(run(5, None).0, split, "as a run of that seed splits");
}

/// A run as it was written before its files said their format, with a key in its recipe that is refused today.
fn old_run(folder: &Path) -> PathBuf {
    let run = folder.join("old");
    std::fs::create_dir(&run).unwrap();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old_run")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let bytes = match String::from_utf8(bytes) {
            Ok(text) => text.replace("SAMPLES", &samples().to_string_lossy()).into_bytes(),
            Err(binary) => binary.into_bytes(),
        };
        std::fs::write(run.join(path.file_name().unwrap()), bytes).unwrap();
    }
    run
}

#[test]
fn a_run_of_the_first_format_still_opens() {
    let folder = tempfile::tempdir().unwrap();
    let run = old_run(folder.path());
    let files = RunFiles::read(&run).unwrap();
    assert_eq!((files.summary.format(), files.environment.format, files.epochs.len()), (1, 1, 3));
    let records = files.folder.records().unwrap();
    let Record::Start(start) = &records[0] else { panic!("{:?}", records[0]) };
    assert_eq!((start.format, start.train_images), (1, 240));
    let mut classifier = Classifier::open(&run).unwrap();
    let bytes =
        std::fs::read(samples().join("val/nevus").join(name_in(&samples().join("val/nevus")))).unwrap();
    classifier.predict(&bytes).unwrap();
    let options = EvaluationOptions::default();
    let evaluation = Evaluation::open(&mut classifier, options).unwrap();
    assert!(
        evaluation.warnings.iter().any(|warning| warning.contains("momentum")),
        "{:?}",
        evaluation.warnings
    );
    let judged = evaluation.judge().unwrap();
    // Not to the bit: another decoder made its pixels, off by a few of 255 at the edges of colors.
    let (now, then) = (judged.predictions.probabilities(), files.predictions.probabilities());
    assert_eq!(now.len(), then.len());
    let apart = now.iter().zip(then).map(|(now, then)| (now - then).abs()).fold(0.0, f32::max);
    assert!(apart < 2e-3, "{apart}");
}

fn name_in(folder: &Path) -> String {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names[0].to_string_lossy().into_owned()
}

#[test]
fn a_run_of_the_future_is_refused_with_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_in(folder.path(), "run", recipe(), &mut ());
    let mut environment = run.folder().environment().unwrap().unwrap();
    (environment.format, environment.version) = (environment.format + 1, "9.1.0".into());
    run.folder().write_environment(&environment).unwrap();
    for error in [
        Classifier::open(run.folder().path()).unwrap_err().to_string(),
        RunFiles::read(run.folder().path()).unwrap_err().to_string(),
        RunFolder::open(run.folder().path()).unwrap_err().to_string(),
    ] {
        assert!(error.contains("Pupila 9.1.0"), "{error}");
    }
}

#[test]
fn a_checked_recipe_is_what_it_was_made_of() {
    let checked: CheckedRecipe = recipe().checked().unwrap();
    assert_eq!(checked.train.epochs, 3);
    assert!(Session::builder(checked.clone(), samples()).open().is_ok());
    let changed = Recipe { train: Train { epochs: 5, ..Train::default() }, ..checked.into_recipe() };
    assert_eq!(changed.checked().unwrap().train.epochs, 5);
}
