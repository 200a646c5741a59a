//! Curves of a study: the mean over seeds as a line, what lies between the lowest and the highest seed as a band.

use super::axis::{ABSURD, usable};
use super::numbers::significant;
use super::{Curves, VariantResult, View};
use crate::chart::{Band, Chart, Series};
use crate::html::{escape, shortened};
use std::fmt::Write as _;

/// Variants that one chart shows; more lines cannot be told apart.
const LINES: usize = 11;
/// Variants up to which their bands are shown in one chart.
const BANDS: usize = 4;
/// A loss is drawn on a logarithmic axis where its values span this factor.
const SPAN: f64 = 25.0;
/// A loss is drawn up to this factor around what variants reach.
const READABLE: f64 = 1000.0;

type Of = fn(&Curves) -> &Vec<[f64; 3]>;

/// A range of y, whether it is logarithmic, and what to say about it.
#[derive(Debug, PartialEq)]
struct Scale {
    y: Option<(f64, f64)>,
    log: bool,
    note: String,
}

/// A variant that is shown: the variant, its color, and whether it is dashed.
#[derive(Clone, Copy)]
struct Line<'a> {
    variant: &'a VariantResult,
    baseline: bool,
    color: usize,
    dashed: bool,
}

impl Line<'_> {
    fn series(&self, of: Of, by: f64) -> Series {
        Series {
            name: shortened(self.variant.name.trim(), 48),
            color: self.color,
            dashed: self.dashed,
            points: self.points(of).map(|(epoch, v)| (epoch, v[1] * by)).collect(),
        }
    }

    fn band(&self, of: Of, by: f64) -> Band {
        let points = self.points(of).map(|(epoch, v)| (epoch, v[0] * by, v[2] * by));
        Band { color: self.color, points: points.collect() }
    }

    fn points(&self, of: Of) -> impl Iterator<Item = (f64, [f64; 3])> {
        let curves = &self.variant.curves;
        // Finite, but too large for the arithmetic of an axis.
        let bounded = |v: f64| if v.is_finite() { v.clamp(-ABSURD, ABSURD) } else { v };
        let values = of(curves).iter().map(move |values| values.map(bounded));
        curves.epochs.iter().map(|epoch| f64::from(*epoch)).zip(values)
    }
}

impl View<'_> {
    /// Validation loss, metric and training loss of the variants.
    pub(super) fn curves(&self) -> String {
        let with: Vec<(usize, &VariantResult)> =
            self.shown().filter(|(_, variant)| !variant.curves.epochs.is_empty()).collect();
        let lines = self.chosen(&with);
        let target = self.study.target_loss.filter(|loss| usable(*loss));
        let metric =
            format!("Validation {}{}", shortened(&self.study.metric.name, super::NAME), self.numbers.unit());
        let mut charts = loss_chart(
            &lines,
            "Validation loss",
            |c| &c.val_loss,
            target,
            "In nats. Where a curve turns upwards, the variant overfits.",
        );
        charts += &self.metric_chart(&lines, &metric);
        charts += &loss_chart(
            &lines,
            "Training loss",
            |c| &c.train_loss,
            None,
            "In nats. How fast each variant learns its training images; dropout and augmentation make them harder to learn.",
        );
        if charts.is_empty() {
            return charts;
        }
        let mut note = format!("Lines are means over the {}.", self.all_runs());
        if lines.len() <= BANDS {
            note += " Bands reach from the lowest to the highest run.";
        }
        if lines.len() < with.len() {
            let _ = write!(
                note,
                " Of {} variants, the baseline and those with the best means are shown, {} in all.",
                with.len(),
                lines.len()
            );
        }
        let each = if lines.len() > BANDS { self.one_by_one(&lines, &metric) } else { String::new() };
        format!("<p class=\"note\">{note}</p><div class=\"grid\">{charts}</div>\n{each}")
    }

    fn all_runs(&self) -> &'static str {
        if self.study.splits { "runs of all splits and seeds" } else { "seeds" }
    }

    /// The variants whose curves are shown, in the order of the study.
    fn chosen<'a>(&self, with: &[(usize, &'a VariantResult)]) -> Vec<Line<'a>> {
        let mut ranked = with.to_vec();
        let sign = if self.study.metric.higher_is_better { -1.0 } else { 1.0 };
        let rank = |(place, variant): &(usize, &VariantResult)| {
            let value = if variant.mean.is_finite() { sign * variant.mean } else { f64::INFINITY };
            if *place == self.study.baseline { f64::NEG_INFINITY } else { value }
        };
        ranked.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
        ranked.truncate(LINES);
        ranked.sort_by_key(|(place, _)| *place);
        let mut others = 0;
        let line = |(place, variant): (usize, &'a VariantResult)| {
            let baseline = place == self.study.baseline;
            // The baseline has a color that no other has; the others have five, and five again with dashes.
            let (color, dashed) = if baseline { (6, false) } else { (1 + others % 5, others >= 5) };
            others += usize::from(!baseline);
            Line { variant, baseline, color, dashed }
        };
        ranked.into_iter().map(line).collect()
    }

    fn metric_chart(&self, lines: &[Line<'_>], heading: &str) -> String {
        let (of, by): (Of, f64) = (|c| &c.val_metric, self.numbers.scale());
        let series: Vec<Series> = lines.iter().map(|line| line.series(of, by)).collect();
        let bands = bands(lines, of, by);
        let scale = scale(&series, &bands, false, by > 1.0, None);
        let caption = format!(
            "Curves that cross again and again differ by noise. {} is better.{}",
            if self.study.metric.higher_is_better { "Higher" } else { "Lower" },
            scale.note
        );
        Chart { heading: heading.into(), title: told(heading), series, bands, caption, ..base(&scale) }
            .figure()
    }

    /// A small chart for each variant, with the baseline behind it: where many share a chart, bands hide each other.
    fn one_by_one(&self, lines: &[Line<'_>], metric: &str) -> String {
        let baseline = lines.iter().find(|line| line.baseline);
        let others = || lines.iter().filter(|line| !line.baseline);
        let name = self.baseline_name();
        let mut html = String::new();
        let scale_of = self.numbers.scale();
        let kinds: [(&str, Of, f64, bool); 2] =
            [("Validation loss", |c| &c.val_loss, 1.0, true), (metric, |c| &c.val_metric, scale_of, false)];
        for (heading, of, by, loss) in kinds {
            let series: Vec<Series> = lines.iter().map(|line| line.series(of, by)).collect();
            let bands: Vec<Band> = lines.iter().map(|line| line.band(of, by)).collect();
            let scale = scale(&series, &bands, loss, !loss && by > 1.0, None);
            let mut charts = String::new();
            for line in others() {
                let pair: Vec<&Line<'_>> = baseline.into_iter().chain([line]).collect();
                let unnamed =
                    |line: &&Line<'_>| Series { name: String::new(), dashed: false, ..line.series(of, by) };
                charts += &Chart {
                    heading: shortened(line.variant.name.trim(), 34),
                    title: told(&format!("{heading} of {}", shortened(&line.variant.name, super::NAME))),
                    series: pair.iter().map(unnamed).collect(),
                    bands: pair.iter().map(|line| line.band(of, by)).collect(),
                    small: true,
                    x_label: "",
                    ..base(&scale)
                }
                .figure();
            }
            if !charts.is_empty() {
                let _ = writeln!(
                    html,
                    "<h3>{}, each variant beside “{name}”</h3><div class=\"grid small\">{charts}</div>\
                     <p class=\"note\">By epoch; gray is “{name}”. Bands reach from the lowest to the highest run.{}</p>",
                    escape(heading),
                    scale.note
                );
            }
        }
        html
    }
}

fn loss_chart(lines: &[Line<'_>], heading: &str, of: Of, target: Option<f64>, caption: &str) -> String {
    let series: Vec<Series> = lines.iter().map(|line| line.series(of, 1.0)).collect();
    let bands = bands(lines, of, 1.0);
    let scale = scale(&series, &bands, true, false, target);
    let level = |loss| (loss, format!("target {}", significant(loss)));
    Chart {
        heading: heading.into(),
        title: told(heading),
        levels: target.map(level).into_iter().collect(),
        series,
        bands,
        caption: format!("{caption}{}", scale.note),
        ..base(&scale)
    }
    .figure()
}

/// Bands, where they are few enough to be told apart.
fn bands(lines: &[Line<'_>], of: Of, by: f64) -> Vec<Band> {
    if lines.len() > BANDS { Vec::new() } else { lines.iter().map(|line| line.band(of, by)).collect() }
}

fn told(heading: &str) -> String {
    format!("{heading}, by epoch")
}

fn base(scale: &Scale) -> Chart {
    Chart { x_label: "epoch", whole_x: true, y: scale.y, log_y: scale.log, ..Chart::default() }
}

/// The range in which lines and bands can be read. A loss has a logarithmic axis where it spans much, and an end where it
/// explodes; a share ends at 0 and 100 %.
fn scale(series: &[Series], bands: &[Band], loss: bool, share: bool, target: Option<f64>) -> Scale {
    let finite = |v: &f64| v.is_finite();
    let means = || series.iter().flat_map(|s| s.points.iter().map(|p| p.1)).filter(finite);
    let edges = || bands.iter().flat_map(|b| b.points.iter().flat_map(|p| [p.1, p.2])).filter(finite);
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)))
    };
    let (low, high) = range(&mut means());
    if !(low.is_finite() && high.is_finite()) {
        return Scale { y: None, log: false, note: String::new() };
    }
    let (from, to) = range(&mut means().chain(edges()).chain(target));
    if loss && from >= 0.0 {
        let positive = means().chain(edges()).chain(target).filter(|v| *v > 0.0);
        return loss_scale(series, from, to, positive.fold(f64::INFINITY, f64::min));
    }
    // Bands may take as much room again as the lines, not more.
    let span = high - low;
    let room = if span > 0.0 { span } else { 0.1 * high.abs() };
    let (bottom, top) = (from.max(low - room), to.min(high + room));
    let note =
        if from < bottom || to > top { " Bands are cut at the edge of the chart." } else { "" }.to_owned();
    if !(top > bottom && (top - bottom).is_finite()) {
        return Scale { y: None, log: false, note };
    }
    let pad = 0.05 * (top - bottom);
    let mut y = (bottom - pad, top + pad);
    if share {
        y = (y.0.max(0.0_f64.min(bottom)), y.1.min(100.0_f64.max(top)));
    }
    Scale { y: Some(y), log: false, note }
}

/// The same for losses that reach from one value to another, `smallest` being the smallest above zero. One variant that explodes does not take the axis from the others:
/// it is cut where the others end.
fn loss_scale(series: &[Series], from: f64, to: f64, smallest: f64) -> Scale {
    let of_each = |pick: fn(f64, f64) -> f64| {
        let values =
            |s: &Series| s.points.iter().map(|p| p.1).filter(|v| *v > 0.0 && v.is_finite()).reduce(pick);
        let mut all: Vec<f64> = series.iter().filter_map(values).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len().saturating_sub(1) / 2).copied()
    };
    let (Some(first), Some(reached), Some(highest)) =
        (of_each(|first, _| first), of_each(f64::min), of_each(f64::max))
    else {
        return Scale { y: None, log: false, note: String::new() };
    };
    let top = to.min(1.5 * highest).min((READABLE * reached).max(5.0 * first));
    let smallest = smallest.max(reached / READABLE);
    let log = top > SPAN * smallest;
    let bottom = if log { smallest } else { from };
    let mut note = if log { " Logarithmic axis." } else { "" }.to_owned();
    if to > top || from < 0.999 * bottom {
        note += " What lies beyond the axis is drawn at its edge.";
    }
    let (low, high) = if log {
        (bottom * 0.9, top * 1.1)
    } else {
        (bottom - 0.05 * (top - bottom), top + 0.05 * (top - bottom))
    };
    let y = (high > low && high.is_finite()).then_some((low, high));
    Scale { y, log: log && y.is_some(), note }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        let points = values.iter().enumerate().map(|(i, &v)| (i as f64, v)).collect();
        Series { name: "a".into(), color: 1, dashed: false, points }
    }

    #[test]
    fn a_loss_that_explodes_leaves_the_others_readable() {
        let all = [series(&[1.0, 0.7, 0.6]), series(&[1.0, 0.8, 0.65]), series(&[1.0, 1e9, 1e22])];
        let scale = scale(&all, &[], true, false, None);
        let (low, high) = scale.y.unwrap();
        assert!(!scale.log && low > 0.4 && low < 0.6 && high < 2.0, "{scale:?}");
        assert!(scale.note.contains("drawn at its edge"));
        let scale = super::scale(&all[2..], &[], true, false, None);
        assert!(
            scale.log && scale.y.unwrap().1 < 2000.0,
            "where all explode, the axis still ends: {scale:?}"
        );
    }

    #[test]
    fn a_loss_that_spans_little_has_a_linear_axis() {
        let plain = scale(&[series(&[1.0, 0.5, 0.7])], &[], true, false, Some(0.6));
        assert!(!plain.log && plain.note.is_empty());
        let decades = scale(&[series(&[2.0, 0.1, 0.001])], &[], true, false, None);
        assert!(decades.log && !decades.note.contains("edge"), "{decades:?}");
    }

    #[test]
    fn bands_and_shares_have_their_limits() {
        let band = Band { color: 1, points: vec![(0.0, 0.4, 40.0)] };
        let cut = scale(&[series(&[1.0, 0.5])], &[band], false, false, None);
        assert!(cut.y.unwrap().1 < 2.0 && cut.note.contains("cut"), "{cut:?}");
        let share = scale(&[series(&[95.0, 100.0])], &[], false, true, None);
        assert_eq!(share.y.unwrap().1, 100.0);
        for values in
            [vec![f64::NAN], vec![], vec![1e22], vec![0.0, 0.0], vec![-1e22, 1e22], vec![f64::MAX, -f64::MAX]]
        {
            let scale = scale(&[series(&values)], &[], true, false, None);
            assert!(scale.y.is_none_or(|(low, high)| low < high), "{values:?}: {scale:?}");
        }
    }
}
