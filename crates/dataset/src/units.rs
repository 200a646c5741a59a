//! Which samples cannot be parted: exact copies, and those of one group.

use std::collections::{BTreeMap, HashMap};

use crate::{Sample, Split};

/// The samples of some splits as units: two samples are of one unit where they have the same content, the same group, or a
/// third one ties them together. In the order of their first samples, each ascending.
pub(crate) fn units(samples: &[Sample], wanted: impl Fn(Split) -> bool) -> Vec<Vec<usize>> {
    let mut parent: Vec<usize> = (0..samples.len()).collect();
    let mut of_content: HashMap<u128, usize> = HashMap::new();
    let mut of_group: HashMap<&str, usize> = HashMap::new();
    for (i, sample) in samples.iter().enumerate().filter(|(_, sample)| wanted(sample.split)) {
        let copy = *of_content.entry(sample.content).or_insert(i);
        join(&mut parent, i, copy);
        if let Some(group) = sample.group.as_deref() {
            let member = *of_group.entry(group).or_insert(i);
            join(&mut parent, i, member);
        }
    }
    let mut place: HashMap<usize, usize> = HashMap::new();
    let mut units: Vec<Vec<usize>> = Vec::new();
    for (i, _) in samples.iter().enumerate().filter(|(_, sample)| wanted(sample.split)) {
        let unit = *place.entry(root(&mut parent, i)).or_insert(units.len());
        if unit == units.len() {
            units.push(Vec::new());
        }
        units[unit].push(i);
    }
    units
}

/// How many samples of each class a unit has, of those that it has.
pub(crate) fn class_counts(samples: &[Sample], unit: &[usize]) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for &i in unit {
        *counts.entry(samples[i].label as usize).or_default() += 1;
    }
    counts
}

/// Union-find with path halving; the root of a unit is its first sample.
fn root(parent: &mut [usize], mut i: usize) -> usize {
    while parent[i] != i {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    i
}

fn join(parent: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parent, a), root(parent, b));
    parent[a.max(b)] = a.min(b);
}
