//! NumPy arrays that belong together by their names ([`roles`]): `train_images` and `train_labels`, `x_test` and `y_test`, `X`
//! and `y`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::labels::Label;
use super::npy::{Array, NoImages};
use super::roles::{Role, Roles, role, without_split};
use super::{Arrays, Contents, MAX_BYTES, Part};
use crate::error::formats::literal;
use crate::files;
use crate::scan::manifest::{HOW_NONE, Wanted, without_label};
use crate::{Form, Layout, Notice, ScanError, Split, Taken};

/// So many bytes hold the header of an array.
const HEADER_BYTES: u64 = 1 << 16;

/// The arrays of a split.
pub(super) struct Pair {
    pub(super) split: Option<Split>,
    pub(super) images: Named,
    pub(super) labels: Named,
    groups: Option<Named>,
    /// An array that seems to say which images belong together, where none does.
    like_groups: Option<Named>,
    /// Arrays that seem to say of which split each image is.
    pub(super) like_splits: Vec<Named>,
}

/// An array that was not read yet.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) name: String,
    /// The `.npy` file, which may be in a `.npz` file.
    pub(super) path: PathBuf,
}

/// The pairs of a data set.
pub(super) struct Found {
    pub(super) pairs: Vec<Pair>,
    /// Arrays of images that have no labels.
    unlabelled: Vec<Named>,
    pub(super) notices: Vec<Notice>,
}

impl Found {
    /// The arrays to read; those whose splits stand in an array are read here, since that says which splits there are.
    pub(super) fn arrays(self, layout: &Layout) -> Result<Arrays, ScanError> {
        let mut keys = vec!["data.images", "data.label_column"];
        let (mut said, mut parts) = (Vec::new(), Vec::new());
        let mut notices: Vec<Notice> =
            self.unlabelled.into_iter().map(|array| Notice::UnlabelledArray { name: array.name }).collect();
        notices.extend(self.notices);
        for pair in self.pairs {
            let groups = pair.groups.as_ref().map_or(String::new(), |of| format!(", groups {}", of.name));
            let mut words = format!("{} with {}{groups}", pair.images.name, pair.labels.name);
            if let Some(split) = pair.split {
                words += &format!(" -> {split}");
            }
            if pair.like_splits.is_empty() {
                parts.push(Part::Named(pair));
            } else {
                let (read, told) = pair.read_splits(layout)?;
                notices.extend(told);
                match read {
                    (contents, None) => parts.push(Part::Read(contents)),
                    (contents, Some((splits, name))) => {
                        words += &format!(", {name} the splits{HOW_NONE}");
                        let left_out = splits.iter().filter(|split| split.is_none()).count();
                        if left_out > 0 {
                            words += &format!(" ({left_out} images left out)");
                        }
                        keys.push("data.split_column");
                        parts.extend(contents.part(&splits).into_iter().map(Part::Read));
                    }
                }
            }
            said.push(words);
        }
        let taken = Taken::new(format!("arrays {}", said.join(", ")), &keys);
        Ok(Arrays { form: Form::Arrays, taken, parts, notices })
    }
}

impl Named {
    /// Whether it holds a text for each image, by its first bytes.
    pub(super) fn is_text(&self) -> bool {
        const HEADER: u64 = 512;
        let start = files::read_start(&self.path, HEADER).unwrap_or_default();
        Array::is_texts(&start)
    }

    /// Its shape, by its first bytes.
    fn shape(&self) -> Result<Vec<usize>, String> {
        let start = files::read_start(&self.path, HEADER_BYTES);
        let start = start.map_err(|error| format!("it cannot be read: {error}"))?;
        Array::shape_of(&start).map_err(|reason| format!("{}: {reason}", self.name))
    }

    /// How many it has, where it can be read.
    fn count(&self) -> Option<usize> {
        self.shape().ok()?.first().copied()
    }

    pub(super) fn read(&self) -> Result<Array, ScanError> {
        let failed = |reason: String| ScanError::Array { path: self.path.clone(), reason };
        let bytes = files::read_up_to(&self.path, MAX_BYTES);
        Array::parse(bytes.map_err(|error| failed(format!("it cannot be read: {error}")))?).map_err(failed)
    }

    /// The group of each of `count` images of the array `images`.
    pub(super) fn groups(&self, count: usize, images: &str) -> Result<Vec<Option<Arc<str>>>, String> {
        let values = self.read().map_err(|error| error.to_string())?.groups()?;
        if values.len() != count {
            return Err(format!("it has {} groups for the {count} images of {images}", values.len()));
        }
        let mut names: HashSet<Arc<str>> = HashSet::new();
        let mut name = |value: String| match names.get(&*value) {
            Some(known) => Arc::clone(known),
            None => {
                let new: Arc<str> = value.into();
                names.insert(Arc::clone(&new));
                new
            }
        };
        Ok(values.into_iter().map(|value| value.map(&mut name)).collect())
    }
}

impl Pair {
    pub(super) fn read(&self, layout: &Layout) -> Result<Contents, ScanError> {
        let failed = |of: &Named, reason: String| ScanError::Array { path: of.path.clone(), reason };
        let labels = self.labels.read()?.labels().map_err(|reason| failed(&self.labels, reason))?;
        let empty =
            labels.iter().filter(|label| matches!(label, Label::Name(name) if name.is_empty())).count();
        if empty > 0 && !layout.rename.contains_key("") {
            return Err(failed(&self.labels, without_label("label of an image", empty, None)));
        }
        let (count, images, said) = self
            .images
            .read()?
            .images()
            .map_err(|fault| failed(&self.images, scaled(&self.images, fault)))?;
        if labels.len() != count {
            let reason =
                format!("it has {} labels for the {count} images of {}", labels.len(), self.images.name);
            return Err(failed(&self.labels, reason));
        }
        let groups = match &self.groups {
            None => Vec::new(),
            Some(of) => of.groups(count, &self.images.name).map_err(|reason| failed(of, reason))?,
        };
        // What cannot be read as groups is something else.
        let like = self.like_groups.as_ref().and_then(|of| Some((of, of.groups(count, "").ok()?)));
        let notice = like.and_then(|(of, groups)| {
            let distinct = groups.iter().flatten().collect::<HashSet<_>>().len();
            (2..count).contains(&distinct).then_some(Notice::LooksLikeGroup {
                column: without_split(&of.name),
                groups: distinct,
                images: count,
                split_given: self.split.is_some(),
            })
        });
        let contents = Contents::new(self.split, self.images.name.clone(), images, labels.into_iter());
        Ok(Contents { said, groups, notices: notice.into_iter().collect(), ..contents })
    }
}

/// Why an array holds no images, with the line that scales its values where that is why. All arrays of images beside it are scaled alike.
fn scaled(array: &Named, fault: NoImages) -> String {
    let NoImages { reason, range } = fault;
    let (Some((low, high)), Ok(shape)) = (range, array.shape()) else { return reason };
    let low = low.min(0.0);
    // Whole numbers of more bits end where these do.
    let bits = [255.0, 1023.0, 4095.0, 16383.0, 65535.0].into_iter().find(|&white| high <= white);
    let high = if low < 0.0 || high < 255.0 { high } else { bits.unwrap_or(high) };
    let rank = shape.len();
    let each = |of: &str| {
        format!("numpy.clip(({of} - {low:?}) * (255 / {:?}), 0, 255).round().astype('uint8')", high - low)
    };
    let (above, file) = (array.path.parent().unwrap_or(&array.path), &array.path);
    let line = match is_array_file(above) {
        true => format!(
            "import numpy; d = numpy.load({}); numpy.savez({}, **{{k: {} if d[k].ndim == {rank} else d[k] for k in d.files}})",
            literal(above),
            literal(&above.with_extension("8bit.npz")),
            each("d[k]"),
        ),
        false => {
            let folder =
                file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let out = folder.join("8bit");
            format!(
                "import numpy, pathlib; o = pathlib.Path({}); o.mkdir(exist_ok=True); [numpy.save(o / p.name, {} if a.ndim == {rank} else a) for p \
                 in pathlib.Path({}).glob('*.npy') for a in [numpy.load(p)]]",
                literal(&out),
                each("a"),
                literal(folder)
            )
        }
    };
    format!("{reason}, such as by\n  python3 -c \"{line}\"")
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
pub(super) fn in_file(path: &Path, wanted: &Wanted<'_>) -> Result<Found, ScanError> {
    let failed = |reason: String| ScanError::Array { path: path.to_owned(), reason };
    if is_npy(path) {
        return Err(failed(
            "one array has the images or their labels; name the folder that has both, such as x_train.npy and y_train.npy"
                .to_owned(),
        ));
    }
    pair(path, arrays_of(path)?, wanted)
}

/// The images of a file, without their labels.
pub(super) fn images(path: &Path) -> Result<Vec<Contents>, ScanError> {
    let mut arrays = arrays_of(path)?;
    if arrays.len() > 1 {
        arrays.retain(|array| role(&array.name).is_none_or(|(of, _)| of == Role::Images));
    }
    let mut all = Vec::new();
    for array in arrays {
        let failed = |reason: String| ScanError::Array { path: array.path.clone(), reason };
        let read = array.read()?;
        // Nameless labels.
        if read.shape.len() < 3 && array.name.starts_with("arr_") {
            continue;
        }
        let (count, images, said) = read.images().map_err(|fault| failed(scaled(&array, fault)))?;
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
pub(super) fn in_folder(root: &Path, wanted: &Wanted<'_>) -> Result<Option<Found>, ScanError> {
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
        [one] if one.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz")) => {
            in_file(one, wanted).map(Some)
        }
        _ => {
            let mut all: Vec<Vec<Named>> =
                paths.iter().map(|path| arrays_of(path)).collect::<Result<_, _>>()?;
            name_by_files(&paths, &mut all);
            pair(root, all.concat(), wanted).map(Some)
        }
    }
}

/// Puts the word of its file's split before the names of arrays, where several `.npz` files are called after different splits and their arrays say none:
/// `X` of `train_32x32.npz` and of `test_32x32.npz`.
fn name_by_files(paths: &[PathBuf], all: &mut [Vec<Named>]) {
    let stems: Vec<&str> = paths.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    let splits = crate::scan::splits_of_files(&stems);
    let named: Vec<Split> = splits.iter().copied().flatten().collect();
    let are_different = named.iter().enumerate().all(|(at, split)| !named[..at].contains(split));
    let say_none =
        all.iter().flatten().all(|array| role(&array.name).is_none_or(|(_, split)| split.is_none()));
    let are_archives = paths.iter().all(|path| !is_npy(path));
    if stems.len() < paths.len() || named.len() < 2 || !(are_different && say_none && are_archives) {
        return;
    }
    for (split, arrays) in splits.into_iter().zip(all) {
        let Some(split) = split else { continue };
        arrays.iter_mut().for_each(|array| array.name = format!("{split}_{}", array.name));
    }
}

/// The arrays of one file. A `.npz` file of one nameless array is called as the file is.
fn arrays_of(path: &Path) -> Result<Vec<Named>, ScanError> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if is_npy(path) {
        return Ok(vec![Named { name: stem, path: path.to_owned() }]);
    }
    let failed = |reason: String| ScanError::Array { path: path.to_owned(), reason };
    if let Some(outer) = path.ancestors().skip(1).find(|outer| outer.is_file()) {
        return Err(ScanError::ArchivesInside { path: outer.to_owned(), archives: vec![path.to_owned()] });
    }
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

/// Images with their labels, for each split.
fn pair(path: &Path, mut arrays: Vec<Named>, wanted: &Wanted<'_>) -> Result<Found, ScanError> {
    let failed = |reason: String| ScanError::Array { path: path.to_owned(), reason };
    let list = |arrays: &[Named]| {
        let names: Vec<&str> = arrays.iter().map(|array| array.name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let names: Vec<&str> = arrays.iter().map(|array| array.name.as_str()).collect();
    let roles = Roles::of(&names, wanted).map_err(failed)?;
    let names = list(&arrays);
    let mut found = Found { pairs: Vec::new(), unlabelled: Vec::new(), notices: Vec::new() };
    // Nameless arrays are told by their shapes.
    if !roles.any_asked() && arrays.len() == 2 && arrays.iter().all(|array| array.name.starts_with("arr_")) {
        let rank = |array: &Named| array.shape().map(|shape| shape.len()).map_err(failed);
        if rank(&arrays[0])? < rank(&arrays[1])? {
            arrays.swap(0, 1);
        }
        let [images, labels] = [arrays.swap_remove(0), arrays.swap_remove(0)];
        found.pairs.push(Pair {
            split: None,
            images,
            labels,
            groups: None,
            like_groups: None,
            like_splits: Vec::new(),
        });
        return Ok(found);
    }
    for split in [None, Some(Split::Train), Some(Split::Val), Some(Split::Test)] {
        let of = |wanted: Role| -> Vec<Named> {
            arrays
                .iter()
                .filter(|array| roles.of_array(&array.name) == Some((wanted, split)))
                .cloned()
                .collect()
        };
        let groups = match &of(Role::Groups)[..] {
            [] => None,
            [one] => Some(one.clone()),
            several => return Err(failed(format!("data.group may be {}", list(several)))),
        };
        let like_groups = || of(Role::LikeGroups).into_iter().next();
        let (images, mut labels) = (of(Role::Images), of(Role::Labels));
        // Names of the classes beside a label of each image.
        if let ([images], [_, _, ..]) = (&images[..], &labels[..])
            && let Some(count) = images.count()
        {
            let of_each: Vec<Named> =
                labels.iter().filter(|labels| labels.count() == Some(count)).cloned().collect();
            if of_each.len() == 1 {
                labels = of_each;
            }
        }
        match (&images[..], &labels[..]) {
            ([], []) => {}
            ([images], [labels]) => {
                let like_groups = if groups.is_none() { like_groups() } else { None };
                let (images, labels) = (images.clone(), labels.clone());
                found.pairs.push(Pair {
                    split,
                    images,
                    labels,
                    groups,
                    like_groups,
                    like_splits: Vec::new(),
                });
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
                let said = |key: &str, arrays: &[Named]| match arrays {
                    [first, _, ..] => format!("--set {key}={}", first.name),
                    _ => String::new(),
                };
                let keys = [said("data.images", images), said("data.label_column", labels)];
                let keys: Vec<String> = keys.into_iter().filter(|key| !key.is_empty()).collect();
                if let Some(sets) = as_sets(path, images, labels) {
                    return Err(failed(format!(
                        "which arrays belong together cannot be told: images{of} may be {}, labels {}; {sets}",
                        list(images),
                        list(labels)
                    )));
                }
                let how = match keys.is_empty() {
                    true => "a pair is called such as train_images and train_labels".to_owned(),
                    false => format!("say which, such as {}", keys.join(" ")),
                };
                return Err(failed(format!(
                    "which arrays belong together cannot be told: images{of} may be {}, labels {}; {how}",
                    list(images),
                    list(labels)
                )));
            }
        }
    }
    found.complete(&arrays, &roles, wanted.layout).map_err(failed)?;
    let splits = found.pairs.iter().filter(|pair| pair.split.is_some()).count();
    if found.pairs.is_empty() || (splits > 0 && splits < found.pairs.len()) {
        return Err(failed(format!(
            "its arrays are {names}; images and labels are called such as x_train and y_train, or images and labels, or are \
             named by --set data.images=... --set data.label_column=..."
        )));
    }
    Ok(found)
}

/// What to type where arrays of images are of different lengths, and so rather sets than the same images twice: one of them by itself may be
/// the test set. None where the labels do not go with them by their lengths.
fn as_sets(path: &Path, images: &[Named], labels: &[Named]) -> Option<String> {
    let mut sets: Vec<(usize, &Named, &Named)> = Vec::new();
    for array in images {
        let n = array.count()?;
        let mut of = labels.iter().filter(|labels| labels.count() == Some(n));
        match (of.next(), of.next()) {
            (Some(labels), None) if sets.iter().all(|(other, ..)| *other != n) => {
                sets.push((n, array, labels))
            }
            _ => return None,
        }
    }
    if !(2..=3).contains(&sets.len()) {
        return None;
    }
    sets.sort_by_key(|(n, ..)| std::cmp::Reverse(*n));
    let names: &[&str] = if sets.len() == 2 { &["train", "test"] } else { &["train", "val", "test"] };
    let lengths: Vec<String> = sets.iter().map(|(n, ..)| n.to_string()).collect();
    let said: Vec<String> = sets
        .iter()
        .zip(names)
        .map(|((_, images, labels), name)| {
            format!("x_{name}=d['{}'], y_{name}=d['{}']", images.name, labels.name)
        })
        .collect();
    let lengths = lengths.join(" and ");
    Some(match path.is_file() {
        true => format!(
            "they have {lengths} images, so they are sets rather than the same images twice: names say which is which, such as by\n  python -c \
             \"import numpy; d = numpy.load('{}'); numpy.savez('named.npz', {})\"\nif that is what they are",
            path.display(),
            said.join(", ")
        ),
        false => format!(
            "they have {lengths} images, so they are sets rather than the same images twice: call the files x_train, y_train, x_test, y_test \
             and the like"
        ),
    })
}
