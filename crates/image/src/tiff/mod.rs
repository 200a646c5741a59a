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
mod webp;
mod ycc;

use image::metadata::Orientation;

use color::Whites;
use page::Page;

use crate::decode::{check_size, header};
use crate::raster::{Raster, Samples};
use crate::{DecodeError, Format, Header, Image, Limits, Reading};

pub(crate) fn probe(bytes: &[u8]) -> Result<Header, DecodeError> {
    let page = Page::first(bytes)?;
    let channels = if page.is_gray() { 1 } else { 3 };
    let size = (page.width as u32, page.height as u32);
    Ok(Header { pages: page.pages, ..header(size, page.orientation, channels, Format::Tiff) })
}

/// The first page that is not a thumbnail, as it is stored, and how it is to be turned. `hold` is told how many bytes it takes before there
/// is memory for it: one or three a pixel, and those of a strip or tile.
pub(crate) fn decode(
    bytes: &[u8],
    limits: &Limits,
    reading: Reading,
    hold: impl FnOnce(u64) -> Result<(), DecodeError>,
) -> Result<(Image, Orientation), DecodeError> {
    let page = open(bytes, limits)?;
    // A gray picture on a color is in color.
    let most = if page.is_gray() && reading.background.is_none() { 1 } else { 3 };
    hold((page.pixels() as u64).saturating_mul(most).saturating_add(chunks::memory(&page, bytes, limits)?))?;
    let (mut data, mut channels) = (Vec::new(), 0);
    chunks::read(&page, bytes, limits, Whites::From(reading.white), |(left, top), band| {
        let width = band.width as usize;
        let (each, samples) = reading.samples(band);
        if data.is_empty() {
            channels = usize::from(each);
            data = vec![0; page.pixels() * channels];
        }
        for (row, line) in samples.chunks_exact(width * channels).enumerate() {
            data[((top + row) * page.width + left) * channels..][..line.len()].copy_from_slice(line);
        }
    })?;
    Ok((Image::new(page.width as u32, page.height as u32, channels as u8, data)?, page.orientation))
}

/// The samples as they lie in the file, for [`why_flat`](crate::why_flat).
pub(crate) fn raster(
    bytes: &[u8],
    limits: &Limits,
    hold: impl FnOnce(u64) -> Result<(), DecodeError>,
) -> Result<(Raster, Orientation), DecodeError> {
    let page = open(bytes, limits)?;
    let whole = (page.pixels() as u64).saturating_mul(chunks::raster_pixel(&page));
    hold(whole.saturating_add(chunks::memory(&page, bytes, limits)?))?;
    let mut all: Option<Raster> = None;
    chunks::read(&page, bytes, limits, Whites::Stored, |place, band| {
        all.get_or_insert_with(|| band.black((page.width as u32, page.height as u32))).paste(place, &band);
    })?;
    Ok((all.ok_or_else(|| malformed("it has no strips"))?, page.orientation))
}

/// Whether the page's samples have more than 8 bits.
pub(crate) fn is_deep(bytes: &[u8], limits: &Limits) -> Result<bool, DecodeError> {
    Ok(Samples::size(&open(bytes, limits)?) > 1)
}

/// The page, once it is known that its data are there.
fn open<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Page<'a>, DecodeError> {
    let page = Page::first(bytes)?;
    check_size(page.width as u32, page.height as u32, Format::Tiff, limits)?;
    chunks::check(&page, bytes, limits)?;
    Ok(page)
}

fn malformed(reason: &str) -> DecodeError {
    DecodeError::Malformed { format: Format::Tiff, reason: reason.to_owned() }
}

fn truncated(reason: &str) -> DecodeError {
    DecodeError::Truncated { format: Format::Tiff, reason: reason.to_owned() }
}
