//! `pupila augment`: what the pipeline of a recipe does, as a picture.

use super::recipe::layers;
use super::tell;
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::listen;
use crate::output::Output;
use pupila::dataset::Notice;
use pupila::recipe::Setting;
use pupila::{AugmentationOptions, Image, augmented, encode_png, images, user_cache, write_whole};
use serde_json::json;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Extensions of pictures that are no PNG: a file that is called so and is one misleads.
const OTHER_FORMATS: [&str; 9] = ["jpg", "jpeg", "jpe", "jfif", "gif", "webp", "bmp", "tif", "tiff"];

pub(crate) fn run(arguments: &cli::Augment) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let extension = arguments.out.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    if let Some(other) = extension.filter(|extension| OTHER_FORMATS.contains(&extension.as_str())) {
        return Err(Failure::wrong(format_args!(
            "--out {}: augment writes PNG, which keeps every pixel, and no {}: type --out {}",
            arguments.out.display(),
            other.to_uppercase(),
            arguments.out.with_extension("png").display()
        )));
    }
    let mask_out = arguments.mask.as_ref().filter(|_| arguments.single).map(|_| mask_beside(&arguments.out));
    for out in [Some(&arguments.out), mask_out.as_ref()].into_iter().flatten() {
        // A pipe or a device has nothing that could be lost.
        let is_something = std::fs::metadata(out).is_ok_and(|there| there.is_file() && there.len() > 0);
        if is_something && !is_ours(out) {
            return Err(Failure::wrong(format_args!(
                "{}{} is there already and is no picture of augment, and is not written over: choose another --out, or remove it",
                if *out == arguments.out { "--out " } else { "" },
                out.display()
            )));
        }
    }
    let set = |s: &String| Setting { assignment: s.clone(), option: format!("--set {s}") };
    let seed = arguments
        .seed
        .iter()
        .map(|seed| Setting { assignment: format!("train.seed={seed}"), option: format!("--seed {seed}") });
    let settings = arguments.settings.iter().map(set).chain(seed).collect();
    let recipe =
        layers(arguments.recipe.as_deref(), settings)?.resolve_for_viewing().map_err(Failure::request)?;
    tell::taken(output, &recipe);
    let options = AugmentationOptions {
        single: arguments.single,
        mask: arguments.mask.clone(),
        cache: user_cache(),
        stop: listen(),
    };
    let shown = augmented(&arguments.what, &recipe, &options)?;
    tell::skipped(output, &shown.skipped);
    if !shown.filled.is_empty() {
        output.warn(Notice::Filled { images: shown.filled.clone() });
    }
    let write = |picture: &Image, out: &Path| {
        let png = encode_png(picture).map_err(Failure::work)?;
        write_whole(out, &marked(png)).map_err(Failure::writing(out))
    };
    write(&shown.picture, &arguments.out)?;
    if let (Some(mask), Some(out)) = (&shown.mask, &mask_out) {
        write(mask, out)?;
    }
    let (width, height) = (shown.picture.width(), shown.picture.height());
    let names: Vec<_> = recipe.augment.transforms.iter().map(|t| t.name.as_str()).collect();
    let by = if names.is_empty() { "no transforms".to_owned() } else { names.join(", ") };
    output.say(format_args!(
        "{} ({width} x {height} pixels): {} by {by}",
        arguments.out.display(),
        images(shown.images)
    ));
    if let Some(out) = &mask_out {
        output.say(format_args!("{}: the mask, moved with it", out.display()));
    }
    for alone in shown.alone.iter().filter(|alone| alone.is_next_to_nothing()) {
        output.say(format_args!(
            "{} changes next to nothing: a value by {:.2} of 255 on average, even where it is applied; `pupila list transforms` shows \
             the parameters that could be larger",
            alone.name,
            alone.mean_difference.unwrap_or(0.0)
        ));
    }
    let alone: Vec<_> = shown
        .alone
        .iter()
        .map(|of| json!({ "place": of.place, "name": of.name, "mean_difference": of.mean_difference }))
        .collect();
    output.object(&json!({
        "out": arguments.out.to_string_lossy(), "mask": mask_out.map(|out| out.to_string_lossy().into_owned()), "width": width, "height": height, "images": shown.images,
        "seed": recipe.train.seed, "transforms": recipe.pipeline().resolved(),
        "alone": alone, "skipped_images": pupila::train::skipped_images(&shown.skipped),
    }));
    Ok(())
}

/// Where the mask of a single image is written: `aug.png` has `aug_mask.png`.
fn mask_beside(out: &Path) -> PathBuf {
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!("{stem}_mask.png"))
}

/// What stands in a picture that this command made, so that it may be written over: the text `Software` of a PNG.
const MARK: &[u8] = b"Software\0pupila augment";
/// The last chunk of a PNG, which is always the same.
const END: usize = 12;

/// A PNG file with the mark before its end.
fn marked(mut png: Vec<u8>) -> Vec<u8> {
    let content = [b"tEXt", MARK].concat();
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&content);
    let chunk =
        [&(MARK.len() as u32).to_be_bytes()[..], &content, &checksum.finalize().to_be_bytes()].concat();
    let end = png.len().saturating_sub(END);
    png.splice(end..end, chunk);
    png
}

/// Whether a file is such a picture.
fn is_ours(path: &Path) -> bool {
    let read = || -> std::io::Result<bool> {
        let mut file = std::fs::File::open(path)?;
        let mut last = Vec::new();
        let from = file.metadata()?.len().saturating_sub((END + MARK.len() + 4) as u64);
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut last)?;
        Ok(last.starts_with(MARK))
    };
    read().unwrap_or(false)
}
