//! How surely a study finds a difference, told before it runs and for what it left open.

use super::comparison::{Difference, LEVEL, adjusted, differences, level_of_each};
use super::normal::Normals;
use super::student_t::{two_sided_p, two_sided_quantile};

/// Simulated studies: the share is known to 1.6 points (two standard deviations, at one half).
const STUDIES: u32 = 4000;

/// The share of studies in which a difference of `effect` standard deviations between seeds is found, of one variant among
/// `variants`, the baseline among them, with `seeds` each. Simulated: the whole procedure is done on normal numbers.
pub fn power(effect: f64, variants: usize, seeds: usize) -> f64 {
    if variants < 2 || seeds < 2 {
        return 0.0;
    }
    let found = (0..STUDIES).filter(|&study| {
        let mut normals = Normals::new(11, study);
        let mut values: Vec<Vec<f64>> =
            (0..variants).map(|_| (0..seeds).map(|_| normals.next()).collect()).collect();
        values[1].iter_mut().for_each(|value| *value += effect);
        // As `compare` judges it, without the interval, which takes most of the time.
        let found = differences(&values, 0, 0.0, 0.0);
        found.first().is_some_and(|first| {
            adjusted(two_sided_p(first.mean / first.error(), first.df), found.len()) < LEVEL
        })
    });
    found.count() as f64 / f64::from(STUDIES)
}

/// The smallest difference, in standard deviations between seeds, that is found in 80 % of studies; none for fewer than two seeds.
pub fn detectable(variants: usize, seeds: usize) -> Option<f64> {
    if variants < 2 || seeds < 2 {
        return None;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while power(high, variants, seeds) < 0.8 {
        (low, high) = (high, 2.0 * high);
    }
    // A hundredth of a standard deviation is closer than anybody needs.
    while high - low > 0.01 {
        let middle = 0.5 * (low + high);
        if power(middle, variants, seeds) < 0.8 { low = middle } else { high = middle }
    }
    Some(high)
}

/// Seeds in all, at most, that [`seeds_needed`] answers.
pub const MOST_SEEDS: usize = 1000;

/// How many blocks in all would show a difference in 80 % of studies, were it as large as it seems: more than there are. None where more
/// than [`MOST_SEEDS`] would be needed. By the normal approximation of the noncentral t distribution; the degrees of freedom grow
/// from those by which the difference was judged.
pub fn seeds_needed(difference: &Difference, comparisons: usize) -> Option<usize> {
    const Z_80: f64 = 0.841_621_233_572_914_2;
    let Difference { mean, variance, df, blocks, overlap, .. } = *difference;
    if mean == 0.0 || !mean.is_finite() || !variance.is_finite() {
        return None;
    }
    (blocks + 1..=MOST_SEEDS).find(|&n| {
        let df = df * (n - 1) as f64 / (blocks - 1) as f64;
        let critical = two_sided_quantile(level_of_each(comparisons), df);
        mean.abs() / (variance * (1.0 / n as f64 + overlap)).sqrt() >= critical + Z_80
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_seeds_and_larger_differences_are_found_more_surely() {
        let at = |effect, seeds| power(effect, 7, seeds);
        assert!(at(2.0, 5) > at(1.0, 5) && at(1.0, 10) > at(1.0, 5));
        assert!(at(0.0, 5) < 0.02, "one comparison of six: {}", at(0.0, 5));
        let detectable = detectable(7, 5).unwrap();
        assert!((at(detectable, 5) - 0.8).abs() < 0.02, "{detectable}");
        assert_eq!(power(3.0, 1, 5), 0.0);
    }

    #[test]
    fn the_seeds_that_are_asked_for_suffice() {
        for (effect, variants) in [(1.0, 2), (1.5, 4), (0.7, 7)] {
            let judged = Difference {
                variant: 1,
                blocks: 2,
                mean: effect,
                own_sd: 1.0,
                variance: 2.0,
                df: (variants - 1) as f64,
                overlap: 0.0,
                p_value: 1.0,
                interval: (-1.0, 1.0),
            };
            let seeds = seeds_needed(&judged, variants - 1).unwrap();
            let power = power(effect, variants, seeds);
            assert!((0.70..0.88).contains(&power), "{effect} of {variants}: {seeds} seeds, {power}");
            // What is open needs more than there are.
            let many = Difference { blocks: 50, df: 49.0, mean: 3.0, ..judged };
            assert_eq!(seeds_needed(&many, 1), Some(51));
            assert_eq!(seeds_needed(&Difference { mean: 0.0, ..judged }, 1), None);
            assert_eq!(seeds_needed(&Difference { mean: 0.001, ..judged }, 1), None);
            // Splits of the same images never suffice for what is small beside their overlap.
            assert_eq!(seeds_needed(&Difference { overlap: 0.25, ..judged }, 1), None);
        }
    }
}
