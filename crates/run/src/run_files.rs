//! A run or an evaluation that has ended, read back from the files of its folder, which people may have edited.

use crate::environment::Environment;
use crate::error::{RunFileError, damaged, text};
use crate::folder::RunFolder;
use crate::leaks::leaked_paths;
use crate::predictions::PredictionsFile;
use crate::record::{Record, StartRecord, read_records};
use crate::summary::Summary;
use pupila_metrics::Predictions;
use serde_json::{Map, Value};
use std::path::Path;

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
        let environment = folder.environment()?.unwrap_or_default();
        let recipe = match text(&folder.file(RunFolder::RECIPE))? {
            Some(text) => recipe(&folder.file(RunFolder::RECIPE), &text)?,
            None => Map::new(),
        };
        let epochs = folder.epochs()?;
        let leaked = match text(&folder.file(RunFolder::LEAKS))? {
            None => Vec::new(),
            Some(text) => {
                let of = leaked_paths(&text)
                    .map_err(|error| damaged(&folder.file(RunFolder::LEAKS), None, error))?;
                let of: std::collections::HashSet<String> = of.into_iter().collect();
                (0..paths.len()).filter(|&place| of.contains(&paths[place])).collect()
            }
        };
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
        })
    }
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
    /// It cannot be read.
    pub fn recipe(&self) -> Result<Option<String>, RunFileError> {
        text(&self.file(RunFolder::RECIPE))
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
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start].matches('\n').count() as u64 + 1);
        damaged(path, line, error.message())
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
