//! The bytes of a checkpoint, whose checksum is put right.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pupila_train::fuzz::checkpoint(bytes));
