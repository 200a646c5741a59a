//! 8-bit pixels to the f32 that a network takes: by constants, `(pixel - mean · max) / (std · max)` by channel, or by what
//! the image itself holds.
//!
//! Reference: `albumentations.Normalize` 2.0.8. `"standard"` repeats its arithmetic in f32 step by step. The modes by image
//! ([`PerImage`]) give its results rounded to f32: it works them out in f64, and so does this.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is added to a deviation or a range, in pixel values, so that an image of one value can be divided by it.
const EPS: f64 = 1e-4;
/// The largest result of a division by an image's own deviation.
const BOUND: f64 = 20.0;

/// How pixels become f32.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    channels: usize,
    /// Empty where each image is normalised by itself.
    mean: Vec<f32>,
    std: Vec<f32>,
    max_pixel_value: f32,
    /// What each value of a byte becomes, by channel. A look-up is faster than the arithmetic where the
    /// instructions are those of any x86-64, and it is what the reference does.
    tables: Vec<[f32; 256]>,
    per_image: Option<PerImage>,
}

/// A normalisation of each image by its own values, as the `normalization` of `albumentations.Normalize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PerImage {
    /// By the mean and standard deviation of all its values.
    Image,
    /// By the mean and standard deviation of each channel.
    ImagePerChannel,
    /// From the lowest value to the highest, which become 0 and 1.
    MinMax,
    /// The same for each channel.
    MinMaxPerChannel,
}

/// Why a mean and a standard deviation are no normalisation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NormalizationError {
    /// A mean and a standard deviation are needed for each channel, of which there are 1 or 3.
    #[error("expected as many means as standard deviations, for 1 or 3 channels, got {means} and {stds}")]
    Channels {
        /// Means given.
        means: usize,
        /// Standard deviations given.
        stds: usize,
    },
    /// Values for another number of channels than the images have.
    #[error("the images have {expected} channels, and there are means for {got}")]
    OtherChannels {
        /// Channels of the images.
        expected: usize,
        /// Channels of the means.
        got: usize,
    },
    /// A number that cannot be divided by or is not finite.
    #[error(
        "expected a finite mean, a positive std and max_pixel_value, got {mean}, {std} and {max_pixel_value}"
    )]
    Value {
        /// The mean of the channel.
        mean: f32,
        /// Its standard deviation.
        std: f32,
        /// The largest value of a pixel.
        max_pixel_value: f32,
    },
    /// `"data"` without the images that it is measured over.
    #[error("\"data\" is measured over training images, of which there are none here")]
    NotMeasured,
}

impl PerImage {
    /// Every mode.
    pub const ALL: [PerImage; 4] =
        [PerImage::Image, PerImage::ImagePerChannel, PerImage::MinMax, PerImage::MinMaxPerChannel];

    /// Its name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            PerImage::Image => "image",
            PerImage::ImagePerChannel => "image_per_channel",
            PerImage::MinMax => "min_max",
            PerImage::MinMaxPerChannel => "min_max_per_channel",
        }
    }

    fn by_channel(self) -> bool {
        matches!(self, PerImage::ImagePerChannel | PerImage::MinMaxPerChannel)
    }

    /// What each value becomes in an image, or a channel of one, with so many pixels of each value.
    fn table(self, counts: &[u64; 256]) -> [f32; 256] {
        let (offset, divisor, bound) = match self {
            PerImage::Image | PerImage::ImagePerChannel => {
                // Whole numbers: the sums are exact.
                let sum_of = |power: u32| -> u64 {
                    counts.iter().zip(0u64..).map(|(&n, value)| n * value.pow(power)).sum()
                };
                let (n, sum, squares) = (sum_of(0), sum_of(1), sum_of(2));
                let spread = u128::from(n) * u128::from(squares) - u128::from(sum) * u128::from(sum);
                let n = n.max(1) as f64;
                (sum as f64 / n, (spread as f64).sqrt() / n + EPS, BOUND)
            }
            PerImage::MinMax | PerImage::MinMaxPerChannel => {
                let least = counts.iter().position(|&n| n > 0).unwrap_or(0) as f64;
                let most = counts.iter().rposition(|&n| n > 0).unwrap_or(0) as f64;
                (least, most - least + EPS, f64::INFINITY)
            }
        };
        std::array::from_fn(|value| ((value as f64 - offset) / divisor).clamp(-bound, bound) as f32)
    }
}

impl std::fmt::Display for PerImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Normalization {
    /// The normalisation by given values; `mean, std: [C]` with C of 1 or 3, in fractions of
    /// `max_pixel_value`.
    ///
    /// # Errors
    /// Where the two differ in length, or a value is not finite or no divisor.
    pub fn new(mean: Vec<f32>, std: Vec<f32>, max_pixel_value: f32) -> Result<Self, NormalizationError> {
        if mean.len() != std.len() || !matches!(mean.len(), 1 | 3) {
            return Err(NormalizationError::Channels { means: mean.len(), stds: std.len() });
        }
        let positive = |value: f32| value > 0.0 && value.is_finite();
        for (&mean, &std) in mean.iter().zip(&std) {
            if !mean.is_finite() || !positive(std) || !positive(max_pixel_value) {
                return Err(NormalizationError::Value { mean, std, max_pixel_value });
            }
        }
        Ok(Normalization::tabulate(mean, std, max_pixel_value))
    }

    /// The mean and standard deviation of ImageNet; for gray images 0.5 and 0.5.
    pub fn imagenet(channels: usize) -> Self {
        let (mean, std) = match channels {
            1 => (vec![0.5], vec![0.5]),
            _ => (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]),
        };
        Normalization::tabulate(mean, std, 255.0)
    }

    /// No normalisation but that of the range: `pixel / 255`, mean 0 and deviation 1.
    pub fn none(channels: usize) -> Self {
        Normalization::tabulate(vec![0.0; channels], vec![1.0; channels], 255.0)
    }

    /// The normalisation of each image of `channels` by itself.
    pub fn by_image(mode: PerImage, channels: usize) -> Self {
        Normalization {
            channels,
            mean: Vec::new(),
            std: Vec::new(),
            max_pixel_value: 255.0,
            tables: Vec::new(),
            per_image: Some(mode),
        }
    }

    fn tabulate(mean: Vec<f32>, std: Vec<f32>, max_pixel_value: f32) -> Self {
        let table = |(&mean, &std): (&f32, &f32)| -> [f32; 256] {
            let (offset, scale) = (mean * max_pixel_value, 1.0 / (std * max_pixel_value));
            std::array::from_fn(|value| (value as f32 - offset) * scale)
        };
        let tables = mean.iter().zip(&std).map(table).collect();
        Normalization { channels: mean.len(), mean, std, max_pixel_value, tables, per_image: None }
    }

    /// The number of channels, C.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The mean of each channel, as a fraction of the largest pixel value; empty where each image is normalised by
    /// itself. `[C]`
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The standard deviation of each channel, as a fraction of the largest pixel value; empty where each image is
    /// normalised by itself. `[C]`
    pub fn std(&self) -> &[f32] {
        &self.std
    }

    /// What mean and deviation are fractions of.
    pub fn max_pixel_value(&self) -> f32 {
        self.max_pixel_value
    }

    /// How each image is normalised by itself, if it is.
    pub fn per_image(&self) -> Option<PerImage> {
        self.per_image
    }

    /// Normalises the pixels of an image. `pixels, out: [.., C]`; of slices that differ in length, as far as the shorter
    /// one goes.
    pub fn apply(&self, pixels: &[u8], out: &mut [f32]) {
        match self.per_image {
            None => look_up_all(&self.tables, pixels, out),
            Some(mode) => look_up_all(&self.tables_of(mode, pixels, |value| value), pixels, out),
        }
    }

    /// Normalises `map[pixel]` for every pixel, in one pass. `pixels, out: [.., C]`
    pub(crate) fn apply_mapped(&self, map: &[u8; 256], pixels: &[u8], out: &mut [f32]) {
        let mapped = |table: &[f32; 256]| map.map(|value| table[usize::from(value)]);
        let tables: Vec<[f32; 256]> = match self.per_image {
            None => self.tables.iter().map(mapped).collect(),
            Some(mode) => {
                let tables = self.tables_of(mode, pixels, |value| map[usize::from(value)]);
                tables.iter().map(mapped).collect()
            }
        };
        look_up_all(&tables, pixels, out);
    }

    /// The tables of an image that is normalised by itself, whose values are `seen` of its pixels.
    fn tables_of(&self, mode: PerImage, pixels: &[u8], seen: impl Fn(u8) -> u8) -> Vec<[f32; 256]> {
        let mut counts = vec![[0u64; 256]; self.channels];
        for pixel in pixels.chunks_exact(self.channels.max(1)) {
            for (counts, &value) in counts.iter_mut().zip(pixel) {
                counts[usize::from(seen(value))] += 1;
            }
        }
        if mode.by_channel() {
            return counts.iter().map(|counts| mode.table(counts)).collect();
        }
        let mut all = [0; 256];
        for counts in &counts {
            all.iter_mut().zip(counts).for_each(|(all, n)| *all += n);
        }
        vec![mode.table(&all); self.channels]
    }
}

fn look_up_all(tables: &[[f32; 256]], pixels: &[u8], out: &mut [f32]) {
    match tables {
        [red, green, blue] => look_up_rgb([red, green, blue], pixels, out),
        tables => tables.iter().for_each(|table| look_up(table, pixels, out)),
    }
}

fn look_up(table: &[f32; 256], pixels: &[u8], out: &mut [f32]) {
    for (&pixel, out) in pixels.iter().zip(out) {
        *out = table[usize::from(pixel)];
    }
}

fn look_up_rgb(tables: [&[f32; 256]; 3], pixels: &[u8], out: &mut [f32]) {
    for (pixel, out) in pixels.as_chunks::<3>().0.iter().zip(out.as_chunks_mut::<3>().0) {
        for channel in 0..3 {
            out[channel] = tables[channel][usize::from(pixel[channel])];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_normalised_by_their_channel() {
        let identity: [u8; 256] = std::array::from_fn(|value| value as u8);
        for channels in [1, 3] {
            let normalization = Normalization::imagenet(channels);
            for length in [0, channels, 999] {
                let pixels: Vec<u8> = (0..length).map(|i| (i * 7) as u8).collect();
                let (mut direct, mut tabled) = (vec![9.0; length], vec![9.0; length]);
                normalization.apply(&pixels, &mut direct);
                normalization.apply_mapped(&identity, &pixels, &mut tabled);
                assert_eq!(direct, tabled);
                for (i, &value) in direct.iter().enumerate() {
                    let (mean, std) = (normalization.mean()[i % channels], normalization.std()[i % channels]);
                    let expected = (f64::from(pixels[i]) / 255.0 - f64::from(mean)) / f64::from(std);
                    assert!((f64::from(value) - expected).abs() < 1e-6);
                }
            }
        }
    }

    #[test]
    fn an_image_is_normalised_by_itself_as_it_is_after_its_transforms() {
        let negative: [u8; 256] = std::array::from_fn(|value| 255 - value as u8);
        for mode in PerImage::ALL {
            for channels in [1, 3] {
                let pixels: Vec<u8> = (0..99).map(|i| (40 + i % 50 + 30 * (i % channels)) as u8).collect();
                let inverted: Vec<u8> = pixels.iter().map(|&v| 255 - v).collect();
                let normalization = Normalization::by_image(mode, channels);
                let (mut direct, mut mapped) = (vec![9.0; 99], vec![8.0; 99]);
                normalization.apply(&inverted, &mut direct);
                normalization.apply_mapped(&negative, &pixels, &mut mapped);
                assert_eq!(direct, mapped);
                let (least, most) =
                    direct.iter().fold((f32::MAX, f32::MIN), |(a, b), &x| (a.min(x), b.max(x)));
                match mode {
                    PerImage::MinMax | PerImage::MinMaxPerChannel => {
                        assert_eq!(least, 0.0);
                        assert!((most - 1.0).abs() < 1e-5);
                    }
                    _ => assert!(direct.iter().sum::<f32>().abs() < 1e-3 && least < -1.0 && most > 1.0),
                }
                // One value alone divides by next to nothing.
                normalization.apply(&[77; 99], &mut direct);
                assert!(direct.iter().all(|&x| x == 0.0));
            }
        }
    }

    #[test]
    fn none_is_the_fraction_of_white_as_to_tensor_of_torchvision_has_it() {
        let pixels: Vec<u8> = (0..=255).collect();
        for channels in [1, 3] {
            let none = Normalization::none(channels);
            assert_eq!(none, Normalization::new(vec![0.0; channels], vec![1.0; channels], 255.0).unwrap());
            let mut out = vec![9.0; 255];
            none.apply(&pixels[..255], &mut out);
            for (&pixel, value) in pixels.iter().zip(out) {
                let expected = f32::from(pixel) / 255.0;
                assert!((value - expected).abs() <= f32::EPSILON * expected, "{pixel}: {value}");
            }
        }
    }

    #[test]
    fn what_cannot_normalise_is_refused() {
        assert!(Normalization::new(vec![0.5; 2], vec![0.5; 2], 255.0).is_err());
        assert!(Normalization::new(vec![0.5; 3], vec![0.5], 255.0).is_err());
        for std in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(Normalization::new(vec![0.5], vec![std], 255.0).is_err());
        }
    }
}
