//! A study: many sessions over one data set as one piece of work.
//!
//! A study's folder holds ordinary run folders, `study.json`, and what the runs say: `study.html` and `results.csv`. The run folders are
//! the truth: what has ended is never run again, whatever happened to the process.

mod adopt;
mod builder;
mod checks;
mod claims;
mod collect;
mod extend;
mod file_facts;
mod page;
mod record;
mod results;
mod runner;

pub(crate) use claims::ENDING as CLAIM;
pub(crate) use runner::has_ended;

pub use builder::StudyBuilder;
pub use pupila_study::{
    Analysis, Compared as ComparedVariant, Definition, Outcome as RunOutcome, Place, Plan as StudyPlan,
    Request, RunFacts, StudyErrors, StudyFault, VariantAnalysis, Verdict, definition, words::Words,
};

use crate::error::{Error, Tried};
use crate::session::OnProgress;
use crate::shared_data::SharedData;
use crate::stop_signal::StopSignal;
use pupila_dataset::Dataset;
use pupila_engine::thread_pool;
use pupila_run::{Group, RunFolder, StudyFile};
use pupila_study::{Controls, Facts, analyse, controls, results as study_results, words};
use serde_json::{Map, Value};
use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The file that the first of the processes that run the study has locked; when it ends, another one of them has it.
pub(crate) const LOCK: &str = "study.lock";

/// How often, and with which pauses, a lock is tried that may be somebody's look alone, or held by a process that has not yet said what it runs.
const LOCK_TRIES: u32 = 20;
const LOCK_TRIES_AT_BEGIN: u32 = 3000;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// The studies that are built in.
pub fn built_in() -> &'static [pupila_study::built_in::BuiltIn] {
    pupila_study::built_in::ALL
}

/// Which models a study keeps on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// All.
    All,
    /// Of each variant that of the best run.
    #[default]
    Best,
    /// None.
    None,
}

impl Keep {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Keep::All => "all",
            Keep::Best => "best",
            Keep::None => "none",
        }
    }

    /// The one of a name.
    pub fn parse(name: &str) -> Option<Keep> {
        [Keep::All, Keep::Best, Keep::None].into_iter().find(|keep| keep.name() == name)
    }
}

/// Whoever watches a study. Methods are called from the threads of the runs.
pub trait StudyObserver: Sync {
    /// A run begins.
    fn started(&self, place: Place, name: &str) {
        let _ = (place, name);
    }

    /// An epoch of a run has ended; `of` is how many the recipe has.
    fn epoch(&self, place: Place, epoch: u32, of: u32) {
        let _ = (place, epoch, of);
    }

    /// A run has come out.
    fn ended(&self, place: Place, name: &str, facts: &RunFacts) {
        let _ = (place, name, facts);
    }

    /// Something worth knowing, such as that a server has the whole study.
    fn note(&self, message: &str) {
        let _ = message;
    }

    /// Something went wrong that ends nothing.
    fn warning(&self, message: &str) {
        let _ = message;
    }
}

/// Nobody watches.
impl StudyObserver for () {}

/// What a study will take, known before it starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Runs in all.
    pub runs: usize,
    /// Of these, that have ended before.
    pub done: usize,
    /// Runs at a time.
    pub jobs: usize,
    /// Threads of each.
    pub threads_each: usize,
    /// What the folder will take on disk once all runs have ended, in bytes; about.
    pub disk_bytes: u64,
    /// What models of runs that are not kept take besides while runs are under way, in bytes; about.
    pub running_bytes: u64,
    /// The share of studies in which a difference of one, two and three standard deviations between seeds is found.
    pub power: [f64; 3],
}

/// A study, checked, that can be run.
pub struct Study {
    plan: StudyPlan,
    folder: PathBuf,
    file: StudyFile,
    /// The study's file as it was when this was opened.
    before: Option<StudyFile>,
    data: PathBuf,
    shared: Arc<SharedData>,
    threads: usize,
    jobs: usize,
    keep: Keep,
    stop: StopSignal,
    progress: OnProgress,
    arguments: Vec<String>,
    forecast: Forecast,
    leaked: usize,
    notes: Vec<String>,
    /// Validation images of the first split.
    images: usize,
    /// Training images of the baseline.
    train_images: usize,
    /// The accuracy of always answering the most frequent class.
    without_learning: f64,
    /// The classes, each with its training images.
    classes: Vec<(String, usize)>,
    /// The runs that have ended before or may be begun, in the plan's order.
    places: Vec<Place>,
    /// For each of them, whether it has ended before.
    done: Vec<bool>,
    /// Held from the first run on, as long as the study is: by one process, which writes what the study says.
    lock: Mutex<Option<File>>,
    /// Whether another process had it then, and this one makes runs beside it.
    has_joined: bool,
    /// Runs that a limit of runs leaves out.
    left_out: usize,
}

impl fmt::Debug for Study {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Study")
            .field("folder", &self.folder)
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

/// What a study has found.
#[derive(Debug)]
pub struct StudyResult {
    /// The analysis.
    pub analysis: Analysis,
    /// The answer in sentences, the first one leading.
    pub answer: Vec<String>,
    /// The rows of a table, with a head.
    pub rows: Vec<[String; 6]>,
    /// The same for programs.
    pub json: Value,
    /// Runs that are not there.
    pub missing: usize,
    /// Why runs are missing, if they are.
    pub because: Option<Unfinished>,
}

/// Why a study ended before its last run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// It was stopped.
    Stopped,
    /// Its minutes are over.
    Minutes,
}

/// A study's file without what came out.
fn asked(file: &StudyFile) -> StudyFile {
    StudyFile { result: None, failures: Map::new(), ..file.clone() }
}

/// The runs of each variant, as the JSON of a result has them.
fn runs_of(result: &Value) -> Vec<Value> {
    let variants = result["variants"].as_array();
    variants.into_iter().flatten().map(|variant| variant["runs"].clone()).collect()
}

impl Study {
    /// A study of a plan over the data of a path.
    pub fn builder(plan: StudyPlan, data: impl Into<PathBuf>) -> StudyBuilder {
        StudyBuilder::new(plan, data.into())
    }

    /// What is run.
    pub fn plan(&self) -> &StudyPlan {
        &self.plan
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The data as the baseline has them scanned.
    ///
    /// # Errors
    /// They cannot be read any more.
    pub fn dataset(&self) -> Result<Arc<Dataset>, Error> {
        let place = Place { variant: self.plan.baseline, split: 0, seed: 0 };
        let recipe = self.plan.recipe(place)?;
        Ok(self.shared.scan(&recipe)?.0)
    }

    /// Which models are kept.
    pub fn keep(&self) -> Keep {
        self.keep
    }

    /// What it will take.
    pub fn forecast(&self) -> Forecast {
        self.forecast
    }

    /// What should be known before it starts.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Runs of the plan that a limit of runs leaves out.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Whether the folder is this process's to write: it is locked.
    fn can_write(&self) -> bool {
        self.held().is_some()
    }

    fn held(&self) -> MutexGuard<'_, Option<File>> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process makes runs.
    fn can_run(&self) -> bool {
        self.has_joined || self.can_write()
    }

    /// [`Study::lock_folder`]. A folder that cannot be written is looked at without, where all runs have ended and nothing is to be kept from
    /// others; that is told.
    fn lock_or_look(&mut self, observer: &dyn StudyObserver) -> Result<(), Error> {
        let refused = match self.lock_folder() {
            Err(error @ Error::Io { .. }) if self.before.is_some() && self.left().is_empty() => error,
            done => return done,
        };
        *self.held() = None;
        observer.warning(&format!(
            "{refused}: all runs have ended, so what they say is told; {}, {} and {} are not written anew",
            StudyFile::NAME,
            StudyFile::PAGE,
            StudyFile::RESULTS
        ));
        Ok(())
    }

    /// Makes the folder, and has it until this process ends, however it ends; or joins the process that has it and runs the same study.
    fn lock_folder(&mut self) -> Result<(), Error> {
        if self.can_write() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder).map_err(Error::io(Tried::MakeFolder, &self.folder))?;
        let path = self.folder.join(LOCK);
        let file = File::create(&path).map_err(Error::io(Tried::Write, &path))?;
        // Whoever lists the study locks it for a moment, to see whether it is running.
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    let limit = match self.is_begun_by_another()? {
                        Some(true) => {
                            self.has_joined = true;
                            return Ok(());
                        }
                        Some(false) => LOCK_TRIES,
                        None => LOCK_TRIES_AT_BEGIN,
                    };
                    if tries < limit {
                        tries += 1;
                        std::thread::sleep(LOCK_PAUSE);
                        continue;
                    }
                    return Err(Error::request(format_args!(
                        "another process is running the study {} with other variants, seeds or settings: give the same command as there to \
                         make runs beside it, wait for it, or choose another --name",
                        self.folder.display()
                    )));
                }
                // A file system without locks: two processes at once are the user's own care there.
                Err(TryLockError::Error(_)) => break,
            }
        }
        let there = StudyFile::read(&self.folder)?;
        if there != self.before {
            let Some(there) = there.filter(|there| asked(there) == asked(&self.file)) else {
                return Err(Error::request(format_args!(
                    "another process has changed the study {} meanwhile: give the same command again",
                    self.folder.display()
                )));
            };
            // Another worker was here since this was opened: what it has written stays.
            (self.file.result, self.file.failures) = (there.result, there.failures);
        }
        *self.held() = Some(file);
        self.file.write(&self.folder).map_err(Error::io(Tried::Write, StudyFile::path(&self.folder)))?;
        self.before = StudyFile::read(&self.folder)?;
        Ok(())
    }

    /// Whether the study that was begun in the folder is this very one: what is asked is the same, whatever came out so far. None where none was
    /// begun yet, or trackers were not told of it.
    fn is_begun_by_another(&self) -> Result<Option<bool>, Error> {
        let Some(there) = StudyFile::read(&self.folder)? else { return Ok(None) };
        let is_same = asked(&there) == asked(&self.file);
        if is_same && RunFolder::open(&self.folder)?.start()?.is_none() {
            return Ok(None);
        }
        Ok(Some(is_same))
    }

    /// Has the folder from now on, where the process that had it is gone.
    fn take_over(&self) {
        let mut held = self.held();
        if held.is_none()
            && let Ok(file) = File::create(self.folder.join(LOCK))
            && file.try_lock().is_ok()
        {
            *held = Some(file);
        }
    }

    /// Whether what came out is this process's to write. Where another has the folder, it is that one's: it is waited for until it has written
    /// what the same runs say, or is gone. Not where runs are missing here (`is_whole`).
    fn is_to_write(&self, json: &Value, is_whole: bool) -> Result<bool, Error> {
        if !self.has_joined {
            return Ok(self.can_write());
        }
        // As a reader of the file has the numbers.
        let own = serde_json::from_str(&json.to_string()).ok().map(|json| runs_of(&json));
        loop {
            self.take_over();
            let there = StudyFile::read(&self.folder)?.and_then(|file| file.result);
            if there.is_some_and(|there| Some(runs_of(&there)) == own) {
                return Ok(false);
            }
            if self.can_write() || !is_whole || self.stop.is_set() {
                return Ok(self.can_write());
            }
            std::thread::sleep(runner::POLL);
        }
    }

    /// How a run belongs to the study, for trackers.
    fn group(&self, place: Place) -> Group {
        Group {
            folder: "..".to_owned(),
            name: self.plan.name.clone(),
            member: self.plan.variants[place.variant].name.clone(),
            varied: self.plan.shown_keys(),
        }
    }

    /// The runs that have ended before or may be begun, in the order in which they are.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The runs that had not ended when this study was opened.
    pub fn left(&self) -> Vec<Place> {
        let all = self.places.iter().zip(&self.done);
        all.filter(|(_, done)| !**done).map(|(&place, _)| place).collect()
    }

    /// What survives of the score without the content, where the study asks for that.
    fn controls(&self, facts: &Facts<'_>, analysis: &Analysis) -> Result<Option<Controls>, Error> {
        if self.plan.chance.is_none() {
            return Ok(None);
        }
        let pool = thread_pool(self.threads).map_err(|error| Error::Threads(error.to_string()))?;
        let groups = runner::image_groups(self)?;
        let file_facts = pool.install(|| file_facts::file_facts(self, &groups))?;
        Ok(controls(facts, analysis, self.images, self.train_images, file_facts.as_ref()))
    }

    /// Runs what has not ended yet, and says what all of it says. Called again, or in another process, it goes on where it was.
    ///
    /// # Errors
    /// The folder cannot be written. A run that fails is a result, and ends nothing.
    pub fn run(&mut self, observer: &dyn StudyObserver) -> Result<StudyResult, Error> {
        self.lock_or_look(observer)?;
        let sends = match self.has_joined {
            // Whoever has the folder sends the study itself.
            true => record::is_sent(self, observer),
            false => self.can_write() && record::begin(self, observer)?,
        };
        let (facts, because) = runner::run(self, sends, observer)?;
        let looks = self.before.as_ref().and_then(|before| before.result.as_ref()).map(study_results::looks);
        let analysis = analyse(&facts, self.images, self.train_images).after(looks.into_iter().flatten());
        let mut answer = words::answer(
            &self.plan,
            &analysis,
            words::Data {
                images: self.images,
                without_learning: self.without_learning,
                classes: &self.classes,
            },
        );
        if self.leaked > 0 {
            let copies = if self.leaked == 1 { "is an exact copy" } else { "are exact copies" };
            answer.push(format!(
                "{} of the {} validation images {copies} of training images: all scores are flattered by them, and differences may be; \
                 data.leaks = \"drop\" in [set] leaves the training copies out.",
                self.leaked, self.images
            ));
        }
        let controls = self.controls(&facts, &analysis)?;
        if let Some(controls) = &controls {
            answer.splice(0..0, controls.answer());
        }
        let mut json = study_results::to_json(&self.plan, &facts, &analysis, &answer);
        if let Some(controls) = &controls {
            json["controls"] = controls.to_json();
        }
        let missing =
            self.places.iter().filter(|&&place| facts.get(place).outcome == RunOutcome::Missing).count();
        let mut rows = study_results::rows(&self.plan, &analysis);
        rows.extend(controls.as_ref().and_then(|controls| controls.row(Words { metric: self.plan.metric })));
        let is_to_write = self.is_to_write(&json, because.is_none())?;
        if is_to_write {
            results::write(self, &facts, &analysis, (&answer, controls.as_ref()), &json)?;
            record::end(self, &analysis, because.is_some() && missing > 0)?;
        }
        if sends && is_to_write {
            record::send(self, observer)?;
        }
        Ok(StudyResult { rows, answer, json, missing, because: because.filter(|_| missing > 0), analysis })
    }
}
