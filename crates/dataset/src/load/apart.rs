//! Loading without holding: images stay in packs of the cache, or in their files.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::{
    Gathered, Loaded, OTHER_SIZE, Slot, Unusable, about_values, gather, is_flat, known, packs_of, pixels_of,
    places, shelves,
};
use crate::cache::{Pack, PackWriter};
use crate::held::{Apart, Lies, Pixels, Place, Store};
use crate::{Cache, Dataset, LoadError, Notice, OnBadImage, ResizeRule, Sample};

/// Bytes of pixels that are decoded at a time, before they are written into the cache.
const CHUNK: usize = 128 << 20;

/// Loads without holding: what the cache lacks is decoded piece by piece and put there. Every image is
/// looked at once, so that bad ones and damaged packs are known before the work begins.
pub(super) fn load_apart(
    dataset: &Dataset,
    which: &[usize],
    rule: &ResizeRule,
    cache: Option<&Cache>,
    policy: OnBadImage,
    progress: &(dyn Fn(usize) + Sync),
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Result<Loaded, LoadError> {
    rule.check()?;
    let (places, _) = places(dataset, which, rule);
    let mut slots = vec![Slot::Waiting; which.len()];
    let mut flat = vec![false; which.len()];
    let shelves = cache.map_or(Vec::new(), |cache| shelves(cache, rule, &places));
    let mut packs = cache.map_or(Vec::new(), |cache| packs_of(cache, &shelves));
    let content = |place: usize| (places[place].kept, dataset.samples[which[place]].content);
    let stopped = AtomicBool::new(false);
    // What is known is looked at once.
    let (index, damaged) = (known(&packs), packs.iter().map(|_| AtomicBool::new(false)).collect::<Vec<_>>());
    slots.par_iter_mut().zip(&mut flat).enumerate().for_each(|(place, (slot, flat))| {
        let Some(&(number, at)) = index.get(&content(place)) else { return };
        if stopped.load(Ordering::Relaxed) || interrupted() {
            stopped.store(true, Ordering::Relaxed);
            return;
        }
        match packs[number].1.checked(at, places[place].bytes(rule.channels).len()) {
            Some(pixels) => {
                *flat = is_flat(&dataset.samples[which[place]], &pixels);
                *slot = Slot::Cached(number);
                progress(1);
            }
            None => damaged[number].store(true, Ordering::Relaxed),
        }
    });
    let damaged: Vec<bool> = damaged.into_iter().map(AtomicBool::into_inner).collect();
    for ((_, pack), &damaged) in packs.iter().zip(&damaged) {
        match damaged {
            true => pack.delete(),
            false => pack.touch(),
        }
    }
    // All images of a damaged pack are decoded again: it is gone.
    for slot in &mut slots {
        if matches!(slot, Slot::Cached(number) if damaged[*number]) {
            *slot = Slot::Waiting;
        }
    }
    let missing: Vec<usize> = (0..which.len()).filter(|&place| slots[place] == Slot::Waiting).collect();
    let mut writers: Vec<(bool, PackWriter<'_>)> = Vec::new();
    if let Some(cache) = cache.filter(|_| !missing.is_empty()) {
        writers.extend(shelves.iter().map(|(kept, shelf)| (*kept, PackWriter::begin(cache, shelf))));
    }
    let mut memory = None;
    let mut rest = missing.as_slice();
    while !rest.is_empty() && !stopped.load(Ordering::Relaxed) && memory.is_none() {
        let mut bytes = 0;
        let fits = |&&place: &&usize| {
            bytes += places[place].bytes(rule.channels).len();
            bytes <= CHUNK
        };
        let (chunk, after) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        rest = after;
        let of_place = |&place: &usize| {
            if stopped.load(Ordering::Relaxed) || interrupted() {
                stopped.store(true, Ordering::Relaxed);
                return None;
            }
            let result = pixels_of(&dataset.samples[which[place]], rule, places[place].kept, None);
            progress(1);
            Some(result)
        };
        let decoded: Vec<_> = chunk.par_iter().map(of_place).collect();
        for (&place, decoded) in chunk.iter().zip(decoded) {
            let Place { height, width, kept, .. } = places[place];
            slots[place] = match decoded {
                None => continue,
                Some(Ok((image, _))) if [image.height(), image.width()] != [height, width] => {
                    Slot::Bad(OTHER_SIZE.to_owned())
                }
                Some(Ok((image, damage))) => {
                    flat[place] = is_flat(&dataset.samples[which[place]], image.data());
                    if let Some((_, writer)) =
                        writers.iter_mut().find(|(of, _)| *of == kept && damage.is_none())
                    {
                        writer.add(dataset.samples[which[place]].content, [height, width], image.data());
                    }
                    damage.map_or(Slot::Decoded, Slot::Filled)
                }
                Some(Err(Unusable::Bad(reason))) => Slot::Bad(reason),
                Some(Err(Unusable::Memory(error))) => {
                    memory = Some((dataset.samples[which[place]].path.clone(), error));
                    break;
                }
            };
        }
    }
    // Also what an interruption leaves: the next run goes on from there.
    writers.into_iter().for_each(|(_, writer)| writer.finish());
    if let Some((path, source)) = memory {
        return Err(LoadError::PictureMemory { path, source });
    }
    if stopped.into_inner() {
        return Err(LoadError::Interrupted);
    }
    if let Some(cache) = cache.filter(|_| !missing.is_empty()) {
        packs = packs_of(cache, &shelves);
    }
    let Gathered { at, kept, skipped, from_cache, decoded, filled } = gather(dataset, which, slots, policy)?;
    let known = known(&packs);
    let flat: Vec<usize> = (0..kept.len()).filter(|&place| flat[at[place]]).collect();
    // Packs that are used stay open.
    let mut packs: Vec<Option<Pack>> = packs.into_iter().map(|(_, pack)| Some(pack)).collect();
    let mut numbers: HashMap<usize, u32> = HashMap::new();
    let mut used: Vec<Pack> = Vec::new();
    let mut in_pack = |&place: &usize| {
        let &(number, slot) = known.get(&content(place))?;
        let number = match numbers.get(&number) {
            Some(&number) => number,
            None => {
                used.push(packs[number].take()?);
                *numbers.entry(number).or_insert(used.len() as u32 - 1)
            }
        };
        Some((number, used[number as usize].lies(slot)))
    };
    let lies: Vec<Option<(u32, Lies)>> = at.iter().map(&mut in_pack).collect();
    let samples: Vec<Sample> = kept.iter().map(|&i| dataset.samples[i].clone()).collect();
    let places: Vec<Place> = at.iter().map(|&place| Place { at: 0, ..places[place] }).collect();
    let apart = Apart { packs: used.into_iter().map(Pack::into_file).collect(), at: lies, samples };
    let mut notices: Vec<Notice> = filled.into_iter().collect();
    notices.extend(about_values(dataset, &kept, &flat, rule.reading));
    if let Some(cache) = cache {
        notices.extend(cache.take_warnings().into_iter().map(|message| Notice::Cache { message }));
    }
    let pixels = Pixels { rule: *rule, places, store: Store::Apart(apart) };
    Ok(Loaded { pixels, kept, skipped, from_cache, decoded, notices })
}
