//! Logits of a file of weights, for the tests that compare them with PyTorch's: `logits_of_weights WEIGHTS SIDE CLASSES IMAGES OUT`, where IMAGES are normalised
//! inputs `[N, SIDE, SIDE, 3]` and OUT becomes logits `[N, CLASSES]`, both plain little-endian f32.
#![allow(clippy::unwrap_used)]

use pupila::Learnt;
use pupila::backend::Backend;
use pupila::engine::CpuBackend;
use pupila::network::{Init, ModelConfig, Shape, architectures};
use pupila::recipe::Transfer;
use std::path::Path;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, side, classes, images, out] = &arguments[..] else {
        panic!("WEIGHTS SIDE CLASSES IMAGES OUT")
    };
    let (side, classes): (usize, usize) = (side.parse().unwrap(), classes.parse().unwrap());
    let learnt = Learnt::open(Path::new(weights)).unwrap();
    let config = ModelConfig { name: learnt.architecture().unwrap().to_owned(), ..ModelConfig::default() };
    let network =
        architectures::build(&config, Shape::Map { height: side, width: side, channels: 3 }, classes)
            .unwrap();
    let names: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
    let fitted =
        learnt.fit(&network, Init::Pytorch.state(&network, 0), &names, &Transfer::default()).unwrap();
    assert_eq!(fitted.taken, fitted.tensors);
    let images: Vec<f32> =
        std::fs::read(images).unwrap().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    let mut engine = CpuBackend::new(&network, 8, false);
    engine.load(&fitted.state).unwrap();
    let len = side * side * 3;
    let logits: Vec<u8> = images
        .chunks(8 * len)
        .flat_map(|batch| engine.forward(batch, batch.len() / len).to_vec())
        .flat_map(f32::to_le_bytes)
        .collect();
    std::fs::write(out, logits).unwrap();
}
