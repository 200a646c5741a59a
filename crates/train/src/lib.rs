//! A recipe becomes a plan, a plan becomes a run: the training loop and what it leaves behind.

mod balance;
mod best;
mod budget;
mod data;
pub mod diagnosis;
mod evaluate;
mod finished_run;
mod insight;
mod layers;
mod model_file;
mod recipe;
mod run_folder;
pub mod schedule;
mod schema;
mod summary;
mod tracking;
mod trainer;
mod views;

pub use balance::{ClassWeights, NamedWeights, Sampler};
pub use data::{DataError, Images, fingerprint, fingerprint_of, scan_for};
pub use diagnosis::Finding;
pub use evaluate::{EvaluateError, evaluate};
pub use finished_run::{EpochValues, FinishedRun, FinishedRunError};
pub use insight::{
    Distributions, ValueSpread, confusion_png, distributions, explain_samples, first_filters, sample_image,
};
pub use layers::{Layers, Origin, RecipeErrors, Resolved, Setting};
pub use model_file::{CardNormalization, ModelCard, ModelFile, ModelFileError, write_whole};
pub use recipe::{Augment, Data, EarlyStopping, Fault, Input, Loss, Monitor, Recipe, Train};
pub use run_folder::{RunFolder, RunFolderError, environment, peak_rss_bytes, predictions_csv};
pub use schema::json_schema;
pub use summary::{Timing, data_wait_frac, intervals, run_summary};
pub use tracking::{Tracking, TrackingConfig, flat_recipe, mlflow_target};
pub use trainer::{EpochRecord, Look, Observer, Outcome, Plan, TrainError, train};
pub use views::{Views, evaluate_views};
