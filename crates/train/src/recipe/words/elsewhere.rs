//! What other libraries call the keys of a recipe: a name that means one key in the same unit is taken as that key; one that means something near it is answered.
//!
//! Names are those of the libraries' own documentation: Keras 3 (`fit`, `image_dataset_from_directory`, `optimizers`, `callbacks`), Lightning 2
//! (`Trainer`), fastai 2 (`ImageDataLoaders`, `Learner`), timm 1 (`train.py`), scikit-learn 1 (`MLPClassifier`, `model_selection`), transformers 4
//! (`TrainingArguments`), torch 2 (`optim`, `DataLoader`), Ultralytics 8.

/// Names without case and separators, and the key that they are.
const SAME: &[(&str, &[&str])] = &[
    (
        "optimizer.lr",
        &[
            "maxlr",
            "peaklr",
            "learningrate",
            "learningrateinit",
            "initiallearningrate",
            "initlr",
            "baselr",
            "lr0",
            "lrmax",
        ],
    ),
    ("optimizer.name", &["opt", "optim", "solver", "optimizertype"]),
    ("optimizer.weight_decay", &["wd"]),
    ("optimizer.eps", &["epsilon", "adamepsilon", "opteps"]),
    ("optimizer.betas", &["optbetas", "adambetas"]),
    ("optimizer.alpha", &["rho"]),
    (
        "train.batch",
        &[
            "batchsize",
            "bs",
            "batchsz",
            "minibatch",
            "minibatchsize",
            "trainbatchsize",
            "perdevicetrainbatchsize",
        ],
    ),
    ("train.epochs", &["numepochs", "nepochs", "nepoch", "maxepochs", "numtrainepochs", "totalepochs"]),
    ("train.seed", &["randomstate", "randomseed", "manualseed", "rngseed"]),
    (
        "train.accumulate",
        &["accumulategradbatches", "gradientaccumulationsteps", "gradaccumsteps", "gradaccum"],
    ),
    (
        "train.clip_norm",
        &[
            "gradientclipval",
            "gradclip",
            "gradclipnorm",
            "maxgradnorm",
            "clipgrad",
            "clipgradnorm",
            "globalclipnorm",
            "gradientclipping",
            "gradclipping",
            "clipping",
            "clip",
        ],
    ),
    ("train.ema_decay", &["modelemadecay", "emamomentum"]),
    ("train.monitor", &["metricforbestmodel", "evalmetric"]),
    ("early_stopping.patience", &["earlystop", "earlystopping", "earlystoppingpatience", "niternochange"]),
    ("early_stopping.min_delta", &["earlystoppingmindelta", "earlystoppingthreshold"]),
    (
        "input.size",
        &[
            "img",
            "imsize",
            "imagesz",
            "imagesize",
            "imgsize",
            "imgsz",
            "inputsize",
            "targetsize",
            "resolution",
        ],
    ),
    ("input.channels", &["inchans", "inchannels", "numchannels"]),
    ("input.crop_frac", &["croppct"]),
    ("schedule.name", &["scheduler", "lrscheduler", "lrschedulertype", "sched", "lrschedule"]),
    ("schedule.warmup_steps", &["numwarmupsteps"]),
    ("schedule.step_epochs", &["stepsize", "decayepochs"]),
    ("schedule.gamma", &["factor", "decayrate", "lrgamma"]),
    ("schedule.min_lr", &["etamin", "lrmin"]),
    ("schedule.patience", &["lrpatience", "patienceepochs"]),
    ("schedule.rise_frac", &["pctstart"]),
    ("schedule.start_divisor", &["divfactor"]),
    ("schedule.end_divisor", &["finaldivfactor"]),
    ("model.name", &["arch", "architecture", "backbone", "modelname", "network"]),
    (
        "model.hidden",
        &[
            "units",
            "neurons",
            "hiddensize",
            "hiddendim",
            "nhidden",
            "hiddenunits",
            "hiddenlayers",
            "hiddenlayersizes",
            "hiddensizes",
            "hiddendims",
        ],
    ),
    ("model.filters", &["nfilters", "numfilters"]),
    ("model.dropout", &["dropoutp", "pdropout", "dropoutrate", "droprate", "dropoutprob", "drop"]),
    ("model.stochastic_depth", &["droppath", "droppathrate"]),
    ("model.init", &["initializer", "kernelinitializer", "weightinit"]),
    ("model.activation", &["actlayer", "activationfunction", "nonlinearity"]),
    ("model.batch_norm", &["batchnormalization", "usebatchnorm", "usebn", "bn"]),
    ("transfer.lr_decay", &["layerdecay"]),
    ("transfer.head_epochs", &["freezeepochs"]),
    ("loss.label_smoothing", &["smoothing", "labelsmoothingfactor"]),
    ("loss.class_weights", &["classweight"]),
    ("augment.transforms", &["augmentation", "augment", "aug", "augmentations", "dataaugmentation"]),
    ("augment.mixup", &["mixupalpha"]),
    ("augment.cutmix", &["cutmixalpha"]),
    ("augment.mix_p", &["mixupprob"]),
    (
        "data.val_frac",
        &[
            "valsplit",
            "valsize",
            "valpct",
            "valratio",
            "valfraction",
            "validpct",
            "validsize",
            "validationsplit",
            "validationsize",
            "validationfraction",
        ],
    ),
    (
        "data.folds",
        &["cv", "crossval", "crossvalidation", "nsplits", "nfolds", "numfolds", "kfold", "kfolds", "k"],
    ),
    ("data.group", &["groups", "groupcol", "groupcolumn"]),
    ("data.path_column", &["fncol", "filenamecol", "imagecol", "imagecolumn", "xcol", "pathcol"]),
    ("data.label_column", &["labelcol", "targetcol", "targetcolumn", "ycol"]),
    ("data.split_column", &["validcol", "splitcol"]),
    ("data.extension", &["suff"]),
    ("data.images", &["imagedir", "imagesdir", "imgdir", "imagefolder"]),
    ("data.train", &["traindir", "trainpath", "trainfolder"]),
    ("data.val", &["valdir", "valpath", "valfolder", "validdir"]),
    ("data.test", &["testdir", "testpath", "testfolder"]),
    (
        "data.max_per_class",
        &[
            "maxsamplesperclass",
            "maximagesperclass",
            "imagesperclass",
            "samplesperclass",
            "nperclass",
            "perclass",
            "shots",
        ],
    ),
    ("data.normalize", &["normalise", "standardize", "normalization"]),
    ("tracking.steps_every", &["logeverynsteps", "loggingsteps", "loginterval"]),
    ("tracking.experiment", &["experimentname"]),
    ("tracking.mlflow", &["trackinguri", "mlflowuri"]),
    ("checkpoint.steps", &["savesteps", "everyntrainsteps"]),
];

/// The key that other libraries call so, in the same unit; `name` is without case and separators.
pub(super) fn same(name: &str) -> Option<&'static str> {
    SAME.iter().find(|(_, theirs)| theirs.contains(&name)).map(|(ours, _)| *ours)
}

#[cfg(test)]
mod tests {
    use super::super::super::schema;
    use super::super::near;
    use super::super::spanish::SPANISH;
    use super::*;

    #[test]
    fn every_target_is_a_key() {
        let known = schema::keys();
        for (key, names) in SAME.iter().chain(SPANISH) {
            assert!(known.iter().any(|known| known == key), "{key}");
            assert!(!names.is_empty());
        }
    }

    #[test]
    fn no_name_means_two_things_or_is_a_key_by_itself() {
        let names: Vec<&str> =
            SAME.iter().chain(SPANISH).flat_map(|(_, names)| *names).chain(near::names()).copied().collect();
        let ours: Vec<String> = schema::keys()
            .iter()
            .map(|key| key.rsplit('.').next().unwrap_or_default().replace('_', ""))
            .collect();
        for (place, name) in names.iter().enumerate() {
            assert!(!names[..place].contains(name), "{name} twice");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{name}");
            // A key's own name is found before these are looked at.
            let is_own = ours.iter().any(|ours| ours == name);
            assert!(!is_own || near::mistakable(name).is_some(), "{name} is the name of a key");
        }
    }
}
