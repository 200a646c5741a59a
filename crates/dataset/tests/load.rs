//! Pixels and the cache: the same bytes whatever happens to the cache.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use common::{Data, RULE, png, set_modified, summary, tomorrow};
use pupila_dataset::{Cache, Dataset, LoadError, Loaded, Notice, OnBadImage, ResizeRule, load};
use pupila_image::{Image, Interpolation, Reading, encode_jpeg, encode_png};
use tempfile::TempDir;

const MAX: u64 = 1 << 30;
const HOUR: Duration = Duration::from_secs(60 * 60);

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

fn load_all(dataset: &Dataset, cache: Option<&Cache>) -> Loaded {
    let which: Vec<usize> = (0..dataset.samples.len()).collect();
    load(dataset, &which, &RULE, cache, OnBadImage::Skip, &|_| {}, &|| false).unwrap()
}

fn packs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for rule in fs::read_dir(folder.join("v1/pixels")).into_iter().flatten().flatten() {
        found.extend(fs::read_dir(rule.path()).unwrap().map(|entry| entry.unwrap().path()));
    }
    found.sort();
    found
}

fn total_bytes(folder: &Path) -> u64 {
    packs(folder).iter().map(|pack| fs::metadata(pack).unwrap().len()).sum()
}

#[test]
fn the_cache_gives_the_pixels_that_decoding_gave() {
    let data = Data::classes(&["a", "b"], 20);
    data.png("a/copy.png", 1234);
    data.png("b/copy.png", 1234);
    let folder = TempDir::new().unwrap();
    let cache = Cache::open(folder.path(), MAX);
    let dataset = data.scan().unwrap();
    let plain = load_all(&dataset, None);
    assert_eq!((plain.decoded, plain.from_cache, plain.pixels.len()), (42, 0, 42));
    let cold = load_all(&dataset, Some(&cache));
    assert_eq!((cold.decoded, cold.from_cache), (42, 0));
    let warm = load_all(&dataset, Some(&cache));
    assert_eq!((warm.decoded, warm.from_cache), (0, 42));
    assert!(plain.pixels == cold.pixels && cold.pixels == warm.pixels);
    assert_eq!(warm.kept, (0..42).collect::<Vec<_>>());
    // Another rule has its own packs; a part in another order is found by content.
    let small = ResizeRule { width: 2, channels: 1, ..RULE };
    let which = [7, 3, 3];
    let done = AtomicUsize::new(0);
    let progress = |n| {
        done.fetch_add(n, Ordering::Relaxed);
    };
    let first = load(&dataset, &which, &small, Some(&cache), OnBadImage::Skip, &progress, &|| false).unwrap();
    assert_eq!((first.decoded, first.pixels.len(), done.into_inner()), (3, 3, 3));
    assert_eq!(first.pixels.image(1).unwrap(), first.pixels.image(2).unwrap());
    assert_eq!(packs(folder.path()).len(), 2);
    assert!(cache.take_warnings().is_empty());
}

#[test]
fn damage_anywhere_in_a_pack_is_noticed() {
    let data = Data::classes(&["a", "b"], 4);
    let dataset = data.scan().unwrap();
    let right = load_all(&dataset, None).pixels;
    let folder = TempDir::new().unwrap();
    let cache = Cache::open(folder.path(), MAX);
    load_all(&dataset, Some(&cache));
    let written = packs(folder.path()).remove(0);
    let whole = fs::read(&written).unwrap();
    // Where packs of this resize rule and decoder are looked for.
    let pack = written.with_file_name("x.pack");
    let restore = |bytes: &[u8]| {
        let all = packs(folder.path());
        for old in &all {
            fs::remove_file(old).unwrap();
        }
        fs::write(&pack, bytes).unwrap();
    };
    let mut cases = 0;
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        restore(&damaged);
        let loaded = load_all(&dataset, Some(&cache));
        assert!(loaded.pixels == right, "byte {at}");
        assert!(loaded.decoded > 0, "byte {at} of {} is not checked", whole.len());
        // The damaged pack is gone, and nothing of it is lost.
        assert!(!pack.exists());
        assert_eq!(load_all(&dataset, Some(&cache)).from_cache, 8);
        cases += 1;
    }
    for len in 0..whole.len() {
        restore(&whole[..len]);
        let loaded = load_all(&dataset, Some(&cache));
        assert!(loaded.pixels == right && loaded.decoded == 8, "{len} bytes");
        cases += 1;
    }
    assert_eq!(cases, 2 * whole.len());
}

#[test]
fn a_file_with_new_content_is_decoded_again() {
    let data = Data::classes(&["a", "b"], 4);
    let folder = TempDir::new().unwrap();
    let cache = Cache::open(folder.path(), MAX);
    let before = data.scan_with(&cache);
    load_all(&before, Some(&cache));
    // Same length, and as soon after the scan as can be.
    data.png("a/000.png", 999);
    let after = data.scan_with(&cache);
    assert_ne!(before.samples[0].content, after.samples[0].content);
    let loaded = load_all(&after, Some(&cache));
    assert_eq!((loaded.decoded, loaded.from_cache), (1, 7));
    assert!(loaded.pixels == load_all(&after, None).pixels);
}

#[test]
fn a_file_that_changes_between_scan_and_load_does_not_reach_the_cache() {
    let data = Data::classes(&["a", "b"], 4);
    let folder = TempDir::new().unwrap();
    let cache = Cache::open(folder.path(), MAX);
    let dataset = data.scan().unwrap();
    let original = fs::read(data.join("a/000.png")).unwrap();
    data.png("a/000.png", 999);
    let loaded = load_all(&dataset, Some(&cache));
    assert_eq!(loaded.skipped[0].reason, "it changed while it was in use");
    data.write("a/000.png", original);
    assert!(load_all(&dataset, Some(&cache)).pixels == load_all(&dataset, None).pixels);
}

#[cfg(unix)]
#[test]
fn the_stat_index_is_used_for_old_files_and_notices_every_change() {
    use std::os::unix::fs::MetadataExt;
    let data = Data::classes(&["a", "b"], 4);
    let folder = TempDir::new().unwrap();
    // Later than the change times, which cannot be set, and so alone what decides how old the files are.
    let later = tomorrow();
    for path in data.scan().unwrap().samples.iter().map(|sample| &sample.path) {
        set_modified(path, later);
    }
    // As the file system has it.
    let written = modified(&data.join("a/000.png"));
    let index_len = || {
        let index = fs::read_dir(folder.path().join("v1/stat")).unwrap().next().unwrap().unwrap().path();
        (fs::metadata(&index).unwrap().len(), index)
    };
    // All files are younger than the granularity of time that is trusted.
    let early = Cache::open(folder.path(), MAX).at(written + Duration::from_secs(2));
    let first = data.scan_with(&early);
    assert_eq!(index_len().0, 28);
    let cache = Cache::open(folder.path(), MAX).at(written + Duration::from_millis(2001));
    assert_eq!(summary(&data.scan_with(&cache)), summary(&first));
    assert_eq!(index_len().0, 28 + 8 * 80);
    let inode = || fs::metadata(index_len().1).unwrap().ino();
    let index = inode();
    assert_eq!(summary(&data.scan_with(&cache)), summary(&first));
    assert_eq!(inode(), index, "a scan that learns nothing writes nothing");
    // Same length and modification time again: the change time tells.
    let path = data.join("a/000.png");
    let content = fs::read(&path).unwrap();
    let other = (0..).map(png).find(|other| other.len() == content.len() && *other != content).unwrap();
    let stamp = || {
        let file = fs::metadata(&path).unwrap();
        ((file.len(), modified(&path), file.ino()), (file.ctime(), file.ctime_nsec()))
    };
    let before = stamp();
    // It has a granularity too, within which nothing could tell: written until the file system's clock has gone on.
    while stamp().1 == before.1 {
        data.write("a/000.png", &other);
        set_modified(&path, written);
    }
    assert_eq!(stamp().0, before.0);
    assert_ne!(data.scan_with(&cache).samples[0].content, first.samples[0].content);
    // A damaged index is no index.
    let (_, index) = index_len();
    let mut bytes = fs::read(&index).unwrap();
    let reference = summary(&data.scan().unwrap());
    for at in (0..bytes.len()).step_by(7) {
        bytes[at] ^= 4;
        fs::write(&index, &bytes).unwrap();
        assert_eq!(summary(&data.scan_with(&cache)), reference);
        bytes[at] ^= 4;
    }
}

#[test]
fn bad_pixels_are_skipped_or_fail_by_the_policy() {
    let data = Data::classes(&["a", "b"], 4);
    // The header is whole, the pixels are not.
    let whole = png(5);
    data.write("a/001.png", &whole[..whole.len() - 30]);
    let dataset = data.scan().unwrap();
    let which: Vec<usize> = (0..8).collect();
    let loaded = load_all(&dataset, None);
    assert_eq!(loaded.kept, [0, 2, 3, 4, 5, 6, 7]);
    assert!(loaded.skipped[0].path.ends_with("a/001.png"), "{:?}", loaded.skipped);
    for (place, &i) in loaded.kept.iter().enumerate() {
        let one = load(&dataset, &[i], &RULE, None, OnBadImage::Skip, &|_| {}, &|| false).unwrap();
        assert_eq!(one.pixels.image(0).unwrap(), loaded.pixels.image(place).unwrap());
    }
    let error = load(&dataset, &which, &RULE, None, OnBadImage::Fail, &|_| {}, &|| false).unwrap_err();
    assert!(matches!(&error, LoadError::BadImages { bad } if bad.len() == 1), "{error}");
    for i in [0, 2, 3] {
        data.write(format!("a/{i:03}.png"), &whole[..whole.len() - 30]);
    }
    let error = load(&dataset, &which, &RULE, None, OnBadImage::Skip, &|_| {}, &|| false).unwrap_err();
    assert!(matches!(&error, LoadError::ClassLost { classes, .. } if classes == &["a"]), "{error}");
    let rule = ResizeRule { height: 0, ..RULE };
    let error = load(&dataset, &which, &rule, None, OnBadImage::Skip, &|_| {}, &|| false).unwrap_err();
    assert!(matches!(error, LoadError::Rule { .. }));
}

#[test]
fn what_was_decoded_before_an_interruption_is_kept() {
    let data = Data::classes(&["a", "b"], 30);
    let dataset = data.scan().unwrap();
    let folder = TempDir::new().unwrap();
    let cache = Cache::open(folder.path(), MAX);
    let which: Vec<usize> = (0..60).collect();
    let done = AtomicUsize::new(0);
    let progress = |n| {
        done.fetch_add(n, Ordering::Relaxed);
    };
    let interrupted = || done.load(Ordering::Relaxed) >= 20;
    // Threads enough for all images would have begun them all before one is done.
    let two = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let error = two
        .install(|| load(&dataset, &which, &RULE, Some(&cache), OnBadImage::Fail, &progress, &interrupted))
        .unwrap_err();
    assert!(matches!(error, LoadError::Interrupted));
    let loaded = load_all(&dataset, Some(&cache));
    assert_eq!(loaded.from_cache, done.into_inner());
    assert!((20..60).contains(&loaded.from_cache));
    assert!(loaded.pixels == load_all(&dataset, None).pixels);
}

/// Makes all packs an hour older: what is written or used next is the youngest, however coarse the file system's clock.
fn age(folder: &Path) {
    for pack in packs(folder) {
        set_modified(&pack, modified(&pack) - HOUR);
    }
}

#[test]
fn the_size_is_bounded_and_what_was_used_last_stays() {
    let sets: Vec<Data> = (0..5).map(|i| Data::classes(&[&format!("a{i}"), &format!("b{i}")], 10)).collect();
    let datasets: Vec<Dataset> = sets.iter().map(|data| data.scan().unwrap()).collect();
    let folder = TempDir::new().unwrap();
    load_all(&datasets[0], Some(&Cache::open(folder.path(), MAX)));
    let one = total_bytes(folder.path());
    let cache = Cache::open(folder.path(), one * 3);
    for dataset in &datasets[1..4] {
        age(folder.path());
        load_all(&datasets[0], Some(&cache)); // in use all the time
        age(folder.path());
        load_all(dataset, Some(&cache));
        assert!(total_bytes(folder.path()) <= one * 3);
    }
    assert_eq!(load_all(&datasets[0], Some(&cache)).from_cache, 20);
    assert_eq!(load_all(&datasets[3], Some(&cache)).from_cache, 20);
    assert_eq!(load_all(&datasets[1], Some(&cache)).from_cache, 0);
    // A pack that alone is over the bound is not written, and that is said.
    let tiny = Cache::open(folder.path().join("tiny"), 100);
    let loaded = load_all(&datasets[4], Some(&tiny));
    assert_eq!((loaded.decoded, loaded.notices.len()), (20, 1));
    assert!(packs(&folder.path().join("tiny")).is_empty());
}

#[test]
fn what_a_crashed_process_left_is_deleted_once_it_is_old() {
    let data = Data::classes(&["a", "b"], 4);
    let dataset = data.scan().unwrap();
    let folder = TempDir::new().unwrap();
    // Whoever writes a pack looks for what is left.
    let write = |which: usize, cache: Cache| {
        load(&dataset, &[which], &RULE, Some(&cache), OnBadImage::Skip, &|_| {}, &|| false).unwrap();
    };
    write(0, Cache::open(folder.path(), MAX));
    let left = packs(folder.path())[0].with_extension("tmp");
    fs::write(&left, "half a pa").unwrap();
    let old = modified(&left) + HOUR;
    write(1, Cache::open(folder.path(), MAX).at(old));
    assert!(left.exists(), "another process may still write it");
    write(2, Cache::open(folder.path(), MAX).at(old + Duration::from_secs(1)));
    assert!(!left.exists());
}

#[test]
fn many_small_packs_become_few() {
    let data = Data::classes(&["a", "b"], 30);
    let dataset = data.scan().unwrap();
    let folder = TempDir::new().unwrap();
    let cache = Cache::open(folder.path(), MAX);
    for i in 0..60 {
        load(&dataset, &[i], &RULE, Some(&cache), OnBadImage::Skip, &|_| {}, &|| false).unwrap();
        assert!(packs(folder.path()).len() <= 16);
    }
    let loaded = load_all(&dataset, Some(&cache));
    assert_eq!(loaded.from_cache, 60);
    assert!(loaded.pixels == load_all(&dataset, None).pixels);
}

#[test]
fn a_cache_that_cannot_be_used_changes_nothing() {
    let data = Data::classes(&["a", "b"], 4);
    let right = load_all(&data.scan().unwrap(), None).pixels;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    // A file in its place, a folder below a file, and where nobody can make one.
    let nobodys = cfg!(target_os = "linux").then(|| PathBuf::from("/proc/nowhere"));
    for dir in [file.clone(), file.join("below")].into_iter().chain(nobodys) {
        let cache = Cache::open(&dir, MAX);
        let dataset = data.scan_with(&cache);
        assert!(dataset.notices.iter().any(|n| n.to_string().contains("going on without it")), "{dataset:?}");
        let loaded = load_all(&dataset, Some(&cache));
        assert!(loaded.pixels == right && loaded.decoded == 8);
        assert!(!loaded.notices.is_empty());
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "not a folder");
}

#[test]
fn runs_at_the_same_time_share_a_cache() {
    let data = Data::classes(&["a", "b", "c"], 20);
    let dataset = data.scan().unwrap();
    let right = load_all(&dataset, None).pixels;
    let folder = TempDir::new().unwrap();
    // So small that packs are deleted and merged under the readers all the time.
    let bound = 40 * (RULE.bytes() as u64 + 24);
    std::thread::scope(|scope| {
        for thread in 0..4usize {
            let (dataset, right, folder) = (&dataset, &right, folder.path());
            scope.spawn(move || {
                for round in 0..40usize {
                    let cache = Cache::open(folder, bound);
                    data_is_right(dataset, right, &cache, thread * 7 + round * 3);
                    assert_eq!(cache.take_warnings(), Vec::<String>::new());
                }
            });
        }
    });
    assert!(total_bytes(folder.path()) <= bound);
}

fn data_is_right(dataset: &Dataset, right: &pupila_dataset::Pixels, cache: &Cache, start: usize) {
    let which: Vec<usize> = (0..10).map(|i| (start + i) % dataset.samples.len()).collect();
    let loaded = load(dataset, &which, &RULE, Some(cache), OnBadImage::Fail, &|_| {}, &|| false).unwrap();
    for (place, &i) in which.iter().enumerate() {
        assert_eq!(loaded.pixels.image(place).unwrap(), right.image(i).unwrap());
    }
}

/// Scaled decoding has packs of its own, gives nearly the same pixels, and leaves every other format and rule alone.
#[test]
fn scaled_decoding_is_near_and_kept_apart() {
    let data = Data::new();
    for (class, phase) in [("a", 0.0), ("b", 2.0)] {
        let samples =
            (0..96 * 80 * 3).map(|i| (120.0 + 100.0 * (f64::from(i) / 173.0 + phase).sin()) as u8).collect();
        let image = Image::new(96, 80, 3, samples).unwrap();
        data.write(format!("{class}/photo.jpg"), encode_jpeg(&image, 90).unwrap());
        data.write(format!("{class}/exact.png"), encode_png(&image).unwrap());
    }
    let dataset = data.scan().unwrap();
    let folder = TempDir::new().unwrap();
    let cache = Cache::open(folder.path(), MAX);
    let by = |rule: ResizeRule| {
        let which: Vec<usize> = (0..dataset.samples.len()).collect();
        let loaded =
            load(&dataset, &which, &rule, Some(&cache), OnBadImage::Fail, &|_| {}, &|| false).unwrap();
        (loaded.pixels, loaded.from_cache)
    };
    let (full, _) = by(RULE);
    let scaled_rule = ResizeRule { scaled_decoding: true, ..RULE };
    let ((scaled, from_cache), (again, from_cache_again)) = (by(scaled_rule), by(scaled_rule));
    assert_eq!((from_cache, from_cache_again), (0, 4));
    assert!(scaled == again);
    for (i, sample) in dataset.samples.iter().enumerate() {
        let off = full
            .image(i)
            .unwrap()
            .iter()
            .zip(scaled.image(i).unwrap().iter())
            .map(|(&a, &b)| a.abs_diff(b))
            .max();
        let jpeg = sample.path.extension().is_some_and(|ending| ending == "jpg");
        assert!(if jpeg { off <= Some(6) } else { off == Some(0) }, "{}: {off:?}", sample.path.display());
    }
    assert!(full != scaled, "photographs went the other way");
    let linear = ResizeRule { interpolation: Interpolation::Linear, ..RULE };
    assert!(by(linear).0.data() == by(ResizeRule { scaled_decoding: true, ..linear }).0.data());
}

#[test]
fn damaged_images_are_read_as_far_as_they_go_where_the_rule_says_so() {
    let data = Data::classes(&["a", "b"], 3);
    let whole = png(77);
    let cut = &whole[..whole.len() - 20];
    data.write("a/cut.png", cut);
    let folder = TempDir::new().unwrap();
    let cache = Cache::open(folder.path(), MAX);
    let dataset = data.scan().unwrap();
    let which: Vec<usize> = (0..dataset.samples.len()).collect();
    let strict = load_all(&dataset, Some(&cache));
    assert_eq!((strict.pixels.len(), strict.skipped.len()), (6, 1));
    let rule = ResizeRule { reading: Reading { fill_damaged: true, ..RULE.reading }, ..RULE };
    // Twice: what is damaged is told each time, so it is not kept in the cache.
    for from_cache in [6, 6] {
        let loaded =
            load(&dataset, &which, &rule, Some(&cache), OnBadImage::Fail, &|_| {}, &|| false).unwrap();
        assert_eq!((loaded.pixels.len(), loaded.from_cache, loaded.skipped.len()), (7, from_cache, 0));
        let [Notice::Filled { images }] = &loaded.notices[..] else { panic!("{:?}", loaded.notices) };
        assert_eq!(images[0].path, data.join("a/cut.png"));
        let said = loaded.notices[0].to_string();
        assert!(said.starts_with("1 damaged image is used, and what is lost of it is gray ("), "{said}");
        assert!(said.contains("a/cut.png: truncated PNG"), "{said}");
        // The others are what they are.
        assert_eq!(loaded.pixels.image(0).unwrap(), strict.pixels.image(0).unwrap());
    }
    // Without a size there is no picture.
    data.write("b/header.png", &whole[..20]);
    let dataset = data.scan();
    assert!(dataset.is_err() || dataset.unwrap().samples.iter().all(|s| !s.path.ends_with("header.png")));
}
