//! A strip or tile that is a WebP file, as libtiff writes it: RGB of 8 bits, or RGB and alpha.

use std::io::Cursor;

use image::ImageDecoder;
use image::codecs::webp::WebPDecoder;

use super::{malformed, truncated};
use crate::DecodeError;

/// Fills `out`, of `width` x `height` pixels of 3 or 4 samples. Without alpha in the data it is opaque, as in libtiff; without one in the
/// TIFF that of the data does not count.
pub(super) fn decode(
    bytes: &[u8],
    out: &mut [u8],
    (width, height): (usize, usize),
    samples: usize,
) -> Result<(), DecodeError> {
    let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(explain)?;
    let (columns, rows) = decoder.dimensions();
    if (columns as usize, rows as usize) != (width, height) || decoder.has_animation() {
        return Err(malformed("the WebP of a strip is of another size than the strip, or an animation"));
    }
    let stored = usize::from(decoder.color_type().channel_count());
    if stored == samples {
        return decoder.read_image(out).map_err(explain);
    }
    let mut all = vec![0; width * height * stored];
    decoder.read_image(&mut all).map_err(explain)?;
    for (to, from) in out.chunks_exact_mut(samples).zip(all.chunks_exact(stored)) {
        to[..3].copy_from_slice(&from[..3]);
        to[3..].fill(u8::MAX);
    }
    Ok(())
}

fn explain(error: image::ImageError) -> DecodeError {
    match error {
        image::ImageError::IoError(_) => truncated("the WebP of a strip ends too early"),
        other => malformed(&format!("the WebP of a strip: {other}")),
    }
}
