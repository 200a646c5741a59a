//! Archives are read where they lie, and say the same as the folders that were packed.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use common::{Data, RULE, paths, tar_of};
use flate2::Compression;
use flate2::write::GzEncoder;
use pupila_dataset::{
    Cache, Dataset, Form, LabelledOptions, OnBadImage, ScanError, ScanOptions, Split, load, read_file, scan,
    scan_images, scan_labelled,
};
use zip::write::SimpleFileOptions;

/// The files of a folder with their paths below it, in the order of the paths.
fn files_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    fn descend(root: &Path, folder: &Path, all: &mut Vec<(String, Vec<u8>)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                descend(root, &path, all);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                all.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    let mut all = Vec::new();
    descend(folder, folder, &mut all);
    all.sort();
    all
}

fn zip_of<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>, packed: bool) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let method = if packed { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    for (name, bytes) in files {
        zip.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The folder in each kind of archive, with `above` before all names.
fn packed(folder: &Path, above: &str) -> Vec<(&'static str, Vec<u8>)> {
    let files: Vec<(String, Vec<u8>)> =
        files_of(folder).into_iter().map(|(name, bytes)| (format!("{above}{name}"), bytes)).collect();
    let all = || files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let tar = tar_of(all());
    vec![
        ("a.zip", zip_of(all(), true)),
        ("stored.zip", zip_of(all(), false)),
        ("a.tar.gz", gz(&tar)),
        // By its content, whatever it is called.
        ("a.data", tar.clone()),
        ("a.tar", tar),
    ]
}

/// What a data set says but for where it is.
fn said(dataset: &Dataset) -> Vec<(String, u32, Split, u128, u32, u32)> {
    let of =
        |(path, s): (String, &pupila_dataset::Sample)| (path, s.label, s.split, s.content, s.width, s.height);
    paths(dataset).into_iter().zip(&dataset.samples).map(of).collect()
}

fn scan_at(path: &Path) -> Result<Dataset, ScanError> {
    scan(path, &ScanOptions::default(), None)
}

fn pixels(dataset: &Dataset) -> Vec<u8> {
    let which: Vec<usize> = (0..dataset.samples.len()).collect();
    let none: &(dyn Fn() -> bool + Sync) = &|| false;
    let loaded = load(dataset, &which, &RULE, None, OnBadImage::Fail, &|_| {}, none).unwrap();
    loaded.pixels.into_data()
}

#[test]
fn an_archive_says_what_its_folder_says() {
    let classes = Data::classes(&["cat", "dog"], 6);
    let splits = Data::new();
    splits.add_classes("Training Set", &["cat", "dog"], 5);
    splits.add_classes("test_set", &["cat", "dog"], 2);
    let table = Data::new();
    (0..8).for_each(|i| table.png(format!("images/{i}.png"), i));
    let rows: String = (0..8).map(|i| format!("{i},{}\n", ["mel", "nv"][i % 2])).collect();
    table.write("metadata.csv", format!("image_id,dx\n{rows}"));
    let beside = Data::new();
    (0..8).for_each(|i| beside.png(format!("{i}.png"), i));
    let rows: String = (0..8).map(|i| format!("{i}.png,{}\n", ["mel", "nv"][i % 2])).collect();
    beside.write("labels.csv", format!("file,class\n{rows}"));
    for (folder, form) in [
        (&classes, Form::ClassFolders),
        (&splits, Form::SplitFolders),
        (&table, Form::Manifest),
        (&beside, Form::Manifest),
    ] {
        let plain = folder.scan().unwrap();
        assert_eq!(plain.form, form);
        for above in ["", "photos/", "a/b/", "./"] {
            for (name, bytes) in packed(folder.path(), above) {
                let data = Data::new();
                data.write(name, bytes);
                let dataset = scan_at(&data.join(name)).unwrap();
                assert_eq!(said(&dataset), said(&plain), "{name} {above}");
                assert_eq!((dataset.form, &dataset.classes), (form, &plain.classes));
                assert_eq!(pixels(&dataset), pixels(&plain), "{name} {above}");
                // What a run writes down of an image opens it again.
                let first = &dataset.samples[0].path;
                assert!(first.starts_with(data.join(name)));
                assert_eq!(read_file(first).unwrap(), fs::read(&plain.samples[0].path).unwrap());
            }
        }
    }
}

#[test]
fn a_model_is_judged_on_an_archive_and_labels_one() {
    let folder = Data::new();
    folder.add_classes("train", &["cat", "dog"], 3);
    folder.add_classes("val", &["cat", "dog"], 2);
    let classes = ["cat".to_owned(), "dog".to_owned()];
    for (name, bytes) in packed(folder.path(), "set/") {
        let data = Data::new();
        data.write(name, bytes);
        let path = data.join(name);
        let judged = scan_labelled(&path, &classes, &LabelledOptions::default(), None).unwrap();
        assert_eq!((judged.split, judged.dataset.samples.len()), (Some(Split::Val), 4));
        let all = scan_images(std::slice::from_ref(&path), OnBadImage::Fail, None).unwrap();
        assert_eq!(all.samples.len(), 10);
        // Folders and files in it, by name.
        let some =
            [path.join("set/val/dog"), path.join("set/train/cat/001.png"), path.join("set/val/dog/000.png")];
        let some = scan_images(&some, OnBadImage::Fail, None).unwrap();
        assert_eq!(some.samples.len(), 3);
        let missing = scan_images(&[path.join("set/val/mouse")], OnBadImage::Fail, None).unwrap_err();
        assert!(missing.to_string().contains("mouse"), "{missing}");
    }
}

#[test]
fn what_a_cache_knows_of_an_archive_ends_with_it() {
    let (old, new) = (Data::classes(&["cat", "dog"], 3), Data::classes(&["cow", "hen"], 4));
    let data = Data::new();
    let path = data.join("a.zip");
    for folder in [&old, &new, &old] {
        let cache = Cache::open(data.join("cache"), Cache::DEFAULT_MAX_BYTES).at(common::tomorrow());
        let files = files_of(folder.path());
        data.write("a.zip", zip_of(files.iter().map(|(n, b)| (n.as_str(), b.as_slice())), true));
        let plain = folder.scan().unwrap();
        for _ in 0..2 {
            let dataset = scan(&path, &ScanOptions::default(), Some(&cache)).unwrap();
            assert_eq!(said(&dataset), said(&plain));
        }
    }
}

#[test]
fn an_archive_is_entered_only_where_it_is_named() {
    let data = Data::classes(&["cat", "dog"], 3);
    let inner = files_of(data.path());
    let zip = zip_of(inner.iter().map(|(n, b)| (n.as_str(), b.as_slice())), true);
    data.write("cat/more.zip", &zip);
    let dataset = data.scan().unwrap();
    assert_eq!((dataset.samples.len(), dataset.ignored_files), (6, 1));
    // Nor an archive in an archive.
    let outer = Data::new();
    outer.write("o.zip", zip_of([("x/in.zip", zip.as_slice())], false));
    assert!(scan_at(&outer.join("o.zip")).unwrap_err().to_string().contains("no images"));
    // A folder with nothing else says what to type.
    let only = Data::new();
    only.write("photos.zip", &zip);
    let error = only.scan().unwrap_err();
    assert!(
        matches!(&error, ScanError::ArchivesInside { archives, .. } if *archives == [only.join("photos.zip")])
    );
}

#[test]
fn names_in_archives_cannot_lead_out_of_them() {
    let png = common::png(1);
    let names = [
        "../../cat/a.png",
        "cat/../../a.png",
        "/cat/abs.png",
        "cat//b.png",
        "./dog/./c.png",
        "dog/d.png",
        "..",
    ];
    let data = Data::new();
    data.write("a.zip", zip_of(names.iter().map(|&name| (name, png.as_slice())), true));
    let dataset = scan_at(&data.join("a.zip")).unwrap();
    let mut found = paths(&dataset);
    found.sort();
    assert_eq!(found, ["cat/a.png", "cat/abs.png", "cat/b.png", "dog/c.png", "dog/d.png"]);
    // As programs of Windows write them.
    let names = ["cat\\a.png", "cat\\b.png", "dog\\c.png", "dog\\d.png"];
    data.write("w.zip", zip_of(names.iter().map(|&name| (name, png.as_slice())), true));
    assert_eq!(scan_at(&data.join("w.zip")).unwrap().classes, ["cat", "dog"]);
}

#[test]
fn links_in_tar_files_are_followed_where_they_name_a_file() {
    let png = common::png(1);
    let mut tar = tar::Builder::new(Vec::new());
    for name in ["cat/a.png", "cat/b.png", "dog/c.png"] {
        let mut header = tar::Header::new_gnu();
        header.set_size(png.len() as u64);
        tar.append_data(&mut header, name, png.as_slice()).unwrap();
    }
    for (kind, name, target) in [
        (tar::EntryType::Link, "dog/hard.png", "cat/a.png"),
        (tar::EntryType::Link, "dog/out.png", "../../etc/passwd"),
        (tar::EntryType::Symlink, "dog/soft.png", "/etc/passwd"),
        (tar::EntryType::Symlink, "dog/up.png", "../cat/b.png"),
        (tar::EntryType::Symlink, "dog/beside.png", "later.png"),
        (tar::EntryType::Symlink, "dog/out2.png", "../../cat/b.png"),
        (tar::EntryType::Symlink, "dog/gone.png", "nothing.png"),
        (tar::EntryType::Fifo, "dog/pipe.png", ""),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        if target.is_empty() {
            tar.append_data(&mut header, name, std::io::empty()).unwrap();
        } else {
            tar.append_link(&mut header, name, target).unwrap();
        }
    }
    let long = format!("cat/{}/{}.png", "f".repeat(150), "n".repeat(120));
    for name in ["dog/later.png", &long] {
        let mut header = tar::Header::new_gnu();
        header.set_size(png.len() as u64);
        tar.append_data(&mut header, name, png.as_slice()).unwrap();
    }
    let data = Data::new();
    data.write("a.tar", tar.into_inner().unwrap());
    let mut found = paths(&scan_at(&data.join("a.tar")).unwrap());
    found.sort();
    let expected = [
        "cat/a.png",
        "cat/b.png",
        &long,
        "dog/beside.png",
        "dog/c.png",
        "dog/hard.png",
        "dog/later.png",
        "dog/up.png",
    ];
    assert_eq!(found, expected);
}

#[test]
fn damaged_archives_are_errors_or_lose_what_they_list() {
    let folder = Data::classes(&["cat", "dog"], 2);
    for (name, whole) in packed(folder.path(), "") {
        let data = Data::new();
        let path = data.join(name);
        // Cut anywhere, and with bytes turned over: an error, or bad images that are listed, and never a hang or a panic.
        let cuts = (0..whole.len()).step_by(whole.len() / 40 + 1).map(|cut| whole[..cut].to_vec());
        let flips = (0..whole.len()).step_by(whole.len() / 80 + 1).map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xFF;
            bytes
        });
        let mut failed = 0;
        for bytes in cuts.chain(flips) {
            data.write(name, &bytes);
            match scan_at(&path) {
                Ok(dataset) => {
                    let none: &(dyn Fn() -> bool + Sync) = &|| false;
                    let which: Vec<usize> = (0..dataset.samples.len()).collect();
                    let _ = load(&dataset, &which, &RULE, None, OnBadImage::Skip, &|_| {}, none);
                }
                Err(_) => failed += 1,
            }
        }
        assert!(failed > 20, "{name}: {failed}");
    }
    // A tar file that was cut has lost nobody knows what.
    let tar = &packed(folder.path(), "")[4];
    assert_eq!(tar.0, "a.tar");
    let data = Data::new();
    for cut in (0..tar.1.len() - 1024).step_by(256) {
        data.write("a.tar", &tar.1[..cut]);
        assert!(scan_at(&data.join("a.tar")).is_err(), "{cut} of {}", tar.1.len());
    }
    data.write("a.tar", &tar.1[..tar.1.len() - 512]);
    assert_eq!(scan_at(&data.join("a.tar")).unwrap().samples.len(), 4);
    let data = Data::new();
    for (start, said) in [
        (&b"7z\xBC\xAF\x27\x1C rest"[..], "7z x"),
        (b"Rar!\x1A\x07\x01\x00 rest", "unrar x"),
        (b"BZh91AY rest", "tar -xf"),
    ] {
        data.write("a.xyz", start);
        let error = scan_at(&data.join("a.xyz")).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_bad_image_of_an_archive_is_listed_with_its_place() {
    let folder = Data::classes(&["cat", "dog"], 3);
    folder.write("dog/bad.png", b"no picture");
    let files = files_of(folder.path());
    let data = Data::new();
    data.write("a.zip", zip_of(files.iter().map(|(n, b)| (n.as_str(), b.as_slice())), true));
    let dataset = scan_at(&data.join("a.zip")).unwrap();
    let bad: Vec<PathBuf> = dataset.skipped.iter().map(|bad| bad.path.clone()).collect();
    assert_eq!(bad, [data.join("a.zip/dog/bad.png")]);
}
