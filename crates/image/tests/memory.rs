//! What a picture takes is what is asked of it, not what its file holds. One test, since the peak is the process's.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use std::io::Write;

use common::peak;
use pupila_image::{Limits, decode};

#[test]
fn a_deep_png_takes_no_more_than_its_pixels() {
    const SIDE: usize = 4000;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDE as u32, SIDE as u32);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    let row: Vec<u8> = (0..SIDE * 8).map(|at| (at / 8) as u8).collect();
    for _ in 0..SIDE {
        stream.write_all(&row).unwrap();
    }
    stream.finish().unwrap();
    drop(writer);
    // Of the file 128 MB.
    let pixels = (SIDE * SIDE * 3) as u64;
    let Some(before) = peak() else { return };
    let image = decode(&bytes, 3, &Limits::default()).unwrap();
    assert_eq!(image.data()[3 * 300], 300usize as u8);
    let grown = peak().unwrap() - before;
    assert!(grown < pixels + (8 << 20), "{grown} bytes for {pixels}");
}
