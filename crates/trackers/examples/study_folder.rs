//! A study's folder as a study leaves it, as far as trackers are concerned, for `interop`:
//!
//!     study_folder FOLDER VARIED...
//!
//! In: a folder that isn't there, and the keys of the recipe that its variants differ in besides `model.dropout`. Out: the
//! folder with a record of its own and three runs, `baseline-seed0`, `dropout-seed0` and `dropout-seed1`, each with a
//! TensorBoard event file.

use pupila_trackers::{DataRecord, Event, Group, Jsonl, RunEnd, RunInfo, TensorBoard, Tracker};
use serde_json::{Map, Value, json};
use std::error::Error;
use std::path::{Path, PathBuf};

const RUNS: [(&str, u64); 3] = [("baseline", 0), ("dropout", 0), ("dropout", 1)];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let study = PathBuf::from(arguments.next().ok_or("study_folder FOLDER VARIED...")?);
    let name = study.file_name().ok_or("a folder with a name")?.to_string_lossy().into_owned();
    let varied: Vec<String> = std::iter::once("model.dropout".to_owned()).chain(arguments).collect();
    std::fs::create_dir_all(&study)?;
    let mut own = Jsonl::create(&study.join("metrics.jsonl"))?;
    let mut record = |event: Event| own.record(pupila_trackers::now(), &event);
    let recipe = recipe("baseline", 0);
    record(Event::Start(Box::new(RunInfo { run: name.clone(), recipe, ..RunInfo::default() })))?;
    for (member, seed) in RUNS {
        let group = Group {
            folder: "..".into(),
            name: name.clone(),
            member: member.to_owned(),
            varied: varied.clone(),
        };
        write_run(&study.join(format!("{member}-seed{seed}")), group, seed)?;
    }
    let files = [
        ("study.json", format!("{}\n", json!({ "name": name }))),
        ("results.csv", "variant,accuracy\nbaseline,0.6\ndropout,0.7\n".to_owned()),
        ("study.html", "<!doctype html><title>study</title>\n".to_owned()),
    ];
    let values = [("baseline/accuracy_mean", 0.6), ("dropout/accuracy_mean", 0.7)];
    let values = values.map(|(tag, value)| (tag.to_owned(), value)).to_vec();
    record(Event::Result { epoch: 0, step: 0, values })?;
    for (path, text) in files {
        std::fs::write(study.join(path), text)?;
        record(Event::Artifact { path: path.to_owned() })?;
    }
    record(Event::End { end: RunEnd::Completed, best_epoch: None })?;
    Ok(())
}

/// A recipe's keys, more than TensorBoard shows columns. The baseline has no dropout, so that key is absent there.
fn recipe(member: &str, seed: u64) -> Map<String, Value> {
    let recipe = json!({
        "augment.mix_p": 0.5, "data.cache": true, "data.val_split": 0.2, "input.size": 64, "loss.label_smoothing": 0.0,
        "model.batch_norm": true, "model.hidden": [256, 128], "model.name": "mlp", "model.dropout": 0.25,
        "optimizer.lr": 0.001, "optimizer.name": "adamw", "schedule.name": "cosine", "train.batch": 32, "train.epochs": 2,
        "train.seed": seed,
    });
    let Value::Object(mut recipe) = recipe else { return Map::new() };
    if member == "baseline" {
        recipe.remove("model.dropout");
    }
    recipe
}

fn write_run(folder: &Path, group: Group, seed: u64) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let mut jsonl = Jsonl::create(&folder.join("metrics.jsonl"))?;
    let results =
        ["accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "loss"].map(|n| format!("best/{n}"));
    let mut board = TensorBoard::create(folder, results.to_vec())?;
    let mut record = |event: Event| {
        let time = pupila_trackers::now();
        jsonl.record(time, &event)?;
        board.record(time, &event)
    };
    let accuracy = if group.member == "dropout" { 0.7 } else { 0.6 } + 0.02 * seed as f64;
    record(Event::Start(Box::new(RunInfo {
        run: format!("{}-seed{seed}", group.member),
        classes: vec!["melanoma".into(), "nevus".into()],
        parameters: 1000,
        train_images: 80,
        val_images: 20,
        recipe: recipe(&group.member, seed),
        data: DataRecord {
            name: "skin".into(),
            path: "samples/skin".into(),
            form: "class folders".into(),
            fingerprint: "00f1".into(),
        },
        group: Some(group),
        ..RunInfo::default()
    })))?;
    for epoch in 1..=2 {
        let values = vec![("val/accuracy".to_owned(), accuracy), ("val/loss".to_owned(), 1.0 - accuracy)];
        record(Event::Scalars { epoch, step: 8 * u64::from(epoch), values })?;
    }
    let values = results.iter().map(|tag| (tag.clone(), accuracy)).collect();
    record(Event::Result { epoch: 2, step: 16, values })?;
    record(Event::End { end: RunEnd::Completed, best_epoch: Some(2) })?;
    std::fs::write(folder.join("best.safetensors"), [0; 100])?;
    record(Event::Model { path: "best.safetensors".into(), step: 16 })?;
    Ok(())
}
