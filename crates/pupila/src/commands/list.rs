//! `pupila list`: what a recipe can name.

use crate::cli::{List, Listed};
use crate::failure::Failure;
use crate::output::Output;
use serde_json::json;

pub(crate) fn run(arguments: &List) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let rows: Vec<(String, String)> = match arguments.what {
        Listed::Models => {
            let row = |a: &pupila::network::architectures::Architecture| {
                (a.name.to_owned(), with_keys(a.description, a.keys))
            };
            pupila::network::architectures::REGISTRY.iter().map(row).collect()
        }
        Listed::Transforms => {
            let row = |entry: &pupila::transforms::Entry| {
                // A parameter without a value may be left out.
                let parameter = |(name, value): (&String, &serde_json::Value)| match value {
                    serde_json::Value::Null => name.clone(),
                    value => format!("{name} = {value}"),
                };
                let parameters: Vec<_> = entry.parameters().iter().map(parameter).collect();
                (entry.name.to_owned(), format!("{} {{ {} }}", entry.description, parameters.join(", ")))
            };
            pupila::transforms::registry().iter().map(row).collect()
        }
        Listed::Optimizers => {
            let row = |entry: &pupila::engine::optimizer::OptimizerEntry| {
                (entry.name.to_owned(), with_keys(entry.description, entry.keys))
            };
            pupila::engine::optimizer::REGISTRY.iter().map(row).collect()
        }
        Listed::Schedules => {
            let row = |entry: &pupila::train::schedule::ScheduleEntry| {
                (entry.name.to_owned(), with_keys(entry.description, entry.keys))
            };
            pupila::train::schedule::SCHEDULES.iter().map(row).collect()
        }
        Listed::Initializers => {
            let row =
                |entry: &pupila::network::InitEntry| (entry.name.to_owned(), entry.description.to_owned());
            pupila::network::Init::REGISTRY.iter().map(row).collect()
        }
        Listed::Metrics => {
            let row = |metric: &pupila::metrics::Metric| {
                let better = if metric.higher_is_better() { "higher" } else { "lower" };
                (format!("val/{}", metric.name), format!("{}; {better} is better", metric.description))
            };
            pupila::metrics::METRICS.iter().map(row).collect()
        }
        Listed::Studies => pupila::study::built_in()
            .iter()
            .map(|study| (study.name.to_owned(), study.description.to_owned()))
            .collect(),
    };
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    if !arguments.json.json {
        rows.iter().for_each(|(name, description)| output.say(format_args!("{name:<width$}  {description}")));
    }
    let objects = rows.iter().map(|(name, description)| json!({ "name": name, "description": description }));
    let what = format!("{:?}", arguments.what).to_lowercase();
    output.object(&json!({ (what): objects.collect::<Vec<_>>() }));
    Ok(())
}

/// A description with the keys that are used, if any.
fn with_keys(description: &str, keys: &[&str]) -> String {
    if keys.is_empty() { description.to_owned() } else { format!("{description}; uses {}", keys.join(", ")) }
}
