//! What must hold of any bytes, whatever they are. Called by the fuzz targets, and by a test on their corpus.

use crate::{
    Format, Limits, Reading, decode, decode_as, decode_shrunk, exif_block, jpeg_quality, probe, why_flat,
};

/// So many pixels are enough to go wrong, and few enough to try thousands of files a second.
const LIMITS: Limits = Limits { max_pixels: 1 << 16 };

/// Reads bytes in every way that there is.
///
/// # Panics
/// Where ways contradict each other: a picture of another size than its header says, gray and color that are not both read, a JPEG
/// that is read whole and refused where it is shrunk, or the other way round.
pub fn every_way(bytes: &[u8]) {
    let header = probe(bytes);
    let (color, gray) = (decode(bytes, 3, &LIMITS), decode(bytes, 1, &LIMITS));
    assert_eq!(color.is_ok(), gray.is_ok(), "{:?} and {:?}", color.as_ref().err(), gray.as_ref().err());
    if let Ok(image) = &color {
        let header = header.as_ref().unwrap_or_else(|error| panic!("a picture without a header: {error}"));
        assert_eq!((image.width(), image.height()), (header.width, header.height));
    }
    // The caller reads a file so only after it was refused, so that a whole one is never filled.
    let filled = decode_as(bytes, 3, &LIMITS, &Reading { fill_damaged: true, ..Reading::default() });
    if let (Ok(image), Ok(header)) = (&filled, &header) {
        assert_eq!((image.width(), image.height()), (header.width, header.height));
    }
    if header.as_ref().is_ok_and(|header| header.format == Format::Jpeg) {
        let shrunk = decode_shrunk(bytes, 3, (4, 3), &LIMITS, &Reading::default());
        assert_eq!(color.is_ok(), shrunk.is_ok(), "{:?} and {:?}", color.err(), shrunk.err());
    }
    let _ = (exif_block(bytes), jpeg_quality(bytes), why_flat(bytes, &LIMITS));
}
