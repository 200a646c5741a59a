//! One labelled image, before it is decoded.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// What a sample is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Split {
    /// Parameters are fitted to it.
    Train,
    /// Choices are made by it: the best epoch, the best recipe.
    Val,
    /// Looked at once, at the end.
    Test,
}

impl Split {
    /// Every split.
    pub const ALL: [Split; 3] = [Split::Train, Split::Val, Split::Test];

    /// `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Val => "val",
            Split::Test => "test",
        }
    }

    /// The names that a folder or a manifest may use for this split, in lower case; the first is the usual one.
    pub fn aliases(self) -> &'static [&'static str] {
        match self {
            Split::Train => &["train", "training"],
            Split::Val => &["val", "valid", "validation"],
            Split::Test => &["test", "testing"],
        }
    }

    /// The split of an alias, in any case.
    pub(crate) fn of_alias(name: &str) -> Option<Split> {
        let lower = name.trim().to_ascii_lowercase();
        Split::ALL.into_iter().find(|split| split.aliases().contains(&lower.as_str()))
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown split \"{0}\": use train, val or test")]
pub struct UnknownSplit(String);

impl FromStr for Split {
    type Err = UnknownSplit;

    /// Reads any alias in any case, and other common names, such as `Train Set` or `validación`.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Split::of_alias(name).or_else(|| crate::scan::split_of(name));
        known.ok_or_else(|| UnknownSplit(name.to_owned()))
    }
}

/// Images of one array, as they lie in a file that was read whole: `[N, H, W, C]` bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct ArrayImages {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// 1 (gray) or 3 (RGB).
    pub(crate) channels: u8,
    pub(crate) pixels: Vec<u8>,
}

impl ArrayImages {
    /// The samples of image `index`, `[H, W, C]`.
    pub fn image(&self, index: usize) -> &[u8] {
        let len = self.width as usize * self.height as usize * usize::from(self.channels);
        &self.pixels[index * len..][..len]
    }
}

impl fmt::Debug for ArrayImages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ArrayImages { width, height, channels, pixels } = self;
        write!(f, "ArrayImages({width}x{height}x{channels}, {} bytes)", pixels.len())
    }
}

/// Where a sample's pixels are.
#[derive(Debug, Clone)]
pub enum Source {
    /// An image file, at [`Sample::path`].
    File,
    /// An image of an array: of an IDX, NumPy or CSV file, which is read whole.
    Array {
        /// The array.
        images: Arc<ArrayImages>,
        /// Which of them, from 0.
        index: usize,
    },
}

/// One labelled image.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The file, which may be in an archive, as `photos.zip/cat/1.jpg` (see [`read_file`](crate::read_file)); for an array
    /// what to show instead, such as `train-images-idx3-ubyte[17]`.
    pub path: PathBuf,
    /// Which of [`Dataset::classes`](crate::Dataset::classes); 0 where there are no labels.
    pub label: u32,
    /// What it is for.
    pub split: Split,
    /// Where its pixels are.
    pub source: Source,
    /// XXH3-128 of the file's bytes (for an array: of the pixels). Equal for exact copies, whatever they are called.
    pub content: u128,
    /// Columns by the file's header, after the EXIF orientation.
    pub width: u32,
    /// Rows by the file's header, after the EXIF orientation.
    pub height: u32,
    /// 1 for gray, 3 for colour, by the file's header.
    pub channels: u8,
    /// What it shares with samples that must not be in another split, such as the patient, where a manifest says so.
    pub group: Option<Arc<str>>,
}
