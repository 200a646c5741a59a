//! The page of a search: what the best trial is worth, how the search went, and which parameters mattered.
//!
//! In: the trials with their places in the space, importances, sentences. Out: one HTML page that begins with the honest score. No statistic is
//! computed here.

mod contour;
mod figures;
mod parallel;

use crate::html::{
    Section, count, escape, fixed, percent, shortened, shortened_middle, stacked, styled_page,
};
use std::fmt::Write as _;

const STYLE: &str = include_str!("search.css");

/// Trials that the table shows.
const ROWS: usize = 100;

/// A search: trials over a space of recipes.
#[derive(Debug, Clone, Default)]
pub struct SearchPage {
    /// The title, such as "Search on skin".
    pub title: String,
    /// The data, and how many trials.
    pub subtitle: String,
    /// What the best trial is worth, in plain sentences. The first is shown largest.
    pub answer: Vec<String>,
    /// What limits it, in plain sentences.
    pub warnings: Vec<String>,
    /// The name of the metric, such as `val/accuracy`.
    pub metric: String,
    /// Whether it is a share from 0 to 1, shown as a percentage.
    pub share: bool,
    /// Whether higher is better.
    pub higher_is_better: bool,
    /// The parameters, in the order of the space.
    pub parameters: Vec<SearchParameter>,
    /// Why there are no importances, if there are none.
    pub no_importance: Option<String>,
    /// The trials, by their numbers.
    pub trials: Vec<SearchTrial>,
    /// The number of the best trial.
    pub best: Option<u64>,
    /// Its values, and how to train it.
    pub command: String,
    /// How trials were chosen and ended, in plain sentences.
    pub method: Vec<String>,
}

/// A parameter of the space.
#[derive(Debug, Clone, Default)]
pub struct SearchParameter {
    /// Its key in the recipe.
    pub name: String,
    /// Its share of the importance of all.
    pub importance: Option<f64>,
    /// The range of its values; of choices their places, from 0.
    pub range: (f64, f64),
    /// Whether equal factors are equally far from each other.
    pub log: bool,
    /// The choices of a categorical one; empty for numbers.
    pub choices: Vec<String>,
}

/// How far a trial is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrialState {
    /// It has a value.
    #[default]
    Complete,
    /// It was ended early.
    Pruned,
    /// It failed.
    Failed,
    /// It runs, or waits.
    Open,
}

/// A trial.
#[derive(Debug, Clone, Default)]
pub struct SearchTrial {
    /// Its number, from 0.
    pub number: u64,
    /// How far it is.
    pub state: TrialState,
    /// The metric; of one that was ended early its last value; NaN without.
    pub value: f64,
    /// For each parameter of the page its value, of a choice its place; none where it was not active.
    pub places: Vec<Option<f64>>,
    /// The same as text.
    pub shown: Vec<String>,
    /// The metric by epoch.
    pub curve: Vec<(f64, f64)>,
    /// Why it failed or was ended.
    pub why: String,
    /// The path of its report, relative to this page; empty where there is none.
    pub folder: String,
}

impl SearchPage {
    /// The page.
    pub fn render(&self) -> String {
        let mut sections = vec![Section { id: "answer", title: "Answer", body: self.answer_section() }];
        let mut add = |id, title, body: String| {
            if !body.is_empty() {
                sections.push(Section { id, title, body });
            }
        };
        add("importance", "Which parameters mattered", self.importance());
        add("history", "How the search went", self.history());
        add("slices", "Each parameter by itself", self.slices());
        add("contour", "The two that mattered most", self.contour());
        add("parallel", "All parameters together", self.parallel());
        add("trials", "Trials", self.table());
        add("method", "How it was done", self.method_section());
        styled_page(&self.title, &self.subtitle, &sections, "", STYLE)
    }

    fn answer_section(&self) -> String {
        let mut html = String::new();
        for (place, sentence) in self.answer.iter().enumerate() {
            let class = if place == 0 { "answer" } else { "also" };
            let _ = writeln!(html, "<p class=\"{class}\">{}</p>", escape(sentence));
        }
        if !self.warnings.is_empty() {
            html += "<ul class=\"warnings\">";
            self.warnings.iter().for_each(|warning| html += &format!("<li>{}</li>", escape(warning)));
            html += "</ul>\n";
        }
        if let Some(best) = self.best.and_then(|best| self.trials.iter().find(|trial| trial.number == best)) {
            html += "<table class=\"plain\"><caption>The values of the best trial</caption><tbody>";
            for (parameter, shown) in self.parameters.iter().zip(&best.shown) {
                if !shown.is_empty() {
                    let _ = write!(
                        html,
                        "<tr><th scope=\"row\">{}</th><td>{}</td></tr>",
                        escape(&parameter.name),
                        escape(shown)
                    );
                }
            }
            html += "</tbody></table>\n";
        }
        if !self.command.is_empty() {
            let _ =
                writeln!(html, "<p class=\"note\">To train it: <code>{}</code></p>", escape(&self.command));
        }
        html
    }

    fn importance(&self) -> String {
        if let Some(why) = &self.no_importance {
            return format!("<p>None is told: {}.</p>", escape(why));
        }
        let mut known: Vec<(&SearchParameter, f64)> =
            self.parameters.iter().filter_map(|parameter| Some((parameter, parameter.importance?))).collect();
        if known.is_empty() {
            return String::new();
        }
        known.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut html = String::from("<ul class=\"importance\">");
        for (parameter, share) in known {
            let _ = write!(
                html,
                "<li><span class=\"name\">{}</span><svg class=\"bar\" role=\"img\"><title>{1}</title><rect class=\"f1\" x=\"0\" y=\"3\" width=\"{2:.1}%\" \
                 height=\"14\" rx=\"2\"/></svg><span class=\"value\">{1}</span></li>",
                escape(&parameter.name),
                percent(share),
                100.0 * share
            );
        }
        html += "</ul>\n";
        html + "<p class=\"note\">PED-ANOVA: how much the values of the best tenth of the complete trials differ from those of all, as shares of the whole. A parameter that \
                depends on another one is left out. With few trials it says little.</p>\n"
    }

    fn table(&self) -> String {
        let mut trials: Vec<&SearchTrial> = self.trials.iter().collect();
        let loss = |trial: &SearchTrial| match self.higher_is_better {
            _ if trial.value.is_nan() => f64::INFINITY,
            true => -trial.value,
            false => trial.value,
        };
        let rank = |trial: &SearchTrial| match trial.state {
            TrialState::Complete => 0,
            TrialState::Pruned => 1,
            TrialState::Failed => 2,
            TrialState::Open => 3,
        };
        trials.sort_by(|a, b| {
            rank(a).cmp(&rank(b)).then(loss(a).total_cmp(&loss(b))).then(a.number.cmp(&b.number))
        });
        let mut heads = vec!["trial".to_owned(), escape(&self.metric), "epochs".to_owned()];
        heads.extend(self.parameters.iter().map(|parameter| escape(&shortened_middle(&parameter.name, 28))));
        let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
        let mut rows = String::new();
        for trial in trials.iter().take(ROWS) {
            let name = match trial.folder.is_empty() {
                true => trial.number.to_string(),
                false => format!("<a href=\"{}\">{}</a>", escape(&trial.folder), trial.number),
            };
            let state = match trial.state {
                TrialState::Complete => "",
                TrialState::Pruned => " <small>ended early</small>",
                TrialState::Failed => " <small>failed</small>",
                TrialState::Open => " <small>not ended</small>",
            };
            let why = match trial.state {
                TrialState::Failed => format!(" <small>{}</small>", escape(&shortened(&trial.why, 120))),
                _ => String::new(),
            };
            let _ = write!(
                rows,
                "<tr><td>{name}{state}</td><td>{}{why}</td><td>{}</td>",
                if trial.value.is_finite() { self.number(trial.value) } else { "–".to_owned() },
                trial.curve.len()
            );
            trial
                .shown
                .iter()
                .for_each(|shown| rows += &format!("<td>{}</td>", escape(&shortened(shown, 40))));
            rows += "</tr>";
        }
        let mut html = stacked(&heads, &rows);
        if self.trials.len() > ROWS {
            let _ = write!(
                html,
                "<p class=\"note\">The best {ROWS} of {}; trials.csv has all.</p>",
                count(self.trials.len() as u64)
            );
        }
        html
    }

    fn method_section(&self) -> String {
        let items: String = self.method.iter().map(|line| format!("<li>{}</li>", escape(line))).collect();
        if items.is_empty() { items } else { format!("<ul class=\"method\">{items}</ul>\n") }
    }

    /// A value of the metric.
    fn number(&self, value: f64) -> String {
        if self.share { percent(value) } else { fixed(value, 4) }
    }

    /// Trials with a value, whatever their end.
    fn valued(&self) -> impl Iterator<Item = &SearchTrial> {
        self.trials.iter().filter(|trial| trial.value.is_finite())
    }

    /// The complete trials with a value, and how good each is among them: from 0, the worst, to 1.
    fn complete(&self) -> Vec<(&SearchTrial, f64)> {
        let mut complete: Vec<&SearchTrial> =
            self.valued().filter(|trial| trial.state == TrialState::Complete).collect();
        complete.sort_by(|a, b| match self.higher_is_better {
            true => a.value.total_cmp(&b.value),
            false => b.value.total_cmp(&a.value),
        });
        let most = complete.len().saturating_sub(1).max(1) as f64;
        complete.into_iter().enumerate().map(|(place, trial)| (trial, place as f64 / most)).collect()
    }

    /// The range of the metric that figures show: values far outside of the others' middle half are drawn at its edge.
    fn shown_range(&self) -> (f64, f64) {
        // Those that were ended early have other values than they would have had, and are only drawn along.
        let complete = |trial: &&SearchTrial| trial.state == TrialState::Complete;
        let mut values: Vec<f64> = self.valued().filter(complete).map(|trial| trial.value).collect();
        if values.is_empty() {
            values = self.valued().map(|trial| trial.value).collect();
        }
        values.sort_by(f64::total_cmp);
        let Some((&least, &most)) = values.first().zip(values.last()) else { return (0.0, 1.0) };
        let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
        let room = 3.0 * (at(0.75) - at(0.25)).max(1e-9);
        // What is good is shown whole.
        let (low, high) = match self.higher_is_better {
            true => (least.max(at(0.25) - room), most),
            false => (least, most.min(at(0.75) + room)),
        };
        let margin = 0.05 * (high - low).max(1e-9);
        (low - margin, high + margin)
    }
}

impl SearchParameter {
    /// Where a value stands: the logarithm where that is how they are spread.
    fn position(&self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }

    /// The range of [`SearchParameter::position`], with room at both ends.
    fn span(&self) -> (f64, f64) {
        let (low, high) = (self.position(self.range.0), self.position(self.range.1));
        let margin = if self.choices.is_empty() { 0.04 * (high - low).max(1e-9) } else { 0.5 };
        (low - margin, high + margin)
    }

    /// What stands at the axis, by position.
    fn ticks(&self, about: usize) -> Vec<(f64, String)> {
        if !self.choices.is_empty() {
            let most = if self.choices.len() > 4 { 8 } else { 14 };
            let named = self.choices.iter().enumerate();
            return named.map(|(place, choice)| (place as f64, escape(&shortened(choice, most)))).collect();
        }
        match self.log {
            true => crate::ticks::log_ticks(self.range, about)
                .into_iter()
                .map(|(value, text)| (value.log10(), text))
                .collect(),
            false => crate::ticks::ticks(self.range, about, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn page() -> SearchPage {
        let trial = |number: u64, lr: f64, value: f64, state| SearchTrial {
            number,
            state,
            value,
            places: vec![Some(lr), number.is_multiple_of(2).then_some((number % 3) as f64)],
            shown: vec![format!("{lr}"), "a<b".to_owned()],
            curve: vec![(1.0, value / 2.0), (2.0, value)],
            why: "<why>".to_owned(),
            folder: format!("trial-{number:04}/report.html"),
        };
        let state = |number: u64| match number % 5 {
            3 => TrialState::Pruned,
            4 => TrialState::Failed,
            _ => TrialState::Complete,
        };
        SearchPage {
            title: "Search <on> skin".into(),
            answer: vec!["Trial 2 & more.".into()],
            metric: "val/accuracy".into(),
            share: true,
            higher_is_better: true,
            parameters: vec![
                SearchParameter {
                    name: "optimizer.lr".into(),
                    importance: Some(0.7),
                    range: (1e-4, 1e-1),
                    log: true,
                    choices: Vec::new(),
                },
                SearchParameter {
                    name: "model.<name>".into(),
                    importance: Some(0.3),
                    range: (0.0, 2.0),
                    log: false,
                    choices: vec!["x".into(), "<y>".into(), "z".into()],
                },
            ],
            trials: (0..40)
                .map(|n| {
                    let value = if state(n) == TrialState::Failed { f64::NAN } else { 0.3 + 0.01 * n as f64 };
                    trial(n, 10f64.powf(-4.0 + 0.07 * n as f64), value, state(n))
                })
                .collect(),
            best: Some(18),
            command: "pupila train 'a b' --recipe best.toml".into(),
            ..SearchPage::default()
        }
    }

    #[test]
    fn names_are_text_and_every_section_is_there() {
        let html = page().render();
        assert!(!html.contains("<y>") && !html.contains("a<b") && !html.contains("<why>"));
        for id in ["answer", "importance", "history", "slices", "contour", "parallel", "trials"] {
            assert!(html.contains(&format!("<section id=\"{id}\">")), "{id}");
        }
        assert!(html.contains("70.0\u{a0}%") && html.contains("ended early"));
    }

    #[test]
    fn a_search_without_a_complete_trial_has_a_page() {
        let mut empty = page();
        empty.trials.retain(|trial| trial.state == TrialState::Failed);
        (empty.best, empty.no_importance) = (None, Some("too few".into()));
        let html = empty.render();
        assert!(html.contains("None is told: too few.") && html.contains("&lt;why&gt;"));
        assert!(!html.contains("NaN"), "{html}");
    }
}
