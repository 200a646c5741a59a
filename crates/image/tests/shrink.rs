//! Shrinking while decoding against decoding and then shrinking, which is the reference: how far they are apart, and that a file
//! which the one refuses is refused by the other.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use pupila_image::{Image, Interpolation, Limits, Reading, decode, decode_shrunk, resize};
use pupila_random::{Purpose, Stream};

const LIMITS: Limits = Limits { max_pixels: 1 << 24 };

/// Soft shapes with grain, in colors that come near the ends of the range.
fn picture(width: u32, height: u32, channels: u8) -> Image {
    let mut noise = Stream::new(2, Purpose::Bootstrap, width, height);
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for c in 0..u32::from(channels) {
                let wave = (f64::from(x * (c + 1)) / 31.0).sin() + (f64::from(y) / 23.0 + f64::from(c)).cos();
                data.push((128.0 + 70.0 * wave + noise.uniform(-12.0, 12.0)) as u8);
            }
        }
    }
    Image::new(width, height, channels, data).unwrap()
}

fn encode(image: &Image, quality: u8) -> Vec<u8> {
    let color = if image.channels() == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .write_image(image.data(), image.width(), image.height(), color)
        .unwrap();
    bytes
}

/// The largest difference and the mean one.
fn apart(bytes: &[u8], channels: u8, to: (u32, u32)) -> (u8, f64) {
    let whole = resize(&decode(bytes, channels, &LIMITS).unwrap(), to.0, to.1, Interpolation::Area);
    let shrunk = decode_shrunk(bytes, channels, to, &LIMITS, &Reading::default()).unwrap();
    assert_eq!((shrunk.width(), shrunk.height(), shrunk.channels()), (to.0, to.1, channels));
    let differences = whole.data().iter().zip(shrunk.data()).map(|(&a, &b)| a.abs_diff(b));
    let sum: u64 = differences.clone().map(u64::from).sum();
    (differences.max().unwrap_or(0), sum as f64 / whole.data().len() as f64)
}

/// Where the squares fill the pixels of the result exactly, only rounding and clipping differ.
#[test]
fn whole_squares_give_what_all_pixels_give() {
    for (side, to) in [(1024, 64), (512, 64), (256, 64), (512, 32), (128, 16)] {
        for channels in [1, 3] {
            let (largest, mean) = apart(&encode(&picture(side, side, channels), 95), channels, (to, to));
            assert!(largest <= 3 && mean < 0.4, "{side} to {to}, {channels}: {largest}, {mean}");
        }
    }
}

#[test]
fn parts_of_squares_are_near() {
    for (width, height, to) in
        [(1023, 767, (64, 64)), (767, 1021, (64, 64)), (301, 259, (50, 64)), (643, 517, (31, 17))]
    {
        for channels in [1, 3] {
            let (largest, mean) = apart(&encode(&picture(width, height, channels), 90), channels, to);
            assert!(largest <= 8 && mean < 1.2, "{width}x{height} to {to:?}, {channels}: {largest}, {mean}");
        }
    }
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/files/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Every kind of file that others write: gray, colors at half the resolution, restart markers, progressive.
#[test]
fn files_of_other_programs_are_near() {
    for name in ["baseline_420.jpg", "baseline_444.jpg", "gray.jpg", "progressive.jpg", "restarts.jpg"] {
        for channels in [1, 3] {
            let bytes = file(name);
            let (width, height) = {
                let image = decode(&bytes, 3, &LIMITS).unwrap();
                (image.width(), image.height())
            };
            for shrunk in [5, 8, 20] {
                let to = ((width / shrunk).max(1), (height / shrunk).max(1));
                let (largest, mean) = apart(&bytes, channels, to);
                assert!(largest <= 16 && mean < 2.5, "{name} by {shrunk}, {channels}: {largest}, {mean}");
            }
        }
    }
}

/// An image that lies on its side, as its EXIF says, is turned after it was shrunk.
#[test]
fn images_stand_upright() {
    let plain = encode(&picture(640, 480, 3), 90);
    for orientation in 1..=8u8 {
        let tiff = [
            &b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..],
            &[orientation, 0, 0, 0, 0, 0, 0, 0],
        ]
        .concat();
        let length = u16::try_from(tiff.len() + 2).unwrap().to_be_bytes();
        let bytes = [&plain[..2], &[0xFF, 0xE1], &length, &tiff, &plain[2..]].concat();
        let whole = decode(&bytes, 3, &LIMITS).unwrap();
        assert_eq!(whole.width() == 480, orientation > 4);
        let (largest, mean) = apart(&bytes, 3, (40, 60));
        assert!(largest <= 8 && mean < 1.0, "{orientation}: {largest}, {mean}");
    }
}

/// What is refused does not depend on the way: a file cut off anywhere, and most of those with wrong bytes. Of a wrong value among
/// the coefficients neither way can know.
#[test]
fn damaged_files_are_errors_and_never_panic() {
    let to = (8, 8);
    for whole in [encode(&picture(90, 70, 3), 80), file("restarts.jpg"), file("gray.jpg")] {
        for end in 0..whole.len() {
            let shrunk = decode_shrunk(&whole[..end], 3, to, &LIMITS, &Reading::default());
            // Without the end marker alone nothing is lost.
            assert_eq!(shrunk.is_err(), end + 2 < whole.len(), "cut off at {end}");
        }
        let mut noise = Stream::new(3, Purpose::Bootstrap, 0, 0);
        let mut refused = 0;
        for _ in 0..3000 {
            let mut bytes = whole.clone();
            for _ in 0..1 + noise.below(3) {
                let at = noise.below(bytes.len() as u32) as usize;
                bytes[at] = noise.next_u32() as u8;
            }
            let (full, shrunk) =
                (decode(&bytes, 3, &LIMITS), decode_shrunk(&bytes, 3, to, &LIMITS, &Reading::default()));
            assert_eq!(full.is_err(), shrunk.is_err(), "{full:?} and {shrunk:?}");
            refused += u32::from(full.is_err());
        }
        assert!(refused > 1000, "{refused} of 3000 damaged files are refused");
    }
}

/// A small file that announces a huge image costs no time and no memory.
#[test]
fn announced_sizes_are_not_believed() {
    let mut bytes = encode(&picture(64, 64, 3), 80);
    let frame = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
    let limits = Limits { max_pixels: u64::MAX };
    assert!(decode_shrunk(&bytes, 3, (64, 64), &limits, &Reading::default()).is_err());
    assert!(decode_shrunk(&bytes, 3, (64, 64), &LIMITS, &Reading::default()).is_err());
    assert!(decode_shrunk(&bytes, 2, (64, 64), &LIMITS, &Reading::default()).is_err());
}
