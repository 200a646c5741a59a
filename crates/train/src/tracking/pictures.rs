//! Pictures of a run: what the network is shown, what it makes of it, and its first filters.

use pupila_backend::{Backend, Method};
use pupila_image::Image;
use pupila_loader::{Batch, Loader};
use pupila_metrics::Predictions;
use pupila_network::{Op, Shape};
use pupila_pictures::{Tile, confusion_matrix, filters, grid};
use pupila_transforms::Normalization;

/// Images in a picture, at most.
const TILES: usize = 24;
/// Images in a row.
const COLUMNS: usize = 8;
const GREEN: [u8; 3] = [0, 110, 40];
const RED: [u8; 3] = [180, 20, 20];
const BLACK: [u8; 3] = [20; 3];

/// The first images of a batch as the network sees them, augmented, with their classes.
pub(super) fn training_batch(
    batch: &Batch,
    normalization: &Normalization,
    classes: &[String],
) -> Option<Image> {
    let images = batch.images.chunks_exact(batch.shape.values().max(1)).enumerate().take(TILES);
    let tile = |(i, values): (usize, &[f32])| {
        let image = as_image(denormalized(values, normalization), batch.shape)?;
        Some(Tile { image, caption: caption(batch, i, classes), color: BLACK })
    };
    grid(&images.map(tile).collect::<Option<Vec<_>>>()?, COLUMNS)
}

/// The class of an image; of a mixed one both, with their shares.
fn caption(batch: &Batch, i: usize, classes: &[String]) -> Vec<String> {
    let name = |id: u32| class(classes, id).to_owned();
    match (batch.partners.get(i), batch.shares.get(i)) {
        (Some(&partner), Some(&share)) if share < 1.0 && partner != batch.targets[i] => vec![
            format!("{:.0}% {}", 100.0 * share, name(batch.targets[i])),
            format!("{:.0}% {}", 100.0 * (1.0 - share), name(partner)),
        ],
        _ => vec![name(batch.targets[i])],
    }
}

/// Images of the validation set that were classified right, or wrong: of the right ones evenly many from everywhere, of the
/// wrong ones those that were most sure.
pub(super) fn judged(
    val: &Loader,
    predictions: &Predictions,
    classes: &[String],
    right: bool,
) -> Option<Image> {
    let predicted: Vec<u32> = predictions.predicted().collect();
    let mut chosen: Vec<usize> =
        (0..predicted.len()).filter(|&i| (predicted[i] == predictions.targets()[i]) == right).collect();
    if right {
        let stride = chosen.len().div_ceil(TILES).max(1);
        chosen = chosen.into_iter().step_by(stride).collect();
    } else {
        let losses = predictions.losses();
        chosen.sort_by(|&a, &b| losses[b].total_cmp(&losses[a]));
        chosen.truncate(TILES);
    }
    let order = val.order(0);
    let rows: Vec<&[f32]> = predictions.rows().collect();
    let tile = |&i: &usize| {
        let (pixels, shape) = val.pixels(order[i])?;
        let (target, predicted) = (predictions.targets()[i], predicted[i]);
        let share = 100.0 * rows[i][predicted as usize];
        let said = format!("{share:.0}% {}", class(classes, predicted));
        let caption = if right { vec![said] } else { vec![said, format!("is {}", class(classes, target))] };
        Some(Tile {
            image: as_image(pixels.into_owned(), shape)?,
            caption,
            color: if right { GREEN } else { RED },
        })
    };
    grid(&chosen.iter().map(tile).collect::<Option<Vec<_>>>()?, COLUMNS)
}

/// Where the network looks for what it answers: the surest mistakes and some right answers of the validation set, with the map of the
/// predicted class over each in red; and the tag of such a picture. The engine must be one for training.
pub(super) fn explained(
    engine: &mut dyn Backend,
    val: &Loader,
    predictions: &Predictions,
    normalization: &Normalization,
    classes: &[String],
) -> Option<(&'static str, Image)> {
    let predicted: Vec<u32> = predictions.predicted().collect();
    let is_right = |&i: &usize| predicted[i] == predictions.targets()[i];
    let (right, mut wrong): (Vec<usize>, Vec<usize>) = (0..predicted.len()).partition(is_right);
    let losses = predictions.losses();
    wrong.sort_by(|&a, &b| losses[b].total_cmp(&losses[a]));
    wrong.truncate(COLUMNS);
    let stride = right.len().div_ceil(COLUMNS).max(1);
    let chosen: Vec<usize> = wrong.into_iter().chain(right.into_iter().step_by(stride)).collect();
    let asked: Vec<u32> = chosen.iter().map(|&i| predicted[i]).collect();
    let explanation = crate::insight::explain_samples(engine, val, normalization, &chosen, &asked)?;
    let order = val.order(0);
    let maps = explanation.maps.chunks_exact(explanation.height * explanation.width);
    let tile = |(&i, map): (&usize, &[f32])| {
        let (pixels, shape) = val.pixels(order[i])?;
        let said = format!("says {}", class(classes, predicted[i]));
        let caption = vec![said, format!("is {}", class(classes, predictions.targets()[i]))];
        let color = if is_right(&i) { GREEN } else { RED };
        let image = overlaid(&pixels, shape, map, (explanation.height, explanation.width))?;
        Some(Tile { image, caption, color })
    };
    let tag = match explanation.method {
        Method::GradCam { .. } => "grad_cam",
        Method::InputGradient => "input_gradient",
    };
    Some((tag, grid(&chosen.iter().zip(maps).map(tile).collect::<Option<Vec<_>>>()?, COLUMNS)?))
}

/// An image in color with a map over it, stretched bilinearly to the image's size: the larger a positive value, the redder.
fn overlaid(
    pixels: &[u8],
    shape: pupila_transforms::Shape,
    map: &[f32],
    (height, width): (usize, usize),
) -> Option<Image> {
    let largest = map.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let mut out = Vec::with_capacity(shape.height * shape.width * 3);
    for (index, pixel) in pixels.chunks_exact(shape.channels.max(1)).enumerate() {
        let (above, below, down) = between(index / shape.width, shape.height, height);
        let (left, right, aside) = between(index % shape.width, shape.width, width);
        let across = |y: usize| map[y * width + left] * (1.0 - aside) + map[y * width + right] * aside;
        let value = across(above) * (1.0 - down) + across(below) * down;
        let heat = 0.7 * (value / largest).max(0.0);
        for (channel, red) in [255.0, 0.0, 0.0].into_iter().enumerate() {
            let value = f32::from(pixel[channel.min(pixel.len() - 1)]);
            out.push((value + heat * (red - value)).round() as u8);
        }
    }
    Image::new(shape.width as u32, shape.height as u32, 3, out).ok()
}

/// The two of `cells` that a pixel of a side lies between, and how near it is to the second.
fn between(pixel: usize, pixels: usize, cells: usize) -> (usize, usize, f32) {
    let place = (pixel as f32 + 0.5) * cells as f32 / pixels as f32 - 0.5;
    let place = place.clamp(0.0, (cells - 1) as f32);
    let first = place as usize;
    (first, (first + 1).min(cells - 1), place - first as f32)
}

/// The confusion matrix.
pub(crate) fn matrix(predictions: &Predictions, classes: &[String]) -> Option<Image> {
    let rows: Vec<Vec<u64>> = predictions.confusion().rows().map(<[u64]>::to_vec).collect();
    confusion_matrix(&rows, classes)
}

/// The first filters of the first layer that has weights, and the name of these; none where it sees no image.
pub(crate) fn first_filters(engine: &dyn Backend) -> Option<(String, Image)> {
    let network = engine.network();
    let node =
        network.nodes().iter().find(|node| matches!(node.op, Op::Conv2d { .. } | Op::Linear { .. }))?;
    let (channels, height, width) = match (&node.op, network.input()) {
        (Op::Conv2d(convolution), _) => {
            let side = convolution.window.kernel;
            (convolution.group_inputs(), side, side)
        }
        (Op::Linear { inputs, .. }, Shape::Map { height, width, channels })
            if *inputs == channels * height * width =>
        {
            (channels, height, width)
        }
        _ => return None,
    };
    let name = format!("{}.weight", node.name);
    let weight = engine.leading_rows(&name, 4 * COLUMNS)?;
    Some((name, filters(&weight.data, channels, height, width)?))
}

fn class(classes: &[String], id: u32) -> &str {
    classes.get(id as usize).map_or("", String::as_str)
}

fn as_image(pixels: Vec<u8>, shape: pupila_transforms::Shape) -> Option<Image> {
    Image::new(shape.width as u32, shape.height as u32, shape.channels as u8, pixels).ok()
}

/// Normalised values back to bytes. Of an image that was normalised by itself nobody knows any more what it was: it is shown
/// from its lowest value to its highest. `values: [H, W, C]`
fn denormalized(values: &[f32], normalization: &Normalization) -> Vec<u8> {
    if normalization.per_image().is_some() {
        let (least, most) = values.iter().fold((f32::MAX, f32::MIN), |(a, b), &x| (a.min(x), b.max(x)));
        let scale = 255.0 / (most - least).max(1e-6);
        return values.iter().map(|value| ((value - least) * scale).round() as u8).collect();
    }
    let (mean, std, white) = (normalization.mean(), normalization.std(), normalization.max_pixel_value());
    let byte = |(i, &value): (usize, &f32)| {
        let channel = i % mean.len();
        ((value * std[channel] + mean[channel]) * white).round().clamp(0.0, 255.0) as u8
    };
    values.iter().enumerate().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_reddens_where_it_is_large_and_nowhere_else() {
        let shape = pupila_transforms::Shape { height: 2, width: 4, channels: 1 };
        let image = overlaid(&[100; 8], shape, &[-1.0, 2.0], (1, 2)).unwrap();
        let pixels: Vec<&[u8]> = image.data().chunks_exact(3).collect();
        for row in pixels.chunks_exact(4) {
            assert_eq!(row[..2], [[100, 100, 100]; 2]);
            // 0.7 of the way to red, and between the two 0.7 of 1.25 / 2.
            assert_eq!(row[2..], [[168, 56, 56], [209, 30, 30]]);
        }
    }

    #[test]
    fn normalising_and_back_gives_the_same_bytes() {
        for channels in [1, 3] {
            let normalization = Normalization::imagenet(channels);
            let pixels: Vec<u8> = (0..=255).cycle().take(768).collect();
            let mut values = vec![0.0; pixels.len()];
            normalization.apply(&pixels, &mut values);
            assert_eq!(denormalized(&values, &normalization), pixels);
        }
    }
}
