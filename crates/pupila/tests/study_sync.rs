//! A study on an MLflow server: its runs stand below one run of its own, whoever sends what first.
#![allow(clippy::unwrap_used)]

mod common;
mod fake_mlflow;

use common::{Ran, Sandbox};
use fake_mlflow::{FOREVER, Fake, FakeRun, Manner};
use pupila::trackers::mlflow::{Delivery, Target, TrackingUri, sync};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

const RUNS: [(&str, &str); 3] =
    [("baseline-seed0", "baseline"), ("dropout-seed0", "dropout"), ("dropout-seed1", "dropout")];

/// A study's folder as a finished study leaves it, as far as it is sent: `runs/study` in the sandbox.
fn write_study(sandbox: &Sandbox) -> PathBuf {
    let study = sandbox.path("runs/study");
    let write = |path: &str, lines: &[Value]| {
        let path = study.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(path, text).unwrap();
    };
    for (place, (name, member)) in RUNS.into_iter().enumerate() {
        let group = json!({"folder": "..", "name": "study", "member": member, "varied": ["model.dropout"]});
        let data = json!({"name": "skin", "path": "/skin", "form": "class folders", "fingerprint": "f1"});
        let loss = 0.5 + place as f64;
        write(
            &format!("{name}/metrics.jsonl"),
            &[
                json!({"event": "start", "time": 2.5, "run": name, "classes": ["a", "b"], "parameters": 10,
                       "recipe": {"train.seed": 1}, "data": data, "group": group, "format": 2}),
                json!({"event": "scalars", "time": 3.5, "epoch": 1, "step": 8, "values": {"val/loss": loss}}),
                json!({"event": "result", "time": 4.5, "epoch": 1, "step": 8, "values": {"best/loss": loss}}),
                json!({"event": "end", "time": 4.5, "status": "completed", "best_epoch": 1}),
                json!({"event": "model", "time": 4.5, "path": "best.safetensors", "step": 8}),
            ],
        );
        std::fs::write(study.join(name).join("best.safetensors"), [0; 100]).unwrap();
    }
    write(
        "metrics.jsonl",
        &[
            json!({"event": "start", "time": 1.5, "run": "study", "recipe": {"train.epochs": 1}, "format": 2}),
            json!({"event": "result", "time": 5.5, "epoch": 0, "step": 0, "values": {"dropout/accuracy_mean": 0.9}}),
            json!({"event": "artifact", "time": 5.5, "path": "study.json"}),
            json!({"event": "artifact", "time": 5.5, "path": "results.csv"}),
            json!({"event": "end", "time": 5.5, "status": "completed", "best_epoch": null}),
        ],
    );
    write("study.json", &[json!({"name": "study"})]);
    std::fs::write(study.join("results.csv"), "variant,accuracy\n").unwrap();
    study
}

fn sync_by_program(sandbox: &Sandbox, folder: &str, fake: &Fake, more: &[&str]) -> Ran {
    let uri = fake.uri();
    let arguments = ["sync", folder, "--mlflow", &uri, "--wait", FOREVER];
    sandbox.run(&[&arguments[..], more].concat())
}

fn target(fake: &Fake) -> Target {
    Target::resolve(Some(&TrackingUri::new(fake.uri())), None, |_| None).unwrap().unwrap()
}

fn sync_by_library(folder: &Path, fake: &Fake) {
    let sent = sync(folder, target(fake), Duration::from_secs(3600)).unwrap();
    assert!(sent.complete, "{sent:?}");
}

/// The server has the study's runs, each once and whole, below one parent, whose status is this.
fn assert_nested(fake: &Fake, study: &Path, status: &str) {
    let ids: Vec<String> = RUNS
        .iter()
        .map(|(name, _)| {
            let store = fake.store.lock().unwrap();
            let [(id, _)] = &store.named(name)[..] else { panic!("{name} is there once") };
            id.clone()
        })
        .collect();
    for ((name, member), id) in RUNS.iter().zip(&ids) {
        assert_eq!(fake.assert_has(&study.join(name), id), 2);
        let store = fake.store.lock().unwrap();
        let [(parent_id, parent)] = &store.named("study")[..] else { panic!("there is one parent") };
        assert_eq!((store.runs.len(), parent.status.as_str()), (4, status));
        let (_, run): &(String, &FakeRun) = &store.named(name)[0];
        assert_eq!(&run.tags["mlflow.parentRunId"], parent_id);
        assert_eq!(
            (run.tags["pupila.study"].as_str(), run.tags["pupila.variant"].as_str()),
            ("study", *member)
        );
        assert_eq!(run.status, "FINISHED");
        // Told when it was made.
        assert_eq!(parent.params["train.epochs"], "1");
        assert!(!parent.params.contains_key("parameters") && !parent.tags.contains_key("mlflow.parentRunId"));
    }
}

fn assert_parent_is_whole(fake: &Fake, study: &Path) {
    let id = fake.store.lock().unwrap().named("study")[0].0.clone();
    assert_eq!(fake.assert_has(study, &id), 1);
    let store = fake.store.lock().unwrap();
    for file in ["study.json", "results.csv"] {
        let length = std::fs::metadata(study.join(file)).unwrap().len() as usize;
        assert_eq!(store.files.get(&format!("7/{id}/{file}")), Some(&length));
    }
    // The study's result is of no model.
    assert!(store.files.keys().all(|place| !place.starts_with(&format!("7/{id}/model"))));
}

#[test]
fn a_study_is_sent_whole_and_a_second_time_nothing_is() {
    let (sandbox, fake) = (Sandbox::new(), Fake::start(Manner::Well));
    let study = write_study(&sandbox);
    let ran = sync_by_program(&sandbox, "runs/study", &fake, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_nested(&fake, &study, "FINISHED");
    assert_parent_is_whole(&fake, &study);
    // The search for each run's logged model, for its result and for its model; none for the study's.
    assert_eq!(fake.store.lock().unwrap().logged_models, 6);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "study: 1 metrics and 2 files were sent now, as r1");
    let uri = format!("http://127.0.0.1:{}", fake.port);
    // Each with its page.
    assert_eq!(lines[1], format!("  {uri}/#/experiments/7/runs/r1"));
    assert_eq!(lines[2], "baseline-seed0: 2 metrics and 1 files were sent now, as r2");
    let totals = "has the whole study, as r1: 7 metrics and 5 files of 3 runs and the study were sent now";
    assert_eq!(lines[8], format!("{uri} {totals}"));
    assert_eq!(ran.stdout.matches("has no logged models").count(), 1, "{}", ran.stdout);
    let again = sync_by_program(&sandbox, "runs/study", &fake, &["--json"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let page = |id: &str| format!("{uri}/#/experiments/7/runs/{id}");
    let run = |id: &str, name: &str| {
        json!({"name": name, "complete": true, "metrics": 0, "files": 0, "run_id": id, "model_id": null,
               "page": page(id), "skipped": [], "reason": null})
    };
    let runs = [run("r2", RUNS[0].0), run("r3", RUNS[1].0), run("r4", RUNS[2].0)];
    let expected = json!({"complete": true, "metrics": 0, "files": 0, "run_id": "r1", "model_id": null,
                          "skipped": [], "runs": runs});
    assert_eq!(again.json(), expected);
    assert_nested(&fake, &study, "FINISHED");
}

#[test]
fn runs_that_are_sent_at_once_by_threads_and_programs_make_one_parent() {
    // Without the lock two of three such rounds make a second parent.
    for _ in 0..8 {
        let (sandbox, fake) = (Sandbox::new(), Fake::start(Manner::Well));
        let study = write_study(&sandbox);
        let (last, others) = RUNS.split_last().unwrap();
        std::thread::scope(|scope| {
            for (name, _) in others {
                let (folder, fake) = (study.join(name), &fake);
                scope.spawn(move || sync_by_library(&folder, fake));
            }
            let ran = sync_by_program(&sandbox, &format!("runs/study/{}", last.0), &fake, &[]);
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        });
        // It goes on until its own end is sent.
        assert_nested(&fake, &study, "RUNNING");
        sync_by_library(&study, &fake);
        assert_nested(&fake, &study, "FINISHED");
        assert_parent_is_whole(&fake, &study);
    }
}

#[test]
fn whoever_sends_the_study_holds_up_none_of_its_runs() {
    let (sandbox, fake) = (Sandbox::new(), Fake::start(Manner::Well));
    let study = write_study(&sandbox);
    let mut own = Delivery::open(&study, target(&fake)).unwrap();
    sync_by_library(&study.join(RUNS[0].0), &fake);
    while own.advance().unwrap() {}
    for (name, _) in &RUNS[1..] {
        sync_by_library(&study.join(name), &fake);
    }
    assert!(!own.advance().unwrap());
    assert_nested(&fake, &study, "FINISHED");
    assert_parent_is_whole(&fake, &study);
}

/// Wherever the server hangs up, having done what was asked or not, there is one parent and one run.
#[test]
fn a_connection_lost_at_any_request_makes_no_second_parent() {
    for dies_at in 0..14 {
        let (sandbox, fake) = (Sandbox::new(), Fake::start(Manner::Dies(dies_at)));
        let study = write_study(&sandbox);
        let first = study.join(RUNS[0].0);
        let broken = sync(&first, target(&fake), Duration::ZERO).unwrap();
        assert!(!broken.complete, "{dies_at}");
        fake.settle();
        fake.set(Manner::Well);
        // Another run needs the parent before the first one goes on.
        for place in [1, 0, 2] {
            sync_by_library(&study.join(RUNS[place].0), &fake);
        }
        assert_nested(&fake, &study, "RUNNING");
        sync_by_library(&study, &fake);
        assert_parent_is_whole(&fake, &study);
    }
}

#[test]
fn a_run_that_was_moved_out_of_its_study_is_sent_alone() {
    let (sandbox, fake) = (Sandbox::new(), Fake::start(Manner::Well));
    let study = write_study(&sandbox);
    std::fs::create_dir(sandbox.path("elsewhere")).unwrap();
    let moved = sandbox.path("elsewhere/moved");
    std::fs::rename(study.join(RUNS[1].0), &moved).unwrap();
    sync_by_library(&moved, &fake);
    // One that names itself as its group's folder.
    let own = study.join(RUNS[0].0).join("metrics.jsonl");
    let text = std::fs::read_to_string(&own).unwrap();
    std::fs::write(&own, text.replace("\"folder\":\"..\"", "\"folder\":\".\"")).unwrap();
    sync_by_library(&study.join(RUNS[0].0), &fake);
    let store = fake.store.lock().unwrap();
    assert_eq!(store.runs.len(), 2);
    assert!(store.runs.iter().all(|run| !run.tags.contains_key("mlflow.parentRunId")));
    assert!(store.runs.iter().all(|run| run.tags["pupila.study"] == "study"));
}

#[test]
fn what_of_a_study_cannot_be_sent_is_named_and_the_rest_is_sent() {
    let (sandbox, fake) = (Sandbox::new(), Fake::start(Manner::Well));
    let study = write_study(&sandbox);
    let register = sync_by_program(&sandbox, "runs/study", &fake, &["--register", "skin"]);
    assert_eq!(register.code, Some(2));
    assert!(register.stderr.contains("--register takes the model of one run"), "{}", register.stderr);
    assert!(fake.store.lock().unwrap().runs.is_empty());
    std::fs::write(study.join(RUNS[0].0).join("metrics.jsonl"), "{\"event\":\"sta").unwrap();
    let ran = sync_by_program(&sandbox, "runs/study", &fake, &["--json"]);
    assert_eq!(ran.code, Some(1));
    let told = "something of 1 of 4 folders is missing";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    let runs = ran.json()["runs"].clone();
    assert!(runs[0]["reason"].as_str().unwrap().contains("does not begin with a line of the event `start`"));
    assert_eq!((&runs[1]["complete"], &runs[2]["complete"]), (&json!(true), &json!(true)));
    // A study whose own record is lost.
    std::fs::remove_dir_all(study.join(RUNS[0].0)).unwrap();
    std::fs::remove_file(study.join("metrics.jsonl")).unwrap();
    let other = Fake::start(Manner::Well);
    let ran = sync_by_program(&sandbox, "runs/study", &other, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("the runs of the study are sent without a parent"), "{}", ran.stdout);
    assert_eq!(other.store.lock().unwrap().runs.len(), 2);
}
