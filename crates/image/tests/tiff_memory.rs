//! What a TIFF takes is its pixels and a strip, not the samples of its file. One test, since the peak is the process's.

mod common;
mod tiff_writer;

use common::peak;
use pupila_image::{Limits, decode};
use tiff_writer::{PLAIN, deflate, page, write};

#[test]
fn a_deep_tiff_takes_no_more_than_its_pixels_and_a_strip() {
    const SIDE: usize = 4000;
    const ROWS: usize = 16;
    // RGBA of 16 bits, which are 128 MB in all.
    let strip: Vec<u8> = (0..ROWS * SIDE * 8).map(|at| (at / 8) as u8).collect();
    let strip = deflate(&strip);
    let tags: [(u16, &[u16]); 5] =
        [(258, &[16; 4]), (259, &[8]), (262, &[2]), (277, &[4]), (278, &[ROWS as u16])];
    let strips = vec![&strip[..]; SIDE / ROWS];
    let bytes = write(PLAIN, &[page((SIDE as u32, SIDE as u32), &tags, &strips)]);
    let pixels = (SIDE * SIDE * 3) as u64;
    let Some(before) = peak() else { return };
    let image = decode(&bytes, 3, &Limits::default());
    let grown = peak().unwrap_or(u64::MAX) - before;
    assert_eq!(image.map(|image| image.data()[3 * 300]), Ok(300usize as u8));
    assert!(grown < pixels + (8 << 20), "{grown} bytes for {pixels}");
}
