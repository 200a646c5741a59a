//! Train, judge and use image classifiers from folders of images.
//!
//! A [`Session`] is a recipe with its data, checked. A [`Run`] is what it leaves. A [`Classifier`] is a model that answers. The
//! program `pupila` is this library with words around it: what it does, these do.
//!
//! ```
//! use pupila::{Classifier, Recipe, Session};
//! # let folder = std::env::temp_dir().join(format!("pupila-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/skin");
//! # let mut recipe = Recipe::default();
//! # (recipe.input.size, recipe.train.epochs, recipe.model.hidden) = (8.into(), 2, Some(vec![8]));
//! # let bytes = std::fs::read(format!("{samples}/val/nevus/{}", first_of(&format!("{samples}/val/nevus"))))?;
//! # fn first_of(folder: &str) -> String {
//! #     let mut names: Vec<String> = std::fs::read_dir(folder).unwrap()
//! #         .map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
//! #     names.sort();
//! #     names.remove(0)
//! # }
//!
//! // What `pupila train` does, run folder and all.
//! let run = Session::builder(recipe, samples).runs(&folder).open()?.run(&mut ())?;
//! println!("{:?} of the validation images are right", run.val("accuracy"));
//!
//! // What `pupila predict` answers, to the bit.
//! let answer = Classifier::open(run.folder().path())?.predict(&bytes)?;
//! println!("{} {:?}", answer.class(), answer.top(3));
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With the defaults it is `Session::open(Recipe::default(), "samples/skin")?.run(&mut ())?`.
//!
//! A recipe is written in code as it is in TOML: a section is a struct, a key is a field, what is left out has its default. It
//! cannot run unchecked: [`Session::open`] tells all its faults at once, before any work.
//!
//! ```
//! use pupila::recipe::{Augment, Input, Train};
//! use pupila::transforms::{HorizontalFlip, Rotate};
//! use pupila::{Recipe, Session};
//!
//! let recipe = Recipe {
//!     input: Input { size: 32.into(), ..Input::default() },
//!     train: Train { epochs: 0, batch: 16, monitor: "val/f1".into(), ..Train::default() },
//!     augment: Augment::of([HorizontalFlip { p: 0.5 }.into(), Rotate::default().into()]),
//!     ..Recipe::default()
//! };
//! let faults = Session::open(recipe, "photographs").unwrap_err().to_string();
//! assert!(faults.contains("train.epochs must be at least 1"));
//! assert!(faults.contains("train.monitor cannot be followed: no metric is named `f1`"));
//! ```
//!
//! An [`Observer`] follows a run and may end it ([`Observer::stop`]); a [`StopSignal`] ends it from another thread. Nothing of a run
//! lives in the process, so sessions can run side by side. `examples/` has all of this, and a transform of one's own.
//!
//! The crate's feature `cli`, on by default, builds the program; a library user turns it off with `default-features = false`.

mod augmentation;
mod benchmark;
mod checkpoints;
mod classifier;
mod comparison;
mod contact_sheet;
mod describe;
mod error;
mod evaluation;
mod font;
mod inspection;
mod looks;
mod memory_need;
mod notices;
mod page;
mod recorder;
mod resume;
pub mod runs;
pub mod search;
mod session;
mod shared_data;
mod source;
mod stop_signal;
pub mod study;
mod trained;
mod transfer;
pub mod verify;

pub use augmentation::{Alone, AugmentationOptions, Augmented, augmented};
pub use benchmark::{Benchmark, BenchmarkOptions, Times, Work};
pub use classifier::{Answers, Classifier, Judging, Prediction};
pub use comparison::{Compared, ComparisonOptions};
pub use describe::in_a_shell;
#[doc(hidden)] // words for the terminal
pub use describe::{count, images, trials};
pub use error::{Error, ErrorKind, Tried};
pub use evaluation::{Evaluation, EvaluationOptions, Judged};
pub use inspection::{Asked, Excluded, Inspected, InspectionOptions, check_inspection_files};
#[doc(hidden)] // words for the terminal
pub use inspection::{day, told as what_can_be_told};
pub use memory_need::{AvailableMemory, available_memory};
pub use notices::{SmallerInput, TooFew};
pub use pupila_image::{Image, encode_png};
pub use pupila_run::{RunEnd, RunFiles, RunFolder, predictions_csv, write_whole};
pub use pupila_train::{
    Begin, CheckedRecipe, EpochRecord, Finding, Look, Observer, Outcome, Preparation, Ready, Recipe,
    StepRecord, Stop, Views,
};
pub use resume::{Resumption, ResumptionOptions, can_be_trained_on, lost_files};
pub use search::Search;
pub use session::{
    Beginning, FirstStep, IntoChecked, Prepared, Progress, Run, SeenBefore, Session, SessionBuilder,
    cache_bound, user_cache,
};
pub use shared_data::SharedData;
pub use stop_signal::StopSignal;
pub use study::Study;
pub use transfer::Learnt;
pub use verify::{Verification, VerificationOptions};

/// The sections of a recipe, how it is read from TOML, and what can be wrong with it.
pub mod recipe {
    pub use pupila_backend::OptimizerConfig as Optimizer;
    pub use pupila_network::{Activation, Init, ModelConfig as Model};
    pub use pupila_train::schedule::ScheduleConfig as Schedule;
    pub use pupila_train::{
        Augment, CheckedRecipe, ClassWeights, Data, Decode, EarlyStopping, Fault, Head, Input, KeyDoc,
        Layers, LearntKeys, Loss, Monitor, NamedWeights, Origin, Recipe, RecipeErrors, Sampler, Setting,
        TrackingConfig as Tracking, Train, Transfer, json_schema, key_answer, key_docs, key_meant, keys,
        keys_page, option_value, setting_of, setting_off,
    };
    pub use pupila_transforms::{Normalize, TransformConfig};
}

pub use pupila_backend as backend;
pub use pupila_dataset as dataset;
pub use pupila_engine as engine;
pub use pupila_inspect as inspect;
pub use pupila_metrics as metrics;
pub use pupila_network as network;
pub use pupila_random as random;
pub use pupila_report as report;
pub use pupila_run as run_files;
pub use pupila_trackers as trackers;
pub use pupila_train as train;
pub use pupila_transforms as transforms;
pub use pupila_weights as weights;
