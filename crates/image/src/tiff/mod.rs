//! TIFF: the container and the layout are read here, the compressed data by a crate for each compression.
//!
//! In: the bytes of a file. Out: its first page as a [`Raster`], whole, or an error. References: TIFF 6.0, libtiff for what it
//! leaves open, and Pillow for what the pixels are.

mod chunks;
mod codec;
mod color;
mod fax;
mod ifd;
mod page;
mod predictor;
mod samples;
mod ycc;

pub(crate) use page::Page;

use image::metadata::Orientation;

use crate::raster::Raster;
use crate::{DecodeError, Format, Limits};

/// Reads the first page that is not a thumbnail, and how it is to be turned.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<(Raster, Orientation), DecodeError> {
    let page = Page::first(bytes)?;
    crate::decode::check_size(page.width as u32, page.height as u32, Format::Tiff, limits)?;
    let raster = color::finish(&page, chunks::read(&page, bytes, limits)?)?;
    Ok((raster, page.orientation))
}

fn malformed(reason: &str) -> DecodeError {
    DecodeError::Malformed { format: Format::Tiff, reason: reason.to_owned() }
}

fn truncated(reason: &str) -> DecodeError {
    DecodeError::Truncated { format: Format::Tiff, reason: reason.to_owned() }
}
