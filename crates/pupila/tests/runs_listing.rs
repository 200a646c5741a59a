//! What a folder of runs holds, through the library. File times and the clock are set.
#![allow(clippy::unwrap_used)]

mod common;

use common::made_runs::{Runs, SECOND, delete};
use pupila::run_files::{RunSummary, StudyFile};
use pupila::runs::{EndedTrials, Kind, Listing, Order, RunStatus, SearchStatus, StudyStatus, What};
use pupila::{RunEnd, RunFolder};
use std::fs::{self, File};
use std::time::{Duration, UNIX_EPOCH};

fn names(listing: &Listing) -> Vec<&str> {
    listing.entries.iter().map(|entry| entry.name.as_str()).collect()
}

fn status_of<'a>(listing: &'a Listing, name: &str) -> &'a RunStatus {
    let entry = listing.entries.iter().find(|entry| entry.name == name).unwrap();
    match &entry.kind {
        Kind::Run(run) => &run.status,
        _ => panic!("{name} is no run"),
    }
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
        _ => panic!("a study"),
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

#[test]
fn searches_are_listed_with_their_best_value() {
    let runs = Runs::new();
    runs.ended("a", 100, |_| {});
    for trial in ["trial-0000", "trial-0001"] {
        runs.ended(&format!("search-skin/{trial}"), 300, |_| {});
    }
    let read = |name: &str| {
        let listing = Listing::read(&runs.path("")).unwrap();
        let entry = listing.entries.iter().find(|entry| entry.name == name).unwrap();
        let Kind::Search(search) = &entry.kind else { panic!("{entry:?} is no search") };
        let object =
            listing.to_json()["runs"].as_array().unwrap().iter().find(|run| run["name"] == name).cloned();
        (search.clone(), object.unwrap(), entry.clone())
    };
    // One that runs has told no more than its study and its storage.
    runs.write(
        "search-skin",
        "search.json",
        r#"{"study": "search-skin", "storage": "x.journal", "format": 2}"#,
        200,
    );
    let (search, object, entry) = read("search-skin");
    assert_eq!((search.trials, search.best, &search.status), (2, None, &SearchStatus::NoResult));
    assert_eq!(object["status"], "no_result");
    assert_eq!(entry.modified, UNIX_EPOCH + 300 * SECOND);
    assert!(entry.bytes > runs.bytes("search-skin/trial-0000"));
    let ended = r#"{"study": "s", "metric": "val/loss", "trials": {"complete": 1, "pruned": 1, "failed": 0},
                    "best": {"number": 0, "value": 0.25}, "stopped": false}"#;
    runs.write("search-skin", "search.json", ended, 400);
    let (search, object, _) = read("search-skin");
    assert_eq!(search.ended, Some(EndedTrials { complete: 1, pruned: 1, failed: 0 }));
    assert_eq!((search.best, search.known_metric().unwrap().name), (Some(0.25), "loss"));
    assert_eq!(
        (&object["kind"], &object["metric"], &object["score"]),
        (&"search".into(), &"val/loss".into(), &0.25.into())
    );
    runs.write("search-skin", "search.json", &ended.replace("false", "true"), 400);
    assert_eq!(read("search-skin").0.status, SearchStatus::Interrupted);
    runs.write("search-skin", "search.json", "{", 400);
    assert!(read("search-skin").2.problem().unwrap().contains("search.json cannot be read"));
    // Its trials are runs like others.
    assert_eq!(names(&Listing::read(&runs.path("search-skin")).unwrap()), ["trial-0000", "trial-0001"]);
}
