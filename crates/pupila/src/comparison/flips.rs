//! Images that one run has right and another wrong, with their pictures where they still are.

use super::ComparisonOptions;
use crate::session::decode_images;
use crate::trained::scan_again;
use pupila_dataset::{Hold, OnBadImage, ResizeRule, is_file, scan_images};
use pupila_image::Reading;
use pupila_metrics::{Predictions, argmax};
use pupila_report::Flip;
use pupila_run::{RunFiles, RunFolder};
use pupila_train::{Layers, sample_image};
use pupila_transforms::Normalization;
use std::path::{Path, PathBuf};

/// Images of each direction, at most.
const SHOWN: usize = 18;
/// Side of the pictures, in px.
const SIDE: u32 = 96;

/// The images on which the two differ most, of each direction. `other` is in the order of the first run's predictions.
pub(super) fn choose(first: &RunFiles, other: &Predictions) -> Vec<Flip> {
    let rows = first.predictions.rows().zip(other.rows()).zip(first.predictions.targets());
    let mut found: Vec<(f32, bool, Flip)> = Vec::new();
    for (path, ((a, b), &target)) in first.paths.iter().zip(rows) {
        let (class_a, class_b) = (argmax(a), argmax(b));
        let gained = class_b == target;
        if (class_a == target) == gained {
            continue;
        }
        let answer =
            |row: &[f32], class: u32| (first.classes[class as usize].clone(), f64::from(row[class as usize]));
        let flip = Flip {
            path: path.clone(),
            label: first.classes[target as usize].clone(),
            answers: [answer(a, class_a), answer(b, class_b)],
            gained,
            image: None,
        };
        found.push(((a[target as usize] - b[target as usize]).abs(), gained, flip));
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let of = |gained: bool| {
        found.iter().enumerate().filter(move |(_, f)| f.1 == gained).map(|(i, _)| i).take(SHOWN)
    };
    let mut keep: Vec<usize> = of(true).chain(of(false)).collect();
    keep.sort_unstable();
    let mut place = 0..;
    found.retain(|_| place.next().is_some_and(|i: usize| keep.binary_search(&i).is_ok()));
    found.into_iter().map(|(_, _, flip)| flip).collect()
}

/// Adds the pictures that can be read. Why there are none, if so.
pub(super) fn add_pictures(
    flips: &mut [Flip],
    run: &RunFiles,
    options: &ComparisonOptions,
) -> Option<String> {
    if flips.is_empty() {
        return None;
    }
    let root = Some(PathBuf::from(&run.environment.data.path)).filter(|root| !root.as_os_str().is_empty());
    let files: Vec<Option<PathBuf>> = flips.iter().map(|flip| locate(root.as_deref(), &flip.path)).collect();
    let dataset = if files.iter().any(Option::is_some) {
        let there: Vec<PathBuf> = files.iter().flatten().cloned().collect();
        scan_images(&there, OnBadImage::Skip, None).ok()
    } else {
        // Images of one file, such as MNIST's, are found by scanning the data as training did.
        root.as_deref().and_then(|root| {
            scan_again(&run.folder, root, options.cache.as_ref()).ok().map(|(dataset, _)| dataset)
        })
    };
    let gone = || {
        let place = root.as_ref().map_or("an unknown place".into(), |root| root.display().to_string());
        Some(format!("There are no pictures: the images are no longer at {place}."))
    };
    let Some(dataset) = dataset else { return gone() };
    let mut which = Vec::new();
    let mut of = Vec::new();
    for (place, (flip, file)) in flips.iter().zip(&files).enumerate() {
        let path = file.as_deref().unwrap_or(Path::new(&flip.path));
        let shown = path.to_string_lossy();
        if let Some(sample) = dataset.samples.iter().position(|sample| sample.path.to_string_lossy() == shown)
        {
            which.push(sample);
            of.push((sample, place));
        }
    }
    if which.is_empty() {
        return gone();
    }
    which.sort_unstable();
    which.dedup();
    let channels = if dataset.samples.iter().all(|sample| sample.channels == 1) { 1 } else { 3 };
    let largest = which.iter().map(|&i| dataset.samples[i].width.max(dataset.samples[i].height)).max();
    let side = largest.unwrap_or(SIDE).min(SIDE);
    let rule = ResizeRule { reading: reading_of(&run.folder), ..ResizeRule::squash(side, side, channels) };
    let decoded =
        decode_images(dataset, &which, &rule, None, OnBadImage::Skip, Hold::Memory, None, &options.stop);
    let Ok(images) = decoded else { return gone() };
    let all = (0..images.len() as u32).collect();
    let Ok(loader) = images.evaluation_loader(all, Normalization::imagenet(usize::from(channels)), 1) else {
        return gone();
    };
    for (sample, place) in of {
        let kept = images.kept.iter().position(|&kept| kept == sample);
        flips[place].image = kept.and_then(|kept| sample_image(&loader, kept));
    }
    None
}

/// How the run read pictures of more than 8 bits and transparent ones.
fn reading_of(folder: &RunFolder) -> Reading {
    let Ok(Some(text)) = folder.recipe() else { return Reading::default() };
    let file = Some((folder.file(RunFolder::RECIPE), text));
    Layers { file, settings: Vec::new(), learnt: None }.resolve_what_is_known().0.input.rule().reading
}

/// The file of a path that a run has written: as it is, or below the data's folder, since runs may have been made elsewhere.
fn locate(root: Option<&Path>, path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    if is_file(path) {
        return Some(path.to_owned());
    }
    let parts: Vec<_> = path.iter().collect();
    let below =
        |from: usize| root.map(|root| parts[from..].iter().fold(root.to_owned(), |at, part| at.join(part)));
    (0..parts.len()).filter_map(below).find(|candidate| is_file(candidate))
}
