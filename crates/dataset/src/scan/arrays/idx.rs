//! The IDX files of the MNIST family: Fashion-MNIST, KMNIST, EMNIST and their like.
//!
//! Format: LeCun, Cortes and Burges, "The MNIST database": big-endian `00 00 08 rank`, one u32 for each dimension, bytes.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::super::labels::Label;
use super::{Contents, MAX_BYTES};
use crate::files;
use crate::shown_path;
use crate::{ArrayImages, IdxError, ScanError, Split, Taken};

/// The two files of a split.
pub(super) struct Pair {
    pub(super) split: Split,
    images: PathBuf,
    labels: PathBuf,
}

/// The pairs of files in a folder; `None` where there are none.
pub(super) fn find(root: &Path) -> Result<Option<Vec<Pair>>, ScanError> {
    let mut pairs = Vec::new();
    for (split, prefix) in [(Split::Train, "train"), (Split::Test, "t10k")] {
        let (images_name, labels_name) = match split {
            Split::Train => ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
            _ => ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
        };
        let file = |kind: &str| {
            let names = ["-", "."].map(|dash| format!("{prefix}-{}", kind.replacen('-', dash, 1)));
            let paths = names.iter().flat_map(|name| [root.join(name), root.join(format!("{name}.gz"))]);
            paths.into_iter().find(|path| files::is_file(path))
        };
        match (file("images-idx3-ubyte"), file("labels-idx1-ubyte")) {
            (Some(images), Some(labels)) => pairs.push(Pair { split, images, labels }),
            (Some(path), None) => {
                return Err(ScanError::Idx { path, source: IdxError::Unpaired(labels_name) });
            }
            (None, Some(path)) => {
                return Err(ScanError::Idx { path, source: IdxError::Unpaired(images_name) });
            }
            (None, None) => {}
        }
    }
    if pairs.is_empty() {
        return find_prefixed(root);
    }
    Ok(Some(pairs))
}

/// Those of which each is called after a set and a split, such as `emnist-letters-train-images-idx3-ubyte.gz`.
fn find_prefixed(root: &Path) -> Result<Option<Vec<Pair>>, ScanError> {
    const IMAGES: &str = "-images-idx3-ubyte";
    const LABELS: &str = "-labels-idx1-ubyte";
    let entries = files::entries(root).into_iter().flatten().flatten().filter(|entry| !entry.is_folder);
    let mut found: BTreeMap<String, Vec<(Split, PathBuf)>> = BTreeMap::new();
    for entry in entries {
        let name = entry.name.to_string_lossy().into_owned();
        let stem = name.strip_suffix(".gz").unwrap_or(&name).strip_suffix(IMAGES);
        let Some((set, word)) = stem.and_then(|stem| stem.rsplit_once('-')) else { continue };
        let Some(split) = crate::scan::split_of(word) else { continue };
        found.entry(set.to_owned()).or_default().push((split, entry.path));
    }
    let several: Vec<&str> = found.keys().map(String::as_str).collect();
    if let [first, _, ..] = several[..] {
        let (from, to) = (shown_path(root), shown_path(&root.join(first)).to_string());
        let reason = format!(
            "it holds the files of {}, and one set is read at a time: move one into a folder of its own, such as by\n  mkdir '{to}' && mv '{from}'/'{first}'-* \
             '{to}'\nand name {to}",
            several.join(", ")
        );
        return Err(ScanError::Array { path: root.to_owned(), reason });
    }
    let Some((_, mut images)) = found.pop_first() else { return Ok(None) };
    images.sort();
    let pair = |(split, images): (Split, PathBuf)| {
        let labels = images.with_file_name(name_of(&images).replacen(IMAGES, LABELS, 1));
        match files::is_file(&labels) {
            true => Ok(Pair { split, images, labels }),
            false => Err(ScanError::Idx { path: images, source: IdxError::Unpaired("labels-idx1-ubyte") }),
        }
    };
    images.into_iter().map(pair).collect::<Result<Vec<_>, _>>().map(Some)
}

impl Pair {
    pub(super) fn read(&self) -> Result<Contents, ScanError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ScanError::Idx { path, source }
        };
        let ([count, height, width], pixels) =
            read_file::<3>(&self.images, "images").map_err(failed(&self.images))?;
        let (_, labels) = read_file::<1>(&self.labels, "labels").map_err(failed(&self.labels))?;
        if labels.len() != count as usize {
            let images_path = self.images.clone();
            let source = IdxError::Count { labels: labels.len(), images: count as usize, images_path };
            return Err(ScanError::Idx { path: self.labels.clone(), source });
        }
        let name = name_of(&self.images);
        let name = name.strip_suffix(".gz").unwrap_or(&name).to_owned();
        let images = ArrayImages { width, height, channels: 1, pixels };
        let labels = labels.into_iter().map(|label| Label::Number(label.into()));
        Ok(Contents::new(Some(self.split), name, images, labels))
    }
}

/// What was taken for what.
pub(super) fn taken(pairs: &[Pair]) -> Taken {
    let pairs: Vec<String> =
        pairs.iter().map(|pair| format!("{} -> {}", name_of(&pair.images), pair.split)).collect();
    Taken::new(format!("IDX files {}", pairs.join(", ")), &[])
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The dimensions and the bytes of a file of rank `RANK`; the last two dimensions count as 1 where they are absent.
fn read_file<const RANK: usize>(path: &Path, what: &'static str) -> Result<([u32; 3], Vec<u8>), IdxError> {
    let file = files::read_up_to(path, MAX_BYTES)?;
    let mut reader: Box<dyn Read + '_> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(MultiGzDecoder::new(file.as_slice())),
        _ => Box::new(file.as_slice()),
    };
    let mut word = |at: u64| -> Result<u32, IdxError> {
        let mut bytes = [0; 4];
        let expected = 4 * (RANK as u64 + 1);
        reader.read_exact(&mut bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => IdxError::Truncated { got: at * 4, expected },
            _ => IdxError::Read(error),
        })?;
        Ok(u32::from_be_bytes(bytes))
    };
    let (got, expected) = (word(0)?, 0x0800 | RANK as u32);
    if got != expected {
        return Err(IdxError::Magic { got, expected, what });
    }
    let mut dims = [1; 3];
    for (i, dim) in dims.iter_mut().take(RANK).enumerate() {
        *dim = word(i as u64 + 1)?;
    }
    let [count, height, width] = dims;
    // The sides are multiplied first: two of 2^32 fit into 64 bits, and the count is divided out.
    let side = u64::from(height) * u64::from(width);
    if count == 0 || side == 0 || side > MAX_BYTES / u64::from(count) {
        return Err(IdxError::Shape { count, height, width });
    }
    let expected = u64::from(count) * side;
    // One byte more than there should be tells whether something follows. The memory grows with what is really there.
    let mut bytes = Vec::new();
    reader.take(expected + 1).read_to_end(&mut bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => IdxError::Truncated { got: 0, expected },
        _ => IdxError::Read(error),
    })?;
    match bytes.len() as u64 {
        got if got < expected => Err(IdxError::Truncated { got, expected }),
        got if got > expected => Err(IdxError::Trailing { expected }),
        _ => Ok((dims, bytes)),
    }
}
