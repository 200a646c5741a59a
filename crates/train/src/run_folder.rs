//! The run folder: everything a run leaves behind, complete without any server.

use crate::layers::Resolved;
use crate::model_file::write_whole;
use pupila_metrics::Predictions;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// A folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

/// A run folder that cannot be made, found or written.
#[derive(Debug, thiserror::Error)]
pub enum RunFolderError {
    /// A run of that name is there already; runs are never written over.
    #[error("{} is there already, and runs are never written over: choose another --name, or remove it", .0.display())]
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
    /// All of it as one page.
    pub const PAGE: &'static str = "report.html";
    /// What a run has made of its data besides the model: what trackers are sent, as far as it is there.
    pub const RESULTS: &'static [&'static str] = &[
        Self::RECIPE,
        Self::ENVIRONMENT,
        Self::SUMMARY,
        Self::PREDICTIONS,
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

    /// An existing run folder.
    pub fn open(path: &Path) -> RunFolder {
        RunFolder { path: path.to_owned() }
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
    pub fn write(&self, name: &str, content: &str) -> Result<(), RunFolderError> {
        let path = self.file(name);
        write_whole(&path, content.as_bytes()).map_err(|source| RunFolderError::Io { path, source })
    }

    /// Writes the resolved recipe and the environment, before any work.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write_start(&self, recipe: &Resolved, environment: &Value) -> Result<(), RunFolderError> {
        self.write(Self::RECIPE, &recipe.to_toml())?;
        self.write(Self::ENVIRONMENT, &format!("{environment:#}\n"))
    }
}

/// `predictions.csv`: path, label, predicted, correct, then a probability for each class.
///
/// `paths` and `labels` belong to the rows of `predictions`; without labels the columns `label` and `correct` are empty.
pub fn predictions_csv(
    classes: &[String],
    paths: &[String],
    labelled: bool,
    predictions: &Predictions,
) -> String {
    let mut text = String::from("path,label,predicted,correct");
    for class in classes {
        text.push(',');
        text += &field(class);
    }
    text.push('\n');
    let rows =
        paths.iter().zip(predictions.rows()).zip(predictions.targets().iter().zip(predictions.predicted()));
    for ((path, probabilities), (&label, predicted)) in rows {
        let class = |id: u32| field(classes.get(id as usize).map_or("", String::as_str));
        let (label, correct) = match labelled {
            true => (class(label), if label == predicted { "1" } else { "0" }),
            false => (String::new(), ""),
        };
        text += &format!("{},{label},{},{correct}", field(path), class(predicted));
        for p in probabilities {
            // The shortest digits that read back as the same f32.
            let _ = write!(text, ",{p}");
        }
        text.push('\n');
    }
    text
}

/// A CSV field, quoted where it must be (RFC 4180).
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// What a result was made on: versions, system, processor, data.
pub fn environment(data: &Value, threads: usize, arguments: &[String]) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "arguments": arguments,
        "os": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "processor": processor(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "threads": threads,
        "instruction_set": pupila_engine::Isa::detected().name(),
        "data": data,
    })
}

fn processor() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The most memory that this process has had in use so far, in bytes; none where the system doesn't say.
pub fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
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
    fn csv_fields_are_quoted_where_they_must_be() {
        let mut predictions = Predictions::new(2);
        predictions.push_probabilities(&[0.25, 0.75, 1.0, 0.0], &[0, 0]).unwrap();
        let classes = ["a,b".to_owned(), "c".to_owned()];
        let paths = ["x \"1\".png".to_owned(), "y.png".to_owned()];
        let text = predictions_csv(&classes, &paths, true, &predictions);
        let expected = "path,label,predicted,correct,\"a,b\",c\n\"x \"\"1\"\".png\",\"a,b\",c,0,0.25,0.75\ny.png,\"a,b\",\"a,b\",1,1,0\n";
        assert_eq!(text, expected);
        assert!(predictions_csv(&classes, &paths, false, &predictions).contains("y.png,,\"a,b\",,1,0"));
    }
}
