//! Columns that say of which split a row is: yes and no, names in many languages, and values that only their owner knows, for which the line that
//! is told works.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use common::{Data, files};
use pupila_dataset::{Dataset, Layout, Notice, ScanError, ScanOptions, Split, scan};

fn by(data: &Data, layout: Layout) -> Result<Dataset, ScanError> {
    scan(&data.join("d.csv"), &ScanOptions { layout, ..ScanOptions::default() }, None)
}

/// A table of 20 images with one more column.
fn table(data: &Data, header: &str, value: impl Fn(usize) -> String) {
    let rows = (0..20).map(|at| format!("images/{at}.png,{},{}\n", ["a", "b"][at % 2], value(at)));
    data.write("d.csv", format!("path,label,{header}\n{}", rows.collect::<String>()));
}

/// The same where the columns are pixels.
fn pixel_table(data: &Data, header: &str, value: impl Fn(usize) -> String) {
    let mut text = format!("label,{header}");
    (0..16).for_each(|at| write!(text, ",pixel{at}").unwrap());
    for row in 0..20 {
        write!(text, "\n{},{}", row % 2, value(row)).unwrap();
        (0..16).for_each(|at| write!(text, ",{}", (row * 37 + at * 11) % 251).unwrap());
    }
    data.write("d.csv", text);
}

fn told(dataset: &Dataset) -> String {
    dataset.notices.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn yes_and_no_are_read_in_any_language_where_the_header_names_a_split() {
    let answers = [
        ("1", "0"),
        ("yes", "no"),
        ("TRUE", "FALSE"),
        ("ja", "nein"),
        ("sí", "no"),
        ("oui", "non"),
        ("sim", "não"),
        ("tak", "nie"),
        ("да", "нет"),
        ("是", "否"),
        ("evet", "hayır"),
        ("x", ""),
        ("X", "-"),
        ("y", "n"),
        ("vero", "falso"),
    ];
    let headers = [
        ("is_test", Split::Test),
        ("in_test_set", Split::Test),
        ("isTest", Split::Test),
        ("test", Split::Test),
        ("Prüfung", Split::Test),
        ("Test-Set", Split::Test),
        ("es_prueba", Split::Test),
        ("holdout", Split::Test),
        ("hold out", Split::Test),
        ("is_valid", Split::Val),
        ("used_for_validation", Split::Val),
        ("convalida", Split::Val),
        ("for_training", Split::Train),
        ("in_train", Split::Train),
        ("entrenamiento", Split::Train),
    ];
    for (header, split) in headers {
        for (yes, no) in answers {
            for of_pixels in [false, true] {
                let data = files(20);
                // A third says yes; the first row says no.
                let value = |at: usize| if at % 3 == 2 { yes } else { no }.to_owned();
                if of_pixels {
                    pixel_table(&data, header, value)
                } else {
                    table(&data, header, value)
                }
                let dataset = by(&data, Layout::default()).unwrap();
                let what = format!("{header} {yes}/{no} {of_pixels}: {}", dataset.taken);
                match split {
                    Split::Train => assert_eq!(dataset.indices(Split::Train).len(), 6, "{what}"),
                    _ => assert_eq!(dataset.indices(split).len(), 6, "{what}"),
                }
                // What was taken so is turned off by the key that is told.
                assert!(dataset.taken.to_string().contains("data.split_column=none"), "{what}");
                let layout = Layout { split_column: Some("none".into()), ..Layout::default() };
                let dataset = by(&data, layout).unwrap();
                assert_eq!(
                    (dataset.indices(Split::Test), dataset.val_from_train),
                    (Vec::new(), true),
                    "{what}"
                );
            }
        }
    }
    // Headers that name no split, though the values say yes and no.
    for header in ["smoker", "in_situ", "contested", "usable", "latest", "valid_until"] {
        let data = files(20);
        table(&data, header, |at| ["yes", "no", "no"][at % 3].into());
        let dataset = by(&data, Layout::default()).unwrap();
        assert!(dataset.val_from_train && dataset.indices(Split::Test).is_empty(), "{header}");
        assert_eq!(told(&dataset), "", "{header}");
    }
}

#[test]
fn names_of_splits_are_read_in_many_languages() {
    for (train, val, test) in [
        ("train", "validation", "évaluation"),
        ("TRAINING", "VALIDATION", "EVALUATION"),
        ("addestramento", "convalida", "prova"),
        ("apprentissage", "validation", "test"),
        ("Schulung", "Validierung", "Prüfung"),
        ("aprendizaje", "validación", "prueba"),
        ("treino", "validação", "teste"),
        ("train", "public", "private"),
        ("train", "dev", "hold-out"),
    ] {
        for header in ["split", "role"] {
            let data = files(20);
            table(&data, header, |at| [train, train, train, val, test][at % 5].into());
            let dataset = by(&data, Layout::default()).unwrap();
            assert_eq!(Split::ALL.map(|split| dataset.indices(split).len()), [12, 4, 4], "{header} {test}");
        }
    }
}

/// The values of `data.split_values` of a line that was told.
fn proposed(words: &str) -> BTreeMap<String, String> {
    let start = words.find("data.split_values={ ").unwrap() + "data.split_values={ ".len();
    let line = &words[start..start + words[start..].find(" }'").unwrap()];
    let pair = |pair: &str| {
        let (value, meant) = pair.split_once(" = ").unwrap();
        (value.trim_matches('"').to_owned(), meant.trim_matches('"').to_owned())
    };
    line.split(", ").map(pair).collect()
}

#[test]
fn values_that_only_their_owner_knows_are_proposed_by_name() {
    for (values, expected) in [
        (["A", "A", "A", "B", "C"], "A = \"train\", B = \"val\", C = \"test\""),
        (["z", "z", "z", "y", "y"], "y = \"val\", z = \"train\""),
        (["train", "train", "train", "test", ""], "\"\" = \"none\""),
        (["train", "train", "val", "test", "Unlabeled"], "Unlabeled = \"none\""),
        (["Fit", "Fit", "Fit", "train", "test"], "Fit = \"val\""),
        (["train", "train", "test", "evaluation", "evaluation"], "evaluation = \"val\""),
        (["0", "0", "0", "1", "2"], "0 = \"train\", 1 = \"val\", 2 = \"test\""),
    ] {
        let data = files(20);
        table(&data, "split", |at| values[at % 5].into());
        let words = by(&data, Layout::default()).unwrap_err().to_string();
        assert!(
            words.contains(&format!("--set 'data.split_values={{ {expected} }}'")),
            "{values:?}: {words}"
        );
        let layout = Layout { split_values: proposed(&words), ..Layout::default() };
        let dataset = by(&data, layout).unwrap();
        let left_out = if expected.contains("none") { 4 } else { 0 };
        assert_eq!(dataset.samples.len(), 20 - left_out, "{values:?}");
        // Under a name that says nothing it is told where some of its values name splits.
        table(&data, "role", |at| values[at % 5].into());
        let dataset = by(&data, Layout::default()).unwrap();
        if values.contains(&"test") {
            let words = told(&dataset);
            assert!(words.contains(&format!("{{ {expected} }}")), "{values:?}: {words}");
            let layout = Layout {
                split_column: Some("role".into()),
                split_values: proposed(&words),
                ..Layout::default()
            };
            assert!(!by(&data, layout).unwrap().indices(Split::Test).is_empty());
        }
    }
    // A flag with a third value: what is proposed works.
    let data = files(20);
    table(&data, "is_test", |at| ["0", "0", "0", "1", ""][at % 5].into());
    let dataset = by(&data, Layout::default()).unwrap();
    let words = told(&dataset);
    assert!(words.contains("{ \"\" = \"val\", 0 = \"train\", 1 = \"test\" }"), "{words}");
    let layout =
        Layout { split_column: Some("is_test".into()), split_values: proposed(&words), ..Layout::default() };
    let dataset = by(&data, layout).unwrap();
    assert_eq!(Split::ALL.map(|split| dataset.indices(split).len()), [12, 4, 4]);
}

#[test]
fn the_line_of_one_hot_columns_beside_others_works() {
    let data = files(30);
    let row = |at: usize| {
        let bit = |is: bool| u8::from(is).to_string();
        let kinds: Vec<String> = (0..3).map(|kind| bit(at % 3 == kind)).collect();
        format!("images/{at}.png,{},{},{}\n", bit(at % 4 < 2), bit(at % 4 >= 2), kinds.join(","))
    };
    data.write("d.csv", format!("path,male,female,mel,nv,bkl\n{}", (0..30).map(row).collect::<String>()));
    let words = by(&data, Layout::default()).unwrap_err().to_string();
    let lines =
        "--set 'data.one_hot=[\"male\", \"female\"]' or --set 'data.one_hot=[\"mel\", \"nv\", \"bkl\"]'";
    assert!(words.contains(lines), "{words}");
    let layout = Layout { one_hot: ["mel", "nv", "bkl"].map(str::to_owned).to_vec(), ..Layout::default() };
    assert_eq!(by(&data, layout).unwrap().classes, ["bkl", "mel", "nv"]);
}

#[test]
fn a_table_of_western_windows_is_read() {
    let data = Data::new();
    for at in 0..12 {
        data.png(format!("Bilder/{}_{at}.png", ["Müller", "Nævus"][at % 2]), at as u32);
    }
    let row = |at: usize| {
        let (name, class): (&[u8], &[u8]) =
            [(&b"M\xfcller"[..], &b"gr\xf6\xdfer"[..]), (b"N\xe6vus", b"l\xe9sion")][at % 2];
        [b"Bilder/", name, format!("_{at}.png,").as_bytes(), class, b"\r\n"].concat()
    };
    data.write("d.csv", [b"Datei,Diagnose\r\n".to_vec(), (0..12).flat_map(row).collect()].concat());
    for path in [data.path().to_owned(), data.join("d.csv")] {
        let dataset = scan(&path, &ScanOptions::default(), None).unwrap();
        assert_eq!((dataset.classes.concat(), dataset.samples.len()), ("größerlésion".to_owned(), 12));
        assert!(dataset.taken.to_string().contains("d.csv read as Windows-1252"), "{}", dataset.taken);
    }
}

#[test]
fn one_line_renames_all_classes_that_are_one() {
    let data = Data::classes(&["Melanoma", "melanoma", "Nevus", "nevus ", "bkl"], 4);
    let dataset = data.scan().unwrap();
    let lines: Vec<String> = dataset
        .notices
        .iter()
        .filter(|told| matches!(told, Notice::SimilarClasses { .. }))
        .map(ToString::to_string)
        .collect();
    let line = "--set 'data.rename={ \"melanoma\" = \"Melanoma\", \"nevus \" = \"Nevus\" }'";
    assert!(lines.len() == 1 && lines[0].contains(line), "{lines:?}");
    // Beside what a recipe renames: a name is replaced once.
    let rename = [("bkl", "nevus "), ("melanoma", "Melanoma")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let layout = Layout { rename: rename.into(), ..Layout::default() };
    let dataset = data.scan_by(&ScanOptions { layout, ..ScanOptions::default() }).unwrap();
    let words = told(&dataset);
    let Some(Notice::SimilarClasses { rename, .. }) =
        dataset.notices.iter().find(|told| matches!(told, Notice::SimilarClasses { .. }))
    else {
        panic!("{words}")
    };
    let layout = Layout { rename: rename.clone(), ..Layout::default() };
    let dataset = data.scan_by(&ScanOptions { layout, ..ScanOptions::default() }).unwrap();
    assert_eq!(dataset.classes.len(), 2, "{:?} {rename:?}", dataset.classes);
}
