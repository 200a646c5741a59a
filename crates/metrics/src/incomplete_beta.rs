//! The regularised incomplete beta function, by its continued fraction.
//!
//! References: Abramowitz and Stegun 26.5.8; DLMF 8.17.22, by Lentz's method; `scipy.special.betainc`.

/// Terms of the continued fraction, at most: it takes about the square root of the larger parameter.
const TERMS: u32 = 10_000;

/// I_x(a, b), the regularised incomplete beta function; `rest` is 1 - x, given apart so that nothing is lost near 1.
pub(crate) fn incomplete_beta(a: f64, b: f64, x: f64, rest: f64) -> f64 {
    with_terms(a, b, x, rest).0
}

/// The same with the number of terms that it took.
fn with_terms(a: f64, b: f64, x: f64, rest: f64) -> (f64, u32) {
    if x <= 0.0 {
        return (0.0, 0);
    }
    if rest <= 0.0 {
        return (1.0, 0);
    }
    let log_front = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * x.ln() + b * rest.ln();
    // The continued fraction converges fast where x < (a + 1) / (a + b + 2), and all its denominators are positive there.
    if x * (b + 1.0) < rest * (a + 1.0) {
        let (fraction, terms) = continued_fraction(a, b, x);
        (log_front.exp() * fraction / a, terms)
    } else {
        let (fraction, terms) = continued_fraction(b, a, rest);
        (1.0 - log_front.exp() * fraction / b, terms)
    }
}

fn continued_fraction(a: f64, b: f64, x: f64) -> (f64, u32) {
    let (mut c, mut d) = (1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for term in 1..TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for part in [even, odd] {
            d = 1.0 / (1.0 + part * d);
            c = 1.0 + part / c;
            fraction *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-15 {
            return (fraction, term);
        }
    }
    (fraction, TERMS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_as_many_as_the_root_of_the_larger_parameter() {
        for a in [0.5, 1.0, 3.0, 40.0, 1e3, 1e5] {
            for b in [0.5, 1.0, 3.0, 40.0, 1e3, 1e5] {
                for x in [1e-9, 1e-4, 0.01, 0.2, 0.5, 0.7, 0.99, 0.9999, a / (a + b), 1.0 - a / (a + b)] {
                    let (low, terms) = with_terms(a, b, x, 1.0 - x);
                    let (high, _) = with_terms(b, a, 1.0 - x, x);
                    assert!(f64::from(terms) < 25.0 + 2.0 * a.max(b).sqrt(), "{a}, {b} at {x}: {terms}");
                    // 1e-9: lgamma of a hundred thousand has that much left of a double.
                    assert!(
                        (low + high - 1.0).abs() < 1e-9 && (0.0..=1.0 + 1e-9).contains(&low),
                        "{a}, {b} at {x}: {low}"
                    );
                }
            }
        }
    }

    #[test]
    fn powers_are_those_of_the_distribution_of_a_maximum() {
        // I_x(a, 1) is x^a and I_x(1, b) is 1 - (1 - x)^b.
        for power in [0.5, 1.0, 2.0, 7.5, 60.0] {
            for x in [0.0, 0.003, 0.3, 0.5, 0.9, 1.0] {
                let near = |found: f64, expected: f64| (found - expected).abs() < 1e-12;
                assert!(near(incomplete_beta(power, 1.0, x, 1.0 - x), x.powf(power)), "{power} at {x}");
                assert!(near(incomplete_beta(1.0, power, x, 1.0 - x), 1.0 - (1.0 - x).powf(power)));
            }
        }
    }
}
