//! TIFF files written by hand, against what their samples are by TIFF 6.0 and Pillow's conversions. Files of other programs, and their
//! pixels in Pillow, are in interop/test_pictures.py.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod tiff_writer;

use pupila_image::{Limits, Reading, decode, decode_as, probe};
use tiff_writer::{Layout, Value, bits, deflate, file, lzw, pack_bits, page, write, zstandard};

fn pixels(channels: u8, bytes: &[u8]) -> Vec<u8> {
    assert_eq!(probe(bytes).unwrap().channels, channels);
    decode(bytes, channels, &Limits::default()).unwrap_or_else(|error| panic!("{error}")).into_data()
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
    assert_eq!(gray(24, 1, &[0, 0, 0x80, 255, 255, 255]), [128, 255]);
    assert_eq!(gray(32, 1, &[0, 0, 0, 0x80, 255, 255, 255, 255]), [128, 255]);
}

#[test]
fn white_of_wide_samples_can_be_told() {
    let gray = file(2, 1, &[(258, &[16]), (262, &[1])], &[0xFF, 0x0F, 0, 8]);
    let reading = Reading { white: Some(4095), ..Reading::default() };
    assert_eq!(decode_as(&gray, 1, &Limits::default(), &reading).unwrap().data(), [255, 128]);
    let gray = file(1, 1, &[(258, &[32]), (262, &[1])], &[0xFF, 0x0F, 0, 0]);
    assert_eq!(decode_as(&gray, 1, &Limits::default(), &reading).unwrap().data(), [255]);
}

#[test]
fn signed_and_floating_samples() {
    let gray = |bits: u16, kind: u16, strip: &[u8]| {
        pixels(
            1,
            &file(
                strip.len() as u32 * 8 / u32::from(bits),
                1,
                &[(258, &[bits]), (262, &[1]), (339, &[kind])],
                strip,
            ),
        )
    };
    assert_eq!(gray(8, 2, &[0x80, 0, 0x40, 0x7F]), [0, 0, 129, 255]);
    assert_eq!(gray(16, 2, &[0, 0x80, 0xFF, 0x7F, 0, 0x40]), [0, 255, 128]);
    assert_eq!(gray(32, 2, &[0, 0, 0, 0x80, 255, 255, 255, 0x7F]), [0, 255]);
    let floats = [0.5f32, -1.0, 2.0, f32::NAN].map(f32::to_le_bytes).concat();
    assert_eq!(gray(32, 3, &floats), [128, 0, 255, 0]);
    assert_eq!(gray(64, 3, &[0.25f64, 1.0].map(f64::to_le_bytes).concat()), [64, 255]);
    // A half, one, infinity, no number, and the smallest one.
    let halves = [0x3800u16, 0x3C00, 0x7C00, 0x7E00, 1].map(u16::to_le_bytes).concat();
    assert_eq!(gray(16, 3, &halves), [128, 255, 255, 0, 0]);
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
    assert_eq!(color(5, 5, &[0, 128, 255, 51, 77]), [204, 102, 0]);
    assert_eq!(color(6, 3, &[100, 128, 128]), [100, 100, 100]);
    assert_eq!(color(8, 3, &[255, 0, 0]), [255, 255, 255]);
    assert_eq!(color(9, 3, &[255, 128, 128]), [255, 255, 255]);
    let lab = file(1, 1, &[(258, &[16; 3]), (262, &[8]), (277, &[3])], &[255, 255, 0, 0, 0, 0]);
    assert_eq!(pixels(3, &lab), [255, 255, 255]);
    let mut map = vec![0u16; 6];
    (map[1], map[3], map[5]) = (0x12FF, 0x3400, 0xFFFF);
    let palette = |map: &[u16]| file(2, 1, &[(258, &[1]), (262, &[3]), (320, map)], &[0b0100_0000]);
    assert_eq!(pixels(3, &palette(&map)), [0, 0, 0, 0x12, 0x34, 0xFF]);
    // Old writers fill the low byte alone.
    (map[1], map[3], map[5]) = (0x12, 0x34, 0xFF);
    assert_eq!(pixels(3, &palette(&map)), [0, 0, 0, 0x12, 0x34, 0xFF]);
}

#[test]
fn colors_that_were_multiplied_with_alpha_are_divided_by_it() {
    let tags: [(u16, &[u16]); 4] = [(258, &[8; 4]), (262, &[2]), (277, &[4]), (338, &[1])];
    let bytes = file(2, 1, &tags, &[10, 20, 30, 128, 10, 20, 30, 0]);
    assert_eq!(pixels(3, &bytes), [19, 39, 59, 0, 0, 0]);
    let reading = Reading { background: Some([255; 3]), ..Reading::default() };
    let image = decode_as(&bytes, 3, &Limits::default(), &reading).unwrap();
    assert_eq!(image.data(), [137, 147, 157, 255, 255, 255]);
}

#[test]
fn chroma_of_lower_resolution_is_repeated() {
    // Two units of 2x2 lumas; the last column and the last row are not of the picture.
    let strip = [10, 20, 30, 40, 128, 255, 50, 0, 60, 0, 0, 128];
    let ycc = |tags: &[(u16, Value)]| {
        let mut page = page((3, 1), &[(258, &[8; 3]), (262, &[6]), (277, &[3]), (530, &[2, 2])], &[&strip]);
        page.tags.extend(tags.iter().cloned());
        pixels(3, &write(tiff_writer::PLAIN, &[page]))
    };
    assert_eq!(ycc(&[]), [188, 0, 10, 198, 0, 20, 50, 94, 0]);
    // BT.709, and the reference of digital video.
    let ratios = |all: &[u32], below: u32| Value::Ratio(all.iter().map(|&v| (v, below)).collect());
    assert_eq!(ycc(&[(529, ratios(&[2126, 7152, 722], 10_000))]), [210, 0, 10, 220, 0, 20, 50, 74, 0]);
    assert_eq!(ycc(&[(532, ratios(&[16, 235, 128, 240, 128, 240], 1))]), [196, 0, 0, 206, 0, 4, 39, 89, 0]);
}

#[test]
fn byte_orders_big_files_tiles_and_planes_are_one_picture() {
    let (width, height) = (5u32, 3u32);
    let sample = |y: u32, x: u32, c: u32| (y * 3001 + x * 701 + c * 97 + 300) as u16;
    let expected: Vec<u8> =
        (0..height * width * 3).map(|i| (sample(i / 3 / width, i / 3 % width, i % 3) >> 8) as u8).collect();
    for (little, big) in [(true, false), (false, false), (true, true), (false, true)] {
        let layout = Layout { little, big };
        for (tiled, planar) in [(false, false), (true, false), (false, true), (true, true)] {
            // Tiles of 4x2, or strips of two rows.
            let (across, down) = if tiled { (4, 2) } else { (width, 2) };
            let mut strips = Vec::new();
            for (first, count) in if planar { vec![(0, 1), (1, 1), (2, 1)] } else { vec![(0, 3)] } {
                for top in (0..height).step_by(2) {
                    for left in (0..width).step_by(across as usize) {
                        let rows = if tiled { top..top + down } else { top..(top + down).min(height) };
                        let mut strip = Vec::new();
                        for (y, x) in rows.flat_map(|y| (left..left + across).map(move |x| (y, x))) {
                            strip.extend(
                                (first..first + count).flat_map(|c| layout.number(sample(y, x, c).into(), 2)),
                            );
                        }
                        strips.push(strip);
                    }
                }
            }
            let mut tags: Vec<(u16, &[u16])> = vec![(258, &[16; 3]), (262, &[2]), (277, &[3])];
            tags.push((284, if planar { &[2] } else { &[1] }));
            tags.extend(if tiled { [(322, &[4][..]), (323, &[2])] } else { [(278, &[2][..]), (266, &[1])] });
            let strips: Vec<&[u8]> = strips.iter().map(Vec::as_slice).collect();
            let bytes = write(layout, &[page((width, height), &tags, &strips)]);
            assert_eq!(pixels(3, &bytes), expected, "{little} {big} {tiled} {planar}");
        }
    }
}

#[test]
fn every_compression_and_predictor_gives_the_samples_back() {
    let samples: Vec<u8> = (0..40 * 6 * 4).map(|i: u32| (i * i / 7) as u8).collect();
    let expected: Vec<u8> = samples.chunks(4).flat_map(|pixel| &pixel[..3]).copied().collect();
    // Of an unspecified extra sample, which the crate `tiff` gives garbage for with a predictor.
    let differences: Vec<u8> = samples
        .chunks(40 * 4)
        .flat_map(|row| (0..row.len()).map(|at| row[at].wrapping_sub(if at < 4 { 0 } else { row[at - 4] })))
        .collect();
    let reverse = |data: Vec<u8>| data.iter().map(|byte| byte.reverse_bits()).collect::<Vec<u8>>();
    type Code = fn(&[u8]) -> Vec<u8>;
    let codes: [(u16, Code, bool); 7] = [
        (1, |data| data.to_vec(), false),
        (5, |data| lzw(data, false), true),
        (5, |data| lzw(data, true), true),
        (8, deflate, true),
        (32946, deflate, true),
        (32773, pack_bits, false),
        (50000, zstandard, true),
    ];
    for (compression, code, predicts) in codes {
        for fill in [1, 2] {
            for predictor in if predicts { vec![1, 2] } else { vec![1] } {
                let coded = code(if predictor == 2 { &differences } else { &samples });
                let coded = if fill == 2 { reverse(coded) } else { coded };
                let tags: [(u16, &[u16]); 7] = [
                    (258, &[8; 4]),
                    (259, &[compression]),
                    (262, &[2]),
                    (266, &[fill]),
                    (277, &[4]),
                    (317, &[predictor]),
                    (338, &[0]),
                ];
                let got = pixels(3, &file(40, 6, &tags, &coded));
                assert_eq!(got, expected, "{compression} fill order {fill} predictor {predictor}");
            }
        }
    }
}

#[test]
fn predictors_of_wide_and_floating_samples() {
    let gray = |layout: Layout, bits: u16, predictor: u16, format: u16, strip: &[u8]| {
        let tags: [(u16, &[u16]); 5] =
            [(258, &[bits]), (259, &[8]), (262, &[1]), (317, &[predictor]), (339, &[format])];
        let bytes = write(layout, &[page((2, 1), &tags, &[&deflate(strip)])]);
        pixels(1, &bytes)
    };
    for little in [true, false] {
        let layout = Layout { little, big: false };
        let number = |value: u64, size| layout.number(value, size);
        let wide = [number(0x40FF, 2), number(0x4001, 2)].concat();
        assert_eq!(gray(layout, 16, 2, 1, &wide), [0x40, 0x81]);
        let wide = [number(0x8000_0000, 4), number(0x7FFF_FFFF, 4)].concat();
        assert_eq!(gray(layout, 32, 2, 1, &wide), [128, 255]);
        // The bytes of 0.5 and 1.0, the most significant of both first, as differences.
        let (half, one) = (0.5f32.to_be_bytes(), 1f32.to_be_bytes());
        let planes: Vec<u8> = (0..4).flat_map(|byte| [half[byte], one[byte]]).collect();
        let before = [&[0], &planes[..7]].concat();
        let differences: Vec<u8> = planes.iter().zip(before).map(|(a, b)| a.wrapping_sub(b)).collect();
        assert_eq!(gray(layout, 32, 3, 3, &differences), [128, 255]);
    }
}

#[test]
fn fax_of_every_kind() {
    // Two white pixels, two black ones, four white ones; twice.
    let (runs, end) = ("0111 11 1011", "000000000001");
    let picture = [255, 255, 0, 0, 255, 255, 255, 255].repeat(2);
    let by_bits = |compression: u16, options: u16, text: &str| {
        pixels(
            1,
            &file(8, 2, &[(258, &[1]), (259, &[compression]), (262, &[0]), (292, &[options])], &bits(text)),
        )
    };
    assert_eq!(by_bits(2, 0, &format!("{runs} 000000 {runs}")), picture);
    assert_eq!(by_bits(32771, 0, &format!("{runs} 000000 {runs}")), picture);
    assert_eq!(by_bits(3, 0, &format!("{end} {runs} {end} {runs}")), picture);
    // Filled, so that each line's code ends a byte.
    assert_eq!(by_bits(3, 4, &format!("0000 {end} {runs} 00 {end} {runs}")), picture);
    // Without the codes between the lines.
    assert_eq!(by_bits(3, 0, &format!("{runs} {runs}")), picture);
    // A line of runs, and one like it.
    assert_eq!(by_bits(3, 1, &format!("{end} 1 {runs} {end} 0 111")), picture);
    assert_eq!(by_bits(4, 0, "001 0111 11 1 111"), picture);
    // Each line against the one before. libtiff sees the same in them.
    let lines = [
        ("001 00110101 11 1", [0, 0, 255, 255]), // runs: none of white, two of black
        ("1 011 1", [0, 0, 0, 255]),             // straight below, and one to the right
        ("1 011", [0; 4]),
        ("001 1011 0000110111", [255; 4]), // runs: four of white, none of black
        ("001 00110101 010 001 000111 010 1", [0, 255, 0, 255]),
        ("0001 0001 1", [255; 4]), // two pairs of changes passed by
    ];
    // A run of no white and one of no black, which the next line passes by, as ImageGear writes them.
    let passed = "001 00110101 0000110111 001 0111 11 1  0001 001 0111 11 1";
    assert_eq!(by_bits(4, 0, passed), picture);
    let text: String = lines.iter().map(|&(text, _)| text).collect();
    let rows = lines.map(|(_, row)| row);
    let got = pixels(1, &file(4, 6, &[(258, &[1]), (259, &[4]), (262, &[0])], &bits(&text)));
    assert_eq!(got, rows.concat());
}
