//! Damaged files that are read as far as they go: the picture as it was until there, and gray behind it.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_image::{
    DecodeError, Image, Interpolation, Limits, Reading, Resampling, decode, decode_as, decode_resized,
    decode_shrunk,
};

const AREA: Resampling = Resampling { interpolation: Interpolation::Area, antialias: false };

const FILL: Reading = Reading { white: None, black: None, background: None, fill_damaged: true };
const GRAY: [u8; 3] = [128; 3];

fn filled(bytes: &[u8]) -> Result<Image, DecodeError> {
    decode_as(bytes, 3, &Limits::default(), &FILL)
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/files/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A picture of one color a row, so that each row says whether it is there.
fn png(deep: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 40, 64);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(if deep { png::BitDepth::Sixteen } else { png::BitDepth::Eight });
    encoder.set_compression(png::Compression::NoCompression);
    let mut writer = encoder.write_header().unwrap();
    let mut rows = Vec::new();
    for row in 0..64u8 {
        for column in 0..40u8 {
            let value = [row, column, 200];
            rows.extend(value.iter().flat_map(|&v| if deep { vec![v, 7] } else { vec![v] }));
        }
    }
    writer.write_image_data(&rows).unwrap();
    drop(writer);
    bytes
}

/// How many pixels are those of `whole` until the first one that is gray; all behind it must be.
fn there(image: &Image, whole: &Image) -> usize {
    assert_eq!((image.width(), image.height()), (whole.width(), whole.height()));
    let pixels = image.data().chunks_exact(3).zip(whole.data().chunks_exact(3));
    let good = pixels.clone().take_while(|(a, b)| a == b).count();
    assert!(pixels.skip(good).all(|(a, _)| *a == GRAY), "neither whole nor gray behind {good}");
    good
}

#[test]
fn a_cut_png_keeps_its_rows() {
    for deep in [false, true] {
        let bytes = png(deep);
        let whole = decode(&bytes, 3, &Limits::default()).unwrap();
        assert_eq!(filled(&bytes).unwrap(), whole);
        let mut most = 0;
        for end in (60..bytes.len() - 20).step_by(7) {
            assert!(decode(&bytes[..end], 3, &Limits::default()).is_err());
            let Ok(image) = filled(&bytes[..end]) else {
                assert_eq!(most, 0, "{end}");
                continue;
            };
            let good = there(&image, &whole);
            assert!(good >= most && good.is_multiple_of(40), "{good} at {end}");
            most = good;
        }
        assert!(most > 40 * 56, "{most}");
    }
}

#[test]
fn a_cut_jpeg_keeps_its_blocks() {
    // Each of these becomes pixels block by block, and what stands above the fault is whole: but for the rows that are made of it and
    // the ones above, when colors are of a lower resolution.
    for (name, progressive) in
        [("baseline_444.jpg", false), ("baseline_420.jpg", false), ("progressive.jpg", true)]
    {
        let bytes = file(name);
        let whole = decode(&bytes, 3, &Limits::default()).unwrap();
        assert_eq!(filled(&bytes).unwrap(), whole, "{name}");
        let mut read = 0;
        for end in (0..bytes.len() - 2).step_by(11) {
            let strict = decode(&bytes[..end], 3, &Limits::default());
            let Ok(image) = filled(&bytes[..end]) else { continue };
            assert_eq!((image.width(), image.height()), (whole.width(), whole.height()));
            read += 1;
            if let Ok(strict) = strict {
                assert_eq!(strict, image, "{name} at {end}");
            } else if !progressive && end * 10 > bytes.len() * 9 {
                let row = whole.width() as usize * 3;
                let above = row * (whole.height() as usize / 2);
                assert_eq!(image.data()[..above], whole.data()[..above], "{name} at {end}");
                assert_ne!(image, whole, "{name} at {end}");
            }
        }
        assert!(read > 20, "{name}: {read}");
    }
}

#[test]
fn what_a_wrong_checksum_is_of_is_lost() {
    // Two chunks of pixels; a wrong bit in the second.
    let one = png(false);
    let start = one.windows(4).position(|w| w == b"IDAT").unwrap();
    let length = u32::from_be_bytes(one[start - 4..start].try_into().unwrap()) as usize;
    let data = &one[start + 4..start + 4 + length];
    let chunk = |data: &[u8]| {
        let content = [&b"IDAT"[..], data].concat();
        [&(data.len() as u32).to_be_bytes()[..], &content, &crc32fast::hash(&content).to_be_bytes()].concat()
    };
    let (first, second) = data.split_at(length / 2);
    let mut bytes = [&one[..start - 4], &chunk(first), &chunk(second), &one[start + 8 + length..]].concat();
    let whole = decode(&one, 3, &Limits::default()).unwrap();
    assert_eq!(decode(&bytes, 3, &Limits::default()).unwrap(), whole);
    let wrong = start - 4 + 12 + first.len() + 8 + second.len() / 2;
    bytes[wrong] ^= 0x10;
    assert!(decode(&bytes, 3, &Limits::default()).is_err());
    let good = there(&filled(&bytes).unwrap(), &whole);
    assert!((40 * 28..40 * 33).contains(&good), "{good}");
}

#[test]
fn both_ways_fill_the_same_files() {
    let bytes = file("baseline_420.jpg");
    let mut filled_ones = 0;
    for end in (0..bytes.len()).step_by(13) {
        let size = (4, 3);
        let full = decode_resized(&bytes[..end], 3, |_, _| size, AREA, &Limits::default(), &FILL);
        let scaled = decode_shrunk(&bytes[..end], 3, size, &Limits::default(), &FILL);
        assert_eq!(full.is_ok(), scaled.is_ok(), "{end}");
        filled_ones += usize::from(full.is_ok());
    }
    assert!(filled_ones > 20, "{filled_ones}");
}

#[test]
fn what_is_behind_a_fault_is_gray() {
    let bytes = file("baseline_444.jpg");
    let start = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
    // Right behind the header of the scan.
    let header = usize::from(u16::from_be_bytes([bytes[start + 2], bytes[start + 3]]));
    let image = filled(&bytes[..start + 2 + header]).unwrap();
    assert!(image.data().chunks_exact(3).all(|pixel| pixel == GRAY));
    // Resizing comes after it.
    let small =
        decode_resized(&bytes[..start + 2 + header], 1, |_, _| (3, 2), AREA, &Limits::default(), &FILL);
    assert_eq!(small.unwrap().data(), [128; 6]);
}

#[test]
fn what_has_no_size_is_refused_all_the_same() {
    for name in ["baseline_444.jpg", "progressive.jpg"] {
        let bytes = file(name);
        assert!(filled(&bytes[..20]).is_err());
    }
    assert!(filled(&png(false)[..30]).is_err());
    assert!(filled(b"GIF89a").is_err());
}
