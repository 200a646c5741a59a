//! Pictures beside their masks, as data for segmentation have them: `images/1.png` and `masks/1.png`. Those are no classes.

use std::collections::{BTreeMap, BTreeSet};

use super::Listing;
use super::names::{is_generic, plain, split_of, words};

/// Words for the folder of the masks; some of them may as well be those of a class, and count only beside pictures of the same names.
const MASKS: &[&str] = &[
    "mask",
    "masks",
    "label",
    "labels",
    "annotation",
    "annotations",
    "annot",
    "segmentation",
    "segmentations",
    "segmentationclass",
    "seg",
    "matte",
    "mattes",
    "gt",
    "groundtruth",
    "truth",
    "mascara",
    "mascaras",
];

/// Words for the folder of the pictures that say nothing else anywhere.
const PICTURES: &[&str] = &["jpegimages", "x", "rgb", "original", "originals", "input", "inputs"];

/// Whether a folder holds masks by its name: a word for them, and besides only words that say nothing of what is in it.
pub(super) fn names_masks(name: &str) -> bool {
    let words = words(name);
    let is_mask = |word: &String| MASKS.contains(&word.as_str());
    let rest: Vec<&str> = words.iter().filter(|word| !is_mask(word)).map(String::as_str).collect();
    MASKS.contains(&plain(name).as_str())
        || words.iter().any(is_mask) && (rest.is_empty() || names_pictures(&rest.join(" ")))
}

fn names_pictures(name: &str) -> bool {
    is_generic(name)
        || split_of(name).is_some()
        || words(name).iter().all(|word| PICTURES.contains(&word.as_str()))
}

/// The folders of pictures and of their masks, and a name that both have, where that is what the classes of a listing are.
pub(super) struct Masks {
    pub(super) pictures: String,
    pub(super) masks: String,
    pub(super) example: String,
}

/// Looks for masks among the class folders of a listing.
pub(super) fn find(listing: &Listing) -> Option<Masks> {
    let mut stems: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for file in &listing.files {
        let stem = file.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        stems.entry(&file.class).or_default().insert(stem);
    }
    let (masks, pictures): (Vec<_>, Vec<_>) = stems.iter().partition(|(class, _)| names_masks(class));
    if masks.is_empty() || pictures.is_empty() || !pictures.iter().all(|(class, _)| names_pictures(class)) {
        return None;
    }
    // `1_mask.png` is the mask of `1.png`.
    let of_picture = |stem: &String| {
        let ends = stem.char_indices().filter(|(_, c)| !c.is_alphanumeric()).map(|(at, _)| at);
        let starts = ends.map(|at| &stem[..at]).chain([stem.as_str()]);
        starts.map(str::to_owned).find(|start| pictures.iter().any(|(_, names)| names.contains(start)))
    };
    let all: Vec<&String> = masks.iter().flat_map(|(_, names)| names.iter()).collect();
    let paired: Vec<String> = all.iter().filter_map(|stem| of_picture(stem)).collect();
    if paired.len() * 2 <= all.len() {
        return None;
    }
    let list = |folders: &[(&&str, &BTreeSet<String>)]| {
        folders.iter().map(|(class, _)| (**class).to_owned()).collect::<Vec<_>>().join(", ")
    };
    Some(Masks { pictures: list(&pictures), masks: list(&masks), example: paired.first()?.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_masks_are_known_by_any_common_name() {
        for name in
            ["masks", "Mask", "train_masks", "image_masks", "SegmentationClass", "ground_truth", "labels"]
        {
            assert!(names_masks(name), "{name}");
        }
        for name in ["with_mask", "images", "mask_weared_incorrect", "masquerade", "train"] {
            assert!(!names_masks(name), "{name}");
        }
        for name in ["images", "JPEGImages", "train", "imgs", "x"] {
            assert!(names_pictures(name), "{name}");
        }
        assert!(!names_pictures("no_mask") && !names_pictures("cats"));
    }
}
