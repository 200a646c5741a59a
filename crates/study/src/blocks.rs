//! What is paired in a comparison: seeds, or where there are several splits, splits.
//!
//! In: the values of every variant by block and by what is repeated within a block (seeds of a split; one value where blocks are seeds),
//! NaN where a run gave none. Out: what a variant is by itself, its differences from the baseline, and the variance that is pooled. A run
//! that is missing takes away its own pair alone.

use crate::statistics::comparison::{Pairs, complete_columns, residual};

/// The blocks of a study.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Blocks {
    /// `[variants][blocks]`: the mean over the runs that the variant has in a block; NaN without one.
    pub own: Vec<Vec<f64>>,
    /// Of every variant but the baseline.
    pub pairs: Vec<Pairs>,
    /// For each of them, what the baseline is over the runs that both have, and whether one of the two has runs that the other lacks.
    pub bases: Vec<(f64, bool)>,
    /// The residual mean square of what is complete, and its degrees of freedom.
    pub pooled: Option<(f64, f64)>,
}

impl Blocks {
    /// Of `tables: [variants][splits][seeds]`. `chance` is a variant that scatters by its nature as no other does, and is left out of what
    /// is pooled: what is learnt from shuffled labels is another thing with every shuffle.
    pub fn new(tables: &[Vec<Vec<f64>>], baseline: usize, chance: Option<usize>) -> Blocks {
        let cells: Vec<Vec<Vec<f64>>> = match tables.first().map_or(0, Vec::len) {
            1 => tables.iter().map(|table| table[0].iter().map(|&value| vec![value]).collect()).collect(),
            _ => tables.to_vec(),
        };
        let count = cells.first().map_or(0, Vec::len);
        // The seeds of each split that nearly all variants have.
        let kept: Vec<Vec<usize>> = (0..count)
            .map(|block| {
                let rows: Vec<&[f64]> = cells.iter().map(|of| of[block].as_slice()).collect();
                complete_columns(&rows, |rows, seeds| rows * seeds)
            })
            .collect();
        let of_kept = |of: &Vec<Vec<f64>>| -> Vec<f64> {
            let mean = |(cell, kept): (&Vec<f64>, &Vec<usize>)| {
                kept.iter().map(|&seed| cell[seed]).sum::<f64>() / kept.len() as f64
            };
            of.iter().zip(&kept).map(mean).collect()
        };
        let pooled = cells.iter().enumerate().filter(|&(variant, _)| Some(variant) != chance);
        let complete: Vec<Vec<f64>> = pooled.map(|(_, of)| of_kept(of)).collect();
        let others = || cells.iter().enumerate().filter(|&(variant, _)| variant != baseline);
        let bases = others().map(|(_, of)| shared_base(of, &cells[baseline])).collect();
        let pairs = others().map(|(variant, of)| {
            let blocks: Vec<Vec<f64>> =
                of.iter().zip(&cells[baseline]).map(|(cell, base)| both(cell, base)).collect();
            // Fewer seeds than the pooled variance is of scatter more: by their number at most, since what a split does is in it too.
            let shares = blocks.iter().zip(&kept).filter(|(both, _)| !both.is_empty());
            let shares: Vec<f64> = shares.map(|(both, kept)| kept.len() as f64 / both.len() as f64).collect();
            let scale = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
            Pairs {
                variant,
                differences: blocks.iter().map(|both| mean(both)).collect(),
                scale: scale.max(1.0),
            }
        });
        Blocks {
            own: cells.iter().map(|of| of.iter().map(|cell| mean(cell)).collect()).collect(),
            pairs: pairs.collect(),
            bases,
            pooled: residual(&complete),
        }
    }
}

/// The differences of the runs that both have.
fn both(cell: &[f64], base: &[f64]) -> Vec<f64> {
    cell.iter().zip(base).map(|(value, base)| value - base).filter(|value| value.is_finite()).collect()
}

/// The mean of the baseline over the blocks and runs that a variant has too, and whether one of the two has others.
fn shared_base(of: &[Vec<f64>], base: &[Vec<f64>]) -> (f64, bool) {
    let mut alone = false;
    let blocks = of.iter().zip(base).map(|(cell, base)| {
        let shared = base.iter().zip(cell).map(|(base, value)| {
            alone |= base.is_finite() != value.is_finite();
            if value.is_finite() { *base } else { f64::NAN }
        });
        mean(&shared.collect::<Vec<f64>>())
    });
    let blocks: Vec<f64> = blocks.collect();
    (mean(&blocks), alone)
}

/// The mean of the finite values; NaN without one.
fn mean(values: &[f64]) -> f64 {
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    finite.iter().sum::<f64>() / finite.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    #[test]
    fn seeds_of_a_split_that_were_not_run_yet_take_nothing_from_the_others() {
        let ran = vec![vec![vec![0.5, 0.6], vec![0.7, 0.6]], vec![vec![0.6, 0.8], vec![0.7, 0.9]]];
        // Two more seeds are planned, of which one was run for one variant of one split.
        let more = |table: &Vec<Vec<f64>>, next: f64| -> Vec<Vec<f64>> {
            vec![[&table[0][..], &[next, NAN]].concat(), [&table[1][..], &[NAN, NAN]].concat()]
        };
        let extended = vec![more(&ran[0], 0.9), more(&ran[1], NAN)];
        let (before, after) = (Blocks::new(&ran, 0, None), Blocks::new(&extended, 0, None));
        assert_eq!(before.pairs, after.pairs);
        assert_eq!(before.pooled, after.pooled);
        assert!((after.pairs[0].differences[0] - 0.15).abs() < 1e-12, "{after:?}");
        assert_eq!(after.own[1], before.own[1]);
        assert!((after.own[0][0] - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_variant_with_fewer_seeds_a_split_is_paired_by_those_and_scatters_more() {
        let whole = vec![vec![0.5, 0.6, 0.7, 0.8]; 2];
        let lacking = vec![vec![0.6, NAN, 0.8, NAN], vec![NAN, 0.7, NAN, 0.9]];
        let blocks = Blocks::new(&[whole.clone(), whole.clone(), lacking], 0, None);
        let of_lacking = &blocks.pairs[1];
        assert!(of_lacking.differences.iter().all(|d| (d - 0.1).abs() < 1e-12), "{of_lacking:?}");
        assert_eq!((blocks.pairs[0].scale, of_lacking.scale), (1.0, 2.0));
        // The pooled variance is of those that have all seeds.
        assert_eq!(blocks.pooled, Blocks::new(&[whole.clone(), whole], 0, None).pooled);
    }

    #[test]
    fn a_single_split_has_seeds_for_blocks() {
        let blocks = Blocks::new(&[vec![vec![0.5, 0.6, NAN]], vec![vec![0.7, NAN, 0.9]]], 0, None);
        assert!((blocks.pairs[0].differences[0] - 0.2).abs() < 1e-12);
        assert!(blocks.pairs[0].differences[1..].iter().all(|d| d.is_nan()));
        assert_eq!((blocks.own[1].len(), blocks.pairs[0].scale), (3, 1.0));
        assert!(Blocks::new(&[], 0, None).pairs.is_empty());
    }
}
