//! From a path to pixels in memory: the scan, the decoding, and what is said of both.

use crate::recipe::{Labels, LeakPolicy, Recipe};
use pupila_dataset::{
    Cache, Dataset, Hold, LoadError, Loaded, Notice, OnBadImage, PixelStatistics, Pixels, Place, ResizeRule,
    ScanError, Show, Skipped, Split, load_held, pixel_statistics, scan,
};
use pupila_image::Window;
use pupila_inspect::near::Near;
use pupila_loader::{Loader, LoaderError, Order, Source, SourceError};
use pupila_run::ImagesRead;
use pupila_transforms::{CropBox, Normalization, NormalizationError, Normalize, Pipeline, Shape};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Images in memory with their labels, and the data set that they are of.
#[derive(Debug)]
pub struct Images {
    /// The data set. Its `skipped` and `notices` include those of the decoding.
    pub dataset: Dataset,
    /// For each image in memory its place in the data set's samples.
    pub kept: Vec<usize>,
    /// How many were to be decoded.
    asked: usize,
    /// How many of them came from the cache.
    pub from_cache: usize,
    /// How many of them were decoded now.
    pub decoded: usize,
    /// How long the decoding took, or the reading of the cache.
    pub decode_time: Duration,
    /// How many of them are left in the cache rather than in memory.
    pub left_in_cache: usize,
    /// How many of them are decoded whenever they are asked for.
    pub decoded_anew: usize,
    source: Source,
    pixels: Arc<Pixels>,
    /// Worked out once, however many runs ask.
    statistics: OnceLock<PixelStatistics>,
    /// The same.
    near: OnceLock<Vec<Near>>,
    /// Whether they are whole, with nothing hidden.
    pub(crate) whole: bool,
}

/// Data that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The scan failed.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// Every training image of a class is a copy of a judged one.
    #[error(
        "data.leaks = \"drop\" leaves no training image of {0}: every one has a copy in validation or test; take those out, or set \
         data.leaks=keep, which tells the scores with and without them"
    )]
    OnlyLeaks(String),
    /// The decoding failed.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Pixels and labels don't belong together.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Batches cannot be made.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// An image that was there when the data were read cannot be read any more.
    #[error("an image cannot be read any more: {0}")]
    Gone(String),
    /// The images cannot be normalised as the recipe says.
    #[error(transparent)]
    Normalization(#[from] NormalizationError),
}

/// Scans the data of a training run.
///
/// # Errors
/// See [`ScanError`].
pub fn scan_for(
    recipe: &Recipe,
    path: &Path,
    cache: Option<&Cache>,
) -> Result<(Dataset, Duration), DataError> {
    let start = Instant::now();
    let dataset = scan(path, &recipe.scan_options(), cache)?;
    check_leaks(recipe, &dataset)?;
    Ok((dataset, start.elapsed()))
}

/// Whether every class still has training images, where those with copies among the judged ones are left out.
///
/// # Errors
/// [`DataError::OnlyLeaks`].
pub fn check_leaks(recipe: &Recipe, dataset: &Dataset) -> Result<(), DataError> {
    let dropped = |notice: &Notice| matches!(notice, Notice::LeaksDropped { .. });
    if recipe.data.leaks != LeakPolicy::Drop || !dataset.notices.iter().any(dropped) {
        return Ok(());
    }
    match dataset.class_counts(Split::Train).iter().position(|&images| images == 0) {
        Some(class) => Err(DataError::OnlyLeaks(dataset.classes[class].clone())),
        None => Ok(()),
    }
}

impl Images {
    /// Decodes the samples `which` of a data set, on all threads of the current pool.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn decode(
        mut dataset: Dataset,
        which: &[usize],
        rule: &ResizeRule,
        cache: Option<&Cache>,
        policy: OnBadImage,
        hold: Hold,
        progress: &(dyn Fn(usize) + Sync),
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Result<Images, DataError> {
        let start = Instant::now();
        let Loaded { pixels, kept, skipped, from_cache, decoded, notices } =
            load_held(&dataset, which, rule, cache, policy, hold, progress, interrupted)?;
        dataset.skipped.extend(skipped);
        dataset.notices.extend(notices);
        let labels: Vec<u32> = kept.iter().map(|&i| dataset.samples[i].label).collect();
        let (left_in_cache, decoded_anew) = pixels.apart();
        let pixels = Arc::new(pixels);
        let source = source(&pixels, labels)?;
        Ok(Images {
            dataset,
            kept,
            asked: which.len(),
            from_cache,
            decoded,
            decode_time: start.elapsed(),
            source,
            left_in_cache,
            decoded_anew,
            pixels,
            statistics: OnceLock::new(),
            near: OnceLock::new(),
            whole: rule.show == Show::All,
        })
    }

    /// The samples `which` of another scan of the same data, copied from these, with what `show` leaves out hidden: none where one of them is not here, or where
    /// images were left out while these were decoded, which the other scan must be told by itself.
    pub fn copied(&self, dataset: &Dataset, which: &[usize], show: Show) -> Option<Images> {
        if self.kept.len() != self.asked {
            return None;
        }
        let start = Instant::now();
        let place = |&sample: &usize| {
            let sample = &self.dataset.samples[self.kept[sample]];
            (sample.content, sample.channels)
        };
        let all: Vec<usize> = (0..self.kept.len()).collect();
        let places: HashMap<_, usize> = all.iter().map(|at| (place(at), *at)).collect();
        let from = |&sample: &usize| {
            let sample = &dataset.samples[sample];
            places.get(&(sample.content, sample.channels)).copied()
        };
        let from: Vec<usize> = which.iter().map(from).collect::<Option<_>>()?;
        let rule = ResizeRule { show, ..*self.pixels.rule() };
        let keeps = |&sample: &usize| rule.keeps() && dataset.samples[sample].split == Split::Train;
        let pixels = Arc::new(self.pixels.copied(&from, rule, |place| keeps(&which[place]))?);
        let labels: Vec<u32> = which.iter().map(|&i| dataset.samples[i].label).collect();
        let source = source(&pixels, labels).ok()?;
        Some(Images {
            dataset: dataset.clone(),
            kept: which.to_vec(),
            asked: which.len(),
            from_cache: self.from_cache.min(from.len()),
            decoded: 0,
            decode_time: start.elapsed(),
            source,
            left_in_cache: 0,
            decoded_anew: 0,
            pixels,
            statistics: OnceLock::new(),
            near: OnceLock::new(),
            whole: self.whole,
        })
    }

    /// The places, among the images in memory, of those of a split.
    pub fn positions(&self, split: Split) -> Vec<u32> {
        let of = |&(_, &i): &(usize, &usize)| self.dataset.samples[i].split == split;
        self.kept.iter().enumerate().filter(of).map(|(position, _)| position as u32).collect()
    }

    /// Images in memory of each class of a split.
    pub fn class_counts(&self, split: Split) -> Vec<usize> {
        let mut counts = vec![0; self.dataset.classes.len()];
        for sample in self.kept.iter().map(|&i| &self.dataset.samples[i]).filter(|s| s.split == split) {
            counts[sample.label as usize] += 1;
        }
        counts
    }

    /// The paths of some images, by their places.
    pub fn paths(&self, positions: &[u32]) -> Vec<String> {
        let path = |&p: &u32| self.dataset.samples[self.kept[p as usize]].path.to_string_lossy().into_owned();
        positions.iter().map(path).collect()
    }

    /// What each of some images, by their places, belongs to: its group, such as a patient, or its exact copies among them; empty
    /// where it stands for itself, `None` where all do.
    pub fn groups(&self, positions: &[u32]) -> Option<Vec<String>> {
        self.dataset.units_of(&self.samples(positions))
    }

    /// For each of some images, by their places, the path of a training image with the same content, if there is one.
    pub fn copies_in_training(&self, positions: &[u32]) -> Vec<Option<String>> {
        let samples = &self.dataset.samples;
        let copies = self.dataset.copies_in_training(&self.samples(positions));
        copies.into_iter().map(|copy| Some(samples[copy?].path.to_string_lossy().into_owned())).collect()
    }

    /// The places, in the data set's samples, of some images, by their places.
    pub fn samples(&self, positions: &[u32]) -> Vec<usize> {
        positions.iter().map(|&p| self.kept[p as usize]).collect()
    }

    /// The hash of each image's content, by its place.
    pub fn contents(&self) -> Vec<u128> {
        self.kept.iter().map(|&i| self.dataset.samples[i].content).collect()
    }

    /// Number of images in memory.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// True where no image is in memory.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Images that are left out, of the scan and of the decoding.
    pub fn skipped(&self) -> &[Skipped] {
        &self.dataset.skipped
    }

    /// Where they came from and where they are held.
    pub fn read(&self) -> ImagesRead {
        let &Images { from_cache, decoded, left_in_cache, decoded_anew, .. } = self;
        ImagesRead { from_cache, decoded, left_in_cache, decoded_anew }
    }

    /// Height, width and channels of every image.
    pub(crate) fn shape(&self) -> Shape {
        self.source.shape()
    }

    /// The pairs of images, by their places, that are nearly the same: worked out by `compared` where nobody has asked before.
    pub(crate) fn near_pairs(&self, compared: impl FnOnce() -> Vec<Near>) -> &[Near] {
        self.near.get_or_init(compared)
    }

    /// The pixels of an image as an input; none where it cannot be had any more. `[H, W, C]`
    pub(crate) fn pixels(&self, position: u32) -> Option<Cow<'_, [u8]>> {
        self.source.input(position).ok()
    }

    /// The mean and standard deviation of the training images, resized and not yet varied. With a cache they are worked out
    /// once for the same images.
    ///
    /// # Errors
    /// [`DataError::Gone`] alone.
    pub fn training_statistics(
        &self,
        rule: &ResizeRule,
        cache: Option<&Cache>,
    ) -> Result<PixelStatistics, DataError> {
        if let Some(known) = self.statistics.get() {
            return Ok(known.clone());
        }
        let measured = self.measure(rule, cache).map_err(DataError::Gone)?;
        Ok(self.statistics.get_or_init(|| measured).clone())
    }

    fn measure(&self, rule: &ResizeRule, cache: Option<&Cache>) -> Result<PixelStatistics, String> {
        let train = self.positions(Split::Train);
        let content = |&position: &u32| self.dataset.samples[self.kept[position as usize]].content;
        let contents: Vec<u128> = train.iter().map(content).collect();
        pixel_statistics(&contents, |place| self.source.input(train[place]), rule, cache)
    }

    /// The normalisation that a recipe asks for, and the statistics of the training images where it is by those. A channel
    /// of one value everywhere is only centred.
    ///
    /// # Errors
    /// See [`Normalize::resolve`]; and an image that is gone.
    pub fn normalization(
        &self,
        normalize: &Normalize,
        rule: &ResizeRule,
        cache: Option<&Cache>,
    ) -> Result<(Normalization, Option<PixelStatistics>), DataError> {
        if *normalize != Normalize::Data {
            return Ok((normalize.resolve(usize::from(rule.channels))?, None));
        }
        let measured = self.training_statistics(rule, cache)?;
        let mean = measured.mean.iter().map(|&mean| mean as f32).collect();
        let std = measured.std.iter().map(|&std| if std > 0.0 { std as f32 } else { 1.0 }).collect();
        Ok((Normalization::new(mean, std, 255.0)?, Some(measured)))
    }

    /// Whether every training image is gray, though it is held in color: no value is further than `tolerance` of 255 from
    /// another one of its pixel. A JPEG file of a gray image in color is off by 2 or so.
    pub fn are_gray(&self, tolerance: u8) -> bool {
        let gray = |pixel: &[u8]| {
            let (least, most) = (pixel.iter().min(), pixel.iter().max());
            least.zip(most).is_none_or(|(least, most)| most - least <= tolerance)
        };
        let channels = self.source.shape().channels.max(1);
        let train = self.positions(Split::Train);
        // The first image in color ends it.
        !train.is_empty()
            && train
                .iter()
                .all(|&i| self.pixels(i).is_some_and(|pixels| pixels.chunks_exact(channels).all(gray)))
    }

    /// The labels that images are trained with, by their places in memory: their own, or those of the images to train on exchanged by
    /// chance, a draw of `seed`. `[N]`
    pub fn training_labels(&self, labels: Labels, seed: u64) -> Vec<u32> {
        let mut all: Vec<u32> = self.kept.iter().map(|&i| self.dataset.samples[i].label).collect();
        let positions = self.positions(Split::Train);
        let mut trained: Vec<u32> = positions.iter().map(|&position| all[position as usize]).collect();
        labels.exchange(&mut trained, seed);
        positions.iter().zip(trained).for_each(|(&position, label)| all[position as usize] = label);
        all
    }

    /// Batches of some images in another order every epoch, varied by the pipeline. `labels: [N]` are of all images in memory, such as
    /// [`training_labels`](Images::training_labels).
    ///
    /// # Errors
    /// See [`SourceError`] and [`LoaderError`].
    pub fn training_loader(
        &self,
        positions: Vec<u32>,
        labels: Vec<u32>,
        pipeline: Arc<Pipeline>,
        normalization: Normalization,
        order: Order,
        batch: usize,
        seed: u64,
    ) -> Result<Loader, DataError> {
        let source = self.source.with_labels(labels.into())?;
        let loader = Loader::new(source, pipeline, normalization, order, batch, seed)?;
        Ok(loader.with_threads(rayon::current_num_threads()).with_samples(positions)?)
    }

    /// Batches of some images as they are, in order.
    ///
    /// # Errors
    /// See [`LoaderError`].
    pub fn evaluation_loader(
        &self,
        positions: Vec<u32>,
        normalization: Normalization,
        batch: usize,
    ) -> Result<Loader, LoaderError> {
        let loader =
            Loader::new(self.source.clone(), Pipeline::default(), normalization, Order::AsGiven, batch, 0)?;
        loader.with_threads(rayon::current_num_threads()).with_samples(positions)
    }
}

/// Images as the loader asks for them.
struct Held(Arc<Pixels>);

impl pupila_loader::Store for Held {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn shape(&self, position: u32) -> (Shape, bool) {
        let Place { height, width, kept, .. } = self.0.places()[position as usize];
        let channels = usize::from(self.0.rule().channels);
        (Shape { height: height as usize, width: width as usize, channels }, kept)
    }

    fn pixels(&self, position: u32) -> Result<Cow<'_, [u8]>, String> {
        self.0.image(position as usize).map_err(|gone| gone.to_string())
    }

    fn pixels_within(&self, position: u32, part: CropBox) -> Result<Cow<'_, [u8]>, String> {
        let CropBox { x_min, y_min, x_max, y_max } = part;
        let window = Window { rows: y_min as u32..y_max as u32, columns: x_min as u32..x_max as u32 };
        self.0.image_within(position as usize, &window).map_err(|gone| gone.to_string())
    }

    fn ahead(&self, positions: &[u32]) {
        self.0.ahead(positions.iter().map(|&position| position as usize));
    }
}

/// A block of inputs that is shared.
struct Inputs(Arc<Pixels>);

impl AsRef<[u8]> for Inputs {
    fn as_ref(&self) -> &[u8] {
        self.0.data()
    }
}

/// Images as a source of batches.
fn source(pixels: &Arc<Pixels>, labels: Vec<u32>) -> Result<Source, SourceError> {
    let rule = pixels.rule();
    let channels = usize::from(rule.channels);
    if pixels.in_memory() && !pixels.places().iter().any(|place| place.kept) {
        let shape = Shape { height: rule.height as usize, width: rule.width as usize, channels };
        return Source::new(Arc::new(Inputs(Arc::clone(pixels))), labels.into(), shape);
    }
    Source::of_store(Arc::new(Held(Arc::clone(pixels))), labels.into(), channels, rule.framing())
}

/// A number that changes with any change of some images or their labels: in hexadecimal. `which` are places in the data
/// set's samples.
pub fn fingerprint_of(dataset: &Dataset, which: &[usize]) -> String {
    use std::hash::Hasher;
    let mut hasher = twox_hash::XxHash3_64::new();
    let mut samples: Vec<_> = which
        .iter()
        .map(|&i| &dataset.samples[i])
        .map(|s| (s.content, &dataset.classes[s.label as usize]))
        .collect();
    samples.sort_unstable();
    for (content, class) in samples {
        hasher.write(&content.to_le_bytes());
        hasher.write(class.as_bytes());
        hasher.write(&[0]);
    }
    format!("{:016x}", hasher.finish())
}

/// A number that changes with any change of the images used, their labels or their splits: in hexadecimal.
pub fn fingerprint(dataset: &Dataset) -> String {
    use std::hash::Hasher;
    let mut hasher = twox_hash::XxHash3_64::new();
    for class in &dataset.classes {
        hasher.write(class.as_bytes());
        hasher.write(&[0]);
    }
    // Not by path: the same data in another folder is the same data.
    let mut samples: Vec<_> = dataset.samples.iter().map(|s| (s.content, s.label, s.split.name())).collect();
    samples.sort_unstable();
    for (content, label, split) in samples {
        hasher.write(&content.to_le_bytes());
        hasher.write(&label.to_le_bytes());
        hasher.write(split.as_bytes());
    }
    format!("{:016x}", hasher.finish())
}
