//! Parallel coordinates: a line for each trial through all its values.

use super::SearchPage;
use crate::html::{escape, shortened_middle};
use std::fmt::Write as _;

/// Lines that are drawn, the best last.
const LINES: usize = 300;
/// Pixels between two axes, and the height of an axis.
const GAP: f64 = 120.0;
const HEIGHT: f64 = 240.0;
const TOP: f64 = 44.0;
const SIDE: f64 = 62.0;

impl SearchPage {
    pub(super) fn parallel(&self) -> String {
        let complete = self.complete();
        if complete.len() < 2 || self.parameters.len() < 2 {
            return String::new();
        }
        let axes = self.parameters.len() + 1;
        let width = 2.0 * SIDE + GAP * (axes - 1) as f64;
        let x = |axis: usize| SIDE + GAP * axis as f64;
        let y = |share: f64| TOP + (1.0 - share.clamp(0.0, 1.0)) * HEIGHT;
        let mut svg = format!(
            "<svg viewBox=\"0 0 {width} {}\" style=\"min-width:{}px\" role=\"img\"><title>The values of the complete trials</title>",
            TOP + HEIGHT + 24.0,
            (0.75 * width) as u32
        );
        let range = self.shown_range();
        let skipped = complete.len().saturating_sub(LINES);
        for (trial, rank) in complete.iter().skip(skipped) {
            let mut path = String::new();
            let mut drawing = false;
            for (axis, (parameter, place)) in self.parameters.iter().zip(&trial.places).enumerate() {
                let span = parameter.span();
                match place.map(|value| (parameter.position(value) - span.0) / (span.1 - span.0)) {
                    Some(share) => {
                        let _ =
                            write!(path, "{}{:.1} {:.1}", if drawing { "L" } else { "M" }, x(axis), y(share));
                        drawing = true;
                    }
                    // It was not active: the line goes on behind it.
                    None => drawing = false,
                }
            }
            let share = (trial.value - range.0) / (range.1 - range.0);
            let share = if self.higher_is_better { share } else { 1.0 - share };
            let _ = write!(path, "{}{:.1} {:.1}", if drawing { "L" } else { "M" }, x(axes - 1), y(share));
            let class = match *rank {
                _ if self.best == Some(trial.number) => "way first",
                rank if rank >= 0.75 => "way good",
                _ => "way",
            };
            let _ = write!(
                svg,
                "<path class=\"{class}\" d=\"{path}\"><title>trial {}: {}</title></path>",
                trial.number,
                self.number(trial.value)
            );
        }
        for (axis, parameter) in self.parameters.iter().enumerate() {
            let _ = write!(
                svg,
                "<line class=\"axis\" x1=\"{0}\" x2=\"{0}\" y1=\"{1}\" y2=\"{2}\"/><text x=\"{0}\" y=\"{3}\" text-anchor=\"middle\">{4}</text>",
                x(axis),
                TOP,
                TOP + HEIGHT,
                if axis % 2 == 0 { 14.0 } else { 30.0 },
                escape(&shortened_middle(&parameter.name, 24))
            );
            let span = parameter.span();
            for (position, text) in parameter.ticks(4) {
                let _ = write!(
                    svg,
                    "<text class=\"at\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
                    x(axis) + 5.0,
                    y((position - span.0) / (span.1 - span.0)) + 4.0
                );
            }
        }
        let last = x(axes - 1);
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{last}\" x2=\"{last}\" y1=\"{TOP}\" y2=\"{}\"/><text x=\"{last}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
             <text class=\"at\" x=\"{:.1}\" y=\"{TOP}\">better</text></svg>",
            TOP + HEIGHT,
            if (axes - 1).is_multiple_of(2) { 14.0 } else { 30.0 },
            escape(&self.metric),
            last + 5.0
        );
        format!(
            "<figure class=\"chart wide\"><div class=\"scroll\">{svg}</div><figcaption>Each line is a complete trial: orange the best, blue the best quarter. A parameter that was not active \
             interrupts its line.</figcaption></figure>\n"
        )
    }
}
