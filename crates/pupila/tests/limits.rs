//! What a run cannot do, because of the memory that there is or of what a batch holds, is told before it makes anything.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Ran, Sandbox, skin};
use pupila::recipe::Recipe;
use pupila::{Error, ErrorKind, Session};

/// What opening a session over the samples says, where there are so many bytes.
fn opened(sandbox: &Sandbox, change: impl Fn(&mut Recipe), bytes: u64) -> Result<(), Error> {
    let mut recipe = Recipe::default();
    recipe.data.cache = false;
    change(&mut recipe);
    let session = Session::builder(recipe, skin())
        .runs(sandbox.path("runs"))
        .threads(1)
        .memory(Some(bytes.into()))
        .open();
    session.map(|_| ())
}

#[test]
fn a_run_that_needs_more_memory_than_there_is_makes_nothing_and_says_what_fits() {
    let sandbox = Sandbox::new();
    let large = |recipe: &mut Recipe| recipe.input.size = 256.into();
    assert!(opened(&sandbox, large, 8 << 30).is_ok());
    std::fs::remove_dir(sandbox.path("runs")).unwrap();
    let error = opened(&sandbox, large, 1_200_000_000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Work);
    let text = error.to_string();
    // Values, gradients, two moments and the best values of 196608 x 512 weights are 2 GB, and 1.6 GB of them are in a checkpoint too.
    assert!(
        text.starts_with("training takes about 3.") && text.contains("and 1.2 GB are there: --size "),
        "{text}"
    );
    assert!(!sandbox.path("runs").exists());
    // What it says fits, and is not much too small.
    let size: u32 = text.split("--size ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((128..256).contains(&size), "{text}");
    assert!(opened(&sandbox, |recipe| recipe.input.size = size.into(), 1_200_000_000).is_ok());
    // A network of large maps fits with a smaller batch.
    let maps = |recipe: &mut Recipe| {
        recipe.model.name = "cnn".into();
        recipe.input.size = 128.into();
        recipe.train.batch = 128;
    };
    let text = opened(&sandbox, maps, 400_000_000).unwrap_err().to_string();
    let batch: usize = text.split("--batch ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let smaller = |recipe: &mut Recipe| {
        maps(recipe);
        recipe.train.batch = batch;
    };
    assert!(opened(&sandbox, smaller, 400_000_000).is_ok(), "{text}");
    // Nothing fits into nothing.
    let text = opened(&sandbox, large, 1000).unwrap_err().to_string();
    assert!(text.contains("neither a smaller batch nor smaller images would fit"), "{text}");
}

/// A run of one epoch.
fn trained(sandbox: &Sandbox, name: &str, more: &[&str]) -> Ran {
    let data = skin();
    let arguments =
        ["train", data.to_str().unwrap(), "--name", name, "--epochs", "1", "--threads", "1", "--json"];
    sandbox.run(&[&arguments[..], more].concat())
}

/// What is needed is near what a run takes: the numbers are compared, not only said.
#[test]
fn what_a_run_takes_is_what_was_said() {
    let sandbox = Sandbox::new();
    for (model, size) in [("mlp", "96"), ("cnn", "64"), ("resnet18", "32")] {
        // With a checkpoint, as a longer run has it.
        let ran =
            trained(&sandbox, model, &["--model", model, "--size", size, "--set", "checkpoint.steps=2"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let Some(peak) = ran.json()["peak_rss_bytes"].as_u64() else {
            // Linux says what a process takes; elsewhere there is nothing to compare.
            assert_ne!(std::env::consts::OS, "linux");
            return;
        };
        let needs = |bytes: u64| {
            let change = |recipe: &mut Recipe| {
                recipe.model.name = model.into();
                recipe.input.size = size.parse::<u32>().unwrap().into();
            };
            opened(&sandbox, change, bytes).is_err()
        };
        assert!(needs(peak / 2), "{model}: {peak}");
        assert!(!needs(peak * 2), "{model}: {peak}");
    }
}

#[test]
fn a_batch_of_one_is_refused_or_left_out_where_batch_norm_sees_no_more() {
    let sandbox = Sandbox::new();
    let train = |name: &str, more: &[&str]| trained(&sandbox, name, more);
    let norm = ["--set", "model.batch_norm=true"];
    let single = train("single", &[&norm[..], &["--set", "train.batch=1"]].concat());
    assert_eq!(single.code, Some(2), "{}", single.stdout);
    assert!(
        single.stderr.contains("--batch 2 or more, or --set model.batch_norm=false"),
        "{}",
        single.stderr
    );
    assert!(!sandbox.path("runs/single").exists());
    // Maps of several pixels have a variance in one image too.
    let maps = train(
        "maps",
        &["--model", "resnet18", "--size", "64", "--batch", "1", "--set", "data.fraction=0.05"],
    );
    assert_eq!(maps.code, Some(0), "{}", maps.stderr);
    // 240 images: 239 in one batch, and one.
    let told = |more: &[&str]| -> String {
        let data = skin();
        let arguments = ["train", data.to_str().unwrap(), "--epochs", "1", "--size", "16", "--batch", "239"];
        let ran = sandbox.run(&[&arguments[..], more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    };
    let said = told(&norm);
    assert!(said.contains("one image is left out of each epoch") && said.contains(" of 1 step,"), "{said}");
    let said = told(&[]);
    assert!(!said.contains("left out of each epoch") && said.contains(" of 2 steps,"), "{said}");
}

/// A file whose bytes do not fit is no bad image: what is left out must not depend on the machine.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_does_not_fit_into_memory_ends_the_scan_with_its_name() {
    let sandbox = Sandbox::new();
    let data = sandbox.path("data");
    for class in ["a", "b"] {
        std::fs::create_dir_all(data.join(class)).unwrap();
        let from = std::fs::read_dir(skin().join("val/nevus")).unwrap();
        for file in from.take(6).map(|file| file.unwrap()) {
            std::fs::copy(file.path(), data.join(class).join(file.file_name())).unwrap();
        }
    }
    // Sparse: it takes no room, and reading it would.
    std::fs::File::create(data.join("b/large.jpg")).unwrap().set_len(1_900_000_000).unwrap();
    let mut limited = std::process::Command::new("sh");
    limited.arg("-c").arg("ulimit -v 1500000; exec \"$@\"").arg("sh");
    limited.arg(env!("CARGO_BIN_EXE_pupila")).args(["train", data.to_str().unwrap(), "--threads", "1"]);
    limited.current_dir(sandbox.folder.path()).env("PUPILA_CACHE_DIR", sandbox.path("cache"));
    limited.env("PUPILA_STATE_DIR", sandbox.path("state"));
    let ran = Ran::from(limited.output().unwrap());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("large.jpg: there is not enough memory to read its 1900 MB"),
        "{}",
        ran.stderr
    );
    assert!(!sandbox.path("runs").exists());
}

/// A run of one epoch where no more addresses are to be had.
#[cfg(target_os = "linux")]
fn under(sandbox: &Sandbox, kilobytes: u32, more: &[&str]) -> Ran {
    let data = skin();
    let arguments = ["train", data.to_str().unwrap(), "--epochs", "1"];
    let plain = sandbox.command(&[&arguments[..], more].concat());
    let mut command = std::process::Command::new("bash");
    command.args(["-c", &format!("ulimit -v {kilobytes}; exec \"$0\" \"$@\"")]).arg(plain.get_program());
    command.args(plain.get_args()).current_dir(plain.get_current_dir().unwrap());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.output().unwrap().into()
}

/// What is proposed under a limit of addresses is run under it: threads reserve more than they use.
#[test]
#[cfg(target_os = "linux")]
fn what_fits_a_limit_of_addresses_runs_under_it() {
    let sandbox = Sandbox::new();
    let under =
        |kilobytes: u32, more: &[&str]| under(&sandbox, kilobytes, &[&["--threads", "2"], more].concat());
    // More cores may have more threads.
    let more = 65_536 * std::thread::available_parallelism().map_or(2, usize::from).saturating_sub(2) as u32;
    for kilobytes in [850_000 + more, 1_100_000 + more] {
        let refused = under(kilobytes, &["--size", "192", "--set", "data.hold=memory"]);
        assert_eq!(refused.code, Some(1), "{}", refused.stderr);
        let (_, rest) = refused.stderr.split_once("are there: ").unwrap();
        let (line, _) = rest.split_once(" would fit").unwrap();
        let proposed: Vec<&str> = line.split(' ').collect();
        let size = if line.contains("--size") { vec![] } else { vec!["--size", "192"] };
        let fits = under(kilobytes, &[&proposed[..], &size, &["--set", "data.hold=memory"]].concat());
        assert_eq!(fits.code, Some(0), "{line}: {}", fits.stderr);
    }
}

/// A limit that the user has set is named as the reason, since the machine has more.
#[cfg(target_os = "linux")]
#[test]
fn a_limit_of_the_address_space_is_named_as_the_reason() {
    let sandbox = Sandbox::new();
    for (kilobytes, size) in [(500_000u32, "64"), (700_000, "96"), (2_000_000, "256")] {
        let ran = under(&sandbox, kilobytes, &["--size", size, "--threads", "1"]);
        assert_eq!(ran.code, Some(1), "{kilobytes}: {}{}", ran.stdout, ran.stderr);
        for words in [
            &format!("the limit of the address space (ulimit -v {kilobytes}), of which"),
            "leaves no more, and can be raised",
        ] {
            assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
        }
        assert!(!sandbox.path("runs").exists());
    }
}
