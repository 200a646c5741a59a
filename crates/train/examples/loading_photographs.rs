//! How many photographs a second become training batches at 224 px: `random_resized_crop`, `horizontal_flip` and normalisation, of a
//! folder with class folders: `cargo run --release -p pupila-train --example loading_photographs -- DATA HOLD THREADS [KEEP [CACHE]]`.
//!
//! HOLD is `memory`, `cache` or `files` (each image decoded anew), KEEP are pixels of the shorter side, or `whole`, CACHE is a folder.
//! Prints a line of JSON.

use pupila_dataset::{Cache, ScanOptions, Split, scan};
use pupila_loader::Order;
use pupila_train::{HoldName, Images, Layers, Setting};
use pupila_transforms::Normalization;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

const EPOCHS: u32 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: loading_photographs DATA HOLD THREADS [KEEP [CACHE]]";
    let data = PathBuf::from(arguments.next().ok_or(usage)?);
    let hold: HoldName = serde_json::from_value(arguments.next().ok_or(usage)?.into())?;
    let threads: usize = arguments.next().ok_or(usage)?.parse()?;
    let keep = arguments.next().unwrap_or_else(|| "whole".to_owned());
    let cache = arguments.next().map(|folder| Cache::open(folder, 1 << 40));
    let sets = [
        "input.size=224".to_owned(),
        "input.fit=crop".to_owned(),
        format!("input.keep={keep}"),
        "augment.transforms=[{ random_resized_crop = {} }, { horizontal_flip = {} }]".to_owned(),
    ];
    let settings = sets.map(|assignment| Setting { option: format!("--set {assignment}"), assignment });
    let recipe = Layers { file: None, settings: settings.into(), learnt: None }.resolve()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let rates = pool.install(|| -> Result<Vec<f64>, String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let mut dataset =
            scan(&data, &ScanOptions::default(), cache.as_ref()).map_err(|error| told(&error))?;
        dataset.samples.iter_mut().for_each(|sample| sample.split = Split::Train);
        let which = dataset.indices(Split::Train);
        let (rule, policy, hold) = (recipe.input.rule(), recipe.data.on_bad_image, hold.resolved(0, None));
        let images = Images::decode(dataset, &which, &rule, cache.as_ref(), policy, hold, &|_| {}, &|| false)
            .map_err(|error| told(&error))?;
        let labels = images.training_labels(recipe.data.labels, 0);
        let (positions, pipeline) = (images.positions(Split::Train), Arc::clone(recipe.pipeline()));
        let loader = images
            .training_loader(positions, labels, pipeline, Normalization::imagenet(3), Order::Shuffled, 32, 0)
            .map_err(|error| told(&error))?;
        let mut rates = Vec::new();
        for number in 1..=EPOCHS {
            let start = Instant::now();
            let mut epoch = loader.epoch(number).map_err(|error| told(&error))?;
            while let Some(batch) = epoch.next() {
                epoch.recycle(batch.map_err(|error| told(&error))?);
            }
            rates.push(loader.samples() as f64 / start.elapsed().as_secs_f64());
        }
        Ok(rates)
    })?;
    let mut sorted = rates.clone();
    sorted.sort_by(f64::total_cmp);
    println!("{}", serde_json::json!({ "images_per_s": sorted[sorted.len() / 2], "epochs": rates }));
    Ok(())
}
