//! Values of files and arrays that are not from what is taken for black to what is taken for white: told, with a line that works.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::Cursor;

use common::Data;
use common::numpy::{labels, npy, npy_of, npz, scan_at};
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb};
use pupila_dataset::{Loaded, Notice, OnBadImage, ResizeRule, load};
use pupila_image::Reading;

const SIDE: u32 = 8;

fn file(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A picture of which the upper half is 0, or `low` where that is less, and the lower one a ramp to `high`; the values of each are others.
fn float(low: f32, high: f32, seed: u32) -> Vec<u8> {
    let value = |x: u32, y: u32| match y < SIDE / 2 {
        true => low.min(0.0),
        false => low + (high - low) * ((x + SIDE * (y - SIDE / 2) + seed) % 32) as f32 / 31.0,
    };
    file(ImageBuffer::from_fn(SIDE, SIDE, |x, y| Rgb([value(x, y); 3])), ImageFormat::Tiff)
}

fn deep(high: u16, seed: u32, format: ImageFormat) -> Vec<u8> {
    let value = |x: u32, y: u32| ((x + SIDE * y + seed) % 64) * u32::from(high) / 63;
    file(ImageBuffer::from_fn(SIDE, SIDE, |x, y| Luma([value(x, y) as u16])), format)
}

fn data_of(picture: impl Fn(u32) -> Vec<u8>, extension: &str) -> Data {
    let data = Data::new();
    for i in 0..12 {
        data.write(format!("{}/{i}.{extension}", ["cat", "dog"][i as usize % 2]), picture(i));
    }
    data
}

fn loaded(data: &Data, reading: Reading) -> Loaded {
    let dataset = data.scan().unwrap();
    let which: Vec<usize> = (0..dataset.samples.len()).collect();
    let rule = ResizeRule { reading, ..ResizeRule::squash(SIDE, SIDE, 1) };
    let none: &(dyn Fn() -> bool + Sync) = &|| false;
    load(&dataset, &which, &rule, None, OnBadImage::Fail, &|_| {}, none).unwrap()
}

/// What is said of the values, whichever notice says it.
fn told(loaded: &Loaded) -> Option<String> {
    let about = |notice: &&Notice| matches!(notice, Notice::Levels { .. } | Notice::Flat { .. });
    loaded.notices.iter().find(about).map(Notice::to_string)
}

/// The reading that a text says to type.
fn typed(text: &str) -> Reading {
    let mut reading = Reading::default();
    for setting in text.split("--set ").skip(1) {
        let (key, value) = setting.split_once('=').unwrap();
        let value = value.split(' ').next().unwrap();
        match key {
            "input.white" => reading.white = Some(value.parse().unwrap()),
            "input.black" => reading.black = Some(value.parse().unwrap()),
            other => panic!("{other} in {text}"),
        }
    }
    assert_ne!(reading, Reading::default(), "{text}");
    reading
}

#[test]
fn what_is_to_be_typed_shows_all_that_files_hold() {
    let tiff = |high: u16| data_of(move |seed| deep(high, seed, ImageFormat::Tiff), "tif");
    let png = |high: u16| data_of(move |seed| deep(high, seed, ImageFormat::Png), "png");
    let floats = |low: f32, high: f32| data_of(move |seed| float(low, high, seed), "tif");
    for (what, data) in [
        ("0 to 255", floats(0.0, 255.0)),
        ("0 to 213.5", floats(0.0, 213.5)),
        ("0 to 65535", floats(0.0, 65535.0)),
        ("-1 to 1", floats(-1.0, 1.0)),
        ("-1024 to 3071", floats(-1024.0, 3071.0)),
        ("0 to 100", floats(0.0, 100.0)),
        ("8 bits of 16", tiff(249)),
        ("12 bits of 16", png(4095)),
        ("14 bits of 16", png(16383)),
        ("14 bits of 16, TIFF", tiff(16383)),
    ] {
        let text =
            told(&loaded(&data, Reading::default())).unwrap_or_else(|| panic!("{what}: nothing is told"));
        let reading = typed(&text);
        let after = loaded(&data, reading);
        assert_eq!(told(&after), None, "{what}: {text}");
        // The ramp has 32 values: all of them show, and none but the first and the last is at an end.
        let mut values = after.pixels.into_data();
        let (black, white) = (values.iter().min().copied(), values.iter().max().copied());
        assert!(
            black.is_some_and(|black| black < 64) && white.is_some_and(|white| white > 100),
            "{what}: {text}"
        );
        let ends = values.iter().filter(|&&value| value == 255).count();
        assert!(ends * 16 <= values.len(), "{what}: {ends} of {} are white", values.len());
        values.sort_unstable();
        values.dedup();
        assert!(values.len() >= 30, "{what}: {} values", values.len());
    }
    // Pictures of which all values have their meaning.
    for data in [floats(0.0, 1.0), tiff(65535), png(40000), data_of(common::png, "png")] {
        assert_eq!(told(&loaded(&data, Reading::default())), None);
    }
}

#[test]
fn a_white_that_cuts_and_what_is_no_number_are_told() {
    let data = data_of(|seed| float(0.0, 255.0, seed), "tif");
    let text = told(&loaded(&data, Reading { white: Some(100), ..Reading::default() })).unwrap();
    assert!(text.contains("100 as white, and what is beyond is cut off: --set input.white=255 "), "{text}");
    let holes = |seed: u32| {
        let value = |x: u32, y: u32| if (x + y + seed).is_multiple_of(5) { f32::NAN } else { x as f32 / 7.0 };
        file(ImageBuffer::from_fn(SIDE, SIDE, |x, y| Rgb([value(x, y); 3])), ImageFormat::Tiff)
    };
    let text = told(&loaded(&data_of(holes, "tif"), Reading::default())).unwrap();
    assert!(text.contains("NaN is read as black") && !text.contains("--set"), "{text}");
}

/// Images whose values are a ramp over `[low, high]`.
fn ramp(low: f64, high: f64) -> Vec<f64> {
    (0..12 * 64).map(|at| (low + (high - low) * ((at * 37) % 64) as f64 / 63.0).round()).collect()
}

#[test]
fn arrays_of_another_range_are_refused_with_a_line_that_scales_them() {
    let words = |values: &[f64]| values.iter().flat_map(|&v| (v as u16).to_le_bytes()).collect::<Vec<u8>>();
    let floats = |values: &[f64]| values.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect::<Vec<u8>>();
    let shape = [12, 8, 8];
    for (what, array) in [
        ("12 bits", npy_of("<u2", &shape, &words(&ramp(0.0, 4000.0)))),
        ("16 bits", npy_of("<u2", &shape, &words(&ramp(0.0, 65535.0)))),
        ("-1024 to 3071", npy_of("<f4", &shape, &floats(&ramp(-1024.0, 3071.0)))),
        ("-1 to 1", npy_of("<f4", &shape, &floats(&ramp(-1.0, 1.0)))),
    ] {
        for one_file in [true, false] {
            let data = Data::new();
            let of_labels = npy(&[12], &labels(12, 2));
            let folder = data.join("my arrays");
            let path = match one_file {
                true => {
                    data.write("my arrays/all.npz", npz(&[("images", array.clone()), ("labels", of_labels)]));
                    folder.join("all.npz")
                }
                false => {
                    data.write("my arrays/x.npy", &array);
                    data.write("my arrays/y.npy", of_labels);
                    folder.clone()
                }
            };
            let text = scan_at(&path).unwrap_err().to_string();
            let line = text.lines().last().unwrap().trim();
            assert!(line.starts_with("python3 -c \"import numpy"), "{what}: {text}");
            let out = if one_file { folder.join("all.8bit.npz") } else { folder.join("8bit") };
            assert!(line.contains(&format!("'{}'", out.display())), "{what}: {text}");
            assert!(text.contains("input.white"), "{what}: {text}");
        }
    }
}
