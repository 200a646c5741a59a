//! A horizontal axis that the rows of a figure share. Positions are percentages of the width, so that a row is as wide as the
//! screen allows while its text and its dots keep their size.

use super::numbers::Numbers;
use crate::ticks::ticks;
use std::fmt::Write as _;

/// How many times the middle half of the values may lie outside of it before what is farther out is cut.
const FENCE: f64 = 6.0;
/// An axis is cut only where that makes the rest larger by this factor.
const WORTH: f64 = 3.0;
/// What is beyond is no measurement, and would leave no precision for the others.
pub(super) const ABSURD: f64 = 1e100;

/// What is drawn between which values.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    numbers: Numbers,
}

impl Axis {
    /// An axis over `points`. Where few of them lie far from the others, the axis ends before them. `also` are values for which
    /// the axis is widened, but not to more than twice the range of the points.
    pub(super) fn new(points: &[f64], also: &[f64], numbers: Numbers) -> Option<Self> {
        let (low, high) = readable(points)?;
        let span = high - low;
        let room = if span > 0.0 { span } else { f64::MAX };
        let known = also.iter().copied().filter(|v| usable(*v));
        let (mut from, mut to) =
            known.fold((low, high), |(l, h), v| (l.min(v.max(low - room)), h.max(v.min(high + room))));
        if numbers.scale() > 1.0 && low >= 0.0 && high <= 1.0 {
            (from, to) = (from.max(0.0), to.min(1.0));
        }
        Axis::between(from, to, numbers)
    }

    /// An axis around zero, for differences: their intervals are seen whole, except for those that are far wider than most.
    pub(super) fn around_zero(means: &[f64], intervals: &[(f64, f64)], numbers: Numbers) -> Option<Self> {
        let reach = |(&mean, &(low, high)): (&f64, &(f64, f64))| {
            [mean, low, high].into_iter().filter(|v| usable(*v)).map(f64::abs).fold(0.0, f64::max)
        };
        let mut reaches: Vec<f64> = means.iter().zip(intervals).map(reach).filter(|r| *r > 0.0).collect();
        reaches.sort_by(f64::total_cmp);
        let usual = *reaches.get(reaches.len().saturating_sub(1) / 2)?;
        let all = intervals.iter().flat_map(|&(low, high)| [low, high]).chain(means.iter().copied());
        let all = all
            .filter(|v| usable(*v))
            .map(|v| if v.abs() > 4.0 * usual { 1.5 * usual * v.signum() } else { v });
        let (low, high) = all.fold((0.0, 0.0), |(l, h): (f64, f64), v| (l.min(v), h.max(v)));
        Axis::between(low, high, numbers)
    }

    fn between(low: f64, high: f64, numbers: Numbers) -> Option<Self> {
        let span = high - low;
        let around = if span > 1e-12 * high.abs().max(low.abs()) {
            (low, high)
        } else {
            // One value alone stands in the middle.
            let half = if numbers.scale() > 1.0 { 0.05 } else { (0.1 * high.abs()).max(0.05) };
            (low - half, high + half)
        };
        Some(Axis { low: around.0, high: around.1, numbers })
    }

    /// The position, in percent of the width, of what may lie outside.
    fn raw(&self, value: f64) -> f64 {
        4.0 + 92.0 * (value - self.low) / (self.high - self.low)
    }

    /// The position in percent of the width; what lies outside stands at the edge.
    pub(super) fn x(&self, value: f64) -> f64 {
        self.raw(value).clamp(1.5, 98.5)
    }

    /// Whether a value lies outside: below (-1), above (1), or not (0).
    pub(super) fn outside(&self, value: f64) -> i32 {
        match self.raw(value) {
            x if x < 1.5 => -1,
            x if x > 98.5 => 1,
            _ => 0,
        }
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        let scale = self.numbers.scale();
        ticks((self.low * scale, self.high * scale), 6, false)
            .into_iter()
            .map(|(value, text)| (value / scale, text))
            .collect()
    }

    /// The lines of the grid, over the whole height of a row.
    pub(super) fn grid(&self) -> String {
        self.ticks().iter().map(|(value, _)| upright("gridline", self.raw(*value))).collect()
    }

    /// An upright line over the whole height of a row; nothing where the value is outside.
    pub(super) fn mark(&self, class: &str, value: f64) -> String {
        if usable(value) && self.outside(value) == 0 { upright(class, self.x(value)) } else { String::new() }
    }

    /// The numbers of the axis as a row of its own. `sign` writes a plus before what is above zero.
    pub(super) fn labels(&self, sign: bool) -> String {
        let mut svg = String::from("<svg class=\"ticks\" aria-hidden=\"true\">");
        for (value, text) in self.ticks() {
            let text = if sign && value > 0.0 { format!("+{text}") } else { text.replace('-', "−") };
            let x = self.raw(value);
            let _ = write!(svg, "<text x=\"{x:.2}%\" y=\"14\" text-anchor=\"middle\">{text}</text>");
        }
        svg + "</svg>"
    }
}

fn upright(class: &str, x: f64) -> String {
    format!("<line class=\"{class}\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"0\" y2=\"100%\"/>")
}

/// Whether a value can be drawn.
pub(super) fn usable(value: f64) -> bool {
    value.is_finite() && value.abs() < ABSURD
}

/// The range of values, without the few that would squeeze all others together.
fn readable(values: &[f64]) -> Option<(f64, f64)> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| usable(*v)).collect();
    sorted.sort_by(f64::total_cmp);
    let (&low, &high) = (sorted.first()?, sorted.last()?);
    let last = sorted.len() - 1;
    let (lower, upper) = (sorted[last / 4], sorted[last * 3 / 4]);
    let fence = FENCE * (upper - lower);
    let inside = sorted.iter().filter(|v| (lower - fence..=upper + fence).contains(*v));
    let (from, to) = inside.fold((high, low), |(l, h), &v| (l.min(v), h.max(v)));
    if to > from && high - low > WORTH * (to - from) { Some((from, to)) } else { Some((low, high)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_before_values_that_would_hide_the_others() {
        let numbers = Numbers::new(true, 60);
        let values = [0.80, 0.81, 0.82, 0.83, 0.84, 0.85, 0.10];
        let axis = Axis::new(&values, &[], numbers).unwrap();
        assert_eq!((axis.outside(0.10), axis.outside(0.80), axis.outside(0.85)), (-1, 0, 0));
        assert_eq!([0.10, 0.80, 0.85].map(|value| axis.x(value).round()), [2.0, 4.0, 96.0]);
        // Two groups are no outliers.
        let axis = Axis::new(&[0.1, 0.11, 0.12, 0.8, 0.81, 0.82], &[], numbers).unwrap();
        assert_eq!((axis.outside(0.1), axis.outside(0.82)), (0, 0));
        let axis = Axis::new(&[0.5, 0.6, 0.7, 1e22], &[], Numbers::new(false, 60)).unwrap();
        assert_eq!((axis.outside(1e22), axis.outside(0.7)), (1, 0));
    }

    #[test]
    fn shares_stay_between_0_and_100_percent() {
        let axis = Axis::new(&[0.95, 1.0], &[0.9, 1.3], Numbers::new(true, 60)).unwrap();
        let texts: Vec<String> = axis.ticks().into_iter().map(|tick| tick.1).collect();
        assert_eq!(texts.last().unwrap(), "100", "{texts:?}");
    }

    #[test]
    fn any_numbers_make_an_axis_or_none() {
        let numbers = Numbers::new(false, 60);
        for values in [
            vec![1.0],
            vec![0.0, 0.0],
            vec![1e22, 1e22],
            vec![-1e22, 1e22],
            vec![1e99, -1e99],
            vec![1e-300, 2e-300],
            vec![f64::MAX, f64::NAN, 0.5],
        ] {
            let axis = Axis::new(&values, &values, numbers).unwrap();
            for value in values {
                assert!((1.5..=98.5).contains(&axis.x(value)) || value.is_nan(), "{value}: {axis:?}");
            }
            assert!(!(axis.grid() + &axis.labels(true)).contains("NaN"));
        }
        assert!(Axis::new(&[f64::NAN, f64::INFINITY], &[1.0], numbers).is_none());
        assert!(Axis::around_zero(&[f64::NAN], &[(f64::NAN, 1.0 / 0.0)], numbers).is_none());
        assert!(Axis::around_zero(&[], &[], numbers).is_none());
    }

    #[test]
    fn differences_are_around_zero_and_the_widest_is_cut() {
        let (means, intervals) = ([0.01, 0.02, -0.6], [(-0.01, 0.03), (0.01, 0.03), (-0.7, -0.5)]);
        let axis = Axis::around_zero(&means, &intervals, Numbers::new(true, 60)).unwrap();
        assert_eq!([-0.6, 0.0, 0.03].map(|v| axis.outside(v)), [-1, 0, 0]);
        assert!(axis.labels(true).contains(">0<") && axis.labels(true).contains(">−4<"), "{axis:?}");
    }
}
