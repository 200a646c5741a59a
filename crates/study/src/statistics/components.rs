//! What the split does and what the seed does, told apart: the one-way nested random model.

/// Standard deviations of a metric from one training to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Components {
    /// Between seeds, on one split.
    pub seed_sd: f64,
    /// Between splits, beyond what seeds do; 0 where the estimate is below.
    pub split_sd: f64,
}

/// The components of `values: [splits][seeds]` of one variant, pooled over variants; NaN values are left out, and splits with fewer
/// than two values. None where there are fewer than two splits, or no seed is repeated.
pub fn components<'a>(variants: impl IntoIterator<Item = &'a Vec<Vec<f64>>>) -> Option<Components> {
    let (mut within, mut within_df) = (0.0, 0usize);
    let (mut between, mut between_df, mut seeds) = (0.0, 0usize, 0.0);
    for splits in variants {
        let rows: Vec<Vec<f64>> = splits
            .iter()
            .map(|row| row.iter().copied().filter(|value| value.is_finite()).collect())
            .filter(|row: &Vec<f64>| row.len() > 1)
            .collect();
        let n: usize = rows.iter().map(Vec::len).sum();
        if rows.len() < 2 {
            continue;
        }
        let mean = rows.iter().flatten().sum::<f64>() / n as f64;
        for row in &rows {
            let of_row = row.iter().sum::<f64>() / row.len() as f64;
            within += row.iter().map(|value| (value - of_row).powi(2)).sum::<f64>();
            between += row.len() as f64 * (of_row - mean).powi(2);
        }
        within_df += n - rows.len();
        between_df += rows.len() - 1;
        // How often the splits' variance is in the sum of squares between splits: Searle, Casella and McCulloch, "Variance Components"
        // (1992), section 3.6. Sums of squares are pooled over variants, so this is too, before it is divided.
        let squares: f64 = rows.iter().map(|row| (row.len() * row.len()) as f64).sum();
        seeds += n as f64 - squares / n as f64;
    }
    if within_df == 0 || between_df == 0 {
        return None;
    }
    let (within, between) = (within / within_df as f64, between / between_df as f64);
    let of_split = (between - within) / (seeds / between_df as f64);
    Some(Components { seed_sd: within.sqrt(), split_sd: of_split.max(0.0).sqrt() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::normal::Normals;

    #[test]
    fn planted_components_are_found() {
        for (seed_sd, split_sd) in [(1.0, 0.0), (1.0, 2.0), (0.3, 1.0)] {
            let mut normals = Normals::new(3, 0);
            let variants: Vec<Vec<Vec<f64>>> = (0..40)
                .map(|_| {
                    (0..10)
                        .map(|_| {
                            let split = split_sd * normals.next();
                            (0..5).map(|_| split + seed_sd * normals.next()).collect()
                        })
                        .collect()
                })
                .collect();
            let found = components(&variants).unwrap();
            assert!((found.seed_sd - seed_sd).abs() < 0.05 * seed_sd, "{found:?}");
            assert!((found.split_sd - split_sd).abs() < 0.15, "{found:?} for {split_sd}");
        }
        // Ten splits of five seeds and two splits of two seeds: a split counts (9 x 5 + 1 x 2) / 10 = 4.7 seeds.
        let large: Vec<Vec<f64>> = (0..10).map(|split| vec![f64::from(split); 5]).collect();
        let small = vec![vec![0.0, 0.0], vec![1.0, 1.0]];
        let found = components(&[large, small]).unwrap();
        // Sums of squares between splits: 5 x 82.5 and 2 x 0.5, with 9 and 1 degrees of freedom; within them there is nothing.
        let expected = ((5.0 * 82.5 + 2.0 * 0.5) / 10.0 / 4.7_f64).sqrt();
        assert!((found.split_sd - expected).abs() < 1e-12 && found.seed_sd == 0.0, "{found:?} {expected}");
        assert_eq!(components(&[vec![vec![1.0, 2.0]]]), None);
        assert_eq!(components(&[vec![vec![1.0], vec![2.0]]]), None);
    }
}
