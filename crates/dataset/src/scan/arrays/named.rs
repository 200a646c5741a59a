//! NumPy arrays that belong together by their names: `train_images` and `train_labels`, `x_test` and `y_test`, `X` and `y`.

use std::path::{Path, PathBuf};

use super::super::labels::Label;
use super::npy::Array;
use super::{Arrays, Contents, MAX_BYTES, Part};
use crate::files;
use crate::scan::names::{split_of, words};
use crate::{Form, Notice, ScanError, Split, Taken};

/// Words for arrays of images, and for arrays of labels.
const IMAGES: &[&str] = &["images", "image", "imgs", "img", "x", "data", "pixels", "inputs", "imagenes"];
const LABELS: &[&str] = &["labels", "label", "y", "targets", "target", "classes", "etiquetas"];

/// So many bytes hold the header of an array.
const HEADER_BYTES: u64 = 1 << 16;

/// The arrays of a split.
pub(super) struct Pair {
    pub(super) split: Option<Split>,
    images: Named,
    labels: Named,
}

/// An array that was not read yet.
#[derive(Clone)]
struct Named {
    name: String,
    /// The `.npy` file, which may be in a `.npz` file.
    path: PathBuf,
}

/// The pairs of a data set.
pub(super) struct Found {
    pairs: Vec<Pair>,
    /// Arrays of images that have no labels.
    unlabelled: Vec<Named>,
}

impl From<Found> for Arrays {
    fn from(found: Found) -> Arrays {
        let of = |pair: &Pair| {
            let split = pair.split.map_or(String::new(), |split| format!(" -> {split}"));
            format!("{} with {}{split}", pair.images.name, pair.labels.name)
        };
        let pairs: Vec<String> = found.pairs.iter().map(of).collect();
        let taken = Taken::new(format!("arrays {}", pairs.join(", ")), &[]);
        let parts = found.pairs.into_iter().map(Part::Named).collect();
        let notice = |array: Named| Notice::UnlabelledArray { name: array.name };
        let notices = found.unlabelled.into_iter().map(notice).collect();
        Arrays { form: Form::Arrays, taken, parts, is_table: false, notices }
    }
}

impl Named {
    fn read(&self) -> Result<Array, ScanError> {
        let failed = |reason: String| ScanError::Array { path: self.path.clone(), reason };
        let bytes = files::read_up_to(&self.path, MAX_BYTES);
        Array::parse(bytes.map_err(|error| failed(format!("it cannot be read: {error}")))?).map_err(failed)
    }
}

impl Pair {
    pub(super) fn read(&self) -> Result<Contents, ScanError> {
        let failed = |of: &Named, reason: String| ScanError::Array { path: of.path.clone(), reason };
        let labels = self.labels.read()?.labels().map_err(|reason| failed(&self.labels, reason))?;
        let (count, images, said) =
            self.images.read()?.images().map_err(|reason| failed(&self.images, reason))?;
        if labels.len() != count {
            let reason =
                format!("it has {} labels for the {count} images of {}", labels.len(), self.images.name);
            return Err(failed(&self.labels, reason));
        }
        let contents = Contents::new(self.split, self.images.name.clone(), images, labels.into_iter());
        Ok(Contents { said, ..contents })
    }
}

fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

/// Whether a file holds arrays by its name.
pub(in crate::scan) fn is_array_file(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    extension.eq_ignore_ascii_case("npz") || extension.eq_ignore_ascii_case("npy")
}

/// The arrays of a `.npz` file.
pub(super) fn in_file(path: &Path) -> Result<Found, ScanError> {
    let failed = |reason: String| ScanError::Array { path: path.to_owned(), reason };
    if is_npy(path) {
        return Err(failed(
            "one array has the images or their labels; name the folder that has both, such as x_train.npy and y_train.npy"
                .to_owned(),
        ));
    }
    pair(path, arrays_of(path)?)
}

/// The images of a file, without their labels.
pub(super) fn images(path: &Path) -> Result<Vec<Contents>, ScanError> {
    let mut arrays = arrays_of(path)?;
    if arrays.len() > 1 {
        arrays.retain(|array| role(&array.name).is_none_or(|(is_images, _)| is_images));
    }
    let mut all = Vec::new();
    for array in arrays {
        let failed = |reason: String| ScanError::Array { path: array.path.clone(), reason };
        let read = array.read()?;
        // Nameless labels.
        if read.shape.len() < 3 && array.name.starts_with("arr_") {
            continue;
        }
        let (count, images, said) = read.images().map_err(failed)?;
        let labels = std::iter::repeat_n(Label::Number(0), count);
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let name = if is_npy(path) { file.into_owned() } else { format!("{file}/{}", array.name) };
        all.push(Contents { said, ..Contents::new(None, name, images, labels) });
    }
    if all.is_empty() {
        let reason = "it has no array of images".to_owned();
        return Err(ScanError::Array { path: path.to_owned(), reason });
    }
    Ok(all)
}

/// The arrays of a folder that holds nothing else to train on; `None` where there are none.
pub(super) fn in_folder(root: &Path) -> Result<Option<Found>, ScanError> {
    let entries = files::entries(root).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries
        .filter(|entry| !entry.is_folder && is_array_file(&entry.path))
        .map(|entry| entry.path)
        .collect();
    paths.retain(|path| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b".")));
    paths.sort_unstable();
    // Arrays beside class folders may be anything.
    let has_images = || !crate::scan::folders::files_below(root).is_empty();
    match &paths[..] {
        [] => Ok(None),
        _ if has_images() => Ok(None),
        [one] if one.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz")) => in_file(one).map(Some),
        _ => {
            let all: Vec<Vec<Named>> = paths.iter().map(|path| arrays_of(path)).collect::<Result<_, _>>()?;
            pair(root, all.concat()).map(Some)
        }
    }
}

/// The arrays of one file. A `.npz` file of one nameless array is called as the file is.
fn arrays_of(path: &Path) -> Result<Vec<Named>, ScanError> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if is_npy(path) {
        return Ok(vec![Named { name: stem, path: path.to_owned() }]);
    }
    let failed = |reason: String| ScanError::Array { path: path.to_owned(), reason };
    let names = files::names_in(path).map_err(|error| failed(format!("it is no .npz file: {error}")))?;
    let mut arrays: Vec<Named> = names
        .into_iter()
        .filter_map(|file| {
            Some(Named { name: file.strip_suffix(".npy")?.to_owned(), path: path.join(&file) })
        })
        .collect();
    arrays.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    if let [only] = &mut arrays[..]
        && only.name.starts_with("arr_")
    {
        only.name = stem;
    }
    Ok(arrays)
}

/// Whether an array has images or labels, and of which split, by its name.
fn role(name: &str) -> Option<(bool, Option<Split>)> {
    let words = words(name);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let is_images = match (has(IMAGES), has(LABELS)) {
        (true, false) => true,
        (_, true) => false,
        (false, false) => return None,
    };
    let mut splits = words.iter().filter_map(|word| split_of(word));
    Some((is_images, splits.next()))
}

/// Images with their labels, for each split.
fn pair(path: &Path, mut arrays: Vec<Named>) -> Result<Found, ScanError> {
    let failed = |reason: String| ScanError::Array { path: path.to_owned(), reason };
    let list = |arrays: &[Named]| {
        let names: Vec<&str> = arrays.iter().map(|array| array.name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let names = list(&arrays);
    let mut found = Found { pairs: Vec::new(), unlabelled: Vec::new() };
    // Nameless arrays are told by their shapes.
    if arrays.len() == 2 && arrays.iter().all(|array| array.name.starts_with("arr_")) {
        let rank = |array: &Named| {
            let start = files::read_start(&array.path, HEADER_BYTES);
            let start = start.map_err(|error| failed(format!("it cannot be read: {error}")))?;
            Array::rank(&start).map_err(|reason| failed(format!("{}: {reason}", array.name)))
        };
        if rank(&arrays[0])? < rank(&arrays[1])? {
            arrays.swap(0, 1);
        }
        let [images, labels] = [arrays.swap_remove(0), arrays.swap_remove(0)];
        found.pairs.push(Pair { split: None, images, labels });
        return Ok(found);
    }
    for split in [None, Some(Split::Train), Some(Split::Val), Some(Split::Test)] {
        let of = |wanted: bool| -> Vec<Named> {
            arrays.iter().filter(|array| role(&array.name) == Some((wanted, split))).cloned().collect()
        };
        match (&of(true)[..], &of(false)[..]) {
            ([], []) => {}
            ([images], [labels]) => {
                found.pairs.push(Pair { split, images: images.clone(), labels: labels.clone() });
            }
            ([images], []) if split == Some(Split::Test) => found.unlabelled.push(images.clone()),
            (images, labels) => {
                // Files of one make, each with all of its arrays.
                let files: std::collections::BTreeSet<&Path> =
                    images.iter().filter_map(|array| array.path.parent()).collect();
                if files.len() > 1 && files.iter().all(|file| is_array_file(file)) {
                    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
                    return Err(failed(format!(
                        "several files hold arrays of the same names: name one of {}",
                        names.join(", ")
                    )));
                }
                let of = split.map_or(String::new(), |split| format!(" of {split}"));
                return Err(failed(format!(
                    "which arrays belong together cannot be told: images{of} may be {}, labels {}; a pair is called such as \
                     train_images and train_labels",
                    list(images),
                    list(labels)
                )));
            }
        }
    }
    let splits = found.pairs.iter().filter(|pair| pair.split.is_some()).count();
    if found.pairs.is_empty() || (splits > 0 && splits < found.pairs.len()) {
        return Err(failed(format!(
            "its arrays are {names}; images and labels are called such as x_train and y_train, or images and labels"
        )));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_arrays_hold() {
        for name in ["train_images", "x_train", "X_train", "kmnist-train-imgs", "Training data"] {
            assert_eq!(role(name), Some((true, Some(Split::Train))), "{name}");
        }
        for name in ["test_labels", "y_test", "test_y", "k49-test-labels", "image_labels_test"] {
            assert_eq!(role(name), Some((false, Some(Split::Test))), "{name}");
        }
        assert_eq!(role("X"), Some((true, None)));
        assert_eq!(role("labels"), Some((false, None)));
        assert_eq!(role("weights"), None);
    }
}
