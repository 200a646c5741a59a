//! What a user can get wrong, and what the data can: each gives a clear message and the right exit code.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Ran, Sandbox, skin};
use std::fs;
use std::path::{Path, PathBuf};

/// Two classes of a few sample photographs each, in train and val.
fn small(sandbox: &Sandbox) -> PathBuf {
    let root = sandbox.path("data");
    for (split, count) in [("train", 6), ("val", 3)] {
        for class in ["melanoma", "nevus"] {
            let to = root.join(split).join(class);
            fs::create_dir_all(&to).unwrap();
            let mut from: Vec<_> =
                fs::read_dir(skin().join(split).join(class)).unwrap().map(|e| e.unwrap().path()).collect();
            from.sort();
            for path in from.iter().take(count) {
                fs::copy(path, to.join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    root
}

/// What is said, without what differs from machine to machine.
fn said(sandbox: &Sandbox, ran: &Ran) -> String {
    let folder = sandbox.folder.path();
    let text = ran.stderr.replace(&folder.canonicalize().unwrap().to_string_lossy().into_owned(), "SANDBOX");
    let text = text.replace(&*folder.to_string_lossy(), "SANDBOX");
    format!("exit {}\n{text}", ran.code.unwrap())
}

#[test]
fn mistakes_on_the_command_line() {
    let sandbox = Sandbox::new();
    small(&sandbox);
    fs::create_dir(sandbox.path("empty")).unwrap();
    fs::write(sandbox.path("notes.txt"), "hello").unwrap();
    fs::write(
        sandbox.path("typos.toml"),
        "[optimizer]\nlearning_rate = 1\n\n[train]\nepoch = 3\nbatch = \"many\"\n",
    )
    .unwrap();
    fs::write(sandbox.path("bad.toml"), "[train\n").unwrap();
    fs::write(
        sandbox.path("crop.toml"),
        "[input]\nsize = 32\n\n[[augment.transforms]]\nrandom_crop = { height = 48, width = 48 }\n",
    )
    .unwrap();
    fs::write(sandbox.path("list.csv"), "path,label\nmissing.png,a\n").unwrap();
    let mut text = String::new();
    for arguments in [
        &["train", "dta"][..],
        &["train", "empty"],
        &["train", "notes.txt"],
        &["train", "list.csv"],
        &["train", "data/train/nevus"],
        &["train", "data", "--epoch", "3"],
        &[
            "train",
            "data",
            "--epochs",
            "0",
            "--lr",
            "fast",
            "--set",
            "model.nam=mlp",
            "--set",
            "train.monitor=val/f1",
        ],
        &["train", "data", "--model", "mpl"],
        &["train", "data", "--threads", "0"],
        &["train", "data", "--recipe", "nope.toml"],
        &["train", "data", "--recipe", "typos.toml"],
        &["train", "data", "--recipe", "bad.toml"],
        &["train", "data", "--recipe", "crop.toml"],
        &["train", "data", "--name", "../up"],
        &["eval", "nope"],
        &["eval", "empty"],
        &["eval", "notes.txt"],
        &["predict", "data", "x.jpg"],
        &["list", "modles"],
    ] {
        let ran = sandbox.run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.is_empty(), "{arguments:?} says on stdout: {}", ran.stdout);
        text += &format!("$ pupila {}\n{}\n", arguments.join(" "), said(&sandbox, &ran));
    }
    insta::assert_snapshot!("mistakes", text);
}

#[test]
fn a_run_is_never_written_over() {
    let sandbox = Sandbox::new();
    let data = small(&sandbox);
    assert_eq!(sandbox.train(&data, "mine", &[]).code, Some(0));
    let before = fs::read(sandbox.path("runs/mine/best.safetensors")).unwrap();
    let again = sandbox.train(&data, "mine", &["--seed", "1"]);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("runs are never written over"), "{}", again.stderr);
    assert_eq!(fs::read(sandbox.path("runs/mine/best.safetensors")).unwrap(), before);
}

/// A PNG whose header promises 50,000 x 50,000 pixels.
fn huge_png() -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend(50_000u32.to_be_bytes());
    png.extend(50_000u32.to_be_bytes());
    png.extend([8, 2, 0, 0, 0]);
    png.extend([0; 64]);
    png
}

fn spoil(class: &Path) -> usize {
    let good = fs::read(fs::read_dir(class).unwrap().next().unwrap().unwrap().path()).unwrap();
    fs::write(class.join("bad_text.jpg"), "this is no photograph").unwrap();
    fs::write(class.join("bad_truncated.jpg"), &good[..good.len() / 2]).unwrap();
    fs::write(class.join("bad_empty.jpg"), "").unwrap();
    fs::write(class.join("bad_huge.png"), huge_png()).unwrap();
    4
}

#[test]
fn bad_images_are_listed_and_counted_or_end_the_run() {
    let sandbox = Sandbox::new();
    let data = small(&sandbox);
    let bad = spoil(&data.join("train/nevus"));
    let ran = sandbox.train(&data, "skip", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let summary = ran.json();
    let skipped = summary["skipped_images"].as_array().unwrap();
    assert_eq!(skipped.len(), bad, "{skipped:?}");
    for name in ["bad_text.jpg", "bad_truncated.jpg", "bad_empty.jpg", "bad_huge.png"] {
        let of = |entry: &&serde_json::Value| entry["path"].as_str().unwrap().ends_with(name);
        let entry = skipped.iter().find(of).unwrap();
        assert!(!entry["reason"].as_str().unwrap().is_empty());
        assert!(ran.stderr.contains(name), "{}", ran.stderr);
    }
    assert!(ran.stderr.contains("4 images cannot be read"), "{}", ran.stderr);
    // What is skipped leaves no trace: the model is that of the good images alone, with a warm cache too.
    let model = |name: &str| fs::read(sandbox.path(&format!("runs/{name}/best.safetensors"))).unwrap();
    for entry in skipped {
        fs::remove_file(entry["path"].as_str().unwrap()).unwrap();
    }
    assert_eq!(sandbox.train(&data, "good", &[]).code, Some(0));
    assert_eq!(model("skip"), model("good"));

    spoil(&data.join("val/nevus"));
    let ran = sandbox.train(&data, "fail", &["--set", "data.on_bad_image=fail"]);
    assert!(matches!(ran.code, Some(1 | 2)), "{}", ran.stderr);
    for name in ["bad_text.jpg", "bad_empty.jpg", "bad_huge.png"] {
        assert!(ran.stderr.contains(name), "{}", ran.stderr);
    }
    assert!(!sandbox.path("runs/fail").exists());

    let ran = sandbox.run(&["predict", "runs/good", "data/val", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.json()["predictions"].as_array().unwrap().len(), 6);
    assert_eq!(ran.json()["skipped_images"].as_array().unwrap().len(), bad);
}

#[test]
fn data_that_no_classifier_can_learn_from() {
    let sandbox = Sandbox::new();
    let expect = |change: &dyn Fn(&Path), words: &[&str]| {
        let data = small(&sandbox);
        change(&data);
        let ran = sandbox.train(&data, "x", &[]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "{word:?} is not in {}", ran.stderr);
        }
        fs::remove_dir_all(&data).unwrap();
    };
    expect(&|data| fs::create_dir(data.join("train/empty_one")).unwrap(), &["empty_one"]);
    expect(
        &|data| {
            fs::remove_dir_all(data.join("train/nevus")).unwrap();
            fs::remove_dir_all(data.join("val/nevus")).unwrap();
        },
        &["melanoma", "two"],
    );
    expect(
        &|data| fs::rename(data.join("val/nevus"), data.join("val/nevuss")).unwrap(),
        &["nevuss", "is it \"nevus\"?"],
    );
    expect(
        &|data| {
            fs::remove_dir_all(data.join("val/nevus"))
                .and_then(|()| fs::remove_dir_all(data.join("val/melanoma")))
                .unwrap()
        },
        &["val"],
    );
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_are_only_names() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    let data = small(&sandbox);
    let class = data.join("train/nevus");
    let first = fs::read_dir(&class).unwrap().next().unwrap().unwrap().path();
    fs::rename(first, class.join(OsStr::from_bytes(b"caf\xe9 \xff.jpg"))).unwrap();
    let ran = sandbox.train(&data, "run", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.json()["skipped_images"].as_array().unwrap().is_empty());
}

#[test]
fn a_diverging_run_says_so() {
    let sandbox = Sandbox::new();
    let data = small(&sandbox);
    let ran = sandbox.train(&data, "run", &["--lr", "1e38", "--epochs", "5"]);
    assert_eq!(ran.code, Some(2), "epochs twice is a mistake");
    let ran = sandbox.train(&data, "run", &["--lr", "1e38"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("diverged") && ran.stderr.contains("smaller learning rate"),
        "{}",
        ran.stderr
    );
    // Where the first values are what is wrong, another learning rate would not help.
    let wide = sandbox.train(&data, "wide", &["--set", "model.init={ normal = { std = 1e20 } }"]);
    assert_eq!(wide.code, Some(1), "{}", wide.stderr);
    assert!(wide.stderr.contains("diverged") && wide.stderr.contains("smaller values"), "{}", wide.stderr);
    assert!(sandbox.read("runs/run/metrics.jsonl").contains("diverged"));
}

#[test]
fn what_a_recipe_can_name_and_the_help() {
    let sandbox = Sandbox::new();
    let mut text = String::new();
    for what in ["models", "transforms", "optimizers", "initializers", "metrics"] {
        let ran = sandbox.run(&["list", what]);
        assert_eq!(ran.code, Some(0));
        text += &format!("$ pupila list {what}\n{}\n", ran.stdout);
        let json = sandbox.run(&["list", what, "--json"]).json();
        assert_eq!(json[what].as_array().unwrap().len(), ran.stdout.lines().count());
    }
    for command in [&["--help"][..], &["train", "--help"], &["eval", "--help"], &["predict", "--help"]] {
        text += &format!("$ pupila {}\n{}\n", command.join(" "), sandbox.run(command).stdout);
    }
    insta::assert_snapshot!("list_and_help", text);
    let schema = sandbox.run(&["schema"]).json();
    assert!(schema["properties"]["optimizer"].is_object());
}
