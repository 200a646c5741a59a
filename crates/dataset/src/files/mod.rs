//! The file system, in which an archive is a folder: `photos.zip/train/cat/1.jpg` is a file.
//!
//! Each function asks the system first. Only where it answers that a part of the path is no folder, an archive is looked for
//! on the way, so that plain folders cost nothing more. An archive is entered where a path goes through it, and nowhere
//! else: one that lies in a folder of images is a file.

mod archive;

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::fs::Metadata;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use archive::Archive;
pub(crate) use archive::Kind;

use pupila_image::{Budget, Held};

use crate::cache::Stamp;

/// The largest file that is read.
pub(crate) const MAX_FILE_BYTES: u64 = 2 << 30;

/// What is in a folder.
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) name: OsString,
    /// What a link points to decides; a broken one is a file.
    pub(crate) is_folder: bool,
}

/// What a path is.
pub(crate) enum There {
    Folder,
    /// A file, with what tells whether it has changed.
    File(Stamp),
    /// A pipe, a device.
    Other,
}

/// What is directly in a folder, in no order, as it is read.
pub(crate) fn entries(folder: &Path) -> io::Result<Box<dyn Iterator<Item = io::Result<Entry>>>> {
    let on_disk = match std::fs::read_dir(folder) {
        Ok(on_disk) => on_disk,
        Err(error) => {
            let listed = within(folder, error, |archive, inner| archive.entries(folder, inner))?;
            return Ok(Box::new(listed.into_iter().map(Ok)));
        }
    };
    let entry = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let is_folder = if kind.is_symlink() { path.is_dir() } else { kind.is_dir() };
        Ok(Entry { path, name: entry.file_name(), is_folder })
    };
    Ok(Box::new(on_disk.map(entry)))
}

/// What there is at a path.
pub(crate) fn there(path: &Path) -> io::Result<There> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(on_disk(&metadata)),
        Err(error) => within(path, error, |archive, inner| archive.there(inner)),
    }
}

fn on_disk(metadata: &Metadata) -> There {
    match metadata {
        _ if metadata.is_dir() => There::Folder,
        _ if metadata.is_file() => There::File(Stamp::of(metadata)),
        _ => There::Other,
    }
}

pub(crate) fn is_dir(path: &Path) -> bool {
    matches!(there(path), Ok(There::Folder))
}

/// Whether there is a file at a path, which may be in an archive.
pub fn is_file(path: &Path) -> bool {
    matches!(there(path), Ok(There::File(_)))
}

/// Whether there is something at a path, which may be in an archive.
pub fn exists(path: &Path) -> bool {
    there(path).is_ok()
}

/// The bytes of a file, which may be in an archive, as `photos.zip/cat/1.jpg` is.
///
/// # Errors
/// Where there is no such file, or it cannot be read, unpacked, or held.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    Ok(read_stamped(path)?.0)
}

/// The bytes of a file of at most `most` bytes, where [`MAX_FILE_BYTES`] are too few.
pub(crate) fn read_up_to(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    Ok(read(path, most)?.0)
}

/// The bytes of a file and its stamp from before it was read: if it changes meanwhile, the stamp is outdated.
pub(crate) fn read_stamped(path: &Path) -> io::Result<(Vec<u8>, Stamp)> {
    read(path, MAX_FILE_BYTES)
}

/// The bytes of a file of images, which are counted in a budget as long as this lives: who reads another large one waits.
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    pub(crate) stamp: Stamp,
    _held: Held<'static>,
}

/// The bytes of one of many files that are read at a time.
pub(crate) fn read_counted(path: &Path) -> io::Result<Content> {
    /// Beside what decoding takes (`pupila_image`): several of the largest photographs.
    static FILES: Budget = Budget::new(256 << 20);
    let _held = FILES.hold(length(path)?);
    let (bytes, stamp) = read_stamped(path)?;
    Ok(Content { bytes, stamp, _held })
}

/// How many bytes a file has; of one in an archive unpacked.
fn length(path: &Path) -> io::Result<u64> {
    match std::fs::metadata(path) {
        // A pipe or a device has none.
        Ok(metadata) => Ok(if metadata.is_file() { metadata.len() } else { 0 }),
        Err(error) => within(path, error, |archive, inner| archive.length(inner)),
    }
}

fn read(path: &Path, most: u64) -> io::Result<(Vec<u8>, Stamp)> {
    // Opening a pipe would wait for its other end for ever.
    if let There::Other | There::Folder = there(path)? {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) => return within(path, error, |archive, inner| archive.read(inner, most, None)),
    };
    let stamp = Stamp::of(&file.metadata()?);
    check_length(stamp.len, most)?;
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(stamp.len as usize).map_err(|_| io::ErrorKind::OutOfMemory)?;
    file.read_to_end(&mut bytes)?;
    Ok((bytes, stamp))
}

/// The first `bytes` bytes of a file.
pub(crate) fn read_start(path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for its other end for ever.
    if let There::Other | There::Folder = there(path)? {
        return Err(io::Error::other("it is not a regular file"));
    }
    match std::fs::File::open(path) {
        Ok(file) => {
            let mut start = Vec::new();
            file.take(bytes).read_to_end(&mut start)?;
            Ok(start)
        }
        Err(error) => {
            within(path, error, |archive, inner| Ok(archive.read(inner, MAX_FILE_BYTES, Some(bytes))?.0))
        }
    }
}

fn check_length(len: u64, most: u64) -> io::Result<()> {
    if len <= most {
        return Ok(());
    }
    Err(io::Error::other(format!("it has {len} bytes; files over {most} are not read")))
}

/// The path without links; in an archive the part inside is as it is.
///
/// # Errors
/// There is nothing there.
pub fn real(path: &Path) -> io::Result<PathBuf> {
    path.canonicalize().or_else(|error| {
        within(path, error, |archive, inner| {
            archive.there(inner)?;
            Ok(archive.path().canonicalize()?.join(inner))
        })
    })
}

/// What kind of archive a file is by its first bytes; `None` for other files, and for none.
pub(crate) fn archive_kind(path: &Path) -> Option<Kind> {
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    Kind::of(&read_start(path, Kind::BYTES).ok()?)
}

/// Whether a file is an archive by its content, or by its name where it is in another one.
pub(crate) fn is_archive(path: &Path) -> bool {
    let named = || {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        extension == "zip" || extension == "tar" || extension == "tgz"
    };
    match std::fs::metadata(path) {
        Ok(_) => archive_kind(path).is_some(),
        Err(_) => named(),
    }
}

/// The names of all files in the archive at `path`.
pub(crate) fn names_in(path: &Path) -> io::Result<Vec<String>> {
    Ok(archive_at(path)?.names().map(str::to_owned).collect())
}

/// The name of a file in the archive at `path` that another one has too.
pub(crate) fn repeated_in(path: &Path) -> io::Result<Option<String>> {
    Ok(archive_at(path)?.repeated().map(str::to_owned))
}

fn archive_at(path: &Path) -> io::Result<Arc<Archive>> {
    let archive = open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotADirectory => {
            io::Error::other("it lies in an archive, and archives in archives are not read")
        }
        _ => error,
    })?;
    archive.ok_or_else(|| io::Error::other("its content is no archive"))
}

/// Does something with the archive that a path goes through, and the path inside; the system's `error` where it is another,
/// or there is no archive.
fn within<T>(
    path: &Path,
    error: io::Error,
    work: impl FnOnce(&Archive, &Path) -> io::Result<T>,
) -> io::Result<T> {
    let may_be_inside = match error.kind() {
        io::ErrorKind::NotADirectory => true,
        io::ErrorKind::NotFound => cfg!(windows),
        _ => false,
    };
    if !may_be_inside {
        return Err(error);
    }
    let is_file = |above: &&Path| std::fs::metadata(above).is_ok_and(|found| found.is_file());
    match path.ancestors().find(is_file).map(open).transpose()?.flatten() {
        Some(archive) => work(&archive, path.strip_prefix(archive.path()).unwrap_or(Path::new(""))),
        None => Err(error),
    }
}

/// An archive that is listed once, by whoever comes first; the others wait for it. None where the file is none.
type Slot = Arc<OnceLock<Result<Option<Arc<Archive>>, (io::ErrorKind, String)>>>;

/// Archives whose contents were listed. They decide no result: an archive that changed is listed anew.
#[derive(Default)]
struct Opened {
    listed: BTreeMap<PathBuf, (Stamp, Slot)>,
    /// Those that keep their file open, the oldest first; there are so many of them, and shards are none of them.
    open: VecDeque<PathBuf>,
}

static OPENED: Mutex<Opened> = Mutex::new(Opened { listed: BTreeMap::new(), open: VecDeque::new() });

/// So many stay open: a process may often have no more than 256 open files.
const MOST_OPEN: usize = 8;

impl Opened {
    fn lock() -> MutexGuard<'static, Opened> {
        OPENED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&mut self, path: &Path, stamp: Stamp) -> Slot {
        match self.listed.get(path) {
            Some((of, slot)) if *of == stamp => Arc::clone(slot),
            _ => {
                let slot = Slot::default();
                self.listed.insert(path.to_owned(), (stamp, Arc::clone(&slot)));
                slot
            }
        }
    }

    fn forget(&mut self, path: &Path, slot: &Slot) {
        if self.listed.get(path).is_some_and(|(_, other)| Arc::ptr_eq(other, slot)) {
            self.listed.remove(path);
        }
    }

    /// Notes that an archive keeps its file open.
    fn keeps_open(&mut self, path: &Path) {
        self.open.retain(|other| other != path);
        self.open.push_back(path.to_owned());
        if self.open.len() > MOST_OPEN
            && let Some(oldest) = self.open.pop_front()
        {
            self.listed.remove(&oldest);
        }
    }
}

/// The archive at a path; `None` where the file is none.
fn open(path: &Path) -> io::Result<Option<Arc<Archive>>> {
    let stamp = Stamp::of(&std::fs::metadata(path)?);
    let slot = Opened::lock().slot(path, stamp);
    let mut is_first = false;
    let listed = slot.get_or_init(|| {
        is_first = true;
        let archive = archive_kind(path).map(|kind| Archive::open(path, kind).map(Arc::new)).transpose();
        archive.map_err(|error| (error.kind(), error.to_string()))
    });
    match listed {
        Ok(archive) => {
            if is_first && archive.as_ref().is_some_and(|archive| archive.keeps_open()) {
                Opened::lock().keeps_open(path);
            }
            Ok(archive.clone())
        }
        Err((kind, said)) => {
            // Not kept: a disk that was full may have room again.
            Opened::lock().forget(path, &slot);
            Err(io::Error::new(*kind, said.clone()))
        }
    }
}
