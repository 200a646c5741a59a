//! The exact interval of a proportion.
//!
//! Reference: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial" (Biometrika
//! 1934); `scipy.stats.binomtest(k, n).proportion_ci(method="exact")`.

use crate::incomplete_beta::incomplete_beta;

/// The limits of a proportion of which `successes` of `trials` were seen, at a confidence such as 0.95. It holds the true
/// proportion at least that often, whatever that is. Without trials nothing is known: 0 to 1.
pub fn clopper_pearson(successes: u64, trials: u64, confidence: f64) -> (f64, f64) {
    let tail = 0.5 * (1.0 - confidence);
    let (k, n) = (successes.min(trials) as f64, trials as f64);
    // P(at least k of n) is I_p(k, n - k + 1), P(at most k) is 1 - I_p(k + 1, n - k) = I_(1 - p)(n - k, k + 1).
    let low = if k == 0.0 { 0.0 } else { root(|p| incomplete_beta(k, n - k + 1.0, p, 1.0 - p) - tail) };
    let high = if k == n { 1.0 } else { root(|p| tail - incomplete_beta(n - k, k + 1.0, 1.0 - p, p)) };
    (low, high)
}

/// Where a rising function of a proportion is 0, to 2^-50.
fn root(f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if f(middle) > 0.0 { high = middle } else { low = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_scipy() {
        // scipy.stats.binomtest, by parity/metrics/distributions.py; 1e-9: lgamma of ten thousand has that much left of a double.
        for &(successes, trials, confidence, low, high) in crate::golden::CLOPPER_PEARSON {
            let limits = clopper_pearson(successes, trials, confidence);
            let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
            assert!(near(limits.0, low) && near(limits.1, high), "{successes} of {trials}: {limits:?}");
        }
        assert_eq!(clopper_pearson(0, 0, 0.95), (0.0, 1.0));
    }

    #[test]
    fn it_covers_at_least_as_promised_for_every_number_of_images() {
        let factorial = |n: u64| libm::lgamma(n as f64 + 1.0);
        for trials in 3..=200u64 {
            let ways = |k: u64| factorial(trials) - factorial(k) - factorial(trials - k);
            let outcomes: Vec<(u64, f64, (f64, f64))> =
                (0..=trials).map(|k| (k, ways(k), clopper_pearson(k, trials, 0.95))).collect();
            for permille in 1..1000 {
                let p = f64::from(permille) / 1000.0;
                let held = outcomes.iter().filter(|(_, _, (low, high))| *low <= p && p <= *high);
                let chance = |k: u64, ways: f64| {
                    (ways + k as f64 * p.ln() + (trials - k) as f64 * (1.0 - p).ln()).exp()
                };
                let covered: f64 = held.map(|&(k, ways, _)| chance(k, ways)).sum();
                assert!(covered >= 0.95 - 1e-9, "{trials} images, p = {p}: {covered}");
            }
        }
    }
}
