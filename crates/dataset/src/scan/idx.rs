//! The IDX files of the MNIST family: Fashion-MNIST, KMNIST, EMNIST and their like.
//!
//! Format: LeCun, Cortes and Burges, "The MNIST database": big-endian `00 00 08 rank`, one u32 for each dimension, bytes.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use rayon::prelude::*;
use twox_hash::XxHash3_128;

use super::training::classes_of;
use crate::pattern::Patterns;
use crate::{Dataset, Form, IdxError, IdxImages, Purpose, Sample, ScanError, Source, Split, Taken};

/// The largest file that is read, unpacked; the family's largest, EMNIST by class, has 0.55 GB.
const MAX_BYTES: u64 = 8 << 30;

/// The two files of a split.
pub(super) struct Pair {
    pub(super) split: Split,
    images: PathBuf,
    labels: PathBuf,
}

/// The pairs of files in a folder; `None` where there are none.
pub(super) fn find(root: &Path) -> Result<Option<Vec<Pair>>, ScanError> {
    let mut pairs = Vec::new();
    for (split, prefix) in [(Split::Train, "train"), (Split::Test, "t10k")] {
        let (images_name, labels_name) = match split {
            Split::Train => ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
            _ => ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
        };
        let file = |kind: &str| {
            let names = ["-", "."].map(|dash| format!("{prefix}-{}", kind.replacen('-', dash, 1)));
            let paths = names.iter().flat_map(|name| [root.join(name), root.join(format!("{name}.gz"))]);
            paths.into_iter().find(|path| path.is_file())
        };
        match (file("images-idx3-ubyte"), file("labels-idx1-ubyte")) {
            (Some(images), Some(labels)) => pairs.push(Pair { split, images, labels }),
            (Some(path), None) => {
                return Err(ScanError::Idx { path, source: IdxError::Unpaired(labels_name) });
            }
            (None, Some(path)) => {
                return Err(ScanError::Idx { path, source: IdxError::Unpaired(images_name) });
            }
            (None, None) => {}
        }
    }
    Ok((!pairs.is_empty()).then_some(pairs))
}

/// What the two files of a split hold.
pub(super) struct Contents {
    split: Split,
    /// The name of the file of images, to be shown.
    name: String,
    images: Arc<IdxImages>,
    pub(super) labels: Vec<u8>,
}

impl Contents {
    pub(super) fn read(pair: &Pair) -> Result<Contents, ScanError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ScanError::Idx { path, source }
        };
        let ([count, height, width], pixels) =
            read_file::<3>(&pair.images, "images").map_err(failed(&pair.images))?;
        let (_, labels) = read_file::<1>(&pair.labels, "labels").map_err(failed(&pair.labels))?;
        if labels.len() != count as usize {
            let images_path = pair.images.clone();
            let source = IdxError::Count { labels: labels.len(), images: count as usize, images_path };
            return Err(ScanError::Idx { path: pair.labels.clone(), source });
        }
        let name = pair.images.file_name().unwrap_or_default().to_string_lossy();
        let name = name.strip_suffix(".gz").unwrap_or(&name).to_owned();
        Ok(Contents {
            split: pair.split,
            name,
            images: Arc::new(IdxImages { width, height, pixels }),
            labels,
        })
    }

    /// Adds the samples to a data set, in which `label_of` has a label for each value.
    pub(super) fn add_to(&self, dataset: &mut Dataset, label_of: &HashMap<u8, u32>, patterns: &Patterns<'_>) {
        let images = &self.images;
        let contents: Vec<u128> =
            (0..self.labels.len()).into_par_iter().map(|i| XxHash3_128::oneshot(images.image(i))).collect();
        for (index, (label, content)) in self.labels.iter().zip(contents).enumerate() {
            let path = PathBuf::from(format!("{}[{index}]", self.name));
            if patterns.exclude(&path) {
                dataset.excluded += 1;
                continue;
            }
            let source = Source::Idx { images: Arc::clone(images), index };
            let (label, split) = (label_of[label], self.split);
            let (width, height, channels) = (images.width, images.height, 1);
            dataset.samples.push(Sample {
                path,
                label,
                split,
                source,
                content,
                width,
                height,
                channels,
                group: None,
            });
        }
    }
}

/// What was taken for what.
pub(super) fn taken(pairs: &[Pair]) -> Taken {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let pairs: Vec<String> =
        pairs.iter().map(|pair| format!("{} -> {}", name(&pair.images), pair.split)).collect();
    Taken::new(format!("IDX files {}", pairs.join(", ")), &[])
}

/// All pairs, to train on.
pub(super) fn read(root: &Path, pairs: &[Pair], patterns: &Patterns<'_>) -> Result<Dataset, ScanError> {
    let read: Vec<Contents> = pairs.par_iter().map(Contents::read).collect::<Result<_, _>>()?;
    let values = |split| {
        let labels = read.iter().filter(move |contents| contents.split == split).flat_map(|c| &c.labels);
        labels.copied().collect::<BTreeSet<u8>>()
    };
    let trained = values(Split::Train);
    // Zero-padded, so that the order of the names is that of the values.
    let digits = trained.last().map_or(1, |label| label.to_string().len());
    let name = |label: u8| format!("{label:0digits$}");
    let names = Split::ALL.into_iter().flat_map(|split| values(split).into_iter().map(move |v| (v, split)));
    let names: Vec<(String, Split)> = names.map(|(value, split)| (name(value), split)).collect();
    let classes = classes_of(root, names.iter().map(|(name, split)| (name.as_str(), *split)))?;
    let label_of: HashMap<u8, u32> = trained.into_iter().zip(0..).collect();
    let mut dataset = Dataset::new(root, Form::Idx, Purpose::Training, classes);
    dataset.taken = taken(pairs);
    for contents in &read {
        contents.add_to(&mut dataset, &label_of, patterns);
    }
    if dataset.indices(Split::Train).is_empty() {
        let found = "data.exclude leaves out every training image".to_owned();
        return Err(ScanError::NoImages { path: root.to_owned(), found });
    }
    Ok(dataset)
}

/// The dimensions and the bytes of a file of rank `RANK`; the last two dimensions count as 1 where they are absent.
fn read_file<const RANK: usize>(path: &Path, what: &'static str) -> Result<([u32; 3], Vec<u8>), IdxError> {
    let mut reader: Box<dyn Read> = Box::new(BufReader::with_capacity(1 << 16, File::open(path)?));
    if path.extension().is_some_and(|extension| extension == "gz") {
        reader = Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, File::open(path)?)));
    }
    let mut word = |at: u64| -> Result<u32, IdxError> {
        let mut bytes = [0; 4];
        let expected = 4 * (RANK as u64 + 1);
        reader.read_exact(&mut bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => IdxError::Truncated { got: at * 4, expected },
            _ => IdxError::Read(error),
        })?;
        Ok(u32::from_be_bytes(bytes))
    };
    let (got, expected) = (word(0)?, 0x0800 | RANK as u32);
    if got != expected {
        return Err(IdxError::Magic { got, expected, what });
    }
    let mut dims = [1; 3];
    for (i, dim) in dims.iter_mut().take(RANK).enumerate() {
        *dim = word(i as u64 + 1)?;
    }
    let [count, height, width] = dims;
    // The sides are multiplied first: two of 2^32 fit into 64 bits, and the count is divided out.
    let side = u64::from(height) * u64::from(width);
    if count == 0 || side == 0 || side > MAX_BYTES / u64::from(count) {
        return Err(IdxError::Shape { count, height, width });
    }
    let expected = u64::from(count) * side;
    // One byte more than there should be tells whether something follows. The memory grows with what is really there.
    let mut bytes = Vec::new();
    reader.take(expected + 1).read_to_end(&mut bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => IdxError::Truncated { got: 0, expected },
        _ => IdxError::Read(error),
    })?;
    match bytes.len() as u64 {
        got if got < expected => Err(IdxError::Truncated { got, expected }),
        got if got > expected => Err(IdxError::Trailing { expected }),
        _ => Ok((dims, bytes)),
    }
}
