//! The confusion matrix as a table.

use crate::html::{count, escape, percent, shortened_middle};
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

/// The matrix of some classes as a table: true ones down, predicted ones across, darker where more of a true class are. It keeps its
/// size and the names of its rows and columns in sight, in a box that scrolls.
pub(crate) fn matrix(confusion: &ConfusionMatrix, names: &[String], shown: &[usize], cells: Cells) -> String {
    let numbered = shown.len() <= NUMBERED;
    let name = |class: usize| names.get(class).map_or("", String::as_str);
    let (kind, longest) = match shown.len() {
        0..=4 => ("few", 40),
        5..=NUMBERED => ("some", 34),
        _ => ("many", 24),
    };
    let head = |class: usize| {
        format!(
            "<th scope=\"col\" title=\"{}\"><span>{}</span></th>",
            escape(name(class)),
            escape(&shortened_middle(name(class), longest))
        )
    };
    let mut html = format!(
        "<table class=\"matrix {kind}\"><caption class=\"axis\">predicted class →</caption><thead><tr><th class=\"corner\">true class ↓</th>{}</tr></thead><tbody>",
        shown.iter().map(|&class| head(class)).collect::<String>()
    );
    let of = confusion.true_counts();
    let most = confusion.rows().flatten().max().map_or(1.0, |&n| n.max(1) as f64);
    for &target in shown {
        let _ = write!(
            html,
            "<tr><th scope=\"row\" title=\"{}\"><span>{}</span></th>",
            escape(name(target)),
            escape(&shortened_middle(name(target), longest))
        );
        for &predicted in shown {
            let n = confusion.count(target, predicted);
            if n == 0 && !numbered {
                // What nothing is said of takes few bytes: there are thousands of these.
                html += "<td>";
                continue;
            }
            let share = if of[target] == 0 { f64::NAN } else { n as f64 / of[target] as f64 };
            // Cells without numbers say by their color what they are of.
            let depth = match numbered || cells == Cells::Shares {
                true if share.is_finite() => share.powf(0.7),
                true => 0.0,
                false => (n as f64 / most).powf(0.4),
            };
            let text = match cells {
                _ if !numbered || n == 0 => String::new(),
                Cells::Counts => count(n),
                Cells::Shares => format!("{:.0}", 100.0 * share),
            };
            let _ = write!(
                html,
                "<td title=\"{} taken for {}: {} of {} ({})\"{}><i class=\"{}\" style=\"opacity:{depth:.2}\"></i><span>{text}</span></td>",
                escape(name(target)),
                escape(name(predicted)),
                count(n),
                count(of[target]),
                percent(share),
                if depth > 0.62 { " class=\"on\"" } else { "" },
                if target == predicted { "right" } else { "wrong" },
            );
        }
        html += "</tr>";
    }
    html + "</tbody></table>"
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
        assert_eq!((few.matches("<td ").count(), few.matches("<span>1</span>").count()), (9, 3));
        assert!(few.contains("&lt;1&gt;") && !few.contains("<1>"));
        assert!(few.contains("true class") && few.contains("predicted class"));
        let many = matrix(&confusion(95), &names, &shown_classes(&confusion(95)), Cells::Shares);
        assert_eq!((many.matches("<i ").count(), many.matches("<td").count()), (95, 95 * 95));
        let shown = shown_classes(&confusion(1000));
        assert_eq!(shown.len(), WORST);
        assert!(matrix(&confusion(1000), &names, &shown, Cells::Counts).len() < 100_000);
    }
}
