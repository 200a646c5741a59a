//! Pictures brought to an input, against Pillow and torchvision: `golden/fit.bin`, written by `golden/generate_fit.py`.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_image::{Fit, Image, Interpolation, Resampling, resize_by};

/// Equal to the bit: weights in fixed point and the rounding between the two passes are as Pillow has them.
#[test]
fn resizing_with_antialiasing_is_pillows_and_crops_are_torchvisions() {
    let mut rest: &[u8] = include_bytes!("golden/fit.bin");
    let mut take = |len: usize| {
        let (head, tail) = rest.split_at_checked(len)?;
        rest = tail;
        Some(head)
    };
    let mut cases = 0;
    while let Some(head) = take(13) {
        let channels = head[0];
        let number = |at: usize| u32::from(u16::from_le_bytes([head[1 + 2 * at], head[2 + 2 * at]]));
        let [width, height, to_width, to_height, shorter, side] = std::array::from_fn(number);
        let len = |width: u32, height: u32| (width * height) as usize * usize::from(channels);
        let source = take(len(width, height)).unwrap().to_vec();
        let image = Image::new(width, height, channels, source).unwrap();
        for interpolation in [Interpolation::Linear, Interpolation::Cubic, Interpolation::Lanczos] {
            let by = Resampling { interpolation, antialias: true };
            let resized = resize_by(&image, to_width, to_height, by);
            assert!(
                resized.data() == take(len(to_width, to_height)).unwrap(),
                "{interpolation} {width}x{height}"
            );
            let cropped = Fit::Crop { cover: [shorter; 2] }.apply(&image, [side; 2], by);
            assert!(
                cropped.data() == take(len(side, side)).unwrap(),
                "{interpolation} {width}x{height}, crop"
            );
            cases += 1;
        }
    }
    assert_eq!(cases, 21);
}
