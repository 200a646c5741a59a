//! Images on disk as samples: folders, tables, arrays, archives, splits, and the cache of decoded pixels.
//!
//! In: a path that a person typed. [`scan`] turns it into a [`Dataset`]: samples with a label, a split, a content hash
//! and a size, in an order that does not depend on the file system or the number of threads. [`load`] turns samples into
//! [`Pixels`]: one block of `[N, H, W, C]` bytes, each image decoded and resized once, and kept on disk in a [`Cache`]
//! so that the next run only reads it.
//!
//! [`scan`] is for training, and finds the classes. [`scan_labelled`] is for data on which a model is judged that knows
//! its classes, and [`scan_images`] for images that a model is to label.
//!
//! A bad image is never silently replaced or dropped: it is listed with its reason, and [`OnBadImage`] decides whether
//! the work goes on without it.

mod cache;
mod dataset;
mod error;
mod files;
mod folds;
pub mod fuzz;
mod held;
mod leaks;
mod load;
mod notice;
mod options;
mod pattern;
mod resize_rule;
mod sample;
mod scan;
mod show;
mod shown;
mod similar;
mod split;
mod statistics;
mod suggest;
mod taken;
mod units;

pub use cache::Cache;
pub use dataset::{Dataset, DuplicateGroup, Form, Purpose};
pub use error::{BadLine, IdxError, LayoutError, LoadError, ScanError, Skipped, UnknownClass};
pub use files::{exists, is_file, read_file, real};
pub use held::{Gone, Hold, Pixels, Place};
pub use load::{Loaded, load, load_held};
pub use notice::{Levels, Notice, WhyFlat};
pub use options::{LabelledOptions, Layout, OnBadImage, ScanOptions, UnknownPolicy};
pub use pupila_image::Fit;
pub use resize_rule::{Keep, ResizeRule};
pub use sample::{ArrayImages, Sample, Source, Split, UnknownSplit};
pub use scan::{Labelled, is_data, leave_out, list_images, scan, scan_images, scan_labelled};
pub use show::{Show, UnknownShow};
pub use shown::{shown, shown_path};
pub use statistics::{PixelStatistics, pixel_statistics};
pub use suggest::nearest;
pub use taken::{OtherPictures, Taken, conversion, list_pictures};
