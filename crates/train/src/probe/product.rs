//! The product of a matrix in f32 and one in f64, in f64: what fitting a head to features spends its time on.
//!
//! Each element is summed up in the order of the inner dimension, so neither threads nor instruction sets change a bit of it.

use pupila_isa::dispatch;
use rayon::prelude::*;

/// Columns of a panel: the fewest of these that hold all columns, or the most.
const WIDTHS: [usize; 3] = [8, 16, 32];
/// Rows whose sums are in registers at once.
const ROWS: usize = 4;
/// Rows of one job; fixed, so that the work is cut alike for any number of threads.
const JOB: usize = 32;

/// A matrix of f64 whose columns stand in panels: `[panels, rows, width]`, filled up with zeros.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Panels {
    pub(super) rows: usize,
    pub(super) columns: usize,
    width: usize,
    pub(super) values: Vec<f64>,
}

impl Panels {
    pub(super) fn zeros(rows: usize, columns: usize) -> Self {
        let width = WIDTHS.into_iter().find(|&width| width >= columns).unwrap_or(WIDTHS[2]);
        Panels { rows, columns, width, values: vec![0.0; columns.div_ceil(width) * width * rows] }
    }

    /// Of a function of row and column.
    pub(super) fn of(rows: usize, columns: usize, value: impl Fn(usize, usize) -> f64) -> Self {
        let mut panels = Panels::zeros(rows, columns);
        for row in 0..rows {
            for column in 0..columns {
                let at = panels.place(row, column);
                panels.values[at] = value(row, column);
            }
        }
        panels
    }

    /// A matrix of the same form with other values, padded alike.
    pub(super) fn with(&self, values: Vec<f64>) -> Self {
        Panels { values, ..*self }
    }

    pub(super) fn place(&self, row: usize, column: usize) -> usize {
        (column / self.width * self.rows + row) * self.width + column % self.width
    }

    pub(super) fn at(&self, row: usize, column: usize) -> f64 {
        self.values[self.place(row, column)]
    }

    /// The values of a row.
    pub(super) fn row(&self, row: usize) -> impl Iterator<Item = f64> + '_ {
        (0..self.columns).map(move |column| self.at(row, column))
    }
}

/// `a [rows, inner] · b [inner, columns]`
pub(super) fn product(a: &[f32], b: &Panels) -> Panels {
    let inner = b.rows.max(1);
    let rows = a.len() / inner;
    let mut out = Panels::zeros(rows, b.columns);
    if rows == 0 || b.rows == 0 {
        return out;
    }
    match b.width {
        8 => panels::<8>(a, inner, &b.values, &mut out.values),
        16 => panels::<16>(a, inner, &b.values, &mut out.values),
        _ => panels::<32>(a, inner, &b.values, &mut out.values),
    }
    out
}

fn panels<const WIDTH: usize>(a: &[f32], inner: usize, b: &[f64], out: &mut [f64]) {
    let rows = a.len() / inner;
    let panels = b.par_chunks(inner * WIDTH).zip(out.par_chunks_mut(rows * WIDTH));
    panels.for_each(|(b, out)| {
        let jobs = a.par_chunks(JOB * inner).zip(out.par_chunks_mut(JOB * WIDTH));
        jobs.for_each(|(a, out)| {
            dispatch(
                #[inline(always)]
                || part::<WIDTH>(a, inner, b, out),
            );
        });
    });
}

/// Some rows of one panel.
#[inline(always)]
fn part<const WIDTH: usize>(a: &[f32], inner: usize, b: &[f64], out: &mut [f64]) {
    for (a, out) in a.chunks(ROWS * inner).zip(out.chunks_mut(ROWS * WIDTH)) {
        let mut sums = [[0.0f64; WIDTH]; ROWS];
        if a.len() == ROWS * inner {
            let (first, rest) = a.split_at(inner);
            let (second, rest) = rest.split_at(inner);
            let (third, fourth) = rest.split_at(inner);
            let rows = first.iter().zip(second).zip(third.iter().zip(fourth));
            for (((&p, &q), (&r, &s)), b) in rows.zip(b.as_chunks::<WIDTH>().0) {
                let factors = [p, q, r, s].map(f64::from);
                for (sums, factor) in sums.iter_mut().zip(factors) {
                    for (sum, b) in sums.iter_mut().zip(b) {
                        *sum += factor * b;
                    }
                }
            }
        } else {
            for (sums, a) in sums.iter_mut().zip(a.chunks(inner)) {
                for (&factor, b) in a.iter().zip(b.as_chunks::<WIDTH>().0) {
                    for (sum, b) in sums.iter_mut().zip(b) {
                        *sum += f64::from(factor) * b;
                    }
                }
            }
        }
        out.as_chunks_mut::<WIDTH>().0.iter_mut().zip(sums).for_each(|(out, sums)| *out = sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_sum_in_order_for_any_shape() {
        for (rows, inner, columns) in
            [(1, 1, 1), (7, 5, 33), (70, 13, 3), (4, 0, 2), (37, 64, 100), (9, 6, 8), (5, 3, 16)]
        {
            let a: Vec<f32> = (0..rows * inner).map(|i| (i as f32 * 0.37).sin()).collect();
            let b = Panels::of(inner, columns, |row, column| ((row * 31 + column) as f64 * 0.11).cos());
            let c = product(&a, &b);
            for row in 0..c.rows {
                for column in 0..columns {
                    let terms = (0..inner).map(|k| f64::from(a[row * inner + k]) * b.at(k, column));
                    assert_eq!(c.at(row, column), terms.fold(0.0, |sum, term| sum + term));
                }
            }
        }
    }
}
