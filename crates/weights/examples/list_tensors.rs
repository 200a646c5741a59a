//! Prints what a file of weights holds as JSON lines, for the tests that compare it with PyTorch: `list_tensors FILE...`.

use pupila_weights::Weights;
use std::path::Path;

fn main() {
    for path in std::env::args().skip(1) {
        match Weights::open(Path::new(&path)) {
            Ok(weights) => {
                println!(
                    "# {path}: {} {} {:?} {:?}",
                    weights.format, weights.sha256, weights.taken, weights.left_out
                );
                for (name, tensor) in &weights.tensors {
                    let bits: Vec<u32> = tensor.data.iter().map(|value| value.to_bits()).collect();
                    println!("{{\"name\":{name:?},\"shape\":{:?},\"bits\":{bits:?}}}", tensor.shape);
                }
            }
            Err(error) => println!("! {error}"),
        }
    }
}
