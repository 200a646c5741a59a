//! The stat index: what a scan learnt of each file of a folder, so that the next one need not open it.
//!
//! A file is taken for unchanged while its length, its modification and change times and its inode are. Times have a
//! granularity, so a file that was changed just before it was read could change again without a trace: entries with times
//! that recent are not kept (git's "racy" entries). On Unix the change time also catches files that were replaced with
//! the old modification time.
//!
//! `v1/stat/<hash of the root>.idx`, little-endian: magic, entries of [`ENTRY`] bytes, XXH3-128 of all before it.

use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use twox_hash::XxHash3_128;

use super::{Cache, DECODER};

const MAGIC: [u8; 8] = *b"PUPSTAT1";
const ENTRY: usize = 80;
const RACY_NS: i64 = 2_000_000_000;

/// What is known of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) content: u128,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) channels: u8,
    /// Pictures in the file, of which the first is read.
    pub(crate) pages: u32,
}

/// By what a change of a file is noticed without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) len: u64,
    modified_ns: i64,
    changed_ns: i64,
    inode: u64,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Stamp {
        #[cfg(unix)]
        let (changed_ns, inode) = {
            use std::os::unix::fs::MetadataExt;
            (
                metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec()),
                metadata.ino(),
            )
        };
        #[cfg(not(unix))]
        let (changed_ns, inode) = (0, 0);
        // Without a modification time a file counts as just changed, so it is never trusted.
        let modified_ns = metadata.modified().map_or(i64::MAX, nanoseconds);
        Stamp { len: metadata.len(), modified_ns, changed_ns, inode }
    }

    /// That of a part of the file, of `len` bytes: it changes with the file.
    pub(crate) fn with_len(self, len: u64) -> Stamp {
        Stamp { len, ..self }
    }

    fn last_change_ns(&self) -> i64 {
        self.modified_ns.max(self.changed_ns)
    }
}

fn nanoseconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    }
}

/// The facts of one folder's files.
#[derive(Debug, Default)]
pub(crate) struct StatIndex {
    entries: HashMap<u128, (Stamp, Facts)>,
}

impl StatIndex {
    /// The name of a file in the index of `root`.
    pub(crate) fn key(root: &Path, path: &Path) -> u128 {
        XxHash3_128::oneshot(path.strip_prefix(root).unwrap_or(path).as_os_str().as_encoded_bytes())
    }

    /// What is known of a file, if it still has the same stamp.
    pub(crate) fn get(&self, key: u128, stamp: &Stamp) -> Option<Facts> {
        self.entries.get(&key).filter(|(known, _)| known == stamp).map(|(_, facts)| *facts)
    }

    /// The entries of other files than those with `keys`.
    pub(crate) fn others(&self, keys: &HashSet<u128>) -> impl Iterator<Item = (u128, Stamp, Facts)> {
        let others = self.entries.iter().filter(|(key, _)| !keys.contains(key));
        others.map(|(key, (stamp, facts))| (*key, *stamp, *facts))
    }

    fn parse(bytes: &[u8]) -> Option<StatIndex> {
        let body = bytes.len().checked_sub(16)?;
        let (body, checksum) = bytes.split_at(body);
        let entries = body.strip_prefix(&MAGIC)?.strip_prefix(&DECODER.to_le_bytes())?;
        if entries.len() % ENTRY != 0 || XxHash3_128::oneshot(body).to_le_bytes() != checksum {
            return None;
        }
        let entries = entries.chunks_exact(ENTRY).map(|entry| {
            let mut fields = Fields(entry);
            let key = u128::from_le_bytes(fields.take());
            let stamp = Stamp {
                len: u64::from_le_bytes(fields.take()),
                modified_ns: i64::from_le_bytes(fields.take()),
                changed_ns: i64::from_le_bytes(fields.take()),
                inode: u64::from_le_bytes(fields.take()),
            };
            let content = u128::from_le_bytes(fields.take());
            let (width, height) = (u32::from_le_bytes(fields.take()), u32::from_le_bytes(fields.take()));
            let channels_and_pages = u64::from_le_bytes(fields.take());
            let (channels, pages) = (channels_and_pages as u8, (channels_and_pages >> 32) as u32);
            let facts = Facts { content, width, height, channels, pages };
            (key, (stamp, facts))
        });
        Some(StatIndex { entries: entries.collect() })
    }
}

/// Takes fields of fixed size off the front of an entry, which holds all of them.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.0[..N]);
        self.0 = &self.0[N..];
        field
    }
}

impl Cache {
    fn stat_path(&self, root: &Path) -> PathBuf {
        let real = crate::files::real(root).unwrap_or_else(|_| root.to_owned());
        let hash = XxHash3_128::oneshot(real.as_os_str().as_encoded_bytes());
        self.stat_dir().join(format!("{hash:032x}.idx"))
    }

    /// What earlier scans of `root` wrote; nothing where there is no index, or a damaged one.
    pub(crate) fn stat_index(&self, root: &Path) -> StatIndex {
        let Ok(mut file) = File::open(self.stat_path(root)) else { return StatIndex::default() };
        let mut bytes = Vec::new();
        if file.read_to_end(&mut bytes).is_err() {
            return StatIndex::default();
        }
        // In use, for the eviction; it does no harm where that fails.
        let _ = file.set_modified(SystemTime::now());
        StatIndex::parse(&bytes).unwrap_or_default()
    }

    /// Replaces the index of `root`. Files that changed in the last moments are left out.
    pub(crate) fn write_stat_index(&self, root: &Path, entries: impl Iterator<Item = (u128, Stamp, Facts)>) {
        let trusted_until = nanoseconds(self.now()).saturating_sub(RACY_NS);
        let mut bytes = [&MAGIC[..], &DECODER.to_le_bytes()].concat();
        for (key, stamp, facts) in entries.filter(|(_, stamp, _)| stamp.last_change_ns() < trusted_until) {
            bytes.extend_from_slice(&key.to_le_bytes());
            bytes.extend_from_slice(&stamp.len.to_le_bytes());
            bytes.extend_from_slice(&stamp.modified_ns.to_le_bytes());
            bytes.extend_from_slice(&stamp.changed_ns.to_le_bytes());
            bytes.extend_from_slice(&stamp.inode.to_le_bytes());
            bytes.extend_from_slice(&facts.content.to_le_bytes());
            bytes.extend_from_slice(&facts.width.to_le_bytes());
            bytes.extend_from_slice(&facts.height.to_le_bytes());
            let channels_and_pages = u64::from(facts.channels) | u64::from(facts.pages) << 32;
            bytes.extend_from_slice(&channels_and_pages.to_le_bytes());
        }
        let checksum = XxHash3_128::oneshot(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        let path = self.stat_path(root);
        if let Err(error) = self.write(&path, |file| file.write_all(&bytes)) {
            self.warn(&path, &error);
        }
    }
}
