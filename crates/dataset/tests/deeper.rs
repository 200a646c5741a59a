//! Levels of folders below the data's folder or below class folders: splits, domains, copies, masks, patients.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeSet, HashMap};

use common::Data;
use pupila_dataset::{
    Dataset, Form, LabelledOptions, Layout, LayoutError, Notice, ScanError, ScanOptions, Split, scan_labelled,
};

fn by(layout: Layout) -> ScanOptions {
    ScanOptions { layout, ..ScanOptions::default() }
}

fn grouped(column: &str) -> ScanOptions {
    ScanOptions { group: Some(column.into()), ..ScanOptions::default() }
}

fn refused(data: &Data) -> (LayoutError, String) {
    let error = data.scan().unwrap_err();
    let text = error.to_string();
    match error {
        ScanError::Layout { source, .. } => (*source, text),
        other => panic!("{other}"),
    }
}

/// The options that a text says to type, behind `start` and up to the next `;`.
fn typed(text: &str, start: &str) -> ScanOptions {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start:?} in {text}"));
    let line = rest.split(';').next().unwrap().split(" leaves").next().unwrap();
    let mut options = ScanOptions::default();
    for setting in line.split("--set ").skip(1) {
        let setting = setting.trim().trim_matches('\'');
        let (key, value) = setting.split_once('=').unwrap();
        let value = value.trim_start_matches('[').trim_end_matches(']');
        let list: Vec<String> = value.split(", ").map(|name| name.trim_matches('"').to_owned()).collect();
        match key {
            "data.train" => options.layout.train = list,
            "data.val" => options.layout.val = list,
            "data.test" => options.layout.test = list,
            "data.exclude" => options.exclude = list,
            "data.group" => options.group = list.into_iter().next(),
            other => panic!("{other} in {text}"),
        }
    }
    options
}

fn sizes(dataset: &Dataset) -> [usize; 3] {
    Split::ALL.map(|split| dataset.indices(split).len())
}

#[test]
fn splits_below_folders_that_are_no_classes_are_read() {
    for tops in [&["40X", "100X", "200X"][..], &["site A", "site B"], &["clinic 1", "clinic 2"]] {
        for (train, test, inner) in
            [("train", "test", ""), ("Training", "holdout", ""), ("train", "test", "/images")]
        {
            let data = Data::new();
            for top in tops {
                data.add_classes(&format!("{top}/{train}{inner}"), &["x", "y"], 5);
                data.add_classes(&format!("{top}/{test}{inner}"), &["x", "y"], 2);
            }
            let dataset = data.scan().unwrap();
            let n = tops.len();
            assert_eq!(
                (dataset.form, &dataset.classes[..]),
                (Form::SplitFolders, &["x".to_owned(), "y".into()][..])
            );
            assert_eq!(dataset.class_counts(Split::Test), [2 * n, 2 * n], "{tops:?}");
            let taken = dataset.taken.to_string();
            assert!(
                taken.contains(&format!("{}/{test}{inner}", tops[0])) && taken.contains("-> test"),
                "{taken}"
            );
            let options = LabelledOptions { split: Some(Split::Test), ..Default::default() };
            let judged = scan_labelled(data.path(), &dataset.classes, &options, None).unwrap();
            assert_eq!(judged.dataset.samples.len(), 4 * n);
        }
    }
    // Folders of kinds below the splits of a class are of the class.
    let data = Data::new();
    for (class, kinds) in [("cats", ["siamese", "persian"]), ("dogs", ["poodle", "terrier"])] {
        data.add_classes(&format!("{class}/train"), &kinds, 4);
        data.add_classes(&format!("{class}/test"), &kinds, 2);
    }
    let dataset = data.scan().unwrap();
    assert_eq!(
        (&dataset.classes[..], dataset.class_counts(Split::Test)),
        (&["cats".to_owned(), "dogs".into()][..], vec![4, 4])
    );
}

#[test]
fn folders_in_those_of_splits_that_hold_the_same_names_are_told() {
    for (tops, shared) in [
        (&["hospA", "hospB"][..], &["benign", "malignant"][..]),
        (&["amazon", "dslr", "webcam"], &["bike", "desk", "mug", "pen", "phone"]),
        (&["site 1", "site 2"], &["nevus", "melanoma", "keratosis"]),
    ] {
        let data = Data::new();
        for top in tops {
            data.add_classes(&format!("train/{top}"), shared, 4);
            data.add_classes(&format!("test/{top}"), shared, 2);
        }
        let dataset = data.scan().unwrap();
        assert_eq!(dataset.classes, *tops);
        let told = dataset.notices.iter().find(|notice| matches!(notice, Notice::SharedInSplits { .. }));
        let options = typed(&told.unwrap().to_string(), "are the classes: ");
        let inner = data.scan_by(&options).unwrap();
        let mut classes = shared.to_vec();
        classes.sort_unstable();
        assert_eq!(inner.classes, classes);
        assert_eq!(inner.class_counts(Split::Test), vec![2 * tops.len(); shared.len()]);
    }
    // Kinds of each class, and views of one thing.
    for (tops, inner) in [
        (["cats", "dogs"], [["siamese", "persian"], ["poodle", "terrier"]]),
        (["x", "y"], [["view1", "view2"], ["view1", "view2"]]),
    ] {
        let data = Data::new();
        for (top, inner) in tops.iter().zip(&inner) {
            data.add_classes(&format!("train/{top}"), inner, 4);
            data.add_classes(&format!("test/{top}"), inner, 2);
        }
        let dataset = data.scan().unwrap();
        assert!(
            !dataset.notices.iter().any(|notice| matches!(notice, Notice::SharedInSplits { .. })),
            "{:?}",
            dataset.notices
        );
    }
}

#[test]
fn divisions_of_the_same_images_are_refused() {
    for (tops, by_image) in [(["fold0", "fold1"], false), (["cv_1", "cv_2"], false), (["one", "two"], true)] {
        let data = Data::new();
        for (at, top) in tops.iter().enumerate() {
            for image in 0..8 {
                let split = if image % 2 == at as u32 { "test" } else { "train" };
                for (class, seed) in [("x", 0), ("y", 100)] {
                    data.png(format!("{top}/{split}/{class}/{image}.png"), seed + image);
                }
            }
        }
        let (error, text) = refused(&data);
        assert!(
            matches!(&error, LayoutError::Divisions { same, .. } if same.is_some() >= by_image),
            "{text}"
        );
        let first = text.rsplit("naming it, ").next().unwrap();
        let dataset = pupila_dataset::scan(first.as_ref(), &ScanOptions::default(), None).unwrap();
        assert_eq!(dataset.class_counts(Split::Test), [4, 4]);
    }
}

#[test]
fn splits_that_are_deeper_than_can_be_read_are_refused() {
    let data = Data::new();
    for (site, class) in [("a", "x"), ("a", "y"), ("b", "x"), ("b", "z")] {
        data.add_classes(&format!("{site}/{class}"), &["train", "test"], 3);
    }
    let (error, text) = refused(&data);
    assert!(matches!(error, LayoutError::SplitsBelow { split: Split::Test, .. }), "{text}");
    let as_read = typed(&text, "if they are no splits: ");
    assert_eq!(data.scan_by(&as_read).unwrap().classes, ["a", "b"]);
    // One in a class is told.
    let data = Data::classes(&["x", "y"], 6);
    data.add_classes("x", &["test"], 2);
    let told: Vec<String> = data.scan().unwrap().notices.iter().map(ToString::to_string).collect();
    assert!(
        told.iter().any(
            |told| told.starts_with("x/test is called after the test set") && told.contains("(2 in all)")
        ),
        "{told:?}"
    );
    // A train is a thing too.
    let data = Data::new();
    data.add_classes("wood", &["train", "bus"], 4);
    data.add_classes("metal", &["car"], 4);
    assert!(!data.scan().unwrap().notices.iter().any(|notice| matches!(notice, Notice::SplitBelow { .. })));
    // What a recipe names must hold classes.
    let data = Data::new();
    for top in ["40X", "100X"] {
        data.add_classes(&format!("{top}/train"), &["x", "y"], 4);
        data.add_classes(&format!("{top}/test"), &["x", "y"], 2);
    }
    let error = data.scan_by(&by(Layout { train: vec!["40X".into()], ..Layout::default() })).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(&error, ScanError::Layout { source, .. } if matches!(**source, LayoutError::SplitsGiven { .. })),
        "{text}"
    );
    assert_eq!(sizes(&data.scan_by(&typed(&text, "Name them instead:")).unwrap())[2], 4);
}

#[test]
fn folders_that_hold_the_same_classes_are_refused_with_a_line_for_each_meaning() {
    let classes = ["bike", "mug", "pen", "phone"];
    for (tops, inner) in [
        (&["amazon", "dslr", "webcam"][..], "/images"),
        (&["amazon", "dslr", "webcam"], ""),
        (&["hospital1", "hospital2"], ""),
        (&["patient 1", "patient 2", "patient 3"], "/photos"),
    ] {
        let data = Data::new();
        for top in tops {
            data.add_classes(&format!("{top}{inner}"), &classes, 3);
        }
        let (error, text) = refused(&data);
        assert!(matches!(error, LayoutError::FoldersOfClasses { views: None, .. }), "{text}");
        let all = data.scan_by(&typed(&text, "train on all of them: ")).unwrap();
        assert_eq!((all.classes.len(), all.samples.len()), (4, 12 * tops.len()), "{text}");
        let apart = data.scan_by(&typed(&text, "test on another: ")).unwrap();
        assert_eq!(apart.class_counts(Split::Test), [3; 4], "{text}");
        let as_read = data.scan_by(&typed(&text, "are the classes after all: ")).unwrap();
        assert_eq!(as_read.classes, tops, "{text}");
    }
    // Forms of the same pictures are not trained on together.
    let data = Data::new();
    for (seed, top) in ["color", "grayscale", "segmented"].iter().enumerate() {
        for class in ["rust", "scab"] {
            for at in 0..6 {
                let name = format!("{top}/{class}/{class}-leaf-a{at}f.png");
                data.png(name, seed as u32 * 100 + at);
            }
        }
    }
    let (error, text) = refused(&data);
    assert!(matches!(error, LayoutError::FoldersOfClasses { views: Some(_), .. }), "{text}");
    assert!(!text.contains("all of them"), "{text}");
    let one = data.scan_by(&typed(&text, "train on one of them: ")).unwrap();
    assert_eq!((one.classes.len(), one.samples.len()), (2, 12));
    // Numbers that say how a picture was taken are no classes.
    let data = Data::new();
    for class in ["benign", "malignant"] {
        data.add_classes(class, &["40X", "100X", "200X", "400X"], 3);
    }
    let dataset = data.scan().unwrap();
    assert_eq!((dataset.classes.len(), &dataset.notices[..]), (2, &[][..]));
}

#[test]
fn a_class_folder_that_holds_the_other_classes_is_refused() {
    for (copy, classes) in
        [("cell_images", &["Parasitized", "Uninfected"][..]), ("flowers", &["daisy", "rose", "tulip"])]
    {
        for under in ["", "train"] {
            let data = Data::new();
            data.add_classes(under, classes, 6);
            data.add_classes(format!("{under}/{copy}").trim_start_matches('/'), classes, 6);
            if !under.is_empty() {
                data.add_classes("test", classes, 2);
            }
            let (error, text) = refused(&data);
            assert!(matches!(error, LayoutError::ClassesWithin { .. }), "{text}");
            let without = data.scan_by(&typed(&text, "if these are copies, ")).unwrap();
            assert_eq!(without.classes, classes, "{text}");
            let as_read = data
                .scan_by(&typed(&text, "a class after all: "))
                .unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(as_read.classes.len(), classes.len() + 1, "{text}");
            if under.is_empty() {
                let more = data.scan_by(&typed(&text, "more images of the classes: ")).unwrap();
                assert_eq!(more.samples.len(), classes.len() * 12, "{text}");
                let tested = data.scan_by(&typed(&text, "for validation or test: ")).unwrap();
                assert_eq!(tested.class_counts(Split::Test), vec![6; classes.len()], "{text}");
            }
        }
    }
}

#[test]
fn masks_in_folders_of_their_own_are_no_images_of_the_class() {
    for (pictures, masks, ending) in
        [("/images", "masks", ""), ("", "mask", ""), ("/imgs", "ground_truth", "_mask")]
    {
        let data = Data::new();
        for class in ["COVID", "Normal"] {
            for at in 0..6 {
                data.png(format!("{class}{pictures}/{class}-{at}.png"), at);
                data.png(format!("{class}/{masks}/{class}-{at}{ending}.png"), at + 50);
            }
        }
        let error = data.scan().unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ScanError::MasksBeside { masks: 12, .. }), "{text}");
        let (_, line) = text.split_once("nearly the same ones: ").unwrap();
        let dataset = data.scan_by(&typed(&format!("line: {line}"), "line: ")).unwrap();
        assert_eq!(dataset.samples.len(), 12, "{text}");
    }
    // Class folders of that name, and masks of nothing that is there.
    let data = Data::classes(&["masks", "faces"], 6);
    assert_eq!(data.scan().unwrap().samples.len(), 12);
    let data = Data::new();
    data.add_classes("venice", &["masks"], 6);
    data.add_classes("rome", &["coins"], 6);
    assert_eq!(data.scan().unwrap().samples.len(), 12);
}

/// Folders of patients in two classes, `each` images in each.
fn patients(name: impl Fn(&str, u32) -> String, each: u32) -> Data {
    let data = Data::new();
    for class in ["ill", "well"] {
        for patient in 0..8 {
            data.add_classes(class, &[&name(class, patient)], each);
        }
    }
    data
}

fn told_groups(dataset: &Dataset) -> Option<String> {
    let is =
        |notice: &&Notice| matches!(notice, Notice::FoldersLikeGroups { .. } | Notice::LooksLikeGroup { .. });
    dataset.notices.iter().find(is).map(ToString::to_string)
}

/// Whether images of one group are on two sides.
fn are_parted(dataset: &Dataset) -> bool {
    let mut splits: HashMap<&str, BTreeSet<Split>> = HashMap::new();
    for sample in &dataset.samples {
        splits.entry(sample.group.as_deref().unwrap()).or_default().insert(sample.split);
    }
    splits.values().any(|splits| splits.len() > 1)
}

#[test]
fn folders_of_patients_in_class_folders_are_told_and_can_be_groups() {
    let own = |class: &str, at: u32| format!("patient{}", at + if class == "ill" { 0 } else { 8 });
    let persons = |class: &str, at: u32| {
        format!("{class}_{}", ["anna", "bo", "cy", "di", "ed", "flo", "gil", "hal"][at as usize])
    };
    for (data, groups) in [
        (patients(own, 5), 16),
        (patients(|_, at| format!("patient{at}"), 5), 8),
        (patients(|class, at| format!("{class}-{at:04}/study1"), 5), 16),
        (patients(|class, at| format!("SOB/SOB_{class}_{at}4-22549/40X"), 5), 16),
        (patients(persons, 3), 16),
    ] {
        let dataset = data.scan().unwrap();
        let told = told_groups(&dataset).unwrap_or_else(|| panic!("{:?}", dataset.samples[0].path));
        assert!(
            told.contains(&format!("({groups} for ")) && told.ends_with("on one side of the split"),
            "{told}"
        );
        assert!(told.contains(": --set data.group=folder keeps "), "{told}");
        let dataset = data.scan_by(&grouped("folder")).unwrap();
        let there: BTreeSet<&str> =
            dataset.samples.iter().filter_map(|sample| sample.group.as_deref()).collect();
        assert_eq!((there.len(), are_parted(&dataset), told_groups(&dataset)), (groups, false, None));
        assert!(dataset.taken.to_string().contains("the groups"), "{}", dataset.taken);
        assert!(!dataset.indices(Split::Val).is_empty());
        // What is judged has them too.
        let options = LabelledOptions { group: Some("folder".into()), ..Default::default() };
        let judged = scan_labelled(data.path(), &dataset.classes, &options, None).unwrap().dataset;
        assert!(judged.samples.iter().all(|sample| sample.group.is_some()));
        let judged = scan_labelled(data.path(), &dataset.classes, &Default::default(), None).unwrap().dataset;
        assert!(told_groups(&judged).unwrap().contains("judges by groups"));
    }
    // Settings, pieces, and kinds with many images each.
    for name in [
        |_: &str, at: u32| format!("{}X", [40, 100, 200, 400][at as usize % 4]),
        |_: &str, at: u32| format!("part_{at}"),
        |_: &str, at: u32| ["indoor", "outdoor"][at as usize % 2].to_owned(),
    ] {
        assert_eq!(told_groups(&patients(name, 5).scan().unwrap()), None);
    }
    let error = Data::classes(&["x", "y"], 6).scan_by(&grouped("folder")).unwrap_err();
    assert!(error.to_string().contains("the class folders hold no folders"), "{error}");
    let error = Data::classes(&["x", "y"], 6).scan_by(&grouped("patient")).unwrap_err();
    assert!(error.to_string().contains("a column of a table in the folder"), "{error}");
}

#[test]
fn a_table_of_patients_beside_class_folders_is_told_and_can_be_read() {
    for (header, with_class) in
        [("path,patient_id", false), ("path,class,patient_id", true), ("image,age,patient_id", false)]
    {
        let data = Data::classes(&["x", "y"], 12);
        let mut text = format!("{header}\n");
        for class in ["x", "y"] {
            for at in 0..12 {
                let more = match (with_class, header.contains("age")) {
                    (true, _) => format!("{class},"),
                    (_, true) => format!("{},", 40 + at),
                    _ => String::new(),
                };
                text += &format!("{class}/{at:03}.png,{more}{class}{}\n", at / 3);
            }
        }
        data.write("metadata.csv", text);
        let dataset = data.scan().unwrap();
        assert_eq!(dataset.classes, ["x", "y"], "{header}");
        let told = told_groups(&dataset).unwrap_or_else(|| panic!("{header}"));
        assert!(told.contains("(8 values for 24 images): --set data.group=patient_id keeps"), "{told}");
        let dataset = data.scan_by(&grouped("patient_id")).unwrap();
        assert_eq!(
            (dataset.classes.len(), dataset.samples.len(), are_parted(&dataset)),
            (2, 24, false),
            "{header}"
        );
        // Also where a recipe names the folders.
        let layout = Layout { train: vec![".".into()], ..Layout::default() };
        let dataset = data.scan_by(&ScanOptions { layout, ..grouped("patient_id") }).unwrap();
        assert!(!are_parted(&dataset), "{header}");
    }
}

#[test]
fn patients_are_no_classes() {
    let name = |at: u32| format!("patient{at:05}/study1");
    let dates = |at: u32| format!("case {at}");
    let ids = |at: u32| format!("{:x}", at.wrapping_mul(2_654_435_761));
    for (name, n, by_name) in
        [(&name as &dyn Fn(u32) -> String, 6, true), (&dates, 4, true), (&ids, 120, false)]
    {
        for train in ["", "train/"] {
            let data = Data::new();
            for at in 0..n {
                data.png(format!("{train}{}/view1.png", name(at)), at);
                data.png(format!("{train}{}/view2.png", name(at)), at + 1000);
            }
            let (error, text) = refused(&data);
            assert!(
                matches!(error, LayoutError::GroupsAsClasses { by_name: of, .. } if of == by_name),
                "{text}"
            );
            let as_read = data.scan_by(&typed(&text, "are the classes after all: ")).unwrap();
            assert_eq!(as_read.classes.len(), n as usize, "{text}");
        }
    }
    // A table says the classes.
    let data = Data::new();
    let mut text = "path,label,patient\n".to_owned();
    for at in 0..12u32 {
        data.png(format!("patient{at}/view1.png"), at);
        text += &format!("patient{at}/view1.png,{},{at}\n", ["no", "yes"][at as usize % 2]);
    }
    data.write("labels.csv", text);
    assert_eq!(data.scan().unwrap().classes, ["no", "yes"]);
    // Two groups to tell apart, and three persons.
    for classes in [["group 1", "group 2", "group 3", "group 4"], ["ann", "ben", "cleo", "dan"]] {
        assert_eq!(Data::classes(&classes, 4).scan().unwrap().classes.len(), 4);
    }
}

#[test]
fn patients_that_hold_the_classes_are_groups() {
    let data = Data::new();
    for patient in 0..12 {
        data.add_classes(&(10_253 + patient * 7).to_string(), &["0", "1"], 2);
    }
    let dataset = data.scan().unwrap();
    assert_eq!((&dataset.classes[..], dataset.samples.len()), (&["0".to_owned(), "1".into()][..], 48));
    assert!(
        !are_parted(&dataset) && dataset.taken.to_string().contains("12 folders such as 10253, each a group"),
        "{}",
        dataset.taken
    );
    let judged = scan_labelled(data.path(), &dataset.classes, &Default::default(), None).unwrap().dataset;
    assert_eq!(judged.samples.iter().filter(|sample| sample.group.is_some()).count(), 48);
}
