//! Samples to pixels: every image decoded and resized once, into one block of memory, as inputs or as they are kept.

mod apart;
mod levels;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use pupila_image::{DecodeError, Image, Limits, NEARLY_ONE, Reading, Window, why_flat};
use rayon::prelude::*;
use twox_hash::XxHash3_128;

use crate::cache::{Pack, Shelf};
use crate::files::{read_counted, read_file};
use crate::held::{Hold, Pixels, Place, Store};
use crate::{
    Cache, Dataset, Levels, LoadError, Notice, OnBadImage, Purpose, ResizeRule, Sample, Skipped, Source,
    Split, WhyFlat,
};

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

/// Loads the samples `which` (indices into [`Dataset::samples`]) as [`load`] does, and holds them where `hold` says.
///
/// # Errors
/// As those of [`load`].
pub fn load_held(
    dataset: &Dataset,
    which: &[usize],
    rule: &ResizeRule,
    cache: Option<&Cache>,
    policy: OnBadImage,
    hold: Hold,
    progress: &(dyn Fn(usize) + Sync),
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Result<Loaded, LoadError> {
    // Images of an array are in memory as they are.
    let from_files = which.iter().all(|&i| matches!(dataset.samples[i].source, Source::File));
    match hold {
        Hold::Cache | Hold::Files if from_files => {
            let cache = cache.filter(|_| hold == Hold::Cache);
            let mut loaded = apart::load_apart(dataset, which, rule, cache, policy, progress, interrupted)?;
            let (_, anew) = loaded.pixels.apart();
            if hold == Hold::Cache && anew > 0 {
                loaded.notices.push(Notice::DecodedAnew { images: anew, of: loaded.kept.len() });
            }
            Ok(loaded)
        }
        _ => load(dataset, which, rule, cache, policy, progress, interrupted),
    }
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
    let (places, total) = places(dataset, which, rule);
    let mut data = allocate(which.len(), total)?;
    let mut slots = vec![Slot::Waiting; which.len()];
    // Images of an array are in memory as they are; keeping them on disk once more would gain nothing.
    let from_files = which.iter().any(|&i| matches!(dataset.samples[i].source, Source::File));
    let cache = cache.filter(|_| from_files);
    let shelves = cache.map_or(Vec::new(), |cache| shelves(cache, rule, &places));
    let packs = cache.map_or(Vec::new(), |cache| packs_of(cache, &shelves));
    let known = known(&packs);
    let damaged: Vec<AtomicBool> = packs.iter().map(|_| AtomicBool::new(false)).collect();
    let used: Vec<AtomicBool> = packs.iter().map(|_| AtomicBool::new(false)).collect();
    let stopped = AtomicBool::new(false);
    let memory = Mutex::new(None);
    let work =
        pieces(&mut data, &places, rule.channels).into_par_iter().zip(&places).zip(&mut slots).zip(which);
    work.for_each(|(((pixels, place), slot), &i)| {
        if stopped.load(Ordering::Relaxed) || interrupted() {
            stopped.store(true, Ordering::Relaxed);
            return;
        }
        let sample = &dataset.samples[i];
        *slot = 'slot: {
            let known = known.get(&(place.kept, sample.content));
            if let (Source::File, Some(&(number, slot))) = (&sample.source, known) {
                if packs[number].1.read(slot, pixels) {
                    used[number].store(true, Ordering::Relaxed);
                    break 'slot Slot::Cached(number);
                }
                damaged[number].store(true, Ordering::Relaxed);
            }
            match pixels_of(sample, rule, place.kept, None) {
                Ok((decoded, _)) if [decoded.height(), decoded.width()] != [place.height, place.width] => {
                    Slot::Bad(OTHER_SIZE.to_owned())
                }
                Ok((decoded, damage)) => {
                    pixels.copy_from_slice(decoded.data());
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
        for (number, (_, pack)) in packs.iter().enumerate() {
            if is_damaged(number) {
                pack.delete();
            } else if used[number].load(Ordering::Relaxed) {
                pack.touch();
            }
        }
        for (kept, shelf) in &shelves {
            // What was decoded, and what was saved from damaged packs; copies of an image once.
            let mut fresh = HashMap::new();
            for (place, slot) in slots.iter().enumerate().filter(|&(place, _)| places[place].kept == *kept) {
                if matches!(slot, Slot::Decoded)
                    || matches!(slot, Slot::Cached(number) if is_damaged(*number))
                {
                    fresh.entry(dataset.samples[which[place]].content).or_insert(place);
                }
            }
            if !fresh.is_empty() {
                let mut fresh: Vec<(u128, usize)> = fresh.into_iter().collect();
                // In the order of the samples, so that reading them back goes straight through the file.
                fresh.sort_unstable_by_key(|&(_, place)| place);
                let entries = fresh.iter().map(|&(content, at)| {
                    let place = &places[at];
                    let pixels = &data[place.bytes(rule.channels)];
                    (content, [place.height, place.width], Cow::Borrowed(pixels))
                });
                cache.write_pack(shelf, entries);
            }
        }
    }
    if let Some((path, source)) = memory.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(LoadError::PictureMemory { path, source });
    }
    if stopped.into_inner() {
        return Err(LoadError::Interrupted);
    }
    let Gathered { at, kept, skipped, from_cache, decoded, filled } = gather(dataset, which, slots, policy)?;
    // The gaps that bad images left are closed.
    let mut end = 0;
    let place = |&from: &usize| {
        let place = Place { at: end, ..places[from] };
        let bytes = places[from].bytes(rule.channels);
        end += bytes.len();
        if place.at < bytes.start {
            data.copy_within(bytes, place.at);
        }
        place
    };
    let places: Vec<Place> = at.iter().map(place).collect();
    data.truncate(end);
    let flat = |&at: &usize| is_flat(&dataset.samples[kept[at]], &data[places[at].bytes(rule.channels)]);
    let flat: Vec<usize> = (0..kept.len()).into_par_iter().filter(flat).collect();
    let mut notices: Vec<Notice> = filled.into_iter().collect();
    notices.extend(about_values(dataset, &kept, &flat, rule.reading));
    let mut pixels = Pixels { rule: *rule, places, store: Store::Block(data) };
    pixels.hide();
    if let Some(cache) = cache {
        notices.extend(cache.take_warnings().into_iter().map(|message| Notice::Cache { message }));
    }
    Ok(Loaded { pixels, kept, skipped, from_cache, decoded, notices })
}

/// Where images lie one after the other, each as an input or as it is kept, and how many bytes they have.
fn places(dataset: &Dataset, which: &[usize], rule: &ResizeRule) -> (Vec<Place>, usize) {
    let mut total = 0usize;
    let place = |&i: &usize| {
        let sample = &dataset.samples[i];
        // One that is refused for its size takes no room.
        let fits = u64::from(sample.height) * u64::from(sample.width) <= Limits::default().max_pixels;
        let kept = fits && rule.keeps() && dataset.is_trained_on(sample);
        let [height, width] = if kept { rule.kept_size([sample.height, sample.width]) } else { rule.size() };
        let place = Place { at: total, height, width, kept };
        total = total.saturating_add(place.bytes(rule.channels).len());
        place
    };
    (which.iter().map(place).collect(), total)
}

/// Where the cache has inputs, and images that are kept, as far as there are any among the places.
fn shelves(cache: &Cache, rule: &ResizeRule, places: &[Place]) -> Vec<(bool, Shelf)> {
    let shelf = |kept| (kept, if kept { cache.kept_shelf(rule) } else { cache.shelf(rule) });
    let wanted = |kept: &bool| places.iter().any(|place| place.kept == *kept);
    [false, true].into_iter().filter(wanted).map(shelf).collect()
}

/// The packs of shelves, each with whether it is of images that are kept.
fn packs_of(cache: &Cache, shelves: &[(bool, Shelf)]) -> Vec<(bool, Pack)> {
    let of = |(kept, shelf): &(bool, Shelf)| {
        let kept = *kept;
        cache.packs(shelf).into_iter().map(move |pack| (kept, pack))
    };
    shelves.iter().flat_map(of).collect()
}

/// For each content, as an input or as it is kept, its pack and its slot there. A content may be in several packs; any will do.
fn known(packs: &[(bool, Pack)]) -> HashMap<(bool, u128), (usize, usize)> {
    let of = |(number, (kept, pack)): (usize, &(bool, Pack))| {
        let kept = *kept;
        let slots = pack.index.iter().enumerate();
        slots.map(move |(slot, entry)| ((kept, entry.content), (number, slot))).collect::<Vec<_>>()
    };
    packs.iter().enumerate().flat_map(of).collect()
}

/// The block cut into the images' places, which follow each other.
fn pieces<'a>(mut data: &'a mut [u8], places: &[Place], channels: u8) -> Vec<&'a mut [u8]> {
    let cut = |place: &Place| {
        let (piece, rest) = std::mem::take(&mut data).split_at_mut(place.bytes(channels).len());
        data = rest;
        piece
    };
    places.iter().map(cut).collect()
}

/// `total` zeros for so many images, or an error where they do not fit; an allocation that fails later would end the process.
fn allocate(images: usize, total: usize) -> Result<Vec<u8>, LoadError> {
    if Vec::<u8>::new().try_reserve_exact(total).is_err() {
        return Err(LoadError::Memory { images, bytes: total });
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

/// The sample's pixels by the rule, as an input or as it is kept, `[H, W, C]`, and of a damaged image that was filled what is wrong with it.
/// The pixels of a sample, and what is wrong with it where it was filled. Where no more than a window will be looked at, what is outside of
/// it may be anything.
fn pixels_of(
    sample: &Sample,
    rule: &ResizeRule,
    kept: bool,
    window: Option<&Window>,
) -> Result<(Image, Option<String>), Unusable> {
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
            if kept
                && let Some(image) = window.and_then(|window| rule.window_of_whole(&content.bytes, window))
            {
                return Ok((image?, None));
            }
            let (image, damage) = rule.pixels_and_damage(&content.bytes, kept)?;
            Ok((image, damage.map(|damage| damage.to_string())))
        }
        Source::Array { images, index } => {
            let pixels = images.image(*index).iter().map(|&value| rule.reading.of_array(value)).collect();
            let image = Image::new(images.width, images.height, images.channels, pixels);
            let image = image.and_then(|image| rule.of_array(image, kept)).map_err(|error| bad(&error))?;
            Ok((image, None))
        }
    }
}

/// What became of all images.
struct Gathered {
    /// Places, among those that were asked for, of the images that are used.
    at: Vec<usize>,
    /// Their samples.
    kept: Vec<usize>,
    skipped: Vec<Skipped>,
    from_cache: usize,
    decoded: usize,
    filled: Option<Notice>,
}

/// Decides by the policy what becomes of bad images.
fn gather(
    dataset: &Dataset,
    which: &[usize],
    slots: Vec<Slot>,
    policy: OnBadImage,
) -> Result<Gathered, LoadError> {
    let (mut at, mut kept, mut skipped) = (Vec::new(), Vec::with_capacity(which.len()), Vec::new());
    let (mut from_cache, mut decoded) = (0, 0);
    let mut filled = Vec::new();
    // For each class that is to be learnt: whether an image was good, and the first bad one.
    let mut good = vec![false; dataset.classes.len()];
    let mut first_bad = vec![None; dataset.classes.len()];
    for (place, (slot, &i)) in slots.into_iter().zip(which).enumerate() {
        let sample = &dataset.samples[i];
        let is_learnt = dataset.is_trained_on(sample);
        match slot {
            Slot::Cached(_) => from_cache += 1,
            Slot::Decoded => decoded += 1,
            Slot::Filled(reason) => {
                decoded += 1;
                filled.push(Skipped { path: sample.path.clone(), reason });
            }
            Slot::Bad(reason) => {
                if is_learnt {
                    first_bad[sample.label as usize].get_or_insert(skipped.len());
                }
                skipped.push(Skipped { path: sample.path.clone(), reason });
                continue;
            }
            Slot::Waiting => continue,
        }
        if is_learnt {
            good[sample.label as usize] = true;
        }
        at.push(place);
        kept.push(i);
    }
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
    let filled = (!filled.is_empty()).then_some(Notice::Filled { images: filled });
    Ok(Gathered { at, kept, skipped, from_cache, decoded, filled })
}

/// Arrays of few levels, such as 0 to 16, are common, and their values say so themselves.
const FEW_LEVELS: u8 = 31;

impl Dataset {
    /// Whether a sample is learnt from.
    fn is_trained_on(&self, sample: &Sample) -> bool {
        self.purpose == Purpose::Training && sample.split == Split::Train
    }

    /// Why the samples `which` have hardly any contrast once they are read: by the files of the first of them, and the values of arrays.
    pub fn why_flat(&self, which: &[usize], reading: Reading) -> WhyFlat {
        /// So many of them are opened once more to see why.
        const ASKED: usize = 8;
        let samples = || which.iter().map(|&place| &self.samples[place]);
        let files = samples().filter(|sample| matches!(sample.source, Source::File));
        let why = files
            .take(ASKED)
            .filter_map(|sample| why_flat(&read_file(&sample.path).ok()?, &levels::LIMITS).ok());
        let of_arrays = samples().filter_map(|sample| match &sample.source {
            Source::Array { images, index } => images.image(*index).iter().max().copied(),
            Source::File => None,
        });
        match of_arrays.max() {
            Some(largest @ 1..=FEW_LEVELS) if reading.white.is_none() => WhyFlat::FewLevels { largest },
            _ => {
                let all: Vec<usize> = (0..self.samples.len()).collect();
                let stored = levels::of_files(self, &all).map(|(stored, _)| stored);
                WhyFlat::of(why, stored, reading)
            }
        }
    }
}

/// Whether an image has hardly any contrast. `pixels: [H, W, C]`
fn is_flat(sample: &Sample, pixels: &[u8]) -> bool {
    let nearly = match sample.source {
        Source::File => NEARLY_ONE,
        Source::Array { .. } => FEW_LEVELS,
    };
    let (mut low, mut high) = (u8::MAX, 0);
    // By pieces: most images have contrast in the first of them.
    pixels.chunks(64).all(|piece| {
        (low, high) = piece.iter().fold((low, high), |(low, high), &v| (low.min(v), high.max(v)));
        high - low <= nearly
    })
}

/// What is to be said of the values that images hold: that they have no contrast, and why, or else that they are not those that are read as
/// black to white.
fn about_values(dataset: &Dataset, kept: &[usize], flat: &[usize], reading: Reading) -> Vec<Notice> {
    let flat = flat_images(dataset, kept, flat, reading);
    let is_told =
        matches!(&flat, Some(Notice::Flat { why: WhyFlat::FewBits { .. } | WhyFlat::Float { .. }, .. }));
    let levels = || {
        let (stored, first) = levels::of_files(dataset, kept)?;
        let levels = Levels::of(stored, reading)?;
        let by_recipe = dataset.purpose == Purpose::Training;
        Some(Notice::Levels { levels, first: dataset.samples[first].path.clone(), by_recipe })
    };
    let levels = if is_told { None } else { levels() };
    flat.into_iter().chain(levels).collect()
}

/// What is to be said of images without contrast, where they are many: those of `kept` at the places `flat`, in order.
fn flat_images(dataset: &Dataset, kept: &[usize], flat: &[usize], reading: Reading) -> Option<Notice> {
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
    if flat.is_empty() || (flat.len() * 10 < kept.len() && !most_of_a_class()) {
        return None;
    }
    let which: Vec<usize> = flat.iter().map(|&at| kept[at]).collect();
    let why = dataset.why_flat(&which, reading);
    let first = dataset.samples[kept[flat[0]]].path.clone();
    let by_recipe = dataset.purpose == Purpose::Training;
    Some(Notice::Flat { images: flat.len(), of: kept.len(), first, why, by_recipe })
}

/// The pixels of a sample, which was decoded before to the size of `place`.
pub(crate) fn decoded(
    sample: &Sample,
    rule: &ResizeRule,
    place: &Place,
    window: Option<&Window>,
) -> Result<Vec<u8>, String> {
    match pixels_of(sample, rule, place.kept, window) {
        Ok((image, _)) if [image.height(), image.width()] == [place.height, place.width] => {
            Ok(image.into_data())
        }
        Ok(_) => Err(OTHER_SIZE.to_owned()),
        Err(Unusable::Bad(reason)) => Err(reason),
        Err(Unusable::Memory(error)) => Err(error.to_string()),
    }
}

/// Its size was told by its header when it was scanned, and decides where it lies.
const OTHER_SIZE: &str = "it is not of the size that its header says";
