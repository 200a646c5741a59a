//! What can be wrong with an IDX file.

use std::io;
use std::path::PathBuf;

/// What is wrong with an IDX file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdxError {
    /// It cannot be read or unpacked.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The first four bytes are not those of the file's kind.
    #[error("it starts with {got:#010x} instead of {expected:#010x}, so it does not hold {what}")]
    Magic {
        /// The first four bytes.
        got: u32,
        /// What they should be.
        expected: u32,
        /// What the file should hold.
        what: &'static str,
    },
    /// The header announces no image, an image without pixels, or more than can be held.
    #[error("its header announces {count} items of {height}x{width}, which cannot be; download it again")]
    Shape {
        /// Items.
        count: u32,
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
    },
    /// It ends too early.
    #[error("it is truncated: {got} of {expected} bytes; download it again")]
    Truncated {
        /// The bytes there are, unpacked.
        got: u64,
        /// The bytes that the header announces.
        expected: u64,
    },
    /// It goes on after its end.
    #[error("more bytes follow the {expected} that its header announces; download it again")]
    Trailing {
        /// The bytes that the header announces.
        expected: u64,
    },
    /// Images and labels do not pair up.
    #[error("it has {labels} labels for the {images} images of {images_path}", images_path = crate::shown_path(images_path))]
    Count {
        /// The number of labels.
        labels: usize,
        /// The number of images.
        images: usize,
        /// The file with the images.
        images_path: PathBuf,
    },
    /// The other file of the pair is missing.
    #[error("its counterpart {0} is missing from the folder")]
    Unpaired(&'static str),
}
