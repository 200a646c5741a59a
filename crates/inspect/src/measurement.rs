//! [`Measurement`]: what one look at a picture leaves, and its [`Thumbnails`].

use std::sync::Arc;

use pupila_image::Format;

/// The side of [`Thumbnails::gray`] in pixels.
pub const SIDE: usize = 64;

/// The side of [`Thumbnails::color`] in pixels.
pub const COLOR_SIDE: usize = 16;

/// What one look at a picture leaves: numbers, of the upright picture; intensities are 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// A hash of the picture's size and pixels as they are measured: equal for copies that were stored anew without a loss.
    pub pixels: u128,
    /// The format by its content; `None` of an image of an array.
    pub format: Option<Format>,
    /// Bytes of the file.
    pub bytes: u64,
    /// Columns and rows.
    pub size: (u32, u32),
    /// Whether the file has colors; they may all be gray.
    pub color: bool,
    /// The setting of libjpeg, 1 to 100, whose quantization is nearest; `None` of other formats.
    pub jpeg_quality: Option<u8>,
    /// What EXIF says of where and by what it was taken.
    pub taken: Taken,
    /// The mean luma.
    pub brightness: f32,
    /// The standard deviation of the luma.
    pub contrast: f32,
    /// The standard deviation of the Laplacian of the luma at 256 pixels on the longer side, as a share of the contrast.
    pub sharpness: f32,
    /// The mean distance between the largest and the smallest color of a pixel.
    pub chroma: f32,
    /// The mean of each color.
    pub mean: [f32; 3],
    /// The mean square of each color.
    pub square: [f32; 3],
    /// The mean color of the outermost 4 % on each side.
    pub border: [f32; 3],
}

/// The two small pictures of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Thumbnails {
    /// The luma, 0 to 255, of the picture squeezed into a square: `[SIDE, SIDE]`.
    pub gray: Vec<u8>,
    /// The colors of the picture squeezed into a smaller square: `[COLOR_SIDE, COLOR_SIDE, 3]`.
    pub color: Vec<u8>,
}

/// What EXIF says of a photograph's origin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// Maker and model of the camera. Pictures of one camera share the text.
    pub camera: Option<Arc<str>>,
    /// When it was taken by the camera's clock: seconds since 1970, as if its zone were UTC.
    pub at: Option<i64>,
    /// Whether it holds a location. Where that is is never read.
    pub located: bool,
}
