//! 8-bit pixels to the f32 that a network takes: `(pixel - mean · max) / (std · max)` by channel.
//!
//! Reference: `albumentations.Normalize(normalization="standard")`, whose arithmetic in f32 this repeats step
//! by step.

/// The mean and the standard deviation of each channel, as fractions of the largest pixel value.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    mean: Vec<f32>,
    std: Vec<f32>,
    /// What each value of a byte becomes, by channel. A look-up is faster than the arithmetic where the
    /// instructions are those of any x86-64, and it is what the reference does.
    tables: Vec<[f32; 256]>,
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

    fn tabulate(mean: Vec<f32>, std: Vec<f32>, max_pixel_value: f32) -> Self {
        let table = |(&mean, &std): (&f32, &f32)| -> [f32; 256] {
            let (offset, scale) = (mean * max_pixel_value, 1.0 / (std * max_pixel_value));
            std::array::from_fn(|value| (value as f32 - offset) * scale)
        };
        let tables = mean.iter().zip(&std).map(table).collect();
        Normalization { mean, std, tables }
    }

    /// The number of channels, C.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// The mean of each channel, as a fraction of the largest pixel value. `[C]`
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The standard deviation of each channel, as a fraction of the largest pixel value. `[C]`
    pub fn std(&self) -> &[f32] {
        &self.std
    }

    /// Normalises pixels. `pixels, out: [.., C]`; of slices that differ in length, as far as the shorter one
    /// goes.
    pub fn apply(&self, pixels: &[u8], out: &mut [f32]) {
        match self.tables.as_slice() {
            [red, green, blue] => look_up_rgb([red, green, blue], pixels, out),
            tables => tables.iter().for_each(|table| look_up(table, pixels, out)),
        }
    }

    /// Normalises `map[pixel]` for every pixel, in one pass. `pixels, out: [.., C]`
    pub(crate) fn apply_mapped(&self, map: &[u8; 256], pixels: &[u8], out: &mut [f32]) {
        let mapped = |table: &[f32; 256]| map.map(|value| table[usize::from(value)]);
        match self.tables.as_slice() {
            [red, green, blue] => look_up_rgb([&mapped(red), &mapped(green), &mapped(blue)], pixels, out),
            tables => tables.iter().for_each(|table| look_up(&mapped(table), pixels, out)),
        }
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
    fn what_cannot_normalise_is_refused() {
        assert!(Normalization::new(vec![0.5; 2], vec![0.5; 2], 255.0).is_err());
        assert!(Normalization::new(vec![0.5; 3], vec![0.5], 255.0).is_err());
        for std in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(Normalization::new(vec![0.5], vec![std], 255.0).is_err());
        }
    }
}
