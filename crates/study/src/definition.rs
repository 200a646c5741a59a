//! A study as it is written: TOML, or one of those built in.
//!
//! ```toml
//! question = "Does dropout help here, and with which initialisation?"
//! metric = "val/accuracy"        # what is compared, of the best epoch
//! baseline = "dropout=0.0"       # a variant's name; otherwise the first
//! seeds = 5                      # how many, or a list
//!
//! [set]                          # for all variants, unless --recipe or --set say otherwise
//! "train.epochs" = 20
//!
//! [crossed]                      # every combination
//! "model.dropout" = [0.0, 0.5]
//! "model.init" = ["kaiming_normal", "xavier_normal"]
//!
//! [alone]                        # each value by itself, beside the recipe as it is
//! "optimizer.weight_decay" = [1e-4, 1e-3]
//!
//! [variants.small]               # by name: some keys, or a whole recipe
//! recipe = "small.toml"
//! ```

use crate::error::{StudyErrors, StudyFault};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// What may stand in a study file.
const KEYS: [&str; 19] = [
    "recipe",
    "first_steps",
    "name",
    "question",
    "metric",
    "baseline",
    "chance",
    "file_facts",
    "seeds",
    "splits",
    "subsets",
    "loss",
    "minutes",
    "runs",
    "set",
    "crossed",
    "alone",
    "variants",
    "leave_one_out",
];

/// A study as it was written; nothing of it is checked against recipes or data yet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Definition {
    /// Its name, from which the study's folder is named.
    pub name: String,
    /// What it asks, for people.
    pub question: Option<String>,
    /// The metric that is compared, such as `val/accuracy`; that by default if left out.
    pub metric: Option<String>,
    /// The variant that the others are compared with; the first if left out.
    pub baseline: Option<String>,
    /// The variant that says what chance reaches, such as one of shuffled labels: of the others it is told how much of the baseline's score
    /// above chance survives.
    pub chance: Option<String>,
    /// Whether it is told too what the facts of the files alone reach, without a network.
    pub file_facts: bool,
    /// Which seeds.
    pub seeds: Option<Seeds>,
    /// How many splits of the data; one if left out.
    pub splits: Option<usize>,
    /// Whether the images that `data.fraction` and `data.max_per_class` leave are drawn anew for each seed.
    pub subsets: bool,
    /// Whether activations and gradients are looked at over the first steps.
    pub first_steps: bool,
    /// The validation loss to which epochs and time are told; the baseline's best if left out.
    pub loss: Option<f64>,
    /// The recipe file of all variants; what the caller says goes before it.
    pub recipe: Option<PathBuf>,
    /// No run is begun after so many minutes.
    pub minutes: Option<f64>,
    /// No run is begun beyond so many.
    pub runs: Option<usize>,
    /// Keys of the recipe for all variants; what `--recipe` and `--set` say goes before them.
    pub set: Vec<(String, Value)>,
    /// Keys whose values are combined with one another.
    pub crossed: Vec<(String, Vec<Value>)>,
    /// Keys whose values are tried by themselves.
    pub alone: Vec<(String, Vec<Value>)>,
    /// Keys that hold a list, of which one element at a time is left out.
    pub leave_one_out: Vec<String>,
    /// Variants by name.
    pub variants: Vec<Named>,
    /// What is wrong with the file that it was read of.
    pub faults: Vec<StudyFault>,
}

/// The seeds of a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seeds {
    /// So many, from the recipe's `train.seed` on.
    Count(usize),
    /// These.
    These(Vec<u64>),
}

/// A variant by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// A whole recipe file instead of the study's.
    pub recipe: Option<PathBuf>,
    /// Keys of the recipe.
    pub values: Vec<(String, Value)>,
}

impl Definition {
    /// Reads a study file. `path` is where it stands: recipes that it names stand beside it.
    ///
    /// What is wrong with its keys and values is kept in `faults`, since a plan tells it with what is wrong besides.
    ///
    /// # Errors
    /// It is no TOML.
    pub fn parse(path: &Path, text: &str) -> Result<Definition, StudyErrors> {
        let table: Table = toml::from_str(text).map_err(|error| {
            let line =
                error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let place = format!("{}:{line}", path.display());
            StudyErrors(vec![StudyFault::new(place, format!("not TOML: {}", error.message()))])
        })?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let mut reader = Reader { path, faults: Vec::new() };
        let mut definition = Definition { name: stem, ..Definition::default() };
        for (key, value) in &table {
            reader.key(&mut definition, key, value);
        }
        definition.faults = reader.faults;
        Ok(definition)
    }
}

/// Collects what is wrong.
struct Reader<'a> {
    path: &'a Path,
    faults: Vec<StudyFault>,
}

impl Reader<'_> {
    fn wrong(&mut self, place: &str, message: impl Into<String>) {
        self.faults.push(StudyFault::new(format!("{}, {place}", self.path.display()), message));
    }

    fn key(&mut self, definition: &mut Definition, key: &str, value: &Value) {
        match key {
            "name" => definition.name = self.text(key, value).unwrap_or_default(),
            "question" => definition.question = self.text(key, value),
            "metric" => definition.metric = self.text(key, value),
            "baseline" => definition.baseline = self.text(key, value),
            "chance" => definition.chance = self.text(key, value),
            "file_facts" => definition.file_facts = self.yes(key, value),
            "seeds" => definition.seeds = self.seeds(value),
            "splits" => definition.splits = self.count(key, value),
            "runs" => definition.runs = self.count(key, value),
            "minutes" => definition.minutes = self.positive(key, value),
            "loss" => definition.loss = self.positive(key, value),
            "recipe" => {
                let file = self.text(key, value);
                definition.recipe = file.map(|file| self.beside(&file));
            }
            "subsets" => definition.subsets = self.yes(key, value),
            "first_steps" => definition.first_steps = self.yes(key, value),
            "set" => definition.set = self.keys(key, value),
            "crossed" => definition.crossed = self.levels(key, value),
            "alone" => definition.alone = self.levels(key, value),
            "leave_one_out" => definition.leave_one_out = self.texts(key, value),
            "variants" => definition.variants = self.variants(value),
            _ => {
                let all: Vec<String> = KEYS.iter().map(|&key| key.to_owned()).collect();
                let hint = crate::names::did_you_mean(key, &all);
                self.wrong(key, format!("a study file has no such key{hint} (it has {})", KEYS.join(", ")));
            }
        }
    }

    /// A file that stands beside the study's.
    fn beside(&self, file: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(file)
    }

    fn yes(&mut self, key: &str, value: &Value) -> bool {
        value.as_bool().unwrap_or_else(|| {
            self.wrong(key, format!("expected true or false, got {value}"));
            false
        })
    }

    fn text(&mut self, key: &str, value: &Value) -> Option<String> {
        let text = value.as_str().map(str::to_owned).filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.wrong(key, format!("expected a text, got {value}"));
        }
        text
    }

    fn texts(&mut self, key: &str, value: &Value) -> Vec<String> {
        let texts: Option<Vec<String>> = value
            .as_array()
            .and_then(|values| values.iter().map(|value| value.as_str().map(str::to_owned)).collect());
        texts.unwrap_or_else(|| {
            self.wrong(
                key,
                format!("expected a list of keys, such as [\"augment.transforms\"], got {value}"),
            );
            Vec::new()
        })
    }

    fn count(&mut self, key: &str, value: &Value) -> Option<usize> {
        let count = value.as_integer().and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0);
        if count.is_none() {
            self.wrong(key, format!("expected a whole number from 1 on, got {value}"));
        }
        count
    }

    fn positive(&mut self, key: &str, value: &Value) -> Option<f64> {
        let number = value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
        let number = number.filter(|number| number.is_finite() && *number > 0.0);
        if number.is_none() {
            self.wrong(key, format!("expected a number above 0, got {value}"));
        }
        number
    }

    fn seeds(&mut self, value: &Value) -> Option<Seeds> {
        if let Some(list) = value.as_array() {
            let seeds: Option<Vec<u64>> =
                list.iter().map(|seed| seed.as_integer().and_then(|seed| u64::try_from(seed).ok())).collect();
            match seeds {
                Some(seeds) if !seeds.is_empty() => return Some(Seeds::These(seeds)),
                _ => {
                    self.wrong(
                        "seeds",
                        format!("expected whole numbers from 0 on, such as [1, 2, 3], got {value}"),
                    );
                    return None;
                }
            }
        }
        self.count("seeds", value).map(Seeds::Count)
    }

    /// `"model.dropout" = 0.5`, or `model.dropout = 0.5`, which TOML reads as a table in a table.
    fn keys(&mut self, place: &str, value: &Value) -> Vec<(String, Value)> {
        let Some(table) = value.as_table() else {
            self.wrong(
                place,
                format!("expected keys of the recipe, such as \"model.dropout\" = 0.5, got {value}"),
            );
            return Vec::new();
        };
        let mut keys = Vec::new();
        for (name, value) in table {
            match value {
                Value::Table(inner) if !name.contains('.') => {
                    keys.extend(inner.iter().map(|(key, value)| (format!("{name}.{key}"), value.clone())));
                }
                _ => keys.push((name.clone(), value.clone())),
            }
        }
        keys
    }

    fn levels(&mut self, place: &str, value: &Value) -> Vec<(String, Vec<Value>)> {
        let mut factors = Vec::new();
        for (key, value) in self.keys(place, value) {
            match value.as_array() {
                Some(levels) => factors.push((key, levels.clone())),
                None => self.wrong(
                    &format!("{place}.{key}"),
                    format!("expected the list of its values, such as [0.0, 0.5], got {value}; a value for all belongs in [set]"),
                ),
            }
        }
        factors
    }

    fn variants(&mut self, value: &Value) -> Vec<Named> {
        let Some(table) = value.as_table() else {
            self.wrong("variants", "expected a section for each variant, such as [variants.dropout]");
            return Vec::new();
        };
        let mut variants = Vec::new();
        for (name, value) in table {
            let place = format!("variants.{name}");
            let mut values = self.keys(&place, value);
            let mut recipe = None;
            if let Some(at) = values.iter().position(|(key, _)| key == "recipe") {
                let (_, file) = values.remove(at);
                let file = self.text(&format!("{place}.recipe"), &file);
                recipe = file.map(|file| self.beside(&file));
            }
            variants.push(Named { name: name.clone(), recipe, values });
        }
        variants
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Plan, Request};

    #[test]
    fn a_study_file_is_read_with_quoted_and_bare_keys() {
        let text = "question = \"?\"\nseeds = [3, 4]\n[set]\n\"train.epochs\" = 2\n[crossed]\nmodel.dropout = [0.0, 0.5]\n\
            [alone]\n\"optimizer.lr\" = [0.1]\n[variants.small]\nrecipe = \"s.toml\"\ninput.size = 8\n";
        let read = Definition::parse(Path::new("a/mine.toml"), text).unwrap();
        assert_eq!((read.name.as_str(), read.seeds), ("mine", Some(Seeds::These(vec![3, 4]))));
        assert_eq!(read.set, [("train.epochs".to_owned(), Value::Integer(2))]);
        assert_eq!(read.crossed[0].0, "model.dropout");
        assert_eq!(read.crossed[0].1.len(), 2);
        assert_eq!(read.variants[0].recipe.as_deref(), Some(Path::new("a/s.toml")));
        assert_eq!(read.variants[0].values, [("input.size".to_owned(), Value::Integer(8))]);
    }

    #[test]
    fn every_mistake_of_a_file_is_told_at_once() {
        let text = "sedes = 3\nseeds = 0\nminutes = -1\nmetric = 3\n[crossed]\n\"model.dropout\" = 0.5\n";
        // What its recipes have wrong is told with it.
        let text =
            format!("{text}[variants.a]\n\"model.dropuot\" = 0.5\n[variants.b]\n\"model.dropout\" = 0.5\n");
        let definition = Definition::parse(Path::new("s.toml"), &text).unwrap();
        let told = Plan::new(&definition, &Request::default()).unwrap_err().to_string();
        for expected in [
            "variant `a`: unknown key `model.dropuot`; did you mean `model.dropout`?",
            "s.toml, sedes: a study file has no such key; did you mean `seeds`?",
            "s.toml, seeds: expected a whole number from 1 on, got 0",
            "s.toml, minutes: expected a number above 0",
            "s.toml, metric: expected a text",
            "s.toml, crossed.model.dropout: expected the list of its values",
        ] {
            assert!(told.contains(expected), "{expected:?} is not in:\n{told}");
        }
        let told = Definition::parse(Path::new("s.toml"), "\n[set\n").unwrap_err().to_string();
        assert!(told.starts_with("s.toml:2: not TOML"), "{told}");
    }
}
