//! Samples to pixels: every image decoded and resized once, into one block of memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use pupila_image::{
    DecodeError, Image, Interpolation, Limits, NEARLY_ONE, Reading, decode_resized, decode_shrunk, resize,
    why_flat,
};
use rayon::prelude::*;
use twox_hash::XxHash3_128;

use crate::files::{read_counted, read_file};
use crate::{
    Cache, Dataset, LoadError, Notice, OnBadImage, Purpose, Sample, Show, Skipped, Source, Split, WhyFlat,
};

/// The size to which all images of a run are brought, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResizeRule {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Samples a pixel: 1 (gray) or 3 (RGB).
    pub channels: u8,
    /// How samples between pixels are made. The sides are scaled separately: the aspect ratio is not kept.
    pub interpolation: Interpolation,
    /// With [`Interpolation::Area`]: JPEG files are shrunk while they are decoded ([`decode_shrunk`]), which takes half the
    /// time and is not quite the same.
    pub scaled_decoding: bool,
    /// What samples of more than 8 bits and transparency become.
    pub reading: Reading,
    /// What of the resized image is shown.
    pub show: Show,
}

impl ResizeRule {
    /// Bytes of one image.
    pub fn bytes(&self) -> usize {
        self.width as usize * self.height as usize * usize::from(self.channels)
    }

    /// The same rule with all of the image shown.
    pub fn whole(&self) -> ResizeRule {
        ResizeRule { show: Show::All, ..*self }
    }

    fn check(&self) -> Result<(), LoadError> {
        let ResizeRule { width, height, channels, .. } = *self;
        let bytes = u64::from(width) * u64::from(height);
        let fits = bytes > 0 && bytes <= Limits::default().max_pixels && matches!(channels, 1 | 3);
        if fits { Ok(()) } else { Err(LoadError::Rule { width, height, channels }) }
    }

    /// The pixels of an image file by this rule: decoded, turned upright, brought to its channels and its size. `[H, W, C]`
    ///
    /// This is the one way from a file to pixels, in training as in prediction.
    ///
    /// # Errors
    /// The bytes are no image that can be read, or a damaged one, unless [`Reading::fill_damaged`] says that these are read as far as
    /// they go. The system does not give the memory.
    pub fn pixels(&self, bytes: &[u8]) -> Result<Image, DecodeError> {
        Ok(self.shown(self.pixels_and_damage(bytes)?.0))
    }

    /// An image with what this rule does not show hidden.
    pub fn shown(&self, image: Image) -> Image {
        if self.show == Show::All {
            return image;
        }
        let (width, height, channels) = (image.width(), image.height(), image.channels());
        let mut data = image.clone().into_data();
        self.show.apply(&mut data, width, height, channels);
        // As long as it was.
        Image::new(width, height, channels, data).unwrap_or(image)
    }

    /// All pixels, and of a damaged image that was filled what is wrong with it.
    fn pixels_and_damage(&self, bytes: &[u8]) -> Result<(Image, Option<DecodeError>), DecodeError> {
        let strict = Reading { fill_damaged: false, ..self.reading };
        match self.decoded(bytes, &strict) {
            Err(damage @ (DecodeError::Truncated { .. } | DecodeError::Malformed { .. }))
                if self.reading.fill_damaged =>
            {
                // What is wrong with the whole file is the better word on a picture of which nothing can be read.
                let filled = self.decoded(bytes, &self.reading).map_err(|_| damage.clone())?;
                Ok((filled, Some(damage)))
            }
            whole => Ok((whole?, None)),
        }
    }

    fn decoded(&self, bytes: &[u8], reading: &Reading) -> Result<Image, DecodeError> {
        let &ResizeRule { channels, interpolation, .. } = self;
        let (limits, size) = (Limits::default(), (self.width, self.height));
        if self.scaled_decoding && interpolation == Interpolation::Area {
            return decode_shrunk(bytes, channels, size, &limits, reading);
        }
        decode_resized(bytes, channels, size, interpolation, &limits, reading)
    }

    fn resize(&self, image: Image) -> Result<Image, pupila_image::ImageError> {
        // Channels first: this is the order of a program that opens an image in a mode and then resizes it.
        Ok(resize(&image.to_channels(self.channels)?, self.width, self.height, self.interpolation))
    }
}

/// Images of one size, one after the other in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct Pixels {
    rule: ResizeRule,
    data: Vec<u8>,
}

impl Pixels {
    /// The size of every image.
    pub fn rule(&self) -> &ResizeRule {
        &self.rule
    }

    /// All samples, `[N, H, W, C]`.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// All samples, `[N, H, W, C]`, without the rule.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// Hides what the rule does not show. The cache keeps whole images, which serve every control.
    fn hide(&mut self) {
        let ResizeRule { width, height, channels, show, .. } = self.rule;
        if show != Show::All {
            let bytes = self.rule.bytes();
            self.data
                .par_chunks_exact_mut(bytes)
                .for_each(|image| show.apply(image, width, height, channels));
        }
    }

    /// The number of images, `N`.
    pub fn len(&self) -> usize {
        self.data.len() / self.rule.bytes()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The samples of image `i`, `[H, W, C]`.
    pub fn image(&self, i: usize) -> &[u8] {
        let bytes = self.rule.bytes();
        &self.data[i * bytes..][..bytes]
    }
}

impl fmt::Debug for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pixels({} images, {:?})", self.len(), self.rule)
    }
}

/// What [`load`] gives.
#[derive(Debug)]
pub struct Loaded {
    /// The images of `kept`, in that order.
    pub pixels: Pixels,
    /// Indices into [`Dataset::samples`]: those that were asked for, less the bad ones, in the order in which they were.
    pub kept: Vec<usize>,
    /// Images that cannot be decoded.
    pub skipped: Vec<Skipped>,
    /// How many images came from the cache.
    pub from_cache: usize,
    /// How many images were decoded now.
    pub decoded: usize,
    /// What else should be known, such as a cache that cannot be written.
    pub notices: Vec<Notice>,
}

/// What became of one image.
#[derive(Debug, Clone, PartialEq)]
enum Slot {
    Waiting,
    /// From the pack with this number.
    Cached(usize),
    Decoded,
    /// Damaged, and gray where something is lost.
    Filled(String),
    Bad(String),
}

/// Loads the samples `which` (indices into [`Dataset::samples`]) as pixels, on all threads: from the cache where it has
/// them, otherwise by decoding. What was decoded is added to the cache.
///
/// `progress` is called with the number of images that are done since it was last called, from any thread.
/// `interrupted` is asked before each image; once it says yes, the work stops.
///
/// # Errors
/// Where an image is bad and the policy is to fail (the error lists all bad ones), where not one can be decoded, or of a
/// class that is to be learnt not one training image, where the pixels do not fit into memory, or on interruption.
pub fn load(
    dataset: &Dataset,
    which: &[usize],
    rule: &ResizeRule,
    cache: Option<&Cache>,
    policy: OnBadImage,
    progress: &(dyn Fn(usize) + Sync),
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Result<Loaded, LoadError> {
    rule.check()?;
    let bytes = rule.bytes();
    let mut data = allocate(which.len(), bytes)?;
    let mut slots = vec![Slot::Waiting; which.len()];
    // Images of an array are in memory as they are; keeping them on disk once more would gain nothing.
    let from_files = which.iter().any(|&i| matches!(dataset.samples[i].source, Source::File));
    let cache = cache.filter(|_| from_files);
    let packs = cache.map(|cache| cache.packs(&cache.shelf(rule))).unwrap_or_default();
    // Where the pixels of a content are. A content may be in several packs; any will do.
    let mut places: HashMap<u128, (usize, usize)> = HashMap::new();
    for (number, pack) in packs.iter().enumerate() {
        places.extend(pack.index.iter().enumerate().map(|(slot, entry)| (entry.0, (number, slot))));
    }
    let damaged: Vec<AtomicBool> = packs.iter().map(|_| AtomicBool::new(false)).collect();
    let used: Vec<AtomicBool> = packs.iter().map(|_| AtomicBool::new(false)).collect();
    let stopped = AtomicBool::new(false);
    let memory = Mutex::new(None);
    let work = data.par_chunks_exact_mut(bytes).zip(&mut slots).zip(which);
    work.for_each(|((pixels, slot), &i)| {
        if stopped.load(Ordering::Relaxed) || interrupted() {
            stopped.store(true, Ordering::Relaxed);
            return;
        }
        let sample = &dataset.samples[i];
        *slot = 'slot: {
            if let (Source::File, Some(&(number, place))) = (&sample.source, places.get(&sample.content)) {
                if packs[number].read(place, pixels) {
                    used[number].store(true, Ordering::Relaxed);
                    break 'slot Slot::Cached(number);
                }
                damaged[number].store(true, Ordering::Relaxed);
            }
            match pixels_of(sample, rule) {
                Ok((decoded, damage)) => {
                    pixels.copy_from_slice(&decoded);
                    damage.map_or(Slot::Decoded, Slot::Filled)
                }
                Err(Unusable::Bad(reason)) => Slot::Bad(reason),
                Err(Unusable::Memory(error)) => {
                    *memory.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some((sample.path.clone(), error));
                    stopped.store(true, Ordering::Relaxed);
                    return;
                }
            }
        };
        progress(1);
    });
    if let Some(cache) = cache {
        let is_damaged = |number: usize| damaged[number].load(Ordering::Relaxed);
        for (number, pack) in packs.iter().enumerate() {
            if is_damaged(number) {
                pack.delete();
            } else if used[number].load(Ordering::Relaxed) {
                pack.touch();
            }
        }
        // What was decoded, and what was saved from damaged packs; copies of an image once.
        let mut fresh = HashMap::new();
        for (place, slot) in slots.iter().enumerate() {
            if matches!(slot, Slot::Decoded) || matches!(slot, Slot::Cached(number) if is_damaged(*number)) {
                fresh.entry(dataset.samples[which[place]].content).or_insert(place);
            }
        }
        if !fresh.is_empty() {
            let mut fresh: Vec<(u128, usize)> = fresh.into_iter().collect();
            // In the order of the samples, so that reading them back goes straight through the file.
            fresh.sort_unstable_by_key(|&(_, place)| place);
            let entries = fresh.iter().map(|&(content, place)| (content, &data[place * bytes..][..bytes]));
            cache.write_pack(&cache.shelf(rule), entries);
        }
    }
    if let Some((path, source)) = memory.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(LoadError::PictureMemory { path, source });
    }
    if stopped.into_inner() {
        return Err(LoadError::Interrupted);
    }
    let mut loaded = gather(dataset, which, *rule, data, slots, policy)?;
    if let Some(cache) = cache {
        loaded.notices.extend(cache.take_warnings().into_iter().map(|message| Notice::Cache { message }));
    }
    Ok(loaded)
}

/// `images` x `bytes` zeros, or an error where they do not fit; an allocation that fails later would end the process.
fn allocate(images: usize, bytes: usize) -> Result<Vec<u8>, LoadError> {
    let memory = LoadError::Memory { images, bytes_each: bytes };
    let Some(total) = images.checked_mul(bytes) else { return Err(memory) };
    if Vec::<u8>::new().try_reserve_exact(total).is_err() {
        return Err(memory);
    }
    // Zeroed by the system, page by page as the threads get there; writing zeros first would take as long as reading
    // the whole cache.
    Ok(vec![0; total])
}

/// Why a sample has no pixels.
enum Unusable {
    Bad(String),
    /// This is no fault of the picture, and ends the work: what is left out must not depend on the machine.
    Memory(DecodeError),
}

impl From<DecodeError> for Unusable {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Memory { .. } => Unusable::Memory(error),
            other => Unusable::Bad(other.to_string()),
        }
    }
}

/// The sample's pixels by the rule, `[H, W, C]`, and of a damaged image that was filled what is wrong with it.
fn pixels_of(sample: &Sample, rule: &ResizeRule) -> Result<(Vec<u8>, Option<String>), Unusable> {
    let bad = |error: &dyn fmt::Display| Unusable::Bad(error.to_string());
    match &sample.source {
        Source::File => {
            let content = read_counted(&sample.path).map_err(|error| match error.kind() {
                std::io::ErrorKind::OutOfMemory => {
                    let bytes = std::fs::metadata(&sample.path).map_or(0, |file| file.len());
                    Unusable::Memory(DecodeError::Memory { bytes })
                }
                _ => Unusable::Bad(format!("it cannot be read: {error}")),
            })?;
            // Its pixels would be kept in the cache under the name of what the file held before.
            if XxHash3_128::oneshot(&content.bytes) != sample.content {
                return Err(Unusable::Bad("it changed while it was in use".to_owned()));
            }
            let (image, damage) = rule.pixels_and_damage(&content.bytes)?;
            Ok((image.into_data(), damage.map(|damage| damage.to_string())))
        }
        Source::Array { images, index } => {
            let pixels = images.image(*index).iter().map(|&value| rule.reading.of_array(value)).collect();
            let image = Image::new(images.width, images.height, images.channels, pixels);
            let image = image.and_then(|image| rule.resize(image)).map_err(|error| bad(&error))?;
            Ok((image.into_data(), None))
        }
    }
}

/// Closes the gaps that bad images left, and decides by the policy.
fn gather(
    dataset: &Dataset,
    which: &[usize],
    rule: ResizeRule,
    mut data: Vec<u8>,
    slots: Vec<Slot>,
    policy: OnBadImage,
) -> Result<Loaded, LoadError> {
    let bytes = rule.bytes();
    let mut kept = Vec::with_capacity(which.len());
    let mut skipped = Vec::new();
    let (mut from_cache, mut decoded) = (0, 0);
    let mut filled = Vec::new();
    // For each class that is to be learnt: whether an image was good, and the first bad one.
    let is_learnt = |sample: &Sample| dataset.purpose == Purpose::Training && sample.split == Split::Train;
    let mut good = vec![false; dataset.classes.len()];
    let mut first_bad = vec![None; dataset.classes.len()];
    for (place, (slot, &i)) in slots.into_iter().zip(which).enumerate() {
        let sample = &dataset.samples[i];
        match slot {
            Slot::Cached(_) => from_cache += 1,
            Slot::Decoded => decoded += 1,
            Slot::Filled(reason) => {
                decoded += 1;
                filled.push(Skipped { path: sample.path.clone(), reason });
            }
            Slot::Bad(reason) => {
                if is_learnt(sample) {
                    first_bad[sample.label as usize].get_or_insert(skipped.len());
                }
                skipped.push(Skipped { path: sample.path.clone(), reason });
                continue;
            }
            Slot::Waiting => continue,
        }
        if is_learnt(sample) {
            good[sample.label as usize] = true;
        }
        if kept.len() < place {
            data.copy_within(place * bytes..(place + 1) * bytes, kept.len() * bytes);
        }
        kept.push(i);
    }
    data.truncate(kept.len() * bytes);
    if policy == OnBadImage::Fail && !skipped.is_empty() {
        return Err(LoadError::BadImages { bad: skipped });
    }
    let lost: Vec<(usize, usize)> = (0..good.len())
        .filter(|&class| !good[class])
        .filter_map(|class| Some((class, first_bad[class]?)))
        .collect();
    if let Some(&(_, first)) = lost.first() {
        let classes = lost.iter().map(|&(class, _)| dataset.classes[class].clone()).collect();
        return Err(LoadError::ClassLost { classes, first: Box::new(skipped[first].clone()) });
    }
    if kept.is_empty() && !skipped.is_empty() {
        return Err(LoadError::NoneUsable { bad: skipped });
    }
    let mut pixels = Pixels { rule, data };
    let filled = (!filled.is_empty()).then_some(Notice::Filled { images: filled });
    let notices = filled.into_iter().chain(flat_images(dataset, &kept, &pixels)).collect();
    pixels.hide();
    Ok(Loaded { pixels, kept, skipped, from_cache, decoded, notices })
}

/// Arrays of few levels, such as 0 to 16, are common, and their values say so themselves.
const FEW_LEVELS: u8 = 31;

impl Dataset {
    /// Why the samples `which` have hardly any contrast once they are read: by the files of the first of them, and the values of arrays.
    pub fn why_flat(&self, which: &[usize], reading: Reading) -> WhyFlat {
        /// So many of them are opened once more to see why.
        const ASKED: usize = 8;
        /// Larger ones are not opened once more: their samples take eight bytes a pixel.
        const LIMITS: Limits = Limits { max_pixels: 1 << 25 };
        let samples = || which.iter().map(|&place| &self.samples[place]);
        let files = samples().filter(|sample| matches!(sample.source, Source::File));
        let why =
            files.take(ASKED).filter_map(|sample| why_flat(&read_file(&sample.path).ok()?, &LIMITS).ok());
        let of_arrays = samples().filter_map(|sample| match &sample.source {
            Source::Array { images, index } => images.image(*index).iter().max().copied(),
            Source::File => None,
        });
        match of_arrays.max() {
            Some(largest @ 1..=FEW_LEVELS) if reading.white.is_none() => WhyFlat::FewLevels { largest },
            _ => WhyFlat::of(why, reading),
        }
    }
}

/// What is to be said of images without contrast, where they are many.
fn flat_images(dataset: &Dataset, kept: &[usize], pixels: &Pixels) -> Option<Notice> {
    let is_flat = |pixels: &[u8], nearly: u8| {
        let (mut low, mut high) = (u8::MAX, 0);
        // By pieces: most images have contrast in the first of them.
        pixels.chunks(64).all(|piece| {
            (low, high) = piece.iter().fold((low, high), |(low, high), &v| (low.min(v), high.max(v)));
            high - low <= nearly
        })
    };
    let nearly = |at: usize| match dataset.samples[kept[at]].source {
        Source::File => NEARLY_ONE,
        Source::Array { .. } => FEW_LEVELS,
    };
    let is_flat = |&at: &usize| is_flat(pixels.image(at), nearly(at));
    let flat: Vec<usize> = (0..pixels.len()).into_par_iter().filter(is_flat).collect();
    // One in ten, or a class of its own.
    let most_of_a_class = || {
        let mut of_class = vec![(0, 0); dataset.classes.len().max(1)];
        for (at, &sample) in kept.iter().enumerate() {
            let class = &mut of_class[dataset.samples[sample].label as usize];
            class.0 += 1;
            class.1 += usize::from(flat.binary_search(&at).is_ok());
        }
        of_class.iter().any(|&(all, flat)| flat * 2 > all)
    };
    if flat.is_empty() || (flat.len() * 10 < pixels.len() && !most_of_a_class()) {
        return None;
    }
    let which: Vec<usize> = flat.iter().map(|&at| kept[at]).collect();
    let why = dataset.why_flat(&which, pixels.rule.reading);
    let first = dataset.samples[kept[flat[0]]].path.clone();
    let by_recipe = dataset.purpose == Purpose::Training;
    Some(Notice::Flat { images: flat.len(), of: pixels.len(), first, why, by_recipe })
}
