//! Data as people have it, by the program: what it says was taken for what, and pictures that are not read.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Sandbox, skin};
use std::fs;
use std::path::Path;

/// Some photographs of a class of the samples.
fn copy(split: &str, class: &str, n: usize, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let entries = fs::read_dir(skin().join(split).join(class)).unwrap();
    let mut from: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    from.sort();
    for path in from.iter().take(n) {
        fs::copy(path, to.join(path.file_name().unwrap())).unwrap();
    }
}

const HEIC: &[u8] = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic";

#[test]
fn what_was_taken_and_what_was_not_stands_in_every_command() {
    let sandbox = Sandbox::new();
    let data = sandbox.path("data");
    for class in ["melanoma", "nevus"] {
        copy("train", class, 6, &data.join("Training Set").join(class));
        copy("val", class, 3, &data.join("validación").join(class));
        copy("val", class, 2, &data.join("holdout 2").join(class));
    }
    for name in ["Training Set/nevus/1.heic", "Training Set/nevus/2.HEIC", "holdout 2/melanoma/1.avif"] {
        fs::write(data.join(name), HEIC).unwrap();
    }
    let ran = sandbox.train(&data, "one", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let taken = "splits Training Set -> train, validación -> val, holdout 2 -> test; classes melanoma, nevus \
                 (data.train, data.val, data.test say it otherwise)";
    assert!(ran.stderr.contains(taken) || ran.stdout.contains(taken), "{}{}", ran.stdout, ran.stderr);
    let summary: serde_json::Value = serde_json::from_str(&sandbox.read("runs/one/summary.json")).unwrap();
    assert_eq!(summary["taken"], taken);
    let expected = serde_json::json!([
        { "extension": "heic", "class": "nevus", "count": 2 },
        { "extension": "avif", "class": "melanoma", "count": 1 },
    ]);
    assert_eq!(summary["other_pictures"], expected);

    let judged = sandbox.run(&["eval", "runs/one", "data", "--split", "test", "--json"]);
    assert_eq!(judged.code, Some(0), "{}", judged.stderr);
    assert_eq!(judged.json()["other_pictures"], serde_json::json!([expected[1]]));
    assert!(judged.stderr.contains("1 .avif (melanoma 1)"), "{}", judged.stderr);
    let answered = sandbox.run(&["predict", "runs/one", "data/Training Set", "--json"]);
    let expected = serde_json::json!([{ "extension": "heic", "class": null, "count": 2 }]);
    assert_eq!(answered.json()["other_pictures"], expected);
    assert!(answered.stderr.contains("-iname '*.heic' -exec magick {} {}.jpg"), "{}", answered.stderr);

    // A table whose columns have other names is judged by what is said of them.
    let rows = |class: &str| -> String {
        let entries = fs::read_dir(data.join("holdout 2").join(class)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.ends_with("avif")).map(|name| format!("{name};{class};5\n")).collect()
    };
    let table = format!("file;what;age\n{}{}", rows("melanoma"), rows("nevus"));
    fs::write(data.join("holdout 2/table.csv"), table).unwrap();
    let asked = sandbox.run(&["eval", "runs/one", "data/holdout 2/table.csv"]);
    assert_eq!(asked.code, Some(2));
    assert!(asked.stderr.contains("--set data.label_column=what"), "{}", asked.stderr);
    let judged = sandbox.run(&[
        "eval",
        "runs/one",
        "data/holdout 2/table.csv",
        "--set",
        "data.label_column=what",
        "--json",
    ]);
    assert_eq!(judged.json()["images"], 4, "{}", judged.stderr);
    assert!(judged.json()["taken"].as_str().unwrap().starts_with("table table.csv: file names the files"));
    let other = sandbox.run(&["eval", "runs/one", "data", "--set", "train.seed=1"]);
    assert!(other.code == Some(2) && other.stderr.contains("data.label_column"), "{}", other.stderr);
}

#[test]
fn eval_of_a_runs_own_data_takes_its_keys() {
    let sandbox = Sandbox::new();
    let data = sandbox.path("data");
    for class in ["melanoma", "nevus"] {
        copy("train", class, 6, &data.join("mine").join(class));
        copy("val", class, 3, &data.join("yours").join(class));
    }
    let keys = ["--set", "data.train=mine", "--set", "data.val=yours"];
    assert_eq!(sandbox.train(&data, "one", &keys).code, Some(0));
    let again = sandbox.run(&["eval", "runs/one", "data", "--json"]);
    assert_eq!((again.json()["images"].as_u64(), again.json()["split"].as_str()), (Some(6), Some("val")));
    let recipe = sandbox.read("runs/one/recipe.toml");
    assert!(recipe.contains("train = \"mine\"") && recipe.contains("# test is not set"), "{recipe}");
}
