//! How surely a study finds a difference, told before it runs and for what it left open.

use super::comparison::{Difference, LEVEL, adjusted, differences, level_of_each, paired, residual};
use super::normal::Normals;
use super::student_t::{two_sided_p, two_sided_quantile};

/// Simulated studies: the share is known to 1.6 points (two standard deviations, at one half).
const STUDIES: u32 = 4000;

/// The share of studies in which a difference of `effect` standard deviations between blocks is found, of one variant among
/// `variants`, the baseline among them, with so many `blocks` each. Simulated: the whole procedure is done on normal numbers. `overlap` is
/// validation by training images where blocks are splits of the same images, 0 where they are seeds: splits then correlate by overlap /
/// (1 + overlap), as the correction of Nadeau and Bengio assumes.
pub fn power(effect: f64, variants: usize, blocks: usize, overlap: f64) -> f64 {
    if variants < 2 || blocks < 2 {
        return 0.0;
    }
    // What all splits of a variant share, where what differs from one to the next has the standard deviation 1.
    let shared = overlap.sqrt();
    let found = (0..STUDIES).filter(|&study| {
        let mut normals = Normals::new(11, study);
        let mut values: Vec<Vec<f64>> =
            (0..variants).map(|_| (0..blocks).map(|_| normals.next()).collect()).collect();
        if shared > 0.0 {
            for row in &mut values {
                let of_all = shared * normals.next();
                row.iter_mut().for_each(|value| *value += of_all);
            }
        }
        values[1].iter_mut().for_each(|value| *value += effect);
        // As `compare` judges it, without the interval, which takes most of the time.
        let found = differences(&paired(&values, 0), residual(&values), 0.0, overlap);
        found.first().is_some_and(|first| {
            adjusted(two_sided_p(first.mean / first.error(), first.df), found.len()) < LEVEL
        })
    });
    found.count() as f64 / f64::from(STUDIES)
}

/// The share of studies of so many `variants` without any difference in which one is claimed nevertheless: in one of the `looks`, numbers of
/// blocks after which the study was judged, with the blocks of the look before among them. The baseline scatters `baseline_sd` times as much
/// as the others. Simulated, as [`power`] is.
pub fn false_claims(variants: usize, looks: &[usize], baseline_sd: f64) -> f64 {
    let blocks = looks.iter().copied().max().unwrap_or(0);
    let claimed = (0..STUDIES).filter(|&study| {
        let mut normals = Normals::new(12, study);
        let mut values: Vec<Vec<f64>> =
            (0..variants).map(|_| (0..blocks).map(|_| normals.next()).collect()).collect();
        values.iter_mut().take(1).flatten().for_each(|value| *value *= baseline_sd);
        looks.iter().any(|&look| {
            let seen: Vec<Vec<f64>> = values.iter().map(|row| row[..look].to_vec()).collect();
            let found = differences(&paired(&seen, 0), residual(&seen), 0.0, 0.0);
            let p = |of: &Difference| adjusted(two_sided_p(of.mean / of.error(), of.df), found.len());
            found.iter().any(|of| p(of) < LEVEL)
        })
    });
    claimed.count() as f64 / f64::from(STUDIES)
}

/// The same for one look, where the baseline is the least stable variant: the larger share of those where it scatters three and six times as
/// much as the others.
pub fn false_claims_of_an_unstable_baseline(variants: usize, blocks: usize) -> f64 {
    [3.0, 6.0].map(|sd| false_claims(variants, &[blocks], sd)).into_iter().fold(0.0, f64::max)
}

/// The smallest difference, in standard deviations between blocks, that is found in 80 % of studies; none for fewer than two blocks. What
/// is given is as in [`power`].
pub fn detectable(variants: usize, blocks: usize, overlap: f64) -> Option<f64> {
    if variants < 2 || blocks < 2 {
        return None;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while power(high, variants, blocks, overlap) < 0.8 {
        (low, high) = (high, 2.0 * high);
    }
    // A hundredth of a standard deviation is closer than anybody needs.
    while high - low > 0.01 {
        let middle = 0.5 * (low + high);
        if power(middle, variants, blocks, overlap) < 0.8 { low = middle } else { high = middle }
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
        let at = |effect, seeds| power(effect, 7, seeds, 0.0);
        assert!(at(2.0, 5) > at(1.0, 5) && at(1.0, 10) > at(1.0, 5));
        assert!(at(0.0, 5) < 0.02, "one comparison of six: {}", at(0.0, 5));
        let detectable = detectable(7, 5, 0.0).unwrap();
        assert!((at(detectable, 5) - 0.8).abs() < 0.02, "{detectable}");
        assert_eq!(power(3.0, 1, 5, 0.0), 0.0);
    }

    #[test]
    fn splits_of_the_same_images_are_announced_to_find_less() {
        // Four fifths are trained on and a fifth is judged: overlap 1/4, so five splits are worth little more than two.
        let overlap = 0.25;
        assert!(power(0.0, 2, 5, overlap) < 0.06, "{}", power(0.0, 2, 5, overlap));
        assert!(power(2.0, 2, 5, overlap) < power(2.0, 2, 5, 0.0) - 0.2);
        let (of_splits, of_seeds) = (detectable(2, 5, overlap).unwrap(), detectable(2, 5, 0.0).unwrap());
        assert!(of_splits > 1.3 * of_seeds, "{of_splits} {of_seeds}");
        assert!((power(of_splits, 2, 5, overlap) - 0.8).abs() < 0.02);
        // More splits of the same images cannot go beyond what the images say.
        assert!(power(0.8, 2, 200, overlap) < 0.8, "{}", power(0.8, 2, 200, overlap));
        assert!(power(0.8, 2, 200, 0.0) > 0.99);
    }

    #[test]
    fn few_seeds_of_an_unstable_baseline_and_many_looks_claim_what_is_not_there() {
        let share = |found: f64, told: f64| assert!((found - told).abs() < 0.015, "{found}, told {told}");
        // As the head of `comparison.rs` and docs/studies.md tell them.
        share(false_claims_of_an_unstable_baseline(2, 2), 0.05);
        share(false_claims_of_an_unstable_baseline(7, 2), 0.165);
        share(false_claims_of_an_unstable_baseline(12, 2), 0.205);
        share(false_claims_of_an_unstable_baseline(7, 3), 0.10);
        share(false_claims_of_an_unstable_baseline(7, 5), 0.08);
        share(false_claims(2, &[5], 1.0), 0.05);
        share(false_claims(2, &[5, 10], 1.0), 0.085);
        share(false_claims(2, &[5, 10, 20], 1.0), 0.115);
        share(false_claims(7, &[5, 10, 20], 1.0), 0.075);
        assert_eq!(false_claims(2, &[], 1.0), 0.0);
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
            let power = power(effect, variants, seeds, 0.0);
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
