//! What an array holds, by its name or by a recipe's keys.

use crate::scan::manifest::{GROUP, Wanted, flagged_split, is_fold_name, is_split_name, names_groups};
use crate::scan::names::{split_of, words};
use crate::suggest::nearest;
use crate::{Layout, Split};

/// Words for arrays of images, and for arrays of labels.
const IMAGES: &[&str] = &["images", "image", "imgs", "img", "x", "data", "pixels", "inputs", "imagenes"];
const LABELS: &[&str] = &["labels", "label", "y", "targets", "target", "classes", "etiquetas"];

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

/// The words of a name without those for a split, and that split.
fn stem(name: &str) -> (Vec<String>, Option<Split>) {
    let mut split = None;
    let mut stem = words(name);
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
    words(name).iter().find_map(|word| split_of(word))
}

/// Whether an array says by its name of which split each image is: `split`, `is_valid`, `test_mask`, `fold`; also one of the numbers of
/// a split's images, such as `test_idx`, which is told and not read.
pub(super) fn names_split(name: &str) -> bool {
    let of_one = |word: &str| matches!(word, "mask" | "idx" | "index" | "indices" | "ids" | "inds");
    let without: Vec<String> = words(name).into_iter().filter(|word| !of_one(word)).collect();
    is_split_name(name)
        || is_fold_name(name)
        || role(name).is_none() && (flagged_split(name).is_some() || split_of(&without.join(" ")).is_some())
}

/// What an array holds, and of which split, by its name alone.
pub(super) fn role(name: &str) -> Option<(Role, Option<Split>)> {
    let (stem, split) = stem(name);
    if matches!(&stem[..], [only] if only == GROUP || only == "groups") {
        return Some((Role::Groups, split));
    }
    let words = words(name);
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
