//! Facts that tell the class, among what is known once the images are in memory: the cheap part of `pupila inspect`.

use super::data::Images;
use pupila_image::Image;
use pupila_inspect::{Looked, Measurement, Shortcut, measure_pixels, shortcuts};
use pupila_random::{Purpose, Stream};
use rayon::prelude::*;

/// No more images are looked at.
const MOST: usize = 2_000;

impl Images {
    /// The facts that tell the class and that a network can see: size and shape by the files' headers; border, brightness and color by the pixels
    /// that the network gets. Up to 2,000 images are looked at, and no file is read. `pupila inspect` knows more facts, and all images. Empty
    /// where part of the images is hidden (`input.show`).
    pub fn shortcuts(&self) -> Vec<Shortcut> {
        if !self.whole || self.dataset.classes.len() < 2 {
            return Vec::new();
        }
        let mut which: Vec<u32> = (0..self.len() as u32).collect();
        if which.len() > MOST {
            Stream::new(0, Purpose::Subset, 0, 3).shuffle(&mut which);
            which.truncate(MOST);
        }
        let measured: Vec<(usize, Option<Measurement>)> = which
            .par_iter()
            .map(|&position| (self.kept[position as usize], self.measured(position)))
            .collect();
        let mut measurements = vec![None; self.dataset.samples.len()];
        measured.into_iter().for_each(|(sample, measurement)| measurements[sample] = measurement);
        let looked = Looked { measurements, ..Looked::default() };
        let mut found = shortcuts(&self.dataset, &looked);
        found.retain(|shortcut| shortcut.seen);
        found
    }

    /// What is known of an image. What is not is the same for all, and so no fact.
    fn measured(&self, position: u32) -> Option<Measurement> {
        let (shape, sample) = (self.shape(), &self.dataset.samples[self.kept[position as usize]]);
        let pixels = self.pixels(position)?.into_owned();
        let image = Image::new(shape.width as u32, shape.height as u32, shape.channels as u8, pixels).ok()?;
        let measurement = measure_pixels(&image.to_channels(3).ok()?);
        // Copies stay together, whatever the files are called.
        Some(Measurement { size: (sample.width, sample.height), pixels: sample.content, ..measurement })
    }
}
