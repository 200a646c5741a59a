//! The recipe: everything that a person can choose about a run, every key optional, and what makes a value wrong.
//!
//! A [`Recipe`] is plain data, written in TOML or in code. Nothing runs by it before it is a [`CheckedRecipe`].

mod balance;
mod checked;
mod checkpoint;
mod data;
mod effect;
mod input;
mod layers;
mod monitor;
mod names;
mod schema;
mod size;
mod transfer;
mod words;

pub use balance::{ClassWeights, NamedWeights, Sampler};
pub use checked::CheckedRecipe;
pub use checkpoint::CheckpointConfig;
pub use data::{Data, HoldName, Labels, LeakPolicy};
pub use input::{Decode, FitName, Input};
pub use layers::{Layers, LearntKeys, Origin, Setting};
pub use monitor::{Monitor, MonitorError, meant as metrics_meant};
pub use names::Names;
pub use schema::{KeyDoc, json_schema, key_docs, keys, keys_page};
pub use size::{KeptSize, Size};
pub use transfer::{Head, NormPolicy, Transfer};
pub use words::{
    answer as key_answer, key as key_meant, off as setting_off, setting as setting_of,
    value_of as option_value,
};

use crate::schedule::ScheduleConfig;
use crate::tracking::TrackingConfig;
use pupila_backend::OptimizerConfig;
use pupila_dataset::ScanOptions;
use pupila_loader::Mixing;
use pupila_network::ModelConfig;
use pupila_transforms::{
    NormalizationError, Pipeline, RandomResizedCrop, Shape, Transform as _, TransformConfig,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A recipe. Sections and keys are those of the TOML file; what is left out has the default shown.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Which images are used.
    pub data: Data,
    /// What the network sees of an image.
    pub input: Input,
    /// How training images are varied.
    pub augment: Augment,
    /// The network.
    pub model: ModelConfig,
    /// Learnt weights to begin from.
    pub transfer: Transfer,
    /// How the network's values change.
    pub optimizer: OptimizerConfig,
    /// How the learning rate changes over the run.
    pub schedule: ScheduleConfig,
    /// What is minimised: cross-entropy.
    pub loss: Loss,
    /// How long, in what pieces, and which epoch is the best.
    pub train: Train,
    /// When to stop before the last epoch.
    pub early_stopping: EarlyStopping,
    /// What is recorded, where, and how often.
    pub tracking: TrackingConfig,
    /// When all that the run goes on with is written to disk.
    pub checkpoint: CheckpointConfig,
}

/// How training images are varied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Transforms in the order in which they are applied; names and parameters are Albumentations', in snake case.
    pub transforms: Vec<TransformConfig>,
    /// MixUp: each training image becomes a blend with another, its share drawn from the Beta distribution with this
    /// parameter, such as 0.2, and so does its target. With `cutmix` too, one of them is drawn for each image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixup: Option<f64>,
    /// CutMix: each training image gets a rectangle of another, of a size drawn likewise, such as by 1.0; its target is
    /// shared by area.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cutmix: Option<f64>,
    /// Probability that an image is mixed at all.
    pub mix_p: f64,
}

impl Default for Augment {
    fn default() -> Self {
        let transform = |name: &str, p: f64| {
            let mut config = pupila_transforms::entry(name)?.default_config();
            config.parameters.insert("p".into(), p.into());
            Some(config)
        };
        let course = [transform("horizontal_flip", 0.5), transform("random_brightness_contrast", 0.2)];
        Augment { transforms: course.into_iter().flatten().collect(), mixup: None, cutmix: None, mix_p: 1.0 }
    }
}

impl Augment {
    /// These transforms and no mixing.
    ///
    /// ```
    /// use pupila_train::Augment;
    /// use pupila_transforms::{HorizontalFlip, Rotate, TransformConfig};
    ///
    /// let augment = Augment::of([HorizontalFlip { p: 0.5 }.into(), Rotate::default().into()]);
    /// assert_eq!(augment.transforms[0].name, "horizontal_flip");
    ///
    /// // One of several, half of the time.
    /// let either = [HorizontalFlip { p: 1.0 }.into(), Rotate::default().into()];
    /// let augment = Augment::of([TransformConfig::composition("one_of", either, 0.5)]);
    /// ```
    pub fn of(transforms: impl IntoIterator<Item = TransformConfig>) -> Self {
        Augment { transforms: transforms.into_iter().collect(), ..Augment::none() }
    }

    /// Training images as they are.
    pub fn none() -> Self {
        Augment { transforms: Vec::new(), mixup: None, cutmix: None, mix_p: 1.0 }
    }
}

/// What is minimised: cross-entropy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Loss {
    /// Share of each target that is spread evenly over all classes.
    pub label_smoothing: f64,
    /// Weights of the classes: `none`; `balanced`, where each class weighs images / (classes x its images), as scikit-learn
    /// has it, of the images that an epoch shows; `{ CLASS = WEIGHT }`, 1 for those not named; or a list in the order of the
    /// classes. They count in training alone, the metrics are those of the images as they are.
    pub class_weights: ClassWeights,
}

/// How long, in what pieces, and which epoch is the best.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Train {
    /// Passes over the training images.
    pub epochs: u32,
    /// Images in a step.
    pub batch: usize,
    /// The number that every random draw of the run follows from: initial values, order, augmentation, dropout; and the split,
    /// unless `data.split_seed` is given.
    pub seed: u64,
    /// Batches whose gradients make one update together.
    pub accumulate: usize,
    /// Most that the norm of the whole gradient may be: a larger one is scaled down to it. Left out, it is as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Judge and keep the exponential moving average of the values instead of the values, with this decay an update, such as
    /// 0.999. Left out, the values themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema_decay: Option<f64>,
    /// The metric of the validation set that decides which epoch is the best, such as `val/loss` or `val/macro_f1`.
    pub monitor: String,
}

impl Default for Train {
    fn default() -> Self {
        Train {
            epochs: 30,
            batch: 32,
            seed: 0,
            accumulate: 1,
            clip_norm: None,
            ema_decay: None,
            monitor: "val/loss".into(),
        }
    }
}

/// When to stop before the last epoch.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EarlyStopping {
    /// Stop after so many epochs in a row in which `train.monitor` did not improve; left out, all epochs run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<u32>,
    /// The smallest change of the metric that counts as an improvement.
    pub min_delta: f64,
}

/// Values that are written by their names.
mod by_name {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::{fmt::Display, str::FromStr};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A mistake in a recipe: what is wrong and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, such as `optimizer.lr`; empty where the message names it, or there is none.
    pub key: String,
    /// What is wrong, what would be right.
    pub message: String,
    /// Where the value comes from, where that is known.
    pub origin: Option<Origin>,
}

impl Fault {
    pub(crate) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Fault { key: key.into(), message: message.into(), origin: None }
    }

    pub(crate) fn at(self, origin: Origin) -> Self {
        Fault { origin: Some(origin), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{} ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong with a recipe, a line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct RecipeErrors(pub Vec<Fault>);

/// A larger side makes an MLP of a few hidden units exceed any memory.
const MAX_SIZE: u32 = 4096;

impl Recipe {
    /// Every wrong value that can be told without the data.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut refuse = |key: String, message: String| faults.push(Fault::new(key, message));
        let Recipe {
            data,
            input,
            augment,
            model,
            transfer,
            optimizer,
            schedule,
            loss,
            train,
            early_stopping,
            tracking,
            checkpoint,
        } = self;
        if !(data.fraction > 0.0 && data.fraction <= 1.0) {
            refuse("data.fraction".into(), format!("must be above 0 and at most 1, got {}", data.fraction));
        }
        if data.max_per_class == Some(0) {
            refuse("data.max_per_class".into(), "must be at least 1".into());
        }
        if !(data.val_frac > 0.0 && data.val_frac < 1.0) {
            refuse("data.val_frac".into(), format!("must be above 0 and below 1, got {}", data.val_frac));
        }
        match (data.folds, data.fold) {
            (Some(folds), _) if folds < 2 => {
                refuse("data.folds".into(), format!("must be at least 2, got {folds}"));
            }
            (Some(folds), Some(fold)) if !(1..=folds).contains(&fold) => {
                refuse(
                    "data.fold".into(),
                    format!("must be from 1 to {folds}, the number of folds, got {fold}"),
                );
            }
            (None, Some(_)) => {
                refuse("data.fold".into(), "needs data.folds, the number of folds, such as 5".into());
            }
            _ => {}
        }
        for key in data.empty_names() {
            let what = match key {
                "train" | "val" | "test" | "images" => "a folder",
                "lists" => "a list, or a pattern of such names",
                "one_hot_rest" => "a class",
                "extension" => "an extension, such as jpg",
                _ => "a column",
            };
            refuse(format!("data.{key}"), format!("must be the name of {what}; leave it out for none"));
        }
        if !data.one_hot.is_empty() && data.label_column.is_some() {
            refuse(
                "data.one_hot".into(),
                "and data.label_column both say what the class is; leave one out".into(),
            );
        }
        if let Some((class, _)) = data.rename.iter().find(|(_, name)| name.trim().is_empty()) {
            refuse(
                "data.rename".into(),
                format!("must give {class} a name; data.exclude leaves a class out"),
            );
        }
        match data.normalize.resolve(usize::from(input.channels)) {
            Ok(_) | Err(NormalizationError::NotMeasured) => {}
            Err(error) => refuse("data.normalize".into(), error.to_string()),
        }
        for (key, alpha) in [("augment.mixup", augment.mixup), ("augment.cutmix", augment.cutmix)] {
            if let Some(alpha) = alpha.filter(|alpha| !(alpha.is_finite() && *alpha > 0.0)) {
                refuse(key.into(), format!("must be above 0, got {alpha}; leave it out for none"));
            }
        }
        if !(0.0..=1.0).contains(&augment.mix_p) {
            refuse(
                "augment.mix_p".into(),
                format!("must be a probability from 0 to 1, got {}", augment.mix_p),
            );
        }
        for (key, message) in input.faults() {
            refuse(format!("input.{key}"), message);
        }
        match Pipeline::from_config(&augment.transforms) {
            Ok(pipeline) => {
                let shape = input.shape();
                // What is kept becomes an input afterwards, whatever its shape.
                if !input.rule().keeps() {
                    for (place, why) in pipeline.misfits(shape) {
                        // The place counts from 0: the name says which is meant.
                        let name = augment.transforms.get(place).map_or("", |of| of.name.as_str());
                        refuse(format!("augment.transforms[{place}].{name}"), why);
                    }
                    if pipeline.output_shape(shape) != Some(shape) {
                        refuse("augment.transforms".into(), other_size(&pipeline, augment, shape));
                    }
                }
            }
            Err(errors) => {
                for error in errors.0 {
                    refuse(format!("augment.{}", error.path), error.problem.to_string());
                }
            }
        }
        for error in model.check() {
            refuse(format!("model.{}", error.key()), error.to_string());
        }
        for (key, message) in transfer.faults() {
            refuse(format!("transfer.{key}"), message);
        }
        for error in optimizer.check() {
            refuse(format!("optimizer.{}", error.key), error.message);
        }
        for error in schedule.check() {
            refuse(format!("schedule.{}", error.key), error.message);
        }
        let seeds = [
            ("train.seed", Some(train.seed)),
            ("data.split_seed", data.split_seed),
            ("data.subset_seed", data.subset_seed),
        ];
        for (key, seed) in seeds {
            if let Some(seed) = seed.filter(|&seed| i64::try_from(seed).is_err()) {
                refuse(key.into(), format!("must be at most {}, as TOML has it, got {seed}", i64::MAX));
            }
        }
        if train.accumulate == 0 {
            refuse("train.accumulate".into(), "must be at least 1 batch".into());
        }
        if let Some(decay) = train.ema_decay.filter(|decay| !(0.0..1.0).contains(decay)) {
            refuse("train.ema_decay".into(), format!("must be at least 0 and below 1, got {decay}"));
        }
        if let Some(norm) = train.clip_norm.filter(|norm| !(norm.is_finite() && *norm > 0.0)) {
            refuse("train.clip_norm".into(), format!("must be above 0, got {norm}; leave it out for none"));
        }
        if !(0.0..1.0).contains(&loss.label_smoothing) {
            refuse(
                "loss.label_smoothing".into(),
                format!("must be at least 0 and below 1, got {}", loss.label_smoothing),
            );
        }
        if train.epochs == 0 {
            refuse("train.epochs".into(), "must be at least 1".into());
        }
        if !(1..=MAX_BATCH).contains(&train.batch) {
            refuse(
                "train.batch".into(),
                format!("must be from 1 to {MAX_BATCH} images, got {}", train.batch),
            );
        }
        if let Err(error) = Monitor::parse(&train.monitor) {
            refuse("train.monitor".into(), format!("cannot be followed: {error}"));
        }
        if early_stopping.patience == Some(0) {
            refuse(
                "early_stopping.patience".into(),
                "must be at least 1 epoch; leave it out to run all epochs".into(),
            );
        }
        if !(early_stopping.min_delta.is_finite() && early_stopping.min_delta >= 0.0) {
            let got = early_stopping.min_delta;
            refuse("early_stopping.min_delta".into(), format!("must be at least 0, got {got}"));
        }
        faults.extend(tracking.check());
        faults.extend(checkpoint.check());
        faults.extend(data.sampler.check(None));
        faults.extend(loss.class_weights.check(None));
        faults
    }

    /// That the monitor cannot tell epochs apart on a validation set with so many images of each class.
    pub fn check_monitor(&self, classes: &[String], val: &[usize]) -> Option<Fault> {
        let monitor = Monitor::parse(&self.train.monitor).ok()?;
        let why = monitor.useless_on(classes, val)?;
        let better = ["val/balanced_accuracy", "val/accuracy", "val/loss"].into_iter().find(|key| {
            Monitor::parse(key).is_ok_and(|monitor| monitor.useless_on(classes, val).is_none())
        })?;
        Some(Fault::new(
            "train.monitor",
            format!(
                "val/{} {why}, so no epoch could be the best: type --set train.monitor={better}",
                monitor.name
            ),
        ))
    }

    /// Every wrong value that shows only beside the classes of the data.
    pub fn check_classes(&self, classes: &[String]) -> Vec<Fault> {
        let mut faults = self.data.sampler.check(Some(classes));
        faults.extend(self.loss.class_weights.check(Some(classes)));
        faults
    }

    /// Which negative controls it asks for, a sentence each: no model for use comes of such a recipe.
    pub fn controls(&self) -> Vec<String> {
        let shuffled = (self.data.labels == Labels::Shuffled).then(|| {
            "the labels of the training images are shuffled (data.labels = \"shuffled\")".to_owned()
        });
        self.input.control().into_iter().chain(shuffled).collect()
    }

    /// How training images are mixed, if they are.
    pub fn mixing(&self) -> Option<Mixing> {
        let Augment { mixup, cutmix, mix_p, .. } = self.augment;
        let mixes = (mixup.is_some() || cutmix.is_some()) && mix_p > 0.0;
        mixes.then_some(Mixing { mixup, cutmix, p: mix_p })
    }

    /// The options of the scan of the data.
    pub fn scan_options(&self) -> ScanOptions {
        ScanOptions {
            val_frac: self.data.val_frac,
            seed: self.data.split_seed.unwrap_or(self.train.seed),
            subset_seed: self.data.subset_seed,
            on_bad_image: self.data.on_bad_image,
            exclude: self.data.exclude.clone(),
            exclude_list: self.data.exclude_list.clone(),
            drop_leaks: self.data.leaks == LeakPolicy::Drop,
            fraction: self.data.fraction,
            max_per_class: self.data.max_per_class,
            folds: self.data.folds,
            fold: self.data.fold.unwrap_or(1),
            group: self.data.group.clone(),
            layout: self.data.layout(),
        }
    }
}

/// More images in a step than any memory plan here is made for.
const MAX_BATCH: usize = 1 << 16;

/// What is wrong with transforms that give images of another size than that of the input, and which change makes them give it.
fn other_size(pipeline: &Pipeline, augment: &Augment, shape: Shape) -> String {
    let size = |shape: Shape| Size { height: shape.height as u32, width: shape.width as u32 };
    let mut said = "must give images of the size they take".to_owned();
    let made = pipeline.output_shape(shape);
    if let Some(made) = made {
        said += &format!(": of size {} they make {}", size(shape), size(made));
    }
    let mut remedies = Vec::new();
    let mut without = augment.transforms.clone();
    let crops = without.iter_mut().filter(|of| of.name == RandomResizedCrop::NAME);
    let had_size = crops.filter_map(|crop| crop.parameters.remove("size")).count() > 0;
    let gives = |pipeline: &Pipeline, shape: Shape| pipeline.output_shape(shape) == Some(shape);
    if had_size && Pipeline::from_config(&without).is_ok_and(|without| gives(&without, shape)) {
        remedies.push(format!(
            "leave `size` out of {}, which then keeps the size of the input",
            RandomResizedCrop::NAME
        ));
    }
    if let Some(made) = made.filter(|made| gives(pipeline, *made) && pipeline.misfits(*made).is_empty()) {
        remedies.push(format!("type {}", words::set("input.size", &size(made).to_string())));
    }
    if !remedies.is_empty() {
        said += &format!("; {}", remedies.join(", or "));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monitor_that_cannot_tell_epochs_apart_is_refused_with_one_that_does() {
        let classes = ["a", "b", "c"].map(str::to_owned);
        let fault = |monitor: &str, val: &[usize]| {
            let train = Train { monitor: monitor.into(), ..Train::default() };
            Recipe { train, ..Recipe::default() }
                .check_monitor(&classes[..val.len()], val)
                .map(|f| f.to_string())
        };
        for metric in pupila_metrics::METRICS {
            let told = fault(&format!("val/{}", metric.name), &[20, 7, 1]);
            assert_eq!(told.is_some(), metric.name == "top5_accuracy", "{}: {told:?}", metric.name);
            assert_eq!(fault(&format!("val/{}", metric.name), &[]), None);
        }
        let undefined = fault("val/macro_auc", &[20, 7, 0]).unwrap();
        assert!(undefined.contains("which has no image of c"), "{undefined}");
        assert!(undefined.ends_with("type --set train.monitor=val/balanced_accuracy"), "{undefined}");
        let constant = fault("val/top5_accuracy", &[20, 7, 3]).unwrap();
        assert!(constant.contains("is always 1 with 3 classes"), "{constant}");
        assert_eq!(fault("val/macro_auc", &[20, 7]), None);
    }

    #[test]
    fn transforms_that_give_another_size_are_refused_with_what_makes_it_fit() {
        let told = |settings: &str| {
            let setting = |s: &str| Setting { assignment: s.to_owned(), option: String::new() };
            let settings = settings.split(';').map(setting).collect();
            Layers { file: None, settings, learnt: None }.resolve().map_err(|errors| errors.to_string())
        };
        let crop = "augment.transforms=[{ random_resized_crop = { size = [48, 40] } }]";
        for (settings, words) in [
            (
                format!("input.size=32;{crop}"),
                "of size 32 they make [48, 40]; leave `size` out of random_resized_crop, which then keeps the size of the input, or type --set \
                 'input.size=[48, 40]'",
            ),
            (
                "input.size=64;augment.transforms=[{ center_crop = { height = 28, width = 28 } }]".to_owned(),
                "of size 64 they make 28; type --set input.size=28",
            ),
            (
                "input.size=32;augment.transforms=[{ pad_if_needed = { min_height = 32, min_width = 32 } }, { random_crop = { height = 28, width = \
                 28 } }]"
                    .to_owned(),
                "of size 32 they make 28; type --set input.size=28",
            ),
        ] {
            let told = told(&settings).unwrap_err();
            assert!(told.contains(words), "{settings}: {told}");
        }
        // What is said to be typed is taken.
        assert!(told(&format!("input.size=[48, 40];{crop}")).is_ok());
        assert!(told("input.size=32;augment.transforms=[{ random_resized_crop = {} }]").is_ok());
    }

    #[test]
    fn recipes_of_this_repository_can_be_run_at_another_size() {
        for name in ["caltech_95", "caltech_few", "caltech_gray", "label_errors"] {
            let path = format!("{}/../../recipes/{name}.toml", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&path).unwrap();
            for size in [32, 64, 96] {
                let of_size = Setting { assignment: format!("input.size={size}"), option: String::new() };
                let file = Some((path.clone().into(), text.clone()));
                let recipe = Layers { file, settings: vec![of_size], learnt: None }.resolve();
                recipe.unwrap_or_else(|errors| panic!("{name} at {size}: {errors}"));
            }
        }
    }
}
