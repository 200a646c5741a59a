//! A run that is killed anywhere and goes on leaves the bytes of the run that was never stopped.
//!
//! Processes are ended from within, right before a step, a write, a synchronisation, a renaming or a removal (`PUPILA_TEST_FAULT`): nothing is
//! flushed and no destructor runs, as behind SIGKILL, and every moment can be had again by its number. Which ones a test takes is drawn by a
//! seed; `.ci/long killed_anywhere` takes 500.
#![allow(clippy::unwrap_used)]

use pupila::verify::sameness::{Side, differences};
use pupila::{Image, RunFolder, encode_png};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Images of each class.
const TRAIN: usize = 8;
const VAL: usize = 4;
const EPOCHS: u64 = 3;
/// 24 images in batches of 5.
const STEPS: u64 = 5 * EPOCHS;

/// Runs that remember something of everything that a run can remember.
const KINDS: &[(&str, &[&str])] = &[
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

/// A large one, of which a checkpoint takes 180 MB: for the long test, one moment of so many.
const RESNET: (&str, &[&str]) =
    ("resnet", &["model.name=resnet18", "train.ema_decay=0.9", "augment.mixup=0.4", "optimizer.name=sgd"]);
const RESNET_EVERY: u64 = 25;

struct World {
    temporary: TempDir,
}

impl World {
    fn new() -> Self {
        let world = World { temporary: tempfile::tempdir().unwrap() };
        let mut word = 7u32;
        let mut noise = || {
            word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (word >> 24) as u8
        };
        for (split, images) in [("train", TRAIN), ("val", VAL)] {
            for (class, name) in ["a", "b", "c"].iter().enumerate() {
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

    fn path(&self, name: &str) -> PathBuf {
        self.temporary.path().join(name)
    }

    fn pupila(&self, fault: Option<&str>, arguments: &[&str]) -> Output {
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
    fn train(
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

    fn resume(&self, run: &str, threads: usize, fault: Option<&str>) -> Output {
        self.pupila(fault, &["resume", run, "--threads", &threads.to_string()])
    }

    fn assert_same(&self, run: &str, whole: &str, what: &str) {
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

fn is_ok(output: &Output, what: &str) {
    assert!(output.status.success(), "{what}: {}", said(output));
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Whether the process ended by itself.
fn was_killed(output: &Output) -> bool {
    output.status.code().is_none()
}

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
