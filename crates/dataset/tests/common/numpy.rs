//! Files as NumPy writes them, and what is read of them.

use std::io::{Cursor, Write as _};
use std::path::Path;

use pupila_dataset::{Dataset, OnBadImage, ResizeRule, ScanError, ScanOptions, load, scan};
use zip::write::SimpleFileOptions;

/// A file as `numpy.save` writes it.
pub fn npy(shape: &[usize], data: &[u8]) -> Vec<u8> {
    npy_of("|u1", shape, data)
}

/// The same, of another type of values, such as `<U5`.
pub fn npy_of(descr: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let sides: String = shape.iter().map(|side| format!("{side},")).collect();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sides}), }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// A file as `numpy.savez` writes it.
pub fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// `n` different images of `[H, W, C]`, none of them of one value.
pub fn images(n: usize, side: usize, channels: usize, seed: usize) -> Vec<u8> {
    let len = side * side * channels;
    (0..n * len).map(|at| ((at * 37 + (at / len) * 101 + seed * 7) % 251) as u8).collect()
}

pub fn labels(n: usize, classes: usize) -> Vec<u8> {
    (0..n).map(|at| (at % classes) as u8).collect()
}

pub fn scan_at(path: &Path) -> Result<Dataset, ScanError> {
    scan(path, &ScanOptions::default(), None)
}

/// All of its images, squashed to squares.
pub fn pixels(dataset: &Dataset, side: u32, channels: u8) -> Vec<u8> {
    let which: Vec<usize> = (0..dataset.samples.len()).collect();
    let rule = ResizeRule::squash(side, side, channels);
    let none: &(dyn Fn() -> bool + Sync) = &|| false;
    load(dataset, &which, &rule, None, OnBadImage::Fail, &|_| {}, none).unwrap().pixels.into_data()
}
