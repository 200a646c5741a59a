//! Runs of other versions, through the program: an older one opens in every command, one of the future is refused.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Sandbox, skin};
use std::path::Path;

/// The run in tests/old_run, written before the files said their format, with a key in its recipe that is refused today.
fn old_run(sandbox: &Sandbox, name: &str) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old_run");
    std::fs::create_dir_all(sandbox.path(name)).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let bytes = match String::from_utf8(std::fs::read(&path).unwrap()) {
            Ok(text) => text.replace("SAMPLES", skin().to_str().unwrap()).into_bytes(),
            Err(binary) => binary.into_bytes(),
        };
        std::fs::write(sandbox.path(name).join(path.file_name().unwrap()), bytes).unwrap();
    }
}

#[test]
fn a_run_of_the_first_format_opens_in_every_command() {
    let sandbox = Sandbox::new();
    old_run(&sandbox, "old");
    let evaluated = sandbox.run(&["eval", "old", "--json"]);
    assert_eq!(evaluated.code, Some(0), "{}", evaluated.stderr);
    assert!(evaluated.stderr.contains("optimizer.momentum"), "{}", evaluated.stderr);
    let old: serde_json::Value = serde_json::from_str(&sandbox.read("old/summary.json")).unwrap();
    let now = evaluated.json();
    for key in ["accuracy", "macro_f1"] {
        assert_eq!(now["metrics"][key], old["val"][key], "{key}");
    }
    // The pixels of its photographs were off by a few of 255 at the edges of colors: another decoder made them.
    let loss = |of: &serde_json::Value| of["loss"].as_f64().unwrap();
    let (now_loss, old_loss) = (loss(&now["metrics"]), loss(&old["val"]));
    assert!((now_loss - old_loss).abs() < 1e-3, "{now_loss} and {old_loss}");
    // Intervals are made anew: its own, of a model that answers one class for all, were from a third to a third.
    for key in ["accuracy", "balanced_accuracy", "macro_f1"] {
        let limit = |end: usize| now["intervals"][key][end].as_f64().unwrap();
        let value = now["metrics"][key].as_f64().unwrap();
        assert!(limit(0) < value && value < limit(1), "{key}: {}", now["intervals"]);
    }
    let photograph = skin().join("val/nevus");
    let predicted = sandbox.run(&["predict", "old", photograph.to_str().unwrap()]);
    assert_eq!(predicted.code, Some(0), "{}", predicted.stderr);
    assert_eq!(sandbox.train(&skin(), "new", &[]).code, Some(0));
    // Its images were named from another folder, which is no other data.
    let compared = sandbox.run(&["compare", "old", "runs/new", "--json"]);
    assert_eq!(compared.code, Some(0), "{}", compared.stderr);
    assert!(compared.json()["recipe_differences"]["optimizer.momentum"].is_object());
    let sent = sandbox.run(&["sync", "old"]);
    assert!(sent.code == Some(2) && sent.stderr.contains("to which server?"), "{}", sent.stderr);
}

#[test]
fn a_run_of_the_future_is_refused_with_its_version_by_every_command() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.train(&skin(), "new", &[]).code, Some(0));
    let environment = sandbox.read("runs/new/environment.json");
    let future = environment.replace("\"format\": 2", "\"format\": 3").replace("\"0.1.0\"", "\"4.5.6\"");
    assert_ne!(future, environment);
    std::fs::write(sandbox.path("runs/new/environment.json"), future).unwrap();
    old_run(&sandbox, "old");
    let photograph = skin().join("val/nevus");
    for arguments in [
        &["eval", "runs/new"][..],
        &["predict", "runs/new", photograph.to_str().unwrap()],
        &["compare", "old", "runs/new"],
        &["sync", "runs/new", "--mlflow", "http://localhost:1"],
    ] {
        let refused = sandbox.run(arguments);
        assert_eq!(refused.code, Some(2), "{arguments:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("written by Pupila 4.5.6 in format 3"), "{}", refused.stderr);
    }
}
