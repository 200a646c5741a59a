//! Numbers of a study as people read them: shares as percentages, their differences in points, all of a column with equally
//! many decimals.

/// Where a number is not known.
pub(super) const UNKNOWN: &str = "–";

/// From this absolute value on a number is written with an exponent.
const LARGE: f64 = 1e5;

/// How the values of the metric are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    share: bool,
    decimals: usize,
}

impl Numbers {
    /// `images` is how many images a share counts: with many of them one decimal hides differences of several images.
    pub(super) fn new(share: bool, images: u64) -> Self {
        Numbers { share, decimals: if images > 2000 { 2 } else { 1 } }
    }

    /// What one unit of the metric is on an axis: shares are drawn in percent.
    pub(super) fn scale(self) -> f64 {
        if self.share { 100.0 } else { 1.0 }
    }

    /// The unit, to stand behind the name of the metric on an axis or at the head of a column.
    pub(super) fn unit(self) -> &'static str {
        if self.share { ", %" } else { "" }
    }

    /// The unit of differences, with a comma before it.
    pub(super) fn difference_unit(self) -> &'static str {
        if self.share { ", points" } else { "" }
    }

    /// A value without its unit.
    pub(super) fn bare(self, value: f64) -> String {
        match value {
            v if !v.is_finite() => UNKNOWN.into(),
            v if self.share && (100.0 * v).abs() < LARGE => {
                let decimals = self.decimals;
                unsigned_zero(format!("{:.decimals$}", 100.0 * v))
            }
            v => significant(v * self.scale()),
        }
    }

    /// A value with its unit: "78.4 %".
    pub(super) fn value(self, value: f64) -> String {
        let bare = self.bare(value);
        if self.share && value.is_finite() { format!("{bare}\u{a0}%") } else { bare }
    }

    /// A difference without its unit: "+3.2".
    pub(super) fn signed(self, value: f64) -> String {
        let bare = self.bare(value);
        if value > 0.0 && value.is_finite() { format!("+{bare}") } else { bare.replace('-', "−") }
    }

    /// A difference with its unit: "+3.2 points".
    pub(super) fn difference(self, value: f64) -> String {
        let signed = self.signed(value);
        if self.share && value.is_finite() { format!("{signed}\u{a0}points") } else { signed }
    }

    /// An interval of values: "76.0 to 80.7"; empty where an end is not known.
    pub(super) fn range(self, (low, high): (f64, f64)) -> String {
        let known = low.is_finite() && high.is_finite();
        if known { format!("{} to {}", self.bare(low), self.bare(high)) } else { String::new() }
    }

    /// An interval of differences: "+1.1 to +5.3"; empty where an end is not known.
    pub(super) fn signed_range(self, (low, high): (f64, f64)) -> String {
        let known = low.is_finite() && high.is_finite();
        if known { format!("{} to {}", self.signed(low), self.signed(high)) } else { String::new() }
    }
}

/// A number with up to four significant digits, with an exponent where it is very large or small.
pub(super) fn significant(value: f64) -> String {
    match value.abs() {
        _ if !value.is_finite() => UNKNOWN.into(),
        0.0 => "0".into(),
        v if !(1e-3..LARGE).contains(&v) => format!("{value:.2e}"),
        v => {
            let decimals = (3 - v.log10().floor() as i32).clamp(0, 4) as usize;
            let text = format!("{value:.decimals$}");
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
    }
}

/// Text without the minus of a number that was rounded to zero.
fn unsigned_zero(text: String) -> String {
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| c == '0' || c == '.') => rest.to_owned(),
        _ => text,
    }
}

/// Bytes for people.
pub(super) fn bytes(n: u64) -> String {
    match n as f64 {
        n if n < 1e6 => format!("{:.0} kB", n / 1e3),
        n if n < 1e9 => format!("{:.0} MB", n / 1e6),
        n => format!("{:.2} GB", n / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages_and_their_differences_points() {
        let numbers = Numbers::new(true, 60);
        assert_eq!(numbers.value(0.784), "78.4\u{a0}%");
        assert_eq!(numbers.difference(0.032), "+3.2\u{a0}points");
        assert_eq!(numbers.difference(-0.032), "−3.2\u{a0}points");
        assert_eq!(numbers.difference(-0.0001), "0.0\u{a0}points");
        assert_eq!(numbers.range((0.5, 0.75)), "50.0 to 75.0");
        assert_eq!(numbers.signed_range((-0.01, 0.02)), "−1.0 to +2.0");
        assert_eq!(Numbers::new(true, 10_000).value(0.78456), "78.46\u{a0}%");
    }

    #[test]
    fn whatever_a_number_is_its_text_is_short() {
        for numbers in [Numbers::new(true, 60), Numbers::new(false, 60)] {
            for value in [1e22, -1e22, 1e-22, 0.0, f64::NAN, f64::INFINITY, f64::MAX, 12_345.678] {
                for text in [numbers.value(value), numbers.difference(value)] {
                    assert!(text.chars().count() <= 18 && !text.contains("NaN"), "{value}: {text}");
                }
            }
            assert_eq!(numbers.value(f64::NAN), UNKNOWN);
            assert!(numbers.range((0.1, f64::INFINITY)).is_empty());
        }
        assert_eq!(Numbers::new(false, 60).value(0.123_456), "0.1235");
        assert_eq!(significant(1e22), "1.00e22");
    }
}
