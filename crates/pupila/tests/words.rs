//! What people type, and what they are answered.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Sandbox, skin};
use std::fs;
use std::io::Write;
use std::process::Stdio;

#[test]
fn what_is_meant_is_taken_and_said_and_the_rest_is_answered() {
    let sandbox = Sandbox::new();
    let told = sandbox.train(
        &skin(),
        "a",
        &["--set", "hidden=8,4", "--set", "optimizer.name=Adam", "--set", "data.normalize=none"],
    );
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    for words in
        ["--set hidden=8,4 is taken as model.hidden = [8, 4]", "is taken as optimizer.name = \"adam\""]
    {
        assert!(told.stderr.contains(words), "{words}: {}", told.stderr);
    }
    let recipe = sandbox.read("runs/a/recipe.toml");
    assert!(recipe.contains("hidden = [8, 4]") && recipe.contains("normalize = \"none\""), "{recipe}");
    let answered = |arguments: &[&str], words: &str| {
        let ran = sandbox.run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {words:?} is not in {}", ran.stderr);
    };
    let skin = skin();
    let data = skin.to_str().unwrap();
    answered(&["train", data, "--early-stopping", "5"], "type --set early_stopping.patience=5");
    answered(&["train", data, "--set", "model.dropout", "0.5"], "type --set model.dropout=0.5");
    answered(&["train", data, "--epochs", "-5"], "must not be negative");
    answered(&["train", data, "--set", "model.init=he"], "type --set model.init=kaiming_normal");
    answered(&["train", data, "--set", "loss.name=mse"], "the loss is cross-entropy");
    answered(
        &["train", data, "--model", "cnn", "--size", "7"],
        "cnn with 3 poolings needs --size 8 or more, got 7",
    );
    answered(&["train", data, "--set", "train.monitor=val/top5_accuracy"], "is always 1 with 3 classes");
    answered(&["augment", data, "--out", "g.jpg"], "type --out g.png");
    // The guess by the letters alone, --init-from, is not shown beside what is meant.
    let ran = sandbox.run(&["train", data, "--input-size", "32"]);
    assert!(ran.stderr.contains("tip: that is --size here: type --size 32\n"), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("tip:").count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("Usage: pupila train"), "{}", ran.stderr);
    answered(&["fit", data, "--epochs", "3"], &format!("type pupila train {data} --epochs 3"));
    answered(&["entrenar"], "type pupila train DATA");
    answered(&["export", "runs/a"], "there is no ONNX file");
    answered(&["traim", data], "a similar subcommand exists: 'train'");
    answered(&["train", data, "--set", "momentum=0.9"], "type --set optimizer.name=sgd too");
}

#[test]
fn a_run_that_is_named_otherwise_is_found() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.train(&skin(), "a", &["--set", "augment=none"]).code, Some(0));
    let photo = fs::read_dir(skin().join("val/nevus")).unwrap().next().unwrap().unwrap().path();
    let photo = photo.to_str().unwrap();
    for (arguments, words) in [
        (&["eval", "a"][..], "a does not exist; runs/a does: type runs/a"),
        (&["predict", "a", photo], "runs/a does: type runs/a"),
        (&["compare", "a", "b"], "runs/a does: type runs/a"),
        (&["resume", "a"], "runs/a does: type runs/a"),
        (&["predict", photo, "runs/a"], "is a picture, and no model: the run comes first"),
        (&["eval", "runs/a", "test"], "is judged by --split test"),
        (&["study", "dropout", "d"], "`regularization` compares that"),
    ] {
        let ran = sandbox.run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {words:?} is not in {}", ran.stderr);
    }
}

#[test]
fn a_share_for_validation_that_changes_nothing_is_said() {
    let sandbox = Sandbox::new();
    let told = sandbox.train(&skin(), "a", &["--set", "validation_split=0.3"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let words = "data.val_frac = 0.3 changes nothing: the data bring their own validation set, of 60 images; --set data.folds=3";
    assert!(told.stderr.contains(words), "{}", told.stderr);
    let own = sandbox.train(&skin().join("train"), "b", &["--set", "validation_split=0.3"]);
    assert!(own.code == Some(0) && !own.stderr.contains("changes nothing"), "{}", own.stderr);
}

#[test]
fn what_there_is_to_list_and_every_key() {
    let sandbox = Sandbox::new();
    let all = sandbox.run(&["list"]);
    assert!(all.code == Some(0) && all.stdout.contains("keys"), "{}", all.stdout);
    let keys = sandbox.run(&["list", "keys"]).stdout;
    assert!(
        keys.contains("optimizer.lr = 0.001") && keys.contains("early_stopping.patience (not set)"),
        "{keys}"
    );
    let json = sandbox.run(&["list", "keys", "--json"]).json();
    assert_eq!(json["keys"].as_array().unwrap().len(), pupila::recipe::keys().len());
}

#[test]
fn standard_input_is_a_list_of_paths_or_an_image() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.train(&skin(), "a", &[]).code, Some(0));
    let folder = skin().join("val/nevus");
    let mut paths: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .collect();
    paths.sort();
    let predict = |input: &[u8]| {
        let mut command = sandbox.command(&["predict", "runs/a", "-", "--json"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        common::Ran::from(child.wait_with_output().unwrap())
    };
    let list = predict((paths[..3].join("\n") + "\n").as_bytes()).json();
    assert_eq!(list["predictions"].as_array().unwrap().len(), 3);
    assert_eq!(predict(paths[..3].join("\0").as_bytes()).json()["predictions"], list["predictions"]);
    let image = predict(&fs::read(&paths[0]).unwrap()).json();
    assert_eq!(image["predictions"][0]["path"], "-");
    assert_eq!(image["predictions"][0]["top"], list["predictions"][0]["top"]);
    for (input, words) in [(&b""[..], "standard input is empty"), (b"\xff\xfe\x01", "neither a list")] {
        let ran = predict(input);
        assert!(ran.code == Some(2) && ran.stderr.contains(words), "{}", ran.stderr);
    }
}

#[test]
fn a_key_that_is_typed_twice_hides_no_other_fault() {
    let sandbox = Sandbox::new();
    let skin = skin();
    let data = skin.to_str().unwrap();
    for command in [&["train"][..], &["search", "--space", "none.toml"], &["study", "grayscale"]] {
        let arguments = [
            command,
            &[data, "--set", "lr=1", "--set", "optimizer.lr=2", "--epochs", "3", "--set", "train.epochs=4"],
            &["--set", "model.dropout=7", "--set", "no_such_key=1"],
        ]
        .concat();
        let ran = sandbox.run(&arguments);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        for words in [
            "optimizer.lr is set twice, by --set lr=1 and by --set optimizer.lr=2: leave one out",
            "train.epochs is set twice, by --set train.epochs=4 and by --epochs 3: leave one out",
            "model.dropout must be at least 0 and below 1",
            "unknown key `no_such_key`",
        ] {
            assert!(ran.stderr.contains(words), "{words:?} is not in: {}", ran.stderr);
        }
    }
    // The same value twice is no fault, and a password is shown nowhere.
    let ran = sandbox.run(&["train", data, "--set", "lr=1", "--set", "lr=1", "--set", "model.dropout=7"]);
    assert!(!ran.stderr.contains("twice") && ran.stderr.contains("model.dropout"), "{}", ran.stderr);
    let address = |password: &str| format!("tracking.mlflow=http://ana:{password}@h:1");
    let ran = sandbox.run(&["train", data, "--set", &address("hush1"), "--set", &address("hush2")]);
    assert!(
        ran.stderr.contains("tracking.mlflow is set twice") && !ran.stderr.contains("hush"),
        "{}",
        ran.stderr
    );
}
