//! What a folder of runs holds, and its deletion, through the library. File times and the clock are set.
#![allow(clippy::unwrap_used)]

mod common;

use common::made_runs::{Runs, SECOND};
use pupila::run_files::{RunSummary, StudyFile};
use pupila::runs::{Deletion, Doomed, Kind, Listing, Order, Refusal, Refusals, RunStatus, StudyStatus, What};
use pupila::{RunEnd, RunFolder};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

fn names(listing: &Listing) -> Vec<&str> {
    listing.entries.iter().map(|entry| entry.name.as_str()).collect()
}

fn status_of<'a>(listing: &'a Listing, name: &str) -> &'a RunStatus {
    let entry = listing.entries.iter().find(|entry| entry.name == name).unwrap();
    match &entry.kind {
        Kind::Run(run) => &run.status,
        Kind::Study(_) => panic!("{name} is a study"),
    }
}

fn delete(runs: &Runs, names: &[&str], what: What, now: u64) -> Result<Deletion, Refusals> {
    let names: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
    Deletion::plan(&runs.path(""), &names, what, UNIX_EPOCH + Duration::from_secs(now))
}

/// The reasons of a refusal, each on a line.
fn refused(runs: &Runs, names: &[&str]) -> Vec<Refusal> {
    delete(runs, names, What::Folders, 10_000).unwrap_err().0
}

#[test]
fn each_run_is_told_from_its_files_and_the_newest_is_last() {
    let runs = Runs::new();
    runs.ended("b-10", 300, |summary| summary.epochs_run = 7);
    runs.ended("b-9", 200, |summary| summary.status = RunEnd::Diverged);
    runs.begun("killed", 100, 3);
    let listing = Listing::read(&runs.path("")).unwrap();
    assert_eq!(names(&listing), ["killed", "b-9", "b-10"]);
    assert_eq!((listing.metric.name, &listing.study), ("accuracy", &None));
    assert_eq!(*status_of(&listing, "b-9"), RunStatus::Ended(RunEnd::Diverged));
    assert_eq!(*status_of(&listing, "killed"), RunStatus::NoResult);
    let Kind::Run(run) = &listing.entries[2].kind else { panic!("a run") };
    assert_eq!((run.model.as_deref(), run.score, run.epochs), (Some("mlp"), Some(0.75), Some(7)));
    let Kind::Run(run) = &listing.entries[0].kind else { panic!("a run") };
    assert_eq!((run.model.as_deref(), run.score), (Some("cnn"), None));
    assert_eq!((run.epochs, run.planned_epochs), (Some(3), Some(30)));
    let last = &listing.entries[2];
    assert_eq!(last.age(UNIX_EPOCH + 450 * SECOND), 150 * SECOND);
    assert_eq!(last.age(UNIX_EPOCH), Duration::ZERO, "a clock that was set back");
    assert_eq!(listing.bytes(), listing.entries.iter().map(|entry| entry.bytes).sum::<u64>());
}

#[test]
fn an_evaluation_counts_to_the_size_of_its_run_and_not_to_its_age() {
    let runs = Runs::new();
    runs.ended("a", 100, |_| {});
    let before = Listing::read(&runs.path("")).unwrap().entries.remove(0);
    runs.evaluation("a/eval-val-1", 900);
    let after = Listing::read(&runs.path("")).unwrap().entries.remove(0);
    let evaluation = runs.bytes("a/eval-val-1");
    assert!(evaluation > 0);
    assert_eq!(after.bytes, before.bytes + evaluation);
    assert_eq!(after.modified, before.modified);
    // But somebody may be writing it.
    let recent = |now| delete(&runs, &["a"], What::Folders, now).unwrap().items[0].recent;
    assert_eq!(recent(930), Some(30 * SECOND));
    assert_eq!(recent(960), None);
}

#[test]
fn damaged_runs_are_named_and_the_others_listed() {
    let runs = Runs::new();
    runs.ended("good", 50, |_| {});
    for (name, text) in [
        ("torn", "{\"model\": \"mlp\",\n \"classes\": [\n"),
        ("empty", "{}"),
        ("newer", "{\"format\": 9, \"version\": \"7.8.9\", \"status\": \"of a new kind\"}"),
    ] {
        runs.ended(name, 40, |_| {});
        runs.write(name, RunFolder::SUMMARY, text, 40);
    }
    runs.begun("lines", 40, 2);
    runs.write("lines", RunFolder::METRICS, "{\"event\":\"start\"}\nnonsense\n", 40);
    let listing = Listing::read(&runs.path("")).unwrap();
    assert_eq!(names(&listing), ["empty", "lines", "newer", "torn", "good"]);
    for (name, words) in [
        ("torn", "summary.json, line 3: no JSON"),
        ("empty", "names no class"),
        ("newer", "written by Pupila 7.8.9 in format 9"),
        ("lines", "metrics.jsonl, line 2: no JSON"),
    ] {
        let RunStatus::Unreadable(problem) = status_of(&listing, name) else { panic!("{name}") };
        assert!(problem.contains(words), "{name}: {problem}");
    }
    assert_eq!(*status_of(&listing, "good"), RunStatus::Ended(RunEnd::Completed));
    // They can be deleted all the same.
    let deletion = delete(&runs, &["torn", "empty", "newer", "lines"], What::Folders, 10_000).unwrap();
    assert!(deletion.carry_out().failures.is_empty());
    assert_eq!(names(&Listing::read(&runs.path("")).unwrap()), ["good"]);
}

#[test]
fn every_order_has_what_one_looks_for_last() {
    let runs = Runs::new();
    for (name, score, time) in [("x-2", Some(0.5), 30), ("x-10", Some(0.9), 20), ("x-1", None, 10)] {
        runs.ended(name, time, |summary| {
            summary.val = Some([("accuracy".to_owned(), score)].into_iter().collect());
        });
    }
    runs.write("x-1", RunFolder::MODEL, &"m".repeat(50_000), 10);
    let mut listing = Listing::read(&runs.path("")).unwrap();
    let mut sorted = |order| {
        listing.sort(order);
        names(&listing).join(" ")
    };
    assert_eq!(sorted(Order::Age), "x-1 x-10 x-2");
    assert_eq!(sorted(Order::Score), "x-1 x-2 x-10");
    assert_eq!(sorted(Order::Name), "x-1 x-2 x-10");
    assert!(sorted(Order::Size).ends_with("x-1"));
    // Of a loss, the smallest is the best.
    listing.metric = pupila::metrics::metric("loss").unwrap();
    listing.sort(Order::Score);
    assert_eq!(names(&listing), ["x-1", "x-10", "x-2"]);
}

#[test]
fn a_study_is_one_entry_and_its_runs_are_those_of_its_folder() {
    let runs = Runs::new();
    runs.study("s", 100, 2);
    runs.ended("s/a-seed0", 120, |_| {});
    runs.ended("s/a-seed1", 110, |summary| summary.status = RunEnd::Interrupted);
    runs.ended("alone", 105, |_| {});
    let listing = Listing::read(&runs.path("")).unwrap();
    assert_eq!(names(&listing), ["alone", "s"], "a study is as new as its newest run");
    let study = |listing: &Listing| match &listing.entries[1].kind {
        Kind::Study(study) => study.clone(),
        Kind::Run(_) => panic!("a study"),
    };
    assert_eq!(
        (study(&listing).runs, study(&listing).status),
        (2, StudyStatus::Unfinished { ended: 1, of: 2 })
    );
    assert_eq!(listing.entries[1].bytes, runs.bytes("s"));

    runs.ended("s/a-seed1", 110, |_| {});
    assert_eq!(study(&Listing::read(&runs.path("")).unwrap()).status, StudyStatus::Completed);
    let lock = File::create(runs.path("s/study.lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(study(&Listing::read(&runs.path("")).unwrap()).status, StudyStatus::Running);

    let inner = Listing::read(&runs.path("s")).unwrap();
    assert_eq!((inner.study.as_deref(), inner.metric.name), (Some("s"), "macro_f1"));
    assert_eq!(names(&inner), ["a-seed1", "a-seed0"]);
    let Kind::Run(run) = &inner.entries[0].kind else { panic!("a run") };
    assert_eq!(run.score, Some(0.5));

    runs.write("s", StudyFile::NAME, "{\"variants\": 3}", 100);
    let StudyStatus::Unreadable(problem) = study(&Listing::read(&runs.path("")).unwrap()).status else {
        panic!("damaged");
    };
    assert!(problem.contains("study.json"), "{problem}");
}

#[test]
fn only_runs_and_studies_are_listed() {
    let runs = Runs::new();
    runs.ended("run", 10, |_| {});
    runs.evaluation("judged", 10);
    fs::create_dir(runs.path("photographs")).unwrap();
    fs::create_dir(runs.path(".hidden")).unwrap();
    fs::write(runs.path("notes.txt"), "x").unwrap();
    // Files of our names, by somebody else.
    fs::create_dir(runs.path("cakes")).unwrap();
    for (file, text) in [("recipe.toml", "flour = 500\n"), ("environment.json", "{\"oven\": 180}")] {
        fs::write(runs.path("cakes").join(file), text).unwrap();
    }
    let listing = Listing::read(&runs.path("")).unwrap();
    assert_eq!(
        (names(&listing), listing.others.as_slice()),
        (vec!["run"], &["cakes", "judged", "photographs"].map(String::from)[..])
    );
    let error = |folder: &str| Listing::read(&runs.path(folder)).unwrap_err().to_string();
    assert!(error("nowhere").contains("does not exist"));
    assert!(error("notes.txt").contains("is a file"));
    assert!(error("run").contains("is one run"));
}

#[test]
fn whole_runs_go_by_name_by_path_and_in_their_study() {
    let runs = Runs::new();
    runs.study("s", 10, 2);
    for name in ["a", "b", "c", "s/a-seed0", "s/a-seed1"] {
        runs.ended(name, 10, |_| {});
    }
    runs.evaluation("a/eval-val-1", 10);
    runs.write("a", "mlflow/0123.json", "{}", 10);
    runs.write("a", "events.out.tfevents.1.host.2.0", "x", 10);
    let by_path = runs.path("b");
    let asked = ["a", "./a/", by_path.to_str().unwrap(), "s/a-seed0"];
    let deletion = delete(&runs, &asked, What::Folders, 10_000).unwrap();
    let planned: Vec<(&str, u64)> =
        deletion.items.iter().map(|item| (item.name.as_str(), item.bytes)).collect();
    let bytes = |name: &str| runs.bytes(name);
    assert_eq!(planned, [("a", bytes("a")), ("b", bytes("b")), ("s/a-seed0", bytes("s/a-seed0"))]);
    let expected = deletion.bytes();
    let deleted = deletion.carry_out();
    assert!(deleted.failures.is_empty(), "{:?}", deleted.failures);
    assert_eq!((deleted.items.len(), deleted.bytes()), (3, expected));
    assert_eq!(names(&Listing::read(&runs.path("")).unwrap()), ["c", "s"]);
    assert_eq!(names(&Listing::read(&runs.path("s")).unwrap()), ["a-seed1"]);

    // A study goes with its runs, which are not counted twice.
    let deletion = delete(&runs, &["s/a-seed1", "s"], What::Folders, 10_000).unwrap();
    let [Doomed { study: Some(1), bytes: all, .. }] = deletion.items[..] else { panic!("one study") };
    assert_eq!(all, bytes("s"));
    deletion.carry_out();
    assert!(!runs.path("s").exists() && runs.path("c").exists());
}

#[test]
fn models_alone_go_and_the_records_stay() {
    let runs = Runs::new();
    runs.study("s", 10, 2);
    for name in ["a", "b", "s/a-seed0", "s/a-seed1"] {
        runs.ended(name, 10, |_| {});
    }
    fs::remove_file(runs.path("b").join(RunFolder::MODEL)).unwrap();
    // What somebody keeps beside the records stays.
    runs.write("a", "notes.txt", "good", 10);
    let deletion = delete(&runs, &["a", "b", "s"], What::Models, 10_000).unwrap();
    assert_eq!(deletion.without_model, ["b"]);
    let model = fs::metadata(runs.path("a").join(RunFolder::MODEL)).unwrap().len();
    let planned: Vec<_> = deletion.items.iter().map(|item| (item.name.as_str(), item.bytes)).collect();
    assert_eq!(planned, [("a", model), ("s", 2 * model)]);
    let before = runs.bytes("");
    assert!(deletion.carry_out().failures.is_empty());
    assert_eq!(runs.bytes(""), before - 3 * model);
    let listing = Listing::read(&runs.path("")).unwrap();
    assert_eq!(*status_of(&listing, "a"), RunStatus::Ended(RunEnd::Completed));
    let none = delete(&runs, &["a", "s"], What::Models, 10_000).unwrap();
    assert_eq!((none.items.len(), none.without_model.len()), (0, 2));
}

#[test]
fn whatever_is_not_ours_stays_and_all_reasons_are_told_before_anything_goes() {
    let runs = Runs::new();
    runs.ended("good", 10, |_| {});
    runs.ended("noted", 10, |_| {});
    runs.write("noted", "notes.txt", "mine", 10);
    runs.write("noted", "eval-val-1/photographs/x.jpg", "mine", 10);
    runs.evaluation("judged", 10);
    fs::create_dir(runs.path("photographs")).unwrap();
    runs.study("s", 10, 1);
    runs.write("s", "thesis.tex", "mine", 10);
    let elsewhere = Runs::new();
    elsewhere.ended("run", 10, |_| {});
    let far = elsewhere.path("run");
    let asked =
        ["good", "noted", "judged", "photographs", "s", far.to_str().unwrap(), "nothing", "..", ".", ""];
    let all = refused(&runs, &asked);
    let told: Vec<String> = all.iter().map(ToString::to_string).collect();
    let of = |at: usize| (&all[at], told[at].as_str());
    // Those that are not found come first.
    assert!(matches!(of(0), (Refusal::Elsewhere(..), text) if text.contains("give the folder")), "{told:?}");
    assert!(all[1..5].iter().all(|one| matches!(one, Refusal::Missing(..))), "{told:?}");
    let (Refusal::Foreign(_, paths), text) = of(5) else { panic!("{told:?}") };
    assert_eq!(*paths, [Path::new("eval-val-1/photographs"), Path::new("notes.txt")]);
    assert!(text.contains("move it elsewhere first"));
    assert!(matches!(of(6), (Refusal::NoRun(..), text) if text.contains("pupila eval")));
    assert!(matches!(of(7), (Refusal::NoRun(..), text) if text.contains("no recipe.toml")));
    assert!(matches!(of(8), (Refusal::Foreign(..), text) if text.contains("thesis.tex")));
    assert_eq!(all.len(), 9);
    let one_text = Refusals(all).to_string();
    assert!(told.iter().all(|line| one_text.contains(line)), "{one_text}");
    for name in ["good", "noted", "judged", "photographs", "s"] {
        assert!(runs.path(name).exists(), "{name}");
    }
    assert!(far.exists());
}

#[cfg(unix)]
#[test]
fn no_link_is_followed() {
    use std::os::unix::fs::symlink;
    let runs = Runs::new();
    let elsewhere = Runs::new();
    elsewhere.ended("run", 10, |_| {});
    elsewhere.study("s", 10, 1);
    elsewhere.ended("s/a-seed0", 10, |_| {});
    symlink(elsewhere.path("run"), runs.path("link")).unwrap();
    symlink(elsewhere.path("s"), runs.path("study")).unwrap();
    let listing = Listing::read(&runs.path("")).unwrap();
    assert_eq!((listing.entries.len(), listing.others.len(), listing.bytes()), (0, 2, 0));
    let refusals = refused(&runs, &["link", "link/", "study", "study/a-seed0"]);
    assert!(
        matches!(refusals[..], [Refusal::Elsewhere(..), Refusal::Link(_), Refusal::Link(_)]),
        "{refusals:?}"
    );

    // In a run folder a link is nothing of ours, whatever its name.
    runs.ended("run", 10, |_| {});
    symlink(elsewhere.path("run"), runs.path("run/eval-val-1")).unwrap();
    assert!(matches!(refused(&runs, &["run"])[..], [Refusal::Foreign(..)]));
    fs::remove_file(runs.path("run/eval-val-1")).unwrap();
    fs::remove_file(runs.path("run").join(RunFolder::MODEL)).unwrap();
    symlink(elsewhere.path("run").join(RunFolder::MODEL), runs.path("run").join(RunFolder::MODEL)).unwrap();
    assert!(matches!(delete(&runs, &["run"], What::Models, 10_000).unwrap_err().0[..], [Refusal::Link(_)]));
    assert!(elsewhere.path("run").join(RunFolder::MODEL).exists() && elsewhere.path("s/a-seed0").exists());

    // The folder of the runs itself may be reached by a link, as where it is on another disk.
    symlink(elsewhere.path(""), runs.path("disk")).unwrap();
    assert_eq!(names(&Listing::read(&runs.path("disk")).unwrap()), ["run", "s"]);
    let deletion = Deletion::plan(
        &runs.path("disk"),
        &[runs.path("disk/run")],
        What::Folders,
        UNIX_EPOCH + 10_000 * SECOND,
    );
    assert!(deletion.unwrap().carry_out().failures.is_empty());
    assert!(!elsewhere.path("run").exists());
}

#[test]
fn a_study_that_is_running_and_its_runs_stay() {
    let runs = Runs::new();
    runs.study("s", 10, 1);
    runs.ended("s/a-seed0", 10, |_| {});
    let lock = File::create(runs.path("s/study.lock")).unwrap();
    lock.lock().unwrap();
    for what in [What::Folders, What::Models] {
        for name in ["s", "s/a-seed0"] {
            let refusals = delete(&runs, &[name], what, 10_000).unwrap_err().0;
            assert!(matches!(refusals[..], [Refusal::Running(_)]), "{name}: {refusals:?}");
        }
        // The same from inside.
        let names = [PathBuf::from("a-seed0")];
        let refusals = Deletion::plan(&runs.path("s"), &names, what, UNIX_EPOCH + 10_000 * SECOND);
        assert!(matches!(refusals.unwrap_err().0[..], [Refusal::Running(_)]));
    }
    drop(lock);
    // Two runs of one study need its lock once, and as long as the plan stands nobody else gets it.
    runs.ended("s/a-seed1", 10, |_| {});
    let deletion = delete(&runs, &["s/a-seed0", "s/a-seed1"], What::Folders, 10_000).unwrap();
    let lock = File::open(runs.path("s/study.lock")).unwrap();
    assert!(lock.try_lock_shared().is_err());
    deletion.carry_out();
    assert!(lock.try_lock_shared().is_ok());
    assert!(runs.path("s/study.json").exists() && !runs.path("s/a-seed1").exists());
}

#[test]
fn what_was_just_written_is_known() {
    let runs = Runs::new();
    runs.begun("run", 1000, 1);
    runs.study("locked", 1000, 1);
    runs.study("without-a-lock", 1000, 1);
    drop(File::create(runs.path("locked/study.lock")).unwrap());
    let recent = |name: &str, now| delete(&runs, &[name], What::Folders, now).unwrap().items[0].recent;
    assert_eq!(
        [1000, 1059, 1060].map(|now| recent("run", now)),
        [Some(Duration::ZERO), Some(59 * SECOND), None]
    );
    assert_eq!(recent("run", 10), Some(Duration::ZERO), "a clock that was set back");
    // Its lock tells that nobody runs it.
    assert_eq!(recent("locked", 1000), None);
    assert_eq!(recent("without-a-lock", 1000), Some(Duration::ZERO));
}

#[test]
fn what_is_left_of_an_interrupted_deletion_can_be_deleted() {
    let runs = Runs::new();
    runs.ended("run", 10, |_| {});
    runs.study("s", 10, 1);
    for entry in fs::read_dir(runs.path("run")).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with(RunFolder::RECIPE) && !path.ends_with(RunFolder::ENVIRONMENT) {
            fs::remove_file(path).unwrap();
        }
    }
    // A run of a study that was killed at once.
    fs::create_dir(runs.path("s/a-seed0")).unwrap();
    let deletion = delete(&runs, &["run", "s"], What::Folders, 10_000).unwrap();
    assert!(deletion.carry_out().failures.is_empty());
    assert_eq!(fs::read_dir(runs.path("")).unwrap().count(), 0);
}

#[test]
fn the_object_for_programs() {
    let runs = Runs::new();
    runs.ended("a", 100, |summary: &mut RunSummary| summary.status = RunEnd::StoppedEarly);
    runs.study("s", 200, 1);
    let listing = Listing::read(&runs.path("")).unwrap();
    let expected = serde_json::json!({
        "runs": [
            {
                "name": "a", "path": runs.path("a"), "kind": "run", "model": "mlp", "score": 0.75,
                "metric": "val/accuracy", "epochs": 30, "status": "stopped_early", "bytes": runs.bytes("a"),
                "modified": 100.0,
            },
            {
                "name": "s", "path": runs.path("s"), "kind": "study", "model": null, "score": null, "metric": null,
                "epochs": null, "status": "unfinished", "bytes": runs.bytes("s"), "modified": 200.0, "runs": 0,
            },
        ],
        "bytes": runs.bytes("a") + runs.bytes("s"),
    });
    assert_eq!(listing.to_json(), expected);
    runs.ended("s/a-seed0", 100, |_| {});
    let inner = Listing::read(&runs.path("s")).unwrap().to_json();
    assert_eq!(
        (&inner["runs"][0]["study"], &inner["runs"][0]["metric"]),
        (&"s".into(), &"val/macro_f1".into())
    );
}
