//! The figure of differences from the baseline: one row a variant, with its intervals around zero and the verdict in words.

use super::axis::{Axis, usable};
use super::strip::{LONG, NO_DRAWING, arrow, bar, legend_item, shape, strip};
use super::{DifferenceRow, VariantResult, Verdict, View};
use crate::comparison::p_value;
use crate::html::{escape, shortened};
use std::fmt::Write as _;

impl View<'_> {
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
                (None, _) => NO_DRAWING.into(),
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
        let (legend, reading) = if differences.is_empty() {
            (String::new(), "No variant could be compared.".to_owned())
        } else {
            let reading = format!(
                "A difference is shown where its interval does not hold zero.{cut}{}",
                signs(&differences, self.study.splits)
            );
            (forest_legend(both, self.block()), reading)
        };
        format!(
            "<h3>Difference from “{}” in {}{}</h3>{}<ul class=\"rows forest\">\n{}{rows}{foot}</ul>\n{power}\
             <p class=\"note\">{reading}</p>\n",
            self.baseline_name(),
            escape(&shortened(&self.study.metric.name, super::NAME)),
            self.numbers.difference_unit(),
            legend,
            if self.shown().nth(LONG).is_some() { foot.as_str() } else { "" },
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
    let known = (0.0..=1.0).contains(&difference.p_value);
    if known { p_value(difference.p_value) } else { super::numbers::UNKNOWN.into() }
}

/// Where the wider of both intervals ends; the mean where there is none.
fn widest(difference: &DifferenceRow) -> (f64, f64) {
    let all =
        [Some(difference.interval_seeds), difference.interval_both, Some((difference.mean, difference.mean))];
    let known = all.into_iter().flatten().filter(|(low, high)| usable(*low) && usable(*high));
    known.fold((f64::NAN, f64::NAN), |(l, h): (f64, f64), (low, high)| (l.min(low), h.max(high)))
}

fn forest_legend(both: bool, block: &str) -> String {
    let mut items = legend_item(
        "<rect class=\"thick open\" x=\"1\" y=\"2\" width=\"24\" height=\"10\" rx=\"2\"/>",
        &format!("95&nbsp;% interval over {block}s"),
    );
    if both {
        items += &legend_item(
            "<path class=\"cap\" d=\"M1 7H25M1 2V12M25 2V12\"/>",
            "95&nbsp;% interval over seeds and images",
        );
    }
    format!("<ul class=\"legend keys\">{items}</ul>")
}

/// What the signs mean that stand in the figure.
fn signs(differences: &[&DifferenceRow], splits: bool) -> String {
    let has = |verdict| differences.iter().any(|difference| difference.verdict == verdict);
    let mut html = String::new();
    if has(Verdict::Better) || has(Verdict::Worse) {
        html += match splits {
            true => " ▲ and ▼: shown for other splits of these images and other seeds.",
            false => " ▲ and ▼: shown for other seeds and other images like these.",
        };
    }
    if has(Verdict::BetterHere) || has(Verdict::WorseHere) {
        html += " △ and ▽: shown for other seeds on these images only; other images may say otherwise.";
    }
    if has(Verdict::Open) {
        html += " ○: no difference is shown, which does not mean that there is none.";
    }
    if has(Verdict::NotTested) {
        html += " –: too few runs to test.";
    }
    html
}
