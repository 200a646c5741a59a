//! One process in a run folder: whoever writes it has its lock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A run folder that is this process's to write, until this is dropped or the process ends, however it does.
#[derive(Debug)]
pub struct RunLock {
    path: PathBuf,
    /// None where the file system has no locks.
    file: Option<File>,
    leaves: bool,
}

impl RunLock {
    /// The file that is locked; it is there as long as a run goes on, and stays behind one that was killed.
    pub const NAME: &'static str = "run.lock";

    /// Takes the folder's lock; none where another process has it.
    ///
    /// A file system without locks gives one that keeps nobody away: two processes at once are the user's own care there.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn take(folder: &Path) -> io::Result<Option<RunLock>> {
        let path = folder.join(Self::NAME);
        loop {
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(_)) => return Ok(Some(RunLock { path, file: None, leaves: false })),
            }
            // Whoever had it may have removed it between opening and locking: then this is the lock of nothing.
            if is_at(&file, &path) {
                return Ok(Some(RunLock { path, file: Some(file), leaves: false }));
            }
        }
    }

    /// Whether the file stays when this is dropped, as the sign of a run that was killed.
    pub fn leave(&mut self, leaves: bool) {
        self.leaves = leaves;
    }

    /// Whether another process has the folder's lock.
    pub fn is_taken(folder: &Path) -> bool {
        let Ok(file) = File::options().write(true).open(folder.join(Self::NAME)) else { return false };
        matches!(file.try_lock(), Err(TryLockError::WouldBlock))
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        if !self.leaves {
            // While it is locked, so that nobody has locked this very file.
            let _ = fs::remove_file(&self.path);
        }
        drop(self.file.take());
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let of = |metadata: io::Result<fs::Metadata>| metadata.ok().map(|m| (m.dev(), m.ino()));
    let own = of(file.metadata());
    own.is_some() && own == of(fs::metadata(path))
}

/// Such systems remove no file that is open.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_until_the_first_has_gone_and_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let first = RunLock::take(folder.path()).unwrap().unwrap();
        assert!(RunLock::take(folder.path()).unwrap().is_none());
        assert!(RunLock::is_taken(folder.path()));
        drop(first);
        assert!(!RunLock::is_taken(folder.path()));
        // What a killed process has left keeps nobody away, and stays where nothing came of it.
        fs::write(folder.path().join(RunLock::NAME), "").unwrap();
        let mut again = RunLock::take(folder.path()).unwrap().unwrap();
        again.leave(true);
        drop(again);
        assert!(folder.path().join(RunLock::NAME).exists());
        drop(RunLock::take(folder.path()).unwrap().unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(RunLock::take(&folder.path().join("none")).is_err());
    }
}
