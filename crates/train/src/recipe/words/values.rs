//! Values that are written otherwise than a recipe has them.

use super::super::layers::parse_value;
use super::super::{Monitor, monitor};
use super::names::{absent, named_elsewhere, names};
use super::numbers::{paired, percent, thousands, with_points};
use super::{only, plain, proposal, python, transforms};
use toml::Value;

/// What a key is set to where it is turned off, or on, as if it were a switch; in TOML.
const SWITCHED: &[(&str, Option<&str>, Option<&str>)] = &[
    ("schedule.name", Some("\"constant\""), None),
    ("schedule.warmup_steps", Some("0"), None),
    ("model.dropout", Some("0.0"), None),
    ("model.stochastic_depth", Some("0.0"), None),
    ("optimizer.weight_decay", Some("0.0"), None),
    ("optimizer.momentum", Some("0.0"), None),
    ("loss.label_smoothing", Some("0.0"), None),
    ("loss.class_weights", Some("\"none\""), Some("\"balanced\"")),
    ("data.sampler", Some("\"shuffle\""), Some("\"balanced\"")),
    ("data.normalize", Some("\"none\""), None),
    ("transfer.freeze", Some("\"none\""), Some("\"backbone\"")),
    ("tracking.mlflow", Some("\"off\""), None),
    ("tracking.histograms_every", Some("0"), Some("1")),
    ("tracking.images_every", Some("0"), Some("1")),
];

/// Whether a value turns something off: `false`, or a word for it.
pub(super) fn is_off(value: &Value) -> bool {
    const OFF: [&str; 9] = ["none", "off", "no", "false", "null", "nil", "disable", "disabled", "ninguno"];
    match value {
        Value::Boolean(on) => !on,
        Value::String(text) => OFF.contains(&plain(text).as_str()),
        _ => false,
    }
}

/// Whether a value turns something on: `true`, or a word for it.
fn is_on(value: &Value) -> bool {
    match value {
        Value::Boolean(on) => *on,
        Value::String(text) => ["on", "yes", "true", "enable", "enabled"].contains(&plain(text).as_str()),
        _ => false,
    }
}

/// What turns a key off, as it is typed.
pub(super) fn switched_off(key: &str) -> Option<String> {
    let (_, off, _) = SWITCHED.iter().find(|(of, _, _)| *of == key)?;
    off.map(|off| off.trim_matches('"').to_owned())
}

/// What a key is set to by a value that would turn it off or on, were it a switch.
fn switched(key: &str, value: &Value) -> Option<Value> {
    let (_, off, on) = SWITCHED.iter().find(|(of, _, _)| *of == key)?;
    let meant = if is_off(value) { *off } else { on.filter(|_| is_on(value)) };
    meant.map(parse_value)
}

/// The value that was meant, where `check` takes only that; none where it is right as it is or cannot be told.
pub(in super::super) fn value(
    key: &str,
    typed: &Value,
    check: &dyn Fn(&Value) -> Result<(), String>,
) -> Option<Value> {
    if key == "augment.transforms" {
        let with = typed.as_str().and_then(with_points).map(|text| parse_value(&text));
        let with = with.filter(|with| !with.is_str());
        return transforms::list(with.as_ref().unwrap_or(typed)).filter(|meant| meant != typed);
    }
    let valid = names(key);
    if let (false, Value::String(name)) = (valid.is_empty(), typed) {
        if valid.contains(name) || key == "train.monitor" && Monitor::parse(name).is_ok() {
            return None;
        }
        let meant = only(valid.into_iter().filter(|valid| plain(valid) == plain(name)));
        let metric = || match &monitor::meant(name)[..] {
            [only] if key == "train.monitor" => Some(format!("val/{only}")),
            _ => None,
        };
        let meant = meant.or_else(metric);
        let meant = meant.or_else(|| named_elsewhere(key, name)).map(Value::String);
        return meant.or_else(|| switched(key, typed));
    }
    let Err(wrong) = check(typed) else { return None };
    let admits = |value: &Value| check(value).is_ok();
    let mut candidates: Vec<Value> = switched(key, typed).into_iter().collect();
    let (is_off, is_on) = (is_off(typed), is_on(typed));
    if is_off || is_on || matches!(typed, Value::Integer(0 | 1)) {
        candidates.push(Value::Boolean(is_on || *typed == Value::Integer(1)));
    }
    match typed {
        Value::String(text) => {
            candidates.extend(named_elsewhere(key, text).map(|ours| parse_value(&ours)));
            candidates.push(parse_value(&text.to_lowercase()));
            // Of names the message has those that there are.
            let named = wrong.split('`').skip(1).step_by(2).filter(|name| plain(name) == plain(text));
            candidates.extend(named.map(|name| Value::String(name.to_owned())));
            candidates.extend(text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float));
            candidates.extend(list(text).map(Value::Array));
            candidates.extend(percent(text));
            candidates.extend(
                sides(text).filter(|(height, width)| height == width).map(|(side, _)| Value::Integer(side)),
            );
            // Of a whole number nothing else can be meant.
            candidates.extend(thousands(text).filter(|_| !admits(&Value::Float(0.5))));
            candidates.extend(with_points(text).map(|text| parse_value(&text)));
            candidates.extend(list(text).and_then(|list| paired(&list)));
        }
        Value::Array(list) => candidates.extend(paired(list)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => {
            candidates.push(Value::Array(vec![typed.clone()]));
        }
        _ => {}
    }
    candidates.into_iter().find(|candidate| admits(candidate))
}

/// Whether a text is several numbers, and not one whose decimals or thousands are behind a comma.
fn is_several(text: &str) -> bool {
    let items = items(text);
    let are_numbers = items.iter().all(|item| item.parse::<f64>().is_ok_and(f64::is_finite));
    items.len() > 1 && are_numbers && (items.len() > 2 || text.contains([' ', '.', '[']))
}

/// The sides of `64x48`.
fn sides(text: &str) -> Option<(i64, i64)> {
    let (one, other) = text.split_once(['x', 'X', '*'])?;
    Some((one.trim().parse().ok()?, other.trim().parse().ok()?))
}

/// The items of a list that lacks its brackets, its commas or both.
pub(super) fn items(text: &str) -> Vec<&str> {
    let inner = text.trim().trim_start_matches(['[', '(']).trim_end_matches([']', ')']);
    inner.split([',', ' ', '\t']).map(str::trim).filter(|item| !item.is_empty()).collect()
}

fn list(text: &str) -> Option<Vec<Value>> {
    let items = items(text);
    (!items.is_empty()).then(|| items.into_iter().map(parse_value).collect())
}

/// The list with the items separated as TOML has them, where that was what was wrong with a line.
fn list_with_commas(line: &str) -> Option<String> {
    let (key, value) = line.split_once('=')?;
    let value = value.trim();
    let inner = value.strip_prefix('[')?.split(']').next()?;
    let is_list = inner.split_whitespace().count() > 1 && !inner.contains([',', '{', '"']);
    is_list.then(|| format!("{} = [{}]", key.trim(), items(inner).join(", ")))
}

/// What to say of a line of a recipe file that is no TOML: its list with commas, or its number with a point.
pub(in super::super) fn about_line(line: &str) -> Option<String> {
    if let Some(list) = list_with_commas(line) {
        return Some(format!("items of a list are separated by commas: {list}"));
    }
    if let Some((key, text)) = line.split_once('=')
        && key.trim().trim_start_matches("augment.") == "transforms"
        && let Some(list) = python::list(text).filter(|_| python::is_python(text))
    {
        return Some(format!("this is Python; the same is: transforms = {list}"));
    }
    let with = with_points(line.split('#').next().unwrap_or_default())?;
    let parses = toml::from_str::<toml::Table>(&with).is_ok();
    parses.then(|| format!("decimals have a point: {}", with.trim()))
}

/// What to say of the name of an optimizer, a schedule or an architecture that there is not.
pub(in super::super) fn about_name(key: &str, value: &Value) -> Option<String> {
    value.as_str().and_then(|name| absent(key, name))
}

/// What to say of a value that a key does not take, with the line to type.
pub(in super::super) fn about_value(key: &str, value: &Value) -> Option<String> {
    if let Some(said) = about_name(key, value) {
        return Some(said);
    }
    let type_it = |value: &str| format!("type --set '{key}={value}'");
    match (key, value) {
        (key, off) if is_off(off) && !key.starts_with("model.init") => {
            Some(match proposal::default_of(key) {
                Some(default) => format!("is no switch; left out it is {default}"),
                None => "is off unless it is given: leave it out".to_owned(),
            })
        }
        ("augment.transforms", on) if is_on(on) => Some(format!(
            "is on as it is, with a flip and small changes of brightness and contrast: leave it out, or {}",
            type_it("[{ horizontal_flip = { p = 0.5 } }, { rotate = {} }]")
        )),
        (key, on) if is_on(on) => {
            Some(format!("needs a value: type {}", proposal::setting(key, None)))
        }
        ("model.init", Value::String(name)) => {
            let two = |normal: &str, uniform: &str| {
                format!(
                    "comes in two forms, {normal} and {uniform}: type --set {key}={normal} or --set {key}={uniform}"
                )
            };
            Some(match plain(name).as_str() {
                "he" | "kaiming" => two("kaiming_normal", "kaiming_uniform"),
                "xavier" | "glorot" => two("xavier_normal", "xavier_uniform"),
                "uniform" => {
                    format!("needs its ends: {}", type_it("{ uniform = { low = -0.1, high = 0.1 } }"))
                }
                "normal" => format!("needs its deviation: {}", type_it("{ normal = { std = 0.01 } }")),
                "constant" => format!("needs its value: {}", type_it("{ constant = { value = 0.01 } }")),
                "zeros" | "zero" => format!("is a constant: {}", type_it("{ constant = { value = 0.0 } }")),
                "ones" | "one" => format!("is a constant: {}", type_it("{ constant = { value = 1.0 } }")),
                _ => format!("is no initialiser; there are {}", initialisers()),
            })
        }
        ("model.init", Value::Table(table)) => {
            let name = table.keys().next().map_or("", String::as_str);
            let known = pupila_network::Init::REGISTRY.iter().find(|entry| entry.name == name);
            Some(match known {
                Some(entry) => format!("does not fit: {}", type_it(&inline(&entry.example))),
                None => format!("is no initialiser; there are {}", initialisers()),
            })
        }
        ("augment.transforms", Value::String(text)) if python::is_python(text) => python::answer(text),
        ("augment.transforms", _) => Some(format!(
            "expected a list of transforms (`pupila list transforms`): {}",
            type_it("[{ horizontal_flip = { p = 0.5 } }, { rotate = {} }]")
        )),
        ("data.train" | "data.val" | "data.test", Value::Float(share)) => Some(match key {
            "data.val" => format!(
                "names a folder; the share that is set aside is {}",
                proposal::set("data.val_frac", &share.to_string())
            ),
            _ => format!(
                "names a folder; {}",
                super::answer(&format!("{}_size", &key["data.".len()..]), Some(&share.to_string()))?
            ),
        }),
        ("input.size", Value::String(text)) if sides(text).is_some() => {
            let (height, width) = sides(text)?;
            Some(format!("two sides are height and width: {}", type_it(&format!("[{height}, {width}]"))))
        }
        (_, Value::String(text)) if is_several(text) => Some(match key {
            "train.seed" => super::answer("seeds", None)?,
            _ => "takes one value in a run; several are compared by `pupila study FILE DATA` or `pupila search DATA --space FILE`".to_owned(),
        }),
        (_, Value::String(text)) if text.contains(',') && text.chars().all(|c| c.is_ascii_digit() || ",.".contains(c)) => {
            Some("has a comma, which may part decimals or thousands: type the number with a point, or without any".to_owned())
        }
        (_, Value::Integer(number)) if *number < 0 => Some("must not be negative".to_owned()),
        _ => None,
    }
}

/// An initialiser as TOML has it in one line.
fn inline(init: &pupila_network::Init) -> String {
    Value::try_from(init).map_or_else(|_| String::new(), |value| value.to_string().replace('"', ""))
}

fn initialisers() -> String {
    pupila_network::Init::REGISTRY.map(|entry| entry.name).join(", ")
}
