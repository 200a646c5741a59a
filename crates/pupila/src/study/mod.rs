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
mod folder_lock;
mod page;
mod record;
mod results;
mod runner;

pub(crate) use claims::ENDING as CLAIM;
pub(crate) use folder_lock::LOCK;
pub(crate) use runner::has_ended;

pub use builder::StudyBuilder;
pub use pupila_study::{
    Analysis, Compared as ComparedVariant, Definition, Outcome as RunOutcome, Place, Plan as StudyPlan,
    Request, RunFacts, StudyErrors, StudyFault, VariantAnalysis, Verdict, definition, words::Words,
};

use crate::error::Error;
use crate::session::OnProgress;
use crate::shared_data::SharedData;
use crate::stop_signal::StopSignal;
use pupila_dataset::Dataset;
use pupila_engine::thread_pool;
use pupila_run::{Group, StudyFile};
use pupila_study::{Controls, Facts, analyse, controls, results as study_results, words};
use serde_json::Value;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

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
