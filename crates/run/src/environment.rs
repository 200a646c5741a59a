//! `environment.json`: what a result was made on and of.

use crate::named::Named;
use serde::{Deserialize, Serialize};

/// Versions, machine and data of a run or an evaluation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Environment {
    /// The folder's format.
    #[serde(default = "crate::first_format")]
    pub format: u32,
    /// The version of Pupila.
    pub version: String,
    /// What was typed, without credentials; empty where the library was called.
    pub arguments: Vec<String>,
    /// The operating system.
    pub os: String,
    /// The processor's architecture.
    pub architecture: String,
    /// The processor's name, where the system says it.
    pub processor: Option<String>,
    /// Cores of the machine.
    pub cores: usize,
    /// Threads of the run. Results don't depend on them.
    pub threads: usize,
    /// The instruction set of the engine.
    pub instruction_set: String,
    /// The images.
    pub data: Data,
}

/// The images of a run or an evaluation. What only one of them has is absent from the other's.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Data {
    /// Where they are.
    pub path: String,
    /// The path as it was typed, with which the paths of images begin.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub given: String,
    /// How they are given, such as `class folders`.
    pub form: String,
    /// Whether the validation set was split off the training images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_split_off: Option<bool>,
    /// The split that was judged, of an evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// Changes with the images, their labels or their splits; in hexadecimal.
    pub fingerprint: String,
    /// Changes with the judged images or their labels; in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_fingerprint: Option<String>,
    /// Images to train on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// Images that an epoch shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch_images: Option<usize>,
    /// Images to validate on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_images: Option<usize>,
    /// Images that were judged, of an evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// How an epoch's images are chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
}

/// How an epoch's images are chosen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// `data.sampler`.
    pub sampler: String,
    /// Whether an image may come several times.
    pub drawn_with_replacement: bool,
    /// `data.folds`.
    pub folds: Option<usize>,
    /// `data.fold`, from 1.
    pub fold: Option<usize>,
    /// Images of each class.
    pub classes: Named<ClassCounts>,
}

/// Images of a class.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClassCounts {
    /// In the data, before `data.fraction` and `data.max_per_class`.
    pub found: usize,
    /// To train on.
    pub train: usize,
    /// That an epoch shows, on average.
    pub epoch: f64,
    /// To validate on.
    pub val: usize,
}
