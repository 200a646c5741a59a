//! [`Image`]: what every stage hands to the next.

/// Why pixels are not an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Only gray (1) and RGB (3) images exist here.
    #[error("an image has 1 (gray) or 3 (RGB) channels, not {0}")]
    Channels(u8),
    /// A side is 0.
    #[error("an image needs at least one pixel, but this one is {width}x{height}")]
    Empty {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The samples do not fill the shape.
    #[error("an image of {width}x{height} pixels and {channels} channels has {expected} samples, not {got}")]
    Length {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Samples a pixel.
        channels: u8,
        /// height x width x channels.
        expected: u64,
        /// The number of samples given.
        got: usize,
    },
}

/// 8-bit samples `[H, W, C]`, rows from the top, without padding; `C` is 1 (gray) or 3 (RGB), and no side is 0.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    width: u32,
    height: u32,
    channels: u8,
    data: Vec<u8>,
}

impl Image {
    /// An image of the samples `data: [height, width, channels]`.
    ///
    /// # Errors
    /// Where the shape is not one of an image, or `data` does not fill it.
    pub fn new(width: u32, height: u32, channels: u8, data: Vec<u8>) -> Result<Self, ImageError> {
        if !matches!(channels, 1 | 3) {
            return Err(ImageError::Channels(channels));
        }
        if width == 0 || height == 0 {
            return Err(ImageError::Empty { width, height });
        }
        // Two u32 sides and 3 channels can pass u64; a length that saturates matches no slice.
        let expected = (u64::from(width) * u64::from(height)).saturating_mul(u64::from(channels));
        if data.len() as u64 != expected {
            return Err(ImageError::Length { width, height, channels, expected, got: data.len() });
        }
        Ok(Image { width, height, channels, data })
    }

    /// Columns.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Samples a pixel: 1 (gray) or 3 (RGB).
    pub fn channels(&self) -> u8 {
        self.channels
    }

    /// The samples, `[H, W, C]`.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The samples, `[H, W, C]`, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The samples, `[H, W, C]`, without the shape.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// The image with `channels` channels: RGB to gray by Pillow's `convert("L")` (ITU-R 601-2 luma in 16-bit fixed
    /// point), gray to RGB by repetition. An image that already has them is returned as it is.
    ///
    /// # Errors
    /// Where `channels` is neither 1 nor 3.
    pub fn to_channels(self, channels: u8) -> Result<Self, ImageError> {
        let data = match (self.channels, channels) {
            (from, to) if from == to => return Ok(self),
            (3, 1) => self.data.chunks_exact(3).map(|rgb| luma(rgb[0], rgb[1], rgb[2])).collect(),
            (1, 3) => {
                let mut rgb = vec![0; self.data.len() * 3];
                for (pixel, &gray) in rgb.chunks_exact_mut(3).zip(&self.data) {
                    pixel.fill(gray);
                }
                rgb
            }
            (_, other) => return Err(ImageError::Channels(other)),
        };
        Ok(Image { channels, data, ..self })
    }
}

fn luma(r: u8, g: u8, b: u8) -> u8 {
    ((19595 * u32::from(r) + 38470 * u32::from(g) + 7471 * u32::from(b) + 0x8000) >> 16) as u8
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Image({}x{}x{})", self.width, self.height, self.channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_that_is_no_image_is_refused() {
        assert_eq!(Image::new(1, 1, 2, vec![0; 2]), Err(ImageError::Channels(2)));
        assert_eq!(Image::new(0, 4, 1, vec![]), Err(ImageError::Empty { width: 0, height: 4 }));
        assert!(matches!(
            Image::new(2, 2, 3, vec![0; 11]),
            Err(ImageError::Length { expected: 12, got: 11, .. })
        ));
        assert!(Image::new(u32::MAX, u32::MAX, 3, vec![0; 11]).is_err());
    }

    #[test]
    fn gray_is_the_luma_of_pillow() {
        // Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0)) of Pillow 12.
        for (rgb, gray) in [
            ([255, 0, 0], 76),
            ([0, 255, 0], 150),
            ([0, 0, 255], 29),
            ([255, 255, 255], 255),
            ([1, 2, 3], 2),
            ([200, 100, 50], 124),
        ] {
            let image = Image::new(1, 1, 3, rgb.to_vec()).unwrap().to_channels(1).unwrap();
            assert_eq!(image.data(), [gray], "{rgb:?}");
        }
        let rgb = Image::new(2, 1, 1, vec![7, 9]).unwrap().to_channels(3).unwrap();
        assert_eq!(rgb.data(), [7, 7, 7, 9, 9, 9]);
    }
}
