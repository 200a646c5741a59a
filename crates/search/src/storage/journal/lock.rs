//! The lock beside a journal, as Optuna's `JournalFileSymlinkLock` and `JournalFileOpenLock` take it: whoever makes `PATH.lock` holds it, on
//! network file systems too.

use crate::storage::clock::Clock;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Time without a change after which the holder of a lock is taken for gone; Optuna's.
const GRACE: Duration = Duration::from_secs(30);
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    /// Where it is moved before it is removed; a name that nobody else uses.
    aside: PathBuf,
}

/// When the lock and the journal that it points to were last changed; each holder makes the lock anew, and most write to the journal.
type Trace = (Option<SystemTime>, Option<SystemTime>);

impl Lock {
    /// Takes the lock of a journal, whose path is absolute; waits for it, and breaks one whose holder is gone. `unique` is a name that no other
    /// worker has.
    pub(super) fn take(journal: &Path, unique: &str, clock: &dyn Clock) -> io::Result<Lock> {
        let beside = |suffix: &str| {
            let mut path = journal.as_os_str().to_owned();
            path.push(suffix);
            PathBuf::from(path)
        };
        let (path, aside) = (beside(".lock"), beside(&format!(".lock{unique}.rename")));
        let mut pause = Duration::from_millis(1);
        let mut seen: Option<(Trace, Duration)> = None;
        loop {
            match make(journal, &path) {
                Ok(()) => return Ok(Lock { path, aside }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            let trace = trace(&path);
            let now = clock.elapsed();
            match &seen {
                Some((before, since)) if *before == trace => {
                    if now.saturating_sub(*since) > GRACE {
                        // Two workers may come here at once. The second moves a lock that the first has just made, unless it looks once more;
                        // between that look and the move little time is left, and whoever writes reads back what became of it.
                        if self::trace(&path) == trace {
                            release(&path, &aside);
                        }
                        (seen, pause) = (None, Duration::from_millis(1));
                        continue;
                    }
                }
                _ => seen = Some((trace, now)),
            }
            clock.sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        release(&self.path, &self.aside);
    }
}

/// Moves the lock away, then removes it: on network file systems a removal may be repeated, and would then meet the next holder's.
fn release(lock: &Path, aside: &Path) {
    // Where it is not there, others took this process for gone. What it wrote meanwhile is whole, as each record is one write.
    if fs::rename(lock, aside).is_ok() {
        let _ = fs::remove_file(aside);
    }
}

/// Makes the lock: a link, or where there are no links, a file.
fn make(journal: &Path, lock: &Path) -> io::Result<()> {
    // The target is absolute: Optuna looks up through the link when the journal was changed, and spins where that fails.
    #[cfg(unix)]
    match std::os::unix::fs::symlink(journal, lock) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {}
        done => return done,
    }
    let _ = journal;
    fs::OpenOptions::new().write(true).create_new(true).open(lock).map(drop)
}

fn trace(lock: &Path) -> Trace {
    let changed = |metadata: io::Result<fs::Metadata>| metadata.and_then(|metadata| metadata.modified()).ok();
    (changed(fs::symlink_metadata(lock)), changed(fs::metadata(lock)))
}
