//! What a search leaves in its folder: the journal, the best recipe, the trials as a table, `search.json` and the page.

use super::{Search, SearchResult, json_of, page};
use crate::error::{Error, Tried};
use pupila_run::{FORMAT, write_whole};
use pupila_search::{State, Trial};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The trials, where no other storage is named.
pub(super) const JOURNAL: &str = "trials.journal";
/// What there is to know, for programs.
pub(super) const FILE: &str = "search.json";
/// The page.
pub(super) const PAGE: &str = "search.html";
/// The recipe of the best trial.
pub(super) const RECIPE: &str = "best.toml";
/// A row for each trial.
pub(super) const TABLE: &str = "trials.csv";

/// Whether a folder is that of a search.
pub(super) fn is_search(folder: &Path) -> bool {
    folder.join(FILE).is_file() || folder.join(JOURNAL).is_file()
}

/// Says that the folder is a search's.
pub(super) fn begin(search: &Search) -> Result<(), Error> {
    let path = search.folder.join(FILE);
    match path.exists() {
        true => Ok(()),
        false => write(
            search,
            &path,
            &json!({"study": search.study, "storage": search.storage(), "format": FORMAT}),
        ),
    }
}

fn write(_search: &Search, path: &Path, value: &Value) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    write_whole(path, text.as_bytes()).map_err(Error::io(Tried::Write, path))
}

/// Writes what came out.
pub(super) fn end(search: &Search, result: &SearchResult) -> Result<(), Error> {
    let table = search.folder.join(TABLE);
    write_whole(&table, csv(search, &result.trials).as_bytes()).map_err(Error::io(Tried::Write, &table))?;
    let page = page::of(search, result);
    write_whole(&result.page, page.as_bytes()).map_err(Error::io(Tried::Write, &result.page))?;
    let mut object = result.json.clone();
    object["storage"] = json!(search.storage());
    object["data"] = json!(search.data());
    object["sampler"] = json!(search.options.sampler);
    object["pruner"] = json!(search.options.pruner);
    object["seed"] = json!(search.options.seed);
    object["version"] = json!(env!("CARGO_PKG_VERSION"));
    object["format"] = json!(FORMAT);
    write(search, &search.folder.join(FILE), &object)
}

/// Writes the recipe of a trial, ready for `train`.
pub(super) fn write_recipe(search: &Search, trial: &Trial) -> Result<PathBuf, Error> {
    let path = search.folder.join(RECIPE);
    let recipe = search.recipe(trial)?;
    let text = format!("# Trial {} of the search {}\n{}", trial.number, search.name, recipe.to_toml());
    write_whole(&path, text.as_bytes()).map_err(Error::io(Tried::Write, &path))?;
    Ok(path)
}

/// The name of a state.
pub(super) fn state(state: State) -> &'static str {
    match state {
        State::Running => "running",
        State::Complete => "complete",
        State::Pruned => "pruned",
        State::Fail => "failed",
        State::Waiting => "waiting",
    }
}

/// Trials as rows: number, state, value, epochs, seconds, a column for each parameter, and why one failed.
fn csv(search: &Search, trials: &[Trial]) -> String {
    let keys: Vec<&str> = search.space().parameters().iter().map(|parameter| &parameter.key[..]).collect();
    let field = |text: &str| match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    };
    let mut text = String::from("number,state,value,epochs");
    keys.iter().for_each(|key| text += &format!(",{}", field(key)));
    text += ",why\n";
    for trial in trials {
        let value = trial.value().map_or(String::new(), |value| value.to_string());
        let _ = write!(text, "{},{},{value},{}", trial.number, state(trial.state), trial.intermediate.len());
        for key in &keys {
            let value = trial.params.get(*key).map_or(String::new(), |param| param.external().to_string());
            text += &format!(",{}", field(&value));
        }
        let why = trial.user_attributes.get(super::trial::WHY).and_then(Value::as_str).unwrap_or_default();
        text += &format!(",{}\n", field(why));
    }
    text
}

/// The object that `--json` prints.
pub(super) fn json(search: &Search, result: &SearchResult) -> Value {
    let count = |state: State| result.trials.iter().filter(|trial| trial.state == state).count();
    let best = result.best.and_then(|number| result.trials.iter().find(|trial| trial.number == number));
    let importance: Value = match &result.importance {
        Ok(of) => Value::Object(of.iter().map(|(key, share)| (key.clone(), json!(share))).collect()),
        Err(_) => Value::Null,
    };
    json!({
        "study": search.study,
        "folder": search.folder.to_string_lossy(),
        "metric": search.metric(),
        "direction": search.direction.name(),
        "trials": {
            "complete": count(State::Complete), "pruned": count(State::Pruned), "failed": count(State::Fail),
        },
        "best": best.map(|trial| json!({
            "number": trial.number, "value": trial.value(), "params": json_of(&search.settings(trial)),
        })),
        "honest": result.honest.as_ref().ok().map(super::Honest::to_json),
        "no_honest_score": result.honest.as_ref().err(),
        "importance": importance,
        "no_importance": result.importance.as_ref().err(),
        "recipe": result.recipe.as_ref().map(|path| path.to_string_lossy()),
        "page": result.page.to_string_lossy(),
        "stopped": result.stopped,
    })
}
