//! Reads each file once, for what a sample says of it: a hash of the content and the header of the image.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use twox_hash::XxHash3_128;

use crate::cache::{Facts, Stamp, StatIndex};
use crate::files::{self, There};
use crate::{Cache, Notice, Sample, ScanError, Skipped, Source, Split};

/// A file, with what its sample will say of it.
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) label: u32,
    pub(super) split: Split,
    pub(super) group: Option<Arc<str>>,
}

/// Candidates whose files were read.
#[derive(Default)]
pub(super) struct Examined {
    pub(super) samples: Vec<Sample>,
    pub(super) skipped: Vec<Skipped>,
    /// The labels of `skipped`.
    pub(super) skipped_labels: Vec<u32>,
    /// Files with several pictures, of which the first is read: how many, and one of them.
    pub(super) pages: Option<(usize, PathBuf)>,
}

/// What is said of files with several pictures.
pub(super) fn several_pages((images, first): (usize, PathBuf)) -> Notice {
    Notice::Pages { images, first }
}

/// By what earlier scans are remembered.
pub(super) struct Memory<'a> {
    pub(super) cache: Option<&'a Cache>,
    /// The folder that the files are in.
    pub(super) root: &'a Path,
    /// Whether it holds other files of the data set, which are to be remembered as well.
    pub(super) partial: bool,
}

/// Makes a sample of each candidate, in their order; those whose files cannot be used are listed instead.
///
/// # Errors
/// [`ScanError::FileMemory`]: what is left out must not depend on the machine.
pub(super) fn samples(candidates: Vec<Candidate>, memory: &Memory<'_>) -> Result<Examined, ScanError> {
    let paths: Vec<&Path> = candidates.iter().map(|candidate| candidate.path.as_path()).collect();
    let facts = examine(&paths, memory);
    let mut examined = Examined::default();
    for (Candidate { path, label, split, group }, facts) in candidates.into_iter().zip(facts) {
        if let Ok(Facts { pages: 2.., .. }) = facts {
            examined.pages.get_or_insert_with(|| (0, path.clone())).0 += 1;
        }
        match facts {
            Ok(facts) => examined.samples.push(Sample {
                path,
                label,
                split,
                source: Source::File,
                content: facts.content,
                width: facts.width,
                height: facts.height,
                channels: facts.channels,
                group,
            }),
            Err(Unusable::Bad(reason)) => {
                examined.skipped.push(Skipped { path, reason });
                examined.skipped_labels.push(label);
            }
            Err(Unusable::Memory) => {
                let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
                return Err(ScanError::FileMemory { path, bytes });
            }
        }
    }
    Ok(examined)
}

/// Why there are no facts of a file.
enum Unusable {
    Bad(String),
    /// The system does not give the memory that its bytes take.
    Memory,
}

impl From<std::io::Error> for Unusable {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::OutOfMemory => Unusable::Memory,
            _ => Unusable::Bad(explain(&error)),
        }
    }
}

/// The facts of each of `paths`, in their order, or the reason why there are none.
fn examine(paths: &[&Path], memory: &Memory<'_>) -> Vec<Result<Facts, Unusable>> {
    let Memory { cache, root, partial } = *memory;
    let index = cache.map(|cache| cache.stat_index(root)).unwrap_or_default();
    // Examined: the facts, the file's stamp, and whether the index knew them.
    let examined: Vec<Result<(Facts, Stamp, bool), Unusable>> = paths
        .par_iter()
        .with_min_len(8)
        .map(|path| {
            if let There::File(stamp) = files::there(path)?
                && let Some(facts) = index.get(StatIndex::key(root, path), &stamp)
            {
                return Ok((facts, stamp, true));
            }
            let (facts, stamp) = read(path)?;
            Ok((facts, stamp, false))
        })
        .collect();
    if let Some(cache) = cache
        && examined.iter().flatten().any(|(.., known)| !known)
    {
        let entries = paths.iter().zip(&examined).filter_map(|(path, examined)| {
            let (facts, stamp, _) = examined.as_ref().ok()?;
            Some((StatIndex::key(root, path), *stamp, *facts))
        });
        let keys: HashSet<u128> = match partial {
            true => paths.iter().map(|path| StatIndex::key(root, path)).collect(),
            false => HashSet::new(),
        };
        let others = partial.then(|| index.others(&keys)).into_iter().flatten();
        cache.write_stat_index(root, entries.chain(others));
    }
    examined.into_iter().map(|examined| examined.map(|(facts, ..)| facts)).collect()
}

fn read(path: &Path) -> Result<(Facts, Stamp), Unusable> {
    let files::Content { bytes, stamp, .. } = &files::read_counted(path)?;
    let header = pupila_image::probe(bytes).map_err(|error| Unusable::Bad(error.to_string()))?;
    let content = XxHash3_128::oneshot(bytes);
    let pupila_image::Header { width, height, channels, pages, .. } = header;
    let facts = Facts { content, width, height, channels, pages };
    Ok((facts, *stamp))
}

fn explain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        // The system's words stand for themselves; what is ours begins with what it is about.
        _ if error.raw_os_error().is_none() => error.to_string(),
        _ => format!("it cannot be read: {error}"),
    }
}
