//! Splits in the names of files and folders, where reading them as classes, or not at all, would train on test images.

#![allow(clippy::unwrap_used)]

mod common;

use common::Data;
use pupila_dataset::{LabelledOptions, Layout, Notice, ScanError, ScanOptions, Split, scan, scan_labelled};

const CLASSES: [&str; 3] = ["akiec", "bcc", "nv"];

fn none() -> ScanOptions {
    let layout = Layout { split_column: Some("none".into()), ..Layout::default() };
    ScanOptions { layout, ..ScanOptions::default() }
}

#[test]
fn parts_of_a_set_that_a_table_names_are_no_classes() {
    // HAM10000 as the Harvard Dataverse has it, with few and with many images of a class in each part.
    for (n, metadata) in [(6, "HAM10000_metadata.csv"), (40, "HAM10000_metadata.tab"), (40, "metadata.csv")] {
        let data = Data::new();
        let separator = if metadata.ends_with("tab") { '\t' } else { ',' };
        let mut table = format!("lesion_id{separator}image_id{separator}dx\n");
        for at in 0..n {
            let part = 1 + at * 2 / n;
            data.png(format!("HAM10000_images_part_{part}/ISIC_{at}.png"), at);
            table += &format!("HAM_{}{separator}ISIC_{at}{separator}{}\n", at / 2, CLASSES[at as usize % 3]);
        }
        data.write(metadata, table);
        let mut truth = "lesion_id,image_id,dx\n".to_owned();
        for at in 100..106 {
            data.png(format!("ISIC2018_Task3_Test_Images/ISIC_{at}.png"), at);
            truth += &format!("HAM_{at},ISIC_{at},{}\n", CLASSES[at as usize % 3]);
        }
        data.write("ISIC2018_Task3_Test_GroundTruth.csv", truth);
        let dataset = data.scan().unwrap_or_else(|error| panic!("{metadata}: {error}"));
        assert_eq!(dataset.classes, CLASSES, "{metadata}: {}", dataset.taken);
        assert_eq!(dataset.indices(Split::Test).len(), 6, "{metadata}: {}", dataset.taken);
        assert_eq!(dataset.samples.len(), n as usize + 6);
    }
}

#[test]
fn class_folders_that_are_the_sets_of_one_class_are_refused() {
    for folders in [
        ["cats_train", "cats_test", "dogs_train", "dogs_test"],
        ["train_cats", "test_cats", "train_dogs", "test_dogs"],
        ["gato entrenamiento", "gato prueba", "perro entrenamiento", "perro prueba"],
        ["A-training", "A-validation", "B-training", "B-validation"],
        ["cats", "cats_test", "dogs", "dogs_test"],
        ["cats", "dogs", "birds", "val_dogs"],
    ] {
        let data = Data::classes(&folders, 6);
        let error = data.scan().unwrap_err();
        assert!(matches!(error, ScanError::ClassInSplits { .. }), "{error}");
        let layout = Layout { train: vec![".".into()], ..Layout::default() };
        let options = ScanOptions { layout, ..ScanOptions::default() };
        assert_eq!(data.scan_by(&options).unwrap().classes.len(), 4);
    }
    // Things that are tests, or trains, and no other one of the same.
    for folders in [
        ["test_tube", "crash_test"],
        ["train", "bus"],
        ["steam_train", "trains_and_buses"],
        ["tube", "crash_test"],
    ] {
        assert_eq!(Data::classes(&folders, 6).scan().unwrap().classes.len(), 2, "{folders:?}");
    }
}

#[test]
fn a_table_called_after_the_training_set_says_the_classes_of_folders_that_are_none() {
    for (name, other) in [("train.csv", None), ("labels.csv", None), ("train.csv", Some("test.csv"))] {
        let data = Data::classes(&["siteA", "siteB"], 12);
        let rows = |which: std::ops::Range<usize>| -> String {
            let of = |at: usize| {
                ["siteA", "siteB"].map(|site| format!("{site}/{at:03}.png,{}\n", CLASSES[at % 2]))
            };
            which.flat_map(of).collect()
        };
        let trained = if other.is_some() { 0..8 } else { 0..12 };
        data.write(name, format!("path,label\n{}", rows(trained)));
        if let Some(other) = other {
            data.write(other, format!("path,label\n{}", rows(8..12)));
        }
        let dataset = data.scan().unwrap();
        assert_eq!(dataset.classes, CLASSES[..2], "{name}, {other:?}: {}", dataset.taken);
        assert_eq!(dataset.indices(Split::Test).len(), if other.is_some() { 8 } else { 0 });
    }
}

#[test]
fn a_list_whose_names_may_be_several_files_is_refused_and_what_it_lacks_is_told() {
    let data = Data::classes(&["cats", "dogs"], 10);
    data.write("test.txt", "001.png\n002.png\n");
    let error = data.scan().unwrap_err().to_string();
    assert!(error.contains("may be") && error.contains("--set data.split_column=none"), "{error}");
    assert!(data.scan_by(&none()).unwrap().indices(Split::Test).is_empty());
    data.write("test.txt", "cats/001.png\ndogs/002.png\ndogs/999.png\n");
    let dataset = data.scan().unwrap();
    assert_eq!(dataset.indices(Split::Test).len(), 2);
    assert!(dataset.taken.to_string().contains("(1 more are not there)"), "{}", dataset.taken);
    // What no list has is counted by itself, and not as what a recipe leaves out.
    data.write("train.txt", "cats/003.png\ndogs/003.png\ncats/004.png\ndogs/004.png\n");
    let dataset = data.scan().unwrap();
    assert_eq!((dataset.samples.len(), dataset.excluded), (6, 0));
    assert!(dataset.taken.to_string().contains("14 images that no list has left out"), "{}", dataset.taken);
}

#[test]
fn a_list_of_training_and_validation_together_is_none_beside_both() {
    let data = Data::classes(&["cats", "dogs"], 10);
    let names = |which: std::ops::Range<usize>| -> String {
        which.flat_map(|at| ["cats", "dogs"].map(|class| format!("{class}/{at:03}\n"))).collect()
    };
    for (name, which) in [("train", 0..5), ("val", 5..8), ("trainval", 0..8), ("test", 8..10)] {
        data.write(format!("{name}.txt"), names(which));
    }
    let dataset = data.scan().unwrap();
    assert_eq!(Split::ALL.map(|split| dataset.indices(split).len()), [10, 6, 4], "{}", dataset.taken);
    // Several divisions are one too many.
    for division in 1..3 {
        data.write(format!("train{division}.txt"), names(0..5 + division));
        data.write(format!("test{division}.txt"), names(5 + division..10));
    }
    for name in ["train", "val", "trainval", "test"] {
        std::fs::remove_file(data.join(format!("{name}.txt"))).unwrap();
    }
    let error = data.scan().unwrap_err().to_string();
    assert!(
        error.contains("--set 'data.lists=[\"train1.txt\", \"test1.txt\"]'")
            || error.contains("--set 'data.lists=[\"train2.txt\", \"test2.txt\"]'"),
        "{error}"
    );
}

#[test]
fn a_model_is_judged_on_the_same_images_that_lists_keep_from_training() {
    let data = Data::new();
    data.add_classes("train", &["cats", "dogs"], 10);
    data.add_classes("test", &["cats", "dogs"], 4);
    data.write("val.txt", "train/cats/008.png\ntrain/cats/009.png\ntrain/dogs/008.png\ntrain/dogs/009.png\n");
    let dataset = data.scan().unwrap();
    assert_eq!(Split::ALL.map(|split| dataset.indices(split).len()), [16, 4, 8], "{}", dataset.taken);
    let classes = ["cats".to_owned(), "dogs".to_owned()];
    for split in Split::ALL {
        let options = LabelledOptions { split: Some(split), ..LabelledOptions::default() };
        let judged = scan_labelled(data.path(), &classes, &options, None).unwrap().dataset;
        let paths = |of: &pupila_dataset::Dataset, which: &[usize]| -> Vec<_> {
            let mut paths: Vec<_> = which.iter().map(|&at| of.samples[at].path.clone()).collect();
            paths.sort();
            paths
        };
        let all: Vec<usize> = (0..judged.samples.len()).collect();
        assert_eq!(paths(&judged, &all), paths(&dataset, &dataset.indices(split)), "{split}");
    }
}

#[test]
fn a_folder_of_another_split_among_the_files_of_a_table_is_told() {
    let data = Data::new();
    let row = |at: u32| {
        format!("{}/{at}.png,{}\n", if at < 20 { "images" } else { "test" }, ["a", "b"][at as usize % 2])
    };
    (0..26).for_each(|at| data.png(row(at).split(',').next().unwrap(), at));
    data.write("labels.csv", format!("path,label\n{}", (0..26).map(row).collect::<String>()));
    let dataset = data.scan().unwrap();
    let told = |notice: &Notice| matches!(notice, Notice::FoldersLikeSplits { images: 6, trains: false, .. });
    assert!(dataset.notices.iter().any(told), "{:?}", dataset.notices);
}

#[test]
fn that_nothing_says_the_splits_is_asked_of_any_data() {
    for under in ["", "train"] {
        let data = Data::new();
        data.add_classes(under, &["cats", "dogs"], 6);
        let dataset = data.scan_by(&none()).unwrap();
        assert_eq!(dataset.classes, ["cats", "dogs"]);
    }
}

#[test]
fn columns_called_after_splits_whose_values_nobody_knows_are_told() {
    for (header, values) in [
        ("subset", ["Lern", "Lern", "Prf"]),
        ("partition", ["alpha", "alpha", "beta"]),
        ("test_fold", ["-1", "-1", "0"]),
        ("cv", ["4", "3", "7"]),
        ("split", ["x", "x", "y"]),
    ] {
        let data = Data::new();
        let mut table = format!("path,label,{header}\n");
        for at in 0..18 {
            data.png(format!("{at}.png"), at);
            table += &format!("{at}.png,{},{}\n", ["a", "b"][at as usize % 2], values[at as usize % 3]);
        }
        data.write("labels.csv", table);
        match scan(&data.join("labels.csv"), &ScanOptions::default(), None) {
            Err(error) => assert!(error.to_string().contains("data.split_values"), "{header}: {error}"),
            Ok(dataset) => {
                let told = |notice: &Notice| matches!(notice, Notice::SplitNotRead { .. });
                assert!(dataset.notices.iter().any(told), "{header}: {:?}", dataset.notices);
            }
        }
    }
}

#[test]
fn a_table_that_agrees_with_the_folders_and_says_the_splits_is_read() {
    for (name, under, header) in [
        ("manifest.csv", "", "path,label,split"),
        ("labels.csv", "", "filename,class,split"),
        ("data.csv", "images", "path,label,split"),
        ("annotations.csv", "", "path,label,is_test"),
    ] {
        let data = Data::new();
        data.add_classes(under, &["cat", "dog"], 12);
        let said = |at: usize| match (header.ends_with("is_test"), at < 8) {
            (true, trains) => u8::from(!trains).to_string(),
            (false, true) => "train".to_owned(),
            (false, false) => "test".to_owned(),
        };
        let slash = if under.is_empty() { "" } else { "/" };
        let row =
            |class: &str, at: usize| format!("{under}{slash}{class}/{at:03}.png,{class},{}\n", said(at));
        let rows: String = (0..12).flat_map(|at| ["cat", "dog"].map(|class| row(class, at))).collect();
        data.write(name, format!("{header}\n{rows}"));
        let dataset = data.scan().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            (dataset.samples.len(), dataset.indices(Split::Test).len()),
            (24, 8),
            "{name}: {}",
            dataset.taken
        );
    }
    // One that says no more than the folders changes nothing.
    let data = Data::classes(&["cat", "dog"], 6);
    data.write("labels.csv", "path,label\ncat/000.png,cat\ndog/000.png,dog\n");
    assert_eq!(data.scan().unwrap().samples.len(), 12);
}

#[test]
fn files_called_as_lists_of_splits_that_are_not_read_are_told() {
    for (folder, file) in [
        ("CUB/images", "CUB/train_test_split.txt"),
        ("dogs/Images", "dogs/test_list.mat"),
        ("sun/images", "sun/Partitions/Testing_01.txt"),
        ("voc/images", "voc/ImageSets/val.txt"),
        ("caltech", "caltech/split_zhou_Caltech101.json"),
        ("food/images", "food/meta/test.json"),
        ("plain", "plain/test"),
    ] {
        let data = Data::new();
        data.add_classes(folder, &["a", "b"], 8);
        data.write(file, "1 0\n2 1\n");
        let dataset = scan(&data.join(folder), &ScanOptions::default(), None).unwrap();
        let told = |notice: &Notice| matches!(notice, Notice::ListsNotRead { files, .. } if files.len() == 1);
        assert!(dataset.notices.iter().any(told), "{file}: {:?}", dataset.notices);
        assert!(!scan(&data.join(folder), &none(), None).unwrap().notices.iter().any(told));
    }
    // Beside folders of splits, and other texts, there is nothing to tell.
    let data = Data::new();
    data.add_classes("train", &["a", "b"], 8);
    data.add_classes("test", &["a", "b"], 4);
    data.write("train.json", "{}");
    data.write("classes.txt", "a\nb\n");
    let told = |notice: &Notice| matches!(notice, Notice::ListsNotRead { .. });
    assert!(!data.scan().unwrap().notices.iter().any(told));
}

#[test]
fn what_a_competition_wants_to_be_handed_in_is_no_table_of_labels() {
    let data = Data::new();
    for at in 0..8 {
        data.png(format!("train/{}.{at}.png", ["cat", "dog"][at as usize % 2]), at);
        data.png(format!("test1/{at}.png"), 100 + at);
    }
    let rows: String = (0..8).map(|at| format!("{at},{}\n", at % 2)).collect();
    data.write("sampleSubmission.csv", format!("id,label\n{rows}"));
    assert!(data.scan().is_err());
}
