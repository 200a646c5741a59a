//! What the names of folders and columns mean in data as people have it, in any case and with any separators.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::Split;

/// Words for the splits, in lower case and without accents.
const SPLIT_WORDS: [(Split, &[&str]); 3] = [
    (
        Split::Train,
        &[
            "train",
            "training",
            "trn",
            "trainval",
            "entrenamiento",
            "entrenar",
            "treino",
            "treinamento",
            "entrainement",
            "apprentissage",
            "apprendimento",
            "aprendizaje",
            "aprendizagem",
            "schulung",
            "addestramento",
            "trainieren",
            "trainings",
            "trening",
            "treningowy",
            "uczacy",
            "egitim",
            "обучение",
            "тренировка",
            "训练",
            "训练集",
            "訓練",
            "訓練集",
        ],
    ),
    (
        Split::Val,
        &[
            "val",
            "valid",
            "validation",
            "validate",
            "dev",
            "validacion",
            "validar",
            "validacao",
            "validazione",
            "convalida",
            "validierung",
            "validierungs",
            "validieren",
            "walidacja",
            "walidacyjny",
            "dogrulama",
            "gecerleme",
            "валидация",
            "验证",
            "验证集",
            "驗證",
            "驗證集",
        ],
    ),
    (
        Split::Test,
        &[
            "test",
            "testing",
            "tst",
            "prueba",
            "pruebas",
            "teste",
            "testes",
            "holdout",
            "testen",
            "testowy",
            "testowe",
            "prova",
            "provas",
            "prufung",
            "тест",
            "测试",
            "测试集",
            "測試",
            "測試集",
        ],
    ),
];

/// Words that say nothing of what a folder holds.
const FILLERS: &[&str] = &[
    "set",
    "sets",
    "data",
    "dataset",
    "datasets",
    "datos",
    "image",
    "images",
    "img",
    "imgs",
    "imagen",
    "imagenes",
    "pic",
    "pics",
    "picture",
    "pictures",
    "photo",
    "photos",
    "foto",
    "fotos",
    "split",
    "splits",
    "folder",
    "folders",
    "dir",
    "file",
    "files",
    "input",
    "inputs",
    "sample",
    "samples",
    "subset",
    "conjunto",
    "de",
    "del",
    "la",
    "the",
    "of",
    "jpg",
    "jpeg",
    "png",
    "resized",
    "raw",
    "label",
    "labels",
    "labeled",
    "labelled",
    "metadata",
    "annotation",
    "annotations",
    "ground",
    "truth",
    "groundtruth",
    "gt",
    "list",
    "daten",
    "bilder",
    "dane",
    "obrazy",
    "zbior",
    "seti",
    "veri",
    "menge",
    "dados",
    "dati",
    "donnees",
    "jeu",
    "ensemble",
    "insieme",
];

/// Words in the name of a column that says yes or no of a split: `is_test`, `in_test_set`, `for_training`.
const FLAG_WORDS: &[&str] = &[
    "is", "in", "for", "use", "used", "to", "as", "on", "belongs", "flag", "mask", "es", "en", "para", "est",
    "pour", "ist", "im", "zum", "zur", "fur", "e", "em", "per", "da", "jest", "do",
];

/// Words for the parts of a cross-validation.
const FOLD_WORDS: &[&str] = &["fold", "folds", "kfold", "pliegue", "cv"];

/// Words for the pieces that one folder was cut into, for size.
const PART_WORDS: &[&str] = &[
    "part", "parts", "parte", "partes", "pt", "chunk", "batch", "shard", "piece", "section", "vol", "volume",
    "disk",
];

/// Folders that systems and programs put among a person's own, besides those whose names start with a dot.
const SYSTEM_FOLDERS: &[&str] = &[
    "__macosx",
    "@eadir",
    "#recycle",
    "@recycle",
    "$recycle.bin",
    "@recently-snapshot",
    "#snapshot",
    "lost+found",
    "system volume information",
    "__pycache__",
];

/// Whether a folder is one that a system or a program made for itself.
pub(super) fn is_system_folder(name: &str) -> bool {
    name.starts_with('.') || SYSTEM_FOLDERS.contains(&name.to_lowercase().as_str())
}

/// The words of a name, in lower case and without accents: cut at everything that is neither letter nor digit, between
/// letters and digits, and where a capital follows a small letter, unless that leaves scraps, as in `tRaIn`.
pub(super) fn words(name: &str) -> Vec<String> {
    const SHORTEST: usize = 3;
    let camel = cut(name, true);
    let plain = cut(name, false);
    let is_scrap =
        |word: &String| word.chars().count() < SHORTEST && !is_number(word) && !plain.contains(word);
    if camel.iter().any(is_scrap) { plain } else { camel }
}

fn cut(name: &str, at_capitals: bool) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before: Option<char> = None;
    for c in name.nfkd().filter(|c| !is_combining_mark(*c)) {
        if c.is_alphanumeric() {
            let goes_on = before.is_some_and(|b| {
                let is_capital = at_capitals && b.is_lowercase() && c.is_uppercase();
                b.is_alphanumeric() && b.is_numeric() == c.is_numeric() && !is_capital
            });
            match words.last_mut().filter(|_| goes_on) {
                Some(word) => word.extend(c.to_lowercase()),
                None => words.push(c.to_lowercase().collect()),
            }
        }
        before = Some(c);
    }
    words
}

fn is_number(word: &str) -> bool {
    word.chars().all(char::is_numeric)
}

fn is_filler(word: &str) -> bool {
    FILLERS.contains(&word)
}

/// The split that one word names, also with a filler grown onto it, as in `trainset`.
fn split_of_word(word: &str) -> Option<Split> {
    let find =
        |word: &str| SPLIT_WORDS.iter().find(|(_, words)| words.contains(&word)).map(|(split, _)| *split);
    find(word).or_else(|| {
        // Two letters are as often the end of a word of their own.
        let mut fillers = FILLERS.iter().filter(|filler| filler.len() > 2);
        fillers.find_map(|filler| find(word.strip_suffix(filler)?))
    })
}

/// The split that a name stands for by itself: a word for it, and besides only numbers and fillers.
pub(crate) fn split_of(name: &str) -> Option<Split> {
    split_of_words(&words(name))
}

/// The split of which a name asks whether something is of it: `is_valid`, `isTest`, `in_test_set`, `val_mask`, `for_training`.
pub(super) fn flagged_split(name: &str) -> Option<Split> {
    let mut words = words(name);
    words.retain(|word| !FLAG_WORDS.contains(&word.as_str()));
    // `istest` and `testmask` are one word.
    let grown = |word: &String| {
        let word = word.strip_suffix("mask").unwrap_or(word);
        let bare = word.strip_prefix("is").or_else(|| word.strip_prefix("es"));
        bare.filter(|bare| split_of_word(bare).is_some()).unwrap_or(word).to_owned()
    };
    split_of_words(&words.iter().map(grown).collect::<Vec<_>>())
}

fn split_of_words(words: &[String]) -> Option<Split> {
    if let [a, b] = words
        && a == "hold"
        && b == "out"
    {
        return Some(Split::Test);
    }
    let mut rest = words.iter().filter(|word| !is_number(word) && !is_filler(word));
    let split = split_of_word(rest.next()?)?;
    rest.next().is_none().then_some(split)
}

/// The split that each of several names stands for, where what they all share is left out of account, such as the name of
/// the data set in `isic_train`, `isic_test`.
pub(super) fn splits_of(names: &[&str]) -> Vec<Option<Split>> {
    let all: Vec<Vec<String>> = names.iter().map(|name| words(name)).collect();
    let names_split =
        |words: &[String]| words.iter().filter(|word| split_of_word(word).is_some()).count() == 1;
    let alike: Vec<&Vec<String>> = all.iter().filter(|words| names_split(words)).collect();
    let is_shared = |word: &String| alike.len() > 1 && alike.iter().all(|words| words.contains(word));
    let own = |words: &Vec<String>| -> Vec<String> {
        words.iter().filter(|word| !is_shared(word)).cloned().collect()
    };
    // By itself first: `train 1` and `train 2` share the word that says it.
    let of = |words: &Vec<String>| split_of_words(words).or_else(|| split_of_words(&own(words)));
    all.iter().map(|words| if names_split(words) { of(words) } else { None }).collect()
}

/// The same of files that lie beside each other, where what any two of them share is left out of account: `HAM10000_test` beside `HAM10000_metadata`.
pub(crate) fn splits_of_files(names: &[&str]) -> Vec<Option<Split>> {
    let all: Vec<Vec<String>> = names.iter().map(|name| words(name)).collect();
    let is_shared = |word: &String| {
        split_of_word(word).is_none() && all.iter().filter(|words| words.contains(word)).count() > 1
    };
    let own = |words: &Vec<String>| -> Vec<String> {
        words.iter().filter(|word| !is_shared(word)).cloned().collect()
    };
    // One of them that has a word for what is judged beside words for other things, as `ISIC2018_Task3_Test_GroundTruth`, is of that.
    let among_others = |words: &Vec<String>| only_judged(words).filter(|_| all.len() > 1);
    let of = |(split, words): (Option<Split>, &Vec<String>)| {
        split.or_else(|| split_of_words(&own(words))).or_else(|| among_others(words))
    };
    splits_of(names).into_iter().zip(&all).map(of).collect()
}

/// The split of the only word for one, where that is none to train on.
fn only_judged(words: &[String]) -> Option<Split> {
    let mut splits = words.iter().filter_map(|word| split_of_word(word));
    splits.next().filter(|split| *split != Split::Train && splits.next().is_none())
}

/// The split other than the training set that a table by itself is called after, also beside words for other things: `x_test_gt`.
pub(super) fn judged_split(name: &str) -> Option<Split> {
    split_of(name).filter(|split| *split != Split::Train).or_else(|| only_judged(&words(name)))
}

/// Whether a folder is a piece of a set, or a split's, by a name that has words for other things too: `HAM10000_images_part_1`,
/// `ISIC2018_Task3_Test_Images`. Where a table names the images of such folders, they are no classes.
pub(super) fn is_piece(name: &str) -> bool {
    let words = words(name);
    let has = |is: &dyn Fn(&String) -> bool| words.iter().any(is);
    let images = has(&|word| is_filler(word));
    let part = has(&|word| PART_WORDS.contains(&word.as_str())) && has(&|word| is_number(word));
    images && (part || words.iter().filter(|word| split_of_word(word).is_some()).count() == 1)
}

/// Two names that are those of one class in the training set and in another one, as `cats_train` and `cats_test`, with the class and the other split.
pub(super) fn class_in_splits(names: &[&str]) -> Option<(usize, usize, String, Split)> {
    let parted = |name: &&str| {
        let all = words(name);
        let splits: Vec<usize> = (0..all.len()).filter(|&at| split_of_word(&all[at]).is_some()).collect();
        let [at] = splits[..] else { return None };
        let mut rest = all.clone();
        let split = split_of_word(&rest.remove(at))?;
        // What is left must be a class.
        (!rest.is_empty() && !rest.iter().all(|word| is_number(word) || is_filler(word)))
            .then_some((split, rest.join("_")))
    };
    let mut all: Vec<Option<(Split, String)>> = names.iter().map(parted).collect();
    // `cats` beside `cats_test` is its training set, where each name of a split has one beside it.
    let others: Vec<&String> = all.iter().flatten().map(|(_, class)| class).collect();
    let bare: Vec<String> = names.iter().map(|name| words(name).join("_")).collect();
    if !others.is_empty() && others.iter().all(|class| bare.contains(class)) {
        for (of, class) in all.iter_mut().zip(&bare).filter(|(of, _)| of.is_none()) {
            *of = Some((Split::Train, class.clone()));
        }
    }
    all.iter().enumerate().find_map(|(train, of)| {
        let (Split::Train, class) = of.as_ref()? else { return None };
        all.iter().enumerate().find_map(|(other, of)| {
            let (split, same) = of.as_ref()?;
            (*split != Split::Train && same == class).then(|| (train, other, class.clone(), *split))
        })
    })
}

/// What a row of names that differ in a number alone stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// Parts of a cross-validation: `fold_0`, `fold_1`.
    Folds,
    /// Pieces of one set: `images_part_1`, `images_part_2`.
    Parts,
}

/// What names are that are all alike but for the number at their end, where the rest of them says so.
pub(super) fn counted(names: &[&str]) -> Option<Counted> {
    let all: Vec<Vec<String>> = names.iter().map(|name| words(name)).collect();
    let (last, stem) = all.first()?.split_last()?;
    let alike = |words: &Vec<String>| {
        words.split_last().is_some_and(|(last, others)| is_number(last) && others == stem)
    };
    if names.len() < 2 || !is_number(last) || !all.iter().all(alike) {
        return None;
    }
    let has = |known: &[&str]| stem.iter().any(|word| known.contains(&word.as_str()));
    // `images_1` says nothing else, and `class_1` does.
    let all_fillers = !stem.is_empty() && stem.iter().all(|word| is_filler(word) || is_number(word));
    match () {
        () if has(FOLD_WORDS) => Some(Counted::Folds),
        () if has(PART_WORDS) || all_fillers => Some(Counted::Parts),
        () => None,
    }
}

/// Words of the names of classes that are numbered.
const CLASS_WORDS: &[&str] = &[
    "class", "clase", "classe", "klasse", "label", "category", "cat", "grade", "stage", "type", "level",
    "score",
];

/// Whether names differ in numbers alone and the rest of them is no word for a class: `40X`, `100X`; `view1`, `view2`; `hospital 1`, `hospital 2`.
pub(super) fn numbered(names: &[&str]) -> bool {
    let parts = |name: &&str| -> (Vec<String>, bool) {
        let all = words(name);
        let rest: Vec<String> = all.iter().filter(|word| !is_number(word)).cloned().collect();
        let has_number = rest.len() < all.len();
        (rest, has_number)
    };
    let Some((rest, _)) = names.first().map(parts) else { return false };
    let is_class = rest.iter().any(|word| CLASS_WORDS.contains(&word.as_str()));
    names.len() > 1
        && !rest.is_empty()
        && !is_class
        && names.iter().all(|name| parts(name) == (rest.clone(), true))
}

/// Whether a name says no more than that there are images, or data.
pub(super) fn is_generic(name: &str) -> bool {
    let words = words(name);
    let means_nothing =
        |word: &String| is_filler(word) || is_number(word) || PART_WORDS.contains(&word.as_str());
    !words.iter().all(|word| is_number(word)) && words.iter().all(means_nothing)
}

/// A name without anything but letters and digits, for columns: `Image ID`, `image_id` and `imageId` are one.
pub(super) fn plain(name: &str) -> String {
    words(name).concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_known_by_any_common_name() {
        for name in [
            "train",
            "TRAIN",
            "Train Set",
            "training_set",
            "train1",
            "training-data",
            "TrainingSet",
            "trainset",
            "train_images",
            "Conjunto de entrenamiento",
            "treino",
            "Entraînement",
            "tRaIn",
            "train.2",
        ] {
            assert_eq!(split_of(name), Some(Split::Train), "{name}");
        }
        for name in [
            "val",
            "valid",
            "Validation",
            "val_images",
            "validacion",
            "validación",
            "validacio\u{301}n",
            "dev set",
        ] {
            assert_eq!(split_of(name), Some(Split::Val), "{name}");
        }
        for name in ["test", "Testing", "test_set", "TestData", "prueba", "testset", "test (2)"] {
            assert_eq!(split_of(name), Some(Split::Test), "{name}");
        }
        for (train, val, test) in [
            ("entrenamiento", "validación", "prueba"),
            ("Trainingsdaten", "Validierungsdaten", "Testdaten"),
            ("обучение", "валидация", "тест"),
            ("训练集", "验证集", "测试集"),
            ("訓練", "驗證", "測試"),
            ("trening", "walidacja", "dane testowe"),
            ("eğitim", "doğrulama", "test"),
            ("zbiór uczący", "zbiór walidacyjny", "zbiór testowy"),
        ] {
            assert_eq!(split_of(train), Some(Split::Train), "{train}");
            assert_eq!(split_of(val), Some(Split::Val), "{val}");
            assert_eq!(split_of(test), Some(Split::Test), "{test}");
        }
        for name in [
            "trained",
            "trains",
            "valley",
            "validated ones",
            "tests_positive",
            "contest",
            "train station",
            "1",
            "",
            "set",
        ] {
            assert_eq!(split_of(name), None, "{name}");
        }
    }

    #[test]
    fn what_names_share_does_not_hide_a_split() {
        let of = |names: &[&str]| splits_of(names);
        let isic = ["ISIC2018_Task3_Training_Input", "ISIC2018_Task3_Validation_Input", "notes"];
        assert_eq!(of(&isic), [Some(Split::Train), Some(Split::Val), None]);
        assert_eq!(of(&["skin-train", "skin-test"]), [Some(Split::Train), Some(Split::Test)]);
        assert_eq!(of(&["train 1", "train 2"]), [Some(Split::Train); 2]);
        // Things to classify.
        assert_eq!(of(&["freight train", "passenger train"]), [None, None]);
        assert_eq!(of(&["train station", "test tube"]), [None, None]);
        assert_eq!(of(&["train station", "bus station"]), [None, None]);
    }

    #[test]
    fn numbers_at_the_end_are_told_apart() {
        assert_eq!(counted(&["fold_0", "fold_1", "fold_2"]), Some(Counted::Folds));
        assert_eq!(counted(&["Fold1", "FOLD 2"]), Some(Counted::Folds));
        assert_eq!(counted(&["HAM10000_images_part_1", "HAM10000_images_part_2"]), Some(Counted::Parts));
        assert_eq!(counted(&["images_01", "images_02"]), Some(Counted::Parts));
        assert_eq!(counted(&["batch1", "batch2"]), Some(Counted::Parts));
        for classes in [
            &["0", "1"][..],
            &["class_1", "class_2"],
            &["n01440764", "n01443537"],
            &["part_1"],
            &["c0", "c1"],
        ] {
            assert_eq!(counted(classes), None, "{classes:?}");
        }
        assert!(is_generic("images") && is_generic("JPEG Images") && is_generic("part_1"));
        assert!(!is_generic("cats") && !is_generic("10") && !is_generic("images_of_cats"));
    }
}
