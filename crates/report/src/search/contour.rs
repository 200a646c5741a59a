//! The two parameters that mattered most, and the metric over both.

use super::{SearchPage, SearchParameter, SearchTrial};
use crate::chart::Frame;
use crate::html::escape;
use std::fmt::Write as _;

/// Cells on each side.
const CELLS: usize = 24;
/// Fewer trials say nothing of an area.
const FEWEST: usize = 8;

impl SearchPage {
    pub(super) fn contour(&self) -> String {
        let mut order: Vec<usize> = (0..self.parameters.len()).collect();
        let importance = |place: &usize| self.parameters[*place].importance.unwrap_or(-1.0);
        order.sort_by(|a, b| importance(b).total_cmp(&importance(a)));
        let [first, second] = order[..2.min(order.len())] else { return String::new() };
        let (across, up) = (&self.parameters[first], &self.parameters[second]);
        let both = |trial: &SearchTrial| {
            Some((across.position(trial.places[first]?), up.position(trial.places[second]?)))
        };
        let complete = self.complete();
        let points: Vec<((f64, f64), f64)> =
            complete.iter().filter_map(|(trial, rank)| Some((both(trial)?, *rank))).collect();
        if points.len() < FEWEST {
            return String::new();
        }
        let frame = Frame { y: up.span(), ..Frame::new(across.span(), (0.0, 1.0)) };
        let mut body = String::new();
        let scale = |parameter: &SearchParameter| parameter.span().1 - parameter.span().0;
        let (wide, high) = (scale(across), scale(up));
        let cell = (wide / CELLS as f64, high / CELLS as f64);
        for column in 0..CELLS {
            for row in 0..CELLS {
                let x = frame.x.0 + (column as f64 + 0.5) * cell.0;
                let y = frame.y.0 + (row as f64 + 0.5) * cell.1;
                // The mean of the trials' ranks, the near ones counting most (inverse distance).
                let (mut sum, mut weights) = (0.0, 0.0);
                for ((px, py), rank) in &points {
                    let distance = ((px - x) / wide).powi(2) + ((py - y) / high).powi(2);
                    let weight = 1.0 / (distance + 1e-3).powi(2);
                    sum += weight * rank;
                    weights += weight;
                }
                let _ = write!(
                    body,
                    "<rect class=\"cell\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill-opacity=\"{:.2}\"/>",
                    frame.x(x - cell.0 / 2.0),
                    frame.y(y + cell.1 / 2.0),
                    frame.x(cell.0) - frame.x(0.0) + 0.3,
                    frame.y(0.0) - frame.y(cell.1) + 0.3,
                    0.85 * sum / weights
                );
            }
        }
        for (trial, _) in &complete {
            let Some((x, y)) = both(trial) else { continue };
            let class = if self.best == Some(trial.number) { "best" } else { "spot" };
            let _ = write!(
                body,
                "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\"><title>trial {}: {}</title></circle>",
                frame.x(x),
                frame.y(y),
                trial.number,
                self.number(trial.value)
            );
        }
        let title = format!("{} and {}", across.name, up.name);
        let svg = frame.draw_axes(&title, (&across.name, &up.name), &across.ticks(5), &up.ticks(5), &body);
        format!(
            "<figure class=\"chart\">{svg}<figcaption>Each dot is a complete trial. The darker the area, the better the trials near it: {} across, {} upward. Where there are no \
             dots nothing is known.</figcaption></figure>\n",
            escape(&across.name),
            escape(&up.name)
        )
    }
}
