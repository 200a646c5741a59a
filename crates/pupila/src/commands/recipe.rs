//! The recipe from everything that was typed.

use crate::cli::RecipeChoice;
use crate::failure::Failure;
use anyhow::Context;
use pupila_train::{Layers, Resolved, Setting};

/// An option that stands for a key of the recipe.
pub(super) struct Flag<'a> {
    name: &'static str,
    key: &'static str,
    value: &'a Option<String>,
}

impl<'a> Flag<'a> {
    pub(super) fn new(name: &'static str, key: &'static str, value: &'a Option<String>) -> Self {
        Flag { name, key, value }
    }
}

/// The defaults, under the recipe file, under `--set`, under the flags: those of every command and `more`.
pub(super) fn resolve(choice: &RecipeChoice, more: &[Flag<'_>]) -> Result<Resolved, Failure> {
    let flags = [
        Flag::new("model", "model.name", &choice.model),
        Flag::new("size", "input.size", &choice.size),
        Flag::new("batch", "train.batch", &choice.batch),
    ];
    let file = match &choice.recipe {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the recipe {}", path.display()))
                .map_err(Failure::Request)?;
            Some((path.clone(), text))
        }
        None => None,
    };
    let sets =
        choice.settings.iter().map(|s| Setting { assignment: s.clone(), option: format!("--set {s}") });
    let flags = flags.iter().chain(more).filter_map(|Flag { name, key, value }| {
        let value = value.as_ref()?;
        Some(Setting { assignment: format!("{key}={value}"), option: typed(name, value) })
    });
    Layers { file, settings: sets.chain(flags).collect() }.resolve().map_err(Failure::request)
}

/// The option as it was typed: a switch has no value beside it.
fn typed(name: &str, value: &str) -> String {
    if name.starts_with("no-") { format!("--{name}") } else { format!("--{name} {value}") }
}
