//! The recipe from everything that was typed.

use crate::cli::{RecipeChoice, Trackers};
use crate::failure::Failure;
use anyhow::Context;
use pupila::recipe::{Fault, Layers, Origin, RecipeErrors, Setting, key_meant};
use pupila::{CheckedRecipe, Learnt};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The keys that say what of the data is what.
pub(super) const LAYOUT_KEYS: [&str; 13] = [
    "data.train",
    "data.val",
    "data.test",
    "data.images",
    "data.path_column",
    "data.label_column",
    "data.split_column",
    "data.split_values",
    "data.one_hot",
    "data.one_hot_rest",
    "data.lists",
    "data.extension",
    "data.rename",
];

/// What an option with a value sets, if it was typed.
pub(super) fn flag(name: &str, key: &str, value: &Option<String>) -> Option<Setting> {
    let value = value.as_ref()?;
    Some(Setting { assignment: format!("{key}={value}"), option: format!("--{name} {value}") })
}

/// What an option without a value sets, if it was typed.
fn switch(name: &str, assignment: &str, typed: bool) -> Option<Setting> {
    typed.then(|| Setting { assignment: assignment.to_owned(), option: format!("--{name}") })
}

/// What the options of trackers set.
pub(super) fn trackers(options: &Trackers) -> [Option<Setting>; 3] {
    [
        flag("mlflow", "tracking.mlflow", &options.mlflow),
        flag("experiment", "tracking.experiment", &options.experiment),
        switch("no-tensorboard", "tracking.tensorboard=false", options.no_tensorboard),
    ]
}

/// The defaults, under the recipe file, under `--set`, under the options: those of every command and `more`.
pub(super) fn resolve(
    choice: &RecipeChoice,
    more: impl IntoIterator<Item = Option<Setting>>,
) -> Result<CheckedRecipe, Failure> {
    begun(chosen(choice, more)?)?.resolve().map_err(Failure::request)
}

/// The layers with what learnt weights ask for below them, where there are some to begin from.
pub(super) fn begun(layers: Layers) -> Result<Layers, Failure> {
    let from = layers.typed("transfer.from");
    let Some(from) = from.as_ref().and_then(toml::Value::as_str).filter(|from| !from.is_empty()) else {
        return Ok(layers);
    };
    let learnt = Learnt::open(Path::new(from))?;
    let model = layers.typed("model.name");
    match (learnt.architecture(), model.as_ref().and_then(toml::Value::as_str)) {
        (Some(theirs), Some(typed)) if theirs != typed => Err(Failure::wrong(format_args!(
            "{from} holds the weights of {theirs}, and model.name is {typed}: leave it out, or begin from other weights (`pupila list pretrained`)"
        ))),
        (None, None) => Err(Failure::wrong(learnt.why_unknown())),
        _ => {
            let channels = layers.typed("input.channels").and_then(|channels| channels.as_integer());
            Ok(Layers { learnt: Some(learnt.keys(channels)), ..layers })
        }
    }
}

/// What `--init-from` sets, if it was typed.
pub(super) fn init_from(path: &Option<PathBuf>) -> Option<Setting> {
    let path = path.as_ref()?.to_string_lossy().into_owned();
    let option = format!("--init-from {path}");
    Some(Setting { assignment: format!("transfer.from={}", toml::Value::String(path)), option })
}

/// The same, not yet put over one another.
pub(super) fn chosen(
    choice: &RecipeChoice,
    more: impl IntoIterator<Item = Option<Setting>>,
) -> Result<Layers, Failure> {
    let sets =
        choice.settings.iter().map(|s| Setting { assignment: s.clone(), option: format!("--set {s}") });
    let options = [
        flag("model", "model.name", &choice.model),
        flag("size", "input.size", &choice.size),
        flag("batch", "train.batch", &choice.batch),
    ];
    layers(choice.recipe.as_deref(), sets.chain(options.into_iter().chain(more).flatten()).collect())
}

/// A fault for each key that was typed twice with different values: which is meant cannot be told.
pub(super) fn twice(settings: &[Setting]) -> Vec<Fault> {
    let of = |setting: &Setting| -> Option<(String, String)> {
        let (key, value) = setting.assignment.split_once('=')?;
        let key = key_meant(key.trim()).unwrap_or_else(|| key.trim().to_owned());
        Some((key, value.trim().to_owned()))
    };
    let mut faults = Vec::new();
    for (at, setting) in settings.iter().enumerate() {
        let Some((key, value)) = of(setting) else { continue };
        let same = |other: &&Setting| of(other).is_some_and(|(k, v)| k == key && v != value);
        if let Some(other) = settings[..at].iter().find(same) {
            let [other, this] = [other, setting].map(|of| Origin::CommandLine(of.option.clone()));
            let message = format!("is set twice, by {other} and by {this}: leave one out");
            faults.push(Fault { key, message, origin: None });
        }
    }
    faults
}

/// The text of a recipe file. It may be a pipe, as `<(...)` of a shell is; what has no end is not read to it.
fn text_of(path: &Path) -> std::io::Result<String> {
    const MOST: u64 = 1 << 24;
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(MOST + 1).read_to_string(&mut text)?;
    if read as u64 > MOST {
        return Err(std::io::Error::other(format!(
            "it has more than {MOST} bytes, and a recipe has a few thousand"
        )));
    }
    Ok(text)
}

/// A recipe file under settings, none of which was typed twice.
pub(super) fn layers(file: Option<&Path>, settings: Vec<Setting>) -> Result<Layers, Failure> {
    let read = |path: &Path| -> Result<(PathBuf, String), Failure> {
        let text = text_of(path)
            .with_context(|| format!("cannot read the recipe {}", path.display()))
            .map_err(Failure::Request)?;
        Ok((path.to_owned(), text))
    };
    let twice = twice(&settings);
    let layers = Layers { file: file.map(read).transpose()?, settings, learnt: None };
    if !twice.is_empty() {
        // With whatever else is wrong.
        let others = layers.resolve().err().map_or(Vec::new(), |RecipeErrors(faults)| faults);
        return Err(Failure::request(RecipeErrors(twice.into_iter().chain(others).collect())));
    }
    Ok(layers)
}
