//! A path to a [`Dataset`].
//!
//! Each form of data lists its files with a class and a split ([`folders`], [`manifest`]; [`idx`] brings its pixels).
//! From there on all go the same way: examine every file, find the classes of the training set, split off a validation
//! set where none is given, keep the part that was asked for.

mod examine;
mod folders;
mod idx;
mod manifest;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::pattern::Patterns;
use crate::suggest::nearest;
use crate::{
    Cache, Dataset, Form, Notice, OnBadImage, Sample, ScanError, ScanOptions, Skipped, Source, Split,
    UnknownClass, split,
};

/// A file with what its place or its row says of it.
struct Listed {
    path: PathBuf,
    class: String,
    split: Split,
}

/// What one form of data found, before any file was opened.
struct Listing {
    form: Form,
    files: Vec<Listed>,
    ignored_files: usize,
    excluded: usize,
    notices: Vec<Notice>,
}

/// Finds the samples at `path`, in whichever form it is (see [`Form`]). Each file is read once, on all threads, for its
/// content hash and its header; with a cache, files that have not changed since the last scan are not even opened.
///
/// # Errors
/// Where `path` is no data set, or one that no classifier can be trained on; see [`ScanError`].
pub fn scan(path: &Path, options: &ScanOptions, cache: Option<&Cache>) -> Result<Dataset, ScanError> {
    options.check()?;
    let metadata = std::fs::metadata(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => {
            ScanError::Missing { path: path.to_owned(), suggestion: nearest_sibling(path) }
        }
        _ => ScanError::Read { path: path.to_owned(), source },
    })?;
    let patterns = Patterns::new(&options.exclude);
    let mut dataset = if !metadata.is_dir() {
        if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            return Err(ScanError::NotData { path: path.to_owned() });
        }
        from_files(path, manifest::list(path, &patterns)?, options, cache)?
    } else if let Some(files) = idx::find(path)? {
        idx::read(path, &files, &patterns)?
    } else {
        from_files(path, folders::list(path, &patterns)?, options, cache)?
    };
    dataset
        .notices
        .extend(patterns.unmatched().map(|pattern| Notice::UnmatchedExclude { pattern: pattern.to_owned() }));
    finish(&mut dataset, options);
    if let Some(cache) = cache {
        dataset.notices.extend(cache.take_warnings().into_iter().map(|message| Notice::Cache { message }));
    }
    Ok(dataset)
}

fn from_files(
    root: &Path,
    listing: Listing,
    options: &ScanOptions,
    cache: Option<&Cache>,
) -> Result<Dataset, ScanError> {
    let Listing { form, files, ignored_files, excluded, notices } = listing;
    let classes = classes_of(root, files.iter().map(|file| (file.class.as_str(), file.split)))?;
    let paths: Vec<&Path> = files.iter().map(|file| file.path.as_path()).collect();
    let base = match (form, root.parent()) {
        (Form::Manifest, Some(folder)) if folder.as_os_str().is_empty() => Path::new("."),
        (Form::Manifest, Some(folder)) => folder,
        _ => root,
    };
    let facts = examine::examine(base, &paths, cache);
    let label_of: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let mut samples = Vec::with_capacity(files.len());
    let mut skipped = Vec::new();
    let mut usable = vec![false; classes.len()];
    let mut bad_of_class: BTreeMap<u32, usize> = BTreeMap::new();
    for (Listed { path, class, split }, facts) in files.into_iter().zip(facts) {
        let label = label_of[class.as_str()];
        match facts {
            Ok(facts) => {
                usable[label as usize] |= split == Split::Train;
                samples.push(Sample {
                    path,
                    label,
                    split,
                    source: Source::File,
                    content: facts.content,
                    width: facts.width,
                    height: facts.height,
                    channels: facts.channels,
                });
            }
            Err(reason) => {
                bad_of_class.entry(label).or_insert(skipped.len());
                skipped.push(Skipped { path, reason });
            }
        }
    }
    if options.on_bad_image == OnBadImage::Fail && !skipped.is_empty() {
        return Err(ScanError::BadImages { bad: skipped });
    }
    let lost: Vec<usize> = (0..classes.len()).filter(|&class| !usable[class]).collect();
    if let Some(first) = lost.first().and_then(|&class| bad_of_class.get(&(class as u32))) {
        let first = Box::new(skipped[*first].clone());
        let classes = lost.iter().map(|&class| classes[class].clone()).collect();
        return Err(ScanError::ClassLost { classes, first });
    }
    Ok(Dataset {
        root: root.to_owned(),
        form,
        classes,
        samples,
        val_from_train: false,
        skipped,
        ignored_files,
        excluded,
        held_back: 0,
        notices,
    })
}

/// The sorted classes of the training set, of which there are at least two, and which know every class elsewhere.
fn classes_of<'a>(
    root: &Path,
    files: impl Iterator<Item = (&'a str, Split)>,
) -> Result<Vec<String>, ScanError> {
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for (class, split) in files {
        counts.entry(class).or_default()[split as usize] += 1;
    }
    let trained = |count: &[usize; 3]| count[Split::Train as usize] > 0;
    let classes: Vec<&str> = counts.iter().filter(|(_, n)| trained(n)).map(|(class, _)| *class).collect();
    if classes.is_empty() {
        let others = Split::ALL.into_iter().filter(|&split| counts.values().any(|n| n[split as usize] > 0));
        let others = others.map(|split| split.to_string()).collect();
        return Err(ScanError::NoTrain { path: root.to_owned(), others });
    }
    for split in [Split::Val, Split::Test] {
        let unknown: Vec<UnknownClass> = counts
            .iter()
            .filter(|(_, n)| !trained(n) && n[split as usize] > 0)
            .map(|(class, n)| UnknownClass {
                class: (*class).to_owned(),
                images: n[split as usize],
                similar: nearest(class, classes.iter().copied()).map(str::to_owned),
            })
            .collect();
        if !unknown.is_empty() {
            return Err(ScanError::UnknownClasses { split, classes: unknown });
        }
    }
    if let [class] = classes[..] {
        let inner = root.join(class);
        let nested = folders::looks_like_root(&inner).then(|| inner.display().to_string());
        return Err(ScanError::OneClass {
            path: root.to_owned(),
            class: class.to_owned(),
            suggestion: nested,
        });
    }
    Ok(classes.into_iter().map(str::to_owned).collect())
}

/// The validation set where none is given, then the part of the training set that was asked for, then what to say.
fn finish(dataset: &mut Dataset, options: &ScanOptions) {
    let classes = dataset.classes.len();
    let lacking = |dataset: &Dataset, split| {
        let counts = dataset.class_counts(split);
        let lacking = dataset.classes.iter().zip(counts).filter(|(_, n)| *n == 0);
        lacking.map(|(class, _)| class.clone()).collect::<Vec<_>>()
    };
    if dataset.samples.iter().all(|sample| sample.split != Split::Val) {
        dataset.val_from_train = true;
        split::split_off_val(&mut dataset.samples, classes, options.val_frac, options.seed);
        let lacking = lacking(dataset, Split::Val);
        if !lacking.is_empty() {
            dataset.notices.push(Notice::NotValidated { classes: lacking });
        }
    }
    for split in [Split::Val, Split::Test] {
        let given = dataset.samples.iter().any(|sample| sample.split == split);
        let lacking = lacking(dataset, split);
        if given && !lacking.is_empty() && !(split == Split::Val && dataset.val_from_train) {
            dataset.notices.push(Notice::ClassesMissing { split, classes: lacking });
        }
    }
    let (fraction, max) = (options.fraction, options.max_per_class);
    let keep = split::keep_part(&dataset.samples, classes, fraction, max, options.seed);
    let before = dataset.samples.len();
    let mut keep = keep.into_iter();
    dataset.samples.retain(|_| keep.next().unwrap_or(true));
    dataset.held_back = before - dataset.samples.len();
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
