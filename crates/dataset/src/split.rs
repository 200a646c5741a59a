//! Which samples become the validation set, and which training samples a fraction keeps.

use std::collections::HashMap;

use pupila_random::{Purpose, Stream};

use crate::{Sample, Split};

/// Moves `val_frac` of each class from train to val, by `seed`. Samples with the same content move together, so that no
/// validation image was trained on; a group of copies with different labels counts for the class of its first sample.
/// Every class keeps a training sample.
pub(crate) fn split_off_val(samples: &mut [Sample], classes: usize, val_frac: f64, seed: u64) {
    let mut group_of: HashMap<u128, usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (i, sample) in samples.iter().enumerate().filter(|(_, sample)| sample.split == Split::Train) {
        let group = *group_of.entry(sample.content).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(i);
    }
    let mut of_class: Vec<Vec<&Vec<usize>>> = vec![Vec::new(); classes];
    for group in &groups {
        of_class[samples[group[0]].label as usize].push(group);
    }
    for (class, mut groups) in of_class.into_iter().enumerate() {
        let total: usize = groups.iter().map(|group| group.len()).sum();
        if groups.len() < 2 {
            continue;
        }
        Stream::new(seed, Purpose::Split, class as u32, 0).shuffle(&mut groups);
        let target = ((total as f64 * val_frac).round() as usize).clamp(1, total - 1);
        let mut chosen = Vec::new();
        let mut taken = 0;
        for group in &groups {
            if taken + group.len() <= target {
                taken += group.len();
                chosen.push(*group);
            }
        }
        if chosen.is_empty() {
            // Every group is larger than the target: rather too many validation images than none.
            chosen.extend(groups.iter().min_by_key(|group| group.len()));
        }
        for &i in chosen.into_iter().flatten() {
            samples[i].split = Split::Val;
        }
    }
    // A class all of whose samples are copies of another class's may have gone with those.
    let mut trained = vec![false; classes];
    for sample in samples.iter().filter(|sample| sample.split == Split::Train) {
        trained[sample.label as usize] = true;
    }
    for group in &groups {
        if group.iter().any(|&i| !trained[samples[i].label as usize]) {
            for &i in group {
                samples[i].split = Split::Train;
            }
        }
    }
}

/// Which training samples stay where only a part of each class is wanted; all others stay anyway. `keep[i]` is for
/// `samples[i]`. The order in which a class gives up samples depends on the seed alone, so smaller parts are subsets.
pub(crate) fn keep_part(
    samples: &[Sample],
    classes: usize,
    fraction: f64,
    max: Option<usize>,
    seed: u64,
) -> Vec<bool> {
    let mut keep = vec![true; samples.len()];
    let mut of_class = vec![Vec::new(); classes];
    for (i, sample) in samples.iter().enumerate().filter(|(_, sample)| sample.split == Split::Train) {
        of_class[sample.label as usize].push(i);
    }
    for (class, mut members) in of_class.into_iter().enumerate() {
        let wanted =
            ((members.len() as f64 * fraction).round() as usize).max(1).min(max.unwrap_or(usize::MAX));
        if wanted < members.len() {
            Stream::new(seed, Purpose::Subset, class as u32, 0).shuffle(&mut members);
            for &i in &members[wanted..] {
                keep[i] = false;
            }
        }
    }
    keep
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;

    fn samples(labels_and_contents: &[(u32, u128)]) -> Vec<Sample> {
        let sample = |&(label, content): &(u32, u128)| Sample {
            path: format!("{label}/{content}").into(),
            label,
            split: Split::Train,
            source: Source::File,
            content,
            width: 1,
            height: 1,
            channels: 1,
        };
        labels_and_contents.iter().map(sample).collect()
    }

    fn count(samples: &[Sample], label: u32, split: Split) -> usize {
        samples.iter().filter(|s| s.label == label && s.split == split).count()
    }

    #[test]
    fn each_class_gives_its_part_and_the_seed_says_which() {
        let data: Vec<_> = (0..150u128).map(|i| (u32::from(i >= 100), i)).collect();
        let split = |seed| {
            let mut samples = samples(&data);
            split_off_val(&mut samples, 2, 0.2, seed);
            samples
        };
        let first = split(0);
        assert_eq!(count(&first, 0, Split::Val), 20);
        assert_eq!(count(&first, 1, Split::Val), 10);
        let splits = |samples: &[Sample]| samples.iter().map(|s| s.split).collect::<Vec<_>>();
        assert_eq!(splits(&first), splits(&split(0)));
        assert_ne!(splits(&first), splits(&split(1)));
    }

    #[test]
    fn copies_stay_together_whatever_their_labels() {
        for seed in 0..50 {
            // Classes 0 and 1 share contents 40..50.
            let data: Vec<_> = (0..50).chain(0..20).map(|c| (0, c)).chain((40..90).map(|c| (1, c))).collect();
            let mut samples = samples(&data);
            split_off_val(&mut samples, 2, 0.3, seed);
            let mut split_of = HashMap::new();
            for sample in &samples {
                assert_eq!(*split_of.entry(sample.content).or_insert(sample.split), sample.split);
            }
            assert!((1..=40).contains(&count(&samples, 0, Split::Val)));
        }
    }

    #[test]
    fn every_class_keeps_something_to_train_on() {
        for seed in 0..20 {
            // One image; only copies; two groups of copies; a class that consists of copies of another.
            let data =
                [(0, 1), (1, 2), (1, 2), (2, 3), (2, 3), (2, 4), (2, 4), (3, 5), (3, 6), (4, 5), (4, 6)];
            let mut samples = samples(&data);
            split_off_val(&mut samples, 5, 0.2, seed);
            for class in 0..5 {
                assert!(count(&samples, class, Split::Train) > 0, "class {class}");
            }
            assert_eq!(count(&samples, 0, Split::Val) + count(&samples, 1, Split::Val), 0);
            assert_eq!(count(&samples, 2, Split::Val), 2);
        }
    }

    #[test]
    fn smaller_parts_are_subsets_of_larger_ones() {
        let samples = samples(&(0..100u128).map(|i| (u32::from(i >= 90), i)).collect::<Vec<_>>());
        let large = keep_part(&samples, 2, 0.5, None, 3);
        let small = keep_part(&samples, 2, 0.1, None, 3);
        let least = keep_part(&samples, 2, 1e-9, Some(7), 3);
        let kept = |keep: &[bool]| keep.iter().filter(|&&k| k).count();
        assert_eq!((kept(&large), kept(&small), kept(&least)), (50, 10, 2));
        assert!((0..100).all(|i| (!small[i] || large[i]) && (!least[i] || small[i])));
        assert_eq!(kept(&keep_part(&samples, 2, 1.0, Some(7), 3)), 14);
    }
}
