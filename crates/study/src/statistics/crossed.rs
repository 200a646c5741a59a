//! Seeds and images at once: would the difference be there with other seeds *and* other images?
//!
//! Every run judges the same images, so seeds and images are crossed random effects. A metric is split into one value an image
//! (or group of images) by the jackknife: pseudo-values (Tukey; Quenouille 1956), which for accuracy are exactly right = 1, wrong = 0.
//! The differences of two variants then make a table seeds x groups, whose mean has the variance
//!
//! ```text
//! (MS_seeds + MS_groups - MS_rest) / (seeds x groups)
//! ```
//!
//! of the two-way random model (Cornfield and Tukey 1956; as in reader studies, Dorfman, Berbaum and Metz 1992). The seeds' part is
//! replaced by the variance that the test over seeds uses, so that this interval is never the narrower one. What images bring is a
//! difference of two mean squares, (MS_groups - MS_rest) / (seeds x groups), and the degrees of freedom are Satterthwaite's (Biometrics
//! Bulletin 1946) with both of them: of 20,000 simulated studies without a difference, of four groups and
//! five seeds, 2.4 % claimed one; 7.7 % did with groups - 1 for the images as a whole.
//!
//! Few images and seeds know that difference of mean squares so badly that it is often 0 or less, and would then say nothing of images. So
//! the interval is also never narrower than that of the images alone: Student's t over the groups' mean differences (their mean square by
//! the number of groups, groups - 1 degrees of freedom). And no number of images knows a share better than to one of them: where a few
//! images happen to agree, their scatter is 0, and the standard error of the images is at least one image by all of them.

use super::comparison::{Difference, judged, level_of_each};
use super::student_t::two_sided_quantile;

/// What seeds and images together leave of a difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Both {
    /// Half the width of the interval of the images alone, simultaneous over all comparisons: what other images of the kind could change.
    pub images_half_width: f64,
    /// Degrees of freedom.
    pub df: f64,
    /// Adjusted for all comparisons.
    pub p_value: f64,
    /// 95 % interval, simultaneous over all comparisons.
    pub interval: (f64, f64),
}

/// The same difference judged over seeds and images. `table: [seeds][groups]`, the differences of the pseudo-values; None for fewer
/// than two seeds or groups. `step` is what one image changes of the metric, 0 where it is not known in steps.
pub fn both(difference: &Difference, table: &[Vec<f64>], step: f64, comparisons: usize) -> Option<Both> {
    let (seeds, groups) = (table.len(), table.first()?.len());
    if seeds < 2 || groups < 2 || table.iter().any(|row| row.len() != groups) {
        return None;
    }
    let (s, g) = (seeds as f64, groups as f64);
    let row: Vec<f64> = table.iter().map(|row| row.iter().sum::<f64>() / g).collect();
    let column: Vec<f64> =
        (0..groups).map(|group| table.iter().map(|row| row[group]).sum::<f64>() / s).collect();
    let mean = row.iter().sum::<f64>() / s;
    let of_groups = s * column.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (g - 1.0);
    let mut rest = 0.0;
    for (values, of_row) in table.iter().zip(&row) {
        for (value, of_column) in values.iter().zip(&column) {
            rest += (value - of_row - of_column + mean).powi(2);
        }
    }
    rest /= (s - 1.0) * (g - 1.0);
    let images_variance = ((of_groups - rest) / (s * g)).max(0.0);
    let seeds_variance = difference.error().powi(2);
    let variance = seeds_variance + images_variance;
    // Each mean square is as uncertain as its own degrees of freedom leave it, also where their difference is 0.
    let of_images =
        (of_groups.powi(2) / (g - 1.0) + rest.powi(2) / ((s - 1.0) * (g - 1.0))) / (s * g).powi(2);
    let df = variance.powi(2) / (seeds_variance.powi(2) / difference.df + of_images).max(f64::MIN_POSITIVE);
    let (p_both, of_both) = judged(difference.mean, variance.sqrt(), df.max(1.0), comparisons);
    let images_error = (of_groups / (s * g)).sqrt().max(step);
    let (p_images, of_images) = judged(difference.mean, images_error, g - 1.0, comparisons);
    // More degrees of freedom could make it the narrower one: what seeds or images leave open, the others cannot close.
    let all = [of_both, of_images, difference.interval];
    let interval = all.iter().fold(difference.interval, |(low, high), of| (low.min(of.0), high.max(of.1)));
    let p_value = difference.p_value.max(p_both).max(p_images);
    let images_half_width = two_sided_quantile(level_of_each(comparisons), g - 1.0) * images_error;
    Some(Both { images_half_width, df, p_value, interval })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::comparison::{LEVEL, compare, moments};
    use crate::statistics::normal::Normals;

    /// Coverage of the true difference, 0, where seeds and images both scatter.
    fn coverage(seeds: usize, images: usize, of_seeds: f64, of_images: f64, rest: f64) -> f64 {
        let studies = 2000;
        let held = (0..studies).filter(|&study| {
            let mut normals = Normals::new(21, study);
            let image: Vec<f64> = (0..images).map(|_| of_images * normals.next()).collect();
            let table: Vec<Vec<f64>> = (0..seeds)
                .map(|_| {
                    let seed = of_seeds * normals.next();
                    image.iter().map(|image| image + seed + rest * normals.next()).collect()
                })
                .collect();
            let mean = |row: &Vec<f64>| row.iter().sum::<f64>() / images as f64;
            let values = vec![vec![0.0; seeds], table.iter().map(mean).collect()];
            let found = compare(&values, 0, 0.0, 0.0);
            let both = both(&found[0], &table, 0.0, 1).unwrap();
            both.interval.0 <= 0.0 && 0.0 <= both.interval.1
        });
        held.count() as f64 / f64::from(studies)
    }

    #[test]
    fn the_interval_holds_the_truth_where_seeds_and_images_scatter() {
        // 2,000 studies know 95 % to one point (two standard deviations).
        for (seeds, images, of_seeds, of_images, rest) in [
            (5, 60, 0.05, 0.4, 0.3),
            (5, 60, 0.0, 0.4, 0.3),
            (5, 60, 0.1, 0.0, 0.3),
            (3, 200, 0.02, 0.5, 0.1),
            (10, 30, 0.05, 0.3, 0.5),
            (20, 300, 0.02, 0.4, 0.4),
        ] {
            let share = coverage(seeds, images, of_seeds, of_images, rest);
            println!("{seeds} seeds, {images} images: {share:.3}");
            assert!(share > 0.93, "{seeds} seeds, {images} images, {of_seeds} {of_images} {rest}: {share}");
        }
    }

    #[test]
    fn few_groups_of_images_hold_the_truth_too() {
        // Images of four patients: the images' variance is known with three degrees of freedom less what the rest leaves uncertain.
        for (seeds, images, of_seeds, of_images, rest) in
            [(5, 4, 0.05, 0.4, 0.3), (5, 4, 0.0, 0.2, 0.4), (3, 3, 0.05, 0.4, 0.3), (10, 6, 0.1, 0.3, 0.3)]
        {
            let share = coverage(seeds, images, of_seeds, of_images, rest);
            println!("{seeds} seeds, {images} groups: {share:.3}");
            assert!(share > 0.94, "{seeds} seeds, {images} groups, {of_seeds} {of_images} {rest}: {share}");
        }
    }

    #[test]
    fn images_only_widen_the_interval() {
        let values = vec![vec![0.5, 0.6, 0.55], vec![0.7, 0.75, 0.8]];
        let found = compare(&values, 0, 0.0, 0.0)[0];
        let same = vec![vec![0.2, 0.2], vec![0.15, 0.15], vec![0.25, 0.25]];
        let narrow = both(&found, &same, 0.0, 1).unwrap();
        assert_eq!(narrow.images_half_width, 0.0);
        assert!((narrow.interval.0 - found.interval.0).abs() < 1e-9);
        let apart = vec![vec![1.0, -0.6], vec![0.9, -0.6], vec![1.1, -0.6]];
        let wide = both(&found, &apart, 0.0, 1).unwrap();
        assert!(wide.interval.0 < found.interval.0 && wide.p_value > found.p_value);
        // A variant that scatters by itself has few degrees of freedom, images have many.
        let unstable =
            compare(&[vec![0.5, 0.5, 0.5], vec![0.5, 0.9, 0.7], vec![0.5, 0.51, 0.5]], 0, 1e-6, 0.0)[0];
        let even: Vec<Vec<f64>> =
            [0.0, 0.4, 0.2].map(|d| (0..60).map(|i| d + 0.01 * f64::from(i % 2)).collect()).to_vec();
        let judged = both(&unstable, &even, 0.0, 2).unwrap();
        assert!(
            judged.interval.0 <= unstable.interval.0
                && judged.interval.1 >= unstable.interval.1
                && judged.p_value >= unstable.p_value
        );
        assert_eq!(both(&found, &[vec![0.1, 0.2]], 0.0, 1), None);
    }

    /// Of simulated studies of seven variants without a difference on average, whose runs are right or wrong on each image, those that claim
    /// one for other images too, and those that claim one on these images; and how many claims for other images the interval of the images
    /// alone, worked out here by itself, does not bear. `own` is how much each variant finds images of its own hard, `noise` what a run does.
    fn claims(images: usize, seeds: usize, own: f64, noise: f64, studies: u32) -> (f64, f64, usize) {
        const VARIANTS: usize = 7;
        let (mut beyond, mut here, mut unborne) = (0, 0, 0);
        for study in 0..studies {
            let mut normals = Normals::new(23, study);
            let hard: Vec<f64> = (0..images).map(|_| normals.next()).collect();
            let mut right = vec![vec![vec![0.0; images]; seeds]; VARIANTS];
            for variant in &mut right {
                let of_variant: Vec<f64> = hard.iter().map(|hard| hard + own * normals.next()).collect();
                for seed in variant.iter_mut() {
                    for (cell, easy) in seed.iter_mut().zip(&of_variant) {
                        *cell = f64::from(u8::from(easy + noise * normals.next() > -0.2));
                    }
                }
            }
            let mean = |row: &Vec<f64>| row.iter().sum::<f64>() / images as f64;
            let values: Vec<Vec<f64>> = right.iter().map(|of| of.iter().map(mean).collect()).collect();
            let step = 1.0 / images as f64;
            let found = compare(&values, 0, step * step / 6.0, 0.0);
            let judged = found.iter().map(|difference| {
                let table: Vec<Vec<f64>> = (0..seeds)
                    .map(|seed| {
                        let (run, base) = (&right[difference.variant][seed], &right[0][seed]);
                        run.iter().zip(base).map(|(run, base)| run - base).collect()
                    })
                    .collect();
                let both = both(difference, &table, step, found.len()).unwrap();
                let column =
                    |image| table.iter().map(|row: &Vec<f64>| row[image]).sum::<f64>() / seeds as f64;
                let (mean, sd, _) = moments(&(0..images).map(column).collect::<Vec<f64>>());
                let critical = two_sided_quantile(level_of_each(found.len()), (images - 1) as f64);
                let borne = mean.abs() > critical * sd / (images as f64).sqrt();
                let claimed = both.p_value < LEVEL && difference.is_found();
                unborne += usize::from(claimed && !borne);
                (claimed, difference.is_found())
            });
            let judged: Vec<(bool, bool)> = judged.collect();
            beyond += u32::from(judged.iter().any(|&(beyond, _)| beyond));
            here += u32::from(judged.iter().any(|&(_, found)| found));
        }
        (f64::from(beyond) / f64::from(studies), f64::from(here) / f64::from(studies), unborne)
    }

    #[test]
    fn what_holds_on_few_images_alone_is_not_claimed_for_others() {
        for (images, seeds, own, noise) in [
            (18, 2, 0.8, 0.3),
            (18, 5, 0.8, 0.3),
            // Runs that differ in most images: the images' component is often estimated as 0.
            (18, 2, 0.1, 1.0),
            (6, 2, 0.8, 0.3),
            (60, 2, 0.8, 0.3),
            (60, 2, 0.1, 1.0),
            (60, 5, 1.5, 0.3),
            (200, 5, 0.8, 0.3),
        ] {
            let (beyond, here, unborne) = claims(images, seeds, own, noise, 1000);
            println!(
                "{images} images, {seeds} seeds, {own} {noise}: for others {beyond:.3}, on these {here:.3}, {unborne}"
            );
            assert_eq!(unborne, 0, "{images} images, {seeds} seeds, {own} {noise}");
            // A thousand studies know 5 % to 1.4 points (two standard deviations).
            assert!(beyond <= 0.05, "{images} images, {seeds} seeds, {own}: {beyond}");
            // The images bring much of it, and would be claimed for the difference.
            assert!(own < 0.5 || images < 18 || here > 0.1, "{images} images, {seeds} seeds: {here}");
        }
    }

    #[test]
    fn the_interval_is_never_narrower_than_that_of_the_images_alone() {
        // Two seeds that agree on the mean, and images of which some gain and some lose: the component of the images is estimated as 0.
        let table = vec![
            vec![-1.0, -1.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0],
            vec![0.0, 0.0, 1.0, 0.0, -1.0, -1.0, -1.0, 0.0],
        ];
        let base = vec![0.5, 0.51];
        let values = vec![base.clone(), base.iter().map(|base| base - 0.25).collect()];
        let found = compare(&values, 0, 0.0, 0.0)[0];
        assert!(found.is_found());
        let judged = both(&found, &table, 0.125, 1).unwrap();
        let alone = judged.images_half_width;
        assert!(judged.interval.0 <= -0.25 - alone && judged.interval.1 >= -0.25 + alone, "{judged:?}");
        assert!(judged.p_value > 0.05, "{judged:?}");
        // Images that all agree are known to no better than one of them.
        let agree = vec![vec![1.0; 3], vec![1.0; 3]];
        let few = both(&found, &agree, 1.0 / 3.0, 1).unwrap();
        assert!((few.images_half_width - two_sided_quantile(0.05, 2.0) / 3.0).abs() < 1e-9, "{few:?}");
        assert!(few.interval.1 > 1.0);
    }
}
