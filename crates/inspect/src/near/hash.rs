//! What is compared of all pairs: the signs of the lowest frequencies of a picture (64 bits), and their values.
//!
//! A perceptual hash (Zauner 2010, "Implementation and benchmarking of perceptual image hash functions"), but each frequency is
//! taken against its mean over all the pictures and divided by its deviation: among pictures of one kind, such as a dark spot in
//! the middle, what all have in common tells none apart.

use std::f32::consts::PI;
use std::path::Path;

use rayon::prelude::*;

use super::Turn;
use crate::SIDE;
use crate::rows::{Rows, Writer};

/// Frequencies of each axis, from 0.
pub(super) const LOW: usize = 8;

/// Numbers of a picture: `[LOW, LOW]`, the constant is 0.
pub(super) type Values = [f32; LOW * LOW];

/// As many pictures as the prior of mean and deviation weighs. Of a few pictures, copies would be the mean.
const PRIOR: f32 = 100.0;

/// The lowest frequencies of the luma by the cosine transform (DCT-II), of which the root of the sum of squares is 1 for a picture whose whole
/// contrast lies in them. `gray: [SIDE, SIDE]`
pub(super) fn frequencies(gray: &[u8], cosines: &[[f32; SIDE]; LOW]) -> Values {
    let mut rows = [[0.0f32; SIDE]; LOW];
    for (y, row) in gray.chunks_exact(SIDE).enumerate() {
        for v in 0..LOW {
            let cosine = cosines[v][y];
            for (sum, &value) in rows[v].iter_mut().zip(row) {
                *sum += cosine * f32::from(value);
            }
        }
    }
    let mut values = [0.0; LOW * LOW];
    for v in 0..LOW {
        for u in 0..LOW {
            values[v * LOW + u] = rows[v].iter().zip(&cosines[u]).map(|(a, b)| a * b).sum();
        }
    }
    values[0] = 0.0;
    normalize(&mut values);
    values
}

/// The cosines of the transform, each of length 1.
pub(super) fn cosines() -> [[f32; SIDE]; LOW] {
    let mut cosines = [[0.0; SIDE]; LOW];
    for (u, row) in cosines.iter_mut().enumerate() {
        let scale = if u == 0 { (1.0 / SIDE as f32).sqrt() } else { (2.0 / SIDE as f32).sqrt() };
        for (x, value) in row.iter_mut().enumerate() {
            *value = scale * (PI * (2 * x + 1) as f32 * u as f32 / (2 * SIDE) as f32).cos();
        }
    }
    cosines
}

fn normalize(values: &mut Values) {
    let length = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length > 0.0 {
        values.iter_mut().for_each(|v| *v /= length);
    }
}

/// The values of pictures, kept as [`Rows`]: those of many are pages of a file.
pub(super) struct Table {
    rows: Rows,
    count: usize,
}

/// Pictures whose values are in memory at once.
pub(super) const PART: usize = 2048;

impl Table {
    /// How many pictures there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Those of one picture.
    pub fn get(&self, at: usize) -> Values {
        let mut values = [0.0; LOW * LOW];
        for (value, bytes) in values.iter_mut().zip(self.rows.get(at).as_chunks::<4>().0) {
            *value = f32::from_le_bytes(*bytes);
        }
        values
    }

    /// What `of` makes of each place; `see` is shown all in their order.
    fn made(
        count: usize,
        folder: Option<&Path>,
        of: impl Fn(usize) -> Values + Sync,
        mut see: impl FnMut(&Values),
    ) -> Table {
        let mut rows = Writer::new(count, 4 * LOW * LOW, folder);
        let mut row = [0; 4 * LOW * LOW];
        for start in (0..count).step_by(PART) {
            let part: Vec<Values> = (start..(start + PART).min(count)).into_par_iter().map(&of).collect();
            for (at, values) in (start..).zip(&part) {
                see(values);
                for (bytes, value) in row.as_chunks_mut::<4>().0.iter_mut().zip(values) {
                    *bytes = value.to_le_bytes();
                }
                rows.put(at, &row);
            }
        }
        Table { rows: rows.finish(), count }
    }
}

/// The values of all the pictures, each against the mean of its frequency, over its deviation, then of length 1. `gray: [n]`, each `[SIDE, SIDE]`
///
/// Mean and deviation are those over the pictures in all eight turns, so that turning still only swaps values and changes signs.
pub(super) fn values_of_all(gray: &[&[u8]], folder: Option<&Path>) -> Table {
    let cosines = cosines();
    // f64, since a hundred thousand are summed, in their order.
    let (mut sums, mut squares) = ([0.0f64; LOW * LOW], [0.0f64; LOW * LOW]);
    let all = Table::made(
        gray.len(),
        folder,
        |at| frequencies(gray[at], &cosines),
        |values| {
            for i in 0..LOW * LOW {
                sums[i] += f64::from(values[i]) + f64::from(values[transposed(i)]);
                let [square, other] =
                    [values[i], values[transposed(i)]].map(|value| f64::from(value * value));
                squares[i] += square + other;
            }
        },
    );
    let (mut mean, mut deviation) = ([0.0; LOW * LOW], [0.0; LOW * LOW]);
    let count = gray.len() as f32 + PRIOR;
    for i in 0..LOW * LOW {
        let (v, u) = (i / LOW, i % LOW);
        if v % 2 == 0 && u % 2 == 0 {
            mean[i] = sums[i] as f32 / 2.0 / count;
        }
        // Of photographs, amplitudes fall as one over the frequency.
        let frequency = ((u * u + v * v) as f32).max(1.0);
        let square = (squares[i] as f32 / 2.0 + PRIOR * 0.1 / frequency) / count;
        deviation[i] = (square - mean[i] * mean[i]).max(1e-8).sqrt();
    }
    let against_mean = |at| {
        let mut values = all.get(at);
        for i in 1..LOW * LOW {
            values[i] = (values[i] - mean[i]) / deviation[i];
        }
        normalize(&mut values);
        values
    };
    Table::made(gray.len(), folder, against_mean, |_| ())
}

/// The frequency with its axes exchanged.
fn transposed(i: usize) -> usize {
    i % LOW * LOW + i / LOW
}

/// The signs of the values, the first as the lowest bit.
pub(super) fn bits(values: &Values) -> u64 {
    values.iter().rev().fold(0, |bits, &value| bits << 1 | u64::from(value > 0.0))
}

/// The values of the turned picture: reversing an axis changes the sign of its odd frequencies.
pub(super) fn turned(values: &Values, turn: Turn) -> Values {
    let (reverse_x, reverse_y) = turn.reverses();
    let mut turned = [0.0; LOW * LOW];
    for v in 0..LOW {
        for u in 0..LOW {
            let value = values[if turn.transposes() { u * LOW + v } else { v * LOW + u }];
            let minus = (reverse_x && u % 2 == 1) != (reverse_y && v % 2 == 1);
            turned[v * LOW + u] = if minus { -value } else { value };
        }
    }
    turned
}
