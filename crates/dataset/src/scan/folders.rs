//! Class folders, with or without folders for the splits above them.
//!
//! As torchvision's `ImageFolder`: every image anywhere below a class folder belongs to the class, in sorted order, and
//! links are followed. Names that start with a dot are skipped, and so is the `__MACOSX` that macOS adds to archives.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use pupila_image::Format;
use rayon::prelude::*;

use super::{Listed, Listing};
use crate::pattern::Patterns;
use crate::{Form, Notice, ScanError, Split};

pub(super) fn list(root: &Path, patterns: &Patterns<'_>) -> Result<Listing, ScanError> {
    let top = Folder::read(root, root, patterns)?;
    let splits = splits_in(root, &top)?;
    let mut walk = Walk { root, patterns, found: Found::default() };
    let form = if splits.is_empty() {
        walk.found.loose_images(root, &top);
        walk.classes(&top.folders, Split::Train)?;
        Form::ClassFolders
    } else {
        let others = top.folders.iter().filter(|folder| splits.iter().all(|(_, split)| split != *folder));
        walk.found.notices.extend(others.map(|path| Notice::IgnoredFolder { path: path.clone() }));
        for (split, path) in &splits {
            let folder = Folder::read(root, path, patterns)?;
            if folder.folders.is_empty() && *split == Split::Test && folder.images.len() > 1 {
                walk.found.notices.push(Notice::Unlabelled { path: path.clone() });
                continue;
            }
            walk.found.loose_images(path, &folder);
            if folder.folders.is_empty() && !folder.images.is_empty() {
                return Err(ScanError::NoClassFolders { path: path.clone() });
            }
            let before = walk.found.files.len();
            walk.classes(&folder.folders, *split)?;
            if walk.found.files.len() == before && *split == Split::Val {
                return Err(ScanError::EmptySplit { split: *split, path: path.clone() });
            }
        }
        Form::SplitFolders
    };
    let mut found = walk.found;
    found.excluded += top.excluded;
    if found.files.is_empty() {
        let kinds = [
            (top.folders.len(), "folders"),
            (found.ignored, "files of other kinds"),
            (found.excluded, "left out by data.exclude"),
            (top.images.len(), "images that are in no class folder"),
        ];
        let kinds = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!("{n} {kind}"));
        let kinds = kinds.collect::<Vec<_>>().join(", ");
        let found = if kinds.is_empty() { "the folder is empty".to_owned() } else { kinds };
        return Err(ScanError::NoImages { path: root.to_owned(), found });
    }
    if !found.empty_classes.is_empty() {
        return Err(ScanError::EmptyClasses { paths: found.empty_classes });
    }
    let Found { files, ignored, excluded, notices, .. } = found;
    Ok(Listing { form, files, ignored_files: ignored, excluded, notices })
}

/// Whether a folder would be taken for one with splits.
pub(super) fn looks_like_root(path: &Path) -> bool {
    Split::Train.aliases().iter().any(|name| path.join(name).is_dir())
}

/// The folders of the splits; none where `top` holds the classes themselves.
fn splits_in(root: &Path, top: &Folder) -> Result<Vec<(Split, PathBuf)>, ScanError> {
    let mut splits: Vec<(Split, PathBuf)> = Vec::new();
    for path in &top.folders {
        let Some(split) = name_of(path).and_then(|name| name.parse::<Split>().ok()) else { continue };
        if let Some((_, first)) = splits.iter().find(|(other, _)| *other == split) {
            return Err(ScanError::AmbiguousSplit {
                path: root.to_owned(),
                split,
                first: name_of(first).unwrap_or_default().to_owned(),
                second: name_of(path).unwrap_or_default().to_owned(),
            });
        }
        splits.push((split, path.clone()));
    }
    splits.sort();
    match splits.first() {
        Some((Split::Train, train)) => {
            // A train is also a thing to classify: a folder of images among others that are no splits.
            let is_class = splits.len() == 1
                && top.folders.len() > 1
                && Folder::read(root, train, &Patterns::new(&[]))?.folders.is_empty();
            Ok(if is_class { Vec::new() } else { splits })
        }
        Some(_) if splits.len() == top.folders.len() => {
            let others = splits.iter().filter_map(|(_, path)| Some(name_of(path)?.to_owned())).collect();
            Err(ScanError::NoTrain { path: root.to_owned(), others })
        }
        _ => Ok(Vec::new()),
    }
}

fn name_of(path: &Path) -> Option<&str> {
    path.file_name().and_then(OsStr::to_str)
}

fn is_image(path: &Path) -> bool {
    let Some(extension) = path.extension().and_then(OsStr::to_str) else { return false };
    Format::ALL
        .iter()
        .flat_map(|format| format.extensions())
        .any(|known| known.eq_ignore_ascii_case(extension))
}

/// What is directly in a folder, each kind sorted by name.
#[derive(Default)]
struct Folder {
    folders: Vec<PathBuf>,
    images: Vec<PathBuf>,
    other_files: usize,
    excluded: usize,
}

impl Folder {
    fn read(root: &Path, path: &Path, patterns: &Patterns<'_>) -> Result<Folder, ScanError> {
        let unreadable = |source| ScanError::Read { path: path.to_owned(), source };
        let mut folder = Folder::default();
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") || name == "__MACOSX" {
                continue;
            }
            let path = entry.path();
            let kind = entry.file_type().map_err(unreadable)?;
            // What a link points to decides; a broken one is examined as the file that it claims to be.
            let is_folder = if kind.is_symlink() { path.is_dir() } else { kind.is_dir() };
            if !is_folder && !is_image(&path) {
                folder.other_files += 1;
            } else if patterns.exclude(path.strip_prefix(root).unwrap_or(&path)) {
                folder.excluded += 1;
            } else if is_folder {
                folder.folders.push(path);
            } else {
                folder.images.push(path);
            }
        }
        folder.folders.sort_unstable();
        folder.images.sort_unstable();
        Ok(folder)
    }
}

/// What was found below the root so far.
#[derive(Default)]
struct Found {
    files: Vec<Listed>,
    ignored: usize,
    excluded: usize,
    empty_classes: Vec<PathBuf>,
    notices: Vec<Notice>,
}

impl Found {
    fn loose_images(&mut self, path: &Path, folder: &Folder) {
        self.ignored += folder.other_files;
        if !folder.images.is_empty() {
            self.notices.push(Notice::LooseImages { path: path.to_owned(), images: folder.images.len() });
        }
    }
}

struct Walk<'a> {
    root: &'a Path,
    patterns: &'a Patterns<'a>,
    found: Found,
}

impl Walk<'_> {
    /// Lists each class folder with all that is below it.
    fn classes(&mut self, folders: &[PathBuf], split: Split) -> Result<(), ScanError> {
        let listed: Vec<(Folder, Vec<Notice>)> = folders
            .par_iter()
            .map(|path| {
                let (mut all, mut notices) = (Folder::default(), Vec::new());
                self.descend(path, &mut all, &mut HashSet::new(), &mut notices)?;
                Ok((all, notices))
            })
            .collect::<Result<_, ScanError>>()?;
        for (path, (all, notices)) in folders.iter().zip(listed) {
            let class = name_of(path).ok_or_else(|| ScanError::ClassName { path: path.clone() })?;
            if all.images.is_empty() && all.excluded == 0 && split == Split::Train {
                self.found.empty_classes.push(path.clone());
            }
            let files = all.images.into_iter().map(|path| Listed { path, class: class.to_owned(), split });
            self.found.files.extend(files);
            self.found.ignored += all.other_files;
            self.found.excluded += all.excluded;
            self.found.notices.extend(notices);
        }
        Ok(())
    }

    /// Adds what is below `path` to `all`: its own images first, then those of its folders. `seen` holds the real paths
    /// of the class's folders, so that links can neither go round in circles nor bring the same image twice.
    fn descend(
        &self,
        path: &Path,
        all: &mut Folder,
        seen: &mut HashSet<PathBuf>,
        notices: &mut Vec<Notice>,
    ) -> Result<(), ScanError> {
        let real = path.canonicalize().map_err(|source| ScanError::Read { path: path.to_owned(), source })?;
        if !seen.insert(real) {
            notices.push(Notice::LinkedTwice { path: path.to_owned() });
            return Ok(());
        }
        let folder = Folder::read(self.root, path, self.patterns)?;
        all.images.extend(folder.images);
        all.other_files += folder.other_files;
        all.excluded += folder.excluded;
        for inner in &folder.folders {
            self.descend(inner, all, seen, notices)?;
        }
        Ok(())
    }
}
