//! Files of a folder that cannot be read.

use crate::RunFolder;
use std::path::{Path, PathBuf};

/// A folder that cannot be read as a run.
#[derive(Debug, thiserror::Error)]
pub enum RunFileError {
    /// There is nothing.
    #[error("{} does not exist; {}", .0.display(), near_run(.0, "RUN is a run folder, such as runs/skin-mlp-1"))]
    Missing(PathBuf),
    /// It holds no run.
    #[error("{} is no run folder: it has no {file}{}", path.display(), hint(file))]
    NoRun {
        /// The folder.
        path: PathBuf,
        /// What is missing.
        file: &'static str,
    },
    /// A newer program wrote it.
    #[error(
        "{} was written by Pupila {version} in format {format}; this is Pupila {}, which reads formats up to {}: use the \
         Pupila that wrote it, or a newer one",
        path.display(), env!("CARGO_PKG_VERSION"), crate::FORMAT
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// The program's version.
        version: String,
        /// The folder's format.
        format: u32,
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
    #[error("{}{}: {message}{}", path.display(), line.map_or(String::new(), |line| format!(", line {line}")), remedy(path))]
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
        RunFolder::SUMMARY => "; a run that was stopped, or has lost it, gets it by `pupila resume RUN`",
        _ => "",
    }
}

/// What to do about a damaged file of a run folder.
fn remedy(path: &Path) -> &'static str {
    match path.file_name().and_then(std::ffi::OsStr::to_str) {
        Some(RunFolder::RECIPE) => {
            "; put the file back from a copy, or train the run again under another --name"
        }
        Some(RunFolder::ENVIRONMENT) => {
            "; put the file back from a copy; `pupila eval RUN DATA`, `pupila predict` and `pupila verify RUN --data DATA` do without it"
        }
        Some(RunFolder::SUMMARY | RunFolder::PREDICTIONS | RunFolder::LEAKS | RunFolder::METRICS) => {
            "; put the file back from a copy, or make it again: of a run by `pupila resume RUN`, of an evaluation by `pupila eval`"
        }
        Some(RunFolder::TRAINED) => "; put the file back from a copy",
        _ => "",
    }
}

pub(crate) fn damaged(path: &Path, line: Option<u64>, message: impl std::fmt::Display) -> RunFileError {
    RunFileError::Damaged { path: path.to_owned(), line, message: message.to_string() }
}

/// The text of a file; none where it isn't there.
pub(crate) fn text(path: &Path) -> Result<Option<String>, RunFileError> {
    match crate::read_regular_text(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        // A file as the folder of a run.
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(damaged(path, None, "is no text (UTF-8)"))
        }
        Err(source) => Err(RunFileError::Io { path: path.to_owned(), source }),
    }
}

/// Of a file in which something has to be.
pub(crate) const EMPTY: &str = "is empty";

/// What every version writes into its files, whatever else changes.
#[derive(serde::Deserialize)]
struct Stamp {
    #[serde(default = "crate::first_format")]
    format: u32,
    #[serde(default)]
    version: String,
    /// The first line of `metrics.jsonl` has the version among its tags.
    #[serde(default)]
    tags: crate::Named<String>,
}

/// Refuses a file of a newer format, before it is read as a type that it may no longer fit.
pub(crate) fn refuse_newer(folder: &Path, text: &str) -> Result<(), RunFileError> {
    // What is no such file at all, its reader says.
    let Ok(Stamp { format, version, tags }) = serde_json::from_str(text) else { return Ok(()) };
    if format <= crate::FORMAT {
        return Ok(());
    }
    let version = if version.is_empty() { tags.get("pupila.version").cloned() } else { Some(version) };
    let version = version.unwrap_or_else(|| "of a later version".into());
    Err(RunFileError::Newer { path: folder.to_owned(), version, format })
}

/// A JSON object as a type.
pub(crate) fn object<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T, RunFileError> {
    if text.trim().is_empty() {
        return Err(damaged(path, None, EMPTY));
    }
    serde_json::from_str(text).map_err(|error| {
        let what = if error.is_data() { "" } else { "no JSON: " };
        damaged(path, Some(error.line() as u64), format_args!("{what}{error}"))
    })
}

/// What to say of a run that is not there: where it is, if only its folder was left out; otherwise what a run is.
pub fn near_run(path: &Path, otherwise: &str) -> String {
    let in_runs = Path::new("runs").join(path);
    match path.is_relative() && in_runs.is_dir() {
        true => format!("{0} does: type {0}", in_runs.display()),
        false => otherwise.to_owned(),
    }
}
