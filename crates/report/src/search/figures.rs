//! The history of a search, and each parameter by itself.

use super::{SearchPage, SearchTrial, TrialState};
use crate::chart::Frame;
use crate::html::escape;
use std::fmt::Write as _;

/// Curves that are drawn.
const CURVES: usize = 60;

impl SearchPage {
    pub(super) fn history(&self) -> String {
        let most = self.trials.iter().map(|trial| trial.number).max().unwrap_or(0);
        if self.valued().next().is_none() {
            return String::new();
        }
        let mut frame = Frame::new((-0.5, most as f64 + 0.5), self.shown_range());
        frame.shares.1 = self.share;
        // The best so far, as steps.
        let better = |a: f64, b: f64| if self.higher_is_better { a > b } else { a < b };
        let mut best = f64::NAN;
        let mut steps = Vec::new();
        for trial in self.trials.iter().filter(|t| t.state == TrialState::Complete && t.value.is_finite()) {
            if best.is_nan() || better(trial.value, best) {
                if best.is_finite() {
                    steps.push((trial.number as f64, best));
                }
                best = trial.value;
                steps.push((trial.number as f64, best));
            }
        }
        steps.push((most as f64, best));
        let mut body = frame.line(&steps, "s1");
        for trial in self.valued() {
            body += &self.dot(&frame, trial.number as f64, trial, 3.5);
        }
        let bottom = frame.height - frame.bottom;
        for trial in self.trials.iter().filter(|trial| trial.state == TrialState::Failed) {
            let x = frame.x(trial.number as f64);
            let _ = write!(
                body,
                "<path class=\"failed\" d=\"M{:.1} {:.1}l6 6m0 -6l-6 6\"><title>trial {} failed: {}</title></path>",
                x - 3.0,
                bottom - 9.0,
                trial.number,
                escape(&trial.why)
            );
        }
        let svg = frame.draw("The value of each trial", ("trial", &self.metric), true, &body);
        let mut html = format!(
            "<div class=\"grid\"><figure class=\"chart\">{svg}<figcaption>Each dot is a trial; the line is the best so far. Hollow ones were ended early, crosses \
             failed.</figcaption></figure>"
        );
        html += &self.curves();
        html + "</div>\n"
    }

    /// The metric by epoch, of the best trials and of those that were ended early.
    fn curves(&self) -> String {
        let mut shown: Vec<(&SearchTrial, &str)> = Vec::new();
        let complete = self.complete();
        shown.extend(complete.iter().rev().take(CURVES / 2).map(|(trial, _)| (*trial, "s1 faint")));
        let pruned = self.trials.iter().filter(|trial| trial.state == TrialState::Pruned);
        shown.extend(pruned.take(CURVES / 2).map(|trial| (trial, "s6 faint")));
        let last =
            shown.iter().filter_map(|(trial, _)| trial.curve.last()).map(|point| point.0).fold(1.0, f64::max);
        if last < 2.0 {
            return String::new();
        }
        let mut values: Vec<f64> = shown
            .iter()
            .flat_map(|(trial, _)| &trial.curve)
            .map(|point| point.1)
            .filter(|v| v.is_finite())
            .collect();
        values.sort_by(f64::total_cmp);
        let Some(&least) = values.first() else { return String::new() };
        let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
        let mut frame = Frame::new((1.0, last), (least.max(at(0.02)), at(0.98)));
        frame.shares.1 = self.share;
        let mut body = String::new();
        for (trial, class) in &shown {
            body += &frame.line(&trial.curve, class);
        }
        if let Some(best) = self.best.and_then(|best| shown.iter().find(|(trial, _)| trial.number == best)) {
            body += &frame.line(&best.0.curve, "s2");
        }
        let svg = frame.draw("The metric by epoch", ("epoch", &self.metric), true, &body);
        format!(
            "<figure class=\"chart\">{svg}<figcaption>By epoch: the best trial is the orange line, other complete ones are blue, those that were ended early \
             gray.</figcaption></figure>"
        )
    }

    pub(super) fn slices(&self) -> String {
        let mut html = String::new();
        let range = self.shown_range();
        for (place, parameter) in self.parameters.iter().enumerate() {
            let active = self.valued().filter(|trial| trial.places.get(place).copied().flatten().is_some());
            let mut body = String::new();
            let mut frame = Frame::new(parameter.span(), range);
            frame.shares.1 = self.share;
            for (at, trial) in active.enumerate() {
                let Some(value) = trial.places[place] else { continue };
                // Equal choices would hide one another.
                let shift = if parameter.choices.is_empty() {
                    0.0
                } else {
                    ((at * 37) % 21) as f64 / 21.0 * 0.5 - 0.25
                };
                body += &self.dot(&frame, parameter.position(value) + shift, trial, 4.0);
            }
            if body.is_empty() {
                continue;
            }
            let svg = frame.draw_between(&parameter.name, ("", &self.metric), &parameter.ticks(5), &body);
            let _ = write!(html, "<figure class=\"chart\"><b>{}</b>{svg}</figure>", escape(&parameter.name));
        }
        match html.is_empty() {
            true => html,
            false => format!(
                "<div class=\"grid\">{html}</div>\n<p class=\"note\">Each dot is a trial, with all other parameters as they were in it. Where the search looked more often there \
                 are more dots.</p>\n"
            ),
        }
    }

    /// A trial as a dot; what is outside of the range stands at its edge.
    fn dot(&self, frame: &Frame, x: f64, trial: &SearchTrial, r: f64) -> String {
        let class = match (trial.state, self.best == Some(trial.number)) {
            (_, true) => "best",
            (TrialState::Complete, _) => "trial",
            _ => "pruned",
        };
        format!(
            "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{r}\"><title>trial {}: {}</title></circle>",
            frame.x(x),
            frame.y(trial.value.clamp(frame.y.0, frame.y.1)),
            trial.number,
            self.number(trial.value)
        )
    }
}
