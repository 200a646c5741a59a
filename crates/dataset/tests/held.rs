//! Images that are held apart from memory are those that are held in it, whatever becomes of the cache.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Data, RULE};
use pupila_dataset::{
    Cache, Dataset, Fit, Hold, Keep, LoadError, Loaded, Notice, OnBadImage, ResizeRule, ScanOptions,
    load_held, scan,
};

const MAX: u64 = 1 << 30;

fn dataset(data: &Data) -> Dataset {
    scan(data.path(), &ScanOptions { val_frac: 0.25, ..ScanOptions::default() }, None).unwrap()
}

fn held(
    dataset: &Dataset,
    rule: &ResizeRule,
    cache: Option<&Cache>,
    hold: Hold,
) -> Result<Loaded, LoadError> {
    let which: Vec<usize> = (0..dataset.samples.len()).collect();
    load_held(dataset, &which, rule, cache, OnBadImage::Skip, hold, &|_| {}, &|| false)
}

/// Inputs of a crop, of images to train on that are kept.
fn kept() -> ResizeRule {
    ResizeRule { fit: Fit::Crop { cover: [5, 5] }, keep: Some(Keep::ShorterSide(6)), ..RULE }
}

fn packs(cache: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in fs::read_dir(cache.join("v1/pixels")).into_iter().flatten().flatten() {
        found.extend(fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()));
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "pack"));
    found
}

#[test]
fn wherever_images_are_held_they_are_the_same() {
    let data = Data::classes(&["a", "b"], 12);
    let dataset = dataset(&data);
    for rule in [RULE, kept()] {
        let cache = Cache::open(data.join("cache"), MAX);
        let memory = held(&dataset, &rule, None, Hold::Memory).unwrap();
        assert_eq!(memory.pixels.apart(), (0, 0));
        // Cold, then warm, then beside packs that another way wrote.
        for from_cache in [0, 24] {
            let apart = held(&dataset, &rule, Some(&cache), Hold::Cache).unwrap();
            assert!(apart.pixels == memory.pixels && apart.kept == memory.kept);
            assert_eq!((apart.from_cache, apart.pixels.apart()), (from_cache, (24, 0)));
            assert!(apart.notices.is_empty());
        }
        let copied = held(&dataset, &rule, Some(&cache), Hold::Memory).unwrap();
        assert!(copied.pixels == memory.pixels && copied.from_cache == 24);
        let files = held(&dataset, &rule, Some(&cache), Hold::Files).unwrap();
        assert!(files.pixels == memory.pixels);
        assert_eq!(files.pixels.apart(), (0, 24));
    }
}

#[test]
fn pictures_that_are_kept_whole_are_stored_once_however_they_are_resized() {
    use pupila_image::Interpolation::{Area, Cubic, Linear};
    let data = Data::classes(&["a", "b"], 12);
    let dataset = dataset(&data);
    let cache = Cache::open(data.join("cache"), MAX);
    let whole = ResizeRule { fit: Fit::Crop { cover: [5, 5] }, keep: Some(Keep::Whole), ..RULE };
    let kept = ResizeRule { keep: Some(Keep::ShorterSide(6)), ..whole };
    // Of 24 the 18 to train on are kept; the others are inputs, which are resized.
    for (rule, stored) in [(whole, 18), (kept, 0)] {
        let ways = [(Area, false, false), (Cubic, true, false), (Linear, false, false), (Area, false, true)];
        for (number, (interpolation, antialias, scaled_decoding)) in ways.into_iter().enumerate() {
            let rule = ResizeRule { interpolation, antialias, scaled_decoding, ..rule };
            let loaded = held(&dataset, &rule, Some(&cache), Hold::Memory).unwrap();
            assert_eq!(loaded.from_cache, if number == 0 { 0 } else { stored }, "{rule:?}");
            assert!(loaded.pixels == held(&dataset, &rule, None, Hold::Memory).unwrap().pixels, "{rule:?}");
        }
    }
}

#[test]
fn what_is_left_in_the_cache_outlives_its_files_and_damage_is_decoded_again() {
    let data = Data::classes(&["a", "b"], 12);
    let dataset = dataset(&data);
    let cache = Cache::open(data.join("cache"), MAX);
    let memory = held(&dataset, &kept(), None, Hold::Memory).unwrap();
    let apart = held(&dataset, &kept(), Some(&cache), Hold::Cache).unwrap();
    // Under a running epoch.
    fs::rename(data.join("cache"), data.join("gone")).unwrap();
    fs::remove_dir_all(data.join("gone")).unwrap();
    assert!(apart.pixels == memory.pixels);

    // What is changed or cut off under it is decoded again.
    let apart = held(&dataset, &kept(), Some(&cache), Hold::Cache).unwrap();
    for (number, pack) in packs(&data.join("cache")).iter().enumerate() {
        let bytes = fs::read(pack).unwrap();
        match number {
            0 => fs::write(pack, bytes.iter().map(|byte| byte ^ 1).collect::<Vec<_>>()).unwrap(),
            _ => fs::OpenOptions::new().write(true).open(pack).unwrap().set_len(30).unwrap(),
        }
    }
    assert!(apart.pixels == memory.pixels);
    fs::remove_dir_all(data.join("cache")).unwrap();

    held(&dataset, &kept(), Some(&cache), Hold::Cache).unwrap();
    for pack in packs(&data.join("cache")) {
        // The pixels of one image, which the checksum of the index does not cover.
        let mut bytes = fs::read(&pack).unwrap();
        bytes[20] ^= 1;
        fs::write(&pack, bytes).unwrap();
    }
    let again = held(&dataset, &kept(), Some(&cache), Hold::Cache).unwrap();
    assert!(again.pixels == memory.pixels);
    assert_eq!((again.decoded, again.pixels.apart()), (24, (24, 0)));
    // A file that ends too early, or whose sizes say otherwise, is no pack.
    for pack in packs(&data.join("cache")) {
        let bytes = fs::read(&pack).unwrap();
        fs::write(&pack, &bytes[..bytes.len() - 25]).unwrap();
    }
    let again = held(&dataset, &kept(), Some(&cache), Hold::Cache).unwrap();
    assert!(again.pixels == memory.pixels);
}

#[test]
fn a_cache_that_is_too_small_or_cannot_be_written_is_said() {
    let data = Data::classes(&["a", "b"], 12);
    let dataset = dataset(&data);
    let memory = held(&dataset, &RULE, None, Hold::Memory).unwrap();
    let anew = |loaded: &Loaded| {
        loaded.notices.iter().find_map(|notice| match notice {
            Notice::DecodedAnew { images, of: 24 } => Some(*images),
            _ => None,
        })
    };
    // Room for some of the images.
    let small = Cache::open(data.join("small"), 10 * (48 + 24) + 40);
    let loaded = held(&dataset, &RULE, Some(&small), Hold::Cache).unwrap();
    assert!(loaded.pixels == memory.pixels);
    assert_eq!((loaded.pixels.apart(), anew(&loaded)), ((10, 14), Some(14)));
    // A folder that is none.
    data.write("file", "no folder");
    let none = Cache::open(data.join("file"), MAX);
    let loaded = held(&dataset, &RULE, Some(&none), Hold::Cache).unwrap();
    assert!(loaded.pixels == memory.pixels && anew(&loaded) == Some(24));
    assert!(loaded.notices.iter().any(|notice| matches!(notice, Notice::Cache { .. })));
}

#[test]
fn bad_images_are_listed_and_a_file_that_is_gone_is_named() {
    let data = Data::classes(&["a", "b"], 12);
    let cut = fs::read(data.join("a/003.png")).unwrap();
    data.write("a/003.png", &cut[..cut.len() - 30]);
    let dataset = dataset(&data);
    let cache = Cache::open(data.join("cache"), MAX);
    let memory = held(&dataset, &RULE, None, Hold::Memory).unwrap();
    let apart = held(&dataset, &RULE, Some(&cache), Hold::Cache).unwrap();
    assert_eq!(apart.skipped.len(), 1);
    assert!(apart.pixels == memory.pixels && apart.skipped == memory.skipped);

    let files = held(&dataset, &RULE, None, Hold::Files).unwrap();
    fs::remove_file(&dataset.samples[files.kept[5]].path).unwrap();
    let gone = files.pixels.image(5).unwrap_err();
    assert_eq!(gone.path, dataset.samples[files.kept[5]].path);
    assert!(files.pixels.image(6).is_ok());
}

#[test]
fn a_picture_that_takes_gigabytes_to_cover_an_input_is_a_bad_one() {
    let data = Data::classes(&["a", "b"], 2);
    for (name, width, height) in [("a/wide.png", 5000, 1), ("b/tall.png", 2, 9000)] {
        let pixels = vec![7; 3 * width as usize * height as usize];
        data.write(
            name,
            pupila_image::encode_png(&pupila_image::Image::new(width, height, 3, pixels).unwrap()).unwrap(),
        );
    }
    let dataset = dataset(&data);
    let crop = ResizeRule { fit: Fit::Crop { cover: [256, 256] }, ..ResizeRule::squash(224, 224, 3) };
    for rule in [crop, ResizeRule { keep: Some(Keep::ShorterSide(256)), ..crop }] {
        for hold in [Hold::Memory, Hold::Files] {
            let loaded = held(&dataset, &rule, None, hold).unwrap();
            let said: Vec<String> = loaded.skipped.iter().map(ToString::to_string).collect();
            assert!(said.len() == 2 && loaded.kept.len() == 4, "{said:?}");
            assert!(said[0].contains("wide.png") && said[0].contains("would be 1280000x256"), "{said:?}");
            assert!(said[1].contains("tall.png") && said[1].contains("would be 256x1152000"), "{said:?}");
        }
    }
    // Letterboxes and squares of them are small.
    for fit in [Fit::Letterbox, Fit::Squash] {
        let loaded = held(&dataset, &ResizeRule { fit, ..crop }, None, Hold::Memory).unwrap();
        assert!(loaded.skipped.is_empty() && loaded.kept.len() == 6);
    }
}

#[test]
fn an_interruption_leaves_what_was_decoded() {
    let data = Data::classes(&["a", "b"], 12);
    let dataset = dataset(&data);
    let cache = Cache::open(data.join("cache"), MAX);
    let which: Vec<usize> = (0..24).collect();
    let asked = AtomicUsize::new(0);
    let stops = || asked.fetch_add(1, Ordering::SeqCst) >= 7;
    let stopped =
        load_held(&dataset, &which, &RULE, Some(&cache), OnBadImage::Skip, Hold::Cache, &|_| {}, &stops);
    assert!(matches!(stopped, Err(LoadError::Interrupted)));
    let loaded = held(&dataset, &RULE, Some(&cache), Hold::Cache).unwrap();
    assert_eq!((loaded.from_cache, loaded.decoded), (7, 17));
    assert!(loaded.pixels == held(&dataset, &RULE, None, Hold::Memory).unwrap().pixels);
}
