//! The bytes of a file, of whatever kind: a picture or an error, and the header says of what size it is.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pupila_image::fuzz::every_way(bytes));
