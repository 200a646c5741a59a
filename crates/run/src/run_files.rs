//! A run or an evaluation that has ended, read back from the files of its folder, which people may have edited.

use crate::environment::Environment;
use crate::error::{EMPTY, RunFileError, damaged, text};
use crate::folder::RunFolder;
use crate::leaks::{TrainedOn, leaked_paths};
use crate::lock::RunLock;
use crate::predictions::PredictionsFile;
use crate::record::{Record, StartRecord, read_records};
use crate::run_end::RunEnd;
use crate::summary::Summary;
use pupila_metrics::Predictions;
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// An epoch, from 1, and its values by tags such as `val/loss`; NaN where undefined.
pub type EpochValues = (u32, Vec<(String, f64)>);

/// The files of a run or of an evaluation.
#[derive(Debug)]
pub struct RunFiles {
    /// Its folder.
    pub folder: RunFolder,
    /// `summary.json`.
    pub summary: Summary,
    /// `environment.json`; empty where it isn't there.
    pub environment: Environment,
    /// Every key of the recipe that has a value, such as `optimizer.lr`; empty where it isn't there.
    pub recipe: Map<String, Value>,
    /// The classes, in the order of the columns of `predictions.csv`.
    pub classes: Vec<String>,
    /// The paths of the judged images.
    pub paths: Vec<String>,
    /// The group of each, such as its patient, empty where it has none; `None` where no groups are known.
    pub groups: Option<Vec<String>>,
    /// Their labels and predictions; none of a run that left no model, such as one that diverged in its first epoch.
    pub predictions: Predictions,
    /// Which of them have a copy in the training set, as places among `paths`.
    pub leaked: Vec<usize>,
    /// The values of every epoch; empty where there is no `metrics.jsonl`.
    pub epochs: Vec<EpochValues>,
    /// Files that are not there though such a folder has them, and what is not known without each.
    pub lacks: Vec<String>,
}

impl RunFiles {
    /// Reads a run folder or the folder of an evaluation.
    ///
    /// # Errors
    /// Where it is none, is of a newer format, or a file is damaged.
    pub fn read(path: &Path) -> Result<RunFiles, RunFileError> {
        let folder = RunFolder::open(path)?;
        let needed = |file: &'static str| {
            let missing = || RunFileError::NoRun { path: path.to_owned(), file };
            text(&folder.file(file))?.ok_or_else(missing)
        };
        let summary = Summary::read(&folder.file(RunFolder::SUMMARY), &needed(RunFolder::SUMMARY)?)?;
        let known = summary.classes().len();
        let path_of = folder.file(RunFolder::PREDICTIONS);
        let PredictionsFile { classes, paths, groups, predictions } = match text(&path_of)? {
            Some(text) => PredictionsFile::read(&path_of, &text, known)?,
            None if summary.has_no_model() => PredictionsFile {
                classes: summary.classes().to_vec(),
                paths: Vec::new(),
                groups: None,
                predictions: Predictions::new(known),
            },
            None => return Err(RunFileError::NoRun { path: path.to_owned(), file: RunFolder::PREDICTIONS }),
        };
        let mut lacks = Vec::new();
        let mut lacking = |file: &str, what: &str| {
            lacks.push(format!("{} is not there: {what}", folder.file(file).display()))
        };
        let is_run = matches!(summary, Summary::Run(_));
        let environment = folder.environment()?;
        if environment.is_none() {
            lacking(RunFolder::ENVIRONMENT, "which data and which machine its numbers are of is not known");
        }
        let environment = environment.unwrap_or_default();
        let recipe = match folder.recipe()? {
            Some(text) => recipe(&folder.file(RunFolder::RECIPE), &text)?,
            None => {
                if is_run {
                    lacking(RunFolder::RECIPE, "what its recipe was is not known");
                }
                Map::new()
            }
        };
        let epochs = folder.epochs()?;
        if is_run && !folder.file(RunFolder::METRICS).exists() {
            lacking(RunFolder::METRICS, "the numbers of its epochs are not known");
        } else if let Summary::Run(run) = &summary
            && epochs.len() < run.epochs_run
            && run.epochs_run > 0
        {
            let message = format_args!(
                "has {} epochs, and {} says that {} were run",
                epochs.len(),
                RunFolder::SUMMARY,
                run.epochs_run
            );
            return Err(damaged(&folder.file(RunFolder::METRICS), None, message));
        }
        // What was judged, by the file that says it.
        let (judged, by) = match &summary {
            Summary::Run(_) => (environment.data.val_images, RunFolder::ENVIRONMENT),
            Summary::Evaluation(evaluation) => {
                (Some(evaluation.images).filter(|&images| images > 0), RunFolder::SUMMARY)
            }
        };
        if let Some(judged) = judged.filter(|&judged| !predictions.is_empty() && judged != predictions.len())
        {
            let message =
                format_args!("has {} images, and {by} says that {judged} were judged", predictions.len());
            return Err(damaged(&path_of, None, message));
        }
        let leaks = folder.file(RunFolder::LEAKS);
        let leaked: Vec<usize> = match text(&leaks)? {
            None => Vec::new(),
            Some(text) => {
                let of = leaked_paths(&text).map_err(|error| damaged(&leaks, None, error))?;
                let of: std::collections::HashSet<String> = of.into_iter().collect();
                (0..paths.len()).filter(|&place| of.contains(&paths[place])).collect()
            }
        };
        let counted = summary.leaks().map_or(0, |leaks| leaks.images);
        if counted != leaked.len() && !predictions.is_empty() {
            let there = if leaks.exists() { "names" } else { "is not there, and so names" };
            let message = format_args!(
                "{there} {} of the judged images, and {} says that {counted} have a copy in the training set",
                leaked.len(),
                RunFolder::SUMMARY
            );
            return Err(damaged(&leaks, None, message));
        }
        Ok(RunFiles {
            folder,
            summary,
            environment,
            recipe,
            classes,
            paths,
            groups,
            predictions,
            leaked,
            epochs,
            lacks,
        })
    }
}

/// How far a run is, by what is in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It has ended, and has left all that it leaves.
    Whole,
    /// It has not ended, or was interrupted.
    Open,
    /// It has ended, and a file of it is missing or damaged since. Which, and what is wrong.
    Damaged(String),
}

impl RunFolder {
    /// `environment.json`; none where it isn't there.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn environment(&self) -> Result<Option<Environment>, RunFileError> {
        let path = self.file(RunFolder::ENVIRONMENT);
        text(&path)?.map(|text| crate::error::object(&path, &text)).transpose()
    }

    /// `summary.json`; none where it isn't there.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn summary(&self) -> Result<Option<Summary>, RunFileError> {
        let path = self.file(RunFolder::SUMMARY);
        text(&path)?.map(|text| Summary::read(&path, &text)).transpose()
    }

    /// The text of `recipe.toml`; none where it isn't there.
    ///
    /// # Errors
    /// It cannot be read, or is not whole: a key that is missing would be taken for its default.
    pub fn recipe(&self) -> Result<Option<String>, RunFileError> {
        let path = self.file(RunFolder::RECIPE);
        let Some(text) = text(&path)? else { return Ok(None) };
        let there = recipe(&path, &text)?;
        if there.is_empty() {
            return Err(damaged(&path, None, "has no key; every key of the recipe stands in it"));
        }
        // The record has every key of the recipe too. A run that goes on may get keys, and loses none.
        let recorded = self.start().ok().flatten().map(|start| start.recipe).unwrap_or_default();
        let missing: Vec<&String> = recorded.keys().filter(|key| !there.contains_key(*key)).collect();
        if let Some(first) = missing.first() {
            let more = if missing.len() > 1 {
                format!(" and {} more keys", missing.len() - 1)
            } else {
                String::new()
            };
            let message =
                format_args!("lacks {first}{more}, which the first line of {} has", RunFolder::METRICS);
            return Err(damaged(&path, None, message));
        }
        Ok(Some(text))
    }

    /// The images that were trained on, by their content, from `trained_on.txt`; none where it isn't there.
    ///
    /// # Errors
    /// It cannot be read, or is not whole.
    pub fn trained_on(&self) -> Result<Option<TrainedOn>, RunFileError> {
        let path = self.file(RunFolder::TRAINED);
        let Some(text) = text(&path)? else { return Ok(None) };
        TrainedOn::read(&text).map(Some).map_err(|what| damaged(&path, None, what))
    }

    /// Whether the first bytes of `metrics.jsonl` are whole lines, each a record: what a run goes on behind.
    ///
    /// # Errors
    /// It cannot be read, is shorter, or a line is damaged; which.
    pub fn check_records(&self, bytes: u64) -> Result<(), RunFileError> {
        let path = self.file(RunFolder::METRICS);
        let text = text(&path)?.unwrap_or_default();
        let part = usize::try_from(bytes).ok().and_then(|bytes| text.get(..bytes));
        let part = part.ok_or_else(|| {
            damaged(&path, None, format_args!("was cut or changed before its byte {bytes}"))
        })?;
        if !part.is_empty() && !part.ends_with('\n') {
            return Err(damaged(&path, Some(part.lines().count() as u64), "ends in the middle of a line"));
        }
        read_records(&path, part).map(|_| ())
    }

    /// How far the run of the folder is.
    ///
    /// # Errors
    /// A file cannot be read, or a newer program wrote it: it is not known then.
    pub fn ending(&self) -> Result<Ending, RunFileError> {
        match self.judged_ending() {
            // A file that is gone, or torn.
            Err(
                error
                @ (RunFileError::Missing(_) | RunFileError::NoRun { .. } | RunFileError::Damaged { .. }),
            ) => Ok(Ending::Damaged(error.to_string())),
            ending => ending,
        }
    }

    fn judged_ending(&self) -> Result<Ending, RunFileError> {
        // The lock stays where a process was killed: it had not written all of them yet.
        let is_under_way = self.file(RunLock::NAME).exists();
        let lacks = |file: &str, what: &str| match is_under_way {
            true => Ok(Ending::Open),
            false => Ok(Ending::Damaged(format!("{} {what}", self.file(file).display()))),
        };
        let summary = match self.summary()? {
            Some(Summary::Run(summary)) => summary,
            _ => {
                let is_end = |record: &Record| matches!(record, Record::End { status, .. } if *status != RunEnd::Interrupted);
                return match self.records()?.iter().any(is_end) {
                    true => lacks(RunFolder::SUMMARY, "is not there, of a run that has ended"),
                    false => Ok(Ending::Open),
                };
            }
        };
        if summary.status == RunEnd::Interrupted {
            return Ok(Ending::Open);
        }
        // An empty object reads as a run without a class.
        if summary.classes.is_empty() {
            return lacks(RunFolder::SUMMARY, "names no class");
        }
        // The last line of the record is written last.
        let is_last = |record: &Record| match summary.best_epoch {
            Some(_) => matches!(record, Record::Model { .. }),
            None => matches!(record, Record::End { .. }),
        };
        if !self.records()?.iter().any(is_last) {
            return lacks(RunFolder::METRICS, "does not have the end of the run");
        }
        let Some(best) = summary.best_epoch else { return Ok(Ending::Whole) };
        let epochs = RunFiles::read(self.path())?.epochs;
        match epochs.iter().map(|(epoch, _)| *epoch).max() >= Some(best) {
            true => Ok(Ending::Whole),
            false => lacks(RunFolder::METRICS, "does not have the best epoch"),
        }
    }

    /// The files that the run has left by its record, and are empty or not there since, and what is wrong with each. Its model is none of them.
    ///
    /// # Errors
    /// `metrics.jsonl` cannot be read.
    pub fn lost(&self) -> Result<Vec<(PathBuf, &'static str)>, RunFileError> {
        let mut files: Vec<PathBuf> = Vec::new();
        for record in self.records()? {
            if let Record::Artifact { path, .. } = record {
                files.push(self.file(&path));
            }
        }
        let entries = fs::read_dir(self.path()).into_iter().flatten().flatten();
        let is_of_board =
            |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(RunFolder::EVENTS);
        files.extend(entries.filter(is_of_board).map(|entry| entry.path()));
        files.sort();
        // A run that went on has written its record's end again.
        files.dedup();
        let wrong = |path: PathBuf| match fs::metadata(&path) {
            Ok(file) if file.len() > 0 => None,
            Ok(_) => Some((path, "is empty")),
            Err(_) => Some((path, "is not there any more")),
        };
        Ok(files.into_iter().filter_map(wrong).collect())
    }

    /// The lines of `metrics.jsonl`; none where it isn't there.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn records(&self) -> Result<Vec<Record>, RunFileError> {
        let path = self.file(RunFolder::METRICS);
        text(&path)?.map_or(Ok(Vec::new()), |text| read_records(&path, &text))
    }

    /// What was known when the run began: the first line of `metrics.jsonl`. None where there is no such line.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn start(&self) -> Result<Option<StartRecord>, RunFileError> {
        let line = crate::folder::first_line(&self.file(RunFolder::METRICS))?.unwrap_or_default();
        Ok(match Record::of_line(line.as_bytes()) {
            Record::Start(start) => Some(*start),
            _ => None,
        })
    }

    /// The values of every epoch that ended.
    ///
    /// # Errors
    /// `metrics.jsonl` cannot be read.
    pub fn epochs(&self) -> Result<Vec<EpochValues>, RunFileError> {
        let of = |record| match record {
            Record::Scalars { epoch, values, .. } => {
                Some((epoch, values.0.into_iter().map(|(tag, number)| (tag, number.0)).collect()))
            }
            _ => None,
        };
        Ok(self.records()?.into_iter().filter_map(of).collect())
    }
}

/// The recipe as `section.key` and value.
fn recipe(path: &Path, text: &str) -> Result<Map<String, Value>, RunFileError> {
    if text.trim().is_empty() {
        return Err(damaged(path, None, EMPTY));
    }
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start].matches('\n').count() as u64 + 1);
        damaged(path, line, format_args!("not TOML: {}", error.message()))
    })?;
    let mut flat = Map::new();
    for (section, keys) in &table {
        for (key, value) in keys.as_table().into_iter().flatten() {
            let value = serde_json::to_value(value).map_err(|error| damaged(path, None, error))?;
            flat.insert(format!("{section}.{key}"), value);
        }
    }
    Ok(flat)
}
