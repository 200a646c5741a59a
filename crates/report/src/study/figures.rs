//! The two figures of a study, with one row a variant: every seed's value, and the differences from the baseline. Rows are
//! text with a drawing in between, so that names and numbers are as large on a phone as on a wall.

use super::axis::{Axis, usable};
use super::{DifferenceRow, RunPoint, VariantResult, Verdict, View};
use crate::comparison::p_value;
use crate::html::{count, counted, escape, shortened};
use std::fmt::Write as _;

/// Dots nearer than this, in percent of the width, are stacked.
const NEAR: f64 = 1.6;
/// How high dots are stacked, in the order in which places are taken, in pixels.
const LEVELS: [i32; 3] = [9, 15, 3];

impl View<'_> {
    /// One row a variant: its seeds as dots, its mean and interval as a bar.
    pub(super) fn every_seed(&self) -> String {
        if self.study.variants.is_empty() {
            return String::new();
        }
        let runs = || self.shown().flat_map(|(_, variant)| variant.runs.iter().take(self.most));
        let mut points: Vec<f64> = runs().map(|run| run.value).collect();
        points.extend(self.shown().map(|(_, variant)| variant.mean));
        let ends: Vec<f64> =
            self.shown().flat_map(|(_, variant)| [variant.interval.0, variant.interval.1]).collect();
        let axis = Axis::new(&points, &ends, self.numbers);
        let baseline = self.baseline().map_or(f64::NAN, |variant| variant.mean);
        let mut rows = String::new();
        for (place, variant) in self.shown() {
            let drawing =
                axis.as_ref().map_or(String::new(), |axis| self.seeds_strip(axis, place, variant, baseline));
            let _ = writeln!(
                rows,
                "<li>{}{drawing}<div class=\"value\">{}</div></li>",
                self.row_name(place, variant),
                self.mean_words(variant)
            );
        }
        let metric = &self.study.metric;
        let judged = if self.study.splits {
            format!(
                "Each seed splits the data anew: a run is judged on {} of its own.",
                counted(self.study.images, "image")
            )
        } else {
            format!("All runs are judged on the same {}.", counted(self.study.images, "image"))
        };
        let better = if metric.higher_is_better { "" } else { " Lower is better." };
        let cut = axis.as_ref().map_or(0, |axis| {
            runs().filter(|run| run.value.is_finite() && axis.outside(run.value) != 0).count()
        });
        let cut = if cut > 0 {
            format!(" {} outside of the axis, where an arrow stands.", lie(cut))
        } else {
            String::new()
        };
        let foot = axis.map_or(String::new(), |axis| {
            format!("<li class=\"foot\"><span></span>{}<span></span></li>", axis.labels(false))
        });
        format!(
            "<h3>Validation {}{}</h3>{}<ul class=\"rows\">\n{rows}{foot}</ul>\n\
             <p class=\"note\">{judged}{better}{cut} Intervals tell how well the mean over all seeds is known, not how far single runs lie apart.</p>\n",
            escape(&shortened(&metric.name, super::NAME)),
            self.numbers.unit(),
            seeds_legend(baseline.is_finite()),
        )
    }

    fn seeds_strip(&self, axis: &Axis, place: usize, variant: &VariantResult, baseline: f64) -> String {
        let color = if place == self.study.baseline { 6 } else { 1 };
        let mut body = String::new();
        let (low, high) = variant.interval;
        if usable(low) && usable(high) {
            body += &bar(axis, (low, high), &format!("f{color} interval"), -13, 10);
        }
        body += &self.dots(axis, variant, color);
        if usable(variant.mean) {
            let x = axis.x(variant.mean);
            let _ = write!(
                body,
                "<line class=\"s{color} mean\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"-16\" y2=\"0\"/>"
            );
        }
        let title = format!("{}: {}", variant.short_name(), self.told(variant));
        strip(&title, &(axis.grid() + &axis.mark("mark", baseline)), &body)
    }

    /// The runs as dots; those at one place stand above each other, those outside are arrows at the edge.
    fn dots(&self, axis: &Axis, variant: &VariantResult, color: usize) -> String {
        let mut drawn: Vec<&RunPoint> =
            variant.runs.iter().filter(|run| run.value.is_finite()).take(self.most).collect();
        drawn.sort_by(|a, b| a.value.total_cmp(&b.value));
        let mut taken = [f64::NEG_INFINITY; LEVELS.len()];
        let mut body = String::new();
        for (i, run) in drawn.into_iter().enumerate() {
            let x = if usable(run.value) { axis.x(run.value) } else { axis.x(run.value.signum() * 1e99) };
            let free = taken.iter().position(|&last| x - last >= NEAR);
            let level = free.unwrap_or(i % LEVELS.len());
            taken[level] = x;
            let said = format!(
                "<title>seed {}: {}</title>",
                escape(&shortened(&run.seed, 24)),
                self.numbers.value(run.value)
            );
            let y = LEVELS[level];
            let _ = match axis.outside(run.value) {
                0 => write!(
                    body,
                    "<circle class=\"f{color} dot\" cx=\"{x:.2}%\" cy=\"{y}\" r=\"4.5\">{said}</circle>"
                ),
                side => write!(body, "{}", shape(x, y, &format!("f{color} dot"), arrow(side), &said)),
            };
        }
        body
    }

    /// The mean with its interval, and how the runs ended that have no value.
    fn mean_words(&self, variant: &VariantResult) -> String {
        let without = variant.without_value();
        if !variant.mean.is_finite() {
            let why = if without.is_empty() { "no runs".to_owned() } else { without };
            return format!("<b class=\"open\">no result</b><small>{why}</small>");
        }
        let range = self.numbers.range(variant.interval);
        let range = if range.is_empty() { "one run, no interval".to_owned() } else { range };
        let range = if variant.runs.iter().filter(|run| run.value.is_finite()).count() > 1
            && !self.numbers.range(variant.interval).is_empty()
        {
            format!("95&nbsp;%: {range}")
        } else {
            range
        };
        let without = if without.is_empty() { without } else { format!("<small>{without}</small>") };
        format!("<b>{}</b><small>{range}</small>{without}", self.numbers.value(variant.mean))
    }

    /// What a row shows, for whoever cannot see it.
    fn told(&self, variant: &VariantResult) -> String {
        let with = variant.runs.iter().filter(|run| run.value.is_finite()).count();
        if with == 0 {
            return "no result".into();
        }
        let mean = self.numbers.value(variant.mean);
        format!("mean {mean} over {}", counted(with as u64, "run"))
    }

    fn row_name(&self, place: usize, variant: &VariantResult) -> String {
        let tag = if place == self.study.baseline { "<small>baseline</small>" } else { "" };
        format!("<div class=\"name\">{}{tag}</div>", variant.short_name())
    }

    /// The forest of differences from the baseline.
    pub(super) fn differences(&self) -> String {
        let others = || self.shown().filter(|(place, _)| *place != self.study.baseline);
        if others().next().is_none() {
            return String::new();
        }
        let differences: Vec<&DifferenceRow> = others().filter_map(|(_, v)| v.difference.as_ref()).collect();
        let means: Vec<f64> = differences.iter().map(|d| d.mean).collect();
        let widest: Vec<(f64, f64)> = differences.iter().map(|d| widest(d)).collect();
        let axis = Axis::around_zero(&means, &widest, self.numbers);
        let mut rows = String::new();
        for (place, variant) in others() {
            let drawing = match (&axis, &variant.difference) {
                (Some(axis), Some(difference)) => self.forest_strip(axis, variant, difference),
                (Some(axis), None) => strip(
                    &format!("{}: not compared", variant.short_name()),
                    &(axis.grid() + &axis.mark("zero", 0.0)),
                    "",
                ),
                (None, _) => String::new(),
            };
            let _ = writeln!(
                rows,
                "<li>{}{drawing}<div class=\"value\">{}</div></li>",
                self.row_name(place, variant),
                self.difference_words(variant)
            );
        }
        let foot = axis.as_ref().map_or(String::new(), |axis| {
            let (left, right) =
                if self.study.metric.higher_is_better { ("worse", "better") } else { ("better", "worse") };
            format!(
                "<li class=\"foot\"><span></span><div>{}<p class=\"sides\"><span>← {left}</span><span>{right} →</span></p></div><span></span></li>",
                axis.labels(true)
            )
        });
        let both = differences.iter().any(|d| d.interval_both.is_some());
        let cut = axis.as_ref().map_or(0, |axis| {
            let cut = |(mean, widest): (&f64, &(f64, f64))| {
                [*mean, widest.0, widest.1].into_iter().any(|v| usable(v) && axis.outside(v) != 0)
            };
            means.iter().zip(&widest).filter(|pair| cut(*pair)).count()
        });
        let cut = if cut > 0 { " What reaches beyond the axis ends in an arrow." } else { "" };
        let power = if self.study.power.is_empty() {
            String::new()
        } else {
            format!("<p class=\"also\">{}</p>\n", escape(&self.study.power))
        };
        format!(
            "<h3>Difference from {} in {}{}</h3>{}<ul class=\"rows forest\">\n{rows}{foot}</ul>\n{power}\
             <p class=\"note\">A difference is shown where its interval does not hold zero.{cut}{}</p>\n",
            self.baseline_name(),
            escape(&shortened(&self.study.metric.name, super::NAME)),
            self.numbers.difference_unit(),
            forest_legend(both),
            signs(&differences),
        )
    }

    fn forest_strip(&self, axis: &Axis, variant: &VariantResult, difference: &DifferenceRow) -> String {
        let class = difference.verdict.class();
        let mut body = String::new();
        if let Some((low, high)) = difference.interval_both.filter(|(l, h)| usable(*l) && usable(*h)) {
            body += &bar(axis, (low, high), "whisker", -1, 2);
            for end in [low, high].into_iter().filter(|end| axis.outside(*end) == 0) {
                let x = axis.x(end);
                let _ =
                    write!(body, "<line class=\"cap\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"-6\" y2=\"6\"/>");
            }
        }
        let (low, high) = difference.interval_seeds;
        if usable(low) && usable(high) {
            body += &bar(axis, (low, high), &format!("thick {class}"), -6, 12);
        }
        let (from, to) = widest(difference);
        for (end, side) in [(from, -1), (to, 1)] {
            if usable(end) && axis.outside(end) == side {
                body += &shape(axis.x(end), 0, &format!("thick {class}"), arrow(side), "");
            }
        }
        if usable(difference.mean) && axis.outside(difference.mean) == 0 {
            let hollow = matches!(
                difference.verdict,
                Verdict::Open | Verdict::NotTested | Verdict::BetterHere | Verdict::WorseHere
            );
            let hollow = if hollow { " hollow" } else { "" };
            body += &shape(
                axis.x(difference.mean),
                0,
                &format!("point {class}{hollow}"),
                "M0 -9L8 0L0 9L-8 0Z",
                "",
            );
        }
        let title = format!(
            "{}: {}, 95 % interval {}, {}",
            variant.short_name(),
            self.numbers.difference(difference.mean),
            self.numbers.signed_range(difference.interval_seeds),
            difference.verdict.label()
        );
        strip(&title, &(axis.grid() + &axis.mark("zero", 0.0)), &body)
    }

    fn difference_words(&self, variant: &VariantResult) -> String {
        let Some(difference) = &variant.difference else {
            let without = variant.without_value();
            let why = if without.is_empty() { String::new() } else { format!("<small>{without}</small>") };
            return format!("<b class=\"open\">– not compared</b>{why}");
        };
        let mut numbers = self.numbers.difference(difference.mean);
        let range = self.numbers.signed_range(difference.interval_seeds);
        if !range.is_empty() {
            let _ = write!(numbers, "; 95&nbsp;%: {range}");
        }
        format!(
            "<b class=\"{}\">{}</b><small>{numbers}</small>",
            difference.verdict.class(),
            words(difference)
        )
    }
}

/// The verdict with its sign, in HTML.
pub(super) fn words(difference: &DifferenceRow) -> String {
    let verdict = difference.verdict;
    let said = if difference.words.trim().is_empty() { verdict.label() } else { &difference.words };
    format!("{}\u{a0}{}", verdict.sign(), escape(&shortened(said, 160)))
}

/// The adjusted p-value in HTML.
pub(super) fn adjusted(difference: &DifferenceRow) -> String {
    if difference.p_value.is_finite() { p_value(difference.p_value) } else { super::numbers::UNKNOWN.into() }
}

/// Where the wider of both intervals ends; the mean where there is none.
fn widest(difference: &DifferenceRow) -> (f64, f64) {
    let all =
        [Some(difference.interval_seeds), difference.interval_both, Some((difference.mean, difference.mean))];
    let known = all.into_iter().flatten().filter(|(low, high)| usable(*low) && usable(*high));
    known.fold((f64::NAN, f64::NAN), |(l, h): (f64, f64), (low, high)| (l.min(low), h.max(high)))
}

fn lie(n: usize) -> String {
    if n == 1 { "One run lies".into() } else { format!("{} runs lie", count(n as u64)) }
}

/// A drawing of a row. `title` is HTML; `behind` fills the height, and in `body` y is counted from the middle.
fn strip(title: &str, behind: &str, body: &str) -> String {
    format!(
        "<svg class=\"strip\" role=\"img\"><title>{title}</title>{behind}<svg y=\"50%\" overflow=\"visible\">{body}</svg></svg>"
    )
}

/// A level bar between two values, cut at the edges.
fn bar(axis: &Axis, (low, high): (f64, f64), class: &str, y: i32, height: i32) -> String {
    let (from, to) = (axis.x(low), axis.x(high));
    format!(
        "<rect class=\"{class}\" x=\"{from:.2}%\" width=\"{:.2}%\" y=\"{y}\" height=\"{height}\" rx=\"{}\"/>",
        (to - from).max(0.1),
        (height / 4).min(2)
    )
}

/// A shape around a place, of fixed size.
fn shape(x: f64, y: i32, class: &str, path: &str, inside: &str) -> String {
    format!(
        "<svg x=\"{x:.2}%\" y=\"{y}\" overflow=\"visible\"><path class=\"{class}\" d=\"{path}\">{inside}</path></svg>"
    )
}

fn arrow(side: i32) -> &'static str {
    if side < 0 { "M-6 0L4 -6V6Z" } else { "M6 0L-4 -6V6Z" }
}

fn seeds_legend(baseline: bool) -> String {
    let mut items = legend_item(
        "<circle class=\"f1 dot\" cx=\"13\" cy=\"7\" r=\"4.5\"/>",
        "a run, with a seed of its own",
    );
    items += &legend_item(
        "<rect class=\"f1 interval\" x=\"1\" y=\"2\" width=\"24\" height=\"10\" rx=\"2\"/><line class=\"s1 mean\" x1=\"13\" x2=\"13\" y1=\"0\" y2=\"14\"/>",
        "their mean and its 95&nbsp;% interval",
    );
    if baseline {
        items += &legend_item(
            "<line class=\"mark\" x1=\"13\" x2=\"13\" y1=\"0\" y2=\"14\"/>",
            "the baseline’s mean",
        );
    }
    format!("<ul class=\"legend keys\">{items}</ul>")
}

fn forest_legend(both: bool) -> String {
    let mut items = legend_item(
        "<rect class=\"thick open\" x=\"1\" y=\"2\" width=\"24\" height=\"10\" rx=\"2\"/>",
        "95&nbsp;% interval over seeds",
    );
    if both {
        items += &legend_item(
            "<path class=\"cap\" d=\"M1 7H25M1 2V12M25 2V12\"/>",
            "95&nbsp;% interval over seeds and images",
        );
    }
    format!("<ul class=\"legend keys\">{items}</ul>")
}

fn legend_item(drawing: &str, words: &str) -> String {
    format!("<li><svg viewBox=\"0 0 26 14\" aria-hidden=\"true\">{drawing}</svg>{words}</li>")
}

/// What the signs mean that stand in the figure.
fn signs(differences: &[&DifferenceRow]) -> String {
    let has = |verdict| differences.iter().any(|difference| difference.verdict == verdict);
    let mut html = String::new();
    if has(Verdict::Better) || has(Verdict::Worse) {
        html += " ▲ and ▼: shown for other seeds and other images like these.";
    }
    if has(Verdict::BetterHere) || has(Verdict::WorseHere) {
        html += " △ and ▽: shown for other seeds on these images only; other images may say otherwise.";
    }
    if has(Verdict::Open) {
        html += " ○: not shown either way, which does not mean that there is no difference.";
    }
    if has(Verdict::NotTested) {
        html += " –: too few runs to test.";
    }
    html
}
