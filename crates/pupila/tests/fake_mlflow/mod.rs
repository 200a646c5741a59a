//! An MLflow server in the test's own process, of MLflow 2's answers, that misbehaves on request.
#![allow(clippy::unwrap_used, dead_code)]

use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Seconds that are enough on any machine, as an end of a test that hangs. It is the longest wait that a recipe may ask for.
pub const FOREVER: &str = "3600";

/// How a fake server treats its requests.
#[derive(Clone, Copy)]
pub enum Manner {
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

/// A run on the server.
#[derive(Default)]
pub struct FakeRun {
    pub name: String,
    pub status: String,
    pub tags: BTreeMap<String, String>,
    pub params: BTreeMap<String, String>,
    /// In the server's trash: its pages do not show it.
    pub is_deleted: bool,
}

/// Runs, of which the first is r1; metrics by (run, key, step, timestamp) with how often each came; files by place.
#[derive(Default)]
pub struct Store {
    pub metrics: HashMap<(String, String, i64, i64), usize>,
    pub files: HashMap<String, usize>,
    pub runs: Vec<FakeRun>,
    /// How often logged models were asked for, which this server does not have.
    pub logged_models: usize,
}

impl Store {
    /// The ids and the runs whose name is this, without deleted ones.
    pub fn named(&self, name: &str) -> Vec<(String, &FakeRun)> {
        let runs = self.runs.iter().enumerate().filter(|(_, run)| run.name == name && !run.is_deleted);
        runs.map(|(place, run)| (format!("r{}", place + 1), run)).collect()
    }

    fn run(&mut self, id: &Value) -> &mut FakeRun {
        let place: usize = id.as_str().unwrap().strip_prefix('r').unwrap().parse().unwrap();
        &mut self.runs[place - 1]
    }
}

fn described(id: &str) -> Value {
    let artifacts = format!("mlflow-artifacts:/7/{id}");
    json!({"info": {"run_id": id, "experiment_id": "7", "artifact_uri": artifacts}})
}

fn tag(run: &mut FakeRun, tag: &Value) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    run.tags.insert(text(&tag["key"]), text(&tag["value"]));
}

#[derive(Clone)]
pub struct Fake {
    pub port: u16,
    pub store: Arc<Mutex<Store>>,
    manner: Arc<Mutex<Manner>>,
    served: Arc<AtomicUsize>,
    /// Of every connection so far.
    threads: Arc<Mutex<Vec<JoinHandle<Option<()>>>>>,
}

impl Fake {
    pub fn start(manner: Manner) -> Self {
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

    pub fn uri(&self) -> String {
        format!("http://ana:hush-hush@127.0.0.1:{}", self.port)
    }

    /// Waits until all that programs which have ended have sent is dealt with: their last request may still be on its way.
    pub fn settle(&self) {
        // Connections are taken in their order: once this one is, so are all before it.
        let mut last = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        last.shutdown(Shutdown::Write).unwrap();
        assert_eq!(last.read(&mut [0]).unwrap(), 0);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap());
        for thread in threads {
            thread.join().unwrap();
        }
    }

    pub fn set(&self, manner: Manner) {
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
        let ok = |value: Value| (200, value);
        if let Some(file) = place.strip_prefix("mlflow-artifacts/artifacts/") {
            assert_eq!(method, "PUT");
            store.files.insert(file.to_owned(), body.len());
            return ok(json!({}));
        }
        match place.strip_prefix("mlflow/").unwrap() {
            "experiments/get-by-name" => ok(json!({"experiment": {"experiment_id": "7"}})),
            "runs/search" => {
                let filter = json["filter"].as_str().unwrap();
                let mark = filter.strip_prefix("tags.`pupila.mark` = '").unwrap().strip_suffix('\'').unwrap();
                let found = store.runs.iter().position(|run| run.tags["pupila.mark"] == mark);
                let found = found.map(|place| described(&format!("r{}", place + 1)));
                ok(json!({ "runs": found.into_iter().collect::<Vec<_>>() }))
            }
            "runs/create" => {
                let name = json["run_name"].as_str().unwrap().to_owned();
                let mut run = FakeRun { name, status: "RUNNING".into(), ..FakeRun::default() };
                json["tags"].as_array().unwrap().iter().for_each(|of| tag(&mut run, of));
                store.runs.push(run);
                ok(json!({ "run": described(&format!("r{}", store.runs.len())) }))
            }
            "runs/get" => ok(json!({ "run": described(query.strip_prefix("run_id=").unwrap()) })),
            "runs/delete" => {
                store.run(&json["run_id"]).is_deleted = true;
                ok(json!({}))
            }
            "runs/update" => {
                store.run(&json["run_id"]).status = json["status"].as_str().unwrap().to_owned();
                ok(json!({}))
            }
            "runs/set-tag" => {
                tag(store.run(&json["run_id"]), &json);
                ok(json!({}))
            }
            "runs/log-batch" => {
                let metrics = json["metrics"].as_array().cloned().unwrap_or_default();
                assert!(metrics.len() <= 1000 && body.len() < 1_000_000);
                let run_id = json["run_id"].as_str().unwrap();
                let run = store.run(&json["run_id"]);
                json["tags"].as_array().into_iter().flatten().for_each(|of| tag(run, of));
                for param in json["params"].as_array().into_iter().flatten() {
                    let text = |name: &str| param[name].as_str().unwrap().to_owned();
                    run.params.insert(text("key"), text("value"));
                }
                for metric in metrics {
                    let key = metric["key"].as_str().unwrap().to_owned();
                    let at = (metric["step"].as_i64().unwrap(), metric["timestamp"].as_i64().unwrap());
                    *store.metrics.entry((run_id.to_owned(), key, at.0, at.1)).or_default() += 1;
                }
                ok(json!({}))
            }
            "metrics/get-history" => {
                let part = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)).unwrap();
                let (run_id, key) = (part("run_id="), part("metric_key=").replace("%2F", "/"));
                let of = store.metrics.keys().filter(|(run, name, ..)| run == run_id && *name == key);
                let history: Vec<_> =
                    of.map(|(_, _, step, at)| json!({"step": step, "timestamp": at})).collect();
                ok(json!({"metrics": history}))
            }
            // A server of MLflow 2: no logged models.
            "logged-models/search" => {
                store.logged_models += 1;
                (404, json!({}))
            }
            _ => ok(json!({})),
        }
    }

    /// Every number of a folder's `metrics.jsonl` came exactly once to this run, and its model. How many numbers.
    pub fn assert_has(&self, folder: &Path, run_id: &str) -> usize {
        let store = self.store.lock().unwrap();
        let mut expected = 0;
        for line in std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            for key in line["values"].as_object().into_iter().flat_map(|values| values.keys()) {
                let step = match line["event"].as_str().unwrap() {
                    "system" => line["sample"].as_i64().unwrap(),
                    "result" => 0,
                    _ => line["step"].as_i64().unwrap(),
                };
                let at = (line["time"].as_f64().unwrap() * 1000.0) as i64;
                let came = store.metrics.get(&(run_id.to_owned(), key.clone(), step, at));
                assert_eq!(came, Some(&1), "{key} at {step}");
                expected += 1;
            }
            if line["event"] == "model" {
                let path = line["path"].as_str().unwrap();
                let model = std::fs::metadata(folder.join(path)).unwrap().len() as usize;
                assert_eq!(store.files.get(&format!("7/{run_id}/model/{path}")), Some(&model));
            }
        }
        let of_run = store.metrics.keys().filter(|(run, ..)| run == run_id).count();
        assert_eq!(of_run, expected, "and nothing else came to {run_id}");
        expected
    }
}
