//! The one look at a picture.

use pupila_image::{
    DecodeError, Image, Interpolation, Limits, Reading, decode_shrunk, exif_block, jpeg_quality, probe,
    resize,
};

use twox_hash::XxHash3_128;

use crate::{COLOR_SIDE, Measurement, SIDE, Taken, Thumbnails};

/// The longer side at which pictures are measured, in pixels. Larger ones are shrunk while they are decoded.
const MEASURED: u32 = 256;

/// The share of each side that is the border.
const BORDER: f32 = 0.04;

/// What one look at a file leaves.
pub struct Measured {
    /// The numbers.
    pub measurement: Measurement,
    /// The small pictures.
    pub thumbnails: Thumbnails,
}

/// Looks at the bytes of an image file.
///
/// # Errors
/// Where they are no whole image (see [`pupila_image::decode`]).
pub fn measure(bytes: &[u8], reading: &Reading) -> Result<Measured, DecodeError> {
    let header = probe(bytes)?;
    let size = (header.width, header.height);
    let picture = decode_shrunk(bytes, 3, shrunk(size, MEASURED), &Limits::default(), reading)?;
    let (mut measurement, thumbnails) = of_picture(&picture);
    measurement.format = Some(header.format);
    measurement.bytes = bytes.len() as u64;
    // Pictures that were shrunk to the same may be of different sizes.
    measurement.pixels ^= u128::from(size.0) << 32 | u128::from(size.1);
    measurement.size = size;
    measurement.color = header.channels == 3;
    measurement.jpeg_quality = jpeg_quality(bytes);
    measurement.taken = exif_block(bytes).map(taken).unwrap_or_default();
    Ok(Measured { measurement, thumbnails })
}

/// A picture in color whose longer side has at most so many pixels, of the bytes of a file.
pub(crate) fn at_most(bytes: &[u8], longer: u32, reading: &Reading) -> Result<Image, DecodeError> {
    let header = probe(bytes)?;
    decode_shrunk(bytes, 3, shrunk((header.width, header.height), longer), &Limits::default(), reading)
}

/// The size at which the longer side has at most so many pixels: no picture is enlarged.
pub(crate) fn shrunk((width, height): (u32, u32), most: u32) -> (u32, u32) {
    let longer = width.max(height);
    if longer <= most {
        return (width, height);
    }
    let side =
        |side: u32| ((u64::from(side) * u64::from(most) + u64::from(longer) / 2) / u64::from(longer)).max(1);
    (side(width) as u32, side(height) as u32)
}

/// What the pixels of a picture in color say; nothing is known of its file.
pub fn measure_pixels(picture: &Image) -> Measurement {
    of_picture(picture).0
}

/// What the pixels of a picture say; what its file says is left out.
pub(crate) fn of_picture(picture: &Image) -> (Measurement, Thumbnails) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let pixels = picture.data().as_chunks::<3>().0;
    let count = pixels.len() as f32;
    let border = ((width as f32 * BORDER).ceil() as usize, (height as f32 * BORDER).ceil() as usize);
    let (mut sum, mut squares, mut chroma) = ([0u64; 3], [0u64; 3], 0u64);
    let (mut edge, mut edges) = ([0u64; 3], 0u64);
    for (y, row) in pixels.chunks_exact(width).enumerate() {
        let all = y < border.1 || y >= height - border.1.min(height);
        for (x, pixel) in row.iter().enumerate() {
            for (color, &value) in pixel.iter().enumerate() {
                sum[color] += u64::from(value);
                squares[color] += u64::from(value) * u64::from(value);
            }
            let [r, g, b] = *pixel;
            chroma += u64::from(r.max(g).max(b) - r.min(g).min(b));
            if all || x < border.0 || x >= width - border.0.min(width) {
                edges += 1;
                edge.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum += u64::from(value));
            }
        }
    }
    let gray = gray_of(picture);
    let luma = |values: &[u8]| {
        let sum: u64 = values.iter().map(|&v| u64::from(v)).sum();
        let squares: u64 = values.iter().map(|&v| u64::from(v) * u64::from(v)).sum();
        let mean = sum as f64 / values.len() as f64;
        (mean, (squares as f64 / values.len() as f64 - mean * mean).max(0.0).sqrt())
    };
    let (brightness, contrast) = luma(gray.data());
    let small =
        |image: &Image, side: usize| resize(image, side as u32, side as u32, Interpolation::Area).into_data();
    let [across, down] = [picture.width(), picture.height()].map(u32::to_le_bytes);
    let mut hash = XxHash3_128::new();
    hash.write(&[across, down].concat());
    hash.write(picture.data());
    let thumbnails = Thumbnails { gray: small(&gray, SIDE), color: small(picture, COLOR_SIDE) };
    let measurement = Measurement {
        pixels: hash.finish_128(),
        format: None,
        bytes: 0,
        size: (picture.width(), picture.height()),
        color: true,
        jpeg_quality: None,
        taken: Taken::default(),
        brightness: (brightness / 255.0) as f32,
        contrast: (contrast / 255.0) as f32,
        sharpness: if contrast > 0.5 { (laplacian(&gray) / contrast) as f32 } else { 0.0 },
        chroma: chroma as f32 / count / 255.0,
        mean: sum.map(|sum| sum as f32 / count / 255.0),
        square: squares.map(|sum| sum as f32 / count / 255.0 / 255.0),
        border: edge.map(|sum| sum as f32 / edges as f32 / 255.0),
    };
    (measurement, thumbnails)
}

fn gray_of(picture: &Image) -> Image {
    // An image of three channels becomes gray whatever it shows.
    picture.clone().to_channels(1).unwrap_or_else(|_| picture.clone())
}

/// The standard deviation of the Laplacian (four neighbours) of a gray picture, inside of its border.
fn laplacian(gray: &Image) -> f64 {
    let (width, height) = (gray.width() as usize, gray.height() as usize);
    if width < 3 || height < 3 {
        return 0.0;
    }
    let data = gray.data();
    let (mut sum, mut squares) = (0i64, 0i64);
    for y in 1..height - 1 {
        let [above, row, below] = [y - 1, y, y + 1].map(|y| &data[y * width..][..width]);
        for x in 1..width - 1 {
            let [a, l, c, r, b] = [above[x], row[x - 1], row[x], row[x + 1], below[x]].map(i64::from);
            let value = a + l + r + b - 4 * c;
            sum += value;
            squares += value * value;
        }
    }
    let count = ((width - 2) * (height - 2)) as f64;
    let mean = sum as f64 / count;
    (squares as f64 / count - mean * mean).max(0.0).sqrt()
}

/// Camera, time, and whether there is a place, out of an EXIF block.
fn taken(mut block: Vec<u8>) -> Taken {
    use exif::{In, Tag, Value};
    if block.starts_with(b"Exif\0\0") {
        block.drain(..6);
    }
    let mut reader = exif::Reader::new();
    reader.continue_on_error(true);
    let parsed = reader.read_raw(block).or_else(|error| error.distill_partial_result(|_| {}));
    let Ok(parsed) = parsed else { return Taken::default() };
    let text = |tag: Tag| match &parsed.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(lines) => {
            let line = String::from_utf8_lossy(lines.first()?);
            let line: String = line.chars().filter(|c| !c.is_control()).take(64).collect();
            (!line.trim().is_empty()).then(|| line.trim().to_owned())
        }
        _ => None,
    };
    let camera = match (text(Tag::Make), text(Tag::Model)) {
        // Many models begin with their maker.
        (Some(make), Some(model)) if !model.starts_with(&make) => Some(format!("{make} {model}")),
        (_, Some(model)) => Some(model),
        (make, None) => make,
    };
    // `DateTime` is when the file was last changed.
    let at = text(Tag::DateTimeOriginal).and_then(|text| seconds(&text));
    let located =
        [Tag::GPSLatitude, Tag::GPSLongitude].iter().any(|&tag| parsed.get_field(tag, In::PRIMARY).is_some());
    Taken { camera: camera.map(Into::into), at, located }
}

/// `2026:11:28 09:30:00` in seconds since 1970.
fn seconds(text: &str) -> Option<i64> {
    let time = exif::DateTime::from_ascii(text.as_bytes()).ok()?;
    let (year, month, day) = (i64::from(time.year), i64::from(time.month), i64::from(time.day));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days of the Gregorian calendar, with years that begin in March.
    let year = if month < 3 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + i64::from(time.hour) * 3600 + i64::from(time.minute) * 60 + i64::from(time.second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_shrunk_to_the_longer_side_and_never_enlarged() {
        assert_eq!(shrunk((1024, 512), MEASURED), (256, 128));
        assert_eq!(shrunk((10, 3000), MEASURED), (1, 256));
        assert_eq!(shrunk((256, 100), MEASURED), (256, 100));
        assert_eq!(shrunk((u32::MAX, 1), MEASURED), (256, 1));
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        // `date -u -d '2026-11-28 09:30:00' +%s` and others.
        assert_eq!(seconds("2026:11:28 09:30:00"), Some(1_795_858_200));
        assert_eq!(seconds("1970:01:01 00:00:00"), Some(0));
        assert_eq!(seconds("2000:02:29 23:59:59"), Some(951_868_799));
        assert_eq!(seconds("0000:00:00 00:00:00"), None);
        assert_eq!(seconds("yesterday"), None);
    }

    #[test]
    fn a_picture_is_measured() {
        // Black with a white border of one pixel, of 10 x 10.
        let mut data = vec![0; 300];
        for y in 0..10 {
            for x in 0..10 {
                if y == 0 || y == 9 || x == 0 || x == 9 {
                    data[(y * 10 + x) * 3..][..3].fill(255);
                }
            }
        }
        let (measurement, thumbnails) = of_picture(&Image::new(10, 10, 3, data).unwrap());
        assert_eq!(measurement.border, [1.0; 3]);
        assert!((measurement.brightness - 0.36).abs() < 1e-6 && (measurement.mean[1] - 0.36).abs() < 1e-6);
        assert!((measurement.contrast - (0.36f32 * 0.64).sqrt()).abs() < 1e-6);
        assert_eq!(
            (measurement.chroma, thumbnails.gray.len(), thumbnails.color.len()),
            (0.0, SIDE * SIDE, 768)
        );
        let (tiny, _) = of_picture(&Image::new(1, 1, 3, vec![9, 0, 0]).unwrap());
        assert_eq!((tiny.sharpness, tiny.border[0]), (0.0, 9.0 / 255.0));
    }
}
