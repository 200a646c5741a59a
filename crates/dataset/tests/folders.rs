//! Class folders and split folders: what is found, and what is said where something is wrong.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use common::{Data, paths, png, summary};
use pupila_dataset::{Form, Notice, OnBadImage, ScanError, ScanOptions, Split, scan};

fn message(data: &Data) -> String {
    data.scan().unwrap_err().to_string()
}

#[test]
fn a_folder_of_class_folders_is_split_by_class() {
    let data = Data::classes(&["dog", "Cat", "äffchen"], 10);
    data.png("Cat/nested/deeper/x.PNG", 77);
    data.write("Cat/Thumbs.db", "");
    data.write("Cat/.hidden.png", "");
    data.write("__MACOSX/Cat/x.png", "");
    data.write("readme.txt", "");
    let dataset = data.scan().unwrap();
    assert_eq!(dataset.form, Form::ClassFolders);
    // Byte order: capitals first, then lower case, then what is not ASCII.
    assert_eq!(dataset.classes, ["Cat", "dog", "äffchen"]);
    assert!(dataset.val_from_train);
    assert_eq!(dataset.class_counts(Split::Train), [9, 8, 8]);
    assert_eq!(dataset.class_counts(Split::Val), [2, 2, 2]);
    assert_eq!(dataset.ignored_files, 2);
    assert_eq!(paths(&dataset)[..2], ["Cat/000.png", "Cat/001.png"]);
    assert_eq!(paths(&dataset)[10], "Cat/nested/deeper/x.PNG");
    assert_eq!((dataset.samples[0].width, dataset.samples[0].height, dataset.samples[0].channels), (7, 5, 3));
    assert!(dataset.skipped.is_empty() && dataset.notices.is_empty());
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let data = Data::classes(&["a", "b", "c"], 30);
    let reference = summary(&data.scan().unwrap());
    for threads in [1, 2, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| summary(&data.scan().unwrap())), reference);
    }
}

#[test]
fn given_splits_are_kept_under_any_of_their_names() {
    for (train, val, test) in
        [("train", "val", "test"), ("Training", "valid", "Testing"), ("train", "Validation", "test")]
    {
        let data = Data::new();
        data.add_classes(train, &["a", "b"], 4);
        data.add_classes(val, &["a", "b"], 3);
        data.add_classes(test, &["a"], 2);
        let dataset = data.scan().unwrap();
        assert_eq!(dataset.form, Form::SplitFolders);
        assert!(!dataset.val_from_train);
        assert_eq!(dataset.class_counts(Split::Train), [4, 4]);
        assert_eq!(dataset.class_counts(Split::Val), [3, 3]);
        assert_eq!(dataset.class_counts(Split::Test), [2, 0]);
        let missing = Notice::ClassesMissing { split: Some(Split::Test), classes: vec!["b".to_owned()] };
        assert_eq!(dataset.notices, [missing]);
    }
}

#[test]
fn without_a_validation_set_a_part_of_the_training_set_is_one() {
    let data = Data::new();
    data.add_classes("train", &["a", "b"], 10);
    data.add_classes("test", &["a", "b"], 2);
    let dataset = data.scan().unwrap();
    assert!(dataset.val_from_train);
    assert_eq!(dataset.class_counts(Split::Val), [2, 2]);
    assert_eq!(dataset.class_counts(Split::Test), [2, 2]);
}

#[test]
fn a_train_is_also_a_thing_to_classify() {
    let data = Data::classes(&["car", "plane", "train"], 5);
    let dataset = data.scan().unwrap();
    assert_eq!((dataset.form, dataset.classes.len()), (Form::ClassFolders, 3));
}

#[test]
fn copies_are_never_separated_and_are_found() {
    let data = Data::classes(&["a", "b"], 20);
    for i in 0..10 {
        data.png(format!("a/copy_{i}_x.png"), i % 3);
        data.png(format!("b/copy_{i}_x.png"), i % 3);
    }
    for seed in 0..10 {
        let dataset = data.scan_by(&ScanOptions { seed, ..Default::default() }).unwrap();
        assert_eq!(dataset.cross_split_duplicates(), []);
        assert_eq!(dataset.duplicates().len(), 3);
        assert_eq!(dataset.conflicting_duplicates().len(), 3);
    }
    let data = Data::new();
    data.add_classes("train", &["a", "b"], 3);
    data.add_classes("val", &["a", "b"], 3);
    data.png("train/a/x.png", 9);
    data.png("val/a/y.png", 9);
    let dataset = data.scan().unwrap();
    let leaks = dataset.cross_split_duplicates();
    assert_eq!(leaks.len(), 1);
    let names: Vec<_> = leaks[0].samples.iter().map(|&i| paths(&dataset)[i].clone()).collect();
    assert_eq!(names, ["train/a/x.png", "val/a/y.png"]);
    assert_eq!(dataset.conflicting_duplicates(), []);
}

#[test]
fn exclude_fraction_and_max_per_class_leave_samples_out() {
    let data = Data::classes(&["a", "b", "old"], 20);
    let exclude = vec!["old".to_owned(), "a/00?.png".to_owned(), "nothing*".to_owned()];
    let dataset = data.scan_by(&ScanOptions { exclude, ..Default::default() }).unwrap();
    assert_eq!(dataset.classes, ["a", "b"]);
    assert_eq!(dataset.samples.len(), 30);
    assert_eq!(dataset.excluded, 11);
    assert_eq!(dataset.notices, [Notice::UnmatchedExclude { pattern: "nothing*".to_owned() }]);
    let splits = Data::new();
    splits.add_classes("train", &["a", "b", "old"], 2);
    splits.add_classes("old", &["a"], 2);
    let exclude = vec!["old".to_owned()];
    assert_eq!(splits.scan_by(&ScanOptions { exclude, ..Default::default() }).unwrap().excluded, 2);
    let part = ScanOptions { fraction: 0.5, max_per_class: Some(6), ..Default::default() };
    let dataset = data.scan_by(&part).unwrap();
    assert_eq!(dataset.class_counts(Split::Train), [6, 6, 6]);
    assert_eq!(dataset.class_counts(Split::Val), [4, 4, 4]);
    assert_eq!(dataset.held_back, 30);
}

#[test]
fn bad_images_are_listed_or_fail_by_the_policy() {
    let data = Data::classes(&["a", "b"], 5);
    data.write("a/empty.jpg", "");
    data.write("a/text.png", "<html>");
    data.write("b/cut.png", &png(3)[..20]);
    let dataset = data.scan().unwrap();
    assert_eq!(dataset.samples.len(), 10);
    let skipped: Vec<_> = dataset.skipped.iter().map(|s| s.to_string()).collect();
    assert_eq!(skipped.len(), 3);
    assert!(skipped[0].ends_with("empty.jpg: the file is empty"), "{skipped:?}");
    let fail = ScanOptions { on_bad_image: OnBadImage::Fail, ..Default::default() };
    let error = data.scan_by(&fail).unwrap_err();
    assert!(matches!(&error, ScanError::BadImages { bad } if bad.len() == 3));
    let text = error.to_string();
    assert!(text.contains("3 images") && text.contains("cut.png") && text.contains("on_bad_image"), "{text}");
    // Twenty are shown, all are counted.
    for i in 0..30 {
        data.write(format!("a/bad{i:02}.gif"), "no");
    }
    let error = data.scan_by(&fail).unwrap_err().to_string();
    assert!(error.contains("33 images") && error.ends_with("and 13 more"), "{error}");
}

#[test]
fn a_class_without_a_readable_image_is_an_error_even_when_skipping() {
    let data = Data::classes(&["a", "b"], 3);
    data.write("c/1.png", "no");
    let error = data.scan().unwrap_err();
    assert!(matches!(&error, ScanError::ClassLost { classes, .. } if classes == &["c"]), "{error}");
}

#[test]
fn what_is_no_data_set_is_explained() {
    let data = Data::new();
    assert!(message(&data).contains("the folder is empty"));
    data.write("a/notes.txt", "");
    data.write("b/notes.txt", "");
    assert!(message(&data).contains("2 folders, 2 files of other kinds"));
    data.png("loose.png", 1);
    assert!(message(&data).contains("1 images that are in no class folder"));

    let one = Data::classes(&["only"], 3);
    assert!(message(&one).contains("one class, \"only\", and a classifier needs two"));
    let nested = Data::new();
    nested.add_classes("archive/train", &["a", "b"], 2);
    assert!(message(&nested).contains("did you mean") && message(&nested).contains("archive"));

    let missing = scan(&one.join("onyl"), &ScanOptions::default(), None).unwrap_err().to_string();
    assert!(missing.contains("does not exist, did you mean") && missing.contains("only?"), "{missing}");
    let file = scan(&one.join("only/000.png"), &ScanOptions::default(), None).unwrap_err();
    assert!(matches!(file, ScanError::NotData { .. }), "{file}");
}

#[test]
fn what_is_wrong_with_the_splits_is_explained() {
    let data = Data::new();
    data.add_classes("val", &["a", "b"], 2);
    data.add_classes("test", &["a", "b"], 2);
    assert!(message(&data).contains("no training set, only val, test"), "{}", message(&data));
    data.add_classes("train", &["a", "b"], 2);
    data.add_classes("valid", &["a", "b"], 2);
    assert!(message(&data).contains("both val/ and valid/"), "{}", message(&data));

    let data = Data::new();
    data.add_classes("train", &["Benign keratosis", "Melanoma"], 2);
    data.add_classes("val", &["benign_keratosis", "Melanoma", "xyz"], 2);
    let text = message(&data);
    assert!(text.contains("\"benign_keratosis\" (2 images), is it \"Benign keratosis\"?"), "{text}");
    assert!(text.contains("\"xyz\" (2 images)"), "{text}");

    let data = Data::new();
    data.add_classes("train", &["a", "b"], 2);
    data.write("val/a/notes.txt", "");
    assert!(matches!(data.scan().unwrap_err(), ScanError::EmptySplit { split: Split::Val, .. }));
    data.write("train/empty/notes.txt", "");
    data.png("val/a/1.png", 1);
    let text = message(&data);
    assert!(
        text.contains("have no images") && text.contains("empty") && text.contains("data.exclude"),
        "{text}"
    );

    let data = Data::new();
    data.png("train/1.png", 1);
    data.png("val/1.png", 2);
    assert!(matches!(data.scan().unwrap_err(), ScanError::NoClassFolders { .. }));
}

#[test]
fn a_test_folder_without_labels_is_not_used() {
    let data = Data::new();
    data.add_classes("train", &["a", "b"], 5);
    for i in 0..3 {
        data.png(format!("test/{i}.png"), i);
    }
    data.png("extra/1.png", 4);
    let dataset = data.scan().unwrap();
    assert!(dataset.indices(Split::Test).is_empty());
    let said: Vec<_> = dataset.notices.iter().map(|notice| notice.to_string()).collect();
    assert!(said.iter().any(|s| s.contains("without labels")), "{said:?}");
    assert!(said.iter().any(|s| s.contains("neither train, val nor test")), "{said:?}");
}

#[test]
fn options_out_of_range_are_refused() {
    let data = Data::classes(&["a", "b"], 2);
    for (options, key) in [
        (ScanOptions { val_frac: 0.0, ..Default::default() }, "data.val_frac is 0"),
        (ScanOptions { val_frac: f64::NAN, ..Default::default() }, "data.val_frac is NaN"),
        (ScanOptions { fraction: 1.5, ..Default::default() }, "data.fraction is 1.5"),
        (ScanOptions { max_per_class: Some(0), ..Default::default() }, "data.max_per_class is 0"),
        (ScanOptions { exclude: vec!["/".to_owned()], ..Default::default() }, "data.exclude"),
    ] {
        let error = data.scan_by(&options).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn links_are_followed_once() {
        let data = Data::classes(&["a", "b"], 3);
        symlink(data.join("a"), data.join("b/to_a")).unwrap();
        symlink(data.join("b"), data.join("a/to_b")).unwrap();
        symlink(data.join("b"), data.join("b/round")).unwrap();
        symlink(data.join("nowhere"), data.join("a/broken.png")).unwrap();
        let dataset = data.scan().unwrap();
        assert_eq!(dataset.samples.len(), 12);
        let twice = dataset.notices.iter().filter(|n| matches!(n, Notice::LinkedTwice { .. })).count();
        assert_eq!(twice, 4);
        assert!(dataset.skipped[0].reason.contains("no such file"), "{:?}", dataset.skipped);
    }

    #[test]
    fn a_file_name_may_be_any_bytes_but_a_class_name_is_text() {
        let data = Data::classes(&["a", "b"], 2);
        fs::write(data.join("a").join(OsStr::from_bytes(b"caf\xe9.png")), png(5)).unwrap();
        assert_eq!(data.scan().unwrap().samples.len(), 5);
        let folder = data.join(OsStr::from_bytes(b"caf\xe9"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("1.png"), png(6)).unwrap();
        assert!(matches!(data.scan().unwrap_err(), ScanError::ClassName { .. }));
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let data = Data::classes(&["a", "b"], 2);
        let made = std::process::Command::new("mkfifo").arg(data.join("a/pipe.png")).status();
        if made.is_ok_and(|status| status.success()) {
            assert!(data.scan().unwrap().skipped[0].reason.contains("not a regular file"));
        }
    }

    #[test]
    fn a_closed_folder_is_named_and_a_closed_file_is_a_bad_image() {
        let data = Data::classes(&["a", "b"], 2);
        let file = data.join("a/000.png");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
        if fs::read(&file).is_ok() {
            return; // the superuser may read everything
        }
        assert_eq!(data.scan().unwrap().skipped[0].reason, "permission denied");
        fs::set_permissions(data.join("b"), fs::Permissions::from_mode(0o000)).unwrap();
        let error = data.scan().unwrap_err();
        fs::set_permissions(data.join("b"), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(&error, ScanError::Read { path, .. } if path.ends_with("b")), "{error}");
    }
}

#[test]
fn a_class_that_is_called_as_a_split_is_told() {
    let told = |classes: &[&str]| {
        let data = Data::classes(classes, 6);
        let dataset = scan(data.path(), &ScanOptions::default(), None).unwrap();
        let of = dataset.notices.iter().find(|notice| matches!(notice, Notice::ClassesLikeSplits { .. }));
        of.map(ToString::to_string)
    };
    assert_eq!(
        told(&["melanoma", "nevus", "test"]).unwrap(),
        "the folder \"test\" (6 images) is taken for a class as the others are; if it is the test set: --set data.test=test"
    );
    assert_eq!(told(&["melanoma", "nevus", "testa"]), None);
    assert_eq!(told(&["car", "train", "tram"]), None);
    assert_eq!(told(&["control", "test"]), None);
    assert_eq!(told(&["car", "tram"]), None);
}
