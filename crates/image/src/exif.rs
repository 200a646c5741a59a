//! The orientation of a block of EXIF: a TIFF directory of its own. Reference: Pillow's `ImageOps.exif_transpose`.

use image::metadata::Orientation;

use crate::tiff::ifd::{Ifd, header};

/// The orientation that a block says, with or without its `Exif\0\0`; upright where it says none that is valid.
pub(crate) fn orientation(exif: &[u8]) -> Orientation {
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let tag = header(exif).and_then(|(layout, at)| Ifd::read(exif, layout, at)?.0.number(274));
    turned(valid(tag.unwrap_or(1)))
}

/// A value of the tag, 1 where it is none.
pub(crate) fn valid(tag: u64) -> u8 {
    if (1..=8).contains(&tag) { tag as u8 } else { 1 }
}

/// The turn that a value of the tag stands for.
pub(crate) fn turned(tag: u8) -> Orientation {
    Orientation::from_exif(tag).unwrap_or(Orientation::NoTransforms)
}
