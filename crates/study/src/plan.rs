//! What is run: every variant with its checked recipe, every seed, and the name of each run.

use crate::error::{StudyErrors, StudyFault};
use crate::names::did_you_mean;
use pupila_metrics::Metric;
use pupila_train::{CheckedRecipe, Layers, Setting};
use toml::Value;

/// Seeds where nobody says how many.
pub const SEEDS: usize = 5;
/// The metric where nobody says which.
pub const METRIC: &str = "val/accuracy";
/// Keys that change no result: variants that differ in nothing else are the same.
const WITHOUT_EFFECT: [&str; 3] = ["tracking.", "data.cache", "transfer.sha256"];
/// Keys that a study sets by itself.
pub(crate) const SEEDED: [&str; 3] = ["train.seed", "data.split_seed", "data.subset_seed"];

/// What the caller says of a study besides its definition.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The recipe of all variants, and what was set for all on the command line.
    pub layers: Layers,
    /// Instead of the definition's.
    pub seeds: Option<usize>,
    /// Instead of the definition's.
    pub splits: Option<usize>,
    /// Instead of the definition's.
    pub metric: Option<String>,
    /// Instead of the definition's.
    pub baseline: Option<String>,
    /// Instead of the definition's.
    pub minutes: Option<f64>,
    /// Instead of the definition's.
    pub runs: Option<usize>,
    /// Whether one variant alone will do: nothing is compared then.
    pub single: bool,
}

/// A study that can be run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// What it asks.
    pub question: String,
    /// What is compared.
    pub metric: &'static Metric,
    /// The place of the variant that the others are compared with.
    pub baseline: usize,
    /// The name of a baseline that is none of the variants; the study's folder may have it.
    pub unknown_baseline: Option<String>,
    /// The place of the variant that says what chance reaches.
    pub chance: Option<usize>,
    /// Whether it is told what the facts of the files alone reach.
    pub file_facts: bool,
    /// The variants, in the order of the definition.
    pub variants: Vec<Variant>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The seeds of the splits: one, unless splits were asked for.
    pub splits: Vec<u64>,
    /// Whether somebody said how many splits.
    pub splits_asked: bool,
    /// `data.split_seed`, where the recipe says it.
    pub split_seed: Option<u64>,
    /// Whether the images that `data.fraction` and `data.max_per_class` leave are drawn anew for each seed.
    pub subsets: bool,
    /// Whether activations and gradients are looked at over the first steps.
    pub first_steps: bool,
    /// The validation loss to which epochs and time are told.
    pub loss: Option<f64>,
    /// No run is begun after so many minutes.
    pub minutes: Option<f64>,
    /// No run is begun beyond so many, those that have ended before among them.
    pub runs: Option<usize>,
    /// What said so: the option, or the key of the study file.
    pub runs_from: &'static str,
}

/// What is compared.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// The same as the beginning of a folder's name.
    pub slug: String,
    /// The keys that it sets, and their values.
    pub values: Vec<(String, Value)>,
    /// The recipe with the study's first seed.
    pub recipe: CheckedRecipe,
    pub(crate) layers: Layers,
}

/// A run of a study: places of its variant, split and seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Of its variant.
    pub variant: usize,
    /// Of its split.
    pub split: usize,
    /// Of its seed.
    pub seed: usize,
}

impl Plan {
    /// All runs, one seed of every variant after the other, so that what is there at any time can be compared.
    pub fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        for seed in 0..self.seeds.len() {
            for split in 0..self.splits.len() {
                places.extend((0..self.variants.len()).map(|variant| Place { variant, split, seed }));
            }
        }
        places
    }

    /// How many of the places, from the first on, may be begun: whole rounds only, so that every variant has the same seeds.
    pub fn limit(&self) -> usize {
        let rounds = self.runs.map_or(usize::MAX, |runs| runs / self.variants.len().max(1));
        rounds.saturating_mul(self.variants.len())
    }

    /// The fault of a limit that leaves no round.
    pub fn too_few_runs(&self) -> Option<StudyFault> {
        too_few_runs(self.runs, self.variants.len())
    }

    /// The fault of a baseline that no variant is.
    pub fn no_such_baseline(&self, name: &str) -> StudyFault {
        let names: Vec<String> = self.variants.iter().map(|variant| variant.name.clone()).collect();
        let hint = did_you_mean(name, &names);
        StudyFault::new(
            "baseline",
            format!("no variant is named `{name}`{hint} (there are {})", names.join(", ")),
        )
    }

    /// The name of a run's folder.
    pub fn run_name(&self, place: Place) -> String {
        let slug = &self.variants[place.variant].slug;
        let seed = self.seeds[place.seed];
        match self.splits.len() {
            1 => format!("{slug}-seed{seed}"),
            _ => format!("{slug}-split{}-seed{seed}", self.splits[place.split]),
        }
    }

    /// The recipe of a run.
    ///
    /// # Errors
    /// None that [`Plan::new`] has not found.
    pub fn recipe(&self, place: Place) -> Result<CheckedRecipe, StudyErrors> {
        let variant = &self.variants[place.variant];
        let seeds =
            Seeding { seed: self.seeds[place.seed], split: self.splits[place.split], subsets: self.subsets };
        resolved(&variant.layers, seeds).map_err(|faults| StudyErrors(of_variant(&variant.name, faults)))
    }

    /// The keys in which the variants' recipes differ.
    pub fn varied(&self) -> Vec<String> {
        different_keys(&self.variants.iter().map(|variant| effective(&variant.recipe)).collect::<Vec<_>>())
    }

    /// What of a variant's recipe changes a result, by key, with every default spelled out.
    pub fn effective(&self, variant: usize) -> serde_json::Map<String, serde_json::Value> {
        effective(&self.variants[variant].recipe)
    }

    /// What is paired in a comparison: `split` where there are several, else `seed`.
    pub fn block(&self) -> &'static str {
        if self.splits.len() > 1 { "split" } else { "seed" }
    }

    /// How many pairs a comparison has at most, of so many runs, one of each variant after the other.
    pub fn blocks(&self, runs: usize) -> usize {
        let rounds = runs / self.variants.len().max(1);
        if self.splits.len() > 1 { self.splits.len().min(rounds) } else { self.seeds.len().min(rounds) }
    }

    /// The keys that trackers show: those in which variants differ, and the seeds.
    pub fn shown_keys(&self) -> Vec<String> {
        let mut keys = self.varied();
        keys.push("train.seed".to_owned());
        if self.splits.len() > 1 {
            keys.push("data.split_seed".to_owned());
        }
        keys
    }
}

pub(crate) fn too_few_runs(runs: Option<usize>, variants: usize) -> Option<StudyFault> {
    let runs = runs.filter(|&runs| runs < variants)?;
    let message = format!(
        "{runs} are fewer than one of each of the {variants} variants: give --max-runs {variants} or more, or set `runs` of the study file"
    );
    Some(StudyFault::new("runs (--max-runs)", message))
}

/// What of a recipe changes a result, by key; the study's own seeds are left out, since every run has others.
pub(crate) fn effective(recipe: &CheckedRecipe) -> serde_json::Map<String, serde_json::Value> {
    let mut flat = pupila_train::flat_recipe(recipe);
    // With their own defaults spelled out: `p = 0.5` and nothing said are one transform.
    if let Ok(transforms) = serde_json::to_value(recipe.pipeline().resolved()) {
        flat.insert("augment.transforms".to_owned(), transforms);
    }
    flat.retain(|key, _| {
        !WITHOUT_EFFECT.iter().any(|prefix| key.starts_with(prefix)) && !SEEDED.contains(&key.as_str())
    });
    flat
}

/// The keys whose values are not the same in all of some recipes, in the order of the first that has them.
pub(crate) fn different_keys(recipes: &[serde_json::Map<String, serde_json::Value>]) -> Vec<String> {
    let mut different: Vec<String> = Vec::new();
    for key in recipes.iter().flat_map(serde_json::Map::keys) {
        let differs = recipes.iter().any(|recipe| recipe.get(key) != recipes[0].get(key));
        if differs && !different.contains(key) {
            different.push(key.clone());
        }
    }
    different
}

/// The numbers that a run's draws follow from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seeding {
    pub seed: u64,
    pub split: u64,
    pub subsets: bool,
}

pub(crate) fn setting(key: &str, value: &Value, by: &str) -> Setting {
    Setting { assignment: format!("{key}={value}"), option: format!("{by}: {key}={value}") }
}

pub(crate) fn resolved(layers: &Layers, seeds: Seeding) -> Result<CheckedRecipe, Vec<pupila_train::Fault>> {
    let number = |seed: u64| Value::Integer(i64::try_from(seed).unwrap_or(i64::MAX));
    let mut layers = layers.clone();
    layers.settings.push(setting("train.seed", &number(seeds.seed), "the study's seed"));
    layers.settings.push(setting("data.split_seed", &number(seeds.split), "the study's split"));
    if seeds.subsets {
        layers.settings.push(setting("data.subset_seed", &number(seeds.seed), "the study's seed"));
    }
    layers.resolve().map_err(|errors| errors.0)
}

pub(crate) fn of_variant(name: &str, faults: Vec<pupila_train::Fault>) -> Vec<StudyFault> {
    let by = format!("variant {name}: ");
    let of = |mut fault: pupila_train::Fault| {
        // The variant and the key are told already; the value is in the message.
        if fault.origin.as_ref().is_some_and(|origin| origin.to_string().starts_with(&by)) {
            fault.origin = None;
        }
        StudyFault::new(format!("variant `{name}`"), fault.to_string())
    };
    faults.into_iter().map(of).collect()
}
