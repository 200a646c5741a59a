//! Medians of squares, as `cv2.medianBlur` with its replicated border.
//!
//! Sides of 3, 5 and 7 go through networks of minima and maxima over whole rows, which the compiler turns into vector
//! instructions: each column of the square is sorted once for all squares it belongs to, then each rank across the columns;
//! what cannot be the middle any more is left out, and the middle of the rest is selected (after Paeth 1990, "Median finding on
//! a 3x3 grid"). Larger sides keep a histogram of the square (Huang 1979).

use crate::Shape;
use crate::frame::Scratch;
use pupila_isa::dispatch;

/// Writes the median of the `side` x `side` pixels around each.
pub(crate) fn median(from: &[u8], shape: Shape, to: &mut [u8], side: usize, scratch: &mut Scratch) {
    let radius = side / 2;
    let wide = shape.row() + 2 * radius * shape.channels;
    let padded = &mut scratch.bytes;
    padded.resize(wide * (shape.height + 2 * radius), 0);
    for (y, to) in padded.chunks_exact_mut(wide).enumerate() {
        let row = &from[y.saturating_sub(radius).min(shape.height - 1) * shape.row()..][..shape.row()];
        let channels = shape.channels;
        to[radius * channels..][..row.len()].copy_from_slice(row);
        for i in 0..radius * channels {
            to[i] = row[i % channels];
            to[radius * channels + row.len() + i] = row[row.len() - channels + i % channels];
        }
    }
    match side {
        3 => dispatch(
            #[inline(always)]
            || network::<3>(padded, wide, shape, to),
        ),
        5 => dispatch(
            #[inline(always)]
            || network::<5>(padded, wide, shape, to),
        ),
        7 => dispatch(
            #[inline(always)]
            || network::<7>(padded, wide, shape, to),
        ),
        _ => histograms(padded, wide, shape, to, side),
    }
}

/// Bytes that are worked on at a time: a few vectors of each row stay in the first-level cache.
const BLOCK: usize = 64;

type Block = [u8; BLOCK];

#[inline(always)]
fn order(a: &mut Block, b: &mut Block) {
    for i in 0..BLOCK {
        let (x, y) = (a[i], b[i]);
        a[i] = x.min(y);
        b[i] = x.max(y);
    }
}

#[inline(always)]
fn order_at<const N: usize>(values: &mut [Block; N], i: usize, j: usize) {
    let (mut a, mut b) = (values[i], values[j]);
    order(&mut a, &mut b);
    (values[i], values[j]) = (a, b);
}

/// Exchanges one after the other, written out, so that the compiler keeps values in registers and leaves out what no one needs.
macro_rules! exchange {
    ($values:expr, $(($i:literal $j:literal))*) => {{ $(order_at($values, $i, $j);)* }};
}

/// Sorting networks with the fewest exchanges (Knuth, volume 3, 5.3.4).
#[inline(always)]
fn sort<const N: usize>(values: &mut [Block; N]) {
    match N {
        3 => exchange!(values, (0 2) (0 1) (1 2)),
        5 => exchange!(values, (0 3) (1 4) (0 2) (1 3) (0 1) (2 4) (1 2) (3 4) (2 3)),
        _ => exchange!(
            values,
            (0 6) (2 3) (4 5) (0 2) (1 4) (3 6) (0 1) (2 5) (3 4) (1 2) (4 6) (2 3) (4 5) (1 2) (3 4) (5 6)
        ),
    }
}

#[inline(always)]
fn network<const N: usize>(padded: &[u8], wide: usize, shape: Shape, to: &mut [u8]) {
    let row_len = shape.row();
    // Of a row of results, the sorted columns: rank by rank.
    let length = wide.next_multiple_of(BLOCK) + N * shape.channels + BLOCK;
    let mut ranks: [Vec<u8>; N] = std::array::from_fn(|_| vec![0; length]);
    for (y, out) in to.chunks_exact_mut(row_len).enumerate() {
        let rows: [&[u8]; N] = std::array::from_fn(|j| &padded[(y + j) * wide..][..wide]);
        for start in (0..wide).step_by(BLOCK) {
            let mut column: [Block; N] = std::array::from_fn(|j| {
                let rest = &rows[j][start..];
                // Of a length that is known, it is a load and no call.
                rest.first_chunk().copied().unwrap_or_else(|| {
                    let mut block = [0; BLOCK];
                    block[..rest.len()].copy_from_slice(rest);
                    block
                })
            });
            sort(&mut column);
            for (rank, sorted) in ranks.iter_mut().zip(&column) {
                rank[start..start + BLOCK].copy_from_slice(sorted);
            }
        }
        for start in (0..row_len).step_by(BLOCK) {
            let middle = middle::<N>(&ranks, start, shape.channels);
            let rest = &mut out[start..];
            match rest.first_chunk_mut() {
                Some(out) => *out = middle,
                None => rest.copy_from_slice(&middle[..rest.len()]),
            }
        }
    }
}

/// The medians of the squares whose sorted columns are in `ranks`.
#[inline(always)]
fn middle<const N: usize>(ranks: &[Vec<u8>; N], start: usize, channels: usize) -> Block {
    let mut candidates = [[0u8; BLOCK]; MOST_CANDIDATES];
    let mut count = 0;
    for (i, rank) in ranks.iter().enumerate() {
        let mut across: [Block; N] = std::array::from_fn(|j| {
            let mut block = [0; BLOCK];
            block.copy_from_slice(&rank[start + j * channels..][..BLOCK]);
            block
        });
        sort(&mut across);
        for (j, block) in across.iter().enumerate() {
            if is_candidate::<N>(i, j) {
                candidates[count] = *block;
                count += 1;
            }
        }
    }
    select::<N>(&mut candidates)
}

/// Candidates of a square of side 7.
const MOST_CANDIDATES: usize = 29;

/// Whether the middle may be in row i and column j of a square whose rows and columns are sorted: where not too many values are
/// known to be no larger, or no smaller.
#[inline(always)]
fn is_candidate<const N: usize>(i: usize, j: usize) -> bool {
    let most = N * N / 2 + 1;
    (i + 1) * (j + 1) <= most && (N - i) * (N - j) <= most
}

/// The median of the candidates of a square whose rows and columns are sorted, taken row by row.
///
/// The exchanges were found by a greedy search with random ties: of all pairs the one that brings the smaller value nearest to
/// being below the middle in every case, and the larger one above it; a pair that is so is left out. They use what the order of
/// rows and columns says, so they are a third of those that removing extremes takes. The test goes through every case there is.
#[inline(always)]
fn select<const N: usize>(values: &mut [Block; MOST_CANDIDATES]) -> Block {
    match N {
        3 => {
            exchange!(values, (0 1) (1 2) (0 1));
            values[1]
        }
        5 => {
            exchange!(
                values,
                (3 10) (2 11) (0 9) (7 8) (1 5) (4 9) (5 7) (3 12) (3 11) (7 11) (3 4) (4 6) (4 11) (4 7) (3 7)
                (7 8) (6 7)
            );
            values[6]
        }
        _ => {
            exchange!(
                values,
                (11 12) (16 17) (10 16) (0 24) (12 18) (3 24) (1 25) (4 28) (0 20) (11 16) (16 22) (8 28) (19 22)
                (8 24) (5 24) (10 15) (12 15) (5 12) (16 21) (4 20) (4 23) (12 14) (6 13) (12 16) (8 13) (8 23)
                (1 20) (13 23) (13 20) (13 16) (6 16) (1 13) (6 13) (9 16) (2 16) (13 27) (9 27) (13 14) (9 13)
                (13 26) (13 19) (14 19) (14 15) (14 26) (2 14) (14 19) (14 26) (8 14) (4 14) (5 14) (14 15)
                (6 14) (13 14) (7 14) (9 14) (14 16) (14 17) (14 23) (14 20) (14 27) (14 22) (14 18) (14 24)
            );
            values[14]
        }
    }
}

fn histograms(padded: &[u8], wide: usize, shape: Shape, to: &mut [u8], side: usize) {
    let channels = shape.channels;
    let half = (side * side / 2) as u32;
    for (y, out) in to.chunks_exact_mut(shape.row()).enumerate() {
        for channel in 0..channels {
            let mut counts = [0u32; 256];
            let at = |row: usize, column: usize| padded[(y + row) * wide + column * channels + channel];
            for row in 0..side {
                (0..side - 1).for_each(|column| counts[usize::from(at(row, column))] += 1);
            }
            for x in 0..shape.width {
                (0..side).for_each(|row| counts[usize::from(at(row, x + side - 1))] += 1);
                let mut sum = 0;
                let median = counts.iter().position(|count| {
                    sum += count;
                    sum > half
                });
                out[x * channels + channel] = median.unwrap_or(0) as u8;
                (0..side).for_each(|row| counts[usize::from(at(row, x))] -= 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exchanges that are right for all values of 0 and 1 are right for all values (Knuth, volume 3, 5.3.4, "zero-one
    /// principle"), and sorted rows and columns of those are staircases.
    fn every_staircase<const N: usize>() {
        let mut ones = [0; N];
        loop {
            let mut values = [[0; BLOCK]; MOST_CANDIDATES];
            let candidates = (0..N * N).filter(|at| is_candidate::<N>(at / N, at % N));
            for (value, at) in values.iter_mut().zip(candidates) {
                *value = [u8::from(at % N >= N - ones[at / N]); BLOCK];
            }
            let most = ones.iter().sum::<usize>() > N * N / 2;
            assert_eq!(select::<N>(&mut values), [u8::from(most); BLOCK], "{ones:?}");
            // The next staircase: no row has fewer ones than the one above.
            let Some(row) = ones.iter().rposition(|&ones| ones < N) else { break };
            let next = ones[row] + 1;
            ones[row..].fill(next);
        }
    }

    #[test]
    fn selections_find_the_middle_of_every_square() {
        every_staircase::<3>();
        every_staircase::<5>();
        every_staircase::<7>();
    }

    #[test]
    fn networks_give_what_sorting_gives() {
        let shape = Shape { height: 19, width: 41, channels: 3 };
        let from: Vec<u8> = (0..shape.values()).map(|i| ((i * i * 31 + i * 7) >> 3) as u8).collect();
        for side in [3, 5, 7, 9] {
            let radius = side as i64 / 2;
            let mut to = vec![0; shape.values()];
            median(&from, shape, &mut to, side, &mut Scratch::default());
            for (i, &got) in to.iter().enumerate() {
                let (y, x, c) = (i / shape.row(), i % shape.row() / 3, i % 3);
                let mut square = Vec::new();
                for dy in -radius..=radius {
                    for dx in -radius..=radius {
                        let row = (y as i64 + dy).clamp(0, 18) as usize;
                        let column = (x as i64 + dx).clamp(0, 40) as usize;
                        square.push(from[(row * 41 + column) * 3 + c]);
                    }
                }
                square.sort_unstable();
                assert_eq!(got, square[side * side / 2], "side {side}, row {y}, column {x}");
            }
        }
    }
}
