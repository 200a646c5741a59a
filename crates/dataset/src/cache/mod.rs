//! What is kept on disk between runs: facts about files ([`stat`]) and decoded pixels ([`pack`]).
//!
//! The cache never decides a result. Every file is immutable, appears whole under its name (written aside, then renamed)
//! and carries checksums, so any number of processes share the folder without locks, and a torn, damaged or deleted file
//! only means that some images are decoded again. When it cannot be written, the work goes on without it.

mod pack;
mod stat;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

pub(crate) use pack::{Pack, PackWriter, Shelf, checksum, read_exact_at};
pub(crate) use stat::{Facts, Stamp, StatIndex};

/// The folder's layout. A change of it is a new folder, and the old one is left to its own version.
const LAYOUT: &str = "v1";

/// What probing and decoding make of a file's bytes. To be raised whenever the pixels or the header of any file change.
const DECODER: u32 = 4;

/// So many packs of one resize rule are looked at quickly; more are merged.
const MAX_PACKS: usize = 16;

/// Files that a crashed process left half-written are deleted after this.
const STALE: Duration = Duration::from_secs(60 * 60);

/// A name that no other file has: containers that share the folder may give their processes the same ids, so the time is
/// a part of it. Names sort by age.
fn unique_name() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{now:020}-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// Reads at a place of a file, as much as comes at once. Several threads may read one file so.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, bytes, at);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, bytes, at);
}

/// A folder of decoded pixels and facts about files, shared by all runs on the machine.
#[derive(Debug)]
pub struct Cache {
    dir: PathBuf,
    max_bytes: u64,
    /// The time that is taken for now, where that isn't the system's.
    now: Option<SystemTime>,
    warnings: Mutex<Vec<String>>,
    /// Damaged files and entries that were met since somebody asked.
    damaged: AtomicUsize,
}

impl Clone for Cache {
    /// Another handle of the same folder, whose warnings are its own.
    fn clone(&self) -> Cache {
        Cache { now: self.now, ..Cache::open(&self.dir, self.max_bytes) }
    }
}

impl Cache {
    /// How large a cache may grow where nobody says otherwise: 4 GiB, which is 350,000 images of 64x64.
    pub const DEFAULT_MAX_BYTES: u64 = 4 << 30;

    /// The cache in the folder `dir`, which is made when something is first written. The least recently used packs are
    /// deleted where it would hold more than `max_bytes`.
    pub fn open(dir: impl Into<PathBuf>, max_bytes: u64) -> Cache {
        Cache {
            dir: dir.into(),
            max_bytes,
            now: None,
            warnings: Mutex::default(),
            damaged: AtomicUsize::default(),
        }
    }

    /// The same cache, to which it is always `now`, whatever the system's clock says: for tests, in which files that were
    /// just written are to be old, or old ones young. How old a file is decides whether the stat index trusts it and
    /// whether a crashed process left it behind.
    pub fn at(self, now: SystemTime) -> Cache {
        Cache { now: Some(now), ..self }
    }

    fn now(&self) -> SystemTime {
        self.now.unwrap_or_else(SystemTime::now)
    }

    /// The user's cache folder: `$PUPILA_CACHE_DIR`, or `pupila` in the system's place for caches (`$XDG_CACHE_HOME` or
    /// `~/.cache`, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows). `None` where there is no home.
    pub fn default_dir() -> Option<PathBuf> {
        // The XDG specification: a relative path is invalid and to be ignored.
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let absolute = |name: &str| set(name).filter(|path| path.is_absolute());
        let system = || {
            if cfg!(windows) {
                absolute("LOCALAPPDATA")
            } else if cfg!(target_os = "macos") {
                absolute("HOME").map(|home| home.join("Library/Caches"))
            } else {
                absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            }
        };
        set("PUPILA_CACHE_DIR").or_else(|| system().map(|caches| caches.join("pupila")))
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What went wrong since this was last asked. It slowed the work down, but changed no result.
    pub fn take_warnings(&self) -> Vec<String> {
        self.warnings.lock().map(|mut warnings| std::mem::take(&mut *warnings)).unwrap_or_default()
    }

    /// How many damaged packs, or entries of them, were met since this was last asked. What they held is made anew.
    pub fn take_damaged(&self) -> usize {
        self.damaged.swap(0, Ordering::Relaxed)
    }

    pub(crate) fn warn(&self, path: &Path, error: &io::Error) {
        let message = format!("the cache cannot use {}: {error}; going on without it", path.display());
        tracing::warn!("{message}");
        if let Ok(mut warnings) = self.warnings.lock() {
            warnings.push(message);
        }
    }

    /// Makes a file appear whole under its name: `fill` writes it aside first. There is no fsync: after a power failure
    /// the file may be torn, and its checksums tell.
    pub(crate) fn write(
        &self,
        path: &Path,
        fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.dir);
        fs::create_dir_all(folder)?;
        let aside = folder.join(format!("{}.tmp", unique_name()));
        let result = (|| {
            let mut file = BufWriter::with_capacity(1 << 18, File::create_new(&aside)?);
            fill(&mut file)?;
            file.flush()?;
            drop(file);
            fs::rename(&aside, path)
        })();
        if result.is_err() {
            let _ = fs::remove_file(&aside);
        }
        result
    }

    fn pixels_dir(&self) -> PathBuf {
        self.dir.join(LAYOUT).join("pixels")
    }

    fn stat_dir(&self) -> PathBuf {
        self.dir.join(LAYOUT).join("stat")
    }

    /// Deletes the least recently used files until at most `max_bytes` are left, and what crashed processes left behind.
    /// A file that another process deleted first is as good as deleted.
    fn evict(&self) {
        let mut files = Vec::new();
        let rules = fs::read_dir(self.pixels_dir()).into_iter().flatten().flatten().map(|rule| rule.path());
        for folder in rules.chain([self.stat_dir()]) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(metadata) = entry.metadata() else { continue };
                let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                let path = entry.path();
                if path.extension().is_some_and(|extension| extension == "tmp") {
                    if self.now().duration_since(used).is_ok_and(|age| age > STALE) {
                        let _ = fs::remove_file(path);
                    }
                    continue;
                }
                files.push((used, metadata.len(), path));
            }
        }
        let mut total: u64 = files.iter().map(|(_, len, _)| len).sum();
        files.sort();
        for (_, len, path) in files {
            if total <= self.max_bytes {
                break;
            }
            if fs::remove_file(&path).is_ok() {
                tracing::debug!("deleted {} from the cache", path.display());
            }
            total -= len;
        }
    }
}
