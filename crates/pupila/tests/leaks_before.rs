//! Judged images that were trained on by the run whose weights another begins from: told before training, and the scores without them too.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use common::{Ran, Sandbox, skin};
use std::fs;
use std::path::PathBuf;

/// Data of other photographs than those that `skin` trains on, but for three validation images and two test images of each class.
fn others(sandbox: &Sandbox) -> PathBuf {
    let data = sandbox.path("others");
    for class in fs::read_dir(skin().join("train")).unwrap() {
        let name = class.unwrap().file_name();
        let of = |split: &str| {
            let files = fs::read_dir(skin().join(split).join(&name)).unwrap();
            let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
            files.sort();
            files
        };
        let (trained, new) = (of("train"), of("val"));
        let put = |split: &str, files: &[PathBuf]| {
            let to = data.join(split).join(&name);
            fs::create_dir_all(&to).unwrap();
            for (place, file) in files.iter().enumerate() {
                // Under another name, as copies are.
                fs::copy(file, to.join(format!("{split}_{place}_{}", file.file_name().unwrap().display())))
                    .unwrap();
            }
        };
        put("train", &new[..10]);
        put("val", &[&trained[..3], &new[10..14]].concat());
        put("test", &[&trained[3..5], &new[14..18]].concat());
    }
    data
}

fn began(sandbox: &Sandbox, from: &str, name: &str) -> Ran {
    let ran = sandbox.train(&sandbox.path("others"), name, &["--init-from", from]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran
}

#[test]
fn images_that_the_weights_were_trained_on_are_told_and_priced() {
    let sandbox = Sandbox::new();
    others(&sandbox);
    assert_eq!(sandbox.train(&skin(), "a", &[]).code, Some(0));
    // Through one run and through two.
    for (from, name) in [("runs/a", "b"), ("runs/b", "c"), ("runs/c/best.safetensors", "d")] {
        let ran = began(&sandbox, from, name);
        let words = format!(
            "9 of 21 validation images and 6 of 18 test images were trained on by the run that the weights come from, {from}: the scores are told \
             without them too"
        );
        assert!(ran.stderr.contains(&words), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("9 of 21 judged images were trained on too, as exact copies"),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.json()["val_leaks"]["images"], 9);
        for (split, leaked) in [("val", 9), ("test", 6)] {
            let run = format!("runs/{name}");
            let eval = sandbox.run(&["eval", &run, "--split", split, "--json"]);
            assert_eq!(eval.json()["leaks"]["images"], leaked, "{name} {split}: {}", eval.stderr);
            assert!(!eval.stderr.contains("is not known"), "{}", eval.stderr);
        }
    }
    // Data that the weights have not seen are told nothing of.
    let same = sandbox.train(&skin(), "same", &["--init-from", "runs/a"]);
    assert!(same.code == Some(0) && !same.stderr.contains("were trained on"), "{}", same.stderr);
}

#[test]
fn weights_of_which_it_is_not_known_what_they_were_trained_on_are_told() {
    let sandbox = Sandbox::new();
    others(&sandbox);
    assert_eq!(sandbox.train(&skin(), "a", &[]).code, Some(0));
    let record = sandbox.path("runs/a/trained_on.txt");
    let whole = fs::read_to_string(&record).unwrap();
    let half: String = whole.lines().take(50).flat_map(|line| [line, "\n"]).collect();
    let words = "which images the weights were trained on is not known, so the scores may count some of them";
    fs::copy(sandbox.path("runs/a/best.safetensors"), sandbox.path("alone.safetensors")).unwrap();
    for (from, text, name, why) in [
        ("runs/a", Some(&half), "half", "trained_on.txt"),
        ("runs/a", None, "missing", "trained_on.txt is not there"),
        ("alone.safetensors", Some(&whole), "alone", "alone.safetensors lies in no run's folder"),
    ] {
        match text {
            Some(text) => fs::write(&record, text).unwrap(),
            None => fs::remove_file(&record).unwrap(),
        }
        let ran = began(&sandbox, from, name);
        assert!(ran.stderr.contains(words) && ran.stderr.contains(why), "{}", ran.stderr);
        let eval = sandbox.run(&["eval", &format!("runs/{name}"), "--json"]);
        assert!(
            eval.stderr.contains("the weights that the run began from were trained on is not known"),
            "{}",
            eval.stderr
        );
    }
    let next = began(&sandbox, "runs/half", "next");
    assert!(
        next.stderr.contains(&format!("runs/half began from weights without such a record: {words}")),
        "{}",
        next.stderr
    );
    let known = began(&sandbox, "runs/a", "known");
    assert!(!known.stderr.contains("is not known"), "{}", known.stderr);
}

#[test]
fn studies_and_searches_tell_it_once_before_they_start() {
    let sandbox = Sandbox::new();
    let data = others(&sandbox);
    assert_eq!(sandbox.train(&skin(), "a", &[]).code, Some(0));
    fs::copy(sandbox.path("runs/a/best.safetensors"), sandbox.path("alone.safetensors")).unwrap();
    let study = "question = \"Which rate?\"\nseeds = 2\n[crossed]\n\"optimizer.lr\" = [0.001, 0.01]\n";
    fs::write(sandbox.path("rate.toml"), study).unwrap();
    fs::write(
        sandbox.path("space.toml"),
        "[space]\n\"optimizer.lr\" = { float = [1e-3, 1e-2], log = true }\n",
    )
    .unwrap();
    let data = data.to_str().unwrap();
    let known = "9 of 21 validation images and 6 of 18 test images were trained on by the run that the weights come from, runs/a";
    let unknown =
        "alone.safetensors lies in no run's folder: which images the weights were trained on is not known";
    for (from, words) in [("runs/a", known), ("alone.safetensors", unknown)] {
        let name = from.split('.').next().unwrap().replace('/', "-");
        let study = sandbox.run(&[
            "study",
            "rate.toml",
            data,
            "--init-from",
            from,
            "--epochs",
            "1",
            "--dry-run",
            "--name",
            &format!("study-{name}"),
        ]);
        let search = sandbox.run(&[
            "search",
            data,
            "--space",
            "space.toml",
            "--init-from",
            from,
            "--epochs",
            "1",
            "--trials",
            "1",
            "--seeds",
            "0",
            "--name",
            &format!("search-{name}"),
        ]);
        for ran in [study, search] {
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            // Wrapped lines are one sentence.
            let said = format!("{}\n{}", ran.stdout, ran.stderr);
            let text = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(text.matches(words).count(), 1, "{words}: {said}");
        }
    }
}
