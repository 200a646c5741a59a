//! Data sets as they are downloaded: look-alikes of them are read, or refused with a line that works.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::Data;
use pupila_dataset::{Dataset, Layout, Notice, ScanError, ScanOptions, Split, scan, scan_labelled};

const CLASSES: [&str; 3] = ["n01443537", "n01629819", "n02002724"];

fn count(dataset: &Dataset, split: Split) -> usize {
    dataset.indices(split).len()
}

/// The classes of a split's files, by the files' stems.
fn classes_of(dataset: &Dataset, split: Split) -> Vec<(String, String)> {
    let of = |&at: &usize| {
        let sample = &dataset.samples[at];
        let stem = sample.path.file_stem().unwrap().to_str().unwrap().to_owned();
        (stem, dataset.classes[sample.label as usize].clone())
    };
    let mut all: Vec<_> = dataset.indices(split).iter().map(of).collect();
    all.sort();
    all
}

fn by(layout: Layout) -> ScanOptions {
    ScanOptions { layout, ..ScanOptions::default() }
}

fn tiny_imagenet() -> Data {
    let data = Data::new();
    let mut seed = 0;
    let mut png = |path: String| {
        seed += 1;
        data.png(path, seed);
    };
    for class in CLASSES {
        for i in 0..5 {
            png(format!("train/{class}/images/{class}_{i}.JPEG"));
        }
    }
    for i in 0..6 {
        png(format!("val/images/val_{i}.JPEG"));
        png(format!("test/images/test_{i}.JPEG"));
    }
    let lines = (0..6).map(|i| format!("val_{i}.JPEG\t{}\t0\t32\t{i}\t62\n", CLASSES[i % 3]));
    data.write("val/val_annotations.txt", lines.collect::<String>());
    for class in CLASSES {
        data.write(format!("train/{class}/{class}_boxes.txt"), format!("{class}_0.JPEG\t0\t10\t62\t40\n"));
    }
    data.write("wnids.txt", CLASSES.join("\n"));
    data.write("words.txt", CLASSES.map(|class| format!("{class}\ta thing\n")).concat());
    data
}

#[test]
fn tiny_imagenet_has_the_classes_of_its_validation_set_in_a_list() {
    let data = tiny_imagenet();
    let dataset = data.scan().unwrap();
    assert_eq!(dataset.classes, CLASSES);
    assert_eq!((count(&dataset, Split::Train), dataset.val_from_train), (15, false));
    let expected: Vec<_> = (0..6).map(|i| (format!("val_{i}"), CLASSES[i % 3].to_owned())).collect();
    assert_eq!(classes_of(&dataset, Split::Val), expected);
    let told = dataset.taken.to_string();
    assert!(told.contains("val_annotations.txt"), "{told}");
    let unlabelled =
        |notice: &Notice| matches!(notice, Notice::Unlabelled { path } if path.ends_with("test"));
    assert!(dataset.notices.iter().any(unlabelled), "{:?}", dataset.notices);
    // A model is judged on the same images.
    let classes = CLASSES.map(str::to_owned);
    let judged = scan_labelled(data.path(), &classes, &Default::default(), None).unwrap();
    assert_eq!((judged.split, judged.dataset.samples.len()), (Some(Split::Val), 6));
}

#[test]
fn a_test_set_without_class_folders_has_its_classes_in_a_table() {
    // As of the German traffic signs, with numbers in folders of other lengths.
    for digits in [1, 5] {
        let data = Data::new();
        let mut test = "Width,Height,Roi.X1,Roi.Y1,ClassId,Path\n".to_owned();
        let mut train = test.clone();
        for class in 0..4 {
            for i in 0..5 {
                let path = format!("Train/{class:0digits$}/{class:05}_{i:05}.png");
                data.png(&path, class * 10 + i);
                train += &format!("29,30,5,6,{class},{path}\n");
            }
        }
        for i in 0..8 {
            data.png(format!("Test/{i:05}.png"), 100 + i);
            test += &format!("53,54,6,5,{},Test/{i:05}.png\n", i % 4);
        }
        data.write("Train.csv", train);
        data.write("Test.csv", test);
        for root in [data.path().to_owned(), data.join("Train.csv")] {
            let dataset = scan(&root, &ScanOptions::default(), None).unwrap();
            assert_eq!(dataset.classes.len(), 4, "{}", root.display());
            if root.is_dir() {
                let expected: Vec<_> =
                    (0..8).map(|i| (format!("{i:05}"), format!("{:0digits$}", i % 4))).collect();
                assert_eq!(classes_of(&dataset, Split::Test), expected);
            }
        }
    }
}

/// Oxford's pets: files and lists of numbers.
fn pets() -> Data {
    let data = Data::new();
    let (mut train, mut test) = (String::new(), String::new());
    for (class, breed) in ["Abyssinian", "american_bulldog", "Bengal"].iter().enumerate() {
        for i in 0..6 {
            let name = format!("{breed}_{i}");
            data.png(format!("images/{name}.jpg"), (class * 10 + i) as u32);
            data.png(format!("annotations/trimaps/{name}.png"), (1000 + class * 10 + i) as u32);
            let line = format!("{name} {} {} {}\n", class + 1, class % 2 + 1, i % 2 + 1);
            *(if i < 4 { &mut train } else { &mut test }) += &line;
        }
    }
    data.write("annotations/list.txt", format!("#Image CLASS-ID SPECIES BREED ID\n{train}{test}"));
    data.write("annotations/trainval.txt", train);
    data.write("annotations/test.txt", test);
    data.write("annotations/README", "Classes and splits.\n");
    data
}

#[test]
fn lists_of_several_numbers_are_read_by_the_one_that_is_said() {
    let data = pets();
    let text = data.scan().unwrap_err().to_string();
    assert!(text.ends_with("--set data.label_column=column2"), "{text}");
    let layout = Layout { label_column: Some("column2".into()), ..Layout::default() };
    let dataset = data.scan_by(&by(layout)).unwrap();
    assert_eq!(dataset.classes, ["1", "2", "3"]);
    assert_eq!(count(&dataset, Split::Test), 6);
    let train = count(&dataset, Split::Train) + count(&dataset, Split::Val);
    assert_eq!(train, 12);
    assert!(dataset.val_from_train);
}

fn textures() -> Data {
    let data = Data::new();
    let classes = ["banded", "blotchy", "dotted"];
    for (at, class) in classes.iter().enumerate() {
        for i in 0..9 {
            data.png(format!("images/{class}/{class}_{i:04}.jpg"), (at * 10 + i) as u32);
        }
    }
    for division in [1, 2, 12] {
        for (split, which) in [("train", 0..3), ("val", 3..6), ("test", 6..9)] {
            let names = classes.iter().flat_map(|class| {
                which.clone().map(move |i| format!("{class}/{class}_{:04}.jpg\n", (i + division) % 9))
            });
            data.write(format!("labels/{split}{division}.txt"), names.collect::<String>());
        }
    }
    data.write("imdb/imdb.mat", "MATLAB 5.0 MAT-file");
    data
}

/// The value of a key of a list in a line such as `--set 'data.lists=["a", "b"]'`.
fn listed(text: &str, key: &str) -> Vec<String> {
    let after = text.split_once(&format!("--set '{key}=[")).unwrap_or_else(|| panic!("{key} in {text}")).1;
    let inner = after.split_once("]'").unwrap().0;
    inner.split(", ").map(|name| name.trim_matches('"').to_owned()).collect()
}

#[test]
fn of_several_divisions_one_is_said() {
    let data = textures();
    for root in [data.path().to_owned(), data.join("images")] {
        let text = scan(&root, &ScanOptions::default(), None).unwrap_err().to_string();
        let lists = listed(&text, "data.lists");
        let layout = Layout { lists: lists.clone(), ..Layout::default() };
        let dataset = scan(&root, &by(layout), None).unwrap();
        assert_eq!(dataset.classes, ["banded", "blotchy", "dotted"]);
        let counts = Split::ALL.map(|split| count(&dataset, split));
        assert_eq!(counts, [9, 9, 9], "{lists:?}");
        let third = |division: usize| Layout {
            lists: ["train", "val", "test"].map(|split| format!("{split}{division}.txt")).to_vec(),
            ..Layout::default()
        };
        let names = |division| classes_of(&scan(&root, &by(third(division)), None).unwrap(), Split::Test);
        assert_ne!(names(1), names(2));
        assert_ne!(names(1), names(12));
    }
}

#[test]
fn of_lists_of_several_kinds_of_classes_one_is_said() {
    let data = Data::new();
    let kinds = [
        ("variant", ["707-320", "727-200", "A300B4"]),
        ("manufacturer", ["Boeing", "Boeing", "Airbus"]),
        ("family", ["Boeing 707", "Boeing 727", "A300"]),
    ];
    for i in 0..24u32 {
        data.png(format!("data/images/{:07}.jpg", 1_025_794 + i * 37), i);
    }
    for (kind, classes) in kinds {
        for (split, which) in [("train", 0..12u32), ("val", 12..18), ("trainval", 0..18), ("test", 18..24)] {
            let line = |i: u32| format!("{:07} {}\n", 1_025_794 + i * 37, classes[i as usize % 3]);
            data.write(format!("data/images_{kind}_{split}.txt"), which.map(line).collect::<String>());
        }
    }
    data.write("data/variants.txt", "707-320\n727-200\nA300B4\n");
    for root in [data.path().to_owned(), data.join("data")] {
        let text = scan(&root, &ScanOptions::default(), None).unwrap_err().to_string();
        let lists = listed(&text, "data.lists");
        assert_eq!(lists.len(), 3, "{text}");
        assert!(scan(&root, &by(Layout { lists, ..Layout::default() }), None).is_ok(), "{text}");
        for (kind, mut classes) in kinds.map(|(kind, classes)| (kind, classes.to_vec())) {
            let lists = ["train", "val", "test"].map(|split| format!("images_{kind}_{split}.txt")).to_vec();
            let dataset = scan(&root, &by(Layout { lists, ..Layout::default() }), None).unwrap();
            classes.sort_unstable();
            classes.dedup();
            assert_eq!(dataset.classes, classes, "{kind}");
            assert_eq!(Split::ALL.map(|split| count(&dataset, split)), [12, 6, 6], "{kind}");
        }
    }
}

#[test]
fn class_folders_one_level_further_down_are_found() {
    let folders = [
        ["seg_train/seg_train", "seg_test/seg_test"],
        ["train/images", "test/images"],
        ["train/train_images", "val/val_images"],
    ];
    for [train, other] in folders {
        let data = Data::new();
        data.add_classes(train, &["buildings", "forest", "sea"], 5);
        data.add_classes(other, &["buildings", "forest", "sea"], 3);
        let dataset = data.scan().unwrap_or_else(|error| panic!("{train}: {error}"));
        assert_eq!(dataset.classes, ["buildings", "forest", "sea"], "{train}");
        let judged = if other.starts_with("val") { Split::Val } else { Split::Test };
        assert_eq!(count(&dataset, judged), 9, "{train}");
        assert!(dataset.taken.to_string().contains(train), "{}", dataset.taken);
    }
}

#[test]
fn files_that_are_there_twice_are_one() {
    let data = Data::new();
    let mut rows = "lesion_id,image_id,dx\n".to_owned();
    for i in 0..24u32 {
        let name = format!("ISIC_{:07}", 24_306 + i);
        for folder in ["HAM10000_images_part_1", "ham10000_images_part_1"] {
            data.png(format!("{folder}/{name}.jpg"), i);
        }
        rows += &format!("HAM_{:07},{name},{}\n", i / 2, ["nv", "mel", "bkl"][i as usize / 2 % 3]);
    }
    data.write("HAM10000_metadata.csv", rows);
    let dataset = data.scan().unwrap();
    assert_eq!(dataset.samples.len(), 24);
    assert!(dataset.taken.to_string().contains("24 names several files"), "{}", dataset.taken);
    // Where they differ, nobody knows which is meant.
    data.png("ham10000_images_part_1/ISIC_0024306.jpg", 999);
    assert!(data.scan().unwrap_err().to_string().contains("may be"));
}

#[test]
fn columns_that_weigh_images_are_no_classes_and_a_class_is_left_out_of_a_table() {
    let data = Data::new();
    let table = |first: u32, classes: u32, weights: bool| {
        let mut text =
            format!("image,MEL,NV,BCC,UNK{}\n", if weights { ",score_weight,validation_weight" } else { "" });
        for i in 0..12 {
            let name = format!("ISIC_{:07}", first + i);
            data.png(format!("images/{name}.jpg"), first + i);
            let ones: Vec<&str> = (0..4).map(|at| if at == i % classes { "1.0" } else { "0.0" }).collect();
            let weight = if i % 4 == 3 { ",0.0,1.0" } else { ",1.0,0.0" };
            text += &format!("{name},{}{}\n", ones.join(","), if weights { weight } else { "" });
        }
        text
    };
    data.write("ISIC_2019_Training_GroundTruth.csv", table(0, 3, false));
    data.write("ISIC_2019_Test_GroundTruth.csv", table(5000, 4, true));
    let error = data.scan().unwrap_err();
    assert!(matches!(error, ScanError::UnknownClasses { .. }), "{error}");
    let exclude = listed(&error.to_string(), "data.exclude");
    assert_eq!(exclude, ["UNK"]);
    let dataset = data.scan_by(&ScanOptions { exclude, ..ScanOptions::default() }).unwrap();
    assert_eq!(dataset.classes, ["BCC", "MEL", "NV"]);
    assert_eq!((count(&dataset, Split::Test), dataset.excluded), (9, 3));
    assert!(!dataset.notices.iter().any(|notice| matches!(notice, Notice::UnmatchedExclude { .. })));
}

#[test]
fn files_of_other_programs_are_refused_with_what_makes_arrays_of_them() {
    let cifar = ["data_batch_1", "data_batch_2", "test_batch", "batches.meta"];
    let cases: [(&[&str], &str, &str); 8] = [
        (&cifar, "CIFAR-10", "data_batch_"),
        (&["train", "test", "meta"], "CIFAR-100", "fine_labels"),
        (
            &["cifar-10-batches-py/data_batch_1", "cifar-10-batches-py/test_batch"],
            "CIFAR-10",
            "cifar-10-batches-py",
        ),
        (&["jpg/image_00001.jpg", "imagelabels.mat", "setid.mat"], "MATLAB", "trnid"),
        (&["train_32x32.mat"], "MATLAB", "scipy.io.loadmat"),
        (&["camelyonpatch.h5"], "HDF5", "h5py.File"),
        (&["train-00000-of-00001.parquet"], "Parquet", "pandas.read_parquet"),
        (&["data.pkl"], "pickle", "pickle.load"),
    ];
    for (files, what, line) in cases {
        let data = Data::new();
        for file in files {
            data.write(file, file.as_bytes());
        }
        let text = data.scan().unwrap_err().to_string();
        assert!(text.contains(what), "{files:?}: {text}");
        let typed = text.lines().nth(1).unwrap().trim();
        assert!(typed.starts_with("python3 -c \"") && typed.ends_with('"') && typed.contains(line), "{text}");
        // The same of the file by itself.
        if let [file] = files {
            let text = scan(&data.join(file), &ScanOptions::default(), None).unwrap_err().to_string();
            assert!(text.contains("python3 -c"), "{text}");
        }
    }
    // Beside class folders such a file is any other.
    let data = Data::classes(&["a", "b"], 3);
    data.write("notes.mat", "MATLAB 5.0");
    assert!(data.scan().is_ok());
}

#[test]
fn lists_in_quotes_and_in_other_encodings_part_as_plain_ones() {
    let names = |quote: &str| (0..4).map(|i| format!("{quote}a/{i:03}.png{quote}\n")).collect::<String>();
    let wide =
        |text: &str| [vec![0xFF, 0xFE], text.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat();
    let plain = names("");
    for list in [plain.clone().into_bytes(), names("\"").into_bytes(), names("'").into_bytes(), wide(&plain)]
    {
        let data = Data::classes(&["a", "b"], 8);
        data.write("test.txt", &list);
        let dataset = data.scan().unwrap();
        assert_eq!(count(&dataset, Split::Test), 4, "{:?}", String::from_utf8_lossy(&list));
    }
}

#[test]
fn names_with_control_characters_stay_on_their_line() {
    let data = Data::classes(&["a\nb", "c\td", "e\u{1b}[2Jf"], 6);
    data.png("train\nx/y.png", 7);
    let dataset = data.scan().unwrap();
    let mut said: Vec<String> = dataset.notices.iter().map(Notice::to_string).collect();
    said.push(dataset.taken.to_string());
    let path = Path::new("a\nb/1\t.png").to_owned();
    let class = "x\ny\u{1b}".to_owned();
    let unknown =
        pupila_dataset::UnknownClass { class: class.clone(), images: 1, similar: Some(class.clone()) };
    let bad = pupila_dataset::Skipped { path: path.clone(), reason: "it is empty".into() };
    said.extend([
        Notice::ClassesMissing { split: None, classes: vec![class.clone()] }.to_string(),
        Notice::NotValidated { classes: vec![class.clone()] }.to_string(),
        Notice::LinkedTwice { path: path.clone() }.to_string(),
        Notice::LooseImages { path: path.clone(), images: 2 }.to_string(),
        ScanError::OneClass { path: path.clone(), class: class.clone(), suggestion: None }.to_string(),
        ScanError::UnknownClasses { split: Split::Val, classes: vec![unknown] }.to_string(),
        ScanError::NoClassFolders { path: path.clone() }.to_string(),
        ScanError::ClassLost { classes: vec![class], first: Box::new(bad.clone()) }.to_string(),
        bad.to_string(),
    ]);
    assert!(said.len() > 10);
    for text in said {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}
