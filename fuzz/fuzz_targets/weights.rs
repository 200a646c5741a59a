//! The bytes of a file of weights, of whatever kind: tensors or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pupila_weights::fuzz::every_way(bytes));
