//! What the values of a file mean where 8 bits of color are not all it has.

use crate::raster::{Raster, Samples};

/// What values of more than 8 bits and transparency become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Reading {
    /// The value of samples of more than 8 bits that is white; larger ones are white too. Without it the largest there is: of 16 bits
    /// 65535, of which the high byte is taken, as OpenCV does. Of floating-point samples it is white too, and without it 1 is; of arrays likewise, and without it 255 is.
    pub white: Option<u32>,
    /// The value that is black in all that `white` is for; smaller ones are black too. Without it 0 is.
    pub black: Option<i32>,
    /// The color that transparent pixels are laid over, RGB. Without it transparency is dropped, as Pillow's
    /// `convert("RGB")` and OpenCV do.
    pub background: Option<[u8; 3]>,
    /// Whether a damaged JPEG or PNG file is read as far as it goes, and what is lost of it is gray (128), instead of being refused.
    pub fill_damaged: bool,
}

impl Reading {
    fn of_16(self, sample: u16, white: u16) -> u8 {
        match (self.white, self.black) {
            (None, None) if white == u16::MAX => (sample >> 8) as u8,
            (given, _) => self.spread(sample, given.unwrap_or(white.into())),
        }
    }

    /// A byte of an array. Those of pictures are what they are.
    pub fn of_array(self, value: u8) -> u8 {
        match (self.white, self.black) {
            (None, None) => value,
            (white, _) => self.spread(value.into(), white.unwrap_or(u8::MAX.into())),
        }
    }

    /// A value of black to `white` as one of 0 to 255, rounded; what is beyond is black or white.
    fn spread(self, value: u16, white: u32) -> u8 {
        let black = i64::from(self.black.unwrap_or(0));
        let span = (i64::from(white) - black).max(1);
        let above = (i64::from(value) - black).max(0);
        ((above * 255 + span / 2) / span).min(255) as u8
    }

    fn of_float(self, sample: f32, white: f32) -> u8 {
        let white = self.white.map_or(white, |white| white.max(1) as f32);
        let black = self.black.unwrap_or(0) as f32;
        let span = if white > black { white - black } else { 1.0 };
        // NaN becomes 0.
        ((sample - black) / span * 255.0).round().clamp(0.0, 255.0) as u8
    }

    /// The samples of a picture, without its alpha, and how many a pixel has.
    pub(crate) fn samples(self, image: impl Into<Raster>) -> (u8, Vec<u8>) {
        let Raster { colors, alpha, samples, .. } = image.into();
        // White and black are of the colors; the whole range of alpha counts.
        let whole = Reading::default();
        let is_plain = self.white.is_none() && self.black.is_none();
        let mixed = (alpha && !is_plain).then_some(colors);
        let samples: Vec<u8> = match samples {
            Samples::U8(samples) => samples,
            Samples::U16 { samples, white: u16::MAX } if is_plain => {
                samples.iter().map(|v| (v >> 8) as u8).collect()
            }
            Samples::U16 { samples, white } => {
                narrowed(&samples, mixed, |v| self.of_16(v, white), |v| whole.of_16(v, white))
            }
            Samples::F32 { samples, white } => {
                narrowed(&samples, mixed, |v| self.of_float(v, white), |v| whole.of_float(v, white))
            }
        };
        match (alpha, colors) {
            (false, _) => (colors as u8, samples),
            (true, 1) => self.opaque::<1>(&samples),
            (true, _) => self.opaque::<3>(&samples),
        }
    }

    /// Colors without their alpha, which comes after each pixel's.
    fn opaque<const COLORS: usize>(self, samples: &[u8]) -> (u8, Vec<u8>) {
        let pixels = samples.chunks_exact(COLORS + 1);
        let Some(background) = self.background else {
            let mut colors = vec![0; pixels.len() * COLORS];
            for (to, pixel) in colors.chunks_exact_mut(COLORS).zip(pixels) {
                to.copy_from_slice(&pixel[..COLORS]);
            }
            return (COLORS as u8, colors);
        };
        let over = |value: u8, alpha: u8, below: u8| {
            let (value, alpha, below) = (u32::from(value), u32::from(alpha), u32::from(below));
            ((value * alpha + below * (255 - alpha) + 127) / 255) as u8
        };
        let [r, g, b] = background;
        if COLORS == 1 && r == g && g == b {
            return (1, pixels.map(|pixel| over(pixel[0], pixel[1], r)).collect());
        }
        // A gray picture on a color is in color.
        let blend =
            |pixel: &[u8]| [0, 1, 2].map(|c| over(pixel[c.min(COLORS - 1)], pixel[COLORS], background[c]));
        (3, pixels.flat_map(blend).collect())
    }
}

/// Samples as bytes; where a number of colors is given, the alpha behind each pixel's is made a byte in its own way.
fn narrowed<T: Copy>(
    samples: &[T],
    colors: Option<usize>,
    color: impl Fn(T) -> u8,
    alpha: impl Fn(T) -> u8,
) -> Vec<u8> {
    let Some(colors) = colors else { return samples.iter().map(|&v| color(v)).collect() };
    let value = |(at, &v): (usize, &T)| if at % (colors + 1) == colors { alpha(v) } else { color(v) };
    samples.iter().enumerate().map(value).collect()
}

/// What the samples of a file of more than 8 bits hold. Those that are no finite numbers are not counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stored {
    /// The smallest of its colors' samples.
    pub low: f32,
    /// The largest.
    pub high: f32,
    /// The sample that is white where nothing is said of it.
    pub white: f32,
    /// Whether they are floating-point numbers.
    pub float: bool,
    /// Whether some are NaN or infinite.
    pub undefined: bool,
}

impl Stored {
    /// Of a picture; `None` where it has no more than 8 bits, or not one finite sample.
    pub(crate) fn of(image: &Raster) -> Option<Stored> {
        let step = image.colors + usize::from(image.alpha);
        let is_color = |at: usize| at % step < image.colors;
        let of = |values: &mut dyn Iterator<Item = f32>, white: f32| {
            let mut stored = Stored {
                low: f32::INFINITY,
                high: f32::NEG_INFINITY,
                white,
                float: white <= 1.0,
                undefined: false,
            };
            for value in values {
                match value.is_finite() {
                    true => (stored.low, stored.high) = (stored.low.min(value), stored.high.max(value)),
                    false => stored.undefined = true,
                }
            }
            (stored.low <= stored.high).then_some(stored)
        };
        let colors = |(at, value): (usize, f32)| is_color(at).then_some(value);
        match &image.samples {
            Samples::U8(_) => None,
            Samples::U16 { samples, white } => of(
                &mut samples.iter().map(|&v| f32::from(v)).enumerate().filter_map(colors),
                f32::from(*white),
            ),
            Samples::F32 { samples, white } => {
                of(&mut samples.iter().copied().enumerate().filter_map(colors), *white)
            }
        }
    }

    /// What two files hold together.
    pub fn with(self, other: Stored) -> Stored {
        Stored {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            white: self.white.max(other.white),
            float: self.float,
            undefined: self.undefined || other.undefined,
        }
    }
}

/// Why a picture has hardly any contrast once it is read.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Flat {
    /// Its samples are whole numbers of more than 8 bits, and use the lowest alone.
    FewBits {
        /// The largest sample.
        largest: u32,
        /// The sample that is white.
        white: u32,
    },
    /// Its samples are floating-point numbers outside of what is black to white.
    Float {
        /// The smallest.
        low: f32,
        /// The largest.
        high: f32,
    },
    /// All of it is transparent.
    Transparent,
    /// It shows by its alpha alone: all pixels are of about one color.
    OnlyAlpha {
        /// Whether that color is light.
        light: bool,
    },
    /// It is of about one color.
    OneColor,
}

impl Flat {
    pub(crate) fn of(image: &Raster) -> Flat {
        let (colors, step) = (image.colors, image.colors + usize::from(image.alpha));
        // What the alpha says of a picture whose colors say nothing; none where all of it is opaque.
        if image.alpha {
            let ends = |light: bool, alpha: &mut dyn Iterator<Item = u8>| {
                let (low, high) = alpha.fold((u8::MAX, 0), |(low, high), v| (low.min(v), high.max(v)));
                match (low, high) {
                    (_, 0) => Some(Flat::Transparent),
                    (low, high) if high.saturating_sub(low) > NEARLY_ONE => Some(Flat::OnlyAlpha { light }),
                    _ => None,
                }
            };
            let whole = Reading::default();
            let told = match &image.samples {
                Samples::U8(all) => ends(
                    all.first().is_some_and(|&v| v > 127),
                    &mut all.iter().skip(colors).step_by(step).copied(),
                ),
                Samples::U16 { samples, white } => ends(
                    samples.first().is_some_and(|&v| v > white / 2),
                    &mut samples.iter().skip(colors).step_by(step).map(|&v| whole.of_16(v, *white)),
                ),
                Samples::F32 { samples, white } => ends(
                    samples.first().is_some_and(|&v| v > white / 2.0),
                    &mut samples.iter().skip(colors).step_by(step).map(|&v| whole.of_float(v, *white)),
                ),
            };
            if let Some(flat) = told {
                return flat;
            }
        }
        match Stored::of(image) {
            None => Flat::OneColor,
            // Whole numbers of more bits.
            Some(Stored { high, white, float: false, .. }) => few_bits(high as u32, white as u32),
            Some(Stored { low, high, white, .. }) => {
                let unusual = low < 0.0 || high > white || (high <= white / 2.0 && high > low);
                if unusual { Flat::Float { low, high } } else { Flat::OneColor }
            }
        }
    }
}

fn few_bits(largest: u32, white: u32) -> Flat {
    if (1..=white / 8).contains(&largest) { Flat::FewBits { largest, white } } else { Flat::OneColor }
}

/// Samples of an image that are within so much of each other are about one color: 12 bits read as 16 are within 15.
pub const NEARLY_ONE: u8 = 15;

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, ImageBuffer, Luma, LumaA, Rgb, Rgba};

    fn gray16(samples: &[u16]) -> Raster {
        let image: ImageBuffer<Luma<u16>, _> =
            ImageBuffer::from_raw(samples.len() as u32, 1, samples.to_vec()).unwrap();
        DynamicImage::from(image).into()
    }

    #[test]
    fn a_white_of_fewer_bits_spreads_them() {
        let samples = [0, 1, 2048, 4095, 4096, u16::MAX];
        let by = |white| Reading { white, ..Reading::default() }.samples(gray16(&samples)).1;
        assert_eq!(by(None), [0, 0, 8, 15, 16, 255]);
        assert_eq!(by(Some(4095)), [0, 0, 128, 255, 255, 255]);
        assert_eq!(by(Some(65535)), [0, 0, 8, 16, 16, 255]);
        assert_eq!(by(Some(0)), [0, 255, 255, 255, 255, 255]);
        let float: ImageBuffer<Rgb<f32>, _> =
            ImageBuffer::from_raw(2, 1, vec![-1.0, 0.5, 2.0, f32::NAN, 100.0, 0.25]).unwrap();
        let by = |white| Reading { white, ..Reading::default() }.samples(DynamicImage::from(float.clone())).1;
        assert_eq!(by(None), [0, 128, 255, 0, 255, 64]);
        assert_eq!(by(Some(100)), [0, 1, 5, 0, 255, 1]);
    }

    #[test]
    fn a_black_below_0_or_above_spreads_what_is_over_it() {
        let by = |black, white| Reading { black, white, ..Reading::default() };
        let samples = [0, 1000, 2024, 3047, 3048, u16::MAX];
        assert_eq!(by(Some(1000), Some(3048)).samples(gray16(&samples)).1, [0, 0, 128, 255, 255, 255]);
        assert_eq!(by(Some(-1000), Some(1000)).samples(gray16(&samples)).1, [128, 255, 255, 255, 255, 255]);
        let float: ImageBuffer<Rgb<f32>, _> =
            ImageBuffer::from_raw(2, 1, vec![-1.0, -0.5, 0.0, 0.5, 1.0, f32::NAN]).unwrap();
        let floats = |reading: Reading| reading.samples(DynamicImage::from(float.clone())).1;
        assert_eq!(floats(by(Some(-1), None)), [0, 64, 128, 191, 255, 0]);
        assert_eq!(floats(by(Some(-1), Some(3))), [0, 32, 64, 96, 128, 0]);
        // A black that is no less than white divides by nothing.
        assert_eq!(floats(by(Some(1), Some(1))), [0; 6]);
        assert_eq!([0, 100, 200, 255].map(|v| by(Some(100), None).of_array(v)), [0, 0, 165, 255]);
    }

    #[test]
    fn transparent_pixels_are_laid_over_the_background() {
        let rgba: ImageBuffer<Rgba<u8>, _> =
            ImageBuffer::from_raw(3, 1, vec![10, 20, 30, 0, 10, 20, 30, 128, 10, 20, 30, 255]).unwrap();
        let by = |background| {
            Reading { background, ..Reading::default() }.samples(DynamicImage::from(rgba.clone()))
        };
        assert_eq!(by(None), (3, vec![10, 20, 30, 10, 20, 30, 10, 20, 30]));
        assert_eq!(by(Some([255, 255, 0])), (3, vec![255, 255, 0, 132, 137, 15, 10, 20, 30]));
        let gray: ImageBuffer<LumaA<u8>, _> = ImageBuffer::from_raw(2, 1, vec![7, 0, 7, 255]).unwrap();
        let by = |background| {
            Reading { background, ..Reading::default() }.samples(DynamicImage::from(gray.clone()))
        };
        assert_eq!(by(None), (1, vec![7, 7]));
        assert_eq!(by(Some([255; 3])), (1, vec![255, 7]));
        assert_eq!(by(Some([1, 2, 3])), (3, vec![1, 2, 3, 7, 7, 7]));
        // 16 bits: white is of the colors, not of the alpha.
        let deep: ImageBuffer<LumaA<u16>, _> =
            ImageBuffer::from_raw(2, 1, vec![4095, 65535, 4095, 0]).unwrap();
        let reading = Reading { white: Some(4095), background: Some([0; 3]), ..Reading::default() };
        assert_eq!(reading.samples(DynamicImage::from(deep)), (1, vec![255, 0]));
    }

    #[test]
    fn what_makes_a_picture_flat_is_told() {
        assert_eq!(Flat::of(&gray16(&[0, 249])), Flat::FewBits { largest: 249, white: 65535 });
        assert_eq!(Flat::of(&gray16(&[60_000, 60_001])), Flat::OneColor);
        let rgba = |samples: &[u8]| -> Raster {
            let image: ImageBuffer<Rgba<u8>, _> = ImageBuffer::from_raw(2, 1, samples.to_vec()).unwrap();
            DynamicImage::from(image).into()
        };
        assert_eq!(Flat::of(&rgba(&[0, 0, 0, 0, 0, 0, 0, 0])), Flat::Transparent);
        assert_eq!(Flat::of(&rgba(&[0, 0, 0, 0, 0, 0, 0, 255])), Flat::OnlyAlpha { light: false });
        assert_eq!(Flat::of(&rgba(&[255, 255, 255, 0, 255, 255, 255, 255])), Flat::OnlyAlpha { light: true });
        assert_eq!(Flat::of(&rgba(&[9, 9, 9, 255, 9, 9, 9, 255])), Flat::OneColor);
        // Nothing of 16 bits is used: no other white would help.
        assert_eq!(Flat::of(&gray16(&[0, 0])), Flat::OneColor);
        let deep: ImageBuffer<LumaA<u16>, _> = ImageBuffer::from_raw(2, 1, vec![0, 0, 0, 65535]).unwrap();
        assert_eq!(Flat::of(&DynamicImage::from(deep).into()), Flat::OnlyAlpha { light: false });
        let deep: ImageBuffer<LumaA<u16>, _> =
            ImageBuffer::from_raw(2, 1, vec![0, 65535, 99, 65535]).unwrap();
        assert_eq!(Flat::of(&DynamicImage::from(deep).into()), Flat::FewBits { largest: 99, white: 65535 });
        let float: ImageBuffer<Rgb<f32>, _> = ImageBuffer::from_raw(1, 1, vec![-1000.0, 0.0, 400.0]).unwrap();
        assert_eq!(Flat::of(&DynamicImage::from(float).into()), Flat::Float { low: -1000.0, high: 400.0 });
    }
}
