//! Runs of several seeds: whether the recipes differ, and not only the models that came of them.

use super::WITHOUT_EFFECT;
use pupila_metrics::Metric;
use pupila_run::RunFiles;
use pupila_study::statistics::comparison::{Difference, compare};

/// The key that tells runs of one recipe apart.
const SEED: &str = "train.seed";

/// Recipes of which several seeds were run, each against the first.
#[derive(Debug)]
pub(super) struct Recipes {
    /// The runs of each recipe, as places among all; the first one's recipe first.
    pub(super) runs: Vec<Vec<usize>>,
    /// Of each other recipe with two seeds or more in common with the first one: how far it is from that.
    pub(super) differences: Vec<Difference>,
}

/// The runs by their recipes, where every run has one: two runs are of one recipe where nothing but the seed differs.
pub(super) fn by_recipe(runs: &[RunFiles]) -> Vec<Vec<usize>> {
    let plain = |run: &RunFiles| {
        let counts = |key: &str| key != SEED && !WITHOUT_EFFECT.iter().any(|prefix| key.starts_with(prefix));
        let kept = run.recipe.iter().filter(|(key, _)| counts(key));
        kept.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>()
    };
    let mut found: Vec<(Vec<_>, Vec<usize>)> = Vec::new();
    for (place, run) in runs.iter().enumerate() {
        let recipe = plain(run);
        match found.iter_mut().find(|(other, _)| *other == recipe) {
            Some((_, of)) => of.push(place),
            None => found.push((recipe, vec![place])),
        }
    }
    found.into_iter().map(|(_, of)| of).collect()
}

/// Whether the recipes differ, by Student's t over the seeds that they have in common; none where no two recipes have two.
/// `value`: the metric of a run.
pub(super) fn between_recipes(
    runs: &[RunFiles],
    metric: &Metric,
    images: usize,
    value: impl Fn(&RunFiles) -> f64,
) -> Option<Recipes> {
    let recipes = by_recipe(runs);
    let mut seeds: Vec<u64> = runs.iter().map(|run| run.summary.seed()).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let row = |of: &Vec<usize>| -> Vec<f64> {
        let with = |seed: &u64| of.iter().find(|&&place| runs[place].summary.seed() == *seed);
        seeds.iter().map(|seed| with(seed).map_or(f64::NAN, |&place| value(&runs[place]))).collect()
    };
    let values: Vec<Vec<f64>> = recipes.iter().map(row).collect();
    // A share is known in steps, of which a difference of two has twice the variance.
    let step = if metric.unit == "frac" { 1.0 / images.max(1) as f64 } else { 0.0 };
    let differences = compare(&values, 0, step * step / 6.0, 0.0);
    (!differences.is_empty()).then_some(Recipes { runs: recipes, differences })
}
