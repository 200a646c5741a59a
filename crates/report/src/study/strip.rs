//! Rows of a figure: text with a drawing in between, so that names and numbers are as large on a phone as on a wall.

use super::axis::Axis;
use super::{VariantResult, View};

/// Keeps the column of drawings where there is none.
pub(super) const NO_DRAWING: &str = "<span></span>";
/// Rows from which on a figure has its axis above them too.
pub(super) const LONG: usize = 12;

impl View<'_> {
    pub(super) fn row_name(&self, place: usize, variant: &VariantResult) -> String {
        let tag = if place == self.study.baseline { "<small>baseline</small>" } else { "" };
        format!("<div class=\"name\">{}{tag}</div>", variant.short_name())
    }
}

/// A drawing of a row. `title` is HTML; `behind` fills the height, and in `body` y is counted from the middle.
pub(super) fn strip(title: &str, behind: &str, body: &str) -> String {
    format!(
        "<div class=\"strip\"><svg role=\"img\"><title>{title}</title>{behind}<svg y=\"50%\" overflow=\"visible\">{body}</svg></svg></div>"
    )
}

/// A level bar between two values, cut at the edges.
pub(super) fn bar(axis: &Axis, (low, high): (f64, f64), class: &str, y: i32, height: i32) -> String {
    let (from, to) = (axis.x(low), axis.x(high));
    format!(
        "<rect class=\"{class}\" x=\"{from:.2}%\" width=\"{:.2}%\" y=\"{y}\" height=\"{height}\" rx=\"{}\"/>",
        (to - from).max(0.1),
        (height / 4).min(2)
    )
}

/// A shape around a place, of fixed size.
pub(super) fn shape(x: f64, y: i32, class: &str, path: &str, inside: &str) -> String {
    format!(
        "<svg x=\"{x:.2}%\" y=\"{y}\" overflow=\"visible\"><path class=\"{class}\" d=\"{path}\">{inside}</path></svg>"
    )
}

pub(super) fn arrow(side: i32) -> &'static str {
    if side < 0 { "M-7 0L5 -7V7Z" } else { "M7 0L-5 -7V7Z" }
}

pub(super) fn legend_item(drawing: &str, words: &str) -> String {
    format!("<li><svg viewBox=\"0 0 26 14\" aria-hidden=\"true\">{drawing}</svg>{words}</li>")
}
