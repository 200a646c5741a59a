//! What must hold of any bytes, whatever they are. Called by the fuzz targets, and by a test on their corpus.

use crate::checkpoint::Checkpoint;
use crate::model_file::ModelFile;
use crate::recipe::{CheckedRecipe, Layers, Setting};
use pupila_network::StateDict;
use pupila_run::CheckpointFile;
use std::path::{Path, PathBuf};
use twox_hash::XxHash3_128;

/// Bytes of a checkpoint's checksum, at its end.
const DIGEST: usize = 16;

/// Reads bytes as a checkpoint: as they are, and with the checksum that belongs to them, since nearly no bytes have it by chance.
///
/// # Panics
/// Where what is read and written again reads as something else, or where a file with a bit changed is read.
pub fn checkpoint(bytes: &[u8]) {
    let path = Path::new("a.checkpoint");
    if CheckpointFile::of_bytes(path, bytes).is_ok() {
        // Somewhere else for each file.
        let at = XxHash3_128::oneshot(bytes) as usize % (8 * bytes.len());
        let mut flipped = bytes.to_vec();
        flipped[at / 8] ^= 1 << (at % 8);
        assert!(CheckpointFile::of_bytes(path, &flipped).is_err(), "bit {at} is another");
    }
    let Some(body) = bytes.len().checked_sub(DIGEST).map(|end| &bytes[..end]) else { return };
    let sealed = [body, &XxHash3_128::oneshot(body).to_le_bytes()].concat();
    let Ok(file) = CheckpointFile::of_bytes(path, &sealed) else { return };
    let bytes_of = |file: &CheckpointFile| {
        file.bytes().unwrap_or_else(|error| panic!("what was read cannot be written: {error}"))
    };
    let again = CheckpointFile::of_bytes(path, &bytes_of(&file))
        .unwrap_or_else(|error| panic!("what was written cannot be read: {error}"));
    // Bytes, since a value may be NaN.
    assert_eq!(bytes_of(&again), bytes_of(&file));
    let Ok(checkpoint) = Checkpoint::of_file(file) else { return };
    let file_of = |checkpoint: &Checkpoint| {
        let (parts, mut header) = (checkpoint.parts(), Vec::new());
        let written = parts.write_header(&mut header);
        written.unwrap_or_else(|error| panic!("what was read cannot be written: {error}"));
        CheckpointFile { header, arrays: parts.arrays.into_iter().map(<[f32]>::to_vec).collect() }
    };
    let written = file_of(&checkpoint);
    let again = Checkpoint::of_file(written.clone())
        .unwrap_or_else(|error| panic!("what was written cannot be read: {error}"));
    assert_eq!(bytes_of(&file_of(&again)), bytes_of(&written));
}

/// Reads bytes as a recipe file and, behind a zero byte, as lines that were typed behind `--set`.
///
/// # Panics
/// Where a recipe without faults, written as a run's `recipe.toml`, does not read as the same recipe, or where there is another answer the second
/// time.
pub fn recipe(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (file, typed) = text.split_once('\0').unwrap_or((text, ""));
    let setting = |line: &str| Setting { assignment: line.to_owned(), option: format!("--set {line}") };
    let layers = |file: &str, typed: &str| Layers {
        file: Some((PathBuf::from("recipe.toml"), file.to_owned())),
        settings: typed.lines().map(setting).collect(),
        learnt: None,
    };
    let layers_here = layers(file, typed);
    let written = |recipe: &CheckedRecipe| {
        let text = recipe.to_toml();
        let again = layers(&text, "").resolve();
        let again = again.unwrap_or_else(|error| panic!("what was written cannot be read: {error}\n{text}"));
        // As text, since a value may be NaN.
        assert_eq!(format!("{:?}", again.recipe()), format!("{:?}", recipe.recipe()), "{text}");
    };
    match (layers_here.resolve(), layers_here.resolve()) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first.to_toml(), second.to_toml());
            written(&first);
        }
        (Err(first), Err(second)) => {
            assert!(!first.0.is_empty(), "refused for no fault");
            assert_eq!(first.to_string(), second.to_string());
        }
        (first, second) => panic!("{:?} and {:?}", first.err(), second.err()),
    }
    written(&layers_here.resolve_what_is_known().0);
    let _ = layers_here.resolve_for_viewing();
}

/// Reads bytes as a model file, and makes the network of it.
///
/// # Panics
/// Where what is read and written again reads as something else.
pub fn model(bytes: &[u8]) {
    let path = Path::new("best.safetensors");
    let Ok(model) = ModelFile::of_bytes(path, bytes) else { return };
    let written = ModelFile::bytes(&model.card, &model.state)
        .unwrap_or_else(|error| panic!("what was read cannot be written: {error}"));
    let again = ModelFile::of_bytes(path, &written)
        .unwrap_or_else(|error| panic!("what was written cannot be read: {error}"));
    assert_eq!(again.card, model.card);
    let bits = |state: &StateDict| -> Vec<(String, Vec<usize>, Vec<u32>)> {
        let of = |(name, tensor): (&String, &pupila_network::Tensor)| {
            (name.clone(), tensor.shape.clone(), tensor.data.iter().map(|value| value.to_bits()).collect())
        };
        state.iter().map(of).collect()
    };
    assert_eq!(bits(&again.state), bits(&model.state));
    let fingerprint = model.card.fingerprint(&model.state);
    assert_eq!(again.card.fingerprint(&again.state), fingerprint);
    let _ = (model.card.network(), model.card.preparation());
}
