//! `[transfer]`: learnt weights to begin from.

use super::Names;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use std::path::PathBuf;

/// Learnt weights to begin from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Transfer {
    /// Weights to begin from, in place of those that `model.init` draws: a run's folder, or a file of tensors (safetensors, PyTorch's `.pt` and
    /// `.pth`, or a wheel or zip archive with one), as `pupila list pretrained` names some. What it says of the network and its input is the default of
    /// these keys. Left out, or empty, every weight starts anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<PathBuf>,
    /// SHA-256 of the file that has the tensors, in hexadecimal: a run records it, and weights with another one are refused. Left out, or
    /// empty, any are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Whether all tensors must fit but the last layer's. If false, those of the network that the file does not have start anew, and the
    /// others of the file are left out.
    pub strict: bool,
    /// What stays as it is, to the bit: `none`; `backbone`, everything but the last layer; or a stage by its name, such as `layer3`, which stays with
    /// all before it. It works as in evaluation: BatchNorm by its running statistics, no dropout.
    #[serde(deserialize_with = "name")]
    pub freeze: String,
    /// How the last layer comes about: `trained`, by the optimizer; or all else stays as it is, nothing is trained, and the features that it makes of the images
    /// are judged: `probe`, a linear probe (multinomial logistic regression, its L2 penalty chosen by cross-validation); or `knn`, the votes of the nearest
    /// training images, their number chosen by leaving each out, which gives scores but no model. Neither uses `optimizer`, `schedule` or `train.epochs`, and images
    /// are varied only in `transfer.views` ways.
    pub head: Head,
    /// Whether BatchNorm learns where its stage does: `learn`; or `frozen`, where its scale, shift and running statistics stay as they are and
    /// it normalises by these.
    pub batch_norm: NormPolicy,
    /// The learning rate of a stage is that of the one behind it times this, the last layer's being `optimizer.lr`. With 1 all are alike.
    pub lr_decay: f64,
    /// Epochs in which the last layer learns alone, before everything that is not frozen does.
    pub head_epochs: u32,
    /// Stages join one by one, the last first: another one after so many epochs, the first one behind `head_epochs`, if there are any. Left out, all join at
    /// once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfreeze_epochs: Option<u32>,
    /// Each training image is varied in so many ways, one an epoch, over and over; what a frozen part makes of them is worked out once. Left out, it
    /// is varied in another way in every epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub views: Option<u32>,
}

/// A name that may be a number, which on the command line needs no quotes.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Names::deserialize(deserializer).map(|names| names.0.concat())
}

/// How the last layer comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// The optimizer trains it.
    #[default]
    Trained,
    /// It is fitted to the features.
    Probe,
    /// The nearest training images vote.
    Knn,
}

/// Whether BatchNorm learns where its stage does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NormPolicy {
    /// It does.
    #[default]
    Learn,
    /// It stays as it is.
    Frozen,
}

impl Head {
    /// Its name in a recipe.
    pub fn name(self) -> &'static str {
        match self {
            Head::Trained => "trained",
            Head::Probe => "probe",
            Head::Knn => "knn",
        }
    }
}

impl Default for Transfer {
    fn default() -> Self {
        Transfer {
            from: None,
            sha256: None,
            strict: true,
            freeze: "none".into(),
            head: Head::Trained,
            batch_norm: NormPolicy::Learn,
            lr_decay: 1.0,
            head_epochs: 0,
            unfreeze_epochs: None,
            views: None,
        }
    }
}

impl Transfer {
    /// The weights to begin from, if any.
    pub fn source(&self) -> Option<&PathBuf> {
        self.from.as_ref().filter(|from| !from.as_os_str().is_empty())
    }

    /// Whether nothing is trained: the last layer is fitted to the features of all else.
    pub fn fits_head(&self) -> bool {
        self.head != Head::Trained
    }

    /// Whether some parts learn otherwise than others, or not at all.
    pub(crate) fn restrains(&self) -> bool {
        let default = Transfer::default();
        let rest = Transfer { from: None, sha256: None, strict: default.strict, ..self.clone() };
        rest != default
    }

    /// Everything about it that cannot be meant: the key below `transfer`, and what is wrong.
    pub(super) fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if let Some(sha256) = self.sha256.as_ref().filter(|sha256| !sha256.is_empty())
            && !(sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            faults.push(("sha256", format!("must be 64 hexadecimal digits, got {sha256:?}")));
        }
        if !(self.lr_decay > 0.0 && self.lr_decay <= 1.0) {
            faults.push(("lr_decay", format!("must be above 0 and at most 1, got {}", self.lr_decay)));
        }
        let default = Transfer::default();
        if self.fits_head() && !["none", "backbone"].contains(&self.freeze.as_str()) {
            faults.push((
                "freeze",
                format!(
                    "must be backbone or left out with transfer.head={}, got `{}`",
                    self.head.name(),
                    self.freeze
                ),
            ));
        }
        if self.fits_head() || self.freeze == "backbone" {
            let why = match self.head {
                Head::Trained => "transfer.freeze=backbone, where the last layer learns alone".to_owned(),
                head => format!("transfer.head={}, where nothing is trained but the last layer", head.name()),
            };
            let without = [
                ("lr_decay", self.lr_decay != default.lr_decay),
                ("head_epochs", self.head_epochs != default.head_epochs),
                ("unfreeze_epochs", self.unfreeze_epochs.is_some()),
                ("batch_norm", self.batch_norm != default.batch_norm),
            ];
            for (key, _) in without.into_iter().filter(|(_, set)| *set) {
                faults.push((key, format!("has no effect with {why}; leave one of the two out")));
            }
        }
        if self.unfreeze_epochs == Some(0) {
            faults.push((
                "unfreeze_epochs",
                "must be at least 1; leave it out to let all stages learn at once".into(),
            ));
        }
        if self.views == Some(0) {
            faults.push(("views", "must be at least 1; leave it out for another one in every epoch".into()));
        }
        if self.from.is_none() && self.restrains() {
            let key = [
                ("freeze", self.freeze != default.freeze),
                ("head", self.fits_head()),
                ("batch_norm", self.batch_norm != default.batch_norm),
                ("lr_decay", self.lr_decay != default.lr_decay),
                ("head_epochs", self.head_epochs != default.head_epochs),
                ("views", self.views.is_some()),
            ];
            let key = key.iter().find(|(_, set)| *set).map_or("unfreeze_epochs", |(key, _)| key);
            faults.push((key, "is for learnt weights: type --init-from RUN_OR_FILE".into()));
        }
        faults
    }
}
