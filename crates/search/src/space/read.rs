//! Reads a space file: TOML to ranges and conditions, which are not resolved yet.

use super::{choice, key_place};
use crate::distribution::{Choice, Distribution};
use crate::error::SearchFault;
use toml::{Table, Value};

/// The keys that a range may have.
const KEYS: [&str; 6] = ["float", "int", "categorical", "log", "step", "when"];

/// What a parameter without a valid range should look like.
const EXAMPLE: &str = "{ float = [1e-4, 1e-2], log = true }, { int = [1, 5] } or { categorical = [16, 32] }";

/// A parameter as it is written.
pub(super) struct Draft {
    pub key: String,
    /// None where its own fault has been told.
    pub range: Option<Range>,
    /// Name of the other parameter, and the values that it must have.
    pub when: Vec<(String, Vec<Value>)>,
}

/// What is tried.
pub(super) struct Range {
    pub distribution: Distribution,
    pub choices: Vec<Value>,
}

/// All parameters of the file, and all that is wrong so far.
pub(super) fn read(file: &str, text: &str) -> (Vec<Draft>, Vec<SearchFault>) {
    let table: Table = match toml::from_str(text) {
        Ok(table) => table,
        Err(error) => {
            let line =
                error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let place = format!("{file}:{line}");
            let message = format!("not TOML: {}", error.message());
            return (Vec::new(), vec![SearchFault { place, message }]);
        }
    };
    let mut reader = Reader { file, faults: Vec::new() };
    let mut drafts = Vec::new();
    for (key, value) in &table {
        match (key.as_str(), value) {
            ("space", Value::Table(space)) => reader.parameters("", space, &mut drafts),
            _ => {
                let place = format!("{file}, {key}");
                let message = format!(
                    "a space file has only the section [space], with lines such as \"optimizer.lr\" = {EXAMPLE}"
                );
                reader.faults.push(SearchFault { place, message });
            }
        }
    }
    if drafts.is_empty() && reader.faults.is_empty() {
        let message =
            format!("the space is empty; write [space] and lines such as \"optimizer.lr\" = {EXAMPLE}");
        reader.faults.push(SearchFault { place: file.to_owned(), message });
    }
    (drafts, reader.faults)
}

struct Reader<'a> {
    file: &'a str,
    faults: Vec<SearchFault>,
}

impl Reader<'_> {
    fn wrong(&mut self, key: &str, message: String) {
        self.faults.push(SearchFault { place: key_place(self.file, key), message });
    }

    /// `"model.layers" = { int = [1, 5] }`, or `model.layers = { ... }`, which TOML reads as tables in tables.
    fn parameters(&mut self, prefix: &str, table: &Table, drafts: &mut Vec<Draft>) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            let Value::Table(inner) = value else {
                self.wrong(&key, format!("expected a range such as {EXAMPLE}, got {value}"));
                continue;
            };
            let is_range = inner.is_empty() || inner.keys().any(|key| KEYS.contains(&key.as_str()));
            if !is_range && inner.values().all(Value::is_table) {
                self.parameters(&key, inner, drafts);
            } else if drafts.iter().any(|draft| draft.key == key) {
                self.wrong(&key, "it stands here twice; leave one of them".to_owned());
            } else {
                let draft = self.parameter(&key, inner);
                drafts.push(draft);
            }
        }
    }

    fn parameter(&mut self, key: &str, table: &Table) -> Draft {
        for other in table.keys().filter(|other| !KEYS.contains(&other.as_str())) {
            self.wrong(key, format!("a range has no `{other}`; it has {}", KEYS.join(", ")));
        }
        let when = table.get("when").map(|when| self.when(key, when)).unwrap_or_default();
        let kinds: Vec<&str> = KEYS[..3].iter().copied().filter(|&kind| table.contains_key(kind)).collect();
        let range = match kinds[..] {
            ["float"] => self.float(key, table),
            ["int"] => self.int(key, table),
            ["categorical"] => self.categorical(key, table),
            [] => {
                self.wrong(key, format!("it has no range; write {EXAMPLE}"));
                None
            }
            _ => {
                self.wrong(key, format!("it has {} ranges, {}; leave one", kinds.len(), kinds.join(" and ")));
                None
            }
        };
        Draft { key: key.to_owned(), range, when }
    }

    /// The two ends of a range by `number`; told if they are not two, or the wrong way round.
    fn ends<T: PartialOrd + Copy>(
        &mut self,
        key: &str,
        kind: &str,
        table: &Table,
        number: impl Fn(&Value) -> Option<T>,
    ) -> Option<(T, T)> {
        let value = &table[kind];
        let ends: Option<Vec<T>> =
            value.as_array().and_then(|ends| ends.iter().map(&number).collect::<Option<Vec<T>>>());
        match ends.as_deref() {
            Some(&[low, high]) if low <= high => Some((low, high)),
            Some(&[_, _]) => {
                let ends = value.as_array().map(|ends| format!("[{}, {}]", ends[1], ends[0]));
                let ends = ends.unwrap_or_default();
                self.wrong(key, format!("the range {value} is the wrong way round; write {kind} = {ends}"));
                None
            }
            _ => {
                let (what, example) =
                    if kind == "int" { ("whole", "[1, 5]") } else { ("finite", "[0.0, 0.5]") };
                self.wrong(
                    key,
                    format!("expected the lowest and the highest {what} number, such as {kind} = {example}, got {value}"),
                );
                None
            }
        }
    }

    fn is_log(&mut self, key: &str, table: &Table) -> Option<bool> {
        match table.get("log") {
            None => Some(false),
            Some(Value::Boolean(log)) => Some(*log),
            Some(other) => {
                self.wrong(key, format!("expected log = true or false, got {other}"));
                None
            }
        }
    }

    fn float(&mut self, key: &str, table: &Table) -> Option<Range> {
        let number = |value: &Value| {
            let number = value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
            number.filter(|number| number.is_finite())
        };
        let (log, ends) = (self.is_log(key, table), self.ends(key, "float", table, number));
        let step = match table.get("step") {
            None => None,
            Some(step) => match number(step).filter(|&step| step > 0.0) {
                Some(step) => Some(step),
                None => {
                    self.wrong(key, format!("expected a step above 0, such as step = 0.1, got {step}"));
                    return None;
                }
            },
        };
        let (log, (low, high)) = (log?, ends?);
        if log && step.is_some() {
            self.wrong(key, "log and step exclude each other; leave one of them out".to_owned());
            return None;
        }
        if log && low <= 0.0 {
            self.wrong(
                key,
                format!("log needs a range above 0; it begins at {low:?}: write 1e-6, or leave log out"),
            );
            return None;
        }
        if let Some(step) = step {
            let steps = (high - low) / step;
            if (steps - steps.round()).abs() > 1e-8 * steps.max(1.0) {
                // 0.9 rather than 0.8999999999999999.
                let end = |steps: f64| ((low + steps * step) * 1e12).round() / 1e12;
                let (below, above) = (end(steps.floor()), end(steps.ceil()));
                self.wrong(
                    key,
                    format!("{high:?} is no whole number of steps of {step:?} above {low:?}; write {below:?} or {above:?} as the highest"),
                );
                return None;
            }
        }
        Some(Range { distribution: Distribution::Float { low, high, log, step }, choices: Vec::new() })
    }

    fn int(&mut self, key: &str, table: &Table) -> Option<Range> {
        let (log, ends) = (self.is_log(key, table), self.ends(key, "int", table, Value::as_integer));
        let step = match table.get("step") {
            None => 1,
            Some(step) => match step.as_integer().filter(|&step| step > 0) {
                Some(step) => step,
                None => {
                    self.wrong(key, format!("expected a whole step from 1 on, such as step = 2, got {step}"));
                    return None;
                }
            },
        };
        let (log, (low, high)) = (log?, ends?);
        // Optuna keeps every value as f64.
        const LARGEST: i64 = 1 << 53;
        if low < -LARGEST || high > LARGEST {
            self.wrong(
                key,
                format!("the range is beyond {LARGEST}, from which on numbers are not kept exactly"),
            );
            return None;
        }
        if log && step != 1 {
            self.wrong(key, "log and step exclude each other; leave one of them out".to_owned());
            return None;
        }
        if log && low < 1 {
            self.wrong(
                key,
                format!("log needs a range from 1 on; it begins at {low}: write 1, or leave log out"),
            );
            return None;
        }
        let rest = (high - low) % step;
        if rest != 0 {
            let (below, above) = (high - rest, high - rest + step);
            self.wrong(
                key,
                format!("{high} is no whole number of steps of {step} above {low}; write {below} or {above} as the highest"),
            );
            return None;
        }
        Some(Range { distribution: Distribution::Int { low, high, log, step }, choices: Vec::new() })
    }

    fn categorical(&mut self, key: &str, table: &Table) -> Option<Range> {
        for other in ["log", "step"].into_iter().filter(|&other| table.contains_key(other)) {
            self.wrong(key, format!("categorical choices have no order, so no {other}; leave it out, or write a range: int or float"));
        }
        let Some(choices) = table["categorical"].as_array().filter(|choices| !choices.is_empty()) else {
            let got = &table["categorical"];
            self.wrong(key, format!("expected a list of choices, such as categorical = [16, 32], got {got}"));
            return None;
        };
        let mut stored: Vec<Choice> = Vec::new();
        for value in choices {
            match choice(value) {
                Ok(new) => {
                    if let Some(place) = stored.iter().position(|old| old.is_same_in_python(&new)) {
                        let old = &choices[place];
                        let why = if old == value {
                            "stands here twice".to_owned()
                        } else {
                            format!("and {old} are one choice to Optuna")
                        };
                        self.wrong(key, format!("the choice {value} {why}; leave one of them"));
                        return None;
                    }
                    stored.push(new);
                }
                Err(message) => {
                    self.wrong(key, message);
                    return None;
                }
            }
        }
        let distribution = Distribution::Categorical { choices: stored };
        Some(Range { distribution, choices: choices.clone() })
    }

    /// `{ "model.name" = "mlp" }`, a list of values, or `{ model.name = "mlp" }`, which TOML reads as tables in tables.
    fn when(&mut self, key: &str, value: &Value) -> Vec<(String, Vec<Value>)> {
        fn flatten(prefix: &str, table: &Table, found: &mut Vec<(String, Vec<Value>)>) {
            for (name, value) in table {
                let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                match value {
                    Value::Table(inner) => flatten(&name, inner, found),
                    Value::Array(values) => found.push((name, values.clone())),
                    value => found.push((name, vec![value.clone()])),
                }
            }
        }
        let mut found = Vec::new();
        match value.as_table() {
            Some(table) => flatten("", table, &mut found),
            None => {
                self.wrong(
                    key,
                    format!(
                        "expected when = {{ \"model.name\" = \"mlp\" }}, or a list of values, got {value}"
                    ),
                );
                return found;
            }
        }
        if found.is_empty() {
            self.wrong(
                key,
                "its `when` is empty; name a parameter and its value, or leave it out".to_owned(),
            );
        }
        found
    }
}
