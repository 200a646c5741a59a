//! A recipe becomes a plan, a plan becomes a run: the training loop and what it leaves behind.
//!
//! In: a [`CheckedRecipe`], batches, a network. Out: the best values, a record of every epoch, what was found wrong on the way.
//! [`train`] is the loop; an [`Observer`] follows it and may end it; [`Training::state`] is all that it remembers, as a value.

mod best;
mod cadence;
mod checkpoint;
mod data;
pub mod diagnosis;
mod early_shortcuts;
mod evaluate;
mod features;
mod fitted;
pub mod fuzz;
mod insight;
mod kept_features;
mod learning;
mod model_file;
mod near_copies;
mod observer;
mod probe;
mod recipe;
pub mod schedule;
mod state;
mod summary;
mod tracking;
mod trainer;
mod views;

pub use best::{BestState, stops_after};
pub use checkpoint::{Checkpoint, CheckpointOf, CheckpointParts, Looks};
pub use data::{DataError, Images, check_leaks, fingerprint, fingerprint_of, scan_for};
pub use diagnosis::{DiagnosisState, Finding};
pub use evaluate::{EvaluateError, evaluate};
pub use insight::{
    Distributions, ValueSpread, confusion_png, distributions, explain_samples, first_filters, sample_image,
};
pub use kept_features::KeptFeatures;
pub use learning::{check_freeze, learns_at_most};
pub use model_file::{CardNormalization, ModelCard, ModelFile, ModelFileError, Preparation};
pub use near_copies::MOST_COMPARED;
pub use observer::{Begin, EpochRecord, Look, Observer, Ready, StepRecord, Stop};
pub use recipe::{
    Augment, CheckedRecipe, CheckpointConfig, ClassWeights, Data, Decode, EarlyStopping, Fault, FitName,
    Head, HoldName, Input, KeptSize, KeyDoc, Labels, Layers, LeakPolicy, LearntKeys, Loss, Monitor,
    MonitorError, NamedWeights, Names, NormPolicy, Origin, Recipe, RecipeErrors, Sampler, Setting, Size,
    Train, Transfer, json_schema, key_answer, key_docs, key_meant, keys, keys_page, metrics_meant,
    option_value, setting_of, setting_off,
};
pub use state::{LoopState, Start};
pub use summary::{DataWait, SummaryContext, other_pictures_of, run_summary, skipped_images};
pub use tracking::{
    RecordPositions, Tracking, TrackingConfig, TrackingState, changed_keys, flat_recipe, mlflow_target,
};
pub use trainer::{Outcome, Plan, TrainError, Training, train};
pub use views::{Views, evaluate_views};
