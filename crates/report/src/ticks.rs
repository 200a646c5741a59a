//! Where the numbers of an axis stand, and how they are written.

use crate::html::fixed;

/// Round numbers in a range, about so many, and how they are written.
pub(crate) fn ticks((low, high): (f64, f64), about: usize, whole: bool) -> Vec<(f64, String)> {
    let raw = (high - low) / about as f64;
    if !(raw.is_finite() && raw > 0.0) {
        return Vec::new();
    }
    let magnitude = 10f64.powf(raw.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|f| f * magnitude >= raw * 0.999).unwrap_or(10.0);
    let mut step = factor * magnitude;
    if whole {
        step = step.max(1.0);
    }
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    let written = |value: f64| {
        let value = if value == 0.0 { 0.0 } else { value };
        if value != 0.0 && (step < 1e-4 || value.abs() >= 1e6) {
            format!("{value:.0e}")
        } else {
            fixed(value, decimals.min(6))
        }
    };
    (first..=last).take(40).map(|n| n as f64 * step).map(|value| (value, written(value))).collect()
}

/// The same of shares, written as percentages.
pub(crate) fn share_ticks((low, high): (f64, f64), about: usize) -> Vec<(f64, String)> {
    let percentages = ticks((100.0 * low, 100.0 * high), about, false);
    percentages.into_iter().map(|(at, text)| (at / 100.0, format!("{text}\u{a0}%"))).collect()
}

/// Ticks of a logarithmic axis: powers of ten, and 2 and 5 times them where there are few.
pub(crate) fn log_ticks((low, high): (f64, f64), about: usize) -> Vec<(f64, String)> {
    let decades = (high / low).log10();
    if !(decades.is_finite() && decades > 0.0) {
        return Vec::new();
    }
    let factors: &[f64] = if 2.0 * decades < about as f64 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let step = (decades / (about + 2) as f64).ceil().max(1.0) as i32;
    let (first, last) = (low.log10().floor() as i32, high.log10().floor() as i32);
    let mut ticks = Vec::new();
    for power in (first..=last).filter(|power| power.rem_euclid(step) == 0) {
        for factor in factors {
            let value = factor * 10f64.powi(power);
            if (low * 0.999..=high * 1.001).contains(&value) {
                let plain = (-4..=3).contains(&power);
                let text = if plain { fixed(value, -power.min(0) as usize) } else { format!("{value:.0e}") };
                ticks.push((value, text));
            }
        }
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let texts = |range, whole| ticks(range, 5, whole).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(texts((0.0, 1.0), false), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts((1.0, 3.0), true), ["1", "2", "3"]);
        assert_eq!(texts((0.0, 2.3), false), ["0.0", "0.5", "1.0", "1.5", "2.0"]);
        assert_eq!(texts((0.0, 1e-5), false)[1], "2e-6");
        assert!(texts((0.0, f64::NAN), false).is_empty() && texts((1.0, 1.0), false).is_empty());
        assert!(ticks((0.0, 1e300), 5, false).len() <= 7);
    }

    #[test]
    fn shares_are_written_as_percentages_where_they_are() {
        let ticks = share_ticks((0.0, 0.5), 5);
        let texts: Vec<&str> = ticks.iter().map(|tick| tick.1.as_str()).collect();
        assert_eq!(texts, ["0\u{a0}%", "10\u{a0}%", "20\u{a0}%", "30\u{a0}%", "40\u{a0}%", "50\u{a0}%"]);
        assert!((ticks[3].0 - 0.3).abs() < 1e-12);
    }

    #[test]
    fn a_logarithmic_axis_has_powers_of_ten_as_ticks() {
        let texts = |range| log_ticks(range, 5).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(texts((0.05, 3.0)), ["0.05", "0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(texts((0.0009, 1200.0)), ["0.001", "0.01", "0.1", "1", "10", "100", "1000"]);
        assert_eq!(texts((1.0, 1e22)), ["1", "1e4", "1e8", "1e12", "1e16", "1e20"]);
        assert!(texts((0.0, 1.0)).is_empty() && texts((1.0, f64::INFINITY)).is_empty());
    }
}
