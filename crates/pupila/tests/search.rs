//! `pupila search`: trials, an honest score, a recipe; what is wrong is told at once; what was interrupted goes on.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Ran, Sandbox, skin};
use serde_json::Value;

const SPACE: &str = "[space]\n\"optimizer.lr\" = { float = [1e-4, 1e-1], log = true }\n\"train.batch\" = { categorical = [16, 32] }\n\
                     \"model.hidden\" = { categorical = [[8], [16, 8]] }\n";

fn search(sandbox: &Sandbox, more: &[&str]) -> Ran {
    let data = skin();
    let mut arguments = vec![
        "search",
        data.to_str().unwrap(),
        "--space",
        "space.toml",
        "--size",
        "16",
        "--epochs",
        "2",
        "--json",
    ];
    arguments.extend(more);
    sandbox.run(&arguments)
}

fn with_space(text: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("space.toml"), text).unwrap();
    sandbox
}

#[test]
fn a_search_leaves_trials_a_recipe_an_honest_score_and_a_page() {
    let sandbox = with_space(SPACE);
    let ran = search(&sandbox, &["--trials", "6", "--seeds", "2", "--sampler", "random", "--pruner", "none"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let object = ran.json();
    assert_eq!(object["trials"], serde_json::json!({"complete": 6, "pruned": 0, "failed": 0}));
    let best = &object["best"];
    assert!(best["params"]["optimizer.lr"].is_f64() && best["params"]["model.hidden"].is_array(), "{best}");
    // The best of the table, by its own metric.
    let table = sandbox.read("runs/search-skin/trials.csv");
    let losses: Vec<f64> =
        table.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse().unwrap()).collect();
    assert_eq!(losses.iter().copied().fold(f64::MAX, f64::min), best["value"].as_f64().unwrap());
    // Each trial is an ordinary run with the values that it was given.
    let lr = table.lines().nth(1).unwrap().split(',').nth(4).unwrap().parse::<f64>().unwrap();
    let run: toml::Table = sandbox.read("runs/search-skin/trial-0000/recipe.toml").parse().unwrap();
    assert_eq!(run["optimizer"]["lr"].as_float(), Some(lr), "{table}");
    let honest = &object["honest"];
    assert_eq!(honest["seeds"], serde_json::json!([1_000_001, 1_000_002]));
    let (low, high) = (honest["interval"][0].as_f64().unwrap(), honest["interval"][1].as_f64().unwrap());
    let mean = honest["mean"].as_f64().unwrap();
    assert!(low < mean && mean < high && honest["runner_up"]["number"] != honest["number"], "{honest}");
    // The recipe is ready for `train`, and has the values of the best.
    let recipe = object["recipe"].as_str().unwrap();
    let trained = sandbox.run(&["train", skin().to_str().unwrap(), "--recipe", recipe, "--json"]);
    assert_eq!(trained.code, Some(0), "{}", trained.stderr);
    let value = trained.json()["val"]["loss"].as_f64().unwrap();
    assert_eq!(value, best["value"].as_f64().unwrap(), "the same recipe gives the same run");
    let page = sandbox.read("runs/search-skin/search.html");
    assert!(page.contains("Which parameters mattered") && page.contains("optimizer.lr"));

    // The same command has nothing left to do, and says the same.
    let again =
        search(&sandbox, &["--trials", "6", "--seeds", "2", "--sampler", "random", "--pruner", "none"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(again.json()["honest"], *honest);
    // More trials go on where it was, with the numbers that a search of seven gives.
    let more =
        search(&sandbox, &["--trials", "7", "--seeds", "0", "--sampler", "random", "--pruner", "none"]);
    assert_eq!(more.json()["trials"]["complete"], 7);
    let other = with_space(SPACE);
    let whole = search(
        &other,
        &["--trials", "7", "--seeds", "0", "--sampler", "random", "--pruner", "none", "--jobs", "2"],
    );
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    let values = |sandbox: &Sandbox| {
        let table = sandbox.read("runs/search-skin/trials.csv");
        table.lines().map(|line| line.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(values(&sandbox), values(&other));
}

#[test]
fn every_fault_of_a_space_is_told_before_anything_is_made() {
    let sandbox = with_space(
        "[space]\n\"optimizer.lrr\" = { float = [1e-4, 1e-1], log = true }\n\"train.batch\" = { int = [0, 4] }\n\"model.name\" = { categorical = [\"mlp\", \"cnnn\"] }\n",
    );
    let ran = search(&sandbox, &["--trials", "2"]);
    assert_eq!(ran.code, Some(2));
    for said in ["optimizer.lrr", "train.batch must be from 1", "cnnn"] {
        assert!(ran.stderr.contains(said), "no {said} in {}", ran.stderr);
    }
    assert!(!sandbox.path("runs").exists());

    std::fs::write(sandbox.path("space.toml"), SPACE).unwrap();
    let wrong: [(&[&str], &str); 5] = [
        (&["--sampler", "tpee"], "samplers are tpe"),
        (&["--pruner", "medium"], "pruners are none"),
        (&["--set", "optimizer.lr=0.1"], "take it out there or here"),
        (&["--minutes", "0"], "--minutes must be above 0"),
        (&["--set", "train.monitor=val/nothing"], "train.monitor"),
    ];
    for (arguments, said) in wrong {
        let ran = search(&sandbox, arguments);
        assert!(
            ran.code == Some(2) && ran.stderr.contains(said),
            "{arguments:?}: {:?} {}",
            ran.code,
            ran.stderr
        );
        assert!(!sandbox.path("runs").exists(), "{arguments:?}");
    }
}

#[test]
fn a_study_of_another_space_or_direction_is_refused() {
    let sandbox = with_space(SPACE);
    let small = ["--trials", "1", "--seeds", "0"];
    assert_eq!(search(&sandbox, &small).code, Some(0));
    let ran = search(&sandbox, &["--trials", "2", "--seeds", "0", "--set", "train.monitor=val/accuracy"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("choose another --study"), "{}", ran.stderr);
    std::fs::write(sandbox.path("space.toml"), SPACE.replace("[16, 32]", "[16, 64]")).unwrap();
    let ran = search(&sandbox, &["--trials", "2", "--seeds", "0"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("train.batch"), "{}", ran.stderr);
    // A folder holds the trials of one study.
    std::fs::write(sandbox.path("space.toml"), SPACE).unwrap();
    let ran = search(&sandbox, &["--trials", "2", "--seeds", "0", "--study", "other"]);
    assert!(
        ran.code == Some(2) && ran.stderr.contains("is the folder of the study `search-skin`"),
        "{}",
        ran.stderr
    );
    // Something else of that name is left alone.
    std::fs::create_dir_all(sandbox.path("runs/mine")).unwrap();
    std::fs::write(sandbox.path("runs/mine/notes.txt"), "mine").unwrap();
    let ran = search(&sandbox, &["--trials", "1", "--name", "mine"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_eq!(sandbox.read("runs/mine/notes.txt"), "mine");
}

#[test]
fn a_condition_keeps_a_parameter_out_of_trials_it_does_not_belong_to() {
    let sandbox = with_space(
        "[space]\n\"model.name\" = { categorical = [\"mlp\", \"cnn\"] }\n\"model.hidden\" = { categorical = [[8], [16]], when = { \"model.name\" = \"mlp\" } }\n\
         \"model.filters\" = { categorical = [[4], [8]], when = { \"model.name\" = \"cnn\" } }\n",
    );
    let ran = search(&sandbox, &["--trials", "8", "--seeds", "0", "--sampler", "grid"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let table = sandbox.read("runs/search-skin/trials.csv");
    let rows: Vec<Vec<String>> = csv_rows(&table);
    assert_eq!(rows.len(), 1 + 4, "a grid has four points: {table}");
    assert!(ran.stderr.contains("every combination of the grid has been tried"), "{}", ran.stderr);
    for row in rows.iter().skip(1) {
        assert_eq!(row[4] == "mlp", !row[5].is_empty(), "{row:?}");
        assert_eq!(row[4] == "cnn", !row[6].is_empty(), "{row:?}");
    }
}

fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn trials_that_fail_are_told_and_end_nothing() {
    // A learning rate of 1e30 makes the loss no number.
    let sandbox = with_space("[space]\n\"optimizer.lr\" = { categorical = [1e-3, 1e30] }\n");
    let ran = search(&sandbox, &["--trials", "2", "--seeds", "0", "--sampler", "grid", "--pruner", "none"]);
    let object: Value = ran.json();
    assert_eq!(object["best"]["params"]["optimizer.lr"], 1e-3, "{}", ran.stderr);
    // What diverges has been tried: it is not tried again.
    assert_eq!(
        object["trials"],
        serde_json::json!({"complete": 1, "pruned": 1, "failed": 0}),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("no longer a number"), "{}", ran.stderr);
}

#[test]
fn a_study_goes_on_only_with_the_data_and_the_recipe_that_it_was_begun_with() {
    let sandbox = with_space(SPACE);
    let common = ["--trials", "1", "--seeds", "0", "--name", "mine"];
    assert_eq!(search(&sandbox, &common).code, Some(0));
    let ran = search(&sandbox, &[&common[..], &["--set", "optimizer.weight_decay=0.1"]].concat());
    assert!(
        ran.code == Some(2) && ran.stderr.contains("optimizer.weight_decay was 0.0, and is 0.1"),
        "{}",
        ran.stderr
    );
    // Other images under the same name.
    let other = sandbox.path("other");
    for class in ["a", "b"] {
        std::fs::create_dir_all(other.join(class)).unwrap();
        for (at, file) in std::fs::read_dir(skin().join("train/nevus")).unwrap().take(12).enumerate() {
            std::fs::copy(file.unwrap().path(), other.join(class).join(format!("{at}{class}.jpg"))).unwrap();
        }
    }
    let ran = sandbox.run(&[
        "search",
        "other",
        "--space",
        "space.toml",
        "--size",
        "16",
        "--epochs",
        "2",
        "--trials",
        "2",
        "--seeds",
        "0",
        "--name",
        "mine",
    ]);
    assert!(ran.code == Some(2) && ran.stderr.contains("other images"), "{}", ran.stderr);
    assert!(!sandbox.path("runs/mine/trial-0001").exists());
}

#[test]
fn keys_by_which_trials_could_not_be_compared_are_refused_all_at_once() {
    let keys =
        ["data.split_seed", "data.fold", "train.seed", "train.monitor", "input.show", "tracking.steps_every"];
    let lines: String = keys.iter().map(|key| format!("\"{key}\" = {{ categorical = [1, 2] }}\n")).collect();
    let ran = search(&with_space(&format!("[space]\n{lines}")), &["--trials", "1"]);
    assert_eq!(ran.code, Some(2));
    keys.iter().for_each(|key| {
        assert!(ran.stderr.contains(&format!("{key} is no parameter")), "{key}: {}", ran.stderr)
    });
}

#[test]
fn a_trial_that_a_killed_process_left_is_taken_up_and_one_with_unknown_values_is_told() {
    let sandbox = with_space(SPACE);
    let more = ["--seeds", "0", "--pruner", "none"];
    assert_eq!(search(&sandbox, &[&["--trials", "1"], &more[..]].concat()).code, Some(0));
    let journal = sandbox.path("runs/search-skin/trials.journal");
    let mut text = std::fs::read_to_string(&journal).unwrap();
    text += "{\"op_code\":4,\"worker_id\":\"gone\",\"study_id\":0,\"datetime_start\":\"2026-01-01T00:00:00+00:00\"}\n";
    text += "{\"op_code\":9,\"worker_id\":\"gone\",\"trial_id\":1,\"system_attr\":{\"pupila:heartbeat\":\"2026-01-01T00:00:00+00:00\"}}\n";
    // What Optuna's enqueue_trial writes, with a value outside of the space.
    text += "{\"op_code\":4,\"worker_id\":\"python\",\"study_id\":0,\"state\":4}\n";
    text += "{\"op_code\":9,\"worker_id\":\"python\",\"trial_id\":2,\"system_attr\":{\"fixed_params\":{\"optimizer.lr\":7.5}}}\n";
    std::fs::write(&journal, text).unwrap();
    let ran = search(&sandbox, &[&["--trials", "2"], &more[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("trial 2 was not run: it was given optimizer.lr = 7.5, which is outside of the space"),
        "{}",
        ran.stderr
    );
    let object = ran.json();
    assert_eq!(
        object["trials"],
        serde_json::json!({"complete": 2, "pruned": 0, "failed": 1}),
        "{}",
        ran.stderr
    );
    let table = sandbox.read("runs/search-skin/trials.csv");
    let states: Vec<&str> = table.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(states, ["complete", "complete", "failed"], "{table}");
}

#[test]
fn every_space_in_the_repository_can_be_searched() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    let recipe = folder.join("cnn.toml");
    let mut count = 0;
    for space in std::fs::read_dir(folder.join("spaces")).unwrap() {
        let space = space.unwrap().path();
        let sandbox = Sandbox::new();
        let data = skin();
        let [data, space, recipe] = [&data, &space, &recipe].map(|path| path.to_str().unwrap());
        let files = ["search", data, "--space", space, "--recipe", recipe, "--json"];
        let ran = sandbox.run(&[&files[..], &["--trials", "1", "--epochs", "1", "--seeds", "0"]].concat());
        assert_eq!(ran.code, Some(0), "{space}: {}", ran.stderr);
        assert_eq!(ran.json()["trials"]["complete"], 1);
        count += 1;
    }
    assert!(count >= 1);
}

#[test]
fn keys_without_effect_are_told_before_the_first_trial() {
    let sandbox = with_space(SPACE);
    let settings = ["--set", "data.val_frac=0.3", "--set", "augment.mix_p=0.5"];
    let ran = search(&sandbox, &[&["--trials", "1", "--seeds", "2"][..], &settings].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for words in ["data.val_frac = 0.3 changes nothing", "augment.mix_p changes nothing"] {
        assert_eq!(ran.stderr.matches(words).count(), 1, "{words}: {}", ran.stderr);
    }
    // A look at the data is told of keys of the data.
    let data = skin();
    let ran = sandbox.run(&[&["inspect", data.to_str().unwrap(), "--out", "i.html"][..], &settings].concat());
    let told = ran.stdout + &ran.stderr;
    assert!(
        told.contains("data.val_frac = 0.3 changes nothing") && !told.contains("mix_p changes"),
        "{told}"
    );
}
