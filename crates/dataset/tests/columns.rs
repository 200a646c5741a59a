//! Tables as people have them: columns, separators, paths and classes that a seeded generator makes up.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::Data;
use pupila_dataset::{Dataset, Form, Layout, ScanError, ScanOptions, Split, scan};
use pupila_random::{Purpose, Stream};

fn pick<'a>(stream: &mut Stream, from: &[&'a str]) -> &'a str {
    from[stream.below(from.len() as u32) as usize]
}

fn by(path: &Path, layout: Layout) -> Result<Dataset, ScanError> {
    scan(path, &ScanOptions { layout, ..Default::default() }, None)
}

/// How a table names its files.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Naming {
    /// Relative to the table, as they are.
    Whole,
    /// The same on Windows.
    Backslashes,
    /// Without the folder.
    Bare,
    /// Without the folder and the extension.
    Stem,
    /// With the folder that they were in on somebody else's machine.
    Elsewhere,
}

const CLASSES: [&str; 3] = ["mel", "nv", "bkl"];

/// Files below `images`, in two folders or one, and which class each has.
fn made(data: &Data, folders: &[&str], n: u32) -> Vec<(String, &'static str)> {
    let file = |i: u32| {
        (format!("{}/ISIC_{i:05}.png", folders[i as usize % folders.len()]), CLASSES[i as usize % 3])
    };
    let files: Vec<_> = (0..n).map(file).collect();
    files.iter().zip(0..).for_each(|((path, _), i)| data.png(path, i));
    files
}

fn named(naming: Naming, path: &str) -> String {
    let name = path.rsplit('/').next().unwrap();
    match naming {
        Naming::Whole => path.to_owned(),
        Naming::Backslashes => path.replace('/', "\\"),
        Naming::Bare => name.to_owned(),
        Naming::Stem => name.trim_end_matches(".png").to_owned(),
        Naming::Elsewhere => format!("C:\\Users\\me\\{}", path.replace('/', "\\")),
    }
}

/// Each file has the class that the table gave it.
fn assert_classes(dataset: &Dataset, files: &[(String, &str)], what: &str) {
    let expected: BTreeMap<String, &str> = files.iter().map(|(path, class)| (path.clone(), *class)).collect();
    assert_eq!(dataset.samples.len(), expected.len(), "{what}");
    assert!(dataset.skipped.is_empty(), "{what}");
    for sample in &dataset.samples {
        let path = sample.path.to_string_lossy().replace('\\', "/");
        let (_, class) = expected.iter().find(|(name, _)| path.ends_with(name.as_str())).unwrap();
        assert_eq!(dataset.classes[sample.label as usize], **class, "{what}: {path}");
    }
}

#[test]
fn tables_are_read_in_whatever_form_people_have_them() {
    let paths = [
        "path",
        "File Name",
        "filename",
        "image",
        "image_id",
        "ID",
        "isic_id",
        "IMG",
        "imagen",
        "Image Path",
    ];
    let labels = ["label", "Label", "class", "dx", "Diagnosis", "category", "etiqueta", "target"];
    for seed in 0..250 {
        let mut stream = Stream::new(seed, Purpose::Bootstrap, 2, 0);
        let data = Data::new();
        let folders =
            [&["images"][..], &["images_part_1", "images_part_2"], &["jpg/deep"]][stream.below(3) as usize];
        let files = made(&data, folders, 12);
        let all = [Naming::Whole, Naming::Backslashes, Naming::Bare, Naming::Stem, Naming::Elsewhere];
        let naming = all[stream.below(5) as usize];
        let separator = pick(&mut stream, &[",", ";", "\t", "|"]);
        let one_hot = stream.chance(0.4);
        // Columns, each a name and its values.
        let mut columns: Vec<(String, Vec<String>)> = Vec::new();
        let path = pick(&mut stream, &paths);
        columns.push((path.into(), files.iter().map(|(path, _)| named(naming, path)).collect()));
        if one_hot {
            let (zero, one) = [("0", "1"), ("0.0", "1.0")][stream.below(2) as usize];
            for class in CLASSES {
                let bits = files.iter().map(|(_, is)| if *is == class { one } else { zero }.to_owned());
                columns.push((class.into(), bits.collect()));
            }
        } else {
            let label = pick(&mut stream, &labels).to_owned();
            columns.push((label, files.iter().map(|(_, class)| (*class).to_owned()).collect()));
        }
        if stream.chance(0.5) {
            columns.push(("age".into(), (0..12).map(|i| (30 + i % 4).to_string()).collect()));
            let note = format!("\"a{separator} \"\"b\"\"\"");
            columns.push(("note".into(), vec![note; 12]));
        }
        stream.shuffle(&mut columns);
        let mut text = if stream.chance(0.3) { "\u{feff}".to_owned() } else { String::new() };
        let end = if stream.chance(0.5) { "\r\n" } else { "\n" };
        text += &columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(separator);
        text += end;
        for row in 0..12 {
            text +=
                &columns.iter().map(|(_, values)| values[row].as_str()).collect::<Vec<_>>().join(separator);
            text += end;
        }
        let what = format!("seed {seed}, {naming:?}, {folders:?}:\n{text}");
        data.write("table.csv", &text);
        // The table, its folder, and the table in UTF-16 are the same.
        let utf16: Vec<u8> = std::iter::once(0xFEFF)
            .chain(text.trim_start_matches('\u{feff}').encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        for path in ["table.csv", "", "wide.csv"] {
            if path == "wide.csv" {
                data.write(path, &utf16);
            }
            let dataset =
                by(&data.join(path), Layout::default()).unwrap_or_else(|error| panic!("{what}\n{error}"));
            assert_eq!(
                (dataset.form, dataset.classes.concat()),
                (Form::Manifest, "bklmelnv".into()),
                "{what}"
            );
            assert_classes(&dataset, &files, &what);
            let taken = dataset.taken.to_string();
            assert!(taken.contains("names the files") && taken.contains("data.path_column"), "{taken}");
            assert_eq!(
                taken.contains("found by their names"),
                !matches!(naming, Naming::Whole | Naming::Backslashes)
            );
        }
    }
}

#[test]
fn rows_of_another_length_are_refused_by_line() {
    for seed in 0..60 {
        let mut stream = Stream::new(seed, Purpose::Bootstrap, 3, 0);
        let data = Data::new();
        let files = made(&data, &["images"], 9);
        let (wrong, more) = (stream.below(9) as usize, stream.chance(0.5));
        let separator = pick(&mut stream, &[",", ";", "\t"]);
        let mut text = ["path", "age", "label"].join(separator) + "\n";
        for (row, (path, class)) in files.iter().enumerate() {
            let mut fields = vec![path.as_str(), "5", class];
            if row == wrong {
                if more { fields.push(" in situ") } else { fields.truncate(2) }
            }
            text += &(fields.join(separator) + "\n");
        }
        data.write("table.csv", text);
        let error = by(&data.join("table.csv"), Layout::default()).unwrap_err();
        let ScanError::Manifest { lines, .. } = &error else { panic!("{error}") };
        assert_eq!((lines.len(), lines[0].line), (1, wrong as u64 + 2));
        let (got, advice) = if more { (4, "quote a value") } else { (2, "leave a value empty") };
        let expected = format!("it has {got} fields, and the header has 3; {advice}");
        assert!(lines[0].reason.starts_with(&expected), "{error}");
    }
}

#[test]
fn what_cannot_be_told_is_asked_for_by_the_key_that_says_it() {
    let data = Data::new();
    let files = made(&data, &["images"], 12);
    let table = |header: &str, row: &dyn Fn(usize, &str, &str) -> String| {
        let rows = files.iter().enumerate().map(|(i, (path, class))| row(i, path, class));
        data.write("table.csv", format!("{header}\n{}\n", rows.collect::<Vec<_>>().join("\n")));
        data.join("table.csv")
    };
    let label = |name: &str| Layout { label_column: Some(name.to_owned()), ..Default::default() };
    // Two that may be the class; the folder says so too.
    let path = table("image_name,target,diagnosis", &|i, path, class| format!("{path},{},{class}", i % 2));
    for path in [path.as_path(), data.path()] {
        let text = by(path, Layout::default()).unwrap_err().to_string();
        assert!(
            text.contains("target, diagnosis; say which, such as --set data.label_column=target"),
            "{text}"
        );
        assert_classes(&by(path, label("diagnosis")).unwrap(), &files, "asked for");
    }
    let text = by(&path, label("diagnoses")).unwrap_err().to_string();
    assert!(text.contains("data.label_column asks for the column `diagnoses`"), "{text}");
    assert!(text.contains("did you mean `diagnosis`?"), "{text}");
    // Two that say the same: the one in words.
    let path = table("image,target,class_name", &|_, path, class| {
        format!("{path},{},{class}", CLASSES.iter().position(|c| *c == class).unwrap())
    });
    assert_classes(&by(&path, Layout::default()).unwrap(), &files, "by name");
    // None is called so, and one is left.
    let path = table("id,what", &|_, path, class| format!("{path},{class}"));
    assert_classes(&by(&path, Layout::default()).unwrap(), &files, "the other one");
    let path = table("id,what,why", &|_, path, class| format!("{path},{class},x"));
    let text = by(&path, Layout::default()).unwrap_err().to_string();
    assert!(text.contains("no column is called label: what, why; say which"), "{text}");
    // No column is called as files are, and one holds them.
    let path = table("bild,label", &|_, path, class| format!("{path},{class}"));
    assert_classes(&by(&path, Layout::default()).unwrap(), &files, "by its values");
    // No header.
    let path = table("images/ISIC_00000.png,mel", &|_, path, class| format!("{path}x,{class}"));
    let text = by(&path, Layout::default()).unwrap_err().to_string();
    assert!(text.contains("should be a header"), "{text}");
    // Rows that are 1 in no column, as in the ISIC challenge of 2017, and in two.
    let bits = |i: usize| ["1.0,0.0", "0.0,1.0", "0.0,0.0"][i % 3];
    let path = table("image_id,melanoma,keratosis", &|i, path, _| format!("{path},{}", bits(i)));
    let text = by(&path, Layout::default()).unwrap_err().to_string();
    assert!(
        text.contains("line 4: none of melanoma, keratosis is 1; --set data.one_hot_rest=NAME"),
        "{text}"
    );
    let rest = Layout { one_hot_rest: Some("nevus".to_owned()), ..Default::default() };
    let dataset = by(data.path(), rest).unwrap();
    assert_eq!(dataset.classes, ["keratosis", "melanoma", "nevus"]);
    let path = table("image,male,a,b", &|i, path, _| format!("{path},{},{},{}", i % 2, i % 2, 1 - i % 2));
    let text = by(&path, Layout::default()).unwrap_err().to_string();
    assert!(
        text.contains("line 3: male, a are 1")
            && text.contains("--set 'data.one_hot=[\"male\", \"b\"]' or --set 'data.one_hot=[\"a\", \"b\"]'"),
        "{text}"
    );
    let one_hot = ["a", "b"].map(str::to_owned).to_vec();
    assert_eq!(by(&path, Layout { one_hot, ..Default::default() }).unwrap().classes, ["a", "b"]);
    // Another extension than the files have.
    let path = table("path,label", &|_, path, class| format!("{},{class}", path.replace(".png", ".jpg")));
    let dataset = by(&path, Layout::default()).unwrap();
    assert_classes(&dataset, &files, "by stem");
    let told = dataset.taken.to_string();
    assert!(told.contains("; ISIC_00000.jpg is ISIC_00000.png, and the others likewise"), "{told}");
    let layout = Layout { extension: Some(".png".to_owned()), ..Default::default() };
    assert_classes(&by(&path, layout).unwrap(), &files, "by extension");
}

#[test]
fn tables_in_the_folder_of_the_data_are_found() {
    // As Kaggle packs its competitions.
    let data = Data::new();
    let files = made(&data, &["train"], 12);
    for i in 0..3 {
        data.png(format!("test/ISIC_{i:05}.png"), 100 + i);
    }
    let rows: String =
        files.iter().map(|(path, class)| format!("{},{class}\n", named(Naming::Stem, path))).collect();
    data.write("train.csv", format!("id,label\n{rows}"));
    data.write("test.csv", "id\nISIC_00000\nISIC_00001\n");
    data.write("sample_submission.csv", "id,label\nISIC_00000,mel\nISIC_00001,mel\n");
    let dataset = data.scan().unwrap();
    assert_classes(&dataset, &files, "of two with the same name the one in train");
    assert!(
        dataset
            .taken
            .to_string()
            .starts_with("table train.csv: id names the files, label the classes; files found")
    );
    // Tables for the splits.
    data.write("test.csv", "id,label\nISIC_00000,mel\nISIC_00001,nv\n");
    let dataset = data.scan().unwrap();
    assert_eq!(dataset.class_counts(Split::Test), [0, 1, 1]);
    assert!(
        dataset
            .samples
            .iter()
            .filter(|s| s.split == Split::Test)
            .all(|s| s.path.starts_with(data.join("test")))
    );
    // Where nothing says which of two is meant.
    data.write("all.csv", format!("id,label\n{rows}"));
    let text = by(&data.join("all.csv"), Layout::default()).unwrap_err().to_string();
    assert!(text.contains("may be") && text.contains("--set data.images=test"), "{text}");
    let images = vec!["train".to_owned()];
    assert_classes(
        &by(&data.join("all.csv"), Layout { images, ..Default::default() }).unwrap(),
        &files,
        "images",
    );
    // Two tables without names that tell them apart.
    let data = Data::new();
    let files = made(&data, &["images"], 6);
    let rows: String = files.iter().map(|(path, class)| format!("{path},{class}\n")).collect();
    data.write("one.csv", format!("path,label\n{rows}"));
    data.write("two.csv", format!("path,label\n{rows}"));
    assert!(matches!(data.scan().unwrap_err(), ScanError::SeveralTables { .. }));
}

#[test]
fn class_folders_are_not_overruled_by_a_table_unless_it_spreads_their_classes() {
    let data = Data::classes(&["benign", "malignant"], 12);
    let table = |class: &dyn Fn(&str, usize) -> String| {
        let row = |folder: &str, i: usize| format!("{folder}/{i:03}.png,{}\n", class(folder, i));
        let rows = ["benign", "malignant"].iter().flat_map(|folder| (0..12).map(|i| row(folder, i)));
        data.write("meta.csv", format!("path,label\n{}", rows.collect::<String>()));
        data.scan().unwrap()
    };
    let same = table(&|folder, _| folder.to_owned());
    assert_eq!((same.form, same.notices.len()), (Form::ClassFolders, 0));
    let finer = table(&|folder, i| format!("{folder} {}", i % 2));
    assert_eq!((finer.form, finer.classes.len()), (Form::ClassFolders, 2));
    assert!(
        finer.notices[0].to_string().contains("meta.csv beside the class folders"),
        "{:?}",
        finer.notices
    );
    // Each class in both folders: those are hospitals, or parts.
    let spread = table(&|_, i| CLASSES[i % 3].to_owned());
    assert_eq!((spread.form, spread.classes.concat()), (Form::Manifest, "bklmelnv".into()));
}

#[test]
fn a_column_that_looks_like_a_group_is_told() {
    for (column, values, told) in [
        ("patient_id", 4, true),
        ("Lesion ID", 4, true),
        ("paciente", 4, true),
        ("subject", 4, true),
        ("patient_id", 12, false),
        ("patient_id", 1, false),
        ("age", 4, false),
        ("lesion site", 4, false),
    ] {
        let data = Data::new();
        let files = made(&data, &["images"], 12);
        let row = |(i, (path, class)): (usize, &(String, &str))| format!("{path},{class},x{}\n", i % values);
        let rows: String = files.iter().enumerate().map(row).collect();
        data.write("table.csv", format!("path,label,{column}\n{rows}"));
        let dataset = by(&data.join("table.csv"), Layout::default()).unwrap();
        let said: Vec<String> = dataset.notices.iter().map(ToString::to_string).collect();
        assert_eq!(said.iter().any(|said| said.contains("looks like a group")), told, "{column}: {said:?}");
        if told {
            assert!(said[0].contains("(4 values for 12 images): --set data.group="), "{said:?}");
            let group = Some(column.to_owned());
            let grouped = scan(data.path(), &ScanOptions { group, ..Default::default() }, None).unwrap();
            assert!(grouped.cross_split_groups().is_empty() && grouped.samples[0].group.is_some());
            assert!(grouped.notices.iter().all(|notice| !notice.to_string().contains("looks like")));
        }
    }
}
