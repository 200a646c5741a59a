//! Learnt weights that a run begins from: opened, asked what they are, and fitted to a network.

use crate::classifier::without_model;
use crate::error::Error;
use pupila_network::{Network, StateDict};
use pupila_run::{LearntFrom, RunFolder};
use pupila_train::{Fault, LearntKeys, ModelCard, ModelFile, RecipeErrors, Transfer};
use pupila_weights::{Classes, FitError, Fitted, Format, Head, Pretrained, Weights, by_sha256, recognized};
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
            return Err(Error::request(format_args!(
                "transfer.from: {} does not exist; give a run's folder, or a file of weights: `pupila list pretrained` says how to get some",
                path.display()
            )));
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

    /// The recipe's keys that come with them: the network, and what it sees of an image. Defaults, for who says nothing else.
    pub fn keys(&self) -> LearntKeys {
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
        keys.push(("transfer.sha256".into(), Value::String(self.sha256().to_owned())));
        LearntKeys { path: self.path.clone(), keys }
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
