//! `pupila list`: what a recipe can name.

use super::tell_runs::wrapped;
use crate::cli::{List, Listed};
use crate::failure::Failure;
use crate::output::Output;
use clap::ValueEnum;
use pupila::recipe::{KeyDoc, key_docs};
use serde_json::json;

pub(crate) fn run(arguments: &List) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let Some(what) = arguments.what else {
        tell_what_there_is(output);
        return Ok(());
    };
    let rows: Vec<(String, String)> = match what {
        Listed::Keys => {
            tell_keys(output, arguments.json.json);
            return Ok(());
        }
        Listed::Pretrained => {
            tell_pretrained(output, arguments.json.json);
            return Ok(());
        }
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
    let what = format!("{what:?}").to_lowercase();
    output.object(&json!({ (what): objects.collect::<Vec<_>>() }));
    Ok(())
}

/// What can be listed.
fn tell_what_there_is(output: Output) {
    let mut objects = Vec::new();
    output.say("pupila list WHAT lists");
    for what in Listed::value_variants().iter().filter_map(ValueEnum::to_possible_value) {
        let (name, description) =
            (what.get_name(), what.get_help().map(ToString::to_string).unwrap_or_default());
        output.say(format_args!("  {name:<13} {description}"));
        objects.push(json!({ "name": name, "description": description }));
    }
    output.object(&json!({ "list": objects }));
}

/// Every key, with its default and what it means.
fn tell_keys(output: Output, json: bool) {
    let docs = key_docs();
    if !json {
        let mut before = "";
        for KeyDoc { key, default, meaning } in &docs {
            let section = key.split('.').next().unwrap_or_default();
            if section != before {
                output.heading(format_args!("[{section}]"));
                before = section;
            }
            match default {
                Some(default) => output.say(format_args!("{key} = {default}")),
                None => output.say(format_args!("{key} (not set)")),
            }
            wrapped(meaning, output.width(), "    ").iter().for_each(|line| output.say(line));
        }
    }
    let object = |doc: &KeyDoc| json!({ "key": doc.key, "default": doc.default, "meaning": doc.meaning });
    output.object(&json!({ "keys": docs.iter().map(object).collect::<Vec<_>>() }));
}

/// Every known file of learnt weights whose architecture there is.
fn tell_pretrained(output: Output, json: bool) {
    use pupila::weights::{PRETRAINED, Pretrained};
    let is_built = |known: &&Pretrained| pupila::network::architectures::find(known.architecture).is_ok();
    let known: Vec<&Pretrained> = PRETRAINED.iter().filter(is_built).collect();
    if !json {
        output.say(format_args!(
            "All are trained on {}. Nothing is downloaded by itself.",
            Pretrained::TRAINED_ON
        ));
        for known in &known {
            let accuracy = known.accuracy.map_or_else(String::new, |accuracy| {
                format!(", top-1 accuracy {accuracy:.1} % at {} px", known.accuracy_px)
            });
            let sha256 = match known.sha256.len() {
                0 => "SHA-256 not published".to_owned(),
                64 => format!("SHA-256 {}", known.sha256),
                _ => format!("SHA-256 begins {}", known.sha256),
            };
            output.heading(known.name);
            output.say(format_args!("  {}, {:.0} MB{accuracy}", known.architecture, known.size_mb));
            output.say(format_args!("  licence: {}; {sha256}", known.licence));
            let keys: Vec<_> =
                known.keys().iter().skip(1).map(|(key, value)| format!("{key}={value}")).collect();
            wrapped(&format!("brings {}", keys.join(" ")), output.width(), "  ")
                .iter()
                .for_each(|line| output.say(line));
            output.say(format_args!("  get it: {}", known.get));
        }
    }
    let object = |known: &&Pretrained| {
        json!({
            "name": known.name,
            "architecture": known.architecture,
            "accuracy": known.accuracy,
            "accuracy_px": known.accuracy_px,
            "size_mb": known.size_mb,
            "trained_on": Pretrained::TRAINED_ON,
            "licence": known.licence,
            "sha256": known.sha256,
            "keys": known.keys().into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect::<serde_json::Map<_, _>>(),
            "get": known.get,
        })
    };
    output.object(&json!({ "pretrained": known.iter().map(object).collect::<Vec<_>>() }));
}

/// A description with the keys that are used, if any.
fn with_keys(description: &str, keys: &[&str]) -> String {
    if keys.is_empty() { description.to_owned() } else { format!("{description}; uses {}", keys.join(", ")) }
}
