//! The recipe from everything that was typed.

use crate::cli::RecipeChoice;
use crate::failure::Failure;
use anyhow::Context;
use pupila_train::{Layers, Recipe, Resolved, Setting};

/// What an option with a value sets, if it was typed.
pub(super) fn flag(name: &str, key: &str, value: &Option<String>) -> Option<Setting> {
    let value = value.as_ref()?;
    Some(Setting { assignment: format!("{key}={value}"), option: format!("--{name} {value}") })
}

/// What an option without a value sets, if it was typed.
pub(super) fn switch(name: &str, assignment: &str, typed: bool) -> Option<Setting> {
    typed.then(|| Setting { assignment: assignment.to_owned(), option: format!("--{name}") })
}

/// The defaults, under the recipe file, under `--set`, under the options: those of every command and `more`.
pub(super) fn resolve(
    choice: &RecipeChoice,
    more: impl IntoIterator<Item = Option<Setting>>,
) -> Result<Resolved, Failure> {
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
    let options = [
        flag("model", "model.name", &choice.model),
        flag("size", "input.size", &choice.size),
        flag("batch", "train.batch", &choice.batch),
    ];
    let settings = sets.chain(options.into_iter().chain(more).flatten()).collect();
    Layers { file, settings }.resolve().map_err(Failure::request)
}

/// Whether the classes that a recipe names are those of the data.
pub(super) fn suits(recipe: &Recipe, classes: &[String]) -> Result<(), Failure> {
    let faults = recipe.check_classes(classes);
    if faults.is_empty() {
        return Ok(());
    }
    let told: Vec<_> = faults.iter().map(|fault| format!("{} {}", fault.key, fault.message)).collect();
    Err(Failure::wrong(told.join("\n")))
}
