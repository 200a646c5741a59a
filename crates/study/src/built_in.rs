//! The studies that are built in: a file each, in the form that users write, and a line here.

use crate::definition::Definition;
use crate::error::{StudyErrors, StudyFault};
use crate::names::did_you_mean;
use std::path::Path;

/// A study that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its name on the command line.
    pub name: &'static str,
    /// One line for `pupila list studies`.
    pub description: &'static str,
    /// Its file.
    pub text: &'static str,
}

macro_rules! built_in {
    ($name:literal, $description:literal) => {
        BuiltIn {
            name: $name,
            description: $description,
            text: include_str!(concat!("../built_in/", $name, ".toml")),
        }
    };
}

/// All of them.
pub const ALL: &[BuiltIn] = &[
    built_in!("regularization", "none, dropout, BatchNorm, both, weight decay, augmentation, all"),
    built_in!(
        "initialization",
        "PyTorch's, He, Xavier, uniform, too large, constant: spread of activations and gradients too"
    ),
    built_in!("batch-norm-lr", "with and without BatchNorm at four learning rates"),
    built_in!("batch-size", "8 to 128 images in a step"),
    built_in!("activation", "relu, gelu, tanh, sigmoid, with one, three and six hidden layers of an mlp"),
    built_in!("architecture", "mlp, cnn, cnn with BatchNorm, mobilenet_v2, resnet18"),
    built_in!("image-size", "inputs of 16 to 96 pixels"),
    built_in!(
        "few-images",
        "a learning curve: 10 to 100 % of the training images, and which classes need more"
    ),
    built_in!("grayscale", "color against gray"),
    built_in!("augmentation", "each transform of the recipe left out by itself, and all of them"),
    built_in!("optimizer", "adam, adamw, sgd, rmsprop at several learning rates"),
    built_in!("early-stopping", "patience of 2, 5 and 10 epochs against all epochs"),
    built_in!(
        "controls",
        "negative controls: centre hidden, border, 4x4 thumbnail, file facts, shuffled labels"
    ),
    built_in!("normalization", "0 to 1, ImageNet's, the data's own, each image's own"),
    built_in!(
        "transfer",
        "learnt weights (--init-from): scratch, nearest neighbours, linear probe, last layer, fine-tuning"
    ),
];

/// What a study compares, by the names that people type for it.
const ABOUT: &[(&str, &[&str])] = &[
    ("regularization", &["dropout", "weight-decay", "weight_decay", "l2", "overfitting"]),
    ("initialization", &["init", "he", "xavier", "kaiming", "glorot", "weights"]),
    ("activation", &["relu", "activations"]),
    ("architecture", &["model", "models", "mlp", "cnn"]),
    ("image-size", &["size", "resolution"]),
    ("few-images", &["few", "images-per-class", "learning-curve", "data-size"]),
    ("grayscale", &["gray", "grey", "color", "colour", "channels"]),
    ("augmentation", &["augment", "augmentations"]),
    ("optimizer", &["adam", "sgd", "optimizers"]),
    ("batch-norm-lr", &["batchnorm", "batch-norm", "batch_norm", "lr", "learning-rate"]),
    ("batch-size", &["batch"]),
    ("early-stopping", &["patience", "early_stopping"]),
    ("controls", &["control", "leakage", "shortcuts", "sanity"]),
    ("normalization", &["normalize", "mean-std"]),
    ("transfer", &["pretrained", "fine-tuning", "finetuning"]),
];

/// The study of a name.
pub fn find(name: &str) -> Option<&'static BuiltIn> {
    ALL.iter().find(|study| study.name == name)
}

/// What is about a word of a name, such as `he-vs-xavier`; nothing is of the name of a file.
fn about_a_word(name: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    if name.contains(['/', '\\', '.']) {
        return None;
    }
    let words: Vec<&str> = name.split(['-', '_', ' ', '+', ',']).collect();
    ABOUT.iter().find(|(study, about)| words.iter().any(|word| study == word || about.contains(word)))
}

/// A study by its name or file: the text of a file, where `what` is one.
///
/// # Errors
/// Neither a file nor a built-in study, with what is similar; or what is wrong with the file.
pub fn definition(what: &str) -> Result<Definition, StudyErrors> {
    let path = Path::new(what);
    if let Some(built_in) = find(what).filter(|_| !path.is_file()) {
        return Definition::parse(
            &Path::new("built in").join(format!("{}.toml", built_in.name)),
            built_in.text,
        );
    }
    match std::fs::read_to_string(path) {
        Ok(text) => Definition::parse(path, &text),
        Err(error) => {
            let names: Vec<String> = ALL.iter().map(|study| study.name.to_owned()).collect();
            let lower = what.to_lowercase();
            let meant = ABOUT.iter().find(|(_, about)| about.contains(&lower.as_str()));
            let similar = did_you_mean(what, &names);
            let meant = meant.or_else(|| similar.is_empty().then(|| about_a_word(&lower)).flatten());
            let hint = match meant {
                Some((study, _)) => format!("; `{study}` compares that"),
                None => similar,
            };
            let message = match error.kind() {
                std::io::ErrorKind::NotFound => format!(
                    "there is no study and no file `{what}`{hint} (a study file ends in .toml; built in are {})",
                    names.join(", ")
                ),
                _ => format!("cannot read {what}: {error}"),
            };
            Err(StudyErrors(vec![StudyFault::new("", message)]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Plan, Request};
    use pupila_train::Setting;

    #[test]
    fn what_a_study_compares_leads_to_it() {
        for (study, about) in ABOUT {
            assert!(find(study).is_some(), "{study}");
            for name in *about {
                assert!(find(name).is_none(), "{name} is a study");
                let told = definition(name).unwrap_err().to_string();
                assert!(told.contains(&format!("no file `{name}`; `{study}` compares that")), "{told}");
            }
        }
    }

    #[test]
    fn a_word_of_a_name_leads_to_the_study_about_it() {
        for (name, study) in [
            ("he-vs-xavier", "initialization"),
            ("Relu_vs_Tanh", "activation"),
            ("sgd-against-adam", "optimizer"),
            ("mlp or cnn", "architecture"),
        ] {
            let told = definition(name).unwrap_err().to_string();
            assert!(told.contains(&format!("`{study}` compares that")), "{told}");
        }
        for name in ["mine-batch.toml", "studies/he-vs-xavier", "one-two"] {
            let told = definition(name).unwrap_err().to_string();
            assert!(!told.contains("compares that"), "{told}");
        }
    }

    #[test]
    fn every_built_in_study_can_be_planned() {
        for study in ALL {
            let definition = definition(study.name).unwrap();
            assert_eq!(definition.name, study.name);
            let mut request = Request::default();
            if study.name == "transfer" {
                let error = Plan::new(&definition, &request).unwrap_err().to_string();
                assert!(error.contains("--init-from"), "{error}");
                let assignment = "transfer.from=weights.pth".to_owned();
                request.layers.settings =
                    vec![Setting { assignment, option: "--init-from weights.pth".into() }];
            }
            let plan = Plan::new(&definition, &request).unwrap_or_else(|e| panic!("{}: {e}", study.name));
            assert!(plan.variants.len() >= 2 && plan.question.ends_with('?'), "{}", study.name);
            assert_eq!(plan.places().len(), plan.variants.len() * plan.seeds.len());
            let names: std::collections::HashSet<String> =
                plan.places().into_iter().map(|place| plan.run_name(place)).collect();
            assert_eq!(names.len(), plan.places().len());
            assert_eq!(find(study.name), Some(study));
        }
    }
}
