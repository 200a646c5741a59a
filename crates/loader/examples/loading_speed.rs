//! How fast batches of 64 x 64 RGB come with the augmentation of the course, and how long a consumer that
//! computes 5 ms a batch waits for them: `cargo run --release -p pupila-loader --example loading_speed`.

use pupila_loader::{Loader, Order, Source};
use pupila_transforms::{Normalization, Pipeline, Shape, TransformConfig};
use std::error::Error;
use std::time::{Duration, Instant};

const IMAGES: usize = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let shape = Shape { height: 64, width: 64, channels: 3 };
    let pixels = (0..IMAGES * shape.values()).map(|i| (i * 37 + i / 11) as u8).collect();
    let source = Source::from_vec(pixels, vec![0; IMAGES], shape)?;
    let configs: Vec<TransformConfig> =
        serde_json::from_str(r#"[{"horizontal_flip": {}}, {"random_brightness_contrast": {"p": 0.2}}]"#)?;
    let pipeline = Pipeline::from_config(&configs)?;
    let loader = Loader::new(source, pipeline, Normalization::imagenet(3), Order::Shuffled, 32, 0)?;
    for (round, busy) in [(0, Duration::ZERO), (1, Duration::ZERO), (2, Duration::from_millis(5))] {
        let start = Instant::now();
        let mut epoch = loader.epoch(round)?;
        while let Some(batch) = epoch.next() {
            let batch = batch?;
            std::thread::sleep(busy);
            epoch.recycle(batch);
        }
        let (took, waited) = (start.elapsed(), epoch.waited());
        println!(
            "{busy:?} of work a batch: {took:.1?} an epoch, {:.0} images/s, waited {waited:.1?}",
            IMAGES as f64 / took.as_secs_f64(),
        );
    }
    Ok(())
}
