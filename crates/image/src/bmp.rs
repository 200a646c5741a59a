//! BMP: its headers. The pixels are in `bmp/rows.rs` where each row has its bytes, and in `bmp/runs.rs` where runs are counted.
//!
//! Sources: Microsoft's "Bitmap Storage" and "Bitmap Header Types", the OS/2 2.0 "Presentation Manager Programming Reference"
//! (BITMAPINFOHEADER2), and Pillow for what they leave open.

mod rows;
mod runs;

use image::{DynamicImage, RgbImage, RgbaImage};

use crate::decode::{DecodeError, Limits, check_size};
use crate::{Format, bmp::rows::Masks};

/// The header of the file, before that of the bitmap.
const FILE_HEADER: usize = 14;
/// The longest header of a bitmap: version 5.
const LONGEST: usize = 124;

/// How pixels lie in the file.
enum Coding {
    /// Numbers of colors of 1, 2, 4 or 8 bits.
    Indexed(u32),
    /// Blue, green and red, and in the wider one a byte that means nothing.
    Bytes { wide: bool },
    /// Numbers of so many bytes, of which masks cut out the colors.
    Masked { bytes: usize, masks: Box<Masks> },
    /// Runs of numbers of 4 or 8 bits.
    Runs(u32),
}

/// What the headers say.
pub(crate) struct Bitmap<'a> {
    width: u32,
    height: u32,
    top_down: bool,
    coding: Coding,
    palette: Palette,
    /// From the first pixel to the end of the file.
    pixels: &'a [u8],
}

/// A color for each number that a pixel can have; those that the file leaves out are black, as in Windows, browsers and Pillow.
type Palette = [[u8; 3]; 256];

fn damaged(reason: impl Into<String>) -> DecodeError {
    DecodeError::Malformed { format: Format::Bmp, reason: reason.into() }
}

fn truncated(reason: impl Into<String>) -> DecodeError {
    DecodeError::Truncated { format: Format::Bmp, reason: reason.into() }
}

/// A header's fields; those behind its end are 0, as OS/2 has it.
struct Fields([u8; LONGEST]);

impl Fields {
    fn short(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    fn long(&self, at: usize) -> u32 {
        u32::from(self.short(at)) | u32::from(self.short(at + 2)) << 16
    }
}

impl<'a> Bitmap<'a> {
    /// Reads the headers. Nothing of the size of the picture is allocated.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Bitmap<'a>, DecodeError> {
        let long =
            |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map(u32::from_le_bytes);
        let ends = || truncated("the file ends within its header");
        let offset = long(10).ok_or_else(ends)? as usize;
        let size = long(FILE_HEADER).ok_or_else(ends)? as usize;
        // OS/2 2 lets a program leave out fields at the end.
        if !matches!(size, 12 | 16..=64 | 108 | 124) {
            return Err(damaged(format!("no header of a bitmap has {size} bytes")));
        }
        let mut fields = Fields([0; LONGEST]);
        fields.0[..size].copy_from_slice(bytes.get(FILE_HEADER..FILE_HEADER + size).ok_or_else(ends)?);
        let mut end = FILE_HEADER + size;

        let core = size == 12;
        let (width, height, bits, compression, colors) = if core {
            (i32::from(fields.short(4)), i32::from(fields.short(6)), fields.short(10), 0, 0)
        } else {
            let sides = (fields.long(4) as i32, fields.long(8) as i32);
            (sides.0, sides.1, fields.short(14), fields.long(16), fields.long(32))
        };
        if width <= 0 || height == 0 {
            return Err(damaged(format!("its size is {width}x{height}")));
        }
        // The number of planes, always 1, is passed over: some programs leave it 0.
        let os2 = !matches!(size, 40 | 52 | 56 | 108 | 124);
        let coding = match (compression, bits) {
            (0, 1 | 2 | 4 | 8) => Coding::Indexed(bits.into()),
            (0, 16) => {
                Coding::Masked { bytes: 2, masks: Box::new(Masks::new([0x7C00, 0x3E0, 0x1F, 0], 16)?) }
            }
            (0, 24) => Coding::Bytes { wide: false },
            // The fourth byte is no alpha, even where a mask for it is there: most programs leave anything in it.
            (0, 32) => Coding::Bytes { wide: true },
            (1, 8) | (2, 4) => Coding::Runs(bits.into()),
            (3 | 6, 16 | 24 | 32) if !os2 => {
                let count = match size {
                    40 => 3 + usize::from(compression == 6),
                    52 => 3,
                    _ => 4,
                };
                let mut masks = [0; 4];
                for (at, mask) in masks.iter_mut().enumerate().take(count) {
                    *mask = long(FILE_HEADER + 40 + 4 * at).ok_or_else(ends)?;
                }
                if size == 40 {
                    end += 4 * count;
                }
                let bytes = usize::from(bits / 8);
                Coding::Masked { bytes, masks: Box::new(Masks::new(masks, bits.into())?) }
            }
            (3, 1) if os2 => return Err(unread("Huffman codes (OS/2)")),
            (4, 24) if os2 => return Err(unread("run lengths of 24 bits (OS/2)")),
            (4, _) => return Err(unread("a JPEG inside")),
            (5, _) => return Err(unread("a PNG inside")),
            (11..=13, _) => return Err(unread("CMYK")),
            (0, _) => return Err(unread(&format!("{bits} bits a pixel"))),
            _ => return Err(unread(&format!("compression {compression} with {bits} bits a pixel"))),
        };

        let entry = if core { 3 } else { 4 };
        let mut palette = [[0; 3]; 256];
        let mut behind = end as u64;
        if let Coding::Indexed(bits) | Coding::Runs(bits) = coding {
            let colors = if colors == 0 { 1 << bits } else { u64::from(colors) };
            behind += entry as u64 * colors;
            // Where the pixels begin before so many colors have passed, there are fewer.
            let room = if offset > end { (offset - end) / entry } else { usize::MAX };
            let table = bytes.get(end..).unwrap_or_default().chunks_exact(entry);
            let present = colors.min(1 << bits).min(room as u64) as usize;
            for (color, bgr) in palette.iter_mut().zip(table).take(present) {
                *color = [bgr[2], bgr[1], bgr[0]];
            }
        }
        // No offset, or one that forgets the palette, is what some programs write.
        let first = if offset == 0 || offset == end { behind } else { offset as u64 };
        if first < end as u64 {
            return Err(damaged("its pixels begin within its header"));
        }
        let pixels = usize::try_from(first).ok().and_then(|first| bytes.get(first..)).unwrap_or_default();
        let (width, top_down) = (width.unsigned_abs(), height < 0);
        Ok(Bitmap { width, height: height.unsigned_abs(), top_down, coding, palette, pixels })
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Refuses a picture of rows that are not there, which nobody need wait for memory for. How many runs there are is not known.
    pub(crate) fn check_there(&self) -> Result<(), DecodeError> {
        match self.coding {
            Coding::Runs(_) => Ok(()),
            _ => rows::lengths(self).map(drop),
        }
    }

    /// The pixels, RGB, with alpha where the file has a mask for it.
    pub(crate) fn decode(&self, limits: &Limits) -> Result<DynamicImage, DecodeError> {
        let (width, height) = self.size();
        check_size(width, height, Format::Bmp, limits)?;
        let samples = match &self.coding {
            Coding::Runs(bits) => runs::read(self, *bits)?,
            _ => rows::read(self)?,
        };
        let image = if self.channels() == 4 {
            RgbaImage::from_raw(width, height, samples).map(DynamicImage::from)
        } else {
            RgbImage::from_raw(width, height, samples).map(DynamicImage::from)
        };
        image.ok_or_else(|| damaged("its pixels do not fill it"))
    }

    /// Samples a pixel.
    fn channels(&self) -> usize {
        match &self.coding {
            Coding::Masked { masks, .. } if masks.have_alpha() => 4,
            _ => 3,
        }
    }

    /// Room for the samples of all pixels, black.
    fn canvas(&self) -> Result<Vec<u8>, DecodeError> {
        let pixels = u64::from(self.width) * u64::from(self.height);
        let length = usize::try_from(pixels).ok().and_then(|pixels| pixels.checked_mul(self.channels()));
        let length = length.filter(|&length| isize::try_from(length).is_ok());
        Ok(vec![0; length.ok_or_else(|| damaged(format!("{pixels} pixels fit no memory")))?])
    }

    /// Where a row of the file stands in the picture, counted from the top.
    fn place(&self, row: usize) -> usize {
        if self.top_down { row } else { self.height as usize - 1 - row }
    }
}

fn unread(what: &str) -> DecodeError {
    damaged(format!("it holds {what}, which is not read here"))
}
