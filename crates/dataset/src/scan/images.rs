//! Images for a model to label: files and folders of which nothing else is known.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::arrays::Arrays;
use super::examine::{Candidate, Memory, samples, several_pages};
use super::labelled::check_bad;
use super::shards::Shards;
use super::{Beside, folders, is_folder, root_of};
use crate::files;
use crate::pattern::Patterns;
use crate::{Cache, Dataset, Form, OnBadImage, Purpose, Sample, ScanError, Split};

/// The images at `paths`: a file is taken as it is, whatever its name; a folder stands for the images anywhere below it,
/// by the names and in the order of [`scan`](crate::scan()); so does an archive. What is named twice, or is in a folder that is
/// also named, comes once, at its first place; a link beside the file that it points to is another image. Arrays have no
/// paths, and are passed over here.
///
/// # Errors
/// Where a path does not exist, or a folder cannot be read or has no images.
pub fn list_images(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ScanError> {
    Ok(list(paths)?.into_iter().flat_map(|given| given.images).collect())
}

/// Finds images for a model to label, as [`list_images`] does and those of arrays too, and reads each once. The data set has no classes, every
/// label is 0 and every split [`Split::Test`]; [`load`](crate::load()) takes it as any other.
///
/// # Errors
/// As [`list_images`]; and where an image is bad and the policy is to fail, or all are.
pub fn scan_images(
    paths: &[PathBuf],
    on_bad_image: OnBadImage,
    cache: Option<&Cache>,
) -> Result<Dataset, ScanError> {
    let root = match paths {
        [path] => path,
        _ => Path::new(""),
    };
    let mut dataset = Dataset::new(root, Form::Images, Purpose::Prediction, Vec::new());
    for Given { folder, images, arrays, beside } in list(paths)? {
        dataset.samples.extend(arrays);
        // A file that somebody names is not remembered: there is no folder of a data set to which it belongs.
        let memory = Memory {
            cache: cache.filter(|_| folder.is_some()),
            root: folder.unwrap_or(root),
            partial: false,
        };
        let candidates =
            images.into_iter().map(|path| Candidate { path, label: 0, split: Split::Test, group: None });
        let examined = samples(candidates.collect(), &memory)?;
        dataset.samples.extend(examined.samples);
        dataset.skipped.extend(examined.skipped);
        dataset.notices.extend(examined.pages.map(several_pages));
        beside.add_to(&mut dataset);
    }
    check_bad(&dataset.samples, &dataset.skipped, on_bad_image)?;
    dataset.notices.extend(super::warnings(cache));
    Ok(dataset)
}

/// Leaves out of images that [`scan_images`] has found what `data.exclude` and `data.exclude_list` name, as paths below the folder.
///
/// # Errors
/// Where the list cannot be read, or nothing is left.
pub fn leave_out(
    dataset: &mut Dataset,
    exclude: &[String],
    exclude_list: Option<&Path>,
) -> Result<(), ScanError> {
    let patterns = Patterns::new(exclude).with_list(exclude_list)?;
    let root = dataset.root.clone();
    let stays = |path: &Path| !patterns.exclude(path.strip_prefix(&root).unwrap_or(path));
    let before = dataset.samples.len() + dataset.skipped.len();
    dataset.samples.retain(|sample| stays(&sample.path));
    dataset.skipped.retain(|skipped| stays(&skipped.path));
    dataset.excluded += before - dataset.samples.len() - dataset.skipped.len();
    dataset.notices.extend(super::unmatched(&patterns));
    check_bad(&dataset.samples, &dataset.skipped, OnBadImage::Skip)
}

/// What one folder, or a row of files, or a file of arrays stands for.
struct Given<'a> {
    /// The folder; `None` for files.
    folder: Option<&'a Path>,
    images: Vec<PathBuf>,
    arrays: Vec<Sample>,
    beside: Beside,
}

fn list(paths: &[PathBuf]) -> Result<Vec<Given<'_>>, ScanError> {
    let mut all: Vec<Given<'_>> = Vec::new();
    let mut seen = Seen::default();
    for path in paths {
        if is_folder(path)? {
            let root = root_of(path)?;
            if let Some(arrays) = Arrays::images(&root)? {
                let arrays = if seen.insert(&root) { arrays } else { Vec::new() };
                all.push(Given { folder: Some(path), images: Vec::new(), arrays, beside: Beside::default() });
                continue;
            }
            let (images, beside) = match Shards::at(&root)? {
                Some(shards) => (shards.images()?, Beside::default()),
                None => folders::images_below(&root)?,
            };
            let images = images.into_iter().filter(|image| seen.insert(image)).collect();
            all.push(Given { folder: Some(path), images, arrays: Vec::new(), beside });
        } else if seen.insert(path) {
            if let Some(arrays) = Arrays::images(path)? {
                all.push(Given { folder: Some(path), images: Vec::new(), arrays, beside: Beside::default() });
                continue;
            }
            match all.last_mut() {
                Some(Given { folder: None, images, .. }) => images.push(path.clone()),
                _ => all.push(Given {
                    folder: None,
                    images: vec![path.clone()],
                    arrays: Vec::new(),
                    beside: Beside::default(),
                }),
            }
        }
    }
    Ok(all)
}

/// The files so far, by the real path of their folder and their name.
#[derive(Default)]
struct Seen {
    real: HashMap<PathBuf, PathBuf>,
    files: HashSet<PathBuf>,
}

impl Seen {
    /// Adds a file; false where it was there.
    fn insert(&mut self, path: &Path) -> bool {
        let (folder, name) = (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default());
        let real = self.real.entry(folder.to_owned()).or_insert_with(|| {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            files::real(folder).unwrap_or_else(|_| folder.to_owned())
        });
        self.files.insert(real.join(name))
    }
}
