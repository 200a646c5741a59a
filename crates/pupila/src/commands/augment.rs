//! `pupila augment`: what the pipeline of a recipe does, as a picture.

use super::recipe::suits;
use super::tell;
use crate::cli;
use crate::contact_sheet::{Cell, contact_sheet};
use crate::failure::Failure;
use crate::interrupt::{interrupted, listen};
use crate::output::{Output, images};
use anyhow::Context;
use pupila_dataset::{Loaded, OnBadImage, Split, load};
use pupila_engine::thread_pool;
use pupila_image::{Image, Limits, decode, encode_png};
use pupila_loader::{Turn, turns};
use pupila_train::{Layers, Recipe, Setting, scan_for, write_whole};
use pupila_transforms::{Pipeline, SampleKey, Shape};
use serde_json::json;
use std::collections::BTreeSet;
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
        suits(recipe, &dataset.classes)?;
        let train = dataset.indices(Split::Train);
        let label = |position: u32| dataset.samples[train[position as usize]].label;
        let order = recipe.data.sampler.order(&dataset.classes);
        let positions: Vec<u32> = (0..train.len() as u32).collect();
        let epoch = turns(&order.samples(&positions, label, recipe.train.seed, 1), train.len());
        // An image is mixed with the one before it, the first with the last.
        let before = epoch.last().copied().into_iter().chain(epoch.iter().copied());
        let pairs: Vec<(Turn, Turn)> = epoch.iter().copied().zip(before).take(BATCH).collect();
        let rule = recipe.input.rule();
        let turned = pairs.iter().flat_map(|(turn, before)| [turn, before]);
        let needed: BTreeSet<usize> = turned.map(|turn| train[turn.sample as usize]).collect();
        let needed: Vec<usize> = needed.into_iter().collect();
        let Loaded { pixels, kept, skipped, .. } =
            load(&dataset, &needed, &rule, None, OnBadImage::Skip, &|_| {}, &interrupted)
                .map_err(Failure::work)?;
        tell::skipped(Output::new(false), &skipped);
        let key = |turn: Turn| SampleKey { seed: recipe.train.seed, epoch: 1, sample: turn.key };
        let varied = |turn: Turn| -> Result<Option<Image>, Failure> {
            let sample = train[turn.sample as usize];
            let Some(place) = kept.iter().position(|&other| other == sample) else { return Ok(None) };
            let image = Image::new(rule.width, rule.height, rule.channels, pixels.image(place).to_vec());
            let image = image.map_err(Failure::work)?;
            pipeline.apply_to_image(&image, key(turn)).map(Some).map_err(Failure::work)
        };
        let mut cells = Vec::new();
        for (turn, before) in pairs {
            let (Some(image), Some(partner)) = (varied(turn)?, varied(before)?) else { continue };
            let name = |turn: Turn| {
                let class = label(turn.sample) as usize;
                dataset.classes.get(class).map_or("", String::as_str).to_owned()
            };
            let (image, share) = mixed(recipe, image, &partner, key(turn)).map_err(Failure::work)?;
            let caption = match share {
                1.0 => name(turn),
                // There is room for one: the one that it counts as.
                _ if share >= 0.5 => format!("{:.0}% {}", 100.0 * share, name(turn)),
                _ => format!("{:.0}% {}", 100.0 * (1.0 - share), name(before)),
            };
            cells.push(Cell { image, caption });
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

/// An image mixed as the recipe says with the one before it, and the share that it keeps.
fn mixed(
    recipe: &Recipe,
    image: Image,
    partner: &Image,
    key: SampleKey,
) -> Result<(Image, f64), pupila_image::ImageError> {
    let shape = |image: &Image| Shape {
        height: image.height() as usize,
        width: image.width() as usize,
        channels: usize::from(image.channels()),
    };
    // A pipeline that is only looked at may give images of several sizes, which cannot be mixed.
    let Some(mixing) = recipe.mixing().filter(|_| shape(&image) == shape(partner)) else {
        return Ok((image, 1.0));
    };
    let floats = |image: &Image| image.data().iter().map(|&value| f32::from(value)).collect::<Vec<_>>();
    let mut values = floats(&image);
    let share = mixing.mix(shape(&image), key, &mut values, &floats(partner));
    let pixels = values.into_iter().map(|value| value.round() as u8).collect();
    Ok((Image::new(image.width(), image.height(), image.channels(), pixels)?, share))
}
