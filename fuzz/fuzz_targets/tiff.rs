//! A TIFF file of either byte order: whatever follows its first four bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((order, rest)) = bytes.split_first() else { return };
    let start: &[u8] = if order & 1 == 0 { b"II*\0" } else { b"MM\0*" };
    pupila_image::fuzz::every_way(&[start, rest].concat());
});
