//! Equal shares of all levels. Reference: `albumentations.Equalize`.

use crate::color::{from_ycrcb, to_ycrcb};
use crate::{Frame, Nothing, Shape, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whose arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EqualizeMode {
    /// OpenCV's `equalizeHist`.
    Cv,
    /// Pillow's `ImageOps.equalize`.
    Pil,
}

/// Equalises the histogram.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Equalize {
    /// Whose arithmetic.
    pub mode: EqualizeMode,
    /// Whether each channel is equalised by itself; else only the luma.
    pub by_channels: bool,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for Equalize {
    fn default() -> Self {
        Equalize { mode: EqualizeMode::Cv, by_channels: true, p: 0.5 }
    }
}

impl Transform for Equalize {
    const NAME: &'static str = "equalize";
    const DESCRIPTION: &'static str = "equalises the histogram";

    type Drawn = Nothing;

    fn p(&self) -> f64 {
        self.p
    }

    fn draw(&self, _: Shape, _: &mut Stream) -> Nothing {
        Nothing {}
    }

    fn apply(&self, _: &Nothing, frame: &mut Frame) {
        let color = frame.shape().channels == 3;
        let table = match self.mode {
            EqualizeMode::Cv => opencv_table,
            EqualizeMode::Pil => pillow_table,
        };
        if !color {
            let mut histogram = [0; 256];
            frame.pixels().iter().for_each(|&value| histogram[usize::from(value)] += 1);
            frame.map(&table(&histogram));
            return;
        }
        let pixels = frame.pixels_mut();
        if self.by_channels {
            let mut histograms = [[0; 256]; 3];
            for pixel in pixels.as_chunks::<3>().0 {
                histograms.iter_mut().zip(pixel).for_each(|(h, &value)| h[usize::from(value)] += 1);
            }
            let tables = histograms.map(|histogram| table(&histogram));
            for pixel in pixels.as_chunks_mut::<3>().0 {
                pixel.iter_mut().zip(&tables).for_each(|(value, table)| *value = table[usize::from(*value)]);
            }
        } else {
            let mut histogram = [0; 256];
            for pixel in pixels.as_chunks_mut::<3>().0 {
                *pixel = to_ycrcb(*pixel);
                histogram[usize::from(pixel[0])] += 1;
            }
            let table = table(&histogram);
            for pixel in pixels.as_chunks_mut::<3>().0 {
                *pixel = from_ycrcb([table[usize::from(pixel[0])], pixel[1], pixel[2]]);
            }
        }
    }
}

fn opencv_table(histogram: &[u32; 256]) -> [u8; 256] {
    let total: u32 = histogram.iter().sum();
    let first = histogram.iter().position(|&count| count > 0).unwrap_or(0);
    if histogram[first] == total {
        return [first as u8; 256];
    }
    let scale = 255.0 / (total - histogram[first]) as f32;
    let mut sum = 0;
    std::array::from_fn(|level| {
        if level > first {
            sum += histogram[level];
        }
        (sum as f32 * scale).round_ties_even() as u8
    })
}

fn pillow_table(histogram: &[u32; 256]) -> [u8; 256] {
    let same = std::array::from_fn(|level| level as u8);
    let total: u32 = histogram.iter().sum();
    let last = histogram.iter().rev().copied().find(|&count| count > 0).unwrap_or(0);
    let step = (total - last) / 255;
    if last == total || step == 0 {
        return same;
    }
    // The reference counts a level's own pixels too; Pillow those below it.
    let mut sum = 0;
    std::array::from_fn(|level| {
        sum += histogram[level];
        ((sum + step / 2) / step).min(255) as u8
    })
}

/// Pillow's own table: a level becomes the share of the pixels below it.
pub(crate) fn histogram_equalize_pillow(histogram: &[u32; 256]) -> [u8; 256] {
    let total: u32 = histogram.iter().sum();
    let last = histogram.iter().rev().copied().find(|&count| count > 0).unwrap_or(0);
    let step = (total - last) / 255;
    if step == 0 {
        return std::array::from_fn(|level| level as u8);
    }
    let mut sum = step / 2;
    std::array::from_fn(|level| {
        let value = (sum / step).min(255) as u8;
        sum += histogram[level];
        value
    })
}
