//! The `[model]` section of a recipe.

use crate::architectures;
use crate::init::Init;
use crate::network::ShapeError;
use crate::op::{Activation, PaddingMode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which network to build. A key that is left out takes the architecture's own default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// The architecture: a name from `pupila list models`.
    pub name: String,
    /// Widths of the hidden linear layers; `[512, 128]` for `mlp`, `[128]` for `cnn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<Vec<usize>>,
    /// Output channels of the convolutions; `[16, 32, 64]` for `cnn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<Vec<usize>>,
    /// What convolutions see beyond the edge.
    pub padding: PaddingMode,
    /// The activation behind every hidden layer.
    pub activation: Activation,
    /// Batch normalisation between a hidden layer and its activation.
    pub batch_norm: bool,
    /// Probability of dropping a unit while training, behind the hidden activations of `mlp` and those of the convolutions
    /// of `cnn`, before the classifier of the others; 0 is no dropout. What is left out is the authors' for
    /// `mobilenet_v3_*` and `efficientnet_*` (0.2, of Lite2 to 4 0.3), and 0 for all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// Probability of skipping the last residual block for a sample while training; that of the first is 0, and between them it grows evenly. 0 is no stochastic depth, as
    /// where it is left out, since fine-tuning on few images mostly does without. The authors trained `efficientnet_*` with 0.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stochastic_depth: Option<f64>,
    /// How weights start: a name from `pupila list initializers`.
    pub init: Init,
}

impl Default for ModelConfig {
    fn default() -> Self {
        ModelConfig {
            name: "mlp".into(),
            hidden: None,
            filters: None,
            padding: PaddingMode::default(),
            activation: Activation::default(),
            batch_norm: false,
            dropout: None,
            stochastic_depth: None,
            init: Init::default(),
        }
    }
}

/// A model that cannot be built. `key` is the recipe's key without `model.`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No architecture has that name.
    #[error("there is no model `{name}`{} (there are {known})", did_you_mean(*suggestion))]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// The most similar registered name, if one is similar.
        suggestion: Option<&'static str>,
        /// Every registered name.
        known: String,
    },
    /// A value out of its range.
    #[error("{message}")]
    Value {
        /// The key in the `[model]` section.
        key: &'static str,
        /// What is wrong and what would be right.
        message: String,
    },
    /// An op that cannot follow another at this input size.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

fn used(keys: &[&str]) -> String {
    if keys.is_empty() { "; leave it out".into() } else { format!("; it uses {}", keys.join(", ")) }
}

/// Which architectures have a key, and what to type for the first of them.
fn had_by(key: &str) -> String {
    let names: Vec<_> =
        architectures::REGISTRY.iter().filter(|e| e.keys.contains(&key)).map(|e| e.name).collect();
    match names[..] {
        [] => String::new(),
        [only] => format!("; {only} has it: type --set model.name={only} too"),
        [first, second] => format!("; {first} and {second} have it: type --set model.name={first} too"),
        [first, ..] => {
            format!("; {} others have it, such as {first}: type --set model.name={first} too", names.len())
        }
    }
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

impl ConfigError {
    /// The key in the `[model]` section that the error is about.
    pub fn key(&self) -> &'static str {
        match self {
            ConfigError::UnknownModel { .. } => "name",
            ConfigError::Value { key, .. } => key,
            ConfigError::Shape(_) => "name",
        }
    }
}

impl ModelConfig {
    /// Every value out of its range, whatever the architecture and the input.
    pub fn check(&self) -> Vec<ConfigError> {
        let mut errors: Vec<_> = architectures::find(&self.name).err().into_iter().collect();
        let mut refuse = |key, message: String| errors.push(ConfigError::Value { key, message });
        if let Some(dropout) = self.dropout.filter(|p| !(0.0..1.0).contains(p)) {
            refuse("dropout", format!("must be at least 0 and below 1, got {dropout}"));
        }
        if let Some(p) = self.stochastic_depth.filter(|p| !(0.0..1.0).contains(p)) {
            refuse("stochastic_depth", format!("must be at least 0 and below 1, got {p}"));
        }
        for (key, widths) in [("hidden", &self.hidden), ("filters", &self.filters)] {
            if let Some(width) = widths.iter().flatten().find(|&&width| width == 0 || width > MAX_WIDTH) {
                refuse(key, format!("a layer's width must be from 1 to {MAX_WIDTH}, got {width}"));
            }
        }
        if let Ok(architecture) = architectures::find(&self.name) {
            // What is set and would be ignored misleads whoever compares two runs.
            let default = ModelConfig::default();
            for (key, set) in [
                ("hidden", self.hidden.is_some()),
                ("filters", self.filters.is_some()),
                ("padding", self.padding != default.padding),
                ("activation", self.activation != default.activation),
                ("batch_norm", self.batch_norm != default.batch_norm),
                // No dropout is what a network without it does.
                ("dropout", self.dropout.is_some_and(|p| p != 0.0)),
                ("stochastic_depth", self.stochastic_depth.is_some_and(|p| p != 0.0)),
            ] {
                if set && !architecture.keys.contains(&key) {
                    refuse(
                        key,
                        format!("is no choice of {}{}{}", self.name, used(architecture.keys), had_by(key)),
                    );
                }
            }
        }
        if let Err(message) = self.init.check() {
            refuse("init", message);
        }
        errors
    }
}

/// Wider layers than this are a typing error: one such layer behind another already has 2^32 weights.
const MAX_WIDTH: usize = 1 << 16;
