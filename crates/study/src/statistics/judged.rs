//! A mean over models that were all judged on the same images.

use super::student_t::two_sided_quantile;

/// The level of the interval.
const LEVEL: f64 = 0.05;

/// The mean of a metric over models that differ in their seed and were judged on the same images, with its 95 % interval for other seeds and other
/// images; none without a value.
///
/// `values: [models]`; `half_widths`: half the width of the 95 % interval over images of each model, of those that have one. What images do is common to all
/// models and does not shrink with their number, what seeds do is a mean's: the half-widths are added as squares, Student's t over the
/// seeds and the mean one over the images. A simulation in the tests holds it. With a single model only the images count.
pub fn mean_of_judged(values: &[f64], half_widths: &[f64]) -> Option<(f64, (f64, f64))> {
    let n = values.len() as f64;
    if values.is_empty() {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let seeds = match values.len() {
        1 => 0.0,
        _ => {
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
            two_sided_quantile(LEVEL, n - 1.0) * (variance / n).sqrt()
        }
    };
    let images = half_widths.iter().sum::<f64>() / half_widths.len().max(1) as f64;
    let half = (seeds * seeds + images * images).sqrt();
    Some((mean, (mean - half, mean + half)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pupila_metrics::proportion;
    use pupila_random::{Purpose, Stream};

    /// Images of different difficulty, networks of different luck: of 1,000 test sets with five networks each, how often the interval has
    /// the accuracy of all networks on all images.
    #[test]
    fn the_interval_holds_the_mean_of_all_seeds_and_images() {
        for (spread, luck) in [(0.0, 0.0), (0.3, 0.02), (0.45, 0.05)] {
            let (images, models, sets) = (150, 5, 1_000);
            let (mut held, mut truth, mut draws) = (0, 0.0, 0u32);
            // The mean chance over difficulties and luck, clamped as below, by many draws.
            let mut stream = Stream::new(1, Purpose::Bootstrap, 1, 0);
            let mut uniform = move || stream.unit();
            let chance = |difficulty: f64, luck: f64| (0.7 + difficulty + luck).clamp(0.0, 1.0);
            for _ in 0..200_000 {
                truth += chance(spread * (2.0 * uniform() - 1.0), luck * (2.0 * uniform() - 1.0));
                draws += 1;
            }
            truth /= f64::from(draws);
            for _ in 0..sets {
                let difficulty: Vec<f64> = (0..images).map(|_| spread * (2.0 * uniform() - 1.0)).collect();
                let (mut values, mut halves) = (Vec::new(), Vec::new());
                for _ in 0..models {
                    let luck = luck * (2.0 * uniform() - 1.0);
                    let hits: Vec<bool> = difficulty.iter().map(|&d| uniform() < chance(d, luck)).collect();
                    let interval = proportion(&hits, None).unwrap();
                    values.push(interval.value);
                    halves.push((interval.high - interval.low) / 2.0);
                }
                let (_, (low, high)) = mean_of_judged(&values, &halves).unwrap();
                held += usize::from(low <= truth && truth <= high);
            }
            let coverage = held as f64 / f64::from(sets);
            // Three standard errors of 1,000 draws below 95 %; where images are alike in difficulty it is wide, as each interval has what chance did.
            assert!(coverage > 0.93, "{coverage} for {spread}, {luck}");
        }
    }

    #[test]
    fn one_model_has_the_interval_of_its_images() {
        assert_eq!(mean_of_judged(&[0.5], &[0.1]), Some((0.5, (0.4, 0.6))));
        assert_eq!(mean_of_judged(&[], &[]), None);
    }
}
