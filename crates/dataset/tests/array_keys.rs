//! Which arrays and columns of pixels are what: by keys, and by their names.

#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::Write as _;

use common::Data;
use common::numpy::{images, labels, npy, npy_of, npz, pixels, scan_at};
use pupila_dataset::{
    Dataset, LabelledOptions, Layout, Notice, ScanError, ScanOptions, Split, scan, scan_labelled,
};

fn whole(dataset: &Dataset) -> Vec<(String, Split)> {
    dataset.samples.iter().map(|s| (s.group.as_deref().unwrap_or("-").to_owned(), s.split)).collect()
}

/// A file of two arrays of images, two of labels, and one of patients, each for two splits.
fn several_arrays() -> Vec<u8> {
    let of = |n: usize, seed: usize| npy(&[n, 4, 4], &images(n, 4, 1, seed));
    npz(&[
        ("x_raw_train", of(24, 1)),
        ("x_raw_test", of(12, 2)),
        ("x_masked_train", of(24, 3)),
        ("x_masked_test", of(12, 4)),
        ("fine_labels_train", npy(&[24], &labels(24, 4))),
        ("fine_labels_test", npy(&[12], &labels(12, 4))),
        ("coarse_labels_train", npy(&[24], &labels(24, 2))),
        ("coarse_labels_test", npy(&[12], &labels(12, 2))),
        ("patient_ids_train", npy(&[24], &labels(24, 6))),
        ("patient_ids_test", npy(&[12], &labels(12, 3))),
    ])
}

#[test]
fn keys_say_which_of_several_arrays_are_meant() {
    let data = Data::new();
    data.write("d.npz", several_arrays());
    let path = data.join("d.npz");
    let words = scan_at(&path).unwrap_err().to_string();
    let line = "--set data.images=x_masked_train --set data.label_column=coarse_labels_train";
    assert!(words.contains(line), "{words}");
    // With or without the word for the split, in any case.
    for (images_key, label_key) in [("x_raw", "coarse_labels"), ("X_raw_train", "coarseLabels_test")] {
        let layout = Layout {
            images: vec![images_key.into()],
            label_column: Some(label_key.into()),
            ..Layout::default()
        };
        let options = ScanOptions { layout: layout.clone(), ..ScanOptions::default() };
        let dataset = scan(&path, &options, None).unwrap();
        assert_eq!(dataset.classes, ["0", "1"]);
        assert_eq!(dataset.class_counts(Split::Test), [6, 6]);
        let expected = [images(24, 4, 1, 1), images(12, 4, 1, 2)].concat();
        assert_eq!(pixels(&dataset, 4, 1), expected);
        let said = dataset.taken.to_string();
        assert!(said.contains("x_raw_train with coarse_labels_train -> train"), "{said}");
        // The patients are not used, which is told.
        let like: Vec<_> = dataset
            .notices
            .iter()
            .filter_map(|notice| match notice {
                Notice::LooksLikeGroup { column, groups, images, split_given } => {
                    Some((column.as_str(), *groups, *images, *split_given))
                }
                _ => None,
            })
            .collect();
        assert_eq!(like, [("patient_ids", 6, 24, true)]);
        let options =
            LabelledOptions { layout, group: Some("patient_ids".into()), ..LabelledOptions::default() };
        let judged = scan_labelled(&path, &dataset.classes, &options, None).unwrap();
        let groups: std::collections::BTreeSet<_> = whole(&judged.dataset).into_iter().collect();
        let expected = ["0", "1", "2"].map(|group| (group.to_owned(), Split::Test));
        assert_eq!(groups, expected.into());
    }
    // A name that is not there.
    let layout = Layout { label_column: Some("course_labels".into()), ..Layout::default() };
    let words = scan(&path, &ScanOptions { layout, ..ScanOptions::default() }, None).unwrap_err().to_string();
    assert!(words.contains("data.label_column asks for the array `course_labels`"), "{words}");
    assert!(words.contains("did you mean `coarse_labels`"), "{words}");
    // A key of tables alone.
    let layout = Layout {
        label_column: Some("fine_labels".into()),
        images: vec!["x_raw".into()],
        path_column: Some("x".into()),
        ..Layout::default()
    };
    let error = scan(&path, &ScanOptions { layout, ..ScanOptions::default() }, None).unwrap_err();
    assert!(matches!(error, ScanError::Option { key: "path_column", .. }), "{error}");
}

#[test]
fn groups_of_arrays_stay_on_one_side() {
    for (name, key) in [("group", None), ("groups", None), ("patient", Some("patient"))] {
        let data = Data::new();
        // Texts: of five letters, four bytes each.
        let text = |n: usize| -> Vec<u8> {
            let names: String = (0..n).map(|at| format!("p{:04}", at % 8)).collect();
            names.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect()
        };
        let patients = npy_of("<U5", &[48], &text(48));
        data.write(
            "d.npz",
            npz(&[
                ("images", npy(&[48, 4, 4], &images(48, 4, 1, 1))),
                ("labels", npy(&[48], &labels(48, 2))),
                (name, patients),
            ]),
        );
        let options = ScanOptions { group: key.map(str::to_owned), ..ScanOptions::default() };
        let dataset = scan(&data.join("d.npz"), &options, None).unwrap();
        let sides: std::collections::BTreeSet<_> = whole(&dataset).into_iter().collect();
        assert_eq!(sides.len(), 8, "{name}: {sides:?}");
        assert!(sides.iter().any(|(group, split)| group.starts_with("p000") && *split == Split::Val));
        let said = dataset.taken.to_string();
        assert!(said.contains(&format!("images with labels, groups {name}")), "{said}");
    }
    let data = Data::new();
    data.write(
        "d.npz",
        npz(&[
            ("images", npy(&[8, 4, 4], &images(8, 4, 1, 1))),
            ("labels", npy(&[8], &labels(8, 2))),
            ("groups", npy(&[7], &labels(7, 2))),
        ]),
    );
    let words = scan_at(&data.join("d.npz")).unwrap_err().to_string();
    assert!(words.contains("7 groups for the 8 images of images"), "{words}");
}

#[test]
fn tables_of_pixels_say_their_splits_by_yes_and_no_and_their_groups() {
    let table = |column: &str, yes: &str, no: &str| {
        let mut text = format!("{column},patient_id,label");
        (0..16).for_each(|at| write!(text, ",pixel{at}").unwrap());
        text.push('\n');
        for row in 0..40 {
            write!(text, "{},p{},{}", if row % 5 == 0 { yes } else { no }, row % 10, row / 10 % 2).unwrap();
            (0..16).for_each(|at| write!(text, ",{}", (row * 37 + at * 11) % 251).unwrap());
            text.push('\n');
        }
        text
    };
    for (column, yes, no, split, counts) in [
        ("is_valid", "True", "False", Split::Val, [32, 8, 0]),
        ("is_test", "1", "0", Split::Test, [25, 7, 8]),
        ("isTrain", "yes", "no", Split::Train, [8, 32, 0]),
    ] {
        let data = Data::new();
        data.write("d.csv", table(column, yes, no));
        let path = data.join("d.csv");
        let dataset = scan_at(&path).unwrap();
        let found = Split::ALL.map(|split| dataset.indices(split).len());
        // Where the file brings no validation set, a part of the training set is one.
        assert_eq!(found[2], counts[2], "{column}");
        assert_eq!(found[0] + found[1], counts[0] + counts[1], "{column}");
        if split != Split::Test {
            assert_eq!(found, counts, "{column}");
        }
        let said = dataset.taken.to_string();
        assert!(said.contains(&format!("{yes} -> {split}")), "{said}");
        let told = dataset.notices.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(
            told.contains("the column patient_id looks like a group (10 values for 40 images)"),
            "{told}"
        );
        let options = ScanOptions { group: Some("patient_id".into()), ..ScanOptions::default() };
        let dataset = scan(&path, &options, None).unwrap();
        assert_eq!(whole(&dataset).iter().filter(|(group, _)| group == "p3").count(), 4);
        assert!(dataset.taken.to_string().contains("patient_id the groups"));
    }
    // A row that says neither: told, as in other tables.
    let data = Data::new();
    data.write(
        "d.csv",
        table("is_valid", "1", "0").replacen("\n1,", "\nmaybe,", 2).replacen("\nmaybe,", "\n1,", 1),
    );
    let dataset = scan_at(&data.join("d.csv")).unwrap();
    let told = dataset.notices.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(
        told.contains(
            "is_valid looks like the split, and is not read, since its value \"maybe\" says no split"
        ),
        "{told}"
    );
    // Two flags, which part three splits; rows that both claim are refused.
    let twice = |both: bool| {
        let mut text = "is_valid,is_test,label".to_owned();
        (0..16).for_each(|at| write!(text, ",pixel{at}").unwrap());
        for row in 0..40 {
            let (val, test) = (row % 5 == 0, row % 5 == 1 || (both && row == 10));
            write!(text, "\n{val},{test},{}", row / 10 % 2).unwrap();
            (0..16).for_each(|at| write!(text, ",{}", (row * 37 + at * 11) % 251).unwrap());
        }
        text
    };
    data.write("two.csv", twice(false));
    let dataset = scan_at(&data.join("two.csv")).unwrap();
    assert_eq!(Split::ALL.map(|split| dataset.indices(split).len()), [24, 8, 8]);
    data.write("both.csv", twice(true));
    let words = scan_at(&data.join("both.csv")).unwrap_err().to_string();
    assert!(words.contains("line 12: both is_valid and is_test say yes"), "{words}");
    let options = ScanOptions { group: Some("patientid".into()), ..ScanOptions::default() };
    let words = scan(&data.join("d.csv"), &options, None).unwrap_err().to_string();
    assert!(words.contains("data.group asks for the column `patientid`"), "{words}");
    assert!(words.contains("beside its pixels the table has is_valid, patient_id, label"), "{words}");
}

#[test]
fn a_column_by_itself_is_the_class_and_one_that_is_asked_for_is_no_split() {
    let table = |columns: &str, values: &dyn Fn(usize) -> String| {
        let mut text = columns.to_owned();
        (0..16).for_each(|at| write!(text, ",pixel{at}").unwrap());
        for row in 0..40 {
            write!(text, "\n{}", values(row)).unwrap();
            (0..16).for_each(|at| write!(text, ",{}", (row * 37 + at * 11) % 251).unwrap());
        }
        text
    };
    let data = Data::new();
    for column in ["animal", "person", "group", "valid", "site"] {
        data.write("d.csv", table(column, &|row| (row % 2).to_string()));
        let dataset = scan_at(&data.join("d.csv")).unwrap();
        assert_eq!(dataset.class_counts(Split::Train).iter().sum::<usize>(), 32, "{column}");
        assert_eq!(dataset.classes, ["0", "1"], "{column}");
    }
    data.write("d.csv", table("is_test,age", &|row| format!("{},{}", row % 2, row % 3)));
    let layout = Layout { label_column: Some("is_test".into()), ..Layout::default() };
    let dataset = scan(&data.join("d.csv"), &ScanOptions { layout, ..ScanOptions::default() }, None).unwrap();
    assert_eq!(dataset.classes, ["0", "1"]);
    assert_eq!(Split::ALL.map(|split| dataset.indices(split).len()), [32, 8, 0]);
    // Which of two is the class cannot be told.
    data.write("d.csv", table("patient_id,age", &|row| format!("{},{}", row % 9, row % 3)));
    let words = scan_at(&data.join("d.csv")).unwrap_err().to_string();
    assert!(words.contains("data.label_column"), "{words}");
}

#[test]
fn images_without_a_group_are_groups_of_their_own() {
    let data = Data::new();
    let values: Vec<u8> =
        (0..48).flat_map(|at| if at % 2 == 0 { f64::NAN } else { 3.0 }.to_le_bytes()).collect();
    data.write(
        "d.npz",
        npz(&[
            ("images", npy(&[48, 4, 4], &images(48, 4, 1, 1))),
            ("labels", npy(&[48], &labels(48, 2))),
            ("patient", npy_of("<f8", &[48], &values)),
        ]),
    );
    let options = ScanOptions { group: Some("patient".into()), ..ScanOptions::default() };
    let dataset = scan(&data.join("d.npz"), &options, None).unwrap();
    let groups = dataset.samples.iter().filter(|sample| sample.group.as_deref() == Some("3")).count();
    assert_eq!((groups, dataset.samples.len()), (24, 48));
}

#[test]
fn classes_of_a_table_of_pixels_may_be_a_column_each() {
    for classes in [2, 3, 10] {
        let data = Data::new();
        let names: Vec<String> = (0..classes)
            .map(|class| format!("kind{}", ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"][class]))
            .collect();
        let mut text = format!("{},is_test", names.join(","));
        (0..64).for_each(|at| write!(text, ",pixel{at}").unwrap());
        for row in 0..60 {
            let bits: Vec<&str> =
                (0..classes).map(|class| if row % classes == class { "1" } else { "0" }).collect();
            write!(text, "\n{},{}", bits.join(","), u8::from(row >= 40)).unwrap();
            (0..64).for_each(|at| write!(text, ",{}", (row * 37 + at * 11) % 251).unwrap());
        }
        data.write("d.csv", text);
        let dataset = scan_at(&data.join("d.csv")).unwrap();
        assert_eq!(dataset.classes, names);
        assert_eq!(dataset.indices(Split::Test).len(), 20);
        for sample in &dataset.samples {
            let path = sample.path.to_string_lossy().into_owned();
            assert!(path.starts_with("d.csv"), "{path}");
        }
        assert!(
            dataset.taken.to_string().contains("the class is which of kinda, kindb"),
            "{}",
            dataset.taken
        );
        // Asked for by the key, which is what the table says too.
        let layout = Layout { one_hot: names.clone(), ..Layout::default() };
        let asked =
            scan(&data.join("d.csv"), &ScanOptions { layout, ..ScanOptions::default() }, None).unwrap();
        assert_eq!(asked.class_counts(Split::Test), dataset.class_counts(Split::Test));
    }
}

#[test]
fn names_of_the_classes_are_no_labels_of_the_images() {
    for names in ["classes", "class_names", "labels_text"] {
        let data = Data::new();
        let of_images = npy(&[24, 4, 4], &images(24, 4, 1, 1));
        let arrays = [("x", of_images), ("y", npy(&[24], &labels(24, 3))), (names, npy(&[3], &[0, 1, 2]))];
        data.write("d.npz", npz(&arrays));
        let dataset = scan_at(&data.join("d.npz")).unwrap_or_else(|error| panic!("{names}: {error}"));
        assert_eq!((dataset.samples.len(), dataset.classes.len()), (24, 3), "{}", dataset.taken);
    }
}
