//! Negative controls: what survives of a score without the content, on data of which that is known.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use common::Sandbox;
use common::planted::{Shows, planted};
use serde_json::Value;

/// The study `controls` on planted data.
fn study(sandbox: &Sandbox, shows: Shows) -> Value {
    let data = sandbox.path("data");
    planted(&data, &[("train", 30), ("val", 40)], shows);
    let mut arguments = vec!["study", "controls", data.to_str().unwrap(), "--seeds", "5", "--epochs", "12"];
    arguments.extend(["--model", "mlp", "--size", "20", "--name", "s", "--json"]);
    arguments.extend(["--set", "tracking.report=false", "--set", "tracking.tensorboard=false"]);
    let ran = sandbox.run(&arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let json = ran.json();
    for sentence in json["answer"].as_array().unwrap() {
        println!("{}", sentence.as_str().unwrap());
    }
    // The file of the study has the same, and the page and the terminal say it.
    let stored: Value = serde_json::from_str(&sandbox.read("runs/s/study.json")).unwrap();
    assert_eq!(stored["result"]["controls"], json["controls"]);
    let page = sandbox.read("runs/s/study.html");
    assert!(page.contains("Negative controls") && page.contains("What survives without the content"));
    assert!(ran.stderr.contains("file facts only"), "{}", ran.stderr);
    json
}

fn control<'a>(json: &'a Value, name: &str) -> &'a Value {
    let all = json["controls"]["controls"].as_array().unwrap();
    all.iter().find(|control| control["name"] == name).unwrap_or_else(|| panic!("no {name} in {all:?}"))
}

#[test]
fn a_class_that_shows_at_the_border_survives_there_and_without_the_centre() {
    let json = study(&Sandbox::new(), Shows::Border);
    for name in ["border only", "centre hidden"] {
        let control = control(&json, name);
        assert_eq!(control["claim"], "most_survives", "{control}");
        assert!(control["survives"].as_f64().unwrap() > 0.8, "{control}");
    }
    let answer = json["answer"].to_string();
    assert!(answer.contains("the network does not need the centre"), "{answer}");
}

#[test]
fn a_class_that_shows_in_the_centre_alone_does_not() {
    let json = study(&Sandbox::new(), Shows::Centre);
    for name in ["border only", "centre hidden", "file facts only"] {
        let control = control(&json, name);
        let claim = control["claim"].as_str().unwrap();
        assert!(claim == "little_survives" || claim == "none", "{control}");
        assert!(control["survives"].as_f64().unwrap() < 0.5, "{control}");
    }
    // Its color is left in a thumbnail.
    assert_eq!(control(&json, "4x4 thumbnail")["claim"], "most_survives");
}

#[test]
fn a_control_says_everywhere_that_it_is_one() {
    let sandbox = Sandbox::new();
    let data = sandbox.path("data");
    planted(&data, &[("train", 8), ("val", 6)], Shows::Centre);
    let more = ["--set", "input.show=\"outside\"", "--set", "data.labels=\"shuffled\""];
    let trained = sandbox.train(&data, "r", &more);
    assert_eq!(trained.code, Some(0), "{}", trained.stderr);
    let told = ["(input.show = \"outside\")", "(data.labels = \"shuffled\")"];
    let summary = trained.json();
    assert_eq!(summary["negative_controls"].as_array().unwrap().len(), 2);
    let page = sandbox.read("runs/r/report.html");
    assert!(page.contains("A negative control, no model for use"));
    for told in told {
        // Before it is trained, and with the result.
        assert_eq!(trained.stderr.matches(told).count(), 2, "{}", trained.stderr);
    }
    // The labels that are judged are those of the data.
    let predictions = sandbox.read("runs/r/predictions.csv");
    assert!(predictions.lines().skip(1).all(|line| line.contains("/val/")));
    let judged = sandbox.run(&["eval", "runs/r", "--json"]);
    assert_eq!(judged.code, Some(0), "{}", judged.stderr);
    assert!(judged.stderr.contains("a negative control was trained"), "{}", judged.stderr);
    // One way to pixels: training and evaluation hide the same.
    assert_eq!(judged.json()["metrics"]["loss"], summary["val"]["loss"]);
    let picture = data.join("val/a/000.png");
    let predicted = sandbox.run(&["predict", "runs/r", picture.to_str().unwrap(), "--json"]);
    assert!(predicted.stderr.contains("input.show"), "{}", predicted.stderr);
    // A run without them has none of it.
    let plain = sandbox.train(&data, "plain", &[]);
    assert!(plain.json().get("negative_controls").is_none());
    assert!(!sandbox.read("runs/plain/report.html").contains("A negative control"));
    assert_eq!(sandbox.train(&data, "wrong", &["--set", "input.show=\"centre\""]).code, Some(2));
}

#[test]
fn shuffled_labels_are_the_same_for_a_seed_and_any_number_of_threads() {
    let sandbox = Sandbox::new();
    let data = sandbox.path("data");
    planted(&data, &[("train", 8), ("val", 6)], Shows::Centre);
    let of = |name: &str, more: &[&str]| {
        let shuffled = [&["--set", "data.labels=\"shuffled\""], more].concat();
        let json = sandbox.train(&data, name, &shuffled).json();
        json["val"]["loss"].clone()
    };
    let first = of("one", &["--threads", "1"]);
    assert_eq!(first, of("two", &["--threads", "2"]));
    assert_ne!(first, of("other", &["--seed", "5", "--set", "data.split_seed=0"]));
}
