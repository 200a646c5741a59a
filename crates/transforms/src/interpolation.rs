//! How values between pixels are made, as a recipe names it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The interpolation, with the names of OpenCV (`INTER_...`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// The nearest pixel.
    Nearest,
    /// Between 2x2 pixels.
    #[default]
    Linear,
    /// Between 4x4 pixels.
    Cubic,
    /// The mean over the area a pixel comes from; where the image is not resized, the same as linear.
    Area,
    /// Between 8x8 pixels.
    Lanczos,
}

impl From<Interpolation> for pupila_image::Interpolation {
    fn from(interpolation: Interpolation) -> Self {
        match interpolation {
            Interpolation::Nearest => pupila_image::Interpolation::Nearest,
            Interpolation::Linear => pupila_image::Interpolation::Linear,
            Interpolation::Cubic => pupila_image::Interpolation::Cubic,
            Interpolation::Area => pupila_image::Interpolation::Area,
            Interpolation::Lanczos => pupila_image::Interpolation::Lanczos,
        }
    }
}

/// For what images `area` replaces the interpolation when they shrink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AreaForDownscale {
    /// For images, not for masks.
    Image,
    /// For both.
    ImageMask,
}
