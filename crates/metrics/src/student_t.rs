//! Student's t distribution.
//!
//! Reference: `scipy.stats.t`.

use crate::incomplete_beta::incomplete_beta;

/// The probability that |T| is at least `t`, for `df` degrees of freedom, which need not be whole; the normal distribution's for
/// infinitely many. NaN where `t` is.
pub fn two_sided_p(t: f64, df: f64) -> f64 {
    let t = t.abs();
    let defined = df > 0.0;
    if !defined {
        return f64::NAN;
    }
    if t.is_infinite() {
        return 0.0;
    }
    if df > 1e6 {
        return libm::erfc(t / std::f64::consts::SQRT_2);
    }
    let square = t * t;
    incomplete_beta(0.5 * df, 0.5, df / (df + square), square / (df + square))
}

/// The `t` that |T| reaches with probability `p`: the two-sided critical value. Infinite for p = 0.
pub fn two_sided_quantile(p: f64, df: f64) -> f64 {
    let defined = df > 0.0 && (0.0..=1.0).contains(&p);
    if !defined {
        return f64::NAN;
    }
    if p == 0.0 {
        return f64::INFINITY;
    }
    // p falls with t: the upper bound is doubled, then the distance halved, to 2^-60 of it.
    let before = |t: f64| two_sided_p(t, df) > p;
    let (mut low, mut high) = (0.0, 1.0);
    while before(high) {
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if before(middle) { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_and_quantiles_are_those_of_scipy() {
        // 2 * scipy.stats.t.sf(t, df), by parity/metrics/distributions.py; relative tolerance 1e-9: lgamma of
        // a thousand has that much left of a double.
        for &(t, df, expected) in crate::golden::STUDENT_T {
            let p = two_sided_p(t, df);
            assert!((p - expected).abs() <= 1e-9 * expected, "t {t}, df {df}: {p} for {expected}");
            let again = two_sided_quantile(expected, df);
            assert!((again - t).abs() <= 1e-8 * t, "p {expected}, df {df}: {again} for {t}");
        }
        assert_eq!(two_sided_p(0.0, 4.0), 1.0);
        assert_eq!(two_sided_p(f64::INFINITY, 4.0), 0.0);
        for (t, df) in [(f64::NAN, 4.0), (f64::NAN, f64::INFINITY), (1.0, 0.0), (1.0, -1.0), (1.0, f64::NAN)]
        {
            assert!(two_sided_p(t, df).is_nan(), "{t} {df}");
        }
        for (p, df) in [(f64::NAN, 4.0), (0.1, 0.0), (0.1, f64::NAN), (-0.1, 4.0), (1.1, 4.0)] {
            assert!(two_sided_quantile(p, df).is_nan(), "{p} {df}");
        }
        // Cauchy's distribution: 1 / tan(pi p / 2).
        assert!((two_sided_quantile(1e-12, 1.0) / 636_619_772_367.581_4 - 1.0).abs() < 1e-9);
        // Of a million degrees of freedom it is not yet the normal distribution's, 0.1336144.
        assert!((two_sided_p(1.5, 1e6) / 0.1336147182367928 - 1.0).abs() < 1e-8);
        assert!(two_sided_quantile(1.0, 3.0).abs() < 1e-12);
        assert_eq!(two_sided_quantile(0.0, 3.0), f64::INFINITY);
    }
}
