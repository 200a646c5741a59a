//! The bytes of a model file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pupila_train::fuzz::model(bytes));
