//! Writing images: PNG where what is written is compared and must be exact, JPEG for photographs in a page that has to stay
//! small.

use image::{ExtendedColorType, ImageEncoder};

use crate::Image;

/// Why an image was not encoded.
#[derive(Debug, thiserror::Error)]
#[error("the image of {width}x{height} pixels cannot be encoded: {source}")]
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

/// The bytes of a JPEG file that holds about these samples. `quality` is from 1 to 100.
///
/// # Errors
/// Where a side is larger than JPEG allows (65,535).
pub fn encode_jpeg(image: &Image, quality: u8) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    let color = if image.channels() == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)
        .write_image(image.data(), image.width(), image.height(), color)
        .map_err(|source| EncodeError { width: image.width(), height: image.height(), source })?;
    Ok(bytes)
}

/// The bytes of a PNG file of colors with their opacity, to be laid over another picture. `rgba: [height, width, 4]`
///
/// # Errors
/// Where the samples don't fill the shape.
pub fn encode_png_overlay(rgba: &[u8], width: u32, height: u32) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    let expected = u64::from(width) * u64::from(height) * 4;
    let failed = |source| EncodeError { width, height, source };
    if rgba.len() as u64 != expected || expected == 0 {
        let kind = image::error::ParameterErrorKind::DimensionMismatch;
        return Err(failed(image::ImageError::Parameter(image::error::ParameterError::from_kind(kind))));
    }
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(rgba, width, height, ExtendedColorType::Rgba8)
        .map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photograph_survives_jpeg_and_an_overlay_is_exact() {
        let pixels: Vec<u8> =
            (0..32 * 32).flat_map(|i| [(i % 32) as u8 * 8, (i / 32) as u8 * 8, 128]).collect();
        let image = Image::new(32, 32, 3, pixels.clone()).unwrap();
        let back = image::load_from_memory(&encode_jpeg(&image, 90).unwrap()).unwrap().to_rgb8();
        let error: f64 = back.iter().zip(&pixels).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
        assert!(error / (pixels.len() as f64) < 4.0, "{error}");
        let rgba = [1, 2, 3, 4, 250, 251, 252, 253];
        let back = image::load_from_memory(&encode_png_overlay(&rgba, 2, 1).unwrap()).unwrap().to_rgba8();
        assert_eq!(back.as_raw()[..], rgba);
        assert!(encode_png_overlay(&rgba, 3, 1).is_err() && encode_png_overlay(&[], 0, 0).is_err());
    }
}
