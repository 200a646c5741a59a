//! The regularised incomplete beta function, by its continued fraction.
//!
//! References: Abramowitz and Stegun 26.5.8; DLMF 8.17.22, by Lentz's method; `scipy.special.betainc`.

/// Terms of the continued fraction, at most: it takes about the square root of the larger parameter.
const TERMS: u32 = 10_000;

/// I_x(a, b), the regularised incomplete beta function; `rest` is 1 - x, given apart so that nothing is lost near 1.
pub(crate) fn incomplete_beta(a: f64, b: f64, x: f64, rest: f64) -> f64 {
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
