//! Rows that are of several classes at once: `Edema|Effusion` in one cell, or several columns that are 1. An image has one class here.

use std::collections::HashMap;

use crate::scan::names::words;
use crate::suggest::{in_a_shell, setting};

/// What stands between the classes of a row that several columns name.
pub(super) const JOINED: char = '|';

/// What separates several classes in the cells of a column; `None` where each cell is one class. Text with a comma or a space may well be one: there its
/// parts must be classes by themselves, or the column one of tags.
pub(super) fn separator<'a>(column: &str, classes: impl Iterator<Item = &'a str>) -> Option<char> {
    let mut distinct: Vec<&str> = classes.collect();
    distinct.sort_unstable();
    distinct.dedup();
    let is_of_tags =
        words(column).last().is_some_and(|last| matches!(last.as_str(), "tags" | "keywords" | "attributes"));
    ['|', ';', ',', ' '].into_iter().find(|&separator| {
        let parts = |class: &'a str| class.split(separator).map(str::trim).filter(|part| !part.is_empty());
        let (mut labels, mut alone): (HashMap<&str, usize>, HashMap<&str, usize>) = Default::default();
        for class in &distinct {
            parts(class).for_each(|part| *labels.entry(part).or_default() += 1);
            if parts(class).count() == 1 {
                *alone.entry(class.trim()).or_default() += 1;
            }
        }
        let mut several = distinct.iter().filter(|class| parts(class).count() > 1);
        several.any(|class| match separator {
            '|' | ';' => parts(class).all(|part| labels[part] > 1),
            ' ' => is_of_tags && parts(class).any(|part| labels[part] > 1),
            _ => parts(class).all(|part| alone.contains_key(part)),
        })
    })
}

/// The option that leaves out the rows of several classes.
pub(super) fn left_out(separator: char, others: &[&str]) -> String {
    let patterns = others.iter().map(|of| (*of).to_owned()).chain([format!("*{separator}*")]);
    let quoted: Vec<String> = patterns.map(|pattern| in_a_shell(&pattern)).collect();
    format!("--set 'data.exclude=[{}]'", quoted.join(", "))
}

/// Why rows of several classes in a cell are not read, with what to type.
pub(super) fn refusal(column: &str, rows: usize, example: &str, separator: char) -> String {
    let s = if rows == 1 { " has" } else { "s have" };
    format!(
        "{rows} row{s} several classes, such as {example}, and an image has one class here: {} leaves them out; {} makes a class of each combination",
        left_out(separator, &[]),
        setting("data.label_column", column)
    )
}

#[cfg(test)]
mod tests {
    use super::separator;

    #[test]
    fn what_separates_classes_parts_cells_into_others() {
        for (column, classes, expected) in [
            ("Finding Labels", &["A", "B", "A|B"][..], Some('|')),
            ("Finding Labels", &["A", "B|C", "A|B", "A|C"], Some('|')),
            ("label", &["a", "b", "a;b"], Some(';')),
            ("label", &["a", "b", "a, b"], Some(',')),
            ("tags", &["clear primary", "clear water", "haze"], Some(' ')),
            // One class each.
            ("label", &["a|b", "c"], None),
            ("label", &["melanoma", "melanoma, in situ", "nevus"], None),
            ("label", &["golden retriever", "labrador retriever", "retriever"], None),
            ("tags", &["clear primary", "haze"], None),
            ("label", &["a", "b"], None),
        ] {
            assert_eq!(separator(column, classes.iter().copied()), expected, "{classes:?}");
        }
    }
}
