//! Elementary functions in single precision as plain arithmetic: without calls and branches, so that a loop over them becomes
//! vector instructions, and with the same bits on every system, which the functions of a C library don't promise.

/// 1.5 * 2^23: added and taken away again it rounds to a whole number, which then stands in the lowest bits of the sum.
const ROUNDER: f32 = 12_582_912.0;
/// ln 2 in two parts, the first of so few bits that its product with an exponent is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// Beyond these e^x is below the normal numbers, and infinite.
const EXP_RANGE: [f32; 2] = [-87.336_54, 89.0];
/// Probabilities below it count as 0: times a gradient they would leave the normal numbers, with which processors are a hundred
/// times slower.
const NEGLIGIBLE: f32 = 1e-20;
/// erfcx(z) / t for t = TURN / (TURN + z), lowest power first: `parity/elementary/fit.py`, 9e-9 relative.
const TAIL: [f32; 11] = [
    0.225_675_83,
    0.225_676_31,
    0.207_600_73,
    0.171_890_57,
    0.118_095_12,
    0.087_120_645,
    -0.053_793_166,
    0.146_803_24,
    -0.243_041_74,
    0.143_841_07,
    -0.029_868_629,
];
const TURN: f32 = 2.5;

/// 2^n for n in -126 ..= 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) << 23) as u32)
}

/// e^x as (1 + q) a b, with a and b powers of two: q is e^r - 1 of what is left of x after whole multiples of ln 2 (Cody and Waite
/// 1980), by its Taylor series, which for |r| <= 0.35 is off by 5e-9. A NaN stays one.
#[inline(always)]
fn exp_parts(x: f32) -> (f32, f32, f32) {
    let [low, high] = EXP_RANGE;
    let x = if x < low {
        low
    } else if x > high {
        high
    } else {
        x
    };
    let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
    let n = shifted - ROUNDER;
    let exponent = (shifted.to_bits() as i32).wrapping_sub(ROUNDER.to_bits() as i32);
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    let series = 1.0 / 720.0 + r * (1.0 / 5040.0);
    let series = 1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * series));
    let q = r + r * r * (0.5 + r * series);
    // In two parts, since e^89 is beyond what one power of two can be.
    let half = exponent >> 1;
    (q, power_of_two(half), power_of_two(exponent.wrapping_sub(half)))
}

/// e^x, within 2e-7 of it; 0 where it is below the normal numbers.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let (q, a, b) = exp_parts(x);
    if x < EXP_RANGE[0] { 0.0 } else { (1.0 + q) * a * b }
}

/// The hyperbolic tangent, within 2e-7 of it, and nearer the nearer it is to 1: what is wrong with it there weighs many times as
/// much in 1 - tanh^2, its derivative. With e = e^(-2 |x|) it is 1 - 2 e / (1 + e), and near 0 (1 - e) / (1 + e), where
/// 1 - e is known without cancellation.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let (q, a, b) = exp_parts(-2.0 * x.abs());
    let power = a * b;
    let (e, less) = (power * (1.0 + q), power * q + (power - 1.0));
    let large = e < 1.0 / 3.0;
    let part = if large { 2.0 * e } else { -less } / (less + 2.0);
    (if large { 1.0 - part } else { part }).copysign(x)
}

/// The distribution function of the standard normal distribution and its density, each within 3e-6 of it: both are worked out from
/// the same e^(-x^2 / 2), which counts as 0 below 1e-20.
#[inline(always)]
pub(crate) fn normal(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = TURN / (TURN + z);
    let mut sum = 0.0;
    for coefficient in TAIL.into_iter().rev() {
        sum = sum * t + coefficient;
    }
    let bell = exp(-0.5 * x * x);
    let bell = if bell < NEGLIGIBLE { 0.0 } else { bell };
    let tail = 0.5 * t * sum * bell;
    // 1 / sqrt(2 pi)
    (if x < 0.0 { tail } else { 1.0 - tail }, bell * 0.398_942_3)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every 997th number there is between the two.
    fn numbers(low: f32, high: f32) -> impl Iterator<Item = f32> {
        (0..=u32::MAX).step_by(997).map(f32::from_bits).filter(move |x| (low..=high).contains(x))
    }

    fn worst(numbers: impl Iterator<Item = f32>, got: fn(f32) -> f32, wanted: fn(f64) -> f64) -> f64 {
        numbers.filter(|&x| x != 0.0).fold(0.0, |worst, x| {
            let off = (f64::from(got(x)) / wanted(f64::from(x)) - 1.0).abs();
            // `f64::max` passes over a NaN.
            assert!(off.is_finite(), "{x}: {}", got(x));
            worst.max(off)
        })
    }

    #[test]
    fn functions_are_as_near_as_they_say() {
        let exponential = worst(numbers(-87.3365, 88.7), exp, f64::exp);
        assert!(exponential < 2e-7, "{exponential:.1e}");
        let tangent = worst(numbers(f32::MIN, f32::MAX), tanh, f64::tanh);
        assert!(tangent < 2e-7, "{tangent:.1e}");
        for x in numbers(0.6, f32::MAX) {
            let wanted = f64::from(x).tanh();
            let off = (f64::from(tanh(x)) - wanted).abs();
            assert!(off < 4e-8 + 2e-7 * (1.0 - wanted), "{off:.1e} at {x}");
        }
        let cdf = |x: f64| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
        let distribution = worst(numbers(-9.59, 100.0), |x| normal(x).0, cdf);
        assert!(distribution < 3e-6, "{distribution:.1e}");
        let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let bell = worst(numbers(-9.59, 9.59), |x| normal(x).1, density);
        assert!(bell < 3e-6, "{bell:.1e}");
        println!("exp {exponential:.1e}, tanh {tangent:.1e}, normal {distribution:.1e} and {bell:.1e}");
    }

    #[test]
    fn the_ends_of_the_range_are_kept() {
        assert_eq!([exp(f32::INFINITY), exp(89.0), exp(-87.4), exp(f32::NEG_INFINITY), exp(0.0)], {
            [f32::INFINITY, f32::INFINITY, 0.0, 0.0, 1.0]
        });
        assert_eq!([normal(-9.6), normal(9.6)], [(0.0, 0.0), (1.0, 0.0)]);
        assert_eq!([tanh(f32::INFINITY), tanh(-40.0), tanh(0.0)], [1.0, -1.0, 0.0]);
        assert!(tanh(-0.0).is_sign_negative());
        assert_eq!([normal(f32::NEG_INFINITY).0, normal(0.0).0, normal(f32::INFINITY).0], [0.0, 0.5, 1.0]);
        assert!([exp(f32::NAN), tanh(f32::NAN), normal(f32::NAN).0].iter().all(|x| x.is_nan()));
    }
}
