//! The nearest-neighbour baseline: what the small pictures alone tell of the class, so that a person knows before training what "easy" is.

use pupila_dataset::{Dataset, Split};
use pupila_metrics::proportion;
use pupila_random::{Purpose, Stream};
use rayon::prelude::*;

use crate::splits::given;
use crate::units::{folds, units};
use crate::{COLOR_SIDE, Looked};

/// Neighbours that are looked for, and that vote.
pub(crate) const NEIGHBOURS: usize = 5;
/// Images that are gone through together, so that each of the others is read once for all of them.
const TOGETHER: usize = 8;
/// No more images are judged, and no more are asked.
const JUDGED: usize = 2_000;
const ASKED: usize = 20_000;

/// What the nearest neighbours reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    /// The share of images whose class their neighbours tell.
    pub accuracy: f64,
    /// Its 95 % interval.
    pub interval: (f64, f64),
    /// The share of the most frequent class among the images that were judged.
    pub majority: f64,
    /// How many were judged.
    pub judged: usize,
    /// The split that was judged by the training images; `None`: all images, each by those of the other four of five folds.
    pub split: Option<Split>,
}

/// The class of each judged image by vote of its five nearest images, by the distances of the colors of their squeezed pictures
/// (16 x 16 pixels, the sum of the absolute differences). `None` where there are no classes, or nothing to judge.
pub(crate) fn baseline(dataset: &Dataset, looked: &Looked) -> Option<Baseline> {
    if dataset.classes.len() < 2 {
        return None;
    }
    let seen: Vec<usize> =
        (0..dataset.samples.len()).filter(|&at| looked.measurements[at].is_some()).collect();
    let of = |split: Split| -> Vec<usize> {
        seen.iter().copied().filter(|&at| given(dataset, at) == split).collect()
    };
    let own = [Split::Val, Split::Test].into_iter().find(|&split| !of(split).is_empty());
    let units = units(dataset, looked, &seen);
    let fold = folds(&units, 5, 0);
    let mut unit_of = vec![(0, 0); dataset.samples.len()];
    seen.iter().zip(units.iter().zip(&fold)).for_each(|(&at, (&unit, &fold))| unit_of[at] = (unit, fold));
    let (mut judged, mut asked) = match own {
        Some(split) => (of(split), of(Split::Train)),
        None => (seen.clone(), seen.clone()),
    };
    for (which, most) in [(&mut judged, JUDGED), (&mut asked, ASKED)] {
        if which.len() > most {
            Stream::new(0, Purpose::Subset, most as u32, 1).shuffle(which);
            which.truncate(most);
            which.sort_unstable();
        }
    }
    let label = |at: usize| dataset.samples[at].label;
    let other = |at: usize, candidate: usize| own.is_some() || unit_of[candidate].1 != unit_of[at].1;
    let nearest = nearest(looked, &judged, &asked, other);
    let hit = |(&at, nearest): (&usize, &Nearest)| {
        let there = nearest.iter().filter(|(_, candidate)| *candidate != usize::MAX);
        vote(there.map(|&(_, candidate)| label(candidate))) == Some(label(at))
    };
    let hits: Vec<bool> = judged.iter().zip(&nearest).map(hit).collect();
    let groups: Vec<u32> = judged.iter().map(|&at| unit_of[at].0).collect();
    let interval = proportion(&hits, Some(&groups)).or_else(|_| proportion(&hits, None)).ok()?;
    let mut counts = vec![0usize; dataset.classes.len()];
    judged.iter().for_each(|&at| counts[label(at) as usize] += 1);
    Some(Baseline {
        accuracy: interval.value,
        interval: (interval.low, interval.high),
        majority: *counts.iter().max()? as f64 / judged.len() as f64,
        judged: judged.len(),
        split: own,
    })
}

/// The nearest images, each with its distance, in their order; `(u32::MAX, usize::MAX)` where there are fewer.
pub(crate) type Nearest = [(u32, usize); NEIGHBOURS];

/// For each of some images the nearest of others, among those that `may` be compared.
pub(crate) fn nearest(
    looked: &Looked,
    images: &[usize],
    others: &[usize],
    may: impl Fn(usize, usize) -> bool + Sync,
) -> Vec<Nearest> {
    // Side by side: among the gray thumbnails each would be on a page of its own.
    let colors: Vec<u8> = others.iter().flat_map(|&other| looked.color(other)).copied().collect();
    let together = |images: &[usize]| {
        let mut nearest = vec![[(u32::MAX, usize::MAX); NEIGHBOURS]; images.len()];
        for (&other, color) in others.iter().zip(colors.chunks_exact(COLOR_SIDE * COLOR_SIDE * 3)) {
            for (&image, nearest) in images.iter().zip(&mut nearest) {
                if may(image, other) {
                    let found = (distance(looked.color(image), color), other);
                    if found < nearest[NEIGHBOURS - 1] {
                        nearest[NEIGHBOURS - 1] = found;
                        nearest.sort_unstable();
                    }
                }
            }
        }
        nearest
    };
    images.par_chunks(TOGETHER).flat_map_iter(together).collect()
}

/// The sum of the absolute differences.
#[inline(never)]
fn distance(a: &[u8], b: &[u8]) -> u32 {
    pupila_isa::dispatch(
        #[inline(always)]
        || {
            let sum = |a: &[u8], b: &[u8]| -> u32 {
                a.iter().zip(b).map(|(&x, &y)| (i32::from(x) - i32::from(y)).unsigned_abs()).sum()
            };
            // In this form, and by 32, the compiler takes the instruction that is made for it: three times as fast.
            let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<32>(), b.as_chunks::<32>());
            a.iter().zip(b).map(|(a, b)| sum(a, b)).sum::<u32>() + sum(rest_a, rest_b)
        },
    )
}

/// The most frequent label; of equal ones that of the nearest.
fn vote(labels: impl Iterator<Item = u32>) -> Option<u32> {
    let labels: Vec<u32> = labels.collect();
    let count = |label: u32| labels.iter().filter(|&&other| other == label).count();
    let most = labels.iter().map(|&label| count(label)).max()?;
    labels.iter().copied().find(|&label| count(label) == most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_wins_and_then_the_nearest() {
        assert_eq!(vote([3, 1, 1, 2, 3].into_iter()), Some(3));
        assert_eq!(vote([3, 1, 1].into_iter()), Some(1));
        assert_eq!(vote([].into_iter()), None);
        assert_eq!(distance(&[0, 255, 7], &[255, 0, 7]), 510);
        let row = |from: u8| (0..100u8).map(|i| from.wrapping_add(i.wrapping_mul(37))).collect::<Vec<u8>>();
        let expected: u32 = row(3).iter().zip(row(91)).map(|(a, b)| u32::from(a.abs_diff(b))).sum();
        assert_eq!(distance(&row(3), &row(91)), expected);
    }
}
