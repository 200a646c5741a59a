//! What an array holds, by its name or by a recipe's keys.

use crate::scan::manifest::{GROUP, Wanted, is_fold_name, is_split_name, names_groups};
use crate::scan::names::{flagged_split, split_of, words};
use crate::suggest::nearest;
use crate::{Layout, Split};

/// Words for arrays of images, and for arrays of labels.
const IMAGES: &[&str] = &["images", "image", "imgs", "img", "x", "data", "pixels", "inputs", "imagenes"];
const LABELS: &[&str] = &["labels", "label", "y", "targets", "target", "classes", "etiquetas"];

/// Words for arrays of the numbers of a split's images.
const PLACES: &[&str] =
    &["idx", "idxs", "index", "indexes", "indices", "ind", "inds", "ids", "indice", "rows"];

/// Short words for splits, which are so beside a word for what an array holds alone: `X_tr`, `yte`.
const SHORT: &[(&str, Split)] = &[
    ("tr", Split::Train),
    ("va", Split::Val),
    ("vl", Split::Val),
    ("dv", Split::Val),
    ("te", Split::Test),
    ("ts", Split::Test),
    ("tt", Split::Test),
];

/// What an array holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Images,
    Labels,
    /// Which images belong together.
    Groups,
    /// That too, by its name, where no recipe asked for it.
    LikeGroups,
}

/// What a recipe says of arrays: for `x` the arrays `x`, `x_train` and `x_test`.
pub(super) struct Roles {
    images: Option<Vec<String>>,
    labels: Option<Vec<String>>,
    groups: Option<Vec<String>>,
}

impl Roles {
    /// For a data set of these arrays. A key that names none of them is an error.
    pub(super) fn of(arrays: &[&str], wanted: &Wanted<'_>) -> Result<Roles, String> {
        let Layout { images, label_column, .. } = wanted.layout;
        let asked = |key: &str, name: Option<&str>| -> Result<Option<Vec<String>>, String> {
            let Some(name) = name else { return Ok(None) };
            let (stem, _) = stem(name);
            if arrays.iter().any(|array| is(array, &stem)) {
                return Ok(Some(stem));
            }
            let stems: Vec<String> = arrays.iter().map(|array| without_split(array)).collect();
            let hint = nearest(name, stems.iter().map(String::as_str));
            let hint = hint.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            Err(format!(
                "data.{key} asks for the array `{name}`, but the arrays are {}{hint}",
                arrays.join(", ")
            ))
        };
        if images.len() > 1 {
            return Err(format!("data.images is {}; of arrays it is one name", images.join(", ")));
        }
        Ok(Roles {
            images: asked("images", images.first().map(String::as_str))?,
            labels: asked("label_column", label_column.as_deref())?,
            groups: asked("group", wanted.group)?,
        })
    }

    /// Whether a recipe names any.
    pub(super) fn any_asked(&self) -> bool {
        self.images.is_some() || self.labels.is_some() || self.groups.is_some()
    }

    /// What an array holds, and of which split it is.
    pub(super) fn of_array(&self, name: &str) -> Option<(Role, Option<Split>)> {
        let asked =
            [(Role::Groups, &self.groups), (Role::Images, &self.images), (Role::Labels, &self.labels)];
        for (role, stem) in asked {
            if stem.as_ref().is_some_and(|stem| is(name, stem)) {
                return Some((role, split_in(name)));
            }
        }
        let (by_name, split) = role(name)?;
        let taken = match by_name {
            Role::Images => self.images.is_some(),
            Role::Labels => self.labels.is_some(),
            Role::Groups | Role::LikeGroups => self.groups.is_some(),
        };
        (!taken).then_some((by_name, split))
    }
}

fn holds(word: &str) -> bool {
    [IMAGES, LABELS, PLACES].iter().any(|known| known.contains(&word)) || matches!(word, GROUP | "groups")
}

fn short(word: &str) -> Option<Split> {
    SHORT.iter().find(|(known, _)| *known == word).map(|(_, split)| *split)
}

/// The words of an array's name, of which a split's stands by itself and whole: `x`, `train` of `Xtr`.
fn array_words(name: &str) -> Vec<String> {
    let names_split = |word: &str| split_of(word).or_else(|| short(word)).is_some();
    let parted = |word: String| -> Vec<String> {
        let mut cuts = word.char_indices().skip(1).map(|(at, _)| word.split_at(at));
        // `index` and `pixels` are words by themselves.
        let cut = cuts.find(|(a, b)| holds(a) && names_split(b) || names_split(a) && holds(b));
        match cut.filter(|_| !holds(&word)) {
            Some((a, b)) => vec![a.to_owned(), b.to_owned()],
            None => vec![word],
        }
    };
    let words: Vec<String> = words(name).into_iter().flat_map(parted).collect();
    let is_of_array =
        words.iter().any(|word| holds(word)) && words.iter().all(|word| split_of(word).is_none());
    let whole = |word: String| match short(&word).filter(|_| is_of_array) {
        Some(split) => split.name().to_owned(),
        None => word,
    };
    words.into_iter().map(whole).collect()
}

/// The words of a name without those for a split, and that split.
fn stem(name: &str) -> (Vec<String>, Option<Split>) {
    let mut split = None;
    let mut stem = array_words(name);
    // A name that is nothing but a split is one all the same.
    if stem.len() > 1 {
        stem.retain(|word| match split_of(word) {
            Some(of) => {
                split.get_or_insert(of);
                false
            }
            None => true,
        });
    }
    (stem, split)
}

/// A name as a key has it, for all splits.
pub(super) fn without_split(name: &str) -> String {
    stem(name).0.join("_")
}

fn is(name: &str, wanted: &[String]) -> bool {
    stem(name).0 == wanted
}

fn split_in(name: &str) -> Option<Split> {
    array_words(name).iter().find_map(|word| split_of(word))
}

/// The split whose images an array numbers, by its name: `train_idx`, `indices_test`.
pub(super) fn places_of(name: &str) -> Option<Split> {
    let (places, others): (Vec<String>, Vec<String>) =
        array_words(name).into_iter().partition(|word| PLACES.contains(&word.as_str()));
    if places.is_empty() { None } else { split_of(&others.join(" ")) }
}

/// Whether an array says by its name of which split each image is: `split`, `is_valid`, `test_mask`, `fold`; or which images are of
/// one, as `test_idx`.
pub(super) fn names_split(name: &str) -> bool {
    is_split_name(name)
        || is_fold_name(name)
        || role(name).is_none() && (flagged_split(name).is_some() || places_of(name).is_some())
}

/// What an array holds, and of which split, by its name alone.
pub(super) fn role(name: &str) -> Option<(Role, Option<Split>)> {
    let (stem, split) = stem(name);
    if matches!(&stem[..], [only] if only == GROUP || only == "groups") {
        return Some((Role::Groups, split));
    }
    let words = array_words(name);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    // `data_split` is no data.
    let is_split =
        is_split_name(name) && words.iter().all(|word| word == "data" || !IMAGES.contains(&word.as_str()));
    let by_name = match (has(IMAGES) && !is_split, has(LABELS)) {
        (true, false) => Role::Images,
        (_, true) => Role::Labels,
        (false, false) if names_groups(&stem.join("_")) => Role::LikeGroups,
        (false, false) => return None,
    };
    Some((by_name, split_in(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_arrays_hold() {
        for name in ["train_images", "x_train", "X_train", "kmnist-train-imgs", "Training data"] {
            assert_eq!(role(name), Some((Role::Images, Some(Split::Train))), "{name}");
        }
        for name in [
            "X_tr",
            "Xtr",
            "tr_x",
            "trX",
            "x_trn",
            "Xtrain",
            "trainX",
            "images_tr",
            "trainimages",
            "trainData",
        ] {
            assert_eq!(role(name), Some((Role::Images, Some(Split::Train))), "{name}");
        }
        for (name, split) in [
            ("y_te", Split::Test),
            ("yte", Split::Test),
            ("te_y", Split::Test),
            ("y_tst", Split::Test),
            ("labels_ts", Split::Test),
            ("y_dev", Split::Val),
            ("yval", Split::Val),
            ("y_va", Split::Val),
            ("valY", Split::Val),
        ] {
            assert_eq!(role(name), Some((Role::Labels, Some(split))), "{name}");
        }
        for (name, split) in [
            ("train_idx", Split::Train),
            ("idx_train", Split::Train),
            ("train_indices", Split::Train),
            ("tr_idx", Split::Train),
            ("val_index", Split::Val),
            ("idxTest", Split::Test),
            ("te_inds", Split::Test),
        ] {
            assert_eq!((places_of(name), names_split(name)), (Some(split), true), "{name}");
        }
        for name in ["index", "idx", "tr", "te", "weights_tr", "train"] {
            assert_eq!(places_of(name), None, "{name}");
        }
        for name in ["test_labels", "y_test", "test_y", "k49-test-labels", "image_labels_test"] {
            assert_eq!(role(name), Some((Role::Labels, Some(Split::Test))), "{name}");
        }
        assert_eq!(role("X"), Some((Role::Images, None)));
        assert_eq!(role("labels"), Some((Role::Labels, None)));
        assert_eq!(role("groups_train"), Some((Role::Groups, Some(Split::Train))));
        assert_eq!(role("patient_ids"), Some((Role::LikeGroups, None)));
        for name in ["weights", "data_split"] {
            assert_eq!(role(name), None, "{name}");
        }
        assert_eq!(role("train_split_images"), Some((Role::Images, Some(Split::Train))));
        for name in ["split", "Subset", "is_valid", "isTest", "test_mask", "train_idx", "fold", "val"] {
            assert!(names_split(name), "{name}");
        }
        for name in ["x_train", "test_images", "y", "weights", "valence"] {
            assert!(!names_split(name), "{name}");
        }
    }
}
