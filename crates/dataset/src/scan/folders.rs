//! Class folders, with or without folders for the splits above them.
//!
//! As torchvision's `ImageFolder`: every image anywhere below a class folder belongs to the class, in sorted order, and
//! links are followed. Names that start with a dot are skipped, and so is the `__MACOSX` that macOS adds to archives.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use pupila_image::Format;
use rayon::prelude::*;

use super::labelled::choose;
use super::{Listed, Listing};
use crate::pattern::Patterns;
use crate::{Form, Notice, ScanError, Split};

/// All splits, or all class folders, to train on.
pub(super) fn list(root: &Path, patterns: &Patterns<'_>) -> Result<Listing, ScanError> {
    let top = Folder::read(root, root, patterns)?;
    let splits = splits_in(root, &top, None)?;
    let mut walk = Walk { root, patterns, found: Found::default() };
    let form = if splits.is_empty() {
        walk.class_folders(root, &top, None)?;
        Form::ClassFolders
    } else {
        walk.found.beside_splits(&top, &splits);
        for (split, path) in &splits {
            let folder = Folder::read(root, path, patterns)?;
            if folder.folders.is_empty() && *split == Split::Test && folder.images.len() > 1 {
                walk.found.notices.push(Notice::Unlabelled { path: path.clone() });
                continue;
            }
            let before = walk.found.files.len();
            walk.split_folder(path, &folder, *split)?;
            if walk.found.files.len() == before && *split == Split::Val {
                return Err(ScanError::EmptySplit { split: *split, path: path.clone() });
            }
        }
        Form::SplitFolders
    };
    let Found { files, ignored, excluded, empty_classes, notices } = walk.found;
    if files.is_empty() {
        return Err(no_images(root, &top, ignored, excluded));
    }
    if !empty_classes.is_empty() {
        return Err(ScanError::EmptyClasses { paths: empty_classes });
    }
    Ok(Listing { form, files, partial: false, ignored_files: ignored, excluded, notices })
}

/// The one split that is `wanted` (see [`choose`]), or all class folders, for a model that knows `classes`.
pub(super) fn list_one(
    root: &Path,
    patterns: &Patterns<'_>,
    classes: &[String],
    wanted: Option<Split>,
) -> Result<Listing, ScanError> {
    let top = Folder::read(root, root, patterns)?;
    let splits = splits_in(root, &top, Some(classes))?;
    let there: Vec<Split> = splits.iter().map(|(split, _)| *split).collect();
    let chosen = choose(root, wanted, &there)?;
    let mut walk = Walk { root, patterns, found: Found::default() };
    // The folder that holds the class folders, and what is in it.
    let (form, path, folder) = match splits.iter().find(|(split, _)| Some(*split) == chosen) {
        Some((split, path)) => {
            walk.found.beside_splits(&top, &splits);
            let folder = Folder::read(root, path, patterns)?;
            walk.split_folder(path, &folder, *split)?;
            (Form::SplitFolders, path.as_path(), folder)
        }
        None => {
            walk.class_folders(root, &top, None)?;
            (Form::ClassFolders, root, top)
        }
    };
    let Found { files, ignored, excluded, notices, .. } = walk.found;
    if files.is_empty() {
        return Err(no_images(path, &folder, ignored, excluded));
    }
    Ok(Listing { form, files, partial: there.len() > 1, ignored_files: ignored, excluded, notices })
}

/// All images below a folder of which nothing is known, and what else should be known of it.
pub(super) fn images_below(root: &Path) -> Result<(Folder, Vec<Notice>), ScanError> {
    let (mut all, mut notices) = (Folder::default(), Vec::new());
    let walk = Walk { root, patterns: &Patterns::new(&[]), found: Found::default() };
    walk.descend(root, &mut all, &mut HashSet::new(), &mut notices)?;
    if all.images.is_empty() {
        let top = Folder::read(root, root, walk.patterns)?;
        return Err(no_images(root, &top, all.other_files, 0));
    }
    Ok((all, notices))
}

/// Whether a folder would be taken for one with splits.
pub(super) fn looks_like_root(path: &Path) -> bool {
    Split::Train.aliases().iter().any(|name| path.join(name).is_dir())
}

fn no_images(path: &Path, folder: &Folder, ignored: usize, excluded: usize) -> ScanError {
    if folder.folders.is_empty() && !folder.images.is_empty() {
        return ScanError::NoClassFolders { path: path.to_owned() };
    }
    let kinds = [
        (folder.folders.len(), "folders"),
        (ignored, "files of other kinds"),
        (excluded, "left out by data.exclude"),
        (folder.images.len(), "images that are in no class folder"),
    ];
    let kinds = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!("{n} {kind}"));
    let kinds = kinds.collect::<Vec<_>>().join(", ");
    let found = if kinds.is_empty() { "the folder is empty".to_owned() } else { kinds };
    ScanError::NoImages { path: path.to_owned(), found }
}

/// The folders of the splits; none where `top` holds the classes themselves. `known` are the classes of a model that is
/// to be judged; where there are none yet, there must be something to train on.
fn splits_in(
    root: &Path,
    top: &Folder,
    known: Option<&[String]>,
) -> Result<Vec<(Split, PathBuf)>, ScanError> {
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
    let has_folders = |path: &Path| -> Result<bool, ScanError> {
        Ok(!Folder::read(root, path, &Patterns::new(&[]))?.folders.is_empty())
    };
    let is_known = |path: &Path| {
        name_of(path).is_some_and(|name| known.is_some_and(|known| known.iter().any(|class| class == name)))
    };
    match (splits.first(), known) {
        (None, _) => Ok(splits),
        (Some((Split::Train, train)), _) => {
            // A train is also a thing to classify: a folder of images among others that are no splits.
            let may_be_class = splits.len() == 1 && (top.folders.len() > 1 || is_known(train));
            Ok(if may_be_class && !has_folders(train)? { Vec::new() } else { splits })
        }
        (Some(_), None) if splits.len() == top.folders.len() => {
            let others = splits.iter().filter_map(|(_, path)| Some(name_of(path)?.to_owned())).collect();
            Err(ScanError::NoTrain { path: root.to_owned(), others })
        }
        (Some(_), None) => Ok(Vec::new()),
        (Some(_), Some(_)) => {
            for path in top.folders.iter().filter(|path| is_known(path)) {
                let named_as_split = splits.iter().any(|(_, split)| split == path);
                if !named_as_split || !has_folders(path)? {
                    return Ok(Vec::new());
                }
            }
            Ok(splits)
        }
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
pub(super) struct Folder {
    folders: Vec<PathBuf>,
    pub(super) images: Vec<PathBuf>,
    pub(super) other_files: usize,
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
    /// Notes what is beside the class folders in `folder`.
    fn beside_classes(&mut self, path: &Path, folder: &Folder) {
        self.ignored += folder.other_files;
        self.excluded += folder.excluded;
        if !folder.images.is_empty() {
            self.notices.push(Notice::LooseImages { path: path.to_owned(), images: folder.images.len() });
        }
    }

    /// Notes what is beside the folders of the splits.
    fn beside_splits(&mut self, top: &Folder, splits: &[(Split, PathBuf)]) {
        self.excluded += top.excluded;
        let others = top.folders.iter().filter(|folder| splits.iter().all(|(_, split)| split != *folder));
        self.notices.extend(others.map(|path| Notice::IgnoredFolder { path: path.clone() }));
    }
}

struct Walk<'a> {
    root: &'a Path,
    patterns: &'a Patterns<'a>,
    found: Found,
}

impl Walk<'_> {
    /// Lists the folder of a split, which was read before.
    fn split_folder(&mut self, path: &Path, folder: &Folder, split: Split) -> Result<(), ScanError> {
        if folder.folders.is_empty() && !folder.images.is_empty() {
            return Err(ScanError::NoClassFolders { path: path.to_owned() });
        }
        self.class_folders(path, folder, Some(split))
    }

    /// Lists each class folder in `folder` with all that is below it.
    fn class_folders(&mut self, path: &Path, folder: &Folder, split: Option<Split>) -> Result<(), ScanError> {
        self.found.beside_classes(path, folder);
        let listed: Vec<(Folder, Vec<Notice>)> = folder
            .folders
            .par_iter()
            .map(|path| {
                let (mut all, mut notices) = (Folder::default(), Vec::new());
                self.descend(path, &mut all, &mut HashSet::new(), &mut notices)?;
                Ok((all, notices))
            })
            .collect::<Result<_, ScanError>>()?;
        for (path, (all, notices)) in folder.folders.iter().zip(listed) {
            let class = name_of(path).ok_or_else(|| ScanError::ClassName { path: path.clone() })?;
            if all.images.is_empty() && all.excluded == 0 && matches!(split, None | Some(Split::Train)) {
                self.found.empty_classes.push(path.clone());
            }
            let files = all.images.into_iter().map(|path| Listed {
                path,
                class: class.to_owned(),
                split,
                group: None,
            });
            self.found.files.extend(files);
            self.found.ignored += all.other_files;
            self.found.excluded += all.excluded;
            self.found.notices.extend(notices);
        }
        Ok(())
    }

    /// Adds what is below `path` to `all`: its own images first, then those of its folders. `seen` holds the real paths
    /// of the folders so far, so that links can neither go round in circles nor bring the same image twice.
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
