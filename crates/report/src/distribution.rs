//! How the values of a tensor or the outputs of a layer are distributed, early and late.

use crate::chart::Frame;
use crate::html::{escape, fixed, percent, shortened};

/// Bars of a histogram.
const BARS: usize = 48;
/// Share of the values that may lie beyond either end of the axis, so that single ones don't stretch it.
const BEYOND: f64 = 0.0005;

/// Values counted between edges.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ValueCounts {
    /// Left edge, right edge, count, ascending.
    pub buckets: Vec<(f64, f64, u64)>,
    /// Values that are exactly zero, which are in the buckets too.
    pub zeros: u64,
    /// Their standard deviation.
    pub std: f64,
}

/// A tensor or a layer at two times.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Distribution {
    /// Its name.
    pub name: String,
    /// At the end of the first epoch.
    pub first: Option<ValueCounts>,
    /// Later.
    pub last: ValueCounts,
}

impl ValueCounts {
    fn total(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.2).sum()
    }

    fn zeros_frac(&self) -> f64 {
        self.zeros as f64 / self.total() as f64
    }

    /// The value that a share of all lies below.
    fn quantile(&self, share: f64) -> f64 {
        let target = share * self.total() as f64;
        let mut below = 0.0;
        for &(left, right, count) in &self.buckets {
            let count = count as f64;
            if below + count >= target && count > 0.0 {
                return left + (right - left) * ((target - below) / count).clamp(0.0, 1.0);
            }
            below += count;
        }
        self.buckets.last().map_or(f64::NAN, |bucket| bucket.1)
    }

    /// Shares of the values other than zero in even bars over a range. What lies beyond is in the outer bars.
    fn bars(&self, (low, high): (f64, f64)) -> Vec<f64> {
        let mut bars = vec![0.0; BARS];
        let width = (high - low) / BARS as f64;
        let place = |x: f64| ((x - low) / width).clamp(0.0, BARS as f64);
        // Zeros are in the narrowest bucket that holds them; its neighbours may end there.
        let around = self.buckets.iter().enumerate().filter(|(_, b)| b.0 <= 0.0 && b.1 >= 0.0);
        let around = around.min_by(|a, b| (a.1.1 - a.1.0).total_cmp(&(b.1.1 - b.1.0))).map(|(i, _)| i);
        for (i, &(left, right, count)) in self.buckets.iter().enumerate() {
            let zeros = if around == Some(i) { self.zeros } else { 0 };
            let count = count.saturating_sub(zeros) as f64;
            let (from, to) = (place(left), place(right));
            if to - from < 1e-9 {
                bars[(from as usize).min(BARS - 1)] += count;
                continue;
            }
            for bar in from as usize..(to.ceil() as usize).min(BARS) {
                let overlap = to.min(bar as f64 + 1.0) - from.max(bar as f64);
                bars[bar] += count * overlap.max(0.0) / (to - from);
            }
        }
        let total = self.total().max(1) as f64;
        bars.iter_mut().for_each(|bar| *bar /= total);
        bars
    }
}

impl Distribution {
    /// The histogram of both times as a figure; nothing where no value is finite.
    pub(crate) fn figure(&self, times: (&str, &str)) -> String {
        let counted: Vec<&ValueCounts> =
            self.first.iter().chain([&self.last]).filter(|counts| counts.total() > 0).collect();
        let low = counted.iter().map(|c| c.quantile(BEYOND)).fold(f64::INFINITY, f64::min);
        let high = counted.iter().map(|c| c.quantile(1.0 - BEYOND)).fold(f64::NEG_INFINITY, f64::max);
        if !(low.is_finite() && high.is_finite()) || counted.is_empty() {
            return String::new();
        }
        let range = if high > low { (low, high) } else { (low - 0.5, high + 0.5) };
        let first = self.first.as_ref().map(|counts| counts.bars(range));
        let last = self.last.bars(range);
        let top = first.iter().flatten().chain(&last).fold(0.0, |most: f64, &bar| most.max(bar));
        let frame = Frame {
            width: 240.0,
            height: 130.0,
            left: 6.0,
            right: 6.0,
            top: 6.0,
            bottom: 22.0,
            ..Frame::new(range, (0.0, top.max(1e-12) * 1.05))
        };
        let step = (range.1 - range.0) / BARS as f64;
        let outline = |bars: &[f64]| -> Vec<(f64, f64)> {
            let edge = |(i, &bar): (usize, &f64)| {
                let x = range.0 + i as f64 * step;
                [(x, bar), (x + step, bar)]
            };
            bars.iter().enumerate().flat_map(edge).collect()
        };
        let mut body = String::new();
        let points = outline(&last);
        let area: String =
            points.iter().map(|&(x, y)| format!("{:.1},{:.1} ", frame.x(x), frame.y(y))).collect();
        let base = frame.y(0.0);
        body += &format!(
            "<polygon class=\"f1\" fill-opacity=\".28\" points=\"{:.1},{base:.1} {area}{:.1},{base:.1}\"/>",
            frame.x(range.0),
            frame.x(range.1)
        );
        body += &frame.line(&points, "s1");
        if let Some(first) = &first {
            body += &frame.line(&outline(first), "s2 dashed");
        }
        let title = format!("{}: histogram at {} and {}", self.name, times.0, times.1);
        let mut said = format!("std {}", significant(self.last.std));
        if let Some(first) = &self.first {
            said = format!("std {} → {}", significant(first.std), significant(self.last.std));
        }
        if self.last.zeros_frac() > 0.01 {
            let before = self.first.as_ref().map(|first| format!("{} → ", percent(first.zeros_frac())));
            said += &format!("; zero {}{}", before.unwrap_or_default(), percent(self.last.zeros_frac()));
        }
        format!(
            "<figure class=\"chart\"><b>{}</b>{}<figcaption>{said}</figcaption></figure>\n",
            escape(&shortened(&self.name, 34)),
            frame.draw_plain(&title, &body),
        )
    }
}

impl Frame {
    /// The drawing with an axis of x alone.
    fn draw_plain(&self, title: &str, body: &str) -> String {
        let bottom = self.height - self.bottom;
        let ticks: String = crate::ticks::ticks(self.x, 3, false)
            .into_iter()
            .map(|(at, text)| {
                // Inside of the drawing also at its ends.
                let half = 3.6 * text.chars().count() as f64;
                let x = self.x(at).clamp(half, self.width - half);
                format!("<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>", bottom + 16.0)
            })
            .collect();
        format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\"><title>{}</title>{body}\
             <line class=\"axis\" x1=\"{}\" x2=\"{}\" y1=\"{bottom}\" y2=\"{bottom}\"/>{ticks}</svg>",
            self.width,
            self.height,
            escape(title),
            self.left,
            self.width - self.right,
        )
    }
}

/// Three significant digits.
fn significant(value: f64) -> String {
    if !value.is_finite() || value == 0.0 {
        return fixed(value, 0);
    }
    let decimals = (2.0 - value.abs().log10().floor()).clamp(0.0, 8.0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_to_even_bars_without_the_zeros() {
        let counts = ValueCounts {
            buckets: vec![(-1.0, 0.0, 10), (0.0, 0.0, 60), (0.0, 1.0, 30)],
            zeros: 60,
            std: 1.0,
        };
        let bars = counts.bars((-1.0, 1.0));
        assert!((bars.iter().sum::<f64>() - 0.4).abs() < 1e-9, "{}", bars.iter().sum::<f64>());
        assert!((bars[..24].iter().sum::<f64>() - 0.1).abs() < 1e-9);
        assert!((counts.quantile(0.05) + 0.5).abs() < 1e-9);
        let figure =
            Distribution { name: "a<b".into(), first: Some(counts.clone()), last: counts }.figure(("x", "y"));
        assert!(figure.contains("a&lt;b") && figure.contains("zero 60.0\u{a0}% → 60.0\u{a0}%"), "{figure}");
        assert_eq!(Distribution::default().figure(("x", "y")), "");
    }

    #[test]
    fn three_digits_count() {
        assert_eq!([0.01234, 1.5, 123.4, 0.0].map(significant), ["0.0123", "1.50", "123", "0"]);
    }
}
