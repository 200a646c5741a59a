//! Hard data: classes of unequal size, folds, groups, mixing, normalisation by the data, and judging in several views.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Ran, Sandbox, skin};
use pupila_image::{Image, encode_png};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Class folders of 12, 6 and 4 small pictures; in color, or gray but stored in color.
fn unequal(sandbox: &Sandbox, gray: bool) -> PathBuf {
    let root = sandbox.path(if gray { "gray" } else { "unequal" });
    for (class, count, base) in [("cat", 12, 60), ("dog", 6, 120), ("owl", 4, 200)] {
        let folder = root.join(class);
        fs::create_dir_all(&folder).unwrap();
        for i in 0..count {
            let value = |p: usize| {
                let noise = (p / 3 * 37 + i * 11) % 40;
                (base + noise + if gray { 0 } else { p % 3 * 15 }) as u8
            };
            let image = Image::new(20, 20, 3, (0..1200).map(value).collect()).unwrap();
            fs::write(folder.join(format!("{i:02}.png")), encode_png(&image).unwrap()).unwrap();
        }
    }
    root
}

/// A manifest of them, in which patients have two pictures each.
fn manifest(sandbox: &Sandbox, extra: &str, row: impl Fn(usize) -> String) -> PathBuf {
    let root = unequal(sandbox, false);
    let mut text = format!("path,label{extra}\n");
    let mut i = 0;
    for (class, count) in [("cat", 12), ("dog", 6), ("owl", 4)] {
        for n in 0..count {
            text += &format!("{class}/{n:02}.png,{class}{}\n", row(i));
            i += 1;
        }
    }
    let path = root.join("list.csv");
    fs::write(&path, text).unwrap();
    path
}

fn said(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let ran = sandbox.run(arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
    ran.stdout
}

fn val_paths(sandbox: &Sandbox, run: &str) -> BTreeSet<String> {
    let csv = sandbox.read(&format!("runs/{run}/predictions.csv"));
    csv.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect()
}

#[test]
fn mistakes_are_named_before_any_work() {
    let sandbox = Sandbox::new();
    let data = unequal(&sandbox, false);
    let data = data.to_str().unwrap();
    let refused = |arguments: &[&str], words: &[&str]| {
        let ran = sandbox.run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "{word:?} is not in {}", ran.stderr);
        }
    };
    refused(
        &[
            "train",
            data,
            "--set",
            "loss.class_weights={ catt = 2 }",
            "--set",
            "data.sampler={ weighted = { wolf = 2 } }",
        ],
        &[
            "loss.class_weights names catt, which is no class; did you mean cat?",
            "data.sampler names wolf, which is no class; the classes are cat, dog, owl",
        ],
    );
    refused(
        &["train", data, "--set", "loss.class_weights=[1, 2]"],
        &["loss.class_weights has 2 weights, and there are 3 classes: cat, dog, owl"],
    );
    refused(
        &[
            "train",
            data,
            "--set",
            "data.folds=3",
            "--set",
            "data.fold=4",
            "--set",
            "augment.mixup=-1",
            "--set",
            "augment.mix_p=2",
            "--set",
            "data.normalize=imagnet",
            "--set",
            "data.sampler=balansed",
        ],
        &[
            "data.sampler = \"balansed\"",
            "data.normalize = \"imagnet\"",
            "expected one of `shuffle`, `balanced`",
        ],
    );
    refused(
        &[
            "train",
            data,
            "--set",
            "data.folds=3",
            "--set",
            "data.fold=4",
            "--set",
            "augment.mixup=-1",
            "--set",
            "augment.mix_p=2",
        ],
        &[
            "--set data.fold=4: data.fold must be from 1 to 3",
            "augment.mixup must be above 0, got -1",
            "augment.mix_p must be a probability",
        ],
    );
    refused(&["train", data, "--set", "data.fold=1"], &["data.fold needs data.folds"]);
    refused(&["train", data, "--set", "data.sampler=weighted"], &["needs its weights: { weighted = "]);
    refused(
        &["train", data, "--set", "data.group=patient"],
        &["data.group is patient", "a column of a table in the folder that names its images, or folder"],
    );
    let list = manifest(&sandbox, ",patient", |i| format!(",p{}", i / 2));
    let list = list.to_str().unwrap();
    // Beside class folders of the same classes it is read for its groups.
    let ran = sandbox.run(&["train", data, "--set", "data.group=patient", "--epochs", "1", "--size", "16"]);
    assert!(ran.code == Some(0) && ran.stdout.contains("patient the groups"), "{}{}", ran.stdout, ran.stderr);
    refused(
        &["train", list, "--set", "data.group=patinet"],
        &["asks for the column `patinet`", "did you mean `patient`?"],
    );
    refused(&["eval", "runs/x", "--tta", "flip"], &["invalid value 'flip'", "flips", "dihedral"]);
}

#[test]
fn the_table_tells_what_an_epoch_shows_and_warns_of_few_images() {
    let sandbox = Sandbox::new();
    let data = unequal(&sandbox, false);
    let data = data.to_str().unwrap();
    let train = |more: &[&str]| {
        let mut arguments = vec!["train", data, "--epochs", "2", "--size", "16"];
        arguments.extend(more);
        said(&sandbox, &arguments)
    };
    let plain = train(&[]);
    assert!(plain.contains("cat        10       2"), "{plain}");
    assert!(plain.contains("fewer than 10 training images of dog (5), owl (3)"), "{plain}");
    assert!(plain.contains("fewer than 5 validation images of cat (2), dog (1), owl (1)"), "{plain}");
    assert!(plain.contains("of it waiting for images"), "{plain}");
    let over = train(&["--set", "data.sampler=oversample", "--set", "data.max_per_class=8"]);
    for row in [
        "class   found   train  an epoch     val",
        "cat        10       8         8       2",
        "dog         5       5         8       1",
        "total      18      16        24       4",
        "of 1 step,",
    ] {
        assert!(over.contains(row), "{row:?} is not in {over}");
    }
    let balanced = train(&["--set", "data.sampler=balanced"]);
    assert!(balanced.contains("owl         3        ~6       1"), "{balanced}");
    let ran = sandbox.train(Path::new(data), "under", &["--set", "data.sampler=undersample"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let environment: Value = serde_json::from_str(&sandbox.read("runs/under/environment.json")).unwrap();
    assert_eq!(environment["data"]["epoch_images"], 9);
    assert_eq!(environment["data"]["sampling"]["sampler"], "undersample");
    assert_eq!(environment["data"]["sampling"]["classes"]["cat"]["found"], 10);
}

#[test]
fn sampling_and_mixing_give_the_same_model_for_any_number_of_threads() {
    let sandbox = Sandbox::new();
    let data = unequal(&sandbox, false);
    let mut models = Vec::new();
    for sampler in ["balanced", "oversample", "{ weighted = { owl = 9.0 } }"] {
        let sampler = format!("data.sampler={sampler}");
        let model = |name: &str, more: &[&str]| {
            let mut arguments = vec!["--set", &sampler, "--batch", "4"];
            arguments.extend(more);
            let ran = sandbox.train(&data, name, &arguments);
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            fs::read(sandbox.path(&format!("runs/{name}/best.safetensors"))).unwrap()
        };
        let name = |suffix: &str| format!("{}{suffix}", models.len());
        let mixed = ["--set", "augment.mixup=0.4", "--set", "augment.cutmix=1.0"];
        let one = model(&name("one"), &[&mixed[..], &["--threads", "1"]].concat());
        assert_eq!(one, model(&name("three"), &[&mixed[..], &["--threads", "3"]].concat()));
        assert_ne!(one, model(&name("plain"), &[]));
        models.push(one);
    }
    assert!(models[0] != models[1] && models[1] != models[2]);
}

#[test]
fn folds_are_disjoint_and_complete_and_are_found_again() {
    let sandbox = Sandbox::new();
    let list = manifest(&sandbox, ",split,patient", |i| {
        format!(",{},p{}", if i % 5 == 0 { "val" } else { "train" }, i / 2)
    });
    let mut seen: Vec<BTreeSet<String>> = Vec::new();
    for fold in ["1", "2", "3"] {
        let fold_key = format!("data.fold={fold}");
        let settings = ["--set", "data.folds=3", "--set", &fold_key, "--set", "data.group=patient"];
        let ran = sandbox.train(&list, fold, &settings);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("fold {fold} of 3")), "{}", ran.stderr);
        assert!(ran.stderr.contains("is pooled with its training set"), "{}", ran.stderr);
        let again = sandbox.run(&["eval", &format!("runs/{fold}"), "--json"]);
        assert_eq!(again.json()["metrics"]["loss"], ran.json()["val"]["loss"]);
        seen.push(val_paths(&sandbox, fold));
    }
    assert_eq!(seen.iter().map(BTreeSet::len).sum::<usize>(), 22);
    let all: BTreeSet<_> = seen.iter().flatten().collect();
    assert_eq!(all.len(), 22);
    // Both pictures of a patient are in one fold: 12, 6 and 4 pictures pair up within their classes.
    for fold in &seen {
        for path in fold {
            let (folder, name) = path.rsplit_once('/').unwrap();
            let n: usize = name[..2].parse().unwrap();
            assert!(fold.contains(&format!("{folder}/{:02}.png", n ^ 1)), "{path} is alone");
        }
    }
    // The given splits part patients.
    let ran = sandbox.train(&list, "given", &["--set", "data.group=patient"]);
    assert!(ran.stderr.contains("5 groups are in more than one split"), "{}", ran.stderr);
    assert!(ran.stderr.contains("p0: 1 in train, 1 in val"), "{}", ran.stderr);
}

#[test]
fn an_evaluation_goes_over_the_groups_that_it_is_told() {
    let sandbox = Sandbox::new();
    let list = manifest(&sandbox, ",split,patient", |i| {
        format!(",{},p{}", if i % 2 == 0 { "val" } else { "train" }, i / 4)
    });
    let ran = sandbox.train(&list, "one", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let other = list.with_file_name("other.csv");
    fs::copy(&list, &other).unwrap();
    let eval = |arguments: &[&str]| {
        let ran =
            sandbox.run(&[&["eval", "runs/one", other.to_str().unwrap(), "--json"], arguments].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran
    };
    let plain = eval(&[]);
    assert!(plain.stderr.contains("--set data.group=patient judges by groups"), "{}", plain.stderr);
    let grouped = eval(&["--set", "data.group=patient"]);
    assert!(!grouped.stderr.contains("looks like a group"), "{}", grouped.stderr);
    let unit = |ran: &Ran| ran.json()["intervals_over"]["unit"].clone();
    assert_eq!((unit(&plain), unit(&grouped)), ("image".into(), "group".into()));
    assert_eq!(plain.json()["metrics"], grouped.json()["metrics"]);
    let wrong = sandbox.run(&["eval", "runs/one", other.to_str().unwrap(), "--set", "data.group=patinet"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("patient"), "{}", wrong.stderr);
}

#[test]
fn every_normalisation_is_carried_by_the_model() {
    let sandbox = Sandbox::new();
    let given = "{ mean = [0.5], std = [0.25, 0.25, 0.2], max_pixel_value = 200.0 }";
    for mode in ["data", "image", "image_per_channel", "min_max", "min_max_per_channel", "given"] {
        let key = format!("data.normalize={}", if mode == "given" { given } else { mode });
        let settings = ["--set", &key, "--set", "train.batch=16"];
        let ran = sandbox.train(&skin(), mode, &settings);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let summary = ran.json();
        let again = sandbox.run(&["eval", &format!("runs/{mode}"), "--json"]).json();
        assert_eq!(again["metrics"]["loss"], summary["val"]["loss"], "{mode}");
        let other =
            sandbox.run(&["eval", &format!("runs/{mode}"), skin().to_str().unwrap(), "--json"]).json();
        assert_eq!(other["metrics"], again["metrics"]);
    }
    let model = |name: &str| fs::read(sandbox.path(&format!("runs/{name}/best.safetensors"))).unwrap();
    let ran =
        sandbox.train(&skin(), "warm", &["--set", "data.normalize=data", "--threads", "3", "--batch", "16"]);
    assert!(ran.stderr.contains("(from the cache)"), "{}", ran.stderr);
    assert_eq!(model("warm"), model("data"));
    let cold = ["--set", "data.normalize=data", "--set", "data.cache=false", "--batch", "16"];
    let ran = sandbox.train(&skin(), "cold", &cold);
    assert!(!ran.stderr.contains("(from the cache)"), "{}", ran.stderr);
    assert_eq!(model("cold"), model("data"));
}

#[test]
fn gray_images_stored_in_color_are_noticed() {
    let sandbox = Sandbox::new();
    let advice = "--set input.channels=1 is a third of the input";
    let train = |data: &Path, more: &[&str]| {
        let mut arguments = vec!["train", data.to_str().unwrap(), "--epochs", "1", "--size", "16"];
        arguments.extend(more);
        said(&sandbox, &arguments)
    };
    let gray = unequal(&sandbox, true);
    assert!(train(&gray, &[]).contains(advice));
    assert!(!train(&gray, &["--set", "input.channels=1", "--set", "data.normalize=data"]).contains(advice));
    assert!(!train(&unequal(&sandbox, false), &[]).contains(advice));
}

#[test]
fn judging_in_several_views_agrees_everywhere() {
    let sandbox = Sandbox::new();
    let ran = sandbox.train(&skin(), "run", &["--set", "data.normalize=image"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let judge = |views: &str, threads: &str, csv: &str| {
        let arguments = ["eval", "runs/run", "--tta", views, "--threads", threads, "--csv", csv, "--json"];
        let ran = sandbox.run(&arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(ran.json()["tta"], views);
        (ran.json()["metrics"].clone(), sandbox.read(csv), ran.stderr)
    };
    let plain = sandbox.run(&["eval", "runs/run", "--json"]).json();
    assert!(plain["tta"].is_null());
    for (views, count) in [("flips", 2), ("dihedral", 8)] {
        let (metrics, csv, told) = judge(views, "1", "one.csv");
        assert_eq!((&metrics, &csv), (&judge(views, "3", "three.csv").0, &sandbox.read("three.csv")));
        assert_ne!(metrics["loss"], plain["metrics"]["loss"]);
        assert!(told.contains(&format!("mean over {count} views")), "{told}");
        // One image at a time, and all of them in other batches, get the probabilities of `eval`.
        for line in csv.lines().skip(1).step_by(17) {
            let fields: Vec<&str> = line.split(',').collect();
            let arguments = ["predict", "runs/run", fields[0], "--tta", views, "--csv", "p.csv", "--json"];
            let ran = sandbox.run(&arguments);
            assert_eq!(ran.json()["tta"], views);
            let predicted = sandbox.read("p.csv");
            assert!(
                predicted.lines().nth(1).unwrap().ends_with(&fields[4..].join(",")),
                "{predicted}\n{line}"
            );
        }
    }
}
