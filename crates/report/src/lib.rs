//! A run, an evaluation, a comparison or a study as one HTML page that needs nothing else: no network, no script, no other file.
//!
//! In: predictions, curves, pictures, what was collected on the way. Out: a string. Nothing here reads a file, runs a
//! network or knows the trainer. The same data give the same page, byte for byte.
//!
//! Charts are inline SVG, colors follow the reader's light or dark setting, pictures are data URIs. Whatever comes from the
//! data (names of classes and files, the recipe) is escaped, and a policy in the page forbids the browser to load or run
//! anything. However large the data set, the page stays below [`MAX_BYTES`].

mod chart;
mod comparison;
mod data_page;
mod distribution;
mod html;
mod matrix;
mod picture;
mod run;
mod search;
mod sections;
mod selection;
mod study;
mod ticks;
mod verdict;

pub use comparison::{ComparedRun, Comparison, Flip, MetricRow, PairTest, Tested};
pub use data_page::{DataPage, MapPoint, PageFinding, PageGallery, PageGroup, PageImage};
pub use distribution::{Distribution, ValueCounts};
pub use picture::{Heat, Picture};
pub use run::{EpochPoint, Judged, Report, Training};
pub use search::{SearchPage, SearchParameter, SearchTrial, TrialState};
pub use selection::{Selection, select};
pub use study::{Curves, DifferenceRow, ExtraTable, MetricAxis, RunPoint, StudyPage, VariantResult, Verdict};

/// What a page stays below, in bytes.
pub const MAX_BYTES: usize = 3_000_000;
