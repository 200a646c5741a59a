//! Training beside MLflow servers that misbehave: it ends as well as ever, nothing is lost, and no secret gets out.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Ran, Sandbox, skin};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Seconds that are enough on any machine, as an end of a test that hangs. It is the longest wait that a recipe may ask for.
const FOREVER: &str = "3600";

/// How a fake server treats its requests.
#[derive(Clone, Copy)]
enum Manner {
    /// It works.
    Well,
    /// Every answer is 500.
    Fails,
    /// It takes requests and never answers, until whoever asks has hung up.
    Hangs,
    /// It works for so many requests; of the next it does what it says and hangs up without an answer, as of all later ones.
    Dies(usize),
    /// It refuses whoever asks.
    Refuses,
}

/// Metrics by (key, step, timestamp) with how often each came; files by place.
#[derive(Default)]
struct Store {
    metrics: HashMap<(String, i64, i64), usize>,
    files: HashMap<String, usize>,
    runs: usize,
    status: String,
}

#[derive(Clone)]
struct Fake {
    port: u16,
    store: Arc<Mutex<Store>>,
    manner: Arc<Mutex<Manner>>,
    served: Arc<AtomicUsize>,
    /// Of every connection so far.
    threads: Arc<Mutex<Vec<JoinHandle<Option<()>>>>>,
}

impl Fake {
    fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fake = Fake {
            port: listener.local_addr().unwrap().port(),
            store: Arc::default(),
            manner: Arc::new(Mutex::new(manner)),
            served: Arc::default(),
            threads: Arc::default(),
        };
        let server = fake.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let one = server.clone();
                let thread = std::thread::spawn(move || one.serve(stream.unwrap()));
                server.threads.lock().unwrap().push(thread);
            }
        });
        fake
    }

    fn uri(&self) -> String {
        format!("http://ana:hush-hush@127.0.0.1:{}", self.port)
    }

    /// Waits until all that programs which have ended have sent is dealt with: their last request may still be on its way.
    fn settle(&self) {
        // Connections are taken in their order: once this one is, so are all before it.
        let mut last = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        last.shutdown(Shutdown::Write).unwrap();
        assert_eq!(last.read(&mut [0]).unwrap(), 0);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap());
        for thread in threads {
            thread.join().unwrap();
        }
    }

    fn set(&self, manner: Manner) {
        self.served.store(0, Ordering::SeqCst);
        *self.manner.lock().unwrap() = manner;
    }

    /// Answers the requests of one connection. An error is a client that has gone.
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let (method, path) = line.split_once(' ')?;
            let path = path.split(' ').next()?.to_owned();
            let (mut length, mut chunked, mut signed) = (0, false, false);
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).ok()?;
                let lower = header.trim().to_lowercase();
                if lower.is_empty() {
                    break;
                }
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().ok()?;
                }
                chunked |= lower == "transfer-encoding: chunked";
                // printf 'ana:hush-hush' | base64
                signed |= header.trim() == "authorization: Basic YW5hOmh1c2gtaHVzaA==";
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            while chunked {
                let mut size = String::new();
                reader.read_line(&mut size).ok()?;
                let size = usize::from_str_radix(size.trim(), 16).ok()?;
                let mut chunk = vec![0; size + 2];
                reader.read_exact(&mut chunk).ok()?;
                body.extend_from_slice(&chunk[..size]);
                chunked = size > 0;
            }
            let served = self.served.fetch_add(1, Ordering::SeqCst);
            let manner = *self.manner.lock().unwrap();
            let (status, answer) = match manner {
                Manner::Fails => (500, json!({"error_code": "INTERNAL_ERROR", "message": "boom hush-hush"})),
                Manner::Refuses => (401, json!({"message": "who are you? YW5hOmh1c2gtaHVzaA=="})),
                Manner::Hangs => {
                    let _ = reader.read(&mut [0]);
                    return None;
                }
                _ if !signed => (401, json!({"message": "no credentials"})),
                Manner::Well => self.answer(method, &path, &body),
                Manner::Dies(after) if served < after => self.answer(method, &path, &body),
                Manner::Dies(after) => {
                    if served == after {
                        self.answer(method, &path, &body);
                    }
                    return None;
                }
            };
            let answer = answer.to_string();
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", answer.len());
            stream.write_all(format!("{head}{answer}").as_bytes()).ok()?;
        }
    }

    fn answer(&self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let mut store = self.store.lock().unwrap();
        let json: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let path = path.strip_prefix("/api/2.0/").unwrap();
        let (place, query) = path.split_once('?').unwrap_or((path, ""));
        let run =
            json!({"info": {"run_id": "r1", "experiment_id": "7", "artifact_uri": "mlflow-artifacts:/7/r1"}});
        let ok = |value: Value| (200, value);
        if let Some(file) = place.strip_prefix("mlflow-artifacts/artifacts/") {
            assert_eq!(method, "PUT");
            store.files.insert(file.to_owned(), body.len());
            return ok(json!({}));
        }
        match place.strip_prefix("mlflow/").unwrap() {
            "experiments/get-by-name" => ok(json!({"experiment": {"experiment_id": "7"}})),
            "runs/search" if store.runs > 0 => ok(json!({"runs": [run]})),
            "runs/create" => {
                store.runs += 1;
                ok(json!({"run": run}))
            }
            "runs/get" => ok(json!({"run": run})),
            "runs/update" => {
                store.status = json["status"].as_str().unwrap().to_owned();
                ok(json!({}))
            }
            "runs/log-batch" => {
                let metrics = json["metrics"].as_array().cloned().unwrap_or_default();
                assert!(metrics.len() <= 1000 && body.len() < 1_000_000);
                for metric in metrics {
                    let key = metric["key"].as_str().unwrap().to_owned();
                    let at = (metric["step"].as_i64().unwrap(), metric["timestamp"].as_i64().unwrap());
                    *store.metrics.entry((key, at.0, at.1)).or_default() += 1;
                }
                ok(json!({}))
            }
            "metrics/get-history" => {
                let key = query.split('&').find_map(|part| part.strip_prefix("metric_key=")).unwrap();
                let key = key.replace("%2F", "/");
                let of = store.metrics.keys().filter(|(name, ..)| *name == key);
                let history: Vec<_> =
                    of.map(|(_, step, at)| json!({"step": step, "timestamp": at})).collect();
                ok(json!({"metrics": history}))
            }
            // A server of MLflow 2: no logged models.
            "logged-models/search" => (404, json!({})),
            _ => ok(json!({})),
        }
    }

    /// Every number of `metrics.jsonl` came exactly once, and every file.
    fn assert_complete(&self, sandbox: &Sandbox, name: &str) {
        let store = self.store.lock().unwrap();
        let mut expected = 0;
        for line in sandbox.read(&format!("runs/{name}/metrics.jsonl")).lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            for key in line["values"].as_object().into_iter().flat_map(|values| values.keys()) {
                let step = match line["event"].as_str().unwrap() {
                    "system" => line["sample"].as_i64().unwrap(),
                    "result" => 0,
                    _ => line["step"].as_i64().unwrap(),
                };
                let at = (line["time"].as_f64().unwrap() * 1000.0) as i64;
                assert_eq!(store.metrics.get(&(key.clone(), step, at)), Some(&1), "{key} at {step}");
                expected += 1;
            }
        }
        assert!(expected > 20);
        assert_eq!((store.metrics.len(), store.runs, store.status.as_str()), (expected, 1, "FINISHED"));
        let model = std::fs::metadata(sandbox.path(&format!("runs/{name}/best.safetensors"))).unwrap().len();
        assert_eq!(store.files.get("7/r1/model/best.safetensors"), Some(&(model as usize)));
        assert!(store.files.contains_key("7/r1/summary.json"));
    }
}

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
    fake.assert_complete(sandbox, name);
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
    fake.assert_complete(&sandbox, "run");
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
    fake.assert_complete(&sandbox, "run");
    assert_no_secret(&sandbox, &ran);
}
