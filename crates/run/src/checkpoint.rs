//! Checkpoints: files that hold all that a run goes on with, in a folder of their own, oldest first by name.
//!
//! A file is the eight bytes [`MAGIC`], the format, the length of a header, the header as JSON, arrays of `f32` one behind the other, and the
//! XXH3-128 of all of it. Numbers are little-endian. The header says how long each array is. What the header and the arrays mean is the
//! trainer's matter; here they are brought to the disk and back, or not at all.
//!
//! One is written beside its place, brought to the disk, renamed, and the folder brought to the disk; only then are older ones removed. So at
//! every moment, power loss included, those that were there are whole.

use crate::disk::Disk;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use twox_hash::XxHash3_128;

/// How each file begins.
pub const MAGIC: &[u8; 8] = b"PUPILACK";
/// The version of the format.
const FORMAT: u32 = 1;
/// Bytes behind the arrays: the checksum.
const DIGEST: usize = 16;
/// Bytes before the header: magic, format, the header's length.
const FRONT: usize = 8 + 4 + 8;
/// Values that are turned into bytes at once.
const PIECE: usize = 1 << 16;

/// A checkpoint as a file holds it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CheckpointFile {
    /// What is said of the run, as JSON.
    pub header: Vec<u8>,
    /// The arrays.
    pub arrays: Vec<Vec<f32>>,
}

/// A file that is no whole checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its bytes are not those that were written.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What shows it.
        what: String,
    },
    /// Another version wrote it.
    #[error("{} is of format {format}, and this is Pupila {}, which reads format {FORMAT}: use the Pupila that wrote it", path.display(), env!("CARGO_PKG_VERSION"))]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u32,
    },
}

/// The lengths of the arrays, in front of what the trainer says.
#[derive(Serialize, Deserialize)]
struct Lengths {
    arrays: Vec<u64>,
}

/// Writes a header, the same bytes each time: it is counted first, and never held whole. That of a run of many epochs is long.
pub type HeaderWriter<'a> = &'a dyn Fn(&mut dyn Write) -> io::Result<()>;

/// Counts what is written, takes it into the checksum, and hands it on.
struct Sealing<W> {
    to: W,
    hasher: XxHash3_128,
    written: u64,
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.to.write(bytes)?;
        self.hasher.write(&bytes[..taken]);
        self.written += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Writes a checkpoint's parts: the header and arrays, with the checksum of all behind them. The number of bytes.
fn write_parts(to: &mut dyn Write, header: HeaderWriter<'_>, arrays: &[&[f32]]) -> io::Result<u64> {
    let mut lengths =
        serde_json::to_vec(&Lengths { arrays: arrays.iter().map(|array| array.len() as u64).collect() })?;
    lengths.push(b'\n');
    let mut counted = Sealing { to: io::sink(), hasher: XxHash3_128::new(), written: 0 };
    header(&mut counted)?;
    let length = lengths.len() as u64 + counted.written;
    let to = BufWriter::with_capacity(4 * PIECE, to);
    let mut to = Sealing { to, hasher: XxHash3_128::new(), written: 0 };
    to.write_all(MAGIC)?;
    to.write_all(&FORMAT.to_le_bytes())?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&lengths)?;
    header(&mut to)?;
    if to.written != FRONT as u64 + length {
        return Err(io::Error::other("the header was another the second time"));
    }
    let mut bytes = Vec::with_capacity(4 * PIECE);
    for piece in arrays.iter().flat_map(|array| array.chunks(PIECE)) {
        bytes.clear();
        bytes.extend(piece.iter().flat_map(|value| value.to_le_bytes()));
        to.write_all(&bytes)?;
    }
    let Sealing { mut to, hasher, written } = to;
    to.write_all(&hasher.finish_128().to_le_bytes())?;
    to.flush()?;
    Ok(written + DIGEST as u64)
}

impl CheckpointFile {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, is damaged in any bit, or is of another format.
    pub fn read(path: &Path) -> Result<CheckpointFile, CheckpointError> {
        let bytes = crate::read_regular(path)
            .map_err(|source| CheckpointError::Io { path: path.to_owned(), source })?;
        CheckpointFile::of_bytes(path, &bytes)
    }

    /// Reads the bytes of a checkpoint file. `path` is its name in errors.
    ///
    /// # Errors
    /// They are damaged in any bit, or of another format.
    pub fn of_bytes(path: &Path, bytes: &[u8]) -> Result<CheckpointFile, CheckpointError> {
        let damaged = |what: &str| CheckpointError::Damaged { path: path.to_owned(), what: what.to_owned() };
        let Some(all) = bytes.len().checked_sub(DIGEST).filter(|all| *all >= FRONT) else {
            return Err(damaged(&format!("it has {} bytes, fewer than any has", bytes.len())));
        };
        let (all, digest) = bytes.split_at(all);
        let (magic, rest) = all.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(damaged("it does not begin as a checkpoint does"));
        }
        if XxHash3_128::oneshot(all).to_le_bytes() != digest {
            return Err(damaged("its checksum is another"));
        }
        let format = u32::from_le_bytes(rest[..4].try_into().unwrap_or_default());
        if format != FORMAT {
            return Err(CheckpointError::Format { path: path.to_owned(), format });
        }
        let length = u64::from_le_bytes(rest[4..12].try_into().unwrap_or_default());
        let rest = &rest[12..];
        // What follows is as it was written, or the checksum would be another; it is checked all the same.
        let header = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
        let (header, mut rest) = header.ok_or_else(|| damaged("its header is longer than the file"))?;
        let split = header.iter().position(|&byte| byte == b'\n').unwrap_or(header.len());
        let (lengths, header) = header.split_at(split);
        let lengths: Lengths =
            serde_json::from_slice(lengths).map_err(|error| damaged(&format!("its header: {error}")))?;
        let mut arrays = Vec::with_capacity(lengths.arrays.len());
        for length in lengths.arrays {
            let length = usize::try_from(length).ok().and_then(|length| length.checked_mul(4));
            let part = length.and_then(|length| rest.split_at_checked(length));
            let (array, behind) = part.ok_or_else(|| damaged("its arrays are longer than the file"))?;
            arrays.push(array.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect());
            rest = behind;
        }
        if !rest.is_empty() {
            return Err(damaged("it is longer than its arrays"));
        }
        Ok(CheckpointFile { header: header.get(1..).unwrap_or_default().to_vec(), arrays })
    }

    /// The bytes of a file that holds this.
    ///
    /// # Errors
    /// The header cannot be written as JSON.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        let arrays: Vec<&[f32]> = self.arrays.iter().map(Vec::as_slice).collect();
        let mut bytes = Vec::new();
        write_parts(&mut bytes, &|to| to.write_all(&self.header), &arrays)?;
        Ok(bytes)
    }
}

/// The checkpoints of a run.
#[derive(Debug, Clone)]
pub struct CheckpointFolder {
    path: PathBuf,
}

impl CheckpointFolder {
    /// The name in the run folder.
    pub const NAME: &'static str = "checkpoints";
    /// How the files' names end.
    const EXTENSION: &'static str = "checkpoint";

    /// Those of a run folder. None need be there.
    pub fn of(run: &Path) -> Self {
        CheckpointFolder { path: run.join(Self::NAME) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the one behind so many batches of an epoch: by name they are in the order of the run.
    pub fn name(epoch: u32, batches: usize) -> String {
        format!("epoch{epoch:07}-batch{batches:09}.{}", Self::EXTENSION)
    }

    /// Whether a file of this name in the folder is one of ours.
    pub fn is_its(name: &str) -> bool {
        name.strip_suffix(".partial").unwrap_or(name).ends_with(".checkpoint")
    }

    /// The files, oldest first.
    pub fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> =
            // A pipe would be waited for, and a folder is nothing that was written here.
            entries.filter(|path| path.extension().is_some_and(|end| end == Self::EXTENSION) && path.is_file()).collect();
        files.sort();
        files
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> u64 {
        self.files().iter().filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum()
    }

    /// Writes one, and removes all but the `keep` newest. `before` are files that it counts on: they are brought to the disk first. The bytes.
    ///
    /// # Errors
    /// What failed, with its path. Those that were there are as they were.
    pub fn write(
        &self,
        disk: &dyn Disk,
        name: &str,
        header: HeaderWriter<'_>,
        arrays: &[&[f32]],
        keep: usize,
        before: &[PathBuf],
    ) -> Result<u64, (PathBuf, io::Error)> {
        let of = |path: &Path| {
            let path = path.to_owned();
            move |error| (path, error)
        };
        if let Err(error) = fs::create_dir_all(&self.path) {
            return Err((self.path.clone(), error));
        }
        for path in before {
            disk.sync(path).map_err(of(path))?;
        }
        let place = self.path.join(name);
        let partial = self.path.join(format!("{name}.partial"));
        let mut bytes = 0;
        let written = disk
            .write(&partial, &mut |file| {
                bytes = write_parts(file, header, arrays)?;
                Ok(())
            })
            .and_then(|()| disk.sync(&partial))
            .map_err(of(&partial))
            .and_then(|()| disk.rename(&partial, &place).map_err(of(&place)))
            .and_then(|()| disk.sync_folder(&self.path).map_err(of(&self.path)));
        if written.is_err() {
            // The first error is the one to tell; a partial file that stays is only untidy.
            let _ = disk.remove(&partial);
        }
        written?;
        // The folder's own name, which is new with the first one.
        if let Some(run) = self.path.parent() {
            disk.sync_folder(run).map_err(of(run))?;
        }
        let files = self.files();
        // By name those of a later place, which another resume has left, are newer: this one is kept whatever they are.
        let old = files.iter().filter(|path| **path != place);
        let surplus = files.len().saturating_sub(keep.max(1));
        for path in old.take(surplus) {
            disk.remove(path).map_err(of(path))?;
        }
        Ok(bytes)
    }

    /// Removes all but the newest, where that is whole. Whether any was removed.
    pub fn thin(&self, disk: &dyn Disk) -> bool {
        let mut files = self.files();
        let is_whole = files.pop().is_some_and(|newest| CheckpointFile::read(&newest).is_ok());
        let removed = files.iter().filter(|file| is_whole && disk.remove(file).is_ok());
        removed.count() > 0
    }

    /// Removes all of them, what a killed process has left of one too, and the folder.
    ///
    /// # Errors
    /// What cannot be removed.
    pub fn remove(&self, disk: &dyn Disk) -> Result<(), (PathBuf, io::Error)> {
        for path in self.files() {
            disk.remove(&path).map_err(|error| (path, error))?;
        }
        for entry in fs::read_dir(&self.path).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|end| end == "partial") {
                let _ = fs::remove_file(entry.path());
            }
        }
        // Of what somebody else has put there nothing is removed.
        let _ = fs::remove_dir(&self.path);
        Ok(())
    }
}
