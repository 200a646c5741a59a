//! A search that is killed anywhere and begun again goes on in the middle of its trials, and leaves the search that was never stopped: the same
//! trials under the same numbers, each epoch reported once, the same bytes of every run.
//!
//! Processes are ended from within, as in `resume.rs`.
#![allow(clippy::unwrap_used)]

mod common;

use common::killed::{World, said};
use pupila::verify::sameness::{Side, differences};
use pupila_search::storage::open;
use pupila_search::{Direction, State, Trial};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

const SPACE: &str = "[space]\n\"optimizer.lr\" = { float = [1e-3, 1e-1], log = true }\n\"model.hidden\" = { categorical = [[8], [16, 8]] }\n";
const TRIALS: usize = 4;
/// Of a trial that is not ended early: 12 images in batches of 4, 4 epochs.
const STEPS: u64 = 12;

fn world() -> World {
    let world = World::of(&["a", "b"], 6, 4);
    fs::write(world.path("space.toml"), SPACE).unwrap();
    world
}

/// Runs `pupila search`, which leaves runs in `runs`.
fn search(world: &World, runs: &str, pruner: &str, storage: Option<&str>, fault: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pupila"));
    command
        .args(["search", "data", "--space", "space.toml", "--name", "s", "--runs", runs])
        .args(["--size", "8", "--epochs", "4", "--set", "train.batch=4", "--seeds", "0"])
        .args(["--set", "checkpoint.steps=2", "--set", "checkpoint.minutes=0"])
        .args(["--trials", &TRIALS.to_string(), "--sampler", "tpe", "--pruner", pruner])
        .current_dir(world.temporary.path())
        .env("PUPILA_CACHE_DIR", world.path("cache"))
        .env("PUPILA_STATE_DIR", world.path("state"))
        .env_remove("MLFLOW_TRACKING_URI")
        .env_remove("PUPILA_TEST_FAULT");
    if let Some(storage) = storage {
        command.args(["--storage", storage]);
    }
    if let Some(fault) = fault {
        command.env("PUPILA_TEST_FAULT", fault);
    }
    command.output().unwrap()
}

fn trials(storage: &str) -> Vec<Trial> {
    open(storage, "s", Direction::Minimize).unwrap().trials().unwrap()
}

fn journal(world: &World, runs: &str) -> PathBuf {
    world.path(runs).join("s/trials.journal")
}

/// That every run is that of the search that was never stopped.
fn assert_runs(world: &World, runs: &str, whole: &str, what: &str) {
    for number in 0..TRIALS {
        let side = |runs: &str| Side {
            folder: world.path(runs).join(format!("s/trial-{number:04}")),
            data: "data".into(),
        };
        let (found, files) = differences(&side(runs), &side(whole)).unwrap();
        assert!(found.is_empty(), "{what}: {}", found.iter().map(|d| format!("{d}\n")).collect::<String>());
        assert!(files.len() >= 8, "{files:?}");
    }
}

/// Trials without what says where, when and by whom they were run.
fn plain(trials: Vec<Trial>) -> Vec<Trial> {
    let plain = |mut trial: Trial| {
        trial.user_attributes.retain(|key, _| !["pupila:worker", "pupila:taken_up"].contains(&&key[..]));
        trial.system_attributes.remove("pupila:heartbeat");
        (trial.started_us, trial.completed_us) = (None, None);
        trial
    };
    trials.into_iter().map(plain).collect()
}

/// Kills searches at these moments, one after the other until there is none left, and compares what the last one leaves. How many of them went on
/// in the middle of a trial.
fn killed(pruner: &str, storage: impl Fn(&World, &str) -> Option<String>, moments: &[&[String]]) -> usize {
    let world = world();
    let of = |runs: &str| storage(&world, runs);
    let address =
        |runs: &str| of(runs).unwrap_or_else(|| format!("journal:{}", journal(&world, runs).display()));
    let output = search(&world, "whole", pruner, of("whole").as_deref(), None);
    assert!(output.status.success(), "{}", said(&output));
    let whole = plain(trials(&address("whole")));
    assert_eq!(whole.len(), TRIALS);
    let mut middles = 0;
    for (place, faults) in moments.iter().enumerate() {
        let runs = format!("runs{place}");
        let what = format!("{pruner}: {faults:?}");
        for fault in *faults {
            let output = search(&world, &runs, pruner, of(&runs).as_deref(), Some(fault));
            assert!(output.status.code().is_none() || output.status.success(), "{what}: {}", said(&output));
            middles += said(&output).matches(" goes on from ").count();
        }
        let output = search(&world, &runs, pruner, of(&runs).as_deref(), None);
        assert!(output.status.success(), "{what}: {}", said(&output));
        middles += said(&output).matches(" goes on from ").count();
        assert_eq!(plain(trials(&address(&runs))), whole, "{what}: {}", said(&output));
        assert_runs(&world, &runs, "whole", &what);
        if of(&runs).is_none() {
            let text = fs::read_to_string(journal(&world, &runs)).unwrap();
            let reports = text.lines().filter(|line| line.contains("\"op_code\":7,")).count();
            let epochs: usize = whole.iter().map(|trial| trial.intermediate.len()).sum();
            assert_eq!(reports, epochs, "{what}: each epoch is reported once");
        }
    }
    middles
}

fn at(faults: &[(&str, u64)]) -> Vec<String> {
    faults.iter().map(|(step, number)| format!("abort@{step}:{number}")).collect()
}

#[test]
fn a_search_that_is_killed_anywhere_goes_on_in_the_middle_of_its_trials() {
    let moments = [
        at(&[("step", 1)]),
        at(&[("step", 3)]),
        at(&[("step", STEPS + 5)]),
        // Between two checkpoints, right behind an epoch's report, and again where it has gone on.
        at(&[("step", 7), ("step", 4), ("step", 5)]),
        at(&[("append", 9)]),
        at(&[("rename", 5)]),
        at(&[("unlink", 4), ("write", 11)]),
        // When a trial's run ends: all is written, or nearly.
        at(&[("rename-file", 6)]),
        at(&[("write-file", 9)]),
        at(&[("unlink", 9)]),
    ];
    let moments: Vec<&[String]> = moments.iter().map(|faults| &faults[..]).collect();
    let middles = killed("none", |_, _| None, &moments);
    assert!(middles >= 7, "{middles}");
}

#[test]
fn a_pruner_sees_each_epoch_of_a_killed_trial_once() {
    for pruner in ["successive_halving", "median"] {
        let moments = [at(&[("step", 2), ("step", 9)]), at(&[("step", STEPS + 4)]), at(&[("append", 30)])];
        let moments: Vec<&[String]> = moments.iter().map(|faults| &faults[..]).collect();
        assert!(killed(pruner, |_, _| None, &moments) >= 2);
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn a_trial_in_a_shared_storage_keeps_its_number_where_it_was_killed_in_this_folder() {
    let moments = [at(&[("step", 5)]), at(&[("step", STEPS + 4), ("step", 3)])];
    let moments: Vec<&[String]> = moments.iter().map(|faults| &faults[..]).collect();
    let address =
        |world: &World, runs: &str| Some(format!("sqlite:///{}", world.path(runs).join("s.db").display()));
    assert!(killed("successive_halving", address, &moments) >= 2);
}

#[test]
fn a_trial_that_another_machine_has_given_up_goes_on_under_a_new_number() {
    let world = world();
    assert!(search(&world, "whole", "none", None, None).status.success());
    let address = |runs: &str| format!("journal:{}", journal(&world, runs).display());
    let whole = &plain(trials(&address("whole")))[0];
    // The checkpoint behind step 2 is on the disk before that behind step 4 is taken.
    for (runs, step) in [("early", 5), ("middle", 9)] {
        let output = search(&world, runs, "none", None, Some(&format!("abort@step:{step}")));
        assert!(output.status.code().is_none(), "{}", said(&output));
        // What a worker elsewhere does of one that it has not heard of for long.
        open(&address(runs), "s", Direction::Minimize).unwrap().retry(0, 3, &[]).unwrap();
        let output = search(&world, runs, "none", None, None);
        assert!(output.status.success() && said(&output).contains(" goes on from "), "{}", said(&output));
        let trials = plain(trials(&address(runs)));
        let (lost, again) = (&trials[0], &trials[1]);
        assert_eq!(lost.state, State::Fail);
        assert_eq!(again.system_attributes["retry_history"], serde_json::json!([0]));
        assert_eq!((&again.params, &again.values), (&whole.params, &whole.values), "{runs}");
        assert_eq!(again.intermediate, whole.intermediate, "{runs}: each epoch once");
        let side = |runs: &str| Side { folder: world.path(runs).join("s/trial-0000"), data: "data".into() };
        let (found, files) = differences(&side(runs), &side("whole")).unwrap();
        assert!(found.is_empty() && files.len() >= 8, "{runs}: {found:?} {files:?}");
        assert!(!world.path(runs).join("s/trial-0001").exists(), "{runs}");
    }
}

/// What becomes of a run's folder.
type Damage = fn(PathBuf);

#[test]
fn a_trial_that_cannot_go_on_begins_anew_and_it_is_said() {
    let world = world();
    assert!(search(&world, "whole", "none", None, None).status.success());
    let whole = plain(trials(&format!("journal:{}", journal(&world, "whole").display())));
    let cases: [(&str, Damage, &str); 3] = [
        ("gone", |run| fs::remove_dir_all(run).unwrap(), "begins anew: its run is not in this folder"),
        (
            "none",
            |run| fs::remove_dir_all(run.join("checkpoints")).unwrap(),
            "stopped before its first checkpoint",
        ),
        (
            "cut",
            |run| fs::write(run.join("metrics.jsonl"), "").unwrap(),
            "the record of its epochs is not whole",
        ),
    ];
    for (runs, damage, told) in cases {
        let output = search(&world, runs, "none", None, Some("abort@step:6"));
        assert!(output.status.code().is_none(), "{}", said(&output));
        damage(world.path(runs).join("s/trial-0000"));
        let output = search(&world, runs, "none", None, None);
        assert!(output.status.success() && said(&output).contains(told), "{runs}: {}", said(&output));
        assert_eq!(plain(trials(&format!("journal:{}", journal(&world, runs).display()))), whole, "{runs}");
        assert_runs(&world, runs, "whole", runs);
    }
    // One that comes no epoch further is given up: it may be what ends its workers.
    for _ in 0..5 {
        assert!(search(&world, "stuck", "none", None, Some("abort@step:1")).status.code().is_none());
    }
    let trials = trials(&format!("journal:{}", journal(&world, "stuck").display()));
    assert_eq!(trials[0].state, State::Fail);
}

#[test]
fn a_storage_that_has_lost_trials_is_told_before_any_is_drawn_anew() {
    let world = world();
    let done = search(&world, "lost", "none", None, None);
    assert!(done.status.success(), "{}", said(&done));
    let journal = journal(&world, "lost");
    let (whole, best) = (fs::read(&journal).unwrap(), fs::read(world.path("lost/s/best.toml")).unwrap());
    let lines: Vec<usize> = (0..whole.len()).filter(|&at| whole[at] == b'\n').collect();
    for (kept, known) in [(0, "knows 0 trials"), (lines[lines.len() / 2] + 1, "knows ")] {
        fs::write(&journal, &whole[..kept]).unwrap();
        let again = search(&world, "lost", "none", None, None);
        let said = said(&again);
        assert_eq!(again.status.code(), Some(2), "{said}");
        assert!(
            said.contains(known) && said.contains("cut or emptied") && said.contains("such as trial-"),
            "{said}"
        );
        assert!(fs::read(world.path("lost/s/best.toml")).unwrap() == best);
    }
    fs::write(&journal, &whole).unwrap();
    let again = search(&world, "lost", "none", None, None);
    assert!(again.status.success(), "{}", said(&again));
}
