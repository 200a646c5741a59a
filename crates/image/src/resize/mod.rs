//! Resizing as `cv2.resize` does it, within 1 of 255.
//!
//! Every interpolation of OpenCV is separable: a sample of the result is a weighted sum over a few rows and columns. So
//! an interpolation is only its weights along one axis ([`weights`]), and one routine applies them. It sums rows first,
//! since neighbours in a row are neighbours in memory for any number of channels, then the columns of that one row.

mod antialias;
#[cfg(target_arch = "x86_64")]
mod two_taps;
mod weights;

use std::fmt;
use std::str::FromStr;

use crate::Image;
use pupila_isa::dispatch;
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

/// How a picture is resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Resampling {
    /// How samples between pixels are made.
    pub interpolation: Interpolation,
    /// Whether linear, cubic and Lanczos weigh every pixel that they shrink, as Pillow does, where OpenCV passes over pixels.
    /// [`Interpolation::Area`] and [`Interpolation::Nearest`] are the same either way.
    pub antialias: bool,
}

impl Resampling {
    fn is_pillows(self) -> bool {
        use Interpolation::{Cubic, Lanczos, Linear};
        self.antialias && matches!(self.interpolation, Linear | Cubic | Lanczos)
    }
}

/// The image at `width` x `height` pixels; a side of 0 is taken as 1.
pub fn resize_by(image: &Image, width: u32, height: u32, resampling: Resampling) -> Image {
    let (width, height) = (width.max(1), height.max(1));
    if !resampling.is_pillows() || (width, height) == (image.width(), image.height()) {
        return resize(image, width, height, resampling.interpolation);
    }
    let channels = image.channels();
    let len = image.width() as usize * usize::from(channels);
    let rows = Rows { source: image.data(), stride: len, len };
    let mut data = vec![0; width as usize * height as usize * usize::from(channels)];
    let (from, to) = ([image.height(), image.width()], [height, width]);
    antialias::resize(rows, from, &mut data, to, channels, resampling.interpolation);
    // `data` is as long as the shape says.
    Image::new(width, height, channels, data).unwrap_or_else(|_| image.clone())
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
    let mut data = vec![0; width as usize * height as usize * usize::from(image.channels())];
    let (from, to) = ([image.height(), image.width()], [height, width]);
    resize_samples(image.data(), from, &mut data, to, image.channels(), interpolation);
    // `data` is as long as the shape says.
    Image::new(width, height, image.channels(), data).unwrap_or_else(|_| image.clone())
}

/// [`resize`] of bare samples. `source: [from[0], from[1], C]`, `data: [to[0], to[1], C]`, `C` of 1 or 3.
///
/// # Panics
/// Where a slice is shorter than its shape.
pub fn resize_samples(
    source: &[u8],
    from: [u32; 2],
    data: &mut [u8],
    to: [u32; 2],
    channels: u8,
    interpolation: Interpolation,
) {
    resize_window(source, from[1] as usize, from, data, to, channels, interpolation);
}

/// [`resize_samples`] of a part of an image that is `width` pixels wide: `source` begins with the part's first sample, and its
/// rows are as far apart as the image's.
///
/// # Panics
/// Where a slice is shorter than its shape.
pub fn resize_window(
    source: &[u8],
    width: usize,
    from: [u32; 2],
    data: &mut [u8],
    to: [u32; 2],
    channels: u8,
    interpolation: Interpolation,
) {
    if from.contains(&0) || to.contains(&0) {
        return;
    }
    let row_len = from[1] as usize * usize::from(channels);
    let rows = Rows { source, stride: width * usize::from(channels), len: row_len };
    let whole = from[0].is_multiple_of(to[0]) && from[1].is_multiple_of(to[1]);
    if from == to {
        for (y, out) in data.chunks_exact_mut(row_len).enumerate() {
            out.copy_from_slice(rows.at(y));
        }
    } else if interpolation == Interpolation::Area && whole {
        let (down, across) = ((from[0] / to[0]) as usize, (from[1] / to[1]) as usize);
        dispatch(
            #[inline(always)]
            || match channels {
                1 => block_means::<1>(rows, data, across, down),
                _ => block_means::<3>(rows, data, across, down),
            },
        );
    } else {
        // Area is the mean only where no side grows.
        let grows = to[0] > from[0] || to[1] > from[1];
        let (down, across) = dispatch(
            #[inline(always)]
            || {
                (
                    Weights::new(from[0], to[0], interpolation, grows),
                    Weights::new(from[1], to[1], interpolation, grows),
                )
            },
        );
        #[cfg(target_arch = "x86_64")]
        if two_taps::resize(rows, data, &down, &across, usize::from(channels)) {
            return;
        }
        dispatch(
            #[inline(always)]
            || match channels {
                1 => apply::<1>(rows, data, &down, &across),
                _ => apply::<3>(rows, data, &down, &across),
            },
        );
    }
}

/// Rows of samples within those of an image.
#[derive(Debug, Clone, Copy)]
struct Rows<'a> {
    source: &'a [u8],
    /// Samples from one row to the next.
    stride: usize,
    /// Samples of a row.
    len: usize,
}

impl<'a> Rows<'a> {
    #[inline(always)]
    fn at(self, y: usize) -> &'a [u8] {
        &self.source[y * self.stride..][..self.len]
    }
}

#[inline(always)]
fn apply<const C: usize>(rows: Rows<'_>, data: &mut [u8], down: &Weights, columns: &Weights) {
    let out_len = columns.len() * C;
    let mut sums = vec![0f32; rows.len];
    for (y, out) in data.chunks_exact_mut(out_len).enumerate() {
        let (first, weights) = down.at(y);
        sum_rows(&mut sums, weights, |i| rows.at(first + i));
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
}

/// The mean of each block of `across` x `down` pixels, exactly as OpenCV has it for whole factors: a whole sum times the
/// reciprocal in f32, halves to even; 2x2 alone has a path of its own there, with halves up.
#[inline(always)]
fn block_means<const C: usize>(rows: Rows<'_>, data: &mut [u8], across: usize, down: usize) {
    let out_len = rows.len / across;
    let scale = (1.0 / (across * down) as f64) as f32;
    let two_by_two = across == 2 && down == 2;
    let mut sums = vec![0u32; rows.len];
    for (y, out) in data.chunks_exact_mut(out_len).enumerate() {
        sums.fill(0);
        for row in (y * down..(y + 1) * down).map(|y| rows.at(y)) {
            sums.iter_mut().zip(row).for_each(|(sum, &sample)| *sum += u32::from(sample));
        }
        for (pixels, out) in sums.chunks_exact(across * C).zip(out.as_chunks_mut::<C>().0) {
            let mut totals = [0u32; C];
            for pixel in pixels.as_chunks::<C>().0 {
                totals.iter_mut().zip(pixel).for_each(|(total, &sum)| *total += sum);
            }
            *out = if two_by_two {
                totals.map(|total| ((total + 2) >> 2) as u8)
            } else {
                totals.map(|total| (total as f32 * scale).round_ties_even() as u8)
            };
        }
    }
}

/// `sums[j] = sum over i of weights[i] * row(i)[j]`, four rows at a time, so that the sums are read and written once for
/// four rows.
#[inline(always)]
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
