//! What fuzzing has found worth keeping, once more: `fuzz/corpus`, which the targets in `fuzz/fuzz_targets` begin with.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use std::path::Path;

use pupila_image::fuzz::every_way;

/// Tries each file of a target's corpus as the target does, and says how many they are.
fn tried(target: &str, file: impl Fn(Vec<u8>) -> Vec<u8>) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let bytes = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    bytes.map(|bytes| every_way(&file(bytes))).count()
}

#[test]
fn no_way_of_reading_contradicts_another_on_the_corpus() {
    assert!(tried("picture", |bytes| bytes) > 100);
    assert!(tried("jpeg", |bytes| [&[0xff, 0xd8], bytes.as_slice()].concat()) > 100);
    let tiff = |bytes: Vec<u8>| {
        let Some((order, rest)) = bytes.split_first() else { return Vec::new() };
        let start: &[u8] = if order & 1 == 0 { b"II*\0" } else { b"MM\0*" };
        [start, rest].concat()
    };
    assert!(tried("tiff", tiff) > 100);
}
