//! The main job, from photographs to a judged classifier and back.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Sandbox, skin};
use serde_json::Value;
use std::path::Path;

#[test]
fn a_run_leaves_a_complete_folder_and_one_json_object() {
    let sandbox = Sandbox::new();
    let ran = sandbox.train(&skin(), "first", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let summary = ran.json();
    for key in [
        "model",
        "parameters",
        "classes",
        "best_epoch",
        "epochs_run",
        "stopped_early",
        "train",
        "val",
        "timing",
        "peak_rss_bytes",
        "skipped_images",
        "seed",
        "threads",
        "version",
        "run",
    ] {
        assert!(summary.get(key).is_some(), "summary.json has no {key}");
    }
    for key in ["startup_s", "scan_s", "decode_s", "epoch_train_s", "epoch_eval_s", "total_s", "images_per_s"]
    {
        assert!(summary["timing"][key].as_f64().is_some_and(|x| x >= 0.0), "timing.{key}");
    }
    for key in ["loss", "accuracy", "balanced_accuracy", "macro_f1", "macro_auc"] {
        assert!(summary["val"][key].as_f64().is_some(), "val.{key}");
    }
    assert_eq!(summary["classes"], serde_json::json!(["melanoma", "nevus", "seborrheic_keratosis"]));
    // 16*16*3*512 + 512 + 512*128 + 128 + 128*3 + 3
    assert_eq!(summary["parameters"], 459_779);
    let mut on_disk: Value = serde_json::from_str(&sandbox.read("runs/first/summary.json")).unwrap();
    on_disk["run"] = summary["run"].clone();
    assert_eq!(on_disk, summary);

    let lines: Vec<Value> = sandbox
        .read("runs/first/metrics.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &str| lines.iter().filter(|line| line["event"] == kind).collect::<Vec<_>>();
    assert_eq!((&lines[0]["event"], of("scalars").len(), of("end").len()), (&"start".into(), 2, 1));
    assert_eq!(lines[0]["recipe"]["input.size"], 16);
    let best = summary["best_epoch"].as_u64().unwrap() as usize;
    assert_eq!(of("scalars")[best - 1]["values"]["val/loss"], summary["val"]["loss"]);
    assert_eq!(of("result")[0]["values"]["best/loss"], summary["val"]["loss"]);
    assert_eq!(of("model")[0]["path"], "best.safetensors");

    let csv = sandbox.read("runs/first/predictions.csv");
    assert_eq!(csv.lines().next(), Some("path,label,predicted,correct,melanoma,nevus,seborrheic_keratosis"));
    assert_eq!(csv.lines().count(), 61);
    let correct = csv.lines().skip(1).filter(|line| line.split(',').nth(3) == Some("1")).count();
    assert_eq!(correct as f64 / 60.0, summary["val"]["accuracy"].as_f64().unwrap());
    assert!(sandbox.read("runs/first/recipe.toml").contains("# --size 16"));
    assert!(sandbox.read("runs/first/environment.json").contains("fingerprint"));
}

#[test]
fn people_read_the_whole_story() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["train", skin().to_str().unwrap(), "--epochs", "2", "--size", "16"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for expected in [
        "melanoma                  80      20",
        "300 images of 256x256 px, all in color",
        "Model: mlp, input 3x16x16",
        "Training: 2 epochs of 8 steps, batch 32, adam at lr 0.001, seed 0",
        "   2/2 ",
        "95 % interval",
        "without learning   33.3 % by always answering melanoma",
        "precision    recall  f1-score   support",
        "true \\ predicted",
        "Run folder: runs/skin-mlp-1",
    ] {
        assert!(ran.stdout.contains(expected), "{expected:?} is not in:\n{}", ran.stdout);
    }
    // A second run stands beside the first.
    let again = sandbox.run(&["train", skin().to_str().unwrap(), "--epochs", "1", "--size", "16"]);
    assert!(
        again.stdout.contains("Run folder: runs/skin-mlp-2") && again.stdout.contains("300 from the cache")
    );
}

#[test]
fn the_same_seed_gives_the_same_file_for_any_number_of_threads() {
    let sandbox = Sandbox::new();
    let model = |name: &str, more: &[&str]| {
        let more = [&["--set", "model.batch_norm=true", "--set", "model.dropout=0.3"], more].concat();
        let ran = sandbox.train(&skin(), name, &more);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        std::fs::read(sandbox.path(&format!("runs/{name}/best.safetensors"))).unwrap()
    };
    let one = model("one", &["--threads", "1"]);
    assert_eq!(one, model("two", &["--threads", "2"]));
    assert_eq!(one, model("four", &["--threads", "4"]));
    assert_eq!(sandbox.read("runs/one/predictions.csv"), sandbox.read("runs/four/predictions.csv"));
    assert_ne!(one, model("other", &["--seed", "1"]));
}

#[test]
fn what_is_recorded_changes_nothing_of_the_model() {
    let sandbox = Sandbox::new();
    // BatchNorm's moving statistics and dropout's draws are what a look at the gradient could disturb.
    let common = ["--set", "model.batch_norm=true", "--set", "model.dropout=0.2", "--epochs", "4"];
    // Gradients that wait for their update, and weights that are put aside while their average is judged.
    let waiting =
        ["--set", "train.accumulate=2", "--set", "train.clip_norm=1", "--set", "train.ema_decay=0.9"];
    let model = |name: &str, more: &[&str]| {
        let data = skin();
        let mut arguments = vec!["train", data.to_str().unwrap(), "--name", name, "--size", "16"];
        arguments.extend(common.iter().chain(more));
        assert_eq!(sandbox.run(&arguments).code, Some(0));
        std::fs::read(sandbox.path(&format!("runs/{name}/best.safetensors"))).unwrap()
    };
    let none = model("none", &["--no-tensorboard", "--set", "tracking.steps_every=0"]);
    let all = model("all", &["--set", "tracking.budget_frac=1", "--set", "tracking.steps_every=1"]);
    assert!(none == all);
    let none = model("waiting-none", &[&waiting[..], &["--no-tensorboard"]].concat());
    let all = model("waiting-all", &[&waiting[..], &["--set", "tracking.budget_frac=1"]].concat());
    assert!(none == all);
    let events = |name: &str| {
        let files = std::fs::read_dir(sandbox.path(&format!("runs/{name}"))).unwrap();
        files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().contains("tfevents")).count()
    };
    assert_eq!((events("none"), events("all")), (0, 1));
    assert_eq!(sandbox.read("runs/all/metrics.jsonl").matches("gradient/norm").count(), 4);
}

#[test]
fn eval_and_predict_agree_with_training_to_the_bit() {
    let sandbox = Sandbox::new();
    let summary = sandbox.train(&skin(), "run", &[]).json();
    let eval = sandbox.run(&["eval", "runs/run", "--json", "--csv", "eval.csv", "--threads", "1"]);
    assert_eq!(eval.code, Some(0), "{}", eval.stderr);
    assert_eq!(eval.json()["metrics"], summary["val"]);
    let probabilities = |csv: String| -> Vec<Vec<String>> {
        let mut rows: Vec<Vec<String>> = csv
            .lines()
            .skip(1)
            .map(|line| {
                let fields: Vec<_> = line.split(',').collect();
                let name = Path::new(fields[0]).file_name().unwrap().to_str().unwrap();
                std::iter::once(name).chain(fields[4..].iter().copied()).map(str::to_owned).collect()
            })
            .collect();
        rows.sort();
        rows
    };
    let trained = probabilities(sandbox.read("runs/run/predictions.csv"));
    assert_eq!(probabilities(sandbox.read("eval.csv")), trained);

    // From anywhere, by the model file, in one folder and as single files.
    let model = sandbox.path("runs/run/best.safetensors");
    let val = skin().join("val");
    let predict = |images: &[&Path]| {
        let mut arguments = vec!["predict", model.to_str().unwrap(), "--csv", "predict.csv", "--json"];
        arguments.extend(images.iter().map(|path| path.to_str().unwrap()));
        let ran = sandbox.run(&arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        (ran.json(), probabilities(sandbox.read("predict.csv")))
    };
    let (json, rows) = predict(&[&val]);
    assert_eq!(rows, trained);
    assert_eq!(json["predictions"].as_array().unwrap().len(), 60);
    assert_eq!(json["predictions"][0]["top"].as_array().unwrap().len(), 3);
    let first = std::fs::read_dir(val.join("nevus")).unwrap().next().unwrap().unwrap().path();
    let (_, rows) = predict(&[&first]);
    assert_eq!(rows.len(), 1);
    assert!(trained.contains(&rows[0]));
}

#[test]
fn early_stopping_gives_back_the_best_epoch() {
    let sandbox = Sandbox::new();
    let more =
        ["--epochs", "200", "--set", "early_stopping.patience=3", "--set", "train.monitor=val/macro_f1"];
    let data = skin();
    let mut arguments = vec!["train", data.to_str().unwrap(), "--name", "run", "--size", "8", "--json"];
    arguments.extend(more);
    let ran = sandbox.run(&arguments);
    let summary = ran.json();
    assert_eq!(summary["stopped_early"], true, "{}", ran.stderr);
    let (best, run) = (summary["best_epoch"].as_u64().unwrap(), summary["epochs_run"].as_u64().unwrap());
    assert_eq!(run, best + 3);
    let scores: Vec<f64> = sandbox
        .read("runs/run/metrics.jsonl")
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).unwrap()["values"]["val/macro_f1"].as_f64())
        .collect();
    assert_eq!(scores.len() as u64, run);
    assert!(scores.iter().all(|&score| score <= scores[best as usize - 1]));
    assert_eq!(summary["val"]["macro_f1"].as_f64(), Some(scores[best as usize - 1]));
}

#[test]
fn a_recipe_file_and_gray_images() {
    let sandbox = Sandbox::new();
    std::fs::write(
        sandbox.path("gray.toml"),
        "[input]\nchannels = 1\nsize = 12\n[model]\nhidden = [16]\n[augment]\ntransforms = []\n[optimizer]\nname = \"adamw\"\n",
    )
    .unwrap();
    let data = skin();
    let ran = sandbox.run(&[
        "train",
        data.to_str().unwrap(),
        "--recipe",
        "gray.toml",
        "--epochs",
        "1",
        "--name",
        "gray",
        "--json",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.json()["parameters"], 12 * 12 * 16 + 16 + 16 * 3 + 3);
    // The resolved recipe gives the same model again.
    let again = sandbox.run(&[
        "train",
        data.to_str().unwrap(),
        "--recipe",
        "runs/gray/recipe.toml",
        "--name",
        "again",
        "--json",
    ]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let bytes = |name: &str| std::fs::read(sandbox.path(&format!("runs/{name}/best.safetensors"))).unwrap();
    assert_eq!(bytes("gray"), bytes("again"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_best_model_so_far() {
    use std::io::{BufRead, BufReader};
    let sandbox = Sandbox::new();
    let data = skin();
    let mut child = sandbox
        .command(&["train", data.to_str().unwrap(), "--name", "run", "--epochs", "100000", "--size", "16"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("3/100000")));
    assert!(
        std::process::Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    let rest: Vec<_> = lines.collect();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(rest.iter().any(|line| line.starts_with("Result: epoch ")), "{rest:?}");
    let summary: Value = serde_json::from_str(&sandbox.read("runs/run/summary.json")).unwrap();
    assert_eq!(summary["status"], "interrupted");
    let eval = sandbox.run(&["eval", "runs/run", "--json"]);
    assert_eq!(eval.json()["metrics"], summary["val"]);
}

#[test]
fn an_average_without_memory_is_the_values_and_one_with_memory_is_not() {
    let sandbox = Sandbox::new();
    let model = |name: &str, more: &[&str]| {
        let ran = sandbox.train(&skin(), name, more);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        std::fs::read(sandbox.path(&format!("runs/{name}/best.safetensors"))).unwrap()
    };
    let plain = model("plain", &[]);
    assert!(plain == model("zero", &["--set", "train.ema_decay=0"]));
    assert!(plain != model("slow", &["--set", "train.ema_decay=0.9"]));
    assert!(plain != model("warm", &["--set", "schedule.warmup_steps=4"]));
    assert!(plain != model("clipped", &["--set", "train.clip_norm=0.01"]));
    let balanced = model("balanced", &["--set", "loss.class_weights=balanced"]);
    assert!(plain == balanced, "the sample's classes are all of one size, and so is every weight 1");
}

#[test]
fn accumulated_batches_make_fewer_updates() {
    let sandbox = Sandbox::new();
    let ran = sandbox.train(&skin(), "run", &["--set", "train.accumulate=3"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let scalars = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let metrics = sandbox.read("runs/run/metrics.jsonl");
    let first = metrics.lines().map(scalars).find(|line| line["event"] == "scalars").unwrap();
    let recipe = sandbox.read("runs/run/recipe.toml");
    let batch = recipe.lines().find_map(|line| line.strip_prefix("batch = ")).unwrap();
    let batch: usize = batch.split_whitespace().next().unwrap().parse().unwrap();
    // The last update of an epoch takes what is left.
    assert_eq!(first["step"], 240_usize.div_ceil(batch).div_ceil(3));
}

#[test]
fn a_run_that_diverges_names_the_place_and_a_way_out() {
    let sandbox = Sandbox::new();
    let ran = sandbox.train(&skin(), "run", &["--lr", "1e20"]);
    assert_eq!(ran.code, Some(1));
    for part in
        ["training has diverged, first in the ", "try a smaller learning rate: --lr 0.001 (it was 1e20)"]
    {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
}
