//! A confusion matrix as text for a terminal.

use crate::ConfusionMatrix;
use std::fmt::Write;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many pairs and classes the short form lists.
const LISTED: usize = 15;
/// Longest a class name may get before it is cut.
const MAX_NAME: usize = 24;

impl ConfusionMatrix {
    /// The matrix as plain text for a terminal of `width` columns, ending with a line break. `classes: [K]`;
    /// a missing name is its number.
    ///
    /// Rows are the true classes, columns the predicted ones, and the last column is the recall; a zero off
    /// the diagonal is a dot, so that the mistakes stand out. Columns bear the names where these fit, else
    /// the numbers that stand before the rows. Where not even numbers fit, it lists what is worth looking at
    /// instead: the pairs of classes confused most, and the classes with the lowest recall.
    pub fn render(&self, classes: &[String], width: usize) -> String {
        let names: Vec<String> = (0..self.classes())
            .map(|class| classes.get(class).map_or_else(|| class.to_string(), |name| fit(name, MAX_NAME)))
            .collect();
        let cell = self.rows().flatten().max().map_or(1, |count| count.to_string().len());

        let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
        let named: Vec<usize> = names.iter().map(|name| name.width().max(cell)).collect();
        if let Some(table) = self.table(&names, &names, &named, widest, width) {
            return table;
        }

        let digits = self.classes().saturating_sub(1).to_string().len();
        let numbers: Vec<String> = (0..self.classes()).map(|class| class.to_string()).collect();
        let rows: Vec<String> =
            names.iter().enumerate().map(|(class, name)| format!("{class:>digits$} {name}")).collect();
        let numbered = vec![digits.max(cell); self.classes()];
        self.table(&rows, &numbers, &numbered, digits + 1 + widest, width)
            .unwrap_or_else(|| self.highlights(&names, widest))
    }

    /// The full table, or `None` where it is wider than `width`.
    fn table(
        &self,
        rows: &[String],
        columns: &[String],
        widths: &[usize],
        label: usize,
        width: usize,
    ) -> Option<String> {
        let corner = "true \\ predicted";
        let label = label.max(corner.len());
        let needed = label + widths.iter().map(|column| column + 2).sum::<usize>() + "  recall".len();
        if needed > width {
            return None;
        }
        let mut text = pad_right(corner, label);
        for (name, &column) in columns.iter().zip(widths) {
            text += "  ";
            text += &pad_left(name, column);
        }
        text += "  recall\n";
        for (class, (name, row)) in rows.iter().zip(self.rows()).enumerate() {
            text += &pad_right(name, label);
            for (predicted, (&count, &column)) in row.iter().zip(widths).enumerate() {
                let cell = if count == 0 && predicted != class { "·".to_owned() } else { count.to_string() };
                text += "  ";
                text += &pad_left(&cell, column);
            }
            // Writing to a String does not fail.
            let _ = writeln!(text, "  {:>6}", percent(row[class], row.iter().sum()));
        }
        Some(text)
    }

    /// What to look at where there are too many classes for a table.
    fn highlights(&self, names: &[String], widest: usize) -> String {
        let supports = self.true_counts();
        let mut text = String::new();

        let pairs = self.most_confused(LISTED);
        let confused = self.most_confused(usize::MAX).len();
        let mistakes = self.total() - self.correct();
        let _ = writeln!(text, "{mistakes} mistakes in {confused} pairs of classes; the most frequent:");
        let digits = pairs.first().map_or(1, |(_, _, count)| count.to_string().len());
        for (target, predicted, count) in pairs {
            let _ = writeln!(
                text,
                "  {count:>digits$} × {} taken for {} {:>6} of its {}",
                pad_right(&names[target], widest),
                pad_right(&names[predicted], widest),
                percent(count, supports[target]),
                supports[target],
            );
        }

        let mut occurring: Vec<usize> = (0..self.classes()).filter(|&class| supports[class] > 0).collect();
        let perfect = occurring.iter().filter(|&&class| self.count(class, class) == supports[class]).count();
        // Lowest recall first; in integers, so that equal fractions stay in the order of the classes.
        occurring.sort_by(|&a, &b| {
            let cross = |x: usize, y: usize| u128::from(self.count(x, x)) * u128::from(supports[y]);
            cross(a, b).cmp(&cross(b, a))
        });
        let _ =
            writeln!(text, "{perfect} of {} classes without a mistake; the lowest recall:", occurring.len());
        for class in occurring.into_iter().take(LISTED) {
            let (correct, support) = (self.count(class, class), supports[class]);
            if correct == support {
                break;
            }
            let _ = writeln!(
                text,
                "  {:>6} {} ({correct} of {support})",
                percent(correct, support),
                pad_right(&names[class], widest),
            );
        }
        text
    }
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "–".to_owned() } else { format!("{:.1}%", 100.0 * part as f64 / whole as f64) }
}

fn pad_left(text: &str, width: usize) -> String {
    format!("{:indent$}{text}", "", indent = width.saturating_sub(text.width()))
}

fn pad_right(text: &str, width: usize) -> String {
    format!("{text}{:fill$}", "", fill = width.saturating_sub(text.width()))
}

/// The name, cut to `width` columns with an ellipsis where it is longer.
fn fit(name: &str, width: usize) -> String {
    if name.width() <= width {
        return name.to_owned();
    }
    let mut cut = String::new();
    let mut used = 1;
    for character in name.chars() {
        used += character.width().unwrap_or(0);
        if used > width {
            break;
        }
        cut.push(character);
    }
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: &[&[u64]]) -> ConfusionMatrix {
        let mut confusion = ConfusionMatrix::new(rows.len());
        for (target, row) in rows.iter().enumerate() {
            for (predicted, &count) in row.iter().enumerate() {
                (0..count).for_each(|_| confusion.add(target as u32, predicted as u32));
            }
        }
        confusion
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn three_classes_are_a_table() {
        let confusion = matrix(&[&[118, 2, 0], &[7, 90, 3], &[0, 0, 0]]);
        let text = confusion.render(&names(&["melanoma", "naevus", "日光"]), 80);
        let expected = "\
true \\ predicted  melanoma  naevus  日光  recall
melanoma               118       2     ·   98.3%
naevus                   7      90     3   90.0%
日光                     ·       ·     0       –
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_narrow_terminal_numbers_the_columns() {
        let confusion = matrix(&[&[118, 2, 0], &[7, 90, 3], &[0, 1, 9]]);
        let text = confusion
            .render(&names(&["melanoma", "seborrhoeic keratosis", "a very long name of a class"]), 60);
        let expected = "\
true \\ predicted              0    1    2  recall
0 melanoma                  118    2    ·   98.3%
1 seborrhoeic keratosis       7   90    3   90.0%
2 a very long name of a c…    ·    1    9   90.0%
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_table_is_drawn_wherever_it_fits_and_nowhere_else() {
        // The corner has 16 columns, two cells 2 + 3 each, "  recall" 8.
        let confusion = matrix(&[&[100, 2], &[0, 9]]);
        let classes = names(&["a", "b"]);
        let text = confusion.render(&classes, 34);
        assert_eq!(text.lines().next().unwrap(), "true \\ predicted    a    b  recall");
        assert!(text.lines().all(|line| line.width() == 34), "{text}");
        assert!(!confusion.render(&classes, 33).contains("predicted"));
    }

    #[test]
    fn the_lowest_recall_comes_first_and_classes_without_samples_have_none() {
        let confusion = matrix(&[&[9, 1, 0, 0], &[1, 1, 0, 0], &[0, 0, 0, 0], &[0, 0, 0, 5]]);
        let expected = "\
2 mistakes in 2 pairs of classes; the most frequent:
  1 × a taken for b  10.0% of its 10
  1 × b taken for a  50.0% of its 2
1 of 3 classes without a mistake; the lowest recall:
   50.0% b (1 of 2)
   90.0% a (9 of 10)
";
        assert_eq!(confusion.render(&names(&["a", "b", "c", "d"]), 20), expected);
    }

    #[test]
    fn many_classes_are_highlights() {
        let mut confusion = ConfusionMatrix::new(95);
        for class in 0..95u32 {
            (0..20).for_each(|i| confusion.add(class, if i < class % 7 { (class + 1) % 95 } else { class }));
        }
        let classes: Vec<String> = (0..95).map(|class| format!("species {class}")).collect();
        let text = confusion.render(&classes, 120);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2 + 2 * LISTED);
        assert_eq!(lines[0], "279 mistakes in 81 pairs of classes; the most frequent:");
        assert_eq!(lines[1], "  6 × species 6  taken for species 7   30.0% of its 20");
        assert_eq!(lines[16], "14 of 95 classes without a mistake; the lowest recall:");
        assert_eq!(lines[17], "   70.0% species 6  (14 of 20)");
        assert!(lines.iter().all(|line| line.width() <= 120));
    }
}
