//! The file system as what must not be lost sees it: files are written, brought to the disk, renamed and removed, each a step that may fail,
//! or be the last one that a process does.
//!
//! It is a trait so that the tests have disks that forget what was not brought to them ([`crate::checkpoint`]'s tests).
//!
//! For tests of the whole program the variable `PUPILA_TEST_FAULT` makes one of these steps the last one: `abort@rename:2` ends the process
//! right before the second rename, as SIGKILL would, and `enospc@write:3` makes the third write fail for want of space. Without the
//! variable nothing of it exists.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file system.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Makes a file with this content, in the place of one that is there.
    ///
    /// # Errors
    /// It cannot be made or not be written whole; a part of it may be there then.
    fn write(&self, path: &Path, content: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>)
    -> io::Result<()>;

    /// Brings a file's content to the disk itself.
    ///
    /// # Errors
    /// The disk refuses: what was written may be lost.
    fn sync(&self, path: &Path) -> io::Result<()>;

    /// Brings the names in a folder to the disk itself.
    ///
    /// # Errors
    /// The disk refuses: files that were made or renamed in it may be lost.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Gives a file another name, in the place of one that is there.
    ///
    /// # Errors
    /// The file system refuses.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The file system refuses.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn write(
        &self,
        path: &Path,
        content: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        fault("open")?;
        let mut file = Parts(File::create(path)?);
        content(&mut file)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        fault("fsync")?;
        // For writing: some systems bring only to the disk what the same file may write.
        where_it_can(File::options().append(true).open(path)?.sync_all())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        fault("fsync")?;
        // Other systems open no folder, and have the names on the disk by themselves.
        if cfg!(unix) { where_it_can(File::open(path)?.sync_all()) } else { Ok(()) }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fault("rename")?;
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fault("unlink")?;
        fs::remove_file(path)
    }
}

/// A file whose writes are steps.
struct Parts(File);

impl Write for Parts {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        fault("write")?;
        self.0.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A file system that cannot is no reason to lose what was written; a disk that fails is.
fn where_it_can(synced: io::Result<()>) -> io::Result<()> {
    match synced {
        Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput) => {
            Ok(())
        }
        synced => synced,
    }
}

/// What a test wants to go wrong.
#[derive(Debug)]
struct Fault {
    what: io::Result<()>,
    step: String,
    at: u64,
    seen: AtomicU64,
}

impl Fault {
    /// `abort@write:3`, `enospc@fsync:1`; `every` in the place of a number is all of them.
    fn parse(text: &str) -> Option<Fault> {
        let (what, place) = text.split_once('@')?;
        let (step, at) = place.split_once(':')?;
        // Numbers of Linux, where these tests run.
        let what = match what {
            "abort" => Ok(()),
            "enospc" => Err(io::Error::from_raw_os_error(28)),
            "eio" => Err(io::Error::from_raw_os_error(5)),
            "eacces" => Err(io::Error::from_raw_os_error(13)),
            "emfile" => Err(io::Error::from_raw_os_error(24)),
            _ => return None,
        };
        let at = if at == "every" { 0 } else { at.parse().ok()? };
        Some(Fault { what, step: step.to_owned(), at, seen: AtomicU64::new(0) })
    }
}

/// A step of the kind is about to be done: fails, or ends the process, where a test wants it to.
///
/// # Errors
/// What the test wants.
pub fn fault(step: &str) -> io::Result<()> {
    static WANTED: OnceLock<Option<Fault>> = OnceLock::new();
    let wanted = WANTED.get_or_init(|| Fault::parse(&std::env::var("PUPILA_TEST_FAULT").ok()?));
    let Some(fault) = wanted.as_ref().filter(|fault| fault.step == step) else { return Ok(()) };
    let seen = 1 + fault.seen.fetch_add(1, Ordering::Relaxed);
    if fault.at != 0 && fault.at != seen {
        return Ok(());
    }
    match &fault.what {
        // Nothing is flushed and no destructor runs, as behind SIGKILL.
        Ok(()) => std::process::abort(),
        Err(error) => {
            Err(error.raw_os_error().map_or_else(|| io::Error::other("fault"), io::Error::from_raw_os_error))
        }
    }
}
