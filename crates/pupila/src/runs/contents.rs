//! What a folder is by what it holds, what it takes on disk, and what in it is not ours.

use crate::search::{AGAIN, JOURNAL_LOCK, is_of_a_search, is_run_name, is_search};
use crate::study::{CLAIM, LOCK};
use pupila_run::{CheckpointFolder, RunFileError, RunFolder, RunLock, StudyFile, Summary};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files of the systems that people browse folders with. They go with the folder.
const SYSTEM_FILES: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];
/// What the names of evaluations in a run's folder begin with.
const EVALUATION: &str = "eval-";
/// The folder in a run's folder that says what each MLflow server has acknowledged.
const LEDGERS: &str = "mlflow";

/// What a folder is.
#[derive(Debug)]
pub(super) enum Content {
    /// A run, ended or not.
    Run,
    /// What `eval` made.
    Evaluation,
    /// A study, or what is wrong with its `study.json`.
    Study(Box<Result<StudyFile, String>>),
    /// A search.
    Search,
    /// What the start of a study has left that failed before it wrote `study.json`: a lock, or a partial file.
    Begun,
    /// A link, to wherever.
    Link,
    /// Anything else.
    Other,
}

impl Content {
    /// What a path is. A link is never followed.
    pub(super) fn of(path: &Path) -> Content {
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => return Content::Link,
            Ok(metadata) if metadata.is_dir() => {}
            _ => return Content::Other,
        }
        if is_file(&StudyFile::path(path)) {
            return Content::Study(Box::new(match StudyFile::read(path) {
                Ok(Some(study)) => Ok(study),
                // It vanished meanwhile.
                Ok(None) => Err(format!("{} is gone", StudyFile::path(path).display())),
                Err(error) => Err(error.to_string()),
            }));
        }
        if is_search(path) {
            return Content::Search;
        }
        let has = |name: &str| is_file(&path.join(name));
        if (has(LOCK) || has(&format!("{}.partial", StudyFile::NAME))) && is_free(path) {
            return Content::Begun;
        }
        // One of them may be gone.
        let files = [RunFolder::RECIPE, RunFolder::ENVIRONMENT, RunFolder::METRICS, RunFolder::SUMMARY];
        if files.into_iter().filter(|file| has(file)).count() < 2 {
            return Content::Other;
        }
        let folder = match RunFolder::open(path) {
            Ok(folder) => folder,
            Err(RunFileError::Newer { .. }) => return Content::Run,
            Err(_) => return Content::Other,
        };
        let summary = folder.summary().ok().flatten();
        let environment = folder.environment().ok().flatten();
        let judged = environment.as_ref().is_some_and(|environment| {
            environment.data.images.is_some() && environment.data.train_images.is_none()
        });
        if matches!(summary, Some(Summary::Evaluation(_))) || judged && !has(RunFolder::METRICS) {
            return Content::Evaluation;
        }
        // Files of these names may be anybody's. One of ours says which version wrote it, and one is enough: the others may be damaged.
        let ours = environment.is_some_and(|environment| !environment.version.is_empty())
            || summary.is_some_and(|summary| !summary.version().is_empty())
            || folder.start().is_ok_and(|start| start.is_some());
        if ours { Content::Run } else { Content::Other }
    }
}

/// The run folders of a study or a search.
pub(super) fn runs_of(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| matches!(Content::of(path), Content::Run))
}

/// Whether a path is a file itself, and no link to one.
pub(super) fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Whether a folder is free for a study: it is empty, or holds nothing but the lock and the partial files of one that was not begun.
pub(crate) fn is_free(path: &Path) -> bool {
    let is_left_over =
        |name: &str| name == LOCK || is_claim(name) || is_of_a_study(name) && whole(name) != name;
    !fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
        && foreign(path, is_left_over, &|_, _| Ok(None)).is_ok_and(|foreign| foreign.is_empty())
}

/// What a folder takes, and when it was written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Measure {
    /// The lengths of all files in it, in bytes.
    pub(super) bytes: u64,
    /// When one of its own files was last written. What is in folders of its own, such as an evaluation, does not count.
    pub(super) modified: Option<SystemTime>,
    /// When anything in it was last written.
    pub(super) touched: Option<SystemTime>,
}

impl Measure {
    /// Of a folder. What vanishes meanwhile, as partial files of a run do, or cannot be read counts nothing.
    pub(super) fn of(path: &Path) -> Measure {
        let mut measure = Measure::default();
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                let inner = Measure::of(&entry.path());
                measure.bytes += inner.bytes;
                measure.touched = measure.touched.max(inner.touched);
                continue;
            }
            measure.bytes += metadata.len();
            // Written whenever somebody asks for the study, whether a run follows or not.
            if entry.file_name() != LOCK {
                let written = metadata.modified().ok();
                measure.modified = measure.modified.max(written);
                measure.touched = measure.touched.max(written);
            }
        }
        measure
    }
}

/// What in the folder of a run Pupila did not write, by its place in the folder.
pub(crate) fn foreign_in_run(run: &Path) -> io::Result<Vec<PathBuf>> {
    foreign(run, is_of_a_run, &|path, name| {
        if name == LEDGERS {
            return foreign(path, is_ledger, &|_, _| Ok(None)).map(Some);
        }
        if name == CheckpointFolder::NAME {
            return foreign(path, CheckpointFolder::is_its, &|_, _| Ok(None)).map(Some);
        }
        // One that was killed early is known by its name alone.
        if name.starts_with(EVALUATION) || matches!(Content::of(path), Content::Evaluation) {
            return foreign(path, is_of_a_run, &|_, _| Ok(None)).map(Some);
        }
        Ok(None)
    })
}

/// The same for a study, in which run folders are its own.
pub(super) fn foreign_in_study(folder: &Path, study: &StudyFile) -> io::Result<Vec<PathBuf>> {
    foreign(folder, is_of_a_study, &|path, name| {
        if name == LEDGERS {
            return foreign(path, is_ledger, &|_, _| Ok(None)).map(Some);
        }
        // A run that was killed early has nothing but its name.
        let named = study.variants.iter().any(|variant| {
            name.strip_prefix(variant.folder.as_str()).is_some_and(|rest| rest.starts_with('-'))
        });
        if named || matches!(Content::of(path), Content::Run) {
            return foreign_in_run(path).map(Some);
        }
        Ok(None)
    })
}

/// The same for a search, in which runs and the study of the best two are its own.
pub(super) fn foreign_in_search(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_ours = |name: &str| is_of_a_search(whole(name)) || whole(name) == RunFolder::METRICS;
    foreign(folder, is_ours, &|path, name| {
        if name == LEDGERS {
            return foreign(path, is_ledger, &|_, _| Ok(None)).map(Some);
        }
        match Content::of(path) {
            Content::Run => foreign_in_run(path).map(Some),
            Content::Study(study) => foreign_in_study(path, &study.map_err(io::Error::other)?).map(Some),
            // Those that were killed early have nothing but their names.
            _ if is_run_name(name) => foreign_in_run(path).map(Some),
            _ if name.starts_with(AGAIN) => foreign(path, is_of_a_study, &|_, _| Ok(None)).map(Some),
            _ => Ok(None),
        }
    })
}

/// What is foreign in a folder; none where all of it is.
type Foreign = io::Result<Option<Vec<PathBuf>>>;

/// The entries of a folder that are no files of ours by their names. Of a folder in it, what `inside` says. No link is ours but the lock of a
/// journal.
fn foreign(
    folder: &Path,
    is_ours: impl Fn(&str) -> bool,
    inside: &dyn Fn(&Path, &str) -> Foreign,
) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        match name.to_str() {
            Some(text) if kind.is_file() && (is_ours(text) || SYSTEM_FILES.contains(&text)) => {}
            // It leads to the journal beside it, and is removed itself.
            Some(text) if kind.is_symlink() && text.starts_with(JOURNAL_LOCK) && is_ours(text) => {}
            Some(text) if kind.is_dir() => match inside(&entry.path(), text)? {
                Some(within) => found.extend(within.into_iter().map(|path| Path::new(&name).join(path))),
                None => found.push(name.into()),
            },
            _ => found.push(name.into()),
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a run or an evaluation writes files of this name.
fn is_of_a_run(name: &str) -> bool {
    let whole = whole(name);
    RunFolder::RESULTS.contains(&whole)
        || [RunFolder::MODEL, RunFolder::METRICS, RunFolder::LOOKS, RunLock::NAME].contains(&whole)
        || name.starts_with(RunFolder::EVENTS)
}

/// Whether a study writes files of this name.
fn is_of_a_study(name: &str) -> bool {
    [StudyFile::NAME, StudyFile::PAGE, StudyFile::RESULTS, RunFolder::METRICS, LOCK].contains(&whole(name))
        || is_claim(name)
}

/// Whether a name is that of a claim of a run, or of one that was taken away.
fn is_claim(name: &str) -> bool {
    name.ends_with(CLAIM) || name.rsplit_once('-').is_some_and(|(claim, _)| claim.ends_with(CLAIM))
}

/// Whether the sender to MLflow keeps files of this name in its folder.
fn is_ledger(name: &str) -> bool {
    [".json", ".lock", ".new"].iter().any(|ending| name.ends_with(ending))
}

/// The name that a file has once it is whole.
fn whole(name: &str) -> &str {
    name.strip_suffix(".partial").unwrap_or(name)
}
