//! A plan beside what a study's folder has already: variants by their recipes, and the folders of their runs.

use crate::error::{StudyErrors, StudyFault};
use crate::plan::{Place, Plan, SEEDED, Seeding, Variant, different_keys, effective, resolved};
use pupila_train::{CheckedRecipe, Layers};
use toml::Value;

impl Plan {
    /// The keys in which a variant's recipe is another than a stored one, but for the seeds and what changes no result.
    pub fn changed_keys(&self, variant: &Variant, stored: &str) -> Vec<String> {
        let stored = Layers {
            file: Some(("study.json".into(), stored.to_owned())),
            settings: Vec::new(),
            learnt: None,
        };
        different_keys(&[effective(&variant.recipe), effective(&stored.resolve_what_is_known().0)])
    }

    /// The keys in which a run's recipe is another than that of the plan, the seeds among them, but for what changes no result.
    ///
    /// # Errors
    /// As of [`Plan::recipe`].
    pub fn changed_keys_of(&self, place: Place, stored: &CheckedRecipe) -> Result<Vec<String>, StudyErrors> {
        let planned = self.recipe(place)?;
        let seeds = |recipe: &CheckedRecipe| {
            let mut keys = effective(recipe);
            let all = pupila_train::flat_recipe(recipe);
            keys.extend(all.into_iter().filter(|(key, _)| SEEDED.contains(&key.as_str())));
            keys
        };
        Ok(different_keys(&[seeds(&planned), seeds(stored)]))
    }

    /// Adds a variant as a study's folder has it.
    ///
    /// # Errors
    /// Its recipe is no longer valid.
    pub fn add_stored(
        &mut self,
        name: &str,
        slug: &str,
        recipe: &str,
        values: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), StudyFault> {
        let layers = Layers {
            file: Some(("study.json".into(), recipe.to_owned())),
            settings: Vec::new(),
            learnt: None,
        };
        let seeds = Seeding {
            seed: self.seeds.first().copied().unwrap_or(0),
            split: self.splits.first().copied().unwrap_or(0),
            subsets: self.subsets,
        };
        let recipe = resolved(&layers, seeds).map_err(|faults| {
            let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
            StudyFault::new(format!("variant `{name}` of the study's folder"), told.join("; "))
        })?;
        let values =
            values.iter().filter_map(|(key, value)| Some((key.clone(), Value::try_from(value).ok()?)));
        let values = values.collect();
        self.variants.push(Variant { name: name.to_owned(), slug: slug.to_owned(), values, recipe, layers });
        Ok(())
    }

    /// Gives variants the folders that they have; the others keep clear of these.
    pub fn keep_folders<'a>(&mut self, stored: impl Iterator<Item = (&'a str, &'a str)>) {
        let stored: Vec<(&str, &str)> = stored.collect();
        for variant in &mut self.variants {
            if let Some((_, slug)) = stored.iter().find(|(name, _)| *name == variant.name) {
                variant.slug = (*slug).to_owned();
            }
        }
        let mut taken: Vec<String> = stored.iter().map(|(_, slug)| slug.to_lowercase()).collect();
        for variant in &mut self.variants {
            if stored.iter().any(|(name, _)| *name == variant.name) {
                continue;
            }
            let first = variant.slug.clone();
            let numbered = (2..).map(|number| format!("{first}-{number}"));
            let free = |slug: &String| !taken.contains(&slug.to_lowercase());
            variant.slug = std::iter::once(first.clone()).chain(numbered).find(free).unwrap_or(first);
            taken.push(variant.slug.to_lowercase());
        }
    }
}
