//! Images that belong together and must not be parted by a fold: copies, near ones too, and those of one group.

use std::collections::HashMap;

use pupila_dataset::Dataset;
use pupila_random::{Purpose, Stream};

use crate::Looked;

/// The unit of each of the samples `which`, numbered from 0 in the order of their first samples.
pub(crate) fn units(dataset: &Dataset, looked: &Looked, which: &[usize]) -> Vec<u32> {
    let mut parent: Vec<usize> = (0..which.len()).collect();
    let mut of_pixels: HashMap<u128, usize> = HashMap::new();
    let mut of_group: HashMap<&str, usize> = HashMap::new();
    for (at, &place) in which.iter().enumerate() {
        if let Some(measurement) = &looked.measurements[place] {
            let copy = *of_pixels.entry(measurement.pixels).or_insert(at);
            join(&mut parent, at, copy);
        }
        if let Some(group) = dataset.samples[place].group.as_deref() {
            let member = *of_group.entry(group).or_insert(at);
            join(&mut parent, at, member);
        }
    }
    let place_of: HashMap<usize, usize> = match looked.near.is_empty() {
        true => HashMap::new(),
        false => which.iter().enumerate().map(|(at, &place)| (place, at)).collect(),
    };
    for group in &looked.near {
        let mut there = group.iter().filter_map(|place| place_of.get(place));
        if let Some(&first) = there.next() {
            there.for_each(|&other| join(&mut parent, first, other));
        }
    }
    let mut numbers: HashMap<usize, u32> = HashMap::new();
    (0..which.len())
        .map(|at| {
            let next = numbers.len() as u32;
            *numbers.entry(root(&mut parent, at)).or_insert(next)
        })
        .collect()
}

/// The fold of each image, 0 to `folds` - 1: units stay whole, and are shared out at random by `seed`.
pub(crate) fn folds(units: &[u32], folds: u32, seed: u64) -> Vec<u32> {
    let count = units.iter().max().map_or(0, |&largest| largest + 1);
    let mut order: Vec<u32> = (0..count).collect();
    Stream::new(seed, Purpose::Split, 0, 1).shuffle(&mut order);
    units.iter().map(|&unit| order[unit as usize] % folds).collect()
}

fn root(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}

fn join(parent: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parent, a), root(parent, b));
    // The lower one stays, so that the result follows from the order alone.
    parent[a.max(b)] = a.min(b);
}
