//! What a page's samples are in gray or RGB. References: Pillow's `Convert.c` (CMYK) and `TiffImagePlugin.py` (palettes), and IEC 61966-2-1
//! for CIELab, which littleCMS, by which Pillow reads it, interpolates in a table.

use super::page::{Alpha, Page, color};
use super::{malformed, ycc};
use crate::DecodeError;
use crate::raster::{Raster, Samples};

/// What becomes of samples of which 0 is white.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whites {
    /// They stay as they are stored, to be looked at rather than shown.
    Stored,
    /// They count down from the value that is black: of more than 8 bits the given one, as `Reading::white` has it, else the largest.
    From(Option<u32>),
}

/// What is worked out once for a page.
pub(super) struct Colors {
    table: Table,
    whites: Whites,
}

enum Table {
    None,
    /// The colors of a palette.
    Palette(Vec<[u8; 3]>),
    YCbCr(Box<ycc::Tables>),
}

impl Colors {
    pub(super) fn of(page: &Page<'_>, whites: Whites) -> Result<Colors, DecodeError> {
        let table = match page.photometric {
            color::PALETTE => Table::Palette(palette(page)),
            color::YCBCR if Page::is_converted(page.compression, page.planar, page.samples) => {
                Table::YCbCr(Box::new(ycc::Tables::of(page)?))
            }
            _ => Table::None,
        };
        Ok(Colors { table, whites })
    }

    /// The raster of `width` x `height` pixels of a page.
    pub(super) fn raster(
        &self,
        page: &Page<'_>,
        samples: Samples,
        width: usize,
        height: usize,
    ) -> Result<Raster, DecodeError> {
        let (colors, samples) = self.finish(page, samples)?;
        // Of a palette there is no alpha.
        let alpha = page.alpha != Alpha::None;
        Ok(Raster { width: width as u32, height: height as u32, colors, alpha, samples })
    }

    /// How many colors the samples are, and the samples; alpha comes after each pixel's colors.
    fn finish(&self, page: &Page<'_>, samples: Samples) -> Result<(usize, Samples), DecodeError> {
        let kept = page.kept();
        let associated = page.alpha == Alpha::Associated;
        let (colors, samples) = match page.photometric {
            color::WHITE_IS_ZERO => (1, self.inverted(samples, kept)),
            color::BLACK_IS_ZERO | color::MASK => (1, samples),
            color::RGB => (3, samples),
            color::PALETTE => (3, Samples::U8(self.looked_up(samples)?)),
            color::CMYK => {
                // Inks, not what is seen of them, are multiplied with alpha.
                let samples = if associated { divided(samples, 4) } else { samples };
                // 16 bits keep the high byte, as in Pillow.
                let all = match samples {
                    Samples::U8(all) => all,
                    Samples::U16 { samples, .. } => samples.iter().map(|&v| (v >> 8) as u8).collect(),
                    Samples::F32 { .. } => return Err(malformed("its CMYK is not whole numbers")),
                };
                return Ok((3, Samples::U8(rgb_of(all, kept, 4, cmyk))));
            }
            color::YCBCR => match (&self.table, samples) {
                (Table::YCbCr(tables), Samples::U8(all)) => {
                    (3, Samples::U8(rgb_of(all, kept, 3, |pixel| tables.rgb(pixel))))
                }
                // The JPEG decoder has done it.
                (_, samples @ Samples::U8(_)) => (3, samples),
                _ => return Err(malformed("its YCbCr is not of 8 bits")),
            },
            _ => (3, Samples::U8(rgb_of_lab(page, samples)?)),
        };
        Ok((colors, if associated { divided(samples, colors) } else { samples }))
    }

    fn looked_up(&self, samples: Samples) -> Result<Vec<u8>, DecodeError> {
        let (Table::Palette(colors), Samples::U8(all)) = (&self.table, samples) else {
            return Err(malformed("its palette has too many bits"));
        };
        let mut out = Vec::with_capacity(all.len() * 3);
        for at in all {
            out.extend(colors[usize::from(at)]);
        }
        Ok(out)
    }

    fn inverted(&self, mut samples: Samples, kept: usize) -> Samples {
        let Whites::From(black) = self.whites else { return samples };
        match &mut samples {
            Samples::U8(all) => all.iter_mut().step_by(kept).for_each(|v| *v = 255 - *v),
            Samples::U16 { samples, white } => {
                // A value beyond 16 bits is that of no file of 16 bits.
                let black = black.map_or(*white, |black| black.min(u16::MAX.into()) as u16);
                samples.iter_mut().step_by(kept).for_each(|v| *v = black.saturating_sub(*v));
            }
            Samples::F32 { samples, white } => {
                let black = black.map_or(*white, |black| black as f32);
                samples.iter_mut().step_by(kept).for_each(|v| *v = black - *v);
            }
        }
        samples
    }
}

fn palette(page: &Page<'_>) -> Vec<[u8; 3]> {
    let entries = 1usize << page.bits;
    // The high byte, as Pillow does; old writers fill the low one alone, as libtiff knows.
    let low = page.palette.iter().all(|&value| value < 256);
    let byte = |value: u64| if low { value as u8 } else { (value >> 8) as u8 };
    (0..entries).map(|at| [0, 1, 2].map(|plane| byte(page.palette[plane * entries + at]))).collect()
}

fn rgb_of_lab(page: &Page<'_>, samples: Samples) -> Result<Vec<u8>, DecodeError> {
    let icc = page.photometric == color::ICC_LAB;
    match samples {
        Samples::U8(all) => {
            let signed = |v: u8| if icc { f32::from(v) - 128.0 } else { f32::from(v as i8) };
            let pixel = |p: &[u8]| lab(f32::from(p[0]) / 2.55, signed(p[1]), signed(p[2]));
            Ok(rgb_of(all, page.kept(), 3, pixel))
        }
        Samples::U16 { samples, .. } => {
            let signed =
                |v: u16| if icc { f32::from(v) / 256.0 - 128.0 } else { f32::from(v as i16) / 256.0 };
            let most = if icc { 65280.0 } else { 65535.0 };
            let pixel = |p: &[u16]| lab(f32::from(p[0]) * 100.0 / most, signed(p[1]), signed(p[2]));
            let mut out = Vec::with_capacity(samples.len());
            for sample in samples.chunks_exact(page.kept()) {
                out.extend(pixel(sample));
                out.extend(sample.get(3).map(|alpha| (alpha >> 8) as u8));
            }
            Ok(out)
        }
        Samples::F32 { .. } => Err(malformed("its CIELab is floating point")),
    }
}

/// Pixels of `kept` samples, of which `used` are colors and one may be alpha, to RGB and alpha in the same memory.
fn rgb_of(mut all: Vec<u8>, kept: usize, used: usize, rgb: impl Fn(&[u8]) -> [u8; 3]) -> Vec<u8> {
    let (pixels, step) = (all.len() / kept, 3 + kept - used);
    for at in 0..pixels {
        let out = rgb(&all[at * kept..at * kept + used]);
        if kept > used {
            all[at * step + 3] = all[at * kept + used];
        }
        all[at * step..at * step + 3].copy_from_slice(&out);
    }
    all.truncate(pixels * step);
    all
}

fn cmyk(pixel: &[u8]) -> [u8; 3] {
    let white = 255 - u32::from(pixel[3]);
    [0, 1, 2].map(|at| {
        let product = u32::from(pixel[at]) * white + 128;
        (white - ((product + (product >> 8)) >> 8)) as u8
    })
}

/// CIELab of D50 to sRGB, relative to white.
fn lab(l: f32, a: f32, b: f32) -> [u8; 3] {
    let fy = (l + 16.0) / 116.0;
    let linear = |f: f32| if f > 24.0 / 116.0 { f.powi(3) } else { (108.0 / 841.0) * (f - 16.0 / 116.0) };
    let (x, y, z) = (0.9642 * linear(fy + a / 500.0), linear(fy), 0.8249 * linear(fy - b / 200.0));
    [
        3.134_136 * x - 1.617_386 * y - 0.490_662 * z,
        -0.978_795 * x + 1.916_254 * y + 0.033_443 * z,
        0.071_955 * x - 0.228_977 * y + 1.405_386 * z,
    ]
    .map(|v| {
        let v = if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (v * 255.0).round().clamp(0.0, 255.0) as u8
    })
}

/// Colors that were multiplied with their alpha, divided by it, as Pillow's `RGBa` to `RGBA`.
fn divided(mut samples: Samples, colors: usize) -> Samples {
    match &mut samples {
        Samples::U8(all) => {
            for pixel in all.chunks_exact_mut(colors + 1) {
                let alpha = u32::from(pixel[colors]);
                for value in &mut pixel[..colors] {
                    *value = (u32::from(*value) * 255).checked_div(alpha).unwrap_or(0).min(255) as u8;
                }
            }
        }
        Samples::U16 { samples, white } => {
            let most = u32::from(*white);
            for pixel in samples.chunks_exact_mut(colors + 1) {
                let alpha = u32::from(pixel[colors]);
                for value in &mut pixel[..colors] {
                    *value = (u32::from(*value) * most).checked_div(alpha).unwrap_or(0).min(most) as u16;
                }
            }
        }
        Samples::F32 { samples, white } => {
            for pixel in samples.chunks_exact_mut(colors + 1) {
                let alpha = pixel[colors];
                for value in &mut pixel[..colors] {
                    *value = if alpha > 0.0 { *value * *white / alpha } else { 0.0 };
                }
            }
        }
    }
    samples
}
