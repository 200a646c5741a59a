//! A path to a [`Dataset`](crate::Dataset).
//!
//! Each form of data lists its files with a class and a split ([`folders`], [`manifest`]; [`idx`] brings its pixels), and
//! every file is read once ([`examine`]). What is made of them depends on what they are for: to train on ([`training`]),
//! to judge a model on ([`labelled`]), or to be labelled by one ([`images`]).

mod examine;
mod folders;
mod idx;
mod images;
mod labelled;
mod manifest;
mod training;

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::pattern::Patterns;
use crate::suggest::nearest;
use crate::{Cache, Form, Notice, ScanError, Split};

pub use images::{list_images, scan_images};
pub use labelled::{Labelled, scan_labelled};
pub use training::scan;

/// A file with what its place or its row says of it.
struct Listed {
    path: PathBuf,
    class: String,
    /// `None` where the data has no splits.
    split: Option<Split>,
    group: Option<Arc<str>>,
}

/// What one form of data found, before any file was opened.
struct Listing {
    form: Form,
    files: Vec<Listed>,
    /// Whether there are files of other splits, which were not listed.
    partial: bool,
    ignored_files: usize,
    excluded: usize,
    notices: Vec<Notice>,
}

impl Listing {
    /// The folder that the files are in.
    fn base<'a>(&self, root: &'a Path) -> &'a Path {
        match (self.form, root.parent()) {
            (Form::Manifest, Some(folder)) if folder.as_os_str().is_empty() => Path::new("."),
            (Form::Manifest, Some(folder)) => folder,
            _ => root,
        }
    }
}

/// What there is at a path, as far as it can be told from the outside.
enum Data {
    Manifest,
    Idx(Vec<idx::Pair>),
    Folder,
}

impl Data {
    fn at(path: &Path) -> Result<Data, ScanError> {
        if metadata(path)?.is_dir() {
            return Ok(idx::find(path)?.map_or(Data::Folder, Data::Idx));
        }
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            return Ok(Data::Manifest);
        }
        Err(ScanError::NotData { path: path.to_owned() })
    }
}

fn metadata(path: &Path) -> Result<Metadata, ScanError> {
    std::fs::metadata(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => {
            ScanError::Missing { path: path.to_owned(), suggestion: nearest_sibling(path) }
        }
        _ => ScanError::Read { path: path.to_owned(), source },
    })
}

fn unmatched(patterns: &Patterns<'_>) -> impl Iterator<Item = Notice> {
    patterns.unmatched().map(|pattern| Notice::UnmatchedExclude { pattern: pattern.to_owned() })
}

fn warnings(cache: Option<&Cache>) -> impl Iterator<Item = Notice> {
    cache.into_iter().flat_map(Cache::take_warnings).map(|message| Notice::Cache { message })
}

fn nearest_sibling(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let names: Vec<String> = std::fs::read_dir(parent.unwrap_or(Path::new(".")))
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let similar = nearest(&name, names.iter().map(String::as_str))?;
    Some(path.with_file_name(similar).display().to_string())
}
