//! Who has a study's folder: of the processes that run it, the first to come writes what the study says.
//!
//! In: a study that is checked. Out: the folder locked, or joined where another process has it and runs the same study. Runs are claimed one by
//! one (`claims.rs`), whoever has the folder.

use super::{Study, StudyObserver, runner};
use crate::error::{Error, Tried};
use pupila_run::{RunFolder, StudyFile};
use serde_json::{Map, Value};
use std::fs::{File, TryLockError};
use std::sync::{MutexGuard, PoisonError};

/// The file that the first of the processes that run the study has locked; when it ends, another one of them has it.
pub(crate) const LOCK: &str = "study.lock";

/// How often, and with which pauses, a lock is tried that may be somebody's look alone, or held by a process that has not yet said what it runs.
const LOCK_TRIES: u32 = 20;
const LOCK_TRIES_AT_BEGIN: u32 = 3000;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// A study's file without what came out.
fn asked(file: &StudyFile) -> StudyFile {
    StudyFile { result: None, failures: Map::new(), ..file.clone() }
}

/// The runs of each variant, as the JSON of a result has them.
fn runs_of(result: &Value) -> Vec<Value> {
    let variants = result["variants"].as_array();
    variants.into_iter().flatten().map(|variant| variant["runs"].clone()).collect()
}

impl Study {
    /// Whether the folder is this process's to write: it is locked.
    pub(super) fn can_write(&self) -> bool {
        self.held().is_some()
    }

    fn held(&self) -> MutexGuard<'_, Option<File>> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process makes runs.
    pub(super) fn can_run(&self) -> bool {
        self.has_joined || self.can_write()
    }

    /// [`Study::lock_folder`]. A folder that cannot be written is looked at without, where all runs have ended and nothing is to be kept from
    /// others; that is told.
    pub(super) fn lock_or_look(&mut self, observer: &dyn StudyObserver) -> Result<(), Error> {
        let refused = match self.lock_folder() {
            Err(error @ Error::Io { .. }) if self.before.is_some() && self.left().is_empty() => error,
            done => return done,
        };
        *self.held() = None;
        observer.warning(&format!(
            "{refused}: all runs have ended, so what they say is told; {}, {} and {} are not written anew",
            StudyFile::NAME,
            StudyFile::PAGE,
            StudyFile::RESULTS
        ));
        Ok(())
    }

    /// Makes the folder, and has it until this process ends, however it ends; or joins the process that has it and runs the same study.
    fn lock_folder(&mut self) -> Result<(), Error> {
        if self.can_write() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder).map_err(Error::io(Tried::MakeFolder, &self.folder))?;
        let path = self.folder.join(LOCK);
        let file = File::create(&path).map_err(Error::io(Tried::Write, &path))?;
        // Whoever lists the study locks it for a moment, to see whether it is running.
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    let limit = match self.is_begun_by_another()? {
                        Some(true) => {
                            self.has_joined = true;
                            return Ok(());
                        }
                        Some(false) => LOCK_TRIES,
                        None => LOCK_TRIES_AT_BEGIN,
                    };
                    if tries < limit {
                        tries += 1;
                        std::thread::sleep(LOCK_PAUSE);
                        continue;
                    }
                    return Err(Error::request(format_args!(
                        "another process is running the study {} with other variants, seeds or settings: give the same command as there to \
                         make runs beside it, wait for it, or choose another --name",
                        self.folder.display()
                    )));
                }
                // A file system without locks: two processes at once are the user's own care there.
                Err(TryLockError::Error(_)) => break,
            }
        }
        let there = StudyFile::read(&self.folder)?;
        if there != self.before {
            let Some(there) = there.filter(|there| asked(there) == asked(&self.file)) else {
                return Err(Error::request(format_args!(
                    "another process has changed the study {} meanwhile: give the same command again",
                    self.folder.display()
                )));
            };
            // Another worker was here since this was opened: what it has written stays.
            (self.file.result, self.file.failures) = (there.result, there.failures);
        }
        *self.held() = Some(file);
        self.file.write(&self.folder).map_err(Error::io(Tried::Write, StudyFile::path(&self.folder)))?;
        self.before = StudyFile::read(&self.folder)?;
        Ok(())
    }

    /// Whether the study that was begun in the folder is this very one: what is asked is the same, whatever came out so far. None where none was
    /// begun yet, or trackers were not told of it.
    fn is_begun_by_another(&self) -> Result<Option<bool>, Error> {
        let Some(there) = StudyFile::read(&self.folder)? else { return Ok(None) };
        let is_same = asked(&there) == asked(&self.file);
        if is_same && RunFolder::open(&self.folder)?.start()?.is_none() {
            return Ok(None);
        }
        Ok(Some(is_same))
    }

    /// Has the folder from now on, where the process that had it is gone.
    pub(super) fn take_over(&self) {
        let mut held = self.held();
        if held.is_none()
            && let Ok(file) = File::create(self.folder.join(LOCK))
            && file.try_lock().is_ok()
        {
            *held = Some(file);
        }
    }

    /// Whether what came out is this process's to write. Where another has the folder, it is that one's: it is waited for until it has written
    /// what the same runs say, or is gone. Not where runs are missing here (`is_whole`).
    pub(super) fn is_to_write(&self, json: &Value, is_whole: bool) -> Result<bool, Error> {
        if !self.has_joined {
            return Ok(self.can_write());
        }
        // As a reader of the file has the numbers.
        let own = serde_json::from_str(&json.to_string()).ok().map(|json| runs_of(&json));
        loop {
            self.take_over();
            let there = StudyFile::read(&self.folder)?.and_then(|file| file.result);
            if there.is_some_and(|there| Some(runs_of(&there)) == own) {
                return Ok(false);
            }
            if self.can_write() || !is_whole || self.stop.is_set() {
                return Ok(self.can_write());
            }
            std::thread::sleep(runner::POLL);
        }
    }
}
