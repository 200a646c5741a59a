//! What must hold of any bytes, whatever they are. Called by the fuzz targets, and by a test on their corpus.

use crate::{
    Format, Image, Limits, Reading, Window, decode, decode_as, decode_shrunk, decode_window, exif_block,
    jpeg_quality, probe, why_flat,
};

/// So many pixels are enough to go wrong, and few enough to try thousands of files a second.
const LIMITS: Limits = Limits { max_pixels: 1 << 16 };

/// Reads bytes in every way that there is.
///
/// # Panics
/// Where ways contradict each other: a picture of another size than its header says, gray and color that are not both read, a JPEG
/// that is read whole and refused where it is shrunk, or the other way round; a window with other pixels than the whole picture has there.
pub fn every_way(bytes: &[u8]) {
    let header = probe(bytes);
    let (color, gray) = (decode(bytes, 3, &LIMITS), decode(bytes, 1, &LIMITS));
    assert_eq!(color.is_ok(), gray.is_ok(), "{:?} and {:?}", color.as_ref().err(), gray.as_ref().err());
    if let Ok(image) = &color {
        let header = header.as_ref().unwrap_or_else(|error| panic!("a picture without a header: {error}"));
        assert_eq!((image.width(), image.height()), (header.width, header.height));
        windows_are_of_the_whole(bytes, image);
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

/// Windows at both ends, in the middle, and of a single pixel somewhere.
fn windows_are_of_the_whole(bytes: &[u8], image: &Image) {
    let (height, width) = (image.height(), image.width());
    let somewhere = |size: u32| (bytes.len() as u32 * 7) % size;
    let pixel = |row: u32, column: u32| Window { rows: row..row + 1, columns: column..column + 1 };
    let windows = [
        Window { rows: 0..height.div_ceil(3), columns: 0..width.div_ceil(2) },
        Window { rows: height / 3..height, columns: width / 2..width },
        Window { rows: height / 4..(height / 4 + height.div_ceil(2)).min(height), columns: 0..width },
        pixel(somewhere(height), somewhere(width)),
        pixel(height - 1, width - 1),
    ];
    for window in windows {
        let part = decode_window(bytes, 3, &window, &LIMITS, &Reading::default())
            .unwrap_or_else(|error| panic!("a window of a picture that is whole: {error}"));
        assert_eq!((part.width(), part.height()), (width, height));
        for row in window.rows.clone() {
            let of = |image: &Image| {
                let first = 3 * (row as usize * width as usize + window.columns.start as usize);
                image.data()[first..][..3 * window.columns.len()].to_vec()
            };
            assert_eq!(of(&part), of(image), "row {row} of {window:?}");
        }
    }
}
