//! What is in TIFF files besides rows of samples: JPEG, several pages, how a picture is turned; and what is not read.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod tiff_writer;

use image::ImageEncoder;
use image::codecs::jpeg::JpegEncoder;
use pupila_image::{Flat, Limits, decode, probe, why_flat};
use tiff_writer::{PLAIN, Value, file, page, write};

fn jpeg(width: u32, height: u32, color: image::ExtendedColorType) -> Vec<u8> {
    let count = width * height * u32::from(color.channel_count());
    let data: Vec<u8> = (0..count).map(|i| (i.wrapping_mul(2_654_435_761) >> 25) as u8 + 64).collect();
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90).write_image(&data, width, height, color).unwrap();
    bytes
}

/// A JPEG as a file of its tables, and one of the rest.
fn split(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut tables, mut rest, mut at) = (vec![0xFF, 0xD8], vec![0xFF, 0xD8], 2);
    loop {
        let end = at + 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        match bytes[at + 1] {
            0xDB | 0xC4 => tables.extend(&bytes[at..end]),
            0xDA => break rest.extend(&bytes[at..]),
            _ => rest.extend(&bytes[at..end]),
        }
        at = end;
    }
    tables.extend([0xFF, 0xD9]);
    (tables, rest)
}

#[test]
fn a_jpeg_in_strips_or_tiles_is_the_one_by_itself() {
    for (color, channels, photometric) in
        [(image::ExtendedColorType::Rgb8, 3, 6), (image::ExtendedColorType::L8, 1, 1)]
    {
        // Two strips, the second of fewer rows: of its own height, or, as some writers have it, of the first one's.
        let (upper, lower, whole) = (jpeg(20, 16, color), jpeg(20, 5, color), jpeg(20, 16, color));
        let alone = |bytes: &[u8], rows: usize| {
            let image = decode(bytes, channels, &Limits::default()).unwrap();
            image.data()[..20 * rows * usize::from(channels)].to_vec()
        };
        let count = u16::from(channels);
        let bits = vec![8; usize::from(channels)];
        let tags: [(u16, &[u16]); 6] =
            [(258, &bits), (259, &[7]), (262, &[photometric]), (277, &[count]), (278, &[16]), (530, &[1, 1])];
        for second in [&lower, &whole] {
            let bytes = write(PLAIN, &[page((20, 21), &tags, &[&upper, second])]);
            let image = decode(&bytes, channels, &Limits::default()).unwrap();
            assert_eq!(image.data(), [alone(&upper, 16), alone(second, 5)].concat());
        }
        // Tables in a place of their own.
        let (tables, rest) = split(&upper);
        let mut parted = page((20, 16), &tags, &[&rest]);
        assert!(decode(&write(PLAIN, &[parted.clone()]), 3, &Limits::default()).is_err());
        parted.tags.push((347, Value::Bytes(tables)));
        let image = decode(&write(PLAIN, &[parted]), channels, &Limits::default()).unwrap();
        assert_eq!(image.data(), alone(&upper, 16));
        // Tiles, of which the right ones reach beyond the picture.
        let tile = jpeg(16, 16, color);
        let tiled: Vec<(u16, &[u16])> = [&tags[..4], &[(322, &[16]), (323, &[16])]].concat();
        let bytes = write(PLAIN, &[page((20, 16), &tiled, &[&tile, &tile])]);
        let image = decode(&bytes, channels, &Limits::default()).unwrap();
        let one = decode(&tile, channels, &Limits::default()).unwrap();
        let size = usize::from(channels);
        assert_eq!(image.data()[..16 * size], one.data()[..16 * size]);
        assert_eq!(image.data()[16 * size..20 * size], one.data()[..4 * size]);
    }
}

/// A JPEG of 8x8 pixels of four samples: 100, 128, 128, 100.
fn four_components() -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8];
    let mut segment = |marker: u8, body: &[u8]| {
        bytes.extend([0xFF, marker, 0, body.len() as u8 + 2]);
        bytes.extend(body);
    };
    segment(0xDB, &[&[0][..], &[8; 64]].concat());
    segment(0xC0, &[8, 0, 8, 0, 8, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0]);
    // Differences of no bits and of five, 00 and 01; and the end of a block, 0.
    segment(0xC4, &[&[0, 0, 2][..], &[0; 14], &[0, 5]].concat());
    segment(0xC4, &[&[0x10, 1][..], &[0; 15], &[0]].concat());
    segment(0xDA, &[4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]);
    bytes.extend(tiff_writer::bits("01 00011 0  00 0  00 0  01 00011 0  11"));
    bytes.extend([0xFF, 0xD9]);
    bytes
}

#[test]
fn a_jpeg_of_ycbcr_and_alpha_is_no_rgb() {
    let pixel = |photometric: u16, extra: u16| {
        let tags: [(u16, &[u16]); 5] =
            [(258, &[8; 4]), (259, &[7]), (262, &[photometric]), (277, &[4]), (338, &[extra])];
        let bytes = file(8, 8, &tags, &four_components());
        decode(&bytes, 3, &Limits::default()).unwrap().data()[..3].to_vec()
    };
    assert_eq!(pixel(6, 2), [100; 3]);
    assert_eq!(pixel(2, 2), [100, 128, 128]);
    // Multiplied with its alpha of 100.
    assert_eq!(pixel(6, 1), [255; 3]);
    assert_eq!(pixel(2, 1), [255; 3]);
}

#[test]
fn a_webp_in_strips_is_the_one_by_itself() {
    let webp = |width: u32, height: u32, color: image::ExtendedColorType| {
        let count = width * height * u32::from(color.channel_count());
        let data: Vec<u8> = (0..count).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut bytes = Vec::new();
        image::codecs::webp::WebPEncoder::new_lossless(&mut bytes)
            .write_image(&data, width, height, color)
            .unwrap();
        (bytes, data)
    };
    let (rgb, rgba) = (image::ExtendedColorType::Rgb8, image::ExtendedColorType::Rgba8);
    let file_of = |samples: u16, strips: &[&[u8]]| {
        let bits = vec![8; usize::from(samples)];
        let tags: [(u16, &[u16]); 5] =
            [(258, &bits), (259, &[50001]), (262, &[2]), (277, &[samples]), (278, &[4])];
        write(PLAIN, &[page((5, 6), &tags, strips)])
    };
    let read = |bytes: &[u8]| decode(bytes, 3, &Limits::default()).map(|image| image.into_data());
    let ((upper, top), (lower, below)) = (webp(5, 4, rgb), webp(5, 2, rgb));
    assert_eq!(read(&file_of(3, &[&upper, &lower])).unwrap(), [&top[..], &below].concat());
    // An alpha in one of the two alone.
    assert_eq!(read(&file_of(4, &[&upper, &lower])).unwrap(), [&top[..], &below].concat());
    let (with_alpha, data) = webp(5, 4, rgba);
    let colors: Vec<u8> = data.chunks(4).flat_map(|pixel| &pixel[..3]).copied().collect();
    assert_eq!(read(&file_of(3, &[&with_alpha, &lower])).unwrap(), [&colors[..], &below].concat());
    assert!(read(&file_of(3, &[&upper, &upper])).is_err(), "of another size");
    for end in 0..lower.len() - 1 {
        assert!(read(&file_of(3, &[&upper, &lower[..end]])).is_err(), "cut at {end}");
    }
}

#[test]
fn the_first_page_that_is_no_thumbnail_is_read() {
    let gray = |value: u8, kind: u16| page((1, 1), &[(254, &[kind]), (258, &[8]), (262, &[1])], &[&[value]]);
    for (pages, value, count) in [
        (vec![gray(1, 0)], 1, 1),
        (vec![gray(1, 0), gray(2, 0), gray(3, 2)], 1, 3),
        // Thumbnails and masks are passed over, and no pages.
        (vec![gray(1, 1), gray(2, 4), gray(3, 0), gray(4, 1), gray(5, 0)], 3, 2),
        (vec![gray(1, 1), gray(2, 1)], 1, 1),
    ] {
        let bytes = write(PLAIN, &pages);
        assert_eq!(decode(&bytes, 1, &Limits::default()).unwrap().data(), [value]);
        assert_eq!(probe(&bytes).unwrap().pages, count);
    }
    // A thumbnail whose picture is elsewhere, as in raw camera files.
    let mut raw = gray(1, 1);
    raw.tags.push((330, Value::Long(vec![8])));
    let said = decode(&write(PLAIN, &[raw]), 1, &Limits::default()).unwrap_err().to_string();
    assert!(said.contains("thumbnail") && said.contains("convert"), "{said}");
}

#[test]
fn wide_samples_that_use_few_bits_are_told() {
    let why = |bits: u16, kind: u16, strip: &[u8]| {
        let bytes = file(2, 1, &[(258, &[bits]), (262, &[1]), (339, &[kind])], strip);
        why_flat(&bytes, &Limits::default()).unwrap()
    };
    assert_eq!(why(12, 1, &[0, 0x01, 0x23]), Flat::FewBits { largest: 0x123, white: 4095 });
    assert_eq!(why(16, 2, &[9, 0, 0xFF, 0xFF]), Flat::FewBits { largest: 9, white: 32767 });
    assert_eq!(why(32, 1, &[0, 0, 0, 0, 0, 1, 0, 0]), Flat::FewBits { largest: 256, white: u32::MAX });
    assert_eq!(why(32, 1, &[255; 8]), Flat::OneColor);
    let floats = [0f32, 300.0].map(f32::to_le_bytes).concat();
    assert_eq!(why(32, 3, &floats), Flat::Float { low: 0.0, high: 300.0 });
    assert_eq!(why(8, 1, &[1, 2]), Flat::OneColor);
}

#[test]
fn pictures_stand_upright() {
    let turned = |tags: Vec<(u16, Value)>| {
        let mut page = page((2, 1), &[(258, &[8]), (262, &[1])], &[&[1, 2]]);
        page.tags.extend(tags);
        let bytes = write(PLAIN, &[page]);
        let (image, header) = (decode(&bytes, 1, &Limits::default()).unwrap(), probe(&bytes).unwrap());
        assert_eq!((image.width(), image.height()), (header.width, header.height));
        (image.width(), image.into_data())
    };
    let xmp = || (700, Value::Bytes(b"<x tiff:Orientation=\"3\">".to_vec()));
    assert_eq!(turned(vec![]), (2, vec![1, 2]));
    assert_eq!(turned(vec![(274, Value::Short(vec![6]))]), (1, vec![1, 2]));
    assert_eq!(turned(vec![(274, Value::Long(vec![8]))]), (1, vec![2, 1]));
    assert_eq!(turned(vec![xmp()]), (2, vec![2, 1]));
    assert_eq!(turned(vec![(274, Value::Short(vec![1])), xmp()]), (2, vec![1, 2]));
}

#[test]
fn what_is_not_read_is_named_with_what_to_do() {
    let said = |tags: &[(u16, &[u16])]| {
        let error = decode(&file(1, 1, tags, &[0; 64]), 3, &Limits::default()).unwrap_err();
        assert_eq!(probe(&file(1, 1, tags, &[0; 64])), Err(error.clone()));
        error.to_string()
    };
    for (tags, name, advice) in [
        (&[(258, &[8][..]), (259, &[34925]), (262, &[1])][..], "LZMA", "tiffcp -c none IN OUT"),
        (&[(258, &[8]), (259, &[6]), (262, &[1])], "old-style JPEG", "tiffcp -c none IN OUT"),
        (&[(258, &[8]), (259, &[34712]), (262, &[1])], "JPEG 2000", "without compression"),
        (&[(258, &[8]), (259, &[999]), (262, &[1])], "unknown (999)", "without compression"),
        (&[(258, &[5, 6, 5]), (262, &[2]), (277, &[3])], "different numbers of bits", "8 or 16 bits"),
        (&[(258, &[64]), (262, &[1])], "64 bits", "8 or 16 bits"),
        (&[(258, &[32]), (262, &[1]), (339, &[6])], "complex numbers", "8 or 16 bits"),
        (&[(258, &[8; 13]), (262, &[1]), (277, &[13])], "13 samples a pixel", "gray or RGB"),
        (&[(258, &[16]), (262, &[32803])], "camera's sensor", "convert it"),
        (&[(258, &[8]), (262, &[32845])], "LogLuv", "save it as RGB"),
        (&[(258, &[8]), (262, &[77])], "kind of color (77)", "save it as RGB"),
        (&[(258, &[4]), (259, &[5]), (262, &[1]), (317, &[2])], "predictor (2)", "tiffcp -c none IN OUT"),
        (&[(258, &[8]), (259, &[5]), (262, &[1]), (317, &[3])], "predictor (3)", "tiffcp -c none IN OUT"),
        (
            &[(258, &[8; 3]), (262, &[6]), (277, &[3]), (530, &[3, 1])],
            "subsampled by another",
            "save it as RGB",
        ),
        (&[(258, &[8; 3]), (262, &[6]), (277, &[3]), (284, &[2])], "planar", "save it as RGB"),
    ] {
        let said = said(tags);
        assert!(said.contains(name) && said.contains(advice), "{said}");
    }
}
