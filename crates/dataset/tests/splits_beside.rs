//! What says of which split images are and lies beside them: tables and texts that are called after a split, and the folders of a table's files.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashSet;
use std::path::Path;

use common::{Data, files};
use pupila_dataset::{
    Dataset, LabelledOptions, Layout, Notice, ScanError, ScanOptions, Split, scan, scan_labelled,
};

/// The numbers of the files of a split, which are called by them.
fn of(dataset: &Dataset, split: Split) -> Vec<usize> {
    let number =
        |at: &usize| dataset.samples[*at].path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let mut numbers: Vec<usize> = dataset.indices(split).iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}

fn rows(which: impl Iterator<Item = usize>) -> String {
    which.map(|at| format!("images/{at}.png,{}\n", ["a", "b"][at % 2])).collect()
}

fn names(which: impl Iterator<Item = usize>) -> String {
    which.map(|at| format!("images/{at}.png\n")).collect()
}

fn none() -> ScanOptions {
    let layout = Layout { split_column: Some("none".into()), ..Layout::default() };
    ScanOptions { layout, ..ScanOptions::default() }
}

#[test]
fn a_table_of_all_images_is_trained_on_without_those_of_the_other_tables() {
    for whole in ["all", "labels", "metadata", "data", "ground_truth"] {
        for (val, test) in [
            (None, Some("test")),
            (Some("val"), Some("test")),
            (Some("validación"), None),
            (Some("dev"), Some("Test_Set")),
        ] {
            for overlap in [true, false] {
                let data = files(30);
                let kept = if overlap { 30 } else { 20 };
                data.write(format!("{whole}.csv"), format!("path,label\n{}", rows(0..kept)));
                let parts = [(val, 20..25), (test, 25..30)];
                for (name, which) in parts.iter().filter_map(|(name, which)| Some(((*name)?, which.clone())))
                {
                    data.write(format!("{name}.csv"), format!("path,label\n{}", rows(which)));
                }
                let dataset = data.scan().unwrap_or_else(|error| panic!("{whole}: {error}"));
                let what = format!("{whole}, {val:?}, {test:?}, {overlap}");
                if test.is_some() {
                    assert_eq!(of(&dataset, Split::Test), (25..30).collect::<Vec<_>>(), "{what}");
                }
                if val.is_some() {
                    assert_eq!(of(&dataset, Split::Val), (20..25).collect::<Vec<_>>(), "{what}");
                }
                assert_eq!(dataset.val_from_train, val.is_none(), "{what}");
                if overlap {
                    assert!(
                        dataset.taken.to_string().contains("rows of the other tables"),
                        "{}",
                        dataset.taken
                    );
                    // The table by itself has them too, which is told.
                    let path = data.join(format!("{whole}.csv"));
                    let told = scan(&path, &ScanOptions::default(), None).unwrap().notices;
                    assert!(
                        told.iter().any(|told| matches!(told, Notice::RowsOfOther { .. })),
                        "{what}: {told:?}"
                    );
                }
            }
        }
    }
    // One image of two classes.
    let data = files(20);
    data.write("all.csv", format!("path,label\n{}", rows(0..20)));
    data.write("test.csv", "path,label\nimages/3.png,a\n");
    let words = data.scan().unwrap_err().to_string();
    assert!(words.contains("images/3.png is b here, and a on line 2 of test.csv"), "{words}");
}

#[test]
fn a_test_table_that_is_all_there_is_is_told() {
    for (name, told) in [("test", true), ("Validation", true), ("train", false), ("data", false)] {
        let data = files(20);
        data.write(format!("{name}.csv"), format!("path,label\n{}", rows(0..20)));
        let notices = data.scan().unwrap().notices;
        let is_told = notices.iter().any(|notice| matches!(notice, Notice::TableLikeSplit { .. }));
        assert_eq!(is_told, told, "{name}");
    }
}

#[test]
fn what_of_several_tables_is_trained_on_is_not_guessed() {
    let data = files(20);
    for name in ["labels", "meta"] {
        data.write(format!("{name}.csv"), format!("path,label\n{}", rows(0..20)));
    }
    let words = data.scan().unwrap_err().to_string();
    assert!(words.contains("give one of them instead of the folder"), "{words}");
    data.write("test.csv", format!("path,label\n{}", rows(15..20)));
    let words = data.scan().unwrap_err().to_string();
    assert!(
        words.contains("which of labels.csv and meta.csv is to be trained on is said by its name"),
        "{words}"
    );
    assert!(!words.contains("instead of the folder"), "{words}");
    data.write("test_2.csv", format!("path,label\n{}", rows(15..20)));
    let error = data.scan().unwrap_err();
    assert!(matches!(error, ScanError::SeveralTables { .. }), "{error}");
    assert!(error.to_string().contains("write the rows of those called after test into one"), "{error}");
}

#[test]
fn lists_of_names_part_tables_and_class_folders() {
    for ending in ["csv", "txt"] {
        let header = if ending == "csv" { "path\n" } else { "" };
        // Beside a table of all.
        let data = files(30);
        data.write("labels.csv", format!("path,label\n{}", rows(0..30)));
        data.write(format!("test.{ending}"), format!("{header}{}", names(20..30)));
        let dataset = data.scan().unwrap();
        assert_eq!(of(&dataset, Split::Test), (20..30).collect::<Vec<_>>(), "{ending}");
        assert!(
            dataset.taken.to_string().contains(&format!("the 10 images that test.{ending} lists -> test"))
        );
        // Beside class folders, also those that say all splits; in a folder of their own.
        for (folder, lists) in [("", &["test"][..]), ("splits/", &["train", "val", "test"])] {
            let data = Data::new();
            for at in 0..30 {
                data.png(format!("{}/{at}.png", ["cat", "dog"][at % 2]), at as u32);
            }
            let named = |which: std::ops::Range<usize>| -> String {
                which.map(|at| format!("{}/{at}.png\n", ["cat", "dog"][at % 2])).collect()
            };
            for list in lists {
                let which = match *list {
                    "train" => 0..16,
                    "val" => 16..20,
                    _ => 20..30,
                };
                data.write(format!("{folder}{list}.{ending}"), format!("{header}{}", named(which)));
            }
            let dataset = data.scan().unwrap_or_else(|error| panic!("{folder}{ending}: {error}"));
            assert_eq!(of(&dataset, Split::Test), (20..30).collect::<Vec<_>>(), "{folder}{ending}");
            assert_eq!(dataset.classes, ["cat", "dog"]);
            if lists.len() == 3 {
                assert_eq!(of(&dataset, Split::Val), (16..20).collect::<Vec<_>>());
            }
            let wanted = LabelledOptions { split: Some(Split::Test), ..LabelledOptions::default() };
            let judged = scan_labelled(data.path(), &dataset.classes, &wanted, None).unwrap();
            assert_eq!(judged.dataset.samples.len(), 10);
            // The key turns it off.
            let dataset = data.scan_by(&none()).unwrap();
            assert!(dataset.indices(Split::Test).is_empty(), "{folder}{ending}");
        }
    }
    // Metadata of all that is trained on, beside that of a test set which is not here.
    let data = files(30);
    data.write("Skin_Training_GroundTruth.csv", format!("image,label\n{}", rows(0..30)));
    let metadata = |which: std::ops::Range<usize>| -> String {
        which.map(|at| format!("images/{at}.png,{},{}\n", 20 + at, at % 3)).collect()
    };
    data.write("Skin_Training_Metadata.csv", format!("image,age,site\n{}", metadata(0..30)));
    data.write("Skin_Test_Metadata.csv", format!("image,age,site\n{}", metadata(40..50)));
    let dataset = data.scan().unwrap();
    assert_eq!((dataset.samples.len(), dataset.val_from_train), (30, true));
    assert!(!dataset.taken.to_string().contains("lists"), "{}", dataset.taken);
    // What names no image is something else.
    let data = Data::classes(&["cat", "dog"], 6);
    data.write("test.txt", "remember to test this\n");
    data.write("train.txt", "epochs 20\nlr 0.1\n");
    let dataset = data.scan().unwrap();
    assert!(dataset.val_from_train && !dataset.taken.to_string().contains("lists"), "{}", dataset.taken);
}

#[test]
fn the_folders_of_a_tables_files_say_their_splits() {
    for (train, test) in [
        ("train", "test"),
        ("Training_Set", "Test Set"),
        ("img/train", "img/holdout"),
        ("entrenamiento", "prueba"),
    ] {
        let data = Data::new();
        let row =
            |at: usize| format!("{}/{at}.png,{}\n", if at < 20 { train } else { test }, ["a", "b"][at % 2]);
        for at in 0..30 {
            data.png(row(at).split(',').next().unwrap(), at as u32);
        }
        data.write("labels.csv", format!("path,label\n{}", (0..30).map(row).collect::<String>()));
        let dataset = data.scan().unwrap();
        assert_eq!(of(&dataset, Split::Test), (20..30).collect::<Vec<_>>(), "{train}");
        assert!(
            dataset.taken.to_string().contains("the folders of the files the splits"),
            "{}",
            dataset.taken
        );
        assert!(data.scan_by(&none()).unwrap().indices(Split::Test).is_empty());
        // Where some are in none, it is told.
        data.png("more/30.png", 30);
        let all = format!("path,label\n{}more/30.png,a\n", (0..30).map(row).collect::<String>());
        data.write("labels.csv", all);
        let dataset = data.scan().unwrap();
        let told = |notice: &Notice| matches!(notice, Notice::FoldersLikeSplits { images: 10, .. });
        assert!(dataset.notices.iter().any(told), "{:?}", dataset.notices);
    }
    // A train is a thing to classify.
    let data = Data::new();
    let row = |at: usize| format!("{0}/{at}.png,{0}\n", ["train", "test"][at % 2]);
    (0..20).for_each(|at| data.png(row(at).split(',').next().unwrap(), at as u32));
    data.write("labels.csv", format!("path,label\n{}", (0..20).map(row).collect::<String>()));
    let dataset = scan(&data.join("labels.csv"), &ScanOptions::default(), None).unwrap();
    assert_eq!((dataset.classes.len(), dataset.val_from_train), (2, true));
}

/// As Food-101 and others are laid out: the pictures in one folder, and the lists of names in another beside it, or above both.
#[test]
fn lists_above_a_folder_of_images_say_its_splits() {
    for (images, lists, before, extension) in [
        ("images", "meta", "", ""),
        ("images", "meta", "", ".png"),
        ("img", "", "img/", ".png"),
        ("JPEG_Images", "splits", "JPEG_Images/", ""),
    ] {
        let data = Data::new();
        data.add_classes(images, &["apple pie", "waffles"], 10);
        let name = |class: &str, at: u32| format!("{before}{class}/{at:03}{extension}\n");
        let text = |which: std::ops::Range<u32>| -> String {
            which.flat_map(|at| ["apple pie", "waffles"].map(|class| name(class, at))).collect()
        };
        data.write(Path::new(lists).join("train.txt"), text(0..7));
        data.write(Path::new(lists).join("test.txt"), text(7..10));
        data.write(Path::new(lists).join("classes.txt"), "apple pie\nwaffles\n");
        let root = data.join(images);
        let dataset = scan(&root, &ScanOptions::default(), None).unwrap();
        let numbers: HashSet<usize> = of(&dataset, Split::Test).into_iter().collect();
        let what = format!("{images} {lists} {extension}: {}", dataset.taken);
        assert_eq!((numbers, dataset.indices(Split::Test).len()), ((7..10).collect(), 6), "{what}");
        assert_eq!(dataset.indices(Split::Train).len() + dataset.indices(Split::Val).len(), 14, "{what}");
        assert!(what.contains("test.txt lists -> test"), "{what}");
        assert!(scan(&root, &none(), None).unwrap().indices(Split::Test).is_empty());
        // Above a data set of another kind of name, or beside one with folders of its own, lists are those of others.
        let others = data.join("waffle_irons");
        std::fs::rename(&root, &others).unwrap();
        assert!(scan(&others, &ScanOptions::default(), None).unwrap().indices(Split::Test).is_empty());
    }
}
