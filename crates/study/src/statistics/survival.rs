//! How much of a score above chance is left without something: a ratio of two differences, with an interval.
//!
//! With `v` the score without, `b` the score with it and `c` that of chance, the share is `(E v - E c) / (E b - E c)`. Its confidence set is
//! Fieller's (Fieller, "Some problems in interval estimation", Journal of the Royal Statistical Society B 1954): every ratio `r` for which
//! `v - c - r (b - c)` is not told from 0. That is a difference like any other in a study, paired by seed, so it is judged as these are:
//! with the pooled variance that gives way to the own one, over seeds and over images ([`super::crossed`]). The set is exact where scores
//! are normal, whatever their correlation, and it is unbounded where the baseline itself is not told from chance: then nothing is said.

use super::comparison::{Difference, Pairs, differences, judged, moments};
use super::crossed::both;

/// The blocks of three variants, paired: seeds, or the means of splits.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    /// Without what is hidden. `[blocks]`, NaN where a run gave none.
    pub without: Vec<f64>,
    /// With it: the baseline's. `[blocks]`
    pub with: Vec<f64>,
    /// Of chance. `[blocks]`
    pub chance: Vec<f64>,
    /// Pseudo-values of the three in the same order, `[blocks][groups]` each, of the blocks where all three have a value; none where the
    /// metric cannot be split by images.
    pub pseudo_values: Option<[Vec<Vec<f64>>; 3]>,
    /// Whether the score without comes from seeds, as the other two do; that of a method without a seed does not scatter.
    pub is_seeded: bool,
}

/// What all shares of a study are judged by.
#[derive(Debug, Clone, Copy)]
pub struct Judging {
    /// The residual mean square of the study, without the variant of chance, and its degrees of freedom.
    pub pooled: Option<(f64, f64)>,
    /// What one image changes of the metric; 0 where it is not known in steps.
    pub step: f64,
    /// Validation by training images where blocks are splits, 0 where they are seeds.
    pub overlap: f64,
    /// Shares that are told together.
    pub comparisons: usize,
}

/// The largest share that is looked at: beyond it an interval says nothing.
const FARTHEST: f64 = 64.0;

/// A share with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Survival {
    /// The share of the score above chance that is left.
    pub share: f64,
    /// Its 95 % interval, simultaneous over all shares; over seeds, and over images where these are known. None where the baseline is not
    /// told from chance.
    pub interval: Option<(f64, f64)>,
    /// Whether the interval is over images too.
    pub over_images: bool,
}

/// The share that is left; none for fewer than two blocks with all three scores.
pub fn survival(scores: &Scores, judging: &Judging) -> Option<Survival> {
    let share = ratio(scores)?;
    let over_images = scores.pseudo_values.is_some();
    let unknown = Survival { share, interval: None, over_images };
    // At an infinite ratio: the baseline against chance.
    let base =
        Scores { without: scores.with.clone(), is_seeded: true, pseudo_values: None, ..scores.clone() };
    let base = Scores {
        pseudo_values: scores
            .pseudo_values
            .as_ref()
            .map(|[_, with, chance]| [with.clone(), with.clone(), chance.clone()]),
        ..base
    };
    let single = Judging { comparisons: 1, ..*judging };
    if holds(&base, &single, 0.0)? || !share.is_finite() || share.abs() > FARTHEST {
        return Some(unknown);
    }
    let limit = |sign: f64| {
        // From the share itself outwards in steps that double, then between the last two.
        let (mut near, mut step) = (share, 1.0 / 64.0);
        let far = loop {
            let next = near + sign * step;
            if next.abs() > FARTHEST {
                return None;
            }
            if !holds(scores, judging, next)? {
                break next;
            }
            (near, step) = (next, 2.0 * step);
        };
        let (mut inside, mut outside) = (near, far);
        for _ in 0..30 {
            let middle = 0.5 * (inside + outside);
            if holds(scores, judging, middle)? { inside = middle } else { outside = middle }
        }
        Some(0.5 * (inside + outside))
    };
    let interval = limit(-1.0).zip(limit(1.0));
    Some(Survival { interval, ..unknown })
}

/// The blocks of `v - c - r (b - c)`.
fn contrast(scores: &Scores, ratio: f64) -> Vec<f64> {
    let all = scores.without.iter().zip(&scores.with).zip(&scores.chance);
    all.map(|((without, with), chance)| without - chance - ratio * (with - chance)).collect()
}

fn ratio(scores: &Scores) -> Option<f64> {
    let mean = |of: Vec<f64>| {
        let finite: Vec<f64> = of.into_iter().filter(|value| value.is_finite()).collect();
        (finite.len() > 1).then(|| finite.iter().sum::<f64>() / finite.len() as f64)
    };
    // `b - c` over the blocks in which all three have a value.
    let left = contrast(scores, 0.0);
    let all = contrast(scores, 1.0).into_iter().zip(&left).map(|(rest, left)| left - rest).collect();
    Some(mean(left)? / mean(all)?)
}

/// Whether a ratio is not told from the true one.
fn holds(scores: &Scores, judging: &Judging, ratio: f64) -> Option<bool> {
    // A sum of independent scores scatters by the sum of its squared weights. What is learnt from shuffled labels is another thing with every
    // shuffle, so chance scatters by a variance of its own; the degrees of freedom of both together are Satterthwaite's.
    let variants = f64::from(u8::from(scores.is_seeded)) + ratio * ratio;
    let (_, sd, blocks) = moments(&scores.chance);
    let of_chance = (1.0 - ratio).powi(2) * sd.powi(2);
    let pooled = judging.pooled.map(|(square, df)| {
        let of_variants = variants * square;
        let all = of_variants + of_chance;
        let parts = of_variants.powi(2) / df + of_chance.powi(2) / (blocks - 1) as f64;
        // The variance that is pooled is told as half of that of a difference.
        (0.5 * all, if parts > 0.0 { all.powi(2) / parts } else { df })
    });
    let pairs = [Pairs { variant: 0, differences: contrast(scores, ratio), scale: 1.0 }];
    // Rounding to steps has the variance steps² / 12 (Sheppard).
    let floor = (variants + (1.0 - ratio).powi(2)) * judging.step * judging.step / 12.0;
    let mut difference: Difference = *differences(&pairs, pooled, floor, judging.overlap).first()?;
    let error = difference.error();
    (difference.p_value, difference.interval) =
        judged(difference.mean, error, difference.df, judging.comparisons);
    let interval = match &scores.pseudo_values {
        Some([without, with, chance]) => {
            let row = |block: usize| {
                let all = without[block].iter().zip(&with[block]).zip(&chance[block]);
                all.map(|((without, with), chance)| without - chance - ratio * (with - chance)).collect()
            };
            let table: Vec<Vec<f64>> = (0..without.len()).map(row).collect();
            both(&difference, &table, judging.step, judging.comparisons)
                .map_or(difference.interval, |both| both.interval)
        }
        None => difference.interval,
    };
    Some(interval.0 <= 0.0 && 0.0 <= interval.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::comparison::residual;
    use crate::statistics::normal::Normals;

    const ONE: Judging = Judging { pooled: None, step: 0.0, overlap: 0.0, comparisons: 1 };

    /// Scatter of a simulated study: of seeds, of images, and of the rest; how far the baseline is above chance; the true share.
    #[derive(Debug, Clone, Copy)]
    struct World {
        /// How much more chance scatters than the others.
        chance: f64,
        seeds: usize,
        images: usize,
        of_seeds: f64,
        of_images: f64,
        rest: f64,
        above: f64,
        share: f64,
        seeded: bool,
    }

    /// Runs of one study: a score for each image is its ease, which all variants share in part, and what seed and chance make of it.
    fn simulated(world: World, study: u32) -> (Scores, Vec<Vec<f64>>) {
        let mut normals = Normals::new(33, study);
        let truths = [0.3 + world.share * world.above, 0.3 + world.above, 0.3];
        let shared: Vec<f64> = (0..world.images).map(|_| normals.next()).collect();
        let table = |truth: f64, (seeded, scale): (bool, f64), normals: &mut Normals| -> Vec<Vec<f64>> {
            let own: Vec<f64> = (0..world.images).map(|_| normals.next()).collect();
            let ease = |image: usize| world.of_images * (0.8 * shared[image] + 0.6 * own[image]);
            let mut run = || -> Vec<f64> {
                let seed = scale * world.of_seeds * normals.next();
                (0..world.images)
                    .map(|image| truth + ease(image) + seed + world.rest * normals.next())
                    .collect()
            };
            if seeded {
                return (0..world.seeds).map(|_| run()).collect();
            }
            let fixed = (0..world.images).map(|image| truth + ease(image)).collect();
            vec![fixed; world.seeds]
        };
        let tables = [
            table(truths[0], (world.seeded, 1.0), &mut normals),
            table(truths[1], (true, 1.0), &mut normals),
            table(truths[2], (true, world.chance), &mut normals),
        ];
        let mean = |row: &Vec<f64>| row.iter().sum::<f64>() / row.len() as f64;
        let [without, with, chance] =
            tables.each_ref().map(|table| table.iter().map(mean).collect::<Vec<f64>>());
        let values = vec![with.clone(), without.clone(), chance.clone()];
        (Scores { without, with, chance, pseudo_values: Some(tables), is_seeded: world.seeded }, values)
    }

    #[test]
    fn the_interval_holds_the_true_share() {
        let plain = World {
            chance: 1.0,
            seeds: 5,
            images: 100,
            of_seeds: 0.02,
            of_images: 0.4,
            rest: 0.3,
            above: 0.4,
            share: 0.5,
            seeded: true,
        };
        let worlds = [
            plain,
            World { share: 0.0, ..plain },
            World { share: 1.0, ..plain },
            World { seeds: 3, ..plain },
            World { seeds: 10, images: 30, ..plain },
            World { of_images: 0.0, of_seeds: 0.05, ..plain },
            World { of_seeds: 0.0, of_images: 0.5, ..plain },
            // The baseline is hardly above chance: most intervals are none, and those that are must hold the truth.
            World { above: 0.1, images: 60, ..plain },
            World { seeded: false, ..plain },
            World { chance: 5.0, ..plain },
            World { chance: 5.0, of_seeds: 0.05, seeds: 10, ..plain },
            World { seeded: false, share: 0.0, images: 300, ..plain },
        ];
        for world in worlds {
            let (mut held, mut known, mut width) = (0, 0, 0.0);
            let studies = 400;
            for study in 0..studies {
                let (scores, values) = simulated(world, study);
                let pooled = residual(&values[..if world.seeded { 2 } else { 1 }]);
                let found = survival(&scores, &Judging { pooled, ..ONE }).unwrap();
                match found.interval {
                    Some((low, high)) => {
                        known += 1;
                        width += high - low;
                        held += u32::from(low <= world.share && world.share <= high);
                    }
                    // Where nothing is said nothing is wrong.
                    None => held += 1,
                }
            }
            let share = f64::from(held) / f64::from(studies);
            println!(
                "{world:?}: held {share:.3}, known {known}, width {:.2}",
                width / f64::from(known.max(1))
            );
            // 400 studies know 95 % to 2.2 points (two standard deviations).
            assert!(share > 0.93, "{world:?}: {share}");
        }
    }

    #[test]
    fn a_baseline_at_chance_has_no_interval() {
        let scores = Scores {
            without: vec![0.35, 0.31, 0.33],
            with: vec![0.34, 0.3, 0.35],
            chance: vec![0.33, 0.34, 0.32],
            pseudo_values: None,
            is_seeded: true,
        };
        assert_eq!(survival(&scores, &ONE).unwrap().interval, None);
        let one =
            Scores { without: vec![0.5, f64::NAN], with: vec![0.7, 0.7], chance: vec![0.3, 0.3], ..scores };
        assert_eq!(survival(&one, &ONE), None);
    }

    #[test]
    fn fiellers_interval_of_a_textbook_is_found() {
        // d(r) has the mean 0.2 - 0.4 r and the variance of its blocks: the roots of its quadratic, for t of two degrees of freedom (4.302653).
        let scores = Scores {
            without: vec![0.50, 0.52, 0.48],
            with: vec![0.70, 0.69, 0.71],
            chance: vec![0.30, 0.30, 0.30],
            pseudo_values: None,
            is_seeded: true,
        };
        let (low, high) = survival(&scores, &ONE).unwrap().interval.unwrap();
        let edge = |r: f64| {
            let d: Vec<f64> =
                [(0.20, 0.40), (0.22, 0.39), (0.18, 0.41)].iter().map(|(v, b)| v - r * b).collect();
            let mean = d.iter().sum::<f64>() / 3.0;
            let variance = d.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 2.0;
            mean.abs() - 4.302_652_729 * (variance / 3.0).sqrt()
        };
        assert!(edge(low).abs() < 1e-7 && edge(high).abs() < 1e-7, "{low} {high}");
        assert!(low < 0.5 && 0.5 < high);
    }
}
