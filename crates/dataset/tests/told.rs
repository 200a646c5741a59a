//! Data that cannot be meant as it lies there, or is written in another way: what is said, and what to type.

#![allow(clippy::unwrap_used)]

mod common;

use common::numpy::{images, labels, npy, npy_of, npz, scan_at};
use common::{Data, files};
use pupila_dataset::{ScanError, ScanOptions, Split, scan};

fn add(data: &Data, folders: &[&str], n: u32, ending: &str) {
    for (place, folder) in (0..).zip(folders) {
        for i in 0..n {
            data.png(format!("{folder}/{i}{ending}.png"), place * 100 + i);
        }
    }
}

#[test]
fn pictures_beside_their_masks_are_no_classes() {
    for (pictures, masks) in [
        (&["images"][..], &["masks"][..]),
        (&["image"], &["mask"]),
        (&["imgs"], &["labels"]),
        (&["JPEGImages"], &["SegmentationClass"]),
        (&["images"], &["annotations"]),
        (&["train"], &["train_masks"]),
        (&["train/images", "val/images"], &["train/masks", "val/masks"]),
    ] {
        for ending in ["", "_mask", "_seg"] {
            let data = Data::new();
            add(&data, pictures, 6, "");
            add(&data, masks, 6, ending);
            let error = data.scan().unwrap_err();
            assert!(matches!(error, ScanError::Masks { .. }), "{masks:?}{ending}: {error}");
            let words = error.to_string();
            assert!(
                words.contains("of segmentation, and no classes") && words.contains("--set data.train=."),
                "{words}"
            );
        }
    }
    // Things to classify.
    for classes in [["with_mask", "without_mask"], ["images", "masks"], ["label", "no label"]] {
        let data = Data::new();
        add(&data, &classes[..1], 6, "");
        add(&data, &classes[1..], 6, "x");
        assert_eq!(data.scan().unwrap().classes.len(), 2, "{classes:?}");
    }
    // A table says what the pictures are, which have the names and the masks too.
    let data = Data::new();
    add(&data, &["images", "masks"], 8, "");
    let rows: String = (0..8).map(|at| format!("{at}.png,{}\n", ["a", "b"][at % 2])).collect();
    data.write("metadata.csv", format!("image,label\n{rows}"));
    let dataset = data.scan().unwrap();
    assert_eq!(dataset.classes, ["a", "b"]);
    assert!(
        dataset.samples.iter().all(|of| of.path.to_string_lossy().contains("images")),
        "{:?}",
        dataset.taken
    );
}

#[test]
fn folders_that_are_all_splits_are_no_classes() {
    for folders in [["dev", "test"], ["valid", "Testing set"], ["validación", "prueba"]] {
        let data = Data::new();
        add(&data, &folders, 6, "");
        let error = data.scan().unwrap_err();
        assert!(matches!(error, ScanError::NoTrain { .. }), "{folders:?}: {error}");
        let words = error.to_string();
        assert!(words.contains("is to be trained on: --set data.train="), "{words}");
    }
}

#[test]
fn one_class_is_told_with_where_others_may_be() {
    let told = |data: &Data| data.scan().unwrap_err().to_string();
    let data = Data::classes(&["cats"], 6);
    assert!(told(&data).contains("/ONE/1.jpg and "), "{}", told(&data));
    let data = Data::new();
    add(&data, &["train/pets/cats", "train/pets/dogs", "val/pets/cats", "val/pets/dogs"], 6, "");
    let line = "--set 'data.train=train/pets' --set 'data.val=val/pets'";
    assert!(told(&data).ends_with(line), "{}", told(&data));
    let layout = pupila_dataset::Layout {
        train: vec!["train/pets".into()],
        val: vec!["val/pets".into()],
        ..Default::default()
    };
    let dataset = scan(data.path(), &ScanOptions { layout, ..Default::default() }, None).unwrap();
    assert_eq!(dataset.class_counts(Split::Val), [6, 6]);
}

#[test]
fn a_class_whose_images_are_one_folder_down_is_told() {
    let told = |folders: &[&str]| {
        let data = Data::new();
        add(&data, folders, 6, "");
        let words: Vec<String> = data.scan().unwrap().notices.iter().map(ToString::to_string).collect();
        words.into_iter().filter(|words| words.contains("one folder down")).collect::<Vec<_>>()
    };
    let line = "--set 'data.rename={ \"more\" = \"dogs\" }'";
    let words = told(&["cats", "birds", "more/dogs"]);
    assert!(words.len() == 1 && words[0].ends_with(line), "{words:?}");
    for folders in [
        &["cats", "birds", "dogs/images"][..],
        &["cats", "birds", "dogs/dogs"],
        &["cats/siamese", "dogs/poodle"],
        &["cats", "dogs/poodle", "dogs/terrier"],
    ] {
        assert!(told(folders).is_empty(), "{folders:?}");
    }
}

#[test]
fn tables_of_spreadsheets_are_read_or_told() {
    let data = files(12);
    // Excel's own first line, with any separator and end of line.
    for (separator, end) in [(';', "\n"), (',', "\r\n"), ('\t', "\n"), ('|', "\r\n")] {
        let rows: String =
            (0..12).map(|at| format!("images/{at}.png{separator}{}{end}", ["a", "b"][at % 2])).collect();
        data.write("t.csv", format!("\u{feff}sep={separator}{end}path{separator}label{end}{rows}"));
        assert_eq!(scan_at(&data.join("t.csv")).unwrap().samples.len(), 12, "{separator:?}");
    }
    data.write("t.csv", "sep=;\npath;label\nimages/0.png;a\nimages/1.png\n");
    let words = scan_at(&data.join("t.csv")).unwrap_err().to_string();
    assert!(words.contains("line 4: it has 1 field"), "{words}");
    // Numbers with commas for points.
    let one = |at: usize| (0..3).map(|k| if at % 3 == k { "1,0" } else { "0,0" }).collect::<Vec<_>>();
    let rows: String = (0..12).map(|at| format!("images/{at}.png;{}\n", one(at).join(";"))).collect();
    data.write("t.csv", format!("path;a;b;c\n{rows}"));
    assert_eq!(scan_at(&data.join("t.csv")).unwrap().classes, ["a", "b", "c"]);
    data.write("t.csv", format!("path,a,b,c\n{}", rows.replace(';', ",")));
    let words = scan_at(&data.join("t.csv")).unwrap_err().to_string();
    assert!(
        words
            .contains("line 2: it has 7 fields, and the header has 4; if its numbers have commas for points"),
        "{words}"
    );
    assert!(!words.contains("label_column"), "{words}");
    let pixel =
        |at: usize| (0..16).map(|p| format!("0,{}", (at * 16 + p) % 10)).collect::<Vec<_>>().join(";");
    let header = (0..16).map(|p| format!("pixel{p}")).collect::<Vec<_>>().join(";");
    let rows: String = (0..12).map(|at| format!("{};{}\n", at % 2, pixel(at))).collect();
    data.write("t.csv", format!("label;{header}\n{rows}"));
    let dataset = scan_at(&data.join("t.csv")).unwrap();
    assert!(dataset.taken.to_string().contains("values from 0 to 1"), "{}", dataset.taken);
    // Shares of the classes.
    for (large, small) in [("0.9", "0.05"), ("0,9", "0,05")] {
        let one = |at: usize| (0..3).map(|k| if at % 3 == k { large } else { small }).collect::<Vec<_>>();
        let rows: String = (0..12).map(|at| format!("images/{at}.png;{}\n", one(at).join(";"))).collect();
        data.write("t.csv", format!("path;a;b;c\n{rows}"));
        let words = scan_at(&data.join("t.csv")).unwrap_err().to_string();
        assert!(
            words.contains("a, b, c are shares of an image's classes") && !words.contains("label_column"),
            "{words}"
        );
    }
}

#[test]
fn columns_that_may_be_the_class_are_all_named_the_one_in_words_first() {
    let data = files(12);
    let row = |at: usize| {
        let malignant = at % 3 == 2;
        let diagnosis = ["unknown", "nevus", "melanoma"][at % 3];
        let words = if malignant { "malignant" } else { "benign" };
        format!(
            "images/{at}.png,IP_{},{},{diagnosis},{words},{}\n",
            at % 5,
            ["male", "female"][at % 2],
            u8::from(malignant)
        )
    };
    let rows: String = (0..12).map(row).collect();
    data.write("t.csv", format!("image_name,patient_id,sex,diagnosis,benign_malignant,target\n{rows}"));
    let words = scan_at(&data.join("t.csv")).unwrap_err().to_string();
    let line =
        "benign_malignant, target, diagnosis; say which, such as --set data.label_column=benign_malignant";
    assert!(words.contains(line), "{words}");
}

#[test]
fn arrays_that_are_not_read_are_told_with_how_to_save_them() {
    let data = Data::new();
    let told = |images: Vec<u8>, labels: Vec<u8>| {
        data.write("d.npz", npz(&[("images", images), ("labels", labels)]));
        scan_at(&data.join("d.npz")).unwrap_err().to_string()
    };
    let x = npy(&[12, 4, 4], &images(12, 4, 1, 1));
    let y = npy(&[12], &labels(12, 2));
    let words = told(x.clone(), npy_of("|O", &[12], &[0; 8]));
    assert!(words.contains("labels are saved as text by labels.astype(str)"), "{words}");
    let words = told(npy(&[12, 48], &images(12, 4, 3, 1)), y);
    assert!(words.contains("color of 4x4") && words.contains(".reshape(-1, 3, 4, 4)"), "{words}");
}

#[test]
fn archives_in_an_archive_are_told_with_what_unpacks_them() {
    use std::io::Write as _;
    let zip = |files: &[(&str, Vec<u8>)]| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in files {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let inner = |class: &str| zip(&[(&*format!("{class}/1.png"), common::png(1))]);
    let data = Data::new();
    data.write("all.zip", zip(&[("cats.zip", inner("cats")), ("dogs.zip", inner("dogs"))]));
    let words = scan_at(&data.join("all.zip")).unwrap_err().to_string();
    assert!(words.contains("2 archives in it (cats.zip, dogs.zip)") && words.contains("unzip '"), "{words}");
}

#[test]
fn masks_beside_their_pictures_are_refused_with_the_line_that_leaves_them_out() {
    for (mask, more) in [
        ("{}_mask", Some("{}_mask_1")),
        ("{}_seg", None),
        ("{}-gt", None),
        ("{}_segmentation", None),
        ("{}.label", None),
        ("{} (mask)", None),
        ("mask_{}", None),
        ("{}_ground_truth", None),
        ("{}_Mask", None),
    ] {
        for splits in [&[""][..], &["train/", "test/"]] {
            let data = Data::new();
            let (mut seed, mut masks) = (0, 0);
            for split in splits {
                for class in ["benign", "normal"] {
                    for at in 0..6 {
                        let picture = format!("{class} ({at})");
                        let more = more.filter(|_| at == 2);
                        for name in ["{}"].into_iter().chain([mask]).chain(more) {
                            seed += 1;
                            data.png(format!("{split}{class}/{}.png", name.replace("{}", &picture)), seed);
                            masks += usize::from(name != "{}");
                        }
                    }
                }
            }
            let error = data.scan().unwrap_err();
            let words = error.to_string();
            let ScanError::MasksBeside { exclude, masks: found, .. } = error else { panic!("{words}") };
            assert_eq!(found, masks, "{mask}");
            let line: Vec<String> = exclude.iter().map(|pattern| format!("{pattern:?}")).collect();
            assert!(words.contains(&format!("--set 'data.exclude=[{}]'", line.join(", "))), "{words}");
            let dataset = scan(data.path(), &ScanOptions { exclude, ..Default::default() }, None).unwrap();
            assert_eq!(dataset.samples.len(), 12 * splits.len(), "{mask}");
            assert!(
                dataset.samples.iter().all(|of| !of.path.to_string_lossy().to_lowercase().contains("mask"))
            );
        }
    }
    // A few are told; with the folders named, all of them are.
    let data = Data::classes(&["a", "b"], 12);
    data.png("a/003_mask.png", 900);
    let told = |dataset: &pupila_dataset::Dataset| {
        dataset.notices.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let words = told(&data.scan().unwrap());
    assert!(
        words.contains(
            "1 file is a mask of the picture beside by the name, such as \"003_mask.png\" of \"003\""
        ),
        "{words}"
    );
    // Names of other things.
    let data = Data::new();
    for at in 0..6 {
        for name in ["left", "left_2", "with_mask", "2_left", "labelled", "masked_ball"] {
            data.png(format!("a/{name}{at}.png"), at);
            data.png(format!("b/{name}{at}.png"), 100 + at);
        }
    }
    assert_eq!(told(&data.scan().unwrap()), "");
}

#[test]
fn a_folder_beside_those_that_a_recipe_names_is_told_so() {
    let data = Data::new();
    for split in ["train", "test", "raw"] {
        data.add_classes(split, &["a", "b"], 4);
    }
    let layout = pupila_dataset::Layout { train: vec!["train".into()], ..Default::default() };
    let dataset = scan(data.path(), &ScanOptions { layout, ..Default::default() }, None).unwrap();
    let words = dataset.notices.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(words.contains("test is not used, since data.train, data.val and data.test name the folders that are: --set data.test=test uses it too"), "{words}");
    assert!(!words.contains("neither train"), "{words}");
    assert!(
        data.scan()
            .unwrap()
            .notices
            .iter()
            .any(|told| told.to_string().contains("raw is neither train, val nor test"))
    );
}
