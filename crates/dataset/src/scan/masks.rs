//! Pictures beside their masks, as data for segmentation have them: `images/1.png` and `masks/1.png`. Those are no classes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::Listing;
use super::names::{is_generic, plain, split_of, words};
use crate::pattern::Patterns;
use crate::{Layout, Notice, ScanError};

/// Words for the folder of the masks; some of them may as well be those of a class, and count only beside pictures of the same names.
const MASKS: &[&str] = &[
    "mask",
    "masks",
    "trimap",
    "trimaps",
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
    let of_classes = masks_of_classes(stems.keys().copied());
    let (masks, pictures): (Vec<_>, Vec<_>) =
        stems.iter().partition(|(class, _)| names_masks(class) || of_classes.contains(**class));
    let are_pictures = || !of_classes.is_empty() || pictures.iter().all(|(class, _)| names_pictures(class));
    if masks.is_empty() || pictures.is_empty() || !are_pictures() {
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

/// The classes that are called as the masks of others, `benign_mask` beside `benign`, where two or more are: `face` and `face mask` may be two things.
fn masks_of_classes<'a>(classes: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    const WORDS: [&str; 6] = ["mask", "masks", "mascara", "mascaras", "segmentation", "segmentations"];
    let classes: Vec<(&str, Vec<String>)> = classes.map(|class| (class, words(class))).collect();
    let is_mask = |(_, all): &&(&str, Vec<String>)| {
        let rest: Vec<&String> = all.iter().filter(|word| !WORDS.contains(&word.as_str())).collect();
        rest.len() < all.len() && classes.iter().any(|(_, other)| other.iter().eq(rest.iter().copied()))
    };
    let masks: BTreeSet<&str> = classes.iter().filter(is_mask).map(|(class, _)| *class).collect();
    if masks.len() < 2 { BTreeSet::new() } else { masks }
}

/// Masks that lie beside their pictures in one folder, as `1.png` and `1_mask.png`.
pub(super) struct MasksBeside {
    /// How many there are, of so many files.
    pub(super) masks: usize,
    pub(super) files: usize,
    /// One of them, and its picture.
    pub(super) example: (String, String),
    /// Patterns that match them and nothing else; none where there are none.
    pub(super) exclude: Vec<String>,
}

impl MasksBeside {
    /// Whether they are so many that nothing else can be meant.
    pub(super) fn are_many(&self) -> bool {
        self.masks * 4 >= self.files
    }
}

/// Refuses a listing of which a good part are such masks; tells of fewer, and of all where a recipe names the folders.
pub(super) fn check_beside(root: &Path, listing: &mut Listing, layout: &Layout) -> Result<(), ScanError> {
    let Some(found) = find_beside(listing) else { return Ok(()) };
    let is_refused = found.are_many() && !layout.names_splits();
    let has_splits = listing.files.iter().any(|file| file.split.is_some());
    let MasksBeside { masks, example: (mask, picture), exclude, .. } = found;
    if is_refused {
        let path = root.to_owned();
        return Err(ScanError::MasksBeside { path, masks, mask, picture, exclude, has_splits });
    }
    listing.beside.notices.push(Notice::MasksBeside { masks, mask, picture, exclude });
    Ok(())
}

/// Words for masks at an end of a file's name.
const MASK_ENDS: &[&str] = &[
    "mask",
    "masks",
    "seg",
    "segmentation",
    "segmented",
    "gt",
    "groundtruth",
    "annotation",
    "annot",
    "label",
    "matte",
    "mascara",
];

/// Looks for masks among the pictures of each folder of a listing.
pub(super) fn find_beside(listing: &Listing) -> Option<MasksBeside> {
    const MOST_PATTERNS: usize = 6;
    let mut stems: HashMap<&Path, HashSet<&str>> = HashMap::new();
    for file in &listing.files {
        let (Some(folder), Some(stem)) = (file.path.parent(), stem(&file.path)) else { continue };
        stems.entry(folder).or_default().insert(stem);
    }
    let (mut patterns, mut masks, mut others) = (BTreeSet::new(), 0, Vec::new());
    let mut folders: BTreeSet<&str> = BTreeSet::new();
    let mut example = None;
    let in_folders = in_folders_beside(listing);
    for file in &listing.files {
        let name = file.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some((folder, picture)) = in_folders.get(file.path.as_path()) {
            masks += 1;
            folders.insert(folder);
            example.get_or_insert_with(|| (format!("{folder}/{name}"), picture.clone()));
            continue;
        }
        let found = file.path.parent().and_then(|folder| picture_of(stem(&file.path)?, &stems[folder]));
        let Some((picture, pattern)) = found else {
            others.push((name, &file.path));
            continue;
        };
        masks += 1;
        example.get_or_insert_with(|| (name.to_owned(), picture.to_owned()));
        if patterns.len() <= MOST_PATTERNS {
            let extension =
                file.path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            patterns.insert(format!("{pattern}.{extension}"));
        }
    }
    let mut exclude: Vec<String> = patterns.into_iter().collect();
    let matching = Patterns::new(&exclude);
    // A folder's name leaves out every folder of that name.
    let has_part = |path: &Path| {
        let below = path.strip_prefix(&listing.base).unwrap_or(path);
        below.iter().any(|part| part.to_str().is_some_and(|part| folders.contains(part)))
    };
    let is_too_wide = others.iter().any(|(name, path)| matching.exclude(Path::new(name)) || has_part(path));
    exclude.extend(folders.iter().map(|folder| (*folder).to_owned()));
    if is_too_wide || exclude.len() > MOST_PATTERNS {
        exclude.clear();
    }
    Some(MasksBeside { masks, files: listing.files.len(), example: example?, exclude })
}

/// The masks that lie in a folder of their own within a class folder, beside the pictures or a folder of them, as `cat/images/1.png` and
/// `cat/masks/1.png`: each with the name of its folder and its picture.
fn in_folders_beside(listing: &Listing) -> HashMap<&Path, (&str, String)> {
    let name = |folder: &Path| folder.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    // The class folder itself may be called so.
    let masks_of = |file: &super::Listed| {
        let name = file.path.parent().and_then(name)?;
        (name != file.class && names_masks(&name)).then_some(name)
    };
    let mut pictures: HashMap<&Path, HashSet<&str>> = HashMap::new();
    for file in listing.files.iter().filter(|file| masks_of(file).is_none()) {
        let (Some(folder), Some(stem)) = (file.path.parent(), stem(&file.path)) else { continue };
        pictures.entry(folder).or_default().insert(stem);
        // A class folder lies beside other classes, and no masks of this one do.
        if let Some(above) = folder.parent().filter(|_| name(folder).is_some_and(|name| name != file.class)) {
            pictures.entry(above).or_default().insert(stem);
        }
    }
    let of = |file: &'_ super::Listed| -> Option<String> {
        masks_of(file)?;
        let stem = stem(&file.path)?;
        let stems = pictures.get(file.path.parent()?.parent()?)?;
        let ends = stem.char_indices().filter(|(_, c)| !c.is_alphanumeric()).map(|(at, _)| at);
        let mut starts = ends.map(|at| &stem[..at]).chain([stem]);
        starts.find(|start| stems.contains(start)).map(str::to_owned)
    };
    let all = listing.files.iter().filter_map(|file| {
        let folder = file.path.parent()?.file_name()?.to_str()?;
        Some((file.path.as_path(), (folder, of(file)?)))
    });
    all.collect()
}

fn stem(path: &Path) -> Option<&str> {
    path.file_stem()?.to_str()
}

/// The picture whose mask a file is by its name, and a pattern of such names without their extension.
fn picture_of<'a>(stem: &'a str, stems: &HashSet<&str>) -> Option<(&'a str, String)> {
    let says_mask = |text: &str| {
        let words = words(text);
        let mut named = words.iter().filter(|word| !word.chars().all(char::is_numeric)).peekable();
        named.peek().is_some()
            && (named.all(|word| MASK_ENDS.contains(&word.as_str()))
                || plain(text).starts_with("groundtruth"))
    };
    // Masks of one picture are numbered.
    let any_number = |text: &str| {
        let mut pattern = String::new();
        for c in text.chars() {
            match c.is_ascii_digit() {
                true if pattern.ends_with('*') => {}
                true => pattern.push('*'),
                false if "*?".contains(c) => pattern.push('?'),
                false => pattern.push(c),
            }
        }
        pattern
    };
    let cuts = || stem.char_indices().filter(|(_, c)| !c.is_alphanumeric());
    let behind = cuts()
        .map(|(at, _)| stem.split_at(at))
        .find(|(picture, end)| stems.contains(picture) && says_mask(end));
    if let Some((picture, end)) = behind {
        return Some((picture, format!("*{}", any_number(end))));
    }
    let before = cuts().map(|(at, c)| stem.split_at(at + c.len_utf8()));
    let (start, picture) =
        before.into_iter().find(|(start, picture)| stems.contains(picture) && says_mask(start))?;
    Some((picture, format!("{}*", any_number(start))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_several_classes_are_known_by_the_classes() {
        let of = |classes: &[&'static str]| masks_of_classes(classes.iter().copied()).len();
        assert_eq!(of(&["benign", "benign_mask", "malignant", "malignant_mask"]), 2);
        assert_eq!(of(&["cat", "dog", "cat masks", "dog masks"]), 2);
        assert_eq!(of(&["face", "face_mask", "with_mask", "without_mask"]), 0);
    }

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
