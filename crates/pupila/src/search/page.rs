//! What the page of a search shows.

use super::trial::{RUN, WHY};
use super::{Search, SearchResult, State, Trial, json_of};
use crate::describe::in_a_shell;
use pupila_report::{SearchPage, SearchParameter, SearchTrial, TrialState};
use pupila_run::RunFolder;
use pupila_search::Distribution;
use serde_json::Value;

/// The page.
pub(super) fn of(search: &Search, result: &SearchResult) -> String {
    let importance = result.importance.as_ref().ok();
    let parameters: Vec<SearchParameter> = search
        .space()
        .parameters()
        .iter()
        .map(|parameter| {
            let (range, log) = match *parameter.distribution {
                Distribution::Float { low, high, log, .. } => ((low, high), log),
                Distribution::Int { low, high, log, .. } => ((low as f64, high as f64), log),
                Distribution::Categorical { .. } => {
                    ((0.0, parameter.choices.len().saturating_sub(1) as f64), false)
                }
            };
            let share =
                |of: &Vec<(String, f64)>| of.iter().find(|(key, _)| *key == parameter.key).map(|(_, s)| *s);
            SearchParameter {
                name: parameter.key.clone(),
                importance: importance.and_then(share),
                range,
                log,
                choices: parameter.choices.iter().map(plain).collect(),
            }
        })
        .collect();
    let count = |state: State| result.trials.iter().filter(|trial| trial.state == state).count();
    let failed = super::failed(&result.trials).count();
    let (complete, pruned) = (count(State::Complete), count(State::Pruned));
    let mut warnings = Vec::new();
    if let Err(why) = &result.honest {
        warnings.push(format!(
            "The best trial was not trained again ({why}). Its value in the search is flattered by the choice among {complete} trials."
        ));
    }
    let failures = super::failed(&result.trials);
    let reason = failures.filter_map(|trial| trial.user_attributes.get(WHY).and_then(Value::as_str)).last();
    if failed > 0 {
        warnings.push(format!(
            "{failed} trial{} failed{}",
            if failed == 1 { "" } else { "s" },
            reason.map_or(".".to_owned(), |why| format!(", the last because of this: {why}"))
        ));
    }
    let best = result.best.and_then(|number| result.trials.iter().find(|trial| trial.number == number));
    let answer = match (&result.honest, best) {
        (Ok(honest), _) => honest.answer.clone(),
        (Err(_), Some(trial)) => vec![format!(
            "Trial {} reached {} in the search, the best of {complete}.",
            trial.number,
            search.shown(trial.value().unwrap_or(f64::NAN)),
        )],
        (Err(_), None) => vec!["No trial is complete.".to_owned()],
    };
    let command = result.recipe.as_ref().map_or(String::new(), |recipe| {
        format!(
            "pupila train {} --recipe {}",
            in_a_shell(&search.options.data.to_string_lossy()),
            in_a_shell(&recipe.to_string_lossy())
        )
    });
    SearchPage {
        title: format!("Search {}", search.name),
        subtitle: format!(
            "{}: {complete} complete, {pruned} ended early, {failed} failed; judged by {} on the validation images",
            search.options.data.display(),
            search.metric()
        ),
        answer,
        warnings,
        metric: search.metric(),
        share: search.is_share(),
        higher_is_better: search.direction() == super::Direction::Maximize,
        trials: result.trials.iter().map(|trial| shown(search, trial)).collect(),
        parameters,
        no_importance: result.importance.as_ref().err().cloned(),
        best: result.best,
        command,
        method: method(search, result),
    }
    .render()
}

/// How it was done, in sentences.
fn method(search: &Search, result: &SearchResult) -> Vec<String> {
    let options = &search.options;
    let mut said = vec![
        format!(
            "Values were chosen by {} with the seed {}; trials were ended early by {}.",
            options.sampler, options.seed, options.pruner
        ),
        format!(
            "A trial's value is {} at its best epoch; that of one that was ended early is its last.",
            search.metric()
        ),
    ];
    if result.honest.is_ok() {
        said.push(
            "The best two were trained again with seeds that no trial had, and are compared as the variants of a study are: by paired seeds, over seeds and images."
                .to_owned(),
        );
    }
    said.push(format!(
        "The trials are in {}, which Optuna opens as the study {}.",
        search.storage(),
        search.study
    ));
    said
}

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn shown(search: &Search, trial: &Trial) -> SearchTrial {
    let values = json_of(&search.settings(trial));
    let text = |key: &String| match values.get(key) {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => match number.as_f64() {
            Some(value) if number.is_f64() => crate::search::short(value),
            _ => number.to_string(),
        },
        Some(other) => other.to_string(),
    };
    let parameters = search.space().parameters();
    let folder = trial.user_attributes.get(RUN).and_then(Value::as_str);
    let page = folder.map(|name| format!("{name}/{}", RunFolder::PAGE));
    SearchTrial {
        number: trial.number,
        state: match trial.state {
            State::Complete => TrialState::Complete,
            State::Pruned => TrialState::Pruned,
            State::Fail => TrialState::Failed,
            State::Running | State::Waiting => TrialState::Open,
        },
        value: trial.value().unwrap_or(f64::NAN),
        places: parameters
            .iter()
            .map(|parameter| {
                let param = trial.params.get(&parameter.key)?;
                Some(param.value.internal())
            })
            .collect(),
        shown: parameters.iter().map(|parameter| text(&parameter.key)).collect(),
        curve: trial.intermediate.iter().map(|(&step, &value)| (step as f64, value)).collect(),
        why: trial.user_attributes.get(WHY).and_then(Value::as_str).unwrap_or_default().to_owned(),
        folder: page.filter(|page| search.folder.join(page).is_file()).unwrap_or_default(),
    }
}
