//! Judged images that are trained on too: every place that tells the score tells it without them too.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use common::{Sandbox, skin};
use std::fs;

/// The sample photographs with copies of some validation images among the training images, under other names.
fn leaky(sandbox: &Sandbox, of_each: usize) -> std::path::PathBuf {
    let data = sandbox.path("leaky");
    for split in ["train", "val"] {
        for class in fs::read_dir(skin().join(split)).unwrap() {
            let class = class.unwrap().path();
            let name = class.file_name().unwrap().to_owned();
            let to = data.join(split).join(&name);
            fs::create_dir_all(&to).unwrap();
            let mut files: Vec<_> = fs::read_dir(&class).unwrap().map(|file| file.unwrap().path()).collect();
            files.sort();
            for (place, file) in files.iter().enumerate() {
                let name_of = file.file_name().unwrap();
                fs::copy(file, to.join(name_of)).unwrap();
                if split == "val" && place < of_each {
                    let copy = format!("copy_{}", name_of.to_str().unwrap());
                    fs::copy(file, data.join("train").join(&name).join(copy)).unwrap();
                }
            }
        }
    }
    data
}

#[test]
fn scores_are_told_with_and_without_the_images_that_were_trained_on() {
    let sandbox = Sandbox::new();
    let data = leaky(&sandbox, 5);
    let trained = sandbox.train(&data, "leaky", &[]);
    assert_eq!(trained.code, Some(0), "{}", trained.stderr);
    let said = "15 of 60 judged images were trained on too, as exact copies: on them the accuracy is ";
    assert!(trained.stderr.contains(said), "{}", trained.stderr);
    assert!(trained.stderr.contains("  without leaks      ") && trained.stderr.contains(" on 45 images"));
    let json = |path: &str| -> serde_json::Value { serde_json::from_str(&sandbox.read(path)).unwrap() };
    let leaks = &json("runs/leaky/summary.json")["val_leaks"];
    assert_eq!(
        (&leaks["images"], &leaks["on"]["images"], &leaks["without"]["images"]),
        (&15.into(), &15.into(), &45.into())
    );

    // The list is whole, and by it the score without them can be told again from the predictions.
    let list = sandbox.read("runs/leaky/leaks.csv");
    assert_eq!(list.lines().count(), 16);
    let leaked: Vec<&str> = list.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert!(list.lines().skip(1).all(|line| line.split(',').nth(1).unwrap().contains("copy_")));
    let predictions = sandbox.read("runs/leaky/predictions.csv");
    let honest: Vec<bool> = predictions
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .filter(|fields| !leaked.contains(&fields[0]))
        .map(|fields| fields[1] == fields[2])
        .collect();
    let right = honest.iter().filter(|right| **right).count() as f64;
    assert_eq!(honest.len(), 45);
    assert_eq!(leaks["without"]["metrics"]["accuracy"].as_f64().unwrap(), right / 45.0);

    let page = sandbox.read("runs/leaky/report.html");
    assert!(page.contains("15 validation images of 60 were trained on too"));
    assert!(page.contains("recall without copies"));
    assert!(sandbox.read("runs/leaky/metrics.jsonl").contains("best_without_leaks/accuracy"));

    // `eval` says it of the run's own data, and of others.
    for arguments in [vec!["eval", "runs/leaky", "--json"], vec!["eval", "runs/leaky", "leaky/val", "--json"]]
    {
        let ran = sandbox.run(&arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(&ran.json()["leaks"], leaks, "{arguments:?}");
    }
    // Of the training images themselves nobody needs to be told.
    let ran = sandbox.run(&["eval", "runs/leaky", "--split", "train", "--json"]);
    assert_eq!((ran.code, ran.json()["leaks"].is_null()), (Some(0), true), "{}", ran.stderr);

    // Without the training copies the validation set is the same, and `compare` tests what neither was trained on.
    let dropped = sandbox.train(&data, "honest", &["--set", "data.leaks=drop"]);
    assert_eq!(dropped.code, Some(0), "{}", dropped.stderr);
    assert!(dropped.stderr.contains("15 training images with a copy in validation or test left out"));
    assert!(json("runs/honest/summary.json")["val_leaks"].is_null());
    assert!(!sandbox.path("runs/honest/leaks.csv").exists());
    let compared = sandbox.run(&["compare", "runs/leaky", "runs/honest", "--json"]).json();
    assert_eq!(compared["tests"][0]["over"], "45 images");
    assert!(compared["findings"].to_string().contains("15 images that one of the runs was trained on too"));
}

/// A picture mirrored left to right, stored anew.
fn mirrored(from: &std::path::Path, to: &std::path::Path) {
    let image = pupila_image::decode(&fs::read(from).unwrap(), 3, &pupila_image::Limits::default()).unwrap();
    let row = image.width() as usize * 3;
    let data =
        image.data().chunks_exact(row).flat_map(|row| row.as_chunks::<3>().0.iter().rev().flatten().copied());
    let image = pupila_image::Image::new(image.width(), image.height(), 3, data.collect()).unwrap();
    fs::write(to, pupila_image::encode_png(&image).unwrap()).unwrap();
}

#[test]
fn nearly_equal_pictures_are_priced_as_copies_are_in_train_and_in_eval_wherever_the_images_are() {
    let sandbox = Sandbox::new();
    let data = leaky(&sandbox, 1);
    let mut planted = Vec::new();
    for class in ["melanoma", "nevus", "seborrheic_keratosis"] {
        let mut files: Vec<_> =
            fs::read_dir(data.join("val").join(class)).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        mirrored(&files[4], &data.join("train").join(class).join("mirrored.png"));
        planted.push(format!("{class}/{}", files[4].file_name().unwrap().to_str().unwrap()));
    }
    let data_of = data.to_str().unwrap();
    let arguments = ["train", data_of, "--name", "near", "--epochs", "2", "--size", "32", "--json"];
    let ran = sandbox.run(&arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("validation images are nearly the same as training images"),
        "{}",
        ran.stderr
    );
    let summary: serde_json::Value = serde_json::from_str(&sandbox.read("runs/near/summary.json")).unwrap();
    let leaks = &summary["val_leaks"];
    let near = leaks["near"].as_u64().unwrap();
    // The sample set has one such pair of its own.
    assert!((3..=4).contains(&near) && leaks["images"].as_u64() == Some(near + 3), "{leaks}");
    let list = sandbox.read("runs/near/leaks.csv");
    let listed =
        |file: &str| list.lines().any(|line| line.contains(file) && line.ends_with("mirrored.png,near"));
    assert!(planted.iter().all(|file| listed(file)), "{list}");
    assert_eq!(list.lines().filter(|line| line.ends_with(",exact")).count(), 3);
    assert!(sandbox.read("runs/near/report.html").contains("3 as exact copies and"));

    // The validation images under another path: what the run was trained on is found by its record.
    for class in ["melanoma", "nevus", "seborrheic_keratosis"] {
        let to = sandbox.path("elsewhere").join(class);
        fs::create_dir_all(&to).unwrap();
        for file in fs::read_dir(data.join("val").join(class)).unwrap() {
            let file = file.unwrap().path();
            fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
    let ran = sandbox.run(&["eval", "runs/near", "elsewhere", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.json()["leaks"]["images"], leaks["images"], "{}", ran.stderr);
    assert_eq!(&ran.json()["leaks"], leaks);
}

/// Test images are read before training for this alone.
#[test]
fn test_images_that_are_nearly_training_images_are_told_before_training() {
    let sandbox = Sandbox::new();
    let data = leaky(&sandbox, 0);
    for class in ["melanoma", "nevus", "seborrheic_keratosis"] {
        let to = data.join("test").join(class);
        fs::create_dir_all(&to).unwrap();
        let mut files: Vec<_> =
            fs::read_dir(data.join("val").join(class)).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        for file in &files[..3] {
            fs::rename(file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
    let train = |name: &str, more: &[&str]| {
        let arguments = ["train", data.to_str().unwrap(), "--name", name, "--epochs", "1", "--size", "32"];
        let ran = sandbox.run(&[&arguments[..], more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout + &ran.stderr
    };
    assert!(!train("before", &[]).contains("test images"), "none is near");
    let mut planted = 0;
    for (class, all) in [("melanoma", 1), ("nevus", 2)] {
        let files = fs::read_dir(data.join("test").join(class)).unwrap();
        for file in files.take(all) {
            mirrored(&file.unwrap().path(), &data.join("train").join(class).join(format!("m{planted}.png")));
            planted += 1;
        }
    }
    let told = train("near", &[]);
    let line =
        told.lines().find(|line| line.contains("of 9 test images are nearly the same as training images"));
    let line = line.unwrap_or_else(|| panic!("{told}"));
    assert!(
        line.contains("3 of 9") && line.contains("--set data.exclude_list=FILE leaves them out"),
        "{line}"
    );
    assert!(told.contains("pupila inspect ") && told.contains("--exclude-list FILE"), "{told}");
    // What eval says.
    let ran = sandbox.run(&["eval", "runs/near", "--split", "test", "--json"]);
    assert_eq!(ran.json()["leaks"]["near"], 3, "{}", ran.stderr);
    // And it is left out by what was said to do.
    let listed =
        sandbox.run(&["inspect", data.to_str().unwrap(), "--exclude-list", "list.txt", "--out", "i.html"]);
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let without = train("without", &["--set", "data.exclude_list=list.txt"]);
    assert!(
        !without.contains("test images are nearly") && !without.contains("test image is nearly"),
        "{without}"
    );
}

#[test]
fn near_copies_that_a_drop_of_leaks_leaves_are_told_as_that() {
    let sandbox = Sandbox::new();
    let data = leaky(&sandbox, 2);
    let file = fs::read_dir(data.join("val/nevus")).unwrap().next().unwrap().unwrap().path();
    mirrored(&file, &data.join("train/nevus/mirrored.png"));
    let said = "data.leaks=drop leaves out exact copies alone; pupila inspect ";
    for (policy, is_said) in [("drop", true), ("keep", false)] {
        let policy = format!("data.leaks={policy}");
        let arguments = ["train", data.to_str().unwrap(), "--epochs", "1", "--size", "32", "--set", &policy];
        let ran = sandbox.run(&arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let told = ran.stdout + &ran.stderr;
        assert!(told.contains("nearly the same as training images"), "{told}");
        assert_eq!(told.contains(said), is_said, "{policy}: {told}");
    }
}

#[test]
fn a_record_of_what_was_trained_on_that_is_not_whole_is_told() {
    let sandbox = Sandbox::new();
    let data = leaky(&sandbox, 5);
    assert_eq!(sandbox.train(&data, "run", &[]).code, Some(0));
    let record = sandbox.path("runs/run/trained_on.txt");
    let text = fs::read_to_string(&record).unwrap();
    let half: String = text.lines().take(120).flat_map(|line| [line, "\n"]).collect();
    fs::create_dir(sandbox.path("e")).unwrap();
    for (place, of) in [Some(String::new()), Some(half), None].into_iter().enumerate() {
        match &of {
            Some(of) => fs::write(&record, of).unwrap(),
            None => fs::remove_file(&record).unwrap(),
        }
        let eval = |name: &str| {
            sandbox.run(&["eval", "runs/run", "leaky/val", "--out", &format!("e/{name}{place}"), "--json"])
        };
        // By the data themselves while they are there.
        let there = eval("there");
        assert_eq!(there.json()["leaks"]["images"], 15, "{}", there.stderr);
        assert!(of.is_none() || there.stderr.contains("trained_on.txt"), "{}", there.stderr);
        fs::rename(&data, sandbox.path("gone")).unwrap();
        let gone =
            sandbox.run(&["eval", "runs/run", "gone/val", "--out", &format!("e/gone{place}"), "--json"]);
        assert!(
            gone.stderr.contains("trained_on.txt")
                && gone.stderr.contains("which of these images it was trained on is not known"),
            "{}",
            gone.stderr
        );
        fs::rename(sandbox.path("gone"), &data).unwrap();
    }
    fs::write(&record, text).unwrap();
    let whole = sandbox.run(&["eval", "runs/run", "leaky/val", "--out", "e/whole", "--json"]);
    assert!(!whole.stderr.contains("trained_on.txt"), "{}", whole.stderr);
}

#[test]
fn a_validation_set_of_copies_alone_says_nothing() {
    let sandbox = Sandbox::new();
    let data = leaky(&sandbox, 20);
    let trained = sandbox.train(&data, "all", &[]);
    assert_eq!(trained.code, Some(0), "{}", trained.stderr);
    assert!(trained.stderr.contains("no image is left"), "{}", trained.stderr);
    assert!(sandbox.read("runs/all/report.html").contains("nothing can be said of new images"));

    // Where nothing but copies were to be trained on, there is nothing left to train.
    for class in fs::read_dir(data.join("train")).unwrap() {
        for file in fs::read_dir(class.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            if !file.file_name().unwrap().to_str().unwrap().starts_with("copy_") {
                fs::remove_file(file).unwrap();
            }
        }
    }
    let refused = sandbox.train(&data, "none", &["--set", "data.leaks=drop"]);
    assert!(refused.stderr.contains("leaves no training image of melanoma"), "{}", refused.stderr);
    assert!(!sandbox.path("runs/none").exists());
}

/// Whether a key is dropped by a study's shared scan as by a run's own.
#[test]
fn a_study_leaves_the_copies_out_where_a_variant_says_so() {
    let sandbox = Sandbox::new();
    leaky(&sandbox, 5);
    fs::write(sandbox.path("drop.toml"), "[variants.keep]\n[variants.drop]\n\"data.leaks\" = \"drop\"\n")
        .unwrap();
    let small = ["--seeds", "2", "--size", "8", "--epochs", "1", "--name", "s"];
    let ran = sandbox.run(&[&["study", "drop.toml", "leaky"][..], &small].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let images = |run: &str| {
        let text = sandbox.read(&format!("runs/s/{run}/environment.json"));
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["data"]["train_images"].clone()
    };
    assert_eq!((images("keep-seed0"), images("drop-seed0")), (255.into(), 240.into()));
}

#[test]
fn what_was_trained_on_is_known_after_the_data_have_moved() {
    let sandbox = Sandbox::new();
    let data = leaky(&sandbox, 5);
    assert_eq!(sandbox.train(&data, "run", &[]).code, Some(0));
    fs::rename(&data, sandbox.path("moved")).unwrap();
    let ran = sandbox.run(&["eval", "runs/run", "moved/val", "--json"]);
    assert_eq!((ran.code, &ran.json()["leaks"]["images"]), (Some(0), &15.into()), "{}", ran.stderr);
    // Training images themselves, by another name than `--split train`.
    let ran = sandbox.run(&["eval", "runs/run", "moved/train", "--json"]).json();
    assert_eq!((&ran["images"], &ran["leaks"]["without"]["images"]), (&255.into(), &0.into()));
    assert!(sandbox.read("runs/run/trained_on.txt").lines().count() > 200);
}

#[test]
fn copies_among_the_judged_images_count_once() {
    let sandbox = Sandbox::new();
    for split in ["train", "val"] {
        for class in ["melanoma", "nevus"] {
            let to = sandbox.path(&format!("data/{split}/{class}"));
            fs::create_dir_all(&to).unwrap();
            let mut files: Vec<_> =
                fs::read_dir(skin().join(split).join(class)).unwrap().map(|f| f.unwrap().path()).collect();
            files.sort();
            for (place, file) in files.iter().take(20).enumerate() {
                // Of the validation images five of each class, four times.
                let from = if split == "val" { &files[place % 5] } else { file };
                fs::copy(from, to.join(format!("{place}.jpg"))).unwrap();
            }
        }
    }
    let ran = sandbox.train(&sandbox.path("data"), "run", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let summary: serde_json::Value = serde_json::from_str(&sandbox.read("runs/run/summary.json")).unwrap();
    let over = &summary["val_intervals_over"];
    assert_eq!((&over["unit"], &over["count"]), (&"group".into(), &10.into()));
    let [low, high] = [0, 1].map(|end| summary["val_intervals"]["accuracy"][end].as_f64().unwrap());
    assert!(high - low > 0.35, "as of 10 images, not of 40: {low} to {high}");
    assert!(sandbox.read("runs/run/predictions.csv").starts_with("path,label,predicted,correct,group,"));
}

#[test]
fn a_comparison_without_an_image_left_says_so() {
    let sandbox = Sandbox::new();
    let data = leaky(&sandbox, 20);
    for seed in ["1", "2"] {
        assert_eq!(sandbox.train(&data, &format!("s{seed}"), &["--seed", seed]).code, Some(0));
    }
    let compared = sandbox.run(&["compare", "runs/s1", "runs/s2", "--json"]).json();
    assert_eq!(compared["tests"][0]["untested"], "no image is left that neither was trained on");
    assert!(compared["findings"][0].as_str().unwrap().contains("cannot be told"), "{compared}");
}

#[test]
fn predictions_are_written_over_predictions_alone() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.train(&skin(), "run", &[]).code, Some(0));
    let photograph = fs::read_dir(skin().join("val/nevus")).unwrap().next().unwrap().unwrap().path();
    fs::copy(&photograph, sandbox.path("mine.jpg")).unwrap();
    let before = fs::read(sandbox.path("mine.jpg")).unwrap();
    for command in [
        &["predict", "runs/run", "mine.jpg", "--csv", "mine.jpg"][..],
        &["eval", "runs/run", "--csv", "mine.jpg"],
    ] {
        let refused = sandbox.run(command);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(
            refused.stderr.contains("mine.jpg is there already, as a run's own record or as something else"),
            "{}",
            refused.stderr
        );
    }
    assert!(fs::read(sandbox.path("mine.jpg")).unwrap() == before);
    // Nor over what a run has written of itself.
    let record = fs::read(sandbox.path("runs/run/predictions.csv")).unwrap();
    let refused = sandbox.run(&["predict", "runs/run", "mine.jpg", "--csv", "runs/run/predictions.csv"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(fs::read(sandbox.path("runs/run/predictions.csv")).unwrap() == record);
    for _ in 0..2 {
        let ran = sandbox.run(&["predict", "runs/run", "mine.jpg", "--csv", "out.csv"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
}

#[test]
fn a_run_without_a_validation_image_is_refused() {
    let sandbox = Sandbox::new();
    for class in ["melanoma", "nevus"] {
        let to = sandbox.path(&format!("one/{class}"));
        fs::create_dir_all(&to).unwrap();
        let file = fs::read_dir(skin().join("val").join(class)).unwrap().next().unwrap().unwrap().path();
        fs::copy(file, to.join("a.jpg")).unwrap();
    }
    let refused = sandbox.train(&sandbox.path("one"), "run", &[]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("the data have no validation images"), "{}", refused.stderr);
    assert!(!sandbox.path("runs/run").exists());
}
