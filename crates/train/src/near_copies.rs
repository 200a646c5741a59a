//! Judged images that are nearly the same as ones that were trained on, by the pixels in memory.

use super::data::Images;
use pupila_dataset::Split;
use pupila_image::{Image, Interpolation, resize};
use pupila_inspect::{SIDE, near};
use pupila_transforms::Shape;
use rayon::prelude::*;
use std::borrow::Cow;

/// Inputs of fewer pixels a side tell too little of what they show.
const SMALLEST: usize = 24;

/// Among more images it takes longer than a start should: all pairs are compared.
pub const MOST_COMPARED: usize = 20_000;

impl Images {
    /// For each of some images, by their places, the path of a training image that is nearly the same (rescaled, recompressed, mirrored,
    /// turned, cropped a little, brightened) and no exact copy, if there is one: see [`near::find`]. They are compared by the pixels that the
    /// network gets, so what is told is a little less than `pupila inspect` finds. `None` where nothing was compared: the inputs have
    /// fewer than 24 pixels a side, part of them is hidden (`input.show`), or there are more than [`MOST_COMPARED`] images.
    pub fn near_copies_in_training(&self, positions: &[u32]) -> Option<Vec<Option<String>>> {
        let shape = self.shape();
        if shape.height.min(shape.width) < SMALLEST || self.len() > MOST_COMPARED || !self.whole {
            return None;
        }
        let pairs = self.near_pairs(|| self.compared());
        let sample = |place: usize| &self.dataset.samples[self.kept[place]];
        let mut copy = vec![None; self.len()];
        for near in pairs {
            for (judged, trained) in [(near.a, near.b), (near.b, near.a)] {
                let is_one = sample(trained).split == Split::Train && sample(judged).split != Split::Train;
                if is_one && sample(judged).content != sample(trained).content && copy[judged].is_none() {
                    copy[judged] = Some(sample(trained).path.to_string_lossy().into_owned());
                }
            }
        }
        Some(positions.iter().map(|&position| copy[position as usize].take()).collect())
    }

    /// The same for other images that are `judged`, such as a test set of which nothing is held: for each of them in memory. What is in memory here and
    /// is not trained on is not compared.
    pub fn near_copies_of(&self, judged: &Images) -> Option<Vec<Option<String>>> {
        let training = self.positions(Split::Train);
        let [ours, theirs] = [self, judged].map(Images::shape);
        let is_small = |shape: Shape| shape.height.min(shape.width) < SMALLEST;
        if is_small(ours) || is_small(theirs) || training.len() + judged.len() > MOST_COMPARED {
            return None;
        }
        if !self.whole || !judged.whole {
            return None;
        }
        let mut thumbnails = self.thumbnails(&training);
        let first = training.len();
        let all: Vec<u32> = (0..judged.len() as u32).collect();
        thumbnails.extend(judged.thumbnails(&all));
        let trained = |place: usize| &self.dataset.samples[self.kept[training[place] as usize]];
        let of_judged = |place: usize| &judged.dataset.samples[judged.kept[place - first]];
        let mut copy = vec![None; judged.len()];
        for near in thumbnails.near() {
            let (low, high) = (near.a.min(near.b), near.a.max(near.b));
            if low < first && high >= first && trained(low).content != of_judged(high).content {
                copy[high - first].get_or_insert_with(|| trained(low).path.to_string_lossy().into_owned());
            }
        }
        Some(copy)
    }

    /// The pairs of all images in memory.
    fn compared(&self) -> Vec<near::Near> {
        let all: Vec<u32> = (0..self.len() as u32).collect();
        self.thumbnails(&all).near()
    }

    /// What is compared of some images, by their places.
    fn thumbnails(&self, positions: &[u32]) -> Thumbnails {
        let shape = self.shape();
        let mut gray = vec![0u8; positions.len() * SIDE * SIDE];
        gray.par_chunks_exact_mut(SIDE * SIDE).zip(positions).for_each(|(gray, &position)| {
            let (width, height) = (shape.width as u32, shape.height as u32);
            let pixels = self.pixels(position).map_or(Vec::new(), Cow::into_owned);
            let image = Image::new(width, height, shape.channels as u8, pixels);
            let squeezed = image.and_then(|image| {
                let side = SIDE as u32;
                resize(&image, side, side, Interpolation::Area).to_channels(1)
            });
            // An image that cannot be had any more is like no other.
            if let Ok(squeezed) = squeezed {
                gray.copy_from_slice(squeezed.data());
            }
        });
        let input = shape.width.min(shape.height) as f64;
        let size = |&position: &u32| {
            let sample = &self.dataset.samples[self.kept[position as usize]];
            // There are no more details than the input has.
            let scale = (input / f64::from(sample.width.min(sample.height).max(1))).min(1.0);
            let scaled = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
            (scaled(sample.width), scaled(sample.height))
        };
        Thumbnails { gray, sizes: positions.iter().map(size).collect() }
    }
}

/// What is compared of images.
struct Thumbnails {
    /// In gray, `[N, SIDE, SIDE]`.
    gray: Vec<u8>,
    /// Width and height of each.
    sizes: Vec<(u32, u32)>,
}

impl Thumbnails {
    fn extend(&mut self, others: Thumbnails) {
        self.gray.extend(others.gray);
        self.sizes.extend(others.sizes);
    }

    /// The pairs, by their places, that are nearly the same.
    fn near(&self) -> Vec<near::Near> {
        let gray: Vec<&[u8]> = self.gray.chunks_exact(SIDE * SIDE).collect();
        near::find(&gray, &self.sizes, None, &|| false).map(|found| found.pairs).unwrap_or_default()
    }
}
