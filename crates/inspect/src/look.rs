//! One pass over the files of a data set.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pupila_dataset::{Cache, Dataset, Skipped, Source, read_file};
use pupila_image::{DecodeError, Image, Interpolation, Reading, resize};
use rayon::prelude::*;
use twox_hash::XxHash3_128;

use crate::measure::{at_most, measure, of_picture, shrunk};
use crate::rows::{Rows, Writer};
use crate::{Measurement, SIDE, Thumbnails, record};

/// Images at a time between two looks at whether the work is to stop, which also bounds what is written to the cache at once.
const CHUNK: usize = 4096;

/// What a pass over the files saw.
#[derive(Debug, Default)]
pub struct Looked {
    /// Of each sample of the data set its measurement; `None` of a bad image.
    pub measurements: Vec<Option<Measurement>>,
    /// Of each sample its thumbnails; zeros of a bad image. They are not held in memory where there are many.
    pub thumbnails: Rows,
    /// Where such files are kept; the system's folder for temporary ones, where there is none.
    pub folder: Option<PathBuf>,
    /// The bad images.
    pub bad: Vec<Skipped>,
    /// How many measurements came from the cache.
    pub from_cache: usize,
    /// Pictures that are nearly the same, as indices into the samples, once they were looked for ([`inspect`](crate::inspect)): in folds
    /// they stay together, as equal ones do.
    pub near: Vec<Vec<usize>>,
}

impl Looked {
    /// The samples that were seen, by their places, with their measurements.
    pub fn seen(&self) -> impl Iterator<Item = (usize, &Measurement)> {
        self.measurements
            .iter()
            .enumerate()
            .filter_map(|(place, measurement)| Some((place, measurement.as_ref()?)))
    }

    /// A sample's luma, see [`Thumbnails::gray`].
    pub fn gray(&self, place: usize) -> &[u8] {
        &self.thumbnails.get(place)[..SIDE * SIDE]
    }

    /// A sample's colors, see [`Thumbnails::color`].
    pub fn color(&self, place: usize) -> &[u8] {
        &self.thumbnails.get(place)[SIDE * SIDE..]
    }
}

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LookError {
    /// The caller asked for it. What was seen until then is in the cache.
    #[error("interrupted while looking at the images")]
    Interrupted,
    /// A picture cannot be decoded in the memory that the system gives.
    #[error("{}: {error}; make the picture smaller, or give the process more memory", path.display())]
    Memory {
        /// The picture.
        path: PathBuf,
        /// How much it takes.
        error: DecodeError,
    },
}

/// Looks at every sample of a data set, on all threads of the current pool.
///
/// `progress` is called with the number of images that are done since it was last called, from any thread; `interrupted` is asked
/// before each image.
///
/// # Errors
/// On interruption, and where the system does not give the memory for a picture.
pub fn look(
    dataset: &Dataset,
    reading: &Reading,
    cache: Option<&Cache>,
    progress: &(dyn Fn(usize) + Sync),
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Result<Looked, LookError> {
    let folder = cache.map(Cache::dir);
    // Under another reading the measurement of the same content is another.
    let cache = cache.filter(|_| *reading == Reading::default());
    let samples = &dataset.samples;
    let mut looked = Looked {
        measurements: vec![None; samples.len()],
        folder: folder.map(Path::to_owned),
        ..Looked::default()
    };
    let mut thumbnails = Writer::new(samples.len(), record::THUMBS, folder);
    let mut cameras = Cameras::default();
    if let Some(cache) = cache {
        let wanted: Vec<u128> = samples.iter().map(|sample| sample.content).collect();
        cache.read_records(record::KIND, record::BYTES, &wanted, |place, bytes| {
            if let Some((mut measurement, small)) = record::of_bytes(bytes) {
                cameras.share(&mut measurement);
                thumbnails.put(place, small);
                looked.measurements[place] = Some(measurement);
            }
        });
        looked.from_cache = looked.measurements.iter().flatten().count();
        progress(looked.from_cache);
    }
    let left: Vec<usize> = (0..samples.len()).filter(|&place| looked.measurements[place].is_none()).collect();
    for chunk in left.chunks(CHUNK) {
        let stopped = AtomicBool::new(false);
        let seen: Vec<Option<Result<Both, Unseen>>> = chunk
            .par_iter()
            .map(|&place| {
                if stopped.load(Ordering::Relaxed) || interrupted() {
                    stopped.store(true, Ordering::Relaxed);
                    return None;
                }
                let measurement = measurement_of(dataset, place, reading);
                progress(1);
                Some(measurement)
            })
            .collect();
        let mut kept = Vec::new();
        for (&place, seen) in chunk.iter().zip(seen) {
            let path = || samples[place].path.clone();
            match seen {
                None => {}
                Some(Ok((mut measurement, small))) => {
                    let small = [small.gray, small.color].concat();
                    if cache.is_some() && matches!(samples[place].source, Source::File) {
                        kept.push((samples[place].content, record::to_bytes(&measurement, &small)));
                    }
                    cameras.share(&mut measurement);
                    thumbnails.put(place, &small);
                    looked.measurements[place] = Some(measurement);
                }
                Some(Err(Unseen::Image(error @ DecodeError::Memory { .. }))) => {
                    return Err(LookError::Memory { path: path(), error });
                }
                Some(Err(error)) => looked.bad.push(Skipped { path: path(), reason: error.to_string() }),
            }
        }
        if let Some(cache) = cache
            && !kept.is_empty()
        {
            kept.sort_unstable_by_key(|&(content, _)| content);
            kept.dedup_by_key(|&mut (content, _)| content);
            let entries = kept.iter().map(|(content, record)| (*content, &record[..]));
            cache.write_records(record::KIND, record::BYTES, entries);
        }
        if stopped.into_inner() {
            return Err(LookError::Interrupted);
        }
    }
    looked.thumbnails = thumbnails.finish();
    Ok(looked)
}

/// What is seen of an image.
type Both = (Measurement, Thumbnails);

/// The cameras that are known, one text of each.
#[derive(Default)]
struct Cameras(HashSet<Arc<str>>);

impl Cameras {
    fn share(&mut self, measurement: &mut Measurement) {
        let Some(camera) = &mut measurement.taken.camera else { return };
        match self.0.get(camera) {
            Some(known) => *camera = known.clone(),
            None => {
                self.0.insert(camera.clone());
            }
        }
    }
}

/// Why an image has no measurement.
#[derive(Debug, thiserror::Error)]
enum Unseen {
    #[error("it cannot be read: {0}")]
    File(#[from] std::io::Error),
    #[error("it changed while it was in use")]
    Changed,
    #[error(transparent)]
    Image(#[from] DecodeError),
}

fn measurement_of(dataset: &Dataset, place: usize, reading: &Reading) -> Result<Both, Unseen> {
    let sample = &dataset.samples[place];
    match &sample.source {
        Source::File => {
            let bytes = read_file(&sample.path)?;
            // It would be kept in the cache under the name of what the file held before.
            if XxHash3_128::oneshot(&bytes) != sample.content {
                return Err(Unseen::Changed);
            }
            let measured = measure(&bytes, reading)?;
            Ok((measured.measurement, measured.thumbnails))
        }
        Source::Array { .. } => {
            let (mut measurement, thumbnails) = of_picture(&array_image(dataset, place, reading)?);
            measurement.color = sample.channels == 3;
            Ok((measurement, thumbnails))
        }
    }
}

/// The picture of a sample of an array, in color.
fn array_image(dataset: &Dataset, place: usize, reading: &Reading) -> Result<Image, DecodeError> {
    let sample = &dataset.samples[place];
    let Source::Array { images, index } = &sample.source else { return Err(DecodeError::Empty) };
    let pixels = images.image(*index).iter().map(|&value| reading.of_array(value)).collect();
    Ok(Image::new(sample.width, sample.height, sample.channels, pixels)?.to_channels(3)?)
}

/// The picture of a sample, in color, with at most `longer` pixels on its longer side; `None` where it cannot be read.
pub fn picture(dataset: &Dataset, place: usize, reading: &Reading, longer: u32) -> Option<Image> {
    let sample = &dataset.samples[place];
    match sample.source {
        Source::File => at_most(&read_file(&sample.path).ok()?, longer, reading).ok(),
        Source::Array { .. } => {
            let image = array_image(dataset, place, reading).ok()?;
            let (width, height) = shrunk((image.width(), image.height()), longer);
            Some(resize(&image, width, height, Interpolation::Area))
        }
    }
}
