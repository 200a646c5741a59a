//! Medians of squares, as `cv2.medianBlur` with its replicated border.
//!
//! Sides of 3, 5 and 7 go through networks of minima and maxima over whole rows, which the compiler turns into vector
//! instructions: each column of the square is sorted once for all squares it belongs to, then each rank across the columns;
//! what cannot be the middle any more is left out, and of the rest the extremes are removed two by two (Paeth 1990). Larger
//! sides keep a histogram of the square (Huang 1979).

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

/// Sorting networks with the fewest exchanges (Knuth, volume 3, 5.3.4).
#[inline(always)]
fn sort<const N: usize>(values: &mut [Block; N]) {
    const THREE: &[(usize, usize)] = &[(0, 2), (0, 1), (1, 2)];
    const FIVE: &[(usize, usize)] = &[(0, 3), (1, 4), (0, 2), (1, 3), (0, 1), (2, 4), (1, 2), (3, 4), (2, 3)];
    #[rustfmt::skip]
    const SEVEN: &[(usize, usize)] = &[
        (0, 6), (2, 3), (4, 5), (0, 2), (1, 4), (3, 6), (0, 1), (2, 5),
        (3, 4), (1, 2), (4, 6), (2, 3), (4, 5), (1, 2), (3, 4), (5, 6),
    ];
    let network = match N {
        3 => THREE,
        5 => FIVE,
        _ => SEVEN,
    };
    for &(i, j) in network {
        order_at(values, i, j);
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

#[inline(always)]
fn middle<const N: usize>(ranks: &[Vec<u8>; N], start: usize, channels: usize) -> Block {
    let half = N * N / 2;
    let mut candidates = [[0u8; BLOCK]; 32];
    let mut count = 0;
    for (i, rank) in ranks.iter().enumerate() {
        let mut across: [Block; N] = std::array::from_fn(|j| {
            let mut block = [0; BLOCK];
            block.copy_from_slice(&rank[start + j * channels..][..BLOCK]);
            block
        });
        sort(&mut across);
        for (j, block) in across.iter().enumerate() {
            // In sorted rows and columns these many are no larger, and no smaller, than this one.
            let (below, above) = ((i + 1) * (j + 1), (N - i) * (N - j));
            if below <= half + 1 && above <= half + 1 {
                candidates[count] = *block;
                count += 1;
            }
        }
    }
    // As many were left out above as below. Of one more than half of them the extremes cannot be the middle.
    let mut taken = count / 2 + 2;
    let mut next = taken;
    if count <= 3 {
        taken = count;
        next = count;
    }
    while taken > 1 {
        let (mut low, mut high) = (0, taken - 1);
        // Minimum to the front, maximum to the back.
        while low < high {
            let (mut a, mut b) = (candidates[low], candidates[high]);
            order(&mut a, &mut b);
            (candidates[low], candidates[high]) = (a, b);
            low += 1;
            high -= 1;
        }
        for i in 1..taken.div_ceil(2) {
            let (mut a, mut b) = (candidates[0], candidates[i]);
            order(&mut a, &mut b);
            (candidates[0], candidates[i]) = (a, b);
        }
        for i in taken / 2..taken - 1 {
            let (mut a, mut b) = (candidates[i], candidates[taken - 1]);
            order(&mut a, &mut b);
            (candidates[i], candidates[taken - 1]) = (a, b);
        }
        // Leave out both; the next candidate takes the first place.
        if next < count {
            candidates[0] = candidates[next];
            next += 1;
            taken -= 1;
        } else {
            candidates[0] = candidates[taken - 2];
            taken -= 2;
        }
    }
    candidates[0]
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
