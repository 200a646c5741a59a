//! `pupila predict`: classes for images of which nothing is known.

use super::model::{Trained, cache};
use super::{tell, tell_data};
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::listen;
use crate::output::{Output, percent};
use anyhow::Context;
use pupila_dataset::{OnBadImage, scan_images};
use pupila_engine::thread_pool;
use pupila_train::{predictions_csv, write_whole};
use serde_json::{Value, json};

pub(crate) fn run(arguments: &cli::Predict) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    listen();
    let pool =
        thread_pool(arguments.threads.count()).context("cannot start the threads").map_err(Failure::Work)?;
    pool.install(|| predict(arguments, output))
}

fn predict(arguments: &cli::Predict, output: Output) -> Result<(), Failure> {
    let mut model = Trained::open(&arguments.run)?;
    let cache = cache();
    let dataset =
        scan_images(&arguments.images, OnBadImage::Skip, cache.as_ref()).map_err(Failure::request)?;
    let which: Vec<_> = (0..dataset.samples.len()).collect();
    let images = model.decode(dataset, &which, cache.as_ref(), OnBadImage::Skip)?;
    let views = cli::views(arguments.tta);
    let predictions = model.judge(&images, views)?;
    let classes = &model.card.classes;
    let all: Vec<u32> = (0..images.len() as u32).collect();
    let paths = images.paths(&all);
    if let Some(path) = &arguments.csv {
        write_whole(path, predictions_csv(classes, &paths, false, &predictions).as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))
            .map_err(Failure::Work)?;
    }

    let width = paths.iter().map(|path| path.chars().count()).max().unwrap_or(0);
    let name_width = classes.iter().map(|class| class.chars().count()).max().unwrap_or(0);
    let mut objects = Vec::new();
    for (path, row) in paths.iter().zip(predictions.rows()) {
        let mut order: Vec<usize> = (0..classes.len()).collect();
        // Of equal probabilities the first class counts, as everywhere.
        order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
        order.truncate(usize::from(arguments.top));
        let cells =
            order.iter().map(|&k| format!("{:<name_width$} {:>7}", classes[k], percent(f64::from(row[k]))));
        if !arguments.json.json {
            output.say(format_args!("{path:<width$}  {}", cells.collect::<Vec<_>>().join("   ")));
        }
        let top: Vec<Value> =
            order.iter().map(|&k| json!({ "class": classes[k], "probability": row[k] })).collect();
        objects.push(json!({ "path": path, "predicted": classes[order[0]], "top": top }));
    }
    tell_data::views(output, views);
    tell::notices(output, &images.dataset);
    tell::skipped(output, &images.dataset.skipped);
    output.object(&json!({
        "run": arguments.run.to_string_lossy(),
        "tta": views.name(),
        "classes": classes,
        "predictions": objects,
        "skipped_images": tell::skipped_json(&images.dataset.skipped),
    }));
    Ok(())
}
