//! GIF: the first image on its canvas, as Pillow shows it. Blocks are read here, the codes of the pixels by `weezl`.
//!
//! Source: CompuServe's "Graphics Interchange Format, Version 89a", and Pillow for what it leaves open.

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage, RgbaImage};
use weezl::{BitOrder, decode::Decoder};

use crate::decode::{DecodeError, Limits, check_size};
use crate::lzw::{self, Stopped};
use crate::{Format, exif};

/// What was read of a file up to its first image's pixels.
pub(crate) struct Animation<'a> {
    width: u32,
    height: u32,
    frame: Frame<'a>,
    xmp: Option<&'a [u8]>,
}

/// The first image.
struct Frame<'a> {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    interlaced: bool,
    transparent: Option<u8>,
    /// Red, green and blue of each color. Without any palette in the file, numbers are shades of gray.
    palette: Option<&'a [u8]>,
    code_size: u8,
    /// The blocks of its codes, and the rest of the file.
    data: Bytes<'a>,
}

/// What is left of the file.
#[derive(Clone)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| truncated("the file ends before its first image"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take(1)?[0])
    }

    /// The palette that the flags announce.
    fn palette(&mut self, flags: u8) -> Result<Option<&'a [u8]>, DecodeError> {
        if flags & 0x80 == 0 { Ok(None) } else { self.take(3 << ((flags & 7) + 1)).map(Some) }
    }

    /// The next block, as far as the file goes; empty at the last one.
    fn block(&mut self) -> &'a [u8] {
        let Some((&length, rest)) = self.0.split_first() else { return &[] };
        let (block, rest) = rest.split_at(rest.len().min(length.into()));
        self.0 = rest;
        block
    }
}

impl<'a> Animation<'a> {
    /// Reads up to the first image's pixels. Nothing is allocated.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Animation<'a>, DecodeError> {
        let mut rest = Bytes(bytes);
        // The signature, the size of the canvas, flags, the number of its color and the shape of its pixels.
        let screen = rest.take(13)?;
        let global = rest.palette(screen[10])?;
        let (mut transparent, mut xmp) = (None, None);
        loop {
            match rest.byte()? {
                b',' => break,
                b';' => return Err(damaged("there is no image in it")),
                b'!' => {
                    let label = rest.byte()?;
                    let mut block = rest.block();
                    if label == 0xF9 && block.len() >= 4 && block[0] & 1 != 0 {
                        transparent = Some(block[3]);
                    }
                    let start = rest.0;
                    let is_xmp = label == 0xFF && block == b"XMP DataXMP";
                    while !block.is_empty() {
                        block = rest.block();
                    }
                    if is_xmp {
                        // The packet does not stand in blocks, but so that whoever skips blocks comes out behind it.
                        xmp = start.get(..start.len() - rest.0.len());
                    }
                }
                // Stray bytes between blocks are passed over, as in Pillow.
                _ => {}
            }
        }
        let place = rest.take(9)?;
        let [left, top, width, height] = [0, 2, 4, 6].map(|at| usize::from(short(place, at)));
        if width == 0 || height == 0 {
            return Err(damaged("its first image has no pixels"));
        }
        let palette = rest.palette(place[8])?.or(global);
        let code_size = rest.byte()?;
        if code_size > 12 {
            return Err(damaged(format!("its codes begin with {code_size} bits")));
        }
        // An image that goes beyond the canvas, whose size some programs leave at 0, makes it larger.
        let side = |at: usize, end: usize| u32::from(short(screen, at)).max(end as u32);
        let interlaced = place[8] & 0x40 != 0;
        let frame =
            Frame { left, top, width, height, interlaced, transparent, palette, code_size, data: rest };
        Ok(Animation { width: side(6, left + width), height: side(8, top + height), frame, xmp })
    }

    /// Columns and rows of the canvas.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// How it is to be turned, as an XMP packet says.
    pub(crate) fn orientation(&self) -> Orientation {
        exif::orientation(None, self.xmp)
    }

    /// The canvas with the first image: RGB, with alpha where pixels can be transparent.
    pub(crate) fn decode(&self, limits: &Limits) -> Result<DynamicImage, DecodeError> {
        let (width, height) = self.size();
        check_size(width, height, Format::Gif, limits)?;
        let frame = &self.frame;
        let numbers = frame.numbers()?;
        let samples = |channels: usize| {
            let pixels = usize::try_from(u64::from(width) * u64::from(height)).ok();
            let length = pixels.and_then(|pixels| pixels.checked_mul(channels));
            let length = length.filter(|&length| isize::try_from(length).is_ok());
            length.ok_or_else(|| damaged("its pixels fit no memory"))
        };
        let covers = (frame.width, frame.height) == (width as usize, height as usize);
        let image = if covers && frame.transparent.is_none() {
            let mut out = vec![0; samples(3)?];
            frame.paint::<3>(&numbers, &mut out, width as usize);
            RgbImage::from_raw(width, height, out).map(DynamicImage::from)
        } else {
            let mut out = vec![0; samples(4)?];
            // Around the image Pillow shows the transparent color, or else the first one, where browsers show what lies below: that is
            // what `Reading::background` gives.
            let [r, g, b] = frame.color(frame.transparent.unwrap_or(0));
            if !covers {
                for pixel in out.chunks_exact_mut(4) {
                    pixel.copy_from_slice(&[r, g, b, 0]);
                }
            }
            frame.paint::<4>(&numbers, &mut out, width as usize);
            RgbaImage::from_raw(width, height, out).map(DynamicImage::from)
        };
        image.ok_or_else(|| damaged("its pixels do not fill it"))
    }
}

impl Frame<'_> {
    /// The number of each pixel's color, in the order of the file.
    fn numbers(&self) -> Result<Vec<u8>, DecodeError> {
        let mut numbers = vec![0; self.width * self.height];
        let mut decoder = Decoder::new(BitOrder::Lsb, self.code_size);
        let mut data = self.data.clone();
        lzw::fill(&mut decoder, || data.block(), &mut numbers).map_err(|stopped| match stopped {
            Stopped::Early(filled) => {
                truncated(format!("its data end after {} of {} rows", filled / self.width, self.height))
            }
            Stopped::Damaged => damaged("a code of its pixels stands for nothing"),
        })?;
        Ok(numbers)
    }

    /// The color of a number; black where the palette has none, as in Pillow.
    fn color(&self, number: u8) -> [u8; 3] {
        let Some(palette) = self.palette else { return [number; 3] };
        let color = palette.get(3 * usize::from(number)..).and_then(|rest| rest.first_chunk());
        color.copied().unwrap_or_default()
    }

    /// Puts the image onto a canvas of `width` columns.
    fn paint<const CHANNELS: usize>(&self, numbers: &[u8], out: &mut [u8], width: usize) {
        let colors: Vec<[u8; 4]> = (0..=255)
            .map(|number| {
                let [r, g, b] = self.color(number);
                [r, g, b, if self.transparent == Some(number) { 0 } else { 255 }]
            })
            .collect();
        let passes: &[(usize, usize)] =
            if self.interlaced { &[(0, 8), (4, 8), (2, 4), (1, 2)] } else { &[(0, 1)] };
        let places = passes.iter().flat_map(|&(first, step)| (first..self.height).step_by(step));
        for (row, y) in numbers.chunks_exact(self.width).zip(places) {
            let start = ((self.top + y) * width + self.left) * CHANNELS;
            let out = &mut out[start..start + self.width * CHANNELS];
            for (pixel, &number) in out.chunks_exact_mut(CHANNELS).zip(row) {
                pixel.copy_from_slice(&colors[usize::from(number)][..CHANNELS]);
            }
        }
    }
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn damaged(reason: impl Into<String>) -> DecodeError {
    DecodeError::Malformed { format: Format::Gif, reason: reason.into() }
}

fn truncated(reason: impl Into<String>) -> DecodeError {
    DecodeError::Truncated { format: Format::Gif, reason: reason.into() }
}
