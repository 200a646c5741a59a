//! Studies, as a program of somebody else's runs them.
#![allow(clippy::unwrap_used)]

mod common;

use common::skin;
use common::studies::{TWO, builder, models, parse, plan, request, stop_after};
use pupila::recipe::Layers;
use pupila::run_files::StudyFile;
use pupila::study::{
    Keep, Place, Request, RunFacts, StudyObserver, StudyPlan, Unfinished, Verdict, definition,
};
use pupila::{RunFolder, Session, StopSignal, Study};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a run leaves that is not of the clock.
fn result(folder: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in [RunFolder::MODEL, RunFolder::PREDICTIONS] {
        files.insert(name, std::fs::read(folder.join(name)).unwrap());
    }
    let epochs = RunFolder::open(folder).unwrap().epochs().unwrap();
    let epochs: Vec<_> = epochs
        .into_iter()
        .map(|(epoch, values)| {
            let of_clock = |tag: &str| tag == "train/images_per_s";
            (epoch, values.into_iter().filter(|(tag, _)| !of_clock(tag)).collect::<Vec<_>>())
        })
        .collect();
    files.insert("epochs", format!("{epochs:?}").into_bytes());
    files
}

#[test]
fn runs_give_what_they_give_alone_however_many_there_are_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(TWO, &request(&[]));
    let mut found = Vec::new();
    for jobs in [1, 3] {
        let runs = folder.path().join(jobs.to_string());
        let mut study = builder(plan.clone(), &runs).threads(4).jobs(jobs).keep(Keep::All).open().unwrap();
        assert_eq!(study.forecast().jobs, jobs);
        let said = study.run(&()).unwrap();
        assert_eq!((said.missing, said.because), (0, None));
        let of = |&place: &Place| result(&study.folder().join(plan.run_name(place)));
        found.push((plan.places().iter().map(of).collect::<Vec<_>>(), said));
    }
    assert_eq!(found[0].0, found[1].0);
    assert_eq!(found[0].1.answer, found[1].1.answer);
    assert_eq!(
        found[0].1.analysis.variants[1].mean.to_bits(),
        found[1].1.analysis.variants[1].mean.to_bits()
    );
    for (place, in_study) in plan.places().into_iter().zip(&found[0].0) {
        let recipe = plan.recipe(place).unwrap();
        let name = format!("alone-{}", plan.run_name(place));
        let mut session = Session::builder(recipe, skin())
            .runs(folder.path())
            .name(name)
            .cache(None)
            .threads(1)
            .open()
            .unwrap();
        let run = session.run(&mut ()).unwrap();
        assert_eq!(result(run.folder().path()), *in_study, "{}", run.folder().name());
    }
}

#[test]
fn what_has_ended_is_never_run_again_and_what_was_begun_is() {
    let folder = tempfile::tempdir().unwrap();
    let open = |stop: &StopSignal| {
        builder(plan(TWO, &request(&[])), folder.path()).jobs(1).stop_signal(stop).open().unwrap()
    };
    let first = stop_after(1);
    let mut study = open(&first.stop);
    let said = study.run(&first).unwrap();
    assert_eq!((said.missing, said.because), (3, Some(Unfinished::Stopped)));
    drop(study);
    let ended = folder.path().join("s/dropout-0.0-seed0");
    std::fs::write(ended.join("mark"), "mine").unwrap();
    // A run that was killed: a folder without a result, and one whose result is torn.
    let begun = folder.path().join("s/dropout-0.3-seed0");
    std::fs::create_dir(&begun).unwrap();
    std::fs::write(begun.join("metrics.jsonl"), "{\"event\":\"start\"").unwrap();
    let torn = folder.path().join("s/dropout-0.0-seed1");
    std::fs::create_dir(&torn).unwrap();
    std::fs::write(torn.join("summary.json"), "").unwrap();
    let second = stop_after(usize::MAX);
    let mut study = open(&second.stop);
    assert_eq!((study.forecast().runs, study.forecast().done), (4, 1));
    let said = study.run(&second).unwrap();
    assert_eq!(said.missing, 0);
    assert_eq!(
        *second.ended.lock().unwrap(),
        ["dropout-0.3-seed0", "dropout-0.0-seed1", "dropout-0.3-seed1"]
    );
    assert!(ended.join("mark").exists() && !begun.join("mark").exists());
    drop(study);
    let third = stop_after(usize::MAX);
    let again = open(&third.stop).run(&third).unwrap();
    assert!(third.ended.lock().unwrap().is_empty());
    assert_eq!(again.json, said.json);
}

#[test]
fn a_study_is_gone_on_with_by_more_seeds_and_more_variants() {
    let folder = tempfile::tempdir().unwrap();
    builder(plan(TWO, &request(&[])), folder.path()).open().unwrap().run(&()).unwrap();
    let more = "seeds = 3\n[crossed]\n\"model.dropout\" = [0.0, 0.5]\n";
    let mut study = builder(plan(more, &request(&[])), folder.path()).open().unwrap();
    // The new variants and those that are there, with the new seed.
    assert_eq!((study.forecast().runs, study.forecast().done), (9, 4));
    let watcher = stop_after(usize::MAX);
    let said = study.run(&watcher).unwrap();
    assert_eq!(watcher.ended.lock().unwrap().len(), 5);
    let names: Vec<&str> = said.analysis.variants.iter().map(|variant| variant.name.as_str()).collect();
    assert_eq!(names, ["dropout=0.0", "dropout=0.5", "dropout=0.3"]);
    assert!(said.analysis.variants.iter().all(|variant| variant.ended == 3));
    drop(study);
    // Fewer seeds than there are take nothing away, and a variant that only the folder has can be the baseline.
    let of_folder = Request { baseline: Some("dropout=0.5".into()), ..request(&[]) };
    let study = builder(plan(TWO, &of_folder), folder.path()).open().unwrap();
    assert_eq!(study.plan().variants[study.plan().baseline].name, "dropout=0.5");
    assert_eq!((study.forecast().runs, study.forecast().done), (9, 9));
    drop(study);
    let other =
        builder(plan(TWO, &request(&["train.batch=16"])), folder.path()).open().unwrap_err().to_string();
    assert!(
        other.contains("variants `dropout=0.0`, `dropout=0.3`: the study has another recipe (train.batch)"),
        "{other}"
    );
    assert!(other.contains("--name"), "{other}");
    let run = Session::builder(
        plan(TWO, &request(&[])).recipe(Place { variant: 0, split: 0, seed: 0 }).unwrap(),
        skin(),
    )
    .runs(folder.path())
    .name("a-run")
    .open()
    .unwrap()
    .run(&mut ())
    .unwrap();
    let taken =
        builder(plan(TWO, &request(&[])), folder.path()).name(run.folder().name()).open().unwrap_err();
    assert!(taken.to_string().contains("is there already"), "{taken}");
}

#[test]
fn other_seeds_are_added_and_another_split_is_another_study() {
    let folder = tempfile::tempdir().unwrap();
    builder(plan(TWO, &request(&[])), folder.path()).open().unwrap().run(&()).unwrap();
    let study = builder(plan(TWO, &request(&["train.seed=7"])), folder.path()).open().unwrap();
    assert_eq!((study.forecast().runs, study.forecast().done), (8, 4));
    assert_eq!((&study.plan().seeds[..], &study.plan().splits[..]), (&[0, 1, 7, 8][..], &[0][..]));
    let other =
        builder(plan(TWO, &request(&["data.split_seed=3"])), folder.path()).open().unwrap_err().to_string();
    assert!(other.contains("data.split_seed: is 3 here, and the study has 0"), "{other}");
}

#[test]
fn a_run_that_holds_something_else_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let stop = stop_after(1);
    let mut study =
        builder(plan(TWO, &request(&[])), folder.path()).jobs(1).stop_signal(&stop.stop).open().unwrap();
    study.run(&stop).unwrap();
    drop(study);
    let begun = folder.path().join("s/dropout-0.3-seed0");
    std::fs::create_dir_all(&begun).unwrap();
    std::fs::write(begun.join("notes.txt"), "mine").unwrap();
    let said = builder(plan(TWO, &request(&[])), folder.path()).open().unwrap().run(&()).unwrap();
    let failed = &said.json["variants"][1]["runs"][0];
    assert_eq!(failed["status"], "failed");
    assert!(failed["reason"].as_str().unwrap().contains("notes.txt"), "{failed}");
    assert!(begun.join("notes.txt").exists());
}

#[test]
fn a_study_that_another_process_runs_is_joined_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let open = |request: &Request| builder(plan(TWO, request), folder.path()).open().unwrap();
    let mut first = open(&request(&[]));
    // To look at a study takes nothing in hand and makes no folder.
    assert!(!first.folder().exists());
    let said = first.run(&()).unwrap();
    let written = std::fs::read(first.folder().join("study.json")).unwrap();
    let again = open(&request(&[])).run(&()).unwrap();
    assert_eq!(again.json["variants"][1]["runs"], said.json["variants"][1]["runs"]);
    let more = Request { seeds: Some(3), ..request(&[]) };
    let other = open(&more).run(&()).unwrap_err().to_string();
    assert!(other.contains("another process is running the study"), "{other}");
    assert_eq!(std::fs::read(first.folder().join("study.json")).unwrap(), written);
    drop(first);
    assert_eq!(open(&more).run(&()).unwrap().missing, 0);
}

/// Waits at its first run until all have begun one, and remembers what was made here.
struct Gate<'a> {
    barrier: &'a std::sync::Barrier,
    waits: std::sync::atomic::AtomicBool,
    made: std::sync::Mutex<Vec<String>>,
}

impl StudyObserver for Gate<'_> {
    fn started(&self, _: Place, name: &str) {
        self.made.lock().unwrap().push(name.to_owned());
        if !self.waits.swap(true, std::sync::atomic::Ordering::Relaxed) {
            self.barrier.wait();
        }
    }
}

#[test]
fn runs_are_shared_and_each_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let alone = tempfile::tempdir().unwrap();
    let open = |runs: &Path| builder(plan(TWO, &request(&[])), runs).jobs(1).open().unwrap();
    let expected = open(alone.path()).run(&()).unwrap();
    let barrier = std::sync::Barrier::new(3);
    let workers: Vec<(Gate<'_>, Study)> = (0..3)
        .map(|_| {
            let gate = Gate { barrier: &barrier, waits: false.into(), made: Default::default() };
            (gate, open(folder.path()))
        })
        .collect();
    let done: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = workers
            .into_iter()
            .map(|(gate, mut study)| {
                scope.spawn(move || {
                    let said = study.run(&gate).unwrap();
                    (gate.made.into_inner().unwrap(), said)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut made: Vec<String> = done.iter().flat_map(|(made, _)| made.clone()).collect();
    made.sort();
    assert_eq!(made, ["dropout-0.0-seed0", "dropout-0.0-seed1", "dropout-0.3-seed0", "dropout-0.3-seed1"]);
    for (made, said) in &done {
        assert!(!made.is_empty());
        assert_eq!(said.json["variants"][1]["difference"], expected.json["variants"][1]["difference"]);
        assert_eq!(said.missing, 0);
    }
    let left = std::fs::read_dir(folder.path().join("s")).unwrap();
    let names: Vec<String> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.contains(".claim")), "{names:?}");
    assert!(folder.path().join("s/study.html").is_file());
}

#[test]
fn models_stay_as_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for (keep, count) in [(Keep::All, 4), (Keep::Best, 2), (Keep::None, 0)] {
        let runs = folder.path().join(format!("{keep:?}"));
        let mut study = builder(plan(TWO, &request(&[])), &runs).keep(keep).open().unwrap();
        let said = study.run(&()).unwrap();
        let kept = models(study.folder());
        assert_eq!(kept.len(), count, "{keep:?}: {kept:?}");
        if keep == Keep::Best {
            for (variant, name) in said.json["variants"].as_array().unwrap().iter().zip(&kept) {
                let runs = variant["runs"].as_array().unwrap();
                let value = |run: &serde_json::Value| run["value"].as_f64().unwrap();
                let best = runs.iter().map(value).fold(f64::MIN, f64::max);
                let of_kept = runs.iter().find(|run| run["run"] == name.as_str()).unwrap();
                assert_eq!(value(of_kept), best);
            }
        }
    }
}

#[test]
fn a_run_that_diverges_is_a_result_in_its_row() {
    let folder = tempfile::tempdir().unwrap();
    let text = "seeds = 2\nbaseline = \"fine\"\n[variants.fine]\n[variants.wild]\n\"optimizer.lr\" = 1e30\n\
        [variants.small]\n\"model.hidden\" = [4]\n";
    let request = Request {
        layers: Layers {
            settings: request(&[])
                .layers
                .settings
                .into_iter()
                .filter(|s| !s.assignment.starts_with("model.hidden"))
                .collect(),
            file: None,
            learnt: None,
        },
        ..Request::default()
    };
    let said = builder(plan(text, &request), folder.path()).open().unwrap().run(&()).unwrap();
    let wild = &said.analysis.variants[1];
    assert_eq!((wild.diverged, wild.ended, wild.failed), (2, 2, 0));
    assert!(said.rows[2][5].contains("2 diverged"), "{:?}", said.rows);
    assert!(said.analysis.variants[2].compared.is_some());
    assert!(said.answer.iter().any(|sentence| sentence.contains("stopped being a number in 2 of 2 runs")));
}

#[test]
fn images_are_read_once_for_all_runs() {
    struct Remove(PathBuf);
    impl StudyObserver for Remove {
        fn ended(&self, _place: Place, _name: &str, _facts: &RunFacts) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    copy(&skin(), &data);
    let text = "seeds = 2\nsubsets = true\n[crossed]\n\"data.fraction\" = [1.0, 0.5]\n";
    let mut study = Study::builder(plan(text, &request(&[])), &data)
        .runs(folder.path())
        .cache(None)
        .jobs(1)
        .open()
        .unwrap();
    let said = study.run(&Remove(data.clone())).unwrap();
    assert!(!data.exists());
    assert_eq!(said.missing, 0);
    assert!(
        said.analysis.variants.iter().all(|variant| variant.ended == 2 && variant.failed == 0),
        "{:?}",
        said.answer
    );
    // Each seed has drawn its own half.
    let drawn = |run: &str| {
        let text = std::fs::read_to_string(study.folder().join(run).join(RunFolder::ENVIRONMENT)).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        (value["data"]["fingerprint"].clone(), value["data"]["val_fingerprint"].clone())
    };
    let (a, b) = (drawn("fraction-0.5-seed0"), drawn("fraction-0.5-seed1"));
    assert!(a.0 != b.0 && a.1 == b.1);
    assert_eq!(drawn("fraction-1.0-seed0"), drawn("fraction-1.0-seed1"));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { std::fs::copy(&path, &target).map(|_| ()).unwrap() }
    }
}

#[test]
fn splits_and_seeds_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let text = "seeds = 2\nsplits = 3\n[crossed]\n\"model.dropout\" = [0.0, 0.3]\n";
    let own = builder(plan(text, &request(&[])), folder.path()).open().unwrap_err().to_string();
    assert!(own.contains("the data bring their own validation set") && own.contains("data.folds=5"), "{own}");
    let mut study = builder(plan(text, &request(&["data.folds=4"])), folder.path()).open().unwrap();
    let said = study.run(&()).unwrap();
    assert!(said.analysis.components.is_some());
    assert_eq!(said.analysis.variants[1].compared.as_ref().unwrap().difference.blocks, 3);
    assert!(
        said.answer.iter().any(|sentence| sentence.starts_with("From split to split")),
        "{:?}",
        said.answer
    );
    assert!(study.folder().join("dropout-0.0-split2-seed1").is_dir());
}

#[test]
fn everything_wrong_is_told_before_any_run() {
    let folder = tempfile::tempdir().unwrap();
    let text = "metric = \"val/acuracy\"\nbaseline = \"x\"\n[crossed]\n\"model.dropot\" = [0.0, 0.5]\n\"model.batch_norm\" = [true]\n\
        [alone]\n\"train.seed\" = [1, 2]\n\"optimizer.lr\" = [-1.0]\n[variants.whole]\nrecipe = \"gone.toml\"\n";
    let told = StudyPlan::new(&parse(text), &request(&[])).unwrap_err().to_string();
    for expected in [
        "no metric of the validation set is named `val/acuracy`; did you mean `accuracy`?",
        "did you mean `model.dropout`?",
        "crossed.model.batch_norm: a factor needs two values or more",
        "train.seed: a study varies it by itself: use `seeds` and `splits`",
        "optimizer.lr must be",
        "cannot read gone.toml",
    ] {
        assert!(told.contains(expected), "{expected:?} is not in:\n{told}");
    }
    let same = "[variants.a]\n\"model.dropout\" = 0.0\n[variants.b]\n";
    let told = StudyPlan::new(&parse(same), &request(&[])).unwrap_err().to_string();
    assert!(told.contains("the variants `a` and `b` are the same recipe"), "{told}");
    let told = StudyPlan::new(&parse(TWO), &request(&["model.dropout=0.1"])).unwrap_err().to_string();
    assert!(told.contains("--set model.dropout: the study varies this key"), "{told}");
    let unknown = Request { baseline: Some("dropout=0".into()), ..request(&[]) };
    let told = builder(plan(TWO, &unknown), folder.path()).open().unwrap_err().to_string();
    assert!(told.contains("no variant is named `dropout=0`; did you mean `dropout=0.0`?"), "{told}");
    let top5 = Request { metric: Some("val/top5_accuracy".into()), ..request(&[]) };
    let told = builder(plan(TWO, &top5), folder.path()).open().unwrap_err().to_string();
    assert!(told.contains("is always 1 with 3 classes on this validation set"), "{told}");
    let judged = "[crossed]\n\"data.folds\" = [4, 5]\n";
    let told = builder(plan(judged, &request(&[])), folder.path()).open().unwrap_err().to_string();
    assert!(told.contains("would be judged on other validation images than `folds=4`"), "{told}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let told = definition("regularisation").unwrap_err().to_string();
    assert!(told.contains("did you mean `regularization`?"), "{told}");
}

#[test]
fn a_table_has_a_row_for_each_run_and_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let mut study = builder(plan(TWO, &request(&[])), folder.path()).open().unwrap();
    let said = study.run(&()).unwrap();
    let text = std::fs::read_to_string(study.folder().join(StudyFile::RESULTS)).unwrap();
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(
        &head[..8],
        ["variant", "model.dropout", "seed", "split_seed", "run", "status", "epoch", "best"]
    );
    assert!(head.contains(&"val/accuracy") && head.contains(&"train/loss"));
    assert_eq!(lines.clone().count(), 4 * 2);
    assert_eq!(lines.filter(|line| line.split(',').nth(7) == Some("1")).count(), 4);
    let json = &said.json;
    assert_eq!((&json["metric"], &json["baseline"]), (&"val/accuracy".into(), &"dropout=0.0".into()));
    assert_eq!(json["variants"][0]["difference"], serde_json::Value::Null);
    let difference = &json["variants"][1]["difference"];
    assert_eq!(difference["interval"].as_array().unwrap().len(), 2);
    assert!(difference["p_value"].as_f64().unwrap() <= 1.0);
    assert_eq!(difference["verdict"], Verdict::Open.name());
    let file = StudyFile::read(study.folder()).unwrap().unwrap();
    assert_eq!(file.result.as_ref(), Some(json));
    assert_eq!((file.seeds, file.variants.len()), (vec![0, 1], 2));
}
