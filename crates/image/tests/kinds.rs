//! JPEG files of every kind have the pixels that libjpeg-turbo sees in them, to the bit, and a second decoder agrees on plain ones.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use std::path::PathBuf;

use pupila_image::{Image, Limits, Reading, decode, decode_shrunk, probe};

fn files() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kinds"));
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jpg"));
    paths.sort();
    let file = |path: PathBuf| {
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap())
    };
    paths.into_iter().map(file).collect()
}

/// See kinds/generate_kinds.py.
fn golden() -> Vec<Image> {
    let mut rest = &include_bytes!("golden/kinds.bin")[..];
    let mut images = Vec::new();
    while let Some((&[w0, w1, h0, h1], after)) = rest.split_first_chunk::<4>() {
        let (width, height) = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
        let (data, after) = after.split_at(usize::from(width) * usize::from(height) * 3);
        images.push(Image::new(width.into(), height.into(), 3, data.to_vec()).unwrap());
        rest = after;
    }
    images
}

/// The decoder that `image` uses rounds in its own way; these files have no colors of lower resolution.
#[test]
fn a_second_decoder_agrees() {
    for side in 1..=70u32 {
        let (width, height) = (side, 71 - side);
        let data: Vec<u8> =
            (0..width * height * 3).map(|i| (i.wrapping_mul(2_654_435_761) >> 25) as u8 + 64).collect();
        for color in [image::ExtendedColorType::Rgb8, image::ExtendedColorType::L8] {
            let samples = (width * height) as usize * usize::from(color.channel_count());
            let mut bytes = Vec::new();
            image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90)
                .encode(&data[..samples], width, height, color)
                .unwrap();
            let ours = decode(&bytes, 3, &Limits::default()).unwrap();
            let theirs = image::load_from_memory(&bytes).unwrap().into_rgb8();
            assert_eq!((ours.width(), ours.height()), theirs.dimensions());
            let apart = ours.data().iter().zip(theirs.as_raw()).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(apart <= Some(3), "{width}x{height} {color:?}: {apart:?}");
        }
    }
}

#[test]
fn pixels_are_those_of_libjpeg() {
    let (files, golden) = (files(), golden());
    assert_eq!((files.len(), golden.len()), (19, 19));
    for ((name, bytes), expected) in files.iter().zip(&golden) {
        let image = decode(bytes, 3, &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(image == *expected, "{name}: {image:?}");
        let header = probe(bytes).unwrap();
        assert_eq!((header.width, header.height), (expected.width(), expected.height()), "{name}");
        // The other way to a small image takes whatever this one takes.
        let shrunk = decode_shrunk(bytes, 3, (4, 3), &Limits::default(), &Reading::default());
        assert!(shrunk.is_ok(), "{name}: {shrunk:?}");
    }
}

/// Files that are cut and closed again are refused. (Other damage is compared with libjpeg's opinion in interop/test_pictures.py.)
#[test]
fn what_was_cut_and_closed_is_refused() {
    for (name, bytes) in files() {
        let arithmetic = name.starts_with("arithmetic");
        let first = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
        let (mut cut, mut refused) = (0, 0);
        let whole = decode(&bytes, 3, &Limits::default()).unwrap();
        for end in (first + 14..bytes.len() - 4).step_by(3) {
            let closed = [&bytes[..end], &[0xFF, 0xD9]].concat();
            cut += 1;
            match decode(&closed, 3, &Limits::default()) {
                Err(_) => refused += 1,
                // An arithmetic coder may do without its last bytes.
                Ok(image) => assert!(image == whole || arithmetic, "{name} cut at {end} of {}", bytes.len()),
            }
        }
        assert!(refused * 20 >= cut * 19, "{name}: {refused} of {cut} are refused");
    }
}

/// A header that is made smaller leaves data over, with restart intervals and without.
#[test]
fn a_smaller_header_is_refused() {
    let mut cases = 0;
    let restarts = ("restarts".to_owned(), include_bytes!("files/restarts.jpg").to_vec());
    for (name, bytes) in files().into_iter().chain([restarts]) {
        let frame =
            bytes.windows(2).position(|pair| matches!(pair, [0xFF, 0xC0..=0xC2 | 0xC9 | 0xCA])).unwrap();
        if name == "lines_behind_the_scan" {
            continue;
        }
        let mut smaller = bytes.clone();
        smaller[frame + 6] = 8;
        assert!(decode(&smaller, 3, &Limits::default()).is_err(), "{name}");
        let shrunk = decode_shrunk(&smaller, 3, (4, 3), &Limits::default(), &Reading::default());
        assert!(shrunk.is_err(), "{name}");
        cases += 1;
    }
    assert_eq!(cases, 19);
}

/// Padding loses nothing: fill bytes before markers, stray bytes between segments, whatever follows the end.
#[test]
fn padding_is_of_no_concern() {
    for (name, bytes) in files() {
        let whole = decode(&bytes, 3, &Limits::default()).unwrap();
        let first = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
        let filled = [&bytes[..first], &[0xFF, 0xFF, 0xFF], &bytes[first..]].concat();
        let stray = [&bytes[..first], &[0, 1, 2], &bytes[first..]].concat();
        let end = bytes.len() - 2;
        let before_the_end = [&bytes[..end], &[0xFF, 0xFF, 0xFF], &bytes[end..]].concat();
        let zeros = [&bytes[..end], &[0, 0, 0], &bytes[end..]].concat();
        let longer = [&bytes[..], b"what some cameras append"].concat();
        for (what, bytes) in [
            ("filled", filled),
            ("stray", stray),
            ("end", before_the_end),
            ("zeros", zeros),
            ("longer", longer),
        ] {
            // An arithmetic coder leaves zeros at the end out.
            if what == "zeros" && name.starts_with("arithmetic") {
                assert!(decode(&bytes, 3, &Limits::default()).is_err(), "{name}");
                continue;
            }
            let image = decode(&bytes, 3, &Limits::default())
                .unwrap_or_else(|error| panic!("{name}, {what}: {error}"));
            assert!(image == whole, "{name}, {what}");
        }
    }
}
