//! TIFF files written by hand, against what their samples are by TIFF 6.0 and Pillow's conversions.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_image::{DecodeError, Limits, decode, probe};

/// A file of one strip, little-endian: `tags` of SHORT values besides the size, the strip and its place.
fn file(width: u16, height: u16, tags: &[(u16, &[u16])], strip: &[u8]) -> Vec<u8> {
    let mut all: Vec<(u16, Vec<u16>)> = tags.iter().map(|&(tag, values)| (tag, values.to_vec())).collect();
    all.extend([(256, vec![width]), (257, vec![height]), (273, vec![8]), (279, vec![strip.len() as u16])]);
    all.sort();
    let directory = 8 + strip.len().next_multiple_of(2);
    let mut after = directory + 2 + all.len() * 12 + 4;
    let mut bytes = b"II*\0".to_vec();
    bytes.extend((directory as u32).to_le_bytes());
    bytes.extend(strip);
    bytes.resize(directory, 0);
    bytes.extend((all.len() as u16).to_le_bytes());
    let mut data = Vec::new();
    for (tag, values) in all {
        bytes.extend(tag.to_le_bytes());
        bytes.extend([3, 0]);
        bytes.extend((values.len() as u32).to_le_bytes());
        let mut value: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        if value.len() > 4 {
            bytes.extend((after as u32).to_le_bytes());
            after += value.len();
            data.append(&mut value);
        } else {
            value.resize(4, 0);
            bytes.append(&mut value);
        }
    }
    bytes.extend([0; 4]);
    bytes.append(&mut data);
    bytes
}

fn pixels(channels: u8, bytes: &[u8]) -> Vec<u8> {
    assert_eq!(probe(bytes).unwrap().channels, channels);
    decode(bytes, channels, &Limits::default()).unwrap().into_data()
}

#[test]
fn gray_of_few_bits_is_spread() {
    let gray = |bits: u16, photometric: u16, strip: &[u8]| {
        pixels(1, &file(2, 1, &[(258, &[bits]), (262, &[photometric])], strip))
    };
    assert_eq!(gray(1, 1, &[0b0100_0000]), [0, 255]);
    assert_eq!(gray(1, 0, &[0b0100_0000]), [255, 0]);
    assert_eq!(gray(2, 1, &[0b0110_0000]), [85, 170]);
    assert_eq!(gray(4, 1, &[0x1E]), [17, 238]);
    assert_eq!(gray(12, 1, &[0x80, 0x0F, 0xFF]), [128, 255]);
    assert_eq!(gray(16, 1, &[0xFF, 0x12, 0, 0x80]), [0x12, 0x80]);
    assert_eq!(gray(32, 1, &[0, 0, 0, 0x80, 255, 255, 255, 255]), [128, 255]);
}

#[test]
fn every_kind_of_color_is_rgb() {
    let color = |photometric: u16, samples: u16, strip: &[u8]| {
        let bits = vec![8; usize::from(samples)];
        pixels(
            3,
            &file(1, 1, &[(258, &bits), (262, &[photometric]), (277, &[samples]), (530, &[1, 1])], strip),
        )
    };
    assert_eq!(color(2, 3, &[1, 2, 3]), [1, 2, 3]);
    assert_eq!(color(2, 4, &[1, 2, 3, 0]), [1, 2, 3]);
    assert_eq!(color(5, 4, &[0, 128, 255, 51]), [204, 102, 0]);
    assert_eq!(color(6, 3, &[100, 128, 128]), [100, 100, 100]);
    assert_eq!(color(8, 3, &[255, 0, 0]), [255, 255, 255]);
    let mut map = vec![0u16; 6];
    (map[1], map[3], map[5]) = (0x12FF, 0x3400, 0xFFFF);
    let palette = file(2, 1, &[(258, &[1]), (262, &[3]), (320, &map)], &[0b0100_0000]);
    assert_eq!(pixels(3, &palette), [0, 0, 0, 0x12, 0x34, 0xFF]);
}

#[test]
fn an_unspecified_extra_sample_goes_with_a_predictor() {
    // Two pixels of RGB and one more, as differences, in a Deflate stream that stores them.
    let strip = [0x78, 1, 1, 8, 0, 0xF7, 0xFF, 10, 20, 30, 40, 1, 1, 1, 1];
    let adler = {
        let (mut a, mut b) = (1u32, 0u32);
        for &byte in &strip[7..] {
            a = (a + u32::from(byte)) % 65521;
            b = (b + a) % 65521;
        }
        (b << 16 | a).to_be_bytes()
    };
    let tags: [(u16, &[u16]); 6] =
        [(258, &[8, 8, 8, 8]), (259, &[8]), (262, &[2]), (277, &[4]), (317, &[2]), (338, &[0])];
    let bytes = file(2, 1, &tags, &[&strip[..], &adler].concat());
    assert_eq!(pixels(3, &bytes), [10, 20, 30, 11, 21, 31]);
}

#[test]
fn a_short_strip_is_refused_and_an_unread_compression_named() {
    let short = file(4, 4, &[(258, &[8]), (262, &[1])], &[0; 15]);
    assert!(matches!(decode(&short, 1, &Limits::default()), Err(DecodeError::Truncated { .. })));
    let lzma = file(1, 1, &[(258, &[8]), (259, &[34925]), (262, &[1])], &[0]);
    let said = decode(&lzma, 1, &Limits::default()).unwrap_err().to_string();
    assert!(said.contains("LZMA") && said.contains("tiffcp -c none"), "{said}");
}
