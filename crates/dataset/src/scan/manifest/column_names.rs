//! What columns are by their names.

use crate::scan::names::{plain, words};
use crate::scan::split_of;

/// The column that names groups where none is asked for.
pub(in crate::scan) const GROUP: &str = "group";

/// Names of columns that hold the files, the surest first, without separators.
pub(super) const PATHS: &[&str] = &[
    "path",
    "filepath",
    "imagepath",
    "imgpath",
    "filename",
    "imagefilename",
    "imagefile",
    "imagename",
    "imgname",
    "file",
    "fname",
    "image",
    "img",
    "imageid",
    "imgid",
    "isicid",
    "images",
    "picture",
    "photo",
    "imagen",
    "archivo",
    "fichero",
    "ruta",
    "id",
];

/// Names of columns that hold the classes.
pub(super) const LABELS: &[&str] = &[
    "label",
    "labels",
    "class",
    "classname",
    "classlabel",
    "labelname",
    "category",
    "categoryname",
    "target",
    "dx",
    "diagnosis",
    "species",
    "breed",
    "clase",
    "etiqueta",
    "categoria",
    "diagnostico",
    "especie",
    "y",
];

/// Names of columns that hold the numbers of the classes, where no column has their names.
pub(super) const LABEL_NUMBERS: &[&str] = &["classid", "labelid", "categoryid", "classindex", "targetid"];

/// Names of columns that hold the splits; others than `split` only where each of their values is one.
const SPLITS: &[&str] =
    &["split", "set", "subset", "partition", "usage", "phase", "dataset", "particion", "conjunto"];

/// Words in the names of columns that say which images belong together.
const GROUP_WORDS: &[&str] = &[
    "group",
    "patient",
    "subject",
    "lesion",
    "person",
    "participant",
    "individual",
    "case",
    "study",
    "animal",
    "donor",
    "specimen",
    "volunteer",
    "user",
    "owner",
    "session",
    "scene",
    "site",
    "paciente",
    "sujeto",
    "individuo",
    "persona",
    "participante",
    "caso",
    "grupo",
    "donante",
];

/// Whether the last word of a column's name says that it is the class.
pub(super) fn is_label_word(word: &str) -> bool {
    matches!(word, "label" | "labels" | "tags" | "class" | "category" | "diagnosis" | "breed" | "species")
}

/// The place of a column's name in a list of names.
pub(super) fn rank(list: &[&str], name: &str) -> Option<usize> {
    // `Size[x,y]` without quotes is two cells, `Size[x` and `y]`.
    if name.contains('[') != name.contains(']') {
        return None;
    }
    let name = plain(name);
    list.iter().position(|known| *known == name)
}

/// Whether the columns are the pixels of an image: `pixel0`, `pixel1`, ..., or `1x1`, `1x2`, ..., or bare numbers.
pub(in crate::scan) fn is_pixel_table(header: &[String]) -> bool {
    const LEAST: usize = 16;
    let pixels = header.iter().filter(|name| is_pixel_name(name)).count();
    // Beside them a few columns, or one for each class.
    pixels >= LEAST && header.len() - pixels <= (pixels / 2).max(4)
}

/// Whether a column is one pixel of an image by its name.
pub(in crate::scan) fn is_pixel_name(name: &str) -> bool {
    let words = words(name);
    let is_number = |word: &str| word.bytes().all(|b| b.is_ascii_digit());
    let known =
        |word: &String| is_number(word) || matches!(word.as_str(), "pixel" | "pix" | "px" | "p" | "x" | "v");
    words.iter().any(|word| is_number(word)) && words.iter().all(known)
}

/// Whether a column names files, or images, by its name.
pub(in crate::scan) fn is_path_name(name: &str) -> bool {
    rank(PATHS, name).is_some()
}

/// Whether a column is the class by its name.
pub(in crate::scan) fn is_label_name(name: &str) -> bool {
    rank(LABELS, name).is_some()
}

/// Whether a column is the split by its name.
pub(in crate::scan) fn is_split_name(name: &str) -> bool {
    let words = words(name);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    // `data_split`; `train_test`, `train/val/test`.
    let of_splits = words.iter().filter(|word| split_of(word).is_some()).count();
    rank(SPLITS, name).is_some()
        || has(&["split", "splits", "subset", "partition"])
        || names_folds(name)
        || of_splits > 1 && of_splits == words.len()
}

/// Whether a column has the numbers of folds by its name.
pub(in crate::scan) fn names_folds(name: &str) -> bool {
    let words = words(name);
    words == ["cv"] || words.iter().any(|word| ["fold", "folds", "kfold"].contains(&word.as_str()))
}

/// Whether a column says by its name which images belong together: `case_id` and `patient`, not `site of the lesion`, since a
/// text about it is no group.
pub(in crate::scan) fn names_groups(name: &str) -> bool {
    let words = words(name);
    let is_id = |word: &String| {
        matches!(word.as_str(), "id" | "ids" | "no" | "nr" | "num" | "number" | "code" | "uid" | "name")
    };
    words.iter().filter(|word| is_group_word(word)).count() == 1
        && words.iter().all(|word| is_group_word(word) || is_id(word))
}

fn is_group_word(word: &str) -> bool {
    // `PatientID` is one word, as `patientid` is.
    GROUP_WORDS.contains(&word.strip_suffix("id").unwrap_or(word)) || word == "groups"
}

/// Whether a folder is that of one patient or the like: `patient_001`, `case_7_left`.
pub(in crate::scan) fn names_one_of_groups(name: &str) -> bool {
    let words = words(name);
    words.iter().any(|word| is_group_word(word))
        && words.iter().any(|word| word.chars().all(char::is_numeric))
}
