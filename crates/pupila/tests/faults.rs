//! Every file of a run that cannot be written, and disks that are full: told with path and cause, and never a silent success.
//!
//! The program is made to fail at its Nth step of a kind (`PUPILA_TEST_FAULT`, `pupila_run::disk`); how many there are is found by ending it there.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

struct World {
    folder: TempDir,
}

impl World {
    fn new(name: &str) -> Self {
        let prefix = format!("faults-{name}-");
        let folder =
            tempfile::Builder::new().prefix(&prefix).tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/skin");
        for split in ["train", "val"] {
            for class in ["nevus", "melanoma"] {
                let to = folder.path().join("data").join(split).join(class);
                fs::create_dir_all(&to).unwrap();
                let entries = fs::read_dir(samples.join(split).join(class)).unwrap();
                let mut photographs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
                photographs.sort();
                for photograph in &photographs[..3] {
                    fs::copy(photograph, to.join(photograph.file_name().unwrap())).unwrap();
                }
            }
        }
        World { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Trains `RUNS/tiny` anew.
    fn train(&self, runs: &str, cache: &str, fault: Option<&str>) -> (Output, String) {
        let options =
            ["--epochs", "2", "--batch", "4", "--set", "model.hidden=[4]", "--set", "checkpoint.steps=2"];
        self.train_with(runs, cache, fault, &options)
    }

    /// The same, with these options.
    fn train_with(&self, runs: &str, cache: &str, fault: Option<&str>, more: &[&str]) -> (Output, String) {
        let _ = fs::remove_dir_all(self.path(runs).join("tiny"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_pupila"));
        command.args([
            "train",
            "data",
            "--runs",
            runs,
            "--name",
            "tiny",
            "--size",
            "8",
            "--set",
            "model.name=mlp",
        ]);
        command.args(more);
        command.current_dir(&self.folder).env("PUPILA_CACHE_DIR", self.path(cache));
        command.env("PUPILA_STATE_DIR", self.path("state")).env_remove("MLFLOW_TRACKING_URI");
        command.env_remove("PUPILA_TEST_FAULT");
        if let Some(fault) = fault {
            command.env("PUPILA_TEST_FAULT", fault);
        }
        let output = command.output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output, said)
    }
}

const CAUSES: [(&str, &str); 4] = [
    ("enospc", "No space left on device"),
    ("eio", "Input/output error"),
    ("eacces", "Permission denied"),
    ("emfile", "Too many open files"),
];

#[test]
fn every_failure_of_every_file_of_a_run_is_told() {
    let world = World::new("files");
    let (mut failures, mut models) = (0, 0);
    for step in ["open-file", "write-file", "fsync-file", "rename-file", "open", "write", "fsync", "rename"] {
        // An ended process shows that the step is there, so that a failure that nobody tells is no absent one.
        let mut last = 0;
        while world
            .train("runs", "cache", Some(&format!("abort@{step}:{}", last + 1)))
            .0
            .status
            .code()
            .is_none()
        {
            last += 1;
        }
        for at in 1..=last {
            let (fault, cause) = CAUSES[at % CAUSES.len()];
            let what = format!("{fault}@{step}:{at}");
            let (output, said) = world.train("runs", "cache", Some(&what));
            assert!(
                output.status.code().is_some() && !said.contains("panicked"),
                "{what}: {:?}\n{said}",
                output.status
            );
            assert!(
                said.contains(cause),
                "{what} of {last}: the cause is not told, and it ends with {:?}\n{said}",
                output.status
            );
            let line = said.lines().find(|line| line.contains(cause)).unwrap();
            assert!(line.contains("runs/tiny"), "{what}: the path is not told\n{said}");
            // A run that ends with an error may leave a model all the same.
            if output.status.code() == Some(1) && world.path("runs/tiny/best.safetensors").is_file() {
                assert!(
                    said.contains("the best model so far is runs/tiny/best.safetensors"),
                    "{what}: {said}"
                );
                models += 1;
            }
            failures += 1;
        }
    }
    assert!(failures > 30 && models > 0, "{failures}, {models}");
    let (output, said) = world.train("runs", "cache", None);
    assert!(output.status.success(), "{said}");
}

/// A file system of this size, while it lives.
struct Small(PathBuf);

impl Small {
    /// None where this user may not mount one.
    fn mount(at: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Small(at))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_is_told_and_a_full_cache_costs_time_alone() {
    let world = World::new("full");
    let Some(cache) = Small::mount(world.path("full-cache"), "4k") else {
        println!("skipped: only root may mount a small file system");
        return;
    };
    let (output, whole) = world.train("runs", "cache", None);
    assert!(output.status.success(), "{whole}");
    let model = fs::read(world.path("runs/tiny/best.safetensors")).unwrap();
    let (output, said) = world.train("runs", "full-cache", None);
    assert!(output.status.success(), "{said}");
    assert_eq!(fs::read(world.path("runs/tiny/best.safetensors")).unwrap(), model);
    assert_eq!(said.matches("No space left on device").count(), 1, "{said}");
    assert!(said.contains("full-cache"), "{said}");
    drop(cache);
    // Of a run there is room for the first files, for some, for nearly all.
    for size in ["4k", "16k", "64k", "128k"] {
        let Some(_runs) = Small::mount(world.path("full-runs"), size) else { return };
        let (output, said) = world.train("full-runs", "cache", None);
        let told =
            said.lines().any(|line| line.contains("No space left on device") && line.contains("full-runs"));
        assert!(
            told && output.status.code().is_some() && !said.contains("panicked"),
            "{size}: {:?}\n{said}",
            output.status
        );
    }
}

#[test]
fn on_a_full_disk_the_model_takes_the_room_of_old_checkpoints() {
    let world = World::new("room");
    // A single epoch: no model is written before the end.
    let options: Vec<&str> =
        "--epochs 1 --batch 1 --set model.hidden=[512] --set checkpoint.steps=1 --set tracking.report=false \
         --set tracking.tensorboard=false"
            .split_whitespace()
            .collect();
    let kept = [&options[..], &["--set", "checkpoint.keep_final=true"]].concat();
    let (output, said) = world.train_with("runs", "cache", None, &kept);
    assert!(output.status.success(), "{said}");
    let run = world.path("runs/tiny");
    let model = fs::read(run.join("best.safetensors")).unwrap();
    let last = fs::read_dir(run.join("checkpoints")).unwrap().next().unwrap().unwrap().path();
    // The best values are in none before the epoch's end.
    let checkpoint = fs::metadata(last).unwrap().len() as usize - model.len();
    // Two checkpoints have room, a third has none, nor has the model.
    let room = 2 * checkpoint + model.len() / 2;
    let Some(_runs) = Small::mount(world.path("full-runs"), &format!("{}k", room / 1024)) else {
        println!("skipped: only root may mount a small file system");
        return;
    };
    let (output, said) = world.train_with("full-runs", "cache", None, &options);
    assert!(output.status.success(), "{said}");
    for words in [
        "a checkpoint could not be written",
        "No space left on device",
        "the checkpoints before the last were removed",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(fs::read(world.path("full-runs/tiny/best.safetensors")).unwrap(), model);
}
