//! The figure of every seed: one row a variant, with its runs as dots, their mean and its interval.

use super::axis::{Axis, usable};
use super::strip::{LONG, NO_DRAWING, arrow, bar, legend_item, shape, strip};
use super::{RunPoint, VariantResult, View};
use crate::html::{count, counted, escape, shortened};
use std::fmt::Write as _;

/// Dots nearer than this, in percent of the width, are stacked.
const NEAR: f64 = 1.6;
/// Runs up to which dots are large.
const FEW: usize = 8;
/// The radius of dots, and how high they are stacked, in the order in which places are taken: pixels below the middle of a row.
const FEW_DOTS: (f64, &[i32]) = (4.5, &[5, 14, 23]);
const MANY_DOTS: (f64, &[i32]) = (2.9, &[3, 9, 15, 21, 27]);

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
            let drawing = axis
                .as_ref()
                .map_or(NO_DRAWING.into(), |axis| self.seeds_strip(axis, place, variant, baseline));
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
                "Each split sets other images aside, about {}, and has all seeds.",
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
        let reaches = |(low, high): (f64, f64)| {
            axis.as_ref().is_some_and(|axis| [low, high].iter().any(|v| usable(*v) && axis.outside(*v) != 0))
        };
        let wide = if self.shown().any(|(_, variant)| reaches(variant.interval)) {
            " An interval that reaches beyond the axis ends in an arrow."
        } else {
            ""
        };
        let known = if self.study.splits {
            "the mean over splits is known, with what splits of the same images share and what the seeds of a split do"
        } else {
            "the mean over all seeds is known"
        };
        let foot = axis.map_or(String::new(), |axis| {
            format!("<li class=\"foot\"><span></span>{}<span></span></li>", axis.labels(false))
        });
        format!(
            "<h3>Validation {}{}</h3>{}<ul class=\"rows\">\n{}{rows}{foot}</ul>\n\
             <p class=\"note\">{judged}{better}{cut}{wide} Intervals tell how well {known}, not how far single runs lie apart.</p>\n",
            escape(&shortened(&metric.name, super::NAME)),
            self.numbers.unit(),
            seeds_legend(baseline.is_finite(), self.study.splits),
            if self.shown().nth(LONG).is_some() { foot.as_str() } else { "" },
        )
    }

    fn seeds_strip(&self, axis: &Axis, place: usize, variant: &VariantResult, baseline: f64) -> String {
        let color = if place == self.study.baseline { 6 } else { 1 };
        let mut body = String::new();
        let (low, high) = variant.interval;
        if usable(low) && usable(high) {
            body += &bar(axis, (low, high), &format!("f{color} interval"), -19, 12);
            for (end, side) in
                [(low, -1), (high, 1)].into_iter().filter(|&(end, side)| axis.outside(end) == side)
            {
                body += &shape(axis.x(end), -13, &format!("f{color} interval"), arrow(side), "");
            }
        }
        body += &self.dots(axis, variant, color);
        if usable(variant.mean) && axis.outside(variant.mean) == 0 {
            let x = axis.x(variant.mean);
            let _ = write!(
                body,
                "<line class=\"s{color} mean\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"-23\" y2=\"-3\"/>"
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
        let (radius, levels) = if drawn.len() > FEW { MANY_DOTS } else { FEW_DOTS };
        let mut taken = vec![f64::NEG_INFINITY; levels.len()];
        let mut body = String::new();
        for (i, run) in drawn.into_iter().enumerate() {
            let x = if usable(run.value) { axis.x(run.value) } else { axis.x(run.value.signum() * 1e99) };
            let free = taken.iter().position(|&last| x - last >= NEAR);
            let level = free.unwrap_or(i % levels.len());
            taken[level] = x;
            let said =
                format!("<title>{}: {}</title>", self.run_name(&run.seed), self.numbers.value(run.value));
            let y = levels[level];
            let _ = match axis.outside(run.value) {
                0 => write!(
                    body,
                    "<circle class=\"f{color} dot\" cx=\"{x:.2}%\" cy=\"{y}\" r=\"{radius}\">{said}</circle>"
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
}

fn lie(n: usize) -> String {
    if n == 1 { "One run lies".into() } else { format!("{} runs lie", count(n as u64)) }
}

fn seeds_legend(baseline: bool, splits: bool) -> String {
    let mut items = legend_item(
        "<circle class=\"f1 dot\" cx=\"13\" cy=\"7\" r=\"4.5\"/>",
        if splits { "a run: a seed on a split" } else { "a run, with a seed of its own" },
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
