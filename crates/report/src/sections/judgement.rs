//! Headline numbers, confusion matrix, per-class table, reliability.

use super::Shown;
use crate::chart::Frame;
use crate::html::stacked;
use crate::html::{count, counted, escape, fixed, percent};
use crate::matrix::{Cells, NUMBERED, matrix, shown_classes};
use crate::run::Judged;
use crate::selection::Selection;
use pupila_metrics::{AveragePrecision, PrecisionRecallF1, RocAuc, Summary, reliability_bins};
use pupila_run::Leaks;
use std::fmt::Write as _;

/// Classes up to which the table keeps the model's order.
const IN_ORDER: usize = 12;

/// The headline numbers with their intervals, and where chance lies.
pub(crate) fn headline(judged: &Judged<'_>, summary: &Summary, majority: f64, even: f64) -> String {
    let value = |name: &str| summary.get(name).unwrap_or(f64::NAN);
    let mut html = String::from("<div class=\"scores\">");
    let cards = [
        ("accuracy", "accuracy", "images classified correctly", Some(majority)),
        ("balanced_accuracy", "balanced accuracy", "mean recall of the classes", Some(even)),
        ("macro_f1", "macro F1", "mean F1 of the classes", None),
        ("macro_auc", "macro AUC", "0.5 is guessing, 1 perfect ranking", Some(0.5)),
    ];
    for (key, name, meaning, chance) in cards {
        let (v, interval) = (value(key), judged.interval(key));
        let shown = if key == "macro_auc" { fixed(v, 3) } else { percent(v) };
        let range = interval.map_or(String::new(), |(low, high)| {
            format!(", 95&nbsp;% interval {:.1} to {:.1}", 100.0 * low, 100.0 * high)
        });
        let _ = write!(
            html,
            "<div class=\"score\"><span>{name}{range}</span><b>{shown}</b>{}<span>{meaning}{}</span></div>",
            gauge(name, v, interval, chance, key != "macro_auc"),
            // What the thin tick is, in the value's own unit; what guessing gives an area says its meaning.
            chance
                .filter(|_| key != "macro_auc")
                .map_or(String::new(), |c| format!("; thin tick: chance, {}", percent(c)))
        );
    }
    html + "</div>\n"
}

/// A value on a line from 0 to 1, with its interval and what chance gives.
fn gauge(name: &str, value: f64, interval: Option<(f64, f64)>, chance: Option<f64>, share: bool) -> String {
    if !value.is_finite() {
        return String::new();
    }
    let x = |v: f64| 3.0 + 194.0 * v.clamp(0.0, 1.0);
    let mut svg = format!(
        "<svg viewBox=\"0 0 200 26\" role=\"img\" preserveAspectRatio=\"none\"><title>{name} on a line; the thin tick is chance</title>\
         <line class=\"gridline\" x1=\"3\" x2=\"197\" y1=\"13\" y2=\"13\" style=\"stroke-width:3\"/>"
    );
    if let Some((low, high)) = interval {
        let _ = write!(
            svg,
            "<line class=\"s1\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"13\" y2=\"13\" style=\"stroke-width:7;stroke-opacity:.35\"/>",
            x(low),
            x(high)
        );
    }
    if let Some(chance) = chance.filter(|chance| chance.is_finite()) {
        let _ =
            write!(svg, "<line class=\"axis\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"5\" y2=\"21\"/>", x(chance));
    }
    let _ = write!(
        svg,
        "<line class=\"s1\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"4\" y2=\"22\" style=\"stroke-width:3\"/></svg>",
        x(value)
    );
    // Beside the drawing, which is stretched to its box.
    let ends = if share { ["0", "50", "100\u{a0}%"] } else { ["0", "0.5", "1"] };
    let _ = write!(svg, "<div class=\"ends\"><i>{}</i><i>{}</i><i>{}</i></div>", ends[0], ends[1], ends[2]);
    svg
}

/// That a negative control was trained, where one was.
pub(crate) fn negative_controls(summary: &pupila_run::Summary) -> String {
    let told = summary.negative_controls().iter();
    told.map(|control| {
        format!("<p class=\"lead\"><b>A negative control, no model for use:</b> {}.</p>\n", escape(control))
    })
    .collect()
}

/// Both matrices, and the pictures behind the worst cells.
pub(crate) fn confusion(shown: &Shown<'_>, selection: &Selection) -> String {
    let confusion = shown.judged.predictions.confusion();
    let classes = shown_classes(confusion);
    let mut html = String::new();
    if classes.len() < shown.classes.len() {
        let _ = write!(
            html,
            "<p class=\"note\">Of {} classes, the {} with the most mistakes are shown.</p>",
            shown.classes.len(),
            classes.len()
        );
    }
    let few = classes.len() <= NUMBERED;
    let draw = |cells| matrix(confusion, shown.classes, &classes, cells);
    let (shares, counts) = (draw(Cells::Shares), draw(Cells::Counts));
    let (shares, counts) = (
        format!(
            "<figure><h3>Share of the true class, in %</h3><div class=\"scroll\">{shares}</div></figure>"
        ),
        format!("<figure><h3>Counts</h3><div class=\"scroll\">{counts}</div></figure>"),
    );
    if few {
        let _ = write!(html, "<div class=\"grid matrices\">{counts}{shares}</div>");
    } else {
        let _ = write!(html, "{shares}{counts}{}", most_confused(shown));
    }
    html += "<p class=\"note\">Each row is a true class, each column what was answered. Blue, on the diagonal, is right; orange is wrong, and the deeper the color the larger the share of that row. A column with much orange is a class that is answered too readily. Point at a cell for its count and share.</p>\n";
    let mut cells = String::new();
    for (target, predicted, samples) in &selection.cells {
        let tiles: String = samples.iter().filter_map(|&sample| shown.small_tile(sample)).collect();
        if tiles.is_empty() {
            continue;
        }
        let _ = write!(
            cells,
            "<h3>{} taken for {}: {} of {}</h3><div class=\"tiles single\">{tiles}</div>",
            escape(shown.class(*target)),
            escape(shown.class(*predicted)),
            count(confusion.count(*target, *predicted)),
            counted(confusion.true_counts()[*target], "image"),
        );
    }
    if !cells.is_empty() {
        html += "<p class=\"note\">The pictures behind the largest wrong cells, the surest mistakes first. Look for what they have in common, and for wrong labels.</p>";
        html += &cells;
    }
    html
}

/// The largest wrong cells as a table: with many classes a matrix cannot be read off.
fn most_confused(shown: &Shown<'_>) -> String {
    let confusion = shown.judged.predictions.confusion();
    let of = confusion.true_counts();
    let row = |&(target, predicted, n): &(usize, usize, u64)| {
        format!(
            "<tr><td>{}</td><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(shown.class(target)),
            escape(shown.class(predicted)),
            count(n),
            count(of[target]),
            percent(n as f64 / of[target] as f64)
        )
    };
    let rows: String = confusion.most_confused(20).iter().map(row).collect();
    format!(
        "<h3>Most frequent confusions</h3>{}",
        stacked(&["true class", "taken for", "images", "of", "share"], &rows)
    )
}

/// Precision, recall, F1 and areas of each class.
pub(crate) fn per_class(judged: &Judged<'_>, classes: &[String]) -> String {
    let confusion = judged.predictions.confusion();
    let scores = PrecisionRecallF1::new(confusion);
    let (areas, precisions) = (RocAuc::new(judged.predictions), AveragePrecision::new(judged.predictions));
    let predicted = confusion.predicted_counts();
    let mut order: Vec<usize> = (0..classes.len().min(scores.per_class.len())).collect();
    let sorted = order.len() > IN_ORDER;
    if sorted {
        order.sort_by(|&a, &b| scores.per_class[a].f1.total_cmp(&scores.per_class[b].f1).then(a.cmp(&b)));
    }
    let bar = |share: f64, color: usize| {
        format!(
            "<svg class=\"bar\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect width=\"100\" height=\"10\" style=\"fill:var(--soft)\"/><rect class=\"f{color}\" width=\"{:.1}\" height=\"10\"/></svg>",
            100.0 * share.clamp(0.0, 1.0)
        )
    };
    let range = |limits: Option<pupila_run::Interval>| match limits {
        Some([Some(low), Some(high)]) => {
            format!("<small>{:.1} to {:.1}</small>", 100.0 * low, 100.0 * high)
        }
        _ => String::new(),
    };
    let mut starred = false;
    let mut rows = String::new();
    for class in order {
        let s = &scores.per_class[class];
        let mut star = |defined: bool| {
            starred |= !defined;
            if defined { "" } else { "*" }
        };
        let mut cell = |value: f64, defined: bool| format!("{}{}", percent(value), star(defined));
        let (has, answered) = (s.support > 0, predicted[class] > 0);
        let of = judged.intervals.per_class.get(class);
        let _ = write!(
            rows,
            "<tr><td class=\"text\">{}</td><td>{}</td><td>{}</td><td>{}{}</td><td>{}{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&classes[class]),
            count(s.support),
            count(predicted[class]),
            bar(s.precision, 1),
            cell(s.precision, answered) + &range(of.map(|of| of.precision_interval)),
            bar(s.recall, 3),
            cell(s.recall, has) + &range(of.map(|of| of.recall_interval)),
            cell(s.f1, has || answered),
            fixed(areas.per_class[class], 3) + star(areas.per_class[class].is_finite()),
            fixed(precisions.per_class[class], 3) + star(has),
        );
    }
    let mut sum = |name: &str, s: pupila_metrics::ClassScores, area: f64, precision: Option<f64>| {
        let _ = write!(
            rows,
            "<tr class=\"sum\"><td>{name}</td><td>{}</td><td></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            count(s.support),
            percent(s.precision),
            percent(s.recall),
            percent(s.f1),
            fixed(area, 3),
            precision.map_or(String::new(), |p| fixed(p, 3)),
        );
    };
    sum("macro average", scores.macro_average(), areas.macro_average, Some(precisions.macro_average));
    sum("weighted average", scores.weighted_average(), areas.weighted_average, None);
    let order = if sorted { " The classes stand in order of F1, the worst first." } else { "" };
    let star = if starred {
        " * Undefined for these images, since the class does not occur or is never answered: 0, and NaN for the area, as scikit-learn has it."
    } else {
        ""
    };
    let heads = ["class", "images", "answered", "precision", "recall", "F1", "AUC", "average precision"];
    let table = stacked(&heads, &rows);
    format!(
        "{table}\n\
         <p class=\"note\">Precision: of the images answered as the class, how many are. Recall: of its images, how many are found. Below them stand their 95 % intervals, in %: a class of few images has uncertain numbers.{order}{star}</p>\n"
    )
}

/// Recall of each class without the images that were trained on too, and on them.
pub(crate) fn leaks_by_class(leaks: &Leaks) -> String {
    let cell = |of: &pupila_run::ClassIntervals| match (of.recall, of.recall_interval) {
        (None, _) => "<td>–</td><td></td>".to_owned(),
        (Some(recall), [Some(low), Some(high)]) => format!(
            "<td>{} of {}</td><td>{:.1} to {:.1}</td>",
            percent(recall),
            count(of.images),
            100.0 * low,
            100.0 * high
        ),
        (Some(recall), _) => format!("<td>{} of {}</td><td></td>", percent(recall), count(of.images)),
    };
    let row = |(without, on): (&pupila_run::ClassIntervals, &pupila_run::ClassIntervals)| {
        format!("<tr><td class=\"text\">{}</td>{}{}</tr>", escape(&without.class), cell(without), cell(on))
    };
    let touched = leaks.without.per_class.iter().zip(&leaks.on.per_class).filter(|(_, on)| on.images > 0);
    let rows: String = touched.map(row).collect();
    let heads = [
        "class",
        "recall without copies",
        "95&nbsp;% interval",
        "recall on the copies",
        "95&nbsp;% interval",
    ];
    stacked(&heads, &rows) + "\n"
}

/// The reliability diagram.
pub(crate) fn calibration(judged: &Judged<'_>) -> String {
    let bins = reliability_bins(judged.predictions);
    let most = bins.iter().map(|bin| bin.samples).max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let frame = Frame { shares: (true, true), ..Frame::new((0.0, 1.0), (0.0, 1.0)) };
    let mut body = frame.line(&[(0.0, 0.0), (1.0, 1.0)], "guide");
    for bin in bins.iter().filter(|bin| bin.samples > 0) {
        let (x, right) = (frame.x(bin.low) + 1.0, frame.x(bin.high) - 1.0);
        let (y, base) = (frame.y(bin.accuracy), frame.y(0.0));
        let title = format!(
            "{} of {:.0} to {:.0} % confidence: right in {}, sure by {}",
            counted(bin.samples, "image"),
            100.0 * bin.low,
            100.0 * bin.high,
            percent(bin.accuracy),
            percent(bin.confidence)
        );
        let opacity = 0.3 + 0.6 * (bin.samples as f64 / most as f64).sqrt();
        let _ = write!(
            body,
            "<g><title>{title}</title><rect class=\"f1\" fill-opacity=\"{opacity:.2}\" x=\"{x:.1}\" width=\"{:.1}\" y=\"{y:.1}\" height=\"{:.1}\"/>\
             <circle class=\"f2\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\"/></g>",
            right - x,
            (base - y).max(0.5),
            frame.x(bin.confidence),
        );
    }
    let drawing =
        frame.draw("Reliability diagram: accuracy by confidence", ("confidence", "accuracy"), false, &body);
    let counts = Frame { shares: (true, false), ..Frame::new((0.0, 1.0), (0.0, most as f64 * 1.05)) };
    let mut body = String::new();
    for bin in &bins {
        let (x, right) = (counts.x(bin.low) + 1.0, counts.x(bin.high) - 1.0);
        let (y, base) = (counts.y(bin.samples as f64), counts.y(0.0));
        let _ = write!(
            body,
            "<g><title>{}</title><rect class=\"f6\" fill-opacity=\".7\" x=\"{x:.1}\" width=\"{:.1}\" y=\"{y:.1}\" height=\"{:.1}\"/></g>",
            counted(bin.samples, "image"),
            right - x,
            base - y
        );
    }
    let histogram = counts.draw("Images by confidence", ("confidence", "images"), false, &body);
    let error =
        pupila_metrics::metric("calibration_error").map_or(f64::NAN, |m| m.compute(judged.predictions));
    format!(
        "<div class=\"grid\"><figure class=\"chart\"><h3>Reliability</h3>{drawing}<figcaption>How often answers of some confidence are right; deeper bars hold more images. Dots stand at the bin's mean confidence: below the dashed line the network is surer than it should be. Expected calibration error: {}.</figcaption></figure>\n\
         <figure class=\"chart\"><h3>Confidence</h3>{histogram}<figcaption>How many images are answered with what confidence. Bars of few images say little in the diagram beside.</figcaption></figure></div>\n",
        percent(error)
    )
}
