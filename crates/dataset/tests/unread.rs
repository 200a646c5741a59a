//! Lists and tables that say splits and are not read are told, with what to type; and lists that contradict.

#![allow(clippy::unwrap_used)]

mod common;

use common::numpy::{labels, npy, npy_of, npz};
use common::{Data, files};
use pupila_dataset::{Dataset, Layout, LayoutError, Notice, ScanError, ScanOptions, Split};

fn told(dataset: &Dataset, is: fn(&Notice) -> bool) -> Option<String> {
    dataset.notices.iter().find(|notice| is(notice)).map(ToString::to_string)
}

fn unread(dataset: &Dataset) -> Option<String> {
    told(dataset, |notice| matches!(notice, Notice::ListsNotRead { .. }))
}

fn by(layout: Layout) -> ScanOptions {
    ScanOptions { layout, ..ScanOptions::default() }
}

/// As CelebA has it: a table of many columns that may be the class, and a list of the splits in numbers.
#[test]
fn a_list_of_splits_beside_a_table_is_told_with_a_line_that_makes_one_that_is_read() {
    let layout = || Layout { label_column: Some("Smiling".into()), ..Layout::default() };
    for (name, header, between) in [
        ("list_eval_partition.csv", "image_id,partition\n", ","),
        ("list_eval_partition.txt", "", " "),
        ("eval_list.txt", "", "\t"),
    ] {
        let data = files(20);
        let rows: String = (0..20).map(|at| format!("{at}.png,{},{}\n", at % 2, (at / 2) % 2)).collect();
        data.write("list_attr.csv", format!("image_id,Male,Smiling\n{rows}"));
        let list: String = (0..20).map(|at| format!("{at}.png{between}{}\n", at / 7)).collect();
        data.write(name, format!("{header}{list}"));
        // Its numbers are no classes.
        if name.ends_with("csv") {
            assert!(data.scan().is_err());
        }
        let dataset = data.scan_by(&by(layout())).unwrap();
        let text = unread(&dataset).unwrap_or_else(|| panic!("{name}: {:?}", dataset.notices));
        let (_, line) = text.split_once("; awk").unwrap();
        let line = format!("awk{}", line.split(" makes a list").next().unwrap());
        assert!(std::process::Command::new("sh").args(["-c", &line]).status().unwrap().success(), "{line}");
        let dataset = data.scan_by(&by(layout())).unwrap();
        assert_eq!(dataset.indices(Split::Test).len(), 6, "{name}: {:?}", dataset.taken);
        assert_eq!(unread(&dataset), None, "{name}");
    }
}

#[test]
fn lists_in_excluded_folders_in_class_folders_and_of_other_kinds_are_told() {
    for file in [
        "split.yaml",
        "splits.json",
        "eval_list.txt",
        "ImageSets/Main/test.txt",
        "x/test.txt",
        "y/deeper/eval.csv",
    ] {
        let data = Data::classes(&["x", "y"], 6);
        data.add_classes("y", &["deeper"], 2);
        data.write(file, "not a list that is read\n");
        for exclude in [vec![], vec!["ImageSets".to_owned()]] {
            let options = ScanOptions { exclude, ..ScanOptions::default() };
            let empty = file.starts_with("ImageSets") && options.exclude.is_empty();
            let dataset = match data.scan_by(&options) {
                // A folder without images is no class.
                Err(ScanError::EmptyClasses { .. }) if empty => continue,
                dataset => dataset.unwrap(),
            };
            let text = unread(&dataset).unwrap_or_else(|| panic!("{file}"));
            assert!(text.starts_with(file) && text.contains("data.split_column=none"), "{text}");
            let layout = Layout { split_column: Some("none".into()), ..Layout::default() };
            assert_eq!(unread(&data.scan_by(&ScanOptions { layout, ..options }).unwrap()), None, "{file}");
        }
    }
    let data = Data::classes(&["x", "y"], 6);
    for file in ["notes.txt", "x/info.txt", "license", "x/labels.csv"] {
        data.write(file, "words of a person\n");
    }
    assert_eq!(unread(&data.scan().unwrap()), None);
}

#[test]
fn of_several_tables_of_splits_one_is_said() {
    let data = Data::classes(&["x", "y"], 8);
    for (name, test) in [("a.csv", 2), ("b.csv", 4)] {
        let row = |class: &str, at: u32| {
            format!("{class}/{at:03}.png,{}\n", if at < test { "test" } else { "train" })
        };
        let rows: String = ["x", "y"].iter().flat_map(|class| (0..8).map(move |at| row(class, at))).collect();
        data.write(name, format!("path,split\n{rows}"));
    }
    let error = data.scan().unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(&error, ScanError::Layout { source, .. } if matches!(**source, LayoutError::SeveralSplits { .. })),
        "{text}"
    );
    for (name, test) in [("a.csv", 4), ("b.csv", 8)] {
        assert!(text.contains(&format!("--set 'data.lists=[\"{name}\"]'")), "{text}");
        let dataset = data.scan_by(&by(Layout { lists: vec![name.into()], ..Layout::default() })).unwrap();
        assert_eq!(dataset.indices(Split::Test).len(), test);
    }
}

#[test]
fn a_table_that_contradicts_the_folders_of_the_splits_is_told() {
    for (moved, is_told) in [(2, true), (0, false)] {
        let data = Data::new();
        data.add_classes("train", &["x", "y"], 6);
        data.add_classes("test", &["x", "y"], 3);
        let mut text = "path,split\n".to_owned();
        for (split, n) in [("train", 6), ("test", 3)] {
            for class in ["x", "y"] {
                for at in 0..n {
                    let said = if split == "train" && at < moved { "test" } else { split };
                    text += &format!("{split}/{class}/{at:03}.png,{said}\n");
                }
            }
        }
        data.write("metadata.csv", text);
        let dataset = data.scan().unwrap();
        assert_eq!(dataset.class_counts(Split::Test), [3, 3]);
        let told = told(&dataset, |notice| matches!(notice, Notice::TableAgainstFolders { .. }));
        assert_eq!(told.is_some(), is_told);
        if let Some(told) = told {
            assert!(
                told.starts_with("4 images are of another split")
                    && told.contains("4 of these are trained on"),
                "{told}"
            );
        }
    }
}

#[test]
fn a_table_without_an_extension_is_known_by_its_header() {
    let data = Data::new();
    let mut text = "lesion_id,image_id,dx\n".to_owned();
    for at in 0..12 {
        data.png(format!("images_part_{}/ISIC_{at:04}.png", 1 + at % 2), at);
        text += &format!("HAM_{},ISIC_{at:04},{}\n", at / 3, ["mel", "nv"][at as usize % 2]);
    }
    data.write("HAM10000_metadata", &text);
    let dataset = data.scan().unwrap();
    assert_eq!((&dataset.classes[..], dataset.samples.len()), (&["mel".to_owned(), "nv".into()][..], 12));
    assert!(told(&dataset, |notice| matches!(notice, Notice::LooksLikeGroup { .. })).is_some());
    // Words of a person are none.
    let data = Data::classes(&["x", "y"], 6);
    data.write("README", "image, and other words\nof a person\n");
    assert_eq!(data.scan().unwrap().classes, ["x", "y"]);
}

/// As DomainNet has it: domains with all classes, and two lists for each.
#[test]
fn lists_beside_domains_are_read_with_the_line_that_is_proposed() {
    for domains in [&["clipart"][..], &["clipart", "sketch"]] {
        let classes = ["bear", "cup", "owl"];
        let data = Data::new();
        for domain in domains {
            data.add_classes(domain, &classes, 6);
            for (split, range) in [("train", 0..4), ("test", 4..6)] {
                let row =
                    |(class, at): (usize, u32)| format!("{domain}/{}/{at:03}.png {class}\n", classes[class]);
                let rows = (0..3).flat_map(|class| range.clone().map(move |at| (class, at))).map(row);
                data.write(format!("{domain}_{split}.txt"), rows.collect::<String>());
            }
        }
        let text = data.scan().unwrap_err().to_string();
        let (line, train) = match domains {
            [only] => (format!("--set data.train={only}"), vec![(*only).to_owned()]),
            all => {
                let quoted: Vec<String> = all.iter().map(|name| format!("\"{name}\"")).collect();
                (
                    format!("--set 'data.train=[{}]'", quoted.join(", ")),
                    all.iter().map(|name| (*name).to_owned()).collect(),
                )
            }
        };
        assert!(text.contains(&line), "{text}");
        let dataset = data.scan_by(&by(Layout { train, ..Layout::default() })).unwrap();
        let n = domains.len();
        assert_eq!(
            (&dataset.classes[..], dataset.class_counts(Split::Test)),
            (&classes.map(str::to_owned)[..], vec![2 * n; 3])
        );
        let judged = pupila_dataset::LabelledOptions {
            split: Some(Split::Test),
            layout: Layout {
                train: domains.iter().map(|name| (*name).to_owned()).collect(),
                ..Layout::default()
            },
            ..Default::default()
        };
        let judged = pupila_dataset::scan_labelled(data.path(), &dataset.classes, &judged, None).unwrap();
        assert_eq!(judged.dataset.samples.len(), 6 * n);
    }
}

#[test]
fn files_of_other_programs_for_each_split_are_turned_into_one() {
    for (files, keys) in [
        (&["train_32x32.mat", "test_32x32.mat", "extra_32x32.mat"][..], &["'train'", "'test'"][..]),
        (&["digits_valid.h5", "digits_train.h5"], &["'val'", "'train'"]),
        (&["train.pkl", "test.pkl"], &["'train'", "'test'"]),
    ] {
        let data = Data::new();
        for file in files {
            data.write(format!("set/{file}"), file.as_bytes());
        }
        let text =
            pupila_dataset::scan(&data.join("set"), &ScanOptions::default(), None).unwrap_err().to_string();
        let line = text.lines().nth(1).unwrap();
        assert!(
            keys.iter()
                .zip(files)
                .all(|(key, file)| line.contains(&format!("({key}, '")) && line.contains(file)),
            "{text}"
        );
        assert!(text.ends_with("set.npz") && !line.contains("extra"), "{text}");
    }
}

#[test]
fn archives_of_arrays_for_each_split_are_read_together() {
    let data = Data::new();
    for (name, n) in [("train_32x32.npz", 12usize), ("test_32x32.npz", 4)] {
        let pixels: Vec<u8> = (0..n * 64).map(|at| (at * n) as u8).collect();
        let arrays = [("X", npy_of("|u1", &[n, 8, 8], &pixels)), ("y", npy(&[n], &labels(n, 2)))];
        data.write(name, npz(&arrays));
    }
    let dataset = data.scan().unwrap();
    assert_eq!(dataset.indices(Split::Test).len(), 4, "{}", dataset.taken);
}
