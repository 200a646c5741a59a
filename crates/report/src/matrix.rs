//! The confusion matrix as a drawing.

use crate::html::{count, escape, percent, shortened};
use pupila_metrics::ConfusionMatrix;
use std::fmt::Write as _;

/// Classes up to which the cells bear numbers.
pub(crate) const NUMBERED: usize = 24;
/// Classes that a matrix shows, at most.
const MOST: usize = 120;
/// Of more classes, those with the most mistakes.
const WORST: usize = 40;

/// What the cells say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cells {
    Counts,
    /// Shares of each true class.
    Shares,
}

/// The classes that are shown: all, or of many those with the most mistakes.
pub(crate) fn shown_classes(confusion: &ConfusionMatrix) -> Vec<usize> {
    let classes = confusion.classes();
    if classes <= MOST {
        return (0..classes).collect();
    }
    let (of, as_) = (confusion.true_counts(), confusion.predicted_counts());
    let mistakes = |class: usize| of[class] + as_[class] - 2 * confusion.count(class, class);
    let mut order: Vec<usize> = (0..classes).collect();
    order.sort_by_key(|&class| (std::cmp::Reverse(mistakes(class)), class));
    order.truncate(WORST);
    order.sort_unstable();
    order
}

/// The matrix of some classes: true ones down, predicted ones across, darker where more of a true class are.
pub(crate) fn matrix(confusion: &ConfusionMatrix, names: &[String], shown: &[usize], cells: Cells) -> String {
    let numbered = shown.len() <= NUMBERED;
    let size = if numbered { (520.0 / shown.len() as f64).clamp(30.0, 62.0) } else { 12.0 };
    let name = |class: usize| names.get(class).map_or("", String::as_str);
    let longest = shown.iter().map(|&class| name(class).chars().count().min(22)).max().unwrap_or(0) as f64;
    let letter = if numbered { 6.6 } else { 5.4 };
    let margin = 12.0 + letter * longest;
    let (left, top) = (margin + 16.0, if numbered { margin * 0.78 + 12.0 } else { margin + 8.0 });
    let side = shown.len() as f64 * size;
    let (width, height) = (left + side + if numbered { margin * 0.6 } else { 8.0 }, top + side + 6.0);
    let turned = if numbered { -50 } else { -90 };
    let font = if numbered { 12.0 } else { 10.0 };
    let mut svg = format!(
        "<svg class=\"cell\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" role=\"img\" style=\"max-width:{}\">\
         <title>Confusion matrix: rows are true classes, columns predicted ones</title>",
        if numbered { "100%" } else { "none" }
    );
    for (place, &class) in shown.iter().enumerate() {
        let middle = (place as f64 + 0.5) * size;
        let label = escape(&shortened(name(class), 22));
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" style=\"text-anchor:end;font-size:{font}px\">{label}<title>{full}</title></text>\
             <text transform=\"translate({:.1} {:.1}) rotate({turned})\" style=\"text-anchor:start;font-size:{font}px\">{label}<title>{full}</title></text>",
            left - 8.0,
            top + middle + font * 0.36,
            left + middle + if numbered { 2.0 } else { font * 0.36 },
            top - 7.0,
            full = escape(name(class)),
        );
    }
    let _ = write!(
        svg,
        "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{side:.1}\" height=\"{side:.1}\" fill=\"none\" class=\"gridline\"/>"
    );
    let of = confusion.true_counts();
    let most = confusion.rows().flatten().max().map_or(1.0, |&n| n.max(1) as f64);
    for (row, &target) in shown.iter().enumerate() {
        for (column, &predicted) in shown.iter().enumerate() {
            let n = confusion.count(target, predicted);
            if n == 0 && !numbered {
                continue;
            }
            let share = if of[target] == 0 { f64::NAN } else { n as f64 / of[target] as f64 };
            // Cells without numbers say by their color what they are of.
            let depth = match numbered || cells == Cells::Shares {
                true if share.is_finite() => share.powf(0.7),
                true => 0.0,
                false => (n as f64 / most).powf(0.4),
            };
            let fill = if target == predicted { "fc" } else { "fw" };
            let (x, y) = (left + column as f64 * size, top + row as f64 * size);
            let gap = if numbered { 2.0 } else { 0.6 };
            let _ = write!(
                svg,
                "<g><title>{} taken for {}: {} of {} ({})</title><rect class=\"{fill}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill-opacity=\"{depth:.2}\"/>",
                escape(name(target)),
                escape(name(predicted)),
                count(n),
                count(of[target]),
                percent(share),
                x + gap / 2.0,
                y + gap / 2.0,
                size - gap,
                size - gap,
            );
            if numbered && n > 0 {
                let text = match cells {
                    Cells::Counts => count(n),
                    Cells::Shares if size < 36.0 => format!("{:.0}", 100.0 * share),
                    Cells::Shares => format!("{:.0}%", 100.0 * share),
                };
                let on = if depth > 0.62 { " class=\"on\"" } else { "" };
                let _ = write!(
                    svg,
                    "<text x=\"{:.1}\" y=\"{:.1}\"{on}>{text}</text>",
                    x + size / 2.0,
                    y + size / 2.0 + 4.0
                );
            }
            svg += "</g>";
        }
    }
    svg += "</svg>";
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confusion(classes: usize) -> ConfusionMatrix {
        let mut confusion = ConfusionMatrix::new(classes);
        for target in 0..classes {
            let mut row = vec![0.0; classes];
            row[(target * target + 1) % classes] = 1.0;
            confusion.update(&row, &[target as u32]).unwrap();
        }
        confusion
    }

    #[test]
    fn few_classes_have_numbers_and_many_stay_small() {
        let names: Vec<String> = (0..1000).map(|i| format!("class <{i}>")).collect();
        let few = matrix(&confusion(3), &names, &[0, 1, 2], Cells::Counts);
        assert_eq!(few.matches("<rect").count(), 1 + 9);
        assert!(few.contains("&lt;1&gt;") && !few.contains("<1>"));
        let many = matrix(&confusion(95), &names, &shown_classes(&confusion(95)), Cells::Shares);
        assert_eq!(many.matches("<rect").count(), 1 + 95);
        let shown = shown_classes(&confusion(1000));
        assert_eq!(shown.len(), WORST);
        assert!(matrix(&confusion(1000), &names, &shown, Cells::Counts).len() < 100_000);
    }
}
