//! `pupila study` as a person types it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Ran, Sandbox, skin};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

const QUICK: [&str; 8] =
    ["--size", "8", "--epochs", "2", "--no-tensorboard", "--set", "tracking.report=false", "--seeds=2"];

fn study(sandbox: &Sandbox, what: &str, more: &[&str]) -> Ran {
    let data = skin();
    let arguments = [&["study", what, data.to_str().unwrap()], &QUICK[..], more].concat();
    sandbox.run(&arguments)
}

#[test]
fn a_built_in_study_answers() {
    let sandbox = Sandbox::new();
    let ran = study(&sandbox, "grayscale", &["--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let object = ran.json();
    assert_eq!((&object["study"], &object["baseline"]), (&"grayscale-skin".into(), &"color".into()));
    assert_eq!(object["variants"][1]["values"]["input.channels"], 1);
    assert_eq!(object["variants"][1]["runs"].as_array().unwrap().len(), 2);
    assert!(object["answer"][0].as_str().unwrap().ends_with('.'));
    for said in ["Does color matter here?", "2 variants x 2 seeds: 4 runs", "verdict", "Answer"] {
        assert!(ran.stderr.contains(said), "{said:?} is not in:\n{}", ran.stderr);
    }
    let page = sandbox.read("runs/grayscale-skin/study.html");
    assert!(page.contains("Does color matter here?") && page.contains("pupila study grayscale"));
    // Its runs are ordinary ones.
    let compared = sandbox.run(&[
        "compare",
        "runs/grayscale-skin/color-seed0",
        "runs/grayscale-skin/gray-seed0",
        "--json",
    ]);
    assert_eq!(compared.code, Some(0), "{}", compared.stderr);
}

#[test]
fn a_model_that_was_not_kept_is_told_as_that() {
    let sandbox = Sandbox::new();
    let ran = study(&sandbox, "grayscale", &["--keep", "none"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let eval = sandbox.run(&["eval", "runs/grayscale-skin/gray-seed0"]);
    assert_eq!(eval.code, Some(2));
    assert!(
        eval.stderr.contains("was removed") && eval.stderr.contains("gray-seed0/recipe.toml"),
        "{}",
        eval.stderr
    );
    let whole = sandbox.run(&["eval", "runs/grayscale-skin"]);
    assert_eq!(whole.code, Some(2));
    assert!(whole.stderr.contains("is a study: name one of its runs"), "{}", whole.stderr);
}

#[test]
fn a_server_that_does_not_answer_is_waited_for_once() {
    let sandbox = Sandbox::new();
    // A port that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = format!("http://127.0.0.1:{port}");
    let ran = study(&sandbox, "grayscale", &["--mlflow", &server, "--set", "tracking.wait_s=0"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout.matches("is told nothing of this study").count(), 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("pupila sync runs/grayscale-skin"), "{}", ran.stdout);
    // The runs themselves did not try.
    assert!(!sandbox.path("runs/grayscale-skin/gray-seed0/mlflow").exists());
}

#[test]
fn a_dry_run_leaves_nothing() {
    let sandbox = Sandbox::new();
    let ran = study(&sandbox, "regularization", &["--dry-run", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!((&ran.json()["runs"], &ran.json()["done"]), (&14.into(), &0.into()));
    assert!(!sandbox.path("runs").exists());
}

#[test]
fn mistakes_are_told_before_any_run() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("bad.toml"), "sedes = 2\n[crossed]\n\"model.dropout\" = [0.1]\n").unwrap();
    std::fs::write(sandbox.path("runs"), "a file").unwrap();
    for (what, more, told) in [
        ("regularisation", &[][..], "did you mean `regularization`?"),
        ("bad.toml", &[], "bad.toml, sedes: a study file has no such key; did you mean `seeds`?"),
        ("gone.toml", &[], "there is no study and no file `gone.toml`"),
        ("grayscale", &["--metric", "val/acuracy"], "did you mean `accuracy`?"),
        ("grayscale", &["--baseline", "colour"], "did you mean `color`?"),
        ("grayscale", &["--set", "input.channels=3"], "--set input.channels: the study varies this key"),
        ("grayscale", &["--name", "../x"], "cannot be the name of a run"),
        ("grayscale", &["--minutes", "-1"], "minutes: expected a number above 0"),
        (
            "grayscale",
            &["--max-runs", "1"],
            "runs (--max-runs): 1 are fewer than one of each of the 2 variants",
        ),
        ("grayscale", &["--splits", "2"], "the data bring their own validation set"),
        ("grayscale", &["--set", "tracking.run_name=x"], "all runs of a study would have one name"),
    ] {
        let ran = study(&sandbox, what, more);
        assert_eq!(ran.code, Some(2), "{what} {more:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(told), "{told:?} is not in:\n{}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{what} {more:?}: {}", ran.stdout);
    }
    let ran = study(&sandbox, "grayscale", &[]);
    assert!(matches!(ran.code, Some(1 | 2)) && ran.stderr.contains("runs"), "{:?} {}", ran.code, ran.stderr);
}

/// Runs that have ended, not those that were interrupted.
fn ended(folder: &Path) -> Vec<String> {
    let completed = |path: &Path| {
        std::fs::read_to_string(path.join("summary.json"))
            .is_ok_and(|text| text.contains("\"status\": \"completed\""))
    };
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| completed(path))
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[cfg(unix)]
#[test]
fn a_study_that_is_killed_or_interrupted_goes_on_where_it_was() {
    let sandbox = Sandbox::new();
    let data = skin();
    let folder = sandbox.path("runs/batch-size-skin");
    let arguments =
        [&["study", "batch-size", data.to_str().unwrap(), "--jobs", "1"], &QUICK[..], &["--epochs=200"][..]]
            .concat();
    let arguments: Vec<&str> = arguments.into_iter().filter(|&a| a != "--epochs" && a != "2").collect();
    let (mut before, mut kept) = (0, Vec::new());
    for signal in ["-KILL", "-INT", "-KILL"] {
        let mut child =
            sandbox.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains(" of 10 ") && line.contains("seed")));
        let kill =
            std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        drop(lines);
        let code = child.wait().unwrap().code();
        if signal == "-INT" {
            assert_eq!(code, Some(130));
        }
        let now = ended(&folder);
        assert!(now.len() > before, "{now:?}");
        before = now.len();
        for name in now {
            let mark = folder.join(&name).join("mark");
            // A run that had ended is there as it was.
            assert_eq!(mark.exists(), kept.contains(&name), "{name}");
            if !kept.contains(&name) {
                std::fs::write(mark, "").unwrap();
                kept.push(name);
            }
        }
    }
    let ran = sandbox.run(&[&arguments[..], &["--json"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("of which {} have ended before", kept.len())), "{}", ran.stderr);
    assert_eq!(ended(&folder).len(), 10);
    for name in &kept {
        assert!(folder.join(name).join("mark").exists(), "{name} was run again");
    }
    let runs: Vec<Value> = ran.json()["variants"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|v| v["runs"].as_array().unwrap().clone())
        .collect();
    assert!(runs.len() == 10 && runs.iter().all(|run| run["status"] == "completed"), "{runs:?}");
}

#[test]
fn a_narrow_terminal_gets_lines_that_fit_and_runs_that_went_wrong_are_counted() {
    let sandbox = Sandbox::new();
    let definition = "[variants.\"a recipe as it is, with a long name\"]\n[variants.\"a recipe as it is, with a high rate\"]\n\"optimizer.lr\" = 1e30\n";
    std::fs::write(sandbox.path("rates.toml"), definition).unwrap();
    let data = skin();
    let arguments = [&["study", "rates.toml", data.to_str().unwrap(), "--jobs", "1"], &QUICK[..]].concat();
    let ran: Ran = sandbox.command(&arguments).env("COLUMNS", "60").output().unwrap().into();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // Lines of a run, and paths, are as long as the names in them.
    let free = |line: &&str| line.contains(" of 4 ") || line.contains('/');
    for line in ran.stdout.lines().filter(|line| !free(line)) {
        assert!(line.chars().count() <= 60, "{line}\n{}", ran.stdout);
    }
    for said in [" 2 of 4  a-recipe-as-it-is-with-a-high-rate-seed0: the loss", "high rate", "long name"] {
        assert!(ran.stdout.contains(said), "{said:?} is not in:\n{}", ran.stdout);
    }
    let page = sandbox.read("runs/rates-skin/study.html");
    assert!(
        page.contains("optimizer.lr = 0.001") && page.contains("optimizer.lr = 1e30"),
        "both set the key"
    );
    let listed: Ran =
        sandbox.command(&["runs", "runs/rates-skin"]).env("COLUMNS", "60").output().unwrap().into();
    assert!(listed.stdout.lines().all(|line| line.chars().count() <= 60), "{}", listed.stdout);
}

#[test]
fn the_folder_of_a_study_is_told_apart_from_runs_and_from_data() {
    let sandbox = Sandbox::new();
    let ran = study(&sandbox, "grayscale", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let folder = "runs/grayscale-skin";
    for arguments in [&["compare", folder][..], &["compare", folder, folder], &["train", folder]] {
        let ran = sandbox.run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        let told = match arguments[0] {
            "train" => "is the folder of a study, and holds no images",
            _ => {
                "is a study: name two of its runs or more, such as runs/grayscale-skin/color-seed0 runs/grayscale-skin/color-seed1"
            }
        };
        assert!(ran.stderr.contains(told), "{arguments:?}: {}", ran.stderr);
    }
}
