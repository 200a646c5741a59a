//! What must hold of any bytes, whatever they are. Called by the fuzz target, and by a test on its corpus.

use crate::file::{Format, Weights};
use std::path::Path;

/// Views of one storage may say its values so many times over: the bound of [`crate::Weights`] for all of them together.
const TIMES: usize = 4;

/// Reads bytes as a file of weights.
///
/// # Panics
/// Where what is read contradicts itself: a tensor of another number of values than its shape says, more values than the file can hold, a name
/// that is both a tensor and left out, or another result the second time.
pub fn every_way(bytes: &[u8]) {
    let read = || Weights::of_bytes(Path::new("weights"), bytes);
    let (first, second) = (read(), read());
    let weights = match (first, second) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first.sha256, second.sha256);
            let same = |a: &[f32], b: &[f32]| a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits()));
            assert_eq!(first.tensors.len(), second.tensors.len());
            for (name, tensor) in &first.tensors {
                assert!(
                    second.tensors.get(name).is_some_and(|other| same(&tensor.data, &other.data)),
                    "{name}"
                );
            }
            first
        }
        (Err(first), Err(second)) => {
            assert_eq!(first.to_string(), second.to_string());
            return;
        }
        (first, second) => panic!("{:?} and {:?}", first.err(), second.err()),
    };
    assert!(!weights.tensors.is_empty() && weights.sha256.len() == 64);
    let mut values = 0usize;
    for (name, tensor) in &weights.tensors {
        let shape = tensor.shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
        assert_eq!(shape, Some(tensor.data.len()), "{name}");
        values += tensor.data.len();
        // A name may hold a bracket too; the type behind it does not.
        let is_this = |left: &String| left.rsplit_once(" (").is_some_and(|(left, _)| left == name);
        assert!(!weights.left_out.iter().any(is_this), "{name} is taken and left out");
    }
    // What an archive has packed may be larger than it is; half-precision values take two bytes.
    if weights.format != Format::TorchZip && weights.member.is_none() {
        assert!(2 * values <= TIMES * bytes.len(), "{values} values of {} bytes", bytes.len());
    }
}
