//! Packs: the decoded pixels of one run, in one immutable file.
//!
//! `v1/pixels/<rule>/<unique>.pack`, little-endian. All entries of a rule have the same length, so a slot is a place:
//!
//! | what | bytes |
//! |---|---|
//! | magic, bytes of an entry | 8 + 8 |
//! | pixels of each entry | count x entry |
//! | index: content hash of the file, checksum of the pixels, for each entry | count x (16 + 8) |
//! | count, XXH3-128 of the magic, the index and the count | 8 + 16 |
//!
//! The index comes last so that a pack can be written in one pass. Its checksum is checked when a pack is opened, that of
//! an entry when it is read.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use twox_hash::XxHash3_128;

use super::{Cache, DECODER, MAX_PACKS, read_at, unique_name};
use crate::ResizeRule;

const MAGIC: [u8; 8] = *b"PUPPACK1";
const HEADER: u64 = 16;
const INDEX_ENTRY: u64 = 24;
const FOOTER: u64 = 24;

/// An opened pack. It stays readable while it is open, even if another process deletes the file.
pub(crate) struct Pack {
    path: PathBuf,
    file: File,
    entry_bytes: u64,
    /// (content hash of the image file, checksum of its pixels) by slot.
    pub(crate) index: Vec<(u128, u64)>,
}

fn checksum(pixels: &[u8]) -> u64 {
    XxHash3_128::oneshot(pixels) as u64
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl Pack {
    fn open(path: &Path, entry_bytes: u64) -> io::Result<Pack> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        let (mut header, mut footer) = ([0; HEADER as usize], [0; FOOTER as usize]);
        if len < HEADER + FOOTER {
            return Err(damaged("it is too short"));
        }
        read_exact_at(&file, &mut header, 0)?;
        read_exact_at(&file, &mut footer, len - FOOTER)?;
        let (count, expected) = footer.split_at(8);
        let count = count.iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
        // The length fixes the count, so a damaged one can neither overflow nor ask for much memory.
        let fits = count
            .checked_mul(entry_bytes + INDEX_ENTRY)
            .is_some_and(|bytes| bytes.checked_add(HEADER + FOOTER) == Some(len));
        if header != header_of(entry_bytes) || !fits {
            return Err(damaged("its size does not fit its content"));
        }
        let mut index = vec![0; (count * INDEX_ENTRY) as usize];
        read_exact_at(&file, &mut index, HEADER + count * entry_bytes)?;
        if index_checksum(&header, &index, count).to_le_bytes() != expected {
            return Err(damaged("its index is damaged"));
        }
        let index = index.chunks_exact(INDEX_ENTRY as usize).map(|entry| {
            let (mut content, mut checksum) = ([0; 16], [0; 8]);
            content.copy_from_slice(&entry[..16]);
            checksum.copy_from_slice(&entry[16..]);
            (u128::from_le_bytes(content), u64::from_le_bytes(checksum))
        });
        let index = index.collect();
        Ok(Pack { path: path.to_owned(), file, entry_bytes, index })
    }

    /// Reads the pixels of a slot into `pixels`; false where they cannot be read or are damaged.
    pub(crate) fn read(&self, slot: usize, pixels: &mut [u8]) -> bool {
        let at = HEADER + slot as u64 * self.entry_bytes;
        read_exact_at(&self.file, pixels, at).is_ok() && checksum(pixels) == self.index[slot].1
    }

    /// Notes that the pack is in use, for the eviction. Where that fails (a cache that belongs to someone else, or
    /// Windows, which wants the file opened for writing) the oldest pack goes first instead of the least recently used.
    pub(crate) fn touch(&self) {
        let _ = self.file.set_modified(SystemTime::now());
    }

    /// Deletes a damaged pack.
    pub(crate) fn delete(&self) {
        tracing::debug!("deleting the damaged pack {}", self.path.display());
        let _ = fs::remove_file(&self.path);
    }
}

fn header_of(entry_bytes: u64) -> [u8; HEADER as usize] {
    let mut header = [0; HEADER as usize];
    header[..8].copy_from_slice(&MAGIC);
    header[8..].copy_from_slice(&entry_bytes.to_le_bytes());
    header
}

fn index_checksum(header: &[u8], index: &[u8], count: u64) -> u128 {
    XxHash3_128::oneshot(&[header, index, &count.to_le_bytes()].concat())
}

/// Writes a pack of `entries`, in one pass.
fn write_pack<'a>(
    out: &mut impl Write,
    entry_bytes: u64,
    entries: impl Iterator<Item = io::Result<(u128, std::borrow::Cow<'a, [u8]>)>>,
) -> io::Result<()> {
    let header = header_of(entry_bytes);
    out.write_all(&header)?;
    let mut index = Vec::new();
    let mut count = 0u64;
    for entry in entries {
        let (content, pixels) = entry?;
        out.write_all(&pixels)?;
        index.extend_from_slice(&content.to_le_bytes());
        index.extend_from_slice(&checksum(&pixels).to_le_bytes());
        count += 1;
    }
    out.write_all(&index)?;
    out.write_all(&count.to_le_bytes())?;
    out.write_all(&index_checksum(&header, &index, count).to_le_bytes())
}

/// Where packs of entries of one kind and length are.
pub(crate) struct Shelf {
    folder: PathBuf,
    entry_bytes: u64,
}

impl Cache {
    /// The packs of a rule.
    pub(crate) fn shelf(&self, rule: &ResizeRule) -> Shelf {
        Shelf { folder: self.rule_dir(rule), entry_bytes: rule.bytes() as u64 }
    }

    fn records_shelf(&self, kind: &str, bytes: usize) -> Shelf {
        let folder = self.pixels_dir().join(format!("{kind}-{bytes}-d{DECODER}"));
        Shelf { folder, entry_bytes: bytes as u64 }
    }

    /// What is kept of the contents `wanted` under the name `kind`, which is that of a way to make `bytes` bytes of an image file's
    /// content: each is handed to `take` with its place in `wanted`. What is damaged or missing is passed over.
    pub fn read_records(
        &self,
        kind: &str,
        bytes: usize,
        wanted: &[u128],
        mut take: impl FnMut(usize, &[u8]),
    ) {
        let packs = self.packs(&self.records_shelf(kind, bytes));
        let mut slots: HashMap<u128, (usize, usize)> = HashMap::new();
        for (number, pack) in packs.iter().enumerate() {
            slots.extend(pack.index.iter().enumerate().map(|(slot, entry)| (entry.0, (number, slot))));
        }
        let mut record = vec![0; bytes];
        let (mut used, mut damaged) = (vec![false; packs.len()], vec![false; packs.len()]);
        for (place, content) in wanted.iter().enumerate() {
            let Some(&(number, slot)) = slots.get(content) else { continue };
            match packs[number].read(slot, &mut record) {
                true => {
                    used[number] = true;
                    take(place, &record);
                }
                false => damaged[number] = true,
            }
        }
        for ((pack, used), damaged) in packs.iter().zip(used).zip(damaged) {
            match (used, damaged) {
                // It would hide what is written for it anew.
                (_, true) => pack.delete(),
                (true, false) => pack.touch(),
                (false, false) => {}
            }
        }
    }

    /// Keeps records of contents, for [`Self::read_records`].
    pub fn write_records<'a>(
        &self,
        kind: &str,
        bytes: usize,
        entries: impl ExactSizeIterator<Item = (u128, &'a [u8])>,
    ) {
        self.write_pack(&self.records_shelf(kind, bytes), entries);
    }

    pub(crate) fn rule_dir(&self, rule: &ResizeRule) -> PathBuf {
        // Whole images are kept, whatever is shown of them.
        let ResizeRule { width, height, channels, interpolation, scaled_decoding, reading, show: _ } = rule;
        let scaled = if *scaled_decoding { "-scaled" } else { "" };
        let white = reading.white.map_or(String::new(), |white| format!("-white{white}"));
        let below = reading.background.map_or(String::new(), |[r, g, b]| format!("-on{r:02x}{g:02x}{b:02x}"));
        self.pixels_dir()
            .join(format!("{width}x{height}x{channels}-{interpolation}{scaled}{white}{below}-d{DECODER}"))
    }

    /// All readable packs of a shelf, in the order of their names. Damaged ones are deleted.
    pub(crate) fn packs(&self, shelf: &Shelf) -> Vec<Pack> {
        let folder = &shelf.folder;
        let mut paths: Vec<PathBuf> = match fs::read_dir(folder) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    self.warn(folder, &error);
                }
                return Vec::new();
            }
        };
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "pack"));
        paths.sort_unstable();
        let open = |path: PathBuf| match Pack::open(&path, shelf.entry_bytes) {
            Ok(pack) => Some(pack),
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData) => {
                tracing::debug!("deleting the damaged pack {}: {error}", path.display());
                let _ = fs::remove_file(&path);
                None
            }
            // Deleted by another process since the folder was listed, or not ours to read.
            Err(_) => None,
        };
        paths.into_iter().filter_map(open).collect()
    }

    /// Writes a pack of `entries` (content hash, pixels), then merges the shelf's packs where they have become many, and
    /// keeps the size of the whole cache within its bound.
    pub(crate) fn write_pack<'a>(
        &self,
        shelf: &Shelf,
        entries: impl ExactSizeIterator<Item = (u128, &'a [u8])>,
    ) {
        let entry_bytes = shelf.entry_bytes;
        let bytes = HEADER + FOOTER + entries.len() as u64 * (entry_bytes + INDEX_ENTRY);
        let path = shelf.folder.join(format!("{}.pack", unique_name()));
        if bytes > self.max_bytes {
            let reason =
                format!("{bytes} bytes of pixels are more than the cache's bound of {}", self.max_bytes);
            self.warn(&path, &io::Error::other(reason));
            return;
        }
        let entries = entries.map(|(content, pixels)| Ok((content, pixels.into())));
        match self.write(&path, |file| write_pack(file, entry_bytes, entries)) {
            Ok(()) => {
                if let Err(error) = self.merge(shelf) {
                    tracing::debug!("the packs in {} were not merged: {error}", shelf.folder.display());
                }
                self.evict();
            }
            Err(error) => self.warn(&path, &error),
        }
    }

    /// Makes one pack of the smallest ones where there are more than [`MAX_PACKS`], so that a large pack is not copied
    /// over and over. Another process may do the same at the same time: then entries are there twice for a while.
    fn merge(&self, shelf: &Shelf) -> io::Result<()> {
        let mut packs = self.packs(shelf);
        if packs.len() <= MAX_PACKS {
            return Ok(());
        }
        packs.sort_by_key(|pack| pack.index.len());
        packs.truncate(MAX_PACKS);
        let entry_bytes = shelf.entry_bytes;
        let mut seen = HashSet::new();
        let entries = packs.iter().flat_map(|pack| (0..pack.index.len()).map(move |slot| (pack, slot)));
        let entries = entries.filter_map(|(pack, slot)| {
            let content = pack.index[slot].0;
            let mut pixels = vec![0; entry_bytes as usize];
            // A damaged entry is dropped, and so decoded again when it is next needed.
            (pack.read(slot, &mut pixels) && seen.insert(content)).then(|| Ok((content, pixels.into())))
        });
        let path = shelf.folder.join(format!("{}.pack", unique_name()));
        self.write(&path, |file| write_pack(file, entry_bytes, entries))?;
        for pack in &packs {
            let _ = fs::remove_file(&pack.path);
        }
        Ok(())
    }
}

fn read_exact_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match read_at(file, bytes, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                bytes = &mut bytes[n..];
                at += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
