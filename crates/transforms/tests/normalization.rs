//! The modes by image against `albumentations.Normalize` 2.0.8 (`parity/normalization/generate.py`).

#![allow(clippy::unwrap_used)]

use pupila_transforms::{Normalization, PerImage};
use serde::Deserialize;

const FIXTURE: &str = include_str!("../../../parity/normalization/cases.json");

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    mode: PerImage,
    channels: usize,
    before: String,
    after: String,
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks_exact(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

#[test]
fn an_images_own_normalisation_is_that_of_albumentations() {
    let Fixture { cases } = serde_json::from_str(FIXTURE).unwrap();
    for Case { mode, channels, before, after } in &cases {
        let before = bytes(before);
        let mut out = vec![0.0; before.len()];
        Normalization::by_image(*mode, *channels).apply(&before, &mut out);
        let after = bytes(after);
        let expected = after.as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value));
        // Both are f64 rounded to f32; numpy sums the squares in another order, so the last bit may differ.
        for (got, expected) in out.iter().zip(expected) {
            assert!(
                (got - expected).abs() <= 2.0 * f32::EPSILON * expected.abs(),
                "{mode}: {got} {expected}"
            );
        }
    }
    assert_eq!(cases.len(), 24);
}
