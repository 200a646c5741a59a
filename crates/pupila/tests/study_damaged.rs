//! Folders of studies in which something is damaged, gone, or in the way.
#![allow(clippy::unwrap_used)]

mod common;

use common::studies::{TWO, builder, plan, request, stop_after};
use pupila::RunFolder;
use pupila::run_files::StudyFile;
use pupila::runs::{Kind, Listing, StudyStatus};
use pupila::study::{Request, StudyObserver, StudyResult};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Mutex;

/// What a study says, and the runs that were run for it.
fn run(text: &str, request: &Request, runs: &Path) -> (StudyResult, Vec<String>) {
    let mut study = builder(plan(text, request), runs).jobs(1).open().unwrap();
    let watcher = stop_after(usize::MAX);
    let said = study.run(&watcher).unwrap();
    (said, watcher.ended.into_inner().unwrap())
}

fn refused(text: &str, runs: &Path) -> String {
    builder(plan(text, &request(&[])), runs).open().unwrap_err().to_string()
}

fn notes(text: &str, request: &Request, runs: &Path) -> String {
    builder(plan(text, request), runs).open().unwrap().notes().join("\n")
}

#[test]
fn a_study_file_of_which_anything_is_gone_or_of_another_type_panics_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    run(TWO, &request(&[]), folder.path());
    let path = StudyFile::path(&folder.path().join("s"));
    let whole = std::fs::read_to_string(&path).unwrap();
    let file: Value = serde_json::from_str(&whole).unwrap();
    let others = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(""),
        json!("../x"),
        json!([]),
        json!([[]]),
        json!(["x"]),
        json!([0, 0]),
        json!({}),
        json!({"x": 1}),
    ];
    let pointers: Vec<String> = file
        .as_object()
        .unwrap()
        .keys()
        .map(|key| format!("/{key}"))
        .chain(["name", "folder", "values", "recipe"].map(|key| format!("/variants/0/{key}")))
        .chain(["looks", "variants"].map(|key| format!("/result/{key}")))
        .collect();
    let mut refused = 0;
    for pointer in &pointers {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        for other in std::iter::once(None).chain(others.iter().map(Some)) {
            let mut changed = file.clone();
            let object = changed.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            match other {
                Some(other) => object.insert(key.to_owned(), other.clone()),
                None => object.remove(key),
            };
            std::fs::write(&path, changed.to_string()).unwrap();
            // Whoever lists it, and whoever goes on with it.
            Listing::read(folder.path()).unwrap();
            Listing::read(&folder.path().join("s")).unwrap();
            match builder(plan(TWO, &request(&[])), folder.path()).open() {
                Ok(mut study) => drop(study.run(&())),
                Err(error) => {
                    assert!(error.to_string().len() > 10, "{pointer} {other:?}: {error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > pointers.len(), "{refused} of {} keys", pointers.len());
    std::fs::write(&path, whole).unwrap();
    assert!(run(TWO, &request(&[]), folder.path()).1.is_empty());
}

#[test]
fn a_damaged_study_file_is_told_with_what_is_wrong_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    run(TWO, &request(&[]), folder.path());
    let path = StudyFile::path(&folder.path().join("s"));
    let whole = std::fs::read_to_string(&path).unwrap();
    let half = &whole[..whole.len() / 2];
    let cut = format!("the file is cut at byte {}", half.len());
    let no_splits = whole.replace("\"splits\": [\n    0\n  ]", "\"splits\": []");
    assert_ne!(no_splits, whole);
    for (text, told) in [
        ("", "the file is empty"),
        (half, cut.as_str()),
        ("{}", "it names no seed"),
        (&no_splits, "it names no split"),
        ("nonsense", "no JSON"),
        ("[]", "it names no seed"),
        ("7", "invalid type"),
    ] {
        std::fs::write(&path, text).unwrap();
        let refused = refused(TWO, folder.path());
        assert!(refused.contains(told), "{told:?} is not in: {refused}");
        assert!(refused.contains("study.json") && refused.contains("delete this file"), "{refused}");
        // Its runs are listed nevertheless.
        let listing = Listing::read(&folder.path().join("s")).unwrap();
        assert_eq!(listing.entries.len(), 4, "{told}");
        assert!(listing.problem.as_ref().unwrap().contains(told) && listing.to_json()["problem"].is_string());
    }
    // As it says.
    std::fs::remove_file(&path).unwrap();
    let (_, ran) = run(TWO, &request(&[]), folder.path());
    assert!(ran.is_empty(), "{ran:?}");
}

#[test]
fn a_study_that_has_lost_its_file_is_taken_up_from_its_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (before, _) = run(TWO, &request(&[]), folder.path());
    let path = StudyFile::path(&folder.path().join("s"));
    std::fs::remove_file(&path).unwrap();
    let told = notes(TWO, &request(&[]), folder.path());
    assert!(told.contains("study.json is missing, and is made anew from the 4 runs"), "{told}");
    // Other recipes, fewer seeds, other data: nothing is taken for what it is not.
    let other =
        builder(plan(TWO, &request(&["optimizer.lr=0.5"])), folder.path()).open().unwrap_err().to_string();
    assert!(other.contains("another recipe") && other.contains("optimizer.lr"), "{other}");
    let fewer = refused(&TWO.replace("seeds = 2", "seeds = 1"), folder.path());
    assert!(fewer.contains("no such runs: dropout-0.0-seed1, dropout-0.3-seed1"), "{fewer}");
    let environment = folder.path().join("s/dropout-0.3-seed1").join(RunFolder::ENVIRONMENT);
    let made_of = std::fs::read_to_string(&environment).unwrap();
    let mut object: Value = serde_json::from_str(&made_of).unwrap();
    object["data"]["fingerprint"] = "0".into();
    std::fs::write(&environment, object.to_string()).unwrap();
    assert!(refused(TWO, folder.path()).contains("was made of other data"));
    std::fs::write(&environment, made_of).unwrap();
    assert!(!path.exists());
    let (after, ran) = run(TWO, &request(&[]), folder.path());
    assert!(ran.is_empty(), "{ran:?}");
    assert_eq!(after.json, before.json);
}

/// Keeps what is warned of.
#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl StudyObserver for Warnings {
    fn warning(&self, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

#[test]
fn a_study_that_has_ended_is_shown_where_nothing_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let (before, _) = run(TWO, &request(&[]), folder.path());
    let study = folder.path().join("s");
    // A lock that cannot be taken for whoever runs the tests, root too.
    std::fs::remove_file(study.join("study.lock")).unwrap();
    std::fs::create_dir(study.join("study.lock")).unwrap();
    let files = || {
        [StudyFile::NAME, StudyFile::PAGE, StudyFile::RESULTS, RunFolder::METRICS]
            .map(|file| std::fs::read(study.join(file)).unwrap())
    };
    let (kept, warnings) = (files(), Warnings::default());
    let mut opened = builder(plan(TWO, &request(&[])), folder.path()).open().unwrap();
    let after = opened.run(&warnings).unwrap();
    assert_eq!(after.json, before.json);
    assert!(files() == kept);
    let told = warnings.0.into_inner().unwrap().join("\n");
    assert!(
        told.contains("study.lock") && told.contains("study.html and results.csv are not written anew"),
        "{told}"
    );
    // What has not ended needs the folder.
    std::fs::remove_dir_all(study.join("dropout-0.0-seed0")).unwrap();
    let mut opened = builder(plan(TWO, &request(&[])), folder.path()).open().unwrap();
    assert!(opened.run(&()).unwrap_err().to_string().contains("study.lock"));
}

#[cfg(unix)]
#[test]
fn what_is_in_the_way_of_a_run_is_a_run_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    run(TWO, &request(&[]), folder.path());
    let study = folder.path().join("s");
    let (file, link) = (study.join("dropout-0.3-seed0"), study.join("dropout-0.3-seed1"));
    std::fs::remove_dir_all(&file).unwrap();
    std::fs::remove_dir_all(&link).unwrap();
    std::fs::write(&file, "mine").unwrap();
    std::os::unix::fs::symlink(folder.path().join("nowhere"), &link).unwrap();
    let mut opened = builder(plan(TWO, &request(&[])), folder.path()).jobs(1).open().unwrap();
    let said = opened.run(&()).unwrap();
    assert_eq!((said.missing, said.analysis.variants[1].failed), (0, 2));
    for (run, what) in [(0, "is a file"), (1, "is a link")] {
        let reason = said.json["variants"][1]["runs"][run]["reason"].as_str().unwrap();
        assert!(reason.contains(what) && reason.contains("move it"), "{reason}");
    }
    assert!(
        said.answer.iter().any(|sentence| sentence == "2 runs of `dropout=0.3` failed."),
        "{:?}",
        said.answer
    );
    let table = std::fs::read_to_string(study.join(StudyFile::RESULTS)).unwrap();
    assert_eq!(table.lines().count(), 1 + 2 * 2 + 2, "two runs of two epochs, and two that failed");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    drop(opened);
    let listed = Listing::read(folder.path()).unwrap();
    let Kind::Study(entry) = &listed.entries[0].kind else { panic!("{listed:?}") };
    assert_eq!(entry.status, StudyStatus::Failed { failed: 2, of: 4 });
    assert_eq!(listed.entries[0].status(), "partly_failed");
}

#[test]
fn files_that_a_full_disk_took_are_told_and_cost_no_run() {
    let folder = tempfile::tempdir().unwrap();
    run(TWO, &request(&[]), folder.path());
    let lacking = folder.path().join("s/dropout-0.0-seed1");
    std::fs::remove_file(lacking.join(RunFolder::REPORT)).unwrap();
    std::fs::remove_file(lacking.join(RunFolder::CONFUSION)).unwrap();
    let told = notes(TWO, &request(&[]), folder.path());
    assert!(
        told.contains("dropout-0.0-seed1 lacks classification_report.txt and confusion_matrix.png"),
        "{told}"
    );
    assert!(run(TWO, &request(&[]), folder.path()).1.is_empty());
}

#[test]
fn a_limit_in_the_file_is_named_and_leaves_no_seeds_behind_that_were_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let limited = "runs = 2\nseeds = 1\n[crossed]\n\"model.dropout\" = [0.0, 0.3]\n";
    run(limited, &request(&[]), folder.path());
    let more = Request { seeds: Some(6), ..request(&[]) };
    let told = notes(limited, &more, folder.path());
    assert!(
        told.contains("10 of 12 runs are left out, since `runs` of the study file is 2: with 12 or more"),
        "{told}"
    );
    let (said, ran) = run(limited, &more, folder.path());
    assert!(ran.is_empty());
    assert_eq!(said.json["seeds"], json!([0]));
    assert_eq!(StudyFile::read(&folder.path().join("s")).unwrap().unwrap().seeds, [0]);
    let by_option = Request { runs: Some(4), ..more };
    let told = notes(limited, &by_option, folder.path());
    assert!(told.contains("8 of 12 runs are left out, since --max-runs is 4"), "{told}");
    assert_eq!(run(limited, &by_option, folder.path()).0.json["seeds"], json!([0, 1]));
}

#[test]
fn another_baseline_and_variants_that_the_file_has_no_more_are_told() {
    let folder = tempfile::tempdir().unwrap();
    run(TWO, &request(&[]), folder.path());
    assert_eq!(notes(TWO, &request(&[]), folder.path()), "");
    let other = "seeds = 2\n[crossed]\n\"model.dropout\" = [0.5, 0.3]\n";
    let told = notes(other, &request(&[]), folder.path());
    assert!(told.contains("the baseline is `dropout=0.5` now, and was `dropout=0.0` before"), "{told}");
    assert!(
        told.contains("not of its definition any more, but shown and gone on with: `dropout=0.0`"),
        "{told}"
    );
}

#[test]
fn the_room_that_is_told_is_about_what_is_taken() {
    fn bytes(path: &Path) -> u64 {
        let inner = |entry: std::io::Result<std::fs::DirEntry>| bytes(&entry.unwrap().path());
        if path.is_dir() {
            std::fs::read_dir(path).unwrap().map(inner).sum()
        } else {
            path.metadata().unwrap().len()
        }
    }
    let whole = ["tracking.tensorboard=true", "tracking.report=true"];
    for settings in [&whole[..], &[]] {
        let folder = tempfile::tempdir().unwrap();
        let mut study = builder(plan(TWO, &request(settings)), folder.path()).open().unwrap();
        let told = study.forecast().disk_bytes;
        study.run(&()).unwrap();
        let taken = bytes(&folder.path().join("s"));
        assert!(told < 2 * taken && taken < 2 * told, "told {told}, taken {taken}");
        // Once runs have ended, they say it.
        let again =
            builder(plan(TWO, &request(settings)), folder.path()).open().unwrap().forecast().disk_bytes;
        assert!(again < taken + taken / 4 && taken < again + again / 2, "told {again}, taken {taken}");
    }
}
