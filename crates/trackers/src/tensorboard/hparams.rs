//! Hyperparameters, so that the HPARAMS tab compares runs: the experiment (which columns there are), the start of this
//! session (its values) and its end. They are metadata of summaries that hold no value.

use super::plugin;
use super::proto::{
    Experiment, HParamInfo, HParams, MetricInfo, MetricName, SessionEnd, SessionStart, StructValue, Tensor,
    Value,
};
use crate::{RunEnd, RunInfo};
use prost::Message;
use serde_json::Value as Json;

/// Columns that stand first. TensorBoard shows five, sorted by name behind those that are said to differ between runs, which
/// one run cannot know: of the whole recipe the first five by name tell least.
const FIRST: [&str; 5] = ["input.size", "model.name", "optimizer.lr", "train.batch", "train.epochs"];

/// The experiment and the start of the session; `metrics` are the tags whose last values are shown.
pub(super) fn start(run: &RunInfo, metrics: &[String], time: f64) -> Vec<Value> {
    let info = |(name, value): (&String, &Json)| {
        let r#type = match value {
            Json::Bool(_) => 2,
            Json::Number(_) => 3,
            _ => 1,
        };
        HParamInfo { name: name.clone(), r#type, differs: FIRST.contains(&name.as_str()) }
    };
    let metric = |tag: &String| MetricInfo {
        name: Some(MetricName { group: String::new(), tag: tag.clone() }),
        display_name: tag.clone(),
    };
    let experiment = Experiment {
        time_created_secs: time,
        hparam_infos: run.recipe.iter().map(info).collect(),
        metric_infos: metrics.iter().map(metric).collect(),
    };
    let hparams = run.recipe.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
    let session = SessionStart { hparams, group_name: run.run.clone(), start_time_secs: time };
    vec![
        value("_hparams_/experiment", HParams { experiment: Some(experiment), ..HParams::default() }),
        value("_hparams_/session_start_info", HParams { session_start: Some(session), ..HParams::default() }),
    ]
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
