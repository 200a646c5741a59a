//! `pupila runs` as it is typed.
#![allow(clippy::unwrap_used)]

mod common;

use common::made_runs::Runs;
use common::{Ran, Sandbox, skin};
use pupila::{RunEnd, RunFolder};
use std::process::Stdio;
use unicode_width::UnicodeWidthStr;

/// A time that no clock has reached, so that whatever carries it was written within the last minute.
const YET_TO_COME: u64 = 4_000_000_000;

fn sandbox() -> (Sandbox, Runs) {
    let sandbox = Sandbox::new();
    let runs = Runs::at(sandbox.path("runs"));
    (sandbox, runs)
}

/// With a standard input that is no terminal.
fn run(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    let mut command = sandbox.command(&[&["runs"], arguments].concat());
    command.stdin(Stdio::null()).output().unwrap().into()
}

/// The first words of lines, such as the names in a table.
fn first_words(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

#[test]
fn a_table_with_the_newest_run_next_to_the_prompt() {
    let (sandbox, runs) = sandbox();
    runs.ended("old", 1_000_000_000, |_| {});
    runs.ended("new", 1_500_000_000, |summary| summary.status = RunEnd::StoppedEarly);
    runs.study("s", 1_200_000_000, 1);
    runs.begun("killed", 1_400_000_000, 3);
    let ran = run(&sandbox, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(first_words(&ran.stdout), ["name", "old", "s", "killed", "new", "3"]);
    for expected in [
        "accuracy",
        "75.0 %",
        "stopped early",
        "no result yet",
        "3 of 30",
        "years ago",
        "3 runs and 1 study with 0 runs, ",
    ] {
        assert!(ran.stdout.contains(expected), "{expected:?} is not in:\n{}", ran.stdout);
    }
    let by_name = run(&sandbox, &["runs", "--sort", "name"]);
    assert_eq!(first_words(&by_name.stdout)[1..5], ["killed", "new", "old", "s"]);
    let json = run(&sandbox, &["--json", "--sort", "score"]).json();
    let names: Vec<_> =
        json["runs"].as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["killed", "s", "new", "old"]);
    assert_eq!(
        (&json["bytes"], &json["runs"][3]["modified"]),
        (&runs.bytes("").into(), &1_000_000_000.0.into())
    );
    assert_eq!(json["runs"][3]["path"], "runs/old");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let (sandbox, runs) = sandbox();
    runs.ended("a-run-with-a-name-that-is-longer-than-any-terminal-is-wide-and-goes-on-1", 10, |_| {});
    runs.ended("模型的名字很长很长很长很长很长", 10, |_| {});
    runs.ended("two\nlines", 10, |_| {});
    runs.write("two\nlines", RunFolder::SUMMARY, "{", 10);
    for columns in [50, 80, 120] {
        let mut command = sandbox.command(&["runs"]);
        let ran: Ran = command.env("COLUMNS", columns.to_string()).output().unwrap().into();
        // One that is a word, such as a path, is not cut.
        let wide = |line: &&str| line.width() > columns && line.split_whitespace().count() > 1;
        assert_eq!(ran.stdout.lines().find(wide), None, "{columns}:\n{}", ran.stdout);
        assert!(
            ran.stdout.contains("two\\nlines") && ran.stdout.contains("unreadable") == (columns > 50),
            "{}",
            ran.stdout
        );
        assert!(ran.stdout.contains("no JSON"), "{}", ran.stdout);
        assert_eq!(ran.code, Some(0));
    }
}

#[test]
fn without_runs_there_is_nothing_wrong() {
    let sandbox = Sandbox::new();
    let ran = run(&sandbox, &[]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout.contains("`pupila train DATA` makes one"), "{}", ran.stdout);
    assert_eq!(run(&sandbox, &["--json"]).json(), serde_json::json!({ "runs": [], "bytes": 0 }));
    let ran = run(&sandbox, &["nowhere"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("nowhere does not exist"), "{}", ran.stderr);
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    let ran = run(&sandbox, &["empty"]);
    assert!(ran.code == Some(0) && ran.stdout.contains("no runs in empty"), "{}", ran.stdout);
}

#[test]
fn nothing_goes_unasked() {
    let (sandbox, runs) = sandbox();
    runs.ended("a", 10, |_| {});
    runs.ended("b", 10, |_| {});
    let ran = run(&sandbox, &["--delete", "a"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(ran.stdout.contains("  a, 2 KB"), "{}", ran.stdout);
    assert!(ran.stderr.contains("add --yes"), "{}", ran.stderr);
    for (arguments, words) in [
        (&["--delete", "a", "c", "--yes"][..], "no run, study or search `c` in runs"),
        (&["--delete", "a", "--delete-models", "b", "--yes"], "cannot be used with"),
        (&["--yes"], "--yes is for --delete"),
    ] {
        let ran = run(&sandbox, arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stdout);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
    assert!(runs.path("a").exists() && runs.path("b").join(RunFolder::MODEL).exists());

    let bytes = runs.bytes("a");
    let ran = run(&sandbox, &["--delete", "runs/a", "--yes", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(
        ran.json(),
        serde_json::json!({ "deleted": [{ "name": "a", "path": "runs/a", "bytes": bytes }], "bytes": bytes })
    );
    assert!(!runs.path("a").exists());
    let ran = run(&sandbox, &["--delete-models", "b", "--yes"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("predict and eval no longer work"), "{}", ran.stdout);
    assert!(
        !runs.path("b").join(RunFolder::MODEL).exists() && runs.path("b").join(RunFolder::SUMMARY).exists()
    );
    let ran = run(&sandbox, &["--delete-models", "b"]);
    assert!(ran.code == Some(0) && ran.stdout.contains("b has no model to delete"), "{}", ran.stdout);
}

#[test]
fn what_may_be_running_is_deleted_only_with_a_yes() {
    let (sandbox, runs) = sandbox();
    runs.begun("now", YET_TO_COME, 1);
    let ran = run(&sandbox, &["--delete", "now"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(ran.stderr.contains("now was written 0 s ago and may be running"), "{}", ran.stderr);
    assert!(runs.path("now").exists());
    let ran = run(&sandbox, &["--delete", "now", "--yes"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("warning: now was written 0 s ago"), "{}", ran.stdout);
    assert!(!runs.path("now").exists());
}

#[test]
fn whatever_the_commands_make_can_be_listed_and_deleted() {
    let sandbox = Sandbox::new();
    let samples = skin();
    assert_eq!(sandbox.train(&samples, "one", &[]).code, Some(0));
    assert_eq!(sandbox.run(&["eval", "runs/one"]).code, Some(0));
    assert_eq!(sandbox.run(&["eval", "runs/one", "--out", "runs/judged"]).code, Some(0));
    let study = [
        "study",
        "grayscale",
        samples.to_str().unwrap(),
        "--seeds",
        "2",
        "--epochs",
        "1",
        "--size",
        "8",
        "--keep",
        "all",
    ];
    let ran = sandbox.run(&study);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let json = run(&sandbox, &["--json"]).json();
    let of =
        |name: &str| json["runs"].as_array().unwrap().iter().find(|run| run["name"] == name).unwrap().clone();
    let summary: serde_json::Value = serde_json::from_str(&sandbox.read("runs/one/summary.json")).unwrap();
    let one = of("one");
    assert_eq!((&one["score"], &one["metric"]), (&summary["val"]["accuracy"], &"val/accuracy".into()));
    assert_eq!(
        (&one["epochs"], &one["status"], &one["model"]),
        (&2.into(), &"completed".into(), &"mlp".into())
    );
    assert_eq!(
        (&of("grayscale-skin")["status"], &of("grayscale-skin")["runs"]),
        (&"completed".into(), &4.into())
    );
    assert_eq!(json["runs"].as_array().unwrap().len(), 2);

    let inner = run(&sandbox, &["runs/grayscale-skin"]);
    assert_eq!(
        first_words(&inner.stdout).iter().filter(|word| word.contains("-seed")).count(),
        4,
        "{}",
        inner.stdout
    );
    // Without the model the records can still be compared.
    let ran = run(&sandbox, &["--delete-models", "grayscale-skin", "--yes"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let compared = ["compare", "runs/grayscale-skin/gray-seed0", "runs/grayscale-skin/color-seed0"];
    assert_eq!(sandbox.run(&compared).code, Some(0));

    let ran = run(&sandbox, &["--delete", "one", "grayscale-skin/gray-seed1", "--yes"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // The study trains anew what is missing.
    let ran = sandbox.run(&study);
    assert!(ran.stdout.contains("3 have ended before"), "{}", ran.stdout);
    let ran = run(&sandbox, &["--delete", "grayscale-skin", "--yes"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let left: Vec<_> =
        std::fs::read_dir(sandbox.path("runs")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["judged"]);
}
