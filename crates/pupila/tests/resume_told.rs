//! What `pupila resume` and `pupila verify` refuse and tell, and that what they say to do is enough.
#![allow(clippy::unwrap_used)]

mod common;

use common::killed::{KINDS, World, is_ok, said, was_killed};
use pupila::RunFolder;
use std::fs;
use std::process::Command;

#[test]
fn what_cannot_be_meant_is_refused_key_by_key_and_a_kept_end_is_trained_on() {
    let world = World::new();
    let (kind, settings) = KINDS[0];
    is_ok(&world.train("runs", kind, settings, 2, None), "ended");
    let run = format!("runs/{kind}");
    let output = world.resume(&run, 2, None);
    is_ok(&output, "nothing to do");
    assert!(said(&output).contains("has ended (completed)"), "{}", said(&output));
    let output = world.pupila(None, &["resume", &run, "--epochs", "6"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("checkpoint.keep_final was not set"), "{}", said(&output));

    let kept: Vec<&str> = settings.iter().copied().chain(["checkpoint.keep_final=true"]).collect();
    let output = world.train("kept", kind, &kept, 2, None);
    is_ok(&output, "kept");
    assert!(said(&output).contains("its state takes"), "{}", said(&output));
    let run = format!("kept/{kind}");
    let output = world.pupila(
        None,
        &["resume", &run, "--epochs", "5", "--set", "optimizer.lr=0.1", "--set", "model.dropout=0"],
    );
    assert_eq!(output.status.code(), Some(2));
    let told = said(&output);
    assert!(
        told.contains("optimizer.lr cannot change on the way")
            && told.contains("model.dropout cannot change"),
        "{told}"
    );
    is_ok(&world.pupila(None, &["resume", &run, "--epochs", "5"]), "trained on");
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(world.path(&run).join(RunFolder::SUMMARY)).unwrap()).unwrap();
    assert_eq!((&summary["epochs_run"], &summary["status"]), (&5.into(), &"completed".into()));
    let metrics = fs::read_to_string(world.path(&run).join(RunFolder::METRICS)).unwrap();
    let epochs = metrics.lines().filter(|line| line.starts_with("{\"event\":\"scalars\"")).count();
    let ends = metrics.lines().filter(|line| line.starts_with("{\"event\":\"end\"")).count();
    assert_eq!((epochs, ends), (5, 1), "one unbroken run");
}

#[test]
fn an_edited_recipe_is_refused_key_by_key() {
    let world = World::new();
    let (kind, settings) = KINDS[0];
    assert!(was_killed(&world.train("runs", kind, settings, 2, Some("abort@step:7"))));
    let run = format!("runs/{kind}");
    let recipe = world.path(&run).join(RunFolder::RECIPE);
    let text = fs::read_to_string(&recipe).unwrap();
    let edited = text.replace("dropout = 0.3", "dropout = 0.4");
    assert_ne!(text, edited);
    fs::write(&recipe, edited).unwrap();
    let output = world.resume(&run, 2, None);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("model.dropout cannot change on the way (0.3 so far)"),
        "{}",
        said(&output)
    );
    fs::write(&recipe, text).unwrap();
    is_ok(&world.resume(&run, 2, None), "as it was");
}

#[test]
fn data_that_have_changed_are_told() {
    let world = World::new();
    let (kind, settings) = KINDS[0];
    assert!(was_killed(&world.train("runs", kind, settings, 2, Some("abort@step:7"))));
    let run = format!("runs/{kind}");
    let image = world.path("data/train/a/0.png");
    let bytes = fs::read(&image).unwrap();
    fs::copy(world.path("data/train/b/0.png"), &image).unwrap();
    let before = fs::read(world.path(&run).join(RunFolder::METRICS)).unwrap();
    let output = world.resume(&run, 2, None);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("are not those that"), "{}", said(&output));
    assert_eq!(fs::read(world.path(&run).join(RunFolder::METRICS)).unwrap(), before, "nothing has changed");
    // Put back, elsewhere.
    fs::write(&image, bytes).unwrap();
    fs::rename(world.path("data"), world.path("moved")).unwrap();
    assert_eq!(world.resume(&run, 2, None).status.code(), Some(2));
    is_ok(&world.pupila(None, &["resume", &run, "--data", "moved"]), "moved");
}

#[test]
fn a_run_is_verified_and_what_was_changed_in_it_is_named() {
    let world = World::new();
    let (kind, settings) = KINDS[0];
    is_ok(&world.train("runs", kind, settings, 2, None), "run");
    let run = format!("runs/{kind}");
    let output = world.pupila(None, &["verify", &run, "--threads", "1", "--json"]);
    is_ok(&output, "the same");
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["same"], true, "{object}");
    // A better epoch.
    let path = world.path(&run).join(RunFolder::METRICS);
    let text = fs::read_to_string(&path).unwrap();
    let line =
        text.lines().find(|line| line.contains("\"epoch\":2") && line.contains("val/accuracy")).unwrap();
    let better: serde_json::Value = {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["values"]["val/accuracy"] = 0.999.into();
        value
    };
    fs::write(&path, text.replace(line, &better.to_string())).unwrap();
    let output = world.pupila(None, &["verify", &run]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let told = said(&output);
    assert!(
        told.contains("metrics.jsonl, line")
            && told.contains("epoch 2")
            && told.contains("values.val/accuracy"),
        "{told}"
    );
    assert!(told.contains("a file of its folder was changed"), "{told}");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn another_instruction_set_is_told() {
    let world = World::new();
    let (kind, settings) = KINDS[0];
    assert!(was_killed(&world.train("runs", kind, settings, 2, Some("abort@step:7"))));
    let run = format!("runs/{kind}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_pupila"));
    command.args(["resume", &run]).current_dir(world.temporary.path()).env("PUPILA_ISA", "baseline");
    let output = command.env("PUPILA_CACHE_DIR", world.path("cache")).output().unwrap();
    is_ok(&output, "baseline");
    let told = said(&output);
    assert!(told.contains("this machine has baseline: what was learnt is kept to the bit"), "{told}");
}

#[test]
fn a_run_that_was_trained_on_is_verified_and_says_where_its_values_came_from() {
    let world = World::new();
    let settings = ["model.hidden=[8]", "checkpoint.keep_final=true"];
    is_ok(&world.train("runs", "r", &settings, 1, None), "run");
    let on = ["resume", "runs/r", "--epochs", "5", "--set", "checkpoint.keep=3"];
    is_ok(&world.pupila(None, &on), "trained on");
    let recipe = fs::read_to_string(world.path("runs/r/recipe.toml")).unwrap();
    let line = |key: &str| recipe.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert!(line("size = 8 ").ends_with("# --size 8"), "{recipe}");
    assert!(
        line("epochs = 5 ").contains("--epochs 5") && line("keep = 3 ").contains("checkpoint.keep"),
        "{recipe}"
    );
    assert!(line("hidden = [8] ").contains("--set model.hidden=[8]"), "{recipe}");
    let output = world.pupila(None, &["verify", "runs/r", "--threads", "1"]);
    is_ok(&output, "the same, though it was asked for less at first");
    // A file of TensorBoard's that is gone is told as that.
    for entry in fs::read_dir(world.path("runs/r")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("events.out") {
            fs::remove_file(path).unwrap();
        }
    }
    let output = world.pupila(None, &["verify", "runs/r", "--threads", "1"]);
    assert!(
        output.status.code() == Some(3) && said(&output).contains("events.out.tfevents: is missing"),
        "{}",
        said(&output)
    );
    // What is not a run is told before anything else.
    for command in ["resume", "verify"] {
        let output = world.pupila(None, &[command, "runs"]);
        assert_eq!(output.status.code(), Some(2));
        let told = said(&output);
        assert!(
            told.contains(&format!("is a folder of runs (r): name one, such as pupila {command} runs/r")),
            "{told}"
        );
        assert!(!told.contains("is run again"), "{told}");
    }
    // A path in what differs is the one in the file.
    let path = world.path("runs/r/predictions.csv");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("/0.png", "/x.png", 1)).unwrap();
    let told = said(&world.pupila(None, &["verify", "runs/r", "--threads", "1"]));
    assert!(told.contains("data/val/a/x.png") && !told.contains("DATA/"), "{told}");
}

#[test]
fn weights_that_a_run_began_from_are_found_from_elsewhere() {
    let world = World::new();
    is_ok(&world.train("runs", "first", &["model.hidden=[8]"], 1, None), "first");
    let output = world.train(
        "runs",
        "second",
        &["model.hidden=[8]", "transfer.from=\"runs/first/best.safetensors\""],
        1,
        Some("abort@step:8"),
    );
    assert!(was_killed(&output), "{}", said(&output));
    let elsewhere = world.path("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    let there = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_pupila"))
            .args(arguments)
            .current_dir(&elsewhere)
            .env("PUPILA_CACHE_DIR", world.path("cache"))
            .env_remove("MLFLOW_TRACKING_URI")
            .output()
            .unwrap()
    };
    is_ok(&there(&["resume", "../runs/second"]), "from elsewhere");
    is_ok(&there(&["verify", "../runs/second"]), "from elsewhere");
    fs::remove_file(world.path("runs/first/best.safetensors")).unwrap();
    let output = there(&["verify", "../runs/second"]);
    let told = said(&output);
    assert!(
        output.status.code() == Some(2) && told.contains("SHA-256 ") && told.contains("put them back"),
        "{told}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_too_large_for_the_limit_is_told_with_its_path() {
    let world = World::new();
    let output = Command::new("sh")
        .arg("-c")
        .arg("ulimit -f 40; exec \"$0\" train data --runs runs --name r --size 8 --epochs 1 --set 'model.hidden=[64]'")
        .arg(env!("CARGO_BIN_EXE_pupila"))
        .current_dir(world.temporary.path())
        .env("PUPILA_CACHE_DIR", world.path("cache"))
        .env_remove("MLFLOW_TRACKING_URI")
        .output()
        .unwrap();
    let told = said(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("runs/r/") && told.contains("pupila resume runs/r"), "{told}");
}

/// How often a run looks into its network depends on the epochs that it is asked for, and what it learns does not.
#[test]
fn a_run_that_was_trained_on_is_verified() {
    let world = World::new();
    let settings = ["model.hidden=[20000]", "checkpoint.keep_final=true"];
    let mut lines = Vec::new();
    for (name, epochs) in [("short", "4"), ("long", "40")] {
        let mut arguments =
            vec!["train", "data", "--runs", "runs", "--name", name, "--size", "8", "--batch", "5"];
        arguments.extend(["--epochs", epochs, "--threads", "2"]);
        settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
        is_ok(&world.pupila(None, &arguments), name);
        let text = fs::read_to_string(world.path("runs").join(name).join(RunFolder::METRICS)).unwrap();
        lines.push(text.matches("\"gradient/norm\"").count());
    }
    // Of the long run not every epoch is looked into, of the short one each.
    assert!(lines[0] == 4 && lines[1] < 40, "{lines:?}");
    is_ok(&world.pupila(None, &["resume", "runs/short", "--epochs", "40"]), "longer");
    is_ok(&world.pupila(None, &["verify", "runs/short"]), "verify");
    let [short, long] =
        ["short", "long"].map(|name| fs::read(world.path("runs").join(name).join(RunFolder::MODEL)).unwrap());
    assert!(short == long, "the model of one that was asked for all epochs at once");
    // Another value of a look that both take is seen.
    let path = world.path("runs/short").join(RunFolder::METRICS);
    let text = fs::read_to_string(&path).unwrap();
    let line = text.lines().rfind(|line| line.contains("\"gradient/norm\"")).unwrap();
    let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
    value["values"]["gradient/norm"] = 0.5.into();
    fs::write(&path, text.replace(line, &value.to_string())).unwrap();
    let output = world.pupila(None, &["verify", "runs/short"]);
    assert!(output.status.code() == Some(3) && said(&output).contains("gradient/norm"), "{}", said(&output));
}

#[test]
fn where_a_run_and_its_data_lie_is_no_difference() {
    let world = World::new();
    let settings = ["model.hidden=[8]", "data.on_bad_image=skip"];
    // A copy and a bad image, so that paths stand in every file that can have them.
    fs::copy(world.path("data/train/a/0.png"), world.path("data/val/a/0.png")).unwrap();
    fs::write(world.path("data/train/b/bad.png"), "no picture").unwrap();
    for (name, moves_run, moves_data) in [("r", true, false), ("s", false, true), ("t", true, true)] {
        assert!(was_killed(&world.train("runs", name, &settings, 1, Some("abort@step:9"))));
        let (mut run, mut data) = (format!("runs/{name}"), "data".to_owned());
        if moves_run {
            let to = format!("elsewhere-{name}");
            fs::rename(world.path(&run), world.path(&to)).unwrap();
            run = to;
        }
        if moves_data {
            let to = "other place/pictures".to_owned();
            fs::create_dir_all(world.path("other place")).unwrap();
            fs::rename(world.path("data"), world.path(&to)).unwrap();
            data = to;
        }
        is_ok(&world.pupila(None, &["resume", &run, "--data", &data, "--threads", "1"]), name);
        is_ok(&world.pupila(None, &["verify", &run, "--threads", "1"]), name);
        // And moved once more.
        let to = format!("again-{name}");
        fs::rename(world.path(&run), world.path(&to)).unwrap();
        if moves_data {
            fs::rename(world.path(&data), world.path("data")).unwrap();
        }
        is_ok(&world.pupila(None, &["verify", &to, "--data", "data", "--threads", "1"]), name);
        // What was changed is still told.
        let page = world.path(&to).join(RunFolder::PAGE);
        let text = fs::read_to_string(&page).unwrap();
        fs::write(&page, text.replace("validation", "other")).unwrap();
        let told = world.pupila(None, &["verify", &to, "--data", "data", "--threads", "1"]);
        assert!(told.status.code() == Some(3) && said(&told).contains("report.html"), "{}", said(&told));
    }
}

#[test]
fn a_run_that_got_a_key_of_no_result_on_the_way_is_verified() {
    let world = World::new();
    for (name, key) in [
        ("r", "tracking.experiment=mine"),
        ("s", "tracking.wait_s=1"),
        ("t", "tracking.register=skin"),
        ("u", "checkpoint.keep=7"),
    ] {
        assert!(was_killed(&world.train("runs", name, &["model.hidden=[8]"], 1, Some("abort@step:9"))));
        let run = format!("runs/{name}");
        is_ok(&world.pupila(None, &["resume", &run, "--set", key, "--threads", "1"]), key);
        let recipe = fs::read_to_string(world.path(&run).join(RunFolder::RECIPE)).unwrap();
        assert!(recipe.contains(key), "where it came from: {recipe}");
        is_ok(&world.pupila(None, &["verify", &run, "--threads", "1"]), key);
    }
    // A key that results depend on is none of these.
    let recipe = world.path("runs/r").join(RunFolder::RECIPE);
    let text = fs::read_to_string(&recipe).unwrap();
    fs::write(&recipe, text.replace("[early_stopping]", "[early_stopping]\npatience = 1")).unwrap();
    let told = world.pupila(None, &["verify", "runs/r", "--threads", "1"]);
    assert_eq!(told.status.code(), Some(3), "{}", said(&told));
}
