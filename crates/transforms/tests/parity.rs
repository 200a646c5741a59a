//! The transforms against Albumentations, on the cases that `parity/transforms/generate.py` wrote.
//!
//! Tolerance: none. Flips move bytes, and the tables repeat the reference's arithmetic in f32.

#![allow(clippy::unwrap_used)]

use pupila_transforms::{Frame, MeanStd, Normalize, Pipeline, SampleKey, Shape, TransformConfig};
use serde::Deserialize;

const CASES: &str = include_str!("../../../parity/transforms/cases.json");

#[derive(Deserialize)]
struct Case {
    transform: String,
    parameters: serde_json::Map<String, serde_json::Value>,
    height: usize,
    width: usize,
    channels: usize,
    before: String,
    after: String,
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks_exact(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn pixels_equal_those_of_albumentations() {
    let cases: Vec<Case> = serde_json::from_str(CASES).unwrap();
    let mut compared = 0;
    for Case { transform, mut parameters, height, width, channels, before, after } in cases {
        let shape = Shape { height, width, channels };
        let (before, after) = (bytes(&before), bytes(&after));
        let what = format!("{transform} {parameters:?} of {shape}");
        if transform == "normalize" {
            let given: MeanStd = serde_json::from_value(parameters.into()).unwrap();
            let normalization = Normalize::MeanStd(given).resolve(channels).unwrap();
            let mut out = vec![0.0; shape.values()];
            normalization.apply(&before, &mut out);
            let expected: Vec<f32> =
                after.as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
            assert_eq!(out, expected, "{what}");
        } else {
            parameters.insert("p".to_owned(), 1.0.into());
            let pipeline = Pipeline::from_config(&[TransformConfig { name: transform, parameters }]).unwrap();
            let mut frame = Frame::new();
            frame.load(shape, &before).unwrap();
            pipeline.apply(&mut frame, SampleKey { seed: 0, epoch: 0, sample: 0 });
            assert_eq!(frame.pixels(), after, "{what}");
        }
        compared += 1;
    }
    assert_eq!(compared, 84);
}
