//! The folder itself: its name, the names of its files, and how they are written.

use crate::environment::Environment;
use crate::error::{RunFileError, refuse_newer, text};
use crate::summary::Summary;
use crate::write::{sync, write_whole};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// A folder of one run, or of one evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

/// A run folder that cannot be made or written.
#[derive(Debug, thiserror::Error)]
pub enum RunFolderError {
    /// A run of that name is there already; runs are never written over.
    #[error("{} is there already, and runs are never written over: choose another name (--name), or remove it", .0.display())]
    Exists(PathBuf),
    /// A name that would not be one folder below the runs.
    #[error(
        "`{0}` cannot be the name of a run: it must be one folder name, without / or \\ and not starting with a dot"
    )]
    Name(String),
    /// The file system refuses.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl RunFolder {
    /// The model of the best epoch.
    pub const MODEL: &'static str = "best.safetensors";
    /// What came out.
    pub const SUMMARY: &'static str = "summary.json";
    /// The events of the run.
    pub const METRICS: &'static str = "metrics.jsonl";
    /// How the names of TensorBoard's event files begin.
    pub const EVENTS: &'static str = "events.out.tfevents.";
    /// The resolved recipe.
    pub const RECIPE: &'static str = "recipe.toml";
    /// The validation set's predictions at the best epoch.
    pub const PREDICTIONS: &'static str = "predictions.csv";
    /// Machine, versions and data.
    pub const ENVIRONMENT: &'static str = "environment.json";
    /// The classification report of the best epoch, as text.
    pub const REPORT: &'static str = "classification_report.txt";
    /// The confusion matrix of the best epoch, as a picture.
    pub const CONFUSION: &'static str = "confusion_matrix.png";
    /// The judged images of which copies were trained on.
    pub const LEAKS: &'static str = "leaks.csv";
    /// The contents of the images it was trained on.
    pub const TRAINED: &'static str = "trained_on.txt";
    /// The looks at test sets with the run's model.
    pub const LOOKS: &'static str = "looks.jsonl";
    /// All of it as one page.
    pub const PAGE: &'static str = "report.html";
    /// What a study is: stands in a folder that holds run folders and is, with a `metrics.jsonl` of its own, one itself.
    pub const STUDY: &'static str = crate::StudyFile::NAME;
    /// What a run has made of its data besides the model: what trackers are sent, as far as it is there.
    pub const RESULTS: &'static [&'static str] = &[
        Self::RECIPE,
        Self::ENVIRONMENT,
        Self::SUMMARY,
        Self::PREDICTIONS,
        Self::LEAKS,
        Self::TRAINED,
        Self::REPORT,
        Self::CONFUSION,
        Self::PAGE,
    ];

    /// Whether a run of that name could be made below `runs`: to be asked before long work.
    ///
    /// # Errors
    /// A run of that name exists, or the name is no folder name.
    pub fn check_name(runs: &Path, name: &str) -> Result<(), RunFolderError> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return Err(RunFolderError::Name(name.to_owned()));
        }
        let path = runs.join(name);
        if path.exists() { Err(RunFolderError::Exists(path)) } else { Ok(()) }
    }

    /// Makes a new run folder below `runs`: of the given name, or of `stem` and the first free number.
    ///
    /// # Errors
    /// A run of the given name exists, the name is no folder name, or the folder cannot be made.
    pub fn create(runs: &Path, name: Option<&str>, stem: &str) -> Result<RunFolder, RunFolderError> {
        let failed = |path: &Path, source| RunFolderError::Io { path: path.to_owned(), source };
        name.map_or(Ok(()), |name| RunFolder::check_name(runs, name))?;
        std::fs::create_dir_all(runs).map_err(|source| failed(runs, source))?;
        for number in 1u32.. {
            let path = runs.join(name.map_or_else(|| format!("{stem}-{number}"), str::to_owned));
            // The system makes the folder or says that it is there: two runs that start together never share one.
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(RunFolder { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if name.is_some() {
                        return Err(RunFolderError::Exists(path));
                    }
                }
                Err(source) => return Err(failed(&path, source)),
            }
        }
        Err(RunFolderError::Name(stem.to_owned()))
    }

    /// A folder of this very path, made where it isn't there.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create_at(path: &Path) -> Result<RunFolder, RunFolderError> {
        let failed = |source| RunFolderError::Io { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(failed)?;
        Ok(RunFolder { path: path.to_owned() })
    }

    /// An existing run folder. Which of its files are there is seen when they are read.
    ///
    /// # Errors
    /// It does not exist, or a newer program wrote it in a format that this one does not know.
    pub fn open(path: &Path) -> Result<RunFolder, RunFileError> {
        if !path.exists() {
            return Err(RunFileError::Missing(path.to_owned()));
        }
        let folder = RunFolder { path: path.to_owned() };
        for file in [Self::ENVIRONMENT, Self::SUMMARY] {
            match text(&folder.file(file)) {
                Ok(Some(text)) => refuse_newer(path, &text)?,
                // What is no such file at all, its reader says.
                Ok(None) | Err(RunFileError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(line) = first_line(&folder.file(Self::METRICS))? {
            refuse_newer(path, &line)?;
        }
        Ok(folder)
    }

    /// Whether this is the folder of a study.
    pub fn is_study(&self) -> bool {
        self.file(Self::STUDY).is_file()
    }

    /// The run folders in this folder, such as a study's: those that have a `metrics.jsonl`, by name.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn runs(&self) -> Result<Vec<RunFolder>, RunFileError> {
        let failed = |source| RunFileError::Io { path: self.path.clone(), source };
        let mut runs = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(failed)? {
            let run = RunFolder { path: entry.map_err(failed)?.path() };
            if run.file(Self::METRICS).is_file() {
                runs.push(run);
            }
        }
        runs.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(runs)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its last component, for people.
    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The place of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file whole or not at all.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<(), RunFolderError> {
        let path = self.file(name);
        write_whole(&path, content.as_ref()).map_err(|source| RunFolderError::Io { path, source })
    }

    /// Brings all that a run leaves to the disk itself, the folder and its place with it, so that a power loss does not take it. A file
    /// system that cannot is no reason to lose the run.
    pub fn sync(&self) {
        for name in Self::RESULTS.iter().chain(&[Self::MODEL, Self::METRICS]) {
            sync(&self.file(name));
        }
        let entries = std::fs::read_dir(self.path()).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(Self::EVENTS)) {
            sync(&entry.path());
        }
        [Some(self.path()), self.path().parent()].into_iter().flatten().for_each(sync);
    }

    /// Writes `environment.json`.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write_environment(&self, environment: &Environment) -> Result<(), RunFolderError> {
        let object = serde_json::to_value(environment).unwrap_or_default();
        self.write(Self::ENVIRONMENT, format!("{object:#}\n"))
    }

    /// Writes `summary.json`.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write_summary(&self, summary: &Summary) -> Result<(), RunFolderError> {
        let object = match summary {
            Summary::Run(run) => run.to_json(),
            Summary::Evaluation(evaluation) => evaluation.to_json(),
        };
        self.write(Self::SUMMARY, format!("{object:#}\n"))
    }
}

/// The first line of a file that may be long; none where there is no such file.
pub(crate) fn first_line(path: &Path) -> Result<Option<String>, RunFileError> {
    let failed = |source| RunFileError::Io { path: path.to_owned(), source };
    let file = match crate::open_regular(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(source) => return Err(failed(source)),
    };
    let mut line = Vec::new();
    BufReader::new(file).read_until(b'\n', &mut line).map_err(failed)?;
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_up_and_nothing_is_written_over() {
        let runs = tempfile::tempdir().unwrap();
        let make = |name| RunFolder::create(runs.path(), name, "skin-mlp");
        assert_eq!(make(None).unwrap().name(), "skin-mlp-1");
        assert_eq!(make(None).unwrap().name(), "skin-mlp-2");
        assert_eq!(make(Some("mine")).unwrap().name(), "mine");
        assert!(matches!(make(Some("mine")), Err(RunFolderError::Exists(_))));
        for bad in ["", "../x", "a/b", ".hidden", "a\\b"] {
            assert!(matches!(make(Some(bad)), Err(RunFolderError::Name(_))), "{bad:?}");
        }
    }

    #[test]
    fn the_runs_of_a_study_are_its_folders_that_have_recorded_something() {
        let runs = tempfile::tempdir().unwrap();
        let study = RunFolder::create(runs.path(), Some("study"), "").unwrap();
        assert!(!study.is_study());
        study.write(RunFolder::STUDY, "{}").unwrap();
        study.write(RunFolder::METRICS, "").unwrap();
        for name in ["b-seed0", "a-seed0", "notes"] {
            let folder = RunFolder::create(study.path(), Some(name), "").unwrap();
            if name != "notes" {
                folder.write(RunFolder::METRICS, "").unwrap();
            }
        }
        assert!(study.is_study());
        let names: Vec<_> = study.runs().unwrap().iter().map(RunFolder::name).collect();
        assert_eq!(names, ["a-seed0", "b-seed0"]);
    }

    #[test]
    fn a_folder_of_a_newer_format_is_refused_with_the_version_that_wrote_it() {
        let runs = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(runs.path(), None, "x").unwrap();
        let newer =
            Environment { format: crate::FORMAT + 1, version: "7.8.9".into(), ..Environment::default() };
        folder.write_environment(&newer).unwrap();
        let error = RunFolder::open(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("written by Pupila 7.8.9 in format 3")
                && error.contains("use the Pupila that wrote it")
        );
        folder.write_environment(&Environment { format: crate::FORMAT, ..newer }).unwrap();
        assert_eq!(RunFolder::open(folder.path()).unwrap(), folder);
        // Whatever else has changed in it, and in whichever file it stands.
        for (file, text) in [
            (
                RunFolder::ENVIRONMENT,
                "{\"format\": 3, \"version\": \"7.8.9\", \"cores\": \"many\", \"data\": []}",
            ),
            (RunFolder::SUMMARY, "{\"format\": 3, \"version\": \"7.8.9\", \"status\": \"of a new kind\"}"),
            (
                RunFolder::METRICS,
                "{\"event\":\"start\",\"run\":7,\"tags\":{\"pupila.version\":\"7.8.9\"},\"format\":3}\n{}\n",
            ),
        ] {
            folder.write(file, text).unwrap();
            let error = RunFolder::open(folder.path()).unwrap_err().to_string();
            assert!(error.contains("written by Pupila 7.8.9 in format 3"), "{file}: {error}");
            std::fs::remove_file(folder.file(file)).unwrap();
        }
        // The first format did not say its number.
        folder.write(RunFolder::ENVIRONMENT, "{\"version\": \"0.1.0\", \"x\": 1}").unwrap();
        assert_eq!(folder.environment().unwrap().unwrap().format, 1);
        assert!(matches!(RunFolder::open(&runs.path().join("none")), Err(RunFileError::Missing(_))));
    }
}
