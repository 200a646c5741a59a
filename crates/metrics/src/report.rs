//! The classification report: precision, recall and F1 of each class and their averages, as a table.
//!
//! Reference: `sklearn.metrics.classification_report(labels=range(K), digits=2, zero_division=0)`.

use crate::{ClassScores, ConfusionMatrix, PrecisionRecallF1, Undefined};
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// The numbers of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassificationReport {
    /// By class. `[K]`
    pub per_class: Vec<ClassScores>,
    /// The fraction of samples predicted correctly.
    pub accuracy: f64,
    /// The mean over the classes.
    pub macro_average: ClassScores,
    /// The mean over the classes, weighted by their samples.
    pub weighted_average: ClassScores,
    /// The values that are 0 for want of samples or predictions.
    pub undefined: Vec<Undefined>,
}

impl ClassificationReport {
    /// The report of a confusion matrix.
    pub fn new(confusion: &ConfusionMatrix) -> Self {
        let scores = PrecisionRecallF1::new(confusion);
        ClassificationReport {
            accuracy: scores.micro_average().f1,
            macro_average: scores.macro_average(),
            weighted_average: scores.weighted_average(),
            per_class: scores.per_class,
            undefined: scores.undefined,
        }
    }

    /// The report as scikit-learn prints it, ending with a line break. `classes: [K]`; a missing name is its
    /// number.
    ///
    /// Names are aligned by the columns that a terminal gives them, where scikit-learn counts characters: the
    /// two differ only for wide and combining ones.
    pub fn render(&self, classes: &[String]) -> String {
        let names: Vec<String> = (0..self.per_class.len())
            .map(|c| classes.get(c).cloned().unwrap_or_else(|| c.to_string()))
            .collect();
        let longest = names.iter().map(|name| name.width()).max().unwrap_or(0);
        let width = longest.max("weighted avg".len());
        let total = self.macro_average.support;

        let mut text = format!(
            "{:>width$}  {:>9} {:>9} {:>9} {:>9}\n\n",
            "", "precision", "recall", "f1-score", "support"
        );
        for (name, scores) in names.iter().zip(&self.per_class) {
            write_row(&mut text, width, name, scores);
        }
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "\n{:>width$}  {:>9} {:>9} {:>9.2} {:>9}",
            "accuracy", "", "", self.accuracy, total
        );
        write_row(&mut text, width, "macro avg", &self.macro_average);
        write_row(&mut text, width, "weighted avg", &self.weighted_average);
        text
    }
}

fn write_row(text: &mut String, width: usize, name: &str, scores: &ClassScores) {
    let ClassScores { precision, recall, f1, support } = scores;
    let indent = width.saturating_sub(name.width());
    let _ = writeln!(text, "{:indent$}{name}  {precision:>9.2} {recall:>9.2} {f1:>9.2} {support:>9}", "");
}
