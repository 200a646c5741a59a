//! Contrast limited adaptive histogram equalisation (Zuiderveld 1994). Reference: `albumentations.CLAHE`.

use crate::{BorderMode, Frame, FromOne, Problems, Range, Shape, Transform};

use crate::color::Lab;
use pupila_isa::{BLOCK, dispatch, planes_of, write_planes};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipLimit {
    /// How many times the mean a level of a histogram may have.
    pub clip_limit: f64,
}

/// Equalises the histogram of each tile with limited contrast; of color images that of the lightness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Clahe {
    /// How many times the mean a level of a histogram may have.
    pub clip_limit: Range<FromOne>,
    /// Tiles across and down.
    pub tile_grid_size: [u32; 2],
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for Clahe {
    fn default() -> Self {
        Clahe { clip_limit: Range::new(1.0, 4.0), tile_grid_size: [8, 8], p: 0.5 }
    }
}

impl Transform for Clahe {
    const NAME: &'static str = "clahe";
    const DESCRIPTION: &'static str = "equalises locally, with limited contrast";

    type Drawn = ClipLimit;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.range_within("clip_limit", &self.clip_limit, 1.0, f64::INFINITY);
        let [across, down] = self.tile_grid_size;
        if across == 0 || down == 0 || across > 256 || down > 256 {
            problems.refuse("tile_grid_size", "[across, down] from 1 to 256", &format!("[{across}, {down}]"));
        }
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> ClipLimit {
        ClipLimit { clip_limit: self.clip_limit.draw(stream) }
    }

    fn apply(&self, drawn: &ClipLimit, frame: &mut Frame) {
        let shape = frame.shape();
        if shape.values() == 0 {
            return;
        }
        let grid = self.tile_grid_size.map(|n| n as usize);
        frame.change_with(|pixels, scratch| {
            if shape.channels == 1 {
                equalize(pixels, shape.width, drawn.clip_limit, grid);
                return;
            }
            let lab = Lab::tables();
            let light = &mut scratch.bytes;
            light.resize(shape.height * shape.width, 0);
            dispatch(
                #[inline(always)]
                || {
                    for (pixels, light) in pixels.chunks_mut(3 * BLOCK).zip(light.chunks_mut(BLOCK)) {
                        let planes = lab.of_planes(&planes_of(pixels));
                        write_planes(&planes, pixels);
                        light.copy_from_slice(&planes[0][..light.len()]);
                    }
                },
            );
            equalize(light, shape.width, drawn.clip_limit, grid);
            dispatch(
                #[inline(always)]
                || {
                    for (pixels, light) in pixels.chunks_mut(3 * BLOCK).zip(light.chunks(BLOCK)) {
                        let mut planes = planes_of(pixels);
                        planes[0][..light.len()].copy_from_slice(light);
                        write_planes(&lab.to_planes(&planes), pixels);
                    }
                },
            );
        });
    }
}

/// `cv2.CLAHE.apply` on one plane. `plane: [H, width]`, `grid`: tiles across and down.
fn equalize(plane: &mut [u8], width: usize, clip_limit: f64, [across, down_tiles]: [usize; 2]) {
    let height = plane.len() / width;
    // Where the grid does not divide the image, it is continued by its mirror image, and then on both sides.
    let whole = width.is_multiple_of(across) && height.is_multiple_of(down_tiles);
    let continued = |side: usize, tiles: usize| if whole { side } else { side + tiles - side % tiles };
    let (tile_width, tile_height) =
        (continued(width, across) / across, continued(height, down_tiles) / down_tiles);
    let area = tile_width * tile_height;
    let limit = ((clip_limit * area as f64 / 256.0) as u32).max(1);
    let column = |x: usize| BorderMode::Reflect101.position(x as i64, width).unwrap_or(0);
    let row = |y: usize| BorderMode::Reflect101.position(y as i64, height).unwrap_or(0);
    let mut tables = vec![[0f32; 256]; across * down_tiles];
    for (tile, table) in tables.iter_mut().enumerate() {
        let (left, top) = (tile % across * tile_width, tile / across * tile_height);
        let (mut histogram, mut second) = ([0u32; 256], [0u32; 256]);
        for y in top..top + tile_height {
            let line = &plane[row(y) * width..][..width];
            if left + tile_width <= width {
                // In two, so that equal neighbours need not wait for each other.
                let (pairs, rest) = line[left..left + tile_width].as_chunks::<2>();
                for &[one, next] in pairs {
                    histogram[usize::from(one)] += 1;
                    second[usize::from(next)] += 1;
                }
                rest.iter().for_each(|&value| histogram[usize::from(value)] += 1);
            } else {
                (left..left + tile_width).for_each(|x| histogram[usize::from(line[column(x)])] += 1);
            }
        }
        histogram.iter_mut().zip(second).for_each(|(count, more)| *count += more);
        clip(&mut histogram, limit);
        let scale = 255.0 / area as f32;
        let mut sum = 0;
        for (value, &count) in table.iter_mut().zip(&histogram) {
            sum += count;
            *value = f32::from((sum as f32 * scale).round_ties_even() as u8);
        }
    }
    // For each column the tiles on both sides of it and the weight of the right one, and so for rows.
    let between = |i: usize, size: usize, tiles: usize| {
        let at = i as f32 * (1.0 / size as f32) - 0.5;
        let first = at.floor();
        let clamp = |tile: f32| (tile.max(0.0) as usize).min(tiles - 1);
        (clamp(first), clamp(first + 1.0), at - first)
    };
    // Columns between the same two tiles, and their weights.
    let columns: Vec<_> = (0..width).map(|x| between(x, tile_width, across)).collect();
    let weights: Vec<f32> = columns.iter().map(|column| column.2).collect();
    let runs: Vec<_> = columns
        .chunk_by(|one, next| (one.0, one.1) == (next.0, next.1))
        .map(|run| (run[0].0, run[0].1, run.len()))
        .collect();
    dispatch(
        #[inline(always)]
        || {
            for (y, line) in plane.chunks_exact_mut(width).enumerate() {
                let (above, below, down) = between(y, tile_height, down_tiles);
                let (upper, lower) =
                    (&tables[above * across..][..across], &tables[below * across..][..across]);
                let mut start = 0;
                for &(left, right, length) in &runs {
                    let corners = [&upper[left], &upper[right], &lower[left], &lower[right]];
                    let (line, weights) = (&mut line[start..][..length], &weights[start..][..length]);
                    mix(line, corners, weights, down);
                    start += length;
                }
            }
        },
    );
}

/// Looks levels up in the tables of the four tiles around, and weighs what these say.
#[inline(always)]
fn mix(line: &mut [u8], corners: [&[f32; 256]; 4], weights: &[f32], down: f32) {
    for (value, &weight) in line.iter_mut().zip(weights) {
        let [a, b, c, d] = corners.map(|table| table[usize::from(*value)]);
        let (upper, lower) = (a * (1.0 - weight) + b * weight, c * (1.0 - weight) + d * weight);
        let mixed = upper * (1.0 - down) + lower * down;
        *value = (mixed + 8_388_608.0).to_bits() as u8;
    }
}

/// Cuts levels off at the limit and spreads what was cut evenly over all of them.
fn clip(histogram: &mut [u32; 256], limit: u32) {
    let mut cut = 0;
    for count in histogram.iter_mut().filter(|count| **count > limit) {
        cut += *count - limit;
        *count = limit;
    }
    let (each, rest) = (cut / 256, (cut % 256) as usize);
    histogram.iter_mut().for_each(|count| *count += each);
    let step = 256usize.checked_div(rest).unwrap_or(256).max(1);
    histogram.iter_mut().step_by(step).take(rest).for_each(|count| *count += 1);
}
