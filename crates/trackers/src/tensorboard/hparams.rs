//! Hyperparameters, so that the HPARAMS tab compares runs: the experiment (which columns there are), the start of this
//! session (its values) and its end. They are metadata of summaries that hold no value.

use super::plugin;
use super::proto::{
    Experiment, HParamInfo, HParams, MetricInfo, MetricName, SessionEnd, SessionStart, StructValue, Tensor,
    Value,
};
use crate::{Group, RunEnd, RunInfo};
use prost::Message;
use serde_json::{Map, Value as Json};

/// Columns that people compare runs by, always shown. TensorBoard shows five, sorted by name behind those that are said to differ
/// between runs, which one run cannot know: of the whole recipe the first five by name tell least.
const ALWAYS: [&str; 2] = ["model.name", "optimizer.lr"];

/// Columns that are shown where fewer than the rest have another value than the default.
const OTHERWISE: [&str; 3] = ["optimizer.name", "schedule.name", "train.epochs"];

/// Sections and keys that say least of why one model does better than another.
const UNTOLD: [&str; 6] = ["tracking.", "checkpoint.", "data.", "input.size", "train.seed", "train.batch"];

/// Columns that TensorBoard shows before anyone chooses (2.21, `_computeHParams` of its hparams page): those said to differ
/// come first, and of what it is told of, so many are shown whether they differ or not.
const SHOWN: usize = 5;

/// The column of the variants' names, which is no key of a recipe.
const VARIANT: &str = "variant";
const SEED: &str = "train.seed";

/// The experiment and the start of the session; `metrics` are the tags whose last values are shown.
pub(super) fn start(run: &RunInfo, metrics: &[String], time: f64) -> Vec<Value> {
    let mut values = run.recipe.clone();
    if let Some(group) = &run.group {
        values.insert(VARIANT.into(), group.member.clone().into());
    }
    let metric = |tag: &String| MetricInfo {
        name: Some(MetricName { group: String::new(), tag: tag.clone() }),
        display_name: tag.clone(),
    };
    let experiment = Experiment {
        time_created_secs: time,
        hparam_infos: columns(run, &values),
        metric_infos: metrics.iter().map(metric).collect(),
    };
    let hparams = values.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
    // Sessions of one name become one row with their mean, and two groups may have runs of the same names.
    let group_name = match &run.group {
        Some(group) => format!("{}/{}", group.name, run.run),
        None => run.run.clone(),
    };
    let session = SessionStart { hparams, group_name, start_time_secs: time };
    vec![
        value("_hparams_/experiment", HParams { experiment: Some(experiment), ..HParams::default() }),
        value("_hparams_/session_start_info", HParams { session_start: Some(session), ..HParams::default() }),
    ]
}

/// The columns of the table. TensorBoard takes those of whichever run it comes to first, so they are the same in all runs of a
/// group that were begun together. What is varied may be more in a group that was extended since: then the first run says what
/// was varied when it was made, and a key that was added is no column where TensorBoard comes to one of the earlier runs.
fn columns(run: &RunInfo, values: &Map<String, Json>) -> Vec<HParamInfo> {
    let group = run.group.as_ref();
    let differing = group.map_or_else(|| alone(&run.changed), differing);
    let info = |name: &String| {
        let r#type = match values.get(name) {
            Some(Json::Bool(_)) => 2,
            Some(Json::Number(_)) => 3,
            _ => 1,
        };
        HParamInfo { name: name.clone(), r#type, differs: differing.contains(name) }
    };
    if group.is_some() && differing.len() < SHOWN {
        // The others would fill the table up to five columns, and are the same in every run.
        return differing.iter().map(info).collect();
    }
    // What one variant alone has is a column for all.
    let varied = group.into_iter().flat_map(|group| &group.varied);
    let absent = varied.filter(|name| !values.contains_key(*name));
    values.keys().chain(absent).map(info).collect()
}

/// The columns that tell the runs of a group apart, at most as many as are shown: the variant stands for all that was varied.
fn differing(group: &Group) -> Vec<String> {
    let keys = group.varied.iter().filter(|key| *key != SEED).take(SHOWN - 2).cloned();
    [VARIANT.to_owned(), SEED.to_owned()].into_iter().chain(keys).collect()
}

/// The columns that tell a run of its own apart from others: the model, the learning rate, and what has another value than the
/// default.
fn alone(changed: &[String]) -> Vec<String> {
    let telling = changed.iter().filter(|key| !UNTOLD.iter().any(|prefix| key.starts_with(prefix))).cloned();
    let all = ALWAYS.into_iter().map(str::to_owned).chain(telling).chain(OTHERWISE.map(str::to_owned));
    let mut columns: Vec<String> = Vec::new();
    for key in all {
        if columns.len() < SHOWN && !columns.contains(&key) {
            columns.push(key);
        }
    }
    columns
}

/// The end of the session.
pub(super) fn end(end: RunEnd, time: f64) -> Value {
    let status = if end == RunEnd::Diverged { 2 } else { 1 };
    let session = SessionEnd { status, end_time_secs: time };
    value("_hparams_/session_end_info", HParams { session_end: Some(session), ..HParams::default() })
}

fn value(tag: &str, content: HParams) -> Value {
    // The value itself is never looked at: an empty tensor, as TensorBoard's own writer has it.
    plugin(tag, "hparams", content.encode_to_vec(), Tensor::floats(&[0], std::iter::empty()))
}

/// Lists and tables become their JSON text.
fn plain(value: &Json) -> StructValue {
    match value {
        Json::Bool(bool) => StructValue { bool: Some(*bool), ..StructValue::default() },
        Json::Number(number) => StructValue { number: number.as_f64(), ..StructValue::default() },
        Json::String(text) => StructValue { string: Some(text.clone()), ..StructValue::default() },
        other => StructValue { string: Some(other.to_string()), ..StructValue::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What TensorBoard is told of a run whose recipe has six keys: the columns with whether they differ, and the session.
    fn told(group: Option<Group>) -> (Vec<(String, bool)>, SessionStart) {
        let recipe = json!({
            "input.size": 64, "model.name": "mlp", "model.batch_norm": true, "optimizer.lr": 0.1, "train.epochs": 2,
            "train.seed": 7,
        });
        let recipe = recipe.as_object().unwrap().clone();
        let changed = ["tracking.notes", "train.batch", "model.batch_norm"].map(str::to_owned).to_vec();
        let run = RunInfo { run: "wide-seed7".into(), recipe, changed, group, ..RunInfo::default() };
        let mut content = start(&run, &["best/loss".into()], 1.5)
            .into_iter()
            .map(|value| HParams::decode(&value.metadata.unwrap().plugin_data.unwrap().content[..]).unwrap());
        let experiment = content.next().unwrap().experiment.unwrap();
        let columns = experiment.hparam_infos.into_iter().map(|info| (info.name, info.differs)).collect();
        (columns, content.next().unwrap().session_start.unwrap())
    }

    fn group(varied: &[&str]) -> Group {
        let varied = varied.iter().map(|&key| key.to_owned()).collect();
        Group { folder: "..".into(), name: "study".into(), member: "wide".into(), varied }
    }

    fn ticked(columns: &[(String, bool)]) -> Vec<&str> {
        columns.iter().filter(|(_, differs)| *differs).map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn a_run_of_its_own_has_every_key_and_ticks_those_that_say_most() {
        let (columns, session) = told(None);
        assert_eq!(columns.len(), 6);
        // What was changed is among them, but no batch size.
        assert_eq!(ticked(&columns), ["model.name", "model.batch_norm", "optimizer.lr"]);
        let many: Vec<String> = (0..9).map(|i| format!("model.key{i}")).collect();
        assert_eq!(alone(&many), ["model.name", "optimizer.lr", "model.key0", "model.key1", "model.key2"]);
        let few = ["model.name", "optimizer.lr", "optimizer.name", "schedule.name", "train.epochs"];
        assert_eq!(alone(&[]), few);
        assert_eq!(session.group_name, "wide-seed7");
        assert!(!session.hparams.contains_key("variant"));
    }

    #[test]
    fn of_a_group_there_is_what_was_varied_and_nothing_else() {
        let (columns, session) = told(Some(group(&["optimizer.lr", "train.seed"])));
        // No other key, which would be shown to make five.
        assert_eq!(columns.len(), 3);
        assert_eq!(ticked(&columns), ["variant", "train.seed", "optimizer.lr"]);
        assert_eq!(session.hparams["variant"].string.as_deref(), Some("wide"));
        assert_eq!(session.hparams.len(), 7);
        assert_eq!(session.group_name, "study/wide-seed7");
    }

    #[test]
    fn of_much_that_was_varied_five_columns_are_ticked_with_variant_and_seed_among_them() {
        let varied = ["optimizer.lr", "model.batch_norm", "model.dropout", "train.epochs", "input.size"];
        let (columns, _) = told(Some(group(&varied)));
        // The recipe's keys, the variant, and a key that this variant does not have.
        assert_eq!(columns.len(), 8);
        let mut ticked = ticked(&columns);
        ticked.sort_unstable();
        assert_eq!(ticked, ["model.batch_norm", "model.dropout", "optimizer.lr", "train.seed", "variant"]);
    }
}
