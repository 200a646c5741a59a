//! What fuzzing has found worth keeping, once more: `fuzz/corpus/weights`, which the target `fuzz/fuzz_targets/weights.rs` begins with. It was begun with the small
//! files of `parity/weights`.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

#[test]
fn every_file_of_the_corpus_is_weights_or_an_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/weights");
    let mut files = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        pupila_weights::fuzz::every_way(&fs::read(entry.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files >= 5, "{files} files in {}", folder.display());
}
