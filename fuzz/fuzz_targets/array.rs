//! The bytes of arrays: IDX, `.npy` or `.npz`, by the first one.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pupila_dataset::fuzz::array(bytes));
