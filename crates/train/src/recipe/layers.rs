//! What was typed to what is meant: defaults, then the recipe file, then the command line, with every fault at once and
//! the origin of every value.

use super::{CheckedRecipe, Fault, Recipe, RecipeErrors, schema, words};
use pupila_trackers::mlflow::TrackingUri;
use pupila_trackers::redact;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use toml::{Table, Value};

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nothing was said.
    Default,
    /// A line of the recipe file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The program that called the library.
    Code,
    /// Learnt weights that the run begins from.
    Weights(PathBuf),
    /// An option of the command line, such as `--lr` or `--set optimizer.lr=0.01`.
    CommandLine(String),
}

impl fmt::Debug for Origin {
    /// As it is displayed: an option may hold a password, which is shown nowhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Code => f.write_str("set in code"),
            Origin::Weights(path) => write!(f, "of {}", path.display()),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            // An address may hold a password, and origins are written into the run folder.
            Origin::CommandLine(option) => {
                let mut named = option.match_indices("mlflow").map(|(at, name)| at + name.len());
                match named.find(|&end| option[end..].starts_with(['=', ' '])) {
                    // Whether it is an address or not, what was typed there may hold a password.
                    Some(end) => write!(f, "{}{}", &option[..=end], TrackingUri::new(&option[end + 1..])),
                    None => f.write_str(&redact(option)),
                }
            }
        }
    }
}

/// What was typed, weakest first.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// The recipe file and its text.
    pub file: Option<(PathBuf, String)>,
    /// `key=value` pairs, the value in TOML (a bare word counts as a string), with the option they came by.
    pub settings: Vec<Setting>,
    /// What learnt weights ask for, below everything that was typed.
    pub learnt: Option<LearntKeys>,
}

/// The values of keys that learnt weights ask for: their network, and what it sees of an image.
#[derive(Debug, Clone)]
pub struct LearntKeys {
    /// Where the weights are.
    pub path: PathBuf,
    /// Keys with their values.
    pub keys: Vec<(String, Value)>,
}

/// One value of the command line.
#[derive(Debug, Clone)]
pub struct Setting {
    /// `section.key=value`
    pub assignment: String,
    /// The option as it was typed, for messages.
    pub option: String,
}

/// A value on its way into the recipe.
struct Entry {
    key: String,
    value: Value,
    origin: Origin,
}

impl Layers {
    /// Puts the layers over one another and checks the result.
    ///
    /// # Errors
    /// All faults, each with its origin: unknown keys (with the most similar known one), wrong types, wrong values.
    pub fn resolve(&self) -> Result<CheckedRecipe, RecipeErrors> {
        self.resolve_but(|_| false)
    }

    /// The same for someone who only looks at augmented images: they may have any size.
    ///
    /// # Errors
    /// All mistakes of all layers but that one.
    pub fn resolve_for_viewing(&self) -> Result<CheckedRecipe, RecipeErrors> {
        self.resolve_but(|fault| fault.key == "augment.transforms")
    }

    /// The recipe of a run that was made by another version, or with a transform of its own: what this version refuses is left
    /// at its default, and told.
    pub fn resolve_what_is_known(&self) -> (CheckedRecipe, Vec<Fault>) {
        let mut faults = Vec::new();
        let (mut entries, _) = self.entries(&mut faults);
        loop {
            let wrong = match assemble(&entries, &mut faults).and_then(|(recipe, origins)| {
                CheckedRecipe::new(recipe, origins, |_| false).map_err(|RecipeErrors(faults)| faults)
            }) {
                Ok(recipe) => return (recipe, redacted(faults)),
                Err(wrong) => wrong,
            };
            let before = entries.len();
            // A fault inside of a value, such as `augment.transforms[2]`, is of the whole value.
            let named = |entry: &Entry| wrong.iter().any(|fault| is_of(fault, &entry.key));
            entries.retain(|entry| !named(entry));
            faults.extend(wrong);
            if entries.len() == before {
                return (CheckedRecipe::default(), redacted(faults));
            }
        }
    }

    /// What was typed for a key, if anything was: that of the command line over that of the file.
    pub fn typed(&self, key: &str) -> Option<Value> {
        let typed = Layers { learnt: None, ..self.clone() };
        let (entries, _) = typed.entries(&mut Vec::new());
        entries.into_iter().rfind(|entry| entry.key == key).map(|entry| entry.value)
    }

    fn resolve_but(&self, allowed: impl Fn(&Fault) -> bool) -> Result<CheckedRecipe, RecipeErrors> {
        let mut faults = Vec::new();
        let (entries, taken) = self.entries(&mut faults);
        match assemble(&entries, &mut faults) {
            Ok((recipe, origins)) => match CheckedRecipe::new(recipe, origins, allowed) {
                Ok(recipe) if faults.is_empty() => return Ok(recipe.with_taken(taken)),
                Ok(_) => {}
                Err(RecipeErrors(wrong)) => faults.extend(wrong),
            },
            Err(wrong) => faults.extend(wrong),
        }
        Err(RecipeErrors(redacted(faults)))
    }

    /// Every value of all layers, weakest first, and what was taken for what.
    fn entries(&self, faults: &mut Vec<Fault>) -> (Vec<Entry>, Vec<String>) {
        let mut entries = Vec::new();
        if let Some(LearntKeys { path, keys }) = &self.learnt {
            let entry = |(key, value): &(String, Value)| Entry {
                key: key.clone(),
                value: value.clone(),
                origin: Origin::Weights(path.clone()),
            };
            entries.extend(keys.iter().map(entry));
        }
        if let Some((path, text)) = &self.file {
            read_file(path, text, &mut entries, faults);
        }
        for Setting { assignment, option } in &self.settings {
            let spaced = || assignment.trim().split_once(' ').filter(|(key, _)| words::key(key).is_some());
            match assignment.split_once('=').or_else(spaced) {
                Some((key, value)) => entries.push(Entry {
                    key: key.trim().to_owned(),
                    value: parse_value(value.trim()),
                    origin: Origin::CommandLine(option.clone()),
                }),
                None => {
                    let to_type = match words::key(assignment) {
                        Some(key) => format!(": type --set {key}=VALUE"),
                        None => ", such as optimizer.lr=0.001".to_owned(),
                    };
                    faults.push(Fault::new("", format!("{option}: expected KEY=VALUE{to_type}")));
                }
            }
        }
        let mut taken = Vec::new();
        for entry in &mut entries {
            taken.extend(understand(entry));
        }
        // What was typed with a space instead of `=` was understood by that alone.
        for Setting { assignment, option } in self.settings.iter().filter(|s| !s.assignment.contains('=')) {
            let origin = Origin::CommandLine(option.clone());
            let said = taken.iter().any(|said| said.starts_with(&format!("{origin} is taken as ")));
            if let (false, Some((key, value))) = (said, assignment.trim().split_once(' ')) {
                taken.push(format!("{origin} is taken as {key} = {}", value.trim()));
            }
        }
        (entries, taken)
    }
}

/// Puts what was meant in the place of what was typed, where only one thing can be meant, and says so.
fn understand(entry: &mut Entry) -> Option<String> {
    let known = schema::keys();
    let key =
        if known.contains(&entry.key) { entry.key.clone() } else { words::meant(&entry.key, &entry.value)? };
    let value = words::value(&key, &entry.value, &|value| type_of(&key, value));
    if key == entry.key && value.is_none() {
        return None;
    }
    entry.key = key;
    entry.value = value.unwrap_or_else(|| entry.value.clone());
    Some(format!("{} is taken as {} = {}", entry.origin, entry.key, entry.value))
}

/// Whether a fault is of the value of a key, or of something inside of it.
fn is_of(fault: &Fault, key: &str) -> bool {
    fault.key == key || fault.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('['))
}

/// A typed address may hold a password.
fn redacted(faults: Vec<Fault>) -> Vec<Fault> {
    faults.into_iter().map(|fault| Fault { message: redact(&fault.message), ..fault }).collect()
}

/// The recipe of some values, the later ones over the earlier. A key that does not exist, or does not take such a value, is a
/// fault and left out.
fn assemble(
    entries: &[Entry],
    faults: &mut Vec<Fault>,
) -> Result<(Recipe, BTreeMap<String, Origin>), Vec<Fault>> {
    let mut table = Table::new();
    let mut origins = BTreeMap::new();
    for Entry { key, value, origin } in entries {
        if let Err(message) = admit(key, value) {
            let fault = Fault::new("", message).at(origin.clone());
            if !faults.contains(&fault) {
                faults.push(fault);
            }
            continue;
        }
        if let Some((section, name)) = key.split_once('.') {
            let section = table.entry(section.to_owned()).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                section.insert(name.to_owned(), value.clone());
            }
        }
        origins.insert(key.clone(), origin.clone());
    }
    match Value::Table(table).try_into::<Recipe>() {
        Ok(recipe) => Ok((recipe, origins)),
        Err(error) => Err(vec![Fault::new("", error.message())]),
    }
}

/// Reads the file's keys with the lines they stand in.
fn read_file(path: &std::path::Path, text: &str, entries: &mut Vec<Entry>, faults: &mut Vec<Fault>) {
    let fault = |message: String| Fault::new("", message);
    let line_of = |offset: usize| text[..offset.min(text.len())].matches('\n').count() + 1;
    let document = match toml_edit::Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let line = error.span().map_or(1, |span| line_of(span.start));
            let hint = text.lines().nth(line - 1).and_then(words::about_line);
            let is_of =
                |extension: &str| path.extension().is_some_and(|of| of.eq_ignore_ascii_case(extension));
            let other = ["yaml", "yml", "json", "py"].into_iter().any(is_of);
            let other = other
                .then(|| "a recipe is TOML: [train], and below it epochs = 30 (docs/keys.md)".to_owned());
            let hint = other.or(hint).map_or_else(String::new, |said| format!("; {said}"));
            faults.push(fault(format!("{}:{line}: not TOML: {}{hint}", path.display(), error.message())));
            return;
        }
    };
    let origin = |span: Option<std::ops::Range<usize>>| Origin::File {
        path: path.to_owned(),
        line: span.map_or(1, |span| line_of(span.start)),
    };
    // The same text once more, as plain values: toml_edit's items carry formatting that the recipe has no use for.
    let plain: Table = match toml::from_str(text) {
        Ok(plain) => plain,
        Err(error) => {
            faults.push(fault(format!("{}: not TOML: {}", path.display(), error.message())));
            return;
        }
    };
    for (section, value) in &plain {
        let item = document.as_table().get_key_value(section);
        let Value::Table(keys) = value else {
            let at = origin(item.and_then(|(key, _)| key.span()));
            let hint = match words::key(section).as_deref().and_then(|key| key.split_once('.')) {
                Some((section, key)) => format!("`{key}` belongs under [{section}]"),
                None => {
                    let answer = words::answer(section, Some(&value.to_string()));
                    answer.unwrap_or_else(|| schema::sections_hint(section))
                }
            };
            faults.push(fault(format!("{at}: `{section}` stands outside of any section; {hint}")));
            continue;
        };
        let items = item.and_then(|(_, item)| item.as_table_like());
        let span_of = |name: &str| {
            items
                .and_then(|items| items.get_key_value(name))
                .and_then(|(key, item)| key.span().or(item.span()))
        };
        if !schema::sections().contains(section) {
            let at = origin(item.and_then(|(key, item)| item.span().or(key.span())));
            faults.push(fault(format!(
                "{at}: unknown section [{section}]; {}",
                schema::sections_hint(section)
            )));
            let meant = schema::suggestion(section, schema::sections());
            for (name, value) in keys {
                let said = words::where_it_belongs(name, value, meant);
                faults.extend(said.map(|said| fault(format!("{}: {said}", origin(span_of(name))))));
            }
            continue;
        }
        for (name, value) in keys {
            let span = span_of(name);
            entries.push(Entry {
                key: format!("{section}.{name}"),
                value: value.clone(),
                origin: origin(span),
            });
        }
    }
}

/// A value as TOML has it; what is not TOML is a string, so that nobody has to quote a name on the command line.
pub(super) fn parse_value(text: &str) -> Value {
    let parsed = toml::from_str::<Table>(&format!("value = {text}")).ok();
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Whether the key exists and its section takes a value of this type.
fn admit(key: &str, value: &Value) -> Result<(), String> {
    let known = schema::keys();
    if !known.iter().any(|k| k == key) {
        if let Some(answer) = words::about_key(key, value) {
            return Err(format!("unknown key `{key}`: {answer}"));
        }
        let hint = schema::suggestion(key, &known)
            .map_or_else(String::new, |key| format!("; did you mean `{key}`?"));
        let section = key.split_once('.').map(|(section, _)| section).unwrap_or_default();
        let siblings: Vec<_> =
            known.iter().filter_map(|k| k.strip_prefix(section)?.strip_prefix('.')).collect();
        let valid = match siblings.is_empty() {
            true => schema::sections_hint(section),
            false => format!("[{section}] has {}", siblings.join(", ")),
        };
        return Err(format!("unknown key `{key}`{hint} ({valid})"));
    }
    let said = match type_of(key, value) {
        Ok(()) => words::about_name(key, value),
        Err(message) => Some(words::about_value(key, value).unwrap_or_else(|| in_words(&message))),
    };
    said.map_or(Ok(()), |said| Err(format!("{key} = {value}: {said}")))
}

/// Whether a key takes a value of this type.
pub(super) fn type_of(key: &str, value: &Value) -> Result<(), String> {
    let (section, name) = key.split_once('.').unwrap_or((key, ""));
    let alone = Table::from_iter([(name.to_owned(), value.clone())]);
    let alone = Table::from_iter([(section.to_owned(), Value::Table(alone))]);
    match Value::Table(alone).try_into::<Recipe>() {
        Ok(_) => Ok(()),
        Err(error) => Err(error.message().to_owned()),
    }
}

/// The message of a wrong type without the names of Rust's types.
fn in_words(message: &str) -> String {
    let names = [
        ("expected u32", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected usize", "expected a whole number"),
        ("expected u8", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("unknown variant", "there is no"),
        ("unknown field", "there is no"),
    ];
    // The value stands before it.
    let message = match message.split_once(", expected ").filter(|(got, _)| got.starts_with("invalid type: "))
    {
        Some((_, expected)) => format!("expected {expected}"),
        None => message.to_owned(),
    };
    names.iter().fold(message, |message, (rust, words)| message.replace(rust, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Decode;
    use pupila_network::{ModelConfig, architectures};

    fn resolve(file: &str, settings: &[&str]) -> Result<CheckedRecipe, RecipeErrors> {
        let setting = |s: &&str| Setting { assignment: (*s).to_owned(), option: format!("--set {s}") };
        let file = (!file.is_empty()).then(|| (PathBuf::from("r.toml"), file.to_owned()));
        Layers { file, settings: settings.iter().map(setting).collect(), learnt: None }.resolve()
    }

    #[test]
    fn nothing_typed_is_the_default_recipe_and_it_is_valid() {
        let resolved = resolve("", &[]).unwrap();
        let spelled_out = architectures::resolve(&ModelConfig::default()).unwrap();
        assert_eq!(*resolved.recipe(), Recipe { model: spelled_out, ..Recipe::default() });
        assert_eq!(resolved.model.hidden.as_deref(), Some(&[512, 128][..]));
        let r = resolved.recipe();
        assert_eq!(
            (r.input.size.longer(), r.train.batch, r.train.epochs, r.optimizer.lr),
            (64, 32, 30, 1e-3)
        );
        assert_eq!(
            r.augment.transforms.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(),
            ["horizontal_flip", "random_brightness_contrast"]
        );
    }

    #[test]
    fn the_command_line_wins_over_the_file_and_both_are_remembered() {
        let file = "[optimizer]\nlr = 0.01\nweight_decay = 1e-4\n\n[model]\nhidden = [64]\n";
        let resolved =
            resolve(file, &["optimizer.lr=3e-4", "model.init=kaiming_normal", "train.epochs=2"]).unwrap();
        assert_eq!(resolved.optimizer.lr, 3e-4);
        assert_eq!(resolved.optimizer.weight_decay, 1e-4);
        assert_eq!(resolved.origin("optimizer.lr").to_string(), "--set optimizer.lr=3e-4");
        assert_eq!(resolved.origin("optimizer.weight_decay").to_string(), "r.toml:3");
        assert_eq!(resolved.origin("model.hidden").to_string(), "r.toml:6");
        assert_eq!(resolved.origin("train.batch"), Origin::Default);
    }

    #[test]
    fn every_fault_is_told_at_once_with_its_place_and_what_would_be_right() {
        let file = "[optimiser]\nlr = 1\n[optimizer]\nlrr = 0.1\nlr = \"fast\"\n[train]\nbatch = 0\nmonitor = \"val/f1\"\n\
            [augment]\ntransforms = [{ HorizontalFlp = {} }, { random_brightness_contrast = { p = 2 } }]\n";
        let settings = [
            "model.dropout=1.5",
            "nonsense",
            "input.interpolation=bilinear",
            "early_stoping.patience=3",
            "model.init={ constant = 1.0 }",
        ];
        let errors = resolve(file, &settings).unwrap_err();
        let all = errors.to_string();
        for expected in [
            "r.toml:1: unknown section [optimiser]; did you mean [optimizer]?",
            "r.toml:4: unknown key `optimizer.lrr`; did you mean `optimizer.lr`?",
            "r.toml:5: optimizer.lr = \"fast\"",
            "r.toml:7: train.batch must be from 1 to 65536 images, got 0",
            "r.toml:8: train.monitor cannot be followed: no metric is named `f1`",
            "r.toml:10: augment.transforms[0]",
            "horizontal_flip",
            "r.toml:10: augment.transforms[1].random_brightness_contrast.p expected a probability from 0 to 1, got 2",
            "--set model.dropout=1.5: model.dropout must be at least 0 and below 1",
            "--set nonsense: expected KEY=VALUE",
            "--set input.interpolation=bilinear: input.interpolation = \"bilinear\"",
            "unknown key `early_stoping.patience`; did you mean `early_stopping.patience`?",
            "type --set 'model.init={ constant = { value = 0.01 } }'",
        ] {
            assert!(all.contains(expected), "{expected:?} is not in:\n{all}");
        }
        assert_eq!(errors.0.len(), 12, "{all}");
    }

    #[test]
    fn every_key_of_an_unknown_section_is_told_with_where_it_belongs() {
        for (file, told) in [
            (
                "[training]\nepochs = 3\nbatch_size = 8\nlearning_rate = 0.1\nlr = 0.1\npatience = 3\nnonsense_at_all = 1\n",
                &[
                    "r.toml:1: unknown section [training]; did you mean [train]?",
                    "r.toml:3: `batch_size` is `batch`, and belongs under [train]",
                    "r.toml:4: `learning_rate` is `lr`, and belongs under [optimizer]",
                    "r.toml:5: `lr` belongs under [optimizer]",
                    "r.toml:6: unknown key `patience`; there are schedule.patience and early_stopping.patience",
                    "r.toml:7: unknown key `nonsense_at_all`",
                ][..],
            ),
            (
                "[callbacks]\nmonitor = \"val_loss\"\nmin_delta = 0.1\nearly_stopping = 5\n",
                &[
                    "r.toml:1: unknown section [callbacks]",
                    "r.toml:2: `monitor` belongs under [train]",
                    "r.toml:3: `min_delta` belongs under [early_stopping]",
                    "r.toml:4: `early_stopping` is `patience`, and belongs under [early_stopping]",
                ],
            ),
            (
                "[dataset]\nval_split = 0.2\nimage_size = 32\nnum_workers = 4\n[train]\nepochs = 2\n",
                &[
                    "r.toml:1: unknown section [dataset]",
                    "r.toml:2: `val_split` is `val_frac`, and belongs under [data]",
                    "r.toml:3: `image_size` is `size`, and belongs under [input]",
                    "r.toml:4: unknown key `num_workers`; --threads N says on how many cores it works",
                ],
            ),
        ] {
            let errors = resolve(file, &["train.epochs=0"]).unwrap_err();
            let all = errors.to_string();
            for words in told {
                assert!(all.contains(words), "{words:?} is not in:\n{all}");
            }
            // And what is wrong elsewhere.
            assert!(all.contains("train.epochs must be at least 1"), "{all}");
            assert_eq!(errors.0.len(), told.len() + 1, "{all}");
        }
    }

    #[test]
    fn scaled_decoding_needs_the_interpolation_that_averages() {
        assert_eq!(resolve("", &["input.decode=scaled"]).unwrap().input.decode, Decode::Scaled);
        let errors = resolve("[input]\ndecode = \"scaled\"\ninterpolation = \"linear\"", &[]).unwrap_err();
        assert_eq!(
            errors.to_string(),
            "r.toml:2: input.decode \"scaled\" averages, as \"area\" does; input.interpolation is \"linear\""
        );
    }

    #[test]
    fn a_password_in_an_address_is_neither_shown_nor_written() {
        let setting = "tracking.mlflow=http://ana:hush@h:5000";
        let resolved = resolve("", &[setting]).unwrap();
        let shown = format!("{} {resolved:?}", resolved.to_toml());
        assert!(!resolved.to_toml().contains("hush"));
        assert!(resolved.to_toml().contains("mlflow = \"http://***@h:5000\""), "{shown}");
        for wrong in [
            setting.replace("http", "ftp"),
            setting.replace("mlflow", "mlfow"),
            setting.replace("http://", ""),
            setting.replace("http://ana:", ""),
            setting.replace("hush", "a hush"),
            setting.replace("hush", "hush/hush"),
            format!("{setting} x").replace('=', ":"),
        ] {
            let errors = resolve("", &[&wrong]).unwrap_err();
            assert!(
                !errors.to_string().contains("hush") && !format!("{errors:?}").contains("hush"),
                "{errors}"
            );
        }
    }

    #[test]
    fn broken_toml_names_the_line() {
        let errors = resolve("[train]\nepochs = \n", &[]).unwrap_err();
        assert!(errors.to_string().starts_with("r.toml:2: not TOML"), "{errors}");
    }

    #[test]
    fn the_resolved_recipe_reads_back_as_itself() {
        let file = "[data]\nnormalize = { mean = [0.5], std = [0.25] }\nexclude = [\"*/thumbs\"]\n[early_stopping]\npatience = 4\n";
        let resolved =
            resolve(file, &["model.init={ uniform = { low = -0.1, high = 0.1 } }", "data.max_per_class=5"])
                .unwrap();
        let text = resolved.to_toml();
        assert!(text.contains("# r.toml:2") && text.contains("# default"), "{text}");
        let again = resolve(&text, &[]).unwrap();
        assert_eq!(again.recipe(), resolved.recipe(), "{text}");
    }

    #[test]
    fn what_another_version_wrote_is_read_as_far_as_it_is_known() {
        let file = "[optimizer]\nlr = 0.01\nmomentun = 0.5\n[train]\nbatch = 0\nepochs = 7\n[augment]\n\
            transforms = [{ my_own = { p = 1.0 } }]\n[serving]\nport = 1\n";
        let layers = Layers {
            file: Some((PathBuf::from("r.toml"), file.to_owned())),
            settings: Vec::new(),
            learnt: None,
        };
        let (recipe, faults) = layers.resolve_what_is_known();
        assert_eq!((recipe.optimizer.lr, recipe.train.epochs, recipe.train.batch), (0.01, 7, 32));
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        for expected in [
            "[serving]",
            "unknown key `port`",
            "optimizer.momentun",
            "train.batch must be",
            "augment.transforms[0]",
        ] {
            assert_eq!(
                told.iter().filter(|fault| fault.contains(expected)).count(),
                1,
                "{expected}: {told:?}"
            );
        }
        assert_eq!(told.len(), 5, "{told:?}");
        let (same, faults) =
            Layers { file: None, settings: Vec::new(), learnt: None }.resolve_what_is_known();
        assert!(faults.is_empty() && same.recipe() == resolve("", &[]).unwrap().recipe());
    }
}
