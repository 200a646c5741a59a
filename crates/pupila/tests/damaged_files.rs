//! Every file of a run folder missing, emptied, cut, or replaced, for every command that reads it: either what comes out is the same, or the file
//! is named, and what to do.
#![allow(clippy::unwrap_used)]

mod common;

use common::killed::{World, is_ok, said};
use pupila::RunFolder;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;

/// What is done to a file.
const DAMAGES: [&str; 5] = ["missing", "empty", "cut in half", "other text", "other bytes"];

fn damage(path: &Path, how: &str) {
    let bytes = fs::read(path).unwrap();
    match how {
        "missing" => fs::remove_file(path).unwrap(),
        "empty" => fs::write(path, "").unwrap(),
        "cut in half" => fs::write(path, &bytes[..bytes.len() / 2]).unwrap(),
        "other text" => fs::write(path, "no such thing, = [\n".repeat(20)).unwrap(),
        _ => fs::write(path, [0xff, 0x00, 0x80, 0x0a].repeat(50)).unwrap(),
    }
}

fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &place) } else { fs::copy(&path, &place).map(|_| ()).unwrap() }
    }
}

/// What was printed for programs, without what comes from the clock, the machine and the place.
fn printed(output: &Output) -> Option<Value> {
    fn strip(value: &mut Value) {
        const VOLATILE: [&str; 11] = [
            "timing",
            "peak_rss_bytes",
            "engine_bytes",
            "threads",
            "first_at_s",
            "folder",
            "page",
            "bytes",
            "modified",
            "record",
            "epoch_s",
        ];
        match value {
            Value::Object(object) => {
                object.retain(|key, value| {
                    !(VOLATILE.contains(&key.as_str()) || key == "images" && value.is_object())
                });
                object.values_mut().for_each(strip);
            }
            Value::Array(all) => all.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_slice(&output.stdout).ok()?;
    strip(&mut value);
    Some(value)
}

/// Whether it is told what to do about it.
fn is_answered(text: &str) -> bool {
    ["put ", "pupila ", "give ", "name "].iter().any(|word| text.contains(word))
}

/// A world with a run that has ended, `runs/x`, one to compare it with, a copied image in its validation set, and labelled images elsewhere.
fn world() -> World {
    let world = World::new();
    fs::copy(world.path("data/train/a/0.png"), world.path("data/val/a/0.png")).unwrap();
    fs::create_dir_all(world.path("elsewhere/a")).unwrap();
    fs::create_dir_all(world.path("elsewhere/b")).unwrap();
    fs::copy(world.path("data/train/a/0.png"), world.path("elsewhere/a/0.png")).unwrap();
    fs::copy(world.path("data/val/b/1.png"), world.path("elsewhere/b/1.png")).unwrap();
    for name in ["x", "other"] {
        let seed = if name == "x" { "train.seed=1" } else { "train.seed=2" };
        is_ok(&world.train("runs", name, &["model.hidden=[4]", seed], 1, None), name);
    }
    world
}

#[test]
fn whatever_file_is_damaged_no_command_is_silent_about_it() {
    let world = world();
    let (run, intact) = (world.path("runs/x"), world.path("intact"));
    fs::rename(&run, &intact).unwrap();
    let commands: [&[&str]; 7] = [
        &["eval", "runs/x", "--json"],
        &["eval", "runs/x", "elsewhere", "--json"],
        &["predict", "runs/x", "data/val/b/1.png", "--json"],
        &["compare", "runs/x", "runs/other", "--out", "c.html", "--json"],
        &["resume", "runs/x", "--json"],
        &["verify", "runs/x", "--json"],
        &["runs", "runs", "--json"],
    ];
    let files: Vec<String> = fs::read_dir(&intact)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for needed in RunFolder::RESULTS.iter().chain(&[RunFolder::MODEL, RunFolder::METRICS]) {
        assert!(files.iter().any(|file| file == needed), "{needed}: {files:?}");
    }
    let called = |arguments: &[&str]| {
        let _ = fs::remove_dir_all(world.path("state"));
        world.pupila(None, arguments)
    };
    let mut silent = Vec::new();
    let (mut told, mut same) = (0, 0);
    for arguments in commands {
        copy(&intact, &run);
        let whole = called(arguments);
        is_ok(&whole, &arguments.join(" "));
        let expected = printed(&whole).unwrap();
        for file in &files {
            for how in DAMAGES {
                copy(&intact, &run);
                damage(&run.join(file), how);
                let output = called(arguments);
                let (code, text) = (output.status.code(), said(&output));
                let is_same = code == Some(0) && printed(&output).as_ref() == Some(&expected);
                // TensorBoard's file has a name that nobody types.
                let shown = if file.starts_with(RunFolder::EVENTS) {
                    RunFolder::EVENTS.trim_end_matches('.')
                } else {
                    file
                };
                let is_told = text.contains(shown)
                    && (code == Some(0) || is_answered(&text) || arguments[0] == "verify");
                told += usize::from(is_told && !is_same);
                same += usize::from(is_same);
                if !matches!(code, Some(0..=3)) || !(is_same || is_told) {
                    silent.push(format!("{} with {file} {how} ({code:?}):\n{text}", arguments.join(" ")));
                }
            }
        }
    }
    assert!(silent.is_empty(), "{} of them:\n{}", silent.len(), silent.join("\n---\n"));
    // Most commands read few of the files.
    assert!(told > 100 && same > 100, "{told} {same}");
}

#[test]
fn a_run_that_goes_on_is_that_of_before_or_says_what_is_damaged() {
    let world = world();
    let stopped = world.train("runs", "y", &["model.hidden=[4]"], 1, Some("abort@step:9"));
    assert!(!stopped.status.success());
    is_ok(&world.train("runs", "whole", &["model.hidden=[4]"], 1, None), "whole");
    let (run, left) = (world.path("runs/y"), world.path("left"));
    fs::rename(&run, &left).unwrap();
    let mut files: Vec<String> = fs::read_dir(&left)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    files.extend(
        fs::read_dir(left.join("checkpoints"))
            .unwrap()
            .map(|entry| format!("checkpoints/{}", entry.unwrap().file_name().into_string().unwrap())),
    );
    assert!(files.iter().any(|file| file.starts_with("checkpoints/")), "{files:?}");
    let mut silent = Vec::new();
    for file in &files {
        for how in DAMAGES {
            copy(&left, &run);
            damage(&run.join(file), how);
            let output = world.pupila(None, &["resume", "runs/y"]);
            let (code, text) = (output.status.code(), said(&output));
            let is_same = code == Some(0)
                && ["summary.json", "predictions.csv"].iter().all(|name| {
                    let read = |run: &str| fs::read_to_string(world.path(run).join(name)).unwrap();
                    let plain = |text: String| {
                        serde_json::from_str::<Value>(&text)
                            .map_or(text.clone(), |value| value["val"].to_string())
                    };
                    plain(read("runs/y")) == plain(read("runs/whole"))
                });
            let is_told = text.contains(file.as_str()) && is_answered(&text);
            if !matches!(code, Some(0..=3)) || !(is_same || is_told) {
                silent.push(format!("{file} {how} ({code:?}):\n{text}"));
            }
        }
    }
    assert!(silent.is_empty(), "{} of them:\n{}", silent.len(), silent.join("\n---\n"));
}

#[test]
fn a_damaged_line_of_the_record_is_told_where_a_run_goes_on_behind_it() {
    let world = world();
    let stopped = world.train("runs", "y", &["model.hidden=[4]"], 1, Some("abort@step:9"));
    assert!(!stopped.status.success());
    let metrics = world.path("runs/y/metrics.jsonl");
    let text = fs::read_to_string(&metrics).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // Behind the first line, and as long as before.
    for number in [2, 3] {
        let other: String = lines
            .iter()
            .enumerate()
            .map(|(place, line)| {
                if place + 1 == number {
                    format!("{}\n", "x".repeat(line.len()))
                } else {
                    format!("{line}\n")
                }
            })
            .collect();
        fs::write(&metrics, other).unwrap();
        let refused = world.resume("runs/y", 1, None);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        let told = said(&refused);
        assert!(
            told.contains(&format!("metrics.jsonl, line {number}: ")) && told.contains("--init-from runs/y"),
            "{told}"
        );
    }
    fs::write(&metrics, &text).unwrap();
    is_ok(&world.resume("runs/y", 1, None), "put back");
}

#[test]
fn what_is_sent_of_a_damaged_folder_is_told() {
    let world = world();
    let sent = |run: &str| {
        said(&world.pupila(None, &["sync", run, "--mlflow", "http://127.0.0.1:1", "--wait", "0"]))
    };
    assert!(!sent("runs/x").contains("runs/x/"), "{}", sent("runs/x"));
    let metrics = fs::read_to_string(world.path("runs/x/metrics.jsonl")).unwrap();
    let damaged = metrics.replacen("{\"event\":\"scalars\"", "{\"event\":scalars", 1);
    assert_ne!(damaged, metrics);
    fs::write(world.path("runs/x/metrics.jsonl"), damaged).unwrap();
    for file in [RunFolder::PREDICTIONS, RunFolder::CONFUSION] {
        fs::write(world.path("runs/x").join(file), "").unwrap();
    }
    let told = sent("runs/x");
    for words in ["metrics.jsonl, line ", "predictions.csv is empty", "confusion_matrix.png is empty"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn a_run_that_has_ended_says_what_is_gone_of_it_when_it_is_to_go_on() {
    let world = world();
    let (run, intact) = (world.path("runs/x"), world.path("intact"));
    fs::rename(&run, &intact).unwrap();
    copy(&intact, &run);
    let whole = said(&world.resume("runs/x", 1, None));
    assert!(whole.contains("has ended") && !whole.contains("another --name"), "{whole}");
    let mut files: Vec<String> = fs::read_dir(&intact)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| RunFolder::RESULTS.contains(&name.as_str()) || name.starts_with(RunFolder::EVENTS))
        .collect();
    assert!(files.len() >= 8, "{files:?}");
    files.push(RunFolder::MODEL.to_owned());
    let mut told = 0;
    for file in &files {
        for how in ["missing", "empty"] {
            // Which names TensorBoard's files had is in no other.
            if how == "missing" && file.starts_with(RunFolder::EVENTS) {
                continue;
            }
            copy(&intact, &run);
            damage(&run.join(file), how);
            let output = world.resume("runs/x", 1, None);
            let said = said(&output);
            assert!(said.contains(file.as_str()), "{file} {how}:\n{said}");
            told += usize::from(output.status.success() && said.contains("another --name"));
        }
    }
    assert!(told > 10, "{told}");
}

#[test]
fn a_study_says_which_damaged_runs_it_makes_again() {
    let world = World::new();
    let study = || {
        let file =
            ["study", "study.toml", "data", "--name", "s", "--runs", "runs", "--seeds", "2", "--jobs", "1"];
        let small =
            ["--epochs", "1", "--size", "8", "--set", "model.hidden=[4]", "--set", "tracking.report=false"];
        world.pupila(None, &[&file[..], &small].concat())
    };
    fs::write(
        world.path("study.toml"),
        "baseline = \"a\"\n[variants.a]\n\"model.dropout\" = 0.0\n[variants.b]\n\"model.dropout\" = 0.3\n",
    )
    .unwrap();
    is_ok(&study(), "whole");
    let whole = said(&study());
    assert!(!whole.contains("made again"), "{whole}");
    let entries = fs::read_dir(world.path("runs/s")).unwrap().map(|entry| entry.unwrap().path());
    let mut runs: Vec<_> = entries.filter(|path| path.join(RunFolder::SUMMARY).is_file()).collect();
    runs.sort();
    assert_eq!(runs.len(), 4);
    for (run, file) in [(&runs[0], RunFolder::SUMMARY), (&runs[3], RunFolder::METRICS)] {
        damage(&run.join(file), "empty");
        let output = study();
        is_ok(&output, file);
        let said = said(&output);
        let line = said.lines().find(|line| line.contains("it is made again")).unwrap_or_default();
        let name = run.file_name().unwrap().to_str().unwrap();
        assert!(line.contains(name) && line.contains(file), "{said}");
    }
}
