//! What can go wrong, and whose matter it is.

use crate::describe::memory;
use crate::memory_need::AvailableMemory;
use pupila_dataset::shown_path;
use pupila_dataset::{LoadError, ScanError, UnknownSplit};
use pupila_image::{DecodeError, EncodeError, ImageError};
use pupila_loader::LoaderError;
use pupila_metrics::{PairedError, UnknownMetric};
use pupila_network::{ConfigError, StateError};
use pupila_run::{RunFileError, RunFolderError};
use pupila_search::storage::StorageError;
use pupila_study::StudyErrors;
use pupila_train::{DataError, EvaluateError, ModelFileError, RecipeErrors, TrainError};
use pupila_transforms::NormalizationError;
use pupila_weights::WeightsError;
use std::io;
use std::path::PathBuf;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Faults of the recipe, all of them.
    #[error(transparent)]
    Recipe(#[from] RecipeErrors),
    /// Faults of a study, all of them.
    #[error(transparent)]
    Study(#[from] StudyErrors),
    /// Faults of a search's space, all of them.
    #[error(transparent)]
    Search(#[from] pupila_search::SearchErrors),
    /// Where a search keeps its trials cannot be used.
    #[error(transparent)]
    Storage(StorageError),
    /// The data cannot be found or read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Labelled images or images to classify cannot be found.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The images cannot be looked at.
    #[error(transparent)]
    Look(pupila_inspect::LookError),
    /// No training image is left.
    #[error("0 images left to train on")]
    NoImages,
    /// The data cannot be normalised in this way.
    #[error(transparent)]
    Normalization(#[from] NormalizationError),
    /// The model cannot be built for this input.
    #[error("model.{}: {error}", error.key())]
    Model {
        /// What cannot be built.
        #[from]
        error: ConfigError,
    },
    /// A run folder cannot be made or written.
    #[error(transparent)]
    Folder(#[from] RunFolderError),
    /// A run folder cannot be read.
    #[error(transparent)]
    Files(#[from] RunFileError),
    /// A model file cannot be read.
    #[error(transparent)]
    ModelFile(ModelFileError),
    /// Learnt weights cannot be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The model file cannot be written.
    #[error(transparent)]
    ModelNotWritten(ModelFileError),
    /// The values of a model file don't fit its network.
    #[error("{}: {source}", shown_path(path))]
    Values {
        /// The model file.
        path: PathBuf,
        /// What doesn't fit.
        source: StateError,
    },
    /// What was asked for makes no sense, does not exist, or is there already.
    #[error("{0}")]
    Request(String),
    /// A picture cannot be read.
    #[error(transparent)]
    Picture(#[from] DecodeError),
    /// A file is no picture that can be read.
    #[error("{} is no image that can be read: {source}", shown_path(path))]
    PictureFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// A picture cannot be made.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A picture cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The loop cannot go on.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Batches cannot be made.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// Images cannot be judged.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// Runs cannot be compared.
    #[error(transparent)]
    Paired(#[from] PairedError),
    /// A metric does not exist.
    #[error(transparent)]
    Metric(#[from] UnknownMetric),
    /// A file cannot be read or written.
    #[error("cannot {tried} {}: {source}", shown_path(path))]
    Io {
        /// What was tried.
        tried: Tried,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The operating system gives no threads.
    #[error("cannot start the threads: {0}")]
    Threads(String),
    /// The run takes more memory than there is.
    #[error("{}", too_much_memory(*needed, *network, *batch, *images, of_images, available, fitting.as_deref()))]
    Memory {
        /// What it takes, in bytes; about.
        needed: u64,
        /// The part of the network with a batch.
        network: u64,
        /// Images in the batch.
        batch: usize,
        /// The part of the decoded images.
        images: u64,
        /// How many, in words.
        of_images: String,
        /// What there is, and why it is no more.
        available: AvailableMemory,
        /// What to type for a run that fits, if a smaller batch or smaller images would.
        fitting: Option<String>,
    },
    /// It was stopped by its [`StopSignal`](crate::StopSignal).
    #[error("{0}")]
    Stopped(&'static str),
}

fn too_much_memory(
    needed: u64,
    network: u64,
    batch: usize,
    images: u64,
    of_images: &str,
    available: &AvailableMemory,
    fitting: Option<&str>,
) -> String {
    let remedy = match fitting {
        Some(fitting) => format!("{fitting} would fit"),
        None => "neither a smaller batch nor smaller images would fit; choose a smaller --model or fewer images (data.fraction)"
            .to_owned(),
    };
    let because = match &available.limit {
        Some(limit) => format!("; {limit} leaves no more, and can be raised"),
        None => String::new(),
    };
    format!(
        "training takes about {} of memory ({} for the network and a batch of {batch}, {} for {of_images}), and {} are there: {remedy}{because}",
        memory(needed),
        memory(network),
        memory(images),
        memory(available.bytes)
    )
}

/// What the file system refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// To read a file.
    Read,
    /// To write a file.
    Write,
    /// To make a folder.
    MakeFolder,
}

impl std::fmt::Display for Tried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Tried::Read => "read",
            Tried::Write => "write",
            Tried::MakeFolder => "make the folder",
        })
    }
}

/// Whose matter an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request was wrong: another one may succeed.
    Request,
    /// The work was begun and could not be done.
    Work,
    /// The caller stopped it.
    Stopped,
}

impl Error {
    /// Whose matter it is.
    pub fn kind(&self) -> ErrorKind {
        use ScanError::{BadImages, FileMemory, NoneUsable};
        match self {
            // Whether a bad image is seen by its header or by its pixels is no matter of the request.
            Error::Scan(BadImages { .. } | NoneUsable { .. } | FileMemory { .. })
            | Error::Data(DataError::Scan(BadImages { .. } | NoneUsable { .. } | FileMemory { .. })) => {
                ErrorKind::Work
            }
            Error::Recipe(_)
            | Error::Study(_)
            | Error::Search(_)
            | Error::Storage(
                StorageError::Direction { .. }
                | StorageError::Objectives { .. }
                | StorageError::Foreign { .. }
                | StorageError::Space { .. }
                | StorageError::Address { .. },
            )
            | Error::Scan(_)
            | Error::Data(DataError::Scan(_) | DataError::Normalization(_))
            | Error::NoImages
            | Error::Normalization(_)
            | Error::Model { .. }
            | Error::Files(_)
            | Error::ModelFile(_)
            | Error::Weights(_)
            | Error::Values { .. }
            | Error::Request(_)
            | Error::Folder(RunFolderError::Exists(_) | RunFolderError::Name(_))
            | Error::Io { tried: Tried::Read | Tried::MakeFolder, .. } => ErrorKind::Request,
            Error::Stopped(_) | Error::Data(DataError::Load(LoadError::Interrupted)) => ErrorKind::Stopped,
            _ => ErrorKind::Work,
        }
    }

    /// Whether a disk or a folder is at fault, not what was asked for.
    pub(crate) fn is_of_the_file_system(&self) -> bool {
        matches!(
            self,
            Error::Io { .. }
                | Error::ModelNotWritten(_)
                | Error::Storage(_)
                | Error::Folder(RunFolderError::Io { .. })
        )
    }

    pub(crate) fn request(message: impl std::fmt::Display) -> Self {
        Error::Request(message.to_string())
    }

    /// For `map_err`: a file that could not be read, written or made.
    pub(crate) fn io(tried: Tried, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { tried, path, source }
    }
}

impl From<UnknownSplit> for Error {
    fn from(error: UnknownSplit) -> Self {
        Error::request(error)
    }
}
