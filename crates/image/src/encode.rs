//! Writing images: PNG only, since what is written here is looked at or compared, and must be exact.

use image::{ExtendedColorType, ImageEncoder};

use crate::Image;

/// Why an image was not encoded.
#[derive(Debug, thiserror::Error)]
#[error("the image of {width}x{height} pixels cannot be written as PNG: {source}")]
pub struct EncodeError {
    width: u32,
    height: u32,
    source: image::ImageError,
}

/// The bytes of a PNG file that holds exactly these samples.
///
/// # Errors
/// Where a side is larger than PNG allows (2^31 - 1).
pub fn encode_png(image: &Image) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    let color = if image.channels() == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(image.data(), image.width(), image.height(), color)
        .map_err(|source| EncodeError { width: image.width(), height: image.height(), source })?;
    Ok(bytes)
}
