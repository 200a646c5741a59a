//! A search: many trials over a space of recipes, and an honest score of the best.

mod honest;
mod interrupted;
mod page;
mod record;
mod trial;

pub(crate) use honest::FOLDER as AGAIN;
pub use honest::{Honest, Side};
pub use pupila_search::pruner::PRUNERS;
pub use pupila_search::sampler::SAMPLERS;
pub use pupila_search::{
    Choice, Direction, Distribution, Parameter, SearchErrors, SearchFault, Space, State, Trial, importance,
};
pub(crate) use record::{FILE, JOURNAL, JOURNAL_LOCK, LOCK, is_of_a_search, is_search};
pub(crate) use trial::is_run_name;

use crate::error::{Error, ErrorKind, Tried};
use crate::session::{Session, available_threads, canonical, plain_name};
use crate::shared_data::SharedData;
use crate::stop_signal::StopSignal;
use pupila_dataset::{Cache, Split};
use pupila_run::{RunFolder, RunFolderError};
use pupila_search::storage::{Storage, StorageError};
use pupila_search::{Pruner, Sampler};
use pupila_train::{CheckedRecipe, Layers, Monitor, Setting};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Trials where nobody says how many, and no minutes either.
pub const TRIALS: u64 = 50;

/// Seeds with which the best trials are trained again, where nobody says how many.
pub const SEEDS: usize = 5;

/// What is searched, and how.
pub struct SearchOptions {
    /// The recipe of all trials, and what was set for all of them.
    pub layers: Layers,
    /// What is tried.
    pub space: Space,
    /// The file that it is from, for messages and the record.
    pub space_file: PathBuf,
    /// The data.
    pub data: PathBuf,
    /// The folder in which the search's folder is made.
    pub runs: PathBuf,
    /// The name of its folder; `search-` and the data's name if left out. A search of that name is gone on with.
    pub name: Option<String>,
    /// The name of the study in the storage; that of the folder if left out.
    pub study: Option<String>,
    /// Where the trials are kept, as an address; a journal in the search's folder if left out.
    pub storage: Option<String>,
    /// So many trials end complete or pruned, those of earlier calls and of other workers among them. Those that somebody has put into the queue
    /// are run beyond that.
    pub trials: Option<u64>,
    /// No trial is begun after so many minutes.
    pub minutes: Option<f64>,
    /// Who chooses, one of [`SAMPLERS`].
    pub sampler: String,
    /// Who ends trials early, one of [`PRUNERS`].
    pub pruner: String,
    /// What the sampler's choices follow from.
    pub seed: u64,
    /// Seeds with which the best two are trained again; 0 for not.
    pub seeds: usize,
    /// Trials at a time; 1 if left out.
    pub jobs: Option<usize>,
    /// Threads of all of them together; all cores if left out.
    pub threads: Option<usize>,
    /// Where decoded images are kept on disk, if anywhere.
    pub cache: Option<Cache>,
    /// What may stop it.
    pub stop: StopSignal,
    /// Told how far the reading of images is.
    pub progress: Arc<dyn Fn(crate::Progress) + Send + Sync>,
    /// What was typed.
    pub arguments: Vec<String>,
}

impl std::fmt::Debug for SearchOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SearchOptions").field("data", &self.data).finish_non_exhaustive()
    }
}

/// Follows a search, from several threads.
pub trait SearchObserver: Sync {
    /// A trial begins, with what it tries.
    fn started(&self, trial: &Trial) {
        let _ = trial;
    }

    /// A trial has ended an epoch: its number, the epoch of how many, and the monitored value.
    fn epoch(&self, number: u64, epoch: u32, of: u32, value: f64) {
        let _ = (number, epoch, of, value);
    }

    /// A trial has ended; why it failed, if it did, and how long it took.
    fn ended(&self, trial: &Trial, why: Option<&str>, took: Duration) {
        let _ = (trial, why, took);
    }

    /// The best two are trained again, with so many seeds each.
    fn honest(&self, seeds: usize) {
        let _ = seeds;
    }

    /// Something is as it should be, and worth a sentence: a trial goes on where it was interrupted.
    fn note(&self, message: &str) {
        let _ = message;
    }

    /// Something that ends nothing went wrong.
    fn warning(&self, message: &str) {
        let _ = message;
    }
}

/// Nobody follows.
impl SearchObserver for () {}

/// A search that can be run: the recipe, the space and the data fit each other, and the storage answers.
pub struct Search {
    options: SearchOptions,
    base: CheckedRecipe,
    monitor: Monitor,
    direction: Direction,
    sampler: Box<dyn Sampler>,
    pruner: Box<dyn Pruner>,
    storage: Box<dyn Storage>,
    shared: Arc<SharedData>,
    folder: PathBuf,
    name: String,
    study: String,
    /// Whether the data have a test split.
    has_test: bool,
    /// What should be known before it starts.
    notes: Vec<String>,
    /// By which trials are known as run in this folder.
    worker: Option<String>,
    /// Says to other processes that somebody works in this folder.
    _lock: std::fs::File,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// What a search has found.
#[derive(Debug)]
pub struct SearchResult {
    /// All trials of the study.
    pub trials: Vec<Trial>,
    /// The number of the best complete one.
    pub best: Option<u64>,
    /// The parameters' importance, the largest first; why there is none.
    pub importance: Result<Vec<(String, f64)>, String>,
    /// The best two trained again; `None` where that was not done, and then why.
    pub honest: Result<Honest, String>,
    /// The recipe of the best trial, ready for `train`.
    pub recipe: Option<PathBuf>,
    /// The page.
    pub page: PathBuf,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// For programs.
    pub json: Value,
}

impl Search {
    /// A search: the recipe, every range of the space, the data and the storage checked, before any trial.
    ///
    /// # Errors
    /// All faults of the space at once; data that cannot be used; a storage that cannot be.
    pub fn open(options: SearchOptions) -> Result<Search, Error> {
        let base = options.layers.resolve()?;
        let space = &options.space;
        let place = &options.space_file;
        let check = space.check(place, |settings| {
            if let Some((key, _)) = settings.last() {
                if let Some(option) = set_by(&options.layers, key) {
                    return Err(format!(
                        "{option} gives {key} a value of its own: take it out there or here"
                    ));
                }
                if let Some(why) = refused(key) {
                    return Err(format!("{key} is no parameter of a search: {why}"));
                }
            }
            with(&options.layers, settings).resolve().map(|_| ()).map_err(|error| error.to_string())
        });
        check.map_err(Error::Search)?;
        let monitor = base.monitor();
        let direction = match monitor.direction {
            pupila_metrics::Direction::Higher => Direction::Maximize,
            pupila_metrics::Direction::Lower => Direction::Minimize,
        };
        let (Some(sampler), Some(pruner)) = (
            pupila_search::sampler::by_name(&options.sampler),
            pupila_search::pruner::by_name(&options.pruner, u64::from(base.train.epochs)),
        ) else {
            return Err(Error::request(format_args!(
                "no sampler `{}` or no pruner `{}`: samplers are {}; pruners are {}",
                options.sampler,
                options.pruner,
                SAMPLERS.join(", "),
                PRUNERS.join(", ")
            )));
        };
        let name = options.name.clone().unwrap_or_else(|| format!("search-{}", plain_name(&options.data)));
        let folder = options.runs.join(&name);
        let study = options.study.clone().unwrap_or_else(|| name.clone());
        match RunFolder::check_name(&options.runs, &name) {
            Err(RunFolderError::Exists(_)) if is_search(&folder) || crate::runs::is_free(&folder) => {}
            named => named?,
        }
        record::of_study(&folder, &study)?;
        let shared = SharedData::new(options.data.clone(), options.cache.clone());
        // What is wrong with the data is wrong for all trials.
        let first = Session::builder(base.clone(), &options.data)
            .shared(&shared)
            .threads(options.threads.unwrap_or_else(available_threads))
            .open()?;
        let has_test = !first.dataset().indices(Split::Test).is_empty();
        let mut notes = base.without_effect(first.dataset());
        notes.extend(first.seen_before_in_words());
        std::fs::create_dir_all(&folder).map_err(Error::io(Tried::MakeFolder, &folder))?;
        let lock = record::Lock::take(&folder)?;
        let own = || format!("journal:{}", folder.join(JOURNAL).display());
        let address = options.storage.clone().unwrap_or_else(own);
        let storage = pupila_search::storage::open(&address, &study, direction)?;
        space.check_trials(place, &storage.trials()?).map_err(Error::Search)?;
        record::same_study(storage.as_ref(), &study, &base, space, first.dataset())?;
        drop(first);
        // Nobody else works in this folder, so whatever runs in it by the storage was left by a process that is gone.
        let worker = lock.worker(&folder);
        if lock.is_alone {
            record::nothing_lost(&folder, storage.as_ref())?;
            interrupted::take_up_all(storage.as_ref(), options.storage.is_none(), worker.as_deref())?;
        }
        Ok(Search {
            worker,
            _lock: lock.shared()?,
            options,
            base,
            monitor,
            direction,
            sampler,
            pruner,
            storage,
            shared,
            folder,
            name,
            study,
            has_test,
            notes,
        })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name of the study in the storage.
    pub fn study(&self) -> &str {
        &self.study
    }

    /// Where the trials are kept.
    pub fn storage(&self) -> String {
        self.storage.address()
    }

    /// The metric that trials are judged by, such as `val/accuracy`.
    pub fn metric(&self) -> String {
        format!("val/{}", self.monitor.name)
    }

    /// Which values of it are better.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// The recipe of all trials.
    pub fn base(&self) -> &CheckedRecipe {
        &self.base
    }

    /// What should be known before it starts: keys that were set and change nothing, images that the weights to begin from were trained on.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What is tried.
    pub fn space(&self) -> &Space {
        &self.options.space
    }

    /// How many trials are to end, if that is said.
    pub fn wanted(&self) -> Option<u64> {
        match (self.options.trials, self.options.minutes) {
            (None, None) => Some(TRIALS),
            (trials, _) => trials,
        }
    }

    /// The trials known now.
    ///
    /// # Errors
    /// The storage cannot be read.
    pub fn trials(&self) -> Result<Vec<Trial>, Error> {
        Ok(self.storage.trials()?)
    }

    /// Runs trials until there are enough, trains the best two again, and writes what came out. Called again, or by other workers, it goes on.
    ///
    /// # Errors
    /// The folder or the storage cannot be written. A trial that fails ends nothing.
    pub fn run(&self, observer: &dyn SearchObserver) -> Result<SearchResult, Error> {
        record::begin(self)?;
        let stopped = trial::run_all(self, observer)?;
        let trials = self.storage.trials()?;
        let best = best(&trials, self.direction).map(|trial| trial.number);
        let importance = self.importance(&trials);
        let recipe = best.and_then(|number| trials.iter().find(|trial| trial.number == number));
        let recipe = recipe.map(|trial| record::write_recipe(self, trial)).transpose()?;
        // What was searched is written whatever becomes of this.
        let mut broken = None;
        let honest = match stopped {
            true => Err("the search was stopped".to_owned()),
            false => honest::again(self, &trials, observer).unwrap_or_else(|error| {
                let why = error.to_string();
                broken = Some(error);
                Err(why)
            }),
        };
        let stopped = stopped || self.options.stop.is_set();
        let mut result = SearchResult {
            best,
            importance,
            honest,
            recipe,
            page: self.folder.join(record::PAGE),
            stopped,
            json: Value::Null,
            trials,
        };
        result.json = record::json(self, &result);
        record::end(self, &result)?;
        record::send(self, &result, observer)?;
        if let Some(error) = broken.filter(|error| error.kind() != ErrorKind::Stopped) {
            return Err(error);
        }
        Ok(result)
    }

    fn importance(&self, trials: &[Trial]) -> Result<Vec<(String, f64)>, String> {
        importance::PedAnova::default()
            .evaluate(self.direction, trials, None)
            .map(|of| importance::normalised(&of))
            .map_err(|error| error.to_string())
    }

    /// The recipe of a trial.
    fn recipe(&self, trial: &Trial) -> Result<CheckedRecipe, Error> {
        Ok(with(&self.options.layers, &self.settings(trial)).resolve()?)
    }

    /// What a trial sets, in the order of the space.
    fn settings(&self, trial: &Trial) -> Vec<(String, toml::Value)> {
        let assignment = trial.params.iter().map(|(key, param)| (key.clone(), param.value)).collect();
        self.options.space.settings(&assignment)
    }

    /// Whether the metric is a share, shown as a percentage.
    pub fn is_share(&self) -> bool {
        pupila_metrics::metric(self.monitor.name).is_ok_and(|metric| metric.unit == "frac")
    }

    /// A value of the metric for people.
    pub fn shown(&self, value: f64) -> String {
        match self.is_share() {
            true => format!("{:.1} %", 100.0 * value),
            false => format!("{value:.4}"),
        }
    }

    /// When no trial is begun any more.
    fn deadline(&self) -> Option<Instant> {
        let minutes =
            self.options.minutes.and_then(|minutes| Duration::try_from_secs_f64(60.0 * minutes).ok());
        minutes.and_then(|minutes| Instant::now().checked_add(minutes))
    }

    fn data(&self) -> String {
        canonical(&self.options.data).to_string_lossy().into_owned()
    }
}

/// The best of the complete trials; of equal ones the first.
pub(crate) fn best(trials: &[Trial], direction: Direction) -> Option<&Trial> {
    ranked(trials, direction).first().copied()
}

/// The trials that failed by themselves: one that was interrupted, or whose process was killed, was put into the queue once more.
pub fn failed(trials: &[Trial]) -> impl Iterator<Item = &Trial> {
    let history = |trial: &Trial| trial.system_attributes.get("retry_history")?.as_array().cloned();
    let again: BTreeSet<u64> =
        trials.iter().filter_map(history).flatten().filter_map(|number| number.as_u64()).collect();
    trials.iter().filter(move |trial| trial.state == State::Fail && !again.contains(&trial.number))
}

/// The complete trials with a value, the best first.
fn ranked(trials: &[Trial], direction: Direction) -> Vec<&Trial> {
    let loss = |trial: &Trial| trial.value().map(|value| direction.loss(value)).filter(|loss| !loss.is_nan());
    let mut complete: Vec<(f64, &Trial)> = trials
        .iter()
        .filter(|trial| trial.state == State::Complete)
        .filter_map(|trial| Some((loss(trial)?, trial)))
        .collect();
    complete.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.number.cmp(&b.1.number)));
    complete.into_iter().map(|(_, trial)| trial).collect()
}

/// The layers with settings over them.
fn with(layers: &Layers, settings: &[(String, toml::Value)]) -> Layers {
    let mut layers = layers.clone();
    layers.settings.extend(settings.iter().map(|(key, value)| Setting {
        assignment: format!("{key}={value}"),
        option: format!("{key} = {value} of the space"),
    }));
    layers
}

/// The option that sets a key for all trials, as it was typed.
fn set_by<'a>(layers: &'a Layers, key: &str) -> Option<&'a str> {
    let sets = |setting: &&Setting| {
        let typed = setting.assignment.split_once('=').map_or("", |(key, _)| key.trim());
        pupila_train::key_meant(typed).unwrap_or_else(|| typed.to_owned()) == key
    };
    layers.settings.iter().find(sets).map(|setting| setting.option.as_str())
}

/// Why a key of the recipe cannot be a parameter: trials could not be compared, or it changes no result.
fn refused(key: &str) -> Option<&'static str> {
    /// Those of the data that change training alone.
    const TRAINING: [&str; 5] =
        ["data.normalize", "data.sampler", "data.fraction", "data.max_per_class", "data.leaks"];
    match key {
        "train.monitor" => Some("trials are compared by it"),
        "train.seed" => Some("the best seed is luck; the best two trials are trained again with several"),
        "input.show" => {
            Some("trials would be judged on other pictures; `pupila study controls` compares them")
        }
        "data.hold" | "data.cache" => Some("it changes no result"),
        key if key.starts_with("tracking.") => Some("it changes no result"),
        key if key.starts_with("data.") && !TRAINING.contains(&key) => {
            Some("trials would be judged on other images, or learn from other labels")
        }
        _ => None,
    }
}

/// A number with four digits that count.
pub fn short(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 || (1e-3..1e5).contains(&magnitude) {
        let digits = (3 - magnitude.max(1e-3).log10().floor() as i32).clamp(0, 6) as usize;
        let text = format!("{value:.digits$}");
        return if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        };
    }
    let text = format!("{value:.3e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'))
}

/// Values as JSON objects have them.
pub(crate) fn json_of(settings: &[(String, toml::Value)]) -> Map<String, Value> {
    let value = |value: &toml::Value| serde_json::to_value(value).unwrap_or(Value::Null);
    settings.iter().map(|(key, of)| (key.clone(), value(of))).collect()
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Error {
        Error::Storage(error)
    }
}
