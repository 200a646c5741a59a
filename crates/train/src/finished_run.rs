//! A run or an evaluation that has ended, read back from the files of its folder.
//!
//! In: a folder with `summary.json`, `predictions.csv`, `recipe.toml`, `environment.json` and perhaps `metrics.jsonl`, which
//! people may have edited. Out: what they say, or which file is wrong and where.

use crate::run_folder::RunFolder;
use pupila_metrics::{Predictions, PredictionsError};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// An epoch, from 1, and its values by tags such as `val/loss`.
pub type EpochValues = (u32, Map<String, Value>);

/// A run that has ended.
#[derive(Debug)]
pub struct FinishedRun {
    /// Its folder.
    pub folder: RunFolder,
    /// `summary.json`.
    pub summary: Value,
    /// `environment.json`; null where it isn't there.
    pub environment: Value,
    /// Every key of the recipe that has a value, such as `optimizer.lr`; empty where it isn't there.
    pub recipe: Map<String, Value>,
    /// The classes, in the order of the columns.
    pub classes: Vec<String>,
    /// The paths of the judged images.
    pub paths: Vec<String>,
    /// Their labels and predictions.
    pub predictions: Predictions,
    /// The values of every epoch; empty where there is no `metrics.jsonl`.
    pub epochs: Vec<EpochValues>,
}

/// A folder that cannot be read as a run.
#[derive(Debug, thiserror::Error)]
pub enum FinishedRunError {
    /// There is nothing.
    #[error("{} does not exist; RUN is a run folder, such as runs/skin-mlp-1", .0.display())]
    Missing(PathBuf),
    /// It holds no run.
    #[error("{} is no run folder: it has no {file}{}", path.display(), hint(file))]
    NoRun {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        file: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is damaged.
    #[error("{}{}: {message}", path.display(), line.map_or(String::new(), |line| format!(", line {line}")))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: Option<u64>,
        /// What is wrong and what would be right.
        message: String,
    },
}

fn hint(file: &str) -> &'static str {
    match file {
        RunFolder::PREDICTIONS => "; `pupila eval RUN --out FOLDER` makes one that has",
        _ => "",
    }
}

impl FinishedRun {
    /// Reads a run folder or the folder of an evaluation.
    ///
    /// # Errors
    /// Where it is none, or a file is damaged.
    pub fn read(path: &Path) -> Result<FinishedRun, FinishedRunError> {
        if !path.exists() {
            return Err(FinishedRunError::Missing(path.to_owned()));
        }
        let folder = RunFolder::open(path);
        let needed = |file: &'static str| {
            let missing = || FinishedRunError::NoRun { path: path.to_owned(), file };
            text(&folder.file(file))?.ok_or_else(missing)
        };
        let summary = json(&folder.file(RunFolder::SUMMARY), &needed(RunFolder::SUMMARY)?)?;
        let (classes, paths, predictions) =
            predictions(&folder.file(RunFolder::PREDICTIONS), &needed(RunFolder::PREDICTIONS)?)?;
        let environment = match text(&folder.file(RunFolder::ENVIRONMENT))? {
            Some(text) => json(&folder.file(RunFolder::ENVIRONMENT), &text)?,
            None => Value::Null,
        };
        let recipe = match text(&folder.file(RunFolder::RECIPE))? {
            Some(text) => recipe(&folder.file(RunFolder::RECIPE), &text)?,
            None => Map::new(),
        };
        let epochs = match text(&folder.file(RunFolder::METRICS))? {
            Some(text) => epochs(&folder.file(RunFolder::METRICS), &text)?,
            None => Vec::new(),
        };
        Ok(FinishedRun { folder, summary, environment, recipe, classes, paths, predictions, epochs })
    }
}

fn damaged(path: &Path, line: Option<u64>, message: impl std::fmt::Display) -> FinishedRunError {
    FinishedRunError::Damaged { path: path.to_owned(), line, message: message.to_string() }
}

/// The text of a file; none where it isn't there.
fn text(path: &Path) -> Result<Option<String>, FinishedRunError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        // A file as the folder of a run.
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(None),
        Err(source) => Err(FinishedRunError::Io { path: path.to_owned(), source }),
    }
}

fn json(path: &Path, text: &str) -> Result<Value, FinishedRunError> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| damaged(path, Some(error.line() as u64), format_args!("no JSON: {error}")))?;
    if value.is_object() { Ok(value) } else { Err(damaged(path, None, "must be a JSON object")) }
}

/// The recipe as `section.key` and value.
fn recipe(path: &Path, text: &str) -> Result<Map<String, Value>, FinishedRunError> {
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

/// The `scalars` events. A line that is torn, as of a run that was killed, is the last and is left out.
fn epochs(path: &Path, text: &str) -> Result<Vec<EpochValues>, FinishedRunError> {
    let mut epochs = Vec::new();
    let lines = text.lines().count();
    for (place, line) in text.lines().enumerate() {
        let event: Value = match serde_json::from_str(line) {
            Ok(event) => event,
            Err(_) if place + 1 == lines => break,
            Err(error) => {
                return Err(damaged(path, Some(place as u64 + 1), format_args!("no JSON: {error}")));
            }
        };
        if event["event"] != "scalars" {
            continue;
        }
        if let (Some(epoch), Some(values)) = (event["epoch"].as_u64(), event["values"].as_object()) {
            epochs.push((u32::try_from(epoch).unwrap_or(u32::MAX), values.clone()));
        }
    }
    Ok(epochs)
}

/// What `predictions_csv` wrote.
fn predictions(path: &Path, text: &str) -> Result<(Vec<String>, Vec<String>, Predictions), FinishedRunError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let mut records = reader.records();
    let wrong = |error: csv::Error| damaged(path, error.position().map(csv::Position::line), error);
    let header = records.next().transpose().map_err(wrong)?.unwrap_or_default();
    let fixed: Vec<&str> = header.iter().take(4).collect();
    if fixed != ["path", "label", "predicted", "correct"] || header.len() < 5 {
        let message = "must begin with path,label,predicted,correct and a column for each class";
        return Err(damaged(path, Some(1), message));
    }
    let classes: Vec<String> = header.iter().skip(4).map(str::to_owned).collect();
    let mut predictions = Predictions::new(classes.len());
    let (mut paths, mut row) = (Vec::new(), Vec::new());
    for record in records {
        let record = record.map_err(wrong)?;
        let line = record.position().map(csv::Position::line);
        let label = &record[1];
        let target = classes.iter().position(|class| class == label).ok_or_else(|| {
            damaged(path, line, format_args!("the label `{label}` is none of the classes in the first line"))
        })?;
        row.clear();
        for field in record.iter().skip(4) {
            row.push(
                field
                    .parse::<f32>()
                    .map_err(|_| damaged(path, line, format_args!("`{field}` is no number")))?,
            );
        }
        let added = predictions.push_probabilities(&row, &[target as u32]);
        added.map_err(|error: PredictionsError| damaged(path, line, error))?;
        paths.push(record[0].to_owned());
    }
    if paths.is_empty() {
        return Err(damaged(path, None, "holds no image"));
    }
    Ok((classes, paths, predictions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictions_csv;

    #[test]
    fn what_was_written_is_read_back_to_the_bit() {
        let classes = ["a,b".to_owned(), "c \"d\"\n".to_owned(), "e".to_owned()];
        let mut written = Predictions::new(3);
        written.push_logits(&[0.1, 2.0, -3.0, 1e-3, 0.0, 12.0], &[1, 2]).unwrap();
        let paths = ["x,y.png".to_owned(), "z.png".to_owned()];
        let text = predictions_csv(&classes, &paths, true, &written);
        let (read_classes, read_paths, read) = predictions(Path::new("p.csv"), &text).unwrap();
        assert_eq!((&read_classes[..], &read_paths[..]), (&classes[..], &paths[..]));
        assert_eq!((read.probabilities(), read.targets()), (written.probabilities(), written.targets()));
        assert_eq!(read.confusion(), written.confusion());
    }

    #[test]
    fn damage_is_named_with_its_line() {
        let error = |text: &str| predictions(Path::new("p.csv"), text).unwrap_err().to_string();
        let header = "path,label,predicted,correct,a,b\n";
        for (rest, said) in [
            ("x,a,a,1,0.5,0.5\ny,c,a,0,0.5,0.5\n", "p.csv, line 3: the label `c` is none of the classes"),
            ("x,a,a,1,half,0.5\n", "p.csv, line 2: `half` is no number"),
            ("x,a,a,1,1.5,0.5\n", "p.csv, line 2: sample 0 of the batch has 1.5 for class 0"),
            ("x,a,a,1,0.5\n", "p.csv, line 2: "),
            ("", "p.csv: holds no image"),
        ] {
            let said_instead = error(&format!("{header}{rest}"));
            assert!(said_instead.starts_with(said), "{said_instead}");
        }
        assert!(error("").starts_with("p.csv, line 1: must begin with path,label"));
        let torn = "{\"event\":\"scalars\",\"epoch\":1,\"values\":{\"val/loss\":0.5}}\n{\"event\":\"sca";
        assert_eq!(epochs(Path::new("m"), torn).unwrap().len(), 1);
        assert!(epochs(Path::new("m"), &format!("{{\n{torn}")).is_err());
    }
}
