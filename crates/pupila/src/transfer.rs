//! Learnt weights that a run begins from: opened, asked what they are, and fitted to a network.

use crate::classifier::without_model;
use crate::error::Error;
use crate::trained::no_record;
use pupila_network::{Network, StateDict};
use pupila_run::{LearntFrom, RunFolder, TrainedOn};
use pupila_train::{Fault, LearntKeys, ModelCard, ModelFile, RecipeErrors, Transfer};
use pupila_weights::{
    Classes, FitError, Fitted, Format, Head, Pretrained, Resemblance, Weights, by_sha256, recognized,
    resembled,
};
use std::path::{Path, PathBuf};
use toml::Value;

/// Learnt weights.
#[derive(Debug)]
pub struct Learnt {
    weights: Weights,
    /// As they were named.
    path: PathBuf,
    kind: Kind,
}

/// What is known of them.
#[derive(Debug)]
enum Kind {
    /// A model of ours, and its run, if it lies in one.
    Ours(Box<ModelCard>, Option<RunFolder>),
    /// Weights of the table.
    Known(&'static Pretrained, HowKnown),
    /// Tensors of an architecture.
    Recognized(&'static str),
    /// Tensors.
    Unknown,
}

#[derive(Debug, Clone, Copy)]
enum HowKnown {
    BySha256,
    ByName,
}

impl Learnt {
    /// Opens a run's folder, a model file, or a file of tensors.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn open(path: &Path) -> Result<Learnt, Error> {
        if let Some(file) = only_weights_in(path)? {
            let mut learnt = Learnt::open(&file)?;
            learnt
                .weights
                .taken
                .insert(0, format!("{} is the one file of weights in the folder", file.display()));
            return Ok(learnt);
        }
        let folder = path.is_dir().then(|| RunFolder::open(path)).transpose()?;
        let file = match &folder {
            Some(folder) => {
                let model = folder.file(RunFolder::MODEL);
                if !model.exists() {
                    return Err(Error::request(without_model(folder)));
                }
                model
            }
            None => path.to_owned(),
        };
        let through_archive = path.ancestors().skip(1).any(Path::is_file);
        if !file.exists() && !through_archive {
            return Err(Error::request(not_there(path)));
        }
        let weights = Weights::open(&file)?;
        let ours = weights.metadata.contains_key(ModelCard::KEY) && weights.format == Format::SafeTensors;
        let kind = if ours {
            let card = ModelFile::read(&file).map_err(Error::ModelFile)?.card;
            let beside = file.parent().filter(|parent| parent.join(RunFolder::ENVIRONMENT).is_file());
            let folder = folder.or_else(|| RunFolder::open(beside?).ok());
            Kind::Ours(Box::new(card), folder)
        } else if let Some(known) = by_sha256(&weights.sha256) {
            Kind::Known(known, HowKnown::BySha256)
        } else if let Some(known) = named_like(path) {
            Kind::Known(known, HowKnown::ByName)
        } else {
            recognized(&weights.tensors).map_or(Kind::Unknown, Kind::Recognized)
        };
        Ok(Learnt { weights, path: path.to_owned(), kind })
    }

    /// The same under the name by which a recipe has them.
    pub(crate) fn named(mut self, path: &Path) -> Learnt {
        self.path = path.to_owned();
        self
    }

    /// Where they are, as they were named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the file that has the tensors, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.weights.sha256
    }

    /// The architecture, where it is known.
    pub fn architecture(&self) -> Option<&str> {
        match &self.kind {
            Kind::Ours(card, _) => Some(&card.model.name),
            Kind::Known(known, _) => Some(known.architecture),
            Kind::Recognized(name) => Some(name),
            Kind::Unknown => None,
        }
    }

    /// The recipe's keys that come with them: the network, and what it sees of an image. Defaults, for who says nothing else. `channels` are
    /// those of the input where somebody has said so: normalisation is brought to their number.
    pub fn keys(&self, channels: Option<i64>) -> LearntKeys {
        let mut keys = match &self.kind {
            Kind::Ours(card, _) => keys_of(card),
            Kind::Known(known, _) => typed(known.keys()),
            Kind::Recognized(name) => {
                // Nobody says how its images were prepared; that of the best known weights of the architecture is the best guess.
                let like = pupila_weights::PRETRAINED.iter().find(|known| known.architecture == *name);
                like.map_or_else(
                    || vec![("model.name".into(), Value::String((*name).to_owned()))],
                    |like| typed(like.keys()),
                )
            }
            Kind::Unknown => Vec::new(),
        };
        if let Some(channels) = channels {
            let normalize = keys.iter_mut().find(|(key, _)| key == "data.normalize");
            normalize.into_iter().for_each(|(_, value)| for_channels(value, channels));
        }
        keys.push(("transfer.sha256".into(), Value::String(self.sha256().to_owned())));
        LearntKeys { path: self.path.clone(), keys }
    }

    /// Why the architecture is not known, and what to type.
    pub fn why_unknown(&self) -> String {
        unknown(&self.path.display().to_string(), &self.weights.tensors)
    }

    /// What was taken as what, a sentence each.
    pub fn taken(&self) -> Vec<String> {
        let mut taken = self.weights.taken.clone();
        let path = self.path.display();
        match &self.kind {
            Kind::Known(known, HowKnown::ByName) => taken.push(format!(
                "{path} is taken for {} by its name, whose checksum is not known here",
                known.name
            )),
            Kind::Recognized(name) => taken.push(format!(
                "its tensors are those of {name}, and nothing says how the images were prepared: size, crop and normalisation are those of \
                 the weights that `pupila list pretrained` has first for {name}; set input.* and data.normalize if they are others"
            )),
            Kind::Ours(..) | Kind::Known(..) | Kind::Unknown => {}
        }
        if !self.weights.left_out.is_empty() {
            taken.push(format!(
                "left out, since they are whole numbers: {}",
                self.weights.left_out.join(", ")
            ));
        }
        taken
    }

    /// The values of a network, learnt where they fit.
    ///
    /// # Errors
    /// Another checksum than the recipe's; tensors that do not fit, all of them.
    pub fn fit(
        &self,
        network: &Network,
        initial: StateDict,
        classes: &[String],
        transfer: &Transfer,
    ) -> Result<Fitted, Error> {
        if let Some(expected) = transfer
            .sha256
            .as_deref()
            .filter(|sha256| !sha256.is_empty() && !sha256.eq_ignore_ascii_case(self.sha256()))
        {
            return Err(Error::request(format_args!(
                "{} holds other weights than the recipe was run with: its SHA-256 is {}, transfer.sha256 is {expected}; type \
                 --set transfer.sha256= to begin from these",
                self.path.display(),
                self.sha256()
            )));
        }
        let of_file = match &self.kind {
            Kind::Ours(card, _) => Some(&card.classes[..]),
            _ => None,
        };
        let classes = Classes { of_network: classes, of_file };
        Fitted::new(network, initial, &self.weights, classes, transfer.strict)
            .map_err(|error| self.misfit(error))
    }

    fn misfit(&self, error: FitError) -> Error {
        let path = self.path.display();
        match &self.kind {
            // The shapes of an MLP follow from much more than its name.
            Kind::Ours(card, _) if card.model.name == error.architecture => RecipeErrors(vec![Fault {
                key: "transfer.from".into(),
                message: format!(
                    "{path}: {error}; what was set otherwise than its run had it (model.*, input.size, input.channels) must be left out"
                ),
                origin: None,
            }])
            .into(),
            _ => Error::request(format_args!("transfer.from: {path}: {error}")),
        }
    }

    /// The images that they were trained on, as far as their run recorded them, and why these are not all; none are known of weights of others, which
    /// have no record.
    pub(crate) fn trained_on(&self) -> (TrainedOn, Option<String>) {
        let Kind::Ours(card, folder) = &self.kind else { return Default::default() };
        let began = card.learnt_from.as_ref().is_some_and(|before| before.images_unknown);
        let began =
            began.then(|| format!("{} began from weights without such a record", self.path.display()));
        let Some(folder) = folder else {
            return (TrainedOn::default(), Some(format!("{} lies in no run's folder", self.path.display())));
        };
        match folder.trained_on() {
            Ok(Some(known)) => (known, began),
            Ok(None) => (TrainedOn::default(), Some(no_record(folder))),
            Err(error) => (TrainedOn::default(), Some(error.to_string())),
        }
    }

    /// What the run's records say of them.
    pub fn record(&self, fitted: &Fitted) -> LearntFrom {
        let (name, trained_on, licence, before) = match &self.kind {
            Kind::Ours(card, folder) => {
                let environment = folder.as_ref().and_then(|folder| folder.environment().ok()?);
                let data = environment.map(|environment| environment.data).unwrap_or_default();
                let file = Path::new(&data.path).file_name().map(|name| name.to_string_lossy().into_owned());
                let images = data.train_images.map(|n| format!("{} ", crate::images(n))).unwrap_or_default();
                let of = file.map(|name| format!("{images}of {name}, ")).unwrap_or_default();
                let name = folder.as_ref().map_or_else(|| file_name(&self.path), RunFolder::name);
                let trained_on = format!("{of}{} classes", card.classes.len());
                (name, trained_on, String::new(), card.learnt_from.clone())
            }
            Kind::Known(known, _) => {
                (known.name.to_owned(), Pretrained::TRAINED_ON.to_owned(), known.licence.to_owned(), None)
            }
            Kind::Recognized(_) | Kind::Unknown => {
                (file_name(&self.path), String::new(), String::new(), None)
            }
        };
        LearntFrom {
            name,
            path: self.path.to_string_lossy().into_owned(),
            sha256: self.weights.sha256.clone(),
            trained_on,
            licence,
            images_unknown: self.trained_on().1.is_some(),
            learnt_from: before.map(Box::new),
            fitted: fitted_in_words(fitted).remove(0),
        }
    }
}

/// What fitted and what did not, the numbers first, then the exceptions.
pub fn fitted_in_words(fitted: &Fitted) -> Vec<String> {
    let mut said = vec![format!(
        "{} of {} tensors fit ({} values)",
        crate::count(fitted.taken),
        crate::count(fitted.tensors),
        crate::count(fitted.values)
    )];
    if let Some(package) = fitted.package {
        said.push(format!("its names are those of {package}, and are taken for ours"));
    }
    let classes = fitted.classes;
    match fitted.head {
        Head::Taken => {}
        Head::TakenUnnamed => said.push(format!(
            "the last layer is taken by its {classes} classes alone, which the file does not name: their order must be that of the data"
        )),
        Head::Permuted => said.push("the last layer is put into the data's order of classes".into()),
        Head::New { was } if was == classes => {
            said.push(format!("the last layer starts anew: its {was} classes have other names"));
        }
        Head::New { was } => {
            said.push(format!("the last layer starts anew: {was} classes before, {classes} now"));
        }
        Head::Absent => said.push(format!("the last layer, of {classes} classes, starts anew: the file has none")),
    }
    if let Some(name) = &fitted.folded {
        said.push(format!(
            "{name} sees one channel: its weights for red, green and blue are added up, which gives for a gray image what they gave for \
             the same gray in color where all three channels are normalised alike"
        ));
    }
    let listed = |names: &[String]| {
        let more = names.len().saturating_sub(6);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", names.iter().take(6).cloned().collect::<Vec<_>>().join(", "))
    };
    if let Some(name) = &fitted.spread {
        said.push(format!(
            "{name} sees three channels: its weights for gray are given to red, green and blue by their shares in gray, which gives for an image in color \
             what they gave for it in gray"
        ));
    }
    if !fitted.missing.is_empty() {
        said.push(format!("not in the file, start anew: {}", listed(&fitted.missing)));
    }
    if !fitted.surplus.is_empty() {
        said.push(format!("in the file alone, left out: {}", listed(&fitted.surplus)));
    }
    said
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The one file of weights in a folder that is no run's, if there is one.
fn only_weights_in(path: &Path) -> Result<Option<PathBuf>, Error> {
    let of_ours = [RunFolder::MODEL, RunFolder::ENVIRONMENT, RunFolder::RECIPE];
    if !path.is_dir() || of_ours.iter().any(|name| path.join(name).exists()) {
        return Ok(None);
    }
    let is_weights = |file: &PathBuf| {
        let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        file.is_file() && ending.is_some_and(|ending| WEIGHTS_ENDINGS.contains(&ending.as_str()))
    };
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_weights).collect();
    found.sort();
    match &found[..] {
        [] => Ok(None),
        [only] => Ok(Some(only.clone())),
        [first, ..] => Err(Error::request(format_args!(
            "transfer.from: {} is a folder with {} files of weights: name one of them, such as {}",
            path.display(),
            found.len(),
            first.display()
        ))),
    }
}

/// Endings of what holds weights.
const WEIGHTS_ENDINGS: [&str; 5] = ["safetensors", "pth", "pt", "whl", "zip"];

/// Why there are no weights at a path, and what to type.
fn not_there(path: &Path) -> String {
    let path = path.display().to_string();
    match pupila_weights::by_name(&path) {
        Some(known) => format!(
            "transfer.from: {path} is no file here; it is the name of weights that are to be had by\n    {}\nGive the file that this leaves.",
            known.get
        ),
        None => format!(
            "transfer.from: {path} does not exist; give a run's folder, or a file of weights: `pupila list pretrained` says how to get some"
        ),
    }
}

/// Brings a normalisation to a number of channels: of three the mean for gray, of one the same for each.
fn for_channels(normalize: &mut Value, channels: i64) {
    let Value::Table(table) = normalize else { return };
    for (_, value) in table.iter_mut() {
        let Value::Array(list) = value else { continue };
        let numbers: Vec<f64> = list.iter().filter_map(Value::as_float).collect();
        match (numbers.len(), channels) {
            (3, 1) => *list = vec![Value::Float(numbers.iter().sum::<f64>() / 3.0)],
            (1, 3) => *list = vec![Value::Float(numbers[0]); 3],
            _ => {}
        }
    }
}

/// What is wrong with tensors that are of no architecture that is known, and what to type.
fn unknown(path: &str, tensors: &StateDict) -> String {
    let Some(Resemblance { architecture, missing, surplus }) = resembled(tensors) else {
        return format!(
            "the tensors of {path} are of no architecture that is known by their names: say which by --model NAME (`pupila list models`)"
        );
    };
    let some = |names: &[String], what: &str| match names {
        [] => None,
        [one] => Some(format!("{one} {what}")),
        [one, more @ ..] => Some(format!("{one} and {} more {}", more.len(), what.replace("is ", "are "))),
    };
    let exceptions =
        [some(&missing, "is not there as the network has it"), some(&surplus, "is no tensor of it")];
    let exceptions: Vec<String> = exceptions.into_iter().flatten().collect();
    format!(
        "the tensors of {path} look like those of {architecture}, but {}; type --model {architecture} --set transfer.strict=false to begin with what fits",
        exceptions.join(", and ")
    )
}

/// Weights of the table whose checksum is not known, by a part of the path that is called like them.
fn named_like(path: &Path) -> Option<&'static Pretrained> {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let mut unsure = pupila_weights::PRETRAINED.iter().filter(|known| known.sha256.is_empty());
    unsure.find(|known| {
        known.name.rsplit('/').next().is_some_and(|name| {
            parts.iter().any(|part| {
                part.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        })
    })
}

/// Keys whose values are TOML.
fn typed(keys: Vec<(&'static str, String)>) -> Vec<(String, Value)> {
    let value = |text: String| {
        let table = toml::from_str::<toml::Table>(&format!("v = {text}")).ok();
        table.and_then(|mut table| table.remove("v")).unwrap_or(Value::String(text))
    };
    keys.into_iter().map(|(key, text)| (key.to_owned(), value(text))).collect()
}

/// The keys of a model's card.
fn keys_of(card: &ModelCard) -> Vec<(String, Value)> {
    let mut keys = Vec::new();
    let mut section = |section: &str, value: Result<Value, toml::ser::Error>| {
        if let Ok(Value::Table(table)) = value {
            keys.extend(table.into_iter().map(|(key, value)| (format!("{section}.{key}"), value)));
        }
    };
    section("model", Value::try_from(&card.model));
    section("input", Value::try_from(&card.input));
    // What draws the first values of the head is the new run's choice.
    keys.retain(|(key, _)| key != "model.init");
    let normalize = &card.normalization;
    let value = match normalize.per_image {
        Some(mode) => Value::String(mode.name().into()),
        None => {
            // The shortest decimal of an f32 is read back as that f32.
            let list = |values: &[f32]| {
                let value = |value: &f32| {
                    value.to_string().parse().map_or(Value::Float(f64::from(*value)), Value::Float)
                };
                Value::Array(values.iter().map(value).collect())
            };
            Value::Table(toml::Table::from_iter([
                ("mean".to_owned(), list(&normalize.mean)),
                ("std".to_owned(), list(&normalize.std)),
                ("max_pixel_value".to_owned(), Value::Float(f64::from(normalize.max_pixel_value))),
            ]))
        }
    };
    keys.push(("data.normalize".into(), value));
    keys
}
