//! A JPEG file: whatever follows its first two bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pupila_image::fuzz::every_way(&[&[0xff, 0xd8], bytes].concat()));
