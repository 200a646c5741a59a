//! What fuzzing has found worth keeping, once more: the corpora of the targets `checkpoint`, `recipe` and `model`, which `fuzz/seeds` has begun.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

fn tried(target: &str, every_way: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    files.map(|bytes| every_way(&bytes)).count()
}

#[test]
fn every_file_of_the_corpus_keeps_what_is_promised() {
    assert!(tried("checkpoint", pupila_train::fuzz::checkpoint) >= 2);
    assert!(tried("recipe", pupila_train::fuzz::recipe) >= 10);
    assert!(tried("model", pupila_train::fuzz::model) >= 2);
}
