//! Class folders, and what lies beside them: folders that are called after splits, and tables that say something else than the folders.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Data, paths, tar_of};
use pupila_dataset::{
    Dataset, LabelledOptions, Layout, Notice, ScanError, ScanOptions, Split, scan, scan_labelled,
};

const N: u32 = 8;

/// Two class folders, and a table with a row for each image: its path, and what `row` makes of its place in the class.
fn with_table(name: &str, header: &str, row: impl Fn(&str, u32) -> String) -> Data {
    let data = Data::classes(&["x", "y"], N);
    let mut text = format!("{header}\n");
    for class in ["x", "y"] {
        for i in 0..N {
            text += &format!("{class}/{i:03}.png,{}\n", row(class, i));
        }
    }
    data.write(name, text);
    data
}

fn by(layout: Layout) -> ScanOptions {
    ScanOptions { layout, ..ScanOptions::default() }
}

fn column(name: &str) -> ScanOptions {
    by(Layout { label_column: Some(name.into()), ..Layout::default() })
}

fn told(dataset: &Dataset, is: fn(&Notice) -> bool) -> Option<String> {
    dataset.notices.iter().find(|notice| is(notice)).map(ToString::to_string)
}

fn count(dataset: &Dataset, split: Split) -> usize {
    dataset.indices(split).len()
}

#[test]
fn any_number_of_class_folders_that_are_called_as_splits_is_told() {
    let told = |classes: &[&str]| {
        let dataset = Data::classes(classes, 6).scan().unwrap();
        assert_eq!(dataset.classes.len(), classes.len());
        told(&dataset, |notice| matches!(notice, Notice::ClassesLikeSplits { .. }))
    };
    assert_eq!(
        told(&["test", "validation", "x", "y"]).unwrap(),
        "the folders \"test\" (6 images), \"validation\" (6 images) are taken for classes as the others are; if they are sets: \
         --set data.val=validation --set data.test=test"
    );
    for (classes, set) in [
        (&["cats", "dev", "dogs", "holdout"][..], "--set data.val=dev --set data.test=holdout"),
        (&["entrenamiento", "otros", "prueba"], "--set data.train=entrenamiento --set data.test=prueba"),
        (
            &["a", "b", "test 1", "test 2", "val"],
            "--set data.val=val --set 'data.test=[\"test 1\", \"test 2\"]'",
        ),
        (&["a", "b", "test 1"], "--set 'data.test=\"test 1\"'"),
    ] {
        let told = told(classes).unwrap();
        assert!(told.ends_with(set), "{classes:?}: {told}");
    }
    for classes in [&["car", "train", "tram"][..], &["a", "b", "c", "d"]] {
        assert_eq!(told(classes), None, "{classes:?}");
    }
    // The line that is told does it.
    let data = Data::classes(&["x", "y"], 6);
    for split in ["test", "validation"] {
        data.add_classes(split, &["x", "y"], 3);
    }
    let layout = Layout { val: vec!["validation".into()], test: vec!["test".into()], ..Layout::default() };
    let text = data.scan().unwrap_err().to_string();
    assert!(
        text.contains("for validation or test: --set data.val=validation --set data.test=test; "),
        "{text}"
    );
    let dataset = data.scan_by(&by(layout)).unwrap();
    assert_eq!(Split::ALL.map(|split| count(&dataset, split)), [12, 6, 6]);
}

#[test]
fn a_column_that_is_not_called_after_classes_does_not_replace_the_folders() {
    for (header, name, values) in [
        ("path,sex", "sex", ["f", "m"]),
        ("image,camera", "camera", ["canon", "nikon"]),
        ("image,quality", "quality", ["good", "bad"]),
        ("image,date", "date", ["2019-01-01", "2020-01-01"]),
    ] {
        let data = with_table("metadata.csv", header, |_, i| values[i as usize % 2].to_owned());
        let dataset = data.scan().unwrap();
        assert_eq!(dataset.classes, ["x", "y"], "{header}");
        let told = told(&dataset, |notice| matches!(notice, Notice::TableBeside { .. })).unwrap();
        assert!(told.contains("metadata.csv beside the class folders names their images"), "{told}");
        assert!(told.contains(&format!("--set data.label_column={name} takes")), "{told}");
        // The line that is told does it.
        let mut expected = values.map(str::to_owned);
        expected.sort();
        assert_eq!(data.scan_by(&column(name)).unwrap().classes, expected, "{header}");
    }
    let data = with_table("metadata.csv", "path,fold", |_, i| (i % 2).to_string());
    let dataset = data.scan().unwrap();
    assert_eq!(dataset.classes, ["x", "y"]);
    assert!(told(&dataset, |notice| matches!(notice, Notice::Folds { .. })).is_some());
    // A column that is called after classes still does, and so does any where the folders are patients.
    let data =
        with_table("metadata.csv", "path,diagnosis", |_, i| ["ill", "well"][i as usize % 2].to_owned());
    assert_eq!(data.scan().unwrap().classes, ["ill", "well"]);
    let data = Data::classes(&["patient_1", "patient_2"], N);
    let row = |p: usize, i: usize| format!("patient_{p}/{i:03}.png,{}\n", ["no", "yes"][i % 2]);
    let rows: String = [1, 2].iter().flat_map(|&p| (0..N as usize).map(move |i| row(p, i))).collect();
    data.write("metadata.csv", format!("path,finding\n{rows}"));
    assert_eq!(data.scan().unwrap().classes, ["no", "yes"]);
}

#[test]
fn a_table_beside_class_folders_that_says_only_the_splits_is_read() {
    let third = |i: u32, values: [&str; 3]| values[if i < 5 { 0 } else { (i - 4) as usize % 3 }].to_owned();
    for name in ["metadata.csv", "splits.csv", "test_split.csv"] {
        for (header, values, sizes) in [
            ("path,split", ["train", "val", "test"], [12, 2, 2]),
            ("filename,is_test", ["0", "1", "0"], [0, 0, 2]),
            ("image,is_valid", ["False", "True", "False"], [0, 2, 0]),
            ("path,camera,split", ["a,train", "b,val", "a,test"], [12, 2, 2]),
        ] {
            let data = with_table(name, header, |_, i| third(i, values));
            let dataset = data.scan().unwrap_or_else(|error| panic!("{name}, {header}: {error}"));
            assert_eq!(dataset.classes, ["x", "y"], "{name}, {header}");
            let got = Split::ALL.map(|split| count(&dataset, split));
            assert_eq!(got[2], sizes[2], "{name}, {header}");
            if sizes[1] > 0 {
                assert_eq!(got[1], sizes[1], "{name}, {header}");
                assert!(!dataset.val_from_train);
            }
            assert_eq!(got.iter().sum::<usize>(), 16, "{name}, {header}");
            let said = dataset.taken.to_string();
            assert!(said.contains(&format!("table {name}: ")), "{said}");
            let unread = told(&dataset, |notice| matches!(notice, Notice::ListsNotRead { .. }));
            assert_eq!(unread, None, "{name}, {header}");
            // A model is judged on the same images.
            let labelled = LabelledOptions {
                split: Some(if sizes[2] > 0 { Split::Test } else { Split::Val }),
                ..LabelledOptions::default()
            };
            let judged = scan_labelled(data.path(), &dataset.classes, &labelled, None).unwrap();
            let mut judged: Vec<String> = paths(&judged.dataset);
            let split = labelled.split.unwrap();
            let mut expected: Vec<String> =
                dataset.indices(split).iter().map(|&at| paths(&dataset)[at].clone()).collect();
            judged.sort();
            expected.sort();
            assert_eq!(judged, expected, "{name}, {header}");
        }
    }
    let split = |_: &str, i: u32| third(i, ["train", "val", "test"]);
    // By the key too, whatever the column is called; and none where the recipe says so.
    let data = with_table("m.csv", "path,part", split);
    let asked = |name: &str| by(Layout { split_column: Some(name.into()), ..Layout::default() });
    assert_eq!(count(&data.scan_by(&asked("part")).unwrap(), Split::Val), 2);
    let none = data.scan_by(&asked("none")).unwrap();
    assert!(none.val_from_train && count(&none, Split::Test) == 0);
    // What the table does not name is left out, which is said.
    let data = with_table("m.csv", "path,split", split);
    data.png("x/900.png", 1);
    let dataset = data.scan().unwrap();
    assert_eq!(dataset.samples.len(), 16);
    assert!(
        dataset.taken.to_string().contains("1 image left out (1 that it does not name)"),
        "{}",
        dataset.taken
    );
    // A value that says none, and an image of two splits.
    let data = with_table("m.csv", "path,split", |class, i| {
        if i == 3 && class == "y" { "trian".into() } else { split(class, i) }
    });
    let words = data.scan().unwrap_err().to_string();
    assert!(words.contains("m.csv") && words.contains("\"trian\""), "{words}");
    let data = Data::classes(&["x", "y"], 4);
    data.write("m.csv", "path,split\nx/000.png,train\ny/000.png,val\nx/000.png,val\n");
    let words = data.scan().unwrap_err().to_string();
    assert!(words.contains("line 4") && words.contains("is of another split on a line before"), "{words}");
}

#[test]
fn a_table_by_itself_that_is_called_after_a_test_set_is_told() {
    for (name, is_told) in [
        ("ISIC2018_Task3_Test_GroundTruth.csv", true),
        ("GT-final_test.csv", true),
        ("x_test_gt.csv", true),
        ("test_labels.csv", true),
        ("my_validation_answers.csv", true),
        ("ISIC2018_Task3_Training_GroundTruth.csv", false),
        ("train_test.csv", false),
        ("labels.csv", false),
    ] {
        let data = common::files(12);
        let rows = (0..12).map(|at| format!("images/{at}.png,{}\n", ["a", "b"][at % 2]));
        data.write(name, format!("path,label\n{}", rows.collect::<String>()));
        let dataset = data.scan().unwrap();
        let told = told(&dataset, |notice| matches!(notice, Notice::TableLikeSplit { .. }));
        assert_eq!(told.is_some(), is_told, "{name}");
    }
}

#[test]
fn a_key_of_tables_says_which_tables_are_there() {
    // A table that names no images.
    let data = Data::classes(&["a", "b"], 3);
    data.write("metadata.csv", "node,x,tumor\n1,2,0\n1,3,1\n");
    let words = data.scan_by(&column("tumor")).unwrap_err().to_string();
    assert!(words.contains("metadata.csv is there, and no column of it names images"), "{words}");
    // Those of other kinds, and of them the ones that are asked for.
    for (name, lists) in [
        ("labels.xlsx", vec![]),
        ("list_attr.txt", vec!["list_attr.txt".to_owned()]),
        ("labels.json", vec![]),
    ] {
        let data = Data::classes(&["a", "b"], 3);
        data.write(name, "3\nMale Young\n000.png -1 1\n");
        data.write("readme.md", "words");
        let layout = Layout { label_column: Some("Male".into()), lists, ..Layout::default() };
        let error = data.scan_by(&by(layout)).unwrap_err();
        assert!(matches!(error, ScanError::NoTable { .. }), "{error}");
        let words = error.to_string();
        assert!(words.contains(&format!("{name} is there, and is no table that is read here")), "{words}");
    }
    // One above.
    let data = Data::new();
    data.add_classes("set", &["a", "b"], 3);
    data.write(
        "labels.csv",
        "path,kind\nset/a/000.png,u\nset/a/001.png,v\nset/b/000.png,u\nset/b/001.png,v\n",
    );
    let words = scan(&data.join("set"), &column("kind"), None).unwrap_err().to_string();
    assert!(words.contains("labels.csv is in the folder above: give it instead"), "{words}");
    assert_eq!(scan(&data.join("labels.csv"), &column("kind"), None).unwrap().classes, ["u", "v"]);
    // None at all.
    let data = Data::new();
    data.add_classes("set", &["a", "b"], 3);
    let words = scan(&data.join("set"), &column("kind"), None).unwrap_err().to_string();
    assert!(words.contains("there is no table in the folder"), "{words}");
}

#[test]
fn a_row_that_says_the_same_again_is_counted_once() {
    for (header, rows, repeated) in [
        ("path,label", vec!["a", "b", "a"], 3),
        ("path,label,split", vec!["a,train", "b,train", "a,test"], 1),
        ("path,label,group", vec!["a,1", "b,2", "a,3"], 2),
    ] {
        let data = common::files(12);
        let row = |at: usize| format!("images/{at}.png,{}\n", rows[at % 3]);
        let text: String = (0..12).chain(0..repeated).map(row).collect();
        data.write("labels.csv", format!("{header}\n{text}"));
        let dataset = data.scan().unwrap();
        assert_eq!(dataset.samples.len(), 12, "{header}");
        let told = told(&dataset, |notice| matches!(notice, Notice::RepeatedRows { .. })).unwrap();
        assert!(
            told.starts_with(&format!("{repeated} row")) && told.ends_with("(the first is line 14)"),
            "{told}"
        );
        // Where they differ in anything, which of them is right is not guessed.
        let other = rows[1];
        data.write("labels.csv", format!("{header}\n{text}images/0.png,{other}\n"));
        let words = data.scan().unwrap_err().to_string();
        assert!(words.contains("is already on line 2"), "{header}: {words}");
    }
}

#[test]
fn an_archive_of_files_of_other_programs_is_to_be_unpacked() {
    for (files, what) in [
        (["cifar-10-batches-py/data_batch_1", "cifar-10-batches-py/test_batch"], "CIFAR-10"),
        (["data_batch_1", "test_batch"], "CIFAR-10"),
        (["set/imagelabels.mat", "set/setid.mat"], "MATLAB"),
        (["set/readme", "set/data.h5"], "HDF5"),
    ] {
        let data = Data::new();
        data.write("data.tar", tar_of(files.map(|file| (file, file.as_bytes()))));
        let error = scan(&data.join("data.tar"), &ScanOptions::default(), None).unwrap_err();
        let words = error.to_string();
        assert!(matches!(error, ScanError::PackedFormat { .. }), "{files:?}: {words}");
        assert!(words.contains(what) && words.contains("`tar -xf "), "{words}");
        assert!(!words.contains("python3"), "{words}");
    }
}
