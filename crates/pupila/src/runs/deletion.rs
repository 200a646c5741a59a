//! The deletion of runs, studies and searches, or of their models alone.
//!
//! In: names. Out: either every reason why something of it must not be deleted, or a plan that can be carried out. What is not known to be
//! ours is never deleted, and no link is followed.

use super::contents::{Content, Measure, foreign_in_run, foreign_in_search, foreign_in_study, is_file};
use super::runs_of;
use crate::search::{FILE, JOURNAL, LOCK as SEARCH_LOCK};
use crate::study::LOCK;
use pupila_run::{RunFolder, RunLock, StudyFile};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Whatever was written within this time may still be written.
const RECENT: Duration = Duration::from_secs(60);

/// What of the runs is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Their folders.
    Folders,
    /// Their models alone: `predict` and `eval` no longer work with them, and their records stay.
    Models,
}

/// Why something is not deleted.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing of that name is there.
    #[error("there is no run, study or search `{0}` in {folder}: `pupila runs {folder}` lists what there is", folder = .1.display())]
    Missing(String, PathBuf),
    /// It is somewhere else.
    #[error("{} is not in {folder}: give the folder that it is in, as in `pupila runs FOLDER --delete NAME`", .0.display(), folder = .1.display())]
    Elsewhere(PathBuf, PathBuf),
    /// It is a link.
    #[error("{} is a link, and links are not followed: remove it yourself", .0.display())]
    Link(PathBuf),
    /// It is neither a run nor a study or a search.
    #[error("{} is no run, study or search, and stays: {}", .0.display(), .1)]
    NoRun(PathBuf, &'static str),
    /// It holds what Pupila did not write.
    #[error("{} holds what Pupila did not write: {}; move it elsewhere first", .0.display(), some(.1))]
    Foreign(PathBuf, Vec<PathBuf>),
    /// A process runs the run, the study or the search.
    #[error("{} is being run by another process: wait for it, or stop it", .0.display())]
    Running(PathBuf),
    /// Its files cannot be read.
    #[error("{} is not deleted, since it cannot be read: {}", .0.display(), .1)]
    Unreadable(PathBuf, String),
}

/// Every reason why nothing is deleted.
#[derive(Debug, thiserror::Error)]
#[error("{}", told(.0))]
pub struct Refusals(pub Vec<Refusal>);

/// Runs, studies and searches that can be deleted. As long as it lives, no study or search among them can be begun or gone on with.
#[derive(Debug)]
pub struct Deletion {
    /// What of them.
    pub what: What,
    /// The runs, studies and searches, in the order in which they were named, none twice.
    pub items: Vec<ToDelete>,
    /// The names of those that were to lose their models and have none.
    pub without_model: Vec<String>,
    locks: BTreeMap<PathBuf, Lock>,
}

/// What is to be deleted, or to lose its models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToDeleteKind {
    /// A run.
    Run,
    /// A study.
    Study {
        /// Its runs.
        runs: usize,
    },
    /// A search.
    Search {
        /// The trials that have a run folder.
        trials: usize,
        /// Where its trials are kept, if not in its folder: there they stay.
        elsewhere: Option<String>,
    },
}

/// A run, a study or a search that is to be deleted, or to lose its models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToDelete {
    /// The folder's name, in a study or a search behind its name and a slash.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// What it is.
    pub kind: ToDeleteKind,
    /// What is deleted, in bytes.
    pub bytes: u64,
    /// How long ago it was last written, if within the last minute: then somebody may be writing it.
    pub recent: Option<Duration>,
    models: Vec<PathBuf>,
}

/// What became of a [`Deletion`].
#[derive(Debug)]
pub struct Deleted {
    /// What was deleted.
    pub items: Vec<ToDelete>,
    /// The folders that could not be deleted, or not whole, and why.
    pub failures: Vec<(PathBuf, io::Error)>,
}

impl Deleted {
    /// What was deleted, in bytes.
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.bytes).sum()
    }
}

/// The lock of a study or a search.
#[derive(Debug)]
enum Lock {
    /// It is ours, until it is dropped.
    Held(#[expect(dead_code, reason = "held, not read")] File),
    /// A process works on it.
    Running,
    /// There is none, or the file system has none.
    Unknown,
}

impl Deletion {
    /// Checks that all of `names` can be deleted: names of runs, studies and searches in `folder`, of runs in them (`STUDY/RUN`), or
    /// paths to them. Nothing is deleted yet.
    ///
    /// # Errors
    /// Every reason why something of it must not be.
    pub fn plan(folder: &Path, names: &[PathBuf], what: What, now: SystemTime) -> Result<Deletion, Refusals> {
        let mut deletion =
            Deletion { what, items: Vec::new(), without_model: Vec::new(), locks: BTreeMap::new() };
        let mut refusals = Vec::new();
        let mut found: Vec<(String, PathBuf)> = Vec::new();
        for name in names {
            match find(folder, name) {
                Ok(item) if found.iter().any(|(_, path)| *path == item.1) => {}
                Ok(item) => found.push(item),
                Err(refusal) => refusals.push(refusal),
            }
        }
        // A run whose study goes needs no deletion of its own.
        let all: Vec<PathBuf> = found.iter().map(|(_, path)| path.clone()).collect();
        found.retain(|(_, path)| path.parent().is_none_or(|parent| !all.iter().any(|other| other == parent)));
        for (name, path) in found {
            match deletion.doomed(name, path, now) {
                Ok(item) if what == What::Models && item.models.is_empty() => {
                    deletion.without_model.push(item.name);
                }
                Ok(item) => deletion.items.push(item),
                Err(refusal) => refusals.push(refusal),
            }
        }
        if refusals.is_empty() { Ok(deletion) } else { Err(Refusals(refusals)) }
    }

    /// What will be deleted, in bytes.
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.bytes).sum()
    }

    /// Deletes. What cannot be deleted keeps nothing else from it.
    pub fn carry_out(self) -> Deleted {
        let mut deleted = Deleted { items: Vec::new(), failures: Vec::new() };
        for item in self.items {
            let done = match (self.what, &item.kind) {
                (What::Models, _) => item.models.iter().try_for_each(|model| gone(fs::remove_file(model))),
                (What::Folders, ToDeleteKind::Run) => unchanged(foreign_in_run(&item.path))
                    .and_then(|()| remove(&item.path, &[RunFolder::ENVIRONMENT, RunFolder::RECIPE])),
                (What::Folders, ToDeleteKind::Study { .. }) => unchanged(foreign_now(&item.path))
                    .and_then(|()| remove(&item.path, &[StudyFile::NAME, LOCK])),
                (What::Folders, ToDeleteKind::Search { .. }) => unchanged(foreign_in_search(&item.path))
                    .and_then(|()| remove(&item.path, &[JOURNAL, FILE, SEARCH_LOCK])),
            };
            match done {
                Ok(()) => deleted.items.push(item),
                Err(error) => deleted.failures.push((item.path, error)),
            }
        }
        deleted
    }

    /// A run, a study or a search, if it may be deleted.
    fn doomed(&mut self, name: String, path: PathBuf, now: SystemTime) -> Result<ToDelete, Refusal> {
        let measure = Measure::of(&path);
        let unreadable = |error: io::Error| Refusal::Unreadable(path.clone(), error.to_string());
        let (kind, runs, foreign, locked) = match Content::of(&path) {
            Content::Link => return Err(Refusal::Link(path)),
            Content::Evaluation => return Err(Refusal::NoRun(path, "it is what `pupila eval` made")),
            Content::Other => {
                return Err(Refusal::NoRun(
                    path,
                    "it has no recipe.toml with an environment.json of Pupila's",
                ));
            }
            Content::Study(study) => {
                let study = study.map_err(|problem| Refusal::Unreadable(path.clone(), problem))?;
                let locked = self.lock(&path, LOCK)?;
                let foreign = foreign_in_study(&path, &study).map_err(unreadable)?;
                let runs: Vec<PathBuf> = runs_of(&path).collect();
                (ToDeleteKind::Study { runs: runs.len() }, runs, foreign, locked)
            }
            Content::Search if !is_file(&path.join(SEARCH_LOCK)) && search_file(&path).is_none() => {
                return Err(Refusal::NoRun(path, "it has no search.json that says that Pupila wrote it"));
            }
            Content::Search => {
                let locked = self.lock(&path, SEARCH_LOCK)?;
                let foreign = foreign_in_search(&path).map_err(unreadable)?;
                let mut runs: Vec<PathBuf> = runs_of(&path).collect();
                let trials = runs.len();
                let folders = fs::read_dir(&path).map_err(unreadable)?.flatten().map(|entry| entry.path());
                runs.extend(
                    folders
                        .filter(|folder| is_file(&StudyFile::path(folder)))
                        .flat_map(|study| runs_of(&study).collect::<Vec<_>>()),
                );
                let elsewhere = storage_elsewhere(&path);
                (ToDeleteKind::Search { trials, elsewhere }, runs, foreign, locked)
            }
            Content::Begun => {
                let locked = self.lock(&path, LOCK)?;
                (ToDeleteKind::Study { runs: 0 }, Vec::new(), Vec::new(), locked)
            }
            Content::Run => {
                match path.parent().map(|parent| (parent, Content::of(parent))) {
                    Some((study, Content::Study(_))) => drop(self.lock(study, LOCK)?),
                    Some((search, Content::Search)) => drop(self.lock(search, SEARCH_LOCK)?),
                    _ => {}
                }
                let foreign = foreign_in_run(&path).map_err(unreadable)?;
                (ToDeleteKind::Run, vec![path.clone()], foreign, false)
            }
        };
        if let Some(run) = runs.iter().find(|run| RunLock::is_taken(run)) {
            return Err(Refusal::Running(run.clone()));
        }
        let models: Vec<PathBuf> = runs
            .iter()
            // The second is left where a run was killed while it wrote the first.
            .flat_map(|run| [run.join(RunFolder::MODEL), run.join(format!("{}.partial", RunFolder::MODEL))])
            .filter(|model| fs::symlink_metadata(model).is_ok())
            .collect();
        let bytes = match self.what {
            What::Folders if !foreign.is_empty() => return Err(Refusal::Foreign(path, foreign)),
            What::Folders => measure.bytes,
            What::Models => {
                if let Some(link) = models.iter().find(|model| !is_file(model)) {
                    return Err(Refusal::Link(link.clone()));
                }
                let length = |model: &PathBuf| fs::metadata(model).map_or(0, |metadata| metadata.len());
                models.iter().map(length).sum()
            }
        };
        // Of a clock that says that it is yet to come, nothing is known.
        let ago = measure.touched.map(|touched| now.duration_since(touched).unwrap_or_default());
        // Nobody runs a study or a search whose lock is ours.
        let recent = ago.filter(|ago| !locked && *ago < RECENT);
        Ok(ToDelete { name, path, kind, bytes, recent, models })
    }

    /// Takes the lock of a study or a search, unless it was taken before. Whether it is held: a file system may have none.
    fn lock(&mut self, folder: &Path, name: &str) -> Result<bool, Refusal> {
        let lock = self.locks.entry(folder.to_owned()).or_insert_with(|| {
            let path = folder.join(name);
            let file = File::options().read(true).write(true).open(&path);
            match file.ok().filter(|_| is_file(&path)).map(|file| (file.try_lock(), file)) {
                Some((Ok(()), file)) => Lock::Held(file),
                Some((Err(TryLockError::WouldBlock), _)) => Lock::Running,
                Some((Err(TryLockError::Error(_)), _)) | None => Lock::Unknown,
            }
        });
        match lock {
            Lock::Held(_) => Ok(true),
            Lock::Running => Err(Refusal::Running(folder.to_owned())),
            Lock::Unknown => Ok(false),
        }
    }
}

/// Where a search keeps its trials, if not in its folder.
fn storage_elsewhere(folder: &Path) -> Option<String> {
    if is_file(&folder.join(JOURNAL)) {
        return None;
    }
    search_file(folder)?["storage"].as_str().map(str::to_owned)
}

/// What `search.json` says, if it is one of ours: a file of that name may be anybody's.
fn search_file(folder: &Path) -> Option<serde_json::Value> {
    let text = fs::read_to_string(folder.join(FILE)).ok().filter(|_| is_file(&folder.join(FILE)))?;
    let object: serde_json::Value = serde_json::from_str(&text).ok()?;
    (object["format"].is_number() && object["study"].is_string()).then_some(object)
}

/// The name and the folder of a run, a study or a search, in `folder` or in a study or a search that is in it.
fn find(folder: &Path, name: &Path) -> Result<(String, PathBuf), Refusal> {
    let text = name.to_string_lossy().into_owned();
    let missing = || Refusal::Missing(text.clone(), folder.to_owned());
    // Without the slash at its end, with which a link would be followed.
    let name: PathBuf = name.components().collect();
    let Some(last) = name.file_name() else { return Err(missing()) };
    let there = |path: &PathBuf| fs::symlink_metadata(path).is_ok();
    let found = [folder.join(&name), name.clone()].into_iter().find(there).ok_or_else(missing)?;
    let above = found.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Ok(root), Ok(above)) = (fs::canonicalize(folder), fs::canonicalize(above)) else {
        return Err(missing());
    };
    let last_text = last.to_string_lossy().into_owned();
    if above == root {
        return Ok((last_text, folder.join(last)));
    }
    let study = above.file_name().filter(|_| above.parent() == Some(root.as_path()));
    match study.map(|study| folder.join(study)) {
        Some(study) if matches!(Content::of(&study), Content::Study(_) | Content::Search) => {
            let of = study.file_name().unwrap_or_default().to_string_lossy();
            Ok((format!("{of}/{last_text}"), study.join(last)))
        }
        _ => Err(Refusal::Elsewhere(found, folder.to_owned())),
    }
}

/// What in the folder of a study Pupila did not write.
fn foreign_now(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match StudyFile::read(folder) {
        Ok(study) => foreign_in_study(folder, &study.unwrap_or_default()),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Refuses what somebody has put into a folder since it was looked at, as while a question stood.
fn unchanged(foreign: io::Result<Vec<PathBuf>>) -> io::Result<()> {
    match foreign?.as_slice() {
        [] => Ok(()),
        added => Err(io::Error::other(format!("{} came into it meanwhile", some(added)))),
    }
}

/// Removes a folder. What makes it a run, a study or a search goes last: what is left of it by an interruption can be deleted by the same request.
fn remove(folder: &Path, last: &[&str]) -> io::Result<()> {
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Err(io::Error::other("it has become a link or a file"));
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if last.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let removed = if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())
        } else {
            fs::remove_file(entry.path())
        };
        gone(removed)?;
    }
    for name in last {
        gone(fs::remove_file(folder.join(name)))?;
    }
    fs::remove_dir(folder)
}

/// What is gone already is gone.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The first of some paths, and how many more there are.
fn some(paths: &[PathBuf]) -> String {
    let first: Vec<String> = paths.iter().take(3).map(|path| path.display().to_string()).collect();
    let more = if paths.len() > 3 { format!(" and {} more", paths.len() - 3) } else { String::new() };
    first.join(", ") + &more
}

/// All reasons, one a line.
fn told(refusals: &[Refusal]) -> String {
    match refusals {
        [one] => format!("nothing was deleted: {one}"),
        all => all.iter().fold("nothing was deleted:".to_owned(), |text, one| format!("{text}\n- {one}")),
    }
}
