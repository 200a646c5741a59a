//! What a page's tags say, checked.

use super::ifd::{self, Ifd, Layout};
use super::{codec, malformed};
use image::metadata::Orientation;

use crate::{DecodeError, exif};

/// Longer chains of pages are not followed to their end.
const MOST_PAGES: usize = 4096;

/// What an extra sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpha {
    None,
    /// The colors are multiplied with it.
    Associated,
    Unassociated,
}

/// How the samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sample {
    Unsigned,
    Signed,
    Float,
}

/// A page, its pixels still in the file.
pub(crate) struct Page<'a> {
    pub(crate) layout: Layout,
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) bits: usize,
    pub(crate) sample: Sample,
    /// Samples a pixel in the file.
    pub(crate) samples: usize,
    /// Those of them that are color, as it is in the file.
    pub(crate) colors: usize,
    pub(crate) alpha: Alpha,
    pub(crate) photometric: u64,
    pub(crate) compression: u64,
    pub(crate) predictor: u64,
    pub(crate) reversed: bool,
    pub(crate) planar: bool,
    /// Columns and rows of a strip or tile.
    pub(crate) chunk: (usize, usize),
    pub(crate) tiled: bool,
    pub(crate) offsets: Vec<u64>,
    pub(crate) counts: Vec<u64>,
    pub(crate) palette: Vec<u64>,
    pub(crate) tables: Option<&'a [u8]>,
    pub(crate) subsampling: (usize, usize),
    pub(crate) coefficients: Vec<f32>,
    pub(crate) reference: Vec<f32>,
    pub(crate) orientation: Orientation,
    pub(crate) pages: usize,
}

impl<'a> Page<'a> {
    /// The first page of a file that is not a thumbnail (NewSubfileType), or where all are, the first. Pillow takes the first
    /// whatever it is; a file that begins with its thumbnail would be trained on at the wrong size.
    pub(crate) fn first(bytes: &'a [u8]) -> Result<Page<'a>, DecodeError> {
        let (layout, mut at) = ifd::header(bytes).ok_or_else(|| malformed("its header is damaged"))?;
        let mut seen = std::collections::HashSet::new();
        let mut chosen: Option<Ifd<'a>> = None;
        let mut thumbnail = false;
        while at != 0 && seen.len() < MOST_PAGES && seen.insert(at) {
            let Some((ifd, next)) = Ifd::read(bytes, layout, at) else {
                seen.remove(&at);
                break;
            };
            let reduced = ifd.number(254).unwrap_or(0) & 1 == 1;
            if chosen.is_none() || (thumbnail && !reduced) {
                chosen = Some(ifd);
                thumbnail = reduced;
            }
            at = next;
        }
        let ifd = chosen.ok_or_else(|| malformed("its first page's directory is missing or damaged"))?;
        Page::of(&ifd, seen.len())
    }

    fn of(ifd: &Ifd<'a>, pages: usize) -> Result<Page<'a>, DecodeError> {
        let side = |tag| {
            let side = ifd.number(tag).and_then(|side| u32::try_from(side).ok()).filter(|&side| side > 0);
            side.map(|side| side as usize).ok_or_else(|| malformed("it does not say how large its image is"))
        };
        let or = |tag, default| ifd.number(tag).unwrap_or(default);
        let (width, height) = (side(256)?, side(257)?);
        let compression = or(259, 1);
        if let Some(name) = codec::unread(compression) {
            return Err(malformed(&format!(
                "its compression is {name} ({compression}), which is not read here: save it without compression, such as by \
                 `tiffcp -c none`"
            )));
        }
        let all_bits = ifd.numbers(258);
        let bits = all_bits.first().copied().unwrap_or(1);
        if all_bits.iter().any(|&other| other != bits) {
            return Err(malformed("its samples have different numbers of bits: save it with 8 or 16 bits"));
        }
        let sample = match or(339, 1) {
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
        let samples = or(277, 1) as usize;
        let photometric = ifd.number(262).unwrap_or(if samples >= 3 { 2 } else { 1 });
        let colors = match photometric {
            0 | 1 | 3 | 4 => 1,
            2 | 6 | 8 | 9 => 3,
            5 => 4,
            32844 | 32845 => return Err(malformed("its colors are LogLuv: save it as RGB")),
            other => {
                return Err(malformed(&format!(
                    "its kind of color ({other}) is not read here: save it as RGB"
                )));
            }
        };
        if !(colors..=256).contains(&samples) {
            return Err(malformed("it has fewer samples a pixel than its colors need"));
        }
        // Without a word on them, a fourth sample is alpha for Pillow.
        let alpha = match ifd.numbers(338).first() {
            _ if samples == colors || matches!(photometric, 3 | 5) => Alpha::None,
            Some(1) => Alpha::Associated,
            None | Some(2) => Alpha::Unassociated,
            Some(_) => Alpha::None,
        };
        if matches!(photometric, 5 | 6 | 8 | 9) {
            let wide = bits == 16 && photometric != 6;
            if sample == Sample::Float || !(bits == 8 || wide) {
                return Err(malformed("its colors are not RGB and not of 8 bits: save it as RGB"));
            }
        }
        if compression == 4 && (bits, samples) != (1, 1) {
            return Err(malformed("it is a fax of more than one bit a pixel"));
        }
        let tiled = ifd.number(322).is_some();
        let chunk = if tiled {
            (side(322)?, side(323)?)
        } else {
            (width, (or(278, u64::MAX)).clamp(1, height as u64) as usize)
        };
        let (offsets, counts) = if tiled { (324, 325) } else { (273, 279) };
        let subsampling = match ifd.numbers(530)[..] {
            [x @ (1 | 2 | 4), y @ (1 | 2 | 4), ..] => (x as usize, y as usize),
            [] => (2, 2),
            _ => return Err(malformed("its chroma is subsampled by another number than 1, 2 or 4")),
        };
        let palette = ifd.numbers(320);
        if photometric == 3 && (bits > 8 || palette.len() < 3 << bits) {
            return Err(malformed("its palette is missing or too short"));
        }
        Ok(Page {
            layout: ifd.layout,
            width,
            height,
            bits: bits as usize,
            sample,
            samples,
            colors,
            alpha,
            photometric,
            compression,
            predictor: or(317, 1),
            reversed: or(266, 1) == 2,
            planar: or(284, 1) == 2 && samples > 1,
            chunk,
            tiled,
            offsets: ifd.numbers(offsets),
            counts: ifd.numbers(counts),
            palette,
            tables: ifd.bytes(347),
            subsampling,
            coefficients: ifd.fractions(529),
            reference: ifd.fractions(532),
            orientation: orientation(ifd),
            pages,
        })
    }
}

/// How the picture is to be turned: the tag, else its XMP packet.
fn orientation(ifd: &Ifd<'_>) -> Orientation {
    let tag = ifd.number(274).and_then(|tag| Orientation::from_exif(u8::try_from(tag).ok()?));
    tag.unwrap_or_else(|| exif::orientation(None, ifd.bytes(700)))
}
