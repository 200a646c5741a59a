//! What a page's tags say, checked.

use image::metadata::Orientation;

use super::ifd::{self, Ifd, Layout, Numbers};
use super::{codec, malformed, truncated};
use crate::{DecodeError, exif};

/// Longer chains of pages are not followed to their end.
const MOST_PAGES: usize = 4096;

/// Samples a pixel.
const MOST_SAMPLES: usize = 256;

/// Values of PhotometricInterpretation.
pub(super) mod color {
    pub(in crate::tiff) const WHITE_IS_ZERO: u64 = 0;
    pub(in crate::tiff) const BLACK_IS_ZERO: u64 = 1;
    pub(in crate::tiff) const RGB: u64 = 2;
    pub(in crate::tiff) const PALETTE: u64 = 3;
    pub(in crate::tiff) const MASK: u64 = 4;
    pub(in crate::tiff) const CMYK: u64 = 5;
    pub(in crate::tiff) const YCBCR: u64 = 6;
    pub(in crate::tiff) const LAB: u64 = 8;
    pub(in crate::tiff) const ICC_LAB: u64 = 9;
}

/// What an extra sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alpha {
    None,
    /// The colors are multiplied with it.
    Associated,
    Unassociated,
}

/// How the samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    Unsigned,
    Signed,
    Float,
}

/// A page, its pixels still in the file.
pub(super) struct Page<'a> {
    pub(super) layout: Layout,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) bits: usize,
    pub(super) sample: Sample,
    /// Samples a pixel in the file.
    pub(super) samples: usize,
    /// Those of them that are color, as it is in the file.
    pub(super) colors: usize,
    pub(super) alpha: Alpha,
    pub(super) photometric: u64,
    pub(super) compression: u64,
    pub(super) predictor: u64,
    /// Whether the bits of each byte are stored in reverse.
    pub(super) reversed: bool,
    /// Whether each sample has strips or tiles of its own.
    pub(super) planar: bool,
    /// Columns and rows of a strip or tile.
    pub(super) chunk: (usize, usize),
    pub(super) tiled: bool,
    pub(super) offsets: Numbers<'a>,
    pub(super) counts: Numbers<'a>,
    /// All red, all green and all blue values, where there is a palette.
    pub(super) palette: Vec<u64>,
    /// What the strips' JPEGs have in common.
    pub(super) jpeg_tables: Option<&'a [u8]>,
    pub(super) fax_options: u64,
    pub(super) subsampling: (usize, usize),
    pub(super) coefficients: Vec<f32>,
    pub(super) reference: Vec<f32>,
    pub(super) orientation: Orientation,
    /// Pages of the file that are no thumbnails and no masks, up to 4096.
    pub(super) pages: u32,
}

impl<'a> Page<'a> {
    /// The first page of a file that is not a thumbnail (NewSubfileType), or where all are, the first. Pillow takes the first
    /// whatever it is; a file that begins with its thumbnail would be trained on at the wrong size.
    pub(super) fn first(bytes: &'a [u8]) -> Result<Page<'a>, DecodeError> {
        let (layout, mut at) = ifd::header(bytes).ok_or_else(|| malformed("its header is damaged"))?;
        let mut seen = std::collections::HashSet::new();
        let (mut thumbnail, mut chosen, mut pages) = (None, None, 0);
        let mut whole = true;
        // A chain that leads back to itself ends there.
        while at != 0 && seen.len() < MOST_PAGES && seen.insert(at) {
            let Some((ifd, next)) = Ifd::read(bytes, layout, at) else {
                whole = false;
                break;
            };
            // A smaller copy, or a mask of another page. Behind the page that is taken, one that does not say counts as a page.
            let kind = ifd.number(254);
            let kind = if chosen.is_some() { kind.unwrap_or_default() } else { kind? };
            if kind.unwrap_or(0) & 0b101 != 0 {
                thumbnail.get_or_insert(ifd);
            } else {
                pages += 1;
                chosen.get_or_insert(ifd);
            }
            // Some writers leave the last place out.
            whole = next.is_some();
            at = next.unwrap_or(0);
        }
        // Where the chain breaks behind the page that is taken, nothing of it is lost: it is read, and those before the break are counted.
        // Behind thumbnails alone the picture itself may be what is lost.
        if chosen.is_none() && !whole {
            return Err(truncated("the directory of its first page is missing or damaged"));
        }
        if chosen.is_none() && thumbnail.as_ref().is_some_and(|ifd: &Ifd<'_>| ifd.has(330)) {
            return Err(malformed(
                "its only page is a thumbnail, and its picture lies where it is not looked for (SubIFDs), as in raw camera files: \
                 convert it, such as by `magick FILE FILE.png`",
            ));
        }
        let page = chosen.or(thumbnail).ok_or_else(|| malformed("it has no page"))?;
        Page::of(&page, pages.max(1))
    }

    /// Whether the picture is gray.
    pub(super) fn is_gray(&self) -> bool {
        is_gray(self.photometric)
    }

    pub(super) fn pixels(&self) -> usize {
        self.width * self.height
    }

    /// Samples a pixel that are kept.
    pub(super) fn kept(&self) -> usize {
        self.colors + usize::from(self.alpha != Alpha::None)
    }

    /// Whether YCbCr becomes RGB here: the JPEG decoder does it where it has all of its components and no others.
    pub(super) fn is_converted(compression: u64, planar: bool, samples: usize) -> bool {
        compression != codec::JPEG || planar || samples != 3
    }

    /// Whether the strips are units of several lumas and one chroma. In JPEG its decoder sees to it.
    pub(super) fn is_subsampled(&self) -> bool {
        self.photometric == color::YCBCR && self.compression != codec::JPEG && self.subsampling != (1, 1)
    }

    fn of(ifd: &Ifd<'a>, pages: u32) -> Result<Page<'a>, DecodeError> {
        let side = |tag| {
            let side = ifd.number(tag)?.and_then(|side| u32::try_from(side).ok()).filter(|&side| side > 0);
            side.map(|side| side as usize).ok_or_else(|| malformed("it does not say how large its image is"))
        };
        let or = |tag, default| ifd.number(tag).map(|number| number.unwrap_or(default));
        let (width, height) = (side(256)?, side(257)?);
        let compression = or(259, codec::NONE)?;
        if let Some(name) = codec::unread(compression) {
            return Err(malformed(&format!(
                "its compression is {name} ({compression}), which is not read here: save it without compression, such as by \
                 `tiffcp -c none IN OUT`"
            )));
        }
        let samples = usize::try_from(or(277, 1)?).unwrap_or(usize::MAX);
        let (bits, sample) = depth(ifd, samples)?;
        // Without a word 0, as in Pillow; three samples are no gray, and RGB for libtiff.
        let photometric = or(262, if samples >= 3 { color::RGB } else { color::WHITE_IS_ZERO })?;
        let colors = colors(photometric)?;
        if !(colors..=MOST_SAMPLES).contains(&samples) {
            return Err(malformed("it has fewer samples a pixel than its colors need, or more than 256"));
        }
        if colors == 1 && samples > 2 {
            return Err(malformed(&format!(
                "it has {samples} samples a pixel, and does not say which of them are its colors: save those that are to be seen as \
                 gray or RGB"
            )));
        }
        let alpha = alpha(ifd, samples, colors, photometric)?;
        let others = matches!(photometric, color::CMYK | color::YCBCR | color::LAB | color::ICC_LAB);
        let wide = bits == 16 && photometric != color::YCBCR;
        if others && (sample == Sample::Float || !(bits == 8 || wide)) {
            return Err(malformed("its colors are not RGB and not of 8 bits: save it as RGB"));
        }
        if codec::is_fax(compression) && (bits, samples) != (1, 1) {
            return Err(malformed("it is a fax of more than one bit a pixel"));
        }
        if compression == codec::JPEG && (bits, sample) != (8, Sample::Unsigned) {
            return Err(malformed("its JPEG data are not of 8 bits: save it without compression"));
        }
        let planar = samples > 1 && or(284, 1)? == 2;
        let predictor = if codec::has_predictor(compression) { or(317, 1)? } else { 1 };
        let known = match predictor {
            1 => true,
            2 => matches!(bits, 8 | 16 | 32 | 64),
            3 => sample == Sample::Float,
            _ => false,
        };
        if !known {
            return Err(malformed(&format!(
                "its predictor ({predictor}) does not go with samples of {bits} bits: save it without compression, such as by \
                 `tiffcp -c none IN OUT`"
            )));
        }
        let webp = (photometric, samples, bits, planar, sample);
        if compression == codec::WEBP && !matches!(webp, (color::RGB, 3 | 4, 8, false, Sample::Unsigned)) {
            return Err(malformed("its WebP data are not RGB of 8 bits: save it without compression"));
        }
        let tiled = ifd.number(322)?.is_some();
        let chunk = if tiled {
            (side(322)?, side(323)?)
        } else {
            // libtiff takes no rows for all of them.
            (
                width,
                match or(278, u64::MAX)? {
                    0 => height,
                    rows => rows.min(height as u64) as usize,
                },
            )
        };
        // Old writers use the tags of strips for tiles, too.
        let (offsets, counts) = if tiled && ifd.has(324) { (324, 325) } else { (273, 279) };
        let subsampling = if photometric == color::YCBCR { subsampling(ifd)? } else { (1, 1) };
        let palette = if photometric == color::PALETTE { palette(ifd, bits)? } else { Vec::new() };
        // JPEG strips say themselves how their YCbCr becomes RGB where they have three components.
        let converted = photometric == color::YCBCR && Page::is_converted(compression, planar, samples);
        let page = Page {
            layout: ifd.layout,
            width,
            height,
            bits,
            sample,
            samples,
            colors,
            alpha,
            photometric,
            compression,
            predictor,
            // In JPEG and WebP data they never are.
            reversed: !matches!(compression, codec::JPEG | codec::WEBP) && or(266, 1)? == 2,
            planar,
            chunk,
            tiled,
            offsets: ifd.numbers(offsets)?,
            counts: ifd.numbers(counts)?,
            palette,
            jpeg_tables: if compression == codec::JPEG { ifd.bytes(347)? } else { None },
            fax_options: if compression == codec::GROUP_3 { or(292, 0)? } else { 0 },
            subsampling,
            coefficients: if converted { ifd.fractions(529, 4)? } else { Vec::new() },
            reference: if converted { ifd.fractions(532, 7)? } else { Vec::new() },
            orientation: orientation(ifd)?,
            pages,
        };
        let subsampled = photometric == color::YCBCR && subsampling != (1, 1);
        if subsampled && (page.planar || page.is_subsampled() && (predictor != 1 || samples != 3)) {
            return Err(malformed(
                "its subsampled YCbCr is planar, or has a predictor or an alpha: save it as RGB",
            ));
        }
        Ok(page)
    }
}

/// What the samples behind the colors are.
fn alpha(ifd: &Ifd<'_>, samples: usize, colors: usize, photometric: u64) -> Result<Alpha, DecodeError> {
    if samples == colors || photometric == color::PALETTE {
        return Ok(Alpha::None);
    }
    let said = ifd.number(338)?;
    match (said, photometric) {
        // Colors of Lab that are multiplied with something: nobody writes them, and nobody says how.
        (Some(1), color::LAB | color::ICC_LAB) => {
            Err(malformed("its Lab is multiplied with its alpha: save it as RGB"))
        }
        (Some(1), _) => Ok(Alpha::Associated),
        (Some(2), _) => Ok(Alpha::Unassociated),
        // Without a word on it, a fourth sample is alpha for Pillow, a fifth one not.
        (None, color::CMYK) => Ok(Alpha::None),
        (None, _) => Ok(Alpha::Unassociated),
        (Some(_), _) => Ok(Alpha::None),
    }
}

/// Columns and rows of lumas that share a chroma.
fn subsampling(ifd: &Ifd<'_>) -> Result<(usize, usize), DecodeError> {
    let all = ifd.numbers(530)?;
    match (all.get(0), all.get(1)) {
        (Some(x @ (1 | 2 | 4)), Some(y @ (1 | 2 | 4))) => Ok((x as usize, y as usize)),
        (None, _) => Ok((2, 2)),
        _ => Err(malformed("its chroma is subsampled by another number than 1, 2 or 4: save it as RGB")),
    }
}

fn palette(ifd: &Ifd<'_>, bits: usize) -> Result<Vec<u64>, DecodeError> {
    let all = ifd.numbers(320)?;
    if bits > 8 || all.len() < 3 << bits {
        return Err(malformed("its palette is missing, too short, or of more than 256 colors"));
    }
    Ok(all.iter().take(3 << bits).collect())
}

/// The bits of a sample, and what they are.
fn depth(ifd: &Ifd<'_>, samples: usize) -> Result<(usize, Sample), DecodeError> {
    let all = ifd.numbers(258)?;
    let bits = all.get(0).unwrap_or(1);
    // Some writers list more than there are.
    if all.iter().take(samples.min(MOST_SAMPLES)).any(|other| other != bits) {
        return Err(malformed("its samples have different numbers of bits: save it with 8 or 16 bits"));
    }
    let sample = match ifd.number(339)?.unwrap_or(1) {
        1 | 4 => Sample::Unsigned,
        2 => Sample::Signed,
        3 => Sample::Float,
        _ => return Err(malformed("its samples are complex numbers: save it with 8 or 16 bits")),
    };
    let fits = match sample {
        Sample::Unsigned => matches!(bits, 1..=16 | 24 | 32),
        Sample::Signed => matches!(bits, 8 | 16 | 32),
        Sample::Float => matches!(bits, 16 | 32 | 64),
    };
    if !fits {
        return Err(malformed(&format!("its samples have {bits} bits: save it with 8 or 16 bits")));
    }
    Ok((bits as usize, sample))
}

fn is_gray(photometric: u64) -> bool {
    matches!(photometric, color::WHITE_IS_ZERO | color::BLACK_IS_ZERO | color::MASK)
}

/// How many samples of a pixel are color.
fn colors(photometric: u64) -> Result<usize, DecodeError> {
    match photometric {
        color::PALETTE => Ok(1),
        gray if is_gray(gray) => Ok(1),
        color::RGB | color::YCBCR | color::LAB | color::ICC_LAB => Ok(3),
        color::CMYK => Ok(4),
        32803 | 34892 => Err(malformed(
            "it holds the samples of a camera's sensor, which are no picture yet: convert it with the camera's program, or by `magick FILE FILE.png`",
        )),
        32844 | 32845 => Err(malformed("its colors are LogLuv: save it as RGB")),
        other => Err(malformed(&format!("its kind of color ({other}) is not read here: save it as RGB"))),
    }
}

/// How the picture is to be turned: the tag says it, else its XMP packet.
fn orientation(ifd: &Ifd<'_>) -> Result<Orientation, DecodeError> {
    let tag = ifd.number(274)?.and_then(|tag| Orientation::from_exif(u8::try_from(tag).ok()?));
    Ok(match tag {
        Some(tag) => tag,
        None => exif::orientation(None, ifd.bytes(700)?),
    })
}
