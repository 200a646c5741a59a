//! Resizing as `cv2.resize` does it, within 1 of 255.
//!
//! Every interpolation of OpenCV is separable: a sample of the result is a weighted sum over a few rows and columns. So
//! an interpolation is only its weights along one axis ([`weights`]), and one routine applies them. It sums rows first,
//! since neighbours in a row are neighbours in memory for any number of channels, then the columns of that one row.

mod weights;

use std::fmt;
use std::str::FromStr;

use crate::Image;
use weights::Weights;

/// How samples between pixels are made; the names are OpenCV's (`INTER_...`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Interpolation {
    /// The nearest pixel above and to the left.
    Nearest,
    /// Between 2x2 pixels. It does not antialias when it shrinks.
    Linear,
    /// Between 4x4 pixels, with a = -0.75. It does not antialias when it shrinks.
    Cubic,
    /// The mean over the area that a pixel comes from: the right one for shrinking photographs. When either side grows
    /// it is, as in OpenCV, linear with the transitions as narrow as possible.
    Area,
    /// Between 8x8 pixels (`INTER_LANCZOS4`). It does not antialias when it shrinks.
    Lanczos,
}

impl Interpolation {
    /// Every interpolation.
    pub const ALL: [Interpolation; 5] = [
        Interpolation::Nearest,
        Interpolation::Linear,
        Interpolation::Cubic,
        Interpolation::Area,
        Interpolation::Lanczos,
    ];

    /// The name that a recipe uses.
    pub fn name(self) -> &'static str {
        match self {
            Interpolation::Nearest => "nearest",
            Interpolation::Linear => "linear",
            Interpolation::Cubic => "cubic",
            Interpolation::Area => "area",
            Interpolation::Lanczos => "lanczos",
        }
    }
}

impl fmt::Display for Interpolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no interpolation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown interpolation \"{0}\": use nearest, linear, cubic, area or lanczos")]
pub struct UnknownInterpolation(String);

impl FromStr for Interpolation {
    type Err = UnknownInterpolation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|i| i.name() == name).ok_or_else(|| UnknownInterpolation(name.to_owned()))
    }
}

/// The image at `width` x `height` pixels; a side of 0 is taken as 1.
pub fn resize(image: &Image, width: u32, height: u32, interpolation: Interpolation) -> Image {
    let (width, height) = (width.max(1), height.max(1));
    if (width, height) == (image.width(), image.height()) {
        return image.clone();
    }
    // Area is the mean only where no side grows.
    let grows = width > image.width() || height > image.height();
    let whole = image.width().is_multiple_of(width) && image.height().is_multiple_of(height);
    let data = if interpolation == Interpolation::Area && whole {
        let (across, down) = (image.width() / width, image.height() / height);
        match image.channels() {
            1 => block_means::<1>(image, across as usize, down as usize),
            _ => block_means::<3>(image, across as usize, down as usize),
        }
    } else {
        let columns = Weights::new(image.width(), width, interpolation, grows);
        let rows = Weights::new(image.height(), height, interpolation, grows);
        match image.channels() {
            1 => apply::<1>(image, &rows, &columns),
            _ => apply::<3>(image, &rows, &columns),
        }
    };
    // `apply` writes one sample for each (row, column, channel).
    Image::new(width, height, image.channels(), data).unwrap_or_else(|_| image.clone())
}

fn apply<const C: usize>(image: &Image, rows: &Weights, columns: &Weights) -> Vec<u8> {
    let row_len = image.width() as usize * C;
    let source = image.data();
    let out_len = columns.len() * C;
    let mut data = vec![0; rows.len() * out_len];
    let mut sums = vec![0f32; row_len];
    for (y, out) in data.chunks_exact_mut(out_len).enumerate() {
        let (first, weights) = rows.at(y);
        let row = |i: usize| &source[(first + i) * row_len..][..row_len];
        sum_rows(&mut sums, weights, row);
        for (x, pixel) in out.chunks_exact_mut(C).enumerate() {
            let (first, weights) = columns.at(x);
            let mut total = [0f32; C];
            for (samples, &weight) in sums[first * C..].chunks_exact(C).zip(weights) {
                for c in 0..C {
                    total[c] += samples[c] * weight;
                }
            }
            for c in 0..C {
                // A cast from float to u8 saturates, which cubic and Lanczos need.
                pixel[c] = (total[c] + 0.5) as u8;
            }
        }
    }
    data
}

/// The mean of each block of `across` x `down` pixels, exactly as OpenCV has it for whole factors: a whole sum times the
/// reciprocal in f32, halves to even; 2x2 alone has a path of its own there, with halves up.
fn block_means<const C: usize>(image: &Image, across: usize, down: usize) -> Vec<u8> {
    let row_len = image.width() as usize * C;
    let width = image.width() as usize / across;
    let scale = (1.0 / (across * down) as f64) as f32;
    let two_by_two = across == 2 && down == 2;
    let mut data = Vec::with_capacity(image.data().len() / (across * down));
    let mut sums = vec![0u32; row_len];
    for block in image.data().chunks_exact(row_len * down) {
        sums.fill(0);
        for row in block.chunks_exact(row_len) {
            sums.iter_mut().zip(row).for_each(|(sum, &sample)| *sum += u32::from(sample));
        }
        for pixels in sums.chunks_exact(across * C).take(width) {
            let mut totals = [0u32; C];
            for pixel in pixels.as_chunks::<C>().0 {
                totals.iter_mut().zip(pixel).for_each(|(total, &sum)| *total += sum);
            }
            if two_by_two {
                data.extend(totals.map(|total| ((total + 2) >> 2) as u8));
            } else {
                data.extend(totals.map(|total| (total as f32 * scale).round_ties_even() as u8));
            }
        }
    }
    data
}

/// `sums[j] = sum over i of weights[i] * row(i)[j]`, four rows at a time, so that the sums are read and written once for
/// four rows.
fn sum_rows<'a>(sums: &mut [f32], weights: &[f32], row: impl Fn(usize) -> &'a [u8]) {
    sums.fill(0.0);
    let mut chunks = weights.chunks_exact(4);
    let mut i = 0;
    for w in &mut chunks {
        let (a, b, c, d) = (row(i), row(i + 1), row(i + 2), row(i + 3));
        for ((((sum, &a), &b), &c), &d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *sum += (f32::from(a) * w[0] + f32::from(b) * w[1]) + (f32::from(c) * w[2] + f32::from(d) * w[3]);
        }
        i += 4;
    }
    for &w in chunks.remainder() {
        for (sum, &a) in sums.iter_mut().zip(row(i)) {
            *sum += f32::from(a) * w;
        }
        i += 1;
    }
}
