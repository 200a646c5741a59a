//! A [`Measurement`] and its thumbnails as bytes of one length, for the cache.

use pupila_image::Format;

use crate::{COLOR_SIDE, Measurement, SIDE, Taken};

/// The name under which the cache keeps them. To be raised whenever the measurement of the same file changes.
pub(crate) const KIND: &str = "measurement1";

/// Bytes that a camera's name may have.
const CAMERA: usize = 64;

/// Bytes of both thumbnails, which end a record.
pub(crate) const THUMBS: usize = SIDE * SIDE + COLOR_SIDE * COLOR_SIDE * 3;

/// Bytes of a record.
pub(crate) const BYTES: usize = 16 + 8 + 8 + 4 + 8 + 1 + CAMERA + 13 * 4 + THUMBS;

pub(crate) fn to_bytes(measurement: &Measurement, thumbnails: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.extend(measurement.pixels.to_le_bytes());
    bytes.extend(measurement.bytes.to_le_bytes());
    bytes.extend(measurement.size.0.to_le_bytes());
    bytes.extend(measurement.size.1.to_le_bytes());
    let format = measurement.format.and_then(|format| Format::ALL.iter().position(|&other| other == format));
    bytes.push(format.map_or(0, |place| place as u8 + 1));
    bytes.push(u8::from(measurement.color));
    bytes.push(measurement.jpeg_quality.unwrap_or(0));
    bytes.push(u8::from(measurement.taken.located));
    bytes.extend(measurement.taken.at.unwrap_or(i64::MIN).to_le_bytes());
    let mut camera = measurement.taken.camera.as_deref().unwrap_or_default().to_owned();
    while camera.len() > CAMERA {
        camera.pop();
    }
    bytes.push(camera.len() as u8);
    let mut name = camera.into_bytes();
    name.resize(CAMERA, 0);
    bytes.extend(name);
    let Measurement { brightness, contrast, sharpness, chroma, mean, square, border, .. } = measurement;
    let numbers =
        [*brightness, *contrast, *sharpness, *chroma].into_iter().chain(*mean).chain(*square).chain(*border);
    numbers.for_each(|number| bytes.extend(number.to_le_bytes()));
    bytes.extend(thumbnails);
    debug_assert_eq!(bytes.len(), BYTES);
    bytes
}

/// The measurement, and the thumbnails one after the other; `None` where the bytes are no record.
pub(crate) fn of_bytes(bytes: &[u8]) -> Option<(Measurement, &[u8])> {
    if bytes.len() != BYTES {
        return None;
    }
    let mut rest = bytes;
    let pixels = u128::from_le_bytes(take(&mut rest)?);
    let file_bytes = u64::from_le_bytes(take(&mut rest)?);
    let size = (u32::from_le_bytes(take(&mut rest)?), u32::from_le_bytes(take(&mut rest)?));
    let [format, color, quality, located] = take(&mut rest)?;
    let at = i64::from_le_bytes(take(&mut rest)?);
    let [length] = take(&mut rest)?;
    let camera: [u8; CAMERA] = take(&mut rest)?;
    let camera = std::str::from_utf8(camera.get(..usize::from(length))?).ok()?;
    let mut numbers = [0.0; 13];
    for number in &mut numbers {
        *number = f32::from_le_bytes(take(&mut rest)?);
    }
    let [brightness, contrast, sharpness, chroma, colors @ ..] = numbers;
    let three = |first: usize| [colors[first], colors[first + 1], colors[first + 2]];
    let (mean, square, border) = (three(0), three(3), three(6));
    let measurement = Measurement {
        pixels,
        format: match format {
            0 => None,
            place => Some(*Format::ALL.get(usize::from(place) - 1)?),
        },
        bytes: file_bytes,
        size,
        color: color == 1,
        jpeg_quality: (quality > 0).then_some(quality),
        taken: Taken {
            camera: (!camera.is_empty()).then(|| camera.into()),
            at: (at != i64::MIN).then_some(at),
            located: located == 1,
        },
        brightness,
        contrast,
        sharpness,
        chroma,
        mean,
        square,
        border,
    };
    Some((measurement, rest))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk::<N>()?;
    *rest = others;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::of_picture;
    use pupila_image::Image;

    #[test]
    fn a_sight_is_the_same_after_it_was_kept() {
        let picture = Image::new(40, 30, 3, (0..3600u32).map(|i| (i * 7 % 251) as u8).collect()).unwrap();
        let (mut measurement, thumbnails) = of_picture(&picture);
        let small = [&thumbnails.gray[..], &thumbnails.color[..]].concat();
        assert_eq!(of_bytes(&to_bytes(&measurement, &small)), Some((measurement.clone(), &small[..])));
        measurement.format = Some(Format::WebP);
        measurement.jpeg_quality = Some(93);
        measurement.taken = Taken { camera: Some("ä".repeat(32).into()), at: Some(-5), located: true };
        (measurement.bytes, measurement.color) = (u64::MAX, false);
        let bytes = to_bytes(&measurement, &small);
        assert_eq!(of_bytes(&bytes), Some((measurement, &small[..])));
        for end in 0..bytes.len() {
            assert_eq!(of_bytes(&bytes[..end]), None);
        }
        let mut wrong = bytes.clone();
        wrong[32] = 99;
        assert_eq!(of_bytes(&wrong), None);
    }
}
