//! What other libraries call what is near a key, or needs none here, and what to say of it.

use super::said::Said;

/// Names of what is near a key, or needs none; with what to say, in which every key stands as `[KEY]`.
const NEAR: &[(&[&str], &str)] = &[
    (
        &[
            "split",
            "splitratio",
            "holdout",
            "testsize",
            "testsplit",
            "testfraction",
            "testfrac",
            "testpct",
            "testratio",
        ],
        "no test set is split off here: [data.val_frac]=<0.2> sets images aside for validation, and a test set is a folder or a split of the data \
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
        &[
            "device",
            "devices",
            "nocuda",
            "multigpu",
            "tpu",
            "gpu",
            "gpus",
            "ngpus",
            "usegpu",
            "cuda",
            "accelerator",
            "strategy",
            "mps",
        ],
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
        &["batchtfms", "tfms", "augtransforms", "traintransform", "transform"],
        "what varies the training images is a list: [augment.transforms]=horizontal_flip,rotate (`pupila list transforms`)",
    ),
    (
        &["warmup", "warmupepochs", "warmupratio", "warmupfrac"],
        "the warm-up is counted in updates: [schedule.warmup_steps]=500",
    ),
    (
        &["warmuplr", "warmupstartlr"],
        "the warm-up begins with a share of the learning rate: [schedule.warmup_start]=0.1 [schedule.warmup_steps]=500",
    ),
    (&["beta1", "adambeta1"], "both betas stand in one key: [optimizer.betas]=[<0.9>, 0.999]"),
    (&["beta2", "adambeta2"], "both betas stand in one key: [optimizer.betas]=[0.9, <0.999>]"),
    (
        &["amsgrad", "dampening", "centered", "foreach", "fused"],
        "no optimizer has it here (`pupila list optimizers`): leave it out",
    ),
    (
        &["l2", "l2reg", "l2regularization", "kernelregularizer"],
        "that is [optimizer.weight_decay]=<0.0001>, which under adamw is decoupled from the gradient's moments",
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
        &[
            "restorebestweights",
            "savebest",
            "savemodel",
            "save",
            "saveperiod",
            "checkpoint",
            "modelcheckpoint",
            "savebestonly",
            "loadbestmodelatend",
            "savetopk",
            "enablecheckpointing",
        ],
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
    (
        &[
            "colormode",
            "grayscale",
            "gray",
            "greyscale",
            "color",
            "rgb",
            "gris",
            "grises",
            "escaladegrises",
            "escaladegris",
        ],
        "[input.channels]=1 is gray, 3 is color",
    ),
    (
        &["croptoaspectratio", "centercrop", "keepratio"],
        "[input.fit]=crop keeps the shape and cuts the middle out",
    ),
    (&["padtoaspectratio", "rect"], "[input.fit]=letterbox keeps the shape, with gray at its sides"),
    (
        // What stands there is the name of a data set or nothing, and no file.
        &["pretrained", "pretrainedweights", "weights"],
        "learnt weights are named: [transfer.from]=RUN_OR_FILE (`pupila list pretrained` has those that are known, and how to get them)",
    ),
    (
        &["initialcheckpoint", "initfrom"],
        "learnt weights are named: [transfer.from]=<RUN_OR_FILE> (`pupila list pretrained` has those that are known)",
    ),
    (
        &["resume", "resumefrom", "ckptpath", "resumefromcheckpoint"],
        "a run that was stopped goes on by `pupila resume <RUN>`",
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
        &[
            "data",
            "datafolder",
            "traindata",
            "inputdir",
            "source",
            "datadir",
            "dataroot",
            "datapath",
            "dataset",
            "root",
        ],
        "the data are what is named first: pupila train DATA; [data.train]=FOLDER, [data.val], [data.test] say which folder below is which split",
    ),
    (
        &[
            "outputdir",
            "outdir",
            "out",
            "output",
            "outputpath",
            "savepath",
            "savedir",
            "logdir",
            "defaultrootdir",
            "checkpointdir",
            "project",
            "workdir",
        ],
        "the folder that runs are made in is --runs DIR, and a run's own name --name NAME",
    ),
    (&["verbose", "loglevel", "verbosity"], "--verbose shows more"),
    (
        &["callbacks", "callback"],
        "what callbacks do are keys: [early_stopping.patience]=5 ends a run early, [schedule.name]=plateau lowers the learning rate, the best epoch's model is \
         always kept, by [train.monitor]=val/loss, and [tracking.mlflow]=http://HOST:5000 records a run",
    ),
    (
        &["policy", "augpolicy", "augmentpolicy"],
        "a policy is a transform: [augment.transforms]=trivial_augment or [augment.transforms]=rand_augment",
    ),
    (
        &[
            "convlayers",
            "nconvlayers",
            "numconvlayers",
            "nconv",
            "convs",
            "convolutions",
            "convchannels",
            "convfilters",
        ],
        "each number in a list is a convolution with so many channels: [model.name]=cnn [model.filters]=16,32,64",
    ),
    (
        &["posweight", "scaleposweight", "weightperclass", "minorityweight"],
        "the errors of rare classes count for more by [loss.class_weights]=balanced, or by a table with the weight of each class",
    ),
    (
        &["logger", "reportto", "wandb", "usewandb"],
        "where a run is recorded: [tracking.tensorboard]=true, [tracking.mlflow]=http://HOST:5000, [tracking.report]=true",
    ),
    (
        &["tmax", "t0", "tmult", "restarts"],
        "the cosine falls once, over the whole run: [schedule.name]=cosine [schedule.min_lr]=0, and its length is [train.epochs]",
    ),
    (
        &["milestones"],
        "the drops of a schedule are evenly apart: [schedule.name]=step [schedule.step_epochs]=10 [schedule.gamma]=0.1",
    ),
    (&["cooldown"], "the schedule plateau waits for [schedule.patience] alone: leave it out"),
    (
        &["mode", "monitormode", "greaterisbetter"],
        "whether a metric is better high or low is known of it: leave it out ([train.monitor]=val/macro_f1)",
    ),
    (
        &["kernelsize", "kernel", "ksize", "stride", "strides", "poolsize", "pooling", "maxpool"],
        "the convolutions of cnn are 3x3, each halved by max-pooling: [model.name]=cnn [model.filters]=16,32,64 says how many channels they have",
    ),
    (
        &["nlayers", "numlayers", "layers", "depth", "nhiddenlayers", "numhiddenlayers"],
        "each width in a list is a layer: [model.hidden]=128,64 for the linear ones, [model.name]=cnn [model.filters]=16,32,64 for the convolutions",
    ),
    (
        &["height", "width", "imgheight", "imgwidth", "imageheight", "imagewidth", "inputshape"],
        "one number is both sides: [input.size]=<64>; two are height and width: [input.size]=[48, 64]",
    ),
    (
        &["maximages", "maxsamples", "nimages", "nsamples", "limit", "samplesize"],
        "few images are trained on by [data.max_per_class]=100, so many of each class, or [data.fraction]=0.1, a share of each",
    ),
    (
        &["enabled", "enable"],
        "no section has a switch: early stopping is on by [early_stopping.patience]=5, augmentation off by [augment.transforms]=none",
    ),
    (&["keepprob", "keeprate"], "dropout is the share that is dropped, not kept: [model.dropout]=0.3"),
    (
        &["l1", "l1reg", "l1regularization"],
        "there is no L1 penalty; [optimizer.weight_decay]=0.0001 is that of squares",
    ),
    (
        &["seeds", "nseeds", "repeats", "nrepeats", "nruns"],
        "a run has one seed, [train.seed]=0; several are compared by `pupila study FILE DATA --seeds <3>` (`pupila list studies`)",
    ),
    (
        &["trials", "ntrials", "nitersearch"],
        "trials are those of a search: `pupila search DATA --space space.toml --trials <20>` (docs/search.md)",
    ),
    (
        &["pinmemory", "prefetch", "prefetchfactor", "persistentworkers", "cacheimages"],
        "batches are made beside the training as it is: leave it out",
    ),
    (&["droplast", "dropremainder"], "the last batch of an epoch is as large as what is left: leave it out"),
    (
        &["validationdata", "valdata", "testdata"],
        "which folder below the data is which split is said by [data.val]=FOLDER and [data.test]=FOLDER; other labelled images are for `pupila eval RUN OTHER_DATA`",
    ),
    (
        &["plot", "plots", "showplots", "visualize", "history", "confusionmatrix"],
        "report.html in the run's folder has the curves and the confusion matrix of every run: leave it out",
    ),
    (
        &["freezebackbone", "freezebase", "frozen", "trainable"],
        "learnt layers stay as they are by [transfer.from]=RUN_OR_FILE [transfer.freeze]=backbone",
    ),
];

/// Names that a key has by itself, and that people type for something else; with what to say where no section says which is meant.
const MISTAKABLE: &[(&[&str], &str)] = &[
    (
        &["alpha"],
        "that may be MixUp's, [augment.mixup]=<0.2>; scikit-learn's penalty, [optimizer.weight_decay]=0.0001; or the decay of rmsprop, [optimizer.name]=rmsprop [optimizer.alpha]=0.99: type which",
    ),
    (
        &["lrdecay", "decay", "lrdecayrate", "learningratedecay"],
        "the learning rate falls by a schedule: [schedule.name]=exponential [schedule.gamma]=0.95; weights decay by [optimizer.weight_decay]=0.0001; lower layers learn \
         less by [transfer.lr_decay]",
    ),
    (
        &["steps"],
        "the length of a run is [train.epochs]=30, and an epoch shows every training image once; [checkpoint.steps] are those between two checkpoints",
    ),
    (
        &["threshold"],
        "the class is the most likely one, without a threshold; [schedule.name]=plateau [schedule.threshold]=0.0001 is that of the schedule",
    ),
    (
        &["labels"],
        "the column that names the classes is [data.label_column]=<COLUMN>; [data.labels]=shuffled is a negative control",
    ),
];

/// What to say of a name that means something near a key, or needs none here; `name` is without case and separators.
pub(super) fn near(name: &str) -> Option<Said> {
    find(NEAR, name)
}

/// What to say of a name that is that of a key and mostly means something else.
pub(super) fn mistakable(name: &str) -> Option<Said> {
    find(MISTAKABLE, name)
}

fn find(table: &[(&[&str], &'static str)], name: &str) -> Option<Said> {
    table.iter().find(|(theirs, _)| theirs.contains(&name)).map(|(_, said)| Said(said))
}

/// All names that are answered.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static &'static str> {
    NEAR.iter().chain(MISTAKABLE).flat_map(|(names, _)| *names)
}

#[cfg(test)]
mod tests {
    use super::super::super::schema;
    use super::super::proposal::testing::{lines_of, takes};
    use super::super::said;
    use super::*;

    #[test]
    fn every_line_to_type_is_one_that_works() {
        let known = schema::keys();
        for (names, said) in NEAR.iter().chain(MISTAKABLE) {
            for inner in said.split('[').skip(1).filter_map(|rest| rest.split(']').next()) {
                assert!(
                    !said::is_key(inner) || known.iter().any(|known| known == inner),
                    "{inner} in {said}"
                );
            }
            for typed in [None, Some("0.5"), Some("runs/a"), Some("true")] {
                let told = Said(said).told(typed);
                assert!(!told.contains(['<', '>']) && !told.contains("[data."), "{told}");
                for line in lines_of(&told) {
                    assert!(takes(&line), "{names:?} {typed:?}: {line:?} of {told}");
                }
            }
        }
    }
}
