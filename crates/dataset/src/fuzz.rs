//! What must hold of any bytes, whatever they are. Called by the fuzz targets, and by a test on their corpus.

use crate::{Dataset, ScanError, ScanOptions, Source, scan};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// More images than this are not labelled here: their file is read all the same.
const MOST: usize = 1 << 12;

/// A folder for the files of one call.
fn folder() -> TempDir {
    tempfile::tempdir().unwrap_or_else(|error| panic!("no folder for the files: {error}"))
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    fs::write(folder.join(name), bytes).unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
}

/// A data set twice, which must be the same.
fn scanned(path: &Path) -> Result<Dataset, ScanError> {
    let read = || scan(path, &ScanOptions::default(), None);
    match (read(), read()) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first.classes, second.classes);
            assert_eq!(first.samples.len(), second.samples.len());
            for (one, other) in first.samples.iter().zip(&second.samples) {
                let said = |sample: &crate::Sample| {
                    (sample.path.clone(), sample.label, sample.split, sample.content)
                };
                assert_eq!(said(one), said(other));
                assert!((one.label as usize) < first.classes.len(), "a class that is none");
            }
            Ok(first)
        }
        (Err(first), Err(second)) => {
            assert_eq!(first.to_string(), second.to_string());
            assert!(!first.to_string().trim().is_empty());
            Err(first)
        }
        (first, second) => panic!("{:?} and {:?}", first.err(), second.err()),
    }
}

/// The pixels of a sample that is in an array: rows, columns, samples of a pixel, and they.
fn pixels(sample: &crate::Sample) -> Option<(u32, u32, u8, &[u8])> {
    match &sample.source {
        Source::Array { images, index } => {
            Some((images.height, images.width, images.channels, images.image(*index)))
        }
        _ => None,
    }
}

/// Reads bytes as a table, of images beside it or of pixels.
///
/// # Panics
/// Where it reads as something else the second time, or where the pixels of a table, written again, read as others.
pub fn table(bytes: &[u8]) {
    let folder = folder();
    // Rows may name them.
    for name in ["a.png", "b.png", "c.png"] {
        let gray = |value: u8| vec![value, 255 - value, 7, 9];
        let image = pupila_image::Image::new(2, 2, 1, gray(name.as_bytes()[0]));
        let png = image.ok().and_then(|image| pupila_image::encode_png(&image).ok());
        write(folder.path(), name, &png.unwrap_or_default());
    }
    write(folder.path(), "table.csv", bytes);
    let Ok(dataset) = scanned(&folder.path().join("table.csv")) else { return };
    let Some((height, width, channels, _)) = dataset.samples.first().and_then(pixels) else { return };
    let mut again = "label,split".to_owned();
    for at in 0..height as usize * width as usize * usize::from(channels) {
        let _ = write!(again, ",pixel{at}");
    }
    let samples: Vec<&crate::Sample> = dataset.samples.iter().collect();
    for sample in &samples {
        let (.., of) = pixels(sample).unwrap_or_else(|| panic!("images in and out of the table"));
        let _ = write!(again, "\n{},{}", sample.label, sample.split);
        of.iter().for_each(|value| _ = write!(again, ",{value}"));
    }
    // Fewer columns are taken for something else.
    if again.matches(",pixel").count() < 16 {
        return;
    }
    write(folder.path(), "again.csv", again.as_bytes());
    let second = scanned(&folder.path().join("again.csv"));
    let second = second.unwrap_or_else(|error| panic!("what was written cannot be read: {error}\n{again}"));
    let sorted = |dataset: &Dataset| {
        let mut all: Vec<(String, Vec<u8>)> = (dataset.samples.iter())
            .map(|sample| {
                (sample.split.to_string(), pixels(sample).map(|(.., of)| of.to_vec()).unwrap_or_default())
            })
            .collect();
        all.sort();
        all
    };
    // Copies go to one split together, and the first table may have had none.
    assert_eq!(sorted(&second), sorted(&dataset), "{again}");
}

/// Reads bytes as arrays: by their first byte as images in the IDX format, as NumPy's `.npy`, or as `.npz`.
///
/// # Panics
/// Where they read as something else the second time, or where the pixels are not those that stand in the file.
pub fn array(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let folder = folder();
    match kind % 3 {
        0 => idx(folder.path(), bytes),
        1 => npy(folder.path(), bytes),
        _ => {
            write(folder.path(), "data.npz", bytes);
            let _ = scanned(&folder.path().join("data.npz"));
        }
    }
}

fn idx(folder: &Path, bytes: &[u8]) {
    let said =
        bytes.get(4..8).map_or(0, |count| count.iter().fold(0usize, |n, &byte| n << 8 | usize::from(byte)));
    let count = said.clamp(1, MOST);
    let labels: Vec<u8> = (0..count).map(|at| (at % 3) as u8).collect();
    let head = [&[0, 0, 8, 1][..], &(count as u32).to_be_bytes()].concat();
    write(folder, "train-labels-idx1-ubyte", &[&head[..], &labels].concat());
    write(folder, "train-images-idx3-ubyte", bytes);
    let Ok(dataset) = scanned(folder) else { return };
    assert_eq!(dataset.samples.len(), said);
    let all: Vec<u8> = dataset.samples.iter().filter_map(pixels).flat_map(|(.., of)| of.to_vec()).collect();
    assert_eq!(all, bytes[16..]);
}

fn npy(folder: &Path, bytes: &[u8]) {
    write(folder, "train_images.npy", bytes);
    // Labels for so many images as there may be: the first number of the shape.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(256)]).into_owned();
    let after = text.split_once('(').map(|(_, after)| after).unwrap_or_default();
    let digits: String = after.trim_start().chars().take_while(char::is_ascii_digit).collect();
    let count = digits.parse().unwrap_or(1).clamp(1, MOST);
    let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({count},), }}");
    while !(header.len() + 11).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let labels: Vec<u8> = (0..count).map(|at| (at % 3) as u8).collect();
    let front = [&b"\x93NUMPY\x01\x00"[..], &(header.len() as u16).to_le_bytes()].concat();
    write(folder, "train_labels.npy", &[&front[..], header.as_bytes(), &labels].concat());
    let Ok(dataset) = scanned(folder) else { return };
    let values: usize = dataset.samples.iter().filter_map(pixels).map(|(.., of)| of.len()).sum();
    // A value takes a byte or more in the file.
    assert!(values > 0 && values <= bytes.len(), "{values} values of {} bytes", bytes.len());
}
