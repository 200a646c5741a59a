//! A run that is killed anywhere and goes on leaves the bytes of the run that was never stopped.
//!
//! Processes are ended from within, right before a step, a write, a synchronisation, a renaming or a removal (`PUPILA_TEST_FAULT`): nothing is
//! flushed and no destructor runs, as behind SIGKILL, and every moment can be had again by its number. Which ones a test takes is drawn by a
//! seed; `.ci/long killed_anywhere` takes 500.
#![allow(clippy::unwrap_used)]

mod common;

use common::killed::{EPOCHS, KINDS, World, is_ok, said, was_killed};
use pupila::RunFolder;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// 24 images in batches of 5.
const STEPS: u64 = 5 * EPOCHS;

/// A large one, of which a checkpoint takes 180 MB: for the long test, one moment of so many.
const RESNET: (&str, &[&str]) =
    ("resnet", &["model.name=resnet18", "train.ema_decay=0.9", "augment.mixup=0.4", "optimizer.name=sgd"]);
const RESNET_EVERY: u64 = 25;

/// Numbers from a seed.
struct Draws(u64);

impl Draws {
    /// From 1 to `most`.
    fn upto(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1 + (self.0 >> 33) % most
    }

    /// A moment: what comes next, and about how often it comes in such a run.
    fn fault(&mut self) -> String {
        // Of seven checkpoints, of the files at the end and the best model, of the records.
        const MOMENTS: [(&str, u64); 11] = [
            ("step", STEPS),
            ("step", STEPS),
            ("write", 60),
            ("fsync", 30),
            ("open", 7),
            ("rename", 7),
            ("unlink", 7),
            ("append", 60),
            ("open-file", 9),
            ("write-file", 9),
            ("rename-file", 9),
        ];
        let (step, most) = MOMENTS[self.upto(MOMENTS.len() as u64) as usize - 1];
        format!("abort@{step}:{}", self.upto(most))
    }
}

/// Kills runs at so many moments, `resnet` among them, and lets them go on. How many were really killed, and how many of these again while they went on.
fn kill(moments: u64, seed: u64, resnet: bool) -> (u64, u64) {
    let world = World::new();
    let mut draws = Draws(seed);
    for (kind, settings) in KINDS.iter().chain(resnet.then_some(&RESNET)) {
        is_ok(&world.train("whole", kind, settings, 2, None), kind);
    }
    let (mut killed, mut again) = (0, 0);
    let mut moment = 0;
    while killed < moments {
        moment += 1;
        assert!(moment < 4 * moments, "most moments are none");
        let (kind, settings) = match resnet && moment % RESNET_EVERY == 0 {
            true => RESNET,
            false => KINDS[moment as usize % KINDS.len()],
        };
        let runs = format!("runs{moment}");
        let run = format!("{runs}/{kind}");
        let fault = draws.fault();
        let threads = 1 + moment as usize % 2;
        let output = world.train(&runs, kind, settings, threads, Some(&fault));
        let mut what = format!("{kind}, {fault}");
        if !was_killed(&output) {
            is_ok(&output, &what);
            continue;
        }
        killed += 1;
        // One that was killed before it began to train is begun anew by the same command.
        if !world.path(&run).join(RunFolder::ENVIRONMENT).exists() {
            assert_eq!(world.resume(&run, 1, None).status.code(), Some(2), "{what}");
            continue;
        }
        if moment % 3 == 0 {
            let fault = draws.fault();
            what += &format!(", then {fault}");
            let output = world.resume(&run, threads, Some(&fault));
            what += &said(&output);
            again += u64::from(was_killed(&output));
        }
        let output = world.resume(&run, 3 - threads, None);
        is_ok(&output, &what);
        world.assert_same(&run, &format!("whole/{kind}"), &what);
        fs::remove_dir_all(world.path(&runs)).unwrap();
    }
    (killed, again)
}

#[test]
fn killed_anywhere_the_same_bytes() {
    let (killed, again) = kill(25, 1, false);
    assert!(killed == 25 && again > 0, "{killed} {again}");
}

#[test]
#[ignore = "takes minutes"]
fn killed_at_500_moments_the_same_bytes() {
    let (killed, again) = kill(500, 2, true);
    println!(
        "result: {killed} kills, {again} of them followed by another while it went on: the same bytes behind all"
    );
}

#[test]
fn checkpoints_change_no_byte_of_anything_else() {
    let world = World::new();
    let (kind, settings) = KINDS[0];
    is_ok(&world.train("with", kind, settings, 2, None), "with");
    let without: Vec<&str> = settings.iter().copied().chain(["checkpoint.keep=0"]).collect();
    is_ok(&world.train("without", kind, &without, 1, None), "without");
    for file in [
        RunFolder::MODEL,
        RunFolder::PREDICTIONS,
        RunFolder::REPORT,
        RunFolder::CONFUSION,
        RunFolder::TRAINED,
    ] {
        let read = |runs: &str| fs::read(world.path(runs).join(kind).join(file)).unwrap();
        assert!(read("with") == read("without"), "{file}");
    }
    assert!(!world.path("with").join(kind).join("checkpoints").exists());
}

#[test]
fn a_damaged_checkpoint_is_told_and_the_one_before_is_used() {
    let world = World::new();
    let (kind, settings) = KINDS[1];
    is_ok(&world.train("whole", kind, settings, 2, None), "whole");
    let output = world.train("runs", kind, settings, 2, Some("abort@step:12"));
    assert!(was_killed(&output));
    let files = |run: &str| {
        let mut files: Vec<PathBuf> = fs::read_dir(world.path(run).join("checkpoints"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.retain(|path| path.extension().is_some_and(|end| end == "checkpoint"));
        files.sort();
        files
    };
    let run = format!("runs/{kind}");
    let newest = files(&run).pop().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest, bytes).unwrap();
    let output = world.resume(&run, 2, None);
    is_ok(&output, "resume");
    let said = said(&output);
    assert!(
        said.contains("is damaged: its checksum is another")
            && said.contains("the one before is used: epoch"),
        "{said}"
    );
    world.assert_same(&run, &format!("whole/{kind}"), "damaged");
    // All of them damaged: from the beginning.
    assert!(was_killed(&world.train("other", kind, settings, 2, Some("abort@step:12"))));
    let run = format!("other/{kind}");
    for path in files(&run) {
        fs::write(path, "PUPILACK").unwrap();
    }
    let output = world.resume(&run, 1, None);
    is_ok(&output, "resume");
    world.assert_same(&run, &format!("whole/{kind}"), "all damaged");
}

#[test]
fn a_full_disk_is_told_and_training_goes_on() {
    let world = World::new();
    let (kind, settings) = KINDS[1];
    is_ok(&world.train("whole", kind, settings, 2, None), "whole");
    for (fault, told) in [
        ("enospc@write:every", "No space left on device"),
        ("eio@fsync:every", "Input/output error"),
        ("eacces@open:every", "Permission denied"),
        ("emfile@open:2", "Too many open files"),
        ("eio@rename:3", "Input/output error"),
    ] {
        let runs = fault.replace('@', "-");
        let output = world.train(&runs, kind, settings, 2, Some(fault));
        is_ok(&output, fault);
        let said = said(&output);
        assert!(
            said.contains("a checkpoint could not be written: ") && said.contains(told),
            "{fault}: {said}"
        );
        assert!(
            said.contains(&format!("{kind}/checkpoints")) || said.contains(RunFolder::METRICS),
            "{fault}: {said}"
        );
        world.assert_same(&format!("{runs}/{kind}"), &format!("whole/{kind}"), fault);
    }
}

#[test]
fn two_processes_never_share_a_run_folder() {
    let world = World::new();
    let (kind, settings) = KINDS[2];
    assert!(was_killed(&world.train("runs", kind, settings, 1, Some("abort@step:7"))));
    let run = world.path("runs").join(kind);
    let lock = pupila::run_files::RunLock::take(&run).unwrap().unwrap();
    let output = world.resume(&format!("runs/{kind}"), 1, None);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("another process is running"), "{}", said(&output));
    drop(lock);
    is_ok(&world.resume(&format!("runs/{kind}"), 1, None), "afterwards");
}

#[cfg(unix)]
#[test]
fn every_signal_keeps_where_it_is() {
    let world = World::new();
    let (kind, settings) = KINDS[0];
    let many: Vec<&str> =
        settings.iter().copied().chain(["checkpoint.steps=0", "train.epochs=400"]).collect();
    let start = |runs: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pupila"));
        command.args(["train", "data", "--runs", runs, "--name", kind, "--size", "8", "--batch", "5"]);
        many.iter().for_each(|setting| {
            command.args(["--set", setting]);
        });
        command.current_dir(world.temporary.path()).env("PUPILA_CACHE_DIR", world.path("cache"));
        command.env_remove("MLFLOW_TRACKING_URI");
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    is_ok(&start("whole").wait_with_output().unwrap(), "whole");
    for signal in ["INT", "TERM", "HUP"] {
        let child = start(signal);
        let metrics = world.path(signal).join(kind).join(RunFolder::METRICS);
        // It has trained for a while; how long is no matter.
        while fs::read_to_string(&metrics).map_or(0, |text| text.lines().count()) < 20 {
            std::thread::yield_now();
        }
        assert!(
            Command::new("kill")
                .args([format!("-{signal}"), child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
        let output = child.wait_with_output().unwrap();
        let run = format!("{signal}/{kind}");
        if output.status.success() {
            // It was faster.
            continue;
        }
        assert_eq!(output.status.code(), Some(130), "{}", said(&output));
        assert!(said(&output).contains(&format!("resume {run}")), "{}", said(&output));
        assert!(is_there(&world.path(&run).join("checkpoints")));
        is_ok(&world.resume(&run, 1, None), signal);
        world.assert_same(&run, &format!("whole/{kind}"), signal);
    }
}

fn is_there(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| entries.count() > 0)
}

#[test]
fn a_study_goes_on_in_the_middle_of_a_run() {
    let world = World::new();
    let file = "question = \"Does dropout help?\"\nbaseline = \"a\"\n[variants.a]\n\"model.dropout\" = 0.0\n[variants.b]\n\"model.dropout\" = 0.3\n";
    fs::write(world.path("study.toml"), file).unwrap();
    let study = |runs: &str, fault: Option<&str>| {
        let common =
            ["study", "study.toml", "data", "--name", "s", "--seeds", "2", "--jobs", "1", "--threads", "1"];
        let own =
            ["--runs", runs, "--epochs", "3", "--size", "8", "--batch", "5", "--set", "checkpoint.steps=2"];
        world.pupila(fault, &[&common[..], &own, &["--set", "model.hidden=[8]", "--keep", "all"]].concat())
    };
    is_ok(&study("whole", None), "whole");
    let runs = |runs: &str| {
        let mut names: Vec<String> = fs::read_dir(world.path(runs).join("s"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.join(RunFolder::SUMMARY).exists())
            .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(runs("whole").len(), 4);
    assert!(was_killed(&study("killed", Some("abort@step:12"))));
    assert!(runs("killed").is_empty());
    // Anew it would not come so far.
    assert!(was_killed(&study("killed", Some("abort@step:10"))));
    assert_eq!(runs("killed").len(), 1, "the first run has ended");
    is_ok(&study("killed", None), "the rest");
    assert_eq!(runs("killed"), runs("whole"));
    for run in runs("whole") {
        world.assert_same(&format!("killed/s/{run}"), &format!("whole/s/{run}"), &run);
    }
}
