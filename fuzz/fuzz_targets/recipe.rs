//! The text of a recipe and, behind a zero byte, what is typed behind `--set`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| pupila_train::fuzz::recipe(bytes));
