//! What can be typed where many runs are meant: studies, searches, lists of runs.

use super::{Json, RecipeChoice, Threads, Trackers};
use clap::{Args, ValueEnum};
use std::num::{NonZeroU8, NonZeroU64};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Data as for `train`
    pub(crate) data: PathBuf,
    /// What is tried (TOML): [space] with lines such as "optimizer.lr" = { float = [1e-4, 1e-2], log = true }
    #[arg(long, value_name = "FILE")]
    pub(crate) space: PathBuf,
    /// End once so many trials are complete or were ended early, those of earlier calls and other workers among them [50, without --minutes]
    #[arg(long, value_name = "N")]
    pub(crate) trials: Option<NonZeroU64>,
    /// Begin no trial after so many minutes
    #[arg(long, value_name = "N")]
    pub(crate) minutes: Option<f64>,
    /// Who chooses: tpe, random, grid or qmc
    #[arg(long, value_name = "NAME", default_value = "tpe")]
    pub(crate) sampler: String,
    /// Who ends trials early: none, median, successive_halving or hyperband
    #[arg(long, value_name = "NAME", default_value = "median")]
    pub(crate) pruner: String,
    /// Seed of the choices
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Seeds with which the best two trials are trained again; 0 for not
    #[arg(long, value_name = "N", default_value_t = pupila::search::SEEDS)]
    pub(crate) seeds: usize,
    /// Where trials are kept, as Optuna names it: a journal file, sqlite:///FILE or postgresql://...; a journal in the search's folder if left out
    #[arg(long, value_name = "URL")]
    pub(crate) storage: Option<String>,
    /// Name of the study in the storage; that of the folder if left out
    #[arg(long, value_name = "NAME")]
    pub(crate) study: Option<String>,
    #[command(flatten)]
    pub(crate) choice: RecipeChoice,
    /// Learnt weights to begin from: a run, or a file of weights (safetensors, .pt, .pth, a wheel) [transfer.from]
    #[arg(long, value_name = "RUN_OR_FILE")]
    pub(crate) init_from: Option<PathBuf>,
    /// Passes over the training images [train.epochs]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) epochs: Option<String>,
    /// Folder in which the search's folder is made
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,
    /// Name of the search's folder; that of a search that is there goes on
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Trials at a time
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroU8>,
    #[command(flatten)]
    pub(crate) trackers: Trackers,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// How much harm a finding can do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    Note,
    Warning,
    Error,
}

#[derive(Debug, Args)]
pub(crate) struct Study {
    /// A study from `pupila list studies`, such as regularization, or a study file (TOML)
    #[arg(value_name = "NAME_OR_FILE")]
    pub(crate) study: String,
    /// Data as for `train`
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) choice: RecipeChoice,
    /// Learnt weights to begin from: a run, or a file of weights (safetensors, .pt, .pth, a wheel) [transfer.from]
    #[arg(long, value_name = "RUN_OR_FILE")]
    pub(crate) init_from: Option<PathBuf>,
    /// Passes over the training images [train.epochs]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) epochs: Option<String>,
    /// Seeds of each variant; otherwise the study's own, mostly 5
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) seeds: Option<u16>,
    /// Splits of the data, each with all seeds: tells what the split does from what the seed does
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) splits: Option<u16>,
    /// Metric that is compared, from `pupila list metrics`; otherwise val/accuracy
    #[arg(long, value_name = "METRIC")]
    pub(crate) metric: Option<String>,
    /// Variant that the others are compared with
    #[arg(long, value_name = "VARIANT")]
    pub(crate) baseline: Option<String>,
    /// Begin no run after so many minutes
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) minutes: Option<f64>,
    /// Begin no run beyond so many, in whole rounds of one seed of every variant
    #[arg(long, value_name = "N")]
    pub(crate) max_runs: Option<usize>,
    /// Models that stay on disk: all, best (that of the best run of each variant) or none; otherwise as before, or best
    #[arg(long, value_name = "WHICH")]
    pub(crate) keep: Option<Keep>,
    /// Runs at a time; otherwise what is fastest. Results don't depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) jobs: Option<u16>,
    /// Say what would be run and what it would take, and run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) trackers: Trackers,
    #[command(flatten)]
    pub(crate) threads: Threads,
    /// Folder that the study's folder is made in
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,
    /// Name of the study's folder; otherwise the study's and the data's names. A study that is there is gone on with
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// Models that a study keeps.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Keep {
    // Without a help of their own, which would spread the whole help over twice the lines.
    All,
    Best,
    None,
}

#[derive(Debug, Args)]
pub(crate) struct Runs {
    /// Folder of runs, or that of one study; otherwise runs
    pub(crate) dir: Option<PathBuf>,
    /// What the order goes by; the newest, best or largest stands last
    #[arg(long, value_name = "KEY", default_value = "age", conflicts_with_all = ["delete", "delete_models"])]
    pub(crate) sort: Sort,
    /// Delete whole run folders, or a study or a search with its runs
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with = "delete_models")]
    pub(crate) delete: Vec<PathBuf>,
    /// Delete the models alone: predict and eval no longer work with these runs, and their records stay
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) delete_models: Vec<PathBuf>,
    /// Delete without asking, and what was written within the last minute too
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// What runs are ordered by.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Sort {
    // Without a help of their own, which would spread the whole help over twice the lines.
    Age,
    Score,
    Size,
    Name,
}
