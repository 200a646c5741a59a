//! EXIF orientation: cameras store the sensor's rows and say how the picture is to be turned.

use image::metadata::Orientation;

use crate::Image;

/// Whether the orientation exchanges width and height.
pub(crate) fn swaps_sides(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// The image as it is meant to be seen; `ImageOps.exif_transpose` of Pillow.
pub(crate) fn orient(image: Image, orientation: Orientation) -> Image {
    if orientation == Orientation::NoTransforms {
        return image;
    }
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (out_width, out_height) = if swaps_sides(orientation) { (height, width) } else { (width, height) };
    // A step right and a step down in the result are fixed steps in the source, so a start and two steps say it all.
    let (w, h) = (width as isize, height as isize);
    let last = w * h - 1;
    let (start, right, down) = match orientation {
        Orientation::NoTransforms => (0, 1, w),
        Orientation::FlipHorizontal => (w - 1, -1, w),
        Orientation::Rotate180 => (last, -1, -w),
        Orientation::FlipVertical => (last + 1 - w, 1, -w),
        Orientation::Rotate90FlipH => (0, w, 1),
        Orientation::Rotate90 => (last + 1 - w, -w, 1),
        Orientation::Rotate270FlipH => (last, -w, -1),
        Orientation::Rotate270 => (w - 1, w, -1),
    };
    let source = image.data();
    let channels = usize::from(image.channels());
    let mut data = vec![0; source.len()];
    for (y, row) in data.chunks_exact_mut(out_width * channels).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            let from = (start + right * x as isize + down * y as isize) as usize * channels;
            pixel.copy_from_slice(&source[from..from + channels]);
        }
    }
    // The number of pixels is unchanged, so the shape fits.
    Image::new(out_width as u32, out_height as u32, image.channels(), data).unwrap_or(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_orientation_is_that_of_pillow() {
        // ImageOps.exif_transpose of the 3x2 image 1 2 3 / 4 5 6 with each value of the tag.
        let expected: [(u32, [u8; 6]); 8] = [
            (3, [1, 2, 3, 4, 5, 6]),
            (3, [3, 2, 1, 6, 5, 4]),
            (3, [6, 5, 4, 3, 2, 1]),
            (3, [4, 5, 6, 1, 2, 3]),
            (2, [1, 4, 2, 5, 3, 6]),
            (2, [4, 1, 5, 2, 6, 3]),
            (2, [6, 3, 5, 2, 4, 1]),
            (2, [3, 6, 2, 5, 1, 4]),
        ];
        for (tag, (width, data)) in (1..=8).zip(expected) {
            let image = Image::new(3, 2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
            let oriented = orient(image, Orientation::from_exif(tag).unwrap());
            assert_eq!((oriented.width(), oriented.data()), (width, &data[..]), "orientation {tag}");
        }
    }
}
