//! Model files against flipped bits and lost ends: none loads as another model.
#![allow(clippy::unwrap_used)]

use pupila_network::{ModelConfig, StateDict, Tensor};
use pupila_train::{Input, ModelCard, ModelFile, ModelFileError};
use pupila_transforms::Normalization;
use std::path::Path;

fn model() -> (ModelCard, StateDict) {
    let classes = ["cat", "a \"quoted\" dog, \u{fc}"].map(str::to_owned).to_vec();
    let card = ModelCard::new(classes, Input::default(), &Normalization::imagenet(3), ModelConfig::default());
    let tensor = |shape: &[usize], seed: f32| {
        let values = shape.iter().product::<usize>();
        Tensor { shape: shape.to_vec(), data: (0..values).map(|at| (at as f32 + seed).sin()).collect() }
    };
    let tensors = [
        ("0.weight", tensor(&[6, 10], 1.0)),
        ("0.bias", tensor(&[6], 2.0)),
        ("1.weight", tensor(&[10, 6], 3.0)),
    ];
    (card, tensors.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect())
}

fn read(bytes: &[u8]) -> Result<ModelFile, ModelFileError> {
    ModelFile::of_bytes(Path::new("best.safetensors"), bytes)
}

#[test]
fn flips_and_cuts_are_seen_or_change_nothing() {
    let (card, state) = model();
    let whole = ModelFile::bytes(&card, &state).unwrap();
    let mut word = 3u64;
    let mut draw = |most: usize| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (word >> 33) as usize % most
    };
    let (mut seen, mut harmless) = (0, 0);
    let mut check = |bytes: &[u8], what: &str| match read(bytes) {
        Err(_) => seen += 1,
        Ok(model) => {
            assert!(model.card == card && model.state == state, "{what} loads as another model");
            harmless += 1;
        }
    };
    for _ in 0..2000 {
        let mut bytes = whole.clone();
        let (at, bit) = (draw(bytes.len()), draw(8));
        bytes[at] ^= 1 << bit;
        check(&bytes, &format!("bit {bit} of byte {at}"));
    }
    for len in (0..2000).map(|at| at % whole.len()) {
        check(&whole[..len], &format!("cut to {len}"));
    }
    // Of the spaces behind the header, and of the name of the checksum.
    assert!(seen > 3900 && harmless < 100, "{seen} seen, {harmless} harmless");
}

#[test]
fn every_bit_of_a_value_counts() {
    let (card, state) = model();
    let whole = ModelFile::bytes(&card, &state).unwrap();
    let values: usize = state.values().map(|tensor| 4 * tensor.data.len()).sum();
    for at in whole.len() - values..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            assert!(matches!(read(&bytes), Err(ModelFileError::Checksum { .. })), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn others_read_a_file_with_a_checksum_and_old_files_without_one_are_read() {
    let (card, state) = model();
    let whole = ModelFile::bytes(&card, &state).unwrap();
    assert_eq!(ModelFile::bytes(&card, &state).unwrap(), whole);
    let tensors = safetensors::SafeTensors::deserialize(&whole).unwrap();
    assert_eq!(tensors.len(), state.len());
    let (_, header) = safetensors::SafeTensors::read_metadata(&whole).unwrap();
    let text = &header.metadata().as_ref().unwrap()[ModelCard::KEY];
    // As versions of before it read it.
    assert_eq!(serde_json::from_str::<ModelCard>(text).unwrap(), card);
    let said: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(said["checksum"].as_str().unwrap().len(), 32);
    // As they wrote it.
    let data: Vec<(&String, Vec<u8>)> =
        state.iter().map(|(name, t)| (name, t.data.iter().flat_map(|x| x.to_le_bytes()).collect())).collect();
    let views = data.iter().map(|(name, bytes)| {
        let shape = state[*name].shape.clone();
        (name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, bytes).unwrap())
    });
    let metadata = [(ModelCard::KEY.to_owned(), serde_json::to_string(&card).unwrap())].into();
    let old = safetensors::serialize(views, Some(metadata)).unwrap();
    let read = read(&old).unwrap();
    assert!(read.card == card && read.state == state);
}
