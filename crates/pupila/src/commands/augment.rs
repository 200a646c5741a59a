//! `pupila augment`: what the pipeline of a recipe does, as a picture.

use super::tell;
use crate::cli;
use crate::contact_sheet::{Cell, contact_sheet};
use crate::failure::Failure;
use crate::interrupt::{interrupted, listen};
use crate::output::{Output, images};
use anyhow::Context;
use pupila_dataset::{Loaded, OnBadImage, ResizeRule, Split, load};
use pupila_engine::thread_pool;
use pupila_image::{Image, Limits, decode, encode_png};
use pupila_random::{Purpose, Stream};
use pupila_train::{Layers, Recipe, Setting, scan_for, write_whole};
use pupila_transforms::{Pipeline, SampleKey};
use serde_json::json;
use std::path::Path;

/// Draws of one image beside the original.
const DRAWS: u32 = 11;
/// Images of a batch that are shown.
const BATCH: usize = 16;
/// Pictures in a row.
const COLUMNS: usize = 4;
/// The square that each picture stands in, in pixels.
const SIDE: usize = 224;

pub(crate) fn run(arguments: &cli::Augment) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let recipe = resolve(arguments)?;
    let pipeline = Pipeline::from_config(&recipe.augment.transforms).map_err(Failure::request)?;
    let (picture, shown) = if is_data(&arguments.what) {
        if arguments.single {
            return Err(Failure::wrong(
                "--single writes one transformed image, so it takes an image, not data",
            ));
        }
        batch(&arguments.what, &recipe, &pipeline)?
    } else {
        one_image(arguments, &recipe, &pipeline)?
    };
    let png = encode_png(&picture).map_err(Failure::work)?;
    write_whole(&arguments.out, &png)
        .with_context(|| format!("cannot write {}", arguments.out.display()))
        .map_err(Failure::Work)?;
    let (width, height) = (picture.width(), picture.height());
    let names: Vec<_> = recipe.augment.transforms.iter().map(|t| t.name.as_str()).collect();
    let by = if names.is_empty() { "no transforms".to_owned() } else { names.join(", ") };
    output.say(format_args!(
        "{} ({width} x {height} pixels): {} by {by}",
        arguments.out.display(),
        images(shown)
    ));
    output.object(&json!({
        "out": arguments.out.to_string_lossy(), "width": width, "height": height, "images": shown,
        "seed": recipe.train.seed, "transforms": pipeline.resolved(),
    }));
    Ok(())
}

fn resolve(arguments: &cli::Augment) -> Result<Recipe, Failure> {
    let file = match &arguments.recipe {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the recipe {}", path.display()))
                .map_err(Failure::Request)?;
            Some((path.clone(), text))
        }
        None => None,
    };
    let set = |s: &String| Setting { assignment: s.clone(), option: format!("--set {s}") };
    let seed = arguments
        .seed
        .iter()
        .map(|seed| Setting { assignment: format!("train.seed={seed}"), option: format!("--seed {seed}") });
    let settings = arguments.settings.iter().map(set).chain(seed).collect();
    Ok(Layers { file, settings }.resolve_for_viewing().map_err(Failure::request)?.recipe)
}

fn is_data(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    path.is_dir() || extension.as_deref() == Some("csv")
}

/// The image in its own size with draws of it, or one draw alone.
fn one_image(
    arguments: &cli::Augment,
    recipe: &Recipe,
    pipeline: &Pipeline,
) -> Result<(Image, usize), Failure> {
    let path = &arguments.what;
    let bytes = std::fs::read(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .map_err(Failure::Request)?;
    let image = decode(&bytes, recipe.input.channels, &Limits::default())
        .with_context(|| format!("{} is no image that can be read", path.display()))
        .map_err(Failure::Request)?;
    // Sample 0 of as many epochs as there are draws: so a seed shows the same pictures in the grid and alone.
    let draw = |epoch| {
        let key = SampleKey { seed: recipe.train.seed, epoch, sample: 0 };
        pipeline.apply_to_image(&image, key).map_err(Failure::work)
    };
    if arguments.single {
        return Ok((draw(1)?, 1));
    }
    let mut cells = vec![Cell { image: image.clone(), caption: "original".into() }];
    for epoch in 1..=DRAWS {
        cells.push(Cell { image: draw(epoch)?, caption: String::new() });
    }
    let shown = cells.len();
    Ok((contact_sheet(cells, COLUMNS, SIDE).map_err(Failure::work)?, shown))
}

/// Training images as the network gets them in the first epoch, with their classes.
fn batch(path: &Path, recipe: &Recipe, pipeline: &Pipeline) -> Result<(Image, usize), Failure> {
    listen();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let pool = thread_pool(threads).context("cannot start the threads").map_err(Failure::Work)?;
    pool.install(|| {
        let cache = if recipe.data.cache { super::model::cache() } else { None };
        let (dataset, _) = scan_for(recipe, path, cache.as_ref())?;
        let train = dataset.indices(Split::Train);
        let mut positions: Vec<usize> = (0..train.len()).collect();
        Stream::new(recipe.train.seed, Purpose::Shuffle, 1, 0).shuffle(&mut positions);
        positions.truncate(BATCH);
        let (side, channels) = (recipe.input.size, recipe.input.channels);
        let rule =
            ResizeRule { width: side, height: side, channels, interpolation: recipe.input.interpolation };
        let which: Vec<usize> = positions.iter().map(|&position| train[position]).collect();
        let Loaded { pixels, kept, skipped, .. } =
            load(&dataset, &which, &rule, None, OnBadImage::Skip, &|_| {}, &interrupted)
                .map_err(Failure::work)?;
        tell::skipped(Output::new(false), &skipped);
        let mut cells = Vec::new();
        for (i, &sample) in kept.iter().enumerate() {
            let image = Image::new(side, side, channels, pixels.image(i).to_vec()).map_err(Failure::work)?;
            let position = which.iter().position(|&index| index == sample).map_or(0, |at| positions[at]);
            let key = SampleKey { seed: recipe.train.seed, epoch: 1, sample: position as u32 };
            let image = pipeline.apply_to_image(&image, key).map_err(Failure::work)?;
            let class = dataset.samples[sample].label as usize;
            cells.push(Cell { image, caption: dataset.classes.get(class).cloned().unwrap_or_default() });
        }
        if cells.is_empty() {
            return Err(Failure::wrong(format_args!(
                "{} holds no training image that can be read",
                path.display()
            )));
        }
        let shown = cells.len();
        Ok((contact_sheet(cells, COLUMNS, SIDE).map_err(Failure::work)?, shown))
    })
}
