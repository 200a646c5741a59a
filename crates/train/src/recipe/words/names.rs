//! Names of architectures, optimizers, schedules and the like, by what other libraries call them.

use super::plain;
use super::said::Said;
use crate::schedule::SCHEDULES;
use pupila_backend::optimizer;
use pupila_network::architectures;

/// Values by the names that other libraries give them, without case and underscores.
const VALUES: &[(&str, &str, &str)] = &[
    ("model.init", "henormal", "kaiming_normal"),
    ("model.init", "heuniform", "kaiming_uniform"),
    ("model.init", "glorotnormal", "xavier_normal"),
    ("model.init", "glorotuniform", "xavier_uniform"),
    ("model.init", "default", "pytorch"),
    ("schedule.name", "cosineannealing", "cosine"),
    ("schedule.name", "cosineannealinglr", "cosine"),
    ("schedule.name", "steplr", "step"),
    ("schedule.name", "exponentiallr", "exponential"),
    ("schedule.name", "onecyclelr", "one_cycle"),
    ("schedule.name", "reducelronplateau", "plateau"),
    ("schedule.name", "reduceonplateau", "plateau"),
    ("schedule.name", "reducelr", "plateau"),
    ("schedule.name", "lronplateau", "plateau"),
    ("schedule.name", "cosinedecay", "cosine"),
    ("schedule.name", "cos", "cosine"),
    ("schedule.name", "coslr", "cosine"),
    ("schedule.name", "exponentialdecay", "exponential"),
    ("schedule.name", "exp", "exponential"),
    ("schedule.name", "stepdecay", "step"),
    ("schedule.name", "constantlr", "constant"),
    ("schedule.name", "none", "constant"),
    ("optimizer.name", "sgdmomentum", "sgd"),
    ("loss.class_weights", "auto", "balanced"),
    ("loss.class_weights", "inverse", "balanced"),
    ("data.sampler", "random", "shuffle"),
    ("data.sampler", "weightedrandomsampler", "balanced"),
    ("data.sampler", "weightedrandom", "balanced"),
    ("data.sampler", "classbalanced", "balanced"),
    ("data.sampler", "randomsampler", "shuffle"),
    ("data.sampler", "oversampling", "oversample"),
    ("data.sampler", "undersampling", "undersample"),
    ("model.activation", "swish", "silu"),
    ("input.channels", "gray", "1"),
    ("input.channels", "grey", "1"),
    ("input.channels", "grayscale", "1"),
    ("input.channels", "greyscale", "1"),
    ("input.channels", "gris", "1"),
    ("input.channels", "grises", "1"),
    ("input.channels", "escaladegrises", "1"),
    ("input.channels", "color", "3"),
    ("input.channels", "colour", "3"),
    ("input.channels", "rgb", "3"),
    ("model.name", "convnet", "cnn"),
    ("model.name", "simplecnn", "cnn"),
    ("model.name", "smallcnn", "cnn"),
    ("model.name", "convolutional", "cnn"),
    ("model.name", "dense", "mlp"),
    ("model.name", "dnn", "mlp"),
    ("model.name", "ann", "mlp"),
    ("model.name", "fc", "mlp"),
    ("model.name", "multilayerperceptron", "mlp"),
];

/// Names of what there is not, by the key, with what comes near it.
const ABSENT: &[(&str, &[&str], &str)] = &[
    (
        "schedule.name",
        &["warmup", "linearwarmup", "constantwithwarmup", "linearlr"],
        "a warm-up goes before any schedule: [schedule.name]=constant [schedule.warmup_steps]=500",
    ),
    (
        "schedule.name",
        &["cosinewithwarmup", "warmupcosine", "cosinewarmup", "linearwarmupcosineannealinglr"],
        "a warm-up goes before any schedule: [schedule.name]=cosine [schedule.warmup_steps]=500",
    ),
    (
        "schedule.name",
        &["cosineannealingwarmrestarts", "cosinewithrestarts", "cosinedecayrestarts", "sgdr"],
        "the cosine falls once, without restarts: [schedule.name]=cosine",
    ),
    (
        "schedule.name",
        &[
            "linear",
            "poly",
            "polynomial",
            "polynomiallr",
            "polynomialdecay",
            "lambda",
            "lambdalr",
            "inversesqrt",
        ],
        "what falls evenly over the run is [schedule.name]=cosine",
    ),
    (
        "schedule.name",
        &["cyclic", "cycliclr", "triangular"],
        "one rise and one fall are [schedule.name]=one_cycle",
    ),
    (
        "schedule.name",
        &["multistep", "multisteplr", "piecewiseconstant", "piecewiseconstantdecay"],
        "drops that are evenly apart are [schedule.name]=step [schedule.step_epochs]=10 [schedule.gamma]=0.1",
    ),
    (
        "optimizer.name",
        &["nadam", "radam", "adamax", "adagrad", "adadelta", "lion", "lamb", "adabelief", "adafactor"],
        "there is none of it; the nearest is [optimizer.name]=adamw",
    ),
    ("optimizer.name", &["lars", "lbfgs", "ftrl"], "there is none of it (`pupila list optimizers`)"),
    ("optimizer.name", &["momentum"], "it is a key of sgd: [optimizer.name]=sgd [optimizer.momentum]=0.9"),
    (
        "optimizer.name",
        &["nesterov", "nag"],
        "it is a key of sgd: [optimizer.name]=sgd [optimizer.momentum]=0.9 [optimizer.nesterov]=true",
    ),
    (
        "data.normalize",
        &["zscore", "standard", "standardscaler", "standardize", "meanstd", "zscoring"],
        "mean and deviation are those of the training images by [data.normalize]=data, of each image by [data.normalize]=image, of ImageNet by \
         [data.normalize]=imagenet",
    ),
    (
        "data.normalize",
        &["minmaxscaler", "unit", "rescale", "rescaling"],
        "pixels are from 0 to 1 by [data.normalize]=none, and from the lowest value of each image to its highest by [data.normalize]=min_max",
    ),
    (
        "model.name",
        &["linear", "logistic", "logisticregression", "softmax", "perceptron"],
        "a network without hidden layers is [model.name]=mlp [model.hidden]=[]",
    ),
    (
        "model.name",
        &["vit", "vitb16", "swin", "transformer", "deit"],
        "there is no transformer (`pupila list models`); as small are [model.name]=convnext_atto and [model.name]=resnet18",
    ),
    (
        "model.name",
        &["lenet", "lenet5", "alexnet", "vgg", "vgg11", "vgg16", "vgg19"],
        "a plain convolutional network is [model.name]=cnn [model.filters]=16,32,64 [model.hidden]=128",
    ),
];

/// The names that a key takes, where it takes names.
pub(super) fn names(key: &str) -> Vec<String> {
    match key {
        "model.name" => architectures::REGISTRY.iter().map(|entry| entry.name.to_owned()).collect(),
        "optimizer.name" => optimizer::REGISTRY.iter().map(|entry| entry.name.to_owned()).collect(),
        "schedule.name" => SCHEDULES.iter().map(|entry| entry.name.to_owned()).collect(),
        "train.monitor" => {
            pupila_metrics::METRICS.iter().map(|metric| format!("val/{}", metric.name)).collect()
        }
        _ => Vec::new(),
    }
}

/// The value that other libraries call so.
pub(super) fn named_elsewhere(key: &str, name: &str) -> Option<String> {
    let wanted = plain(name);
    let found = VALUES.iter().find(|(of, theirs, _)| *of == key && *theirs == wanted);
    found.map(|(_, _, ours)| (*ours).to_owned())
}

/// What to say of the name of something that there is not, with what comes near it.
pub(super) fn absent(key: &str, name: &str) -> Option<String> {
    let wanted = plain(name);
    if names(key).contains(&wanted) {
        return None;
    }
    let found = ABSENT.iter().find(|(of, theirs, _)| *of == key && theirs.contains(&wanted.as_str()));
    found.map(|(_, _, said)| Said(said).told(None))
}

#[cfg(test)]
mod tests {
    use super::super::proposal::testing::{lines_of, takes};
    use super::*;

    #[test]
    fn names_of_others_lead_to_values_that_their_key_takes() {
        for (place, (key, theirs, ours)) in VALUES.iter().enumerate() {
            assert!(takes(&[format!("{key}={ours}")]), "{key}={ours}");
            assert!(plain(theirs) == *theirs && !names(key).contains(&(*theirs).to_owned()), "{theirs}");
            assert!(!VALUES[..place].iter().any(|(k, t, _)| (k, t) == (key, theirs)), "{theirs} twice");
        }
        for (place, (key, all, _)) in ABSENT.iter().enumerate() {
            for name in *all {
                let told = absent(key, name).unwrap_or_else(|| panic!("{name} is there"));
                lines_of(&told).iter().for_each(|line| assert!(takes(line), "{name}: {told}"));
                let other = |(k, names, _): &(&str, &[&str], &str)| k == key && names.contains(name);
                assert!(
                    named_elsewhere(key, name).is_none() && !ABSENT[..place].iter().any(other),
                    "{name} twice"
                );
            }
        }
    }
}
