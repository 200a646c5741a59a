//! The cache against flipped bits and lost ends, of packs and their indices, of facts about files, of kept features: what is read is what was
//! written, or it is not read and made anew.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Data, RULE, tomorrow};
use pupila_dataset::{
    Cache, Dataset, Fit, Hold, Keep, Loaded, OnBadImage, ResizeRule, ScanOptions, load_held, scan,
};

const MAX: u64 = 1 << 30;

/// Draws numbers, the same in every run.
struct Draws(u64);

impl Draws {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

/// A file with a bit changed, or cut, for each number: half of them each.
fn damaged(whole: &[u8], number: usize, draws: &mut Draws) -> (Vec<u8>, String) {
    let mut bytes = whole.to_vec();
    if number.is_multiple_of(2) {
        let (at, bit) = (draws.below(bytes.len()), draws.below(8));
        bytes[at] ^= 1 << bit;
        (bytes, format!("bit {bit} of byte {at}"))
    } else {
        let len = draws.below(bytes.len());
        bytes.truncate(len);
        (bytes, format!("cut to {len}"))
    }
}

/// The files of a cache with their content.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

/// Puts back what was there.
fn restore(folder: &Path, whole: &[(PathBuf, Vec<u8>)]) {
    fs::remove_dir_all(folder).unwrap();
    for (path, bytes) in whole {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Inputs of a crop, of images to train on that are kept in sizes of their own.
fn kept() -> ResizeRule {
    ResizeRule { fit: Fit::Crop { cover: [5, 5] }, keep: Some(Keep::ShorterSide(6)), ..RULE }
}

fn loaded(dataset: &Dataset, rule: &ResizeRule, cache: Option<&Cache>, hold: Hold) -> Loaded {
    let which: Vec<usize> = (0..dataset.samples.len()).collect();
    load_held(dataset, &which, rule, cache, OnBadImage::Fail, hold, &|_| {}, &|| false).unwrap()
}

#[test]
fn no_damaged_pack_changes_a_pixel() {
    let data = Data::classes(&["a", "b"], 2);
    let cache_folder = tempfile::tempdir().unwrap();
    let folder = cache_folder.path().join("cache");
    let dataset = scan(data.path(), &ScanOptions { val_frac: 0.5, ..ScanOptions::default() }, None).unwrap();
    let mut draws = Draws(3);
    let mut made_anew = 0;
    for (rule, hold) in
        [(RULE, Hold::Memory), (RULE, Hold::Cache), (kept(), Hold::Memory), (kept(), Hold::Cache)]
    {
        let expected = loaded(&dataset, &rule, None, Hold::Memory);
        let _ = fs::remove_dir_all(&folder);
        loaded(&dataset, &rule, Some(&Cache::open(&folder, MAX)), hold);
        let whole = files(&folder);
        assert!(!whole.is_empty());
        for number in 0..1000 {
            restore(&folder, &whole);
            let (path, bytes) = &whole[number / 2 % whole.len()];
            let (bytes, what) = damaged(bytes, number, &mut draws);
            fs::write(path, bytes).unwrap();
            let cache = Cache::open(&folder, MAX);
            let read = loaded(&dataset, &rule, Some(&cache), hold);
            assert!(read.pixels == expected.pixels && read.kept == expected.kept, "{rule:?} {hold:?} {what}");
            made_anew += usize::from(read.from_cache < dataset.samples.len());
        }
    }
    // It can tell: nearly all of them cost an image.
    assert!(made_anew > 3000, "{made_anew}");
}

#[test]
fn no_damaged_index_of_facts_changes_a_data_set() {
    let data = Data::classes(&["a", "b"], 3);
    let cache_folder = tempfile::tempdir().unwrap();
    let folder = cache_folder.path().join("cache");
    let open = || Cache::open(&folder, MAX).at(tomorrow());
    let said = |dataset: &Dataset| -> Vec<_> {
        let of = |sample: &pupila_dataset::Sample| {
            (
                sample.path.clone(),
                sample.label,
                sample.split,
                sample.content,
                sample.width,
                sample.height,
                sample.channels,
            )
        };
        dataset.samples.iter().map(of).collect()
    };
    let expected = said(&data.scan_with(&open()));
    let whole = files(&folder);
    assert_eq!(whole.len(), 1);
    let mut draws = Draws(5);
    for number in 0..2000 {
        let (bytes, what) = damaged(&whole[0].1, number, &mut draws);
        fs::write(&whole[0].0, bytes).unwrap();
        assert_eq!(said(&data.scan_with(&open())), expected, "{what}");
    }
}

#[test]
fn no_damaged_record_is_handed_out() {
    let cache_folder = tempfile::tempdir().unwrap();
    let folder = cache_folder.path().join("cache");
    let record = |of: u128| -> Vec<u8> {
        (0..64u8).map(|at| (of as u8).wrapping_mul(31).wrapping_add(at.wrapping_mul(7))).collect()
    };
    let contents: Vec<u128> = (1..=20).map(|n| n << 64 | n).collect();
    let records: Vec<Vec<u8>> = contents.iter().map(|&of| record(of)).collect();
    let entries = contents.iter().zip(&records).map(|(&of, bytes)| (of, &bytes[..]));
    Cache::open(&folder, MAX).write_records("features-a", 64, entries.collect::<Vec<_>>().into_iter());
    let whole = files(&folder);
    assert_eq!(whole.len(), 1);
    let mut draws = Draws(7);
    let mut lost = 0;
    for number in 0..4000 {
        restore(&folder, &whole);
        let (bytes, what) = damaged(&whole[0].1, number, &mut draws);
        fs::write(&whole[0].0, bytes).unwrap();
        let mut read = 0;
        Cache::open(&folder, MAX).read_records("features-a", 64, &contents, |place, bytes| {
            assert_eq!(bytes, records[place], "{what}");
            read += 1;
        });
        lost += usize::from(read < contents.len());
    }
    assert!(lost > 3900, "{lost}");
}
