//! Charts as inline SVG: axes with round ticks, lines, marks. Colors are the page's variables, so that one drawing serves a
//! light and a dark page.

use crate::html::escape;
use crate::ticks::{log_ticks, share_ticks, ticks};
use std::fmt::Write as _;

/// Points that a line has at most; a screen shows no more.
const POINTS: usize = 400;

/// A line of a chart.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// From 1 to 6, as in the style sheet.
    pub(crate) color: usize,
    pub(crate) dashed: bool,
    /// Gaps stand where a coordinate is not finite.
    pub(crate) points: Vec<(f64, f64)>,
}

/// What lies between a low and a high line, behind the lines of a chart.
#[derive(Debug, Clone)]
pub(crate) struct Band {
    /// From 1 to 6, as in the style sheet.
    pub(crate) color: usize,
    /// x, low, high; gaps stand where one is not finite.
    pub(crate) points: Vec<(f64, f64, f64)>,
}

/// A line chart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chart {
    /// Read out where the chart cannot be seen.
    pub(crate) title: String,
    pub(crate) x_label: &'static str,
    pub(crate) y_label: &'static str,
    /// The range of x; that of the points where there is none.
    pub(crate) x: Option<(f64, f64)>,
    pub(crate) y: Option<(f64, f64)>,
    /// Whether y has a logarithmic axis; only where its range is positive.
    pub(crate) log_y: bool,
    /// Whether x and y are shares, which the axes show as percentages.
    pub(crate) shares: (bool, bool),
    /// Bands behind the lines; they do not stretch the range of y.
    pub(crate) bands: Vec<Band>,
    /// Whether x counts something, so that ticks are whole numbers.
    pub(crate) whole_x: bool,
    pub(crate) series: Vec<Series>,
    /// Vertical lines and what they mark.
    pub(crate) marks: Vec<(f64, String)>,
    /// Level lines and what they mark; only those within the range of y.
    pub(crate) levels: Vec<(f64, String)>,
    /// Whether it is one of many, drawn at half the size with few ticks.
    pub(crate) small: bool,
    /// Straight lines without a name: chance.
    pub(crate) guides: Vec<[(f64, f64); 2]>,
    /// What to look for, in HTML.
    pub(crate) caption: String,
    /// A heading above the chart.
    pub(crate) heading: String,
}

/// The plot area of a chart, and what its coordinates mean.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) left: f64,
    pub(crate) right: f64,
    pub(crate) top: f64,
    pub(crate) bottom: f64,
    pub(crate) x: (f64, f64),
    pub(crate) y: (f64, f64),
    /// Whether y is logarithmic.
    pub(crate) log_y: bool,
    /// Whether x and y are shares, which the axes show as percentages.
    pub(crate) shares: (bool, bool),
}

impl Frame {
    /// A frame of the usual size.
    pub(crate) fn new(x: (f64, f64), y: (f64, f64)) -> Self {
        let widened =
            |(low, high): (f64, f64)| if high > low { (low, high) } else { (low - 0.5, high + 0.5) };
        Frame {
            width: 480.0,
            height: 280.0,
            left: 54.0,
            right: 12.0,
            top: 26.0,
            bottom: 42.0,
            x: widened(x),
            y: widened(y),
            log_y: false,
            shares: (false, false),
        }
    }

    /// The same in half the size.
    pub(crate) fn small(self) -> Self {
        Frame { width: 250.0, height: 150.0, left: 36.0, right: 13.0, top: 8.0, bottom: 22.0, ..self }
    }

    pub(crate) fn x(&self, value: f64) -> f64 {
        let share = (value - self.x.0) / (self.x.1 - self.x.0);
        self.left + share * (self.width - self.left - self.right)
    }

    pub(crate) fn y(&self, value: f64) -> f64 {
        let share = if self.log_y {
            (value / self.y.0).ln() / (self.y.1 / self.y.0).ln()
        } else {
            (value - self.y.0) / (self.y.1 - self.y.0)
        };
        self.height - self.bottom - share * (self.height - self.top - self.bottom)
    }

    /// The drawing with its axes; `body` stands in front of the grid.
    pub(crate) fn draw(&self, title: &str, labels: (&str, &str), whole_x: bool, body: &str) -> String {
        let across = if self.width < 300.0 { 3 } else { 6 };
        self.draw_between(title, labels, &axis_ticks(self.x, across, whole_x, self.shares.0), body)
    }

    /// The same with these ticks on the x axis.
    pub(crate) fn draw_between(
        &self,
        title: &str,
        labels: (&str, &str),
        across: &[(f64, String)],
        body: &str,
    ) -> String {
        let up = if self.width < 300.0 { 4 } else { 5 };
        let up =
            if self.log_y { log_ticks(self.y, up) } else { axis_ticks(self.y, up, false, self.shares.1) };
        self.draw_axes(title, labels, across, &up, body)
    }

    /// The same with these ticks on both axes.
    pub(crate) fn draw_axes(
        &self,
        title: &str,
        labels: (&str, &str),
        across: &[(f64, String)],
        up: &[(f64, String)],
        body: &str,
    ) -> String {
        let mut svg = format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\"><title>{}</title>",
            self.width,
            self.height,
            escape(title)
        );
        let (left, right) = (self.left, self.width - self.right);
        let bottom = self.height - self.bottom;
        for tick in up {
            let y = self.y(tick.0);
            let _ = write!(
                svg,
                "<line class=\"gridline\" x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 7.0,
                y + 4.0,
                tick.1
            );
        }
        for tick in across {
            let x = self.x(tick.0);
            let _ = write!(
                svg,
                "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom}\" y2=\"{:.1}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 4.0,
                bottom + 17.0,
                tick.1
            );
        }
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{left}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>{body}\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text x=\"{:.1}\" y=\"11\" text-anchor=\"start\">{}</text></svg>",
            (left + right) / 2.0,
            self.height - 6.0,
            escape(labels.0),
            4.0,
            escape(labels.1),
        );
        svg
    }

    /// A line through points, interrupted where one is not finite.
    pub(crate) fn line(&self, points: &[(f64, f64)], class: &str) -> String {
        let mut path = String::new();
        let mut drawing = false;
        let mut alone = String::new();
        for (i, &(x, y)) in points.iter().enumerate() {
            let here = x.is_finite() && y.is_finite();
            if here {
                let (px, py) = (self.x(x), self.y(y.clamp(self.y.0, self.y.1)));
                let _ = write!(path, "{}{px:.1} {py:.1}", if drawing { "L" } else { "M" });
                let next = points.get(i + 1).is_some_and(|&(x, y)| x.is_finite() && y.is_finite());
                if !drawing && !next {
                    // A point by itself is no line.
                    let _ = write!(
                        alone,
                        "<circle class=\"{class} series\" cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"2\"/>"
                    );
                }
            }
            drawing = here;
        }
        format!("<path class=\"series {class}\" d=\"{path}\"/>{alone}")
    }

    /// The area between two lines, cut at the edges of the plot, interrupted where a value is not finite.
    fn band(&self, band: &Band) -> String {
        let mut path = String::new();
        let known = |&(x, low, high): &(f64, f64, f64)| x.is_finite() && low.is_finite() && high.is_finite();
        let y = |value: f64| self.y(value.clamp(self.y.0, self.y.1));
        for run in band.points.split(|point| !known(point)).filter(|run| run.len() > 1) {
            let upper = run.iter().map(|p| (self.x(p.0), y(p.2)));
            let lower = run.iter().rev().map(|p| (self.x(p.0), y(p.1)));
            for (i, (x, y)) in upper.chain(lower).enumerate() {
                let _ = write!(path, "{}{x:.1} {y:.1}", if i == 0 { "M" } else { "L" });
            }
            path.push('Z');
        }
        if path.is_empty() {
            return path;
        }
        format!("<path class=\"band f{}\" d=\"{path}\"/>", band.color)
    }
}

impl Chart {
    /// The chart as a figure; none without a point.
    pub(crate) fn figure(&self) -> String {
        let finite = |of: fn(&(f64, f64)) -> f64| {
            let values = self.series.iter().flat_map(|s| &s.points).map(of).filter(|v| v.is_finite());
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
        };
        let x = self.x.unwrap_or_else(|| finite(|p| p.0));
        let y = self.y.unwrap_or_else(|| {
            let (low, high) = finite(|p| p.1);
            // A constant is shown between zero and twice itself.
            if high - low <= 1e-9 * high.abs() {
                (low.min(0.0) * 2.0, high.max(0.0) * 2.0)
            } else {
                (low - 0.04 * (high - low), high + 0.06 * (high - low))
            }
        });
        if !(x.0.is_finite() && y.0.is_finite()) {
            return String::new();
        }
        let mut frame = Frame::new(x, y);
        frame.log_y = self.log_y && frame.y.0 > 0.0;
        frame.shares = self.shares;
        if self.small {
            frame = frame.small();
        }
        let mut body: String = self
            .bands
            .iter()
            .map(|band| frame.band(&Band { points: thinned(&band.points), ..*band }))
            .collect();
        for [from, to] in &self.guides {
            body += &frame.line(&[*from, *to], "guide");
        }
        for (at, name) in self.levels.iter().filter(|(at, _)| (frame.y.0..=frame.y.1).contains(at)) {
            let y = frame.y(*at);
            let right = frame.width - frame.right;
            let _ = write!(
                body,
                "<line class=\"mark\" x1=\"{}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"name\" x=\"{}\" y=\"{:.1}\" text-anchor=\"start\">{}</text>",
                frame.left,
                frame.left + 4.0,
                y - 4.0,
                escape(name)
            );
        }
        for (at, name) in &self.marks {
            let x = frame.x(*at);
            // On the side that has more room.
            let (offset, anchor) = if x > frame.width * 0.6 { (-5.0, "end") } else { (5.0, "start") };
            let _ = write!(
                body,
                "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
                 <text class=\"name\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
                frame.top,
                frame.height - frame.bottom,
                x + offset,
                frame.top - 4.0,
                escape(name)
            );
        }
        for series in &self.series {
            let dashed = if series.dashed { " dashed" } else { "" };
            body += &frame.line(&thinned(&series.points), &format!("s{}{dashed}", series.color));
        }
        let svg = frame.draw(&self.title, (self.x_label, self.y_label), self.whole_x, &body);
        let heading = if self.heading.is_empty() {
            String::new()
        } else {
            format!("<h3>{}</h3>", escape(&self.heading))
        };
        format!(
            "<figure class=\"chart\">{heading}{svg}{}<figcaption>{}</figcaption></figure>\n",
            legend(&self.series),
            self.caption
        )
    }
}

/// Ticks of a linear axis, of shares as percentages.
fn axis_ticks(range: (f64, f64), about: usize, whole: bool, share: bool) -> Vec<(f64, String)> {
    if share { share_ticks(range, about) } else { ticks(range, about, whole) }
}

/// What the lines are; nothing for a single one without a name.
fn legend(series: &[Series]) -> String {
    let item = |series: &Series| {
        let dashed = if series.dashed { " dashed" } else { "" };
        format!(
            "<li><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\"><path class=\"series s{}{dashed}\" d=\"M1 5L25 5\"/></svg>{}</li>",
            series.color,
            escape(&series.name)
        )
    };
    let items: String = series.iter().filter(|series| !series.name.is_empty()).map(item).collect();
    if items.is_empty() { items } else { format!("<ul class=\"legend\">{items}</ul>") }
}

/// No more points than are seen, the first and the last among them.
fn thinned<T: Copy>(points: &[T]) -> Vec<T> {
    let last = points.len().saturating_sub(1);
    if last < POINTS {
        return points.to_vec();
    }
    (0..POINTS).map(|i| points[i * last / (POINTS - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logarithmic_axis_has_one_in_the_middle_of_hundredths_and_hundreds() {
        let frame = Frame { log_y: true, ..Frame::new((0.0, 1.0), (0.01, 100.0)) };
        let (low, middle, high) = (frame.y(0.01), frame.y(1.0), frame.y(100.0));
        assert!((middle - (low + high) / 2.0).abs() < 1e-9, "{low} {middle} {high}");
    }

    #[test]
    fn bands_have_gaps_and_stay_in_the_plot() {
        let band = Band {
            color: 2,
            points: vec![
                (0.0, 0.2, 0.4),
                (0.2, 0.2, 1e22),
                (0.4, f64::NAN, 0.5),
                (0.6, 0.1, 0.2),
                (1.0, -5.0, 0.3),
            ],
        };
        let frame = Frame::new((0.0, 1.0), (0.0, 1.0));
        let path = frame.band(&band);
        assert_eq!((path.matches('M').count(), path.matches('Z').count()), (2, 2));
        assert!(path.contains(&format!(" {:.1}", frame.top)), "cut at the top: {path}");
        let numbers = path.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'));
        let largest = numbers.filter_map(|n| n.parse::<f64>().ok()).fold(0.0, f64::max);
        assert!(largest <= frame.width, "{largest}");
        assert!(frame.band(&Band { color: 1, points: vec![(0.0, f64::NAN, 1.0)] }).is_empty());
        let chart = Chart {
            series: vec![Series { name: String::new(), color: 1, dashed: false, points: vec![(0.0, 1.0)] }],
            bands: vec![band],
            ..Chart::default()
        };
        let html = chart.figure();
        assert!(html.find("band f2").unwrap() < html.find("series s1").unwrap(), "behind the lines");
    }

    #[test]
    fn lines_have_gaps_and_a_bounded_number_of_points() {
        let points: Vec<(f64, f64)> =
            (0..10_000).map(|i| (f64::from(i), if i == 0 { f64::NAN } else { 1.0 / f64::from(i) })).collect();
        let chart = Chart {
            title: "<loss>".into(),
            series: vec![Series { name: "a&b".into(), color: 1, dashed: false, points }],
            marks: vec![(3.0, "best".into())],
            ..Chart::default()
        };
        let html = chart.figure();
        assert!(
            html.matches('L').count() <= POINTS && !html.contains("NaN"),
            "{}",
            html.matches('L').count()
        );
        assert!(html.contains("&lt;loss&gt;") && html.contains("a&amp;b") && html.contains(">best<"));
        assert!(Chart::default().figure().is_empty());
        let frame = Frame::new((0.0, 1.0), (0.0, 1.0));
        let path = frame.line(&[(0.0, 0.0), (0.2, f64::NAN), (0.4, 0.5), (1.0, 1.0)], "s1");
        assert_eq!((path.matches('M').count(), path.matches("<circle").count()), (2, 1));
    }
}
