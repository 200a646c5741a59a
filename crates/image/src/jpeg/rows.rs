//! Samples of components to pixels: brought to one resolution, and to one color. Equal to libjpeg-turbo's fancy upsampling
//! (`jdsample.c`) and color conversion (`jdcolor.c`) to the bit.

use std::ops::Range;

use pupila_isa::{BLOCK, write_planes};

use super::headers::{Color, Frame};
use super::scans::Block;
use super::{idct, malformed};
use crate::{DecodeError, Window};

/// How a component comes to the resolution of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upsampling {
    /// It has it.
    None,
    /// Between the two nearest samples of a row, 3 to 1.
    Across,
    /// Between the two nearest samples of a column.
    Down,
    /// Between the four nearest samples.
    Both,
    /// Each sample again and again, across and down.
    Repeated(usize, usize),
}

/// Rows of a component, a few at a time.
struct Plane {
    blocks_across: usize,
    blocks_down: usize,
    width: usize,
    height: usize,
    stride: usize,
    /// Rows that are kept of the units before, and then those of a row of units.
    rows: Vec<u8>,
    /// The place of the first of `rows` in the component; below 0 before the second row of units.
    first: isize,
    upsampling: Upsampling,
    /// Samples a sample stands for, down.
    lines: usize,
    /// A row of it in the image's resolution.
    full: Vec<u8>,
    sums: Vec<u16>,
}

/// Pixels on their way.
pub(super) struct Output {
    size: (usize, usize),
    unit_lines: usize,
    planes: Vec<Plane>,
    color: Color,
    channels: usize,
    next: usize,
    data: Vec<u8>,
    /// Rows of units, and units of a row, that pixels are made of.
    units: [Range<usize>; 2],
    /// Rows and columns of pixels that are made.
    made: [Range<usize>; 2],
}

impl Output {
    /// `color` says what the samples are. Where no more than a window is wanted, pixels outside of it are anything.
    pub(super) fn new(frame: &Frame, color: Color, window: Option<&Window>) -> Result<Self, DecodeError> {
        let mut planes = Vec::new();
        for component in &frame.components {
            let (across, down) = component.blocks;
            if !frame.unit.0.is_multiple_of(across) || !frame.unit.1.is_multiple_of(down) {
                let reason = format!(
                    "its components have sizes of {across}x{down} and {}x{}, and the one is no multiple of the other: save it with \
                     other sampling, such as by `magick FILE -sampling-factor 4:2:0 FILE.jpg`",
                    frame.unit.0, frame.unit.1
                );
                return Err(malformed(reason));
            }
            let factors = (frame.unit.0 / across, frame.unit.1 / down);
            let wide = component.size.0 > 2;
            let upsampling = match factors {
                (1, 1) => Upsampling::None,
                (2, 1) if wide => Upsampling::Across,
                (1, 2) => Upsampling::Down,
                (2, 2) if wide => Upsampling::Both,
                (across, down) => Upsampling::Repeated(across, down),
            };
            let stride = frame.units.0 * across * 8;
            // A row above and the rows of the last lines are needed again.
            let kept = down + 1;
            planes.push(Plane {
                blocks_across: across,
                blocks_down: down,
                width: component.size.0,
                height: component.size.1,
                stride,
                rows: vec![0; stride * (kept + 8 * down)],
                first: -(kept as isize),
                upsampling,
                lines: factors.1,
                full: vec![0; component.size.0 * factors.0],
                sums: vec![0; if upsampling == Upsampling::Both { component.size.0 } else { 0 }],
            });
        }
        let channels = match color {
            Color::Gray => 1,
            Color::AsStored => frame.components.len(),
            _ => 3,
        };
        let data = vec![0; frame.size.0 * frame.size.1 * channels];
        let (units, made) = match window {
            None => ([0..frame.units.1, 0..frame.units.0], [0..frame.size.1, 0..frame.size.0]),
            Some(window) => within(frame, window),
        };
        let (unit_lines, next) = (frame.unit.1, made[0].start);
        let mut output =
            Output { size: frame.size, unit_lines, planes, color, channels, next, data, units, made };
        output.begin_at(output.units[0].start);
        Ok(output)
    }

    /// The rows of units that pixels are made of.
    pub(super) fn units(&self) -> Range<usize> {
        self.units[0].clone()
    }

    /// The next row of units is this one.
    fn begin_at(&mut self, row: usize) {
        for plane in &mut self.planes {
            let (kept, rows) = (plane.blocks_down + 1, 8 * plane.blocks_down);
            plane.first = (rows * row) as isize - kept as isize;
        }
    }

    /// Turns a row of a component's blocks, of which a row of units has one or more, into its samples.
    pub(super) fn transform(&mut self, component: usize, row: usize, blocks: &[Block], steps: &[u16; 64]) {
        let columns = &self.units[1];
        let plane = &mut self.planes[component];
        let stride = plane.stride;
        // Blocks of a unit, across.
        let across = plane.blocks_across;
        let columns = columns.start * across..columns.end * across;
        let rows = &mut plane.rows[(plane.blocks_down + 1 + 8 * row) * stride..];
        pupila_isa::dispatch(
            #[inline(always)]
            || {
                for (column, block) in columns.clone().zip(&blocks[columns.clone()]) {
                    idct::samples(block, steps, &mut rows[8 * column..], stride);
                }
            },
        );
    }

    /// All blocks of a row of units are there: writes the pixels that need no more than them, all if it is the last one.
    pub(super) fn finish_row(&mut self, row: usize) {
        let all = 8 * self.unit_lines * (row + 1);
        let until = if all >= self.size.1 { self.size.1 } else { all - self.unit_lines };
        let until = until.min(self.made[0].end);
        let next = self.next;
        pupila_isa::dispatch(
            #[inline(always)]
            || {
                for line in next..until {
                    self.write(line);
                }
            },
        );
        self.next = until.max(next);
        for plane in &mut self.planes {
            plane.rows.copy_within(8 * plane.blocks_down * plane.stride.., 0);
        }
        self.begin_at(row + 1);
    }

    /// The samples of all pixels, `[height, width, channels]`, and how many a pixel has.
    pub(super) fn into_data(self) -> (usize, Vec<u8>) {
        (self.channels, self.data)
    }

    #[inline(always)]
    fn write(&mut self, line: usize) {
        for plane in &mut self.planes {
            plane.upsample(line);
        }
        let columns = self.made[1].clone();
        let first = (line * self.size.0 + columns.start) * self.channels;
        let out = &mut self.data[first..][..columns.len() * self.channels];
        let planes = &self.planes;
        let row = |component: usize| &planes[component].line(line)[columns.clone()];
        match self.color {
            Color::Gray => out.copy_from_slice(row(0)),
            Color::YCbCr => convert([row(0), row(1), row(2)], out, ycc_to_rgb),
            Color::Rgb => convert([row(0), row(1), row(2)], out, |_| {}),
            Color::Cmyk => cmyk([row(0), row(1), row(2)], row(3), out, |_| {}),
            Color::AsStored => {
                for (component, plane) in planes.iter().enumerate() {
                    for (pixel, &sample) in
                        out.chunks_exact_mut(self.channels).zip(&plane.line(line)[columns.clone()])
                    {
                        pixel[component] = sample;
                    }
                }
            }
            Color::Ycck => cmyk([row(0), row(1), row(2)], row(3), out, |planes| {
                ycc_to_rgb(planes);
                *planes = planes.map(|plane| plane.map(|ink| 255 - ink));
            }),
        }
    }
}

/// The units that the pixels of a window are made of, with those around them, whose samples go into them where components have another
/// resolution; and the rows and columns that are made.
fn within(frame: &Frame, window: &Window) -> ([Range<usize>; 2], [Range<usize>; 2]) {
    let range = |wanted: &Range<u32>, size: usize, unit: usize, units: usize| {
        let end = (wanted.end as usize).clamp(1, size);
        let start = (wanted.start as usize).min(end - 1);
        let of_units = (start / unit).saturating_sub(1)..(end.div_ceil(unit) + 1).min(units);
        (of_units, start..end)
    };
    let (rows, lines) = range(&window.rows, frame.size.1, 8 * frame.unit.1, frame.units.1);
    let (across, columns) = range(&window.columns, frame.size.0, 8 * frame.unit.0, frame.units.0);
    ([rows, across], [lines, columns])
}

impl Plane {
    fn row(&self, row: isize) -> &[u8] {
        let row = row.clamp(0, self.height as isize - 1) - self.first;
        &self.rows[row as usize * self.stride..][..self.width]
    }

    /// The component's samples of a line of the image, once it was brought to its resolution.
    fn line(&self, line: usize) -> &[u8] {
        match self.upsampling {
            Upsampling::None => {
                let row = (line as isize - self.first) as usize;
                &self.rows[row * self.stride..][..self.width]
            }
            _ => &self.full,
        }
    }

    #[inline(always)]
    fn upsample(&mut self, line: usize) {
        let near = (line / self.lines) as isize;
        // The row above, or the one below.
        let (far, rounding) = if line.is_multiple_of(2) { (near - 1, 1) } else { (near + 1, 2) };
        let mut full = std::mem::take(&mut self.full);
        match self.upsampling {
            Upsampling::None => {}
            Upsampling::Across => across(self.row(near), &mut full),
            Upsampling::Down => {
                for ((out, &near), &far) in full.iter_mut().zip(self.row(near)).zip(self.row(far)) {
                    *out = ((3 * u16::from(near) + u16::from(far) + rounding) >> 2) as u8;
                }
            }
            Upsampling::Both => {
                let mut sums = std::mem::take(&mut self.sums);
                for ((sum, &near), &far) in sums.iter_mut().zip(self.row(near)).zip(self.row(far)) {
                    *sum = 3 * u16::from(near) + u16::from(far);
                }
                both(&sums, &mut full);
                self.sums = sums;
            }
            Upsampling::Repeated(across, _) => {
                for (out, &sample) in full.chunks_exact_mut(across).zip(self.row(near)) {
                    out.fill(sample);
                }
            }
        }
        self.full = full;
    }
}

/// `[n]` to `[2 n]`, each between its two nearest.
#[inline(always)]
fn across(row: &[u8], out: &mut [u8]) {
    let n = row.len();
    let (out, _) = out.as_chunks_mut::<2>();
    for (out, window) in out[1..n - 1].iter_mut().zip(row.windows(3)) {
        let sample = 3 * u16::from(window[1]);
        *out = [
            ((sample + u16::from(window[0]) + 1) >> 2) as u8,
            ((sample + u16::from(window[2]) + 2) >> 2) as u8,
        ];
    }
    out[0] = [row[0], ((3 * u16::from(row[0]) + u16::from(row[1]) + 2) >> 2) as u8];
    out[n - 1] = [((3 * u16::from(row[n - 1]) + u16::from(row[n - 2]) + 1) >> 2) as u8, row[n - 1]];
}

/// As [`across`], of sums of two rows, four times as large.
#[inline(always)]
fn both(sums: &[u16], out: &mut [u8]) {
    let n = sums.len();
    let (out, _) = out.as_chunks_mut::<2>();
    for (out, window) in out[1..n - 1].iter_mut().zip(sums.windows(3)) {
        let sum = 3 * window[1];
        *out = [((sum + window[0] + 8) >> 4) as u8, ((sum + window[2] + 7) >> 4) as u8];
    }
    out[0] = [((4 * sums[0] + 8) >> 4) as u8, ((3 * sums[0] + sums[1] + 7) >> 4) as u8];
    out[n - 1] = [((3 * sums[n - 1] + sums[n - 2] + 8) >> 4) as u8, ((4 * sums[n - 1] + 7) >> 4) as u8];
}

/// Three rows to pixels, a block at a time.
#[inline(always)]
fn convert(rows: [&[u8]; 3], out: &mut [u8], of: impl Fn(&mut [[u8; BLOCK]; 3])) {
    for (block, out) in out.chunks_mut(3 * BLOCK).enumerate() {
        let mut planes = [[0; BLOCK]; 3];
        for (plane, row) in planes.iter_mut().zip(rows) {
            let row = &row[block * BLOCK..][..out.len() / 3];
            plane[..row.len()].copy_from_slice(row);
        }
        of(&mut planes);
        write_planes(&planes, out);
    }
}

/// YCbCr (ITU-T T.871) to RGB, in 16 bits behind the point.
#[inline(always)]
fn ycc_to_rgb(planes: &mut [[u8; BLOCK]; 3]) {
    const HALF: i32 = 1 << 15;
    let [y, cb, cr] = *planes;
    for i in 0..BLOCK {
        let (luma, blue, red) = (i32::from(y[i]), i32::from(cb[i]) - 128, i32::from(cr[i]) - 128);
        planes[0][i] = byte(luma + ((91_881 * red + HALF) >> 16));
        planes[1][i] = byte(luma + ((HALF - 22_554 * blue - 46_802 * red) >> 16));
        planes[2][i] = byte(luma + ((116_130 * blue + HALF) >> 16));
    }
}

#[inline(always)]
fn byte(x: i32) -> u8 {
    x.clamp(0, 255) as u8
}

/// CMYK, stored as Adobe does with 0 for full ink, to RGB as Pillow's `convert("RGB")` does. `of` makes the stored
/// values of three inks.
#[inline(always)]
fn cmyk(rows: [&[u8]; 3], black: &[u8], out: &mut [u8], of: impl Fn(&mut [[u8; BLOCK]; 3])) {
    convert(rows, out, of);
    for (pixel, &paper) in out.as_chunks_mut::<3>().0.iter_mut().zip(black) {
        let paper = u32::from(paper);
        *pixel = pixel.map(|color| {
            let ink = (255 - u32::from(color)) * paper + 128;
            paper.saturating_sub(((ink >> 8) + ink) >> 8) as u8
        });
    }
}
