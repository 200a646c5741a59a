//! What can be typed. Values of the recipe are taken as text here and checked with the recipe, so that all mistakes are
//! told at once.

mod hint;
mod many;
mod verbs;

pub(crate) use hint::with_hint;
pub(crate) use many::{Keep, Level, Runs, Search, Sort, Study};

use clap::{Args, Parser, Subcommand, ValueEnum};
use pupila::Views;
use std::path::PathBuf;

/// Train, judge and use image classifiers from folders of images.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 110, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Show what the libraries do, on standard error
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a classifier on a folder of images
    Train(Train),
    /// Go on with a run that was stopped or killed
    Resume(Resume),
    /// Run a run again, and say whether every byte is the same
    Verify(Verify),
    /// Judge a trained model on labelled images
    Eval(Eval),
    /// Classify images with a trained model
    Predict(Predict),
    /// Look at a data set before anything is trained on it: what there is, and what is wrong with it
    Inspect(Inspect),
    /// Compare runs: what differs in their recipes, and what it did
    Compare(Compare),
    /// Train variants of a recipe with several seeds, and say which differences are real
    Study(Box<Study>),
    /// Search hyperparameters, and score the best honestly
    Search(Box<Search>),
    /// List runs and studies, with scores and sizes; delete them, or their models
    Runs(Runs),
    /// Show what the augmentation of a recipe does to an image, or to a batch of a data set
    Augment(Augment),
    /// Measure how fast a network trains on this machine
    Bench(Bench),
    /// Send runs to an MLflow server, or what of them was not sent yet
    Sync(Sync),
    /// List what a recipe can name
    List(List),
    /// Print the JSON schema of recipes, for editors
    Schema(Schema),
}

#[derive(Debug, Args)]
pub(crate) struct Train {
    /// A folder with train/ and val/ (and perhaps test/) of class folders, a folder of class folders, a CSV manifest with
    /// the columns path, label and perhaps split and group, or the folder that it is in, or a folder with the IDX files of
    /// the MNIST family; other names are known too (docs/data.md)
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) choice: RecipeChoice,
    /// Learnt weights to begin from: a run, or a file of weights (safetensors, .pt, .pth, a wheel) [transfer.from]
    #[arg(long, value_name = "RUN_OR_FILE")]
    pub(crate) init_from: Option<PathBuf>,
    /// Passes over the training images [train.epochs]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) epochs: Option<String>,
    /// Learning rate [optimizer.lr]
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    pub(crate) lr: Option<String>,
    /// The number that every random draw follows from [train.seed]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) seed: Option<String>,
    /// Print every layer of a large network, rather than its stages
    #[arg(long)]
    pub(crate) layers: bool,
    #[command(flatten)]
    pub(crate) trackers: Trackers,
    #[command(flatten)]
    pub(crate) threads: Threads,
    /// Folder that runs are made in
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,
    /// Name of the run's folder; otherwise the data's and the model's names and a number
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// Run folder
    pub(crate) run: PathBuf,
    /// Train up to this epoch, beyond the last one that was asked for; a run that has ended must have kept its end
    /// (checkpoint.keep_final)
    #[arg(long, value_name = "N")]
    pub(crate) epochs: Option<u32>,
    /// Where the data are now, if they have moved
    #[arg(long, value_name = "DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Set a key of the recipe that no result depends on, such as checkpoint.minutes=5; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Run folder
    pub(crate) run: PathBuf,
    /// Where the data are now, if they have moved
    #[arg(long, value_name = "DATA")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Data as for `train`, or a folder of images without labels
    pub(crate) data: PathBuf,
    /// Page to write
    #[arg(long, value_name = "FILE.html", default_value = "inspect.html")]
    pub(crate) out: PathBuf,
    /// Write a page without any picture, for data that must not travel
    #[arg(long)]
    pub(crate) no_pictures: bool,
    /// End with exit code 3 where there is a finding of this level or a worse one: note, warning or error
    #[arg(long, value_name = "LEVEL")]
    pub(crate) fail_on: Option<Level>,
    /// Write the images that should be left out, for --set data.exclude_list=FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) exclude_list: Option<PathBuf>,
    /// Look for wrong labels by what the folds of a run say of images that they never saw: one of the runs, or their folder
    #[arg(long, value_name = "RUN", conflicts_with = "label_errors")]
    pub(crate) run: Option<PathBuf>,
    /// Look for wrong labels by five networks that are trained for it now, each on four fifths of the images
    #[arg(long)]
    pub(crate) label_errors: bool,
    /// Recipe file (TOML), of which only how data is read counts, and with --label-errors all of it
    #[arg(long, value_name = "FILE")]
    pub(crate) recipe: Option<PathBuf>,
    /// Set any key of the recipe, such as data.label_column=diagnosis; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Eval {
    /// Run folder, or a model file
    pub(crate) run: PathBuf,
    /// Labelled images; without it, those that the run was trained on
    pub(crate) data: Option<PathBuf>,
    /// Which part of the data: train, val or test
    #[arg(long, value_name = "NAME")]
    pub(crate) split: Option<String>,
    /// Leave out files and folders of DATA that match a pattern (`*`, `**`, `?`); may be repeated
    #[arg(long, value_name = "PATTERN", requires = "data")]
    pub(crate) exclude: Vec<String>,
    /// Say what of DATA is what where its names do not, such as data.label_column=dx; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "data")]
    pub(crate) settings: Vec<String>,
    /// Average the probabilities of several views of each image: flips takes its mirror image too, dihedral all eight ways
    /// to turn and mirror it, for images without an up and a down
    #[arg(long, value_name = "VIEWS")]
    pub(crate) tta: Option<Tta>,
    /// Folder to make for the results; otherwise one in the run's folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write the predictions of every image to a CSV file too
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Run folders, or folders that `eval` made; each is compared with the first
    #[arg(required = true, num_args = 1.., value_names = ["RUN", "RUN"])]
    pub(crate) runs: Vec<PathBuf>,
    /// Page to write; otherwise comparison.html here, or the next free number
    #[arg(long, value_name = "FILE.html")]
    pub(crate) out: Option<PathBuf>,
    /// Metric that is tested: accuracy, balanced_accuracy or macro_f1; choose before you look [default: accuracy]
    #[arg(long, value_name = "METRIC")]
    pub(crate) metric: Option<String>,
    /// Compare the numbers of runs that were judged on different images too; there is no test of those
    #[arg(long)]
    pub(crate) different_data: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// Run folder, or a model file
    pub(crate) run: PathBuf,
    /// Images, or folders of images; - reads a list of paths, or one image, from standard input
    #[arg(required = true, value_name = "IMAGE_OR_FOLDER")]
    pub(crate) images: Vec<PathBuf>,
    /// Show the K most likely classes
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) top: u16,
    /// Average the probabilities of several views of each image: flips takes its mirror image too, dihedral all eight ways
    /// to turn and mirror it, for images without an up and a down
    #[arg(long, value_name = "VIEWS")]
    pub(crate) tta: Option<Tta>,
    /// Write the probabilities of every class to a CSV file
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// Views of an image that are judged together.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Tta {
    // Without a help of their own, which would spread the whole help over twice the lines.
    Flips,
    Dihedral,
}

/// The views that were asked for.
pub(crate) fn views(tta: Option<Tta>) -> Views {
    match tta {
        None => Views::One,
        Some(Tta::Flips) => Views::Flips,
        Some(Tta::Dihedral) => Views::Dihedral,
    }
}

#[derive(Debug, Args)]
pub(crate) struct Augment {
    /// An image, or data as for `train`
    #[arg(value_name = "IMAGE_OR_DATA")]
    pub(crate) what: PathBuf,
    /// PNG file to write: a grid of draws with the original first, or a labelled batch
    #[arg(long, value_name = "FILE.png")]
    pub(crate) out: PathBuf,
    /// Recipe file (TOML); without it, the augmentation that `train` has by default
    #[arg(long, value_name = "FILE")]
    pub(crate) recipe: Option<PathBuf>,
    /// Set any key of the recipe; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// The number that every random draw follows from [train.seed]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) seed: Option<String>,
    /// Write one transformed image itself, in its own size; only for an image
    #[arg(long)]
    pub(crate) single: bool,
    /// The mask of the image, which is moved with it: tinted in the grid, and with --single written beside FILE as FILE_mask.png
    #[arg(long, value_name = "MASK")]
    pub(crate) mask: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) choice: RecipeChoice,
    /// Classes that the network tells apart
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..))]
    pub(crate) classes: u16,
    /// Steps that are measured
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) steps: u32,
    /// Show the time of every stage of the network
    #[arg(long)]
    pub(crate) profile: bool,
    /// Show how activations and gradients spread in every layer right after the initialisation, for normal noise as images
    #[arg(long)]
    pub(crate) init_report: bool,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// Run folders, or the folder of a study with all its runs
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<PathBuf>,
    /// The server, such as http://localhost:5000; without it, MLFLOW_TRACKING_URI
    #[arg(long, value_name = "URI")]
    pub(crate) mlflow: Option<String>,
    /// The experiment; without it, MLFLOW_EXPERIMENT_NAME, or pupila
    #[arg(long, value_name = "NAME")]
    pub(crate) experiment: Option<String>,
    /// Make the model a new version of this registered model
    #[arg(long, value_name = "MODEL")]
    pub(crate) register: Option<String>,
    /// Alias that this version gets
    #[arg(long, value_name = "ALIAS", requires = "register")]
    pub(crate) alias: Option<String>,
    /// How long to go on trying, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) wait: u64,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Print the page of all keys instead, in Markdown
    #[arg(long)]
    pub(crate) keys: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// What to list; without it, what there is to list
    pub(crate) what: Option<Listed>,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Listed {
    /// Architectures, for model.name
    Models,
    /// Augmentations, for augment.transforms
    Transforms,
    /// Optimizers, for optimizer.name
    Optimizers,
    /// Learnt weights that are known, for --init-from
    Pretrained,
    /// Learning-rate schedules, for schedule.name
    Schedules,
    /// Initialisers, for model.init
    Initializers,
    /// Metrics, for train.monitor
    Metrics,
    /// Studies, for `pupila study`
    Studies,
    /// All keys of a recipe, with their defaults and what they mean
    Keys,
}

/// What every command that builds a network takes of the recipe.
#[derive(Debug, Args)]
pub(crate) struct RecipeChoice {
    /// Recipe file (TOML); every key is optional
    #[arg(long, value_name = "FILE")]
    pub(crate) recipe: Option<PathBuf>,
    /// Set any key of the recipe, such as optimizer.weight_decay=1e-4; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Architecture, from `pupila list models` [model.name]
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Side that images are resized to, in pixels [input.size]
    #[arg(long, value_name = "PX", allow_hyphen_values = true)]
    pub(crate) size: Option<String>,
    /// Images in a step [train.batch]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) batch: Option<String>,
}

/// Who is told of a run.
#[derive(Debug, Args)]
pub(crate) struct Trackers {
    /// Send what is trained to an MLflow server, such as http://localhost:5000 [tracking.mlflow]
    #[arg(long, value_name = "URI")]
    pub(crate) mlflow: Option<String>,
    /// MLflow's experiment [tracking.experiment]
    #[arg(long, value_name = "NAME")]
    pub(crate) experiment: Option<String>,
    /// Write no TensorBoard event file [tracking.tensorboard]
    #[arg(long)]
    pub(crate) no_tensorboard: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Threads {
    /// Threads to work on; all cores if left out. Results don't depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl Threads {
    pub(crate) fn count(&self) -> usize {
        self.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Json {
    /// Print one JSON object on standard output, and everything else on standard error
    #[arg(long)]
    pub(crate) json: bool,
}
