//! ROC and precision-recall curves.

use crate::chart::{Chart, Series};
use crate::html::{count, fixed, shortened_middle};
use crate::run::Judged;
use pupila_metrics::{AveragePrecision, PrecisionRecallCurve, RocAuc, RocCurve};

/// Classes with a curve of their own: as many as there are colors.
const CURVES: usize = 5;
/// Points of the mean curve.
const GRID: u32 = 200;
/// Scores above which the mean curve would take too long.
const TOO_MANY: usize = 30_000_000;

/// Both kinds of curves of the classes that matter, and the mean of all.
pub(crate) fn ranking(judged: &Judged<'_>, classes: &[String]) -> String {
    let predictions = judged.predictions;
    let (areas, precisions) = (RocAuc::new(predictions), AveragePrecision::new(predictions));
    let mut order: Vec<usize> =
        (0..classes.len()).filter(|&class| areas.per_class[class].is_finite()).collect();
    if order.is_empty() {
        return "<p>No class can be told from the others here: it takes images of at least two classes.</p>"
            .into();
    }
    let all = order.len();
    if all > CURVES {
        order.sort_by(|&a, &b| areas.per_class[a].total_cmp(&areas.per_class[b]).then(a.cmp(&b)));
        order.truncate(CURVES);
    }
    let name =
        |class: usize, area: f64| format!("{}, {}", shortened_middle(&classes[class], 26), fixed(area, 3));
    let mut roc: Vec<Series> = Vec::new();
    let mut recall: Vec<Series> = Vec::new();
    for (place, &class) in order.iter().enumerate() {
        let curve = RocCurve::new(predictions, class);
        roc.push(Series {
            name: name(class, areas.per_class[class]),
            color: 1 + place % 6,
            dashed: false,
            points: corners(curve.false_positive_rate.into_iter().zip(curve.true_positive_rate)),
        });
        let curve = PrecisionRecallCurve::new(predictions, class);
        recall.push(Series {
            name: name(class, precisions.per_class[class]),
            color: 1 + place % 6,
            dashed: false,
            points: steps(&curve),
        });
    }
    if all > 2 && predictions.len().saturating_mul(classes.len()) < TOO_MANY {
        roc.push(mean(judged, classes.len(), areas.macro_average));
    }
    let which = if all > CURVES {
        format!("Of {} classes, the {CURVES} that are ranked worst are shown. ", count(all as u64))
    } else {
        String::new()
    };
    let roc = Chart {
        title: "ROC curves: true positive rate by false positive rate".into(),
        heading: "ROC".into(),
        x_label: "false positive rate",
        y_label: "true positive rate",
        x: Some((0.0, 1.0)),
        y: Some((0.0, 1.0)),
        shares: (true, true),
        series: roc,
        guides: vec![[(0.0, 0.0), (1.0, 1.0)]],
        caption: format!(
            "{which}Each class against the rest, with the area below its curve (AUC). The nearer to the upper left corner, the better; the dashed diagonal is guessing."
        ),
        ..Chart::default()
    };
    let recall = Chart {
        title: "Precision by recall".into(),
        heading: "Precision and recall".into(),
        x_label: "recall",
        y_label: "precision",
        x: Some((0.0, 1.0)),
        y: Some((0.0, 1.0)),
        shares: (true, true),
        series: recall,
        caption: format!(
            "{which}What a stricter or more lenient threshold would give, with the average precision. The nearer to the upper right corner, the better; a rare class starts low by nature."
        ),
        ..Chart::default()
    };
    format!("<div class=\"grid\">{}{}</div>\n", roc.figure(), recall.figure())
}

/// The mean of the true positive rates of all classes that have a curve.
fn mean(judged: &Judged<'_>, classes: usize, area: f64) -> Series {
    let mut sums = vec![0.0; GRID as usize + 1];
    let mut curves = 0.0;
    for class in 0..classes {
        let curve = RocCurve::new(judged.predictions, class);
        if !curve.is_defined() {
            continue;
        }
        curves += 1.0;
        sums.iter_mut().enumerate().for_each(|(i, sum)| *sum += curve.at(i as f64 / f64::from(GRID)));
    }
    let points = sums.into_iter().enumerate().map(|(i, sum)| (i as f64 / f64::from(GRID), sum / curves));
    let named = if area.is_finite() {
        format!("mean of all classes, {}", fixed(area, 3))
    } else {
        "mean of all classes".into()
    };
    // The mean starts where the curves do.
    let points = [(0.0, 0.0)].into_iter().chain(points).collect();
    Series { name: named, color: 6, dashed: true, points }
}

/// Without the points in the middle of a straight part.
fn corners(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for point in points {
        if let [.., a, b] = kept[..]
            && ((b.0 - a.0) * (point.1 - a.1) - (b.1 - a.1) * (point.0 - a.0)).abs() < 1e-12
        {
            kept.pop();
        }
        kept.push(point);
    }
    kept
}

/// The step function whose area is the average precision, by ascending recall.
fn steps(curve: &PrecisionRecallCurve) -> Vec<(f64, f64)> {
    let mut points = Vec::with_capacity(2 * curve.recall.len());
    let mut last = 0.0;
    // The last point, of recall 0 and precision 1, is no threshold.
    for (&recall, &precision) in curve.recall.iter().zip(&curve.precision).rev().skip(1) {
        points.push((last, precision));
        points.push((recall, precision));
        last = recall;
    }
    corners(points.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn straight_parts_are_two_points() {
        let points = [(0.0, 0.0), (0.0, 0.5), (0.0, 1.0), (0.5, 1.0), (1.0, 1.0)];
        assert_eq!(corners(points.into_iter()), [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]);
    }

    #[test]
    fn the_area_below_the_steps_is_the_average_precision() {
        let mut predictions = pupila_metrics::Predictions::new(2);
        let rows = [0.9, 0.1, 0.8, 0.2, 0.35, 0.65, 0.4, 0.6, 0.2, 0.8];
        predictions.push_probabilities(&rows, &[0, 1, 1, 0, 1]).unwrap();
        let points = steps(&PrecisionRecallCurve::new(&predictions, 1));
        let area: f64 = points.windows(2).map(|pair| (pair[1].0 - pair[0].0) * pair[1].1).sum();
        let expected = AveragePrecision::new(&predictions).per_class[1];
        assert!((area - expected).abs() < 1e-12, "{area} {expected}");
    }
}
