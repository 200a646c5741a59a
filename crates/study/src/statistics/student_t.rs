//! Student's t distribution.
//!
//! References: the regularised incomplete beta function by its continued fraction (Abramowitz and Stegun 26.5.8; DLMF 8.17.22, by
//! Lentz's method); `scipy.stats.t`.

/// Terms of the continued fraction, at most: it takes about the square root of the larger parameter.
const TERMS: u32 = 10_000;

/// The probability that |T| is at least `t`, for `df` degrees of freedom, which need not be whole; the normal distribution's for
/// infinitely many. NaN where `t` is.
pub fn two_sided_p(t: f64, df: f64) -> f64 {
    let t = t.abs();
    if t.is_nan() || df.is_nan() || df <= 0.0 {
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
    if p.is_nan() || df.is_nan() || df <= 0.0 || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 {
        return f64::INFINITY;
    }
    // p falls with t: the bounds are doubled, then halved until they are neighbours.
    let (mut low, mut high) = (0.0, 1.0);
    while two_sided_p(high, df) > p {
        (low, high) = (high, 2.0 * high);
        if high > 1e300 {
            return f64::INFINITY;
        }
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high || high - low < 1e-13 * high {
            return middle;
        }
        if two_sided_p(middle, df) > p { low = middle } else { high = middle }
    }
}

/// I_x(a, b), the regularised incomplete beta function; `rest` is 1 - x, given apart so that nothing is lost near 1.
fn incomplete_beta(a: f64, b: f64, x: f64, rest: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if rest <= 0.0 {
        return 1.0;
    }
    let log_front = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * x.ln() + b * rest.ln();
    // The continued fraction converges fast on its own side of the mean.
    if x < (a + 1.0) / (a + b + 2.0) {
        log_front.exp() * continued_fraction(a, b, x) / a
    } else {
        1.0 - log_front.exp() * continued_fraction(b, a, rest) / b
    }
}

fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for m in 1..TERMS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            fraction *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_and_quantiles_are_those_of_scipy() {
        // 2 * scipy.stats.t.sf(t, df), by parity/study/student_t.py; relative tolerance 1e-9: lgamma of
        // a thousand has that much left of a double.
        for &(t, df, expected) in crate::statistics::golden::P_VALUES {
            let p = two_sided_p(t, df);
            assert!((p - expected).abs() <= 1e-9 * expected, "t {t}, df {df}: {p} for {expected}");
            let again = two_sided_quantile(expected, df);
            assert!((again - t).abs() <= 1e-8 * t, "p {expected}, df {df}: {again} for {t}");
        }
        assert_eq!(two_sided_p(0.0, 4.0), 1.0);
        assert_eq!(two_sided_p(f64::INFINITY, 4.0), 0.0);
        assert!(two_sided_p(f64::NAN, 4.0).is_nan() && two_sided_p(1.0, 0.0).is_nan());
        assert!(two_sided_quantile(1.0, 3.0).abs() < 1e-12);
        assert_eq!(two_sided_quantile(0.0, 3.0), f64::INFINITY);
    }
}
