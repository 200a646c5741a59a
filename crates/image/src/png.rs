//! PNG, by the crate `png`, row by row: of a picture only the samples that are asked for are ever in memory, not those of its file,
//! which are up to eight bytes a pixel.

use std::io::Cursor;

use image::metadata::Orientation;
use png::{BitDepth, ColorType, DecodingError, InterlaceInfo, Transformations};

use crate::decode::{check_size, header};
use crate::raster::{Raster, Samples};
use crate::{DecodeError, Format, Header, Image, Limits, Reading, exif};

/// What is lost of a damaged picture that is filled (see [`Reading::fill_damaged`]).
pub(crate) const LOST: u8 = 128;

/// The most memory that what a file says beside its pixels may take, such as its texts, and that a row may.
const BESIDE: usize = 1 << 26;

/// So many bytes of rows are narrowed at a time.
const STRIP: usize = 1 << 16;

type Rows<'a> = png::Reader<Cursor<&'a [u8]>>;

fn open(bytes: &[u8]) -> Result<Rows<'_>, DecodeError> {
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: BESIDE });
    decoder.set_ignore_iccp_chunk(true);
    // Palettes become colors, bits bytes, and a color that is transparent alpha.
    decoder.set_transformations(Transformations::EXPAND);
    decoder.read_info().map_err(explain)
}

fn orientation(rows: &Rows<'_>, bytes: &[u8]) -> Orientation {
    let xmp = rows.info().utf8_text.iter().find(|text| text.keyword == "XML:com.adobe.xmp");
    let xmp = xmp.and_then(|text| text.get_text().ok());
    exif::orientation(exif::in_png(bytes), xmp.as_ref().map(String::as_bytes))
}

pub(crate) fn probe(bytes: &[u8]) -> Result<Header, DecodeError> {
    let rows = open(bytes)?;
    let channels = match rows.output_color_type().0 {
        ColorType::Grayscale | ColorType::GrayscaleAlpha => 1,
        ColorType::Rgb | ColorType::Rgba | ColorType::Indexed => 3,
    };
    Ok(header(rows.info().size(), orientation(&rows, bytes), channels, Format::Png))
}

/// The picture as it is stored, and how it is to be turned. `hold` is told how many bytes it takes before there is memory for it.
pub(crate) fn decode(
    bytes: &[u8],
    limits: &Limits,
    reading: Reading,
    hold: impl FnOnce(u64) -> Result<(), DecodeError>,
) -> Result<(Image, Orientation), DecodeError> {
    let bytes = if reading.fill_damaged { before_damage(bytes) } else { bytes };
    let mut rows = open(bytes)?;
    let (width, height) = rows.info().size();
    check_size(width, height, Format::Png, limits)?;
    let (color, depth) = rows.output_color_type();
    let gray = matches!(color, ColorType::Grayscale | ColorType::GrayscaleAlpha);
    // A gray picture on a color is in color.
    let most = if gray && reading.background.is_none() { 1 } else { 3 };
    // And rows as they are in the file: the decoder's own two, and as they are narrowed.
    let line = rows.output_line_size(width).unwrap_or(BESIDE) as u64;
    hold(u64::from(width) * u64::from(height) * most + 5 * line)?;
    let mut picture = Picture { size: (width as usize, height as usize), channels: 0, data: Vec::new() };
    let interlaced = rows.info().interlaced;
    let read = if interlaced {
        picture.passes(&mut rows, color, depth, reading)
    } else {
        picture.rows(&mut rows, color, depth, reading)
    };
    match read {
        Err(_) if reading.fill_damaged && !picture.data.is_empty() => {
            picture.data.resize(picture.size.0 * picture.size.1 * picture.channels, LOST);
        }
        read => read.map_err(explain)?,
    }
    let orientation = orientation(&rows, bytes);
    Ok((Image::new(width, height, picture.channels as u8, picture.data)?, orientation))
}

/// A picture on its way: all of its samples where it is interlaced, else those of the rows that are read.
struct Picture {
    size: (usize, usize),
    /// 0 as long as nothing is read.
    channels: usize,
    data: Vec<u8>,
}

impl Picture {
    fn rows(
        &mut self,
        rows: &mut Rows<'_>,
        color: ColorType,
        depth: BitDepth,
        reading: Reading,
    ) -> Result<(), DecodingError> {
        let (width, height) = self.size;
        let line = rows.output_line_size(width as u32).ok_or(DecodingError::LimitsExceeded)?;
        let at_a_time = (STRIP / line).clamp(1, height);
        let mut strip = vec![0; at_a_time * line];
        let mut failed = None;
        for first in (0..height).step_by(at_a_time) {
            let wanted = at_a_time.min(height - first);
            let mut there = wanted;
            for row in 0..wanted {
                if let Err(error) = rows.read_row(&mut strip[row * line..][..line]) {
                    (failed, there) = (Some(error), row);
                    break;
                }
            }
            let (channels, samples) = narrow(&strip[..there * line], width, there, color, depth, reading);
            self.channels = channels;
            if self.data.is_empty() {
                self.data.reserve_exact(width * height * channels);
            }
            self.data.extend_from_slice(&samples);
            if let Some(error) = failed {
                return Err(error);
            }
        }
        // Checksums that come behind the last row.
        rows.read_row(&mut strip[..line]).map(drop)
    }

    fn passes(
        &mut self,
        rows: &mut Rows<'_>,
        color: ColorType,
        depth: BitDepth,
        reading: Reading,
    ) -> Result<(), DecodingError> {
        let (width, height) = self.size;
        while let Some(row) = rows.next_interlaced_row()? {
            let InterlaceInfo::Adam7(place) = row.interlace() else { continue };
            let pixel = color.samples() * (depth as usize).div_ceil(8);
            let count = row.data().len() / pixel;
            let (channels, samples) = narrow(row.data(), count, 1, color, depth, reading);
            if self.data.is_empty() {
                self.channels = channels;
                self.data = vec![LOST; width * height * channels];
            }
            png::expand_interlaced_row(&mut self.data, width * channels, &samples, place, 8 * channels as u8);
        }
        Ok(())
    }
}

/// Rows as they are in the file, of 8 or 16 bits, as they are asked for, and how many samples a pixel then has.
fn narrow(
    rows: &[u8],
    width: usize,
    height: usize,
    color: ColorType,
    depth: BitDepth,
    reading: Reading,
) -> (usize, Vec<u8>) {
    let (colors, alpha) = match color {
        ColorType::Grayscale => (1, false),
        ColorType::GrayscaleAlpha => (1, true),
        ColorType::Rgb | ColorType::Indexed => (3, false),
        ColorType::Rgba => (3, true),
    };
    let samples = match depth {
        BitDepth::Sixteen => {
            let samples = rows.as_chunks::<2>().0.iter().map(|&pair| u16::from_be_bytes(pair)).collect();
            Samples::U16 { samples, white: u16::MAX }
        }
        _ => Samples::U8(rows.to_vec()),
    };
    let strip = Raster { width: width as u32, height: height as u32, colors, alpha, samples };
    let (channels, samples) = reading.samples(strip);
    (usize::from(channels), samples)
}

/// The file up to the first chunk whose checksum is wrong: what a decoder makes of it may be anything. A last chunk that is cut has none,
/// and counts.
fn before_damage(bytes: &[u8]) -> &[u8] {
    let mut at = 8;
    while let Some(length) = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>) {
        let length = u32::from_be_bytes(*length) as usize;
        let Some(end) = at.checked_add(length).and_then(|end| end.checked_add(12)) else { break };
        let Some(chunk) = bytes.get(at..end) else { break };
        let (content, checksum) = chunk[4..].split_at(length + 4);
        if crc32fast::hash(content).to_be_bytes() != checksum {
            return &bytes[..at];
        }
        at = end;
    }
    bytes
}

fn explain(error: DecodingError) -> DecodeError {
    match error {
        DecodingError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { format: Format::Png, reason: "the file ends too early".to_owned() }
        }
        other => DecodeError::Malformed { format: Format::Png, reason: other.to_string() },
    }
}
