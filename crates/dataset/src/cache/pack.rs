//! Packs: the decoded pixels of one run, in one immutable file.
//!
//! `v1/pixels/<rule>/<unique>.pack`, little-endian. Inputs of a rule have one length, so that a slot is a place; images that are kept in
//! sizes of their own have their places in the index.
//!
//! | what | bytes |
//! |---|---|
//! | magic; bytes of an entry, or for sizes of their own the samples of a pixel | 8 + 8 |
//! | pixels of each entry, one after the other | the sum of their lengths |
//! | index: content hash of the file, checksum of the pixels, for each entry; and for sizes of their own: rows, columns | count x (16 + 8 (+ 4 + 4)) |
//! | count, XXH3-128 of the header, the index and the count | 8 + 16 |
//!
//! The index comes last so that a pack can be written in one pass. Its checksum is checked when a pack is opened, that of
//! an entry when it is read.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use pupila_image::Fit;
use twox_hash::XxHash3_128;

use super::{Cache, DECODER, MAX_PACKS, read_at, unique_name};
use crate::held::{Lies, PackFile};
use crate::{Keep, ResizeRule};

const HEADER: u64 = 16;
const FOOTER: u64 = 24;

/// What the entries of a pack are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// So many bytes each.
    OneLength(u64),
    /// Images of so many samples a pixel, each with a size of its own.
    OwnSizes(u8),
}

impl Form {
    fn header(self) -> [u8; HEADER as usize] {
        let (magic, number) = match self {
            Form::OneLength(bytes) => (b"PUPPACK1", bytes),
            Form::OwnSizes(channels) => (b"PUPPACK2", u64::from(channels)),
        };
        let mut header = [0; HEADER as usize];
        header[..8].copy_from_slice(magic);
        header[8..].copy_from_slice(&number.to_le_bytes());
        header
    }

    /// Bytes of an entry in the index.
    fn index_entry(self) -> usize {
        match self {
            Form::OneLength(_) => 24,
            Form::OwnSizes(_) => 32,
        }
    }

    /// Bytes of an entry's pixels; `size` are its rows and columns, which one length has none of.
    fn bytes(self, size: [u32; 2]) -> u64 {
        match self {
            Form::OneLength(bytes) => bytes,
            Form::OwnSizes(channels) => {
                u64::from(size[0]).saturating_mul(u64::from(size[1])).saturating_mul(u64::from(channels))
            }
        }
    }
}

/// Where an image's pixels are in a pack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// The hash of the image file's content.
    pub(crate) content: u128,
    checksum: u64,
    at: u64,
    /// Rows and columns, where the pack is of images with sizes of their own.
    size: [u32; 2],
}

/// An opened pack. It stays readable while it is open, even if another process deletes the file.
pub(crate) struct Pack {
    path: PathBuf,
    file: File,
    form: Form,
    /// By slot.
    pub(crate) index: Vec<Entry>,
}

pub(crate) fn checksum(pixels: &[u8]) -> u64 {
    XxHash3_128::oneshot(pixels) as u64
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

impl Pack {
    fn open(path: &Path, form: Form) -> io::Result<Pack> {
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
        // The index lies within the file, so a damaged count can neither overflow nor ask for much memory.
        let index_bytes = count.checked_mul(form.index_entry() as u64);
        let index_at =
            index_bytes.and_then(|bytes| (len - FOOTER).checked_sub(bytes)).filter(|&at| at >= HEADER);
        let Some(index_at) = index_at.filter(|_| header == form.header()) else {
            return Err(damaged("its size does not fit its content"));
        };
        let mut index = vec![0; (len - FOOTER - index_at) as usize];
        read_exact_at(&file, &mut index, index_at)?;
        if index_checksum(&header, &index, count).to_le_bytes() != expected {
            return Err(damaged("its index is damaged"));
        }
        let mut at = HEADER;
        let entries = index.chunks_exact(form.index_entry()).map(|entry| {
            let number = |from: usize, len: usize| {
                entry[from..from + len].iter().rev().fold(0u128, |value, &byte| value << 8 | u128::from(byte))
            };
            let size = match form {
                Form::OneLength(_) => [0; 2],
                Form::OwnSizes(_) => [number(24, 4) as u32, number(28, 4) as u32],
            };
            let entry = Entry { content: number(0, 16), checksum: number(16, 8) as u64, at, size };
            at = at.saturating_add(form.bytes(size));
            entry
        });
        let entries: Vec<Entry> = entries.collect();
        if at != index_at {
            return Err(damaged("its size does not fit its content"));
        }
        Ok(Pack { path: path.to_owned(), file, form, index: entries })
    }

    /// Reads the pixels of a slot into `pixels`; false where they cannot be read, are damaged, or are not as many.
    pub(crate) fn read(&self, slot: usize, pixels: &mut [u8]) -> bool {
        let entry = &self.index[slot];
        self.form.bytes(entry.size) == pixels.len() as u64
            && read_exact_at(&self.file, pixels, entry.at).is_ok()
            && checksum(pixels) == entry.checksum
    }

    /// The pixels of a slot; none where they cannot be read, are damaged, or are not so many.
    pub(crate) fn checked(&self, slot: usize, bytes: usize) -> Option<Vec<u8>> {
        let mut pixels = vec![0; bytes];
        self.read(slot, &mut pixels).then_some(pixels)
    }

    /// Where a slot's pixels lie.
    pub(crate) fn lies(&self, slot: usize) -> Lies {
        let Entry { at, checksum, .. } = self.index[slot];
        Lies { at, checksum }
    }

    /// The file alone, to be read from as long as it is open.
    pub(crate) fn into_file(self) -> PackFile {
        PackFile { map: crate::held::map(&self.file), file: self.file }
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

/// A pack that is written entry by entry. What goes wrong is said once, and costs the pack alone.
pub(crate) struct PackWriter<'a> {
    cache: &'a Cache,
    form: Form,
    path: PathBuf,
    aside: PathBuf,
    file: Option<BufWriter<File>>,
    index: Vec<u8>,
    count: u64,
    bytes: u64,
}

impl<'a> PackWriter<'a> {
    pub(crate) fn begin(cache: &'a Cache, shelf: &Shelf) -> Self {
        let path = shelf.folder.join(format!("{}.pack", unique_name()));
        let aside = path.with_extension("tmp");
        let form = shelf.form;
        let begun = fs::create_dir_all(&shelf.folder).and_then(|()| {
            let mut file = BufWriter::with_capacity(1 << 20, File::create_new(&aside)?);
            file.write_all(&form.header())?;
            Ok(file)
        });
        let bytes = HEADER + FOOTER;
        let mut writer =
            PackWriter { cache, form, path, aside, file: None, index: Vec::new(), count: 0, bytes };
        match begun {
            Ok(file) => writer.file = Some(file),
            Err(error) => writer.give_up(&error),
        }
        writer
    }

    fn give_up(&mut self, error: &io::Error) {
        self.cache.warn(&self.path, error);
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.aside);
        }
    }

    /// Adds an image with its rows and columns, unless the pack would be larger than the cache may be.
    pub(crate) fn add(&mut self, content: u128, size: [u32; 2], pixels: &[u8]) {
        let Some(file) = &mut self.file else { return };
        let bytes = pixels.len() as u64 + self.form.index_entry() as u64;
        if self.bytes + bytes > self.cache.max_bytes {
            return;
        }
        if let Err(error) = file.write_all(pixels) {
            return self.give_up(&error);
        }
        self.bytes += bytes;
        self.index.extend_from_slice(&content.to_le_bytes());
        self.index.extend_from_slice(&checksum(pixels).to_le_bytes());
        if let Form::OwnSizes(_) = self.form {
            size.iter().for_each(|side| self.index.extend_from_slice(&side.to_le_bytes()));
        }
        self.count += 1;
    }

    /// Gives the pack its name, and keeps the size of the whole cache within its bound.
    pub(crate) fn finish(mut self) {
        let Some(mut file) = self.file.take() else { return };
        let (index, count) = (std::mem::take(&mut self.index), self.count);
        if count == 0 {
            drop(file);
            let _ = fs::remove_file(&self.aside);
            return;
        }
        let finished = (|| {
            file.write_all(&index)?;
            file.write_all(&count.to_le_bytes())?;
            file.write_all(&index_checksum(&self.form.header(), &index, count).to_le_bytes())?;
            file.flush()?;
            drop(file);
            fs::rename(&self.aside, &self.path)
        })();
        match finished {
            Ok(()) => self.cache.evict(),
            Err(error) => {
                let _ = fs::remove_file(&self.aside);
                self.cache.warn(&self.path, &error);
            }
        }
    }
}

fn index_checksum(header: &[u8], index: &[u8], count: u64) -> u128 {
    XxHash3_128::oneshot(&[header, index, &count.to_le_bytes()].concat())
}

/// An entry to be written: the content's hash, rows and columns where the pack is of sizes of their own, and the pixels.
pub(crate) type Fresh<'a> = (u128, [u32; 2], Cow<'a, [u8]>);

/// Writes a pack of `entries`, in one pass.
fn write_pack<'a>(
    out: &mut impl Write,
    form: Form,
    entries: impl Iterator<Item = io::Result<Fresh<'a>>>,
) -> io::Result<()> {
    let header = form.header();
    out.write_all(&header)?;
    let mut index = Vec::new();
    let mut count = 0u64;
    for entry in entries {
        let (content, size, pixels) = entry?;
        out.write_all(&pixels)?;
        index.extend_from_slice(&content.to_le_bytes());
        index.extend_from_slice(&checksum(&pixels).to_le_bytes());
        if let Form::OwnSizes(_) = form {
            size.iter().for_each(|side| index.extend_from_slice(&side.to_le_bytes()));
        }
        count += 1;
    }
    out.write_all(&index)?;
    out.write_all(&count.to_le_bytes())?;
    out.write_all(&index_checksum(&header, &index, count).to_le_bytes())
}

/// Where packs of entries of one kind are.
pub(crate) struct Shelf {
    folder: PathBuf,
    form: Form,
}

impl Cache {
    /// The packs of a rule's inputs.
    pub(crate) fn shelf(&self, rule: &ResizeRule) -> Shelf {
        Shelf { folder: self.rule_dir(rule), form: Form::OneLength(rule.bytes() as u64) }
    }

    /// The packs of the images that a rule keeps; inputs of every size are made of them.
    pub(crate) fn kept_shelf(&self, rule: &ResizeRule) -> Shelf {
        let decoding = match rule.keep {
            // How pictures would be resized is no matter here: one copy serves every interpolation.
            Some(Keep::Whole) => reading_name(rule),
            Some(Keep::ShorterSide(_)) | None => decoding_name(rule),
        };
        let name = format!("{}x{}{decoding}", kept_name(rule), rule.channels);
        Shelf { folder: self.pixels_dir().join(name), form: Form::OwnSizes(rule.channels) }
    }

    fn records_shelf(&self, kind: &str, bytes: usize) -> Shelf {
        let folder = self.pixels_dir().join(format!("{kind}-{bytes}-d{DECODER}"));
        Shelf { folder, form: Form::OneLength(bytes as u64) }
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
            slots.extend(pack.index.iter().enumerate().map(|(slot, entry)| (entry.content, (number, slot))));
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
                false => {
                    self.damaged.fetch_add(1, Ordering::Relaxed);
                    damaged[number] = true;
                }
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
        entries: impl ExactSizeIterator<Item = (u128, &'a [u8])> + Clone,
    ) {
        let entries = entries.map(|(content, bytes)| (content, [0; 2], Cow::Borrowed(bytes)));
        self.write_pack(&self.records_shelf(kind, bytes), entries);
    }

    pub(crate) fn rule_dir(&self, rule: &ResizeRule) -> PathBuf {
        // Whole images are kept, whatever is shown of them.
        let ResizeRule { width, height, channels, fit, keep, .. } = rule;
        let fit = match fit {
            Fit::Squash => String::new(),
            Fit::Crop { cover: [rows, columns] } => format!("-crop{rows}x{columns}"),
            Fit::Letterbox => "-letterbox".to_owned(),
        };
        let keep = keep.map_or(String::new(), |_| format!("-{}", kept_name(rule)));
        self.pixels_dir().join(format!("{width}x{height}x{channels}{fit}{keep}{}", decoding_name(rule)))
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
        let open = |path: PathBuf| match Pack::open(&path, shelf.form) {
            Ok(pack) => Some(pack),
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidData) => {
                self.damaged.fetch_add(1, Ordering::Relaxed);
                tracing::debug!("deleting the damaged pack {}: {error}", path.display());
                let _ = fs::remove_file(&path);
                None
            }
            // Deleted by another process since the folder was listed, or not ours to read.
            Err(_) => None,
        };
        paths.into_iter().filter_map(open).collect()
    }

    /// Writes a pack of `entries`, then merges the shelf's packs where they have become many, and
    /// keeps the size of the whole cache within its bound.
    pub(crate) fn write_pack<'a>(
        &self,
        shelf: &Shelf,
        entries: impl ExactSizeIterator<Item = Fresh<'a>> + Clone,
    ) {
        let form = shelf.form;
        let of_entry = |(_, _, pixels): Fresh<'_>| pixels.len() as u64 + form.index_entry() as u64;
        let bytes = HEADER + FOOTER + entries.clone().map(of_entry).sum::<u64>();
        let path = shelf.folder.join(format!("{}.pack", unique_name()));
        if bytes > self.max_bytes {
            let reason =
                format!("{bytes} bytes of pixels are more than the cache's bound of {}", self.max_bytes);
            self.warn(&path, &io::Error::other(reason));
            return;
        }
        match self.write(&path, |file| write_pack(file, form, entries.map(Ok))) {
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
        let form = shelf.form;
        let mut seen = HashSet::new();
        let entries = packs.iter().flat_map(|pack| (0..pack.index.len()).map(move |slot| (pack, slot)));
        let entries = entries.filter_map(|(pack, slot)| {
            let Entry { content, size, .. } = pack.index[slot];
            // As long as the file at most, since all entries of an opened pack lie within it.
            let mut pixels = vec![0; form.bytes(size) as usize];
            // A damaged entry is dropped, and so decoded again when it is next needed.
            (pack.read(slot, &mut pixels) && seen.insert(content)).then(|| Ok((content, size, pixels.into())))
        });
        let path = shelf.folder.join(format!("{}.pack", unique_name()));
        self.write(&path, |file| write_pack(file, form, entries))?;
        for pack in &packs {
            let _ = fs::remove_file(&pack.path);
        }
        Ok(())
    }
}

pub(crate) fn read_exact_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
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

/// The size at which a rule keeps images.
fn kept_name(rule: &ResizeRule) -> String {
    match rule.keep {
        Some(Keep::ShorterSide(side)) => format!("keep{side}"),
        Some(Keep::Whole) | None => "whole".to_owned(),
    }
}

/// Everything of a rule that decides what a pixel is, but for sizes.
fn decoding_name(rule: &ResizeRule) -> String {
    let ResizeRule { interpolation, antialias, scaled_decoding, .. } = rule;
    let antialias = if *antialias { "-antialias" } else { "" };
    let scaled = if *scaled_decoding { "-scaled" } else { "" };
    format!("-{interpolation}{antialias}{scaled}{}", reading_name(rule))
}

/// Everything of a rule that decides what a pixel of a picture is that is not resized.
fn reading_name(rule: &ResizeRule) -> String {
    let white = rule.reading.white.map_or(String::new(), |white| format!("-white{white}"));
    let black = rule.reading.black.map_or(String::new(), |black| format!("-black{black}"));
    let below =
        rule.reading.background.map_or(String::new(), |[r, g, b]| format!("-on{r:02x}{g:02x}{b:02x}"));
    format!("{white}{black}{below}-d{DECODER}")
}
