//! JPEG, straight through `zune-jpeg`: `image` wraps the same decoder, but copies the file, reads the header up to three
//! times, and lets it paint what is missing of a damaged file gray.

mod entropy;
mod means;
mod part;

pub(crate) use part::decode_part;

use image::metadata::Orientation;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::decode::{check_size, header};
use crate::orient::{orient, swaps_sides};
use crate::{DecodeError, Format, Header, Image, Limits};

type Decoder<'a> = JpegDecoder<ZCursor<&'a [u8]>>;

pub(crate) fn probe(bytes: &[u8]) -> Result<Header, DecodeError> {
    let (decoder, size) = read_header(bytes)?;
    let gray = decoder.input_colorspace() == Some(ColorSpace::Luma);
    Ok(header(size, orientation(&decoder), if gray { 1 } else { 3 }, Format::Jpeg))
}

pub(crate) fn decode(bytes: &[u8], channels: u8, limits: &Limits) -> Result<Image, DecodeError> {
    let (mut decoder, (width, height)) = read_header(bytes)?;
    check_size(width, height, Format::Jpeg, limits)?;
    check_whole(bytes, width, height)?;
    let gray = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let (output, samples) = if gray && channels == 1 { (ColorSpace::Luma, 1) } else { (ColorSpace::RGB, 3) };
    // Strict from here on, so that a damaged scan is an error; the header was read leniently, since stray bytes between
    // its segments are common and harmless.
    decoder.set_options(options().jpeg_set_out_colorspace(output).set_strict_mode(true));
    let mut data = vec![0; width as usize * height as usize * usize::from(samples)];
    decoder.decode_into(&mut data).map_err(explain)?;
    let image = Image::new(width, height, samples, data)?;
    Ok(orient(image, orientation(&decoder)).to_channels(channels)?)
}

/// The image shrunk by area while it is decoded, see [`means`]; `None` where it must be decoded whole.
pub(crate) fn shrink(
    bytes: &[u8],
    channels: u8,
    (width, height): (u32, u32),
    limits: &Limits,
) -> Result<Option<Image>, DecodeError> {
    let (decoder, size) = read_header(bytes)?;
    check_size(size.0, size.1, Format::Jpeg, limits)?;
    check_whole(bytes, size.0, size.1)?;
    let orientation = orientation(&decoder);
    let (width, height) = if swaps_sides(orientation) { (height, width) } else { (width, height) };
    let Some(image) = means::shrink(bytes, width, height) else { return Ok(None) };
    Ok(Some(orient(image, orientation).to_channels(channels)?))
}

fn options() -> DecoderOptions {
    // The decoder's own limit of 16384 a side would refuse panoramas; `check_size` limits the area instead.
    DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX)
}

fn read_header(bytes: &[u8]) -> Result<(Decoder<'_>, (u32, u32)), DecodeError> {
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options());
    decoder.decode_headers().map_err(explain)?;
    let size = decoder.dimensions().and_then(|(w, h)| Some((u32::try_from(w).ok()?, u32::try_from(h).ok()?)));
    let size = size.ok_or_else(|| malformed("it has no frame header".to_owned()))?;
    Ok((decoder, size))
}

fn orientation(decoder: &Decoder<'_>) -> Orientation {
    decoder.exif().map_or(Orientation::NoTransforms, |exif| crate::exif::orientation(exif))
}

/// Refuses a file that ends within its scans. The decoder sees that only while it lacks a whole row of blocks, and not
/// at all where a progressive file ends between two scans.
fn check_whole(bytes: &[u8], width: u32, height: u32) -> Result<(), DecodeError> {
    let truncated = |reason: &str| DecodeError::Truncated { format: Format::Jpeg, reason: reason.to_owned() };
    // A block of 8x8 pixels takes at least one bit, so a tiny file that announces a huge image is found out before the
    // memory for it is.
    if (bytes.len() as u64) < u64::from(width) * u64::from(height) / (64 * 8) {
        return Err(truncated("it is too small for the size that it announces"));
    }
    if !ends_with_marker(bytes) {
        return Err(truncated("the end of the image is missing (no EOI marker)"));
    }
    Ok(())
}

/// Whether the end-of-image marker follows the scans. Segments are skipped by their length, so that the marker inside
/// an embedded thumbnail is not taken for it. What comes after it is of no concern.
fn ends_with_marker(bytes: &[u8]) -> bool {
    let mut at = 2;
    loop {
        let Some(skip) = bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xFF)) else {
            return false;
        };
        at += skip + 1;
        let Some(&marker) = bytes.get(at) else { return false };
        match marker {
            0xD9 => return true,
            // A fill byte: the next one decides.
            0xFF => {}
            // A stuffed 0xFF of the scan, a restart, or a marker without a segment.
            0x00 | 0x01 | 0xD0..=0xD8 => at += 1,
            _ => match bytes.get(at + 1..at + 3) {
                Some(length) => at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => return false,
            },
        }
    }
}

fn malformed(reason: String) -> DecodeError {
    DecodeError::Malformed { format: Format::Jpeg, reason }
}

fn explain(error: DecodeErrors) -> DecodeError {
    match error {
        DecodeErrors::ExhaustedData => DecodeError::Truncated {
            format: Format::Jpeg,
            reason: "the file ends within the image".to_owned(),
        },
        DecodeErrors::Format(reason) => malformed(reason),
        DecodeErrors::FormatStatic(reason) => malformed(reason.to_owned()),
        other => malformed(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn baseline_files_are_shrunk_and_others_decoded_whole() {
        let file =
            |name: &str| std::fs::read(format!("{}/tests/files/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let limits = Limits::default();
        for name in ["baseline_420.jpg", "baseline_444.jpg", "gray.jpg", "restarts.jpg"] {
            let shrunk = shrink(&file(name), 3, (5, 5), &limits).unwrap();
            assert_eq!(
                shrunk.map(|image| (image.width(), image.height(), image.channels())),
                Some((5, 5, 3)),
                "{name}"
            );
            assert!(shrink(&file(name), 3, (1000, 1000), &limits).unwrap().is_none(), "{name} is smaller");
        }
        assert!(shrink(&file("progressive.jpg"), 3, (5, 5), &limits).unwrap().is_none());
    }
}
