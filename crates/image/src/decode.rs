//! A file's bytes to an [`Image`]. Broken and hostile files are the normal case: every way out is an error value.

use std::io::Cursor;
use std::ops::Range;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader};

use crate::bmp::Bitmap;
use crate::budget::Memory;
use crate::contain::contain;
use crate::gif::Animation;
use crate::orient::{orient, swaps_sides};
use crate::raster::Raster;
use crate::{
    Flat, Format, Image, Interpolation, Reading, Resampling, Stored, UnreadKind, exif, jpeg, png, resize_by,
    tiff,
};

/// How much a file may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest image in pixels, compared with the header before any pixel is allocated. A TIFF of more than 8 bytes a pixel, which 16-bit
    /// RGBA has, may have as many fewer pixels: its samples, as they lie in the file, are at most 8 bytes for each pixel of the
    /// limit, however they are cut into strips. WebP's decoder allocates no more than that either.
    pub max_pixels: u64,
}

impl Default for Limits {
    /// 178,956,970 pixels: half a gigabyte as RGB, beyond every camera, and where Pillow refuses to open an image as a
    /// decompression bomb.
    fn default() -> Self {
        Limits { max_pixels: 178_956_970 }
    }
}

/// What a file's header says of its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Columns, after the EXIF orientation.
    pub width: u32,
    /// Rows, after the EXIF orientation.
    pub height: u32,
    /// 1 for gray, 3 for everything that has colour; alpha is not counted.
    pub channels: u8,
    /// The format by the file's content.
    pub format: Format,
    /// Pages of a TIFF file, without thumbnails and masks, counted up to 4096; the first is what is read. 1 of all other formats: to
    /// count the frames of an animation, all of the file would have to be gone through.
    pub pages: u32,
}

/// Why a file is not an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The file has no content.
    #[error("the file is empty")]
    Empty,
    /// The first bytes are those of no format that is known here.
    #[error("not a JPEG, PNG, BMP, GIF, TIFF or WebP file (it starts with {start})")]
    UnknownFormat {
        /// The first bytes, as text or in hexadecimal.
        start: String,
    },
    /// The file stands for a picture that is not here.
    #[error("{0}")]
    Absent(&'static str),
    /// The first bytes are those of a kind of picture that is not read here, whatever the file is called.
    #[error(
        "its content is {}, which is not read here: convert it, such as by `magick FILE FILE.{}`",
        kind.name, if kind.to_png { "png" } else { "jpg" }
    )]
    Unread {
        /// The kind.
        kind: UnreadKind,
    },
    /// The header announces more pixels than [`Limits`] allow.
    #[error(
        "{format} of {width}x{height} pixels; the limit is {max_pixels} pixels, so shrink the image or remove it"
    )]
    TooLarge {
        /// The format by the file's content.
        format: Format,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// The limit.
        max_pixels: u64,
    },
    /// So long and narrow that covering an input with it takes more pixels than any picture should.
    #[error(
        "its {width}x{height} pixels would be {to_width}x{to_height} before their middle is cut out, and the limit is {max_pixels} pixels: leave it out, \
         or take another input.fit"
    )]
    Elongated {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Columns that it would be resized to.
        to_width: u32,
        /// Rows that it would be resized to.
        to_height: u32,
        /// The limit.
        max_pixels: u64,
    },
    /// The file ends before its image does.
    #[error("truncated {format}: {reason}")]
    Truncated {
        /// The format by the file's content.
        format: Format,
        /// What is missing.
        reason: String,
    },
    /// The file breaks the rules of its format, or uses a part of it that is not supported.
    #[error("damaged or unsupported {format}: {reason}")]
    Malformed {
        /// The format by the file's content.
        format: Format,
        /// The decoder's words.
        reason: String,
    },
    /// The system does not give the memory that the picture takes. This is no fault of the picture.
    #[error("there is not enough memory to decode it: it takes {} MB at once", bytes.div_ceil(1_000_000))]
    Memory {
        /// Bytes that were asked for.
        bytes: u64,
    },
    /// The caller asked for a number of channels that no image has.
    #[error(transparent)]
    Image(#[from] crate::ImageError),
}

/// Reads a file's header: its format, and the shape of its image. Pixels are neither decoded nor allocated.
///
/// # Errors
/// Where the format is unknown or the header is damaged.
pub fn probe(bytes: &[u8]) -> Result<Header, DecodeError> {
    let format = sniff(bytes)?;
    contained(format, || match format {
        Format::Jpeg => jpeg::probe(bytes),
        Format::Png => png::probe(bytes),
        Format::Tiff => tiff::probe(bytes),
        Format::Bmp => Ok(header(Bitmap::read(bytes)?.size(), Orientation::NoTransforms, 3, format)),
        Format::Gif => {
            let gif = Animation::read(bytes)?;
            Ok(header(gif.size(), gif.orientation(), 3, format))
        }
        Format::WebP => {
            let decoder = open(bytes, format, &Limits::default())?;
            let orientation = orientation(bytes, format);
            let channels = if decoder.color_type().has_color() { 3 } else { 1 };
            Ok(header(decoder.dimensions(), orientation, channels, format))
        }
    })
}

/// The EXIF block of a JPEG, PNG or WebP file: a TIFF directory, in some files with `Exif\0\0` before it. Of TIFF the file itself, which is
/// such a directory.
pub fn exif_block(bytes: &[u8]) -> Option<Vec<u8>> {
    match Format::sniff(bytes)? {
        Format::Jpeg => jpeg::exif(bytes),
        Format::Png => exif::in_png(bytes).map(<[u8]>::to_vec),
        Format::Tiff => Some(bytes.to_vec()),
        Format::WebP => exif::in_webp(bytes, b"EXIF").map(<[u8]>::to_vec),
        Format::Bmp | Format::Gif => None,
    }
}

/// The setting of libjpeg, 1 to 100, whose quantization of luma is nearest to that of a JPEG file; `None` of other formats. That of
/// other encoders is on no such scale, so it is a label rather than a measure.
pub fn jpeg_quality(bytes: &[u8]) -> Option<u8> {
    match Format::sniff(bytes)? {
        Format::Jpeg => jpeg::quality(bytes),
        _ => None,
    }
}

/// Decodes a file to an image of `channels` channels (1 or 3), turned upright as its EXIF orientation says.
///
/// The format is told from the content. Alpha is dropped, not blended, and 16-bit samples keep their high byte, both as
/// OpenCV does; [`decode_as`] has other ways. The first image of an animation is taken, and of
/// a file of many pages the first that is no thumbnail.
///
/// # Errors
/// Where the file is not a whole, valid image of at most [`Limits::max_pixels`]: in particular where it is truncated. Where the system
/// does not give the memory.
pub fn decode(bytes: &[u8], channels: u8, limits: &Limits) -> Result<Image, DecodeError> {
    decode_as(bytes, channels, limits, &Reading::default())
}

/// Decodes a file as [`decode`] does, with a meaning for what 8 bits of color do not hold.
///
/// # Errors
/// As those of [`decode`].
pub fn decode_as(
    bytes: &[u8],
    channels: u8,
    limits: &Limits,
    reading: &Reading,
) -> Result<Image, DecodeError> {
    decode_in(bytes, channels, limits, reading, None, &mut Memory::default())
}

/// A part of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its rows.
    pub rows: Range<u32>,
    /// Its columns.
    pub columns: Range<u32>,
}

/// As [`decode_as`], where no more than a window will be looked at: the picture has its size, and pixels outside of the window are
/// anything. It saves work with JPEG files that are not turned, which are not read beyond the window: only for files that have been decoded
/// whole before, since what is damaged behind it is not noticed.
///
/// # Errors
/// As those of [`decode`].
pub fn decode_window(
    bytes: &[u8],
    channels: u8,
    window: &Window,
    limits: &Limits,
    reading: &Reading,
) -> Result<Image, DecodeError> {
    decode_in(bytes, channels, limits, reading, Some(window), &mut Memory::default())
}

/// Decodes, and leaves in `memory` what the picture holds of the budget of all decoding.
fn decode_in(
    bytes: &[u8],
    channels: u8,
    limits: &Limits,
    reading: &Reading,
    window: Option<&Window>,
    memory: &mut Memory,
) -> Result<Image, DecodeError> {
    if !matches!(channels, 1 | 3) {
        return Err(crate::ImageError::Channels(channels).into());
    }
    let format = sniff(bytes)?;
    contained(format, || {
        let hold = |bytes| memory.hold(bytes);
        let (image, orientation) = match format {
            Format::Jpeg => jpeg::decode(bytes, limits, reading.fill_damaged, window, hold)?,
            Format::Png => png::decode(bytes, limits, *reading, hold)?,
            Format::Tiff => tiff::decode(bytes, limits, *reading, hold)?,
            _ => decode_other(bytes, format, limits, *reading, hold)?,
        };
        Ok(orient(image, orientation).to_channels(channels)?)
    })
}

/// Decodes a file as [`decode_as`] does and brings it to the size that `target` gives for its own, both as (width, height). The whole
/// picture is counted in the budget of all decoding until it is resized, so that threads that decode large pictures wait for each other
/// instead of filling the memory.
///
/// # Errors
/// As those of [`decode`].
pub fn decode_resized(
    bytes: &[u8],
    channels: u8,
    target: impl FnOnce(u32, u32) -> (u32, u32),
    resampling: Resampling,
    limits: &Limits,
    reading: &Reading,
) -> Result<Image, DecodeError> {
    let mut memory = Memory::default();
    let image = decode_in(bytes, channels, limits, reading, None, &mut memory)?;
    let (width, height) = target(image.width(), image.height());
    Ok(resize_by(&image, width, height, resampling))
}

/// Decodes a file to an image of `width` x `height` pixels and `channels` channels (1 or 3), as [`decode_as`] and then
/// [`resize`](crate::resize) by [`Interpolation::Area`] do, but faster where a JPEG is at least four times as large: its pixels are never worked
/// out, only means of squares of them. The squares are at most half as large as a pixel of the result, of which one that two
/// pixels share counts in both with its mean. On photographs of skin values differ by 0.2 of 255 on average, one in a thousand by more than 4
/// (see `tests/shrink.rs`).
///
/// # Errors
/// As those of [`decode`].
pub fn decode_shrunk(
    bytes: &[u8],
    channels: u8,
    (width, height): (u32, u32),
    limits: &Limits,
    reading: &Reading,
) -> Result<Image, DecodeError> {
    if !matches!(channels, 1 | 3) {
        return Err(crate::ImageError::Channels(channels).into());
    }
    if width > 0 && height > 0 && sniff(bytes)? == Format::Jpeg {
        let shrunk = contained(Format::Jpeg, || {
            jpeg::shrink(bytes, channels, (width, height), limits, reading.fill_damaged)
        })?;
        if let Some(image) = shrunk {
            return Ok(image);
        }
    }
    let area = Resampling { interpolation: Interpolation::Area, antialias: false };
    decode_resized(bytes, channels, |_, _| (width, height), area, limits, reading)
}

/// Why a picture has hardly any contrast (see [`NEARLY_ONE`](crate::NEARLY_ONE)) once it was read by [`decode`].
///
/// # Errors
/// As those of [`decode`].
pub fn why_flat(bytes: &[u8], limits: &Limits) -> Result<Flat, DecodeError> {
    let format = sniff(bytes)?;
    if format == Format::Jpeg {
        return Ok(Flat::OneColor);
    }
    let mut memory = Memory::default();
    contained(format, || Ok(Flat::of(&in_file(bytes, format, limits, |bytes| memory.hold(bytes))?.0)))
}

/// What the samples of a file hold; `None` where they are of 8 bits or fewer, which can mean one thing.
///
/// # Errors
/// As those of [`decode`].
pub fn stored(bytes: &[u8], limits: &Limits) -> Result<Option<Stored>, DecodeError> {
    let format = sniff(bytes)?;
    if !may_be_deep(bytes) || (format == Format::Tiff && !tiff::is_deep(bytes, limits)?) {
        return Ok(None);
    }
    let mut memory = Memory::default();
    contained(format, || Ok(Stored::of(&in_file(bytes, format, limits, |bytes| memory.hold(bytes))?.0)))
}

/// Whether a file may have samples of more than 8 bits, by its first 32 bytes.
pub fn may_be_deep(start: &[u8]) -> bool {
    /// Where the header of a PNG file has the bits of a sample.
    const PNG_BITS: usize = 24;
    match sniff(start) {
        Ok(Format::Png) => start.get(PNG_BITS) == Some(&16),
        Ok(Format::Tiff) => true,
        _ => false,
    }
}

/// BMP, GIF and WebP: all samples as they lie in the file, then those that are asked for.
fn decode_other(
    bytes: &[u8],
    format: Format,
    limits: &Limits,
    reading: Reading,
    hold: impl FnOnce(u64) -> Result<(), DecodeError>,
) -> Result<(Image, Orientation), DecodeError> {
    let (decoded, orientation) = in_file(bytes, format, limits, hold)?;
    let (width, height) = (decoded.width, decoded.height);
    let (channels, data) = reading.samples(decoded);
    Ok((Image::new(width, height, channels, data)?, orientation))
}

/// The samples as they lie in the file, and how it is to be turned.
fn in_file(
    bytes: &[u8],
    format: Format,
    limits: &Limits,
    hold: impl FnOnce(u64) -> Result<(), DecodeError>,
) -> Result<(Raster, Orientation), DecodeError> {
    match format {
        Format::Tiff => return tiff::raster(bytes, limits, hold),
        Format::Bmp => {
            let bitmap = Bitmap::read(bytes)?;
            check_size(bitmap.size().0, bitmap.size().1, format, limits)?;
            bitmap.check_there()?;
            hold_size(bitmap.size(), format, limits, hold)?;
            return Ok((bitmap.decode(limits)?.into(), Orientation::NoTransforms));
        }
        Format::Gif => {
            let gif = Animation::read(bytes)?;
            // Unlike rows of a bitmap, codes cannot be told to be too few before they are read: a few bits may stand for thousands of pixels.
            hold_size(gif.size(), format, limits, hold)?;
            let orientation = gif.orientation();
            return Ok((gif.decode(limits)?.into(), orientation));
        }
        // PNG comes here to be looked at alone, and JPEG not at all.
        Format::WebP | Format::Png | Format::Jpeg => {}
    }
    let decoder = open(bytes, format, limits)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, format, limits)?;
    // What it gives, and the samples that are made of it.
    let pixels = u64::from(width) * u64::from(height);
    hold(decoder.total_bytes().saturating_add(pixels.saturating_mul(3)))?;
    let orientation = orientation(bytes, format);
    let decoded = DynamicImage::from_decoder(decoder).map_err(|error| explain(format, error))?;
    Ok((decoded.into(), orientation))
}

/// Holds what a picture of colors and alpha takes, and the samples that are made of it.
fn hold_size(
    (width, height): (u32, u32),
    format: Format,
    limits: &Limits,
    hold: impl FnOnce(u64) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    check_size(width, height, format, limits)?;
    // A limit of the caller's may be none.
    hold((u64::from(width) * u64::from(height)).saturating_mul(7))
}

/// As the file says it. The decoder is not asked: it takes as much memory as a chunk says it has bytes, which may be 4 GiB of a few.
fn orientation(bytes: &[u8], format: Format) -> Orientation {
    match format {
        Format::Png => exif::orientation(exif::in_png(bytes), None),
        _ => exif::orientation(exif::in_webp(bytes, b"EXIF"), exif::in_webp(bytes, b"XMP ")),
    }
}

/// `image`'s decoder of WebP, or of PNG where its samples are wanted as they are stored, with its limits set from ours.
fn open<'a>(bytes: &'a [u8], format: Format, limits: &Limits) -> Result<impl ImageDecoder + 'a, DecodeError> {
    let format_of_image = match format {
        Format::Png => image::ImageFormat::Png,
        _ => image::ImageFormat::WebP,
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format_of_image);
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some(limits.max_pixels.saturating_mul(8));
    reader.limits(allowed);
    reader.into_decoder().map_err(|error| explain(format, error))
}

pub(crate) fn header(
    (width, height): (u32, u32),
    orientation: Orientation,
    channels: u8,
    format: Format,
) -> Header {
    let (width, height) = if swaps_sides(orientation) { (height, width) } else { (width, height) };
    Header { width, height, channels, format, pages: 1 }
}

pub(crate) fn check_size(
    width: u32,
    height: u32,
    format: Format,
    limits: &Limits,
) -> Result<(), DecodeError> {
    let max_pixels = limits.max_pixels;
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(DecodeError::TooLarge { format, width, height, max_pixels });
    }
    Ok(())
}

fn sniff(bytes: &[u8]) -> Result<Format, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    Format::sniff(bytes).ok_or_else(|| {
        if let Some(kind) = UnreadKind::sniff(bytes) {
            return DecodeError::Unread { kind };
        }
        if let Some(absent) = absent(bytes) {
            return DecodeError::Absent(absent);
        }
        let start = &bytes[..bytes.len().min(8)];
        let printable = start.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
        let hex = || start.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" ");
        let start = if printable { format!("\"{}\"", String::from_utf8_lossy(start)) } else { hex() };
        DecodeError::UnknownFormat { start }
    })
}

/// What a file that is no picture was left by, where its first bytes tell.
fn absent(bytes: &[u8]) -> Option<&'static str> {
    let start = bytes[..bytes.len().min(256)].trim_ascii_start().to_ascii_lowercase();
    let begins = |with: &str| start.starts_with(with.as_bytes());
    if begins("version https://git-lfs.github.com/") {
        return Some(
            "a pointer of Git LFS, whose picture was not downloaded: type git lfs pull in its repository",
        );
    }
    let page = begins("<!doctype html") || begins("<html");
    page.then_some("a web page, as a download that failed leaves it: download the picture again")
}

fn contained<T>(format: Format, work: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    contain(work).unwrap_or_else(|panic| {
        Err(DecodeError::Malformed { format, reason: format!("the decoder gave up ({panic})") })
    })
}

fn explain(format: Format, error: image::ImageError) -> DecodeError {
    let end_of_file = match &error {
        image::ImageError::IoError(io) => io.kind() == std::io::ErrorKind::UnexpectedEof,
        _ => false,
    };
    if end_of_file {
        return DecodeError::Truncated { format, reason: "the file ends too early".to_owned() };
    }
    DecodeError::Malformed { format, reason: error.to_string() }
}
