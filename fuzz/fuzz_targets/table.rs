//! The bytes of a table: of labels, or of pixels.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pupila_dataset::fuzz::table(bytes));
