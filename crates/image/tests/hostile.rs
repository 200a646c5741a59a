//! Broken and hostile files: an error or an image, never a panic, a gray half or an unbounded allocation.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use std::io::Cursor;

use common::peak;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat};
use pupila_image::{DecodeError, Format, Image, Limits, decode, encode_png, probe};
use pupila_random::{Purpose, Stream};

/// A picture with detail everywhere, so that a missing part of it cannot look the same.
fn picture(width: u32, height: u32) -> Image {
    let mut noise = Stream::new(1, Purpose::Bootstrap, width, height);
    let data = (0..width * height * 3)
        .map(|i| ((f64::from(i) / 37.0).sin() * 80.0 + 128.0 + noise.uniform(-40.0, 40.0)) as u8)
        .collect();
    Image::new(width, height, 3, data).unwrap()
}

fn encode(image: &Image, format: Format) -> Vec<u8> {
    let format = match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => return encode_png(image).unwrap(),
        Format::Bmp => ImageFormat::Bmp,
        Format::Gif => ImageFormat::Gif,
        Format::Tiff => ImageFormat::Tiff,
        Format::WebP => ImageFormat::WebP,
    };
    let mut bytes = Cursor::new(Vec::new());
    image::RgbImage::from_raw(image.width(), image.height(), image.data().to_vec())
        .unwrap()
        .write_to(&mut bytes, format)
        .unwrap();
    bytes.into_inner()
}

#[test]
fn every_format_is_told_from_its_content() {
    let image = picture(29, 17);
    for format in Format::ALL {
        let bytes = encode(&image, format);
        let header = probe(&bytes).unwrap();
        assert_eq!((header.format, header.width, header.height, header.channels), (format, 29, 17, 3));
        let decoded = decode(&bytes, 3, &Limits::default()).unwrap();
        let lossless = !matches!(format, Format::Jpeg | Format::Gif);
        assert!(!lossless || decoded == image, "{format}");
        assert_eq!(decode(&bytes, 1, &Limits::default()).unwrap().data().len(), 29 * 17);
    }
}

#[test]
fn what_is_no_image_is_named() {
    assert_eq!(probe(&[]), Err(DecodeError::Empty));
    assert_eq!(decode(&[], 3, &Limits::default()), Err(DecodeError::Empty));
    let told = |bytes: &[u8]| decode(bytes, 3, &Limits::default()).unwrap_err().to_string();
    assert_eq!(
        told(b"Not found here"),
        "not a JPEG, PNG, BMP, GIF, TIFF or WebP file (it starts with \"Not foun\")"
    );
    let page = "a web page, as a download that failed leaves it: download the picture again";
    assert_eq!(told(b"<html>Not found</html>"), page);
    assert_eq!(told(b"\r\n <!DOCTYPE HTML PUBLIC>"), page);
    let pointer = told(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n");
    assert!(pointer.starts_with("a pointer of Git LFS") && pointer.contains("git lfs pull"), "{pointer}");
    assert!(probe(&[0; 64]).unwrap_err().to_string().contains("00 00 00 00"));
    for magic in [&b"\xff\xd8\xff"[..], b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a", b"II*\0", b"RIFF\0\0\0\0WEBP"]
    {
        assert!(decode(magic, 3, &Limits::default()).is_err());
        assert!(probe(magic).is_err());
    }
}

#[test]
fn a_truncated_jpeg_is_an_error_wherever_it_ends() {
    let mut cases = 0;
    for (name, bytes) in [
        ("4:4:4", include_bytes!("files/baseline_444.jpg").to_vec()),
        ("4:2:0", include_bytes!("files/baseline_420.jpg").to_vec()),
        ("4:2:0 with restarts", include_bytes!("files/restarts.jpg").to_vec()),
        ("progressive", include_bytes!("files/progressive.jpg").to_vec()),
        ("gray", include_bytes!("files/gray.jpg").to_vec()),
    ] {
        let whole = decode(&bytes, 3, &Limits::default()).unwrap();
        for end in 0..bytes.len() {
            let result = decode(&bytes[..end], 3, &Limits::default());
            // Without the end marker alone nothing is lost.
            if end + 2 >= bytes.len() {
                assert_eq!(
                    result.as_ref(),
                    Ok(&whole),
                    "{name}: without the last {} bytes",
                    bytes.len() - end
                );
                continue;
            }
            assert!(result.is_err(), "{name}: the first {end} of {} bytes gave {whole:?}", bytes.len());
            // A download that was cut off is often as long as it should be, but its end is zeros.
            let mut padded = bytes[..end].to_vec();
            padded.resize(bytes.len(), 0);
            let result = decode(&padded, 3, &Limits::default());
            assert!(result.is_err(), "{name}: the first {end} of {} bytes and zeros", bytes.len());
            cases += 1;
        }
        let mut longer = bytes.clone();
        longer.extend_from_slice(b"what some cameras append");
        assert_eq!(decode(&longer, 3, &Limits::default()), Ok(whole));
    }
    assert!(cases > 5000, "{cases}");
}

#[test]
fn a_truncated_file_of_any_format_never_panics() {
    let mut cases = 0;
    for format in Format::ALL {
        let bytes = encode(&picture(41, 33), format);
        let whole = decode(&bytes, 3, &Limits::default()).unwrap();
        for part in 0..64 {
            let cut = &bytes[..bytes.len() * part / 64];
            let _ = probe(cut);
            if let Ok(image) = decode(cut, 3, &Limits::default()) {
                assert_eq!(image, whole, "{format} cut at {part}/64");
            }
            cases += 1;
        }
    }
    assert_eq!(cases, 384);
}

#[test]
fn random_damage_never_panics() {
    let mut random = Stream::new(5, Purpose::Bootstrap, 0, 0);
    let limits = Limits { max_pixels: 1 << 20 };
    let mut cases = 0;
    for format in Format::ALL {
        for (width, height) in [(1, 1), (19, 23), (64, 40)] {
            let bytes = encode(&picture(width, height), format);
            for _ in 0..300 {
                let mut damaged = bytes.clone();
                for _ in 0..=random.below(8) {
                    // Half of the damage to the header, where it matters most.
                    let reach = if random.chance(0.5) { bytes.len().min(64) } else { bytes.len() };
                    let at = random.below(reach as u32) as usize;
                    damaged[at] = random.next_u32() as u8;
                }
                let _ = probe(&damaged);
                if let Ok(image) = decode(&damaged, 3, &limits) {
                    assert!(u64::from(image.width()) * u64::from(image.height()) <= limits.max_pixels);
                }
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 5400);
}

#[test]
fn an_announced_giant_is_refused_before_it_is_allocated() {
    let side = 50_000u32;
    let limits = Limits::default();
    let mut cases = 0;
    for format in Format::ALL {
        let mut bytes = encode(&picture(8, 8), format);
        let patched: &[(usize, Vec<u8>)] = &match format {
            Format::Png => vec![(16, side.to_be_bytes().to_vec()), (20, side.to_be_bytes().to_vec())],
            Format::Bmp => vec![(18, side.to_le_bytes().to_vec()), (22, side.to_le_bytes().to_vec())],
            Format::Gif => {
                vec![(6, 50_000u16.to_le_bytes().to_vec()), (8, 50_000u16.to_le_bytes().to_vec())]
            }
            // 14 bits for each side less one, after the signature of a lossless image.
            Format::WebP => vec![(21, vec![0xFF, 0xFF, 0xFF])],
            Format::Jpeg => {
                let frame = bytes.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
                vec![(frame + 5, [50_000u16.to_be_bytes(), 50_000u16.to_be_bytes()].concat())]
            }
            Format::Tiff => {
                let mut fields = Vec::new();
                for tag in [256u16, 257] {
                    let entry = bytes
                        .windows(4)
                        .position(|w| w[..2] == tag.to_le_bytes() && matches!(w[2..], [3 | 4, 0]))
                        .unwrap();
                    fields.push((entry + 2, [&[4, 0, 1, 0, 0, 0], &side.to_le_bytes()[..]].concat()));
                }
                fields
            }
        };
        for (at, value) in patched {
            bytes[*at..at + value.len()].copy_from_slice(value);
        }
        if format == Format::Png {
            let crc = crc32(&bytes[12..29]);
            bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        }
        let before = peak();
        let error = decode(&bytes, 3, &limits).unwrap_err();
        if let (Some(before), Some(after)) = (before, peak()) {
            let grown = after - before;
            assert!(grown < 64 << 20, "{format}: {grown} bytes for {error}");
        }
        // A TIFF whose strips do not fit the new size is refused for that, and a WebP cannot be larger than 16384.
        if !matches!(format, Format::WebP | Format::Tiff) {
            assert!(
                matches!(error, DecodeError::TooLarge { width: 50_000, height: 50_000, .. }),
                "{format}: {error:?}"
            );
        }
        cases += 1;
    }
    assert_eq!(cases, 6);
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
    })
}

#[test]
fn alpha_is_dropped_and_sixteen_bits_keep_the_high_byte() {
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(&[10, 20, 30, 0, 40, 50, 60, 128], 2, 1, ExtendedColorType::Rgba8)
        .unwrap();
    assert_eq!(decode(&png, 3, &Limits::default()).unwrap().data(), [10, 20, 30, 40, 50, 60]);
    let samples = [0x12FFu16, 0xFF00].map(u16::to_ne_bytes).concat();
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(&samples, 2, 1, ExtendedColorType::L16)
        .unwrap();
    assert_eq!(decode(&png, 1, &Limits::default()).unwrap().data(), [0x12, 0xFF]);
    assert_eq!(probe(&png).unwrap().channels, 1);
}

#[test]
fn exif_orientation_turns_the_image_and_its_header() {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    let mut jpeg = Vec::new();
    let (left, right) = ([255u8; 3], [0u8; 3]);
    let pixels: Vec<u8> = (0..16 * 8).flat_map(|i| if i % 16 < 8 { left } else { right }).collect();
    JpegEncoder::new_with_quality(&mut jpeg, 95)
        .write_image(&pixels, 16, 8, ExtendedColorType::Rgb8)
        .unwrap();
    let mut segment = vec![0xFF, 0xE1];
    segment.extend_from_slice(&(exif.len() as u16 + 2).to_be_bytes());
    segment.append(&mut exif);
    jpeg.splice(2..2, segment);
    let header = probe(&jpeg).unwrap();
    assert_eq!((header.width, header.height), (8, 16));
    let image = decode(&jpeg, 3, &Limits::default()).unwrap();
    assert_eq!((image.width(), image.height()), (8, 16));
    // Turned clockwise, what was left is at the top.
    assert!(image.data()[0] > 250 && image.data()[image.data().len() - 1] < 5);
}
