//! The transforms against Albumentations, on the cases that `parity/transforms/generate.py` wrote.
//!
//! Tolerance of the flips, tables and normalisations of `cases.json`: none. Flips move bytes, and the tables repeat the
//! reference's arithmetic in f32. Of the others in `random_cases.jsonl`: 1 of 255 for the image, where sums of f32 and of
//! fixed point round apart; none for masks, which move whole values, unless they are asked to be averaged.

#![allow(clippy::unwrap_used)]

use pupila_transforms::{
    Frame, FrameMemory, MeanStd, Normalize, Pipeline, SampleKey, Shape, TransformConfig,
};
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
            let pipeline = Pipeline::from_config(&[TransformConfig::new(transform, parameters)]).unwrap();
            let mut memory = FrameMemory::default();
            let mut frame = Frame::new(shape, &before, &mut memory).unwrap();
            pipeline.apply(&mut frame, SampleKey { seed: 0, epoch: 0, sample: 0 });
            assert_eq!(frame.pixels(), after, "{what}");
        }
        compared += 1;
    }
    assert_eq!(compared, 84);
}

#[derive(Deserialize)]
struct RandomCase {
    #[serde(flatten)]
    case: Case,
    drawn: serde_json::Value,
    after_shape: [usize; 3],
    mask: String,
    mask_after: String,
}

#[test]
fn random_parameters_give_what_albumentations_gives() {
    let cases = include_str!("../../../parity/transforms/random_cases.jsonl");
    let mut compared = 0;
    let mut names = std::collections::BTreeSet::new();
    for line in cases.lines() {
        let RandomCase { case, drawn, after_shape, mask, mask_after } = serde_json::from_str(line).unwrap();
        let Case { transform, mut parameters, height, width, channels, before, after } = case;
        let shape = Shape { height, width, channels };
        let what = format!("{transform} {} of {shape}", serde_json::to_string(&parameters).unwrap());
        names.insert(transform.clone());
        let averaged = parameters.get("area_for_downscale").is_some_and(|area| area == "image_mask");
        parameters.insert("p".to_owned(), 1.0.into());
        let pipeline = Pipeline::from_config(&[TransformConfig::new(transform, parameters)]).unwrap();
        let (before, mask) = (bytes(&before), bytes(&mask));
        let (mut memory, mut memory_of_mask) = (FrameMemory::default(), FrameMemory::default());
        let mut frame = Frame::new(shape, &before, &mut memory).unwrap();
        let mask_shape = Shape { channels: 1, ..shape };
        let mut frame_of_mask = Frame::new(mask_shape, &mask, &mut memory_of_mask).unwrap();
        if drawn.is_null() {
            let key = SampleKey { seed: 0, epoch: 0, sample: 0 };
            pipeline.apply_with_mask(&mut frame, &mut frame_of_mask, key).unwrap();
        } else {
            pipeline.transforms()[0].run_drawn(&drawn, &mut frame, Some(&mut frame_of_mask)).unwrap();
        }
        let got = frame.shape();
        assert_eq!([got.height, got.width, got.channels], after_shape, "{what}");
        let off = |got: &[u8], expected: &str| {
            let expected = bytes(expected);
            assert_eq!(got.len(), expected.len(), "{what}");
            got.iter().zip(expected).map(|(&got, expected)| got.abs_diff(expected)).max().unwrap_or(0)
        };
        assert!(off(frame.pixels(), &after) <= 1, "{what}: {} off", off(frame.pixels(), &after));
        assert!(off(frame_of_mask.pixels(), &mask_after) <= u8::from(averaged), "mask, {what}");
        compared += 1;
    }
    assert_eq!((names.len(), compared), (39, 273));
}
