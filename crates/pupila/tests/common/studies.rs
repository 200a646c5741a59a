//! Studies of small networks over the sample photographs, by the library.

use super::skin;
use pupila::recipe::{Layers, Setting};
use pupila::study::{Definition, Place, Request, RunFacts, StudyBuilder, StudyObserver, StudyPlan};
use pupila::{RunFolder, StopSignal, Study};
use std::path::Path;
use std::sync::Mutex;

pub const SMALL: [&str; 6] = [
    "input.size=8",
    "model.hidden=[8]",
    "train.epochs=2",
    "tracking.tensorboard=false",
    "tracking.report=false",
    "tracking.system_every_s=0",
];

pub fn request(more: &[&str]) -> Request {
    let setting = |s: &&str| Setting { assignment: (*s).to_owned(), option: format!("--set {s}") };
    let settings = SMALL.iter().chain(more).map(setting).collect();
    Request { layers: Layers { file: None, settings, learnt: None }, ..Request::default() }
}

pub fn parse(text: &str) -> Definition {
    Definition::parse(Path::new("mine.toml"), text).unwrap()
}

pub fn plan(text: &str, request: &Request) -> StudyPlan {
    StudyPlan::new(&parse(text), request).unwrap()
}

pub fn builder(plan: StudyPlan, runs: &Path) -> StudyBuilder {
    Study::builder(plan, skin()).runs(runs).name("s").cache(None).threads(2)
}

pub const TWO: &str = "seeds = 2\n[crossed]\n\"model.dropout\" = [0.0, 0.3]\n";

/// Stops after so many runs, and remembers which ones were run.
pub struct StopAfter {
    pub stop: StopSignal,
    pub runs: usize,
    pub ended: Mutex<Vec<String>>,
}

impl StudyObserver for StopAfter {
    fn ended(&self, _place: Place, name: &str, _facts: &RunFacts) {
        let mut ended = self.ended.lock().unwrap();
        ended.push(name.to_owned());
        if ended.len() == self.runs {
            self.stop.set();
        }
    }
}

pub fn stop_after(runs: usize) -> StopAfter {
    StopAfter { stop: StopSignal::new(), runs, ended: Mutex::new(Vec::new()) }
}

pub fn models(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join(RunFolder::MODEL).exists())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
