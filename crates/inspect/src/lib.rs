//! What is in a data set of images, and what is wrong with it.
//!
//! In: a [`Dataset`](pupila_dataset::Dataset), whose files are read once ([`look`]). Out: a [`Measurement`] of each image, and what follows from
//! all of them ([`inspect`]): copies, facts that give the class away, pictures that are unusual. Nothing is ever changed.

mod bursts;
mod classes;
mod copies;
mod facts;
mod finding;
mod gallery;
mod inspection;
mod label_errors;
mod look;
mod map;
mod measure;
mod measurement;
pub mod near;
mod neighbours;
mod one_class;
mod outliers;
mod pictures;
mod record;
mod resolution;
mod rows;
mod shortcut;
pub mod splits;
pub mod tree;
mod units;

pub use facts::file_facts;
pub use finding::{Finding, Kind, Severity};
pub use gallery::{Gallery, galleries};
pub use inspection::{Inspection, SplitSummary, Summary, inspect};
pub use label_errors::{Doubt, LabelErrors, Opinions, doubts, label_quality};
pub use look::{LookError, Looked, look, picture};
pub use map::{Point, map};
pub use measure::{Measured, measure, measure_pixels};
pub use measurement::{COLOR_SIDE, Measurement, SIDE, Taken, Thumbnails};
pub use neighbours::Baseline;
pub use outliers::distances as outlier_distances;
pub use resolution::Resolution;
pub use rows::Rows;
pub use shortcut::{Shortcut, shortcuts};
