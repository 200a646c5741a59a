//! Lines to type: settings that the parser of recipes takes, with what else they need.

use super::super::layers::{parse_value, type_of};
use super::super::{Layers, Setting, schema};
use super::python;
use super::values::switched_off;
use crate::schedule::SCHEDULES;
use pupila_backend::optimizer;
use pupila_network::architectures;
use toml::Value;

/// Values to show of keys that have no default, or one that turns them off.
const EXAMPLES: &[(&str, &str)] = &[
    ("augment.cutmix", "1.0"),
    ("augment.mixup", "0.2"),
    ("augment.transforms", "horizontal_flip,rotate"),
    ("checkpoint.steps", "1000"),
    ("data.fold", "1"),
    ("data.folds", "5"),
    ("data.fraction", "0.5"),
    ("data.max_per_class", "100"),
    ("data.split_seed", "0"),
    ("data.subset_seed", "0"),
    ("early_stopping.min_delta", "0.001"),
    ("early_stopping.patience", "5"),
    ("input.crop_frac", "0.875"),
    ("input.fit", "crop"),
    ("input.keep", "256"),
    ("loss.class_weights", "balanced"),
    ("loss.label_smoothing", "0.1"),
    ("model.dropout", "0.3"),
    ("model.filters", "16,32,64"),
    ("model.hidden", "512,128"),
    ("model.init", "kaiming_normal"),
    ("model.stochastic_depth", "0.2"),
    ("optimizer.momentum", "0.9"),
    ("optimizer.weight_decay", "0.0001"),
    ("schedule.name", "cosine"),
    ("schedule.warmup_steps", "500"),
    ("train.accumulate", "2"),
    ("train.clip_norm", "1.0"),
    ("train.ema_decay", "0.999"),
    ("tracking.mlflow", "http://localhost:5000"),
];

/// What some keys need beside them, where no registry says so.
const NEEDS: &[(&str, &[&str])] = &[
    ("data.fold", &["data.folds=5"]),
    ("input.crop_frac", &["input.fit=crop"]),
    ("input.antialias", &["input.interpolation=linear"]),
    ("optimizer.nesterov", &["optimizer.name=sgd", "optimizer.momentum=0.9"]),
];

/// A setting as it is typed: in quotes where a shell would read its signs.
pub(in super::super) fn set(key: &str, value: &str) -> String {
    let setting = format!("{key}={value}");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./=:,-+%".contains(c);
    match setting.chars().all(is_plain) {
        true => format!("--set {setting}"),
        false => format!("--set '{}'", setting.replace('\'', "'\\''")),
    }
}

/// The default of a key as TOML has it; none where it is not set by default.
pub(super) fn default_of(key: &str) -> Option<String> {
    schema::key_docs().into_iter().find(|doc| doc.key == key)?.default
}

/// Whether a recipe of these settings, and no others, is right as far as it can be told without data.
pub(super) fn is_right(settings: &[String]) -> bool {
    let setting = |s: &String| Setting { assignment: s.clone(), option: String::new() };
    Layers { file: None, settings: settings.iter().map(setting).collect(), learnt: None }.resolve().is_ok()
}

/// Settings without which a key would be refused: of each kind that uses it the name.
fn needs(key: &str) -> Vec<Vec<String>> {
    let (section, name) = key.split_once('.').unwrap_or((key, ""));
    let uses: Vec<&str> = match section {
        "optimizer" => of(optimizer::REGISTRY.iter().map(|entry| (entry.name, entry.keys)), name),
        "schedule" => of(SCHEDULES.iter().map(|entry| (entry.name, entry.keys)), name),
        "model" => of(architectures::REGISTRY.iter().map(|entry| (entry.name, entry.keys)), name),
        _ => Vec::new(),
    };
    let named = uses.into_iter().map(|name| vec![format!("{section}.name={name}")]);
    let needed = NEEDS.iter().filter(|(of, _)| *of == key);
    let needed = needed.map(|(_, all)| all.iter().map(|one| (*one).to_owned()).collect());
    std::iter::once(Vec::new()).chain(needed).chain(named).collect()
}

/// The names of what uses a key.
fn of<'a>(all: impl Iterator<Item = (&'a str, &'a [&'a str])>, key: &str) -> Vec<&'a str> {
    all.filter(|(_, keys)| keys.contains(&key)).map(|(name, _)| name).collect()
}

/// The first of some values that a key takes, with what it needs beside it.
fn right(key: &str, values: impl IntoIterator<Item = String>) -> Option<(String, Vec<String>)> {
    let needs = needs(key);
    values.into_iter().find_map(|value| {
        let fits = |needed: &&Vec<String>| {
            let settings: Vec<String> = needed.iter().cloned().chain([format!("{key}={value}")]).collect();
            is_right(&settings)
        };
        needs.iter().find(fits).map(|needed| (value.clone(), needed.clone()))
    })
}

/// A value that a key takes: what was typed, or an example; with the settings that it needs.
fn example(key: &str, typed: Option<&str>) -> Option<(String, Vec<String>)> {
    let example = EXAMPLES.iter().find(|(of, _)| *of == key).map(|(_, value)| (*value).to_owned());
    let default = default_of(key);
    let switch = matches!(default.as_deref(), Some("true" | "false")).then(|| "true".to_owned());
    let default = default.map(|value| value.trim_matches('"').to_owned());
    right(
        key,
        typed.map(|typed| understood(key, typed)).into_iter().chain(switch).chain(example).chain(default),
    )
}

/// A value as the recipe will have it, such as 0.3 for `0,3`; lists as they were typed.
fn understood(key: &str, typed: &str) -> String {
    if let Some(list) =
        python::list(typed).filter(|_| key == "augment.transforms" && python::is_python(typed))
    {
        return list;
    }
    let meant = super::value(key, &parse_value(typed), &|value| type_of(key, value));
    match meant {
        Some(Value::Array(_) | Value::Table(_)) | None => typed.to_owned(),
        Some(Value::String(name)) => name,
        Some(number) => number.to_string(),
    }
}

/// What to type so that a key has the value that was typed, or where it takes none such, an example; with what it needs beside it.
pub fn setting(key: &str, typed: Option<&str>) -> String {
    let Some((value, needed)) = example(key, typed) else { return set(key, typed.unwrap_or("VALUE")) };
    let needed = needed.iter().filter_map(|needed| needed.split_once('='));
    let all: Vec<String> = needed.map(|(key, value)| set(key, value)).chain([set(key, &value)]).collect();
    all.join(" ")
}

/// The value that an option of a key may be given: what was typed, or an example of it.
pub fn value_of(key: &str, typed: Option<&str>) -> String {
    example(key, typed).map_or_else(|| typed.unwrap_or("VALUE").to_owned(), |(value, _)| value)
}

/// What to type to turn a key off; none where it is off unless it is given.
pub fn off(key: &str) -> Option<String> {
    let is_switch = matches!(default_of(key).as_deref(), Some("true" | "false"));
    let switch = is_switch.then(|| "false".to_owned());
    let values = switch.into_iter().chain(switched_off(key)).chain(["none".to_owned()]);
    right(key, values).map(|(value, _)| set(key, &value))
}

#[cfg(test)]
pub(super) mod testing {
    /// The lines to type that a sentence has: the settings of each, those beside one another together.
    pub(in super::super) fn lines_of(told: &str) -> Vec<Vec<String>> {
        let mut lines: Vec<Vec<String>> = Vec::new();
        let mut parts = told.split("--set ");
        let mut before = parts.next().unwrap_or_default();
        let mut joined = false;
        for part in parts {
            let (setting, behind) = match part.strip_prefix('\'') {
                Some(quoted) => quoted.split_once('\'').unwrap_or((quoted, "")),
                None => {
                    let end = part.find([' ', ')', ';', '`']).unwrap_or(part.len());
                    let setting = part[..end].trim_end_matches([',', ':', '.']);
                    (setting, &part[setting.len()..])
                }
            };
            match lines.last_mut().filter(|_| joined) {
                Some(line) => line.push(setting.to_owned()),
                None => lines.push(vec![setting.to_owned()]),
            }
            joined = behind == " ";
            before = behind;
        }
        assert!(!before.contains("--set"));
        lines
    }

    /// Whether the parser takes a line as it is.
    pub(in super::super) fn takes(line: &[String]) -> bool {
        let settings: Vec<String> = line.to_vec();
        super::is_right(&settings)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{lines_of, takes};
    use super::*;

    #[test]
    fn every_key_has_a_line_that_works() {
        for key in schema::keys() {
            let line = setting(&key, None);
            let [settings] = &lines_of(&line)[..] else { panic!("{line}") };
            // Of folders, columns and files no example would be right for anybody.
            assert!(takes(settings) || line.ends_with("=VALUE"), "{line}");
        }
        for (key, value) in EXAMPLES {
            assert!(setting(key, None).contains(value), "{key}");
        }
    }

    #[test]
    fn a_line_has_what_was_typed_and_what_it_needs() {
        for (key, typed, line) in [
            ("model.dropout", Some("0.5"), "--set model.dropout=0.5"),
            ("model.dropout", Some("0,5"), "--set model.dropout=0.5"),
            ("optimizer.name", Some("SGD"), "--set optimizer.name=sgd"),
            ("model.dropout", Some("samples"), "--set model.dropout=0.3"),
            ("model.hidden", Some("512,256"), "--set model.hidden=512,256"),
            ("optimizer.momentum", Some("0.8"), "--set optimizer.name=sgd --set optimizer.momentum=0.8"),
            (
                "optimizer.nesterov",
                None,
                "--set optimizer.name=sgd --set optimizer.momentum=0.9 --set optimizer.nesterov=true",
            ),
            ("schedule.gamma", Some("0.5"), "--set schedule.name=step --set schedule.gamma=0.5"),
            ("schedule.min_lr", Some("1e-5"), "--set schedule.name=cosine --set schedule.min_lr=1e-5"),
            ("data.fold", Some("2"), "--set data.folds=5 --set data.fold=2"),
            ("model.filters", Some("8,16"), "--set model.name=cnn --set model.filters=8,16"),
            ("model.batch_norm", Some("data"), "--set model.batch_norm=true"),
            ("data.rename", None, "--set data.rename=VALUE"),
        ] {
            assert_eq!(setting(key, typed), line);
        }
        assert_eq!(off("model.dropout").as_deref(), Some("--set model.dropout=0.0"));
        assert_eq!(off("augment.transforms").as_deref(), Some("--set augment.transforms=none"));
        assert_eq!(off("data.cache").as_deref(), Some("--set data.cache=false"));
        assert_eq!(off("early_stopping.patience"), None);
    }
}
