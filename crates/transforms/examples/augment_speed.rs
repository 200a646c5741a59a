//! How long the augmentation of the course takes for one image of 64 x 64 RGB, on one thread:
//! `cargo run --release -p pupila-transforms --example augment_speed`.

use pupila_transforms::{Frame, FrameMemory, Normalization, Pipeline, SampleKey, Shape, TransformConfig};
use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

const IMAGES: u32 = 1000;
const ROUNDS: u32 = 50;

fn main() -> Result<(), Box<dyn Error>> {
    measure("normalise", "[]")?;
    measure("flip always", r#"[{"horizontal_flip": {"p": 1.0}}]"#)?;
    measure("brightness and contrast always", r#"[{"random_brightness_contrast": {"p": 1.0}}]"#)?;
    measure(
        "flip half, brightness and contrast a fifth",
        r#"[{"horizontal_flip": {"p": 0.5}}, {"random_brightness_contrast": {"p": 0.2}}]"#,
    )?;
    Ok(())
}

fn measure(name: &str, configs: &str) -> Result<(), Box<dyn Error>> {
    let configs: Vec<TransformConfig> = serde_json::from_str(configs)?;
    let pipeline = Pipeline::from_config(&configs)?;
    let shape = Shape { height: 64, width: 64, channels: 3 };
    let block: Vec<u8> = (0..shape.values() * IMAGES as usize).map(|i| (i * 7 + i / 91) as u8).collect();
    let normalization = Normalization::imagenet(3);
    let mut out = vec![0.0; shape.values() * 32];
    let mut memory = FrameMemory::default();
    let mut best = f64::INFINITY;
    for epoch in 0..ROUNDS {
        let start = Instant::now();
        for (sample, pixels) in (0..IMAGES).zip(block.chunks_exact(shape.values())) {
            let place = sample as usize % 32 * shape.values();
            let mut frame = Frame::new(shape, pixels, &mut memory)?;
            pipeline.apply(&mut frame, SampleKey { seed: 0, epoch, sample });
            frame.normalize_into(&normalization, &mut out[place..place + shape.values()])?;
        }
        black_box(&out);
        best = best.min(start.elapsed().as_secs_f64() / f64::from(IMAGES));
    }
    println!("{name:45} {:6.0} ns an image, {:7.0} images/s", best * 1e9, 1.0 / best);
    Ok(())
}
