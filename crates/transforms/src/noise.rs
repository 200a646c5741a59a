//! Noise for every value of an image, fast: a table of the normal distribution is looked up by 16 random bits.

use pupila_random::{Stream, philox4x32};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// Where noise comes from. What is drawn for a sample is a seed; a test gives the values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Noise {
    /// The key of its random numbers.
    Seed(u64),
    /// The values themselves.
    Given(Vec<f32>),
}

/// The middle of each of 65536 equally likely parts of the standard normal distribution; the outermost are at 4.3.
static QUANTILES: LazyLock<Vec<f32>> =
    LazyLock::new(|| (0..1 << 16).map(|i| quantile((f64::from(i) + 0.5) / 65536.0) as f32).collect());

impl Noise {
    /// Another seed.
    pub(crate) fn draw(stream: &mut Stream) -> Self {
        Noise::Seed(stream.next_u64())
    }

    /// Writes standard normal values, or those given as far as they go.
    pub(crate) fn normal(&self, out: &mut [f32]) {
        match self {
            Noise::Seed(seed) => {
                let quantiles = QUANTILES.as_slice();
                fill(*seed, out, |bits| quantiles[usize::from(bits)]);
            }
            Noise::Given(values) => out.iter_mut().zip(values).for_each(|(out, &value)| *out = value),
        }
    }

    /// Writes values uniform in -1..1, or those given as far as they go.
    pub(crate) fn uniform(&self, out: &mut [f32]) {
        match self {
            Noise::Seed(seed) => fill(*seed, out, |bits| (f32::from(bits) + 0.5) * (1.0 / 32768.0) - 1.0),
            Noise::Given(values) => out.iter_mut().zip(values).for_each(|(out, &value)| *out = value),
        }
    }
}

/// Eight values for each block of the generator.
fn fill(seed: u64, out: &mut [f32], value: impl Fn(u16) -> f32) {
    let key = [seed as u32, (seed >> 32) as u32];
    for (counter, out) in (0u32..).zip(out.chunks_mut(8)) {
        let words = philox4x32([counter, 0, 0, 2], key);
        let halves = words.into_iter().flat_map(|word| [word as u16, (word >> 16) as u16]);
        out.iter_mut().zip(halves).for_each(|(out, bits)| *out = value(bits));
    }
}

/// The value below which a standard normal one is with probability `p`: bisection of the error function's series would do,
/// but Wichura's AS 241 (1988) is exact to 16 digits.
fn quantile(p: f64) -> f64 {
    let ratio = |x: f64, top: &[f64; 8], bottom: &[f64; 8]| {
        let sum = |c: &[f64; 8]| c.iter().rev().fold(0.0, |sum, c| sum * x + c);
        sum(top) / sum(bottom)
    };
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * ratio(0.180_625 - q * q, &CENTRE[0], &CENTRE[1]);
    }
    let r = (-p.min(1.0 - p).ln()).sqrt();
    let tail = if r <= 5.0 { ratio(r - 1.6, &TAIL[0], &TAIL[1]) } else { ratio(r - 5.0, &FAR[0], &FAR[1]) };
    tail.copysign(q)
}

const CENTRE: [[f64; 8]; 2] = [
    [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ],
    [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_545,
    ],
];
const TAIL: [[f64; 8]; 2] = [
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_8e-9,
    ],
];
const FAR: [[f64; 8]; 2] = [
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        // scipy.stats.norm.ppf
        for (p, expected) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.01, -2.326_347_874_040_841),
            (0.9, 1.281_551_565_544_600_4),
            (1e-5, -4.264_890_793_922_825),
            (1e-12, -7.034_483_825_301_132),
        ] {
            assert!((quantile(p) - expected).abs() < 1e-12 * (1.0 + expected.abs()), "{p}: {}", quantile(p));
        }
    }

    #[test]
    fn noise_has_the_moments_it_should() {
        let n = 200_000;
        let mut values = vec![0.0; n];
        Noise::Seed(7).normal(&mut values);
        let moment = |k: i32| values.iter().map(|&x| f64::from(x).powi(k)).sum::<f64>() / n as f64;
        let error = 5.0 / (n as f64).sqrt();
        assert!(moment(1).abs() < error && (moment(2) - 1.0).abs() < 2f64.sqrt() * error);
        assert!(moment(3).abs() < 15f64.sqrt() * error && (moment(4) - 3.0).abs() < 96f64.sqrt() * error);
        let mut again = vec![0.0; 100];
        Noise::Seed(7).normal(&mut again);
        assert_eq!(values[..100], again);
        Noise::Seed(8).normal(&mut again);
        assert_ne!(values[..100], again);
        Noise::Seed(8).uniform(&mut values);
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n as f64;
        let square = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < error && (square - 1.0 / 3.0).abs() < error);
    }
}
