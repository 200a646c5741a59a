//! The nearest-neighbour baseline: what the small pictures alone tell of the class, so that a person knows before training what "easy" is.

use pupila_dataset::{Dataset, Split};
use pupila_metrics::proportion;
use pupila_random::{Purpose, Stream};
use rayon::prelude::*;

use crate::Looked;
use crate::splits::given;
use crate::units::{folds, units};

/// Neighbours that vote.
const NEIGHBOURS: usize = 5;
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
    let unit_of: std::collections::HashMap<usize, (u32, u32)> =
        seen.iter().zip(units.iter().zip(&fold)).map(|(&at, (&unit, &fold))| (at, (unit, fold))).collect();
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
    let hits: Vec<bool> = judged
        .par_iter()
        .map(|&at| {
            let other = |&&candidate: &&usize| own.is_some() || unit_of[&candidate].1 != unit_of[&at].1;
            let mut nearest: Vec<(u32, usize)> = asked
                .iter()
                .filter(other)
                .map(|&candidate| (distance(looked.color(at), looked.color(candidate)), candidate))
                .collect();
            let count = NEIGHBOURS.min(nearest.len());
            if count == 0 {
                return false;
            }
            nearest.select_nth_unstable(count - 1);
            nearest.truncate(count);
            nearest.sort_unstable();
            vote(nearest.iter().map(|&(_, candidate)| label(candidate))) == Some(label(at))
        })
        .collect();
    let groups: Vec<u32> = judged.iter().map(|at| unit_of[at].0).collect();
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

/// The sum of the absolute differences.
pub(crate) fn distance(a: &[u8], b: &[u8]) -> u32 {
    a.iter().zip(b).map(|(&x, &y)| u32::from(x.abs_diff(y))).sum()
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
    }
}
