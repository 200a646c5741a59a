//! Runs of a few images of noise, whose process is ended from within (`PUPILA_TEST_FAULT`) and which go on.

use pupila::verify::sameness::{Side, differences};
use pupila::{Image, encode_png};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use tempfile::TempDir;

/// Images of each class.
pub const TRAIN: usize = 8;
pub const VAL: usize = 4;
pub const EPOCHS: u64 = 3;
/// Runs that remember something of everything that a run can remember.
pub const KINDS: &[(&str, &[&str])] = &[
    (
        "mlp",
        &[
            "model.hidden=[16, 8]",
            "model.dropout=0.3",
            "model.batch_norm=true",
            "train.accumulate=2",
            "train.ema_decay=0.9",
            "augment.mixup=0.4",
            "augment.cutmix=1.0",
            "schedule.name=plateau",
            "schedule.patience=0",
            "schedule.threshold=0.5",
            "schedule.warmup_steps=3",
            "loss.label_smoothing=0.1",
            "data.sampler=balanced",
        ],
    ),
    (
        "cnn",
        &[
            "model.name=cnn",
            "model.filters=[4, 8]",
            "model.batch_norm=true",
            "train.clip_norm=0.5",
            "optimizer.name=sgd",
            "optimizer.momentum=0.9",
            "schedule.name=one_cycle",
            "data.on_bad_image=skip",
        ],
    ),
    (
        "mlp-plain",
        &[
            "model.hidden=[8]",
            "early_stopping.patience=2",
            "early_stopping.min_delta=0.5",
            "optimizer.lr=1e-6",
        ],
    ),
];

pub struct World {
    pub temporary: TempDir,
}

impl World {
    /// Eight images of each of three classes to train on, and four to validate on.
    pub fn new() -> Self {
        World::of(&["a", "b", "c"], TRAIN, VAL)
    }

    /// So many images of each class: noise, in which one color is brighter.
    pub fn of(classes: &[&str], train: usize, val: usize) -> Self {
        let world = World { temporary: tempfile::tempdir().unwrap() };
        let mut word = 7u32;
        let mut noise = || {
            word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (word >> 24) as u8
        };
        for (split, images) in [("train", train), ("val", val)] {
            for (class, name) in classes.iter().enumerate() {
                let folder = world.path("data").join(split).join(name);
                fs::create_dir_all(&folder).unwrap();
                for i in 0..images {
                    let pixels =
                        (0..8 * 8 * 3).map(|at| noise() / 2 + if at % 3 == class { 60 } else { 0 }).collect();
                    let png = encode_png(&Image::new(8, 8, 3, pixels).unwrap()).unwrap();
                    fs::write(folder.join(format!("{i}.png")), png).unwrap();
                }
            }
        }
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.temporary.path().join(name)
    }

    pub fn pupila(&self, fault: Option<&str>, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pupila"));
        command
            .args(arguments)
            .current_dir(self.temporary.path())
            .env("PUPILA_CACHE_DIR", self.path("cache"))
            .env("PUPILA_STATE_DIR", self.path("state"))
            .env_remove("MLFLOW_TRACKING_URI")
            .env_remove("PUPILA_TEST_FAULT");
        if let Some(fault) = fault {
            command.env("PUPILA_TEST_FAULT", fault);
        }
        command.output().unwrap()
    }

    /// Trains `runs/NAME`.
    pub fn train(
        &self,
        runs: &str,
        name: &str,
        settings: &[&str],
        threads: usize,
        fault: Option<&str>,
    ) -> Output {
        let threads = threads.to_string();
        let epochs = EPOCHS.to_string();
        let mut arguments =
            vec!["train", "data", "--runs", runs, "--name", name, "--size", "8", "--batch", "5"];
        arguments.extend(["--epochs", &epochs, "--threads", &threads, "--set", "checkpoint.steps=2"]);
        settings.iter().for_each(|setting| arguments.extend(["--set", setting]));
        self.pupila(fault, &arguments)
    }

    pub fn resume(&self, run: &str, threads: usize, fault: Option<&str>) -> Output {
        self.pupila(fault, &["resume", run, "--threads", &threads.to_string()])
    }

    pub fn assert_same(&self, run: &str, whole: &str, what: &str) {
        let side = |run: &str| Side { folder: self.path(run), data: "data".into() };
        let (found, files) = differences(&side(run), &side(whole)).unwrap();
        assert!(found.is_empty(), "{what}: {}", found.iter().map(|d| format!("{d}\n")).collect::<String>());
        assert!(files.len() >= 10, "{files:?}");
        let names = |run: &str| {
            let mut names: Vec<String> = fs::read_dir(self.path(run))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .map(|name| if name.starts_with("events") { "events".to_owned() } else { name })
                .collect();
            names.sort();
            names
        };
        let left = names(run);
        let inside = fs::read_dir(self.path(run).join("checkpoints"))
            .map_or(Vec::new(), |entries| entries.map(|entry| entry.unwrap().file_name()).collect());
        assert_eq!(left, names(whole), "{what}: nothing is left over, {inside:?}");
    }
}

pub fn is_ok(output: &Output, what: &str) {
    assert!(output.status.success(), "{what}: {}", said(output));
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Whether the process ended by itself.
pub fn was_killed(output: &Output) -> bool {
    output.status.code().is_none()
}
