//! A study that is being put together.

use super::{Keep, Study, StudyPlan, adopt, checks, extend, runner};
use crate::error::Error;
use crate::runs::is_free;
use crate::session::{OnProgress, Progress, available_threads, canonical, plain_name, user_cache};
use crate::shared_data::SharedData;
use crate::stop_signal::StopSignal;
use pupila_dataset::Cache;
use pupila_run::{RunFolder, RunFolderError, StudyFile};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// A study that is being put together.
pub struct StudyBuilder {
    plan: StudyPlan,
    data: PathBuf,
    runs: PathBuf,
    name: Option<String>,
    threads: Option<usize>,
    jobs: Option<usize>,
    keep: Option<Keep>,
    cache: Option<Cache>,
    shared: Option<Arc<SharedData>>,
    stop: StopSignal,
    progress: OnProgress,
    arguments: Vec<String>,
}

impl fmt::Debug for StudyBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StudyBuilder")
            .field("data", &self.data)
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}

impl StudyBuilder {
    pub(super) fn new(plan: StudyPlan, data: PathBuf) -> Self {
        StudyBuilder {
            plan,
            data,
            runs: "runs".into(),
            name: None,
            threads: None,
            jobs: None,
            keep: None,
            cache: user_cache(),
            shared: None,
            stop: StopSignal::new(),
            progress: Arc::new(|_| {}),
            arguments: Vec::new(),
        }
    }

    /// The folder that the study's folder is made in; `runs` if left out.
    #[must_use]
    pub fn runs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.runs = folder.into();
        self
    }

    /// The name of the study's folder; its own and the data's names if left out. A study of that name is gone on with.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Threads of all runs together; all cores if left out. Results don't depend on it.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads.max(1));
        self
    }

    /// Runs at a time; what is fastest if left out. Results don't depend on it.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = Some(jobs.max(1));
        self
    }

    /// Which models are kept; what the study's folder says, or those of the best runs, if left out.
    #[must_use]
    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = Some(keep);
        self
    }

    /// Where decoded images are kept on disk, or nowhere; the user's cache if left out.
    #[must_use]
    pub fn cache(mut self, cache: Option<Cache>) -> Self {
        self.cache = cache;
        self
    }

    /// Data that others share: what is scanned and decoded is had by all. They must be of the same path.
    #[must_use]
    pub fn shared(mut self, shared: &Arc<SharedData>) -> Self {
        self.shared = Some(Arc::clone(shared));
        self
    }

    /// What may stop the study.
    #[must_use]
    pub fn stop_signal(mut self, stop: &StopSignal) -> Self {
        self.stop = stop.clone();
        self
    }

    /// Told how far the reading of the images is, from any thread.
    #[must_use]
    pub fn on_progress(mut self, progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Arc::new(progress);
        self
    }

    /// What was typed, for the runs' `environment.json`; nothing if left out.
    #[must_use]
    pub fn arguments(mut self, arguments: Vec<String>) -> Self {
        self.arguments = arguments;
        self
    }

    /// The study: the data scanned, every recipe and every variant checked against them, and what was done before found.
    ///
    /// # Errors
    /// All faults at once, before any run.
    pub fn open(self) -> Result<Study, Error> {
        let StudyBuilder {
            mut plan,
            data,
            runs,
            name,
            threads,
            jobs,
            keep,
            cache,
            shared,
            stop,
            progress,
            arguments,
        } = self;
        let name = name.unwrap_or_else(|| format!("{}-{}", plan.name, plain_name(&data)));
        let folder = runs.join(&name);
        let before = StudyFile::read(&folder)?;
        if before.is_none() {
            match RunFolder::check_name(&runs, &name) {
                // Of a first start that failed, on a full disk; or a study that has lost its study.json.
                Err(RunFolderError::Exists(_)) if is_free(&folder) || adopt::has_runs(&folder) => {}
                // A run, or something else, of that name.
                named => named?,
            }
        }
        let mut faults = Vec::new();
        let adopted = match &before {
            None => adopt::runs_of(&folder, &plan)?,
            Some(_) => 0,
        };
        let asked = plan.seeds.len();
        let named: Vec<String> = plan.variants.iter().map(|variant| variant.name.clone()).collect();
        if let Some(before) = &before {
            faults.extend(extend::extend(&mut plan, before));
            faults.extend(plan.too_few_runs());
        }
        let more =
            plan.seeds.len() > asked && before.as_ref().is_some_and(|before| before.seeds.len() > asked);
        let shared = shared.unwrap_or_else(|| SharedData::new(data.clone(), cache));
        if let Some(baseline) = plan.unknown_baseline.take() {
            match plan.variants.iter().position(|variant| variant.name == baseline) {
                Some(place) => plan.baseline = place,
                None => faults.push(plan.no_such_baseline(&baseline)),
            }
        }
        let mut checked = checks::check(&plan, &shared, before.as_ref(), faults)?;
        if adopted > 0 {
            adopt::check_data(&folder, &plan, &shared)?;
            checked.notes.push(format!(
                "{} is missing, and is made anew from the {adopted} runs of this study that are there",
                StudyFile::path(&folder).display()
            ));
        }
        checked
            .notes
            .extend(before.as_ref().into_iter().flat_map(|before| extend::otherwise(&plan, before, &named)));
        if more {
            checked.notes.push(format!(
                "the study has {} seeds already, and all of them are gone on with",
                plan.seeds.len()
            ));
        }
        let stored = before.as_ref().and_then(|before| Keep::parse(&before.keep));
        let keep = keep.or(stored).unwrap_or_default();
        plan.name = name;
        let threads = threads.unwrap_or_else(available_threads);
        let (mut places, mut done, mut ended_folders) = (Vec::new(), Vec::new(), Vec::new());
        let planned = plan.places();
        for (number, &place) in planned.iter().enumerate() {
            let run = folder.join(plan.run_name(place));
            let ended = runner::has_ended(&run)?;
            // A limit is one of what is begun: what has ended counts beyond it too.
            if ended || number < plan.limit() {
                places.push(place);
                done.push(ended);
            }
            if ended {
                ended_folders.push(run);
            }
        }
        let left_out = planned.len() - places.len();
        if left_out > 0 {
            checked.notes.push(format!(
                "{} of {} runs are left out, since {} is {}: with {} or more all are run",
                left_out,
                planned.len(),
                plan.runs_from,
                plan.runs.unwrap_or(0),
                planned.len()
            ));
        }
        // Seeds of which a limit lets no run begin are none of the study's yet.
        let begun = places.iter().map(|place| place.seed + 1).max().unwrap_or(0);
        plan.seeds.truncate(begun.max(before.as_ref().map_or(1, |before| before.seeds.len())));
        checked.notes.extend(checks::incomplete(&ended_folders));
        if let Some(measured) = checks::measured(&ended_folders) {
            checked.files_bytes = measured;
        }
        let file = extend::file(
            &plan,
            &canonical(&data),
            (&checked.fingerprinted, &checked.fingerprint),
            keep,
            before.clone(),
        );
        let forecast = checks::forecast(&plan, &checked, &done, (threads, jobs), keep);
        Ok(Study {
            jobs: forecast.jobs,
            forecast,
            notes: checked.notes,
            images: checked.images,
            leaked: checked.leaked,
            train_images: checked.train_images,
            without_learning: checked.without_learning,
            classes: checked.classes,
            places,
            done,
            plan,
            folder,
            file,
            before,
            data,
            shared,
            threads,
            keep,
            stop,
            progress,
            arguments,
            lock: Mutex::default(),
            has_joined: false,
            left_out,
        })
    }
}
