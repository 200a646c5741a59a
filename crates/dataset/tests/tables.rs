//! CSV manifests and IDX files.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use std::io::Write;

use common::{Data, RULE, files, idx, pair, paths};
use flate2::Compression;
use flate2::write::GzEncoder;
use pupila_dataset::{
    Dataset, Form, IdxError, OnBadImage, ResizeRule, ScanError, ScanOptions, Split, load, scan,
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
        "line 5: unknown split \"tarin\": use train, val or test",
        "is already on line 2",
        "line 7: it has 1 fields, so no label",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn a_manifest_that_cannot_be_one_is_explained() {
    let data = files(4);
    let message = |text: &str| scan_manifest(&data, text).unwrap_err().to_string();
    assert!(message("file,class\nimages/0.png,a\n").contains("it is \"file,class\""));
    assert!(message("").contains("must name the columns path and label"));
    assert!(message("path,label\n").contains("it has no rows"));
    assert!(message("path,label\n0.png,a\n1.png,b\n").contains("none of its 2 files exist"));
    assert!(message("path,label,split\nimages/0.png,a,val\n").contains("no training set, only val"));
    data.write("latin1.csv", b"path,label\nimages/0.png,caf\xe9\n");
    let error = scan(&data.join("latin1.csv"), &ScanOptions::default(), None).unwrap_err().to_string();
    assert!(error.contains("line 2: it is not valid UTF-8"), "{error}");
    // A few lost files are bad images.
    let rows = "path,label\nimages/0.png,a\nimages/1.png,b\nimages/lost.png,a\n";
    let dataset = scan_manifest(&data, rows).unwrap();
    assert_eq!(dataset.skipped.len(), 1);
    assert!(dataset.skipped[0].reason.contains("no such file"));
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
            assert_eq!(loaded.pixels.image(0)[..6], [30, 30, 30, 35, 35, 35]);
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
    assert_eq!(dataset.indices(Split::Test), []);
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
