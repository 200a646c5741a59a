//! Images for a model to label: files and folders.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use std::path::PathBuf;

use common::{Data, RULE, png};
use pupila_dataset::{
    Cache, Form, LoadError, OnBadImage, Purpose, ScanError, Skipped, Split, list_images, load, scan_images,
};

fn names(data: &Data, paths: &[PathBuf]) -> Vec<String> {
    let relative = |path: &PathBuf| path.strip_prefix(data.path()).unwrap_or(path).to_owned();
    paths.iter().map(|path| relative(path).to_string_lossy().replace('\\', "/")).collect()
}

/// `b.png`, `a.JPG`, `sub/c.gif` and `sub/deeper/d.tiff`, among other files.
fn photos() -> Data {
    let data = Data::new();
    for (i, name) in ["b.png", "a.JPG", "sub/c.gif", "sub/deeper/d.tiff"].iter().enumerate() {
        data.png(name, i as u32);
    }
    for name in [".hidden.png", ".folder/x.png", "__MACOSX/x.png", "notes.txt", "sub/photo"] {
        data.png(name, 9);
    }
    data
}

#[test]
fn folders_are_walked_and_files_are_taken_as_they_are() {
    let data = photos();
    let all = ["a.JPG", "b.png", "sub/c.gif", "sub/deeper/d.tiff"];
    assert_eq!(names(&data, &list_images(&[data.path().to_owned()]).unwrap()), all);
    let given = ["sub/photo", "sub/deeper", ".hidden.png", "b.png"].map(|name| data.join(name));
    let expected = ["sub/photo", "sub/deeper/d.tiff", ".hidden.png", "b.png"];
    assert_eq!(names(&data, &list_images(&given).unwrap()), expected);
    assert_eq!(list_images(&[]).unwrap(), Vec::<PathBuf>::new());
}

#[test]
fn what_is_given_twice_comes_once_at_its_first_place() {
    let data = photos();
    let given = ["sub/c.gif", "b.png", "sub/../b.png", "sub/./c.gif", "", "sub", "sub/deeper"];
    let listed = list_images(&given.map(|name| data.join(name))).unwrap();
    assert_eq!(names(&data, &listed), ["sub/c.gif", "b.png", "a.JPG", "sub/deeper/d.tiff"]);
    let dataset = scan_images(&given.map(|name| data.join(name)), OnBadImage::Skip, None).unwrap();
    assert_eq!(dataset.samples.iter().map(|s| s.path.clone()).collect::<Vec<_>>(), listed);
}

#[test]
fn what_is_missing_or_empty_is_explained() {
    let data = photos();
    let message = |name: &str| list_images(&[data.join("b.png"), data.join(name)]).unwrap_err().to_string();
    let text = message("sub/deepr");
    assert!(text.contains("deepr does not exist, did you mean") && text.contains("deeper?"), "{text}");
    assert!(message("sub/c.gi").contains("c.gif?"));
    data.write("empty/inner/notes.txt", "");
    let text = message("empty");
    assert!(text.contains("empty: 1 folders, 1 files of other kinds; looked for .jpg"), "{text}");
}

#[test]
fn images_without_labels_are_loaded_like_any_other() {
    let data = photos();
    let whole = png(5);
    data.write("bad.png", "no");
    data.write("cut.png", &whole[..whole.len() - 30]);
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path(), 1 << 30);
    let given = [data.path().to_owned()];
    for pass in 0..2 {
        let dataset = scan_images(&given, OnBadImage::Skip, Some(&cache)).unwrap();
        assert_eq!((dataset.form, dataset.purpose), (Form::Images, Purpose::Prediction));
        assert_eq!((dataset.root.as_path(), dataset.ignored_files), (data.path(), 2));
        assert!(dataset.classes.is_empty() && dataset.class_counts(Split::Test).is_empty());
        assert!(dataset.samples.iter().all(|s| s.label == 0 && s.split == Split::Test && s.width == 7));
        assert_eq!((dataset.samples.len(), dataset.skipped.len()), (5, 1));
        assert!(dataset.skipped[0].path.ends_with("bad.png"));
        let which = [0, 1, 2, 3, 4];
        let none: &(dyn Fn() -> bool + Sync) = &|| false;
        let loaded = load(&dataset, &which, &RULE, Some(&cache), OnBadImage::Skip, &|_| {}, none).unwrap();
        assert_eq!((loaded.kept, loaded.from_cache), (vec![0, 1, 3, 4], pass * 4));
        assert!(loaded.skipped[0].path.ends_with("cut.png"));
        let error = load(&dataset, &[2], &RULE, None, OnBadImage::Skip, &|_| {}, none).unwrap_err();
        assert!(matches!(&error, LoadError::NoneUsable { bad } if bad.len() == 1), "{error}");
    }
    let error = scan_images(&given, OnBadImage::Fail, None).unwrap_err();
    assert!(matches!(&error, ScanError::BadImages { bad } if bad.len() == 1), "{error}");
    let text = scan_images(&[data.join("bad.png")], OnBadImage::Skip, None).unwrap_err().to_string();
    assert!(text.starts_with("the only image cannot be used: ") && text.contains("bad.png: "), "{text}");
}

#[cfg(unix)]
#[test]
fn links_do_not_go_round_in_circles() {
    use std::os::unix::fs::symlink;

    let data = photos();
    symlink(data.path(), data.join("sub/up")).unwrap();
    symlink(data.join("b.png"), data.join("link.png")).unwrap();
    symlink(data.join("nowhere"), data.join("broken.png")).unwrap();
    let dataset = scan_images(&[data.path().to_owned()], OnBadImage::Skip, None).unwrap();
    let expected = ["a.JPG", "b.png", "link.png", "sub/c.gif", "sub/deeper/d.tiff"];
    let found: Vec<PathBuf> = dataset.samples.iter().map(|s| s.path.clone()).collect();
    assert_eq!(names(&data, &found), expected);
    assert_eq!(dataset.notices.len(), 1);
    assert!(dataset.notices[0].to_string().contains("sub/up links to a folder that was already read"));
    assert_eq!(dataset.skipped[0].reason, "there is no such file");
}

#[test]
fn a_line_break_in_a_name_begins_no_other_image() {
    let skipped = Skipped { path: "a\nb\u{1b}[31m.jpg".into(), reason: "it is empty".to_owned() };
    assert_eq!(skipped.to_string(), "a\\nb\\u{1b}[31m.jpg: it is empty");
}
