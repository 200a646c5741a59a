//! `pupila bench`: what it measures is there, whatever the numbers are.
#![allow(clippy::unwrap_used)]

mod common;

use common::Sandbox;
use serde_json::Value;

/// A duration or a rate, about which nothing is certain but this: a clock may stand still over a short stage.
fn is_measured(value: &Value) -> bool {
    value.as_f64().is_some_and(|x| x >= 0.0)
}

#[test]
fn every_number_is_there() {
    let sandbox = Sandbox::new();
    let small =
        ["--model", "cnn", "--size", "8", "--batch", "4", "--steps", "2", "--threads", "2", "--classes", "3"];
    let more = ["--set", "model.batch_norm=true", "--profile", "--init-report", "--json"];
    let ran = sandbox.run(&[&["bench"], &small[..], &more[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let result = ran.json();
    assert_eq!(
        (&result["model"], &result["batch"], &result["threads"]),
        (&"cnn".into(), &4.into(), &2.into())
    );
    assert!(result["parameters"].as_u64().is_some_and(|count| count > 0));
    for key in ["step_ms_median", "step_ms_min", "forward_ms_median", "images_per_s"] {
        assert!(is_measured(&result[key]), "{key}");
    }
    for key in ["matmul_gflops", "bandwidth_gb_per_s", "step_ms", "step_frac"] {
        assert!(is_measured(&result["floor"][key]), "floor.{key}");
    }
    let (stages, init) = (result["stages"].as_array().unwrap(), result["init"].as_array().unwrap());
    assert_eq!(stages.len(), init.len());
    assert!(init.iter().all(|layer| layer["gradient_variance"].as_f64().is_some_and(|x| x > 0.0)));
    assert!(stages.iter().all(|stage| is_measured(&stage["forward_ms"])));
}

/// Every way in which a recipe may have a step done can be measured.
#[test]
fn clipping_accumulation_and_averaging_are_measured_too() {
    let sandbox = Sandbox::new();
    for more in [&["train.clip_norm=1"][..], &["train.accumulate=2", "train.ema_decay=0.9"]] {
        let options = ["bench", "--size", "8", "--batch", "2", "--steps", "3", "--threads", "2", "--json"];
        let more: Vec<&str> = more.iter().flat_map(|setting| ["--set", setting]).collect();
        let ran = sandbox.run(&[&options[..], &more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(is_measured(&ran.json()["step_ms_median"]), "{more:?}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let sandbox = Sandbox::new();
    for (option, told) in [
        (["--model", "cmm"], "cnn"),
        (["--steps", "0"], "--steps"),
        (["--classes", "1"], "--classes"),
        (["--batch", "0"], "train.batch"),
    ] {
        let ran = sandbox.run(&[&["bench"], &option[..]].concat());
        assert_eq!(ran.code, Some(2), "{option:?}");
        assert!(ran.stderr.contains(told), "{option:?}: {}", ran.stderr);
    }
}
