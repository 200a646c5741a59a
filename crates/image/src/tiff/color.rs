//! What a page's samples are in gray or RGB. References: Pillow's `Convert.c` (CMYK), libtiff's `tif_color.c` (YCbCr), and
//! IEC 61966-2-1 for CIELab.

use super::malformed;
use super::page::{Alpha, Page};
use crate::DecodeError;
use crate::raster::{Raster, Samples};

pub(super) fn finish(page: &Page<'_>, samples: Samples) -> Result<Raster, DecodeError> {
    let alpha = page.alpha != Alpha::None;
    let kept = page.colors + usize::from(alpha);
    let (colors, alpha, samples) = match page.photometric {
        0 => (1, alpha, inverted(samples, kept)),
        1 | 4 => (1, alpha, samples),
        2 => (3, alpha, samples),
        3 => {
            let Samples::U8(all) = samples else { return Err(malformed("its palette has too many bits")) };
            let entries = 1usize << page.bits;
            // The high byte, as Pillow does.
            let color = |plane: usize, at: u8| (page.palette[plane * entries + usize::from(at)] >> 8) as u8;
            let pixel = |&at: &u8| [color(0, at), color(1, at), color(2, at)];
            (3, false, Samples::U8(all.iter().flat_map(pixel).collect()))
        }
        5 => {
            // 16 bits keep the high byte, as in Pillow.
            let all = match samples {
                Samples::U8(all) => all,
                Samples::U16 { samples, .. } => samples.iter().map(|&v| (v >> 8) as u8).collect(),
                Samples::F32 { .. } => return Err(malformed("its CMYK is not whole numbers")),
            };
            (3, false, Samples::U8(rgb_of(all, 4, 4, cmyk)))
        }
        // The JPEG decoder has done it.
        6 if page.compression == 7 => (3, alpha, samples),
        6 => {
            let Samples::U8(all) = samples else { return Err(malformed("its YCbCr is not of 8 bits")) };
            let ycc = Ycc::of(page);
            (3, false, Samples::U8(rgb_of(all, kept, 3, |pixel| ycc.rgb(pixel))))
        }
        _ => {
            let icc = page.photometric == 9;
            let signed = |v: u8| if icc { f32::from(v) - 128.0 } else { f32::from(v as i8) };
            let rgb = match samples {
                Samples::U8(all) => {
                    rgb_of(all, kept, 3, |p| lab(f32::from(p[0]) / 2.55, signed(p[1]), signed(p[2])))
                }
                Samples::U16 { samples: all, .. } => {
                    let signed =
                        |v: u16| if icc { f32::from(v) / 256.0 - 128.0 } else { f32::from(v as i16) / 256.0 };
                    let most = if icc { 65280.0 } else { 65535.0 };
                    let pixel = |p: &[u16]| lab(f32::from(p[0]) * 100.0 / most, signed(p[1]), signed(p[2]));
                    all.chunks_exact(kept).flat_map(pixel).collect()
                }
                Samples::F32 { .. } => return Err(malformed("its CIELab is floating point")),
            };
            (3, false, Samples::U8(rgb))
        }
    };
    let samples = if alpha && page.alpha == Alpha::Associated { divided(samples, colors) } else { samples };
    Ok(Raster { width: page.width as u32, height: page.height as u32, colors, alpha, samples })
}

fn inverted(mut samples: Samples, kept: usize) -> Samples {
    match &mut samples {
        Samples::U8(all) => all.iter_mut().step_by(kept).for_each(|v| *v = 255 - *v),
        Samples::U16 { samples, white } => {
            samples.iter_mut().step_by(kept).for_each(|v| *v = white.saturating_sub(*v));
        }
        Samples::F32 { samples, white } => samples.iter_mut().step_by(kept).for_each(|v| *v = *white - *v),
    }
    samples
}

/// Pixels of `kept` samples to RGB in the same memory.
fn rgb_of(mut all: Vec<u8>, kept: usize, used: usize, rgb: impl Fn(&[u8]) -> [u8; 3]) -> Vec<u8> {
    let pixels = all.len() / kept;
    for at in 0..pixels {
        let out = rgb(&all[at * kept..at * kept + used]);
        all[at * 3..at * 3 + 3].copy_from_slice(&out);
    }
    all.truncate(pixels * 3);
    all
}

fn cmyk(pixel: &[u8]) -> [u8; 3] {
    let white = 255 - u32::from(pixel[3]);
    [0, 1, 2].map(|at| {
        let product = u32::from(pixel[at]) * white + 128;
        (white - ((product + (product >> 8)) >> 8)) as u8
    })
}

/// libtiff's conversion, in floating point.
struct Ycc {
    red: f32,
    green: f32,
    blue: f32,
    reference: [f32; 6],
}

impl Ycc {
    fn of(page: &Page<'_>) -> Ycc {
        let [red, green, blue] = match page.coefficients[..] {
            [red, green, blue] if green > 0.0 => [red, green, blue],
            _ => [0.299, 0.587, 0.114],
        };
        let default = [0.0, 255.0, 128.0, 255.0, 128.0, 255.0];
        let reference = page.reference.as_slice().try_into().unwrap_or(default);
        Ycc { red, green, blue, reference }
    }

    fn rgb(&self, pixel: &[u8]) -> [u8; 3] {
        let value = |at: usize, range: f32| {
            let (black, white) = (self.reference[at * 2], self.reference[at * 2 + 1]);
            let width = if white == black { 1.0 } else { white - black };
            (f32::from(pixel[at]) - black) * range / width
        };
        let (y, cb, cr) = (value(0, 255.0), value(1, 127.0), value(2, 127.0));
        let red = y + cr * (2.0 - 2.0 * self.red);
        let blue = y + cb * (2.0 - 2.0 * self.blue);
        let green = (y - self.blue * blue - self.red * red) / self.green;
        [red, green, blue].map(|v| v.round().clamp(0.0, 255.0) as u8)
    }
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
