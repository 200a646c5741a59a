//! A zip or tar archive: what is in it, and the bytes of each file.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use zip::ZipArchive;
use zip::result::ZipError;

use super::{Entry, There, check_length};
use crate::cache::Stamp;

/// The largest tar file that is unpacked to a temporary file.
const MAX_UNPACKED: u64 = 64 << 30;

/// The kinds of archives, by their first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Zip,
    Tar,
    TarGz,
    /// Known and not read here: its name, and the command that unpacks it.
    Unread(&'static str, &'static str),
}

impl Kind {
    /// So many bytes tell.
    pub(crate) const BYTES: u64 = 1024;

    pub(crate) fn of(start: &[u8]) -> Option<Kind> {
        let is_tar = |start: &[u8]| start.get(257..262) == Some(b"ustar") || is_old_tar(start);
        match start {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Kind::Zip),
            [0x1F, 0x8B, 8, ..] => {
                let mut unpacked = Vec::new();
                // Cut short, so it ends with an error; a header of zeros packs well, and is in the first bytes.
                let _ = MultiGzDecoder::new(start).take(512).read_to_end(&mut unpacked);
                is_tar(&unpacked).then_some(Kind::TarGz)
            }
            [b'7', b'z', 0xBC, 0xAF, 0x27, 0x1C, ..] => Some(Kind::Unread("7z archive", "7z x")),
            [b'R', b'a', b'r', b'!', 0x1A, 7, ..] => Some(Kind::Unread("RAR archive", "unrar x")),
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Some(Kind::Unread("xz file", "tar -xf")),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Kind::Unread("bzip2 file", "tar -xf")),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Kind::Unread("Zstandard file", "tar -xf")),
            _ if is_tar(start) => Some(Kind::Tar),
            _ => None,
        }
    }
}

/// Whether a header's checksum is right, which the oldest tar files have instead of a magic number.
fn is_old_tar(header: &[u8]) -> bool {
    let Some(header) = header.get(..512).filter(|header| header[0] != 0) else { return false };
    let digits = |field: &[u8]| {
        let text: String = field.iter().map(|&b| char::from(b)).filter(char::is_ascii_digit).collect();
        u64::from_str_radix(&text, 8).ok()
    };
    let sum: u64 = header
        .iter()
        .enumerate()
        .map(|(at, &byte)| if (148..156).contains(&at) { 32 } else { byte.into() })
        .sum();
    digits(&header[148..156]) == Some(sum)
}

/// A file in an archive.
#[derive(Clone, Copy)]
enum Member {
    /// Its number in the zip archive.
    Zipped(usize),
    /// Where its bytes are in the tar archive.
    At { offset: u64, len: u64 },
}

/// An archive, listed.
pub(super) struct Archive {
    path: PathBuf,
    stamp: Stamp,
    members: HashMap<PathBuf, Member>,
    /// The first file of a name that another one has too.
    repeated: Option<String>,
    /// For each folder, the root being empty: what is directly in it, and whether that is a folder.
    folders: HashMap<PathBuf, BTreeMap<String, bool>>,
    zip: Option<ZipArchive<Window>>,
    /// The archive; unpacked, if it was compressed as a whole. `None` for plain tar files, of which there may be thousands, as
    /// shards are: they are opened whenever one of their files is read, as files of a folder are.
    file: Option<Arc<File>>,
}

fn damaged(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

impl Archive {
    /// Lists the archive at a path, which is of this kind.
    pub(super) fn open(path: &Path, kind: Kind) -> io::Result<Archive> {
        let file = File::open(path)?;
        // From before it is listed: if it changes meanwhile, the stamp is outdated.
        let stamp = Stamp::of(&file.metadata()?);
        let file = Arc::new(file);
        let mut archive = Archive {
            path: path.to_owned(),
            stamp,
            members: HashMap::new(),
            repeated: None,
            folders: HashMap::from([(PathBuf::new(), BTreeMap::new())]),
            zip: None,
            file: None,
        };
        match kind {
            Kind::Zip => {
                archive.list_zip(&file)?;
                archive.file = Some(file);
            }
            Kind::Tar => archive.list_tar(&file)?,
            Kind::TarGz => {
                // Its files cannot be read in any order while they are packed.
                let mut unpacked = tempfile::tempfile()?;
                let place = std::env::temp_dir();
                let mut packed =
                    MultiGzDecoder::new(BufReader::new(Window::of(&file)?)).take(MAX_UNPACKED + 1);
                let bytes = io::copy(&mut packed, &mut unpacked).map_err(|error| {
                    let place = place.display();
                    let said =
                        format!("it cannot be unpacked to {place} (TMPDIR names another place): {error}");
                    io::Error::new(error.kind(), said)
                })?;
                if bytes > MAX_UNPACKED {
                    return Err(damaged(format!(
                        "it unpacks to more than {MAX_UNPACKED} bytes; unpack it by `tar -xzf`"
                    )));
                }
                let unpacked = Arc::new(unpacked);
                archive.list_tar(&unpacked)?;
                archive.file = Some(unpacked);
            }
            Kind::Unread(what, command) => {
                let name = path.display();
                return Err(damaged(format!(
                    "a {what}, which is not read here: unpack it, such as by `{command} {name}`"
                )));
            }
        }
        Ok(archive)
    }

    fn list_zip(&mut self, file: &Arc<File>) -> io::Result<()> {
        let mut zip = ZipArchive::new(Window::of(file)?).map_err(|error| damaged(explain(&error)))?;
        // What lies there once would be read under many names: a small file would take for ever. A damaged member is told by itself.
        if zip.has_overlapping_files().unwrap_or(false) {
            return Err(damaged("its members lie one over the other, as no packer has them".to_owned()));
        }
        // Programs for Windows may write backslashes. They may also be part of a name, where slashes separate.
        let names: Vec<String> = (0..zip.len())
            .map(|number| match zip.name_for_index(number) {
                Some(Ok(name)) => name.into_owned(),
                _ => String::new(),
            })
            .collect();
        let of_windows = !names.iter().any(|name| name.contains('/'));
        for (number, name) in names.into_iter().enumerate() {
            let name = if of_windows { name.replace('\\', "/") } else { name };
            let member = (!name.ends_with('/')).then_some(Member::Zipped(number));
            self.add(&name, member);
        }
        self.zip = Some(zip);
        Ok(())
    }

    fn list_tar(&mut self, file: &Arc<File>) -> io::Result<()> {
        const BLOCK: u64 = 512;
        let whole = Window::of(file)?;
        let len = whole.end;
        // A header and a small file: what is read ahead of a large one is thrown away.
        let mut tar = tar::Archive::new(BufReader::with_capacity(1 << 11, whole));
        // The end of the last file, and links with what they name.
        let (mut end, mut links) = (0, Vec::new());
        for entry in tar.entries_with_seek()? {
            let entry = entry.map_err(|error| damaged(format!("its list of files is damaged: {error}")))?;
            let kind = entry.header().entry_type();
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            // A sparse file takes less room than it has bytes.
            let packed = if kind.is_gnu_sparse() { entry.header().entry_size()? } else { entry.size() };
            let offset = entry.raw_file_position();
            end = offset
                .checked_add(packed)
                .and_then(|end| end.checked_next_multiple_of(BLOCK))
                .unwrap_or(u64::MAX);
            if kind.is_file() || kind.is_contiguous() {
                self.add(&name, Some(Member::At { offset, len: entry.size() }));
            } else if (kind.is_hard_link() || kind.is_symlink())
                && let Some(target) = entry.link_name_bytes()
            {
                let target = String::from_utf8_lossy(&target).into_owned();
                // A symbolic link is seen from its own folder; an absolute one leads out of the archive.
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                let target = match kind.is_symlink() {
                    true if target.starts_with('/') => continue,
                    true => format!("{folder}/{target}"),
                    false => target,
                };
                links.push((name, target));
            } else if kind.is_dir() {
                self.add(&name, None);
            }
        }
        // Every program writes two blocks of zeros at the end: without one the rest is missing, and nobody knows of what.
        let mut mark = [1; BLOCK as usize];
        let whole = end < len && crate::cache::read_at(file, &mut mark, end)? == mark.len();
        if !whole || mark != [0; BLOCK as usize] {
            return Err(damaged(
                "it ends too early: it was cut, so get it again; `tar -xf` unpacks what is there",
            ));
        }
        for (name, target) in links {
            if let Some(member) = resolved(&target).and_then(|target| self.members.get(&target)) {
                self.add(&name, Some(*member));
            }
        }
        Ok(())
    }

    /// Adds a file, or a folder, which is no member. Of two with one name the last one counts, as when they are unpacked. What would
    /// lie outside of the archive's folder is left out.
    fn add(&mut self, name: &str, member: Option<Member>) {
        let Some(parts) = parts_of(name) else { return };
        let mut folder = PathBuf::new();
        for (at, part) in parts.iter().enumerate() {
            let file = member.filter(|_| at + 1 == parts.len());
            self.folders.entry(folder.clone()).or_default().insert((*part).to_owned(), file.is_none());
            folder.push(part);
            match file {
                Some(member) => {
                    if self.members.insert(folder.clone(), member).is_some() {
                        self.repeated.get_or_insert_with(|| name.to_owned());
                    }
                }
                None => _ = self.folders.entry(folder.clone()).or_default(),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its file stays open.
    pub(super) fn keeps_open(&self) -> bool {
        self.file.is_some()
    }

    /// The first file of a name that another one has too.
    pub(super) fn repeated(&self) -> Option<&str> {
        self.repeated.as_deref()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().filter_map(|path| path.to_str())
    }

    pub(super) fn entries(&self, folder: &Path, inner: &Path) -> io::Result<Vec<Entry>> {
        let found = self.folders.get(inner).ok_or(io::ErrorKind::NotFound)?;
        let entry = |(name, is_folder): (&String, &bool)| Entry {
            path: folder.join(name),
            name: name.into(),
            is_folder: *is_folder,
        };
        Ok(found.iter().map(entry).collect())
    }

    pub(super) fn there(&self, inner: &Path) -> io::Result<There> {
        if self.folders.contains_key(inner) {
            return Ok(There::Folder);
        }
        let member = self.members.get(inner).ok_or(io::ErrorKind::NotFound)?;
        Ok(There::File(self.stamp_of(*member)))
    }

    /// A file in an archive changes with the archive.
    fn stamp_of(&self, member: Member) -> Stamp {
        match member {
            Member::Zipped(_) => self.stamp,
            Member::At { len, .. } => self.stamp.with_len(len),
        }
    }

    /// How many bytes a file has, unpacked.
    pub(super) fn length(&self, inner: &Path) -> io::Result<u64> {
        match (*self.members.get(inner).ok_or(io::ErrorKind::NotFound)?, &self.zip) {
            (Member::At { len, .. }, _) => Ok(len),
            (Member::Zipped(number), Some(zip)) => {
                Ok(zip.clone().by_index_raw(number).map_err(|error| damaged(explain(&error)))?.size())
            }
            (Member::Zipped(_), None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// The bytes of a file of at most `most` bytes; only the first `start` where they are asked for.
    pub(super) fn read(&self, inner: &Path, most: u64, start: Option<u64>) -> io::Result<(Vec<u8>, Stamp)> {
        let member = *self.members.get(inner).ok_or(io::ErrorKind::NotFound)?;
        let mut bytes = Vec::new();
        match (member, &self.zip) {
            (Member::Zipped(number), Some(zip)) => {
                // A copy shares the list of files; each thread reads at its own place.
                let mut zip = zip.clone();
                let file = zip.by_index(number).map_err(|error| damaged(explain(&error)))?;
                check_length(start.unwrap_or(file.size()), most)?;
                // What is announced may not be there: memory grows with what is read.
                bytes.reserve(file.size().min(1 << 24) as usize);
                file.take(start.unwrap_or(most + 1)).read_to_end(&mut bytes)?;
                check_length(bytes.len() as u64, most)?;
            }
            (Member::At { offset, len }, _) => {
                let wanted = start.unwrap_or(len).min(len);
                check_length(wanted, most)?;
                bytes.reserve(wanted.min(1 << 24) as usize);
                let file = match &self.file {
                    Some(file) => Arc::clone(file),
                    None => {
                        let file = File::open(&self.path)?;
                        if Stamp::of(&file.metadata()?) != self.stamp {
                            return Err(damaged("the archive has changed since its files were listed"));
                        }
                        Arc::new(file)
                    }
                };
                let window = Window { file, at: offset, end: offset + len };
                window.take(wanted).read_to_end(&mut bytes)?;
                if (bytes.len() as u64) < wanted {
                    return Err(damaged(format!(
                        "the archive ends within it, after {} of {len} bytes",
                        bytes.len()
                    )));
                }
            }
            (Member::Zipped(_), None) => return Err(io::ErrorKind::NotFound.into()),
        }
        Ok((bytes, self.stamp_of(member)))
    }
}

/// Where a link leads, without `..`; `None` where it leads out of the archive.
fn resolved(target: &str) -> Option<PathBuf> {
    let mut parts: Vec<&str> = Vec::new();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.into_iter().collect())
}

/// The parts of a name, without what leads up before it, as programs that unpack leave it out; `None` where it leads up later.
fn parts_of(name: &str) -> Option<Vec<&str>> {
    let parts = name.split('/').filter(|part| !matches!(*part, "" | "."));
    let parts: Vec<&str> = parts.skip_while(|part| *part == "..").collect();
    // A separator or a drive of Windows would be followed there.
    let foreign = |part: &&str| *part == ".." || (cfg!(windows) && part.contains(['\\', ':']));
    (!parts.is_empty() && !parts.iter().any(foreign)).then_some(parts)
}

fn explain(error: &ZipError) -> String {
    match error {
        ZipError::UnsupportedArchive(text) if *text == ZipError::PASSWORD_REQUIRED => {
            "it is encrypted; unpack the archive with its password".to_owned()
        }
        ZipError::UnsupportedArchive(text) => {
            format!("it is packed in a way that is not read here ({text}); unpack the archive")
        }
        ZipError::Io(error) => error.to_string(),
        _ => format!("the archive is damaged: {error}"),
    }
}

/// A part of a file that is read at its own place, whoever else reads the file.
#[derive(Clone)]
struct Window {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Window {
    /// All of a file.
    fn of(file: &Arc<File>) -> io::Result<Window> {
        Ok(Window { file: Arc::clone(file), at: 0, end: file.metadata()?.len() })
    }
}

impl Read for Window {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let len = bytes.len().min(left);
        let read = crate::cache::read_at(&self.file, &mut bytes[..len], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
