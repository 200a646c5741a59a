//! CSV manifests and IDX files.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use std::io::Write;

use common::{Data, RULE, files, idx, pair, paths};
use flate2::Compression;
use flate2::write::GzEncoder;
use pupila_dataset::{
    Dataset, Form, IdxError, Notice, OnBadImage, ResizeRule, ScanError, ScanOptions, Split, load, scan,
};

fn scan_manifest(data: &Data, text: &str) -> Result<Dataset, ScanError> {
    data.write("data.csv", text);
    scan(&data.join("data.csv"), &ScanOptions::default(), None)
}

#[test]
fn a_manifest_names_files_labels_and_splits() {
    let data = files(6);
    let text = "\u{feff}label, Path ,note,SPLIT\r\n\
                dog,images/0.png,x,train\r\n\
                cat,images/1.png,\"a, b\",train\r\n\
                cat,images/2.png,,validation\r\n\
                dog,images/3.png,,Val\r\n\
                dog,images/4.png,,test\r\n";
    let dataset = scan_manifest(&data, text).unwrap();
    assert_eq!(dataset.form, Form::Manifest);
    assert_eq!(dataset.classes, ["cat", "dog"]);
    assert!(!dataset.val_from_train);
    assert_eq!(dataset.class_counts(Split::Train), [1, 1]);
    assert_eq!(dataset.class_counts(Split::Val), [1, 1]);
    assert_eq!(dataset.class_counts(Split::Test), [0, 1]);
    assert!(dataset.samples[0].path.ends_with("images/0.png"));
}

#[test]
fn without_a_split_column_a_part_is_split_off() {
    let data = files(20);
    let rows: String = (0..20).map(|i| format!("images/{i}.png,{}\n", i % 2)).collect();
    let dataset = scan_manifest(&data, &format!("path,label\n{rows}")).unwrap();
    assert!(dataset.val_from_train);
    assert_eq!(dataset.class_counts(Split::Val), [2, 2]);
}

#[test]
fn all_bad_lines_are_reported_with_their_numbers() {
    let data = files(4);
    let text = "path,label,split\nimages/0.png,a,train\n,a,train\nimages/1.png,,train\nimages/2.png,b,tarin\n\
                images/0.png,b,train\nimages/3.png\n";
    let error = scan_manifest(&data, text).unwrap_err();
    let ScanError::Manifest { lines, .. } = &error else { panic!("{error}") };
    assert_eq!(lines.iter().map(|bad| bad.line).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
    let text = error.to_string();
    for part in [
        "5 bad lines",
        "line 3: the path is empty",
        "line 4: the label is empty",
        "line 5: the column split says the split, and its value \"tarin\" is none; say what is meant: --set 'data.split_values={ tarin = \"train\" }'",
        "is already on line 2",
        "line 7: it has 1 field, and the header has 3",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn a_manifest_that_cannot_be_one_is_explained() {
    let data = files(4);
    let message = |text: &str| scan_manifest(&data, text).unwrap_err().to_string();
    assert!(message("where,what,why\nphotos/x0,a,b\n").contains("it is \"where,what,why\""));
    assert!(message("").contains("must name the columns path and label"));
    assert!(message("path,label\n").contains("it has no rows"));
    assert!(message("path,label\nx.png,a\ny.png,b\n").contains("none of its 2 files exist"));
    assert!(message("path,label,split\nimages/0.png,a,val\n").contains("no training set, only val"));
    data.write("latin1.csv", b"path,label\nimages/0.png,w\xb9tek\nimages/1.png,t\xb9\nimages/2.png,b\n");
    let error = scan(&data.join("latin1.csv"), &ScanOptions::default(), None).unwrap_err().to_string();
    assert!(error.contains("line 2: it is not UTF-8 (nor is 1 line below it)"), "{error}");
    assert!(error.contains("iconv -f WINDOWS-1250 -t UTF-8 'latin1.csv' > 'utf8-latin1.csv'"), "{error}");
    data.write("packed.csv.gz", gz(b"path,label\nimages/0.png,a\n"));
    let error = scan(&data.join("packed.csv.gz"), &ScanOptions::default(), None).unwrap_err().to_string();
    assert!(error.contains("; unpack it: gunzip -k '"), "{error}");
    // A few lost files are bad images.
    let rows = "path,label\nimages/0.png,a\nimages/1.png,b\nimages/lost.png,a\n";
    let dataset = scan_manifest(&data, rows).unwrap();
    assert_eq!(dataset.skipped.len(), 1);
    assert!(dataset.skipped[0].reason.contains("no such file"));
}

#[test]
fn columns_that_say_something_of_splits_are_read_together_or_told() {
    let data = files(20);
    let scanned = |header: &str, row: &dyn Fn(usize) -> String| {
        let rows = (0..20).map(|at| format!("images/{at}.png,{},{}\n", ["a", "b"][at / 10], row(at)));
        scan_manifest(&data, &format!("path,label,{header}\n{}", rows.collect::<String>()))
    };
    let counts = |dataset: &Dataset| Split::ALL.map(|split| dataset.indices(split).len());
    let told = |dataset: &Dataset| {
        let of = dataset.notices.iter().filter(|notice| matches!(notice, Notice::SplitNotRead { .. }));
        of.map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let both = |at: usize| format!("{},{}", at.is_multiple_of(5), at % 5 == 1);
    let dataset = scanned("is_valid,is_test", &both).unwrap();
    assert_eq!((counts(&dataset), told(&dataset)), ([12, 4, 4], String::new()));
    let words =
        scanned("is_valid,is_test", &|at| format!("{0},{0}", at.is_multiple_of(5))).unwrap_err().to_string();
    assert!(words.contains("line 2: both is_valid and is_test say yes"), "{words}");
    let dataset =
        scanned("es_validación", &|at| ["FALSO", "VERDADERO"][usize::from(at.is_multiple_of(5))].into())
            .unwrap();
    assert_eq!(counts(&dataset), [16, 4, 0]);
    // What is not read is told, with why.
    let odd = |at: usize| ["", "1", "0", "0", "0"][at % 5].to_owned();
    let dataset = scanned("is_valid", &odd).unwrap();
    assert!(
        told(&dataset).contains("is_valid looks like the split, and is not read, since its value \"\""),
        "{}",
        told(&dataset)
    );
    let dataset = scanned("phase", &|at| ["train", "val", "later"][at % 3].into()).unwrap();
    assert!(told(&dataset).contains("its value \"later\" says no split"), "{}", told(&dataset));
    let dataset =
        scanned("split,is_test", &|at| format!("{},{}", ["train", "val"][at % 2], at.is_multiple_of(3)))
            .unwrap();
    assert!(
        told(&dataset).contains("is_test looks like the split, and is not read, since split is"),
        "{}",
        told(&dataset)
    );
    // A column of something else is none.
    let dataset = scanned("dataset,set", &|at| format!("vidir,{}", at % 4)).unwrap();
    assert_eq!(told(&dataset), "");
}

#[test]
fn names_of_groups_in_any_writing_are_told() {
    let data = files(20);
    for name in ["PatientID", "PatientId", "patientID", "lesionId", "Patient ID", "PATIENT_ID", "id_paciente"]
    {
        let rows = (0..20).map(|at| format!("images/{at}.png,{},{}\n", ["a", "b"][at / 10], at / 2));
        let dataset =
            scan_manifest(&data, &format!("path,label,{name}\n{}", rows.collect::<String>())).unwrap();
        let is_told = |notice: &Notice| matches!(notice, Notice::LooksLikeGroup { groups: 10, .. });
        assert!(dataset.notices.iter().any(is_told), "{name}");
    }
}

#[test]
fn labels_that_say_missing_are_told() {
    let data = files(8);
    let told = |labels: [&str; 4]| {
        let rows = (0..8).map(|at| format!("images/{at}.png,{}\n", labels[at % 4])).collect::<String>();
        let dataset = scan_manifest(&data, &format!("path,label\n{rows}")).unwrap();
        let found = dataset.notices.iter().find(|notice| matches!(notice, Notice::MissingLabels { .. }));
        found.map(ToString::to_string)
    };
    assert_eq!(
        told(["a", "nan", "b", "NULL"]).unwrap(),
        "the classes \"NULL\" (2 images), \"nan\" (2 images) look like missing labels, and are classes here: leave out the rows that \
         have no label"
    );
    assert!(told(["a", "None", "b", "b"]).unwrap().starts_with("the class \"None\" (2 images) looks like"));
    assert_eq!(told(["a", "none", "nano", "Nancy"]), None);
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn idx_files_are_read_packed_or_not_under_both_names() {
    let (images, labels) = pair(40, 10);
    let (test_images, test_labels) = pair(10, 10);
    for packed in [false, true] {
        for dash in ["-", "."] {
            let data = Data::new();
            let put = |name: &str, bytes: &[u8]| match packed {
                true => data.write(format!("{name}.gz"), gz(bytes)),
                false => data.write(name, bytes),
            };
            put(&format!("train-images{dash}idx3-ubyte"), &images);
            put(&format!("train-labels{dash}idx1-ubyte"), &labels);
            put(&format!("t10k-images{dash}idx3-ubyte"), &test_images);
            put(&format!("t10k-labels{dash}idx1-ubyte"), &test_labels);
            let dataset = data.scan().unwrap();
            assert_eq!(dataset.form, Form::Idx);
            assert_eq!(dataset.classes.concat(), "0123456789");
            assert_eq!(dataset.class_counts(Split::Train), [3; 10]);
            assert_eq!(dataset.class_counts(Split::Val), [1; 10]);
            assert_eq!(dataset.class_counts(Split::Test), [1; 10]);
            assert_eq!(paths(&dataset)[17], format!("train-images{dash}idx3-ubyte[17]"));
            let rule = ResizeRule { width: 3, height: 2, ..RULE };
            let which = [1, 39];
            let none: &(dyn Fn() -> bool + Sync) = &|| false;
            let loaded = load(&dataset, &which, &rule, None, OnBadImage::Skip, &|_| {}, none).unwrap();
            assert_eq!(loaded.pixels.image(0).unwrap()[..6], [30, 30, 30, 35, 35, 35]);
            assert_eq!(loaded.decoded, 2);
        }
    }
}

#[test]
fn only_the_training_pair_is_enough_and_many_classes_keep_their_order() {
    let (images, labels) = pair(60, 12);
    let data = Data::new();
    data.write("train-images-idx3-ubyte", images);
    data.write("train-labels-idx1-ubyte", labels);
    let dataset = data.scan().unwrap();
    assert_eq!(dataset.classes[..3], ["00", "01", "02"]);
    assert_eq!(dataset.classes[11], "11");
    assert!(dataset.indices(Split::Test).is_empty());
}

#[test]
fn damaged_idx_files_are_told_apart() {
    let (images, labels) = pair(20, 2);
    let error = |images: &[u8], labels: &[u8], extension: &str| {
        let data = Data::new();
        data.write(format!("train-images-idx3-ubyte{extension}"), images);
        data.write(format!("train-labels-idx1-ubyte{extension}"), labels);
        match data.scan().unwrap_err() {
            ScanError::Idx { source, .. } => source,
            other => panic!("{other}"),
        }
    };
    assert!(matches!(error(&labels, &labels, ""), IdxError::Magic { got: 0x801, expected: 0x803, .. }));
    assert!(matches!(error(&images[..50], &labels, ""), IdxError::Truncated { got: 34, expected: 120 }));
    assert!(matches!(error(&images[..7], &labels, ""), IdxError::Truncated { .. }));
    assert!(matches!(error(&[], &labels, ""), IdxError::Truncated { got: 0, .. }));
    assert!(matches!(
        error(&[&images[..], &[0]].concat(), &labels, ""),
        IdxError::Trailing { expected: 120 }
    ));
    assert!(matches!(error(&images, &pair(19, 2).1, ""), IdxError::Count { labels: 19, images: 20, .. }));
    let zero = idx(0x803, &[0, 2, 3], &[]);
    assert!(matches!(error(&zero, &labels, ""), IdxError::Shape { .. }));
    // 2^96 bytes: neither an overflow nor an allocation.
    let giant = idx(0x803, &[u32::MAX; 3], &[0; 64]);
    assert!(matches!(error(&giant, &labels, ""), IdxError::Shape { .. }));
    let large = idx(0x803, &[60_000, 300, 300], &[0; 64]);
    assert!(matches!(error(&large, &labels, ""), IdxError::Truncated { got: 64, .. }));
    let (packed, packed_labels) = (gz(&images), gz(&labels));
    assert!(matches!(error(&packed[..packed.len() / 2], &packed_labels, ".gz"), IdxError::Truncated { .. }));
    assert!(matches!(error(&images, &packed_labels, ".gz"), IdxError::Read(_)));
    let data = Data::new();
    data.write("train-images-idx3-ubyte", &images);
    let text = data.scan().unwrap_err().to_string();
    assert!(text.contains("train-labels-idx1-ubyte is missing"), "{text}");
}

#[test]
fn a_column_of_a_manifest_keeps_groups_together() {
    let data = files(20);
    let rows = |column: &str| -> String {
        let row = |i| match i {
            // Without a group, each is one of its own.
            0 | 1 => format!("images/{i}.png,{},\n", i % 2),
            _ => format!("images/{i}.png,{},p{}\n", i % 2, i / 4),
        };
        format!("path,label,{column}\n{}", (0..20).map(row).collect::<String>())
    };
    let parted = |dataset: &Dataset| dataset.cross_split_groups().len();
    // `group` is found by itself; other columns are asked for, and are ignored otherwise.
    for seed in 0..10 {
        let by = |column: &str, group: Option<&str>| {
            data.write("data.csv", rows(column));
            let group = group.map(str::to_owned);
            scan(&data.join("data.csv"), &ScanOptions { seed, group, ..Default::default() }, None)
        };
        let found = by("group", None).unwrap();
        assert_eq!(found.samples.iter().filter(|sample| sample.group.is_none()).count(), 2);
        let asked = by("Patient", Some("patient")).unwrap();
        let splits = |dataset: &Dataset| dataset.samples.iter().map(|s| s.split).collect::<Vec<_>>();
        assert_eq!((parted(&found), splits(&found)), (0, splits(&asked)));
        assert!(found.class_counts(Split::Val).iter().all(|&n| (1..=4).contains(&n)));
        assert!(by("Patient", None).unwrap().samples.iter().all(|sample| sample.group.is_none()));
        let error = by("Patient", Some("pationt")).unwrap_err().to_string();
        assert!(error.contains("line 1: data.group asks for the column `pationt`"), "{error}");
        assert!(error.contains("did you mean `Patient`?"), "{error}");
    }
    // Given splits are as they are, and what they part is told.
    let text = "path,label,split,group\nimages/0.png,a,train,x\nimages/1.png,b,train,y\nimages/2.png,a,val,x\n\
                images/3.png,b,test,y\nimages/4.png,b,train,z\n";
    let dataset = scan_manifest(&data, text).unwrap();
    let groups = dataset.cross_split_groups();
    let named = |place: usize| (&*groups[place].0, groups[place].1.samples.clone());
    assert_eq!((named(0), named(1), groups.len()), (("x", vec![0, 2]), ("y", vec![1, 3]), 2));
}

#[test]
fn folds_pool_what_is_given_and_leave_the_test_set_alone() {
    let data = files(13);
    let rows: String = (0..12)
        .map(|i| format!("images/{i}.png,{},{}\n", i % 2, if i < 9 { "train" } else { "val" }))
        .collect();
    let text = format!("path,label,split\n{rows}images/12.png,1,test\n");
    data.write("data.csv", text);
    let fold = |folds, fold| {
        let options = ScanOptions { folds: Some(folds), fold, ..Default::default() };
        scan(&data.join("data.csv"), &options, None)
    };
    for which in 1..=3 {
        let dataset = fold(3, which).unwrap();
        assert!(dataset.val_from_train);
        assert_eq!(dataset.class_counts(Split::Val), [2, 2]);
        assert_eq!(dataset.class_counts(Split::Train), [4, 4]);
        assert_eq!(dataset.class_counts(Split::Test), [0, 1]);
        assert!(dataset.notices.iter().any(|notice| notice.to_string().contains("(3 images) is pooled")));
    }
    assert_eq!(fold(3, 4).unwrap_err().to_string(), "data.fold is 4, but must be from 1 to data.folds");
    assert_eq!(fold(1, 1).unwrap_err().to_string(), "data.folds is 1, but must be at least 2");
    data.write("data.csv", "path,label\nimages/0.png,a\nimages/1.png,b\nimages/2.png,b\n");
    let errors: Vec<String> = (1..=2).filter_map(|which| Some(fold(2, which).err()?.to_string())).collect();
    assert_eq!(errors.len(), 1, "one of them holds the one image of a");
    assert!(errors[0].contains("takes all images of a"), "{errors:?}");
    let group = Some("patient".to_owned());
    let data = Data::classes(&["a", "b"], 3);
    let error = scan(data.path(), &ScanOptions { group, ..Default::default() }, None).unwrap_err();
    assert!(error.to_string().contains("data.group is patient"), "{error}");
}
