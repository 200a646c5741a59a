//! Studies that are gone on with: after a kill or a full disk, with another metric, other variants or fewer runs.
#![allow(clippy::unwrap_used)]

mod common;
mod fake_mlflow;

use common::killed::{World, is_ok, was_killed};
use common::studies::{TWO, builder, models, plan, request, stop_after};
use fake_mlflow::{Fake, Manner};
use pupila::run_files::{CheckpointFolder, StudyFile};
use pupila::runs::{Deletion, Kind, Listing, StudyStatus, What};
use pupila::study::{Place, Request, StudyObserver, StudyResult};
use pupila::{RunFolder, StopSignal, Study};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Opens and runs a study as it is asked for; what it says, and the runs that were run for it.
fn run(text: &str, request: &Request, runs: &Path) -> (StudyResult, Vec<String>) {
    let mut study = open(text, request, runs);
    let watcher = stop_after(usize::MAX);
    let said = study.run(&watcher).unwrap();
    (said, watcher.ended.into_inner().unwrap())
}

fn open(text: &str, request: &Request, runs: &Path) -> Study {
    builder(plan(text, request), runs).jobs(1).open().unwrap()
}

#[test]
fn another_metric_takes_no_variant_its_only_model() {
    let folder = tempfile::tempdir().unwrap();
    run(TWO, &request(&[]), folder.path());
    let study = folder.path().join("s");
    let kept = models(&study);
    assert_eq!(kept.len(), 2);
    // By the other metric the best run of each variant is the one that has no model any more.
    for variant in ["dropout-0.0", "dropout-0.3"] {
        for seed in [0, 1] {
            let name = format!("{variant}-seed{seed}");
            let loss = if kept.contains(&name) { 0.9 } else { 0.1 };
            let path = study.join(&name).join(RunFolder::SUMMARY);
            let mut summary: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            summary["val"]["loss"] = loss.into();
            std::fs::write(&path, summary.to_string()).unwrap();
        }
    }
    let by_loss = Request { metric: Some("val/loss".into()), ..request(&[]) };
    let (_, ran) = run(TWO, &by_loss, folder.path());
    assert!(ran.is_empty());
    assert_eq!(models(&study), kept);
}

#[test]
fn a_run_whose_predictions_are_gone_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (before, _) = run(TWO, &request(&[]), folder.path());
    let lacking = "dropout-0.3-seed0";
    let predictions = folder.path().join("s").join(lacking).join(RunFolder::PREDICTIONS);
    std::fs::remove_file(&predictions).unwrap();
    let study = open(TWO, &request(&[]), folder.path());
    assert_eq!((study.forecast().runs, study.forecast().done), (4, 3));
    // Whoever lists it is told the same.
    let listed = Listing::read(folder.path()).unwrap();
    let Kind::Study(entry) = &listed.entries[0].kind else { panic!("{listed:?}") };
    assert_eq!(entry.status, StudyStatus::Unfinished { ended: 3, of: 4 });
    drop(study);
    let (said, ran) = run(TWO, &request(&[]), folder.path());
    assert_eq!(ran, [lacking]);
    assert!(predictions.is_file());
    let value = |said: &StudyResult| said.json["variants"][1]["runs"][0]["value"].clone();
    assert_eq!(value(&said), value(&before));
}

#[test]
fn a_folder_that_a_full_disk_left_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join("s");
    let leave = |files: &[&str]| {
        std::fs::create_dir_all(&left).unwrap();
        files.iter().for_each(|file| std::fs::write(left.join(file), "").unwrap());
    };
    let delete = || {
        let names = [PathBuf::from("s")];
        Deletion::plan(folder.path(), &names, What::Folders, SystemTime::UNIX_EPOCH)
    };
    for files in [&["study.lock"][..], &["study.lock", "study.json.partial"]] {
        leave(files);
        let deleted = delete().unwrap().carry_out();
        assert!(deleted.failures.is_empty() && !left.exists(), "{files:?}: {deleted:?}");
        leave(files);
        let (said, _) = run(TWO, &request(&[]), folder.path());
        assert_eq!(said.missing, 0);
        std::fs::remove_dir_all(&left).unwrap();
    }
    leave(&[]);
    open(TWO, &request(&[]), folder.path());
    // What somebody has put there is no study's.
    leave(&["study.lock", "notes.txt"]);
    let taken = builder(plan(TWO, &request(&[])), folder.path()).open().unwrap_err().to_string();
    assert!(taken.contains("is there already"), "{taken}");
    assert!(delete().is_err());
    std::fs::remove_file(left.join("study.lock")).unwrap();
    std::fs::remove_file(left.join("notes.txt")).unwrap();
    assert!(delete().is_err(), "an empty folder is nobody's");
}

#[test]
fn a_start_that_was_not_written_whole_is_written_by_the_next_call() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("s").join(RunFolder::METRICS);
    let started = || RunFolder::open(&folder.path().join("s")).unwrap().start().unwrap().is_some();
    run(TWO, &request(&[]), folder.path());
    let whole = std::fs::read_to_string(&record).unwrap();
    for torn in ["", "{\"event\":\"sta", &whole[whole.find('\n').unwrap() + 1..]] {
        std::fs::write(&record, torn).unwrap();
        run(TWO, &request(&[]), folder.path());
        assert!(started(), "{torn:?}");
    }
    // What is whole is gone on with.
    let before = std::fs::read_to_string(&record).unwrap();
    run(TWO, &request(&[]), folder.path());
    assert!(std::fs::read_to_string(&record).unwrap().starts_with(&before));
}

#[test]
fn runs_that_were_made_without_a_server_are_sent_with_the_study() {
    let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::start(Manner::Well));
    run(TWO, &request(&[]), folder.path());
    let server = format!("tracking.mlflow=\"{}\"", fake.uri());
    let (_, ran) = run(TWO, &request(&[&server]), folder.path());
    assert!(ran.is_empty());
    let store = fake.store.lock().unwrap();
    let [(parent, _)] = &store.named("s")[..] else { panic!("there is one parent") };
    for name in ["dropout-0.0-seed0", "dropout-0.0-seed1", "dropout-0.3-seed0", "dropout-0.3-seed1"] {
        let [(_, run)] = &store.named(name)[..] else { panic!("{name} is there once") };
        assert_eq!(&run.tags["mlflow.parentRunId"], parent);
        assert_eq!(run.status, "FINISHED");
    }
}

/// Stops within the second run.
struct StopsWithin {
    stop: StopSignal,
    begun: std::sync::atomic::AtomicUsize,
}

impl StudyObserver for StopsWithin {
    fn started(&self, _: Place, _: &str) {
        self.begun.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    fn epoch(&self, _: Place, epoch: u32, _: u32) {
        if epoch == 1 && self.begun.load(std::sync::atomic::Ordering::Relaxed) == 2 {
            self.stop.set();
        }
    }
}

#[test]
fn a_run_that_was_interrupted_is_one_child_whether_it_goes_on_or_is_made_anew() {
    let fake = Fake::start(Manner::Well);
    let server = format!("tracking.mlflow=\"{}\"", fake.uri());
    // A server that is away meanwhile is told later.
    for (is_away, checkpoints) in [(false, 0), (true, 0), (false, 2), (true, 2)] {
        let folder = tempfile::tempdir().unwrap();
        *fake.store.lock().unwrap() = Default::default();
        let watcher = StopsWithin { stop: StopSignal::new(), begun: 0.into() };
        let keep = format!("checkpoint.keep={checkpoints}");
        let recipe = ["train.epochs=4", &server, &keep];
        let mut study = builder(plan(TWO, &request(&recipe)), folder.path())
            .jobs(1)
            .stop_signal(&watcher.stop)
            .open()
            .unwrap();
        let said = study.run(&watcher).unwrap();
        assert!(said.because.is_some());
        drop(study);
        let interrupted = fake.store.lock().unwrap().named("dropout-0.3-seed0").len();
        assert_eq!(interrupted, 1);
        if is_away {
            fake.set(Manner::Refuses);
            run(TWO, &request(&recipe), folder.path());
            fake.set(Manner::Well);
        }
        run(TWO, &request(&recipe), folder.path());
        let store = fake.store.lock().unwrap();
        for name in ["s", "dropout-0.0-seed0", "dropout-0.0-seed1", "dropout-0.3-seed0", "dropout-0.3-seed1"]
        {
            let there = store.named(name);
            let [(_, run)] = &there[..] else { panic!("{name} is there {} times, {is_away}", there.len()) };
            assert_eq!(run.status, "FINISHED");
        }
        let deleted: Vec<&str> =
            store.runs.iter().filter(|run| run.is_deleted).map(|run| &run.name[..]).collect();
        let anew: &[&str] = if checkpoints == 0 { &["dropout-0.3-seed0"] } else { &[] };
        assert_eq!(deleted, anew);
    }
}

#[test]
fn a_stored_variant_under_a_new_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = "seeds = 2\n[variants.plain]\n[variants.dropped]\n\"model.dropout\" = 0.3\n";
    run(first, &request(&[]), folder.path());
    let renamed = "seeds = 2\n[variants.plain]\n[variants.\"with dropout\"]\n\"model.dropout\" = 0.3\n";
    let told = builder(plan(renamed, &request(&[])), folder.path()).open().unwrap_err().to_string();
    assert!(told.contains("variants `with dropout` and `dropped`"), "{told}");
    assert!(told.contains("the same recipe"), "{told}");
}

#[test]
fn a_limit_of_runs_hides_none_that_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, _) = run(TWO, &request(&[]), folder.path());
    let limited = Request { runs: Some(2), ..request(&[]) };
    let study = open(TWO, &limited, folder.path());
    assert_eq!((study.forecast().runs, study.forecast().done), (4, 4));
    drop(study);
    let (said, ran) = run(TWO, &limited, folder.path());
    assert!(ran.is_empty());
    assert_eq!(said.json, whole.json);
    assert_eq!(StudyFile::read(&folder.path().join("s")).unwrap().unwrap().result, Some(whole.json));
    // More seeds, of which the limit lets none begin.
    let more = TWO.replace("seeds = 2", "seeds = 4");
    let study = open(&more, &Request { runs: Some(6), ..request(&[]) }, folder.path());
    assert_eq!((study.forecast().runs, study.forecast().done), (6, 4));
    drop(study);
    // With what the folder has there are three variants, and two runs are not one of each.
    let other = "seeds = 2\n[crossed]\n\"model.dropout\" = [0.0, 0.5]\n";
    let told = builder(plan(other, &limited), folder.path()).open().unwrap_err().to_string();
    assert!(told.contains("2 are fewer than one of each of the 3 variants"), "{told}");
}

/// What only a run that is under way has, below a study's folder.
fn left_over(study: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for entry in std::fs::read_dir(study).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.contains(".claim") {
            left.push(name.clone());
        }
        for of_run in ["checkpoints", "run.lock"] {
            if path.join(of_run).exists() {
                left.push(format!("{name}/{of_run}"));
            }
        }
    }
    left.sort();
    left
}

/// The state by hand: a run that is whole, and what a process leaves that is killed right behind its last line.
#[cfg(target_os = "linux")]
#[test]
fn what_a_killed_process_has_left_of_a_whole_run_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    run(TWO, &request(&[]), folder.path());
    let study = folder.path().join("s");
    assert!(left_over(&study).is_empty());
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let runs = ["dropout-0.0-seed0", "dropout-0.0-seed1", "dropout-0.3-seed0"];
    let summaries =
        || runs.map(|name| std::fs::read_to_string(study.join(name).join(RunFolder::SUMMARY)).unwrap());
    let before = summaries();
    let leave = |name: &str, claimed: bool| {
        let checkpoints = study.join(name).join("checkpoints");
        std::fs::create_dir_all(&checkpoints).unwrap();
        std::fs::write(checkpoints.join(CheckpointFolder::name(2, 3)), "state").unwrap();
        std::fs::write(study.join(name).join("run.lock"), "").unwrap();
        if claimed {
            let claim = format!("{}\n{}\n{:020}\n", "a".repeat(32), boot.trim(), 3);
            std::fs::write(study.join(format!("{name}.claim")), claim).unwrap();
        }
    };
    leave(runs[0], true);
    leave(runs[1], false);
    std::fs::write(
        study.join(format!("{}.claim", runs[2])),
        format!("{}\n{}\n{:020}\n", "b".repeat(32), boot.trim(), 0),
    )
    .unwrap();
    assert_eq!(left_over(&study).len(), 6);
    let (_, ran) = run(TWO, &request(&[]), folder.path());
    assert!(ran.is_empty(), "{ran:?}");
    assert_eq!(left_over(&study), [""; 0]);
    assert_eq!(summaries(), before);
    // What a process of another machine may still have is left to it, and nobody waits for it.
    let elsewhere = format!("{}\nanother machine\n{:020}\n", "c".repeat(32), 0);
    leave(runs[0], false);
    std::fs::write(study.join(format!("{}.claim", runs[0])), elsewhere).unwrap();
    run(TWO, &request(&[]), folder.path());
    assert_eq!(left_over(&study).len(), 3);
}

/// Each removal of a file is the last thing that a process does.
#[test]
fn killed_at_any_removal_a_study_that_goes_on_leaves_nothing_over() {
    let world = World::new();
    std::fs::write(world.path("two.toml"), "seeds = 2\n[crossed]\n\"model.dropout\" = [0.0, 0.3]\n").unwrap();
    let mut killed = 0;
    for place in 1..100 {
        let runs = format!("runs-{place}");
        let arguments = [
            "study",
            "two.toml",
            "data",
            "--runs",
            &runs,
            "--name",
            "s",
            "--size",
            "8",
            "--epochs",
            "2",
            "--jobs",
            "1",
            "--threads",
            "1",
            "--set",
            "model.hidden=[4]",
            "--set",
            "checkpoint.steps=3",
            "--set",
            "checkpoint.keep=1",
            "--batch",
            "5",
            "--set",
            "tracking.report=false",
            "--no-tensorboard",
        ];
        let output = world.pupila(Some(&format!("abort@unlink:{place}")), &arguments);
        let is_over = !was_killed(&output);
        let again = world.pupila(None, &arguments);
        is_ok(&again, &format!("removal {place}"));
        let study = world.path(&runs).join("s");
        assert_eq!(left_over(&study), [""; 0], "removal {place}");
        let done: Vec<PathBuf> = std::fs::read_dir(&study)
            .unwrap()
            .map(|entry| entry.unwrap().path().join(RunFolder::SUMMARY))
            .filter(|file| file.exists())
            .collect();
        assert_eq!(done.len(), 4, "removal {place}");
        if is_over {
            break;
        }
        killed += 1;
    }
    // Of each run a claim, the checkpoints before the last one, and that.
    assert!((12..99).contains(&killed), "{killed}");
}

#[test]
fn keys_without_effect_are_told_before_a_study_begins() {
    let folder = tempfile::tempdir().unwrap();
    let notes = |settings: &[&str]| open(TWO, &request(settings), folder.path()).notes().join("\n");
    let told = notes(&["data.val_frac=0.3", "augment.mix_p=0.5", "early_stopping.patience=9"]);
    for words in [
        "data.val_frac = 0.3 changes nothing",
        "augment.mix_p changes nothing",
        "early_stopping.patience = 9 changes nothing",
    ] {
        assert_eq!(told.matches(words).count(), 1, "{words}: {told}");
    }
    // The study's own seeds are nobody's setting.
    assert!(!notes(&[]).contains("changes nothing"), "{}", notes(&[]));
    assert!(notes(&["data.split_seed=7"]).contains("data.split_seed changes nothing"));
}
