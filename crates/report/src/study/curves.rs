//! Curves of a study: the mean over seeds as a line, what lies between the lowest and the highest seed as a band.

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

impl View<'_> {
    /// Validation loss, metric and training loss of the variants.
    pub(super) fn curves(&self) -> String {
        let with: Vec<(usize, &VariantResult)> =
            self.shown().filter(|(_, variant)| !variant.curves.epochs.is_empty()).collect();
        let chosen = self.chosen(&with);
        let metric = &self.study.metric;
        let target = self.study.target_loss.filter(|loss| loss.is_finite());
        let caption = match target {
            Some(loss) => format!(
                "In nats. The thin dashed line is the target loss, {}. Where a curve turns upwards, the variant overfits.",
                super::numbers::significant(loss)
            ),
            None => "In nats. Where a curve turns upwards, the variant overfits.".into(),
        };
        let scale = self.numbers.scale();
        let mut charts = self.chart(&chosen, "Validation loss", |c| &c.val_loss, None, &caption, target);
        let metric_caption = "Curves whose bands overlap may trade places with other seeds.";
        charts +=
            &self.chart(&chosen, "Validation metric", |c| &c.val_metric, Some(scale), metric_caption, None);
        let training = "In nats. How fast each variant learns its training images; dropout and augmentation make them harder to learn.";
        charts += &self.chart(&chosen, "Training loss", |c| &c.train_loss, None, training, None);
        if charts.is_empty() {
            return charts;
        }
        let mut note = String::from("Lines are means over the seeds.");
        if chosen.len() <= BANDS {
            note += " Bands reach from the lowest to the highest seed.";
        }
        if chosen.len() < with.len() {
            let _ = write!(
                note,
                " Of {} variants, the baseline and the {} with the best mean are shown.",
                with.len(),
                chosen.len() - usize::from(chosen.iter().any(|(place, _)| *place == self.study.baseline))
            );
        }
        if self.numbers.scale() > 1.0 {
            let _ = write!(note, " Validation metric: {}, %.", escape(&shortened(&metric.name, super::NAME)));
        } else {
            let _ = write!(note, " Validation metric: {}.", escape(&shortened(&metric.name, super::NAME)));
        }
        format!("<p class=\"note\">{note}</p><div class=\"grid wide-charts\">{charts}</div>\n")
    }

    /// The variants whose curves are shown, in the order of the study.
    fn chosen<'a>(&self, with: &[(usize, &'a VariantResult)]) -> Vec<(usize, &'a VariantResult)> {
        let mut ranked = with.to_vec();
        let sign = if self.study.metric.higher_is_better { -1.0 } else { 1.0 };
        let rank = |(place, variant): &(usize, &VariantResult)| {
            let value = if variant.mean.is_finite() { sign * variant.mean } else { f64::INFINITY };
            if *place == self.study.baseline { f64::NEG_INFINITY } else { value }
        };
        ranked.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
        ranked.truncate(LINES);
        ranked.sort_by_key(|(place, _)| *place);
        ranked
    }

    fn chart(
        &self,
        chosen: &[(usize, &VariantResult)],
        heading: &'static str,
        of: Of,
        factor: Option<f64>,
        caption: &str,
        target: Option<f64>,
    ) -> String {
        let by = factor.unwrap_or(1.0);
        let with_bands = chosen.len() <= BANDS;
        let mut series = Vec::new();
        let mut bands = Vec::new();
        let mut other = 0;
        for (place, variant) in chosen {
            // The baseline has a color that no other has; the others have five, and five again with dashes.
            let (color, dashed) =
                if *place == self.study.baseline { (6, false) } else { (1 + other % 5, other >= 5) };
            other += usize::from(*place != self.study.baseline);
            let points =
                || variant.curves.epochs.iter().zip(of(&variant.curves)).map(|(e, v)| (f64::from(*e), v));
            if of(&variant.curves).is_empty() {
                continue;
            }
            if with_bands {
                bands
                    .push(Band { color, points: points().map(|(e, v)| (e, v[0] * by, v[2] * by)).collect() });
            }
            series.push(Series {
                name: shortened(variant.name.trim(), 48),
                color,
                dashed,
                points: points().map(|(e, v)| (e, v[1] * by)).collect(),
            });
        }
        let scale = scale(&series, &bands, factor.is_none(), by > 1.0, target);
        let last = chosen.iter().filter_map(|(_, variant)| variant.curves.epochs.last()).max();
        let guides = match (target, last) {
            (Some(loss), Some(&last)) => vec![[(1.0, loss), (f64::from(last), loss)]],
            _ => Vec::new(),
        };
        Chart {
            heading,
            title: format!("{heading} of the variants by epoch"),
            x_label: "epoch",
            whole_x: true,
            y: scale.y,
            log_y: scale.log,
            series,
            bands,
            guides,
            caption: format!("{caption}{}", scale.note),
            ..Chart::default()
        }
        .figure()
    }
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
    let positive = || means().chain(edges()).filter(|v| *v > 0.0);
    let (smallest, _) = range(&mut positive());
    if loss && from >= 0.0 && smallest.is_finite() && to > SPAN * smallest {
        // Where most variants begin and what they reach, however far one of them explodes.
        let of_each = |pick: fn(f64, f64) -> f64| {
            let values =
                |s: &Series| s.points.iter().map(|p| p.1).filter(|v| *v > 0.0 && v.is_finite()).reduce(pick);
            let mut all: Vec<f64> = series.iter().filter_map(values).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len().saturating_sub(1) / 2).copied().unwrap_or(smallest)
        };
        let (first, reached) = (of_each(|first, _| first), of_each(f64::min));
        let bottom = smallest.max(reached / READABLE);
        let top = to.min((reached * READABLE).max(5.0 * first));
        let cut = to > top || from < bottom * 0.999;
        let mut note = String::from(" Logarithmic axis.");
        if cut {
            note += " Values beyond it are drawn at its edge.";
        }
        if top > bottom {
            return Scale { y: Some((bottom * 0.9, top * 1.1)), log: true, note };
        }
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
        assert!(scale.log && low > 0.4 && low < 0.6 && high < 1000.0, "{scale:?}");
        assert!(scale.note.contains("drawn at its edge"));
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
