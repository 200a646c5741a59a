//! The comparison in words.

use super::ended;
use super::seeds::{Recipes, by_recipe};
use crate::describe::in_a_shell;
use pupila_metrics::Metric;
use pupila_report::{PairTest, Tested};
use pupila_run::{RunFiles, RunFolder};
use pupila_study::statistics::comparison::Difference;
use serde_json::Value;

/// What the sentences are of.
pub(super) struct Told<'a> {
    /// The runs' names.
    pub(super) names: &'a [String],
    pub(super) runs: &'a [RunFiles],
    /// The metric that was tested.
    pub(super) metric: &'a Metric,
    /// Images that a run was trained on too, which the tests leave out.
    pub(super) leaked: usize,
    /// What the tests are over, such as "60 images".
    pub(super) over: &'a str,
}

impl Told<'_> {
    /// A plain sentence or two for each run, and what question they answer.
    pub(super) fn findings(&self, tests: &[PairTest], recipes: Option<&Recipes>) -> Vec<String> {
        let (names, runs) = (self.names, self.runs);
        let mut found = Vec::new();
        if let Some(recipes) = recipes {
            found.extend(recipes.differences.iter().map(|difference| self.of_recipe(recipes, difference)));
        }
        found.extend(tests.iter().map(|test| self.of_models(test, tests.len() > 1)));
        let tested = |run: usize| tests.iter().any(|test| test.run == run);
        let (failed, elsewhere): (Vec<usize>, Vec<usize>) =
            (1..runs.len()).filter(|&run| !tested(run)).partition(|&run| runs[run].predictions.is_empty());
        for run in failed {
            found.push(format!("{} left no model: {}.", names[run], ended(&runs[run])));
        }
        if !elsewhere.is_empty() {
            let names_of: Vec<&str> = elsewhere.iter().map(|&run| names[run].as_str()).collect();
            found.push(format!(
                "{} and {} were judged on different images: no test can tell whether their numbers differ by more than noise.",
                names[0],
                names_of.join(", ")
            ));
        }
        if !tests.is_empty() {
            let how = if tests.len() > 1 { ", adjusted together for all of them" } else { "" };
            found.push(format!("The tests of models are over the same {}{how}.", self.over));
            if self.leaked > 0 {
                found.push(format!(
                    "{} that one of the runs was trained on too, as copies, are left out of the tests; the metrics above have them.",
                    crate::describe::images(self.leaked)
                ));
            }
            found.extend(self.question(recipes));
        }
        found
    }

    /// What the tests of models do not answer, and how to ask it.
    fn question(&self, recipes: Option<&Recipes>) -> Option<String> {
        let of_recipes = by_recipe(self.runs);
        if of_recipes.len() == 1 {
            let seed = |run: &RunFiles| run.summary.seed();
            if self.runs.iter().all(|run| seed(run) == seed(&self.runs[0])) {
                return Some("All are of one recipe and one seed: what differs here is the data, the version or the machine.".into());
            }
            return Some(
                "All are of one recipe and differ in the seed alone: what differs here is what the seed does.".into(),
            );
        }
        if recipes.is_some() {
            return None;
        }
        Some("This is of these models. Whether their recipes differ takes several seeds of each, which a study runs:".into())
    }

    /// What to type for a study of the recipes as they are, where there is more than one and no seeds of them.
    pub(super) fn command(&self, recipes: Option<&Recipes>) -> Option<String> {
        let of_recipes = by_recipe(self.runs);
        if of_recipes.len() == 1 || recipes.is_some() {
            return None;
        }
        let variant = |of: &Vec<usize>| {
            let recipe = self.runs[of[0]].folder.path().join(RunFolder::RECIPE).display().to_string();
            // A JSON string is a TOML one; its backslashes are printf's too.
            let quoted = |text: &str| Value::from(text).to_string().replace('\\', "\\\\");
            format!("[variants.{}]\\nrecipe = {}\\n", quoted(&self.names[of[0]]), quoted(&recipe))
        };
        let variants: String = of_recipes.iter().map(variant).collect();
        let data = Some(self.runs[0].environment.data.path.as_str()).filter(|path| !path.is_empty());
        Some(format!(
            "printf '{}' > recipes.toml && pupila study recipes.toml {}",
            variants.replace('\'', "'\\''").replace('%', "%%"),
            data.map_or_else(|| "DATA".into(), in_a_shell)
        ))
    }

    fn metric(&self) -> String {
        if self.metric.name == "macro_f1" { "macro F1".into() } else { self.metric.name.replace('_', " ") }
    }

    /// Whether two recipes differ, over seeds.
    fn of_recipe(&self, recipes: &Recipes, difference: &Difference) -> String {
        let of = |place: usize| match recipes.runs[place].as_slice() {
            [first, last] => format!("{} and {}", self.names[*first], self.names[*last]),
            [first, .., last] => format!("{} to {}", self.names[*first], self.names[*last]),
            [one] => self.names[*one].clone(),
            [] => String::new(),
        };
        let (name, first) = (of(difference.variant), of(0));
        let points = 100.0 * difference.mean;
        let (low, high) = difference.interval;
        let range = format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high);
        let seeds = difference.blocks;
        let p = in_words(difference.p_value);
        if difference.is_found() {
            let word = if points > 0.0 { "better" } else { "worse" };
            return format!(
                "The recipe of {name} is {word} than that of {first} by {:.1} points of {}, over {seeds} seeds, on these images (95 % interval {range}; p {p}).",
                points.abs(),
                self.metric()
            );
        }
        format!(
            "Whether the recipe of {name} differs from that of {first} is open: {points:+.1} points of {} over {seeds} seeds, on these images (95 % interval {range}; p {p}).",
            self.metric()
        )
    }

    /// Whether two models differ, over images.
    fn of_models(&self, test: &PairTest, several: bool) -> String {
        let (name, first) = (&self.names[test.run], &self.names[0]);
        let told = matches!(test.tested, Tested::Known { value: 0.0, .. });
        if test.discordant == (0, 0) && told {
            return format!("No difference: {name} and {first} are right on the same images.");
        }
        let metric = self.metric();
        let (value, low, high, p) = match &test.tested {
            Tested::Known { value, low, high, adjusted, .. } => (*value, *low, *high, *adjusted),
            Tested::Untold(why) => {
                return format!("Whether {name} and {first} differ cannot be told: {why}.");
            }
        };
        let (points, range) = (100.0 * value, format!("{:.1} to {:.1}", 100.0 * low, 100.0 * high));
        let p = format!("{} {}", if several { "adjusted p" } else { "p" }, in_words(p));
        if test.tested.is_beyond_noise() {
            let word = if value > 0.0 { "better" } else { "worse" };
            return format!(
                "The model {name} is {word} than {first} by {:.1} points of {metric} (95 % interval of the difference {range}; {p}).",
                points.abs()
            );
        }
        let what = match value {
            0.0 => format!("the models {name} and {first} have the same {metric}"),
            _ => format!(
                "the model {name} is {:.1} points {} {first} in {metric}",
                points.abs(),
                if value > 0.0 { "above" } else { "below" }
            ),
        };
        format!("Within noise: {what} (95 % interval of the difference {range}; {p}).")
    }
}

/// A p-value with its sign.
fn in_words(p: f64) -> String {
    match p {
        p if p < 0.0001 => "< 0.0001".to_owned(),
        p if p < 0.01 => format!("= {p:.4}"),
        // 0.0496 is below the level, and 0.05 would not look so.
        p if p < 0.1 => format!("= {p:.3}"),
        p => format!("= {p:.2}"),
    }
}
