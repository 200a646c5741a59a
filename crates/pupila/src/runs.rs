//! The runs of a folder: which there are, what came out of them, what they take on disk; and their deletion.
//!
//! In: the folder that runs are made in, or that of a study. Out: an [`Entry`] for each run and study in it, read from its files,
//! or a [`Deletion`] of some of them. Runs stand one level below the folder, or two in a study.

mod contents;
mod deletion;
mod order;
mod searches;

pub use deletion::{Deleted, Deletion, Refusal, Refusals, ToDelete, ToDeleteKind, What};
pub use order::Order;
pub use searches::{EndedTrials, SearchEntry, SearchStatus};

use crate::error::{Error, Tried};
use crate::resume::in_use;
use crate::study::{LOCK, has_ended};
use contents::{Content, Measure, is_file, runs_of};
pub(crate) use contents::{foreign_in_run, is_free};
use pupila_metrics::{METRICS, Metric, metric};
use pupila_run::{Ending, RunEnd, RunFolder, RunLock, StudyFile, Summary};
use serde_json::{Value, json};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Removes what a run has left that was begun in a folder and has not ended, so that it can be run anew.
///
/// # Errors
/// The folder is a link or a file, holds something that is no file of a run, or a run that has ended; or it cannot be removed.
pub(crate) fn remove_unfinished(folder: &Path) -> Result<(), Error> {
    match has_unfinished(folder)? {
        true => std::fs::remove_dir_all(folder).map_err(Error::io(Tried::Write, folder)),
        false => Ok(()),
    }
}

/// Whether there is a folder that [`remove_unfinished`] would remove; `false` where there is none.
///
/// # Errors
/// There is something that it would not.
pub(crate) fn has_unfinished(folder: &Path) -> Result<bool, Error> {
    let shown = folder.display();
    match std::fs::symlink_metadata(folder) {
        Err(_) => return Ok(false),
        Ok(metadata) if !metadata.is_dir() => {
            let what = if metadata.is_symlink() { "a link" } else { "a file" };
            return Err(Error::request(format_args!(
                "{shown} is {what}, where the folder of the run is to be: move it, and give the same command again"
            )));
        }
        Ok(_) => {}
    }
    if RunLock::is_taken(folder) {
        return Err(in_use(folder));
    }
    let foreign = foreign_in_run(folder).map_err(Error::io(Tried::Read, folder))?;
    if let Some(file) = foreign.first() {
        return Err(Error::request(format_args!(
            "{shown} is to be run anew, and holds {}, which is no file of a run: move it, or choose another --name",
            file.display()
        )));
    }
    if has_ended(folder)? {
        return Err(Error::request(format_args!(
            "{shown} holds a run that has ended, and is not written over: move it, or choose another --name"
        )));
    }
    Ok(true)
}

/// The metric by which runs are told apart where no study names another.
const METRIC: &str = "accuracy";

/// The runs and studies of a folder.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The folder.
    pub folder: PathBuf,
    /// The study's name, if the folder is that of a study.
    pub study: Option<String>,
    /// What is wrong with the study's `study.json`, if the folder is that of a study whose file cannot be read. Its runs are listed.
    pub problem: Option<String>,
    /// The metric of the scores, of the validation set at the best epoch: the study's, or accuracy.
    pub metric: &'static Metric,
    /// The runs and studies.
    pub entries: Vec<Entry>,
    /// The names of the other folders in it, such as evaluations, and of links, sorted. Hidden ones are left out.
    pub others: Vec<String>,
}

/// A run, or a study or a search with its runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The folder's name; what is no text in it is replaced.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// What it is, and what came out.
    pub kind: Kind,
    /// The lengths of all files in it, evaluations included, in bytes.
    pub bytes: u64,
    /// When the run, or one of the study's, last wrote a file of its own; evaluations do not count.
    pub modified: SystemTime,
}

/// What an [`Entry`] is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A run.
    Run(RunEntry),
    /// A study.
    Study(StudyEntry),
    /// A search.
    Search(SearchEntry),
}

/// What is known of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEntry {
    /// The architecture, where known.
    pub model: Option<String>,
    /// The listing's metric; none where it is undefined or there is no result.
    pub score: Option<f64>,
    /// Epochs that ended, where known.
    pub epochs: Option<usize>,
    /// Epochs that the recipe asks for, where known.
    pub planned_epochs: Option<usize>,
    /// How it ended.
    pub status: RunStatus,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStatus {
    /// It has a result.
    Ended(RunEnd),
    /// It runs, or was killed: its files are the same.
    NoResult,
    /// A file of it is damaged, or a newer program wrote it: what is wrong.
    Unreadable(String),
}

/// What is known of a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyEntry {
    /// Its run folders.
    pub runs: usize,
    /// How far it is.
    pub status: StudyStatus,
}

/// How far a study is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StudyStatus {
    /// A process runs it.
    Running,
    /// All its runs have ended.
    Completed,
    /// All its runs have ended, but for those that could not be run.
    Failed {
        /// Runs that could not be run.
        failed: usize,
        /// Runs of all its variants, splits and seeds.
        of: usize,
    },
    /// It ended before its last run.
    Unfinished {
        /// Runs that have ended, or could not be run.
        ended: usize,
        /// Runs of all its variants, splits and seeds.
        of: usize,
    },
    /// Its `study.json` is damaged, or a newer program wrote it: what is wrong.
    Unreadable(String),
}

impl Listing {
    /// Reads a folder of runs, or that of a study, the newest last. A damaged run is an entry that says what is wrong.
    ///
    /// # Errors
    /// There is no such folder, it cannot be read, or it is that of a single run.
    pub fn read(folder: &Path) -> Result<Listing, Error> {
        if !folder.exists() {
            return Err(Error::request(format_args!(
                "{} does not exist: give a folder of runs, such as runs, or that of a study",
                folder.display()
            )));
        }
        if !folder.is_dir() {
            return Err(Error::request(format_args!(
                "{} is a file: give a folder of runs, such as runs, or that of a study",
                folder.display()
            )));
        }
        // Whoever gives a link means where it leads; in the folder, none is followed.
        let place = std::fs::canonicalize(folder).map_err(Error::io(Tried::Read, folder))?;
        let mut problem = None;
        let study = match Content::of(&place) {
            Content::Study(study) => study.map_err(|why| problem = Some(why)).ok(),
            Content::Run | Content::Evaluation => {
                let above = place.parent().unwrap_or(&place);
                return Err(Error::request(format_args!(
                    "{} is one run, and no folder of runs: `pupila runs {}` lists it",
                    folder.display(),
                    folder.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(above).display()
                )));
            }
            _ => None,
        };
        let named = study.as_ref().and_then(|study| metric(&study.metric).ok());
        // The list of metrics has it.
        let metric = named.or_else(|| metric(METRIC).ok()).unwrap_or(&METRICS[0]);
        let (mut entries, mut others) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(folder).map_err(Error::io(Tried::Read, folder))? {
            let entry = entry.map_err(Error::io(Tried::Read, folder))?;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let kind = match Content::of(&path) {
                Content::Run => Kind::Run(RunEntry::read(&path, metric)),
                Content::Study(study) => Kind::Study(StudyEntry::read(&path, *study)),
                Content::Search => Kind::Search(SearchEntry::read(&path)),
                _ if name.starts_with('.') => continue,
                Content::Other if !path.is_dir() => continue,
                Content::Other | Content::Begun | Content::Evaluation | Content::Link => {
                    others.push(name);
                    continue;
                }
            };
            let measure = Measure::of(&path);
            let modified = match kind {
                Kind::Run(_) => measure.modified,
                Kind::Study(_) | Kind::Search(_) => {
                    runs_of(&path).map(|run| Measure::of(&run).modified).max().flatten()
                }
            };
            let modified = modified.max(measure.modified).unwrap_or(UNIX_EPOCH);
            entries.push(Entry { name, path, kind, bytes: measure.bytes, modified });
        }
        others.sort();
        let study = study.map(|study| study.study);
        let mut listing = Listing { folder: folder.to_owned(), study, problem, metric, entries, others };
        listing.sort(Order::Age);
        Ok(listing)
    }

    /// What all runs and studies take, in bytes.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }

    /// The same for programs: what `pupila runs --json` prints.
    pub fn to_json(&self) -> Value {
        let entries: Vec<Value> = self.entries.iter().map(|entry| self.object(entry)).collect();
        let mut object = json!({ "runs": entries, "bytes": self.bytes() });
        if let Some(problem) = &self.problem {
            object["problem"] = json!(problem);
        }
        object
    }

    fn object(&self, entry: &Entry) -> Value {
        let since = entry.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut object = json!({
            "name": entry.name,
            "path": entry.path.to_string_lossy(),
            "kind": match entry.kind {
                Kind::Run(_) => "run",
                Kind::Study(_) => "study",
                Kind::Search(_) => "search",
            },
            "model": null,
            "score": null,
            "metric": null,
            "epochs": null,
            "status": entry.status(),
            "bytes": entry.bytes,
            "modified": since.as_secs_f64(),
        });
        match &entry.kind {
            Kind::Run(run) => {
                object["model"] = json!(run.model);
                object["score"] = json!(run.score);
                object["metric"] = json!(format!("val/{}", self.metric.name));
                object["epochs"] = json!(run.epochs);
            }
            Kind::Study(study) => object["runs"] = json!(study.runs),
            Kind::Search(search) => {
                object["runs"] = json!(search.trials);
                object["score"] = json!(search.best);
                object["metric"] = json!(search.metric.as_ref().map(|name| format!("val/{name}")));
                object["trials"] = json!(search.ended.map(|ended| {
                    json!({"complete": ended.complete, "pruned": ended.pruned, "failed": ended.failed})
                }));
            }
        }
        if let Some(problem) = entry.problem() {
            object["problem"] = json!(problem);
        }
        if let Some(study) = &self.study {
            object["study"] = json!(study);
        }
        object
    }
}

impl Entry {
    /// How it ended, as one word: what `pupila runs --json` calls `status`.
    pub fn status(&self) -> &'static str {
        match &self.kind {
            Kind::Run(run) => match run.status {
                RunStatus::Ended(end) => end.name(),
                RunStatus::NoResult => "no_result",
                RunStatus::Unreadable(_) => "unreadable",
            },
            Kind::Study(study) => match study.status {
                StudyStatus::Running => "running",
                StudyStatus::Completed => "completed",
                StudyStatus::Failed { .. } => "partly_failed",
                StudyStatus::Unfinished { .. } => "unfinished",
                StudyStatus::Unreadable(_) => "unreadable",
            },
            Kind::Search(search) => match search.status {
                SearchStatus::Completed => "completed",
                SearchStatus::Interrupted => "interrupted",
                SearchStatus::NoResult => "no_result",
                SearchStatus::Unreadable(_) => "unreadable",
            },
        }
    }

    /// What is wrong with its files, if anything is.
    pub fn problem(&self) -> Option<&str> {
        match &self.kind {
            Kind::Run(RunEntry { status: RunStatus::Unreadable(problem), .. })
            | Kind::Study(StudyEntry { status: StudyStatus::Unreadable(problem), .. })
            | Kind::Search(SearchEntry { status: SearchStatus::Unreadable(problem), .. }) => Some(problem),
            _ => None,
        }
    }

    /// The time from its last write to `now`; zero where a clock says that it is yet to come.
    pub fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.modified).unwrap_or_default()
    }
}

impl RunEntry {
    fn read(path: &Path, metric: &Metric) -> RunEntry {
        let unreadable = |problem: String| RunEntry {
            model: None,
            score: None,
            epochs: None,
            planned_epochs: None,
            status: RunStatus::Unreadable(problem),
        };
        let folder = match RunFolder::open(path) {
            Ok(folder) => folder,
            Err(error) => return unreadable(error.to_string()),
        };
        let start = folder.start().ok().flatten();
        let key = |key: &str| start.as_ref().and_then(|start| start.recipe.get(key));
        let model = key("model.name").and_then(Value::as_str).map(str::to_owned);
        let planned_epochs =
            key("train.epochs").and_then(Value::as_u64).and_then(|epochs| epochs.try_into().ok());
        match folder.summary() {
            // An empty object reads as a run without a class.
            Ok(Some(Summary::Run(run))) if run.classes.is_empty() => {
                let file = folder.file(RunFolder::SUMMARY);
                RunEntry { model, planned_epochs, ..unreadable(format!("{} names no class", file.display())) }
            }
            Ok(Some(Summary::Run(run))) => RunEntry {
                score: run.val.as_ref().and_then(|val| val.get(metric.name).copied().flatten()),
                epochs: Some(run.epochs_run),
                planned_epochs,
                status: RunStatus::Ended(run.status),
                model: Some(run.model),
            },
            // No evaluation is taken for a run, so there is none here.
            Ok(_) => match folder.ending().and_then(|ending| Ok((ending, folder.epochs()?))) {
                Ok((Ending::Damaged(problem), _)) => {
                    RunEntry { model, planned_epochs, ..unreadable(problem) }
                }
                Ok((_, epochs)) => RunEntry {
                    model,
                    score: None,
                    epochs: Some(epochs.len()),
                    planned_epochs,
                    status: RunStatus::NoResult,
                },
                Err(error) => RunEntry { model, planned_epochs, ..unreadable(error.to_string()) },
            },
            Err(error) => RunEntry { model, planned_epochs, ..unreadable(error.to_string()) },
        }
    }
}

impl StudyEntry {
    fn read(path: &Path, study: Result<StudyFile, String>) -> StudyEntry {
        let folders: Vec<PathBuf> = runs_of(path).collect();
        let runs = folders.len();
        let study = match study {
            Ok(study) => study,
            Err(problem) => return StudyEntry { runs, status: StudyStatus::Unreadable(problem) },
        };
        // As the study itself asks, so that one that is complete begins no run.
        let ended = |run: &&PathBuf| has_ended(run).unwrap_or(false);
        let ended = folders.iter().filter(ended).count() + study.failures.len();
        let of = study.variants.len() * study.seeds.len() * study.splits.len().max(1);
        let status = match (is_running(path), ended >= of, study.failures.len()) {
            (true, ..) => StudyStatus::Running,
            (false, true, 0) => StudyStatus::Completed,
            (false, true, failed) => StudyStatus::Failed { failed, of },
            (false, false, _) => StudyStatus::Unfinished { ended, of },
        };
        StudyEntry { runs, status }
    }
}

/// Whether a process runs a study. Asking takes the lock for a moment, and shares it with others who ask.
fn is_running(study: &Path) -> bool {
    let path = study.join(LOCK);
    if !is_file(&path) {
        return false;
    }
    File::open(&path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}
