//! Training beside MLflow servers that misbehave: it ends as well as ever, nothing is lost, and no secret gets out.
#![allow(clippy::unwrap_used)]

mod common;
mod fake_mlflow;

use common::{Ran, Sandbox, skin};
use fake_mlflow::{FOREVER, Fake, Manner};

/// A run that is well whatever the server does.
fn train(sandbox: &Sandbox, name: &str, uri: &str, more: &[&str]) -> Ran {
    let more = [&["--mlflow", uri], more].concat();
    let ran = sandbox.train(&skin(), name, &more);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.json()["val"]["loss"].is_number());
    assert_no_secret(sandbox, &ran);
    ran
}

/// Neither what was said nor any file holds the password, plain or encoded.
fn assert_no_secret(sandbox: &Sandbox, ran: &Ran) {
    let secrets = ["hush-hush", "YW5hOmh1c2gtaHVzaA"];
    for secret in secrets {
        assert!(
            !ran.stdout.contains(secret) && !ran.stderr.contains(secret),
            "{} {}",
            ran.stdout,
            ran.stderr
        );
    }
    let (mut folders, mut files) = (vec![sandbox.path("runs")], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            for secret in secrets {
                assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "{}", path.display());
            }
            files += 1;
        }
    }
    assert!(files >= 8, "{files}");
}

/// The server has the one run of this name, whole.
fn assert_complete(fake: &Fake, sandbox: &Sandbox, name: &str) {
    let numbers = fake.assert_has(&sandbox.path(&format!("runs/{name}")), "r1");
    assert!(numbers > 20);
    let store = fake.store.lock().unwrap();
    assert_eq!((store.metrics.len(), store.runs.len()), (numbers, 1));
    assert_eq!(store.runs[0].status, "FINISHED");
    assert!(store.files.contains_key("7/r1/summary.json"));
}

fn sync(sandbox: &Sandbox, name: &str, uri: &str, wait: &str) -> Ran {
    let ran = sandbox.run(&["sync", &format!("runs/{name}"), "--mlflow", uri, "--wait", wait]);
    assert_no_secret(sandbox, &ran);
    ran
}

/// The server has become well again: all that is missing is sent.
fn assert_the_rest_is_sent(sandbox: &Sandbox, name: &str, fake: &Fake) {
    fake.settle();
    fake.set(Manner::Well);
    let sent = sync(sandbox, name, &fake.uri(), FOREVER);
    assert_eq!(sent.code, Some(0), "{name}: {}", sent.stderr);
    assert_complete(fake, sandbox, name);
}

#[test]
fn a_server_that_works_has_everything_when_training_ends() {
    let (sandbox, fake) = (Sandbox::new(), Fake::start(Manner::Well));
    let wait = format!("tracking.wait_s={FOREVER}");
    let ran = train(&sandbox, "run", &fake.uri(), &["--set", &wait, "--verbose"]);
    assert!(ran.stderr.contains("has the whole run, as r1"), "{}", ran.stderr);
    // What MLflow 2 lacks is said once and nothing that would have to be sent.
    assert_eq!(ran.stderr.matches("has no logged models").count(), 1, "{}", ran.stderr);
    assert!(!ran.stderr.contains("not sent"), "{}", ran.stderr);
    assert_complete(&fake, &sandbox, "run");
    assert!(sandbox.read("runs/run/recipe.toml").contains("mlflow = \"http://***@127.0.0.1"));
}

/// Without patience, so that no clock decides what comes of it. How patience runs out is tested where the waiting is done.
#[test]
fn bad_servers_end_no_run_and_hold_none_up_and_sync_sends_the_rest() {
    for (name, manner) in [
        ("fails", Manner::Fails),
        ("hangs", Manner::Hangs),
        ("refuses", Manner::Refuses),
        ("dies", Manner::Dies(6)),
    ] {
        let (sandbox, fake) = (Sandbox::new(), Fake::start(manner));
        let ran = train(&sandbox, name, &fake.uri(), &["--set", "tracking.wait_s=0"]);
        fake.settle();
        let uri = format!("http://127.0.0.1:{}", fake.port);
        for told in [
            format!("not all of the run was sent to {uri}"),
            format!("pupila sync runs/{name} --mlflow {uri}"),
        ] {
            assert!(ran.stderr.contains(&told), "{name}: {}", ran.stderr);
        }
        // A server that hangs would cost a request's whole time once more.
        assert!(name == "hangs" || sync(&sandbox, name, &fake.uri(), "0").code == Some(1), "{name}");
        assert_the_rest_is_sent(&sandbox, name, &fake);
    }
}

#[test]
fn where_no_server_is_that_is_said_and_nothing_is_lost() {
    let sandbox = Sandbox::new();
    // A port that nobody else can be given meanwhile.
    let nobody = "http://ana:hush-hush@127.0.0.1:1";
    let ran = train(&sandbox, "down", nobody, &["--set", "tracking.wait_s=0"]);
    assert!(ran.stderr.contains("not all of the run was sent to http://127.0.0.1:1"), "{}", ran.stderr);
    let ran = sync(&sandbox, "down", nobody, "0");
    assert!(ran.code == Some(1) && ran.stderr.contains("does not answer"), "{}", ran.stderr);
    assert_the_rest_is_sent(&sandbox, "down", &Fake::start(Manner::Well));
}

/// Wherever the server hangs up, having done what was asked or not, each metric arrives once and there is one run.
#[test]
fn a_connection_lost_at_any_request_doubles_nothing() {
    let sandbox = Sandbox::new();
    let ran = sandbox.train(&skin(), "run", &["--set", "tracking.steps_every=1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for dies_at in 0..16 {
        let fake = Fake::start(Manner::Dies(dies_at));
        let broken = sync(&sandbox, "run", &fake.uri(), "0");
        assert_eq!(broken.code, Some(1), "{dies_at}: {}", broken.stdout);
        assert_the_rest_is_sent(&sandbox, "run", &fake);
    }
}

#[test]
fn what_is_no_server_is_told_at_once_and_the_environment_is_used() {
    let sandbox = Sandbox::new();
    let data = skin();
    let data = data.to_str().unwrap();
    let ran =
        sandbox.run(&["train", data, "--mlflow", "mysql://ana:hush-hush@h/db", "--set", "tracking.alias=x"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    for expected in
        ["tracking.mlflow must be the address of an MLflow server", "tracking.alias needs tracking.register"]
    {
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("hush"), "{}", ran.stderr);
    // A variable for other programs doesn't keep anyone from training.
    let arguments = ["train", data, "--name", "run", "--epochs", "1", "--size", "8"];
    let mut command = sandbox.command(&arguments);
    let ran = Ran::from(command.env("MLFLOW_TRACKING_URI", "sqlite:///x.db").output().unwrap());
    assert!(ran.code == Some(0) && ran.stdout.contains("nothing is sent"), "{}", ran.stdout);
    let fake = Fake::start(Manner::Well);
    let mut command = sandbox.command(&["sync", "runs/run", "--wait", FOREVER]);
    let plain = format!("http://127.0.0.1:{}", fake.port);
    command.env("MLFLOW_TRACKING_URI", plain).env("MLFLOW_TRACKING_USERNAME", "ana");
    let ran = Ran::from(command.env("MLFLOW_TRACKING_PASSWORD", "hush-hush").output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_complete(&fake, &sandbox, "run");
    assert_no_secret(&sandbox, &ran);
}

#[test]
fn a_run_that_was_killed_and_goes_on_is_one_run() {
    let (sandbox, fake) = (Sandbox::new(), Fake::start(Manner::Well));
    let (data, uri, wait) = (skin(), fake.uri(), format!("tracking.wait_s={FOREVER}"));
    let arguments = [
        "train",
        data.to_str().unwrap(),
        "--name",
        "run",
        "--epochs",
        "4",
        "--size",
        "16",
        "--mlflow",
        &uri,
        "--set",
        &wait,
        "--set",
        "checkpoint.steps=5",
        "--set",
        "tracking.steps_every=1",
    ];
    let killed = sandbox.command(&arguments).env("PUPILA_TEST_FAULT", "abort@step:22").output().unwrap();
    assert_eq!(killed.status.code(), None);
    // All that was recorded is there, also what is behind the last checkpoint.
    sync(&sandbox, "run", &uri, FOREVER);
    let recorded = sandbox.read("runs/run/metrics.jsonl").lines().count();
    assert_eq!(fake.store.lock().unwrap().runs[0].status, "RUNNING");
    // User and password are nowhere in the folder.
    let setting = format!("tracking.mlflow={uri}");
    let resumed = sandbox.run(&["resume", "runs/run", "--set", &setting]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert!(resumed.stdout.contains("has the whole run, as r1"), "{} {}", resumed.stdout, resumed.stderr);
    assert!(sandbox.read("runs/run/metrics.jsonl").lines().count() > recorded);
    let store = fake.store.lock().unwrap();
    assert_eq!((store.runs.len(), store.runs[0].status.as_str()), (1, "FINISHED"));
    let mut steps: Vec<(&str, i64)> =
        store.metrics.keys().map(|(_, key, step, _)| (key.as_str(), *step)).collect();
    steps.sort_unstable();
    let all = steps.len();
    steps.dedup();
    assert_eq!(steps.len(), all, "each step once");
    for (key, expected) in [("step/loss", (1..=32).collect::<Vec<i64>>()), ("val/loss", vec![8, 16, 24, 32])]
    {
        let found: Vec<i64> = steps.iter().filter(|(k, _)| *k == key).map(|(_, step)| *step).collect();
        assert_eq!(found, expected, "{key}");
    }
}
