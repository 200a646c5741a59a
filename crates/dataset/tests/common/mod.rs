//! Small data sets, made on disk for one test.

#![allow(dead_code, clippy::unwrap_used)] // each test file uses a part of this

pub mod numpy;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pupila_dataset::{Cache, Dataset, ResizeRule, ScanError, ScanOptions, scan};
use pupila_image::{Image, encode_png};
use tempfile::TempDir;

pub const RULE: ResizeRule = ResizeRule::squash(4, 4, 3);

/// A folder that is deleted with this value.
pub struct Data(TempDir);

impl Data {
    pub fn new() -> Data {
        Data(TempDir::new().unwrap())
    }

    /// A folder of class folders with `n` different images each.
    pub fn classes(classes: &[&str], n: u32) -> Data {
        let data = Data::new();
        data.add_classes("", classes, n);
        data
    }

    pub fn add_classes(&self, under: &str, classes: &[&str], n: u32) {
        for class in classes {
            for i in 0..n {
                let name = format!("{i:03}.png");
                let path = Path::new(under).join(class).join(name);
                let seed =
                    path.to_str().unwrap().bytes().fold(0u32, |h, b| h.wrapping_mul(31) + u32::from(b));
                self.png(&path, seed);
            }
        }
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path().join(path)
    }

    pub fn write(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        let path = self.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn png(&self, path: impl AsRef<Path>, seed: u32) {
        self.write(path, png(seed));
    }

    pub fn scan(&self) -> Result<Dataset, ScanError> {
        scan(self.path(), &ScanOptions::default(), None)
    }

    pub fn scan_with(&self, cache: &Cache) -> Dataset {
        scan(self.path(), &ScanOptions::default(), Some(cache)).unwrap()
    }

    pub fn scan_by(&self, options: &ScanOptions) -> Result<Dataset, ScanError> {
        scan(self.path(), options, None)
    }
}

/// Says that a file was last written at `time`.
pub fn set_modified(path: impl AsRef<Path>, time: SystemTime) {
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

/// A time at which all files of a test are old: no test takes a day.
pub fn tomorrow() -> SystemTime {
    SystemTime::now() + Duration::from_secs(24 * 60 * 60)
}

/// A 7x5 image that depends on the seed.
pub fn png(seed: u32) -> Vec<u8> {
    let data =
        (0..7 * 5 * 3).map(|i: u32| (i * 37).wrapping_add(seed.wrapping_mul(2_654_435_761) >> 7) as u8);
    let mut data: Vec<u8> = data.collect();
    data[..4].copy_from_slice(&seed.to_le_bytes());
    encode_png(&Image::new(7, 5, 3, data).unwrap()).unwrap()
}

/// Relative paths of the samples, with `/`.
pub fn paths(dataset: &Dataset) -> Vec<String> {
    let relative = |path: &Path| path.strip_prefix(&dataset.root).unwrap_or(path).to_owned();
    dataset.samples.iter().map(|s| relative(&s.path).to_string_lossy().replace('\\', "/")).collect()
}

/// The samples of both splits, for comparison.
pub fn summary(dataset: &Dataset) -> Vec<(PathBuf, u32, pupila_dataset::Split, u128, u32, u32, u8)> {
    let of = |s: &pupila_dataset::Sample| {
        (s.path.clone(), s.label, s.split, s.content, s.width, s.height, s.channels)
    };
    dataset.samples.iter().map(of).collect()
}

/// Images without labels: `images/0.png` and so on.
pub fn files(n: u32) -> Data {
    let data = Data::new();
    for i in 0..n {
        data.png(format!("images/{i}.png"), i);
    }
    data
}

/// An IDX file.
pub fn idx(magic: u32, dims: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_be_bytes().to_vec();
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    bytes.extend_from_slice(body);
    bytes
}

/// `n` images of 3x2 whose samples count up, with labels 0, 1, ... `classes` - 1 in turn.
pub fn pair(n: u32, classes: u32) -> (Vec<u8>, Vec<u8>) {
    let pixels: Vec<u8> = (0..n * 6).map(|i| (i * 5) as u8).collect();
    let labels: Vec<u8> = (0..n).map(|i| (i % classes) as u8).collect();
    (idx(0x803, &[n, 2, 3], &pixels), idx(0x801, &[n], &labels))
}

/// A tar file of these files.
pub fn tar_of<'a>(files: impl IntoIterator<Item = (impl AsRef<Path>, &'a [u8])>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).unwrap();
    }
    tar.into_inner().unwrap()
}
