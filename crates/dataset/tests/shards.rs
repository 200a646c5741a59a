//! Shards of WebDataset are read where they lie.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{Data, RULE, png, tar_of};
use pupila_dataset::{
    Cache, Dataset, Form, LabelledOptions, OnBadImage, ScanError, ScanOptions, Split, load, scan,
    scan_images, scan_labelled,
};

/// A shard of samples with these numbers; the class of number n is n modulo `classes`.
fn shard(numbers: std::ops::Range<u32>, classes: u32) -> Vec<u8> {
    let samples: Vec<(u32, Vec<u8>, String)> =
        numbers.map(|number| (number, png(number), (number % classes).to_string())).collect();
    tar_of(samples.iter().flat_map(|(number, image, class)| {
        [
            (format!("{number:05}.cls"), class.as_bytes()),
            (format!("{number:05}.json"), b"{}".as_slice()),
            (format!("{number:05}.png"), image.as_slice()),
        ]
    }))
}

fn scan_at(path: &Path) -> Result<Dataset, ScanError> {
    scan(path, &ScanOptions::default(), None)
}

fn counts(dataset: &Dataset) -> Vec<usize> {
    Split::ALL.iter().map(|&split| dataset.indices(split).len()).collect()
}

#[test]
fn a_shard_says_what_class_folders_say() {
    let folders = Data::new();
    (0..24).for_each(|number| folders.png(format!("{:02}/{number:05}.png", number % 12), number));
    let plain = folders.scan().unwrap();
    let data = Data::new();
    data.write("photos-0000.tar", shard(0..10, 12));
    data.write("photos-0001.tar", shard(10..24, 12));
    let shards = data.scan().unwrap();
    // Numbers are padded, so that the order of the classes is theirs.
    assert_eq!((shards.form, &shards.classes), (Form::Shards, &plain.classes));
    assert_eq!(shards.taken.what[0], "2 shards");
    assert_eq!(shards.ignored_files, 24);
    let key = |dataset: &Dataset| {
        let mut key: Vec<_> = dataset.samples.iter().map(|s| (s.content, s.label, s.width)).collect();
        key.sort_unstable();
        key
    };
    assert_eq!(key(&shards), key(&plain));
    let which: Vec<usize> = (0..24).collect();
    let loaded = load(&shards, &which, &RULE, None, OnBadImage::Fail, &|_| {}, &|| false).unwrap();
    assert_eq!(loaded.decoded, 24);
    // One shard by its own name; with its images to label.
    let one = scan_at(&data.join("photos-0001.tar")).unwrap();
    assert_eq!(one.samples.len(), 14);
    assert_eq!(scan_images(&[data.path().to_owned()], OnBadImage::Fail, None).unwrap().samples.len(), 24);
}

#[test]
fn splits_are_in_the_names_of_shards_or_of_their_folders() {
    for names in [
        ["train-000000.tar", "train-000001.tar", "val-000000.tar", "test-000000.tar"],
        ["imagenet-train-0.tar", "imagenet-train-1.tar", "imagenet-validation-0.tar", "imagenet-test-0.tar"],
        ["train/0.tar", "train/1.tar", "valid/0.tar", "test/0.tar"],
    ] {
        let data = Data::new();
        for (at, name) in names.iter().enumerate() {
            data.write(name, shard(at as u32 * 10..at as u32 * 10 + 10, 3));
        }
        let dataset = data.scan().unwrap();
        assert_eq!(counts(&dataset), [20, 10, 10], "{names:?}");
        assert_eq!(dataset.taken.what[0], "train 2 shards, val 1 shard, test 1 shard");
        let classes = ["00", "01", "02"].map(str::to_owned);
        let judged = scan_labelled(data.path(), &classes, &LabelledOptions::default(), None).unwrap();
        assert_eq!((judged.split, judged.dataset.samples.len()), (Some(Split::Val), 10));
    }
    let data = Data::new();
    data.write("train-0.tar", shard(0..10, 3));
    data.write("more-0.tar", shard(10..20, 3));
    let error = data.scan().unwrap_err();
    assert!(error.to_string().contains("name all of them after their splits"), "{error}");
}

#[test]
fn numbers_are_named_by_a_file_beside_them() {
    let data = Data::new();
    data.write("a-0.tar", shard(0..10, 2));
    data.write("classnames.txt", "tench\ngreat white shark\n");
    let dataset = data.scan().unwrap();
    assert_eq!(dataset.classes, ["great white shark", "tench"]);
    let of = |name: &str| {
        let path = data.join("a-0.tar").join(name);
        dataset.samples.iter().find(|sample| sample.path == path).unwrap().label
    };
    assert_eq!((of("00000.png"), of("00001.png")), (1, 0));
    data.write("classnames.txt", "tench\n");
    let error = data.scan().unwrap_err().to_string();
    assert!(error.contains("is of class 1") && error.contains("names 1 classes"), "{error}");
    data.write("classnames.txt", "tench\n\nshark\n");
    assert!(data.scan().unwrap_err().to_string().contains("line 2 is empty"));
    data.write("classnames.txt", "shark\nshark\n");
    assert!(data.scan().unwrap_err().to_string().contains("two lines name the class \"shark\""));
    // A label may be the name itself.
    let image = [png(1), png(2)];
    let names = ["nevus", "mel"];
    let named = Data::new();
    named.write(
        "a.tar",
        tar_of((0..2).flat_map(|i| {
            [(format!("d/{i}.cls"), names[i].as_bytes()), (format!("d/{i}.PNG"), image[i].as_slice())]
        })),
    );
    assert_eq!(scan_at(&named.join("a.tar")).unwrap().classes, ["mel", "nevus"]);
}

#[test]
fn wrong_shards_are_told() {
    let image = png(7);
    let image = image.as_slice();
    let file = |name: &str, bytes: &'static [u8]| (name.to_owned(), bytes);
    let good = || {
        [("0.png".to_owned(), image), file("0.cls", b"0"), ("1.png".to_owned(), image), file("1.cls", b"1")]
    };
    for (more, said) in [
        (vec![("2.png".to_owned(), image)], "1 of its images have no .cls beside them, the first is 2.png"),
        (vec![("2.png".to_owned(), image), file("2.cls", b" \n")], "2.cls is empty"),
        (vec![("2.png".to_owned(), image), file("2.cls", b"\xff\xfe")], "2.cls is no text"),
        (vec![("0.png".to_owned(), image), file("0.cls", b"1")], "it has 0.png more than once"),
        (vec![("2.png".to_owned(), image), file("2.cls", b"-1")], "2.png is of class -1"),
        (
            vec![("2.png".to_owned(), image), file("2.cls", b"nevus")],
            "the name \"nevus\": write all of them alike",
        ),
        (
            vec![("2.png".to_owned(), image), ("2.jpg".to_owned(), image), file("2.cls", b"0")],
            "several images, 2.jpg, 2.png",
        ),
    ] {
        let data = Data::new();
        data.write("a.tar", tar_of(good().into_iter().chain(more)));
        let error = data.scan().unwrap_err();
        assert!(matches!(error, ScanError::Shard { .. }), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    // Masks are no pictures of their own, and a picture that is not read here is counted.
    let data = Data::new();
    let more =
        [("0.seg.png".to_owned(), image), file("2.avif", b"x"), file("2.cls", b"1"), file("._3.png", b"x")];
    data.write("a.tar", tar_of(good().into_iter().chain(more)));
    let dataset = data.scan().unwrap();
    assert_eq!((dataset.samples.len(), dataset.ignored_files), (2, 1));
    assert_eq!(dataset.other_pictures[0].extension, "avif");
    // A shard that was cut.
    let whole = tar_of(good());
    data.write("b.tar", &whole[..whole.len() - 1024]);
    assert!(data.scan().unwrap_err().to_string().contains("ends too early"));
    // Also where it is the first.
    data.write("0.tar", &whole[..whole.len() - 1024]);
    assert!(data.scan().unwrap_err().to_string().contains("0.tar: it ends too early"));
    // A key of folders is passed over nowhere.
    let options = ScanOptions {
        layout: pupila_dataset::Layout { train: vec!["x".into()], ..Default::default() },
        ..ScanOptions::default()
    };
    assert!(scan(&data.join("a.tar"), &options, None).unwrap_err().to_string().contains("data are shards"));
}

#[test]
fn more_shards_than_files_may_be_open() {
    let data = Data::new();
    (0..300).for_each(|at| data.write(format!("a-{at:04}.tar"), shard(at * 2..at * 2 + 2, 2)));
    let cache_folder = Data::new();
    let cache = Cache::open(cache_folder.join("cache"), Cache::DEFAULT_MAX_BYTES).at(common::tomorrow());
    let first = scan(data.path(), &ScanOptions::default(), Some(&cache)).unwrap();
    let again = scan(data.path(), &ScanOptions::default(), Some(&cache)).unwrap();
    let contents = |dataset: &Dataset| -> Vec<u128> { dataset.samples.iter().map(|s| s.content).collect() };
    assert_eq!((first.samples.len(), contents(&first)), (600, contents(&again)));
    let which: Vec<usize> = (0..600).rev().collect();
    let loaded = load(&again, &which, &RULE, None, OnBadImage::Fail, &|_| {}, &|| false).unwrap();
    assert_eq!(loaded.decoded, 600);
    #[cfg(target_os = "linux")]
    assert!(std::fs::read_dir("/proc/self/fd").unwrap().count() < 100);
}

#[test]
fn shards_that_are_not_read_are_told_as_such() {
    let whole = shard(0..8, 2);
    let images = |ending: &str| {
        let samples: Vec<(String, Vec<u8>)> = (0..8)
            .flat_map(|number: u32| {
                [(format!("{number:04}.png"), png(number)), (format!("{number:04}.{ending}"), b"0".to_vec())]
            })
            .filter(|(name, _)| !name.ends_with('.'))
            .collect();
        tar_of(samples.iter().map(|(name, bytes)| (name.clone(), bytes.as_slice())))
    };
    let told = |beside: &[(&str, &[u8])], shard: &[u8]| {
        let data = Data::new();
        data.write("s-0.tar", shard);
        data.write("s-1.tar", shard);
        beside.iter().for_each(|(name, bytes)| data.write(name, bytes));
        let all = scan_at(data.path()).unwrap_err().to_string();
        (all, scan_at(&data.join("s-0.tar")).map_err(|error| error.to_string()))
    };
    let stray = png(9);
    for (beside, name) in [([("stray.png", &stray[..])], "stray.png"), ([("extra/readme.md", b"x")], "extra")]
    {
        let (words, one) = told(&beside, &whole);
        assert!(
            words.contains(&format!("it holds shards, such as s-0.tar, and {name} beside them")),
            "{words}"
        );
        assert!(one.is_ok());
    }
    for (ending, beside) in
        [("", ""), ("json", " (0000.json is not read)"), ("txt", " (0000.txt is not read)")]
    {
        let (words, one) = told(&[], &images(ending));
        let expected = format!("there is no 0000.cls beside 0000.png{beside}");
        assert!(words.contains(&expected), "{words}");
        assert!(one.unwrap_err().contains(&expected));
    }
    let data = Data::new();
    data.write("s-0.tar", &whole);
    let words = scan_at(&data.join("s-{0..1}.tar")).unwrap_err().to_string();
    assert!(words.contains("shards are named by their folder"), "{words}");
    // Archives of class folders are told as before.
    let folders = tar_of([("a/1.png".to_owned(), &stray[..]), ("b/1.png".to_owned(), &stray[..])]);
    let data = Data::new();
    data.write("one.tar", &folders);
    data.write("two.tar", &folders);
    assert!(matches!(scan_at(data.path()), Err(ScanError::ArchivesInside { .. })));
}
