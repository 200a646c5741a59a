//! What other libraries call the keys of a recipe: the arguments of Keras, PyTorch Lightning, fastai, timm, scikit-learn and Hugging Face's `Trainer`
//! that have an equivalent here. A name that means one key in the same unit is taken as that key; one that means something near it is answered.
//!
//! Names are those of the libraries' own documentation: Keras 3 (`fit`, `image_dataset_from_directory`, `optimizers`, `callbacks`), Lightning 2
//! (`Trainer`), fastai 2 (`ImageDataLoaders`, `Learner`), timm 1 (`train.py`), scikit-learn 1 (`MLPClassifier`, `model_selection`), transformers 4
//! (`TrainingArguments`), torch 2 (`optim`, `DataLoader`), Ultralytics 8.

/// Names without case and separators, and the key that they are.
const SAME: &[(&str, &[&str])] = &[
    (
        "optimizer.lr",
        &["learningrate", "learningrateinit", "initiallearningrate", "initlr", "baselr", "lr0", "lrmax"],
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
        ],
    ),
    ("train.ema_decay", &["modelemadecay", "emamomentum"]),
    ("train.monitor", &["metricforbestmodel", "evalmetric"]),
    ("early_stopping.patience", &["earlystopping", "earlystoppingpatience", "niternochange"]),
    ("early_stopping.min_delta", &["earlystoppingmindelta", "earlystoppingthreshold"]),
    ("input.size", &["imagesize", "imgsize", "imgsz", "inputsize", "targetsize", "resolution"]),
    ("input.channels", &["inchans", "inchannels", "numchannels"]),
    ("input.crop_frac", &["croppct"]),
    ("schedule.name", &["scheduler", "lrscheduler", "lrschedulertype", "sched", "lrschedule"]),
    ("schedule.warmup_steps", &["numwarmupsteps"]),
    ("schedule.step_epochs", &["stepsize", "decayepochs"]),
    ("schedule.gamma", &["decayrate", "lrgamma"]),
    ("schedule.min_lr", &["etamin", "lrmin"]),
    ("schedule.patience", &["lrpatience", "patienceepochs"]),
    ("schedule.rise_frac", &["pctstart"]),
    ("schedule.start_divisor", &["divfactor"]),
    ("schedule.end_divisor", &["finaldivfactor"]),
    ("model.name", &["arch", "architecture", "backbone", "modelname", "network"]),
    ("model.hidden", &["hiddenunits", "hiddenlayers", "hiddenlayersizes", "hiddensizes", "hiddendims"]),
    ("model.filters", &["nfilters", "numfilters"]),
    ("model.dropout", &["dropoutrate", "droprate", "dropoutprob", "drop"]),
    ("model.stochastic_depth", &["droppath", "droppathrate"]),
    ("model.init", &["initializer", "kernelinitializer", "weightinit"]),
    ("model.activation", &["actlayer", "activationfunction", "nonlinearity"]),
    ("model.batch_norm", &["usebatchnorm", "usebn", "bn"]),
    ("transfer.lr_decay", &["layerdecay"]),
    ("transfer.head_epochs", &["freezeepochs"]),
    ("loss.label_smoothing", &["smoothing", "labelsmoothingfactor"]),
    ("loss.class_weights", &["classweight"]),
    ("augment.transforms", &["augmentations", "dataaugmentation"]),
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
    ("data.folds", &["nsplits", "nfolds", "numfolds", "kfold", "kfolds"]),
    ("data.group", &["groups", "groupcol", "groupcolumn"]),
    ("data.path_column", &["fncol", "filenamecol", "imagecol", "imagecolumn", "xcol", "pathcol"]),
    ("data.label_column", &["labelcol", "targetcol", "targetcolumn", "ycol"]),
    ("data.split_column", &["validcol", "splitcol"]),
    ("data.extension", &["suff"]),
    ("data.images", &["imagedir", "imagesdir", "imgdir", "imagefolder"]),
    ("data.train", &["traindir", "trainpath", "trainfolder"]),
    ("data.val", &["valdir", "valpath", "valfolder", "validdir"]),
    ("data.test", &["testdir", "testpath", "testfolder"]),
    ("data.max_per_class", &["maxsamplesperclass", "maximagesperclass"]),
    ("data.normalize", &["normalization"]),
    ("tracking.steps_every", &["logeverynsteps", "loggingsteps", "loginterval"]),
    ("tracking.experiment", &["experimentname"]),
    ("tracking.mlflow", &["trackinguri", "mlflowuri"]),
    ("checkpoint.steps", &["savesteps", "everyntrainsteps"]),
];

/// Names of what is near a key, or needs none; with what to say, in which every key stands as `[KEY]`.
const NEAR: &[(&[&str], &str)] = &[
    (
        &["testsize", "testsplit", "testfraction", "testfrac", "testpct", "testratio"],
        "no test set is split off here: [data.val_frac]=0.2 sets images aside for validation, and a test set is a folder or a split of the data \
         ([data.test]=FOLDER)",
    ),
    (
        &["trainsize", "trainsplit", "trainfrac", "trainratio"],
        "what is not set aside for validation is trained on: [data.val_frac]=0.2; [data.fraction] trains on a part of it",
    ),
    (
        &["shuffle", "shufflebuffersize", "shuffletrain"],
        "training images are shuffled anew in every epoch, and [train.seed] says how: leave it out",
    ),
    (
        &["stratify", "stratified"],
        "what is set aside for validation ([data.val_frac], [data.folds]) has the classes' shares as it is: leave it out",
    ),
    (
        &["numworkers", "workers", "njobs", "nworkers", "dataloadernumworkers", "numthreads", "threads"],
        "--threads N says on how many cores it works: leave the key out",
    ),
    (
        &["device", "devices", "gpu", "gpus", "ngpus", "usegpu", "cuda", "accelerator", "strategy", "mps"],
        "it trains on the processor; --threads N says on how many of its cores",
    ),
    (
        &["precision", "amp", "fp16", "bf16", "mixedprecision", "half"],
        "all is computed in float32: leave it out",
    ),
    (
        &["deterministic", "reproducible", "cudnnbenchmark"],
        "results are the same to the bit on any number of threads: leave it out",
    ),
    (
        &["itemtfms", "resize"],
        "[input.size]=224 is what the network sees, [input.fit] how a picture becomes that, and [augment.transforms] varies the training images",
    ),
    (
        &["batchtfms", "tfms", "augtransforms", "augmentation", "augment", "traintransform", "transform"],
        "what varies the training images is a list: [augment.transforms]=horizontal_flip,rotate (`pupila list transforms`)",
    ),
    (
        &["warmup", "warmupepochs", "warmupratio", "warmupfrac"],
        "the warm-up is counted in updates: [schedule.warmup_steps]=500",
    ),
    (
        &["warmuplr", "warmupstartlr"],
        "the warm-up begins with a share of the learning rate: [schedule.warmup_start]=0.1",
    ),
    (&["beta1", "beta2", "adambeta1", "adambeta2"], "both stand in one key: [optimizer.betas]=[0.9, 0.999]"),
    (
        &["l2", "l2reg", "l2regularization", "kernelregularizer"],
        "that is [optimizer.weight_decay]=0.0001, which under adamw is decoupled from the gradient's moments",
    ),
    (
        &["maxiter", "maxiters", "maxsteps", "trainsteps", "totalsteps", "stepsperepoch", "iterations"],
        "the length of a run is [train.epochs], and an epoch shows every training image once ([train.batch] at a time)",
    ),
    (
        &["divfinal"],
        "the last learning rate is the first one divided by [schedule.end_divisor]=10000, and the first the highest by [schedule.start_divisor]=25",
    ),
    (&["tol"], "early stopping waits for an improvement of more than [early_stopping.min_delta]=0.001"),
    (
        &["restorebestweights", "savebestonly", "loadbestmodelatend", "savetopk", "enablecheckpointing"],
        "the best epoch's model is always kept, by [train.monitor]=val/loss: leave it out",
    ),
    (
        &["metrics", "evalmetrics", "scoring"],
        "all metrics are always computed; [train.monitor]=val/macro_f1 says which chooses the best epoch",
    ),
    (
        &["numclasses", "nclasses", "nclass", "classes", "classnames"],
        "the classes are those of the data; [data.rename] gives them other names, and [data.exclude] leaves some out",
    ),
    (&["rescale", "rescaling"], "pixels are scaled by [data.normalize] as it is: leave it out"),
    (
        &["mean", "std", "imagemean", "imagestd"],
        "both stand in one key: [data.normalize]={ mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] }",
    ),
    (&["colormode", "grayscale", "gray", "greyscale"], "[input.channels]=1 is gray, 3 is color"),
    (
        &["croptoaspectratio", "centercrop", "keepratio"],
        "[input.fit]=crop keeps the shape and cuts the middle out",
    ),
    (&["padtoaspectratio", "rect"], "[input.fit]=letterbox keeps the shape, with gray at its sides"),
    (
        &["pretrained", "weights", "initialcheckpoint", "pretrainedweights", "initfrom"],
        "learnt weights are named: [transfer.from]=RUN_OR_FILE (`pupila list pretrained` has those that are known)",
    ),
    (
        &["resume", "resumefrom", "ckptpath", "resumefromcheckpoint"],
        "a run that was stopped goes on by `pupila resume RUN`",
    ),
    (
        &["tta", "testtimeaugmentation"],
        "several views of an image are averaged by `pupila eval RUN DATA --tta flips`",
    ),
    (&["swa", "useema", "ema", "modelema"], "the mean of the values is kept by [train.ema_decay]=0.999"),
    (
        &["oversampling", "weightedsampler", "balanced", "classbalance", "balance"],
        "rare classes are shown more often by [data.sampler]=balanced, or count for more by [loss.class_weights]=balanced",
    ),
    (
        &["limittrainbatches", "overfitbatches", "subset"],
        "[data.fraction]=0.1 trains on a tenth of each class",
    ),
    (
        &["datadir", "dataroot", "datapath", "dataset", "root"],
        "the data are what is named first: pupila train DATA; [data.train]=FOLDER, [data.val], [data.test] say which folder below is which split",
    ),
    (
        &["outputdir", "savedir", "logdir", "defaultrootdir", "checkpointdir", "project", "workdir"],
        "the folder that runs are made in is --runs DIR, and a run's own name --name NAME",
    ),
    (&["verbose", "loglevel", "verbosity"], "--verbose shows more"),
    (
        &["logger", "reportto", "wandb", "usewandb", "callbacks"],
        "where a run is recorded: [tracking.tensorboard]=true, [tracking.mlflow]=http://HOST:5000, [tracking.report]=true",
    ),
];

/// Transforms by the names that other libraries give them; those of a strength are arguments of Keras, timm or Ultralytics.
pub(super) const TRANSFORMS: &[(&str, &str)] = &[
    ("cutout", "coarse_dropout"),
    ("randomerasing", "coarse_dropout"),
    ("reprob", "coarse_dropout"),
    ("randomhorizontalflip", "horizontal_flip"),
    ("randomverticalflip", "vertical_flip"),
    ("hflip", "horizontal_flip"),
    ("fliplr", "horizontal_flip"),
    ("vflip", "vertical_flip"),
    ("flipud", "vertical_flip"),
    ("randomrotation", "rotate"),
    ("rotation", "rotate"),
    ("rotationrange", "rotate"),
    ("degrees", "rotate"),
    ("zoomrange", "shift_scale_rotate"),
    ("widthshiftrange", "shift_scale_rotate"),
    ("heightshiftrange", "shift_scale_rotate"),
    ("brightnessrange", "random_brightness_contrast"),
    ("colorjitter", "color_jitter"),
    ("randaug", "rand_augment"),
    ("randaugment", "rand_augment"),
    ("trivialaugmentwide", "trivial_augment"),
];

/// The key that other libraries call so, in the same unit; `name` is without case and separators.
pub(super) fn same(name: &str) -> Option<&'static str> {
    SAME.iter().find(|(_, theirs)| theirs.contains(&name)).map(|(ours, _)| *ours)
}

/// What to say of a name that means something near a key, or needs none here; `name` is without case and separators.
pub(super) fn near(name: &str) -> Option<String> {
    let (_, said) = NEAR.iter().find(|(theirs, _)| theirs.contains(&name))?;
    Some(
        keys_in(said)
            .into_iter()
            .fold((*said).to_owned(), |text, key| text.replace(&format!("[{key}]"), key)),
    )
}

/// The keys that a sentence names.
fn keys_in(said: &str) -> Vec<&str> {
    let is_key = |text: &&str| {
        text.contains('.') && text.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '.')
    };
    said.split('[').skip(1).filter_map(|rest| rest.split(']').next()).filter(is_key).collect()
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    #[test]
    fn every_target_is_a_key_or_a_transform() {
        let known = schema::keys();
        let is_known = |key: &str| known.iter().any(|known| known == key);
        for (key, names) in SAME {
            assert!(is_known(key), "{key}");
            assert!(!names.is_empty());
        }
        for (names, said) in NEAR {
            for key in keys_in(said) {
                assert!(is_known(key), "{key} in {said}");
            }
            // What stands in brackets and is no key is a value.
            assert!(!near(names[0]).unwrap().contains("[data."), "{said}");
        }
        for (theirs, ours) in TRANSFORMS {
            assert!(
                pupila_transforms::registry().iter().any(|entry| entry.name == *ours),
                "{theirs}: {ours}"
            );
        }
    }

    #[test]
    fn no_name_means_two_things_or_is_a_key_by_itself() {
        let names: Vec<&str> = SAME
            .iter()
            .flat_map(|(_, names)| *names)
            .chain(NEAR.iter().flat_map(|(names, _)| *names))
            .copied()
            .collect();
        let ours: Vec<String> = schema::keys()
            .iter()
            .map(|key| key.rsplit('.').next().unwrap_or_default().replace('_', ""))
            .collect();
        for (place, name) in names.iter().enumerate() {
            assert!(!names[..place].contains(name), "{name} twice");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{name}");
            // A key's own name is found before these are looked at.
            assert!(!ours.iter().any(|ours| ours == name), "{name} is the name of a key");
        }
    }
}
