//! The standard normal distribution, as kernels of a Parzen estimator need it.

use pupila_random::Stream;

/// Probability of `[a, b]`, `a <= b`; in the tail where both ends lie on one side, so that nothing cancels.
pub(crate) fn mass(a: f64, b: f64) -> f64 {
    use std::f64::consts::SQRT_2;
    if a > 0.0 {
        0.5 * (libm::erfc(a / SQRT_2) - libm::erfc(b / SQRT_2))
    } else if b < 0.0 {
        0.5 * (libm::erfc(-b / SQRT_2) - libm::erfc(-a / SQRT_2))
    } else {
        0.5 * (libm::erf(b / SQRT_2) - libm::erf(a / SQRT_2))
    }
}

/// A draw from the normal distribution of `mean` and `sd`, within `[low, high]`. It is rejected until it is inside, which is seldom: callers
/// have the mean inside and an `sd` of at most the length, so a third or more of the mass is inside.
pub(crate) fn truncated(stream: &mut Stream, mean: f64, sd: f64, low: f64, high: f64) -> f64 {
    if low >= high {
        return low;
    }
    // Ends also for callers that break this, and for NaN.
    for _ in 0..1000 {
        let (a, b) = stream.normal_pair();
        for draw in [mean + sd * a, mean + sd * b] {
            if (low..=high).contains(&draw) {
                return draw;
            }
        }
    }
    mean.clamp(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pupila_random::Purpose;

    #[test]
    fn masses_are_those_of_the_normal_distribution() {
        // scipy.stats.norm.cdf, and .sf in the tail.
        for (a, b, expected) in [
            (-1.0, 1.0, 0.682_689_492_137_085_9),
            (0.0, 2.0, 0.477_249_868_051_820_8),
            (8.0, 9.0, 6.219_831_985_865_833e-16),
            (-9.0, -8.0, 6.219_831_985_865_833e-16),
        ] {
            assert!((mass(a, b) / expected - 1.0).abs() < 1e-12, "{a} {b} {}", mass(a, b));
        }
    }

    #[test]
    fn truncated_draws_stay_inside_and_have_the_mean_of_the_distribution() {
        let mut stream = Stream::new(0, Purpose::Search(0), 0, 0);
        let n = 20_000;
        let draws: Vec<f64> = (0..n).map(|_| truncated(&mut stream, 0.0, 1.0, 0.0, 1.0)).collect();
        assert!(draws.iter().all(|draw| (0.0..=1.0).contains(draw)));
        // (phi(0) - phi(1)) / (Phi(1) - Phi(0)), within five standard errors of at most 0.3 / sqrt(n).
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        assert!((mean - 0.459_862_2).abs() < 1.5 / f64::from(n).sqrt(), "{mean}");
        assert_eq!(truncated(&mut stream, 3.0, 1.0, 3.0, 3.0), 3.0);
        assert_eq!(truncated(&mut stream, f64::NAN, 1.0, 0.0, 1.0).to_string(), "NaN");
    }
}
