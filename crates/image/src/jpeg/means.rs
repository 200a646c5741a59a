//! A JPEG shrunk by area while it is decoded: the means over squares of 2x2, 4x4 or 8x8 pixels come straight out of the
//! coefficients of the cosine transform, and are weighed into the pixels of the result.
//!
//! The transform is linear, so the mean of some pixels is a weighted sum of the coefficients; over half a block the mean of every
//! wave with an even number of half periods is zero. Neither the pixels nor their colors are ever worked out. Against decoding
//! everything and shrinking by area three things differ: a square that two pixels of the result share counts in both with its mean; a
//! value outside of 0 to 255 is cut off only in the mean; and colors of a lower resolution are not interpolated.
//!
//! Baseline files with all components in one scan are read (nearly all photographs); for the others there is [`super::decode`].

use super::File;
use super::entropy::{Bits, Huffman};
use super::headers::{Color, Next, ZIGZAG};
use super::scans::{difference, each_wave, is_restart, restart_due};
use crate::Image;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// The sides of the squares, in pixels, that are tried, and how many of them must fit a pixel of the result along each side: of
/// what is outside of a pixel less than a half then counts in it.
const SQUARES: [usize; 3] = [8, 4, 2];
const LEAST_SQUARES: usize = 2;

/// A component on its way.
struct Component {
    /// Blocks of it in each unit of the scan, across and down.
    blocks: (usize, usize),
    /// Means that a block has, across and down.
    means: (usize, usize),
    /// The share of each coefficient in each mean: `[64, means]`, with its quantization.
    weights: Vec<f32>,
    /// Means of a row of units: `[rows, columns]`.
    strip: Vec<f32>,
    /// The last constant coefficient.
    previous: i32,
}

/// The square that suits an image of `from` pixels that is shrunk to `to`, by its side; `None` where every pixel is needed.
fn square(from: (usize, usize), to: (usize, usize)) -> Option<usize> {
    SQUARES
        .into_iter()
        .find(|side| from.0 >= LEAST_SQUARES * side * to.0 && from.1 >= LEAST_SQUARES * side * to.1)
}

/// The image in `width` x `height` pixels, before it is turned upright; gray where the file is. `None` where the file is none of
/// those that are read here, or not in order, or too small to be shrunk so.
pub(super) fn shrink(mut file: File<'_>, width: u32, height: u32) -> Option<Image> {
    let (width, height) = (width as usize, height as usize);
    let frame = &file.frame;
    let in_order = file.scan.components.iter().map(|&(place, ..)| place).eq(0..frame.components.len());
    let plain = !frame.progressive && !frame.arithmetic && matches!(file.color, Color::Gray | Color::YCbCr);
    (in_order && plain).then_some(())?;
    let square = square(frame.size, (width, height))?;
    let (size, unit, units) = (frame.size, frame.unit, frame.units);
    let strip = (units.0 * unit.0 * 8 / square, unit.1 * 8 / square);
    let (mut components, mut tables) = (Vec::new(), Vec::new());
    for (&(place, constant, waves), of) in file.scan.components.iter().zip(&frame.components) {
        let mut component = Component {
            blocks: of.blocks,
            means: (0, 0),
            weights: Vec::new(),
            strip: vec![0.0; strip.0 * strip.1],
            previous: 0,
        };
        let quantization = file.headers.quantization.get(frame.components[place].quantization)?.as_ref()?;
        component.lay_out(unit, square, quantization)?;
        components.push(component);
        tables.push((file.headers.huffman(true, constant).ok()?, file.headers.huffman(false, waves).ok()?));
    }
    let restart_interval = file.headers.restart_interval;
    // Rows are summed at full width; the columns come last.
    let mut sums = vec![vec![0f32; height * strip.0]; components.len()];
    let rows = shares(size.1, square, height);
    let mut bits = Bits::new(file.bytes, file.scan.at);
    for unit_row in 0..units.1 {
        for unit_column in 0..units.0 {
            if let Some(number) = restart_due(unit_row * units.0 + unit_column, restart_interval) {
                bits.restart(number)?;
                components.iter_mut().for_each(|component| component.previous = 0);
            }
            for (component, (constant, waves)) in components.iter_mut().zip(&tables) {
                component.read_unit(&mut bits, constant, waves, unit_column, strip.0)?;
            }
            // A short file that announces a large image would keep this busy for long.
            (!bits.ran_out()).then_some(())?;
        }
        for (component, sums) in components.iter().zip(&mut sums) {
            for (row, values) in component.strip.chunks_exact(strip.0).enumerate() {
                // Those below the image have no share.
                for &(to, share) in rows.get(unit_row * strip.1 + row).map_or(&[][..], Vec::as_slice) {
                    let sums = &mut sums[to * strip.0..][..strip.0];
                    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += share * value);
                }
            }
        }
    }
    // What follows must be the end: another scan would be a part of the image.
    let end = bits.end()?;
    (!is_restart(file.bytes, end)).then_some(())?;
    file.headers.go_on_at(end);
    matches!(file.headers.next(), Ok(Next::End | Next::Nothing)).then_some(())?;
    let columns = shares(size.0, square, width);
    let planes: Vec<Vec<f32>> = sums.iter().map(|sums| shrink_rows(sums, strip.0, &columns, width)).collect();
    let (channels, data) = match planes.as_slice() {
        [gray] => (1, gray.iter().map(|&y| byte(y + 128.0)).collect()),
        [y, cb, cr] => (3, y.iter().zip(cb).zip(cr).flat_map(|((&y, &cb), &cr)| rgb(y, cb, cr)).collect()),
        _ => return None,
    };
    Image::new(width as u32, height as u32, channels, data).ok()
}

impl Component {
    /// Makes room for the means of a row of units, and finds what the coefficients have to do with them.
    fn lay_out(&mut self, unit: (usize, usize), square: usize, quantization: &[u16; 64]) -> Option<()> {
        let (across, down) = self.blocks;
        (unit.0.is_multiple_of(across) && unit.1.is_multiple_of(down)).then_some(())?;
        // Of a component of lower resolution a block covers more pixels.
        self.means = (8 * (unit.0 / across) / square, 8 * (unit.1 / down) / square);
        (self.means.0 <= 8 && self.means.1 <= 8).then_some(())?;
        let (columns, rows) = (mean_waves(self.means.0), mean_waves(self.means.1));
        for (&(v, u), &step) in ZIGZAG.iter().zip(quantization) {
            for row in 0..self.means.1 {
                for column in 0..self.means.0 {
                    let share = rows[usize::from(v)][row] * columns[usize::from(u)][column];
                    self.weights.push((share * f64::from(step)) as f32);
                }
            }
        }
        Some(())
    }

    /// The component's blocks of the next unit.
    fn read_unit(
        &mut self,
        bits: &mut Bits<'_>,
        constant: &Huffman,
        waves: &Huffman,
        unit: usize,
        columns: usize,
    ) -> Option<()> {
        for block in 0..self.blocks.0 * self.blocks.1 {
            let (down, across) = (block / self.blocks.0, block % self.blocks.0);
            let at = down * self.means.1 * columns + (unit * self.blocks.0 + across) * self.means.0;
            match self.means.0 * self.means.1 {
                1 => self.read_block::<1>(bits, constant, waves, at, columns)?,
                2 => self.read_block::<2>(bits, constant, waves, at, columns)?,
                4 => self.read_block::<4>(bits, constant, waves, at, columns)?,
                8 => self.read_block::<8>(bits, constant, waves, at, columns)?,
                16 => self.read_block::<16>(bits, constant, waves, at, columns)?,
                32 => self.read_block::<32>(bits, constant, waves, at, columns)?,
                64 => self.read_block::<64>(bits, constant, waves, at, columns)?,
                _ => return None,
            }
        }
        Some(())
    }

    /// A block of `MEANS` means, into the strip from `at` on.
    #[inline(always)]
    fn read_block<const MEANS: usize>(
        &mut self,
        bits: &mut Bits<'_>,
        constant: &Huffman,
        waves: &Huffman,
        at: usize,
        columns: usize,
    ) -> Option<()> {
        let weights = self.weights.as_chunks::<MEANS>().0;
        self.previous = self.previous.wrapping_add(difference(bits, constant)?);
        let mut means = weights[0].map(|weight| weight * self.previous as f32);
        each_wave(bits, waves, |place, value| {
            // The only mean of a block is that of its constant.
            if MEANS > 1 {
                let value = value as f32;
                means.iter_mut().zip(&weights[place]).for_each(|(mean, weight)| *mean += weight * value);
            }
        })?;
        for (row, means) in means.chunks_exact(self.means.0).enumerate() {
            self.strip.get_mut(at + row * columns..)?.get_mut(..means.len())?.copy_from_slice(means);
        }
        Some(())
    }
}

/// The means of the eight waves over `n` parts of a block: `[wave][part]`.
fn mean_waves(n: usize) -> [[f64; 8]; 8] {
    let part = 8 / n;
    let mut means = [[0.0; 8]; 8];
    for (u, means) in means.iter_mut().enumerate() {
        let scale = if u == 0 { FRAC_1_SQRT_2 / 2.0 } else { 0.5 };
        for x in 0..8 {
            means[x / part] += scale * ((2 * x + 1) as f64 * u as f64 * PI / 16.0).cos() / part as f64;
        }
    }
    means
}

/// For each square along a side of `from` pixels the pixels of `to` that it has a share in, and how large a part of each it is.
fn shares(from: usize, square: usize, to: usize) -> Vec<Vec<(usize, f32)>> {
    let scale = from as f64 / to as f64;
    let mut shares = Vec::new();
    for start in (0..from).step_by(square) {
        let (start, end) = (start as f64, (start + square).min(from) as f64);
        let (first, last) = ((start / scale) as usize, ((end / scale).ceil() as usize).min(to));
        let part = |pixel: usize| {
            let overlap = end.min((pixel + 1) as f64 * scale) - start.max(pixel as f64 * scale);
            (pixel, (overlap / scale) as f32)
        };
        shares.push((first..last).map(part).filter(|&(_, share)| share > 0.0).collect());
    }
    shares
}

/// `[rows, columns]` to `[rows, width]`.
fn shrink_rows(sums: &[f32], columns: usize, shares: &[Vec<(usize, f32)>], width: usize) -> Vec<f32> {
    let mut out = vec![0f32; sums.len() / columns * width];
    for (row, out) in sums.chunks_exact(columns).zip(out.chunks_exact_mut(width)) {
        for (value, shares) in row.iter().zip(shares) {
            for &(to, share) in shares {
                out[to] += share * value;
            }
        }
    }
    out
}

/// JFIF's colors (ITU-T T.871) from values around 0.
fn rgb(y: f32, cb: f32, cr: f32) -> [u8; 3] {
    let y = y + 128.0;
    [byte(y + 1.402 * cr), byte(y - 0.344_136 * cb - 0.714_136 * cr), byte(y + 1.772 * cb)]
}

fn byte(x: f32) -> u8 {
    x.round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_of_the_result_is_shared_out_once() {
        for (from, square, to) in [(1024, 8, 64), (767, 4, 64), (131, 2, 32), (64, 2, 32)] {
            let mut whole = vec![0.0; to];
            for &(pixel, share) in shares(from, square, to).iter().flatten() {
                whole[pixel] += share;
            }
            assert!(whole.iter().all(|&sum| (sum - 1.0).abs() < 1e-5), "{from} {square} {to}: {whole:?}");
        }
        assert_eq!(square((1024, 768), (64, 64)), Some(4));
        assert_eq!(square((1024, 1024), (64, 64)), Some(8));
        assert_eq!(square((300, 200), (64, 64)), None);
        assert_eq!(square((300, 200), (50, 50)), Some(2));
    }
}
