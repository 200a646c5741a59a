//! The run folder: what a run or an evaluation leaves behind, as types.
//!
//! In: values. Out: the files of a folder, and the same values again. Each file has one writer and one reader, both here, so
//! that no program part knows a file by the names of its keys. `docs/run_folder.md` describes the files key by key.
//!
//! The files carry the number of their [`FORMAT`]. Folders of older formats open, and what they lack is absent; a folder of a
//! newer format is refused with the version that wrote it.

mod checkpoint;
mod disk;
mod environment;
mod error;
mod finding;
mod folder;
mod head;
mod intervals;
mod leaks;
mod learnt;
mod lock;
mod looks;
mod looks_shared;
mod looks_summary;
mod named;
mod predictions;
mod record;
mod regular;
mod run_end;
mod run_files;
mod study_file;
mod summary;
mod write;

pub use checkpoint::{CheckpointError, CheckpointFile, CheckpointFolder, HeaderWriter};
pub use disk::{Disk, SystemDisk, fault};
pub use environment::{ClassCounts, Data, Environment, Sampling};
pub use error::{RunFileError, near_run};
pub use finding::Finding;
pub use folder::{RunFolder, RunFolderError};
pub use head::FittedHead;
pub use intervals::{Against, Intervals, with_interval};
pub use leaks::{Leaks, PartScores, TrainedOn, TrainingCopy, leaks_csv, without_heading};
pub use learnt::LearntFrom;
pub use lock::RunLock;
pub use looks::{Look, Looks, StateFolder, note_look, read_looks};
pub use looks_shared::{SharedLooks, note_contents, shared_looks};
pub use looks_summary::LooksSummary;
pub use named::{Named, Number, finite};
pub use predictions::{PredictionsFile, is_of_a_run, may_hold_predictions, predictions_csv};
pub use record::{DataRecord, Group, Record, StartRecord, read_records};
pub use regular::{open_regular, read_regular, read_regular_text};
pub use run_end::RunEnd;
pub use run_files::{Ending, EpochValues, RunFiles};
pub use study_file::{StudyFile, StudyVariant};
pub use summary::{
    ClassIntervals, EvaluationSummary, EvaluationTiming, ImagesRead, Interval, IntervalsOver, NOTICEABLE_GAP,
    OtherPicture, RunSummary, SkippedImage, Summary, Timing, TrainScores,
};
pub use write::{write_durably, write_whole};

/// The version of the folder's layout that this program writes, and the newest that it reads.
///
/// 1: the first layout, which did not say its number. 2: the number stands in `environment.json`, `summary.json` and the first
/// line of `metrics.jsonl`.
pub const FORMAT: u32 = 2;

/// The format of a file that does not say it.
fn first_format() -> u32 {
    1
}
