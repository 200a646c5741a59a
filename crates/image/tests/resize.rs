//! Resizing against OpenCV: `golden/resize.bin`, written by `golden/generate_resize.py`.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_image::{Image, Interpolation, resize};

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(n);
        self.0 = tail;
        head
    }
    fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }
    fn u16(&mut self) -> u32 {
        u32::from(u16::from_le_bytes(self.take(2).try_into().unwrap()))
    }
}

#[test]
fn every_interpolation_is_within_one_of_opencv() {
    let mut reader = Reader(include_bytes!("golden/resize.bin"));
    let mut cases = 0;
    let mut exact = 0;
    let mut samples = 0;
    while !reader.0.is_empty() {
        let channels = reader.u8();
        let [source_width, source_height, width, height] = std::array::from_fn(|_| reader.u16());
        let count = |w: u32, h: u32| (w * h) as usize * usize::from(channels);
        let source = reader.take(count(source_width, source_height));
        let image = Image::new(source_width, source_height, channels, source.to_vec()).unwrap();
        for interpolation in Interpolation::ALL {
            let expected = reader.take(count(width, height));
            let resized = resize(&image, width, height, interpolation);
            assert_eq!((resized.width(), resized.height(), resized.channels()), (width, height, channels));
            // OpenCV works in fixed point with 11 bits, which is off by one from the exact sum now and then. Means of
            // whole blocks it computes as we do.
            let blocks = source_width % width == 0 && source_height % height == 0;
            let exact_here =
                interpolation == Interpolation::Nearest || (interpolation == Interpolation::Area && blocks);
            let tolerance = if exact_here { 0 } else { 1 };
            for (i, (&got, &expected)) in resized.data().iter().zip(expected).enumerate() {
                assert!(
                    got.abs_diff(expected) <= tolerance,
                    "{interpolation} {source_width}x{source_height} to {width}x{height}, {channels} channels, \
                     sample {i}: {got}, expected {expected}"
                );
                exact += usize::from(got == expected);
                samples += 1;
            }
            cases += 1;
        }
    }
    assert_eq!(cases, 220);
    assert!(exact * 100 >= samples * 96, "only {exact} of {samples} samples are exactly OpenCV's");
}

#[test]
fn names_are_read_back_and_others_are_refused() {
    for interpolation in Interpolation::ALL {
        assert_eq!(interpolation.to_string().parse(), Ok(interpolation));
    }
    let error = "bilinear".parse::<Interpolation>().unwrap_err();
    assert!(error.to_string().contains("nearest, linear, cubic, area or lanczos"));
}

#[test]
fn a_constant_image_stays_constant() {
    for interpolation in Interpolation::ALL {
        for value in [0, 1, 128, 255] {
            let image = Image::new(37, 23, 3, vec![value; 37 * 23 * 3]).unwrap();
            for (width, height) in [(1, 1), (5, 90), (90, 5), (64, 64), (36, 22)] {
                let resized = resize(&image, width, height, interpolation);
                assert!(resized.data().iter().all(|&v| v == value), "{interpolation} {width}x{height}");
            }
        }
    }
}
