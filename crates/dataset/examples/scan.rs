//! Scans and loads a data set twice, and says how long it took:
//! `cargo run --release -p pupila-dataset --example scan -- DATA [SIZE]`
//!
//! The first pass starts with an empty cache (the operating system may still hold the files), the second with a full one.

use std::path::Path;
use std::time::Instant;

use pupila_dataset::{Cache, OnBadImage, ResizeRule, ScanOptions, Split, load, scan};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let data = arguments.next().ok_or("usage: scan DATA [SIZE]")?;
    let size = arguments.next().and_then(|s| s.to_str()?.parse().ok()).unwrap_or(64);
    let folder = tempfile::tempdir()?;
    let rule = ResizeRule::squash(size, size, 3);
    for pass in ["cold", "warm", "warm again"] {
        let cache = Cache::open(folder.path(), Cache::DEFAULT_MAX_BYTES);
        let start = Instant::now();
        let dataset = scan(Path::new(&data), &ScanOptions::default(), Some(&cache))?;
        let scan_ms = start.elapsed().as_secs_f64() * 1e3;
        if pass == "cold" {
            println!(
                "{}, {} classes, {} skipped",
                dataset.form,
                dataset.classes.len(),
                dataset.skipped.len()
            );
            for split in Split::ALL {
                println!("  {split}: {:?}", dataset.class_counts(split));
            }
            println!("  {} groups of copies", dataset.duplicates().len());
            println!("  {} across splits", dataset.cross_split_duplicates().len());
            println!("  {} with different labels", dataset.conflicting_duplicates().len());
            for notice in &dataset.notices {
                println!("  {notice}");
            }
        }
        let all: Vec<usize> = (0..dataset.samples.len()).collect();
        let start = Instant::now();
        let loaded = load(&dataset, &all, &rule, Some(&cache), OnBadImage::Skip, &|_| {}, &|| false)?;
        let load_ms = start.elapsed().as_secs_f64() * 1e3;
        for skipped in &loaded.skipped {
            println!("  {skipped}");
        }
        println!(
            "{pass}: scan {scan_ms:.1} ms, load {load_ms:.1} ms ({} decoded, {} from the cache)",
            loaded.decoded, loaded.from_cache
        );
    }
    Ok(())
}
